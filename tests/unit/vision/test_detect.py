import io
import json

import av
import numpy as np
import pytest

from core.vision.detect import run_detect
from core.vision.model import TrackerKind
from tests.unit.vision.toy_model import save_toy_openvino

N_FRAMES = 60


def write_clip(path):
    """A bright car of 32 px that drives from left to right below the middle, 10 pictures a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, options={"qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(N_FRAMES):
            picture = np.zeros((64, 96, 3), np.uint8)
            picture[32:64, index : index + 32] = 250
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4")


@pytest.fixture
def model(tmp_path):
    return str(save_toy_openvino(tmp_path / "toy_openvino_model"))


@pytest.fixture
def zones(tmp_path):
    path = tmp_path / "zones.json"
    line = {"key": "gate", "name": "Gate", "start": [0.5, 1.0], "end": [0.5, 0.1], "forward_name": "east"}
    zone = {"key": "left", "name": "Left", "polygon": [[0, 0.2], [0.45, 0.2], [0.45, 1.1], [0, 1.1]]}
    path.write_text(json.dumps({"lines": [line], "zones": [zone]}))
    return path


def run(source, model, zones, tmp_path, **options):
    out = io.StringIO()
    code = run_detect(str(source), model, zones, out, models_folder=tmp_path / "models", **options)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("tracker", list(TrackerKind))
def test_every_picture_of_a_file_is_analysed_in_order_and_summed_up(clip, model, zones, tmp_path, tracker):
    code, lines = run(clip, model, zones, tmp_path, tracker=tracker)

    times = [line["pts_s"] for line in lines if line["type"] == "tracks"]
    assert code == 0
    assert times == pytest.approx([index / 10 for index in range(N_FRAMES)])
    summary = lines[-1]
    assert (summary["type"], summary["frames"], summary["n_dropped"], summary["is_complete"]) == (
        "summary",
        N_FRAMES,
        0,
        True,
    )
    assert summary["lines"]["gate"]["east"] == {"car": 1}
    assert summary["zones"]["left"]["entered"] == {"car": 1}
    assert summary["engine"]["engine"] == "openvino"


def test_observations_carry_picture_time_and_direction(clip, model, zones, tmp_path):
    _, lines = run(clip, model, zones, tmp_path)

    (crossing,) = (line for line in lines if line.get("kind") == "line_crossed")
    assert crossing["direction"] == "east"
    assert 1.5 < crossing["pts_s"] < 4.5
    assert crossing["captured_at"].endswith("Z")


def test_other_classes_are_left_out(clip, model, zones, tmp_path):
    _, lines = run(clip, model, zones, tmp_path, labels=("bus",))

    assert lines[-1]["detections"] == 0


@pytest.mark.parametrize("what", ["source", "model", "zones"])
def test_a_bad_input_is_one_line_and_an_exit_code(clip, model, zones, tmp_path, what):
    bad = tmp_path / "bad.onnx"
    bad.write_text("nothing useful")
    inputs = {"source": clip, "model": model, "zones": zones} | {what: bad if what != "model" else str(bad)}

    code, lines = run(inputs["source"], inputs["model"], inputs["zones"], tmp_path)

    assert code == 2
    assert lines[-1]["type"] == "error"
    assert "bad.onnx" in lines[-1]["message"]


def test_a_file_cut_off_in_the_middle_still_gives_a_summary(model, zones, tmp_path):
    stream = write_clip(tmp_path / "cut.ts")
    stream.write_bytes(stream.read_bytes()[: stream.stat().st_size // 2])

    _, lines = run(stream, model, zones, tmp_path)

    (summary,) = (line for line in lines if line["type"] == "summary")
    assert 10 < summary["frames"] < N_FRAMES
