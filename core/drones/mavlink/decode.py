"""What a message says of its drone: units made ours, and every "unknown" of the protocol left out.

Source: common.xml and ardupilotmega.xml of MAVLink; the value that each field uses for "unknown" stands there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.drones.mavlink import words
from core.drones.mavlink.dialect import number_of
from core.drones.model import (
    BatteryPack,
    DroneReport,
    Fix,
    Footprint,
    Gnss,
    Health,
    HealthBit,
    Home,
    Landed,
    Mission,
    StatusText,
    TextLevel,
)
from core.kernel.geo import GeoPoint

NO_UINT8, NO_UINT16, NO_INT16, NO_INT32 = 0xFF, 0xFFFF, 0x7FFF, 0x7FFFFFFF
TEXT_BYTES, MAX_CHUNKS, MAX_CHUNKED_TEXTS = 50, 8, 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SANE_FROM = datetime(2015, 1, 1, tzinfo=UTC)
"""Clocks before it were never set."""

_DOWNWARD: Final = 25
"""MAV_SENSOR_ROTATION_PITCH_270."""

_TERRAIN_UNKNOWN_BELOW_M = -1000.0
_LEAST_FIX = 2
_FIXES = {
    1: Fix.NONE,
    2: Fix.TWO_D,
    3: Fix.THREE_D,
    4: Fix.DGPS,
    5: Fix.RTK_FLOAT,
    6: Fix.RTK_FIXED,
    7: Fix.STATIC,
    8: Fix.PPP,
}
_LEVELS = tuple(TextLevel)
_LANDED = {1: Landed.GROUND, 2: Landed.AIR, 3: Landed.TAKE_OFF, 4: Landed.LANDING}
_STATE_STANDBY, _STATE_ACTIVE = 3, 4


@dataclass(slots=True)
class Memory:
    """What of a drone's earlier messages says how to read the next ones.

    Attributes:
        fix_type: Of the first receiver; None before it spoke.
        is_heading_known: GLOBAL_POSITION_INT says the heading, finer than VFR_HUD.
        mode_names: From AVAILABLE_MODES, by custom mode.
        chunks: Of long status texts, by their id.
    """

    mav_type: int = 0
    autopilot: int = 0
    fix_type: int | None = None
    accuracy_m: float | None = None
    is_heading_known: bool = False
    has_attitude: bool = False
    has_packs: bool = False
    has_landed_state: bool = False
    mission_total: int | None = None
    mission_state: str = ""
    mission_current: int | None = None
    reached: int | None = None
    mode_names: dict[int, str] = field(default_factory=dict)
    custom_mode: int | None = None
    chunks: dict[int, dict[int, str]] = field(default_factory=dict)
    uid: str = ""


@dataclass(slots=True)
class Parts:
    """What the messages of one flush add up to."""

    at: datetime
    values: dict[str, float] = field(default_factory=dict)
    batteries: dict[int, BatteryPack] = field(default_factory=dict)
    gnss: dict[int, Gnss] = field(default_factory=dict)
    texts: list[StatusText] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    """By the names of `DroneReport`."""

    def report(self, drone_id: str, link_id: str) -> DroneReport:
        """Return them as a report."""
        return DroneReport(
            drone_id=drone_id,
            link_id=link_id,
            at=self.at,
            values=self.values,
            batteries=tuple(self.batteries.values()),
            gnss=tuple(self.gnss.values()),
            texts=tuple(self.texts),
            **self.others,
        )


Decoder = Callable[[Any, Parts, Memory], None]


def _heartbeat(m: Any, parts: Parts, memory: Memory) -> None:
    memory.mav_type, memory.autopilot, memory.custom_mode = m.type, m.autopilot, m.custom_mode
    mode = memory.mode_names.get(m.custom_mode) or words.mode_of(
        autopilot=m.autopilot, mav_type=m.type, base_mode=m.base_mode, custom_mode=m.custom_mode
    )
    parts.others.update(
        kind=words.kind_of(m.type),
        autopilot=words.autopilot_of(m.autopilot),
        mode=mode,
        is_automatic=words.is_automatic(mode),
        is_armed=bool(m.base_mode & words.ARMED),
    )
    if m.autopilot == words.ARDUPILOT and not memory.has_landed_state and words.flies_where_active(m.type):
        landed = {_STATE_STANDBY: Landed.GROUND, _STATE_ACTIVE: Landed.AIR}.get(m.system_status)
        if landed is not None:
            parts.others["landed"] = landed


def _sys_status(m: Any, parts: Parts, memory: Memory) -> None:
    present = m.onboard_control_sensors_present
    bits = tuple(
        HealthBit(
            name=name,
            is_enabled=bool(m.onboard_control_sensors_enabled & bit),
            is_healthy=bool(m.onboard_control_sensors_health & bit),
        )
        for bit, name in words.parts_of(present)
    )
    parts.others["parts"] = Health(at=parts.at, bits=bits)
    parts.values["cpu_load_percent"] = m.load / 10.0
    parts.values["link_drop_percent"] = m.drop_rate_comm / 100.0
    if memory.has_packs:
        return
    # Some autopilots say zero volts, or nothing, where no battery monitor is fitted.
    volts = None if m.voltage_battery in (0, NO_UINT16) else m.voltage_battery / 1000.0
    remaining = _known(m.battery_remaining, -1)
    if volts is None and remaining is None:
        return
    parts.batteries[0] = BatteryPack(
        number=0,
        at=parts.at,
        remaining_percent=remaining,
        voltage_v=volts,
        current_a=_known(m.current_battery, -1, 0.01),
    )


def _battery_status(m: Any, parts: Parts, memory: Memory) -> None:
    memory.has_packs = True
    cells = [cell / 1000.0 for cell in m.voltages if 0 < cell < NO_UINT16]
    cells += [cell / 1000.0 for cell in getattr(m, "voltages_ext", ()) if 0 < cell < NO_UINT16]
    faults = tuple(name for bit, name in words.BATTERY_FAULTS.items() if m.fault_bitmask & bit)
    # Where nothing measures the pack there is no pack to show.
    if not cells and m.battery_remaining < 0 and m.current_battery < 0:
        return
    parts.batteries[m.id] = BatteryPack(
        number=m.id,
        at=parts.at,
        remaining_percent=_known(m.battery_remaining, -1),
        voltage_v=sum(cells) if cells else None,
        cells_v=tuple(cells) if len(cells) > 1 else (),
        current_a=_known(m.current_battery, -1, 0.01),
        used_mah=_known(m.current_consumed, -1),
        temperature_c=_known(m.temperature, NO_INT16, 0.01),
        time_left_s=_known(m.time_remaining, 0),
        charge=words.CHARGES.get(m.charge_state, ""),
        faults=faults,
    )


def _gps_raw(number: int) -> Decoder:
    def read(m: Any, parts: Parts, memory: Memory) -> None:
        accuracy_m = m.h_acc / 1000.0 if getattr(m, "h_acc", 0) else None
        if number == 0:
            memory.fix_type = m.fix_type
            memory.accuracy_m = accuracy_m
        parts.gnss[number] = Gnss(
            number=number,
            at=parts.at,
            fix=_FIXES.get(m.fix_type),
            n_satellites=None if m.satellites_visible == NO_UINT8 else m.satellites_visible,
            hdop=_known(m.eph, NO_UINT16, 0.01),
            vdop=_known(m.epv, NO_UINT16, 0.01),
            accuracy_m=accuracy_m,
        )
        if number == 0 and m.fix_type >= _LEAST_FIX and m.cog < NO_UINT16:
            parts.values["course_deg"] = m.cog / 100.0

    return read


def _global_position(m: Any, parts: Parts, memory: Memory) -> None:
    parts.values["altitude_home_m"] = m.relative_alt / 1000.0
    parts.values["velocity_north_mps"] = m.vx / 100.0
    parts.values["velocity_east_mps"] = m.vy / 100.0
    parts.values["velocity_down_mps"] = m.vz / 100.0
    memory.is_heading_known = m.hdg != NO_UINT16
    if memory.is_heading_known:
        parts.values["heading_deg"] = m.hdg / 100.0
    point = _point(m.lat, m.lon)
    if point is None or (memory.fix_type is not None and memory.fix_type < _LEAST_FIX):
        return
    parts.others.update(position=point, accuracy_m=memory.accuracy_m)
    parts.values["altitude_amsl_m"] = m.alt / 1000.0


def _attitude(m: Any, parts: Parts, memory: Memory) -> None:
    memory.has_attitude = True
    parts.values["roll_deg"] = math.degrees(m.roll)
    parts.values["pitch_deg"] = math.degrees(m.pitch)
    parts.values["rate_x_dps"] = math.degrees(m.rollspeed)
    parts.values["rate_y_dps"] = math.degrees(m.pitchspeed)
    parts.values["rate_z_dps"] = math.degrees(m.yawspeed)


def _attitude_quaternion(m: Any, parts: Parts, memory: Memory) -> None:
    if memory.has_attitude:
        return
    roll, pitch, _ = euler_deg(m.q1, m.q2, m.q3, m.q4)
    parts.values["roll_deg"], parts.values["pitch_deg"] = roll, pitch


def _vfr_hud(m: Any, parts: Parts, memory: Memory) -> None:
    parts.values["air_speed_mps"] = m.airspeed
    parts.values["ground_speed_mps"] = m.groundspeed
    parts.values["climb_mps"] = m.climb
    parts.values["throttle_percent"] = m.throttle
    if not memory.is_heading_known:
        parts.values["heading_deg"] = m.heading


def _altitude(m: Any, parts: Parts, _memory: Memory) -> None:
    if m.altitude_terrain > _TERRAIN_UNKNOWN_BELOW_M:
        parts.values["altitude_ground_m"] = m.altitude_terrain


def _distance_sensor(m: Any, parts: Parts, _memory: Memory) -> None:
    if m.orientation == _DOWNWARD and m.min_distance <= m.current_distance <= m.max_distance:
        parts.values["altitude_ground_m"] = m.current_distance / 100.0


def _terrain_report(m: Any, parts: Parts, _memory: Memory) -> None:
    # Without a map of the terrain the height over it is said as zero.
    if m.spacing > 0:
        parts.values["altitude_ground_m"] = m.current_height


def _extended_sys_state(m: Any, parts: Parts, memory: Memory) -> None:
    landed = _LANDED.get(m.landed_state)
    if landed is not None:
        memory.has_landed_state = True
        parts.others["landed"] = landed


def _mission_current(m: Any, parts: Parts, memory: Memory) -> None:
    memory.mission_current = m.seq
    memory.mission_total = None if m.total in (0, NO_UINT16) else m.total
    memory.mission_state = words.MISSION_STATES.get(m.mission_state, "")
    _say_mission(parts, memory)


def _mission_item_reached(m: Any, parts: Parts, memory: Memory) -> None:
    memory.reached = m.seq
    _say_mission(parts, memory)


def _say_mission(parts: Parts, memory: Memory) -> None:
    if memory.mission_current is not None:
        parts.others["mission"] = Mission(
            at=parts.at,
            current=memory.mission_current,
            total=memory.mission_total,
            reached=memory.reached,
            state=memory.mission_state,
        )


def _home_position(m: Any, parts: Parts, _memory: Memory) -> None:
    point = _point(m.latitude, m.longitude)
    if point is not None:
        parts.others["home"] = Home(point=point, at=parts.at, altitude_amsl_m=m.altitude / 1000.0)


def _statustext(m: Any, parts: Parts, memory: Memory) -> None:
    number = getattr(m, "id", 0)
    if not number:
        _say_text(m.severity, _plain(m.text), parts)
        return
    chunks = memory.chunks.setdefault(number, {})
    chunks[m.chunk_seq] = _plain(m.text)
    # A chunk that fills its field goes on in the next one.
    if len(m.text) < TEXT_BYTES or len(chunks) >= MAX_CHUNKS:
        del memory.chunks[number]
        _say_text(m.severity, "".join(chunks[place] for place in sorted(chunks)), parts)
    elif len(memory.chunks) > MAX_CHUNKED_TEXTS:
        del memory.chunks[next(iter(memory.chunks))]


def _say_text(severity: int, text: str, parts: Parts) -> None:
    text = text.strip()
    if text:
        level = _LEVELS[min(severity, len(_LEVELS) - 1)]
        parts.texts.append(StatusText(level=level, text=text, at=parts.at, first_at=parts.at))


def _radio(m: Any, parts: Parts, _memory: Memory) -> None:
    for key, value in (
        ("radio_signal", m.rssi),
        ("radio_signal_remote", m.remrssi),
        ("radio_noise", m.noise),
        ("radio_noise_remote", m.remnoise),
    ):
        if value != NO_UINT8:
            parts.values[key] = value


def _vibration(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.values["vibration_x_mps2"] = m.vibration_x
    parts.values["vibration_y_mps2"] = m.vibration_y
    parts.values["vibration_z_mps2"] = m.vibration_z
    parts.values["clipping"] = m.clipping_0 + m.clipping_1 + m.clipping_2


def _wind(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.values["wind_speed_mps"] = m.speed
    parts.values["wind_from_deg"] = m.direction % 360.0


def _wind_cov(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.values["wind_speed_mps"] = math.hypot(m.wind_x, m.wind_y)
    parts.values["wind_from_deg"] = math.degrees(math.atan2(-m.wind_y, -m.wind_x)) % 360.0


def _fence_status(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.others["is_fence_breached"] = bool(m.breach_status)


def _autopilot_version(m: Any, parts: Parts, memory: Memory) -> None:
    long_uid = bytes(getattr(m, "uid2", ()))
    memory.uid = long_uid.hex() if any(long_uid) else f"{m.uid:016x}" if m.uid else ""
    if memory.uid:
        parts.others["uid"] = memory.uid


def _system_time(m: Any, parts: Parts, _memory: Memory) -> None:
    try:
        sent_at = EPOCH + timedelta(microseconds=m.time_unix_usec)
    except OverflowError:
        return
    if sent_at >= SANE_FROM:
        parts.others["sent_at"] = sent_at


def _scaled_pressure(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.values["pressure_hpa"] = m.press_abs
    parts.values["temperature_c"] = m.temperature / 100.0


def _nav_controller(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.values["waypoint_distance_m"] = m.wp_dist


def _gimbal(m: Any, parts: Parts, _memory: Memory) -> None:
    roll, pitch, _ = euler_deg(*m.q)
    parts.values["gimbal_roll_deg"], parts.values["gimbal_pitch_deg"] = roll, pitch


def _mount(m: Any, parts: Parts, _memory: Memory) -> None:
    parts.values["gimbal_pitch_deg"] = m.pointing_a / 100.0
    parts.values["gimbal_roll_deg"] = m.pointing_b / 100.0


def _camera_fov(m: Any, parts: Parts, _memory: Memory) -> None:
    center = None if m.lat_image == NO_INT32 or m.lon_image == NO_INT32 else _point(m.lat_image, m.lon_image)
    parts.others["footprint"] = Footprint(at=parts.at, center=center)
    parts.values["camera_h_fov_deg"] = m.hfov
    parts.values["camera_v_fov_deg"] = m.vfov


def _video_stream(m: Any, parts: Parts, _memory: Memory) -> None:
    uri = _plain(m.uri).strip()
    if uri:
        parts.others["video_uri"] = uri


def _available_modes(m: Any, parts: Parts, memory: Memory) -> None:
    name = _plain(m.mode_name).strip() or words.STANDARD_MODES.get(m.standard_mode, "")
    if name:
        memory.mode_names[m.custom_mode] = name
        if memory.custom_mode == m.custom_mode:
            parts.others.update(mode=name, is_automatic=words.is_automatic(name))


def _current_mode(m: Any, parts: Parts, memory: Memory) -> None:
    name = words.STANDARD_MODES.get(m.standard_mode) or memory.mode_names.get(m.custom_mode)
    if name:
        memory.mode_names[m.custom_mode] = name
        parts.others.update(mode=name, is_automatic=words.is_automatic(name))


def _high_latency2(m: Any, parts: Parts, memory: Memory) -> None:
    memory.mav_type, memory.autopilot = m.type, m.autopilot
    point = _point(m.latitude, m.longitude)
    if point is not None:
        parts.others["position"] = point
        parts.values["altitude_amsl_m"] = float(m.altitude)
    parts.values["heading_deg"] = m.heading * 2.0
    parts.values["throttle_percent"] = m.throttle
    parts.values["air_speed_mps"] = m.airspeed / 5.0
    parts.values["ground_speed_mps"] = m.groundspeed / 5.0
    parts.values["climb_mps"] = m.climb_rate / 10.0
    mode = words.mode_of(autopilot=m.autopilot, mav_type=m.type, base_mode=1, custom_mode=m.custom_mode)
    parts.others.update(
        kind=words.kind_of(m.type),
        autopilot=words.autopilot_of(m.autopilot),
        mode=mode,
        is_automatic=words.is_automatic(mode),
        is_high_latency=True,
    )
    if m.battery >= 0:
        parts.batteries[0] = BatteryPack(number=0, at=parts.at, remaining_percent=float(m.battery))


def _plain(text: str | bytes) -> str:
    """Return text without what follows its end, and without what is none."""
    raw = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return "".join(letter for letter in raw.split("\x00")[0] if letter.isprintable())


def _known(value: float, unknown: float, scale: float = 1.0) -> float | None:
    return None if value == unknown else value * scale


def _point(lat_e7: int, lon_e7: int) -> GeoPoint | None:
    """Return a position, or None where it is none, or 0, 0."""
    if lat_e7 == 0 and lon_e7 == 0:
        return None
    try:
        return GeoPoint(lat_e7 / 1e7, lon_e7 / 1e7)
    except ValueError:
        return None


def euler_deg(w: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Return roll, pitch and yaw [deg] of a quaternion; not finite where it is none."""
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    sine = 2.0 * (w * y - z * x)
    pitch = math.asin(max(-1.0, min(1.0, sine))) if math.isfinite(sine) else math.nan
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    return math.degrees(roll), math.degrees(pitch), math.degrees(yaw)


