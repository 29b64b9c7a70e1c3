"""What was known at an instant, and cars on their way."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.parking.model import BayChange, BayState, BayStatus
from core.parking.plans import open_lot
from widgets.twin.board import Board, counts, look_by_share
from widgets.twin.model import Shown
from widgets.twin.motion import DRIVE_S, Cars
from widgets.twin.scene import build_scene
from widgets.twin.tape import Mode, Tape, moment_of

BEGIN = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


def change(bay_id, minute, state, *, is_stale=False):
    return BayChange(
        lot_id="L",
        bay_id=bay_id,
        at=BEGIN + timedelta(minutes=minute),
        state=state,
        confidence=0.9,
        source="camera:north",
        is_stale=is_stale,
    )


def status(bay_id, state, *, is_stale=False):
    return BayStatus(
        lot_id="a", bay_id=bay_id, state=state, since=BEGIN, at=BEGIN, confidence=0.9, source="s", is_stale=is_stale
    )


def test_a_tape_knows_each_instant_and_nothing_of_what_came_later():
    tape = Tape([change("1", -5, BayState.FREE), change("1", 10, BayState.OCCUPIED), change("2", 20, BayState.FREE)])

    early = tape.statuses_at(BEGIN + timedelta(minutes=9))
    late = tape.statuses_at(BEGIN + timedelta(minutes=10))

    assert [(one.bay_id, one.state) for one in early] == [("1", BayState.FREE)]
    assert [(one.bay_id, one.state) for one in late] == [("1", BayState.OCCUPIED)]


def test_a_state_that_becomes_stale_began_when_it_began():
    tape = Tape([change("1", 0, BayState.FREE), change("1", 10, BayState.FREE, is_stale=True)])

    (found,) = tape.statuses_at(BEGIN + timedelta(minutes=30))

    assert found.is_stale
    assert found.since == BEGIN


def test_an_instant_before_now_is_replay_and_one_after_it_forecast():
    assert moment_of(BEGIN, BEGIN + timedelta(seconds=1)).mode is Mode.REPLAY
    assert moment_of(BEGIN + timedelta(hours=1), BEGIN).mode is Mode.FORECAST


@pytest.fixture
def scene():
    return build_scene([open_lot("a", "A", n_bays=6)])


def test_a_bay_of_which_nobody_spoke_is_unknown(scene):
    board = Board(scene)

    board.take([status("A01", BayState.FREE)])

    assert board.look().shown.tolist() == [Shown.FREE, *[Shown.UNKNOWN] * 5]


def test_a_board_says_whether_anything_looks_otherwise(scene):
    board = Board(scene)

    assert board.take([status("A01", BayState.FREE)])
    assert not board.take([status("A01", BayState.FREE)])
    assert board.take([status("A01", BayState.FREE, is_stale=True)])
    assert not board.take([status("no such bay", BayState.FREE)])


def test_what_is_stale_counts_as_not_known(scene):
    board = Board(scene)
    board.take([status("A01", BayState.FREE), status("A02", BayState.FREE, is_stale=True)])
    board.take([status("A03", BayState.OCCUPIED), status("A04", BayState.CLOSED)])

    assert counts(board.look(), np.arange(6)) == (1, 1, 3)


def test_a_bay_without_a_figure_is_unknown_where_figures_are_shown(scene):
    look = look_by_share(scene, {("a", "A02"): 0.5})

    assert look.shown.tolist() == [Shown.UNKNOWN, Shown.SHARE, *[Shown.UNKNOWN] * 4]
    assert look.shares[1] == pytest.approx(0.5)


def test_a_car_drives_in_over_time_and_then_rests():
    cars = Cars(2)
    cars.head_for(np.array([True, False]), at_once=False)

    cars.advance(DRIVE_S / 2)
    assert cars.presence.tolist() == pytest.approx([0.5, 0.0])
    assert cars.is_moving

    cars.advance(DRIVE_S)
    assert cars.presence.tolist() == [1.0, 0.0]
    assert not cars.is_moving


def test_a_car_that_turns_round_halfway_drives_out_from_where_it_is():
    cars = Cars(1)
    cars.head_for(np.array([True]), at_once=False)
    cars.advance(DRIVE_S / 2)
    cars.head_for(np.array([False]), at_once=False)
    cars.advance(DRIVE_S / 4)

    assert cars.presence.tolist() == pytest.approx([0.25])


def test_without_motion_cars_are_there_at_once():
    cars = Cars(1)
    cars.head_for(np.array([True]), at_once=True)

    assert cars.presence.tolist() == [1.0]
    assert not cars.is_moving
