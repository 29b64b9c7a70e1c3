"""Calls of cameras on the disk until the database has them: a node that ends meanwhile loses none.

One file, appended to, emptied as soon as nothing waits. A record is a mark, the length and the CRC-32 of what follows,
and a `SpooledCall`; one that a crash cut off ends the file, one that is damaged costs itself alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import struct
import zlib
from collections import deque
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import msgspec

from core.incidents.evidence import sync_folder
from core.incidents.same_event import View
from core.kernel.clock import Clock
from core.kernel.log import OncePerLoss
from core.kernel.wire import from_bytes, to_bytes
from core.vision.model import Observation

log = logging.getLogger(__name__)

FILE_NAME = "waiting-calls.spool"
MAX_BYTES = 128 * 1024 * 1024
"""Calls beyond are kept without their pictures…"""

MAX_BYTES_BARE = MAX_BYTES + 16 * 1024 * 1024
"""…and beyond this in memory only."""

MAX_BEHIND = 500
"""Calls that the disk has not taken; those beyond wait for it without their pictures."""

_MARK = b"\xf5WFc"
_HEAD = struct.Struct(">4sII")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledCall:
    """One observation, with all that storing it takes, as it was known when it was seen.

    Attributes:
        jpeg: Its picture as the worker sent it: what is private is black already.
    """

    observation: Observation
    camera_name: str
    view: View | None = None
    call_from: float = 0.0
    jpeg: bytes = b""


class CallSpool:
    """Keeps what waits for the database on the disk.

    Threads: the node's loop; the file belongs to one thread of its own, for a disk may hang.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Open nothing yet."""
        self._path = folder / FILE_NAME
        self._clock = clock
        self._waiting: set[str] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="call-spool")
        self._once = OncePerLoss(log)
        self._file: IO[bytes] | None = None
        self._n_bytes = 0
        self._behind: deque[SpooledCall] = deque()
        """What the disk has not taken yet."""

        self._n_added = 0
        self._n_through = 0
        """Of those added, how many the disk has taken, or need no disk any more; only its thread counts them."""

        self._failure = ""
        self._damage = ""
        self._is_left = False

    @property
    def notice(self) -> str:
        """What a person should know of the file; empty where all is well."""
        return " ".join(part for part in (self._damage, self._failure) if part)

    async def open(self) -> tuple[SpooledCall, ...]:
        """Return what the run before left, in its order; it stays in the file until `forget` was told of all."""
        left = await asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        self._waiting = {call.observation.observation_id for call in left}
        return left

    def add(self, call: SpooledCall) -> None:
        """Keep a call until `forget` names it."""
        self._waiting.add(call.observation.observation_id)
        is_far_behind = self._n_added - self._n_through >= MAX_BEHIND
        self._n_added += 1
        self._thread.submit(self._append, replace(call, jpeg=b"") if is_far_behind else call)

    def forget(self, observation_id: str) -> None:
        """The database has it, or will never take it."""
        self._waiting.discard(observation_id)
        if not self._waiting:
            # What comes from now on is appended after this.
            self._thread.submit(self._empty)

    async def close(self) -> None:
        """Return once all that was added is on the disk, or was tried once more."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown(wait=False)

    # -- on its thread --------------------------------------------------------------------------------------------

    def _read(self) -> tuple[SpooledCall, ...]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            self._leave("read", error)
            return ()
        found, n_good, is_damaged = read_calls(content)
        try:
            if is_damaged:
                self._put_aside(found)
            elif n_good < len(content):
                log.warning("the last call that waited for the database was cut off by a crash")
                os.truncate(self._path, n_good)
        except OSError as error:
            self._leave("put aside" if is_damaged else "mended", error)
        return found

    def _leave(self, what: str, error: OSError) -> None:
        """Let the file stand for the next start, whatever is stored meanwhile: it may hold what nobody has read."""
        self._is_left = True
        self._damage = (
            f"The file of calls that waited for the database cannot be {what} ({error.strerror or error}); "
            f"{self._path} is left for the next start."
        )
        log.error("%s", self._damage)

    def _put_aside(self, readable: Collection[SpooledCall]) -> None:
        """Keep the damaged file for whoever can read more of it, and go on with what could be read."""
        aside = self._path.with_name(f"{self._path.stem}-{self._clock.now():%Y%m%d-%H%M%S}.damaged")
        with _open_private(aside, "wb") as copy, self._path.open("rb") as damaged:
            shutil.copyfileobj(damaged, copy)
        part = self._path.with_suffix(".part")
        with _open_private(part, "wb") as file:
            file.writelines(_record(call) for call in readable)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        sync_folder(self._path.parent)
        self._damage = (
            f"Of the calls that waited for the database {len(readable)} could be read and others not; "
            f"the file is kept as {aside}."
        )
        log.error("%s", self._damage)

    def _append(self, call: SpooledCall) -> None:
        self._behind.append(call)
        self._catch_up()

    def _catch_up(self) -> None:
        try:
            while self._behind:
                self._write(self._behind[0])
                self._behind.popleft()
                self._n_through += 1
        except OSError as error:
            self._fail(error)

    def _write(self, call: SpooledCall) -> None:
        # Stored by now: nearly always, while the database is there.
        if call.observation.observation_id not in self._waiting:
            return
        file = self._opened()
        record = _record(call)
        if self._n_bytes + len(record) > MAX_BYTES and call.jpeg:
            self._once.lost("full", f"{self._path} is full: calls that wait are kept without their pictures")
            record = _record(replace(call, jpeg=b""))
        if self._n_bytes + len(record) > MAX_BYTES_BARE:
            self._failure = f"More calls wait for the database than {self._path} may hold."
            return
        try:
            file.write(record)
            file.flush()
        except OSError:
            # Half a record would stand before all that come after it. Closing tries to write the rest once more.
            with contextlib.suppress(OSError):
                self._close()
            os.truncate(self._path, self._n_bytes)
            raise
        self._n_bytes += len(record)
        if call.observation.observation_id in self._waiting:
            os.fsync(file.fileno())
        self._failure = ""
        self._once.back("disk", "calls that wait for the database are kept on the disk again")

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = _open_private(self._path, "ab")
            self._n_bytes = self._path.stat().st_size
            sync_folder(self._path.parent)
        return self._file

    def _empty(self) -> None:
        self._n_through += len(self._behind)
        self._behind.clear()
        self._failure = ""
        if self._is_left:
            return
        self._once.back("full", "calls that wait are kept with their pictures again")
        try:
            if self._path.exists() and self._path.stat().st_size:
                os.truncate(self._path, 0)
            self._n_bytes = 0
        except OSError as error:
            self._fail(error)

    def _end(self) -> None:
        self._catch_up()
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _fail(self, error: OSError) -> None:
        self._failure = f"Calls that wait for the database cannot be kept in {self._path} ({error.strerror or error})."
        self._once.lost("disk", self._failure)


def read_calls(content: bytes) -> tuple[tuple[SpooledCall, ...], int, bool]:
    """Return the calls in a file, each once, the bytes up to the last one's end, and whether something is damaged.

    What is missing at the end is no damage: the node was killed while it wrote there.
    """
    found: dict[str, SpooledCall] = {}
    position = n_good = 0
    is_damaged = False
    while position < len(content):
        call, end = _call_at(content, position)
        if call is not None:
            found.setdefault(call.observation.observation_id, call)
            position = n_good = end
            continue
        following = _next_call(content, position + 1)
        if following is None:
            return tuple(found.values()), n_good, is_damaged or not _is_cut_off(content, position)
        position, is_damaged = following, True
    return tuple(found.values()), n_good, is_damaged


def _call_at(content: bytes, position: int) -> tuple[SpooledCall | None, int]:
    if position + _HEAD.size > len(content):
        return None, position
    mark, length, check = _HEAD.unpack_from(content, position)
    begin = position + _HEAD.size
    body = content[begin : begin + length] if mark == _MARK and begin + length <= len(content) else b""
    if not body or zlib.crc32(body) != check:
        return None, position
    try:
        return from_bytes(body, SpooledCall), begin + length
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None, position


def _next_call(content: bytes, position: int) -> int | None:
    while (position := content.find(_MARK, position)) >= 0:
        if _call_at(content, position)[0] is not None:
            return position
        position += 1
    return None


def _is_cut_off(content: bytes, position: int) -> bool:
    """Tell whether a record begins here as it should, and goes on beyond the end of the file."""
    left = content[position:]
    if len(left) < _HEAD.size:
        return left[: len(_MARK)] == _MARK[: len(left)]
    mark, length, _ = _HEAD.unpack_from(left)
    return bool(mark == _MARK and _HEAD.size + length > len(left))


def _record(call: SpooledCall) -> bytes:
    body = to_bytes(call)
    return _HEAD.pack(_MARK, len(body), zlib.crc32(body)) + body


def _open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file that only its owner can read."""
    file = open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    if os.name == "posix":
        os.fchmod(file.fileno(), 0o600)
    return file
