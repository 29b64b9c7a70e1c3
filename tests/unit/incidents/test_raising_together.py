"""A burst of alarms is stored in a few statements, and is what it would have been one by one."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from core.access import audit
from core.incidents import ledger
from core.incidents.evidence import Evidence
from core.incidents.model import AlarmState, Condition, Priority, SourceKind
from core.incidents.raising import Raising, raise_alarm, raise_all
from core.incidents.rules.book import shipped_tunings
from core.store.tables import AlarmJournalRow, AlarmRow, OutOfServiceRow, PlannedWorksRow
from tests.fixtures.room import Room, make_condition

DEVICES = ["gate-a/one", "gate-a/two", "gate-b/one"]


class Undo(Exception):  # noqa: N818  it is no error
    """Carries what was found out of a transaction that is not to be kept."""


def condition_of(kind: str, device_id: str, priority: Priority) -> Condition:
    return make_condition(
        kind=kind,
        condition_key=f"device/{device_id}/{kind}",
        source_kind=SourceKind.DEVICE,
        source_id=device_id,
        source_name=device_id,
        priority=priority,
    )


conditions = st.builds(
    condition_of,
    st.sampled_from(["device_lost", "gateway_lost", "edge_hot", "broker"]),
    st.sampled_from(DEVICES),
    st.sampled_from(Priority),
)


def what_stands(session: Session) -> list[object]:
    """Return every alarm and its journal without what is drawn at random: ids."""
    found: list[object] = []
    for row in session.scalars(select(AlarmRow).order_by(AlarmRow.condition_key)):
        alarm = replace(ledger.alarm_of(row), alarm_id="", occurrence="", incident_id="")
        query = select(AlarmJournalRow).where(AlarmJournalRow.alarm_id == row.alarm_id)
        journal = [
            (one.sequence, one.at, one.event, one.state_before, one.state_after, one.priority, one.is_call)
            for one in session.scalars(query.order_by(AlarmJournalRow.sequence))
        ]
        found.append((alarm, journal))
    return found


def hold(session: Session, room: Room) -> None:
    """Something is out of service and works are announced, as on every real site."""
    now = room.clock.now()
    session.add(
        OutOfServiceRow(
            hold_id="hold",
            condition_key="",
            source_kind="device",
            source_id="gate-a/two",
            source_name="two",
            owner="Olga",
            reason="swap",
            since=now,
            until=now + timedelta(hours=1),
        )
    )
    session.add(
        PlannedWorksRow(
            works_id="works",
            title="Road",
            sources=[["device", "gate-b/one"]],
            kinds=["edge_hot"],
            since=now,
            until=now + timedelta(hours=1),
            owner="Olga",
            reason="",
        )
    )
    session.flush()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(burst=st.lists(conditions, min_size=1, max_size=12), is_held=st.booleans())
def test_a_burst_leaves_what_one_after_the_other_leaves(room: Room, burst: list[Condition], is_held: bool) -> None:
    tunings = shipped_tunings()
    raisings = [Raising(condition=one, at=room.clock.now()) for one in burst]

    def outcome(together: bool) -> list[object]:
        def run(session: Session) -> None:
            if is_held:
                hold(session, room)
            if together:
                raise_all(session, raisings, tunings)
            else:
                for one in raisings:
                    raise_alarm(session, one, tunings)
            raise Undo(what_stands(session))

        with pytest.raises(Undo) as undone:
            room.run(room.store.write(run))
        found: list[object] = undone.value.args[0]
        return found

    assert outcome(together=True) == outcome(together=False)


def test_alarms_of_one_turn_are_all_stored_and_told_and_the_audit_holds(room: Room) -> None:
    burst = [condition_of("edge_hot", f"gate-a/{number}", Priority.HIGH) for number in range(100)]

    async def raise_them() -> list[Any]:
        return list(await asyncio.gather(*(room.incidents.raise_condition(one) for one in burst)))

    raised = room.run(raise_them())

    assert sorted(alarm.condition_key for alarm in raised) == sorted(one.condition_key for one in burst)
    assert set(room.run(room.incidents.open_alarms())) == set(raised)
    assert {one.alarm for one in room.events if hasattr(one, "alarm")} == set(raised)
    verdict = room.run(audit.verify(room.store))
    assert (verdict.ok, verdict.n_rows) == (True, 100)


def test_an_end_that_follows_in_the_same_turn_comes_after_its_beginning(room: Room) -> None:
    condition = condition_of("edge_hot", "gate-a/one", Priority.HIGH)

    async def begin_and_end() -> None:
        begin = asyncio.create_task(room.incidents.raise_condition(condition))
        end = asyncio.create_task(room.incidents.return_condition(condition.condition_key))
        await asyncio.gather(begin, end)

    room.run(begin_and_end())

    assert [alarm.is_active for alarm in room.run(room.incidents.open_alarms())] == [False]


def test_one_that_cannot_be_stored_fails_alone(room: Room) -> None:
    good = condition_of("edge_hot", "gate-a/one", Priority.HIGH)
    bad = replace(condition_of("edge_hot", "gate-a/two", Priority.HIGH), detail=None)

    async def raise_both() -> list[Any]:
        both = (room.incidents.raise_condition(one) for one in (bad, good))
        return list(await asyncio.gather(*both, return_exceptions=True))

    failed, raised = room.run(raise_both())

    assert isinstance(failed, AttributeError)
    assert raised.state is AlarmState.UNACKNOWLEDGED
    assert room.run(room.incidents.open_alarms()) == (raised,)


def test_a_burst_takes_hardly_more_statements_than_one(room: Room) -> None:
    def count(n_alarms: int, kind: str) -> int:
        burst = [
            Raising(condition=condition_of(kind, f"gate-a/{number}", Priority.HIGH), at=room.clock.now())
            for number in range(n_alarms)
        ]
        statements: list[str] = []

        def run(session: Session) -> None:
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
            raise_all(session, burst, shipped_tunings())
            raise Undo

        with pytest.raises(Undo):
            room.run(room.store.write(run))
        return len(statements)

    assert count(64, "edge_hot") <= count(1, "edge_hot") + 6


def test_the_first_alarm_of_an_incident_keeps_the_picture(room: Room) -> None:
    picture = Evidence(path="2026/a.jpg", sha256="ab")
    raising = Raising(
        condition=condition_of("edge_hot", "gate-a/one", Priority.HIGH), at=room.clock.now(), evidence=picture
    )

    changed = room.run(room.store.write(lambda session: raise_all(session, [raising, raising], shipped_tunings())))

    assert [one.used_evidence for one in changed] == [True, False]
    assert changed[0].incidents[0].snapshot_path == "2026/a.jpg"
