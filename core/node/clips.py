"""Clips around alarms: the cameras that see an alarm are asked for one, and what they kept, or could not, is stored."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine
from datetime import datetime, timedelta
from typing import Any

from core.cameras.model import Camera
from core.cameras.watching import Watchers
from core.incidents.clips import ClipStore
from core.incidents.model import Alarm, Incident
from core.incidents.tuning import Tunings
from core.kernel.clock import Clock
from core.kernel.errors import ConsoleError
from core.vision.look_back import AFTER_S, BEFORE_S, LATE_S
from core.vision.messages import ClipKept

log = logging.getLogger(__name__)

MOST_CAMERAS = 4
"""Of one incident: the one that it comes from, or stands nearest, and those beside it."""

MOST_TOGETHER = 16
"""Calls that clips are taken of at once; a burst has more alarms than anybody will look at."""

GIVE_UP_S = 20.0
"""A camera that has not answered by then will not: ten seconds are the clip's own."""

MAX_ASKED = 1000
"""Calls, and incidents, that are remembered: of a call clips are taken once."""

LATE = timedelta(seconds=5)
"""A call that comes so long after what it is about is late: its clip is of then, and not of now."""


class ClipKeeper:
    """Asks the cameras around it for a clip with each alarm that calls, once for each of its occurrences.

    A call that joins an incident is something else than what called before it, and has clips of its own.

    Threads: the node's loop.
    """

    def __init__(
        self,
        clips: ClipStore,
        *,
        cameras: Callable[[], Collection[Camera]],
        ask: Callable[[str, str, datetime], None],
        clock: Clock,
        tunings: Tunings,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        why_dark: Callable[[str], str] = lambda _camera_id: "",
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        """Prepare.

        Args:
            clips: Where they are stored.
            cameras: Those of the room, with their places.
            ask: Hears camera, clip id and when it happened; a `ClipKept` answers.
            clock: Says how late a call is.
            tunings: Say how long a call was to wait by its rule.
            spawn: Runs in the background.
            why_dark: Says why a camera shows nothing just now; empty where it does.
            give_up_s: How long a camera may take to answer.
        """
        self._clips = clips
        self._cameras = cameras
        self._ask = ask
        self._clock = clock
        self._tunings = tunings
        self._spawn = spawn
        self._why_dark = why_dark
        self._give_up_s = give_up_s
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._began: OrderedDict[str, tuple[datetime | None, datetime]] = OrderedDict()
        """When incidents were opened, and when they began, as they were told last."""

        self._waiting: dict[tuple[str, str], asyncio.Future[ClipKept]] = {}

    def take_incident(self, incident: Incident) -> None:
        """Note when it began; it is told before its alarm."""
        self._began[incident.incident_id] = incident.opened_at, incident.began_at
        while len(self._began) > MAX_ASKED:
            self._began.popitem(last=False)

    def _happened_at(self, alarm: Alarm) -> datetime:
        """Return when that happened which an alarm calls for: before the call where that waited for the database."""
        opened_at, began_at = self._began.get(alarm.incident_id, (None, alarm.raised_at))
        if alarm.raised_at != opened_at or alarm.n_repeats:
            # The incident began with another call than this one.
            return alarm.raised_at
        due_at = began_at + timedelta(seconds=self._tunings.of_alarm(alarm).on_delay_s)
        return due_at if alarm.raised_at - due_at > LATE else alarm.raised_at

    def take_alarm(self, alarm: Alarm) -> None:
        """Ask for clips where an alarm that cameras see has just called."""
        if not alarm.is_calling or not alarm.incident_id or alarm.occurrence in self._asked:
            return
        cameras = {camera.camera_id: camera for camera in self._cameras()}
        chosen = [cameras[camera_id] for camera_id in Watchers(cameras.values()).around(alarm) if camera_id in cameras][
            :MOST_CAMERAS
        ]
        if not chosen:
            return
        self._asked[alarm.occurrence] = None
        while len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        if len({occurrence for occurrence, _ in self._waiting}) >= MOST_TOGETHER:
            self._spawn(self._leave_out(alarm, chosen[0]))
            return
        loop, at = asyncio.get_running_loop(), self._happened_at(alarm)
        for camera in chosen:
            self._waiting[alarm.occurrence, camera.camera_id] = loop.create_future()
            self._ask(camera.camera_id, alarm.occurrence, at)
        self._spawn(self._keep_all(alarm, chosen, at))

    def take_clip(self, kept: ClipKept) -> None:
        """A camera sends what it kept."""
        waiting = self._waiting.get((kept.clip_id, kept.camera_id))
        if waiting is not None and not waiting.done():
            waiting.set_result(kept)

    async def _keep_all(self, alarm: Alarm, cameras: list[Camera], at: datetime) -> None:
        until_s = asyncio.get_running_loop().time() + self._give_up_s
        try:
            await self._expect(alarm, cameras, at)
            await asyncio.gather(*(self._keep(alarm, camera, at, until_s) for camera in cameras))
        finally:
            for camera in cameras:
                self._waiting.pop((alarm.occurrence, camera.camera_id), None)

    async def _expect(self, alarm: Alarm, cameras: list[Camera], at: datetime) -> None:
        named = [(camera.camera_id, camera.name) for camera in cameras]
        try:
            await self._clips.expect(alarm.incident_id, named, at=at, occurrence=alarm.occurrence, title=alarm.title)
        except ConsoleError as error:
            log.warning("the clips of incident %s are not written down: %s", alarm.incident_id, error)

    async def _keep(self, alarm: Alarm, camera: Camera, at: datetime, until_s: float) -> None:
        """Store what one camera kept; without it the alarm stands as well, so what is missing is written down."""
        try:
            async with asyncio.timeout_at(until_s):
                kept = await self._waiting[alarm.occurrence, camera.camera_id]
        except TimeoutError:
            await self._lose(alarm, camera, "It did not answer in time.")
            return
        if not kept.pictures:
            late_s = (self._clock.now() - at).total_seconds()
            why = "It gave no picture, or was taking too many clips already."
            if late_s > BEFORE_S + AFTER_S + LATE_S:
                why = f"The call came {late_s:.0f} s after what it is about: nothing is kept of that time any more."
            await self._lose(alarm, camera, why)
            return
        try:
            await self._clips.keep(
                alarm.incident_id,
                camera.camera_id,
                at=at,
                pictures=kept.pictures,
                camera_name=camera.name,
                occurrence=alarm.occurrence,
            )
        except ConsoleError as error:
            await self._lose(alarm, camera, str(error))

    async def _leave_out(self, alarm: Alarm, camera: Camera) -> None:
        await self._expect(alarm, [camera], self._happened_at(alarm))
        await self._lose(alarm, camera, f"More than {MOST_TOGETHER} alarms called at once: none was taken of this one.")

    async def _lose(self, alarm: Alarm, camera: Camera, why: str) -> None:
        dark = self._why_dark(camera.camera_id)
        reason = f"{why} {dark}".strip()
        log.warning("no clip of incident %s from camera %s: %s", alarm.incident_id, camera.name, reason)
        try:
            await self._clips.lose(alarm.incident_id, camera.camera_id, reason, occurrence=alarm.occurrence)
        except ConsoleError as error:
            log.warning("what is missing of incident %s is not written down: %s", alarm.incident_id, error)
