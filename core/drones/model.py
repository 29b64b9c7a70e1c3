"""Drones: what is known of each, how old it is, and what it flew.

Whatever is not known is absent: no quantity stands as zero for "unknown", and no drone at 0, 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.kernel.geo import GeoPoint

DEGRADED_S = 3.5
LOST_S = 5.0
"""Without a heartbeat of the autopilot for so long a link is degraded, and lost."""

POSITION_STALE_S = 2.0
MODE_STALE_S = 5.0
BATTERY_STALE_S = 10.0
GNSS_STALE_S = 3.0
HEALTH_STALE_S = 5.0
MISSION_STALE_S = 5.0
LANDED_STALE_S = 5.0

MAX_ID_LENGTH = 64
MAX_TEXTS = 50
"""Status texts that a state carries; older ones are in the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Something that is measured, by the name that says its unit.

    Attributes:
        stale_s: A value that nothing renewed for so long is shown with its age, as old.
        lowest, highest: Beyond these no drone of ours can be: such a value is refused and counted.
    """

    key: str
    title: str
    unit: str
    decimals: int
    stale_s: float
    lowest: float
    highest: float


def _quantities(*rows: tuple[str, str, str, int, float, float, float]) -> dict[str, Quantity]:
    return {
        key: Quantity(
            key=key, title=title, unit=unit, decimals=decimals, stale_s=stale_s, lowest=lowest, highest=highest
        )
        for key, title, unit, decimals, stale_s, lowest, highest in rows
    }


QUANTITIES: Mapping[str, Quantity] = _quantities(
    ("altitude_amsl_m", "Altitude above sea", "m", 0, 2.0, -500.0, 30_000.0),
    ("altitude_home_m", "Height above home", "m", 1, 2.0, -1_000.0, 30_000.0),
    ("altitude_ground_m", "Height above ground", "m", 1, 2.0, -100.0, 30_000.0),
    ("altitude_pressure_m", "Pressure altitude", "m", 0, 5.0, -1_000.0, 30_000.0),
    ("roll_deg", "Roll", "°", 0, 1.0, -180.0, 180.0),
    ("pitch_deg", "Pitch", "°", 0, 1.0, -180.0, 180.0),
    ("heading_deg", "Heading", "°", 0, 2.0, 0.0, 360.0),
    ("course_deg", "Course over ground", "°", 0, 3.0, 0.0, 360.0),
    ("ground_speed_mps", "Ground speed", "m/s", 1, 2.0, 0.0, 300.0),
    ("air_speed_mps", "Air speed", "m/s", 1, 2.0, 0.0, 400.0),
    ("climb_mps", "Climb", "m/s", 1, 2.0, -150.0, 150.0),
    ("throttle_percent", "Throttle", "%", 0, 2.0, 0.0, 100.0),
    ("velocity_north_mps", "Speed to the north", "m/s", 1, 2.0, -300.0, 300.0),
    ("velocity_east_mps", "Speed to the east", "m/s", 1, 2.0, -300.0, 300.0),
    ("velocity_down_mps", "Speed downward", "m/s", 1, 2.0, -150.0, 150.0),
    ("acceleration_x_mps2", "Acceleration x", "m/s²", 2, 2.0, -500.0, 500.0),
    ("acceleration_y_mps2", "Acceleration y", "m/s²", 2, 2.0, -500.0, 500.0),
    ("acceleration_z_mps2", "Acceleration z", "m/s²", 2, 2.0, -500.0, 500.0),
    ("rate_x_dps", "Turn rate x", "°/s", 1, 2.0, -4_000.0, 4_000.0),
    ("rate_y_dps", "Turn rate y", "°/s", 1, 2.0, -4_000.0, 4_000.0),
    ("rate_z_dps", "Turn rate z", "°/s", 1, 2.0, -4_000.0, 4_000.0),
    ("pressure_hpa", "Air pressure", "hPa", 1, 10.0, 10.0, 1_200.0),
    ("temperature_c", "Temperature", "°C", 1, 10.0, -90.0, 150.0),
    ("wind_speed_mps", "Wind", "m/s", 1, 10.0, 0.0, 120.0),
    ("wind_from_deg", "Wind from", "°", 0, 10.0, 0.0, 360.0),
    ("vibration_x_mps2", "Vibration x", "m/s²", 1, 5.0, 0.0, 1_000.0),
    ("vibration_y_mps2", "Vibration y", "m/s²", 1, 5.0, 0.0, 1_000.0),
    ("vibration_z_mps2", "Vibration z", "m/s²", 1, 5.0, 0.0, 1_000.0),
    ("clipping", "Accelerometer clippings", "", 0, 5.0, 0.0, 4.3e9),
    ("cpu_load_percent", "Autopilot load", "%", 0, 5.0, 0.0, 100.0),
    ("link_drop_percent", "Packets lost at the drone", "%", 1, 5.0, 0.0, 100.0),
    ("radio_signal", "Radio signal", "", 0, 5.0, 0.0, 254.0),
    ("radio_signal_remote", "Radio signal at the drone", "", 0, 5.0, 0.0, 254.0),
    ("radio_noise", "Radio noise", "", 0, 5.0, 0.0, 254.0),
    ("radio_noise_remote", "Radio noise at the drone", "", 0, 5.0, 0.0, 254.0),
    ("gimbal_roll_deg", "Gimbal roll", "°", 0, 2.0, -360.0, 360.0),
    ("gimbal_pitch_deg", "Gimbal pitch", "°", 0, 2.0, -360.0, 360.0),
    ("gimbal_heading_deg", "Gimbal heading", "°", 0, 2.0, 0.0, 360.0),
    ("camera_h_fov_deg", "Camera's angle across", "°", 0, 5.0, 0.1, 360.0),
    ("camera_v_fov_deg", "Camera's angle up and down", "°", 0, 5.0, 0.1, 360.0),
    ("home_distance_m", "Distance to home", "m", 0, 2.0, 0.0, 1.0e6),
    ("waypoint_distance_m", "Distance to the next waypoint", "m", 0, 5.0, 0.0, 65_535.0),
)
"""Every quantity that a drone's state may hold, by key; a source names no others."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One value, and when its own message arrived."""

    value: float
    at: datetime


