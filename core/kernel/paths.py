"""Where Watchfloor keeps its files."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one installation.

    Attributes:
        data: Database, models, snapshots, logs; survives upgrades.
        runtime: Shared memory and the running node's address; emptied at a reboot.
    """

    data: Path
    runtime: Path

    @property
    def database(self) -> Path:
        """The SQLite file of the embedded store."""
        return self.data / "watchfloor.sqlite3"

    @property
    def models(self) -> Path:
        """Downloaded and converted detection models."""
        return self.data / "models"

    @property
    def evidence(self) -> Path:
        """Snapshots of incidents."""
        return self.data / "evidence"

    @property
    def logs(self) -> Path:
        """Log files."""
        return self.data / "logs"

    @property
    def backups(self) -> Path:
        """Copies of the database from before each migration."""
        return self.data / "backups"

    @property
    def node_file(self) -> Path:
        """Written by a running node: where consoles of this machine find it."""
        return self.data / "node.json"

    def make(self) -> None:
        """Create what is missing; only the owner may look inside.

        Raises:
            OSError: A folder cannot be made.
        """
        for folder in (self.data, self.models, self.evidence, self.logs, self.backups, self.runtime):
            folder.mkdir(parents=True, exist_ok=True)
        if os.name == "posix":
            self.data.chmod(0o700)
            self.runtime.chmod(0o700)


def default_folders(data: Path | None = None) -> Folders:
    """Return this user's folders, or those beside `data` when it is given."""
    chosen = (data or Path(platformdirs.user_data_dir("watchfloor", appauthor=False))).resolve()
    owner = os.getuid() if hasattr(os, "getuid") else 0
    name = f"watchfloor-{owner}-{abs(hash_text(str(chosen))):x}"
    return Folders(data=chosen, runtime=memory_folder() / name)


def memory_folder() -> Path:
    """Return where pictures lie in memory: on a file system of memory where there is one, else among temporary files.

    On a disk the system writes them out again and again, and makes who writes them wait.
    """
    shm = Path("/dev/shm")  # noqa: S108
    return shm if shm.is_dir() and os.access(shm, os.W_OK) else Path(tempfile.gettempdir())


def hash_text(text: str) -> int:
    """Return a 48-bit hash of `text` that is the same in every process."""
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")
