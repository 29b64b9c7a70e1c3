"""The gateway's door: keys, pace, what other systems read, and how it opens and closes."""

import asyncio
from dataclasses import replace

import pytest

from core.field.model import Device
from core.gateway.http.guard import MAX_QUERY_BYTES
from core.gateway.http.model import KeyPurpose, KeyWish
from core.gateway.http.server import MAX_CONNECTIONS_OF_ADDRESS, HttpServer
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError, UnavailableError
from core.kernel.settings import GatewaySettings
from core.node.http_door import HttpDoor
from core.parking.model import BayState, LotOccupancy
from tests.fixtures.http_gate import at_gate, jpeg, occupied
from tests.fixtures.room import OLGA, SUSI


def test_other_systems_read_lots_bays_and_their_outlines_on_the_ground(tmp_path):
    async def scenario(gate):
        gate.parking.statuses["market"] = (replace(occupied(gate, "A1", BayState.FREE), is_stale=True),)
        gate.parking.counted = (
            LotOccupancy(lot_id="market", n_bays=2, n_occupied=0, n_unknown=1, at=gate.clock.now()),
            LotOccupancy(lot_id="west", n_bays=40, n_occupied=30, n_unknown=0, at=gate.clock.now()),
        )

        lots = (await gate.ask("GET", "/api/parking", key=gate.reader)).json
        lot = (await gate.ask("GET", "/api/parking/market", key=gate.reader)).json
        drawn = await gate.ask("GET", "/api/parking/market?format=geojson", key=gate.reader)
        none = await gate.ask("GET", "/api/parking/nowhere", key=gate.reader)

        assert [(lot["lot_id"], lot["name"], lot["n_free"], lot["n_unknown"]) for lot in lots] == [
            ("market", "Market car park", 1, 1),
            ("west", "west", 10, 0),
        ]
        first, second = lot["bays"]
        assert (first["bay_id"], first["state"], first["is_stale"]) == ("A1", "free", True)
        assert (second["bay_id"], second["state"], second["since"]) == ("A2", "unknown", None)
        assert drawn.headers["content-type"] == "application/geo+json"
        placed, unplaced = drawn.json["features"]
        (ring,) = placed["geometry"]["coordinates"]
        assert ring[0] == ring[-1] == [8.0, 47.0]
        assert ring[2][1] - 47.0 == pytest.approx(5.0 / 111_000, rel=0.01)
        assert unplaced["geometry"] is None
        assert (none.status, none.json["error"]) == (404, "There is no lot 'nowhere'.")

    at_gate(tmp_path, scenario)


def test_devices_come_page_by_page(tmp_path):
    async def scenario(gate):
        gate.devices = tuple(Device(device_id=f"g/{number}", kind="other", name=f"{number}") for number in (3, 1, 2))

        first = (await gate.ask("GET", "/api/devices?limit=2", key=gate.reader)).json
        rest = (await gate.ask("GET", f"/api/devices?after={first[-1]['device_id']}", key=gate.reader)).json
        too_many = await gate.ask("GET", "/api/devices?limit=100000", key=gate.reader)

        assert [one["name"] for one in first + rest] == ["1", "2", "3"]
        assert too_many.status == 400
        assert too_many.json["error"].startswith("limit cannot be used")
        assert (await gate.ask("GET", "/api/alarms", key=gate.reader)).json == []
        assert (await gate.ask("GET", "/api/incidents", key=gate.reader)).json == []

    at_gate(tmp_path, scenario)


def test_without_a_right_key_nothing_is_told_but_how_to_get_one(tmp_path):
    async def scenario(gate):
        made = await gate.keys.add(SUSI, KeyWish(name="Old", purpose=KeyPurpose.READER))
        assert (await gate.ask("GET", "/api/parking", key=made.token)).status == 200
        await gate.keys.revoke(SUSI, made.key.key_id)
        answers = {
            "none": await gate.ask("GET", "/api/parking"),
            "unknown": await gate.ask("GET", "/api/parking", key=f"wf_{'0' * 12}_{'a' * 43}"),
            "wrong": await gate.ask("GET", "/api/parking", key=gate.reader[:-4] + "AAAA"),
            "revoked": await gate.ask("GET", "/api/parking", key=made.token),
            "edge": await gate.ask("GET", "/api/parking", key=gate.edge),
        }

        assert {name: answer.status for name, answer in answers.items()} == {
            "none": 401,
            "unknown": 401,
            "wrong": 401,
            "revoked": 401,
            "edge": 403,
        }
        assert answers["none"].headers["www-authenticate"].startswith("Bearer")
        assert answers["revoked"].json["error"] == "This device key was revoked."
        assert (await gate.ask("GET", "/api/parking", headers={"X-Device-Key": gate.reader})).status == 200

    at_gate(tmp_path, scenario)


def test_guessing_a_key_gets_slower_and_locks_neither_the_key_nor_its_neighbours(tmp_path):
    async def scenario(gate):
        wrong = gate.reader[:-4] + "AAAA"
        for _ in range(6):
            assert (await gate.ask("GET", "/api/parking", key=wrong)).status == 401
        locked = await gate.ask("GET", "/api/parking", key=wrong)
        gate.later(1.5)
        again = await gate.ask("GET", "/api/parking", key=wrong)
        longer = await gate.ask("GET", "/api/parking", key=wrong)

        assert (locked.status, locked.headers["retry-after"]) == (429, "1")
        assert (again.status, longer.status, longer.headers["retry-after"]) == (401, 429, "2")
        assert (await gate.post(jpeg())).status == 202, "a neighbour behind the same address is locked out"
        web = {key.name: key for key in gate.keys.keys(SUSI)}["Web"]
        assert web.n_refused == 0, "who merely names a key is no refusal of its holder"
        assert any(source.source == "127.0.0.1" for source in gate.book.bad_sources())

    at_gate(tmp_path, scenario)


