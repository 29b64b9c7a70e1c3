"""Parking lots and their bays: as they are drawn, and as they are known to stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.kernel.geo import GeoPoint

Point = tuple[float, float]
Outline = tuple[Point, ...]
"""Corners in order, not closed, at least three."""


class BayKind(StrEnum):
    """Who a bay is for."""

    STANDARD = "standard"
    ACCESSIBLE = "accessible"
    EV = "ev"
    LOADING = "loading"
    RESERVED = "reserved"


class BayState(StrEnum):
    """How a bay stands, as far as anybody knows."""

    FREE = "free"
    OCCUPIED = "occupied"
    UNKNOWN = "unknown"
    CLOSED = "closed"


class SightMethod(StrEnum):
    """How a camera tells whether a bay is occupied."""

    AUTOMATIC = "automatic"
    """As the camera's calibration run found best; until one ran, the detector."""

    DETECTOR = "detector"
    """Vehicles' boxes against the bays' outlines."""

    CLASSIFIER = "classifier"
    """Each bay's own look against its learnt empty look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bay:
    """One place to park.

    Attributes:
        bay_id: Unique in its lot; at most 64 characters.
        label: What is painted on the ground; empty shows the id.
        zone: Bays of one zone are counted together; empty for none.
        level: 0 is the ground, -1 the first below it.
        outline: On the lot's plan [m], x to the right and y up; empty where nobody drew it there.
        max_stay_min: Longest allowed stay; None for no limit.
    """

    bay_id: str
    label: str = ""
    kind: BayKind = BayKind.STANDARD
    zone: str = ""
    level: int = 0
    outline: Outline = ()
    max_stay_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BayView:
    """What one camera sees of a lot.

    Attributes:
        outlines: By bay, as fractions of the picture.
        lanes: Outlines of driving lanes that must stay clear, by name, as fractions of the picture.
        image_px: Longest side of the picture that is looked at; None leaves it to the method.
        rate: Share of bays that the last calibration run got right, 0..1; None until one ran.
    """

    camera_id: str
    outlines: Mapping[str, Outline] = field(default_factory=dict)
    lanes: Mapping[str, Outline] = field(default_factory=dict)
    method: SightMethod = SightMethod.AUTOMATIC
    image_px: int | None = None
    rate: float | None = None
    calibrated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One floor of a garage.

    Attributes:
        height_m: Of its ground over the lot's own.
    """

    number: int
    name: str
    height_m: float = 0.0


