"""What a detector and a tracker are worth against labelled pictures: average precision, recall, MOTA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.assignment import assign
from core.vision.decode import FloatArray, overlap

SAME_IOU = 0.5

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionScore:
    """Boxes of one class against labels.

    Attributes:
        ap50: Area under precision over recall, 0..1.
        recall, precision: Of the boxes from a score on, 0..1.
    """

    ap50: float
    recall: float
    precision: float
    n_labelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackScore:
    """Tracks against labelled paths.

    Attributes:
        mota: 1 - (missed + false + switches) / labelled; below 0 where more is wrong than there is.
    """

    mota: float
    n_labelled: int
    n_missed: int
    n_false: int
    n_switches: int


def score_detections(
    found: Sequence[FloatArray], labelled: Sequence[FloatArray], *, from_score: float
) -> DetectionScore:
    """Score the boxes of many pictures.

    Args:
        found: For each picture x1, y1, x2, y2, score; shape (k, 5 or more).
        labelled: For each picture x1, y1, x2, y2; shape (n, 4).
        from_score: For recall and precision.

    Source: all-point interpolation of PASCAL VOC 2010; the surest box that overlaps a label by half finds it.
    """
    n_labelled = sum(len(boxes) for boxes in labelled)
    scores, hits = [np.zeros(0)], [np.zeros(0, bool)]
    for boxes, truth in zip(found, labelled, strict=True):
        ordered = boxes[np.argsort(-boxes[:, 4], kind="stable")]
        scores.append(ordered[:, 4].astype(np.float64))
        hits.append(_hits(ordered, truth))
    score, hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-score, kind="stable")
    score, hit = score[order], hit[order]
    n_right = int(hit[score >= from_score].sum())
    n_told = int((score >= from_score).sum())
    return DetectionScore(
        ap50=_average_precision(hit, n_labelled),
        recall=n_right / n_labelled if n_labelled else 0.0,
        precision=n_right / n_told if n_told else 0.0,
        n_labelled=n_labelled,
    )


def _hits(ordered: FloatArray, truth: FloatArray) -> NDArray[np.bool_]:
    """Return which boxes, best first, find a label that no better one found."""
    hits = np.zeros(len(ordered), bool)
    if not len(truth):
        return hits
    shared = overlap(ordered[:, :4], truth)
    for index in range(len(ordered)):
        best = int(shared[index].argmax())
        if shared[index, best] >= SAME_IOU:
            hits[index] = True
            shared[:, best] = 0.0
    return hits


def _average_precision(hit: NDArray[np.bool_], n_labelled: int) -> float:
    if not n_labelled or not hit.size:
        return 0.0
    n_right = np.cumsum(hit)
    recall = n_right / n_labelled
    precision = n_right / np.arange(1, hit.size + 1)
    # Precision at a recall is the best that is reached there or beyond.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


class MotScorer:
    """Adds up CLEAR MOT over the pictures of one clip.

    Source: Bernardin and Stiefelhagen, 2008: who was matched in the last picture stays matched while the boxes overlap
    by half; the rest is matched for the largest overlap.
    """

    def __init__(self) -> None:
        """Start before the first picture."""
        self._matched: dict[int, int] = {}
        self._n_labelled = self._n_missed = self._n_false = self._n_switches = 0

    def add(self, truth_ids: Sequence[int], truth: FloatArray, found_ids: Sequence[int], found: FloatArray) -> None:
        """Take one picture.

        Args:
            truth_ids: Who is labelled.
            truth: Their boxes, shape (n, 4).
            found_ids: Who was tracked.
            found: Their boxes, shape (m, 4).
        """
        shared = overlap(truth, found)
        pairs = self._kept(truth_ids, found_ids, shared)
        free_rows = [row for row in range(len(truth_ids)) if row not in pairs]
        free_columns = [column for column in range(len(found_ids)) if column not in pairs.values()]
        if free_rows and free_columns:
            open_pairs = shared[np.ix_(free_rows, free_columns)]
            cost = np.where(open_pairs >= SAME_IOU, 1.0 - open_pairs, 1e3)
            for row, column in zip(*(chosen.tolist() for chosen in assign(cost)), strict=True):
                if open_pairs[row, column] >= SAME_IOU:
                    pairs[free_rows[row]] = free_columns[column]
        for row, column in pairs.items():
            known = self._matched.get(truth_ids[row])
            self._n_switches += known is not None and known != found_ids[column]
            self._matched[truth_ids[row]] = found_ids[column]
        self._n_labelled += len(truth_ids)
        self._n_missed += len(truth_ids) - len(pairs)
        self._n_false += len(found_ids) - len(pairs)

    def score(self) -> TrackScore:
        """Return the sum so far."""
        wrong = self._n_missed + self._n_false + self._n_switches
        return TrackScore(
            mota=1 - wrong / self._n_labelled if self._n_labelled else 0.0,
            n_labelled=self._n_labelled,
            n_missed=self._n_missed,
            n_false=self._n_false,
            n_switches=self._n_switches,
        )

    def _kept(self, truth_ids: Sequence[int], found_ids: Sequence[int], shared: FloatArray) -> dict[int, int]:
        column_of = {found_id: column for column, found_id in enumerate(found_ids)}
        pairs: dict[int, int] = {}
        for row, truth_id in enumerate(truth_ids):
            column = column_of.get(self._matched.get(truth_id, -1))
            if column is not None and shared[row, column] >= SAME_IOU and column not in pairs.values():
                pairs[row] = column
        return pairs
