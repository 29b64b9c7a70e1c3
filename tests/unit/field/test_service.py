import asyncio
import contextlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DataError

from core.access.model import SYSTEM
from core.field import rows
from core.field.event_log import EventCall
from core.field.inbox import Inbound
from core.field.inventory import DeviceAt
from core.field.model import CommandStatus, DeviceState, LinkReport, LinkState, calls_operator
from core.field.outbox import Outbox
from core.field.payloads import AlarmPayload, Status
from core.field.service import (
    CLOSED_ALARM_STAYS_S,
    DEVICES_PER_WRITE,
    KEEP_SEEN_EVERY_S,
    MOST_WRITES,
    READINGS_PER_WRITE,
    REBIRTH_AT_MOST_EVERY_S,
    TIME_AT_MOST_EVERY_S,
    EventCameAhead,
    EventsLost,
    FieldEventReceived,
    FieldService,
    ReadingReceived,
)
from core.field.settings import BrokerSettings
from core.field.topics import OWN_GROUP, Channel, DeviceTopic, build
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock, format_at
from core.kernel.errors import UnavailableError
from core.store.engine import open_store, sqlite_url
from core.store.tables import DeviceRow, FieldEventRow, ReadingRow

ROOT = "watchfloor/v1/city/station/s1"


class RecordingLink:
    """Stands for the broker: remembers what it was told to send and to acknowledge."""

    def __init__(self):
        self.n_times_told = 0
        self.epochs = []
        self.sent = []
        self.acknowledged = []

    def start(self):
        pass

    def stop(self):
        return True

    def watch(self):
        pass

    def publish(self, topic, payload, *, qos=0, is_retained=False, expiry_s=None, reply=None, on_done=None):
        self.sent.append((topic.removeprefix("watchfloor/v1/city/"), payload, is_retained))
        return True

    def say_online(self):
        self.n_times_told += 1

    def begin_epoch(self, epoch):
        self.epochs.append(epoch)

    def acknowledge(self, messages):
        self.acknowledged += [message.mid for message in messages]

    def report(self):
        return LinkReport(state=LinkState.CONNECTED, address="here")

    def last(self, tail):
        return next((payload for topic, payload, _ in reversed(self.sent) if topic.endswith(tail)), None)


class Site:
    """A field service on a clock that stands still."""

    def __init__(self, folder):
        self.clock, self.bus, self.link = FakeClock(), Bus(), RecordingLink()
        self.store = open_store(sqlite_url(folder / "db.sqlite3"), backups=folder, clock=self.clock)
        self.service = FieldService(
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            outbox=Outbox(folder / "outbox.sqlite3"),
            settings=BrokerSettings(host="localhost"),
        )
        self.service._link = self.link
        self.told = []
        self.bus.subscribe(FieldEventReceived, lambda event: self.told.append(event.event.seq))
        self.bus.subscribe(ReadingReceived, lambda event: self.told.append(event.reading.values))
        self.lost = []
        self.bus.subscribe(EventsLost, self.lost.append)
        self.mid = 0

    def hear(self, tail, *, root=ROOT, is_retained=False, **fields):
        self.mid += 1
        is_event = tail == "evt"
        body = json.dumps({"ts": format_at(self.clock.now()), "data": {"intensity": 1}, **fields}).encode()
        self.service.on_messages(
            [
                Inbound(
                    topic=f"{root}/{tail}",
                    payload=body,
                    qos=1,
                    is_retained=is_retained,
                    received_at=self.clock.now(),
                    mid=self.mid if is_event else None,
                )
            ]
        )

    def ago(self, seconds):
        return format_at(self.clock.now() - timedelta(seconds=seconds))

    async def heard_events(self):
        """Write what waits, and return of each event its number, and what it is taken for."""
        await self.service._write_some_events()
        rows = await self.store.read(
            lambda session: list(session.scalars(select(FieldEventRow).order_by(FieldEventRow.field_event_id)))
        )
        taken_for = {(True, False): "sure", (False, False): "uncertain"}
        return [(row.seq, taken_for.get((row.is_good, row.is_history), "late")) for row in rows]

    def link_is(self, state):
        self.service.on_link_state(LinkReport(state=state, address="here"))

    async def stored(self):
        query = select(FieldEventRow.device_id, FieldEventRow.seq).order_by(FieldEventRow.field_event_id)
        return await self.store.read(lambda session: [tuple(row) for row in session.execute(query)])

    async def readings(self):
        return await self.store.read(lambda session: [row.values for row in session.scalars(select(ReadingRow))])

    @property
    def n_rebirths(self):
        return sum(topic.endswith("/rebirth") for topic, _, _ in self.link.sent)

    @property
    def state(self):
        return self.service.device("station/s1").state


def on_site(tmp_path, body):
    async def run():
        site = Site(tmp_path)
        await site.service.prepare()
        try:
            await body(site)
        finally:
            await site.service.stop()
            await site.store.close()

    asyncio.run(run())


def test_an_event_is_acknowledged_and_told_only_after_the_commit(tmp_path):
    async def body(site):
        site.hear("evt", seq=1)
        site.hear("evt", seq=2)
        assert (site.link.acknowledged, site.told, site.link.last("evt/ack")) == ([], [], None)

        await site.service._write_some_events()
        assert site.link.acknowledged == [1, 2]
        assert site.told == [1, 2]
        said = json.loads(site.link.last("evt/ack"))
        now_ms = site.clock.now().timestamp() * 1000
        assert said == {"ack": 2, "boot": "", "host": "core", "epoch": 1, "timestamp": now_ms}

    on_site(tmp_path, body)


def test_an_alarm_is_stored_between_the_readings_that_wait(tmp_path):
    async def body(site):
        for number in range(READINGS_PER_WRITE * 3):
            site.hear("tele/flow", root=f"watchfloor/v1/city/station/s{number}")
        stored_before = []
        writing = asyncio.create_task(site.service._write_readings())
        await asyncio.sleep(0)

        await site.store.write(lambda session: stored_before.append(session.scalar(select(func.count(ReadingRow.at)))))
        await writing

        assert stored_before == [READINGS_PER_WRITE]
        assert len(await site.readings()) == READINGS_PER_WRITE * 3

    on_site(tmp_path, body)


