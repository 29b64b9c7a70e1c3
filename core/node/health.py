"""How the node itself is: loop lag, disk, memory; measured, not guessed."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections import deque
from pathlib import Path

import psutil

PROBE_PERIOD_S = 0.05
WINDOW = 600
"""Probes kept: 30 s of them."""


class LoopLag:
    """Measures how late the event loop wakes up."""

    def __init__(self) -> None:
        """Start with an empty window."""
        self._lags_ms: deque[float] = deque(maxlen=WINDOW)
        self._all_max_ms = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Probe until `stop`."""
        self._task = asyncio.get_running_loop().create_task(self._probe())

    async def stop(self) -> None:
        """End the probing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def p99_ms(self) -> float:
        """99th percentile of the last 30 s [ms]."""
        return percentile(self._lags_ms, 0.99)

    @property
    def max_ms(self) -> float:
        """Largest of the last 30 s [ms]."""
        return max(self._lags_ms, default=0.0)

    async def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(PROBE_PERIOD_S)
            self._lags_ms.append(max(0.0, (loop.time() - began - PROBE_PERIOD_S) * 1000.0))


def percentile(values: deque[float] | list[float], share: float) -> float:
    """Return the nearest-rank percentile; 0.0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def disk_free_gb(folder: Path) -> float:
    """Free space where `folder` lies [GB]; infinite where it cannot be told."""
    try:
        return shutil.disk_usage(folder).free / 1e9
    except OSError:
        return math.inf


class ProcessLoad:
    """CPU and memory of this process."""

    def __init__(self) -> None:
        """Begin to measure."""
        self._process = psutil.Process()
        self._process.cpu_percent(None)

    def read(self) -> tuple[float, float]:
        """Return CPU since the last call [% of one core] and resident memory [MB]."""
        return self._process.cpu_percent(None), self._process.memory_info().rss / 1e6
