"""A lock on a file that the system drops when the process ends, however it ends; the file says who holds it."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from core.kernel.errors import UnavailableError
from core.kernel.zone import write_site

# Windows locks bytes and lets nobody read them: one far behind the words is locked.
_LOCKED_BYTE = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who works alone on something, and since when."""

    host: str
    pid: int
    since: datetime

    @classmethod
    def of_this_process(cls, since: datetime) -> Self:
        """Return this process on this machine."""
        return cls(host=socket.gethostname(), pid=os.getpid(), since=since)

    @classmethod
    def of_words(cls, words: Any) -> Self | None:
        """Return the holder that `words` made; None where they are something else."""
        try:
            since = datetime.fromisoformat(words["since"]).astimezone(UTC)
            return cls(host=str(words["host"]), pid=int(words["pid"]), since=since)
        except (TypeError, KeyError, ValueError):
            return None

    def words(self) -> dict[str, Any]:
        """Return plain values, for a file or a row."""
        return {"host": self.host, "pid": self.pid, "since": self.since.isoformat()}


class HeldError(UnavailableError):
    """Another process has the place."""


def described(holder: Holder | None) -> str:
    """Return who it is, as the beginning of a sentence."""
    if holder is None:
        return "Another node"
    return f"The node on {holder.host} (process {holder.pid}, since {write_site(holder.since)})"


def take_lock(path: Path, me: Holder, *, does: str, hint: str) -> IO[bytes]:
    """Lock `path` until the returned file is closed, and write there who holds it.

    Args:
        path: Made where it is missing.
        me: Who takes it.
        does: What its holder does, for the sentence: "works on the folder already".
        hint: What to do about it.

    Raises:
        HeldError: Another process holds it; the sentence names it.
    """
    file = path.open("a+b")
    try:
        _lock(file)
    except OSError as error:
        with file:
            raise HeldError(f"{described(_read(file))} {does}.", hint=hint) from error
    os.set_inheritable(file.fileno(), False)
    file.truncate(0)
    file.write(json.dumps(me.words()).encode())
    file.flush()
    return file


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(file: IO[bytes]) -> Holder | None:
    try:
        file.seek(0)
        return Holder.of_words(json.loads(file.read(4096)))
    except (OSError, ValueError):
        return None