class Landed(StrEnum):
    """Whether a drone is in the air."""

    GROUND = "ground"
    AIR = "air"
    TAKE_OFF = "take_off"
    LANDING = "landing"


class LinkHealth(StrEnum):
    """How a drone is heard, by the heartbeats of its autopilot alone."""

    LIVE = "live"
    DEGRADED = "degraded"
    LOST = "lost"


class Signing(StrEnum):
    """What is known of the signatures of what a drone sends."""

    OFF = "off"
    """Nobody checks."""

    GOOD = "good"
    UNSIGNED = "unsigned"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """How one drone is heard on one link.

    Attributes:
        path: The sender's address where several share a link; empty where there is one.
        heartbeat_at: Of the autopilot, never of a radio; None before the first.
        loss: Share of messages that were lost on the way, 0..1; None where nobody can tell.
        is_used: The state is made of what comes here.
    """

    link_id: str
    health: LinkHealth
    path: str = ""
    heartbeat_at: datetime | None = None
    loss: float | None = None
    is_used: bool = False
    signing: Signing = Signing.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a drone was, as it said itself.

    Attributes:
        accuracy_m: Horizontal, as the receiver estimates it.
    """

    point: GeoPoint
    at: datetime
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a drone returns to.

    Attributes:
        altitude_amsl_m: None where it is not known.
    """

    point: GeoPoint
    at: datetime
    altitude_amsl_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryPack:
    """One battery.

    Attributes:
        remaining_percent, voltage_v, current_a, used_mah, temperature_c, time_left_s: None where it does not say so.
        faults: In words.
    """

    number: int
    at: datetime
    remaining_percent: float | None = None
    voltage_v: float | None = None
    cells_v: tuple[float, ...] = ()
    current_a: float | None = None
    used_mah: float | None = None
    temperature_c: float | None = None
    time_left_s: float | None = None
    charge: str = ""
    faults: tuple[str, ...] = ()


