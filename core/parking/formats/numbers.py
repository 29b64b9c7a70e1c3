"""Points out of what files write for them."""

from __future__ import annotations

import math
from typing import Any

from core.parking.formats.model import MAX_CORNERS
from core.parking.model import Outline, Point


def point_of(value: Any) -> Point:
    """Return a point of a pair of numbers; a third is not looked at.

    Raises:
        ValueError: A sentence.
    """
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 3:
        raise ValueError(f"“{str(value)[:40]}” is no pair of numbers.")
    if not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in value[:2]):
        raise ValueError(f"“{str(value)[:40]}” is no pair of numbers.")
    try:
        x, y = float(value[0]), float(value[1])
    except OverflowError as error:
        raise ValueError("A number is too large.") from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("A corner is at no number.")
    return x, y


def outline_of(value: Any) -> Outline:
    """Return an outline of a list of pairs, or of one list x, y, x, y, …; the first corner is not repeated at the end.

    Raises:
        ValueError: A sentence.
    """
    if not isinstance(value, (list, tuple)):
        raise ValueError("It has no corners.")
    if value and all(isinstance(part, (int, float)) for part in value):
        if len(value) % 2:
            raise ValueError("It has an odd count of numbers: a corner is x and y.")
        value = list(zip(value[::2], value[1::2], strict=True))
    if len(value) > 4 * MAX_CORNERS:
        raise ValueError(f"It has {len(value):,} corners; a bay has {MAX_CORNERS} at most.")
    points = tuple(point_of(pair) for pair in value)
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def whole(value: Any) -> int | None:
    """Return a whole number out of a number or a text; None where there is none."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """Return a picture's size; None where it is not said, or is none."""
    found = whole(width), whole(height)
    if found[0] is None or found[1] is None or not (0 < found[0] <= 100_000 and 0 < found[1] <= 100_000):
        return None
    return found[0], found[1]
