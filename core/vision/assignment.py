"""One to one, all together as cheaply as possible: boxes to tracks, vehicles to bays, finds to labels."""

from __future__ import annotations

import math

import lap
import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.floating], *, accept: float = math.inf) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns that belong together, the same length, rows ascending.

    Args:
        cost: Of every row with every column, finite, shape (n, m); n and m may differ or be 0.
        accept: Pairs that cost more stay apart.

    Source: Jonker and Volgenant, A shortest augmenting path algorithm, Computing 38, 1987.
    """
    if not cost.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    _, column_of, _ = lap.lapjv(cost.astype(np.float64, copy=False), extend_cost=True, cost_limit=accept)
    rows = np.flatnonzero(column_of >= 0)
    return rows, column_of[rows].astype(np.intp)
