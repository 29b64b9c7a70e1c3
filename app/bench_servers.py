"""Servers of a bench's own, on free loopback ports, ended with it: Mosquitto and PostgreSQL."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.field.broker import find_mosquitto
from core.kernel.errors import UnavailableError

READY_TIMEOUT_S = 20.0
POSTGRES_ACCOUNT = "postgres"
"""Runs the server where the bench runs as root: PostgreSQL refuses to be root."""

_POSTGRES_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def free_port() -> int:
    """Return a loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BenchBroker:
    """A Mosquitto that keeps its port over kills; it writes nothing down, so that a kill takes all it held."""

    def __init__(self, folder: Path) -> None:
        """Prepare in `folder`.

        Raises:
            UnavailableError: No Mosquitto is installed.
        """
        executable = find_mosquitto()
        if executable is None:
            raise UnavailableError("No Mosquitto is installed.", hint="Install the package mosquitto.")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n"
            "max_queued_messages 100000\nmax_inflight_messages 1000\nlog_type error\n",
            encoding="utf-8",
        )
        self._executable = executable
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return once it listens."""
        self._process = subprocess.Popen(
            [self._executable, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_for_port(self.port)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class BenchPostgres:
    """A PostgreSQL cluster with its defaults: a commit is on the disk."""

    def __init__(self) -> None:
        """Make the cluster.

        Raises:
            UnavailableError: No PostgreSQL server is installed, or it refuses.
        """
        self._programs = _find_postgres()
        self._folder = Path(tempfile.mkdtemp(prefix="watchfloor-bench-"))
        self._data = self._folder / "data"
        self._password = secrets.token_urlsafe(12)
        self.port = free_port()
        secret = self._folder / "password"
        secret.write_text(self._password, encoding="utf-8")
        self._folder.chmod(0o700)
        if _is_root():
            shutil.chown(self._folder, POSTGRES_ACCOUNT)
            shutil.chown(secret, POSTGRES_ACCOUNT)
        self._run("initdb", "-D", str(self._data), "-U", "bench", "--pwfile", str(secret), "--auth", "scram-sha-256")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as config:
            config.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self._folder}'\n"
            )
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", str(self._folder / "log"))

    @property
    def url(self) -> str:
        """Of its first database, which is empty."""
        return f"postgresql+psycopg://bench:{self._password}@127.0.0.1:{self.port}/postgres"

    def remove(self) -> None:
        """End it and take the cluster away."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self._data))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if _is_root():
            command = [
                "setpriv",
                f"--reuid={POSTGRES_ACCOUNT}",
                f"--regid={POSTGRES_ACCOUNT}",
                "--init-groups",
                *command,
            ]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            check=False,
        )
        if done.returncode != 0:
            raise UnavailableError(f"PostgreSQL's {program} failed ({done.returncode}).")


def _find_postgres() -> Path:
    found = [place for pattern in _POSTGRES_PLACES for place in Path("/").glob(pattern.lstrip("/"))]
    if not found:
        raise UnavailableError("No PostgreSQL server is installed.", hint="Install the package postgresql.")
    return max(found, key=str)


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _wait_for_port(port: int) -> None:
    give_up_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < give_up_s:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise UnavailableError(f"Nothing listens at the port {port}.")
