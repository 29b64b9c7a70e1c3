"""Start Watchfloor: the console, or with a verb one of its headless commands (`main.py --help`)."""

from __future__ import annotations

import multiprocessing
import sys


def start() -> int:
    """Hand over to the command line; nothing heavy is imported before it knows what is wanted."""
    from app.cli import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    # First of all: a frozen program's workers come through here and must not open a window.
    multiprocessing.freeze_support()
    multiprocessing.set_start_method("spawn")
    raise SystemExit(start())
