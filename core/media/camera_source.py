"""One camera with a large and a small stream of the same picture: reads the one that is needed, changes without a gap.

Only one stream is read at a time, apart from the moments of a change: what is shown is what is analysed, so that boxes
lie on their vehicles to the picture. The small stream is enough for detection and for most tiles, at a tenth of the
work; a large or zoomed tile brings the main stream. Where the wanted one fails, the other one stands in and says so.

What is drawn (masks, lines, bays) lies where it was drawn only on pictures of the main stream's shape: a 4:3 crop of a
16:9 picture would bare what a privacy mask covers. So of a camera with a drawing the small stream is shown only after
the main one's shape was seen and found to be the same. Where the main stream itself changes its shape (a camera set
back to how it left its factory), nobody knows where in it the private parts are: all is black until somebody does.
Where nothing is private, rules go on with what was drawn, and that it may lie elsewhere is said.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from core.kernel.clock import Clock, SystemClock
from core.media.masks import WHOLE, Polygon, PrivacyMask
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

SAME_SHAPE = 0.03
"""Width over height of the two streams may differ by this much: encoders round sizes to blocks of pixels."""

SHAPE_KEPT_S = 600.0
"""A small stream of another shape is looked at again after this long: somebody may have set the camera right."""

RESIZED_SHOWN_S = 60.0
"""So long is said that pictures have another size, where that moves nothing that is drawn."""

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

_OTHER_SHAPE = "The small stream shows another part of the picture ({sub}) than the large one ({main})"
_NOT_USED = f"{_OTHER_SHAPE}: what is drawn would lie elsewhere on it, so only the large one is used."
_NOTHING_DRAWN = f"{_OTHER_SHAPE}; once something is drawn, only the large one is used."
_SAME_SHAPE_HINT = "Set both streams of the camera to the same shape."
_RESHAPED = (
    "The picture has another shape ({now}) than the one that its privacy masks were drawn on ({drawn}): all is black, "
    "for nobody knows where in it the private parts are."
)
_RESHAPED_HINT = (
    "Set the camera back to the shape that it had, draw its masks anew, or say in its scene that the view is right."
)
_ELSEWHERE = (
    "The picture has another shape ({now}) than the one that this camera's scene was drawn on ({drawn}): zones, lines, "
    "bays and road plane lie elsewhere in it. Rules go on, and what is counted and called there may be wrong."
)
_ELSEWHERE_HINT = (
    "Set the camera back to the shape that it had, draw its scene anew, or say in it that the view is right."
)
_RESIZED = "The pictures of this camera were {before} until lately and are {now}."
_RESIZED_HINT = "Nothing has to be done: what is drawn lies where it lay. Who was followed just then is followed anew."
_RESIZED_BARE_HINT = "Nothing has to be done: nothing is drawn on this camera."
_MASKS_UNSURE = "The small stream is not shown in its place: whether privacy masks cover it is not known yet."


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
        is_drawn_on: bool = False,
        on_frame: Callable[[StreamFrame], None],
        on_state: Callable[[StreamState, str, str], None],
        clock: Clock | None = None,
        first_epoch: int = 1,
        masked_whs: Sequence[tuple[int, int] | None] = (),
        drawn_wh: tuple[int, int] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            camera_id: For logs and reports.
            spec: The main stream.
            sub_spec: The small stream; None where the camera has one stream only.
            privacy: Parts of the picture that are black before anyone gets it.
            is_drawn_on: Something else is drawn on the picture too.
            on_frame: Takes each picture.
            on_state: Hears of each change of state.
            clock: Of this machine.
            first_epoch: Of the first picture.
            masked_whs: Of the main stream's pictures that each of `privacy` was drawn on [px]; None for a new one.
            drawn_wh: The same of what is drawn apart from masks; None where it is new.
        """
        self.camera_id = camera_id
        # A small picture costs less to decode than to fetch from a graphics card.
        sub = None if sub_spec is None else replace(sub_spec, hardware="")
        self._specs = {Role.MAIN: spec} if sub is None else {Role.MAIN: spec, Role.SUB: sub}
        self._mask = PrivacyMask(privacy)
        self._whole = PrivacyMask((WHOLE,))
        self._hides_all = False
        self._has_masks = bool(privacy)
        self._masked_whs = tuple(masked_whs) or (None,) * len(privacy)
        self._drawn_wh = drawn_wh
        self._resized: tuple[float, tuple[int, int]] | None = None
        self._is_drawn_on = is_drawn_on
        self._shapes: dict[Role, tuple[int, int]] = {}
        self._compared_s = 0.0
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
        chooser = threading.Thread(target=self._choose_forever, name=f"choose {self.camera_id}", daemon=True)
        chooser.start()
        self._chooser = chooser

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

    def hide_all(self) -> None:
        """Blacken whole pictures where parts are private: nobody knows any more where in them those parts are."""
        if self._has_masks:
            with self._hand_lock:
                self._hides_all = True

    def hide_parts(self) -> None:
        """Blacken the private parts only, as they were drawn."""
        with self._hand_lock:
            self._hides_all = False

    @property
    def masked_whs(self) -> tuple[tuple[int, int] | None, ...]:
        """Upright sizes of the main stream's pictures that the privacy masks belong to [px]; None before the first."""
        return self._masked_whs

    @property
    def drawn_wh(self) -> tuple[int, int] | None:
        """Upright size of the main stream's pictures that what else is drawn belongs to [px]; None before the first."""
        return self._drawn_wh

    @property
    def is_reshaped(self) -> bool:
        """All is black, because the main stream has another shape than a privacy mask of it was drawn on."""
        return self._other_masked_wh is not None

    @property
    def _other_masked_wh(self) -> tuple[int, int] | None:
        """What a mask was drawn on that does not fit the pictures of now."""
        return next((wh for wh in self._masked_whs if wh is not None and self._is_other_shape(wh)), None)

    def _is_other_shape(self, wh: tuple[int, int]) -> bool:
        now_wh = self._shapes.get(Role.MAIN)
        return now_wh is not None and not is_same_shape(now_wh, wh)

    def accept_shape(self) -> None:
        """What is drawn lies right on what the camera shows now, privacy masks included."""
        with self._hand_lock:
            now_wh = self._shapes.get(Role.MAIN)
            self._masked_whs = (now_wh,) * len(self._masked_whs)
            self._drawn_wh = now_wh
            self._resized = None

    def set_view(self, view_wh: tuple[int, int] | None) -> None:
        """Tell how large the camera is shown [px]; None where nobody looks."""
        self._view_wh = view_wh
        self._wake.set()

    def set_drawn_on(self, is_drawn_on: bool) -> None:
        """Tell whether something is drawn on the picture, privacy masks apart."""
        self._is_drawn_on = is_drawn_on
        self._wake.set()

    def report(self) -> StreamReport:
        """Return state and figures as of now; where another stream than the wanted one is shown, the reason says so."""
        with self._lock:
            legs, wanted, retired = dict(self._legs), self._wanted, self._retired
        reports = {role: leg.stream.report() for role, leg in legs.items()}
        found = self._with_shapes(self._combined(reports, wanted))
        now_s = self._clock.monotonic()
        if not self.has_sub:
            return replace(found, n_frames=self._n_frames)
        every = (*reports.values(), retired)
        return replace(
            found,
            since_s=max(0.0, now_s - self._state_since_s),
            frame_age_s=None if self._last_pts_s is None else max(0.0, now_s - self._last_received_s),
            n_frames=self._n_frames,
            n_dropped=sum(report.n_dropped for report in every),
            n_reconnects=sum(report.n_reconnects for report in every),
            n_abandoned=sum(report.n_abandoned for report in every),
            is_stuck=any(report.is_stuck for report in reports.values()),
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
        wanted = self._choice.wanted(self._view_wh, self._sub_wh, now_s)
        if wanted is Role.SUB and self._needs_main(now_s):
            wanted = Role.MAIN
        self._wanted = wanted
        other = Role.SUB if wanted is Role.MAIN else Role.MAIN
        if wanted not in self._legs:
            self._open(wanted)
            return
        if _needs_stand_in(self._legs[wanted].stream.report()):
            if other not in self._legs and not (other is Role.SUB and self._must_hide_sub):
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
                n_dropped=known.n_dropped + gone.n_dropped,
                n_reconnects=known.n_reconnects + gone.n_reconnects,
                n_abandoned=known.n_abandoned + gone.n_abandoned,
                n_damaged=known.n_damaged + gone.n_damaged,
            )

    # Whether the streams show the same

    @property
    def _has_other_shape(self) -> bool:
        """The small stream is known to show another part of the picture."""
        shapes = self._shapes
        return len(shapes) > 1 and not is_same_shape(shapes[Role.MAIN], shapes[Role.SUB])

    def _needs_main(self, now_s: float) -> bool:
        """Tell whether what is drawn would lie elsewhere on the small stream, or nobody knows yet."""
        if not (self._has_masks or self._is_drawn_on):
            return False
        is_known_lately = self._has_other_shape and now_s - self._compared_s < SHAPE_KEPT_S
        return Role.MAIN not in self._shapes or is_known_lately

    @property
    def _must_hide_sub(self) -> bool:
        """Not even where the main stream is away may the small one be shown."""
        is_unsure = self._has_masks and Role.MAIN not in self._shapes
        return is_unsure or (self._has_other_shape and (self._has_masks or self._is_drawn_on))

    def _note_shape(self, leg: _Leg, frame: StreamFrame) -> None:
        if leg.role is Role.SUB:
            self._compared_s = frame.received_s
        shape = _upright_wh(frame)
        known = self._shapes.get(leg.role)
        if known == shape:
            return
        self._shapes[leg.role] = shape
        if leg.role is Role.MAIN:
            self._masked_whs = tuple(wh or shape for wh in self._masked_whs)
            self._drawn_wh = self._drawn_wh or shape
            if known is not None:
                self._note_resized(known, shape, frame.received_s)
        if self.is_reshaped:
            log.warning("camera %s: %s %s", self.camera_id, self._reshaped_sentence(), _RESHAPED_HINT)
        elif self._has_other_shape:
            log.warning("camera %s: %s %s", self.camera_id, self._shape_sentence(), _SAME_SHAPE_HINT)
        self._wake.set()

    def _note_resized(self, known: tuple[int, int], shape: tuple[int, int], received_s: float) -> None:
        is_news = self._resized is None or received_s - self._resized[0] > RESIZED_SHOWN_S
        self._resized = (received_s, known)
        # Once: a camera may change its size again and again.
        if is_news:
            log.warning("camera %s: its picture was %dx%d and is %dx%d now", self.camera_id, *known, *shape)

    def _shape_sentence(self) -> str:
        sizes = {role.value: "{}x{}".format(*wh) for role, wh in self._shapes.items()}
        return (_NOT_USED if self._has_masks or self._is_drawn_on else _NOTHING_DRAWN).format(**sizes)

    def _reshaped_sentence(self) -> str:
        now, drawn = self._shapes[Role.MAIN], self._other_masked_wh or (0, 0)
        return _RESHAPED.format(now="{}x{}".format(*now), drawn="{}x{}".format(*drawn))

    def _with_shapes(self, found: StreamReport) -> StreamReport:
        """Say what the shapes of the streams mean for the picture, beside what there is to say anyway."""
        if self.is_reshaped:
            said, hint = self._reshaped_sentence(), _RESHAPED_HINT
        elif self._is_drawn_on and self._drawn_wh is not None and self._is_other_shape(self._drawn_wh):
            now, drawn = ("{}x{}".format(*wh) for wh in (self._shapes[Role.MAIN], self._drawn_wh))
            said, hint = _ELSEWHERE.format(now=now, drawn=drawn), _ELSEWHERE_HINT
        elif self._has_other_shape:
            said, hint = self._shape_sentence(), _SAME_SHAPE_HINT
        elif self.has_sub and self._must_hide_sub and found.state in {StreamState.LOST, StreamState.UNUSABLE}:
            said, hint = _MASKS_UNSURE, ""
        elif (resized := self._resized_sentence()) and found.state is StreamState.LIVE and not found.reason:
            is_drawn_on = self._has_masks or self._is_drawn_on
            said, hint = resized, _RESIZED_HINT if is_drawn_on else _RESIZED_BARE_HINT
        else:
            return found
        return replace(found, reason=f"{found.reason} {said}".strip(), hint=found.hint or hint)

    def _resized_sentence(self) -> str:
        resized, now_wh = self._resized, self._shapes.get(Role.MAIN)
        if resized is None or now_wh is None or self._clock.monotonic() - resized[0] > RESIZED_SHOWN_S:
            return ""
        return _RESIZED.format(before="{}x{}".format(*resized[1]), now="{}x{}".format(*now_wh))

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
            self._note_shape(leg, frame)
            if leg.role is Role.SUB and self._must_hide_sub:
                return
            if leg is not self._shown:
                if not self._may_take_over(leg, frame):
                    leg.previous = (frame.pts_s, frame.received_s)
                    return
                self._show(leg, frame)
            placed = self._placed(leg, frame)
            self._n_frames += 1
            self._last_pts_s, self._last_received_s = placed.pts_s, placed.received_s
            mask = self._whole if self._hides_all or self.is_reshaped else self._mask
            self._on_frame(replace(placed, frame=mask.blacken(frame.frame)))

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
        if self._last_pts_s is None or gap_s > STALE_AFTER_S or self._has_other_shape:
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


def _upright_wh(frame: StreamFrame) -> tuple[int, int]:
    picture = frame.frame
    return (picture.height, picture.width) if picture.rotation % 180 else (picture.width, picture.height)


def is_same_shape(one_wh: tuple[int, int], other_wh: tuple[int, int]) -> bool:
    """Tell whether two pictures of these sizes [px] can be of the same part of the world."""
    ratio = one_wh[0] * other_wh[1] / (one_wh[1] * other_wh[0])
    return 1.0 / (1.0 + SAME_SHAPE) <= ratio <= 1.0 + SAME_SHAPE


def _needs_stand_in(report: StreamReport) -> bool:
    match report.state:
        case StreamState.LOST | StreamState.UNUSABLE:
            return True
        case StreamState.CONNECTING | StreamState.STALE:
            return report.since_s > STAND_IN_AFTER_S
        case _:
            # A refused password is the same for both: asking twice may lock the account.
            return False
