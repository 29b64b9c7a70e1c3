"""A traffic station: loops, radar or a roadside camera that counts and measures speed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.field.kinds.base import DeviceKind, KindPayload, Number, Quantity, Stream


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

    def values(self) -> dict[str, float]:
        """Return what the message said."""
        found = {
            "intensity": self.intensity,
            "occupancy": self.occupancy,
            "averageVehicleSpeed": self.average_vehicle_speed,
            "averageHeadwayTime": self.average_headway_time,
            "freeFlowSpeed": self.free_flow_speed,
            "laneId": self.lane_id,
        }
        return {key: float(value) for key, value in found.items() if value is not None}


KIND = DeviceKind(
    key="station",
    title="Traffic station",
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
)
