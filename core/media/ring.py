"""Pictures and tracks of one camera, shared between processes through one mapped file.

The node creates the file, one worker writes, any number of consoles read. No lock is shared: every slot carries a
counter that is odd while it is written (a seqlock), so a worker killed in the middle of a picture leaves one slot that
readers pass over and the next worker writes again.

Layout (words of 8 bytes, the machine's own byte order; the file never leaves the machine):
    page of the header · table of labels · track slots · frame slots, each on a page boundary.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError, UnavailableError
from core.media.seqlock import (
    PAGE_BYTES,
    SLOT_HEADER_BYTES,
    begin_write,
    end_write,
    fence,
    on_page,
    reserve_pages,
)

LAYOUT_VERSION = 1
MAX_TRACKS = 128
MAX_LABELS = 256

MAX_PICTURE_WH = (3840, 2160)
"""As much as the largest usual screen shows; a wall's pictures are much smaller."""

USUAL_WH = (1920, 1080)
"""A tile in this size has to fit memory; a larger one where there is room for it."""

_USUAL_BYTES = SLOT_HEADER_BYTES + USUAL_WH[0] * USUAL_WH[1] * 4
_SPARE_BYTES = 4 * 1024 * 1024
"""So much more than its picture a slot keeps: tiles that grow and shrink a little cost no calls of the system."""

_MAGIC = int.from_bytes(b"WFLRING\x01", "little")
_LABEL_BYTES = 32
_LABELS_AT = PAGE_BYTES
_CAMERA_ID_AT = 1024
_TRACKS_AT = _LABELS_AT + MAX_LABELS * _LABEL_BYTES
_RECORD = struct.Struct("=qIf4f2f")
_NAMES = struct.Struct("=qI")
_RECORD_FLOATS = _RECORD.size // 4
_NAME_FLOATS, _BOX_FLOATS, _VELOCITY_FLOATS = slice(0, 3), slice(4, 8), slice(8, 10)
"""Where they lie in a record that is seen as numbers of 4 bytes."""

_MAX_NAMED = 64

_UNNAMED = 0xFFFF_FFFF
_UNNAMED_LABEL = "vehicle"
# A reader that meets the writer tries again at once; after this many it waits for its next turn instead.
_MAX_TRIES = 16

