"""Snow, night and glare over a lot: what cannot be told is unknown, and nothing wrong is said with certainty."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from core.parking.model import Bay, BayState, BayView, Lot, SightMethod
from core.parking.sight.cases import find_lots
from core.parking.sight.classifier import BayClassifier
from core.parking.sight.eye import BayEye, Memory
from tests.fixtures.drawn_lot import BAYS, TAKEN, draw, drawn_lot
from tests.fixtures.testdata import testdata
from tests.fixtures.weather import WEATHERS, darkened, glared, snowed

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CERTAIN = 0.95


@pytest.fixture(scope="module")
def classifier():
    return BayClassifier()


def look_in(classifier, weather, *, n_fine=1):
    """Show fine days, then the weather; return bays told right, how sure the wrong ones are, and bays not told."""
    lot = drawn_lot()
    eye = BayEye(lot, lot.views[0], finder=None, classifier=classifier, memory=Memory())
    for number in range(n_fine):
        taken = TAKEN if number % 2 == 0 else set(BAYS) - TAKEN
        eye.look(draw(taken, seed=number), START + timedelta(seconds=20 * number), "camera:cam")
    looked = eye.look(weather(draw(seed=99)), START + timedelta(seconds=600), "camera:cam")
    right, wrong, n_unknown = judged(looked, TAKEN)
    return right, wrong, n_unknown + len(BAYS) - len(looked.evidence)


def judged(looked, taken):
    right, wrong, n_unknown = 0, [], 0
    for word in looked.evidence:
        truth = BayState.OCCUPIED if word.bay_id in taken else BayState.FREE
        n_unknown += word.state is BayState.UNKNOWN
        right += word.state is truth
        if word.state not in (truth, BayState.UNKNOWN):
            wrong.append(word.confidence)
    return right, wrong, n_unknown


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_dusk_and_a_lit_night_are_told_as_by_day(classifier, share):
    assert look_in(classifier, lambda picture: darkened(picture, share)) == (16, [], 0)


@pytest.mark.parametrize("share", [0.7, 0.85, 1.0])
def test_a_night_without_light_is_unknown_altogether(classifier, share):
    assert look_in(classifier, lambda picture: darkened(picture, share)) == (0, [], 16)


@pytest.mark.parametrize("share", [0.6, 0.7])
def test_bays_under_snow_are_never_called_free_for_certain(classifier, share):
    """White vehicles under snow look as their bays do; coloured ones are still seen in a view that was drawn on it."""
    right, wrong, n_unknown = look_in(classifier, lambda picture: snowed(picture, share), n_fine=0)

    assert wrong == []
    assert right >= 1
    assert n_unknown >= len(BAYS) - len(TAKEN)


@pytest.mark.parametrize("share", [0.6, 0.7])
def test_a_lot_that_is_not_recognised_under_snow_is_unknown_altogether(classifier, share):
    assert look_in(classifier, lambda picture: snowed(picture, share)) == (0, [], 16)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5])
def test_snow_that_comes_over_a_known_lot_never_makes_it_tell_a_wrong_state(classifier, share):
    right, wrong, n_unknown = look_in(classifier, lambda picture: snowed(picture, share), n_fine=12)

    assert wrong == []
    assert right == 16 - n_unknown
    assert n_unknown == 16 or share < 0.3


@pytest.mark.parametrize("share", [0.8, 1.0])
def test_a_lot_that_is_snowed_in_is_unknown_altogether(classifier, share):
    assert look_in(classifier, lambda picture: snowed(picture, share)) == (0, [], 16)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
def test_what_the_sun_burns_out_is_unknown_and_nothing_wrong_is_certain(classifier, share):
    right, wrong, n_unknown = look_in(classifier, lambda picture: glared(picture, share))

    assert len(wrong) <= 1
    assert max(wrong, default=0.0) < CERTAIN
    assert n_unknown >= {0.2: 0, 0.4: 3, 0.5: 7, 0.6: 9}.get(share, 16)
    assert right + n_unknown >= 15


@pytest.mark.slow
@pytest.mark.parametrize("name", WEATHERS)
@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
def test_an_eye_that_knows_its_empty_bays_does_no_worse_in_any_weather(classifier, name, share):
    def weather(picture):
        return WEATHERS[name](picture, share)

    _, fresh, _ = look_in(classifier, weather)
    _, learnt, _ = look_in(classifier, weather, n_fine=12)

    assert len(learnt) <= max(len(fresh), 1)


@pytest.mark.slow
@pytest.mark.testdata
@pytest.mark.parametrize(("share", "most_wrong"), [(0.3, 0.1), (0.5, 0.1), (0.8, 0.0), (1.0, 0.0)])
def test_a_real_lot_at_nightfall_goes_unknown_rather_than_wrong(classifier, share, most_wrong):
    """By look alone, which is the weaker of the two methods there."""
    source = find_lots(testdata("parking/pklot_ufpr05"))[0]
    n_wrong = n_states = n_certain = 0
    for picture in source.pictures[:6]:
        pixels = cv2.imread(str(picture.file))
        size = np.array([pixels.shape[1], pixels.shape[0]], np.float64)
        outlines = {bay: tuple(map(tuple, np.array(points) / size)) for bay, points in picture.outlines.items()}
        view = BayView(camera_id="cam", outlines=outlines, method=SightMethod.CLASSIFIER)
        lot = Lot(lot_id="lot", name="Lot", bays=tuple(Bay(bay_id=bay) for bay in outlines), views=(view,))
        eye = BayEye(lot, view, finder=None, classifier=classifier, memory=Memory())
        looked = eye.look(darkened(pixels, share), START, "camera:cam")
        taken = {bay for bay, is_taken in picture.occupied.items() if is_taken}
        _, wrong, _ = judged(looked, taken)
        n_wrong, n_states = n_wrong + len(wrong), n_states + len(looked.evidence)
        n_certain += sum(confidence >= CERTAIN for confidence in wrong)

    assert n_wrong <= most_wrong * n_states
    assert n_certain <= most_wrong / 2 * n_states
