"""What drones send by HTTP and WebSocket, and who looks on: telemetry into the room, pictures to the drone's camera."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.cameras.model import Camera, CameraChanged
from core.drones.model import DroneRemoved, DroneReport, DroneState, DronesTold
from core.gateway.http.book import Sender
from core.gateway.http.frames import IS_LOOKED_AT, FrameHead, FrameOrder, FrameVerdict, digest_of
from core.gateway.http.guard import Visit
from core.gateway.http.jpeg import check_jpeg
from core.gateway.http.keys import DRONE_ID_HINT, is_drone_id
from core.gateway.http.multipart import picture_of
from core.gateway.http.pictures import EdgePictures
from core.gateway.http.refusal import Refused
from core.gateway.http.route import GatewayRoom
from core.gateway.telemetry import QR, SEED_FIELDS, Telemetry, report_of
from core.kernel.errors import BadInputError
from core.media.model import EDGE

LINK = "http"
MAX_KEYLESS = 50
"""Drones that come without a key, since the node started."""

QUICK_BYTES = 128 * 1024
"""A picture of at most so much is looked through and laid into memory faster than it is handed to a thread and back."""

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Posted:
    """The newest telemetry of a drone, as it was said."""

    drone_id: str
    said: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """The newest picture of a drone; `at` is when it was taken, by our clock."""

    drone_id: str
    jpeg: bytes
    at: datetime
    number: int


@dataclass(slots=True, eq=False)
class Viewer:
    """Somebody who looks on over a WebSocket: what is new for them, newest first and nothing twice.

    Attributes:
        only: The one drone that they may see; empty for all.
        videos: Drones whose pictures they want.
    """

    only: str = ""
    videos: frozenset[str] = frozenset()
    states: dict[str, DroneState] = field(default_factory=dict)
    pictures: dict[str, Shown] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def may_see(self, drone_id: str) -> bool:
        """Return whether a drone is theirs to see."""
        return not self.only or drone_id == self.only


class DroneDesk:
    """Takes in what drones say.

    Threads: the node's loop; pictures are checked and written on others.
    """

    def __init__(self, room: GatewayRoom) -> None:
        """Know nothing yet."""
        self._room = room
        self._posted: OrderedDict[str, Posted] = OrderedDict()
        self._shown: dict[str, Shown] = {}
        self._keyless: set[str] = set()
        self._met: set[str] = set()
        self._order = FrameOrder()
        self._pictures = EdgePictures(room.pictures)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._viewers: set[Viewer] = set()
        room.bus.subscribe(DronesTold, self._on_told)
        self._drones_by_camera: dict[str, str] = {}
        self._private: set[str] = set()
        room.bus.subscribe(DroneRemoved, self._on_removed)
        room.bus.subscribe(CameraChanged, lambda event: self._note_privacy(event.camera))

    # -- who --------------------------------------------------------------------------------------------------------

    def drone_of(self, visit: Visit, wanted: str) -> str:
        """Return the drone that a sender speaks for.

        Args:
            visit: Who it is.
            wanted: Id that it names itself; empty for the key's own, or one made of its address.

        Raises:
            Refused: It may not speak for that one.
        """
        key = visit.key
        if key is not None:
            if wanted and wanted != key.drone_id:
                raise Refused(403, f"The key {key.name} belongs to drone {key.drone_id}.", hint="Leave droneId out.")
            return key.drone_id
        drone_id = wanted or f"http-{_UNFIT.sub('-', visit.sender.address)}"[:48].rstrip("-")
        if not is_drone_id(drone_id):
            raise Refused(400, f"{wanted[:48]!r} is no id of a drone.", hint=DRONE_ID_HINT)
        self._check_keyless(drone_id)
        self._keyless.add(drone_id)
        return drone_id

    def _check_keyless(self, drone_id: str) -> None:
        if self._room.has_drone_key(drone_id):
            raise Refused(403, f"The drone {drone_id} has a key of its own.", hint="Send that key.")
        if self._room.drones.is_heard_beside(drone_id, LINK):
            raise Refused(
                403, f"The drone {drone_id} is heard on another link.", hint="Make a key for it, and send it."
            )
        if drone_id not in self._keyless and len(self._keyless) >= MAX_KEYLESS:
            raise Refused(403, f"More than {MAX_KEYLESS} drones come without a key.", hint="Make keys for them.")

    def state(self, drone_id: str) -> DroneState | None:
        """Return what is known of a drone; None where there is none."""
        try:
            return self._room.drones.state(drone_id)
        except BadInputError:
            return None

    # -- telemetry --------------------------------------------------------------------------------------------------

    def take(self, visit: Visit, telemetry: Telemetry, wanted: str) -> str:
        """Add what a drone said of itself; returns whose it is.

        Raises:
            Refused: The sender may not speak for that drone.
        """
        drone_id = self.drone_of(visit, telemetry.drone_id or wanted)
        now = self._room.clock.now()
        self._room.drones.take(report_of(telemetry, drone_id=drone_id, link_id=LINK, path=visit.sender.address, at=now))
        self._posted[drone_id] = Posted(drone_id, telemetry.said, now)
        self._posted.move_to_end(drone_id)
        self.name_refused(visit.sender, drone_id, telemetry)
        return drone_id

    def take_code(self, visit: Visit, telemetry: Telemetry, wanted: str) -> bool:
        """Add a code that a drone read; False where nothing was ever heard of the drone."""
        drone_id = self.drone_of(visit, telemetry.drone_id or wanted)
        posted = self._posted.get(drone_id)
        if posted is None:
            return False
        now = self._room.clock.now()
        code = {QR: telemetry.said.get(QR, "")}
        report = report_of(Telemetry(said=code), drone_id=drone_id, link_id=LINK, path=visit.sender.address, at=now)
        self._room.drones.take(report)
        self._posted[drone_id] = replace(posted, said={**posted.said, **code})
        return True

    def name_refused(self, sender: Sender, drone_id: str, telemetry: Telemetry) -> None:
        """Count what cannot be, with the name of its field, for the health panel."""
        if telemetry.refused:
            self._room.on_unusable(sender, f"Of drone {drone_id}: {telemetry.refused[0]}")

    def latest(self, drone_id: str) -> dict[str, Any] | None:
        """Return the newest telemetry as the seed tells it, of one drone or of whoever spoke last; None for none.

        What was not said is None, never 0. `timestamp` is UTC without saying so, as the seed's is.
        """
        if not self._posted:
            return None
        posted = self._posted.get(drone_id) if drone_id else next(reversed(self._posted.values()))
        if posted is None:
            return None
        state = self.state(posted.drone_id)
        seed = {key: posted.said.get(key) for key in SEED_FIELDS}
        return {
            **seed,
            "armed": state.fresh_armed(self._room.clock.now()) if state is not None else None,
            "timestamp": posted.at.replace(tzinfo=None).isoformat(),
            "droneId": posted.drone_id,
            "ageS": round((self._room.clock.now() - posted.at).total_seconds(), 3),
            "link": state.health.value if state is not None else None,
        }

    # -- pictures ---------------------------------------------------------------------------------------------------

    async def take_picture(
        self, visit: Visit, body: bytes, content_type: str, head: FrameHead, wanted: str
    ) -> FrameVerdict:
        """Show a picture on the drone's camera.

        Raises:
            Refused: The sender may not speak for that drone, or nobody wants its pictures.
            BadInputError: It is no picture.
        """
        drone_id, room = self.drone_of(visit, wanted), self._room
        if len(body) <= QUICK_BYTES:
            jpeg, digest = _checked(body, content_type, room.max_frame_pixels)
        else:
            jpeg, digest = await asyncio.to_thread(_checked, body, content_type, room.max_frame_pixels)
        async with self._turns[drone_id]:
            verdict = self._order.judge((LINK, drone_id), head, digest, room.clock.now())
            if verdict.standing in IS_LOOKED_AT:
                await self._show(drone_id, visit.sender.address, jpeg, verdict.at)
        return verdict

    async def _show(self, drone_id: str, path: str, jpeg: bytes, at: datetime) -> None:
        room = self._room
        if drone_id not in self._met and self.state(drone_id) is None:
            # Its pictures are no sign that the drone itself is heard.
            now = room.clock.now()
            room.drones.take(DroneReport(drone_id=drone_id, link_id=LINK, path=path, at=now, is_heartbeat=False))
        self._met.add(drone_id)
        camera = await room.video_of(drone_id)
        if not camera.is_enabled:
            raise Refused(409, f"Camera {camera.name} is disabled here.", hint="Enable it in Devices.")
        if not camera.address.startswith(f"{EDGE}:"):
            raise Refused(409, f"Camera {camera.name} is read by the node itself.", hint="Do not post its pictures.")
        self._drones_by_camera[camera.camera_id] = drone_id
        self._note_privacy(camera)
        if len(jpeg) <= QUICK_BYTES:
            self._pictures.put(camera.camera_id, jpeg)
        else:
            await asyncio.to_thread(self._pictures.put, camera.camera_id, jpeg)
        room.on_frame()
        # A mask may have been drawn meanwhile.
        if camera.camera_id in self._private:
            return
        number = self._shown[drone_id].number + 1 if drone_id in self._shown else 1
        self._shown[drone_id] = shown = Shown(drone_id, jpeg, at, number)
        for viewer in self._viewers:
            if drone_id in viewer.videos and viewer.may_see(drone_id):
                viewer.pictures[drone_id] = shown
                viewer.news.set()

    def shown(self, drone_id: str) -> Shown | None:
        """Return a drone's newest picture; None for none, and where a part of it is private."""
        return self._shown.get(drone_id)

    # -- who looks on -----------------------------------------------------------------------------------------------

    def add_viewer(self, viewer: Viewer) -> Callable[[], None]:
        """Tell somebody everything, and what is new from now on; returns the way to end that."""
        self._viewers.add(viewer)
        viewer.states.update({s.drone_id: s for s in self._room.drones.states() if viewer.may_see(s.drone_id)})
        for drone_id in viewer.videos & self._shown.keys():
            if viewer.may_see(drone_id):
                viewer.pictures[drone_id] = self._shown[drone_id]
        viewer.news.set()

        def end() -> None:
            self._viewers.discard(viewer)

        return end

    def watch_videos(self, viewer: Viewer, drone_ids: frozenset[str]) -> None:
        """Change whose pictures somebody wants; the newest ones come at once."""
        for drone_id in drone_ids - viewer.videos:
            shown = self._shown.get(drone_id)
            if shown is not None and viewer.may_see(drone_id):
                viewer.pictures[drone_id] = shown
                viewer.news.set()
        viewer.videos = drone_ids

    def _note_privacy(self, camera: Camera) -> None:
        """Show nothing of a camera from the moment that a part of its picture is private; its worker blackens it."""
        if not camera.scene.private_parts:
            self._private.discard(camera.camera_id)
            return
        self._private.add(camera.camera_id)
        drone_id = self._drones_by_camera.get(camera.camera_id, "")
        self._shown.pop(drone_id, None)
        for viewer in self._viewers:
            viewer.pictures.pop(drone_id, None)

    def _on_removed(self, event: DroneRemoved) -> None:
        """It comes back once it is heard."""
        for known in (self._posted, self._shown):
            known.pop(event.drone_id, None)
        for names in (self._met, self._keyless):
            names.discard(event.drone_id)

    def _on_told(self, event: DronesTold) -> None:
        for viewer in self._viewers:
            seen = {state.drone_id: state for state in event.states if viewer.may_see(state.drone_id)}
            if seen:
                viewer.states.update(seen)
                viewer.news.set()


def _checked(body: bytes, content_type: str, max_pixels: int) -> tuple[bytes, bytes]:
    jpeg = picture_of(body, content_type)
    check_jpeg(jpeg, max_pixels=max_pixels)
    return jpeg, digest_of(jpeg)
