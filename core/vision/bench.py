"""Benchmarks of detection: our whole pipeline beside the bare engine and beside ultralytics, interleaved in one run."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import resources
from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import BadInputError
from core.media.model import SourceSpec
from core.vision.bench_service import measure_service
from core.vision.detect import detect
from core.vision.engine import Engine, open_engine
from core.vision.model import Scene
from core.vision.models import ModelFile, find_model
from core.vision.pipeline import PreparedPictures

N_ROUNDS = 3
N_ENGINE_PICTURES = 150
# As small as the substream that a camera would be analysed on.
_CLIP, _WEIGHTS = "video/traffic_calgary_highway.mp4", "weights/yolo11n.pt"
_TORCH_CODE = """
import itertools, sys, time
from ultralytics import YOLO
found = YOLO(sys.argv[1]).predict(source=sys.argv[2], stream=True, device="cpu", verbose=False)
next(found), next(found)
began_s, began_cpu_s = time.perf_counter(), time.process_time()
n = sum(1 for _ in itertools.islice(found, 150))
print("FPS", n / (time.perf_counter() - began_s), (time.process_time() - began_cpu_s) * 1000 / n)
"""


def bench_detect(clip: Path | None = None, model: str | Path | None = None, *, folder: Path) -> BenchResult:
    """Measure detection on one clip.

    Args:
        clip: Default: a clip and weights of the test data folder where there is one, else the demo's.
        model: As in `find_model`.
        folder: Where converted models are kept.

    Returns:
        `ratio_to_engine` (the detection service over the bare engine fed with the same prepared pictures),
        `clip_ratio_to_engine` (the same of `detect` on one clip), `ratio_to_ultralytics_torch` (`detect` over
        `YOLO(pt).predict(stream=True)`; left out where there is no .pt or no torch), all medians of
        interleaved rounds.

    Raises:
        BadInputError: There is no clip or no model to measure with.
    """
    if clip is None or model is None:
        clip, model = default_inputs()
    found = find_model(model, folder=folder, allow_download=False)
    engine = open_engine(found, n_threads=os.cpu_count() or 1, cache_dir=folder / "cache")
    pictures = _prepare(clip, engine)
    can_torch = found.source_pt is not None and not _lacks_torch()
    ours: list[float] = []
    bare: list[float] = []
    theirs: list[float] = []
    our_cpu_ms: list[float] = []
    their_cpu_ms: list[float] = []
    for _ in range(N_ROUNDS):
        bare.append(_bare_fps(engine, pictures))
        fps, cpu_ms = _our_fps(clip, found, folder)
        ours.append(fps)
        our_cpu_ms.append(cpu_ms)
        if can_torch:
            fps, cpu_ms = _torch_fps(str(found.source_pt), clip)
            theirs.append(fps)
            their_cpu_ms.append(cpu_ms)
    engine.close()
    served = measure_service(clip, found, folder, n_threads=max(1, (os.cpu_count() or 2) - 1))
    named = f"{found.name} {engine.info.precision} {engine.info.input_wh[0]}x{engine.info.input_wh[1]}, {clip.name}"
    figures = {
        "ours_fps": Figure(value=statistics.median(ours), unit="frames/s", reference=named),
        "engine_fps": Figure(value=statistics.median(bare), unit="frames/s", reference=named),
        "ours_cpu_ms": Figure(value=statistics.median(our_cpu_ms), unit="CPU ms/frame", reference=named),
        "clip_ratio_to_engine": Figure(
            value=_median_ratio(ours, bare), unit="ratio", reference="bare engine, same prepared pictures (>= 0.80)"
        ),
    }
    if theirs:
        figures["ultralytics_torch_fps"] = Figure(
            value=statistics.median(theirs), unit="frames/s", reference="YOLO.predict(stream=True, device='cpu')"
        )
        figures["ratio_to_ultralytics_torch"] = Figure(
            value=_median_ratio(ours, theirs), unit="ratio", reference="YOLO.predict on the CPU (>= 2.5)"
        )
        # Wall time says little on a machine that does other things as well; the work done for a picture still does.
        figures["cpu_ratio_to_ultralytics_torch"] = Figure(
            value=_median_ratio(their_cpu_ms, our_cpu_ms), unit="ratio", reference="CPU time of YOLO.predict over ours"
        )
    result = BenchResult(bench="detect", figures=served | figures)
    if theirs:
        return result
    missing = "torch and ultralytics are not installed" if _lacks_torch() else f"{found.name} has no .pt"
    return replace(result, machine=result.machine | {"ratio_to_ultralytics_torch": f"left out: {missing}"})


def default_inputs() -> tuple[Path, Path | str]:
    """Return the clip and the model to measure with where none are named.

    Raises:
        BadInputError: There is no clip.
    """
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "testdata"
    folder = Path(os.environ.get("WATCHFLOOR_TESTDATA", beside))
    if (folder / _CLIP).exists() and (folder / _WEIGHTS).exists() and not _lacks_torch():
        return folder / _CLIP, folder / _WEIGHTS
    try:
        clips = sorted(resources.path("demo/clips").glob("*.mp4"))
    except FileNotFoundError:
        clips = []
    if not clips:
        raise BadInputError("There is no clip to measure with.", hint="Name a clip and a model.")
    return clips[0], "demo"


def _lacks_torch() -> bool:
    return any(importlib.util.find_spec(name) is None for name in ("torch", "ultralytics"))


def _prepare(clip: Path, engine: Engine) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    prepared = []
    with PreparedPictures(SourceSpec(address=str(clip), realtime=False), engine.info.input_wh) as pictures:
        for picture in pictures:
            prepared.append(picture.rgb[None])
            if len(prepared) == N_ENGINE_PICTURES:
                break
    return prepared


def _bare_fps(engine: Engine, pictures: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> float:
    began_s = time.perf_counter()
    for picture in pictures:
        engine.infer(picture)
    return len(pictures) / (time.perf_counter() - began_s)


def _our_fps(clip: Path, model: ModelFile, folder: Path) -> tuple[float, float]:
    """Return frames/s and CPU milliseconds a frame, loading the model included in the latter."""
    began_s = time.process_time()
    lines: list[dict[str, object]] = []
    detect(
        SourceSpec(address=str(clip), realtime=False),
        model,
        Scene(),
        write_line=lines.append,
        cache_dir=folder / "cache",
    )
    cpu_s = time.process_time() - began_s
    fps, n_frames = lines[-1]["fps"], lines[-1]["frames"]
    assert isinstance(fps, float)
    assert isinstance(n_frames, int)
    return fps, cpu_s * 1000 / n_frames


def _torch_fps(weights: str, clip: Path) -> tuple[float, float]:
    """Run ultralytics in a process of its own: this one must stay free of torch."""
    done = subprocess.run(
        [sys.executable, "-c", _TORCH_CODE, weights, str(clip)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"YOLO_AUTOINSTALL": "False"},
    )
    for line in done.stdout.splitlines():
        if line.startswith("FPS "):
            _, fps, cpu_ms = line.split()
            return float(fps), float(cpu_ms)
    raise BadInputError(f"Ultralytics could not run {weights}: {done.stderr.strip()[-300:]}")


def _median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Ratios of neighbours: what else the machine did in a round hits both."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
