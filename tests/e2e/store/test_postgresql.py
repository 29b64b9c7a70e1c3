"""The services on PostgreSQL: what differs from SQLite is found here."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from core.access import audit
from core.access.model import Role
from core.cameras.model import Camera
from core.incidents import cap, ledger, machine
from core.incidents.cap import CapAlert, CapInfo
from core.incidents.dispatch import DispatchService
from core.incidents.figures import read_figures
from core.incidents.handover import HandOverService
from core.incidents.model import Quality, SourceKind
from core.incidents.rules.desk import RuleDesk
from core.incidents.rules.text import shipped_rules
from core.incidents.shift import ShiftQuery, ShiftService
from core.incidents.warnings import WarningPolicy, WarningService
from core.incidents.work import HandIncident, Step, StepOrder
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.node.bench_figures import BEGIN, fill_history, plain_figures, plain_rows, same_figures
from core.store.counts import upsert_whole
from core.store.tables import Base, LineCountRow
from core.vision.model import Observation, ObservationKind, Phase, Scene, Zone
from tests.fixtures.alarm_life import (
    Life,
    assert_journal_gives_the_tables,
    assert_what_was_answered_is_in_the_journal,
)
from tests.fixtures.room import ADA, OLGA, OMAR, SUSI, Room, make_condition


@pytest.fixture
def postgres_room(postgres_url: str, tmp_path: Path) -> Iterator[Room]:
    room = Room(postgres_url, tmp_path)
    yield room
    room.close()


def test_the_migrations_make_exactly_the_tables_of_the_code(postgres_room: Room, postgres_url: str) -> None:
    engine = create_engine(postgres_url)

    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()

    assert differences == []


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_database_refuses_to_change_the_audit(postgres_room: Room, statement: str) -> None:
    room = postgres_room
    room.sign_up()

    with pytest.raises(DBAPIError, match="append-only"):
        room.run(room.store.write(lambda s: s.execute(text(statement)) and None))

    assert room.run(audit.verify(room.store)).n_rows == 1


def test_a_newer_database_is_refused(postgres_room: Room, postgres_url: str, tmp_path: Path) -> None:
    room = postgres_room
    room.run(room.store.write(lambda s: s.execute(text("UPDATE alembic_version SET version_num = '9999'")) and None))

    with pytest.raises(BadInputError, match="newer Watchfloor"):
        Room(postgres_url, tmp_path)


def test_a_reader_cannot_write(postgres_room: Room) -> None:
    room = postgres_room

    with pytest.raises(DBAPIError, match=r"read-only|cannot execute"):
        room.run(room.store.read(lambda s: s.execute(text("DELETE FROM setting"))))

    assert room.store.status() == (True, "")


def test_an_alarm_lives_from_raise_to_acknowledge_and_replays(postgres_room: Room) -> None:
    room = postgres_room
    alarm = room.run(
        room.incidents.raise_condition(make_condition(title="Nul \x00 \ud800", position=GeoPoint(54.0, 12.0)))
    )
    room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.STALE))
    room.run(
        room.incidents.acknowledge(
            OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=1, comment="\x00ok"
        )
    )
    with pytest.raises(StaleWriteError, match="olga"):
        room.run(room.incidents.acknowledge(OMAR, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=1))

    stored = room.run(room.incidents.open_alarms())[0]
    events = room.run(room.store.read(lambda s: ledger.events_of(s, alarm.alarm_id)))

    assert machine.replay(events) == stored
    assert (stored.comment, stored.position) == ("ok", GeoPoint(54.0, 12.0))
    assert room.run(audit.verify(room.store)).ok


def test_an_observation_is_stored_once(postgres_room: Room) -> None:
    room = postgres_room
    seen = Observation(
        observation_id=new_id(),
        camera_id="ring-north",
        kind=ObservationKind.CONGESTION,
        phase=Phase.BEGIN,
        rule_key="zone-a",
        rule_name="Lane A",
        condition_key="congestion:zone-a",
        pts_s=1.5,
        captured_at=room.clock.now(),
        bbox_xyxy=(0.1, 0.2, 0.3, 0.4),
        values={"n_vehicles": 3.0, "density": float("nan")},
    )
    first = room.run(room.incidents.take_observation(seen, camera_name="Ring North"))
    second = room.run(room.incidents.take_observation(seen, camera_name="Ring North"))

    assert first is not None
    assert second is None
    assert room.run(room.incidents.open_alarms()) == (first,)


def test_users_sign_in_and_are_locked(postgres_room: Room) -> None:
    room = postgres_room
    room.sign_up()
    room.run(room.access.add_user(ADA, "dana", "correct horse", Role.OPERATOR))
    for _ in range(5):
        with pytest.raises(NotPermittedError, match="name or the password"):
            room.run(room.access.sign_in("dana", "wrong wrong", "Desk 1"))
    with pytest.raises(NotPermittedError, match="too many"):
        room.run(room.access.sign_in("dana", "correct horse", "Desk 1"))
    room.clock.advance(seconds=31)

    session = room.run(room.access.sign_in("dana", "correct horse", "Desk 1"))

    assert room.run(room.access.resume(session.token)) == session


def test_a_camera_comes_back_as_it_was_added(postgres_room: Room) -> None:
    room = postgres_room
    zone = Zone(key="a", name="Å", polygon=((0.1, 0.1), (0.9, 0.1), (0.5, 0.9)), stopped_after_s=5.0)
    draft = Camera(camera_id="", name="Ring", address="rtsp://cam/1", scene=Scene(zones=(zone,)))

    camera = room.run(room.cameras.add(SUSI, draft))
    changed = room.run(room.cameras.update(SUSI, replace(camera, name="Süd"), expect_version=1))

    assert camera.scene == draft.scene
    assert room.run(room.cameras.list()) == (changed,)


def test_of_a_minute_the_most_that_was_counted_stays(postgres_room: Room) -> None:
    room = postgres_room
    minute = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for n_vehicles in (3, 6, 2):
        room.run(
            room.store.write(
                lambda s, n=n_vehicles: upsert_whole(
                    s, camera_id="c", line_key="l", direction="in", label="car", minute=minute, n_vehicles=n
                )
            )
        )

    rows = room.run(room.store.read(lambda s: [(r.n_vehicles, r.minute) for r in s.query(LineCountRow)]))
    assert rows == [(6, minute)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE incident_step SET comment = 'never said'",
        "DELETE FROM shift_entry",
        "TRUNCATE shift_entry",
    ],
)
def test_what_operators_did_and_wrote_cannot_be_changed(postgres_room: Room, statement: str) -> None:
    room = postgres_room
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    room.run(dispatch.open_by_hand(OLGA, HandIncident(kind="fire", title="Smoke")))
    room.run(ShiftService(room.store, room.bus, room.clock).write(OLGA, "Signal 12 flashes"))

    with pytest.raises(DBAPIError, match="append-only"):
        room.run(room.store.write(lambda session: session.execute(text(statement))))


def test_an_incident_is_worked_on_and_its_shift_handed_over(postgres_room: Room) -> None:
    room = postgres_room
    dispatch = DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")
    hand_over = HandOverService(room.store, room.bus, room.clock, folder=room.folder / "reports", site="M")
    shift = ShiftService(room.store, room.bus, room.clock)
    jam = room.run(room.incidents.raise_condition(make_condition()))
    incident = room.run(dispatch.open_by_hand(OLGA, HandIncident(kind="fire", title="Smoke")))
    attach = StepOrder(step=Step.ATTACH, alarm_id=jam.alarm_id)
    incident = room.run(dispatch.take_step(OLGA, incident.incident_id, attach, expect_version=1))
    room.run(shift.write(OLGA, "Signal 12 flashes"))

    assert [alarm.alarm_id for alarm in room.run(dispatch.detail(incident.incident_id)).alarms] == [jam.alarm_id]
    assert [entry.text for entry in room.run(shift.entries(ShiftQuery(words="SIGNAL"))).entries] == [
        "Signal 12 flashes"
    ]
    made = room.run(hand_over.hand_over(OLGA))
    assert room.run(hand_over.sign(OMAR, made.hand_over_id)).signed_by == "omar"


def test_a_warning_holds_once_and_ends(postgres_room: Room) -> None:
    room = postgres_room
    warnings = WarningService(room.store, room.bus, room.clock, room.incidents, WarningPolicy())
    info = CapInfo(
        event="Flood",
        urgency="Immediate",
        severity="Severe",
        certainty="Observed",
        expires=room.clock.now() + timedelta(minutes=1),
    )
    alert = CapAlert(
        identifier="A", sender="o", sent=room.clock.now(), status="Actual", msg_type="Alert", infos=(info,)
    )
    outcomes = [room.run(warnings.take(cap.to_xml(alert), origin="test")).outcome for _ in range(2)]
    room.clock.advance(seconds=61)
    room.run(warnings.tick())

    assert outcomes == ["raised", "known"]
    assert warnings.warnings() == ()


def test_alarm_rules_are_kept_and_figures_are_the_same(postgres_room: Room) -> None:
    room = postgres_room
    desk = RuleDesk(room.store, room.bus, room.clock)
    rules = replace(shipped_rules(), rules=shipped_rules().rules[1:])
    room.run(desk.save(SUSI, rules, expect_version=0, reason="Not needed here"))
    with pytest.raises(DBAPIError, match="append-only"):
        room.run(room.store.write(lambda s: s.execute(text("UPDATE rule_version SET reason = 'x'")) and None))
    later = RuleDesk(room.store, room.bus, room.clock)
    assert room.run(later.load()) == ""
    assert later.book.in_force.rules == rules

    last = room.run(room.store.write(lambda s: fill_history(s, n_rows=2000, seed=9, per_day=2000)))
    until = last + timedelta(seconds=1)
    figures = room.run(room.store.read(lambda s: read_figures(s, since=BEGIN, until=until)))
    rows = room.run(room.store.read(plain_rows))
    assert same_figures(figures, plain_figures(rows, BEGIN, until)) == []


def test_whatever_happens_to_alarms_the_journal_gives_what_the_tables_say(postgres_room: Room) -> None:
    life = Life(postgres_room, 1)

    for _ in range(100):
        life.step()

    assert_journal_gives_the_tables(postgres_room)
    assert_what_was_answered_is_in_the_journal(life)
