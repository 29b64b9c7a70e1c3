"""Measured minutes and counts over lines wait on the disk for the database: neither days nor the node's end lose one.

A folder of files, each a batch that was put aside together, packed and compressed; a file is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.incidents.evidence import sync_folder
from core.kernel.errors import UnavailableError
from core.kernel.log import OncePerLoss
from core.kernel.wire import from_bytes, to_bytes
from core.kernel.zone import to_site
from core.traffic.model import LineCount
from core.vision.flow import FlowMinute

log = logging.getLogger(__name__)

FOLDER = "waiting-minutes"
MAX_BYTES = 1024 * 1024 * 1024
"""Of all files; beyond, the oldest minutes are given up. Of 64 cameras it takes nine days."""

_ENDING = ".minutes"
_FAILED = {
    "write": "Minutes that wait for the database cannot be kept in {folder} ({reason}).",
    "read": "Minutes that wait for the database cannot be read from {folder} ({reason}); it is tried again.",
    "remove": "Minutes that the database has cannot be removed from {folder} ({reason}).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Minutes that are stored together.

    Attributes:
        parts: What was measured, to be joined with what the database has of the same minutes.
        wholes: What the database is to have, but for what is newer there.
        count_parts: Vehicles over lines, to be added to what the database has of the same minutes.
        count_wholes: All vehicles over a line in their minute.
    """

    parts: tuple[FlowMinute, ...] = ()
    wholes: tuple[FlowMinute, ...] = ()
    count_parts: tuple[LineCount, ...] = ()
    count_wholes: tuple[LineCount, ...] = ()

    @property
    def minutes(self) -> tuple[datetime, ...]:
        """Of each row."""
        counts = (*self.count_parts, *self.count_wholes)
        return tuple(row.minute for row in (*self.parts, *self.wholes)) + tuple(count.minute for count in counts)


class SpoolError(UnavailableError):
    """The disk fails where minutes wait; the database may be well."""


class GivenUp:
    """What was measured and will never be stored."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._n_rows = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._why = ""

    def note(self, n_rows: int, first: datetime, last: datetime, why: str) -> None:
        """Count rows of the minutes from `first` to `last`."""
        self._n_rows += n_rows
        self._first = first if self._first is None else min(first, self._first)
        self._last = last if self._last is None else max(last, self._last)
        self._why = why

    @property
    def sentence(self) -> str:
        """What a person should know; empty where nothing was given up."""
        if self._first is None or self._last is None:
            return ""
        n_minutes = round((self._last - self._first).total_seconds() / 60.0) + 1
        span = f"{to_site(self._first):%Y-%m-%d %H:%M} to {to_site(self._last):%Y-%m-%d %H:%M}"
        return (
            f"What cameras measured from {span} is lost in part ({n_minutes:,} min, {self._n_rows:,} rows): {self._why}"
        )


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One file, as its name tells it; the oldest is the smallest."""

    number: int
    first_s: int
    last_s: int
    n_rows: int

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.number:09d}-{self.first_s}-{self.last_s}-{self.n_rows}{_ENDING}"


