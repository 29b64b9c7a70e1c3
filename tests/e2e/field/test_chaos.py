"""What networks do to a device, a broker and a node: afterwards everything is there, once and in order."""

import asyncio
import time

import pytest

from core.access.model import SYSTEM
from core.field.client.device import Access, DeviceInfo, FieldDevice
from core.field.client.runner import FieldRunner
from core.field.model import CommandStatus, DeviceState, LinkState
from core.field.payloads import CommandResult, StreamInfo
from core.field.service import LinkChanged
from core.field.settings import BrokerSettings
from tests.e2e.field.rig import Node, settings_for, until
from tests.e2e.field.test_client import status_of
from tests.fixtures.tcp_proxy import Way

pytestmark = pytest.mark.timeout(240)

PER_S = 50
DEVICE_ID = "traffic/post-1"
MAX_IN_AIR = 200


class Counter(FieldDevice):
    """Reports a count fifty times a second, and its state once."""

    def __init__(self, port, memory_file, *, device="post-1"):
        super().__init__(
            DeviceInfo(group="traffic", device=device, name="Post"),
            Access(broker=BrokerSettings(host="127.0.0.1", port=port)),
            memory_file=memory_file,
            rebirth_within_s=0.2,
        )
        self.is_counting = False
        self.obeyed_ids = []
        self._n = 0
        self._due_s = self._told_s = 0.0

    def streams(self):
        return (StreamInfo(name="flow", type="TrafficFlowObserved", stale_s=60.0),)

    def measure(self):
        now_s = time.monotonic()
        if not self.is_counting:
            self._due_s = now_s
            return
        while self._due_s <= now_s:
            self._due_s += 1 / PER_S
            self._n += 1
            self.report("Count", {"n": self._n})
        if now_s - self._told_s >= 1.0:
            self._told_s = now_s
            self.tell("flow", "TrafficFlowObserved", {"intensity": self._n % 1000})

    def obey(self, command):
        self.obeyed_ids.append(command.id)
        return CommandResult(id=command.id, status="done")


async def count_through(
    tmp_path, *, device_port, node_port, disturb, seconds, keepalive_s=10, reports=None, devices=None
):
    """Let a device count while `disturb(step)` is called once a second; returns what is stored and the last number.

    What the link said goes into `reports`, the device into `devices`.
    """
    device = Counter(device_port, tmp_path / "device.sqlite3")
    if devices is not None:
        devices.append(device)
    runner = FieldRunner([device])
    settings = BrokerSettings(host="127.0.0.1", port=node_port, keepalive_s=keepalive_s)
    async with Node(tmp_path, settings) as node:
        if reports is not None:
            node.bus.subscribe(LinkChanged, lambda event: reports.append(event.report))
        runner.start()
        try:
            await until(lambda: (found := node.device(DEVICE_ID)) is not None and found.state is DeviceState.ONLINE)
            device.is_counting = True
            for step in range(seconds):
                await asyncio.to_thread(disturb, step)
                await asyncio.sleep(1.0)
            await asyncio.to_thread(disturb, None)
            await asyncio.sleep(1.0)
            device.is_counting = False
            await until(lambda: device.n_waiting == 0, timeout_s=90, what="every event to be acknowledged")
            await until(lambda: node.is_state(LinkState.CONNECTED), timeout_s=60)
            sent = await node.service.send_command(SYSTEM, DEVICE_ID, "blink", ttl_s=30)
            await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE, timeout_s=40)
            assert device.obeyed_ids == [sent.command_id]
            return await node.stored_seqs(DEVICE_ID), device.last_seq
        finally:
            await asyncio.to_thread(runner.stop)


def between(proxy, begin, *, from_step, to_step):
    """Return a `disturb` that lets `begin` happen between two steps."""

    def disturb(step):
        if step == from_step:
            begin(proxy)
        elif step in (to_step, None):
            proxy.mend()

    return disturb


def resets(proxy, *, every):
    def disturb(step):
        if step is not None and step % every == every - 1:
            proxy.reset()

    return disturb


