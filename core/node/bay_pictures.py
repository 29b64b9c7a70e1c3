"""One bay's part of its camera's newest picture."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from core.kernel.errors import UnavailableError
from core.media.convert import to_jpeg
from core.parking.model import Outline

MARGIN = 0.6
"""Of the bay's size on every side: its neighbours help to see which bay it is."""

LEAST_PX = 96
MAX_WH = (960, 720)
QUALITY = 85


def cut_bay(jpeg: bytes, outline: Outline) -> tuple[bytes, tuple[int, int]]:
    """Cut a bay out of a picture, with some of what is round it.

    Args:
        jpeg: The whole picture.
        outline: As fractions of it.

    Returns:
        JPEG, and its width and height [px].

    Raises:
        UnavailableError: The picture cannot be decoded.
    """
    try:
        decoder: Any = av.CodecContext.create("mjpeg", "r")
        frame = decoder.decode(av.Packet(jpeg))[0]
    except (av.FFmpegError, IndexError) as error:
        raise UnavailableError("The newest picture of this bay is broken.", hint="Try again in a moment.") from error
    points = np.asarray(outline, np.float64) * (frame.width, frame.height)
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) * (0.5 + MARGIN), LEAST_PX / 2)
    x1, y1 = (int(v) for v in np.clip(middle - half, 0, (frame.width - 2, frame.height - 2)))
    x2, y2 = (int(v) for v in np.clip(middle + half, (x1 + 2, y1 + 2), (frame.width, frame.height)))
    part = np.ascontiguousarray(frame.to_ndarray(format="rgb24")[y1:y2, x1:x2])
    cut = av.VideoFrame.from_ndarray(part, format="rgb24")
    return to_jpeg(cut, max_wh=MAX_WH, quality=QUALITY), (x2 - x1, y2 - y1)
