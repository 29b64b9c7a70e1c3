from dataclasses import replace

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QPushButton

from core.access.model import Role
from core.field.model import DeviceState
from core.incidents.model import SourceKind
from core.kernel.clock import FakeClock
from core.media.model import StreamState
from tests.gui.map.things import camera, lot, reading, station, stream
from widgets.base.hold_button import HoldButton
from widgets.devices.device_panel import DevicePanel
from widgets.devices.tree_model import CAMERA_MIME, COLUMNS, SEEN, STATE


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def panel(qtbot, clock):
    made = DevicePanel(clock)
    qtbot.addWidget(made)
    made.resize(1200, 700)
    made.show_cameras((camera(), camera("cam-2", "Harbour", is_enabled=False)))
    made.show_devices((station(), station("traffic/hill", "Hill", state=DeviceState.LOST), lot()))
    made.show_streams({"cam-1": stream()})
    made.show_readings({0: reading()})
    made.show_role(Role.SUPERVISOR)
    made.show()
    return made


def cells(panel, key):
    index = panel._model.index_of(key)
    return [str(index.siblingAtColumn(column).data()) for column in range(len(COLUMNS))]


def shown(panel):
    model = panel._model
    found = []
    for group in range(model.rowCount()):
        if not panel.tree.isRowHidden(group, QModelIndex()):
            parent = model.index(group, 0)
            found += [model.index(row, 0, parent).data() for row in range(model.rowCount(parent))]
    return found


def button(panel, text):
    return next(one for one in panel.findChildren(QPushButton) if one.text() == text and one.isVisible())


