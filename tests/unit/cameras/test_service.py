"""Cameras are added, changed and removed, and their passwords stay out of everything."""

import math
from dataclasses import replace

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.access import audit
from core.cameras.address import clean_address
from core.cameras.many import CameraAt, CameraEdit
from core.cameras.model import Camera, CameraChanged, CameraRemoved
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.store.tables import CameraRow
from core.vision.model import UNREADABLE, CountLine, Scene, TrackerKind, Zone
from tests.fixtures.room import OLGA, SUSI, VERA, Room

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
ZONE = Zone(key="zone-a", name="Lane A", polygon=SQUARE, stopped_after_s=20.0, congestion_capacity=12.0)
LINE = CountLine(key="line-a", name="In", start=(0.0, 0.5), end=(1.0, 0.5), forward_name="in", backward_name="out")
DRAFT = Camera(camera_id="", name="Ring North", address="rtsp://10.0.0.5/stream1", username="admin")


BARE = (
    "cam_1:hunter2@10.0.0.5/stream1",
    "rtsp//admin:hunter2@10.0.0.5/s",
    "10.0.0.5/user=admin_password=hunter2_channel=1.sdp",
    "edge2:hunter2@10.0.0.5/s",
)


@pytest.fixture(autouse=True)
def no_keyring_of_this_machine():
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield
    keyring.set_keyring(before)


def add(room: Room, password: str = "", **changes: object) -> Camera:
    return room.run(room.cameras.add(SUSI, replace(DRAFT, **changes), password))


def password_of(room: Room, camera: Camera) -> str:
    return room.run(room.cameras.password_of(camera.camera_id))


def test_a_camera_comes_back_as_it_was_added(room: Room) -> None:
    camera = add(
        room,
        position=GeoPoint(54.1, 12.1),
        heading_deg=370.0 - 20.0,
        mount_height_m=6.5,
        labels=("car", "bus"),
        tracker=TrackerKind.BOTSORT,
        scene=Scene(zones=(ZONE,), lines=(LINE,)),
    )

    room.restart()

    assert room.run(room.cameras.list()) == (camera,)
    assert room.run(room.cameras.get(camera.camera_id)) == camera
    assert camera.scene == Scene(zones=(ZONE,), lines=(LINE,))
    assert room.events == [CameraChanged(camera=camera)]


def test_a_password_in_the_address_is_moved_out_of_it(room: Room) -> None:
    camera = add(room, address="rtsp://root:p%40ss@10.0.0.5:554/a?x=1", username="")

    assert (camera.address, camera.username, camera.has_password) == ("rtsp://10.0.0.5:554/a?x=1", "root", True)
    assert password_of(room, camera) == "p@ss"


def test_no_password_reaches_the_database_the_audit_or_an_event(room: Room) -> None:
    camera = add(room, password="hunter2-hunter2")
    room.run(room.cameras.update(SUSI, replace(camera, name="North"), expect_version=1, password="swordfish-77"))
    room.run(audit.verify(room.store))
    room.run(room.store.close())

    content = (room.folder / "watchfloor.sqlite3").read_bytes()

    assert b"hunter2" not in content
    assert b"swordfish" not in content
    assert "hunter2" not in repr(room.events)


@pytest.mark.parametrize("field", ["address", "sub_address"])
@pytest.mark.parametrize("typed", BARE)
def test_an_address_without_its_scheme_is_refused_before_its_password_is_kept_anywhere(room, field, typed) -> None:
    camera = add(room)

    with pytest.raises(BadInputError, match="begin with rtsp://") as added:
        add(room, **{field: typed})
    with pytest.raises(BadInputError, match="begin with rtsp://") as changed:
        room.run(room.cameras.update(SUSI, replace(camera, **{field: typed}), expect_version=1))

    assert "hunter2" not in str(added.value) + str(changed.value)
    room.run(room.store.close())
    assert b"hunter2" not in (room.folder / "watchfloor.sqlite3").read_bytes()


def test_an_address_that_was_kept_with_its_password_is_told_and_listed_without(room: Room) -> None:
    kept = add(room, address="clips/a.mp4")
    room.run(room.store.write(lambda s: _as_kept_before(s, kept.camera_id)))

    listed = room.run(room.cameras.get(kept.camera_id))
    changed = room.run(room.cameras.set_enabled(OLGA, kept.camera_id, False, expect_version=listed.version))

    assert (listed.address, listed.sub_address) == ("10.0.0.5/stream1", "10.0.0.5/s")
    assert changed.address == "10.0.0.5/stream1"
    told = [entry.detail for entry in room.run(audit.recent(room.store)) if entry.action == "camera.add"]
    assert told == ["10.0.0.5/stream1", "clips/a.mp4"]
    assert "hunter2" not in repr(room.events)
    assert room.run(audit.verify(room.store)).ok


