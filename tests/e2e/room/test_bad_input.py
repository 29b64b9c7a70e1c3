"""Bad input of every kind gives a sentence with a way out, and the rest of the room goes on."""

import json
import sqlite3

import av
import pytest

from core.cameras.model import Camera
from core.field.model import LinkState
from core.kernel.errors import ConsoleError, NotPermittedError
from core.media.model import ProbeResult, SourceSpec, StreamState
from core.sim.rtsp import Content
from core.vision.model import Mask, Scene
from tests.fixtures.link import PASSWORD, at_desk

pytestmark = pytest.mark.timeout(120)


def test_a_misspelt_setting_calls_an_operator_with_file_and_key(start_node, tmp_path):
    file = tmp_path / "watchfloor.toml"
    file.write_text("[vision]\nthreds = 2\n[broker]\nport = 'many'\n", encoding="utf-8")
    node = start_node("vision.model=demo", arguments=["--settings", str(file)])

    async def scenario(desk):
        await desk.enter()
        await desk.until(lambda: sum(alarm.kind == "settings" for alarm in desk.alarms.values()) == 2, "two alarms")
        details = " ".join(alarm.detail for alarm in desk.alarms.values() if alarm.kind == "settings")
        assert str(file) in details
        assert "vision.threds" in details
        assert "did you mean 'threads'" in details
        assert "broker.port" in details

    at_desk(node.folder, scenario)


def test_a_model_file_that_is_none_is_named_and_the_pictures_go_on(start_node, tmp_path):
    model = tmp_path / "model.onnx"
    model.write_text("this is no model", encoding="utf-8")
    node = start_node(f"vision.model={model}")

    async def scenario(desk):
        await desk.enter()
        camera = await desk.client.call(
            "cameras.add", Camera, camera=Camera(camera_id="", name="Test", address="synthetic:a"), password=""
        )
        alarm = await desk.until(lambda: desk.alarm("model"), "an alarm about the model")
        assert str(model) in alarm.detail
        await desk.until(
            lambda: camera.camera_id in desk.streams and desk.streams[camera.camera_id].state is StreamState.LIVE,
            "a live camera",
        )

    at_desk(node.folder, scenario)


def test_a_graphics_card_that_is_not_there_is_named_and_software_decodes(start_node, start_camera):
    node = start_node("vision.model=demo", "vision.hardware_decode=cuda:7")
    camera = start_camera()

    async def scenario(desk):
        await desk.enter()
        added = await desk.client.call(
            "cameras.add", Camera, camera=Camera(camera_id="", name="Test", address=camera.url), password=""
        )
        report = await desk.until(
            lambda: (found := desk.streams.get(added.camera_id)) and found.state is StreamState.LIVE and found,
            "a live camera",
        )
        health = await desk.until(
            lambda: desk.health is not None and desk.health.decoder and desk.health, "its decoder"
        )

        assert report.decoder == health.decoder == "software"
        assert health.decoder_reason
        notice = next(one for one in health.notices if one.key == "hardware")
        assert "cuda:7 is set" in notice.message
        assert notice.hint

    at_desk(node.folder, scenario)


def test_a_broker_that_refuses_is_named_and_the_cameras_go_on(start_node, mosquitto_with_password):
    broker = mosquitto_with_password
    node = start_node(
        f"broker.host={broker.host}",
        f"broker.port={broker.port}",
        "broker.username=core",
        "vision.model=demo",
        environment={"WATCHFLOOR_SECRET_BROKER": "wrong"},
    )

    async def scenario(desk):
        await desk.enter()
        alarm = await desk.until(lambda: desk.alarm("broker"), "an alarm about the broker", 60)
        assert broker.host in alarm.detail
        assert desk.health.link.state is LinkState.REFUSED
        assert desk.health.link.reason

    at_desk(node.folder, scenario)


def test_a_database_of_a_newer_version_is_left_alone_and_named_at_the_door(start_node, tmp_path):
    folder = tmp_path / "node-0"
    folder.mkdir()
    with sqlite3.connect(folder / "watchfloor.sqlite3") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    before = (folder / "watchfloor.sqlite3").read_bytes()
    node = start_node()

    async def scenario(desk):
        site = await desk.knock()
        for _ in range(100):
            if any("newer" in notice for notice in site.notices):
                break
            site = await desk.knock()
        assert any("newer" in notice for notice in site.notices), site.notices
        assert not site.is_ready
        with pytest.raises(ConsoleError, match="newer"):
            await desk.client.call("session.sign_in", name="dana", password=PASSWORD, desk="x")

    at_desk(node.folder, scenario)
    assert (folder / "watchfloor.sqlite3").read_bytes() == before


