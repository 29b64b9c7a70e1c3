"""Where drones went, as lines that are coloured by height or speed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from core.drones.model import DroneState, TrackPoint
from core.kernel.geo import to_mercator, to_mercator_many
from widgets.base.theme import Look
from widgets.map.view import MapView

MAX_POINTS = 4000
"""Of one live track; a longer one keeps every second point of what it has."""

LEAST_S, LEAST_M = 1.0, 0.5
N_TONES = 8
_LEAST_PX = 2.0
_GAP_S = 15.0
"""A track is broken where nothing was heard for so long."""


class ColorBy(StrEnum):
    """What the colour of a track says."""

    HEIGHT = "height"
    SPEED = "speed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """What the ends of the scale mean; None for both where nothing is known."""

    title: str
    unit: str
    low: float | None
    high: float | None


class Track:
    """One line over ground: Web Mercator metres, instants, heights and speeds; NaN where they were not known."""

    def __init__(self) -> None:
        self._rows = np.empty((256, 5), dtype=np.float64)
        self._n = 0

    @classmethod
    def of(cls, points: Iterable[TrackPoint]) -> Track:
        """Make a track of a flight's points, oldest first."""
        kept = tuple(points)
        track = cls()
        track._n = len(kept)
        if kept:
            values = [(one.at.timestamp(), _known(one.altitude_home_m), _known(one.ground_speed_mps)) for one in kept]
            track._rows = np.column_stack((to_mercator_many([one.point for one in kept]), np.array(values)))
        return track

    @property
    def rows(self) -> NDArray[np.float64]:
        """x, y [m], instant [s since 1970], height [m], speed [m/s]; shape (n, 5)."""
        return self._rows[: self._n]

    def add(self, state: DroneState) -> bool:
        """Go on to where a drone is; returns whether that is somewhere new."""
        position = state.position
        if position is None:
            return False
        at_s, (x_m, y_m) = position.at.timestamp(), to_mercator(position.point)
        height, speed = _known(state.value("altitude_home_m")), _known(state.value("ground_speed_mps"))
        if self._n:
            last = self._rows[self._n - 1]
            climbed_m = abs(height - last[3]) if np.isfinite(height) and np.isfinite(last[3]) else 0.0
            is_same = np.hypot(x_m - last[0], y_m - last[1]) < LEAST_M and climbed_m < LEAST_M
            if at_s < last[2] + LEAST_S or is_same:
                return False
        if self._n == len(self._rows):
            self._make_room()
        self._rows[self._n] = x_m, y_m, at_s, height, speed
        self._n += 1
        return True

    def _make_room(self) -> None:
        if self._n >= MAX_POINTS:
            kept = self._rows[: self._n : 2]
            self._n = len(kept)
            self._rows[: self._n] = kept
            return
        self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))


def legend_of(track: Track | None, by: ColorBy) -> Legend:
    """Return what the colours of a track mean."""
    title, unit = ("Height", "m") if by is ColorBy.HEIGHT else ("Speed", "m/s")
    values = np.empty(0) if track is None else _values(track.rows, by)
    known = values[np.isfinite(values)]
    if not known.size:
        return Legend(title=title, unit=unit, low=None, high=None)
    return Legend(title=title, unit=unit, low=float(known.min()), high=float(known.max()))


def paint_colored(
    painter: QPainter, view: MapView, track: Track, by: ColorBy, made: Look, *, until: datetime | None
) -> None:
    """Paint a track in the tones of the ramp; what is not known is dotted, and silence is a gap.

    Args:
        painter: Left as it was.
        view: The map's.
        track: As it is known.
        by: What the colour says.
        made: The look of the application.
        until: Nothing later is painted; None for all of it.
    """
    rows = _seen(track.rows if until is None else track.rows[track.rows[:, 2] <= until.timestamp()], view)
    if len(rows) < 2:
        return
    values = _values(rows, by)
    legend = legend_of(track, by)
    span = max(1e-9, (legend.high or 0.0) - (legend.low or 0.0))
    with np.errstate(invalid="ignore"):
        shares = np.nan_to_num((values - (legend.low or 0.0)) / span, nan=-1.0)
    tones = np.where(shares < 0.0, -1, np.minimum((shares * N_TONES).astype(int), N_TONES - 1))
    painter.save()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for first, last in _runs(rows, tones):
        pen = QPen(tone_color(int(tones[first]), made), 3.0)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        if tones[first] < 0:
            pen = QPen(made.color("text_disabled"), 2.0, Qt.PenStyle.DotLine)
        painter.setPen(pen)
        painter.drawPolyline(_line(rows[first : last + 1], view))
    painter.restore()


def paint_plain(painter: QPainter, view: MapView, track: Track, made: Look, *, since: datetime) -> None:
    """Paint the newest part of a track as a thin line."""
    rows = _seen(track.rows[track.rows[:, 2] >= since.timestamp()], view)
    if len(rows) < 2:
        return
    painter.setPen(QPen(made.color("map_marker"), 1.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for first, last in _runs(rows, np.zeros(len(rows), dtype=int)):
        painter.drawPolyline(_line(rows[first : last + 1], view))


def tone_color(tone: int, made: Look) -> QColor:
    """Return one of the `N_TONES` tones of the ramp."""
    low, high, share = made.color("ramp_low"), made.color("ramp_high"), tone / (N_TONES - 1)
    parts = zip(_rgb(low), _rgb(high), strict=True)
    return QColor(*(round(a + (b - a) * share) for a, b in parts))


def _rgb(color: QColor) -> tuple[int, int, int]:
    return color.red(), color.green(), color.blue()


def _values(rows: NDArray[np.float64], by: ColorBy) -> NDArray[np.float64]:
    return rows[:, 3] if by is ColorBy.HEIGHT else rows[:, 4]


def _seen(rows: NDArray[np.float64], view: MapView) -> NDArray[np.float64]:
    """Leave out points that fall onto the one before; the last one stays."""
    if len(rows) < 3:
        return rows
    cells = np.floor(rows[:, :2] / (view.resolution_m * _LEAST_PX))
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (cells[1:] != cells[:-1]).any(axis=1)
    is_new[-1] = True
    return rows[is_new]


def _runs(rows: NDArray[np.float64], tones: NDArray[np.int_]) -> list[tuple[int, int]]:
    """Return first and last index of each piece of one tone without a gap; neighbours share a point."""
    is_gap = np.diff(rows[:, 2]) > _GAP_S
    cuts = np.flatnonzero((tones[1:] != tones[:-1]) | is_gap)
    runs, first = [], 0
    for cut in (*cuts.tolist(), len(rows) - 1):
        has_gap = cut < len(is_gap) and bool(is_gap[cut])
        last = cut if has_gap else min(cut + 1, len(rows) - 1)
        if last > first:
            runs.append((first, last))
        first = cut + 1
    return runs


def _line(rows: NDArray[np.float64], view: MapView) -> QPolygonF:
    scale = 1.0 / view.resolution_m
    xs, ys = (rows[:, 0] - view.rect.left) * scale, (view.rect.top - rows[:, 1]) * scale
    return QPolygonF([QPointF(x, y) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)])


def _known(value: float | None) -> float:
    return np.nan if value is None else value
