"""Cameras that change are read once for many changes, and until they could be read."""

import asyncio

import pytest

from core.access.model import SYSTEM
from core.cameras.many import CameraAt, CameraEdit
from core.cameras.model import Camera, CameraChanged
from core.kernel.clock import SystemClock
from core.kernel.errors import UnavailableError
from core.kernel.paths import Folders
from core.kernel.settings import Settings, StoreSettings, VisionSettings
from core.node import rereading
from core.node.node import Node
from core.node.rereading import Rereading
from core.node.standing_work import StandingWork
from core.vision.model import Mask, Scene
from tests.fixtures.nodes import knows_its_cameras, run_in, until
from tests.fixtures.postgres import postgres_server, postgres_url  # noqa: F401

pytestmark = pytest.mark.timeout(180)

MASK = Mask(key="window", name="Window", polygon=((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))
N_CAMERAS = 64


@pytest.fixture
def make_node(tmp_path, monkeypatch):
    monkeypatch.setattr(rereading, "AGAIN_S", 0.3)

    def make(url=""):
        settings = Settings(store=StoreSettings(url=url), vision=VisionSettings(model="demo"))
        return Node(settings, Folders(data=tmp_path / "data", runtime=tmp_path / "run"))

    return make


def a_camera(camera_id, *, is_enabled=False):
    return Camera(camera_id=camera_id, name=camera_id, address="synthetic:a", is_enabled=is_enabled)


def count_readings(node, monkeypatch):
    """Count how often the whole list is read from here on."""
    service, readings = node.services.cameras, []
    found = service.list

    async def read():
        readings.append(1)
        return await found()

    monkeypatch.setattr(service, "list", read)
    return readings


def test_a_change_of_many_cameras_reads_their_list_once_or_twice(make_node, monkeypatch):
    node = make_node()

    async def scenario():
        cameras = node.services.cameras
        stored = [await cameras.add(SYSTEM, a_camera(f"c{index:02}")) for index in range(N_CAMERAS)]
        await until(lambda: len(node._sight.cameras) == N_CAMERAS)
        await until(node._reread_cameras._task.done)
        readings = count_readings(node, monkeypatch)

        edits = [CameraEdit(camera_id=one.camera_id, version=one.version, site="Harbour") for one in stored]
        edited = await cameras.edit_many(SYSTEM, edits)
        await until(lambda: all(camera.site == "Harbour" for camera in node._sight.cameras))
        n_for_edits = len(readings)
        await cameras.remove_many(SYSTEM, [CameraAt(camera_id=one.device_id, version=one.version) for one in edited])
        await until(lambda: not node._sight.cameras)

        assert n_for_edits <= 2
        assert len(readings) - n_for_edits <= 2

    run_in(node, scenario, is_ready=knows_its_cameras)


def test_what_changes_while_the_list_is_read_is_read_too(make_node):
    node = make_node()

    async def scenario():
        cameras = node.services.cameras
        stored = await cameras.add(SYSTEM, a_camera("north"))
        await node._reading_cameras.acquire()
        await cameras.save_scene(SYSTEM, "north", Scene(masks=(MASK,)), expect_version=stored.version)
        node._reading_cameras.release()

        await until(lambda: node._sight.camera("north") is not None and node._sight.camera("north").scene.masks)

    run_in(node, scenario, is_ready=knows_its_cameras)


def names_of_notices(node):
    return [notice.key for notice in node.health().notices]


def test_a_mask_holds_though_the_database_went_away_once_it_was_saved(
    make_node,
    postgres_server,  # noqa: F811
    postgres_url,  # noqa: F811
):
    node = make_node(postgres_url)

    async def scenario():
        cameras = node.services.cameras
        stored = await cameras.add(SYSTEM, a_camera("north"))
        await until(lambda: node._sight.camera("north") is not None)
        node.services.store._retry_for_s = 0.5
        stop = node._bus.subscribe(CameraChanged, lambda _event: postgres_server.stop())

        await cameras.save_scene(SYSTEM, "north", Scene(masks=(MASK,)), expect_version=stored.version)
        stop()
        await until(lambda: node._reread_cameras.failing_since is not None)
        assert "cameras" in names_of_notices(node)
        assert not node._sight.camera("north").scene.masks
        await asyncio.to_thread(postgres_server.start)
        await until(lambda: node._sight.camera("north").scene.masks)

        assert "cameras" not in names_of_notices(node)

    run_in(node, scenario, is_ready=knows_its_cameras)


def test_only_a_change_that_cannot_be_read_is_said_not_to_be_in_force(monkeypatch):
    monkeypatch.setattr(rereading, "AGAIN_S", 0.0)
    n_readings = 0

    async def cannot_be_read():
        nonlocal n_readings
        n_readings += 1
        raise UnavailableError("The database is away.")

    async def scenario():
        standing = StandingWork(SystemClock(), lambda *_said: None, lambda _part: None)
        list_ = Rereading("The list", cannot_be_read, standing=standing, spawn=asyncio.create_task, clock=SystemClock())
        list_.again()
        await until(lambda: n_readings > 2)
        without_a_change = list_.failing_since
        list_.soon()
        await until(lambda: list_.failing_since is not None)
        list_._task.cancel()
        return without_a_change

    assert asyncio.run(scenario()) is None
