"""A training as a file: plain JSON, so that reading it runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from core.parking.forecast.boosting import Tree, Trees
from core.parking.forecast.intervals import Doubt
from core.parking.forecast.methods import Method
from core.parking.forecast.training import Judged, LotFit, Training

CODE_VERSION = 1
"""Rises with every change of what a model means; files of another version are trained anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedBand:
    """One `Judged`."""

    n_most: int
    method: str
    persistence: float
    errors: dict[str, float]
    is_won: bool
    n_judged: int
    scale: list[float]
    misses: list[float]
    alpha: float
    coverage: float | None
    n_covered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLot:
    """One `LotFit`."""

    decay: float
    bands: list[SavedBand]
    data_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTraining:
    """One training.

    Attributes:
        lots: By lot and zone, joined by a line feed.
    """

    code_version: int
    trained_at: datetime
    lots: dict[str, SavedLot]
    trees: list[Tree]
    note: str = ""

    @property
    def boosting(self) -> Trees:
        """What is added to `now + profile change`."""
        return Trees(tuple(self.trees))


def pack(training: Training, *, trained_at: datetime, hashes: Mapping[str, str]) -> SavedTraining:
    """Return a training as it is written."""
    return SavedTraining(
        code_version=CODE_VERSION,
        trained_at=trained_at,
        lots={key: _pack_lot(fit, hashes.get(key, "")) for key, fit in training.lots.items()},
        trees=list(training.trees.trees),
        note=training.note,
    )


def fit_of(saved: SavedLot) -> LotFit:
    """Return what a lot's file holds as it is used."""
    return LotFit(decay=saved.decay, bands=tuple(_unpack_band(band) for band in saved.bands))


def write(training: SavedTraining, file: Path) -> None:
    """Write it whole, or not at all.

    Raises:
        OSError: The disk refuses.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(training))
    temporary.replace(file)


def read(file: Path) -> SavedTraining | None:
    """Return what was written; None where there is none, or none of this version."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=SavedTraining)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.code_version == CODE_VERSION else None


def _pack_lot(fit: LotFit, data_hash: str) -> SavedLot:
    return SavedLot(
        decay=fit.decay,
        data_hash=data_hash,
        bands=[
            SavedBand(
                n_most=band.n_most,
                method=band.method.value,
                persistence=band.persistence,
                errors={method.value: error for method, error in band.errors.items()},
                is_won=band.is_won,
                n_judged=band.n_judged,
                scale=band.doubt.scale.tolist(),
                misses=[round(float(miss), 4) for miss in band.doubt.misses],
                alpha=band.doubt.alpha,
                coverage=None if np.isnan(band.doubt.coverage) else band.doubt.coverage,
                n_covered=band.doubt.n_judged,
            )
            for band in fit.bands
        ],
    )


def _unpack_band(band: SavedBand) -> Judged:
    return Judged(
        n_most=band.n_most,
        method=Method(band.method),
        persistence=band.persistence,
        errors={Method(name): error for name, error in band.errors.items()},
        is_won=band.is_won,
        doubt=Doubt(
            scale=np.asarray(band.scale),
            misses=np.asarray(band.misses),
            alpha=band.alpha,
            coverage=float("nan") if band.coverage is None else band.coverage,
            n_judged=band.n_covered,
        ),
        n_judged=band.n_judged,
    )
