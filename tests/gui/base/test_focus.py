"""Tab goes where the eye goes."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QFormLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from widgets.base.focus import focus_order, order_focus


@pytest.fixture
def page(qtbot):
    """A page whose buttons were built before the fields that stand above them."""
    page = QWidget()
    qtbot.addWidget(page)
    save = QPushButton("Save", page)
    form = QFormLayout()
    for name in ("Name", "Address"):
        field = QLineEdit()
        field.setAccessibleName(name)
        form.addRow(name, field)
    column = QVBoxLayout(page)
    column.addLayout(form)
    column.addWidget(save)
    page.show()
    qtbot.waitExposed(page)
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    return page


def names(widgets):
    return [widget.accessibleName() or widget.text() for widget in widgets]


def test_tab_goes_down_a_page_whatever_was_built_first(page, qtbot):
    order_focus(page)
    page.findChild(QLineEdit).setFocus()

    reached = []
    for _ in range(3):
        reached.append(page.focusWidget())
        QTest.keyClick(page.focusWidget(), Qt.Key.Key_Tab)

    assert names(reached) == ["Name", "Address", "Save"]


def test_pages_of_splitters_tabs_stacks_and_scrolled_forms_are_walked_in_their_order(qtbot):
    def button(text):
        return QPushButton(text)

    inner = QWidget()
    QVBoxLayout(inner).addWidget(button("scrolled"))
    scrolled, tabs, stack = QScrollArea(), QTabWidget(), QStackedWidget()
    scrolled.setWidget(inner)
    scrolled.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    tabs.addTab(scrolled, "page")
    tabs.tabBar().setAccessibleName("tabs")
    stack.addWidget(button("front"))
    stack.addWidget(button("behind"))
    split = QSplitter()
    qtbot.addWidget(split)
    for part in (tabs, stack, button("last")):
        split.addWidget(part)

    assert names(focus_order(split)) == ["tabs", "scrolled", "front", "behind", "last"]
