"""One camera of a worker, without processes: what it asks of the detector, and what a fault costs it."""

import errno
import io
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe

import av
import numpy as np
import pytest

from core.kernel.errors import UnavailableError
from core.media.convert import to_jpeg
from core.media.model import SourceSpec
from core.media.ring import FrameRing, RingReader
from core.media.stream import StreamFrame
from core.vision import slot
from core.vision.analyse import CameraAnalyser
from core.vision.detector import _Client
from core.vision.inference import InferenceLoop
from core.vision.light import Light
from core.vision.look_back import AFTER_S
from core.vision.looks import N_SLOTS, LookReader
from core.vision.messages import (
    BaysPictured,
    CameraJob,
    ClipKept,
    LookAt,
    Looked,
    Measured,
    Observed,
    OpenLooks,
    RulesReset,
    ViewLearned,
)
from core.vision.model import (
    DEFAULT_LABELS,
    UNREADABLE,
    CountLine,
    Lane,
    Mask,
    ObservationKind,
    RuleSetting,
    Scene,
    Zone,
)
from core.vision.slot import CameraSlot
from core.vision.view import LIT, print_of_part, prints_of_view
from tests.fixtures.processes import wait_until
from tests.unit.media.test_pushed import put
from tests.unit.vision.pictures import scaled, street
from tests.unit.vision.toy_model import toy_engine

WH = (96, 64)
BEGAN_AT = datetime.now(UTC)
ENGINE = replace(toy_engine(WH), labels=DEFAULT_LABELS)
CAR = (30.0, 20.0, 60.0, 40.0, 0.9, 0.0)
SQUARE = ((0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4))
LINE = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))


def to_grey(jpeg):
    with av.open(io.BytesIO(jpeg)) as container:
        return next(container.decode(video=0)).to_ndarray(format="gray")


class Detector:
    """Writes down what it is asked."""

    def __init__(self):
        self.heard = []

    def send(self, message):
        self.heard.append(message)

    @property
    def looks(self):
        return [message for message in self.heard if isinstance(message, LookAt)]


class SlowEngine:
    """Sees one car in every picture, when it is told to."""

    n_batch = 16

    def __init__(self):
        self.began, self.may_end = threading.Semaphore(0), threading.Semaphore(0)

    def infer(self, pictures):
        self.began.release()
        self.may_end.acquire()
        return [np.array([CAR], np.float32)] * len(pictures)

    def close(self):
        pass


class SlowDetector(Detector):
    """The detector's own side of the line, over an engine that takes its time."""

    def __init__(self):
        super().__init__()
        self.engine = SlowEngine()
        self._ours, theirs = Pipe()
        self._loop = InferenceLoop(self.engine)
        client = _Client(theirs, self._loop, WH)
        self._threads = [threading.Thread(target=step) for step in (self._loop.run, client.listen, client.write)]
        for thread in self._threads:
            thread.start()

    def send(self, message):
        super().send(message)
        self._ours.send(message)

    def next_answer(self):
        assert self._ours.poll(10.0)
        return self._ours.recv()

    def stop(self):
        self._loop.stop()
        self.engine.may_end.release(100)
        self._ours.close()
        for thread in self._threads:
            thread.join(10.0)
            assert not thread.is_alive()


class BrokenAnalyser:
    """Rules with a bug."""

    is_settled = True
    blinded_by = None
    is_blind = is_moved = is_undersampled = is_rare = is_view_open = False

    def hold(self, pts_s, captured_at):
        raise ZeroDivisionError

    def update(self, *args, **kwargs):
        raise ZeroDivisionError

    def take_minutes(self, now):
        raise ZeroDivisionError

    def take_last_minutes(self):
        raise ZeroDivisionError

    def take_view(self, told_at):
        raise ZeroDivisionError


class Camera:
    def __init__(self, folder, scene=None, detect_fps=5.0, detector=None, ring_wh=WH):
        self.detector = detector or Detector()
        self.now_s = time.monotonic()
        self.n = 0
        self.epoch, self.n_rewinds, self.waited_s = 1, 0, 0.0
        ring = folder / "a.ring"
        FrameRing.create(ring, camera_id="a", max_wh=ring_wh).close()
        source = SourceSpec(address="synthetic:a")
        self.job = CameraJob(camera_id="a", source=source, ring=ring, detect_fps=detect_fps, scene=scene or Scene())
        self.sent = []
        self.slot = CameraSlot(self.job, asks=self.detector, send=self.sent.append)
        self.slot.show_at(WH)
        self.reader = RingReader.open(ring)

    def see(self, seconds, *, level=None, wh=WH):
        """Deliver five pictures a second, each unlike the last one unless a level is named."""
        for _ in range(round(seconds * 5)):
            self.n += 1
            self.now_s += 0.2
            rgb = np.full((wh[1], wh[0], 3), level if level is not None else 40 + 20 * (self.n % 9), np.uint8)
            self._deliver(rgb)

    def show(self, rgb):
        """Deliver this picture."""
        self.n += 1
        self.now_s += 0.2
        self._deliver(rgb)

    def _deliver(self, rgb):
        self.slot._on_frame(
            StreamFrame(
                frame=av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p"),
                pts_s=self.n * 0.2,
                received_s=self.now_s,
                captured_at=BEGAN_AT + timedelta(seconds=self.n * 0.2),
                epoch=self.epoch,
                is_key=True,
                n_rewinds=self.n_rewinds,
                waited_s=self.waited_s,
            )
        )

    def answer(self, *boxes):
        """Answer the last question: this is there, or nothing."""
        sequence = self.detector.looks[-1].sequence
        rows = np.array(boxes, np.float32).reshape(-1, 6)
        self.slot.take(Looked(camera_id="a", sequence=sequence, boxes=(rows.tobytes(),), seconds=0.01, share=1))

    def answer_of(self, look, *, boxes, share=1.0):
        """Answer one question: these boxes, or None where nobody looked."""
        found = None if boxes is None else (np.array(boxes, np.float32).reshape(-1, 6).tobytes(),)
        self.slot.take(Looked(camera_id="a", sequence=look.sequence, boxes=found, seconds=0.01, share=share))

    def change_to(self, job):
        """Give the camera another job, as its worker does."""
        kept = self.slot.leave_look_back(job)
        self.slot.close()
        self.slot = CameraSlot(job, asks=self.detector, send=self.sent.append, look_back=kept)

    @property
    def clips(self):
        """Clips that were sent, each with how many pictures it has."""
        return [(message.clip_id, len(message.pictures)) for message in self.sent if isinstance(message, ClipKept)]

    @property
    def reason(self):
        return self.slot.report(self.now_s).detection_reason

    @property
    def n_detections(self):
        return self.slot.report(self.now_s).n_detections


