"""Sizes of pictures as people write them."""

from __future__ import annotations

_STEP, _MOST = 32, 2048


def input_wh_of(text: str) -> tuple[int, int] | None:
    """Return width and height of a network's input [px], written like "512x288"; None where it is none."""
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and len(side) <= 4 for side in sides):
        return None
    width, height = int(sides[0]), int(sides[1])
    is_usable = all(_STEP <= side <= _MOST and side % _STEP == 0 for side in (width, height))
    return (width, height) if is_usable else None
