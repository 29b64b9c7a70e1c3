"""Tracks against labelled paths, and counts over lines against counts by eye."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.kernel.errors import BadInputError
from core.vision.evaluate_clips import once, run_clip
from core.vision.footage import SeenClip
from core.vision.model import CountLine, ObservationKind, Scene
from core.vision.scores import MotScorer, TrackScore

PEOPLE = ("person",)
EVERY_PICTURE_FPS = 1000.0

See = Callable[[Path], SeenClip]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountResult:
    """One counting line at one rate.

    Attributes:
        fps: Pictures a second; 0 for every picture of the clip.
        error: Vehicles counted too many or too few, all directions, over all vehicles by eye.
    """

    clip: str
    fps: float
    truth: dict[str, int]
    counted: dict[str, int]
    error: float


def evaluate_tracking(folder: Path, see: See) -> TrackScore:
    """Follow people through the clip of a folder in MOT's layout: `clip.mp4`, `gt/gt.txt`, `seqinfo.ini`.

    Raises:
        BadInputError: The folder lacks a part, or it cannot be read.
    """
    clip = see(folder / "clip.mp4")
    truth = read_mot(folder / "gt" / "gt.txt", (clip.letterbox.frame_w, clip.letterbox.frame_h))
    said = run_clip(clip, once(clip, EVERY_PICTURE_FPS), labels=PEOPLE)
    scorer = MotScorer()
    for number, tracks in enumerate(said.tracks, start=1):
        labelled = truth.get(number, {})
        scorer.add(
            list(labelled),
            np.array(list(labelled.values()), np.float32).reshape(-1, 4),
            [track.track_id for track in tracks],
            np.array([track.bbox_xyxy for track in tracks], np.float32).reshape(-1, 4),
        )
    return scorer.score()


def read_mot(path: Path, frame_wh: tuple[int, int]) -> Mapping[int, dict[int, tuple[float, ...]]]:
    """Return labelled boxes, x1, y1, x2, y2 in fractions of the frame, by frame number (from 1) and identity.

    Raises:
        BadInputError: There is no such file, or a line is no label.
    """
    width, height = frame_wh
    found: dict[int, dict[int, tuple[float, ...]]] = defaultdict(dict)
    try:
        for line in path.read_text("utf-8").splitlines():
            if not line.strip():
                continue
            frame, who, x, y, w, h, is_counted = (float(word) for word in line.split(",")[:7])
            if is_counted:
                found[int(frame)][int(who)] = (x / width, y / height, (x + w) / width, (y + h) / height)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} holds no labelled paths: {error}.", hint="Restore the file.") from error
    return found


def evaluate_counts(folder: Path, counts: Path, see: See, *, fps: float) -> tuple[CountResult, ...]:
    """Count over every line of a truth, at every picture and at the rate of a live camera.

    Args:
        folder: Clips are named from here; those that are not there are left out.
        counts: JSON: `labels`, and `clips` with `clip`, `line` and `truth` by direction.
        see: Gives what the detector found in a clip.
        fps: Of a live camera.

    Raises:
        BadInputError: The truth cannot be read.
    """
    try:
        whole = json.loads(counts.read_text("utf-8"))
        labels, cases = tuple(whole["labels"]), whole["clips"]
        lines = {case["clip"]: (_line_of(case["line"], labels), case["truth"]) for case in cases}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{counts} holds no counts by eye: {error}.", hint="Restore the file.") from error
    results = []
    for name, (line, truth) in lines.items():
        if (folder / name).is_file():
            clip = see(folder / name)
            results += [_count(clip, rate, line, truth, labels) for rate in (0.0, fps)]
    return tuple(results)


def _line_of(line: dict[str, object], labels: tuple[str, ...]) -> CountLine:
    known = {name: tuple(value) if isinstance(value, list) else value for name, value in line.items()}
    return CountLine(**known, labels=labels)  # type: ignore[arg-type]


def _count(clip: SeenClip, fps: float, line: CountLine, truth: dict[str, int], labels: tuple[str, ...]) -> CountResult:
    said = run_clip(clip, once(clip, fps or EVERY_PICTURE_FPS), scene=Scene(lines=(line,)), labels=labels)
    counted = dict.fromkeys(truth, 0)
    for observation in said.observations:
        if observation.kind is ObservationKind.LINE_CROSSED:
            counted[observation.direction] = counted.get(observation.direction, 0) + 1
    wrong = sum(abs(counted[name] - truth.get(name, 0)) for name in counted)
    return CountResult(
        clip=clip.path.name, fps=fps, truth=truth, counted=counted, error=round(wrong / max(1, sum(truth.values())), 4)
    )


def describe_score(score: TrackScore) -> dict[str, float]:
    """Return a score as plain figures, MOTA to three places."""
    return {**asdict(score), "mota": round(score.mota, 3)}
