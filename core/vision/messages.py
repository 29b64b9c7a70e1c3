"""What travels between the node, the vision workers and the detector: frozen dataclasses only, no pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.media.model import SourceSpec, StreamReport
from core.vision.flow import FlowMinute
from core.vision.model import DEFAULT_LABELS, EngineInfo, Observation, PicturePoint, Scene, TrackerKind
from core.vision.view import LearnedView


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraJob:
    """One camera for a worker.

    Attributes:
        sub_source: The same picture, smaller: read while no tile needs the large one.
        ring: File of its frame ring, made by the node.
        detect_fps: Pictures a second for the detector; 0 shows the camera without detection.
    """

    camera_id: str
    source: SourceSpec
    sub_source: SourceSpec | None = None
    ring: Path
    scene: Scene = field(default_factory=Scene)
    labels: tuple[str, ...] = DEFAULT_LABELS
    tracker: TrackerKind = TrackerKind.BYTETRACK
    detect_fps: float = 8.0

    def shows_as(self, other: CameraJob) -> bool:
        """Whether the other job shows the same picture, with the same parts of it private."""
        mine = (self.source, self.sub_source, self.scene.private_parts)
        return mine == (other.source, other.sub_source, other.scene.private_parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything a worker needs at its start.

    Attributes:
        model: Path of a model that is ready to run, or empty for the bundled demonstration model; None while the
            node is still fetching or converting one: the pictures do not wait for it.
        n_threads: Of the inference engine.
        input_wh: Another input size than the model's own [px].
        away: As in `SetAway`, for the first picture.
        views: As in `SetCameras`.
        n_stuck: How often a worker with this key began anew because cameras of its hung for good.
    """

    key: str
    models: Path
    logs: Path
    model: str | None = None
    engine: str = "auto"
    n_threads: int = 1
    confidence: float = 0.1
    overlap: float = 0.5
    input_wh: tuple[int, int] | None = None
    cameras: tuple[CameraJob, ...] = ()
    away: frozenset[str] = frozenset()
    views: dict[str, LearnedView] = field(default_factory=dict)
    n_stuck: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCameras:
    """Node to worker: these cameras, with these settings; what is not named is closed.

    Attributes:
        views: What others learned of cameras that come to this worker; not a part of the job, for it begins nothing
            anew.
    """

    cameras: tuple[CameraJob, ...]
    views: dict[str, LearnedView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLearned:
    """Worker to node: what a camera shows while it stands right."""

    camera_id: str
    view: LearnedView


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveIsOver:
    """To the node: a camera was told to have moved, and all that was drawn on it then is drawn anew by now."""

    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetView:
    """Node to worker: what this camera shows now is what its scene is drawn for."""

    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewForgotten:
    """Worker to node: it did so; what it said of this camera's view before is of no more use."""

    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetViews:
    """Node to worker: the sizes [px] that consoles show; a camera not named is not shown anywhere."""

    sizes: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseModel:
    """Node to worker: the model is ready; a worker that runs another one ends and is started anew."""

    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWorker:
    """Node to worker: end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAttention:
    """Node to worker: cameras that an operator is being called to; they are looked at first."""

    camera_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAway:
    """Node to worker: cameras, of all workers, that are turned away from home, the view that their scenes are of."""

    camera_ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBayCameras:
    """Node to worker: cameras that see bays; each sends a picture of them this often."""

    camera_ids: frozenset[str]
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaysPictured:
    """Worker to node: the newest picture of a camera that sees bays.

    Attributes:
        private_parts: What is black in it.
    """

    camera_id: str
    jpeg: bytes
    captured_at: datetime
    private_parts: tuple[tuple[PicturePoint, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepClip:
    """Node to worker: keep what this camera saw in the ten seconds before something and sees in the ten after.

    Attributes:
        at_s: When it happened, wall time [s since 1970].
    """

    camera_id: str
    clip_id: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipKept:
    """Worker to node: the pictures of a clip, the oldest first: wall time [s] and JPEG; none where it took none."""

    camera_id: str
    clip_id: str
    pictures: tuple[tuple[float, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorConfig:
    """Everything the detector process needs at its start; as `WorkerConfig`."""

    models: Path
    logs: Path
    model: str | None = None
    engine: str = "auto"
    n_threads: int = 1
    confidence: float = 0.1
    overlap: float = 0.5
    input_wh: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UseDetector:
    """Detector to node, node to workers: call here (`multiprocessing.connection.Client`), the last one is gone."""

    address: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLooks:
    """Worker to detector: this camera's pictures come through this file from now on."""

    camera_id: str
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLooks:
    """Worker to detector: no more pictures of this camera."""

    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAt:
    """Worker to detector: a camera's newest picture; what of it still waits is out of date.

    Attributes:
        sequence: In the camera's file.
        received_s: `time.monotonic()` when it was read; one machine has one such clock.
        urgency, wanted_per_s: As `core.vision.schedule.Schedule.offer` takes them.
    """

    camera_id: str
    sequence: int
    received_s: float
    urgency: float
    wanted_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Detector to worker: what is on a picture.

    Attributes:
        boxes: Per picture of the look, rows of six float32 as `Engine.infer` returns them; None where nobody looked.
        seconds: What it took; of a batch, all of it.
        share: Of the wanted rate, what every camera gets.
    """

    camera_id: str
    sequence: int
    boxes: tuple[bytes, ...] | None
    seconds: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOpened:
    """Detector to node and workers: detection runs, with this engine."""

    engine: EngineInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFailed:
    """Detector to node: pictures go on, detection does not."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStuck:
    """Worker to node, its last word: a camera hangs for good in this process, and only a new one can read it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Worker to node, once a second: every camera's stream, and the worker's own load."""

    streams: tuple[StreamReport, ...]
    inside: dict[str, dict[str, int]]
    """Vehicles inside each zone right now, by camera and zone."""

    cpu_percent: float
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Worker to node: what cameras measured in the minutes that just ended."""

    minutes: tuple[FlowMinute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesReset:
    """Worker to node: the rules of a camera began anew; of what they had begun no end will come."""

    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Worker to node: a rule saw something; the picture is there where the observation may call an operator."""

    observation: Observation
    snapshot_jpeg: bytes = b""
