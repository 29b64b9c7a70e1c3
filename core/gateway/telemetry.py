"""What a drone says of itself as flat JSON: the drone seed's fields, and ours beside them.

The seed's words, as its public senders use them: `gpsx` is the longitude and `gpsy` the latitude [deg], `gpsz` the
height above the sea [m], `pitch`, `roll` and `yaw` degrees in whatever turn, `pressure` hPa (or Pa), `altitude` the
height that the pressure means [m], `temp` °C, `Ax…Az` m/s², `Gx…Gz` rad/s. Of `Vx…Vz` [m/s] nobody says the frame:
they are read like the position, x to the east, y to the north, z up.

Beside them stand names of our own (`droneId`, `battery`, `armed`, …) and every key of `QUANTITIES`. What is absent or
null is not known; what is no number, not finite or impossible is refused by its name, and the rest counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core.drones.model import (
    QUANTITIES,
    BatteryPack,
    DroneReport,
    Fix,
    Gnss,
    Home,
    Landed,
    StatusText,
    TextLevel,
)
from core.kernel.clock import parse_at
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint

SEED_NUMBERS: Mapping[str, tuple[float, float]] = {
    "pitch": (-360.0, 360.0),
    "yaw": (-360.0, 360.0),
    "roll": (-360.0, 360.0),
    "gpsx": (-180.0, 180.0),
    "gpsy": (-90.0, 90.0),
    "gpsz": (-500.0, 30_000.0),
    "pressure": (10.0, 120_000.0),
    "altitude": (-1_000.0, 30_000.0),
    "temp": (-90.0, 150.0),
    "Vx": (-300.0, 300.0),
    "Vy": (-300.0, 300.0),
    "Vz": (-150.0, 150.0),
    "Ax": (-500.0, 500.0),
    "Ay": (-500.0, 500.0),
    "Az": (-500.0, 500.0),
    "Gx": (-70.0, 70.0),
    "Gy": (-70.0, 70.0),
    "Gz": (-70.0, 70.0),
}
"""The seed's numbers and what they may be."""

OUR_NUMBERS: Mapping[str, tuple[float, float]] = {
    "battery": (0.0, 100.0),
    "voltage": (0.0, 1_000.0),
    "current": (-2_000.0, 2_000.0),
    "timeLeft": (0.0, 1e6),
    "satellites": (0.0, 255.0),
    "hdop": (0.0, 100.0),
    "accuracy": (0.0, 1e5),
    "homeLat": (-90.0, 90.0),
    "homeLon": (-180.0, 180.0),
}
QR = "last_qr_reading"
SEED_FIELDS = (*SEED_NUMBERS, QR)
MAX_BYTES = 64 * 1024
MAX_FIELDS = 200
MAX_TEXT_CHARS = 200
LEAST_COURSE_MPS = 0.5
"""What hardly moves goes nowhere."""

LEAST_PA = 10_000.0
"""A pressure from here on is meant in Pa."""

