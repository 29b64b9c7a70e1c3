"""Start the field client alone: `python -m core.field.client --help`."""

from __future__ import annotations

import sys

from core.field.client.command import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
