"""Flight logs in files: telemetry logs, ULog of PX4 and DataFlash of ArduPilot, as the reports that links bring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.drones.mavlink import words
from core.drones.mavlink.decode import EPOCH, SANE_FROM, Parts, euler_deg
from core.drones.mavlink.player import reports_of
from core.drones.mavlink.tlog import read_tlog_file
from core.drones.model import BatteryPack, DroneReport, Fix, Gnss, Home, Landed, StatusText, TextLevel
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint

BIN = timedelta(seconds=0.1)
SUFFIXES = (".tlog", ".ulg", ".bin")
_HINT = "Choose a .tlog of a ground station, a .ulg of PX4 or a .bin of ArduPilot."
_PX4_STATES = {
    0: "Manual",
    1: "Altitude",
    2: "Position",
    3: "Mission",
    4: "Hold",
    5: "Return",
    10: "Acro",
    12: "Descend",
    13: "Termination",
    14: "Offboard",
    15: "Stabilized",
    17: "Take-off",
    18: "Land",
    19: "Follow",
    20: "Precision land",
    21: "Orbit",
}
_PX4_ARMED = 2
_FIXES = {2: Fix.TWO_D, 3: Fix.THREE_D, 4: Fix.DGPS, 5: Fix.RTK_FLOAT, 6: Fix.RTK_FIXED}
_EVENTS = {10: ("is_armed", True), 11: ("is_armed", False), 18: ("landed", Landed.GROUND), 28: ("landed", Landed.AIR)}
"""Source: ArduPilot's LogEvent: armed, disarmed, land complete, not landed."""

_HOME = 1
"""Of ORGN. Source: ArduPilot's LogOriginType: 0 is the estimator's origin, 1 home."""

Row = Mapping[str, float]
Reader = Callable[[Row, Parts], None]


def read_log(file: Path, notes: list[str] | None = None) -> Iterator[DroneReport]:
    """Yield what a log says, ten times a second of its own time.

    Reports of a telemetry log name the drone that they are of as MAVLink does; other logs are of one drone, without
    an id.

    Args:
        file: The log; its ending says of which kind.
        notes: Gets a sentence for each part of it that cannot be read.

    Raises:
        BadInputError: It is no log of a kind that is known, or cannot be read.
    """
    notes = [] if notes is None else notes
    reader = {".tlog": _read_tlog, ".ulg": _read_ulog, ".bin": _read_dataflash}.get(file.suffix.lower())
    if reader is None:
        raise BadInputError(f"{file.name} is no flight log that is known here.", hint=_HINT)
    n_reports = 0
    try:
        for report in reader(file, notes):
            n_reports += 1
            yield report
    except BadInputError:
        raise
    # The libraries' readers raise whatever a broken file leads them to.
    except Exception as error:
        if n_reports == 0:
            raise BadInputError(f"{file.name} cannot be read ({error}).", hint=_HINT) from error
        notes.append(f"It breaks off, and what follows is not read ({error}).")
    if n_reports == 0:
        raise BadInputError(f"{file.name} holds nothing of a drone.", hint=_HINT)


def _read_tlog(file: Path, _notes: list[str]) -> Iterator[DroneReport]:
    return reports_of(read_tlog_file(file), "file")


def _missing_words(kind: str, missing: Mapping[str, set[str]]) -> list[str]:
    """Return a sentence for each part of a log that lacks columns."""
    return [
        f"Its {kind} {name} has no column {', '.join(sorted(columns))}, and was not read whole."
        for name, columns in sorted(missing.items())
    ]


# -- PX4 --------------------------------------------------------------------------------------------------------------


