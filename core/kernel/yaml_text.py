"""The part of YAML 1.2 that people write by hand, read with line numbers and written in one fixed form.

Read: block and flow mappings and sequences, plain, quoted, literal and folded text, comments. Refused, with a sentence:
anchors, aliases, tags, directives, several documents, tabs as indentation and keys that come twice. A word is only
`null`, a number, `true` or `false` as in YAML 1.2's core schema: `no` and `12:30` stay text. Nothing is ever executed.

Source: YAML 1.2.2, chapters 6 to 8 and 10.3. What is written here reads the same with a YAML 1.1 reader.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 24

Scalar = str | int | float | bool | None


class YamlError(ValueError):
    """A text that is not of this part of YAML.

    Attributes:
        line: 1 for the first one.
        sentence: What is wrong there.
    """

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(f"Line {line}: {sentence}")
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line it begins in: a scalar, or nodes by key, or nodes in order."""

    value: Scalar | dict[str, Node] | list[Node]
    line: int

    def plain(self) -> Any:
        """Return the value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def line_at(self, path: tuple[str | int, ...]) -> int:
        """Return the line of what stands at a path of keys and positions, or of the nearest thing above it."""
        node = self
        for step in path:
            below = node._below(step)
            if below is None:
                break
            node = below
        return node.line

    def _below(self, step: str | int) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int) and 0 <= step < len(self.value):
            return self.value[step]
        return None


@dataclass(slots=True)
class _Line:
    number: int
    indent: int
    text: str
    """Without its indentation; comments are still there."""

    raw: str

    @property
    def is_empty(self) -> bool:
        return not self.text or self.text.startswith("#")


_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s\[\]{},#&*!|>'"%@`?:-][^#]*?|[?:-][^\s#][^#]*?)\s*:(?=\s|$)"""
)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_REFUSED = {
    "&": "An anchor (&) is not read here: write the value out.",
    "*": "An alias (*) is not read here: write the value out.",
    "!": "A tag (!) is not read here.",
    "%": "A directive (%) is not read here.",
    "@": "Text cannot begin with @: put it into quotes.",
    "`": "Text cannot begin with `: put it into quotes.",
}


def read(text: str) -> Node:
    """Read one document.

    Raises:
        YamlError: With the line and what is wrong there.
    """
    if len(text) > MAX_CHARACTERS:
        raise YamlError(1, f"The text is longer than {MAX_CHARACTERS} characters.")
    reader = _Reader(_lines_of(text.removeprefix("\ufeff")))
    first = reader.peek()
    if first is None:
        return Node(None, 1)
    node = reader.block(first.indent, 0)
    rest = reader.peek()
    if rest is not None:
        raise YamlError(rest.number, "This line stands further left or right than the ones it belongs to.")
    return node


def write(value: Any) -> str:
    """Return builtins as a document: block style, keys in their order, short lists of words in one line."""
    lines = _written(value, 0)
    return "\n".join(lines) + "\n"


def _lines_of(text: str) -> list[_Line]:
    lines: list[_Line] = []
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        body = raw.rstrip()
        stripped = body.lstrip(" ")
        if stripped.startswith("\t"):
            raise YamlError(number, "A tab cannot indent: use blanks.")
        indent = len(body) - len(stripped)
        if indent == 0 and stripped in ("---", "..."):
            if stripped == "---" and any(not line.is_empty for line in lines):
                raise YamlError(number, "Only one document is read.")
            lines.append(_Line(number, 0, "", ""))
            continue
        lines.append(_Line(number, indent, stripped, body))
    return lines


