"""What is out of service, also without an alarm: listed, taken out, put back."""

from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.access.model import Role
from core.incidents.holds import OutOfService
from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from core.kernel.clock import FakeClock
from tests.gui.alarms.making import NOW, make_alarm
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.alarms.sources import NamedSource, SourcePicker
from widgets.alarms.strip import AlarmStrip

Key = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier
GATE = NamedSource(source=Source(kind=SourceKind.CAMERA, source_id="gate"), name="Gate", site="North")
MAST = NamedSource(source=Source(kind=SourceKind.DEVICE, source_id="ring/mast"), name="Mast", site="South")


def hold(hold_id, source_id, kind=SourceKind.CAMERA, *, name="Gate") -> OutOfService:
    return OutOfService(
        hold_id=hold_id,
        condition_key="",
        source_kind=kind,
        source_id=source_id,
        source_name=name,
        owner="susi",
        reason="Lens is replaced",
        since=NOW,
        until=NOW + timedelta(hours=3),
    )


QUIET = hold("quiet", "gate")
LOUD = hold("loud", "c1", name="Harbour Road")


@pytest.fixture
def desk(qtbot):
    alarms = AlarmList(FakeClock())
    qtbot.addWidget(alarms)
    alarms.asked = []
    alarms.take_out_requested.connect(lambda named, reason, span: alarms.asked.append((named, reason, span)))
    alarms.service_back_requested.connect(alarms.asked.append)
    alarms.resize(1100, 460)
    alarms.show()
    alarms.show_role(Role.SUPERVISOR)
    alarms.show_sources([GATE, MAST])
    alarms.show_alarms([make_alarm("calling", source_name="Other")])
    alarms.activateWindow()
    qtbot.waitUntil(alarms.isActiveWindow)
    alarms.table.setFocus()
    return alarms


def press(key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(QApplication.focusWidget(), key, modifier)


def write(text):
    QTest.keyClicks(QApplication.focusWidget(), text)


def tab_text(desk, tab):
    return desk._tabs.tabText(list(Tab).index(tab))


def test_a_source_without_an_alarm_is_counted_and_listed_with_owner_reason_and_end(desk):
    desk.show_services([QUIET])
    desk.show_tab(Tab.OUT_OF_SERVICE)

    (line,) = desk.service.lines
    assert line.cells[:2] == ("Gate · Camera", "susi")
    assert line.cells[3:] == ("Lens is replaced", "--")
    assert tab_text(desk, Tab.OUT_OF_SERVICE).endswith(" 1")
    assert not desk.table.isVisible(), "it holds no alarm"


def test_a_source_with_alarms_is_counted_once_and_its_alarms_stand_below(desk):
    held = make_alarm("held", out_of_service_by="susi", out_of_service_reason="Lens", out_of_service_until=LOUD.until)
    desk.show_alarms([held])
    desk.show_services([QUIET, LOUD])
    desk.show_tab(Tab.OUT_OF_SERVICE)

    assert [line.cells[4] for line in desk.service.lines] == ["--", "1"]
    assert tab_text(desk, Tab.OUT_OF_SERVICE).endswith(" 2")
    assert desk.table.isVisible()


def test_the_gauge_beside_the_strip_counts_it_too(qtbot):
    strip = AlarmStrip()
    qtbot.addWidget(strip)

    strip.show_alarms([make_alarm("calling")], 2)

    assert strip.gauges.count(Tab.OUT_OF_SERVICE) == 2


def test_sources_are_taken_out_by_keys_alone(desk):
    desk.table.clearSelection()
    press(Key.Key_O)
    write("mast")
    press(Key.Key_Down)
    press(Key.Key_Space)
    press(Key.Key_Tab)
    press(Key.Key_Down)
    press(Key.Key_Tab)
    write("New battery")
    press(Key.Key_Return, CTRL)

    assert desk.asked == [([(MAST.source, "Mast")], "New battery", timedelta(days=2))]


def test_letters_in_the_list_of_sources_are_no_commands(desk):
    desk.select("calling")
    desk.take_out_sources()
    press(Key.Key_Down)

    with_signal = []
    desk.acknowledge_requested.connect(lambda *all_of_it: with_signal.append(all_of_it))
    press(Key.Key_A)

    assert with_signal == []


def test_it_is_put_back_by_the_same_key(desk):
    desk.show_services([QUIET])
    desk.show_tab(Tab.OUT_OF_SERVICE)
    desk.service.setFocus()
    press(Key.Key_Down)
    press(Key.Key_O)

    assert desk.asked == [QUIET]


def test_an_operator_looks_and_changes_nothing(desk):
    desk.show_role(Role.OPERATOR)
    desk.show_services([QUIET])
    desk.show_tab(Tab.OUT_OF_SERVICE)
    desk.service.setFocus()
    press(Key.Key_Down)
    press(Key.Key_O)
    desk.take_out_sources()

    assert desk.asked == []
    assert not desk.service.is_asking


def test_a_device_that_comes_in_does_not_take_the_line_away_that_one_is_on(desk):
    desk.service.begin()
    picker = desk.service.findChild(SourcePicker)
    QTest.keyClicks(QApplication.focusWidget(), "mast")
    QTest.keyClick(QApplication.focusWidget(), Key.Key_Return)

    desk.show_sources([GATE, MAST, NamedSource(source=Source(kind=SourceKind.DEVICE, source_id="a"), name="A mast")])
    QTest.keyClick(QApplication.focusWidget(), Key.Key_Space)

    assert picker.chosen == {MAST.source}
