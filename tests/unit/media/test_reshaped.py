"""A camera whose main stream changes its shape: privacy masks lie elsewhere on it, and nobody knows where."""

import logging

import av
import numpy as np
import pytest

from core.media import camera_source
from core.media.camera_source import CameraSource
from core.media.convert import to_jpeg
from core.media.model import SourceSpec, StreamState
from tests.fixtures.processes import wait_until
from tests.unit.media.test_pushed import put

WIDE, CROP, ALMOST_WIDE, SMALL = (640, 360), (480, 360), (640, 368), (320, 180)
DOOR = ((0.8, 0.4), (1.0, 0.4), (1.0, 0.6), (0.8, 0.6))
WINDOW = ((0.0, 0.4), (0.2, 0.4), (0.2, 0.6), (0.0, 0.6))


class Camera:
    """Posts bright pictures of any size, and keeps what of them is handed on."""

    def __init__(self, folder, **options):
        self.file = folder / "main.jpg"
        self.n_posted = 0
        self.frames = []
        self.source = CameraSource(
            "cam-1",
            SourceSpec(address=f"edge:{self.file}"),
            on_frame=self.frames.append,
            on_state=lambda *_: None,
            **options,
        )
        self.post(WIDE)
        self.source.start()

    def post(self, wh):
        self.n_posted += 1
        picture = np.full((wh[1], wh[0], 3), 180 + self.n_posted, np.uint8)
        put(self.file, to_jpeg(av.VideoFrame.from_ndarray(picture, format="rgb24"), max_wh=wh, quality=90))

    def shows(self, wh):
        """Post a picture; return which share of what is handed on of it is black."""
        n_before = len(self.frames)
        self.post(wh)
        wait_until(lambda: any(_wh(one) == wh for one in self.frames[n_before:]), what=f"a picture of {wh}")
        picture = next(one for one in self.frames[n_before:] if _wh(one) == wh)
        return float((picture.frame.to_ndarray(format="gray") < 20).mean())


def _wh(frame):
    return (frame.frame.width, frame.frame.height)


@pytest.fixture
def make_camera(tmp_path):
    cameras = []

    def make(**options):
        cameras.append(Camera(tmp_path, **options))
        return cameras[-1]

    yield make
    for camera in cameras:
        assert camera.source.stop(4.0)


def test_a_main_stream_of_another_shape_is_black_from_its_first_picture_on_and_says_why(make_camera):
    camera = make_camera(privacy=(WINDOW,))
    before = camera.shows(WIDE)
    after = camera.shows(CROP)
    report = camera.source.report()

    assert 0 < before < 0.1
    assert after == 1.0
    assert report.state is StreamState.LIVE
    assert "another shape (480x360) than the one that its privacy masks were drawn on (640x360)" in report.reason
    assert "view is right" in report.hint


def test_it_stays_black_while_its_head_comes_home_and_until_somebody_says_that_the_view_is_right(make_camera):
    camera = make_camera(privacy=(WINDOW,))
    camera.shows(WIDE)
    camera.shows(CROP)
    camera.source.hide_all()
    camera.source.hide_parts()
    at_home = camera.shows(CROP)
    camera.source.accept_shape()
    accepted = camera.shows(CROP)
    reason = camera.source.report().reason
    as_before = camera.shows(WIDE)

    assert at_home == 1.0
    assert 0 < accepted < 0.1
    assert reason == ""
    assert as_before == 1.0


def test_set_back_to_the_shape_that_its_masks_were_drawn_on_it_is_shown_again(make_camera):
    camera = make_camera(privacy=(WINDOW,))
    camera.shows(WIDE)
    camera.shows(CROP)

    assert camera.shows(WIDE) < 0.1
    assert "black" not in camera.source.report().reason


@pytest.mark.parametrize(("second", "share"), [(CROP, 1.0), (WIDE, 0.0), (None, 0.0)])
def test_the_next_reader_knows_what_each_mask_was_drawn_on_and_one_that_does_not_fit_hides_all(
    make_camera, second, share
):
    camera = make_camera(privacy=(WINDOW, DOOR), masked_whs=(WIDE, second))

    assert camera.shows(WIDE) == pytest.approx(share, abs=0.2)
    assert camera.source.masked_whs == (WIDE, second or WIDE)


def test_sizes_that_encoders_round_are_the_same_shape(make_camera):
    camera = make_camera(privacy=(WINDOW,))
    camera.shows(WIDE)

    assert camera.shows(ALMOST_WIDE) < 0.1


def test_without_masks_another_shape_is_shown_and_said_for_as_long_as_the_scene_does_not_fit(make_camera, caplog):
    camera = make_camera(is_drawn_on=True)
    camera.shows(WIDE)
    with caplog.at_level(logging.WARNING):
        share = camera.shows(CROP)
        reshaped = camera.source.report()
        camera.shows(WIDE)
        camera.shows(CROP)
    said = [record.getMessage() for record in caplog.records]
    camera.source.accept_shape()
    accepted = camera.source.report()
    back = camera.shows(WIDE), camera.source.report()

    assert share == back[0] == 0.0
    assert "another shape (480x360) than the one that this camera's scene was drawn on (640x360)" in reshaped.reason
    assert "draw its scene anew" in reshaped.hint
    assert "drawn on" not in accepted.reason
    assert "another shape (640x360)" in back[1].reason
    assert said == ["camera cam-1: its picture was 640x360 and is 480x360 now"]


@pytest.mark.parametrize(
    ("is_drawn_on", "wh", "hint"),
    [(True, SMALL, "what is drawn lies where it lay"), (False, SMALL, "nothing is drawn"), (False, CROP, "nothing is")],
)
def test_another_size_that_moves_nothing_is_said_for_a_minute(make_camera, monkeypatch, is_drawn_on, wh, hint):
    camera = make_camera(is_drawn_on=is_drawn_on)
    camera.shows(WIDE)
    before = camera.source.report()
    camera.shows(wh)
    report = camera.source.report()
    monkeypatch.setattr(camera_source, "RESIZED_SHOWN_S", 0.0)

    assert before.reason == camera.source.report().reason == ""
    assert report.reason == "The pictures of this camera were 640x360 until lately and are {}x{}.".format(*wh)
    assert hint in report.hint


def test_the_next_reader_of_the_same_scene_knows_what_it_was_drawn_on(make_camera):
    camera = make_camera(is_drawn_on=True, drawn_wh=CROP)
    camera.shows(WIDE)

    assert "drawn on (480x360)" in camera.source.report().reason
