"""Which camera sees what an alarm is about."""

from __future__ import annotations

import math

from app.room import Room
from core.incidents.model import Alarm, SourceKind
from core.kernel.geo import to_mercator

NEAR_M = 600.0
"""A camera further away sees nothing of it."""


def watching_camera(room: Room, alarm: Alarm) -> str | None:
    """Return the camera that an alarm comes from, or the nearest one to where it happened."""
    if alarm.source_kind is SourceKind.CAMERA:
        return alarm.source_id
    if alarm.position is None:
        return None
    place = to_mercator(alarm.position)
    distances = {
        camera.camera_id: math.dist(place, to_mercator(camera.position))
        for camera in room.live.cameras.values()
        if camera.position is not None and camera.is_enabled
    }
    nearest = min(distances, key=distances.__getitem__, default=None)
    return nearest if nearest is not None and distances[nearest] <= NEAR_M else None
