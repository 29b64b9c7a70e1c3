"""A tile's picture as it is kept: the pixels as they were shown, without boxes, and what was known about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.cameras.model import Camera
from widgets.video.model import DrawnTrack, Picture

_N_TRIES = 4


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


def shot_of(camera: Camera, frame: Picture, boxes_at: Callable[[float], tuple[DrawnTrack, ...]]) -> Shot | None:
    """Copy a picture, whole: where the camera writes it anew meanwhile, its newest one.

    `boxes_at` says what is boxed on the picture of a picture time. Returns None where the camera was faster every time:
    half of one picture and half of another prove nothing.
    """
    taken: Picture | None = frame
    for _ in range(_N_TRIES):
        if taken is None:
            return None
        data = bytes(taken.data)
        if taken.is_intact():
            return Shot(
                camera=camera,
                width=taken.width,
                height=taken.height,
                pts_s=taken.pts_s,
                captured_at_s=taken.captured_at_s,
                data=data[: taken.width * taken.height * 4],
                boxes=boxes_at(taken.pts_s),
            )
        taken = taken.renewed()
    return None
