"""Which boxes belong on a picture: the tracks are joined to it by picture time, never by arrival."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from widgets.video.model import NO_TRACKS, DrawnTracks, Tracks

SAME_PICTURE_S = 0.002
KEPT_S = 1.0
EXTRAPOLATED_S = 0.2
FADED_S = 0.3
"""After the 200 ms a box may run ahead it stands still and is gone this much later."""

_BOTH_CORNERS = [0, 1, 0, 1]


class TrackHistory:
    """The track sets of the last second of one camera, in the order of picture time."""

    def __init__(self) -> None:
        self._sets: list[Tracks] = []

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, tracks: Tracks) -> None:
        """Keep a set; picture time that steps back by more than is kept means that the stream began anew."""
        if self._sets and tracks.pts_s < self._sets[-1].pts_s - KEPT_S:
            self._sets.clear()
        at = len(self._sets)
        while at > 0 and self._sets[at - 1].pts_s > tracks.pts_s:
            at -= 1
        self._sets.insert(at, tracks)
        oldest_s = self._sets[-1].pts_s - KEPT_S
        while self._sets[0].pts_s < oldest_s:
            del self._sets[0]

    def clear(self) -> None:
        """Forget everything, as when another camera is shown."""
        self._sets.clear()

    def at(self, pts_s: float) -> DrawnTracks:
        """Return the boxes of the picture with this picture time; see `tracks_at`."""
        return tracks_at(self._sets, pts_s)


def tracks_at(sets: Sequence[Tracks], pts_s: float) -> DrawnTracks:
    """Return the boxes to draw on the picture with this picture time.

    Args:
        sets: In the order of picture time.
        pts_s: Of the picture.

    Returns:
        The set of this very picture where there is one. Between two sets each box is interpolated, and one that only
        one of them knows fades. After the newest set boxes run ahead with their velocity for 200 ms, then fade out
        within 300 ms. Before the oldest set boxes run back for at most 200 ms.
    """
    before: Tracks | None = None
    after: Tracks | None = None
    # The newest picture is shown: its tracks are among the last sets.
    for tracks in reversed(sets):
        if abs(tracks.pts_s - pts_s) <= SAME_PICTURE_S:
            return DrawnTracks(track_ids=tracks.track_ids, labels=tracks.labels, boxes=tracks.boxes)
        if tracks.pts_s < pts_s:
            before = tracks
            break
        after = tracks
    if before is not None and after is not None:
        return _between(before, after, pts_s)
    if before is not None:
        return _beyond(before, pts_s - before.pts_s)
    if after is not None and after.pts_s - pts_s <= EXTRAPOLATED_S:
        return _beyond(after, pts_s - after.pts_s)
    return NO_TRACKS


def _between(before: Tracks, after: Tracks, pts_s: float) -> DrawnTracks:
    part = (pts_s - before.pts_s) / (after.pts_s - before.pts_s)
    if before.track_ids == after.track_ids:
        mixed = before.boxes + (after.boxes - before.boxes) * np.float32(part)
        return DrawnTracks(track_ids=after.track_ids, labels=after.labels, boxes=mixed)
    later = {track_id: at for at, track_id in enumerate(after.track_ids)}
    places = np.array([later.get(track_id, -1) for track_id in before.track_ids], np.intp)
    is_matched = places >= 0
    boxes = _moved(before, pts_s - before.pts_s)
    boxes[is_matched] = before.boxes[is_matched] + (
        after.boxes[places[is_matched]] - before.boxes[is_matched]
    ) * np.float32(part)
    earlier = set(before.track_ids)
    is_new = [track_id not in earlier for track_id in after.track_ids]
    new = [at for at, is_one in enumerate(is_new) if is_one]
    return DrawnTracks(
        track_ids=before.track_ids + tuple(after.track_ids[at] for at in new),
        labels=tuple(
            after.labels[at] if at >= 0 else label for at, label in zip(places.tolist(), before.labels, strict=True)
        )
        + tuple(after.labels[at] for at in new),
        boxes=np.concatenate([boxes, _moved(after, pts_s - after.pts_s)[is_new]]),
        opacities=tuple(1.0 if is_kept else 1.0 - part for is_kept in is_matched.tolist()) + (part,) * len(new),
    )


def _beyond(known: Tracks, ahead_s: float) -> DrawnTracks:
    """Move boxes away from the set they are known from; `ahead_s` below zero moves them back."""
    opacity = 1.0 if ahead_s <= EXTRAPOLATED_S else 1.0 - (ahead_s - EXTRAPOLATED_S) / FADED_S
    if opacity <= 0.0 or not known.track_ids:
        return NO_TRACKS
    return DrawnTracks(
        track_ids=known.track_ids,
        labels=known.labels,
        boxes=_moved(known, ahead_s),
        opacities=() if opacity == 1.0 else (opacity,) * len(known.track_ids),
    )


def _moved(known: Tracks, seconds: float) -> NDArray[np.float32]:
    kept_s = np.float32(max(-EXTRAPOLATED_S, min(EXTRAPOLATED_S, seconds)))
    moved: NDArray[np.float32] = known.boxes + (known.velocities * kept_s)[:, _BOTH_CORNERS]
    return moved
