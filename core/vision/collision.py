"""Collisions: a vehicle that was pushed, not driven.

A driver changes a vehicle's movement over seconds, an impact changes it between two pictures. For every vehicle the
movement before a moment is compared with the movement a second later (`core.vision.collision_evidence`). What is left
is weighed together, and against what the rest of the picture did at that moment: a camera that shakes, a stream that
jumps or a loop that begins again moves all of them. Where boxes hint at an impact that is too short for them, the
pixels are asked (`core.vision.knock`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace

from core.vision.collision_evidence import (
    AFTER_S,
    BEFORE_S,
    STANDS_BELOW,
    Evidence,
    Trace,
    confidence_of,
    logit_of,
    median_of,
    nearest,
    touching,
    weigh,
)
from core.vision.continuity import jumped_s
from core.vision.cuts import CutDetector, ShiftDetector
from core.vision.knock import KnockSense, is_hint
from core.vision.model import VEHICLE_LABELS, WHOLE_PICTURE_KEY, BBox, ObservationKind, Phase, Scene
from core.vision.scene_rule import Moment, Notebook, Place, is_news
from core.vision.tuning import Tuning
from core.vision.vehicles import Sighting

KIND = ObservationKind.COLLISION
_CONDITION = f"{KIND.value}:{WHOLE_PICTURE_KEY}"
REPORT_FROM = 0.6
"""Less sure than this is not worth a line in the review."""

_PICTURE_EVERY_S = 1 / 6
"""More pictures than about six a second tell nothing new of movement, only of trembling; fewer than five hide it."""

_SAME_EVENT_S = 20.0
_SAME_PLACE = 4.0
_OVER_AFTER_S = 30.0
_FOUND_AFTER_S, _FOUND_WITHIN = 1.0, 1.5
_TORN_LEAP, _TORN_CONTACT = 0.6, 0.3
_BRIEF_CONTACT = 0.3
_N_FOR_SHAKE = 3
_APART, _N_TORN, _JUMPS = 1.2, 2, 0.8
_TORN_LATE_S, _TORN_AROUND_S = 0.1, 0.45
"""A tracker shows a new vehicle with its second picture: what breaks at a moment seems to a little later."""

_SETTLED_S = 0.35
"""After a cut a tracker's boxes glide to where another vehicle stands."""

_SAME_TIME_S = 0.01
_N_TOGETHER = 3
"""Moments within which two vehicles that run into each other are jolted, about half a second."""

_JOLT_OF_QUEUES = 0.35
"""Sizes per second: as much do vehicles that brake one behind the other; of twice that nobody brakes."""

_SAME_IMPACT_S = 0.75
"""Vehicles are pushed for as long as they turn and slide."""

_AROUND_S = 0.85
"""Holds the pictures that a knock is seen in."""

_JUMP_BEFORE_S, _JUMP_AFTER_S = 0.65, 0.85
"""Around a moment: a jump in time there is taken for a change of movement at it."""

