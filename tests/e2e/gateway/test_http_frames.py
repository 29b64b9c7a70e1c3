"""Pictures of edge cameras over real HTTP: what is taken, what is refused and in which words."""

import asyncio

from core.cameras.model import Camera
from core.gateway.http.model import KeyPurpose, KeyWish
from core.gateway.http.pictures import picture_file
from core.gateway.http.routes import parking
from core.kernel.errors import BadInputError, UnavailableError
from core.parking.model import Lot
from tests.fixtures.http_gate import MAX_FRAME_BYTES, at_gate, jpeg, occupied, read_answer
from tests.fixtures.room import SUSI


def test_a_picture_is_taken_shown_and_handed_on_with_its_own_time(tmp_path):
    async def scenario(gate):
        picture, at = jpeg(), gate.clock.now()

        answer = await gate.post(picture, X_Captured_At=gate.ago(1.5), X_Sent_At=gate.ago(0), X_Sequence=7)

        assert (answer.status, answer.json["standing"]) == (202, "new")
        assert (answer.json["width"], answer.json["height"]) == (160, 120)
        lot, camera, seen, seen_at = gate.looked[0]
        assert (lot, camera, seen) == ("market", "north", picture)
        assert (at - seen_at).total_seconds() == 1.5
        assert picture_file(gate.pictures, "north").read_bytes() == picture
        assert [bay["bay_id"] for bay in answer.json["bays"]] == ["A1"]
        assert answer.json["bays"][0]["state"] == "unknown"

    at_gate(tmp_path, scenario)


def test_a_kept_picture_is_looked_at_for_the_history_alone_and_never_shown(tmp_path):
    async def scenario(gate):
        now = jpeg(seed=1)
        await gate.post(now, X_Captured_At=gate.ago(0), X_Sequence=7)
        old = await gate.post(jpeg(seed=2), X_Captured_At=gate.ago(3600), X_Sent_At=gate.ago(0), X_Historical="true")
        nameless = await gate.post(jpeg(seed=3), X_Historical="true")

        assert (old.status, old.json["standing"], old.json["is_looked_at"]) == (200, "historical", True)
        ((lot, camera, _, at),) = gate.looked_back
        assert (lot, camera, (gate.clock.now() - at).total_seconds()) == ("market", "north", 3600.0)
        assert len(gate.looked) == 1
        assert picture_file(gate.pictures, "north").read_bytes() == now
        assert (nameless.status, nameless.json["error"]) == (400, "A picture of the past needs X-Captured-At.")

    at_gate(tmp_path, scenario)


def test_the_sender_of_a_kept_picture_keeps_it_until_it_is_in_the_history(tmp_path, monkeypatch):
    monkeypatch.setattr(parking, "MAX_WAIT_S", 0.05)

    async def scenario(gate):
        async def others_first(_picture):
            raise UnavailableError("An older picture of this camera is looked at first.")

        async def slowly(_picture):
            await asyncio.Event().wait()

        past = {"X_Captured_At": gate.ago(3600), "X_Sent_At": gate.ago(0), "X_Historical": "true"}
        gate.look_back = others_first
        second = await gate.post(jpeg(seed=2), **past)
        gate.look_back = slowly
        waited = await gate.post(jpeg(seed=2), **past)

        assert (second.status, second.json["error"]) == (503, "An older picture of this camera is looked at first.")
        assert (waited.status, waited.json["error"]) == (503, "This picture of the past is not looked at yet.")
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in (second, waited))
        (key,) = (key for key in gate.keys.keys(SUSI) if key.name == "Pi 1")
        assert (key.n_accepted, key.n_refused) == (2, 0)

    at_gate(tmp_path, scenario)


def test_whoever_waits_learns_the_bays_that_this_picture_shows(tmp_path):
    async def scenario(gate):
        async def look(_picture):
            gate.parking.statuses["market"] = (occupied(gate, "A1"),)
            return True

        gate.look = look

        answer = await gate.post(jpeg(), path="/api/parking/market/frame?wait_s=5")

        assert answer.status == 200
        assert answer.json["bays"][0]["state"] == "occupied"

    at_gate(tmp_path, scenario)


