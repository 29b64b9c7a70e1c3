"""What is being drawn on a camera's picture, before it is saved: shapes, road points, rules, and how they change."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from core.kernel.geo import GeoPoint
from core.vision.model import (
    CountLine,
    Lane,
    Mask,
    MaskKind,
    PicturePoint,
    PlanePoint,
    RoadPlane,
    RuleSetting,
    Scene,
    Zone,
)

Shape = Zone | CountLine | Lane | Mask


class ShapeKind(StrEnum):
    """What can be drawn; the value is what the operator reads."""

    ZONE = "zone"
    LINE = "line"
    LANE = "lane"
    MASK = "mask"


class Part(StrEnum):
    """What can be copied from one camera to another; the value is what the operator reads."""

    ZONES = "zones"
    LINES = "lines"
    LANES = "lanes"
    MASKS = "masks"
    PLANE = "road points"
    RULES = "rules"


SECTIONS: dict[ShapeKind, str] = {
    ShapeKind.ZONE: "zones",
    ShapeKind.LINE: "lines",
    ShapeKind.LANE: "lanes",
    ShapeKind.MASK: "masks",
}


@dataclass(frozen=True, slots=True)
class ShapeRef:
    """Names one shape of a sketch."""

    kind: ShapeKind
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadPoint:
    """A point of the road in the picture; on the ground it may still be unknown [m]."""

    picture: PicturePoint
    ground_xy_m: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A scene in the making: unlike a `Scene`, its road points may be too few or without a place on the ground."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[CountLine, ...] = ()
    lanes: tuple[Lane, ...] = ()
    masks: tuple[Mask, ...] = ()
    road: tuple[RoadPoint, ...] = ()
    origin: GeoPoint | None = None
    rules: tuple[RuleSetting, ...] = ()

    def shapes(self) -> Iterable[tuple[ShapeRef, Shape]]:
        """Return every shape with its name, in the order of the list."""
        for kind, section in SECTIONS.items():
            for shape in getattr(self, section):
                yield ShapeRef(kind, shape.key), shape

    def shape(self, ref: ShapeRef | None) -> Shape | None:
        """Return one shape, None where it is not there (any more)."""
        return next((shape for found, shape in self.shapes() if found == ref), None)


def sketch_of(scene: Scene) -> Sketch:
    """Begin with what is drawn already; points a little outside of the picture are moved to its border."""
    plane = scene.plane
    return Sketch(
        zones=tuple(replace(zone, polygon=_inside_all(zone.polygon)) for zone in scene.zones),
        lines=tuple(replace(line, start=inside(line.start), end=inside(line.end)) for line in scene.lines),
        lanes=tuple(
            replace(lane, polygon=_inside_all(lane.polygon), start=inside(lane.start), end=inside(lane.end))
            for lane in scene.lanes
        ),
        masks=tuple(replace(mask, polygon=_inside_all(mask.polygon)) for mask in scene.masks),
        road=tuple(
            RoadPoint(picture=inside(point.picture), ground_xy_m=point.ground_xy_m)
            for point in (plane.points if plane else ())
        ),
        origin=plane.origin if plane else None,
        rules=scene.rules,
    )


def plane_of(sketch: Sketch) -> RoadPlane | None:
    """Return the road plane of the points that are known on the ground; None where there is none."""
    known = tuple(
        PlanePoint(picture=point.picture, ground_xy_m=point.ground_xy_m)
        for point in sketch.road
        if point.ground_xy_m is not None
    )
    return RoadPlane(points=known, origin=sketch.origin) if known else None


def scene_of(sketch: Sketch) -> Scene:
    """Return what can be saved.

    Raises:
        ValueError: A road point has no place on the ground yet.
    """
    for number, point in enumerate(sketch.road, start=1):
        if point.ground_xy_m is None:
            raise ValueError(f"Road point {number} has no distances yet.")
    return Scene(
        zones=sketch.zones,
        lines=sketch.lines,
        lanes=sketch.lanes,
        masks=sketch.masks,
        plane=plane_of(sketch),
        rules=sketch.rules,
    )


def inside(point: PicturePoint) -> PicturePoint:
    """Return the nearest point of the picture."""
    return min(1.0, max(0.0, point[0])), min(1.0, max(0.0, point[1]))


def _inside_all(points: Iterable[PicturePoint]) -> tuple[PicturePoint, ...]:
    return tuple(inside(point) for point in points)


# -- points: a polygon's corners; of a lane, then the two ends of its arrow; of a line its two ends


def points_of(shape: Shape) -> tuple[PicturePoint, ...]:
    """Return every point that can be dragged."""
    if isinstance(shape, CountLine):
        return shape.start, shape.end
    if isinstance(shape, Lane):
        return *shape.polygon, shape.start, shape.end
    return shape.polygon


def n_corners(shape: Shape) -> int:
    """Return how many of `points_of` are corners of an outline, between which points can be added."""
    return 0 if isinstance(shape, CountLine) else len(shape.polygon)


def with_points(shape: Shape, points: tuple[PicturePoint, ...]) -> Shape:
    """Return a shape with other points, in the order of `points_of`; kept within the picture and to six decimals."""
    kept = tuple((round(x, 6), round(y, 6)) for x, y in _inside_all(points))
    if isinstance(shape, CountLine):
        return replace(shape, start=kept[0], end=kept[1])
    if isinstance(shape, Lane):
        return replace(shape, polygon=kept[:-2], start=kept[-2], end=kept[-1])
    return replace(shape, polygon=kept)


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """Return a shape elsewhere; at the border of the picture it stops as a whole."""
    points = points_of(shape)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    dx = min(1.0 - max(xs), max(-min(xs), dx))
    dy = min(1.0 - max(ys), max(-min(ys), dy))
    return with_points(shape, tuple((x + dx, y + dy) for x, y in points))


def with_corner(shape: Shape, after: int, point: PicturePoint) -> Shape:
    """Return a shape with another corner behind corner number `after`."""
    points = points_of(shape)
    return with_points(shape, (*points[: after + 1], point, *points[after + 1 :]))


def without_corner(shape: Shape, index: int) -> Shape | None:
    """Return a shape without one of its corners; None where too few would be left, or it is no corner."""
    points = points_of(shape)
    if index >= n_corners(shape) or n_corners(shape) <= 3:
        return None
    return with_points(shape, (*points[:index], *points[index + 1 :]))


def turned(shape: Shape) -> Shape:
    """Return a line or lane with its direction the other way round; other shapes as they are."""
    if isinstance(shape, (CountLine, Lane)):
        return replace(shape, start=shape.end, end=shape.start)
    return shape


# -- shapes of a sketch


def added(sketch: Sketch, kind: ShapeKind, shape: Shape) -> Sketch:
    """Return a sketch with one more shape."""
    section = SECTIONS[kind]
    return _with_section(sketch, section, (*getattr(sketch, section), shape))


def changed(sketch: Sketch, ref: ShapeRef, change: Callable[[Any], Shape]) -> Sketch:
    """Return a sketch in which one shape is what `change` makes of it."""
    section = SECTIONS[ref.kind]
    return _with_section(
        sketch,
        section,
        tuple(change(shape) if shape.key == ref.key else shape for shape in getattr(sketch, section)),
    )


def removed(sketch: Sketch, ref: ShapeRef) -> Sketch:
    """Return a sketch without one shape."""
    section = SECTIONS[ref.kind]
    return _with_section(sketch, section, tuple(shape for shape in getattr(sketch, section) if shape.key != ref.key))


def new_shape(sketch: Sketch, kind: ShapeKind, points: tuple[PicturePoint, ...], mask: MaskKind) -> Shape:
    """Return a shape of these points with a name and key of its own; a lane's last two points are its arrow.

    `mask` says what kind of mask is meant and is not looked at for other shapes.
    """
    word = f"{mask.value} mask" if kind is ShapeKind.MASK else kind.value
    names = {shape.name for _, shape in sketch.shapes()}
    number = next(n for n in range(1, 1000) if f"{word.capitalize()} {n}" not in names)
    name = f"{word.capitalize()} {number}"
    # Never the key of one that was removed, in whatever version: its counts would run on in those of the new one.
    key = free_key(sketch, f"{name}-{secrets.token_hex(2)}")
    points = _inside_all(points)
    if kind is ShapeKind.LINE:
        return with_points(CountLine(key=key, name=name, start=points[0], end=points[1]), points)
    if kind is ShapeKind.LANE:
        lane = Lane(key=key, name=name, polygon=points[:-2], start=points[-2], end=points[-1])
        return with_points(lane, points)
    if kind is ShapeKind.MASK:
        return with_points(Mask(key=key, name=name, polygon=points, kind=mask), points)
    return with_points(Zone(key=key, name=name, polygon=points), points)


def free_key(sketch: Sketch, wish: str) -> str:
    """Return a key that nothing in the sketch has, as near to `wish` as keys allow."""
    taken = {ref.key for ref, _ in sketch.shapes()}
    base = re.sub(r"[^a-z0-9]+", "-", wish.lower()).strip("-")[:28] or "shape"
    if base not in taken:
        return base
    return next(key for n in range(2, 1000) if (key := f"{base}-{n}") not in taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What came of a copy.

    Attributes:
        counts: How many of each part were taken over.
        n_new_keys: Shapes whose key was taken already.
    """

    sketch: Sketch
    counts: dict[Part, int]
    n_new_keys: int


