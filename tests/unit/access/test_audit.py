"""The audit cannot be changed, and where somebody did it anyway the check says where."""

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from core.access import audit
from core.access.audit import AuditHead
from tests.fixtures.room import OLGA, Room


def append(room: Room, n_rows: int = 1) -> None:
    for number in range(n_rows):
        room.clock.advance(seconds=1)
        room.run(audit.record(room.store, room.clock, OLGA, action="test.row", subject=f"thing {number}"))


def tamper(room: Room, *statements: str) -> None:
    """Change the file as someone would who may write to it."""
    room.run(room.store.close())
    with closing(sqlite3.connect(room.folder / "watchfloor.sqlite3")) as connection, connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("DROP TRIGGER audit_no_delete")
        for statement in statements:
            connection.execute(statement)
    room.restart()


def verdict_of(room: Room, exported: AuditHead | None = None) -> audit.AuditVerdict:
    return room.run(audit.verify(room.store, exported=exported))


def test_an_untouched_audit_is_sound(room: Room) -> None:
    append(room, 20)

    verdict = verdict_of(room)

    assert (verdict.ok, verdict.n_rows, verdict.first_bad_sequence) == (True, 20, None)
    assert verdict.reason == "All 20 rows of the audit are as they were written."


def test_an_empty_audit_is_sound(room: Room) -> None:
    assert verdict_of(room).ok


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_the_audit(room: Room, statement: str) -> None:
    append(room)

    with pytest.raises(IntegrityError, match="append-only"):
        room.run(room.store.write(lambda s: s.execute(text(statement)) and None))

    assert verdict_of(room).n_rows == 1


@pytest.mark.parametrize(
    "change",
    ["at = '2020-01-01 00:00:00.000000'", "actor = 'x'", "desk = 'x'", "action = 'x'", "subject = 'x'", "detail = 'x'"],
)
def test_a_changed_row_is_found(room: Room, change: str) -> None:
    append(room, 10)
    tamper(room, f"UPDATE audit SET {change} WHERE sequence = 4")

    verdict = verdict_of(room)

    assert (verdict.ok, verdict.first_bad_sequence) == (False, 4)
    assert "changed after it was written" in verdict.reason


def test_a_row_that_is_missing_in_the_middle_is_found(room: Room) -> None:
    append(room, 10)
    tamper(room, "DELETE FROM audit WHERE sequence = 5")

    assert verdict_of(room).first_bad_sequence == 5


def test_a_row_that_is_missing_and_numbered_over_is_found(room: Room) -> None:
    append(room, 10)
    tamper(
        room,
        "DELETE FROM audit WHERE sequence = 5",
        *(f"UPDATE audit SET sequence = {n - 1} WHERE sequence = {n}" for n in range(6, 11)),
    )

    assert verdict_of(room).first_bad_sequence == 5


def test_two_rows_that_changed_places_are_found(room: Room) -> None:
    append(room, 10)
    tamper(
        room,
        "UPDATE audit SET sequence = 100 WHERE sequence = 3",
        "UPDATE audit SET sequence = 3 WHERE sequence = 4",
        "UPDATE audit SET sequence = 4 WHERE sequence = 100",
    )

    assert verdict_of(room).first_bad_sequence == 3


def test_rows_that_were_cut_off_at_the_end_are_found(room: Room) -> None:
    append(room, 10)
    tamper(room, "DELETE FROM audit WHERE sequence > 7")

    verdict = verdict_of(room)

    assert (verdict.ok, verdict.first_bad_sequence) == (False, 8)
    assert verdict.reason == "The audit was cut off after row 7; it had 10 rows."


def test_rows_that_were_cut_off_stay_found_when_the_room_goes_on(room: Room) -> None:
    append(room, 10)
    tamper(room, "DELETE FROM audit WHERE sequence > 7")
    append(room, 5)

    assert verdict_of(room).first_bad_sequence == 8


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM setting WHERE key = 'audit.head'",
        """UPDATE setting SET value = '{"n_rows": 4, "hash_hex": "00"}' WHERE key = 'audit.head'""",
    ],
)
def test_a_noted_end_that_was_set_back_is_found_and_does_not_stop_the_room(room: Room, statement: str) -> None:
    append(room, 10)
    tamper(room, "DELETE FROM audit WHERE sequence > 8", statement)
    assert not verdict_of(room).ok

    append(room, 3)

    verdict = verdict_of(room)
    assert (verdict.ok, verdict.first_bad_sequence) == (False, 9)


def test_an_audit_that_was_written_anew_is_found_by_an_exported_head(room: Room) -> None:
    append(room, 10)
    exported = verdict_of(room).head
    assert exported is not None
    tamper(room, "DELETE FROM audit", "DELETE FROM setting WHERE key = 'audit.head'")
    append(room, 12)

    assert verdict_of(room).ok
    verdict = verdict_of(room, exported)
    assert (verdict.ok, verdict.first_bad_sequence) == (False, 10)


def test_an_exported_head_stays_good_while_the_audit_grows(room: Room) -> None:
    append(room, 3)
    exported = verdict_of(room).head
    append(room, 3)

    assert verdict_of(room, exported).ok


def test_an_audit_row_lives_and_dies_with_its_transaction(room: Room) -> None:
    def fail(session: object) -> None:
        audit.append(session, OLGA, action="a", subject="b", at=room.clock.now())  # type: ignore[arg-type]
        raise KeyError("afterwards")

    with pytest.raises(KeyError):
        room.run(room.store.write(fail))
    append(room)

    assert verdict_of(room).n_rows == 1


def test_the_newest_rows_are_read_page_by_page(room: Room) -> None:
    append(room, 5)

    first = room.run(audit.recent(room.store, limit=2))
    second = room.run(audit.recent(room.store, limit=2, before_sequence=first[-1].sequence))

    assert [entry.sequence for entry in (*first, *second)] == [5, 4, 3, 2]
