"""What a device's page shows beyond the device itself: what it offers, and how one of its quantities went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from core.field.model import Reading
from core.field.payloads import Birth, PayloadError, check
from core.field.registry import Tracked

N_SLOTS = 240
"""As many as a chart of a few hundred pixels can tell apart."""

MAX_READINGS = 100_000
"""Of one stream that one history reads; of more only the newest."""

SPANS_S = (3600.0, 24 * 3600.0, 7 * 24 * 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedCommand:
    """A command that a device says it obeys.

    Attributes:
        params: JSON Schema of each argument, by name.
    """

    name: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedQuantity:
    """A number that a device has said, or its kind declares.

    Attributes:
        unit: Empty where it has none, or nobody knows it.
    """

    stream: str
    key: str
    title: str
    unit: str
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSheet:
    """What a device says about itself.

    Attributes:
        more: What else its birth holds and nobody declared, as texts.
        stale_s: So long it may be silent.
    """

    device_id: str
    model: str = ""
    kind_title: str = ""
    boot: str = ""
    stale_s: float = 0.0
    commands: tuple[OfferedCommand, ...] = ()
    quantities: tuple[OfferedQuantity, ...] = ()
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySlot:
    """What a quantity was within one part of the time that is shown.

    Attributes:
        is_late: Something of it came late, from a device's outbox.
        is_doubtful: The device, or its clock, was not to be trusted.
    """

    start: datetime
    low: float
    mean: float
    high: float
    n_readings: int
    is_late: bool = False
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A quantity over time; parts in which nothing was said are not there.

    Attributes:
        gap_s: What lies further apart than this has a gap between it.
        is_cut: There was more than one history reads; what is shown begins later than was asked for.
    """

    device_id: str
    stream: str
    key: str
    since: datetime
    until: datetime
    slot_s: float
    gap_s: float
    slots: tuple[HistorySlot, ...] = ()
    is_cut: bool = False


def sheet_of(tracked: Tracked, readings: Iterable[Reading]) -> DeviceSheet:
    """Return what a device says about itself; `readings` are the newest of its streams."""
    try:
        birth = check(tracked.birth, Birth) if tracked.birth else Birth()
    except PayloadError:
        birth = Birth()
    known = set(Birth.model_fields)
    more = {key: str(value) for key, value in tracked.birth.items() if key not in known and _is_plain(value)}
    return DeviceSheet(
        device_id=tracked.device.device_id,
        model=birth.model,
        kind_title=tracked.kind.title,
        boot=tracked.boot,
        stale_s=tracked.stale_s,
        commands=tuple(OfferedCommand(name=one.name, params=one.params) for one in birth.commands),
        quantities=_quantities(tracked, birth, readings),
        more=more,
    )


def _quantities(tracked: Tracked, birth: Birth, readings: Iterable[Reading]) -> tuple[OfferedQuantity, ...]:
    declared = {one.key: one for one in tracked.kind.quantities}
    units = {stream.name: stream.unit for stream in birth.streams}
    found = []
    for reading in sorted(readings, key=lambda one: one.stream):
        for key in reading.values:
            known = declared.get(key)
            found.append(
                OfferedQuantity(
                    stream=reading.stream,
                    key=key,
                    title=known.title if known is not None else key,
                    unit=known.unit if known is not None else units.get(reading.stream, ""),
                    decimals=known.decimals if known is not None else 2,
                )
            )
    if found:
        return tuple(found)
    # It has said nothing since the node began; its history may have what its kind declares.
    streams = [stream.name for stream in birth.streams] or [stream.key for stream in tracked.kind.streams]
    return tuple(
        OfferedQuantity(stream=stream, key=one.key, title=one.title, unit=one.unit, decimals=one.decimals)
        for stream in streams
        for one in tracked.kind.quantities
    )


def history_of(
    readings: Iterable[tuple[datetime, Mapping[str, float], bool, bool]],
    *,
    base: History,
) -> History:
    """Gather readings into the slots of `base`.

    Args:
        readings: Time, values, whether good, whether late; in any order.
        base: Names the quantity and the time; its slots are replaced.
    """
    kept: dict[int, list[tuple[float, bool, bool]]] = {}
    for at, values, is_good, is_history in readings:
        value = values.get(base.key)
        if value is not None:
            number = int((at - base.since).total_seconds() // base.slot_s)
            kept.setdefault(number, []).append((value, is_good, is_history))
    slots = []
    for number in sorted(kept):
        numbers = [value for value, _, _ in kept[number]]
        slots.append(
            HistorySlot(
                start=base.since + timedelta(seconds=number * base.slot_s),
                low=min(numbers),
                mean=sum(numbers) / len(numbers),
                high=max(numbers),
                n_readings=len(numbers),
                is_late=any(late for _, _, late in kept[number]),
                is_doubtful=not all(good for _, good, _ in kept[number]),
            )
        )
    return History(
        device_id=base.device_id,
        stream=base.stream,
        key=base.key,
        since=base.since,
        until=base.until,
        slot_s=base.slot_s,
        gap_s=base.gap_s,
        slots=tuple(slots),
        is_cut=base.is_cut,
    )


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
