from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt

from core.access.model import Role
from core.cameras.onvif.model import Preset, PtzAbilities, PtzHead, Steering, Velocity
from widgets.base.state_overlay import PanelState
from widgets.ptz.pad import PtzPad, Way

ABLE = PtzAbilities(can_turn=True, can_zoom=True, has_home=True, max_presets=16)
HEAD = PtzHead(
    camera_id="cam-1", abilities=ABLE, presets=(Preset(token="1", name="Ramp"), Preset(token="2", name="Bus"))
)


@pytest.fixture
def pad(qtbot):
    made = PtzPad()
    qtbot.addWidget(made)
    made.resize(420, 260)
    made.show_role(Role.SUPERVISOR)
    made.show_head("Bridge", HEAD)
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    return made


@pytest.fixture
def asked(pad):
    heard = []
    pad.move_requested.connect(heard.append)
    pad.stop_requested.connect(lambda: heard.append("stop"))
    return heard


def test_a_button_turns_while_it_is_held_and_stops_when_it_is_released(pad, asked, qtbot):
    qtbot.mousePress(pad._ways[Way.RIGHT], Qt.MouseButton.LeftButton)
    assert asked == [Velocity(pan=0.4)]

    qtbot.mouseRelease(pad._ways[Way.RIGHT], Qt.MouseButton.LeftButton)

    assert asked[-1] == "stop"
    assert not pad.is_turning


def test_what_is_held_is_asked_for_again_so_that_the_node_knows_that_somebody_is_there(pad, asked, qtbot):
    pad.hold(Way.UP)

    qtbot.waitUntil(lambda: len(asked) >= 3)

    assert set(asked) == {Velocity(tilt=0.4)}
    pad.let_go(Way.UP)


def test_two_ways_turn_diagonally_and_the_last_release_stops(pad, asked):
    pad.hold(Way.LEFT)
    pad.hold(Way.UP)
    assert asked[-1] == Velocity(pan=-0.4, tilt=0.4)

    pad.let_go(Way.LEFT)
    assert asked[-1] == Velocity(tilt=0.4)
    pad.let_go(Way.UP)

    assert asked[-1] == "stop"


@pytest.mark.parametrize("key", [Qt.Key.Key_Up, Qt.Key.Key_Down])
def test_a_key_that_the_name_of_a_preset_leaves_over_does_not_turn_the_camera(pad, asked, qtbot, key):
    qtbot.mouseClick(pad._keep, Qt.MouseButton.LeftButton)

    qtbot.keyPress(pad._name, key)

    assert asked == []


def test_the_tips_name_the_ways_again_once_the_role_allows_them(pad):
    pad.show_role(Role.VIEWER)
    assert pad._ways[Way.LEFT].toolTip() == "Steering needs the role operator."

    pad.show_role(Role.OPERATOR)

    assert pad._ways[Way.LEFT].toolTip() == "Left"


def test_the_speed_is_chosen(pad, asked, qtbot):
    pad._speed.setCurrentIndex(2)

    pad.hold(Way.ZOOM_IN)
    pad.let_go(Way.ZOOM_IN)

    assert asked == [Velocity(zoom=1.0), "stop"]


@pytest.mark.parametrize(
    "leave",
    [
        lambda pad: pad.hide(),
        lambda pad: pad.show_nothing("No camera."),
        lambda pad: pad.show_head("Tunnel", PtzHead(camera_id="cam-2", abilities=ABLE)),
        lambda pad: pad._on_application_state(Qt.ApplicationState.ApplicationInactive),
    ],
    ids=["hidden", "nothing selected", "another camera", "another program"],
)
def test_whatever_takes_the_release_away_stops_the_camera(pad, asked, leave):
    pad.hold(Way.RIGHT)

    leave(pad)

    assert asked[-1] == "stop"
    assert not pad.is_turning


def test_a_refusal_is_shown_and_not_asked_for_again(pad, asked):
    pad.hold(Way.RIGHT)

    pad.show_refused("omar at Desk 2 steers Bridge.", "It is free in 5 s.")

    assert not pad.is_turning
    assert pad._note.text() == "omar at Desk 2 steers Bridge. It is free in 5 s."


def test_viewers_see_and_cannot_steer(pad, asked):
    pad.show_role(Role.VIEWER)

    pad.hold(Way.RIGHT)

    assert asked == []
    assert not pad._ways[Way.RIGHT].isEnabled()
    assert pad._presets.count() == 2
    assert not pad._keep.isVisible()


