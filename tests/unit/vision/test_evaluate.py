"""The evaluation's own arithmetic: what counts as found, as late, as false, and what is left out."""

import json
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.kernel.errors import BadInputError
from core.media.convert import Letterbox
from core.vision.evaluate import PICTURES, Evaluation, evaluate_vision, parts_of, rates_of, run_evaluate
from core.vision.evaluate_clips import Case, Said, Shows, find_cases, looped, once, run_clip
from core.vision.evaluate_detection import read_labels
from core.vision.evaluate_incidents import NormalResult, Told, judge_accident, sum_up
from core.vision.evaluate_tracks import read_mot
from core.vision.footage import SeenClip, SeenPicture
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.http_gate import jpeg
from tests.unit.vision.toy_model import save_toy_openvino

CRASH = Case(path=Path("accident_here.mp4"), shows=Shows.COLLISION, impact_s=10.0)


def told(at_s, confidence, *, phase=Phase.BEGIN, key="collision:camera:1"):
    return Observation(
        observation_id=f"{key}-{at_s}",
        camera_id="evaluated",
        kind=ObservationKind.COLLISION,
        phase=phase,
        rule_key="camera",
        rule_name="Camera",
        condition_key=key,
        pts_s=at_s,
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        confidence=confidence,
    )


def judged(*observations, case=CRASH):
    return judge_accident(case, 8.0, Said(observations=observations, tracks=(), length_s=20.0), 0.8)


def normal(n_calls=0, n_calls_looped=0, hours_looped=0.5, clip="traffic_here.mp4", told=()):
    return NormalResult(
        clip=clip,
        fps=8.0,
        n_calls=n_calls,
        n_calls_looped=n_calls_looped,
        hours_looped=hours_looped,
        confidence=0.0,
        told=told,
    )


def clip_of(n_pictures, fps=10.0):
    pictures = tuple(
        SeenPicture(pts_s=index / fps, boxes=np.zeros((0, 6), np.float32), grey=np.zeros((9, 16), np.uint8))
        for index in range(n_pictures)
    )
    box = Letterbox(scale=1.0, pad_x=0, pad_y=0, content_w=16, content_h=9, frame_w=16, frame_h=9)
    return SeenClip(path=Path("clip.mp4"), labels=("car",), letterbox=box, pictures=pictures)


def test_a_call_within_five_seconds_of_the_impact_is_a_find():
    result = judged(told(11.5, 0.9))

    assert result.is_found
    assert result.after_s == 1.5


def test_a_call_after_five_seconds_is_no_find_though_its_delay_is_told():
    result = judged(told(15.5, 0.9))

    assert not result.is_found
    assert result.after_s == 5.5


def test_what_is_not_sure_enough_to_call_is_no_find():
    result = judged(told(11.0, 0.79))

    assert not result.is_found
    assert result.confidence == 0.79


def test_a_rule_that_becomes_surer_calls_when_it_is_sure():
    assert judged(told(11.0, 0.7), told(12.0, 0.85)).after_s == 2.0


def test_a_call_before_the_impact_is_early_and_finds_nothing():
    result = judged(told(5.0, 0.9))

    assert not result.is_found
    assert result.n_early == 1


def test_impacts_are_read_by_eye_so_half_a_second_before_is_no_early_call():
    assert judged(told(9.6, 0.9)).n_early == 0


def test_where_nobody_read_the_time_of_the_impact_any_call_is_a_find():
    result = judged(told(3.0, 0.9), case=Case(path=CRASH.path, shows=Shows.COLLISION))

    assert result.is_found
    assert result.after_s is None


def test_false_alarms_are_told_by_the_hour():
    report = sum_up([judged(told(11.0, 0.9))], [normal(n_calls_looped=1), normal(n_calls_looped=2)], 0.8)

    assert report.false_per_camera_hour == 3.0
    assert report.normal_clips_calling == ("traffic_here.mp4",)


def test_each_confidence_is_held_against_what_was_there():
    crash = judged(told(5.0, 0.65), told(11.0, 0.7, key="b"), told(12.0, 0.92, key="b"))
    quiet = normal(told=(Told(confidence=0.85, is_true=False),))

    found = {one.from_confidence: (one.n_true, one.n_told) for one in sum_up([crash], [quiet], 0.8).reliability}

    assert found == {0.6: (0, 1), 0.7: (0, 0), 0.8: (0, 1), 0.9: (1, 1)}


def test_recall_counts_each_accident_once_for_each_rate():
    report = sum_up([judged(told(11.0, 0.9)), judged()], [normal()], 0.8)

    assert report.recall == 0.5
    assert report.recall_by_fps == {"8": 0.5}
    assert report.normal_clips_calling == ()


def test_a_looped_clip_is_as_long_as_asked_and_time_goes_on_over_every_cut():
    clip = clip_of(50)

    times = [at_s for _, at_s in looped(clip, 10.0, 60.0, seed=1)]

    assert 55.0 < times[-1] < 66.0
    assert all(0 < later - earlier < 0.11 for earlier, later in pairwise(times))