TROUBLES = {
    "delay": lambda proxy: between(proxy, lambda p: p.delay(mean_s=0.3, jitter_s=0.2), from_step=1, to_step=7),
    "reset": lambda proxy: resets(proxy, every=2),
    "half-open there": lambda proxy: between(proxy, lambda p: p.cut(Way.THERE), from_step=2, to_step=8),
    "half-open back": lambda proxy: between(proxy, lambda p: p.cut(Way.BACK), from_step=2, to_step=8),
    "black hole": lambda proxy: between(proxy, lambda p: p.cut(*Way), from_step=2, to_step=8),
}


@pytest.mark.slow
@pytest.mark.parametrize("side", ["device", "node"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_nothing_is_lost_or_doubled(mosquitto, proxy_to, tmp_path, trouble, side):
    proxy = proxy_to(mosquitto.port)
    ports = {"device_port": mosquitto.port, "node_port": mosquitto.port, f"{side}_port": proxy.port}

    stored, last_seq = asyncio.run(count_through(tmp_path, disturb=TROUBLES[trouble](proxy), seconds=10, **ports))

    assert stored == list(range(1, last_seq + 1))
    assert last_seq >= 8 * PER_S
    # One for the device or the node; a proxy that was cut closes the old one before the next is let in.
    assert proxy.n_most_open <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "keepalive_s"),
    # At an hour it is the link's own ping that ends the connection.
    [("device", 10), ("node", 10), ("node", 3600)],
)
def test_a_connection_that_died_unsaid_is_given_up_by_who_hears_nothing_and_nothing_is_lost(
    mosquitto, proxy_to, tmp_path, side, keepalive_s
):
    proxy = proxy_to(mosquitto.port)
    ports = {"device_port": mosquitto.port, "node_port": mosquitto.port, f"{side}_port": proxy.port}
    reports, devices = [], []

    def disturb(step):
        if step == 2:
            proxy.cut(*Way)
        elif step == 27:
            proxy.mend_for_new()

    stored, last_seq = asyncio.run(
        count_through(
            tmp_path,
            disturb=disturb,
            seconds=32,
            keepalive_s=keepalive_s,
            reports=reports,
            devices=devices,
            **ports,
        )
    )

    assert stored == list(range(1, last_seq + 1))
    assert devices[0].n_connects >= (2 if side == "device" else 1)
    said = [report.reason for report in reports]
    assert any("stopped answering" in reason for reason in said) is (side == "node")


@pytest.mark.slow
def test_a_gap_and_then_a_long_time_without_anybody_loses_nothing(start_mosquitto, proxy_to, tmp_path):
    broker = start_mosquitto(extra_config="max_queued_messages 100")
    to_node, to_device = proxy_to(broker.port), proxy_to(broker.port)

    async def run():
        device = Counter(to_device.port, tmp_path / "device.sqlite3")
        runner = FieldRunner([device])
        async with Node(tmp_path, BrokerSettings(host="127.0.0.1", port=to_node.port)) as node:
            runner.start()
            try:
                await until(lambda: (found := node.device(DEVICE_ID)) is not None and found.state is DeviceState.ONLINE)
                device.is_counting = True
                await until(lambda: DEVICE_ID in node.service._sequences)
                # The node takes nothing for a while: the broker's queue is full and drops, and what is newer comes.
                to_node.delay(mean_s=3.0, jitter_s=0.0)
                await asyncio.sleep(4.0)
                to_node.delay(mean_s=0.0, jitter_s=0.0)
                await until(lambda: node.service._sequences[DEVICE_ID].held, what="a gap")
                to_node.cut(*Way)
                to_device.cut(*Way)
                n_stored = len(await node.stored_seqs(DEVICE_ID))
                await asyncio.sleep(70.0)
                assert len(await node.stored_seqs(DEVICE_ID)) - n_stored <= MAX_IN_AIR
                to_node.mend_for_new()
                to_device.mend_for_new()
                await asyncio.sleep(1.0)
                device.is_counting = False
                await until(lambda: device.n_waiting == 0, timeout_s=90, what="every event to be acknowledged")
                return await node.stored_seqs(DEVICE_ID), device.last_seq, node.service.losses()
            finally:
                await asyncio.to_thread(runner.stop)

    stored, last_seq, losses = asyncio.run(run())
    assert stored == list(range(1, last_seq + 1))
    assert last_seq >= 70 * PER_S
    assert losses.n_events == 0


