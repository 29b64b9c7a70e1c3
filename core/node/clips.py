"""Clips around alarms: the camera that sees an alarm is asked for one, and what it kept is stored."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from core.cameras.model import Camera
from core.incidents.clips import ClipStore
from core.incidents.model import Alarm, SourceKind
from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint, to_mercator
from core.vision.messages import ClipKept

log = logging.getLogger(__name__)

NEAR_M = 600.0
"""A camera further away sees nothing of it."""

MAX_ASKED = 1000
"""Incidents that are remembered as asked for: a clip is taken once."""


@dataclass(frozen=True, slots=True)
class _Asked:
    camera_id: str
    at: datetime


class ClipKeeper:
    """Asks for a clip with the first call of each incident.

    Threads: the node's loop.
    """

    def __init__(
        self, clips: ClipStore, *, cameras: Callable[[], Iterable[Camera]], ask: Callable[[str, str], None]
    ) -> None:
        """Store in `clips`; `ask` hears camera and clip id."""
        self._clips = clips
        self._cameras = cameras
        self._ask = ask
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    def take_alarm(self, alarm: Alarm) -> None:
        """Ask for a clip where an alarm that a camera sees has just called."""
        if not alarm.is_calling or not alarm.incident_id or alarm.incident_id in self._asked:
            return
        camera_id = self._watching(alarm)
        if camera_id is None:
            return
        self._asked[alarm.incident_id] = _Asked(camera_id, alarm.raised_at)
        while len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        self._ask(camera_id, alarm.incident_id)

    async def keep(self, kept: ClipKept) -> None:
        """Store what a camera kept; without it the alarm stands as well, so a failure is only logged."""
        asked = self._asked.get(kept.clip_id)
        if asked is None:
            return
        try:
            await self._clips.keep(kept.clip_id, kept.camera_id, at=asked.at, pictures=kept.pictures)
        except ConsoleError as error:
            log.warning("the clip of incident %s is not kept: %s", kept.clip_id, error)

    def _watching(self, alarm: Alarm) -> str | None:
        if alarm.source_kind is SourceKind.CAMERA:
            return alarm.source_id
        if alarm.position is None:
            return None
        ground = math.cos(math.radians(alarm.position.lat_deg))
        found = [
            (ground * math.dist(_place(alarm.position), _place(camera.position)), camera.camera_id)
            for camera in self._cameras()
            if camera.position is not None and camera.is_enabled
        ]
        far_m, camera_id = min(found, default=(math.inf, ""))
        return camera_id if far_m <= NEAR_M else None


def _place(point: GeoPoint) -> tuple[float, float]:
    return to_mercator(point)
