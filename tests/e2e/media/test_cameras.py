"""Real RTSP from the simulator: the camera stalls, hangs up, refuses, changes, and comes back."""

import time
from collections.abc import Callable

import pytest

from core.kernel.clock import SystemClock
from core.media.model import SourceSpec, StreamState
from core.media.probe import probe
from core.media.stream import CameraStream, StreamFrame
from core.sim.rtsp import Authentication, Content, RtspCamera
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until
from tests.fixtures.rtsp import rtsp_camera, start_camera  # noqa: F401
from tests.fixtures.testdata import testdata


class HeldClock(SystemClock):
    """The machine's clock until it is held; then it stands where it is put, and counts who looks at it."""

    def __init__(self) -> None:
        self._held_s: float | None = None
        self._n_looks = 0

    def monotonic(self) -> float:
        self._n_looks += 1
        return super().monotonic() if self._held_s is None else self._held_s

    def hold_at(self, at_s: float) -> None:
        self._held_s = at_s

    def wait_for_looks(self, n_more: int = 8) -> None:
        """Wait until the watch of a stream, which looks several times a second, has seen the time."""
        n_wanted = self._n_looks + n_more
        wait_until(lambda: self._n_looks >= n_wanted, what="the watch to look")


class Viewer:
    """A camera stream and everything it said."""

    def __init__(self, address: str, *, clock: SystemClock | None = None, **options: object) -> None:
        self.frames: list[StreamFrame] = []
        self.states: list[tuple[StreamState, str, str]] = []
        self.stream = CameraStream(
            "cam-1",
            SourceSpec(address=address, **options),
            on_frame=self.frames.append,
            on_state=lambda *state: self.states.append(state),
            clock=clock or SystemClock(),
        )
        self.stream.start()

    @property
    def state(self) -> StreamState:
        return self.stream.report().state

    def wait_for_state(self, state: StreamState, *, timeout_s: float = 10.0) -> str:
        wait_until(lambda: self.state is state, timeout_s=timeout_s, what=f"state {state}; was: {self.states}")
        return self.stream.report().reason

    def wait_for_frames(self, n_more: int, *, timeout_s: float = 10.0) -> None:
        n_before = len(self.frames)
        wait_until(lambda: len(self.frames) >= n_before + n_more, timeout_s=timeout_s, what=f"{n_more} more pictures")


@pytest.fixture
def watch():
    viewers: list[Viewer] = []

    def start(address: str, **options: object) -> Viewer:
        viewers.append(Viewer(address, **options))
        return viewers[-1]

    yield start
    for viewer in viewers:
        assert viewer.stream.stop(timeout_s=8.0)


