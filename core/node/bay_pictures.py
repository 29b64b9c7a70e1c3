"""Pictures of bays: one bay's part of its camera's newest one, and what nobody may see of one that was posted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import av
import numpy as np

from core.kernel.errors import BadInputError, UnavailableError
from core.media.camera_source import is_same_shape
from core.media.convert import to_jpeg
from core.media.masks import Polygon, PrivacyMask
from core.parking.model import Outline
from core.vision.view import print_of_part

MARGIN = 0.6
"""Of the bay's size on every side: its neighbours help to see which bay it is."""

LEAST_PX = 96
MAX_WH = (960, 720)
QUALITY = 85
MASKED_QUALITY = 92
MAX_SIDE_PX = 8192
OTHER_SHAPE = (
    "This picture has another shape ({now}) than the one that the camera's privacy masks were drawn on ({drawn}): "
    "nobody knows where in it the private parts are."
)
OTHER_SHAPE_HINT = "Set the camera back to that shape, draw its masks anew, or say in its scene that the view is right."


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
        frame = _decode(jpeg)
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


def mask(jpeg: bytes, private_parts: Sequence[Polygon], shapes: Mapping[str, tuple[int, int]]) -> bytes:
    """Return a picture whose private parts are black.

    Args:
        jpeg: The whole picture.
        private_parts: As fractions of it.
        shapes: Sizes of the pictures that they were drawn on [px], as `LearnedView.shapes` knows them of the camera.

    Raises:
        BadInputError: The picture cannot be decoded, or nobody knows where in it the private parts are.
    """
    try:
        posted = _decode(jpeg)
        for drawn in filter(None, (shapes.get(print_of_part(part)) for part in private_parts)):
            if not is_same_shape((posted.width, posted.height), drawn):
                now = f"{posted.width}x{posted.height}"
                raise BadInputError(OTHER_SHAPE.format(now=now, drawn="{}x{}".format(*drawn)), hint=OTHER_SHAPE_HINT)
        frame = PrivacyMask(private_parts).blacken(posted)
        return to_jpeg(frame, max_wh=(MAX_SIDE_PX, MAX_SIDE_PX), quality=MASKED_QUALITY)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise BadInputError("The picture cannot be decoded.", hint="Send it again.") from error


def _decode(jpeg: bytes) -> av.VideoFrame:
    decoder: Any = av.CodecContext.create("mjpeg", "r")
    frame: av.VideoFrame = decoder.decode(av.Packet(jpeg))[0]
    return frame
