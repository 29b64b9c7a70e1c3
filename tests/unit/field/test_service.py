import asyncio
import json
from datetime import timedelta

from core.field.inbox import Inbound
from core.field.model import DeviceState, LinkReport, LinkState
from core.field.outbox import Outbox
from core.field.payloads import Status
from core.field.service import (
    CLOSED_ALARM_STAYS_S,
    REBIRTH_AT_MOST_EVERY_S,
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

ROOT = "watchfloor/v1/city/station/s1"


class RecordingLink:
    """Stands for the broker: remembers what it was told to send and to acknowledge."""

    def __init__(self):
        self.sent = []
        self.acknowledged = []

    def start(self):
        pass

    def stop(self):
        return True

    def watch(self):
        pass

    def publish(self, topic, payload, *, qos=0, is_retained=False, expiry_s=None, on_done=None):
        self.sent.append((topic.removeprefix("watchfloor/v1/city/"), payload, is_retained))
        return True

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
        self.mid = 0

    def hear(self, tail, **fields):
        self.mid += 1
        is_event = tail == "evt"
        body = json.dumps({"ts": format_at(self.clock.now()), "data": {"intensity": 1}, **fields}).encode()
        self.service.on_messages(
            [
                Inbound(
                    topic=f"{ROOT}/{tail}",
                    payload=body,
                    qos=1,
                    is_retained=False,
                    received_at=self.clock.now(),
                    mid=self.mid if is_event else None,
                )
            ]
        )

    def link_is(self, state):
        self.service.on_link_state(LinkReport(state=state, address="here"))

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
        assert json.loads(site.link.last("evt/ack")) == {"ack": 2, "host": "core", "epoch": 1}

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


def test_a_closed_alarm_leaves_the_broker_after_ten_minutes(tmp_path):
    async def body(site):
        site.service.publish_alarm({"alarm_id": "01A", "version": 2, "is_open": False})
        await site.service.tick()
        assert json.loads(site.link.last("_alarm/01A"))["version"] == 2

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
        site.hear("evt", seq=1, ts=format_at(site.clock.now() - timedelta(minutes=10)))
        site.hear("evt", seq=2)
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
