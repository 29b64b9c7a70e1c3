"""YAML that people write by hand, read with line numbers and written in one fixed form.

PyYAML does the reading. Refused, with a sentence: anchors, aliases, tags, directives, several documents and keys that
come twice. A word is only `null`, a number, `true` or `false` as in the core schema of YAML 1.2, where PyYAML itself
follows 1.1: `no` and `12:30` stay text. Nothing is ever executed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 24
_WIDTH = 110

_PLAIN_WORDS = (
    ("found character '\\t'", "A tab cannot indent here: use blanks."),
    (
        "mapping values are not allowed",
        "A ':' cannot stand here: look at the indentation, or put the text into quotes.",
    ),
    ("could not find expected ':'", "A ':' is expected after a key."),
    ("expected ',' or ']'", "A ',' or ']' is missing here."),
    ("expected ',' or '}'", "A ',' or '}' is missing here."),
    ("expected <block end>", "This line stands further left or right than the ones it belongs to."),
    ("found unexpected end of stream", "A quote is not closed."),
)
"""What PyYAML says, and what it means for who wrote the text."""

Scalar = str | int | float | bool | None

_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_PATTERNS = (
    (_NULL, re.compile(r"(?:|~|null|Null|NULL)\Z")),
    (_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")),
    (_INT, re.compile(r"[-+]?[0-9]{1,19}\Z")),
    (_FLOAT, re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")),
)
"""Tags of plain words, source: YAML 1.2.2, 10.3.2; the first that fits counts."""


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


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Takes plain words as YAML 1.2 does."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class _Composer(yaml.composer.Composer, yaml.resolver.Resolver):  # type: ignore[misc]
    """Builds nodes of events that were read before."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def __init__(self, events: list[yaml.Event]) -> None:
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self._events = deque(events)

    def check_event(self, *choices: type[yaml.Event]) -> bool:
        """Tell whether the next event is one of these."""
        return bool(self._events) and (not choices or isinstance(self._events[0], choices))

    def peek_event(self) -> yaml.Event:
        """Return the next event, and leave it there."""
        return self._events[0]

    def get_event(self) -> yaml.Event:
        """Return the next event."""
        return self._events.popleft()


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Puts text into quotes that `_Loader` would take for something else."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def ignore_aliases(self, _data: Any) -> bool:
        """Write out what comes twice."""
        return True


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Write text with line breaks that few know in double quotes, where they are escaped."""
    style = '"' if re.search("[\x85\u2028\u2029\ufeff]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)
for _tag, _pattern in _PATTERNS:
    _Loader.add_implicit_resolver(_tag, _pattern, None)
    _Dumper.add_implicit_resolver(_tag, _pattern, None)


def read(text: str) -> Node:
    """Read one document.

    Raises:
        YamlError: With the line and what is wrong there.
    """
    if len(text) > MAX_CHARACTERS:
        raise YamlError(1, f"The text is longer than {MAX_CHARACTERS} characters.")
    try:
        root = _Composer(list(_events_of(text))).get_single_node()
    except yaml.MarkedYAMLError as error:
        # What is missing at the end is missing in the last line that holds something.
        last = text.rstrip().count("\n") + 1
        raise YamlError(min(last, _line_of(error.problem_mark or error.context_mark)), _sentence_of(error)) from None
    except yaml.reader.ReaderError as error:
        n_before = text[: error.position].count("\n")
        raise YamlError(n_before + 1, "There is a character that YAML does not allow.") from None
    return Node(None, 1) if root is None else _node_of(root)


def write(value: Any) -> str:
    """Return builtins as a document: block style, keys in their order, short lists of words in one line."""
    return str(
        yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH, default_flow_style=None)
    )


def _events_of(text: str) -> Iterator[yaml.Event]:
    """Return what the text consists of; refuse what is not read here before anything is built of it."""
    depth = n_documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _line_of(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(line, "An alias (*) is not read here: write the value out.")
        if getattr(event, "anchor", None) is not None:
            raise YamlError(line, "An anchor (&) is not read here: write the value out.")
        if getattr(event, "tag", None) is not None:
            raise YamlError(line, "A tag (!) is not read here.")
        if isinstance(event, yaml.DocumentStartEvent):
            n_documents += 1
            if n_documents > 1:
                raise YamlError(line, "Only one document is read here.")
            if event.version is not None or event.tags:
                raise YamlError(line, "A directive (%) is not read here.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise YamlError(line, f"It is nested too deep: {MAX_DEPTH} levels are read.")
        yield event


def _node_of(found: yaml.Node) -> Node:
    line = _line_of(found.start_mark)
    if isinstance(found, yaml.SequenceNode):
        return Node([_node_of(item) for item in found.value], line)
    if isinstance(found, yaml.ScalarNode):
        return Node(_scalar_of(found, line), line)
    entries: dict[str, Node] = {}
    for key, value in found.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlError(_line_of(key.start_mark), "A key is a word or a text.")
        if key.value in entries:
            raise YamlError(_line_of(key.start_mark), f"The key {key.value!r} comes a second time.")
        # A value that begins below its key is looked for at the key.
        below = _node_of(value)
        entries[key.value] = Node(below.value, _line_of(key.start_mark))
    return Node(entries, line)


def _scalar_of(found: yaml.ScalarNode, line: int) -> Scalar:
    text = str(found.value)
    if found.tag == _NULL:
        return None
    if found.tag == _BOOL:
        return text.lower() == "true"
    if found.tag == _INT:
        return int(text)
    if found.tag != _FLOAT:
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise YamlError(line, "This number is too large.")
    return value


def _line_of(mark: yaml.Mark | None) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _sentence_of(error: yaml.MarkedYAMLError) -> str:
    said = f"{error.context or ''} {error.problem or ''}".strip()
    plain = next((sentence for words, sentence in _PLAIN_WORDS if words in said), "")
    return plain or f"This is not YAML: {said}."