def test_the_next_change_takes_such_a_password_out_of_the_database(room: Room) -> None:
    kept = add(room, address="clips/a.mp4")
    room.run(room.store.write(lambda s: _as_kept_before(s, kept.camera_id)))
    listed = room.run(room.cameras.get(kept.camera_id))

    room.run(room.cameras.update(SUSI, replace(listed, name="North"), expect_version=listed.version))

    stored = room.run(room.store.read(lambda s: s.execute(text("SELECT address, sub_address FROM camera")).all()))
    assert [tuple(row) for row in stored] == [("10.0.0.5/stream1", "10.0.0.5/s")]


def _as_kept_before(session: Session, camera_id: str) -> None:
    row = session.get(CameraRow, camera_id)
    assert row is not None
    row.address, row.sub_address = BARE[0], BARE[1]
    audit.append(session, SUSI, action="camera.add", subject=f"Old ({camera_id})", detail=BARE[0], at=row.created_at)


def test_a_change_keeps_the_password_unless_another_is_given(room: Room) -> None:
    camera = add(room, password="hunter2")

    renamed = room.run(room.cameras.update(SUSI, replace(camera, name="North"), expect_version=1))
    assert (renamed.name, renamed.has_password, password_of(room, camera)) == ("North", True, "hunter2")

    changed = room.run(room.cameras.update(SUSI, renamed, expect_version=2, password="new"))
    assert (changed.version, password_of(room, camera)) == (3, "new")

    cleared = room.run(room.cameras.update(SUSI, changed, expect_version=3, password=""))
    assert (cleared.has_password, password_of(room, camera)) == (False, "")


def test_a_kept_password_is_not_sent_to_another_host_unasked(room: Room) -> None:
    camera = add(room, password="hunter2")
    elsewhere = replace(camera, address="rtsp://evil.example/stream1")

    with pytest.raises(BadInputError, match="leads to another host"):
        room.run(room.cameras.update(SUSI, elsewhere, expect_version=1))

    moved = room.run(room.cameras.update(SUSI, elsewhere, expect_version=1, password="hunter2"))
    assert moved.address == "rtsp://evil.example/stream1"


@pytest.mark.parametrize("change", [{"onvif_address": "evil.example"}, {"sub_address": "rtsp://evil.example/s"}])
def test_a_kept_password_goes_to_no_new_host_also_where_the_picture_is_no_network_address(room, change) -> None:
    camera = add(room, address="webcam:0", password="hunter2")

    with pytest.raises(BadInputError, match="leads to another host"):
        room.run(room.cameras.update(SUSI, replace(camera, **change), expect_version=1))


def test_all_addresses_lead_to_one_host_also_where_the_picture_is_no_network_address(room: Room) -> None:
    with pytest.raises(BadInputError, match=r"leads to 10\.0\.0\.9"):
        add(room, address="webcam:0", sub_address="rtsp://10.0.0.5/s", onvif_address="10.0.0.9")


def test_a_kept_password_is_given_out_for_the_camera_s_own_hosts_only(room: Room) -> None:
    camera = add(room, address="rtsp://Cam.local:554/s", password="hunter2")

    def password_for(address: str, camera_id: str = camera.camera_id) -> str:
        return room.run(room.cameras.password_for(camera_id, address))

    assert password_for("http://cam.local:8000/onvif/device_service") == "hunter2"
    assert password_for("rtsp://evil.example/s") == ""
    assert password_for("rtsp://cam.local:554@evil.example/s") == ""
    assert password_for("webcam:0") == ""
    assert password_for("rtsp://cam.local/s", camera_id="") == ""


def test_a_login_that_stands_in_a_second_address_is_taken(room: Room) -> None:
    camera = add(room, address="rtsp://cam/s", sub_address="rtsp://root:pass@cam/t", username="")

    assert (camera.username, camera.sub_address, password_of(room, camera)) == ("root", "rtsp://cam/t", "pass")


@pytest.mark.parametrize("address", ["rtsp://u:one@cam/s", "rtsp://cam/s?password=one"])
def test_two_different_passwords_are_refused(room: Room, address: str) -> None:
    with pytest.raises(BadInputError, match="two different passwords"):
        add(room, address=address, password="two")


def test_what_is_no_onvif_address_is_refused_before_somebody_steers(room: Room) -> None:
    with pytest.raises(BadInputError, match="no ONVIF address"):
        add(room, address="rtsp://cam/s", onvif_address="rtsp://cam/s")