def test_a_picture_that_turns_out_unusable_is_refused_or_counted_once_it_was_answered(tmp_path):
    async def scenario(gate):
        may_say = asyncio.Event()

        async def look(_picture):
            await may_say.wait()
            raise BadInputError("The picture cannot be decoded.")

        gate.look = look
        quick = await gate.post(jpeg(seed=1))
        may_say.set()
        patient = await gate.post(jpeg(seed=2), path="/api/parking/market/frame?wait_s=5")
        (key,) = (key for key in gate.keys.keys(SUSI) if key.name == "Pi 1")

        assert quick.status == 202
        assert (patient.status, patient.json["error"]) == (400, "The picture cannot be decoded.")
        assert (key.n_accepted, key.n_refused) == (1, 2)

    at_gate(tmp_path, scenario)


def test_before_bays_are_drawn_a_picture_is_shown_and_not_looked_at(tmp_path):
    async def scenario(gate):
        gate.parking.plans["market"] = Lot(lot_id="market", name="Market car park")

        answer = await gate.post(jpeg())

        assert answer.status == 202
        assert answer.json["note"] == "No bays are drawn on this camera yet."
        assert answer.json["is_looked_at"] is False
        assert gate.looked == []
        assert picture_file(gate.pictures, "north").exists()

    at_gate(tmp_path, scenario)


def test_a_form_with_a_file_does_as_well(tmp_path):
    async def scenario(gate):
        picture = jpeg()
        head = b'--xx\r\nContent-Disposition: form-data; name="frame"; filename="a.jpg"\r\n\r\n'
        form = head + picture + b"\r\n--xx--\r\n"

        whole = await gate.post(form, Content_Type="multipart/form-data; boundary=xx")
        cut = await gate.post(form[:-12], Content_Type="multipart/form-data; boundary=xx")

        assert whole.status == 202
        assert gate.looked[0][2] == picture
        assert (cut.status, cut.json["error"]) == (400, "The form is cut off: its last part does not end.")

    at_gate(tmp_path, scenario)