def test_operators_go_to_presets_and_supervisors_set_them(pad, qtbot):
    pad.show_role(Role.OPERATOR)
    assert not pad._keep.isVisible()
    pad._presets.setCurrentRow(1)
    with qtbot.waitSignal(pad.preset_requested) as gone:
        qtbot.mouseClick(pad._go, Qt.MouseButton.LeftButton)
    assert gone.args == ["2"]

    pad.show_role(Role.SUPERVISOR)
    qtbot.mouseClick(pad._keep, Qt.MouseButton.LeftButton)
    pad._name.clear()
    qtbot.keyClicks(pad._name, "Tunnel mouth")
    with qtbot.waitSignal(pad.set_preset_requested) as kept:
        qtbot.keyClick(pad._name, Qt.Key.Key_Return)
    assert kept.args == ["Tunnel mouth", ""]


def test_the_name_of_a_preset_that_is_there_sets_that_one_anew(pad, qtbot):
    pad._presets.setCurrentRow(0)
    qtbot.mouseClick(pad._keep, Qt.MouseButton.LeftButton)

    with qtbot.waitSignal(pad.set_preset_requested) as kept:
        qtbot.keyClick(pad._name, Qt.Key.Key_Return)

    assert kept.args == ["Ramp", "1"]


def test_who_steers_is_said(pad):
    pad.show_steering(Steering(camera_id="cam-1", by="omar", desk="Desk 2"), is_mine=False)
    assert pad._who.text() == "omar steers at Desk 2."

    pad.show_steering(Steering(camera_id="cam-1", by="olga", desk="Desk 1"), is_mine=True)
    assert pad._who.text() == "You steer."

    pad.show_steering(None, is_mine=False)
    assert not pad._who.isVisible()


def test_what_the_head_cannot_do_is_not_offered(pad):
    pad.show_head("Fixed", PtzHead(camera_id="cam-3", abilities=PtzAbilities(can_zoom=True)))

    assert pad._ways[Way.ZOOM_IN].isEnabled()
    assert not pad._ways[Way.LEFT].isEnabled()
    assert not pad._home.isEnabled()


def test_nothing_to_steer_is_a_sentence(pad):
    pad.show_nothing("Bridge is not steered.", "Enter its ONVIF address in its settings.")

    assert pad._overlay.state is PanelState.EMPTY
    assert pad._overlay.sentence == "Bridge is not steered."


def test_a_camera_without_presets_says_how_one_is_made(pad):
    pad.show_head("Mill Bridge", HEAD)
    assert not pad._no_presets.isVisible()

    pad.show_presets(())

    assert pad._no_presets.isVisible()
    assert pad._no_presets.accessibleName() == "No presets."


def test_a_head_that_is_away_says_since_when_and_what_brings_it_back(pad):
    pad.show_steering(Steering(camera_id="cam-1", away_since=datetime(2026, 1, 1, 12, 3, tzinfo=UTC)), is_mine=False)

    assert pad._away.isVisible()
    assert pad._away.text().startswith("Away from home since ")
    assert not pad._who.isVisible()

    pad.show_steering(None, is_mine=False)
    assert not pad._away.isVisible()


def test_a_supervisor_says_that_home_is_here_and_an_operator_is_not_asked(pad, qtbot):
    with qtbot.waitSignal(pad.home_here_requested):
        qtbot.mouseClick(pad._home_here, Qt.MouseButton.LeftButton)

    pad.show_role(Role.OPERATOR)
    assert not pad._home_here.isVisible()


def test_a_camera_that_is_away_and_cannot_be_asked_offers_supervisors_the_way_home(pad, qtbot):
    away = Steering(camera_id="cam-1", by="", desk="", away_since=datetime(2026, 11, 22, tzinfo=UTC))
    heard = []
    pad.home_here_requested.connect(lambda: heard.append("home"))
    pad.show_steering(away, is_mine=False)
    assert not pad._home_by_word.isVisible()

    pad.show_nothing("Bridge is not steered.", "Enter its ONVIF address in its settings.")
    assert pad.childAt(pad._home_by_word.geometry().center()) is pad._home_by_word
    overlay, said = pad._overlay, pad._away
    assert pad.children().index(said) > pad.children().index(overlay)
    assert "Away from home" in said.text()
    qtbot.mouseClick(pad._home_by_word, Qt.MouseButton.LeftButton)
    assert heard == ["home"]

    pad.show_role(Role.OPERATOR)
    assert not pad._home_by_word.isVisible()
