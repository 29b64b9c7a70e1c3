"""What following vehicles costs: the trackers alone, and a camera's whole way from boxes to observations."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from core.kernel.bench import BenchResult, Figure
from core.media.convert import Letterbox
from core.vision.analyse import CameraAnalyser
from core.vision.decode import FloatArray
from core.vision.model import DEFAULT_LABELS, Scene, TrackerKind
from core.vision.tracker import make_tracker

N_VEHICLES = (5, 20, 50)
N_PICTURES, N_WARM_UP = 150, 20
PICTURES_PER_S = 5.0
NETWORK_WH = (640, 384)
LABELS = ("car", "bus")


def bench_track() -> BenchResult:
    """Measure the trackers and the whole analysis on 5, 20 and 50 simulated vehicles, in CPU time.

    Returns:
        `ms_at_50`: the slower tracker, 50 vehicles, one in ten not seen, the median picture; the same by tracker and
        number; and `analyse_ms_*`, a camera with the rules of a new scene.
    """
    figures = {}
    for kind in TrackerKind:
        for n_vehicles in N_VEHICLES:
            figures[f"{kind.value}_{n_vehicles}_ms"] = Figure(
                value=tracker_ms(kind, n_vehicles), unit="CPU ms", reference=f"{n_vehicles} vehicles (50: <= 3 ms)"
            )
    slowest = max(figures[f"{kind.value}_50_ms"].value for kind in TrackerKind)
    figures["ms_at_50"] = Figure(value=slowest, unit="CPU ms", reference="50 vehicles, the slower tracker (<= 3 ms)")
    for n_vehicles in N_VEHICLES:
        figures[f"analyse_{n_vehicles}_ms"] = Figure(
            value=_analyse_ms(n_vehicles),
            unit="CPU ms",
            reference=f"{n_vehicles} vehicles: tracker, measures and every rule that is on by itself",
        )
    return BenchResult(bench="track", figures=figures)


def tracker_ms(kind: TrackerKind, n_vehicles: int) -> float:
    """Return the CPU time of the median picture [ms]."""
    tracker = make_tracker(kind, labels=LABELS, aspect=16 / 9)
    return _median_ms(n_vehicles, tracker.update)


def _analyse_ms(n_vehicles: int) -> float:
    width, height = NETWORK_WH
    analyser = CameraAnalyser(
        "bench", Scene(), DEFAULT_LABELS, TrackerKind.BYTETRACK, aspect=width / height, engine_labels=LABELS
    )
    letterbox = Letterbox(scale=1.0, pad_x=0, pad_y=0, content_w=width, content_h=height, frame_w=width, frame_h=height)
    random = np.random.default_rng(7)
    picture = random.integers(0, 255, (height, width, 3), np.uint8)
    began_at = datetime.now(UTC)

    def look(boxes: FloatArray, pts_s: float) -> object:
        in_pixels = boxes * np.array([width, height, width, height, 1, 1], np.float32)
        return analyser.update(in_pixels, letterbox, pts_s, began_at + timedelta(seconds=pts_s), picture)

    return _median_ms(n_vehicles, look)


def _median_ms(n_vehicles: int, look: Callable[[FloatArray, float], object]) -> float:
    times_ms = []
    for pts_s, boxes in _pictures(n_vehicles):
        began_s = time.thread_time()
        look(boxes, pts_s)
        times_ms.append((time.thread_time() - began_s) * 1000)
    return statistics.median(times_ms[N_WARM_UP:])


def _pictures(n_vehicles: int) -> Iterator[tuple[float, FloatArray]]:
    """Drive vehicles that leave and come in again; boxes in fractions, one in ten not seen."""
    random = np.random.default_rng(7)
    left_top = random.uniform(0.0, 0.9, (n_vehicles, 2))
    velocity = random.normal(0.0, 0.05, (n_vehicles, 2))
    for step in range(N_PICTURES):
        pts_s = step / PICTURES_PER_S
        corner = (left_top + velocity * pts_s) % 0.92
        boxes = np.concatenate(
            [corner, corner + 0.06, np.full((n_vehicles, 1), 0.8), np.zeros((n_vehicles, 1))], axis=1
        )
        boxes[:, :4] += random.normal(0.0, 0.001, (n_vehicles, 4))
        yield pts_s, boxes[random.random(n_vehicles) > 0.1].astype(np.float32)
