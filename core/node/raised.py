"""What was raised in this run, by condition key; found also by the source that a key begins with."""

from __future__ import annotations

from core.incidents.model import Priority, SourceKind

State = tuple[Priority, frozenset[str]]
"""How bad it was when it was raised last: priority and tags."""


class Raised:
    """States by condition key."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_source: dict[str, dict[str, State]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._by_source.get(_source_of(key), ())

    def get(self, key: str) -> State | None:
        """Return how bad a condition was; None where it was not raised."""
        return self._by_source.get(_source_of(key), {}).get(key)

    def note(self, key: str, state: State) -> None:
        """Keep how bad a condition is."""
        self._by_source.setdefault(_source_of(key), {})[key] = state

    def discard(self, key: str) -> None:
        """Forget a condition."""
        source = _source_of(key)
        left = self._by_source.get(source, {})
        left.pop(key, None)
        if not left:
            self._by_source.pop(source, None)

    def drop(self, kind: SourceKind, source_id: str) -> None:
        """Forget all conditions of a source, however many others there are."""
        self._by_source.pop(f"{kind}/{source_id}/", None)


def _source_of(key: str) -> str:
    """Return the kind and id of the source in a condition key; ids of devices have two parts."""
    parts = key.split("/")
    n_parts = 3 if parts[0] in (SourceKind.DEVICE, SourceKind.STATION) else 2
    return "".join(f"{part}/" for part in parts[:n_parts])
