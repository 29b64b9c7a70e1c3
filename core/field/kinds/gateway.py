"""A gateway: a cabinet at the road with a modem; devices of its group and cameras near by hang on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from core.field.kinds.base import AlarmDefault, DeviceKind, KindPayload, Moment, Number, Quantity, Said, Stream


class Device(KindPayload):
    """FIWARE Smart Data Models, Device: the fields we use, and whether the mains feed it, for which it has no word.

    Attributes:
        battery_level: 0..1.
        rssi: How well its modem hears, 0..1; -1 where it does not know.
        mains_power: 1 while the mains feed it, 0 while its battery does.
    """

    battery_level: Annotated[Number, Field(alias="batteryLevel", ge=0, le=1)] = None
    rssi: Annotated[Number, Field(ge=-1, le=1)] = None
    mains_power: Annotated[Number, Field(alias="mainsPower", ge=0, le=1)] = None


def simulate(moment: Moment) -> Iterable[Said]:
    """Say that the mains feed it and how well its modem hears."""
    data = {"mainsPower": 1, "batteryLevel": 1.0, "rssi": round(0.8 + 0.1 * moment.random.random(), 2)}
    yield Said(stream="cabinet", type="Device", data=data)


KIND = DeviceKind(
    key="gateway",
    title="Gateway",
    plural="Gateways",
    groups=frozenset({"gateway", "gateways"}),
    streams=(Stream(key="cabinet", title="Cabinet", stale_s=90.0),),
    quantities=(
        Quantity(key="mainsPower", title="Mains", unit="", decimals=0),
        Quantity(key="batteryLevel", title="Battery", unit="", decimals=2),
        Quantity(key="rssi", title="Signal", unit="", decimals=2),
    ),
    payloads={"Device": Device},
    alarms=(
        AlarmDefault(
            quantity="mainsPower",
            kind="site_power_lost",
            title="No mains power: {where}",
            below=0.5,
            on_delay_s=0.0,
            off_delay_s=30.0,
            priority=2,
        ),
        AlarmDefault(quantity="batteryLevel", title="Battery low: {where}", below=0.2, deadband=0.03, on_delay_s=30.0),
    ),
    simulate=simulate,
)
