import pytest
from PySide6.QtCore import Qt

from core.cameras.onvif.model import CameraDescription, Discovery, FoundCamera, StreamProfile
from core.media.model import ProbeResult
from widgets.base.state_overlay import PanelState
from widgets.dialogs.camera_form import CameraForm
from widgets.dialogs.found_cameras import CameraChoice, FoundCameras

BRIDGE = FoundCamera(
    endpoint="urn:1", address="http://10.0.0.7/onvif/device_service", name="Bridge", maker="Acme", model="Dome 2"
)
TUNNEL = FoundCamera(endpoint="urn:2", address="http://10.0.0.8/onvif/device_service", camera_id="cam-1")
DESCRIPTION = CameraDescription(
    address=BRIDGE.address,
    maker="Acme",
    model="Dome 2",
    profiles=(
        StreamProfile(
            token="m", name="Main", codec="H264", width=1920, height=1080, fps=25, address="rtsp://10.0.0.7/1"
        ),
        StreamProfile(token="s", name="Sub", codec="H264", width=640, height=360, fps=15, address="rtsp://10.0.0.7/2"),
    ),
    main="m",
    sub="s",
    has_ptz=True,
    notice="The camera works, but its clock is 3 h ahead.",
)


@pytest.fixture
def page(qtbot):
    made = FoundCameras()
    qtbot.addWidget(made)
    made.resize(520, 800)
    made.show()
    made.show_camera_names({"cam-1": "Tunnel North"})
    made.start()
    return made


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def found_and_asked(page, qtbot, password="secret"):
    page.show_found(Discovery(cameras=(BRIDGE, TUNNEL)))
    page._table.selectRow(0)
    qtbot.keyClicks(page._user, "admin")
    qtbot.keyClicks(page._password, password)
    with qtbot.waitSignal(page.describe_requested) as asked:
        press(qtbot, page._ask)
    return asked.args[1:]


def answer(page, description=DESCRIPTION):
    page.show_description(page._n_asked, description)


def test_a_search_says_that_it_runs_and_what_it_found(page):
    assert page._overlay.state is PanelState.LOADING

    page.show_found(Discovery(cameras=(BRIDGE, TUNNEL), notice="Nobody could be asked from 10.9.0.1."))

    assert page._overlay.state is None
    assert page._note.text() == "2 cameras found, 1 not added yet. Nobody could be asked from 10.9.0.1."
    assert [line.cells[0] for line in page._table.lines] == ["Bridge", "10.0.0.8 (added: Tunnel North)"]


def test_nobody_who_answers_is_a_sentence_with_a_way_out(page):
    page.show_found(Discovery(cameras=()))

    assert page._overlay.state is PanelState.EMPTY
    assert page._search.isEnabled()


def test_the_chosen_camera_is_asked_with_the_login(page, qtbot):
    assert found_and_asked(page, qtbot) == [BRIDGE.address, "admin", "secret"]
    assert not page._take.isEnabled()


def test_the_streams_are_chosen_for_the_operator_and_go_into_the_choice(page, qtbot):
    found_and_asked(page, qtbot)
    answer(page)

    assert "1920 x 1080" in page._main.currentText()
    assert "clock is 3 h ahead" in page._hint.text()
    with qtbot.waitSignal(page.chosen) as taken:
        press(qtbot, page._take)

    choice = taken.args[0]
    assert (choice.name, choice.address, choice.sub_address) == ("Bridge", "rtsp://10.0.0.7/1", "rtsp://10.0.0.7/2")
    assert (choice.onvif_address, choice.username, choice.password) == (BRIDGE.address, "admin", "secret")
    assert "secret" not in repr(choice)
    assert page._password.text() == ""


def test_a_refusal_is_shown_and_the_password_can_be_typed_again(page, qtbot):
    found_and_asked(page, qtbot, password="wrong")

    page.show_refused(page._n_asked, "10.0.0.7 refuses user and password.", "Check them.")

    assert page._answer.text() == "10.0.0.7 refuses user and password."
    assert page._ask.isEnabled()
    assert "wrong" not in page._answer.text() + page._hint.text()


def test_an_answer_about_another_camera_is_not_taken(page, qtbot):
    found_and_asked(page, qtbot)
    page._table.selectRow(1)

    answer(page)

    assert not page._take.isEnabled()
    assert page._password.text() == ""


def test_a_late_answer_about_the_camera_before_is_not_taken_for_this_one(page, qtbot):
    found_and_asked(page, qtbot)
    page._table.selectRow(1)
    press(qtbot, page._ask)

    page.show_description(1, DESCRIPTION)
    page.show_refused(1, "10.0.0.7 refuses user and password.")

    assert not page._take.isEnabled()
    assert page._answer.text() == "Asking the camera."


def test_an_address_can_be_typed_where_nobody_answered(page, qtbot):
    page.show_found(Discovery(cameras=()))
    qtbot.keyClicks(page._address, "10.0.0.9:8000")

    with qtbot.waitSignal(page.describe_requested) as asked:
        qtbot.keyClick(page._address, Qt.Key.Key_Return)

    assert asked.args[1] == "http://10.0.0.9:8000"


def test_the_form_takes_the_choice_over_and_wants_it_tested(qtbot):
    form = CameraForm()
    qtbot.addWidget(form)
    form.show_new("cam-9")
    form.show()

    form.fill(
        CameraChoice(
            name="Bridge",
            address="rtsp://10.0.0.7/1",
            sub_address="rtsp://10.0.0.7/2",
            onvif_address=BRIDGE.address,
            username="admin",
            password="secret",
        )
    )

    assert not form._save.isEnabled()
    form._on_test()
    form.show_probe(ProbeResult(ok=True, message="Good."))
    with qtbot.waitSignal(form.save_requested) as saved:
        press(qtbot, form._save)
    camera, password = saved.args
    assert (camera.sub_address, camera.onvif_address) == ("rtsp://10.0.0.7/2", BRIDGE.address)
    assert password == "secret"


def test_a_login_in_a_second_address_is_not_left_on_the_screen(qtbot):
    form = CameraForm()
    qtbot.addWidget(form)
    form.show_new("cam-9")
    form.show()

    form._sub.setText("rtsp://admin:hunter2@10.0.0.7/2")
    form._sub.editingFinished.emit()

    assert form._sub.text() == "rtsp://10.0.0.7/2"


def test_a_webcam_of_the_nodes_machine_is_taken_without_a_question(page, qtbot):
    webcam = FoundCamera(endpoint="webcam:0", address="webcam:0", name="Desk")
    page.show_found(Discovery(cameras=(BRIDGE, webcam)))
    page._table.selectRow(1)

    assert not page._ask.isEnabled()
    with qtbot.waitSignal(page.chosen) as chosen:
        press(qtbot, page._take)
    assert chosen.args[0] == CameraChoice(
        name="Desk", address="webcam:0", sub_address="", onvif_address="", username="", password=""
    )
    page._table.selectRow(0)
    assert page._ask.isEnabled()
    assert not page._take.isEnabled()
