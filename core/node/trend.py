"""How traffic went around an alarm: the camera's own measures, or those of the nearest station."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from core.field.model import Device, Reading
from core.field.service import FieldService
from core.incidents.model import SourceKind
from core.kernel.geo import GeoPoint, to_mercator
from core.node.model import Trend, TrendPoint
from core.traffic.service import TrafficService
from core.vision.flow import FlowMinute

AROUND = timedelta(minutes=30)
NEAR_M = 1500.0
"""A station further away says nothing about the place."""

STATION_STREAM, SPEED = "flow", "averageVehicleSpeed"


async def trend_around(
    field: FieldService,
    traffic: TrafficService,
    *,
    source_kind: SourceKind,
    source_id: str,
    position: GeoPoint | None,
    at: datetime,
) -> Trend | None:
    """Return half an hour before and after an instant; None where nothing near by measures."""
    if source_kind is SourceKind.CAMERA:
        minutes = await traffic.flow(since=at - AROUND, camera_id=source_id)
        trend = trend_of_minutes([minute for minute in minutes if minute.minute <= at + AROUND])
        if trend is not None:
            return trend
    station = station_of(field.devices(), source_id, position)
    if station is None:
        return None
    readings = await field.history(station.device_id, STATION_STREAM, since=at - AROUND)
    return trend_of_readings(station, [reading for reading in readings if reading.at <= at + AROUND])


def station_of(devices: Iterable[Device], source_id: str, position: GeoPoint | None) -> Device | None:
    """Return the station that is meant, or the nearest one within 1,500 m."""
    stations = [device for device in devices if device.kind == "station"]
    own = next((station for station in stations if station.device_id == source_id), None)
    if own is not None or position is None:
        return own
    ground = math.cos(math.radians(position.lat_deg))
    place = to_mercator(position)
    found = [
        (ground * math.dist(place, to_mercator(station.position)), station.device_id, station)
        for station in stations
        if station.position is not None
    ]
    far_m, _, nearest = min(found, default=(math.inf, "", None))
    return nearest if far_m <= NEAR_M else None


def trend_of_minutes(minutes: Iterable[FlowMinute]) -> Trend | None:
    """Return the mean speed of a camera's lanes, or where none is measured the vehicles a minute; gaps stay gaps."""
    speeds: dict[datetime, list[tuple[float, int]]] = defaultdict(list)
    counts: dict[datetime, int] = defaultdict(int)
    for minute in minutes:
        if minute.speed_kmh is not None and not minute.label:
            speeds[minute.minute].append((minute.speed_kmh, minute.n_vehicles or 1))
        # Fewer were counted in a part of a minute, which does not mean that fewer came.
        if minute.subject == "line" and not minute.label and minute.n_vehicles is not None and minute.is_complete:
            counts[minute.minute] += minute.n_vehicles
    if speeds:
        points = [(at, sum(v * n for v, n in found) / sum(n for _, n in found)) for at, found in speeds.items()]
        return _trend("Speed, this camera", "km/h", points)
    return _trend("Vehicles, this camera", "a minute", [(at, float(n)) for at, n in counts.items()])


def trend_of_readings(station: Device, readings: Iterable[Reading]) -> Trend | None:
    """Return the speed that a station measured; doubtful readings are left out."""
    points = [(one.at, one.values[SPEED]) for one in readings if one.is_good and SPEED in one.values]
    return _trend(f"Speed, {station.name}", "km/h", points)


def _trend(title: str, unit: str, points: Iterable[tuple[datetime, float]]) -> Trend | None:
    found = tuple(TrendPoint(at=at, value=value) for at, value in sorted(points))
    return Trend(title=title, unit=unit, points=found) if found else None
