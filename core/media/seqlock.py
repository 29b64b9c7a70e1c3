"""Slots of a mapped file that one process writes and others read, without a lock that they share.

Each slot begins with a word of 8 bytes that is odd while the slot is written: a reader that finds it odd, or another
one after its copy than before, passes the slot over. A writer that is killed in the middle costs that slot's content.
"""

from __future__ import annotations

import os
import platform
import threading

from core.kernel.errors import UnavailableError

PAGE_BYTES = 4096
SLOT_HEADER_BYTES = 64

_STORES_ARE_ORDERED = platform.machine().lower() in {"x86_64", "amd64", "i386", "i686", "x86"}
_fence_lock = threading.Lock()


def begin_write(words: memoryview[int], slot: int) -> None:
    """Tell readers that a slot is written from now on; `slot` is the place of its first word."""
    # A writer killed here left the counter odd: it must still change, and stay odd.
    lock = words[slot]
    words[slot] = lock + 2 if lock % 2 else lock + 1
    fence()


def end_write(words: memoryview[int], slot: int) -> None:
    """Tell readers that a slot is whole again."""
    fence()
    words[slot] += 1


def fence() -> None:
    """Keep the processor from moving reads and writes across this line.

    x86 keeps stores in order and loads in order by itself. Elsewhere (ARM) an uncontended lock taken twice does it:
    nothing before the first release passes the second acquire.
    """
    if _STORES_ARE_ORDERED:
        return
    with _fence_lock:
        pass
    with _fence_lock:
        pass


def on_page(n_bytes: int) -> int:
    """Return the next full number of pages [bytes]."""
    return (n_bytes + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES


def reserve_pages(descriptor: int, at: int, n_bytes: int, *, what: str, way_out: str) -> None:
    """Have the memory file system set aside pages: a write into a full one would kill the process.

    Args:
        descriptor: Of the file.
        at: First byte.
        n_bytes: How many.
        what: For the operator: "the pictures of camera x".
        way_out: For the operator, beside more memory: "show fewer tiles".

    Raises:
        UnavailableError: The file system is full.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, at, n_bytes)
    except OSError as error:
        raise UnavailableError(
            f"No memory is left for {what}: {error.strerror}.",
            hint=f"Make /dev/shm larger (containers: --shm-size), or {way_out}.",
        ) from error