def test_what_is_no_whole_picture_is_refused_in_a_sentence(tmp_path):
    async def scenario(gate):
        picture = jpeg()
        bomb = bytearray(jpeg())
        at = bomb.index(b"\xff\xc0")
        bomb[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
        bodies = {
            "The body is empty.": b"",
            "The body is no JPEG picture.": jpeg(kind="PNG"),
            "The picture is cut off: its end is missing.": picture[: len(picture) // 2],
            "The picture is cut off or damaged: it does not say its size.": picture[:40],
            "The picture is too large: 65500 x 65500 pixels.": bytes(bomb),
            "The picture is too small: 40 x 30 pixels.": jpeg(40, 30),
        }
        for sentence, body in bodies.items():
            gate.later(1.0)
            answer = await gate.post(body)
            assert (answer.status, answer.json["error"]) == (400, sentence)
            assert answer.json["hint"]
        assert gate.looked == []
        assert not gate.pictures.exists()

    at_gate(tmp_path, scenario)


def test_late_double_frozen_and_overtaken_pictures_are_told_apart(tmp_path):
    async def scenario(gate):
        async def post(seed, sequence, *, age_s=0.0):
            gate.later(1.0)
            answer = await gate.post(
                jpeg(seed=seed), X_Captured_At=gate.ago(age_s), X_Sent_At=gate.ago(0), X_Sequence=sequence
            )
            assert answer.json["is_looked_at"] == (len(gate.looked) > len(before))
            return answer.status, answer.json["standing"]

        before = list(gate.looked)
        assert await post(1, 1) == (202, "new")
        before = list(gate.looked)
        assert await post(1, 1) == (200, "duplicate")
        assert await post(1, 2) == (200, "frozen")
        assert await post(2, 3, age_s=20.0) == (200, "overtaken")
        gate.later(60.0)
        assert await post(3, 4, age_s=40.0) == (202, "late")
        assert picture_file(gate.pictures, "north").read_bytes() == jpeg(seed=1), "what came late is shown as now"

    at_gate(tmp_path, scenario)


def test_a_wrong_clock_does_no_harm_and_is_told(tmp_path):
    async def scenario(gate):
        fast = await gate.post(jpeg(seed=1), X_Captured_At=gate.ago(-3600), X_Sent_At=gate.ago(-3600.5))
        gate.later(1.0)
        alone = await gate.post(jpeg(seed=2), X_Captured_At=gate.ago(-90))
        gate.later(1.0)
        dead = await gate.post(jpeg(seed=3), X_Captured_At="1970-01-01T00:00:12Z")
        gate.later(1.0)
        nonsense = await gate.post(jpeg(seed=4), X_Captured_At="yesterday")

        assert fast.json["skew_s"] > 3599
        assert "3,600 s fast" in fast.json["note"]
        assert "90 s fast" in alone.json["note"]
        assert [at for *_, at in gate.looked][1] == gate.clock.now() - (gate.clock.now() - gate.looked[1][3])
        assert (dead.status, dead.json["error"]) == (400, "The picture is said to be from 1970-01-01.")
        assert (nonsense.status, nonsense.json["error"]) == (400, "X-Captured-At cannot be read: 'yesterday'.")
        assert len(gate.looked) == 2

    at_gate(tmp_path, scenario)


def test_a_key_posts_for_its_own_camera_only(tmp_path):
    async def scenario(gate):
        async def key_for(lot, camera):
            wish = KeyWish(name=f"{lot} {camera}", purpose=KeyPurpose.EDGE, lot_id=lot, camera_id=camera)
            return (await gate.keys.add(SUSI, wish)).token

        gate.cameras["south"] = Camera(camera_id="south", name="South", address="rtsp://camera/1")
        gate.cameras["off"] = Camera(camera_id="off", name="Off", address="edge:", is_enabled=False)
        found = {
            "other lot": await gate.post(jpeg(), path="/api/parking/other/frame"),
            "other camera": await gate.post(jpeg(), X_Camera="south"),
            "reader": await gate.post(jpeg(), key=gate.reader),
            "lot gone": await gate.post(jpeg(), key=await key_for("gone", "north"), path="/api/parking/gone/frame"),
            "camera gone": await gate.post(jpeg(), key=await key_for("market", "gone")),
            "read by us": await gate.post(jpeg(), key=await key_for("market", "south")),
            "disabled": await gate.post(jpeg(), key=await key_for("market", "off")),
        }

        assert {what: answer.status for what, answer in found.items()} == {
            "other lot": 403,
            "other camera": 403,
            "reader": 403,
            "lot gone": 404,
            "camera gone": 404,
            "read by us": 409,
            "disabled": 409,
        }
        assert "camera north of lot market" in found["other lot"].json["error"]
        assert gate.looked == []

    at_gate(tmp_path, scenario)


def test_a_large_body_is_refused_before_it_came_and_one_without_a_length_while_it_comes(tmp_path):
    async def scenario(gate):
        announced = await gate.send_raw(
            f"POST /api/parking/market/frame HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gate.edge}\r\n"
            "Content-Length: 100000000\r\n\r\n".encode()
        )
        reader, writer = await asyncio.open_connection(gate.host, int(gate.port))
        answering = asyncio.create_task(read_answer(reader))
        writer.write(
            f"POST /api/parking/market/frame HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gate.edge}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        n_sent = 0
        try:
            while n_sent < 100_000_000 and not reader.at_eof():
                writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                n_sent += 0x10000
                await writer.drain()
        except ConnectionError:
            pass
        streamed = await answering
        writer.close()

        assert (announced.status, streamed.status) == (413, 413)
        assert announced.json["error"] == f"The body is too large: {MAX_FRAME_BYTES / 1e6:g} MB are taken."
        assert n_sent < 20_000_000
        assert gate.server.n_connections <= 1

    at_gate(tmp_path, scenario)


def test_a_sender_that_hangs_up_halfway_is_counted_and_others_go_on(tmp_path):
    async def scenario(gate):
        _, writer = await asyncio.open_connection(gate.host, int(gate.port))
        writer.write(
            f"POST /api/parking/market/frame HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gate.edge}\r\n"
            "Content-Length: 5000\r\n\r\nhalf".encode()
        )
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        while not gate.book.n_refused:
            await asyncio.sleep(0.01)

        assert (await gate.post(jpeg())).status == 202
        key = next(key for key in gate.keys.keys(SUSI) if key.name == "Pi 1")
        assert (key.n_accepted, key.n_refused) == (1, 1)
        assert key.last_refusal == "The sender hung up before the body was whole."

    at_gate(tmp_path, scenario)
