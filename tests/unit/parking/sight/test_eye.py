"""One camera's view of a lot: what stands there, and when nothing can be said."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from core.kernel.errors import BadInputError
from core.parking.model import BayState
from core.parking.sight.classifier import BayClassifier
from core.parking.sight.eye import N_LOST, N_MOVED, BayEye, Memory
from core.parking.sight.memory import memory_file, read_memory, write_memory
from core.parking.sight.model import SightingKind
from core.parking.sight.quality import decode_jpeg
from tests.fixtures.drawn_lot import BAYS, TAKEN, WH, corner_of, draw, drawn_lot, jpeg_of

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def moved_by(picture, dx, dy):
    shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return cv2.warpAffine(picture, shift, WH, borderMode=cv2.BORDER_REFLECT)


def elsewhere():
    """Return a picture of another place."""
    noise = np.random.default_rng(1).integers(0, 255, (WH[1], WH[0], 3)).astype(np.uint8)
    return cv2.convertScaleAbs(cv2.GaussianBlur(noise, (0, 0), 3), alpha=4.0, beta=-380)


@pytest.fixture(scope="module")
def classifier():
    return BayClassifier()


@pytest.fixture
def make_eye(classifier):
    def make(memory=None, **changes):
        lot = drawn_lot(**changes)
        return BayEye(lot, lot.views[0], finder=None, classifier=classifier, memory=memory or Memory())

    return make


def look(eye, picture, seconds):
    return eye.look(picture, START + timedelta(seconds=seconds), "camera:cam")


def states(looked):
    return {word.bay_id: word.state for word in looked.evidence}


def taken_in(looked):
    return {bay for bay, state in states(looked).items() if state is BayState.OCCUPIED}


def are_unknown(looked):
    return set(states(looked).values()) == {BayState.UNKNOWN}


def test_vehicles_seen_from_straight_above_are_told_from_empty_bays_at_the_first_picture(make_eye):
    looked = look(make_eye(), draw(), 0)

    assert taken_in(looked) == TAKEN
    assert {word.source for word in looked.evidence} == {"camera:cam"}


def test_a_darker_hour_changes_no_state(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    assert taken_in(look(eye, draw(gain=0.55, seed=8), 60)) == TAKEN


def test_who_drives_away_leaves_a_free_bay(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    assert states(look(eye, draw(TAKEN - {"04"}), 30))["04"] is BayState.FREE


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_of_one_shade_says_nothing_and_is_told_once(make_eye, shade):
    eye = make_eye()
    look(eye, draw(), 0)
    blank = np.full((WH[1], WH[0], 3), shade, np.uint8)

    first, second = look(eye, blank, 2), look(eye, blank, 4)

    assert are_unknown(first)
    assert are_unknown(second)
    assert first.trouble
    assert [sighting.kind for sighting in first.sightings] == [SightingKind.BLIND_VIEW]
    assert second.sightings == ()


def test_the_end_of_a_trouble_is_told_and_bays_are_known_again(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)
    look(eye, np.zeros((WH[1], WH[0], 3), np.uint8), 2)

    looked = look(eye, draw(), 4)

    assert taken_in(looked) == TAKEN
    assert [(one.kind, one.holds) for one in looked.sightings] == [(SightingKind.BLIND_VIEW, False)]


def test_a_picture_of_another_shape_says_nothing(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    looked = look(eye, draw()[:, :700], 2)

    assert are_unknown(looked)
    assert "another shape" in looked.trouble


def test_the_same_view_in_half_the_size_is_still_the_same_view(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    small = cv2.resize(draw(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    assert taken_in(look(eye, small, 20)) == TAKEN


def test_outlines_follow_a_camera_that_sags_a_little(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    assert taken_in(look(eye, moved_by(draw(), 14, 9), 20)) == TAKEN


def test_a_camera_that_was_turned_says_nothing_and_calls(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    told = [look(eye, moved_by(draw(), 98, 0), 20 + i) for i in range(N_MOVED)]

    assert all(are_unknown(looked) for looked in told)
    assert [one.kind for looked in told for one in looked.sightings] == [SightingKind.MOVED_VIEW]


def test_another_place_altogether_is_not_taken_for_the_lot(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    told = [look(eye, elsewhere(), 20 * i) for i in range(1, N_LOST + 1)]

    assert [looked.evidence for looked in told[:-1]] == [()] * (N_LOST - 1)
    assert all("not recognised" in looked.trouble for looked in told[:-1])
    assert are_unknown(told[-1])
    assert [one.kind for looked in told for one in looked.sightings] == [SightingKind.MOVED_VIEW]


def test_nothing_is_learnt_of_a_place_that_is_not_recognised(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)
    learnt = {bay: empty.n for bay, empty in eye.memory.empties.items()}

    for i in range(1, N_LOST + 1):
        look(eye, elsewhere(), 20 * i)

    assert {bay: empty.n for bay, empty in eye.memory.empties.items()} == learnt


def test_after_a_restart_a_camera_that_looks_elsewhere_says_nothing_either(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    told = [look(make_eye(eye.memory), elsewhere(), 20 * i) for i in range(1, 4)]

    assert [looked.evidence for looked in told] == [()] * 3


def test_a_lot_that_is_saved_again_and_again_hides_no_camera_that_looks_elsewhere(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)
    told = []
    for i in range(1, N_LOST + 1):
        saved = make_eye(eye.memory, rate=0.9 + i / 100)
        saved.go_on_from(eye)
        eye = saved
        told.append(look(eye, elsewhere(), 20 * i))

    assert [one.kind for looked in told for one in looked.sightings] == [SightingKind.MOVED_VIEW]


def test_one_look_past_a_lorry_says_nothing_and_the_next_one_everything(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    assert look(eye, elsewhere(), 20).evidence == ()
    assert taken_in(look(eye, draw(), 40)) == TAKEN


def test_bays_burnt_out_by_glare_are_unknown_and_the_others_known(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)
    glare = draw()
    x, y = corner_of("05")
    glare[y - 10 : y + 160, x - 10 : x + 100] = 255

    looked = states(look(eye, glare, 20))

    assert looked["05"] is BayState.UNKNOWN
    assert looked["03"] is BayState.OCCUPIED
    assert looked["15"] is BayState.FREE


def test_an_unchanged_picture_is_not_looked_at_again(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)

    again = look(eye, draw(seed=6), 2)

    assert again.n_reused == len(BAYS)
    assert taken_in(again) == TAKEN
    assert {word.at for word in again.evidence} == {START + timedelta(seconds=2)}


def test_no_bay_is_surer_than_the_calibration_of_its_view(make_eye):
    looked = look(make_eye(rate=0.8), draw(), 0)

    assert max(word.confidence for word in looked.evidence) <= 0.9


def test_what_was_learnt_of_a_view_outlives_a_restart(make_eye, tmp_path):
    eye = make_eye()
    for i in range(8):
        look(eye, draw(seed=i), 20 * i)
    file = memory_file(tmp_path, "lot", "cam")
    write_memory(file, eye.memory)

    known = read_memory(file)
    assert known.empties["15"].is_known
    assert are_unknown(look(make_eye(known), moved_by(draw(), 98, 0), 300))


def test_a_broken_memory_is_learnt_anew(tmp_path, caplog):
    file = memory_file(tmp_path, "lot", "cam")
    file.write_bytes(b"PK\x03\x04 half a file")

    assert read_memory(file) == Memory()
    assert "learnt anew" in caplog.text
    caplog.clear()


def test_pictures_that_are_no_use_are_refused_in_a_sentence():
    jpeg = jpeg_of(draw())

    assert decode_jpeg(jpeg).shape == (WH[1], WH[0], 3)
    with pytest.raises(BadInputError, match="cut off"):
        decode_jpeg(jpeg[: len(jpeg) // 2])
    with pytest.raises(BadInputError, match="no JPEG"):
        decode_jpeg(b"GIF89a" + jpeg)
    with pytest.raises(BadInputError, match="of no use"):
        decode_jpeg(jpeg_of(np.zeros((20, 20, 3), np.uint8)))


def test_a_trouble_that_began_before_the_lot_was_saved_is_ended_after(make_eye):
    eye = make_eye()
    look(eye, draw(), 0)
    look(eye, np.zeros((WH[1], WH[0], 3), np.uint8), 2)

    saved = make_eye(eye.memory, rate=0.9)
    saved.go_on_from(eye)

    assert [(one.kind, one.holds) for one in look(saved, draw(), 4).sightings] == [(SightingKind.BLIND_VIEW, False)]