@pytest.fixture
def camera(tmp_path):
    camera = Camera(tmp_path)
    yield camera
    camera.slot.close()
    camera.reader.close()


def test_a_detector_that_does_not_answer_is_not_written_to_without_end_and_the_tile_says_so(tmp_path):
    camera = Camera(tmp_path, Scene(rules=(RuleSetting(kind="camera_blinded", is_enabled=False),)))
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
    camera.slot.close()
    camera.reader.close()


def test_a_model_with_other_classes_is_said_with_what_it_knows_and_pictures_go_on(camera):
    camera.slot.use_detector(replace(ENGINE, model_name="sea", labels=("boat", "buoy", "swan", "pier", "kite")))

    camera.see(seconds=1.0)
    report = camera.slot.report(camera.now_s)

    assert "the model sea knows boat, buoy, swan, pier and 1 more" in report.detection_reason
    assert "looks for car, bus, truck, motorcycle" in report.detection_reason
    assert "vision.model" in report.detection_reason
    assert camera.reader.newest_frame(0) is not None


@pytest.mark.parametrize(
    ("scene", "detect_fps", "is_said"),
    [(Scene(lines=(LINE,)), 1.0, True), (Scene(lines=(LINE,)), 5.0, False), (Scene(), 1.0, False)],
)
def test_a_camera_that_is_asked_for_too_few_looks_says_that_its_counts_are_not_complete(
    tmp_path, scene, detect_fps, is_said
):
    camera = Camera(tmp_path, scene, detect_fps)
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=1.0)
    camera.answer()

    assert ("its minutes are not complete" in camera.reason) is is_said
    camera.slot.close()
    camera.reader.close()


def test_a_model_that_knows_some_of_the_classes_says_of_which_nothing_is_found(camera):
    camera.slot.use_detector(replace(ENGINE, model_name="sea", labels=("boat", "bus", "car")))

    camera.see(seconds=0.4)

    assert camera.reason.startswith("The model sea does not know truck, motorcycle: never found here.")


def test_a_rule_that_the_model_cannot_tell_of_what_it_watches_is_named(tmp_path):
    lane = Lane(key="lane", name="Lane", polygon=SQUARE, start=(0.2, 0.4), end=(0.2, 0.1))
    camera = Camera(tmp_path, Scene(lanes=(lane,)))
    camera.slot.use_detector(replace(ENGINE, model_name="road", labels=DEFAULT_LABELS))
    camera.see(seconds=0.4)
    said = camera.reason
    camera.slot.use_detector(replace(ENGINE, labels=(*DEFAULT_LABELS, "person", "bicycle")))

    assert said.endswith("cannot work here: the model road does not know person, bicycle.")
    assert camera.reason == ""
    camera.slot.close()
    camera.reader.close()


FAR = Zone(key="far", name="Far", polygon=SQUARE, detail=True)


@pytest.mark.parametrize(
    ("wh", "network_wh", "scene", "said"),
    [
        ((360, 640), (96, 64), Scene(lines=(LINE,)), "upright (360x640)"),
        ((360, 640), (96, 64), Scene(lines=(LINE,)), "everything is 67 % as large"),
        ((640, 360), (96, 64), Scene(lines=(LINE,)), ""),
        ((360, 640), (96, 96), Scene(lines=(LINE,)), ""),
        ((360, 640), (96, 64), Scene(zones=(FAR,)), ""),
        ((360, 640), (96, 64), Scene(), ""),
    ],
)
def test_an_upright_picture_that_the_detector_sees_small_is_said_where_it_matters(
    tmp_path, wh, network_wh, scene, said
):
    camera = Camera(tmp_path, scene)
    camera.slot.use_detector(replace(ENGINE, input_wh=network_wh))
    camera.see(seconds=1.0, wh=wh)
    camera.answer()
    reason = camera.reason
    camera.slot.close()
    camera.reader.close()

    assert said in reason
    assert bool(said) is bool(reason)


def test_a_rule_that_only_takes_riders_for_people_on_foot_is_not_said_to_rest(tmp_path):
    lane = Lane(key="lane", name="Lane", polygon=SQUARE, start=(0.2, 0.4), end=(0.2, 0.1))
    camera = Camera(tmp_path, Scene(lanes=(lane,)))
    camera.slot.use_detector(replace(ENGINE, model_name="road", labels=(*DEFAULT_LABELS, "person")))

    camera.see(seconds=0.4)

    assert camera.reason.endswith("works only in part here: the model road does not know bicycle.")
    camera.slot.close()
    camera.reader.close()


@pytest.mark.parametrize(("is_demonstration", "n_resets"), [(True, 1), (False, 0)])
def test_what_the_demonstration_model_saw_begins_nothing_of_the_model_that_takes_its_place(
    camera, is_demonstration, n_resets
):
    camera.slot.use_detector(replace(ENGINE, is_demonstration=is_demonstration))
    camera.see(seconds=0.2)
    camera.answer(CAR)

    camera.slot.lose_detector()
    camera.slot.use_detector(ENGINE)

    assert sum(isinstance(message, RulesReset) for message in camera.sent) == n_resets


def test_a_detector_that_answers_gets_every_picture(camera):
    camera.slot.use_detector(ENGINE)

    for _ in range(50):
        camera.see(seconds=0.2)
        camera.answer()

    assert len(camera.detector.looks) == 50


def test_what_a_slow_engine_saw_is_taken_though_newer_pictures_overtook_each_other_meanwhile(tmp_path):
    detector = SlowDetector()
    camera = Camera(tmp_path, detector=detector)
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=0.2)
    assert detector.engine.began.acquire(timeout=10.0)  # The first picture is being looked at.
    camera.see(seconds=0.4)  # The third takes the second's place.
    overtaken = detector.next_answer()
    camera.slot.take(overtaken)
    detector.engine.may_end.release()
    seen = detector.next_answer()
    camera.slot.take(seen)

    assert [look.sequence for look in detector.looks[:2]] == [seen.sequence, overtaken.sequence]
    assert overtaken.boxes is None
    assert camera.n_detections == 1
    camera.slot.close()
    camera.reader.close()
    detector.stop()


