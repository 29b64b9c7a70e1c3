"""Collisions: a vehicle that was pushed, not driven.

A driver changes a vehicle's movement over seconds, an impact changes it between two pictures. For every vehicle the
movement before a moment is compared with the movement a second later. What perspective explains is taken off first: a
vehicle that goes away becomes slower on the picture by as much as it becomes smaller, to the second power at most. A
box of which only one side moves was cut by something in front of it, and says nothing. A pushed vehicle changes its
speed, not its place: where the two ways do not meet, it is another vehicle.

What is left is one named figure after the other, all in sizes of the vehicle, and weighed together.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from core.vision.cuts import CutDetector, ShiftDetector
from core.vision.model import VEHICLE_LABELS, BBox, ObservationKind, Phase, Scene
from core.vision.scene_rule import Moment, Notebook, Place
from core.vision.tuning import Tuning
from core.vision.vehicles import Sighting

KIND = ObservationKind.COLLISION
BEFORE_S, AFTER_S = 1.0, 1.0
"""How long the movement is looked at on each side of the moment in question."""

REPORT_FROM = 0.6
"""Less sure than this is not worth a line in the review."""

_PICTURE_EVERY_S = 1 / 6
"""More pictures than about six a second tell nothing new of movement, only of trembling; fewer than five hide it."""

_STEP_S = 0.18
"""Speeds are taken over at least this long: over less the trembling of boxes is larger than the movement."""

_MIN_SPAN_S = 0.35
_MOVES_AT = 0.6
_STANDS_BELOW = 0.3
_PIXEL = 0.02
"""What a network's pixel or two of trembling do to a speed, picture heights per second."""

_NOBODY_JUMPS = 0.5
"""Sizes from one picture to the next: that is a number which another vehicle has now."""

_MOST_JOLT = 4.5
"""Sizes per second: a car that loses 70 km/h at once, seen from the side. A number that jumps loses more."""

_PIXEL_SHAPE = 0.006
"""And to its proportions, natural logarithm times size: of a small box a pixel is much."""

_BORDER = 0.006
_SAME_EVENT_S = 20.0
_SAME_PLACE = 4.0
_OVER_AFTER_S = 30.0
_FOUND_AFTER_S, _FOUND_WITHIN = 1.0, 1.5
_TORN_WITHIN_S = 0.8
_TORN_LEAP, _TORN_CONTACT = 0.6, 0.3
_N_FOR_SHAKE = 3
_APART, _N_TORN, _JUMPS, _WEAK_SCORE = 1.2, 2, 0.8, 0.4
_NEAR_TEAR_S = 0.3
_TORN_LATE_S, _TORN_AROUND_S = 0.1, 0.45
"""A tracker shows a new vehicle with its second picture: what breaks at a moment seems to a little later."""
_ONCE = 0.2
_KEEP_S = BEFORE_S + AFTER_S + 1.6

# Plain floats: for six rows of six figures numpy takes ten times as long, and this is done for each vehicle.
Row = tuple[float, float, float, float, float, float]
Vector = tuple[float, float]
Edges = tuple[float, float, float, float]
"""Of x1, y1, x2, y2."""

_SURE_ENOUGH = math.log(REPORT_FROM / (1 - REPORT_FROM))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for an impact on one vehicle at one moment; lengths in sizes of the vehicle.

    Attributes:
        jolt: Change of movement that neither perspective nor speeding up explains, sizes per second.
        contact: 1 where another vehicle stood on the same ground, 0 half a size away.
        shape: Change of the box's proportions, natural logarithm.
        halt: 1 where it drove before and stands afterwards.
        leap: How far the way before and the way after miss each other.
        torn: 1 where the tracker lost it in contact and found it again under another number.
        rebound: How much of its speed it has backwards afterwards: steel springs back a little, and only who is hit
            by another one goes back as fast as it came.
    """

    jolt: float
    contact: float
    shape: float
    halt: float
    leap: float
    torn: float = 0.0
    rebound: float = 0.0
    is_driving: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Logistic weights of the evidence."""

    offset: float = -5.7
    jolt: float = 3.5
    contact: float = 1.6
    shape: float = 4.7
    halt: float = 2.0
    leap: float = -16.0
    torn: float = 1.0
    rebound: float = -7.5


