import asyncio
import struct
from datetime import UTC, datetime, timedelta

import pytest

from core.incidents.model import Priority
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, UnavailableError
from core.kernel.geo import GeoPoint
from core.link import protocol
from core.link.client import LinkClient
from core.link.server import LinkServer


async def knock(peer, *, word: str) -> str:
    peer.is_trusted = word == "sesame"
    return "come in" if peer.is_trusted else "who is there?"


async def place(peer, *, point: GeoPoint, priority: Priority = Priority.LOW) -> GeoPoint:
    return GeoPoint(point.lat_deg + int(priority), point.lon_deg)


async def slow(peer) -> str:
    await asyncio.sleep(30)
    return "late"


async def refuse(peer) -> None:
    raise ConsoleError("The gate is stuck.", hint="Call the porter.")


async def broken(peer) -> None:
    raise RuntimeError("secret detail")


async def later(peer, *, at: datetime) -> datetime:
    return at + timedelta(seconds=1)


VERBS = {"later": later, "knock": knock, "place": place, "slow": slow, "refuse": refuse, "broken": broken}


def run(scenario):
    async def main():
        server = LinkServer(VERBS, open_verbs=frozenset({"knock"}))
        port = await server.start("127.0.0.1", 0)
        pushes, gone = [], asyncio.Event()
        client = LinkClient(on_push=lambda topic, data: pushes.append((topic, data)), on_gone=lambda _r: gone.set())
        await client.connect("127.0.0.1", port)
        try:
            await asyncio.wait_for(scenario(server, client, pushes, gone, port), 15)
        finally:
            await client.close()
            await server.stop()

    asyncio.run(main())


def test_nothing_but_the_door_answers_before_sign_in():
    async def scenario(server, client, pushes, gone, port):
        with pytest.raises(NotPermittedError, match="Nobody is signed in"):
            await client.call("place", point=GeoPoint(1, 2))
        assert await client.call("knock", str, word="open") == "who is there?"
        with pytest.raises(NotPermittedError):
            await client.call("place", point=GeoPoint(1, 2))

    run(scenario)


def test_models_travel_both_ways_and_defaults_hold():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")

        assert await client.call("place", GeoPoint, point=GeoPoint(1, 2)) == GeoPoint(5, 2)
        assert await client.call("place", GeoPoint, point=GeoPoint(1, 2), priority=Priority.HIGH) == GeoPoint(3, 2)

    run(scenario)


def test_instants_travel_to_the_microsecond():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        at = datetime(2026, 3, 29, 0, 59, 59, 999_999, tzinfo=UTC)

        assert await client.call("later", datetime, at=at) == at + timedelta(seconds=1)

    run(scenario)


@pytest.mark.parametrize(
    "args",
    [{}, {"point": {"lat_deg": "north", "lon_deg": 0}}, {"point": {"lat_deg": 1, "lon_deg": 2}, "colour": "red"}],
)
def test_arguments_that_do_not_fit_are_named(args):
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        with pytest.raises(BadInputError, match="place does not fit"):
            await client.call("place", **args)

    run(scenario)


def test_a_refusal_arrives_as_sentence_and_hint():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        with pytest.raises(ConsoleError) as caught:
            await client.call("refuse")
        assert (caught.value.message, caught.value.hint) == ("The gate is stuck.", "Call the porter.")

    run(scenario)


def test_a_bug_in_a_verb_tells_no_details_and_the_link_goes_on():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        with pytest.raises(ConsoleError) as caught:
            await client.call("broken")
        assert "secret" not in str(caught.value)
        assert server.n_errors == 1
        assert await client.call("knock", str, word="sesame") == "come in"

    run(scenario)


def test_the_node_hears_when_somebody_begins_to_wait_and_when_nobody_does_any_more():
    async def main():
        heard = []
        server = LinkServer(VERBS, open_verbs=frozenset(VERBS), on_waiting=heard.append)
        port = await server.start("127.0.0.1", 0)
        client = LinkClient(on_push=lambda _topic, _data: None, on_gone=lambda _reason: None)
        await client.connect("127.0.0.1", port)
        waiting = asyncio.create_task(client.call("slow"))
        await asyncio.sleep(0)
        await client.call("knock", word="sesame")
        with pytest.raises(ConsoleError):
            await client.call("refuse")
        assert heard == [True], "one still waits"

        waiting.cancel()
        await client.close()
        async with asyncio.timeout(5):
            while server.peers:
                await asyncio.sleep(0.01)
        assert heard == [True, False], "who is gone waits no more"
        await server.stop()

    asyncio.run(main())


def test_a_slow_verb_does_not_hold_up_the_next_one():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        waiting = asyncio.create_task(client.call("slow"))
        await asyncio.sleep(0)

        assert await asyncio.wait_for(client.call("knock", str, word="sesame"), 2) == "come in"
        waiting.cancel()

    run(scenario)


def test_a_push_reaches_the_console():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        for peer in server.peers:
            peer.push("changes", {"alarms": [1]})
        await client.call("knock", word="sesame")

        assert pushes == [("changes", {"alarms": [1]})]

    run(scenario)


def test_open_requests_fail_when_the_node_goes():
    async def scenario(server, client, pushes, gone, port):
        await client.call("knock", word="sesame")
        waiting = asyncio.create_task(client.call("slow"))
        await asyncio.sleep(0.05)
        for peer in tuple(server.peers):
            peer.close()

        with pytest.raises(UnavailableError):
            await waiting
        await gone.wait()
        assert not client.is_connected

    run(scenario)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 4,
        struct.pack(">I", 3) + b"\xc1\xc1\xc1",
        struct.pack(">I", 1) + b"\x05",
        struct.pack(">I", protocol.MAX_FRAME_BYTES_BEFORE_SIGN_IN + 1) + b"x",
        protocol.encode(["q", "not a number", "knock", {}]),
    ],
)
def test_who_speaks_nonsense_is_cut_off_and_the_others_are_served(garbage):
    async def scenario(server, client, pushes, gone, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

        assert await client.call("knock", str, word="sesame") == "come in"

    run(scenario)


def test_a_console_that_does_not_read_is_cut_off():
    async def scenario(server, client, pushes, gone, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(protocol.encode(["q", 1, "knock", {"word": "sesame"}]))
        await reader.read(1)
        sleeper = next(peer for peer in server.peers if peer.is_trusted)
        for _ in range(40):
            sleeper.push("changes", b"x" * 1_000_000)

        for _ in range(200):
            if sleeper not in server.peers:
                break
            await asyncio.sleep(0.02)
        assert sleeper not in server.peers
        writer.close()

    run(scenario)


def test_the_node_does_not_listen_beyond_this_machine_without_a_certificate():
    async def main():
        with pytest.raises(BadInputError, match="without a certificate"):
            await LinkServer(VERBS, open_verbs=frozenset()).start("0.0.0.0", 0)

    asyncio.run(main())


def test_a_port_that_is_taken_is_named():
    async def main():
        first, second = (LinkServer(VERBS, open_verbs=frozenset()) for _ in range(2))
        port = await first.start("127.0.0.1", 0)
        with pytest.raises(BadInputError, match=str(port)):
            await second.start("127.0.0.1", port)
        await first.stop()

    asyncio.run(main())


def test_nobody_at_the_address_is_a_sentence():
    async def main():
        client = LinkClient(on_push=lambda *_: None, on_gone=lambda _r: None)
        with pytest.raises(UnavailableError, match="does not answer"):
            await client.connect("127.0.0.1", 9, timeout_s=1.0)

    asyncio.run(main())
