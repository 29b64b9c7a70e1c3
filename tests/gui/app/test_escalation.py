"""Whose desk says that an alarm was escalated."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.escalation import EscalationWatch
from core.access.model import Role, Session, User
from core.incidents.model import Priority
from core.incidents.rules.model import AlarmRule, Escalation, RoleName, RuleSet, RulesInForce
from tests.fixtures.alarms import alarm
from tests.gui.app.test_panels import room  # noqa: F401

RULES = RulesInForce(
    rules=RuleSet(
        rules=(
            AlarmRule(
                rule_id="jam",
                escalation=Escalation(roles=(RoleName.OPERATOR, RoleName.SUPERVISOR), recipients=("", "duty officer")),
            ),
        )
    ),
    version=1,
)
CALLS = alarm(rule_id="jam", priority=Priority.HIGH, is_acknowledged=False)


def sit_down(room, role):  # noqa: F811
    at = datetime(2026, 1, 1, tzinfo=UTC)
    user = User(user_id="u", name="dana", role=role)
    room.connection.session = Session(token="t", user=user, desk="Desk 1", expires_at=at + timedelta(days=1))


@pytest.fixture
def told(room):  # noqa: F811
    """Return what the desk says, beside a list in which the alarm calls already."""
    said = []
    watch = EscalationWatch(room)
    room.toast_requested.connect(lambda sentence, _hint: said.append(sentence))
    room.live.rules = RULES
    show(room, CALLS)
    yield said
    watch.deleteLater()
    room.closing.emit()


def show(room, *alarms):  # noqa: F811
    room.live.alarms.update({one.alarm_id: one for one in alarms})
    room.live.tell_all()


@pytest.mark.parametrize(
    ("role", "n_told"), [(Role.VIEWER, 0), (Role.OPERATOR, 1), (Role.SUPERVISOR, 2), (Role.ADMINISTRATOR, 2)]
)
def test_each_level_is_said_once_at_the_desks_of_its_role(room, told, role, n_told):  # noqa: F811
    sit_down(room, role)

    for level in (1, 1, 2, 2):
        show(room, replace(CALLS, escalation_level=level, n_calls=level + 1))

    assert len(told) == n_told
    assert ("duty officer" in " ".join(told)) is (n_told == 2)


def test_what_is_acknowledged_is_not_said(room, told):  # noqa: F811
    sit_down(room, Role.SUPERVISOR)

    show(room, replace(CALLS, escalation_level=1, is_acknowledged=True))

    assert told == []
