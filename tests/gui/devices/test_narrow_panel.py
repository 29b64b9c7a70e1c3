"""The device panel in a dock of 240 to 400 px."""

import pytest
from PySide6.QtWidgets import QApplication, QPushButton, QScrollArea

from core.access.model import Role
from core.kernel.clock import FakeClock
from tests.gui.map.things import camera, lot, reading, station, stream
from widgets.devices.device_panel import DevicePanel
from widgets.devices.tree_model import ADDRESS, NAME, SEEN, STATE, VALUE


@pytest.fixture
def panel(qtbot):
    made = DevicePanel(FakeClock())
    qtbot.addWidget(made)
    made.show_cameras(
        (camera(), camera("cam-2", "North Gate Motorway", address="rtsp://operator@10.10.0.15:554/ch1/main"))
    )
    made.show_devices((station(), lot()))
    made.show_streams({"cam-1": stream(), "cam-2": stream("cam-2")})
    made.show_readings({0: reading()})
    made.show_role(Role.SUPERVISOR)
    made.show()
    return made


def resize(panel, width):
    panel.resize(width, 700)
    QApplication.processEvents()


def fits(widget, panel):
    right = widget.mapTo(panel, widget.rect().topRight()).x()
    return right <= panel.width() and widget.width() >= min(widget.minimumSizeHint().width(), widget.sizeHint().width())


@pytest.mark.parametrize("width", [240, 270, 365, 400, 700, 1200])
def test_no_control_is_cut(panel, width):
    resize(panel, width)
    panel.select("camera", "cam-2")
    QApplication.processEvents()

    controls = [panel._search, panel._states, panel._count, panel._add, *panel._details.findChildren(QPushButton)]
    assert all(fits(control, panel) for control in controls if control.isVisible())


@pytest.mark.parametrize("width", [240, 365])
def test_the_details_go_into_the_width_there_is(panel, width):
    resize(panel, width)
    panel.select("camera", "cam-2")
    QApplication.processEvents()
    scroll = panel._details.findChild(QScrollArea)

    assert scroll.widget().width() <= scroll.viewport().width()
    assert panel._details.facts["Address"] == "rtsp://operator@10.10.0.15:554/ch1/main"


def test_a_narrow_search_field_has_a_line_of_its_own(panel):
    resize(panel, 365)

    assert panel._search.geometry().bottom() < panel._add.geometry().top()
    assert panel._add.accessibleName() == "Add camera"
    assert panel._add.toolTip()
    assert not panel._add.icon().isNull()


def test_a_wide_panel_says_everything_in_one_line(panel):
    resize(panel, 900)

    assert panel._search.geometry().center().y() == pytest.approx(panel._add.geometry().center().y(), abs=2)
    assert panel._add.text() == "Add camera"


@pytest.mark.parametrize(
    ("width", "columns"),
    [(240, {NAME, STATE}), (365, {NAME, STATE, VALUE}), (700, {NAME, STATE, SEEN, VALUE}), (1500, set(range(5)))],
)
def test_columns_are_left_out_in_the_order_of_their_importance(panel, width, columns):
    resize(panel, width)

    assert {column for column in range(5) if not panel.tree.isColumnHidden(column)} == columns
    assert panel.tree.header().length() <= panel.tree.viewport().width()
    assert ADDRESS in columns or panel.tree.columnWidth(NAME) >= 100


def test_figures_of_nothing_are_one_line_and_grow_with_a_selection(panel, qtbot):
    resize(panel, 365)
    assert panel._details.height() < 60

    panel.select("camera", "cam-1")
    qtbot.waitUntil(lambda: panel._details.height() > 200)

    panel.select("", "")
    qtbot.waitUntil(lambda: panel._details.height() < 60)
