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
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import av

from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.media.model import SourceSpec, StreamReport, StreamState
from core.media.source import LoginRefusedError, Source, open_source, public_address

STALE_AFTER_S = 1.0
LOST_AFTER_S = 3.0
FIRST_RETRY_S = 0.5
MAX_RETRY_S = 10.0
LOGIN_RETRY_S = 30.0
STUCK_GRACE_S = 2.0
MAX_ABANDONED = 3

_WATCH_PERIOD_S = 0.2
_JITTER = 0.25
_FPS_WINDOW_S = 3.0
# Smart codecs of cameras send a key frame every ten seconds or so; nothing can be decoded before the first.
_UNDECODABLE_AFTER_S = 15.0
# A file that fell behind by more (the machine slept) goes on from here instead of racing after its clock.
_MAX_BEHIND_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFrame:
    """One decoded picture and its three clocks.

    Attributes:
        pts_s: Picture time: rises through loops and reconnects; speeds are computed from this one only.
        received_s: Monotonic clock at its arrival.
        captured_at: Wall time of the picture as far as it is known.
        epoch: Changes when the stream was opened again or changed its size: nothing before it can be followed on.
    """

    frame: av.VideoFrame
    pts_s: float
    received_s: float
    captured_at: datetime
    epoch: int
    is_key: bool


class Timeline:
    """Turns whatever timestamps a source delivers into a picture time that only rises."""

    MAX_STEP_S = 10.0
    _DUPLICATE_S = 0.1
    _LEAST_STEP_S = 0.001

    def __init__(self) -> None:
        """Start at zero with the first picture."""
        self._offset_s = 0.0
        self._source_s: float | None = None
        self._last_s: float | None = None
        self._last_received_s = 0.0
        self._interval_s = 0.04
        self._is_seamless = False

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
        self._source_s, self._last_s, self._last_received_s = source_s, at_s, received_s
        self._is_seamless = False
        return at_s


def retry_delay_s(n_failures: int, error: ConsoleError) -> float:
    """Return how long to wait after `n_failures` (1, 2, …) in a row, spread so that cameras come back one by one."""
    if isinstance(error, LoginRefusedError):
        return LOGIN_RETRY_S * random.uniform(1.0, 1.0 + _JITTER)
    delay_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(n_failures - 1, 16))
    return min(MAX_RETRY_S, delay_s * random.uniform(1.0 - _JITTER, 1.0 + _JITTER))


