"""The demo's devices speak the grammar, and lose nothing that must not be lost."""

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections import defaultdict
from dataclasses import replace

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from core.field.broker import BrokerProgram, EmbeddedBroker
from core.field.kinds import kind_for
from core.field.payloads import Birth, Envelope, Status, read
from core.field.topics import Channel, DeviceTopic, HostTopic, parse
from core.kernel.clock import SystemClock
from core.kernel.errors import BadInputError
from core.kernel.ids import new_id
from core.sim.city import load_city
from core.sim.devices import DeviceFleet
from core.sim.flow import QUIET, Scenario
from tests.fixtures.mosquitto import mosquitto, start_mosquitto  # noqa: F401
from tests.fixtures.processes import wait_until

CITY = load_city()
SMALL = replace(CITY, stations=CITY.stations[:2])
ROOT = "watchfloor/v1/city"


class Core:
    """A stand-in for the node: hears everything, acknowledges when told to."""

    def __init__(self, broker):
        self.heard = defaultdict(list)
        self.acknowledges = True
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_rest: client.subscribe(f"{ROOT}/#", 1)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def _on_message(self, _client, _userdata, message):
        self.heard[message.topic.removeprefix(f"{ROOT}/")].append(message.payload)
        if message.topic.endswith("/evt") and self.acknowledges:
            self._acknowledge(message.topic)

    def _acknowledge(self, topic):
        heard = {json.loads(body)["seq"] for body in self.heard[topic.removeprefix(f"{ROOT}/")]}
        complete = next(seq for seq in itertools.count() if seq + 1 not in heard)
        self.publish(f"{topic}/ack", {"ack": complete, "host": "core", "epoch": 1}, retain=True)

    def publish(self, topic, data, *, retain=False):
        self._client.publish(topic, json.dumps(data), qos=1, retain=retain)

    def command(self, device_id, name, *, args=None, command_id="", lives_s=30.0):
        command_id = command_id or new_id()
        exp = int((time.time() + lives_s) * 1000)
        body = {"id": command_id, "name": name, "args": args or {}, "exp": exp, "user": "dana", "desk": "1", "ver": 1}
        self.publish(f"{ROOT}/{device_id}/cmd", body)
        return command_id

    def results(self, device_id):
        return [json.loads(body) for body in self.heard[f"{device_id}/cmd/res"]]

    def seqs(self, device_id="parking/lot-west"):
        return [json.loads(body)["seq"] for body in self.heard[f"{device_id}/evt"]]

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def core(mosquitto):  # noqa: F811
    listener = Core(mosquitto)
    yield listener
    listener.close()


@pytest.fixture
def start_fleet(mosquitto):  # noqa: F811
    fleets = []

    def start(city=SMALL, *, port=0, **options):
        settings = {"scenario": QUIET, "period_s": 0.2, "rebirth_within_s": 0.2} | options
        fleet = DeviceFleet(city, host="127.0.0.1", port=port or mosquitto.port, **settings)
        fleets.append(fleet)
        asyncio.run(fleet.start())
        return fleet

    yield start
    for fleet in fleets:
        asyncio.run(fleet.stop())


def connected(fleet):
    wait_until(lambda: fleet.n_connected == len(fleet.keys), what="every device to be connected")
    return fleet


class FastClock(SystemClock):
    """Twenty seconds of a lot's life in one of ours."""

    def __init__(self):
        self._began_s = time.monotonic()

    def monotonic(self):
        return self._began_s + (time.monotonic() - self._began_s) * 20


def test_all_thirteen_devices_introduce_themselves_and_say_goodbye(start_fleet, core):
    fleet = connected(start_fleet(CITY))
    wait_until(lambda: sum(topic.endswith("/birth") for topic in core.heard) == 13, what="13 births")

    asyncio.run(fleet.stop())

    def goodbyes():
        return [s for topic, bodies in list(core.heard.items()) if topic.endswith("/status") for s in bodies[1:]]

    wait_until(lambda: len(goodbyes()) == 13, what="13 goodbyes")
    assert {read(body, Status).state for body in goodbyes()} == {"offline"}
    assert {body.state for body in (read(core.heard[f"traffic/{s.key}/status"][0], Status) for s in CITY.stations)} == {
        "online"
    }


def test_every_message_fits_the_grammar_and_the_declared_kind(start_fleet, core):
    connected(start_fleet(clock=FastClock(), speed=30.0))
    wait_until(lambda: len(core.seqs()) >= 3 and core.heard["traffic/station-02/state/flow"], what="all messages")

    for suffix, bodies in list(core.heard.items()):
        topic = parse(f"{ROOT}/{suffix}")
        if isinstance(topic, HostTopic):
            continue
        assert isinstance(topic, DeviceTopic)
        for body in bodies:
            match topic.channel:
                case Channel.BIRTH:
                    birth = read(body, Birth)
                    assert kind_for("", [s.type for s in birth.streams]).key in ("station", "lot")
                    assert birth.location is not None
                case Channel.STATE | Channel.EVT:
                    envelope = read(body, Envelope)
                    kind = kind_for(topic.group)
                    assert kind.read(envelope.type, envelope.data)
                    assert envelope.boot
                    assert envelope.seq is not None