class _Reader:
    """Walks over the lines once."""

    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._at = 0

    def peek(self) -> _Line | None:
        """Return the next line that holds something."""
        while self._at < len(self._lines) and self._lines[self._at].is_empty:
            self._at += 1
        return self._lines[self._at] if self._at < len(self._lines) else None

    def block(self, indent: int, depth: int) -> Node:
        """Read what begins at the next line, which stands at `indent`."""
        line = self.peek()
        assert line is not None
        if depth > MAX_DEPTH:
            raise YamlError(line.number, "This is nested too deep.")
        if line.text == "-" or line.text.startswith("- "):
            return self._sequence(indent, depth)
        if _KEY.match(line.text):
            return self._mapping(indent, depth)
        self._at += 1
        return self._inline(line.text, line, indent - 1, depth)

    def _sequence(self, indent: int, depth: int) -> Node:
        items: list[Node] = []
        begin = self._lines[self._at].number
        while (line := self.peek()) is not None and line.indent == indent and (line.text + " ").startswith("- "):
            rest = line.text[1:].lstrip(" ")
            if not rest or rest.startswith("#"):
                self._at += 1
                items.append(self._nested(line, indent + 1, depth))
                continue
            # What follows the dash stands where it stands: a mapping may go on below it.
            line.indent, line.text = indent + len(line.text) - len(rest), rest
            is_nested = bool(_KEY.match(rest)) or (rest + " ").startswith("- ")
            if is_nested:
                items.append(self.block(line.indent, depth + 1))
            else:
                self._at += 1
                items.append(self._inline(rest, line, indent, depth + 1))
        self._refuse_deeper(indent)
        return Node(items, begin)

    def _mapping(self, indent: int, depth: int) -> Node:
        entries: dict[str, Node] = {}
        begin = self._lines[self._at].number
        while (line := self.peek()) is not None and line.indent == indent:
            found = _KEY.match(line.text)
            if found is None:
                raise YamlError(line.number, 'A name followed by ":" is expected here.')
            key = _unquoted(found["key"], line.number)
            if key in entries:
                raise YamlError(line.number, f'"{key}" stands here for the second time.')
            rest = line.text[found.end() :].strip()
            self._at += 1
            if not rest or rest.startswith("#"):
                entries[key] = self._nested(line, indent, depth)
            else:
                entries[key] = self._inline(rest, line, indent, depth + 1)
        self._refuse_deeper(indent)
        return Node(entries, begin)

    def _nested(self, parent: _Line, least: int, depth: int) -> Node:
        """Read what stands below a name or a dash; nothing there is null."""
        line = self.peek()
        if line is None or line.indent < least:
            return Node(None, parent.number)
        is_sequence = (line.text + " ").startswith("- ")
        if line.indent == least and not is_sequence and least == parent.indent:
            return Node(None, parent.number)
        return self.block(line.indent, depth + 1)

    def _refuse_deeper(self, indent: int) -> None:
        line = self.peek()
        if line is not None and line.indent > indent:
            raise YamlError(line.number, "This line stands further right than the ones it belongs to.")

    def _inline(self, text: str, line: _Line, indent: int, depth: int) -> Node:
        """Read a value that begins in a line, and goes on in lines that stand further right than `indent`."""
        first = text[0]
        if first in _REFUSED:
            raise YamlError(line.number, _REFUSED[first])
        if first in "|>":
            return Node(self._block_text(text, line, indent), line.number)
        if first in "[{":
            return self._flow(text, line, indent, depth)
        if first in "\"'":
            return Node(self._quoted(text, line, indent), line.number)
        parts = [_without_comment(text)]
        if parts[0] == text:
            while (more := self.peek()) is not None and more.indent > indent:
                if _KEY.match(more.text):
                    raise YamlError(more.number, "A name cannot stand here: the value began in the line above.")
                self._at += 1
                parts.append(_without_comment(more.text))
        if any(": " in part or part.endswith(":") for part in parts):
            raise YamlError(line.number, 'Text with ": " in it needs quotes.')
        joined = " ".join(parts)
        return Node(_plain(joined) if len(parts) == 1 else joined, line.number)

    def _quoted(self, text: str, line: _Line, indent: int) -> str:
        whole = text
        while (end := _end_of_quoted(whole)) < 0:
            if self._at >= len(self._lines):
                raise YamlError(line.number, "The quote that begins here is not closed.")
            more = self._lines[self._at]
            if more.text and more.indent <= indent:
                raise YamlError(line.number, "The quote that begins here is not closed.")
            self._at += 1
            whole += f" {more.text}" if more.text else "\n"
        if (rest := whole[end:].strip()) and not rest.startswith("#"):
            raise YamlError(line.number, "Nothing but a comment may follow a closed quote.")
        return _unquoted(whole[:end], line.number)

    def _block_text(self, text: str, line: _Line, indent: int) -> str:
        header = _without_comment(text)
        if not re.fullmatch(r"[|>](?:[1-9]?[-+]?|[-+][1-9])", header):
            raise YamlError(line.number, f'"{header}" does not begin a text: use | or >, or quotes.')
        rows: list[str] = []
        while self._at < len(self._lines):
            more = self._lines[self._at]
            if more.raw.strip() and len(more.raw) - len(more.raw.lstrip(" ")) <= indent:
                break
            rows.append(more.raw)
            self._at += 1
        filled = [row for row in rows if row.strip()]
        given = re.search(r"[1-9]", header)
        width = min((len(row) - len(row.lstrip(" ")) for row in filled), default=0)
        if given is not None:
            width = max(0, indent) + int(given[0])
        rows = [row[width:] for row in rows]
        body = _folded(rows) if header[0] == ">" else "\n".join(rows)
        ending = body.rstrip("\n")
        if "-" in header or not ending:
            return ending
        return body + "\n" if "+" in header else ending + "\n"

    def _flow(self, text: str, line: _Line, indent: int, depth: int) -> Node:
        whole = text
        while (parser := _Flow(whole, line.number)).is_open():
            if self._at >= len(self._lines) or (self._lines[self._at].text and self._lines[self._at].indent <= indent):
                raise YamlError(line.number, f'The "{text[0]}" that begins here is not closed.')
            whole += "\n" + self._lines[self._at].text
            self._at += 1
        return parser.read(depth)


