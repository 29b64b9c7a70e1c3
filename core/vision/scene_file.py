"""Reads zones and lines from a file, and says which key of which file is wrong."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from core.kernel.errors import BadInputError
from core.vision.model import CountLine, Scene, Zone

_KEY = re.compile(r"[a-z0-9-]{1,32}")
_EXAMPLE_HINT = (
    'Like {"lines": [{"key": "north", "name": "North", "start": [0.1, 0.6], "end": [0.9, 0.6]}], "zones": [{"key": '
    '"a", "name": "A", "polygon": [[0, 0], [1, 0], [1, 1]]}]}, x and y in fractions of the picture.'
)


def read_scene(path: Path) -> Scene:
    """Read a `Scene` from JSON, or from TOML where the file ends in `.toml`.

    Raises:
        BadInputError: Names the file, the key and the reason.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The zones file {path} cannot be read: {error}.") from error
    try:
        data: Any = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except ValueError as error:
        kind = "TOML" if path.suffix.lower() == ".toml" else "JSON"
        raise BadInputError(f"The zones file {path} is no {kind}: {error}.", hint=_EXAMPLE_HINT) from error
    try:
        scene = parse_scene(data)
    except ValueError as error:
        raise BadInputError(f"The zones file {path}: {error}.", hint=_EXAMPLE_HINT) from error
    return scene


def parse_scene(data: Any) -> Scene:
    """Build a `Scene` from plain values and check it.

    Raises:
        ValueError: Says which key is wrong and why.
    """
    if not isinstance(data, dict):
        raise ValueError("an object with 'zones' and 'lines' is expected")
    _refuse_unknown(data, Scene, "")
    for section, cls in (("zones", Zone), ("lines", CountLine)):
        entries = data.get(section, [])
        if not isinstance(entries, list):
            raise ValueError(f"{section} is no list")
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise ValueError(f"{section}[{index}] is no object")
            _refuse_unknown(entry, cls, f"{section}[{index}].")
    named = {
        section: [{"name": entry.get("key", ""), **entry} for entry in data.get(section, [])]
        for section in ("zones", "lines")
    }
    try:
        scene = msgspec.convert(named, Scene, strict=True)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    _check(scene)
    return scene


def _refuse_unknown(data: dict[str, Any], cls: type, prefix: str) -> None:
    known = {field.name for field in dataclasses.fields(cls)}
    for key in data:
        if key not in known:
            raise ValueError(f"{prefix}{key} is unknown; known are {', '.join(sorted(known))}")


def _check(scene: Scene) -> None:
    # A zone and a line may share a key: their counts never meet.
    for keys in ([zone.key for zone in scene.zones], [line.key for line in scene.lines]):
        for key in keys:
            if not _KEY.fullmatch(key):
                raise ValueError(f"the key {key!r} has to match [a-z0-9-]{{1,32}}")
            if keys.count(key) > 1:
                raise ValueError(f"the key {key!r} is used twice")
    for zone in scene.zones:
        if len(zone.polygon) < 3:
            raise ValueError(f"{zone.key}.polygon has {len(zone.polygon)} points instead of at least three")
        _check_points(f"{zone.key}.polygon", zone.polygon)
        for name in ("stopped_after_s", "congestion_capacity", "free_flow_speed"):
            value = getattr(zone, name)
            if value is not None and not 0 < value < 1e6:
                raise ValueError(f"{zone.key}.{name} is {value}; it has to be positive")
    for line in scene.lines:
        _check_points(f"{line.key}.start and .end", (line.start, line.end))
        if line.start == line.end:
            raise ValueError(f"{line.key} starts where it ends")


def _check_points(where: str, points: tuple[tuple[float, float], ...]) -> None:
    for x, y in points:
        # A little outside is how people draw a line across the whole picture.
        if not (-0.1 <= x <= 1.1 and -0.1 <= y <= 1.1):
            raise ValueError(f"{where} holds ({x}, {y}); points are fractions of the picture, 0 to 1")
