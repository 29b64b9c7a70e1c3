"""What the wall is given to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from core.media.ring import LentFrame, TrackArrays
from core.vision.model import BBox, Track


def _always() -> bool:
    return True


def _nothing() -> VideoFrame | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoFrame:
    """One picture, already scaled to the size it is shown at.

    Attributes:
        sequence: Of the camera's ring; grows with every picture.
        pts_s: Picture time; joins the picture to its tracks.
        received_s: Monotonic time of this machine at which the packet arrived; the age is counted from it.
        captured_at_s: Wall time of the picture, seconds since 1970, as far as it is known.
        width, height: Of the picture [px of the screen].
        data: BGRA, rows without gaps, at least width * height * 4 bytes.
        is_intact: Whether nobody has written to `data` yet; ask after the last look at it.
        renewed: Returns the camera's newest picture where this one is not intact any more.
    """

    sequence: int
    pts_s: float
    received_s: float
    captured_at_s: float
    width: int
    height: int
    data: bytes | bytearray | memoryview
    is_intact: Callable[[], bool] = _always
    renewed: Callable[[], VideoFrame | None] = _nothing

    def __post_init__(self) -> None:
        """Refuse a picture that is smaller than it says: painting it would read foreign memory."""
        if self.width < 1 or self.height < 1 or memoryview(self.data).nbytes < self.width * self.height * 4:
            raise ValueError(f"frame {self.sequence}: {self.width}x{self.height} does not fit its bytes")


Picture = VideoFrame | LentFrame
"""One in memory of its own, or one that lies in a ring."""

Pictures = Sequence[tuple[str, Picture]]
"""The newest pictures of several cameras, by id."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackSet:
    """What the tracker saw on the picture with this picture time; n tracks.

    Attributes:
        track_ids: Of each track.
        boxes: Shape (n, 4), x1 y1 x2 y2 in fractions of the frame, float32.
        velocities: Shape (n, 2), fractions of the frame per second of picture time, float32.
    """

    pts_s: float
    track_ids: tuple[int, ...]
    labels: tuple[str, ...]
    boxes: NDArray[np.float32]
    velocities: NDArray[np.float32]

    @classmethod
    def of(cls, pts_s: float, tracks: Iterable[Track]) -> Self:
        """Take single tracks together."""
        known = tuple(tracks)
        return cls(
            pts_s=pts_s,
            track_ids=tuple(track.track_id for track in known),
            labels=tuple(track.label for track in known),
            boxes=np.array([track.bbox_xyxy for track in known], np.float32).reshape(-1, 4),
            velocities=np.array([track.velocity_xy for track in known], np.float32).reshape(-1, 2),
        )


Tracks = TrackSet | TrackArrays
"""Made here, or read from a ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTrack:
    """One box as it goes onto a picture.

    Attributes:
        opacity: 1 where the box is known for this picture, less where it fades out.
    """

    track_id: int
    label: str
    bbox_xyxy: BBox
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnTracks:
    """The boxes that go onto one picture.

    Attributes:
        boxes: Shape (n, 4), x1 y1 x2 y2 in fractions of the frame.
        opacities: Of each box; empty where all are 1.
    """

    track_ids: tuple[int, ...]
    labels: tuple[str, ...]
    boxes: NDArray[np.float32]
    opacities: tuple[float, ...] = ()

    def __len__(self) -> int:
        """Return how many boxes there are."""
        return len(self.track_ids)

    def rows(self) -> tuple[DrawnTrack, ...]:
        """Return the boxes one by one."""
        return tuple(
            DrawnTrack(
                track_id=self.track_ids[at],
                label=self.labels[at],
                bbox_xyxy=(box[0], box[1], box[2], box[3]),
                opacity=self.opacities[at] if self.opacities else 1.0,
            )
            for at, box in enumerate(self.boxes.tolist())
        )


NO_TRACKS = DrawnTracks(track_ids=(), labels=(), boxes=np.zeros((0, 4), np.float32))
