"""Modules imported in turns of the window's thread, so that it answers meanwhile.

Only the window's thread may make a class that derives from QObject. PySide looks up what it knows of such classes
without the interpreter's lock, wherever Qt casts an object (`PySide::MetaObjectBuilder::update` under
`QMetaObject::cast`): a class that another thread makes at that moment ends the program. So no module of `app` or
`widgets` is imported elsewhere, and what imports Qt for itself neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec

_OURS = ("app.", "widgets.")
_WITHOUT_QT = ("core.", "resources.")
"""Whatever these import can be imported by any thread: the layers see to it."""

_BESIDE_CHARTS = ("multiprocessing", "pydoc", "xml.etree.ElementTree", "cuda.bindings.runtime")
"""What pyqtgraph imports besides Qt, where it is there: some take longer than all of its own."""

_QT = ("PySide6.QtCore", "PySide6.QtGui", "PySide6.QtWidgets")
_CLASSES_A_TURN = 24


async def import_in_turns(names: Iterable[str]) -> None:
    """Import these modules of `app` and `widgets`, and what they need; the loop runs after each.

    Raises:
        ImportError: One is missing, or needs what is missing.
    """
    await asyncio.to_thread(_import_without_qt)
    for _ in _make_classes():
        await asyncio.sleep(0)
    importlib.import_module("pyqtgraph")
    await asyncio.sleep(0)
    for name in needed_by(names):
        if name.startswith(_WITHOUT_QT):
            await asyncio.to_thread(importlib.import_module, name)
        else:
            importlib.import_module(name)
            await asyncio.sleep(0)


def needed_by(names: Iterable[str]) -> Iterator[str]:
    """Yield what is not imported yet of these modules and of those of ours that they need, each after its own needs.

    Only what a module imports when it is imported itself; who takes the next name has imported the one before.
    """
    seen: set[str] = set()
    for name in names:
        yield from _needed_by(name, seen)


def _needed_by(name: str, seen: set[str]) -> Iterator[str]:
    if name in seen or name in sys.modules:
        return
    seen.add(name)
    if name.startswith(_OURS):
        spec = find_spec(name)
        # The bundle's loader has the code as well, and no source.
        code = getattr(spec.loader, "get_code", lambda _: None)(name) if spec is not None else None
        # Of all names that a module uses, only those of modules have dots.
        for needed in () if code is None else code.co_names:
            if needed.startswith(_OURS + _WITHOUT_QT):
                yield from _needed_by(needed, seen)
    yield name


def _import_without_qt() -> None:
    for name in _BESIDE_CHARTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _make_classes() -> Iterator[None]:
    """Have PySide make its classes, some a turn: pyqtgraph asks for all of them at once."""
    for module in map(importlib.import_module, _QT):
        for number, name in enumerate(dir(module)):
            getattr(module, name)
            if number % _CLASSES_A_TURN == 0:
                yield
