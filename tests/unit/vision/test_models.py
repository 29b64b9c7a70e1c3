import hashlib
import json
import os
import sys

import pytest

from core.kernel.errors import BadInputError, UnavailableError
from core.vision import models
from core.vision.export import can_export
from core.vision.models import find_model, read_onnx_metadata
from core.vision.quantise import RECIPE, int8_folder
from tests.fixtures.testdata import testdata
from tests.unit.vision.toy_model import save_toy_openvino


def field(number: int, payload: bytes) -> bytes:
    """One length-delimited protobuf field."""
    length, encoded = len(payload), bytearray()
    while True:
        encoded.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + bytes(encoded) + payload


def onnx_bytes(**metadata: str) -> bytes:
    pairs = b"".join(field(14, field(1, key.encode()) + field(2, value.encode())) for key, value in metadata.items())
    return b"\x08\x08" + field(7, b"g" * 300) + pairs


def find(path, folder, **options):
    return find_model(path, folder=folder, allow_download=False, **options)


def test_an_onnx_file_names_its_classes_and_size_itself(tmp_path):
    path = tmp_path / "city.onnx"
    path.write_bytes(onnx_bytes(names="{0: 'car', 1: 'bus'}", imgsz="[384, 640]"))

    model = find(path, tmp_path)

    assert (model.name, model.labels, model.input_wh) == ("city", ("car", "bus"), (640, 384))
    assert len(model.sha256) == 64
    assert not model.is_demonstration


def test_a_json_beside_an_onnx_file_names_the_classes(tmp_path):
    path = tmp_path / "city.onnx"
    path.write_bytes(onnx_bytes())
    path.with_suffix(".json").write_text(json.dumps({"labels": ["car", "bus"], "input_wh": [320, 192]}))

    model = find(path, tmp_path)

    assert (model.labels, model.input_wh) == (("car", "bus"), (320, 192))


def test_an_onnx_file_without_classes_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "city.onnx"
    path.write_bytes(onnx_bytes())

    with pytest.raises(BadInputError, match="which classes") as refused:
        find(path, tmp_path)

    assert "city.json" in refused.value.hint


CUT_OFF = b"\x08\x08\x3a\xff\xff\x7f and not much more"


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x08\x08", CUT_OFF, b"\xff" * 40])
def test_a_file_that_is_no_onnx_model_is_named_with_the_reason(tmp_path, content):
    path = tmp_path / "holiday.onnx"
    path.write_bytes(content)

    with pytest.raises(BadInputError, match=r"holiday\.onnx is no ONNX model"):
        find(path, tmp_path)


def test_an_openvino_folder_or_its_xml_is_a_model(tmp_path):
    folder = save_toy_openvino(tmp_path / "toy_openvino_model")

    by_folder, by_file = find(folder, tmp_path), find(folder / "toy.xml", tmp_path)

    assert by_folder == by_file
    assert (by_folder.labels, by_folder.input_wh) == (("car", "bus"), (96, 64))


def test_an_openvino_model_without_its_weights_is_refused(tmp_path):
    folder = save_toy_openvino(tmp_path / "toy_openvino_model")
    (folder / "toy.bin").unlink()

    with pytest.raises(BadInputError, match=r"no toy\.bin"):
        find(folder, tmp_path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("clip.mp4", "ending '.mp4' is unknown"), ("x.engine", "no TensorRT")],
)
def test_what_is_no_model_is_refused_by_name(tmp_path, name, reason):
    (tmp_path / name).write_bytes(b"\x00\x00\x00\x00 something else")

    with pytest.raises(BadInputError, match=reason) as refused:
        find(tmp_path / name, tmp_path)

    assert name in refused.value.message


def test_an_engine_whose_description_is_no_object_is_refused(tmp_path):
    path = tmp_path / "x.engine"
    path.write_bytes(b"\x02\x00\x00\x00[]")

    with pytest.raises(BadInputError, match="no TensorRT"):
        find(path, tmp_path)


def test_a_file_that_is_not_there_may_come_yet(tmp_path):
    with pytest.raises(UnavailableError, match=r"no model file .*missing\.onnx"):
        find(tmp_path / "missing.onnx", tmp_path)


