"""XML from the network, read without trust: no document types, no entities, bounded in size, depth and number."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from core.kernel.errors import BadInputError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 48
MAX_ELEMENTS = 20_000
MAX_TEXT = 4096


@dataclass(slots=True)
class Element:
    """One element; `name` is without its namespace: senders disagree about prefixes, never about names."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""
    namespace: str = ""

    def find(self, *path: str) -> Element | None:
        """Return the first element along `path`, each name a child of the one before; None where there is none."""
        here: Element | None = self
        for name in path:
            here = next((child for child in here.children if child.name == name), None) if here else None
        return here

    def all(self, name: str) -> list[Element]:
        """Return the children of this name."""
        return [child for child in self.children if child.name == name]

    def anywhere(self, name: str) -> Element | None:
        """Return the first element of this name at any depth below."""
        waiting = list(reversed(self.children))
        while waiting:
            element = waiting.pop()
            if element.name == name:
                return element
            waiting.extend(reversed(element.children))
        return None

    def read(self, *path: str) -> str:
        """Return the text along `path`, without blanks around it; empty where there is none."""
        found = self.find(*path)
        return "" if found is None else found.text.strip()


class _Reader:
    def __init__(self, max_text: int, max_elements: int) -> None:
        self._max_text = max_text
        self._max_elements = max_elements
        self.root: Element | None = None
        self._open: list[Element] = []
        self._n_elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._n_elements += 1
        if len(self._open) >= MAX_DEPTH or self._n_elements > self._max_elements:
            raise BadInputError("The document is nested too deeply or has too many parts.")
        plain = {_local(key): value[:MAX_TEXT] for key, value in attributes.items()}
        element = Element(_local(name), plain, namespace=name.rpartition(" ")[0])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        element = self._open[-1]
        if len(element.text) < self._max_text:
            element.text = (element.text + data)[: self._max_text]


def parse(
    data: bytes, *, max_text: int = MAX_TEXT, max_bytes: int = MAX_BYTES, max_elements: int = MAX_ELEMENTS
) -> Element:
    """Read a document; a text longer than `max_text` characters is cut.

    Raises:
        BadInputError: It is no XML, too large, or declares a document type.
    """
    if len(data) > max_bytes:
        raise BadInputError(f"The document is larger than {max_bytes // 1024} KiB.")
    reader = _Reader(max_text, max_elements)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BadInputError("The document is no XML.") from error
    if reader.root is None:
        raise BadInputError("The document is empty.")
    return reader.root


def _refuse_doctype(*_: object) -> None:
    # Entities, also those of other files, can only be declared in there.
    raise BadInputError("The document declares a document type; none is needed.")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
