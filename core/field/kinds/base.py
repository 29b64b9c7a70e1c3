"""What a device kind declares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any

from pydantic import BeforeValidator, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

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
        type: Of its messages; empty where that is the first payload of the kind.
    """

    key: str
    title: str
    stale_s: float
    type: str = ""


class KindPayload(Payload):
    """The data of one message of a kind."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_said(cls, value: Any) -> Any:
        # A bound that meets None raises what pydantic lets through.
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value

    def values(self) -> dict[str, float]:
        """Return the numbers of the message by their names on the wire; what it did not say is left out."""
        found = self.model_dump(by_alias=True, exclude_none=True)
        return {
            key: float(value)
            for key, value in found.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Write the bounds of numbers that may be null: pydantic checks them and has no JSON Schema for them."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for key, info in cls.model_fields.items():
            field_schema = schema["properties"][info.alias or key]
            for word in ("ge", "gt", "le", "lt"):
                field_schema.pop(word, None)
            for branch in field_schema.get("anyOf", []):
                if branch.get("type") == "number":
                    branch.update(_bounds(info.metadata))
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmDefault:
    """When a quantity calls an operator, as long as nobody has said otherwise.

    Attributes:
        title: With `{where}` for the device's name.
        above, below: One of them is given; the quantity beyond it calls.
        deadband: So far back inside it has to be to end the call.
        on_delay_s, off_delay_s: So long it has to be beyond, or back, before anything is said.
        priority: 1 (critical) to 4 (low).
        kind: Of the condition; one of its own where other alarms are explained by it.
    """

    quantity: str
    title: str
    above: float | None = None
    below: float | None = None
    deadband: float = 0.0
    on_delay_s: float = 60.0
    off_delay_s: float = 120.0
    priority: int = 4
    kind: str = "device_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a simulator knows.

    Attributes:
        elapsed_s: Since the simulated device was switched on.
        hour: Of the day, 0..24.
        random: Its own; the same seed gives the same numbers.
    """

    elapsed_s: float
    hour: float
    random: Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a simulated device says: the newest value of a stream, or an event where `stream` is empty."""

    type: str
    data: Mapping[str, Any]
    stream: str = ""


Simulator = Callable[[Moment], Iterable[Said]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKind:
    """Everything the program knows about a kind of device.

    Attributes:
        title, plural: What one is called, and the branch of the tree on which all of them hang.
        groups: Topic groups whose devices are of this kind when they announce no type.
        payloads: Model of the data by the envelope's `type`; the first also reads data without a type.
        streams: The first is the pattern for streams that are not listed.
        quantities: What a reading of this kind may hold.
        alarms: What calls when nobody has said otherwise.
        simulate: What a simulated device says each time it measures; None where nobody wrote a simulator.
    """

    key: str
    title: str
    plural: str
    groups: frozenset[str]
    streams: tuple[Stream, ...]
    quantities: tuple[Quantity, ...]
    payloads: Mapping[str, type[KindPayload]] = field(default_factory=dict)
    alarms: tuple[AlarmDefault, ...] = ()
    simulate: Simulator | None = None

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


def _bounds(metadata: Iterable[Any]) -> dict[str, float]:
    words = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
    return {word: getattr(item, name) for item in metadata for name, word in words.items() if hasattr(item, name)}


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


Number = Annotated[float | None, BeforeValidator(_no_numbers_in_disguise)]
"""A JSON number or null; text that looks like one is refused, since nobody knows its decimal sign."""

OTHER = DeviceKind(
    key="other",
    title="Device",
    plural="Other devices",
    groups=frozenset(),
    streams=(Stream(key="state", title="State", stale_s=300.0),),
    quantities=(),
)
"""A device whose kind nobody declared: its numbers are shown as they come."""
