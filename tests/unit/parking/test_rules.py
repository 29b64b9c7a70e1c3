"""What is wrong at a lot: overstay, wrong kind, misparked, blocked lane."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.incidents.model import Priority
from core.node import conditions
from core.parking.model import Bay, BayKind, BayState, BayStatus, Lot, LotObservation, LotObservationKind, LotOccupancy
from core.parking.rules import LotRule, LotWatch

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LOT = Lot(
    lot_id="quay",
    name="Quay",
    bays=(Bay(bay_id="A1", label="1", max_stay_min=30), Bay(bay_id="E1", kind=BayKind.EV), Bay(bay_id="A2")),
)


def status(bay_id, state, **changes):
    found = {"since": AT, "at": AT, "confidence": 0.9, "source": "sensor:x"} | changes
    return BayStatus(lot_id="quay", bay_id=bay_id, state=BayState(state), **found)


def judge(watch, *statuses, minutes=0.0):
    found = watch.judge(LOT, {item.bay_id: item for item in statuses}, AT + timedelta(minutes=minutes))
    return [(item.rule, item.place, item.is_begin) for item in found]


def test_a_bay_that_is_taken_for_too_long_begins_once_and_ends_when_it_is_free():
    watch = LotWatch()

    assert judge(watch, status("A1", "occupied"), minutes=29) == []
    assert judge(watch, status("A1", "occupied"), minutes=31) == [(LotRule.OVERSTAY, "A1", True)]
    assert judge(watch, status("A1", "occupied"), minutes=32) == []
    assert judge(watch, status("A1", "free"), minutes=33) == [(LotRule.OVERSTAY, "A1", False)]


@pytest.mark.parametrize("doubt", [{"is_stale": True}, {"state": BayState.UNKNOWN}])
def test_what_nobody_knows_neither_begins_nor_ends_anything(doubt):
    watch = LotWatch()
    doubtful = replace(status("A1", "occupied"), **doubt)

    assert judge(watch, doubtful, minutes=60) == []
    judge(watch, status("A1", "occupied"), minutes=60)
    assert judge(watch, doubtful, minutes=61) == []


@pytest.mark.parametrize(("n_occupied", "n_unknown", "is_full"), [(10, 0, True), (9, 1, False), (9, 0, False)])
def test_a_lot_is_full_only_where_every_bay_is_known_to_be_taken(n_occupied, n_unknown, is_full):
    counted = LotOccupancy(lot_id="quay", at=AT, n_bays=10, n_occupied=n_occupied, n_unknown=n_unknown)

    found = LotWatch().judge_fill(LOT, counted, AT)

    assert [(one.rule, one.is_begin) for one in found] == ([(LotRule.FULL, True)] if is_full else [])


def test_a_full_lot_stays_full_until_a_bay_is_known_to_be_free():
    watch = LotWatch()
    full = LotOccupancy(lot_id="quay", at=AT, n_bays=10, n_occupied=10, n_unknown=0)
    (began,) = watch.judge_fill(LOT, full, AT)

    assert watch.judge_fill(LOT, replace(full, n_occupied=9, n_unknown=1), AT) == []
    (ended,) = watch.judge_fill(LOT, replace(full, n_occupied=9), AT)

    condition = conditions.at_lot(began)
    assert (condition.title, condition.detail) == ("Full: Quay", "All 10 bays are occupied.")
    assert conditions.at_lot(ended).condition_key == condition.condition_key


def test_a_full_lot_whose_bays_are_all_closed_is_full_no_more():
    watch = LotWatch()
    full = LotOccupancy(lot_id="quay", at=AT, n_bays=10, n_occupied=10, n_unknown=0)
    watch.judge_fill(LOT, full, AT)

    found = watch.judge_fill(LOT, replace(full, n_bays=0, n_occupied=0, n_closed=10), AT)

    assert [(one.rule, one.is_begin) for one in found] == [(LotRule.FULL, False)]


def test_only_a_reader_that_says_no_makes_a_wrong_kind():
    watch = LotWatch()
    taken = status("E1", "occupied")

    assert judge(watch, taken) == []
    watch.note_permit("E1", is_given=True, at=AT)
    assert judge(watch, taken) == []
    watch.note_permit("E1", is_given=False, at=AT)
    assert judge(watch, taken) == [(LotRule.WRONG_KIND, "E1", True)]
    assert judge(watch, status("E1", "free")) == [(LotRule.WRONG_KIND, "E1", False)]
    assert judge(watch, taken) == []


def test_a_reader_that_says_no_before_the_bay_is_seen_taken_is_remembered():
    watch = LotWatch()
    judge(watch, status("E1", "free"))

    watch.note_permit("E1", is_given=False, at=AT + timedelta(seconds=21))

    assert judge(watch, status("E1", "free"), minutes=0.4) == []
    assert judge(watch, status("E1", "occupied"), minutes=0.5) == [(LotRule.WRONG_KIND, "E1", True)]
    assert judge(watch, status("E1", "occupied"), minutes=30) == []
    assert judge(watch, status("E1", "free"), minutes=31) == [(LotRule.WRONG_KIND, "E1", False)]


def test_whoever_drove_on_says_nothing_about_who_comes_later():
    watch = LotWatch()
    watch.note_permit("E1", is_given=False, at=AT)

    assert judge(watch, status("E1", "free"), minutes=2.1) == []
    assert judge(watch, status("E1", "occupied"), minutes=2.2) == []


def test_what_the_process_that_looks_had_seen_begin_begins_again_after_it_ended():
    watch = LotWatch()
    seen = LotObservation(
        kind=LotObservationKind.LANE_BLOCKED,
        lot_id="quay",
        place="Fire lane",
        camera_id="c1",
        is_begin=True,
        at=AT,
        confidence=0.8,
    )
    watch.observe(LOT, seen)

    watch.forget(seen)

    assert [one.is_begin for one in watch.observe(LOT, seen)] == [True]


def test_a_bay_without_a_limit_and_of_no_kind_is_never_wrong():
    watch = LotWatch()
    watch.note_permit("A2", is_given=False, at=AT)

    assert judge(watch, status("A2", "occupied"), minutes=10_000) == []


def test_what_a_camera_sees_begins_and_ends_once_with_its_picture():
    watch = LotWatch()
    seen = LotObservation(
        kind=LotObservationKind.MISPARKED,
        lot_id="quay",
        place="A1+A2",
        camera_id="c1",
        is_begin=True,
        at=AT,
        confidence=0.8,
        snapshot_jpeg=b"jpeg",
    )
    assert watch.observe(LOT, replace(seen, confidence=0.4)) == []
    (begin,) = watch.observe(LOT, seen)
    assert watch.observe(LOT, seen) == []
    (end,) = watch.observe(LOT, replace(seen, is_begin=False))

    assert (begin.where, begin.snapshot_jpeg, end.is_begin) == ("bays 1 and A2", b"jpeg", False)


def test_a_lot_that_is_removed_ends_what_was_wrong_with_it():
    watch = LotWatch()
    judge(watch, status("A1", "occupied"), minutes=31)

    assert [(item.place, item.is_begin) for item in watch.end_all(LOT, AT)] == [("A1", False)]
    assert watch.end_all(LOT, AT) == []


def test_the_alarm_names_bay_and_lot_and_is_no_urgent_one():
    watch = LotWatch()
    (found,) = watch.judge(LOT, {"A1": status("A1", "occupied")}, AT + timedelta(minutes=31))

    condition = conditions.at_lot(found)
    assert condition.title == "Overstay: bay 1, Quay"
    assert condition.condition_key == "lot/quay/bay_overstay:A1"
    assert condition.detail == "Occupied for 31 minutes; 30 are allowed."
    assert condition.priority is Priority.LOW


def test_what_was_closed_while_nobody_knew_begins_anew_where_it_still_holds():
    watch = LotWatch()
    judge(watch, status("A1", "occupied"), minutes=31)

    watch.forget_closed("bay_overstay", "A1")

    assert judge(watch, status("A1", "occupied"), minutes=32) == [(LotRule.OVERSTAY, "A1", True)]
