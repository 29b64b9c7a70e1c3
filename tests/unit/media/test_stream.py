import itertools
import socket
import threading
import time
from dataclasses import replace
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.kernel.clock import SystemClock
from core.kernel.errors import BadInputError, UnavailableError
from core.media import stream as stream_module
from core.media.camera_source import CameraSource
from core.media.hardware import waiting_for_device
from core.media.model import Refrain, SourceSpec, StreamState
from core.media.probe import probe
from core.media.source import LoginRefusedError, SyntheticSource
from core.media.stream import CameraStream, StreamFrame, Timeline, patience_s, retry_delay_s
from tests.fixtures.clips import make_clip
from tests.fixtures.processes import wait_until


class Room:
    """What the callbacks of a stream brought."""

    def __init__(self) -> None:
        self.frames: list[StreamFrame] = []
        self.states: list[tuple[StreamState, str, str]] = []

    def on_state(self, state: StreamState, reason: str, hint: str) -> None:
        self.states.append((state, reason, hint))

    def has_been(self, state: StreamState) -> bool:
        return any(seen is state for seen, _, _ in self.states)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def open_stream(room: Room):
    streams = []

    def start(address: object, *, on_frame=None, **options: object) -> CameraStream:
        stream = CameraStream(
            "cam-1",
            SourceSpec(address=str(address), **options),
            on_frame=on_frame or room.frames.append,
            on_state=room.on_state,
            clock=SystemClock(),
        )
        streams.append(stream)
        stream.start()
        return stream

    yield start
    for stream in streams:
        stream.stop()


