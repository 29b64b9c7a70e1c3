"""What one link brings: split and checked at once, decoded twenty times a second, and of a state only the newest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from core.drones.mavlink import words
from core.drones.mavlink.decode import (
    EVENT_DECODERS,
    PERIPHERAL_DECODERS,
    RADIO_DECODERS,
    STATE_DECODERS,
    Memory,
    Parts,
)
from core.drones.mavlink.dialect import CHECKSUM_EXTRAS, INSTANCE_OFFSETS, decode, number_of
from core.drones.mavlink.frames import Frame, FrameSplitter
from core.drones.mavlink.remote_id import REMOTE_ID, RemoteIds
from core.drones.mavlink.signed_times import Times
from core.drones.mavlink.signing import SignatureCheck
from core.drones.merge import Turns
from core.drones.model import DroneReport, Signing, SigningPolicy

MAX_MESSAGES_PER_S = 6000
"""Of one link; 150 drones that send 40 each. Beyond is a flood: counted, and not looked at."""

MAX_PATHS, MAX_SYSTEMS = 128, 255
MAX_WAITING = 64
"""Messages of a component that are kept until it says with a heartbeat that it is an autopilot."""

MAX_EVENTS = 64
DEBT_S = 0.1
"""What one piece of data costs beyond the rate is paid back for so long at most: nobody is muted by one datagram."""

OTHER_BOOT_S = 1.0
"""Clocks that began so far apart are those of two drones."""

TURNS, TURNS_WITHIN_S = 6, 10.0
"""Clocks that take turns so often are those of two drones that speak at once."""

LOSS_OVER = 200
"""Messages that the share of lost ones is counted over."""

BYTES_OF_ONE = 40
"""Of a message in a flood that nobody counts one by one."""

HEARTBEAT = number_of("HEARTBEAT")
HIGH_LATENCY2 = number_of("HIGH_LATENCY2")
TIMED = frozenset({number_of("ATTITUDE"), number_of("GLOBAL_POSITION_INT")})
"""They begin with the time since the drone was switched on [ms]."""

_AUTOPILOT_OFFSET, _TYPE_OFFSET, _TYPE_GROUND_STATION = 5, 4, 6
_MAIN_COMPONENT: Final = 1


@dataclass(slots=True)
class _Sequence:
    """Numbers of one sender, and what is missing between them."""

    last: int
    n_heard: int = 0
    n_lost: int = 0

    def take(self, number: int) -> None:
        gap = (number - self.last - 1) & 0xFF
        self.last = number
        # What comes twice or out of order is not lost.
        self.n_lost += gap if gap < 128 else 0
        self.n_heard += 1
        if self.n_heard + self.n_lost > LOSS_OVER:
            self.n_heard //= 2
            self.n_lost //= 2

    @property
    def loss(self) -> float | None:
        n_all = self.n_heard + self.n_lost
        return None if n_all < 10 else self.n_lost / n_all


@dataclass(slots=True)
class _Autopilot:
    """One drone on one path."""

    system: int
    component: int
    memory: Memory = field(default_factory=Memory)
    states: dict[tuple[int, int], Frame] = field(default_factory=dict)
    events: list[Frame] = field(default_factory=list)
    at: datetime | None = None
    has_beaten: bool = False
    has_two: bool = False
    clocks: Turns[float] = field(
        default_factory=lambda: Turns(lambda a, b: abs(a - b) > OTHER_BOOT_S, TURNS, TURNS_WITHIN_S)
    )
    signing: Signing = Signing.OFF

    def look_at_clock(self, frame: Frame, at: datetime) -> None:
        """Note by when a drone was switched on whether two take turns under one number.

        Counters do not tell: an autopilot has one for each of its ports, and a router may join those.
        """
        booted_s = at.timestamp() - int.from_bytes(frame.raw[frame.payload : frame.payload + 4], "little") / 1000.0
        self.has_two = self.clocks.take(booted_s, at) or (self.has_two and self.clocks.is_recent(at))


@dataclass(slots=True)
class _Path:
    """One sender's address."""

    splitter: FrameSplitter
    autopilots: dict[tuple[int, int], _Autopilot] = field(default_factory=dict)
    waiting: dict[tuple[int, int, int, int], Frame] = field(default_factory=dict)
    sequences: dict[tuple[int, int], _Sequence] = field(default_factory=dict)
    peripherals: dict[tuple[int, int, int], Frame] = field(default_factory=dict)
    radio: Frame | None = None
    heard_at: datetime | None = None


