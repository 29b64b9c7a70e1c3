"""What a drone says, in words and figures: the present, the old with its age, and "--" for what nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.drones.model import (
    BATTERY_STALE_S,
    GNSS_STALE_S,
    LANDED_STALE_S,
    MISSION_STALE_S,
    MODE_STALE_S,
    QUANTITIES,
    BatteryPack,
    Drone,
    DroneLink,
    DroneState,
    Fix,
    Gnss,
    Landed,
    LinkHealth,
    Measured,
    Mission,
    Signing,
    is_stale,
)
from widgets.base.conditions import Condition
from widgets.base.times import format_age, format_clock

UNKNOWN = "--"
HEIGHT_KEYS = ("altitude_home_m", "altitude_ground_m", "altitude_amsl_m", "altitude_pressure_m")
"""In the order in which a pilot thinks of them; the first that is known counts as the height."""

SPEED_KEYS = ("ground_speed_mps", "air_speed_mps")
HEALTH_WORDS = {LinkHealth.LIVE: "Live", LinkHealth.DEGRADED: "Degraded", LinkHealth.LOST: "Lost"}
HEALTH_CONDITIONS = {
    LinkHealth.LIVE: Condition.OK,
    LinkHealth.DEGRADED: Condition.STALE,
    LinkHealth.LOST: Condition.LOST,
}
LANDED_WORDS = {
    Landed.GROUND: "on the ground",
    Landed.AIR: "in the air",
    Landed.TAKE_OFF: "taking off",
    Landed.LANDING: "landing",
}
SIGNING_WORDS = {
    Signing.OFF: "",
    Signing.GOOD: "signed",
    Signing.UNSIGNED: "unsigned",
    Signing.BAD: "wrong signature",
}
FIX_WORDS = {
    Fix.NONE: "no fix",
    Fix.TWO_D: "2D",
    Fix.THREE_D: "3D",
    Fix.DGPS: "DGPS",
    Fix.RTK_FLOAT: "RTK float",
    Fix.RTK_FIXED: "RTK fixed",
    Fix.STATIC: "static",
    Fix.PPP: "PPP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One quantity as it is shown.

    Attributes:
        value: None where it was never said.
        text: The figure without its unit; "--" where it was never said.
        age: Of an old value, e.g. "12 s"; empty where it is the present one.
    """

    title: str
    unit: str
    value: float | None
    text: str
    age: str = ""

    @property
    def is_present(self) -> bool:
        """Whether the value is the present one."""
        return self.value is not None and not self.age

    @property
    def sentence(self) -> str:
        """The value with its unit and, where it is old, its age."""
        if self.value is None:
            return UNKNOWN
        figure = f"{self.text}{self.unit}" if self.unit == "°" else f"{self.text} {self.unit}".strip()
        return f"{figure}, {self.age} old" if self.age else figure


def shown(state: DroneState | None, key: str, now: datetime) -> Shown:
    """Return a quantity of a drone, by a key of `QUANTITIES`."""
    measured = None if state is None else state.values.get(key)
    return shown_of(measured, key, now)


def shown_of(measured: Measured | None, key: str, now: datetime) -> Shown:
    """Return a measured value as it is shown."""
    quantity = QUANTITIES[key]
    if measured is None:
        return Shown(title=quantity.title, unit=quantity.unit, value=None, text=UNKNOWN)
    text = f"{measured.value:.{quantity.decimals}f}"
    return Shown(
        title=quantity.title,
        unit=quantity.unit,
        value=measured.value,
        text=text.removeprefix("-") if float(text) == 0.0 else text,
        age=age_of(measured.at, now, quantity.stale_s),
    )


def first_shown(state: DroneState | None, keys: tuple[str, ...], now: datetime) -> Shown:
    """Return the first of these quantities that is the present one; else the first that was ever said."""
    found = [shown(state, key, now) for key in keys]
    return next(
        (one for one in found if one.is_present), next((one for one in found if one.value is not None), found[0])
    )


def age_of(at: datetime, now: datetime, stale_s: float) -> str:
    """Return how old something is in words; empty where it is the present."""
    return format_age((now - at).total_seconds()) if is_stale(at, now, stale_s) else ""


def battery_shown(state: DroneState | None, now: datetime) -> Shown:
    """Return the charge of the emptiest pack that says so."""
    packs = () if state is None else tuple(pack for pack in state.batteries if pack.remaining_percent is not None)
    if not packs:
        return Shown(title="Battery", unit="%", value=None, text=UNKNOWN)
    emptiest = min(packs, key=lambda pack: pack.remaining_percent or 0.0)
    value = emptiest.remaining_percent
    assert value is not None
    return Shown(
        title="Battery", unit="%", value=value, text=f"{value:.0f}", age=age_of(emptiest.at, now, BATTERY_STALE_S)
    )