class FlowSpool:
    """Keeps batches in the order in which they came.

    Threads: any, one at a time; every call may take as long as the disk.
    """

    def __init__(self, folder: Path) -> None:
        """Read and make nothing yet."""
        self._folder = folder
        self._once = OncePerLoss(log)
        self._entries: dict[Entry, int] | None = None
        """Sizes of the files [bytes], oldest first; None before the folder was looked at."""

        self._done: set[Entry] = set()
        """Of these the file could not be removed; nobody waits for what is in it any more."""

        self._failures: dict[str, str] = {}
        """What does not work just now, by what is done with the files."""

        self._damage = ""
        self.given_up = GivenUp()

    @property
    def notice(self) -> str:
        """What a person should know of the folder; empty where all is well."""
        return " ".join(part for part in dict.fromkeys((self._damage, *self._failures.values())) if part)

    def add(self, batch: Batch) -> bool:
        """Keep a batch behind all others; returns whether the disk has it."""
        minutes = batch.minutes
        try:
            entries = self._known()
            number = max((entry.number for entry in entries), default=0) + 1
            entry = Entry(number, int(min(minutes).timestamp()), int(max(minutes).timestamp()), len(minutes))
            entries[entry] = self._write(entry, batch)
        except OSError as error:
            self._fail("write", error)
            return False
        self._failures.pop("write", None)
        self._once.back("disk", "minutes that wait for the database are kept on the disk again")
        self._make_room(entries)
        return True

    def oldest(self) -> Entry | None:
        """Return the batch to store next; None where none waits."""
        for entry in tuple(self._done):
            self.remove(entry)
        try:
            return next((entry for entry in self._known() if entry not in self._done), None)
        except OSError as error:
            self._fail("read", error)
            return None

    def newest_minute(self) -> datetime:
        """Return the newest of which anything waits; call it only while something does."""
        return datetime.fromtimestamp(max(entry.last_s for entry in self._known()), UTC)

    def read(self, entry: Entry) -> Batch | None:
        """Return what is in a file; None of one that is gone, or damaged and put aside: it waits no more.

        Raises:
            SpoolError: The disk does not give it just now; it waits on.
        """
        path = self._folder / entry.name
        try:
            batch = from_bytes(zlib.decompress(path.read_bytes()), Batch)
        except FileNotFoundError:
            self._known().pop(entry, None)
            self._give_up(entry, f"somebody took their file away from {self._folder}.")
            batch = None
        except OSError as error:
            raise self._fail("read", error) from error
        except (ValueError, zlib.error) as error:
            self._put_aside(entry, error)
            batch = None
        self._failures.pop("read", None)
        return batch

    def replace(self, entry: Entry, batch: Batch) -> None:
        """Write a batch in place of what the file holds.

        Raises:
            SpoolError: The disk does not take it; the file is as it was.
        """
        try:
            self._known()[entry] = self._write(entry, batch)
        except OSError as error:
            raise self._fail("write", error) from error
        self._failures.pop("write", None)

    def remove(self, entry: Entry) -> None:
        """Nobody waits for this batch any more; where its file cannot be removed now, that is tried again."""
        try:
            (self._folder / entry.name).unlink(missing_ok=True)
        except OSError as error:
            self._done.add(entry)
            self._fail("remove", error)
            return
        self._done.discard(entry)
        self._known().pop(entry, None)
        if not self._done:
            self._failures.pop("remove", None)
        if not self._known():
            self._failures.clear()

    def _put_aside(self, entry: Entry, error: Exception) -> None:
        path = self._folder / entry.name
        aside = path.with_suffix(".damaged")
        with contextlib.suppress(OSError):
            path.replace(aside)
        self._known().pop(entry, None)
        self._damage = f"Minutes that waited for the database cannot be read ({error}); the file is kept as {aside}."
        log.error("%s", self._damage)
        self._give_up(entry, "their file is damaged.")

    def _known(self) -> dict[Entry, int]:
        if self._entries is None:
            found = {}
            for path in self._folder.glob(f"*{_ENDING}"):
                with contextlib.suppress(ValueError):
                    number, first_s, last_s, n_rows = (int(part) for part in path.stem.split("-"))
                    found[Entry(number, first_s, last_s, n_rows)] = path.stat().st_size
            self._entries = dict(sorted(found.items()))
        return self._entries

    def _write(self, entry: Entry, batch: Batch) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / entry.name
        part = path.with_suffix(".part")
        content = zlib.compress(to_bytes(batch))
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            # Half a file would take the room that is missing.
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        self._sync_names()
        return len(content)

    def _sync_names(self) -> None:
        try:
            sync_folder(self._folder)
        except OSError as error:
            # The file is there whole, and its content is on the disk: who took it for missing would keep it twice.
            reason = error.strerror or error
            self._once.lost("names", f"a power cut may take minutes that wait in {self._folder} ({reason})")
            return
        self._once.back("names", f"minutes that wait in {self._folder} outlive a power cut again")

    def _make_room(self, entries: dict[Entry, int]) -> None:
        waiting = [entry for entry in entries if entry not in self._done]
        n_bytes = sum(entries[entry] for entry in waiting)
        for entry in waiting[:-1]:
            if n_bytes <= MAX_BYTES:
                return
            n_bytes -= entries[entry]
            self.remove(entry)
            self._give_up(entry, f"more waited for the database than the {MAX_BYTES // 2**20:,} MiB in {self._folder}.")

    def _give_up(self, entry: Entry, why: str) -> None:
        first, last = (datetime.fromtimestamp(at_s, UTC) for at_s in (entry.first_s, entry.last_s))
        self.given_up.note(entry.n_rows, first, last, why)
        self._once.lost("given_up", f"measured minutes are given up: {why}")

    def _fail(self, doing: str, error: OSError) -> SpoolError:
        reason = error.strerror or error
        self._failures[doing] = _FAILED[doing].format(folder=self._folder, reason=reason)
        self._once.lost("disk", self._failures[doing])
        return SpoolError(self._failures[doing], hint="Look at that folder and the room on its disk.")
