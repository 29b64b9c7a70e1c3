"""Rules, time and people at random on a real store: the journal gives what the tables say."""

import contextlib
import random
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from core.access import audit
from core.incidents import ledger, machine
from core.incidents.handling import Meant
from core.incidents.model import Alarm, AlarmChanged, Priority, Quality, Shelving, SourceKind
from core.incidents.tuning import SHELVE_REASONS, AlarmTuning
from core.kernel.errors import ConsoleError
from core.store.tables import AlarmJournalRow, AlarmRow
from tests.fixtures.room import OLGA, OMAR, SUSI, Room, make_condition

KINDS = ("congestion", "collision", "device_lost", "gateway_lost")
N_STEPS = 150


class Life:
    """Draws what happens next."""

    def __init__(self, room: Room, seed: int) -> None:
        self.room = room
        self.random = random.Random(seed)
        self.seen: list[Alarm] = []

    def step(self) -> None:
        steps = (self.rule_raises, self.rule_raises, self.rule_returns, self.time_passes, self.time_passes)
        others = (self.somebody_does_something, self.somebody_does_something, self.source_is_lost, self.node_restarts)
        with contextlib.suppress(ConsoleError):
            self.random.choices([*steps, *others], weights=[4, 4, 6, 4, 4, 8, 8, 2, 0.4])[0]()

    def rule_raises(self) -> None:
        kind = self.random.choice(KINDS)
        alarm = self.room.run(
            self.room.incidents.raise_condition(
                make_condition(
                    condition_key=f"device/north/{kind}",
                    kind=kind,
                    priority=self.random.choice(list(Priority)),
                    source_kind=SourceKind.DEVICE,
                    source_id=f"north/{kind}",
                )
            )
        )
        if alarm is not None:
            self.seen.append(alarm)

    def rule_returns(self) -> None:
        self.room.run(self.room.incidents.return_condition(f"device/north/{self.random.choice(KINDS)}"))

    def time_passes(self) -> None:
        self.room.pass_time(self.random.choice([0.5, 5, 61, 301, 1900]))

    def source_is_lost(self) -> None:
        quality = self.random.choice(list(Quality))
        source_id = f"north/{self.random.choice(KINDS)}"
        self.room.run(self.room.incidents.set_quality(SourceKind.DEVICE, source_id, quality))

    def node_restarts(self) -> None:
        self.room.restart()
        self.room.run(self.room.incidents.start())
        self.room.run(self.room.keeper.start())

    def somebody_does_something(self) -> None:
        listed = [*self.room.run(self.room.incidents.open_alarms()), *self.seen[-2:]]
        if not listed:
            return
        alarm, actor = self.random.choice(listed), self.random.choice([OLGA, OMAR, SUSI])
        meant = Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)
        handling, incidents = self.room.handling, self.room.incidents
        soon = self.room.clock.now() + timedelta(minutes=30)
        verbs = (
            lambda: incidents.acknowledge(
                actor, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version
            ),
            lambda: handling.unacknowledge(actor, meant, reason="Wrong row"),
            lambda: handling.reset(actor, meant),
            lambda: handling.shelve(
                actor,
                meant,
                for_s=self.random.choice([60, 900, 3600]),
                reason=SHELVE_REASONS[0],
                shelving=self.random.choice([Shelving.TIMED, Shelving.ONE_SHOT]),
            ),
            lambda: handling.unshelve(actor, meant),
            lambda: handling.set_out_of_service(SUSI, meant, reason="Lens", until=soon),
            lambda: handling.return_to_service(SUSI, meant),
            lambda: handling.tick(actor, meant, step="Call", is_done=self.random.random() < 0.5),
        )
        self.room.run(self.random.choices(verbs, weights=[4, 2, 2, 3, 1, 1, 1, 1])[0]())


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_journal_gives_what_the_tables_say(room: Room, seed: int) -> None:
    room.tunings.replace({"device_lost": AlarmTuning(), "gateway_lost": AlarmTuning(off_delay_s=10)})
    life = Life(room, seed)

    for _ in range(N_STEPS):
        life.step()

    def read(session):
        alarms = [ledger.alarm_of(row) for row in session.scalars(select(AlarmRow))]
        rows = session.scalars(select(AlarmJournalRow).order_by(AlarmJournalRow.alarm_journal_id)).all()
        journal = [(row.alarm_id, row.sequence, row.state_before, row.state_after) for row in rows]
        return alarms, {alarm.alarm_id: ledger.events_of(session, alarm.alarm_id) for alarm in alarms}, journal

    alarms, events, journal = room.run(room.store.read(read))
    assert {alarm.alarm_id: machine.replay(events[alarm.alarm_id]) for alarm in alarms} == {
        alarm.alarm_id: alarm for alarm in alarms
    }
    for alarm in alarms:
        mine = [row for row in journal if row[0] == alarm.alarm_id]
        assert [row[1] for row in mine] == list(range(1, alarm.version + 1))
        assert all(before[3] == after[2] for before, after in pairwise(mine)), "a state is missing in between"
    told = [event.alarm for event in room.events if isinstance(event, AlarmChanged)]
    assert not [alarm for alarm in told if alarm.is_suppressed_or_shelved and alarm.is_calling]
    assert {alarm.alarm_id: alarm for alarm in told} == {alarm.alarm_id: alarm for alarm in alarms}
    assert room.run(audit.verify(room.store)).ok
