"""Workers that the supervisor starts, moves and ends, with processes that only stand in for vision."""

import asyncio
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest

from core.media.model import SourceSpec
from core.node import supervisor as supervisor_module
from core.node.supervisor import VisionSupervisor
from core.vision.messages import CameraJob, Heartbeat, MoveIsOver, RulesReset, StopWorker, WorkerConfig
from core.vision.model import Mask, Scene
from core.vision.view import LearnedView, prints_of_view

LONG_AGO_S = -1e6


def worker_that_crashes_when_it_leaves(connection, config):
    """Stands in for `run_worker` in a process of its own."""
    connection.send(Heartbeat(streams=(), inside={}, cpu_percent=0.0, memory_mb=0.0))
    while not isinstance(connection.recv(), StopWorker):
        pass
    os._exit(3)


def detector_that_only_waits(connection, config):
    connection.send(Heartbeat(streams=(), inside={}, cpu_percent=0.0, memory_mb=0.0))
    while not isinstance(connection.recv(), StopWorker):
        pass


class Watched:
    """A supervisor, and what it says."""

    def __init__(self, folder, *, cameras_per_worker=2):
        self.folder = folder
        self.messages, self.reports, self.is_broken = [], [], False
        self.supervisor = VisionSupervisor(
            WorkerConfig(key="", models=folder, logs=folder),
            cameras_per_worker=cameras_per_worker,
            on_message=self.messages.append,
            on_worker=self.hear,
        )

    def hear(self, report):
        self.reports.append(report)
        if self.is_broken:
            raise RuntimeError("whoever listens is broken")

    def job(self, camera_id, address="webcam:0"):
        source = SourceSpec(address=address)
        return CameraJob(
            camera_id=camera_id, source=source, ring=self.folder / camera_id, labels=("car",), detect_fps=5.0
        )

    def cameras_of_workers(self):
        return [report.camera_ids for report in self.supervisor.reports() if report.camera_ids]

    async def until(self, is_true):
        deadline_s = time.monotonic() + 60.0
        while not is_true():
            assert time.monotonic() < deadline_s, self.reports
            await asyncio.sleep(0.02)

    async def all_run(self):
        await self.until(lambda: all(report.state == "running" for report in self.supervisor.reports()))


@pytest.fixture
def play(monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor_module, "run_worker", worker_that_crashes_when_it_leaves)
    monkeypatch.setattr(supervisor_module, "run_detector", detector_that_only_waits)

    def run(scenario, **settings):
        async def whole():
            watched = Watched(tmp_path, **settings)
            await watched.supervisor.start()
            try:
                await scenario(watched, watched.supervisor)
            finally:
                await watched.supervisor.stop()

        asyncio.run(whole())

    return run


def test_what_began_in_a_worker_that_crashes_while_it_leaves_is_said_to_be_forgotten(play):
    async def scenario(watched, supervisor):
        supervisor.set_cameras((watched.job("a"), watched.job("b")))
        await watched.all_run()
        watched.messages.clear()

        supervisor._per_worker = 2
        supervisor._workers[1].ends.apart_s = LONG_AGO_S
        await watched.until(lambda: watched.cameras_of_workers() == [("a", "b")])

        assert RulesReset(camera_id="b") in watched.messages
        assert RulesReset(camera_id="a") not in watched.messages

    play(scenario, cameras_per_worker=1)


def test_a_camera_moved_no_more_once_the_last_of_its_masks_was_drawn_anew_in_whichever_step(play):
    def scene(*lefts):
        corners = (((left, 0.0), (left + 0.1, 0.0), (left, 0.1)) for left in lefts)
        return Scene(masks=tuple(Mask(key=f"{n}", name="Window", polygon=one) for n, one in enumerate(corners)))

    async def scenario(watched, supervisor):
        drawn, told = prints_of_view(scene(0.1, 0.6)), []
        moved = LearnedView(drawn=drawn, lit=(), is_moved=True, told_at=datetime.now(UTC), shapes={"a": (640, 360)})
        supervisor.know_views({"a": moved, "b": replace(moved, is_moved=False)})

        for now in (scene(0.1, 0.6), scene(0.2, 0.6), scene(0.2, 0.7)):
            supervisor.set_cameras(tuple(replace(watched.job(one), scene=now) for one in ("a", "b")))
            told.append([one for one in watched.messages if isinstance(one, MoveIsOver)])

        assert told == [[], [], [MoveIsOver(camera_id="a")]]

    play(scenario)


