"""The console from the first line to the last: opened top to bottom, closed in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import qasync
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

import resources
from app.connection import ConnectionState, NodeConnection
from app.door import Door
from app.frame import Frame
from app.lag import UiLag
from app.live import LiveModel
from app.main_window import MainWindow
from app.modules import import_in_turns
from app.panel import PanelInfo, Perspective, discover_panels, panel_modules
from app.report import ErrorDoor
from app.room import Room
from core.kernel.errors import ConsoleError
from core.kernel.log import start_logging
from core.kernel.paths import Folders
from core.kernel.settings import Settings, SettingsFault
from core.kernel.wire import to_json
from core.node.live import Snapshot
from widgets.base.icons import read_drawings
from widgets.base.theme import THEMES, take_look, wear_sheet

log = logging.getLogger(__name__)

HEAVY_MODULES = ("torch", "ultralytics", "vtkmodules", "pyvista", "cv2")
"""None of them may be loaded when the window appears."""

PAINT_S = 2.0
FILL_S = 0.3
"""Panels that show thousands of things fill in turns of their own."""

BETWEEN_PANELS_S = 0.05
"""The window answers between two panels that are made while it is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """What one start of the console was asked for.

    Attributes:
        node: "host:port" of an external node; empty starts or joins this data folder's own.
        node_arguments: Handed on to a node that the console starts.
        for_s: End by itself after so many seconds, with one line of JSON.
        screenshot: Picture of the window, taken just before the end.
        size: Of the window [px]; None fills the screen.
        start_report: Where to write how long the first painted window took, for the bench.
    """

    settings: Settings
    faults: tuple[SettingsFault, ...]
    folders: Folders
    node: str = ""
    node_arguments: tuple[str, ...] = ()
    for_s: float | None = None
    screenshot: Path | None = None
    size: tuple[int, int] | None = None
    start_report: Path | None = None


def open_console(options: ConsoleOptions) -> int:
    """Open the window and stay until it is closed; returns the exit code."""
    began_s = time.perf_counter()
    choose_platform()
    app = make_application(options)
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    errors = ErrorDoor()
    errors.open(loop)
    with loop:
        return int(loop.run_until_complete(Console(app, options, errors, began_s).run()))


def choose_platform() -> None:
    """Pick Qt's platform plug-in before Qt looks for one."""
    # opencv-python points this at its own Qt 5 plug-ins as soon as it is imported.
    os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
    if sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
        # Wayland windows cannot be placed on a chosen screen.
        os.environ.setdefault("QT_QPA_PLATFORM", "xcb")