class Fix(StrEnum):
    """What a satellite receiver knows."""

    NONE = "none"
    TWO_D = "2d"
    THREE_D = "3d"
    DGPS = "dgps"
    RTK_FLOAT = "rtk_float"
    RTK_FIXED = "rtk_fixed"
    STATIC = "static"
    PPP = "ppp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gnss:
    """One satellite receiver.

    Attributes:
        fix: None where there is no receiver.
        hdop, vdop: Dilutions without a unit.
    """

    number: int
    at: datetime
    fix: Fix | None = None
    n_satellites: int | None = None
    hdop: float | None = None
    vdop: float | None = None
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How a drone flies.

    Attributes:
        name: In the words of its autopilot.
        is_automatic: It follows a mission or a computer, not a pilot; None where that is not known.
    """

    name: str
    at: datetime
    is_automatic: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    """How far a mission is.

    Attributes:
        current: Number of the item that is flown, from 0.
        total: None where it is not known.
        reached: The item that was reached last.
        state: In words; empty where it is not known.
    """

    at: datetime
    current: int
    total: int | None = None
    reached: int | None = None
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthBit:
    """One sensor or part, as the autopilot judges it."""

    name: str
    is_enabled: bool
    is_healthy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Of the parts that a drone has."""

    at: datetime
    bits: tuple[HealthBit, ...]


class TextLevel(StrEnum):
    """How much a status text matters, as syslog grades it."""

    EMERGENCY = "emergency"
    ALERT = "alert"
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    INFO = "info"
    DEBUG = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusText:
    """What a drone said, once however often it repeats itself.

    Attributes:
        at: It was said last.
        first_at: It was said first.
    """

    level: TextLevel
    text: str
    at: datetime
    first_at: datetime
    n_times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a drone's camera sees of the ground, as the drone says it itself.

    Attributes:
        center: None where the camera looks over the horizon.
    """

    at: datetime
    center: GeoPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Where a drone may fly, drawn by an operator; the drone's own fence is its own.

    Attributes:
        corners: In order, not closed; fewer than three fence nothing in.
        max_height_m: Above home; None for no limit.
    """

    corners: tuple[GeoPoint, ...] = ()
    max_height_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drone:
    """A drone as it is set up here.

    Attributes:
        drone_id: Unique; at most 64 characters.
        kind: "Quadrotor", "Fixed wing", … as it says itself; empty where it does not.
        autopilot: As it says itself.
        system_id: Of MAVLink; None for others.
        uid: Of the autopilot's hardware; empty where it does not say so.
        camera_id: Of the camera that shows its video; empty for none.
        max_speed_mps: What its last position spreads with, once it is silent.
        version: Rises with every save; saving names the version it began on.
        is_other: Somebody else's, heard by Remote ID: what it says of itself nobody verified, and no rule calls for it.
    """

    drone_id: str
    name: str
    site: str = ""
    kind: str = ""
    autopilot: str = ""
    system_id: int | None = None
    uid: str = ""
    camera_id: str = ""
    fence: Fence | None = None
    max_speed_mps: float = 20.0
    version: int = 0
    is_other: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneState:
    """Everything known of a drone right now; each part has its own age.

    Attributes:
        health: Of the link that is used.
        lost_at: When the last link was lost; None while it is heard.
        values: By the keys of `QUANTITIES`; what was never said is absent.
        batteries: By number.
        gnss: By number.
        texts: Newest last, at most `MAX_TEXTS`.
        links: The used one is marked.
        airborne_since: None on the ground, and where nobody knows.
        flight_id: Of the flight that is flown; empty on the ground.
        video_uri: Where it says its video is, without user and password; empty where it does not.
        sent_at: The drone's own clock, for display only; None where that is not set.
        is_high_latency: It speaks by satellite: rarely, and late.
        namesake: What says that two drones go by this id, a sentence with a way out; empty where nothing does.
        faults: What cannot be right, each a sentence with a way out; `namesake` is one of them.
    """

    drone_id: str
    health: LinkHealth = LinkHealth.LOST
    heartbeat_at: datetime | None = None
    lost_at: datetime | None = None
    position: Position | None = None
    home: Home | None = None
    values: Mapping[str, Measured] = field(default_factory=dict)
    batteries: tuple[BatteryPack, ...] = ()
    gnss: tuple[Gnss, ...] = ()
    mode: Mode | None = None
    is_armed: bool | None = None
    armed_at: datetime | None = None
    landed: Landed | None = None
    landed_at: datetime | None = None
    mission: Mission | None = None
    parts: Health | None = None
    texts: tuple[StatusText, ...] = ()
    links: tuple[LinkStatus, ...] = ()
    is_fence_breached: bool | None = None
    footprint: Footprint | None = None
    airborne_since: datetime | None = None
    flight_id: str = ""
    video_uri: str = ""
    sent_at: datetime | None = None
    is_high_latency: bool = False
    namesake: str = ""
    faults: tuple[str, ...] = ()

    def value(self, key: str) -> float | None:
        """Return the last value of a quantity, however old; None where it was never said."""
        measured = self.values.get(key)
        return None if measured is None else measured.value

    def fresh(self, key: str, now: datetime) -> float | None:
        """Return a quantity's value where it is the present one."""
        measured = self.values.get(key)
        return None if measured is None or is_stale(measured.at, now, QUANTITIES[key].stale_s) else measured.value

    def fresh_mode(self, now: datetime) -> str:
        """Return the mode where it is the present one; empty otherwise."""
        return "" if self.mode is None or is_stale(self.mode.at, now, MODE_STALE_S) else self.mode.name

    def fresh_armed(self, now: datetime) -> bool | None:
        """Return whether its motors are armed, where it said so just now."""
        return None if self.armed_at is None or is_stale(self.armed_at, now, MODE_STALE_S) else self.is_armed

    def fresh_landed(self, now: datetime) -> Landed | None:
        """Return whether it flies, where it said so just now."""
        return None if self.landed_at is None or is_stale(self.landed_at, now, LANDED_STALE_S) else self.landed

    def fresh_battery_percent(self, now: datetime) -> float | None:
        """Return the charge of the emptiest pack that said so just now."""
        packs = (pack for pack in self.batteries if not is_stale(pack.at, now, BATTERY_STALE_S))
        return min((pack.remaining_percent for pack in packs if pack.remaining_percent is not None), default=None)

    @property
    def is_in_air(self) -> bool | None:
        """Return whether it flies, as far as it says so."""
        return None if self.landed is None else self.landed is not Landed.GROUND

    @property
    def battery_percent(self) -> float | None:
        """Return the last charge of the emptiest pack that says so, however old."""
        known = [pack.remaining_percent for pack in self.batteries if pack.remaining_percent is not None]
        return min(known, default=None)


