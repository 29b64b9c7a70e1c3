"""Old readings go, everything that is evidence stays."""

from datetime import timedelta

from sqlalchemy import func, select

from core.store.retention import CHUNK, forget_before
from core.store.tables import AlarmRow, FlowMinuteRow, LotOccupancyRow, ReadingRow
from tests.fixtures.room import Room, make_condition


def count(room: Room, table) -> int:
    return room.run(room.store.read(lambda session: session.scalar(select(func.count()).select_from(table))))


def test_what_is_older_than_the_limit_is_deleted_in_small_steps_and_the_rest_stays(room: Room) -> None:
    now = room.clock.now()
    old, new = now - timedelta(days=91), now - timedelta(days=1)

    def fill(session):
        for at, n_rows in ((old, CHUNK + 10), (new, 20)):
            session.add_all(
                ReadingRow(device_id=f"d{number}", stream="flow", at=at, values={"speed": 1.0})
                for number in range(n_rows)
            )
            session.add(LotOccupancyRow(lot_id="l", at=at, n_bays=2, n_occupied=1))
            session.add(FlowMinuteRow(camera_id="c", subject="lane", key="k", minute=at, observed_s=60.0))

    room.run(room.store.write(fill))
    room.run(room.incidents.raise_condition(make_condition()))
    room.clock.advance(seconds=timedelta(days=400).total_seconds())

    deleted = room.run(forget_before(room.store, now - timedelta(days=90)))

    assert deleted == CHUNK + 12
    assert count(room, ReadingRow) == 20
    assert count(room, LotOccupancyRow) == 1
    assert count(room, FlowMinuteRow) == 1
    assert count(room, AlarmRow) == 1, "alarms are evidence"
