"""Pictures on their way to the network carry the time at which they were taken."""

import itertools
import threading
import time

import pytest

from core.media.model import SourceSpec
from core.vision.pipeline import PreparedPictures
from tests.fixtures.clips import make_clip
from tests.fixtures.http_gate import jpeg
from tests.fixtures.live_road import LiveRoad

WH = (96, 64)
EVERY_S = 0.25


def times_of(spec: SourceSpec, n: int) -> tuple[list[float], float]:
    """Return the picture times of the first pictures, and how long they took to come."""
    with PreparedPictures(spec, WH) as pictures:
        came = [(picture.pts_s, time.monotonic()) for picture in itertools.islice(pictures, n)]
    return [pts_s for pts_s, _ in came], came[-1][1] - came[0][1]


def is_in_step(times: list[float], took_s: float) -> bool:
    return times == sorted(times) and times[-1] - times[0] == pytest.approx(took_s, abs=0.3)


def test_posted_pictures_are_as_far_apart_as_they_came(tmp_path):
    file, fresh, is_over = tmp_path / "north.jpg", tmp_path / "north.new", threading.Event()

    def post():
        for seed in itertools.count():
            fresh.write_bytes(jpeg(seed=seed))
            fresh.replace(file)
            if is_over.wait(EVERY_S):
                return

    device = threading.Thread(target=post)
    device.start()
    try:
        times, took_s = times_of(SourceSpec(address=f"edge:{file}", realtime=False), 7)
    finally:
        is_over.set()
        device.join()

    assert took_s > 5 * EVERY_S
    assert is_in_step(times, took_s)


def test_the_pictures_of_a_camera_without_a_clock_are_as_far_apart_as_they_came():
    road = LiveRoad(1)
    try:
        times, took_s = times_of(SourceSpec(address=road.address(0), realtime=False), 20)
    finally:
        road.close()

    assert took_s > 1.0
    assert is_in_step(times, took_s)


def test_a_recording_keeps_its_own_times_however_fast_it_is_read(tmp_path):
    times, _ = times_of(SourceSpec(address=str(make_clip(tmp_path / "clip.mp4", n_frames=50)), realtime=False), 50)

    assert times[-1] - times[0] == pytest.approx(49 / 25, abs=0.1)
