"""Whether a picture, or the part of it that shows a bay, can say anything at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]

MAX_PIXELS = 40_000_000
MIN_SIDE_PX = 64
_BLANK_SPAN = 10.0
_DARK_LEVEL = 22.0
_BURNT_LEVEL, _BURNT_SHARE = 250, 0.6
_DEAD_SPAN = 2.0
_INNER = slice(12, 36)
_END_OF_IMAGE = b"\xff\xd9"
_START_OF_IMAGE = b"\xff\xd8"


def decode_jpeg(jpeg: bytes) -> Picture:
    """Decode a picture that came from outside.

    Returns:
        Shape (h, w, 3), B G R.

    Raises:
        BadInputError: It is no JPEG, was cut off, is far too large or far too small.
    """
    import cv2

    if not jpeg.startswith(_START_OF_IMAGE):
        raise BadInputError("The picture is no JPEG.", hint="Send JPEG pictures.")
    # Decoders fill what is missing with grey, which would look like an empty bay.
    if _END_OF_IMAGE not in jpeg[-64:]:
        raise BadInputError("The picture was cut off on its way.", hint="Send it again.")
    size = jpeg_size(jpeg)
    if size is None:
        raise BadInputError("The picture is no JPEG.", hint="Send JPEG pictures.")
    width, height = size
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE_PX:
        raise BadInputError(
            f"A picture of {width}x{height} is of no use.", hint="Send pictures from 640x360 to 7680x4320."
        )
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise BadInputError("The picture is a broken JPEG.", hint="Send it again.")
    return np.asarray(picture, np.uint8)


def jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    """Read width and height from a JPEG's frame header, or None where there is none. Source: ITU-T T.81, B.2.2."""
    at = 2
    while at + 9 < len(jpeg):
        if jpeg[at] != 0xFF:
            return None
        marker = jpeg[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        at += 2 + max(length, 2)
    return None


def picture_trouble(grey: Picture) -> str:
    """Say why nothing can be told from a picture; empty where something can.

    Args:
        grey: The part with the bays, shape (h, w).
    """
    low, middle, high = (float(v) for v in np.percentile(grey, (3, 50, 97)))
    if high - low < _BLANK_SPAN:
        if high < _DARK_LEVEL:
            return "The picture is black."
        return "The picture is white." if low > 235 else "The picture is empty: it shows one shade only."
    if high < _DARK_LEVEL:
        return "The picture is too dark to tell anything."
    if float((grey >= _BURNT_LEVEL).mean()) > _BURNT_SHARE and middle >= _BURNT_LEVEL:
        return "The picture is burnt out by glare."
    return ""


def paleness(patches: Picture) -> tuple[FloatArray, FloatArray]:
    """Tell how white each bay is inside, and how much it differs within itself.

    Args:
        patches: As `cut_patches` returns them.

    Returns:
        The middle level of the darkest colour, and the span of levels, 0..255, each of shape (n,).
    """
    inner = patches[:, _INNER, _INNER].astype(np.float32).min(axis=3)
    level = np.median(inner, axis=(1, 2))
    span = np.percentile(inner, 97, axis=(1, 2)) - np.percentile(inner, 3, axis=(1, 2))
    return level, span


def unreadable_bays(patches: Picture) -> NDArray[np.bool_]:
    """Tell which bays show nothing: burnt out, or without a picture there.

    Args:
        patches: As `cut_patches` returns them.

    Returns:
        Shape (n,).
    """
    inner = patches[:, _INNER, _INNER].astype(np.float32).max(axis=3)
    span = np.percentile(inner, 97, axis=(1, 2)) - np.percentile(inner, 3, axis=(1, 2))
    burnt = (inner >= _BURNT_LEVEL).mean(axis=(1, 2)) > 0.85
    black = (inner <= 6).mean(axis=(1, 2)) > 0.85
    dead: NDArray[np.bool_] = burnt | black | (span < _DEAD_SPAN)
    return dead
