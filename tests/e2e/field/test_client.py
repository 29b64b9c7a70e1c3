"""The field client at a real broker, with a real node at the other end."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from core.access.model import SYSTEM, Actor, Role
from core.field.client.device import Access, DeviceInfo, Dialect, FieldDevice, access_to
from core.field.client.runner import FieldRunner
from core.field.client.simulate import SimulatedDevice
from core.field.commands import CommandChanged
from core.field.kinds import find_kinds
from core.field.model import CommandStatus, DeviceState, LinkState
from core.field.payloads import CommandResult, StreamInfo
from core.field.service import FieldEventReceived, ReadingReceived
from core.field.settings import BrokerSettings
from core.kernel.clock import SystemClock
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from tests.e2e.field.rig import Node, settings_for, until

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[3]


class Post(FieldDevice):
    """A post that counts, can be told to blink and has one setting."""

    def __init__(self, broker, *, name="post-1", memory=None, access=None, clock=None, dialect=None):
        super().__init__(
            DeviceInfo(group="traffic", device=name, name="Post 1", firmware="3.1"),
            access or Access(broker=BrokerSettings(host=broker.host, port=broker.port)),
            memory_file=memory,
            clock=clock,
            dialect=dialect,
            rebirth_within_s=0.1,
        )
        self.blinks = []
        self.brightness = 1

    def streams(self):
        return (StreamInfo(name="flow", type="TrafficFlowObserved", stale_s=60.0),)

    def obey(self, command):
        if command.name != "blink":
            return super().obey(command)
        self.blinks.append(command.id)
        if command.args.get("slowly"):
            return CommandResult(id=command.id, status="running", text="half way")
        return CommandResult(id=command.id, status="done")

    def configure(self, desired):
        self.brightness = desired.get("brightness", self.brightness)
        return {"brightness": self.brightness}


class Powered:
    """A device with power: `do` runs something on its thread and waits for it."""

    def __init__(self, device):
        self.device, self.runner = device, FieldRunner([device])

    def __enter__(self):
        self.runner.start()
        return self

    def __exit__(self, *_):
        self.runner.stop()

    async def do(self, step):
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def run():
            step(self.device)
            loop.call_soon_threadsafe(done.set)

        self.runner.call_soon(run)
        await asyncio.wait_for(done.wait(), 10)


def status_of(node, command_id):
    found = [event.command for event in node.seen if isinstance(event, CommandChanged)]
    return next((item.status for item in reversed(found) if item.command_id == command_id), None)


async def untold(powered):
    """Return how commands stand that the device still has to tell."""
    found = []
    await powered.do(lambda device: found.extend(result.status for result in device._commands.untold()))
    return found


async def online(node, device_id="traffic/post-1"):
    await until(
        lambda: (found := node.device(device_id)) is not None and found.state is DeviceState.ONLINE, what="the device"
    )


def test_a_client_introduces_itself_and_says_goodbye(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(Post(mosquitto)):
                await online(node)
                found = node.device("traffic/post-1")
                assert (found.name, found.kind, found.firmware) == ("Post 1", "station", "3.1")
            await until(lambda: node.device("traffic/post-1").state is DeviceState.OFFLINE)

    asyncio.run(run())


def test_small_messages_are_not_held_back_to_be_sent_together(mosquitto):
    found = []

    async def run():
        with Powered(Post(mosquitto)) as post:
            await until(lambda: post.device.socket is not None)
            await post.do(lambda device: found.append(device.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    asyncio.run(run())

    assert found == [1]


def test_a_client_enters_with_its_certificate(mosquitto_mutual_tls, tmp_path):
    broker = mosquitto_mutual_tls

    def settings(name, **changes):
        pair = broker.client_pair(name)
        return settings_for(
            broker, is_tls=True, ca_file=broker.ca_file, cert_file=pair.certificate, key_file=pair.key, **changes
        )

    async def run():
        async with Node(tmp_path, settings("core")) as node:
            with Powered(Post(broker, access=access_to(settings("post-1")))) as post:
                await online(node)
                for number in range(300):
                    await post.do(lambda device, number=number: device.report("Count", {"n": number}))
                await until(lambda: post.device.n_waiting == 0)
                assert await node.stored_seqs("traffic/post-1") == list(range(1, 301))

    asyncio.run(run())


def test_a_client_that_is_refused_says_why_and_does_not_ask_often(mosquitto_with_password, tmp_path):
    broker = mosquitto_with_password
    settings = BrokerSettings(host=broker.host, port=broker.port, username="device")

    async def run():
        with Powered(Post(broker, access=Access(broker=settings, password="wrong"))) as post:
            await until(lambda: post.device.problem != "")
            await until(lambda: post.device._connect_at_s - time.monotonic() > 15, what="the next try to be far away")
            return post.device.problem

    assert "refuses it: not authorized" in asyncio.run(run())


def test_what_was_measured_without_a_line_is_charted_later_and_never_announced(mosquitto, tmp_path):
    async def run():
        post = Post(mosquitto, memory=tmp_path / "post.sqlite3")
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(post) as powered:
                await online(node)
                await powered.do(lambda device: device.unplug())
                for speed in (11.0, 12.0, 13.0):
                    await powered.do(
                        lambda device, speed=speed: device.tell(
                            "flow", "TrafficFlowObserved", {"averageVehicleSpeed": speed}
                        )
                    )
                await powered.do(lambda device: device.plug())
                await until(lambda: post.is_connected)
                await powered.do(
                    lambda device: device.tell("flow", "TrafficFlowObserved", {"averageVehicleSpeed": 50.0})
                )
                await until(lambda: post.n_waiting == 0 and node.service.newest("traffic/post-1") != ())
                since = datetime.now(UTC) - timedelta(minutes=1)
                stored = []
                while len(stored) < 4:
                    await asyncio.sleep(0.05)
                    stored = await node.service.history("traffic/post-1", "flow", since=since)
        assert [(item.values["averageVehicleSpeed"], item.is_history) for item in stored] == [
            (11.0, True),
            (12.0, True),
            (13.0, True),
            (50.0, False),
        ]
        announced = [event.reading.values for event in node.seen if isinstance(event, ReadingReceived)]
        assert announced == [{"averageVehicleSpeed": 50.0}]

    asyncio.run(run())


def test_events_wait_in_the_device_while_every_core_is_away(mosquitto, tmp_path):
    async def run():
        post = Post(mosquitto)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
        with Powered(post) as powered:
            await until(lambda: post.is_host_away, what="the word that the core is away")
            n_before = post.n_published
            await powered.do(lambda device: device.report("Count", {"n": 1}))
            assert (post.n_waiting, post.n_published) == (1, n_before)
            async with Node(tmp_path, settings_for(mosquitto)) as node:
                await until(lambda: post.n_waiting == 0)
                assert await node.stored_seqs("traffic/post-1") == [1]

    asyncio.run(run())


def test_a_rebirth_is_answered_with_birth_and_settings(mosquitto, tmp_path):
    async def run():
        with Powered(Post(mosquitto)) as powered:
            await until(lambda: powered.device.is_connected)
            async with Node(tmp_path, settings_for(mosquitto)) as node:
                await online(node)
                await until(lambda: node.service.twin("traffic/post-1").reported == {"brightness": 1})

    asyncio.run(run())


def test_a_command_is_obeyed_once_also_after_the_device_restarted(mosquitto, tmp_path):
    async def run():
        memory = tmp_path / "post.sqlite3"
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            first = Post(mosquitto, memory=memory)
            with Powered(first):
                await online(node)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", ttl_s=20)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)
            second = Post(mosquitto, memory=memory)
            with Powered(second) as powered:
                await online(node)
                topic = "watchfloor/v1/city/traffic/post-1/cmd"
                body = {"id": sent.command_id, "name": "blink", "exp": int(time.time() * 1000) + 9000, "user": "x"}
                n_before = second.n_published
                node.link.publish(topic, json.dumps(body).encode(), qos=1)
                await until(lambda: second.n_published > n_before, what="the repeated answer")
                await powered.do(lambda _device: None)
            assert (len(first.blinks), second.blinks) == (1, [])
            history = await node.service.command_history("traffic/post-1")
            assert [(item.name, item.status, item.sent_by) for item in history] == [
                ("blink", CommandStatus.DONE, "system")
            ]

    asyncio.run(run())


def test_a_command_that_came_too_late_is_answered_and_never_obeyed(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            post = Post(mosquitto)
            with Powered(post):
                await online(node)
                topic = "watchfloor/v1/city/traffic/post-1/cmd"
                body = {"id": "LATE", "name": "blink", "exp": int(time.time() * 1000) - 1, "user": "x"}
                n_before = post.n_published
                node.link.publish(topic, json.dumps(body).encode(), qos=1)
                await until(lambda: post.n_published > n_before)
                assert post.blinks == []

    asyncio.run(run())


def test_a_command_without_a_line_ends_in_a_shown_result_and_is_not_obeyed_when_the_line_is_back(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            post = Post(mosquitto)
            with Powered(post):
                await online(node)
                mosquitto.kill()
                await until(lambda: node.is_state(LinkState.DOWN))
                began = time.monotonic()
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", ttl_s=1)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.EXPIRED)
                assert time.monotonic() - began <= 2.0
                await asyncio.to_thread(mosquitto.start)
                await until(lambda: post.is_connected and node.is_state(LinkState.CONNECTED))
                probe = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", ttl_s=20)
                await until(lambda: status_of(node, probe.command_id) is CommandStatus.DONE)
                assert post.blinks == [probe.command_id]

    asyncio.run(run())


def test_a_long_command_says_that_it_runs_and_how_it_ended(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(Post(mosquitto)) as powered:
                await online(node)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", {"slowly": True}, ttl_s=20)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.RUNNING)
                end = CommandResult(id=sent.command_id, status="done", text="blinked")
                await powered.do(lambda device: device.finish(end))
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)

    asyncio.run(run())


def test_a_command_that_ends_while_the_line_is_broken_is_told_when_the_line_is_back(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            post = Post(mosquitto)
            with Powered(post) as powered:
                await online(node)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", {"slowly": True}, ttl_s=30)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.RUNNING)
                await powered.do(lambda device: device.unplug())
                await powered.do(lambda device: device.finish(CommandResult(id=sent.command_id, status="done")))
                await powered.do(lambda device: device.plug())
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)
                while await untold(powered):
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_a_command_over_which_the_device_restarted_is_told_to_have_failed(mosquitto, tmp_path):
    async def run():
        memory = tmp_path / "post.sqlite3"
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(Post(mosquitto, memory=memory)):
                await online(node)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", {"slowly": True}, ttl_s=30)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.RUNNING)
            with Powered(Post(mosquitto, memory=memory)):
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.FAILED)
            (shown, *_) = await node.service.command_history("traffic/post-1")
            assert "restarted" in shown.text

    asyncio.run(run())


def test_what_ends_while_every_core_is_away_is_told_when_one_is_back(mosquitto, tmp_path):
    async def run():
        post = Post(mosquitto)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(post) as powered:
                await online(node)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", {"slowly": True}, ttl_s=60)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.RUNNING)
                await node.__aexit__()
                await until(lambda: post.is_host_away, what="the word that the core is away")
                n_before = post.n_published
                await powered.do(lambda device: device.finish(CommandResult(id=sent.command_id, status="done")))
                await until(lambda: post.n_published > n_before and not post._answers, what="the broker's word")
                assert await untold(powered) == ["done"]
                await node.__aenter__()
                while await untold(powered):
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_another_device_cannot_answer_for_this_one(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(Post(mosquitto)), Powered(Post(mosquitto, name="villain")) as villain:
                await online(node)
                await online(node, "traffic/villain")
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", {"slowly": True}, ttl_s=2)
                lie = CommandResult(id=sent.command_id, status="done")
                await villain.do(lambda device: device.finish(lie))
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.TIMEOUT)

    asyncio.run(run())


def test_settings_asked_for_while_a_device_is_away_are_taken_over_when_it_is_back(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(Post(mosquitto)):
                await online(node)
                await until(lambda: node.service.twin("traffic/post-1").reported == {"brightness": 1})
            twin = await node.service.set_desired(SYSTEM, "traffic/post-1", {"brightness": 7}, expect_version=0)
            assert [(item.key, item.desired, item.reported, item.by) for item in twin.differences] == [
                ("brightness", 7, 1, "system")
            ]
            with pytest.raises(StaleWriteError):
                await node.service.set_desired(SYSTEM, "traffic/post-1", {"brightness": 9}, expect_version=0)
            operator = Actor(name="dana", role=Role.OPERATOR)
            with pytest.raises(NotPermittedError):
                await node.service.set_desired(operator, "traffic/post-1", {"brightness": 9}, expect_version=1)
            with pytest.raises(BadInputError):
                await node.service.set_desired(SYSTEM, "traffic/post-1", {"": 9}, expect_version=1)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            with Powered(Post(mosquitto)):
                await until(lambda: node.service.twin("traffic/post-1").reported == {"brightness": 7})
                twin = node.service.twin("traffic/post-1")
                assert (twin.differences, twin.answered_version, twin.version) == ((), 1, 1)

    asyncio.run(run())


class SlowClock(SystemClock):
    """A device whose clock is ten minutes behind."""

    def now(self):
        return super().now() - timedelta(minutes=10)


def test_a_wrong_clock_is_measured_shown_and_makes_values_uncertain_but_not_late(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = SimulatedDevice(
                find_kinds()["station"],
                DeviceInfo(group="traffic", device="post-1", name="Post 1"),
                Access(broker=BrokerSettings(host=mosquitto.host, port=mosquitto.port)),
                period_s=0.3,
                seed="1",
                clock=SlowClock(),
            )
            with Powered(device):
                await until(lambda: (found := node.device("traffic/post-1")) is not None and found.skew_s is not None)
                assert node.device("traffic/post-1").skew_s == pytest.approx(-600, abs=2)
                assert "600 s slow" in node.device("traffic/post-1").last_error
                n_told = len([event for event in node.seen if isinstance(event, ReadingReceived)])
                await until(
                    lambda: len([event for event in node.seen if isinstance(event, ReadingReceived)]) > n_told + 1
                )
                newest = node.service.newest("traffic/post-1")[0]
                assert (newest.is_good, newest.is_history) == (False, False)

    asyncio.run(run())


def test_a_command_that_waited_at_the_broker_is_too_late_also_for_a_device_whose_clock_is_slow(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            post = Post(mosquitto, clock=SlowClock(), dialect=Dialect(MQTTProtocolVersion.MQTTv311, is_sure=True))
            with Powered(post):
                await online(node)
                topic = "watchfloor/v1/city/traffic/post-1/cmd"
                body = {"id": "LATE", "name": "blink", "exp": int(time.time() * 1000) - 5000, "user": "x"}
                n_before = post.n_published
                node.link.publish(topic, json.dumps(body).encode(), qos=1)
                await until(lambda: post.n_published > n_before)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", ttl_s=20)
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)
                assert post.blinks == [sent.command_id]

    asyncio.run(run())


def test_a_memory_that_cannot_be_written_holds_a_command_up_and_not_the_device(mosquitto, tmp_path, caplog):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            post = Post(mosquitto, memory=tmp_path / "post.sqlite3")
            with Powered(post) as powered:
                await online(node)
                await powered.do(lambda device: device._db.execute("PRAGMA query_only = 1"))
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "blink", ttl_s=30)
                await powered.do(
                    lambda device: device.tell("flow", "TrafficFlowObserved", {"averageVehicleSpeed": 50.0})
                )
                await until(lambda: node.service.newest("traffic/post-1") != ())
                assert post.blinks == []
                await powered.do(lambda device: device._db.execute("PRAGMA query_only = 0"))
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)
                assert (post.blinks, post.n_connects) == ([sent.command_id], 1)
                assert "stumbled" not in caplog.text

    asyncio.run(run())


def test_a_full_outbox_is_told_to_the_core(mosquitto, tmp_path):
    async def run():
        post = Post(mosquitto)
        with Powered(post) as powered:
            await until(lambda: post.is_connected)
            await powered.do(lambda device: device.unplug())
            await powered.do(lambda device: setattr(device._outbox, "_max_rows", 30))
            for _ in range(40):
                await powered.do(lambda device: device.report("Count", {"n": 1}))
            async with Node(tmp_path, settings_for(mosquitto)) as node:
                await powered.do(lambda device: device.plug())
                await until(lambda: post.n_waiting == 0, timeout_s=60)
                told = [event.event for event in node.seen if isinstance(event, FieldEventReceived)]
        assert told[-1].event_type == "OutboxOverflow"
        assert told[-1].data["dropped"] == 41 - len(told)

    asyncio.run(run())


def test_the_client_needs_no_window_no_model_and_no_database():
    code = (
        "import sys, core.field.client.command\n"
        "heavy = {'PySide6', 'torch', 'sqlalchemy', 'numpy', 'cv2', 'av', 'openvino', 'alembic'}\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & heavy), 'core.store' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.split("\n")[0] == "[] False"


def test_lines_of_another_program_become_states_and_events_and_commands_go_to_it(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            bridge = await asyncio.create_subprocess_exec(
                *(sys.executable, "main.py", "field-client", "--broker", f"{mosquitto.host}:{mosquitto.port}"),
                *("--id", "traffic/post-1", "--name", "Post 1", "--memory", str(tmp_path / "bridge.sqlite3")),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await online(node)
                flow = {"stream": "flow", "type": "TrafficFlowObserved", "data": {"intensity": 17}}
                count = {"type": "Count", "data": {"n": 3}}
                bridge.stdin.write(f"{json.dumps(flow)}\nnonsense\n{json.dumps(count)}\n".encode())
                await until(lambda: node.service.newest("traffic/post-1") != () and node.service.n_events == 1)
                sent = await node.service.send_command(SYSTEM, "traffic/post-1", "zoom", {"to": 2}, ttl_s=20)
                line = json.loads(await asyncio.wait_for(bridge.stdout.readline(), 20))
                assert line == {"command": "zoom", "id": sent.command_id, "args": {"to": 2}}
                bridge.stdin.write(f'{{"id": "{sent.command_id}", "status": "done"}}\n'.encode())
                await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)
                bridge.stdin.close()
                assert await asyncio.wait_for(bridge.wait(), 20) == 0
                await until(lambda: node.device("traffic/post-1").state is DeviceState.OFFLINE)
            finally:
                if bridge.returncode is None:
                    bridge.kill()
                    await bridge.wait()

    asyncio.run(run())
