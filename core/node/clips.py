"""Clips around alarms: the cameras that see an alarm are asked for one, and what they kept, or could not, is stored."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from core.cameras.model import Camera
from core.cameras.watching import Watchers
from core.incidents.clips import ClipStore
from core.incidents.model import Alarm
from core.kernel.errors import ConsoleError
from core.vision.messages import ClipKept

log = logging.getLogger(__name__)

MOST_CAMERAS = 4
"""Of one incident: the one that it comes from, or stands nearest, and those beside it."""

MOST_TOGETHER = 16
"""Incidents that clips are taken of at once; a burst has more alarms than anybody will look at."""

GIVE_UP_S = 20.0
"""A camera that has not answered by then will not: ten seconds are the clip's own."""

MAX_ASKED = 1000
"""Incidents that are remembered as asked for: a clip is taken once."""


class ClipKeeper:
    """Asks the cameras around it for a clip with the first call of each incident.

    Threads: the node's loop.
    """

    def __init__(
        self,
        clips: ClipStore,
        *,
        cameras: Callable[[], Collection[Camera]],
        ask: Callable[[str, str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        why_dark: Callable[[str], str] = lambda _camera_id: "",
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        """Prepare.

        Args:
            clips: Where they are stored.
            cameras: Those of the room, with their places.
            ask: Hears camera and clip id; a `ClipKept` answers.
            spawn: Runs in the background.
            why_dark: Says why a camera shows nothing just now; empty where it does.
            give_up_s: How long a camera may take to answer.
        """
        self._clips = clips
        self._cameras = cameras
        self._ask = ask
        self._spawn = spawn
        self._why_dark = why_dark
        self._give_up_s = give_up_s
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._waiting: dict[tuple[str, str], asyncio.Future[ClipKept]] = {}

    def take_alarm(self, alarm: Alarm) -> None:
        """Ask for clips where an alarm that cameras see has just called."""
        if not alarm.is_calling or not alarm.incident_id or alarm.incident_id in self._asked:
            return
        cameras = {camera.camera_id: camera for camera in self._cameras()}
        chosen = [cameras[camera_id] for camera_id in Watchers(cameras.values()).around(alarm) if camera_id in cameras][
            :MOST_CAMERAS
        ]
        if not chosen:
            return
        self._asked[alarm.incident_id] = None
        while len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        if len({incident_id for incident_id, _ in self._waiting}) >= MOST_TOGETHER:
            self._spawn(self._leave_out(alarm, chosen[0]))
            return
        loop = asyncio.get_running_loop()
        for camera in chosen:
            self._waiting[alarm.incident_id, camera.camera_id] = loop.create_future()
            self._ask(camera.camera_id, alarm.incident_id)
        self._spawn(self._keep_all(alarm, chosen))

    def take_clip(self, kept: ClipKept) -> None:
        """A camera sends what it kept."""
        waiting = self._waiting.get((kept.clip_id, kept.camera_id))
        if waiting is not None and not waiting.done():
            waiting.set_result(kept)

    async def _keep_all(self, alarm: Alarm, cameras: list[Camera]) -> None:
        until_s = asyncio.get_running_loop().time() + self._give_up_s
        try:
            await self._expect(alarm, cameras)
            await asyncio.gather(*(self._keep(alarm, camera, until_s) for camera in cameras))
        finally:
            for camera in cameras:
                self._waiting.pop((alarm.incident_id, camera.camera_id), None)

    async def _expect(self, alarm: Alarm, cameras: list[Camera]) -> None:
        named = [(camera.camera_id, camera.name) for camera in cameras]
        try:
            await self._clips.expect(alarm.incident_id, named, at=alarm.raised_at)
        except ConsoleError as error:
            log.warning("the clips of incident %s are not written down: %s", alarm.incident_id, error)

    async def _keep(self, alarm: Alarm, camera: Camera, until_s: float) -> None:
        """Store what one camera kept; without it the alarm stands as well, so what is missing is written down."""
        try:
            async with asyncio.timeout_at(until_s):
                kept = await self._waiting[alarm.incident_id, camera.camera_id]
        except TimeoutError:
            await self._lose(alarm, camera, "It did not answer in time.")
            return
        if not kept.pictures:
            await self._lose(alarm, camera, "It gave no picture, or was taking too many clips already.")
            return
        try:
            await self._clips.keep(
                alarm.incident_id,
                camera.camera_id,
                at=alarm.raised_at,
                pictures=kept.pictures,
                camera_name=camera.name,
            )
        except ConsoleError as error:
            await self._lose(alarm, camera, str(error))

    async def _leave_out(self, alarm: Alarm, camera: Camera) -> None:
        await self._expect(alarm, [camera])
        await self._lose(
            alarm, camera, f"More than {MOST_TOGETHER} incidents began at once: none was taken of this one."
        )

    async def _lose(self, alarm: Alarm, camera: Camera, why: str) -> None:
        dark = self._why_dark(camera.camera_id)
        reason = f"{why} {dark}".strip()
        log.warning("no clip of incident %s from camera %s: %s", alarm.incident_id, camera.name, reason)
        try:
            await self._clips.lose(alarm.incident_id, camera.camera_id, reason)
        except ConsoleError as error:
            log.warning("what is missing of incident %s is not written down: %s", alarm.incident_id, error)
