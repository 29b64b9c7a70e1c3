"""Logging: one rotating file a process, one line to the terminal, and every crash on disk."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
import threading
from pathlib import Path
from types import TracebackType

_FORMAT = "%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s"
_crash_file = None

LINES_BETWEEN_LOOKS = 64
"""Lines that are written before the size of the file is looked at again."""


def start_logging(folder: Path | None, name: str, *, level: int = logging.INFO) -> None:
    """Log to `folder/name.log` (5 x 5 MB) and, where there is one, to the terminal.

    A full disk or a read-only folder leaves the terminal only: logging never stops the program.
    """
    root = logging.getLogger()
    root.setLevel(level)
    for handler in tuple(root.handlers):
        root.removeHandler(handler)
    formatter = _Lines(_FORMAT)
    if sys.stderr is not None:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(formatter)
        terminal.setLevel(max(level, logging.WARNING))
        root.addHandler(terminal)
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = _LogFile(folder / f"{name}.log", maxBytes=5_000_000, backupCount=4, encoding="utf-8", delay=True)
            file.setFormatter(formatter)
            root.addHandler(file)
            _catch_crashes(folder / f"{name}.crash.log")
        except OSError as error:
            root.warning("no log file in %s: %s", folder, error)
    logging.raiseExceptions = False
    for noisy in ("amqtt", "transitions", "asyncio", "alembic.runtime.migration", "qasync"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


class _Lines(logging.Formatter):
    """Writes the line of a record once for all that log it: in a burst each alarm is one, and the loop writes it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._last: tuple[logging.LogRecord, str] | None = None

    def format(self, record: logging.LogRecord) -> str:
        last = self._last
        if last is None or last[0] is not record:
            self._last = last = (record, super().format(record))
        return last[1]


class _LogFile(logging.handlers.RotatingFileHandler):
    """Looks at its size now and then: by the line that would take longer than writing it."""

    _n_until_look = 0

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        self._n_until_look -= 1
        if self._n_until_look > 0:
            return False
        self._n_until_look = LINES_BETWEEN_LOOKS
        return bool(super().shouldRollover(record))


def _catch_crashes(path: Path) -> None:
    global _crash_file
    _crash_file = path.open("a", encoding="utf-8")
    faulthandler.enable(_crash_file)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("uncaught").critical("the program ends", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None:
        return
    name = args.thread.name if args.thread else "?"
    trace = (args.exc_type, args.exc_value, args.exc_traceback)
    logging.getLogger("uncaught").error("thread %s ended", name, exc_info=trace)


class OncePerLoss:
    """Logs a fault when it begins and when it ends, and not in between."""

    def __init__(self, logger: logging.Logger) -> None:
        """Log through `logger`."""
        self._log = logger
        self._open: dict[str, str] = {}

    def lost(self, key: str, sentence: str) -> bool:
        """Log `sentence` unless this fault is known already; returns whether it was new."""
        if self._open.get(key) == sentence:
            return False
        self._open[key] = sentence
        self._log.warning("%s", sentence)
        return True

    def back(self, key: str, sentence: str) -> bool:
        """Log the return, once; returns whether there was a fault."""
        if self._open.pop(key, None) is None:
            return False
        self._log.info("%s", sentence)
        return True