def test_an_onvif_host_without_a_scheme_is_an_address_and_still_has_to_be_the_camera_s_own(room: Room) -> None:
    camera = add(room, address="rtsp://10.0.0.5/s", onvif_address="10.0.0.5:8000")
    assert camera.onvif_address == "http://10.0.0.5:8000"

    with pytest.raises(BadInputError, match=r"leads to 10\.0\.0\.9"):
        add(room, address="rtsp://10.0.0.5/s", onvif_address="10.0.0.9")


def test_of_two_changes_the_second_is_refused(room: Room) -> None:
    camera = add(room)
    room.run(room.cameras.update(SUSI, replace(camera, name="First"), expect_version=1))

    with pytest.raises(StaleWriteError, match="Camera First was changed"):
        room.run(room.cameras.update(SUSI, replace(camera, name="Second"), expect_version=1))


def test_a_removed_camera_and_its_password_are_gone(room: Room) -> None:
    camera = add(room, password="hunter2")

    room.run(room.cameras.remove(SUSI, camera.camera_id, expect_version=1))

    assert room.run(room.cameras.list()) == ()
    assert password_of(room, camera) == ""
    assert room.events[-1] == CameraRemoved(camera_id=camera.camera_id)
    with pytest.raises(BadInputError, match="no such camera"):
        room.run(room.cameras.get(camera.camera_id))


def test_each_verb_asks_for_its_role(room: Room) -> None:
    camera = add(room)
    for verb, role in (
        (lambda: room.cameras.add(OLGA, DRAFT), "a supervisor"),
        (lambda: room.cameras.update(OLGA, camera, expect_version=1), "a supervisor"),
        (lambda: room.cameras.remove(OLGA, camera.camera_id, expect_version=1), "a supervisor"),
        (lambda: room.cameras.set_enabled(VERA, camera.camera_id, False, expect_version=1), "an operator"),
    ):
        with pytest.raises(NotPermittedError, match=f"needs {role}"):
            room.run(verb())

    assert not room.run(room.cameras.set_enabled(OLGA, camera.camera_id, False, expect_version=1)).is_enabled


def test_every_change_stands_in_the_audit_with_what_changed(room: Room) -> None:
    camera = add(room)
    room.run(room.cameras.update(SUSI, replace(camera, name="North", detect_fps=4.0), expect_version=1, password="x"))
    room.run(room.cameras.set_enabled(OLGA, camera.camera_id, False, expect_version=2))
    room.run(room.cameras.remove(SUSI, camera.camera_id, expect_version=3))

    rows = [(row.action, row.actor, row.detail) for row in reversed(room.run(audit.recent(room.store)))]

    assert rows == [
        ("camera.add", "susi", "rtsp://10.0.0.5/stream1"),
        ("camera.change", "susi", "name, has_password, detect_fps, password"),
        ("camera.disable", "olga", ""),
        ("camera.remove", "susi", ""),
    ]


def test_one_row_that_somebody_broke_by_hand_does_not_take_the_wall_down(room: Room) -> None:
    add(room, name="A")
    add(room, name="B", scene=Scene(zones=(ZONE,)))
    room.run(
        room.store.write(
            lambda s: (
                s.execute(text("""UPDATE camera SET scene = '{"zones": 7}', tracker = 'none' WHERE name = 'B'"""))
                and None
            )
        )
    )

    listed = room.run(room.cameras.list())

    assert [(camera.name, camera.scene) for camera in listed] == [("A", Scene()), ("B", UNREADABLE)]


