"""An edge camera at a real node: its client posts over HTTP, the tile lives and goes stale; a flood harms nobody."""

import asyncio
import threading
import time

import pytest

from core.cameras.model import Camera
from core.gateway.edge.client import Camera as EdgeSource
from core.gateway.edge.client import EdgeClient, Sender
from core.gateway.edge.settings import EdgeSettings
from core.gateway.edge.sources import open_source
from core.gateway.http.model import GatewayKey, GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.media.model import ProbeResult, SourceSpec, StreamState
from core.node.model import Health
from core.parking.model import Lot
from tests.fixtures.http_gate import LOT, Answer, jpeg, read_answer
from tests.fixtures.link import at_desk
from tests.fixtures.processes import free_port

pytestmark = pytest.mark.timeout(150)
FLOOD_S = 10.0
FLOOD_PER_S = 200.0


class Pi:
    """The edge client as it runs on a device, here on a thread."""

    def __init__(self, folder, address, key, *, period_s=0.5):
        folder.mkdir(exist_ok=True)
        for number in range(12):
            (folder / f"{number:02}.jpg").write_bytes(jpeg(320, 240, seed=number))
        settings = EdgeSettings(to=address, lot="market", source=f"replay:{folder}", key=key, loops=True)
        source = EdgeSource(
            lambda: open_source(settings.source, period_s=period_s, width=320, loops=True),
            period_s=period_s,
            spool=None,
        )
        self.client = EdgeClient(source, Sender(settings))
        self._thread = threading.Thread(target=self.client.run)
        self._thread.start()

    @property
    def figures(self):
        return self.client.figures

    def stop(self):
        self.client.stop_soon()
        self._thread.join(20.0)
        assert not self._thread.is_alive()


async def furnish(desk, *names):
    """Add the lot, an edge camera for each name and its key; returns the gateway's address and the keys."""
    await desk.enter()
    await desk.client.call("parking.save_lot", Lot, lot=LOT, note="")
    keys = {}
    for name in names:
        camera = Camera(camera_id=name, name=name.title(), address="edge:", detect_fps=0.0)
        await desk.client.call("cameras.add", Camera, camera=camera, password="")
        wish = KeyWish(name=f"Pi {name}", purpose=KeyPurpose.EDGE, lot_id="market", camera_id=name)
        keys[name] = (await desk.client.call("gateway.add_key", NewKey, wish=wish)).token
    deadline = time.monotonic() + 30.0
    while (report := await desk.client.call("gateway.state", GatewayReport)).state is not GatewayState.OPEN:
        assert time.monotonic() < deadline, report
        await asyncio.sleep(0.05)
    return report.address, keys


@pytest.mark.slow
def test_posted_pictures_are_a_live_camera_that_goes_stale_when_they_stop(start_node, tmp_path):
    node = start_node("gateway.enabled=true", "gateway.port=0", "vision.model=demo")

    async def scenario(desk):
        address, keys = await furnish(desk, "north")
        await desk.client.call("room.show", sizes={"north": (320, 180)})
        pi = Pi(tmp_path / "frames", address, keys["north"])
        try:
            await desk.until(
                lambda: "north" in desk.streams and desk.streams["north"].state is StreamState.LIVE, "a live tile"
            )
            await desk.until(lambda: pi.figures.n_sent >= 6, "six pictures")
        finally:
            pi.stop()
        assert (desk.streams["north"].width, desk.streams["north"].height) == (320, 240)
        tested = await desk.client.call(
            "cameras.test", ProbeResult, source=SourceSpec(address="edge:"), camera_id="north"
        )
        assert (tested.ok, tested.width) == (True, 320)
        await desk.until(lambda: desk.streams["north"].state in {StreamState.STALE, StreamState.LOST}, "a stale tile")
        assert pi.figures.n_failed == 0
        picture = await desk.client.call("room.picture", camera_id="north", after=-1)
        assert picture["jpeg"]
        (key,) = await desk.client.call("gateway.keys", list[GatewayKey])
        assert key.n_accepted == pi.figures.n_sent
        assert key.last_address == "127.0.0.1"

    at_desk(node.folder, scenario)


@pytest.mark.slow
def test_a_port_that_is_taken_is_an_alarm_and_the_room_goes_on(start_node):
    port = free_port()

    async def scenario(desk):
        await desk.enter()
        alarm = await desk.until(lambda: desk.alarm("gateway"), "an alarm about the gateway")
        assert str(port) in alarm.detail
        report = await desk.client.call("gateway.state", GatewayReport)
        assert report.state is GatewayState.FAILED

    async def run():
        async def hold(_reader, writer):
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", port)
        async with server:
            node = await asyncio.to_thread(start_node, "gateway.enabled=true", f"gateway.port={port}")
            await asyncio.to_thread(at_desk, node.folder, scenario)

    asyncio.run(run())


@pytest.mark.slow
def test_a_flood_of_posts_leaves_the_loop_and_another_sender_alone(start_node, tmp_path):
    node = start_node("gateway.enabled=true", "gateway.port=0", "vision.model=demo")

    async def scenario(desk):
        address, keys = await furnish(desk, "north", "loud")
        pi = Pi(tmp_path / "frames", address, keys["north"])
        try:
            await desk.until(lambda: pi.figures.n_sent >= 2, "the first pictures")
            before = pi.figures.n_sent
            statuses = await flood(address, keys["loud"])
            n_sent = pi.figures.n_sent - before
        finally:
            pi.stop()
        health = await desk.client.call("room.health", Health)

        assert statuses[429] > 0.8 * sum(statuses.values())
        assert n_sent >= 0.8 * FLOOD_S / 0.5
        assert pi.figures.n_failed == 0
        notices = " ".join(notice.message for notice in health.notices)
        assert "Pi loud (127.0.0.1)" in notices
        loud = {key.name: key for key in await desk.client.call("gateway.keys", list[GatewayKey])}["Pi loud"]
        assert loud.n_refused == statuses[429]

    at_desk(node.folder, scenario)


async def flood(address: str, key: str) -> dict[int, int]:
    """Post 2,000 pictures in 10 s over eight connections; returns how many were answered with what."""
    host, port = address.removeprefix("http://").split(":")
    body = jpeg(640, 480)
    head = (
        f"POST /api/parking/market/frame HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    statuses: dict[int, int] = {}
    n_connections = 8

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        began_s, period_s = time.monotonic(), n_connections / FLOOD_PER_S
        for index in range(int(FLOOD_S / period_s)):
            await asyncio.sleep(max(0.0, began_s + index * period_s - time.monotonic()))
            writer.write(head + body)
            answer: Answer = await read_answer(reader)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
        writer.close()

    await asyncio.gather(*(one(number) for number in range(n_connections)))
    return statuses
