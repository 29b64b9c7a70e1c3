"""Who may steer a camera, and that it stands still when nobody holds it any more."""

import asyncio
from dataclasses import replace
from itertools import groupby

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from core.access import audit
from core.cameras.model import Camera
from core.cameras.onvif.model import Discovery, FoundCamera, SteeringChanged, Velocity
from core.cameras.onvif.service import OnvifService
from core.cameras.onvif.soap import LoginRefusedError
from core.kernel.errors import BadInputError, NotPermittedError, UnavailableError
from core.media.webcam import Webcam
from core.sim.onvif import Fault, OnvifSimulator, SimProfile
from tests.fixtures.room import ADA, OLGA, OMAR, SUSI, VERA, Room
from tests.unit.cameras.steering import steer, until

PASSWORD = "hunter2-ptz"
RIGHT = Velocity(pan=0.5)


@pytest.fixture(autouse=True)
def no_keyring_of_this_machine():
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def head():
    with OnvifSimulator(password=PASSWORD) as camera:
        yield camera


def add(room: Room, head: OnvifSimulator, password: str = PASSWORD) -> Camera:
    draft = Camera(
        camera_id="bridge",
        name="Bridge",
        address="rtsp://127.0.0.1:554/Profile_1",
        onvif_address=head.address,
        username="admin",
    )
    return room.run(room.cameras.add(SUSI, draft, password))


