"""One camera's way from boxes to observations: mapping, tracker, rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.media.convert import Letterbox
from core.vision.camera_motion import CameraMotionEstimator
from core.vision.classes import labels_for_counts, labels_for_rules
from core.vision.decode import FloatArray, overlap
from core.vision.flow import FlowMinute
from core.vision.masks import IgnoreMasks
from core.vision.model import BBox, Detection, Observation, ObservationKind, Scene, Track, TrackerKind
from core.vision.rules import SceneRules
from core.vision.tracker import STRONG_SCORE, make_tracker
from core.vision.view import LearnedView

ONE_VEHICLE_IOU = 0.7
"""Boxes of different vehicle classes that overlap more are one vehicle that the network cannot name."""

_CONFUSED = ("car", "bus", "truck")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """What one picture gave.

    Attributes:
        detections: Boxes strong enough to show, of the camera's classes.
        tracks: Confirmed vehicles seen in this picture.
    """

    detections: tuple[Detection, ...]
    tracks: tuple[Track, ...]
    observations: tuple[Observation, ...]


class CameraAnalyser:
    """Tracker and rules of one camera; used from one thread.

    Attributes:
        labels: Classes of the network, by index; none as long as there is no network.
    """

    def __init__(
        self,
        camera_id: str,
        scene: Scene,
        labels: Sequence[str],
        tracker: TrackerKind,
        *,
        aspect: float,
        engine_labels: Sequence[str],
        wanted_per_s: float = 0.0,
    ) -> None:
        """Start with an empty picture.

        Args:
            camera_id: Written into the observations.
            scene: Zones and lines.
            labels: Classes that count on this camera. Others are dropped before tracking, but for those that a rule
                asks for (people on the carriageway) or a line, zone or lane names: these are followed, and not shown.
            tracker: Which algorithm.
            aspect: Width of the picture over its height.
            engine_labels: Classes of the network, by index; none as long as there is no network.
            wanted_per_s: How often pictures should be looked at; 0 where any rate will do.
        """
        self._shown = frozenset(labels)
        self._followed = self._shown | labels_for_rules(scene) | labels_for_counts(scene)
        self._kind, self._aspect = tracker, aspect
        self._rules = SceneRules(camera_id, scene, aspect, labels=self._shown, wanted_per_s=wanted_per_s)
        self.use_labels(engine_labels)
        self._masks = IgnoreMasks(scene)
        self._motion = CameraMotionEstimator() if tracker is TrackerKind.BOTSORT else None

    def use_labels(self, engine_labels: Sequence[str]) -> None:
        """Follow what a network of these classes finds, from nobody on; what rules know of the camera stays."""
        self.labels = tuple(engine_labels)
        self._is_shown = np.array([label in self._shown for label in self.labels], bool)
        self._is_wanted = np.array([label in self._followed for label in self.labels], bool)
        self._is_confused = np.array([label in _CONFUSED for label in self.labels], bool)
        self._tracker = make_tracker(self._kind, labels=self.labels, aspect=self._aspect)
        self._rules.use_known(frozenset(self.labels))

    def update(
        self,
        boxes: FloatArray,
        letterbox: Letterbox,
        pts_s: float,
        captured_at: datetime,
        picture: NDArray[np.uint8] | None = None,
    ) -> Analysed:
        """Take the boxes of one picture.

        Args:
            boxes: From the engine: network pixels, score, label index; shape (k, 6), best first.
            letterbox: How the picture was laid into the network's input.
            pts_s: Picture time.
            captured_at: Wall time of the picture.
            picture: The prepared RGB picture; BoT-SORT follows the camera's own movement with it, and some rules look
                at it.
        """
        if picture is not None:
            picture = _without_bars(picture, letterbox)
        return self._take(self._choose(boxes, letterbox), pts_s, captured_at, picture)

    def replay(
        self, boxes: FloatArray, letterbox: Letterbox, pts_s: float, captured_at: datetime, grey: NDArray[np.uint8]
    ) -> Analysed:
        """Take a picture that was detected in before, of which only the grey one was kept.

        Args:
            boxes: As in `update`, and so are the next three.
            letterbox: How the picture was laid into the network's input.
            pts_s: Picture time.
            captured_at: Wall time of the picture.
            grey: Without bars, shape (h, w); see `core.vision.footage`.
        """
        return self._take(self._choose(boxes, letterbox), pts_s, captured_at, grey)

    def _take(
        self, chosen: FloatArray, pts_s: float, captured_at: datetime, picture: NDArray[np.uint8] | None
    ) -> Analysed:
        motion = None
        if self._motion is not None and picture is not None and picture.ndim == 3:
            motion = self._motion.estimate(picture)
        tracks = self._tracker.update(chosen, pts_s, motion)
        return Analysed(
            detections=self._detections(chosen),
            tracks=self._masks.outside([track for track in tracks if track.label in self._shown]),
            observations=tuple(self._rules.update(tracks, pts_s, captured_at, picture)),
        )

    def hold(self, pts_s: float, captured_at: datetime) -> Analysed:
        """Take a picture in which nothing changed since the last: vehicles stand where they stood, rules go on."""
        tracks = self._tracker.hold(pts_s)
        return Analysed(
            detections=(),
            tracks=self._masks.outside([track for track in tracks if track.label in self._shown]),
            observations=tuple(self._rules.update(tracks, pts_s, captured_at)),
        )

    def watch_camera(
        self, letterbox: Letterbox, pts_s: float, captured_at: datetime, picture: NDArray[np.uint8]
    ) -> tuple[Observation, ...]:
        """Take a picture that no detector looked at: is the camera covered, frozen or moved?

        Args:
            letterbox: How the picture was laid into the network's input.
            pts_s: Picture time.
            captured_at: Wall time of the picture.
            picture: As in `update`.
        """
        return tuple(self._rules.watch_camera(pts_s, captured_at, _without_bars(picture, letterbox)))

    def break_off(self) -> None:
        """The next picture does not go on from the last one: the stream broke off and began again, or a file did."""
        self._rules.break_off()

    @property
    def is_settled(self) -> bool:
        """Whether nobody is followed who moves or is out of sight: while nothing changes, nobody has to look."""
        return self._tracker.is_settled

    def start_from(self, view: LearnedView) -> None:
        """Go on from what was learned of the camera's view before."""
        self._rules.start_from(view)

    def go_on_watching(self, before: CameraAnalyser) -> None:
        """Go on from what another one knows of the camera itself, which ends here; both have the same scene."""
        self._rules.go_on_watching(before._rules)

    def forget_view(self) -> None:
        """What the camera shows now is what its scene is drawn for."""
        self._rules.forget_view()

    def take_view(self, told_at: datetime) -> LearnedView | None:
        """Return what was learned of the camera's view, where there is news of it."""
        return self._rules.take_view(told_at)

    @property
    def move_is_noticed_within_s(self) -> float:
        """How long after the camera moved `is_moved` may say so."""
        return self._rules.move_is_noticed_within_s

    @property
    def is_moved(self) -> bool:
        """Whether the picture shows something else than its scene was drawn for."""
        return self._rules.is_moved

    @property
    def is_view_open(self) -> bool:
        """Whether it has been impossible for a while to judge whether the camera moved."""
        return self._rules.is_view_open

    @property
    def is_blind(self) -> bool:
        """Whether the picture does not show what the scene was drawn for: dark, covered, frozen or moved."""
        return self._rules.is_blind

    @property
    def wavers(self) -> bool:
        """Whether the newest picture speaks against what is told of the camera itself: more would say what is right."""
        return self._rules.wavers

    @property
    def blinded_by(self) -> ObservationKind | None:
        """What blinds the camera; None where it sees."""
        return self._rules.blinded_by

    @property
    def is_undersampled(self) -> bool:
        """Whether the camera is looked at too rarely for counts that hold."""
        return self._rules.is_undersampled

    @property
    def is_rare(self) -> bool:
        """Whether the camera is looked at so rarely that nobody is followed from look to look."""
        return self._rules.is_rare

    def take_minutes(self, now: datetime) -> tuple[FlowMinute, ...]:
        """Return what was measured in the minutes that ended since the last call.

        Args:
            now: Wall time.
        """
        return self._rules.measures.take_ended(now)

    def take_last_minutes(self) -> tuple[FlowMinute, ...]:
        """Return what was measured so far, the open minute as well: this camera ends here."""
        return self._rules.measures.take_all()

    @property
    def plane_fault(self) -> str:
        """Why the road plane cannot be used; empty where all is well, or none was set."""
        return self._rules.measures.plane_fault

    @property
    def inside(self) -> dict[str, int]:
        """How many are in each zone now; a zone is left out where nobody looks for what counts in it."""
        return self._rules.inside

    def _choose(self, boxes: FloatArray, letterbox: Letterbox) -> FloatArray:
        indices = boxes[:, 5].astype(np.intp)
        is_known = (indices >= 0) & (indices < len(self.labels))
        chosen = boxes[is_known][self._is_wanted[indices[is_known]]].astype(np.float32, copy=True)
        chosen[:, :4] = letterbox.to_fractions(chosen[:, :4])
        has_area = (chosen[:, 2] > chosen[:, 0]) & (chosen[:, 3] > chosen[:, 1])
        return self._name_once(chosen[has_area])

    def _name_once(self, boxes: FloatArray) -> FloatArray:
        """Of a car and a truck on the same vehicle keep the surer one; boxes come best first."""
        rows = np.flatnonzero(self._is_confused[boxes[:, 5].astype(np.intp)])
        if rows.size < 2:
            return boxes
        shared = np.triu(overlap(boxes[rows, :4], boxes[rows, :4]) > ONE_VEHICLE_IOU, k=1)
        is_double = np.zeros(len(boxes), bool)
        is_double[rows] = shared.any(axis=0)
        return boxes[~is_double]

    def _detections(self, boxes: FloatArray) -> tuple[Detection, ...]:
        strong = boxes[(boxes[:, 4] >= STRONG_SCORE) & self._is_shown[boxes[:, 5].astype(np.intp)]]
        return tuple(
            Detection(label=self.labels[int(index)], score=score, bbox_xyxy=_bbox(x1, y1, x2, y2))
            for x1, y1, x2, y2, score, index in strong.tolist()
        )


def _bbox(x1: float, y1: float, x2: float, y2: float) -> BBox:
    return x1, y1, x2, y2


def _without_bars(picture: NDArray[np.uint8], letterbox: Letterbox) -> NDArray[np.uint8]:
    top, left = letterbox.pad_y, letterbox.pad_x
    return picture[top : top + letterbox.content_h, left : left + letterbox.content_w]