Watch = Callable[..., Viewer]
StartCamera = Callable[..., RtspCamera]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_is_live_at_its_own_rate(rtsp_camera: RtspCamera, watch: Watch, transport: str):  # noqa: F811
    viewer = watch(rtsp_camera.url, transport=transport)
    viewer.wait_for_frames(60)
    report = viewer.stream.report()

    assert report.state is StreamState.LIVE
    assert (report.width, report.height, report.codec) == (320, 192, "h264")
    assert 20 < report.fps < 30
    assert report.bytes_per_s > 100
    steps = [later.pts_s - earlier.pts_s for earlier, later in zip(viewer.frames, viewer.frames[1:], strict=False)]
    assert sorted(steps)[len(steps) // 2] == pytest.approx(0.04, abs=0.002)


def test_the_first_picture_comes_at_once_where_the_camera_describes_it(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    began_s = time.monotonic()
    watch(rtsp_camera.url).wait_for_frames(1)

    assert time.monotonic() - began_s < 1.5


def test_the_badge_says_stale_within_a_second_of_the_last_picture_and_lost_after_three(
    rtsp_camera: RtspCamera,  # noqa: F811
    watch: Watch,
):
    clock = HeldClock()
    # Its reader waits longer than this takes: what is seen is the age of the picture alone.
    viewer = watch(rtsp_camera.url, clock=clock, read_timeout_s=60.0)
    viewer.wait_for_frames(10)
    rtsp_camera.stall()
    clock.hold_at(clock.monotonic())
    wait_until(lambda: _has_come_to_rest(viewer, clock), what="the last picture on its way")
    last_s = max(frame.received_s for frame in viewer.frames)

    seen = []
    for age_s in (0.85, 1.0, 3.0):
        clock.hold_at(last_s + age_s)
        clock.wait_for_looks()
        seen.append(viewer.state)
    clock.hold_at(last_s + 3.05)
    reason = viewer.wait_for_state(StreamState.LOST)
    rtsp_camera.go()

    assert seen == [StreamState.LIVE, StreamState.STALE, StreamState.STALE]
    assert "sends no pictures any more" in reason


def _has_come_to_rest(viewer: Viewer, clock: HeldClock) -> bool:
    n_before = len(viewer.frames)
    clock.wait_for_looks()
    return len(viewer.frames) == n_before


def test_a_camera_that_stalls_is_lost_and_live_again(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    viewer = watch(rtsp_camera.url, read_timeout_s=1.5)
    viewer.wait_for_frames(10)
    rtsp_camera.stall()
    assert viewer.wait_for_state(StreamState.LOST)
    rtsp_camera.go()

    viewer.wait_for_state(StreamState.LIVE, timeout_s=15.0)
    viewer.wait_for_frames(10)
    assert viewer.frames[-1].epoch > viewer.frames[0].epoch
    assert viewer.frames[-1].pts_s > 2.0
    assert viewer.stream.report().n_abandoned == 0


def test_a_camera_that_hangs_up_is_called_again_before_anyone_sees_it(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    viewer = watch(rtsp_camera.url)
    viewer.wait_for_frames(10)
    epoch = viewer.frames[-1].epoch
    rtsp_camera.drop_clients()

    wait_until(lambda: viewer.frames[-1].epoch == epoch + 1, timeout_s=5.0, what="the second call")
    assert viewer.stream.report().n_reconnects == 1
    assert StreamState.LOST not in {state for state, _, _ in viewer.states}


def test_a_camera_that_is_switched_off_and_on_comes_back(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    viewer = watch(rtsp_camera.url)
    viewer.wait_for_frames(5)
    rtsp_camera.refuse()
    rtsp_camera.drop_clients()
    reason = viewer.wait_for_state(StreamState.LOST)
    assert "refuses the connection" in reason
    rtsp_camera.accept()

    viewer.wait_for_state(StreamState.LIVE, timeout_s=15.0)


def test_a_wrong_password_is_said_and_not_repeated(start_camera: StartCamera, watch: Watch):  # noqa: F811
    camera = start_camera(username="admin", password="right p@ss/word")
    viewer = watch(camera.url, username="admin", password="wrong")

    reason = viewer.wait_for_state(StreamState.UNAUTHORISED)
    assert "refuses the user name or password" in reason
    assert "wrong" not in reason
    wait_until(lambda: viewer.stream.report().since_s > 2.0, what="two seconds without another attempt")
    assert [state for state, _, _ in viewer.states] == [StreamState.CONNECTING, StreamState.UNAUTHORISED]
    assert camera.n_sessions == 0


@pytest.mark.parametrize("authentication", list(Authentication))
def test_any_password_opens_the_camera_it_belongs_to(
    start_camera: StartCamera,  # noqa: F811
    watch: Watch,
    authentication: Authentication,
):
    # Basic authentication cannot carry a colon in the name (RFC 7617).
    camera = start_camera(username="oper@tor", password="p@ss/w?rd#1 %:", authentication=authentication)

    watch(camera.url, username="oper@tor", password="p@ss/w?rd#1 %:").wait_for_frames(3)


def test_a_path_that_is_not_there_is_named(rtsp_camera: RtspCamera):  # noqa: F811
    result = probe(SourceSpec(address=rtsp_camera.url + "-not"))

    assert not result.ok
    assert "404" in result.message


def test_a_camera_with_sound_only_says_so(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    rtsp_camera.show(Content.AUDIO_ONLY)
    viewer = watch(rtsp_camera.url)

    assert "no picture" in viewer.wait_for_state(StreamState.UNUSABLE)


@pytest.mark.parametrize("content", [Content.UNKNOWN_CODEC, Content.CORRUPT])
def test_a_stream_that_cannot_be_decoded_is_a_sentence(rtsp_camera: RtspCamera, content: Content):  # noqa: F811
    rtsp_camera.show(content)

    result = probe(SourceSpec(address=rtsp_camera.url), timeout_s=4.0)

    assert not result.ok
    assert rtsp_camera.url in result.message
    assert result.hint


def test_the_picture_may_change_its_size_while_it_runs(rtsp_camera: RtspCamera, watch: Watch, tmp_path):  # noqa: F811
    viewer = watch(rtsp_camera.url)
    viewer.wait_for_frames(10)
    rtsp_camera.switch_clip(make_clip(tmp_path / "large.mp4", width=640, height=352))

    wait_until(lambda: viewer.frames[-1].frame.width == 640, what="the new size")
    viewer.wait_for_frames(5)
    assert viewer.state is StreamState.LIVE
    assert (viewer.stream.report().width, viewer.stream.report().height) == (640, 352)
    assert viewer.frames[-1].epoch > viewer.frames[0].epoch


def test_a_probe_brings_a_picture_of_the_camera(rtsp_camera: RtspCamera):  # noqa: F811
    result = probe(SourceSpec(address=rtsp_camera.url))

    assert result.ok, result.message
    assert (result.width, result.height, result.codec, result.fps) == (320, 192, "h264", 25.0)
    assert result.thumbnail_jpeg.startswith(b"\xff\xd8")


def test_a_hidden_tile_of_a_camera_gets_key_frames_and_is_not_stale(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    viewer = watch(rtsp_camera.url)
    viewer.wait_for_frames(5)
    viewer.stream.set_keyframes_only(True)
    viewer.wait_for_frames(4)

    assert all(frame.is_key for frame in viewer.frames[-3:])
    assert viewer.state is StreamState.LIVE


def test_stopping_a_camera_that_stalls_does_not_hang(rtsp_camera: RtspCamera, watch: Watch):  # noqa: F811
    viewer = watch(rtsp_camera.url)
    viewer.wait_for_frames(3)
    rtsp_camera.stall()
    began_s = time.monotonic()

    viewer.stream.stop(timeout_s=1.0)

    assert time.monotonic() - began_s < 1.5
    rtsp_camera.go()


@pytest.mark.testdata
def test_real_footage_over_rtsp_is_played_in_order(start_camera: StartCamera, watch: Watch):  # noqa: F811
    camera = start_camera(testdata("video/traffic_shenzhen_road_buses.mp4"))
    viewer = watch(camera.url)
    viewer.wait_for_frames(75)

    pts = [frame.pts_s for frame in viewer.frames]
    assert pts == sorted(pts)
    assert (viewer.frames[-1].frame.width, viewer.frames[-1].frame.height) == (640, 360)
