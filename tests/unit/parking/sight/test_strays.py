"""Vehicles across two bays and in a lane, seen from straight above, where no detector finds a vehicle."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from core.parking.model import BayState
from core.parking.sight.classifier import BayClassifier
from core.parking.sight.eye import BayEye, Memory
from core.parking.sight.memory import memory_file, read_memory, write_memory
from core.parking.sight.model import SightingKind
from tests.fixtures.drawn_lot import AISLE, BAYS, WH, corner_of, draw, drawn_lot, put_vehicle

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
COLOURS = {"white": (235, 235, 235), "grey": (112, 110, 110), "black": (35, 30, 30), "blue": (140, 90, 40)}
N_LEARN = 8


@pytest.fixture(scope="module")
def classifier():
    return BayClassifier()


@pytest.fixture(scope="module")
def learnt(classifier, tmp_path_factory):
    """What an eye has learnt that saw every bay and the lane empty; as a file, so that each test has its own."""
    eye = eye_of(classifier, Memory())
    for number in range(N_LEARN):
        eye.look(draw(set(), seed=number), START + timedelta(seconds=20 * number), "camera:cam")
    file = memory_file(tmp_path_factory.mktemp("learnt"), "lot", "cam")
    write_memory(file, eye.memory)
    return file


def eye_of(classifier, memory):
    lot = drawn_lot(lanes={"Aisle": AISLE})
    return BayEye(lot, lot.views[0], finder=None, classifier=classifier, memory=memory)


@pytest.fixture
def eye(classifier, learnt):
    return eye_of(classifier, read_memory(learnt))


def watch(eye, picture_of, *, begin_s=1000, seconds=48, every_s=8):
    """Show pictures for a while; return what was told and the last look."""
    told = []
    for second in range(begin_s, begin_s + seconds + 1, every_s):
        looked = eye.look(picture_of(second), START + timedelta(seconds=second), "camera:cam")
        told += [(one.kind, one.holds, one.lane or one.bay_ids) for one in looked.sightings]
    return told, looked


def across(bay, *, shift=0.0, colour=(140, 90, 40), taken=frozenset({"00", "03"})):
    """Return pictures of a vehicle between a bay and the next one; `shift` in a bay's width towards the next one."""
    x, y = corner_of(bay)

    def picture(seed):
        return put_vehicle(draw(set(taken), seed=seed), x + 94 - 28 + round(90 * shift), y + 12, colour=colour)

    return picture


@pytest.mark.parametrize(
    "colour", ["grey", *(pytest.param(name, marks=pytest.mark.slow) for name in COLOURS if name != "grey")]
)
def test_a_vehicle_across_two_bays_is_told_with_both_and_both_are_taken(eye, colour):
    told, looked = watch(eye, across("05", colour=COLOURS[colour]))

    assert told == [(SightingKind.MISPARKED, True, ("05", "06"))]
    states = {word.bay_id: word.state for word in looked.evidence}
    assert (states["05"], states["06"], states["03"]) == (BayState.OCCUPIED,) * 3
    assert states["07"] is BayState.FREE


def test_its_end_is_told_and_both_bays_are_free(eye):
    watch(eye, across("05"))

    told, looked = watch(eye, lambda seed: draw({"00", "03"}, seed=seed), begin_s=1100, seconds=30)

    assert told == [(SightingKind.MISPARKED, False, ("05", "06"))]
    assert {word.bay_id for word in looked.evidence if word.state is BayState.FREE} >= {"05", "06"}


def test_vehicles_in_their_own_bays_are_nothing_however_they_stand_in_them(eye):
    def close_together(seed):
        picture = draw(set(), seed=seed)
        for bay, inwards in (("04", 22), ("05", -14), ("06", 0), ("12", 26), ("13", 20)):
            x, y = corner_of(bay)
            picture = put_vehicle(picture, x + 17 + inwards, y + 10, colour=COLOURS["white"])
        return picture

    assert watch(eye, close_together, every_s=8)[0] == []


