"""Clips with a truth, and what the whole pipeline says over them; detection is taken from what was seen before."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from core.kernel.errors import BadInputError
from core.vision.analyse import CameraAnalyser
from core.vision.footage import SeenClip, SeenPicture
from core.vision.model import DEFAULT_LABELS, Observation, Scene, Track, TrackerKind

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_CUT_WITHIN = 0.3
"""Share of a clip at its beginning and its end within which a loop is cut at random."""


class Shows(StrEnum):
    """What there is to see in a clip."""

    COLLISION = "collision"
    CONGESTION = "congestion"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One clip and its truth.

    Attributes:
        impact_s: Picture time of the collision; None where nobody read it.
    """

    path: Path
    shows: Shows
    impact_s: float | None = None


def find_cases(folder: Path, impacts: Path | None) -> tuple[Case, ...]:
    """Return the clips below `video` and `labelled/accident_sequences` that have a truth, by name.

    Args:
        folder: The test data.
        impacts: JSON with `impact_s` by file name; None where there is none.

    Raises:
        BadInputError: A truth cannot be read.
    """
    times = read_impacts(impacts)
    cases = []
    for path in sorted((folder / "video").rglob("*.mp4")):
        shows = _shows(path.name)
        if shows is not None:
            cases.append(Case(path=path, shows=shows, impact_s=times.get(path.name)))
    for onsets in sorted((folder / "labelled").glob("accident_sequences/**/onsets.csv")):
        for name, impact_s in _read_onsets(onsets).items():
            if (onsets.parent / name).is_file():
                cases.append(Case(path=onsets.parent / name, shows=Shows.COLLISION, impact_s=impact_s))
    return tuple(cases)


def _shows(name: str) -> Shows | None:
    kind = name.partition("_")[0]
    if kind in ("traffic", "people", "parking"):
        return Shows.NORMAL
    return {"accident": Shows.COLLISION, "congestion": Shows.CONGESTION}.get(kind)


def read_impacts(path: Path | None) -> dict[str, float]:
    """Return picture times of impacts by file name.

    Raises:
        BadInputError: The file cannot be read.
    """
    if path is None:
        return {}
    try:
        return {str(name): float(time_s) for name, time_s in json.loads(path.read_text("utf-8"))["impact_s"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError(f"{path} holds no times of impacts: {error}.", hint="Restore the file.") from error


def _read_onsets(path: Path) -> dict[str, float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["clip"]: float(row["onset_s"]) for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} holds no onsets: {error}.", hint="Restore the file.") from error


def once(clip: SeenClip, fps: float) -> Iterator[tuple[SeenPicture, float]]:
    """Show a clip once, as a camera that is analysed `fps` times a second would."""
    for picture in clip.at_rate(fps):
        yield picture, picture.pts_s


def looped(clip: SeenClip, fps: float, length_s: float, seed: int) -> Iterator[tuple[SeenPicture, float]]:
    """Show a clip again and again with cuts at random places near its ends; picture time goes on over a cut."""
    # Chance for a test, not for a secret.
    chance = random.Random(seed)
    pictures = clip.at_rate(fps)
    step_s = (pictures[-1].pts_s - pictures[0].pts_s) / max(1, len(pictures) - 1)
    if step_s <= 0:
        return
    n_cut = max(1, int(_CUT_WITHIN * len(pictures)))
    now_s = 0.0
    while now_s < length_s:
        first, last = chance.randrange(n_cut), len(pictures) - 1 - chance.randrange(n_cut)
        for index in range(first, max(first, last) + 1):
            yield pictures[index], now_s
            is_last = index + 1 >= len(pictures)
            now_s += step_s if is_last else max(1e-3, pictures[index + 1].pts_s - pictures[index].pts_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the pipeline said over footage.

    Attributes:
        length_s: Picture time that was shown.
        tracks: For each picture.
    """

    observations: tuple[Observation, ...]
    tracks: tuple[tuple[Track, ...], ...]
    length_s: float


def run_clip(
    clip: SeenClip,
    pictures: Iterable[tuple[SeenPicture, float]],
    *,
    scene: Scene | None = None,
    labels: Sequence[str] = DEFAULT_LABELS,
) -> Said:
    """Let one camera's tracker and rules see pictures of a clip.

    Args:
        clip: What was detected.
        pictures: Of the clip, each with the time at which it is shown.
        scene: What is drawn on it; nothing by default.
        labels: Classes that count.
    """
    analyser = CameraAnalyser(
        "evaluated",
        scene or Scene(),
        labels,
        TrackerKind.BYTETRACK,
        aspect=clip.aspect,
        engine_labels=clip.labels,
    )
    observations: list[Observation] = []
    tracks: list[tuple[Track, ...]] = []
    first_s = last_s = None
    for picture, at_s in pictures:
        first_s, last_s = at_s if first_s is None else first_s, at_s
        captured_at = _AT + timedelta(seconds=at_s - first_s)
        seen = analyser.replay(picture.boxes, clip.letterbox, at_s, captured_at, picture.grey)
        observations += seen.observations
        tracks.append(seen.tracks)
    length_s = 0.0 if first_s is None or last_s is None else last_s - first_s
    return Said(observations=tuple(observations), tracks=tuple(tracks), length_s=length_s)