def test_a_station_measures_again_and_again_with_rising_numbers(start_fleet, core):
    connected(start_fleet())
    flows = core.heard["traffic/station-01/state/flow"]
    wait_until(lambda: len(flows) >= 4, what="four measurements")

    seqs = [json.loads(body)["seq"] for body in flows]
    assert seqs == sorted(set(seqs))
    assert {json.loads(body)["boot"] for body in flows} == {read(core.heard["traffic/station-01/birth"][0], Birth).boot}


def test_a_jammed_station_reports_it(start_fleet, core):
    scenario = Scenario(jam_stations=("station-01",), jam_begins_s=0.0, jam_builds_s=0.1, silent_station="")
    connected(start_fleet(scenario=scenario))

    def speeds(key):
        return [json.loads(b)["data"]["averageVehicleSpeed"] for b in core.heard[f"traffic/{key}/state/flow"]]

    wait_until(lambda: len(speeds("station-01")) >= 4 and len(speeds("station-02")) >= 2, what="measurements")
    assert max(speeds("station-01")[1:]) < 15
    assert min(speeds("station-02")) > 40


def test_a_silent_station_stays_connected_and_comes_back(start_fleet, core):
    fleet = connected(start_fleet())
    other, silent = core.heard["traffic/station-02/state/flow"], core.heard["traffic/station-01/state/flow"]
    fleet.silence("station-01")
    wait_until(lambda: len(other) >= 2, what="the other station")
    n_before, n_other = len(silent), len(other)
    wait_until(lambda: len(other) >= n_other + 4, what="the other station to go on")

    assert len(silent) <= n_before + 1
    assert fleet.n_connected == 3
    n_before = len(silent)
    fleet.speak("station-01")
    wait_until(lambda: len(silent) >= n_before + 2, what="the station to speak again")


def test_an_unplugged_device_is_reported_lost_by_the_broker_and_comes_back(start_fleet, core):
    fleet = start_fleet()
    # MQTT 5 lets a will wait for ten seconds; the older version publishes it at once.
    fleet.dialect.protocol = MQTTProtocolVersion.MQTTv311
    asyncio.run(fleet.stop())
    asyncio.run(fleet.start())
    connected(fleet)
    states = core.heard["traffic/station-01/status"]
    wait_until(lambda: states and read(states[-1], Status).state == "online", what="the station to be online")
    boot = read(states[-1], Status).boot

    fleet.unplug("station-01")
    wait_until(lambda: read(states[-1], Status).state == "lost", what="the last will")

    assert read(states[-1], Status).boot == boot
    fleet.plug("station-01")
    wait_until(lambda: read(states[-1], Status).state == "online", what="the station to be back")


def test_events_survive_a_dead_broker_and_none_is_missing(start_fleet, core, mosquitto):  # noqa: F811
    fleet = connected(start_fleet(clock=FastClock(), speed=30.0))
    wait_until(lambda: len(core.seqs()) >= 2, what="two events")

    mosquitto.kill()
    wait_until(lambda: fleet.n_connected == 0, what="the devices to notice")
    mosquitto.start()
    before = max(core.seqs())

    wait_until(lambda: max(core.seqs()) >= before + 3, timeout_s=30, what="events after the outage")

    def is_complete():
        return set(core.seqs()) == set(range(1, max(core.seqs()) + 1))

    wait_until(is_complete, timeout_s=15, what="every event, also those of the outage")
    fleet.silence("lot-west")
    wait_until(lambda: fleet.n_waiting("lot-west") == 0, timeout_s=15, what="every event to be acknowledged")


def test_an_event_is_sent_again_until_it_is_acknowledged(start_fleet, core):
    core.acknowledges = False
    fleet = connected(start_fleet(clock=FastClock(), speed=30.0))
    wait_until(lambda: core.seqs().count(1) >= 2, what="the first event to be sent again")

    assert fleet.n_waiting("lot-west") >= 1


def test_events_are_held_while_the_core_says_it_is_away(start_fleet, core):
    state = f"{ROOT}/_host/core/state"
    core.publish(state, {"online": False, "timestamp": 0, "epoch": 1}, retain=True)
    wait_until(lambda: core.heard["_host/core/state"], what="the state of the core")
    fleet = connected(start_fleet(clock=FastClock(), speed=30.0))
    wait_until(lambda: fleet.n_waiting("lot-west") >= 2, what="two events in the outbox")
    assert core.seqs() == []

    core.publish(state, {"online": True, "timestamp": 0, "epoch": 2}, retain=True)

    wait_until(lambda: len(core.seqs()) >= 2, what="the events")


def test_a_rebirth_is_answered_by_every_device(start_fleet, core):
    connected(start_fleet())
    births = [core.heard[f"{key}/birth"] for key in ("traffic/station-01", "traffic/station-02", "parking/lot-west")]
    wait_until(lambda: all(len(each) == 1 for each in births), what="the first births")

    core.publish(f"{ROOT}/_host/core/rebirth", {})

    wait_until(lambda: all(len(each) == 2 for each in births), what="the second births")


