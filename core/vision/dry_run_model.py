"""A dry run as consoles and the node know it: what was asked for, how far it is, what was raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.media.model import SourceSpec
from core.vision.model import DEFAULT_LABELS, BBox, ObservationKind, Scene, TrackerKind

MAX_FOOTAGE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DryCall:
    """One call that an operator would have had, of one condition or of several sightings of one event.

    Attributes:
        at_s: Picture time of the call, from the start of the footage; after the delay of its alarm rule.
        title, priority: As the alarm would have been listed.
        raised: Which of the run's conditions it is made of, by their place in the list, the calling one first.
    """

    at_s: float
    title: str
    priority: str
    raised: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One condition that a rule would have raised.

    Attributes:
        condition_key: As the rule's observations have it.
        place: Name of the zone or lane; empty for the camera itself.
        at_s: Picture time of its beginning, from the start of the footage.
        ended_s: Of its end; None where it lasted to the end of the footage, or was only a moment.
        confidence: The highest that was told.
        sure_s: From when on the rule was sure enough to call an operator; None where it never was.
    """

    kind: ObservationKind
    rule_key: str
    place: str
    at_s: float
    ended_s: float | None = None
    confidence: float = 1.0
    sure_s: float | None = None
    condition_key: str = ""
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
        n_sure: Those of which the rule was sure enough to call an operator, by kind.
        calls: What an operator would have heard of them, in order; None where that was not asked.
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
    n_sure: dict[str, int] = field(default_factory=dict)
    calls: tuple[DryCall, ...] | None = None
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
        input_wh: Another input size than the model's own [px].
        detect_fps: Pictures looked at for each second of footage.
        limit_s: Footage after this is left out.
        shapes: Sizes of the pictures that things were drawn on [px], as `LearnedView.shapes` knows them of the camera.
        rehearse: Adds the calls that would have come of what was raised; runs in the dry run's process.
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
    input_wh: tuple[int, int] | None = None
    detect_fps: float = 8.0
    limit_s: float = MAX_FOOTAGE_S
    n_threads: int = 1
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rehearse: Callable[[DryRun], DryRun] | None = None
