"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write beside a file and put it in its place: whoever reads it finds the old or the new one, never half of it.

    Raises:
        OSError: It cannot be written.
    """
    scratch = path.with_name(f".{path.name}.new")
    with open(scratch, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)