def copied(target: Sketch, source: Scene, parts: Iterable[Part]) -> Copied:
    """Add another camera's shapes to a sketch; its road points and rules replace those that are there.

    A shape whose key is taken gets another one: its counts never run into those of the shape that was there first.
    """
    made, n_new_keys = target, 0
    counts: dict[Part, int] = {}
    begun = sketch_of(source)
    for part in parts:
        if part is Part.PLANE:
            made = replace(made, road=begun.road, origin=begun.origin)
            counts[part] = len(begun.road)
            continue
        if part is Part.RULES:
            made = replace(made, rules=begun.rules)
            counts[part] = len(begun.rules)
            continue
        kind = next(kind for kind, section in SECTIONS.items() if section == part.value)
        shapes = getattr(begun, part.value)
        for shape in shapes:
            key = free_key(made, shape.key)
            n_new_keys += key != shape.key
            made = added(made, kind, replace(shape, key=key))
        counts[part] = len(shapes)
    return Copied(sketch=made, counts=counts, n_new_keys=n_new_keys)


def counted(n_items: int, part: Part) -> str:
    """Write how many there are, e.g. "1 zone" or "3 lanes"."""
    return f"{n_items} {part.value if n_items != 1 else part.value.removesuffix('s')}"


def with_rule(sketch: Sketch, setting: RuleSetting) -> Sketch:
    """Return a sketch with one rule tuned; a setting that says nothing is left out."""
    others = tuple(rule for rule in sketch.rules if rule.kind != setting.kind)
    if setting.is_enabled is None and not setting.values:
        return replace(sketch, rules=others)
    return replace(sketch, rules=tuple(sorted((*others, setting), key=lambda rule: rule.kind)))


def _with_section(sketch: Sketch, section: str, shapes: tuple[Any, ...]) -> Sketch:
    if section == "zones":
        return replace(sketch, zones=shapes)
    if section == "lines":
        return replace(sketch, lines=shapes)
    if section == "lanes":
        return replace(sketch, lanes=shapes)
    return replace(sketch, masks=shapes)
