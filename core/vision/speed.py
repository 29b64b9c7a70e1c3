"""How fast vehicles drive, from where they stand on the road plane, with how surely that is known.

A straight line is laid through the last second and a half of each vehicle's ground point over picture time, every point
weighted by what a pixel of doubt means on the road there; points far off the line lose their weight (Huber). Time is
picture time: dropped pictures and an uneven rate change nothing. Without enough to go by there is no speed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.plane import Plane
from core.vision.vehicles import Sighting

Array = NDArray[np.float64]

WINDOW_S = 1.5
LEAST_SPAN_S = 0.5
LEAST_POINTS = 4
FRESH_S = 0.6
"""A speed is of now: without a point this recent there is none."""

BOX_ERROR = 1.0 / 720
BOX_ERROR_OF_SIZE = 0.01
"""Doubt of a followed box's ground point: in picture heights, and in box sizes."""

KNOWN_SHARE = 0.15
KNOWN_KMH = 3.0
"""A speed less sure than both of these is not known."""

CUT_MARGIN = 0.01
"""A box nearer to the picture's left, right or lower edge than this is cut, and its ground point with it."""

_SMOOTHED = 2.0
"""The tracker smooths: neighbouring points err together, so the line is less sure than their number says."""

_PRIOR_WEIGHT = 4.0
_HUBER = 2.0
_N_ROUNDS = 3
_MAX_POINTS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What is known of a vehicle's movement over the road.

    Attributes:
        error_kmh: One standard deviation from the boxes; the plane's own doubt is not in it (`Plane.length_error`).
        velocity_mps: Along the ground's axes.
    """

    kmh: float
    error_kmh: float
    velocity_mps: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Point:
    at_s: float
    x_m: float
    y_m: float
    var_x: float
    var_y: float
    var_xy: float


class SpeedMeter:
    """Measures every vehicle of one camera; used from one thread."""

    def __init__(self, plane: Plane) -> None:
        """Start with an empty road."""
        self._plane = plane
        self._paths: dict[int, deque[_Point]] = {}

    def update(self, sightings: Sequence[Sighting], now_s: float) -> dict[int, Speed]:
        """Take one picture.

        Args:
            sightings: Who is in it.
            now_s: Seconds of pictures that were really there.

        Returns:
            What is known, by the vehicles' keys.
        """
        whole = [sighting for sighting in sightings if not is_cut(sighting)]
        for sighting, point in zip(whole, self._points(whole, now_s), strict=True):
            if math.isnan(point.x_m) or math.isnan(point.var_x):
                continue
            path = self._paths.setdefault(sighting.key, deque(maxlen=_MAX_POINTS))
            if path and path[-1].at_s == now_s:
                path.pop()
            path.append(point)
        known = {
            sighting.key: found for sighting in sightings if (found := self._path_at(sighting.key, now_s)) is not None
        }
        if not known:
            return {}
        speeds = _fit(tuple(known.values()))
        return {key: speed for key, speed in zip(known, speeds, strict=True) if _is_known(speed)}

    def forget(self, keys: Iterable[int]) -> None:
        """Drop what is known of vehicles that are gone."""
        for key in keys:
            self._paths.pop(key, None)

    def forget_all(self) -> None:
        """Begin anew after a gap: how far anybody drove in it is not known."""
        self._paths.clear()

    def _path_at(self, key: int, now_s: float) -> deque[_Point] | None:
        """Return a vehicle's points of the window; None where they do not say enough."""
        path = self._paths.get(key)
        if path is None:
            return None
        while path and now_s - path[0].at_s > WINDOW_S:
            path.popleft()
        return path if _says_enough(path, now_s) else None

    def _points(self, sightings: Sequence[Sighting], now_s: float) -> list[_Point]:
        if not sightings:
            return []
        places = np.array([sighting.ground for sighting in sightings])
        sizes = np.array([sighting.size for sighting in sightings])
        ground = self._plane.ground_of_heights(places)
        jacobians = self._plane.jacobians(places)
        noise = BOX_ERROR**2 + (BOX_ERROR_OF_SIZE * sizes) ** 2
        covariance = jacobians @ jacobians.transpose(0, 2, 1) * noise[:, None, None]
        return [
            _Point(now_s, x, y, a, b, c)
            for (x, y), a, b, c in zip(
                ground.tolist(),
                covariance[:, 0, 0].tolist(),
                covariance[:, 1, 1].tolist(),
                covariance[:, 0, 1].tolist(),
                strict=True,
            )
        ]


