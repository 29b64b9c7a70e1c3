"""A dry run over footage: what would have been raised, how far it is, and how it ends."""

import time
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from core.kernel.ids import new_id
from core.kernel.wire import from_bytes, to_bytes
from core.media.model import SourceSpec
from core.vision.dry_run import MAX_RAISED, Collector, describe, dry_run, run_dry_run
from core.vision.dry_run_model import DryRun, DryRunOrder
from core.vision.model import Lane, Mask, Observation, ObservationKind, Phase, RuleSetting, Scene, Zone
from core.vision.view import print_of_part
from tests.fixtures.http_gate import jpeg
from tests.unit.vision.roads import START_AT
from tests.unit.vision.test_detect import write_clip
from tests.unit.vision.toy_model import save_toy_openvino

K = ObservationKind


def saw(kind, phase=Phase.BEGIN, *, at_s=0.0, confidence=0.9, key="a", **values):
    return Observation(
        observation_id=new_id(),
        camera_id="c",
        kind=kind,
        phase=phase,
        rule_key="lane",
        rule_name="Lane",
        condition_key=f"{kind.value}:{key}",
        pts_s=100.0 + at_s,
        captured_at=START_AT + timedelta(seconds=at_s),
        confidence=confidence,
        values=values,
    )


def collected(*observations, scene=Scene()):  # noqa: B008 - frozen
    collector = Collector(scene)
    for observation in observations:
        collector.take([observation], 100.0)
    return collector.report(DryRun(run_id="r"))


def test_begin_and_end_of_one_condition_are_one_entry():
    run = collected(saw(K.WRONG_WAY, at_s=3.0), saw(K.WRONG_WAY, Phase.END, at_s=9.0))

    (one,) = run.raised
    assert (one.at_s, one.ended_s, one.sure_s) == (3.0, 9.0, 3.0)
    assert run.n_raised == run.n_sure == {"wrong_way": 1}
    assert run.calls is None


def test_what_the_rule_is_not_sure_of_is_listed_and_does_not_call_until_it_is():
    unsure = collected(saw(K.WRONG_WAY, confidence=0.7))
    surer = collected(saw(K.WRONG_WAY, confidence=0.7), saw(K.WRONG_WAY, at_s=2.0, confidence=0.85))

    assert [one.sure_s for one in unsure.raised] == [None]
    assert [(one.sure_s, one.at_s, one.confidence) for one in surer.raised] == [(2.0, 0.0, 0.85)]


def test_the_cameras_own_figure_says_what_calls():
    scene = Scene(rules=(RuleSetting(kind="wrong_way", values={"call_from": 0.5}),))

    assert collected(saw(K.WRONG_WAY, confidence=0.6), scene=scene).n_sure == {"wrong_way": 1}


def test_counts_are_told_by_number():
    run = collected(
        saw(K.LINE_CROSSED, Phase.INSTANT), saw(K.LINE_CROSSED, Phase.INSTANT), saw(K.ZONE_ENTERED, Phase.END)
    )

    assert run.raised == ()
    assert run.n_counted == {"line_crossed": 2, "zone_entered": 0}


def test_a_rule_that_never_stops_calling_fills_no_memory():
    run = collected(*(saw(K.PEDESTRIAN, key=str(number)) for number in range(MAX_RAISED + 50)))

    assert len(run.raised) == MAX_RAISED
    assert run.n_raised == {"pedestrian": MAX_RAISED + 50}


def test_a_dry_run_survives_the_wire():
    run = collected(saw(K.OBJECT_LEFT, standing_s=20.0))

    assert from_bytes(to_bytes(run), DryRun) == run


def test_the_list_says_what_where_and_how_sure():
    text = "\n".join(describe(replace(collected(saw(K.WRONG_WAY, at_s=3.0)), state="done", footage_s=12.0)))

    assert "3.0 s" in text
    assert "Lane" in text
    assert "90%" in text
    assert "12.0 s of footage, done." in text


# -- over a clip ------------------------------------------------------------------------------------------------------


GHOST = Scene(
    lanes=(
        Lane(
            key="west",
            name="West",
            polygon=((0.0, 0.1), (1.0, 0.1), (1.0, 1.1), (0.0, 1.1)),
            start=(1.0, 0.9),
            end=(0.0, 0.9),
        ),
    ),
    rules=(
        RuleSetting(kind="wrong_way", values={"hold_s": 0.5, "distance": 0.5}),
        RuleSetting(kind="pedestrian", is_enabled=False),
    ),
)


@pytest.fixture
def order(tmp_path):
    return ghost_order(tmp_path)


def ghost_order(folder: Path) -> DryRunOrder:
    """A car that drives from left to right where the lane leads to the left."""
    return DryRunOrder(
        run_id="run-1",
        source=SourceSpec(address=str(write_clip(folder / "clip.mp4"))),
        scene=GHOST,
        labels=("car",),
        models=folder / "models",
        model=str(save_toy_openvino(folder / "toy_openvino_model")),
    )


def test_the_rules_run_over_a_clip_at_the_cameras_own_rate(order):
    run = dry_run(order)

    assert (run.state, run.message) == ("done", "")
    assert [one.kind for one in run.raised] == [K.WRONG_WAY]
    assert run.footage_s == pytest.approx(5.9, abs=0.3)
    assert run.length_s == pytest.approx(6.0, abs=0.2)


def test_what_is_private_is_black_for_the_rules_as_it_is_live(order):
    lower_half = Mask(key="houses", name="Houses", polygon=((0.0, 0.4), (1.0, 0.4), (1.0, 1.0), (0.0, 1.0)))

    run = dry_run(replace(order, scene=replace(GHOST, masks=(lower_half,))))

    assert run.state == "done"
    assert K.WRONG_WAY not in run.n_raised


