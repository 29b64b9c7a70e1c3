"""What consoles are told of a lot's past and future; a real database, and training in its real process."""

import asyncio
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import insert

from core.access.model import Actor, Role
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.settings import ParkingSettings
from core.node.demo import seed_history
from core.parking.forecast.model import FullExpected, LotEvent
from core.parking.forecast.service import ForecastService
from core.parking.model import Bay, Lot
from core.parking.service import ParkingService
from core.store.engine import open_store, sqlite_url
from core.store.tables import LotOccupancyRow

AT = datetime(2026, 3, 18, 9, 0, tzinfo=UTC)  # a Wednesday
DANA = Actor(name="dana", role=Role.SUPERVISOR, desk="1")
OTTO = Actor(name="otto", role=Role.OPERATOR, desk="2")
VERA = Actor(name="vera", role=Role.VIEWER, desk="3")
LOT = Lot(
    lot_id="quay",
    name="Quay",
    bays=tuple(Bay(bay_id=f"A{number}", zone="A" if number <= 10 else "B") for number in range(1, 31)),
)


class Place(NamedTuple):
    """Where a desk keeps its rows and its models."""

    url: str
    folder: Path


class Desk:
    """Lots, their forecasts, and a database."""

    def __init__(self, place, clock, **settings):
        self.folder, self.clock, self.bus = place.folder, clock, Bus()
        self.store = open_store(place.url, backups=place.folder, clock=clock, retry_for_s=0.2)
        self.parking = ParkingService(store=self.store, bus=self.bus, clock=clock)
        self.warned = []
        self.bus.subscribe(FullExpected, self.warned.append)
        self.make(**settings)

    def make(self, **settings):
        self.service = ForecastService(
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            parking=self.parking,
            settings=ParkingSettings(**settings),
            time_zone="Europe/Berlin",
            folder=self.folder,
        )

    async def draw(self):
        if self.parking.lot_plan("quay") is None:
            await self.parking.save_lot(DANA, LOT)

    async def live_through(self):
        await seed_history(self.store, (LOT,), now=self.clock.now(), time_zone="Europe/Berlin")

    async def count(self, *rows):
        values = [
            {"lot_id": "quay", "at": at, "n_bays": 30, "n_occupied": n_occupied, "n_unknown": 0}
            for at, n_occupied in rows
        ]
        await self.store.write(lambda session: session.execute(insert(LotOccupancyRow), values) and None)

    async def close(self):
        await self.service.close()
        await self.parking.close()
        await self.store.close()


def with_desk(place, story, **settings):
    async def run():
        desk = Desk(place, FakeClock(AT), **settings)
        try:
            await desk.parking.restore()
            await desk.draw()
            return await story(desk)
        finally:
            await desk.close()

    return asyncio.run(run())


@pytest.fixture
def fresh(any_store, tmp_path):
    return Place(any_store, tmp_path)


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory, migrated_sqlite):
    """Forty days that nobody lived, and the models of them."""

    async def story(desk):
        await desk.live_through()
        desk.service.train(DANA)
        return await desk.service.finish()

    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(migrated_sqlite, folder / "db.sqlite3")
    state = with_desk(Place(sqlite_url(folder / "db.sqlite3"), folder), story)
    assert (state.n_lots, state.is_running, state.message) == (3, False, "")
    return folder


@pytest.fixture(scope="module")
def lived_postgres(tmp_path_factory, postgres_server, migrated_postgres):
    """The same forty days in the other kind of database."""
    name = postgres_server.make_database(like=migrated_postgres)
    with_desk(Place(postgres_server.url(name), tmp_path_factory.mktemp("lived")), Desk.live_through)
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def trained(request, trained_folder, tmp_path):
    """A copy of its own."""
    folder = shutil.copytree(trained_folder, tmp_path / "data")
    if request.param == "sqlite":
        return Place(sqlite_url(folder / "db.sqlite3"), folder)
    server = request.getfixturevalue("postgres_server")
    return Place(server.url(server.make_database(like=request.getfixturevalue("lived_postgres"))), folder)


def test_a_trained_lot_is_foreseen_and_its_models_outlive_the_node(trained):
    instants = [AT + timedelta(minutes=15), AT + timedelta(hours=9), AT + timedelta(days=6, hours=9)]

    async def story(desk):
        return [await desk.service.forecast("quay", zone, instants) for zone in ("", "A")]

    found, of_zone = with_desk(trained, story)

    assert [point.at for point in found.points] == instants
    for point in found.points:
        assert 0 <= point.low <= point.n_free <= point.high <= 30
        assert 0 <= point.full_probability <= 1
        assert point.error_bays > 0
    assert found.measured[0].errors.keys() >= {"last value", "last week"}
    assert (found.trained_at, found.n_bays, of_zone.n_bays) == (AT, 30, 10)
    assert len(found.data_hash) == 16


def test_a_lot_nobody_ever_counted_has_not_enough_history(fresh):
    found = with_desk(fresh, lambda desk: desk.service.forecast("quay", "", [AT + timedelta(hours=1)]))

    assert found.points == ()
    assert "Not enough history" in found.notes[0]


