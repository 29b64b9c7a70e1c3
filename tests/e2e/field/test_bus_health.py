import asyncio
import time

import pytest

from core.field.model import DeviceState, LinkState
from tests.e2e.field.rig import ROOT, FieldDevice, Node, envelope, settings_for, until
from tests.e2e.field.test_link import Link
from tests.fixtures.turnstile import Turnstile


@pytest.fixture
def turnstile(mosquitto):
    door = Turnstile(mosquitto.port)
    yield door
    door.close()


@pytest.mark.parametrize("n_flaps", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_link_that_is_thrown_out_again_and_again_never_has_two_connections(turnstile, n_flaps, monkeypatch):
    # A hundred waits of up to half a minute would take an afternoon.
    monkeypatch.setattr("core.field.retry.MAX_DELAY_S", 1.0)

    async def run():
        async with Link(turnstile) as link:
            for number in range(n_flaps):
                await until(lambda n=number: turnstile.n_entered > n, timeout_s=40, what="the link to come back")
                if number % 3:
                    # Most flaps hit a connection that works, some one that is only just being made.
                    await link.reaches(LinkState.CONNECTED, timeout_s=40)
                turnstile.throw_out()
            await link.reaches(LinkState.CONNECTED, timeout_s=60)
            assert turnstile.n_most == 1
            assert not any(report.state is LinkState.REFUSED for report in link.states), "nobody else is to blame"

    asyncio.run(run())


def test_the_first_try_after_a_loss_comes_within_half_a_second(turnstile):
    async def run():
        async with Link(turnstile) as link:
            await link.reaches(LinkState.CONNECTED)
            began = time.monotonic()
            turnstile.throw_out()
            await until(lambda: turnstile.n_entered == 2)
            assert time.monotonic() - began <= 1.0, "half a second of jitter, and the machine's own time"

    asyncio.run(run())


def test_what_is_known_of_devices_is_unconfirmed_until_an_empty_broker_was_told_anew(
    mosquitto, start_mosquitto, turnstile, tmp_path
):
    async def run():
        async with Node(tmp_path, settings_for(turnstile)) as node:
            await node.connected()
            device = FieldDevice(turnstile)
            await until(lambda: node.device() is not None and node.device().state is DeviceState.ONLINE)
            device.client.publish(f"{device.topic}/state/flow", envelope({"intensity": 5}), 1, True)
            await until(lambda: node.service.newest("station/s1"))
            rebirths = []
            empty = start_mosquitto()
            watcher = FieldDevice(empty, "station/watcher")
            watcher.client.on_message = lambda _c, _d, message: rebirths.append(message.topic)
            await until(watcher.client.is_connected)
            watcher.client.subscribe(f"{ROOT}/_host/+/rebirth", 1)
            device.client.loop_stop()

            turnstile.lead_to(empty.port)
            turnstile.throw_out()
            await until(lambda: node.device().state is DeviceState.UNKNOWN, what="the device to be unconfirmed")
            await node.connected()
            assert node.service.newest("station/s1")[0].values == {"intensity": 5.0}
            assert node.device().state is DeviceState.UNKNOWN
            node.service._rebirth_s = float("-inf")  # Thirty seconds later.
            await until(lambda: rebirths, what="the births to be asked for")

            device.client.reconnect()
            device.client.loop_start()
            await until(lambda: node.device().state is DeviceState.ONLINE, what="the device to be confirmed")
            device.close()
            watcher.close()

    asyncio.run(run())


def test_a_frozen_broker_is_shown_and_what_is_known_is_unconfirmed_until_it_goes_on(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None and node.device().state is DeviceState.ONLINE)
            n_before = node.link.report().n_reconnects
            mosquitto.pause()
            assert await until(lambda: node.is_state(LinkState.STALE), timeout_s=8.0) <= 8.0
            await until(lambda: node.device().state is DeviceState.UNKNOWN)
            mosquitto.resume()
            await node.connected()
            assert node.link.report().n_reconnects == n_before
            device.client.publish(f"{device.topic}/state/flow", envelope({"intensity": 5}), 1)
            await until(lambda: node.device().state is DeviceState.ONLINE)
            device.close()

    asyncio.run(run())


def test_two_devices_with_one_client_id_throw_each_other_out_and_that_is_said(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
            first, second = FieldDevice(mosquitto, client_id="twins"), FieldDevice(mosquitto, client_id="twins")
            await until(lambda: node.device() is not None and "Two devices" in node.device().last_error)
            first.close()
            second.close()

    asyncio.run(run())
