"""Planned works: read, planned, ended early and planned again, by keys alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.access.model import Role
from core.incidents.model import SourceKind
from core.incidents.suppression import PlannedWorks, Source
from core.kernel.clock import FakeClock
from tests.gui.alarms.making import NOW, make_alarm
from widgets.alarms.sources import NamedSource
from widgets.alarms.works import WorksPage

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier
SOURCES = tuple(
    NamedSource(source=Source(kind=kind, source_id=name.lower()), name=name, site=site)
    for kind, name, site in (
        (SourceKind.CAMERA, "Gate", "North"),
        (SourceKind.CAMERA, "Bridge", "South"),
        (SourceKind.DEVICE, "Mast", "South"),
    )
)


def works(works_id, *, since_h=-1.0, until_h=3.0, **changes) -> PlannedWorks:
    made = PlannedWorks(
        works_id=works_id,
        title=f"Works {works_id}",
        sources=frozenset({SOURCES[0].source}),
        since=NOW + timedelta(hours=since_h),
        until=NOW + timedelta(hours=until_h),
        by="susi",
        reason="Asphalt",
    )
    return replace(made, **changes)


GOING, COMING = works("going"), works("coming", since_h=1)
ENDED = works("ended", since_h=-9, until_h=-8, ended_by="sam")
CALLED_OFF = works("off", since_h=-2, until_h=-3, ended_by="sam")
OVER = works("over", since_h=-30, until_h=-20)


@pytest.fixture
def page(qtbot):
    page = WorksPage(FakeClock())
    qtbot.addWidget(page)
    page.asked = []
    page.plan_requested.connect(lambda draft: page.asked.append(("plan", draft)))
    page.end_requested.connect(lambda one: page.asked.append(("end", one)))
    page.past_requested.connect(lambda: page.asked.append(("past", None)))
    page.resize(1200, 700)
    page.show()
    page.show_role(Role.SUPERVISOR)
    page.show_sources(SOURCES)
    page.show_works([GOING, COMING])
    page.show_past([ENDED, CALLED_OFF, OVER])
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    page.setFocus()
    return page


def press(key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(QApplication.focusWidget(), key, modifier)


def write(text):
    QTest.keyClicks(QApplication.focusWidget(), text)


def test_works_stand_in_the_list_with_state_owner_and_reason(page):
    states = [(line.key, line.cells[1]) for line in page.lines]

    assert states == [
        ("going", "Going on"),
        ("coming", "To come"),
        ("ended", "Ended early by sam"),
        ("off", "Called off by sam"),
        ("over", "Over"),
    ]
    assert page.lines[0].cells[4:] == ("Gate", "susi", "Asphalt")


def test_works_are_planned_from_the_list_by_keys_alone(page):
    press(Key.Key_N)
    write("New mast")
    press(Key.Key_Tab)
    write("The old one rusts")
    press(Key.Key_Return, CTRL)
    assert ("plan", None) not in page.asked, "it names no source yet"
    press(Key.Key_Tab)
    write("south")
    press(Key.Key_Return)
    press(Key.Key_Space)
    press(Key.Key_Down)
    press(Key.Key_Space)
    press(Key.Key_Return, CTRL)

    kind, draft = page.asked[-1]
    assert (kind, draft.title, draft.reason) == ("plan", "New mast", "The old one rusts")
    assert draft.sources == {SOURCES[1].source, SOURCES[2].source}
    assert draft.until - draft.since == timedelta(hours=4)


def test_works_are_limited_to_the_kinds_that_are_ticked_and_stay_so_when_planned_again(page):
    page.show_kinds(["camera_lost", "congestion", "collision"])
    page.show_works([works("going", kinds=frozenset({"congestion", "of_an_older_rule"}))])
    press(Key.Key_P)
    assert page.form.kinds.chosen == {"congestion", "of_an_older_rule"}
    page.form.kinds.setFocus()

    press(Key.Key_Home)
    press(Key.Key_Space)
    press(Key.Key_Return, CTRL)

    assert page.asked[-1][1].kinds == {"camera_lost", "congestion", "of_an_older_rule"}


def test_a_refusal_keeps_what_was_written(page):
    press(Key.Key_P)
    page.show_refused("That is longer than 31 days. Choose an earlier end, and prolong it.")

    assert page.form.isVisible()
    press(Key.Key_Return, CTRL)
    assert page.asked[-1][1].title == GOING.title


def test_the_same_works_are_planned_again_from_now_on(page):
    while page.current.works_id != "over":
        press(Key.Key_Down)
    press(Key.Key_P)
    press(Key.Key_Return, CTRL)

    draft = page.asked[-1][1]
    assert (draft.title, draft.sources) == (OVER.title, OVER.sources)
    assert draft.since == NOW.replace(second=0, microsecond=0)
    assert draft.until - draft.since == timedelta(hours=10)


def test_works_are_ended_early_and_called_off_by_one_key_and_past_ones_are_not(page):
    seen = []
    for _ in page.lines:
        seen.append(page.current.works_id)
        press(Key.Key_X)
        press(Key.Key_Down)

    assert seen == ["going", "coming", "ended", "off", "over"]
    assert [one for kind, one in page.asked if kind == "end"] == [GOING, COMING]


def test_the_alarms_that_works_hold_stand_beside_them(page):
    page.show_alarms(
        [make_alarm("held", suppressed_by=GOING.rule_id), make_alarm("other", suppressed_by="works: else")]
    )

    assert "Alarms it holds (1): Congestion, Harbour Road" in page.detail_text
    assert "Reason: Asphalt" in page.detail_text


def test_an_operator_reads_works_and_neither_plans_nor_ends_them(page):
    page.show_role(Role.OPERATOR)
    for key in (Key.Key_N, Key.Key_X, Key.Key_P):
        press(key)

    assert page.current == GOING
    assert not page.form.isVisible()
    assert [kind for kind, _ in page.asked if kind != "past"] == []


def test_what_is_over_is_asked_for_again_when_works_end(page):
    page.asked.clear()
    page.show_works([GOING, COMING])
    assert page.asked == []

    page.show_works([COMING])

    assert page.asked == [("past", None)]


def test_esc_leaves_the_form_for_the_list(page):
    press(Key.Key_N)
    press(Key.Key_Escape)

    assert not page.form.isVisible()
    assert page.current == GOING
    press(Key.Key_Down)
    assert page.current == COMING


def test_in_a_narrow_panel_the_form_has_all_of_it(page):
    page.resize(420, 700)
    page.begin()

    assert page.form.width() > 380
