"""Training in a process of its own, below everything else that runs on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from core.parking.forecast.profile import Occasions
from core.parking.forecast.series import Series

NICENESS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What is to be trained.

    Attributes:
        series, occasions, hashes: By lot and zone, joined by a line feed.
        file: Where the result goes.
    """

    series: Mapping[str, Series]
    occasions: Mapping[str, Occasions]
    hashes: Mapping[str, str]
    at: datetime
    file: Path


@dataclass(frozen=True, slots=True)
class TrainingDone:
    """How it ended.

    Attributes:
        message: What was left out or went wrong; empty otherwise.
    """

    n_lots: int
    is_written: bool
    message: str = ""


def run_training(pipe: Connection) -> None:
    """Entry point of the process: take one order, write its result, tell how it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
    with contextlib.suppress(EOFError, OSError):
        pipe.send(train(pipe.recv()))
    pipe.close()


def train(order: TrainingOrder) -> TrainingDone:
    """Train and write."""
    from core.parking.forecast import saved
    from core.parking.forecast.training import fit_lots

    training = fit_lots(order.series, order.occasions)
    try:
        saved.write(saved.pack(training, trained_at=order.at, hashes=order.hashes), order.file)
    except OSError as error:
        return TrainingDone(len(training.lots), is_written=False, message=f"The models cannot be kept: {error}.")
    return TrainingDone(len(training.lots), is_written=True, message=training.note)
