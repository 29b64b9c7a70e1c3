"""Senders of the drone seed's kind, ours: one spams random states, one posts pictures, and one is a drone that flies.

They know nothing of this program beyond the seed's addresses and fields.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.kernel.geo import EARTH_RADIUS_M, GeoPoint
from core.sim.city import DemoCity

TIMEOUT_S = 2.0
RETRY_S = 1.0
GRAVITY = 9.81
RAMP_S = 15.0
"""A drone climbs, and comes down, for so long."""


@dataclass(slots=True)
class Poster:
    """Posts over one connection, opened again where it broke.

    Attributes:
        statuses: How often each answer came; 0 stands for none.
        last: The newest answer's body.
    """

    url: str
    key: str = ""
    timeout_s: float = TIMEOUT_S
    statuses: Counter[int] = field(default_factory=Counter)
    last: bytes = b""
    _connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, content_type: str) -> int:
        """Post once; returns the status, 0 where nobody answered."""
        headers = {"Content-Type": content_type, **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        try:
            if self._connection is None:
                self._connection = self._open()
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            self.last = answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            self.close()
            status = 0
        self.statuses[status] += 1
        return status

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "127.0.0.1", parts.port, timeout=self.timeout_s)


def random_state(dice: random.Random) -> dict[str, Any]:
    """Return a state as the seed's spammer makes it: every field, each anywhere in its range."""
    bounds = {
        "pitch": (0, 360),
        "yaw": (0, 360),
        "roll": (0, 360),
        "gpsx": (-180, 180),
        "gpsy": (-90, 90),
        "gpsz": (0, 10_000),
        "pressure": (800, 1_200),
        "altitude": (-100, 5_000),
        "temp": (-20, 50),
        **{f"V{axis}": (-10, 10) for axis in "xyz"},
        **{f"A{axis}": (-20, 20) for axis in "xyz"},
        **{f"G{axis}": (-math.pi, math.pi) for axis in "xyz"},
    }
    return {key: dice.uniform(*pair) for key, pair in bounds.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedScript:
    """What one drone does: round and round above a place, from take-off to landing, and anew.

    Attributes:
        drone_id: Empty leaves it to whoever listens to call it something.
        flies_s, rests_s: In the air, then on the ground with a fresh battery.
    """

    center: GeoPoint
    drone_id: str = ""
    name: str = ""
    radius_m: float = 180.0
    height_m: float = 60.0
    ground_m: float = 12.0
    speed_mps: float = 9.0
    flies_s: float = 540.0
    rests_s: float = 40.0


def state_at(script: SeedScript, t_s: float, dice: random.Random) -> dict[str, Any]:
    """Return the state so long after the first take-off, in the seed's fields and ours."""
    view = view_at(script, t_s)
    in_flight_s = t_s % (script.flies_s + script.rests_s)
    is_flying = in_flight_s < script.flies_s
    course = math.radians(view.heading_deg)
    speed = script.speed_mps if is_flying else 0.0
    turn = speed / script.radius_m if is_flying else 0.0
    used = in_flight_s / script.flies_s if is_flying else 0.0
    height_m = view.height_m
    named = {"droneId": script.drone_id, "name": script.name} if script.drone_id else {}
    return {
        **named,
        "gpsx": round(view.point.lon_deg, 7),
        "gpsy": round(view.point.lat_deg, 7),
        "gpsz": round(script.ground_m + height_m, 2),
        "altitude": round(script.ground_m + height_m + dice.gauss(0.0, 0.4), 2),
        "altitude_home_m": round(height_m, 2),
        "pressure": round(1013.25 * (1.0 - 2.25577e-5 * (script.ground_m + height_m)) ** 5.25588, 2),
        "temp": round(17.0 - 0.0065 * height_m + dice.gauss(0.0, 0.1), 2),
        "yaw": round(view.heading_deg, 2),
        "pitch": round((-6.0 if is_flying else 0.0) + dice.gauss(0.0, 0.6), 2),
        "roll": round(math.degrees(math.atan2(speed * turn, GRAVITY)) + dice.gauss(0.0, 0.6), 2),
        "Vx": round(speed * math.sin(course), 2),
        "Vy": round(speed * math.cos(course), 2),
        "Vz": round(view.climb_mps, 2),
        "Ax": round(dice.gauss(0.0, 0.05), 3),
        "Ay": round(speed * turn + dice.gauss(0.0, 0.05), 3),
        "Az": round(GRAVITY + dice.gauss(0.0, 0.05), 3),
        "Gx": 0.0,
        "Gy": 0.0,
        "Gz": round(turn, 4),
        "battery": round(100.0 - 78.0 * used, 1),
        "voltage": round(16.8 - 2.2 * used, 2),
        "satellites": 17,
        "fix": "3d",
        "homeLat": script.center.lat_deg,
        "homeLon": script.center.lon_deg,
        "armed": is_flying,
        "landed": "air" if is_flying else "ground",
        "mode": "Survey" if is_flying else "Landed",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where a drone is; its camera looks straight down, and its picture's upper edge is ahead.

    Attributes:
        east_m, north_m: From the middle of its round.
        height_m: Above the ground.
    """

    point: GeoPoint
    east_m: float
    north_m: float
    height_m: float
    climb_mps: float
    heading_deg: float


def view_at(script: SeedScript, t_s: float) -> View:
    """Return where the drone is and where its camera looks."""
    in_flight_s = t_s % (script.flies_s + script.rests_s)
    ramp = min(1.0, in_flight_s / RAMP_S, max(0.0, (script.flies_s - in_flight_s) / RAMP_S))
    flown_s = min(in_flight_s, script.flies_s)
    angle = flown_s * script.speed_mps / script.radius_m
    east, north = script.radius_m * math.sin(angle), script.radius_m * math.cos(angle)
    return View(
        point=_moved(script.center, east, north),
        east_m=east,
        north_m=north,
        height_m=script.height_m * ramp,
        climb_mps=0.0 if ramp in (0.0, 1.0) else math.copysign(script.height_m / RAMP_S, RAMP_S - in_flight_s),
        heading_deg=math.degrees(angle + math.pi / 2.0) % 360.0,
    )


def field_state_at(script: SeedScript, t_s: float, dice: random.Random) -> dict[str, Any]:
    """Return the same state as a drone says it over MQTT."""
    seed = state_at(script, t_s, dice)
    kept = ("altitude_home_m", "battery", "voltage", "satellites", "fix", "homeLat", "homeLon", "armed", "landed")
    return {
        "lat": seed["gpsy"],
        "lon": seed["gpsx"],
        "altitude_amsl_m": seed["gpsz"],
        "heading_deg": seed["yaw"],
        "pitch_deg": seed["pitch"],
        "roll_deg": seed["roll"],
        "ground_speed_mps": round(math.hypot(seed["Vx"], seed["Vy"]), 2),
        "climb_mps": seed["Vz"],
        "temperature_c": seed["temp"],
        **{key: seed[key] for key in kept},
    }


def demo_scripts(city: DemoCity) -> tuple[SeedScript, SeedScript]:
    """Return the demonstration's drone by HTTP, with pictures, and the one by MQTT."""
    return (
        SeedScript(center=_moved(city.center, -250.0, 420.0), drone_id="survey-4", name="Survey 4"),
        SeedScript(center=_moved(city.center, 750.0, -300.0), radius_m=240.0, height_m=80.0, speed_mps=11.0),
    )


def _moved(point: GeoPoint, east_m: float, north_m: float) -> GeoPoint:
    lat = point.lat_deg + math.degrees(north_m / EARTH_RADIUS_M)
    return GeoPoint(
        lat, point.lon_deg + math.degrees(east_m / (EARTH_RADIUS_M * math.cos(math.radians(point.lat_deg))))
    )


class SeedSender:
    """Posts a drone's states and pictures until it is told to end, each on a thread of its own.

    Threads: `start` and `stop` from any; what is posted runs on two of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        drone_id: str = "",
        make_state: Callable[[float], dict[str, Any]],
        make_picture: Callable[[float], bytes] | None = None,
        state_every_s: float = 0.5,
        picture_every_s: float = 0.1,
    ) -> None:
        """Prepare.

        Args:
            url: Where the gateway listens.
            key: Of the drone; empty sends none.
            drone_id: Goes with pictures where there is no key.
            make_state: Returns the state so many seconds after the start.
            make_picture: Returns a JPEG; None posts none.
            state_every_s: Between two states.
            picture_every_s: Between two pictures.
        """
        query = f"?drone={drone_id}" if drone_id and not key else ""
        self._ended = threading.Event()
        self.states, self.pictures = Poster(url, key), Poster(url, key)
        works: list[tuple[str, Callable[[], None]]] = [
            (
                "drone-states",
                lambda: self._run(
                    self.states,
                    f"/api/data{query}",
                    "application/json",
                    lambda t_s: json.dumps(make_state(t_s)).encode(),
                    state_every_s,
                ),
            )
        ]
        if make_picture is not None:
            works.append(
                (
                    "drone-pictures",
                    lambda: self._run(
                        self.pictures,
                        f"/api/video{query}",
                        "application/octet-stream",
                        make_picture,
                        picture_every_s,
                    ),
                )
            )
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, within some seconds."""
        self._ended.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S + 1.0)

    def _run(
        self, poster: Poster, path: str, content_type: str, make: Callable[[float], bytes], every_s: float
    ) -> None:
        began_s = due_s = time.monotonic()
        while not self._ended.is_set():
            status = poster.post(path, make(time.monotonic() - began_s), content_type)
            # A clock that ran on meanwhile is not run after.
            due_s = max(due_s + every_s, time.monotonic())
            wait_s = due_s - time.monotonic() if 0 < status < 400 else RETRY_S
            self._ended.wait(max(0.0, wait_s))
        poster.close()


def flying_sender(url: str, script: SeedScript, *, key: str = "", seed: int = 1, has_video: bool = True) -> SeedSender:
    """Return a sender for a drone that flies its script, with pictures of the ground below."""
    from core.sim.aerial import AerialCamera

    dice, camera = random.Random(seed), AerialCamera(seed=seed)
    return SeedSender(
        url,
        key=key,
        drone_id=script.drone_id,
        make_state=lambda t_s: state_at(script, t_s, dice),
        make_picture=(lambda t_s: camera.picture(view_at(script, t_s), t_s)) if has_video else None,
    )


def spamming_sender(url: str, *, key: str = "", every_s: float = 0.5, seed: int = 1) -> SeedSender:
    """Return a sender of random states, as fast as wanted."""
    dice = random.Random(seed)
    return SeedSender(url, key=key, make_state=lambda _t_s: random_state(dice), state_every_s=every_s)
