"""What a benchmark reports: ratios against a named reference measured in the same run."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field


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
