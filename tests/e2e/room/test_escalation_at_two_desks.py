"""An escalation through a node: two desks hear of it, the journal names who was called, the broker has it."""

import asyncio
import json

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.access.model import Role, Session, User
from core.incidents.model import Alarm, JournalEntry, Priority
from core.node.live import Snapshot
from tests.e2e.field.rig import until
from tests.e2e.room.test_alarms_after_a_restart import running
from tests.fixtures.link import PASSWORD, Desk
from tests.fixtures.room import make_condition


class SecondDesk(Desk):
    """Another console of the same room, at which a supervisor sits."""

    async def sit_down(self) -> None:
        await self.knock()
        await self.client.call("session.sign_in", Session, name="susi", password=PASSWORD, desk="Desk 2")
        self._take((await self.client.call("room.snapshot", Snapshot)).changes)


def listen(broker, heard):
    """Keep what the broker says of alarms."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.append(json.loads(message.payload or b"{}"))
    client.connect(broker.host, broker.port)
    client.subscribe("watchfloor/v1/city/_alarm/+", 1)
    client.loop_start()
    return client


@pytest.mark.slow
def test_the_other_desk_sees_which_one_does_not_hear_its_alarms(mosquitto, tmp_path):
    async def scenario():
        async with running(tmp_path, mosquitto.port):
            folder = tmp_path / "data"
            first, second = Desk(folder), SecondDesk(folder)
            await first.enter()
            await first.client.call("users.add", User, name="susi", role=Role.SUPERVISOR, password=PASSWORD)
            await second.sit_down()

            await second.client.call("desk.report_sound", reason="No sound device is there.")
            deaf = await first.until(lambda: first.alarm("sound"), "the alarm")
            await second.client.call("desk.report_sound", reason="")
            await first.until(lambda: not first.alarm("sound"), "its end")
            await second.client.call("desk.note_sound_test", is_heard=False)
            unheard = await first.until(lambda: first.alarm("sound"), "the failed test")
            await second.client.close()
            await first.until(lambda: not first.alarm("sound"), "the end with the console")
            await first.client.close()
        assert deaf.detail == "At Desk 2: No sound device is there."
        assert unheard.detail == "At Desk 2: susi did not hear the test sound."

    asyncio.run(scenario())


@pytest.mark.slow
def test_an_escalation_calls_again_at_both_desks_and_says_whom_it_calls(mosquitto, tmp_path):
    async def scenario():
        heard: list[dict] = []
        listener = listen(mosquitto, heard)
        async with running(tmp_path, mosquitto.port) as node:
            folder = tmp_path / "data"
            first, second = Desk(folder), SecondDesk(folder)
            await first.enter()
            await first.client.call("users.add", User, name="susi", role=Role.SUPERVISOR, password=PASSWORD)
            await second.sit_down()

            await node.services.incidents.raise_condition(make_condition(kind="collision", priority=Priority.CRITICAL))
            for desk in (first, second):
                await desk.until(lambda desk=desk: desk.alarm("collision"), "the alarm")
            before = first.alarm("collision")
            await first.client.call(
                "alarms.escalate",
                Alarm,
                alarm_id=before.alarm_id,
                occurrence=before.occurrence,
                version=before.version,
            )

            for desk in (first, second):
                await desk.until(lambda desk=desk: desk.alarm("collision").escalation_level == 1, "the escalation")
                assert desk.alarm("collision").n_calls == before.n_calls + 1
                assert desk.alarm("collision").is_calling
            entries = await second.client.call("alarms.journal", list[JournalEntry], alarm_id=before.alarm_id)
            assert (entries[-1].event, entries[-1].actor, entries[-1].comment) == ("escalate", "dana", "supervisor")
            await until(lambda: any(one.get("escalated_to") == "supervisor" for one in heard), what="the broker's word")
            for desk in (first, second):
                await desk.client.close()
        listener.loop_stop()
        listener.disconnect()

    asyncio.run(scenario())
