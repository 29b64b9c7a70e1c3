"""Collisions and congestion over clips: what was found, how soon, and how often normal traffic called somebody."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.vision.evaluate_clips import Case, Said, Shows, looped, once, run_clip
from core.vision.footage import SeenClip
from core.vision.model import Observation, ObservationKind, Phase, Scene, Zone
from core.vision.tuning import SHORT_JAMS, Tuning

SOON_S = 5.0
"""An alarm later than this after the impact helps nobody."""

READ_WITHIN_S = 0.5
"""Impacts were read by eye: an alarm may seem to come this much too early."""

WHOLE_PICTURE = Zone(
    key="picture",
    name="Picture",
    polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    congestion_capacity=20.0,
)
"""One zone for every clip alike; it has to hold the queues of a whole junction at red, which are no jam."""

BANDS = ((0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.0))
"""Of confidence; less than the first is not told."""

See = Callable[[Path], SeenClip]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event that was told, with the highest confidence it had, and whether there was a collision."""

    confidence: float
    is_true: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Whether a confidence means what it says: of the events told with it, how many were collisions."""

    from_confidence: float
    below: float
    n_told: int
    n_true: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccidentResult:
    """One accident at one rate.

    Attributes:
        after_s: From the impact to the call; None where nobody was called, or the time of the impact is not known.
        is_found: Called, and within `SOON_S` where the impact is known.
        n_early: Calls before anything had happened: false alarms.
        confidence: The highest that was told, calling or not.
        told: Every event, calling or not; true from the impact until `SOON_S` after it.
    """

    clip: str
    fps: float
    impact_s: float | None
    is_found: bool
    after_s: float | None
    n_early: int
    confidence: float
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalResult:
    """One normal clip at one rate.

    Attributes:
        n_calls: Over the clip shown once.
        n_calls_looped: Over the clip looped with jittered cuts.
        confidence: The highest that was told in either.
        told: Every event over the looped clip, calling or not; none of them is true.
    """

    clip: str
    fps: float
    n_calls: int
    n_calls_looped: int
    hours_looped: float
    confidence: float
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollisionReport:
    """Collisions over all clips and rates.

    Attributes:
        recall_by_fps: Share of the accidents that called within `SOON_S` of the impact.
        false_per_camera_hour: On normal clips, looped with jittered cuts.
        normal_clips_calling: Those that called at any rate when they were shown once, or looped.
        n_early: Calls on accident clips before the impact.
        reliability: By bands of confidence, accidents and looped normal clips together.
    """

    call_from: float
    recall: float
    recall_by_fps: dict[str, float]
    delay_median_s: float | None
    delay_max_s: float | None
    false_per_camera_hour: float
    hours_looped: float
    normal_clips_calling: tuple[str, ...]
    n_early: int
    reliability: tuple[Reliability, ...]
    accidents: tuple[AccidentResult, ...]
    normal: tuple[NormalResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CongestionResult:
    """One clip under one zone over the whole picture."""

    clip: str
    is_jam: bool
    began_s: float | None

    @property
    def is_right(self) -> bool:
        """Whether a jam was found, or none was made up."""
        return self.is_jam == (self.began_s is not None)


def evaluate_collisions(
    cases: Sequence[Case], see: See, *, rates: Sequence[float], loop_s: float, seed: int = 1
) -> CollisionReport:
    """Show every clip at every rate; normal ones looped as well.

    Args:
        cases: Clips with their truth.
        see: Gives what the detector found in a clip.
        rates: Pictures a second.
        loop_s: How long each normal clip is looped at each rate.
        seed: Of the cuts.
    """
    call_from = Tuning(Scene()).value(ObservationKind.COLLISION, "call_from")
    accidents, normal = [], []
    for case in cases:
        clip = see(case.path)
        for fps in rates:
            said = run_clip(clip, once(clip, fps))
            if case.shows is Shows.COLLISION:
                accidents.append(judge_accident(case, fps, said, call_from))
                continue
            again = run_clip(clip, looped(clip, fps, loop_s, seed))
            normal.append(_judge_normal(case, fps, said, again, call_from))
    return sum_up(accidents, normal, call_from)


def judge_accident(case: Case, fps: float, said: Said, call_from: float) -> AccidentResult:
    """Compare what was said over an accident with the time of its impact."""
    told = _collisions(said.observations)
    calls = [observation.pts_s for observation in told if observation.confidence >= call_from]
    impact_s = case.impact_s
    if impact_s is None:
        in_time, early, after_s = calls, [], None
    else:
        early = [pts_s for pts_s in calls if pts_s < impact_s - READ_WITHIN_S]
        later = [pts_s for pts_s in calls if pts_s >= impact_s - READ_WITHIN_S]
        after_s = round(later[0] - impact_s, 2) if later else None
        in_time = [pts_s for pts_s in later if pts_s - impact_s <= SOON_S]
    return AccidentResult(
        clip=case.path.name,
        fps=fps,
        impact_s=impact_s,
        is_found=bool(in_time),
        after_s=after_s,
        n_early=len(early),
        confidence=max((observation.confidence for observation in told), default=0.0),
        told=_events(told, lambda pts_s: impact_s is None or -READ_WITHIN_S <= pts_s - impact_s <= SOON_S),
    )


def _judge_normal(case: Case, fps: float, said: Said, again: Said, call_from: float) -> NormalResult:
    told, told_again = _collisions(said.observations), _collisions(again.observations)
    return NormalResult(
        clip=case.path.name,
        fps=fps,
        n_calls=_n_calls(told, call_from),
        n_calls_looped=_n_calls(told_again, call_from),
        hours_looped=again.length_s / 3600,
        confidence=max((observation.confidence for observation in (*told, *told_again)), default=0.0),
        told=_events(told_again, lambda _pts_s: False),
    )


def _events(told: Iterable[Observation], is_true_at: Callable[[float], bool]) -> tuple[Told, ...]:
    """Return each event once; it is told again whenever it becomes surer."""
    events: dict[str, Told] = {}
    for one in told:
        before = events.get(one.condition_key)
        events[one.condition_key] = Told(
            confidence=max(one.confidence, before.confidence if before else 0.0),
            is_true=is_true_at(one.pts_s) or (before is not None and before.is_true),
        )
    return tuple(events.values())


def reliability_of(told: Iterable[Told]) -> tuple[Reliability, ...]:
    """Count by bands of confidence what was told, and what of it was true."""
    known = tuple(told)
    found = []
    for start, end in BANDS:
        inside = [one for one in known if start <= one.confidence < end or one.confidence == end == 1.0]
        found.append(
            Reliability(from_confidence=start, below=end, n_told=len(inside), n_true=sum(one.is_true for one in inside))
        )
    return tuple(found)


def _n_calls(told: Iterable[Observation], call_from: float) -> int:
    return len({observation.condition_key for observation in told if observation.confidence >= call_from})


def _collisions(observations: Iterable[Observation]) -> list[Observation]:
    return [
        observation
        for observation in observations
        if observation.kind is ObservationKind.COLLISION and observation.phase is Phase.BEGIN
    ]


def sum_up(accidents: Sequence[AccidentResult], normal: Sequence[NormalResult], call_from: float) -> CollisionReport:
    """Add clips up."""
    delays = [one.after_s for one in accidents if one.is_found and one.after_s is not None]
    hours = sum(one.hours_looped for one in normal)
    rates = sorted({one.fps for one in accidents})
    calling = {one.clip for one in normal if one.n_calls or one.n_calls_looped}
    return CollisionReport(
        call_from=call_from,
        recall=_share_found(accidents),
        recall_by_fps={f"{fps:g}": _share_found([one for one in accidents if one.fps == fps]) for fps in rates},
        delay_median_s=round(statistics.median(delays), 2) if delays else None,
        delay_max_s=max(delays, default=None),
        false_per_camera_hour=round(sum(one.n_calls_looped for one in normal) / hours, 2) if hours else 0.0,
        hours_looped=round(hours, 2),
        normal_clips_calling=tuple(sorted(calling)),
        n_early=sum(one.n_early for one in accidents),
        reliability=reliability_of(
            [event for one in accidents for event in one.told] + [event for one in normal for event in one.told]
        ),
        accidents=tuple(accidents),
        normal=tuple(normal),
    )


def _share_found(accidents: Sequence[AccidentResult]) -> float:
    return round(sum(one.is_found for one in accidents) / len(accidents), 3) if accidents else 0.0


def evaluate_congestion(cases: Sequence[Case], see: See, *, fps: float) -> tuple[CongestionResult, ...]:
    """Watch for a jam in the whole picture of every clip that shows no accident."""
    results = []
    for case in cases:
        if case.shows is Shows.COLLISION:
            continue
        clip = see(case.path)
        said = run_clip(clip, once(clip, fps), scene=Scene(zones=(WHOLE_PICTURE,), rules=(SHORT_JAMS,)))
        began = [
            observation.pts_s
            for observation in said.observations
            if observation.kind is ObservationKind.CONGESTION and observation.phase is Phase.BEGIN
        ]
        results.append(
            CongestionResult(
                clip=case.path.name,
                is_jam=case.shows is Shows.CONGESTION,
                began_s=round(began[0], 1) if began else None,
            )
        )
    return tuple(results)
