"""What is drawn on a camera is kept version by version, and nobody overwrites what he has not seen."""

from dataclasses import replace

import pytest
from sqlalchemy import delete

from core.access import audit
from core.cameras.model import Camera, CameraChanged, SceneVersion
from core.cameras.scenes import NOTE_OF_THE_OLD
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.store.tables import SceneVersionRow
from core.vision.model import CountLine, Lane, Mask, PlanePoint, RoadPlane, RuleSetting, Scene, Zone
from tests.fixtures.room import OLGA, SUSI, Room

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
ZONE = Zone(key="zone-a", name="A", polygon=SQUARE)
FULL = Scene(
    zones=(ZONE,),
    lines=(CountLine(key="line", name="L", start=(0.0, 0.5), end=(1.0, 0.5)),),
    lanes=(Lane(key="lane", name="Lane", polygon=SQUARE, start=(0.5, 0.2), end=(0.5, 0.8)),),
    masks=(Mask(key="mask", name="Window", polygon=SQUARE),),
    plane=RoadPlane(
        points=tuple(PlanePoint(picture=p, ground_xy_m=(p[0] * 10, p[1] * 20)) for p in SQUARE),
        origin=GeoPoint(54.1, 12.1),
    ),
    rules=(RuleSetting(kind="wrong_way", is_enabled=False, values={"hold_s": 3.0}),),
)


def add(room: Room, scene: Scene = Scene()) -> Camera:  # noqa: B008 - frozen
    return room.run(room.cameras.add(SUSI, Camera(camera_id="", name="Ring", address="rtsp://cam/1", scene=scene)))


def save(room: Room, camera: Camera, scene: Scene, note: str = "", actor=SUSI) -> Camera:
    return room.run(room.cameras.save_scene(actor, camera.camera_id, scene, expect_version=camera.version, note=note))


def versions(room: Room, camera: Camera) -> list[tuple[int, str, str]]:
    listed = room.run(room.cameras.scene_versions(camera.camera_id))
    return [(version.number, version.actor, version.note) for version in listed]


def test_everything_that_can_be_drawn_comes_back_after_a_restart(room: Room) -> None:
    camera = save(room, add(room), FULL, "all of it")

    room.restart()

    assert room.run(room.cameras.get(camera.camera_id)).scene == FULL
    assert room.run(room.cameras.scene_of_version(camera.camera_id, 1)) == FULL


def test_every_changed_scene_becomes_a_version_with_author_time_and_note(room: Room) -> None:
    camera = save(room, add(room), Scene(zones=(ZONE,)), " first zone ")
    room.clock.advance(seconds=60)
    camera = save(room, camera, FULL, "lanes")

    listed = room.run(room.cameras.scene_versions(camera.camera_id))

    assert listed[0] == SceneVersion(
        camera_id=camera.camera_id, number=2, at=room.clock.now(), actor="susi", note="lanes"
    )
    assert [(v.number, v.note) for v in listed] == [(2, "lanes"), (1, "first zone")]
    assert room.run(room.cameras.scene_of_version(camera.camera_id, 1)) == Scene(zones=(ZONE,))


def test_of_a_line_it_is_known_since_when_it_has_been_drawn_if_that_is_not_long_ago(room: Room) -> None:
    line = FULL.lines[0]
    old, changed = add(room, FULL), add(room, FULL)
    room.clock.advance(seconds=60)
    midnight = room.clock.now()
    room.clock.advance(seconds=60)
    changed = save(room, changed, replace(FULL, lines=(line, replace(line, key="second"))))
    second_at = room.clock.now()
    room.clock.advance(seconds=60)
    changed = save(room, changed, replace(FULL, lines=(replace(line, name="Renamed"), replace(line, key="second"))))
    fresh = add(room, FULL)

    assert room.run(room.cameras.lines_drawn_since(midnight)) == {
        changed.camera_id: {"second": second_at},
        fresh.camera_id: {"line": room.clock.now()},
    }
    assert old.camera_id not in room.run(room.cameras.lines_drawn_since(midnight))


