"""Which way of looking is picked, without a labelled picture."""

import json

import numpy as np
import pytest

from app.cli import main
from core.parking.model import SightMethod
from core.parking.sight.calibrate import MIN_CORRECTIONS, OTHERS_INVENT, calibrate, judge, pick, posterior
from core.parking.sight.calibrate import _Way as Way
from core.parking.sight.model import CalibrationOrder
from tests.fixtures.drawn_lot import TAKEN, draw, drawn_lot, jpeg_of
from tests.fixtures.testdata import testdata

RNG = np.random.default_rng(4)
TRUTH = RNG.random((8, 30)) < 0.5


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """Return a data folder in which the weights are converted once for all tests here."""
    return tmp_path_factory.mktemp("converted")


def says(truth, *, right, sure=3.0):
    """Return the log odds of a witness who is right so often."""
    errs = np.random.default_rng(int(right * 1000)).random(truth.shape) > right
    return np.where(truth ^ errs, sure, -sure)


def way(method, logits, image_px=None, flips=0.0, seconds=0.1):
    return Way(method=method, image_px=image_px, logits=logits, flips=flips, seconds=seconds)


def detector(image_px, right, seconds=0.1):
    return way(SightMethod.DETECTOR, says(TRUTH, right=right), image_px, seconds=seconds)


def classifier(right, flips=0.0):
    return way(SightMethod.CLASSIFIER, says(TRUTH, right=right), flips=flips, seconds=0.01)


def test_three_witnesses_who_err_apart_tell_the_truth():
    votes = [says(TRUTH, right=share).ravel() > 0 for share in (0.97, 0.9, 0.85)]

    assert ((posterior(votes, [OTHERS_INVENT] * 3) > 0.5) == TRUTH.ravel()).mean() > 0.96


def test_the_size_that_sees_more_is_picked():
    tried = judge([classifier(0.85), detector(640, 0.9), detector(1280, 0.99, 0.3)], says(TRUTH, right=0.8), {})

    assert pick(tried).image_px == 1280


def test_of_sizes_alike_the_cheaper_one_is_picked():
    tried = judge([classifier(0.8), detector(960, 0.99, 0.1), detector(1920, 0.99, 0.6)], says(TRUTH, right=0.85), {})

    assert pick(tried).image_px == 960


def test_a_detector_that_sees_no_vehicle_at_all_loses_to_the_classifier():
    blind = [way(SightMethod.DETECTOR, np.full(TRUTH.shape, -3.5), px) for px in (640, 960, 1280)]

    tried = judge([classifier(0.97), *blind], says(TRUTH, right=0.96), {})

    assert pick(tried).method is SightMethod.CLASSIFIER


def test_who_changes_his_mind_over_the_same_picture_is_trusted_less():
    steady, fickle = (judge([classifier(0.97, flips), detector(640, 0.9)], None, {})[0].rate for flips in (0.0, 0.2))

    assert steady > fickle + 0.05


def test_operators_corrections_go_before_all_agreement():
    corrections = {bay: bool(TRUTH[0, bay]) for bay in range(MIN_CORRECTIONS + 4)}
    liar = [way(SightMethod.DETECTOR, says(~TRUTH, right=0.99), 1280, seconds=0.01)]

    tried = judge([classifier(0.98), *liar], says(~TRUTH, right=0.99), corrections)

    assert pick(tried).method is SightMethod.CLASSIFIER
    assert pick(tried).agreement > 0.9


@pytest.mark.slow
def test_a_run_over_pictures_from_straight_above_picks_the_classifier_and_says_so(tmp_path):
    sets = [TAKEN, TAKEN - {"04"}, TAKEN | {"08"}, TAKEN - {"00", "09"}]
    pictures = tuple(jpeg_of(draw(taken, seed=i)) for i, taken in enumerate(sets))
    steps = []

    run = calibrate(
        CalibrationOrder(run_id="r", lot=drawn_lot(), camera_id="cam", models=tmp_path, pictures=pictures),
        on_progress=lambda run: steps.append(run.step),
    )

    assert (run.state, run.method, run.n_pictures) == ("done", SightMethod.CLASSIFIER, 4)
    assert run.rate > 0.95
    assert "looked at with the classifier" in run.step
    assert len(steps) == len(run.tried)


def test_a_run_without_a_usable_picture_fails_with_a_sentence(tmp_path):
    black = jpeg_of(np.zeros((540, 960, 3), np.uint8))

    run = calibrate(CalibrationOrder(run_id="r", lot=drawn_lot(), camera_id="cam", models=tmp_path, pictures=(black,)))

    assert (run.state, run.step) == ("failed", "There is no usable picture of this camera.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lot", "method", "least"), [("pklot_ufpr05", "detector", 0.99), ("carpark_cvzone", "classifier", 0.95)]
)
def test_real_lots_are_told_right_with_the_method_that_was_picked(lot, method, least, converted, capsys):
    folder = testdata(f"parking/{lot}")

    assert main(["parking", "evaluate", str(folder), "--json", "--data", str(converted)]) == 0

    report = json.loads(capsys.readouterr().out)["lots"][0]
    assert report["views"][0]["method"] == method
    assert report["accuracy"] >= least


def test_a_folder_without_labels_is_refused_in_a_sentence(tmp_path, capsys):
    assert main(["parking", "evaluate", str(tmp_path), "--json", "--data", str(tmp_path)]) == 2
    assert "holds no labelled lot" in json.loads(capsys.readouterr().out)["error"]