@pytest.mark.parametrize(
    ("answers_within_s", "said"), [(2.6, "vehicles may pass unseen"), (5.0, "nobody is followed or counted")]
)
def test_boxes_of_an_engine_that_takes_seconds_count_at_the_time_of_their_picture(tmp_path, answers_within_s, said):
    camera = Camera(tmp_path, Scene(lines=(LINE,), rules=(RuleSetting(kind="camera_blinded", is_enabled=False),)))
    camera.slot.use_detector(ENGINE)
    reasons, asked_at_s = [], []
    for _ in range(8):
        camera.now_s = time.monotonic() - answers_within_s
        camera.see(seconds=0.2)
        look = camera.detector.looks[-1]
        asked_at_s.append(camera.n * 0.2)
        for _ in range(round(answers_within_s * 5) - 1):
            camera.see(seconds=0.2)
            newest = camera.detector.looks[-1]
            if newest is not look:
                camera.answer_of(newest, boxes=None)  # A newer one took its place.
            reasons.append(camera.reason)
        camera.answer_of(look, boxes=[CAR])
        reasons.append(camera.reason)

    assert camera.n_detections == 8
    assert {one.pts_s for one in camera.reader.tracks_after(0) if one.tracks} <= set(asked_at_s)
    assert said in reasons[-1]
    assert reasons[-1].startswith("The detector takes ")
    assert slot.SILENT_DETECTOR not in reasons[len(reasons) // 2 :]
    camera.slot.close()
    camera.reader.close()


def test_what_had_to_wait_for_this_machine_is_asked_about_as_soon_as_it_is_read(camera):
    camera.slot.use_detector(ENGINE)
    camera.waited_s = 1.5
    camera.now_s = time.monotonic() - camera.waited_s

    camera.see(seconds=0.2)

    look = camera.detector.looks[-1]
    assert look.received_s == pytest.approx(camera.now_s + 1.5)
    camera.answer_of(look, boxes=[CAR])
    assert camera.n_detections == 1
    assert camera.reader.newest_frame(0).received_s == pytest.approx(camera.now_s)
    assert "detector" not in camera.slot.report(time.monotonic()).detection_reason


def test_an_answer_that_a_newer_one_overtook_is_not_taken_so_time_never_goes_back(camera):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=0.6)
    first, second, third = camera.detector.looks

    camera.answer_of(second, boxes=[CAR])
    camera.answer_of(first, boxes=[CAR, CAR])
    n_early = camera.n_detections
    camera.answer_of(third, boxes=[CAR])

    assert n_early == 1
    assert camera.n_detections == 2


def test_of_pictures_that_nobody_looked_at_no_more_are_kept_than_the_detector_can_have(camera):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=0.2)  # This one is looked at for ever.

    kept = []
    for _ in range(70):
        camera.see(seconds=0.2)
        camera.answer_of(camera.detector.looks[-1], boxes=None)
        kept.append(len(camera.slot._asked))

    assert max(kept) <= N_SLOTS
    assert kept[-1] == 0  # What takes longer than twelve seconds does not come.


def test_a_detector_that_looks_at_nothing_is_said_though_it_answers(camera):
    camera.slot.use_detector(ENGINE)

    said = []
    for _ in range(25):
        camera.see(seconds=0.2)
        camera.answer_of(camera.detector.looks[-1], boxes=None)
        said.append(camera.reason)
    camera.see(seconds=0.2)
    camera.answer()

    assert said[10] == ""
    assert "Nothing is detected now" in said[-1]
    assert camera.reason == ""


def test_an_overloaded_detector_that_comes_to_every_camera_in_turn_is_not_said_to_be_silent(camera):
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=0.2)
    camera.answer_of(camera.detector.looks[-1], boxes=[CAR], share=0.05)

    said = set()
    for _ in range(25):
        camera.see(seconds=0.2)
        camera.answer_of(camera.detector.looks[-1], boxes=None, share=0.05)
        said.add(camera.reason)

    assert said == {"This machine cannot look as often as asked: every camera gets 5 % of its rate."}


@pytest.mark.parametrize("wh", [(64, 200), (16, 16), (98, 64), (3840, 160), (7680, 4320)])
def test_pictures_of_any_shape_reach_the_detector_in_the_shape_that_it_takes(camera, wh):
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=0.4, wh=wh)

    file = next(message.file for message in camera.detector.heard if isinstance(message, OpenLooks))
    assert LookReader(file).read(camera.detector.looks[-1].sequence).shape == (1, WH[1], WH[0], 3)
    camera.answer()
    assert camera.reason == ""


@pytest.mark.parametrize("view_wh", [(4096, 4096), (2560, 1338), (97, 65)])
def test_a_tile_larger_than_a_ring_holds_shows_the_largest_that_fits_and_detection_goes_on(camera, view_wh):
    camera.slot.use_detector(ENGINE)
    camera.slot.show_at(view_wh)

    camera.see(seconds=0.4, wh=(384, 256))
    camera.answer(CAR)

    shown = camera.reader.newest_frame(0)
    assert (shown.width, shown.height, shown.pts_s) == (*WH, pytest.approx(0.4))
    assert camera.n_detections == 1


def test_where_memory_has_no_room_for_a_large_tile_it_shows_a_usual_one(tmp_path, monkeypatch):
    camera = Camera(tmp_path, ring_wh=(3840, 2160))
    reserve = os.posix_fallocate

    def has_little(descriptor, at, n_bytes):
        if n_bytes > 1920 * 1080 * 4 + 64:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(descriptor, at, n_bytes)

    monkeypatch.setattr(os, "posix_fallocate", has_little)
    camera.slot.show_at((3840, 2160))

    camera.see(seconds=0.4, wh=(3840, 2160))

    shown = camera.reader.newest_frame(0)
    assert (shown.width, shown.height, shown.pts_s) == (1920, 1080, pytest.approx(0.4))
    camera.slot.close()
    camera.reader.close()


def test_full_memory_for_the_picture_costs_neither_detection_nor_what_is_kept(camera, monkeypatch):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=0.2)
    camera.answer()
    reserve = os.posix_fallocate

    def has_none_for_tiles(descriptor, at, n_bytes):
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("a.ring"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(descriptor, at, n_bytes)

    monkeypatch.setattr(os, "posix_fallocate", has_none_for_tiles)
    with pytest.raises(UnavailableError, match="No memory is left for the pictures"):
        camera.see(seconds=0.2)

    assert len(camera.detector.looks) == 2


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


def test_a_camera_that_is_covered_while_memory_has_no_room_for_its_looks_says_so(tmp_path, monkeypatch):
    camera = Camera(tmp_path)
    camera.see(seconds=2.0)  # The ring has all its memory.
    camera.slot.use_detector(ENGINE)

    def full(fd, offset, length):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        camera.see(seconds=60.0, level=5)
        said = camera.reason

    assert said.startswith("Nothing can be seen")
    camera.slot.close()
    camera.reader.close()


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


def test_a_camera_that_is_turned_away_is_shown_and_not_looked_at_and_its_tile_says_so(camera):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=1.0)
    camera.answer()
    n_asked = len(camera.detector.looks)

    camera.slot.leave_home()
    shown = camera.reader.newest_frame(0).sequence
    camera.see(seconds=5.0)
    away = camera.slot.report(camera.now_s)
    n_away = len(camera.detector.looks)
    camera.slot.come_home()
    camera.see(seconds=1.0)
    camera.answer()

    assert n_away == n_asked
    assert camera.reader.newest_frame(0).sequence > shown
    assert away.is_blind
    assert not away.is_quiet
    assert "Away from home" in away.detection_reason
    assert len(camera.detector.looks) > n_away
    assert "Away" not in camera.reason


