"""A socket that is read and written in large pieces: paho asks for a packet in four parts and sends each by itself."""

from __future__ import annotations

import contextlib
import socket
import ssl

READ_BYTES = 64 * 1024
MAX_UNSENT_BYTES = 1024 * 1024


class BufferedSocket:
    """What paho needs of a socket, around a real one that does not block.

    What is sent waits for `flush`; what was read and not asked for yet is `n_pending`.

    Threads: one at a time.
    """

    def __init__(self, raw: socket.socket) -> None:
        """Take over `raw`."""
        self.raw = raw
        self._read = b""
        self._position = 0
        self._unsent = bytearray()

    @property
    def n_pending(self) -> int:
        """Bytes that are here already, so that no selector will announce them."""
        n_encrypted = self.raw.pending() if isinstance(self.raw, ssl.SSLSocket) else 0
        return len(self._read) - self._position + n_encrypted

    @property
    def has_unsent(self) -> bool:
        """Something waits for `flush`."""
        return bool(self._unsent)

    def recv(self, n_most: int) -> bytes:
        """Return up to `n_most` bytes; none at the end of the connection.

        Raises:
            BlockingIOError: Nothing is there.
        """
        if self._position >= len(self._read):
            self._read, self._position = self.raw.recv(READ_BYTES), 0
        piece = self._read[self._position : self._position + n_most]
        self._position += len(piece)
        return piece

    def send(self, data: bytes | bytearray) -> int:
        """Keep everything for `flush`.

        Raises:
            BlockingIOError: So much is kept already that the other side does not seem to read.
        """
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self.flush()
            if len(self._unsent) > MAX_UNSENT_BYTES:
                raise BlockingIOError
        self._unsent += data
        return len(data)

    def flush(self) -> None:
        """Send as much as the system takes.

        Raises:
            OSError: The connection is broken.
        """
        while self._unsent:
            try:
                n_sent = self.raw.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self._unsent[:n_sent]

    def fileno(self) -> int:
        """Return what selectors wait for."""
        return self.raw.fileno()

    def setblocking(self, flag: bool) -> None:
        """Decide whether the real socket waits."""
        self.raw.setblocking(flag)

    def close(self) -> None:
        """Send what can be sent at once, and close."""
        with contextlib.suppress(OSError):
            self.flush()
        self.raw.close()