def is_stale(at: datetime, now: datetime, stale_s: float) -> bool:
    """Return whether something that arrived at an instant is no longer the present."""
    return (now - at).total_seconds() > stale_s


def uncertainty_m(drone: Drone, state: DroneState, now: datetime) -> float | None:
    """Return how far from its last known position a drone may be by now [m]; None where no position is known."""
    if state.position is None:
        return None
    age_s = max(0.0, (now - state.position.at).total_seconds())
    spread_m = 0.0 if age_s <= POSITION_STALE_S or state.landed is Landed.GROUND else drone.max_speed_mps * age_s
    return (state.position.accuracy_m or 0.0) + spread_m


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneReport:
    """What a source (MAVLink, HTTP, MQTT) heard of one drone; whatever it did not hear is left out.

    Attributes:
        link_id: Of the source, e.g. "udp-14550", "http", "mqtt".
        at: Arrival here, aware, UTC; a sender's own clock is `sent_at`.
        is_heartbeat: The drone itself spoke. A report of its radio alone is none.
        name: What it calls itself; only used the first time.
        values: By the keys of `QUANTITIES`; what is unknown, not finite or impossible is refused and counted.
        position: Never 0, 0: that is a receiver without a fix.
        texts: As they were said; repeated ones are joined here.
        loss: As in `LinkStatus`.
        is_other: As in `Drone`.
        has_two_senders: Two drones speak at once where this came from; what is said here may be of either.
    """

    drone_id: str
    link_id: str
    at: datetime
    is_heartbeat: bool = True
    path: str = ""
    name: str = ""
    kind: str = ""
    autopilot: str = ""
    system_id: int | None = None
    uid: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    position: GeoPoint | None = None
    accuracy_m: float | None = None
    home: Home | None = None
    batteries: tuple[BatteryPack, ...] = ()
    gnss: tuple[Gnss, ...] = ()
    mode: str | None = None
    is_automatic: bool | None = None
    is_armed: bool | None = None
    landed: Landed | None = None
    mission: Mission | None = None
    parts: Health | None = None
    texts: tuple[StatusText, ...] = ()
    is_fence_breached: bool | None = None
    footprint: Footprint | None = None
    video_uri: str = ""
    sent_at: datetime | None = None
    loss: float | None = None
    signing: Signing = Signing.OFF
    is_high_latency: bool = False
    has_two_senders: bool = False
    is_other: bool = False


class LinkKind(StrEnum):
    """How a link's bytes come in."""

    UDP = "udp"
    TCP = "tcp"
    SERIAL = "serial"
    FILE = "file"