def test_loops_are_cut_in_different_places_and_the_same_ones_the_next_time():
    clip = clip_of(50)

    def starts(seed):
        shown = [picture.pts_s for picture, _ in looped(clip, 10.0, 60.0, seed=seed)]
        return [later for earlier, later in pairwise(shown) if later < earlier]

    assert len(set(starts(1))) > 3
    assert starts(1) == starts(1)


def test_a_clip_of_one_picture_cannot_be_looped_and_does_not_hang():
    assert list(looped(clip_of(1), 8.0, 60.0, seed=1)) == []


def test_a_clip_is_shown_at_the_rate_of_a_camera():
    said = run_clip(clip_of(50), once(clip_of(50), 5.0))

    assert len(said.tracks) == 25
    assert said.length_s == pytest.approx(4.8)


def test_clips_are_judged_by_what_their_names_say(tmp_path):
    (tmp_path / "video").mkdir()
    for name in ("accident_a.mp4", "traffic_b.mp4", "congestion_c.mp4", "holiday.mp4"):
        (tmp_path / "video" / name).touch()
    impacts = tmp_path / "incidents.json"
    impacts.write_text(json.dumps({"impact_s": {"accident_a.mp4": 3.5}}))

    cases = {case.path.name: case for case in find_cases(tmp_path, impacts)}

    assert cases["accident_a.mp4"].impact_s == 3.5
    assert cases["traffic_b.mp4"].shows is Shows.NORMAL
    assert cases["congestion_c.mp4"].shows is Shows.CONGESTION
    assert "holiday.mp4" not in cases


def test_every_part_that_a_folder_lacks_is_named_in_a_sentence(tmp_path):
    order = Evaluation(folder=tmp_path, truth=tmp_path, cache=tmp_path / "cache", models=tmp_path, n_threads=1)

    report = evaluate_vision(order)

    assert report["parts"] == {}
    assert [sentence.split(" ")[0] for sentence in report["left_out"]] == [
        "detection",
        "tracking",
        "counts",
        "congestion",
        "collisions",
    ]
    assert all(" is left out: " in sentence and sentence.endswith(".") for sentence in report["left_out"])


def test_engines_that_this_machine_cannot_run_are_named_and_why(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / PICTURES / folder).mkdir(parents=True)
    (tmp_path / PICTURES / "images" / "one.jpg").write_bytes(jpeg(96, 64))
    (tmp_path / PICTURES / "labels" / "one.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    order = Evaluation(
        folder=tmp_path,
        truth=tmp_path,
        cache=tmp_path / "cache",
        models=tmp_path,
        model=str(save_toy_openvino(tmp_path / "toy_openvino_model")),
        parts=("detection",),
        n_threads=1,
    )
    out = StringIO()

    code = run_evaluate(order, out, as_json=True)

    report = json.loads(out.getvalue())
    judged = {(score["engine"], score["precision"]) for score in report["parts"]["detection"]}
    assert code == 0
    assert judged == {("openvino", "f32")}
    assert report["left_out"][0] == "detection by openvino in INT8 is left out: the model has no INT8 copy."
    assert [sentence.split(" ")[2] for sentence in report["left_out"]] == [
        "openvino",
        "onnxruntime",
        "torch-cuda",
        "tensorrt",
    ]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="There is no folder"):
        evaluate_vision(
            Evaluation(folder=tmp_path / "nowhere", truth=tmp_path, cache=tmp_path, models=tmp_path, n_threads=1)
        )


def test_labels_are_read_as_corners(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("0 0.5 0.5 0.2 0.4\n")

    assert read_labels(file) == pytest.approx(np.array([[0.4, 0.3, 0.6, 0.7]]))


def test_a_picture_without_labels_shows_nothing(tmp_path):
    assert read_labels(tmp_path / "missing.txt").shape == (0, 4)


def test_paths_are_read_by_frame_and_identity(tmp_path):
    file = tmp_path / "gt.txt"
    file.write_text("1,9,10,20,30,40,1,1,1\n1,3,0,0,10,10,0,1,1\n2,9,20,20,30,40,1,1,1\n")

    truth = read_mot(file, (100, 100))

    assert truth[1] == {9: pytest.approx((0.1, 0.2, 0.4, 0.6))}
    assert list(truth) == [1, 2]


def test_paths_that_are_none_are_refused(tmp_path):
    file = tmp_path / "gt.txt"
    file.write_text("one,two\n")

    with pytest.raises(BadInputError, match="no labelled paths"):
        read_mot(file, (100, 100))


def test_rates_and_parts_are_read_from_lists():
    assert rates_of("5, 8") == (5.0, 8.0)
    assert parts_of("counts,collisions") == ("counts", "collisions")


@pytest.mark.parametrize("text", ["", "fast", "0", "-5", "nan"])
def test_rates_that_are_none_are_refused(text):
    with pytest.raises(BadInputError, match="names no rates"):
        rates_of(text)


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(BadInputError, match="no part 'speed'"):
        parts_of("speed")