@pytest.mark.parametrize(
    ("typed", "address", "username", "password"),
    [
        ("rtsp://cam/1", "rtsp://cam/1", "", ""),
        ("RTSP://u:Pa55@Cam:554/1", "rtsp://cam:554/1", "u", "Pa55"),
        ("rtsp://u@cam/1", "rtsp://cam/1", "u", ""),
        ("rtsp://u:p@ss@cam/1", "rtsp://cam/1", "u", "p@ss"),
        ("rtsp://u:p/w@cam/1", "rtsp://cam/1", "u", "p/w"),
        ("rtsp://u:p%2Fw@[fe80::1]:554/1", "rtsp://[fe80::1]:554/1", "u", "p/w"),
        ("rtsp://cam/path@2x", "rtsp://cam/path@2x", "", ""),
        ("rtsp://cam:554/path@2x", "rtsp://cam:554/path@2x", "", ""),
        ("https://cam/mjpeg?fps=5", "https://cam/mjpeg?fps=5", "", ""),
        ("http://cam/v.cgi?user=a&pwd=s%26x", "http://cam/v.cgi?user={user}&pwd={password}", "a", "s&x"),
        ("rtsp://u:Pa55@cam/v?token=Pa55", "rtsp://cam/v?token={password}", "u", "Pa55"),
        ("rtsp://cam/user=a_password=_channel=1", "rtsp://cam/user=a_password=_channel=1", "", ""),
        ("webcam:0", "webcam:0", "", ""),
        ("WEBCAM:02", "webcam:2", "", ""),
        ("/dev/video3", "webcam:3", "", ""),
        ("webcam:/dev/video3", "webcam:3", "", ""),
        ("/dev/v4l/by-id/usb-Acme_Cam-video-index0", "webcam:/dev/v4l/by-id/usb-Acme_Cam-video-index0", "", ""),
        ("synthetic:traffic", "synthetic:traffic", "", ""),
        ("demo:ring", "demo:ring", "", ""),
        ("/data/clips/a b.mp4", "/data/clips/a b.mp4", "", ""),
        ("C:\\clips\\a.mp4", "C:\\clips\\a.mp4", "", ""),
        ("file:///data/a.mp4", "file:///data/a.mp4", "", ""),
        ("/data/a@b.mp4", "/data/a@b.mp4", "", ""),
        ("/data/clip:1.mp4", "/data/clip:1.mp4", "", ""),
        ("C:\\clips\\a@b.mp4", "C:\\clips\\a@b.mp4", "", ""),
    ],
)
def test_addresses_people_type(typed: str, address: str, username: str, password: str) -> None:
    found = clean_address(typed)

    assert (found.address, found.username, found.password) == (address, username, password)
    assert not password or password not in repr(found)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "rtsp://",
        "rtsp:///stream",
        "rtsp:/cam/1",
        "ftp://cam/x",
        "rtsp://cam:port/1",
        "rtsp://cam:0/1",
        "rtsp://u:one@cam/1?token=two",
        "webcam:x",
        "synthetic:",
    ],
)
def test_addresses_that_name_nothing_are_refused_with_a_way_out(typed: str) -> None:
    with pytest.raises(BadInputError) as refusal:
        clean_address(typed)

    assert refusal.value.hint


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "  "}, "needs a name"),
        ({"name": "x" * 81}, "needs a name"),
        ({"transport": "carrier pigeon"}, "no transport"),
        ({"detect_fps": 500.0}, "detection rate is 500"),
        ({"detect_fps": math.nan}, "detection rate is nan"),
        ({"heading_deg": math.inf}, "heading is inf"),
        ({"view_angle_deg": 0.0}, "opening is 0"),
        ({"mount_height_m": 0.0}, "mounting height is 0"),
        ({"mount_height_m": math.nan}, "mounting height is nan"),
        ({"labels": ("",)}, "has no name"),
        ({"scene": Scene(zones=(replace(ZONE, key="Lane A"),))}, "no key"),
        ({"scene": Scene(zones=(ZONE, ZONE))}, "Two zones have the key"),
        ({"scene": Scene(lines=(LINE, LINE))}, "Two lines have the key"),
        ({"scene": Scene(zones=(replace(ZONE, polygon=SQUARE[:2]),))}, "Zone Lane A has 2 corners"),
        ({"scene": Scene(zones=(replace(ZONE, polygon=((0.1, 0.1), (0.5, 0.5), (0.9, 0.9))),))}, "has no area"),
        (
            {"scene": Scene(zones=(replace(ZONE, polygon=((0.1, 0.1), (0.9, 0.8), (0.9, 0.1), (0.1, 0.9))),))},
            "crosses itself",
        ),
        ({"scene": Scene(zones=(replace(ZONE, polygon=((0.1, 0.1), (1.4, 0.1), (0.9, 0.9))),))}, "outside the picture"),
        ({"scene": Scene(zones=(replace(ZONE, polygon=((0.1, 0.1), (math.nan, 0.1), (0.9, 0.9))),))}, "outside"),
        ({"scene": Scene(zones=(replace(ZONE, stopped_after_s=0.0),))}, "has to be above zero|is 0"),
        ({"scene": Scene(lines=(replace(LINE, end=LINE.start),))}, "same place"),
        ({"scene": Scene(lines=(replace(LINE, backward_name="in"),))}, "two names"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(room: Room, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(BadInputError, match=reason):
        add(room, **changes)

    assert room.run(room.cameras.list()) == ()


def test_an_id_that_is_taken_is_refused(room: Room) -> None:
    add(room, camera_id="demo-1")

    with pytest.raises(BadInputError, match="already"):
        add(room, camera_id="demo-1")


def three(room: Room) -> list[Camera]:
    return [add(room, name=f"Camera {n}", address=f"rtsp://10.0.0.{n}/a") for n in range(3)]


def test_many_cameras_get_a_site_and_one_that_somebody_changed_meanwhile_is_left_alone(room: Room) -> None:
    cameras = three(room)
    room.run(room.cameras.set_enabled(OLGA, cameras[1].camera_id, False, expect_version=1))
    room.events.clear()

    edits = [CameraEdit(camera_id=one.camera_id, version=1, site="Harbour") for one in cameras]
    outcomes = room.run(room.cameras.edit_many(SUSI, [*edits, CameraEdit(camera_id="gone", version=1, site="x")]))

    reasons = {outcome.device_id: outcome.reason for outcome in outcomes}
    assert [reasons[one.camera_id] for one in cameras] == ["", "Somebody else changed it meanwhile.", ""]
    assert reasons["gone"] == "There is no such camera any more."
    stored = {one.camera_id: (one.site, one.version) for one in room.run(room.cameras.list())}
    assert [stored[one.camera_id] for one in cameras] == [("Harbour", 2), ("", 2), ("Harbour", 2)]
    assert {event.camera.site for event in room.events} == {"Harbour"}
    again = room.run(
        room.cameras.edit_many(SUSI, [CameraEdit(camera_id=cameras[0].camera_id, version=2, site="Harbour")])
    )
    assert again[0].reason == "It is so already."


def test_an_operator_switches_many_cameras_and_moves_none(room: Room) -> None:
    cameras = three(room)

    off = [CameraEdit(camera_id=one.camera_id, version=1, is_enabled=False) for one in cameras]
    assert not any(outcome.reason for outcome in room.run(room.cameras.edit_many(OLGA, off)))
    assert not any(one.is_enabled for one in room.run(room.cameras.list()))

    with pytest.raises(NotPermittedError):
        room.run(room.cameras.edit_many(OLGA, [CameraEdit(camera_id=cameras[0].camera_id, version=2, site="x")]))
    with pytest.raises(NotPermittedError):
        room.run(room.cameras.remove_many(OLGA, [CameraAt(camera_id=cameras[0].camera_id, version=2)]))
    with pytest.raises(NotPermittedError):
        room.run(room.cameras.edit_many(VERA, off))


def test_more_cameras_than_one_transaction_may_take_are_refused(room: Room) -> None:
    edits = [CameraEdit(camera_id=str(n), version=1, is_enabled=False) for n in range(501)]

    with pytest.raises(BadInputError, match="501 cameras at once"):
        room.run(room.cameras.edit_many(SUSI, edits))


def test_removed_cameras_are_put_back_with_their_scenes_and_without_their_passwords(room: Room) -> None:
    kept = add(room, name="Kept")
    camera = add(room, password="hunter2", name="Gate", scene=Scene(zones=(ZONE,)))
    seen = [CameraAt(camera_id=camera.camera_id, version=1), CameraAt(camera_id=kept.camera_id, version=7)]

    gone, stays = sorted(room.run(room.cameras.remove_many(SUSI, seen)), key=lambda one: one.reason)
    assert (gone.device_id, gone.reason) == (camera.camera_id, "")
    assert (stays.device_id, stays.reason) == (kept.camera_id, "Somebody else changed it meanwhile.")
    assert room.run(room.cameras.list()) == (kept,)
    assert password_of(room, camera) == ""

    (back,) = room.run(room.cameras.put_back(SUSI, [camera]))
    assert back.reason == ""
    assert room.run(room.cameras.get(camera.camera_id)) == replace(camera, has_password=False)
    (twice,) = room.run(room.cameras.put_back(SUSI, [camera]))
    assert "already" in twice.reason


def test_a_scene_that_cannot_be_read_hides_all_and_is_not_written_over(room):
    camera = add(room)
    drawn = {"masks": [{"key": "w", "name": "Window", "kind": "hologram", "polygon": [[0, 0], [1, 0], [1, 1]]}]}

    def damage(session):
        session.get(CameraRow, camera.camera_id).scene = drawn

    room.run(room.store.write(damage))
    (seen,) = room.run(room.cameras.list())
    assert seen.scene.private_parts == (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),)

    room.run(room.cameras.update(SUSI, replace(seen, name="Renamed"), expect_version=seen.version))

    kept = room.run(room.store.read(lambda session: session.get(CameraRow, camera.camera_id).scene))
    assert kept == drawn
