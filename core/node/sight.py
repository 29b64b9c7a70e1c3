"""Cameras in the node: settings in, jobs for the workers out; reports in, states, counts and conditions out."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path

from core.cameras.model import Camera
from core.kernel.clock import Clock
from core.kernel.errors import ConsoleError
from core.media.model import SourceSpec, StreamReport, StreamState
from core.media.ring import FrameRing
from core.node.supervisor import VisionSupervisor
from core.traffic.gaps import SETTLED, CountedMinutes
from core.traffic.model import LineCount
from core.vision.flow import FlowMinute
from core.vision.looks import remove_left
from core.vision.messages import (
    BaysPictured,
    CameraJob,
    ClipKept,
    EngineFailed,
    EngineOpened,
    Heartbeat,
    Measured,
    MoveIsOver,
    Observed,
    RulesReset,
    ViewLearned,
)
from core.vision.model import (
    AT_THE_CAMERA,
    PERSON,
    UNREADABLE,
    CameraWatched,
    LineCrossed,
    Observation,
    ObservationKind,
    Scene,
    counted_under,
)

log = logging.getLogger(__name__)

LOST_ALARM_AFTER_S = 5.0
"""A camera that drops one connection is no news; one that stays away is."""

UNANSWERED_ALARM_AFTER_S = 15.0
"""A camera that is being called for so long shows nothing either."""

AGAIN_S = 10.0
"""A camera that cannot be given to a worker is tried again this often."""

STAND_IN = (
    "Rules that go by detection are off here and nothing is counted: the demonstration model runs, which knows no real "
    "street. Give the site its model (vision.model; Health says what is wrong with it) and start the node anew."
)

SHOWN_STATES = (StreamState.LIVE, StreamState.STALE, StreamState.ENDED)
"""Of cameras that had pictures from the process that reads them now."""

ENDS_ITS_READER = "This camera ends the process that reads it again and again. It is read apart; other cameras go on."
ENDS_ITS_READER_HINT = (
    "It is tried again, more rarely each time. Read another stream of it or set another codec at the camera; where "
    "pictures are decoded on a graphics card, decode them in software (vision.hardware_decode)."
)

BLIND_STATES = (StreamState.LOST, StreamState.UNAUTHORISED, StreamState.UNUSABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLost:
    """A camera shows nothing for longer than a hiccup."""

    camera: Camera
    report: StreamReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraBack:
    """A camera that was lost shows pictures again."""

    camera_id: str


class Sight:
    """Keeps the workers' cameras equal to the settings, and knows every stream's newest state.

    Threads: the node's loop.
    """

    def __init__(
        self,
        supervisor: VisionSupervisor,
        *,
        rings: Path,
        clock: Clock,
        spec_of: Callable[[Camera], SourceSpec],
        on_stream: Callable[[StreamReport], None],
        on_inside: Callable[[str, dict[str, int]], None],
        on_totals: Callable[[str, dict[str, dict[str, int]]], None],
        on_observed: Callable[[Observed], None],
        on_lost: Callable[[CameraLost], None],
        on_back: Callable[[CameraBack], None],
        on_rules_reset: Callable[[str], None],
        on_rules_begun_anew: Callable[[str], None],
        on_scene_changed: Callable[[str, Scene, Scene], None],
        on_counted: Callable[[LineCrossed | CameraWatched], None] = lambda _event: None,
        on_blind: Callable[[str], None] = lambda _camera_id: None,
        on_sighted: Callable[[str], None] = lambda _camera_id: None,
        on_gaps: Callable[[str, dict[str, int]], None] = lambda _camera_id, _gaps: None,
        on_gone: Callable[[str], None] = lambda _camera_id: None,
        time_zone: tzinfo = UTC,
    ) -> None:
        """Put ring files into the folder `rings`; days begin at midnight of `time_zone`.

        `on_rules_reset` hears of a camera that nobody wants to watch any more, `on_rules_begun_anew` of one whose rules
        forgot what they had begun: no end will come for it. `on_scene_changed` hears of the same where other things are
        drawn now, or other rules are on; with the scene before and the one of now.
        `on_counted` hears of every crossing of a counting line, and that a camera with such lines is watched.
        `on_blind` hears of a camera whose pictures do not show what its scene was drawn for, `on_sighted` that they do
        again.
        `on_gaps` hears how many minutes since midnight are missing in a camera's totals, by line.
        `on_gone` hears of a camera that is read no more because there is none: nothing more is heard of it.
        """
        self._supervisor = supervisor
        self._rings = rings
        self._clock = clock
        self._spec_of = spec_of
        self._on_stream = on_stream
        self._on_inside = on_inside
        self._on_totals = on_totals
        self._on_observed = on_observed
        self._on_lost = on_lost
        self._on_back = on_back
        self._on_rules_reset = on_rules_reset
        self._on_rules_begun_anew = on_rules_begun_anew
        self._on_scene_changed = on_scene_changed
        self._on_counted = on_counted
        self._on_blind = on_blind
        self._on_sighted = on_sighted
        self._on_gaps = on_gaps
        self._on_gone = on_gone
        self._blind: set[str] = set()
        self._cameras: dict[str, Camera] = {}
        self._are_cameras_known = False
        self._jobs: dict[str, CameraJob] = {}
        self._lost: set[str] = set()
        self._unusable_since: dict[str, float] = {}
        self._dark_since: dict[str, float] = {}
        self._tried_s = 0.0
        self._totals: dict[str, dict[str, dict[str, int]]] = {}
        self._time_zone = time_zone
        self._totals_day = self._today()
        self._counted = CountedMinutes(self._midnight())
        self._gaps_at = datetime.min.replace(tzinfo=UTC)
        self._minutes: dict[tuple[str, str, str, str, datetime], int] = defaultdict(int)
        self._base = _Sums()
        self._is_stand_in = False
        self.streams: dict[str, StreamReport] = {}
        self.inside: dict[str, dict[str, int]] = {}
        self.gaps: dict[str, dict[str, int]] = {}

    def camera(self, camera_id: str) -> Camera | None:
        """Return a camera's settings as they are in force."""
        return self._cameras.get(camera_id)

    def is_gone(self, camera_id: str) -> bool:
        """Return whether there is no such camera; False as long as nobody has read the settings."""
        return self._are_cameras_known and camera_id not in self._cameras

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """Every camera's settings as they are in force."""
        return tuple(self._cameras.values())

    @property
    def ring_files(self) -> dict[str, str]:
        """Where each camera's pictures lie."""
        return {camera_id: str(self._ring_of(camera_id)) for camera_id in self._cameras}

    @property
    def totals(self) -> dict[str, dict[str, dict[str, int]]]:
        """Vehicles, and people apart, since midnight at the site by camera, line and direction."""
        return self._totals

    def set_totals(self, totals: dict[str, dict[str, dict[str, int]]]) -> None:
        """Go on from what the store knows of today."""
        self._totals = totals

    def take_minutes(self, minutes: Iterable[FlowMinute]) -> None:
        """Take how much of each minute cameras counted, as they measured it or as the store knows it of today."""
        self._counted.add(minutes)
        self._tell_gaps_soon()

    def note_drawn(self, drawn: Mapping[str, Mapping[str, datetime]]) -> None:
        """These lines were drawn since midnight: their totals miss nothing of the time before."""
        for camera_id, lines in drawn.items():
            for key, at in lines.items():
                self._counted.note_drawn(camera_id, key, at)
        self._tell_gaps_soon()

    def note_stand_in(self) -> None:
        """The model that detects is not meant for these streets: only what cameras say of themselves counts."""
        self._is_stand_in = True

    def note_own_model(self) -> None:
        """The model that detects is the one of the site: all of it counts."""
        self._is_stand_in = False

    def set_cameras(self, cameras: tuple[Camera, ...]) -> None:
        """Read exactly these cameras, with these settings."""
        self._rings.mkdir(parents=True, exist_ok=True)
        gone = set(self._cameras) - {camera.camera_id for camera in cameras}
        for camera_id in gone:
            self._forget(camera_id)
        cameras_before, self._cameras = self._cameras, {camera.camera_id: camera for camera in cameras}
        if self._are_cameras_known:
            self._note_new_lines(cameras_before)
        self._are_cameras_known = True
        self._tell_gaps_soon()
        unusable, self._unusable_since = self._unusable_since, {}
        self._tried_s = self._clock.monotonic()
        jobs: list[CameraJob] = []
        for camera in cameras:
            if not camera.is_enabled:
                self._end_loss(camera.camera_id)
                self._dark_since.pop(camera.camera_id, None)
                self._set_stream(StreamReport(camera_id=camera.camera_id, state=StreamState.DISABLED))
                continue
            try:
                spec = self._spec_of(camera)
                self._make_ring(camera.camera_id)
            except (ConsoleError, OSError) as error:
                self._unusable_since[camera.camera_id] = unusable.get(camera.camera_id, self._tried_s)
                sentence, hint = (error.message, error.hint) if isinstance(error, ConsoleError) else (str(error), "")
                self._set_stream(
                    StreamReport(camera_id=camera.camera_id, state=StreamState.UNUSABLE, reason=sentence, hint=hint)
                )
                continue
            known = self.streams.get(camera.camera_id)
            if known is None or known.state is StreamState.DISABLED:
                self._set_stream(StreamReport(camera_id=camera.camera_id, state=StreamState.CONNECTING))
            jobs.append(
                CameraJob(
                    camera_id=camera.camera_id,
                    source=spec,
                    sub_source=self._sub_spec_of(camera),
                    ring=self._ring_of(camera.camera_id),
                    scene=camera.scene,
                    labels=camera.labels,
                    tracker=camera.tracker,
                    detect_fps=camera.detect_fps,
                )
            )
        jobs_before, self._jobs = self._jobs, {job.camera_id: job for job in jobs}
        self._supervisor.set_cameras(tuple(jobs))
        for camera_id in gone:
            self._on_gone(camera_id)
        for camera in cameras:
            before = cameras_before.get(camera.camera_id)
            if before is not None and before.is_enabled:
                self._tell_change(before, camera, jobs_before.get(camera.camera_id))

    def _note_new_lines(self, before: Mapping[str, Camera]) -> None:
        now = self._clock.now()
        for camera_id, camera in self._cameras.items():
            known = before.get(camera_id)
            keys_before = set() if known is None else {line.key for line in known.scene.lines}
            for key in {line.key for line in camera.scene.lines} - keys_before:
                self._counted.note_drawn(camera_id, key, now)

    def _tell_change(self, before: Camera, camera: Camera, job_before: CameraJob | None) -> None:
        """Say what becomes of what a camera's rules began; also while no worker can be given it."""
        camera_id = camera.camera_id
        if not camera.is_enabled:
            self._on_rules_reset(camera_id)
        elif camera.scene != before.scene:
            self._on_scene_changed(camera_id, before.scene, camera.scene)
        elif job_before is not None and job_before != self._jobs.get(camera_id):
            # Another address or pace, or other classes, change nothing of what there is to see.
            self._on_rules_begun_anew(camera_id)

    def watch(self) -> None:
        """Once a second: begin a new day, say what is missing of it, and see to the cameras that nobody could be given.

        They are called for and tried again.
        """
        self._turn_day()
        self._tell_gaps()
        now_s = self._clock.monotonic()
        self._watch_dark(now_s)
        for camera_id, since_s in self._unusable_since.items():
            self._take_report(replace(self.streams[camera_id], since_s=now_s - since_s))
        if self._unusable_since and now_s - self._tried_s >= AGAIN_S:
            self._tried_s = now_s
            if any(self._can_read(self._cameras[camera_id]) for camera_id in self._unusable_since):
                self.set_cameras(self.cameras)

    def _can_read(self, camera: Camera) -> bool:
        try:
            self._spec_of(camera)
            self._make_ring(camera.camera_id)
        except (ConsoleError, OSError):
            return False
        return True

    def _sub_spec_of(self, camera: Camera) -> SourceSpec | None:
        """Return the camera's smaller stream, which has the same user and transport; without it the camera goes on."""
        if not camera.sub_address:
            return None
        try:
            return self._spec_of(replace(camera, address=camera.sub_address))
        except ConsoleError as error:
            log.warning("camera %s is read without its smaller stream: %s", camera.camera_id, error)
            return None

    def take(self, message: object) -> None:
        """Take one message of a worker."""
        if isinstance(message, Heartbeat):
            for report in message.streams:
                if report.camera_id in self._cameras:
                    self._take_report(report)
            for camera_id, inside in message.inside.items():
                if self.inside.get(camera_id) != inside and not self._is_stand_in:
                    self.inside[camera_id] = inside
                    self._on_inside(camera_id, inside)
        elif isinstance(message, Observed):
            if not self._is_stand_in or message.observation.kind in AT_THE_CAMERA:
                self._take_observed(message)
        elif isinstance(message, RulesReset):
            if message.camera_id in self._cameras:
                self._on_rules_begun_anew(message.camera_id)
        elif not isinstance(
            message, BaysPictured | ClipKept | EngineOpened | EngineFailed | Measured | MoveIsOver | ViewLearned
        ):
            log.warning("a worker said something unknown: %r", type(message))

    def mark_restarting(self, camera_ids: tuple[str, ...]) -> None:
        """Their worker is being restarted: the tiles must not look live meanwhile."""
        for camera_id in camera_ids:
            self._mark(camera_id, "The process that reads this camera ended and is being restarted.")

    def mark_culprit(self, camera_id: str) -> None:
        """This camera ends the process that reads it again and again, and others are not to suffer from it."""
        self._mark(camera_id, ENDS_ITS_READER, ENDS_ITS_READER_HINT)

    def _mark(self, camera_id: str, reason: str, hint: str = "") -> None:
        if camera_id not in self._cameras:
            return
        self._dark_since.setdefault(camera_id, self._clock.monotonic())
        self._base.add(self.streams.get(camera_id))
        self._set_stream(StreamReport(camera_id=camera_id, state=StreamState.RESTARTING, reason=reason, hint=hint))

    def _watch_dark(self, now_s: float) -> None:
        """Go on telling of cameras whose process is being restarted, and call for those that stay without a picture."""
        for camera_id, since_s in tuple(self._dark_since.items()):
            report = self.streams[camera_id]
            if report.state is StreamState.RESTARTING:
                report = replace(report, since_s=now_s - since_s)
                self._set_stream(report)
            if now_s - since_s > UNANSWERED_ALARM_AFTER_S and camera_id not in self._lost:
                self._lost.add(camera_id)
                self._on_lost(CameraLost(camera=self._cameras[camera_id], report=report))

    def sums(self) -> tuple[int, int, int, int]:
        """Frames, dropped frames, detections and observations of all cameras since the node started."""
        total = _Sums()
        total.take(self._base)
        for report in self.streams.values():
            total.add(report)
        return total.n_frames, total.n_dropped, total.n_detections, total.n_observations

    def take_counts(self) -> list[LineCount]:
        """Return the counts of minutes since the last call; open minutes too: what comes later is added to them."""
        taken = [
            LineCount(
                camera_id=camera_id,
                line_key=line,
                direction=direction,
                label=label,
                minute=minute,
                n_vehicles=count,
            )
            for (camera_id, line, direction, label, minute), count in self._minutes.items()
        ]
        self._minutes.clear()
        return taken

    def _take_report(self, report: StreamReport) -> None:
        camera = self._cameras[report.camera_id]
        if not camera.is_enabled:
            return
        if self._is_stand_in and camera.detect_fps > 0:
            # Why a picture is black or blind is said first.
            own = report.is_blind or report.is_hidden or camera.scene == UNREADABLE
            said = f"{report.detection_reason} {STAND_IN}" if own else STAND_IN
            report = replace(report, detection_reason=said.strip(), is_detection_reduced=False)
        if report.state in SHOWN_STATES:
            self._dark_since.pop(report.camera_id, None)
        self._set_stream(report)
        self._follow_sight(report)
        if report.state is StreamState.LIVE:
            self._end_loss(report.camera_id)
            is_counting = not report.is_blind and not report.is_undersampled
            if camera.scene.lines and is_counting and (report.is_quiet or report.detect_fps > 0.0):
                self._on_counted(CameraWatched(camera_id=report.camera_id, at=self._clock.now()))
        if _is_away_for_long(report) and report.camera_id not in self._lost:
            self._lost.add(report.camera_id)
            self._on_lost(CameraLost(camera=camera, report=report))

    def _follow_sight(self, report: StreamReport) -> None:
        camera_id = report.camera_id
        if report.state is not StreamState.LIVE or report.is_blind is (camera_id in self._blind):
            return
        if report.is_blind:
            self._blind.add(camera_id)
            self._on_blind(camera_id)
        else:
            self._blind.discard(camera_id)
            self._on_sighted(camera_id)

    def _end_loss(self, camera_id: str) -> None:
        """Nobody waits for the camera's picture any more: it is there, or it is not wanted."""
        if camera_id in self._lost:
            self._lost.discard(camera_id)
            self._on_back(CameraBack(camera_id=camera_id))

    def _take_observed(self, message: Observed) -> None:
        observation = message.observation
        if observation.kind is ObservationKind.LINE_CROSSED:
            minute = observation.captured_at.astimezone(UTC).replace(second=0, microsecond=0)
            key = (observation.camera_id, observation.rule_key, observation.direction, observation.label, minute)
            self._minutes[key] += 1
            direction = counted_under(observation.direction, observation.label)
            self._add_total(observation.camera_id, observation.rule_key, direction)
            if observation.label != PERSON:
                self._tell_crossing(observation)
        self._on_observed(message)

    def _tell_crossing(self, observation: Observation) -> None:
        camera = self._cameras.get(observation.camera_id)
        lines = camera.scene.lines if camera is not None else ()
        line = next((line for line in lines if line.key == observation.rule_key), None)
        # A line that was removed or renamed since then is no gate any more.
        if line is not None and observation.direction in (line.forward_name, line.backward_name):
            self._on_counted(
                LineCrossed(
                    camera_id=observation.camera_id,
                    line_key=line.key,
                    is_forward=observation.direction == line.forward_name,
                    at=observation.captured_at,
                )
            )

    def _add_total(self, camera_id: str, line: str, direction: str) -> None:
        self._turn_day()
        counts = self._totals.setdefault(camera_id, {}).setdefault(line, {})
        counts[direction] = counts.get(direction, 0) + 1
        self._on_totals(camera_id, self._totals[camera_id])

    def _turn_day(self) -> None:
        today = self._today()
        if today == self._totals_day:
            return
        self._totals_day = today
        counted, self._totals = self._totals, {}
        for camera_id in counted:
            self._on_totals(camera_id, {})
        self._counted = CountedMinutes(self._midnight())
        self._tell_gaps_soon()

    def _today(self) -> date:
        return self._clock.now().astimezone(self._time_zone).date()

    def _midnight(self) -> datetime:
        now = self._clock.now().astimezone(self._time_zone)
        return now.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)

    def _tell_gaps_soon(self) -> None:
        self._gaps_at = datetime.min.replace(tzinfo=UTC)

    def _tell_gaps(self) -> None:
        """Say of which cameras other minutes are missing than before; once a minute, and where something came."""
        settled = (self._clock.now() - SETTLED).replace(second=0, microsecond=0)
        if settled == self._gaps_at:
            return
        self._gaps_at = settled
        for camera_id, camera in self._cameras.items():
            keys = [line.key for line in camera.scene.lines]
            gaps = self._counted.missing(camera_id, keys, self._clock.now())
            if gaps != self.gaps.get(camera_id, {}):
                self.gaps[camera_id] = gaps
                self._on_gaps(camera_id, gaps)

    def _set_stream(self, report: StreamReport) -> None:
        self.streams[report.camera_id] = report
        self._on_stream(report)

    def _forget(self, camera_id: str) -> None:
        self._base.add(self.streams.pop(camera_id, None))
        self.inside.pop(camera_id, None)
        self._totals.pop(camera_id, None)
        self.gaps.pop(camera_id, None)
        self._counted.forget(camera_id)
        self._lost.discard(camera_id)
        self._blind.discard(camera_id)
        self._dark_since.pop(camera_id, None)
        self._ring_of(camera_id).unlink(missing_ok=True)
        remove_left(self._rings, camera_id)

    def _ring_of(self, camera_id: str) -> Path:
        return self._rings / f"{camera_id}.ring"

    def _make_ring(self, camera_id: str) -> None:
        if not self._ring_of(camera_id).exists():
            FrameRing.create(self._ring_of(camera_id), camera_id=camera_id).close()


def _is_away_for_long(report: StreamReport) -> bool:
    if report.state is StreamState.CONNECTING:
        return report.since_s > UNANSWERED_ALARM_AFTER_S
    return report.state in BLIND_STATES and report.since_s >= LOST_ALARM_AFTER_S


class _Sums:
    """Counters of streams that were closed or restarted, so that totals never step back."""

    def __init__(self) -> None:
        self.n_frames = self.n_dropped = self.n_detections = self.n_observations = 0

    def add(self, report: StreamReport | None) -> None:
        if report is not None:
            self.n_frames += report.n_frames
            self.n_dropped += report.n_dropped
            self.n_detections += report.n_detections
            self.n_observations += report.n_observations

    def take(self, other: _Sums) -> None:
        self.n_frames += other.n_frames
        self.n_dropped += other.n_dropped
        self.n_detections += other.n_detections
        self.n_observations += other.n_observations
