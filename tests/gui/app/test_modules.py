"""Modules of the window are imported by its own thread, a few a turn, and none that it does not need."""

import asyncio
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from app import modules
from app.modules import import_in_turns, needed_by

ROOT = Path(__file__).parents[3]

HEAD = """
import asyncio, json, sys, threading
import qasync
from PySide6.QtCore import QCoreApplication
from app.modules import import_in_turns
from app.panel import discover_panels, panel_modules

class Watch:
    elsewhere = []

    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            self.elsewhere.append(name)
        return None

watch = Watch()
sys.meta_path.insert(0, watch)
app = QCoreApplication([])
loop = qasync.QEventLoop(app)
"""


def run(code: str) -> dict[str, list[str]]:
    """Run it in a process of its own, where nothing of the window is imported yet."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HEAD) + textwrap.dedent(code) + "\nimport os; os._exit(0)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def in_turns() -> dict[str, list[str]]:
    return run("""
        turns = []
        before = set(sys.modules)

        async def tick():
            while True:
                turns.append(len(sys.modules))
                await asyncio.sleep(0)

        async def main():
            ticking = asyncio.ensure_future(tick())
            await import_in_turns(panel_modules())
            ticking.cancel()

        loop.run_until_complete(main())
        found = sorted(set(sys.modules) - before)
        discover_panels()
        more = sorted(set(sys.modules) - before - set(found))
        print(json.dumps({"found": found, "more": more, "turns": turns, "elsewhere": watch.elsewhere}), flush=True)
    """)


def test_no_other_thread_imports_what_makes_classes_of_qt(in_turns):
    of_qt = ("app.", "widgets.", "pyqtgraph", "PySide6", "shiboken6", "qasync")
    assert any(name.startswith("core.") for name in in_turns["elsewhere"])
    assert [name for name in in_turns["elsewhere"] if name.startswith(of_qt)] == []


def test_all_that_the_panels_need_is_there_afterwards(in_turns):
    assert in_turns["more"] == []
    assert "app.panels.wall" in in_turns["found"]


def test_the_loop_runs_between_a_few_modules_and_the_next(in_turns):
    ours = [name for name in in_turns["found"] if name.startswith(("app.", "widgets."))]
    assert len(ours) > 100
    assert len(set(in_turns["turns"])) > len(ours) * 0.8


def test_nothing_is_imported_that_the_panels_would_not_import_themselves(in_turns):
    plain = run("""
        before = set(sys.modules)
        discover_panels()
        print(json.dumps({"found": sorted(set(sys.modules) - before)}), flush=True)
    """)
    ours = ("app.", "widgets.", "core.", "resources.")
    more = set(in_turns["found"]) - set(plain["found"])
    assert [name for name in more if name.startswith(ours)] == []
    assert not {"vtkmodules", "pyvista", "cv2", "torch"} & more


def test_a_module_comes_after_what_it_needs_and_each_once(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("widgets.alarms.")]:
        monkeypatch.delitem(sys.modules, name)
    order = list(needed_by(["widgets.alarms.detail"]))
    assert order[-1] == "widgets.alarms.detail"
    assert len(order) == len(set(order)) > 1


def test_a_panel_that_is_missing_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"app\.panels\.nowhere"):
        asyncio.run(import_in_turns(["app.panels.nowhere"]))


def test_a_program_without_what_charts_import_beside_starts_as_well(monkeypatch):
    monkeypatch.setattr(modules, "_BESIDE_CHARTS", ("no_such_module_at_all",))
    asyncio.run(import_in_turns(["app.panels.help"]))
    assert "app.panels.help" in sys.modules
