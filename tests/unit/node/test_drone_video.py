"""A drone's pictures have one camera: made once, found again, and never more than a wall can take."""

import asyncio
from dataclasses import replace

import pytest

from core.access.model import SYSTEM, Actor, Role
from core.cameras.model import Camera
from core.cameras.service import CameraService
from core.drones.history import DroneHistory
from core.drones.model import DroneReport
from core.drones.service import DroneService
from core.gateway.http.refusal import Refused
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError
from core.kernel.secrets import Secrets
from core.node import drone_video
from core.node.drone_video import DroneVideo, as_flown
from core.node.http_door import is_in_networks
from core.store.engine import open_store, sqlite_url
from core.vision.model import ObservationKind, RuleSetting, Scene
from core.vision.tuning import Tuning


def in_room(tmp_path, body):
    async def run():
        clock, bus = FakeClock(), Bus()
        store = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=clock)
        history = DroneHistory(store=store, bus=bus, clock=clock, folder=tmp_path / "drones")
        drones = DroneService(store=store, bus=bus, clock=clock, history=history)
        cameras = CameraService(store, bus, clock, Secrets())
        for name in ("a", "b"):
            drones.take(DroneReport(drone_id=name, link_id="http", at=clock.now()))
        try:
            await body(drones, cameras)
        finally:
            await drones.close()
            await store.close()

    asyncio.run(run())


def test_it_is_made_once_however_many_pictures_come_at_once(tmp_path):
    async def body(drones, cameras):
        watched = {}
        video = DroneVideo(drones=drones, cameras=cameras, camera=watched.get)

        first, second = await asyncio.gather(video.camera_of("a"), video.camera_of("a"))

        assert first == second
        assert (first.camera_id, first.address, drones.drone("a").camera_id) == ("drone-a", "edge:", "drone-a")
        assert [camera.camera_id for camera in await cameras.list()] == ["drone-a"]
        watched["drone-a"] = replace(first, is_enabled=False)
        assert not (await video.camera_of("a")).is_enabled
        again = DroneVideo(drones=drones, cameras=cameras, camera={}.get)
        assert (await again.camera_of("a")).camera_id == "drone-a"

    in_room(tmp_path, body)


def test_a_camera_that_an_operator_chose_is_taken(tmp_path):
    async def body(drones, cameras):
        await drones.save(SYSTEM, replace(drones.drone("a"), camera_id="yard"))
        yard = object()
        video = DroneVideo(drones=drones, cameras=cameras, camera={"yard": yard}.get)
        assert await video.camera_of("a") is yard
        assert not await cameras.list()

    in_room(tmp_path, body)


def test_there_are_not_more_than_a_wall_can_take(tmp_path, monkeypatch):
    monkeypatch.setattr(drone_video, "MAX_CAMERAS", 1)

    async def body(drones, cameras):
        video = DroneVideo(drones=drones, cameras=cameras, camera={}.get)
        await video.camera_of("a")
        with pytest.raises(Refused):
            await video.camera_of("b")

    in_room(tmp_path, body)


@pytest.mark.parametrize(
    ("networks", "address", "is_in"),
    [
        ("", "127.0.0.1", False),
        ("192.168.4.0/24", "192.168.4.9", True),
        ("192.168.4.0/24, 127.0.0.1", "::ffff:127.0.0.1", True),
        ("192.168.4.0/24", "192.168.5.9", False),
        ("10.0.0.0/8", "?", False),
    ],
)
def test_only_named_networks_need_no_key(networks, address, is_in):
    assert is_in_networks(networks)(address) is is_in


SUPERVISOR = Actor(name="sven", role=Role.SUPERVISOR, desk="1")


def says(drones, uri):
    drones.take(DroneReport(drone_id="a", link_id="http", at=FakeClock().now(), video_uri=uri))


def test_a_stream_that_a_drone_tells_of_is_its_camera_once_a_supervisor_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(Secrets, "set_secret", lambda _self, name, value: kept.update({name: value}))
    kept = {}

    async def body(drones, cameras):
        says(drones, "rtsp://pilot:geheim@10.0.0.4:8554/down")
        video = DroneVideo(drones=drones, cameras=cameras, camera={}.get)
        with pytest.raises(NotPermittedError):
            await video.add_said(replace(SUPERVISOR, role=Role.OPERATOR), "a")

        added = await video.add_said(SUPERVISOR, "a")

        assert drones.drone("a").camera_id == added.camera_id
        assert (added.address, added.username, added.has_password) == (
            "rtsp://10.0.0.4:8554/down",
            "pilot",
            True,
        )
        assert added.detect_fps > 0, "what it sees from above is looked at"
        assert list(kept.values()) == ["geheim"]

    in_room(tmp_path, body)


def test_consoles_and_records_see_no_password_of_a_stream(tmp_path):
    async def body(drones, _cameras):
        says(drones, "rtsp://pilot:geheim@10.0.0.4/down")

        assert drones.state("a").video_uri == "rtsp://10.0.0.4/down"
        assert drones.said_video("a") == "rtsp://pilot:geheim@10.0.0.4/down"

    in_room(tmp_path, body)


def test_what_cannot_be_watched_over_the_network_is_no_camera(tmp_path):
    async def body(drones, cameras):
        video = DroneVideo(drones=drones, cameras=cameras, camera={}.get)
        for uri in ("", "udp://0.0.0.0:5600", "file:///etc/passwd", "5600"):
            says(drones, uri)
            with pytest.raises(BadInputError):
                await video.add_said(SUPERVISOR, "a")
        assert await cameras.list() == ()

    in_room(tmp_path, body)


def test_a_camera_that_flies_is_not_watched_for_having_moved():
    moved, blind = ObservationKind.CAMERA_MOVED, ObservationKind.CAMERA_BLINDED
    tuned = RuleSetting(kind=moved.value, values={"turned_s": 30.0})
    wanted = RuleSetting(kind=moved.value, is_enabled=True)
    cameras = [
        Camera(camera_id=camera_id, name=camera_id, address="edge:", scene=Scene(rules=rules))
        for camera_id, rules in (("stands", ()), ("flies", ()), ("tuned", (tuned,)), ("wanted", (wanted,)))
    ]

    found = {one.camera_id: one.scene for one in as_flown(cameras, {"flies", "tuned", "wanted"})}

    assert {key: Tuning(scene).is_on(moved) for key, scene in found.items()} == {
        "stands": True,
        "flies": False,
        "tuned": False,
        "wanted": True,
    }
    assert all(Tuning(scene).is_on(blind) for scene in found.values())
    assert found["tuned"].rules[0].values == tuned.values
