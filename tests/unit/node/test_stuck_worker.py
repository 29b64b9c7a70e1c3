"""A worker that ends itself because a camera hangs for good in it."""

import asyncio
import time

from core.media.model import SourceSpec
from core.node import supervisor as supervisor_module
from core.node.supervisor import VisionSupervisor
from core.vision.messages import CameraJob, Heartbeat, StopWorker, WorkerConfig, WorkerStuck

REASON = "Every call of cam-1 hangs; a new process is the way out."


def worker_that_is_stuck_once(connection, config):
    """Stands in for `run_worker` in a process of its own."""
    connection.send(Heartbeat(streams=(), inside={}, cpu_percent=0.0, memory_mb=float(config.n_stuck)))
    if config.n_stuck == 0:
        connection.send(WorkerStuck(reason=REASON))
        return
    while not isinstance(connection.recv(), StopWorker):
        pass


def detector_that_only_waits(connection, config):
    connection.send(Heartbeat(streams=(), inside={}, cpu_percent=0.0, memory_mb=0.0))
    while not isinstance(connection.recv(), StopWorker):
        pass


def test_it_is_started_anew_with_its_reason_and_knows_that_it_was_stuck(monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor_module, "run_worker", worker_that_is_stuck_once)
    monkeypatch.setattr(supervisor_module, "run_detector", detector_that_only_waits)
    told, unknown = [], []

    async def play():
        supervisor = VisionSupervisor(
            WorkerConfig(key="", models=tmp_path, logs=tmp_path),
            cameras_per_worker=2,
            on_message=lambda message: unknown.append(message) if isinstance(message, WorkerStuck) else None,
            on_worker=told.append,
        )
        await supervisor.start()
        job = CameraJob(
            camera_id="cam-1",
            source=SourceSpec(address="webcam:0"),
            ring=tmp_path / "ring",
            labels=("car",),
            detect_fps=5.0,
        )
        supervisor.set_cameras((job,))
        deadline_s = time.monotonic() + 60.0
        while not any(report.key == "1" and report.memory_mb == 1.0 for report in supervisor.reports()):
            assert time.monotonic() < deadline_s, told
            await asyncio.sleep(0.02)
        await supervisor.stop()

    asyncio.run(play())

    assert {report.reason for report in told if report.key == "1" and report.state == "restarting"} == {REASON}
    assert unknown == []
