"""Lots with drawn bays: saved, fused, stored, corrected, and what is left of them after a restart."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.access import audit
from core.access.model import Actor, Role
from core.field.model import FieldEvent, Reading
from core.field.service import FieldEventReceived, ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.parking.model import (
    Bay,
    BayEvidence,
    BayKind,
    BaysChanged,
    BaysSeen,
    BayState,
    BaysTold,
    LineGate,
    Lot,
    LotPlanChanged,
    LotPlanRemoved,
    OccupancyBasis,
)
from core.parking.rules import LotCondition, LotRule
from core.parking.service import ParkingService
from core.store.engine import open_store
from core.vision.model import CameraWatched, LineCrossed

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DANA = Actor(name="dana", role=Role.SUPERVISOR, desk="1")
OTTO = Actor(name="otto", role=Role.OPERATOR, desk="2")
VERA = Actor(name="vera", role=Role.VIEWER, desk="3")
LOT = Lot(
    lot_id="quay",
    name="Quay",
    bays=(Bay(bay_id="A1", zone="A"), Bay(bay_id="A2", zone="A"), Bay(bay_id="B1", zone="B")),
    device_ids=("parking/gw",),
)


class Desk:
    """A service on its own database, and what it told."""

    def __init__(self, url, folder, clock):
        self.clock, self.bus = clock, Bus()
        self.store = open_store(url, backups=folder, clock=clock, retry_for_s=0.2)
        self.service = ParkingService(store=self.store, bus=self.bus, clock=clock)
        self.told, self.stored, self.plans, self.removed = [], [], [], []
        self.bus.subscribe(BaysTold, lambda event: self.told.extend(event.bays))
        self.bus.subscribe(BaysChanged, lambda event: self.stored.extend(event.bays))
        self.bus.subscribe(LotPlanChanged, lambda event: self.plans.append(event.lot))
        self.bus.subscribe(LotPlanRemoved, lambda event: self.removed.append(event.lot_id))

    def see(self, bay_id, state, *, source="camera:c1", confidence=0.9, ago_s=0.0, lot_id="quay"):
        at = self.clock.now() - timedelta(seconds=ago_s)
        word = BayEvidence(
            lot_id=lot_id, bay_id=bay_id, state=BayState(state), at=at, confidence=confidence, source=source
        )
        self.bus.publish(BaysSeen((word,)))

    def sense(self, values, *, stream="A1", device="parking/gw"):
        reading = Reading(device_id=device, stream=stream, at=self.clock.now(), values=values)
        self.bus.publish(ReadingReceived("lot", reading))

    def pass_s(self, seconds):
        self.clock.advance(seconds=seconds)
        self.service.tick()

    def bay(self, bay_id):
        return next(status for status in self.service.bays("quay") if status.bay_id == bay_id)

    def states(self):
        return [str(status.state) for status in self.service.bays("quay")]

    def lot(self):
        return next(lot for lot in self.service.lots() if lot.lot_id == "quay")


def runner(url, folder):
    """Return what runs a story at a desk, again and again on the same database."""
    clock = FakeClock(AT)

    def run(body):
        async def whole():
            one = Desk(url, folder, clock)
            try:
                await one.service.restore()
                return await body(one)
            finally:
                await one.service.close()
                await one.store.close()

        return asyncio.run(whole())

    return run


@pytest.fixture
def desk(any_store, tmp_path):
    return runner(any_store, tmp_path)


async def draw(one, lot=LOT):
    return await one.service.save_lot(DANA, lot, note="first")


def test_every_save_is_a_version_and_who_was_slower_is_told_whose_counts(desk):
    async def body(one):
        first = await draw(one)
        second = await one.service.save_lot(DANA, replace(first, name="New quay"), note="renamed")

        assert (first.version, second.version) == (1, 2)
        assert [plan.version for plan in one.plans] == [1, 2]
        assert [(v.number, v.actor, v.note) for v in await one.service.versions("quay")] == [
            (2, "dana", "renamed"),
            (1, "dana", "first"),
        ]
        assert (await one.service.lot_of_version("quay", 1)).name == "Quay"
        with pytest.raises(StaleWriteError, match="dana saved New quay at 12:00:00"):
            await one.service.save_lot(DANA, replace(first, name="Mine"))

    desk(body)


def test_only_a_supervisor_draws_and_only_an_operator_corrects(desk):
    async def body(one):
        with pytest.raises(NotPermittedError):
            await one.service.save_lot(OTTO, LOT)
        await draw(one)
        with pytest.raises(NotPermittedError):
            await one.service.remove_lot(OTTO, "quay")
        with pytest.raises(NotPermittedError):
            await one.service.correct(VERA, "quay", "A1", BayState.FREE, "looked")
        with pytest.raises(NotPermittedError):
            await one.service.set_count(VERA, "quay", 1)

    desk(body)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"bays": (Bay(bay_id="A1"), Bay(bay_id="A1"))}, "Two bays have the id A1"),
        ({"capacity": 2}, "The capacity is 2, and 3 bays are drawn"),
        ({"lot_id": "a b"}, "is no id for a lot"),
        ({"name": " "}, "needs a name"),
        ({"bays": (Bay(bay_id="A1", outline=((0, 0), (1, 1))),)}, "has 2 corners"),
        ({"stale_s": 0.0}, "stale"),
    ],
)
def test_a_lot_that_cannot_be_counted_is_refused_with_a_sentence(desk, changes, sentence):
    async def body(one):
        with pytest.raises(BadInputError, match=sentence):
            await one.service.save_lot(DANA, replace(LOT, **changes))

    desk(body)


def test_evidence_moves_bays_and_the_lot_follows_with_its_zones(desk):
    async def body(one):
        await draw(one)
        one.see("A1", "occupied")
        one.see("A2", "free")

        lot = one.lot()
        assert one.states() == ["occupied", "free", "unknown"]
        assert (lot.n_bays, lot.n_occupied, lot.n_unknown, lot.n_free) == (3, 1, 1, 1)
        assert {zone.zone: (zone.n_free, zone.n_unknown) for zone in lot.zones} == {"A": (1, 0), "B": (0, 1)}
        assert lot.basis is OccupancyBasis.BAYS

    desk(body)


def test_every_change_is_stored_and_told_as_stored_afterwards(desk):
    async def body(one):
        await draw(one)
        one.sense({"occupied": 1.0})
        one.pass_s(60)
        one.sense({"occupied": 0.0})
        await one.service.close()

        assert [str(bay.state) for bay in one.stored] == ["occupied", "free"]
        changes = await one.service.changes("quay", since=AT, until=AT + timedelta(hours=1))
        assert [(c.bay_id, str(c.state), c.at, c.source) for c in changes] == [
            ("A1", "occupied", AT, "sensor:parking/gw"),
            ("A1", "free", AT + timedelta(seconds=60), "sensor:parking/gw"),
        ]
        before = await one.service.states_at("quay", AT + timedelta(seconds=59))
        assert [(status.bay_id, str(status.state)) for status in before] == [("A1", "occupied")]

    desk(body)


def test_after_a_restart_states_are_stale_until_somebody_confirms_them(desk):
    async def before(one):
        await draw(one)
        one.sense({"occupied": 1.0})
        assert one.bay("A1").is_known

    async def after(one):
        assert (one.bay("A1").state, one.bay("A1").is_stale) == (BayState.OCCUPIED, True)
        assert (one.lot().n_occupied, one.lot().n_unknown, one.lot().n_stale) == (0, 3, 1)
        one.sense({"occupied": 1.0})
        assert one.bay("A1").is_known
        assert one.bay("A1").since == AT
        await one.service.close()
        rows = await one.service.changes("quay", since=AT - timedelta(1), until=AT + timedelta(1))
        assert [(str(row.state), row.is_stale) for row in rows] == [
            ("occupied", False),
            ("occupied", True),
            ("occupied", False),
        ]

    desk(before)
    desk(after)


def test_a_correction_holds_over_a_restart_until_it_is_released_and_is_audited(desk):
    async def before(one):
        await draw(one)
        one.see("A1", "free")
        status = await one.service.correct(OTTO, "quay", "A1", BayState.OCCUPIED, "a trailer stands there")
        assert (status.state, status.source, status.seen) == (BayState.OCCUPIED, "operator:otto", BayState.FREE)
        with pytest.raises(BadInputError, match="needs a reason"):
            await one.service.correct(OTTO, "quay", "A1", BayState.OCCUPIED, " ")

    async def after(one):
        assert (one.bay("A1").state, one.bay("A1").reason) == (BayState.OCCUPIED, "a trailer stands there")
        one.see("A1", "free")
        assert one.bay("A1").state is BayState.OCCUPIED
        await one.service.release(OTTO, "quay", "A1")
        assert one.bay("A1").state is BayState.FREE
        with pytest.raises(BadInputError, match="is not corrected"):
            await one.service.release(OTTO, "quay", "A1")
        lines = [(e.action, e.actor) for e in await audit.recent(one.store)]
        assert lines[:2] == [("parking.release", "otto"), ("parking.correct", "otto")]

    desk(before)
    desk(after)


def test_bays_that_are_not_drawn_are_counted_and_named(desk):
    async def body(one):
        await draw(one)
        one.sense({"occupied": 1.0}, stream="Z9")
        one.see("Y7", "free")
        one.see("A1", "free", lot_id="nowhere")

        assert "Z9" in one.lot().faults[0]
        assert "(2 messages)" in one.lot().faults[0]
        sentences = [sentence for _, sentence, _ in one.service.notices()]
        assert any("nowhere" in sentence for sentence in sentences)
        assert one.states() == ["unknown"] * 3
        one.pass_s(700)
        assert one.lot().faults == ()

    desk(body)


@pytest.mark.parametrize(("stream", "bay_id"), [("a1", "A1"), ("A1", "A1"), ("row-7-left", "B1"), ("a3", "")])
def test_a_bay_is_found_by_what_a_topic_can_say_of_it(desk, stream, bay_id):
    async def body(one):
        await draw(one, replace(LOT, bays=(*LOT.bays[:2], Bay(bay_id="B1", label="Row 7, left"))))
        one.sense({"occupied": 1.0}, stream=stream)

        assert [status.bay_id for status in one.service.bays("quay") if status.is_known] == [bay_id] * bool(bay_id)
        assert bool(one.lot().faults) is not bool(bay_id)

    desk(body)


def test_a_device_that_counts_fills_in_for_bays_nobody_sees(desk):
    async def body(one):
        await draw(one)
        one.sense({"totalSpotNumber": 3, "availableSpotNumber": 1}, stream="sum")
        assert (one.lot().basis, one.lot().n_occupied, one.lot().n_unknown) == (OccupancyBasis.COUNTS, 2, 0)
        assert [lot.lot_id for lot in one.service.lots()] == ["quay"]

        one.pass_s(301)
        assert (one.lot().basis, one.lot().n_unknown) == (OccupancyBasis.BAYS, 3)

    desk(body)


def test_a_count_beyond_the_capacity_is_a_sentence(desk):
    async def body(one):
        await draw(one)
        one.sense({"totalSpotNumber": 40, "availableSpotNumber": 1}, stream="sum")

        assert one.lot().faults == (
            "Quay has 3 bays, and its devices count 39 vehicles in it. Correct its capacity, or look at the devices.",
        )

    desk(body)


def test_a_gateway_whose_sum_agrees_confirms_bays_that_speak_only_when_they_change(desk):
    async def body(one):
        await draw(one)
        event = FieldEvent(
            device_id="parking/gw",
            seq=1,
            event_id="",
            event_type="ParkingSpot",
            at=AT,
            received_at=AT,
            boot="",
            is_good=True,
            is_history=False,
            data={"name": "A1", "status": "occupied"},
        )
        one.bus.publish(FieldEventReceived("lot", event))
        one.pass_s(250)
        one.sense({"totalSpotNumber": 1, "availableSpotNumber": 0}, stream="sum")
        one.pass_s(250)
        assert one.bay("A1").is_known
        one.sense({"totalSpotNumber": 1, "availableSpotNumber": 1}, stream="sum")
        one.pass_s(100)
        assert one.bay("A1").is_stale

    desk(body)


def test_entry_and_exit_count_on_from_a_known_count_and_their_drift_is_shown(desk):
    async def body(one):
        await draw(one, replace(LOT, bays=LOT.bays, capacity=10))
        one.sense({"entered": 100, "left": 90}, stream="gate-1")
        assert one.lot().basis is OccupancyBasis.BAYS
        assert (await one.service.set_count(OTTO, "quay", 8)).n_occupied == 8
        one.sense({"entered": 103, "left": 90}, stream="gate-1")

        assert (one.lot().basis, one.lot().n_occupied, one.lot().n_free) == (OccupancyBasis.GATES, 10, 0)
        assert "count 11 vehicles in Quay, which has 10 bays" in one.lot().faults[0]
        with pytest.raises(BadInputError, match="has 10 bays, and 11 vehicles"):
            await one.service.set_count(OTTO, "quay", 11)

    desk(body)


def test_gates_count_on_over_a_restart(desk):
    async def before(one):
        await draw(one)
        one.sense({"entered": 5, "left": 5}, stream="gate-1")
        await one.service.set_count(OTTO, "quay", 1)

    async def after(one):
        one.sense({"entered": 6, "left": 5}, stream="gate-1")
        assert one.lot().n_occupied == 2

    desk(before)
    desk(after)


def test_what_is_wrong_at_a_bay_is_told_once_and_taken_back(desk):
    async def body(one):
        heard = []
        one.bus.subscribe(LotCondition, lambda found: heard.append((found.rule, found.place, found.is_begin)))
        bays = (Bay(bay_id="E1", kind=BayKind.EV), Bay(bay_id="S1", max_stay_min=4), Bay(bay_id="S2"))
        await draw(one, replace(LOT, bays=bays))
        one.sense({"occupied": 1.0, "permit": 0.0}, stream="E1")
        one.sense({"occupied": 1.0}, stream="S1")
        one.pass_s(5)
        assert heard == [(LotRule.WRONG_KIND, "E1", True)]
        one.pass_s(240)
        assert heard[1:] == [(LotRule.OVERSTAY, "S1", True)]
        one.sense({"occupied": 0.0}, stream="E1")
        one.sense({"occupied": 0.0}, stream="S1")
        one.pass_s(5)
        assert [is_begin for _, _, is_begin in heard[2:]] == [False, False]

    desk(body)


def test_a_removed_lot_takes_its_bays_along_and_leaves_its_history(desk):
    async def body(one):
        await draw(one)
        one.see("A1", "occupied")
        await one.service.remove_lot(DANA, "quay")
        await one.service.close()

        assert (one.removed, one.service.lot_plans(), one.service.bays("quay")) == (["quay"], (), ())
        assert len(await one.service.changes("quay", since=AT - timedelta(1), until=AT + timedelta(1))) == 1
        again = await one.service.save_lot(DANA, LOT)
        assert again.version == 2

    desk(body)


def test_nothing_is_lost_on_a_locked_database(sqlite_store, tmp_path):
    async def body(one):
        await draw(one)
        with closing(sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            one.sense({"occupied": 1.0})
            await asyncio.to_thread(asyncio.run, _until(lambda: not one.store.status()[0]))
            assert one.bay("A1").is_known
            assert one.stored == []
            other.execute("ROLLBACK")
        await one.service.close()
        assert len(one.stored) == 1
        assert one.service.n_lost_rows == 0

    runner(sqlite_store, tmp_path)(body)


async def _until(condition):
    while not condition():
        await asyncio.sleep(0.02)


NORTH = Lot(lot_id="north", name="North", bays=(Bay(bay_id="A1"), Bay(bay_id="N1")), device_ids=("parking/gw",))


def test_a_device_of_two_lots_is_named_at_once_and_counts_in_neither(desk):
    async def body(one):
        await draw(one)
        assert one.lot().faults == ()
        await one.service.save_lot(DANA, NORTH)

        found = {lot.lot_id: lot.faults for lot in one.service.lots()}
        assert found["quay"] == found["north"]
        assert found["quay"][0].startswith("parking/gw is named in Quay and North, which have the same bays A1:")
        one.sense({"occupied": 1.0})
        one.sense({"occupied": 1.0}, stream="N1")
        one.sense({"totalSpotNumber": 3, "availableSpotNumber": 0}, stream="counts")
        lots = {lot.lot_id: lot for lot in one.service.lots()}
        assert {key: (lot.n_occupied, lot.n_unknown) for key, lot in lots.items()} == {"quay": (0, 3), "north": (1, 1)}
        assert "counts vehicles and is named in Quay and North" in lots["quay"].faults[1]
        assert not any("not drawn" in fault for lot in lots.values() for fault in lot.faults)

        await one.service.remove_lot(DANA, "north")
        assert one.lot().faults == ()

    desk(body)


def test_bays_that_a_device_cannot_tell_apart_are_named(desk):
    async def body(one):
        await draw(one, replace(LOT, bays=(Bay(bay_id="A 1"), Bay(bay_id="A-1"), Bay(bay_id="B1"))))
        one.sense({"occupied": 1.0}, stream="a-1")

        assert one.states() == ["unknown"] * 3
        assert one.lot().faults == (
            "What devices call a-1 may be bay A 1 or A-1 of Quay: it counts in none of them. "
            "Give them ids that differ in letters or digits.",
        )

    desk(body)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"totalSpotNumber": 40, "availableSpotNumber": 30}, "Quay has 3 bays, and its devices count 10"),
        ({"totalSpotNumber": 3, "availableSpotNumber": 5}, "counts 5 free and 0 unknown of 3 bays, which cannot be"),
    ],
)
def test_counts_that_cannot_be_are_said_and_make_no_figure(desk, values, sentence):
    async def body(one):
        await draw(one)
        one.sense(values, stream="counts")

        lot = one.lot()
        assert (lot.n_occupied, lot.n_free, lot.n_unknown) == (0, 0, 3)
        assert sentence in lot.faults[0]

    desk(body)


def test_gates_that_drifted_beyond_what_can_be_make_no_figure(desk):
    async def body(one):
        await draw(one)
        one.sense({"entered": 0.0, "left": 0.0}, stream="gate")
        await one.service.set_count(OTTO, "quay", 3)
        one.sense({"entered": 2.0, "left": 0.0}, stream="gate")
        # Two more than there are bays still look for one.
        assert (one.lot().n_occupied, one.lot().n_unknown) == (3, 0)
        one.sense({"entered": 20.0, "left": 0.0}, stream="gate")

        assert (one.lot().n_occupied, one.lot().n_unknown) == (0, 3)
        assert "count 23 vehicles in Quay, which has 3 bays" in one.lot().faults[0]

    desk(body)


GARAGE = Lot(lot_id="quay", name="Quay", capacity=10, gates=(LineGate(camera_id="c9", line_key="l1"),))


def pass_gate(one, *ways, line="l1"):
    for is_forward in ways:
        at = one.clock.now()
        one.bus.publish(LineCrossed(camera_id="c9", line_key=line, is_forward=is_forward, at=at))


def watch(one, seconds):
    for _ in range(seconds):
        one.bus.publish(CameraWatched(camera_id="c9", at=one.clock.now()))
        one.pass_s(1)


def test_a_cameras_counting_line_is_a_gate_of_the_lot(desk):
    async def body(one):
        one.service.set_lines({"c9": ["l1"]})
        await draw(one, GARAGE)
        watch(one, 1)
        await one.service.set_count(OTTO, "quay", 4)
        pass_gate(one, True, True, False)
        pass_gate(one, True, line="another")

        lot = one.lot()
        assert (lot.n_occupied, lot.n_unknown, lot.basis) == (5, 0, OccupancyBasis.GATES)
        assert (lot.gates.n_entered, lot.gates.n_left) == (2, 1)

    desk(body)


def test_a_gate_that_nobody_watches_makes_no_figure_and_says_so(desk):
    async def body(one):
        one.service.set_lines({"c9": ["l1"]})
        await draw(one, GARAGE)
        watch(one, 2)
        await one.service.set_count(OTTO, "quay", 4)
        one.pass_s(20)
        assert one.lot().n_unknown == 10
        watch(one, 1)
        assert one.lot().n_unknown == 0
        one.pass_s(300)
        watch(one, 1)

        assert one.lot().n_unknown == 10
        assert "Cameras at the gates of Quay were away for 5 minutes" in one.lot().faults[0]
        await one.service.set_count(OTTO, "quay", 7)
        assert (one.lot().n_occupied, one.lot().faults) == (7, ())

    desk(body)


def test_a_gate_whose_line_is_gone_is_named(desk):
    async def body(one):
        one.service.set_lines({"c9": ["l1"]})
        await draw(one, GARAGE)
        watch(one, 1)
        await one.service.set_count(OTTO, "quay", 4)
        one.service.set_lines({"c9": []})

        assert one.lot().n_unknown == 10
        assert "Line l1 of camera c9 is a gate of Quay and is not there any more." in one.lot().faults[0]

    desk(body)


def test_vehicles_that_passed_while_the_node_was_away_are_missed_and_said(desk):
    async def before(one):
        one.service.set_lines({"c9": ["l1"]})
        await draw(one, GARAGE)
        watch(one, 1)
        await one.service.set_count(OTTO, "quay", 4)
        pass_gate(one, True)

    async def after(one):
        one.clock.advance(seconds=120)
        watch(one, 1)
        assert one.lot().gates.n_inside == 5
        assert "were away for 2 minutes" in one.lot().faults[0]

    desk(before)
    desk(after)
