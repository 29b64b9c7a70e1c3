"""A dry run as consoles and the node know it: what was asked for, how far it is, what was raised."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.media.model import SourceSpec
from core.vision.model import DEFAULT_LABELS, BBox, ObservationKind, Scene, TrackerKind

MAX_FOOTAGE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One condition that a rule would have raised.

    Attributes:
        place: Name of the zone or lane; empty for the camera itself.
        at_s: Picture time of its beginning, from the start of the footage.
        ended_s: Of its end; None where it lasted to the end of the footage, or was only a moment.
        confidence: The highest that was told.
        calls: The rule was sure enough to call an operator.
    """

    kind: ObservationKind
    rule_key: str
    place: str
    at_s: float
    ended_s: float | None = None
    confidence: float = 1.0
    calls: bool = True
    label: str = ""
    bbox_xyxy: BBox | None = None
    values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """A dry run, going on or over.

    Attributes:
        state: "running", "done", "cancelled" or "failed".
        footage_s: Seconds of pictures looked at so far.
        length_s: Of the whole footage; None where that is not known.
        raised: In order; the first 500.
        n_raised: All of them, by kind.
        n_calling: Those that would have called an operator, by kind.
        n_counted: Crossings and entries, by kind.
        message, hint: Why it failed, or what was left out.
    """

    run_id: str
    camera_id: str = ""
    state: str = "running"
    footage_s: float = 0.0
    length_s: float | None = None
    raised: tuple[Raised, ...] = ()
    n_raised: dict[str, int] = field(default_factory=dict)
    n_calling: dict[str, int] = field(default_factory=dict)
    n_counted: dict[str, int] = field(default_factory=dict)
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunOrder:
    """What a dry run needs; travels to its process.

    Attributes:
        model: As in `find_model`; what it names has to be there.
        confidence: Boxes with a lower score are dropped.
        overlap: Boxes of one class that overlap more are one object, intersection over union.
        detect_fps: Pictures looked at for each second of footage.
        limit_s: Footage after this is left out.
    """

    run_id: str
    source: SourceSpec
    scene: Scene
    models: Path
    model: str = ""
    camera_id: str = ""
    labels: tuple[str, ...] = DEFAULT_LABELS
    tracker: TrackerKind = TrackerKind.BYTETRACK
    engine: str = "auto"
    confidence: float = 0.1
    overlap: float = 0.5
    detect_fps: float = 8.0
    limit_s: float = MAX_FOOTAGE_S
    n_threads: int = 1