def choose(qtbot, panel, key):
    index = panel._model.index_of(key)
    place = panel.tree.visualRect(index).center()
    qtbot.mouseClick(panel.tree.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_each_thing_has_a_state_in_words_and_its_newest_value(panel):
    assert cells(panel, ("camera", "cam-1"))[:2] == ["Mill Bridge", "live"]
    assert cells(panel, ("camera", "cam-2"))[1] == "disabled"
    assert cells(panel, ("station", "traffic/quay"))[1::2] == ["online", "42 km/h"]
    assert cells(panel, ("station", "traffic/hill"))[1::2] == ["lost", "--"]


def test_single_things_are_brought_up_to_date_where_they_stand(panel):
    panel.update_readings([reading(averageVehicleSpeed=17.0)])
    panel.update_devices([station("traffic/hill", "Hill", state=DeviceState.ONLINE)])

    assert cells(panel, ("station", "traffic/quay"))[1::2] == ["online", "17 km/h"]
    assert cells(panel, ("station", "traffic/hill"))[1] == "online"

    panel.update_devices([station("traffic/new", "New")])
    assert "New" in shown(panel)


def test_states_are_told_by_a_symbol_as_well(panel):
    model = panel._model
    icons = {
        model.index_of(key).siblingAtColumn(STATE).data(Qt.ItemDataRole.DecorationRole).cacheKey()
        for key in (("camera", "cam-1"), ("camera", "cam-2"), ("station", "traffic/hill"))
    }
    assert len(icons) == 3


def test_the_age_grows_while_nothing_is_heard(panel, clock):
    clock.advance(seconds=65)

    assert cells(panel, ("station", "traffic/quay"))[SEEN] == "00:01:05"


def test_slash_leads_to_the_search_which_leaves_what_matches(panel, qtbot):
    panel.activateWindow()
    panel.tree.setFocus()
    qtbot.waitUntil(panel.tree.hasFocus)
    qtbot.keyClick(panel.tree, Qt.Key.Key_Slash)
    qtbot.waitUntil(panel._search.hasFocus)

    qtbot.keyClicks(panel._search, "hil")

    assert shown(panel) == ["Hill"]


def test_leaving_the_search_goes_to_the_first_match(panel, qtbot):
    panel.focus_search()
    qtbot.keyClicks(panel._search, "quay station")

    with qtbot.waitSignal(panel.item_selected) as caught:
        qtbot.keyClick(panel._search, Qt.Key.Key_Down)

    assert caught.args == ["station", "traffic/quay"]


def test_the_status_filter_leaves_what_is_in_doubt(panel, qtbot):
    panel._states.setFocus()
    qtbot.keyClicks(panel._states, "Stale")

    assert shown(panel) == ["Hill"]


def test_nothing_that_matches_is_said_in_a_sentence(panel, qtbot):
    qtbot.keyClicks(panel._search, "zzz")

    assert panel._overlay.isVisible()
    assert panel._overlay.sentence == "Nothing matches."


def test_a_click_selects_and_shows_every_figure(panel, qtbot):
    with qtbot.waitSignal(panel.item_selected) as caught:
        choose(qtbot, panel, ("camera", "cam-1"))

    assert caught.args == ["camera", "cam-1"]
    assert panel._details.facts["Picture"] == "1920 x 1080 px"
    assert panel._details.facts["User"] == "--"


def test_a_device_tells_its_last_unusable_message(panel, qtbot):
    bad = station(n_bad_messages=3, last_error="averageVehicleSpeed: a number is needed")
    panel.show_devices((bad,))

    choose(qtbot, panel, ("station", "traffic/quay"))

    assert panel._details.facts["Unusable messages"] == "3"
    assert "a number is needed" in panel._details._reason.text()


def test_a_lost_camera_says_why_and_what_to_do(panel, qtbot):
    panel.show_streams({"cam-1": stream(state=StreamState.LOST, reason="It does not answer.", hint="Check its cable.")})

    choose(qtbot, panel, ("camera", "cam-1"))

    assert panel._details._reason.text() == "It does not answer. Check its cable."


def test_switching_off_asks_with_the_version_that_was_seen(panel, qtbot):
    panel.show_cameras((camera(version=7),))
    choose(qtbot, panel, ("camera", "cam-1"))

    with qtbot.waitSignal(panel.set_enabled_requested) as caught:
        qtbot.mouseClick(button(panel, "Disable"), Qt.MouseButton.LeftButton)

    assert caught.args == ["camera", "cam-1", False, 7]


def test_removing_takes_more_than_a_click(panel, qtbot):
    choose(qtbot, panel, ("camera", "cam-1"))
    asked = []
    panel.remove_requested.connect(lambda *args: asked.append(args))
    hold = panel.findChild(HoldButton)
    qtbot.mouseClick(hold, Qt.MouseButton.LeftButton)
    assert not asked

    qtbot.keyClick(hold, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    assert asked == [("camera", "cam-1", 1)]


def test_a_viewer_sees_why_the_buttons_are_off(panel, qtbot):
    panel.show_role(Role.VIEWER)
    choose(qtbot, panel, ("camera", "cam-1"))

    assert not button(panel, "Disable").isEnabled()
    assert "operator" in button(panel, "Disable").toolTip()
    assert "supervisor" in button(panel, "Hold to remove").toolTip()
    assert not button(panel, "Add camera").isEnabled()
    assert button(panel, "Go to").isEnabled()


def test_an_operator_may_switch_cameras_but_not_field_devices(panel, qtbot):
    panel.show_role(Role.OPERATOR)
    choose(qtbot, panel, ("camera", "cam-1"))
    assert button(panel, "Disable").isEnabled()

    choose(qtbot, panel, ("station", "traffic/quay"))

    assert not button(panel, "Disable").isEnabled()


def test_enter_goes_to_what_is_selected_and_escape_lets_go(panel, qtbot):
    choose(qtbot, panel, ("camera", "cam-1"))

    with qtbot.waitSignal(panel.goto_requested) as caught:
        qtbot.keyClick(panel.tree, Qt.Key.Key_Return)
    qtbot.keyClick(panel.tree, Qt.Key.Key_Escape)

    assert caught.args == ["camera", "cam-1"]
    assert panel.selected is None


def test_the_selection_stays_with_its_thing_when_values_and_names_change(panel, qtbot):
    choose(qtbot, panel, ("station", "traffic/quay"))
    said = []
    panel.item_selected.connect(lambda *args: said.append(args))

    panel.show_devices((station("traffic/aaa", "Aaa"), station(), lot()))
    panel.show_devices((station("traffic/aaa", "Zzz"), station(), lot()))

    assert panel.selected == ("station", "traffic/quay")
    assert panel.tree.currentIndex().data() == "Quay"
    assert not said


def test_something_removed_elsewhere_is_no_longer_selected(panel, qtbot):
    choose(qtbot, panel, ("camera", "cam-1"))

    with qtbot.waitSignal(panel.item_selected) as caught:
        panel.show_cameras(())

    assert caught.args == ["", ""]
    assert panel._details.facts == {} or not panel._details._facts.isVisible()


def test_a_camera_can_be_dragged_and_a_station_cannot(panel, qtbot):
    model = panel._model
    data = model.mimeData([model.index_of(("camera", "cam-1"))])

    assert bytes(data.data(CAMERA_MIME).data()) == b"cam-1"
    choose(qtbot, panel, ("station", "traffic/quay"))
    assert model.mimeData(panel.tree.selectedIndexes()) is None
    # A drag with something in it would wait here for the mouse.
    panel.tree.startDrag(Qt.DropAction.CopyAction)


def test_sorting_by_state_puts_what_is_lost_first(panel):
    panel.tree.sortByColumn(STATE, Qt.SortOrder.AscendingOrder)

    stations = [name for name in shown(panel) if name in ("Quay", "Hill")]
    assert stations == ["Hill", "Quay"]


def test_the_menu_offers_to_enable_what_is_disabled(panel, qtbot):
    menu = panel.menu_for(panel._model.get(("camera", "cam-2")))

    with qtbot.waitSignal(panel.set_enabled_requested) as caught:
        next(action for action in menu.actions() if action.text() == "Enable").trigger()

    assert caught.args == ["camera", "cam-2", True, 1]


def test_a_supervisor_takes_a_row_out_of_service_by_its_menu_or_by_one_key(panel, qtbot):
    def offered():
        menu = panel.menu_for(panel._model.get(("camera", "cam-2")))
        return next(action for action in menu.actions() if action.text().startswith("Take out of service"))

    panel.show_role(Role.OPERATOR)
    assert not offered().isEnabled()
    panel.show_role(Role.SUPERVISOR)
    with qtbot.waitSignal(panel.service_requested) as caught:
        offered().trigger()
    assert caught.args == [SourceKind.CAMERA, "cam-2"]

    panel.select("camera", "cam-2")
    panel.activateWindow()
    panel.tree.setFocus()
    qtbot.waitUntil(panel.tree.hasFocus)
    with qtbot.waitSignal(panel.service_requested) as by_key:
        qtbot.keyClick(panel.tree, Qt.Key.Key_O)
    assert by_key.args == caught.args


def test_ten_thousand_devices_are_filtered_at_once(panel, qtbot):
    panel.show_devices(tuple(station(f"traffic/{i}", f"Station {i}") for i in range(10_000)))
    panel._make_some()
    panel.update_devices([station("traffic/0", "Renamed meanwhile")])
    qtbot.waitUntil(lambda: panel.n_shown >= 10_000)
    qtbot.keyClicks(panel._search, "meanwhile")
    assert shown(panel) == ["Renamed meanwhile"]
    panel._search.clear()

    qtbot.keyClicks(panel._search, "station 9999")

    assert shown(panel) == ["Station 9999"]


def test_only_a_changed_line_is_drawn_anew(panel):
    model = panel._model
    changed = []
    model.dataChanged.connect(lambda first, _last: changed.append(model.row_at(first).item_id))
    resets = []
    model.modelReset.connect(lambda: resets.append(1))

    panel.show_devices((station(firmware="2"), replace(station("traffic/hill", "Hill")), lot()))

    assert "traffic/hill" in changed
    assert "traffic/quay" not in changed
    assert not resets


def test_the_key_that_opens_everything_opens_branches_alone(qtbot, panel):
    panel.show_devices(station(f"traffic/{number}", f"Station {number}") for number in range(9))
    panel.tree.setFocus()
    panel.tree.setCurrentIndex(panel._model.index(panel._model.rowCount() - 1, 0))

    qtbot.keyClick(panel.tree, Qt.Key.Key_Asterisk)

    assert "Station 8" in shown(panel)
