"""The shift log and the hand-over, as operators use them."""

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton

from core.access.model import Role
from core.incidents.handover import HandOver, ReportContent, ReportSection
from core.incidents.shift import ShiftEntry, ShiftKind, ShiftPage, ShiftQuery
from core.kernel.clock import FakeClock
from widgets.shift.panel import ShiftPanel

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def entry(number, text="Signal 12 flashes", kind=ShiftKind.NOTE, **changes):
    return ShiftEntry(**{"entry_id": number, "at": AT, "kind": kind, "text": text, "actor": "olga"} | changes)


def report(number="R1", *, line="Congestion in Lane A", **changes):
    content = ReportContent(
        site="Marenholm",
        since=AT - timedelta(hours=8),
        until=AT,
        made_by="olga",
        made_desk="Desk 1",
        sections=(ReportSection(title="Open alarms", lines=(line,)),),
    )
    return HandOver(**{"hand_over_id": number, "content": content, "sha256": "0" * 64} | changes)


@pytest.fixture
def panel(qtbot):
    made = ShiftPanel(FakeClock(AT))
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show_role(Role.OPERATOR)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.log.focusProxy().setFocus()
    return made


def asked(signal):
    got = []
    signal.connect(lambda *arguments: got.append(arguments))
    return got


def press(key):
    QTest.keyClick(QApplication.focusWidget(), key)


def texts(panel):
    return [line.cells[0] for line in panel.log.lines]


def button(panel, words):
    return next(one for one in panel.findChildren(QPushButton) if one.text() == words)


def field(panel, name):
    return next(one for one in panel.findChildren(QLineEdit) if one.accessibleName() == name)


def test_an_entry_is_written_with_n_and_enter(panel):
    written = asked(panel.log.write_requested)

    press(Qt.Key.Key_N)
    QTest.keyClicks(QApplication.focusWidget(), "Signal 12 flashes")
    press(Qt.Key.Key_Return)

    assert written == [("Signal 12 flashes", 0)]
    assert panel.log.focusProxy().hasFocus()


def test_an_entry_is_put_right_by_the_next_one(panel):
    written = asked(panel.log.write_requested)
    panel.log.show_page(ShiftQuery(), ShiftPage(entries=(entry(7), entry(6))))
    panel.log.focusProxy().setCurrentIndex(panel.log.focusProxy().model().index(1, 0))

    press(Qt.Key.Key_K)
    QTest.keyClicks(QApplication.focusWidget(), "It was 13")
    press(Qt.Key.Key_Return)

    assert written == [("It was 13", 6)]


def test_what_is_written_elsewhere_comes_on_top_if_it_is_wanted(panel):
    panel.log.show_page(ShiftQuery(), ShiftPage(entries=(entry(1),)))

    panel.log.show_added((entry(2, "It was 13", ShiftKind.CORRECTION, corrects=1),))

    assert texts(panel) == ["It was 13  (corrects no. 1)", "Signal 12 flashes"]


def test_a_page_that_is_not_wanted_any_more_is_not_shown(panel):
    panel.log.show_page(ShiftQuery(words="bridge"), ShiftPage(entries=(entry(1),)))

    assert texts(panel) == []


def test_a_viewer_reads_only(panel):
    panel.show_role(Role.VIEWER)

    assert not field(panel, "Write into the log; Enter keeps it for ever").isEnabled()
    assert not button(panel, "Hand over").isEnabled()


def test_the_report_is_seen_before_it_is_handed_over(panel):
    previews = asked(panel.hand_over.preview_requested)
    handed = asked(panel.hand_over.hand_over_requested)
    panel.show_hand_over()

    panel.hand_over.show_preview(report().content)
    button(panel, "Hand over").click()

    assert previews == [(None, "")]
    assert "Congestion in Lane A" in panel.hand_over.report_text
    assert handed == [(None, "")]


def test_the_incoming_operator_signs_with_name_and_password_which_is_forgotten(panel):
    signed = asked(panel.hand_over.sign_requested)
    panel.show_hand_over()
    panel.hand_over.show_reports((report("R1"),))
    panel.hand_over.select_report("R1")

    QTest.keyClicks(field(panel, "Name of the incoming operator"), "omar")
    QTest.keyClicks(field(panel, "Password"), "twelve herons")
    QTest.keyClick(field(panel, "Password"), Qt.Key.Key_Return)

    assert signed == [("R1", "omar", "twelve herons", "")]
    assert field(panel, "Password").text() == ""


def test_a_signed_report_says_who_took_over_and_asks_for_nothing(panel):
    panel.show_hand_over()
    panel.hand_over.show_reports((report("R1", signed_by="omar", signed_desk="Desk 2", signed_at=AT),))
    panel.hand_over.select_report("R1")

    assert "Taken over by omar at Desk 2" in panel.hand_over.report_text
    assert not button(panel, "Sign").isVisible()


def test_what_was_written_never_becomes_markup(panel):
    panel.show_hand_over()

    panel.hand_over.show_preview(report(line="<img src=x> & <b>bold</b>").content)

    assert "<img src=x> & <b>bold</b>" in panel.hand_over.report_text


def test_a_shift_is_handed_over_without_a_mouse(panel):
    handed = asked(panel.hand_over.hand_over_requested)

    press(Qt.Key.Key_H)
    press(Qt.Key.Key_Space)
    press(Qt.Key.Key_L)

    assert handed == [(None, "")]
    assert panel.log.focusProxy().hasFocus()
