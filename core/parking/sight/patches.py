"""Each bay's own small square picture, whatever the view, and its colours freed of the light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.parking.model import Outline

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]

PATCH_PX = 48
MARGIN = 0.22
"""Of the bay's size on every side: a vehicle seen from a mast rises over its bay's outline."""

N_CHANNELS = 4
_FLAT = 0.035
"""Spread of brightness below which a patch holds nothing but noise, of a picture 0..1."""

_MIN_SPAN = 0.10


def outline_px(outline: Outline, wh: tuple[int, int]) -> FloatArray:
    """Turn an outline in fractions into pixels, shape (n, 2), float32."""
    return np.asarray(outline, np.float32).reshape(-1, 2) * np.array(wh, np.float32)


def quad_of(outline: FloatArray) -> FloatArray:
    """Return four corners that hold a bay: its own where it has four, else those of the smallest rectangle round it.

    Args:
        outline: [px], shape (n, 2).

    Returns:
        Shape (4, 2), float32, the first edge a short one.
    """
    import cv2

    quad = outline if len(outline) == 4 else cv2.boxPoints(cv2.minAreaRect(outline.astype(np.float32)))
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    if sides[0] + sides[2] > sides[1] + sides[3]:
        quad = np.roll(quad, -1, axis=0)
    return np.ascontiguousarray(quad, np.float32)


def cut_patches(picture_bgr: Picture, outlines: Sequence[FloatArray]) -> Picture:
    """Cut every bay out of a picture, turned and straightened.

    Args:
        picture_bgr: Shape (h, w, 3).
        outlines: [px], each (n, 2).

    Returns:
        Shape (len(outlines), PATCH_PX, PATCH_PX, 3), B G R; what lies outside the picture repeats its edge.
    """
    import cv2

    low, high = MARGIN / (1 + 2 * MARGIN) * PATCH_PX, (1 + MARGIN) / (1 + 2 * MARGIN) * PATCH_PX
    target = np.array([(low, low), (high, low), (high, high), (low, high)], np.float32)
    patches = np.empty((len(outlines), PATCH_PX, PATCH_PX, 3), np.uint8)
    for index, outline in enumerate(outlines):
        quad = quad_of(outline)
        centre = quad.mean(axis=0)
        # Shrunk beforehand where the bay is large: a warp reads four pixels only, and asphalt would glitter.
        shrink = min(1.0, 2.0 * PATCH_PX / max(float(np.ptp(quad, axis=0).max()), 1.0))
        part, quad = _around(picture_bgr, quad, centre)
        if shrink < 1.0 and min(part.shape[:2]) * shrink >= 2.0:
            part = cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            quad = quad * np.float32(shrink)
        warp = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
        patches[index] = cv2.warpPerspective(
            part, warp, (PATCH_PX, PATCH_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return patches


def _around(picture: Picture, quad: FloatArray, centre: FloatArray) -> tuple[Picture, FloatArray]:
    """Return the part of a picture round a quad, and the quad in it."""
    height, width = picture.shape[:2]
    reach = np.abs(quad - centre).max(axis=0) * (1 + 3 * MARGIN) + 2
    x0, y0 = (int(np.clip(v, 0, limit - 1)) for v, limit in zip(centre - reach, (width, height), strict=True))
    x1, y1 = (int(np.clip(v, 1, limit)) for v, limit in zip(centre + reach + 1, (width, height), strict=True))
    part = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    return part, quad - np.array([x0, y0], np.float32)


def to_inputs(patches: Picture) -> FloatArray:
    """Free patches of one picture of its light: what stays is how they differ from each other and within themselves.

    Args:
        patches: As `cut_patches` returns them, all of one picture.

    Returns:
        Shape (n, N_CHANNELS, PATCH_PX, PATCH_PX), float32: brightness against the lot's, brightness against the patch's
        own, and two colour differences against the lot's.
    """
    bgr = patches.astype(np.float32) / 255.0
    grey = bgr @ np.array([0.114, 0.587, 0.299], np.float32)
    low, middle, high = (float(v) for v in np.percentile(grey, (10, 50, 90)))
    span = max(high - low, _MIN_SPAN)
    mean = grey.mean(axis=(1, 2), keepdims=True)
    spread = np.maximum(grey.std(axis=(1, 2), keepdims=True), _FLAT)
    colour = (bgr[..., ::2] - bgr[..., 1:2]) / (grey[..., None] + 0.1)
    colour = colour - np.median(colour, axis=(0, 1, 2))
    inputs = np.stack(
        [(grey - middle) / span, (grey - mean) / spread / 2.0, colour[..., 0] * 2.0, colour[..., 1] * 2.0], axis=1
    )
    clipped: FloatArray = np.clip(inputs, -3.0, 3.0).astype(np.float32)
    return clipped