WEIGHTS = Weights()
_TOP_JOLT, _TOP_SHAPE = 2.5, 0.7
_SPRINGS_BACK, _PUSHED_BACK = 0.3, 0.7


def logit_of(evidence: Evidence, weights: Weights = WEIGHTS) -> float:
    """Weigh the evidence; 0 is as likely as not."""
    return (
        weights.offset
        + weights.jolt * min(evidence.jolt, _TOP_JOLT)
        + weights.contact * evidence.contact
        + weights.shape * min(evidence.shape, _TOP_SHAPE)
        + weights.halt * evidence.halt
        + weights.leap * max(0.0, evidence.leap - 0.15)
        + weights.torn * evidence.torn * evidence.contact
        + weights.rebound * max(0.0, evidence.rebound - _SPRINGS_BACK - _PUSHED_BACK * evidence.contact)
    )


def confidence_of(logit: float) -> float:
    """Return the probability, 0..1."""
    return 1 / (1 + math.exp(-logit))


@dataclass(slots=True)
class Trace:
    """Where one vehicle was: time, box x1, y1, x2, y2 in picture heights, the detector's score; oldest first.

    Attributes:
        torn_s: When it was lost in contact.
        found_s: When it was found again.
    """

    rows: deque[Row]
    sighting: Sighting
    torn_s: float = -math.inf
    found_s: float = -math.inf

    @property
    def middle(self) -> tuple[float, float]:
        """Where the middle of the box was last."""
        _, x1, y1, x2, y2, _ = self.rows[-1]
        return (x1 + x2) / 2, (y1 + y2) / 2

    @property
    def size(self) -> float:
        """How large it was last."""
        return _size([self.rows[-1]])

    @property
    def is_weak(self) -> bool:
        """Whether the network is not sure of it, so that it comes and goes by itself."""
        return _median([row[5] for row in self.rows]) < _WEAK_SCORE

    def lies_inside(self, index: int, aspect: float) -> bool:
        """Return whether a row lies well within the picture, where nobody comes from or goes to."""
        _, x1, y1, x2, y2, _ = self.rows[index]
        return min(x1, y1, aspect - x2, 1 - y2) > 0.5 * _size([self.rows[index]])

    def between(self, start_s: float, end_s: float) -> list[Row]:
        """Return the rows of a time span."""
        chosen: list[Row] = []
        for row in reversed(self.rows):
            if row[0] < start_s - 1e-6:
                break
            if row[0] <= end_s + 1e-6:
                chosen.append(row)
        chosen.reverse()
        return chosen


@dataclass(slots=True)
class _Judged:
    """What was found of a vehicle at a moment.

    Attributes:
        at_s: The moment.
        evidence: Its contact is counted only once it matters: that asks for every other vehicle.
        logit: With the contact; None while it is not counted.
        most: The most that it can be.
    """

    at_s: float
    evidence: Evidence
    logit: float | None
    most: float


@dataclass(slots=True)
class _Event:
    """One collision that was told, or may be."""

    keys: set[int]
    place: tuple[float, float]
    size: float
    at_s: float
    condition_key: str
    confidence: float
    seen_s: float
    is_told: bool = False
    bbox: BBox = (0.0, 0.0, 1.0, 1.0)
    values: dict[str, float] = field(default_factory=dict)


