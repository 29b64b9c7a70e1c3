"""One camera with a large and a small stream of the same picture: reads the one that is needed, changes without a gap.

Only one stream is read at a time, apart from the moments of a change: what is shown is what is analysed, so that boxes
lie on their vehicles to the picture. The small stream is enough for detection and for most tiles, at a tenth of the
work; a large or zoomed tile brings the main stream. Where the wanted one fails, the other one stands in and says so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.kernel.clock import Clock, SystemClock
from core.media.masks import Polygon, PrivacyMask
from core.media.model import SourceSpec, StreamReport, StreamState
from core.media.stream import STALE_AFTER_S, CameraStream, StreamFrame

UP_SCALE = 1.2
"""A tile that enlarges the small stream by more gets the main one."""

DOWN_SCALE = 1.0
UP_AFTER_S = 0.25
"""A window that is being drawn larger does not open a stream at each step."""

DOWN_AFTER_S = 4.0
"""Whoever zooms out often zooms in again."""

STAND_IN_AFTER_S = 0.6
"""Stale or unanswered for so long: the other stream is called."""

ASSUMED_SUB_WH = (640, 360)

_LOOK_EVERY_S = 0.2
_CAUGHT_UP_WITHIN_S = 1.0
_RETIRE_AFTER_S = 0.5
_STOP_TIMEOUT_S = 1.0

log = logging.getLogger(__name__)


class Role(StrEnum):
    """Which of a camera's two streams."""

    MAIN = "main"
    SUB = "sub"


_NAMES = {Role.MAIN: "large", Role.SUB: "small"}


class StreamChoice:
    """Decides which stream a tile of some size needs: quick to the main stream, slow back."""

    def __init__(self) -> None:
        """Begin without an opinion: the first answer comes at once."""
        self._role: Role | None = None
        self._other_since_s: float | None = None

    def wanted(self, view_wh: tuple[int, int] | None, sub_wh: tuple[int, int], now_s: float) -> Role:
        """Return the stream to read.

        Args:
            view_wh: Largest tile that shows the camera [px], zoom included; None where nobody looks.
            sub_wh: Of the small stream's pictures [px].
            now_s: Monotonic.
        """
        needed = self._needed(view_wh, sub_wh)
        if self._role is None or needed is self._role:
            self._role, self._other_since_s = needed, None
            return needed
        if self._other_since_s is None:
            self._other_since_s = now_s
        if now_s - self._other_since_s >= (UP_AFTER_S if needed is Role.MAIN else DOWN_AFTER_S):
            self._role, self._other_since_s = needed, None
        return self._role

    def _needed(self, view_wh: tuple[int, int] | None, sub_wh: tuple[int, int]) -> Role:
        if view_wh is None:
            return Role.SUB
        scale = min(view_wh[0] / sub_wh[0], view_wh[1] / sub_wh[1])
        if scale > UP_SCALE:
            return Role.MAIN
        return Role.SUB if scale <= DOWN_SCALE or self._role is None else self._role


@dataclass(eq=False)
class _Leg:
    """One of the two streams while it is open.

    Attributes:
        offset_s: From its own picture time to the camera's; None before it is shown.
        epoch: Its own, of its newest picture.
        previous: Its last picture's own time and arrival, while it is not shown.
    """

    role: Role
    stream: CameraStream = field(init=False)
    offset_s: float | None = None
    epoch: int = 0
    first_s: float | None = None
    previous: tuple[float, float] | None = None


