from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.access.model import Role
from core.field.model import CommandStatus, DesiredBy, Device, DeviceCommand, DeviceState, Twin
from core.kernel.clock import FakeClock
from widgets.base.conditions import Condition
from widgets.devices.control import DeviceControl, arguments_of, clock_text

POST = Device(
    device_id="traffic/post-1",
    kind="station",
    name="Harbour bridge",
    state=DeviceState.ONLINE,
    commands=("identify", "set-period"),
    skew_s=-0.1,
)


@pytest.fixture
def control(qtbot):
    widget = DeviceControl(FakeClock())
    qtbot.addWidget(widget)
    widget.resize(360, 520)
    widget.show_role(Role.SUPERVISOR)
    widget.show_device(POST)
    widget.show()
    return widget


def command(number, status, *, text="", **changes):
    at = FakeClock().now()
    return DeviceCommand(
        command_id=f"C{number}",
        device_id=POST.device_id,
        name="set-period",
        status=status,
        text=text,
        sent_by="dana",
        created_at=at,
        expires_at=at + timedelta(seconds=30),
        **changes,
    )


def test_a_command_that_the_device_offers_is_sent_by_keyboard_with_its_arguments(control, qtbot):
    sent = []
    control.command_requested.connect(lambda *what: sent.append(what))
    control._name.setCurrentText("set-period")
    control._args.setFocus()
    QTest.keyClicks(control._args, 'period_s=5, mode="slow"')
    QTest.keyClick(control._args, Qt.Key.Key_Return)

    assert [control._name.itemText(number) for number in range(2)] == ["identify", "set-period"]
    assert sent == [("traffic/post-1", "set-period", {"period_s": 5, "mode": "slow"})]


def test_what_is_no_argument_is_said_and_not_sent(control):
    sent = []
    control.command_requested.connect(lambda *what: sent.append(what))
    control._args.setText("5")
    QTest.mouseClick(control._send, Qt.MouseButton.LeftButton)

    assert sent == []
    assert "“5” is no argument" in control._reason.text()


def test_every_command_ends_in_a_shown_result_newest_first(control):
    control.show_commands(
        [
            command(1, CommandStatus.DONE, text="measuring every 5 s", args={"period_s": 5}),
            command(2, CommandStatus.TIMEOUT, text="The device did not answer."),
            command(3, CommandStatus.QUEUED),
        ]
    )

    shown = [(line.cells[1], line.condition) for line in control._commands.lines]
    assert shown == [
        ("on its way", Condition.WAITING),
        ("no answer", Condition.LOST),
        ("done", Condition.OK),
    ]
    assert control._commands.lines[2].cells[0] == "set-period period_s=5"
    control._commands.selectRow(1)
    assert control._answer.text() == "set-period: no answer. The device did not answer."


def test_a_setting_that_was_not_taken_over_is_told_apart_from_one_nobody_has_looked_at(control):
    asked = DesiredBy(by="dana", at=FakeClock().now() - timedelta(seconds=192))
    twin = Twin(
        device_id=POST.device_id,
        desired={"period_s": 5},
        desired_by={"period_s": asked},
        version=2,
        answered_version=1,
        reported={"period_s": 2, "mode": "slow"},
    )
    control.show_twin(twin)
    assert [line.cells for line in control._settings.lines] == [
        ("mode", "slow", "", "", ""),
        ("period_s", "2", "5", "00:03:12", "dana"),
    ]
    assert control._settings.lines[1].condition is Condition.WAITING

    control.show_twin(replace(twin, answered_version=2))
    assert control._settings.lines[1].condition is Condition.LOST


def test_a_setting_is_asked_for_with_the_version_that_was_seen(control):
    asked = []
    control.setting_requested.connect(lambda *what: asked.append(what))
    control.show_twin(Twin(device_id=POST.device_id, version=3, reported={"period_s": 2}))
    control._key.setText("period_s")
    control._value.setText("10")
    QTest.keyClick(control._value, Qt.Key.Key_Return)
    control._value.clear()
    QTest.keyClick(control._value, Qt.Key.Key_Return)

    assert asked == [("traffic/post-1", "period_s", 10, 3), ("traffic/post-1", "period_s", None, 3)]


@pytest.mark.parametrize(
    ("role", "may_send", "may_ask"),
    [(Role.VIEWER, False, False), (Role.OPERATOR, True, False), (Role.SUPERVISOR, True, True)],
)
def test_viewers_look_operators_command_supervisors_configure(control, role, may_send, may_ask):
    control.show_role(role)

    assert (control._send.isEnabled(), control._ask.isEnabled()) == (may_send, may_ask)


@pytest.mark.parametrize(
    ("skew_s", "words"),
    [
        (None, "not measured"),
        (0.2, "right to half a second"),
        (-3.0, "3.0 s slow."),
        (600.0, "600.0 s fast; its values are uncertain"),
    ],
)
def test_the_clock_is_said_in_words(skew_s, words):
    assert words in clock_text(replace(POST, skew_s=skew_s))


def test_another_device_starts_empty(control):
    control.show_commands([command(1, CommandStatus.DONE)])
    control._args.setText("x=1")
    control.show_device(Device(device_id="air/a", kind="other", name="Air"))

    assert (control._commands.lines, control._args.text(), control._name.count()) == ((), "", 0)


def test_arguments_keep_their_types():
    assert arguments_of("a=1, b=true, c=word, d=") == ({"a": 1, "b": True, "c": "word", "d": ""}, "")