def test_readings_that_could_not_be_written_in_the_middle_are_written_later(tmp_path):
    async def body(site):
        for number in range(READINGS_PER_WRITE * 3):
            site.hear("tele/flow", root=f"watchfloor/v1/city/station/s{number}")
        write, n_writes = site.store.write, 0

        async def refuse_the_second(fn):
            nonlocal n_writes
            n_writes += 1
            if n_writes == 2:
                raise UnavailableError("The database is locked.")
            return await write(fn)

        site.store.write = refuse_the_second
        with pytest.raises(UnavailableError):
            await site.service._write_readings()
        assert len(await site.readings()) == READINGS_PER_WRITE
        await site.service._write_readings()

        assert len(await site.readings()) == READINGS_PER_WRITE * 3
        assert site.service.losses().n_readings == 0

    on_site(tmp_path, body)


def test_very_many_readings_are_few_transactions(tmp_path):
    async def body(site):
        n_devices = READINGS_PER_WRITE * (MOST_WRITES + 4)
        for number in range(n_devices):
            site.hear("tele/flow", root=f"watchfloor/v1/city/station/s{number}")
        write, n_writes = site.store.write, []

        async def count(fn):
            n_writes.append(fn)
            return await write(fn)

        site.store.write = count
        await site.service._write_readings()
        site.store.write = write

        assert len(n_writes) == MOST_WRITES + (n_devices - 1) // DEVICES_PER_WRITE
        assert len(await site.readings()) == n_devices

    on_site(tmp_path, body)


def test_stored_events_are_listed_and_those_that_call_wait_until_their_call_is_stored(tmp_path):
    alert = {"category": "traffic", "subCategory": "carStopped", "severity": "high"}

    async def body(site):
        site.hear("evt", seq=1, type="TrafficFlowObserved")
        site.hear("evt", seq=2, type="Alert", data=alert)
        site.hear("evt", seq=3, type="Alert", data=alert, hist=True)
        await site.service._write_some_events()

        async def shown():
            return [(one.seq, one.is_late, one.call) for one in await site.service.events("station/s1")]

        assert await shown() == [(3, True, EventCall.NONE), (2, False, EventCall.WAITING), (1, False, EventCall.NONE)]
        waiting = await site.service.waiting_events()
        assert [(one.seq, one.data) for one in waiting] == [(2, alert)]
        await site.service.forget_waiting(waiting)
        assert await site.service.waiting_events() == []
        assert (await shown())[1] == (2, False, EventCall.NO_DEVICE)

    on_site(tmp_path, body)


def test_while_the_database_is_away_the_hop_is_released_but_the_device_is_not_told(tmp_path):
    async def body(site):
        async def refuse(_fn):
            raise UnavailableError("The database is locked.")

        write, site.store.write = site.store.write, refuse
        site.hear("evt", seq=1)
        task = asyncio.create_task(site.service._write_events())
        while not site.link.acknowledged:
            await asyncio.sleep(0.01)
        assert site.link.last("evt/ack") is None

        site.store.write = write
        await task
        assert json.loads(site.link.last("evt/ack"))["ack"] == 1
        assert site.link.acknowledged == [1]
        assert site.told == [1]

    on_site(tmp_path, body)


