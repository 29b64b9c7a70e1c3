"""An edge camera: it looks for itself, counts, and says over MQTT what it saw and how it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from core.field.kinds.base import AlarmDefault, DeviceKind, KindPayload, Moment, Number, Quantity, Said, Stream


class Camera(KindPayload):
    """FIWARE Smart Data Models, Camera: the fields we use, and how well it works, for which the model has no word."""

    is_on: Annotated[bool | None, Field(alias="on")] = None
    camera_usage: Annotated[str, Field(alias="cameraUsage", max_length=64)] = ""
    frames_per_second: Annotated[Number, Field(alias="framesPerSecond", ge=0, le=1000)] = None
    temperature: Annotated[Number, Field(ge=-60, le=150)] = None


class ItemFlowObserved(KindPayload):
    """FIWARE Smart Data Models, ItemFlowObserved: the fields we use; `intensity` is items in the interval."""

    intensity: Annotated[Number, Field(ge=0, le=100_000)] = None
    average_speed: Annotated[Number, Field(alias="averageSpeed", ge=0, le=400)] = None
    occupancy: Annotated[Number, Field(ge=0, le=1)] = None


class Alert(KindPayload):
    """FIWARE Smart Data Models, Alert: what the camera itself calls an event; it calls unless informational."""

    category: Annotated[str, Field(max_length=64)]
    sub_category: Annotated[str, Field(alias="subCategory", max_length=64)] = ""
    severity: Literal["informational", "low", "medium", "high", "critical"] = "medium"


def simulate(moment: Moment) -> Iterable[Said]:
    """Say that it works, what it counted, and now and then that a vehicle stands where it must not."""
    rate = max(0.0, moment.random.gauss(24.8, 0.3))
    warmth = 38 + 6 * moment.random.random()
    yield Said(
        stream="health",
        type="Camera",
        data={
            "on": True,
            "cameraUsage": "TRAFFIC",
            "framesPerSecond": round(rate, 1),
            "temperature": round(warmth, 1),
        },
    )
    n_items = max(0, round(moment.random.gauss(6, 2)))
    yield Said(
        stream="items",
        type="ItemFlowObserved",
        data={"intensity": n_items, "averageSpeed": round(max(4.0, moment.random.gauss(44, 5)), 1)},
    )
    if moment.random.random() < 0.02:
        yield Said(type="Alert", data={"category": "traffic", "subCategory": "carStopped", "severity": "medium"})


KIND = DeviceKind(
    key="edge-camera",
    title="Edge camera",
    plural="Edge cameras",
    groups=frozenset({"edge-camera", "edge-cameras", "edge"}),
    streams=(
        Stream(key="health", title="Health", stale_s=30.0),
        Stream(key="items", title="Items", stale_s=180.0, type="ItemFlowObserved"),
    ),
    quantities=(
        Quantity(key="framesPerSecond", title="Pictures", unit="1/s", decimals=1),
        Quantity(key="temperature", title="Temperature", unit="°C", decimals=0),
        Quantity(key="intensity", title="Items", unit="", decimals=0),
        Quantity(key="averageSpeed", title="Mean speed", unit="km/h", decimals=0),
        Quantity(key="occupancy", title="Occupancy", unit="", decimals=2),
    ),
    payloads={"Camera": Camera, "ItemFlowObserved": ItemFlowObserved, "Alert": Alert},
    alarms=(
        AlarmDefault(quantity="framesPerSecond", title="Edge camera slow: {where}", below=5.0, deadband=2.0),
        AlarmDefault(quantity="temperature", title="Edge camera hot: {where}", above=75.0, deadband=5.0, priority=3),
    ),
    simulate=simulate,
)
