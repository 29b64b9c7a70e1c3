"""Worker processes that cannot be started, or end: who comes back, who is left alone, and what is said of it."""

import asyncio
import contextlib
import resource
import threading

import psutil
import pytest

from core.media.model import StreamState
from tests.e2e.vision.test_detector_process import Service
from tests.fixtures.clips import make_clip
from tests.unit.vision.toy_model import save_toy_openvino


@pytest.fixture
def run_service(tmp_path):
    toy = save_toy_openvino(tmp_path / "toy_openvino_model")

    def run(scenario) -> None:
        async def whole() -> None:
            service = Service(tmp_path, toy)
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


def all_live(found) -> bool:
    return all(report.state is StreamState.LIVE for report in found.values())
