"""Where drones come in: the links of the settings, and in the demonstration one for its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.access.permission import require
from core.drones.model import ActiveProfile, DroneLink, DroneLinksTold, DroneRemoved, SigningPolicy
from core.drones.service import DroneService
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.secrets import Secrets
from core.kernel.settings import DroneSettings, SettingsFault
from core.kernel.zone import write_site_clock
from core.store.engine import Store

if TYPE_CHECKING:
    from core.drones.mavlink.hub import MavlinkHub

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0
DEMO_LINK = "demo=udp:127.0.0.1:0"
MAX_ACTIVE_MIN = 60
MIN_REASON, MAX_REASON = 3, 200
AUDIT_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneParts:
    """What the door needs of the node."""

    service: DroneService
    bus: Bus
    clock: Clock
    secrets: Secrets
    store: Store


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
        self._writing: set[asyncio.Task[None]] = set()

    def links(self) -> tuple[DroneLink, ...]:
        """Return how every link is."""
        return self._hub.links() if self._hub is not None else ()

    async def run(self) -> None:
        """Listen until it is cancelled."""
        if not self._texts:
            return
        self._hub = hub = await asyncio.to_thread(self._make_hub)
        self._is_made.set()
        self._parts.bus.subscribe(DroneRemoved, lambda event: hub.forget(event.drone_id))
        try:
            await self._keep_listening(hub)
        finally:
            hub.close()
            for task in self._writing:
                task.cancel()

    async def _keep_listening(self, hub: MavlinkHub) -> None:
        while True:
            listening = asyncio.create_task(hub.run())
            try:
                await asyncio.wait({listening})
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            log.error("listening for drones broke off, and begins anew", exc_info=listening.exception())
            await asyncio.sleep(AGAIN_AFTER_S)

    async def activate(self, actor: Actor, link_id: str, *, reason: str, minutes: int) -> DroneLink:
        """Let a link ask drones for messages for a while; it is written down before the first byte goes out.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is no such link, nobody can be asked on it, or reason or time are none.
        """
        require(actor, Role.SUPERVISOR)
        hub, why = self._open_hub(), " ".join(reason.split())
        hub.check_may_ask(link_id)
        if not MIN_REASON <= len(why) <= MAX_REASON:
            raise BadInputError(
                f"A reason has {MIN_REASON} to {MAX_REASON} characters.", hint="Write why this link has to send."
            )
        if not 1 <= minutes <= MAX_ACTIVE_MIN:
            raise BadInputError(
                f"A link is active for 1 to {MAX_ACTIVE_MIN} minutes.",
                hint="Switch it on again where that is too short.",
            )
        now = self._parts.clock.now()
        until = now + timedelta(minutes=minutes)
        profile = ActiveProfile(by=actor.name, reason=why, since=now, until=until)
        detail = f"active until {write_site_clock(until)}: {why}"
        await self._note(actor, link_id, "drones.link_active", detail)
        hub.activate(link_id, profile, for_s=minutes * 60.0)
        return self._link(link_id)

    async def deactivate(self, actor: Actor, link_id: str) -> DroneLink:
        """Let a link only listen again: silent at once, written down afterwards.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such link.
        """
        require(actor, Role.OPERATOR)
        hub = self._open_hub()
        link = self._link(link_id)
        was = hub.deactivate(link_id)
        if was is not None:
            self._note_soon(actor, link_id, f"listens only; {link.n_bytes_sent - was.n_sent_before:,} bytes were sent")
        return self._link(link_id)

    def _on_over(self, link_id: str, profile: ActiveProfile) -> None:
        n_bytes = self._link(link_id).n_bytes_sent - profile.n_sent_before
        self._note_soon(SYSTEM, link_id, f"listens only, its time is over; {n_bytes:,} bytes were sent")

    def _open_hub(self) -> MavlinkHub:
        if self._hub is None:
            raise UnavailableError("No link to drones is open yet.", hint="Try again in a moment.")
        return self._hub

    def _link(self, link_id: str) -> DroneLink:
        found = next((link for link in self.links() if link.link_id == link_id), None)
        if found is None:
            raise BadInputError(f"There is no link {link_id[:40]!r}.", hint="Look at the list of links again.")
        return found

    async def _note(self, actor: Actor, link_id: str, action: str, detail: str) -> None:
        parts = self._parts
        subject = f"link {link_id}"
        await audit.record(parts.store, parts.clock, actor, action=action, subject=subject, detail=detail)

    def _note_soon(self, actor: Actor, link_id: str, detail: str) -> None:
        """Write down that a link is silent again: that it is does not wait for the database."""
        task = asyncio.create_task(self._note_until_it_stands(actor, link_id, detail))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _note_until_it_stands(self, actor: Actor, link_id: str, detail: str) -> None:
        while True:
            try:
                await self._note(actor, link_id, "drones.link_passive", detail)
            except ConsoleError as error:
                log.warning("that the link %s is silent again is not written down yet: %s", link_id, error)
                await asyncio.sleep(AUDIT_AGAIN_S)
            else:
                return

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
        from core.drones.mavlink.asking import BeatAs
        from core.drones.mavlink.hub import MavlinkHub, OwnVoice
        from core.drones.mavlink.signed_times import SignedTimes

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
            voice=OwnVoice(system=self._settings.active_system, beat_as=BeatAs(self._settings.active_heartbeat)),
            on_over=self._on_over,
            uids=service.uids,
            signed_times=SignedTimes(service.history.folder / "signed.json"),
        )
