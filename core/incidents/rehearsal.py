"""What an operator would have heard of what a dry run raised: delays and counts of the alarm rules, one call an event.

As the room does it live, each condition goes through the figures of its rule, then joins the event that it is another
sighting of. Left out is what the footage cannot know: other cameras, planned works, suppression, what is acknowledged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from core.incidents import policy
from core.incidents.model import Condition
from core.incidents.rules.book import RuleBook
from core.incidents.rules.heard import Heard
from core.incidents.rules.trial import Replayed, replay
from core.incidents.same_event import Seen, find_event, is_news_beside
from core.vision.dry_run_model import DryCall, DryRun, Raised
from core.vision.model import Observation, Phase

_BEGAN_AT = datetime(2000, 1, 1, tzinfo=UTC)
"""Any instant: footage has its own time, rules reckon with the clock's."""


def rehearse(run: DryRun, book: RuleBook, camera_name: str) -> DryRun:
    """Return the run with the calls that would have come of what it raised."""
    alarms = sorted(_alarms(run, book, camera_name), key=lambda one: (one.replayed.at, one.raised))
    # What ends at the same instant is over before the next one begins.
    steps = [(one.replayed.at, 1, one) for one in alarms]
    steps += [(one.replayed.until, 0, one) for one in alarms if one.replayed.until < _at(run.footage_s)]
    events = _Events()
    for at, begins, alarm in sorted(steps, key=lambda step: (step[0], step[1], step[2].raised)):
        if begins:
            events.begin(alarm, at)
        else:
            events.end(alarm, at)
    return replace(run, calls=events.calls())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alarm:
    """An alarm as its rule lets it through.

    Attributes:
        raised: What it was made of, by place in the run.
    """

    replayed: Replayed
    seen: Seen
    raised: tuple[int, ...]

    @property
    def condition(self) -> Condition:
        return self.replayed.condition


def _alarms(run: DryRun, book: RuleBook, camera_name: str) -> Iterator[_Alarm]:
    by_key: dict[str, list[int]] = defaultdict(list)
    for index, raised in enumerate(run.raised):
        if raised.sure_s is not None:
            by_key[raised.condition_key].append(index)
    until = _at(run.footage_s)
    for indices in by_key.values():
        course: list[Heard] = []
        for index in indices:
            course += _heard(run.raised[index], book, run.camera_id, camera_name)
        if not course:
            continue
        for replayed in replay(course[0].condition.condition_key, course, book, until):
            made_of = tuple(index for index in indices if _is_part(run.raised[index], replayed))
            # What chatters is listed live, and calls nobody.
            if made_of and not replayed.is_chatter:
                yield _Alarm(replayed=replayed, seen=_seen(run.raised[made_of[0]], run.camera_id), raised=made_of)


def _is_part(raised: Raised, alarm: Replayed) -> bool:
    """Tell whether a condition held while its alarm did."""
    has_ended = raised.ended_s is not None and _at(raised.ended_s) < alarm.at
    return _at(raised.sure_s or 0.0) <= alarm.until and not has_ended


def _heard(raised: Raised, book: RuleBook, camera_id: str, camera_name: str) -> list[Heard]:
    sure_s = raised.sure_s or 0.0
    observation = Observation(
        observation_id="",
        camera_id=camera_id,
        kind=raised.kind,
        phase=Phase.BEGIN,
        rule_key=raised.rule_key,
        rule_name=raised.place,
        condition_key=raised.condition_key,
        pts_s=sure_s,
        captured_at=_at(sure_s),
        confidence=raised.confidence,
        values=raised.values,
    )
    found = policy.condition_of_observation(observation, camera_name=camera_name, position=None)
    if found is None:
        return []
    condition = book.applied(found)
    begin = Heard(at=_at(sure_s), condition=condition, is_raise=True)
    if raised.ended_s is None:
        return [begin]
    return [begin, Heard(at=_at(raised.ended_s), condition=condition, is_raise=False)]


def _seen(raised: Raised, camera_id: str) -> Seen:
    return Seen(
        incident_id="",
        camera_id=camera_id,
        kind=raised.kind,
        rule_key=raised.rule_key,
        at=_at(raised.sure_s or 0.0),
        bbox_xyxy=raised.bbox_xyxy,
    )


def _at(footage_s: float) -> datetime:
    return _BEGAN_AT + timedelta(seconds=footage_s)


class _Events:
    """Which alarms call, and which stand behind another one of their event."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], Seen] = {}
        self._calling: dict[str, dict[str, tuple[Condition, datetime]]] = defaultdict(dict)
        self._following: dict[str, list[_Alarm]] = defaultdict(list)
        self._called: list[tuple[datetime, _Alarm, list[int]]] = []
        self._first_of: dict[str, list[int]] = {}
        self._event_of: dict[tuple[int, ...], str] = {}

    def calls(self) -> tuple[DryCall, ...]:
        return tuple(
            DryCall(
                at_s=round((at - _BEGAN_AT).total_seconds(), 2),
                title=alarm.condition.title,
                priority=alarm.condition.priority.name.lower(),
                raised=tuple(raised),
            )
            for at, alarm, raised in self._called
        )

    def begin(self, alarm: _Alarm, at: datetime) -> None:
        event = find_event(alarm.seen, self._known.values())
        is_own = event is None or self._needs_own_call(event, alarm.condition)
        event = event or f"event-{len(self._first_of)}"
        self._event_of[alarm.raised] = event
        self._known[alarm.raised] = replace(alarm.seen, incident_id=event, holds=True)
        if is_own:
            self._call(event, alarm, at)
        else:
            self._following[event].append(alarm)
            self._first_of[event] += alarm.raised

    def end(self, alarm: _Alarm, at: datetime) -> None:
        event = self._event_of[alarm.raised]
        self._known[alarm.raised] = replace(self._known[alarm.raised], holds=False)
        if alarm in self._following[event]:
            self._following[event].remove(alarm)
            return
        self._calling[event].pop(alarm.condition.condition_key, None)
        waiting = self._following[event]
        if not waiting:
            return
        following = min(waiting, key=lambda one: (one.condition.priority, one.condition.condition_key))
        if self._needs_own_call(event, following.condition):
            waiting.remove(following)
            self._call(event, following, at)

    def _call(self, event: str, alarm: _Alarm, at: datetime) -> None:
        made_of = list(alarm.raised)
        self._calling[event][alarm.condition.condition_key] = (alarm.condition, at)
        self._called.append((at, alarm, made_of))
        self._first_of.setdefault(event, made_of)

    def _needs_own_call(self, event: str, condition: Condition) -> bool:
        standing = self._calling[event]
        return condition.condition_key in standing or all(
            is_news_beside(condition, kind=other.kind, priority=other.priority, called_at=called_at)
            for other, called_at in standing.values()
        )
