import importlib.util
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from core.kernel.errors import BadInputError
from core.media.convert import TileScaler
from core.vision.decode import overlap
from core.vision.engine import open_engine
from core.vision.export import can_export
from core.vision.models import find_model
from tests.fixtures.testdata import ROOT, testdata
from tests.unit.vision.toy_model import WH, bright_square, save_toy_openvino


@pytest.fixture
def toy(tmp_path):
    return find_model(save_toy_openvino(tmp_path / "toy_openvino_model"), folder=tmp_path, allow_download=False)


def test_openvino_sees_what_is_there_in_network_pixels(toy):
    engine = open_engine(toy, n_threads=1)

    (boxes,) = engine.infer(bright_square(2, 1))

    assert boxes == pytest.approx(np.array([[65, 33, 95, 63, (230 / 255 - 0.6) * 2.5, 0]]), abs=0.01)
    engine.close()


def test_the_engine_says_what_it_is_and_why(toy):
    info = open_engine(toy, n_threads=1).info

    assert (info.engine, info.device, info.precision, info.input_wh) == ("openvino", "CPU", "f32", WH)
    assert info.labels == ("car", "bus")
    assert info.model_sha256 == toy.sha256
    assert info.reason.endswith(".")


def test_several_pictures_give_several_lists(toy):
    engine = open_engine(toy, n_threads=1)

    found = engine.infer(np.concatenate([bright_square(0, 0), np.zeros_like(bright_square(0, 0)), bright_square(1, 1)]))

    assert [len(boxes) for boxes in found] == [1, 0, 1]


def test_results_stay_when_the_next_picture_is_inferred(toy):
    engine = open_engine(toy, n_threads=1)
    (first,) = engine.infer(bright_square(0, 0))
    before = first.copy()

    engine.infer(bright_square(2, 1, level=200))

    assert first.tolist() == before.tolist()


def test_a_picture_of_another_size_is_refused(toy):
    with pytest.raises(ValueError, match="do not fit"):
        open_engine(toy, n_threads=1).infer(np.zeros((1, 10, 10, 3), np.uint8))


def test_compiled_models_are_kept_for_the_next_start(toy, tmp_path):
    open_engine(toy, n_threads=1, cache_dir=tmp_path / "cache").close()

    assert list((tmp_path / "cache").glob("*.blob"))


def test_a_broken_model_gives_a_sentence_with_its_path(toy):
    toy.path.write_text("<net>")

    with pytest.raises(BadInputError, match=r"toy\.xml cannot be opened"):
        open_engine(toy, n_threads=1)


def test_cuda_that_is_not_there_is_refused_with_a_way_out(toy, monkeypatch):
    monkeypatch.setattr("core.vision.engine._does_device_answer", lambda: False)

    with pytest.raises(BadInputError, match="no CUDA device") as refused:
        open_engine(toy, prefer="torch-cuda")

    assert "auto" in refused.value.hint
    assert open_engine(toy, n_threads=1).info.reason.startswith("No CUDA device answers on this machine, so the model")


@pytest.fixture
def device_that_answers(monkeypatch):
    """The driver of a machine with a CUDA device, whatever is installed on it."""
    monkeypatch.setattr("core.vision.engine._does_device_answer", lambda: True)


def lacks(monkeypatch, *names):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name in names else found(name, *more))


def find_anything(found):
    """Return a search for modules that finds all: torch is not loaded for what needs none of it."""
    return lambda name, *more: found(name, *more) or found("json")


@pytest.mark.usefixtures("device_that_answers")
@pytest.mark.parametrize("missing", [("torch",), ("torch", "ultralytics")])
def test_a_program_without_torch_does_not_say_that_no_cuda_device_answers(toy, monkeypatch, missing):
    lacks(monkeypatch, *missing)

    reason = open_engine(toy, n_threads=1).info.reason

    assert reason.startswith(f"A CUDA device answers, but {' and '.join(missing)}")
    assert "not installed here, so the model runs on the CPU with OpenVINO." in reason
    assert "watchfloor[torch]" in reason


