"""Which boxes belong on a picture: the tracks are joined to it by picture time, never by arrival."""

from __future__ import annotations

from collections.abc import Sequence

from core.vision.model import BBox, Track
from widgets.video.model import DrawnTrack, TrackSet

SAME_PICTURE_S = 0.002
KEPT_S = 1.0
EXTRAPOLATED_S = 0.2
FADED_S = 0.3
"""After the 200 ms a box may run ahead it stands still and is gone this much later."""


class TrackHistory:
    """The track sets of the last second of one camera, in the order of picture time."""

    def __init__(self) -> None:
        self._sets: list[TrackSet] = []

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, tracks: TrackSet) -> None:
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

    def at(self, pts_s: float) -> tuple[DrawnTrack, ...]:
        """Return the boxes of the picture with this picture time; see `tracks_at`."""
        return tracks_at(self._sets, pts_s)


def tracks_at(sets: Sequence[TrackSet], pts_s: float) -> tuple[DrawnTrack, ...]:
    """Return the boxes to draw on the picture with this picture time.

    Args:
        sets: In the order of picture time.
        pts_s: Of the picture.

    Returns:
        The set of this very picture where there is one. Between two sets each box is interpolated, and one that only
        one of them knows fades. After the newest set boxes run ahead with their velocity for 200 ms, then fade out
        within 300 ms. Before the oldest set boxes run back for at most 200 ms.
    """
    before: TrackSet | None = None
    after: TrackSet | None = None
    for tracks in sets:
        if abs(tracks.pts_s - pts_s) <= SAME_PICTURE_S:
            return tuple(_drawn(track, track.bbox_xyxy, 1.0) for track in tracks.tracks)
        if tracks.pts_s < pts_s:
            before = tracks
        elif after is None:
            after = tracks
    if before is not None and after is not None:
        return _between(before, after, pts_s)
    if before is not None:
        return _beyond(before, pts_s - before.pts_s)
    if after is not None and after.pts_s - pts_s <= EXTRAPOLATED_S:
        return _beyond(after, pts_s - after.pts_s)
    return ()


def _between(before: TrackSet, after: TrackSet, pts_s: float) -> tuple[DrawnTrack, ...]:
    part = (pts_s - before.pts_s) / (after.pts_s - before.pts_s)
    later = {track.track_id: track for track in after.tracks}
    earlier_ids = {track.track_id for track in before.tracks}
    drawn = []
    for track in before.tracks:
        match = later.get(track.track_id)
        if match is not None:
            drawn.append(_drawn(match, _mix(track.bbox_xyxy, match.bbox_xyxy, part), 1.0))
        else:
            drawn.append(_drawn(track, _moved(track, pts_s - before.pts_s), 1.0 - part))
    drawn += [
        _drawn(track, _moved(track, pts_s - after.pts_s), part)
        for track in after.tracks
        if track.track_id not in earlier_ids
    ]
    return tuple(drawn)


def _beyond(known: TrackSet, ahead_s: float) -> tuple[DrawnTrack, ...]:
    """Move boxes away from the set they are known from; `ahead_s` below zero moves them back."""
    opacity = 1.0 if ahead_s <= EXTRAPOLATED_S else 1.0 - (ahead_s - EXTRAPOLATED_S) / FADED_S
    if opacity <= 0.0:
        return ()
    moved_s = min(ahead_s, EXTRAPOLATED_S)
    return tuple(_drawn(track, _moved(track, moved_s), opacity) for track in known.tracks)


def _moved(track: Track, seconds: float) -> BBox:
    kept_s = max(-EXTRAPOLATED_S, min(EXTRAPOLATED_S, seconds))
    dx, dy = track.velocity_xy[0] * kept_s, track.velocity_xy[1] * kept_s
    x1, y1, x2, y2 = track.bbox_xyxy
    return x1 + dx, y1 + dy, x2 + dx, y2 + dy


def _mix(a: BBox, b: BBox, part: float) -> BBox:
    return (
        a[0] + (b[0] - a[0]) * part,
        a[1] + (b[1] - a[1]) * part,
        a[2] + (b[2] - a[2]) * part,
        a[3] + (b[3] - a[3]) * part,
    )


def _drawn(track: Track, bbox: BBox, opacity: float) -> DrawnTrack:
    return DrawnTrack(track_id=track.track_id, label=track.label, score=track.score, bbox_xyxy=bbox, opacity=opacity)
