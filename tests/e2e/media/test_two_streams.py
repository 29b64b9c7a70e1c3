"""A camera with a large and a small stream, both real RTSP: which one is read, and how it changes."""

import itertools
from collections.abc import Callable

import pytest

from core.kernel.clock import SystemClock
from core.media.camera_source import CameraSource
from core.media.model import SourceSpec, StreamState
from core.media.stream import StreamFrame
from core.sim.rtsp import RtspCamera
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until
from tests.fixtures.rtsp import start_camera  # noqa: F401

pytestmark = pytest.mark.timeout(60)

SMALL_TILE, LARGE_TILE = (320, 180), (1280, 720)


class Tile:
    """A camera's source, what it brought and what it said."""

    def __init__(self, main: RtspCamera, sub: RtspCamera, **options: object) -> None:
        self.frames: list[StreamFrame] = []
        self.states: list[tuple[StreamState, str, str]] = []
        self.source = CameraSource(
            "cam-1",
            SourceSpec(address=main.url),
            sub_spec=SourceSpec(address=sub.url),
            on_frame=self.frames.append,
            on_state=lambda *state: self.states.append(state),
            clock=SystemClock(),
            **options,
        )

    def wait_for_width(self, width: int) -> None:
        wait_until(lambda: bool(self.frames) and self.frames[-1].frame.width == width, what=f"a picture {width} wide")

    def wait_for_frames(self, n_more: int) -> None:
        n_wanted = len(self.frames) + n_more
        wait_until(lambda: len(self.frames) >= n_wanted, what=f"{n_more} more pictures")


@pytest.fixture
def cameras(start_camera: Callable[..., RtspCamera], tmp_path):  # noqa: F811
    main = start_camera(make_clip(tmp_path / "main.mp4", width=640, height=384))
    sub = start_camera(make_clip(tmp_path / "sub.mp4", width=320, height=192))
    return main, sub


@pytest.fixture
def tile(cameras):
    tile = Tile(*cameras)
    yield tile
    assert tile.source.stop(timeout_s=8.0)


def test_a_small_tile_reads_the_small_stream_only(cameras, tile):
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_frames(20)

    assert {frame.frame.width for frame in tile.frames} == {320}
    assert cameras[0].n_sessions == 0
    assert tile.source.report().is_sub


def test_zooming_in_and_out_changes_the_stream_without_a_gap_and_without_a_new_epoch(cameras, tile):
    main, sub = cameras
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_frames(20)
    tile.source.set_view(LARGE_TILE)
    tile.wait_for_width(640)
    wait_until(lambda: sub.n_clients == 0, what="the small stream to be hung up")
    tile.wait_for_frames(20)
    assert not tile.source.report().is_sub
    tile.source.set_view(SMALL_TILE)
    tile.wait_for_width(320)
    wait_until(lambda: main.n_clients == 0, what="the large stream to be hung up")

    widths = [width for width, _ in itertools.groupby(frame.frame.width for frame in tile.frames)]
    assert widths == [320, 640, 320]
    assert {frame.epoch for frame in tile.frames} == {1}
    pairs = list(itertools.pairwise(tile.frames))
    assert all(later.pts_s > earlier.pts_s for earlier, later in pairs)
    # Picture time goes with the arrival of the pictures, also over the change.
    drift_s = (tile.frames[-1].pts_s - tile.frames[0].pts_s) - (tile.frames[-1].received_s - tile.frames[0].received_s)
    assert abs(drift_s) < 0.3
    assert max(later.received_s - earlier.received_s for earlier, later in pairs) < 0.9
    assert StreamState.STALE not in {state for state, _, _ in tile.states}


def test_where_the_large_stream_fails_the_small_one_is_shown_and_says_so(cameras, tile):
    main, _ = cameras
    tile.source.set_view(LARGE_TILE)
    tile.source.start()
    tile.wait_for_width(640)
    tile.wait_for_frames(10)
    main.refuse()
    main.drop_clients()
    tile.wait_for_width(320)
    wait_until(lambda: bool(tile.source.report().reason), what="the sentence")
    report = tile.source.report()

    assert report.state is StreamState.LIVE
    assert report.is_sub
    assert "large stream does not come, the small one is shown" in report.reason
    assert "refuses the connection" in report.reason

    main.accept()
    tile.wait_for_width(640)
    wait_until(lambda: not tile.source.report().reason, what="the sentence to go")
    assert all(later.pts_s > earlier.pts_s for earlier, later in itertools.pairwise(tile.frames))


def test_where_the_small_stream_never_comes_the_large_one_stands_in(cameras, tile):
    _, sub = cameras
    sub.refuse()
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_width(640)
    wait_until(lambda: bool(tile.source.report().reason), what="the sentence")

    assert tile.source.report().state is StreamState.LIVE
    assert "small stream does not come, the large one is shown" in tile.source.report().reason


def test_a_camera_of_which_both_streams_are_gone_is_lost_with_its_reason(cameras, tile):
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_frames(10)
    for camera in cameras:
        camera.refuse()
        camera.drop_clients()
    wait_until(lambda: tile.source.report().state is StreamState.LOST, what="the loss")

    assert "refuses the connection" in tile.source.report().reason
    for camera in cameras:
        camera.accept()
    wait_until(lambda: tile.source.report().state is StreamState.LIVE, what="the return")
    tile.wait_for_width(320)


def test_a_wrong_password_is_not_tried_on_the_other_stream(start_camera, tmp_path):  # noqa: F811
    main = start_camera(username="admin", password="right")
    sub = start_camera(username="admin", password="right")
    tile = Tile(main, sub)
    tile.source.start()
    wait_until(lambda: tile.source.report().state is StreamState.UNAUTHORISED, what="the refusal")
    wait_until(lambda: tile.source.report().since_s > 1.5, what="a while")
    streams = len(tile.source._legs)

    assert tile.source.stop(8.0)
    assert streams == 1