def test_a_database_that_is_locked_is_named_at_the_door_and_taken_when_it_is_free(start_node, tmp_path):
    folder = tmp_path / "node-0"
    folder.mkdir()
    database = sqlite3.connect(folder / "watchfloor.sqlite3", isolation_level=None)
    database.execute("CREATE TABLE mine (x)")
    database.execute("DROP TABLE mine")
    database.execute("BEGIN EXCLUSIVE")
    node = start_node()

    async def scenario(desk):
        site = await desk.knock()
        while not any("lock" in notice or "busy" in notice or "another" in notice for notice in site.notices):
            site = await desk.knock()
        assert not site.is_ready
        database.execute("COMMIT")
        database.close()
        await desk.enter()

    at_desk(node.folder, scenario)


def test_a_private_part_stays_black_when_the_camera_or_its_address_is_tested(start_node, start_camera):
    node = start_node("vision.model=demo")
    camera = start_camera()
    left = Mask(key="left", name="Garden", polygon=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))

    async def scenario(desk):
        await desk.enter()

        async def look(camera_id):
            found = await desk.client.call(
                "cameras.test", ProbeResult, source=SourceSpec(address=camera.url), camera_id=camera_id
            )
            (frame,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(found.thumbnail_jpeg))
            picture = frame.to_ndarray(format="gray")
            middle = picture.shape[1] // 2
            return picture[:, : middle - 4].max(), picture[:, middle + 4 :].max()

        before = await look("")
        added = await desk.client.call(
            "cameras.add", Camera, camera=Camera(camera_id="", name="Test", address=camera.url), password=""
        )
        await desk.client.call(
            "cameras.save_scene",
            Camera,
            camera_id=added.camera_id,
            scene=Scene(masks=(left,)),
            version=added.version,
            note="",
        )
        for camera_id in (added.camera_id, ""):
            private, public = await look(camera_id)
            assert private < 10
            assert public > 30
        assert min(before) > 30

    at_desk(node.folder, scenario)


def test_a_camera_address_is_tested_before_it_is_saved_and_every_fault_has_its_sentence(start_node, start_camera):
    node = start_node("vision.model=demo")
    secret = start_camera(username="guard", password="right")
    silent = start_camera()
    silent.show(Content.AUDIO_ONLY)
    broken = start_camera()
    broken.show(Content.CORRUPT)

    async def scenario(desk):
        await desk.enter()

        async def test(address, **login):
            return await desk.client.call(
                "cameras.test", ProbeResult, source=SourceSpec(address=address, **login), camera_id=""
            )

        wrong = await test(secret.url, username="guard", password="wrong")
        right = await test(secret.url, username="guard", password="right")
        nobody = await test("rtsp://127.0.0.1:9/stream")
        audio = await test(silent.url)
        corrupt = await test(broken.url)
        missing = await test("/nowhere/clip.mp4")

        assert right.ok
        assert (right.width, right.height) != (0, 0)
        assert right.thumbnail_jpeg.startswith(b"\xff\xd8")
        for result in (wrong, nobody, audio, corrupt, missing):
            assert not result.ok
            assert result.message
            assert result.hint, result.message
        assert "password" in (wrong.message + wrong.hint).lower()
        assert len({result.message for result in (wrong, nobody, audio, corrupt, missing)}) == 5
        assert "wrong" not in wrong.message, "a password is never repeated"

    at_desk(node.folder, scenario)


def test_a_viewer_may_look_and_change_nothing(start_node):
    node = start_node("vision.model=demo")

    async def scenario(desk):
        await desk.enter()
        await desk.client.call("users.add", name="vera", password="nine small owls", role=1)
        await desk.client.call("session.sign_out")
        await desk.client.call("session.sign_in", name="vera", password="nine small owls", desk="Desk 9")
        await desk.client.call("room.snapshot")
        draft = Camera(camera_id="", name="Mine", address="synthetic:a")

        for verb, arguments in {
            "cameras.add": {"camera": draft, "password": ""},
            "cameras.test": {"source": SourceSpec(address="synthetic:a"), "camera_id": ""},
            "users.list": {},
            "alarms.acknowledge": {"alarm_id": "x", "occurrence": "y", "version": 1},
            "alarms.comment": {"alarm_id": "x", "text": "hello"},
        }.items():
            with pytest.raises(NotPermittedError):
                await desk.client.call(verb, **arguments)

    at_desk(node.folder, scenario)


def test_nobody_becomes_administrator_without_the_key_of_the_node_s_machine(start_node):
    node = start_node()

    async def scenario(desk):
        while not (await desk.knock()).is_ready:
            pass
        with pytest.raises(NotPermittedError):
            await desk.client.call(
                "session.create_administrator", name="eve", password=PASSWORD, desk="x", key="guessed ü"
            )
        with pytest.raises(NotPermittedError):
            await desk.client.call("session.demo", key="guessed", desk="x")

    at_desk(node.folder, scenario)
    assert (node.folder / "node.json").stat().st_mode & 0o077 == 0
    assert json.loads((node.folder / "node.json").read_text())["key"]
