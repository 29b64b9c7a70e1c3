"""The broker that comes along: for one machine, on the loopback, when the settings name no other.

A real Mosquitto where one is installed, else a pure-Python one (amqtt: MQTT 3.1.1 only, some 2,000 messages a second).
Either runs under a guardian process that ends when the pipe to the node closes, so that a node that is killed leaves no
broker behind. This module stays light: the guardian imports it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from core.kernel.errors import UnavailableError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
READY_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 3.0
WATCH_EVERY_S = 0.25
LONGEST_PAUSE_S = 10.0
MAX_LOG_BYTES = 1_000_000
_PLACES = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/opt/local/sbin"


class BrokerProgram(StrEnum):
    """Which program carries the messages."""

    MOSQUITTO = "mosquitto"
    PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the embedded broker listens, and who may come in.

    Attributes:
        passwords: By user name; new at each run, never written outside the runtime folder.
        protocol: As `BrokerSettings.protocol`.
    """

    host: str
    port: int
    program: BrokerProgram
    passwords: Mapping[str, str] = field(repr=False)
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What the guardian needs to know."""

    program: BrokerProgram
    executable: str
    folder: str
    port: int
    passwords: dict[str, str] = field(repr=False)


def find_mosquitto() -> str | None:
    """Return the path of an installed Mosquitto; servers keep it where ordinary users' PATH does not look."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=_PLACES)
    if found is None and sys.platform == "win32":
        found = shutil.which("mosquitto", path=r"C:\Program Files\mosquitto")
    return found


