"""The calibration run of one view: which way of looking, and at which size, gets its bays right.

Nobody labelled the pictures. Three witnesses who err for different reasons (the detector, the classifier, the plain
structure of each bay) are compared over all bays of all pictures; how reliable each is follows from where they agree
(Dawid and Skene, 1979). A way of looking that changes its mind over the same picture a little shifted, or that cannot
tell, loses. Where operators corrected bays, their word goes before all that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError, ConsoleError
from core.parking.model import BayView, SightMethod
from core.parking.sight.classifier import BayClassifier
from core.parking.sight.eye import LISTENS, SURE_LOGIT
from core.parking.sight.finder import ModelChoice, VehicleFinder, area_round
from core.parking.sight.model import Calibration, CalibrationOrder, Tried
from core.parking.sight.patches import cut_patches
from core.parking.sight.quality import decode_jpeg, picture_trouble
from core.parking.sight.texture import split, structure_of
from core.vision.bays import match_bays
from core.vision.models import find_model

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]

SIZES_PX = (640, 960, 1280, 1920, 2560)
LARGEST_ENLARGEMENT = 1.6
"""Beyond it nothing is gained: what the camera did not see is not in its pixels."""

MAX_BAY_PX = 220.0
"""A bay larger than this at some size needs no larger one."""

N_PICTURES = 12
N_SHIFTED = 3
ALIKE = 0.002
"""Ways of looking whose rates differ by less are alike: the cheaper one is taken. One bay on one of eight pictures of a
lot of forty is more: a larger picture costs a thirtieth of a second in each look, and a wrong bay a driver's way."""

MIN_CORRECTIONS = 8
DETECTOR_INVENTS, OTHERS_INVENT = (0.5, 50.0), (1.0, 5.0)
"""A detector overlooks vehicles, and hardly ever finds one in an empty bay; of the others nothing is known."""

_FLIP_COST, _UNKNOWN_COST = 0.5, 0.3
_N_ROUNDS = 60


@dataclass(slots=True)
class _Way:
    """One way of looking, with its log odds over all pictures, (n_pictures, n_bays)."""

    method: SightMethod
    image_px: int | None
    logits: FloatArray
    flips: float
    seconds: float


def calibrate(
    order: CalibrationOrder,
    *,
    on_progress: Callable[[Calibration], None] = lambda _run: None,
    must_stop: Callable[[], bool] = lambda: False,
) -> Calibration:
    """Try every way of looking at one view; never raises for pictures that are no use, that is a state with a sentence.

    Args:
        order: What to look at, and with what.
        on_progress: Hears how far it is.
        must_stop: Asked before every look.
    """
    return calibrate_pictures(order, _pictures_of(order), on_progress=on_progress, must_stop=must_stop)


def calibrate_pictures(
    order: CalibrationOrder,
    pictures: Iterable[Picture],
    *,
    on_progress: Callable[[Calibration], None] = lambda _run: None,
    must_stop: Callable[[], bool] = lambda: False,
) -> Calibration:
    """As `calibrate`, on pictures that are decoded already, B G R; those of the order are left out."""
    run = Calibration(run_id=order.run_id, lot_id=order.lot.lot_id, camera_id=order.camera_id)
    try:
        return _calibrate(order, pictures, run, on_progress, must_stop)
    except ConsoleError as error:
        return replace(run, state="failed", step=error.message, hint=error.hint)


def _calibrate(
    order: CalibrationOrder,
    candidates: Iterable[Picture],
    run: Calibration,
    on_progress: Callable[[Calibration], None],
    must_stop: Callable[[], bool],
) -> Calibration:
    view = next((view for view in order.lot.views if view.camera_id == order.camera_id), None)
    if view is None or not view.outlines:
        raise BadInputError("No bay is drawn on this camera's picture.", hint="Draw the bays first.")
    bay_ids = tuple(view.outlines)
    pictures = usable_pictures(candidates, view)
    model = find_model(order.model, folder=order.models, allow_download=False)
    finder = VehicleFinder(
        ModelChoice(model=model, engine=order.engine, n_threads=order.n_threads, cache=order.models / "cache")
    )
    try:
        classifier = BayClassifier(n_threads=order.n_threads)
        tries = _tries(view, pictures[0])
        ways: list[_Way] = []
        for index, image_px in enumerate(tries):
            if must_stop():
                return replace(run, state="cancelled", step="The calibration was stopped.")
            name = "the classifier" if image_px is None else f"the detector at {image_px} px"
            step = f"Trying {name} on {len(pictures)} pictures."
            on_progress(replace(run, fraction=index / len(tries), step=step, n_pictures=len(pictures)))
            ways.append(_try(image_px, view, pictures, finder, classifier))
    finally:
        finder.close()
    truth = _corrections(order, bay_ids)
    tried = judge(ways, _structure(view, pictures), truth)
    best = pick(tried)
    return replace(
        run,
        state="done",
        fraction=1.0,
        step=result_sentence(best, len(pictures)),
        method=best.method,
        image_px=best.image_px,
        rate=round(best.rate if best.agreement is None else best.agreement, 4),
        n_pictures=len(pictures),
        tried=tuple(sorted(tried, key=lambda way: -way.rate)),
    )


