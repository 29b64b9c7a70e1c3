"""Files that ship with the program; `path` works from the source tree and frozen."""

from __future__ import annotations

import sys
from pathlib import Path


def path(name: str) -> Path:
    """Return the absolute path of a shipped file or folder.

    Raises:
        FileNotFoundError: Nothing of that name ships.
    """
    root = Path(getattr(sys, "_MEIPASS", "")) / "resources" if hasattr(sys, "_MEIPASS") else Path(__file__).parent
    found = root / name
    if not found.exists():
        raise FileNotFoundError(f"no shipped resource {name!r} under {root}")
    return found