class EmbeddedBroker:
    """Starts the broker, starts it again when it dies, and ends it.

    Threads: the owner's loop only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: tuple[str, ...] = ("core", "field"),
        port: int = 0,
        program: BrokerProgram | None = None,
    ) -> None:
        """Prepare in `folder` (only the owner may read it); `port` 0 picks a free one.

        Raises:
            UnavailableError: `program` asks for a Mosquitto and none is installed.
        """
        executable = find_mosquitto()
        if program is BrokerProgram.MOSQUITTO and executable is None:
            raise UnavailableError("No Mosquitto is installed.", hint="Install the package mosquitto.")
        self.program = program or (BrokerProgram.MOSQUITTO if executable else BrokerProgram.PYTHON)
        self.n_restarts = 0
        self.reason = ""
        """Why it does not run just now; empty while it does."""

        self._folder = folder
        self._executable = executable or ""
        self._passwords = {user: secrets.token_urlsafe(24) for user in users}
        self._port = port
        self._is_port_fixed = port != 0
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def notice(self) -> str:
        """What a person should know about it, for the health panel."""
        if self.program is BrokerProgram.MOSQUITTO:
            return "Mosquitto of this machine, on the loopback only."
        return (
            "The built-in Python broker, on the loopback only, because no Mosquitto is installed or configured: "
            "good for a demonstration and a few devices."
        )

    @property
    def is_running(self) -> bool:
        """The guardian is alive."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """Process id of the guardian."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> BrokerAddress:
        """Start it and return once it accepts connections.

        Raises:
            UnavailableError: It did not start; the sentence says why.
        """
        await asyncio.to_thread(self._launch)
        self._watcher = asyncio.create_task(self._watch(), name="broker-watch")
        return BrokerAddress(
            host=LOOPBACK,
            port=self._port,
            program=self.program,
            passwords=dict(self._passwords),
            protocol="5" if self.program is BrokerProgram.MOSQUITTO else "3.1.1",
        )

    async def stop(self) -> None:
        """End it, within some seconds whatever it does."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        await asyncio.to_thread(self._end)

    async def _watch(self) -> None:
        pause_s = 0.0
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            if self.is_running:
                pause_s = 0.0
                continue
            self.reason = "The embedded broker ended and is started again."
            log.warning("the embedded broker ended and is started again")
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, max(0.5, pause_s * 2))
            try:
                await asyncio.to_thread(self._launch)
            except UnavailableError as error:
                self.reason = str(error)
                continue
            self.n_restarts += 1

    def _launch(self) -> None:
        self._end()
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.name == "posix":
            self._folder.chmod(0o700)
        is_first = self._port == 0
        for attempt in range(3):
            if is_first or (attempt > 0 and not self._is_port_fixed and self.n_restarts == 0):
                self._port = _free_port()
            error = self._try_launch()
            if not error:
                self.reason = ""
                return
        raise UnavailableError(f"The embedded broker does not start: {error}.", hint=f"See {self._folder}.")

    def _try_launch(self) -> str:
        """Return why it did not start; empty where it did."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        job = _Job(
            program=self.program,
            executable=self._executable,
            folder=str(self._folder),
            port=self._port,
            passwords=self._passwords,
        )
        process = context.Process(target=guard, args=(job, theirs), name="watchfloor-broker", daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        try:
            answer = str(ours.recv()) if ours.poll(READY_TIMEOUT_S) else "it did not become ready in time"
        except (EOFError, OSError):
            answer = "its process ended at once"
        if answer:
            self._end()
        return answer

    def _end(self) -> None:
        process, pipe = self._process, self._pipe
        self._process, self._pipe = None, None
        if pipe is not None:
            pipe.close()
        if process is None:
            return
        process.join(STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join(STOP_TIMEOUT_S)
        process.close()


def guard(job: _Job, pipe: Connection) -> None:
    """Run a broker until the pipe closes; the spawn target of `EmbeddedBroker`.

    Sends one text: empty once the broker accepts connections, else why it does not.
    """
    # Ctrl-C reaches the whole group; the node ends us in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if job.program is BrokerProgram.MOSQUITTO:
        _guard_mosquitto(job, pipe)
        return
    # amqtt is heavy: only the process that serves it pays for it.
    from core.field.broker_python import serve

    serve(Path(job.folder), job.port, job.passwords, pipe)


def _guard_mosquitto(job: _Job, pipe: Connection) -> None:
    folder = Path(job.folder)
    config = folder / "mosquitto.conf"
    _write_private(folder / "passwords", "".join(f"{u}:{hash_password(p)}\n" for u, p in job.passwords.items()))
    _write_private(config, mosquitto_config(folder, job.port))
    log_file = folder / "mosquitto.log"
    if log_file.exists() and log_file.stat().st_size > MAX_LOG_BYTES:
        log_file.unlink()
    pid_file = folder / "mosquitto.pid"
    _end_left_over(pid_file, config)
    with log_file.open("ab") as log_to:
        broker = subprocess.Popen(
            [job.executable, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log_to, stderr=log_to
        )
    pid_file.write_text(str(broker.pid), encoding="ascii")
    try:
        until = time.monotonic() + READY_TIMEOUT_S / 2
        while broker.poll() is None and not _accepts(job.port) and time.monotonic() < until:
            time.sleep(0.02)
        if broker.poll() is not None:
            pipe.send(f"mosquitto ended at once ({_last_line(log_file)})")
            return
        pipe.send("")
        while broker.poll() is None and not _is_closed(pipe):
            pass
    finally:
        if broker.poll() is None:
            broker.terminate()
            try:
                broker.wait(2.0)
            except subprocess.TimeoutExpired:
                broker.kill()
                broker.wait()
        pid_file.unlink(missing_ok=True)


def _end_left_over(pid_file: Path, config: Path) -> None:
    """A guardian that was killed leaves its broker behind, which still holds the port."""
    try:
        left = psutil.Process(int(pid_file.read_text(encoding="ascii")))
        if str(config) in left.cmdline():
            left.kill()
            left.wait(STOP_TIMEOUT_S)
    except (OSError, ValueError, psutil.Error):
        return


def mosquitto_config(folder: Path, port: int) -> str:
    """Return the configuration of the embedded Mosquitto."""
    lines = [
        f"listener {port} {LOOPBACK}",
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        "persistence true",
        f"persistence_location {folder}{os.sep}",
        "autosave_interval 30",
        # The stock limit of 1000 drops quietly while a console is away.
        "max_queued_messages 100000",
        "max_inflight_messages 100",
        "max_packet_size 1048576",
        "set_tcp_nodelay true",
        "persistent_client_expiration 7d",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # As root it would become the user "mosquitto", who can neither read the passwords nor save anything here.
        lines.insert(0, "user root")
    return "\n".join(lines) + "\n"


def hash_password(password: str) -> str:
    """Hash a password as Mosquitto's password file wants it: PBKDF2-HMAC-SHA512, `$7$rounds$salt$hash`."""
    salt = os.urandom(12)
    rounds = 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 64)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _is_closed(pipe: Connection) -> bool:
    """Wait a moment; True once the node has closed its end."""
    try:
        if pipe.poll(0.2):
            pipe.recv()
    except (EOFError, OSError):
        return True
    return False


def _last_line(file: Path) -> str:
    lines = file.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it wrote nothing"
