"""The one door for unexpected errors: logged whole, told in one sentence, and the program goes on."""

from __future__ import annotations

import asyncio
import logging
import math
import platform
import sys
import time
import traceback
from collections import Counter
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, QtMsgType, Signal, qInstallMessageHandler

log = logging.getLogger("report")

REPEAT_S = 60.0
"""The same fault is logged and shown at most this often: one in a paint event comes sixty times a second."""

MAX_TOLD = 500
"""Beyond so many different ones all are told anew."""


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
        self._told = _Told()

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over `sys.excepthook`, the loop's handler and Qt's messages."""
        sys.excepthook = self.take
        loop.set_exception_handler(self._on_loop_error)
        qInstallMessageHandler(_log_qt_message)

    def take(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Count one exception, and log and show it unless the same was within the last minute."""
        if issubclass(kind, KeyboardInterrupt):
            return
        self.n_errors += 1
        text = "".join(traceback.format_exception(kind, error, trace))
        self.newest_report = f"Watchfloor on {platform.platform()}, Python {platform.python_version()}\n{text}"
        # Not what it says: that may have a number in it.
        n_untold = self._told.n_untold("".join(traceback.format_tb(trace)) + kind.__name__)
        if n_untold is not None:
            log.error("something broke%s:\n%s", _times_more(n_untold), text)
            self.broke.emit(self.newest_report)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None:
            log.warning("event loop: %s", context.get("message"))
            return
        self.take(type(error), error, error.__traceback__)


class _Told:
    """What was told within the last minute, and how often it came since."""

    def __init__(self) -> None:
        self._told_s: dict[str, float] = {}
        self._n_untold: Counter[str] = Counter()

    def n_untold(self, what: str) -> int | None:
        """Return how often it came untold since it was told last; None where it is not to be told yet."""
        now_s = time.monotonic()
        if now_s - self._told_s.get(what, -math.inf) < REPEAT_S:
            self._n_untold[what] += 1
            return None
        if len(self._told_s) >= MAX_TOLD:
            self._told_s.clear()
            self._n_untold.clear()
        self._told_s[what] = now_s
        return self._n_untold.pop(what, 0)


_qt_told = _Told()


def _times_more(n_untold: int) -> str:
    return f", and {n_untold} times more since it was told" if n_untold else ""


def _log_qt_message(kind: QtMsgType, _context: object, message: str) -> None:
    levels = {QtMsgType.QtDebugMsg: logging.DEBUG, QtMsgType.QtInfoMsg: logging.INFO}
    n_untold = _qt_told.n_untold(message)
    if n_untold is not None:
        log.log(levels.get(kind, logging.WARNING), "Qt: %s%s", message, _times_more(n_untold))
