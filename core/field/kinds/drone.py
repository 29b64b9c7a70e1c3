"""A drone that speaks MQTT: where it is and how it is, in the names of the room's quantities."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from core.field.kinds.base import DeviceKind, KindPayload, Moment, Number, Quantity, Said, Stream

PAYLOAD = "DroneState"
STREAM = "state"
STALE_S = 5.0
FIXES = ("none", "2d", "3d", "dgps", "rtk_float", "rtk_fixed", "static", "ppp")
"""What a satellite receiver knows, as numbers of a reading: the places in here."""


class DroneState(KindPayload):
    """State of a drone; ours: the Smart Data Models have no word for it. What is not known is left out or null.

    Attributes:
        lat, lon: WGS-84 [deg]; 0, 0 is a receiver without a fix.
        climb_mps: Upward.
        battery: Charge [%].
        time_left: In the air, on this battery [s].
        accuracy: Of the position, horizontal [m].
        fix: Of its satellite receiver; `satellites` and `hdop` count only beside it.
        armed: Its motors may turn.
    """

    lat: Annotated[Number, Field(ge=-90, le=90)] = None
    lon: Annotated[Number, Field(ge=-180, le=180)] = None
    accuracy: Annotated[Number, Field(ge=0, le=100_000)] = None
    altitude_amsl_m: Annotated[Number, Field(ge=-500, le=30_000)] = None
    altitude_home_m: Annotated[Number, Field(ge=-1_000, le=30_000)] = None
    roll_deg: Annotated[Number, Field(ge=-180, le=180)] = None
    pitch_deg: Annotated[Number, Field(ge=-180, le=180)] = None
    heading_deg: Annotated[Number, Field(ge=0, le=360)] = None
    course_deg: Annotated[Number, Field(ge=0, le=360)] = None
    ground_speed_mps: Annotated[Number, Field(ge=0, le=300)] = None
    air_speed_mps: Annotated[Number, Field(ge=0, le=400)] = None
    climb_mps: Annotated[Number, Field(ge=-150, le=150)] = None
    temperature_c: Annotated[Number, Field(ge=-90, le=150)] = None
    wind_speed_mps: Annotated[Number, Field(ge=0, le=120)] = None
    wind_from_deg: Annotated[Number, Field(ge=0, le=360)] = None
    battery: Annotated[Number, Field(ge=0, le=100)] = None
    voltage: Annotated[Number, Field(ge=0, le=1_000)] = None
    current: Annotated[Number, Field(ge=-2_000, le=2_000)] = None
    time_left: Annotated[Number, Field(alias="timeLeft", ge=0, le=1_000_000)] = None
    satellites: Annotated[Number, Field(ge=0, le=255)] = None
    hdop: Annotated[Number, Field(ge=0, le=100)] = None
    home_lat: Annotated[Number, Field(alias="homeLat", ge=-90, le=90)] = None
    home_lon: Annotated[Number, Field(alias="homeLon", ge=-180, le=180)] = None
    fix: Literal["none", "2d", "3d", "dgps", "rtk_float", "rtk_fixed", "static", "ppp"] | None = None
    armed: bool | None = None
    landed: Literal["ground", "air", "take_off", "landing"] | None = None

    def values(self) -> dict[str, float]:
        """Return the numbers, the place of its fix in `FIXES`, and 1 or 0 for armed and in the air."""
        found = super().values()
        if self.fix is not None:
            found["fix"] = float(FIXES.index(self.fix))
        if self.armed is not None:
            found["armed"] = float(self.armed)
        if self.landed is not None:
            found["in_air"] = float(self.landed != "ground")
        return found


_CENTER = (47.37, 8.54)
_RADIUS_DEG, _LAP_S = 0.0015, 120.0


def simulate(moment: Moment) -> Iterable[Said]:
    """Say a drone that flies round and round, with a battery for twenty minutes."""
    angle = 2.0 * math.pi * moment.elapsed_s / _LAP_S
    yield Said(
        stream=STREAM,
        type=PAYLOAD,
        data={
            "lat": round(_CENTER[0] + _RADIUS_DEG * math.cos(angle), 7),
            "lon": round(_CENTER[1] + _RADIUS_DEG * math.sin(angle), 7),
            "altitude_home_m": round(60.0 + moment.random.gauss(0.0, 0.3), 1),
            "heading_deg": round(math.degrees(angle + math.pi / 2.0) % 360.0, 1),
            "ground_speed_mps": 8.7,
            "battery": round(100.0 - (moment.elapsed_s / 12.0) % 80.0, 1),
            "satellites": 15,
            "fix": "3d",
            "armed": True,
            "landed": "air",
        },
    )


KIND = DeviceKind(
    key="drone",
    title="Drone",
    plural="Drones",
    groups=frozenset({"drone", "drones"}),
    streams=(Stream(key=STREAM, title="State", stale_s=STALE_S),),
    quantities=(
        Quantity(key="altitude_home_m", title="Height above home", unit="m", decimals=1),
        Quantity(key="battery", title="Battery", unit="%", decimals=0),
        Quantity(key="ground_speed_mps", title="Ground speed", unit="m/s", decimals=1),
        Quantity(key="heading_deg", title="Heading", unit="°", decimals=0),
        Quantity(key="altitude_amsl_m", title="Altitude above sea", unit="m", decimals=0),
        Quantity(key="climb_mps", title="Climb", unit="m/s", decimals=1),
        Quantity(key="roll_deg", title="Roll", unit="°", decimals=0),
        Quantity(key="pitch_deg", title="Pitch", unit="°", decimals=0),
        Quantity(key="course_deg", title="Course", unit="°", decimals=0),
        Quantity(key="air_speed_mps", title="Air speed", unit="m/s", decimals=1),
        Quantity(key="temperature_c", title="Temperature", unit="°C", decimals=1),
        Quantity(key="wind_speed_mps", title="Wind", unit="m/s", decimals=1),
        Quantity(key="wind_from_deg", title="Wind from", unit="°", decimals=0),
        Quantity(key="voltage", title="Voltage", unit="V", decimals=1),
        Quantity(key="current", title="Current", unit="A", decimals=1),
        Quantity(key="timeLeft", title="Time left", unit="s", decimals=0),
        Quantity(key="satellites", title="Satellites", unit="", decimals=0),
        Quantity(key="fix", title="Fix", unit="", decimals=0),
        Quantity(key="hdop", title="HDOP", unit="", decimals=1),
        Quantity(key="accuracy", title="Accuracy", unit="m", decimals=1),
        Quantity(key="lat", title="Latitude", unit="°", decimals=5),
        Quantity(key="lon", title="Longitude", unit="°", decimals=5),
        Quantity(key="homeLat", title="Latitude of home", unit="°", decimals=5),
        Quantity(key="homeLon", title="Longitude of home", unit="°", decimals=5),
        Quantity(key="armed", title="Armed", unit="", decimals=0),
        Quantity(key="in_air", title="In the air", unit="", decimals=0),
    ),
    payloads={PAYLOAD: DroneState},
    simulate=simulate,
)
