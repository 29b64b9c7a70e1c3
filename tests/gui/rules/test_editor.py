"""Changing alarm rules, as a supervisor does it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QProgressBar, QPushButton, QTableView, QWidget

from core.access.model import Role
from core.incidents.model import Priority
from core.incidents.rules.model import (
    Difference,
    HeldWhile,
    RoleName,
    RulesInForce,
    RuleVersion,
    TrialReport,
    TrialRun,
    TrialSide,
    TrialState,
)
from core.incidents.rules.text import check_text, shipped_rules
from core.incidents.suppression import Reach, Weekday, Window
from widgets.rules.editor import RuleEditor
from widgets.rules.words import held_of, held_text, windows_of, windows_text
from widgets.scene.fields import NumberField

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def editor(qtbot):
    made = RuleEditor()
    qtbot.addWidget(made)
    made.resize(1000, 650)
    made.show_role(Role.SUPERVISOR)
    made.show_in_force(RulesInForce(rules=shipped_rules(), version=3))
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


def part(editor, kind, name):
    return next(one for one in editor.findChildren(kind) if one.accessibleName() == name)


def button(editor, words):
    return next(one for one in editor.findChildren(QPushButton) if one.text() == words)


def listed(editor):
    return [line.key for line in part(editor, QTableView, "Alarm rules").lines]


def give(field, text):
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)


def test_a_change_is_made_seen_and_saved_with_a_reason_by_keys_alone(editor, qtbot):
    editor.setFocus()
    QTest.keyClicks(editor.focusWidget(), "/")
    QTest.keyClicks(editor.focusWidget(), "congestion in")
    assert listed(editor) == ["congestion"]
    QTest.keyClick(editor.focusWidget(), Qt.Key.Key_Return)
    QTest.keyClick(editor.focusWidget(), Qt.Key.Key_Down)
    editor.select("congestion")
    give(part(editor, NumberField, "On-delay"), "30")

    QTest.keyClick(editor.focusWidget(), Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    changes = part(editor, QTableView, "What is changed").lines
    assert [line.cells for line in changes] == [("congestion", "on delay [s]", "0", "30")]
    assert editor.focusWidget().accessibleName() == "Reason for the change"
    QTest.keyClicks(editor.focusWidget(), "Chatters at noon")
    with qtbot.waitSignal(editor.save_requested) as saved:
        QTest.keyClick(editor.focusWidget(), Qt.Key.Key_Return)

    rules, version, reason = saved.args
    assert (rules.find("congestion").limits.on_delay_s, version, reason) == (30.0, 3, "Chatters at noon")


def test_without_a_reason_nothing_is_saved(editor):
    asked = []
    editor.save_requested.connect(lambda *args: asked.append(args))
    part(editor, NumberField, "On-delay").setValue(5)

    assert not button(editor, "Save").isEnabled()
    editor.pages.changes.save()
    assert asked == []


def test_who_is_no_supervisor_looks_and_changes_nothing(editor):
    editor.show_role(Role.OPERATOR)

    assert not part(editor, NumberField, "On-delay").isEnabled()
    assert not button(editor, "New").isEnabled()
    QTest.keyClick(editor, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert editor.draft == shipped_rules()


def test_consequence_and_time_give_the_priority_as_one_chooses(editor):
    editor.select("congestion")
    choice = part(editor, QWidget, "Consequence")
    choice.setCurrentIndex(choice.findText("Life"))

    rule = editor.draft.find("congestion")
    assert rule.priority is Priority.HIGH
    assert part(editor, QTableView, "Alarm rules").lines[listed(editor).index("congestion")].cells[1] == "2"


def test_who_resets_what_latches_and_whose_desks_are_called_is_chosen_in_the_form(editor):
    editor.select("collision")
    choice = part(editor, QWidget, "Reset by")
    choice.setCurrentIndex(choice.findText("supervisor"))
    give(part(editor, QLineEdit, "Desks called"), "operator, supervisor")

    rule = editor.draft.find("collision")
    assert rule.limits.reset_role is RoleName.SUPERVISOR
    assert rule.escalation.roles == (RoleName.OPERATOR, RoleName.SUPERVISOR)


def test_nobody_resets_what_does_not_latch(editor):
    editor.select("congestion")

    assert not part(editor, QWidget, "Reset by").isEnabled()


def test_guidance_and_checklist_are_lines_of_text(editor):
    editor.select("loitering")
    part(editor, QPlainTextEdit, "Checklist").setPlainText("Look twice\n\n Tell the patrol ")

    assert editor.draft.find("loitering").guidance.checklist == ("Look twice", "Tell the patrol")


def test_what_cannot_be_read_is_said_and_not_taken_over(editor):
    editor.select("loitering")
    part(editor, QPlainTextEdit, "Hours").setPlainText("at night")

    assert editor.draft == shipped_rules()
    assert any("22:00-06:00" in one.text() for one in editor.findChildren(type(editor._status)))


def test_a_copy_stands_before_its_original_where_it_counts_first(editor):
    editor.select("device_lost")
    QTest.keyClick(editor, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    give(part(editor, QLineEdit, "Id"), "harbour_lost")

    names = listed(editor)
    assert names.index("harbour_lost") == names.index("device_lost") - 1
    assert editor.draft.find("harbour_lost").limits.on_delay_s == 15.0


def test_rules_are_put_into_another_order_and_removed(editor):
    editor.select("wrong_way")
    QTest.keyClick(editor, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert listed(editor).index("wrong_way") < listed(editor).index("collision")

    button(editor, "Remove").click()
    assert "wrong_way" not in listed(editor)
    button(editor, "Discard").click()
    assert editor.draft == shipped_rules()


def test_somebody_elses_save_does_not_take_a_draft_away_and_is_said(editor):
    part(editor, NumberField, "On-delay").setValue(5)
    theirs = replace(shipped_rules(), rules=shipped_rules().rules[1:])

    editor.show_in_force(RulesInForce(rules=theirs, version=4))

    assert editor.draft.rules[0].limits.on_delay_s == 5
    assert "began from version 3" in editor._status.text()


def report_of(before, after):
    return TrialReport(
        rule_id="congestion",
        since=AT,
        until=AT,
        as_it_is=before,
        changed=after,
        n_from_observations=30,
        n_from_journal=0,
        n_readings=12_000,
        n_devices=2,
    )


def test_a_trial_that_goes_on_shows_how_far_it_is_and_is_ended_by_a_button(editor, qtbot):
    editor.select("congestion")
    editor.pages.setCurrentWidget(editor.pages.trial)
    assert button(editor, "Stop").isHidden()
    button(editor, "Try it  Ctrl+T").click()

    editor.show_trial("congestion", TrialRun(trial_id="1", fraction=0.4, n_readings=12_000))
    assert part(editor, QProgressBar, "How much of the trial is done").value() == 400
    assert "12,000 readings" in editor.pages.trial._verdict.text()
    assert not button(editor, "Try it  Ctrl+T").isEnabled()
    with qtbot.waitSignal(editor.stop_requested):
        button(editor, "Stop").click()

    editor.show_trial("congestion", TrialRun(trial_id="1", state=TrialState.CANCELLED))
    assert "Stopped" in editor.pages.trial._verdict.text()
    assert button(editor, "Try it  Ctrl+T").isEnabled()


def test_a_trial_says_how_often_it_would_have_raised_beside_the_rule_as_it_is(editor, qtbot):
    editor.select("congestion")
    with qtbot.waitSignal(editor.try_requested) as asked:
        QTest.keyClick(editor, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert asked.args[1:] == ["congestion", 7]
    before = TrialSide(n_conditions=30, n_raised=20, n_called=15, n_chatter=5, raised_per_day={"2026-01-01": 20})
    after = replace(before, n_raised=14, n_called=12, n_chatter=2, raised_per_day={"2026-01-01": 14})

    editor.show_trial(
        "congestion", TrialRun(trial_id="1", state=TrialState.DONE, fraction=1.0, report=report_of(before, after))
    )

    assert "would have raised 14 times in the last week, and called 12 times" in editor.pages.trial._verdict.text()
    assert "12,000 readings of 2 devices, 30 observations" in editor.pages.trial._note.text()
    lines = part(editor, QTableView, "The rule as it is and as it would be").lines
    assert ("Raised, after delays", "20", "14", "-6") in [line.cells for line in lines]


def test_a_document_is_reported_line_by_line_before_it_is_taken(editor):
    editor.show_report("harbour.yaml", check_text("rules:\n  - rule_id: Jam\n"))

    lines = part(editor, QTableView, "What is wrong in the document").lines
    assert [(line.cells[1], line.cells[2]) for line in lines] == [("2", "Jam")]
    assert not button(editor, "Take as draft").isEnabled()


def test_a_saved_state_comes_back_as_a_draft(editor, qtbot):
    change = Difference(rule_id="congestion", path="limits.on_delay_s", before="0", after="5")
    version = RuleVersion(
        version=2, at=AT, author="susi", desk="Desk 3", reason="Noon", n_rules=30, differences=(change,)
    )
    with qtbot.waitSignal(editor.history_requested):
        editor.pages.setCurrentWidget(editor.pages.history)
    editor.show_history((version,))
    with qtbot.waitSignal(editor.version_requested) as asked:
        button(editor, "Bring back as a draft").click()

    assert asked.args == [2]
    older = replace(shipped_rules(), rules=shipped_rules().rules[2:])
    editor.show_draft(older)
    assert editor.draft == older
    assert editor.pages.currentWidget() is editor.pages.changes


def test_what_is_typed_for_suppression_reads_as_it_is_written():
    held = (HeldWhile(name="camera-lost", causes=("camera_lost", "site_power_lost"), reach=Reach.EVERYWHERE),)
    windows = (Window(begin="22:00", end="06:00", weekdays=(Weekday.MONDAY, Weekday.SUNDAY)),)

    assert held_of(held_text(held)) == held
    assert windows_of(windows_text(windows)) == windows
    for wrong in ("no causes:", "x: a (nowhere)"):
        with pytest.raises(ValueError, match="name: cause"):
            held_of(wrong)