class Intake:
    """The messages of one link.

    Threads: the node's loop.
    """

    def __init__(
        self,
        link_id: str,
        *,
        policy: SigningPolicy = SigningPolicy.OFF,
        key: bytes | None = None,
        times: Times | None = None,
        is_stream: bool = False,
        max_messages_per_s: float = MAX_MESSAGES_PER_S,
    ) -> None:
        """Take what comes on a link.

        Args:
            link_id: Named in reports.
            policy: What becomes of messages by their signatures.
            key: 32 bytes; without one nothing can be verified.
            times: Signed times that were heard before; what is not newer is not believed.
            is_stream: A message may begin in one piece of data and end in the next.
            max_messages_per_s: Beyond is a flood.
        """
        self.link_id = link_id
        self.policy = policy
        self._check = SignatureCheck(key, times) if key is not None and policy is not SigningPolicy.OFF else None
        self._is_stream = is_stream
        self._paths: dict[str, _Path] = {}
        self._others = RemoteIds(link_id)
        self._most = max_messages_per_s
        self._tokens = max_messages_per_s
        self._filled_at: datetime | None = None
        self.heard_at: datetime | None = None
        self.n_messages = 0
        self.n_bytes = 0
        self.n_corrupt = 0
        self.n_unknown = 0
        self.n_bad_signatures = 0
        self.n_dropped = 0

    @property
    def has_key(self) -> bool:
        """Whether signatures can be verified."""
        return self._check is not None

    @property
    def signed(self) -> tuple[bytes, Times] | None:
        """Return the key and the newest signed times; None where nothing is verified."""
        return self._check.signed if self._check is not None else None

    @property
    def signed_10us(self) -> int:
        """Return the newest time of a good signature; 0 where none was seen."""
        return self._check.newest_10us if self._check is not None else 0

    def feed(self, data: bytes, at: datetime, path: str = "") -> list[Frame]:
        """Take what arrived at an instant from a sender; returns the messages that were taken."""
        self.n_bytes += len(data)
        if not self._may_go_on(at):
            self.n_dropped += max(1, len(data) // BYTES_OF_ONE)
            return []
        known = self._paths.get(path) or _Path(FrameSplitter(CHECKSUM_EXTRAS))
        splitter = known.splitter
        before = splitter.n_corrupt + splitter.n_unknown
        frames = splitter.feed(data)
        if not self._is_stream:
            splitter.end()
        cost = len(frames) + splitter.n_corrupt + splitter.n_unknown - before
        self._tokens = max(self._tokens - cost, -self._most * DEBT_S)
        self._count_faults(splitter)
        taken = []
        for frame in frames:
            signing = self._judge(frame)
            if signing is not None:
                self._sort(known, frame, at, signing)
                taken.append(frame)
        if taken or self._is_stream:
            self._keep(path, known)
        if taken:
            self.n_messages += len(taken)
            self.heard_at = known.heard_at = at
        return taken

    def flush(self) -> list[DroneReport]:
        """Return what came since the last flush, one report for each drone on each path, and for each of others."""
        reports = []
        for name, path in self._paths.items():
            for autopilot in path.autopilots.values():
                report = self._report(name, path, autopilot)
                if report is not None:
                    reports.append(report)
            path.peripherals.clear()
            path.radio = None
        return reports + self._others.flush()

    def _keep(self, path: str, known: _Path) -> None:
        """Remember a sender; where there are too many, who was silent longest is forgotten."""
        if path not in self._paths and len(self._paths) >= MAX_PATHS:
            silent = min(self._paths, key=lambda one: self._paths[one].heard_at or datetime.min.replace(tzinfo=UTC))
            del self._paths[silent]
        self._paths[path] = known

    def _may_go_on(self, at: datetime) -> bool:
        if self._filled_at is not None:
            passed_s = max(0.0, (at - self._filled_at).total_seconds())
            self._tokens = min(self._most, self._tokens + (passed_s * self._most if passed_s else 0.0))
        self._filled_at = at
        return self._tokens > 0.0

    def _count_faults(self, splitter: FrameSplitter) -> None:
        self.n_corrupt += splitter.n_corrupt
        self.n_unknown += splitter.n_unknown
        splitter.n_corrupt = splitter.n_unknown = 0

    def _judge(self, frame: Frame) -> Signing | None:
        """Return what a message's signature is worth; None where it is refused."""
        if self.policy is SigningPolicy.OFF:
            return Signing.OFF
        # Without a key everything that is signed is as good as badly signed.
        judged = self._check.judge(frame) if self._check else Signing.BAD if frame.is_signed else Signing.UNSIGNED
        if judged is Signing.GOOD:
            return judged
        self.n_bad_signatures += 1
        return None if self.policy is SigningPolicy.REQUIRE else judged

    def _sort(self, path: _Path, frame: Frame, at: datetime, signing: Signing) -> None:
        number, key = frame.message_id, (frame.system, frame.component)
        sequence = path.sequences.get(key)
        if sequence is None:
            if len(path.sequences) < MAX_SYSTEMS:
                path.sequences[key] = _Sequence(frame.sequence)
        else:
            sequence.take(frame.sequence)
        if number in RADIO_DECODERS:
            path.radio = frame
            return
        if number in PERIPHERAL_DECODERS:
            path.peripherals[frame.system, frame.component, number] = frame
            return
        if number in REMOTE_ID:
            self._others.take(frame, at)
            return
        if number not in STATE_DECODERS and number not in EVENT_DECODERS:
            return
        autopilot = path.autopilots.get(key)
        if autopilot is None:
            autopilot = self._meet(path, frame)
        if autopilot is None:
            return
        autopilot.at, autopilot.signing = at, signing
        if number in TIMED and frame.n_payload >= 4:
            autopilot.look_at_clock(frame, at)
        if number in EVENT_DECODERS:
            if len(autopilot.events) < MAX_EVENTS:
                autopilot.events.append(frame)
            return
        if number in (HEARTBEAT, HIGH_LATENCY2):
            if number == HEARTBEAT and not _is_of_drone(frame):
                return
            autopilot.has_beaten = True
        place = (number, _instance(frame))
        # The last one decides the order as well: what a drone said later is read later.
        autopilot.states.pop(place, None)
        autopilot.states[place] = frame

    def _meet(self, path: _Path, frame: Frame) -> _Autopilot | None:
        """Return a drone that says with its heartbeat that it is one; what it said before is kept until then."""
        key = (frame.system, frame.component)
        is_drone = frame.message_id == HIGH_LATENCY2 or (frame.message_id == HEARTBEAT and _is_of_drone(frame))
        if not is_drone:
            if len(path.waiting) < MAX_WAITING and frame.message_id != HEARTBEAT:
                # Of events each counts, also of those that came early.
                number = frame.sequence if frame.message_id in EVENT_DECODERS else _instance(frame)
                path.waiting[(*key, frame.message_id, number)] = frame
            return None
        if len(path.autopilots) >= MAX_SYSTEMS:
            return None
        autopilot = path.autopilots[key] = _Autopilot(*key)
        mine = [place for place in path.waiting if place[:2] == key]
        for place in mine:
            early = path.waiting.pop(place)
            if early.message_id in STATE_DECODERS:
                autopilot.states[place[2:]] = early
            else:
                autopilot.events.append(early)
        return autopilot

    def _report(self, name: str, path: _Path, autopilot: _Autopilot) -> DroneReport | None:
        frames = [*autopilot.events, *autopilot.states.values()]
        radio = path.radio
        peripherals = [frame for place, frame in path.peripherals.items() if place[0] == autopilot.system]
        if autopilot.at is None or not (frames or radio or peripherals):
            return None
        at = autopilot.at if frames else self.heard_at or autopilot.at
        has_beaten, autopilot.has_beaten = autopilot.has_beaten, False
        autopilot.states.clear()
        autopilot.events.clear()
        parts = Parts(at=at)
        for frame in (*frames, *peripherals, *((radio,) if radio else ())):
            message = decode(frame)
            decoder = _DECODERS[frame.message_id]
            if message is not None:
                decoder(message, parts, autopilot.memory)
        sequence = path.sequences.get((autopilot.system, autopilot.component))
        return replace(
            parts.report(drone_id_of(autopilot.system, autopilot.component), self.link_id),
            path=name,
            is_heartbeat=has_beaten,
            system_id=autopilot.system,
            name=f"Drone {autopilot.system}",
            loss=None if sequence is None else sequence.loss,
            has_two_senders=autopilot.has_two,
            signing=autopilot.signing,
            uid=autopilot.memory.uid,
        )


def drone_id_of(system: int, component: int) -> str:
    """Return the id of a drone as MAVLink names it; an autopilot's usual component is not said."""
    return f"mav-{system}" if component == _MAIN_COMPONENT else f"mav-{system}-{component}"


def _is_of_drone(frame: Frame) -> bool:
    is_autopilot = frame.byte(_AUTOPILOT_OFFSET) != words.NO_AUTOPILOT
    return is_autopilot and frame.byte(_TYPE_OFFSET) != _TYPE_GROUND_STATION


def _instance(frame: Frame) -> int:
    offset = INSTANCE_OFFSETS.get(frame.message_id)
    return 0 if offset is None else frame.byte(offset)


_DECODERS = {**STATE_DECODERS, **EVENT_DECODERS, **RADIO_DECODERS, **PERIPHERAL_DECODERS}
