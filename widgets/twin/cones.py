"""What cameras see of a lot, from where they hang to the ground in their pictures. No Qt, no VTK.

How a camera hangs is read from its calibration where there is one: from bays that are drawn on its picture and on the
plan, else from its road points. Else somebody wrote into its form where it stands and how high it hangs; of a camera
of which nobody said so nothing is drawn, and the twin names it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cameras.model import Camera
from core.kernel.errors import BadInputError
from core.parking.model import Bay, BayView, Lot, Outline
from core.parking.plans import on_plan
from core.vision.camera_pose import CameraPose, pose_of
from core.vision.model import PlanePoint, RoadPlane
from core.vision.plane import MAX_POINTS, Plane, solve
from core.vision.scene_file import USUAL_ASPECT
from widgets.twin.model import Cone
from widgets.twin.scene import Placement, hull, lay_out, placements

Floats = NDArray[np.float64]

REACH_M = 60.0
"""What a calibrated camera sees farther away than this is left out: no bay is told apart there."""

AHEAD_M = 30.0
"""Of a camera that points somewhere, and sees no bay that is drawn on the plan."""

MAX_RESIDUAL_M = 0.6
"""Bays that fit worse than this are drawn in another order on the picture than on the plan."""

MAX_FITTED = MAX_POINTS // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mount:
    """How one camera hangs over a lot's plan: where [m], how high, and the ground it sees, shape (k, 2)."""

    at: tuple[float, float]
    height_m: float
    ground: Floats
    heading_deg: float
    view_angle_deg: float
    tilt_deg: float | None = None


def cones_of(lots: Iterable[Lot], cameras: Iterable[Camera]) -> tuple[tuple[Cone, ...], tuple[str, ...]]:
    """Return a cone for every camera that sees bays of these lots, and the names of those that have no position."""
    listed = tuple(lots)
    known = {camera.camera_id: camera for camera in cameras}
    found: list[Cone] = []
    nowhere: dict[str, None] = {}
    for lot, placement in zip(listed, placements([lay_out(lot)[0] for lot in listed]), strict=True):
        for view in lot.views:
            camera = known.get(view.camera_id)
            if camera is None:
                continue
            mount = _mount_of(lot, view, camera)
            if mount is None:
                nowhere[camera.name] = None
            else:
                found.append(_cone(lot, view, camera, mount, placement))
    return tuple(found), tuple(nowhere)


def _cone(lot: Lot, view: BayView, camera: Camera, mount: _Mount, placement: Placement) -> Cone:
    base_m = _base_m(lot, view)
    x, y = placement.place(np.array([mount.at]))[0].tolist()
    return Cone(
        lot_id=lot.lot_id,
        camera_id=camera.camera_id,
        name=camera.name,
        apex=(x, y, base_m + mount.height_m),
        ground=tuple((float(a), float(b), base_m + 0.15) for a, b in placement.place(mount.ground)),
        height_m=mount.height_m,
        heading_deg=(mount.heading_deg + lot.bearing_deg) % 360.0,
        view_angle_deg=mount.view_angle_deg,
        tilt_deg=mount.tilt_deg,
    )


def _base_m(lot: Lot, view: BayView) -> float:
    """Return the height of the level that a camera looks at."""
    heights = {level.number: level.height_m for level in lot.levels}
    return min((heights.get(bay.level, 3.0 * bay.level) for bay in _seen(lot, view)), default=0.0)


def _seen(lot: Lot, view: BayView) -> list[Bay]:
    return [bay for bay in lot.bays if bay.bay_id in view.outlines and bay.outline]


def _mount_of(lot: Lot, view: BayView, camera: Camera) -> _Mount | None:
    for plane in (_plane_by_bays(lot, view), _plane_by_road(lot, camera)):
        pose = pose_of(plane, camera.view_angle_deg) if plane is not None else None
        if plane is not None and pose is not None:
            return _Mount(
                at=(pose.east_m, pose.north_m),
                height_m=pose.height_m,
                ground=_footprint(plane, pose),
                heading_deg=pose.heading_deg,
                view_angle_deg=pose.view_angle_deg,
                tilt_deg=pose.tilt_deg,
            )
    if camera.position is None or camera.mount_height_m is None or lot.position is None:
        return None
    at = on_plan(camera.position, lot.position, lot.bearing_deg)
    corners = np.array([corner for bay in _seen(lot, view) for corner in bay.outline])
    heading_deg = camera.heading_deg - lot.bearing_deg
    ground = hull(corners) if len(corners) else _fan(at, heading_deg, camera.view_angle_deg)
    return _Mount(
        at=at,
        height_m=camera.mount_height_m,
        ground=ground,
        heading_deg=heading_deg,
        view_angle_deg=camera.view_angle_deg,
    )


