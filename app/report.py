"""The one door for unexpected errors: logged whole, told in one sentence, and the program goes on."""

from __future__ import annotations

import asyncio
import logging
import platform
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, QtMsgType, Signal, qInstallMessageHandler

log = logging.getLogger("report")

REPEAT_S = 60.0
"""The same fault is shown at most this often: a fault in a paint event comes sixty times a second."""


class ErrorDoor(QObject):
    """Takes every exception that reached an event loop, a slot or Qt itself.

    Signals:
        broke(str): A report to copy, for something that was not shown within the last minute.
    """

    broke = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.n_errors = 0
        self.newest_report = ""
        self._shown_s: dict[str, float] = {}

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over `sys.excepthook`, the loop's handler and Qt's messages."""
        sys.excepthook = self.take
        loop.set_exception_handler(self._on_loop_error)
        qInstallMessageHandler(_log_qt_message)

    def take(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log, count and show one exception."""
        if issubclass(kind, KeyboardInterrupt):
            return
        self.n_errors += 1
        text = "".join(traceback.format_exception(kind, error, trace))
        log.error("something broke:\n%s", text)
        self.newest_report = f"Watchfloor on {platform.platform()}, Python {platform.python_version()}\n{text}"
        place = text.strip().splitlines()[-3:]
        now_s = time.monotonic()
        if now_s - self._shown_s.get(str(place), -REPEAT_S) >= REPEAT_S:
            self._shown_s[str(place)] = now_s
            self.broke.emit(self.newest_report)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None:
            log.warning("event loop: %s", context.get("message"))
            return
        self.take(type(error), error, error.__traceback__)


def _log_qt_message(kind: QtMsgType, _context: object, message: str) -> None:
    levels = {QtMsgType.QtDebugMsg: logging.DEBUG, QtMsgType.QtInfoMsg: logging.INFO}
    log.log(levels.get(kind, logging.WARNING), "Qt: %s", message)
