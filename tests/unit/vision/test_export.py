"""What the exporter is told, and what it refuses before it loads torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.kernel.errors import BadInputError
from core.kernel.sizes import input_wh_of
from core.vision.export import ExportStop, can_export, export_model, run_export
from tests.fixtures.testdata import testdata


@pytest.mark.parametrize(
    ("text", "wh"),
    [
        ("512x288", (512, 288)),
        ("640x384", (640, 384)),
        ("32x2048", (32, 2048)),
        *(
            (text, None)
            for text in ("", "640", "640x", "500x288", "0x32", "-32x32", "64x4096", "32x32x32", "6 4x32", "٣٢x32")
        ),
    ],
)
def test_a_size_is_two_multiples_of_32(text, wh):
    assert input_wh_of(text) == wh


@pytest.mark.parametrize(
    ("words", "said"), [(["500x288"], "500x288 is no size"), (["640x384", "more"], "Two or three arguments")]
)
def test_a_size_that_is_none_is_refused_in_a_sentence_and_nothing_is_written(tmp_path, capsys, words, said):
    out = tmp_path / "model.onnx"

    code = run_export([str(tmp_path / "model.pt"), str(out), *words])

    assert code == 2
    assert said in json.loads(capsys.readouterr().out)["error"]
    assert not out.exists()


@pytest.mark.skipif(not can_export(), reason="needs torch")
def test_a_conversion_ends_when_it_is_told_to_and_no_other_begins(tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"no weights")
    stop, steps = ExportStop(), []

    def end(progress):
        steps.append(progress.step)
        stop.set()

    for _ in range(2):
        with pytest.raises(BadInputError):
            export_model(weights, tmp_path / "models", end, stop)

    assert steps == ["loading torch"]
    assert not any("core.vision.export" in child.cmdline() for child in psutil.Process().children())


@pytest.mark.skipif(not can_export(), reason="needs torch")
@pytest.mark.slow
@pytest.mark.testdata
def test_weights_and_folder_may_be_named_from_where_one_is(tmp_path, monkeypatch):
    weights, home = testdata("weights/yolo11n.pt"), tmp_path / "home"
    home.mkdir()
    (tmp_path / "weights.pt").write_bytes(weights.read_bytes())
    monkeypatch.chdir(home)

    made = export_model(Path("../weights.pt"), Path("models"))

    assert made.resolve().parent == home / "models"
    assert made.stat().st_size > 0


@pytest.mark.skipif(not can_export(), reason="needs torch")
def test_a_conversion_ends_with_who_asked_for_it(tmp_path):
    command = [sys.executable, "-m", "core.vision.export", str(tmp_path / "model.pt"), str(tmp_path / "model.onnx")]
    environment = os.environ | {"WATCHFLOOR_ENDS_WITH_STDIN": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        first = process.stdout.readline()
        process.stdin.close()
        rest = process.stdout.read()

    assert b"loading torch" in first
    assert rest == b""
    assert process.returncode == 1