class _Flow:
    """A value in brackets or braces."""

    def __init__(self, text: str, line: int) -> None:
        self._text = text
        self._line = line
        self._at = 0

    def is_open(self) -> bool:
        """Return whether a bracket or a quote is still to be closed."""
        depth, at = 0, 0
        while at < len(self._text):
            character = self._text[at]
            if character in "\"'" and (at == 0 or self._text[at - 1] in " \n[{,:"):
                end = _end_of_quoted(self._text[at:])
                if end < 0:
                    return True
                at += end
                continue
            if character == "#" and self._text[at - 1] in " \n":
                at = (self._text + "\n").index("\n", at)
                continue
            depth += (character in "[{") - (character in "]}")
            at += 1
            if depth == 0:
                return False
        return True

    def read(self, depth: int) -> Node:
        """Read all of it."""
        node = self._value(depth)
        rest = self._text[self._at :].strip()
        if rest and not rest.startswith("#"):
            raise YamlError(self._number(), "Nothing but a comment may follow here.")
        return node

    def _number(self) -> int:
        return self._line + self._text.count("\n", 0, self._at)

    def _skip(self) -> str:
        """Go to the next character that counts, and return it."""
        while self._at < len(self._text):
            if self._text[self._at] in " \n":
                self._at += 1
            elif self._text[self._at] == "#" and self._text[self._at - 1] in " \n":
                self._at = (self._text + "\n").index("\n", self._at)
            else:
                return self._text[self._at]
        return ""

    def _value(self, depth: int) -> Node:
        number, first = self._number(), self._skip()
        if depth > MAX_DEPTH:
            raise YamlError(number, "This is nested too deep.")
        if first == "[":
            return self._list(depth)
        if first == "{":
            return self._dict(depth)
        number = self._number()
        return Node(self._scalar(",]}", number), number)

    def _list(self, depth: int) -> Node:
        number, items = self._number(), []
        self._at += 1
        while (first := self._skip()) != "]":
            if first in ",}":
                raise YamlError(self._number(), "A value is missing here.")
            items.append(self._value(depth + 1))
            self._close("]")
        self._at += 1
        return Node(items, number)

    def _dict(self, depth: int) -> Node:
        number, entries = self._number(), {}
        self._at += 1
        while self._skip() != "}":
            line = self._number()
            key = str(self._scalar(":,]}", line))
            if self._skip() != ":":
                raise YamlError(line, 'A name in braces needs ":" and a value.')
            if key in entries:
                raise YamlError(line, f'"{key}" stands here for the second time.')
            self._at += 1
            entries[key] = self._value(depth + 1)
            self._close("}")
        self._at += 1
        return Node(entries, number)

    def _close(self, end: str) -> None:
        following = self._skip()
        if following == ",":
            self._at += 1
        elif following != end:
            raise YamlError(self._number(), f'"," or "{end}" is missing here.')

    def _scalar(self, ends: str, line: int) -> Scalar:
        rest = self._text[self._at :]
        if rest[:1] in ("'", '"'):
            end = _end_of_quoted(rest)
            self._at += end
            return _unquoted(rest[:end], line)
        if rest[:1] in _REFUSED:
            raise YamlError(line, _REFUSED[rest[:1]])
        found = re.match(r"(?:(?!: |:\n|: ?$)[^" + re.escape(ends.replace(":", "")) + r"\n])*", rest)
        word = found[0] if found else ""
        self._at += len(word)
        return _plain(_without_comment(word).strip())


