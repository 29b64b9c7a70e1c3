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
from core.drones.mavlink.owners import NAMESAKE
from core.drones.mavlink.tlog import mapped, read_tlog, stamp

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""What waits for a disk that does not answer; beyond, the newest is given up, and counted."""

_INDEX = struct.Struct(">QQ")
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class _Waiting:
    first: bytes
    chunks: list[bytes] = field(default_factory=list)
    n_messages: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be appended to one log: the stamp of its first message, and all of its bytes."""

    file: Path
    first: bytes
    data: bytes
    n_messages: int


class RawLogs:
    """Writes and finds logs.

    Threads: `write`, `take` and `give_back` on the loop; `store` on one thread at a time; `read` and `forget` anywhere.

    Attributes:
        fault: Why nothing is kept right now, a sentence; empty where it is.
        n_given_up: Messages that nothing kept, because the disk did not take them for too long.
    """

    def __init__(self, folder: Path) -> None:
        """Keep logs in a folder, which is made when it is needed."""
        self._folder = folder
        self._waiting: dict[tuple[str, datetime], _Waiting] = {}
        self._returned: list[Piece] = []
        self._n_waiting = 0
        self.fault = ""
        self.n_given_up = 0

    def write(self, name: str, at: datetime, frames: Sequence[Frame]) -> None:
        """Take messages that arrived at an instant; `take` and `store` bring them to the disk."""
        head = stamp(at)
        data = b"".join([head + frame.raw for frame in frames])
        if self._n_waiting + len(data) > MAX_WAITING_BYTES:
            self.n_given_up += len(frames)
            return
        key = (name, at.replace(minute=0, second=0, microsecond=0))
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(head)
        waiting.chunks.append(data)
        waiting.n_messages += len(frames)
        self._n_waiting += len(data)

    def take(self) -> list[Piece]:
        """Take away what waits, for `store`."""
        taken, self._waiting, self._n_waiting = self._waiting, {}, 0
        returned, self._returned = self._returned, []
        return returned + [
            Piece(self._file(name, hour), waiting.first, b"".join(waiting.chunks), waiting.n_messages)
            for (name, hour), waiting in taken.items()
        ]

    def store(self, pieces: list[Piece]) -> None:
        """Append to the files; what the disk took leaves the list.

        Raises:
            OSError: The disk does not take what is left in the list; no part of it stands in a file.
        """
        while pieces:
            piece = pieces[0]
            piece.file.parent.mkdir(parents=True, exist_ok=True)
            offset = piece.file.stat().st_size if piece.file.exists() else 0
            # The index first: an entry whose bytes come later is harmless, bytes that are written twice are not.
            _append(piece.file.with_suffix(".idx"), _INDEX.pack(int.from_bytes(piece.first, "big"), offset))
            _append(piece.file, piece.data)
            del pieces[0]

    def give_back(self, pieces: list[Piece]) -> None:
        """Take back what the disk did not take: it is tried again before what is newer."""
        for piece in pieces:
            if self._n_waiting + len(piece.data) > MAX_WAITING_BYTES:
                self.n_given_up += piece.n_messages
                continue
            self._returned.append(piece)
            self._n_waiting += len(piece.data)

    def faults(self) -> tuple[str, ...]:
        """Return what is wrong with the logs, each a sentence with a way out."""
        n_waiting = sum(piece.n_messages for piece in self._returned)
        n_waiting += sum(waiting.n_messages for waiting in self._waiting.values())
        given_up = f" {self.n_given_up:,} messages are lost to the log." if self.n_given_up else ""
        if not self.fault:
            return (f"The log of what drones sent has a gap.{given_up}",) if given_up else ()
        return (f"{self.fault} {n_waiting:,} messages wait.{given_up} Make room on the node's disk.",)

    def read(self, name: str, since: datetime, until: datetime, *, system: int) -> Iterator[tuple[datetime, bytes]]:
        """Yield what one system and the radios sent, of a log by its name, by arrival."""
        hour = since.replace(minute=0, second=0, microsecond=0)
        while hour <= until:
            file = self._file(name, hour)
            if file.exists():
                with file.open("rb") as log, mapped(log) as all_of_it:
                    for at, data in read_tlog(all_of_it, _first_of(file, since)):
                        if at > until:
                            return
                        if at >= since and (system_of(data) == system or _number_of(data) in RADIO_DECODERS):
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

    def _file(self, name: str, hour: datetime) -> Path:
        return self._folder / name / f"{hour:%Y%m%dT%H}.tlog"


def log_name(link_id: str, drone_id: str) -> str:
    """Return under which name what a drone sends on a link is kept: its own where another has the same number."""
    _, mark, number = drone_id.partition(NAMESAKE)
    return f"{link_id}{mark}{number}"


def _append(file: Path, data: bytes) -> None:
    """Append all of it or nothing."""
    with file.open("ab", buffering=0) as log:
        offset, rest = log.tell(), memoryview(data)
        try:
            while rest:
                rest = rest[log.write(rest) :]
        except OSError:
            log.truncate(offset)
            raise


def _first_of(file: Path, since: datetime) -> int:
    """Return where the last indexed message before an instant begins."""
    index_file = file.with_suffix(".idx")
    data = index_file.read_bytes() if index_file.exists() else b""
    entries = [_INDEX.unpack_from(data, at) for at in range(0, len(data) - _INDEX.size + 1, _INDEX.size)]
    wanted = int.from_bytes(stamp(since), "big")
    place = bisect_right([us for us, _ in entries], wanted) - 1
    return entries[place][1] if place >= 0 else 0


def _number_of(message: bytes) -> int:
    return message[5] if message[0] == START_V1 else int.from_bytes(message[7:10], "little")


def system_of(message: bytes) -> int:
    """Return which system sent a message."""
    return message[3] if message[0] == START_V1 else message[5]
