"""The drawing process on this machine's OpenGL: what is drawn, that it comes back, and that nothing stays behind."""

import gc
from datetime import UTC, datetime

import numpy as np
import psutil
import pytest
from PySide6.QtGui import QColor

from app.twin_process import TwinProcess
from core.parking.model import BayState, BayStatus
from core.parking.plans import open_lot
from widgets.twin import pose as poses
from widgets.twin.model import Detail, Options, Shown, plain_look
from widgets.twin.palette import NIGHT_THEME, palette_for
from widgets.twin.panel import TwinPanel
from widgets.twin.pose import Pose, framing
from widgets.twin.scene import build_scene

LOT = open_lot("west", "Lot West", n_bays=12)
PALETTE = palette_for(NIGHT_THEME)
WAIT_MS = 60_000


def status(bay_id, state, *, is_stale=False):
    now = datetime.now(UTC)
    return BayStatus(
        lot_id="west", bay_id=bay_id, state=state, since=now, at=now, confidence=1.0, source="s", is_stale=is_stale
    )


@pytest.fixture
def drawn(qtbot):
    """Return a panel with a drawing process, and that process."""
    panel = TwinPanel()
    process = TwinProcess(panel.view.options)
    panel.ordered.connect(process.send)
    process.built.connect(panel.show_built)
    process.picture.connect(panel.show_picture)
    process.started_again.connect(panel.start_again)
    process.failed.connect(panel.show_failed)
    qtbot.addWidget(panel)
    panel.resize(900, 600)
    panel.show()
    panel.show_lots([LOT])
    panel.show_statuses([status(bay.bay_id, BayState.FREE) for bay in LOT.bays])
    process.start()
    panel.start_again()
    yield panel, process
    process.close()
    panel.close_timers()


def test_a_free_bay_has_the_colour_of_its_ground_where_its_middle_is_projected_to(drawn, qtbot):
    panel, _ = drawn
    qtbot.waitUntil(lambda: panel.view.has_picture, timeout=WAIT_MS)
    view = panel.view
    view.see_from_above()
    view.fly_to_at_once(view.pose)
    n = view.n_pictures
    i = view.scene.index["west", "A10"]

    def color():
        at, _ = poses.project(view.pose, view.scene.centres[[i]], view.width(), view.height())
        return QColor(view.grab().toImage().pixel(round(at[0][0]), round(at[0][1]))).getRgb()[:3]

    qtbot.waitUntil(lambda: view.n_pictures > n and color() == PALETTE.floor_free, timeout=WAIT_MS)

    panel.update_statuses((status("A10", BayState.CLOSED),))
    qtbot.waitUntil(lambda: color() == PALETTE.cross, timeout=WAIT_MS)


def test_a_drawing_process_that_breaks_is_started_again_and_told_everything(drawn, qtbot):
    panel, process = drawn
    qtbot.waitUntil(lambda: panel.view.has_picture, timeout=WAIT_MS)
    first, n = process.pid, panel.view.n_pictures

    psutil.Process(first).kill()

    qtbot.waitUntil(lambda: process.pid not in (None, first) and panel.view.n_pictures > n, timeout=WAIT_MS)
    assert panel.sentence == ""


def test_nothing_runs_after_the_panel_was_closed(drawn, qtbot):
    panel, process = drawn
    qtbot.waitUntil(lambda: panel.view.has_picture, timeout=WAIT_MS)
    pid = process.pid

    process.close()

    assert not psutil.pid_exists(pid)


def test_without_vtk_the_table_opens_with_a_sentence(qtbot, tmp_path, monkeypatch):
    broken = tmp_path / "vtkmodules"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    panel = TwinPanel()
    qtbot.addWidget(panel)
    process = TwinProcess(panel.view.options)
    process.failed.connect(panel.show_failed)
    panel.show()
    panel.show_lots([LOT])

    process.start()
    qtbot.waitUntil(lambda: panel.is_table, timeout=WAIT_MS)

    assert "libGL.so.1" in panel.sentence
    assert panel.table.n_shown == 12
    assert not process.is_running
    panel.close_timers()


def test_a_scene_that_was_opened_and_closed_leaves_no_vtk_object_behind():
    from app.bench_twin import vtk_objects
    from widgets.twin.renderer import Renderer

    scene = build_scene([LOT])
    look = plain_look(np.full(12, Shown.OCCUPIED, np.uint8))
    pose = framing(scene.low, scene.high, 1.5, Pose())

    def open_and_close():
        renderer = Renderer(Options(palette=PALETTE))
        renderer.show_scene(scene)
        renderer.show_bays(look, at_once=True)
        renderer.draw(pose, 300, 200, Detail.QUICK)
        renderer.close()

    open_and_close()
    gc.collect()
    before = vtk_objects()
    for _ in range(3):
        open_and_close()

    assert vtk_objects() == before


def test_shadows_darken_the_ground_beside_a_car_and_can_be_taken_away_again():
    from widgets.twin.renderer import Renderer

    scene = build_scene([LOT])
    look = plain_look(np.full(12, Shown.OCCUPIED, np.uint8))
    pose = framing(scene.low, scene.high, 1.5, Pose())
    plain, shaded = Options(palette=PALETTE), Options(palette=PALETTE, has_shadows=True)
    renderer = Renderer(plain)
    renderer.show_scene(scene)
    renderer.show_bays(look, at_once=True)
    first = renderer.draw(pose, 300, 200, Detail.QUICK).copy()

    renderer.show_options(shaded)
    second = renderer.draw(pose, 300, 200, Detail.QUICK).copy()
    renderer.show_options(plain)
    third = renderer.draw(pose, 300, 200, Detail.QUICK).copy()
    renderer.close()

    assert second.astype(int).sum() < first.astype(int).sum()
    assert (first == third).all()
