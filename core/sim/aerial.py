"""What a drone's camera sees of a made-up quarter from above: streets, roofs, trees and cars that drive."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from core.media.convert import to_jpeg
from core.sim.drone_seed import View

WIDTH, HEIGHT = 960, 540
PIXELS_PER_M = 6.0
"""Of the drawn ground."""

GROUND_M = 300.0
"""The quarter repeats itself after so far, east and north."""

STREET_EVERY_M, STREET_M, LANE_M = 75.0, 13.0, 3.2
CAR_M = (4.6, 1.9)
N_CARS = 26
FOV_DEG = 62.0
LEAST_HEIGHT_M = 12.0


class AerialCamera:
    """Draws pictures; the same seed draws the same quarter.

    Threads: one at a time.
    """

    def __init__(self, *, seed: int = 1) -> None:
        """Draw the quarter once."""
        dice = np.random.default_rng(seed)
        self._ground = _quarter(dice)
        self._cars = [
            (
                int(dice.integers(0, round(GROUND_M / STREET_EVERY_M))),
                bool(dice.integers(0, 2)),
                float(dice.uniform(0.0, GROUND_M)),
                float(dice.uniform(6.0, 13.0)) * (1.0 if dice.integers(0, 2) else -1.0),
                dice.choice(_PAINTS),
            )
            for _ in range(N_CARS)
        ]
        columns, rows = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
        self._right = (columns - WIDTH / 2.0) / WIDTH
        self._ahead = (HEIGHT / 2.0 - rows) / WIDTH

    def picture(self, view: View, t_s: float) -> bytes:
        """Return a JPEG of what is seen at an instant."""
        ground = self._ground.copy()
        for street, is_north, begin_m, speed_mps, paint in self._cars:
            _draw_car(ground, street, begin_m + speed_mps * t_s, paint, is_north=is_north, is_back=speed_mps < 0)
        frame = av.VideoFrame.from_ndarray(self._look(ground, view), format="rgb24")
        frame.time_base = Fraction(1, 25)
        return to_jpeg(frame, max_wh=(WIDTH, HEIGHT), quality=80)

    def _look(self, ground: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
        width_m = 2.0 * max(LEAST_HEIGHT_M, view.height_m) * math.tan(math.radians(FOV_DEG / 2.0))
        sine, cosine = math.sin(math.radians(view.heading_deg)), math.cos(math.radians(view.heading_deg))
        right_m, ahead_m = self._right * width_m, self._ahead * width_m
        east = (view.east_m + right_m * cosine + ahead_m * sine) * PIXELS_PER_M
        north = (view.north_m - right_m * sine + ahead_m * cosine) * PIXELS_PER_M
        size = ground.shape[0]
        seen: NDArray[np.uint8] = ground[(-north.astype(np.int32)) % size, east.astype(np.int32) % size]
        return np.ascontiguousarray(seen)


_PAINTS = np.array(
    [(196, 30, 40), (235, 235, 238), (35, 38, 44), (40, 78, 150), (150, 155, 160), (212, 170, 30)], np.uint8
)
_ASPHALT, _KERB, _MARK = (78, 80, 84), (150, 148, 142), (225, 225, 220)


def _quarter(dice: np.random.Generator) -> NDArray[np.uint8]:
    size = round(GROUND_M * PIXELS_PER_M)
    coarse = dice.integers(-9, 10, (size // 6, size // 6, 1))
    ground = np.full((size, size, 3), (96, 116, 74), np.int16) + np.kron(coarse, np.ones((6, 6, 1), np.int16))
    n_streets = round(GROUND_M / STREET_EVERY_M)
    for row in range(n_streets):
        for column in range(n_streets):
            _draw_block(ground, dice, row * STREET_EVERY_M, column * STREET_EVERY_M)
    for street in range(n_streets):
        middle = round(street * STREET_EVERY_M * PIXELS_PER_M)
        for half_m, paint in ((STREET_M / 2.0 + 1.2, _KERB), (STREET_M / 2.0, _ASPHALT)):
            _draw_street(ground, middle, round(half_m * PIXELS_PER_M), paint)
    for street in range(n_streets):
        _draw_marks(ground, round(street * STREET_EVERY_M * PIXELS_PER_M))
    return np.clip(ground + dice.integers(-5, 6, ground.shape), 0, 255).astype(np.uint8)


def _draw_street(ground: NDArray[np.int16], middle: int, half: int, paint: tuple[int, int, int]) -> None:
    lines = np.arange(middle - half, middle + half) % ground.shape[0]
    ground[lines, :] = paint
    ground[:, lines] = paint


def _draw_marks(ground: NDArray[np.int16], middle: int) -> None:
    size = ground.shape[0]
    lines = np.arange(middle - 1, middle + 1) % size
    dashes = np.arange(size)[(np.arange(size) // round(2.5 * PIXELS_PER_M)) % 2 == 0]
    crossing = round(STREET_EVERY_M * PIXELS_PER_M)
    clear = round(STREET_M / 2.0 * PIXELS_PER_M)
    dashes = dashes[(dashes + clear) % crossing > 2 * clear]
    ground[np.ix_(lines, dashes)] = _MARK
    ground[np.ix_(dashes, lines)] = _MARK


def _draw_block(ground: NDArray[np.int16], dice: np.random.Generator, north_m: float, east_m: float) -> None:
    """Draw roofs with their shadows and trees between four streets."""
    inner_m = STREET_M / 2.0 + 4.0
    room_m = STREET_EVERY_M - 2.0 * inner_m
    for _ in range(3):
        size_m = dice.uniform(12.0, 24.0, 2)
        corner_m = dice.uniform(0.0, 1.0, 2) * (room_m - size_m) + inner_m + (north_m, east_m)
        top, left = (int(one * PIXELS_PER_M) for one in corner_m)
        bottom, right = (int(one * PIXELS_PER_M) for one in corner_m + size_m)
        ground[top + 10 : bottom + 10, left + 10 : right + 10] -= 34
        roof = np.array(((168, 92, 70), (140, 140, 146), (188, 176, 158), (112, 72, 60))[int(dice.integers(0, 4))])
        ground[top:bottom, left:right] = roof
        ground[top : (top + bottom) // 2, left:right] += 14
    for _ in range(9):
        middle_m = dice.uniform(0.0, room_m, 2) + inner_m + (north_m, east_m)
        row, column = (int(one * PIXELS_PER_M) for one in middle_m)
        radius = int(dice.uniform(1.6, 3.4) * PIXELS_PER_M)
        rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        inside = rows**2 + columns**2 <= radius**2
        patch = ground[row - radius : row + radius + 1, column - radius : column + radius + 1]
        if patch.shape[:2] == inside.shape:
            patch[inside] = (44, 84, 42)


def _draw_car(
    ground: NDArray[np.uint8], street: int, at_m: float, paint: NDArray[np.uint8], *, is_north: bool, is_back: bool
) -> None:
    """Draw a car with its windscreen on the lane of its direction."""
    lane_m = LANE_M / 2.0 * (1.0 if is_back == is_north else -1.0) * 1.4
    across_m = street * STREET_EVERY_M + lane_m
    length, width = (round(one * PIXELS_PER_M) for one in CAR_M)
    size = ground.shape[0]
    along = np.arange(round(at_m * PIXELS_PER_M), round(at_m * PIXELS_PER_M) + length) % size
    across = np.arange(round(across_m * PIXELS_PER_M) - width // 2, round(across_m * PIXELS_PER_M) + width // 2) % size
    glass = along[length // 5 : length * 2 // 5] if is_back else along[length * 3 // 5 : length * 4 // 5]
    for lines, colour in ((along, paint), (glass, np.array((28, 34, 42), np.uint8))):
        ground[np.ix_(lines, across) if is_north else np.ix_(across, lines)] = colour