def make_application(options: ConsoleOptions) -> QApplication:
    """Return the application with its look; the style sheet is worn by its windows."""
    found = QApplication.instance()
    app = found if isinstance(found, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Watchfloor")
    app.setQuitOnLastWindowClosed(False)
    with contextlib.suppress(OSError):
        options.folders.make()
    start_logging(options.folders.logs, "console")
    with contextlib.suppress(FileNotFoundError):
        app.setWindowIcon(QIcon(str(resources.path("icons/watchfloor-256.png"))))
    console = options.settings.console
    scale = console.scale_percent / 100.0
    take_look(app, THEMES[console.theme], scale=scale, is_reduced_motion=console.reduced_motion)
    return app


class Console(QObject):
    """One console: window, link and panels, and what ends them."""

    def __init__(self, app: QApplication, options: ConsoleOptions, errors: ErrorDoor, began_s: float) -> None:
        super().__init__()
        self._app = app
        self._options = options
        self._errors = errors
        self._began_s = began_s
        self._done = asyncio.Event()
        desk = options.settings.console.desk or platform.node() or "desk"
        self.connection = NodeConnection(
            options.folders,
            node=options.node,
            node_arguments=options.node_arguments,
            desk=desk,
            ca_file=options.settings.link.ca_file,
        )
        self.live = LiveModel(self)
        self.room = Room(self.connection, self.live, options.settings.console, options.settings.keys)
        self.lag = UiLag(self)
        self.room.lag = self.lag
        self.door = Door(self.room)
        self.window = MainWindow(self.door, options.folders.data / "console-layout.json")
        wear_sheet(self.window)
        self.frame: Frame | None = None
        self._summary: dict[str, object] | None = None
        self._is_opening = False
        self.is_open = False
        """What stands in front is there."""

        self.is_furnished = False
        """So is what stands behind it."""

        self._is_painted = asyncio.Event()
        self._finding: asyncio.Task[tuple[PanelInfo, ...]] | None = None

    async def run(self) -> int:
        """Show the window at once, then connect; ends when the window is closed."""
        self._connect()
        self._show_window()
        self.lag.start()
        self.connection.start()
        self._finding = asyncio.get_event_loop().create_task(self._find_panels())
        if self._options.for_s is not None:
            self.lag.begin_window()
            QTimer.singleShot(int(self._options.for_s * 1000), self._on_time_is_up)
        await self._done.wait()
        return await self._close()

    def _connect(self) -> None:
        self.connection.state_changed.connect(self._on_state)
        self.connection.pushed.connect(self.live.apply)
        self.connection.snapshot_received.connect(self._on_snapshot)
        self.window.closing.connect(self._done.set)
        self.window.first_painted.connect(self._on_first_painted)
        self._errors.broke.connect(self._on_broke)
        self._app.commitDataRequest.connect(self._on_session_ends)

    def _show_window(self) -> None:
        screen = QGuiApplication.primaryScreen().availableGeometry()
        if self._options.size is not None:
            self.window.resize(*self._options.size)
            self.window.move(screen.topLeft())
        else:
            self.window.setGeometry(screen)
        self.window.show()

    def _on_first_painted(self) -> None:
        self._is_painted.set()
        took_s = time.time() - psutil.Process().create_time()
        log.info("the window is shown %.2f s after the start", took_s)
        if self._options.start_report is not None:
            heavy = [name for name in HEAVY_MODULES if name in sys.modules]
            report = {"window_s": took_s, "heavy_modules": heavy}
            self._options.start_report.write_text(json.dumps(report), encoding="utf-8")

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        self.live.hold()
        self.live.load(snapshot)
        if self._is_opening:
            return  # It tells everything at its end.
        if self.window.has_panels:
            self.live.tell_all_in_turn()
        else:
            self._is_opening = True
            self.room.run(self._open_room())

    async def _find_panels(self) -> tuple[PanelInfo, ...]:
        """Import the panels once the window is shown, and while the node starts; the window answers meanwhile."""
        # A window that starts behind another one may not be painted for long.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_painted.wait(), PAINT_S)
        # The collector would take up windows in a thread that is not theirs.
        gc.disable()
        try:
            await import_in_turns(panel_modules())
            for _ in read_drawings():
                await asyncio.sleep(0)
        finally:
            gc.enable()
        # What was imported stays, and of what is left over there is little.
        gc.freeze()
        return discover_panels()

    async def _open_room(self) -> None:
        """Build the room the first time somebody enters it: what is in front first, the rest while it is used."""
        console = self._options.settings.console
        assert self._finding is not None
        try:
            panels = await self._finding
            self.frame = Frame(self.room, self.window, panels, theme=console.theme, scale=console.scale_percent / 100.0)
            await asyncio.sleep(0)
            for _ in self.window.divide_in_turns(panels, self.room):
                await asyncio.sleep(0)
            self._enter()
            if not self.window.restore_layout():
                self.window.show_perspective(Perspective.OVERVIEW)
                self.window.share_space()
                QTimer.singleShot(0, self.window.share_space)
            self.window.show_role(self.room.role)
            self.room.role_changed.connect(self.window.show_role)
            await asyncio.sleep(0)
            for key in self.window.fronts():
                await self._make(key, is_whole=False)
        finally:
            # Whatever went wrong: what stands must hear of alarms, now and after a lost line.
            self._is_opening = False
            self.window.is_furnished_on_sight = True
            self.live.tell_all_in_turn()
        self._begin_at_the_wall()
        self.is_open = True
        # What is in front is filled first: making what stands behind it takes the window for as long.
        while self.live.is_telling:
            await asyncio.sleep(0)
        await asyncio.sleep(FILL_S)
        for panel in panels:
            await self._make(panel.key, pause_s=BETWEEN_PANELS_S)
        _keep()
        self.is_furnished = True

    async def _make(self, key: str, *, is_whole: bool = True, pause_s: float = 0.0) -> None:
        """Make a panel in turns; where it cannot be made, that is told, and it holds up no other."""

        async def make() -> None:
            for _ in self.window.furnish((key,), is_whole=is_whole):
                _keep()
                await asyncio.sleep(pause_s)

        await asyncio.wait((self.room.run(make()),))

    def _enter(self) -> None:
        """Show the room to who is signed in: the session may have ended while it was opened, and begun again."""
        if self.connection.session is not None:
            self.window.show_room()

    def _begin_at_the_wall(self) -> None:
        """Let the first key that is pressed go to the pictures, where the saved layout shows them.

        Who took the keys to another panel while the rest was made stays there.
        """
        if not self.window.panel_with_keys and "wall" in self.window.fronts() and self.window.is_made("wall"):
            self.window.go_to_panel("wall")

    def _on_state(self, state: str, sentence: str) -> None:
        if state == ConnectionState.SIGNED_IN and self.window.is_divided:
            self._enter()
        elif state in (ConnectionState.SIGNED_OUT, ConnectionState.FIRST_RUN):
            self.window.show_door()
        elif state == ConnectionState.GONE:
            # The room stays open: what was known stays visible, marked as old.
            self.room.node_lost.emit(sentence)
        if state == ConnectionState.SIGNED_IN:
            self.room.node_back.emit()

    def _on_session_ends(self, _manager: object) -> None:
        """The system asks what is not saved: drafts are kept, and nothing holds it up."""
        self.room.session_ends.emit()
        self.window.expect_close()

    def _on_broke(self, _report: str) -> None:
        self.room.toast("Something broke. The program goes on.", "The log has the details; Help copies the report.")

    def _on_time_is_up(self) -> None:
        asyncio.get_event_loop().create_task(self._finish())

    async def _finish(self) -> None:
        health = None
        with contextlib.suppress(ConsoleError):
            health = await self.connection.call("room.health", dict)
        if self._options.screenshot is not None:
            take_picture(self.window, self._options.screenshot)
        self._summary = self._sum_up(health or {})
        self.window.end()

    def _sum_up(self, health: dict[str, object]) -> dict[str, object]:
        return {
            "frames": health.get("n_frames", 0),
            "detections": health.get("n_detections", 0),
            "observations": health.get("n_observations", 0),
            "incidents": health.get("n_incidents", 0),
            "alarms": health.get("n_alarms", 0),
            "messages": health.get("n_messages", 0),
            "lag_p99_ms": round(self.lag.overall_p99_ms, 1),
            "worker_restarts": health.get("n_worker_restarts", 0),
            "errors": int(str(health.get("n_errors", 0))) + self._errors.n_errors,
        }

    async def _close(self) -> int:
        self.lag.stop()
        if self._finding is not None:
            self._finding.cancel()
        # The panels go with the window: nothing may reach them any more.
        self.live.close()
        self.room.closing.emit()
        self.room.cancel_all()
        if self.room.frames is not None:
            self.room.frames.close()
        await self.connection.close()
        if self._summary is None:
            return 0
        sys.stdout.write(to_json(self._summary) + "\n")
        sys.stdout.flush()
        return 0 if self._summary["frames"] else 1


def _keep() -> None:
    """Look once for what is left over of what was just made; the rest stays, and is not looked at again.

    Of a whole room that takes the collector half a second, at a moment that nobody chose.
    """
    gc.collect()
    gc.freeze()


def take_picture(window: MainWindow, path: Path) -> None:
    """Save what is on the screen where the window is: grabbing the widget would leave OpenGL views blank."""
    screen = window.screen() or QGuiApplication.primaryScreen()
    picture = screen.grabWindow(0, window.x(), window.y(), window.width(), window.height())
    path.parent.mkdir(parents=True, exist_ok=True)
    if not picture.save(str(path)):
        log.warning("the screenshot %s could not be written", path)
