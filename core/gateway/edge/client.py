"""Posts an edge camera's newest picture again and again; what the gateway answers decides when the next one goes.

One thread takes pictures, the caller's sends them. Between them lies one picture: while the network is slow or away,
new ones replace old ones, and what arrives first is always the newest. What could not be sent is kept in a spool, where
there is one, and sent afterwards as history, one between two new ones.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from core.gateway.edge.settings import EdgeSettings
from core.gateway.edge.sources import EndOfSource, PictureSource
from core.gateway.edge.spool import Spool
from core.kernel.errors import BadInputError, ConsoleError

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
JITTER = 0.25
"""So that fifty cameras do not come back in the same second."""

REOPEN_FIRST_S, REOPEN_LONGEST_S = 1.0, 30.0
TELL_EVERY_S = 60.0
MAX_ANSWER_BYTES = 1_000_000
KEPT_EVERY_S = 1.0
"""Between two pictures of the spool: the node looks at what is new meanwhile."""

KEPT_WAIT_S = 5
"""A kept picture is waited for so long until it was looked at: only then it is let go of."""

NEVER_TAKEN = frozenset({400, 413, 415, 422})
"""Answers that say that this picture will not be taken, however often it is sent."""

LASTING = frozenset({401, 403, 404, 409})
"""Answers that say the settings are wrong: asking often does not help."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture and when it was taken, by this device's clock."""

    jpeg: bytes
    captured_at: datetime
    sequence: int
    is_history: bool = False


@dataclass(slots=True)
class Figures:
    """What was done since the start.

    Attributes:
        n_replaced: Pictures that a newer one overtook before they were sent.
        n_sent_late: Of those, kept and sent afterwards.
        n_dropped: Of those, gone for want of room.
        trouble: Why nothing arrives; empty while all is well.
    """

    n_taken: int = 0
    n_sent: int = 0
    n_failed: int = 0
    n_replaced: int = 0
    n_sent_late: int = 0
    n_dropped: int = 0
    trouble: str = ""
    last_answer: str = ""


class Camera:
    """Takes a picture every so often, on a thread of its own, and keeps the newest.

    A source that fails is opened again; one that came to its end stays there.
    """

    def __init__(self, open_source: Callable[[], PictureSource], *, period_s: float, spool: Spool | None) -> None:
        """Open nothing before `start`."""
        self._open = open_source
        self._period_s = period_s
        self._spool = spool
        self._changed = threading.Condition()
        self._newest: Shot | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="camera", daemon=True)
        self.has_ended = False
        self._is_woken = False
        self.trouble = ""
        self.n_taken = 0
        self.n_replaced = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and let go of the source."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(5.0)

    def wait(self, timeout_s: float) -> Shot | None:
        """Return the newest picture and take it away; None where none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self.has_ended or self._is_woken, timeout_s)
            shot, self._newest = self._newest, None
            return shot

    def wake(self) -> None:
        """Let nobody wait for a picture any more; from any thread."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def give_back(self, shot: Shot) -> None:
        """Take back a picture that could not be sent: it is sent again unless a newer one is there."""
        with self._changed:
            if self._newest is None:
                self._newest = shot
                return
        self._drop(shot)

    def _work(self) -> None:
        n_failures = 0
        while not self._stopping.is_set() and not self.has_ended:
            began_n = self.n_taken
            try:
                self._take_on()
                return
            except ConsoleError as error:
                n_failures = 0 if self.n_taken > began_n else n_failures + 1
                self.trouble = str(error)
                log.warning("%s", error)
            self._stopping.wait(min(REOPEN_LONGEST_S, REOPEN_FIRST_S * 2.0 ** min(n_failures, 10)))

    def _take_on(self) -> None:
        source = self._open()
        try:
            due_s = time.monotonic()
            while not self._stopping.wait(max(0.0, due_s - time.monotonic())):
                jpeg = source.take()
                if jpeg is None:
                    due_s = time.monotonic() + min(0.05, self._period_s)
                    continue
                self._put(jpeg)
                due_s = max(due_s + self._period_s, time.monotonic())
        except EndOfSource as end:
            log.info("%s", end)
            with self._changed:
                self.has_ended = True
                self._changed.notify_all()
        finally:
            source.close()

    def _put(self, jpeg: bytes) -> None:
        self.n_taken += 1
        self.trouble = ""
        shot = Shot(jpeg, datetime.now(UTC), self.n_taken)
        with self._changed:
            before, self._newest = self._newest, shot
            self._changed.notify_all()
        if before is not None:
            self._drop(before)

    def _drop(self, shot: Shot) -> None:
        self.n_replaced += 1
        if self._spool is None:
            return
        try:
            self._spool.keep(shot.jpeg, shot.captured_at)
        except OSError as error:
            log.warning("a picture is not kept: %s", error.strerror or error)


