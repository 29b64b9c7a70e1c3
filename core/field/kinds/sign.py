"""A parking sign: it shows how many bays are free, as the site publishes it, and says what it shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from core.field.kinds.base import DeviceKind, KindPayload, Moment, Number, Quantity, Said, Stream


class SignDisplay(KindPayload):
    """What a sign shows; ours.

    Attributes:
        available_spot_number: The number on the sign; left out while it is dark.
        dark: 1 while it shows nothing, because nobody knows or nobody has told it for long.
    """

    available_spot_number: Annotated[Number, Field(alias="availableSpotNumber", ge=0, le=100_000)] = None
    dark: Annotated[Number, Field(ge=0, le=1)] = None


def simulate(moment: Moment) -> Iterable[Said]:
    """Say that it shows a number."""
    n_free = moment.random.randint(0, 40)
    yield Said(stream="display", type="SignDisplay", data={"availableSpotNumber": n_free, "dark": 0})


KIND = DeviceKind(
    key="sign",
    title="Parking sign",
    plural="Signs",
    groups=frozenset({"sign", "signs"}),
    streams=(Stream(key="display", title="Display", stale_s=180.0),),
    quantities=(
        Quantity(key="availableSpotNumber", title="Shown free", unit="", decimals=0),
        Quantity(key="dark", title="Dark", unit="", decimals=0),
    ),
    payloads={"SignDisplay": SignDisplay},
    simulate=simulate,
)
