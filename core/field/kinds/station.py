"""A traffic station: loops, radar or a roadside camera that counts and measures speed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from core.field.kinds.base import DeviceKind, KindPayload, Moment, Number, Quantity, Said, Stream


class TrafficFlowObserved(KindPayload):
    """FIWARE Smart Data Models, TrafficFlowObserved: the fields we use.

    Attributes:
        intensity: Vehicles in the interval.
        occupancy: Share of time a vehicle stands over the detector, 0..1.
        average_vehicle_speed, free_flow_speed: [km/h].
    """

    intensity: Annotated[Number, Field(ge=0, le=100_000)] = None
    occupancy: Annotated[Number, Field(ge=0, le=1)] = None
    average_vehicle_speed: Annotated[Number, Field(alias="averageVehicleSpeed", ge=0, le=400)] = None
    average_headway_time: Annotated[Number, Field(alias="averageHeadwayTime", ge=0, le=86_400)] = None
    free_flow_speed: Annotated[Number, Field(alias="freeFlowSpeed", gt=0, le=400)] = None
    lane_id: Annotated[Number, Field(alias="laneId", ge=0, le=64)] = None


def simulate(moment: Moment) -> Iterable[Said]:
    """Say a day's traffic: busy at eight and at five, noisy like real counts."""
    busy = 0.15 + 0.5 * sum(math.exp(-(((moment.hour - peak) / 2.2) ** 2)) for peak in (8.0, 17.0))
    intensity = max(0, round(moment.random.gauss(40 * busy, 2.0)))
    yield Said(
        stream="flow",
        type="TrafficFlowObserved",
        data={
            "intensity": intensity,
            "occupancy": round(min(0.95, 0.012 * intensity), 3),
            "averageVehicleSpeed": round(max(5.0, moment.random.gauss(58 - 22 * busy, 2.5)), 1),
            "freeFlowSpeed": 60.0,
        },
    )


KIND = DeviceKind(
    key="station",
    title="Traffic station",
    plural="Stations",
    groups=frozenset({"station", "stations", "traffic"}),
    streams=(Stream(key="flow", title="Flow", stale_s=90.0),),
    quantities=(
        Quantity(key="intensity", title="Vehicles", unit="veh/min", decimals=0),
        Quantity(key="occupancy", title="Occupancy", unit="", decimals=2),
        Quantity(key="averageVehicleSpeed", title="Mean speed", unit="km/h", decimals=0),
        Quantity(key="averageHeadwayTime", title="Headway", unit="s", decimals=1),
        Quantity(key="freeFlowSpeed", title="Free-flow speed", unit="km/h", decimals=0),
        Quantity(key="laneId", title="Lane", unit="", decimals=0),
    ),
    payloads={"TrafficFlowObserved": TrafficFlowObserved},
    simulate=simulate,
)
