"""What is asked of the process that looks at bays, and what it answers: frozen dataclasses only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core.parking.model import BayEvidence, Lot, LotObservation, SightMethod


class SightingKind(StrEnum):
    """What the process sees beside the bays' states: two kinds of vehicles, and two of trouble with the view."""

    MISPARKED = "misparked"
    """One vehicle across two bays."""

    BLOCKED_LANE = "blocked_lane"
    """A vehicle stands in a lane that must stay clear."""

    MOVED_VIEW = "moved_view"
    """The camera looks elsewhere than when its bays were drawn: nothing is said of bays until it looks back."""

    BLIND_VIEW = "blind_view"
    """Nothing can be told from the picture: black, white, covered, of another shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A condition on a lot that began, or ended.

    Attributes:
        bay_ids: Of the bays it concerns; empty for lanes and the whole view.
        lane: Name of the lane; empty for bays and the whole view.
        holds: False at its end.
        message: One sentence for the operator.
        confidence: 0..1.
    """

    lot_id: str
    camera_id: str
    kind: SightingKind
    at: datetime
    bay_ids: tuple[str, ...] = ()
    lane: str = ""
    holds: bool = True
    message: str = ""
    confidence: float = 1.0

    @property
    def condition_key(self) -> str:
        """The same text for its beginning and its end."""
        return ":".join((self.kind.value, self.lot_id, self.camera_id, *self.bay_ids, self.lane))


@dataclass(frozen=True, slots=True)
class ViewTroubled:
    """On the bus: a camera cannot tell its bays any more, or can again."""

    sighting: Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class SightInterrupted:
    """On the bus: the process that looks at bays ended; what it saw begin holds on, as last known.

    Attributes:
        views: Troubles of whole views.
        observations: Vehicles that stood where they must not.
    """

    views: tuple[Sighting, ...]
    observations: tuple[LotObservation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one picture said of one lot.

    Attributes:
        trouble: Why nothing can be told of the whole view, one sentence; empty where it can.
        hint: What to do about it.
        n_reused: Bays whose state was taken over, because nothing changed since the last look.
        note: What of misparked vehicles and lanes cannot be told yet; empty where everything can.
    """

    lot_id: str
    camera_id: str
    at: datetime
    evidence: tuple[BayEvidence, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    trouble: str = ""
    hint: str = ""
    n_reused: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SightConfig:
    """Everything the process needs at its start.

    Attributes:
        model: As in `find_model`, ready to be opened; None while the node is still making it ready.
        memory: Folder for what is learnt of each view.
    """

    models: Path
    logs: Path
    memory: Path
    model: str | None = None
    engine: str = "auto"
    n_threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLots:
    """Node to process: the lots as they are drawn now."""

    lots: tuple[Lot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetModel:
    """Node to process: detect with this model."""

    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtBays:
    """Node to process: one picture of one view.

    Attributes:
        ticket: Comes back with the answer.
        source: As in `BayEvidence`.
        is_history: It is of the past: nothing is learnt from it, and no condition begins or ends with it.
    """

    ticket: int
    lot_id: str
    camera_id: str
    jpeg: bytes
    at: datetime
    source: str
    is_history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BaysLooked:
    """Process to node: the answer.

    Attributes:
        message, hint: Why the picture was refused; empty where it was looked at.
    """

    ticket: int
    looked: Looked | None
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOrder:
    """What a calibration run needs; travels to its process.

    Attributes:
        pictures: JPEGs, the oldest first.
        clip: Footage instead of pictures.
        corrections: What operators say of bays on the newest picture, True for occupied.
    """

    run_id: str
    lot: Lot
    camera_id: str
    models: Path
    pictures: tuple[bytes, ...] = ()
    clip: Path | None = None
    model: str = ""
    engine: str = "auto"
    n_threads: int = 1
    corrections: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way to look, and how it did.

    Attributes:
        image_px: None for the classifier, which takes each bay as it is.
        rate: Estimated share of bays that it gets right, 0..1.
        agreement: With the operators' corrections, 0..1; None where there are none.
        unknown: Share of bays that it could not tell.
        occupied: Share of bays that it calls occupied.
        seconds: For one picture.
    """

    method: SightMethod
    image_px: int | None
    rate: float
    agreement: float | None
    unknown: float
    occupied: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibration run, going on or over.

    Attributes:
        state: "running", "done", "cancelled" or "failed".
        fraction: How far it is, 0..1.
        step: What is being done, in words; at the end the result as a sentence.
        tried: Every way that was tried, the best first.
    """

    run_id: str
    lot_id: str
    camera_id: str
    state: str = "running"
    fraction: float = 0.0
    step: str = ""
    hint: str = ""
    method: SightMethod = SightMethod.AUTOMATIC
    image_px: int | None = None
    rate: float | None = None
    n_pictures: int = 0
    tried: tuple[Tried, ...] = ()
