"""What a device kind declares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from core.field.payloads import Payload, check

MAX_VALUES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One number of a reading, as it is shown.

    Attributes:
        unit: Empty where the number has none.
    """

    key: str
    title: str
    unit: str
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream of a kind.

    Attributes:
        stale_s: After this long without a message the device is stale.
    """

    key: str
    title: str
    stale_s: float


class KindPayload(Payload):
    """The data of one message of a kind."""

    def values(self) -> dict[str, float]:
        """Return the numbers by the keys of the kind's quantities; unknown ones are left out."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """Everything the program knows about a kind of device.

    Attributes:
        groups: Topic groups whose devices are of this kind when they announce no type.
        payloads: Model of the data by the envelope's `type`; the first also reads data without a type.
        streams: The first is the pattern for streams that are not listed.
        quantities: What a reading of this kind may hold.
    """

    key: str
    title: str
    groups: frozenset[str]
    streams: tuple[Stream, ...]
    quantities: tuple[Quantity, ...]
    payloads: Mapping[str, type[KindPayload]] = field(default_factory=dict)

    def stale_s(self, stream: str) -> float:
        """Return how long a stream may stay silent."""
        return next((item.stale_s for item in self.streams if item.key == stream), self.streams[0].stale_s)

    def read(self, payload_type: str, data: dict[str, Any]) -> dict[str, float]:
        """Turn the data of a message into numbers by quantity.

        Raises:
            PayloadError: The data does not fit; the sentence names the field.
        """
        if not self.payloads:
            return plain_numbers(data)
        model = self.payloads.get(payload_type)
        if model is None:
            if payload_type:
                return plain_numbers(data)
            model = next(iter(self.payloads.values()))
        return check(data, model).values()


def plain_numbers(data: dict[str, Any]) -> dict[str, float]:
    """Return the top-level numbers of data nobody described, at most `MAX_VALUES` of them."""
    numbers = {
        key[:64]: float(value)
        for key, value in data.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    }
    return dict(list(numbers.items())[:MAX_VALUES])


def _no_numbers_in_disguise(value: object) -> object:
    if value is not None and (isinstance(value, bool | str) or not isinstance(value, int | float)):
        raise ValueError("a number is needed")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the number is not finite")
    return value


Number = Annotated[float | None, BeforeValidator(_no_numbers_in_disguise), Field(allow_inf_nan=False)]
"""A JSON number or null; text that looks like one is refused, since nobody knows its decimal sign."""

OTHER = DeviceKind(
    key="other",
    title="Device",
    groups=frozenset(),
    streams=(Stream(key="state", title="State", stale_s=300.0),),
    quantities=(),
)
"""A device whose kind nobody declared: its numbers are shown as they come."""