def test_each_key_has_a_pace_of_its_own(tmp_path):
    async def scenario(gate):
        statuses = [(await gate.post(jpeg(seed=number))).status for number in range(6)]
        other = await gate.ask("GET", "/api/parking", key=gate.reader)
        gate.later(1.0)
        later = (await gate.post(jpeg(seed=9))).status

        assert statuses == [202, 202, 202, 202, 429, 429]
        assert (other.status, later) == (200, 202)
        assert gate.book.bad_sources()[0].source == "Pi 1 (127.0.0.1)"
        assert "too fast" in gate.book.bad_sources()[0].last_error

    at_gate(tmp_path, scenario)


def test_wrong_addresses_and_methods_are_sentences_and_too_many_of_them_are_slowed_down(tmp_path):
    async def scenario(gate):
        nowhere = await gate.ask("GET", "/api/parkin")
        method = await gate.ask("DELETE", "/api/parking")
        long = await gate.ask("GET", "/api/parking?x=" + "a" * MAX_QUERY_BYTES)
        statuses = [(await gate.ask("GET", f"/{number}")).status for number in range(30)]

        assert (nowhere.status, nowhere.json["hint"]) == (404, "See /api/openapi.json.")
        assert (method.status, method.json["hint"]) == (405, "It knows GET.")
        assert long.status == 414
        assert statuses[-1] == 429
        assert (await gate.ask("GET", "/api/parking", key=gate.reader)).status == 200

    at_gate(tmp_path, scenario)


def test_one_address_cannot_take_all_connections(tmp_path):
    async def scenario(gate):
        opened = [await asyncio.open_connection(gate.host, int(gate.port)) for _ in range(MAX_CONNECTIONS_OF_ADDRESS)]
        reader, writer = await asyncio.open_connection(gate.host, int(gate.port))
        said = await asyncio.gather(reader.read(1), return_exceptions=True)
        assert said == [b""] or isinstance(said[0], ConnectionError), "one too many is served"
        for _, each in (*opened, (reader, writer)):
            each.close()
        while gate.server.n_connections:
            await asyncio.sleep(0.01)

        assert (await gate.ask("GET", "/api/parking", key=gate.reader)).status == 200

    at_gate(tmp_path, scenario)


def test_only_supervisors_make_and_revoke_keys_and_the_audit_says_so(tmp_path):
    async def scenario(gate):
        with pytest.raises(NotPermittedError):
            await gate.keys.add(OLGA, KeyWish(name="x", purpose=KeyPurpose.READER))
        with pytest.raises(BadInputError, match="one camera of one lot"):
            await gate.keys.add(SUSI, KeyWish(name="x", purpose=KeyPurpose.EDGE, lot_id="market"))
        key = gate.keys.keys(SUSI)[0]
        await gate.keys.revoke(SUSI, key.key_id)
        await gate.post(jpeg())
        await gate.keys.store_counts()
        before = gate.keys.keys(SUSI)
        await gate.keys.load()
        rows = await gate.store.read(lambda session: [tuple(row) for row in session.execute(AUDIT)])

        assert rows == [
            ("susi", "gateway.add_key"),
            ("susi", "gateway.add_key"),
            ("susi", "gateway.revoke_key"),
        ]
        assert gate.keys.keys(SUSI) == tuple(replace(key, last_refusal="") for key in before)
        text = await gate.store.read(lambda session: repr(session.execute(KEYS).all()))
        assert gate.edge.rsplit("_", 1)[1] not in text

    from sqlalchemy import select
    from sqlalchemy import text as sql

    from core.store.tables import AuditRow

    AUDIT = select(AuditRow.actor, AuditRow.action).order_by(AuditRow.sequence)  # noqa: N806
    KEYS = sql("SELECT * FROM gateway_key")  # noqa: N806
    at_gate(tmp_path, scenario)


def test_it_listens_on_other_addresses_with_a_certificate_only():
    async def run():
        with pytest.raises(BadInputError, match="without a certificate"):
            await HttpServer(None, host="0.0.0.0", port=0).start()
        with pytest.raises(BadInputError, match="cannot be used"):
            await HttpServer(None, host="127.0.0.1", port=0, certificate_file="/nowhere.crt").start()

    asyncio.run(run())


def test_a_port_that_is_taken_is_told_and_opened_once_it_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr("core.node.http_door.RETRY_S", 0.05)
    raised, returned = [], []

    async def scenario(gate):
        other = HttpServer(None, host="127.0.0.1", port=int(gate.port))
        with pytest.raises(UnavailableError, match=gate.port):
            await other.start()
        door = HttpDoor(
            GatewaySettings(enabled=True, port=int(gate.port)),
            keys=gate.keys,
            clock=FakeClock(),
            raise_condition=raised.append,
            return_condition=returned.append,
        )
        running = asyncio.create_task(door.run(lambda: gate.room))
        while not raised:
            await asyncio.sleep(0.01)
        assert (door.report().state.value, door.report().address) == ("failed", "")
        await gate.server.stop()
        while not returned:
            await asyncio.sleep(0.01)
        assert door.report().address == f"http://127.0.0.1:{gate.port}"
        assert (await gate.ask("GET", "/api/parking", key=gate.reader)).status == 200
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(gate.port))

    at_gate(tmp_path, scenario)
    assert raised[0].kind == "gateway"
    assert returned[0] == raised[0].condition_key
