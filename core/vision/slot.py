"""One camera inside its worker: stream, tile pictures, motion gate, looks for the detector, tracker and rules."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import av
import numpy as np

from core.kernel.clock import SystemClock
from core.kernel.errors import ConsoleError, UnavailableError
from core.media.camera_source import CameraSource, is_same_shape
from core.media.convert import Letterbox, TileScaler, to_jpeg
from core.media.masks import black_picture
from core.media.model import StreamReport, StreamState
from core.media.ring import USUAL_WH, FrameRing, TrackMark
from core.media.stream import StreamFrame
from core.vision.analyse import Analysed, CameraAnalyser
from core.vision.camera_condition import RARE_PICTURES_S
from core.vision.classes import missing_classes, missing_for_counts, missing_for_rules, other_classes
from core.vision.decode import FloatArray
from core.vision.detail import Detail, detail_areas, detail_of, merge_detail, missing_upright
from core.vision.detector_link import Asks
from core.vision.flow import FlowMinute
from core.vision.gate import MotionGate, Movement, heartbeat_s, small_grey
from core.vision.look_back import ClipPicture, LookBack
from core.vision.looks import N_SLOTS, LookWriter
from core.vision.messages import (
    BaysPictured,
    CameraJob,
    ClipKept,
    CloseLooks,
    LookAt,
    Looked,
    Measured,
    Observed,
    OpenLooks,
    RulesReset,
    ViewLearned,
)
from core.vision.model import AT_THE_CAMERA, UNREADABLE, EngineInfo, Observation, ObservationKind, Phase, Track
from core.vision.schedule import ATTENTION, MOTION, QUIET, is_due, next_due_s
from core.vision.tuning import Tuning
from core.vision.view import LIT, LearnedView, print_of_drawing, print_of_part, prints_of_view

log = logging.getLogger(__name__)

_T = TypeVar("_T")

SNAPSHOT_WH = (1280, 720)
BAYS_WH, BAYS_QUALITY = (2560, 1440), 90
"""Of pictures in which bays are looked at: small ones need every pixel, and edges without a codec's ringing."""

DETAIL_WH = (2560, 1440)
"""What is small and far away is found in the large stream: the small one has no more of it than the network sees."""

SILENT_KINDS = (ObservationKind.ZONE_ENTERED, ObservationKind.LINE_CROSSED)
"""They are counted and call nobody: no picture is kept of them."""

RATE_WINDOW_S = 5.0
ANSWER_S = 12.0
"""An answer that takes longer does not come; the camera asks again. An inference server may take seconds for one."""

SILENT_AFTER_S = 3.0
"""Where no look was answered with boxes for this long, somebody should know that nothing is detected."""

SILENT_AFTER_ANSWERS = 2.0
"""As above, in answers: a detector that takes seconds for one is slow and not silent."""

OVERLOADED_SILENT_AFTER_S = 10.0
"""As long as an overloaded detector, which says that it is, may need to come to every camera in turn."""

LOGGED_BREAKS = 10
BREAKS_SHOWN_S = 600.0

OVERLOADED = "This machine cannot look as often as asked: every camera gets {percent:.0f} % of its rate."
NO_DETECTOR = "Nothing is detected now: the detector is away or still loading. Pictures go on."
SILENT_DETECTOR = "Nothing is detected now: the detector does not answer. Pictures go on."
UNDERSAMPLED = (
    "Looked at fewer than three times a second: vehicles may pass unseen, so its minutes are not complete. "
    "Ask for more pictures a second in its settings, or from the camera."
)
WATCH_PER_S = 1.0
"""Where no detector looks, so many pictures a second say whether the camera is covered, frozen or moved."""

WAVERS_S = 5.0
"""Of a camera that nobody looks at, all pictures are decoded for so long after one that spoke against what is told."""

WATCH_WH = (640, 384)
"""Of such a picture, as long as no network says what it takes."""

SLOW_S = 1.0
"""Who needs so long for an answer cannot look three times a second, whatever is asked for."""

