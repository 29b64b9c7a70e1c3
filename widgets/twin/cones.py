"""What cameras see of a lot, from where they stand to the bays that are drawn on their pictures. No Qt, no VTK."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from core.cameras.model import Camera
from core.parking.model import Lot
from core.parking.plans import on_plan
from widgets.twin.model import Cone
from widgets.twin.scene import hull, lay_out, placements

MAST_M = 6.0
"""Nobody says how high a camera hangs; a usual mast."""

AHEAD_M, HALF_ANGLE_DEG = 30.0, 25.0
"""Of a camera that points somewhere, and sees no bay that is drawn on the plan."""


def cones_of(lots: Iterable[Lot], cameras: Iterable[Camera]) -> tuple[Cone, ...]:
    """Return a cone for every camera that sees bays of these lots and has a position."""
    listed = tuple(lots)
    known = {camera.camera_id: camera for camera in cameras if camera.position is not None}
    return tuple(_cones(listed, known))


def _cones(lots: tuple[Lot, ...], cameras: dict[str, Camera]) -> Iterator[Cone]:
    for lot, placement in zip(lots, placements([lay_out(lot)[0] for lot in lots]), strict=True):
        if lot.position is None:
            continue
        heights = {level.number: level.height_m for level in lot.levels}
        bays = {bay.bay_id: bay for bay in lot.bays}
        for view in lot.views:
            camera = cameras.get(view.camera_id)
            if camera is None or camera.position is None:
                continue
            plan = np.array([on_plan(camera.position, lot.position, lot.bearing_deg)])
            apex = placement.place(plan)[0]
            seen = [bays[bay_id] for bay_id in view.outlines if bay_id in bays]
            corners = np.array([corner for bay in seen for corner in bay.outline])
            base = min((heights.get(bay.level, 3.0 * bay.level) for bay in seen), default=0.0)
            ground = hull(placement.place(corners)) if len(corners) else _fan(apex, camera.heading_deg)
            yield Cone(
                lot_id=lot.lot_id,
                camera_id=view.camera_id,
                apex=(float(apex[0]), float(apex[1]), base + MAST_M),
                ground=tuple((float(x), float(y), base + 0.15) for x, y in ground),
            )


def _fan(apex: NDArray[np.float64], bearing_deg: float) -> NDArray[np.float64]:
    ways = [math.radians(bearing_deg + turn) for turn in (-HALF_ANGLE_DEG, HALF_ANGLE_DEG)]
    return np.array([apex + AHEAD_M * np.array((math.sin(way), math.cos(way))) for way in ways])
