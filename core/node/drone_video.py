"""A drone's video as a camera of the wall: posted pictures at once, a stream it tells of when a supervisor says so."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from dataclasses import replace

from core.access.model import SYSTEM, Actor
from core.cameras.model import Camera
from core.cameras.service import CameraService
from core.drones.service import DroneService
from core.gateway.http.refusal import Refused
from core.kernel.errors import BadInputError, ConsoleError
from core.media.model import EDGE, NETWORK_SCHEMES
from core.media.parameters import public_address
from core.vision.model import ObservationKind
from core.vision.tuning import without

log = logging.getLogger(__name__)

MAX_CAMERAS = 32
"""That are made by themselves; more are added by hand."""

DETECT_FPS = 5.0
PREFIX = "drone-"


def as_flown(cameras: Iterable[Camera], flying: Container[str]) -> tuple[Camera, ...]:
    """Return cameras as they are watched: one that a drone carries is not watched for having moved."""
    return tuple(
        replace(one, scene=without(one.scene, ObservationKind.CAMERA_MOVED)) if one.camera_id in flying else one
        for one in cameras
    )


class DroneVideo:
    """Finds the camera of a drone.

    Threads: the node's loop.
    """

    def __init__(self, *, drones: DroneService, cameras: CameraService, camera: Callable[[str], Camera | None]) -> None:
        """Use the rooms of drones and cameras.

        Args:
            drones: Which camera belongs to which drone.
            cameras: Where new ones are made.
            camera: Returns one that the node watches.
        """
        self._drones = drones
        self._cameras = cameras
        self._camera = camera
        self._made: dict[str, Camera] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def camera_of(self, drone_id: str) -> Camera:
        """Return the camera of a drone's video, made now where there is none.

        Raises:
            Refused: There are too many.
            ConsoleError: There is no such drone, or the database is away.
        """
        found = self._known(drone_id)
        if found is not None:
            return found
        async with self._turns[drone_id]:
            return self._known(drone_id) or await self._make(drone_id)

    async def add_said(self, actor: Actor, drone_id: str) -> Camera:
        """Make the video that a drone says it has a camera of the wall, and its own.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: It says of none, or of none that can be watched.
        """
        drone = self._drones.drone(drone_id)
        said = self._drones.said_video(drone_id)
        if not said:
            raise BadInputError(f"{drone.name} does not say where its video is.", hint="Add the camera in Devices.")
        if not said.lower().startswith(tuple(f"{scheme}://" for scheme in NETWORK_SCHEMES)):
            raise BadInputError(
                f"{drone.name} sends its video to {public_address(said)[:80]}, which cannot be watched.",
                hint="Have it serve RTSP, RTMP or HTTP, or add another address in Devices.",
            )
        camera = Camera(camera_id="", name=f"Drone {drone.name}", address=said, detect_fps=DETECT_FPS)
        async with self._turns[drone_id]:
            if drone.camera_id and self._camera(drone.camera_id) is not None:
                raise BadInputError(f"{drone.name} has a camera already.", hint="Look at it on the wall.")
            added = await self._cameras.add(actor, camera, "")
            await self._drones.save(actor, replace(self._drones.drone(drone_id), camera_id=added.camera_id))
        log.info("the video of drone %s is the camera %s", drone_id, added.camera_id)
        return added

    def _known(self, drone_id: str) -> Camera | None:
        camera_id = self._drones.drone(drone_id).camera_id
        found = self._camera(camera_id) if camera_id else None
        if found is not None:
            self._made.pop(drone_id, None)
        return found or self._made.get(drone_id)

    async def _make(self, drone_id: str) -> Camera:
        camera_id = f"{PREFIX}{drone_id}"
        camera = next((one for one in await self._cameras.list() if one.camera_id == camera_id), None)
        if camera is None:
            if sum(one.camera_id.startswith(PREFIX) for one in await self._cameras.list()) >= MAX_CAMERAS:
                raise Refused(
                    503, f"{MAX_CAMERAS} drones have a camera already.", hint="Remove those that do not fly any more."
                )
            name = f"Drone {self._drones.drone(drone_id).name}"
            camera = await self._cameras.add(
                SYSTEM, Camera(camera_id=camera_id, name=name, address=f"{EDGE}:", detect_fps=DETECT_FPS), ""
            )
            log.info("drone %s sends pictures: its camera is %s", drone_id, camera_id)
        self._made[drone_id] = camera
        try:
            await self._drones.save(SYSTEM, replace(self._drones.drone(drone_id), camera_id=camera_id))
        except ConsoleError as error:
            log.warning("the camera of drone %s could not be noted: %s", drone_id, error)
        return camera
