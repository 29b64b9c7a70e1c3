"""The page that says how the alarm system does."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTableView, QWidget

from core.incidents.figures import Figures, read_figures
from core.kernel.wire import from_bytes, to_bytes
from core.node.bench_figures import BEGIN, fill_history
from tests.fixtures.room import room  # noqa: F401
from widgets.figures.page import FiguresPage
from widgets.figures.rows import compared, csv_of


@pytest.fixture
def figures(room):  # noqa: F811
    room.run(room.store.write(lambda s: fill_history(s, n_rows=1500, seed=2, per_day=3000)))
    found = room.run(room.store.read(lambda s: read_figures(s, since=BEGIN, until=BEGIN + timedelta(days=2))))
    return from_bytes(to_bytes(found), Figures)


@pytest.fixture
def page(qtbot):
    made = FiguresPage()
    qtbot.addWidget(made)
    made.resize(1100, 700)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def table(page, name):
    return next(one for one in page.findChildren(QTableView) if one.accessibleName() == name)


def test_every_figure_stands_beside_what_is_recommended(page, figures):
    page.show_figures(figures)

    cells = {line.cells[0]: line.cells[1:] for line in table(page, "Load and state of the alarm system").lines}
    assert cells["Alarms"][0] == str(figures.n_calls)
    assert cells["Most in 10 min"] == (str(figures.most_in_10_min), "≤ 10   outside")
    shares = [line.cells[3] for line in table(page, "Alarms by priority").lines]
    assert shares == ["< 1 %", "~ 5 %", "~ 15 %", "~ 80 %"]
    assert len(table(page, "Ten most frequent").lines) == 10


def test_a_figure_that_keeps_what_is_recommended_is_not_marked(figures):
    calm = replace(figures, most_in_10_min=10, n_stale=4)

    within = {one.name: one.is_within for one in compared(calm)}
    assert within["Most in 10 min"]
    assert within["Stale now (24 h)"]
    assert within["Repeating raises"] is None


def test_another_span_and_f5_count_again(page, qtbot):
    choice = next(one for one in page.findChildren(QWidget) if one.accessibleName() == "Span of the figures")
    choice.setFocus()
    with qtbot.waitSignal(page.figures_requested) as asked:
        QTest.keyClick(choice, Qt.Key.Key_Down)
    assert asked.args == [168]
    with qtbot.waitSignal(page.figures_requested) as asked:
        QTest.keyClick(choice, Qt.Key.Key_F5, Qt.KeyboardModifier.ControlModifier)
    assert asked.args == [168]


def test_the_export_has_every_figure_and_no_formula(figures):
    dangerous = replace(figures, top=(replace(figures.top[0], title="=cmd()"),))

    rows = list(csv.reader(io.StringIO(csv_of(dangerous))))

    assert {row[0] for row in rows} >= {"load", "priority", "top ten", "desk p50 [s]", "flood", "hour"}
    assert sum(row[0] == "hour" for row in rows) == len(figures.per_hour)
    assert ["top ten", "'=cmd()"] in [row[:2] for row in rows]


def test_why_there_are_no_figures_is_said(page):
    page.show_refused("The database is away.", "Wait until it is back.")

    assert any(one.accessibleName() == "The database is away." for one in page.findChildren(QWidget))