class CameraSource:
    """A `CameraStream` that reads whichever of a camera's two streams is needed, and blackens what nobody may see.

    `on_frame(frame)` runs on a reader thread, one at a time, as with `CameraStream`; picture time only rises through
    changes of the stream, and the epoch stays: positions are fractions of the frame, so that tracks live on.

    Threads: every method from any thread.
    """

    def __init__(
        self,
        camera_id: str,
        spec: SourceSpec,
        *,
        sub_spec: SourceSpec | None = None,
        privacy: Sequence[Polygon] = (),
        on_frame: Callable[[StreamFrame], None],
        on_state: Callable[[StreamState, str, str], None],
        clock: Clock | None = None,
        first_epoch: int = 1,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            camera_id: For logs and reports.
            spec: The main stream.
            sub_spec: The small stream; None where the camera has one stream only.
            privacy: Parts of the picture that are black before anyone gets it.
            on_frame: Takes each picture.
            on_state: Hears of each change of state.
            clock: Of this machine.
            first_epoch: Of the first picture.
        """
        self.camera_id = camera_id
        # A small picture costs less to decode than to fetch from a graphics card.
        sub = None if sub_spec is None else replace(sub_spec, hardware="")
        self._specs = {Role.MAIN: spec} if sub is None else {Role.MAIN: spec, Role.SUB: sub}
        self._mask = PrivacyMask(privacy)
        self._on_frame = on_frame
        self._on_state = on_state
        self._clock = clock or SystemClock()
        self._choice = StreamChoice()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._chooser: threading.Thread | None = None
        self._lock = threading.Lock()
        self._hand_lock = threading.Lock()
        self._legs: dict[Role, _Leg] = {}
        self._wanted = Role.MAIN
        self._shown: _Leg | None = None
        self._shown_since_s = 0.0
        self._view_wh: tuple[int, int] | None = None
        self._sub_wh = ASSUMED_SUB_WH
        self._keyframes_only = False
        self._epoch = first_epoch - 1
        self._n_frames = 0
        self._last_pts_s: float | None = None
        self._last_received_s = 0.0
        self._retired = StreamReport(camera_id=camera_id, state=StreamState.CONNECTING)
        self._told: tuple[StreamState, str] | None = None
        self._state_since_s = self._clock.monotonic()

    @property
    def has_sub(self) -> bool:
        """The camera has a small stream."""
        return Role.SUB in self._specs

    def start(self) -> None:
        """Begin to read."""
        if self._chooser is not None or self._legs:
            return
        if not self.has_sub:
            self._open(Role.MAIN)
            return
        self._choose()
        self._chooser = threading.Thread(target=self._choose_forever, name=f"choose {self.camera_id}", daemon=True)
        self._chooser.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Stop reading; returns whether every reader ended in time. One that hangs never calls back again."""
        deadline_s = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake.set()
        if self._chooser is not None and self._chooser is not threading.current_thread():
            self._chooser.join(timeout_s)
        with self._lock:
            legs = tuple(self._legs.values())
        has_ended = [leg.stream.stop(max(0.05, deadline_s - time.monotonic())) for leg in legs]
        return all(has_ended)

    def set_keyframes_only(self, only: bool) -> None:
        """Decode key frames only: enough for a tile nobody looks at, at a tenth of the work."""
        with self._lock:
            self._keyframes_only = only
            for leg in self._legs.values():
                leg.stream.set_keyframes_only(only)

    def set_view(self, view_wh: tuple[int, int] | None) -> None:
        """Tell how large the camera is shown [px]; None where nobody looks."""
        self._view_wh = view_wh
        self._wake.set()

    def report(self) -> StreamReport:
        """Return state and figures as of now; where another stream than the wanted one is shown, the reason says so."""
        with self._lock:
            legs, wanted, retired = dict(self._legs), self._wanted, self._retired
        reports = {role: leg.stream.report() for role, leg in legs.items()}
        found = self._combined(reports, wanted)
        now_s = self._clock.monotonic()
        if not self.has_sub:
            return replace(found, n_frames=self._n_frames)
        every = (*reports.values(), retired)
        return replace(
            found,
            since_s=max(0.0, now_s - self._state_since_s),
            frame_age_s=None if self._last_pts_s is None else max(0.0, now_s - self._last_received_s),
            n_frames=self._n_frames,
            n_reconnects=sum(report.n_reconnects for report in every),
            n_abandoned=sum(report.n_abandoned for report in every),
            n_damaged=sum(report.n_damaged for report in every),
            bytes_per_s=sum(report.bytes_per_s for report in reports.values()),
        )

    # Which stream

    def _choose_forever(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(_LOOK_EVERY_S)
            self._wake.clear()
            if not self._stopping.is_set():
                self._choose()
                self._tell()

    def _choose(self) -> None:
        """Open what is needed, and hang up what is not."""
        now_s = self._clock.monotonic()
        self._wanted = wanted = self._choice.wanted(self._view_wh, self._sub_wh, now_s)
        other = Role.SUB if wanted is Role.MAIN else Role.MAIN
        if wanted not in self._legs:
            self._open(wanted)
            return
        if _needs_stand_in(self._legs[wanted].stream.report()):
            if other not in self._legs:
                log.warning("camera %s: the %s stream is called instead", self.camera_id, _NAMES[other])
                self._open(other)
            return
        is_settled = self._shown is self._legs[wanted] and now_s - self._shown_since_s > _RETIRE_AFTER_S
        if other in self._legs and is_settled:
            self._retire(other)

    def _open(self, role: Role) -> None:
        leg = _Leg(role=role)
        leg.stream = CameraStream(
            self.camera_id,
            self._specs[role],
            on_frame=lambda frame: self._take(leg, frame),
            on_state=self._heard if self.has_sub else self._on_state,
            clock=self._clock,
        )
        with self._lock:
            self._legs[role] = leg
            leg.stream.set_keyframes_only(self._keyframes_only)
        leg.stream.start()

    def _retire(self, role: Role) -> None:
        with self._lock:
            leg = self._legs.pop(role)
        leg.stream.stop(_STOP_TIMEOUT_S)
        gone, known = leg.stream.report(), self._retired
        with self._lock:
            self._retired = replace(
                known,
                n_reconnects=known.n_reconnects + gone.n_reconnects,
                n_abandoned=known.n_abandoned + gone.n_abandoned,
                n_damaged=known.n_damaged + gone.n_damaged,
            )

    def _heard(self, state: StreamState, reason: str, hint: str) -> None:
        del state, reason, hint
        self._wake.set()

    def _tell(self) -> None:
        report = self.report()
        if self._told is None or self._told[0] is not report.state:
            self._state_since_s = self._clock.monotonic()
        if self._told != (report.state, report.reason):
            self._told = (report.state, report.reason)
            self._on_state(report.state, report.reason, report.hint)

    def _combined(self, reports: dict[Role, StreamReport], wanted: Role) -> StreamReport:
        shown = self._shown.role if self._shown is not None else wanted
        meant = reports.get(wanted)
        seen = reports.get(shown, meant)
        if seen is None:
            return StreamReport(camera_id=self.camera_id, state=StreamState.CONNECTING)
        seen = replace(seen, is_sub=shown is Role.SUB)
        if shown is wanted or meant is None:
            return seen
        if seen.state is not StreamState.LIVE:
            return replace(meant, is_sub=wanted is Role.SUB)
        if meant.state is StreamState.LIVE or not meant.reason:
            return seen
        return replace(
            seen,
            reason=f"The {_NAMES[wanted]} stream does not come, the {_NAMES[shown]} one is shown. {meant.reason}",
            hint=meant.hint,
        )

    # Pictures

    def _take(self, leg: _Leg, frame: StreamFrame) -> None:
        with self._hand_lock:
            if self._stopping.is_set():
                return
            if leg.role is Role.SUB:
                self._sub_wh = (frame.frame.width, frame.frame.height)
            if leg is not self._shown:
                if not self._may_take_over(leg, frame):
                    leg.previous = (frame.pts_s, frame.received_s)
                    return
                self._show(leg, frame)
            placed = self._placed(leg, frame)
            self._n_frames += 1
            self._last_pts_s, self._last_received_s = placed.pts_s, placed.received_s
            self._on_frame(replace(placed, frame=self._mask.blacken(frame.frame)))

    def _may_take_over(self, leg: _Leg, frame: StreamFrame) -> bool:
        if leg is not self._legs.get(leg.role):
            return False  # It is being hung up.
        if leg.first_s is None:
            leg.first_s = frame.received_s
        shown = self._shown
        is_dark = shown is None or frame.received_s - self._last_received_s > STALE_AFTER_S
        if leg.role is not self._wanted:
            return is_dark and (shown is None or shown.stream.report().state is not StreamState.LIVE)
        if is_dark or leg.previous is None:
            return is_dark
        # A camera may begin with what it has kept: seconds of pictures at once, older than what is shown.
        pts_s, received_s = leg.previous
        is_at_its_pace = frame.received_s - received_s >= 0.5 * (frame.pts_s - pts_s)
        return is_at_its_pace or frame.received_s - leg.first_s > _CAUGHT_UP_WITHIN_S

    def _show(self, leg: _Leg, frame: StreamFrame) -> None:
        gap_s = frame.received_s - self._last_received_s
        if self._last_pts_s is None or gap_s > STALE_AFTER_S:
            self._epoch += 1
        at_s = frame.pts_s if self._last_pts_s is None else self._last_pts_s + max(gap_s, 0.001)
        leg.offset_s = at_s - frame.pts_s
        leg.epoch = frame.epoch
        if self._shown is not None:
            log.info("camera %s shows its %s stream", self.camera_id, _NAMES[leg.role])
            self._shown.previous = None
        self._shown = leg
        self._shown_since_s = self._clock.monotonic()
        self._wake.set()

    def _placed(self, leg: _Leg, frame: StreamFrame) -> StreamFrame:
        if frame.epoch != leg.epoch:
            leg.epoch = frame.epoch
            self._epoch += 1
        return replace(frame, pts_s=frame.pts_s + (leg.offset_s or 0.0), epoch=self._epoch)


def _needs_stand_in(report: StreamReport) -> bool:
    match report.state:
        case StreamState.LOST | StreamState.UNUSABLE:
            return True
        case StreamState.CONNECTING | StreamState.STALE:
            return report.since_s > STAND_IN_AFTER_S
        case _:
            # A refused password is the same for both: asking twice may lock the account.
            return False
