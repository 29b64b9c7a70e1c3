"""Adding cameras by ONVIF: which ones are in the network, and what one of them is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from core.access.model import Actor, Role
from core.access.permission import require
from core.cameras.address import complete_onvif, host_of, hosts_of
from core.cameras.onvif.client import OnvifCamera
from core.cameras.onvif.discovery import discover
from core.cameras.onvif.model import CameraDescription, Discovery, FoundCamera
from core.cameras.service import CameraService
from core.kernel.errors import UnavailableError
from core.media.webcam import Webcam, list_webcams

DESCRIBE_S = 15.0
"""A camera with many profiles is asked often; the console waits 20 s."""


class OnvifService:
    """Finds cameras and describes them.

    Threads: all calls come from the owner's loop.
    """

    def __init__(
        self,
        cameras: CameraService,
        *,
        search: Callable[[], Awaitable[Discovery]] = discover,
        list_webcams: Callable[[], Sequence[Webcam]] = list_webcams,
    ) -> None:
        """Ask nothing yet."""
        self._cameras = cameras
        self._list_webcams = list_webcams
        self._search = search
        self._searching: asyncio.Task[Discovery] | None = None

    async def find(self, actor: Actor) -> Discovery:
        """Return the cameras in the networks of this node, those plugged into it, and which ones we have already.

        Raises:
            NotPermittedError: The actor is no supervisor.
        """
        require(actor, Role.SUPERVISOR)
        if self._searching is None or self._searching.done():
            # Two supervisors who search at once hear the same answers.
            self._searching = asyncio.ensure_future(self._search())
        found = await asyncio.shield(self._searching)
        plugged_in = await asyncio.to_thread(self._list_webcams)
        owners: dict[str, str] = {}
        for camera in await self._cameras.list():
            owners |= dict.fromkeys(
                (*hosts_of((camera.address, camera.onvif_address)), camera.address), camera.camera_id
            )
        marked = [replace(one, camera_id=owners.get(host_of(one.address), "")) for one in found.cameras]
        marked += [
            FoundCamera(endpoint=one.address, address=one.address, name=one.name, camera_id=owners.get(one.address, ""))
            for one in plugged_in
        ]
        return replace(found, cameras=tuple(marked))

    async def describe(
        self, actor: Actor, address: str, *, username: str, password: str, camera_id: str = ""
    ) -> CameraDescription:
        """Return what the camera at an address is.

        Args:
            actor: A supervisor.
            address: Of its device service, or its host alone.
            username: Empty asks without a login.
            password: With an empty one, that of the camera `camera_id` is used, if it has the same host.
            camera_id: Empty for a new camera.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: It is no ONVIF camera, or does not let us in.
            UnavailableError: It does not answer.
        """
        require(actor, Role.SUPERVISOR)
        address = complete_onvif(address)
        if username and not password and camera_id:
            password = await self._cameras.password_for(camera_id, address)
        camera = OnvifCamera(address, username, password)
        try:
            async with asyncio.timeout(DESCRIBE_S):
                await camera.connect()
                return await camera.describe()
        except TimeoutError as error:
            raise UnavailableError(
                f"{host_of(address)} answers too slowly: {DESCRIBE_S:g} s were not enough.", hint="Try again."
            ) from error
