"""Makes an INT8 copy of an exported detector for CPUs; runs in the export process only.

Measured on 2 cores with AVX512-VNNI, yolo11n at 640x384, CPU time of the network for a picture: f32 57 ms, INT8 24 ms;
AP50 on labelled highway pictures 0.675 and 0.670, recall 0.625 and 0.621. What a copy is worth is not taken for
granted: it is compared with the original on pictures it was not calibrated with, and thrown away where it does not find
the same objects.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.vision.decode import FloatArray, decode_output, overlap

RECIPE = 2
"""Raised when copies come out differently: those of an earlier program are made again."""

N_CALIBRATION, N_CHECK = 64, 24
MIN_AGREEMENT = 0.85
_SURE_SCORE = 0.4
_SAME_IOU = 0.6

Picture = NDArray[np.float32]


def int8_folder(onnx: Path) -> Path:
    """Return where the INT8 copy of an exported model lies, whether or not there is one."""
    return onnx.with_name(f"{onnx.stem}_int8_openvino_model")


def quantise(onnx: Path, labels: Sequence[str], photos: Sequence[NDArray[np.uint8]], wh: tuple[int, int]) -> float:
    """Write the INT8 copy of `onnx` beside it, if it holds what the original finds.

    Args:
        onnx: With dynamic height and width.
        labels: By class index.
        photos: RGB photographs with objects, shape (h, w, 3) each; crops of them calibrate and check.
        wh: Of the network's input [px].

    Returns:
        Agreement with the original, 0..1; below `MIN_AGREEMENT` nothing was written.
    """
    import nncf
    import openvino as ov

    random = np.random.default_rng(0)
    crops = [_crop(photos[index % len(photos)], wh, random) for index in range(N_CALIBRATION + N_CHECK)]
    core = ov.Core()
    # Converting joins a sigmoid and its product to one Swish, which then is not rounded in between; reading does not.
    network = ov.convert_model(onnx)
    quantised = nncf.quantize(
        network,
        nncf.Dataset(crops[:N_CALIBRATION]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=N_CALIBRATION,
        ignored_scope=_left_in_float(nncf, network),
    )
    agreement = _agreement(core, core.read_model(onnx), quantised, crops[N_CALIBRATION:])
    if agreement < MIN_AGREEMENT:
        return agreement
    partial = onnx.with_suffix(".partial-int8")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    ov.save_model(quantised, partial / f"{onnx.stem}.xml")
    names = "".join(f"  {index}: {label}\n" for index, label in enumerate(labels))
    (partial / "metadata.yaml").write_text(f"task: detect\nimgsz:\n- {wh[1]}\n- {wh[0]}\nnames:\n{names}", "utf-8")
    shutil.rmtree(int8_folder(onnx), ignore_errors=True)
    partial.rename(int8_folder(onnx))
    return agreement


def _left_in_float(nncf: Any, network: Any) -> Any:
    """Keep in float what eight bits are too few for: coordinates up to 640, faint classes, the first look at pixels."""
    numbers = [
        int(found[1])
        for node in network.get_ops()
        if (found := re.search(r"/model\.(\d+)/", node.get_friendly_name())) is not None
    ]
    head = max(numbers, default=0)
    arithmetic = "dfl|Sub|Add|Mul|Div|Concat|Split|Slice|Softmax|Range|Expand|Reshape|TopK|Gather|Mod"
    patterns = [rf".*/model\.{head}/({arithmetic}|cv3).*", r".*/model\.0/.*"]
    return nncf.IgnoredScope(patterns=patterns, types=["Sigmoid"], validate=False)


def _crop(photo: NDArray[np.uint8], wh: tuple[int, int], random: np.random.Generator) -> Picture:
    """Cut, scale, mirror and expose a piece of a photograph at random; shape (1, 3, h, w), 0..1."""
    import cv2

    height, width = photo.shape[:2]
    share = random.uniform(0.3, 1.0)
    cut_w = int(min(width, height * wh[0] / wh[1]) * share)
    cut_h = int(cut_w * wh[1] / wh[0])
    left, top = random.integers(0, width - cut_w + 1), random.integers(0, height - cut_h + 1)
    piece = cv2.resize(photo[top : top + cut_h, left : left + cut_w], wh).astype(np.float32)
    if random.random() < 0.5:
        piece = piece[:, ::-1]
    exposed = np.clip(piece * random.uniform(0.5, 1.3) + random.uniform(-20, 20), 0, 255) / 255
    return np.ascontiguousarray(exposed.transpose(2, 0, 1)[None], np.float32)


def _agreement(core: Any, original: Any, copy: Any, pictures: Sequence[Picture]) -> float:
    """Return the share of the original's sure boxes that the copy finds, and of the copy's that the original finds."""
    found = []
    for network in (original, copy):
        request = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
        outputs = []
        for picture in pictures:
            request.infer([picture])
            outputs.append(decode_output(request.get_output_tensor(0).data[0], confidence=0.2, iou=0.5))
        found.append(outputs)
    pairs = list(zip(found[0], found[1], strict=True))
    shares = [_share_found(first, second) for first, second in pairs] + [
        _share_found(second, first) for first, second in pairs
    ]
    counted = [share for share in shares if share is not None]
    return float(np.mean(counted)) if counted else 0.0


def _share_found(wanted: FloatArray, offered: FloatArray) -> float | None:
    sure = wanted[wanted[:, 4] >= _SURE_SCORE]
    if not len(sure):
        return None
    fits = (overlap(sure[:, :4], offered[:, :4]) >= _SAME_IOU) & (sure[:, None, 5] == offered[None, :, 5])
    return float(fits.any(axis=1).mean()) if len(offered) else 0.0
