"""`main.py evaluate vision`: what detection, tracking, counting and incidents are worth on clips with a truth.

The detector looks at every clip once; what it found is kept by the clip's and the model's hash, so that rules can be
judged again within seconds. A folder without some part is no error: the report says which part was left out, and why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from core.kernel.bench import describe_machine
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.wire import to_builtins, to_json
from core.vision.engine import Engine, open_engine
from core.vision.evaluate_clips import Case, find_cases
from core.vision.evaluate_detection import EngineScore, engines_left_out, score_engines
from core.vision.evaluate_incidents import CollisionReport, evaluate_collisions, evaluate_congestion
from core.vision.evaluate_tracks import CountResult, describe_score, evaluate_counts, evaluate_tracking
from core.vision.footage import SeenClip, see_clip
from core.vision.model import EngineInfo
from core.vision.models import ModelFile, find_model

PICTURES, PATHS = "labelled/vehicles_highway", "labelled/mot_pets09_s2l1"
COUNTS, INCIDENTS, WEIGHTS = "counts.json", "incidents.json", "weights/yolo11n.pt"
PARTS = ("detection", "tracking", "counts", "congestion", "collisions")
DEFAULT_FPS = 8.0
RATES = (5.0, 8.0, 10.0)
"""Pictures a second at which collisions are judged: what works at one rate only works by chance."""

SQUARE_WH = (640, 640)
"""Labelled pictures are square; at this size nothing of them is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What to judge, and with what.

    Attributes:
        folder: The test data.
        truth: Folder with `counts.json` and `incidents.json`.
        cache: What the detector found is kept here.
        models: Converted models are kept here.
        model: As in `find_model`; "" takes the weights of the test data, else the demonstration model.
        loop_s: How long each normal clip is looped at each rate.
        seed: Of the cuts between two rounds of a loop.
        parts: Names of the parts that are wanted; empty for all.
    """

    folder: Path
    truth: Path
    cache: Path
    models: Path
    model: str = ""
    loop_s: float = 300.0
    seed: int = 1
    rates: tuple[float, ...] = RATES
    parts: tuple[str, ...] = ()
    n_threads: int = 0


@dataclass(slots=True)
class _Eyes:
    """The detector, opened when the first clip asks for it."""

    model: ModelFile
    order: Evaluation
    tell: Callable[[str], None]
    seen: dict[Path, SeenClip] = field(default_factory=dict)
    _engine: Engine | None = None

    def see(self, path: Path) -> SeenClip:
        """Return what the detector finds in a clip."""
        if path not in self.seen:
            self.seen[path] = see_clip(path, self.open().info, lambda: self._look_at(path), self.order.cache)
        return self.seen[path]

    def open(self) -> Engine:
        """Return the detector."""
        if self._engine is None:
            threads = self.order.n_threads or max(1, (os.cpu_count() or 2) - 1)
            compiled = self.order.cache / "compiled"
            self._engine = open_engine(self.model, n_threads=threads, cache_dir=compiled)
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _look_at(self, path: Path) -> Engine:
        self.tell(f"Looking at {path.name} for the first time.")
        return self.open()


def evaluate_vision(order: Evaluation, *, tell: Callable[[str], None] = lambda _line: None) -> dict[str, Any]:
    """Judge every part that the folder has a truth for.

    Args:
        order: What to judge.
        tell: Hears what is being done; it takes minutes the first time.

    Returns:
        Plain data: `parts` by name, and `left_out`, a sentence for each part or engine that could not be judged.

    Raises:
        BadInputError: There is no such folder, or no model.
    """
    if not order.folder.is_dir():
        raise BadInputError(f"There is no folder {order.folder}.", hint="Name the folder that holds the test data.")
    weights = order.folder / WEIGHTS
    model = find_model(order.model or (weights if weights.is_file() else ""), folder=order.models, allow_download=False)
    eyes = _Eyes(model, order, tell)
    parts: dict[str, Any] = {}
    left_out: list[str] = []
    try:
        for name, judge in _judges(order, model, eyes).items():
            if order.parts and name not in order.parts:
                continue
            tell(f"Judging {name}.")
            try:
                parts[name] = judge()
                left_out += engines_left_out(model) if name == "detection" else ()
            except ConsoleError as error:
                left_out.append(f"{name} is left out: {error.message}")
        engine = eyes.open().info
    finally:
        eyes.close()
    return {
        "evaluate": "vision",
        "folder": str(order.folder),
        "model": _describe_model(model, engine),
        "parts": parts,
        "left_out": left_out,
        "machine": describe_machine(),
    }


def _judges(order: Evaluation, model: ModelFile, eyes: _Eyes) -> dict[str, Callable[[], Any]]:
    def clips() -> tuple[Case, ...]:
        impacts = order.truth / INCIDENTS
        cases = find_cases(order.folder, impacts if impacts.is_file() else None)
        if not cases:
            raise BadInputError(f"There are no clips in {order.folder / 'video'}.")
        return cases

    def collisions() -> CollisionReport:
        return evaluate_collisions(clips(), eyes.see, rates=order.rates, loop_s=order.loop_s, seed=order.seed)

    return {
        "detection": lambda: _detection(order, model),
        "tracking": lambda: describe_score(evaluate_tracking(order.folder / PATHS, eyes.see)),
        "counts": lambda: _counts(order, eyes),
        "congestion": lambda: evaluate_congestion(clips(), eyes.see, fps=DEFAULT_FPS),
        "collisions": collisions,
    }


def _detection(order: Evaluation, model: ModelFile) -> tuple[EngineScore, ...]:
    sizes = (model.input_wh, SQUARE_WH)
    threads = order.n_threads or max(1, (os.cpu_count() or 2) - 1)
    return score_engines(order.folder / PICTURES, model, sizes, cache=order.cache, n_threads=threads)


def _counts(order: Evaluation, eyes: _Eyes) -> tuple[CountResult, ...]:
    truth = order.truth / COUNTS
    if not truth.is_file():
        raise BadInputError(f"There is no {COUNTS} in {order.truth}, so nobody has counted by eye.")
    results = evaluate_counts(order.folder, truth, eyes.see, fps=DEFAULT_FPS)
    if not results:
        raise BadInputError(f"None of the clips of {truth} is in {order.folder}.")
    return results


def _describe_model(model: ModelFile, info: EngineInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "engine": info.engine,
        "precision": info.precision,
        "input_wh": info.input_wh,
        "sha256": info.model_sha256,
        "note": model.note,
    }


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def run_evaluate(order: Evaluation, out: TextIO, *, as_json: bool) -> int:
    """Judge and write; what the command line calls.

    Returns:
        Exit code: 0 all parts were judged, 2 some were left out; engines that this machine cannot run are only named.
    """
    report = evaluate_vision(order, tell=_say)
    plain = to_builtins(report)
    out.write(to_json(plain) + "\n" if as_json else "\n".join(describe(plain)) + "\n")
    out.flush()
    return 2 if set(order.parts or PARTS) - set(report["parts"]) else 0


def describe(report: dict[str, Any]) -> list[str]:
    """Say a report, as plain data, in lines."""
    parts = report["parts"]
    lines = [f"{report['model']['name']}, {report['model']['engine']} {report['model']['precision']}"]
    for score in parts.get("detection", ()):
        wh, drop = score["input_wh"], score["ap50_minus_f32"]
        lines.append(
            f"detection   {score['engine']:12} {score['precision']:5} {wh[0]}x{wh[1]}  AP50 {score['ap50']:.3f}"
            f"  recall {score['recall']:.3f}" + ("" if drop is None else f"  {drop:+.2f} points AP50 to f32")
        )
    if "tracking" in parts:
        lines.append(f"tracking    MOTA {parts['tracking']['mota']:.3f}  {parts['tracking']['n_switches']} id switches")
    for count in parts.get("counts", ()):
        rate = f"{count['fps']:g}/s" if count["fps"] else "all"
        lines.append(f"counts      {count['clip']:36} {rate:>5}  {count['counted']} of {count['truth']}")
    for jam in parts.get("congestion", ()):
        said = "none" if jam["began_s"] is None else f"from {jam['began_s']} s"
        lines.append(
            f"congestion  {jam['clip']:36} {said}{'' if (jam['began_s'] is not None) == jam['is_jam'] else '  WRONG'}"
        )
    if "collisions" in parts:
        lines += _describe_collisions(parts["collisions"])
    lines += report["left_out"]
    return lines


def _describe_collisions(report: dict[str, Any]) -> list[str]:
    rates = "  ".join(f"{fps}/s {share:.2f}" for fps, share in report["recall_by_fps"].items())
    lines = [
        f"collisions  recall {report['recall']:.2f} ({rates}), delay {report['delay_median_s']} s, at most "
        f"{report['delay_max_s']} s",
        f"collisions  {report['false_per_camera_hour']} false alarms an hour over {report['hours_looped']} hours, "
        f"{report['n_early']} before an impact, from: {', '.join(report['normal_clips_calling']) or 'none'}",
    ]
    lines += [
        f"collisions  told with {one['from_confidence']:.1f} to {one['below']:.1f}: "
        f"{one['n_true']} of {one['n_told']} true"
        for one in report["reliability"]
    ]
    lines += [
        f"  {one['clip']:36} {one['fps']:4g}/s  {'found' if one['is_found'] else 'missed':6} after {one['after_s']} s  "
        f"{one['confidence']:.2f}"
        for one in report["accidents"]
    ]
    lines += [
        f"  {one['clip']:36} {one['fps']:4g}/s  {one['n_calls']} once, {one['n_calls_looped']} looped  "
        f"{one['confidence']:.2f}"
        for one in report["normal"]
    ]
    return lines


def parts_of(text: str) -> tuple[str, ...]:
    """Read names of parts that are written with commas.

    Raises:
        BadInputError: There is no such part.
    """
    names = tuple(word.strip() for word in text.split(",") if word.strip())
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise BadInputError(f"There is no part {unknown[0]!r}.", hint=f"Choose from {', '.join(PARTS)}.")
    return names


def rates_of(text: str) -> tuple[float, ...]:
    """Read rates that are written with commas.

    Raises:
        BadInputError: One is no positive number.
    """
    try:
        rates = tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        rates = ()
    if not rates or not min(rates) > 0:
        raise BadInputError(f"{text!r} names no rates.", hint="Write them as 5,8,10.")
    return rates
