"""Which cameras see what an alarm is about."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from core.cameras.model import Camera
from core.incidents.model import Alarm, SourceKind
from core.kernel.geo import GeoPoint, to_mercator

NEAR_M = 600.0
"""A camera further away sees nothing of it."""

MOST = 6


class Watchers:
    """The cameras that can see something, and where they stand."""

    def __init__(self, cameras: Collection[Camera]) -> None:
        self._positions = {camera.camera_id: camera.position for camera in cameras}
        self._by_name = {camera.name.casefold(): camera.camera_id for camera in cameras}
        enabled = {camera.camera_id: camera.position for camera in cameras if camera.is_enabled}
        placed = {camera_id: to_mercator(position) for camera_id, position in enabled.items() if position is not None}
        self._camera_ids = list(placed)
        self._xy = np.array(list(placed.values()), dtype=np.float64).reshape(-1, 2)

    def nearest(self, alarm: Alarm) -> str | None:
        """Return the camera that an alarm comes from, or the nearest one to where it happened."""
        return next(iter(self.around(alarm)), None)

    def linked(self, wanted: str) -> str | None:
        """Return the camera of an id or a name, as a rule's guidance has it; None where there is none."""
        return wanted if wanted in self._positions else self._by_name.get(wanted.casefold())

    def around(self, alarm: Alarm, linked: str = "") -> tuple[str, ...]:
        """Return the cameras of an alarm, six at most.

        First the one that its rule links, by name or id, then the one it comes from, then those near by, the nearest
        first.
        """
        first = self.linked(linked)
        return tuple(dict.fromkeys((*(() if first is None else (first,)), *self._around(alarm))))[:MOST]

    def _around(self, alarm: Alarm) -> tuple[str, ...]:
        own = (alarm.source_id,) if alarm.source_kind is SourceKind.CAMERA else ()
        position = alarm.position
        if position is None and own:
            position = self._positions.get(own[0])
        return (*own, *(camera_id for camera_id in self._near(position) if camera_id not in own))[:MOST]

    def _near(self, position: GeoPoint | None) -> list[str]:
        if position is None or not self._camera_ids:
            return []
        # Of a Mercator metre here, so much is on the ground.
        ground = math.cos(math.radians(position.lat_deg))
        away_m = ground * np.hypot(*(self._xy - to_mercator(position)).T)
        order = np.argsort(away_m, kind="stable")[: MOST + 1]
        return [self._camera_ids[at] for at in order.tolist() if away_m[at] <= NEAR_M]
