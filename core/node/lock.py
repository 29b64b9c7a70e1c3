"""One node for one data folder: a lock that the system drops when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from core.kernel.errors import UnavailableError


def take_lock(path: Path) -> IO[bytes]:
    """Lock `path` until the returned file is closed.

    Raises:
        UnavailableError: Another process holds it.
    """
    file = path.open("a+b")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise UnavailableError(
            f"Another node works on {path.parent} already.",
            hint="End it first, or give this one another folder with --data.",
        ) from error
    os.set_inheritable(file.fileno(), False)
    return file