@pytest.mark.parametrize("how", ["it is gone", "it does not answer"])
def test_a_quiet_camera_is_not_watched_any_more_without_its_detector(camera, how):
    camera.slot.use_detector(ENGINE)
    for _ in range(60):
        camera.see(seconds=0.2, level=90)
        if camera.slot._asked:
            camera.answer()
    assert camera.slot.report(camera.now_s).is_quiet

    if how == "it is gone":
        camera.slot.lose_detector()
        camera.see(seconds=0.2)
    else:
        camera.see(seconds=20.0, level=90)

    assert not camera.slot.report(camera.now_s).is_quiet


def test_of_a_scene_that_cannot_be_read_nothing_is_shown_and_the_tile_says_so(tmp_path):
    camera = Camera(tmp_path, UNREADABLE)
    camera.slot.use_detector(ENGINE)

    camera.see(seconds=0.4)

    assert "cannot be read" in camera.reason
    assert camera.job.scene.private_parts == (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),)


@pytest.mark.parametrize("detect_fps", [5.0, 0.0])
def test_a_camera_that_is_black_because_its_scene_cannot_be_read_is_not_said_to_be_covered_or_frozen(
    tmp_path, detect_fps
):
    camera = Watched(tmp_path, UNREADABLE, detect_fps=detect_fps)
    camera.slot.use_detector(ENGINE)

    camera.look_at(np.zeros_like(STREET), 80.0, noise=0.0, has_traffic=False)
    report = camera.slot.report(camera.now_s)
    camera.slot.close()
    camera.reader.close()

    assert not [one for one in camera.sent if isinstance(one, Observed)]
    assert report.detection_reason == slot.UNREADABLE_BLACK
    # What was seen before holds until the scene can be read again.
    assert report.is_blind
    assert not report.is_camera_watched


def test_an_answer_to_a_picture_from_before_the_head_turned_comes_too_late(camera):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=1.0)

    camera.slot.leave_home()
    camera.answer()

    assert camera.slot.analyser is None


def test_where_parts_are_private_the_tile_says_why_all_is_black(tmp_path):
    window = Mask(key="window", name="Window", polygon=((0.0, 0.0), (0.2, 0.0), (0.2, 0.2)))
    camera = Camera(tmp_path, Scene(masks=(window,)))

    camera.slot.leave_home()

    assert "all is black" in camera.reason
    camera.slot.close()
    camera.reader.close()


VIEW_WH = (320, 192)
WINDOW = Mask(key="window", name="Window", polygon=((0.0, 0.0), (0.2, 0.0), (0.2, 0.2)))
STREET = scaled(street().astype(np.uint8), VIEW_WH)
PUSHED = np.roll(STREET, 60, axis=1)


class Watched(Camera):
    """A camera of a street whose detector answers every question."""

    def look_at(self, picture, seconds, *, noise=2.0, has_traffic=True):
        random = np.random.default_rng(self.n)
        for _ in range(round(seconds * 5)):
            n_asked = len(self.detector.looks)
            noisy = np.clip(picture + random.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)
            left = 16 * self.n % 290
            if has_traffic:
                noisy[150:180, left : left + 30] = 20  # Who drives keeps the detector looking.
            self.show(noisy)
            if len(self.detector.looks) > n_asked:
                self.answer()
        self.slot.tell_view(datetime.now(UTC))

    def begin_anew(self, view):
        """As with the next worker, which was handed this view."""
        self.slot.close()
        self.slot = CameraSlot(self.job, asks=self.detector, send=self.sent.append, view=view)
        self.slot.show_at(WH)
        self.slot.use_detector(ENGINE)

    @property
    def brightness(self):
        return int(np.frombuffer(self.reader.newest_frame(0).data, np.uint8).reshape(-1, 4)[:, :3].max())

    @property
    def moves(self):
        return [one for one in self.sent if isinstance(one, Observed) and one.observation.kind == "camera_moved"]

    @property
    def views(self):
        return [one.view for one in self.sent if isinstance(one, ViewLearned)]


@pytest.fixture
def watched(tmp_path):
    camera = Watched(tmp_path, Scene(masks=(WINDOW,)))
    camera.slot.use_detector(ENGINE)
    yield camera
    camera.slot.close()
    camera.reader.close()


def test_where_parts_are_private_nobody_sees_what_a_camera_shows_that_was_pushed(watched):
    watched.look_at(STREET, 15.0)
    watched.slot.show_bays_every(1.0)
    watched.slot.look_back.begin("clip", watched.now_s)
    bright = watched.brightness
    watched.look_at(PUSHED, 20.0)
    report = watched.slot.report(watched.now_s)
    n_bays = sum(isinstance(one, BaysPictured) for one in watched.sent)
    watched.look_at(PUSHED, 3.0)
    (begin,) = watched.moves
    watched.slot.tell_clips(watched.now_s + 60)
    (clip,) = [one for one in watched.sent if isinstance(one, ClipKept)]

    assert bright > 100
    assert watched.brightness < 12
    assert (report.is_moved, report.is_hidden, report.is_blind) == (True, True, True)
    assert "all is black" in report.detection_reason
    assert "moved" in report.detection_reason
    assert begin.snapshot_jpeg == b""
    assert sum(isinstance(one, BaysPictured) for one in watched.sent) == n_bays
    # Of the pictures since it was pushed none is in the clip, apart from black ones.
    since_push = [jpeg for at_s, jpeg in clip.pictures if at_s > begin.observation.captured_at.timestamp() - 8.0]
    assert all(to_grey(jpeg).max() < 12 for jpeg in since_push)

    watched.look_at(STREET, 12.0)

    assert [one.observation.phase for one in watched.moves] == ["begin", "end"]
    assert watched.brightness > 100
    assert watched.reason == ""


