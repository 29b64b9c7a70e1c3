"""The node's door for HTTP: opened where the settings want it, and tried again while its port is taken."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cameras.model import Camera
from core.field.model import BadSource
from core.gateway.http.book import Book
from core.gateway.http.keys import KeyDesk
from core.gateway.http.model import GatewayReport, GatewayState
from core.incidents.model import Condition
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import ConsoleError
from core.kernel.log import OncePerLoss
from core.kernel.settings import GatewaySettings
from core.media.model import EDGE
from core.node import conditions
from core.node.bay_pictures import mask
from core.node.bay_sight import BaySightHub
from core.node.services import Services

if TYPE_CHECKING:
    from core.gateway.http.route import GatewayRoom
    from core.gateway.http.server import HttpServer

log = logging.getLogger(__name__)

ShapesOf = Callable[[str], Mapping[str, tuple[int, int]]]
"""Gives the sizes of the pictures [px] that a camera's drawings belong to, as `LearnedView.shapes` has them."""

RETRY_S = 5.0
COUNTS_EVERY_S = 30.0
OFF = "The gateway is off."
OFF_HINT = "Set gateway.enabled = true in the node's settings and start it again."


class HttpDoor:
    """Runs the gateway.

    Threads: the owner's loop; its libraries are imported on a thread of their own, and only where it is enabled.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        keys: KeyDesk,
        clock: Clock,
        raise_condition: Callable[[Condition], None],
        return_condition: Callable[[str], None],
        on_open: Callable[[str], None] = lambda _address: None,
    ) -> None:
        """Open nothing yet; `on_open` hears where it listens, each time."""
        self._on_open = on_open
        self._settings = settings
        self._keys = keys
        self._raise = raise_condition
        self._return = return_condition
        self._once = OncePerLoss(log)
        self._server: HttpServer | None = None
        self._state = GatewayState.STARTING if settings.enabled else GatewayState.OFF
        self._reason = "" if settings.enabled else f"{OFF} {OFF_HINT}"
        self.book = Book(keys, clock)

    async def run(self, make_room: Callable[[], GatewayRoom]) -> None:
        """Listen for as long as the task lives; a port that is taken is tried again."""
        if not self._settings.enabled:
            return
        app = await asyncio.to_thread(_build, make_room, self._keys, self.book)
        while True:
            self._server = await asyncio.to_thread(_server_of, app, self._settings)
            try:
                await self._server.start()
                self._opened()
                while not await self._server.wait(COUNTS_EVERY_S):
                    await self._store_counts()
                self._failed("The gateway ended by itself; the log may say why. It is opened again.")
            except ConsoleError as error:
                self._failed(str(error))
            finally:
                await self._server.stop()
                await self._store_counts()
            await asyncio.sleep(RETRY_S)

    def report(self) -> GatewayReport:
        """Return how it is now."""
        server = self._server
        return GatewayReport(
            state=self._state,
            address=server.address if server is not None else "",
            reason=self._reason,
            n_requests=self.book.n_requests,
            n_refused=self.book.n_refused,
            n_frames=self.book.n_frames,
            n_connections=server.n_connections if server is not None else 0,
        )

    def bad_sources(self) -> tuple[BadSource, ...]:
        """Return who was refused, the worst first."""
        return self.book.bad_sources()

    def _opened(self) -> None:
        self._state, self._reason = GatewayState.OPEN, ""
        self._return(conditions.gateway_down("").condition_key)
        self._once.back("gateway", "the gateway listens")
        if self._server is not None:
            self._on_open(self._server.address)

    def _failed(self, sentence: str) -> None:
        self._state, self._reason = GatewayState.FAILED, sentence
        self._raise(conditions.gateway_down(sentence))
        self._once.lost("gateway", f"the gateway does not listen: {sentence}")

    async def _store_counts(self) -> None:
        try:
            await self._keys.store_counts()
        except ConsoleError as error:
            self._once.lost("counts", f"counts of device keys wait for the database: {error}")
        else:
            self._once.back("counts", "counts of device keys are stored again")


def looks_at_posted(camera: Camera) -> bool:
    """Tell whether a camera's bays are looked at in its pictures as they were posted.

    Where parts of the picture are private, only the worker, which makes them black, shows it to anybody.
    """
    return camera.address.startswith(f"{EDGE}:") and not camera.scene.private_parts


async def look_back(
    bay_sight: BaySightHub,
    camera: Callable[[str], Camera | None],
    shapes_of: ShapesOf,
    lot_id: str,
    camera_id: str,
    jpeg: bytes,
    at: datetime,
) -> None:
    """Have a posted picture of the past looked at, its private parts black; ends once it is in the history.

    Raises:
        As `BaySightHub.submit_history`, and as `mask`.
    """
    known = camera(camera_id)
    if known is not None and known.scene.private_parts:
        jpeg = await asyncio.to_thread(mask, jpeg, known.scene.private_parts, shapes_of(camera_id))
    # Who stops waiting stops no look: the same picture, sent again, shares its answer.
    await asyncio.shield(bay_sight.submit_history(lot_id, camera_id, jpeg, at))


def make_gateway_room(
    settings: GatewaySettings,
    *,
    clock: Clock,
    bus: Bus,
    services: Services,
    pictures: Path,
    camera: Callable[[str], Camera | None],
    shapes_of: ShapesOf,
    video_of: Callable[[str], Awaitable[Camera]],
    bay_sight: BaySightHub,
    book: Book,
) -> GatewayRoom:
    """Return what the gateway's routes may use of the node."""
    from core.gateway.http.route import GatewayRoom

    async def look(lot_id: str, camera_id: str, jpeg: bytes, at: datetime) -> bool:
        known = camera(camera_id)
        if known is not None and not looks_at_posted(known):
            return False
        lots = (lot_id, *(other for other in bay_sight.views_of(camera_id) if other != lot_id))
        looks = await asyncio.gather(*(bay_sight.submit(lot, camera_id, jpeg, at) for lot in lots))
        return bool(looks[0])

    return GatewayRoom(
        clock=clock,
        bus=bus,
        max_frame_bytes=round(settings.max_frame_mb * 1e6),
        max_frame_pixels=round(settings.max_frame_megapixels * 1e6),
        frames_per_s=settings.frames_per_s,
        pictures=pictures,
        parking=services.parking,
        camera=camera,
        submit=look,
        submit_history=partial(look_back, bay_sight, camera, shapes_of),
        devices=lambda: tuple(services.field.devices()),
        open_alarms=services.incidents.open_alarms,
        recent_incidents=services.incidents.recent_incidents,
        drones=services.drones,
        has_drone_key=services.gateway_keys.has_drone,
        video_of=video_of,
        is_keyless=is_in_networks(settings.keyless_drones),
        on_frame=book.note_frame,
        on_unusable=book.note_unusable,
    )


def demo_gateway(settings: GatewaySettings) -> GatewaySettings:
    """Return the gateway of the demonstration: on any port of this machine, for its own drone."""
    if settings.enabled:
        return settings
    return settings.model_copy(
        update={"enabled": True, "host": "127.0.0.1", "port": 0, "keyless_drones": "127.0.0.1", "certificate_file": ""}
    )


def is_in_networks(text: str) -> Callable[[str], bool]:
    """Return what tells whether an address lies in one of the networks of a setting; an empty one names none."""
    networks = tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())

    def contains(address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return any(plain in network for network in networks)

    return contains


def _build(make_room: Callable[[], GatewayRoom], keys: KeyDesk, book: Book) -> Any:
    from core.gateway.http.app import guard_app

    return guard_app(make_room(), keys=keys, book=book)


def _server_of(app: Any, settings: GatewaySettings) -> HttpServer:
    from core.gateway.http.server import HttpServer

    return HttpServer(
        app,
        host=settings.host,
        port=settings.port,
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
    )
