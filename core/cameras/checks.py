"""What a camera's settings must be like, each rule with its sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations

from core.cameras.model import MOUNT_HEIGHT_M, Camera
from core.kernel.errors import BadInputError
from core.vision.model import CountLine, Lane, Mask, PicturePoint, RoadPlane, Scene, Zone
from core.vision.plane import solve
from core.vision.scene_file import MAX_GROUND_M, USUAL_ASPECT, check_rules

MAX_NAME_LENGTH = 80
MAX_DETECT_FPS = 30.0
MAX_DRAWN = 64
MAX_POINTS = 64
MIN_ZONE_AREA = 1e-4
"""Of the picture: a smaller zone is a slip of the mouse."""

_KEY = re.compile(r"[a-z0-9-]{1,32}")


def check_camera(camera: Camera) -> None:
    """Refuse settings that cannot work; the address is checked by `clean_address`.

    Raises:
        BadInputError: Names the setting and the reason.
    """
    name = camera.name.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInputError("The camera needs a name.", hint=f"Use 1 to {MAX_NAME_LENGTH} letters, digits and signs.")
    if camera.transport not in {"tcp", "udp"}:
        raise BadInputError(f"{camera.transport!r} is no transport.", hint="Use tcp or udp.")
    _check_span("The heading", camera.heading_deg, -360.0, 360.0, "degrees")
    _check_span("The opening", camera.view_angle_deg, 1.0, 360.0, "degrees")
    if camera.mount_height_m is not None:
        _check_span("The mounting height", camera.mount_height_m, *MOUNT_HEIGHT_M, "m")
    _check_span("The detection rate", camera.detect_fps, 0.0, MAX_DETECT_FPS, "pictures a second")
    if any(not label.strip() or len(label) > 32 for label in camera.labels):
        raise BadInputError("One of the classes to detect has no name.", hint="Use car, bus, truck and the like.")
    check_scene(camera.scene)


def check_scene(scene: Scene) -> None:
    """Refuse zones, lines, lanes, masks, road points and rules that cannot be used.

    Raises:
        BadInputError: Names what is wrong and the reason.
    """
    drawn: dict[str, tuple[Zone | CountLine | Lane | Mask, ...]] = {
        "zone": scene.zones,
        "line": scene.lines,
        "lane": scene.lanes,
        "mask": scene.masks,
    }
    if sum(len(shapes) for shapes in drawn.values()) > MAX_DRAWN:
        raise BadInputError(f"More than {MAX_DRAWN} zones, lines, lanes and masks are drawn on one camera.")
    for what, shapes in drawn.items():
        keys = [shape.key for shape in shapes]
        for key in keys:
            if not _KEY.fullmatch(key):
                raise BadInputError(f"{key!r} is no key for a {what}.", hint="Use a-z, 0-9 and -, at most 32.")
            if keys.count(key) > 1:
                raise BadInputError(f"Two {what}s have the key {key!r}.", hint="Give one of them another key.")
    for zone in scene.zones:
        _check_zone(zone)
    for line in scene.lines:
        _check_line(line)
    for lane in scene.lanes:
        _check_lane(lane)
    for mask in scene.masks:
        _check_outline(mask, f"Mask {mask.name or mask.key}")
    if scene.plane is not None:
        _check_plane(scene.plane)
    try:
        check_rules(scene.rules)
    except ValueError as error:
        raise BadInputError(
            f"A rule cannot be set like this: {error}.", hint="Choose a figure within its bounds."
        ) from error


def _check_outline(shape: Zone | Lane | Mask, what: str) -> None:
    _check_drawn_name(shape.name, what)
    if not 3 <= len(shape.polygon) <= MAX_POINTS:
        raise BadInputError(f"{what} has {len(shape.polygon)} corners.", hint=f"Draw 3 to {MAX_POINTS}.")
    _check_points(shape.polygon, what)
    if _crosses_itself(shape.polygon):
        raise BadInputError(
            f"The outline of {what[0].lower()}{what[1:]} crosses itself.", hint="Draw its corners around it."
        )
    if _area(shape.polygon) < MIN_ZONE_AREA:
        raise BadInputError(f"{what} has no area.", hint="Draw it larger.")


def _check_lane(lane: Lane) -> None:
    what = f"Lane {lane.name or lane.key}"
    _check_outline(lane, what)
    _check_points((lane.start, lane.end), what)
    if math.dist(lane.start, lane.end) < 0.01:
        raise BadInputError(f"{what} has no direction.", hint="Draw its arrow longer.")


def _check_plane(plane: RoadPlane) -> None:
    what = "The road plane"
    _check_points([point.picture for point in plane.points], what)
    for point in plane.points:
        if not all(abs(metres) <= MAX_GROUND_M for metres in point.ground_xy_m):
            raise BadInputError(f"{what} has a point far away from the others.", hint="Distances are in metres.")
    solve(plane, USUAL_ASPECT)


def _check_zone(zone: Zone) -> None:
    what = f"Zone {zone.name or zone.key}"
    _check_outline(zone, what)
    for value, name in (
        (zone.stopped_after_s, "time until a vehicle counts as stopped"),
        (zone.congestion_capacity, "number of vehicles that fill it"),
        (zone.free_flow_speed, "speed of free flow"),
    ):
        if value is not None and not (math.isfinite(value) and value > 0.0):
            raise BadInputError(f"{what}: the {name} is {value:g}.", hint="It has to be above zero.")


def _check_line(line: CountLine) -> None:
    what = f"Line {line.name or line.key}"
    _check_drawn_name(line.name, what)
    _check_points((line.start, line.end), what)
    if math.dist(line.start, line.end) < 0.01:
        raise BadInputError(f"{what} begins and ends at the same place.", hint="Draw it longer.")
    names = (line.forward_name.strip(), line.backward_name.strip())
    if not all(names) or names[0] == names[1]:
        raise BadInputError(f"{what}: its two directions need two names.", hint="E.g. into town and out of town.")


def _check_drawn_name(name: str, what: str) -> None:
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInputError(f"{what}: this name cannot be used.", hint=f"Use at most {MAX_NAME_LENGTH} characters.")


def _check_points(points: Sequence[PicturePoint], what: str) -> None:
    for x, y in points:
        if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
            raise BadInputError(f"{what} has a point outside the picture.", hint="Draw it inside.")


def _check_span(what: str, value: float, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise BadInputError(f"{what} is {value:g} {unit}.", hint=f"Use {low:g} to {high:g}.")


def _area(polygon: Sequence[PicturePoint]) -> float:
    # The shoelace formula.
    pairs = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2.0


def _crosses_itself(polygon: Sequence[PicturePoint]) -> bool:
    sides = list(zip(polygon, (*polygon[1:], polygon[0]), strict=True))
    for (i, first), (j, second) in combinations(enumerate(sides), 2):
        are_neighbours = j - i == 1 or (i == 0 and j == len(sides) - 1)
        if not are_neighbours and _cross(*first, *second):
            return True
    return False


def _cross(a: PicturePoint, b: PicturePoint, c: PicturePoint, d: PicturePoint) -> bool:
    def side(p: PicturePoint, q: PicturePoint, r: PicturePoint) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0.0 and side(c, d, a) * side(c, d, b) < 0.0
