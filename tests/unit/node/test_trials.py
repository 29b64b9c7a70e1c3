"""Trials of alarm rules over stored readings, beside what the room made of the same readings."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.field import rows
from core.field.model import Device, Reading
from core.incidents.machine import Trigger
from core.incidents.model import AlarmMark
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import (
    AlarmRule,
    AppliesTo,
    Guidance,
    Limits,
    RuleSet,
    RulesInForce,
    Suppression,
    TrialState,
)
from core.incidents.rules.readings import PIECE
from core.incidents.service import IncidentService
from core.incidents.suppression import Window
from core.incidents.tuning import Tunings
from core.kernel.errors import BadInputError, UnavailableError
from core.node.calls import Calls
from core.node.trials import TrialOrder, Trials
from core.store.tables import AlarmJournalRow, AlarmRow

NUMBERS = itertools.count()
LEVEL = AlarmRule(
    rule_id="level",
    title="High: {where}",
    applies_to=AppliesTo(kinds=("device_value",), quantities=("level_m",)),
    limits=Limits(limit=5.0),
    guidance=Guidance(action="Look."),
)


def book_of(rule=LEVEL):
    return RuleBook(RulesInForce(rules=RuleSet(rules=(rule,)), version=0))


def gauge():
    number = next(NUMBERS)
    return Device(device_id=f"gauge/g{number}", kind="other", name=f"Gauge {number}")


def keep(room, readings):
    room.run(room.store.write(lambda session: rows.insert_readings(session, readings)))


class Live:
    """The room's own way from a reading to the journal, second by second."""

    def __init__(self, room, device, book):
        self.room, self.device = room, device
        self.incidents = IncidentService(
            room.store,
            room.bus,
            room.clock,
            evidence=room.folder,
            tunings=Tunings(book.tunings, suppression=book.suppressions()),
            by_rule=book.applied,
        )
        self.calls = Calls(
            self.incidents,
            folder="/data",
            find_camera=lambda _id: None,
            find_device=lambda _id: device,
            find_book=lambda: book,
            clock=room.clock,
        )

    async def pass_time(self, seconds):
        for _ in range(seconds):
            self.room.clock.advance(seconds=1)
            await self.incidents.tick()

    async def measure(self, course):
        """Take the readings of a course of (seconds later, metres, is good), and return them."""
        working = asyncio.create_task(self.calls.work())
        readings = []
        for seconds, metres, is_good in course:
            await self.pass_time(seconds)
            reading = Reading(
                device_id=self.device.device_id,
                stream="water",
                at=self.room.clock.now(),
                values={"level_m": metres},
                is_good=is_good,
            )
            self.calls.take_reading(reading)
            await self.calls.drain(timeout_s=5)
            readings.append(reading)
        await self.pass_time(1)
        working.cancel()
        return readings

    async def raised(self):
        """Return (is held, chatters) of every time an alarm of the device was raised."""
        query = (
            select(AlarmJournalRow.payload)
            .join(AlarmRow, AlarmRow.alarm_id == AlarmJournalRow.alarm_id)
            .where(AlarmRow.source_id == self.device.device_id)
            .where(AlarmJournalRow.event.in_((Trigger.RAISE.value, Trigger.RAISE_AGAIN.value)))
            .order_by(AlarmJournalRow.alarm_journal_id)
        )
        found = await self.room.store.read(lambda session: list(session.scalars(query)))
        said = [payload["event"] for payload in found]
        return [(bool(one.get("suppressed_by")), AlarmMark.CHATTERING in one.get("marks", ())) for one in said]


def order(room, device, *, as_it_is=None, changed=None, begin=None):
    return TrialOrder(
        rule_id="level",
        as_it_is=as_it_is or book_of(),
        changed=changed or book_of(),
        since=begin or room.clock.now() - timedelta(days=7),
        until=room.clock.now() + timedelta(seconds=1),
        devices=(device,),
        call_from=lambda _camera, _kind: 0.0,
    )


async def tried(room, wanted):
    trials = Trials()
    trial_id = trials.start(room.store, wanted)
    await trials._task
    run = trials.state(trial_id)
    assert run.state is TrialState.DONE, run.message
    return run.report


