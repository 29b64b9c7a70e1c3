"""A real RTSP stream whose pictures come faster than this machine takes them, and some that only look like it."""

import threading
import time

import pytest

from core.media import backlog as backlog_module
from core.media.model import SourceSpec, StreamState
from core.media.stream import CameraStream
from core.sim.rtsp import RtspCamera
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until
from tests.fixtures.rtsp import start_camera  # noqa: F401


class SlowRoom:
    """Takes pictures as slowly as a machine that has too many cameras.

    Attributes:
        ages_s: How long ago the camera sent each of them, and how long ago it says that it came.
    """

    def __init__(self, camera: RtspCamera, *, takes_s: float = 0.0) -> None:
        self.camera, self.takes_s = camera, takes_s
        self.ages_s: list[tuple[float, float]] = []
        self.states: list[StreamState] = []
        self._never = threading.Event()
        self.stream = CameraStream(
            "cam-1",
            SourceSpec(address=camera.url),
            on_frame=self.take,
            on_state=lambda state, reason, hint: self.states.append(state),
        )
        self.stream.start()

    def take(self, frame):
        now_s = time.monotonic()
        sent_s = None if frame.frame.time is None else self.camera.sent_at(frame.frame.time)
        if sent_s is not None:
            self.ages_s.append((now_s - sent_s, now_s - frame.received_s))
        if self.takes_s:
            self._never.wait(self.takes_s)

    def wait_for(self, seconds):
        self._never.wait(seconds)


@pytest.fixture
def open_room():
    rooms = []

    def start(camera, **options):
        rooms.append(SlowRoom(camera, **options))
        return rooms[-1]

    yield start
    for room in rooms:
        assert room.stream.stop(timeout_s=8.0)


@pytest.mark.parametrize("pictures_per_key", [10, 250])
def test_what_a_slow_machine_shows_is_new_and_it_says_why_pictures_are_missing(
    start_camera,  # noqa: F811
    open_room,
    monkeypatch,
    tmp_path,
    pictures_per_key,
):
    monkeypatch.setattr(backlog_module, "OVERRUN_KEPT_S", 4.0)
    camera = start_camera(make_clip(tmp_path / "a.mp4", n_frames=250, pictures_per_key=pictures_per_key))
    room = open_room(camera, takes_s=0.1)
    wait_until(lambda: "cannot decode as fast" in room.stream.report().reason, timeout_s=10.0, what="the sentence")
    n_before = len(room.ages_s)
    room.wait_for(8.0)
    said, seen = room.stream.report(), room.ages_s[n_before:]
    room.takes_s = 0.0
    wait_until(lambda: not room.stream.report().reason, timeout_s=12.0, what="the sentence to go")

    assert said.state is StreamState.LIVE
    assert said.hint
    # Read one after the other they would be six seconds old by now, and ever older.
    assert max(age_s for age_s, _ in seen) < 3.0
    errors_s = sorted(abs(age_s - told_s) for age_s, told_s in seen)
    assert errors_s[len(errors_s) // 2] < 0.2
    assert said.n_dropped > 60
    assert set(room.states) == {StreamState.CONNECTING, StreamState.LIVE}


@pytest.mark.parametrize("fault", ["none", "stall", "jump"])
def test_of_a_stream_that_stumbles_every_picture_is_shown(start_camera, open_room, tmp_path, fault):  # noqa: F811
    camera = start_camera(make_clip(tmp_path / "a.mp4", n_frames=250))
    room = open_room(camera)
    wait_until(lambda: room.stream.report().n_frames > 25, what="the first pictures")
    if fault == "stall":
        camera.stall()
        room.wait_for(1.5)
        camera.go()
    if fault == "jump":
        camera.jump_time(-3.0)
    n_before = room.stream.report().n_frames
    wait_until(lambda: room.stream.report().n_frames > n_before + 100, what="four seconds more")
    report = room.stream.report()

    assert report.n_dropped == 0
    # What jumped is said, as time that jumped and not as a machine that is too slow.
    assert ("jumped back" in report.reason) is (fault == "jump")
    assert "decode" not in report.reason
