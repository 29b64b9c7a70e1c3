"""What the exporter is told, and what it refuses before it loads torch."""

import json

import pytest

from core.kernel.sizes import input_wh_of
from core.vision.export import run_export


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
