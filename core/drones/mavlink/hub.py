"""All links to drones that speak MAVLink: opened, watched, decoded twenty times a second, asked on where that is on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from core.drones.mavlink.address import LinkAddress
from core.drones.mavlink.asking import Asking, BeatAs
from core.drones.mavlink.frames import Frame
from core.drones.mavlink.intake import Intake
from core.drones.mavlink.owners import Owners
from core.drones.mavlink.raw_log import log_name
from core.drones.mavlink.signed_times import SignedTimes, Times
from core.drones.mavlink.signing import key_of
from core.drones.mavlink.sockets import Source, make_source
from core.drones.model import ActiveProfile, DroneLink, DroneReport, LinkKind, SigningPolicy
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.log import OncePerLoss

log = logging.getLogger(__name__)

FLUSH_S = 0.05
"""Twice as often as drones speak and states are told: what comes ten times a second is told ten times a second."""
KEEP_TIMES_S = 2.0
"""Between two writes of the newest signed times: what is recorded in the last of them is believed after a crash."""

TELL_EVERY = 20
"""Flushes between two words about the links themselves."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 15.0
FLOOD_SHOWN = timedelta(seconds=60)


class RawLog(Protocol):
    """Keeps what came, as it came."""

    def write(self, name: str, at: datetime, frames: Sequence[Frame]) -> None:
        """Keep messages that arrived at an instant, in the log of a name."""
        ...

    def faults(self) -> tuple[str, ...]:
        """Return what is wrong with the logs, each a sentence with a way out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnVoice:
    """How links speak while they are active.

    Attributes:
        system: Our own number.
    """

    system: int = 245
    beat_as: BeatAs = BeatAs.COMPANION


@dataclass(frozen=True, slots=True)
class _Active:
    """What goes on while a link is active.

    Attributes:
        ends_s: Of the monotonic clock: a wall clock that is set back makes it no longer.
    """

    profile: ActiveProfile
    asking: Asking
    ends_s: float


@dataclass(slots=True)
class _Link:
    address: LinkAddress
    intake: Intake
    source: Source
    key: bytes | None = None
    active: _Active | None = None
    is_open: bool = False
    reason: str = ""
    n_dropped: int = 0
    flooded_at: datetime | None = None


def secret_name(link_id: str) -> str:
    """Return under which name a link's signing key is kept."""
    return f"drone_link/{link_id}"