STATE_DECODERS: dict[int, Decoder] = {
    number_of(name): decoder
    for name, decoder in {
        "HEARTBEAT": _heartbeat,
        "SYS_STATUS": _sys_status,
        "BATTERY_STATUS": _battery_status,
        "GPS_RAW_INT": _gps_raw(0),
        "GPS2_RAW": _gps_raw(1),
        "GLOBAL_POSITION_INT": _global_position,
        "ATTITUDE": _attitude,
        "ATTITUDE_QUATERNION": _attitude_quaternion,
        "VFR_HUD": _vfr_hud,
        "ALTITUDE": _altitude,
        "DISTANCE_SENSOR": _distance_sensor,
        "TERRAIN_REPORT": _terrain_report,
        "EXTENDED_SYS_STATE": _extended_sys_state,
        "MISSION_CURRENT": _mission_current,
        "MISSION_ITEM_REACHED": _mission_item_reached,
        "HOME_POSITION": _home_position,
        "VIBRATION": _vibration,
        "WIND": _wind,
        "WIND_COV": _wind_cov,
        "FENCE_STATUS": _fence_status,
        "AUTOPILOT_VERSION": _autopilot_version,
        "SYSTEM_TIME": _system_time,
        "SCALED_PRESSURE": _scaled_pressure,
        "NAV_CONTROLLER_OUTPUT": _nav_controller,
        "CURRENT_MODE": _current_mode,
        "HIGH_LATENCY2": _high_latency2,
    }.items()
}
"""Of these the newest counts: what one flush brings is decoded once."""

EVENT_DECODERS: dict[int, Decoder] = {
    number_of("STATUSTEXT"): _statustext,
    number_of("AVAILABLE_MODES"): _available_modes,
}
"""Of these each counts."""

RADIO_DECODERS: dict[int, Decoder] = {number_of("RADIO_STATUS"): _radio, number_of("RADIO"): _radio}
"""They come from the radio, whichever system it says it is: they tell nothing of the drone's own life."""

PERIPHERAL_DECODERS: dict[int, Decoder] = {
    number_of("GIMBAL_DEVICE_ATTITUDE_STATUS"): _gimbal,
    number_of("MOUNT_STATUS"): _mount,
    number_of("CAMERA_FOV_STATUS"): _camera_fov,
    number_of("VIDEO_STREAM_INFORMATION"): _video_stream,
}
"""They come from any component of the drone."""
