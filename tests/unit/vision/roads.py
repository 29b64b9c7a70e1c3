"""Vehicles made of numbers: what the trackers and rules see when nothing is left to chance."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from core.vision.model import Observation, Scene, Track
from core.vision.rules import SceneRules

ASPECT = 16 / 9
LABELS = ("person", "car", "bus", "truck", "motorcycle")
START_AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
Path = Callable[[float], tuple[float, float] | None]


def box_at(x: float, y: float, *, width: float = 0.06, height: float = 0.1) -> tuple[float, float, float, float]:
    """A box whose ground point is (x, y)."""
    return x - width / 2, y - height, x + width / 2, y


def detections(*boxes: tuple[float, ...], label: str = "car", score: float = 0.8) -> np.ndarray:
    return np.array([[*box, score, LABELS.index(label)] for box in boxes], np.float32).reshape(-1, 6)


def track_at(
    x: float,
    y: float,
    *,
    track_id: int = 1,
    label: str = "car",
    velocity: tuple[float, float] = (0.0, 0.0),
    width: float = 0.06,
    height: float = 0.1,
) -> Track:
    return Track(
        track_id=track_id,
        label=label,
        score=0.8,
        bbox_xyxy=box_at(x, y, width=width, height=height),
        velocity_xy=velocity,
    )


def drive(
    path: Path, *, seconds: float, fps: float = 10.0, from_s: float = 0.0, **looks: object
) -> Iterator[tuple[float, list[Track]]]:
    """One vehicle on a path (None: not seen); its velocity is that of the path."""
    for step in range(round(seconds * fps) + 1):
        at_s = from_s + step / fps
        here, soon = path(at_s), path(at_s + 0.01)
        if here is None:
            yield at_s, []
            continue
        velocity = (0.0, 0.0) if soon is None else ((soon[0] - here[0]) * 100, (soon[1] - here[1]) * 100)
        yield at_s, [track_at(*here, velocity=velocity, **looks)]


def watch(
    scene: Scene, pictures: Iterable[tuple[float, list[Track]]], rules: SceneRules | None = None
) -> list[Observation]:
    """Run the rules over pictures and return everything they saw."""
    rules = rules or SceneRules("cam-1", scene, ASPECT)
    seen = []
    for pts_s, tracks in pictures:
        seen += rules.update(tracks, pts_s, START_AT + timedelta(seconds=pts_s))
    return seen