@pytest.mark.parametrize(("drawn_wh", "state"), [((96, 96), "failed"), ((1920, 1280), "done"), (None, "done")])
def test_footage_of_another_shape_than_masks_were_drawn_on_is_not_looked_at_and_says_why(order, drawn_wh, state):
    upper = Mask(key="houses", name="Houses", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 0.1), (0.0, 0.1)))
    shapes = {} if drawn_wh is None else {print_of_part(upper.polygon): drawn_wh}

    run = dry_run(replace(order, scene=replace(GHOST, masks=(upper,)), shapes=shapes))

    assert run.state == state
    assert ("another shape" in run.message) is (state == "failed")
    assert bool(run.raised) is (state == "done")
    assert bool(run.hint) is (state == "failed")


def test_a_zone_that_is_far_away_is_looked_at_as_closely_as_it_is_live(order, tmp_path):
    clip = write_far_away(tmp_path / "far.mp4")
    edge = (0.375 + 0.25 / 6, 0.625 - 0.25 / 6)
    far = Zone(
        key="far",
        name="Far",
        polygon=((edge[0], edge[0]), (edge[1], edge[0]), (edge[1], edge[1]), (edge[0], edge[1])),
        alarms_presence=True,
        detail=True,
    )

    def raised(zone):
        return [one.kind for one in dry_run(replace(order, source=clip, scene=Scene(zones=(zone,)))).raised]

    assert raised(replace(far, detail=False)) == []
    assert raised(far) == [K.VEHICLE_IN_ZONE]


def write_far_away(path: Path) -> SourceSpec:
    """A car that is four times too small for the toy network, in the middle of a picture four times its size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = 384, 256, "yuv420p"
        picture = np.zeros((256, 384, 3), np.uint8)
        picture[112:144, 176:208] = 250
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return SourceSpec(address=str(path))


def test_a_dry_run_can_be_stopped(order):
    run = dry_run(order, must_stop=lambda: True)

    assert run.state == "cancelled"


def posted_once(order, tmp_path):
    file = tmp_path / "posted.jpg"
    file.write_bytes(jpeg())
    return replace(order, source=SourceSpec(address=f"edge:{file}"))


def test_a_dry_run_over_a_camera_that_brings_nothing_more_can_be_stopped(order, tmp_path):
    began_s = time.monotonic()
    run = dry_run(posted_once(order, tmp_path), must_stop=lambda: time.monotonic() - began_s > 2.0)

    assert run.state == "cancelled"


def test_a_dry_run_over_a_camera_that_brings_nothing_more_ends_by_itself_and_says_so(order, tmp_path, monkeypatch):
    monkeypatch.setattr("core.vision.dry_run.SILENT_S", 1.0)

    run = dry_run(posted_once(order, tmp_path))

    assert run.state == "done"
    assert "no picture came" in run.message


def test_a_camera_that_brings_no_picture_at_all_is_no_footage_on_which_nothing_happened(order, tmp_path, monkeypatch):
    monkeypatch.setattr("core.vision.dry_run.SILENT_S", 1.0)

    file = tmp_path / "posted.jpg"
    file.write_bytes(b"no picture")

    run = dry_run(replace(order, source=SourceSpec(address=f"edge:{file}")))

    assert run.state == "failed"
    assert "No picture came" in run.message


def test_a_dry_run_has_an_end_and_says_that_it_left_something_out(order):
    run = dry_run(replace(order, limit_s=2.0))

    assert run.state == "done"
    assert run.footage_s <= 2.0
    assert "Only the first" in run.message


def test_footage_that_cannot_be_read_is_a_sentence(order, tmp_path):
    run = dry_run(replace(order, source=SourceSpec(address=str(tmp_path / "none.mp4"))))

    assert run.state == "failed"
    assert run.message


def test_footage_without_one_whole_picture_is_no_footage_on_which_nothing_happened(order, tmp_path):
    whole = Path(order.source.address).read_bytes()
    at = whole.index(b"mdat") + 4
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(
        whole[:at] + b"\xff" * (len(whole) - at)
        if whole.index(b"moov") < at
        else whole[:at] + b"\xff" * (whole.index(b"moov") - 4 - at) + whole[whole.index(b"moov") - 4 :]
    )

    run = dry_run(replace(order, source=SourceSpec(address=str(broken))))

    assert run.state == "failed"
    assert "broken.mp4" in run.message


def test_a_model_that_knows_nothing_of_what_the_camera_looks_for_fails(order):
    run = dry_run(replace(order, labels=("giraffe",)))

    assert run.state == "failed"
    assert "giraffe" in run.message


def test_a_model_that_does_not_know_everything_says_what_was_not_found_and_which_rule_could_not_work(order):
    run = dry_run(replace(order, labels=("car", "truck"), scene=replace(GHOST, rules=GHOST.rules[:1])))

    assert run.state == "done"
    assert [one.kind for one in run.raised] == [K.WRONG_WAY]
    assert "does not know truck: never found here." in run.message
    assert "cannot work here: the model toy does not know person, motorcycle, bicycle." in run.message


def test_the_command_prints_json_for_scripts(order):
    out = StringIO()

    code = run_dry_run(order.source, GHOST, out, models_folder=order.models, model=order.model, as_json=True)

    printed = msgspec.json.decode(out.getvalue())
    assert code == 0
    assert printed["n_raised"] == {"wrong_way": 1}
    assert printed["raised"][0]["rule_key"] == "west"
