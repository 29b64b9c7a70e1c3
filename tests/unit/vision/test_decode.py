import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.vision.decode import decode_output, overlap, suppress


def raw_output(boxes: list[tuple[float, float, float, float, float, int]], n_labels: int = 3) -> np.ndarray:
    """Anchors in the layout of YOLO11: centre, size, one score per class."""
    output = np.zeros((4 + n_labels, len(boxes) + 5), np.float32)
    for column, (x1, y1, x2, y2, score, label) in enumerate(boxes):
        output[:4, column] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        output[4 + label, column] = score
    return output


def test_boxes_come_back_as_corners_with_score_and_class_best_first():
    output = raw_output([(10, 20, 30, 60, 0.5, 2), (100, 100, 140, 160, 0.9, 0)])

    boxes = decode_output(output, confidence=0.25, iou=0.5)

    assert boxes == pytest.approx(np.array([[100, 100, 140, 160, 0.9, 0], [10, 20, 30, 60, 0.5, 2]]))


def test_two_boxes_on_one_object_become_one_but_two_classes_stay_two():
    output = raw_output([(10, 10, 50, 50, 0.9, 0), (12, 10, 52, 50, 0.8, 0), (11, 10, 51, 50, 0.7, 1)])

    boxes = decode_output(output, confidence=0.25, iou=0.5)

    assert boxes[:, 4:].tolist() == pytest.approx(np.array([[0.9, 0], [0.7, 1]]))


def test_an_end_to_end_network_is_only_cut_at_the_confidence():
    rows = np.zeros((300, 6), np.float32)
    rows[0] = 5, 5, 25, 25, 0.3, 1
    rows[1] = 6, 5, 26, 25, 0.8, 1

    boxes = decode_output(rows, confidence=0.25, iou=0.5)

    assert boxes.tolist() == [rows[1].tolist(), rows[0].tolist()]


def test_an_empty_picture_gives_no_boxes_in_either_layout():
    assert decode_output(raw_output([]), confidence=0.25, iou=0.5).shape == (0, 6)
    assert decode_output(np.zeros((300, 6), np.float32), confidence=0.25, iou=0.5).shape == (0, 6)


def test_an_unknown_layout_is_refused_by_its_shape():
    with pytest.raises(ValueError, match="shape"):
        decode_output(np.zeros((3, 3, 3), np.float32), confidence=0.25, iou=0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_suppression_agrees_with_the_textbook_loop(seed, n_boxes):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 100, (n_boxes, 2))
    boxes = np.concatenate(
        [
            corner,
            corner + random.uniform(1, 60, (n_boxes, 2)),
            random.random((n_boxes, 1)),
            random.integers(0, 2, (n_boxes, 1)),
        ],
        axis=1,
    ).astype(np.float32)
    boxes = boxes[np.argsort(-boxes[:, 4])]

    kept = suppress(boxes, iou=0.4)

    expected: list[np.ndarray] = []
    for box in boxes:
        same = [other for other in expected if other[5] == box[5]]
        if all(overlap(box[None, :4], other[None, :4])[0, 0] <= 0.4 for other in same):
            expected.append(box)
    assert kept.tolist() == [box.tolist() for box in expected]


def test_boxes_without_area_overlap_nothing():
    flat = np.array([[5, 5, 5, 5]], np.float32)

    assert overlap(flat, flat).tolist() == [[0.0]]