@pytest.mark.slow
def test_a_full_lot_and_an_empty_one_are_nothing(eye):
    assert watch(eye, lambda seed: draw(set(BAYS), seed=seed), every_s=8)[0] == []
    assert watch(eye, lambda seed: draw(set(), seed=seed), begin_s=1100, every_s=8)[0] == []


def test_the_shadow_of_a_lamp_on_the_line_between_two_bays_is_no_vehicle(eye):
    x, y = corner_of("06")
    mask = np.zeros((WH[1], WH[0], 1), np.float32)
    cv2.ellipse(mask, (x, y + 75), (34, 70), 0, 0, 360, 1.0, -1)
    shade = 1.0 - 0.45 * cv2.GaussianBlur(mask, (0, 0), 9)[..., None]

    assert watch(eye, lambda seed: (draw({"00"}, seed=seed) * shade).astype(np.uint8))[0] == []


@pytest.mark.parametrize("is_along", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_vehicle_that_stays_in_the_lane_is_told_once_and_its_end_as_well(eye, is_along):
    def blocked(seed):
        return put_vehicle(draw({"00", "03"}, seed=seed), 430, 322 if is_along else 288, is_along=is_along)

    assert watch(eye, blocked)[0] == [(SightingKind.BLOCKED_LANE, True, "Aisle")]
    clear, _ = watch(eye, lambda seed: draw({"00", "03"}, seed=seed), begin_s=1100, seconds=30)
    assert clear == [(SightingKind.BLOCKED_LANE, False, "Aisle")]


def test_vehicles_that_drive_through_the_lane_block_nothing(eye):
    def passing(second):
        return put_vehicle(draw(seed=second), 90 + (second * 47) % 600, 322, is_along=True)

    assert watch(eye, passing)[0] == []


def test_until_bays_and_lane_were_seen_empty_nothing_is_told_of_them_and_the_view_says_so(classifier):
    eye = eye_of(classifier, Memory())

    told, looked = watch(eye, across("05", taken=frozenset(set(BAYS) - {"05", "06"})), seconds=40)

    assert told == []
    assert "Misparked vehicles are told where both bays were seen empty: at 0 of 14 pairs so far." in looked.note


def test_a_view_that_has_seen_everything_empty_has_nothing_more_to_say(eye):
    _, looked = watch(eye, lambda seed: draw({"00"}, seed=seed), seconds=5)

    assert looked.note == ""


def test_a_lane_that_is_drawn_anew_is_learnt_anew_and_the_bays_are_not(classifier, learnt):
    memory = read_memory(learnt)
    lot = drawn_lot(lanes={"Aisle": tuple((x, y + 0.01) for x, y in AISLE)})

    BayEye(lot, lot.views[0], finder=None, classifier=classifier, memory=memory)

    assert memory.lane_empties == {}
    assert memory.empties["05"].is_known


def test_bays_that_do_not_touch_have_no_seam_and_the_view_says_so(classifier):
    lot = drawn_lot()
    apart = {bay: lot.views[0].outlines[bay] for bay in ("00", "02", "12")}
    lot = drawn_lot()
    view = type(lot.views[0])(camera_id="cam", outlines=apart, method=lot.views[0].method)
    eye = BayEye(lot, view, finder=None, classifier=classifier, memory=Memory())

    looked = eye.look(draw(), START, "camera:cam")

    assert "no two bays are drawn side by side" in looked.note


def test_a_camera_that_sags_takes_its_lanes_and_seams_along(eye):
    def sagged(seed):
        shift = np.array([[1, 0, 14], [0, 1, 9]], np.float32)
        return cv2.warpAffine(across("05")(seed), shift, WH, borderMode=cv2.BORDER_REFLECT)

    told, _ = watch(eye, sagged)

    assert told == [(SightingKind.MISPARKED, True, ("05", "06"))]
