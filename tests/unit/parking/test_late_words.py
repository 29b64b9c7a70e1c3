"""What a bay's sensor said while nobody listened: history at its own time, under both databases, and never news."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.access.model import Actor, Role
from core.field.model import FieldEvent, Reading
from core.field.service import FieldEventReceived, LateReading, ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import StaleWriteError
from core.parking.figures import spans_of
from core.parking.forecast.history import read_bay_changes
from core.parking.history import Told, status_of, write_rows
from core.parking.model import (
    Bay,
    BayChange,
    BayEvidence,
    BaysChanged,
    BaysSeen,
    BaysSeenLate,
    BayState,
    BaysTold,
    Lot,
    LotChanged,
    LotOccupancy,
)
from core.parking.service import ParkingService
from core.store.engine import open_store

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DANA = Actor(name="dana", role=Role.SUPERVISOR, desk="1")
LOT = Lot(lot_id="quay", name="Quay", bays=(Bay(bay_id="A1"), Bay(bay_id="A2")), device_ids=("parking/gw",))
GATEWAY = "sensor:parking/gw"


class Desk:
    """A service on a database, with the lot drawn, and what it told."""

    def __init__(self, url, folder):
        self.clock, self.bus = FakeClock(AT), Bus()
        self.store = open_store(url, backups=folder, clock=self.clock)
        self.service = ParkingService(store=self.store, bus=self.bus, clock=self.clock)
        self.told = []
        for event in (BaysTold, BaysChanged, LotChanged):
            self.bus.subscribe(event, self.told.append)

    def sense(self, state, *, bay="A1"):
        reading = Reading(
            device_id="parking/gw", stream=bay, at=self.clock.now(), values={"occupied": float(state == "occupied")}
        )
        self.bus.publish(ReadingReceived("lot", reading))

    def sense_late(self, values, minute, *, stream="A1", device="parking/gw"):
        at = AT + timedelta(minutes=minute)
        reading = Reading(device_id=device, stream=stream, at=at, values=values, is_history=True)
        self.bus.publish(LateReading("lot", reading))

    def pass_min(self, minutes):
        self.clock.advance(seconds=60.0 * minutes)
        self.service.tick()

    async def rows(self):
        """Bay, minutes from the begin, state ("~" where it is stale) of every row, in order of time."""
        await self.service.close()
        found = await self.service.changes("quay", since=AT - timedelta(days=1), until=AT + timedelta(days=1))
        return [
            (one.bay_id, (one.at - AT).total_seconds() / 60.0, f"{'~' if one.is_stale else ''}{one.state}")
            for one in found
        ]

    async def states_at(self, minute):
        found = await self.service.states_at("quay", AT + timedelta(minutes=minute))
        return {one.bay_id: (str(one.state), one.is_stale) for one in found}

    async def spans(self):
        """Known times of the bays, as the figures are made of them [min]."""
        until = AT + timedelta(hours=3)
        changes = await self.store.read(lambda s: read_bay_changes(s, "quay", AT - timedelta(hours=1), until))
        spans = spans_of(changes, since_s=AT.timestamp(), until_s=until.timestamp())
        return [
            ((one.begin_s - AT.timestamp()) / 60, (one.end_s - AT.timestamp()) / 60, one.is_occupied) for one in spans
        ]


def run(url, folder, body):
    async def whole():
        desk = Desk(url, folder)
        try:
            await desk.service.restore()
            await desk.service.save_lot(DANA, LOT, note="first")
            return await body(desk)
        finally:
            await desk.service.close()
            await desk.store.close()

    return asyncio.run(whole())


def test_what_a_sensor_kept_fills_the_gap_and_its_stays_count_whole(both_stores, tmp_path):
    async def body(desk):
        desk.sense("free")
        desk.pass_min(10)  # Nothing is heard any more: stale after five minutes.
        desk.pass_min(80)
        desk.sense_late({"occupied": 1.0}, 20)
        desk.sense_late({"occupied": 0.0}, 65)
        desk.sense("free")

        assert (await desk.rows())[-1] == ("A1", 90.0, "free")
        assert await desk.states_at(15) == {"A1": ("free", False)}
        assert await desk.states_at(30) == {"A1": ("occupied", False)}
        assert await desk.states_at(66) == {"A1": ("free", False)}
        assert (20.0, 65.0, True) in await desk.spans()

    run(both_stores, tmp_path, body)


def test_the_same_late_word_said_again_changes_nothing(both_stores, tmp_path):
    async def body(desk):
        desk.sense("free")
        desk.pass_min(90)
        for _ in range(3):
            desk.sense_late({"occupied": 1.0}, 20)
            desk.sense_late({"occupied": 0.0}, 65)
        rows = await desk.rows()

        assert len(rows) == len(set(rows))
        assert [span for span in await desk.spans() if span[2]] == [(20.0, 65.0, True)]

    run(both_stores, tmp_path, body)


def test_a_late_word_is_told_to_nobody_and_leaves_the_present_as_it_is(sqlite_store, tmp_path):
    async def body(desk):
        desk.sense("free")
        desk.pass_min(90)
        await desk.service.close()
        desk.told.clear()
        before = desk.service.bays("quay")
        late = FieldEvent(
            device_id="parking/gw",
            seq=7,
            event_id="",
            event_type="ParkingSpot",
            at=AT + timedelta(minutes=20),
            received_at=desk.clock.now(),
            boot="",
            is_good=True,
            is_history=True,
            data={"bay": "A1", "status": "occupied"},
        )
        service = ParkingService(store=desk.store, bus=desk.bus, clock=desk.clock)
        await service.restore()
        desk.told.clear()
        before = service.bays("quay")
        desk.bus.publish(FieldEventReceived("lot", late))
        await service.close()

        assert service.bays("quay") == before
        assert desk.told == []
        assert await desk.states_at(21) == {"A1": ("occupied", False)}

    run(sqlite_store, tmp_path, body)


def test_a_late_word_never_stands_over_what_is_newer(sqlite_store, tmp_path):
    async def body(desk):
        desk.sense("free")
        desk.pass_min(90)
        desk.sense("free")
        desk.sense_late({"occupied": 1.0}, 50)
        await desk.service.close()

        assert await desk.states_at(51) == {"A1": ("occupied", False)}
        assert await desk.states_at(91) == {"A1": ("free", False)}

    run(sqlite_store, tmp_path, body)


def test_a_late_word_alone_holds_no_longer_than_a_state_may(sqlite_store, tmp_path):
    async def body(desk):
        desk.pass_min(90)
        desk.sense_late({"occupied": 1.0}, 20, stream="A2")
        await desk.service.close()

        assert await desk.states_at(24) == {"A2": ("occupied", False)}
        assert await desk.states_at(26) == {"A2": ("occupied", True)}

    run(sqlite_store, tmp_path, body)


def test_where_a_camera_watched_meanwhile_its_word_stands(sqlite_store, tmp_path):
    async def body(desk):
        word = BayEvidence(lot_id="quay", bay_id="A1", state=BayState.FREE, at=AT, confidence=0.9, source="camera:c1")
        desk.bus.publish(BaysSeen((word,)))
        desk.pass_min(3)
        desk.sense_late({"occupied": 1.0}, 2)

        assert await desk.rows() == [("A1", 0.0, "free")]

    run(sqlite_store, tmp_path, body)


def test_pictures_of_the_past_say_how_bays_stood_when_they_were_taken(both_stores, tmp_path):
    async def body(desk):
        desk.pass_min(90)
        desk.told.clear()
        for minute, state in ((20, "occupied"), (22, "occupied"), (24, "free"), (60, "occupied")):
            at = AT + timedelta(minutes=minute)
            word = BayEvidence(
                lot_id="quay", bay_id="A1", state=BayState(state), at=at, confidence=0.9, source="camera:pi"
            )
            desk.bus.publish(BaysSeenLate((word,)))

        # Between two pictures that are far apart nobody knows.
        await desk.service.close()
        assert await desk.spans() == [(20.0, 24.0, True), (24.0, 29.0, False), (60.0, 65.0, True)]
        assert desk.told == []

    run(both_stores, tmp_path, body)


def test_late_counts_of_a_lot_that_nobody_drew_are_kept_at_their_time(sqlite_store, tmp_path):
    async def body(desk):
        desk.pass_min(60)
        desk.told.clear()
        desk.sense_late({"totalSpotNumber": 40, "availableSpotNumber": 4}, 30, stream="counts", device="lot/a")
        await desk.service.close()

        kept = await desk.service.history("lot/a", since=AT)
        assert [(one.at - AT, one.n_occupied) for one in kept] == [(timedelta(minutes=30), 36)]
        assert desk.told == []
        assert [lot.lot_id for lot in desk.service.lots()] == ["quay"]

    run(sqlite_store, tmp_path, body)


def test_rows_that_the_database_took_without_saying_so_are_not_written_twice(both_stores, tmp_path):
    async def body(desk):
        change = BayChange(lot_id="quay", bay_id="A1", at=AT, state=BayState.FREE, confidence=0.9, source=GATEWAY)
        count = LotOccupancy(lot_id="quay", n_bays=2, n_occupied=0, n_unknown=1, at=AT + timedelta(minutes=1))
        told = [Told(change, status_of(change))]
        for is_again in (False, True, True):
            await desk.store.write(lambda s, again=is_again: write_rows(s, bays=told, lots=[count], is_again=again))

        assert await desk.rows() == [("A1", 0.0, "free")]
        assert [one.n_unknown for one in await desk.service.history("quay", since=count.at)] == [1]

    run(both_stores, tmp_path, body)


def test_a_lot_s_document_and_versions_survive_in_postgresql(postgres_store, tmp_path):
    async def body(desk):
        drawn = desk.service.lot_plan("quay")
        await desk.service.save_lot(DANA, drawn, note="again")
        with pytest.raises(StaleWriteError, match="dana saved Quay"):
            await desk.service.save_lot(DANA, drawn, note="too late")
        desk.sense("occupied")
        await desk.service.correct(DANA, "quay", "A2", BayState.CLOSED, "works")
        await desk.service.close()
        after = ParkingService(store=desk.store, bus=Bus(), clock=desk.clock)
        await after.restore()

        assert [(one.number, one.note) for one in await after.versions("quay")] == [(2, "again"), (1, "first")]
        assert after.lot_plan("quay").bays == LOT.bays
        assert [(str(bay.state), bay.is_stale) for bay in after.bays("quay")] == [("occupied", True), ("closed", False)]
        await after.close()

    run(postgres_store, tmp_path, body)