@pytest.mark.parametrize("step", ["start_from", "go_on_watching"])
def test_a_camera_that_was_pushed_is_hidden_also_while_new_rules_hear_of_it(watched, monkeypatch, step):
    watched.look_at(STREET, 15.0)
    watched.look_at(PUSHED, 15.0)
    hidden, teach = [], getattr(CameraAnalyser, step)

    def teach_and_look(*args):
        hidden.append(watched.slot.report(watched.now_s).is_hidden)
        teach(*args)
        hidden.append(watched.slot.report(watched.now_s).is_hidden)

    monkeypatch.setattr(CameraAnalyser, step, teach_and_look)
    if step == "start_from":
        watched.begin_anew(watched.views[-1])
        watched.look_at(PUSHED, 1.0)
    else:
        watched.look_at(scaled(PUSHED, (240, 320)), 1.0)

    assert hidden == [True, True]


@pytest.mark.parametrize(("wh", "n_anew"), [((120, 160), 1), ((320, 240), 0)])
def test_rules_go_by_the_shape_that_the_picture_has_now(camera, wh, n_anew):
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=0.4, wh=(160, 120))
    camera.answer()
    before = camera.slot.analyser
    camera.see(seconds=0.4, wh=wh)
    camera.answer()
    after = camera.slot.analyser
    camera.see(seconds=0.4, wh=wh)
    camera.answer()

    assert sum(isinstance(message, RulesReset) for message in camera.sent) == n_anew
    assert (after is not before) is bool(n_anew)
    assert camera.slot.analyser is after
    assert after._tracker._aspect == pytest.approx(wh[0] / wh[1])


DOOR = Mask(key="door", name="Door", polygon=((0.6, 0.6), (0.8, 0.6), (0.8, 0.9), (0.6, 0.9)))
OTHER_DOOR = replace(DOOR, polygon=((0.1, 0.6), (0.3, 0.6), (0.3, 0.9), (0.1, 0.9)))
OTHER_WINDOW = replace(WINDOW, polygon=((0.4, 0.1), (0.6, 0.1), (0.6, 0.2)))


@pytest.mark.parametrize("masks", [(WINDOW,), (WINDOW, OTHER_DOOR)], ids=["removed", "redrawn"])
def test_a_camera_that_was_pushed_stays_black_until_the_last_of_its_masks_was_drawn_anew_or_it_is_put_right(
    tmp_path, masks
):
    camera = Watched(tmp_path, Scene(masks=(WINDOW, DOOR)))
    camera.slot.use_detector(ENGINE)

    def redraw(masks, view):
        camera.job = replace(camera.job, scene=Scene(masks=masks))
        camera.begin_anew(view)

    camera.look_at(STREET, 15.0)
    camera.look_at(PUSHED, 15.0)
    redraw(masks, camera.views[-1])
    camera.look_at(PUSHED, 20.0)
    after_one, said = camera.brightness, camera.reason
    still_moved = camera.views[-1]
    camera.look_at(STREET, 20.0)
    put_right = camera.brightness
    redraw((OTHER_WINDOW, *masks[1:]), still_moved)
    camera.look_at(PUSHED, 15.0)
    after_all = camera.brightness
    # Whoever knocks it now knocks it with all that was drawn since.
    camera.look_at(STREET, 15.0)
    camera.slot.close()
    camera.reader.close()

    assert after_one < 12 < 100 < min(put_right, after_all)
    assert said == slot.MOVED_BLACK
    assert camera.views[-1].drawn == prints_of_view(camera.job.scene)
    assert camera.views[-1].is_moved


@pytest.mark.parametrize("kept", [True, False], ids=["one stays", "none stays"])
def test_a_mask_that_was_drawn_anew_while_its_camera_stood_right_was_drawn_before_it_is_pushed(tmp_path, kept):
    camera = Watched(tmp_path, Scene(masks=(WINDOW, DOOR)))
    camera.slot.use_detector(ENGINE)
    camera.look_at(STREET, 15.0)
    camera.job = replace(camera.job, scene=Scene(masks=(WINDOW, OTHER_DOOR)))
    camera.begin_anew(camera.views[-1])
    camera.look_at(STREET, 15.0)
    bright, moves = camera.brightness, camera.moves
    camera.look_at(PUSHED, 15.0)

    camera.job = replace(camera.job, scene=Scene(masks=(OTHER_WINDOW, OTHER_DOOR if kept else DOOR)))
    camera.begin_anew(camera.views[-1])
    camera.look_at(PUSHED, 5.0)
    shown = camera.brightness
    camera.slot.close()
    camera.reader.close()

    assert bright > 100
    assert not moves
    assert (shown < 12) is kept


def test_what_a_large_mask_bared_is_learned_and_says_nothing_of_the_camera(tmp_path):
    half = replace(DOOR, polygon=((0.0, 0.3), (1.0, 0.3), (1.0, 1.0), (0.0, 1.0)))
    camera = Watched(tmp_path, Scene(masks=(WINDOW, half)))
    camera.slot.use_detector(ENGINE)
    camera.look_at(STREET, 15.0)
    camera.job = replace(camera.job, scene=Scene(masks=(WINDOW,)))
    camera.begin_anew(camera.views[-1])
    camera.look_at(STREET, 20.0)
    bright, moves = camera.brightness, camera.moves
    camera.look_at(PUSHED, 20.0)
    camera.slot.close()
    camera.reader.close()

    assert bright > 100
    assert not moves
    assert camera.moves


@pytest.mark.parametrize("lines", [(), (LINE,)])
def test_the_next_worker_hides_a_camera_that_was_pushed_from_its_first_picture_on_whatever_line_is_drawn(
    watched, lines
):
    watched.look_at(STREET, 15.0)
    watched.look_at(PUSHED, 15.0)
    (_, view) = watched.views

    watched.job = replace(watched.job, scene=replace(watched.job.scene, lines=lines))
    watched.begin_anew(view)
    watched.show(PUSHED)
    first = watched.brightness
    watched.look_at(PUSHED, 15.0)
    later = watched.brightness
    watched.look_at(STREET, 12.0)

    assert max(first, later) < 12
    assert [one.observation.phase for one in watched.moves] == ["begin", "begin", "end"]
    assert watched.brightness > 100


@pytest.mark.parametrize("doubt", ["is_moved", "is_open"])
def test_the_next_worker_hides_a_camera_whose_masks_lie_elsewhere_also_while_its_pictures_have_another_shape(
    watched, doubt
):
    watched.look_at(STREET, 15.0)
    shown = []

    watched.begin_anew(replace(watched.views[-1], **{doubt: True}))
    for _ in range(15):
        watched.look_at(scaled(STREET, (240, 320)), 1.0)
        shown.append(watched.brightness)
    report = watched.slot.report(watched.now_s)
    watched.look_at(STREET, 12.0)

    assert max(shown) < 12
    assert report.is_hidden
    assert watched.brightness > 100
    assert watched.views[-1].shapes[LIT] == VIEW_WH


