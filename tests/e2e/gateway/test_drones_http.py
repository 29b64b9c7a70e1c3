"""Drones by HTTP: the drone seed's senders, several drones by id, bad input, and who may not speak."""

import asyncio
import json
import struct

import pytest
import websockets.asyncio.client as websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.cameras.model import Camera, CameraChanged
from core.drones.model import DroneReport
from core.gateway.telemetry import SEED_FIELDS
from core.kernel.geo import GeoPoint
from core.vision.model import Mask, MaskKind, Scene
from tests.fixtures.http_gate import Gate, at_gate, jpeg
from tests.fixtures.room import SUSI

JSON = {"Content-Type": "application/json"}
SEED = {
    "pitch": 350.0, "yaw": -1.0, "roll": 5.0, "gpsx": 8.54, "gpsy": 47.37, "gpsz": 520.0, "pressure": 955.0,
    "altitude": 510.0, "temp": 21.5, "Vx": 3.0, "Vy": 4.0, "Vz": 1.0, "Ax": 0.1, "Ay": 0.2, "Az": 9.8,
    "Gx": 0.0, "Gy": 0.0, "Gz": 3.14159265, "last_qr_reading": "A-17",
}  # fmt: skip


async def post_data(gate: Gate, fields: object, *, key: str = "", path: str = "/api/data"):
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return await gate.ask("POST", path, key=key, body=body, headers=JSON)


