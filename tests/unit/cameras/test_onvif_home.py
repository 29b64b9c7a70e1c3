"""A head that was turned from here is away from home until it stands there again, whatever happened meanwhile."""

import asyncio
import dataclasses
from datetime import UTC, datetime

import pytest

from core.cameras.model import Camera, ViewAccepted
from core.cameras.onvif.home import is_near
from core.cameras.onvif.model import HeadTurned, PtzStatus, Velocity
from core.cameras.views import keep_view, load_views
from core.kernel.errors import BadInputError, NotPermittedError, UnavailableError
from core.sim.onvif import Fault, OnvifSimulator
from core.vision.light import Light
from core.vision.model import Mask, MaskKind, Scene
from core.vision.view import LearnedView, LitView, prints_of_view
from tests.fixtures.room import OLGA, SUSI, VERA, Room
from tests.unit.cameras import steering
from tests.unit.cameras.steering import until

RIGHT = Velocity(pan=0.5)
PRIVATE = Scene(
    masks=(Mask(key="window", name="Window", kind=MaskKind.PRIVACY, polygon=((0.1, 0.1), (0.4, 0.1), (0.4, 0.4))),)
)
QUICK = {"look_home_s": 0.02, "settle_s": 0.05}


@pytest.fixture
def head():
    with OnvifSimulator() as camera:
        yield camera


def add(room: Room, head: OnvifSimulator, scene: Scene | None = None) -> Camera:
    draft = Camera(
        camera_id="bridge",
        name="Bridge",
        address="rtsp://127.0.0.1:554/Profile_1",
        onvif_address=head.address,
        scene=scene or Scene(),
    )
    return room.run(room.cameras.add(SUSI, draft))


def steer(room: Room, scenario):
    return steering.steer(room, scenario, **QUICK)


def test_everybody_hears_that_a_head_is_away_before_it_turns(room, head):
    add(room, head)
    stood = []
    room.bus.subscribe(HeadTurned, lambda _event: stood.append(("ContinuousMove" in head.asked, head.position)))

    async def scenario(ptz):
        await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await ptz.stop(OLGA, "desk-1", "bridge")
        return ptz.away_ids, ptz.steering()

    away, (steering,) = steer(room, scenario)

    assert away == {"bridge"}
    assert steering.away_since is not None
    assert stood == [(False, (0.0, 0.0, 0.0))]


def test_home_is_where_it_stood_before_and_not_what_the_camera_calls_so(room, head):
    add(room, head)
    head._look_at(0.25, -0.5, 0.3)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        was_away = ptz.away_ids
        await ptz.go_to_preset(OLGA, "desk-1", "bridge", "")
        await until(lambda: not ptz.away_ids, "the way home")
        return was_away

    assert steer(room, scenario) == {"bridge"}
    assert head.position == pytest.approx((0.25, -0.5, 0.3))


