"""Rows that wrap and values that break: nothing is cut where a dock is narrow."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from widgets.base.facts import FactList
from widgets.base.flow import FlowLayout

ADDRESS = "rtsp://operator@10.10.0.15:554/cameras/north-gate/main"


def test_buttons_go_on_in_the_next_line(qtbot, qapp):
    page = QWidget()
    qtbot.addWidget(page)
    flow = FlowLayout(4)
    buttons = [QPushButton(text) for text in ("Go to", "Disable", "Edit", "Hold to remove")]
    for button in buttons:
        flow.addWidget(button)
    rows = QVBoxLayout(page)
    rows.addLayout(flow)
    rows.addStretch(1)
    page.show()

    page.resize(600, 200)
    qapp.processEvents()
    assert len({button.y() for button in buttons}) == 1

    page.resize(220, 200)
    qapp.processEvents()
    assert len({button.y() for button in buttons}) > 1
    assert all(button.geometry().right() < 220 for button in buttons)

    buttons[1].hide()
    qapp.processEvents()
    assert buttons[2].x() < buttons[0].geometry().right() + 20


def test_an_address_breaks_and_is_copied_as_it_is(qtbot, qapp):
    facts = FactList()
    qtbot.addWidget(facts)
    facts.show_facts([("Address", ADDRESS), ("Pictures per second", "25.0")])
    facts.resize(200, 300)
    facts.show()
    qapp.processEvents()
    value = facts._values["Address"]

    assert facts.minimumSizeHint().width() <= 200
    assert value.height() >= 2 * value.fontMetrics().lineSpacing()
    assert facts.facts["Address"] == ADDRESS
    value.setSelection(0, len(value.text()))
    value.setFocus()
    QTest.keyClick(value, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == ADDRESS