@pytest.mark.usefixtures("device_that_answers")
def test_a_model_whose_weights_are_not_here_says_so_and_what_to_set(toy, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", find_anything(importlib.util.find_spec))

    reason = open_engine(toy, n_threads=1).info.reason

    assert reason == (
        "A CUDA device answers, but the .pt that toy was made of is not here, so the model runs on the CPU with "
        "OpenVINO. To use it, set vision.model to that .pt or to an .engine of it."
    )


@pytest.mark.usefixtures("device_that_answers")
def test_cuda_that_is_asked_for_by_name_says_what_the_model_lacks(toy, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", find_anything(importlib.util.find_spec))

    with pytest.raises(BadInputError, match=r"the \.pt that toy was made of is not here") as refused:
        open_engine(toy, prefer="torch-cuda")
    with pytest.raises(BadInputError, match=r"toy\.xml is no \.engine file"):
        open_engine(toy, prefer="tensorrt")

    assert "set vision.model" in refused.value.hint


@pytest.mark.usefixtures("device_that_answers")
@pytest.mark.skipif(not can_export(), reason="needs torch")
def test_a_torch_that_does_not_see_the_device_is_named(toy, tmp_path):
    weights = tmp_path / "toy.pt"
    weights.write_bytes(b"no weights")
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("torch sees a device here")

    reason = open_engine(replace(toy, source_pt=weights), n_threads=1).info.reason

    assert reason.startswith(f"A CUDA device answers, but torch {torch.__version__} ")
    assert "To use it, " in reason


def test_onnx_runtime_refuses_what_it_cannot_read(toy):
    pytest.importorskip("onnxruntime")

    with pytest.raises(BadInputError, match="ONNX Runtime cannot read"):
        open_engine(toy, prefer="onnxruntime")


def test_the_running_path_imports_neither_torch_nor_ultralytics(toy, tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "import core.vision.detect, core.vision.bench\n"
        "from core.vision.models import find_model; from core.vision.engine import open_engine\n"
        "open_engine(find_model(sys.argv[1], folder=Path(sys.argv[2]), allow_download=False), n_threads=1)\n"
        "print(sorted({'torch', 'ultralytics', 'cv2', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(toy.path.parent), str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.slow
@pytest.mark.testdata
@pytest.mark.parametrize("name", ["yolo11n", "yolo26n"])
def test_openvino_and_onnx_runtime_agree_on_a_real_picture(tmp_path, name):
    pytest.importorskip("ultralytics")
    pytest.importorskip("onnxruntime")
    import av

    model = find_model(testdata(f"weights/{name}.pt"), folder=tmp_path, allow_download=False)
    with av.open(str(testdata("video/traffic_shenzhen_road_buses.mp4"))) as clip:
        frame = next(clip.decode(video=0)).reformat(640, 360, "rgb24").to_ndarray()
    picture = np.full((1, 384, 640, 3), 114, np.uint8)
    picture[0, 12:372] = frame

    # Like with like: left to itself OpenVINO takes the INT8 copy, which has a test of its own below.
    (ours,), (theirs,) = (
        open_engine(model, prefer=prefer, n_threads=1, confidence=0.3, precision="f32").infer(picture)
        for prefer in ("openvino", "onnxruntime")
    )

    assert len(ours) >= 5
    assert ours == pytest.approx(theirs, abs=0.6)


@pytest.mark.slow
@pytest.mark.testdata
def test_a_dynamic_model_opens_at_another_size(tmp_path):
    pytest.importorskip("ultralytics")
    model = find_model(testdata("weights/yolo11n.pt"), folder=tmp_path, allow_download=False)

    engine = open_engine(replace(model), n_threads=1, input_wh=(512, 288))

    assert engine.info.input_wh == (512, 288)
    assert len(engine.infer(np.zeros((1, 288, 512, 3), np.uint8))) == 1


def test_an_int8_copy_is_taken_unless_another_precision_is_asked_for(toy, tmp_path):
    copy = save_toy_openvino(tmp_path / "copy")
    model = replace(toy, int8=copy / "toy.xml", path=tmp_path / "gone.xml")

    assert open_engine(model, n_threads=1).info.labels == ("car", "bus")
    with pytest.raises(BadInputError, match="gone"):
        open_engine(model, n_threads=1, precision="f32")


@pytest.mark.slow
@pytest.mark.testdata
def test_the_int8_copy_finds_what_the_f32_model_finds(tmp_path):
    pytest.importorskip("nncf")
    import av

    model = find_model(testdata("weights/yolo11n.pt"), folder=tmp_path, allow_download=False)
    engines = [open_engine(model, n_threads=1, confidence=0.25, precision=kind) for kind in ("f32", "auto")]
    assert [engine.info.precision for engine in engines] == ["f32", "int8"]
    n_wanted = n_found = n_offered = n_known = 0
    with av.open(str(testdata("video/traffic_shenzhen_road_buses.mp4"))) as clip:
        for index, frame in enumerate(clip.decode(video=0)):
            if index % 100:
                continue
            rgb, _ = TileScaler().to_network_rgb(frame, engines[0].info.input_wh)
            wanted, offered = (engine.infer(rgb[None])[0] for engine in engines)
            same = overlap(wanted[:, :4], offered[:, :4]) > 0.6
            is_sure, is_sure_too = wanted[:, 4] > 0.4, offered[:, 4] > 0.4
            n_wanted, n_found = n_wanted + int(is_sure.sum()), n_found + int(same[is_sure].any(axis=1).sum())
            n_offered, n_known = (
                n_offered + int(is_sure_too.sum()),
                n_known + int(same[:, is_sure_too].any(axis=0).sum()),
            )

    assert n_wanted > 40
    assert n_found >= 0.95 * n_wanted
    assert n_known >= 0.95 * n_offered


_AT_ONCE = """
import os, sys, threading
from pathlib import Path
import numpy as np
from core.vision.engine import open_engine
from core.vision.export import can_export
from core.vision.models import find_model
sys.setswitchinterval(1e-6)
model = find_model(Path(sys.argv[1]), folder=Path(sys.argv[1]).parent, allow_download=False)
engines = [open_engine(model, n_threads=1) for _ in range(8)]
width, height = engines[0].info.input_wh
ready, picture = threading.Barrier(8), np.zeros((1, height, width, 3), np.uint8)
def look(engine):
    ready.wait()
    engine.infer(picture)
threads = [threading.Thread(target=look, args=(engine,)) for engine in engines]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_engines_that_look_for_the_first_time_at_once_do_not_wait_for_each_other_for_ever(toy):
    for _ in range(2):
        subprocess.run([sys.executable, "-c", _AT_ONCE, str(toy.path.parent)], cwd=ROOT, check=True, timeout=30)
