"""In which light a camera shows its scene: day or night, in colour or without it as an infra-red switch leaves it.

The same street at noon and under its lamps has few edges in common. What is learned in one light says nothing about
what has to be seen in another.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.vision.scene_rule import Grey

SETTLES_S = 3.0
"""A light that stays for so long is one; headlights and lightning pass."""

DARK_BELOW, BRIGHT_FROM = 45.0, 65.0
"""Grey levels of the middle pixel; in between it stays what it was."""

PALE_BELOW, COLOURED_FROM = 2.0, 4.0
"""Levels between the colours of a pixel, on the whole; in between it stays what it was."""

_EVERY_PX = 8


class Light(StrEnum):
    """Kinds of light; a camera without colour has two of them, one with an infra-red switch up to four."""

    DAY = "day"
    NIGHT = "night"
    COLOURLESS_DAY = "colourless_day"
    COLOURLESS_NIGHT = "colourless_night"
    UNKNOWN = "unknown"
    """What was kept before lights were told apart."""


class LightSense:
    """Says of one camera in which light it is; used from one thread."""

    def __init__(self) -> None:
        """Know nothing of it yet."""
        self._is_dark: bool | None = None
        self._has_colour: bool | None = None
        self._light = Light.UNKNOWN
        self._since_s = 0.0
        self.is_settled = False
        """Whether the newest picture's light has been so for a while, or was the first."""

    def take(self, picture: NDArray[np.uint8], grey: Grey, pts_s: float) -> Light:
        """Return the light of a picture.

        Args:
            picture: Shape (h, w, 3), or (h, w) of one that has no colour.
            grey: The same, small.
            pts_s: Picture time.
        """
        before, self._light = self._light, self._light_of(picture, grey)
        if before is not self._light:
            self._since_s = pts_s
            self.is_settled = before is Light.UNKNOWN
        if not 0 <= pts_s - self._since_s < SETTLES_S:
            self.is_settled = True
        return self._light

    def _light_of(self, picture: NDArray[np.uint8], grey: Grey) -> Light:
        level, colour = float(np.median(grey)), _colour(picture)
        self._is_dark = level < (DARK_BELOW if self._is_dark is False else BRIGHT_FROM)
        self._has_colour = colour >= (PALE_BELOW if self._has_colour else COLOURED_FROM)
        if self._has_colour:
            return Light.NIGHT if self._is_dark else Light.DAY
        return Light.COLOURLESS_NIGHT if self._is_dark else Light.COLOURLESS_DAY


def has_colour(light: Light) -> bool:
    """Return whether pictures in a light have colour."""
    return light in {Light.DAY, Light.NIGHT}


def _colour(picture: NDArray[np.uint8]) -> float:
    if picture.ndim == 2:
        return 0.0
    sample = picture[::_EVERY_PX, ::_EVERY_PX].astype(np.int16)
    return float((sample.max(axis=2) - sample.min(axis=2)).mean())
