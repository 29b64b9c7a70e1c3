"""Alarm rules as a document: what they say of a condition, how they are read, checked and kept."""

import json
import sqlite3
from collections import Counter
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.access import audit
from core.access.model import Role
from core.incidents.keeper import RELEASE_AFTER_S, AlarmKeeper
from core.incidents.model import AlarmState, Condition, Priority, SourceKind
from core.incidents.rules.book import RuleBook, shipped_book, shipped_tunings
from core.incidents.rules.desk import RuleDesk
from core.incidents.rules.model import (
    MATRIX,
    AlarmRule,
    AppliesTo,
    Consequence,
    Difference,
    Guidance,
    HeldWhile,
    Limits,
    RulesChanged,
    RuleSet,
    RulesInForce,
    Suppression,
    TimeToRespond,
)
from core.incidents.rules.text import (
    check_rules,
    check_text,
    differences,
    json_schema,
    rules_of_text,
    shipped_rules,
    text_of_rules,
)
from core.incidents.suppression import Cause, Reach, Weekday, Window, find_rule
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.store.tables import RuleVersionRow
from tests.fixtures.room import OLGA, SUSI, make_condition

DOCS = Path(__file__).parents[3] / "docs"
ACT = Guidance(action="Look.")


def condition(kind="congestion", **changes) -> Condition:
    return make_condition(kind=kind, condition_key=f"camera/ring-north/{kind}:z", **changes)


def book(*rules: AlarmRule) -> RuleBook:
    return RuleBook(RulesInForce(rules=RuleSet(rules=rules), version=1))


# -- the document that ships ----------------------------------------------------------------------------------------


def test_every_shipped_rule_says_what_to_do_and_nothing_in_it_is_wrong():
    shipped = shipped_rules()

    assert check_rules(shipped) == ()
    assert [rule.rule_id for rule in shipped if not rule.guidance.action] == []
    assert [rule.rule_id for rule in shipped if rule.priority is not None and not rule.guidance.cause] == []


def test_the_shipped_split_of_priorities_is_about_80_15_5_of_what_is_expected_to_call():
    """ISA-18.2 and EEMUA 191 recommend ~80/15/5 and, with four levels, less than 1 % in the highest.

    They mean what is annunciated. So each rule says how often it is expected to call per week at the site that the
    document names: 78 % low, 18 % medium, 4 % high, 0.2 % critical. By the number of rules it is another split (13, 16,
    21, 5): most faults of the room itself are high, and hardly ever happen.
    """
    expected: Counter[Priority] = Counter()
    for rule in shipped_rules():
        if rule.priority is not None:
            assert rule.expected_per_week > 0, rule.rule_id
            expected[rule.priority] += rule.expected_per_week
    share = {priority: 100 * expected[priority] / expected.total() for priority in Priority}

    assert 75 <= share[Priority.LOW] <= 85
    assert 10 <= share[Priority.MEDIUM] <= 20
    assert 2 <= share[Priority.HIGH] <= 7
    assert share[Priority.CRITICAL] < 1


def test_a_site_that_configures_nothing_has_the_figures_of_the_study():
    of = shipped_tunings().of

    assert {kind: of("", kind).on_delay_s for kind in ("device_lost", "gateway_lost", "collision")} == {
        "device_lost": 15.0,
        "gateway_lost": 5.0,
        "collision": 0.0,
    }
    assert {kind: of("", kind).off_delay_s for kind in ("camera_blinded", "camera_frozen")} == {
        "camera_blinded": 10.0,
        "camera_frozen": 10.0,
    }
    assert of("", "collision").is_latching
    # What says that nothing is recorded must not be put aside.
    assert not any(of("", kind).can_be_shelved for kind in ("database", "disk", "evidence"))


