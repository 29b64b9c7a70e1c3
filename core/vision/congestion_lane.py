"""Congestion of lanes: covered by vehicles and slow, for longer than a red light.

How full a lane is follows from the vehicles themselves, so nobody has to give a capacity; what free flow is, is
learned, and until then any lane that creeps is slow. Stop-and-go does not start the clock again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.vision.congestion import SMOOTHING_S, FreeFlow
from core.vision.lanes import LaneShape
from core.vision.model import ObservationKind, Phase, Scene
from core.vision.scene_rule import Moment, Notebook
from core.vision.tuning import Tuning
from core.vision.vehicles import Sighting

KIND = ObservationKind.CONGESTION
SPACE = 2.0
"""Box sizes of lane that one vehicle covers, its gap included."""

N_AT_LEAST = 3
END_COVER, END_RATIO = 0.7, 1.6
"""Times the figures of the beginning."""

END_HOLD_S = 20.0
RECOVERS = 2.0
"""A lane that flows between two stops loses twice the time it flowed."""


class _LaneFlow:
    """One lane."""

    def __init__(self, shape: LaneShape) -> None:
        self.shape = shape
        self.free_flow = FreeFlow()
        self.cover = 0.0
        self.ratio = 1.0
        self.held_s = 0.0
        self.free_s = 0.0
        self.is_congested = False
        self.n_vehicles = 0

    def measure(self, moment: Moment) -> None:
        inside = self.shape.inside_at(moment)
        self.free_flow.learn(inside, moment.gone, is_jammed=self.is_congested)
        self.n_vehicles = len(inside)
        ratio = 1.0
        if inside:
            ratio = sum(s.speed / s.size for s in inside) / len(inside) / self.free_flow.speed
        keep = math.exp(-moment.dt_s / SMOOTHING_S)
        self.cover = keep * self.cover + (1 - keep) * _cover(self.shape, inside)
        self.ratio = keep * self.ratio + (1 - keep) * ratio


class LaneCongestionRule:
    """Every lane of one camera."""

    def __init__(self, scene: Scene, aspect: float) -> None:
        """Lay the lanes."""
        tuning = Tuning(scene)
        self._cover = tuning.value(KIND, "cover")
        self._ratio = tuning.value(KIND, "speed_ratio")
        self._hold_s = tuning.value(KIND, "hold_s")
        self._lanes = [_LaneFlow(LaneShape(lane, aspect)) for lane in scene.lanes]

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        for lane in self._lanes:
            lane.measure(moment)
            if lane.is_congested:
                self._look_for_end(lane, moment.dt_s, note)
            else:
                self._look_for_begin(lane, moment.dt_s, note)

    def _look_for_begin(self, lane: _LaneFlow, dt_s: float, note: Notebook) -> None:
        is_jam = lane.cover >= self._cover and lane.ratio <= self._ratio and lane.n_vehicles >= N_AT_LEAST
        lane.held_s = lane.held_s + dt_s if is_jam else max(0.0, lane.held_s - RECOVERS * dt_s)
        if not is_jam or lane.held_s < self._hold_s:
            return
        lane.is_congested, lane.free_s = True, 0.0
        self._write(lane, Phase.BEGIN, note)

    def _look_for_end(self, lane: _LaneFlow, dt_s: float, note: Notebook) -> None:
        lane.held_s += dt_s
        flows = lane.cover <= END_COVER * self._cover or lane.ratio >= min(0.9, END_RATIO * self._ratio)
        lane.free_s = lane.free_s + dt_s if flows else 0.0
        if lane.free_s < END_HOLD_S:
            return
        self._write(lane, Phase.END, note)
        lane.is_congested, lane.held_s = False, 0.0

    def _write(self, lane: _LaneFlow, phase: Phase, note: Notebook) -> None:
        clear = min(1.0, max(0.0, (self._ratio - lane.ratio) / self._ratio))
        note.add(
            KIND,
            phase,
            lane.shape.place,
            lane.shape.condition(KIND),
            bbox_xyxy=lane.shape.place.bbox_xyxy,
            confidence=(0.8 if lane.free_flow.is_known else 0.75) + 0.2 * clear,
            values={
                "density": round(lane.cover, 3),
                "speed_ratio": round(lane.ratio, 3),
                "n_vehicles": float(lane.n_vehicles),
                "held_s": round(lane.held_s, 1),
            },
        )


def _cover(shape: LaneShape, inside: Sequence[Sighting]) -> float:
    """Return the share of the lane's length that vehicles and their gaps cover, 0..1."""
    if not shape.length:
        return 0.0
    covered, reached = 0.0, 0.0
    for begin, end in sorted(
        (shape.along(s.ground) - SPACE / 2 * s.size, shape.along(s.ground) + SPACE / 2 * s.size) for s in inside
    ):
        begin, end = max(begin, reached), min(end, shape.length)
        if end > begin:
            covered += end - begin
            reached = end
    return covered / shape.length
