"""What every bench of a whole room needs: a process of its own with the window's loop, an account, and who talks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import qasync
from PySide6.QtWidgets import QApplication

from app.bootstrap import Console, ConsoleOptions, choose_platform, make_application
from app.connection import ConnectionState
from app.report import ErrorDoor
from core.access.service import AccessService
from core.field.broker import BrokerAddress
from core.kernel.bench import usual_environment, wait_until
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock
from core.kernel.errors import BadInputError
from core.kernel.paths import default_folders
from core.kernel.settings import load_settings
from core.store.engine import Store, open_store, sqlite_url

NAME, PASSWORD = "bench", "a bench and a room"

Room = Callable[[QApplication, Path, Path], Awaitable[None]]
"""Given a folder, and the file to write the report into."""


def measure_apart(module: str, *, limit_s: float, failed: str) -> dict[str, Any]:
    """Run a module that ends in `run_room`, and return its report.

    Raises:
        BadInputError: It did not end; `failed` says so.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-m", module, folder, str(report)],
                cwd=Path(__file__).resolve().parents[1],
                env=usual_environment(),
                check=False,
                timeout=limit_s,
            )
        try:
            data: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError(failed, hint="Is there a display?") from error
    return data


def run_room(room: Room, folder: Path, report: Path) -> None:
    """Run a room in a window's loop until it is over."""
    choose_platform()
    settings, _ = load_settings()
    app = make_application(ConsoleOptions(settings=settings, faults=(), folders=default_folders(folder / "data")))
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(room(app, folder, report))


async def make_store(data: Path) -> Store:
    """Return the database of a new data folder, with one account; the caller closes it."""
    data.mkdir(parents=True, exist_ok=True)
    clock = SystemClock()
    store = open_store(sqlite_url(default_folders(data).database), backups=data / "backups", clock=clock)
    access = AccessService(store, Bus(), clock)
    await access.create_first_administrator(NAME, PASSWORD, "bench")
    access.close()
    return store


@contextlib.contextmanager
def node_of_bench(
    data: Path, *settings: str, secrets: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node with settings `KEY=VALUE` until it is left."""
    node = subprocess.Popen(
        [
            *(sys.executable, "main.py", "node", "--data", str(data)),
            *(part for setting in settings for part in ("--set", setting)),
        ],
        env={**os.environ, **(secrets or {})},
    )
    try:
        yield node
    finally:
        node.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.wait(20.0)


async def measure_in_room(
    app: QApplication, data: Path, measure: Callable[[Console], Awaitable[dict[str, Any]]], *, size: tuple[int, int]
) -> dict[str, Any]:
    """Open a console at the node of a folder, sign in, and return what was measured, with errors and the node's lag."""
    settings, _ = load_settings(arguments={"console": {"desk": "bench", "sound": False}})
    errors = ErrorDoor()
    errors.open(asyncio.get_event_loop())
    await wait_until(lambda: (data / "node.json").exists(), "the node")
    options = ConsoleOptions(settings=settings, faults=(), folders=default_folders(data), size=size)
    console = Console(app, options, errors, time.perf_counter())
    ending = asyncio.get_event_loop().create_task(console.run())
    try:
        await wait_until(lambda: console.connection.state is ConnectionState.SIGNED_OUT, "the door")
        await console.connection.sign_in(NAME, PASSWORD)
        await wait_until(lambda: console.is_open and console.is_furnished, "the room")
        result = await measure(console)
        health = await console.connection.call("room.health", dict)
        result["n_errors"] = errors.n_errors + health["n_errors"]
        result["node_lag_p99_ms"] = health["loop_lag_p99_ms"]
        return result
    finally:
        console.window.end()
        await ending


def start_field(drive: Callable[..., None], address: BrokerAddress) -> tuple[BaseProcess, Connection]:
    """Start who talks, given a pipe and the way to the broker."""
    pipe, theirs = multiprocessing.Pipe()
    field = multiprocessing.Process(
        target=drive, args=(theirs, address.host, address.port, address.passwords["field"]), daemon=True
    )
    field.start()
    theirs.close()
    return field, pipe


def field_client(client_id: str, host: str, port: int, password: str) -> Any:
    """Return a connected client with its own thread."""
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set("field", password)
    client.max_inflight_messages_set(2000)
    client.connect(host, port)
    client.loop_start()
    return client
