"""What a camera shows while it stands right outlives its worker, for as long as the same is drawn on it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from core.access import audit
from core.cameras.model import Camera, ViewAccepted
from core.cameras.views import keep_view, load_views
from core.kernel.errors import BadInputError, NotPermittedError
from core.store.tables import CameraRow
from core.vision.light import Light
from core.vision.model import CountLine, Lane, Mask, PlanePoint, RoadPlane, RuleSetting, Scene, Zone
from core.vision.scene_change import is_over
from core.vision.view import LearnedView, LitView, print_of_drawing, print_of_part, prints_of_shapes, prints_of_view
from tests.fixtures.room import OLGA, SUSI, Room

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
LESS = SQUARE[:3]
ZONE = Zone(key="zone", name="A", polygon=SQUARE)
LINE = CountLine(key="line", name="L", start=(0.0, 0.5), end=(1.0, 0.5))
LANE = Lane(key="lane", name="Lane", polygon=SQUARE, start=(0.5, 0.2), end=(0.5, 0.8))
MASK = Mask(key="mask", name="Window", polygon=SQUARE)
PLANE = RoadPlane(points=tuple(PlanePoint(picture=p, ground_xy_m=(p[0] * 10, p[1] * 20)) for p in SQUARE))
SCENE = Scene(zones=(ZONE,), lines=(LINE,), lanes=(LANE,), masks=(MASK,), plane=PLANE)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BY_DAY = LitView(light=Light.DAY, edges=b"edges", likeness=0.9, seen_at=NOON)
BY_NIGHT = LitView(light=Light.NIGHT, edges=b"lamps", likeness=0.7, seen_at=NOON - timedelta(hours=12))


def view_of(scene: Scene, **changes: object) -> LearnedView:
    return replace(LearnedView(drawn=prints_of_view(scene), lit=(BY_DAY,), told_at=NOON), **changes)


@pytest.fixture
def camera(room: Room) -> Camera:
    camera = room.run(room.cameras.add(SUSI, Camera(camera_id="a", name="Ring", address="rtsp://cam/1", scene=SCENE)))
    room.run(keep_view(room.store, "a", view_of(SCENE)))
    return camera


def known(room: Room) -> dict[str, LearnedView]:
    return room.run(load_views(room.store))


def test_the_newest_word_of_a_camera_is_kept(room, camera):
    for lit in ((BY_DAY, BY_NIGHT), (replace(BY_DAY, likeness=0.8),)):
        newest = view_of(SCENE, is_moved=True, lit=lit)
        room.run(keep_view(room.store, "a", newest))
        room.run(keep_view(room.store, "nobody", newest))

        assert known(room) == {"a": newest}


@pytest.mark.parametrize(
    "changed",
    [
        {"zones": (replace(ZONE, polygon=LESS),)},
        {"lines": (replace(LINE, end=(1.0, 0.6)),)},
        {"lanes": (replace(LANE, polygon=LESS),)},
        {"lanes": (replace(LANE, start=LANE.end, end=LANE.start),)},
        {"plane": None},
        {"zones": ()},
    ],
)
@pytest.mark.parametrize("masks", [(), (MASK,)])
def test_who_draws_elsewhere_drew_on_the_view_of_now_unless_parts_of_it_are_private(room, camera, changed, masks):
    scene = replace(SCENE, masks=masks)
    bare = room.run(room.cameras.save_scene(SUSI, "a", scene, expect_version=camera.version))
    moved = view_of(scene, is_moved=True)
    room.run(keep_view(room.store, "a", moved))
    room.run(room.cameras.save_scene(SUSI, "a", replace(scene, **changed), expect_version=bare.version))

    assert known(room) == ({"a": moved} if masks else {})
    assert moved.kept_for(replace(scene, **changed)) == (moved if masks else None)
    assert is_over("camera_moved", "", scene, replace(scene, **changed)) is not bool(masks)


@pytest.mark.parametrize("masks", [(replace(MASK, polygon=LESS),), ()])
def test_who_draws_the_masks_anew_drew_them_on_the_view_of_now(room, camera, masks):
    room.run(room.cameras.save_scene(SUSI, "a", replace(SCENE, masks=masks), expect_version=camera.version))

    assert known(room) == {}


def test_what_an_earlier_version_learned_of_a_view_with_masks_still_holds():
    before = view_of(SCENE, drawn=frozenset({print_of_drawing(SCENE)}), is_moved=True)

    assert before.kept_for(SCENE) == view_of(SCENE, is_moved=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"zones": (replace(ZONE, name="Court", stopped_after_s=20.0),)},
        {"lines": (replace(LINE, forward_name="north"),)},
        {"rules": (RuleSetting(kind="wrong_way", is_enabled=False),)},
    ],
)
def test_who_renames_and_tunes_says_nothing_of_the_view(room, camera, changed):
    room.run(room.cameras.save_scene(SUSI, "a", replace(SCENE, **changed), expect_version=camera.version))

    assert known(room) == {"a": view_of(SCENE)}


def test_another_address_says_nothing_of_the_view(room, camera):
    room.run(room.cameras.update(SUSI, replace(camera, address="rtsp://cam/2"), expect_version=camera.version))

    assert known(room) == {"a": view_of(SCENE)}


def test_a_supervisor_says_that_the_view_is_right(room, camera):
    heard = []
    room.bus.subscribe(ViewAccepted, heard.append)
    with pytest.raises(NotPermittedError):
        room.run(room.cameras.accept_view(OLGA, "a"))
    with pytest.raises(BadInputError):
        room.run(room.cameras.accept_view(SUSI, "nobody"))
    assert (known(room), heard) == ({"a": view_of(SCENE)}, [])

    room.run(room.cameras.accept_view(SUSI, "a"))

    newest = room.run(audit.recent(room.store, limit=1))[0]
    assert (newest.action, newest.actor, newest.subject) == ("camera.view_is_right", "susi", "Ring (a)")
    assert known(room) == {}
    assert heard == [ViewAccepted(camera_id="a")]


WINDOW, DOOR = (replace(MASK, key=key, polygon=LESS[::step]) for key, step in (("window", 1), ("door", -1)))
MASKED = Scene(masks=(WINDOW, DOOR), lines=(LINE,))
ON_WIDE = dict.fromkeys(prints_of_shapes(MASKED), (640, 360))


@pytest.fixture
def masked(room: Room) -> Camera:
    camera = room.run(room.cameras.add(SUSI, Camera(camera_id="b", name="Pier", address="rtsp://cam/2", scene=MASKED)))
    room.run(keep_view(room.store, "b", view_of(MASKED, shapes=ON_WIDE)))
    return camera


def shapes_of(room: Room, scene: Scene) -> list[tuple[int, int] | None]:
    """What the next run of the node knows each private part of this scene was drawn on."""
    view = known(room).get("b")
    kept = None if view is None else view.kept_for(scene)
    return [None if kept is None else kept.shapes.get(print_of_part(part)) for part in scene.private_parts]


@pytest.mark.parametrize(
    ("changed", "shapes"),
    [
        ({"lines": ()}, [(640, 360)] * 2),
        ({"masks": (DOOR,)}, [(640, 360)]),
        ({"masks": (replace(WINDOW, polygon=SQUARE), DOOR)}, [None, (640, 360)]),
        ({"masks": (replace(WINDOW, name="Bedroom"), DOOR)}, [(640, 360)] * 2),
    ],
)
def test_what_shape_each_mask_was_drawn_on_is_known_until_it_is_drawn_anew(room, masked, changed, shapes):
    scene = replace(MASKED, **changed)
    room.run(room.cameras.save_scene(SUSI, "b", scene, expect_version=masked.version))

    assert shapes_of(room, scene) == shapes


@pytest.mark.parametrize(
    "masks",
    [(DOOR,), (replace(WINDOW, polygon=SQUARE), DOOR), (DOOR, WINDOW), (WINDOW, DOOR, replace(MASK, key="third"))],
    ids=["removed", "redrawn", "in another order", "one more"],
)
def test_who_draws_one_of_several_masks_anew_says_nothing_of_what_the_others_hide(room, masked, masks):
    moved, scene = view_of(MASKED, is_moved=True, shapes=ON_WIDE), replace(MASKED, masks=masks)
    room.run(keep_view(room.store, "b", moved))
    one = room.run(room.cameras.save_scene(SUSI, "b", scene, expect_version=masked.version))
    after_one = known(room)["b"].kept_for(scene)
    redrawn = replace(MASKED, masks=(replace(MASK, key="new", polygon=SQUARE[1:]),))
    room.run(room.cameras.save_scene(SUSI, "b", redrawn, expect_version=one.version))

    assert after_one == moved
    assert not is_over("camera_moved", "", MASKED, scene)
    assert known(room)["b"].lit == ()
    assert replace(moved, shapes={}).kept_for(redrawn) is None
    assert is_over("camera_moved", "", MASKED, redrawn)


def test_once_each_mask_was_drawn_anew_one_after_the_other_a_view_from_before_means_nothing(room, masked):
    room.run(keep_view(room.store, "b", view_of(MASKED, is_moved=True)))
    version = masked.version
    window, door = replace(WINDOW, polygon=SQUARE), replace(DOOR, polygon=SQUARE[1:])
    for masks in ((window, DOOR), (window, door)):
        scene = replace(MASKED, masks=masks)
        version = room.run(room.cameras.save_scene(SUSI, "b", scene, expect_version=version)).version

    view = known(room)["b"].kept_for(scene)

    assert (view.lit, view.is_moved) == ((), False)


@pytest.mark.parametrize(("masks", "holds"), [((WINDOW, DOOR), True), ((replace(MASK, polygon=SQUARE[1:]),), False)])
def test_a_scene_that_could_not_be_read_for_a_while_says_nothing_of_the_view(room, masked, masks, holds):
    room.run(keep_view(room.store, "b", view_of(MASKED, is_moved=True)))
    unread = update(CameraRow).where(CameraRow.camera_id == "b").values(scene={"zones": "of a newer version"})
    room.run(room.store.write(lambda session: session.execute(unread)))
    meanwhile = known(room)["b"].kept_for(room.run(room.cameras.get("b")).scene)
    scene = replace(MASKED, masks=masks)
    room.run(room.cameras.save_scene(SUSI, "b", scene, expect_version=masked.version))

    assert room.run(room.cameras.get("b")).scene == scene
    assert meanwhile.is_moved
    assert known(room)["b"].kept_for(scene).is_moved is holds


def test_masks_that_are_restored_belong_to_the_shape_that_they_were_drawn_on(room, masked):
    bare = room.run(room.cameras.save_scene(SUSI, "b", Scene(), expect_version=masked.version))
    room.run(keep_view(room.store, "b", known(room)["b"].kept_for(bare.scene)))
    room.run(room.cameras.save_scene(SUSI, "b", MASKED, expect_version=bare.version))

    assert shapes_of(room, MASKED) == [(640, 360)] * 2


def test_who_says_that_the_view_is_right_says_so_of_its_shape_and_of_what_is_drawn_now(room, masked):
    scene = replace(MASKED, masks=(DOOR,))
    room.run(room.cameras.save_scene(SUSI, "b", scene, expect_version=masked.version))
    room.run(room.cameras.accept_view(SUSI, "b"))

    assert shapes_of(room, scene) == [None]
    assert shapes_of(room, MASKED) == [(640, 360), None]


def test_of_a_camera_that_is_gone_no_shape_is_kept(room, masked):
    room.run(room.cameras.remove(SUSI, "b", expect_version=masked.version))

    assert known(room) == {}


def test_of_a_camera_that_is_gone_nothing_is_kept(room, camera):
    room.run(room.cameras.remove(SUSI, "a", expect_version=camera.version))

    assert known(room) == {}
