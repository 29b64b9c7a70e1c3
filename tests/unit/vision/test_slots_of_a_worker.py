"""A worker's cameras, without its process: one that cannot be opened anew is said to be so, and tried again."""

import contextlib
import multiprocessing
import threading
from dataclasses import replace

import pytest

from core.media.model import SourceSpec, StreamState
from core.media.ring import FrameRing
from core.vision import worker as worker_module
from core.vision.messages import CameraJob, SetCameras, WorkerConfig
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until


@contextlib.contextmanager
def no_thread_left():
    # A stack that no machine has room for: the system refuses the thread.
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


@pytest.fixture
def job(tmp_path):
    ring = tmp_path / "cam-1.ring"
    FrameRing.create(ring, camera_id="cam-1", max_wh=(96, 64)).close()
    clip = make_clip(tmp_path / "clip.mp4", width=96, height=64, n_frames=25)
    source = SourceSpec(address=str(clip), loops=True)
    return CameraJob(camera_id="cam-1", source=source, ring=ring, labels=("car",), detect_fps=0.0)


@pytest.fixture
def ends():
    node, its_own = multiprocessing.Pipe()
    yield node, its_own
    node.close()


@pytest.mark.parametrize("has_sub", [False, True])
def test_a_camera_for_which_no_thread_is_left_says_so_and_is_tried_again(monkeypatch, ends, tmp_path, job, has_sub):
    monkeypatch.setattr(worker_module, "AGAIN_S", 0.0)
    job = replace(job, sub_source=job.source if has_sub else None)
    worker = worker_module._Worker(ends[1], WorkerConfig(key="1", models=tmp_path, logs=tmp_path))

    def report():
        return worker._heartbeat().streams[0]

    worker._set_cameras((job,))
    wait_until(lambda: report().state is StreamState.LIVE)

    with no_thread_left():
        worker._set_cameras((replace(job, detect_fps=5.0),))
        said = report()
    n_threads = sum("cam-1" in thread.name for thread in threading.enumerate())
    worker._try_again()
    wait_until(lambda: report().state is StreamState.LIVE)
    worker._close_all()

    assert (said.state, said.reason) == (StreamState.UNUSABLE, "can't start new thread")
    assert n_threads == 0


def test_what_the_node_asks_of_a_worker_that_ends_itself_opens_no_camera(monkeypatch, ends, tmp_path, job):
    node, its_own = ends
    monkeypatch.setattr(worker_module, "stuck_reason", lambda *_args, **_kwargs: "It hangs.")
    worker = worker_module._Worker(its_own, WorkerConfig(key="1", models=tmp_path, logs=tmp_path))
    close_all = worker._close_all

    def close_while_asked():
        node.send(SetCameras(cameras=(job,)))
        close_all()
        wait_until(lambda: not its_own.poll())
        wait_until(lambda: "node" not in {thread.name for thread in threading.enumerate()})

    monkeypatch.setattr(worker, "_close_all", close_while_asked)

    worker.run()

    assert worker._slots == {}
