"""Every byte that drones sent, as telemetry logs by link and hour, with an index of times."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.drones.mavlink.decode import RADIO_DECODERS
from core.drones.mavlink.frames import START_V1, Frame
from core.drones.mavlink.tlog import read_tlog, stamp

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What waits for a disk that does not answer; beyond, the newest is given up, and counted."""

_INDEX = struct.Struct(">QQ")
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class _Waiting:
    first: bytes
    chunks: list[bytes] = field(default_factory=list)
    n_bytes: int = 0


class RawLogs:
    """Writes and finds logs.

    Threads: `write` on the loop; `store`, `read` and `forget` anywhere, one at a time.
    """

    def __init__(self, folder: Path) -> None:
        """Keep logs in a folder, which is made when it is needed."""
        self._folder = folder
        self._waiting: dict[tuple[str, datetime], _Waiting] = {}
        self._n_waiting = 0
        self.n_given_up = 0

    def write(self, link_id: str, at: datetime, frames: Sequence[Frame]) -> None:
        """Take messages that arrived at an instant; `take` and `store` bring them to the disk."""
        head = stamp(at)
        data = b"".join([head + frame.raw for frame in frames])
        if self._n_waiting + len(data) > MAX_WAITING_BYTES:
            self.n_given_up += len(frames)
            return
        key = (link_id, at.replace(minute=0, second=0, microsecond=0))
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(head)
        waiting.chunks.append(data)
        self._n_waiting += len(data)

    def take(self) -> list[tuple[Path, bytes, bytes]]:
        """Take away what waits, for `store`: file, first stamp and bytes."""
        taken, self._waiting, self._n_waiting = self._waiting, {}, 0
        return [
            (self._file(link_id, hour), waiting.first, b"".join(waiting.chunks))
            for (link_id, hour), waiting in taken.items()
        ]

    def store(self, taken: list[tuple[Path, bytes, bytes]]) -> None:
        """Append to the files.

        Raises:
            OSError: The disk does not take it.
        """
        for file, first, data in taken:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as log:
                offset = log.tell()
                log.write(data)
            with file.with_suffix(".idx").open("ab") as index:
                index.write(_INDEX.pack(int.from_bytes(first, "big"), offset))

    def read(self, link_id: str, since: datetime, until: datetime, *, system: int) -> Iterator[tuple[datetime, bytes]]:
        """Yield what one system and the radios sent on a link, by arrival."""
        hour = since.replace(minute=0, second=0, microsecond=0)
        while hour <= until:
            file = self._file(link_id, hour)
            if file.exists():
                for at, data in read_tlog(_from(file, since)):
                    if at > until:
                        return
                    if at >= since and (_system_of(data) == system or _number_of(data) in RADIO_DECODERS):
                        yield at, data
            hour += HOUR

    def forget(self, before: datetime) -> int:
        """Delete logs whose hour is over since an instant; returns how many."""
        n_deleted = 0
        for file in self._folder.glob("*/*.tlog"):
            try:
                hour = datetime.strptime(file.stem, "%Y%m%dT%H").replace(tzinfo=UTC)
            except ValueError:
                continue
            if hour + HOUR < before:
                file.unlink(missing_ok=True)
                file.with_suffix(".idx").unlink(missing_ok=True)
                n_deleted += 1
        return n_deleted

    def _file(self, link_id: str, hour: datetime) -> Path:
        return self._folder / link_id / f"{hour:%Y%m%dT%H}.tlog"


def _from(file: Path, since: datetime) -> bytes:
    """Return a log's bytes from the last indexed place before an instant."""
    index_file = file.with_suffix(".idx")
    data = index_file.read_bytes() if index_file.exists() else b""
    entries = [_INDEX.unpack_from(data, at) for at in range(0, len(data) - _INDEX.size + 1, _INDEX.size)]
    wanted = int.from_bytes(stamp(since), "big")
    place = bisect_right([us for us, _ in entries], wanted) - 1
    with file.open("rb") as log:
        log.seek(entries[place][1] if place >= 0 else 0)
        return log.read()


def _number_of(message: bytes) -> int:
    return message[5] if message[0] == START_V1 else int.from_bytes(message[7:10], "little")


def _system_of(message: bytes) -> int:
    return message[3] if message[0] == START_V1 else message[5]
