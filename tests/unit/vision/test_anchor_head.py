"""A YOLO11 network cut before its last step says what it said whole; another one is left alone."""

import numpy as np
import pytest

from core.vision.anchor_head import cut_head
from core.vision.decode import decode_output
from resources import path as resource

WH = (160, 96)
N_LABELS, N_BINS = 3, 16
STRIDES = (8, 16)


def make_network(*, first_bin=0.0, dtype=np.float32):
    """A network with the head of YOLO11 over two grids, and one random layer in front of each."""
    import openvino as ov
    from openvino import opset13 as op

    random = np.random.default_rng(3)

    def number(values):
        return op.constant(np.array(values, dtype))

    def shape(*sides):
        return op.constant(np.array(sides, np.int64))

    def layer(features, n_out):
        weights = random.normal(0.0, 3.0, (n_out, 3, 1, 1)).astype(dtype)
        return op.convolution(features, number(weights), [1, 1], [0, 0], [0, 0], [1, 1])

    picture = op.parameter([1, 3, WH[1], WH[0]], ov.Type(dtype), name="images")
    scores, sides, anchors, strides = [], [], [], []
    for stride in STRIDES:
        features = op.avg_pool(picture, [stride, stride], [0, 0], [0, 0], [stride, stride], True, "floor")
        scores.append(op.reshape(layer(features, N_LABELS), shape(1, N_LABELS, -1), special_zero=False))
        sides.append(op.reshape(layer(features, 4 * N_BINS), shape(1, 4 * N_BINS, -1), special_zero=False))
        n_columns, n_rows = WH[0] // stride, WH[1] // stride
        x, y = np.meshgrid(np.arange(n_columns) + 0.5, np.arange(n_rows) + 0.5)
        anchors.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride))
    bins = op.transpose(
        op.reshape(op.concat(sides, axis=2), shape(1, 4, N_BINS, -1), special_zero=False), shape(0, 2, 1, 3)
    )
    means = number(np.arange(N_BINS).reshape(1, N_BINS, 1, 1) + first_bin)
    reach = op.reshape(
        op.convolution(op.softmax(bins, 1), means, [1, 1], [0, 0], [0, 0], [1, 1]), shape(1, 4, -1), special_zero=False
    )
    near, far = (op.slice(reach, shape(a), shape(b), shape(1), shape(1)) for a, b in ((0, 2), (2, 4)))
    middle = number(np.concatenate(anchors, axis=1)[None])
    upper, lower = op.subtract(middle, near), op.add(middle, far)
    boxes = op.concat([op.multiply(op.add(upper, lower), number(0.5)), op.subtract(lower, upper)], axis=1)
    output = op.concat(
        [op.multiply(boxes, number(np.concatenate(strides))), op.sigmoid(op.concat(scores, axis=2))], axis=1
    )
    return ov.Model([output], [picture], "yolo")


def run(network, picture):
    import openvino as ov

    request = ov.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    request.infer([picture])
    return [tensor.data[0].copy() for tensor in request.output_tensors]


def picture_of(wh):
    import cv2

    noise = np.random.default_rng(5).normal(0.5, 0.6, (3, wh[1] // 8, wh[0] // 8)).astype(np.float32)
    return np.stack([cv2.resize(plane, wh) for plane in noise])[None]


def both_ways(make, wh, confidence, iou):
    picture = picture_of(wh)
    (whole,) = run(make(), picture)
    cut, head = cut_head(make(), wh)
    grids = run(cut, picture)
    half = len(grids) // 2
    return (
        decode_output(whole, confidence=confidence, iou=iou),
        head.decode(grids[:half], grids[half:], confidence=confidence, iou=iou),
    )


@pytest.mark.parametrize(("confidence", "iou"), [(0.0, 0.5), (0.3, 0.5), (0.9, 1.0), (1.0, 0.5)])
def test_a_cut_network_finds_the_boxes_of_the_whole_one(confidence, iou):
    whole, cut = both_ways(make_network, WH, confidence, iou)

    assert (len(whole) >= 5) is (confidence < 1)
    assert cut == pytest.approx(whole, abs=1e-3)


def test_the_bundled_model_is_cut_and_finds_the_same():
    import openvino as ov

    wh = (320, 192)

    def read():
        network = ov.Core().read_model(resource("models/demo.onnx"))
        network.reshape([1, 3, wh[1], wh[0]])
        return network

    whole, cut = both_ways(read, wh, 0.02, 0.6)

    assert len(whole) >= 3
    assert cut == pytest.approx(whole, abs=1e-3)


def test_a_network_in_half_precision_stays_whole():
    (before,) = run(make_network(dtype=np.float16), picture_of(WH).astype(np.float16))

    network, head = cut_head(make_network(dtype=np.float16), WH)

    assert head is None
    assert run(network, picture_of(WH).astype(np.float16))[0] == pytest.approx(before, abs=0.01)


def test_a_network_that_counts_its_distances_otherwise_stays_whole_and_as_it_was():
    picture = picture_of(WH)
    (before,) = run(make_network(first_bin=1.0), picture)

    network, head = cut_head(make_network(first_bin=1.0), WH)

    assert head is None
    assert run(network, picture)[0] == pytest.approx(before, abs=1e-5)
