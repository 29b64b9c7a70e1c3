"""One camera of a worker, without processes: what it asks of the detector, and what a fault costs it."""

import errno
import os
import time
from dataclasses import replace
from datetime import UTC, datetime

import av
import numpy as np
import pytest

from core.media.model import SourceSpec
from core.media.ring import FrameRing, RingReader
from core.media.stream import StreamFrame
from core.vision.looks import N_SLOTS, LookReader
from core.vision.messages import CameraJob, LookAt, Looked, OpenLooks
from core.vision.model import EngineInfo
from core.vision.slot import CameraSlot

WH = (96, 64)
ENGINE = EngineInfo(
    engine="openvino",
    device="CPU",
    precision="f32",
    model_name="toy",
    model_sha256="",
    is_demonstration=False,
    input_wh=WH,
    labels=("car",),
    reason="",
)


class Detector:
    """Writes down what it is asked."""

    def __init__(self):
        self.heard = []

    def send(self, message):
        self.heard.append(message)

    @property
    def looks(self):
        return [message for message in self.heard if isinstance(message, LookAt)]


class BrokenAnalyser:
    """Rules with a bug."""

    is_settled = True

    def hold(self, pts_s, captured_at):
        raise ZeroDivisionError

    def update(self, *args, **kwargs):
        raise ZeroDivisionError

    def take_minutes(self, now):
        raise ZeroDivisionError

    def take_last_minutes(self):
        raise ZeroDivisionError


class Camera:
    def __init__(self, folder):
        self.detector = Detector()
        self.now_s = time.monotonic()
        self.n = 0
        ring = folder / "a.ring"
        FrameRing.create(ring, camera_id="a", max_wh=WH).close()
        job = CameraJob(camera_id="a", source=SourceSpec(address="synthetic:a"), ring=ring, detect_fps=5.0)
        self.slot = CameraSlot(job, asks=self.detector, send=lambda message: None)
        self.slot.show_at(WH)
        self.reader = RingReader.open(ring)

    def see(self, seconds, *, level=None, wh=WH):
        """Deliver five pictures a second, each unlike the last one unless a level is named."""
        for _ in range(round(seconds * 5)):
            self.n += 1
            self.now_s += 0.2
            rgb = np.full((wh[1], wh[0], 3), level if level is not None else 40 + 20 * (self.n % 9), np.uint8)
            self.slot._on_frame(
                StreamFrame(
                    frame=av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p"),
                    pts_s=self.n * 0.2,
                    received_s=self.now_s,
                    captured_at=datetime.now(UTC),
                    epoch=1,
                    is_key=True,
                )
            )

    def answer(self):
        """Answer the last question: nothing is there."""
        sequence = self.detector.looks[-1].sequence
        self.slot.take(
            Looked(
                camera_id="a", sequence=sequence, boxes=(np.zeros((0, 6), np.float32).tobytes(),), seconds=0.01, share=1
            )
        )

    @property
    def reason(self):
        return self.slot.report(self.now_s).detection_reason


@pytest.fixture
def camera(tmp_path):
    camera = Camera(tmp_path)
    yield camera
    camera.slot.close()
    camera.reader.close()


def test_a_detector_that_does_not_answer_is_not_written_to_without_end_and_the_tile_says_so(camera):
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=2.0)
    early = camera.reason
    camera.see(seconds=18.0)

    # Three pictures fit into the shared memory; who asks more only fills the detector's socket until cameras block.
    assert len(camera.detector.looks) <= 20 / 2 * N_SLOTS + N_SLOTS
    assert early == ""
    assert "does not answer" in camera.reason

    camera.answer()

    assert camera.reason == ""


def test_a_model_with_other_classes_is_said_with_what_it_knows_and_pictures_go_on(camera):
    camera.slot.use_detector(replace(ENGINE, model_name="sea", labels=("boat", "buoy", "swan", "pier", "kite")))

    camera.see(seconds=1.0)
    report = camera.slot.report(camera.now_s)

    assert "the model sea knows boat, buoy, swan, pier and 1 more" in report.detection_reason
    assert "looks for car, bus, truck, motorcycle" in report.detection_reason
    assert "Choose another model" in report.detection_reason
    assert camera.reader.newest_frame(0) is not None


def test_a_model_that_knows_some_of_the_classes_is_no_news(camera):
    camera.slot.use_detector(replace(ENGINE, labels=("boat", "bus")))

    camera.see(seconds=0.4)

    assert camera.reason == ""


def test_a_detector_that_answers_gets_every_picture(camera):
    camera.slot.use_detector(ENGINE)

    for _ in range(50):
        camera.see(seconds=0.2)
        camera.answer()

    assert len(camera.detector.looks) == 50


@pytest.mark.parametrize("wh", [(64, 200), (16, 16), (98, 64), (3840, 160), (7680, 4320)])
def test_pictures_of_any_shape_reach_the_detector_in_the_shape_that_it_takes(camera, wh):
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=0.4, wh=wh)

    file = next(message.file for message in camera.detector.heard if isinstance(message, OpenLooks))
    assert LookReader(file).read(camera.detector.looks[-1].sequence).shape == (1, WH[1], WH[0], 3)
    camera.answer()
    assert camera.reason == ""


def test_full_memory_costs_detection_and_not_the_picture(camera, monkeypatch):
    camera.see(seconds=2.0)  # The ring has all its memory.
    camera.slot.use_detector(ENGINE)

    def is_full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", is_full)
        camera.see(seconds=1.0)

        assert camera.detector.looks == []
        assert "/dev/shm" in camera.reason
        assert camera.reader.newest_frame(0).pts_s == pytest.approx(camera.n * 0.2)

    camera.see(seconds=1.0)

    assert camera.detector.looks
    assert camera.reason == ""


def test_a_bug_in_a_rule_stops_neither_the_picture_nor_the_looks(camera):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=0.2)
    camera.answer()

    # Nothing moves, so that the rules are told to hold.
    for _ in range(40):
        camera.slot.analyser = BrokenAnalyser()
        camera.see(seconds=0.2, level=80)
        camera.slot.tell_minutes(datetime.now(UTC))
        camera.answer()

    assert camera.reader.newest_frame(0).pts_s == pytest.approx(camera.n * 0.2)
    assert "broke" in camera.reason
    n_looks = len(camera.detector.looks)
    camera.see(seconds=0.4)
    assert len(camera.detector.looks) > n_looks


def test_the_next_detector_gets_a_file_of_its_own_and_nothing_is_left_of_the_last(camera, tmp_path):
    for _ in range(3):
        camera.slot.use_detector(ENGINE)
        camera.see(seconds=0.4)

    opened = [message.file for message in camera.detector.heard if isinstance(message, OpenLooks)]

    assert len(set(opened)) == 3
    assert list(tmp_path.glob("*.looks")) == [opened[-1]]
