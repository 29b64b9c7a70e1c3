"""A database from before alarms had more than four states."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.incidents import ledger, machine
from core.incidents.model import Quality
from core.store.engine import sqlite_url
from core.store.tables import AlarmRow
from tests.fixtures.room import Room

T0 = "2026-01-01 12:00:00.000000"
T1 = "2026-01-01 12:00:30.000000"
CONDITION = {
    "condition_key": "camera/north/jam",
    "kind": "congestion",
    "title": "Jam",
    "priority": 3,
    "source_kind": "camera",
    "source_id": "north",
    "source_name": "North",
}
RAISED = {
    "at": "2026-01-01T12:00:00Z",
    "condition": CONDITION,
    "alarm_id": "A",
    "occurrence": "O",
    "incident_id": "I",
}


@pytest.fixture
def older_file(tmp_path: Path, database_before) -> Path:
    """A file as version 0003 left it: one alarm of a camera that is lost."""
    file = database_before("0004")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO incident (incident_id, kind, title, source_kind, source_id, source_name, status, began_at,"
            " confidence, snapshot_path, snapshot_sha256, version)"
            " VALUES ('I', 'congestion', 'Jam', 'camera', 'north', 'North', 'new', ?, 1, '', '', 1)",
            (T0,),
        )
        connection.execute(
            "INSERT INTO alarm (alarm_id, condition_key, occurrence, incident_id, kind, title, detail, priority,"
            " source_kind, source_id, source_name, is_active, is_acknowledged, is_open, raised_at, changed_at,"
            " acknowledged_by, acknowledged_desk, comment, n_repeats, is_quality_good, version)"
            " VALUES ('A', 'camera/north/jam', 'O', 'I', 'congestion', 'Jam', '', 3, 'camera', 'north', 'North',"
            " 1, 0, 1, ?, ?, '', '', '', 0, 0, 2)",
            (T0, T1),
        )
        for sequence, at, event, payload in (
            (1, T0, "raise", {"type": "raised", "event": RAISED}),
            (
                2,
                T1,
                "quality_lost",
                {"type": "quality_changed", "event": {"at": "2026-01-01T12:00:30Z", "is_good": False}},
            ),
        ):
            connection.execute(
                "INSERT INTO alarm_journal (alarm_id, sequence, at, event, occurrence, state_before, state_after,"
                " actor, desk, payload) VALUES ('A', ?, ?, ?, 'O', 'UNACK', 'UNACK', 'watchfloor', '', ?)",
                (sequence, at, event, json.dumps(payload)),
            )
    return file


def test_an_alarm_of_the_version_before_stands_as_its_journal_tells(older_file: Path) -> None:
    room = Room(sqlite_url(older_file), older_file.parent)

    def read(session):
        return ledger.alarm_of(session.get_one(AlarmRow, "A")), ledger.events_of(session, "A")

    alarm, events = room.run(room.store.read(read))
    room.close()

    assert alarm.quality is Quality.STALE
    assert alarm.calling_since == alarm.raised_at
    assert machine.replay(events) == alarm
