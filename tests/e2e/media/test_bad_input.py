"""Whatever a camera does, there is a sentence for it, and the camera beside it loses no picture."""

import itertools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from core.kernel.clock import SystemClock
from core.media.camera_source import CameraSource, Role
from core.media.model import SourceSpec, StreamState
from core.media.probe import probe
from core.media.stream import StreamFrame
from core.sim.rtsp import Content, RtspCamera
from tests.fixtures.clips import make_clip, make_tone
from tests.fixtures.processes import wait_until
from tests.fixtures.rtsp import start_camera  # noqa: F401

pytestmark = pytest.mark.timeout(60)

FPS = 25

log = logging.getLogger(__name__)


class Viewer:
    """A camera and everything it brought and said."""

    def __init__(self, address: str, *, clock: SystemClock | None = None, **options: object) -> None:
        self.frames: list[StreamFrame] = []
        self.states: list[tuple[StreamState, str, str]] = []
        self.source = CameraSource(
            "cam-1",
            SourceSpec(address=address, **options),
            on_frame=self.frames.append,
            on_state=self._on_state,
            clock=clock or SystemClock(),
        )
        self.source.start()

    def _on_state(self, state: StreamState, reason: str, hint: str) -> None:
        log.info("state %s", state.value)
        self.states.append((state, reason, hint))

    @property
    def state(self) -> StreamState:
        return self.source.report().state

    def wait_for_state(self, state: StreamState, *, timeout_s: float = 10.0) -> str:
        wait_until(lambda: self.state is state, timeout_s=timeout_s, what=f"{state}; was: {self.states}")
        report = self.source.report()
        assert not report.reason or report.hint, "a sentence needs a way out"
        return report.reason

    def wait_for_frames(self, n_more: int, *, timeout_s: float = 10.0) -> None:
        n_wanted = len(self.frames) + n_more
        wait_until(lambda: len(self.frames) >= n_wanted, timeout_s=timeout_s, what=f"{n_more} more pictures")

    @property
    def next_call_in_s(self) -> float:
        """When it would be called again, did nobody notice its return."""
        return self.source._legs[Role.MAIN].stream._retry_at_s - time.monotonic()

    @property
    def is_in_order(self) -> bool:
        return all(later.pts_s > earlier.pts_s for earlier, later in itertools.pairwise(self.frames))


@pytest.fixture
def watch():
    viewers: list[Viewer] = []

    def start(address: object, **options: object) -> Viewer:
        viewers.append(Viewer(str(address), **options))
        return viewers[-1]

    yield start
    for viewer in viewers:
        assert viewer.source.stop(timeout_s=8.0)


@pytest.fixture(autouse=True)
def neighbour(start_camera, watch):  # noqa: F811
    """Another camera, which must not lose a single picture meanwhile."""
    camera: RtspCamera = start_camera()
    beside: Viewer = watch(camera.url)
    beside.wait_for_frames(10)
    yield beside
    camera.stall()
    # The newest one waits inside libav for the picture that would end it.
    n_expected = camera.n_pictures_sent - 1
    wait_until(lambda: len(beside.frames) >= n_expected, timeout_s=3.0, what=f"all of {n_expected} pictures")
    camera.go()
    assert beside.source.report().n_reconnects == 0
    assert StreamState.LOST not in {state for state, _, _ in beside.states}


@pytest.fixture
def camera(start_camera: Callable[..., RtspCamera]) -> RtspCamera:  # noqa: F811
    return start_camera()


