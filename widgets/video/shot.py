"""A tile's picture as it is kept: the pixels as they were shown, without boxes, and what was known about them."""

from __future__ import annotations

from dataclasses import dataclass

from core.cameras.model import Camera
from widgets.video.model import DrawnTrack, VideoFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture of one camera.

    Attributes:
        data: BGRA, width * height * 4 bytes; a copy.
        captured_at_s: Wall time, seconds since 1970.
        boxes: What was boxed on it.
    """

    camera: Camera
    width: int
    height: int
    pts_s: float
    captured_at_s: float
    data: bytes
    boxes: tuple[DrawnTrack, ...]


def shot_of(camera: Camera, frame: VideoFrame, boxes: tuple[DrawnTrack, ...]) -> Shot:
    """Copy a picture, whole: where the camera writes it anew meanwhile, its newest one."""
    taken, data = frame, bytes(frame.data)
    for _ in range(3):
        newer = None if taken.is_intact() else taken.renewed()
        if newer is None:
            break
        taken, data = newer, bytes(newer.data)
    return Shot(
        camera=camera,
        width=taken.width,
        height=taken.height,
        pts_s=taken.pts_s,
        captured_at_s=taken.captured_at_s,
        data=data[: taken.width * taken.height * 4],
        boxes=boxes,
    )
