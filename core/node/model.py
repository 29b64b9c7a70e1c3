"""How the node is, for the health panel and the header."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.field.model import FieldLosses, LinkReport
from core.gateway.adapter import AdapterReport
from core.gateway.http.model import GatewayReport
from core.vision.model import EngineInfo, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """One vision worker process, or the detector.

    Attributes:
        n_restarts: Since the node started.
        n_failures: Ends that nobody asked for and failed starts within the last hour.
        is_culprit: Its only camera ends its process again and again.
    """

    key: str
    state: str
    pid: int | None
    n_restarts: int
    n_failures: int = 0
    is_culprit: bool = False
    cpu_percent: float = 0.0
    memory_mb: float = 0.0
    engine: EngineInfo | None = None
    reason: str = ""
    camera_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemNotice:
    """Something about the system itself that a person should mend."""

    key: str
    message: str
    hint: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnstoredCall:
    """What calls an operator and waits for the database: it stands in no list, and nobody can acknowledge it yet.

    Attributes:
        at: When it was seen.
        priority: As `Priority`; 1 is the most urgent.
    """

    title: str
    source_name: str
    at: datetime
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The node and everything under it.

    Attributes:
        stand_in_reason: Why the demonstration model runs although another one is wanted; empty where it does not.
        unstored_calls: The most urgent few of the calls that wait for the database.
        n_unstored_calls: All of them.
        decoder: What pictures are decoded with, as `HardwareDecode.name`; empty until it was tried.
        decoder_reason: Why with that.
    """

    at: datetime
    node_pid: int
    version: str
    loop_lag_p99_ms: float
    loop_lag_max_ms: float
    database: str
    is_database_ok: bool
    database_reason: str = ""
    disk_free_gb: float = 0.0
    link: LinkReport | None = None
    losses: FieldLosses = field(default_factory=FieldLosses)
    adapters: tuple[AdapterReport, ...] = ()
    gateway: GatewayReport | None = None
    workers: tuple[WorkerReport, ...] = ()
    stand_in_reason: str = ""
    notices: tuple[SystemNotice, ...] = ()
    unstored_calls: tuple[UnstoredCall, ...] = ()
    n_unstored_calls: int = 0
    n_frames: int = 0
    n_dropped: int = 0
    n_detections: int = 0
    n_observations: int = 0
    n_incidents: int = 0
    n_alarms: int = 0
    n_messages: int = 0
    n_worker_restarts: int = 0
    n_errors: int = 0
    n_consoles: int = 0
    cpu_percent: float = 0.0
    memory_mb: float = 0.0
    decoder: str = ""
    decoder_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInfo:
    """What a console learns before anyone signs in."""

    name: str
    node_id: str
    version: str
    protocol: int
    is_demo: bool
    is_ready: bool
    """The store is open; while it is not, `notices` say what the node is waiting for."""

    needs_administrator: bool
    timezone: str = "UTC"
    """Name of the zone that people at the site live by."""

    basemap: str = ""
    """Path or resource name of the offline map; empty means none."""

    center: tuple[float, float] | None = None
    """Latitude and longitude the map opens at."""

    notices: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """What was measured at one instant."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One quantity over time, oldest first; never empty."""

    title: str
    unit: str
    points: tuple[TrendPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A camera's newest picture with the tracks on it.

    Attributes:
        sequence: Ask for the next with it; unchanged, with an empty `jpeg`, where there is nothing newer.
        age_s: Since the picture was received by the node [s]; clocks of two machines are not compared.
        tracks_pts_s: Picture time of `tracks`.
    """

    sequence: int
    pts_s: float = 0.0
    captured_at_s: float = 0.0
    age_s: float = 0.0
    width: int = 0
    height: int = 0
    epoch: int = 0
    jpeg: bytes = b""
    tracks_pts_s: float = 0.0
    tracks: tuple[Track, ...] = ()
