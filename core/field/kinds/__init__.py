"""Device kinds: one file each, found by looking; nothing lists them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from core.field.kinds.base import OTHER, DeviceKind
from core.kernel.errors import BadInputError


def find_kinds() -> Mapping[str, DeviceKind]:
    """Return every kind by its key.

    Raises:
        ImportError: A file of this package cannot be imported.
        ValueError: Two files use one key, or a file exports no `KIND`.
    """
    return _find().by_key


@dataclass(frozen=True, slots=True)
class _Kinds:
    by_key: dict[str, DeviceKind]
    by_group: dict[str, DeviceKind]
    by_type: dict[str, list[DeviceKind]]


@cache
def _find() -> _Kinds:
    kinds = {OTHER.key: OTHER}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        if info.name == "base":
            continue
        kind = getattr(importlib.import_module(f"{__name__}.{info.name}"), "KIND", None)
        if not isinstance(kind, DeviceKind):
            raise ValueError(f"core/field/kinds/{info.name}.py exports no KIND")
        if kind.key in kinds:
            raise ValueError(f"two device kinds are called {kind.key!r}")
        kinds[kind.key] = kind
    by_group: dict[str, DeviceKind] = {}
    by_type: dict[str, list[DeviceKind]] = {}
    for kind in kinds.values():
        for group in kind.groups:
            by_group.setdefault(group, kind)
        for payload_type in kind.payloads:
            by_type.setdefault(payload_type, []).append(kind)
    return _Kinds(kinds, by_group, by_type)


def kind_for(group: str, types: Iterable[str] = ()) -> DeviceKind:
    """Return the kind of a device: by the payload types it announced, else by its group, else `OTHER`.

    Where several kinds know a type, the one of the device's group is meant.
    """
    found = _find()
    for payload_type in types:
        able = found.by_type.get(payload_type)
        if able:
            return next((kind for kind in able if group in kind.groups), able[0])
    return found.by_group.get(group, OTHER)


def kind_of_key(key: str) -> DeviceKind:
    """Return the kind with this key.

    Raises:
        BadInputError: There is none.
    """
    kinds = find_kinds()
    if key not in kinds:
        raise BadInputError(f"There is no device kind {key[:40]!r}.", hint=f"There are {', '.join(kinds)}.")
    return kinds[key]


def simulated_kind(name: str) -> DeviceKind:
    """Return the kind that can be simulated under a name: its key, or the last word of it ("camera").

    Raises:
        BadInputError: None can.
    """
    able = {kind.key: kind for kind in find_kinds().values() if kind.simulate is not None}
    found = able.get(name) or next((kind for key, kind in able.items() if key.rpartition("-")[2] == name), None)
    if found is None:
        raise BadInputError(f"No device kind {name[:40]!r} can be simulated.", hint=f"There are {', '.join(able)}.")
    return found
