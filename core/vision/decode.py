"""From a network's output to boxes: confidence cut and non-maximum suppression in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

MAX_CANDIDATES = 600
"""Best boxes that reach the suppression; a picture with 100 vehicles gives about 500 at a confidence of 0.1."""

MAX_BOXES = 300


def decode_output(output: FloatArray, *, confidence: float, iou: float) -> FloatArray:
    """Turn one picture's raw output into boxes.

    Args:
        output: Either (4 + n_labels, n_anchors), centre/size and scores per class (YOLOv8, YOLO11), or
            (n, 6), corner/score/class rows of an end-to-end network (YOLO26), best first or not.
        confidence: Scores below are dropped.
        iou: Boxes of one class that overlap more are one object.

    Returns:
        x1, y1, x2, y2 [network px], score, label index; shape (k, 6), best first.

    Raises:
        ValueError: Neither of the two layouts.
    """
    if output.ndim == 2 and output.shape[1] == 6 and output.shape[0] != 6:
        kept = output[output[:, 4] >= confidence]
        return kept[np.argsort(-kept[:, 4], kind="stable")].astype(np.float32, copy=False)
    if output.ndim != 2 or output.shape[0] < 5:
        raise ValueError(f"a detector's output of shape {output.shape} is unknown")
    best = output[4:].max(axis=0)
    candidates = np.flatnonzero(best >= confidence)
    chosen = output[:, candidates]
    boxes = np.empty((candidates.size, 6), np.float32)
    half_wh = chosen[2:4].T / 2
    boxes[:, 0:2] = chosen[0:2].T - half_wh
    boxes[:, 2:4] = chosen[0:2].T + half_wh
    boxes[:, 4] = best[candidates]
    boxes[:, 5] = chosen[4:].argmax(axis=0) if candidates.size else 0
    return keep_best(boxes, iou=iou)


def keep_best(boxes: FloatArray, *, iou: float) -> FloatArray:
    """Order boxes by their scores and keep the best of each group; no more than `MAX_CANDIDATES` are compared.

    Args:
        boxes: Shape (k, 6) as in `decode_output`, in any order.
        iou: As in `suppress`.
    """
    if len(boxes) > MAX_CANDIDATES:
        boxes = boxes[np.argpartition(-boxes[:, 4], MAX_CANDIDATES)[:MAX_CANDIDATES]]
    return suppress(boxes[np.argsort(-boxes[:, 4], kind="stable")], iou=iou)


def suppress(boxes: FloatArray, *, iou: float) -> FloatArray:
    """Keep the best of every group of boxes of one class that overlap by more than `iou`.

    Args:
        boxes: Shape (k, 6) as in `decode_output`, best first.
        iou: Intersection over union above which two boxes are one object.
    """
    if len(boxes) < 2:
        return boxes
    same_object = overlap(boxes[:, :4], boxes[:, :4]) > iou
    labels = np.ascontiguousarray(boxes[:, 5])
    same_object &= labels[:, None] == labels
    is_left = np.ones(len(boxes), bool)
    keep: list[int] = []
    index = 0
    while len(keep) < MAX_BOXES and is_left[index]:
        keep.append(index)
        is_left[index] = False
        is_left &= ~same_object[index]
        index = int(is_left.argmax())
    return boxes[keep]


def overlap(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return the intersection over union of every pair.

    Args:
        first: x1, y1, x2, y2, shape (n, 4).
        second: Shape (m, 4).

    Returns:
        Shape (n, m), 0 where a box has no area.
    """
    # Side by side each side of the boxes is one run of memory: five times as fast as corners in pairs.
    left_1, top_1, right_1, bottom_1 = np.ascontiguousarray(first[:, :4].T)
    left_2, top_2, right_2, bottom_2 = np.ascontiguousarray(second[:, :4].T)
    # In place: a few hundred boxes with each other are more than the processor's nearest memory holds.
    shared: FloatArray = np.minimum(right_1[:, None], right_2)
    other = np.maximum(left_1[:, None], left_2)
    shared -= other
    np.maximum(shared, 0.0, out=shared)
    high = np.minimum(bottom_1[:, None], bottom_2)
    high -= np.maximum(top_1[:, None], top_2, out=other)
    shared *= np.maximum(high, 0.0, out=high)
    area_1 = (right_1 - left_1) * (bottom_1 - top_1)
    area_2 = (right_2 - left_2) * (bottom_2 - top_2)
    union = np.add(area_1[:, None], area_2, out=other)
    union -= shared
    is_none = union <= 0
    np.copyto(union, 1.0, where=is_none)
    shared /= union
    np.copyto(shared, 0.0, where=is_none)
    return shared