def test_a_reset_in_the_middle_costs_nothing(mosquitto, proxy_to, tmp_path):
    proxy = proxy_to(mosquitto.port)

    stored, last_seq = asyncio.run(
        count_through(
            tmp_path,
            device_port=proxy.port,
            node_port=proxy.port,
            disturb=resets(proxy, every=2),
            seconds=3,
        )
    )

    assert stored == list(range(1, last_seq + 1))
    assert proxy.n_connections >= 4


@pytest.mark.slow
def test_an_hour_without_a_broker_is_made_up_for_in_order_and_marked_late(mosquitto, tmp_path):
    n_events = 20_000

    async def run():
        device = Counter(mosquitto.port, tmp_path / "device.sqlite3")
        runner = FieldRunner([device])
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            runner.start()
            try:
                await until(lambda: node.device(DEVICE_ID) is not None)
                device.unplug()
                for number in range(n_events):
                    runner.call_soon(lambda number=number: device.report("Count", {"n": number}))
                await until(lambda: device.n_waiting == n_events, timeout_s=60)
                began = time.monotonic()
                runner.call_soon(device.plug)
                await until(lambda: device.n_waiting == 0, timeout_s=120)
                print(f"{n_events} events made up for in {time.monotonic() - began:.1f} s")
                return await node.stored_seqs(DEVICE_ID)
            finally:
                await asyncio.to_thread(runner.stop)

    assert asyncio.run(run()) == list(range(1, n_events + 1))


def test_an_empty_broker_in_the_place_of_the_old_one_is_told_everything_again(start_mosquitto, tmp_path):
    async def run():
        broker = start_mosquitto(is_persistent=True)
        device = Counter(broker.port, tmp_path / "device.sqlite3")
        runner = FieldRunner([device])
        async with Node(tmp_path, settings_for(broker)) as node:
            runner.start()
            try:
                await until(lambda: (found := node.device(DEVICE_ID)) is not None and found.state is DeviceState.ONLINE)
                await node.service.set_desired(SYSTEM, DEVICE_ID, {"x": 1}, expect_version=0)
                broker.kill()
                for file in broker.folder.glob("*.db"):
                    file.unlink()
                await until(lambda: node.is_state(LinkState.DOWN))
                n_connects = device.n_connects
                await asyncio.to_thread(broker.start)
                await until(lambda: device.n_connects > n_connects and device.is_connected)
                await until(lambda: node.is_state(LinkState.CONNECTED))
                device.is_counting = True
                await until(lambda: device.last_seq > 10)
                device.is_counting = False
                await until(lambda: device.n_waiting == 0)
                await until(lambda: node.service.twin(DEVICE_ID).answered_version == 1)
                assert node.device(DEVICE_ID).state is DeviceState.ONLINE
                return await node.stored_seqs(DEVICE_ID), device.last_seq
            finally:
                await asyncio.to_thread(runner.stop)

    stored, last_seq = asyncio.run(run())
    assert stored == list(range(1, last_seq + 1))


def test_a_device_that_boots_again_goes_on_counting_and_a_wiped_one_begins_anew(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            for memory, n_events, last_seq in ((tmp_path / "a", 5, 5), (tmp_path / "a", 5, 10), (tmp_path / "b", 3, 3)):
                device = Counter(mosquitto.port, memory)
                runner = FieldRunner([device])
                runner.start()
                await until(lambda device=device: device.is_connected)
                # A wiped device is told by a newer time at an old number.
                await asyncio.sleep(1.1)
                for number in range(n_events):
                    runner.call_soon(lambda device=device, number=number: device.report("Count", {"n": number}))
                await until(
                    lambda device=device, last_seq=last_seq: device.last_seq == last_seq and device.n_waiting == 0,
                    timeout_s=60,
                    what="the events to be stored",
                )
                await asyncio.to_thread(runner.stop)
            return await node.stored_seqs(DEVICE_ID)

    assert asyncio.run(run()) == [*range(1, 11), 1, 2, 3]