@dataclass(slots=True)
class _Reader:
    """One reader thread: what it is doing since when, seen by the watch."""

    number: int
    thread: threading.Thread | None = None
    activity: str = "wait"
    since_s: float = 0.0
    is_abandoned: bool = False

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
        self._name = public_address(spec.address)
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
        self._n_failures = 0
        self._failure: ConsoleError | None = None
        self._retry_at_s = 0.0
        self._keyframes_only = False
        self._source: Source | None = None
        self._size = (0, 0)
        self._codec = ""
        self._n_frames = self._n_opened = self._n_abandoned = 0
        self._last_frame_s: float | None = None
        self._last_packet_s: float | None = None
        self._arrivals: deque[float] = deque(maxlen=240)
        self._traffic: deque[tuple[float, int]] = deque(maxlen=16)
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
            self._keyframes_only = only
            if self._source is not None:
                self._source.set_keyframes_only(only)

    def report(self) -> StreamReport:
        """Return state and figures as of now."""
        now_s = self._clock.monotonic()
        with self._lock:
            last_frame_s = self._last_frame_s
            arrivals = [at_s for at_s in self._arrivals if now_s - at_s <= _FPS_WINDOW_S]
            traffic = tuple(self._traffic)
            width, height = self._size
            span_s = arrivals[-1] - arrivals[0] if len(arrivals) > 1 else 0.0
            traffic_s = traffic[-1][0] - traffic[0][0] if len(traffic) > 1 else 0.0
            return StreamReport(
                camera_id=self.camera_id,
                state=self._state,
                reason=self._reason,
                hint=self._hint,
                since_s=max(0.0, now_s - self._state_since_s),
                frame_age_s=None if last_frame_s is None else max(0.0, now_s - last_frame_s),
                width=width,
                height=height,
                codec=self._codec,
                fps=(len(arrivals) - 1) / span_s if span_s > 0 else 0.0,
                n_frames=self._n_frames,
                n_reconnects=max(0, self._n_opened - 1),
                bytes_per_s=(traffic[-1][1] - traffic[0][1]) / traffic_s if traffic_s > 0 else 0.0,
                n_abandoned=self._n_abandoned,
            )

    # The reader

    def _start_reader(self) -> None:
        reader = _Reader(number=self._n_abandoned)
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
            wait_s = self._retry_at_s - self._clock.monotonic()
            if wait_s > 0 and self._stopping.wait(wait_s):
                return
            try:
                self._open_and_play(reader)
                return
            except ConsoleError as error:
                if not self._goes_on(reader):
                    return
                self._note_failure(error)

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
                source.set_keyframes_only(self._keyframes_only)
                self._epoch += 1
                self._n_opened += 1
                self._codec = source.codec
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
        first_pts_s: float | None = None
        n_in_this_pass = 0
        n_decoded = 0
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
                n_in_this_pass = 0
                source.rewind()
                self._timeline.rewound()
                continue
            if not n_decoded and not frames and received_s - opened_s > _UNDECODABLE_AFTER_S and source.n_broken:
                raise BadInputError(
                    f"{self._name} sends pictures that cannot be decoded.", hint="Set the camera to H.264 or H.265."
                )
            n_in_this_pass += len(frames)
            n_decoded += len(frames)
            for frame in frames:
                pts_s = self._timeline.place(frame.time if source.is_timed else received_s, received_s)
                if first_pts_s is None:
                    first_pts_s = pts_s
                if not pacer.wait_for(pts_s, self._stopping) or not self._goes_on(reader):
                    return
                at_s = self._clock.monotonic() if pacer.is_paced else received_s
                captured_at = (
                    self._clock.now()
                    if self._spec.realtime or source.is_live
                    else opened_at + timedelta(seconds=pts_s - first_pts_s)
                )
                self._hand_on(frame, pts_s, at_s, captured_at)

    def _hand_on(self, frame: av.VideoFrame, pts_s: float, received_s: float, captured_at: datetime) -> None:
        size = (frame.width, frame.height)
        with self._lock:
            if self._size not in {(0, 0), size}:
                self._epoch += 1
            self._size = size
            self._n_frames += 1
            self._last_frame_s = received_s
            self._arrivals.append(received_s)
            self._n_failures = 0
            self._failure = None
            epoch = self._epoch
        picture = StreamFrame(
            frame=frame,
            pts_s=pts_s,
            received_s=received_s,
            captured_at=captured_at,
            epoch=epoch,
            is_key=bool(frame.key_frame),
        )
        try:
            self._on_frame(picture)
        except ConsoleError as error:
            # The camera is well, but its picture does not get through: calling it again would not help.
            self._set_state(StreamState.UNUSABLE, error.message, error.hint)
            return
        self._set_state(StreamState.LIVE, "", "")

    def _note_packet(self, reader: _Reader, source: Source, received_s: float) -> bool:
        """Count what came; False where this reader has been given up meanwhile."""
        with self._lock:
            if not self._goes_on(reader):
                return False
            self._last_packet_s = received_s
            if not self._traffic or received_s - self._traffic[-1][0] >= 0.25:
                self._traffic.append((received_s, source.n_bytes))
            return True

    def _note_failure(self, error: ConsoleError) -> None:
        now_s = self._clock.monotonic()
        with self._lock:
            self._n_failures += 1
            self._failure = error
            self._retry_at_s = now_s + retry_delay_s(self._n_failures, error)
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
        while not self._stopping.wait(_WATCH_PERIOD_S):
            self._replace_stuck_reader()
            self._watch_age()

    def _watch_age(self) -> None:
        """Declare the picture stale or lost by its age."""
        with self._state_lock:
            if self._state not in {StreamState.LIVE, StreamState.STALE}:
                return
            with self._lock:
                # Without key frames nothing is decoded for seconds; what arrives tells that the camera is there.
                newest_s = self._last_packet_s if self._keyframes_only and self._source else self._last_frame_s
                failure = self._failure
                intervals = len(self._arrivals) - 1
                usual_s = (self._arrivals[-1] - self._arrivals[0]) / intervals if intervals > 0 else 0.0
            age_s = self._clock.monotonic() - (newest_s if newest_s is not None else self._state_since_s)
            # A camera of one picture in two seconds is not stale after one.
            patience_s = min(2.0 * usual_s, 60.0)
            if age_s > max(LOST_AFTER_S, patience_s):
                reason = failure.message if failure else f"{self._name} sends no pictures any more."
                hint = failure.hint if failure else "Check the camera's power and cable."
                self._set_state(StreamState.LOST, reason, hint)
            elif age_s > max(STALE_AFTER_S, patience_s):
                self._set_state(StreamState.STALE, "The picture stands still.", "")

    def _replace_stuck_reader(self) -> None:
        with self._lock:
            reader = self._reader
            if reader is None or self._stopping.is_set():
                return
            error = None if reader.is_abandoned else self._trouble_of(reader)
            if error is not None:
                reader.is_abandoned = True
                self._source = None
                self._n_abandoned += 1
                self._abandoned.append(reader)
                self._n_failures += 1
                self._failure = error
                self._retry_at_s = self._clock.monotonic() + retry_delay_s(self._n_failures, error)
            self._abandoned = [old for old in self._abandoned if old.is_alive]
            # Each reader that hangs holds memory and a socket: from the fourth on, wait until one comes back.
            if reader.is_abandoned and len(self._abandoned) < MAX_ABANDONED:
                self._start_reader()
        if error is not None:
            log.warning("camera %s: %s A new reader takes over.", self.camera_id, error.message)
            if self._state is not StreamState.LIVE:
                self._set_state(StreamState.LOST, error.message, error.hint)

    def _trouble_of(self, reader: _Reader) -> ConsoleError | None:
        if not reader.is_alive and self._state is not StreamState.ENDED:
            return UnavailableError(f"The reader of {self._name} broke.", hint="Report it; the log says more.")
        limit_s = self._spec.open_timeout_s if reader.activity == "open" else self._spec.read_timeout_s
        if reader.activity == "wait" or time.monotonic() - reader.since_s <= limit_s + STUCK_GRACE_S:
            return None
        return UnavailableError(
            f"{self._name} does not answer in time.", hint="Check the camera's power, cable and address."
        )

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


def _join(thread: threading.Thread | None, deadline_s: float) -> None:
    if thread is not None and thread is not threading.current_thread():
        thread.join(max(0.0, deadline_s - time.monotonic()))


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