_NULL_ISLAND_DEG = 1e-6
_DIRECT = {
    "altitude": "altitude_pressure_m",
    "temp": "temperature_c",
    "Vx": "velocity_east_mps",
    "Vy": "velocity_north_mps",
    "Vz": "climb_mps",
    "Ax": "acceleration_x_mps2",
    "Ay": "acceleration_y_mps2",
    "Az": "acceleration_z_mps2",
}
_TURNED = {"Gx": "rate_x_dps", "Gy": "rate_y_dps", "Gz": "rate_z_dps"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """One post, checked.

    Attributes:
        said: What counts, as it was said, by its name.
        refused: A sentence for each field that cannot be what it says.
        ignored: Names that nobody here knows.
        is_doubted: The drone itself says that its values are bad: only that it spoke counts.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    drone_id: str = ""
    name: str = ""
    sent_at: datetime | None = None
    is_doubted: bool = False

    def number(self, key: str) -> float | None:
        """Return a number that was said; None where it was not."""
        value = self.said.get(key)
        return None if value is None else float(value)


def read_telemetry(body: bytes) -> Telemetry:
    """Read a JSON object.

    Raises:
        BadInputError: It is none, or nothing of what it says can be used.
    """
    return check_telemetry(_parse(body))


def check_telemetry(found: Mapping[str, Any]) -> Telemetry:
    """Check what an object says, field by field.

    Raises:
        BadInputError: It says something, and nothing of it can be used.
    """
    said: dict[str, Any] = {}
    refused: list[str] = []
    ignored: list[str] = []
    for key, value in found.items():
        reader = _READERS.get(key)
        if reader is None:
            ignored.append(key[:40])
        elif value is not None:
            try:
                said[key] = reader(key, value)
            except ValueError as error:
                refused.append(str(error))
    _drop_null_island(said)
    if refused and not said:
        raise BadInputError(f"Nothing of it can be used: {refused[0]}", hint="See docs/how-to/connect-a-drone.md.")
    return Telemetry(
        said=said,
        refused=tuple(refused),
        ignored=tuple(ignored[:20]),
        drone_id=said.pop("droneId", ""),
        name=said.pop("name", ""),
        sent_at=said.pop("ts", None),
        is_doubted=said.pop("q", "good") == "bad",
    )


def report_of(telemetry: Telemetry, *, drone_id: str, link_id: str, path: str, at: datetime) -> DroneReport:
    """Turn what a drone said into a report, in the units of the room."""
    plain = DroneReport(
        drone_id=drone_id, link_id=link_id, path=path, at=at, name=telemetry.name, sent_at=telemetry.sent_at
    )
    if telemetry.is_doubted:
        return plain
    said = telemetry.said
    return DroneReport(
        drone_id=drone_id,
        link_id=link_id,
        path=path,
        at=at,
        name=telemetry.name,
        sent_at=telemetry.sent_at,
        values=_values(telemetry),
        position=None if said.get("fix") is Fix.NONE else _point(telemetry, "gpsy", "gpsx"),
        accuracy_m=telemetry.number("accuracy"),
        home=_home(telemetry, at),
        batteries=_batteries(telemetry, at),
        gnss=_gnss(telemetry, at),
        mode=said.get("mode"),
        is_armed=said.get("armed"),
        landed=said.get("landed"),
        texts=_texts(telemetry, at),
    )


def _values(telemetry: Telemetry) -> dict[str, float]:
    number = telemetry.number
    found = {key: float(telemetry.said[key]) for key in QUANTITIES if key in telemetry.said}
    found |= {ours: float(telemetry.said[theirs]) for theirs, ours in _DIRECT.items() if theirs in telemetry.said}
    for theirs, ours in _TURNED.items():
        if (rate := number(theirs)) is not None:
            found[ours] = math.degrees(rate)
    for angle, ours in (("pitch", "pitch_deg"), ("roll", "roll_deg")):
        if (turned := number(angle)) is not None:
            found[ours] = (turned + 180.0) % 360.0 - 180.0
    if (yaw := number("yaw")) is not None:
        found["heading_deg"] = yaw % 360.0
    if (pressure := number("pressure")) is not None:
        found["pressure_hpa"] = pressure / 100.0 if pressure >= LEAST_PA else pressure
    if (height := number("gpsz")) is not None:
        found["altitude_amsl_m"] = height
    if (climb := number("Vz")) is not None:
        found["velocity_down_mps"] = -climb
    east, north = number("Vx"), number("Vy")
    if east is not None and north is not None:
        speed = found.setdefault("ground_speed_mps", math.hypot(east, north))
        if speed >= LEAST_COURSE_MPS:
            found.setdefault("course_deg", math.degrees(math.atan2(east, north)) % 360.0)
    return found


def _point(telemetry: Telemetry, lat_key: str, lon_key: str) -> GeoPoint | None:
    lat, lon = telemetry.number(lat_key), telemetry.number(lon_key)
    return None if lat is None or lon is None else GeoPoint(lat, lon)


def _home(telemetry: Telemetry, at: datetime) -> Home | None:
    point = _point(telemetry, "homeLat", "homeLon")
    return None if point is None else Home(point=point, at=at)


def _batteries(telemetry: Telemetry, at: datetime) -> tuple[BatteryPack, ...]:
    number = telemetry.number
    if all(number(key) is None for key in ("battery", "voltage", "current", "timeLeft")):
        return ()
    return (
        BatteryPack(
            number=0,
            at=at,
            remaining_percent=number("battery"),
            voltage_v=number("voltage"),
            current_a=number("current"),
            time_left_s=number("timeLeft"),
        ),
    )


def _gnss(telemetry: Telemetry, at: datetime) -> tuple[Gnss, ...]:
    n_satellites, hdop, fix = telemetry.number("satellites"), telemetry.number("hdop"), telemetry.said.get("fix")
    if fix is None:
        # How many satellites it sees does not say whether it knows where it is.
        return ()
    count = None if n_satellites is None else round(n_satellites)
    return (Gnss(number=0, at=at, fix=fix, n_satellites=count, hdop=hdop, accuracy_m=telemetry.number("accuracy")),)


def _texts(telemetry: Telemetry, at: datetime) -> tuple[StatusText, ...]:
    words = {"text": str(telemetry.said.get("text", "")), QR: str(telemetry.said.get(QR, ""))}
    found = {"text": words["text"], QR: f"QR code: {words[QR]}" if words[QR] else ""}
    return tuple(
        StatusText(level=TextLevel.INFO, text=text[:MAX_TEXT_CHARS], at=at, first_at=at)
        for text in found.values()
        if text
    )


def _drop_null_island(said: dict[str, Any]) -> None:
    """Forget positions at 0, 0: receivers without a fix say so."""
    for lat, lon, *height in (("gpsy", "gpsx", "gpsz"), ("homeLat", "homeLon")):
        if abs(said.get(lat, 1.0)) < _NULL_ISLAND_DEG and abs(said.get(lon, 1.0)) < _NULL_ISLAND_DEG:
            for key in (lat, lon, *height):
                said.pop(key, None)


# -- reading --------------------------------------------------------------------------------------------------------


class _NotFinite:
    """Stands for NaN and the infinities, which JSON does not know and some senders write."""


def _parse(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise BadInputError(f"The message is larger than {MAX_BYTES // 1024} KiB.", hint="Send one state at a time.")
    try:
        found = json.loads(body, parse_constant=lambda _word: _NotFinite())
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"The body is no JSON ({str(error)[:80]}).", hint="Send one JSON object.") from None
    if not isinstance(found, dict):
        raise BadInputError("The body is no JSON object.", hint='Send one like {"gpsx": 8.54, "gpsy": 47.37}.')
    if len(found) > MAX_FIELDS:
        raise BadInputError(f"The message has more than {MAX_FIELDS} fields.", hint="Send one state at a time.")
    return found


def _number_in(lowest: float, highest: float) -> Callable[[str, Any], Any]:
    def read(key: str, value: Any) -> Any:
        if isinstance(value, _NotFinite):
            raise ValueError(f"{key} is not finite.")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{key} is no number.")
        # A whole number of a thousand digits is compared, never turned into a float.
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{key} is not finite.")
        if not lowest <= value <= highest:
            raise ValueError(f"{key} is out of range: {lowest:g} to {highest:g}.")
        return value

    return read


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text.")
    return "".join(sign for sign in value[:MAX_TEXT_CHARS] if sign.isprintable()).strip()


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key} is neither true nor false.")
    return value


def _one_of(words: type[Fix] | type[Landed]) -> Callable[[str, Any], Any]:
    def read(key: str, value: Any) -> Any:
        try:
            return words(value)
        except ValueError:
            raise ValueError(f"{key} is none of {', '.join(word.value for word in words)}.") from None

    return read


def _instant(key: str, value: Any) -> datetime:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            # Milliseconds since 1970, or seconds where that would be before 2001.
            at = datetime.fromtimestamp(value / 1000.0 if value > 1e12 else value, UTC)
        else:
            at = parse_at(str(value)[:64])
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{key} is no instant.") from None
    if not 2000 <= at.year <= 2200:
        raise ValueError(f"{key} is in the year {at.year}: the drone's clock is not set.")
    return at


def _quality(_key: str, value: Any) -> str:
    return value if value in ("good", "bad") else "uncertain"


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    **{key: _number_in(quantity.lowest, quantity.highest) for key, quantity in QUANTITIES.items()},
    **{key: _number_in(*bounds) for key, bounds in {**SEED_NUMBERS, **OUR_NUMBERS}.items()},
    QR: _text,
    "text": _text,
    "mode": _text,
    "name": _text,
    "droneId": _text,
    "armed": _flag,
    "landed": _one_of(Landed),
    "fix": _one_of(Fix),
    "ts": _instant,
    "q": _quality,
    "seq": _number_in(0, 2**53),
}