def test_the_seeds_sender_is_answered_to_the_byte_and_its_units_are_ours(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True

        answer = await post_data(gate, SEED)
        latest = await gate.ask("GET", "/api/latest")

        assert (answer.status, answer.body) == (201, b'{"message":"Data saved!"}\n')
        assert answer.headers["content-type"] == "application/json"
        assert {key: latest.json[key] for key in SEED_FIELDS} == SEED
        assert latest.json["timestamp"] == gate.clock.now().replace(tzinfo=None).isoformat()
        (state,) = gate.drones.states()
        assert state.position is not None
        assert state.position.point == GeoPoint(47.37, 8.54)
        assert state.value("pitch_deg") == pytest.approx(-10.0)
        assert state.value("heading_deg") == pytest.approx(359.0)
        assert state.value("rate_z_dps") == pytest.approx(180.0)
        assert state.value("ground_speed_mps") == pytest.approx(5.0)
        assert state.value("velocity_down_mps") == -1.0
        assert [text.text for text in state.texts] == ["QR code: A-17"]

    at_gate(tmp_path, scenario)


def test_before_anybody_spoke_nothing_is_said_to_be_zero(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        latest = await gate.ask("GET", "/api/latest")
        code = await post_data(gate, {"last_qr_reading": "A"}, path="/api/qrdata")
        await post_data(gate, {"temp": 20.0})
        after = await post_data(gate, {"last_qr_reading": "B"}, path="/api/qrdata")

        assert (latest.status, latest.json["message"]) == (404, "No data available")
        assert latest.json["error"] == "No such drone has told its state yet."
        assert (code.status, code.json) == (404, {"error": "No data to update"})
        assert (after.status, after.json) == (200, {"message": "QR Data updated!"})
        known = (await gate.ask("GET", "/api/latest")).json
        assert (known["temp"], known["pitch"], known["gpsx"], known["last_qr_reading"]) == (20.0, None, None, "B")

    at_gate(tmp_path, scenario)


def test_what_cannot_be_is_left_out_by_its_name_and_the_rest_counts(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        body = (
            b'{"pitch": NaN, "roll": "5", "yaw": null, "temp": 1e999, "pressure": true, "gpsx": 0, "gpsy": 0.0,'
            b'"gpsz": 0, "Ax": 1e6, "Ay": 1' + b"0" * 400 + b', "Az": 9.8, "ts": 12.0, "colour": "red"}'
        )

        answer = await post_data(gate, body)

        assert answer.status == 201
        assert set(answer.json["ignored"]) == {"pitch", "roll", "temp", "pressure", "Ax", "Ay", "ts", "colour"}
        (state,) = gate.drones.states()
        assert {key for key in state.values if not key.startswith("home")} == {"acceleration_z_mps2"}
        assert state.position is None
        assert state.sent_at is None
        (source,) = gate.book.bad_sources()
        assert "pitch is not finite" in source.last_error

    at_gate(tmp_path, scenario)


def test_what_is_no_state_at_all_is_refused_with_a_sentence(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        bodies = (b"", b"[]", b"null", b"{", b'{"pitch": 1', b"\xff\xfe", b"[" * 30_000, b'{"pitch": "up"}', b"{}" * 9)
        for body in bodies:
            answer = await post_data(gate, body)
            assert answer.status == 400, body[:20]
            assert answer.json["error"].endswith(".")
        assert not gate.drones.states()

    at_gate(tmp_path, scenario)


def test_too_large_is_refused_before_it_is_read(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        head = "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000000\r\n\r\n"
        for path in ("/api/data", "/api/video"):
            answer = await gate.send_raw(head.format(path).encode() + b"x" * 5000)
            assert answer.status == 413

    at_gate(tmp_path, scenario)


def test_each_drone_has_its_key_and_nobody_else_speaks_for_it(tmp_path):
    async def scenario(gate: Gate) -> None:
        alpha, bravo = await gate.drone_key("alpha"), await gate.drone_key("bravo")

        assert (await post_data(gate, {"temp": 1.0})).status == 401
        assert (await post_data(gate, {"temp": 1.0}, key=gate.reader)).status == 403
        assert (await post_data(gate, {"temp": 1.0}, key=alpha)).status == 201
        assert (await post_data(gate, {"temp": 2.0, "droneId": "bravo"}, key=bravo)).status == 201
        assert (await post_data(gate, {"temp": 3.0, "droneId": "alpha"}, key=bravo)).status == 403
        gate.is_keyless = True
        assert (await post_data(gate, {"temp": 4.0, "droneId": "alpha"})).status == 403
        assert (await post_data(gate, {"temp": 4.0}, key="wf_wrong")).status == 401

        assert (await gate.ask("GET", "/api/latest", key=alpha)).json["temp"] == 1.0
        assert (await gate.ask("GET", "/api/latest?drone=alpha", key=gate.reader)).json["temp"] == 1.0
        found = (await gate.ask("GET", "/api/drones", key=gate.reader)).json
        assert [(one["drone_id"], one["link"]) for one in found] == [("alpha", "live"), ("bravo", "live")]
        assert found[0]["position"] is None
        assert found[0]["battery_percent"] is None

    at_gate(tmp_path, scenario)


def test_a_page_of_somebody_else_gets_nothing_where_no_key_is_needed(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        for origin, host in (("http://evil.example", "127.0.0.1:8480"), ("http://evil.example", "evil.example")):
            answer = await gate.ask("GET", "/api/drones", headers={"Origin": origin, "Host": host})
            assert answer.status == 403
        own = {"Origin": "http://127.0.0.1:8480", "Host": "127.0.0.1:8480"}
        assert (await gate.ask("GET", "/api/drones", headers=own)).status == 200

    at_gate(tmp_path, scenario)


def test_a_flood_from_one_drone_is_refused_and_its_neighbour_is_served(tmp_path):
    async def scenario(gate: Gate) -> None:
        alpha, bravo = await gate.drone_key("alpha"), await gate.drone_key("bravo")
        statuses = [(await post_data(gate, {"temp": 1.0}, key=alpha)).status for _ in range(110)]
        assert statuses.count(201) == 100
        assert statuses[-1] == 429
        assert (await post_data(gate, {"temp": 1.0}, key=bravo)).status == 201

    at_gate(tmp_path, scenario)


def test_the_link_is_lost_by_telemetry_alone_however_long_pictures_come(tmp_path):
    async def scenario(gate: Gate) -> None:
        key = await gate.drone_key("alpha")
        await post_data(gate, {"temp": 1.0}, key=key)
        for number in range(6):
            gate.later(1.0)
            await gate.ask("POST", "/api/video", key=key, body=jpeg(seed=number))
            gate.drones.watch()
        (found,) = (await gate.ask("GET", "/api/drones", key=gate.reader)).json
        assert found["link"] == "lost"
        assert found["heard_age_s"] == pytest.approx(6.0)
        assert found["values"]["temperature_c"] == {"value": 1.0, "age_s": 6.0, "stale_s": 10.0}
        assert (await gate.ask("GET", "/api/latest", key=key)).json["ageS"] == pytest.approx(6.0)

    at_gate(tmp_path, scenario)


def test_a_posted_picture_is_its_drones_camera_and_keeps_its_age(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        picture = jpeg()
        octets = {"Content-Type": "application/octet-stream"}

        answer = await gate.ask("POST", "/api/video?drone=seed", body=picture, headers=octets)

        assert (answer.status, answer.body) == (200, b'{"message":"Frame received"}\n')
        assert (gate.pictures / "drone-seed.jpg").read_bytes() == picture
        assert not (await gate.ask("GET", "/api/drones")).json[0]["heard_age_s"]
        gate.later(3.0)
        again = await gate.ask("POST", "/api/video?drone=seed", body=picture, headers=octets)
        assert again.json["standing"] == "duplicate"
        shown = await gate.ask("GET", "/api/drones/seed/frame")
        assert shown.body == picture
        assert float(shown.headers["x-age-s"]) == pytest.approx(3.0)
        for bad in (b"", b"no picture", picture[:-200], b"\xff\xd8\xff" + b"x" * 500):
            assert (await gate.ask("POST", "/api/video?drone=seed", body=bad, headers=octets)).status == 400

    at_gate(tmp_path, scenario)


def test_a_picture_with_a_private_part_is_shown_by_its_camera_only(tmp_path):
    async def scenario(gate: Gate) -> None:
        key = await gate.drone_key("alpha")
        corner = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
        masked = Scene(masks=(Mask(key="m", name="Yard", kind=MaskKind.PRIVACY, polygon=corner),))
        gate.cameras["drone-alpha"] = Camera(camera_id="drone-alpha", name="A", address="edge:", scene=masked)
        await gate.ask("POST", "/api/video", key=key, body=jpeg())
        assert (gate.pictures / "drone-alpha.jpg").exists()
        assert (await gate.ask("GET", "/api/drones/alpha/frame", key=gate.reader)).status == 404

    at_gate(tmp_path, scenario)


def test_a_picture_from_before_a_mask_was_drawn_is_shown_to_nobody_any_more(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        await gate.ask("POST", "/api/video?drone=d1", body=jpeg())
        assert (await gate.ask("GET", "/api/drones/d1/frame")).status == 200
        mask = Mask(key="m", name="Yard", kind=MaskKind.PRIVACY, polygon=((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)))
        camera = Camera(camera_id="drone-d1", name="Drone d1", address="edge:", scene=Scene(masks=(mask,)))
        gate.bus.publish(CameraChanged(camera=camera))

        # The drone sent nothing since.
        assert (await gate.ask("GET", "/api/drones/d1/frame")).status == 404

    at_gate(tmp_path, scenario)


def test_who_has_no_key_is_refused_as_soon_as_the_drone_is_heard_elsewhere(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        assert (await post_data(gate, {"temp": 20.0, "droneId": "mav-1"})).status == 201
        gate.drones.take(DroneReport(drone_id="mav-1", link_id="udp-14550", at=gate.clock.now()))
        refused = await post_data(gate, {"temp": 99.0, "droneId": "mav-1"})

        assert refused.status == 403
        assert "heard on another link" in refused.json["error"]
        assert gate.drones.state("mav-1").value("temperature_c") == 20.0

    at_gate(tmp_path, scenario)


def test_nothing_here_arms_a_drone(tmp_path):
    async def scenario(gate: Gate) -> None:
        gate.is_keyless = True
        assert (await gate.ask("POST", "/api/arm")).status == 405

    at_gate(tmp_path, scenario)


def test_a_socket_takes_states_and_pictures_and_tells_viewers_both(tmp_path):
    async def scenario(gate: Gate) -> None:
        drone_key = await gate.drone_key("alpha")
        address = f"ws://{gate.host}:{gate.port}/api/stream"
        picture = jpeg()
        async with (
            websockets.connect(address, additional_headers={"Authorization": f"Bearer {drone_key}"}) as drone,
            websockets.connect(address, subprotocols=["watchfloor", f"key.{gate.reader}"]) as viewer,
        ):
            assert viewer.subprotocol == "watchfloor"
            await viewer.send('{"watch":["alpha"]}')
            await drone.send(json.dumps(SEED))
            await drone.send(picture)
            states = pictures = None
            async with asyncio.timeout(10.0):
                while states is None or pictures is None:
                    message = await viewer.recv()
                    if isinstance(message, bytes):
                        pictures = message
                    elif json.loads(message)["drones"]:
                        (states,) = json.loads(message)["drones"]
                await drone.send("no state")
                assert "JSON" in json.loads(await drone.recv())["error"]
                await viewer.send(json.dumps(SEED))
                assert "reading" in json.loads(await next_error(viewer))["error"]

            (length,) = struct.unpack_from(">H", pictures)
            assert json.loads(pictures[2 : 2 + length])["drone_id"] == "alpha"
            assert pictures[2 + length :] == picture
            assert states["position"] == {"lat": 47.37, "lon": 8.54}

            await gate.keys.revoke(SUSI, gate.keys.find(drone_key).key_id)
            async with asyncio.timeout(10.0):
                await drone.send(json.dumps(SEED))
                with pytest.raises(ConnectionClosed):
                    await drone.recv()

    at_gate(tmp_path, scenario)


async def next_error(viewer) -> str:
    while "error" not in (message := await viewer.recv()):
        pass
    return message


def test_a_socket_without_a_key_is_refused_and_places_are_given_back(tmp_path):
    async def scenario(gate: Gate) -> None:
        address = f"ws://{gate.host}:{gate.port}/api/stream"
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(address)
        assert refused.value.response.status_code == 401
        for _ in range(10):
            async with websockets.connect(address, subprotocols=["watchfloor", f"key.{gate.reader}"]):
                pass
        async with asyncio.timeout(10.0):
            while gate.server.n_connections:
                await asyncio.sleep(0.01)

    at_gate(tmp_path, scenario)


def test_the_page_carries_everything_itself(tmp_path):
    async def scenario(gate: Gate) -> None:
        answer = await gate.ask("GET", "/")
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert b"http://" not in answer.body
        assert b"https://" not in answer.body

    at_gate(tmp_path, scenario)
