"""Devices that an operator adds, switches in bulk and removes, against a real broker and database."""

import asyncio

import pytest
from sqlalchemy import select

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.field.device_list import NewDevice
from core.field.inventory import MAX_AT_ONCE, DeviceAt
from core.field.model import DeviceState, LinkState
from core.field.service import DeviceRemoved
from core.kernel.errors import BadInputError, NotPermittedError
from core.kernel.geo import GeoPoint
from core.store.tables import AuditRow
from tests.e2e.field.rig import ROOT, FieldDevice, Node, envelope, put_back, retained, settings_for, until

pytestmark = pytest.mark.timeout(120)

MAYA = Actor(name="maya", role=Role.SUPERVISOR, desk="Desk 2")


def station(number, **fields):
    return NewDevice(device_id=f"station/s{number}", name=f"Station {number}", kind="station", **fields)


def seen(version, device_id="station/s1"):
    return DeviceAt(device_id=device_id, version=version)


async def audited(node):
    def read(session):
        return [(row.action, row.subject) for row in session.scalars(select(AuditRow).order_by(AuditRow.sequence))]

    return await node.store.read(read)


def test_a_device_that_was_added_waits_unheard_and_keeps_its_name_when_it_speaks(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto), audit=audit.append) as node:
            (outcome,) = await node.service.add_devices(
                MAYA, [station(1, position=GeoPoint(60.0, 25.0))], source="a.csv"
            )
            assert (outcome.reason, node.device().state) == ("", DeviceState.UNKNOWN)
            await node.connected()
            device = FieldDevice(mosquitto)
            await until(lambda: node.device().state is DeviceState.ONLINE)
            assert (node.device().name, node.device().position) == ("Station 1", GeoPoint(60.0, 25.0))
            assert node.device().firmware == "2.1"
            assert await audited(node) == [("device.add", "Station 1 (station/s1)")]
            device.close()
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            assert node.device().name == "Station 1"

    asyncio.run(run())


def test_one_that_is_there_stays_as_it_is_and_the_others_of_the_list_are_added(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            outcomes = await node.service.add_devices(MAYA, [station(1), station(2), station(2)])
            assert [bool(outcome.reason) for outcome in outcomes] == [True, False, True]
            assert [item.name for item in node.service.devices()] == ["Bridge Street", "Station 2"]
            device.close()

    asyncio.run(run())


def test_switching_many_leaves_alone_what_somebody_else_changed_meanwhile(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto), audit=audit.append) as node:
            await node.service.add_devices(MAYA, [station(number) for number in range(4)])
            await node.service.rename(MAYA, "station/s1", name="North", expect_version=2)
            chosen = [seen(2, f"station/s{number}") for number in (0, 1, 2, 9)]
            outcomes = {
                outcome.device_id: outcome
                for outcome in await node.service.set_enabled_many(MAYA, chosen, is_enabled=False)
            }
            assert [item.is_enabled for item in node.service.devices()] == [False, True, False, True]
            assert "meanwhile" in outcomes["station/s1"].reason
            assert "no such device" in outcomes["station/s9"].reason
            back = [
                DeviceAt(device_id=key, version=found.version) for key, found in outcomes.items() if not found.reason
            ]
            assert not any(found.reason for found in await node.service.set_enabled_many(MAYA, back, is_enabled=True))
            assert all(item.is_enabled for item in node.service.devices())
            assert [action for action, _ in await audited(node)].count("device.disable") == 2

    asyncio.run(run())


