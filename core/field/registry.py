"""What is known about every device: pure state, no broker and no database.

Times: `now_s` is monotonic and decides about silence; `received_at` is wall time and is what people see.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.field.kinds import find_kinds, kind_for
from core.field.kinds.base import OTHER, DeviceKind
from core.field.model import BadSource, Device, DeviceState, Reading
from core.field.nonsense import Nonsense
from core.field.payloads import Birth, Envelope, Quality, Status
from core.field.skew import SKEW_S, ClockWatch
from core.kernel.geo import GeoPoint
from core.kernel.zone import write_site_clock

MAX_DEVICES = 20_000
MAX_STREAMS = 512
LATE_S = 30.0
"""What was on its way for longer is history."""


@dataclass(slots=True)
class _Newest:
    """The newest value of one stream, for the order of what comes after."""

    seq: int | None
    boot: str
    reading: Reading


@dataclass(slots=True)
class Tracked:
    """One device, as the registry follows it.

    Attributes:
        seen_s: Monotonic time of its last live message, or of the registry's start.
        boot: Of its current start; a last will of another one is ignored.
        live_boots, n_boots_back: Starts as they announced themselves, and how often an earlier one came back.
        is_stored: The store has a row for it.
        has_changed: Something people see changed since `take_changed`.
        has_counted: Only its counters and its age did.
        is_unsaved: Something that must survive a restart changed since `take_unsaved`.
    """

    device: Device
    kind: DeviceKind
    seen_s: float
    boot: str = ""
    boot_at: datetime | None = None
    birth: dict[str, Any] = field(default_factory=dict)
    stale_s: float = 300.0
    is_stored: bool = False
    has_changed: bool = True
    has_counted: bool = False
    is_unsaved: bool = True
    newest: dict[str, _Newest] = field(default_factory=dict)
    clock: ClockWatch = field(default_factory=ClockWatch)
    live_boots: deque[str] = field(default_factory=lambda: deque(maxlen=8))
    n_boots_back: int = 0


class Registry:
    """Every device by its id.

    Threads: the owner's loop only.
    """

    def __init__(self) -> None:
        """Start without devices."""
        self._tracked: dict[str, Tracked] = {}
        self._nonsense = Nonsense()
        self.n_turned_away = 0
        """Messages of devices beyond the most we follow."""

    def devices(self) -> tuple[Device, ...]:
        """Return all devices, by id."""
        return tuple(self._tracked[key].device for key in sorted(self._tracked))

    def get(self, device_id: str) -> Tracked | None:
        """Return a device as it is followed."""
        return self._tracked.get(device_id)

    def newest(self, device_id: str) -> tuple[Reading, ...]:
        """Return the newest reading of each of a device's streams."""
        tracked = self._tracked.get(device_id)
        return () if tracked is None else tuple(item.reading for item in tracked.newest.values())

    def readings(self) -> tuple[Reading, ...]:
        """Return the newest reading of every stream of every device."""
        return tuple(item.reading for tracked in self._tracked.values() for item in tracked.newest.values())

    def bad_sources(self) -> tuple[BadSource, ...]:
        """Return who sends what cannot be used, the worst first."""
        return self._nonsense.sources()

    # -- from the store -------------------------------------------------------------------------------------------

    def restore(self, device: Device, *, boot: str, birth: dict[str, Any], now_s: float) -> None:
        """Take over a device from the store; whether it is there now, nobody knows yet."""
        kind = find_kinds().get(device.kind, OTHER)
        state = device.state
        if not device.is_enabled:
            state = DeviceState.DISABLED
        elif state in (DeviceState.ONLINE, DeviceState.DISABLED):
            state = DeviceState.UNKNOWN
        tracked = Tracked(
            device=device if state is device.state else replace(device, state=state),
            kind=kind,
            seen_s=now_s,
            boot=boot,
            birth=birth,
            stale_s=kind.streams[0].stale_s,
            is_stored=True,
            is_unsaved=False,
            clock=ClockWatch(skew_s=device.skew_s, is_sure=device.skew_s is not None, boot=boot),
        )
        if tracked.clock.is_wrong:
            tracked.device = replace(tracked.device, last_error=_clock_error(device.skew_s or 0.0))
        self._tracked[device.device_id] = tracked

    def add(self, device: Device, *, now_s: float) -> None:
        """Follow a device that an operator added before it has said anything."""
        self.restore(device, boot="", birth={}, now_s=now_s)
        self.mark(device.device_id)

    def mark(self, device_id: str) -> None:
        """Tell of a device with the next `take_changed`."""
        self._tracked[device_id].has_changed = True

    def forget(self, device_id: str) -> None:
        """Follow a device no more; what it says from now on makes it known anew."""
        self._tracked.pop(device_id, None)

    def replace_device(self, device: Device) -> Device:
        """Take over what an operator changed: name, place, enabled, version; returns the device as it is now."""
        tracked = self._tracked[device.device_id]
        state = tracked.device.state
        if not device.is_enabled:
            state = DeviceState.DISABLED
        elif state is DeviceState.DISABLED:
            state = DeviceState.UNKNOWN
        tracked.device = replace(
            tracked.device,
            name=device.name,
            position=device.position,
            site=device.site,
            tags=device.tags,
            is_enabled=device.is_enabled,
            version=device.version,
        )
        self._set_state(tracked, state, device.last_seen_at)
        tracked.has_changed = tracked.is_unsaved = True
        return tracked.device

    # -- from the field -------------------------------------------------------------------------------------------

    def track(self, device_id: str, *, now_s: float) -> Tracked | None:
        """Return the device, making it known where it is not; None where there are too many."""
        tracked = self._tracked.get(device_id)
        if tracked is not None:
            return tracked
        if len(self._tracked) >= MAX_DEVICES:
            self.n_turned_away += 1
            return None
        group, _, name = device_id.partition("/")
        kind = kind_for(group)
        tracked = Tracked(
            device=Device(device_id=device_id, kind=kind.key, name=name),
            kind=kind,
            seen_s=now_s,
            stale_s=kind.streams[0].stale_s,
        )
        self._tracked[device_id] = tracked
        return tracked

    def on_birth(
        self, tracked: Tracked, birth: Birth, raw: dict[str, Any], *, received_at: datetime, is_live: bool
    ) -> None:
        """Take in a self-description; what an operator wrote stays."""
        if is_live:
            self._note_twice(tracked, birth.boot, received_at)
        self._note_boot(tracked, birth.boot, birth.ts, is_live=is_live)
        types = [stream.smart_data_model or stream.type for stream in birth.streams]
        device = tracked.device
        kind = kind_for(device.device_id.partition("/")[0], types)
        stale = [stream.stale_s for stream in birth.streams if stream.stale_s is not None]
        tracked.kind = kind
        tracked.stale_s = min(stale) if stale else kind.streams[0].stale_s
        commands = tuple(command.name for command in birth.commands)
        changed = device
        if (device.kind, device.firmware, device.commands) != (kind.key, birth.fw, commands):
            changed = replace(device, kind=kind.key, firmware=birth.fw, commands=commands)
        if device.is_new and birth.name.strip() and device.name == device.device_id.partition("/")[2]:
            changed = replace(changed, name=birth.name.strip())
        if device.position is None and birth.location is not None:
            changed = replace(changed, position=GeoPoint(birth.location.lat, birth.location.lon))
        if changed != device or raw != tracked.birth:
            tracked.device, tracked.birth = changed, raw
            tracked.has_changed = tracked.is_unsaved = True
        if is_live:
            self._set_state(tracked, DeviceState.ONLINE, received_at)

    def on_status(self, tracked: Tracked, status: Status, *, received_at: datetime, is_live: bool) -> bool:
        """Take in a status or a last will; False where it belongs to an earlier start of the device."""
        if status.state == "online":
            self._note_boot(tracked, status.boot, status.ts, is_live=is_live)
            if is_live:
                self._set_state(tracked, DeviceState.ONLINE, received_at)
            return True
        # A last will can be published long after the device came back.
        if tracked.boot and status.boot and status.boot != tracked.boot:
            return False
        state = DeviceState.LOST if status.state == "lost" else DeviceState.OFFLINE
        self._set_state(tracked, state, received_at)
        return True

    def on_alive(self, tracked: Tracked, *, now_s: float, received_at: datetime, sent_at: datetime | None) -> None:
        """A live message came: the device is there.

        One that waited somewhere, by the device's own time `sent_at`, does not bring a lost device back.
        """
        device = tracked.device
        tracked.device = replace(device, last_seen_at=received_at, n_messages=device.n_messages + 1)
        tracked.seen_s = now_s
        tracked.has_counted = True
        if device.state in (DeviceState.LOST, DeviceState.OFFLINE):
            waited_s = 0.0 if sent_at is None else tracked.clock.true_age_s(sent_at, received_at)
            if waited_s > SKEW_S:
                return
        if device.state is not DeviceState.ONLINE:
            self._set_state(tracked, DeviceState.ONLINE, received_at)

    def on_values(
        self,
        tracked: Tracked,
        stream: str,
        envelope: Envelope,
        *,
        received_at: datetime,
        is_retained: bool,
    ) -> tuple[Reading, bool] | None:
        """Take in the values of a stream.

        Returns:
            The reading and whether it is the newest of its stream; None for a repetition and where it holds no numbers.

        Raises:
            PayloadError: The data does not fit the device's kind.
        """
        newest = tracked.newest.get(stream)
        if newest is not None and _is_repetition(newest, envelope):
            return None
        if newest is None and len(tracked.newest) >= MAX_STREAMS:
            return None
        values = tracked.kind.read(envelope.type, envelope.data)
        if not values:
            return None
        if not envelope.hist and not is_retained:
            self.on_clock(tracked, envelope.ts, received_at)
        is_history = self.is_late(tracked, envelope, received_at)
        is_doubtful = tracked.clock.is_wrong or not (is_history or is_retained or _is_of_now(envelope, received_at))
        reading = Reading(
            device_id=tracked.device.device_id,
            stream=stream,
            # No reading comes from the future: a clock that is ahead would hide everything after it.
            at=min(envelope.ts, received_at),
            values=values,
            is_good=envelope.q is Quality.GOOD and not is_doubtful,
            is_history=is_history,
        )
        is_newest = newest is None or _is_newer(newest, reading, envelope)
        if is_newest:
            tracked.newest[stream] = _Newest(seq=envelope.seq, boot=envelope.boot, reading=reading)
        return reading, is_newest

    def on_clock(self, tracked: Tracked, sent_at: datetime, received_at: datetime) -> None:
        """Compare the device's clock with ours by a live message that left when it says."""
        was_wrong = tracked.clock.is_wrong
        if not tracked.clock.note(sent_at, received_at):
            return
        skew_s = round(tracked.clock.skew_s or 0.0, 1) + 0.0
        before_s = tracked.device.skew_s
        # Smaller changes are written with the rest, once a minute.
        tracked.is_unsaved |= before_s is None or abs(before_s - skew_s) >= 1.0
        device = replace(tracked.device, skew_s=skew_s)
        if tracked.clock.is_wrong:
            device = replace(device, last_error=_clock_error(skew_s))
        elif was_wrong:
            device = replace(device, last_error="")
        if tracked.clock.is_wrong != was_wrong:
            tracked.has_changed = True
        tracked.device, tracked.has_counted = device, True

    def is_late(self, tracked: Tracked, envelope: Envelope, received_at: datetime) -> bool:
        """Tell whether a message is history: it says so, or it was on its way for more than `LATE_S`."""
        return envelope.hist or tracked.clock.true_age_s(envelope.ts, received_at) > LATE_S

    def is_late_event(self, tracked: Tracked, envelope: Envelope, received_at: datetime) -> bool:
        """Tell whether an event is history: it says so, or it waited for more than `LATE_S` for certain.

        While nobody knows the device's clock, an old time may be its own "now": that calls, and is uncertain.
        """
        clock = tracked.clock
        if envelope.hist or clock.is_of_before(envelope.boot):
            return self.is_late(tracked, envelope, received_at)
        return clock.least_age_s(envelope.ts, received_at) > LATE_S

    def is_trusted(self, tracked: Tracked, envelope: Envelope, received_at: datetime) -> bool:
        """Tell whether the time in a live message can be believed: the device's clock is right, or may well be."""
        clock = tracked.clock
        return not clock.is_wrong and (clock.is_sure or envelope.hist or _is_of_now(envelope, received_at))

    def lose_sight(self, at: datetime) -> None:
        """Nobody can be heard just now: who was online is unconfirmed until it speaks again."""
        for tracked in self._tracked.values():
            if tracked.device.state is DeviceState.ONLINE:
                # Nothing to store: after a restart nobody is confirmed either.
                tracked.device = replace(tracked.device, state=DeviceState.UNKNOWN, state_since=at)
                tracked.has_changed = True

    def begin_to_listen(self, now_s: float) -> None:
        """Devices can be heard again: the time in which nobody could be heard is no silence of theirs."""
        for tracked in self._tracked.values():
            tracked.seen_s = now_s

    def check_silence(self, now_s: float, at: datetime) -> None:
        """Mark the devices that have been silent for too long."""
        for tracked in self._tracked.values():
            if tracked.device.state in (DeviceState.ONLINE, DeviceState.UNKNOWN) and (
                now_s - tracked.seen_s > tracked.stale_s
            ):
                self._set_state(tracked, DeviceState.STALE, at)

    # -- nonsense -------------------------------------------------------------------------------------------------

    def may_speak(self, source: str, now_s: float) -> bool:
        """Tell whether a source's messages are still looked at; one that sends only nonsense has to pause."""
        return self._nonsense.may_speak(source, now_s)

    def on_bad(self, source: str, sentence: str, *, received_at: datetime, now_s: float) -> bool:
        """Count a message that cannot be used; True the first time its sender does so, for the log."""
        tracked = self._tracked.get(source)
        if tracked is not None:
            device = tracked.device
            tracked.device = replace(device, n_bad_messages=device.n_bad_messages + 1, last_error=sentence)
            tracked.has_counted = True
        return self._nonsense.note(source, sentence, received_at=received_at, now_s=now_s)

    # -- what has changed -----------------------------------------------------------------------------------------

    def take_changed(self) -> list[Device]:
        """Return the devices of which more than the counters changed since the last call."""
        changed = [tracked for tracked in self._tracked.values() if tracked.has_changed]
        for tracked in changed:
            tracked.has_changed = tracked.has_counted = False
        return [tracked.device for tracked in changed]

    def take_counted(self) -> list[Device]:
        """Return the devices of which only the counters changed."""
        counted = [tracked for tracked in self._tracked.values() if tracked.has_counted]
        for tracked in counted:
            tracked.has_counted = False
        return [tracked.device for tracked in counted]

    def take_unsaved(self) -> list[Tracked]:
        """Return the devices the store does not know as they are."""
        unsaved = [tracked for tracked in self._tracked.values() if tracked.is_unsaved]
        for tracked in unsaved:
            tracked.is_unsaved = False
        return unsaved

    def keep_seen(self, *, since: datetime) -> None:
        """Have the store know when those devices were heard last that were heard after `since`."""
        for tracked in self._tracked.values():
            if tracked.device.last_seen_at is not None and tracked.device.last_seen_at > since:
                tracked.is_unsaved = True

    def put_back(self, unsaved: Iterable[Tracked]) -> None:
        """The store did not take them."""
        for tracked in unsaved:
            tracked.is_unsaved = True

    def _set_state(self, tracked: Tracked, state: DeviceState, at: datetime | None) -> None:
        device = tracked.device
        if not device.is_enabled:
            state = DeviceState.DISABLED
        if device.state is state:
            return
        tracked.device = replace(device, state=state, state_since=at)
        tracked.has_changed = tracked.is_unsaved = True

    def _note_twice(self, tracked: Tracked, boot: str, at: datetime) -> None:
        """Say so where two devices speak as one: starts come one after the other, and none of them comes back."""
        boots = tracked.live_boots
        if not boot or (boots and boots[-1] == boot):
            return
        # Once may be an old message that the broker delivers again.
        tracked.n_boots_back += boot in boots
        boots.append(boot)
        if tracked.n_boots_back >= 2:
            sentence = f"Two devices speak as this one (last at {write_site_clock(at)}): each needs a name of its own."
            tracked.device = replace(tracked.device, last_error=sentence)
            tracked.has_changed = True

    def _note_boot(self, tracked: Tracked, boot: str, at: datetime | None, *, is_live: bool) -> None:
        """Remember the device's current start; a retained message of an earlier one does not bring it back."""
        is_earlier = at is not None and tracked.boot_at is not None and at < tracked.boot_at
        if is_earlier and not is_live:
            return
        # A live one is of now, also where its clock went back: one without a battery begins anew.
        tracked.clock.begin(boot)
        if not boot or boot == tracked.boot:
            return
        tracked.boot, tracked.boot_at = boot, at
        tracked.is_unsaved = True
        if tracked.device.state is DeviceState.LOST:
            # What was lost was the start before this one.
            self._set_state(tracked, DeviceState.UNKNOWN, at)


def _clock_error(skew_s: float) -> str:
    return f"Its clock is {abs(skew_s):,.0f} s {'fast' if skew_s > 0 else 'slow'}."


def _is_of_now(envelope: Envelope, received_at: datetime) -> bool:
    return abs((received_at - envelope.ts).total_seconds()) <= SKEW_S


def _is_repetition(newest: _Newest, envelope: Envelope) -> bool:
    """The same message once more: a broker may deliver twice, and sends retained ones at every subscription."""
    if envelope.seq is not None and newest.seq is not None and envelope.boot == newest.boot:
        return envelope.seq == newest.seq
    return envelope.ts == newest.reading.at and envelope.seq is None


def _is_newer(newest: _Newest, reading: Reading, envelope: Envelope) -> bool:
    is_same_start = not envelope.hist and bool(envelope.boot) and envelope.boot == newest.boot
    if is_same_start and envelope.seq is not None and newest.seq is not None:
        # A counter that fell back while time went on was reset; its device goes on counting from there.
        was_reset = (reading.at - newest.reading.at).total_seconds() > SKEW_S
        return envelope.seq > newest.seq or was_reset
    return reading.at >= newest.reading.at
