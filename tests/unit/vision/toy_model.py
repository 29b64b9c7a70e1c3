"""A real network that is small enough to be made in a test: it sees bright squares of 32 px, in steps of 8."""

from pathlib import Path

import numpy as np

from core.vision.model import EngineInfo

WH = (96, 64)


def toy_engine(input_wh: tuple[int, int]) -> EngineInfo:
    """What a detector says of itself whose answers a test makes up."""
    return EngineInfo(
        engine="openvino",
        device="CPU",
        precision="f32",
        model_name="toy",
        model_sha256="",
        is_demonstration=False,
        input_wh=input_wh,
        labels=("car",),
        reason="",
    )


def save_toy_openvino(folder: Path) -> Path:
    """Write an OpenVINO model with the output layout of YOLO11; it knows "car", and "bus" that it never sees."""
    import openvino as ov
    from openvino import opset13 as op

    folder.mkdir(parents=True, exist_ok=True)
    width, height = WH
    x, y = np.meshgrid(np.arange(16, width - 15, 8), np.arange(16, height - 15, 8))
    anchors = np.stack([x.ravel(), y.ravel(), np.full(x.size, 30), np.full(x.size, 30)])[None].astype(np.float32)
    picture = op.parameter([1, 3, height, width], ov.Type.f32, name="images")
    grey = op.reduce_mean(picture, op.constant(np.array([1])), keep_dims=True)
    cells = op.avg_pool(grey, [8, 8], [0, 0], [0, 0], [32, 32], True, "floor")
    # Half a square in the window is no square.
    sharp = op.relu(op.multiply(op.subtract(cells, op.constant(np.float32(0.6))), op.constant(np.float32(2.5))))
    scores = op.reshape(sharp, op.constant(np.array([1, 1, -1])), special_zero=False)
    none = op.multiply(scores, op.constant(np.float32(0.0)))
    output = op.concat([op.constant(anchors), scores, none], axis=1)
    ov.save_model(ov.Model([output], [picture], "toy"), folder / "toy.xml", compress_to_fp16=False)
    (folder / "metadata.yaml").write_text(
        "description: toy\nstride: 32\nimgsz:\n- 64\n- 96\nnames:\n  0: car\n  1: 'bus'\nargs:\n  batch: 1\n", "utf-8"
    )
    return folder


def bright_square(column: int, row: int, level: int = 230) -> np.ndarray:
    """A dark picture with one bright cell; shape (1, h, w, 3)."""
    picture = np.zeros((1, WH[1], WH[0], 3), np.uint8)
    picture[0, row * 32 : row * 32 + 32, column * 32 : column * 32 + 32] = level
    return picture
