"""The README's first command, as an operator starts it: window, city, boxes, alarms, and nothing left behind."""

import json
import subprocess
import sys

import pytest
from PySide6.QtGui import QImage

from tests.fixtures.testdata import ROOT

KEYS = {
    *("frames", "detections", "observations", "incidents", "alarms", "messages"),
    *("lag_p99_ms", "worker_restarts", "errors"),
}


@pytest.mark.timeout(150)
def test_the_demo_ends_by_itself_with_a_picture_and_one_line_of_figures(tmp_path):
    picture = tmp_path / "demo.png"
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "main.py"),
            "--demo",
            "--data",
            str(tmp_path / "data"),
            "--for",
            "30",
            "--screenshot",
            str(picture),
            "--size",
            "1280x800",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.strip().splitlines()
    figures = json.loads(line)
    assert figures.keys() == KEYS
    for key in KEYS - {"worker_restarts", "errors", "lag_p99_ms"}:
        assert figures[key] > 0, figures
    assert figures["errors"] == 0, figures
    assert figures["worker_restarts"] == 0, figures
    assert_is_a_room(QImage(str(picture)))
    assert not (tmp_path / "data" / "node.json").exists(), "the node said goodbye"


def assert_is_a_room(image):
    assert (image.width(), image.height()) == (1280, 800)
    colours = {image.pixel(x, y) for x in range(0, 1280, 9) for y in range(0, 800, 9)}
    assert len(colours) > 500, "tiles, map and texts have many colours"


@pytest.mark.timeout(120)
def test_the_self_test_finds_nothing_broken(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "self-test", "--json", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=ROOT,
    )

    result = json.loads(done.stdout)
    failed = [check for check in result["checks"] if check["status"] == "failed"]
    assert not failed, failed
    assert done.returncode == result["exit"]
    assert done.returncode in (0, 2)
    assert {"database", "broker", "codecs", "inference", "workers", "opengl", "audio", "disk", "permissions"} <= {
        check["name"] for check in result["checks"]
    }
