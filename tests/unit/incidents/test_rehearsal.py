"""What an operator would have heard of a dry run is what the room would have called live."""

import pickle
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import pytest

from core.incidents.model import Alarm
from core.incidents.rehearsal import rehearse
from core.incidents.rules.book import RuleBook, shipped_book
from core.incidents.rules.model import AlarmRule, AppliesTo, Guidance, Limits, RuleSet, RulesInForce
from core.kernel.ids import new_id
from core.vision.dry_run import Collector
from core.vision.dry_run_model import DryRun
from core.vision.model import BBox, Observation, ObservationKind, Phase, Scene
from tests.fixtures.room import Room

K = ObservationKind
CRASH, FAR = (0.4, 0.4, 0.5, 0.5), (0.9, 0.9, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a rule sees, in seconds of the footage; None lasts to its end."""

    kind: ObservationKind
    at_s: float
    ended_s: float | None = None
    box: BBox = CRASH
    confidence: float = 0.95
    key: str = "1"

    def observations(self, room: Room):
        began = room.clock.now()
        seen = Observation(
            observation_id=new_id(),
            camera_id="ring-north",
            kind=self.kind,
            phase=Phase.BEGIN,
            rule_key="lane",
            rule_name="Lane A",
            condition_key=f"{self.kind.value}:{self.key}",
            pts_s=self.at_s,
            captured_at=began + timedelta(seconds=self.at_s),
            confidence=self.confidence,
            bbox_xyxy=self.box,
        )
        yield seen
        if self.ended_s is not None:
            yield replace(
                seen,
                observation_id=new_id(),
                phase=Phase.END,
                pts_s=self.ended_s,
                captured_at=began + timedelta(seconds=self.ended_s),
            )


def in_order(room, sights):
    return sorted((one for sight in sights for one in sight.observations(room)), key=lambda one: one.pts_s)


def rehearsed(room, *sights, footage_s=600.0, book=None):
    """Return the dry run of these sightings."""
    judge = partial(rehearse, book=book or shipped_book(), camera_name="Ring North")
    collector = Collector(Scene(), judge)
    for observation in in_order(room, sights):
        collector.take([observation], 0.0)
    return collector.report(DryRun(run_id="r", camera_id="ring-north", footage_s=footage_s))


def called_live(room, *sights) -> list[Alarm]:
    """Return the alarms that the room raises of the same, in order."""
    began_s = room.clock.monotonic()
    for observation in in_order(room, sights):
        room.clock.advance(seconds=observation.pts_s - (room.clock.monotonic() - began_s))
        room.run(room.incidents.take_observation(observation, camera_name="Ring North"))
    return sorted(room.run(room.incidents.open_alarms()), key=lambda alarm: (alarm.raised_at, alarm.priority))


SEQUENCES = {
    "a crash, who stands there, the jam behind it": (
        Sight(kind=K.COLLISION, at_s=10),
        Sight(kind=K.STOPPED_VEHICLE, at_s=25),
        Sight(kind=K.CONGESTION, at_s=80),
    ),
    "a jam that turns out to be a crash": (Sight(kind=K.CONGESTION, at_s=10), Sight(kind=K.COLLISION, at_s=15)),
    "two places": (Sight(kind=K.STOPPED_VEHICLE, at_s=10), Sight(kind=K.STOPPED_VEHICLE, at_s=12, box=FAR, key="2")),
    "who stands behind a call when that ends": (
        Sight(kind=K.COLLISION, at_s=10, ended_s=40),
        Sight(kind=K.STOPPED_VEHICLE, at_s=20),
    ),
    "who left before the other call ended": (
        Sight(kind=K.COLLISION, at_s=10, ended_s=60),
        Sight(kind=K.STOPPED_VEHICLE, at_s=20, ended_s=50),
    ),
    "the same place long after": (
        Sight(kind=K.STOPPED_VEHICLE, at_s=10, ended_s=20),
        Sight(kind=K.STOPPED_VEHICLE, at_s=200, key="2"),
    ),
    "a jam that comes late behind who still stands": (
        Sight(kind=K.STOPPED_VEHICLE, at_s=10),
        Sight(kind=K.CONGESTION, at_s=200),
    ),
    "another one beside who has stood for six minutes": (
        Sight(kind=K.STOPPED_VEHICLE, at_s=10),
        Sight(kind=K.STOPPED_VEHICLE, at_s=380, key="2"),
    ),
    "a blow to the camera": (Sight(kind=K.CAMERA_MOVED, at_s=10), Sight(kind=K.CAMERA_BLINDED, at_s=14)),
}


@pytest.mark.parametrize("sights", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_a_dry_run_lists_the_calls_that_the_room_makes_live(room: Room, sights):
    run = rehearsed(room, *sights)
    live = called_live(room, *sights)

    assert live
    assert sorted(call.title for call in run.calls) == sorted(alarm.title for alarm in live)
    assert [call.at_s for call in run.calls] == sorted(call.at_s for call in run.calls)
    assert {call.priority for call in run.calls} == {alarm.priority.name.lower() for alarm in live}


def test_three_observations_of_one_crash_are_one_call_that_names_them(room: Room):
    run = rehearsed(room, *SEQUENCES["a crash, who stands there, the jam behind it"])

    (call,) = run.calls
    assert (call.at_s, call.raised) == (10.0, (0, 1, 2))
    assert len(run.raised) == 3


def book(**limits):
    jam = AlarmRule(
        rule_id="jam",
        applies_to=AppliesTo(kinds=("congestion",)),
        guidance=Guidance(action="Look."),
        limits=Limits(**limits),
    )
    return RuleBook(RulesInForce(rules=RuleSet(rules=(jam,)), version=0))


def test_what_is_over_before_the_delay_of_its_rule_calls_nobody_and_what_lasts_calls_later(room: Room):
    short = Sight(kind=K.CONGESTION, at_s=10, ended_s=30)
    long = Sight(kind=K.CONGESTION, at_s=100, ended_s=200)

    run = rehearsed(room, short, long, book=book(on_delay_s=45.0))

    assert [(call.at_s, call.raised) for call in run.calls] == [(145.0, (1,))]
    still_waits = rehearsed(room, replace(long, ended_s=None), footage_s=120.0, book=book(on_delay_s=45.0))
    assert still_waits.calls == ()


def test_what_has_to_come_more_often_calls_with_the_last_of_them(room: Room):
    times = [Sight(kind=K.CONGESTION, at_s=at_s, ended_s=at_s + 2) for at_s in (10, 60, 110)]

    run = rehearsed(room, *times, book=book(n_raises=3, window_s=120.0))

    assert [call.at_s for call in run.calls] == [110.0]


def test_what_chatters_calls_as_little_as_it_does_live(room: Room):
    times = [Sight(kind=K.CONGESTION, at_s=at_s, ended_s=at_s + 2) for at_s in (10, 20, 30, 40, 50)]

    assert [call.at_s for call in rehearsed(room, *times, book=book()).calls] == [10.0, 20.0]


def test_what_the_rule_is_not_sure_of_calls_nobody(room: Room):
    run = rehearsed(room, Sight(kind=K.COLLISION, at_s=10, confidence=0.3))

    assert len(run.raised) == 1
    assert run.calls == ()


def test_what_judges_a_dry_run_travels_to_its_process():
    judge = pickle.loads(pickle.dumps(partial(rehearse, book=shipped_book(), camera_name="Ring")))

    assert judge(DryRun(run_id="r")).calls == ()