def test_little_history_gives_a_baseline_and_says_so(fresh):
    async def story(desk):
        hours = [(AT - timedelta(hours=hour), 5 + hour % 20) for hour in range(5 * 24, 0, -1)]
        await desk.count(*hours)
        return await desk.service.forecast("quay", "", [AT + timedelta(hours=1), AT + timedelta(days=2)])

    found = with_desk(fresh, story)

    assert all(point.is_baseline for point in found.points)
    assert found.points[0].high - found.points[0].low > 5
    assert any("Little history" in note for note in found.notes)
    assert found.measured == ()


def test_a_training_without_enough_history_says_why(fresh):
    async def story(desk):
        assert desk.service.train(DANA).is_running
        return await desk.service.finish()

    state = with_desk(fresh, story)

    assert state.trained_at is None
    assert "21 days" in state.message


def test_only_a_supervisor_trains(fresh):
    async def story(desk):
        with pytest.raises(NotPermittedError):
            desk.service.train(OTTO)

    with_desk(fresh, story)


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(timedelta(hours=-1), "over"), (timedelta(days=8), "seven days")],
)
def test_what_cannot_be_foreseen_is_refused_with_a_sentence(fresh, ahead, words):
    with pytest.raises(BadInputError, match=words):
        with_desk(fresh, lambda desk: desk.service.forecast("quay", "", [AT + ahead]))


def test_a_zone_that_is_not_there_is_refused(fresh):
    with pytest.raises(BadInputError, match="no zone"):
        with_desk(fresh, lambda desk: desk.service.figures("quay", "C", AT - timedelta(days=1), AT))


def test_the_figures_of_zones_add_up_to_those_of_the_lot(trained):
    async def story(desk):
        since = AT - timedelta(days=14)
        return [await desk.service.figures("quay", zone, since, AT) for zone in ("", "A", "B")]

    whole, north, south = with_desk(trained, story)

    assert whole.n_bays == north.n_bays + south.n_bays == 30
    assert whole.n_occupied == north.n_occupied + south.n_occupied
    assert whole.dwell.n_complete == north.dwell.n_complete + south.dwell.n_complete > 500
    assert {bay.bay_id for bay in whole.bays} == {bay.bay_id for bay in LOT.bays}
    assert 0.95 < whole.known_share < 1.0


def test_a_file_of_models_that_cannot_be_read_is_none(trained):
    async def story(desk):
        file = desk.folder / "forecast" / "training.json"
        file.write_text("{}")
        return await desk.service.forecast("quay", "", [AT + timedelta(hours=2)])

    assert with_desk(trained, story).points[0].is_baseline


def test_a_lot_that_fills_up_is_warned_of_once_and_taken_back(trained):
    async def story(desk):
        found = await desk.service.forecast("quay", "", [AT + timedelta(minutes=30)])
        point = found.points[0]
        for chance in (0.1, 0.8, 0.9, 0.6, 0.3, 0.2):
            desk.service._judge("quay", replace(found, points=(replace(point, full_probability=chance),)))
        return desk.warned

    warned = with_desk(trained, story)

    assert [(event.is_begin, event.probability) for event in warned] == [(True, 0.8), (False, 0.3)]


def test_the_calendar_is_kept_changed_and_guarded_against_two_at_once(both_stores, tmp_path):
    event = LotEvent(event_id="", name=" Match ", begins_at=AT, ends_at=AT + timedelta(hours=3), lot_id="quay")

    async def story(desk):
        kept = await desk.service.save_event(OTTO, event)
        changed = await desk.service.save_event(OTTO, replace(kept, effect_percent=20.0))
        with pytest.raises(StaleWriteError):
            await desk.service.save_event(OTTO, replace(kept, name="Fair"))
        with pytest.raises(NotPermittedError):
            await desk.service.save_event(VERA, event)
        found = await desk.service.events()
        await desk.service.remove_event(OTTO, changed)
        return kept, found, await desk.service.events()

    kept, found, left = with_desk(Place(both_stores, tmp_path), story)

    assert (kept.name, kept.version) == ("Match", 1)
    assert [(one.effect_percent, one.version) for one in found] == [(20.0, 2)]
    assert left == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "  "}, "no name"),
        ({"ends_at": AT}, "ends before"),
        ({"effect_percent": 400.0}, "no share"),
        ({"ends_at": AT + timedelta(days=60)}, "longer"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(fresh, change, words):
    event = LotEvent(event_id="", name="Fair", begins_at=AT, ends_at=AT + timedelta(hours=3))

    with pytest.raises(BadInputError, match=words):
        with_desk(fresh, lambda desk: desk.service.save_event(OTTO, replace(event, **change)))


def test_what_an_operator_knows_of_an_evening_changes_its_forecast(trained):
    async def story(desk):
        evening = AT + timedelta(hours=14)
        before = await desk.service.forecast("quay", "", [evening])
        event = LotEvent(
            event_id="",
            name="Fair",
            begins_at=evening - timedelta(hours=1),
            ends_at=evening + timedelta(hours=1),
            effect_percent=40.0,
        )
        await desk.service.save_event(OTTO, event)
        after = await desk.service.forecast("quay", "", [evening])
        return before.points[0], after.points[0]

    before, after = with_desk(trained, story)

    assert after.n_free < before.n_free - 5
    assert after.occasion == "Fair"


def test_holidays_of_a_country_nobody_knows_are_said_and_left_out(trained):
    async def story(desk):
        return await desk.service.forecast("quay", "", [AT + timedelta(hours=2)])

    found = with_desk(trained, story, country="XX")

    assert any("no holidays of XX" in note for note in found.notes)
    assert found.points
