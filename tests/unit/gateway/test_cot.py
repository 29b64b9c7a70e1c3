"""Cursor on Target: what goes out, to real sockets; what is not known is not said."""

import asyncio
import contextlib
import ssl
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives import serialization

from core.drones.model import BatteryPack, Drone, DroneState, Measured, Mode, Position
from core.field.model import Device, DeviceState
from core.gateway.cot import CotSender, Place, drone_event, parse_place, unit_event
from core.kernel.clock import FakeClock, SystemClock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.kernel.settings import CotSettings
from tests.fixtures.certificates import Authority

NOW = FakeClock().now()
DRONE = Drone(drone_id="q-1", name='Quad <"1">')
EVENT = b'<event uid="a" />'


def state(age_s: float = 0.5) -> DroneState:
    at = NOW - timedelta(seconds=age_s)
    return DroneState(
        drone_id="q-1",
        position=Position(point=GeoPoint(47.37, 8.54), at=at, accuracy_m=2.5),
        values={key: Measured(value, at) for key, value in (("course_deg", 0.0), ("altitude_amsl_m", 520.0))},
        batteries=(BatteryPack(number=0, at=at, remaining_percent=71.0),),
        mode=Mode(name="Auto", at=at),
    )


def test_a_drone_is_one_event_with_its_own_time_and_no_height_that_nobody_knows():
    event = ElementTree.fromstring(drone_event(DRONE, state(), NOW) or b"")

    assert (event.get("type"), event.get("uid"), event.get("version")) == ("a-f-A-M-H-Q", "watchfloor-q-1", "2.0")
    assert event.get("time") == (NOW - timedelta(seconds=0.5)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    assert event.get("stale") > event.get("time")
    point = event.find("point")
    assert (point.get("lat"), point.get("lon"), point.get("ce")) == ("47.3700000", "8.5400000", "2.5")
    assert point.get("hae") == "9999999.0"
    assert event.find("detail/contact").get("callsign") == 'Quad <"1">'
    assert event.find("detail/track").attrib == {"course": "0.0"}
    assert event.find("detail/status").get("battery") == "71"
    assert event.find("detail/remarks").text == "520 m above the sea, Auto"


def test_a_mode_and_a_charge_that_are_old_are_not_told():
    at = NOW - timedelta(seconds=11)
    old = replace(
        state(), mode=Mode(name="Auto", at=at), batteries=(BatteryPack(number=0, at=at, remaining_percent=7),)
    )
    event = ElementTree.fromstring(drone_event(DRONE, old, NOW) or b"")

    assert event.find("detail/remarks").text == "520 m above the sea"
    assert event.find("detail/status") is None


def test_a_drone_that_is_nowhere_or_was_there_long_ago_is_not_sent():
    assert drone_event(DRONE, DroneState(drone_id="q-1"), NOW) is None
    assert drone_event(DRONE, state(age_s=3.0), NOW) is None


def test_a_unit_is_sent_while_its_device_is_heard():
    device = Device(
        device_id="unit/p1",
        kind="unit",
        name="Patrol 1",
        state=DeviceState.ONLINE,
        position=GeoPoint(47.0, 8.0),
        last_seen_at=NOW,
    )
    event = ElementTree.fromstring(unit_event(device) or b"")
    assert (event.get("uid"), event.get("type")) == ("watchfloor-unit-p1", "a-f-G-E-V")
    assert unit_event(Device(device_id="unit/p2", kind="unit", name="P", position=GeoPoint(47.0, 8.0))) is None


@pytest.mark.parametrize("url", ["", "http://x:1", "tcp://", "tcp://x:99999", "8087"])
def test_what_is_no_place_is_said_with_a_way_out(url):
    with pytest.raises(BadInputError):
        parse_place(url)


def test_a_place_without_a_port_has_the_usual_one():
    assert parse_place("tls://tak.example") == Place(scheme="tls", host="tak.example", port=8089)


@contextlib.asynccontextmanager
async def sending(**settings):
    sender = CotSender(CotSettings(every_s=0.2, **settings), events=lambda: [EVENT], clock=SystemClock())
    task = asyncio.create_task(sender.run())
    try:
        async with asyncio.timeout(20.0):
            yield sender
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_udp_sends_a_datagram_for_each_event():
    async def run():
        got: asyncio.Queue[bytes] = asyncio.Queue()

        class Listener(asyncio.DatagramProtocol):
            def datagram_received(self, data, _address):
                got.put_nowait(data)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
        async with sending(url=f"udp://127.0.0.1:{transport.get_extra_info('sockname')[1]}"):
            assert [await got.get(), await got.get()] == [EVENT, EVENT]
        transport.close()

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_a_stream_goes_on_on_a_new_connection_where_one_is_hung_up(tmp_path, scheme):
    authority = Authority(tmp_path)
    pair, client = authority.issue_server(), authority.issue_client("node")
    tls = None
    if scheme == "tls":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
        tls.load_cert_chain(pair.certificate, pair.key)
        tls.verify_mode = ssl.CERT_REQUIRED

    async def run():
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def on_client(reader, writer):
            heard.put_nowait(await reader.readexactly(len(EVENT)))
            writer.close()

        server = await asyncio.start_server(on_client, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        files = {"ca_file": str(authority.certificate)}
        files |= {"certificate_file": str(client.certificate), "key_file": str(client.key)}
        async with sending(url=f"{scheme}://127.0.0.1:{port}", **(files if tls else {})) as sender:
            assert [await heard.get(), await heard.get()] == [EVENT, EVENT]
            assert sender.report().n_messages >= 2
        server.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("passphrase", "reason"),
    [
        (None, "The key for TAK is encrypted, and its passphrase is not known."),
        ("wrong", "cannot be used"),
        ("right", ""),
    ],
)
def test_an_encrypted_key_needs_its_passphrase_and_asks_nobody_at_the_terminal(tmp_path, passphrase, reason):
    authority = Authority(tmp_path)
    pair, client = authority.issue_server(), authority.issue_client("node")
    key = serialization.load_pem_private_key(client.key.read_bytes(), password=None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"right"),
        )
    )
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    tls.load_cert_chain(pair.certificate, pair.key)
    tls.verify_mode = ssl.CERT_REQUIRED

    async def run():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls)
        files = {"ca_file": str(authority.certificate), "certificate_file": str(client.certificate)}
        settings = CotSettings(
            url=f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}", every_s=0.2, key_file=str(locked), **files
        )
        sender = CotSender(
            settings,
            events=lambda: [EVENT],
            clock=SystemClock(),
            get_secret=lambda name: passphrase if name == "cot_key" else None,
        )
        task = asyncio.create_task(sender.run())
        async with asyncio.timeout(20.0):
            while not (sender.report().reason if reason else sender.report().n_messages):
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()
        return sender.report().reason

    assert reason in asyncio.run(run())


def test_a_server_that_nobody_vouches_for_hears_nothing(tmp_path):
    authority = Authority(tmp_path)
    pair = authority.issue_server()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)

    async def run():
        server = await asyncio.start_server(lambda *_: pytest.fail("it was believed"), "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        async with sending(url=f"tls://127.0.0.1:{port}") as sender:
            while not sender.report().reason:
                await asyncio.sleep(0.01)
            assert "certificate" in sender.report().reason.lower()
        server.close()

    asyncio.run(run())


def test_without_an_address_nobody_is_told():
    async def run():
        sender = CotSender(CotSettings(), events=lambda: pytest.fail("nobody asked"), clock=SystemClock())
        await sender.run()
        assert sender.report() is None

    asyncio.run(run())
