"""Vehicles counted by eye against vehicles counted by the whole pipeline."""

import io
import json
from pathlib import Path

import pytest

from core.vision.detect import run_detect
from core.vision.model import TrackerKind
from tests.fixtures.testdata import testdata

COUNTS = json.loads((Path(__file__).parents[2] / "fixtures" / "counts.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.mark.slow
@pytest.mark.testdata
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", COUNTS["clips"], ids=lambda case: Path(case["clip"]).stem)
def test_the_count_over_a_line_is_within_three_per_cent_of_the_count_by_eye(case, models_folder, tmp_path):
    pytest.importorskip("ultralytics", reason="weights are converted with ultralytics")
    zones, out = tmp_path / "zones.json", io.StringIO()
    zones.write_text(json.dumps({"lines": [{**case["line"], "labels": COUNTS["labels"]}]}))

    code = run_detect(
        str(testdata(case["clip"])),
        str(testdata("weights/yolo11n.pt")),
        zones,
        out,
        models_folder=models_folder,
        tracker=TrackerKind.BYTETRACK,
    )

    summary = json.loads(out.getvalue().splitlines()[-1])
    assert code == 0
    counted = {name: sum(by_label.values()) for name, by_label in summary["lines"]["road"].items()}
    total = sum(case["truth"].values())
    print(f"{case['clip']}: by eye {case['truth']}, counted {counted}")
    assert sum(abs(counted[name] - truth) for name, truth in case["truth"].items()) <= 0.03 * total
