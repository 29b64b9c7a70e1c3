"""A benchmark of counting: vehicles whose ways are known, seen as badly as trackers see them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from core.kernel.bench import BenchResult, Figure
from core.sim.oracle import ASPECT, FRAME_HEIGHT_PX
from core.vision.model import CountLine, ObservationKind, Scene, Track
from core.vision.rules import SceneRules

N_SCENES = 40
SCENE_S = 40.0
LINE = CountLine(key="line", name="Line", start=(0.1, 0.5), end=(0.9, 0.5), forward_name="down", backward_name="up")
LANES_X = (0.2, 0.35, 0.5, 0.65, 0.8)
BESIDE_X = 0.95
_BOX_WH = (0.06, 0.1)
_CLEAR = 0.012
_LONG_ENOUGH_S = 0.8
"""At 5 pictures a second four chances to see it, and to see it turn, although it flickers."""

_STEP_S = 0.02
_START_AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

Way = Callable[[float], float]
"""The y of a vehicle's ground point by its own seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleDrive:
    """One vehicle on its way over the line, and how it is seen.

    Attributes:
        truth: How often it crosses, by direction.
        flicker: Share of pictures in which it is not found.
        hidden: Seconds of its way between which nobody sees it.
        changes_id: It has another id after it was hidden.
        loses_id: Share of pictures in which its id is -1.
    """

    x: float
    starts_s: float
    lasts_s: float
    way: Way
    truth: tuple[tuple[str, int], ...]
    flicker: float = 0.0
    hidden: tuple[float, float] = (0.0, 0.0)
    changes_id: bool = False
    loses_id: float = 0.0


def bench_count(n_scenes: int = N_SCENES) -> BenchResult:
    """Count oracle vehicles that flicker, stop on the line, turn round, hide, and change, lose and swap their ids.

    Apart stand those that turned, stopped or started while nobody saw them and came back under another id, and those
    that were across only while nobody saw them. A second story fits the same boxes (one vehicle parked there, another
    came out), so no counter can know; how often ours tells the other story is said beside the errors.
    """
    known = [count_scene(knowable_drives(seed), seed) for seed in range(n_scenes)]
    unseen = [count_scene(unknowable_drives(seed), seed) for seed in range(n_scenes)]
    n_known, n_unseen = (sum(truth.total() for truth, _ in scenes) for scenes in (known, unseen))
    return BenchResult(
        bench="count",
        figures={
            "count_errors": Figure(
                value=_errors(known), unit="crossings", reference=f"{n_scenes} scenes, {n_known} crossings (0)"
            ),
            "crossings": Figure(value=n_known, unit="crossings", reference="none"),
            "unseen_turn_errors": Figure(
                value=_errors(unseen),
                unit="crossings",
                reference=f"{n_unseen} crossings around turns that nobody saw; the boxes do not tell",
            ),
        },
    )


def _errors(scenes: list[tuple[Counter[str], Counter[str]]]) -> int:
    return sum(abs(truth[way] - counted[way]) for truth, counted in scenes for way in truth.keys() | counted.keys())


def count_scene(drives: list[OracleDrive], seed: int) -> tuple[Counter[str], Counter[str]]:
    """Show drives to the rules at some picture rate; returns what really crossed, and what was counted."""
    rng = np.random.default_rng(seed)
    fps = float(rng.choice([5.0, 8.0, 10.0, 15.0, 25.0]))
    rules = SceneRules("oracle", Scene(lines=(LINE,)), ASPECT)
    counted: Counter[str] = Counter()
    swaps_at, swap = float(rng.uniform(5.0, SCENE_S - 5.0)), dict[int, int]()
    for step in range(int(SCENE_S * fps)):
        if rng.random() < 0.1:
            continue
        at_s = step / fps
        tracks = _tracks(drives, at_s, fps, rng)
        if at_s >= swaps_at and not swap:
            swap = _two_of(tracks, rng)
        tracks = [replace(track, track_id=swap.get(track.track_id, track.track_id)) for track in tracks]
        for observation in rules.update(tracks, at_s, _START_AT + timedelta(seconds=at_s)):
            if observation.kind is ObservationKind.LINE_CROSSED:
                counted[observation.direction] += 1
    truth: Counter[str] = Counter()
    for drive in drives:
        truth.update(dict(drive.truth))
    return truth, counted


def knowable_drives(seed: int) -> list[OracleDrive]:
    """Return five lanes and one beside the line, each with vehicle after vehicle, whose boxes tell how they drove."""
    rng = np.random.default_rng(seed)
    drives = [drive for x in (*LANES_X, BESIDE_X) for drive in _row(x, rng)]
    return [drive if _is_knowable(drive) else replace(drive, hidden=(0.0, 0.0)) for drive in drives]


def unknowable_drives(seed: int) -> list[OracleDrive]:
    """Return vehicles whose boxes leave open how they drove."""
    rng = np.random.default_rng(seed)
    return [drive for x in LANES_X for drive in _row(x, rng) if not _is_knowable(drive)]


def _row(x: float, rng: np.random.Generator) -> Iterator[OracleDrive]:
    """Yield one lane's vehicles, one at a time in the picture."""
    starts_s = float(rng.uniform(0.0, 3.0))
    while True:
        drive = _drive(x, starts_s, rng)
        if drive.starts_s + drive.lasts_s > SCENE_S:
            return
        yield drive
        starts_s += drive.lasts_s + float(rng.uniform(2.5, 5.0))


