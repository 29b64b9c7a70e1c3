"""Field data in both databases: nothing is stored twice, also where nobody knows whether a commit went through."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.field import event_log, rows
from core.field.model import FieldEvent, Reading
from core.store.engine import sqlite_url
from core.store.tables import FieldEventRow, ReadingRow
from tests.fixtures.room import Room

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    url = sqlite_url(tmp_path / "room.sqlite3")
    room = Room(url if request.param == "sqlite" else request.getfixturevalue("postgres_url"), tmp_path)
    yield room
    room.close()


def event(seq: int, boot: str = "B1") -> FieldEvent:
    return FieldEvent(
        device_id="traffic/a",
        seq=seq,
        event_id="",
        event_type="Count",
        at=NOON,
        received_at=NOON,
        boot=boot,
        is_good=True,
        is_history=False,
        data={"n": seq},
    )


def test_an_event_is_stored_once_and_a_wiped_device_may_use_its_number_again(either_room: Room) -> None:
    for batch in ([event(1), event(2)], [event(2), event(3)], [event(1, "B2")]):
        either_room.run(either_room.store.write(lambda s, batch=batch: rows.insert_events(s, batch)))

    query = select(FieldEventRow.seq, FieldEventRow.boot).order_by(FieldEventRow.field_event_id)
    stored = either_room.run(either_room.store.read(lambda s: [tuple(row) for row in s.execute(query)]))
    assert stored == [(1, "B1"), (2, "B1"), (3, "B1"), (1, "B2")]


def test_an_alert_waits_for_its_call_and_is_claimed_once(either_room: Room) -> None:
    alerts = [replace(event(seq), event_type="Alert", data={"severity": "high"}) for seq in (1, 2)]
    either_room.run(either_room.store.write(lambda s: rows.insert_events(s, [*alerts, event(3)])))

    def claim(*events: FieldEvent) -> bool:
        return either_room.run(either_room.store.write(lambda s: event_log.claim(s, events)))

    waiting = either_room.run(either_room.store.read(event_log.waiting_events))
    assert waiting == alerts
    assert claim(alerts[0])
    assert not claim(alerts[0], event(3))
    assert either_room.run(either_room.store.read(event_log.waiting_events)) == [alerts[1]]
    assert claim(*alerts)
    assert not claim(*alerts)


def test_a_reading_of_one_instant_is_stored_once_and_says_that_it_came_late(either_room: Room) -> None:
    late = Reading(device_id="traffic/a", stream="flow", at=NOON, values={"v": 1.0}, is_history=True)
    later = Reading(device_id="traffic/a", stream="flow", at=NOON + timedelta(seconds=1), values={"v": 2.0})
    for batch in ([late], [late, later]):
        either_room.run(either_room.store.write(lambda s, batch=batch: rows.insert_readings(s, batch)))

    query = select(ReadingRow.is_history, func.count()).group_by(ReadingRow.is_history).order_by(ReadingRow.is_history)
    stored = either_room.run(either_room.store.read(lambda s: [tuple(row) for row in s.execute(query)]))
    assert stored == [(False, 1), (True, 1)]
