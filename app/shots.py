"""`dev.py shots`: the screenshots of the documentation, made from the running demo."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import qasync
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication

from app.bootstrap import Console, ConsoleOptions, choose_platform, make_application, take_picture
from app.connection import ConnectionState
from app.report import ErrorDoor
from core.kernel.paths import default_folders
from core.kernel.settings import load_settings
from widgets.video.layout import Preset
from widgets.video.wall import VideoWall

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
WAIT_S = 90.0


async def make_shots(console: Console, size: str) -> None:
    """Do what an operator does, and take pictures of it."""
    await _until(lambda: console.connection.state is ConnectionState.SIGNED_IN and bool(console.live.cameras))
    wall = console.window.panel("wall")
    assert isinstance(wall, VideoWall)
    wall.set_preset(Preset.NINE)
    # The jam, the collision and the car on the tramway have all happened by then.
    await _until(lambda: len(console.live.open_alarms()) >= 3, at_most_s=45.0)
    await asyncio.sleep(3.0)
    await _take(console, f"room-{size}")
    newest = max(console.live.open_alarms(), key=lambda alarm: (-alarm.priority, alarm.raised_at), default=None)
    if newest is not None:
        console.room.select("alarm", newest.alarm_id)
        console.room.camera_called.emit(newest.source_id, True)
        await asyncio.sleep(2.0)
        await _take(console, f"alarm-{size}")
    console.window.bring_panel("health")
    await asyncio.sleep(1.5)
    await _take(console, f"health-{size}")
    console.room.edit_requested.emit("")
    await asyncio.sleep(1.0)
    await _take(console, f"add-camera-{size}")


async def _take(console: Console, name: str) -> None:
    QCursor.setPos(0, 0)  # No tool tip in the picture.
    await asyncio.sleep(0.3)
    take_picture(console.window, FOLDER / f"{name}.png")
    sys.stdout.write(f"{name}.png\n")


async def _until(is_true: Callable[[], bool], *, at_most_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + at_most_s
    while not is_true() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


async def _run(app: QApplication, size: str, folder: Path) -> None:
    width, _, height = size.partition("x")
    options = ConsoleOptions(
        settings=load_settings(arguments={"console": {"desk": "Desk 1", "sound": False}})[0],
        faults=(),
        folders=default_folders(folder),
        node_arguments=("--demo",),
        size=(int(width), int(height)),
    )
    errors = ErrorDoor()
    errors.open(asyncio.get_event_loop())
    console = Console(app, options, errors, time.perf_counter())
    ending = asyncio.get_event_loop().create_task(console.run())
    try:
        await make_shots(console, size)
    finally:
        console.window.close()
        await ending


def main() -> int:
    """Make all shots at one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1920x1080")
    size = parser.parse_args().size
    choose_platform()
    with tempfile.TemporaryDirectory() as folder:
        app = make_application(
            ConsoleOptions(settings=load_settings()[0], faults=(), folders=default_folders(Path(folder)))
        )
        loop = qasync.QEventLoop(app)
        asyncio.set_event_loop(loop)
        with loop:
            loop.run_until_complete(_run(app, size, Path(folder)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
