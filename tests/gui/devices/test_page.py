"""The page of one device, read and worked by mouse and keyboard."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from core.access.model import Role
from core.field.event_log import DeviceEvent, EventCall
from core.field.messages import DeviceMessage
from core.field.model import CommandStatus, DesiredBy, DeviceCommand, Twin
from core.field.sheet import DeviceSheet, History, HistorySlot, OfferedCommand, OfferedQuantity
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint
from tests.gui.map.things import NOW, reading, station
from widgets.devices.command_fields import CommandWish
from widgets.devices.identity_form import NewDeviceForm
from widgets.devices.page import DevicePage

PERIOD = OfferedCommand(name="set-period", params={"period_s": {"type": "number", "minimum": 1}})
SPEED = OfferedQuantity(stream="flow", key="averageVehicleSpeed", title="Mean speed", unit="km/h", decimals=0)
SHEET = DeviceSheet(
    device_id="traffic/quay",
    model="TS-4",
    kind_title="Traffic station",
    commands=(PERIOD, OfferedCommand(name="restart")),
    quantities=(SPEED,),
    more={"battery": "81"},
)


@pytest.fixture
def page(qtbot):
    made = DevicePage(FakeClock())
    qtbot.addWidget(made)
    made.resize(420, 800)
    made.show_role(Role.ADMINISTRATOR)
    made.show_device(station(skew_s=-7.0), [reading()])
    made.show_sheet(SHEET)
    made.show()
    return made


def command(status=CommandStatus.QUEUED, **changes):
    made = DeviceCommand(
        command_id="01",
        device_id="traffic/quay",
        name="restart",
        status=status,
        text="",
        sent_by="olga",
        created_at=NOW,
        expires_at=NOW + timedelta(seconds=30),
    )
    return replace(made, **changes)


def twin(version=1, **changes):
    made = Twin(
        device_id="traffic/quay",
        desired={"period_s": 5},
        desired_by={"period_s": DesiredBy(by="susi", at=NOW)},
        version=version,
        reported={"period_s": 60},
        reported_version=4,
        reported_at=NOW,
        answered_version=1,
    )
    return replace(made, **changes)


def button(page, text):
    return next(one for one in page.findChildren(QPushButton) if one.text() == text)


def test_the_overview_says_what_it_is_how_far_it_can_be_trusted_and_how_its_clock_goes(page):
    facts = page.facts

    assert (facts["Kind"], facts["Model"], facts["Battery"]) == ("Traffic station", "TS-4", "81 %")
    assert facts["Quality"] == "good"
    assert facts["Clock"] == "7.0 s slow; its values are uncertain until it is set"


def test_a_bad_message_says_why_and_shows_what_came(page):
    page.show_tab("Messages")
    bad = DeviceMessage(at=NOW, topic="state/flow", raw='{"ts": 1', n_bytes=8, is_retained=False, reason="No JSON.")
    good = DeviceMessage(at=NOW, topic="birth", raw='{"fw":"1"}', n_bytes=10, is_retained=True, meaning=(("fw", "1"),))

    page.messages.show_messages([bad, good])

    assert [line.cells[2] for line in page.messages.table.lines] == ["not usable", "retained"]
    assert "Could not be used: No JSON." in page.messages.text
    assert '{"ts": 1' in page.messages.text


def test_a_message_that_is_read_stays_while_others_come(page):
    page.show_tab("Messages")
    old = DeviceMessage(at=NOW, topic="state/a", raw="{}", n_bytes=2, is_retained=False)
    page.messages.show_messages([old])

    page.messages.show_messages([replace(old, topic="state/b", at=NOW + timedelta(seconds=1)), old])

    assert page.messages.table.currentIndex().row() == 1


def test_events_say_what_the_device_calls_them_when_they_came_and_what_became_of_them(page):
    page.show_tab("Events")
    alert = DeviceEvent(
        event_number=3,
        seq=8,
        title="Car stopped",
        at=NOW,
        received_at=NOW + timedelta(seconds=2),
        is_late=False,
        is_good=True,
        call=EventCall.CALLED,
        meaning=(("Severity", "Medium"),),
    )
    shelved = replace(alert, event_number=2, call=EventCall.SHELVED)
    late = replace(
        alert, event_number=1, seq=7, is_late=True, call=EventCall.NONE, received_at=NOW + timedelta(hours=1)
    )
    count = replace(alert, event_number=0, seq=6, title="Count", call=EventCall.NONE, is_good=False)
    lost = replace(late, event_number=-1, seq=5, title="Outbox overflow", call=EventCall.CALLED)
    counted = replace(alert, event_number=-2, seq=4, call=EventCall.COUNTED)
    ahead = replace(alert, event_number=-3, seq=12, is_ahead=True)
    untimed = replace(alert, event_number=-4, seq=13, received_at=NOW, is_good=False)

    page.events.show_events([alert, shelved, late, count, lost, counted, ahead, untimed])

    lines = page.events.table.lines
    assert [(line.cells[0], line.cells[3]) for line in lines] == [
        ("Car stopped", "called"),
        ("Car stopped", "shelved"),
        ("Car stopped", "late"),
        ("Count", "stored"),
        ("Outbox overflow", "late, called"),
        ("Car stopped", "counted"),
        ("Car stopped", "called, earlier ones missing"),
        ("Car stopped", "called, time of arrival"),
    ]
    assert "Severity: Medium" in page.events.text
    assert "received 2.0 s later, number 8." in page.events.text

    page.events.table.selectRow(1)
    assert "nobody was called" in page.events.text
    page.events.table.selectRow(2)
    assert "It came late: it is history, and called nobody." in page.events.text
    page.events.table.selectRow(3)
    assert "not to be trusted" in page.events.text
    page.events.table.selectRow(7)
    assert "when it arrived: its own time cannot be used; number 13." in page.events.text
    page.events.table.selectRow(5)
    assert "often enough" in page.events.text
    page.events.table.selectRow(6)
    assert "Earlier events of the device were missing then." in page.events.text

    page.show_device(station(device_id="traffic/other"), [])
    assert page.events.table.lines == ()


def test_a_command_is_sent_with_its_arguments_only_after_the_button_was_held(page, qtbot):
    page.show_tab("Commands")
    field = page.commands.fields._args["period_s"]
    field.setText("10")
    sent = []
    page.commands.send_requested.connect(lambda *what: sent.append(what))

    qtbot.mouseClick(page.commands._send, Qt.MouseButton.LeftButton)
    assert sent == []

    page.commands._send.setFocus()
    qtbot.keyClick(page.commands._send, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert sent == [(CommandWish(name="set-period", args={"period_s": 10}, ttl_s=30.0),)]


def test_an_argument_that_cannot_be_meant_is_not_sent(page, qtbot):
    page.show_tab("Commands")
    page.commands.fields._args["period_s"].setText("soon")

    with qtbot.assertNotEmitted(page.commands.send_requested):
        qtbot.keyClick(page.commands._send, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    assert page.commands._said.text() == "period_s has to be a number."


@pytest.mark.parametrize("status", [one for one in CommandStatus if one.is_final])
def test_every_end_of_a_command_is_shown(page, status):
    page.commands.show_commands([command()])

    page.commands.show_commands([command(status, text="Because.", changed_at=NOW + timedelta(seconds=2))])

    assert "after 2.0 s" in page.commands._said.text()
    assert "Because." in page.commands._said.text()


def test_a_late_push_does_not_reopen_a_command_that_has_ended(page):
    page.commands.show_commands([command(CommandStatus.DONE)])

    page.commands.show_commands([command(CommandStatus.RUNNING)])

    assert page.commands.table.lines[0].cells[1] == "done"


def test_the_difference_of_settings_says_since_when_and_by_whom(page, qtbot):
    page.twin.show_twin(twin())

    (line,) = page.twin.table.lines
    assert line.cells[:3] == ("period_s", "5", "60")
    assert line.cells[3]
    assert "susi" in line.tip
    assert "1 setting differs" in page.twin._said.text()


def test_a_wish_carries_the_version_it_was_made_on_and_a_refusal_keeps_what_was_typed(page, qtbot):
    page.twin.show_twin(twin(version=3))
    page.twin._key.setText("period_s")
    qtbot.keyClicks(page.twin._value, "20")
    page.twin.show_twin(twin(version=4))

    with qtbot.waitSignal(page.twin.change_requested) as asked:
        qtbot.keyClick(page.twin._value, Qt.Key.Key_Return)
    page.twin.show_refused("Somebody else was faster.")

    assert asked.args == [{"period_s": 20}, 3]
    assert page.twin._value.text() == "20"
    assert page.twin._answer.text() == "Somebody else was faster."


def test_a_history_marks_what_was_not_heard_and_what_came_late(page, qtbot):
    page.show_tab("History")
    slots = [
        HistorySlot(start=NOW + timedelta(minutes=minute), low=1, mean=2, high=3, n_readings=4, is_late=minute > 50)
        for minute in (0, 1, 2, 55, 56, 59)
    ]
    history = History(
        device_id="traffic/quay",
        stream="flow",
        key="averageVehicleSpeed",
        since=NOW,
        until=NOW + timedelta(hours=1),
        slot_s=15.0,
        gap_s=195.0,
        slots=tuple(slots),
    )

    page.history.show_history(history)
    qtbot.keyClick(page.history.chart, Qt.Key.Key_End)

    assert [(end - begin).total_seconds() // 60 for begin, end in page.history.chart.gaps] == [52]
    assert page.history._said.text().endswith("2 km/h (1 to 3, 4 readings), came late")


def test_the_parts_are_reached_and_left_by_keys(page, qtbot):
    page.activateWindow()
    page.focus_tab()
    qtbot.waitUntil(lambda: page._tabs["Overview"].hasFocus())
    seen = []
    for _ in range(7):
        seen.append(page.tab)
        qtbot.keyClick(page, Qt.Key.Key_PageDown, Qt.KeyboardModifier.ControlModifier)

    assert seen == ["Overview", "Events", "Messages", "Settings", "Commands", "History", "Certificate"]
    with qtbot.waitSignal(page.left):
        qtbot.keyClick(page, Qt.Key.Key_Escape)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VIEWER, set()),
        (Role.OPERATOR, {"Hold to send"}),
        (Role.SUPERVISOR, {"Hold to send", "Ask for it", "Issue a certificate", "Hold to take it back"}),
    ],
)
def test_each_role_is_offered_what_it_may_do(page, role, allowed):
    page.show_role(role)

    offered = ("Hold to send", "Ask for it", "Issue a certificate", "Hold to take it back")
    assert {text for text in offered if button(page, text).isEnabled()} == allowed
    assert all("role" in button(page, text).toolTip() for text in set(offered) - allowed)


def test_name_and_site_are_changed_in_place_and_stay_while_the_device_speaks(page, qtbot):
    name = page.identity._name
    name.selectAll()
    qtbot.keyClicks(name, "Quay East")
    page.show_device(station(n_messages=9), [reading()])
    page.identity.take_position(GeoPoint(36.0, -30.0))

    with qtbot.waitSignal(page.identity.save_requested) as asked:
        qtbot.keyClick(name, Qt.Key.Key_Return)

    identity, version = asked.args
    assert (identity.name, identity.position, version) == ("Quay East", GeoPoint(36.0, -30.0), 1)


def test_a_device_is_typed_in_by_hand_and_what_is_wrong_is_said(qtbot):
    form = NewDeviceForm()
    qtbot.addWidget(form)
    form.show()
    qtbot.keyClicks(form._id, "Station 7")
    qtbot.keyClick(form._id, Qt.Key.Key_Return)
    assert "is no device_id" in form._said.text()

    form._id.setText("station/s7")
    qtbot.keyClicks(form._site, "Harbour")
    with qtbot.waitSignal(form.add_requested) as asked:
        qtbot.keyClick(form._site, Qt.Key.Key_Return)

    (device,) = asked.args
    assert (device.device_id, device.kind, device.site, device.name) == ("station/s7", "station", "Harbour", "s7")
