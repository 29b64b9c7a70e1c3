"""Settings of many cameras change at once while most of them do not answer: the live one does not wait for them."""

import asyncio
import contextlib
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.media.model import SourceSpec, StreamState
from core.media.ring import RingReader
from core.vision.messages import ClipKept
from tests.e2e.vision.test_detector_process import CLIP_WH, Service
from tests.fixtures.clips import make_clip
from tests.unit.vision.toy_model import save_toy_openvino

N_DEAD = 7
AT_ONCE_S = 6.0
"""Also on a busy machine less than the dead cameras would take one after the other."""


@pytest.fixture
def dead_address():
    """Takes every caller, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path, save_toy_openvino(tmp_path / "toy_openvino_model"), cameras_per_worker=N_DEAD + 1)


def run_with(service, scenario):
    async def whole() -> None:
        await service.supervisor.start()
        try:
            await scenario()
        finally:
            await service.supervisor.stop()

    asyncio.run(whole())


def epoch_of(service) -> int:
    with contextlib.closing(RingReader.open(service.folder / "live.ring")) as reader:
        frame = reader.newest_frame(0)
    return 0 if frame is None else frame.epoch


@pytest.mark.timeout(180)
def test_a_live_camera_and_what_is_asked_of_it_do_not_wait_for_those_that_do_not_answer(
    service, dead_address, tmp_path
):
    clip = make_clip(tmp_path / "busy.mp4", width=96, height=64, n_frames=75)

    async def scenario():
        dead = [
            replace(
                service.job(f"dead-{n}", clip),
                source=SourceSpec(address=dead_address, open_timeout_s=30.0, read_timeout_s=30.0),
            )
            for n in range(N_DEAD)
        ]
        jobs = (*dead, service.job("live", clip))
        service.supervisor.set_views({"live": CLIP_WH})
        service.supervisor.set_cameras(jobs)
        await service.until(
            lambda: "live" in (found := service.newest()) and found["live"].state is StreamState.LIVE, "a picture"
        )
        epoch = await service.until(lambda: epoch_of(service), "a picture in the ring")
        service.messages.clear()

        changed_s = time.monotonic()
        service.supervisor.set_cameras(tuple(replace(job, labels=("car", "bus")) for job in jobs))
        service.supervisor.set_away(frozenset({"live"}))
        service.supervisor.keep_clip("dead-0", "of the dead", datetime.now(UTC))
        await service.until(lambda: epoch_of(service) > epoch, "a picture under the new settings")
        await service.until(lambda: "live" in (found := service.newest()) and found["live"].is_away, "the word of it")
        assert time.monotonic() - changed_s < AT_ONCE_S

        # Those that let go late are called again under the new settings, too.
        await service.until(lambda: len(service.newest()) == N_DEAD + 1, "a word of every camera")
        assert not [message for message in service.messages if isinstance(message, ClipKept)]
        assert service.supervisor.n_restarts == 0

        ending_s = time.monotonic()
        await service.supervisor.stop()
        assert time.monotonic() - ending_s < AT_ONCE_S
        kept = [message.clip_id for message in service.messages if isinstance(message, ClipKept)]
        assert kept == ["of the dead"]

    run_with(service, scenario)