def _is_knowable(drive: OracleDrive) -> bool:
    """Return whether each side was seen, and, under a new id, the way went on as it had been last seen."""
    from_s, to_s = drive.hidden
    if to_s <= 0.0:
        return True
    side, seen_s = 0, _LONG_ENOUGH_S
    for own_s in np.arange(0.0, drive.lasts_s, _STEP_S).tolist():
        off = drive.way(own_s) - LINE.start[1]
        if abs(off) < _CLEAR:
            continue
        if side != (side := int(math.copysign(1, off))):
            if seen_s < _LONG_ENOUGH_S:
                return False
            seen_s = 0.0
        seen_s += 0.0 if from_s <= own_s < to_s else _STEP_S
    if seen_s < _LONG_ENOUGH_S:
        return False
    return not drive.changes_id or _goes_on(drive.way, max(0.0, from_s - _LONG_ENOUGH_S), to_s + _STEP_S)


def _goes_on(way: Way, from_s: float, to_s: float) -> bool:
    steps = np.diff([way(own_s) for own_s in np.linspace(from_s, to_s, 50).tolist()])
    return float(np.ptp(steps)) < 1e-6


def _drive(x: float, starts_s: float, rng: np.random.Generator) -> OracleDrive:
    per_s = float(rng.uniform(0.08, 0.35))
    is_down = rng.random() < 0.5
    makers = (_through, _through, _waits, _gives_up, _turns_before, _turns_behind)
    way, lasts_s, crossings = makers[int(rng.integers(len(makers)))](per_s, rng)
    names = ("down", "up") if is_down else ("up", "down")
    truth = () if x == BESIDE_X else tuple(zip(names, crossings, strict=True))
    begins_s = float(rng.uniform(0.2, 0.7)) * lasts_s
    is_hidden = rng.random() < 0.4
    return OracleDrive(
        x=x,
        starts_s=starts_s,
        lasts_s=lasts_s,
        way=way if is_down else lambda own_s: 1.0 - way(own_s),
        truth=truth,
        flicker=float(rng.choice([0.0, 0.1, 0.25])),
        hidden=(begins_s, begins_s + float(rng.uniform(0.3, 1.2))) if is_hidden else (0.0, 0.0),
        changes_id=bool(rng.random() < 0.7),
        loses_id=float(rng.choice([0.0, 0.0, 0.15])),
    )


def _through(per_s: float, _: np.random.Generator) -> tuple[Way, float, tuple[int, int]]:
    return lambda own_s: 0.15 + per_s * own_s, 0.7 / per_s, (1, 0)


def _waits(per_s: float, rng: np.random.Generator) -> tuple[Way, float, tuple[int, int]]:
    """Stops right on the line, then goes on."""
    reaches_s, waits_s = 0.35 / per_s, float(rng.uniform(3.0, 12.0))

    def way(own_s: float) -> float:
        return 0.15 + per_s * (min(own_s, reaches_s) + max(0.0, own_s - reaches_s - waits_s))

    return way, 0.7 / per_s + waits_s, (1, 0)


def _gives_up(per_s: float, rng: np.random.Generator) -> tuple[Way, float, tuple[int, int]]:
    """Stops right on the line, then rolls back."""
    reaches_s, waits_s = 0.35 / per_s, float(rng.uniform(3.0, 12.0))

    def way(own_s: float) -> float:
        return 0.15 + per_s * (min(own_s, reaches_s) - max(0.0, own_s - reaches_s - waits_s))

    return way, 0.7 / per_s + waits_s, (0, 0)


def _turns_before(per_s: float, _: np.random.Generator) -> tuple[Way, float, tuple[int, int]]:
    return _turns_at(0.46, per_s), 0.62 / per_s, (0, 0)


def _turns_behind(per_s: float, _: np.random.Generator) -> tuple[Way, float, tuple[int, int]]:
    return _turns_at(0.62, per_s), 0.94 / per_s, (1, 1)


def _turns_at(furthest: float, per_s: float) -> Way:
    def way(own_s: float) -> float:
        driven = per_s * own_s
        return 0.15 + min(driven, 2 * (furthest - 0.15) - driven)

    return way


def _tracks(drives: list[OracleDrive], at_s: float, fps: float, rng: np.random.Generator) -> list[Track]:
    tracks = []
    for number, drive in enumerate(drives):
        own_s = at_s - drive.starts_s
        is_hidden = drive.hidden[0] <= own_s < drive.hidden[1]
        if not 0.0 <= own_s <= drive.lasts_s or is_hidden or rng.random() < drive.flicker:
            continue
        is_other = drive.changes_id and drive.hidden[1] > 0.0 and own_s >= drive.hidden[1]
        track_id = -1 if rng.random() < drive.loses_id else 2 * number + 1 + is_other
        noise = rng.normal(0.0, 1.0 / FRAME_HEIGHT_PX, 3)
        x, y = drive.x + float(noise[0]) / ASPECT, drive.way(own_s) + float(noise[1])
        per_s = (drive.way(own_s) - drive.way(max(0.0, own_s - 1 / fps))) * fps + float(noise[2]) * fps / 3
        tracks.append(
            Track(
                track_id=track_id,
                label="car",
                score=0.8,
                bbox_xyxy=(x - _BOX_WH[0] / 2, y - _BOX_WH[1], x + _BOX_WH[0] / 2, y),
                velocity_xy=(0.0, per_s),
            )
        )
    return tracks


def _two_of(tracks: list[Track], rng: np.random.Generator) -> dict[int, int]:
    """Return two vehicles in sight that have each other's ids from now on; nothing while there is one at most."""
    known = [track.track_id for track in tracks if track.track_id > 0]
    if len(known) < 2:
        return {}
    first, second = rng.choice(known, 2, replace=False).tolist()
    return {first: second, second: first}