def test_a_tile_says_when_nobody_can_judge_in_this_light_whether_its_camera_moved(watched):
    watched.look_at(STREET, 15.0)
    (view,) = watched.views
    (lit,) = view.lit
    other = Light.DAY if lit.light is not Light.DAY else Light.NIGHT

    watched.begin_anew(replace(view, lit=(replace(lit, light=other),)))
    watched.look_at(scaled(street(seed=9)[::-1, ::-1].astype(np.uint8), VIEW_WH), 75.0)

    assert "cannot be judged in this light" in watched.reason
    assert watched.moves == []
    # Nobody knows whether its private parts lie where they did.
    assert watched.brightness < 12

    watched.look_at(STREET, 12.0)

    assert watched.reason == ""


@pytest.mark.parametrize("how", ["the next worker", "rules that break"])
def test_a_camera_that_is_black_for_nobody_can_judge_its_view_stays_so_until_it_can_be_judged(watched, how):
    watched.look_at(STREET, 15.0)
    view = watched.views[-1]
    (lit,) = view.lit
    other = Light.DAY if lit.light is not Light.DAY else Light.NIGHT
    strange = scaled(street(seed=9)[::-1, ::-1].astype(np.uint8), VIEW_WH)
    watched.begin_anew(replace(view, lit=(replace(lit, light=other),)))
    watched.look_at(strange, 75.0)
    told = watched.views[-1]
    shown = []

    def look(picture, seconds):
        for _ in range(seconds):
            watched.look_at(picture, 0.2)
            shown.append(watched.brightness)

    if how == "the next worker":
        watched.begin_anew(told)
    else:
        watched.slot._begin_anew()
    look(strange, 20)

    assert told.is_open
    assert max(shown) < 12
    assert watched.reason == slot.VIEW_BLACK

    watched.look_at(STREET, 12.0)

    assert watched.brightness > 100
    assert not watched.views[-1].is_open


def test_rules_that_break_begin_anew_with_what_was_learned_of_the_view(watched):
    watched.look_at(STREET, 15.0)

    watched.slot.analyser = BrokenAnalyser()
    watched.look_at(PUSHED, 16.0)

    assert [one.observation.phase for one in watched.moves] == ["begin"]


def test_where_nothing_is_private_a_camera_that_was_pushed_is_shown_and_says_that_it_moved(tmp_path):
    camera = Watched(tmp_path)
    camera.slot.use_detector(ENGINE)
    camera.look_at(STREET, 15.0)
    camera.look_at(PUSHED, 15.0)

    (begin,) = camera.moves

    assert camera.brightness > 100
    assert begin.snapshot_jpeg
    assert camera.reason.startswith("The camera moved: it shows another view")
    camera.slot.close()
    camera.reader.close()