def _read_ulog(file: Path, notes: list[str]) -> Iterator[DroneReport]:
    from pyulog import ULog

    log = ULog(str(file), message_name_filter_list=list(_TOPICS), disable_str_exceptions=True)
    begin = EPOCH + timedelta(microseconds=_ulog_offset_us(log, file))
    binned: dict[int, list[tuple[str, int, Any, int]]] = {}
    width_us = BIN // timedelta(microseconds=1)
    for data in log.data_list:
        newest: dict[int, int] = {}
        for place, stamp_us in enumerate(data.data["timestamp"].tolist()):
            newest[stamp_us // width_us] = place
        for number, place in newest.items():
            binned.setdefault(number, []).append((data.name, data.multi_id, data.data, place))
    missing: dict[str, set[str]] = {}
    texts: dict[int, list[Any]] = {}
    for message in log.logged_messages:
        texts.setdefault(message.timestamp // width_us, []).append(message)
    for number in sorted(binned.keys() | texts.keys()):
        parts = Parts(at=begin + timedelta(microseconds=number * width_us))
        for name, multi_id, columns, place in binned.get(number, ()):
            row = {key: float(values[place]) for key, values in columns.items()}
            # A topic of another release may have other columns; the others still tell.
            try:
                _TOPICS[name](row | {"multi_id": float(multi_id)}, parts)
            except KeyError as error:
                missing.setdefault(name, set()).add(str(error.args[0]))
        for message in texts.get(number, ()):
            level = tuple(TextLevel)[max(0, min(7, message.log_level - 48))]
            parts.texts.append(StatusText(level=level, text=message.message, at=parts.at, first_at=parts.at))
        yield replace(parts.report("", "file"), autopilot="PX4")
    notes += _missing_words("topic", missing)


def _ulog_offset_us(log: Any, file: Path) -> int:
    """Return when the log's own time began, by its receiver; without one, so that it ends when the file was written."""
    for data in log.data_list:
        if data.name == "vehicle_gps_position":
            for own_us, utc_us in zip(
                data.data["timestamp"].tolist(), data.data["time_utc_usec"].tolist(), strict=True
            ):
                if EPOCH + timedelta(microseconds=min(utc_us, 7_258_118_400_000_000)) >= SANE_FROM:
                    return int(utc_us - own_us)
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return (written - EPOCH) // timedelta(microseconds=1) - int(log.last_timestamp)


def _px4_attitude(row: Row, parts: Parts) -> None:
    roll, pitch, yaw = euler_deg(*(row[f"q[{part}]"] for part in range(4)))
    parts.values.update(roll_deg=roll, pitch_deg=pitch, heading_deg=yaw % 360.0)


def _px4_receiver(row: Row, parts: Parts) -> None:
    number = int(row["multi_id"])
    fix = int(row["fix_type"])
    parts.gnss[number] = Gnss(
        number=number,
        at=parts.at,
        fix=_FIXES.get(fix, Fix.NONE),
        n_satellites=int(row["satellites_used"]),
        hdop=row["hdop"],
        vdop=row["vdop"],
        accuracy_m=row["eph"],
    )
    if number == 0 and fix >= 2 and "position" not in parts.others:
        # PX4 1.14 changed names and units.
        is_new = "latitude_deg" in row
        lat_deg, lon_deg = (
            (row["latitude_deg"], row["longitude_deg"]) if is_new else (row["lat"] / 1e7, row["lon"] / 1e7)
        )
        _place(lat_deg, lon_deg, parts, accuracy_m=row["eph"])
        parts.values["altitude_amsl_m"] = row["altitude_msl_m"] if is_new else row["alt"] / 1e3
        parts.values["ground_speed_mps"] = row["vel_m_s"]


def _px4_global_position(row: Row, parts: Parts) -> None:
    _place(row["lat"], row["lon"], parts, accuracy_m=row["eph"])
    parts.values["altitude_amsl_m"] = row["alt"]


def _px4_local_position(row: Row, parts: Parts) -> None:
    parts.values.update(
        velocity_north_mps=row["vx"], velocity_east_mps=row["vy"], velocity_down_mps=row["vz"], climb_mps=-row["vz"]
    )
    parts.values["ground_speed_mps"] = math.hypot(row["vx"], row["vy"])
    if row.get("z_valid", 1.0):
        parts.values["altitude_home_m"] = -row["z"]
    if row.get("xy_global") and row.get("ref_lat"):
        point = _point(row["ref_lat"], row["ref_lon"])
        if point is not None:
            parts.others["home"] = Home(point=point, at=parts.at, altitude_amsl_m=row.get("ref_alt"))


def _px4_battery(row: Row, parts: Parts) -> None:
    if row.get("connected", 1.0) and row["voltage_v"] > 0.0:
        number = int(row["multi_id"])
        remaining, current_a = row["remaining"], row["current_a"]
        parts.batteries[number] = BatteryPack(
            number=number,
            at=parts.at,
            remaining_percent=remaining * 100.0 if 0.0 <= remaining <= 1.0 else None,
            voltage_v=row["voltage_v"],
            current_a=current_a if current_a >= 0.0 else None,
            used_mah=row["discharged_mah"],
        )


def _px4_status(row: Row, parts: Parts) -> None:
    mode = _PX4_STATES.get(int(row["nav_state"]), f"Mode {int(row['nav_state'])}")
    parts.others.update(
        mode=mode, is_automatic=words.is_automatic(mode), is_armed=int(row["arming_state"]) == _PX4_ARMED
    )


def _px4_land(row: Row, parts: Parts) -> None:
    parts.others["landed"] = Landed.GROUND if row["landed"] else Landed.AIR


def _px4_airspeed(row: Row, parts: Parts) -> None:
    parts.values["air_speed_mps"] = row["true_airspeed_m_s"]


def _px4_wind(row: Row, parts: Parts) -> None:
    north, east = row["windspeed_north"], row["windspeed_east"]
    parts.values["wind_speed_mps"] = math.hypot(north, east)
    parts.values["wind_from_deg"] = math.degrees(math.atan2(-east, -north)) % 360.0


def _px4_air(row: Row, parts: Parts) -> None:
    parts.values["pressure_hpa"] = row["baro_pressure_pa"] / 100.0
    parts.values["temperature_c"] = row["baro_temp_celcius"]


_TOPICS: dict[str, Reader] = {
    "vehicle_attitude": _px4_attitude,
    "vehicle_global_position": _px4_global_position,
    "vehicle_gps_position": _px4_receiver,
    "vehicle_local_position": _px4_local_position,
    "battery_status": _px4_battery,
    "vehicle_status": _px4_status,
    "vehicle_land_detected": _px4_land,
    "airspeed": _px4_airspeed,
    "wind_estimate": _px4_wind,
    "vehicle_air_data": _px4_air,
}


# -- ArduPilot --------------------------------------------------------------------------------------------------------


def _read_dataflash(file: Path, notes: list[str]) -> Iterator[DroneReport]:
    from pymavlink.DFReader import DFReader_binary

    log = DFReader_binary(str(file))
    try:
        parts: Parts | None = None
        missing: dict[str, set[str]] = {}
        while (message := log.recv_match(type=list(_MESSAGES))) is not None:
            at = EPOCH + timedelta(seconds=message._timestamp)
            if parts is None or not timedelta(0) <= at - parts.at < BIN:
                if parts is not None:
                    yield _of_dataflash(parts, log)
                parts = Parts(at=at)
            try:
                _MESSAGES[message.get_type()](message, parts)
            except AttributeError as error:
                missing.setdefault(message.get_type(), set()).add(str(error.args[0]))
        if parts is not None:
            yield _of_dataflash(parts, log)
        notes += _missing_words("message", missing)
    finally:
        log.close()


def _of_dataflash(parts: Parts, log: Any) -> DroneReport:
    number = parts.others.pop("mode_number", None)
    if number is not None:
        mode = words.mode_of(autopilot=words.ARDUPILOT, mav_type=log.mav_type, base_mode=1, custom_mode=number)
        parts.others.update(mode=mode, is_automatic=words.is_automatic(mode))
    return replace(parts.report("", "file"), autopilot="ArduPilot", kind=words.kind_of(log.mav_type))


def _df_receiver(m: Any, parts: Parts) -> None:
    number = int(getattr(m, "I", 0))
    parts.gnss[number] = Gnss(
        number=number, at=parts.at, fix=_FIXES.get(m.Status, Fix.NONE), n_satellites=m.NSats, hdop=m.HDop
    )
    if number == 0 and m.Status >= 2:
        parts.values["ground_speed_mps"] = m.Spd
        parts.values["course_deg"] = m.GCrs % 360.0
        if "position" not in parts.others:
            _place(m.Lat, m.Lng, parts)
            parts.values["altitude_amsl_m"] = m.Alt


def _df_position(m: Any, parts: Parts) -> None:
    _place(m.Lat, m.Lng, parts)
    parts.values["altitude_amsl_m"] = m.Alt
    parts.values["altitude_home_m"] = m.RelHomeAlt


def _df_attitude(m: Any, parts: Parts) -> None:
    parts.values.update(roll_deg=m.Roll, pitch_deg=m.Pitch, heading_deg=m.Yaw % 360.0)


def _df_battery(m: Any, parts: Parts) -> None:
    number = int(getattr(m, "Inst", getattr(m, "Instance", 0)))
    parts.batteries[number] = BatteryPack(
        number=number,
        at=parts.at,
        voltage_v=m.Volt,
        current_a=m.Curr,
        used_mah=m.CurrTot,
        remaining_percent=getattr(m, "RemPct", None),
    )


def _df_mode(m: Any, parts: Parts) -> None:
    parts.others["mode_number"] = m.ModeNum


def _df_event(m: Any, parts: Parts) -> None:
    event = _EVENTS.get(m.Id)
    if event is not None:
        parts.others[event[0]] = event[1]


def _df_arm(m: Any, parts: Parts) -> None:
    parts.others["is_armed"] = bool(m.ArmState)


def _df_flying(m: Any, parts: Parts) -> None:
    parts.others["landed"] = Landed.AIR if m.isFlying else Landed.GROUND


def _df_text(m: Any, parts: Parts) -> None:
    parts.texts.append(StatusText(level=TextLevel.INFO, text=m.Message, at=parts.at, first_at=parts.at))


def _df_vibration(m: Any, parts: Parts) -> None:
    parts.values.update(vibration_x_mps2=m.VibeX, vibration_y_mps2=m.VibeY, vibration_z_mps2=m.VibeZ)


def _df_home(m: Any, parts: Parts) -> None:
    # The other kind is where the estimator's own zero lies, which stays where the first fix was.
    if m.Type != _HOME:
        return
    point = _point(m.Lat, m.Lng)
    if point is not None:
        parts.others["home"] = Home(point=point, at=parts.at, altitude_amsl_m=m.Alt)


_MESSAGES: dict[str, Callable[[Any, Parts], None]] = {
    "GPS": _df_receiver,
    "POS": _df_position,
    "ATT": _df_attitude,
    "BAT": _df_battery,
    "CURR": _df_battery,
    "MODE": _df_mode,
    "EV": _df_event,
    "ARM": _df_arm,
    "STAT": _df_flying,
    "MSG": _df_text,
    "VIBE": _df_vibration,
    "ORGN": _df_home,
}


def _place(lat_deg: float, lon_deg: float, parts: Parts, accuracy_m: float | None = None) -> None:
    point = _point(lat_deg, lon_deg)
    if point is not None:
        parts.others.update(position=point, accuracy_m=accuracy_m)


def _point(lat_deg: float, lon_deg: float) -> GeoPoint | None:
    try:
        return GeoPoint(lat_deg, lon_deg) if lat_deg or lon_deg else None
    except ValueError:
        return None