def link_words(state: DroneState | None, now: datetime) -> str:
    """Return how a drone is heard and how long ago it spoke."""
    if state is None or state.heartbeat_at is None:
        return "Not heard yet"
    age = format_age((now - state.heartbeat_at).total_seconds())
    word = HEALTH_WORDS[state.health]
    return f"Satellite, {word.lower()}  {age}" if state.is_high_latency else f"{word}  {age}"


def condition_of(state: DroneState | None) -> Condition:
    """Return how far what is shown of a drone can be trusted."""
    if state is None or state.heartbeat_at is None:
        return Condition.UNKNOWN
    return HEALTH_CONDITIONS[state.health]


def mode_words(state: DroneState | None, now: datetime) -> str:
    """Return how it flies, with its age where that is old."""
    if state is None or state.mode is None:
        return UNKNOWN
    age = age_of(state.mode.at, now, MODE_STALE_S)
    return f"{state.mode.name} ({age} ago)" if age else state.mode.name


def armed_words(state: DroneState | None) -> str:
    """Return whether its motors may turn; that it is unknown is said."""
    if state is None or state.is_armed is None:
        return UNKNOWN
    word = "Armed" if state.is_armed else "Disarmed"
    return f"was {word.lower()}" if state.health is LinkHealth.LOST else word


def landed_words(state: DroneState | None, now: datetime) -> str:
    """Return whether it flies, as it said itself."""
    if state is None or state.landed is None or state.landed_at is None:
        return UNKNOWN
    word, age = LANDED_WORDS[state.landed], age_of(state.landed_at, now, LANDED_STALE_S)
    return f"was {word} {age} ago" if age else word


def pack_words(pack: BatteryPack) -> tuple[tuple[str, str], ...]:
    """Return the facts of one battery."""
    cells = "  ".join(f"{cell:.2f}" for cell in pack.cells_v)
    return (
        ("Voltage", _with_unit(pack.voltage_v, "V", 1)),
        ("Current", _with_unit(pack.current_a, "A", 1)),
        ("Used", _with_unit(pack.used_mah, "mAh", 0)),
        ("Temperature", _with_unit(pack.temperature_c, "°C", 0)),
        ("Time left", UNKNOWN if pack.time_left_s is None else duration_words(pack.time_left_s)),
        ("Cells", f"{cells} V" if cells else UNKNOWN),
    )


def gnss_words(gnss: Gnss, now: datetime) -> str:
    """Return what a satellite receiver knows."""
    fix = UNKNOWN if gnss.fix is None else FIX_WORDS[gnss.fix]
    parts = [fix, f"{UNKNOWN if gnss.n_satellites is None else gnss.n_satellites} satellites"]
    if gnss.hdop is not None:
        parts.append(f"HDOP {gnss.hdop:.1f}")
    if gnss.accuracy_m is not None:
        parts.append(f"±{gnss.accuracy_m:.1f} m")
    age = age_of(gnss.at, now, GNSS_STALE_S)
    return "  ·  ".join([*parts, f"{age} old"] if age else parts)


def mission_words(mission: Mission | None, now: datetime) -> str:
    """Return how far a mission is."""
    if mission is None:
        return UNKNOWN
    total = "" if mission.total is None else f" of {mission.total}"
    age = age_of(mission.at, now, MISSION_STALE_S)
    parts = [f"item {mission.current}{total}", mission.state, f"{age} old" if age else ""]
    return "  ·  ".join(part for part in parts if part)


def duration_words(seconds: float) -> str:
    """Write a duration as hours, minutes and seconds."""
    whole = max(0, round(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def sending_words(link: DroneLink) -> str:
    """Return in few words that a link sends; empty while it only listens."""
    active = link.active
    return "" if active is None else f"SENDS  {link.n_bytes_sent - active.n_sent_before:,} bytes"


def sending_sentence(link: DroneLink) -> str:
    """Return who lets a link send, until when and why; empty while it only listens."""
    active = link.active
    if active is None:
        return ""
    risk = " Drones may not notice that their pilot's station is lost." if active.beats_as_station else ""
    until = format_clock(active.until)
    return f"Link {link.link_id} SENDS to drones until {until}, by {active.by}: {active.reason}.{risk}"


def lost_sentence(drone: Drone | None, state: DroneState, now: datetime) -> str:
    """Return what has to be said of a drone that is not heard; empty where it is."""
    if state.health is not LinkHealth.LOST or state.heartbeat_at is None:
        return ""
    since = state.lost_at or state.heartbeat_at
    name = state.drone_id if drone is None else drone.name
    age = format_age((now - state.heartbeat_at).total_seconds())
    return f"{name} is not heard since {format_clock(since)} (last word {age} ago). What is shown is the last known."


def _with_unit(value: float | None, unit: str, decimals: int) -> str:
    return UNKNOWN if value is None else f"{value:.{decimals}f} {unit}"