UNREADABLE = "/proc/self/mem"
"""Opens, and gives an error of the device for each byte that is read: as a share that hung up, also for root."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize("name", ["city.engine", "mine.pt", "toy/toy.bin", "toy/metadata.yaml"])
def test_a_file_that_cannot_be_read_is_away_and_named(tmp_path, name):
    save_toy_openvino(tmp_path / "toy")
    path = tmp_path / name
    path.unlink(missing_ok=True)
    path.symlink_to(UNREADABLE)

    with pytest.raises(UnavailableError, match="Input/output error") as refused:
        find(path.parent if path.parent != tmp_path else path, tmp_path)

    assert path.parent.name in refused.value.message
    assert refused.value.hint


def test_a_place_that_cannot_be_asked_is_away(tmp_path):
    name = "a" * 300 + ".onnx"

    with pytest.raises(UnavailableError, match="name too long"):
        find(tmp_path / name, tmp_path)


@pytest.mark.skipif(not can_export(), reason="needs torch")
def test_a_folder_that_takes_no_conversion_is_away(tmp_path):
    weights, closed = lay_weights(tmp_path), tmp_path / "models"
    closed.write_bytes(b"a file where the folder should be")

    with pytest.raises(UnavailableError, match=r"could not be converted in .*models"):
        find(weights, closed)


def test_weights_without_torch_are_refused_with_a_way_out(tmp_path, monkeypatch):
    weights = tmp_path / "mine.pt"
    weights.write_bytes(b"PK")
    monkeypatch.setattr("core.vision.export.importlib.util.find_spec", lambda name: None)

    with pytest.raises(BadInputError, match="torch is not installed") as refused:
        find(weights, tmp_path)

    assert "another machine" in refused.value.hint


def lay_weights(folder, *names):
    """Weights, and conversions of them; RECIPE and DIGEST stand for what this program writes."""
    weights = folder / "mine.pt"
    weights.write_bytes(b"this is a text")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    for index, name in enumerate(names):
        path = folder / name.replace("DIGEST", digest).replace("RECIPE", str(RECIPE))
        path.write_bytes(onnx_bytes(names="{0: 'car'}"))
        os.utime(path, (1e9 + index, 1e9 + index))
    return weights


@pytest.mark.parametrize(
    ("laid", "taken"),
    [
        (["mine-DIGEST-RECIPE.onnx", "mine-DIGEST.onnx"], 0),
        (["mine-DIGEST.onnx"], 0),
        (["mine-DIGEST.onnx", "mine-DIGEST-1.onnx"], 1),
    ],
)
def test_where_nothing_can_be_converted_what_an_earlier_program_made_is_taken(tmp_path, monkeypatch, laid, taken):
    weights = lay_weights(tmp_path, *laid)
    monkeypatch.setattr("core.vision.export.importlib.util.find_spec", lambda name: None)

    model = find(weights, tmp_path)

    assert model.path.stat().st_mtime == 1e9 + taken
    assert model.name == "mine"


def test_conversions_of_other_weights_are_not_taken(tmp_path, monkeypatch):
    weights = lay_weights(tmp_path, "mine-0123456789abcdef.onnx", "yours-DIGEST.onnx")
    monkeypatch.setattr("core.vision.export.importlib.util.find_spec", lambda name: None)

    with pytest.raises(BadInputError, match="torch is not installed"):
        find(weights, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "laid", "taken"),
    [
        ("weights", ["mine-DIGEST.onnx", "mine.onnx"], 0),
        ("name", ["mine-DIGEST.onnx", "mine.onnx"], 0),
        ("name", ["mine.onnx"], 0),
    ],
)
def test_what_an_earlier_program_made_is_made_anew_where_it_can_be_and_else_runs(tmp_path, wanted, laid, taken):
    pytest.importorskip("ultralytics")
    weights = lay_weights(tmp_path, *laid)
    int8_folder(tmp_path / "mine.onnx").mkdir()

    model = find(weights if wanted == "weights" else "mine", tmp_path)

    # That it was tried shows: these weights are none.
    assert "mine.pt is no model" in model.note
    assert model.path.stat().st_mtime == 1e9 + taken
    assert not model.is_demonstration


def test_a_fetched_model_goes_by_the_name_that_was_asked_for(tmp_path):
    for name in ("city.onnx", f"city-{RECIPE}.onnx", f"city.recipe{RECIPE}.onnx"):
        (tmp_path / name).write_bytes(onnx_bytes(names="['car']"))

    model = find("city", tmp_path)

    assert (model.name, model.path.name) == ("city", f"city.recipe{RECIPE}.onnx")


def test_a_name_that_is_nowhere_becomes_the_demonstration_model_and_says_so(tmp_path, monkeypatch):
    demo = tmp_path / "demo.onnx"
    demo.write_bytes(onnx_bytes(names="{0: 'car'}"))
    monkeypatch.setattr(models.resources, "path", lambda name: demo)

    model = find("yolo99x", tmp_path / "empty")

    assert model.is_demonstration
    assert "yolo99x" in model.note
    assert find("", tmp_path).note == ""


def test_a_name_is_found_in_the_folder(tmp_path):
    (tmp_path / "city.onnx").write_bytes(onnx_bytes(names="['car']"))

    assert find("city", tmp_path).labels == ("car",)


@pytest.mark.testdata
def test_the_int8_folder_of_ultralytics_is_understood(tmp_path):
    model = find(testdata("weights/yolo11n_int8_openvino_model"), tmp_path)

    assert (len(model.labels), model.labels[2], model.input_wh) == (80, "car", (640, 640))


@pytest.mark.slow
@pytest.mark.testdata
@pytest.mark.parametrize("name", ["yolo11n", "yolo26n"])
def test_weights_are_converted_once_and_found_again_by_their_hash(tmp_path, name):
    pytest.importorskip("ultralytics")
    pytest.importorskip("onnx")
    weights, steps = testdata(f"weights/{name}.pt"), []

    first = find(weights, tmp_path, on_progress=steps.append)
    n_steps = len(steps)
    again = find(weights, tmp_path, on_progress=steps.append)

    assert first == again
    assert len(steps) == n_steps
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert steps[-1].fraction == 1.0
    assert first.labels[2] == "car"
    assert first.source_pt == weights.resolve()
    expected = {first.path} if first.int8 is None else {first.path, first.int8.parent}
    assert set(tmp_path.iterdir()) == expected
    assert find(first.path, tmp_path).source_pt == weights.resolve()
    assert "names" in read_onnx_metadata(first.path)


@pytest.mark.slow
def test_a_pt_that_is_no_model_gives_a_sentence(tmp_path):
    pytest.importorskip("ultralytics")
    weights = tmp_path / "holiday.pt"
    weights.write_bytes(b"this is a text")

    with pytest.raises(BadInputError, match=r"holiday\.pt is no model"):
        find(weights, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["holiday.pt"]