def test_the_shipped_rules_hold_what_another_condition_explains():
    held = {
        (rule.rule_id, cause, kind)
        for rule in shipped_tunings().suppression
        for cause in rule.causes
        for kind in rule.kinds
    }

    assert {("broker-away", "broker", "device_lost"), ("behind-gateway", "gateway_lost", "devices_lost")} <= held
    assert {("camera-lost", "camera_lost", kind) for kind in ("camera_moved", "camera_blinded")} <= held
    assert {("site-power", "site_power_lost", kind) for kind in ("camera_lost", "gateway_lost")} <= held


def test_every_condition_has_a_rule():
    book = shipped_book()

    for kind in SourceKind:
        rule = book.rule_of(condition("unheard_of", source_kind=kind))
        assert rule is not None
        assert rule.guidance.action


def test_the_matrix_gives_every_pair_a_priority_that_falls_with_time_and_consequence():
    assert len(MATRIX) == len(Consequence) * len(TimeToRespond)
    for consequence in Consequence:
        row = [MATRIX[consequence, time] for time in TimeToRespond]
        assert row == sorted(row)
    for time in TimeToRespond:
        column = [MATRIX[consequence, time] for consequence in Consequence]
        assert column == sorted(column)


# -- what a rule says of a condition --------------------------------------------------------------------------------


def test_the_first_rule_that_fits_counts():
    own = AlarmRule(rule_id="harbour", applies_to=AppliesTo(kinds=("congestion",), sources=("ring-north",)))
    general = AlarmRule(rule_id="congestion", applies_to=AppliesTo(kinds=("congestion",)))

    assert book(own, general).rule_of(condition(source_id="ring-north")) is own
    assert book(own, general).rule_of(condition(source_id="ring-south")) is general


def test_a_rule_gives_title_priority_and_id_and_leaves_open_what_it_does_not_say():
    rule = AlarmRule(
        rule_id="jam",
        title="Jam at {where}",
        consequence=Consequence.TRAFFIC,
        time_to_respond=TimeToRespond.UNDER_1_MIN,
    )

    applied = book(rule).applied(condition(where="Quay", priority=Priority.LOW))
    assert (applied.title, applied.priority, applied.rule_id) == ("Jam at Quay", Priority.HIGH, "jam")

    left = book(AlarmRule(rule_id="other")).applied(condition(title="As it was", priority=Priority.LOW))
    assert (left.title, left.priority, left.rule_id) == ("As it was", Priority.LOW, "other")


def test_a_tag_tells_apart_what_has_the_same_kind():
    applied = shipped_book().applied(condition("disk", source_kind=SourceKind.SYSTEM, tags=frozenset({"almost_full"})))

    assert (applied.rule_id, applied.title, applied.priority) == (
        "disk_almost_full",
        "The disk is almost full",
        Priority.HIGH,
    )


@pytest.mark.parametrize(
    ("begin", "end", "weekdays", "at", "holds"),
    [
        ("08:00", "16:00", (), "2026-01-05 08:00", True),
        ("08:00", "16:00", (), "2026-01-05 16:00", False),
        ("22:00", "06:00", (), "2026-01-05 23:30", True),
        ("22:00", "06:00", (), "2026-01-05 05:59", True),
        ("22:00", "06:00", (), "2026-01-05 12:00", False),
        # Monday the fifth; what began on Sunday still holds in the morning.
        ("22:00", "06:00", (Weekday.SUNDAY,), "2026-01-05 03:00", True),
        ("22:00", "06:00", (Weekday.SUNDAY,), "2026-01-05 23:00", False),
    ],
)
def test_a_window_of_the_day_holds_from_its_begin_to_before_its_end(begin, end, weekdays, at, holds):
    window = Window(begin=begin, end=end, weekdays=weekdays)

    assert window.holds(datetime.fromisoformat(at)) is holds


def test_a_rule_holds_its_alarms_in_its_window():
    window = Window(begin="00:00", end="00:00")
    rule = AlarmRule(rule_id="night", suppression=Suppression(windows=(window,)))

    at = datetime(2026, 1, 1, 9, tzinfo=UTC)
    until = book(rule).held_until(condition(), at)
    assert (until.hour, until.minute) == (0, 0)
    assert timedelta() < until - at <= timedelta(days=1)
    assert book(AlarmRule(rule_id="day")).held_until(condition(), at) is None


