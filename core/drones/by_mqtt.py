"""Drones that are field devices: their readings become reports like those of any other source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from core.drones.model import LOST_S, QUANTITIES, BatteryPack, DroneReport, Fix, Gnss, Home, Landed
from core.field.kinds.drone import FIXES, KIND
from core.field.model import Device, Reading
from core.field.service import ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.geo import GeoPoint

LINK = "mqtt"
_NULL_ISLAND_DEG = 1e-6


def take_from_field(
    bus: Bus, clock: Clock, *, device: Callable[[str], Device], take: Callable[[DroneReport], None]
) -> Callable[[], None]:
    """Hand on what drones say over MQTT; returns the way to end that.

    Args:
        bus: Where readings are told.
        clock: For the instants of arrival.
        device: Returns a field device by its id.
        take: Takes reports.
    """

    def on_reading(event: ReadingReceived) -> None:
        if event.kind != KIND.key or event.reading.is_history:
            return
        take(report_of(event.reading, name=device(event.reading.device_id).name, now=clock.now()))

    return bus.subscribe(ReadingReceived, on_reading)


def report_of(reading: Reading, *, name: str, now: datetime) -> DroneReport:
    """Turn a reading into a report; one that lay on the broker for a while is no sign of life."""
    values, is_good = reading.values, reading.is_good
    return DroneReport(
        drone_id=reading.device_id,
        link_id=LINK,
        at=now,
        is_heartbeat=(now - reading.at).total_seconds() <= LOST_S,
        name=name,
        sent_at=reading.at,
        values={key: value for key, value in values.items() if key in QUANTITIES} if is_good else {},
        position=_point(values, "lat", "lon") if is_good and values.get("fix") != 0.0 else None,
        accuracy_m=values.get("accuracy"),
        home=_home(values, now) if is_good else None,
        batteries=_batteries(values, now) if is_good else (),
        gnss=_gnss(values, now) if is_good else (),
        is_armed=_flag(values.get("armed")),
        landed=None if (in_air := _flag(values.get("in_air"))) is None else Landed.AIR if in_air else Landed.GROUND,
    )


def _flag(value: float | None) -> bool | None:
    return None if value is None else value > 0.5


def _point(values: Mapping[str, float], lat_key: str, lon_key: str) -> GeoPoint | None:
    lat, lon = values.get(lat_key), values.get(lon_key)
    if lat is None or lon is None or (abs(lat) < _NULL_ISLAND_DEG and abs(lon) < _NULL_ISLAND_DEG):
        return None
    return GeoPoint(lat, lon)


def _home(values: Mapping[str, float], at: datetime) -> Home | None:
    point = _point(values, "homeLat", "homeLon")
    return None if point is None else Home(point=point, at=at)


def _batteries(values: Mapping[str, float], at: datetime) -> tuple[BatteryPack, ...]:
    if not values.keys() & {"battery", "voltage", "current", "timeLeft"}:
        return ()
    return (
        BatteryPack(
            number=0,
            at=at,
            remaining_percent=values.get("battery"),
            voltage_v=values.get("voltage"),
            current_a=values.get("current"),
            time_left_s=values.get("timeLeft"),
        ),
    )


def _gnss(values: Mapping[str, float], at: datetime) -> tuple[Gnss, ...]:
    fix, n_satellites = values.get("fix"), values.get("satellites")
    if fix is None:
        # How many satellites it sees does not say whether it knows where it is.
        return ()
    return (
        Gnss(
            number=0,
            at=at,
            fix=Fix(FIXES[round(fix)]),
            n_satellites=None if n_satellites is None else round(n_satellites),
            hdop=values.get("hdop"),
            accuracy_m=values.get("accuracy"),
        ),
    )
