"""`main.py parking evaluate`: what the look at bays is worth on labelled lots, with the method that it picks itself.

Calibration sees the pictures and never the labels. Bays that are called unknown count as wrong in `accuracy`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.wire import to_json
from core.parking.model import Bay, BayState, BayView, Lot, Outline
from core.parking.sight.calibrate import calibrate_pictures
from core.parking.sight.cases import LabelledLot, LabelledPicture, Picture, find_lots, read_pictures
from core.parking.sight.model import CalibrationOrder, SightConfig
from core.parking.sight.process import BaySight

WEIGHTS = Path("weights") / "yolo11n.pt"
CAMERA = "evaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SightEvaluation:
    """What to judge, and with what.

    Attributes:
        truth: Where `parking_truth.json` lies, for clips.
        model: As in `find_model`; "" takes the weights near the test data, else the demonstration model.
    """

    folder: Path
    models: Path
    truth: Path | None = None
    model: str = ""
    engine: str = "auto"


@dataclass(slots=True)
class _Tally:
    """Confusion: truth, then what was said."""

    counts: dict[str, dict[str, int]] = field(
        default_factory=lambda: {
            truth: dict.fromkeys(("free", "occupied", "unknown"), 0) for truth in ("free", "occupied")
        }
    )

    def add(self, truth: bool, said: BayState) -> None:
        self.counts["occupied" if truth else "free"][said.value] += 1

    def figures(self) -> dict[str, Any]:
        n = sum(sum(row.values()) for row in self.counts.values())
        right = self.counts["free"]["free"] + self.counts["occupied"]["occupied"]
        unknown = sum(row["unknown"] for row in self.counts.values())
        return {
            "n_states": n,
            "n_right": right,
            "n_wrong": n - right - unknown,
            "n_unknown": unknown,
            "accuracy": round(right / max(n, 1), 5),
            "accuracy_of_told": round(right / max(n - unknown, 1), 5),
            "share_unknown": round(unknown / max(n, 1), 5),
            "confusion": self.counts,
        }


def evaluate_sight(order: SightEvaluation, *, tell: Callable[[str], None] = lambda _line: None) -> dict[str, Any]:
    """Judge every labelled lot of a folder.

    Args:
        order: What to judge.
        tell: Hears what is being done.

    Returns:
        Plain data, one entry a lot.

    Raises:
        BadInputError: There is no labelled lot, or no model.
    """
    model = order.model or _weights_near(order.folder)
    lots = [_evaluate_lot(lot, order, model, tell) for lot in find_lots(order.folder, order.truth)]
    return {"folder": order.folder.name, "model": Path(model).name or "demo", "lots": lots}


def _weights_near(folder: Path) -> str:
    for place in (folder, *list(folder.resolve().parents)[:4]):
        if (place / WEIGHTS).is_file():
            return str(place / WEIGHTS)
    return ""


def _evaluate_lot(lot: LabelledLot, order: SightEvaluation, model: str, tell: Callable[[str], None]) -> dict[str, Any]:
    pixels = {id(picture): seen for picture, seen in read_pictures(lot.pictures)}
    if not pixels:
        raise BadInputError(f"The lot {lot.name} has no picture.", hint="Look at its folder.")
    pictures = [picture for picture in lot.pictures if id(picture) in pixels]
    tally, frames, tried = _Tally(), [], []
    with tempfile.TemporaryDirectory() as memory:
        # Pictures whose bays are drawn alike are one view; a camera that was set up anew is another.
        for _, group in groupby(pictures, key=lambda picture: picture.outlines):
            drawn = list(group)
            view, way = _calibrated(lot, drawn, [pixels[id(picture)] for picture in drawn], order, model, tell)
            tried.append(way)
            sight = BaySight(
                SightConfig(
                    models=order.models,
                    logs=Path(memory),
                    memory=Path(memory) / str(len(tried)),
                    engine=order.engine,
                    n_threads=os.cpu_count() or 1,
                )
            )
            sight.set_model(model)
            plan = _plan(lot, view)
            frames += [_judge(sight, plan, view, picture, pixels[id(picture)], tally) for picture in drawn]
            sight.close()
    return {"lot": lot.name, "n_pictures": len(pictures), **tally.figures(), "views": tried, "frames": frames}


def _calibrated(
    lot: LabelledLot,
    pictures: list[LabelledPicture],
    pixels: list[Picture],
    order: SightEvaluation,
    model: str,
    tell: Callable[[str], None],
) -> tuple[BayView, dict[str, Any]]:
    """Pick a method as the program does for a camera, and return the view with it."""
    height, width = pixels[0].shape[:2]
    outlines: dict[str, Outline] = {
        bay: tuple((x / width, y / height) for x, y in outline) for bay, outline in pictures[0].outlines.items()
    }
    view = BayView(camera_id=CAMERA, outlines=outlines)
    run = calibrate_pictures(
        CalibrationOrder(
            run_id=lot.name,
            lot=_plan(lot, view),
            camera_id=CAMERA,
            models=order.models,
            model=model,
            engine=order.engine,
            n_threads=os.cpu_count() or 1,
        ),
        pixels,
        on_progress=lambda run: tell(f"{lot.name}: {run.step}"),
    )
    if run.state != "done":
        raise BadInputError(f"{lot.name}: {run.step}", hint=run.hint)
    tell(f"{lot.name}: {run.step}")
    picked = replace(view, method=run.method, image_px=run.image_px, rate=run.rate, calibrated_at=datetime.now(UTC))
    return picked, {
        "n_bays": len(outlines),
        "method": run.method.value,
        "image_px": run.image_px,
        "rate": run.rate,
        "tried": [asdict(way) for way in run.tried],
    }


def _plan(lot: LabelledLot, view: BayView) -> Lot:
    return Lot(lot_id=lot.name, name=lot.name, bays=tuple(Bay(bay_id=bay) for bay in view.outlines), views=(view,))


def _judge(
    sight: BaySight, lot: Lot, view: BayView, picture: LabelledPicture, pixels: Picture, tally: _Tally
) -> dict[str, Any]:
    began_s = time.monotonic()
    looked = sight.look_at(lot, view, pixels, picture.at, f"camera:{CAMERA}")
    seconds = time.monotonic() - began_s
    errors, n_unknown = [], 0
    words = {word.bay_id: word for word in looked.evidence}
    for bay_id, truth in picture.occupied.items():
        word = words.get(bay_id)
        # A picture that says nothing of a bay leaves it unknown.
        said = BayState.UNKNOWN if word is None else word.state
        tally.add(truth, said)
        n_unknown += said is BayState.UNKNOWN
        if said.value != ("occupied" if truth else "free"):
            errors.append(
                {
                    "bay": bay_id,
                    "truth": "occupied" if truth else "free",
                    "said": said.value,
                    "confidence": 0.0 if word is None else word.confidence,
                }
            )
    return {
        "picture": picture.name,
        "n_states": len(picture.occupied),
        "n_errors": len(errors) - n_unknown,
        "n_unknown": n_unknown,
        "errors": errors,
        "trouble": looked.trouble,
        "seconds": round(seconds, 3),
    }


def run_sight_evaluation(order: SightEvaluation, out: TextIO, *, as_json: bool) -> int:
    """Judge, and write the result; what the command line calls.

    Returns:
        Exit code: 0 done, 2 refused.
    """
    try:
        report = evaluate_sight(order, tell=lambda line: print(line, file=sys.stderr))  # noqa: T201
    except ConsoleError as error:
        if as_json:
            out.write(to_json({"error": error.message, "hint": error.hint}) + "\n")
        else:
            sys.stderr.write(f"{error}\n")
        return 2
    if as_json:
        out.write(to_json(report) + "\n")
    else:
        out.writelines(f"{line}\n" for line in describe(report))
    return 0


def describe(report: dict[str, Any]) -> list[str]:
    """Say in lines how every lot did."""
    lines = []
    for lot in report["lots"]:
        for view in lot["views"]:
            size = f" at {view['image_px']} px" if view["image_px"] else ""
            lines.append(f"{lot['lot']}: {view['n_bays']} bays, looked at with the {view['method']}{size}")
        lines.append(
            f"  {lot['n_right']} of {lot['n_states']} states right ({lot['accuracy']:.2%}), {lot['n_wrong']} wrong, "
            f"{lot['n_unknown']} unknown ({lot['share_unknown']:.2%})"
        )
        for truth, said in lot["confusion"].items():
            lines.append(
                f"  {truth:9} said free {said['free']:5} occupied {said['occupied']:5} unknown {said['unknown']:4}"
            )
        for frame in lot["frames"]:
            if frame["errors"] or frame["trouble"]:
                wrong = ", ".join(f"{one['bay']} is {one['truth']}, said {one['said']}" for one in frame["errors"])
                lines.append(f"  {frame['picture']}: {frame['trouble']} {wrong}".rstrip())
    return lines
