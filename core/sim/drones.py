"""Drones that speak MAVLink 2 by UDP, signed where a key is given: for the demonstration, tests and the load test."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from core.kernel.geo import EARTH_RADIUS_M, GeoPoint
from core.sim.city import DemoCity

TICK_S = 0.1
CRUISE_MPS = 12.0
CLIMB_MPS = 3.0
GRAVITY = 9.81
FULL_V, EMPTY_V = 25.2, 21.0
FLIGHT_S = 1500.0
"""A full battery lasts so long in the air."""

SIGNING_EPOCH_S = 1_420_070_400
"""2015-01-01, where times of signatures begin."""

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
    """

    system: int
    route: tuple[GeoPoint, ...]
    height_m: float = 60.0
    ground_m: float = 40.0
    speed_mps: float = CRUISE_MPS
    waits_s: float = 5.0
    flies_s: float = 600.0
    attitudes_per_tick: int = 1


@dataclass(slots=True)
class _Where:
    east_m: float = 0.0
    north_m: float = 0.0
    height_m: float = 0.0
    east_mps: float = 0.0
    north_mps: float = 0.0
    climb_mps: float = 0.0
    heading_deg: float = 0.0


class _Outgoing:
    """Collects what the generated parser would send."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def write(self, packet: bytes) -> None:
        """Keep one message."""
        self.packets.append(bytes(packet))


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

    _leg: int = 1
    _texts: list[tuple[int, str]] = field(default_factory=list)
    _phase: str = "ground"
    _phase_s: float = 0.0
    _n_ticks: int = 0

    def __post_init__(self) -> None:
        """Prepare its voice."""
        self._outgoing = _Outgoing()
        self._mav = mavlink.MAVLink(self._outgoing, srcSystem=self.script.system, srcComponent=1)
        if self.key is not None:
            signing = self._mav.signing
            signing.secret_key = self.key
            signing.sign_outgoing = True
            signing.link_id = 1
            signing.timestamp = int((time.time() - SIGNING_EPOCH_S) * 100_000)

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
        packets, self._outgoing.packets = self._outgoing.packets, []
        return [] if self.is_silent else packets

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
        for _ in range(self.script.attitudes_per_tick):
            self._say_attitude()
        if every % 2 == 0:
            self._say_position()
        if every % 5 == 0:
            self._say_receiver()
        if every % 10 == 0:
            self._say_life()
        if every % 50 == 0:
            self._say_home()
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
        shake = 12.0 if self.is_armed else 0.5
        self._mav.vibration_send(int(self.t_s * 1e6), shake, shake * 0.9, shake * 1.2, 0, 0, 0)

    def _say_life(self) -> None:
        armed = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if self.is_armed else 0
        self._mav.heartbeat_send(
            mavlink.MAV_TYPE_QUADROTOR,
            mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA,
            mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | armed,
            self._mode(),
            mavlink.MAV_STATE_ACTIVE if self.is_armed else mavlink.MAV_STATE_STANDBY,
        )
        volts = EMPTY_V + (FULL_V - EMPTY_V) * self.battery
        amps = 18.0 if self.is_armed else 0.8
        percent = round(self.battery * 100.0)
        sensors = (_SENSORS, _SENSORS, _SENSORS)
        self._mav.sys_status_send(*sensors, 220, round(volts * 1000), round(amps * 100), percent, 0, 0, 0, 0, 0, 0)
        cells = [round(volts / 6.0 * 1000.0)] * 6 + [0xFFFF] * 4
        used_mah = round((1.0 - self.battery) * 7_500.0)
        left_s = round(self.battery * FLIGHT_S)
        self._mav.battery_status_send(0, 1, 1, 3_100, cells, round(amps * 100), used_mah, -1, percent, left_s, 1)
        landed = mavlink.MAV_LANDED_STATE_IN_AIR if self.where.height_m > 0.3 else mavlink.MAV_LANDED_STATE_ON_GROUND
        self._mav.extended_sys_state_send(0, landed)
        self._mav.mission_current_send(self._leg, len(self.script.route), 3 if self._phase == "route" else 2)
        self._mav.system_time_send(int(time.time() * 1e6), self._boot_ms)
        self._mav.wind_send(225.0, 3.5, 0.0)

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
        self._mav.autopilot_version_send(0, 0, 0, 0, 0, *([[0] * 8] * 3), 0, 0, 0x5EED_0000 + self.script.system)


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
        try:
            due_s = loop.time()
            while True:
                self.step()
                due_s += TICK_S
                await asyncio.sleep(max(0.0, due_s - loop.time()))
        finally:
            for one in self._sockets:
                one.close()

    def step(self) -> None:
        """Fly one tick and send what is said."""
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
        DroneScript(system=1, route=square_around(_moved(center, -900.0, -900.0), 450.0), height_m=70.0),
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
