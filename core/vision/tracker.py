"""Multi-object trackers: ByteTrack, and BoT-SORT without appearance.

Both follow the idea of their papers, written for this program in numpy: strong boxes are matched first, weak boxes may
only hold vehicles that are already known. Different from the papers, time is picture time in seconds, so that a
tracker behaves the same at 5 and at 30 pictures a second; the class is a vote and never splits a vehicle; and a vehicle
that was seen once is looked for by distance, because at 5 pictures a second its boxes do not overlap.

Sources: Zhang et al., ByteTrack, ECCV 2022; Aharon et al., BoT-SORT, arXiv 2206.14651.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.vision import kalman
from core.vision.assignment import assign
from core.vision.camera_motion import Motion, move_states
from core.vision.decode import FloatArray, overlap
from core.vision.model import BBox, Track, TrackerKind

STRONG_SCORE = 0.25
"""A box from here on can start a track; weaker boxes only continue one."""

WEAK_SCORE = 0.1
LOST_S = 1.5
"""A vehicle not seen this long is forgotten; counted in seconds of pictures that were there."""

GAP_S = 2.0
"""Without pictures for this long nothing is known about how vehicles move."""

_ACCEPT_FIRST = 0.85
_ACCEPT_WEAK = 0.6
_ACCEPT_STANDING = 0.6
"""Over a gap only who stood is known again, by its place: who is beside it came meanwhile."""

_ACCEPT_NEAR = 1.0
_TOP_SPEED = 10.0
"""Box sizes per second; 100 km/h straight across the picture of a camera ten metres above the lane."""

_STANDING_SPEED = 0.1
"""Box sizes per second: the boxes of one that stands tremble as much."""

_MAX_REACH = 3.0
_N_HITS_WAY_KNOWN = 3
_NEAR_KNOWN_WAY = 0.75
_N_HITS_CONFIRMED = 2
_VOTE_HALF_LIFE_S = 3.0

_KINSHIP = {"car": "vehicle", "bus": "vehicle", "truck": "vehicle", "motorcycle": "cycle", "bicycle": "cycle"}
"""Classes that detectors confuse for one object; such a change of mind must not split a track."""


class Tracker(Protocol):
    """Follows the vehicles of one camera; used from one thread."""

    def update(self, boxes: FloatArray, pts_s: float, motion: Motion | None = None) -> tuple[Track, ...]:
        """Take the boxes of the next picture.

        Args:
            boxes: x1, y1, x2, y2 in fractions of the frame, score, label index; shape (k, 6).
            pts_s: Picture time. A step back is a gap.
            motion: How the camera itself moved since the last picture; BoT-SORT only.

        Returns:
            The confirmed vehicles seen in this picture.
        """
        ...

    def hold(self, pts_s: float) -> tuple[Track, ...]:
        """Take a picture in which nothing changed: time passes, and everybody stands where they stood.

        Returns:
            The confirmed vehicles seen in the last picture.
        """
        ...

    @property
    def is_settled(self) -> bool:
        """Whether every vehicle that is remembered was seen in the last picture, and stands."""
        ...


def make_tracker(kind: TrackerKind, *, labels: Sequence[str], aspect: float) -> Tracker:
    """Make a tracker for one camera.

    Args:
        kind: Which algorithm.
        labels: Of the network, by class index.
        aspect: Width of the picture over its height; boxes are compared in true proportions.
    """
    if kind is TrackerKind.BOTSORT:
        return BotSortTracker(labels=labels, aspect=aspect)
    return ByteTracker(labels=labels, aspect=aspect)


@dataclass(slots=True)
class _Memory:
    """What is known besides position; rows are tracks."""

    track_id: NDArray[np.int64]
    group: NDArray[np.int64]
    n_hits: NDArray[np.int64]
    is_seen: NDArray[np.bool_]
    unseen_s: NDArray[np.float64]
    score: NDArray[np.float64]
    votes: NDArray[np.float64]

    def take(self, rows: NDArray[np.bool_]) -> _Memory:
        return _Memory(
            self.track_id[rows],
            self.group[rows],
            self.n_hits[rows],
            self.is_seen[rows],
            self.unseen_s[rows],
            self.score[rows],
            self.votes[rows],
        )


class ByteTracker:
    """ByteTrack: strong boxes first, weak boxes to hold what is known, distance for what was seen once."""

    def __init__(self, *, labels: Sequence[str], aspect: float) -> None:
        """Start with an empty picture."""
        self._labels = tuple(labels)
        self._aspect = aspect
        names = sorted({_KINSHIP.get(label, label) for label in self._labels})
        self._group_of = np.array([names.index(_KINSHIP.get(label, label)) for label in self._labels], np.int64)
        self._states = kalman.start_states(np.zeros((0, 4)))
        self._memory = self._remember(np.zeros((0, 6)))
        self._next_id = 1
        self._last_pts_s: float | None = None

    def update(self, boxes: FloatArray, pts_s: float, motion: Motion | None = None) -> tuple[Track, ...]:
        """Take the boxes of the next picture; see `Tracker.update`."""
        dt_s, is_gap = self._advance(pts_s)
        detections = self._in_heights(boxes)
        if motion is not None:
            self._states = self._compensate(motion)
        self._memory.unseen_s += dt_s
        was_seen = self._memory.is_seen
        self._memory.is_seen = np.zeros(len(self._states), bool)
        free_tracks = np.ones(len(self._states), bool)
        is_strong = detections[:, 4] >= STRONG_SCORE
        free_boxes = np.ones(len(detections), bool)

        accept = _ACCEPT_STANDING if is_gap else _ACCEPT_FIRST
        self._match(self._overlap_cost, accept, free_tracks, free_boxes, detections, is_strong, dt_s)
        self._match(self._overlap_cost, _ACCEPT_WEAK, free_tracks, free_boxes, detections, ~is_strong, dt_s, was_seen)
        if not is_gap:
            self._match(self._distance_cost, _ACCEPT_NEAR, free_tracks, free_boxes, detections, is_strong, dt_s)
        self._forget()
        self._start(detections[free_boxes & is_strong])
        return self._seen_now()

    def hold(self, pts_s: float) -> tuple[Track, ...]:
        """Take a picture in which nothing changed; see `Tracker.hold`."""
        last, self._last_pts_s = self._last_pts_s, pts_s
        if last is not None and not 0 < pts_s - last <= GAP_S:
            self._cut_off()
        return self._seen_now()

    @property
    def is_settled(self) -> bool:
        """Whether every vehicle that is remembered was seen in the last picture, and stands."""
        memory = self._memory
        speed = np.hypot(self._states.velocity[:, 0], self._states.velocity[:, 1])
        stands = speed <= _STANDING_SPEED * kalman.sizes(self._states.position)
        return bool((memory.is_seen & (memory.n_hits >= _N_HITS_CONFIRMED) & stands).all())

    def _advance(self, pts_s: float) -> tuple[float, bool]:
        """Predict to `pts_s`; return the seconds of pictures that passed, 0 over a gap, and whether this is one."""
        last, self._last_pts_s = self._last_pts_s, pts_s
        if last is None:
            return 0.0, False
        dt_s = pts_s - last
        if dt_s <= 0 or dt_s > GAP_S:
            self._cut_off()
            return 0.0, True
        self._states = kalman.predict(self._states, dt_s)
        return dt_s, False

    def _cut_off(self) -> None:
        """Begin after a gap, for which the time unseen does not grow: who was out of sight before it is forgotten."""
        seen = self._memory.is_seen
        self._states, self._memory = kalman.forget_velocity(self._states.take(seen)), self._memory.take(seen)

    def _compensate(self, motion: Motion) -> kalman.BoxStates:  # noqa: ARG002 - ByteTrack trusts the camera to stand
        return self._states

    def _in_heights(self, boxes: FloatArray) -> NDArray[np.float64]:
        detections = np.asarray(boxes, np.float64).reshape(-1, 6)
        is_usable = np.isfinite(detections).all(axis=1) & (detections[:, 4] >= WEAK_SCORE)
        detections = detections[is_usable]
        detections[:, [0, 2]] *= self._aspect
        return detections

    def _match(
        self,
        cost_of: _Cost,
        accept: float,
        free_tracks: NDArray[np.bool_],
        free_boxes: NDArray[np.bool_],
        detections: NDArray[np.float64],
        box_choice: NDArray[np.bool_],
        dt_s: float,
        track_choice: NDArray[np.bool_] | None = None,
    ) -> None:
        """Assign some free boxes to some free tracks and correct those; both masks are updated in place."""
        tracks = np.flatnonzero(free_tracks if track_choice is None else free_tracks & track_choice)
        chosen = np.flatnonzero(free_boxes & box_choice)
        if not tracks.size or not chosen.size:
            return
        cost = cost_of(tracks, detections[chosen])
        cost[self._memory.group[tracks][:, None] != self._group_of[detections[chosen, 5].astype(np.intp)][None]] = 1e6
        of_tracks, of_boxes = assign(cost, accept=accept)
        rows, columns = tracks[of_tracks], chosen[of_boxes]
        if rows.size:
            self._correct(rows, detections[columns], dt_s)
            free_tracks[rows] = False
            free_boxes[columns] = False

    def _overlap_cost(self, tracks: NDArray[np.intp], detections: NDArray[np.float64]) -> NDArray[np.float64]:
        predicted = kalman.to_corners(self._states.position[tracks])
        shared = overlap(predicted.astype(np.float32), detections[:, :4].astype(np.float32)).astype(np.float64)
        is_strong = detections[:, 4] >= STRONG_SCORE
        # The paper fuses the score for strong boxes: of two boxes on one vehicle the surer one wins.
        weight = np.where(is_strong, 0.5 + 0.5 * detections[:, 4], 1.0)
        cost: NDArray[np.float64] = 1 - shared * weight
        return cost

    def _distance_cost(self, tracks: NDArray[np.intp], detections: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance in standard deviations of the prediction, 0..1 inside the gate; for boxes that do not overlap."""
        states = self._states
        measured = kalman.to_centres(detections[:, :4])
        size = kalman.sizes(states.position[tracks])
        offset = measured[None, :, :2] - states.position[tracks][:, None, :2]
        spread = np.sqrt(states.var_position[tracks][:, None, :2]) + 0.1 * size[:, None, None]
        distance = np.sqrt(((offset / spread) ** 2).sum(axis=2)) / 3
        growth = np.abs(np.log(kalman.sizes(measured)[None, :] / size[:, None]))
        # However little is known, a vehicle has a top speed; and where its way is known, it is near that way. What is
        # further off is another one, at the picture's edge often the next that comes in.
        youth = np.minimum(_MAX_REACH, _TOP_SPEED * self._memory.unseen_s[tracks])
        reach = np.where(self._memory.n_hits[tracks] < _N_HITS_WAY_KNOWN, youth, _NEAR_KNOWN_WAY) * size
        is_far = np.hypot(offset[..., 0], offset[..., 1]) > reach[:, None]
        cost: NDArray[np.float64] = np.where(is_far | (growth > np.log(1.7)), 1e6, distance)
        return cost

    def _correct(self, rows: NDArray[np.intp], detections: NDArray[np.float64], dt_s: float) -> None:
        self._states.put(rows, kalman.correct(self._states.take(rows), detections[:, :4]))
        memory = self._memory
        memory.n_hits[rows] += 1
        memory.is_seen[rows] = True
        memory.unseen_s[rows] = 0.0
        memory.score[rows] = detections[:, 4]
        memory.votes[rows] *= 0.5 ** (dt_s / _VOTE_HALF_LIFE_S)
        memory.votes[rows, detections[:, 5].astype(np.intp)] += detections[:, 4]

    def _forget(self) -> None:
        memory = self._memory
        # A box seen once and never again was most likely no vehicle: it is not kept for the whole time.
        limit_s = np.where(memory.n_hits < _N_HITS_CONFIRMED, LOST_S / 3, LOST_S)
        keep = memory.unseen_s <= limit_s
        if not keep.all():
            self._states, self._memory = self._states.take(keep), memory.take(keep)

    def _start(self, detections: NDArray[np.float64]) -> None:
        if not len(detections):
            return
        fresh = self._remember(detections)
        self._states = kalman.join_states(self._states, kalman.start_states(detections[:, :4]))
        old = self._memory
        self._memory = _Memory(
            np.concatenate([old.track_id, fresh.track_id]),
            np.concatenate([old.group, fresh.group]),
            np.concatenate([old.n_hits, fresh.n_hits]),
            np.concatenate([old.is_seen, fresh.is_seen]),
            np.concatenate([old.unseen_s, fresh.unseen_s]),
            np.concatenate([old.score, fresh.score]),
            np.concatenate([old.votes, fresh.votes]),
        )

    def _remember(self, detections: NDArray[np.float64]) -> _Memory:
        n_new = len(detections)
        votes = np.zeros((n_new, len(self._labels)))
        indices = detections[:, 5].astype(np.intp)
        votes[np.arange(n_new), indices] = detections[:, 4]
        first_id = self._next_id if n_new else 0
        if n_new:
            self._next_id += n_new
        return _Memory(
            track_id=np.arange(first_id, first_id + n_new, dtype=np.int64),
            group=self._group_of[indices],
            n_hits=np.ones(n_new, np.int64),
            is_seen=np.ones(n_new, bool),
            unseen_s=np.zeros(n_new),
            score=detections[:, 4].copy(),
            votes=votes,
        )

    def _seen_now(self) -> tuple[Track, ...]:
        memory = self._memory
        rows = np.flatnonzero(memory.is_seen & (memory.n_hits >= _N_HITS_CONFIRMED))
        corners = kalman.to_corners(self._states.position[rows])
        velocity = self._states.velocity[rows]
        corners[:, [0, 2]] /= self._aspect
        corners = np.clip(corners, 0.0, 1.0)
        ground_velocity = np.stack([velocity[:, 0] / self._aspect, velocity[:, 1] + velocity[:, 3] / 2], axis=1)
        best = memory.votes[rows].argmax(axis=1)
        return tuple(
            Track(
                track_id=track_id,
                label=self._labels[label],
                score=score,
                bbox_xyxy=_as_bbox(box),
                velocity_xy=(motion[0], motion[1]),
            )
            for track_id, label, score, box, motion in zip(
                memory.track_id[rows].tolist(),
                best.tolist(),
                memory.score[rows].tolist(),
                corners.tolist(),
                ground_velocity.tolist(),
                strict=True,
            )
        )


class BotSortTracker(ByteTracker):
    """BoT-SORT without appearance: as ByteTrack, and boxes follow the camera's own movement."""

    def _compensate(self, motion: Motion) -> kalman.BoxStates:
        return move_states(self._states, motion)


class _Cost(Protocol):
    def __call__(self, tracks: NDArray[np.intp], detections: NDArray[np.float64]) -> NDArray[np.float64]: ...


def _as_bbox(box: list[float]) -> BBox:
    x1, y1, x2, y2 = box
    return x1, y1, x2, y2
