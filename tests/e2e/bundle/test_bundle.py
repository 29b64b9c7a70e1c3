"""The lean program, built and started as a bare machine would start it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT_MB = 1050
LIMIT_START_S = 5.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def bundle() -> Path:
    """The folder that PyInstaller makes; one that was built outside is taken as it is."""
    built = os.environ.get("WATCHFLOOR_BUNDLE")
    if built:
        return Path(built)
    subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "packaging/watchfloor.spec"],
        cwd=ROOT,
        check=True,
    )
    return ROOT / "dist" / "watchfloor"


@pytest.fixture(scope="module")
def tried(bundle: Path) -> dict:
    """What the try-out measured; 20 s of the demo, three starts, the self-test."""
    done = subprocess.run(
        [sys.executable, "packaging/try_bundle.py", str(bundle)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_frozen_program_passes_its_self_test_runs_the_demo_and_leaves_nothing_behind(tried):
    assert tried["faults"] == []


def test_it_is_as_small_and_as_quick_as_promised(tried):
    assert tried["size_mb"] < LIMIT_MB
    assert tried["start_s"] < LIMIT_START_S


def test_what_is_left_out_stayed_out(bundle):
    inside = {path.name.lower() for path in (bundle / "_internal").iterdir()}

    assert not inside & {"torch", "torchvision", "ultralytics", "matplotlib", "polars", "pandas", "nvidia", "triton"}
    plugins = {path.name for path in (bundle / "_internal" / "openvino" / "libs").iterdir()}
    assert not any("gpu" in name or "npu" in name for name in plugins)
    assert any("cpu_plugin" in name for name in plugins)