SLOW = (
    "The detector takes {seconds:.1f} s for a look: vehicles may pass unseen, so minutes are not complete. "
    "Give it a faster machine or a smaller model."
)
SLOW_RARE = (
    "The detector takes {seconds:.1f} s for a look: nobody is followed or counted, and most rules tell nothing. "
    "Give it a faster machine or a smaller model."
)
OFF = (
    "Detection is off in its settings: no traffic is counted and rules rest, apart from those that tell when it is "
    "covered, frozen or moved."
)
OFF_UNWATCHED = (
    "Detection is off in its settings: rules rest, no traffic is counted, and nobody is told when it is covered, "
    "frozen or moved."
)
UNWATCHED_PRIVATE = "If it was knocked, its masks no longer hide what is private."
RARE = (
    "Less than one look in three seconds: nobody is followed or counted, and most rules tell nothing. "
    "Ask for more pictures a second in its settings, or from the camera."
)
AWAY = "Away from home: rules rest, nothing is counted. ⌂ in PTZ sends it back."
AWAY_BLACK = "Away from home: all is black, for parts are private. ⌂ in PTZ sends it back."
RESTS = "Rules rest, nothing is counted."
UNREADABLE_BLACK = (
    "All is black: what was drawn on this camera cannot be read, and nobody knows what in it is private. "
    "Restore a version of its scene, or draw it anew."
)
MOVED_BLACK = (
    "The camera moved: all is black, for parts are private. Put it right, draw all its masks anew, or say that the "
    "view is right in its scene."
)
VIEW_BLACK = (
    "Whether this camera moved cannot be judged in this light: all is black, for parts are private. Where its zones "
    "lie right, say in its scene that the view is right."
)
VIEW_OPEN = (
    "Whether this camera moved cannot be judged in this light. Where its zones lie right, say in its scene that the "
    "view is right."
)
BLIND = {
    ObservationKind.CAMERA_BLINDED: (
        "Nothing can be seen: dark, dazzled, covered or out of focus. Nothing is counted, and no alarm of it ends."
    ),
    ObservationKind.CAMERA_FROZEN: (
        "The picture is frozen: it is the same one again and again. Nothing is counted, and no alarm of it ends. "
        "Start the camera anew."
    ),
    ObservationKind.CAMERA_MOVED: (
        "The camera moved: it shows another view than before. Nothing is counted, and no alarm of it ends. "
        "Put it right, or say that the view is right in its scene."
    ),
}
BROKEN = "The analysis of this camera broke {n} times lately and began anew; the log of its worker says more."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A picture that the detector has."""

    frame: StreamFrame
    rgb: Any
    letterbox: Letterbox
    detail: Detail | None
    asked_s: float


class CameraSlot:
    """One camera; `_on_frame` runs on the camera's own thread, `take` on the detector link's."""

    def __init__(
        self,
        job: CameraJob,
        *,
        asks: Asks,
        send: Callable[[object], None],
        look_back: LookBack | None = None,
        view: LearnedView | None = None,
    ) -> None:
        """Open its ring.

        Args:
            job: What is asked of the camera.
            asks: Takes looks for the detector.
            send: Takes observations for the node.
            look_back: What was kept of the same picture under the job before; clips go on being taken.
            view: What was learned of it while it stood right, by whichever rules watched it before.

        Raises:
            ConsoleError, OSError: The ring cannot be used.
        """
        self.job = job
        self.view = None if view is None else view.kept_for(job.scene)
        self.view_wh: tuple[int, int] | None = None
        self._has_room = True
        self.is_attended = False
        self._bays_every_s: float | None = None
        self._bays_due_s = 0.0
        self._looks_closer = job.detect_fps > 0 and bool(detail_areas(job.scene))
        self._n_closer = 0
        self.share = 1.0
        self.analyser: CameraAnalyser | None = None
        self._asks = asks
        self._send = send
        self._engine: EngineInfo | None = None
        self._looks: LookWriter | None = None
        self._asked: dict[int, _Asked] = {}
        self._waits_since_s: float | None = None
        self._answered_within_s = 0.0
        self._no_room = ""
        self._lock = threading.Lock()
        self._gate = MotionGate()
        self.look_back = look_back or LookBack()
        self._is_quiet = False
        self._is_away = False
        self._looked_s = 0.0
        self._due_s = 0.0
        self._watches_camera = any(Tuning(job.scene).is_watched(kind) for kind in AT_THE_CAMERA)
        self._watches_moved = Tuning(job.scene).is_watched(ObservationKind.CAMERA_MOVED)
        self._watch_due_s = 0.0
        self._watched_s = self._wavered_s = -math.inf
        self._run: tuple[int, int] | None = None
        self._letterbox: Letterbox | None = None
        self._analysed_wh: tuple[int, int] | None = None
        self._n_marks = 0
        self._inference_ms = 0.0
        self._n_detections = self._n_observations = self._n_passed_over = self._n_broken = 0
        self._broke_at: deque[float] = deque(maxlen=LOGGED_BREAKS)
        self._looked_at: deque[float] = deque(maxlen=256)
        self._scaler = TileScaler()
        self._black: av.VideoFrame | None = None
        self._state: StreamState | None = None
        shapes = {} if self.view is None else self.view.shapes
        self.ring = FrameRing.attach(job.ring)
        self.stream = CameraSource(
            job.camera_id,
            job.source,
            sub_spec=job.sub_source,
            privacy=job.scene.private_parts,
            is_drawn_on=job.scene.is_drawn,
            on_frame=self._on_frame,
            on_state=self._on_state,
            clock=SystemClock(),
            first_epoch=self.ring.epoch + 1,
            masked_whs=tuple(shapes.get(print_of_part(part)) for part in job.scene.private_parts),
            drawn_wh=shapes.get(print_of_drawing(job.scene)),
        )

    def start(self) -> None:
        """Begin to read."""
        self.stream.start()

    def close(self) -> None:
        """End; what the detector still has of this camera is not taken any more, clips are sent as far as they are."""
        has_let_go = self.stream.stop(timeout_s=2.0)
        self._send_clips(self.look_back.broken_off())
        # After this no answer is taken any more, so nothing is measured behind the last minutes' back.
        self.lose_detector()
        self.tell_last_minutes()
        self._send(RulesReset(camera_id=self.job.camera_id))
        # A reader that hangs in a driver still owns the ring's memory: leave it to the process's end.
        if has_let_go:
            self.ring.close()
        self._asks.send(CloseLooks(camera_id=self.job.camera_id))

    def show_at(self, view_wh: tuple[int, int] | None) -> None:
        """Show the picture in this size; None where no console does."""
        if view_wh != self.view_wh:
            self.view_wh, self._has_room = view_wh, True
        # Bays and what is far away need the large stream also while no tile shows it.
        sees_bays = self._bays_every_s is not None
        self.stream.set_view(BAYS_WH if sees_bays else DETAIL_WH if self._looks_closer else view_wh)
        self.stream.set_drawn_on(sees_bays or self.job.scene.is_drawn)
        self._decode_for(time.monotonic())

    def _decode_for(self, now_s: float) -> None:
        """Decode key frames only where they are enough; one of them says nothing of the seconds to the next."""
        is_enough = self.view_wh is None and self.job.detect_fps <= 0
        self.stream.set_keyframes_only(is_enough and now_s - self._wavered_s > WAVERS_S)

    def show_bays_every(self, every_s: float | None) -> None:
        """Send a picture for the look at bays this often; None where the camera sees none."""
        if every_s != self._bays_every_s:
            self._bays_every_s = every_s
            self.show_at(self.view_wh)

    def leave_home(self) -> None:
        """Its head turns away from the view that its scene is of: to rules and measures that is a gap."""
        self.stream.hide_all()
        with self._lock:
            self._is_away = True
            self._drop_questions()

    def come_home(self) -> None:
        """Its head stands again where its scene was drawn."""
        with self._lock:
            if not self._is_away:
                return
            self._is_away = False
            self._gate = MotionGate()
            self._looked_s = self._due_s = 0.0
        self.stream.hide_parts()

    def use_detector(self, engine: EngineInfo) -> None:
        """A detector is there, the first or the next."""
        with self._lock:
            self._drop_looks()
            known, self._engine = self._engine, engine
            if self.job.detect_fps <= 0:
                return
            if self.analyser is not None and known is not None and _is_other_model(engine, known):
                self._send_minutes(self._guarded(self.analyser.take_last_minutes))
                self._begin_anew()
            elif self.analyser is not None and known is None:
                self.analyser.use_labels(engine.labels)
            try:
                self._looks = LookWriter(self.job.ring.parent, self.job.camera_id, engine.input_wh)
            except ConsoleError as error:
                log.error("camera %s is not detected: %s", self.job.camera_id, error)
                self._no_room = f"Nothing is detected on this camera. {error}"
                return
            self._no_room = ""
            self._asks.send(OpenLooks(camera_id=self.job.camera_id, file=self._looks.path))

    def lose_detector(self) -> None:
        """The detector is gone; its answers will not come."""
        with self._lock:
            self._drop_looks()

    def take(self, looked: Looked) -> None:
        """Take the detector's answer."""
        with self._lock:
            self.share = looked.share
            asked = self._asked.pop(looked.sequence, None)
            if asked is None:
                return
            if looked.boxes is None:
                self._n_passed_over += 1
                # An older picture may still be looked at; a newer one took the place of this one.
                if all(sequence < looked.sequence for sequence in self._asked):
                    # Its turn fell together with those of others: out of turn now, it drifts away from them.
                    self._due_s = 0.0
                # Nobody looked, so nobody can say that nothing changed since.
                self._looked_s = 0.0
                return
            self._waits_since_s = None
            # Time never goes back: whatever is older comes too late from now on.
            for sequence in [sequence for sequence in self._asked if sequence < looked.sequence]:
                del self._asked[sequence]
            now_s = time.monotonic()
            self._looked_at.append(now_s)
            self._answered_within_s = now_s - asked.asked_s
            self._inference_ms = looked.seconds * 1000.0
            found = [np.frombuffer(rows, np.float32).reshape(-1, 6) for rows in looked.boxes]
            seen = self._guarded(partial(self._analyse, asked, found))
        if seen is not None:
            self._tell(seen.observations, asked.frame)

    def report(self, now_s: float) -> StreamReport:
        """Return stream and detection as of now."""
        rate = sum(1 for at_s in tuple(self._looked_at) if now_s - at_s <= RATE_WINDOW_S) / RATE_WINDOW_S
        base = self.stream.report()
        wants = self.job.detect_fps > 0
        is_reduced = wants and self.share < 1.0 and self._looks is not None
        overloaded = OVERLOADED.format(percent=self.share * 100.0) if is_reduced else ""
        reason = self._detection_reason(now_s, overloaded)
        analyser, is_reshaped = self.analyser, self.stream.is_reshaped
        shows_else = self._is_away or is_reshaped or self.job.scene == UNREADABLE
        return replace(
            base,
            n_dropped=base.n_dropped + self._n_passed_over,
            n_detections=self._n_detections,
            n_observations=self._n_observations,
            inference_ms=self._inference_ms,
            detect_fps=rate,
            detect_fps_wanted=self.job.detect_fps,
            is_detection_reduced=is_reduced and reason == overloaded,
            detection_share=self.share,
            is_undersampled=wants and self.is_detecting and analyser is not None and analyser.is_undersampled,
            is_rare=wants and self.is_detecting and analyser is not None and analyser.is_rare,
            is_away=self._is_away,
            is_moved=self._is_moved,
            is_hidden=self._is_hidden or is_reshaped,
            is_blind=shows_else or (analyser is not None and analyser.is_blind),
            is_quiet=wants and self._is_quiet and not self._is_silent(now_s),
            is_camera_watched=self._is_camera_watched(now_s),
            detection_reason=reason,
        )

    def tell_minutes(self, now: datetime) -> None:
        """Send what was measured in the minutes that ended; once a second, also where pictures stopped coming."""
        with self._lock:
            minutes = None if self.analyser is None else self._guarded(partial(self.analyser.take_minutes, now))
        self._send_minutes(minutes)

    def tell_view(self, now: datetime) -> None:
        """Send what was learned of the camera's view, where there is news."""
        with self._lock:
            learned = None if self.analyser is None else self._guarded(partial(self.analyser.take_view, now))
            known = self.view or LearnedView(drawn=prints_of_view(self.job.scene), lit=(), told_at=now)
            shapes = {**known.shapes, **self._shapes()}
            if learned is not None and self._analysed_wh is not None:
                shapes[LIT] = self._analysed_wh
            if learned is None and known.shapes != shapes:
                learned = known
            if learned is not None:
                self.view = learned = replace(learned, shapes=shapes)
        if learned is not None:
            self._send(ViewLearned(camera_id=self.job.camera_id, view=learned))

    def _shapes(self) -> dict[str, tuple[int, int]]:
        """Return the sizes of the pictures that each thing is drawn on, as far as that is known."""
        scene, stream = self.job.scene, self.stream
        parts = zip(scene.private_parts, stream.masked_whs, strict=True)
        shapes = {print_of_part(part): wh for part, wh in parts if wh is not None}
        if scene.is_drawn and (drawn_wh := stream.drawn_wh) is not None:
            shapes[print_of_drawing(scene)] = drawn_wh
        return shapes

    def forget_view(self) -> None:
        """What the camera shows now is what its scene is drawn for."""
        # Not under the lock: who hands on a picture waits for it.
        self.stream.accept_shape()
        with self._lock:
            self.view = None if self.view is None else self.view.forgotten_for(self.job.scene)
            if self.analyser is not None:
                self.analyser.forget_view()

    def tell_clips(self, now_s: float) -> None:
        """Send the clips whose time is over, also where pictures stopped coming."""
        self._send_clips(self.look_back.finished(now_s))

    def leave_look_back(self, job: CameraJob) -> LookBack | None:
        """Give away what is kept of the picture; None where the next job shows another one, or less of it."""
        if not self.job.shows_as(job):
            return None
        kept, self.look_back = self.look_back, LookBack()
        return kept

    def _send_clips(self, clips: list[tuple[str, tuple[ClipPicture, ...]]]) -> None:
        for clip_id, pictures in clips:
            self._send(ClipKept(camera_id=self.job.camera_id, clip_id=clip_id, pictures=pictures))

    def tell_last_minutes(self) -> None:
        """Send what was measured so far, the open minute as well."""
        with self._lock:
            minutes = None if self.analyser is None else self._guarded(self.analyser.take_last_minutes)
        self._send_minutes(minutes)

    def _send_minutes(self, minutes: tuple[FlowMinute, ...] | None) -> None:
        if minutes:
            self._send(Measured(minutes=minutes))

    def n_inside(self) -> dict[str, int]:
        """Return how many are in each zone now; a zone of which nobody can tell is left out."""
        with self._lock:
            analyser = self.analyser
            return {} if analyser is None else analyser.inside

    def _detection_reason(self, now_s: float, overloaded: str) -> str:
        if self._is_away and self.job.scene.private_parts:
            return AWAY_BLACK
        if self.job.scene == UNREADABLE:
            return UNREADABLE_BLACK
        if self.stream.is_reshaped:
            # Why all is black is said by the stream.
            return RESTS if self.job.detect_fps > 0 else ""
        if self._is_hidden:
            return MOVED_BLACK if self._is_moved else VIEW_BLACK
        if self._is_away:
            return AWAY
        analyser = self.analyser
        blinded_by = None if analyser is None else analyser.blinded_by
        if blinded_by is not None and self._is_camera_watched(now_s):
            return BLIND[blinded_by]
        if self.job.detect_fps <= 0:
            return " ".join(text for text in self._off_reasons(now_s) if text)
        if self._looks is None:
            return self._no_room or NO_DETECTOR
        if self._no_room:
            return self._no_room
        if self._is_silent(now_s):
            return SILENT_DETECTOR
        if self._engine is not None and (others := other_classes(self._engine, self.job.labels)):
            return others
        if blinded_by is not None:
            return BLIND[blinded_by]
        if n_lately := sum(now_s - at_s <= BREAKS_SHOWN_S for at_s in tuple(self._broke_at)):
            return BROKEN.format(n=n_lately)
        is_missing = self.is_detecting and analyser is not None and analyser.is_undersampled and self.job.scene.measures
        is_rare = analyser is not None and analyser.is_rare
        if is_missing and (seconds := self._answered_within_s) > SLOW_S:
            return (SLOW_RARE if is_rare else SLOW).format(seconds=seconds)
        if overloaded:
            return overloaded
        if is_missing:
            return RARE if is_rare else UNDERSAMPLED
        return " ".join(text for text in self._lasting_faults(analyser) if text)

    def _off_reasons(self, now_s: float) -> tuple[str, ...]:
        """Return what detection that is off means for this camera."""
        scene, analyser = self.job.scene, self.analyser
        is_watched = self._is_camera_watched(now_s)
        hides_moved = is_watched and Tuning(scene).is_watched(ObservationKind.CAMERA_MOVED)
        return (
            OFF if is_watched else OFF_UNWATCHED,
            UNWATCHED_PRIVATE if scene.private_parts and not hides_moved else "",
            VIEW_OPEN if analyser is not None and analyser.is_view_open else "",
        )

    def _lasting_faults(self, analyser: CameraAnalyser | None) -> tuple[str, ...]:
        """Return what stays until somebody changes a setting."""
        job, engine, said = self.job, self._engine, list[str]()
        if engine is not None:
            said += [missing_classes(engine, job.labels), *missing_for_counts(engine, job.scene)]
            said += missing_for_rules(engine, job.scene).values()
            if self._letterbox is not None:
                said.append(missing_upright(self._letterbox, engine.input_wh, job.scene))
        if analyser is not None:
            said += [analyser.plane_fault, VIEW_OPEN if analyser.is_view_open else ""]
        return tuple(said)

    @property
    def is_detecting(self) -> bool:
        """Whether a network's answers are taken, or were as long as there was one."""
        analyser = self.analyser
        return analyser is not None and bool(analyser.labels)

    def _is_camera_watched(self, now_s: float) -> bool:
        """Whether pictures that no detector looks at say if the camera is covered, frozen or moved."""
        return now_s - self._watched_s <= RARE_PICTURES_S

    def _is_silent(self, now_s: float) -> bool:
        patience_s = SILENT_AFTER_S if self.share == 1.0 else OVERLOADED_SILENT_AFTER_S
        patience_s = max(patience_s, SILENT_AFTER_ANSWERS * self._answered_within_s)
        return (since_s := self._waits_since_s) is not None and now_s - since_s > patience_s

    def _drop_questions(self) -> None:
        """What is shown from now on is not what was asked about."""
        self._is_quiet = False
        self._asked.clear()
        self._waits_since_s = None

    def _drop_looks(self) -> None:
        looks, self._looks = self._looks, None
        self._asked.clear()
        self._waits_since_s = None
        self._answered_within_s = 0.0
        # Nobody looks any more, so nobody can say that nothing happens.
        self._is_quiet, self._looked_s = False, 0.0
        self.share = 1.0
        if looks is not None:
            looks.close()

    @property
    def _is_moved(self) -> bool:
        analyser = self.analyser
        return analyser.is_moved if analyser is not None else self.view is not None and self.view.is_moved

    @property
    def _is_view_open(self) -> bool:
        analyser = self.analyser
        if analyser is not None:
            return analyser.is_view_open
        return self._watches_moved and self.view is not None and self.view.is_open

    @property
    def _is_hidden(self) -> bool:
        """Whether nobody may see the picture, apart from the rule that says when it stands right again."""
        # In this order: what is told to have moved is not open any more.
        return bool(self.job.scene.private_parts) and (self._is_view_open or self._is_moved)

    def _shown(self, frame: StreamFrame) -> StreamFrame:
        if not self._is_hidden:
            return frame
        picture = frame.frame
        wh = (picture.height, picture.width) if picture.rotation % 180 else (picture.width, picture.height)
        black = self._black
        if black is None or (black.width, black.height) != wh:
            black = self._black = black_picture(*wh)
        return replace(frame, frame=black)

    def _on_frame(self, frame: StreamFrame) -> None:
        shown = self._shown(frame)
        try:
            self._write_picture(shown)
        finally:
            # Where there is no memory for what is shown, rules go on and evidence is kept.
            self._use(frame, shown)

    def _write_picture(self, frame: StreamFrame) -> None:
        """Show a picture; where memory has no room for one as large as is asked for, in a usual size."""
        view_wh = self.view_wh
        if view_wh is None:
            self.ring.forget_large()
            return
        most_wh = self.ring.max_wh if self._has_room else USUAL_WH
        wh = (min(view_wh[0], most_wh[0]), min(view_wh[1], most_wh[1]))
        try:
            self._write_as(frame, wh)
        except UnavailableError:
            usual_wh = (min(wh[0], USUAL_WH[0]), min(wh[1], USUAL_WH[1]))
            if usual_wh == wh:
                raise
            self._write_as(frame, usual_wh)
            self._has_room = False

    def _write_as(self, frame: StreamFrame, wh: tuple[int, int]) -> None:
        self.ring.write_frame(
            self._scaler.to_bgra(frame.frame, wh),
            pts_s=frame.pts_s,
            received_s=frame.received_s,
            captured_at_s=frame.captured_at.timestamp(),
            epoch=frame.epoch,
        )

    def _use(self, frame: StreamFrame, shown: StreamFrame) -> None:
        """Keep a picture, and have it looked at."""
        self.look_back.take(shown, is_quiet=self._is_quiet)
        if self.stream.is_reshaped:
            with self._lock:
                self._drop_questions()
        if self._is_away or self.stream.is_reshaped:
            self._clear_marks(frame)
            return
        if self._bays_every_s is not None and shown is frame and is_due(frame.received_s, self._bays_due_s):
            self._bays_due_s = next_due_s(self._bays_due_s, frame.received_s, 1.0 / self._bays_every_s)
            self._send_bays(frame)
        if self._looks is not None and is_due(frame.read_s, self._due_s):
            self._due_s = next_due_s(self._due_s, frame.read_s, self.job.detect_fps * self.share)
            self._guarded(partial(self._consider, frame))
        if self._watches_camera and self._nobody_looks(frame.read_s):
            self._guarded(partial(self._watch, frame))

    def _nobody_looks(self, now_s: float) -> bool:
        return self.job.detect_fps <= 0 or self._looks is None or bool(self._no_room) or self._is_silent(now_s)

    def _watch(self, frame: StreamFrame) -> None:
        """Let the rules about the camera itself look: they need a picture, and no detector."""
        if not is_due(frame.received_s, self._watch_due_s):
            return
        self._watch_due_s = next_due_s(self._watch_due_s, frame.received_s, WATCH_PER_S)
        engine = self._engine
        rgb, letterbox = self._scaler.to_network_rgb(frame.frame, WATCH_WH if engine is None else engine.input_wh)
        with self._lock:
            if self._is_away:
                return
            observations = self._guarded(partial(self._watch_camera, frame, rgb, letterbox))
            analyser = self.analyser
        self._watched_s = frame.received_s
        if analyser is not None and analyser.wavers:
            self._wavered_s = frame.received_s
        self._decode_for(frame.received_s)
        self._tell(observations or (), frame)

    def _watch_camera(self, frame: StreamFrame, rgb: Any, letterbox: Letterbox) -> tuple[Observation, ...]:
        was_hidden = self._is_hidden
        analyser = self._analyser_for(letterbox)
        self._note_run(analyser, frame)
        observations = analyser.watch_camera(letterbox, frame.pts_s, frame.captured_at, rgb)
        self._hide_lately(analyser, frame, was_hidden=was_hidden)
        return observations

    def _send_bays(self, frame: StreamFrame) -> None:
        try:
            jpeg = to_jpeg(frame.frame, max_wh=BAYS_WH, quality=BAYS_QUALITY)
        except (ConsoleError, ValueError, OSError, ArithmeticError):
            log.exception("camera %s: no picture of its bays", self.job.camera_id)
            return
        self._send(
            BaysPictured(
                camera_id=self.job.camera_id,
                jpeg=jpeg,
                captured_at=frame.captured_at,
                private_parts=self.job.scene.private_parts,
            )
        )

    def _consider(self, frame: StreamFrame) -> None:
        """Ask the detector to look, or let the scene rest."""
        movement = self._gate.look(small_grey(frame.frame), frame.pts_s)
        with self._lock:
            if self._is_away:
                return
            urgency, wanted_per_s, rest_s = MOTION, self.job.detect_fps, 0.0
            self._is_quiet = movement is Movement.QUIET and self.analyser is not None and self.analyser.is_settled
            if self._is_quiet:
                rest_s = heartbeat_s(self.job.scene, n_standing=self._n_marks)
                urgency, wanted_per_s = QUIET, 1.0 / rest_s
            rests = self._is_quiet and frame.read_s - self._looked_s < rest_s
            seen = self._hold(frame) if rests else None
        if seen is not None:
            self._tell(seen.observations, frame)
        if not rests:
            self._ask(frame, ATTENTION if self.is_attended else urgency, wanted_per_s)

    def _hold(self, frame: StreamFrame) -> Analysed | None:
        """Nothing changed since the last look; None where that look is still under way."""
        if self.analyser is None or self._asked:
            return None
        self._note_run(self.analyser, frame)
        seen = self._guarded(partial(self.analyser.hold, frame.pts_s, frame.captured_at))
        if seen is not None:
            self._publish(seen.tracks, frame)
        return seen

    def _ask(self, frame: StreamFrame, urgency: float, wanted_per_s: float) -> None:
        looks = self._looks
        if looks is None or not self._may_ask(frame.read_s):
            return
        rgb, letterbox = self._scaler.to_network_rgb(frame.frame, looks.wh)
        self._letterbox = letterbox
        detail = detail_of(frame.frame, self.job.scene, looks.wh, turn=self._n_closer)
        self._n_closer += 1
        with self._lock:
            if looks is not self._looks or self._is_away:
                return  # The detector went away while the picture was prepared, or the head turned.
            sequence = self._write(looks, [rgb] if detail is None else [rgb, detail.rgb])
            if sequence is None:
                return
            self._looked_s = frame.read_s
            if self._waits_since_s is None:
                self._waits_since_s = frame.read_s
            self._asked[sequence] = _Asked(
                frame=frame, rgb=rgb, letterbox=letterbox, detail=detail, asked_s=frame.read_s
            )
        self._asks.send(
            LookAt(
                camera_id=self.job.camera_id,
                sequence=sequence,
                received_s=frame.read_s,
                urgency=urgency,
                wanted_per_s=wanted_per_s,
            )
        )

    def _may_ask(self, now_s: float) -> bool:
        """Forget what is not answered any more; whether there is room for one more question.

        A detector that hangs must not be written to for ever: its socket fills, and every camera would wait for it.
        """
        with self._lock:
            for key in [key for key, asked in self._asked.items() if now_s - asked.asked_s > ANSWER_S]:
                del self._asked[key]
            return len(self._asked) < N_SLOTS

    def _write(self, looks: LookWriter, pictures: list[Any]) -> int | None:
        """Hand pictures over; None where memory is full, which costs detection and not the picture."""
        try:
            sequence = looks.write(pictures)
        except ConsoleError as error:
            if not self._no_room:
                log.error("camera %s is not detected: %s", self.job.camera_id, error)
            self._no_room = f"Nothing is detected on this camera. {error}"
            return None
        self._no_room = ""
        return sequence

    def _guarded(self, step: Callable[[], _T]) -> _T | None:
        try:
            return step()
        except Exception:
            # A bug that one camera's picture brings out must stop neither its picture nor fifteen other cameras.
            self._n_broken += 1
            self._broke_at.append(time.monotonic())
            self._begin_anew()
            if self._n_broken <= LOGGED_BREAKS:
                log.exception("the analysis of camera %s broke and begins anew", self.job.camera_id)
            return None

    def _begin_anew(self) -> None:
        """Forget what the rules know; of what they had begun no end will come from here."""
        analyser, view = self.analyser, self.view
        if analyser is not None and view is not None:
            # Told once a second only, and what is hidden must not be seen until the next rules know of it.
            self.view = replace(
                view,
                is_moved=view.is_moved or analyser.is_moved,
                is_open=view.is_open or analyser.is_view_open,
            )
        self.analyser = None
        self._tell_anew()

    def _tell_anew(self) -> None:
        self._gate = MotionGate()
        self._send(RulesReset(camera_id=self.job.camera_id))

    def _analyse(self, asked: _Asked, found: list[FloatArray]) -> Analysed | None:
        frame, engine = asked.frame, self._engine
        if engine is None:
            return None
        analyser = self._analyser_for(asked.letterbox)
        boxes = found[0]
        if asked.detail is not None and len(found) > 1:
            boxes = merge_detail(boxes, found[1], asked.detail, asked.letterbox)
        was_hidden = self._is_hidden
        self._note_run(analyser, frame)
        seen = analyser.update(boxes, asked.letterbox, frame.pts_s, frame.captured_at, picture=asked.rgb)
        self._hide_lately(analyser, frame, was_hidden=was_hidden)
        self._n_detections += len(seen.detections)
        self._publish(seen.tracks, frame)
        return seen

    def _analyser_for(self, letterbox: Letterbox) -> CameraAnalyser:
        """Return the rules; new ones go on from what was learned of the camera's view."""
        looked_wh = (letterbox.frame_w, letterbox.frame_h)
        before = self.analyser
        if before is not None:
            if is_same_shape(looked_wh, self._analysed_wh or looked_wh):
                return before
            # Tracks, rules and road plane go by width over height.
            self._send_minutes(self._guarded(before.take_last_minutes))
            before = self.analyser
            self._tell_anew()
        self._analysed_wh = looked_wh
        job, engine = self.job, self._engine
        analyser = CameraAnalyser(
            job.camera_id,
            job.scene,
            job.labels,
            job.tracker,
            aspect=letterbox.frame_w / letterbox.frame_h,
            engine_labels=engine.labels if engine is not None and job.detect_fps > 0 else (),
            wanted_per_s=job.detect_fps,
        )
        if before is not None:
            # Covered is covered in any shape, and in each the camera has a view of its own.
            analyser.go_on_watching(before)
        elif self.view is not None and self._is_of_use(self.view, looked_wh):
            analyser.start_from(self.view)
        # Last of all: who shows pictures asks it, without the lock, whether what is private lies where it was drawn.
        self.analyser = analyser
        return analyser

    def _is_of_use(self, view: LearnedView, wh: tuple[int, int]) -> bool:
        """Whether what was learned is of pictures of this shape, which an earlier version did not say.

        What hides private parts holds on any shape: only pictures of its own say that the camera stands right again.
        """
        if self.job.scene.private_parts and (view.is_moved or view.is_open):
            return True
        return is_same_shape(view.shapes.get(LIT, wh), wh)

    def _hide_lately(self, analyser: CameraAnalyser, frame: StreamFrame, *, was_hidden: bool) -> None:
        """Forget the pictures of before it was noticed that what is private in them lies elsewhere."""
        if self._is_hidden and not was_hidden:
            self.look_back.drop_since(frame.captured_at.timestamp() - analyser.move_is_noticed_within_s)

    def _note_run(self, analyser: CameraAnalyser, frame: StreamFrame) -> None:
        """Tell the rules of a stream that was opened again since the last look, and of a file that began again."""
        run, self._run = self._run, (frame.epoch, frame.n_rewinds)
        if run is not None and run != self._run:
            analyser.break_off()

    def _publish(self, tracks: tuple[Track, ...], frame: StreamFrame) -> None:
        if tracks or self._n_marks:
            self.ring.write_tracks(frame.pts_s, [_mark(track) for track in tracks], epoch=frame.epoch)
        self._n_marks = len(tracks)

    def _clear_marks(self, frame: StreamFrame) -> None:
        with self._lock:
            self._publish((), frame)

    def _tell(self, observations: Iterable[Observation], frame: StreamFrame) -> None:
        """Send what the rules saw; not under the lock, for a snapshot takes its time."""
        for observation in observations:
            self._n_observations += 1
            snapshot = b"" if self._is_hidden else _try_snapshot(observation, frame)
            self._send(Observed(observation=observation, snapshot_jpeg=snapshot))

    def _on_state(self, state: StreamState, reason: str, hint: str) -> None:
        before, self._state = self._state, state
        if state is StreamState.LIVE:
            # What is said of a live picture may change with every picture.
            if before is not StreamState.LIVE:
                log.info("camera %s is live", self.job.camera_id)
        else:
            log.info("camera %s: %s %s %s", self.job.camera_id, state.value, reason, hint)


def _is_other_model(engine: EngineInfo, before: EngineInfo) -> bool:
    """Whether what one of them saw says nothing of what the other sees."""
    return (engine.labels, engine.is_demonstration) != (before.labels, before.is_demonstration)


def _mark(track: Track) -> TrackMark:
    return TrackMark(
        track_id=track.track_id,
        label=track.label,
        score=track.score,
        bbox_xyxy=track.bbox_xyxy,
        velocity_xy=track.velocity_xy,
    )


def _try_snapshot(observation: Observation, frame: StreamFrame) -> bytes:
    """Return the picture for the operator; an observation without one is better than none."""
    try:
        return _snapshot(observation, frame)
    except (ConsoleError, ValueError, OSError, ArithmeticError):
        log.exception("camera %s: no picture of %s", observation.camera_id, observation.kind.value)
        return b""


def _snapshot(observation: Observation, frame: StreamFrame) -> bytes:
    if observation.kind in SILENT_KINDS or observation.phase is Phase.END:
        return b""
    return to_jpeg(frame.frame, max_wh=SNAPSHOT_WH, quality=85)