class MavlinkHub:
    """Opens every link of the settings and hands on what drones say.

    Threads: the node's loop.
    """

    def __init__(
        self,
        addresses: Sequence[LinkAddress],
        *,
        take: Callable[[DroneReport], None],
        tell: Callable[[tuple[DroneLink, ...]], None],
        clock: Clock,
        signing: SigningPolicy = SigningPolicy.OFF,
        get_secret: Callable[[str], str | None] = lambda _name: None,
        raw_log: RawLog | None = None,
        n_refused: Callable[[str], int] = lambda _link_id: 0,
        voice: OwnVoice | None = None,
        on_over: Callable[[str, ActiveProfile], None] = lambda _link_id, _profile: None,
        uids: Callable[[], Mapping[str, str]] = dict,
        signed_times: SignedTimes | None = None,
    ) -> None:
        """Prepare.

        Args:
            addresses: Of the links.
            take: Hears what is said of each drone.
            tell: Hears once a second how the links are, where something is new.
            clock: Says when something arrived.
            signing: For links that do not say it themselves.
            get_secret: Returns a secret by its name; asked before the links are opened.
            raw_log: Keeps what came.
            n_refused: Returns how many values of a link were refused.
            voice: How links speak while they are active.
            on_over: Hears which link is not active any more, because its time is over.
            uids: Returns the hardware numbers of the drones that are known, by drone.
            signed_times: Keeps the newest signed times; without it old messages are believed after a restart.
        """
        self._voice = voice or OwnVoice()
        self._on_over = on_over
        self._take = take
        self._tell = tell
        self._clock = clock
        self._raw_log = raw_log
        self._n_refused = n_refused
        self._owners = Owners(uids)
        self._once = OncePerLoss(log)
        self._told: tuple[DroneLink, ...] = ()
        self._links: dict[str, _Link] = {}
        self._signed_times = signed_times
        for address in addresses:
            self._add(address, address.signing or signing, get_secret)

    def _add(self, address: LinkAddress, policy: SigningPolicy, get_secret: Callable[[str], str | None]) -> None:
        secret = get_secret(secret_name(address.link_id)) if policy is not SigningPolicy.OFF else None
        key = key_of(secret) if secret else None
        self._links[address.link_id] = _Link(
            address=address,
            key=key,
            intake=Intake(
                address.link_id,
                policy=policy,
                key=key,
                times=self._signed_times.of(address.link_id, key) if self._signed_times is not None and key else None,
                is_stream=address.kind is not LinkKind.UDP,
            ),
            source=make_source(address, self._clock),
        )

    async def run(self) -> None:
        """Listen until it is cancelled."""
        tasks = {link_id: asyncio.create_task(self._keep_open(link)) for link_id, link in self._links.items()}
        keeping = [asyncio.create_task(self._keep_times(times)) for times in (self._signed_times,) if times is not None]
        try:
            n_flushes = 0
            due_s = asyncio.get_running_loop().time()
            while True:
                # By a grid: what is shown ten times a second must not wait for the time that flushing takes.
                now_s = asyncio.get_running_loop().time()
                due_s = max(due_s + FLUSH_S, now_s)
                await asyncio.sleep(due_s - now_s)
                self.flush()
                self.speak()
                n_flushes += 1
                if n_flushes % TELL_EVERY == 0:
                    self._revive(tasks)
                    self._tell_links()
        finally:
            for task in (*tasks.values(), *keeping):
                task.cancel()
            await asyncio.gather(*tasks.values(), *keeping, return_exceptions=True)

    def _revive(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Open links anew whose listening ended by an error of ours: none stays silent unseen."""
        for link_id, task in tasks.items():
            if not task.done():
                continue
            link, error = self._links[link_id], task.exception()
            link.is_open = False
            link.reason = f"Listening broke off ({type(error).__name__}: {error}). It is opened anew by itself."
            log.error("listening for drones on %s broke off", link.address.text, exc_info=error)
            tasks[link_id] = asyncio.create_task(self._keep_open(link))

    def flush(self) -> None:
        """Decode what came and hand it on."""
        for link in self._links.values():
            for report in link.intake.flush():
                self._take(report if report.is_other else self._owners.settled(report))

    async def _keep_times(self, times: SignedTimes) -> None:
        """Keep the newest signed times for the next start; a disk that does not take them is tried again."""
        while True:
            await asyncio.sleep(KEEP_TIMES_S)
            try:
                await asyncio.to_thread(times.keep, self._signed())
            except OSError as error:
                self._once.lost("signed", f"the newest signed times of drones are not kept: {error}")
            else:
                self._once.back("signed", "the newest signed times of drones are kept again")

    def _signed(self) -> dict[str, tuple[bytes, Times]]:
        found = {link_id: link.intake.signed for link_id, link in self._links.items()}
        return {link_id: signed for link_id, signed in found.items() if signed is not None}

    def close(self) -> None:
        """Keep what a restart needs; call it once nothing is heard any more."""
        if self._signed_times is not None:
            try:
                self._signed_times.keep(self._signed())
            except OSError as error:
                log.error("the newest signed times of drones are not kept: %s", error)

    def forget(self, drone_id: str) -> None:
        """Let go of a drone that was removed."""
        self._owners.forget(drone_id)

    def check_may_ask(self, link_id: str) -> None:
        """Let pass what can be active.

        Raises:
            BadInputError: There is no such link, nobody can be asked on it, or what is asked could not be signed.
        """
        link = self._links.get(link_id)
        if link is None:
            raise BadInputError(f"There is no link {link_id[:40]!r}.", hint="Look at the list of links again.")
        if not link.source.can_send:
            raise BadInputError(f"{link.address.text} is a file: nobody hears a question.", hint="Choose a real link.")
        if link.intake.policy is not SigningPolicy.OFF and link.key is None:
            raise BadInputError(
                f"{link.address.text} checks signatures, and there is no key to sign questions with.",
                hint=f"Put it into the secret {secret_name(link_id)}.",
            )

    def activate(self, link_id: str, profile: ActiveProfile, *, for_s: float) -> ActiveProfile:
        """Ask on a link from now on, for a while; returns the profile as it is told.

        Raises:
            BadInputError: As `check_may_ask`.
        """
        self.check_may_ask(link_id)
        link = self._links[link_id]
        beat_as = self._voice.beat_as
        told = replace(
            profile,
            beats_as_station=beat_as is BeatAs.GROUND_STATION,
            n_sent_before=link.source.n_bytes_sent,
        )
        asking = Asking(
            system=self._voice.system,
            beat_as=beat_as,
            key=link.key,
            is_stream=link.address.kind is not LinkKind.UDP,
        )
        link.active = _Active(told, asking, self._clock.monotonic() + for_s)
        self._tell_links()
        return told

    def deactivate(self, link_id: str) -> ActiveProfile | None:
        """Fall silent on a link at once; returns what was on."""
        link = self._links.get(link_id)
        if link is None or link.active is None:
            return None
        was, link.active = link.active.profile, None
        self._tell_links()
        return was

    def speak(self) -> None:
        """Send what active links have to say, and end those whose time is over."""
        now_s = self._clock.monotonic()
        for link_id, link in self._links.items():
            if link.active is None:
                continue
            if now_s >= link.active.ends_s:
                self._on_over(link_id, link.active.profile)
                self.deactivate(link_id)
                continue
            if not link.is_open:
                continue
            for path, packet in link.active.asking.due(now_s, link.intake.signed_10us):
                link.source.send(packet, path)

    def links(self) -> tuple[DroneLink, ...]:
        """Return how every link is."""
        return tuple(self._describe(link) for link in self._links.values())

    def source(self, link_id: str) -> Source:
        """Return what brings a link's bytes."""
        return self._links[link_id].source

    async def _keep_open(self, link: _Link) -> None:
        wait_s = FIRST_RETRY_S
        address = link.address

        def on_open() -> None:
            nonlocal wait_s
            wait_s = FIRST_RETRY_S
            link.is_open, link.reason = True, ""
            self._once.back(address.link_id, f"drones are listened for on {address.text}")

        def feed(data: bytes, at: datetime, path: str) -> None:
            frames = link.intake.feed(data, at, path)
            if frames and self._raw_log is not None:
                for name, own in self._by_log(address.link_id, path, frames).items():
                    self._raw_log.write(name, at, own)
            if link.active is not None:
                link.active.asking.note(frames, self._clock.monotonic(), path)

        while True:
            try:
                await link.source.run(feed, on_open)
            except (OSError, ConsoleError, TimeoutError) as error:
                link.reason = str(error) or "It does not answer."
                self._once.lost(address.link_id, f"drones cannot be heard on {address.text}: {link.reason}")
            link.is_open = False
            await asyncio.sleep(wait_s)
            wait_s = min(LAST_RETRY_S, wait_s * 2.0)

    def _by_log(self, link_id: str, path: str, frames: Sequence[Frame]) -> Mapping[str, Sequence[Frame]]:
        """Part messages by the logs that they belong to: a drone whose number another one has too has its own."""
        if not self._owners.has_namesakes:
            return {link_id: frames}
        parted: dict[str, list[Frame]] = {}
        for frame in frames:
            own_id = self._owners.own_id(frame.system, (link_id, path))
            parted.setdefault(log_name(link_id, own_id), []).append(frame)
        return parted

    def _tell_links(self) -> None:
        links = self.links()
        if links != self._told:
            self._told = links
            self._tell(links)

    def _describe(self, link: _Link) -> DroneLink:
        intake, address = link.intake, link.address
        return DroneLink(
            link_id=address.link_id,
            kind=address.kind,
            address=link.source.where or address.text,
            is_open=link.is_open,
            reason=link.reason,
            signing=intake.policy,
            active=None if link.active is None else link.active.profile,
            heard_at=intake.heard_at,
            n_bytes_sent=link.source.n_bytes_sent,
            n_messages=intake.n_messages,
            n_bytes=intake.n_bytes,
            n_corrupt=intake.n_corrupt,
            n_unknown=intake.n_unknown,
            n_refused=self._n_refused(address.link_id),
            n_bad_signatures=intake.n_bad_signatures,
            n_dropped=intake.n_dropped,
            faults=self._faults(link),
        )

    def _faults(self, link: _Link) -> tuple[str, ...]:
        now, intake = self._clock.now(), link.intake
        faults = list(self._owners.faults(link.address.link_id))
        if self._raw_log is not None:
            faults += self._raw_log.faults()
        if intake.n_dropped > link.n_dropped:
            link.n_dropped, link.flooded_at = intake.n_dropped, now
        if link.flooded_at is not None and now - link.flooded_at < FLOOD_SHOWN:
            faults.append(
                f"More came on {link.address.text} than one link may bring: {intake.n_dropped:,} messages were not "
                "looked at. Find who sends there."
            )
        if link.active is not None and link.active.asking.is_number_taken:
            faults.append(
                f"Somebody on {link.address.text} speaks as system {self._voice.system}, our own number, "
                "and is not asked. Give one of them another (drones.active_system)."
            )
        if intake.policy is not SigningPolicy.OFF and not intake.has_key:
            faults.append(
                f"Signatures are to be checked on {link.address.text}, and there is no key. "
                f"Put it into the secret {secret_name(link.address.link_id)}."
            )
        return tuple(faults)
