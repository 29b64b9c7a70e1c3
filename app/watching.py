"""Which cameras see what an alarm is about."""

from __future__ import annotations

import math

from app.room import Room
from core.incidents.model import Alarm, SourceKind
from core.kernel.geo import GeoPoint, to_mercator

NEAR_M = 600.0
"""A camera further away sees nothing of it."""

MOST = 6


def watching_camera(room: Room, alarm: Alarm) -> str | None:
    """Return the camera that an alarm comes from, or the nearest one to where it happened."""
    return next(iter(watching_cameras(room, alarm)), None)


def watching_cameras(room: Room, alarm: Alarm) -> tuple[str, ...]:
    """Return the camera that an alarm comes from and those near by, the nearest first; six at most."""
    own = (alarm.source_id,) if alarm.source_kind is SourceKind.CAMERA else ()
    position = alarm.position
    if position is None and own and own[0] in room.live.cameras:
        position = room.live.cameras[own[0]].position
    return (*own, *(camera_id for camera_id in _near(room, position) if camera_id not in own))[:MOST]


def _near(room: Room, position: GeoPoint | None) -> list[str]:
    if position is None:
        return []
    place = to_mercator(position)
    ground_m = math.cos(math.radians(position.lat_deg))
    """Metres on the ground of a Mercator metre here."""

    distances = {
        camera.camera_id: ground_m * math.dist(place, to_mercator(camera.position))
        for camera in room.live.cameras.values()
        if camera.position is not None and camera.is_enabled
    }
    return sorted((key for key, far_m in distances.items() if far_m <= NEAR_M), key=distances.__getitem__)
