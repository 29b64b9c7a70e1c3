"""A changed rule tried on what happened."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.incidents.handling import Meant
from core.incidents.model import SourceKind
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import (
    AlarmRule,
    AppliesTo,
    Guidance,
    HeldWhile,
    Limits,
    RuleSet,
    RulesInForce,
    Suppression,
)
from core.incidents.rules.trial import Heard, count_put_aside, read_history, read_works, try_rule
from core.incidents.suppression import PlannedWorks, Reach, Source, Window
from core.incidents.tuning import SHELVE_REASONS
from core.kernel.errors import BadInputError
from core.kernel.ids import new_id
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.room import SUSI, make_condition

T0 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RULE = AlarmRule(rule_id="jam", applies_to=AppliesTo(kinds=("congestion",)), guidance=Guidance(action="Look."))


def book(rule=RULE, **limits):
    changed = replace(rule, limits=Limits(**limits))
    return RuleBook(RulesInForce(rules=RuleSet(rules=(changed,)), version=0))


def course(*spans, key="camera/a/congestion:z", **changes):
    """Return begins and ends, each span in seconds from noon."""
    condition = make_condition(condition_key=key, **changes)
    return [
        Heard(at=T0 + timedelta(seconds=at_s), condition=condition, is_raise=is_raise)
        for begin_s, end_s in spans
        for at_s, is_raise in ((begin_s, True), (end_s, False))
    ]


def tried(history, changed, as_it_is=None, **more):
    return try_rule(
        "jam",
        history,
        as_it_is=as_it_is or book(),
        changed=changed,
        since=T0 - timedelta(hours=1),
        until=T0 + timedelta(days=2),
        **more,
    )


def test_an_on_delay_leaves_out_what_was_over_sooner():
    history = course((0, 10), (1000, 1040), (2000, 2005))

    report = tried(history, book(on_delay_s=30))

    assert (report.as_it_is.n_raised, report.changed.n_raised) == (3, 1)
    assert (report.as_it_is.n_conditions, report.changed.n_conditions) == (3, 3)


def test_an_off_delay_joins_what_came_back_at_once():
    report = tried(course((0, 100), (130, 200), (900, 950)), book(off_delay_s=60))

    assert (report.as_it_is.n_raised, report.changed.n_raised) == (3, 2)


def test_a_count_waits_for_the_third():
    report = tried(course((0, 1), (20, 21), (40, 41), (5000, 5001)), book(n_raises=3, window_s=60))

    assert (report.changed.n_raised, report.changed.n_called) == (1, 1)


def test_what_chatters_is_raised_and_makes_no_sound():
    report = tried(course(*((at_s, at_s + 1) for at_s in range(0, 60, 20))), book())

    assert (report.changed.n_raised, report.changed.n_called, report.changed.n_chatter) == (3, 2, 1)


def test_a_count_of_moments_is_tried_as_it_is_counted_live(room):
    moment = make_condition(kind="device_alert", condition_key="device/d/device_alert:jam")
    counted = book(replace(RULE, applies_to=AppliesTo(kinds=("device_alert",))), n_raises=3, window_s=60, on_delay_s=9)
    at_once = book(replace(RULE, applies_to=AppliesTo(kinds=("device_alert",))))
    began = room.clock.now()
    room.tunings.replace({"device_alert": counted.tunings["jam"]})
    live = []
    for _ in range(6):
        alarm = room.run(room.incidents.raise_moment(moment, lambda _session: True))
        live.append(None if alarm is None else alarm.n_calls)
        room.clock.advance(seconds=15)
    history = [
        replace(one, at=began + timedelta(seconds=15 * number))
        for number in range(6)
        for one in course((0, 0), kind="device_alert", key=moment.condition_key)
    ]

    report = try_rule("jam", history, as_it_is=at_once, changed=counted, since=began, until=began + timedelta(hours=1))

    assert live == [None, None, 1, 2, 2, 2], "with the third in a minute; then it chatters"
    assert (report.changed.n_raised, report.changed.n_called) == (4, 2)
    assert report.as_it_is.n_raised == 6


def test_alarms_of_each_day_and_of_each_source_are_counted():
    day = 24 * 3600
    history = [
        *course((0, 100), (day, day + 100), key="camera/a/congestion:z", source_name="Ring North"),
        *course((500, 600), key="camera/b/congestion:z", source_id="b", source_name="Quay"),
    ]

    side = tried(history, book()).changed

    assert side.raised_per_day == {"2026-01-01": 2, "2026-01-02": 1, "2026-01-03": 0}
    assert side.top == (("Ring North", 2), ("Quay", 1))


def test_a_rule_for_other_sources_is_tried_on_those():
    history = [
        *course((0, 100), key="camera/a/congestion:z", source_id="a"),
        *course((0, 100), key="camera/b/congestion:z", source_id="b"),
    ]
    narrowed = replace(RULE, applies_to=AppliesTo(kinds=("congestion",), sources=("b",)))

    report = tried(history, book(narrowed))

    assert (report.as_it_is.n_raised, report.changed.n_raised) == (2, 1)


def test_what_a_window_holds_is_raised_and_not_called():
    always = replace(RULE, suppression=Suppression(windows=(Window(begin="00:00", end="00:00"),)))

    side = tried(course((0, 100)), book(always)).changed

    assert (side.n_raised, side.n_called, side.n_held) == (1, 0, 1)


@pytest.mark.parametrize(("hours", "n_called"), [(0.5, 0), (1.5, 1)])
def test_what_outlives_the_hours_that_hold_it_calls_after_all(hours, n_called):
    quiet = replace(RULE, suppression=Suppression(windows=(Window(begin="11:00", end="13:00"),)))
    at_the_site = RuleBook(book(quiet).in_force, ZoneInfo("UTC"))

    side = tried(course((0, hours * 3600)), at_the_site).changed

    assert (side.n_raised, side.n_called, side.n_held) == (1, n_called, 1 - n_called)


def held_while_a_camera_is_lost(reach=Reach.SAME_SOURCE):
    held = HeldWhile(name="Camera lost", causes=("camera_lost",), reach=reach)
    return replace(RULE, suppression=Suppression(held_while=(held,)))


def lost_camera(*spans, **changes):
    return course(*spans, key="camera/a/camera_lost", kind="camera_lost", **changes)


def test_what_is_over_before_its_cause_does_not_call():
    history = [*course((100, 200), (700, 800)), *lost_camera((50, 500))]

    side = tried(history, book(held_while_a_camera_is_lost())).changed

    assert (side.n_raised, side.n_called, side.n_held) == (2, 1, 1)


def test_what_outlives_its_cause_calls_after_all():
    side = tried([*course((100, 900)), *lost_camera((50, 500))], book(held_while_a_camera_is_lost())).changed

    assert (side.n_called, side.n_held) == (1, 0)


def test_one_cause_may_go_on_where_another_ends():
    history = [*course((100, 900)), *lost_camera((50, 500)), *lost_camera((400, 1000), source_id="b")]
    for number, heard in enumerate(history[4:], start=4):
        history[number] = replace(heard, condition=replace(heard.condition, condition_key="camera/b/camera_lost"))

    side = tried(history, book(held_while_a_camera_is_lost(Reach.EVERYWHERE))).changed

    assert (side.n_called, side.n_held) == (0, 1)


def test_a_cause_elsewhere_holds_nothing():
    history = [*course((100, 200)), *lost_camera((50, 500), source_id="b")]

    assert tried(history, book(held_while_a_camera_is_lost())).changed.n_called == 1


def works(begin_s, end_s, **changes):
    announced = PlannedWorks(
        works_id="w",
        title="New kerbs",
        sources=frozenset({Source(kind=SourceKind.CAMERA, source_id="ring-north")}),
        since=T0 + timedelta(seconds=begin_s),
        until=T0 + timedelta(seconds=end_s),
        by="susi",
        reason="The kerbs are new.",
    )
    return replace(announced, **changes)


@pytest.mark.parametrize(
    ("announced", "n_called"),
    [
        (works(0, 1000), 0),
        (works(0, 300), 1),
        (works(500, 1000), 1),
        (works(0, 1000, sources=frozenset({Source(kind=SourceKind.CAMERA, source_id="elsewhere")})), 1),
        (works(0, 1000, kinds=frozenset({"camera_lost"})), 1),
    ],
)
def test_what_planned_works_would_have_held_does_not_call(announced, n_called):
    side = tried(course((100, 900)), book(), works=(announced,)).changed

    assert (side.n_raised, side.n_called, side.n_held) == (1, n_called, 1 - n_called)


def test_works_of_the_span_are_read_and_no_others(room):
    at = room.clock.now()
    for hours in ((1, 2), (30, 40)):
        since, until = (at + timedelta(hours=one) for one in hours)
        room.run(room.handling.plan_works(SUSI, works(0, 1, since=since, until=until)))

    found = room.run(room.store.read(lambda s: read_works(s, since=at, until=at + timedelta(days=1))))

    assert [one.since for one in found] == [at + timedelta(hours=1)]


def test_what_comes_from_the_journal_is_replayed_from_before_its_delay():
    rule = replace(RULE, applies_to=AppliesTo(kinds=("device_lost",)))
    history = course((15, 400), kind="device_lost", key="device/x/device_lost", source_kind=SourceKind.DEVICE)

    report = tried(history, book(rule, on_delay_s=60), as_it_is=book(rule, on_delay_s=15))

    assert (report.as_it_is.n_raised, report.changed.n_raised) == (1, 1)
    assert "journal" in report.note


def test_history_is_read_from_observations_and_from_the_journal(room):
    def observe(phase, at_s, confidence=1.0, key="congestion:z"):
        return Observation(
            observation_id=new_id(),
            camera_id="ring-north",
            kind=ObservationKind.CONGESTION,
            phase=phase,
            rule_key="z",
            rule_name="Lane A",
            condition_key=key,
            pts_s=at_s,
            captured_at=room.clock.now(),
            confidence=confidence,
        )

    begin = room.clock.now()
    for phase, confidence, key in (
        (Phase.BEGIN, 1.0, "congestion:z"),
        (Phase.END, 1.0, "congestion:z"),
        (Phase.BEGIN, 0.2, "congestion:doubtful"),
    ):
        room.run(
            room.incidents.take_observation(observe(phase, 0.0, confidence, key), camera_name="Ring", call_from=0.5)
        )
        room.clock.advance(seconds=10)
    lost = make_condition(kind="camera_lost", condition_key="camera/x/camera_lost")
    room.run(room.incidents.raise_condition(lost))
    room.clock.advance(seconds=10)
    room.run(room.incidents.return_condition("camera/x/camera_lost"))

    history, is_cut = room.run(
        room.store.read(
            lambda s: read_history(
                s, since=begin, until=room.clock.now() + timedelta(seconds=1), call_from=lambda _camera, _kind: 0.5
            )
        )
    )

    assert not is_cut
    assert [(heard.condition.condition_key, heard.is_raise) for heard in history] == [
        ("camera/ring-north/congestion:z", True),
        ("camera/ring-north/congestion:z", False),
        ("camera/x/camera_lost", True),
        ("camera/x/camera_lost", False),
    ]


def test_a_span_that_is_too_long_is_refused(room):
    with pytest.raises(BadInputError, match="92 days"):
        room.run(
            room.store.read(
                lambda s: read_history(s, since=T0, until=T0 + timedelta(days=93), call_from=lambda _camera, _kind: 0.0)
            )
        )


def test_a_trial_says_that_its_alarms_were_put_aside_and_counts_them_all_the_same(room):
    begin = room.clock.now()
    condition = make_condition(kind="congestion", condition_key="camera/x/congestion:z")
    alarm = room.run(room.incidents.raise_condition(condition))
    meant = Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)
    room.run(room.handling.shelve(SUSI, meant, for_s=300.0, reason=SHELVE_REASONS[0]))
    until = room.clock.now() + timedelta(seconds=1)

    counts = [
        room.run(room.store.read(lambda s, rule=rule: count_put_aside(s, rule, since=begin, until=until)))
        for rule in (alarm.rule_id, "another")
    ]

    assert counts == [1, 0]
    report = tried(course((0, 10)), book(), n_put_aside=1)
    assert "shelved or taken out of service once" in report.note
    assert report.changed.n_called == 1
