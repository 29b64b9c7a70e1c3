"""Numbers beyond the limits that a device kind declares: told once each time, with delay and deadband."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from core.field.kinds.base import AlarmDefault
from core.field.model import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPassed:
    """A quantity went beyond its limit, or is back.

    Attributes:
        stream: Where the quantity was measured; one device may measure it in several.
        measured_at: By the device; None where a limit is no more.
    """

    device_id: str
    stream: str
    default: AlarmDefault
    value: float
    is_beyond: bool
    measured_at: datetime | None = None


_Key = tuple[str, str, str, str]


@dataclass(slots=True)
class _Watched:
    default: AlarmDefault
    value: float
    is_beyond: bool = False
    since_s: float | None = None
    """Since when it has been the other way, monotonic."""


class LimitWatch:
    """Follows each limit of each stream.

    Threads: the owner's loop.
    """

    def __init__(self) -> None:
        """Start with nothing beyond its limit."""
        self._watched: dict[str, dict[_Key, _Watched]] = {}

    def take(self, reading: Reading, defaults: tuple[AlarmDefault, ...], now_s: float) -> Iterator[LimitPassed]:
        """Judge a reading; what is doubtful or late neither begins nor ends anything."""
        if not reading.is_good or reading.is_history:
            return
        for default in defaults:
            value = reading.values.get(default.quantity)
            if value is None:
                continue
            key = _key(reading.stream, default)
            watched = self._watched.setdefault(reading.device_id, {}).setdefault(key, _Watched(default, value))
            watched.default, watched.value = default, value
            if _is_beyond(value, default, is_inside_needed=watched.is_beyond) == watched.is_beyond:
                watched.since_s = None
                continue
            watched.since_s = now_s if watched.since_s is None else watched.since_s
            delay_s = default.off_delay_s if watched.is_beyond else default.on_delay_s
            if now_s - watched.since_s < delay_s:
                continue
            watched.is_beyond, watched.since_s = not watched.is_beyond, None
            yield replace(_passed(reading.device_id, reading.stream, watched), measured_at=reading.at)

    def is_within(self, device_id: str, stream: str, quantity: str) -> bool:
        """Tell whether a number was told that lies within all its limits, and by their deadbands."""
        watched = [
            one for key, one in self._watched.get(device_id, {}).items() if (key[0], key[2]) == (stream, quantity)
        ]
        return bool(watched) and not any(_is_beyond(one.value, one.default, is_inside_needed=True) for one in watched)

    def drop_others(self, device_id: str, defaults: tuple[AlarmDefault, ...]) -> Iterator[LimitPassed]:
        """Forget limits of a device that are not among `defaults` any more; what was beyond one of them is over."""
        kept = {_key("", default) for default in defaults}
        watched = self._watched.get(device_id, {})
        for key in [key for key in watched if _key("", watched[key].default) not in kept]:
            gone = watched.pop(key)
            if gone.is_beyond:
                gone.is_beyond = False
                yield _passed(device_id, key[0], gone)

    def forget_limit(self, device_id: str, stream: str, kind: str, quantity: str) -> None:
        """Take one number of a device as within its limit, until it is told."""
        watched = self._watched.get(device_id, {})
        for key in [key for key in watched if key[:3] == (stream, kind, quantity)]:
            del watched[key]

    def forget(self, device_id: str) -> None:
        """A device is gone."""
        self._watched.pop(device_id, None)


def _key(stream: str, default: AlarmDefault) -> _Key:
    """Return what stays the same where only the figures of a limit are others."""
    return stream, default.kind, default.quantity, default.title


def _passed(device_id: str, stream: str, watched: _Watched) -> LimitPassed:
    return LimitPassed(
        device_id=device_id,
        stream=stream,
        default=watched.default,
        value=watched.value,
        is_beyond=watched.is_beyond,
    )


def _is_beyond(value: float, default: AlarmDefault, *, is_inside_needed: bool) -> bool:
    """Compare with the limit, shifted by the deadband where the way back is meant."""
    shift = default.deadband if is_inside_needed else 0.0
    if default.above is not None:
        return value > default.above - shift
    return default.below is not None and value < default.below + shift
