"""One engine for many cameras: what it cannot look at lowers all rates, by a clock that only the test moves."""

from collections import Counter

import numpy as np
import pytest

from core.vision.inference import InferenceLoop, Look
from core.vision.schedule import MOTION, is_due, next_due_s

PER_S = 8.0


class Room:
    """Cameras, and an engine during whose looks time passes and their next pictures come."""

    def __init__(self, n_cameras, *, n_batch, cost_s):
        self.n_batch, self.cost_s = n_batch, cost_s
        self.now_s, self.end_s = 100.0, 0.0
        self.seen, self.dropped = Counter(), Counter()
        self._waiting = set()
        self._due_s = {f"c{number}": 100.0 + number / PER_S / n_cameras for number in range(n_cameras)}

    def monotonic(self):
        return self.now_s

    def run(self, seconds):
        self.end_s = self.now_s + seconds
        self.loop = InferenceLoop(self)
        self._pass(1.0 / PER_S)
        self.loop.run()

    def infer(self, pictures):
        self._pass(self.cost_s)
        if self.now_s >= self.end_s:
            self.loop.stop()
        return [np.zeros((0, 6), np.float32)] * len(pictures)

    def close(self):
        pass

    def _pass(self, seconds):
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += 0.005
            for name, due_s in self._due_s.items():
                if is_due(self.now_s, due_s):
                    self._due_s[name] = next_due_s(due_s, self.now_s, PER_S * self.loop.share)
                    self.loop.offer(self._look(name))
                    self._waiting.add(name)

    def _look(self, name):
        return Look(
            camera_id=name,
            received_s=self.now_s,
            urgency=MOTION,
            wanted_per_s=PER_S,
            load=lambda: self._load(name),
            on_seen=lambda found, seconds: self._on_seen(name),
            on_dropped=lambda: self._on_dropped(name),
        )

    def _load(self, name):
        self._waiting.discard(name)
        return np.zeros((1, 4, 4, 3), np.uint8)

    def _on_seen(self, name):
        self.seen[name] += 1
        while not self._waiting:  # The engine rests until the next picture comes.
            self._pass(0.005)

    def _on_dropped(self, name):
        self.dropped[name] += 1
        self._waiting.discard(name)


@pytest.mark.parametrize(("n_cameras", "n_batch"), [(3, 16), (1, 16), (1, 1)])
def test_a_slow_engine_lowers_every_rate_also_where_its_looks_are_never_full(monkeypatch, n_cameras, n_batch):
    room = Room(n_cameras, n_batch=n_batch, cost_s=0.3)
    monkeypatch.setattr("core.vision.inference.time", room)

    room.run(seconds=20.0)
    n_dropped = sum(room.dropped.values())

    assert room.loop.share == pytest.approx(0.97 / (PER_S * 0.3), rel=0.1)
    assert max(room.seen.values()) - min(room.seen.values()) <= 2
    assert n_dropped <= 40 * n_cameras  # Only until it was noticed: over the whole time it would be 93 for each.