# Words of the header.
_W_MAGIC, _W_VERSION, _W_N_SLOTS, _W_MAX_W, _W_MAX_H, _W_N_TRACK_SLOTS, _W_CAMERA_ID_BYTES = range(7)
_W_WRITER, _W_EPOCH, _W_FRAME, _W_TRACKS, _W_N_LABELS = range(8, 13)
# Words of a slot: frames use all, track slots have the number of tracks where frames have the width.
_S_LOCK, _S_SEQUENCE, _S_EPOCH, _S_WIDTH, _S_HEIGHT, _S_PTS, _S_RECEIVED, _S_CAPTURED = range(8)
_SLOT_WORDS = struct.Struct("@4Q3d")
"""What follows the lock, native: each word is still read in one access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackMark:
    """One track as it crosses to the console; numbers are kept as float32.

    Attributes:
        bbox_xyxy: Fractions of the frame.
        velocity_xy: Fractions of the frame per second of picture time.
    """

    track_id: int
    label: str
    score: float
    bbox_xyxy: tuple[float, float, float, float]
    velocity_xy: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingFrame:
    """One picture, copied out of the ring.

    Attributes:
        sequence: Rises by one with every picture of this ring, over restarts of the worker too.
        pts_s: Picture time; joins it to its tracks.
        received_s: `time.monotonic()` of the arrival, comparable between the processes of one machine.
        captured_at_s: Wall time, seconds since 1970.
        epoch: Changes when the stream was opened again.
        data: BGRA, `width * 4` bytes a row: `QImage(data, width, height, width * 4, Format_RGB32)`.
    """

    sequence: int
    pts_s: float
    received_s: float
    captured_at_s: float
    epoch: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSet:
    """Every track of one analysed picture; empty where nothing was seen."""

    sequence: int
    pts_s: float
    epoch: int
    tracks: tuple[TrackMark, ...]


class LentFrame(NamedTuple):
    """One picture that still lies in the ring: nothing is copied, and it is whole only while `is_intact` says so.

    A tuple, because one is made for each picture of a wall.

    Attributes:
        data: As in `RingFrame`; the writer comes round to it after as many pictures as the ring has slots. The same
            object for every picture of one size in one slot, so that what was made of it can be kept.
        lock, lock_word: The counter of the slot as it was, and where it stands.
        reader: Who lent it.
    """

    sequence: int
    pts_s: float
    received_s: float
    captured_at_s: float
    epoch: int
    width: int
    height: int
    data: memoryview
    lock: int
    lock_word: memoryview[int]
    reader: RingReader

    def is_intact(self) -> bool:
        """Whether the writer has not touched it yet: ask after the last look at `data`."""
        fence()
        return self.lock_word[0] == self.lock

    def renewed(self) -> LentFrame | None:
        """Return the newest picture of the same ring; None where it is closed."""
        return None if self.reader.is_closed else self.reader.lend_newest(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _LentSlot:
    """What pictures of one size in one slot have in common."""

    width: int
    height: int
    data: memoryview
    lock_word: memoryview[int]


class TrackArrays(NamedTuple):
    """Every track of one analysed picture, copied out of the ring; n tracks, and no Python object for each.

    A tuple, because one is made for each picture of a wall.

    Attributes:
        pts_s: Picture time; joins the tracks to their picture.
        track_ids, labels: Of each track; the same objects for as long as the same tracks are seen.
        boxes: Shape (n, 4), x1 y1 x2 y2 in fractions of the frame, float32.
        velocities: Shape (n, 2), fractions of the frame per second of picture time, float32.
    """

    sequence: int
    pts_s: float
    epoch: int
    track_ids: tuple[int, ...]
    labels: tuple[str, ...]
    boxes: NDArray[np.float32]
    velocities: NDArray[np.float32]


@dataclass(frozen=True)
class _Layout:
    """Where the slots lie in the file; without `__slots__`, so that sizes are worked out once."""

    max_w: int
    max_h: int
    n_slots: int
    n_track_slots: int

    @cached_property
    def track_slot_bytes(self) -> int:
        return on_page(SLOT_HEADER_BYTES + MAX_TRACKS * _RECORD.size)

    @cached_property
    def frame_slot_bytes(self) -> int:
        return on_page(SLOT_HEADER_BYTES + self.max_w * self.max_h * 4)

    @cached_property
    def frames_at(self) -> int:
        return _TRACKS_AT + self.n_track_slots * self.track_slot_bytes

    @property
    def file_bytes(self) -> int:
        return self.frames_at + self.n_slots * self.frame_slot_bytes

    def track_slot_at(self, sequence: int) -> int:
        return _TRACKS_AT + sequence % self.n_track_slots * self.track_slot_bytes

    def frame_slot_at(self, sequence: int) -> int:
        return self.frames_at + sequence % self.n_slots * self.frame_slot_bytes


class _Mapping:
    """The mapped file seen as words, floating-point numbers and bytes; each word is read and written in one access."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        flags = (os.O_RDWR if writable else os.O_RDONLY) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self.descriptor = os.open(path, flags)
        except OSError as error:
            raise UnavailableError(
                f"The picture memory {path} cannot be opened: {error.strerror}.",
                hint="The node creates it; is the node running, and does it run as the same user?",
            ) from error
        try:
            size = os.fstat(self.descriptor).st_size
            if size < _TRACKS_AT:
                raise BadInputError(f"{path} is no picture memory: it holds {size} bytes.", hint="Restart the node.")
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._map = mmap.mmap(self.descriptor, size, access=access)
            self.bytes = memoryview(self._map)
            self.words = self.bytes.cast("Q")
            self.floats = self.bytes.cast("d")
            self.layout = self._read_layout(path, size)
        except BaseException:
            self.close()
            raise

    def _read_layout(self, path: Path, size: int) -> _Layout:
        words = self.words
        if words[_W_MAGIC] != _MAGIC or words[_W_VERSION] != LAYOUT_VERSION:
            raise BadInputError(
                f"{path} is no picture memory of this version.", hint="Restart the node and all its consoles."
            )
        layout = _Layout(words[_W_MAX_W], words[_W_MAX_H], words[_W_N_SLOTS], words[_W_N_TRACK_SLOTS])
        if layout.n_slots < 1 or layout.n_track_slots < 1 or layout.file_bytes != size:
            raise BadInputError(f"{path} is damaged: its size does not fit its header.", hint="Restart the node.")
        return layout

    @property
    def camera_id(self) -> str:
        n_bytes = self.words[_W_CAMERA_ID_BYTES]
        return bytes(self.bytes[_CAMERA_ID_AT : _CAMERA_ID_AT + n_bytes]).decode("utf-8", "replace")

    def labels(self) -> tuple[str, ...]:
        # Entries are written before they are counted and never change, so this needs no counter of its own.
        n_labels = min(self.words[_W_N_LABELS], MAX_LABELS)
        fence()
        entries = (self.bytes[at : at + _LABEL_BYTES] for at in range(_LABELS_AT, _TRACKS_AT, _LABEL_BYTES))
        return tuple(
            bytes(entry).rstrip(b"\0").decode("utf-8", "replace")
            for _, entry in zip(range(n_labels), entries, strict=False)
        )

    def free(self, first: int, end: int) -> None:
        """Give back the memory of whole pages between two bytes; they read as zeros."""
        first, end = on_page(first), on_page(end)
        if end > first and hasattr(mmap, "MADV_REMOVE"):
            # Some file systems have no holes: they keep the memory, and nothing else is wrong.
            with contextlib.suppress(OSError):
                self._map.madvise(mmap.MADV_REMOVE, first, end - first)

    def close(self) -> None:
        for name in ("floats", "words", "bytes"):
            if (view := getattr(self, name, None)) is not None:
                view.release()
        if (mapped := getattr(self, "_map", None)) is not None:
            # An array over the map may still be alive for a moment; the map goes with it.
            with contextlib.suppress(BufferError):
                mapped.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class FrameRing:
    """The writing side: `create` in the node, `attach` in the worker.

    Threads: pictures and tracks may be written by two threads.
    """

    def __init__(self, mapping: _Mapping) -> None:
        """Take over as the writer; use `create` or `attach`."""
        self._mapping: _Mapping | None = mapping
        self._layout = mapping.layout
        self._pixels: NDArray[np.uint8] | None = np.frombuffer(mapping.bytes, np.uint8)
        self._label_index = {label: index for index, label in enumerate(mapping.labels())}
        self._reserved: dict[int, int] = {}
        # Whatever a writer before us had set aside: it is given back where it is not needed.
        self._held = {self._layout.frame_slot_at(n): self._layout.frame_slot_bytes for n in range(self._layout.n_slots)}
        self._frame_lock = threading.Lock()
        self._track_lock = threading.Lock()
        self._writer = mapping.words[_W_WRITER] + 1
        mapping.words[_W_WRITER] = self._writer

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        camera_id: str,
        max_wh: tuple[int, int] = MAX_PICTURE_WH,
        n_slots: int = 3,
        n_track_slots: int = 64,
    ) -> FrameRing:
        """Make an empty ring at `path`, replacing what lies there; untouched pages cost no memory.

        Raises:
            UnavailableError: The file cannot be made.
            BadInputError: The sizes make no ring.
        """
        encoded_id = camera_id.encode("utf-8")
        if min(max_wh) < 2 or n_slots < 2 or n_track_slots < 2 or len(encoded_id) > PAGE_BYTES - _CAMERA_ID_AT:
            raise BadInputError(f"A ring of {n_slots} pictures of {max_wh[0]}x{max_wh[1]} for {camera_id!r} is none.")
        layout = _Layout(max_wh[0], max_wh[1], n_slots, n_track_slots)
        # Sequences start at the clock, so that a reader of an earlier ring of this camera never waits for old numbers.
        start = time.time_ns() // 1_000_000
        header = bytearray(PAGE_BYTES)
        words = memoryview(header).cast("Q")
        words[_W_MAGIC], words[_W_VERSION] = _MAGIC, LAYOUT_VERSION
        words[_W_MAX_W], words[_W_MAX_H] = max_wh
        words[_W_N_SLOTS], words[_W_N_TRACK_SLOTS] = n_slots, n_track_slots
        words[_W_CAMERA_ID_BYTES] = len(encoded_id)
        words[_W_FRAME] = words[_W_TRACKS] = start
        header[_CAMERA_ID_AT : _CAMERA_ID_AT + len(encoded_id)] = encoded_id
        _put_file(path, bytes(header), layout.file_bytes)
        return cls.attach(path)

    @classmethod
    def attach(cls, path: Path) -> FrameRing:
        """Become the writer of an existing ring; an earlier writer's next write is refused.

        Raises:
            UnavailableError: There is no such file, or it may not be written.
            BadInputError: It is no ring of this version.
        """
        return cls(_Mapping(Path(path), writable=True))

    @property
    def camera_id(self) -> str:
        """Whose pictures these are."""
        return self._open_mapping().camera_id

    @property
    def epoch(self) -> int:
        """Epoch of the newest picture; a restarted worker goes on above it."""
        return self._open_mapping().words[_W_EPOCH]

    @property
    def max_wh(self) -> tuple[int, int]:
        """Largest picture that fits [px]."""
        return self._layout.max_w, self._layout.max_h

    def write_frame(
        self, bgra: NDArray[np.uint8], *, pts_s: float, received_s: float, captured_at_s: float, epoch: int
    ) -> int:
        """Publish one picture as the newest.

        `bgra` has the shape (h, w, 4), and its rows need not touch; `received_s` is `time.monotonic()`,
        `captured_at_s` counts from 1970.

        Returns:
            Its sequence.

        Raises:
            BadInputError: Not a BGRA picture, or larger than the ring's slots.
            UnavailableError: Closed, another writer took over, or the memory file system is full.
        """
        if bgra.ndim != 3 or bgra.shape[2] != 4 or bgra.dtype != np.uint8:
            raise BadInputError(f"A picture of shape {bgra.shape} and type {bgra.dtype} is not BGRA.")
        height, width = bgra.shape[:2]
        if width > self._layout.max_w or height > self._layout.max_h or not width or not height:
            raise BadInputError(
                f"A picture of {width}x{height} does not fit {self._layout.max_w}x{self._layout.max_h}.",
                hint="Show the tile smaller.",
            )
        with self._frame_lock:
            mapping = self._writing_mapping()
            words, floats = mapping.words, mapping.floats
            sequence = words[_W_FRAME] + 1
            at = self._layout.frame_slot_at(sequence)
            n_bytes = width * height * 4
            self._reserve(mapping, at, SLOT_HEADER_BYTES + n_bytes)
            slot = at // 8
            begin_write(words, slot)
            words[slot + _S_SEQUENCE] = sequence
            words[slot + _S_EPOCH] = epoch
            words[slot + _S_WIDTH] = width
            words[slot + _S_HEIGHT] = height
            floats[slot + _S_PTS] = pts_s
            floats[slot + _S_RECEIVED] = received_s
            floats[slot + _S_CAPTURED] = captured_at_s
            start = at + SLOT_HEADER_BYTES
            assert self._pixels is not None
            np.copyto(self._pixels[start : start + n_bytes].reshape(height, width, 4), bgra)
            if self._held[at] - n_bytes > SLOT_HEADER_BYTES + _SPARE_BYTES:
                self._give_back(mapping, at, SLOT_HEADER_BYTES + n_bytes)
            end_write(words, slot)
            words[_W_EPOCH] = epoch
            words[_W_FRAME] = sequence
        return sequence

    def forget_large(self) -> None:
        """Give back the memory of pictures of a size that nobody looks at any more; readers pass over them."""
        for at, n_bytes in tuple(self._held.items()):
            if n_bytes <= _USUAL_BYTES:
                continue
            with self._frame_lock:
                mapping = self._writing_mapping()
                if _is_usual(mapping, at):
                    self._give_back(mapping, at, _USUAL_BYTES)
                    continue
                begin_write(mapping.words, at // 8)
                mapping.words[at // 8 + _S_SEQUENCE] = 0
                self._give_back(mapping, at, SLOT_HEADER_BYTES)
                end_write(mapping.words, at // 8)

    def write_tracks(self, pts_s: float, tracks: Sequence[TrackMark], *, epoch: int) -> int:
        """Publish what was seen on the picture at `pts_s`; beyond 128 tracks the surest are kept.

        Returns:
            Its sequence.

        Raises:
            UnavailableError: Closed, another writer took over, or the memory file system is full.
        """
        if len(tracks) > MAX_TRACKS:
            tracks = sorted(tracks, key=lambda track: track.score, reverse=True)[:MAX_TRACKS]
        with self._track_lock:
            mapping = self._writing_mapping()
            words = mapping.words
            records = bytearray(len(tracks) * _RECORD.size)
            for at, track in zip(range(0, len(records), _RECORD.size), tracks, strict=True):
                index = self._index_of(mapping, track.label)
                _RECORD.pack_into(records, at, track.track_id, index, track.score, *track.bbox_xyxy, *track.velocity_xy)
            sequence = words[_W_TRACKS] + 1
            at = self._layout.track_slot_at(sequence)
            self._reserve(mapping, at, SLOT_HEADER_BYTES + len(records))
            slot = at // 8
            begin_write(words, slot)
            words[slot + _S_SEQUENCE] = sequence
            words[slot + _S_EPOCH] = epoch
            words[slot + _S_WIDTH] = len(tracks)
            mapping.floats[slot + _S_PTS] = pts_s
            mapping.bytes[at + SLOT_HEADER_BYTES : at + SLOT_HEADER_BYTES + len(records)] = records
            end_write(words, slot)
            words[_W_TRACKS] = sequence
        return sequence

    def close(self) -> None:
        """Let go of the file; it stays for the readers and for the next writer."""
        with self._frame_lock, self._track_lock:
            mapping, self._mapping, self._pixels = self._mapping, None, None
            if mapping is not None:
                mapping.close()

    def _open_mapping(self) -> _Mapping:
        if self._mapping is None:
            raise UnavailableError("This picture memory is closed.")
        return self._mapping

    def _writing_mapping(self) -> _Mapping:
        mapping = self._open_mapping()
        if mapping.words[_W_WRITER] != self._writer:
            raise UnavailableError(f"Another worker writes the pictures of camera {mapping.camera_id} now.")
        return mapping

    def _reserve(self, mapping: _Mapping, at: int, n_bytes: int) -> None:
        """Have the pages of a slot set aside, once."""
        if n_bytes <= self._reserved.get(at, 0):
            return
        reserve_pages(
            mapping.descriptor,
            at,
            n_bytes,
            what=f"the pictures of camera {mapping.camera_id}",
            way_out="show fewer and smaller tiles",
        )
        self._reserved[at] = n_bytes
        if at in self._held:
            self._held[at] = max(n_bytes, self._held[at])

    def _give_back(self, mapping: _Mapping, at: int, n_bytes: int) -> None:
        """Give back the memory that a frame slot holds beyond so much; nobody may read there."""
        mapping.free(at + n_bytes, at + self._held[at])
        self._held[at] = n_bytes
        self._reserved[at] = min(n_bytes, self._reserved.get(at, 0))

    def _index_of(self, mapping: _Mapping, label: str) -> int:
        index = self._label_index.get(label)
        if index is not None:
            return index
        index = mapping.words[_W_N_LABELS]
        if index >= MAX_LABELS:
            return _UNNAMED
        encoded = label.encode("utf-8")[:_LABEL_BYTES].decode("utf-8", "ignore").encode("utf-8")
        at = _LABELS_AT + index * _LABEL_BYTES
        mapping.bytes[at : at + _LABEL_BYTES] = encoded.ljust(_LABEL_BYTES, b"\0")
        fence()
        mapping.words[_W_N_LABELS] = index + 1
        self._label_index[label] = index
        return index


class RingReader:
    """The reading side: opens the file read-only and never waits for the writer.

    Threads: one.
    """

    def __init__(self, mapping: _Mapping) -> None:
        """Keep the mapping; use `open`."""
        self._mapping = mapping
        self._layout = mapping.layout
        self._labels: tuple[str, ...] = ()
        self._slots: dict[int, _LentSlot] = {}
        self._named: dict[bytes, tuple[tuple[int, ...], tuple[str, ...]]] = {}
        self.is_closed = False

    @classmethod
    def open(cls, path: Path) -> RingReader:
        """Open an existing ring.

        Raises:
            UnavailableError: There is no such file, or it may not be read.
            BadInputError: It is no ring of this version.
        """
        return cls(_Mapping(Path(path), writable=False))

    @property
    def camera_id(self) -> str:
        """Whose pictures these are."""
        return self._mapping.camera_id

    @property
    def newest_tracks(self) -> int:
        """Sequence of the newest track set; of an empty ring the number that counting begins at."""
        return self._mapping.words[_W_TRACKS]

    def newest_frame(self, after_sequence: int) -> RingFrame | None:
        """Copy the newest picture, whole; None where none is newer than `after_sequence`."""
        for _ in range(_MAX_TRIES):
            lent = self.lend_newest(after_sequence)
            if lent is None:
                return None
            frame = RingFrame(
                sequence=lent.sequence,
                pts_s=lent.pts_s,
                received_s=lent.received_s,
                captured_at_s=lent.captured_at_s,
                epoch=lent.epoch,
                width=lent.width,
                height=lent.height,
                data=bytes(lent.data),
            )
            if lent.is_intact():
                return frame
        return None

    def lend_newest(self, after_sequence: int) -> LentFrame | None:
        """Return the newest picture where it lies; None where none is newer than `after_sequence`."""
        words = self._mapping.words
        for _ in range(_MAX_TRIES):
            sequence = words[_W_FRAME]
            if sequence <= after_sequence:
                return None
            at = self._layout.frame_slot_at(sequence)
            slot = at // 8
            lock = words[slot + _S_LOCK]
            fence()
            there, epoch, width, height, pts_s, received_s, captured_at_s = _SLOT_WORDS.unpack_from(
                words, at + 8 * _S_SEQUENCE
            )
            if lock % 2 or there != sequence:
                if words[_W_FRAME] == sequence and not lock % 2:
                    return None  # an empty ring
                continue
            if not (0 < width <= self._layout.max_w and 0 < height <= self._layout.max_h):
                continue
            lent = self._slots.get(at)
            if lent is None or (lent.width, lent.height) != (width, height):
                lent = self._slots[at] = self._lend_slot(at, width, height)
            frame = LentFrame(
                sequence,
                pts_s,
                received_s,
                captured_at_s,
                epoch,
                width,
                height,
                lent.data,
                lock,
                lent.lock_word,
                self,
            )
            if frame.is_intact():
                return frame
        return None

    def _lend_slot(self, at: int, width: int, height: int) -> _LentSlot:
        start, slot = at + SLOT_HEADER_BYTES, at // 8
        return _LentSlot(
            width=width,
            height=height,
            data=self._mapping.bytes[start : start + width * height * 4],
            lock_word=self._mapping.words[slot + _S_LOCK : slot + _S_LOCK + 1],
        )

    def tracks_after(self, sequence: int) -> list[TrackSet]:
        """Copy every track set newer than `sequence` that has not been overwritten, oldest first."""
        newest = self._mapping.words[_W_TRACKS]
        first = max(sequence + 1, newest - self._layout.n_track_slots + 1)
        found = (self._read_tracks(wanted) for wanted in range(first, newest + 1))
        return [tracks for tracks in found if tracks is not None]

    def close(self) -> None:
        """Let go of the file; a picture that was lent can still be looked at."""
        self.is_closed = True
        self._slots.clear()
        self._mapping.close()

    def track_arrays_after(self, sequence: int) -> list[TrackArrays]:
        """Like `tracks_after`, as arrays."""
        newest = self._mapping.words[_W_TRACKS]
        if newest <= sequence:
            return []
        if newest == sequence + 1:
            only = self._read_arrays(newest)
            return [] if only is None else [only]
        first = max(sequence + 1, newest - self._layout.n_track_slots + 1)
        found = (self._read_arrays(wanted) for wanted in range(first, newest + 1))
        return [tracks for tracks in found if tracks is not None]

    def _read_arrays(self, sequence: int) -> TrackArrays | None:
        read = self._read_records(sequence)
        if read is None:
            return None
        pts_s, epoch, content = read
        records = np.frombuffer(content, np.float32).reshape(-1, _RECORD_FLOATS)
        # Who is seen changes far less often than where.
        names = records[:, _NAME_FLOATS].tobytes()
        track_ids, labels = self._named.get(names) or self._name(names)
        return TrackArrays(
            sequence, pts_s, epoch, track_ids, labels, records[:, _BOX_FLOATS], records[:, _VELOCITY_FLOATS]
        )

    def _name(self, names: bytes) -> tuple[tuple[int, ...], tuple[str, ...]]:
        pairs = tuple(_NAMES.iter_unpack(names))
        named = tuple(track_id for track_id, _ in pairs), tuple(self._label(index) for _, index in pairs)
        if len(self._named) >= _MAX_NAMED:
            self._named.clear()
        self._named[names] = named
        return named

    def _read_tracks(self, sequence: int) -> TrackSet | None:
        read = self._read_records(sequence)
        if read is None:
            return None
        pts_s, epoch, content = read
        tracks = tuple(self._mark(*record) for record in _RECORD.iter_unpack(content))
        return TrackSet(sequence=sequence, pts_s=pts_s, epoch=epoch, tracks=tracks)

    def _read_records(self, sequence: int) -> tuple[float, int, bytes] | None:
        """Return picture time, epoch and the packed tracks of one set; None where it was overwritten."""
        words = self._mapping.words
        at = self._layout.track_slot_at(sequence)
        slot = at // 8
        lock = words[slot + _S_LOCK]
        fence()
        there, epoch, n_tracks, _, pts_s, _, _ = _SLOT_WORDS.unpack_from(words, at + 8 * _S_SEQUENCE)
        if lock % 2 or there != sequence or n_tracks > MAX_TRACKS:
            return None
        start = at + SLOT_HEADER_BYTES
        content = bytes(self._mapping.bytes[start : start + n_tracks * _RECORD.size])
        fence()
        return (pts_s, epoch, content) if words[slot + _S_LOCK] == lock else None

    def _label(self, index: int) -> str:
        if index >= len(self._labels) and index != _UNNAMED:
            self._labels = self._mapping.labels()
        return self._labels[index] if index < len(self._labels) else _UNNAMED_LABEL

    def _mark(
        self, track_id: int, index: int, score: float, x1: float, y1: float, x2: float, y2: float, vx: float, vy: float
    ) -> TrackMark:
        label = self._label(index)
        return TrackMark(track_id=track_id, label=label, score=score, bbox_xyxy=(x1, y1, x2, y2), velocity_xy=(vx, vy))


def _is_usual(mapping: _Mapping, at: int) -> bool:
    """Whether a frame slot holds a whole picture of a usual size, or none yet."""
    words, slot = mapping.words, at // 8
    n_bytes = words[slot + _S_WIDTH] * words[slot + _S_HEIGHT] * 4
    return words[slot + _S_LOCK] % 2 == 0 and SLOT_HEADER_BYTES + n_bytes <= _USUAL_BYTES


def _put_file(path: Path, header: bytes, file_bytes: int) -> None:
    """Write a sparse file beside `path` and move it there, so that nobody ever opens half a ring."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(scratch, "wb") as file:
            if os.name == "posix":
                os.fchmod(file.fileno(), 0o600)
            file.write(header)
            file.truncate(file_bytes)
        os.replace(scratch, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise UnavailableError(
            f"The picture memory {path} cannot be made: {error.strerror}.",
            hint="Close other consoles of this node, and check that the runtime folder may be written and is not full.",
        ) from error