COURSES = st.lists(
    st.tuples(
        st.sampled_from((1, 2, 5, 10, 30, 90, 400)),
        st.sampled_from((0.0, 4.0, 4.9, 5.1, 6.0)),
        st.sampled_from((True, True, True, False)),
    ),
    max_size=25,
)
RULES = st.builds(
    lambda on_s, off_s, deadband, n_raises, is_held: replace(
        LEVEL,
        limits=Limits(
            limit=5.0, deadband=deadband, on_delay_s=on_s, off_delay_s=off_s, n_raises=n_raises, window_s=120
        ),
        suppression=Suppression(windows=(Window(begin="00:00", end="00:00"),) if is_held else ()),
    ),
    on_s=st.sampled_from((0, 3, 20)),
    off_s=st.sampled_from((0, 4, 60)),
    deadband=st.sampled_from((0.0, 0.5, 2.0)),
    n_raises=st.sampled_from((1, 1, 2)),
    is_held=st.booleans(),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(course=COURSES, rule=RULES)
def test_a_trial_over_stored_readings_raises_what_the_room_raised_of_them(room, course, rule):
    book, device = book_of(rule), gauge()
    live = Live(room, device, book)
    begin = room.clock.now()
    keep(room, room.run(live.measure(course)))
    raised = room.run(live.raised())

    report = room.run(tried(room, order(room, device, as_it_is=book_of(), changed=book, begin=begin)))

    side = report.changed
    assert side.n_raised == len(raised)
    assert side.n_held == sum(is_held for is_held, _ in raised)
    assert side.n_chatter == sum(chatters and not is_held for is_held, chatters in raised)
    assert report.n_readings == len(course)


def every_minute(room, device, n, metres_of):
    begin = room.clock.now()
    return [
        Reading(
            device_id=device.device_id,
            stream="water",
            at=begin + timedelta(minutes=number),
            values={"level_m": metres_of(number)},
        )
        for number in range(n)
    ]


def test_other_delays_and_deadbands_are_tried_on_what_was_measured_and_not_on_the_journal(room):
    device = gauge()
    # An hour above, with a dip to 4.9 every ten minutes, and then an hour below.
    keep(room, every_minute(room, device, 360, lambda n: 0.0 if n % 120 >= 60 else 4.9 if n % 10 == 9 else 6.0))
    room.clock.advance(seconds=3600 * 6)
    steady = book_of(replace(LEVEL, limits=Limits(limit=5.0, deadband=0.5)))

    report = room.run(tried(room, order(room, device, changed=steady)))

    assert (report.as_it_is.n_raised, report.changed.n_raised) == (18, 3)
    assert (report.n_readings, report.n_devices, report.n_from_journal) == (360, 1, 0)


def test_what_stood_when_the_span_began_was_not_raised_in_it(room):
    device = gauge()
    keep(room, every_minute(room, device, 600, lambda _n: 6.0))
    begin = room.clock.now() + timedelta(hours=5)
    room.clock.advance(seconds=36_000)

    assert room.run(tried(room, order(room, device, begin=begin))).changed.n_raised == 0


def test_a_value_that_was_overtaken_on_its_way_raises_nothing(room):
    device = gauge()
    first, late, newer = every_minute(room, device, 3, lambda n: 6.0 if n == 1 else 0.0)
    late = replace(late, at=newer.at - timedelta(seconds=5))
    keep(room, [first, newer, late])
    room.clock.advance(seconds=600)

    assert room.run(tried(room, order(room, device))).changed.n_raised == 0


def test_a_trial_goes_piece_by_piece_and_can_be_stopped_between_two(room):
    device = gauge()
    keep(room, every_minute(room, device, 3 * PIECE, lambda _n: 0.0))
    room.clock.advance(seconds=3 * PIECE * 60)

    async def stop_after_the_first_piece():
        trials = Trials()
        trial_id = trials.start(room.store, order(room, device))
        with pytest.raises(UnavailableError, match="going on"):
            trials.start(room.store, order(room, device))
        while trials.state(trial_id).n_readings == 0:
            await asyncio.sleep(0)
        seen = trials.state(trial_id)
        trials.cancel(trial_id)
        await trials.stop()
        return seen, trials.state(trial_id)

    seen, last = room.run(stop_after_the_first_piece())
    assert (seen.n_readings, seen.state) == (PIECE, TrialState.RUNNING)
    assert 0.0 < seen.fraction < 1.0
    assert (last.state, last.report) == (TrialState.CANCELLED, None)


def test_a_span_that_is_too_long_is_refused_with_a_sentence(room):
    async def refused():
        trials = Trials()
        wanted = order(room, gauge(), begin=room.clock.now() - timedelta(days=100))
        trial_id = trials.start(room.store, wanted)
        await trials._task
        return trials.state(trial_id)

    run = room.run(refused())
    assert (run.state, "92 days" in run.message) == (TrialState.FAILED, True)
    with pytest.raises(BadInputError):
        Trials().state("nobody")
