"""One camera, kept open: reads, decodes, paces, reconnects, and says in what state it is.

Two daemon threads a camera: the reader, which may hang inside libav or a driver, and the watch, which never touches
either. The watch declares the picture stale or lost and replaces a reader that hangs; Python cannot end such a thread,
so it is left behind and hangs up by itself should it ever come back.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import av

from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.media.backlog import Backlog
from core.media.hardware import waits_for_device
from core.media.knock import door_of, wait_for_return
from core.media.model import EDGE, SourceSpec, StreamReport, StreamState
from core.media.parameters import public_address
from core.media.source import HardwareDecodeError, LoginRefusedError, Source, open_source
from core.media.webcam import WEBCAM

STALE_AFTER_S = 0.9
"""So that the badge is there within a second of the last picture."""

LOST_AFTER_S = 3.0
FIRST_RETRY_S = 0.1
SECOND_RETRY_S = 0.5
LEAST_BETWEEN_CALLS_S = 1.0
"""A camera that sends one picture and hangs up, again and again, is not called more often."""

MAX_RETRY_S = 10.0
PUSHED_PATIENCE_S = 5.0
"""Posted pictures come over networks that stumble; before three came, nobody knows how often they will."""

LOGIN_RETRY_S = 30.0
STUCK_GRACE_S = 2.0
MAX_ABANDONED = 3
HANGS_AFTER_S = 12.0
"""A reader that was replaced because its camera fell silent and is still there after this hangs for good."""

JUMPS_SHOWN_S = 60.0
"""So long is said that picture time jumped back."""

DAMAGED_PATIENCE_S = 0.8
"""Damaged pictures are left out for so long; then a smeared one is better than none."""

_WATCH_PERIOD_S = 0.2
_JITTER = 0.25
_FPS_WINDOW_S = 3.0
# Smart codecs of cameras send a key frame every ten seconds or so; nothing can be decoded before the first.
_UNDECODABLE_AFTER_S = 15.0
# The same where key frames only are decoded: several of them are missing.
_NO_KEY_FRAME_AFTER_S = 60.0
_LEAST_WAIT_TO_KNOCK_S = 0.3
_DAMAGE_WINDOW_S, _DAMAGE_SAID_FROM = 10.0, 3
# A file that fell behind by more (the machine slept) goes on from here instead of racing after its clock.
_MAX_BEHIND_S = 1.0
_N_USUAL = 20
"""Of the newest intervals between pictures tells what is usual; an outage or a switch to key frames passes through."""

_MAX_PATIENCE_S = 60.0
# Of pictures that are left out the newest ones are shown, which may be a little late: the tile says that instead.
_OVERRUN_PATIENCE_S = 2.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFrame:
    """One decoded picture and its three clocks.

    Attributes:
        pts_s: Picture time: rises through loops and reconnects; speeds are computed from this one only.
        received_s: Monotonic clock at its arrival, which is before it was read where pictures had to wait.
        captured_at: Wall time of the picture as far as it is known.
        epoch: Changes when the stream was opened again or changed its size: nothing before it can be followed on.
        n_rewinds: How often its file began again: the picture time goes on evenly, what is seen does not.
        waited_s: How long it lay before this machine came to read it.
    """

    frame: av.VideoFrame
    pts_s: float
    received_s: float
    captured_at: datetime
    epoch: int
    is_key: bool
    n_rewinds: int = 0
    waited_s: float = 0.0

    @property
    def read_s(self) -> float:
        """Monotonic clock when it was read: what it is asked about begins here, however old it is."""
        return self.received_s + self.waited_s


class Timeline:
    """Turns whatever timestamps a source delivers into a picture time that only rises.

    Attributes:
        jumped_back_s: By how much the source's own time went back to the picture placed last; 0 where it did not.
    """

    MAX_STEP_S = 10.0
    _DUPLICATE_S = 0.1
    _LEAST_STEP_S = 0.001
    _WRAP_S = 2**32 / 90_000
    """RTP counts so far and begins again: a step ahead of more than half of it was one back."""

    def __init__(self) -> None:
        """Start at zero with the first picture."""
        self._offset_s = 0.0
        self._source_s: float | None = None
        self._last_s: float | None = None
        self._last_received_s = 0.0
        self._interval_s = 0.04
        self._is_seamless = False
        self.jumped_back_s = 0.0

    def rewound(self) -> None:
        """Expect the next picture one interval after the last, whatever its own timestamp says."""
        self._source_s = None
        self._is_seamless = True

    def reconnected(self, fps: float) -> None:
        """Expect the next picture as much later as it arrives later; `fps` 0 means unknown."""
        self._source_s = None
        if fps > 0:
            self._interval_s = 1.0 / fps

    def place(self, source_s: float | None, received_s: float) -> float:
        """Return the picture time [s] of a picture with the source's own time `source_s`."""
        self.jumped_back_s = 0.0
        if self._last_s is None:
            at_s = 0.0
            self._offset_s = at_s - (source_s or 0.0)
        elif source_s is None or self._source_s is None:
            elapsed_s = 0.0 if self._is_seamless else received_s - self._last_received_s
            at_s = self._last_s + max(elapsed_s, self._interval_s)
            self._offset_s = at_s - (source_s or 0.0)
        else:
            step_s = source_s - self._source_s
            if -self._DUPLICATE_S < step_s <= 0:
                # The same time twice, or two pictures swapped: not a jump of the camera's clock.
                at_s = self._last_s + self._LEAST_STEP_S
                source_s = self._source_s
            elif 0 < step_s <= self.MAX_STEP_S:
                at_s = max(source_s + self._offset_s, self._last_s + self._LEAST_STEP_S)
                self._interval_s += 0.1 * (min(step_s, 1.0) - self._interval_s)
            else:
                elapsed_s = min(max(received_s - self._last_received_s, 0.0), self.MAX_STEP_S)
                at_s = self._last_s + max(elapsed_s, self._interval_s)
                self._offset_s = at_s - source_s
                self.jumped_back_s = max(0.0, self._WRAP_S - step_s if step_s > self._WRAP_S / 2 else -step_s)
        self._source_s, self._last_s, self._last_received_s = source_s, at_s, received_s
        self._is_seamless = False
        return at_s