def _plain(word: str) -> Scalar:
    if word in _WORDS:
        return _WORDS[word]
    if _INT.fullmatch(word) and len(word) < 20:
        return int(word)
    return float(word) if _FLOAT.fullmatch(word) else word


def _without_comment(text: str) -> str:
    at = text.find(" #")
    return (text if at < 0 else text[:at]).rstrip()


def _end_of_quoted(text: str) -> int:
    """Return where the quoted text at the beginning ends, past its quote; -1 where it does not."""
    pattern = r'"(?:[^"\\]|\\.)*"' if text[0] == '"' else r"'(?:[^']|'')*'(?!')"
    found = re.match(pattern, text, re.DOTALL)
    return found.end() if found else -1


def _unquoted(text: str, line: int) -> str:
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if text[:1] != '"':
        return text.strip()
    try:
        return str(json.loads(text.replace("\n", "\\n").replace("\t", "\\t")))
    except ValueError:
        raise YamlError(line, "A backslash in this text means nothing: write \\\\ for one.") from None


def _folded(rows: list[str]) -> str:
    text, before = "", ""
    for row in rows:
        if not text:
            text = row
        elif not row:
            text += "\n"
        elif not before or before.startswith(" ") or row.startswith(" "):
            text += row if not before else f"\n{row}"
        else:
            text += f" {row}"
        before = row
    return text


_SAFE = re.compile(r"[A-Za-z(][A-Za-z0-9 _.,;/%()+?'°-]*(?:: ?[A-Za-z0-9_/%.-]+)*")
_UNPRINTABLE = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_IN_ONE_LINE = 88


def _scalar_text(value: Scalar) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        # YAML 1.1 takes a number with an exponent for text where it has no point.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", json.dumps(value))
    is_safe = _SAFE.fullmatch(value) and value.lower() not in _OLD_WORDS and value == value.strip()
    if is_safe and ":" not in value and ", " not in value and _plain(value) == value:
        return value
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _written(value: Any, indent: int) -> list[str]:
    blanks = " " * indent
    if isinstance(value, dict):
        if not value:
            return [f"{blanks}{{}}"]
        lines = []
        for key, inner in value.items():
            name = _scalar_text(str(key))
            if isinstance(inner, dict | list | tuple) and inner and not _fits(inner, indent + len(name)):
                lines.append(f"{blanks}{name}:")
                lines += _written(inner, indent + 2)
            else:
                lines.append(f"{blanks}{name}: {_in_one_line(inner)}")
        return lines
    if isinstance(value, list | tuple):
        if not value:
            return [f"{blanks}[]"]
        lines = []
        for inner in value:
            if isinstance(inner, dict | list | tuple) and inner:
                first, *rest = _written(inner, indent + 2)
                lines += [f"{blanks}- {first[indent + 2 :]}", *rest]
            else:
                lines.append(f"{blanks}- {_in_one_line(inner)}")
        return lines
    return [blanks + _scalar_text(value)]


def _fits(value: Any, used: int) -> bool:
    """Whether a list of scalars is short enough for one line."""
    if isinstance(value, dict) or any(isinstance(inner, dict | list | tuple) for inner in value):
        return False
    return used + len(_in_one_line(value)) <= _IN_ONE_LINE and all(len(str(inner)) <= 40 for inner in value)


def _in_one_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_in_one_line(inner) for inner in value)}]"
    return _scalar_text(value)
