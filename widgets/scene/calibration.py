"""How well the road points fit, in words; and the ways to say where they lie on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint
from core.vision.plane import MIN_POINTS, Plane, east_north_m, offset, solve
from widgets.scene.sketch import RoadPoint, Sketch, plane_of

_GOOD_M, _POOR_M = 0.3, 1.0
_PICTURE_HEIGHT_PX = 1080.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What came of the road points.

    Attributes:
        plane: None where they do not make one.
        sentence, hint: For the operator, in either case.
        residuals_m: How far each point is off, in the order of the sketch; None for those without a place.
    """

    plane: Plane | None
    sentence: str
    hint: str = ""
    residuals_m: tuple[float | None, ...] = ()


def fit(sketch: Sketch, aspect: float) -> Fit:
    """Lay the road under the picture, as far as its points say.

    Args:
        sketch: Points without a place on the ground are passed over.
        aspect: Width of the picture over its height.
    """
    nothing = tuple(None for _ in sketch.road)
    plane = plane_of(sketch)
    n_known = len(plane.points) if plane is not None else 0
    if not sketch.road:
        return Fit(plane=None, sentence="No road points yet.", hint="Choose the tool Road and click at least four.")
    if plane is None or n_known < MIN_POINTS:
        n_missing = MIN_POINTS - len(sketch.road)
        if n_missing > 0:
            return Fit(plane=None, sentence=f"{_points(n_missing)} more to set.", residuals_m=nothing)
        return Fit(plane=None, sentence="Say where the points lie on the ground.", residuals_m=nothing)
    try:
        solved = solve(plane, aspect)
    except ConsoleError as error:
        return Fit(plane=None, sentence=error.message, hint=error.hint, residuals_m=nothing)
    off = iter(solved.point_residuals_m)
    residuals = tuple(next(off) if point.ground_xy_m is not None else None for point in sketch.road)
    sentence, hint = _judged(solved)
    return Fit(plane=solved, sentence=sentence, hint=f"{hint} {_scale(sketch, solved)}".strip(), residuals_m=residuals)


def _judged(plane: Plane) -> tuple[str, str]:
    if not plane.is_checked:
        return "Four points always fit.", "A fifth one shows how well they do."
    off = plane.residual_m
    word = "well" if off <= _GOOD_M else "fairly" if off <= _POOR_M else "badly"
    hint = "" if off <= _POOR_M else "Look at the point that is off the most: it is moved, or its distance is wrong."
    return f"The points fit {word}: {off:.2f} m off on average.", hint


def _scale(sketch: Sketch, plane: Plane) -> str:
    known = [point.picture for point in sketch.road if point.ground_xy_m is not None]
    middle = (sum(x for x, _ in known) / len(known), sum(y for _, y in known) / len(known))
    across, along = plane.metres_per_pixel(middle, _PICTURE_HEIGHT_PX)
    if not (math.isfinite(across) and math.isfinite(along)):
        return ""
    return f"Between the points one pixel of 1080 lines is {across * 100:.0f} cm across and {along * 100:.0f} cm along."


def _points(n: int) -> str:
    return "One road point" if n == 1 else f"{n} road points"


def as_rectangle(sketch: Sketch, width_m: float, length_m: float) -> Sketch:
    """Return the first four road points as corners of a rectangle: from 1 to 2 its width, from 2 to 3 its length.

    Points behind them keep what is known of them unless that was a position on the map.
    """
    corners = ((0.0, 0.0), (width_m, 0.0), (width_m, length_m), (0.0, length_m))
    was_on_the_map = sketch.origin is not None
    others = tuple(replace(point, ground_xy_m=None) if was_on_the_map else point for point in sketch.road[4:])
    first = tuple(replace(point, ground_xy_m=corner) for point, corner in zip(sketch.road[:4], corners, strict=False))
    return replace(sketch, road=(*first, *others), origin=None)


def at_position(sketch: Sketch, index: int, position: GeoPoint) -> Sketch:
    """Return a sketch whose road point lies at a position on earth; the first one becomes the origin.

    Distances that were typed before say nothing on the map: those points lose them.
    """
    road = list(sketch.road)
    origin = sketch.origin
    if origin is None:
        origin = position
        road = [RoadPoint(picture=point.picture) for point in road]
    road[index] = replace(road[index], ground_xy_m=east_north_m(origin, position))
    return replace(sketch, road=tuple(road), origin=origin)


def at_metres(sketch: Sketch, index: int, ground_xy_m: tuple[float, float]) -> Sketch:
    """Return a sketch whose road point lies at typed metres."""
    road = list(sketch.road)
    road[index] = replace(road[index], ground_xy_m=ground_xy_m)
    return replace(sketch, road=tuple(road))


def position_of(sketch: Sketch, index: int) -> GeoPoint | None:
    """Return where a road point lies on earth; None where nobody knows."""
    ground = sketch.road[index].ground_xy_m
    if sketch.origin is None or ground is None:
        return None
    return offset(sketch.origin, *ground)
