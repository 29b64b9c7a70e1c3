"""A worker in whose process a camera hangs for good."""

import multiprocessing

import pytest

from core.media.model import StreamReport, StreamState
from core.vision import worker as worker_module
from core.vision.messages import Heartbeat, WorkerConfig, WorkerStuck
from core.vision.worker import STUCK_FOR_S, stuck_reason

WELL = StreamReport(camera_id="cam-1", state=StreamState.LIVE)
STUCK = StreamReport(camera_id="cam-2", state=StreamState.LOST, is_stuck=True)


@pytest.mark.parametrize(
    ("streams", "ran_s", "n_before", "ends"),
    [
        ((WELL, STUCK), STUCK_FOR_S + 1.0, 0, True),
        ((WELL, STUCK), STUCK_FOR_S - 1.0, 0, False),
        ((WELL,), 100 * STUCK_FOR_S, 0, False),
        ((WELL, STUCK), STUCK_FOR_S + 1.0, 1, False),
        ((WELL, STUCK), 2.0 * STUCK_FOR_S + 1.0, 1, True),
        ((WELL, STUCK), 32.0 * STUCK_FOR_S + 1.0, 99, True),
    ],
)
def test_it_ends_for_a_camera_that_hangs_and_ever_more_rarely_where_that_does_not_help(streams, ran_s, n_before, ends):
    reason = stuck_reason(streams, ran_s=ran_s, n_before=n_before)

    assert reason == ("Every call of cam-2 hangs; a new process is the way out." if ends else "")


def test_it_says_why_before_it_ends(monkeypatch, tmp_path):
    monkeypatch.setattr(worker_module, "STUCK_FOR_S", 0.0)
    node, its_own = multiprocessing.Pipe()
    worker = worker_module._Worker(its_own, WorkerConfig(key="1", models=tmp_path, logs=tmp_path))
    beat = Heartbeat(streams=(WELL, STUCK), inside={}, cpu_percent=0.0, memory_mb=0.0)
    monkeypatch.setattr(worker, "_heartbeat", lambda: beat)

    worker.run()

    assert node.recv() == beat
    assert node.recv() == WorkerStuck(reason="Every call of cam-2 hangs; a new process is the way out.")
    node.close()
    worker._stopping.set()