class Sender:
    """Posts pictures over one connection that is kept open.

    Threads: one.
    """

    def __init__(self, settings: EdgeSettings) -> None:
        """Connect with the first picture.

        Raises:
            BadInputError: The file of trusted certificates cannot be used.
        """
        self._settings = settings
        self._connection: http.client.HTTPConnection | None = None
        parts = urlsplit(settings.to)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._base = parts.path.rstrip("/")
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
            except (OSError, ssl.SSLError) as error:
                raise BadInputError(f"{settings.ca_file} cannot be used as trusted certificate: {error}.") from error

    def post(self, shot: Shot) -> tuple[int, str, float]:
        """Post one picture.

        Returns:
            Status, what the gateway says about it, and after how many seconds it may be asked again; 0 where it does
            not say.

        Raises:
            OSError: The network or the gateway is away.
            http.client.HTTPException: What answers is no gateway.
        """
        headers = {
            "Authorization": f"Bearer {self._settings.key}",
            "Content-Type": "image/jpeg",
            "X-Captured-At": shot.captured_at.isoformat(),
            "X-Sent-At": datetime.now(UTC).isoformat(),
        }
        headers |= {"X-Historical": "true"} if shot.is_history else {"X-Sequence": str(shot.sequence)}
        is_reused = self._connection is not None
        try:
            answer, body = self._ask(shot, headers)
        except (ConnectionError, http.client.RemoteDisconnected):
            self.close()
            if not is_reused:
                raise
            # The gateway had closed a connection that was quiet for long: that is no failure.
            answer, body = self._ask(shot, headers)
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, _words(body), _seconds(answer.headers.get("Retry-After"))

    def _ask(self, shot: Shot, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connect()
        # A gateway that refuses the picture answers before all of it was sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            path = self._base + self._settings.path + (f"?wait_s={KEPT_WAIT_S}" if shot.is_history else "")
            connection.request("POST", path, body=shot.jpeg, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read(MAX_ANSWER_BYTES)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            if self._tls is None:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
            else:
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=TIMEOUT_S, context=self._tls
                )
        return self._connection


class EdgeClient:
    """Takes and posts until stopped, or until the source came to its end."""

    def __init__(self, camera: Camera, sender: Sender, *, spool: Spool | None = None) -> None:
        """Send nothing before `run`."""
        self._camera = camera
        self._sender = sender
        self._spool = spool
        self._stopping = threading.Event()
        self._n_failures = 0
        self._kept_due_s = 0.0
        self.figures = Figures()

    def stop_soon(self) -> None:
        """Let `run` end; from any thread."""
        self._stopping.set()
        self._camera.wake()

    def run(self, *, n_most: int | None = None, for_s: float | None = None) -> Figures:
        """Work; returns what was done."""
        ends_s = time.monotonic() + for_s if for_s is not None else float("inf")
        told_s = time.monotonic()
        self._camera.start()
        try:
            while not self._stopping.is_set() and time.monotonic() < ends_s:
                due_s = min(ends_s, told_s + TELL_EVERY_S, self._kept_due_s if self._has_kept else float("inf"))
                shot = self._camera.wait(max(0.0, due_s - time.monotonic()))
                if shot is not None:
                    self._send(shot, ends_s)
                elif self._camera.has_ended and not self._has_kept:
                    break
                elif self._camera.has_ended:
                    self._stopping.wait(max(0.0, min(self._kept_due_s, ends_s) - time.monotonic()))
                if self._has_kept and time.monotonic() >= self._kept_due_s:
                    self._send_kept()
                if n_most is not None and self.figures.n_sent >= n_most:
                    break
                if time.monotonic() - told_s > TELL_EVERY_S:
                    told_s = time.monotonic()
                    self._tell()
        finally:
            self._camera.stop()
            self._sender.close()
        self._tell()
        return self.figures

    def _send(self, shot: Shot, ends_s: float) -> None:
        try:
            status, words, wait_s = self._sender.post(shot)
        except (OSError, http.client.HTTPException) as error:
            self._pause(shot, f"The gateway does not answer: {error or type(error).__name__}.", 0.0, ends_s)
            return
        if status < 300:
            if self._n_failures:
                log.info("the gateway takes pictures again")
            self._n_failures = 0
            self.figures.n_sent += 1
            self.figures.trouble, self.figures.last_answer = "", words
            return
        self._pause(shot, f"Refused ({status}): {words}", LONGEST_PAUSE_S if status in LASTING else wait_s, ends_s)

    @property
    def _has_kept(self) -> bool:
        """There is something to send afterwards, and the gateway takes what is new."""
        return self._spool is not None and len(self._spool) > 0 and self._n_failures == 0 and self.figures.n_sent > 0

    def _send_kept(self) -> None:
        """Send the oldest picture of the spool, as what it is: history."""
        assert self._spool is not None
        kept = self._spool.oldest()
        if kept is None:
            return
        file, jpeg, captured_at = kept
        self._kept_due_s = time.monotonic() + KEPT_EVERY_S
        try:
            status, words, wait_s = self._sender.post(Shot(jpeg, captured_at, 0, is_history=True))
        except (OSError, http.client.HTTPException) as error:
            log.info("what is kept waits on: %s", error or type(error).__name__)
            self._kept_due_s = time.monotonic() + LONGEST_PAUSE_S
            return
        if status < 300:
            self._spool.remove(file)
            self.figures.n_sent_late += 1
        elif status in NEVER_TAKEN:
            log.warning("a kept picture of %s is not taken (%d): %s", f"{captured_at:%Y-%m-%d %H:%M:%S}", status, words)
            self._spool.remove(file)
            self.figures.n_dropped += 1
        else:
            self._kept_due_s = time.monotonic() + (LONGEST_PAUSE_S if status in LASTING else max(KEPT_EVERY_S, wait_s))

    def _pause(self, shot: Shot, sentence: str, wait_s: float, ends_s: float) -> None:
        self._n_failures += 1
        self.figures.n_failed += 1
        if sentence != self.figures.trouble:
            log.warning("%s", sentence)
        self.figures.trouble = sentence
        self._camera.give_back(shot)
        pause_s = max(wait_s, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._n_failures - 1, 10)))
        pause_s *= random.uniform(1.0, 1.0 + JITTER)
        self._stopping.wait(max(0.0, min(pause_s, ends_s - time.monotonic())))

    def _tell(self) -> None:
        figures = self.figures
        figures.n_taken, figures.n_replaced = self._camera.n_taken, self._camera.n_replaced
        kept = ""
        if self._spool is not None:
            n_dropped = figures.n_dropped + self._spool.n_dropped
            kept = f", {figures.n_sent_late} of those that were kept sent afterwards, {len(self._spool):,} kept here"
            kept += f", {n_dropped:,} older ones dropped for want of room" if n_dropped else ""
        log.info(
            "%d pictures taken, %d sent, %d tries failed%s. %s",
            figures.n_taken,
            figures.n_sent,
            figures.n_failed,
            kept,
            figures.trouble or self._camera.trouble or figures.last_answer,
        )


def _words(body: bytes) -> str:
    """Return what an answer says for people."""
    try:
        found = json.loads(body)
    except ValueError:
        return "It answers with something else than a gateway does."
    if not isinstance(found, dict):
        return ""
    return " ".join(str(found[name]) for name in ("error", "hint", "note") if found.get(name))


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() and len(text) < 6 else 0.0
