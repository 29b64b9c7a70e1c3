"""What the operator reads about an alarm, and the steps that are ticked."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton

from core.access.model import Role
from core.incidents.model import AlarmState, JournalEntry, SourceKind
from core.incidents.rules.model import Escalation, Guidance, Link, RulesInForce
from core.incidents.rules.text import shipped_rules
from tests.fixtures.alarms import alarm
from widgets.rules.checklist import AlarmGuidance

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
STEP = "Emergency services called"


@pytest.fixture
def guidance(qtbot):
    made = AlarmGuidance()
    qtbot.addWidget(made)
    made.resize(320, 400)
    made.show_role(Role.OPERATOR)
    made.show()
    qtbot.waitExposed(made)
    return made


def crash(**changes):
    return alarm(kind="collision", rule_id="collision", **changes)


def box(guidance, step=STEP):
    return next(one for one in guidance.findChildren(QCheckBox) if one.text() == step)


def read(guidance):
    return " ".join(one.text() for one in guidance.findChildren(QLabel) if one.isVisible())


def test_it_says_what_to_do_why_and_within_what_time(guidance):
    guidance.show_alarm(crash())

    said = read(guidance)
    assert "What to do within 60 s" in said
    assert "call the emergency services" in said
    assert "Cause: Two vehicles" in said
    assert [one.text() for one in guidance.findChildren(QPushButton) if one.isVisible()] == ["Camera", "Map"]


def test_a_step_is_ticked_by_key_and_counts_when_the_node_has_it(guidance, qtbot):
    shown = crash()
    guidance.show_alarm(shown)
    box(guidance).setFocus()

    with qtbot.waitSignal(guidance.tick_requested) as asked:
        QTest.keyClick(box(guidance), Qt.Key.Key_Space)
    assert asked.args == [shown, STEP, True]
    assert "sent…" in read(guidance)
    assert box(guidance).isEnabled(), "or the keys would go elsewhere"
    with qtbot.assertNotEmitted(guidance.tick_requested):
        QTest.keyClick(box(guidance), Qt.Key.Key_Space)

    guidance.show_alarm(replace(shown, ticked=frozenset({STEP}), version=2))
    assert guidance.steps[STEP]
    assert "sent…" not in read(guidance)


def test_who_ticked_it_and_when_stands_below(guidance, qtbot):
    with qtbot.waitSignal(guidance.journal_requested) as asked:
        guidance.show_alarm(crash(ticked=frozenset({STEP})))
    assert asked.args == ["A"]

    guidance.show_journal(
        "A",
        [
            JournalEntry(
                alarm_id="A",
                sequence=2,
                at=AT,
                event="tick",
                occurrence="o",
                state_before=AlarmState.UNACKNOWLEDGED,
                state_after=AlarmState.UNACKNOWLEDGED,
                actor="olga",
                desk="Desk 1",
                comment=f"{STEP}: done",
            )
        ],
    )

    assert "olga · Desk 1" in read(guidance)


def test_a_refused_tick_is_taken_back(guidance):
    guidance.show_alarm(crash())
    box(guidance).click()
    guidance.show_refused("A")

    assert not guidance.steps[STEP]
    assert box(guidance).isEnabled()


def test_a_viewer_reads_and_ticks_nothing(guidance):
    guidance.show_role(Role.VIEWER)
    guidance.show_alarm(crash())

    assert not box(guidance).isEnabled()


def test_other_rules_show_at_once(guidance):
    guidance.show_alarm(crash())
    rule = replace(shipped_rules().find("collision"), guidance=Guidance(action="Ring the bell.", checklist=("Rung",)))

    guidance.show_rules(RulesInForce(rules=shipped_rules().with_rule(rule), version=1))

    assert "Ring the bell." in read(guidance)
    assert guidance.steps == {"Rung": False}


def test_each_link_of_the_rule_is_a_button_that_asks_for_it(guidance):
    rule = shipped_rules().find("collision")
    rule = replace(rule, guidance=replace(rule.guidance, links=(Link.MAP, Link.PAGE), camera="Bridge", page=""))
    guidance.show_rules(RulesInForce(rules=shipped_rules().with_rule(rule), version=1))
    guidance.show_alarm(crash())
    asked = []
    guidance.link_requested.connect(lambda alarm, said, link: asked.append((alarm.kind, said.camera, link)))

    shown = [one for one in guidance.findChildren(QPushButton) if one.isVisible()]
    for button in shown:
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    assert [one.text() for one in shown] == ["Camera", "Map"]
    assert asked == [("collision", "Bridge", Link.CAMERA), ("collision", "Bridge", Link.MAP)]


def test_who_was_called_and_who_is_next_is_said_while_nobody_acknowledges(guidance):
    rule = replace(shipped_rules().find("collision"), escalation=Escalation(recipients=("supervisor", "duty officer")))
    guidance.show_rules(RulesInForce(rules=shipped_rules().with_rule(rule), version=1))

    guidance.show_alarm(crash())
    assert "Next: supervisor." in read(guidance)
    guidance.show_alarm(crash(escalation_level=1, version=2))
    assert "Called: supervisor. Next: supervisor, duty officer." in read(guidance)
    guidance.show_alarm(crash(is_acknowledged=True, version=3))
    assert "supervisor" not in read(guidance)


@pytest.mark.parametrize("kind", SourceKind)
def test_every_alarm_has_something_to_read(guidance, kind):
    guidance.show_alarm(alarm(kind="unheard_of", source_kind=kind))

    assert "What to do" in read(guidance)