def patience_s(arrivals: Sequence[float]) -> float:
    """Return how long a camera of few pictures may take: one of a picture in two seconds is not stale after one.

    Args:
        arrivals: When pictures came [s], oldest first; an outage among them is no interval of the camera's.
    """
    lately = tuple(arrivals)[-_N_USUAL - 1 :]
    if len(lately) < 2:
        return 0.0
    return min(2.0 * median(later - earlier for earlier, later in pairwise(lately)), _MAX_PATIENCE_S)


def retry_delay_s(n_failures: int, error: ConsoleError) -> float:
    """Return how long to wait after `n_failures` (1, 2, …) in a row, spread so that cameras come back one by one."""
    if isinstance(error, LoginRefusedError):
        return LOGIN_RETRY_S * random.uniform(1.0, 1.0 + _JITTER)
    delay_s = FIRST_RETRY_S if n_failures < 2 else min(MAX_RETRY_S, SECOND_RETRY_S * 2.0 ** min(n_failures - 2, 16))
    return min(MAX_RETRY_S, delay_s * random.uniform(1.0 - _JITTER, 1.0 + _JITTER))


@dataclass(slots=True)
class _Reader:
    """One reader thread: what it is doing since when, seen by the watch."""

    number: int
    thread: threading.Thread | None = None
    activity: str = "wait"
    since_s: float = 0.0
    is_abandoned: bool = False
    is_counted: bool = False
    abandoned_s: float = 0.0
    hardware: str = ""
    is_spared: bool = False

    @property
    def is_alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def begin(self, activity: str) -> None:
        # The machine's own clock: a hang is real even where a test moves time by hand.
        self.activity, self.since_s = activity, time.monotonic()


