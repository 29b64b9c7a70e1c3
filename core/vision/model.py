"""What the vision worker sees: tracks and observations; and how it is told what to look for.

Pictures are measured in fractions of the frame: x to the right, y down, both 0..1, whatever the stream's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.kernel.geo import GeoPoint

BBox = tuple[float, float, float, float]
"""x1, y1, x2, y2 in fractions of the frame."""

PicturePoint = tuple[float, float]
"""x, y in fractions of the frame."""

WHOLE_PICTURE_KEY = "camera"
"""Stands for the key of a zone where an observation is of the whole picture."""

VEHICLE_LABELS = ("car", "bus", "truck", "motorcycle", "bicycle")
DEFAULT_LABELS = ("car", "bus", "truck", "motorcycle")
PERSON = "person"

LEAST_LOOKS_PER_S = 3.0
"""What is looked at less often passes lines unseen, also where nobody asks for more."""


class TrackerKind(StrEnum):
    """Which multi-object tracker a camera uses."""

    BYTETRACK = "bytetrack"
    BOTSORT = "botsort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One box of one picture, before tracking."""

    label: str
    score: float
    bbox_xyxy: BBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One vehicle followed through the pictures of one camera; the number says nothing about who it is.

    Attributes:
        track_id: Unique within one camera and one run of its worker.
        bbox_xyxy: Fractions of the frame.
        velocity_xy: Of the ground point (bottom centre), fractions of the frame per second of picture time.
    """

    track_id: int
    label: str
    score: float
    bbox_xyxy: BBox
    velocity_xy: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A polygon drawn on the picture, with the rules that watch it.

    Attributes:
        key: Stable within the camera: [a-z0-9-]{1,32}.
        polygon: At least three points.
        labels: Classes that count; empty means every vehicle class. "person" says what of people on foot: alone, that
            they may walk here; with `alarms_presence`, that they call.
        counts_presence: Report vehicles that enter and how many are inside.
        alarms_presence: Whoever counts calls the operator in here (a tramway, a fire lane).
        stopped_after_s: Report a vehicle standing this long; None turns the rule off.
        congestion_capacity: Vehicles that fill the zone; None turns the congestion rule off.
        free_flow_speed: Ground-point speed when traffic flows freely, fractions of the frame height per second;
            None lets the rule learn it.
        detail: Small and far away: the detector looks at it once more, enlarged. Costs one more inference a picture,
            and the main stream is read also while nobody looks at a large tile.
    """

    key: str
    name: str
    polygon: tuple[PicturePoint, ...]
    labels: tuple[str, ...] = ()
    counts_presence: bool = True
    alarms_presence: bool = False
    stopped_after_s: float | None = None
    congestion_capacity: float | None = None
    free_flow_speed: float | None = None
    detail: bool = False

    @property
    def counts_people(self) -> bool:
        """Whether people on foot count."""
        return PERSON in self.labels

    @property
    def counts_vehicles(self) -> bool:
        """Whether anything but people on foot counts."""
        return self.labels != (PERSON,)

    @property
    def is_crossing(self) -> bool:
        """Whether people may walk there, though a lane runs through it."""
        return self.labels == (PERSON,) and not self.alarms_presence

    @property
    def calls_for_people(self) -> bool:
        """Whether a person in the zone calls the operator."""
        return self.alarms_presence and PERSON in self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLine:
    """A line drawn on the picture that counts vehicles and people by class and direction.

    Attributes:
        labels: Classes that count, whatever else the camera looks for; empty means every vehicle class of the camera.
            People on foot count only where "person" is named.
        start, end: Looking from `start` to `end`, a crossing from the left side to the right side (on the picture,
            y down) is `forward`, the other way `backward`.
        forward_name, backward_name: What the operator calls the directions.
    """

    key: str
    name: str
    start: PicturePoint
    end: PicturePoint
    labels: tuple[str, ...] = ()
    forward_name: str = "forward"
    backward_name: str = "backward"

    @property
    def counts_people(self) -> bool:
        """Whether people on foot count."""
        return PERSON in self.labels

    @property
    def counts_vehicles(self) -> bool:
        """Whether anything but people on foot counts."""
        return self.labels != (PERSON,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane drawn on the picture: where vehicles drive, and which way.

    Attributes:
        key: Stable within the camera: [a-z0-9-]{1,32}.
        polygon: At least three points.
        start, end: The way traffic drives, from `start` to `end`.
        labels: Classes that are measured; empty means every vehicle class.
    """

    key: str
    name: str
    polygon: tuple[PicturePoint, ...]
    start: PicturePoint
    end: PicturePoint
    labels: tuple[str, ...] = ()


def counted_under(direction: str, label: str) -> str:
    """Return the name of a direction in a line's totals: people are counted apart from vehicles."""
    return f"{direction} (people)" if label == PERSON else direction


class MaskKind(StrEnum):
    """What a mask keeps away, and from whom."""

    PRIVACY = "privacy"
    """Black from decode on: on the wall, in snapshots, recordings and exports, and for the detector."""

    IGNORE = "ignore"
    """Shown, but nothing that stands in it is detected (a parked row, a poster, a reflection)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A part of the picture that is left out."""

    key: str
    name: str
    polygon: tuple[PicturePoint, ...]
    kind: MaskKind = MaskKind.PRIVACY


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanePoint:
    """One point of the road that is known in the picture and on the ground.

    Attributes:
        picture: In fractions of the frame.
        ground_xy_m: On the road plane: east and north of `RoadPlane.origin`, or along any two axes at right angles
            where there is no origin.
    """

    picture: PicturePoint
    ground_xy_m: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadPlane:
    """How the picture lies on the road.

    Attributes:
        points: At least four, no three of them on one line.
        origin: Where (0, 0) of the ground is; None where only distances are known.
    """

    points: tuple[PlanePoint, ...]
    origin: GeoPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetting:
    """What one camera does differently from a rule's defaults (`core/vision/tuning.py` names the figures).

    Attributes:
        kind: Value of the `ObservationKind` that the rule gives.
        is_enabled: None leaves the default.
        values: Figures by name.
    """

    kind: str
    is_enabled: bool | None = None
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything drawn on one camera's picture, and how its rules are tuned."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[CountLine, ...] = ()
    lanes: tuple[Lane, ...] = ()
    masks: tuple[Mask, ...] = ()
    plane: RoadPlane | None = None
    rules: tuple[RuleSetting, ...] = ()

    @property
    def measures(self) -> bool:
        """Whether anything is drawn that counts or measures traffic."""
        return bool(self.lanes or self.lines or self.zones)

    @property
    def is_drawn(self) -> bool:
        """Whether anything is drawn that belongs to a place in the picture."""
        return self.measures or bool(self.masks) or self.plane is not None

    @property
    def private_parts(self) -> tuple[tuple[PicturePoint, ...], ...]:
        """What nobody may see: polygons in fractions of the frame."""
        return tuple(mask.polygon for mask in self.masks if mask.kind is MaskKind.PRIVACY)


UNREADABLE = Scene(
    masks=(
        Mask(
            key="unreadable",
            name="All is black: what was drawn cannot be read",
            polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
        ),
    )
)
"""In the place of a scene that this program cannot read: nobody knows what in the picture is private."""


class ObservationKind(StrEnum):
    """What a scene rule can see."""

    ZONE_ENTERED = "zone_entered"
    LINE_CROSSED = "line_crossed"
    CONGESTION = "congestion"
    STOPPED_VEHICLE = "stopped_vehicle"
    VEHICLE_IN_ZONE = "vehicle_in_zone"
    WRONG_WAY = "wrong_way"
    COLLISION = "collision"
    PEDESTRIAN = "pedestrian"
    """Somebody on foot where only vehicles should be."""

    LOITERING = "loitering"
    OBJECT_LEFT = "object_left"
    """Debris, a lost load, an unattended object."""

    CAMERA_MOVED = "camera_moved"
    CAMERA_BLINDED = "camera_blinded"
    CAMERA_FROZEN = "camera_frozen"


AT_THE_CAMERA = frozenset({ObservationKind.CAMERA_MOVED, ObservationKind.CAMERA_BLINDED, ObservationKind.CAMERA_FROZEN})
"""What is wrong with the camera itself; nothing else that it says, or does not say, can be trusted meanwhile."""


class Phase(StrEnum):
    """Whether an observation is a moment, or the beginning or end of a condition."""

    INSTANT = "instant"
    BEGIN = "begin"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a rule saw.

    Attributes:
        observation_id: ULID; makes the store idempotent.
        rule_key: Key of the zone or line.
        condition_key: Same text for the begin and the end of one condition, e.g. "congestion:zone-a".
        pts_s: Picture time; joins the observation to its frame.
        captured_at: Wall time of that picture as far as it is known.
        direction: The line's direction name; empty otherwise.
        confidence: How sure the rule is, 0..1; of a hundred with 0.8 about eighty are true.
        values: Figures of the rule, e.g. {"density": 0.8, "speed_ratio": 0.2, "n_vehicles": 12}.
        position: Of the ground that was seen; None where no road plane tells it well enough.
    """

    observation_id: str
    camera_id: str
    kind: ObservationKind
    phase: Phase
    rule_key: str
    rule_name: str
    condition_key: str
    pts_s: float
    captured_at: datetime
    label: str = ""
    direction: str = ""
    track_id: int | None = None
    bbox_xyxy: BBox | None = None
    confidence: float = 1.0
    values: dict[str, float] = field(default_factory=dict)
    position: GeoPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCrossed:
    """On the bus: one vehicle crossed a counting line, nobody on foot; forward as the line is drawn."""

    camera_id: str
    line_key: str
    is_forward: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraWatched:
    """On the bus, about once a second: a camera's pictures come and its lines count."""

    camera_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Which engine runs the model, and why; shown in the health panel.

    Attributes:
        engine: "openvino", "onnxruntime", "torch-cuda", "tensorrt" or "triton".
        device: E.g. "CPU" or "cuda:0".
        model_name: What the operator calls the model.
        model_sha256: Of the file that was loaded.
        is_demonstration: The bundled model is loaded: good for the demo city only.
        input_wh: Width and height of the network's input [px].
        reason: One sentence: why this engine was picked.
    """

    engine: str
    device: str
    precision: str
    model_name: str
    model_sha256: str
    is_demonstration: bool
    input_wh: tuple[int, int]
    labels: tuple[str, ...]
    reason: str