def test_a_head_that_stands_elsewhere_stays_away_however_still_it_is(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        n_asked = head.asked.count("GetStatus")
        await until(lambda: head.asked.count("GetStatus") > n_asked + 8, "eight looks at it")
        return ptz.away_ids

    assert steer(room, scenario) == {"bridge"}


def test_what_is_away_is_still_so_after_a_restart_and_is_found_at_home_by_looking(room, head):
    add(room, head)

    async def turn(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)

    async def restart(ptz):
        at_start = ptz.away_ids
        head._look_at(0.0, 0.0, 0.0)
        await until(lambda: not ptz.away_ids, "home, where the camera went by itself")
        return at_start

    steer(room, turn)
    at_start = steer(room, restart)

    async def look(ptz):
        return ptz.away_ids

    assert at_start == {"bridge"}
    assert steer(room, look) == frozenset()


def test_a_camera_that_never_says_where_it_looks_is_at_home_once_it_was_sent_there_and_had_its_time(room, head):
    add(room, head)
    head.faults.add(Fault.SAYS_NOT_WHERE)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        n_asked = head.asked.count("GetStatus")
        await until(lambda: head.asked.count("GetStatus") > n_asked + 16, "sixteen looks at it")
        still_away = ptz.away_ids
        await ptz.go_to_preset(OLGA, "desk-1", "bridge", "")
        await until(lambda: not ptz.away_ids, "the way home")
        return still_away

    assert steer(room, scenario) == {"bridge"}
    assert "GotoHomePosition" in head.asked


def test_a_camera_with_privacy_masks_is_not_turned_and_the_refusal_says_the_way_out(room, head):
    add(room, head, PRIVATE)

    async def scenario(ptz):
        turns = (
            lambda: ptz.move(OLGA, "desk-1", "bridge", RIGHT),
            lambda: ptz.step(SUSI, "desk-3", "bridge", RIGHT),
            lambda: ptz.go(SUSI, "desk-3", "bridge", pan=0.5, tilt=0.0, zoom=None),
            lambda: ptz.go_to_preset(OLGA, "desk-1", "bridge", "1"),
            lambda: ptz.go_to_preset(OLGA, "desk-1", "bridge", ""),
        )
        for turn in turns:
            with pytest.raises(NotPermittedError, match="privacy masks, which do not turn") as refused:
                await turn()
            assert "in the camera itself" in refused.value.hint
        return ptz.away_ids

    assert steer(room, scenario) == frozenset()
    assert not {"ContinuousMove", "RelativeMove", "AbsoluteMove", "GotoPreset", "GotoHomePosition"} & set(head.asked)


def test_a_camera_whose_masks_were_drawn_while_it_was_away_can_be_sent_home(room, head):
    camera = add(room, head)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        await room.cameras.save_scene(SUSI, "bridge", PRIVATE, expect_version=camera.version)
        with pytest.raises(NotPermittedError):
            await ptz.move(OLGA, "desk-1", "bridge", RIGHT)
        await ptz.go_to_preset(OLGA, "desk-1", "bridge", "")
        await until(lambda: not ptz.away_ids, "the way home")

    steer(room, scenario)
    assert head.position == (0.0, 0.0, 0.0)


def test_a_supervisor_says_that_home_is_where_it_stands_now_and_that_is_where_it_is_sent_from_then_on(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-3", "bridge", RIGHT)
        with pytest.raises(NotPermittedError):
            await ptz.set_home(OLGA, "desk-3", "bridge")
        await ptz.set_home(SUSI, "desk-3", "bridge")
        at_home = ptz.away_ids
        await ptz.step(SUSI, "desk-3", "bridge", Velocity(tilt=0.3))
        await ptz.go_to_preset(SUSI, "desk-3", "bridge", "")
        await until(lambda: not ptz.away_ids, "the way home")
        return at_home

    assert steer(room, scenario) == frozenset()
    assert head.position == pytest.approx((0.5, 0.0, 0.0))


def test_a_turn_that_comes_while_a_silent_head_is_sent_home_leaves_it_away(room, head):
    add(room, head)
    head.faults.add(Fault.SAYS_NOT_WHERE)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        way_home = asyncio.create_task(ptz.go_to_preset(OLGA, "desk-1", "bridge", ""))
        while ptz._heads["bridge"].n_turns < 2:
            await asyncio.sleep(0)
        await asyncio.gather(way_home, ptz.step(OLGA, "desk-1", "bridge", RIGHT))
        n_asked = head.asked.count("GetStatus")
        await until(lambda: head.asked.count("GetStatus") > n_asked + 16, "sixteen looks at it")
        return ptz.away_ids

    assert steer(room, scenario) == {"bridge"}
    assert head.asked.count("RelativeMove") == 2
    assert "GotoHomePosition" in head.asked


@pytest.mark.parametrize("what", ["the camera is silent", "a fixed camera hangs there now"])
def test_a_supervisor_brings_a_camera_back_that_cannot_be_asked_any_more(room, head, what):
    camera = add(room, head)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        if what == "the camera is silent":
            head.close()
        else:
            fixed = dataclasses.replace(camera, onvif_address="")
            await room.cameras.update(SUSI, fixed, expect_version=camera.version)
        with pytest.raises(NotPermittedError):
            await ptz.set_home(OLGA, "desk-3", "bridge")
        away = ptz.away_ids
        await ptz.set_home(SUSI, "desk-3", "bridge")
        return away, ptz.away_ids

    assert steer(room, scenario) == ({"bridge"}, frozenset())

    async def later(ptz):
        return ptz.away_ids

    assert steer(room, later) == frozenset()


def test_a_camera_at_home_that_cannot_be_asked_keeps_the_home_that_is_known(room, head):
    add(room, head)
    head.close()

    async def scenario(ptz):
        with pytest.raises(UnavailableError):
            await ptz.set_home(SUSI, "desk-3", "bridge")

    steer(room, scenario)


def test_whoever_says_that_home_is_here_says_that_its_view_is_right(room, head):
    camera = add(room, head)
    at = datetime(2026, 11, 22, tzinfo=UTC)
    lit = LitView(light=Light.DAY, edges=b"edges", likeness=0.9, seen_at=at)
    view = LearnedView(drawn=prints_of_view(camera.scene), lit=(lit,), told_at=at)
    room.run(keep_view(room.store, "bridge", view))
    heard = []
    room.bus.subscribe(ViewAccepted, heard.append)

    async def scenario(ptz):
        await ptz.step(SUSI, "desk-3", "bridge", RIGHT)
        turned = await load_views(room.store)
        await ptz.set_home(SUSI, "desk-3", "bridge")
        return turned, await load_views(room.store)

    assert steer(room, scenario) == ({"bridge": view}, {})
    assert heard == [ViewAccepted(camera_id="bridge")]


def test_home_is_not_set_while_the_head_turns(room, head):
    add(room, head)

    async def scenario(ptz):
        await ptz.move(SUSI, "desk-3", "bridge", RIGHT)
        with pytest.raises(BadInputError, match="still turns"):
            await ptz.set_home(SUSI, "desk-3", "bridge")

    steer(room, scenario)


def test_a_camera_without_a_home_of_its_own_offers_the_way_home_once_it_is_known(room, head):
    add(room, head)
    head.faults.add(Fault.NO_HOME)

    async def scenario(ptz):
        before = (await ptz.look(VERA, "bridge")).abilities.has_home
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        return before, (await ptz.look(VERA, "bridge")).abilities.has_home

    assert steer(room, scenario) == (False, True)


def test_what_a_removed_camera_left_behind_is_forgotten(room, head):
    camera = add(room, head)

    async def scenario(ptz):
        await ptz.step(OLGA, "desk-1", "bridge", RIGHT)
        await room.cameras.remove(SUSI, "bridge", expect_version=camera.version)
        await until(lambda: not ptz.away_ids, "the end of what was known of it")

    steer(room, scenario)
    add(room, head)

    async def look(ptz):
        return ptz.away_ids

    assert steer(room, look) == frozenset()


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (PtzStatus(pan=0.501, tilt=0.1, zoom=0.2), True),
        (PtzStatus(pan=0.501, tilt=0.1), True),
        (PtzStatus(pan=0.51, tilt=0.1, zoom=0.2), False),
        (PtzStatus(pan=0.5, tilt=0.1, zoom=0.3), False),
        (PtzStatus(), False),
    ],
)
def test_two_places_are_the_same_to_a_hundredth_of_a_picture(other, is_same):
    assert is_near(PtzStatus(pan=0.5, tilt=0.1, zoom=0.2), other) is is_same