def test_a_command_is_executed_once_however_often_it_comes(start_fleet, core):
    connected(start_fleet())
    command_id = core.command("traffic/station-01", "set-period", args={"period_s": 5})
    wait_until(lambda: len(core.results("traffic/station-01")) == 1, what="the first answer")
    n_births = len(core.heard["traffic/station-01/birth"])

    core.command("traffic/station-01", "set-period", args={"period_s": 5}, command_id=command_id)
    wait_until(lambda: len(core.results("traffic/station-01")) == 2, what="the second answer")

    assert {result["status"] for result in core.results("traffic/station-01")} == {"done"}
    wait_until(lambda: len(core.heard["traffic/station-01/birth"]) == 2, what="the new birth")
    assert n_births in (1, 2)
    assert read(core.heard["traffic/station-01/birth"][-1], Birth).streams[0].period == 5


@pytest.mark.parametrize(
    ("name", "args", "lives_s", "status"),
    [
        ("fly", {}, 30.0, "rejected"),
        ("set-period", {"period_s": "often"}, 30.0, "rejected"),
        ("set-period", {"period_s": 0}, 30.0, "rejected"),
        ("identify", {}, -1.0, "expired"),
        ("identify", {}, 30.0, "done"),
    ],
)
def test_a_command_gets_the_answer_it_deserves(start_fleet, core, name, args, lives_s, status):
    connected(start_fleet())
    command_id = core.command("traffic/station-02", name, args=args, lives_s=lives_s)

    wait_until(lambda: core.results("traffic/station-02"), what="the answer")
    assert [(r["id"], r["status"]) for r in core.results("traffic/station-02")] == [(command_id, status)]


def test_a_restart_by_command_changes_the_boot_and_happens_once(start_fleet, core):
    connected(start_fleet())
    births = core.heard["traffic/station-01/birth"]
    wait_until(lambda: births, what="the first birth")
    command_id = core.command("traffic/station-01", "restart")
    wait_until(lambda: len(births) == 2, what="the second birth")

    core.command("traffic/station-01", "restart", command_id=command_id)
    wait_until(lambda: len(core.results("traffic/station-01")) == 2, what="the repeated answer")

    assert read(births[0], Birth).boot != read(births[1], Birth).boot
    assert len(births) == 2


def test_nonsense_from_the_broker_disturbs_nobody(start_fleet, core):
    fleet = connected(start_fleet())
    for suffix in ("cmd", "evt/ack"):
        for body in ([], {"id": 5}, {"ack": -1}, "text", None):
            core.publish(f"{ROOT}/parking/lot-west/{suffix}", body)
    core.publish(f"{ROOT}/_host/core/state", "online")
    flows = core.heard["traffic/station-01/state/flow"]
    n_before = len(flows)

    wait_until(lambda: len(flows) > n_before + 3, what="measurements to go on")
    assert fleet.n_connected == 3


def test_a_device_can_be_made_to_send_nonsense(start_fleet, core):
    fleet = connected(start_fleet())
    fleet.send_raw("station-01", Channel.STATE, b"{", stream="flow")

    wait_until(lambda: b"{" in core.heard["traffic/station-01/state/flow"], what="the nonsense")
    with pytest.raises(BadInputError, match="no device 'station-99'"):
        fleet.silence("station-99")


def test_stopping_does_not_wait_for_a_frozen_broker(start_fleet, mosquitto):  # noqa: F811
    fleet = connected(start_fleet())
    mosquitto.pause()
    began = time.monotonic()

    asyncio.run(fleet.stop())

    assert time.monotonic() - began < 5
    assert not any(thread.name == "field-devices" for thread in threading.enumerate())


def test_two_fleets_of_one_seed_measure_the_same(start_fleet, core):
    first = connected(start_fleet(seed=5, period_s=0.4))
    flows = core.heard["traffic/station-02/state/flow"]
    wait_until(lambda: len(flows) >= 4, what="four measurements")
    asyncio.run(first.stop())
    core.heard.clear()
    connected(start_fleet(seed=5, period_s=0.4))
    again = core.heard["traffic/station-02/state/flow"]
    wait_until(lambda: len(again) >= 6, what="as many from the second fleet")

    figures = [json.loads(body)["data"] for body in flows]
    repeated = [json.loads(body)["data"] for body in again]
    assert [each for each in figures if each in repeated] == figures


@pytest.mark.slow
def test_devices_speak_the_older_version_to_the_broker_written_in_python(tmp_path):
    async def run():
        broker = EmbeddedBroker(tmp_path / "broker", program=BrokerProgram.PYTHON)
        address = await broker.start()
        fleet = DeviceFleet(
            SMALL, host=address.host, port=address.port, username="field", password=address.passwords["field"]
        )
        await fleet.start()
        try:
            deadline = time.monotonic() + 20
            while fleet.n_connected < 3 and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            return fleet.n_connected, fleet.protocol
        finally:
            await fleet.stop()
            with contextlib.suppress(TimeoutError):
                await broker.stop()

    assert asyncio.run(run()) == (3, MQTTProtocolVersion.MQTTv311)