def test_lines_from_before_versions_were_kept_were_not_drawn_with_the_first_change(room: Room) -> None:
    camera = add(room, FULL)
    midnight = room.clock.now()
    room.clock.advance(seconds=60)
    room.run(room.store.write(lambda session: session.execute(delete(SceneVersionRow)).rowcount))
    save(room, camera, replace(FULL, zones=()))

    assert room.run(room.cameras.lines_drawn_since(midnight)) == {camera.camera_id: {}}


def test_saving_what_is_there_already_adds_no_version(room: Room) -> None:
    camera = add(room, FULL)

    save(room, camera, FULL, "again")

    assert [number for number, _, _ in versions(room, camera)] == [1]


def test_a_scene_changed_in_the_camera_form_is_a_version_as_well(room: Room) -> None:
    camera = add(room, Scene(zones=(ZONE,)))

    room.run(room.cameras.update(SUSI, replace(camera, scene=FULL), expect_version=1))
    room.run(room.cameras.update(SUSI, replace(camera, scene=FULL, name="Other"), expect_version=2))

    assert [number for number, _, _ in versions(room, camera)] == [2, 1]


def test_what_was_drawn_before_versions_were_kept_can_be_restored(room: Room) -> None:
    camera = add(room, Scene(zones=(ZONE,)))
    # As in a database of the last release.
    room.run(room.store.write(lambda s: s.query(SceneVersionRow).delete() and None))

    save(room, camera, FULL, "new")

    assert versions(room, camera) == [(2, "susi", "new"), (1, "", NOTE_OF_THE_OLD)]
    assert room.run(room.cameras.scene_of_version(camera.camera_id, 1)) == Scene(zones=(ZONE,))


def test_of_two_editors_the_second_is_refused_and_adds_no_version(room: Room) -> None:
    camera = add(room)
    save(room, camera, Scene(zones=(ZONE,)))

    with pytest.raises(StaleWriteError, match="changed by someone else"):
        save(room, camera, FULL)

    assert [number for number, _, _ in versions(room, camera)] == [1]


def test_only_supervisors_change_a_scene(room: Room) -> None:
    camera = add(room)

    with pytest.raises(NotPermittedError):
        save(room, camera, FULL, actor=OLGA)


def test_a_saved_scene_is_told_and_audited_with_what_changed(room: Room) -> None:
    camera = save(room, add(room), Scene(zones=(ZONE,)), "tramway")

    assert room.events[-1] == CameraChanged(camera=camera)
    newest = room.run(audit.recent(room.store, limit=1))[0]
    assert (newest.action, newest.actor, newest.detail) == ("camera.scene", "susi", "zones; tramway")


def test_a_version_that_is_not_there_gives_a_sentence(room: Room) -> None:
    camera = add(room)

    with pytest.raises(BadInputError, match="no version 7"):
        room.run(room.cameras.scene_of_version(camera.camera_id, 7))


LANE, MASK, PLANE = FULL.lanes[0], FULL.masks[0], FULL.plane
assert PLANE is not None


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        (Scene(lanes=(replace(LANE, end=LANE.start),)), "has no direction"),
        (Scene(lanes=(replace(LANE, polygon=SQUARE[:2]),)), "Lane Lane has 2 corners"),
        (Scene(lanes=(LANE, LANE)), "Two lanes have the key"),
        (Scene(masks=(replace(MASK, polygon=(SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3])),)), "crosses itself"),
        (Scene(masks=(replace(MASK, polygon=((0.0, 0.0), (2.0, 0.0), (1.0, 1.0))),)), "outside the picture"),
        (Scene(plane=replace(PLANE, points=PLANE.points[:3])), "needs 4 points"),
        (Scene(rules=(RuleSetting(kind="wrong_way", values={"hold_s": 99.0}),)), "between 0.2 and 30"),
        (Scene(rules=(RuleSetting(kind="dancing"),)), "'dancing' is unknown"),
        (Scene(masks=tuple(replace(MASK, key=f"m-{n}") for n in range(65))), "More than 64"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(room: Room, scene: Scene, sentence: str) -> None:
    camera = add(room)

    with pytest.raises(BadInputError, match=sentence):
        save(room, camera, scene)