def _plane_by_bays(lot: Lot, view: BayView) -> Plane | None:
    """Solve how the plan lies in the picture by bays of four corners that are drawn on both."""
    both = [
        (bay.outline, view.outlines[bay.bay_id])
        for bay in _seen(lot, view)
        if len(bay.outline) == 4 and len(view.outlines[bay.bay_id]) == 4
    ]
    if len(both) < 2:
        return None
    some = [both[i] for i in np.unique(np.linspace(0, len(both) - 1, MAX_FITTED).astype(int))]
    # Nobody says with which corner an outline begins, nor which way it runs: one order fits all bays, the others none.
    solved = [plane for order in _ORDERS if (plane := _solved(some, order)) is not None]
    best = min(solved, key=lambda plane: plane.residual_m, default=None)
    return best if best is not None and best.residual_m <= MAX_RESIDUAL_M else None


_ORDERS = tuple(tuple((first + way * i) % 4 for i in range(4)) for way in (1, -1) for first in range(4))


def _solved(pairs: list[tuple[Outline, Outline]], order: tuple[int, ...]) -> Plane | None:
    points = tuple(
        PlanePoint(picture=seen[there], ground_xy_m=drawn[here])
        for drawn, seen in pairs
        for here, there in enumerate(order)
    )
    return _solve(RoadPlane(points=_different(points)))


def _different(points: tuple[PlanePoint, ...]) -> tuple[PlanePoint, ...]:
    """Return the points without those that neighbouring bays share."""
    kept: dict[tuple[float, float], PlanePoint] = {}
    for point in points:
        kept.setdefault((round(point.ground_xy_m[0], 1), round(point.ground_xy_m[1], 1)), point)
    return tuple(kept.values())


def _plane_by_road(lot: Lot, camera: Camera) -> Plane | None:
    """Solve a camera's own road points, turned onto the lot's plan."""
    drawn = camera.scene.plane
    if drawn is None or drawn.origin is None or lot.position is None:
        return None
    at = on_plan(drawn.origin, lot.position, lot.bearing_deg)
    turn = math.radians(lot.bearing_deg)
    cos, sin = math.cos(turn), math.sin(turn)
    points = tuple(
        PlanePoint(
            picture=point.picture,
            ground_xy_m=(
                at[0] + point.ground_xy_m[0] * cos - point.ground_xy_m[1] * sin,
                at[1] + point.ground_xy_m[0] * sin + point.ground_xy_m[1] * cos,
            ),
        )
        for point in drawn.points
    )
    return _solve(RoadPlane(points=points))


def _solve(plane: RoadPlane) -> Plane | None:
    try:
        return solve(plane, USUAL_ASPECT)
    except (BadInputError, np.linalg.LinAlgError):
        return None


def _footprint(plane: Plane, pose: CameraPose) -> Floats:
    """Return the ground in a picture [m], shape (4, 2), as far as it is looked at."""
    corners = []
    for x, rows in ((0.0, (1.0,)), (1.0, (1.0,)), (1.0, _ROWS), (0.0, _ROWS)):
        ground = plane.ground_of([(x, y) for y in rows])
        away_m = np.hypot(ground[:, 0] - pose.east_m, ground[:, 1] - pose.north_m)
        # From the top of the picture downwards: the first row that shows ground near enough.
        near = np.flatnonzero(away_m <= REACH_M)
        corners.append(ground[near[0]] if len(near) else np.array((pose.east_m, pose.north_m)))
    return np.array(corners)


_ROWS = tuple(np.linspace(0.0, 1.0, 101).tolist())


def _fan(at: tuple[float, float], heading_deg: float, view_angle_deg: float) -> Floats:
    half_deg = min(80.0, view_angle_deg / 2)
    ways = [math.radians(heading_deg + turn) for turn in (-half_deg, half_deg)]
    return np.array([(at[0] + AHEAD_M * math.sin(way), at[1] + AHEAD_M * math.cos(way)) for way in ways])