def test_workers_are_looked_after_also_where_whoever_hears_of_them_breaks(play, caplog):
    async def scenario(watched, supervisor):
        supervisor.set_cameras((watched.job("a"),))
        await watched.all_run()

        def n_calm():
            return sum(report.key == "1" and report.state == "running" for report in watched.reports)

        watched.is_broken = True
        for _ in range(2):
            n_before = n_calm()
            # Calm for long, and nobody to be read together with: that is told.
            supervisor._workers[0].ends.apart_s = LONG_AGO_S
            await watched.until(lambda before=n_before: n_calm() > before)
        watched.is_broken = False

    play(scenario)

    assert caplog.text.count("something broke while the vision workers were looked after") == 2


def test_a_calm_culprit_that_another_camera_joins_is_none_any_more(play):
    async def scenario(watched, supervisor):
        supervisor.set_cameras((watched.job("a"), watched.job("b")))
        await watched.all_run()
        supervisor._per_worker = 2
        for worker in supervisor._workers:
            worker.is_culprit, worker.ends.apart_s = True, LONG_AGO_S

        await watched.until(lambda: len(watched.cameras_of_workers()) == 1)

        assert set(watched.cameras_of_workers()[0]) == {"a", "b"}
        assert not any(report.is_culprit for report in supervisor.reports())
        assert not next(report for report in reversed(watched.reports) if report.camera_ids).is_culprit

    play(scenario, cameras_per_worker=1)


def test_a_culprit_that_is_switched_off_and_on_stays_apart_until_it_is_read_from_elsewhere(play):
    async def scenario(watched, supervisor):
        innocent, culprit = watched.job("a"), watched.job("c")
        supervisor.set_cameras((culprit,))
        await watched.all_run()
        supervisor._workers[0].is_culprit, supervisor._workers[0].ends.apart_s = True, time.monotonic()

        supervisor.set_cameras((innocent,))
        await watched.until(lambda: watched.cameras_of_workers() == [("a",)])
        supervisor.set_cameras((innocent, culprit))
        found = {report.camera_ids: report.is_culprit for report in supervisor.reports()}

        watched.reports.clear()
        supervisor.set_cameras((innocent, watched.job("c", "webcam:1")))
        said = {report.camera_ids: report.is_culprit for report in watched.reports}

        supervisor.set_cameras((innocent,))
        await watched.until(lambda: watched.cameras_of_workers() == [("a",)])
        supervisor.set_cameras((innocent, watched.job("c", "webcam:1")))
        assert found == {("a",): False, ("c",): True, (): False}
        assert said == {("c",): False}
        assert watched.cameras_of_workers() == [("a", "c")]

    play(scenario, cameras_per_worker=4)


def ended_again(watched):
    """A worker of two cameras that ended twice within minutes."""
    worker = supervisor_module._Running(key="1", jobs={key: watched.job(key) for key in "ab"})
    worker.ends.ended_s = [time.monotonic()] * 2
    watched.supervisor._workers.append(worker)
    return worker


@pytest.mark.parametrize(("freed_mb", "n_parts"), [(400.0, 2), (1200.0, 1)])
def test_a_worker_is_halved_only_where_there_is_room_beside_what_it_takes_again(
    tmp_path, monkeypatch, freed_mb, n_parts
):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1.5e9))
    watched = Watched(tmp_path)

    assert len(watched.supervisor._set_apart(ended_again(watched), freed_mb=freed_mb)) == n_parts


def test_a_worker_is_started_anew_undivided_where_no_descriptor_is_left_to_look_for_room(tmp_path):
    watched = Watched(tmp_path)
    worker = ended_again(watched)
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        parts = watched.supervisor._set_apart(worker, freed_mb=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert parts == [worker]
    assert set(worker.jobs) == {"a", "b"}
