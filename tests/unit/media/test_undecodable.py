"""A camera whose data arrives and holds no picture, and one of which only key frames are decoded."""

import threading
from fractions import Fraction

import av
import pytest

from core.kernel.clock import FakeClock
from core.media import stream as stream_module
from core.media.model import SourceSpec, StreamState
from core.media.stream import CameraStream
from tests.fixtures.processes import wait_until

INTERVAL_S = 0.04
KEY_EVERY = 250


class Encoder:
    """Stands in for a camera and libav: packets whenever the test lets them come, pictures while it can."""

    is_live = is_timed = True
    width, height, fps, codec, decoder = 64, 48, 25.0, "h264", "software"
    backlog, behind_s = None, 0.0

    def __init__(self, clock):
        self.clock = clock
        self.n_bytes = self.n_broken = self.n_packets = self.n_opened = 0
        self.can_decode = True
        self.keyframes_only = self.waits_for_key = False
        self.turns = threading.Semaphore(0)
        self.is_closed = False

    def open(self, spec):
        self.n_opened += 1
        self.n_packets = 0
        return self

    def read(self):
        while not self.turns.acquire(timeout=0.05):
            if self.is_closed:
                return None
        self.clock.advance(seconds=INTERVAL_S)
        self.n_bytes += 1000
        number, self.n_packets = self.n_packets, self.n_packets + 1
        is_key = number % KEY_EVERY == 0
        self.waits_for_key = self.keyframes_only or (self.waits_for_key and not is_key)
        if not self.can_decode or (self.waits_for_key and not is_key):
            return []
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        return [frame]

    def set_keyframes_only(self, only):
        self.keyframes_only = only

    def close(self):
        pass


class Watched(CameraStream):
    """Counts how often its watch has looked."""

    n_watched = 0

    def _watch_age(self):
        super()._watch_age()
        self.n_watched += 1


class Reading:
    def __init__(self, clock, encoder):
        self.clock, self.encoder = clock, encoder
        self.frames, self.states = [], []
        self.stream = Watched(
            "cam-1",
            SourceSpec(address="rtsp://camera/s", read_timeout_s=60.0),
            on_frame=self.frames.append,
            on_state=lambda *state: self.states.append(state),
            clock=clock,
        )
        self.stream.start()

    def run(self, seconds):
        """Let packets come for so long, as fast as they are read."""
        for _ in range(round(seconds / INTERVAL_S)):
            before_s = self.clock.monotonic()
            self.encoder.turns.release()
            wait_until(lambda before_s=before_s: self.clock.monotonic() > before_s, what="a packet to be read")

    def look(self):
        """Return the state once the watch has looked twice."""
        n_before = self.stream.n_watched
        wait_until(lambda: self.stream.n_watched >= n_before + 2, what="the watch to look")
        return self.stream.report().state

    @property
    def last_words(self):
        return self.states[-1][1]


@pytest.fixture
def reading(monkeypatch):
    clock = FakeClock()
    encoder = Encoder(clock)
    monkeypatch.setattr(stream_module, "open_source", encoder.open)
    monkeypatch.setattr(stream_module, "door_of", lambda address: None)
    reading = Reading(clock, encoder)
    yield reading
    encoder.is_closed = True
    assert reading.stream.stop(4.0)


def test_a_camera_whose_data_holds_no_picture_any_more_is_called_again_and_says_so(reading):
    reading.run(2.0)
    reading.encoder.can_decode = False
    reading.run(14.0)
    n_before = reading.encoder.n_opened
    reading.run(1.5)
    wait_until(lambda: reading.encoder.n_opened == 2, what="the next call")
    said = reading.last_words
    reading.encoder.can_decode = True
    reading.run(1.0)

    assert n_before == 1
    assert said == "rtsp://camera/s sends data that cannot be decoded any more."
    assert reading.look() is StreamState.LIVE


def test_a_camera_whose_data_never_held_a_picture_is_lost_after_a_while(reading):
    reading.encoder.can_decode = False
    reading.run(16.0)
    wait_until(lambda: reading.encoder.n_opened == 2, what="the next call")

    assert reading.stream.report().state is StreamState.LOST
    assert reading.last_words == "rtsp://camera/s sends data that cannot be decoded."


def test_between_far_key_frames_a_hidden_camera_is_not_called_again_before_some_of_them_are_missing(reading):
    reading.stream.set_keyframes_only(True)
    reading.run(21.0)
    states = [state for state, _, _ in reading.states]
    reading.encoder.can_decode = False
    reading.run(30.0)
    n_before = reading.encoder.n_opened
    reading.run(35.0)
    wait_until(lambda: reading.encoder.n_opened == 2, what="the next call")

    assert states == [StreamState.CONNECTING, StreamState.LIVE]
    assert n_before == 1


def test_a_hidden_camera_that_falls_silent_is_stale_and_lost_as_soon_as_any_other(reading):
    reading.stream.set_keyframes_only(True)
    reading.run(25.0)
    reading.clock.advance(seconds=1.0)
    stale = reading.look()
    reading.clock.advance(seconds=2.5)

    assert stale is StreamState.STALE
    assert reading.look() is StreamState.LOST


def test_a_hidden_camera_that_stumbles_is_live_again_before_its_next_key_frame(reading):
    reading.stream.set_keyframes_only(True)
    reading.run(2.0)
    reading.clock.advance(seconds=1.5)
    stale = reading.look()
    reading.run(1.0)

    assert stale is StreamState.STALE
    assert reading.look() is StreamState.LIVE
    assert len(reading.frames) == 1


def test_a_hidden_camera_that_is_opened_stays_live_until_its_next_key_frame(reading):
    reading.run(2.0)
    reading.stream.set_keyframes_only(True)
    reading.run(3.0)
    reading.stream.set_keyframes_only(False)
    n_before = len(reading.frames)
    reading.run(4.0)

    assert reading.look() is StreamState.LIVE
    assert len(reading.frames) == n_before
