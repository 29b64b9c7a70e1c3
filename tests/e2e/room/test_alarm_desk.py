"""The alarm list on real parts, by keyboard: a burst that becomes a flood, shelving, escalation; with pictures of each.

The pictures lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import os
import sqlite3
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from core.access.model import Role, User
from core.cameras.model import Camera
from core.incidents.flood import BEGINS_ABOVE
from core.incidents.model import AlarmState, IncidentStatus
from core.incidents.rules.model import RulesInForce
from core.incidents.work import Disposition
from tests.e2e.room.test_main_job import PASSWORD, create_administrator
from tests.fixtures.console import act, until
from widgets.alarms.action_bar import ActionBar
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.alarms.table_model import Column
from widgets.shift.panel import ShiftPanel

Key = Qt.Key
ALT = Qt.KeyboardModifier.AltModifier
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
SIZES = ((1920, 1080), (1280, 800))
N_LOST = 14


def cut_in(page) -> list[str]:
    """Return the parts of the question above the list that do not lie whole within it."""
    (bar,) = page.findChildren(ActionBar)
    shown = [part for part in bar.findChildren(QWidget) if part.isVisible()]
    assert shown
    return [
        f"{type(part).__name__} {part.accessibleName()}"
        for part in shown
        if not page.rect().contains(QRect(part.mapTo(page, QPoint()), part.size()))
    ]


def take_pictures(console, tmp_path, name, *, whole=None):
    """Grab the window at both sizes; the question of the list `whole` must not be cut in either."""
    folder = Path(os.environ.get("WATCHFLOOR_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        console.window.resize(width, height)
        QApplication.processEvents()
        picture = console.window.grab()
        assert (picture.width(), picture.height()) >= (width, height)
        assert picture.save(str(folder / f"{name}-{width}x{height}.png"))
        assert whole is None or not cut_in(whole)


async def press(key, modifier=Qt.KeyboardModifier.NoModifier):
    await act(QTest.keyClick, QApplication.focusWidget(), key, modifier)


def alarms_of(console) -> AlarmList:
    panel = console.window.panel("alarms")
    assert isinstance(panel, AlarmList)
    return panel


async def lose_cameras(console) -> None:
    """Add cameras that nobody answers for, all at once."""
    await asyncio.gather(
        *(
            console.connection.call(
                "cameras.add",
                Camera,
                camera=Camera(camera_id="", name=f"Gate {number:02}", address=f"rtsp://127.0.0.1:9/gate-{number}"),
                password="",
            )
            for number in range(N_LOST)
        )
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_burst_is_a_flood_that_hides_nothing_and_is_shelved_and_escalated_by_keyboard(start_node, in_room, tmp_path):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        alarms = alarms_of(console)
        console.window.activateWindow()
        await lose_cameras(console)

        def lost():
            return [alarm for alarm in console.live.open_alarms() if alarm.kind == "camera_lost"]

        await until(lambda: len(lost()) > 1, "the first of them", timeout_s=90)
        await act(take_pictures, console, tmp_path, "burst")
        await until(lambda: len(lost()) == N_LOST, "every lost camera", timeout_s=90)
        await until(lambda: alarms.flood_text, "the flood to be said")
        assert N_LOST > BEGINS_ABOVE
        # The console knows of an alarm some milliseconds before it tells its panels.
        await until(lambda: alarms.model.rowCount() == len(console.live.open_alarms()), "a flood that hides nothing")
        titles = [alarms.model.index(row, Column.TITLE).data() for row in range(alarms.model.rowCount())]
        assert any(title.startswith(f"First of {N_LOST}:") for title in titles)
        await act(take_pictures, console, tmp_path, "flood")

        await press(Key.Key_F2)
        await until(lambda: alarms.selected_alarms(), "the most urgent alarm to be selected")
        shelved = alarms.selected_alarms()[0]
        await press(Key.Key_S)
        await until(lambda: alarms.action_text.startswith("Shelve "), "the question")
        await act(partial(take_pictures, whole=alarms), console, tmp_path, "shelving")
        await press(Key.Key_Return)

        def is_shelved():
            return console.live.alarms[shelved.alarm_id].state is AlarmState.SHELVED

        await until(is_shelved, "the alarm to be shelved")
        await until(lambda: console.frame.strip.gauges.count(Tab.SHELVED) == 1, "the count beside the strip")
        await press(Key.Key_2, ALT)
        await until(lambda: alarms.model.filter.tab is Tab.SHELVED, "what is shelved")
        await act(take_pictures, console, tmp_path, "shelved")
        await press(Key.Key_1, ALT)
        await press(Key.Key_N)
        escalated = alarms.selected_alarms()[0]
        await press(Key.Key_E)

        def level():
            return console.live.alarms[escalated.alarm_id].escalation_level

        await until(lambda: level() == 1, "the escalation")

        def remark():
            return alarms.model.index(alarms.model.row_of(escalated.alarm_id), Column.COMMENT).data()

        await until(lambda: "escalated 1" in remark(), "the escalation beside its row")
        await act(take_pictures, console, tmp_path, "escalation")

        await press(Key.Key_Space)
        await until(lambda: console.live.alarms[escalated.alarm_id].is_acknowledged, "the acknowledge")

    in_room(scenario, timeout_s=200)


async def write(text):
    await act(QTest.keyClicks, QApplication.focusWidget(), text)


async def tab_to(name):
    """Press Tab until the keys are at what a screen reader calls so."""
    for _ in range(60):
        widget = QApplication.focusWidget()
        words = f"{widget.accessibleName()} {getattr(widget, 'text', str)()}"
        if name in words:
            return
        await press(Key.Key_Tab)
    pytest.fail(f"Tab never came to {name!r}")


async def latch_lost_cameras(console) -> None:
    """Let an alarm of a lost camera stand until somebody resets it."""
    in_force = await console.connection.call("rules.save", RulesInForce, **_latching(console.live.rules))
    assert in_force.version > 0


def _latching(in_force):
    changed = tuple(
        replace(rule, limits=replace(rule.limits, is_latching=True)) if rule.rule_id == "camera_lost" else rule
        for rule in in_force.rules.rules
    )
    return {"rules": replace(in_force.rules, rules=changed), "version": in_force.version, "reason": "Latched here."}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_alarm_goes_through_its_whole_life_without_a_mouse(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        call, live = console.connection.call, console.live
        await call("users.add", User, name="noor", password=PASSWORD, role=Role.OPERATOR)
        alarms = alarms_of(console)
        console.window.activateWindow()
        await until(lambda: live.rules is not None, "the rules")
        await latch_lost_cameras(console)
        for number in (1, 2):
            address = f"rtsp://127.0.0.1:9/gate-{number}"
            camera = Camera(camera_id="", name=f"Gate {number}", address=address)
            await call("cameras.add", Camera, camera=camera, password="")

        def lost():
            return [alarm for alarm in live.open_alarms() if alarm.kind == "camera_lost"]

        await until(lambda: len(lost()) == 2, "both lost cameras", timeout_s=90)

        # See, select, arrange, acknowledge: two keys from the wall.
        await press(Key.Key_W, CTRL_SHIFT)
        await until(lambda: console.window.panel_with_keys == "wall", "the keys at the wall")
        await press(Key.Key_F2)
        chosen = alarms.selected_alarms()[0]

        def now():
            return live.alarms.get(chosen.alarm_id)

        def state():
            return now().state

        await press(Key.Key_Space)
        await until(lambda: state() is AlarmState.ACKNOWLEDGED, "the acknowledge, two keys from the wall")
        await until(lambda: console.frame.arranger.is_arranged, "the room around the alarm")
        await press(Key.Key_Backspace)
        await until(lambda: not console.frame.arranger.is_arranged, "the room as it was")

        await press(Key.Key_U)
        await until(lambda: alarms.action_text.startswith("Take back"), "the question why")
        await write("wrong row")
        await press(Key.Key_Return)
        await until(lambda: state() is AlarmState.UNACKNOWLEDGED, "the acknowledge to be taken back")
        await press(Key.Key_C)
        await write("The gate is being painted.")
        await press(Key.Key_Return)
        await until(lambda: "painted" in now().comment, "the comment beside the alarm")

        await press(Key.Key_T)
        first, second = alarms.detail.guidance.steps
        await press(Key.Key_Space)
        await until(lambda: now().ticked == {first}, "the first step of the guidance")
        await press(Key.Key_T)
        await press(Key.Key_Space)
        await until(lambda: now().ticked == {first, second}, "the second one")
        await press(Key.Key_Escape)

        await press(Key.Key_S)
        await until(lambda: alarms.action_text.startswith("Shelve "), "for how long")
        await press(Key.Key_Return)
        await until(lambda: state() is AlarmState.SHELVED, "the shelving")
        await press(Key.Key_2, ALT)
        await press(Key.Key_Down)
        await press(Key.Key_S)
        await until(lambda: state() is AlarmState.ACKNOWLEDGED, "the shelving to be taken back by who saw it")

        await press(Key.Key_1, ALT)
        await go_to_row(alarms, chosen)
        await press(Key.Key_O)
        await until(lambda: "out of service" in alarms.action_text, "whose and until when")
        await press(Key.Key_Tab)
        await write("New cable on Monday.")
        await press(Key.Key_Return)
        await until(lambda: state() is AlarmState.OUT_OF_SERVICE, "the way out of service")
        await press(Key.Key_4, ALT)
        await until(lambda: alarms.service.lines, "it in the list of what is out of service")
        await go_to_row(alarms, chosen)
        await press(Key.Key_O)
        await until(lambda: state() is AlarmState.ACKNOWLEDGED, "the way back into service")

        # Its incident: attach the other alarm, take it, close it with a disposition.
        await press(Key.Key_1, ALT)
        await go_to_row(alarms, chosen)
        await press(Key.Key_I)
        board = console.window.panel("incidents")
        await until(lambda: console.window.panel_with_keys == "incidents", "the keys at the incidents")
        await until(lambda: board.current and board.current.incident_id == chosen.incident_id, "its incident")
        await until(lambda: board.view.timeline, "what is known of it")
        await press(Key.Key_L)
        await press(Key.Key_1)
        await until(lambda: any("ttach" in " ".join(line.cells) for line in board.view.timeline), "the other alarm")
        await press(Key.Key_A)
        await press(Key.Key_1)
        await until(lambda: board.current.operator == "dana", "who takes it")
        await press(Key.Key_R)
        await until(lambda: board.current.status is IncidentStatus.RESOLVED, "it to be resolved")
        await press(Key.Key_X)
        await press(Key.Key_1)

        def incident():
            return live.incidents[chosen.incident_id]

        await until(lambda: incident().status is IncidentStatus.CLOSED, "the incident to be closed")
        assert incident().disposition == Disposition.TRUE

        # Its cause is over, and it stays until it is reset.
        camera = live.cameras[chosen.source_id]
        await call("cameras.set_enabled", Camera, camera_id=camera.camera_id, is_enabled=False, version=camera.version)
        await until(lambda: state() is AlarmState.LATCHED_ACKNOWLEDGED, "what stays until it is reset")
        await press(Key.Key_A, CTRL_SHIFT)
        await go_to_row(alarms, chosen)
        await press(Key.Key_R)
        await until(lambda: now() is None, "the reset")

        # And the shift ends.
        await press(Key.Key_L, CTRL_SHIFT)
        shift = await until(lambda: console.window.panel("shift").findChild(ShiftPanel), "the shift")
        await press(Key.Key_H)
        await until(lambda: "Gate 2" in shift.hand_over.report_text, "the report")
        await tab_to("Hand over")
        await press(Key.Key_Space)
        await until(lambda: shift.hand_over.selected, "the report that waits for a signature")
        await tab_to("Name of the incoming operator")
        await write("noor")
        await tab_to("Password")
        await write(PASSWORD)
        await press(Key.Key_Return)
        await until(lambda: shift.hand_over.selected.signed_by == "noor", "the signature")

    in_room(scenario, timeout_s=260)


async def go_to_row(alarms, alarm) -> None:
    """Walk through the rows with the arrows until the alarm is the selected one."""
    for _ in range(alarms.model.rowCount() + 1):
        if [one.alarm_id for one in alarms.selected_alarms()] == [alarm.alarm_id]:
            return
        await press(Key.Key_Down if alarms.table.currentIndex().row() < alarms.model.rowCount() - 1 else Key.Key_Home)
    pytest.fail("the arrows never came to the alarm")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_works_are_planned_and_ended_and_a_camera_is_taken_out_of_service_by_keyboard(start_node, in_room, tmp_path):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        live, alarms = console.live, alarms_of(console)
        console.window.activateWindow()
        names = ("Gate 1", "Gate 2")
        for name in names:
            camera = Camera(camera_id="", name=name, address=f"rtsp://127.0.0.1:9/{name[-1]}")
            await console.connection.call("cameras.add", Camera, camera=camera, password="")

        def by_name(name):
            return next((one for one in live.open_alarms() if one.source_name == name), None)

        await until(lambda: all(by_name(name) for name in names), "both lost cameras", timeout_s=90)

        await press(Key.Key_C, CTRL_SHIFT)
        page = await until(lambda: console.window.panel("works"), "the page")
        await until(lambda: console.window.panel_with_keys == "works", "the keys at the works")
        await press(Key.Key_N)
        await write("New mast at gate 1")
        await press(Key.Key_Tab)
        await write("The old one rusts")
        await press(Key.Key_Tab)
        await write("gate 1")
        await press(Key.Key_Return)
        await press(Key.Key_Space)
        await act(take_pictures, console, tmp_path, "works-form")
        await press(Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: live.holds.works, "the works")
        await until(lambda: by_name("Gate 1").state is AlarmState.SUPPRESSED, "its alarm to be held")
        assert by_name("Gate 1").suppressed_by == "works: New mast at gate 1"
        await until(lambda: "Alarms it holds (1)" in page.detail_text, "the alarm beside the works")
        await act(take_pictures, console, tmp_path, "works")

        # A camera that has no works; then one key puts it back.
        await press(Key.Key_A, CTRL_SHIFT)
        await press(Key.Key_4, ALT)
        await press(Key.Key_O)
        await write("gate 2")
        await press(Key.Key_Return)
        await press(Key.Key_Space)
        await tab_to("Reason")
        await write("Lens is replaced")
        await press(Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: by_name("Gate 2").state is AlarmState.OUT_OF_SERVICE, "its alarm out of service")
        await until(lambda: alarms.service.lines, "it in the list")
        assert alarms.service.lines[0].cells[1] == "dana"
        await act(take_pictures, console, tmp_path, "out-of-service")
        await until(lambda: alarms.service.has_keys, "the keys in the list")
        await press(Key.Key_Down)
        await press(Key.Key_O)
        await until(lambda: not live.holds.services, "it in service")

        await press(Key.Key_C, CTRL_SHIFT)
        await press(Key.Key_X)
        await until(lambda: not live.holds.works, "the end of the works")
        await until(lambda: page.lines and page.lines[0].cells[1] == "Ended early by dana", "them among the past ones")
        await until(lambda: by_name("Gate 1").state is AlarmState.UNACKNOWLEDGED, "its alarm, half a minute later")

    in_room(scenario, timeout_s=200)
    with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
        rows = database.execute("SELECT actor, action FROM audit WHERE action LIKE 'alarm.%' ORDER BY sequence")
        audited = [action for actor, action in rows if actor == "dana"]
    assert audited == ["alarm.plan_works", "alarm.out_of_service", "alarm.return_to_service", "alarm.end_works"]
