"""Worker processes that cannot be started, or end: who comes back, who is left alone, and what is said of it."""

import asyncio
import contextlib
import os
import resource
import signal
import threading
from dataclasses import replace

import psutil
import pytest

from core.media.model import StreamState
from tests.e2e.vision.test_detector_process import Service
from tests.fixtures.clips import make_clip
from tests.unit.vision.toy_model import save_toy_openvino


@pytest.fixture
def run_service(tmp_path):
    toy = save_toy_openvino(tmp_path / "toy_openvino_model")

    def run(scenario, **settings) -> None:
        async def whole() -> None:
            service = Service(tmp_path, toy, **settings)
            await service.supervisor.start()
            try:
                await scenario(service)
            finally:
                await service.supervisor.stop()

        asyncio.run(whole())

    return run


@pytest.fixture
def clip(tmp_path):
    return make_clip(tmp_path / "busy.mp4", width=96, height=64, n_frames=75)


@contextlib.contextmanager
def no_descriptor_left():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def no_thread_left():
    # A stack that no machine has room for: the system refuses the thread.
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


def vision_processes():
    return [one for one in psutil.Process().children() if any("spawn_main" in part for part in one.cmdline())]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("nothing_left", [no_descriptor_left, no_thread_left])
def test_workers_that_cannot_be_started_say_so_and_are_tried_until_they_can(run_service, clip, nothing_left):
    async def scenario(service):
        def reports():
            return {report.key: report for report in service.supervisor.reports()}

        jobs = tuple(service.job(name, clip) for name in "abc")
        with nothing_left():
            service.supervisor.set_cameras(jobs)
            await service.until(
                lambda: all(reports()[key].n_failures > 2 for key in ("1", "2", "detector")), "three tries of each"
            )
            said = {key: (report.state, report.reason) for key, report in reports().items()}

        assert {state for state, _ in said.values()} == {"restarting"}
        assert said["1"][1].startswith("The worker cannot be started (")
        assert said["detector"][1].startswith("The detector cannot be started (")
        await service.until(lambda: len(found := service.newest()) == 3 and all_live(found), "three pictures")
        assert len(vision_processes()) == 3
        await service.until(lambda: not any(report.reason for report in reports().values()), "nothing to complain of")

    run_service(scenario)


def worker_of(service, camera_id):
    return next(report for report in service.supervisor.reports() if camera_id in report.camera_ids)


@pytest.mark.timeout(300)
def test_a_camera_that_ends_its_worker_again_and_again_is_set_apart_and_joins_the_others_once_all_is_calm(
    run_service, clip, monkeypatch
):
    async def scenario(service):
        jobs = {name: service.job(name, clip) for name in "abcd"}

        async def all_pictures():
            await service.until(lambda: len(found := service.newest()) == 4 and all_live(found), "four pictures")

        service.supervisor.set_cameras(tuple(jobs.values()))
        untouched = None
        while not worker_of(service, "c").is_culprit:
            await all_pictures()
            service.messages.clear()
            struck = worker_of(service, "c")
            if "a" not in struck.camera_ids:
                assert untouched in (None, worker_of(service, "a").pid)
                untouched = worker_of(service, "a").pid
            os.kill(struck.pid, signal.SIGSEGV)
            await service.until(lambda was=struck.pid: worker_of(service, "c").pid != was, "the end of the worker")

        assert service.supervisor.n_restarts == 4
        assert [report.camera_ids for report in service.supervisor.reports()] == [("a", "b"), ("c",), ("d",), ()]
        assert worker_of(service, "a").pid == untouched

        # Read from elsewhere it is no culprit any more, and does not wait for its next turn.
        jobs["c"] = replace(jobs["c"], source=replace(jobs["c"].source, open_timeout_s=9.0))
        service.supervisor.set_cameras(tuple(jobs.values()))
        assert not worker_of(service, "c").is_culprit
        assert worker_of(service, "c").pid is not None

        monkeypatch.setattr("core.node.ends.CALM_AFTER_S", 1.0)
        await service.until(lambda: len(service.supervisor.reports()) == 2, "one worker for all again")
        service.messages.clear()
        await all_pictures()
        assert len(vision_processes()) == 2
        assert worker_of(service, "a").pid == worker_of(service, "c").pid
        assert service.supervisor.n_restarts == 4

    run_service(scenario, cameras_per_worker=4)


def all_live(found) -> bool:
    return all(report.state is StreamState.LIVE for report in found.values())
