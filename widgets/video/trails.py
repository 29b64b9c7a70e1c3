"""Where vehicles came from: the ground points of each track over the last seconds of picture time."""

from __future__ import annotations

from collections import deque

from PySide6.QtGui import QPainterPath

from widgets.video.model import Tracks

TRAIL_S = 5.0


class Trails:
    """The trails of one camera; a track that is not seen any more takes its trail along."""

    def __init__(self) -> None:
        self._points: dict[int, deque[tuple[float, float, float]]] = {}
        self._labels: dict[int, str] = {}
        self._newest_s = 0.0
        self._path: QPainterPath | None = None
        self._hidden: frozenset[str] = frozenset()

    def add(self, tracks: Tracks) -> None:
        """Take a newer set; one that is older means that the stream began anew."""
        if tracks.pts_s < self._newest_s:
            self.clear()
        self._newest_s = tracks.pts_s
        oldest_s = tracks.pts_s - TRAIL_S
        kept: dict[int, deque[tuple[float, float, float]]] = {}
        for track_id, (x1, _, x2, y2) in zip(tracks.track_ids, tracks.boxes.tolist(), strict=True):
            points = self._points.get(track_id)
            if points is None:
                points = deque()
            points.append((tracks.pts_s, (x1 + x2) / 2, y2))
            while points[0][0] < oldest_s:
                points.popleft()
            kept[track_id] = points
        self._points = kept
        self._labels = dict(zip(tracks.track_ids, tracks.labels, strict=True))
        self._path = None

    def clear(self) -> None:
        """Forget everything."""
        self._points.clear()
        self._labels.clear()
        self._newest_s = 0.0
        self._path = None

    def path(self, hidden_labels: frozenset[str]) -> QPainterPath:
        """Return all trails but those of hidden classes, in fractions of the picture; made anew with each set only."""
        if self._path is not None and hidden_labels == self._hidden:
            return self._path
        made = QPainterPath()
        for track_id, points in self._points.items():
            if len(points) < 2 or self._labels[track_id] in hidden_labels:
                continue
            _, x, y = points[0]
            made.moveTo(x, y)
            for _, x, y in points:
                made.lineTo(x, y)
        self._path, self._hidden = made, hidden_labels
        return made
