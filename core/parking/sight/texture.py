"""Occupied and empty bays told apart without any model: vehicles have edges and colours that asphalt has not.

Nothing is known beforehand; the bays of one view are split into two groups by how structured they are. It is too weak
to decide and good to judge others by: it does not share their mistakes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.parking.sight.patches import PATCH_PX, Picture, to_inputs

FloatArray = NDArray[np.floating[Any]]

MIN_SEPARATION = 2.2
"""Distance of the two groups' means in their own spread; less is one group."""

MIN_AGREEMENT, FULL_AGREEMENT = 0.90, 0.97
"""With what the classifier is sure of: below the first it is not heard, from the second on fully."""

_HEARD = 0.6
_SURE = 1.5
_N_KEPT = 2400
_INNER = slice(PATCH_PX // 4, PATCH_PX - PATCH_PX // 4)


def structure_of(patches: Picture) -> FloatArray:
    """Return how structured each bay of one picture is: edges, brightness and colours within it; shape (n,)."""
    inputs = to_inputs(patches)[:, :, _INNER, _INNER]
    grey = inputs[:, 0]
    across, down = np.diff(grey, axis=2), np.diff(grey, axis=1)
    edges = np.abs(across).mean(axis=(1, 2)) + np.abs(down).mean(axis=(1, 2))
    spread = grey.std(axis=(1, 2))
    colour = np.abs(inputs[:, 2:]).mean(axis=(1, 2, 3))
    structure: FloatArray = np.log(0.02 + edges) + 0.7 * np.log(0.05 + spread) + 0.2 * np.log(0.05 + colour)
    return structure


def split(structure: FloatArray) -> FloatArray | None:
    """Split bays into two groups.

    Args:
        structure: Of all bays of all pictures of a view, shape (n,).

    Returns:
        Log odds for a vehicle, shape (n,); None where there is one group only. Source: Otsu (1979).
    """
    values = np.sort(structure)
    if len(values) < 12:
        return None
    n = np.arange(1, len(values))
    sums = np.cumsum(values)
    low = sums[:-1] / n
    high = (sums[-1] - sums[:-1]) / (len(values) - n)
    between = n * (len(values) - n) * (high - low) ** 2
    best = int(between.argmax())
    threshold = (values[best] + values[best + 1]) / 2
    below, above = values[values <= threshold], values[values > threshold]
    if min(len(below), len(above)) < 3:
        return None
    spread = float(np.sqrt((below.var() * len(below) + above.var() * len(above)) / len(values))) + 1e-6
    if (above.mean() - below.mean()) / spread < MIN_SEPARATION:
        return None
    return np.asarray((structure - threshold) / spread * 1.5)


class StructureWitness:
    """Listens to the structure of a view's bays as far as it agrees with what the classifier is sure of."""

    def __init__(self) -> None:
        """Begin without having seen the view."""
        self._structure = np.zeros(0)
        self._by_look = np.zeros(0)

    def hear(self, patches: Picture, by_look: FloatArray) -> FloatArray:
        """Take one picture's bays; return log odds for a vehicle in each, 0 where structure says nothing here.

        Args:
            patches: As `cut_patches` returns them.
            by_look: Log odds of the classifier, shape (n,).
        """
        self._structure = np.concatenate([self._structure, structure_of(patches)])[-_N_KEPT:]
        self._by_look = np.concatenate([self._by_look, by_look])[-_N_KEPT:]
        said = split(self._structure)
        sure = np.abs(self._by_look) > _SURE
        if said is None or not sure.any():
            return np.zeros(len(by_look))
        agreement = float(((said > 0) == (self._by_look > 0))[sure].mean())
        weight = np.clip((agreement - MIN_AGREEMENT) / (FULL_AGREEMENT - MIN_AGREEMENT), 0.0, 1.0)
        heard: FloatArray = _HEARD * weight * np.clip(said[-len(by_look) :], -4.0, 4.0)
        return heard