def test_a_removed_device_leaves_its_history_and_nothing_on_the_broker_and_may_come_back_as_new(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            removed = []
            node.bus.subscribe(DeviceRemoved, removed.append)
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            for number in range(3):
                device.event({"intensity": number})
            await until(lambda: device.acked == 3)
            version = node.device().version
            (stale,) = await node.service.remove_devices(MAYA, [seen(version + 1)])
            assert "meanwhile" in stale.reason
            assert node.device() is not None
            await node.service.remove_devices(MAYA, [seen(version)])
            assert (node.device(), removed) == (None, [DeviceRemoved("station/s1")])
            assert await node.stored_seqs() == [1, 2, 3]
            device.event({"intensity": 4})
            await until(lambda: device.acked == 4)
            assert node.device().name == "s1"
            assert await node.stored_seqs() == [1, 2, 3, 4]
            device.vanish()
        await node_finds_nothing_after_removal(mosquitto, tmp_path)

    async def node_finds_nothing_after_removal(broker, folder):
        async with Node(folder, settings_for(broker)) as node:
            await node.connected()
            await until(lambda: node.device().state is DeviceState.LOST)
            await node.service.remove_devices(SYSTEM, [seen(node.device().version)])
            await until(lambda: node.link.report().n_outbox == 0)
        fresh = folder / "fresh"
        fresh.mkdir()
        async with Node(fresh, settings_for(broker)) as node:
            other = FieldDevice(broker, "station/s2")
            await until(lambda: node.device("station/s2") is not None)
            assert node.device() is None
            other.close()

    asyncio.run(run())


def test_only_a_supervisor_adds_removes_and_switches_and_not_too_many_at_once(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.service.add_devices(MAYA, [station(1)])
            dana = Actor(name="dana", role=Role.OPERATOR)
            with pytest.raises(NotPermittedError):
                await node.service.add_devices(dana, [station(2)])
            with pytest.raises(NotPermittedError):
                await node.service.remove_devices(dana, [seen(2)])
            with pytest.raises(NotPermittedError):
                await node.service.set_enabled_many(dana, [], is_enabled=True)
            with pytest.raises(BadInputError, match="at a time"):
                await node.service.add_devices(MAYA, [station(number) for number in range(MAX_AT_ONCE + 1)])
            assert len(node.service.devices()) == 1

    asyncio.run(run())


def test_a_device_removed_while_the_broker_is_away_does_not_come_back_with_it_after_a_restart(
    mosquitto_persistent, tmp_path
):
    broker, settings = mosquitto_persistent, settings_for(mosquitto_persistent)

    async def remove_while_the_broker_is_away():
        async with Node(tmp_path, settings) as node:
            device = FieldDevice(broker)
            await until(lambda: node.device() is not None)
            device.client.publish(f"{device.topic}/state/flow", envelope({"intensity": 4}, seq=1), 1, True)
            await until(lambda: node.service.newest("station/s1") != ())
            await node.service.set_desired(MAYA, "station/s1", {"period_s": 30}, expect_version=0)
            await until(lambda: f"{device.topic}/twin/desired" in retained(broker))
            device.vanish()
            await until(lambda: node.device().state is DeviceState.LOST)
            broker.stop()
            await until(lambda: node.is_state(LinkState.DOWN))
            await node.service.remove_devices(MAYA, [seen(node.device().version)])

    async def hear_what_the_broker_kept():
        async with Node(tmp_path, settings) as node:
            await node.connected()
            other = FieldDevice(broker, "station/s2")
            await until(lambda: node.device("station/s2") is not None)
            await until(lambda: not any("station/s1" in topic for topic in retained(broker)))
            await until(lambda: node.device("station/s2").state is DeviceState.ONLINE)
            assert node.device() is None
            other.close()

    async def hear_it_speak_again():
        async with Node(tmp_path, settings) as node:
            await node.connected()
            assert node.device() is None
            device = FieldDevice(broker)
            await until(lambda: node.device() is not None and node.device().name == "Bridge Street")
            await until(lambda: f"{device.topic}/birth" in retained(broker))
            device.close()

    asyncio.run(remove_while_the_broker_is_away())
    broker.start()
    assert sum("station/s1" in topic for topic in retained(broker)) >= 4
    asyncio.run(hear_what_the_broker_kept())
    asyncio.run(hear_it_speak_again())


def test_what_a_broker_brings_back_from_its_last_save_is_taken_away_again(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            births = retained(mosquitto)
            device.vanish()
            await until(lambda: node.device().state is DeviceState.LOST)
            await node.service.remove_devices(MAYA, [seen(node.device().version)])
            await until(lambda: not any("station/s1" in topic for topic in retained(mosquitto)))
            birth = births[f"{ROOT}/station/s1/birth"]
        put_back(mosquitto, f"{ROOT}/station/s1/birth", birth)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await until(lambda: not any("station/s1" in topic for topic in retained(mosquitto)))
            assert node.device() is None

    asyncio.run(run())