# -- reading and writing --------------------------------------------------------------------------------------------


def test_a_document_that_is_written_reads_the_same():
    assert rules_of_text(text_of_rules(shipped_rules())) == shipped_rules()


def test_the_schema_knows_every_name_of_the_document():
    schema = json_schema()

    rule = schema["$defs"]["AlarmRule"]
    assert set(rule["properties"]) == {field.name for field in fields(AlarmRule)}
    assert rule["required"] == ["rule_id"]
    assert rule["additionalProperties"] is False


def test_the_schema_in_the_documentation_is_that_of_the_program():
    """Write it anew with json.dumps(json_schema(), indent=1) where a field came or went."""
    assert json.loads((DOCS / "alarm-rules.schema.json").read_text(encoding="utf-8")) == json_schema()


def test_the_example_of_the_handbook_is_right():
    page = (DOCS / "how-to" / "change-alarm-rules.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]

    (rule,) = rules_of_text(example)
    assert (rule.rule_id, rule.priority) == ("quay_blocked", Priority.MEDIUM)


BROKEN = """\
format: 1
rules:
  - rule_id: Jam
    guidance: {action: Look.}
  - rule_id: stopped
    consequence: lives
    time_to_respond: under_1_min
    guidance: {action: Look.}
  - rule_id: lost
    limits:
      on_delay_s: -3
      on_dellay_s: 4
    guidance: {action: Look.}
  - rule_id: nobody_knows
    title: "{when}"
  - rule_id: fine
    guidance: {action: Look.}
  - rule_id: fine
    guidance: {action: Look.}
"""


def test_everything_that_is_wrong_in_a_document_is_told_by_its_line():
    report = check_text(BROKEN)

    assert report.rules is None
    assert report.n_read == 6
    assert [(problem.line, problem.rule_id) for problem in report.problems] == [
        (3, "Jam"),
        (6, "stopped"),
        (11, "lost"),
        (12, "lost"),
        (14, "nobody_knows"),
        (15, "nobody_knows"),
        (18, "fine"),
    ]
    said = " ".join(problem.sentence for problem in report.problems)
    for words in ('"lives" is none of', '"on_dellay_s" is not known', "no action", "{where}", "Another rule"):
        assert words in said


def test_a_document_that_is_no_yaml_is_refused_with_its_line():
    (problem,) = check_text("rules:\n  - rule_id: [\n").problems

    assert (problem.line, problem.is_warning) == (2, False)


def test_a_delay_for_what_happens_at_one_moment_is_refused_in_a_document_and_in_the_form():
    report = check_text(
        "rules:\n"
        "  - rule_id: alert\n"
        "    applies_to: {kinds: [congestion, device_alert]}\n"
        "    limits:\n"
        "      n_raises: 5\n"
        "      off_delay_s: 60\n"
        "    guidance: {action: Look.}\n"
    )
    made = AlarmRule(
        rule_id="lost",
        applies_to=AppliesTo(kinds=("events_lost",)),
        limits=Limits(on_delay_s=5, n_raises=5),
        guidance=ACT,
    )

    (problem,), (in_form,) = report.problems, check_rules(RuleSet(rules=(made,)))

    assert report.rules is None
    assert (problem.line, problem.rule_id) == (6, "alert")
    assert problem.sentence == '"device_alert" happens at one moment: no off-delay can wait for it. A count can.'
    assert "no on-delay" in in_form.sentence
    assert not in_form.is_warning


def test_a_rule_that_never_counts_is_a_warning():
    report = check_text(
        "rules:\n"
        "  - {rule_id: all, guidance: {action: Look.}}\n"
        "  - {rule_id: jam, applies_to: {kinds: [congestion]}, guidance: {action: Look.}}\n"
    )

    assert report.rules is not None
    (warning,) = report.problems
    assert (warning.line, warning.rule_id, warning.is_warning) == (3, "jam", True)


def test_a_difference_names_rule_field_before_and_after():
    before = RuleSet(rules=(AlarmRule(rule_id="a", guidance=ACT), AlarmRule(rule_id="b", guidance=ACT)))
    changed = AlarmRule(rule_id="b", guidance=ACT, limits=Limits(on_delay_s=5, is_latching=True))
    after = RuleSet(rules=(changed, AlarmRule(rule_id="c", guidance=ACT)))

    assert [(one.rule_id, one.path, one.before, one.after) for one in differences(before, after)] == [
        ("b", "limits.on_delay_s", "0", "5"),
        ("b", "limits.is_latching", "no", "yes"),
        ("c", "rule", "", "added"),
        ("c", "guidance.action", "", "Look."),
        ("a", "rule", "removed", ""),
        ("a", "guidance.action", "Look.", ""),
    ]
    assert differences(before, before) == ()


# -- keeping --------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(room):
    return RuleDesk(room.store, room.bus, room.clock)


def slower(seconds=5.0) -> RuleSet:
    rule = shipped_rules().find("congestion")
    assert rule is not None
    return shipped_rules().with_rule(replace(rule, limits=replace(rule.limits, on_delay_s=seconds)))


def test_a_change_is_in_force_at_once_and_after_a_start(room, desk):
    heard = []
    room.bus.subscribe(RulesChanged, heard.append)

    room.run(desk.save(SUSI, slower(), expect_version=0, reason="Chatters at noon"))

    assert desk.book.tuning_of(condition()).on_delay_s == 5.0
    assert desk.tunings.of("congestion", "congestion").on_delay_s == 5.0
    assert heard[0].in_force.version == 1
    later = RuleDesk(room.store, room.bus, room.clock)
    assert room.run(later.load()) == ""
    assert later.book.in_force == desk.book.in_force


def test_every_change_has_author_time_reason_and_what_it_changed(room, desk):
    room.run(desk.save(SUSI, slower(5), expect_version=0, reason="Chatters at noon"))
    room.run(desk.save(SUSI, slower(9), expect_version=1, reason="Still chatters"))

    newest, first = room.run(desk.history())
    assert (newest.version, newest.author, newest.desk, newest.at) == (2, SUSI.name, SUSI.desk, room.clock.now())
    assert (newest.reason, first.reason) == ("Still chatters", "Chatters at noon")
    (difference,) = newest.differences
    assert (difference.rule_id, difference.path) == ("congestion", "limits.on_delay_s")
    assert (difference.before, difference.after) == ("5", "9")
    assert room.run(desk.rules_at(1)) == slower(5)
    assert room.run(desk.rules_at(0)) == shipped_rules()


def test_a_saved_state_is_never_changed_or_removed(room, desk):
    room.run(desk.save(SUSI, slower(), expect_version=0, reason="Chatters at noon"))

    def forge(session):
        session.get_one(RuleVersionRow, 1).reason = "because"

    with pytest.raises(Exception, match="append-only"):
        room.run(room.store.write(forge))


def test_only_a_supervisor_with_a_reason_and_a_change_may_save(room, desk):
    for actor, rules, reason, error in (
        (OLGA, slower(), "Chatters at noon", NotPermittedError),
        (SUSI, slower(), " x ", BadInputError),
        (SUSI, shipped_rules(), "Chatters at noon", BadInputError),
        (SUSI, RuleSet(rules=(AlarmRule(rule_id="a"),)), "Nobody says what to do", BadInputError),
        (SUSI, RuleSet(rules=(AlarmRule(rule_id="Not an id", guidance=ACT),)), "No id at all", BadInputError),
    ):
        with pytest.raises(error):
            room.run(desk.save(actor, rules, expect_version=0, reason=reason))
    assert room.run(desk.history()) == ()


def test_of_two_supervisors_the_second_is_told(room, desk):
    room.run(desk.save(SUSI, slower(5), expect_version=0, reason="Chatters at noon"))

    with pytest.raises(StaleWriteError, match="version 1 is in force"):
        room.run(desk.save(SUSI, slower(9), expect_version=0, reason="Chatters at noon"))


def test_rules_that_cannot_be_read_leave_those_of_the_program_in_force_and_say_so(room, desk):
    def spoil(session):
        session.add(
            RuleVersionRow(
                version=1, at=room.clock.now(), author="x", desk="", reason="", n_rules=0, text="format: 99\nrules: []"
            )
        )

    room.run(room.store.write(spoil))

    assert "format 1" in room.run(desk.load())
    assert desk.book.in_force == RulesInForce(rules=shipped_rules(), version=1)
    room.run(desk.save(SUSI, slower(), expect_version=1, reason="Begun anew"))


def delayed_by_an_earlier_version(room):
    """Save rules as a site could that had delayed alerts of devices, alone and beside something that lasts."""
    text = text_of_rules(
        RuleSet(
            rules=(
                AlarmRule(rule_id="alert", applies_to=AppliesTo(kinds=("device_alert",)), limits=DELAYED, guidance=ACT),
                AlarmRule(
                    rule_id="quay",
                    applies_to=AppliesTo(kinds=("congestion", "events_lost"), sources=("c1",)),
                    limits=DELAYED,
                    guidance=ACT,
                    expected_per_week=3,
                ),
                *shipped_rules(),
            )
        )
    )
    row = RuleVersionRow(version=4, at=room.clock.now(), author="x", desk="", reason="", n_rules=0, text=text)
    room.run(room.store.write(lambda session: session.add(row)))


DELAYED = Limits(on_delay_s=30, n_raises=2)


def test_of_rules_that_delay_what_happens_at_one_moment_only_that_delay_is_left_out(room, desk):
    delayed_by_an_earlier_version(room)

    assert room.run(desk.load()) == ""

    rules = {rule.rule_id: rule for rule in desk.book.in_force.rules}
    at_once = replace(DELAYED, on_delay_s=0.0)
    assert rules["alert"].limits == at_once
    assert (rules["quay"].applies_to.kinds, rules["quay"].limits) == (("congestion",), DELAYED)
    assert (rules["quay.moments"].applies_to.kinds, rules["quay.moments"].limits) == (("events_lost",), at_once)
    assert rules["quay.moments"].applies_to.sources == ("c1",)
    assert len(rules) == len(shipped_rules().rules) + 3
    assert sum(rule.expected_per_week for rule in rules.values()) == 3 + sum(
        rule.expected_per_week for rule in shipped_rules()
    )


def test_that_a_delay_was_left_out_stands_in_the_history_of_the_rules_and_in_the_audit_once(room, desk):
    delayed_by_an_earlier_version(room)
    room.run(desk.load())
    again = RuleDesk(room.store, room.bus, room.clock)

    assert room.run(again.load()) == ""

    newest, older = room.run(again.history())
    assert (newest.version, newest.author, older.version) == (5, "system", 4)
    assert "at one moment" in newest.reason
    assert Difference(rule_id="alert", path="limits.on_delay_s", before="30", after="0") in newest.differences
    assert [entry.subject for entry in room.run(audit.recent(room.store))] == ["alarm rules, version 5"]
    assert again.book.in_force == desk.book.in_force
    assert room.run(again.rules_at(4)) == again.book.in_force.rules, "the older state can be looked at, too"
    room.run(again.save(SUSI, slower(), expect_version=5, reason="Begun anew"))


@contextmanager
def refusing_writes(room):
    """Let the database take no version of the rules."""
    with sqlite3.connect(room.folder / "watchfloor.sqlite3") as other:
        other.execute("CREATE TRIGGER t BEFORE INSERT ON rule_version BEGIN SELECT RAISE(ABORT, 'refused'); END")
    yield
    with sqlite3.connect(room.folder / "watchfloor.sqlite3") as other:
        other.execute("DROP TRIGGER t")


@contextmanager
def locked(room):
    """Let another program hold the database."""
    other = sqlite3.connect(room.folder / "watchfloor.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.mark.parametrize("failing", [refusing_writes, locked])
def test_mended_rules_that_cannot_be_stored_are_in_force_all_the_same_and_may_be_changed(room, desk, failing, caplog):
    delayed_by_an_earlier_version(room)

    with failing(room):
        assert room.run(desk.load()) == ""
    in_force = desk.book.in_force
    (kept,) = room.run(desk.history())

    assert in_force.rules.find("alert").limits == replace(DELAYED, on_delay_s=0.0)
    assert (in_force.version, kept.version) == (4, 4)
    assert "could not be stored" in caplog.text
    room.run(desk.save(SUSI, in_force.rules.with_rule(slower().find("congestion")), expect_version=4, reason="Slower"))
    later = RuleDesk(room.store, room.bus, room.clock)
    assert room.run(later.load()) == ""
    assert later.book.in_force == desk.book.in_force


def test_mended_rules_that_could_not_be_stored_are_stored_at_the_next_start(room, desk):
    delayed_by_an_earlier_version(room)
    with refusing_writes(room):
        room.run(desk.load())
    later = RuleDesk(room.store, room.bus, room.clock)

    room.run(later.load())

    assert later.book.in_force == replace(desk.book.in_force, version=5)
    assert [one.version for one in room.run(later.history())] == [5, 4]


def test_an_alarm_is_raised_as_the_rules_in_force_say(room, desk):
    rule = AlarmRule(
        rule_id="quay",
        title="Quay blocked: {where}",
        applies_to=AppliesTo(kinds=("congestion",)),
        consequence=Consequence.LIFE,
        time_to_respond=TimeToRespond.UNDER_1_MIN,
        guidance=ACT,
    )
    room.run(desk.save(SUSI, shipped_rules().with_rule(rule), expect_version=0, reason="Ferries wait"))
    applied = desk.book.applied(condition(where="Ring north"))

    alarm = room.run(room.incidents.raise_condition(applied))

    assert (alarm.title, alarm.priority, alarm.rule_id) == ("Quay blocked: Ring north", Priority.CRITICAL, "quay")


def test_an_alarm_in_the_hours_of_its_rule_is_held_and_calls_when_they_are_over(room):
    rule = AlarmRule(
        rule_id="quiet", suppression=Suppression(windows=(Window(begin="00:00", end="00:00"),)), guidance=ACT
    )
    tunings = room.incidents.tunings
    tunings.suppression = book(rule).suppressions()
    keeper = AlarmKeeper(room.store, room.bus, room.clock, tunings)

    held = room.run(room.incidents.raise_condition(condition(rule_id="quiet")))
    assert (held.state, held.suppressed_by) == (AlarmState.SUPPRESSED, "quiet: hours")
    room.run(keeper.tick())

    tunings.suppression = ()
    room.run(keeper.tick())
    room.clock.advance(seconds=RELEASE_AFTER_S + 1)
    room.run(keeper.tick())
    (alarm,) = room.run(room.incidents.open_alarms())
    assert alarm.is_calling


@pytest.mark.parametrize(("zone", "state"), [("Asia/Tokyo", AlarmState.SUPPRESSED), ("UTC", AlarmState.UNACKNOWLEDGED)])
def test_the_hours_of_a_rule_are_those_of_the_site_wherever_its_node_runs(room, zone, state):
    window = Window(begin="20:00", end="23:00")
    rule = AlarmRule(rule_id="quiet", suppression=Suppression(windows=(window,)), guidance=ACT)
    desk = RuleDesk(room.store, room.bus, room.clock, ZoneInfo(zone))
    room.run(desk.save(SUSI, shipped_rules().with_rule(rule), expect_version=0, reason="Deliveries"))
    room.incidents.tunings.suppression = desk.tunings.suppression
    # Nine in the evening in Tokyo is noon in London.
    assert room.clock.now().hour == 12

    alarm = room.run(room.incidents.raise_condition(condition(rule_id="quiet")))

    assert alarm.state is state
    tried = desk.book_of(desk.book.in_force.rules)
    until = tried.held_until(alarm, room.clock.now())
    assert until == (datetime(2026, 1, 1, 14, tzinfo=UTC) if state is AlarmState.SUPPRESSED else None)


# -- whom a rule suppresses ------------------------------------------------------------------------------------------

LOST = Cause(condition_key="camera/x/camera_lost", kind="camera_lost", source_kind=SourceKind.CAMERA, source_id="x")
HELD = Suppression(held_while=(HeldWhile(name="lost", causes=("camera_lost",), reach=Reach.EVERYWHERE),))


def holds(rules: RuleBook, subject: Condition) -> bool:
    """Tell whether a lost camera suppresses a condition under these rules."""
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    return bool(find_rule(rules.applied(subject), (LOST,), rules=rules.suppressions(), works=(), now=at))


@pytest.mark.parametrize(
    ("applies_to", "is_held", "is_not_held"),
    [
        (AppliesTo(kinds=("congestion",), sources=("a",)), {"source_id": "a"}, {"source_id": "b"}),
        (AppliesTo(kinds=("congestion",), tags=("bus",)), {"tags": frozenset({"bus"})}, {}),
        (AppliesTo(kinds=("congestion",), quantities=("level",)), {"quantity": "level"}, {"quantity": "rain"}),
        (
            AppliesTo(kinds=("congestion",), source_kinds=(SourceKind.STATION,)),
            {"source_kind": SourceKind.STATION},
            {"source_kind": SourceKind.CAMERA},
        ),
    ],
)
def test_a_rule_suppresses_only_what_it_is_for(applies_to, is_held, is_not_held):
    rules = book(
        AlarmRule(rule_id="some", applies_to=applies_to, suppression=HELD, guidance=ACT),
        AlarmRule(rule_id="all", guidance=ACT),
    )

    assert holds(rules, condition(**is_held))
    assert not holds(rules, condition(**is_not_held))


def test_what_follows_an_earlier_rule_is_not_suppressed_by_a_later_one_of_its_kind():
    rules = book(
        AlarmRule(rule_id="first", applies_to=AppliesTo(sources=("a",)), guidance=ACT),
        AlarmRule(rule_id="rest", applies_to=AppliesTo(kinds=("congestion",)), suppression=HELD, guidance=ACT),
    )

    assert not holds(rules, condition(source_id="a"))
    assert holds(rules, condition(source_id="b"))


# -- who resets, and who is called -----------------------------------------------------------------------------------


def test_who_may_reset_and_whom_an_escalation_calls_are_read_and_written():
    text = """
rules:
  - rule_id: crash
    limits: {is_latching: true, reset_role: supervisor}
    escalation: {after_s: 60, roles: [operator, supervisor], recipients: [shift leader]}
    guidance: {action: Look.}
"""
    rules = rules_of_text(text)
    tuning = book(*rules).tunings["crash"]

    assert rules_of_text(text_of_rules(rules)) == rules
    assert tuning.reset_role is Role.SUPERVISOR
    assert tuning.max_escalation == 2
    assert [tuning.escalated_to(level) for level in range(4)] == [None, Role.OPERATOR, *[Role.SUPERVISOR] * 2]
    assert [tuning.escalation_words(level) for level in (1, 2)] == ["operator, shift leader", "supervisor"]


def test_who_may_reset_what_does_not_latch_is_refused():
    report = check_text("rules:\n- {rule_id: x, limits: {reset_role: supervisor}, guidance: {action: Look.}}")

    assert "does not latch" in report.problems[0].sentence
    assert report.rules is None