@pytest.fixture
def silent_port():
    """A port that takes connections and never says a word: a camera that hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("arrivals", "expected_s"),
    [
        ([], 0.0),
        ([10.0], 0.0),
        ([10.0, 12.0, 14.0, 16.0], 4.0),
        ([10.0, 12.0, 14.0, 74.0, 76.0], 4.0),
        ([*(2.0 * n for n in range(50)), *(100.0 + 0.04 * n for n in range(25))], 0.08),
        ([0.0, 50.0, 100.0], 60.0),
    ],
)
def test_a_camera_is_given_twice_its_usual_time_whatever_outages_it_had(arrivals, expected_s):
    assert patience_s(arrivals) == pytest.approx(expected_s)


times = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.04, 95443.7, -3.0]))


@given(st.lists(st.tuples(times, st.floats(0, 30), st.sampled_from(["", "rewound", "reconnected"])), max_size=60))
def test_picture_time_only_rises_whatever_the_camera_says(pictures):
    timeline = Timeline()
    received_s = 100.0
    placed = []
    for source_s, gap_s, event in pictures:
        if event == "rewound":
            timeline.rewound()
        elif event == "reconnected":
            timeline.reconnected(25.0)
        received_s += gap_s
        placed.append(timeline.place(source_s, received_s))

    assert all(later > earlier for earlier, later in itertools.pairwise(placed))


def test_picture_time_follows_the_camera_exactly_while_that_makes_sense():
    timeline = Timeline()

    placed = [timeline.place(5000.0 + number * 0.04, 10.0 + number * 0.1) for number in range(50)]

    assert placed == pytest.approx([number * 0.04 for number in range(50)])


def test_a_camera_clock_that_jumps_back_an_hour_moves_picture_time_by_what_really_passed():
    timeline = Timeline()
    timeline.place(4000.0, 10.0)
    timeline.place(4000.04, 10.04)

    assert timeline.place(400.0, 10.54) == pytest.approx(0.54)
    assert timeline.place(400.04, 10.58) == pytest.approx(0.58)


class JumpingSource:
    """Five pictures a second whose time goes back by an hour before each one that is named."""

    is_live = is_timed = True
    width, height, fps, codec, decoder = 64, 48, 5.0, "made", "software"
    n_bytes = n_broken = 0
    behind_s = 0.0
    backlog = None

    def __init__(self, *jumps):
        self.jumps = jumps
        self.n = 0
        self.at_s = 7200.0
        self.may_go = threading.Semaphore(0)

    def read(self):
        if not self.may_go.acquire(timeout=0.1):
            return []
        self.n += 1
        self.at_s += 0.2 - (3600.0 if self.n in self.jumps else 0.0)
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        frame.pts, frame.time_base = round(self.at_s * 1000), Fraction(1, 1000)
        return [frame]

    def set_keyframes_only(self, only):
        pass

    def close(self):
        pass


def test_picture_time_that_jumps_back_is_said_for_a_minute_with_how_often_and_logged_once(
    room, open_stream, monkeypatch, caplog
):
    source = JumpingSource(3, 5, 6)
    monkeypatch.setattr(stream_module, "open_source", lambda _spec: source)
    stream = open_stream("rtsp://made/up")

    def show(n):
        n_wanted = len(room.frames) + n
        source.may_go.release(n)
        wait_until(lambda: len(room.frames) >= n_wanted and stream.report().state is StreamState.LIVE, what="pictures")
        return stream.report()

    with caplog.at_level("WARNING"):
        before, once, often = show(2), show(1), show(3)
    monkeypatch.setattr(stream_module, "JUMPS_SHOWN_S", 0.0)
    later = stream.report()

    assert before.reason == later.reason == ""
    assert "jumped back by 3,599.8 s" in once.reason
    assert "jumped back 3 times within a minute" in often.reason
    assert "NTP" in often.hint
    assert [record.getMessage().count("jumped back") for record in caplog.records] == [1]
    assert all(later.pts_s > earlier.pts_s for earlier, later in itertools.pairwise(room.frames))


@pytest.mark.parametrize(
    ("then_s", "back_s"),
    [(400.0, 3600.0), (3998.0, 2.0), (3999.95, 0.0), (4004.0, 0.0), (9000.0, 0.0), (48121.8, 3600.0)],
)
def test_how_far_a_camera_clock_went_back_is_known_also_where_the_times_of_rtp_begin_again(then_s, back_s):
    timeline = Timeline()
    timeline.place(4000.0, 10.0)
    timeline.place(then_s, 10.5)

    assert timeline.jumped_back_s == pytest.approx(back_s, abs=0.1)


def test_a_picture_without_a_time_is_placed_by_its_arrival():
    timeline = Timeline()
    timeline.place(None, 10.0)

    assert timeline.place(None, 10.5) == pytest.approx(0.5)


def test_the_gap_of_a_reconnect_stays_in_the_picture_time():
    timeline = Timeline()
    timeline.place(80.0, 10.0)
    timeline.reconnected(25.0)

    assert timeline.place(0.0, 17.0) == pytest.approx(7.0)


def test_retries_come_slower_up_to_ten_seconds_and_never_in_step():
    error = UnavailableError("gone")

    for n_failures, expected_s in [(1, 0.1), (2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0), (6, 8.0)]:
        delays = [retry_delay_s(n_failures, error) for _ in range(50)]
        assert all(0.74 * expected_s <= delay <= 1.26 * expected_s for delay in delays)
        assert len(set(delays)) > 10
    assert max(retry_delay_s(n_failures, error) for n_failures in range(1, 5000)) <= 10.0


def test_a_wrong_password_is_tried_at_most_twice_a_minute():
    assert min(retry_delay_s(n_failures, LoginRefusedError("no")) for n_failures in range(1, 200)) >= 30.0


def test_a_file_is_played_at_its_own_speed(room, open_stream, tmp_path):
    stream = open_stream(make_clip(tmp_path / "a.mp4", n_frames=30))
    wait_until(lambda: room.has_been(StreamState.ENDED), what="the end of the clip")

    played_s = room.frames[-1].received_s - room.frames[0].received_s
    assert len(room.frames) == 30
    assert 1.1 < played_s < 1.7
    assert [state for state, _, _ in room.states] == [StreamState.CONNECTING, StreamState.LIVE, StreamState.ENDED]
    assert stream.report().n_abandoned == 0


def test_a_file_without_real_time_is_read_as_fast_as_it_decodes(room, open_stream, tmp_path):
    open_stream(make_clip(tmp_path / "a.mp4", n_frames=250), realtime=False)
    wait_until(lambda: room.has_been(StreamState.ENDED), timeout_s=8.0, what="the end of ten seconds of clip")

    assert len(room.frames) == 250
    span_s = (room.frames[-1].captured_at - room.frames[0].captured_at).total_seconds()
    assert span_s == pytest.approx(249 / 25)


def test_a_looping_file_goes_on_without_a_jump_and_without_reconnecting(room, open_stream, tmp_path):
    stream = open_stream(make_clip(tmp_path / "a.mp4", n_frames=10), loops=True)
    wait_until(lambda: len(room.frames) >= 45, what="four loops")
    report = stream.report()

    steps = [later.pts_s - earlier.pts_s for earlier, later in itertools.pairwise(room.frames)]
    assert steps == pytest.approx([0.04] * len(steps), abs=1e-6)
    assert {frame.epoch for frame in room.frames} == {1}
    assert [frame.n_rewinds for frame in room.frames[:40]] == [number // 10 for number in range(40)]
    assert report.n_reconnects == 0
    assert report.state is StreamState.LIVE
    assert 15 < report.fps < 35
    assert (report.width, report.height, report.codec) == (320, 192, "h264")


def test_a_stream_whose_times_begin_below_zero_is_shown_whole(room, open_stream, tmp_path):
    # The clock of a transport stream has 33 bits; libav makes negative times of what comes just before it wraps.
    wraps_s = 2**33 / 90_000
    path = tmp_path / "wraps.ts"
    with av.open(str(make_clip(tmp_path / "a.mp4", n_frames=10))) as clip, av.open(str(path), "w") as stream:
        copy = stream.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                shift = round((wraps_s - 10.0) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                stream.mux(packet)

    open_stream(path, realtime=False)
    wait_until(lambda: room.has_been(StreamState.ENDED), what="the end of the stream")

    assert len(room.frames) == 10
    assert room.frames[0].frame.time < 0


@pytest.mark.parametrize(("n_first", "passes"), [(2, [6, 6, 10, 6, 6, 6, 10]), (0, [4, 6, 6, 6, 10])])
def test_the_refrain_of_a_looping_file_is_played_between_the_wholes(room, open_stream, tmp_path, n_first, passes):
    refrain = Refrain(until_s=0.24, n_times=3, n_first=n_first)
    open_stream(make_clip(tmp_path / "a.mp4", n_frames=10), loops=True, refrain=refrain)
    wait_until(lambda: len(room.frames) > sum(passes), what="two wholes")

    seen = room.frames[: sum(passes)]
    assert [len(list(group)) for _, group in itertools.groupby(seen, key=lambda frame: frame.n_rewinds)] == passes
    steps = [later.pts_s - earlier.pts_s for earlier, later in itertools.pairwise(seen)]
    assert steps == pytest.approx([0.04] * len(steps), abs=1e-6)


def test_a_made_up_street_needs_no_camera(room, open_stream):
    open_stream("synthetic:north")
    wait_until(lambda: len(room.frames) >= 10, what="ten pictures")

    assert room.frames[0].frame.width == 640
    assert [state for state, _, _ in room.states] == [StreamState.CONNECTING, StreamState.LIVE]


def test_a_file_that_appears_later_is_found(room, open_stream, tmp_path):
    path = tmp_path / "late.mp4"
    open_stream(path)
    wait_until(lambda: room.has_been(StreamState.UNUSABLE), what="the sentence about the missing file")
    make_clip(tmp_path / "scratch.mp4").rename(path)

    wait_until(lambda: room.has_been(StreamState.LIVE), what="the file to be found")
    assert "does not exist" in room.states[1][1]


def test_a_hidden_tile_decodes_a_fraction_and_stays_live(room, open_stream, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=250, pictures_per_key=25)
    stream = open_stream(clip, loops=True)
    wait_until(lambda: len(room.frames) >= 5, what="the first pictures")
    stream.set_keyframes_only(True)
    time_s = time.monotonic()
    n_before = len(room.frames)
    wait_until(lambda: len(room.frames) >= n_before + 4, timeout_s=10.0, what="four key frames")

    assert time.monotonic() - time_s > 2.0
    assert all(frame.is_key for frame in room.frames[-2:])
    assert not room.has_been(StreamState.STALE)

    stream.set_keyframes_only(False)
    n_before = len(room.frames)
    wait_until(lambda: len(room.frames) >= n_before + 30, timeout_s=5.0, what="all pictures again")


def test_a_hanging_camera_is_lost_after_its_time_out_and_stopping_does_not_wait_for_it(room, open_stream, silent_port):
    stream = open_stream(f"rtsp://127.0.0.1:{silent_port}/s", open_timeout_s=1.0, read_timeout_s=0.7)
    wait_until(lambda: room.has_been(StreamState.LOST), timeout_s=6.0, what="the time-out")

    assert "does not answer in time" in room.states[1][1]
    began_s = time.monotonic()
    stream.stop(timeout_s=2.0)
    assert time.monotonic() - began_s < 2.5


def test_a_reader_that_hangs_in_libav_is_replaced_and_never_calls_back(room, open_stream, monkeypatch, tmp_path):
    clip = make_clip(tmp_path / "a.mp4", n_frames=10)
    real_open = stream_module.open_source
    comes_back = threading.Event()
    calls = itertools.count()

    def hanging_open(spec: SourceSpec):
        if next(calls) == 0:
            # As getaddrinfo with a name server that never answers.
            comes_back.wait(30)
            return real_open(replace(spec, address="synthetic:ghost"))
        return real_open(spec)

    monkeypatch.setattr(stream_module, "open_source", hanging_open)
    stream = open_stream(clip, loops=True, open_timeout_s=0.2)
    wait_until(lambda: room.has_been(StreamState.LOST), timeout_s=6.0, what="the hang to be noticed")
    wait_until(lambda: len(room.frames) > 3, timeout_s=6.0, what="the new reader")
    comes_back.set()
    n_before = len(room.frames)
    wait_until(lambda: len(room.frames) > n_before + 10, what="more pictures")

    assert stream.report().n_abandoned == 1
    assert {frame.frame.width for frame in room.frames} == {320}
    assert room.states[-1][0] is StreamState.LIVE


def test_readers_that_all_hang_are_not_piled_up_without_end(room, open_stream, monkeypatch):
    release = threading.Event()

    def hanging_open(spec: SourceSpec):
        release.wait(60)
        raise UnavailableError("late")

    monkeypatch.setattr(stream_module, "open_source", hanging_open)
    monkeypatch.setattr(stream_module, "STUCK_GRACE_S", 0.0)
    monkeypatch.setattr(stream_module, "FIRST_RETRY_S", 0.01)
    # At a webcam nobody knocks: looking up a name may hang as well on a busy machine.
    stream = open_stream("webcam:0", open_timeout_s=0.1)
    wait_until(lambda: stream.report().n_abandoned >= 3, timeout_s=8.0, what="three hanging readers")
    seen = threading.Event()
    seen.wait(1.0)

    report = stream.report()
    assert (report.n_abandoned, report.is_stuck, report.state) == (3, True, StreamState.LOST)
    assert report.reason == "webcam:0 hangs: its driver does not answer, and did not let go of 3 calls."
    assert "Unplug it" in report.hint
    release.set()
    wait_until(lambda: any(reason == "late" for _, reason, _ in room.states), what="a reader that tries again")


class HangingDecoder(SyntheticSource):
    """A graphics card whose driver does not return."""

    decoder = "cuda"

    def __init__(self, release: threading.Event) -> None:
        super().__init__("hangs")
        self._release = release

    def read(self):
        with waiting_for_device():
            self._release.wait(60)
        return super().read()


def test_a_camera_on_which_a_graphics_card_hangs_is_decoded_in_software_and_says_so(room, open_stream, monkeypatch):
    release, asked = threading.Event(), []
    real_open = stream_module.open_source

    def open_by_card(spec: SourceSpec):
        asked.append(spec.hardware)
        return HangingDecoder(release) if spec.hardware else real_open(spec)

    monkeypatch.setattr(stream_module, "open_source", open_by_card)
    monkeypatch.setattr(stream_module, "STUCK_GRACE_S", 0.0)
    stream = open_stream("synthetic:a", read_timeout_s=0.3, hardware="cuda:1")
    wait_until(lambda: len(room.frames) > 5, what="pictures decoded in software")
    report = stream.report()
    release.set()

    assert asked == ["cuda:1", ""]
    assert (report.state, report.decoder, report.n_abandoned, report.is_stuck) == (
        StreamState.LIVE,
        "software",
        1,
        False,
    )
    assert report.reason == "The graphics card (cuda) hung on this camera, which is decoded in software from now on."
    assert "driver" in report.hint


def test_a_network_that_hangs_does_not_cost_the_graphics_card(room, open_stream, monkeypatch):
    release, asked = threading.Event(), []
    real_open = stream_module.open_source

    def open_late(spec: SourceSpec):
        asked.append(spec.hardware)
        if len(asked) == 1:
            release.wait(60)
        return real_open(spec)

    monkeypatch.setattr(stream_module, "open_source", open_late)
    monkeypatch.setattr(stream_module, "STUCK_GRACE_S", 0.0)
    open_stream("synthetic:a", open_timeout_s=0.2, hardware="cuda")
    wait_until(lambda: len(room.frames) > 5, what="pictures")
    release.set()

    assert asked == ["cuda", "cuda"]


def test_a_full_picture_memory_is_the_state_of_the_stream_until_it_is_solved(room, open_stream):
    is_full = threading.Event()
    is_full.set()

    def write(frame: StreamFrame) -> None:
        if is_full.is_set():
            raise UnavailableError("No memory is left for the pictures.", hint="Make /dev/shm larger.")

    stream = open_stream("synthetic:a", on_frame=write)
    wait_until(lambda: stream.report().state is StreamState.UNUSABLE, what="the sentence")
    assert stream.report().reason == "No memory is left for the pictures."
    is_full.clear()

    wait_until(lambda: stream.report().state is StreamState.LIVE, what="the picture")
    assert stream.report().n_reconnects == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_behind_the_picture_does_not_end_the_camera(room, open_stream):
    def fails_once(frame: StreamFrame) -> None:
        room.frames.append(frame)
        if len(room.frames) == 1:
            raise ZeroDivisionError

    stream = open_stream("synthetic:a", on_frame=fails_once)

    wait_until(lambda: len(room.frames) > 5, what="pictures after the bug")
    assert stream.report().n_abandoned == 1


def test_a_stream_that_was_never_started_stops_at_once():
    stream = CameraStream(
        "c", SourceSpec(address="synthetic:a"), on_frame=lambda frame: None, on_state=lambda *state: None
    )

    assert stream.stop()


def test_nothing_is_handed_on_after_stop(room, open_stream):
    stream = open_stream("synthetic:a")
    wait_until(lambda: len(room.frames) >= 2, what="two pictures")

    assert stream.stop()
    n_frames = len(room.frames)
    names = {thread.name for thread in threading.enumerate()}
    assert not any("cam-1" in name for name in names)
    assert len(room.frames) == n_frames


def test_a_probe_of_a_hanging_camera_returns_in_time(silent_port):
    began_s = time.monotonic()

    result = probe(SourceSpec(address=f"rtsp://u:hunter2@127.0.0.1:{silent_port}/s"), timeout_s=1.0)

    assert time.monotonic() - began_s < 2.0
    assert not result.ok
    assert "hunter2" not in result.message
    assert result.hint


def test_a_probe_that_hangs_beyond_all_time_outs_returns_all_the_same(monkeypatch):
    from core.media import probe as probe_module

    release = threading.Event()

    def hanging_open(spec: SourceSpec):
        release.wait(30)
        raise BadInputError("late")

    monkeypatch.setattr(probe_module, "open_source", hanging_open)
    began_s = time.monotonic()

    result = probe_module.probe(SourceSpec(address="rtsp://camera/s"), timeout_s=0.5)

    assert time.monotonic() - began_s < 1.5
    assert result.message == "rtsp://camera/s did not answer within 0.5 s."
    release.set()


def test_a_camera_whose_head_turned_is_black_all_over_where_any_of_it_is_private(room):
    window = ((0.0, 0.0), (0.2, 0.0), (0.2, 0.2))
    source = CameraSource(
        "cam-1",
        SourceSpec(address="synthetic:a"),
        privacy=(window,),
        on_frame=room.frames.append,
        on_state=room.on_state,
    )

    def brightest_of_the_next():
        n_frames = len(room.frames)
        wait_until(lambda: len(room.frames) > n_frames, what="the next picture")
        return room.frames[-1].frame.to_ndarray(format="gray").max()

    source.start()
    at_home = brightest_of_the_next()
    source.hide_all()
    away = brightest_of_the_next()
    source.hide_parts()
    again = brightest_of_the_next()
    source.stop()

    assert min(at_home, again) > 100
    assert away < 10
