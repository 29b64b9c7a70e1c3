"""Nothing in the forms beside the picture is cut, on a small screen as well."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QListWidget, QScrollArea, QWidget

from core.vision.model import Lane, Scene, Zone
from tests.gui.scene.conftest import GATE, RING, SQUARE

Key = Qt.Key
LANE = Lane(key="lane-1", name="Lane", polygon=SQUARE, start=(0.4, 0.2), end=(0.4, 0.6))


def show(desk, scene: Scene) -> None:
    camera = replace(RING, scene=scene, version=RING.version + 1)
    desk.editor.show_cameras((camera, GATE))


def is_whole(part: QWidget) -> bool:
    """Whether no parent up to the scrolled form cuts a widget off."""
    around = part.parentWidget()
    while around is not None and not isinstance(around.parentWidget(), QScrollArea | type(None)):
        if not around.rect().contains(part.rect().translated(part.mapTo(around, part.rect().topLeft()))):
            return False
        around = around.parentWidget()
    return around is None or part.mapTo(around, part.rect().topRight()).x() <= around.width()


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_every_class_can_be_ticked_for_zones_lines_and_lanes(desk, qtbot, n_steps):
    show(desk, replace(RING.scene, lanes=(LANE,)))
    desk.keys(*([Key.Key_PageDown] * n_steps))
    boxes = [box for box in desk.editor.findChildren(QCheckBox) if box.accessibleName().startswith("Counts ")]

    assert len(boxes) == 5
    qtbot.waitUntil(lambda: all(box.isVisible() and is_whole(box) for box in boxes))


def test_no_figure_of_a_rule_is_cut(desk, qtbot):
    desk.editor.side.show_tab("Rules")
    fields = [field for field in desk.editor.side.rules.findChildren(QAbstractSpinBox) if field.isVisible()]

    assert len(fields) > 10
    qtbot.waitUntil(lambda: all(is_whole(field) for field in fields))
    for field in fields:
        written = field.fontMetrics().horizontalAdvance(field.text())
        assert written <= field.lineEdit().width(), field.accessibleName()


def test_the_list_of_shapes_has_the_page_while_nothing_is_selected(desk, qtbot):
    zones = tuple(Zone(key=f"z{n}", name=f"Zone {n}", polygon=SQUARE) for n in range(12))
    show(desk, Scene(zones=zones))
    shapes = desk.named(QListWidget, "What is drawn")
    row_px = shapes.sizeHintForRow(0)

    qtbot.waitUntil(lambda: shapes.height() >= 12 * row_px)
    desk.keys(Key.Key_PageDown)
    qtbot.waitUntil(lambda: shapes.height() < 9 * row_px)
