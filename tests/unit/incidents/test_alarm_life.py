"""Anything that can happen to alarms, in any order: what the machine promises always holds."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from core.incidents import events
from core.incidents.events import Event, Service
from core.incidents.machine import TABLE, Row, Trigger, apply, replay, row_of
from core.incidents.model import Alarm, AlarmMark, AlarmState, Priority, Quality, Shelving
from tests.fixtures.room import make_condition

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ACTIVE = {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED}
OVER = (events.Returned,)
priorities = st.sampled_from(list(Priority))
ages = st.integers(0, 3)
"""How many occurrences ago somebody looked at the list: 0 is what stands there now."""


class Seen:
    """What a whole run went through.

    Attributes:
        n_steps: Rules that were carried out.
        n_late_acknowledges: Acknowledges of an occurrence that had passed while a later one stood there.
        rows: How often each row of the table was followed.
    """

    def __init__(self) -> None:
        self.n_steps = 0
        self.n_late_acknowledges = 0
        self.rows: Counter[Row] = Counter()


class AlarmLife(RuleBasedStateMachine):
    """One condition, its alarms one after the other, and the journal of each."""

    run = Seen()

    def __init__(self) -> None:
        super().__init__()
        # The promises are looked at once before the first step.
        self.run.n_steps -= 1
        self.at = T0
        self.numbers = count()
        self.alarm: Alarm | None = None
        self.journal: list[Event] = []
        self.occurrences = ["none"]

    # -- what rules and time do -----------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0, 1, 60, 299, 301, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

    @rule(
        priority=priorities,
        is_latching=st.booleans(),
        chatters=st.booleans(),
        suppressed_by=st.sampled_from(["", "", "", "behind-gateway"]),
        is_out=st.sampled_from([False, False, False, True]),
        is_incident_closed=st.sampled_from([False, False, False, True]),
    )
    def raised(
        self,
        priority: Priority,
        *,
        is_latching: bool,
        chatters: bool,
        suppressed_by: str,
        is_out: bool,
        kind: str = "congestion",
        is_incident_closed: bool = False,
    ) -> None:
        number = next(self.numbers)
        before = self.alarm
        self.happens(
            events.Raised(
                at=self.at,
                condition=make_condition(priority=priority, kind=kind),
                alarm_id=f"a{number}",
                occurrence=f"o{number}",
                incident_id=f"i{number}",
                is_latching=is_latching,
                marks=frozenset({AlarmMark.CHATTERING} if chatters else ()),
                suppressed_by=suppressed_by,
                out_of_service=self.service() if is_out else None,
                is_incident_closed=is_incident_closed,
            )
        )
        assert self.alarm is not None
        assert self.alarm.is_active
        if self.alarm.occurrence != self.occurrences[-1]:
            self.occurrences.append(self.alarm.occurrence)
        if before is not None and before.is_open and before.shelving is not Shelving.UNSHELVED:
            assert self.alarm.shelved_until in {before.shelved_until, None}, "a repeat made the shelving longer"

    @rule(is_fleeting=st.booleans())
    def returned(self, *, is_fleeting: bool) -> None:
        self.happens(events.Returned(at=self.at, is_fleeting=is_fleeting))

    @rule(level=st.integers(1, 2))
    def what_is_over_and_unanswered_is_escalated(self, level: int) -> None:
        self.is_closed()
        self.raised(Priority.LOW, is_latching=False, chatters=False, suppressed_by="", is_out=False)
        self.returned(is_fleeting=False)
        before = self.alarm
        self.escalates(level)
        if before is not None and before.state is AlarmState.RETURNED_UNACKNOWLEDGED:
            assert (self.alarm is not before) is (level == before.escalation_level + 1)

    @rule()
    def comes_back_late(self) -> None:
        self.returned(is_fleeting=False)
        self.at += timedelta(seconds=301)
        self.raised(Priority.MEDIUM, is_latching=False, chatters=False, suppressed_by="", is_out=False)

    @rule(
        holds=st.sets(st.sampled_from(["timed", "one-shot", "suppressed", "out"]), max_size=2),
        is_latching=st.booleans(),
        is_seen=st.booleans(),
        meanwhile=st.sampled_from(["nothing", "ends", "worsens", "comes back", "comes back worse"]),
        released=st.sampled_from(["by hand", "in time", "not yet"]),
    )
    def a_new_one_is_held_and_let_go(
        self, holds: set[str], *, is_latching: bool, is_seen: bool, meanwhile: str, released: str
    ) -> None:
        """What is rare by chance: each hold from its begin to its end, with all that may happen under it."""
        self.is_closed()
        self.raised(Priority.LOW, is_latching=is_latching, chatters=False, suppressed_by="", is_out=False)
        if is_seen:
            self.acknowledged(0)
        if holds & {"timed", "one-shot"}:
            self.shelved(0, Shelving.TIMED if "timed" in holds else Shelving.ONE_SHOT)
        if "suppressed" in holds:
            self.suppressed("behind-gateway")
        if "out" in holds:
            self.taken_out()
        if meanwhile not in {"nothing", "worsens"}:
            self.returned(is_fleeting=False)
        if meanwhile not in {"nothing", "ends"}:
            priority = Priority.HIGH if "worse" in meanwhile or meanwhile == "worsens" else Priority.LOW
            self.raised(priority, is_latching=False, chatters=False, suppressed_by="", is_out=False)
        if released == "by hand":
            self.is_let_go()
        elif released == "in time":
            for timer in (events.ServiceExpired, events.ShelvingExpired, events.Realarmed):
                self.a_deadline_comes(timer)
            self.unsuppressed()
        elif is_seen:
            self.unacknowledged(0)

    def is_let_go(self) -> None:
        self.put_back()
        self.unsuppressed()
        self.unshelved()

    def is_closed(self) -> None:
        self.returned(is_fleeting=False)
        self.is_let_go()
        self.acknowledged(0)
        self.reset(0)

    @rule(age=st.integers(1, 3))
    def acknowledged_from_an_old_list(self, age: int) -> None:
        self.acknowledged(age)

    @rule(quality=st.sampled_from(list(Quality)))
    def quality_changes(self, quality: Quality) -> None:
        before = self.alarm
        self.happens(events.QualityChanged(at=self.at, quality=quality))
        if before is not None and self.alarm is not None:
            assert replace(self.alarm, quality=before.quality, changed_at=before.changed_at, version=0) == replace(
                before, version=0
            )

    @rule(timer=st.sampled_from([events.Realarmed, events.ShelvingExpired, events.ServiceExpired]))
    def a_deadline_comes(self, timer) -> None:
        self.happens(timer(at=self.at))

    @rule(timer=st.sampled_from([events.Realarmed, events.ShelvingExpired, events.ServiceExpired, events.Unsuppressed]))
    def a_deadline_comes_in_a_closed_incident(self, timer) -> None:
        number = next(self.numbers)
        before = self.alarm
        self.happens(timer(at=self.at, occurrence=f"o{number}", incident_id=f"i{number}"))
        if self.alarm is not None and self.alarm.occurrence == f"o{number}":
            self.occurrences.append(self.alarm.occurrence)
            assert before is not None
            assert (self.alarm.is_calling, self.alarm.n_calls) == (True, 1)

    @rule(level=st.integers(1, 4))
    def escalates(self, level: int) -> None:
        self.happens(events.Escalated(at=self.at, level=level))

    @rule(rule_id=st.sampled_from(["behind-gateway", "works: Ring"]))
    def suppressed(self, rule_id: str) -> None:
        self.happens(events.Suppressed(at=self.at, rule_id=rule_id))

    @rule()
    def unsuppressed(self) -> None:
        self.happens(events.Unsuppressed(at=self.at))

    @rule(marks=st.frozensets(st.sampled_from(list(AlarmMark))))
    def marked(self, marks: frozenset[AlarmMark]) -> None:
        self.happens(events.Marked(at=self.at, marks=marks))

    # -- what people do -------------------------------------------------------------------------------------------

    @rule(age=ages)
    def acknowledged(self, age: int) -> None:
        before, meant = self.alarm, self.seen(age)
        self.happens(events.Acknowledged(at=self.at, occurrence=meant, by="olga", desk="Desk 1"))
        if before is not None and before.is_open and meant != before.occurrence:
            self.run.n_late_acknowledges += 1
            assert self.alarm is before, "an acknowledge hit another occurrence"

    @rule(age=ages)
    def unacknowledged(self, age: int) -> None:
        n_calls = self.alarm.n_calls if self.alarm else 0
        self.happens(events.Unacknowledged(at=self.at, occurrence=self.seen(age), by="olga", comment="wrong row"))
        assert self.alarm is None or self.alarm.n_calls == n_calls

    @rule(age=ages)
    def reset(self, age: int) -> None:
        before = self.alarm
        self.happens(events.Reset(at=self.at, occurrence=self.seen(age), by="olga"))
        if before is not None and before.is_active:
            assert self.alarm is before

    @rule(age=ages, shelving=st.sampled_from([Shelving.TIMED, Shelving.ONE_SHOT]))
    def shelved(self, age: int, shelving: Shelving) -> None:
        self.happens(
            events.Shelved(
                at=self.at,
                occurrence=self.seen(age),
                shelving=shelving,
                until=self.at + timedelta(hours=1),
                by="olga",
                reason="Weather",
            )
        )

    @rule()
    def unshelved(self) -> None:
        self.happens(events.Unshelved(at=self.at, by="olga"))

    @rule()
    def taken_out(self) -> None:
        self.happens(events.TakenOut(at=self.at, service=self.service()))

    @rule()
    def put_back(self) -> None:
        self.happens(events.PutBack(at=self.at, by="susi"))

    @rule(is_done=st.booleans())
    def ticked(self, *, is_done: bool) -> None:
        self.happens(events.Ticked(at=self.at, step="Call", is_done=is_done))

    @rule()
    def commented(self) -> None:
        self.happens(events.Commented(at=self.at, comment="Seen from here"))

    # -- what always holds ----------------------------------------------------------------------------------------

    @invariant()
    def the_journal_gives_the_alarm(self) -> None:
        self.run.n_steps += 1
        # From its begin each time it would take most of the run: a long one now and then, and once at the end.
        if len(self.journal) < 16 or self.run.n_steps % 16 == 0:
            assert replay(self.journal) == self.alarm

    def teardown(self) -> None:
        assert replay(self.journal) == self.alarm

    @precondition(lambda self: self.alarm is not None)
    @invariant()
    def what_is_held_does_not_call(self) -> None:
        assert self.alarm is not None
        if self.alarm.is_suppressed_or_shelved:
            assert not self.alarm.is_calling
            assert self.alarm.calling_since is None
        assert self.alarm.is_calling == (self.alarm.calling_since is not None)

    @precondition(lambda self: self.alarm is not None)
    @invariant()
    def what_is_active_is_open(self) -> None:
        assert self.alarm is not None
        assert not self.alarm.is_active or self.alarm.is_open
        assert self.alarm.is_open or self.alarm.state is AlarmState.NORMAL

    # -- helpers --------------------------------------------------------------------------------------------------

    def seen(self, age: int) -> str:
        return self.occurrences[max(0, len(self.occurrences) - 1 - age)]

    def service(self) -> Service:
        return Service(by="susi", reason="Lens", until=self.at + timedelta(hours=1))

    def happens(self, event: Event) -> None:
        before, row = self.alarm, row_of(self.alarm, event)
        self.alarm = apply(before, event)
        if row is None:
            assert self.alarm is before
            return
        self.run.rows[row] += 1
        assert self.alarm is not None
        if row.trigger is Trigger.RAISE:
            self.journal.clear()
        self.journal.append(event)
        state_before = AlarmState.NORMAL if row.trigger is Trigger.RAISE or before is None else before.state
        assert state_before in row.source
        assert self.alarm.state is (state_before if row.target is None else row.target)
        if before is not None and row.trigger is not Trigger.RAISE:
            assert self.alarm.version == before.version + 1
            if before.is_active and not self.alarm.is_active:
                assert isinstance(event, OVER)
            if before.state in ACTIVE and self.alarm.state is AlarmState.NORMAL:
                assert isinstance(event, OVER)
            if self.alarm.n_calls > before.n_calls:
                assert self.alarm.is_calling


QUICK = settings(max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(QUICK, max_examples=600, stateful_step_count=200)
N_STEPS = 100_000


def test_whatever_happens_the_promises_of_the_machine_hold() -> None:
    run_state_machine_as_test(AlarmLife, settings=QUICK)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_promises_hold_for_a_hundred_thousand_steps_along_every_row_of_the_table() -> None:
    class Thorough(AlarmLife):
        run = Seen()

    run_state_machine_as_test(Thorough, settings=THOROUGH)

    print(f"{Thorough.run.n_steps} steps, {Thorough.run.n_late_acknowledges} late acknowledges")
    assert Thorough.run.n_steps >= N_STEPS
    assert Thorough.run.n_late_acknowledges > N_STEPS / 1000
    assert [row for row in TABLE if not Thorough.run.rows[row]] == []
