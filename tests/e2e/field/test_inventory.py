"""Devices that an operator adds, switches in bulk and removes, against a real broker and database."""

import asyncio

import pytest
from sqlalchemy import select

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.field.device_list import NewDevice
from core.field.inventory import DeviceAt, DeviceEdit
from core.field.model import DeviceState, LinkState
from core.field.service import DeviceChanged, DeviceRemoved
from core.kernel.errors import BadInputError, NotPermittedError
from core.kernel.geo import GeoPoint
from core.kernel.portions import MAX_AT_ONCE
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


def test_editing_many_leaves_alone_what_somebody_else_changed_meanwhile_and_each_may_get_its_own_back(
    mosquitto, tmp_path
):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto), audit=audit.append) as node:
            homes = {0: "Quay", 2: "Hill"}
            await node.service.add_devices(
                MAYA, [station(number, site=homes.get(number, ""), tags=("loop",)) for number in range(4)]
            )
            await node.service.rename(MAYA, "station/s1", name="North", expect_version=2)
            edits = [
                DeviceEdit(
                    device_id=f"station/s{n}", version=2, site="Old town", tags=("Loop", "2026"), is_enabled=False
                )
                for n in (0, 1, 2, 9)
            ]
            outcomes = {one.device_id: one for one in await node.service.edit_devices(MAYA, edits)}
            assert [item.is_enabled for item in node.service.devices()] == [False, True, False, True]
            assert [item.site for item in node.service.devices()] == ["Old town", "", "Old town", ""]
            assert node.device("station/s0").tags == ("2026", "loop")
            assert "meanwhile" in outcomes["station/s1"].reason
            assert "no such device" in outcomes["station/s9"].reason
            back = [
                DeviceEdit(
                    device_id=f"station/s{n}",
                    version=outcomes[f"station/s{n}"].version,
                    site=site,
                    tags=("loop",),
                    is_enabled=True,
                )
                for n, site in homes.items()
            ]
            assert not any(found.reason for found in await node.service.edit_devices(MAYA, back))
            assert [item.site for item in node.service.devices()] == ["Quay", "", "Hill", ""]
            assert all(item.is_enabled for item in node.service.devices())
            actions = [action for action, _ in await audited(node)]
            assert [actions.count(f"device.{verb}") for verb in ("disable", "set_site", "set_tags")] == [2, 4, 4]
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            assert (node.device("station/s0").site, node.device("station/s0").tags) == ("Quay", ("loop",))

    asyncio.run(run())


