"""Privacy masks: parts of the picture that are black before anything else sees it.

They are painted into the decoded picture itself, so that neither wall nor detector nor snapshot can forget them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

Polygon = Sequence[tuple[float, float]]
"""Corners x, y in fractions of the upright picture."""

WHOLE: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
"""All of the picture."""

_PLANAR_YUV = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"})
_PACKED_RGB = frozenset({"rgb24", "bgr24"})
_NEUTRAL_CHROMA = 128
_BLACK_LIMITED_RANGE, _BLACK_FULL_RANGE = 16, 0


class PrivacyMask:
    """Blackens the same parts of every picture of one camera, whatever its size.

    Threads: one at a time.
    """

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        """Take the parts that nobody may see; they are drawn for a size when its first picture comes."""
        self._polygons = tuple(tuple((float(x), float(y)) for x, y in polygon) for polygon in polygons)
        self._drawn_for: tuple[Any, ...] = ()
        self._stencils: list[_Stencil] = []
        self._to_planar = VideoReformatter()

    def blacken(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the picture with its masked parts black; `frame` itself is black there too, or of no more use."""
        if not self._polygons:
            return frame
        layout = frame.format.name
        if layout not in _PLANAR_YUV and layout not in _PACKED_RGB and layout not in {"nv12", "gray"}:
            frame = self._to_planar.reformat(frame, format="yuv420p", threads=1)
        # The decoder still predicts the next pictures from this memory.
        frame.make_writable()
        key = (frame.width, frame.height, frame.format.name, frame.rotation)
        if key != self._drawn_for:
            self._stencils = _stencils(frame, self._polygons)
            self._drawn_for = key
        for number, stencil in enumerate(self._stencils):
            stencil.fill(frame.planes[number], _NEUTRAL_CHROMA if number else _black_of(frame))
        return frame


def black_picture(width: int, height: int) -> av.VideoFrame:
    """Return a black picture of this size [px]."""
    frame = av.VideoFrame(width, height, "yuv420p")
    return PrivacyMask((WHOLE,)).blacken(frame)


class _Stencil:
    """The masked bytes of one plane, cut down to the smallest rectangle around them."""

    def __init__(self, mask: NDArray[np.bool_], bytes_per_sample: int) -> None:
        """Take the masked samples of the plane, shape (h, w)."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        self._n_rows = mask.shape[0]
        self._is_empty = rows.size == 0
        if self._is_empty:
            return
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        self._rows = slice(top, bottom)
        self._bytes = slice(left * bytes_per_sample, right * bytes_per_sample)
        self._mask = np.repeat(mask[top:bottom, left:right], bytes_per_sample, axis=1)
        self._is_whole = bool(self._mask.all())

    def fill(self, plane: Any, value: int) -> None:
        """Write `value` into the masked bytes of a plane of the shape this was drawn for."""
        if self._is_empty:
            return
        rows = np.frombuffer(plane, np.uint8, count=plane.line_size * self._n_rows)
        part = rows.reshape(self._n_rows, plane.line_size)[self._rows, self._bytes]
        if self._is_whole:
            part[:] = value
        else:
            np.copyto(part, np.uint8(value), where=self._mask)


def rasterise(polygons: Sequence[Polygon], width: int, height: int) -> NDArray[np.bool_]:
    """Draw polygons, one pixel larger all around: what shines through at an edge is a leak.

    Args:
        polygons: Corners in fractions; the picture's edge cuts them off. Where an outline crosses itself, all of it
            counts as inside.
        width: Of the picture [px].
        height: Of the picture [px].

    Returns:
        Shape (height, width), True inside.
    """
    inside = np.zeros((height, width), bool)
    for polygon in polygons:
        inside |= _winding(np.asarray(polygon, np.float64) * (width, height), width, height) != 0
    grown = inside.copy()
    grown[1:] |= inside[:-1]
    grown[:-1] |= inside[1:]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide


def _winding(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.int16]:
    """Return how often the outline goes around the centre of each pixel, shape (height, width)."""
    turns = np.zeros((height, width + 1), np.int16)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if start[1] == end[1]:
            continue
        # From the top down whichever way the outline goes: a rounded crossing must not depend on it.
        turn = 1 if start[1] < end[1] else -1
        (x1, y1), (x2, y2) = (start, end)[::turn]
        rows = np.arange(*(int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (y1, y2)))
        crossings = x1 + (rows + 0.5 - y1) * (x2 - x1) / (y2 - y1)
        columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(np.intp)
        turns[rows, columns] += turn
    return np.cumsum(turns, axis=1, dtype=np.int16)[:, :width]


def _black_of(frame: av.VideoFrame) -> int:
    name = frame.format.name
    is_full = frame.color_range == ColorRange.JPEG or name.startswith("yuvj") or name == "gray" or name in _PACKED_RGB
    return _BLACK_FULL_RANGE if is_full else _BLACK_LIMITED_RANGE


def _stencils(frame: av.VideoFrame, polygons: Sequence[Polygon]) -> list[_Stencil]:
    turns = round(frame.rotation / 90) % 4
    upright_wh = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
    # Turned back to how the picture lies in memory.
    mask = np.rot90(rasterise(polygons, *upright_wh), -turns)
    if frame.format.name in _PACKED_RGB:
        return [_Stencil(mask, 3)]
    if frame.format.name == "nv12":
        return [_Stencil(mask, 1), _Stencil(_halved(mask, 2, 2), 2)]
    return [
        _Stencil(_halved(mask, round(frame.width / plane.width), round(frame.height / plane.height)), 1)
        for plane in frame.planes
    ]


def _halved(mask: NDArray[np.bool_], step_x: int, step_y: int) -> NDArray[np.bool_]:
    """Return the mask of a plane with fewer samples: each that touches the mask belongs to it."""
    height, width = mask.shape
    padded = np.zeros((-(-height // step_y) * step_y, -(-width // step_x) * step_x), bool)
    padded[:height, :width] = mask
    blocks = padded.reshape(padded.shape[0] // step_y, step_y, -1, step_x)
    return np.asarray(blocks.any(axis=(1, 3)), bool)
