"""A drone's pictures have one camera: made once, found again, and never more than a wall can take."""

import asyncio
from dataclasses import replace

import pytest

from core.access.model import SYSTEM
from core.cameras.service import CameraService
from core.drones.history import DroneHistory
from core.drones.model import DroneReport
from core.drones.service import DroneService
from core.gateway.http.refusal import Refused
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.secrets import Secrets
from core.node import drone_video
from core.node.drone_video import DroneVideo
from core.node.http_door import is_in_networks
from core.store.engine import open_store, sqlite_url


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