Watch = Callable[..., Viewer]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_stall_is_stale_and_called_again_before_it_is_lost(
    camera: RtspCamera, watch: Watch, transport: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    viewer = watch(camera.url, transport=transport)
    viewer.wait_for_frames(10)
    caplog.clear()
    camera.stall()
    assert "sends no pictures any more" in viewer.wait_for_state(StreamState.LOST)
    wait_until(lambda: camera.n_clients > 1, what="the second call, beside the one that hangs")
    said = [record.getMessage() for record in caplog.records if record.name in (__name__, "core.media.stream")]
    called = next(number for number, text in enumerate(said) if camera.url in text and "A new reader" in text)

    # Lost is what brought no picture for three seconds: whoever calls before that has begun within them.
    assert said.index("state stale") < called < said.index("state lost")
    camera.go()
    viewer.wait_for_frames(10)
    assert viewer.state is StreamState.LIVE
    assert viewer.is_in_order


def test_a_reset_connection_is_called_again_before_anyone_sees_it(camera: RtspCamera, watch: Watch):
    viewer = watch(camera.url)
    viewer.wait_for_frames(30)
    camera.drop_clients()
    viewer.wait_for_frames(20)

    assert {state for state, _, _ in viewer.states} == {StreamState.CONNECTING, StreamState.LIVE}
    assert viewer.is_in_order


def test_a_camera_that_hangs_up_after_each_picture_is_not_hammered(camera: RtspCamera, watch: Watch):
    viewer = watch(camera.url)
    ending = threading.Event()

    def hang_up_again_and_again() -> None:
        while not ending.wait(0.1):
            if camera.n_clients:
                camera.drop_clients()

    thread = threading.Thread(target=hang_up_again_and_again)
    thread.start()
    try:
        wait_until(lambda: viewer.source.report().n_reconnects >= 2, what="two more calls")
        n_before = camera.n_sessions
        ending.wait(3.0)
    finally:
        ending.set()
        thread.join()

    assert camera.n_sessions - n_before <= 4


def test_a_refusal_is_said_and_the_return_is_noticed_at_once(camera: RtspCamera, watch: Watch):
    camera.refuse()
    viewer = watch(camera.url)
    reason = viewer.wait_for_state(StreamState.LOST)
    wait_until(lambda: viewer.next_call_in_s > 3.0, what="the back-off to grow")
    planned_s = time.monotonic() + viewer.next_call_in_s
    camera.accept()
    viewer.wait_for_frames(1)

    assert "refuses the connection" in reason
    assert viewer.frames[0].received_s < planned_s


def test_a_black_hole_is_said_and_the_return_is_noticed_at_once(camera: RtspCamera, watch: Watch):
    camera.stall()
    viewer = watch(camera.url)
    reason = viewer.wait_for_state(StreamState.LOST)
    wait_until(lambda: viewer.source.report().since_s > 2.0, what="the back-off to grow")
    camera.go()
    viewer.wait_for_frames(1, timeout_s=2.0)

    assert "does not answer in time" in reason


def test_a_port_that_takes_connections_and_never_says_a_word_is_said(watch: Watch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        viewer = watch(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/stream")

        assert "does not answer in time" in viewer.wait_for_state(StreamState.LOST)


def test_a_firewall_that_holds_udp_back_is_said_with_the_way_out(camera: RtspCamera, watch: Watch):
    camera.lose_datagrams(1.0)
    viewer = watch(camera.url, transport="udp")

    assert "no picture of it arrives by UDP" in viewer.wait_for_state(StreamState.LOST, timeout_s=15.0)
    assert "TCP" in viewer.source.report().hint


def test_a_network_that_loses_datagrams_is_said_with_the_way_out_and_the_picture_recovers(
    start_camera: Callable[..., RtspCamera],  # noqa: F811
    watch: Watch,
    tmp_path: Path,
):
    camera = start_camera(_detailed_clip(tmp_path / "detail.mp4"))
    viewer = watch(camera.url, transport="udp")
    viewer.wait_for_frames(15)
    camera.lose_datagrams(0.02)
    wait_until(lambda: "damaged" in viewer.source.report().reason, what="the sentence")
    report = viewer.source.report()
    camera.lose_datagrams(0.0)
    viewer.wait_for_frames(15)

    assert "TCP" in report.hint
    assert viewer.is_in_order
    assert not viewer.frames[-1].frame.is_corrupt


def test_a_wrong_password_is_said_and_never_repeated(start_camera: Callable[..., RtspCamera], watch: Watch):  # noqa: F811
    camera = start_camera(username="guard", password="right")
    viewer = watch(camera.url, username="guard", password="wrong")
    reason = viewer.wait_for_state(StreamState.UNAUTHORISED)

    assert "refuses the user name or password" in reason
    assert "wrong" not in reason


@pytest.mark.parametrize("seconds", [-3600.0, -2.0, 7200.0])
def test_picture_time_that_jumps_is_straightened_and_one_that_jumps_back_is_said(
    camera: RtspCamera, watch: Watch, seconds: float
):
    viewer = watch(camera.url)
    viewer.wait_for_frames(15)
    camera.jump_time(seconds)
    viewer.wait_for_frames(25)
    said = viewer.source.report().reason

    assert viewer.is_in_order
    assert viewer.state is StreamState.LIVE
    assert viewer.frames[-1].pts_s == pytest.approx(viewer.frames[-1].received_s - viewer.frames[0].received_s, abs=0.3)
    assert ("jumped back by" in said) is (seconds < 0)


def test_a_changed_resolution_goes_on_with_a_new_epoch_and_is_said(camera: RtspCamera, watch: Watch, tmp_path: Path):
    viewer = watch(camera.url)
    viewer.wait_for_frames(10)
    camera.switch_clip(make_clip(tmp_path / "large.mp4", width=640, height=352))
    wait_until(lambda: viewer.frames[-1].frame.width == 640, what="the new size")
    viewer.wait_for_frames(10)

    assert viewer.is_in_order
    assert viewer.frames[-1].epoch == viewer.frames[0].epoch + 1
    assert "were 320x192 until lately and are 640x352" in viewer.source.report().reason
    assert {state for state, _, _ in viewer.states} == {StreamState.CONNECTING, StreamState.LIVE}


class SteppingClock(SystemClock):
    """The machine's clock, set by hand as a time server does; monotonic time goes on."""

    offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset


@pytest.mark.parametrize("hours", [-2.0, 5.0])
def test_a_step_of_either_clock_moves_no_picture(camera: RtspCamera, watch: Watch, hours: float):
    clock = SteppingClock()
    viewer = watch(camera.url, clock=clock)
    viewer.wait_for_frames(15)
    camera.step_clock(hours * 3600)
    clock.offset = timedelta(hours=hours)
    viewer.wait_for_frames(25)

    steps_s = [later.pts_s - earlier.pts_s for earlier, later in itertools.pairwise(viewer.frames)]
    assert max(steps_s) == pytest.approx(1 / FPS, abs=0.002)
    assert {state for state, _, _ in viewer.states} == {StreamState.CONNECTING, StreamState.LIVE}


def test_a_dozen_bad_cameras_at_once_cost_the_good_one_no_picture(
    start_camera: Callable[..., RtspCamera],  # noqa: F811
    watch: Watch,
    neighbour: Viewer,
):
    locked, corrupt, deaf = start_camera(username="guard", password="right"), start_camera(), start_camera()
    corrupt.show(Content.CORRUPT)
    deaf.stall()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        dumb = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/stream"
        bad = {
            locked.url: StreamState.UNAUTHORISED,
            "rtsp://127.0.0.1:9/stream": StreamState.LOST,
            deaf.url: StreamState.LOST,
            dumb: StreamState.LOST,
            "/nowhere/clip.mp4": StreamState.UNUSABLE,
            "webcam:77": StreamState.UNUSABLE,
        }
        viewers = [(watch(address), state) for address, state in bad.items() for _ in range(2)]
        watch(corrupt.url)
        for viewer, state in viewers:
            assert viewer.wait_for_state(state, timeout_s=15.0)

        neighbour.wait_for_frames(50)

    assert neighbour.is_in_order
    arrivals_s = [frame.received_s for frame in neighbour.frames]
    assert max(later - earlier for earlier, later in itertools.pairwise(arrivals_s)) < 0.9
    assert {state for state, _, _ in neighbour.states} == {StreamState.CONNECTING, StreamState.LIVE}


def test_half_a_key_frame_is_left_out_and_said(start_camera: Callable[..., RtspCamera], watch: Watch, tmp_path: Path):  # noqa: F811
    camera = start_camera(_detailed_clip(tmp_path / "detail.mp4"))
    viewer = watch(camera.url)
    viewer.wait_for_frames(15)
    camera.halve_key_frames(2)
    wait_until(lambda: viewer.source.report().n_damaged > 0, what="the damage to be seen")
    wait_until(lambda: bool(viewer.source.report().reason), what="the sentence")
    report = viewer.source.report()
    viewer.wait_for_frames(15)

    assert report.state is StreamState.LIVE
    assert "damaged" in report.reason
    assert report.hint
    assert not any(frame.frame.is_corrupt for frame in viewer.frames)
    assert viewer.is_in_order


def test_a_stream_that_begins_with_half_a_key_frame_shows_the_first_whole_picture(
    start_camera: Callable[..., RtspCamera],  # noqa: F811
    watch: Watch,
    tmp_path: Path,
):
    camera = start_camera(_detailed_clip(tmp_path / "detail.mp4"))
    camera.halve_key_frames(1)
    viewer = watch(camera.url)
    viewer.wait_for_frames(5)

    assert viewer.frames[0].is_key
    assert not any(frame.frame.is_corrupt for frame in viewer.frames)


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv", ".h264", ".mpg"])
@pytest.mark.parametrize("begins", ["with zeros", "well"])
def test_a_file_of_ten_gigabytes_is_opened_or_refused_without_being_read(
    watch: Watch, tmp_path: Path, suffix: str, begins: str
):
    path = tmp_path / f"huge{suffix}"
    if begins == "well":
        _convert(make_clip(tmp_path / "a.mp4", n_frames=10), path)
    with path.open("ab") as file:
        file.truncate(10 * 2**30)
    n_read = _n_bytes_read()
    viewer = watch(path)
    wait_until(lambda: viewer.state is not StreamState.CONNECTING, what="an answer")
    n_read_for_answer = _n_bytes_read() - n_read
    first = viewer.states[1]

    assert viewer.source.stop(timeout_s=4.0)
    assert n_read_for_answer < 200e6
    if begins == "well" and suffix in {".mp4", ".mkv", ".h264"}:
        assert first[0] is StreamState.LIVE
    else:
        # Behind an index, a hole is found before any picture; without one the search is given up.
        assert first[0] in {StreamState.LIVE, StreamState.UNUSABLE}
        assert first[0] is StreamState.LIVE or (first[1] and first[2])


def test_a_portrait_stream_is_shown_upright(start_camera: Callable[..., RtspCamera], watch: Watch, tmp_path: Path):  # noqa: F811
    viewer = watch(start_camera(make_clip(tmp_path / "tall.mp4", width=192, height=320)).url)
    viewer.wait_for_frames(10)
    report = viewer.source.report()

    assert (report.width, report.height) == (192, 320)
    assert report.state is StreamState.LIVE


def test_sound_alone_is_said_of_a_camera(camera: RtspCamera, watch: Watch):
    camera.show(Content.AUDIO_ONLY)

    assert "no picture" in watch(camera.url).wait_for_state(StreamState.UNUSABLE)


def test_sound_alone_is_said_of_a_file(tmp_path: Path):
    result = probe(SourceSpec(address=str(make_tone(tmp_path / "tone.mp4"))))

    assert not result.ok
    assert "no picture" in result.message


def _detailed_clip(path: Path) -> Path:
    """A clip whose key pictures fill many packets."""
    noise = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        stream.options = {"g": "10", "bf": "0", "preset": "ultrafast", "sc_threshold": "0"}
        still = noise.integers(0, 255, (192, 320, 3), np.uint8)
        for number in range(50):
            picture = np.roll(still, number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def _convert(source: Path, target: Path) -> None:
    """Copy the pictures of a clip into another kind of file."""
    codec = {".mpg": "mpeg2video"}.get(target.suffix, "libx264")
    options = {"movflags": "faststart"} if target.suffix == ".mp4" else {}
    with av.open(str(source)) as reading, av.open(str(target), "w", options=options) as writing:
        stream = writing.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for frame in reading.decode(video=0):
            frame.pict_type = av.video.frame.PictureType.NONE
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode())


def _n_bytes_read() -> int:
    if not os.path.exists("/proc/self/io"):
        pytest.skip("only Linux tells what a process read")
    return int(psutil.Process().io_counters().read_chars)
