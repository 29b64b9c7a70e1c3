"""What travels through the pipe between the node and a vision worker: frozen dataclasses only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.media.model import SourceSpec, StreamReport
from core.vision.flow import FlowMinute
from core.vision.model import DEFAULT_LABELS, EngineInfo, Observation, Scene, TrackerKind


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Everything a worker needs at its start.

    Attributes:
        model: Path of a model that is ready to run, or empty for the bundled demonstration model; None while the
            node is still fetching or converting one: the pictures do not wait for it.
        n_threads: Of the inference engine.
    """

    key: str
    models: Path
    logs: Path
    model: str | None = None
    engine: str = "auto"
    n_threads: int = 1
    confidence: float = 0.1
    overlap: float = 0.5
    cameras: tuple[CameraJob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCameras:
    """Node to worker: these cameras, with these settings; what is not named is closed."""

    cameras: tuple[CameraJob, ...]


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
class EngineOpened:
    """Worker to node: detection runs, with this engine."""

    engine: EngineInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFailed:
    """Worker to node: pictures go on, detection does not."""

    message: str
    hint: str


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
class Observed:
    """Worker to node: a rule saw something; the picture is there where the observation may call an operator."""

    observation: Observation
    snapshot_jpeg: bytes = b""
