"""Reads a scene from a file and writes it to one, and says which key of which file is wrong."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.vision.model import CountLine, Lane, Mask, ObservationKind, PlanePoint, RoadPlane, RuleSetting, Scene, Zone
from core.vision.plane import PlaneError, solve
from core.vision.tuning import RULES, RuleInfo, rule

MAX_GROUND_M = 100_000.0
USUAL_ASPECT = 16 / 9
"""Of pictures that are not there while a file is read: whether points make a plane hardly depends on it."""

_KEY = re.compile(r"[a-z0-9-]{1,32}")
_PAIR = re.compile(r"\[\s+(-?[\d.]+(?:e-?\d+)?),\s+(-?[\d.]+(?:e-?\d+)?)\s+\]")
_SECTIONS: dict[str, type] = {"zones": Zone, "lines": CountLine, "lanes": Lane, "masks": Mask}
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
    named: dict[str, Any] = {
        section: [{"name": entry.get("key", ""), **entry} for entry in _entries(data, section, cls)]
        for section, cls in _SECTIONS.items()
    }
    named["rules"] = _entries(data, "rules", RuleSetting)
    named["plane"] = _plane_of(data)
    try:
        scene = msgspec.convert(named, Scene, strict=True)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    _check(scene)
    return scene


def format_scene(scene: Scene) -> str:
    """Return a scene as JSON that people can read and `parse_scene` takes back."""
    text = json.dumps(msgspec.to_builtins(scene), indent=2, ensure_ascii=False)
    # A point is one thing: its two numbers stay on one line.
    return _PAIR.sub(r"[\1, \2]", text) + "\n"


def write_scene(scene: Scene, path: Path) -> None:
    """Write a scene as JSON.

    Raises:
        BadInputError: Names the file and the reason.
    """
    try:
        path.write_text(format_scene(scene), encoding="utf-8")
    except OSError as error:
        raise BadInputError(
            f"The scene cannot be written to {path}: {error.strerror or error}.", hint="Choose another place."
        ) from error


def _entries(data: dict[str, Any], section: str, cls: type) -> list[dict[str, Any]]:
    entries = data.get(section, [])
    if not isinstance(entries, list):
        raise ValueError(f"{section} is no list")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"{section}[{index}] is no object")
        _refuse_unknown(entry, cls, f"{section}[{index}].")
    return entries


def _plane_of(data: dict[str, Any]) -> dict[str, Any] | None:
    plane = data.get("plane")
    if plane is None:
        return None
    if not isinstance(plane, dict):
        raise ValueError("plane is no object")
    _refuse_unknown(plane, RoadPlane, "plane.")
    points = plane.get("points")
    for index, point in enumerate(points if isinstance(points, list) else []):
        if isinstance(point, dict):
            _refuse_unknown(point, PlanePoint, f"plane.points[{index}].")
    if isinstance(plane.get("origin"), dict):
        _refuse_unknown(plane["origin"], GeoPoint, "plane.origin.")
    return plane


def _refuse_unknown(data: dict[str, Any], cls: type, prefix: str) -> None:
    known = {field.name for field in dataclasses.fields(cls)}
    for key in data:
        if key not in known:
            raise ValueError(f"{prefix}{key} is unknown; known are {', '.join(sorted(known))}")


def _check(scene: Scene) -> None:
    # A zone and a line may share a key: their counts never meet.
    for keys in _keys_by_section(scene).values():
        _check_keys(keys)
    polygons: tuple[Zone | Lane | Mask, ...] = (*scene.zones, *scene.lanes, *scene.masks)
    for shape in polygons:
        if len(shape.polygon) < 3:
            raise ValueError(f"{shape.key}.polygon has {len(shape.polygon)} points instead of at least three")
        _check_points(f"{shape.key}.polygon", shape.polygon)
    for zone in scene.zones:
        for name in ("stopped_after_s", "congestion_capacity", "free_flow_speed"):
            value = getattr(zone, name)
            if value is not None and not 0 < value < 1e6:
                raise ValueError(f"{zone.key}.{name} is {value}; it has to be positive")
    arrows: tuple[CountLine | Lane, ...] = (*scene.lines, *scene.lanes)
    for line in arrows:
        _check_points(f"{line.key}.start and .end", (line.start, line.end))
        if line.start == line.end:
            raise ValueError(f"{line.key} starts where it ends")
    if scene.plane is not None:
        _check_plane(scene.plane)
    check_rules(scene.rules)


def _keys_by_section(scene: Scene) -> dict[str, list[str]]:
    return {section: [shape.key for shape in getattr(scene, section)] for section in _SECTIONS}


def _check_keys(keys: list[str]) -> None:
    for key in keys:
        if not _KEY.fullmatch(key):
            raise ValueError(f"the key {key!r} has to match [a-z0-9-]{{1,32}}")
        if keys.count(key) > 1:
            raise ValueError(f"the key {key!r} is used twice")


def _check_plane(plane: RoadPlane) -> None:
    _check_points("plane.points", tuple(point.picture for point in plane.points))
    for index, point in enumerate(plane.points):
        if not all(abs(metres) <= MAX_GROUND_M for metres in point.ground_xy_m):
            raise ValueError(f"plane.points[{index}].ground_xy_m holds {point.ground_xy_m}; it is in metres")
    try:
        solve(plane, USUAL_ASPECT)
    except PlaneError as error:
        raise ValueError(f"plane.points: {error.message.rstrip('.')}") from error


def check_rules(rules: tuple[RuleSetting, ...]) -> None:
    """Refuse settings of rules that nothing can be tuned on, or figures out of their bounds.

    Raises:
        ValueError: Names rule, figure and bounds.
    """
    kinds = [setting.kind for setting in rules]
    for index, setting in enumerate(rules):
        info = _rule_of(setting.kind, index)
        if kinds.count(setting.kind) > 1:
            raise ValueError(f"rules names {setting.kind} twice")
        figures = {figure.name: figure for figure in info.figures}
        for name, value in setting.values.items():
            figure = figures.get(name)
            if figure is None:
                raise ValueError(f"rules[{index}].values.{name} is unknown; known are {', '.join(sorted(figures))}")
            if not figure.low <= value <= figure.high:
                raise ValueError(
                    f"{setting.kind}.{name} is {value:g}; it has to be between {figure.low:g} and {figure.high:g}"
                )


def _rule_of(kind: str, index: int) -> RuleInfo:
    try:
        return rule(ObservationKind(kind))
    except (ValueError, KeyError):
        known = ", ".join(sorted(info.kind.value for info in RULES))
        raise ValueError(f"rules[{index}].kind {kind!r} is unknown; known are {known}") from None


def _check_points(where: str, points: tuple[tuple[float, float], ...]) -> None:
    for x, y in points:
        # A little outside is how people draw a line across the whole picture.
        if not (-0.1 <= x <= 1.1 and -0.1 <= y <= 1.1):
            raise ValueError(f"{where} holds ({x}, {y}); points are fractions of the picture, 0 to 1")