@pytest.mark.parametrize(
    ("picture", "noise", "said"), [(STREET // 12, 2.0, "Nothing can be seen"), (STREET, 0.0, "The picture is frozen")]
)
def test_a_camera_whose_picture_shows_nothing_new_says_why_nothing_is_counted(tmp_path, picture, noise, said):
    camera = Watched(tmp_path)
    camera.slot.use_detector(ENGINE)
    camera.look_at(STREET, 15.0)
    before = camera.reason
    camera.look_at(picture, 90.0, noise=noise, has_traffic=False)

    assert before == ""
    assert camera.slot.report(camera.now_s).is_blind
    assert camera.reason.startswith(said)
    assert "Nothing is counted" in camera.reason
    camera.slot.close()
    camera.reader.close()


UNMOVED = Scene(rules=(RuleSetting(kind="camera_moved", is_enabled=False),), masks=(WINDOW,))


def off(folder, scene=None):
    """Return a camera of a street whose detection is off in its settings, while others are detected."""
    camera = Watched(folder, scene, detect_fps=0.0)
    camera.slot.use_detector(ENGINE)
    return camera


@pytest.mark.parametrize(
    ("picture", "noise", "seconds", "kind", "said"),
    [
        (STREET // 12, 2.0, 15.0, "camera_blinded", "Nothing can be seen"),
        (STREET, 0.0, 80.0, "camera_frozen", "The picture is frozen"),
        (PUSHED, 2.0, 20.0, "camera_moved", "The camera moved"),
    ],
    ids=["covered", "frozen", "moved"],
)
@pytest.mark.parametrize("has_detector", [False, True], ids=["no detector", "detection off"])
def test_a_camera_that_is_covered_frozen_or_moved_says_so_where_no_detector_looks(
    tmp_path, picture, noise, seconds, kind, said, has_detector
):
    camera = off(tmp_path) if has_detector else Watched(tmp_path)
    camera.look_at(STREET, 15.0)
    before = camera.reason
    camera.look_at(picture, seconds, noise=noise, has_traffic=False)
    told = [one for one in camera.sent if isinstance(one, Observed)]
    blind = camera.slot.report(camera.now_s)
    camera.look_at(STREET, 20.0)

    assert before == (slot.OFF if has_detector else slot.NO_DETECTOR)
    assert [(one.observation.kind, one.observation.phase) for one in told] == [(kind, "begin")]
    assert told[0].snapshot_jpeg
    assert blind.is_blind
    assert blind.detection_reason.startswith(said)
    assert [one.observation.phase for one in camera.sent if isinstance(one, Observed)] == ["begin", "end"]
    assert camera.reason == before
    assert camera.detector.looks == []
    camera.slot.close()
    camera.reader.close()


def test_where_no_detector_looks_one_picture_a_second_is_looked_at_and_nobody_is_counted(tmp_path):
    camera = off(tmp_path, Scene(lines=(LINE,), zones=(Zone(key="z", name="Z", polygon=SQUARE),)))
    n_looked = []
    camera.look_at(STREET, 1.0)
    watch = camera.slot.analyser.watch_camera
    camera.slot.analyser.watch_camera = lambda *args: n_looked.append(1) or watch(*args)
    camera.look_at(STREET, 20.0)
    report = camera.slot.report(camera.now_s)
    camera.slot.tell_last_minutes()

    assert 18 <= len(n_looked) <= 21
    assert report.is_camera_watched
    assert (report.detect_fps, report.is_quiet, report.is_rare, report.is_undersampled) == (0.0, False, False, False)
    assert not camera.slot.is_detecting
    assert not [one for one in camera.sent if isinstance(one, Measured)]
    camera.slot.close()
    camera.reader.close()


def test_what_is_private_is_hidden_also_where_detection_is_off_and_the_camera_was_pushed(tmp_path):
    camera = off(tmp_path, Scene(masks=(WINDOW,)))
    camera.look_at(STREET, 15.0)
    before, said = camera.brightness, camera.reason
    camera.look_at(PUSHED, 20.0)
    report = camera.slot.report(camera.now_s)
    camera.look_at(PUSHED, 1.0)

    assert said == slot.OFF
    assert before > 100 > camera.brightness
    assert report.is_hidden
    assert report.detection_reason == slot.MOVED_BLACK
    assert not camera.moves[0].snapshot_jpeg
    camera.slot.close()
    camera.reader.close()


@pytest.mark.parametrize(
    ("scene", "every_s", "said"),
    [
        (Scene(), 10.0, slot.OFF),
        (Scene(), 40.0, slot.OFF),
        (Scene(), 90.0, slot.OFF_UNWATCHED),
        (Scene(masks=(WINDOW,)), 90.0, f"{slot.OFF_UNWATCHED} {slot.UNWATCHED_PRIVATE}"),
        (UNMOVED, 10.0, f"{slot.OFF} {slot.UNWATCHED_PRIVATE}"),
    ],
)
def test_a_camera_whose_detection_is_off_says_whether_it_is_told_that_it_was_knocked(tmp_path, scene, every_s, said):
    camera = off(tmp_path, scene)
    for _ in range(2):
        camera.look_at(STREET, 0.2)
        camera.now_s += every_s

    assert camera.reason == said
    camera.slot.close()
    camera.reader.close()


CROPPED = np.ascontiguousarray(STREET[:, VIEW_WH[0] // 8 : -VIEW_WH[0] // 8])
"""What a small stream shows that is a 4:3 crop of the large one."""


def test_where_the_other_stream_shows_less_the_camera_did_not_move_and_is_as_covered_as_before(tmp_path):
    camera = off(tmp_path)
    for _ in range(2):
        camera.look_at(STREET, 15.0)
        camera.look_at(CROPPED, 15.0)
    before = [one for one in camera.sent if isinstance(one, Observed)]
    camera.look_at(CROPPED // 12, 10.0)
    camera.look_at(STREET // 12, 10.0)
    covered = camera.slot.report(camera.now_s)
    camera.look_at(STREET, 10.0)
    view = camera.slot.view
    camera.begin_anew(view)
    camera.look_at(CROPPED, 30.0)

    told = [one.observation for one in camera.sent if isinstance(one, Observed)]
    assert before == []
    assert covered.is_blind
    # Said once more, for with new rules of tracks all that was told is doubted.
    assert [(one.kind, one.phase) for one in told] == [("camera_blinded", phase) for phase in ("begin", "begin", "end")]
    camera.slot.close()
    camera.reader.close()


def test_where_a_scene_lies_elsewhere_on_another_shape_rules_go_on_and_nobody_says_that_nothing_is_counted(tmp_path):
    camera = Watched(tmp_path, Scene(lines=(LINE,)))
    camera.slot.use_detector(ENGINE)
    camera.look_at(STREET, 15.0)
    camera.look_at(CROPPED, 25.0)
    before = camera.slot.report(camera.now_s)
    camera.begin_anew(camera.slot.view)
    camera.look_at(STREET, 25.0)

    assert (before.is_blind, before.detection_reason) == (False, "")
    assert camera.moves == []
    camera.slot.close()
    camera.reader.close()


def test_a_camera_that_was_pushed_stays_so_while_the_other_stream_is_shown(tmp_path):
    camera = off(tmp_path)
    camera.look_at(STREET, 15.0)
    camera.look_at(PUSHED, 15.0)
    camera.look_at(CROPPED, 15.0)
    said = camera.reason
    camera.look_at(STREET, 15.0)

    assert said == slot.BLIND[ObservationKind.CAMERA_MOVED]
    assert [one.observation.phase for one in camera.moves] == ["begin", "end"]
    camera.slot.close()
    camera.reader.close()


def test_where_nobody_looks_and_one_key_frame_looks_wrong_all_pictures_are_decoded_until_it_is_known(tmp_path):
    camera = off(tmp_path)
    camera.slot.show_at(None)
    decoded, reasons = [], []

    def is_sparse():
        decoded.append(camera.slot.stream._keyframes_only)
        reasons.append(camera.reason)

    def key_frames(picture, n):
        for _ in range(n):
            camera.look_at(picture, 0.2)
            is_sparse()
            camera.n, camera.now_s = camera.n + 99, camera.now_s + 19.8

    key_frames(STREET, 5)
    key_frames(PUSHED, 1)
    camera.look_at(STREET, 8.0)
    is_sparse()
    passed = [one for one in camera.sent if isinstance(one, Observed)]
    key_frames(STREET, 1)
    key_frames(PUSHED, 1)
    camera.look_at(PUSHED, 20.0)
    is_sparse()

    assert decoded == [True] * 5 + [False, True, True, False, True]
    assert passed == []
    assert [one.observation.phase for one in camera.moves] == ["begin"]
    assert set(reasons[:-1]) == {slot.OFF}
    camera.slot.close()
    camera.reader.close()


def test_a_camera_that_was_knocked_before_its_detector_came_goes_on_saying_so_and_detects(tmp_path):
    camera = Watched(tmp_path)
    camera.look_at(STREET, 15.0)
    camera.look_at(PUSHED, 20.0)
    camera.slot.use_detector(ENGINE)
    camera.look_at(PUSHED, 2.0)
    said = camera.reason
    camera.look_at(STREET, 20.0)

    assert [one.observation.phase for one in camera.moves] == ["begin", "end"]
    assert said == slot.BLIND[ObservationKind.CAMERA_MOVED]
    assert camera.slot.is_detecting
    assert camera.reason == ""
    camera.slot.close()
    camera.reader.close()


def test_a_camera_that_is_covered_while_its_detector_does_not_answer_says_so(tmp_path):
    camera = Camera(tmp_path)
    camera.slot.use_detector(ENGINE)
    camera.see(seconds=10.0)
    camera.see(seconds=60.0, level=5)

    assert camera.reason.startswith("Nothing can be seen")
    camera.slot.close()
    camera.reader.close()


def test_a_scene_that_is_saved_while_a_clip_is_taken_costs_no_picture_of_it(camera):
    camera.see(seconds=4.0)
    camera.slot.look_back.begin("clip", camera.now_s)
    camera.see(seconds=2.0)

    camera.change_to(replace(camera.job, scene=Scene(zones=(Zone(key="a", name="A", polygon=SQUARE),))))
    early = camera.clips
    camera.see(seconds=9.0)
    camera.slot.tell_clips(camera.now_s)

    assert early == []
    ((clip_id, n_pictures),) = camera.clips
    assert clip_id == "clip"
    # Of five pictures a second every third is kept before an alarm, every second one after it.
    assert n_pictures >= 4.0 * 5 / 3 + AFTER_S * 5 / 2 - 3


@pytest.mark.parametrize(
    "change",
    [
        {"scene": Scene(masks=(Mask(key="m", name="M", polygon=SQUARE),))},
        {"source": SourceSpec(address="synthetic:other")},
    ],
    ids=["another part is private", "another camera"],
)
def test_where_the_picture_is_another_one_the_clip_ends_with_what_there_is(camera, change):
    camera.see(seconds=4.0)
    camera.slot.look_back.begin("clip", camera.now_s)
    camera.see(seconds=2.0)

    camera.change_to(replace(camera.job, **change))
    told = camera.clips
    camera.slot.look_back.begin("next", camera.now_s)
    ((_, kept),) = camera.slot.look_back.broken_off()

    assert [clip_id for clip_id, _ in told] == ["clip"]
    assert told[0][1] >= 4.0 * 5 / 3 + 2.0 * 5 / 2 - 3
    assert kept == ()


@pytest.mark.parametrize(("break_off", "n_crossed"), [({}, 1), ({"epoch": 2}, 0), ({"n_rewinds": 1}, 0)])
def test_nobody_crosses_a_line_where_a_stream_or_a_file_began_again(tmp_path, break_off, n_crossed):
    camera = Camera(tmp_path, Scene(lines=(LINE,)))
    camera.slot.use_detector(ENGINE)
    for bottom in range(21, 45, 2):
        if bottom == 33:
            vars(camera).update(break_off)
        # A picture without edges is one of a covered lens, before which nobody crosses.
        camera.show(np.roll(scaled(STREET, WH), bottom, axis=1))
        camera.answer((40, bottom - 12, 56, bottom, 0.9, 0))
    camera.slot.close()
    camera.reader.close()

    kinds = [message.observation.kind for message in camera.sent if isinstance(message, Observed)]
    assert kinds.count(ObservationKind.LINE_CROSSED) == n_crossed


def test_where_parts_are_private_nobody_sees_a_picture_of_another_shape_until_the_view_is_said_to_be_right(tmp_path):
    posted = tmp_path / "posted.jpg"
    camera = Camera(tmp_path, Scene(masks=(WINDOW,)))

    def start(view):
        camera.slot.close()
        camera.sent.clear()
        camera.slot = CameraSlot(camera.job, asks=camera.detector, send=camera.sent.append, view=view)
        camera.slot.show_at(WH)
        camera.slot.show_bays_every(50.0)
        camera.slot.use_detector(ENGINE)
        camera.slot.start()

    def show(wh):
        """Post a picture; return the brightest of what consoles get of it, and the report."""
        camera.n += 1
        n_before = camera.slot.stream.report().n_frames
        rgb = np.full((wh[1], wh[0], 3), 150 + camera.n, np.uint8)
        put(posted, to_jpeg(av.VideoFrame.from_ndarray(rgb, format="rgb24"), max_wh=wh, quality=90))
        wait_until(lambda: camera.slot.stream.report().n_frames > n_before, what="the picture")
        camera.slot.stream.hide_parts()  # Waits until it is handed on.
        pixels = np.frombuffer(camera.reader.newest_frame(0).data, np.uint8).reshape(-1, 4)[:, :3]
        camera.slot.tell_view(BEGAN_AT)
        return int(pixels.max()), camera.slot.report(time.monotonic())

    def n_used():
        return len(camera.detector.looks), sum(isinstance(one, BaysPictured) for one in camera.sent)

    camera.job = replace(camera.job, source=SourceSpec(address=f"edge:{posted}"))
    start(None)
    before, at_first = show((320, 180))
    used = n_used()
    after, report = show((240, 180))
    used_after = n_used()
    (view,) = [one.view for one in camera.sent if isinstance(one, ViewLearned)]
    # Asked for another pace, with a new worker, or with a line that was moved, it is as black.
    camera.job = replace(camera.job, detect_fps=1.0)
    start(view)
    anew, _ = show((240, 180))
    drawn = replace(camera.job, scene=replace(camera.job.scene, lines=(LINE,)))
    camera.job, whole = drawn, camera.job
    start(camera.slot.view)
    redrawn, while_redrawn = show((240, 180))
    camera.job = replace(whole, scene=Scene(masks=(replace(WINDOW, polygon=SQUARE),)))
    start(camera.slot.view)
    masked_anew, _ = show((240, 180))
    camera.job = drawn
    start(view)
    show((240, 180))
    camera.slot.forget_view()
    accepted, at_last = show((240, 180))
    camera.slot.close()
    camera.reader.close()

    assert min(before, masked_anew, accepted) > 100
    assert max(after, anew, redrawn) < 12
    assert while_redrawn.is_hidden
    assert "another shape" in while_redrawn.reason
    assert used == used_after != (0, 0)
    assert (report.is_hidden, report.is_blind, report.is_quiet) == (True, True, False)
    assert "another shape" in report.reason
    assert report.detection_reason == "Rules rest, nothing is counted."
    assert (at_first.is_hidden, at_last.is_hidden, at_last.reason) == (False, False, "")
    learned = [one.view for one in camera.sent if isinstance(one, ViewLearned)]
    assert [one.shapes[print_of_part(WINDOW.polygon)] for one in learned][-1] == (240, 180)


def test_a_camera_whose_pictures_come_seconds_apart_says_that_it_is_not_watched(tmp_path):
    camera = Camera(tmp_path, scene=Scene(lines=(LINE,)))
    camera.slot.use_detector(ENGINE)
    random = np.random.default_rng(1)
    for _ in range(6):
        camera.n, camera.now_s = camera.n + 24, camera.now_s + 4.8
        # Noise, for a picture that stays the same to the last pixel is frozen.
        camera.show(np.clip(STREET + random.integers(-3, 4, STREET.shape), 0, 255).astype(np.uint8))
        camera.answer()

    report = camera.slot.report(camera.now_s)
    camera.slot.close()
    camera.reader.close()

    assert report.is_undersampled
    assert report.is_rare
    assert "Less than one look in three seconds" in report.detection_reason