class SigningPolicy(StrEnum):
    """What becomes of messages by their signatures."""

    OFF = "off"
    WARN = "warn"
    """What is unsigned or wrongly signed is taken, and said."""

    REQUIRE = "require"
    """What is unsigned or wrongly signed is refused, and counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveProfile:
    """A link that asks drones for messages, because a supervisor said so; it ends by itself.

    Attributes:
        by: Name of the supervisor.
        beats_as_station: It says that it is a ground station, which hides from drones that their pilot's is lost.
        n_sent_before: What had been sent on the link before it began [bytes].
    """

    by: str
    reason: str
    since: datetime
    until: datetime
    beats_as_station: bool = False
    n_sent_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneLink:
    """One link of the node and how it is.

    Attributes:
        address: As it stands in the settings.
        is_open: It can be heard on.
        reason: Why it is not open; empty where it is.
        active: While it asks drones for messages; None where it only listens.
        n_bytes_sent: Since the node began; 0 as long as it only listened.
        n_corrupt: Messages whose checksum was wrong, and bytes that were none.
        n_unknown: Messages of a number that nobody here knows.
        n_refused: Values that were not finite or impossible.
        n_bad_signatures: Messages that were signed wrongly or not at all, where that is checked.
        n_dropped: Messages beyond what one link may bring in.
        faults: Sentences with a way out.
    """

    link_id: str
    kind: LinkKind
    address: str
    is_open: bool = False
    reason: str = ""
    active: ActiveProfile | None = None
    signing: SigningPolicy = SigningPolicy.OFF
    heard_at: datetime | None = None
    n_messages: int = 0
    n_bytes: int = 0
    n_bytes_sent: int = 0
    n_corrupt: int = 0
    n_unknown: int = 0
    n_refused: int = 0
    n_bad_signatures: int = 0
    n_dropped: int = 0
    faults: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Return whether it sends: off unless a supervisor switched it on."""
        return self.active is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """One point of a flight; what was not known then is None."""

    at: datetime
    point: GeoPoint
    altitude_amsl_m: float | None = None
    altitude_home_m: float | None = None
    ground_speed_mps: float | None = None
    heading_deg: float | None = None
    battery_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """From take-off to landing, or what a file holds of one.

    Attributes:
        ended_at: None while it is flown.
        distance_m: Along the track over ground.
        max_height_m: Above home; None where no height was said.
        battery_used_percent: None where no charge was said.
        source: "live", or the name of the imported file.
        log_file: With the raw bytes, relative to the folder of drones; empty where there is none.
        has_lost_end: The link was lost in the air: nobody saw the end.
        was_interrupted: The node ended while it was flown: a part of it was not heard.
    """

    flight_id: str
    drone_id: str
    began_at: datetime
    ended_at: datetime | None = None
    distance_m: float = 0.0
    max_height_m: float | None = None
    battery_used_percent: float | None = None
    n_points: int = 0
    source: str = "live"
    log_file: str = ""
    has_lost_end: bool = False
    was_interrupted: bool = False

    def duration_s(self, now: datetime) -> float:
        """Return how long it lasted, or lasts by now."""
        return ((self.ended_at or now) - self.began_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedState:
    """A drone as it was known at an instant of a flight."""

    flight: Flight
    at: datetime
    state: DroneState


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A flight as a file that lies at the node for a while, to be fetched in parts.

    Attributes:
        export_id: Names it when its parts are asked for.
        name: What a person would call it.
    """

    export_id: str
    name: str
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLog:
    """What a log that was brought in holds.

    Attributes:
        flights: Of every drone in it; empty as long as parts of it are to come.
        notes: What could not be read of it, each a sentence.
    """

    flights: tuple[Flight, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DronesTold:
    """On the bus, what came close together in one: drones are otherwise than before."""

    states: tuple[DroneState, ...]


@dataclass(frozen=True, slots=True)
class DroneChanged:
    """On the bus: a drone was heard for the first time, or is set up otherwise; stored already."""

    drone: Drone


@dataclass(frozen=True, slots=True)
class DroneRemoved:
    """On the bus: a drone was removed; its flights stay."""

    drone_id: str


@dataclass(frozen=True, slots=True)
class DroneLinksTold:
    """On the bus, once a second where something is new: how the node's links are."""

    links: tuple[DroneLink, ...]


@dataclass(frozen=True, slots=True)
class FlightChanged:
    """On the bus: a flight began, ended or goes on after the node was away; stored already."""

    flight: Flight