_ONCE = 0.2
_KEEP_S = BEFORE_S + AFTER_S + 1.6
_SURE_ENOUGH = math.log(REPORT_FROM / (1 - REPORT_FROM))


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
    number: int
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
        self._judged: dict[int, list[_Judged]] = {}
        self._jolts: deque[dict[int, float]] = deque(maxlen=_N_TOGETHER)
        self._events: list[_Event] = []
        self._cuts = CutDetector(aspect)
        self._shifts = ShiftDetector()
        self._pixels = KnockSense()
        self._place = Place(key=WHOLE_PICTURE_KEY, name="Camera")
        self._confidence_factor = 1.0
        self._jump_asked_s, self._was_over_jump = -math.inf, False

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        self._cuts.forget(moment.gone)
        # Whichever picture is nearest to the wanted time: of eight a second all, of ten every other one.
        if self._times and moment.dt_s > 0 and moment.now_s - self._times[-1] < _PICTURE_EVERY_S - moment.dt_s / 2:
            return
        vehicles = [sighting for sighting in moment.sightings if sighting.track.label in VEHICLE_LABELS]
        cut_s = self._cuts.last_cut_s(vehicles, moment)
        self._forget_before(math.inf if moment.dt_s == 0 else cut_s + _SETTLED_S)
        self._confidence_factor = moment.confidence_factor
        moved_s = self._shifts.last_moved_s(moment)
        self._pixels.see(moment.now_s, moment.picture)
        self._remember(vehicles, moment.now_s)
        at_s = self._moment_to_judge(moment.now_s)
        if at_s is not None and moved_s < at_s - BEFORE_S:
            self._judge_all(at_s, moment.now_s, note)
        self._end(moment, note)

    def _forget_before(self, cut_s: float) -> None:
        """Leave out what was seen before a cut or a gap: it does not go on in what is seen now."""
        if not self._times or self._times[0] >= cut_s:
            return
        self._judged.clear()
        self._jolts.clear()
        self._pixels.forget()
        while self._times and self._times[0] < cut_s:
            self._times.popleft()
        for key, trace in tuple(self._traces.items()):
            while trace.rows and trace.rows[0][0] < cut_s:
                trace.rows.popleft()
            if not trace.rows:
                del self._traces[key]
            elif trace.torn_s < cut_s:
                trace.torn_s = trace.found_s = -math.inf

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
            self._judged.pop(key, None)

    def _begin(self, sighting: Sighting, now_s: float) -> Trace:
        """Start a trace, or go on with that of a vehicle that was lost where it touched another one.

        An impact turns and covers vehicles: the tracker finds them again under another number.
        """
        best, best_distance = None, _FOUND_WITHIN
        x1, y1, x2, y2 = sighting.track.bbox_xyxy
        for key, trace in self._traces.items():
            lost_s = now_s - trace.rows[-1][0]
            if not 0 < lost_s <= _FOUND_AFTER_S:
                continue
            size = trace.size
            if size <= 0 or max(size, sighting.size) >= 2 * min(size, sighting.size):
                continue
            distance = math.dist(((x1 + x2) / 2 * self._aspect, (y1 + y2) / 2), trace.middle) / max(size, sighting.size)
            # Contact last: that asks for every other vehicle.
            if distance < best_distance and self._touches_another(key, trace):
                best, best_distance = key, distance
        if best is None:
            return Trace(deque(maxlen=128), sighting)
        trace = self._traces.pop(best)
        self._judged.pop(best, None)
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
        # Who came later, or was not seen any more, cannot be judged.
        seen = {key: trace for key, trace in self._traces.items() if trace.rows[0][0] < at_s < trace.rows[-1][0]}
        found = {key: weigh(trace, at_s, self._aspect) for key, trace in seen.items()}
        jolts = {key: evidence.jolt for key, evidence in found.items() if evidence is not None}
        camera = median_of(list(jolts.values())) if len(jolts) > _N_FOR_SHAKE else 0.0
        self._jolts.append({key: jolt - camera for key, jolt in jolts.items()})
        for key, weighed in found.items():
            evidence = self._with_pixels(key, weighed, at_s)
            if evidence is None or not evidence.is_driving:
                continue
            others = [jolt for other, jolt in jolts.items() if other != key]
            # What moves all of them is the camera.
            shake = median_of(others) if len(others) >= _N_FOR_SHAKE else 0.0
            self._judge(key, replace(evidence, jolt=max(0.0, evidence.jolt - shake)), at_s, now_s, note)

    def _with_pixels(self, key: int, evidence: Evidence | None, at_s: float) -> Evidence | None:
        """Return what is known of a vehicle once its pixels were asked as well; they know more of how it was pushed."""
        trace = self._traces[key]
        rows = trace.between(at_s - _AROUND_S, at_s + _AROUND_S)
        if not is_hint(rows, at_s):
            return evidence
        # Of one that was seen so briefly there has to be another sign.
        is_brief = evidence is None or not evidence.is_driving
        if is_brief and self._contact(key, trace, at_s)[0] < _BRIEF_CONTACT:
            return None
        knock = self._pixels.knock(rows, at_s)
        if not knock:
            return evidence
        if evidence is None or is_brief:
            return Evidence(jolt=knock, contact=0.0, shape=0.0, halt=0.0, leap=0.0, is_knock=True, is_brief=True)
        return replace(evidence, jolt=max(knock, evidence.jolt), is_knock=True)

    def _judge(self, key: int, evidence: Evidence, at_s: float, now_s: float, note: Notebook) -> None:
        trace = self._traces[key]
        if evidence.torn:
            contact, _ = self._contact(key, trace, at_s)
            if evidence.leap > _TORN_LEAP or contact < _TORN_CONTACT:
                # Two pieces that do not fit were two vehicles.
                self._judged.pop(key, None)
                return
        judged = _Judged(at_s, evidence, None, logit_of(replace(evidence, contact=1.0, pushed_back=1.0)))
        others = [one for one in self._judged.get(key, ()) if at_s - one.at_s <= _SAME_IMPACT_S]
        self._judged[key] = others if evidence.is_brief else [*others, judged]
        if (_beside(judged.most, [one.most for one in others], evidence) + judged.most) / 2 < _SURE_ENOUGH:
            return
        contact, partner = self._contact(key, trace, at_s)
        whole = replace(evidence, contact=contact, pushed_back=self._pushed_back(partner))
        logit = judged.logit = logit_of(whole)
        beside = _beside(logit, [self._logit(key, trace, one) for one in others], evidence)
        confidence = self._confidence_factor * confidence_of((beside + logit) / 2)
        if confidence >= REPORT_FROM and not self._is_torn_elsewhere(key, at_s) and not self._is_over_jump(at_s, now_s):
            self._tell(key, partner, trace, whole, confidence, at_s, now_s, note)

    def _is_over_jump(self, at_s: float, now_s: float) -> bool:
        """Return whether time jumped while the camera stood still; what was seen before is left out from now on."""
        if self._jump_asked_s == now_s:
            # It is the same for every vehicle, and takes a sixth of a second where thirty drive.
            return self._was_over_jump
        pictures, start_s, end_s = self._pixels.pictures, at_s - _JUMP_BEFORE_S, at_s + _JUMP_AFTER_S
        seam_s = jumped_s(pictures, self._traces.values(), start_s, end_s, self._cuts.stands_out)
        if seam_s is not None:
            self._cuts.note_cut(seam_s)
        self._jump_asked_s, self._was_over_jump = now_s, seam_s is not None
        return self._was_over_jump

    def _is_torn_elsewhere(self, key: int, at_s: float) -> bool:
        """Return whether vehicles elsewhere broke off, appeared or jumped as well: then it was the picture."""
        own = self._traces[key]
        others: list[Trace] = []
        n_jumps = n_whole = 0
        for other_key, other in self._traces.items():
            apart = math.dist(other.middle, own.middle) / max(own.size, other.size, 1e-6)
            if other_key == key or apart < _APART or other.is_weak:
                continue
            others.append(other)
            if (evidence := weigh(other, at_s, self._aspect)) is not None and evidence.is_driving:
                is_jump = max(evidence.jolt, 2 * evidence.leap) > _JUMPS
                n_jumps, n_whole = n_jumps + is_jump, n_whole + (not is_jump)
        times = list(self._times)
        return any(
            self._is_seam(others, times[index - 1], times[index : index + 2], n_jumps, n_whole)
            for index in range(1, len(times))
            if abs(times[index] - at_s - _TORN_LATE_S) <= _TORN_AROUND_S
        )

    def _is_seam(self, others: list[Trace], before_s: float, after_s: list[float], n_jumps: int, n_whole: int) -> bool:
        """Return whether more vehicles broke off before a picture or began with it than went on.

        Args:
            others: Who is elsewhere.
            before_s: Time of the picture before.
            after_s: Of this one and the next: a tracker shows a new vehicle with its second picture.
            n_jumps: Vehicles that were pushed, or seem to have been.
            n_whole: Vehicles that drove on.
        """
        lost = [other for other in others if abs(other.rows[-1][0] - before_s) < _SAME_TIME_S]
        found = [other for other in others if any(abs(other.rows[0][0] - one) < _SAME_TIME_S for one in after_s)]
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
            contact, partner = self._contact(key, trace, judged.at_s)
            judged.logit = logit_of(replace(judged.evidence, contact=contact, pushed_back=self._pushed_back(partner)))
        return judged.logit

    def _contact(self, key: int, trace: Trace, at_s: float) -> tuple[float, int | None]:
        """Return how surely another vehicle stood on the same ground around `at_s`, and which one."""
        own = trace.between(at_s - 0.5, at_s + 0.7)
        own_at = {row[0]: row for row in own}
        best, partner = 0.0, None
        for other_key, other in self._traces.items():
            if other_key == key:
                continue
            for row in other.between(at_s - 0.5, at_s + 0.7):
                touch = touching((own_at.get(row[0]) or nearest(own, row[0]))[1:5], row[1:5])
                if touch > best:
                    best, partner = touch, other_key
        if partner is not None:
            # Who stood side by side before, in a queue, has not run into each other now.
            best *= 1 - self._touch_before(trace, self._traces[partner], at_s)
        return best, partner

    def _pushed_back(self, partner: int | None) -> float:
        """Return how surely the other vehicle was jolted at about the same time, 0..1."""
        if partner is None:
            return 0.0
        jolt = max((jolts.get(partner, 0.0) for jolts in self._jolts), default=0.0)
        return min(1.0, max(0.0, (jolt - _JOLT_OF_QUEUES) / _JOLT_OF_QUEUES))

    def _touch_before(self, trace: Trace, other: Trace, at_s: float) -> float:
        rows = other.between(at_s - 1.6, at_s - 0.6)
        own = trace.between(at_s - 1.6, at_s - 0.6)
        if not rows or not own:
            return 0.0
        return median_of([touching(nearest(own, row[0])[1:5], row[1:5]) for row in rows])

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
            event = _Event(keys, ground, trace.sighting.size, at_s, key, 0.0, now_s)
            self._events.append(event)
        event.keys |= keys
        event.seen_s = now_s
        if not is_news(confidence, event.confidence if event.is_told else None, self._call_from):
            return
        event.is_told, event.confidence = True, confidence
        note.add(
            KIND,
            Phase.BEGIN,
            self._place,
            _CONDITION,
            number=event.number,
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
        here = {sighting.key for sighting in moment.sightings if sighting.speed < STANDS_BELOW * sighting.size}
        for event in tuple(self._events):
            if event.keys & here:
                event.seen_s = moment.now_s
            if moment.now_s - event.seen_s < _OVER_AFTER_S:
                continue
            self._events.remove(event)
            note.add(KIND, Phase.END, self._place, _CONDITION, number=event.number, confidence=event.confidence)


def _beside(logit: float, others: list[float], evidence: Evidence) -> float:
    """Return what a moment is weighed together with: the most that another moment of the same impact says.

    A trembling box jolts in one picture; a pushed vehicle looks pushed in another one as well. Pixels do not tremble.
    """
    once = logit - 2 * _ONCE
    if evidence.is_knock or not others:
        others = [*others, once]
    return max(others)


def _is_same_place(lost: Trace, found: Trace) -> bool:
    _, x1, y1, x2, y2, _ = found.rows[0]
    return math.dist(lost.middle, ((x1 + x2) / 2, (y1 + y2) / 2)) < _APART * lost.size