def test_a_hidden_camera_with_detection_decodes_every_picture_of_the_small_stream(tile):
    tile.source.set_view(None)
    tile.source.start()
    tile.wait_for_frames(30)

    assert {frame.frame.width for frame in tile.frames} == {320}
    assert sum(frame.is_key for frame in tile.frames) < len(tile.frames) / 3


def test_a_hidden_camera_without_detection_decodes_key_frames_only(tile):
    tile.source.set_view(None)
    tile.source.set_keyframes_only(True)
    tile.source.start()
    tile.wait_for_frames(4)

    assert all(frame.is_key for frame in tile.frames)
    assert {frame.frame.width for frame in tile.frames} == {320}
    assert tile.source.report().state is StreamState.LIVE


# -- streams of different shape ---------------------------------------------------------------------------------------


FACES = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.5), (0.0, 0.5))
DRAWINGS = [{"privacy": (FACES,)}, {"is_drawn_on": True}]


@pytest.fixture
def cropping(start_camera: Callable[..., RtspCamera], tmp_path):  # noqa: F811
    """A wide main stream, and a 4:3 cut out of it as the small one."""
    main = start_camera(make_clip(tmp_path / "wide.mp4", width=640, height=384))
    sub = start_camera(make_clip(tmp_path / "crop.mp4", width=256, height=192))
    return main, sub


@pytest.mark.parametrize("drawing", DRAWINGS, ids=["privacy mask", "zones"])
def test_a_small_stream_of_another_shape_is_never_shown_where_something_is_drawn(cropping, drawing):
    main, sub = cropping
    tile = Tile(main, sub, **drawing)
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    wait_until(lambda: "another part of the picture" in tile.source.report().reason, what="the sentence")
    wait_until(lambda: sub.n_clients == 0, what="the small stream to be hung up")
    tile.wait_for_frames(20)
    live = tile.source.report()
    main.refuse()
    main.drop_clients()
    wait_until(lambda: tile.source.report().state is StreamState.LOST, what="the loss")
    lost = tile.source.report()
    n_calls = sub.n_sessions

    assert tile.source.stop(timeout_s=8.0)
    assert {frame.frame.width for frame in tile.frames} == {640}
    assert {frame.epoch for frame in tile.frames} == {1}
    assert (live.state, live.is_sub) == (StreamState.LIVE, False)
    assert "(256x192) than the large one (640x384)" in live.reason
    assert "same shape" in live.hint
    assert "refuses the connection" in lost.reason
    assert "only the large one is used" in lost.reason
    assert n_calls == 1


@pytest.mark.parametrize("drawing", DRAWINGS, ids=["privacy mask", "zones"])
def test_a_small_stream_of_the_same_shape_is_used_once_the_large_one_was_seen(cameras, drawing):
    tile = Tile(*cameras, **drawing)
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_width(320)
    wait_until(lambda: cameras[0].n_clients == 0, what="the large stream to be hung up")
    reason = tile.source.report().reason

    assert tile.source.stop(timeout_s=8.0)
    assert [width for width, _ in itertools.groupby(frame.frame.width for frame in tile.frames)] == [640, 320]
    assert {frame.epoch for frame in tile.frames} == {1}
    assert reason == ""


def test_where_nothing_is_drawn_another_shape_is_said_and_what_moves_is_followed_anew(cropping):
    tile = Tile(*cropping)
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_width(256)
    tile.source.set_view(LARGE_TILE)
    tile.wait_for_width(640)
    reason = tile.source.report().reason

    assert tile.source.stop(timeout_s=8.0)
    assert "once something is drawn, only the large one is used" in reason
    assert [epoch for epoch, _ in itertools.groupby(frame.epoch for frame in tile.frames)] == [1, 2]


def test_under_a_privacy_mask_the_small_stream_does_not_stand_in_before_the_large_one_was_seen(cameras):
    main, sub = cameras
    main.refuse()
    tile = Tile(main, sub, privacy=(FACES,))
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    wait_until(lambda: "not shown in its place" in tile.source.report().reason, what="the sentence")
    n_calls, n_before = sub.n_sessions, len(tile.frames)
    main.accept()
    tile.wait_for_width(640)
    tile.wait_for_width(320)

    assert tile.source.stop(timeout_s=8.0)
    assert n_calls == n_before == 0


def test_a_large_stream_of_another_shape_than_before_is_black_and_nobody_blames_the_small_one(cameras, tmp_path):
    main, _ = cameras
    tile = Tile(*cameras, privacy=(FACES,))
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_width(320)
    main.switch_clip(make_clip(tmp_path / "reset.mp4", width=512, height=384))
    tile.source.set_view(LARGE_TILE)
    tile.wait_for_width(512)
    report = tile.source.report()

    assert tile.source.stop(timeout_s=8.0)
    cropped = [frame.frame for frame in tile.frames if frame.frame.width == 512]
    assert max(picture.to_ndarray(format="gray").max() for picture in cropped) < 20
    assert report.reason.startswith("The picture has another shape (512x384)")
    assert "small stream" not in report.reason


def test_stopping_in_the_middle_of_a_change_leaves_no_thread(cameras, tile):
    tile.source.set_view(SMALL_TILE)
    tile.source.start()
    tile.wait_for_frames(5)
    tile.source.set_view(LARGE_TILE)
    wait_until(lambda: cameras[0].n_clients > 0, what="the call of the large stream")

    assert tile.source.stop(timeout_s=8.0)
    n_frames = len(tile.frames)
    assert len(tile.frames) == n_frames
