"""Two thousand bays in the editor: what does not change is neither painted nor listed anew."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from core.parking.drawing import outlines_at
from core.parking.plans import open_lot
from core.parking.shapes import middle_of
from widgets.parking.editor import BayEditor
from widgets.parking.painter import BayPainter
from widgets.parking.shown import box_of, near


@pytest.fixture
def editor(qtbot):
    made = BayEditor()
    qtbot.addWidget(made)
    made.set_may_edit(True)
    lot = replace(open_lot("quay", "Quay", n_bays=2000, bays_per_row=50), version=1)
    made.show_lots({"quay": lot}, {})
    made.resize(1600, 900)
    made.show()
    made.open_lot("quay")
    return made


def test_while_one_bay_is_dragged_all_others_are_painted_once(editor, qtbot, monkeypatch):
    canvas = editor.canvas
    bay_id = editor.lot.bays[900].bay_id
    at = canvas.view.to_px(middle_of(outlines_at(editor.lot, "")[bay_id])).toPoint()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    canvas.repaint()
    painted = set()
    paint = BayPainter._paint_shape

    def paint_and_note(strokes, painter, shape, *rest, **more):
        painted.add(shape.ref)
        paint(strokes, painter, shape, *rest, **more)

    monkeypatch.setattr(BayPainter, "_paint_shape", paint_and_note)
    for step in range(1, 6):
        QTest.mouseMove(canvas, at + QPointF(3 * step, 2 * step).toPoint())
        canvas.repaint()
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    canvas.repaint()

    assert painted == set(canvas.selected.refs)
    assert len(painted) == 1
    editor.document.stack.undo()
    assert not editor.is_dirty


def test_only_what_is_near_the_pointer_is_looked_at(editor):
    canvas = editor.canvas
    shapes = canvas._shapes
    for bay in editor.lot.bays[::400]:
        at = canvas.view.to_px(middle_of(bay.outline))
        candidates = near(shapes, canvas.view, at, 6.0)

        assert len(candidates) < 12
        assert bay.bay_id in {shape.ref.key for shape in candidates}
    left, low, right, high = box_of(((1.0, 2.0), (4.0, -1.0), (3.0, 5.0)))
    assert (left, low, right, high) == (1.0, -1.0, 4.0, 5.0)


def test_a_plan_that_is_turned_maps_many_points_as_it_maps_one(editor):
    view = replace(editor.canvas.view, turn_deg=37.0)
    for point in ((0.0, 0.0), (12.5, -3.0), (-40.0, 88.0)):
        one, many = view.to_px(point), view.transform().map(QPointF(*point))
        assert (many.x(), many.y()) == pytest.approx((one.x(), one.y()))