def test_what_was_removed_is_listed_and_put_back_as_it_was_also_after_a_restart(mosquitto, tmp_path):
    async def remove():
        async with Node(tmp_path, settings_for(mosquitto), audit=audit.append) as node:
            place = GeoPoint(60.0, 25.0)
            await node.service.add_devices(MAYA, [station(1, site="Quay", tags=("loop",), position=place), station(2)])
            # This device does not say again what it said before somebody listened.
            await node.connected()
            device = FieldDevice(mosquitto)
            await until(lambda: node.device().state is DeviceState.ONLINE)
            for number in range(3):
                device.event({"intensity": number})
            await until(lambda: device.acked == 3)
            await node.service.set_desired(MAYA, "station/s1", {"period_s": 30}, expect_version=0)
            device.vanish()
            await until(lambda: node.device().state is DeviceState.LOST)
            await node.service.remove_devices(MAYA, [seen(2), seen(2, "station/s2")])
            removed = {one.device_id: one for one in await node.service.removed_devices()}
            assert {(one.name, one.removed_by, one.is_back) for one in removed.values()} == {
                ("Station 1", "maya", False),
                ("Station 2", "maya", False),
            }
            return removed["station/s1"].removal_id

    async def put_back(removal_id):
        async with Node(tmp_path, settings_for(mosquitto), audit=audit.append) as node:
            await node.connected()
            told = []
            node.bus.subscribe(DeviceChanged, told.append)
            (done, nonsense) = await node.service.restore_devices(MAYA, [removal_id, "01NOBODY"])
            assert (done.reason, bool(nonsense.reason)) == ("", True)
            back = node.device()
            assert (back.name, back.site, back.tags, back.position) == (
                *("Station 1", "Quay", ("loop",)),
                GeoPoint(60.0, 25.0),
            )
            assert (back.state, back.firmware, back.commands) == (DeviceState.UNKNOWN, "2.1", ("restart",))
            assert [one.device.device_id for one in told] == ["station/s1"]
            assert node.service.twin("station/s1").desired == {"period_s": 30}
            await until(lambda: f"{ROOT}/station/s1/twin/desired" in retained(mosquitto))
            assert [one.device_id for one in await node.service.removed_devices()] == ["station/s2"]
            (again,) = await node.service.restore_devices(MAYA, [removal_id])
            assert "already" in again.reason
            device = FieldDevice(mosquitto)
            await until(lambda: node.device().state is DeviceState.ONLINE)
            device.seq = device.acked = 3
            device.next_seq = 4
            device.event({"intensity": 9})
            await until(lambda: device.acked == 4)
            assert await node.stored_seqs() == [1, 2, 3, 4]
            assert [action for action, _ in await audited(node)].count("device.restore") == 1
            device.close()

    asyncio.run(put_back(asyncio.run(remove())))


def test_a_removed_device_that_came_back_by_itself_gets_its_name_and_place_back_until_somebody_gave_it_others(
    mosquitto, tmp_path
):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            await node.service.rename(MAYA, "station/s1", name="Mill", expect_version=1)
            (first,) = await node.service.remove_devices(MAYA, [seen(2)])
            device.event({"intensity": 1})
            await until(lambda: node.device() is not None)
            (listed,) = await node.service.removed_devices()
            assert (listed.is_back, node.device().name) == (True, "s1")
            (done,) = await node.service.restore_devices(MAYA, [first.removal_id])
            assert (done.reason, node.device().name) == ("", "Mill")
            assert node.device().state is DeviceState.ONLINE
            (second,) = await node.service.remove_devices(MAYA, [seen(done.version)])
            device.event({"intensity": 2})
            await until(lambda: node.device() is not None)
            await node.service.rename(MAYA, "station/s1", name="Weir", expect_version=1)
            (refused,) = await node.service.restore_devices(MAYA, [second.removal_id])
            assert ("changed" in refused.reason, node.device().name) == (True, "Weir")
            device.close()

    asyncio.run(run())


def test_a_command_to_many_is_answered_by_each_and_those_left_out_say_why(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
            devices = [FieldDevice(mosquitto, f"station/s{number}") for number in (1, 2)]
            await node.service.add_devices(MAYA, [station(3)])
            await until(
                lambda: all((found := node.device(f"station/s{n}")) and found.commands == ("restart",) for n in (1, 2))
            )
            everybody = [f"station/s{number}" for number in (1, 2, 3, 4)]
            outcomes = {one.device_id: one for one in await node.service.send_commands(MAYA, everybody, "restart")}
            assert [key for key in everybody if outcomes[key].command is not None] == everybody[:2]
            assert "offer" in outcomes["station/s3"].reason
            assert "no such device" in outcomes["station/s4"].reason
            await until(lambda: node.service.commands() == ())
            history = await node.service.command_history()
            assert sorted((one.device_id, one.status.value) for one in history) == [
                ("station/s1", "done"),
                ("station/s2", "done"),
            ]
            for device in devices:
                device.close()

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
                await node.service.edit_devices(dana, [])
            with pytest.raises(NotPermittedError):
                await node.service.restore_devices(dana, [])
            with pytest.raises(NotPermittedError):
                await node.service.send_commands(Actor(name="vera", role=Role.VIEWER), ["station/s1"], "restart")
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
