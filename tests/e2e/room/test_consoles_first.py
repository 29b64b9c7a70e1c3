"""A real node at a broker that holds a fleet's last words: whoever sits at a console does not wait for them."""

import asyncio

from paho.mqtt.publish import multiple

from core.field.mqtt_link import GIVE_WAY_S
from core.kernel.paths import Folders
from core.kernel.settings import load_settings
from core.node.node import Node
from tests.fixtures.link import Desk

N_STANDING = 1000
"""As many as Mosquitto keeps for one client where nobody has told it more."""


async def until(is_true, what):
    async with asyncio.timeout(40.0):
        while not is_true():
            await asyncio.sleep(0.01)


def test_a_console_is_answered_before_what_stands_on_the_broker_is_read(mosquitto, tmp_path, monkeypatch):
    body = b'{"v": 1, "state": "online"}'
    told = [(f"watchfloor/v1/city/station/s{number}/status", body, 1, True) for number in range(N_STANDING)]
    multiple(told, hostname=mosquitto.host, port=mosquitto.port)
    mosquitto.pause()
    address = {"host": mosquitto.host, "port": mosquitto.port, "protocol": "5"}
    settings, _ = load_settings(arguments={"broker": address, "vision": {"model": "demo"}, "site": {"tenant": "city"}})
    folders = Folders(data=tmp_path / "data", runtime=tmp_path / "run")

    async def run():
        node = Node(settings, folders)
        may_answer, make_snapshot = asyncio.Event(), node.snapshot

        async def answer_late():
            await may_answer.wait()
            return await make_snapshot()

        monkeypatch.setattr(node, "snapshot", answer_late)
        running = asyncio.create_task(node.run())
        try:
            await until(folders.node_file.exists, "the door")
            desk = Desk(folders.data)
            entering = asyncio.create_task(desk.enter())
            await until(lambda: any(peer.is_trusted for peer in node._server.peers), "the console to sign in")
            await until(lambda: node._server.is_waited_for, "the console to ask")
            mosquitto.resume()
            await until(lambda: node.health().n_messages > 0, "the broker to answer")
            await asyncio.sleep(GIVE_WAY_S / 2)
            assert node.health().n_messages < N_STANDING / 2

            may_answer.set()
            await entering
            await until(lambda: len(node.services.field.devices()) == N_STANDING, "every device")
            await desk.client.close()
        finally:
            may_answer.set()
            node.stop_soon()
            await running

    asyncio.run(run())