def test_a_gap_is_not_given_up_while_nobody_can_be_heard_so_the_device_keeps_what_is_missing(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        for seq in [*range(1, 10), *range(11, 21)]:
            site.hear("evt", seq=seq)
        site.link_is(LinkState.DOWN)
        for _ in range(70):
            site.clock.advance(seconds=1)
            await site.service.tick()
        site.link_is(LinkState.CONNECTED)
        await site.service.tick()
        site.hear("birth", name="S1", boot="b")
        await site.service.tick()
        await site.service._write_some_events()
        assert json.loads(site.link.last("evt/ack"))["ack"] == 9

        site.clock.advance(seconds=1)
        for seq in range(10, 21):
            site.hear("evt", seq=seq)
        await site.service._write_some_events()
        assert [seq for _, seq in await site.stored()] == list(range(1, 21))
        assert (site.lost, site.service.losses().n_events) == ([], 0)

    on_site(tmp_path, body)


def test_a_gap_is_not_given_up_while_its_device_is_away(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("evt", seq=1)
        site.hear("evt", seq=3)
        site.hear("status", state="lost")
        for _ in range(70):
            site.clock.advance(seconds=1)
            await site.service.tick()
        site.hear("status", state="online")
        await site.service.tick()
        site.hear("evt", seq=2)
        await site.service._write_some_events()

        assert [seq for _, seq in await site.stored()] == [1, 2, 3]

    on_site(tmp_path, body)


def test_a_gap_is_not_given_up_while_its_device_says_nothing_and_counts_as_online(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("birth", name="S1", boot="b")
        site.hear("evt", seq=1)
        site.hear("evt", seq=3)
        for _ in range(80):
            site.clock.advance(seconds=1)
            await site.service.tick()
        assert site.state is DeviceState.ONLINE
        site.hear("evt", seq=2)
        await site.service._write_some_events()

        assert [seq for _, seq in await site.stored()] == [1, 2, 3]
        assert (site.lost, site.service.losses().n_events) == ([], 0)

    on_site(tmp_path, body)


def test_events_that_a_device_no_longer_has_are_counted_and_told(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("evt", seq=1)
        site.hear("evt", seq=5)
        for second in range(62):
            site.clock.advance(seconds=1)
            site.hear("state/flow", seq=second, data={"intensity": 4})
            await site.service.tick()

        ((device_id, n_events),) = [(lost.device_id, lost.n_events) for lost in site.lost]
        assert (device_id, n_events, site.service.losses().n_events) == ("station/s1", 3, 3)

    on_site(tmp_path, body)


def test_events_that_come_while_a_write_runs_and_all_is_let_go_are_not_taken_for_the_written_ones(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("core.field.service.MAX_EVENTS_WAITING", 20)
    other = ROOT.replace("s1", "s2")

    async def body(site):
        gate, write = asyncio.Event(), site.store.write

        async def slow(fn):
            await gate.wait()
            return await write(fn)

        site.store.write = slow
        for seq in range(1, 6):
            site.hear("evt", seq=seq)
        writing = asyncio.create_task(site.service._write_some_events())
        await asyncio.sleep(0)
        for seq in range(1, 22):
            site.hear("evt", seq=seq, root=other)
        for seq in range(1, 9):
            site.hear("evt", seq=seq, root=other)
        gate.set()
        await writing
        site.hear("evt", seq=6)
        site.hear("evt", seq=9, root=other)
        await site.service._write_some_events()

        stored = await site.stored()
        assert [seq for device_id, seq in stored if device_id == "station/s1"] == list(range(1, 7))
        assert [seq for device_id, seq in stored if device_id == "station/s2"] == list(range(1, 10))
        assert json.loads(site.link.last("s2/evt/ack"))["ack"] == 9

    on_site(tmp_path, body)


def test_a_device_that_begins_anew_while_its_old_events_are_written_is_not_told_that_the_new_ones_are(tmp_path):
    async def body(site):
        gate, write = asyncio.Event(), site.store.write

        async def slow(fn):
            await gate.wait()
            return await write(fn)

        site.store.write = slow
        for seq in range(1, 6):
            site.hear("evt", seq=seq, boot="old")
        writing = asyncio.create_task(site.service._write_some_events())
        await asyncio.sleep(0)
        site.clock.advance(seconds=60)
        site.hear("evt", seq=1, boot="new")
        gate.set()
        await writing
        assert site.link.last("evt/ack") is None
        await site.service._write_some_events()

        said = json.loads(site.link.last("evt/ack"))
        assert (said["ack"], said["boot"]) == (1, "new")

    on_site(tmp_path, body)


def refuse_rows(site, is_bad):
    """Let the database refuse readings for which `is_bad(values)`."""
    insert = rows.insert_readings

    def refuse(session, readings):
        if any(is_bad(reading.values) for reading in readings):
            raise DataError("INSERT", {}, ValueError("it does not fit"))
        insert(session, readings)

    site.monkeypatch.setattr("core.field.service.rows.insert_readings", refuse)


def test_a_reading_that_cannot_be_stored_takes_no_other_with_it_and_is_counted(tmp_path, monkeypatch):
    async def body(site):
        site.monkeypatch = monkeypatch
        refuse_rows(site, lambda values: values["intensity"] == 3)
        for value in range(1, 6):
            site.clock.advance(seconds=1)
            site.hear("state/flow", data={"intensity": value}, type="TrafficFlowObserved")
        await site.service.tick()

        assert [values["intensity"] for values in await site.readings()] == [1, 2, 4, 5]
        assert site.service.losses().n_readings == 1
        loaded, _ = await site.store.read(rows.load)
        assert [device.device_id for device, *_ in loaded] == ["station/s1"]

    on_site(tmp_path, body)


def test_readings_wait_for_a_database_that_is_away(tmp_path):
    async def body(site):
        async def refuse(_fn):
            raise UnavailableError("The database is locked.")

        write, site.store.write = site.store.write, refuse
        site.hear("state/flow", data={"intensity": 7}, type="TrafficFlowObserved")
        await site.service.tick()
        site.store.write = write
        site.clock.advance(seconds=1)
        await site.service.tick()

        assert [values["intensity"] for values in await site.readings()] == [7]
        assert site.service.losses().n_readings == 0

    on_site(tmp_path, body)


def test_an_event_that_cannot_be_stored_is_counted_and_told_and_the_others_are_stored(tmp_path, monkeypatch):
    insert = rows.insert_events

    def refuse(session, events):
        if any(event.seq == 2 for event in events):
            raise DataError("INSERT", {}, ValueError("it does not fit"))
        insert(session, events)

    monkeypatch.setattr("core.field.service.rows.insert_events", refuse)

    async def body(site):
        for seq in (1, 2, 3):
            site.hear("evt", seq=seq)
        await site.service._write_events()

        assert [seq for _, seq in await site.stored()] == [1, 3]
        assert [lost.n_events for lost in site.lost] == [1]
        assert sorted(site.link.acknowledged) == [1, 2, 3]

    on_site(tmp_path, body)


def test_a_repetition_is_answered_with_the_acknowledge_it_missed(tmp_path):
    async def body(site):
        site.hear("evt", seq=1)
        await site.service._write_some_events()
        site.link.sent.clear()
        site.hear("evt", seq=1)
        site.clock.advance(seconds=2)
        await site.service.tick()

        assert json.loads(site.link.last("evt/ack"))["ack"] == 1
        assert (site.service.n_events, site.service.n_duplicates) == (1, 1)

    on_site(tmp_path, body)


def test_an_event_without_a_number_is_counted_against_its_device(tmp_path):
    async def body(site):
        site.hear("status", state="online")
        site.hear("evt")

        assert "seq" in site.service.device("station/s1").last_error
        assert site.link.acknowledged == [2]

    on_site(tmp_path, body)


def test_readings_are_told_newest_first_and_a_silent_device_goes_stale(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        for value in (1, 2, 3):
            site.hear("state/flow", data={"intensity": value}, type="TrafficFlowObserved")
            site.clock.advance(seconds=0.01)
        assert site.told == [{"intensity": 1.0}]  # At once: it may be what an alarm waits for.
        await site.service.tick()
        assert site.told == [{"intensity": 1.0}, {"intensity": 3.0}]
        site.hear("state/flow", data={"intensity": 4}, type="TrafficFlowObserved")
        assert len(site.told) == 2  # Ten times a second at most.
        await site.service.tick()
        assert site.told[2:] == [{"intensity": 4.0}]
        assert site.state is DeviceState.ONLINE

        site.clock.advance(seconds=91)
        await site.service.tick()
        assert site.state is DeviceState.STALE

    on_site(tmp_path, body)


def test_what_was_known_is_unconfirmed_while_the_broker_does_not_answer_and_calls_nobody_silent(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("state/flow", type="TrafficFlowObserved")
        assert site.state is DeviceState.ONLINE
        for gone in (LinkState.STALE, LinkState.DOWN):
            site.link_is(gone)
            assert site.state is DeviceState.UNKNOWN
        site.clock.advance(seconds=3600)
        await site.service.tick()
        assert site.state is DeviceState.UNKNOWN

        site.link_is(LinkState.CONNECTED)
        await site.service.tick()
        assert site.state is DeviceState.UNKNOWN
        site.hear("state/flow", type="TrafficFlowObserved")
        assert site.state is DeviceState.ONLINE

    on_site(tmp_path, body)


def test_a_broker_that_comes_back_twice_in_a_short_time_has_the_devices_asked_twice_but_not_at_once(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        assert site.n_rebirths == 1
        site.clock.advance(seconds=5)
        site.link_is(LinkState.DOWN)
        site.link_is(LinkState.CONNECTED)
        await site.service.tick()
        assert site.n_rebirths == 1
        site.clock.advance(seconds=REBIRTH_AT_MOST_EVERY_S)
        await site.service.tick()
        await site.service.tick()
        assert site.n_rebirths == 2

    on_site(tmp_path, body)


def test_devices_that_come_are_told_the_time_together_and_not_too_often(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        for _ in range(20):
            site.hear("birth", name="S1", boot="b")
        for _ in range(int(TIME_AT_MOST_EVERY_S) - 1):
            await site.service.tick()
            site.hear("birth", name="S1", boot="b")
            site.clock.advance(seconds=1)
        assert site.link.n_times_told == 1

        site.clock.advance(seconds=1)
        await site.service.tick()
        assert site.link.n_times_told == 2
        site.clock.advance(seconds=TIME_AT_MOST_EVERY_S)
        await site.service.tick()
        assert site.link.n_times_told == 2

    on_site(tmp_path, body)


def test_a_removed_device_is_acknowledged_again_only_when_it_speaks(tmp_path):
    async def body(site):
        site.hear("evt", seq=1)
        await site.service._write_some_events()
        site.hear("evt", seq=2)
        site.link.sent.clear()
        site.service._forget_device(site.service._tracked("station/s1"))
        await site.service._write_some_events()
        assert site.link.last("evt/ack") is None

        site.hear("evt", seq=2)
        site.clock.advance(seconds=2)
        await site.service.tick()
        assert json.loads(site.link.last("evt/ack"))["ack"] == 2

    on_site(tmp_path, body)


def test_a_new_memory_whose_clock_is_behind_is_not_taken_for_a_repetition(tmp_path):
    async def body(site):
        for seq in range(1, 6):
            site.hear("evt", seq=seq, boot="old")
        await site.service._write_some_events()
        site.link.sent.clear()
        long_ago = format_at(site.clock.now() - timedelta(days=400))
        for _ in range(3):
            for seq in range(1, 4):
                site.hear("evt", seq=seq, boot="new", ts=long_ago)
            await site.service._write_some_events()
            site.clock.advance(seconds=2)
            await site.service.tick()

        assert [seq for _, seq in await site.stored()] == [1, 2, 3, 4, 5, 1, 2, 3]
        acks = [json.loads(payload) for topic, payload, _ in site.link.sent if topic.endswith("evt/ack")]
        assert all(ack["boot"] == "old" for ack in acks[:1])
        assert (acks[-1]["ack"], acks[-1]["boot"]) == (3, "new")

    on_site(tmp_path, body)


def test_what_a_restarted_device_sends_again_is_acknowledged_by_its_own_number(tmp_path):
    async def body(site):
        for seq, boot in ((1, "b1"), (2, "b1"), (3, "b2")):
            site.hear("evt", seq=seq, boot=boot)
        await site.service._write_some_events()
        site.link.sent.clear()
        site.hear("evt", seq=2, boot="b1")
        for _ in range(2):
            site.clock.advance(seconds=2)
            await site.service.tick()

        acks = [json.loads(payload) for topic, payload, _ in site.link.sent if topic.endswith("evt/ack")]
        assert [(ack["ack"], ack["boot"]) for ack in acks] == [(3, "b2"), (2, "b1")]
        assert [seq for _, seq in await site.stored()] == [1, 2, 3]

    on_site(tmp_path, body)


def test_a_database_that_hangs_holds_up_neither_commands_nor_what_is_seen_of_devices(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("state/flow", type="TrafficFlowObserved")
        command = await site.service.send_command(SYSTEM, "station/s1", "blink", ttl_s=30)
        write, hangs = site.store.write, asyncio.Event()

        async def hang(fn):
            await hangs.wait()
            return await write(fn)

        site.store.write = hang
        await site.service.start(site.link)
        site.hear("state/flow", type="TrafficFlowObserved")
        await asyncio.sleep(0)
        site.clock.advance(seconds=91)
        while site.state is not DeviceState.STALE or site.service.commands():
            await asyncio.sleep(0.01)
        (ended,) = await site.service.command_history("station/s1")
        assert (ended.command_id, ended.status) == (command.command_id, CommandStatus.TIMEOUT)
        hangs.set()

    on_site(tmp_path, body)


def test_a_closed_alarm_leaves_the_broker_after_ten_minutes(tmp_path):
    async def body(site):
        site.service.publish_alarm(AlarmPayload(alarm_id="01A", version=2, is_open=False))
        await site.service.tick()
        assert json.loads(site.link.last("_alarm/01A"))["version"] == 2

        site.clock.advance(seconds=CLOSED_ALARM_STAYS_S + 1)
        await site.service.tick()
        assert site.link.last("_alarm/01A") == b""

    on_site(tmp_path, body)


def test_an_older_state_of_an_alarm_takes_the_place_of_no_newer_one(tmp_path):
    async def body(site):
        site.service.publish_alarm(AlarmPayload(alarm_id="01A", version=3, is_open=False))
        site.service.publish_open_alarms([AlarmPayload(alarm_id="01A", version=2, is_open=True)])

        assert [json.loads(payload)["version"] for _, payload, _ in site.link.sent] == [3]
        site.clock.advance(seconds=CLOSED_ALARM_STAYS_S + 1)
        await site.service.tick()
        assert site.link.last("_alarm/01A") == b""

    on_site(tmp_path, body)


def test_what_our_own_cameras_say_is_said_again_to_a_new_broker_and_never_heard_as_a_device(tmp_path):
    topic = DeviceTopic(tenant="city", group=OWN_GROUP, device="cam-1", channel=Channel.STATUS)

    async def body(site):
        site.service.publish_own(topic, Status(state="online"))
        ((name, payload, is_retained),) = site.link.sent
        assert (name, is_retained) == ("camera/cam-1/status", True)

        site.service.on_messages(
            [Inbound(topic=build(topic), payload=payload, qos=1, is_retained=True, received_at=site.clock.now(), mid=7)]
        )
        assert site.service.devices() == ()
        assert site.link.acknowledged == [7]

        site.link.sent.clear()
        site.service.on_link_state(site.link.report())
        assert site.link.last("camera/cam-1/status") == payload

        site.service.publish_own(topic, None)
        assert site.link.last("camera/cam-1/status") == b""

    on_site(tmp_path, body)


def test_what_is_ours_and_was_not_taken_away_yet_is_taken_away_after_a_restart(tmp_path):
    topic = DeviceTopic(tenant="city", group=OWN_GROUP, device="cam-1", channel=Channel.STATUS)

    async def stop_before_the_broker_confirms(site):
        site.service.publish_own(topic, None)

    async def go_on(site):
        await site.service.tick()
        assert site.link.last("camera/cam-1/status") == b""
        site.service.publish_own(topic, Status(state="online"))

    async def it_stands_again(site):
        await site.service.tick()
        assert site.link.sent == []

    on_site(tmp_path, stop_before_the_broker_confirms)
    on_site(tmp_path, go_on)
    on_site(tmp_path, it_stands_again)


def test_what_came_late_is_marked_as_history(tmp_path):
    async def body(site):
        events = []
        site.bus.subscribe(FieldEventReceived, lambda event: events.append(event.event))
        site.hear("birth", boot="b")
        site.hear("evt", seq=1, boot="b", ts=site.ago(600))
        site.hear("evt", seq=2, boot="b")
        await site.service._write_some_events()

        assert [event.is_history for event in events] == [True, False]

    on_site(tmp_path, body)


def test_a_start_has_a_higher_epoch_than_the_one_before(tmp_path):
    async def run():
        epochs = []
        for _ in range(3):
            outbox = Outbox(tmp_path / "outbox.sqlite3")
            await outbox.open()
            epochs.append(outbox.epoch)
            await outbox.close()
        return epochs

    assert asyncio.run(run()) == [1, 2, 3]


def test_a_damaged_outbox_is_put_aside_and_the_room_opens(tmp_path):
    async def run():
        file = tmp_path / "outbox.sqlite3"
        file.write_bytes(b"this is no database" * 200)
        outbox = Outbox(file)
        assert await outbox.open() == []
        await outbox.close()
        assert file.with_suffix(".damaged").exists()

    asyncio.run(run())


def test_a_clock_that_is_set_back_begins_a_new_epoch_once_and_one_set_forward_none(tmp_path):
    async def body(site):
        await site.service.tick()
        for seconds in (3600.0, -0.5, 0.0):
            site.clock.step(seconds=seconds)
            site.clock.advance(seconds=10)
            await site.service.tick()
        assert site.link.epochs == []

        site.clock.step(seconds=-3600.0)
        for _ in range(3):
            site.clock.advance(seconds=1)
            await site.service.tick()
        assert site.link.epochs == [2]
        site.hear("evt", seq=1)
        await site.service._write_some_events()
        assert json.loads(site.link.last("evt/ack"))["epoch"] == 2

    on_site(tmp_path, body)


def test_a_command_right_after_the_clock_was_set_back_leaves_only_after_devices_heard_of_the_new_epoch(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("birth", name="S1", boot="b", commands=[{"name": "blink"}])
        await site.service.tick()
        n_known = []
        publish = site.link.publish

        def noting(topic, payload, **how):
            if topic.endswith("/cmd"):
                n_known.append(len(site.link.epochs))
            return publish(topic, payload, **how)

        site.link.publish = noting
        site.clock.step(seconds=-3600.0)
        await site.service.send_command(SYSTEM, "station/s1", "blink", ttl_s=30)
        site.service._turn()
        assert n_known == [], "by what the core's clock showed before, it would come too late"

        await site.service._write_what_is_due()
        assert n_known == [1]

    on_site(tmp_path, body)


ALERT = {"category": "fire", "severity": "critical"}


def hear_ahead(site):
    """Let a device tell its first event, then an alert without what was between them; returns what calls."""
    ahead = []
    site.bus.subscribe(EventCameAhead, lambda told: ahead.append((told.event.seq, told.event.is_ahead)))
    site.link_is(LinkState.CONNECTED)
    site.hear("evt", seq=1, boot="b")
    site.hear("evt", seq=7, boot="b", type="Alert", data=ALERT)
    site.hear("evt", seq=8, boot="b")
    return ahead


async def pass_time(site, seconds):
    for _ in range(round(seconds * 10)):
        site.clock.advance(seconds=0.1)
        site.service._turn()
    await site.service._write_what_waits()


def test_an_alert_behind_a_gap_calls_within_seconds_and_its_order_is_kept_for_all_else(tmp_path):
    async def body(site):
        ahead = hear_ahead(site)
        await pass_time(site, 0.8)
        assert (ahead, site.told) == ([], [1]), "what is missing may come at once"

        await pass_time(site, 0.4)
        assert ahead == [(7, True)]
        assert site.told == [1]
        assert [seq for _, seq in await site.stored()] == [1, 7], "what calls nobody waits"
        assert json.loads(site.link.last("evt/ack"))["ack"] == 1, "the device keeps what is out of its turn"
        (shown,) = [one for one in await site.service.events("station/s1") if one.seq == 7]
        assert (shown.is_ahead, shown.call) == (True, EventCall.WAITING)

        for seq in range(2, 7):
            site.hear("evt", seq=seq, boot="b")
        await pass_time(site, 3)
        assert ahead == [(7, True)], "once"
        assert site.told == [*range(1, 9)]
        assert sorted(seq for _, seq in await site.stored()) == [*range(1, 9)]
        assert json.loads(site.link.last("evt/ack"))["ack"] == 8

    on_site(tmp_path, body)


def test_an_alert_whose_gap_is_filled_at_once_is_called_for_in_its_turn_alone(tmp_path):
    async def body(site):
        ahead = hear_ahead(site)
        for seq in range(2, 7):
            site.hear("evt", seq=seq, boot="b")
        await pass_time(site, 3)

        assert (ahead, site.told) == ([], [*range(1, 9)])

    on_site(tmp_path, body)


def test_an_alert_behind_more_than_is_held_calls_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("core.field.sequence.MAX_HELD", 3)

    async def body(site):
        ahead = hear_ahead(site)
        for seq in range(9, 15):
            site.hear("evt", seq=seq, boot="b")
        site.hear("evt", seq=15, boot="b", type="Alert", data=ALERT)
        await pass_time(site, 2)

        assert ahead == [(7, True), (15, True)]

    on_site(tmp_path, body)


def test_an_alert_ahead_that_cannot_be_stored_just_now_calls_when_the_database_is_back(tmp_path):
    async def body(site):
        ahead = hear_ahead(site)
        await pass_time(site, 0.5)
        write = site.store.write

        async def away(_fn):
            raise UnavailableError("The database is away.")

        site.store.write = away
        await pass_time(site, 2)
        assert ahead == []

        site.store.write = write
        await pass_time(site, 0.1)
        assert ahead == [(7, True)]

    on_site(tmp_path, body)


def test_an_alert_without_a_number_calls_once_and_is_counted_as_what_the_grammar_refuses(tmp_path):
    async def body(site):
        ahead = []
        site.bus.subscribe(EventCameAhead, lambda told: ahead.append((told.event.data, told.event.is_unnumbered)))
        site.link_is(LinkState.CONNECTED)
        site.hear("evt", seq=1, boot="b")
        for _ in range(2):
            # Twice the same in every byte: its broker delivered it again.
            site.hear("evt", boot="b", id="help", type="Alert", data=ALERT)
        n_done_before = len(site.link.acknowledged)
        await pass_time(site, 1)
        (shown,) = [one for one in await site.service.events("station/s1") if one.is_unnumbered]
        n_done_after = len(site.link.acknowledged)
        site.clock.advance(seconds=5)
        site.hear("evt", boot="b", id="help", type="Alert", data=ALERT)
        site.hear("evt", seq=2, boot="b")
        await pass_time(site, 1)

        assert {is_unnumbered for _, is_unnumbered in ahead} == {True}
        assert (shown.call, shown.title) == (EventCall.WAITING, "Fire")
        assert (n_done_before, n_done_after) == (0, 3), "the broker keeps what is not stored yet"
        assert site.told == [1, 2], "those with a number go on as if it were not there"
        assert sorted(seq for _, seq in await site.stored()) == [-1, -1, 1, 2]
        assert json.loads(site.link.last("evt/ack"))["ack"] == 2
        (bad,) = site.service.bad_sources()
        assert (bad.source, bad.n_messages) == ("station/s1", 3)
        assert "without the field 'seq'" in bad.last_error

    on_site(tmp_path, body)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "Counted"},
        {"type": "Alert", "data": {"category": "fire", "severity": "informational"}},
        {"type": "Alert", "data": ALERT, "hist": True, "age_s": 120},
    ],
    ids=["no alert", "for information", "late"],
)
def test_what_has_no_number_and_calls_nobody_is_only_counted(tmp_path, fields):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        age_s = fields.pop("age_s", 0)
        site.hear("evt", boot="b", ts=site.ago(age_s), **fields)
        await pass_time(site, 1)

        assert await site.stored() == []
        assert site.service.bad_sources()[0].last_error == "An event needs the field 'seq'."

    on_site(tmp_path, body)


@pytest.mark.parametrize("ts", [None, "1970-01-01T00:00:12Z", "noon", 12.5, "2026-01-01T12:00:00"])
def test_an_alert_without_a_time_that_can_be_used_calls_with_that_of_its_arrival(tmp_path, ts):
    async def body(site):
        called = []
        site.bus.subscribe(FieldEventReceived, lambda told: called.append(told.event))
        site.link_is(LinkState.CONNECTED)
        site.hear("evt", seq=1, boot="b")
        await pass_time(site, 60)
        arrived_at = site.clock.now()
        for _ in range(2):
            # Its outbox sends it again.
            site.hear("evt", seq=2, boot="b", ts=ts, type="Alert", data=ALERT)
        await pass_time(site, 1)

        _, alert = called
        assert (alert.seq, alert.at, alert.is_at_arrival, calls_operator(alert)) == (2, arrived_at, True, True)
        assert json.loads(site.link.last("evt/ack"))["ack"] == 2
        assert "calls, with the time at which it arrived" in site.service.bad_sources()[0].last_error

    on_site(tmp_path, body)


def test_what_has_neither_time_nor_number_calls_each_time_it_comes(tmp_path):
    async def body(site):
        ahead = []
        site.bus.subscribe(EventCameAhead, lambda told: ahead.append(told.event.is_at_arrival))
        site.link_is(LinkState.CONNECTED)
        for _ in range(2):
            site.hear("evt", ts=None, type="Alert", data=ALERT)
            await pass_time(site, 60)

        assert ahead == [True, True]

    on_site(tmp_path, body)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"is_retained": True}, "the broker kept it: nobody knows for how long, so it calls nobody"),
        ({"hist": True}, "An event needs the field 'ts'."),
        ({"data": {"category": "fire", "severity": "informational"}}, "An event needs the field 'ts'."),
        ({"type": "Counted"}, "An event needs the field 'ts'."),
        ({"seq": -4}, "'ts'"),
    ],
    ids=["retained", "history", "for information", "no alert", "more is wrong"],
)
def test_what_has_no_time_and_may_be_old_or_calls_nobody_is_only_counted(tmp_path, fields, sentence):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        site.hear("evt", **{"ts": None, "seq": 1, "boot": "b", "type": "Alert", "data": ALERT} | fields)
        await pass_time(site, 1)

        assert await site.stored() == []
        assert sentence in site.service.bad_sources()[0].last_error

    on_site(tmp_path, body)


def test_an_alert_without_a_number_waits_for_a_database_that_is_away(tmp_path):
    async def body(site):
        ahead = []
        site.bus.subscribe(EventCameAhead, lambda told: ahead.append(told.event.data))
        site.link_is(LinkState.CONNECTED)
        write = site.store.write

        async def away(_fn):
            raise UnavailableError("The database is away.")

        site.store.write = away
        site.hear("evt", type="Alert", data=ALERT)
        await pass_time(site, 2)
        assert ahead == []

        site.store.write = write
        await pass_time(site, 0.1)
        assert ahead == [ALERT]

    on_site(tmp_path, body)


def prune_events(session):
    session.execute(delete(FieldEventRow))


async def begin_to_count_anew(site, **fields):
    """Let a device that tells no start count to five, lose its memory, and call with its first number."""
    site.link_is(LinkState.CONNECTED)
    for seq in range(1, 6):
        site.hear("evt", seq=seq, id=f"old-{seq}")
    await pass_time(site, 1)
    site.clock.advance(seconds=60)
    site.hear("evt", seq=1, type="Alert", data=ALERT, **fields)
    site.hear("evt", seq=2, **fields)
    await site.service.tick()
    await pass_time(site, 2)


@pytest.mark.parametrize("fields", [{}, {"id": "new"}], ids=["by its time", "by its name"])
def test_a_device_that_tells_no_start_and_counts_anew_is_heard_and_calls(tmp_path, fields):
    async def body(site):
        await begin_to_count_anew(site, **fields)
        site.hear("evt", seq=3)
        await pass_time(site, 1)

        assert site.told == [1, 2, 3, 4, 5, 1, 2, 3]
        assert [seq for _, seq in await site.stored()] == [1, 2, 3, 4, 5, 1, 2, 3]
        ack = json.loads(site.link.last("evt/ack"))
        assert (ack["ack"], ack["boot"]) == (3, "")
        assert sum(one.call is EventCall.WAITING for one in await site.service.events("station/s1")) == 1

    on_site(tmp_path, body)


def test_what_such_a_device_sends_again_is_the_same_event_also_after_a_start_of_the_node(tmp_path):
    async def body(site):
        await begin_to_count_anew(site)
        first = site.service
        site.service = FieldService(
            store=site.store,
            bus=site.bus,
            clock=site.clock,
            outbox=Outbox(tmp_path / "other.sqlite3"),
            settings=BrokerSettings(host="localhost"),
        )
        await site.service.prepare()
        site.service._link = site.link
        site.link_is(LinkState.CONNECTED)
        for seq in (1, 2):
            site.hear("evt", seq=seq, ts=site.ago(2))
        site.hear("evt", seq=3)
        await pass_time(site, 1)
        await site.service.tick()
        await site.service.stop()
        site.service = first

        assert [seq for _, seq in await site.stored()] == [1, 2, 3, 4, 5, 1, 2, 3]

    on_site(tmp_path, body)


async def remove_and_put_back_after_a_restart(site, tmp_path):
    """Remove the station, start another service over the same database, and put the station back in that one."""
    (device,) = site.service.devices()
    (outcome,) = await site.service.remove_devices(
        SYSTEM, [DeviceAt(device_id=device.device_id, version=device.version)]
    )
    assert not outcome.reason
    first, site.service = (
        site.service,
        FieldService(
            store=site.store,
            bus=site.bus,
            clock=site.clock,
            outbox=Outbox(tmp_path / "other.sqlite3"),
            settings=BrokerSettings(host="localhost"),
        ),
    )
    await first.stop()
    await site.service.prepare()
    site.service._link = site.link
    site.link_is(LinkState.CONNECTED)
    (removed,) = await site.service.removed_devices()
    (outcome,) = await site.service.restore_devices(SYSTEM, [removed.removal_id])
    assert not outcome.reason
    site.told.clear()


def test_such_a_device_that_is_removed_and_put_back_goes_on_in_the_start_that_was_made_up_for_it(tmp_path):
    async def body(site):
        await begin_to_count_anew(site)
        await remove_and_put_back_after_a_restart(site, tmp_path)
        site.hear("evt", seq=3, type="Alert", data=ALERT)
        await pass_time(site, 1)

        assert site.told == [3]
        assert [seq for _, seq in await site.stored()] == [1, 2, 3, 4, 5, 1, 2, 3]

    on_site(tmp_path, body)


def test_a_device_that_was_put_back_and_lost_its_memory_meanwhile_is_heard_from_its_first_event_on(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        for seq in range(1, 6):
            site.hear("evt", seq=seq, boot="before")
        await pass_time(site, 1)
        await remove_and_put_back_after_a_restart(site, tmp_path)
        site.clock.advance(seconds=60)
        site.hear("evt", seq=1, boot="after", type="Alert", data=ALERT)
        await pass_time(site, 1)

        assert site.told == [1]

    on_site(tmp_path, body)


def test_such_a_device_whose_old_events_are_pruned_counts_anew_once_and_loses_nothing(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        for seq in range(1, 6):
            site.hear("evt", seq=seq)
        await pass_time(site, 1)
        await site.store.write(prune_events)
        site.clock.advance(seconds=60)
        for seq in range(1, 6):
            site.hear("evt", seq=seq)
        for _ in range(3):
            await pass_time(site, 1)
            await site.service.tick()
        site.hear("evt", seq=6)
        await pass_time(site, 1)

        assert site.told == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6]
        assert site.service.losses().n_events == 0

    on_site(tmp_path, body)


def test_such_a_device_that_counts_past_its_old_number_at_once_is_heard_in_order_and_not_told_before(tmp_path):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        for seq in range(1, 6):
            site.hear("evt", seq=seq, id=f"old-{seq}")
        await pass_time(site, 1)
        site.clock.advance(seconds=60)
        for seq in range(1, 9):
            site.hear("evt", seq=seq, id=f"new-{seq}")
        await pass_time(site, 2)
        acked = json.loads(site.link.last("evt/ack"))["ack"]
        await site.service.tick()
        await pass_time(site, 2)

        assert acked == 5
        assert site.told == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6, 7, 8]
        assert site.service.losses().n_events == 0
        assert json.loads(site.link.last("evt/ack"))["ack"] == 8

    on_site(tmp_path, body)


@pytest.mark.parametrize("ahead_s", [2, 10, 3600])
def test_an_event_that_is_sent_again_with_a_clock_ahead_of_ours_is_none_of_a_new_memory(tmp_path, ahead_s):
    async def body(site):
        site.link_is(LinkState.CONNECTED)
        at = format_at(site.clock.now() + timedelta(seconds=ahead_s))
        for _ in range(3):
            site.hear("evt", seq=1, ts=at)
            await pass_time(site, 3)
            await site.service.tick()

        assert [seq for _, seq in await site.stored()] == [1]

    on_site(tmp_path, body)


def test_while_nobody_knows_a_slow_clock_its_events_are_new_and_uncertain_and_teach_it(tmp_path):
    async def body(site):
        for seq in range(1, 5):
            if seq == 1:
                site.hear("birth", boot="b", ts=site.ago(3600))
                site.hear("status", state="online", boot="b", ts=site.ago(3600))
            site.hear("evt", seq=seq, boot="b", ts=site.ago(3600))
            site.clock.advance(seconds=2)
        assert site.service.device("station/s1").skew_s == -3600.0
        site.hear("evt", seq=5, boot="b", ts=site.ago(3600 + 60))

        assert await site.heard_events() == [*((seq, "uncertain") for seq in range(1, 5)), (5, "late")]

    on_site(tmp_path, body)


def test_a_device_that_never_introduced_itself_calls_and_is_uncertain_while_its_clock_is_not_known(tmp_path):
    async def body(site):
        site.hear("evt", seq=1, ts=site.ago(3600))

        assert await site.heard_events() == [(1, "uncertain")]

    on_site(tmp_path, body)


def test_what_waited_in_an_outbox_is_late_also_while_nobody_knows_the_clock(tmp_path):
    async def body(site):
        site.hear("birth", boot="b2", ts=site.ago(3600))
        site.hear("evt", seq=1, boot="b2", ts=site.ago(3600 + 600))
        site.hear("evt", seq=2, boot="b2", ts=site.ago(3600), hist=True)
        site.hear("evt", seq=3, boot="b1", ts=site.ago(7200))

        assert await site.heard_events() == [(1, "late"), (2, "late"), (3, "late")]
        assert site.service.device("station/s1").skew_s is None

    on_site(tmp_path, body)


def test_a_clock_that_is_known_stays_so_over_a_restart_of_the_node(tmp_path):
    async def learn(site):
        for _ in range(3):
            site.hear("status", state="online", boot="b", ts=site.ago(3600))
            site.clock.advance(seconds=2)
        await site.service.tick()

    async def use(site):
        device = site.service.device("station/s1")
        assert (device.skew_s, device.last_error) == (-3600.0, "Its clock is 3,600 s slow.")
        site.hear("evt", seq=1, boot="b", ts=site.ago(3600))
        site.hear("evt", seq=2, boot="b", ts=site.ago(3600 + 60))
        assert await site.heard_events() == [(1, "uncertain"), (2, "late")]

    on_site(tmp_path, learn)
    on_site(tmp_path, use)


def test_after_another_start_of_a_device_its_clock_is_only_a_guess_also_for_the_next_node(tmp_path):
    async def learn(site):
        for _ in range(3):
            site.hear("birth", boot="b1")
            site.clock.advance(seconds=2)
        # Without a battery, its clock begins an hour ago.
        site.hear("birth", boot="b2", ts=site.ago(3600))
        site.hear("evt", seq=1, boot="b2", ts=site.ago(3600))
        site.hear("evt", seq=2, boot="b1", ts=site.ago(60))
        assert await site.heard_events() == [(1, "uncertain"), (2, "late")]
        await site.service.tick()

    async def go_on(site):
        site.hear("evt", seq=3, boot="b2", ts=site.ago(3600))
        assert (await site.heard_events())[-1] == (3, "uncertain")

    on_site(tmp_path, learn)
    on_site(tmp_path, go_on)


def test_who_writes_meanwhile_does_not_wait_for_all_devices(tmp_path):
    async def body(site):
        n_devices = 4 * DEVICES_PER_WRITE
        for number in range(n_devices):
            site.hear("status", root=f"watchfloor/v1/city/station/s{number}", state="online")
        saving = asyncio.create_task(site.service.tick())
        await asyncio.sleep(0)

        assert await site.store.write(count_devices) <= 2 * DEVICES_PER_WRITE

        await saving
        assert await site.store.read(count_devices) == n_devices

    on_site(tmp_path, body)


def test_devices_that_the_database_cannot_take_wait_for_the_next_time(tmp_path):
    async def body(site):
        n_devices = 3 * DEVICES_PER_WRITE
        for number in range(n_devices):
            site.hear("status", root=f"watchfloor/v1/city/station/s{number}", state="online")
        saving = asyncio.create_task(site.service.tick())
        await asyncio.sleep(0)
        await site.store.write(count_devices)
        saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saving
        assert await site.store.read(count_devices) < n_devices

        await site.service.tick()

        assert await site.store.read(count_devices) == n_devices

    on_site(tmp_path, body)


def test_a_start_writes_no_device_that_says_nothing_new_and_a_minute_those_that_were_heard(tmp_path):
    seen = []

    async def first(site):
        for number in range(2):
            site.hear("status", root=f"watchfloor/v1/city/station/s{number}", state="online")
        await site.service.tick()

    async def second(site):
        await site.store.write(lambda session: session.execute(update(DeviceRow).values(kind="touched")))
        site.clock.advance(seconds=1)
        await site.service.tick()
        seen.append(await site.store.read(kinds_of_devices))
        site.hear("tele/flow", root="watchfloor/v1/city/station/s1")
        site.clock.advance(seconds=KEEP_SEEN_EVERY_S)
        await site.service.tick()
        seen.append(await site.store.read(kinds_of_devices))

    on_site(tmp_path, first)
    on_site(tmp_path, second)
    assert seen == [["touched", "touched"], ["touched", "station"]]


def count_devices(session):
    return session.scalar(select(func.count()).select_from(DeviceRow))


def kinds_of_devices(session):
    return list(session.scalars(select(DeviceRow.kind).order_by(DeviceRow.device_id)))
