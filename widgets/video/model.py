"""What the wall is given to show."""

from __future__ import annotations

from dataclasses import dataclass

from core.vision.model import BBox, Track


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFrame:
    """One picture, already scaled to the size it is shown at.

    Attributes:
        sequence: Of the camera's ring; grows with every picture.
        pts_s: Picture time; joins the picture to its tracks.
        received_s: Monotonic time of this machine at which the packet arrived; the age is counted from it.
        captured_at_s: Wall time of the picture, seconds since 1970, as far as it is known.
        width, height: Of the picture [px of the screen].
        data: BGRA, rows without gaps, at least width * height * 4 bytes; nobody writes to it any more.
    """

    sequence: int
    pts_s: float
    received_s: float
    captured_at_s: float
    width: int
    height: int
    data: bytes | bytearray | memoryview

    def __post_init__(self) -> None:
        """Refuse a picture that is smaller than it says: painting it would read foreign memory."""
        if self.width < 1 or self.height < 1 or memoryview(self.data).nbytes < self.width * self.height * 4:
            raise ValueError(f"frame {self.sequence}: {self.width}x{self.height} does not fit its bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSet:
    """What the tracker saw on the picture with this picture time."""

    pts_s: float
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnTrack:
    """One box as it goes onto a picture.

    Attributes:
        opacity: 1 where the box is known for this picture, less where it fades out.
    """

    track_id: int
    label: str
    score: float
    bbox_xyxy: BBox
    opacity: float = 1.0
