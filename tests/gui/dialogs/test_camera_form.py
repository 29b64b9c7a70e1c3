from dataclasses import replace

import pytest
from PySide6.QtCore import QBuffer, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton, QScrollArea

from core.cameras.model import Camera
from core.kernel.geo import GeoPoint
from core.media.model import ProbeResult
from tests.gui.map.things import camera
from widgets.dialogs.addresses import check_address
from widgets.dialogs.camera_form import CameraForm

GOOD = ProbeResult(ok=True, message="The address gives a picture.", width=1280, height=720, fps=25.0, codec="h264")


@pytest.fixture
def form(qtbot):
    made = CameraForm()
    qtbot.addWidget(made)
    made.resize(560, 900)
    made.show_new("cam-9")
    made.show()
    return made


def fill(qtbot, form, address="rtsp://10.0.0.7/live"):
    form._name.clear()
    form._address.clear()
    qtbot.keyClicks(form._name, "Harbour")
    qtbot.keyClicks(form._address, address)


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def jpeg():
    image = QImage(64, 36, QImage.Format.Format_RGB32)
    image.fill(0x336699)
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "JPG")
    return bytes(buffer.data().data())


def test_a_new_camera_cannot_be_saved_before_its_address_was_tested(form, qtbot):
    fill(qtbot, form)

    assert not form._save.isEnabled()
    assert form._test.isEnabled()


def test_a_good_test_shows_the_picture_and_lets_save(form, qtbot):
    fill(qtbot, form)
    with qtbot.waitSignal(form.test_requested) as asked:
        press(qtbot, form._test)

    form.show_probe(ProbeResult(ok=True, message="Good.", width=1280, height=720, codec="h264", thumbnail_jpeg=jpeg()))

    assert asked.args[0].address == "rtsp://10.0.0.7/live"
    assert asked.args[1] == "cam-9"
    assert form._thumbnail.isVisible()
    assert form._save.isEnabled()


def test_saving_hands_over_the_camera_and_the_new_password(form, qtbot):
    fill(qtbot, form)
    qtbot.keyClicks(form._user, "viewer")
    qtbot.keyClicks(form._password, "s3cret!")
    press(qtbot, form._test)
    form.show_probe(GOOD)

    with qtbot.waitSignal(form.save_requested) as asked:
        press(qtbot, form._save)

    saved, password = asked.args
    assert (saved.camera_id, saved.name, saved.address) == ("cam-9", "Harbour", "rtsp://10.0.0.7/live")
    assert (saved.username, saved.has_password, password) == ("viewer", True, "s3cret!")