class CollisionRule:
    """The whole picture of one camera."""

    def __init__(self, scene: Scene, aspect: float) -> None:
        """Start with an empty picture."""
        self._call_from = Tuning(scene).value(KIND, "call_from")
        self._aspect = aspect
        self._traces: dict[int, Trace] = {}
        self._times: deque[float] = deque(maxlen=128)
        self._before: dict[int, _Judged] = {}
        self._events: list[_Event] = []
        self._cuts = CutDetector(aspect)
        self._shifts = ShiftDetector()
        self._place = Place(key="camera", name="Camera")
        self._sureness = 1.0

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        # Whichever picture is nearest to the wanted time: of eight a second all, of ten every other one.
        if self._times and moment.dt_s > 0 and moment.now_s - self._times[-1] < _PICTURE_EVERY_S - moment.dt_s / 2:
            return
        vehicles = [sighting for sighting in moment.sightings if sighting.track.label in VEHICLE_LABELS]
        is_gap = moment.dt_s == 0
        if self._cuts.is_cut(vehicles, moment) or is_gap:
            self._traces.clear()
            self._before.clear()
            self._times.clear()
        self._sureness = moment.sureness
        moved_s = self._shifts.last_moved_s(moment)
        self._remember(vehicles, moment.now_s)
        at_s = self._moment_to_judge(moment.now_s)
        if at_s is not None and moved_s < at_s - BEFORE_S:
            self._judge_all(at_s, moment.now_s, note)
        self._end(moment, note)

    def _remember(self, vehicles: list[Sighting], now_s: float) -> None:
        self._times.append(now_s)
        for sighting in vehicles:
            x1, y1, x2, y2 = sighting.track.bbox_xyxy
            if sighting.key not in self._traces:
                self._traces[sighting.key] = self._begin(sighting, now_s)
            trace = self._traces[sighting.key]
            trace.rows.append((now_s, x1 * self._aspect, y1, x2 * self._aspect, y2, sighting.track.score))
            trace.sighting = sighting
        for key in [key for key, trace in self._traces.items() if now_s - trace.rows[-1][0] > _KEEP_S]:
            del self._traces[key]

    def _begin(self, sighting: Sighting, now_s: float) -> Trace:
        """Start a trace, or go on with that of a vehicle that was lost where it touched another one.

        An impact turns and covers vehicles: the tracker finds them again under another number.
        """
        best, best_distance = None, _FOUND_WITHIN
        x1, y1, x2, y2 = sighting.track.bbox_xyxy
        for key, trace in self._traces.items():
            lost_s = now_s - trace.rows[-1][0]
            if not 0 < lost_s <= _FOUND_AFTER_S or not self._touches_another(key, trace):
                continue
            _, left, top, right, bottom, _ = trace.rows[-1]
            size = _size([trace.rows[-1]])
            distance = math.dist(
                ((x1 + x2) / 2 * self._aspect, (y1 + y2) / 2), ((left + right) / 2, (top + bottom) / 2)
            )
            distance /= size
            if max(size, sighting.size) < 2 * min(size, sighting.size) and distance < best_distance:
                best, best_distance = key, distance
        if best is None:
            return Trace(deque(maxlen=128), sighting)
        trace = self._traces.pop(best)
        trace.sighting, trace.torn_s = sighting, trace.rows[-1][0]
        trace.found_s = now_s
        return trace

    def _touches_another(self, key: int, trace: Trace) -> bool:
        last = trace.rows[-1]
        return any(
            touching(last[1:5], row[1:5]) > 0
            for other_key, other in self._traces.items()
            if other_key != key
            for row in other.between(last[0] - 0.01, last[0] + 0.3)
        )

    def _moment_to_judge(self, now_s: float) -> float | None:
        """Return the time of the last picture that is `AFTER_S` ago."""
        return next((time_s for time_s in reversed(self._times) if now_s - time_s >= AFTER_S - 0.02), None)

    def _judge_all(self, at_s: float, now_s: float, note: Notebook) -> None:
        found = {key: weigh(trace, at_s, self._aspect) for key, trace in self._traces.items()}
        jolts = {key: evidence.jolt for key, evidence in found.items() if evidence is not None}
        for key, evidence in found.items():
            if evidence is None or not evidence.is_driving:
                self._before.pop(key, None)
                continue
            others = [jolt for other, jolt in jolts.items() if other != key]
            # What moves all of them is the camera.
            shake = _median(others) if len(others) >= _N_FOR_SHAKE else 0.0
            self._judge(key, replace(evidence, jolt=max(0.0, evidence.jolt - shake)), at_s, now_s, note)

    def _judge(self, key: int, evidence: Evidence, at_s: float, now_s: float, note: Notebook) -> None:
        trace = self._traces[key]
        if evidence.torn:
            contact, _ = self._contact(key, trace, at_s)
            if evidence.leap > _TORN_LEAP or contact < _TORN_CONTACT:
                # Two pieces that do not fit were two vehicles.
                self._before.pop(key, None)
                return
        judged = _Judged(at_s, evidence, None, logit_of(replace(evidence, contact=1.0)))
        # A trembling box jolts in one picture; a pushed vehicle looks pushed in the next one as well.
        before, self._before[key] = self._before.get(key), judged
        most_before = judged.most - 2 * _ONCE if before is None else before.most
        if (most_before + judged.most) / 2 < _SURE_ENOUGH:
            return
        contact, partner = self._contact(key, trace, at_s)
        whole = replace(evidence, contact=contact)
        logit = judged.logit = logit_of(whole)
        logit_before = logit - 2 * _ONCE if before is None else self._logit(key, trace, before)
        confidence = self._sureness * confidence_of((logit_before + logit) / 2)
        if confidence >= REPORT_FROM and not self._is_torn_elsewhere(key, at_s):
            self._tell(key, partner, trace, whole, confidence, at_s, now_s, note)

    def _is_torn_elsewhere(self, key: int, at_s: float) -> bool:
        """Return whether vehicles elsewhere broke off, appeared or jumped as well: then it was the picture."""
        own = self._traces[key]
        lost: list[Trace] = []
        found: list[Trace] = []
        n_jumps = n_whole = 0
        for other_key, other in self._traces.items():
            apart = math.dist(other.middle, own.middle) / max(own.size, other.size)
            if other_key == key or apart < _APART or other.is_weak:
                continue
            begins_s, ends_s = other.rows[0][0], other.rows[-1][0]
            if self._times[0] + 0.01 < begins_s and abs(begins_s - at_s - _TORN_LATE_S) <= _TORN_AROUND_S:
                found.append(other)
            elif ends_s < self._times[-1] - 0.01 and abs(ends_s - at_s - _TORN_LATE_S) <= _TORN_AROUND_S:
                lost.append(other)
            elif (evidence := weigh(other, at_s, self._aspect)) is not None and evidence.is_driving:
                is_jump = max(evidence.jolt, 2 * evidence.leap) > _JUMPS
                n_jumps, n_whole = n_jumps + is_jump, n_whole + (not is_jump)
        # Who is lost and found where it was is one vehicle that something hid.
        lost, found = (
            [one for one in lost if not any(_is_same_place(one, two) for two in found)],
            [two for two in found if not any(_is_same_place(one, two) for one in lost)],
        )
        n_inside = sum(one.lies_inside(-1, self._aspect) for one in lost)
        n_inside += sum(one.lies_inside(0, self._aspect) for one in found)
        if n_jumps + n_inside >= max(_N_TORN, n_whole):
            return True
        # At the border vehicles come and go all the time, but hardly three at once, both ways.
        return bool(lost and found) and n_jumps + len(lost) + len(found) > max(_N_TORN, 2 * n_whole)

    def _logit(self, key: int, trace: Trace, judged: _Judged) -> float:
        if judged.logit is None:
            contact, _ = self._contact(key, trace, judged.at_s)
            judged.logit = logit_of(replace(judged.evidence, contact=contact))
        return judged.logit

    def _contact(self, key: int, trace: Trace, at_s: float) -> tuple[float, int | None]:
        """Return how surely another vehicle stood on the same ground around `at_s`, and which one."""
        own = trace.between(at_s - 0.5, at_s + 0.7)
        best, partner = 0.0, None
        for other_key, other in self._traces.items():
            if other_key == key:
                continue
            for row in other.between(at_s - 0.5, at_s + 0.7):
                touch = touching(_nearest(own, row[0])[1:5], row[1:5])
                if touch > best:
                    best, partner = touch, other_key
        if partner is not None:
            # Who stood side by side before, in a queue, has not run into each other now.
            best *= 1 - self._touch_before(trace, self._traces[partner], at_s)
        return best, partner

    def _touch_before(self, trace: Trace, other: Trace, at_s: float) -> float:
        rows = other.between(at_s - 1.6, at_s - 0.6)
        own = trace.between(at_s - 1.6, at_s - 0.6)
        if not rows or not own:
            return 0.0
        return _median([touching(_nearest(own, row[0])[1:5], row[1:5]) for row in rows])

    def _tell(
        self,
        key: int,
        partner: int | None,
        trace: Trace,
        evidence: Evidence,
        confidence: float,
        at_s: float,
        now_s: float,
        note: Notebook,
    ) -> None:
        keys = {key} if partner is None else {key, partner}
        ground = trace.sighting.ground
        event = self._same_event(keys, ground, at_s)
        if event is None:
            condition = f"{KIND.value}:camera:{key}"
            event = _Event(keys, ground, trace.sighting.size, at_s, condition, 0.0, now_s)
            self._events.append(event)
        event.keys |= keys
        event.seen_s = now_s
        is_surer = event.confidence < self._call_from <= confidence
        if event.is_told and not is_surer:
            return
        event.is_told, event.confidence = True, confidence
        note.add(
            KIND,
            Phase.BEGIN,
            self._place,
            event.condition_key,
            sighting=trace.sighting,
            confidence=confidence,
            values={
                "jolt": round(evidence.jolt, 2),
                "contact": round(evidence.contact, 2),
                "shape": round(evidence.shape, 2),
                "halt": round(evidence.halt, 2),
                "after_s": round(now_s - at_s, 1),
            },
        )

    def _same_event(self, keys: set[int], ground: tuple[float, float], at_s: float) -> _Event | None:
        for event in self._events:
            is_near = math.dist(event.place, ground) < _SAME_PLACE * event.size
            if at_s - event.at_s < _SAME_EVENT_S and (is_near or event.keys & keys):
                return event
        return None

    def _end(self, moment: Moment, note: Notebook) -> None:
        """End events whose vehicles are gone, or that were over long ago."""
        here = {sighting.key for sighting in moment.sightings if sighting.speed < _STANDS_BELOW * sighting.size}
        for event in tuple(self._events):
            if event.keys & here:
                event.seen_s = moment.now_s
            if moment.now_s - event.seen_s < _OVER_AFTER_S:
                continue
            self._events.remove(event)
            note.add(KIND, Phase.END, self._place, event.condition_key, confidence=event.confidence)


