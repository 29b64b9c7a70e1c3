"""Where drones come in: the links of the settings, and in the demonstration one for its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.drones.model import DroneLink, DroneLinksTold, SigningPolicy
from core.drones.service import DroneService
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import ConsoleError
from core.kernel.secrets import Secrets
from core.kernel.settings import DroneSettings, SettingsFault

if TYPE_CHECKING:
    from core.drones.mavlink.hub import MavlinkHub

log = logging.getLogger(__name__)

DEMO_LINK = "demo=udp:127.0.0.1:0"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneParts:
    """What the door needs of the node."""

    service: DroneService
    bus: Bus
    clock: Clock
    secrets: Secrets


class DroneDoor:
    """Opens the links that are wanted and hands what comes to the service.

    Threads: the node's loop.
    """

    def __init__(
        self, settings: DroneSettings, parts: DroneParts, *, is_demo: bool, on_fault: Callable[[SettingsFault], None]
    ) -> None:
        """Prepare; nothing is opened before `run`.

        Args:
            settings: Which links, and how signatures are judged.
            parts: Of the node.
            is_demo: Listen for the demonstration's drones as well.
            on_fault: Hears of each link of the settings that cannot be read.
        """
        self._settings = settings
        self._parts = parts
        self._texts = (*settings.links, *((DEMO_LINK,) if is_demo else ()))
        self._on_fault = on_fault
        self._hub: MavlinkHub | None = None
        self._is_made = asyncio.Event()

    def links(self) -> tuple[DroneLink, ...]:
        """Return how every link is."""
        return self._hub.links() if self._hub is not None else ()

    async def run(self) -> None:
        """Listen until it is cancelled."""
        if not self._texts:
            return
        self._hub = await asyncio.to_thread(self._make_hub)
        self._is_made.set()
        await self._hub.run()

    async def demo_port(self) -> int:
        """Wait until the demonstration's link is open; returns its port."""
        from core.drones.mavlink.sockets import UdpSource

        await self._is_made.wait()
        assert self._hub is not None
        source = self._hub.source("demo")
        assert isinstance(source, UdpSource)
        return await source.bound_port()

    def _make_hub(self) -> MavlinkHub:
        """Read the links; off the loop, for keys may come from a keyring that takes its time."""
        from core.drones.mavlink.address import LinkAddress, parse_link
        from core.drones.mavlink.hub import MavlinkHub

        addresses: dict[str, LinkAddress] = {}
        for text in self._texts:
            try:
                address = parse_link(text)
            except ConsoleError as error:
                self._on_fault(SettingsFault(origin="settings", key="drones.links", reason=f"{error} {error.hint}"))
                continue
            addresses[address.link_id] = address
        service, bus = self._parts.service, self._parts.bus
        return MavlinkHub(
            tuple(addresses.values()),
            take=service.take,
            tell=lambda links: bus.publish(DroneLinksTold(links)),
            clock=self._parts.clock,
            signing=SigningPolicy(self._settings.signing),
            get_secret=self._parts.secrets.get_secret,
            raw_log=service.history.raw_logs,
            n_refused=lambda link_id: service.refused[link_id],
        )