def is_cut(sighting: Sighting) -> bool:
    """Tell whether a box ends at the picture's edge where its ground point would be."""
    x1, _, x2, y2 = sighting.track.bbox_xyxy
    return x1 < CUT_MARGIN or x2 > 1 - CUT_MARGIN or y2 > 1 - CUT_MARGIN


def _says_enough(path: deque[_Point], now_s: float) -> bool:
    return (
        len(path) >= LEAST_POINTS and path[-1].at_s - path[0].at_s >= LEAST_SPAN_S and now_s - path[-1].at_s <= FRESH_S
    )


def _is_known(speed: Speed) -> bool:
    return speed.error_kmh <= max(KNOWN_KMH, KNOWN_SHARE * speed.kmh)


def _fit(paths: Sequence[deque[_Point]]) -> list[Speed]:
    """Lay a line through every path; all paths at once, padded to the longest with points of no weight."""
    n_most = max(len(path) for path in paths)
    table = np.zeros((len(paths), n_most, 6))
    is_there = np.zeros((len(paths), n_most))
    for row, path in enumerate(paths):
        table[row, : len(path)] = [(p.at_s, p.x_m, p.y_m, p.var_x, p.var_y, p.var_xy) for p in path]
        is_there[row, : len(path)] = 1.0
    at_s, places = table[:, :, 0], table[:, :, 1:3]
    variance = np.where(is_there > 0, table[:, :, 3] + table[:, :, 4], 1.0)
    weights = is_there / variance
    velocity, rest, spread = _line(at_s, places, weights)
    scale = np.ones(len(paths))
    for _ in range(_N_ROUNDS):
        unit = velocity / np.maximum(np.linalg.norm(velocity, axis=1), 1e-9)[:, None]
        along = (
            table[:, :, 3] * unit[:, None, 0] ** 2
            + table[:, :, 4] * unit[:, None, 1] ** 2
            + 2 * table[:, :, 5] * unit[:, None, 0] * unit[:, None, 1]
        )
        variance = np.where(is_there > 0, np.maximum(along, 1e-8), 1.0)
        off = np.einsum("nkc,nc->nk", rest, unit) / np.sqrt(variance)
        n_points = is_there.sum(axis=1)
        excess = np.minimum(np.abs(off), 4 * _HUBER) ** 2 * is_there
        scale = (_PRIOR_WEIGHT + excess.sum(axis=1)) / (_PRIOR_WEIGHT + n_points - 2)
        limit = _HUBER * np.sqrt(scale)[:, None]
        trust = np.where(np.abs(off) > limit, limit / np.maximum(np.abs(off), 1e-9), 1.0)
        velocity, rest, spread = _line(at_s, places, is_there * trust / variance)
    error = np.sqrt(_SMOOTHED * scale / np.maximum(spread, 1e-12))
    # What trembles on the spot has a speed only by its noise: take that much off.
    speed = np.sqrt(np.maximum((velocity**2).sum(axis=1) - error**2, 0.0))
    return [
        Speed(kmh=3.6 * value, error_kmh=3.6 * doubt, velocity_mps=(vx, vy))
        for value, doubt, (vx, vy) in zip(speed.tolist(), error.tolist(), velocity.tolist(), strict=True)
    ]


def _line(at_s: Array, places: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return slopes, residuals and the weighted spread in time of a line through each row's points."""
    total = np.maximum(weights.sum(axis=1), 1e-12)
    middle_s = (weights * at_s).sum(axis=1) / total
    middle = (weights[:, :, None] * places).sum(axis=1) / total[:, None]
    since = at_s - middle_s[:, None]
    away = places - middle[:, None]
    spread = (weights * since**2).sum(axis=1)
    slope = (weights[:, :, None] * since[:, :, None] * away).sum(axis=1) / np.maximum(spread, 1e-12)[:, None]
    return slope, away - slope[:, None] * since[:, :, None], spread