def test_a_camera_turns_while_it_is_steered_and_stops_when_told(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        was_turning = head.is_turning
        await ptz.stop(OLGA, "desk-1", "bridge")
        return was_turning, head.is_turning

    assert steer(room, scenario) == (True, False)


def test_a_move_that_nobody_renews_ends(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await until(lambda: not head.is_turning, "the dead man's stop")

    steer(room, scenario, dead_man_s=0.1)
    assert "Stop" in head.asked


def test_a_move_that_is_renewed_goes_on_without_asking_the_camera_each_time(room, head):
    add(room, head)

    async def scenario(ptz):
        for _ in range(20):
            await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        return head.is_turning

    assert steer(room, scenario)
    assert head.asked.count("ContinuousMove") == 1


def test_of_many_wishes_at_once_the_newest_reaches_the_camera(room, head):
    add(room, head)

    async def scenario(ptz):
        moves = [ptz.move(OLGA, "desk-1", "bridge", Velocity(pan=step / 50)) for step in range(1, 50)]
        await asyncio.gather(*moves, ptz.stop(OLGA, "desk-1", "bridge"))
        return head.is_turning

    assert not steer(room, scenario)
    assert head.asked.count("ContinuousMove") < 10


def test_a_console_that_goes_away_leaves_a_camera_that_stands_still_and_is_free(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        ptz.release("desk-1")
        await until(lambda: not head.is_turning, "the stop")
        await ptz.move(OMAR, "desk-2", "bridge", RIGHT)
        return ptz.steering()

    (steering,) = steer(room, scenario)
    assert steering.by == "omar"


def test_the_node_stops_what_turns_when_it_ends(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)

    steer(room, scenario)
    assert not head.is_turning


def test_a_stop_waits_neither_for_the_database_nor_for_a_keyring(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await room.store.close()
        await ptz.stop(OLGA, "desk-1", "bridge")
        return head.is_turning

    assert not steer(room, scenario)


@pytest.mark.parametrize("end", ["disable", "remove"])
def test_a_camera_that_is_disabled_or_removed_while_it_turns_is_stopped(room, head, end):
    camera = add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        if end == "disable":
            await room.cameras.set_enabled(SUSI, "bridge", False, expect_version=camera.version)
        else:
            await room.cameras.remove(SUSI, "bridge", expect_version=camera.version)
        await until(lambda: not head.is_turning, "the stop")
        with pytest.raises(BadInputError):
            await ptz.move(OLGA, "desk-1", "bridge", RIGHT)

    steer(room, scenario, dead_man_s=60.0)


def test_a_changed_password_is_used_from_the_next_move_on(room, head):
    camera = add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await ptz.stop(OLGA, "desk-1", "bridge")
        await room.cameras.update(SUSI, camera, expect_version=camera.version, password="another one")
        with pytest.raises(LoginRefusedError):
            await ptz.move(OLGA, "desk-1", "bridge", RIGHT)

    steer(room, scenario)


def test_what_is_known_of_a_head_shows_no_password(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        return repr(ptz._heads)

    assert PASSWORD not in steer(room, scenario)


def test_a_stop_that_the_camera_refuses_is_said_and_tried_again(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        head.faults.add(Fault.KEEPS_TURNING)
        with pytest.raises(BadInputError, match="motor does not answer"):
            await ptz.stop(OLGA, "desk-1", "bridge")
        head.faults.clear()
        await until(lambda: not head.is_turning, "a further stop")

    steer(room, scenario, dead_man_s=0.1)


def test_who_steers_holds_the_camera_and_the_others_hear_who_it_is(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await ptz.stop(OLGA, "desk-1", "bridge")
        with pytest.raises(NotPermittedError, match="olga at Desk 1 steers Bridge"):
            await ptz.move(OMAR, "desk-2", "bridge", RIGHT)
        return ptz.steering()

    heard = []
    room.bus.subscribe(SteeringChanged, heard.append)
    (steering,) = steer(room, scenario)

    assert (steering.by, steering.desk) == ("olga", "Desk 1")
    assert heard[-1].steering == steering


def test_a_camera_is_free_again_a_while_after_the_last_move(room, head):
    add(room, head)
    heard = []
    room.bus.subscribe(SteeringChanged, heard.append)

    async def scenario(ptz):
        await ptz.go_to_preset(OLGA, "desk-1", "bridge", "")
        await until(lambda: heard[-1].steering.by == "", "the end of the hold")
        await ptz.go_to_preset(OMAR, "desk-2", "bridge", "")

    steer(room, scenario, hold_s=0.1)
    assert [by for by, _ in groupby(event.steering.by for event in heard)][:3] == ["olga", "", "omar"]


def test_a_supervisor_takes_a_camera_from_an_operator_and_not_from_another_supervisor(room, head):
    add(room, head)
    other = replace(SUSI, name="sven", desk="Desk 5")

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await ptz.move(SUSI, "desk-3", "bridge", RIGHT)
        for actor, desk in ((OLGA, "desk-1"), (other, "desk-5")):
            with pytest.raises(NotPermittedError, match="susi"):
                await ptz.move(actor, desk, "bridge", RIGHT)
        await ptz.move(ADA, "desk-4", "bridge", RIGHT)
        return ptz.steering()[0].by

    assert steer(room, scenario) == "ada"


def test_a_stop_of_somebody_who_does_not_steer_stops_nothing(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await ptz.stop(OMAR, "desk-2", "bridge")
        return head.is_turning

    assert steer(room, scenario)


def test_viewers_look_operators_steer_and_supervisors_set_presets(room, head):
    add(room, head)

    async def scenario(ptz):
        seen = await ptz.look(VERA, "bridge")
        with pytest.raises(NotPermittedError, match="needs an operator"):
            await ptz.move(VERA, "desk-0", "bridge", RIGHT)
        with pytest.raises(NotPermittedError, match="needs a supervisor"):
            await ptz.set_preset(OLGA, "desk-1", "bridge", name="Ramp")
        await ptz.go(SUSI, "desk-3", "bridge", pan=0.5, tilt=0.0, zoom=None)
        presets = await ptz.set_preset(SUSI, "desk-3", "bridge", name="Ramp")
        await ptz.go_to_preset(SUSI, "desk-3", "bridge", "")
        at_home = head.position
        await ptz.go_to_preset(SUSI, "desk-3", "bridge", presets[0].token)
        at_ramp = head.position
        left = await ptz.remove_preset(SUSI, "desk-3", "bridge", presets[0].token)
        return seen, at_home, at_ramp, presets, left

    seen, at_home, at_ramp, presets, left = steer(room, scenario)

    assert seen.abilities.can_turn
    assert seen.presets == ()
    assert (at_home[0], at_ramp[0]) == (0.0, 0.5)
    assert [preset.name for preset in presets] == ["Ramp"]
    assert left == ()
    actions = [entry.action for entry in room.run(audit.recent(room.store))]
    assert {"camera.steer", "camera.preset_set", "camera.preset_remove"} <= set(actions)


def test_a_preset_needs_a_name(room, head):
    add(room, head)

    with pytest.raises(BadInputError, match="needs a name"):
        steer(room, lambda ptz: ptz.set_preset(SUSI, "desk-3", "bridge", name=" \n "))


def test_a_refused_password_is_not_sent_again_and_again(room, head):
    add(room, head, password="wrong")

    async def scenario(ptz):
        for _ in range(5):
            with pytest.raises(LoginRefusedError, match="refuses user and password"):
                await ptz.move(OLGA, "desk-1", "bridge", RIGHT)

    steer(room, scenario)
    assert head.n_refused == 1


def test_a_camera_that_is_gone_is_a_sentence_and_is_found_again(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.look(VERA, "bridge")
        head.faults.add(Fault.SILENT)
        with pytest.raises(UnavailableError, match="did not answer"):
            await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        head.faults.clear()
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        return head.is_turning

    assert steer(room, scenario, timeout_s=0.3)


def test_a_camera_without_an_onvif_address_or_a_head_says_so(room):
    fixed = SimProfile(key="P", width=1280, height=720, has_ptz=False)
    with OnvifSimulator(profiles=(fixed,)) as head:
        camera = add(room, head, password="")
        with pytest.raises(BadInputError, match="cannot be steered"):
            steer(room, lambda ptz: ptz.look(VERA, "bridge"))
        room.run(room.cameras.update(SUSI, replace(camera, onvif_address=""), expect_version=camera.version))
        with pytest.raises(BadInputError, match="has no ONVIF address"):
            steer(room, lambda ptz: ptz.look(VERA, "bridge"))


def test_found_cameras_are_marked_where_we_have_them(room, head):
    add(room, head)

    async def search():
        return Discovery(
            cameras=(
                FoundCamera(endpoint="a", address=head.address),
                FoundCamera(endpoint="b", address="http://10.0.0.9/onvif/device_service"),
            )
        )

    onvif = OnvifService(room.cameras, search=search, list_webcams=tuple)

    found = room.run(onvif.find(SUSI))
    assert [camera.camera_id for camera in found.cameras] == ["bridge", ""]
    with pytest.raises(NotPermittedError):
        room.run(onvif.find(OLGA))


def test_what_is_plugged_into_the_node_is_listed_with_what_the_network_has(room):
    async def search():
        return Discovery(cameras=(FoundCamera(endpoint="b", address="http://10.0.0.9/onvif/device_service"),))

    plugged_in = (Webcam(address="webcam:0", name="Desk"), Webcam(address="webcam:2", name="Door"))
    onvif = OnvifService(room.cameras, search=search, list_webcams=lambda: plugged_in)
    room.run(room.cameras.add(SUSI, Camera(camera_id="door", name="Door", address="webcam:2")))

    found = room.run(onvif.find(SUSI))

    assert [(one.name, one.address, one.camera_id) for one in found.cameras if one.is_plugged_in] == [
        ("Desk", "webcam:0", ""),
        ("Door", "webcam:2", "door"),
    ]


def test_the_kept_password_is_used_for_the_cameras_own_host_only(room, head):
    add(room, head)
    onvif = OnvifService(room.cameras)

    found = room.run(onvif.describe(SUSI, head.address, username="admin", password="", camera_id="bridge"))
    bare = head.address.removeprefix("http://")
    assert room.run(onvif.describe(SUSI, bare, username="admin", password="", camera_id="bridge")) == found
    with OnvifSimulator(password=PASSWORD, host="127.0.0.2") as elsewhere, pytest.raises(LoginRefusedError):
        room.run(onvif.describe(SUSI, elsewhere.address, username="admin", password="", camera_id="bridge"))

    assert found.model == "SIM-1"
