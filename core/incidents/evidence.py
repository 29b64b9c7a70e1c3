"""Snapshots on the disk: written whole or not at all, and proved by their hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.kernel.errors import BadInputError, UnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A stored snapshot; `path` is relative to the evidence folder, with forward slashes."""

    path: str
    sha256: str


def save_snapshot(folder: Path, jpeg: bytes, *, at: datetime, name: str, suffix: str = ".jpg") -> Evidence:
    """Write a picture to yyyy/mm/dd/NAME.jpg, or a film to the like, and return once it is on the disk; blocks.

    Raises:
        UnavailableError: It could not be written; nothing is left behind.
    """
    relative = Path(f"{at.astimezone(UTC):%Y/%m/%d}") / f"{name}{suffix}"
    target = folder / relative
    part = target.with_suffix(".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(jpeg)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UnavailableError(
            f"The snapshot could not be stored in {folder} ({error.strerror or error}).",
            hint="Free space on that disk, or make the folder writable.",
        ) from error
    return Evidence(path=relative.as_posix(), sha256=hashlib.sha256(jpeg).hexdigest())


def discard_snapshot(folder: Path, evidence: Evidence) -> None:
    """Remove a picture that no incident came to name."""
    with contextlib.suppress(OSError):
        (folder / evidence.path).unlink(missing_ok=True)


def load_snapshot(folder: Path, *, path: str, sha256: str) -> bytes:
    """Return a stored picture if it is still the one that was written; blocks.

    Raises:
        BadInputError: It is gone, or it was changed.
    """
    try:
        jpeg = (folder / path).read_bytes()
    except FileNotFoundError as error:
        raise BadInputError(
            f"The picture {path} is not there any more.",
            hint="Its file was deleted: ask whoever looks after the disk of the node.",
        ) from error
    except OSError as error:
        raise BadInputError(f"The snapshot {path} cannot be read ({error.strerror or error}).") from error
    if hashlib.sha256(jpeg).hexdigest() != sha256:
        raise BadInputError(
            f"The snapshot {path} is not the one that was stored.", hint="Somebody changed the file: it proves nothing."
        )
    return jpeg


def sync_folder(folder: Path) -> None:
    """Put the names of a folder's files onto the disk: without it a power cut may forget one whose content is there."""
    # Windows cannot open folders.
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
