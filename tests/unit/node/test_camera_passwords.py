"""A keyring that fails for a while costs no camera its picture, and none is asked without its password."""

from dataclasses import replace

import keyring
import pytest

from core.access.model import SYSTEM
from core.cameras.many import CameraEdit
from core.cameras.model import Camera
from core.cameras.service import secret_name
from core.kernel.paths import Folders
from core.kernel.secrets import SERVICE
from core.kernel.settings import Settings, VisionSettings
from core.media.model import StreamState
from core.node import node as node_module
from core.node.node import Node
from core.vision.model import Scene, Zone
from tests.fixtures.keyrings import MemoryKeyring, no_keyring_of_this_machine  # noqa: F401
from tests.fixtures.nodes import run_in, until
from tests.fixtures.rtsp import start_camera  # noqa: F401

pytestmark = [pytest.mark.usefixtures("no_keyring_of_this_machine"), pytest.mark.timeout(120)]

USER, PASSWORD = "gatekeeper", "hunter2"
ZONE = Zone(key="zone-a", name="Lane A", polygon=((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))


@pytest.fixture
def backend():
    made = MemoryKeyring()
    keyring.set_keyring(made)
    return made


@pytest.fixture
def make_node(tmp_path):
    def make():
        settings = Settings(vision=VisionSettings(model="demo"))
        return Node(settings, Folders(data=tmp_path / "data", runtime=tmp_path / "run"))

    return make


def stream_of(node, camera_id):
    return node._sight.streams.get(camera_id) if node._sight else None


def is_in(node, camera_id, state):
    stream = stream_of(node, camera_id)
    return stream is not None and stream.state is state


def a_camera(url):
    return Camera(camera_id="north", name="Ring North", address=url, username=USER)


def test_a_keyring_that_fails_while_a_scene_is_saved_costs_no_camera_its_picture(backend, make_node, start_camera):  # noqa: F811
    rtsp = start_camera(username=USER, password=PASSWORD)
    node = make_node()

    async def scenario():
        cameras = node.services.cameras
        stored = await cameras.add(SYSTEM, a_camera(rtsp.url), PASSWORD)
        await until(lambda: is_in(node, "north", StreamState.LIVE))
        backend.is_locked = True
        n_asked = backend.n_asked

        await cameras.save_scene(SYSTEM, "north", Scene(zones=(ZONE,)), expect_version=stored.version)
        await until(lambda: node._sight.camera("north").scene.zones)

        assert backend.n_asked > n_asked
        assert node._sight._jobs["north"].source.password == PASSWORD
        # Its new scene is looked at in a session of its own, which reaches no picture without the password.
        await until(lambda: rtsp.n_sessions == 2 and is_in(node, "north", StreamState.LIVE))

    run_in(node, scenario)


def test_a_camera_whose_password_nobody_can_read_is_not_asked_until_somebody_can(
    backend,
    make_node,
    start_camera,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr(node_module, "PASSWORDS_AGAIN_S", 0.2)
    monkeypatch.setattr("core.kernel.secrets.AGAIN_S", 0.2)
    rtsp = start_camera(username=USER, password=PASSWORD)
    before = make_node()

    async def add():
        await before.services.cameras.add(SYSTEM, a_camera(rtsp.url), PASSWORD)
        await until(lambda: is_in(before, "north", StreamState.LIVE))

    run_in(before, add)
    backend.is_locked = True
    node = make_node()

    async def scenario():
        await until(lambda: is_in(node, "north", StreamState.UNUSABLE))
        stream = stream_of(node, "north")
        assert stream.reason == ("The password cannot be read: the keyring failed (KeyringLocked: nobody unlocks it).")
        assert "north" not in node._sight._jobs
        said = [notice.message for notice in node.health().notices if notice.key == "passwords"]
        assert "Cameras without their passwords: Ring North. The password cannot be read" in said[0]
        assert rtsp.n_sessions == 1

        backend.is_locked = False
        await until(lambda: is_in(node, "north", StreamState.LIVE))

        assert all(notice.key != "passwords" for notice in node.health().notices)

    run_in(node, scenario)


def test_a_camera_whose_password_is_gone_is_not_asked_and_says_what_to_do(backend, make_node, start_camera):  # noqa: F811
    rtsp = start_camera(username=USER, password=PASSWORD)
    node = make_node()

    async def scenario():
        cameras = node.services.cameras
        stored = await cameras.add(SYSTEM, a_camera(rtsp.url), PASSWORD)
        await until(lambda: is_in(node, "north", StreamState.LIVE))
        del backend.kept[SERVICE, secret_name("north")]

        await cameras.update(SYSTEM, replace(stored, name="Ring South"), expect_version=stored.version)
        await until(lambda: is_in(node, "north", StreamState.UNUSABLE))

        stream = stream_of(node, "north")
        assert (stream.reason, stream.hint) == (
            "No password is kept for this camera any more.",
            "Type it anew in Devices.",
        )

    run_in(node, scenario)


def test_a_change_of_many_cameras_asks_the_keyring_for_none_and_a_new_login_for_its_own(backend, make_node):
    node = make_node()
    n_cameras = 64

    async def scenario():
        cameras = node.services.cameras
        stored = []
        for index in range(n_cameras):
            draft = replace(a_camera("synthetic:a"), camera_id=f"c{index:02}", name=f"C{index:02}", is_enabled=False)
            stored.append(await cameras.add(SYSTEM, draft, PASSWORD))
        await until(lambda: len(node._passwords) == n_cameras and node._reread_cameras._task.done())
        n_asked = backend.n_asked

        edits = [CameraEdit(camera_id=one.camera_id, version=one.version, site="Harbour") for one in stored]
        await cameras.edit_many(SYSTEM, edits)
        await until(lambda: all(camera.site == "Harbour" for camera in node._sight.cameras))
        assert backend.n_asked == n_asked

        first = await cameras.get("c00")
        await cameras.update(SYSTEM, first, expect_version=first.version, password="changed")
        await until(lambda: node._passwords["c00"] == "changed")

        # Written once, and read once.
        assert backend.n_asked == n_asked + 2
        assert node._passwords["c01"] == PASSWORD

    run_in(node, scenario)


def test_a_password_that_was_put_into_the_keyring_by_hand_is_taken_once_the_camera_refuses_the_old_one(
    backend,
    make_node,
    start_camera,  # noqa: F811
    monkeypatch,
):
    monkeypatch.setattr(node_module, "PASSWORDS_AGAIN_S", 0.2)
    rtsp = start_camera(username=USER, password=PASSWORD)
    node = make_node()

    async def scenario():
        await node.services.cameras.add(SYSTEM, a_camera(rtsp.url), "the old one")
        await until(lambda: is_in(node, "north", StreamState.UNAUTHORISED))

        backend.kept[SERVICE, secret_name("north")] = PASSWORD

        await until(lambda: is_in(node, "north", StreamState.LIVE))

    run_in(node, scenario)