def test_a_failed_test_says_why_and_needs_a_second_press_to_save_all_the_same(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    form.show_probe(ProbeResult(ok=False, message="It does not answer.", hint="Check its cable."))
    saved = []
    form.save_requested.connect(lambda *args: saved.append(args))
    assert form._answer.text() == "It does not answer."
    assert not form._save.isEnabled()

    press(qtbot, form._untested)
    assert not saved
    press(qtbot, form._untested)

    assert len(saved) == 1


def test_a_camera_whose_pictures_are_posted_is_saved_without_a_test(form, qtbot):
    fill(qtbot, form, "edge:")

    with qtbot.waitSignal(form.save_requested) as asked:
        press(qtbot, form._save)

    assert asked.args[0].address == "edge:"
    assert not form._untested.isVisible()


def test_another_address_needs_another_test(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    form.show_probe(GOOD)

    qtbot.keyClicks(form._address, "2")

    assert not form._save.isEnabled()


def test_the_answer_to_an_address_that_was_changed_meanwhile_is_not_believed(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    qtbot.keyClicks(form._address, "2")

    form.show_probe(GOOD)

    assert not form._save.isEnabled()


def test_a_password_pasted_with_the_address_is_moved_out_of_it(form, qtbot):
    fill(qtbot, form, "rtsp://admin:hunter2@10.0.0.7/live")

    with qtbot.waitSignal(form.test_requested) as asked:
        press(qtbot, form._test)

    assert form._address.text() == "rtsp://10.0.0.7/live"
    assert asked.args[0].username == "admin"
    assert asked.args[0].password == "hunter2"


@pytest.mark.parametrize(
    ("pasted", "shown", "password"),
    [
        ("rtsp://root:p%40ss@10.0.0.5/s", "rtsp://10.0.0.5/s", "p@ss"),
        ("rtsp://root:p/w@10.0.0.5/s", "rtsp://10.0.0.5/s", "p/w"),
        ("http://10.0.0.5/v?user=root&pwd=p%40ss", "http://10.0.0.5/v?user={user}&pwd={password}", "p@ss"),
    ],
)
def test_a_password_is_taken_out_of_an_address_wherever_it_stands_and_however_it_is_written(pasted, shown, password):
    checked = check_address(pasted)

    assert (checked.plain, checked.username, checked.password) == (shown, "root", password)


def test_the_password_is_never_echoed_and_kept_when_left_empty(form, qtbot):
    form.show_camera(camera(has_password=True, username="viewer"))
    assert form._password.text() == ""
    assert form._password.echoMode() is form._password.EchoMode.Password
    qtbot.keyClicks(form._name, " 2")

    with qtbot.waitSignal(form.save_requested) as asked:
        press(qtbot, form._save)

    saved, password = asked.args
    assert password is None
    assert saved.has_password
    assert saved.name == "Mill Bridge 2"


def test_changing_only_the_name_needs_no_test(form):
    form.show_camera(camera())

    assert form._save.isEnabled()


def test_a_form_without_a_name_says_what_is_missing(form, qtbot):
    qtbot.keyClicks(form._address, "rtsp://10.0.0.7/live")

    assert form._why.text() == "A name is needed."


def test_a_position_from_the_map_is_saved(form, qtbot):
    fill(qtbot, form)
    assert not form._heading.isEnabled()
    form.show_position(GeoPoint(36.0, -30.0))
    form._heading.setValue(270)
    assert form._height.text() == "not measured"
    form._height.setValue(6.5)
    press(qtbot, form._test)
    form.show_probe(GOOD)

    with qtbot.waitSignal(form.save_requested) as asked:
        press(qtbot, form._save)

    assert asked.args[0].position == GeoPoint(36.0, -30.0)
    assert asked.args[0].heading_deg == 270
    assert asked.args[0].mount_height_m == 6.5


def test_a_refusal_by_the_node_is_said_and_the_form_can_be_used_again(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    form.show_probe(GOOD)
    press(qtbot, form._save)
    assert not form._save.isEnabled()

    form.show_refused("There is a camera of that name.", "Choose another name.")

    assert form._answer.text() == "There is a camera of that name."
    assert form._save.isEnabled()


def test_keys_alone_test_save_and_leave(form, qtbot):
    fill(qtbot, form)
    form.activateWindow()
    form._address.setFocus()
    qtbot.waitUntil(form._address.hasFocus)
    with qtbot.waitSignal(form.test_requested):
        qtbot.keyClick(form._address, Qt.Key.Key_Return)
    form.show_probe(GOOD)

    with qtbot.waitSignal(form.save_requested):
        qtbot.keyClick(form._name, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    with qtbot.waitSignal(form.cancelled):
        qtbot.keyClick(form._name, Qt.Key.Key_Escape)


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://10.0.0.5/s",
        "rtsps://cam.example:322/a?b=1",
        "edge:",
        "webcam:0",
        "synthetic:jam",
        "demo:harbour",
        "/dev/video0",
        "clips/a.mp4",
        "file:/a/b.mkv",
        "C:\\a\\b.mp4",
    ],
)
def test_an_address_of_every_kind_can_be_tested(address):
    assert check_address(address).is_usable


@pytest.mark.parametrize(
    "address",
    [
        "",
        "rtsp://",
        "rtsp:///path",
        "webcam:front",
        "gopher://x/y",
        "rtsp://h:99999/x",
        "synthetic:",
        "10.0.0.5",
        "rtsp://h/a b",
    ],
)
def test_an_address_that_cannot_work_is_refused_with_a_sentence(address):
    assert check_address(address).sentence.endswith(".")


@pytest.mark.parametrize("field", ["_address", "_sub"])
@pytest.mark.parametrize("typed", ["cam_1:geheim@10.0.0.5/stream1", "10.0.0.5/user=a_password=geheim_channel=1.sdp"])
def test_an_address_without_its_scheme_is_neither_tested_nor_saved_nor_repeated(form, field, typed):
    form.show_camera(camera(address="rtsp://10.0.0.5/s"))

    getattr(form, field).setText(typed)

    assert not form._save.isEnabled()
    assert not (form._test if field == "_address" else form._sub_test).isEnabled()
    said = form._why.text() + form._address_note.text() + form._sub_note.text()
    assert "Write rtsp:// before it" in said
    assert "geheim" not in said + getattr(form, field).toolTip()


@pytest.mark.parametrize("width", [270, 365, 560])
def test_the_form_goes_into_a_dock_of_any_width(form, qapp, width):
    form.resize(width, 700)
    qapp.processEvents()

    scroll = form.findChild(QScrollArea)
    assert form.width() == width
    assert scroll.widget().width() <= scroll.viewport().width()
    for button in form.findChildren(QPushButton):
        if button.isVisible():
            assert button.width() >= button.sizeHint().width()
            assert button.mapTo(form, button.rect().topRight()).x() < width


def test_the_smaller_stream_has_its_own_test_and_is_saved_with_the_camera(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    form.show_probe(GOOD)
    qtbot.keyClicks(form._sub, "rtsp://10.0.0.7/small")
    with qtbot.waitSignal(form.test_requested) as asked:
        press(qtbot, form._sub_test)
    assert not form._sub_test.isEnabled()
    form.show_probe(ProbeResult(ok=True, message="Good.", width=640, height=360, codec="h264"))

    assert asked.args[0].address == "rtsp://10.0.0.7/small"
    assert "640 x 360" in form._sub_note.text()
    with qtbot.waitSignal(form.save_requested) as saved:
        press(qtbot, form._save)
    assert saved.args[0].sub_address == "rtsp://10.0.0.7/small"
    assert saved.args[0].address == "rtsp://10.0.0.7/live"


def test_a_smaller_stream_that_does_not_answer_says_why_and_the_large_one_can_still_be_saved(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    form.show_probe(GOOD)
    qtbot.keyClicks(form._sub, "rtsp://10.0.0.7/none")
    press(qtbot, form._sub_test)
    form.show_probe(ProbeResult(ok=False, message="It does not exist (404).", hint="Check the path."))

    assert form._sub_note.text() == "It does not exist (404). Check the path."
    assert form._save.isEnabled()


def test_a_password_typed_into_the_smaller_address_moves_to_its_field(form, qtbot):
    fill(qtbot, form)
    qtbot.keyClicks(form._sub, "rtsp://op:s3cret@10.0.0.7/small")
    press(qtbot, form._sub_test)

    assert form._sub.text() == "rtsp://10.0.0.7/small"
    assert (form._user.text(), form._password.text()) == ("op", "s3cret")


def test_an_unusable_smaller_address_is_named_and_not_saved(form, qtbot):
    fill(qtbot, form)
    press(qtbot, form._test)
    form.show_probe(GOOD)
    qtbot.keyClicks(form._sub, "ftp://10.0.0.7/small")

    assert form._sub_note.isVisible()
    assert not form._save.isEnabled()
    assert not form._sub_test.isEnabled()


def test_without_a_smaller_stream_there_is_nothing_to_test(form, qtbot):
    fill(qtbot, form)

    assert not form._sub_test.isEnabled()
    assert not form._sub_note.isVisible()


def test_an_answer_about_the_large_stream_is_not_taken_for_the_small_one(form, qtbot):
    fill(qtbot, form)
    qtbot.keyClicks(form._sub, "rtsp://10.0.0.7/small")
    press(qtbot, form._test)
    qtbot.keyClicks(form._address, "2")

    assert not form._sub_test.isEnabled()
    form.show_probe(GOOD)
    assert form._sub_test.isEnabled()
    assert not form._save.isEnabled()


def test_a_long_address_shows_its_host_and_is_whole_in_its_tip_without_a_password(form):
    long = "rtsp://10.0.0.5/Streaming/Channels/101?transportmode=unicast&profile=Profile_1"
    form.show_camera(Camera(camera_id="c", name="Gate", address=long))

    assert form._address.cursorPosition() == 0
    assert form._address.toolTip() == long

    form._address.setText("rtsp://op:hunter2@10.0.0.5/s")
    assert form._address.toolTip() == "rtsp://10.0.0.5/s"


def test_a_narrow_panel_cuts_no_field(form, qtbot):
    form.resize(270, 700)
    page = form.findChild(QScrollArea)

    qtbot.waitUntil(lambda: page.widget().width() <= page.viewport().width())


def test_a_rate_at_which_vehicles_pass_unseen_is_said_below_it(form):
    said = []
    for rate in (0.0, 0.5, 2.9, 3.0, 8.0):
        form._rate.setValue(rate)
        said.append(form._rate_note.isVisible())

    assert said == [False, True, True, False, False]
    assert "vehicles pass unseen" in form._rate_note.text()


def test_people_can_be_looked_for_and_classes_of_other_models_stay(form, qtbot):
    form.show_camera(replace(camera("c1"), labels=("car", "tram")))
    form._labels["person"].click()

    with qtbot.waitSignal(form.save_requested) as asked:
        press(qtbot, form._save)

    assert asked.args[0].labels == ("car", "person", "tram")
