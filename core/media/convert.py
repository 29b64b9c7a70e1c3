"""Pictures out of the decoder, in the sizes and pixel layouts that are shown, analysed and stored.

swscale scales what cameras send (planar YUV) fastest as it is, and has hand-written loops to turn YUV into RGB of the
same size; both in one pass use neither. Measured at 1920x1080 (CPU ms a frame, area; in brackets one pass): to 480x270
BGRA 1.0 (1.3), to 640x360 RGB 1.2 (2.2). Fast bilinear takes a quarter of that, but reads two pixels in every eight and
lets distant vehicles flicker; area is the fastest that reads them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from core.kernel.errors import BadInputError

PADDING_GREY = 114
_PLANAR_LAYOUTS = frozenset({"yuv420p", "yuvj420p"})
_MJPEG_BEST, _MJPEG_WORST = 2, 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """Where the frame lies inside the network's input, and the way back.

    Attributes:
        scale: Network pixels per frame pixel.
        pad_x, pad_y: Grey pixels left of and above the frame.
        content_w, content_h: The frame inside the network's input [px].
        frame_w, frame_h: The frame as it is looked at, after its rotation [px].
    """

    scale: float
    pad_x: int
    pad_y: int
    content_w: int
    content_h: int
    frame_w: int
    frame_h: int

    def to_fractions(self, boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn boxes in network pixels, shape (n, 4), into fractions of the frame, clipped to it."""
        size = np.array([self.content_w, self.content_h, self.content_w, self.content_h], dtype=np.float64)
        pad = np.array([self.pad_x, self.pad_y, self.pad_x, self.pad_y], dtype=np.float64)
        return np.clip((np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4) - pad) / size, 0.0, 1.0)

    def to_network(self, boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn boxes in fractions of the frame, shape (n, 4), into network pixels."""
        size = np.array([self.content_w, self.content_h, self.content_w, self.content_h], dtype=np.float64)
        pad = np.array([self.pad_x, self.pad_y, self.pad_x, self.pad_y], dtype=np.float64)
        return np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4) * size + pad


class TileScaler:
    """Scales the frames of one camera; keeps one swscale context for the tile and one for the network.

    Frames may change size from one to the next. Threads: each method from one thread.
    """

    def __init__(self) -> None:
        """Make nothing yet; swscale sets itself up with the first frame."""
        self._tile = _Output()
        self._network = _Output()

    def to_bgra(self, frame: av.VideoFrame, wh: tuple[int, int]) -> NDArray[np.uint8]:
        """Scale into the box `wh`, keeping the aspect and never enlarging.

        Returns:
            Shape (h, w, 4), B G R A; a view of memory that nobody writes again.
        """
        turns = quarter_turns(frame)
        width, height = fit_inside(_upright(frame, turns), wh)
        if turns % 2:
            width, height = height, width
        return _turned(self._tile.scaled(frame, width, height, "bgra", 4), turns)

    def to_network_rgb(self, frame: av.VideoFrame, wh: tuple[int, int]) -> tuple[NDArray[np.uint8], Letterbox]:
        """Scale to the network's input, with grey bars where the aspect differs.

        Returns:
            Shape (wh[1], wh[0], 3), R G B, contiguous; and the way back to fractions of the frame.
        """
        turns = quarter_turns(frame)
        frame_w, frame_h = _upright(frame, turns)
        scale = min(wh[0] / frame_w, wh[1] / frame_h)
        width = max(1, min(wh[0], round(frame_w * scale)))
        height = max(1, min(wh[1], round(frame_h * scale)))
        box = Letterbox(
            scale=scale,
            pad_x=(wh[0] - width) // 2,
            pad_y=(wh[1] - height) // 2,
            content_w=width,
            content_h=height,
            frame_w=frame_w,
            frame_h=frame_h,
        )
        scaled_wh = (height, width) if turns % 2 else (width, height)
        rgb = _turned(self._network.scaled(frame, *scaled_wh, "rgb24", 3), turns)
        if (width, height) == wh:
            return np.ascontiguousarray(rgb), box
        padded = np.full((wh[1], wh[0], 3), PADDING_GREY, dtype=np.uint8)
        padded[box.pad_y : box.pad_y + height, box.pad_x : box.pad_x + width] = rgb
        return padded, box


def fit_inside(frame_wh: tuple[int, int], box_wh: tuple[int, int]) -> tuple[int, int]:
    """Return the largest even size inside `box_wh` with the frame's aspect, no larger than the frame."""
    scale = min(1.0, box_wh[0] / frame_wh[0], box_wh[1] / frame_wh[1])
    width, height = (max(2, round(side * scale / 2) * 2) for side in frame_wh)
    return min(width, max(2, box_wh[0] // 2 * 2)), min(height, max(2, box_wh[1] // 2 * 2))


def to_jpeg(frame: av.VideoFrame, max_wh: tuple[int, int], quality: int = 85) -> bytes:
    """Encode a frame for a snapshot, no larger than `max_wh`.

    Args:
        frame: Any pixel layout; its rotation is applied.
        max_wh: Width and height it has to fit [px].
        quality: 1 to 100, as cameras count it.

    Raises:
        BadInputError: The frame cannot be encoded.
    """
    turns = quarter_turns(frame)
    width, height = fit_inside(_upright(frame, turns), max_wh)
    if turns % 2:
        width, height = height, width
    if turns:
        upright = _turned(_Output().scaled(frame, width, height, "rgb24", 3), turns)
        frame = av.VideoFrame.from_ndarray(upright, format="rgb24")
        width, height = frame.width, frame.height
    scaled = VideoReformatter().reformat(
        frame, width, height, "yuvj420p", interpolation=Interpolation.AREA, dst_color_range=ColorRange.JPEG, threads=1
    )
    quantiser = round(_MJPEG_WORST - (_MJPEG_WORST - _MJPEG_BEST) * min(100, max(1, quality)) / 100)
    try:
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        encoder.thread_count = 1
        encoder.qmin = encoder.qmax = max(_MJPEG_BEST, quantiser)
        scaled.pts = 0
        packets = [*encoder.encode(scaled), *encoder.encode(None)]
    except av.FFmpegError as error:
        raise BadInputError(f"A picture of {frame.width}x{frame.height} cannot be saved: {error.strerror}.") from error
    return b"".join(bytes(packet) for packet in packets)


class _Output:
    """One size and layout that frames are brought to again and again, with its swscale contexts."""

    def __init__(self) -> None:
        self._planar = VideoReformatter()
        self._packed = VideoReformatter()

    def scaled(self, frame: av.VideoFrame, width: int, height: int, layout: str, n_channels: int) -> NDArray[np.uint8]:
        # One thread: swscale's own would take the cores from the other cameras.
        if frame.format.name in _PLANAR_LAYOUTS and (frame.width, frame.height) != (width, height):
            frame = self._planar.reformat(
                frame, width, height, frame.format.name, interpolation=Interpolation.AREA, threads=1
            )
        packed = self._packed.reformat(frame, width, height, layout, interpolation=Interpolation.AREA, threads=1)
        plane: Any = packed.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8, count=plane.line_size * height)
        return rows.reshape(height, plane.line_size)[:, : width * n_channels].reshape(height, width, n_channels)


def quarter_turns(frame: av.VideoFrame) -> int:
    """Return how many quarter turns against the clock bring the frame upright (0 to 3)."""
    rotation_deg: int = frame.rotation
    return round(rotation_deg / 90) % 4


def upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Return width and height of a frame as it is looked at [px]."""
    return _upright(frame, quarter_turns(frame))


def _upright(frame: av.VideoFrame, turns: int) -> tuple[int, int]:
    return (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)


def _turned(picture: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