def result_sentence(best: Tried, n_pictures: int) -> str:
    """Say what was picked, in one sentence."""
    name = "the classifier" if best.method is SightMethod.CLASSIFIER else f"the detector at {best.image_px} px"
    share = best.rate if best.agreement is None else best.agreement
    basis = "by how its witnesses agree" if best.agreement is None else "by the operators' corrections"
    looked = "1 picture" if n_pictures == 1 else f"{n_pictures} pictures"
    return f"This camera is looked at with {name}: about {share:.1%} of bay states right {basis}, on {looked}."


def _pictures_of(order: CalibrationOrder) -> Iterator[Picture]:
    if order.clip is not None:
        yield from clip_pictures(order.clip, N_PICTURES)
        return
    step = max(1, len(order.pictures) // N_PICTURES)
    for jpeg in order.pictures[::-1][::step][:N_PICTURES]:
        with contextlib.suppress(BadInputError):
            yield decode_jpeg(jpeg)


def clip_pictures(clip: Path, n_pictures: int) -> Iterator[Picture]:
    """Yield pictures of a clip, spread over its length.

    Raises:
        BadInputError: It cannot be read.
    """
    import av

    try:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            n_frames = stream.frames or 250
            wanted = set(np.linspace(0, max(n_frames - 1, 0), n_pictures).round().astype(int).tolist())
            for index, frame in enumerate(container.decode(stream)):
                if index in wanted:
                    yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise BadInputError(f"The clip {clip} cannot be read.", hint="Choose another clip.") from error


def usable_pictures(pictures: Iterable[Picture], view: BayView) -> list[Picture]:
    """Return pictures that show something, all of one size, at most `N_PICTURES` spread over all.

    Raises:
        BadInputError: None does.
    """
    found: list[Picture] = []
    for picture in pictures:
        if found and picture.shape != found[0].shape:
            continue
        x1, y1, x2, y2 = area_round(_outlines(view, picture), (picture.shape[1], picture.shape[0]))
        if not picture_trouble(np.ascontiguousarray(picture[y1:y2:2, x1:x2:2, 1])):
            found.append(picture)
    step = max(1, -(-len(found) // N_PICTURES))
    found = found[::step]
    if not found:
        raise BadInputError(
            "There is no usable picture of this camera.", hint="Wait until it shows the lot, then try again."
        )
    return found


def _outlines(view: BayView, picture: Picture) -> list[FloatArray]:
    wh = np.array([picture.shape[1], picture.shape[0]], np.float32)
    return [np.asarray(outline, np.float32) * wh for outline in view.outlines.values()]


def _tries(view: BayView, picture: Picture) -> list[int | None]:
    """Return the sizes worth trying, and None for the classifier."""
    longest = max(picture.shape[:2])
    largest_bay = max(float(np.ptp(outline, axis=0).max()) for outline in _outlines(view, picture))
    sizes = [px for px in SIZES_PX if px <= LARGEST_ENLARGEMENT * longest]
    kept = [px for i, px in enumerate(sizes) if i == 0 or largest_bay * sizes[i - 1] / longest <= MAX_BAY_PX]
    return [None, *(kept or [SIZES_PX[0]])]


def _try(
    image_px: int | None,
    view: BayView,
    pictures: Sequence[Picture],
    finder: VehicleFinder,
    classifier: BayClassifier,
) -> _Way:
    def look(picture: Picture) -> FloatArray:
        outlines = _outlines(view, picture)
        by_look = np.clip(classifier.logits(cut_patches(picture, outlines)), -4.0, 4.0)
        if image_px is None:
            return by_look
        area = area_round(outlines, (picture.shape[1], picture.shape[0]))
        match = match_bays(outlines, finder.find(picture, area, image_px))
        return np.where(match.is_hidden, np.nan, match.logits)

    look(pictures[0])  # Opens what it needs: not part of its time.
    timed = [_timed(look, picture) for picture in pictures]
    logits = np.array([found for found, _ in timed])
    # What else the machine does makes some looks slower, and none faster.
    seconds = min(took_s for _, took_s in timed)
    flips = [
        float(np.mean((look(_shifted(picture)) > 0) != (logits[index] > 0)))
        for index, picture in enumerate(pictures[:N_SHIFTED])
    ]
    method = SightMethod.CLASSIFIER if image_px is None else SightMethod.DETECTOR
    return _Way(method=method, image_px=image_px, logits=logits, flips=float(np.mean(flips)), seconds=seconds)


def _timed(look: Callable[[Picture], FloatArray], picture: Picture) -> tuple[FloatArray, float]:
    began_s = time.monotonic()
    return look(picture), time.monotonic() - began_s


def _shifted(picture: Picture) -> Picture:
    """Return a picture as the same camera would send it a moment later: two pixels aside, a little darker."""
    moved = np.roll(picture, (1, 2), axis=(0, 1)).astype(np.float32) * 0.92 + 3.0
    return np.asarray(np.clip(moved, 0, 255), np.uint8)


def _structure(view: BayView, pictures: Sequence[Picture]) -> FloatArray | None:
    structure = np.array([structure_of(cut_patches(picture, _outlines(view, picture))) for picture in pictures])
    found = split(structure.ravel())
    return None if found is None else found.reshape(structure.shape)


def _corrections(order: CalibrationOrder, bay_ids: Sequence[str]) -> dict[int, bool]:
    known = {bay: index for index, bay in enumerate(bay_ids)}
    return {known[bay]: taken for bay, taken in order.corrections if bay in known}


def judge(ways: Sequence[_Way], structure: FloatArray | None, corrections: dict[int, bool]) -> list[Tried]:
    """Estimate what each way of looking gets right.

    Args:
        ways: With the log odds of each.
        structure: Log odds by plain structure, of the same shape; None where it cannot tell.
        corrections: By the index of a bay on the newest picture, whether it is occupied.
    """
    detectors = [way.logits for way in ways if way.method is SightMethod.DETECTOR]
    # What one size overlooks another finds; hardly any finds a vehicle where none is.
    together = np.max([np.nan_to_num(logits) for logits in detectors], axis=0)
    by_look = next(way.logits for way in ways if way.method is SightMethod.CLASSIFIER)
    votes = [together, by_look] + ([structure] if structure is not None else [])
    invents = [DETECTOR_INVENTS, *[OTHERS_INVENT] * (len(votes) - 1)]
    truth = posterior([np.nan_to_num(vote).ravel() > 0 for vote in votes], invents)
    tried = []
    for way in ways:
        # As the eye will look: the other one is heard where the detector decides.
        logits = way.logits + (LISTENS * by_look if way.method is SightMethod.DETECTOR else 0.0)
        flat = logits.ravel()
        told = np.abs(np.nan_to_num(flat)) >= SURE_LOGIT
        right = np.where(flat > 0, truth, 1.0 - truth)
        rate = float(right[told].mean()) if told.any() else 0.0
        unknown = float(1.0 - told.mean())
        agreement = None
        if len(corrections) >= MIN_CORRECTIONS:
            newest = logits[0]
            agreement = float(np.mean([(newest[bay] > 0) == taken for bay, taken in corrections.items()]))
        tried.append(
            Tried(
                method=way.method,
                image_px=way.image_px,
                rate=round(max(0.0, rate - _FLIP_COST * way.flips - _UNKNOWN_COST * unknown), 4),
                agreement=agreement,
                unknown=round(unknown, 4),
                occupied=round(float((flat > 0).mean()), 4),
                seconds=round(way.seconds, 3),
            )
        )
    return tried


def pick(tried: Sequence[Tried]) -> Tried:
    """Return the best way; of those alike the one that takes least time."""

    def worth(way: Tried) -> float:
        return way.rate if way.agreement is None else 0.2 * way.rate + 0.8 * way.agreement

    best = max(worth(way) for way in tried)
    return min((way for way in tried if worth(way) >= best - ALIKE), key=lambda way: way.seconds)


def posterior(votes: Sequence[NDArray[np.bool_]], invents: Sequence[tuple[float, float]]) -> FloatArray:
    """Return the probability of each bay to be occupied, from witnesses of unknown reliability.

    Args:
        votes: Of each witness, shape (n,).
        invents: Of each witness, what is known beforehand of how often it sees a vehicle where none is: times it did,
            and times it was watched.

    Returns:
        Shape (n,). Source: Dawid and Skene (1979), two classes, with weak priors that a witness is right more often
        than wrong.
    """
    said = np.array(votes, np.float64)
    before = np.array(invents)
    truth = said.mean(axis=0)
    for _ in range(_N_ROUNDS):
        share = np.clip(truth.mean(), 0.02, 0.98)
        hits = ((said * truth).sum(axis=1) + 4.0) / (truth.sum() + 5.0)
        alarms = ((said * (1 - truth)).sum(axis=1) + before[:, 0]) / ((1 - truth).sum() + before[:, 1])
        yes = np.log(hits[:, None]) * said + np.log(1 - hits[:, None]) * (1 - said)
        no = np.log(alarms[:, None]) * said + np.log(1 - alarms[:, None]) * (1 - said)
        odds = np.log(share / (1 - share)) + (yes - no).sum(axis=0)
        truth = 1.0 / (1.0 + np.exp(-np.clip(odds, -30, 30)))
    return np.asarray(truth)


def run_calibration_process(pipe: Connection, order: CalibrationOrder) -> None:
    """Entry point of the node's child process: progress and result go through the pipe; ends when that is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(15)
    is_cancelled = threading.Event()

    def wait_for_end() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        is_cancelled.set()

    def tell(run: Calibration) -> None:
        try:
            pipe.send(run)
        except OSError:
            is_cancelled.set()

    threading.Thread(target=wait_for_end, name="node", daemon=True).start()
    tell(calibrate(order, on_progress=tell, must_stop=is_cancelled.is_set))
    os._exit(0)