class CameraStream:
    """Hands every decoded picture of one camera to `on_frame`, for as long as it takes.

    `on_frame(frame)` runs on the reader thread and must be quick: nothing is read meanwhile. A `ConsoleError` it raises
    is the stream's state until a picture gets through again. `on_state(state, reason, hint)` runs on the reader or the
    watch, in order; it must not call `stop`.

    Threads: every method from any thread.
    """

    def __init__(
        self,
        camera_id: str,
        spec: SourceSpec,
        *,
        on_frame: Callable[[StreamFrame], None],
        on_state: Callable[[StreamState, str, str], None],
        clock: Clock | None = None,
        first_epoch: int = 1,
    ) -> None:
        """Prepare; nothing is opened before `start`."""
        self.camera_id = camera_id
        self._spec = spec
        self._is_pushed = spec.address.startswith(f"{EDGE}:")
        self._name = "This camera" if self._is_pushed else public_address(spec.address)
        self._on_frame = on_frame
        self._on_state = on_state
        self._clock = clock or SystemClock()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._state_lock = threading.RLock()
        self._reader: _Reader | None = None
        self._abandoned: list[_Reader] = []
        self._watch: threading.Thread | None = None
        self._state = StreamState.CONNECTING
        self._reason, self._hint = "", ""
        self._state_since_s = self._clock.monotonic()
        self._timeline = Timeline()
        self._epoch = first_epoch - 1
        self._n_rewinds = 0
        self._n_failures = 0
        self._failure: ConsoleError | None = None
        self._retry_at_s = 0.0
        self._keyframes_only = False
        self._mode_since_s = float("-inf")
        self._is_stale_by_packet = False
        self._source: Source | None = None
        self._size = (0, 0)
        self._codec = ""
        self._decoder = ""
        self._damage = _Damage()
        self._jumps = _Jumps()
        self._opened_s = float("-inf")
        self._n_frames = self._n_opened = self._n_abandoned = self._n_readers = 0
        self._last_frame_s: float | None = None
        self._last_packet_s: float | None = None
        self._arrivals: deque[float] = deque(maxlen=240)
        self._packets: deque[float] = deque(maxlen=_N_USUAL + 1)
        self._traffic: deque[tuple[float, int]] = deque(maxlen=16)
        self._backlog: Backlog | None = None
        self._n_left_out = 0
        self._was_overrun = False
        self._hung_device = ""
        self._is_told_stuck = False
        self._behind_s = 0.0
        self._arrived_s = float("-inf")
        self._n_bytes = 0

    def start(self) -> None:
        """Begin to read."""
        if self._watch is not None:
            return
        self._notify(StreamState.CONNECTING, "", "")
        self._start_reader()
        self._watch = threading.Thread(target=self._watch_forever, name=f"watch {self.camera_id}", daemon=True)
        self._watch.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Stop reading; returns whether the reader ended in time. One that hangs never calls back again."""
        self._stopping.set()
        deadline_s = time.monotonic() + timeout_s
        _join(self._watch, deadline_s)
        reader = self._reader
        if reader is None or reader.thread is threading.current_thread():
            return True
        _join(reader.thread, deadline_s)
        reader.is_abandoned = True
        return not reader.is_alive

    def set_keyframes_only(self, only: bool) -> None:
        """Decode key frames only: enough for a tile nobody looks at, at a tenth of the work."""
        with self._lock:
            if only is not self._keyframes_only:
                self._mode_since_s = self._clock.monotonic()
            self._keyframes_only = only
            if self._source is not None:
                self._source.set_keyframes_only(only)

    def report(self) -> StreamReport:
        """Return state and figures as of now."""
        now_s = self._clock.monotonic()
        with self._lock:
            reason, hint = self._reason, self._hint
            if self._state is StreamState.LIVE and self._damage.is_worth_saying(now_s):
                reason, hint = _DAMAGED
            elif self._state is StreamState.LIVE and (jumped := self._jumps.sentence(now_s)):
                reason, hint = jumped, _JUMPED_HINT
            backlog = self._backlog
            if self._state is StreamState.LIVE and self._is_overrun:
                reason, hint = _OVERRUN
            if self._state is StreamState.LIVE and self._hung_device and not reason:
                reason, hint = _DEVICE_HUNG.format(device=self._hung_device), _DEVICE_HUNG_HINT
            last_frame_s = self._last_frame_s
            patience_s = self._allowed_s() if self._is_pushed else _OVERRUN_PATIENCE_S if self._is_overrun else 0.0
            window_s = max(_FPS_WINDOW_S, 2.0 * patience_s)
            arrivals = [at_s for at_s in self._arrivals if now_s - at_s <= window_s]
            traffic = tuple(self._traffic)
            width, height = self._size
            span_s = arrivals[-1] - arrivals[0] if len(arrivals) > 1 else 0.0
            traffic_s = traffic[-1][0] - traffic[0][0] if len(traffic) > 1 else 0.0
            return StreamReport(
                camera_id=self.camera_id,
                state=self._state,
                reason=reason,
                hint=hint,
                since_s=max(0.0, now_s - self._state_since_s),
                frame_age_s=None if last_frame_s is None else max(0.0, now_s - last_frame_s + self._behind_s),
                patience_s=patience_s,
                width=width,
                height=height,
                codec=self._codec,
                fps=(len(arrivals) - 1) / span_s if span_s > 0 else 0.0,
                n_frames=self._n_frames,
                n_dropped=self._n_left_out + (0 if backlog is None else backlog.n_left_out),
                n_reconnects=max(0, self._n_opened - 1),
                bytes_per_s=(traffic[-1][1] - traffic[0][1]) / traffic_s if traffic_s > 0 else 0.0,
                n_abandoned=self._n_abandoned,
                is_stuck=self._is_stuck,
                n_damaged=self._damage.n_pictures,
                decoder=self._decoder,
            )

    # The reader

    def _start_reader(self) -> None:
        reader = _Reader(number=self._n_readers, hardware=self._spec.hardware)
        self._n_readers += 1
        reader.begin("wait")
        reader.thread = threading.Thread(
            target=self._read_forever, args=(reader,), name=f"camera {self.camera_id} {reader.number}", daemon=True
        )
        self._reader = reader
        reader.thread.start()

    def _goes_on(self, reader: _Reader) -> bool:
        return not self._stopping.is_set() and not reader.is_abandoned

    def _read_forever(self, reader: _Reader) -> None:
        while self._goes_on(reader):
            reader.begin("wait")
            self._wait_for_turn(reader)
            if not self._goes_on(reader):
                return
            try:
                self._open_and_play(reader)
                return
            except HardwareDecodeError as error:
                log.warning("camera %s: %s It is decoded in software from now on.", self.camera_id, error.message)
                self._spec = replace(self._spec, hardware="")
            except ConsoleError as error:
                if not self._goes_on(reader):
                    return
                self._note_failure(error)

    def _wait_for_turn(self, reader: _Reader) -> None:
        """Wait out the time between two calls; a camera that comes back meanwhile is called at once."""
        now_s = self._clock.monotonic()
        wait_s = self._retry_at_s - now_s
        if wait_s <= 0:
            return
        failure = self._failure
        is_away = isinstance(failure, UnavailableError) and wait_s > _LEAST_WAIT_TO_KNOCK_S
        door = door_of(self._spec.address) if is_away else None
        if door is None:
            self._stopping.wait(wait_s)
            return
        gone_since_s = self._last_frame_s if self._last_frame_s is not None else now_s
        wait_for_return(
            door,
            wait_s,
            out_for_s=now_s - gone_since_s,
            stopping=self._stopping,
            note=lambda: reader.begin("open"),
        )
        reader.begin("wait")

    def _open_and_play(self, reader: _Reader) -> None:
        """Play until told to stop or to the end of a file.

        Raises:
            ConsoleError: It cannot be opened, or it broke.
        """
        reader.begin("open")
        source = open_source(self._spec)
        try:
            with self._lock:
                # A reader that hung while opening and was replaced must not touch what its successor uses.
                if not self._goes_on(reader):
                    return
                self._source = source
                self._n_left_out += 0 if self._backlog is None else self._backlog.n_left_out
                self._backlog = source.backlog
                source.set_keyframes_only(self._keyframes_only)
                self._epoch += 1
                self._n_opened += 1
                self._opened_s = self._clock.monotonic()
                self._codec, self._decoder = source.codec, source.decoder
                self._size = (0, 0)
                self._n_bytes = 0
                self._traffic.clear()
                self._timeline.reconnected(source.fps)
            self._play(reader, source)
        finally:
            with self._lock:
                if self._source is source:
                    self._source = None
            reader.begin("close")
            source.close()
            reader.begin("wait")

    def _play(self, reader: _Reader, source: Source) -> None:
        pacer = _Pacer(self._clock, is_paced=self._spec.realtime and not source.is_live)
        opened_at, opened_s = self._clock.now(), self._clock.monotonic()
        self._damage.begin(opened_s)
        first_pts_s: float | None = None
        n_in_this_pass = 0
        n_decoded = 0
        decoded_s = opened_s
        passes = _Passes(self._spec)
        while self._goes_on(reader):
            reader.begin("read")
            frames = source.read()
            reader.begin("wait")
            received_s = self._clock.monotonic()
            if not self._note_packet(reader, source, received_s):
                return
            if frames is None:
                if source.is_live:
                    raise UnavailableError("The camera ended its stream.", hint="It is called again by itself.")
                if n_in_this_pass == 0:
                    raise BadInputError(
                        f"{self._name} holds no picture that can be decoded.", hint="Play it elsewhere to check it."
                    )
                if not self._spec.loops:
                    self._set_state(StreamState.ENDED, "The file has been played to its end.", "")
                    return
                passes.end()
            elif passes.ends_before(frames):
                frames = None
            if frames is None:
                n_in_this_pass = 0
                source.rewind()
                self._n_rewinds += 1
                self._timeline.rewound()
                continue
            if not n_decoded and not frames and received_s - opened_s > _UNDECODABLE_AFTER_S and source.n_broken:
                raise BadInputError(
                    f"{self._name} sends pictures that cannot be decoded.", hint="Set the camera to H.264 or H.265."
                )
            if frames:
                decoded_s = received_s
            elif (
                source.is_live
                and not self._is_skipping
                and self._is_undecodable(received_s - max(decoded_s, self._mode_since_s))
            ):
                raise UnavailableError(
                    f"{self._name} sends data that cannot be decoded{' any more' if self._n_frames else ''}.",
                    hint="It is called again by itself. Where that does not help, start the camera anew.",
                )
            n_in_this_pass += len(frames)
            n_decoded += len(frames)
            for frame in frames:
                if self._damage.leaves_out(frame, received_s) or passes.skips(frame):
                    continue
                pts_s = self._timeline.place(frame.time if source.is_timed else received_s, received_s)
                if self._timeline.jumped_back_s:
                    self._note_jump(self._timeline.jumped_back_s, received_s)
                if first_pts_s is None:
                    first_pts_s = pts_s
                if not pacer.wait_for(pts_s, self._stopping) or not self._goes_on(reader):
                    return
                at_s = self._clock.monotonic() if pacer.is_paced else received_s - source.behind_s
                captured_at = (
                    self._clock.now() - timedelta(seconds=source.behind_s)
                    if self._spec.realtime or source.is_live
                    else opened_at + timedelta(seconds=pts_s - first_pts_s)
                )
                self._hand_on(frame, pts_s, at_s, captured_at, behind_s=source.behind_s)

    def _hand_on(
        self, frame: av.VideoFrame, pts_s: float, received_s: float, captured_at: datetime, *, behind_s: float
    ) -> None:
        size = (frame.width, frame.height)
        with self._lock:
            if self._size not in {(0, 0), size}:
                self._epoch += 1
            self._size = size
            self._n_frames += 1
            self._behind_s = behind_s
            # The state goes by when it came out of the decoder: a picture that is late is no camera that is silent.
            self._last_frame_s = received_s + behind_s
            received_s = self._arrived_s = max(received_s, self._arrived_s)
            self._arrivals.append(self._last_frame_s)
            self._n_failures = 0
            self._failure = None
            epoch, waited_s = self._epoch, self._last_frame_s - received_s
        picture = StreamFrame(
            frame=frame,
            pts_s=pts_s,
            received_s=received_s,
            captured_at=captured_at,
            epoch=epoch,
            is_key=bool(frame.key_frame),
            n_rewinds=self._n_rewinds,
            waited_s=waited_s,
        )
        try:
            self._on_frame(picture)
        except ConsoleError as error:
            # The camera is well, but its picture does not get through: calling it again would not help.
            self._set_state(StreamState.UNUSABLE, error.message, error.hint)
            return
        self._set_state(StreamState.LIVE, "", "")

    def _note_jump(self, by_s: float, received_s: float) -> None:
        with self._lock:
            is_news = not self._jumps.sentence(received_s)
            self._jumps.note(by_s, received_s)
        # Once: there are cameras whose time goes back again and again.
        if is_news:
            log.warning("camera %s: %s %s", self.camera_id, self._jumps.sentence(received_s), _JUMPED_HINT)

    def _note_packet(self, reader: _Reader, source: Source, received_s: float) -> bool:
        """Count what came; False where this reader has been given up meanwhile."""
        with self._lock:
            if not self._goes_on(reader):
                return False
            self._last_packet_s = received_s
            self._packets.append(received_s)
            if not self._traffic or received_s - self._traffic[-1][0] >= 0.25:
                self._traffic.append((received_s, source.n_bytes))
            return True

    def _note_failure(self, error: ConsoleError) -> None:
        now_s = self._clock.monotonic()
        with self._lock:
            self._n_failures += 1
            self._failure = error
            self._retry_at_s = self._next_call_s(now_s, error)
            age_s = None if self._last_frame_s is None else now_s - self._last_frame_s
        if isinstance(error, LoginRefusedError):
            self._set_state(StreamState.UNAUTHORISED, error.message, error.hint)
        elif isinstance(error, BadInputError):
            self._set_state(StreamState.UNUSABLE, error.message, error.hint)
        elif age_s is None or age_s > STALE_AFTER_S:
            self._set_state(StreamState.LOST, error.message, error.hint)
        # Else a camera that hung up a moment ago: it may be back before anyone misses a picture.

    # The watch

    def _watch_forever(self) -> None:
        while not self._stopping.wait(self._until_next_look_s()):
            self._replace_stuck_reader()
            self._watch_age()
            self._watch_overrun()

    def _until_next_look_s(self) -> float:
        """Return when to look again: on time where the picture is about to become stale."""
        last_s = self._last_frame_s
        if self._state is not StreamState.LIVE or last_s is None:
            return _WATCH_PERIOD_S
        due_s = last_s + STALE_AFTER_S - self._clock.monotonic()
        return min(_WATCH_PERIOD_S, due_s + 0.005) if due_s > 0 else _WATCH_PERIOD_S

    def _watch_age(self) -> None:
        """Declare the picture stale or lost by its age."""
        with self._state_lock:
            if self._state not in {StreamState.LIVE, StreamState.STALE}:
                return
            with self._lock:
                if self._keyframes_only and self._source is not None and not self._source.is_live:
                    return  # The next key picture of a file is waited for until it is due.
                is_by_packet = self._goes_by_packets
                newest_s = self._last_packet_s if is_by_packet else self._last_frame_s
                failure = self._failure
                allowed_s = patience_s(self._packets) if is_by_packet else self._allowed_s()
            age_s = self._clock.monotonic() - (newest_s if newest_s is not None else self._state_since_s)
            if age_s > max(LOST_AFTER_S, allowed_s):
                reason = failure.message if failure else f"{self._name} sends no pictures any more."
                hint = failure.hint if failure else "Check the camera's power and cable."
                self._set_state(StreamState.LOST, reason, hint)
            elif age_s > max(STALE_AFTER_S, allowed_s):
                self._is_stale_by_packet = is_by_packet
                self._set_state(StreamState.STALE, "The picture stands still.", "It is called again by itself.")
            elif self._state is StreamState.STALE and is_by_packet and self._is_stale_by_packet:
                # The next key frame, which would say so, may be far.
                self._set_state(StreamState.LIVE, "", "")

    def _watch_overrun(self) -> None:
        """Log once when pictures begin to be left out, and once when all are shown again."""
        if self._is_overrun is self._was_overrun:
            return
        self._was_overrun = not self._was_overrun
        if self._was_overrun:
            log.warning("camera %s: %s %s", self.camera_id, *_OVERRUN)
        else:
            log.info("camera %s: every picture is decoded again", self.camera_id)

    @property
    def _goes_by_packets(self) -> bool:
        """Whether nothing is decoded before the next key frame: what arrives tells that the camera is there."""
        source, last_s = self._source, self._last_frame_s
        if self._is_pushed or (source is not None and not source.is_live):
            return False
        return self._keyframes_only or self._is_skipping or (last_s is not None and last_s < self._mode_since_s)

    @property
    def _is_overrun(self) -> bool:
        backlog = self._backlog
        return backlog is not None and backlog.is_overrun(time.monotonic())

    @property
    def _is_skipping(self) -> bool:
        backlog = self._backlog
        return backlog is not None and backlog.is_skipping

    def _allowed_s(self) -> float:
        """Return how long this camera may take from one picture to the next."""
        if not self._is_pushed:
            return patience_s(self._arrivals)
        return max(PUSHED_PATIENCE_S, patience_s(self._arrivals)) if len(self._arrivals) > 2 else _MAX_PATIENCE_S

    def _is_undecodable(self, for_s: float) -> bool:
        """Tell whether data of which nothing could be decoded came for so long that calling again is the way out."""
        if self._is_pushed or for_s <= _UNDECODABLE_AFTER_S:
            return False  # Of posted pictures nothing comes between two.
        usual_s = patience_s(self._arrivals)
        if self._keyframes_only:
            return for_s > max(_NO_KEY_FRAME_AFTER_S, 2.0 * usual_s)
        # A slow camera's first picture may take several of its packets.
        return for_s > max(usual_s, 4.0 * patience_s(self._packets))

    def _replace_stuck_reader(self) -> None:
        with self._lock:
            reader = self._reader
            if reader is None or self._stopping.is_set():
                return
            error = None if reader.is_abandoned else self._trouble_of(reader)
            if error is not None:
                reader.is_abandoned = True
                self._source = None
                reader.abandoned_s = time.monotonic()
                if reader.activity != "read":
                    reader.is_counted = True
                    self._n_abandoned += 1
                self._abandoned.append(reader)
                if waits_for_device(reader.thread):
                    reader.is_counted = reader.is_counted or reader.activity == "read"
                    self._n_abandoned += reader.activity == "read"
                    error = self._give_up_device(reader)
                self._n_failures += 1
                self._failure = error
                self._retry_at_s = self._next_call_s(self._clock.monotonic(), error)
            self._abandoned = [old for old in self._abandoned if old.is_alive]
            self._count_hanging()
            # Each reader that hangs holds memory and a socket: from the fourth on, wait until one comes back.
            if reader.is_abandoned and sum(not old.is_spared for old in self._abandoned) < MAX_ABANDONED:
                self._start_reader()
            stuck = self._what_hangs() if self._is_stuck and not self._is_told_stuck else None
            if stuck is not None:
                self._is_told_stuck, self._failure = True, stuck
            elif not self._is_stuck:
                self._is_told_stuck = False
        if error is not None:
            log.warning("camera %s: %s A new reader takes over.", self.camera_id, error.message)
            # What was shown a moment ago grows old by itself (`_watch_age`).
            if self._state not in {StreamState.LIVE, StreamState.STALE}:
                self._set_state(StreamState.LOST, error.message, error.hint)
        if stuck is not None:
            log.error("camera %s: %s", self.camera_id, stuck.message)
            self._set_state(StreamState.LOST, stuck.message, stuck.hint)

    def _next_call_s(self, now_s: float, error: ConsoleError) -> float:
        earliest_s = self._opened_s + LEAST_BETWEEN_CALLS_S if self._n_failures == 1 else now_s
        return max(now_s + retry_delay_s(self._n_failures, error), earliest_s)

    def _count_hanging(self) -> None:
        """Count the readers that were left to a silent camera and never came back."""
        for old in self._abandoned:
            if not old.is_counted and time.monotonic() - old.abandoned_s > HANGS_AFTER_S:
                old.is_counted = True
                self._n_abandoned += 1
                if waits_for_device(old.thread):
                    self._give_up_device(old)

    @property
    def _is_stuck(self) -> bool:
        """No reader is left: each of them hangs, and none is started any more."""
        hanging = [old for old in self._abandoned if old.is_counted and not old.is_spared and old.is_alive]
        return len(hanging) >= MAX_ABANDONED

    def _give_up_device(self, reader: _Reader) -> ConsoleError:
        """A driver does not let go of a reader: decode in software, and do not count what hung for that."""
        reader.is_spared = True
        device = reader.hardware.partition(":")[0]
        if self._spec.hardware and self._spec.hardware == reader.hardware:
            self._spec = replace(self._spec, hardware="")
            self._hung_device = device
        return UnavailableError(_DEVICE_HUNG.format(device=device), hint=_DEVICE_HUNG_HINT)

    def _what_hangs(self) -> ConsoleError:
        if self._spec.address.startswith(f"{WEBCAM}:"):
            return UnavailableError(
                f"{self._name} hangs: its driver does not answer, and did not let go of {len(self._abandoned)} calls.",
                hint="Unplug it and plug it in again. The process that reads it is restarted by itself after a while.",
            )
        in_open = any(old.activity == "open" for old in self._abandoned)
        cause = "Check this machine's name server and network." if in_open else "Report it if it comes back."
        return UnavailableError(
            f"{len(self._abandoned)} calls of {self._name} hang in this machine, so it is not called for now.",
            hint=f"The process that reads it is restarted by itself after a while. {cause}",
        )

    def _trouble_of(self, reader: _Reader) -> ConsoleError | None:
        if not reader.is_alive and self._state is not StreamState.ENDED:
            return UnavailableError(f"The reader of {self._name} broke.", hint="Report it; the log says more.")
        idle_s = time.monotonic() - reader.since_s
        if reader.activity == "wait" or idle_s <= self._limit_s(reader):
            return None
        if reader.activity == "read":
            return UnavailableError(
                f"{self._name} sends no pictures any more.", hint="Check the camera's power and cable."
            )
        return UnavailableError(
            f"{self._name} does not answer in time.", hint="Check the camera's power, cable and address."
        )

    def _limit_s(self, reader: _Reader) -> float:
        """Return how long the reader may be at what it does before another one takes over."""
        if reader.activity == "open":
            return self._spec.open_timeout_s + STUCK_GRACE_S
        if reader.activity == "read" and self._source is not None and self._source.is_live:
            # libav gives up later and then reports it late: the camera is called again beside it.
            usual_s = patience_s(self._packets if self._goes_by_packets else self._arrivals)
            return max(self._spec.read_timeout_s, usual_s)
        return self._spec.read_timeout_s + STUCK_GRACE_S

    # State

    def _set_state(self, state: StreamState, reason: str, hint: str) -> None:
        if self._state is state and self._reason == reason:
            return
        with self._state_lock:
            self._notify(state, reason, hint)

    def _notify(self, state: StreamState, reason: str, hint: str) -> None:
        with self._state_lock:
            with self._lock:
                if self._state is not state:
                    self._state_since_s = self._clock.monotonic()
                self._state, self._reason, self._hint = state, reason, hint
            if not self._stopping.is_set():
                self._on_state(state, reason, hint)


_DAMAGED = (
    "A part of the pictures arrives damaged and is left out.",
    "Use TCP as transport, or check cable and network.",
)

_DEVICE_HUNG = "The graphics card ({device}) hung on this camera, which is decoded in software from now on."
_DEVICE_HUNG_HINT = "Update the driver of the graphics card, or switch hardware decoding off in the settings."

_OVERRUN = (
    "This machine cannot decode as fast as this camera sends: pictures are left out so that the newest one is shown.",
    "Ask the camera for fewer or smaller pictures, give it a small stream, or let another machine read some cameras.",
)


class _Damage:
    """Pictures of which a part never arrived: shown and analysed, they would be smears that look like vehicles.

    Attributes:
        n_pictures: Left out since the start.
    """

    def __init__(self) -> None:
        self.n_pictures = 0
        self._last_whole_s = 0.0
        self._waits_for_key = False
        self._at_s: deque[float] = deque(maxlen=64)

    def begin(self, now_s: float) -> None:
        """A stream was opened."""
        self._last_whole_s = now_s
        self._waits_for_key = False

    def leaves_out(self, frame: av.VideoFrame, now_s: float) -> bool:
        """Tell whether nobody should see this picture."""
        is_key = bool(frame.key_frame)
        if frame.is_corrupt:
            # What refers to half a key picture is smeared as well.
            self._waits_for_key = self._waits_for_key or is_key
        elif is_key:
            self._waits_for_key = False
        if not frame.is_corrupt and not self._waits_for_key:
            self._last_whole_s = now_s
            return False
        self._at_s.append(now_s)
        if now_s - self._last_whole_s > DAMAGED_PATIENCE_S:
            return False
        self.n_pictures += 1
        return True

    def is_worth_saying(self, now_s: float) -> bool:
        """Tell whether an operator should know: more than a hiccup of the network."""
        return sum(1 for at_s in self._at_s if now_s - at_s <= _DAMAGE_WINDOW_S) >= _DAMAGE_SAID_FROM


_JUMPED_HINT = "Set its clock by a time server (NTP); of a recorder, see whether it played something twice."


class _Jumps:
    """How often the picture time that a camera sends went back lately: its clock was set, or it began again."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque(maxlen=1000)
        self._by_s = 0.0

    def note(self, by_s: float, now_s: float) -> None:
        """It went back by so much."""
        self._at_s.append(now_s)
        self._by_s = by_s

    def sentence(self, now_s: float) -> str:
        """Say how often and by how much; empty where it was long ago."""
        n = sum(1 for at_s in self._at_s if now_s - at_s <= JUMPS_SHOWN_S)
        if not n:
            return ""
        by = f"by {self._by_s:,.1f} s" if n == 1 else f"{n} times within a minute, last by {self._by_s:,.1f} s"
        return f"The picture time that this camera sends jumped back {by}: pictures go on by the time they arrive."


