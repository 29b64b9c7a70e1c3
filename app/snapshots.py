"""Keeps pictures that an operator saves from the wall: a PNG, and beside it what is known about it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QImage

from app.files import replace_file
from core.kernel.errors import UnavailableError
from core.kernel.wire import to_json
from core.media.model import StreamReport
from widgets.video.shot import Shot

FOLDER = "snapshots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Who saved a picture, where and when."""

    by: str
    desk: str
    at: datetime


def save_shot(shot: Shot, folder: Path, taken: Taken) -> Path:
    """Write picture and sidecar, and return the picture's path; safe to call in any thread.

    The sidecar carries the SHA-256 of the PNG's bytes, so that a changed picture shows.

    Raises:
        UnavailableError: The folder cannot be written.
    """
    content = _png(shot)
    captured_at = datetime.fromtimestamp(shot.captured_at_s or taken.at.timestamp(), UTC)
    stem = f"{captured_at:%Y%m%dT%H%M%S}.{captured_at.microsecond // 1000:03d}Z_{_plain(shot.camera.name)}"
    facts = {
        "camera_id": shot.camera.camera_id,
        "camera": shot.camera.name,
        "captured_at": captured_at.isoformat(timespec="milliseconds"),
        "saved_at": taken.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "saved_by": taken.by,
        "desk": taken.desk,
        "width": shot.width,
        "height": shot.height,
        "picture_time_s": shot.pts_s,
        "boxes": [
            {"track": box.track_id, "label": box.label, "bbox_xyxy": [round(edge, 5) for edge in box.bbox_xyxy]}
            for box in shot.boxes
        ],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _free(folder, stem)
        facts |= {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}
        # The sidecar first: a picture without one would look as if somebody had taken it away.
        replace_file(path.with_suffix(".json"), (to_json(facts) + "\n").encode())
        replace_file(path, content)
    except OSError as error:
        raise UnavailableError(
            f"The picture is not saved: {error.strerror or error}.", hint=f"Is {folder} writable, and not full?"
        ) from error
    return path


def saved_sentence(shot: Shot, stream: StreamReport | None) -> str:
    """Say that a picture was kept, and where more of it was to be had."""
    said = f"Picture of {shot.camera.name} saved, {shot.width}x{shot.height}."
    if stream is not None and (stream.is_sub or shot.width < stream.width):
        said += " It is as small as its tile: enlarge the tile, then save, for all that the camera sees."
    return said


def _png(shot: Shot) -> bytes:
    image = QImage(shot.data, shot.width, shot.height, shot.width * 4, QImage.Format.Format_RGB32)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]
        raise UnavailableError("The picture is not saved: it cannot be written as PNG.")
    return bytes(buffer.data().data())


def _plain(name: str) -> str:
    """Return a name that every file system takes."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", ascii_only).strip("-")[:40] or "camera"


def _free(folder: Path, stem: str) -> Path:
    """Return a path that nothing has: two pictures within a millisecond are two files."""
    path, n = folder / f"{stem}.png", 1
    while path.exists() or path.with_suffix(".json").exists():
        n += 1
        path = folder / f"{stem}-{n}.png"
    return path