class SurroundingKind(StrEnum):
    """What stands around bays."""

    BUILDING = "building"
    LANE = "lane"
    GREEN = "green"
    WALL = "wall"
    RAMP = "ramp"
    """Rises from its first edge by its height to the edge across."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """Something on the plan that is no bay.

    Attributes:
        outline: On the lot's plan [m].
    """

    kind: SurroundingKind
    outline: Outline
    height_m: float = 0.0
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LineGate:
    """A counting line of a camera that is an entry or exit of the lot.

    Attributes:
        is_entry_forward: Who crosses forward, as the line is drawn, enters; who crosses backward leaves.
    """

    camera_id: str
    line_key: str
    is_entry_forward: bool = True

    @property
    def key(self) -> str:
        """What its counts are kept under."""
        return f"camera:{self.camera_id}/{self.line_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """A car park as it is drawn.

    Attributes:
        position: Where the plan's origin lies; None where nobody placed it.
        bearing_deg: Of the plan's y axis, clockwise from north.
        device_ids: Field devices whose bays and counters belong to this lot; its own id always does.
        gates: Counting lines of cameras at its entries and exits, beside counters among its devices.
        capacity: Bays in all, where not every bay is drawn; None counts the drawn ones.
        stale_s: A state that nothing confirmed for so long is shown as stale.
        version: Rises with every save; saving names the version it began on.
    """

    lot_id: str
    name: str
    site: str = ""
    position: GeoPoint | None = None
    bearing_deg: float = 0.0
    levels: tuple[Level, ...] = ()
    bays: tuple[Bay, ...] = ()
    views: tuple[BayView, ...] = ()
    surroundings: tuple[Surrounding, ...] = ()
    device_ids: tuple[str, ...] = ()
    gates: tuple[LineGate, ...] = ()
    capacity: int | None = None
    stale_s: float = 300.0
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BayEvidence:
    """What one camera or sensor says of one bay at one instant.

    Attributes:
        confidence: That the state is true, 0..1.
        source: "camera:ID", "sensor:DEVICE", "edge:KEY" or "operator:NAME".
    """

    lot_id: str
    bay_id: str
    state: BayState
    at: datetime
    confidence: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BayStatus:
    """How a bay stands, fused from everything that is said of it.

    Attributes:
        since: The state began.
        at: It was last confirmed.
        confidence: 0..1.
        source: Whose word decided; as in `BayEvidence`.
        is_stale: Nothing confirmed it for longer than the lot allows: it is the last known, not the present.
        reason: Why an operator corrected it; empty where no correction holds.
        seen: What cameras and sensors say while a correction holds.
    """

    lot_id: str
    bay_id: str
    state: BayState
    since: datetime
    at: datetime
    confidence: float
    source: str
    is_stale: bool = False
    reason: str = ""
    seen: BayState | None = None

    @property
    def is_known(self) -> bool:
        """The state is the present one."""
        return self.state is not BayState.UNKNOWN and not self.is_stale


@dataclass(frozen=True, slots=True, kw_only=True)
class BayChange:
    """A bay stood otherwise from an instant on.

    Attributes:
        source: Whose word decided; as in `BayEvidence`.
        is_stale: From then on nothing confirmed the state any more.
    """

    lot_id: str
    bay_id: str
    at: datetime
    state: BayState
    confidence: float
    source: str
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LotVersion:
    """One save of a lot.

    Attributes:
        note: What was changed and why, in the author's words.
    """

    lot_id: str
    number: int
    at: datetime
    actor: str
    note: str


class OccupancyBasis(StrEnum):
    """What the figures of a lot are made of: of those there are, the one that leaves least unknown."""

    BAYS = "bays"
    COUNTS = "counts"
    """A device counts its bays itself."""

    GATES = "gates"
    """Who entered and who left, from a known beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOccupancy:
    """How full one zone of a lot is; as in `LotOccupancy`."""

    zone: str
    n_bays: int
    n_occupied: int
    n_unknown: int
    n_stale: int = 0
    n_closed: int = 0

    @property
    def n_free(self) -> int:
        """Bays known to be free right now."""
        return max(0, self.n_bays - self.n_occupied - self.n_unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures:
    """What entry and exit counted since the count was set.

    Attributes:
        n_inside: As counted, also where that cannot be right; None until somebody set the count.
    """

    n_inside: int | None
    n_entered: int
    n_left: int
    set_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotOccupancy:
    """How full a lot is.

    Attributes:
        n_bays: Without closed ones.
        n_unknown: Bays whose state nobody knows right now; stale ones are among them.
        n_stale: Those of them whose last state is known.
        drift: Bays that entry and exit count as taken beyond those that are known to be; None without both figures.
        gates: None where the lot has none.
        faults: What cannot be right about the lot, each a sentence with a way out.
    """

    lot_id: str
    n_bays: int
    n_occupied: int
    n_unknown: int
    at: datetime
    n_stale: int = 0
    n_closed: int = 0
    basis: OccupancyBasis = OccupancyBasis.COUNTS
    drift: int | None = None
    gates: GateFigures | None = None
    zones: tuple[ZoneOccupancy, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def n_free(self) -> int:
        """Bays known to be free right now."""
        return max(0, self.n_bays - self.n_occupied - self.n_unknown)


class LotObservationKind(StrEnum):
    """What a camera sees of a lot beside the state of its bays."""

    MISPARKED = "misparked"
    """One vehicle stands across two bays."""

    LANE_BLOCKED = "lane_blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LotObservation:
    """Something at a lot began or ended.

    Attributes:
        place: The bays, joined by "+" in the plan's order, or the lane's name; with kind and lot it names the
            condition.
        confidence: That it is so, 0..1.
        snapshot_jpeg: The picture that shows it; empty where there is none.
    """

    kind: LotObservationKind
    lot_id: str
    place: str
    camera_id: str
    is_begin: bool
    at: datetime
    confidence: float
    snapshot_jpeg: bytes = b""


@dataclass(frozen=True, slots=True)
class LotObserved:
    """On the bus: a camera saw something at a lot begin or end."""

    observations: tuple[LotObservation, ...]


@dataclass(frozen=True, slots=True)
class LotPlanChanged:
    """On the bus: a lot was drawn or changed; stored already."""

    lot: Lot


@dataclass(frozen=True, slots=True)
class LotPlanRemoved:
    """On the bus: a lot was removed; stored already."""

    lot_id: str


@dataclass(frozen=True, slots=True)
class BaysTold:
    """On the bus, at once: bays stand otherwise than before, became stale, or were confirmed after being stale."""

    bays: tuple[BayStatus, ...]


@dataclass(frozen=True, slots=True)
class LotChanged:
    """On the bus: a lot is fuller or emptier than before, or known for the first time."""

    occupancy: LotOccupancy


@dataclass(frozen=True, slots=True)
class BaysSeen:
    """On the bus: a camera, an edge device or a sensor said something of bays."""

    evidence: tuple[BayEvidence, ...]


@dataclass(frozen=True, slots=True)
class BaysSeenLate:
    """On the bus: what a picture of the past showed of bays; history, never news."""

    evidence: tuple[BayEvidence, ...]


@dataclass(frozen=True, slots=True)
class BaysChanged:
    """On the bus: bays stand otherwise than before, or became stale; stored already."""

    bays: tuple[BayStatus, ...]