def _join(thread: threading.Thread | None, deadline_s: float) -> None:
    # Without an ident it could not be started.
    if thread is not None and thread.ident is not None and thread is not threading.current_thread():
        thread.join(max(0.0, deadline_s - time.monotonic()))


class _Passes:
    """What of a looped file is played next: its refrain alone, or the whole."""

    def __init__(self, spec: SourceSpec) -> None:
        self._refrain = spec.refrain if spec.loops else None
        self._until_s = 0.0 if self._refrain is None else self._refrain.until_s
        self._n_left = 0 if self._refrain is None else self._refrain.n_first
        self._begins_after = self._refrain is not None and self._n_left == 0

    def ends_before(self, frames: Sequence[av.VideoFrame]) -> bool:
        """Return whether the refrain is over with these, and comes again."""
        if self._n_left == 0 or not frames or (frames[0].time or 0.0) < self._until_s:
            return False
        self._n_left -= 1
        return True

    def skips(self, frame: av.VideoFrame) -> bool:
        """Return whether a picture belongs to a refrain that is not played."""
        return self._begins_after and (frame.time or 0.0) < self._until_s

    def end(self) -> None:
        """The whole was played."""
        self._n_left = 0 if self._refrain is None else self._refrain.n_times
        self._begins_after = False


class _Pacer:
    """Holds the pictures of a file back until they are due."""

    def __init__(self, clock: Clock, *, is_paced: bool) -> None:
        self.is_paced = is_paced
        self._clock = clock
        self._offset_s: float | None = None

    def wait_for(self, pts_s: float, stopping: threading.Event) -> bool:
        """Wait until the picture at `pts_s` is due; False where the stream was stopped meanwhile."""
        if not self.is_paced:
            return True
        now_s = self._clock.monotonic()
        if self._offset_s is None or now_s - (pts_s + self._offset_s) > _MAX_BEHIND_S:
            self._offset_s = now_s - pts_s
        wait_s = pts_s + self._offset_s - now_s
        return not (wait_s > 0 and stopping.wait(wait_s))
