"""Drones that speak MAVLink 2 by UDP, signed where a key is given: for the demonstration, tests and the load test."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import all as mavlink

from core.drones.mavlink.voice import Voice
from core.kernel.geo import EARTH_RADIUS_M, GeoPoint
from core.sim.city import DemoCity

TICK_S = 0.1
CRUISE_MPS = 12.0
CLIMB_MPS = 3.0
GRAVITY = 9.81
FULL_V, EMPTY_V = 25.2, 21.0
FLIGHT_S = 1500.0
"""A full battery lasts so long in the air."""

MAX_DATAGRAM = 2_048
LOOKS_DOWN_DEG = 55.0
CAMERA_FOV_DEG = (62.0, 38.0)

_COPTER_LOITER, _COPTER_AUTO, _COPTER_RTL, _COPTER_LAND = 5, 3, 6, 9
_SENSORS = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x10000 | 0x100000 | 0x200000


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneScript:
    """What one simulated drone does.

    Attributes:
        route: Flown around and around, beginning over home; not closed.
        height_m: Above home.
        ground_m: Of home above the sea.
        waits_s: On the ground before it takes off.
        flies_s: In the air before it returns and lands; then everything begins anew with a full battery.
        is_sparse: It says its heartbeat and status texts; the rest only to who asks.
        is_old: It knows no intervals of messages, only streams of them.
        has_camera: A camera hangs below it, which looks ahead and down.
        video_uri: Where its camera's video is; empty for none.
        hardware: Its autopilot's number; 0 for one that is made of the system's.
    """

    system: int
    route: tuple[GeoPoint, ...]
    height_m: float = 60.0
    ground_m: float = 40.0
    speed_mps: float = CRUISE_MPS
    waits_s: float = 5.0
    flies_s: float = 600.0
    attitudes_per_tick: int = 1
    is_sparse: bool = False
    is_old: bool = False
    has_camera: bool = False
    video_uri: str = ""
    hardware: int = 0


@dataclass(slots=True)
class _Where:
    east_m: float = 0.0
    north_m: float = 0.0
    height_m: float = 0.0
    east_mps: float = 0.0
    north_mps: float = 0.0
    climb_mps: float = 0.0
    heading_deg: float = 0.0


@dataclass
class SimDrone:
    """One drone; `step` moves it and returns what it says."""

    script: DroneScript
    key: bytes | None = None
    where: _Where = field(default_factory=_Where)
    battery: float = 1.0
    t_s: float = 0.0
    is_silent: bool = False
    is_autopilot_silent: bool = False
    """Only its radio still talks."""

    heard: Counter[str] = field(default_factory=Counter)
    """What was sent to it, by message and command."""

    _leg: int = 1
    _wanted: set[int] = field(default_factory=set)
    _texts: list[tuple[int, str]] = field(default_factory=list)
    _phase: str = "ground"
    _phase_s: float = 0.0
    _n_ticks: int = 0

    def __post_init__(self) -> None:
        """Prepare its voice."""
        self._voice = Voice(self.script.system, 1, key=self.key)
        self._ears = mavlink.MAVLink(None, srcSystem=self.script.system, srcComponent=1)
        self._ears.robust_parsing = True
        if self.key is not None:
            self._ears.signing.secret_key = self.key

    @property
    def _mav(self) -> Any:
        return self._voice.mav

    @property
    def is_armed(self) -> bool:
        """Whether its motors may turn."""
        return self._phase != "ground"

    @property
    def position(self) -> GeoPoint:
        """Where it is."""
        return _moved(self.script.route[0], self.where.east_m, self.where.north_m)

    def say(self, severity: int, text: str) -> None:
        """Let it say a status text with the next step; 0 is an emergency, 6 information."""
        self._texts.append((severity, text))

    def step(self, dt_s: float = TICK_S) -> list[bytes]:
        """Fly on for a while; returns the messages of that tick."""
        self.t_s += dt_s
        self._phase_s += dt_s
        self._fly(dt_s)
        self._speak()
        self._n_ticks += 1
        packets = self._voice.take()
        return [] if self.is_silent else packets

    def hear(self, data: bytes) -> None:
        """Take what a ground station or a console sends: what it asks for comes with the next steps."""
        for message in self._ears.parse_buffer(data) or ():
            name = message.get_type()
            self.heard[name if name != "COMMAND_LONG" else f"{name} {message.command}"] += 1
            if name == "COMMAND_LONG" and message.target_system == self.script.system:
                self._obey(message)
            elif name == "REQUEST_DATA_STREAM":
                self._wanted.update(_OF_STREAMS.get(message.req_stream_id, ()))

    def _obey(self, message: Any) -> None:
        number = int(message.param1)
        is_known = True
        if message.command == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL and not self.script.is_old:
            self._wanted.add(number)
        elif message.command == mavlink.MAV_CMD_REQUEST_MESSAGE and number in self._once:
            self._once[number]()
        else:
            is_known = False
        result = mavlink.MAV_RESULT_ACCEPTED if is_known else mavlink.MAV_RESULT_UNSUPPORTED
        self._mav.command_ack_send(message.command, result)

    def _says(self, number: int) -> bool:
        return not self.script.is_sparse or number in self._wanted

    # -- flying ---------------------------------------------------------------------------------------------------

    def _fly(self, dt_s: float) -> None:
        where, script = self.where, self.script
        target_m = 0.0 if self._phase in ("ground", "land") else script.height_m
        step_m = max(-CLIMB_MPS * dt_s, min(CLIMB_MPS * dt_s, target_m - where.height_m))
        where.height_m += step_m
        where.climb_mps = step_m / dt_s
        where.east_mps = where.north_mps = 0.0
        if self._phase == "ground":
            self.battery = 1.0
            if self._phase_s >= script.waits_s:
                self._enter("climb", "Takeoff")
            return
        self.battery = max(0.0, self.battery - dt_s / FLIGHT_S)
        if self._phase == "climb" and where.height_m >= script.height_m - 0.5:
            self._enter("route", "Mission: 1 WP")
        elif self._phase == "route":
            if self._towards(self._corner(self._leg), dt_s):
                self._leg = (self._leg + 1) % len(script.route)
            if self._phase_s >= script.flies_s:
                self._enter("return", "Returning to launch")
        elif self._phase == "return" and self._towards((0.0, 0.0), dt_s):
            self._enter("land", "Landing")
        elif self._phase == "land" and where.height_m <= 0.05:
            self._enter("ground", "Disarming motors")

    def _enter(self, phase: str, text: str) -> None:
        self._phase, self._phase_s = phase, 0.0
        if phase == "route":
            self._leg = 1 % len(self.script.route)
        self.say(6, text)

    def _corner(self, number: int) -> tuple[float, float]:
        home, corner = self.script.route[0], self.script.route[number]
        north_m = math.radians(corner.lat_deg - home.lat_deg) * EARTH_RADIUS_M
        east_m = math.radians(corner.lon_deg - home.lon_deg) * EARTH_RADIUS_M * math.cos(math.radians(home.lat_deg))
        return east_m, north_m

    def _towards(self, goal: tuple[float, float], dt_s: float) -> bool:
        """Fly towards a place; returns whether it is reached."""
        where = self.where
        east_m, north_m = goal[0] - where.east_m, goal[1] - where.north_m
        way_m = math.hypot(east_m, north_m)
        step_m = min(way_m, self.script.speed_mps * dt_s)
        if way_m > 1e-6:
            where.east_mps, where.north_mps = (part / way_m * step_m / dt_s for part in (east_m, north_m))
            where.east_m += where.east_mps * dt_s
            where.north_m += where.north_mps * dt_s
            where.heading_deg = math.degrees(math.atan2(east_m, north_m)) % 360.0
        return way_m <= step_m + 1e-6

    # -- speaking -------------------------------------------------------------------------------------------------

    def _speak(self) -> None:
        every = self._n_ticks
        if self.is_autopilot_silent:
            self._mav.radio_status_send(190, 188, 90, 40, 45, 0, 0)
            return
        for _ in range(self.script.attitudes_per_tick if self._says(mavlink.MAVLINK_MSG_ID_ATTITUDE) else 0):
            self._say_attitude()
        if every % 2 == 0:
            self._say_position()
        if every % 5 == 0:
            self._say_receiver()
            if self.script.has_camera:
                self._say_camera()
        if every % 10 == 0:
            self._say_heartbeat()
            self._say_life()
        if every % 50 == 0 and not self.script.is_sparse:
            self._say_home()
            self._say_version()
            self._say_video()
        for severity, text in self._texts:
            self._mav.statustext_send(severity, text.encode()[:50])
        self._texts.clear()

    @property
    def _boot_ms(self) -> int:
        return int(self.t_s * 1000.0)

    def _say_attitude(self) -> None:
        where = self.where
        speed_mps = math.hypot(where.east_mps, where.north_mps)
        lean = math.atan2(speed_mps * 0.25, GRAVITY)
        sway = math.radians(2.0) * math.sin(self.t_s * 1.3 + self.script.system)
        turn = 0.0 if not self.is_armed else sway
        self._mav.attitude_send(self._boot_ms, turn, -lean, math.radians(where.heading_deg), 0.0, 0.0, 0.0)

    def _say_position(self) -> None:
        where, script, point = self.where, self.script, self.position
        if self._says(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT):
            self._mav.global_position_int_send(
                self._boot_ms,
                round(point.lat_deg * 1e7),
                round(point.lon_deg * 1e7),
                round((script.ground_m + where.height_m) * 1000.0),
                round(where.height_m * 1000.0),
                round(where.north_mps * 100.0),
                round(where.east_mps * 100.0),
                round(-where.climb_mps * 100.0),
                round(where.heading_deg * 100.0) % 36_000,
            )
        if not self._says(mavlink.MAVLINK_MSG_ID_VFR_HUD):
            return
        speed_mps = math.hypot(where.east_mps, where.north_mps)
        throttle = 45 if self.is_armed else 0
        self._mav.vfr_hud_send(
            speed_mps + 0.4,
            speed_mps,
            int(where.heading_deg),
            throttle,
            script.ground_m + where.height_m,
            where.climb_mps,
        )

    def _say_receiver(self) -> None:
        point, where = self.position, self.where
        if self._says(mavlink.MAVLINK_MSG_ID_GPS_RAW_INT):
            self._mav.gps_raw_int_send(
                int(self.t_s * 1e6),
                mavlink.GPS_FIX_TYPE_3D_FIX,
                round(point.lat_deg * 1e7),
                round(point.lon_deg * 1e7),
                round((self.script.ground_m + where.height_m) * 1000.0),
                80,
                130,
                round(math.hypot(where.east_mps, where.north_mps) * 100.0),
                round(where.heading_deg * 100.0) % 36_000,
                14,
                h_acc=900,
            )
        if not self._says(mavlink.MAVLINK_MSG_ID_VIBRATION):
            return
        shake = 12.0 if self.is_armed else 0.5
        self._mav.vibration_send(int(self.t_s * 1e6), shake, shake * 0.9, shake * 1.2, 0, 0, 0)

    def _say_heartbeat(self) -> None:
        armed = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if self.is_armed else 0
        self._mav.heartbeat_send(
            mavlink.MAV_TYPE_QUADROTOR,
            mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA,
            mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | armed,
            self._mode(),
            mavlink.MAV_STATE_ACTIVE if self.is_armed else mavlink.MAV_STATE_STANDBY,
        )

    def _say_life(self) -> None:
        volts = EMPTY_V + (FULL_V - EMPTY_V) * self.battery
        amps = 18.0 if self.is_armed else 0.8
        percent = round(self.battery * 100.0)
        sensors = (_SENSORS, _SENSORS, _SENSORS)
        if self._says(mavlink.MAVLINK_MSG_ID_SYS_STATUS):
            self._mav.sys_status_send(*sensors, 220, round(volts * 1000), round(amps * 100), percent, 0, 0, 0, 0, 0, 0)
        if self._says(mavlink.MAVLINK_MSG_ID_BATTERY_STATUS):
            self._say_battery(volts, amps, percent)
        landed = mavlink.MAV_LANDED_STATE_IN_AIR if self.where.height_m > 0.3 else mavlink.MAV_LANDED_STATE_ON_GROUND
        if self._says(mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE):
            self._mav.extended_sys_state_send(0, landed)
        if self._says(mavlink.MAVLINK_MSG_ID_MISSION_CURRENT):
            self._mav.mission_current_send(self._leg, len(self.script.route), 3 if self._phase == "route" else 2)
        if not self.script.is_sparse:
            self._mav.system_time_send(int(time.time() * 1e6), self._boot_ms)
            self._mav.wind_send(225.0, 3.5, 0.0)

    def _say_battery(self, volts: float, amps: float, percent: int) -> None:
        cells = [round(volts / 6.0 * 1000.0)] * 6 + [0xFFFF] * 4
        used_mah = round((1.0 - self.battery) * 7_500.0)
        left_s = round(self.battery * FLIGHT_S)
        self._mav.battery_status_send(0, 1, 1, 3_100, cells, round(amps * 100), used_mah, -1, percent, left_s, 1)

    def _mode(self) -> int:
        return {
            "ground": _COPTER_LOITER,
            "climb": _COPTER_AUTO,
            "route": _COPTER_AUTO,
            "return": _COPTER_RTL,
            "land": _COPTER_LAND,
        }[self._phase]

    def _say_home(self) -> None:
        home = self.script.route[0]
        lat, lon = round(home.lat_deg * 1e7), round(home.lon_deg * 1e7)
        level = [1.0, 0.0, 0.0, 0.0]
        self._mav.home_position_send(lat, lon, round(self.script.ground_m * 1000), 0, 0, 0, level, 0, 0, 0)

    def _say_version(self) -> None:
        hardware = self.script.hardware or 0x5EED_0000 + self.script.system
        self._mav.autopilot_version_send(0, 0, 0, 0, 0, *([[0] * 8] * 3), 0, 0, hardware)

    def _say_camera(self) -> None:
        half = math.radians(LOOKS_DOWN_DEG) / 2.0
        level = [math.cos(half), 0.0, -math.sin(half), 0.0]
        self._mav.gimbal_device_attitude_status_send(0, 0, self._boot_ms, 0, level, 0.0, 0.0, 0.0, 0)
        point, height_mm = self.position, round((self.script.ground_m + self.where.height_m) * 1000.0)
        place = (round(point.lat_deg * 1e7), round(point.lon_deg * 1e7), height_mm)
        unknown = (0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF)
        self._mav.camera_fov_status_send(self._boot_ms, *place, *unknown, level, *CAMERA_FOV_DEG)

    def _say_video(self) -> None:
        uri = self.script.video_uri
        if uri:
            figures = (1, 1, mavlink.VIDEO_STREAM_TYPE_RTSP, 1, 25.0, 640, 360, 800, 0, 63)
            self._mav.video_stream_information_send(*figures, b"Down", uri.encode())

    @property
    def _once(self) -> dict[int, Callable[[], None]]:
        return {
            mavlink.MAVLINK_MSG_ID_HOME_POSITION: self._say_home,
            mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION: self._say_version,
            mavlink.MAVLINK_MSG_ID_VIDEO_STREAM_INFORMATION: self._say_video,
        }


_OF_STREAMS = {
    mavlink.MAV_DATA_STREAM_POSITION: (mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,),
    mavlink.MAV_DATA_STREAM_EXTRA1: (mavlink.MAVLINK_MSG_ID_ATTITUDE,),
    mavlink.MAV_DATA_STREAM_EXTRA2: (mavlink.MAVLINK_MSG_ID_VFR_HUD,),
    mavlink.MAV_DATA_STREAM_EXTRA3: (mavlink.MAVLINK_MSG_ID_BATTERY_STATUS, mavlink.MAVLINK_MSG_ID_VIBRATION),
    mavlink.MAV_DATA_STREAM_EXTENDED_STATUS: (
        mavlink.MAVLINK_MSG_ID_SYS_STATUS,
        mavlink.MAVLINK_MSG_ID_GPS_RAW_INT,
        mavlink.MAVLINK_MSG_ID_MISSION_CURRENT,
    ),
}
"""What an older autopilot says in each of its streams."""


class DroneSwarm:
    """Several drones that send to one place, each from a port of its own."""

    def __init__(self, drones: Sequence[SimDrone], *, host: str, port: int) -> None:
        """Send to an address."""
        self._drones = tuple(drones)
        self._to = (host, port)
        self._sockets: list[socket.socket] = []

    async def run(self) -> None:
        """Fly and send until it is cancelled."""
        loop = asyncio.get_running_loop()
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in self._drones]
        for one in self._sockets:
            one.setblocking(False)
        try:
            due_s = loop.time()
            while True:
                self.step()
                due_s += TICK_S
                await asyncio.sleep(max(0.0, due_s - loop.time()))
        finally:
            for one in self._sockets:
                one.close()

    def _listen(self) -> None:
        for drone, one in zip(self._drones, self._sockets, strict=True):
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                while True:
                    drone.hear(one.recv(MAX_DATAGRAM))

    def step(self) -> None:
        """Hear what came, fly one tick and send what is said."""
        self._listen()
        for drone, one in zip(self._drones, self._sockets, strict=True):
            packets = drone.step()
            if packets:
                one.sendto(b"".join(packets), self._to)


def _moved(origin: GeoPoint, east_m: float, north_m: float) -> GeoPoint:
    lat_deg = origin.lat_deg + math.degrees(north_m / EARTH_RADIUS_M)
    lon_deg = origin.lon_deg + math.degrees(east_m / (EARTH_RADIUS_M * math.cos(math.radians(origin.lat_deg))))
    return GeoPoint(lat_deg, lon_deg)


def square_around(home: GeoPoint, size_m: float) -> tuple[GeoPoint, ...]:
    """Return a square route that begins at home."""
    corners: tuple[Any, ...] = ((0.0, 0.0), (size_m, 0.0), (size_m, size_m), (0.0, size_m))
    return tuple(_moved(home, east_m, north_m) for east_m, north_m in corners)


def demo_drones(city: DemoCity) -> tuple[SimDrone, ...]:
    """Return the demo's three drones: over the harbour, along the centre, and one that often waits."""
    center = city.center
    scripts = (
        DroneScript(
            system=1, route=square_around(_moved(center, -900.0, -900.0), 450.0), height_m=70.0, has_camera=True
        ),
        DroneScript(
            system=2,
            route=square_around(_moved(center, 150.0, 100.0), 320.0),
            height_m=55.0,
            speed_mps=9.0,
            waits_s=20.0,
            flies_s=420.0,
        ),
        DroneScript(
            system=3,
            route=square_around(_moved(center, 600.0, 900.0), 260.0),
            height_m=90.0,
            waits_s=90.0,
            flies_s=180.0,
        ),
    )
    return tuple(SimDrone(script) for script in scripts)
