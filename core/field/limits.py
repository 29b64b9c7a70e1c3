"""Numbers beyond the limits that a device kind declares: told once each time, with delay and deadband."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.field.kinds.base import AlarmDefault
from core.field.model import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPassed:
    """A quantity went beyond its limit, or is back.

    Attributes:
        stream: Where the quantity was measured; one device may measure it in several.
    """

    device_id: str
    stream: str
    default: AlarmDefault
    value: float
    is_beyond: bool


@dataclass(slots=True)
class _Watched:
    is_beyond: bool = False
    since_s: float | None = None
    """Since when it has been the other way, monotonic."""


class LimitWatch:
    """Follows each limit of each stream.

    Threads: the owner's loop.
    """

    def __init__(self) -> None:
        """Start with nothing beyond its limit."""
        self._watched: dict[tuple[str, str, AlarmDefault], _Watched] = {}

    def take(self, reading: Reading, defaults: tuple[AlarmDefault, ...], now_s: float) -> Iterator[LimitPassed]:
        """Judge a reading; what is doubtful or late neither begins nor ends anything."""
        if not reading.is_good or reading.is_history:
            return
        for default in defaults:
            value = reading.values.get(default.quantity)
            if value is None:
                continue
            watched = self._watched.setdefault((reading.device_id, reading.stream, default), _Watched())
            if _is_beyond(value, default, is_inside_needed=watched.is_beyond) == watched.is_beyond:
                watched.since_s = None
                continue
            watched.since_s = now_s if watched.since_s is None else watched.since_s
            delay_s = default.off_delay_s if watched.is_beyond else default.on_delay_s
            if now_s - watched.since_s < delay_s:
                continue
            watched.is_beyond, watched.since_s = not watched.is_beyond, None
            yield LimitPassed(
                device_id=reading.device_id,
                stream=reading.stream,
                default=default,
                value=value,
                is_beyond=watched.is_beyond,
            )


def _is_beyond(value: float, default: AlarmDefault, *, is_inside_needed: bool) -> bool:
    """Compare with the limit, shifted by the deadband where the way back is meant."""
    shift = default.deadband if is_inside_needed else 0.0
    if default.above is not None:
        return value > default.above - shift
    return default.below is not None and value < default.below + shift
