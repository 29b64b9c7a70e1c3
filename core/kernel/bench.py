"""What a benchmark reports: ratios against a named reference measured in the same run."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WAIT_S = 60.0
"""Longer than any step of a bench takes on a slow machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Attributes:
        reference: What it was measured against, in words; "none" where it is an absolute reading.
    """

    value: float
    unit: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """One bench: its figures and the machine it ran on."""

    bench: str
    figures: dict[str, Figure]
    machine: dict[str, str] = field(default_factory=lambda: describe_machine())


async def wait_until(
    is_true: Callable[[], object], what: str, *, timeout_s: float = WAIT_S, every_s: float = 0.02
) -> None:
    """Wait for a condition while the loop goes on.

    Raises:
        TimeoutError: It did not come true within `timeout_s`; the sentence says `what`.
    """
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what} did not come in {timeout_s:g} s")
        await asyncio.sleep(every_s)


def usual_environment() -> dict[str, str]:
    """Return the environment of a process whose start is measured: compiled modules are kept, as at every user's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def describe_machine() -> dict[str, str]:
    """Name processor, cores, system and Python, so that a figure can be read later."""
    model = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    except OSError:
        pass
    return {
        "processor": model,
        "cores": str(os.cpu_count() or 0),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "",
    }
