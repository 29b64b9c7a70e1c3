"""A closer look at small, distant zones: one more crop for each picture, and its boxes brought back into the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from core.media.convert import Letterbox, TileScaler, quarter_turns, upright_size
from core.vision.decode import FloatArray, suppress
from core.vision.model import BBox, PicturePoint, Scene

MARGIN = 0.25
"""Of the zone's size on every side: a vehicle that stands in it reaches out of it."""

LARGEST = 0.6
"""Of the picture's width or height: a larger crop shows vehicles hardly larger than the whole picture does."""

SAME_IOU = 0.45
UPRIGHT_SMALLER = 0.8
"""Of the size in which the detector would see the same picture lying, below which an upright one is worth a word."""

UPRIGHT = (
    "The picture stands upright ({width}x{height}) and the detector's input does not: everything is {percent:.0f} % as "
    "large in it as in a picture that lies, so what is far away may pass unseen. Have far zones looked at closer, "
    "or give the detector an input as high as wide (vision.input_size)."
)
_EDGE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A crop in the form that the network takes.

    Attributes:
        rgb: Shape (h, w, 3).
        area: Where the crop lies, fractions of the frame.
        letterbox: How the crop was laid into the network's input.
    """

    rgb: NDArray[np.uint8]
    area: BBox
    letterbox: Letterbox


def detail_areas(scene: Scene) -> tuple[BBox, ...]:
    """Return the parts of the frame to look at more closely: one that holds every zone marked for it, or one a zone.

    Empty where no zone asks for it, or crops would show no more than the whole.
    """
    polygons = [zone.polygon for zone in scene.zones if zone.detail]
    if not polygons:
        return ()
    together = _area_around([point for polygon in polygons for point in polygon])
    if together is not None:
        return (together,)
    return tuple(area for polygon in polygons if (area := _area_around(polygon)) is not None)


def _area_around(points: Sequence[PicturePoint]) -> BBox | None:
    x, y = zip(*points, strict=True)
    margin_x, margin_y = MARGIN * (max(x) - min(x)), MARGIN * (max(y) - min(y))
    x1, y1 = max(0.0, min(x) - margin_x), max(0.0, min(y) - margin_y)
    x2, y2 = min(1.0, max(x) + margin_x), min(1.0, max(y) + margin_y)
    return (x1, y1, x2, y2) if max(x2 - x1, y2 - y1) <= LARGEST else None


def detail_of(frame: av.VideoFrame, scene: Scene, network_wh: tuple[int, int], *, turn: int = 0) -> Detail | None:
    """Cut a detail out of a frame, which should be of the main stream: of a small one it is only enlarged.

    Args:
        frame: Any pixel layout; its rotation is applied.
        scene: Its zones say where.
        network_wh: Size of the network's input [px].
        turn: Counts the looks: zones that lie far apart have their turn one after the other.

    Returns:
        None where no zone asks for one, or it would show no more than the whole.
    """
    areas = detail_areas(scene)
    if not areas:
        return None
    area, turns = areas[turn % len(areas)], quarter_turns(frame)
    width, height = upright_size(frame)
    x1, y1 = int(area[0] * width) // 2 * 2, int(area[1] * height) // 2 * 2
    x2, y2 = round(area[2] * width), round(area[3] * height)
    if min(x2 - x1, y2 - y1) < 16:
        return None
    # Of a huge picture no more than the network can use: all of 4K in RGB is 25 MB for each look.
    shrink = min(1.0, max(network_wh[0] / (x2 - x1), network_wh[1] / (y2 - y1)))
    if shrink < 1.0:
        frame = frame.reformat(
            width=round(frame.width * shrink / 2) * 2,
            height=round(frame.height * shrink / 2) * 2,
            format="yuv420p",
            interpolation=Interpolation.AREA,
        )
    whole = np.rot90(frame.to_ndarray(format="rgb24"), turns)
    height, width = whole.shape[:2]
    x1, y1 = int(area[0] * width) // 2 * 2, int(area[1] * height) // 2 * 2
    x2, y2 = round(area[2] * width), round(area[3] * height)
    crop = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole[y1:y2, x1:x2]), format="rgb24")
    rgb, letterbox = TileScaler().to_network_rgb(crop, network_wh)
    exact = (x1 / width, y1 / height, x2 / width, y2 / height)
    return Detail(rgb=rgb, area=exact, letterbox=letterbox)


def missing_upright(letterbox: Letterbox, network_wh: tuple[int, int], scene: Scene) -> str:
    """Say what an upright picture loses in an input that lies; empty where that is little, or a zone is seen closer.

    Args:
        letterbox: How the picture was laid into the network's input.
        network_wh: Size of that [px].
        scene: Where nothing is counted, nothing is lost.
    """
    width, height = letterbox.frame_w, letterbox.frame_h
    lying = min(network_wh[0] / height, network_wh[1] / width)
    if height <= width or letterbox.scale >= UPRIGHT_SMALLER * lying:
        return ""
    if not scene.measures or detail_areas(scene):
        return ""
    return UPRIGHT.format(width=width, height=height, percent=100.0 * letterbox.scale / lying)


def merge_detail(boxes: FloatArray, found: FloatArray, detail: Detail, letterbox: Letterbox) -> FloatArray:
    """Bring the boxes of a detail together with those of the whole picture.

    Args:
        boxes: Of the whole picture, as `Engine.infer` returns them.
        found: Of the detail.
        detail: From `detail_of`.
        letterbox: Of the whole picture.

    Returns:
        Network pixels of the whole picture, best first; a vehicle seen in both stands once.
    """
    x1, y1, x2, y2 = detail.area
    inside = detail.letterbox.to_fractions(found[:, :4])
    # What the crop's edge cuts through is whole in the large picture, unless the frame ends there too.
    is_cut = (
        ((inside[:, 0] < _EDGE) & (x1 > 0))
        | ((inside[:, 1] < _EDGE) & (y1 > 0))
        | ((inside[:, 2] > 1 - _EDGE) & (x2 < 1))
        | ((inside[:, 3] > 1 - _EDGE) & (y2 < 1))
    )
    whole = inside[~is_cut] * [x2 - x1, y2 - y1, x2 - x1, y2 - y1] + [x1, y1, x1, y1]
    closer = found[~is_cut].astype(np.float32, copy=True)
    closer[:, :4] = letterbox.to_network(whole)
    together = np.concatenate([closer, boxes]).astype(np.float32, copy=False)
    return suppress(together[np.argsort(-together[:, 4], kind="stable")], iou=SAME_IOU)
