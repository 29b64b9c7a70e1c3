"""Finds vehicles in one picture at a chosen size: the part with bays only, in one piece or in tiles."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.vision.engine import Engine, open_engine
from core.vision.model import VEHICLE_LABELS
from core.vision.models import ModelFile

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]
Area = tuple[int, int, int, int]

CONFIDENCE = 0.05
"""Low on purpose: a weak box that fits a bay says something, one that fits none is forgotten."""

TILE_WH = (1280, 736)
"""What is larger is looked at in pieces: the memory of one inference grows with its pixels."""

OVERLAP = 0.15
MARGIN = 0.08
SAME_IOU = 0.55
N_ENGINES = 3
_STEP_PX = 32
_EDGE_PX = 3.0
_PADDING_GREY = 114


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which detector, and how it is run.

    Attributes:
        model: Ready to be opened.
        engine: As in `open_engine`.
        cache: Compiled models are kept here.
    """

    model: ModelFile
    engine: str = "auto"
    n_threads: int = 1
    cache: Path | None = None


class VehicleFinder:
    """One detector at the few input sizes that a lot's cameras need; used from one thread at a time."""

    def __init__(self, choice: ModelChoice) -> None:
        """Open nothing yet."""
        self._choice = choice
        self._engines: OrderedDict[tuple[int, int], Engine] = OrderedDict()
        self._classes: NDArray[np.bool_] = np.array([label in VEHICLE_LABELS for label in choice.model.labels])

    def find(self, picture_bgr: Picture, area: Area, image_px: int) -> FloatArray:
        """Look for vehicles.

        Args:
            picture_bgr: Shape (h, w, 3).
            area: x1, y1, x2, y2 [px] of the part that matters.
            image_px: Longest side that the whole picture would have at the size that is looked at.

        Returns:
            x1, y1, x2, y2 [px of the picture] and score, shape (k, 5), best first.

        Raises:
            BadInputError: The model cannot be opened.
        """
        import cv2

        x1, y1, x2, y2 = area
        scale = image_px / max(picture_bgr.shape[:2])
        part = picture_bgr[y1:y2, x1:x2]
        wide, tall = max(_STEP_PX, round((x2 - x1) * scale)), max(_STEP_PX, round((y2 - y1) * scale))
        way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
        rgb = cv2.resize(part, (wide, tall), interpolation=way)[..., ::-1]
        columns, tile_w = _cut(wide, TILE_WH[0])
        rows, tile_h = _cut(tall, TILE_WH[1])
        found = []
        for top in rows:
            for left in columns:
                boxes = self._look(rgb[top : top + tile_h, left : left + tile_w], (tile_w, tile_h))
                boxes = boxes[~_is_cut(boxes, (left, top), (tile_w, tile_h), (wide, tall))]
                found.append(boxes + np.array([left, top, left, top, 0], np.float32))
        together = one_by_one(np.concatenate(found))
        way_back = np.array([(x2 - x1) / wide, (y2 - y1) / tall] * 2, np.float32)
        together[:, :4] = together[:, :4] * way_back + np.array([x1, y1, x1, y1], np.float32)
        return together

    def close(self) -> None:
        """Free the engines."""
        while self._engines:
            self._engines.popitem()[1].close()

    def _look(self, rgb: Picture, wh: tuple[int, int]) -> FloatArray:
        engine = self._engine(wh)
        width, height = engine.info.input_wh
        scale = min(1.0, width / rgb.shape[1], height / rgb.shape[0])
        if scale < 1.0:
            import cv2

            rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        padded = np.full((1, height, width, 3), _PADDING_GREY, np.uint8)
        padded[0, : rgb.shape[0], : rgb.shape[1]] = rgb
        rows = engine.infer(padded)[0]
        rows = rows[self._classes[rows[:, 5].astype(np.int64)]] if len(self._classes) else rows
        boxes: FloatArray = rows[:, :5].astype(np.float32, copy=True)
        boxes[:, :4] /= scale
        return boxes

    def _engine(self, wh: tuple[int, int]) -> Engine:
        wanted = (-(-wh[0] // _STEP_PX) * _STEP_PX, -(-wh[1] // _STEP_PX) * _STEP_PX)
        engine = self._engines.pop(wanted, None)
        if engine is None:
            while len(self._engines) >= N_ENGINES:
                self._engines.popitem(last=False)[1].close()
            engine = open_engine(
                self._choice.model,
                prefer=self._choice.engine,
                n_threads=self._choice.n_threads,
                cache_dir=self._choice.cache,
                confidence=CONFIDENCE,
                iou=SAME_IOU,
                input_wh=wanted,
            )
        self._engines[wanted] = engine
        return engine


def area_round(outlines: list[FloatArray], wh: tuple[int, int]) -> Area:
    """Return the part of a picture that holds every outline, with room for what stands in them [px]."""
    points = np.concatenate(outlines)
    low, high = points.min(axis=0), points.max(axis=0)
    # A vehicle in the farthest bay rises over it by more than the bay is deep.
    room = np.maximum(MARGIN * (high - low), 0.8 * max(float(np.ptp(outline, axis=0).max()) for outline in outlines))
    low, high = np.maximum(low - room, 0), np.minimum(high + room, wh)
    return int(low[0]), int(low[1]), max(int(high[0]), int(low[0]) + 1), max(int(high[1]), int(low[1]) + 1)


def _cut(length: int, largest: int) -> tuple[list[int], int]:
    """Return where equal tiles begin along one side, and their length."""
    if length <= largest:
        return [0], length
    n_tiles = int(np.ceil((length - OVERLAP * largest) / (largest * (1 - OVERLAP))))
    begins = np.linspace(0, length - largest, n_tiles).round().astype(int)
    return begins.tolist(), largest


def _is_cut(
    boxes: FloatArray, at: tuple[int, int], tile_wh: tuple[int, int], whole_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which boxes a tile's inner edge cuts through: they are whole in the tile beside it."""
    cut: NDArray[np.bool_] = (
        ((boxes[:, 0] < _EDGE_PX) & (at[0] > 0))
        | ((boxes[:, 1] < _EDGE_PX) & (at[1] > 0))
        | ((boxes[:, 2] > tile_wh[0] - _EDGE_PX) & (at[0] + tile_wh[0] < whole_wh[0]))
        | ((boxes[:, 3] > tile_wh[1] - _EDGE_PX) & (at[1] + tile_wh[1] < whole_wh[1]))
    )
    return cut


def one_by_one(boxes: FloatArray) -> FloatArray:
    """Keep the best of boxes that overlap, whatever their class; best first."""
    from core.vision.decode import overlap

    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    if len(boxes) < 2:
        return boxes
    shared = overlap(boxes[:, :4], boxes[:, :4]) > SAME_IOU
    kept = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if kept[index]:
            kept[index + 1 :] &= ~shared[index, index + 1 :]
    return boxes[kept]