def _is_same_place(lost: Trace, found: Trace) -> bool:
    _, x1, y1, x2, y2, _ = found.rows[0]
    return math.dist(lost.middle, ((x1 + x2) / 2, (y1 + y2) / 2)) < _APART * lost.size


def weigh(trace: Trace, at_s: float, aspect: float) -> Evidence | None:
    """Compare a vehicle's movement before and after a moment; None where too little of it was seen.

    Args:
        trace: Of the vehicle; `contact` is left 0.
        at_s: The moment.
        aspect: Width of the picture over its height.
    """
    is_mixed = at_s - BEFORE_S <= trace.torn_s < at_s + AFTER_S
    if is_mixed and not trace.torn_s - _NEAR_TEAR_S <= at_s < trace.found_s + _NEAR_TEAR_S:
        # Two pieces are compared with each other, never a piece with a mixture of both.
        return None
    begin_s, end_s = (max(at_s, trace.found_s - 1e-3), min(at_s, trace.torn_s)) if is_mixed else (at_s, at_s)
    before = _whole(trace.between(at_s - BEFORE_S, end_s), aspect)
    after = _whole(trace.between(begin_s + 1e-3, at_s + AFTER_S), aspect)
    if min(len(before), len(after)) < 3:
        return None
    if min(before[-1][0] - before[0][0], after[-1][0] - after[0][0]) < _MIN_SPAN_S:
        return None
    size_before, size_after = _size(before[-4:]), _size(after)
    size = math.sqrt(size_before * size_after)
    speed_before, speed_after = _edge_speeds(before), _edge_speeds(after)
    first = math.hypot(*common(speed_before)) / size_before
    is_driving = min(first, _made_good(before) / size_before) >= _MOVES_AT
    if _jump(before, after, speed_before, speed_after) / size > _NOBODY_JUMPS:
        return None
    growth = min(3.0, max(1 / 3, size_after / size_before))
    factors = [growth**power for power in (0.0, 0.5, 1.0, 1.5, 2.0)]
    jolt = min(_jolt(_times(speed_before, factor), speed_after, size) for factor in factors) - _PIXEL / size
    if jolt > _MOST_JOLT:
        return None
    end = math.hypot(*common(_edge_speeds(after[len(after) // 2 :]))) / size_after
    # What the network is not sure of moves by itself.
    clear = min(1.0, max(0.0, (_median([row[5] for row in (*before, *after)]) - 0.25) / 0.2))
    return Evidence(
        jolt=max(0.0, jolt) * clear,
        contact=0.0,
        shape=max(0.0, abs(_proportion(after[-3:]) - _proportion(before[-3:])) - _PIXEL_SHAPE / size),
        halt=clear * min(1.0, max(0.0, first - end)) if end < _STANDS_BELOW else 0.0,
        leap=_leap(before, after, speed_before, speed_after) / size,
        torn=float(abs(trace.torn_s - at_s) < _TORN_WITHIN_S),
        rebound=_rebound(common(speed_before), common(speed_after), size_before, size_after),
        is_driving=is_driving,
    )


def _jump(before: Sequence[Row], after: Sequence[Row], speed_before: Edges, speed_after: Edges) -> float:
    """Return the largest step from one picture to the next that neither the way before nor the way after explains."""
    rows = [*before, *after]
    largest = 0.0
    for index, (first, second) in enumerate(pairwise(rows)):
        if index == len(before) - 1:
            # From the one to the other: see `_leap`.
            continue
        misses = []
        for speed in (speed_before, speed_after):
            left, top, right, bottom = (
                second[side + 1] - first[side + 1] - speed[side] * (second[0] - first[0]) for side in range(4)
            )
            misses.append(math.hypot(*common((left, top, right, bottom))))
        largest = max(largest, min(misses))
    return largest


def _rebound(before: Vector, after: Vector, size_before: float, size_after: float) -> float:
    """Return the speed backwards after, over the speed before, each in sizes of its time."""
    length = math.hypot(*before)
    if length < 1e-9:
        return 0.0
    along = (before[0] * after[0] + before[1] * after[1]) / length
    return max(0.0, -along / size_after) / (length / size_before)


def _whole(rows: Sequence[Row], aspect: float) -> list[Row]:
    """Return the rows in which no side of the box is cut off by the picture's border."""
    return [
        row
        for row in rows
        if min(row[1], row[2]) > _BORDER
        and row[3] < aspect - _BORDER
        and row[4] < 1 - _BORDER
        and row[3] - row[1] > 1e-4
        and row[4] - row[2] > 1e-4
    ]


def _made_good(rows: Sequence[Row]) -> float:
    """Return how far the middle of the box came in a second, whatever it did in between."""
    begin_s, left, top, right, bottom, _ = rows[0]
    end_s, x1, y1, x2, y2, _ = rows[-1]
    return math.hypot((x1 - left + x2 - right) / 2, (y1 - top + y2 - bottom) / 2) / (end_s - begin_s)


def touching(first: Sequence[float], second: Sequence[float]) -> float:
    """Return 1 where two boxes stand on the same ground, 0 where half a size or more is between them.

    Args:
        first: x1, y1, x2, y2 in picture heights.
        second: Likewise.
    """
    left_1, top_1, right_1, bottom_1 = first
    left_2, top_2, right_2, bottom_2 = second
    side_1 = math.sqrt(max(1e-8, (right_1 - left_1) * (bottom_1 - top_1)))
    side_2 = math.sqrt(max(1e-8, (right_2 - left_2) * (bottom_2 - top_2)))
    size = min(side_1, side_2)
    if max(side_1, side_2) > 2.5 * size:
        return 0.0
    across = max(0.0, left_1 - right_2, left_2 - right_1) / size
    # Boxes that cover each other belong to vehicles one behind the other unless their feet are level.
    along = max(0.0, abs(bottom_1 - bottom_2) / size - 0.25)
    return max(0.0, 1 - 2 * math.hypot(across, along))


def common(edges: Edges) -> Vector:
    """Return what both sides of a box do alike, x and y: nothing where only one side moves."""
    left, top, right, bottom = edges
    return _alike(left, right), _alike(top, bottom)


def _alike(near: float, far: float) -> float:
    if near * far <= 0:
        return 0.0
    return near if abs(near) < abs(far) else far


def _times(edges: Edges, factor: float) -> Edges:
    left, top, right, bottom = edges
    return left * factor, top * factor, right * factor, bottom * factor


def _jolt(expected: Edges, seen: Edges, size: float) -> float:
    x, y = common((seen[0] - expected[0], seen[1] - expected[1], seen[2] - expected[2], seen[3] - expected[3]))
    x, y = x / size, y / size
    way_x, way_y = common(expected)
    length = math.hypot(way_x, way_y)
    along = (x * way_x + y * way_y) / length if length > 1e-9 else 0.0
    if along > 0:
        # Drivers speed up as they like; what comes towards the camera seems to as well.
        x, y = x - along * way_x / length, y - along * way_y / length
    return math.hypot(x, y)


def _edge_speeds(rows: Sequence[Row]) -> Edges:
    """Return the median speed of each side of the box; one jump of the box does not move it."""
    steps = []
    for index, row in enumerate(rows[:-1]):
        later = next((other for other in rows[index + 1 :] if other[0] - row[0] >= _STEP_S), None)
        if later is not None:
            dt_s = later[0] - row[0]
            steps.append(tuple((later[side] - row[side]) / dt_s for side in (1, 2, 3, 4)))
    if not steps:
        return 0.0, 0.0, 0.0, 0.0
    left, top, right, bottom = (_median(list(speeds)) for speeds in zip(*steps, strict=True))
    return left, top, right, bottom


def _leap(before: Sequence[Row], after: Sequence[Row], speed_before: Edges, speed_after: Edges) -> float:
    """Return how far the two ways miss each other between the last row before and the first after."""
    start_s, *start = (_median(list(column)) for column in list(zip(*before[-3:], strict=True))[:5])
    end_s, *end = (_median(list(column)) for column in list(zip(*after[:3], strict=True))[:5])
    misses = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at_s = before[-1][0] + share * (after[0][0] - before[-1][0])
        left, top, right, bottom = (
            (end[side] + speed_after[side] * (at_s - end_s)) - (start[side] + speed_before[side] * (at_s - start_s))
            for side in range(4)
        )
        misses.append(math.hypot(*common((left, top, right, bottom))))
    return min(misses)


def _nearest(rows: Sequence[Row], at_s: float) -> Row:
    return min(rows, key=lambda row: abs(row[0] - at_s))


def _size(rows: Sequence[Row]) -> float:
    return math.sqrt(_median([(row[3] - row[1]) * (row[4] - row[2]) for row in rows]))


def _proportion(rows: Sequence[Row]) -> float:
    return _median([math.log((row[3] - row[1]) / (row[4] - row[2])) for row in rows])


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
