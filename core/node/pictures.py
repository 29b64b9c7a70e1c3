"""Pictures for consoles on other machines: the newest of a camera as JPEG, asked for one by one."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import av
import numpy as np

from core.media.convert import to_jpeg
from core.media.ring import USUAL_WH, RingReader
from core.node.model import Picture
from core.vision.model import Track

QUALITY = 80


class Pictures:
    """Reads rings and encodes.

    Threads: any; one picture is encoded at a time, so that remote consoles cannot take the whole machine.
    """

    def __init__(self) -> None:
        """Open nothing yet."""
        self._lock = threading.Lock()
        self._readers: dict[Path, RingReader] = {}

    def newest(self, ring: Path, *, after: int) -> Picture:
        """Return what is newer than `after`.

        Raises:
            UnavailableError: The camera has no ring (any more).
        """
        with self._lock:
            reader = self._readers.get(ring)
            if reader is None:
                reader = self._readers[ring] = RingReader.open(ring)
            frame = reader.newest_frame(after)
            if frame is None:
                return Picture(sequence=after)
            sets = reader.tracks_after(0)
            found = min(sets, key=lambda item: abs(item.pts_s - frame.pts_s), default=None)
            pixels = np.frombuffer(frame.data, dtype=np.uint8).reshape(frame.height, frame.width, 4)
            picture = av.VideoFrame.from_ndarray(pixels, format="bgra")
            return Picture(
                sequence=frame.sequence,
                pts_s=frame.pts_s,
                captured_at_s=frame.captured_at_s,
                age_s=time.monotonic() - frame.received_s,
                width=frame.width,
                height=frame.height,
                epoch=frame.epoch,
                # Five a second of a whole 4K screen would fill the line.
                jpeg=to_jpeg(picture, max_wh=USUAL_WH, quality=QUALITY),
                tracks_pts_s=found.pts_s if found else 0.0,
                tracks=tuple(
                    Track(
                        track_id=mark.track_id,
                        label=mark.label,
                        score=mark.score,
                        bbox_xyxy=mark.bbox_xyxy,
                        velocity_xy=mark.velocity_xy,
                    )
                    for mark in (found.tracks if found else ())
                ),
            )

    def forget(self, ring: Path) -> None:
        """Let go of a ring whose camera was removed."""
        with self._lock:
            reader = self._readers.pop(ring, None)
            if reader is not None:
                reader.close()

    def close(self) -> None:
        """Let go of every ring."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()
