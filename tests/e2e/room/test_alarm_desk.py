"""The alarm list on real parts, by keyboard: a burst that becomes a flood, shelving, escalation; with pictures of each.

The pictures lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.cameras.model import Camera
from core.incidents.flood import BEGINS_ABOVE
from core.incidents.model import AlarmState
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, until
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.alarms.table_model import Column

Key = Qt.Key
SIZES = ((1920, 1080), (1280, 800))
N_LOST = 14


def take_pictures(console, tmp_path, name):
    folder = Path(os.environ.get("WATCHFLOOR_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        console.window.resize(width, height)
        QApplication.processEvents()
        picture = console.window.grab()
        assert (picture.width(), picture.height()) >= (width, height)
        assert picture.save(str(folder / f"{name}-{width}x{height}.png"))


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

        lost = lambda: [alarm for alarm in console.live.open_alarms() if alarm.kind == "camera_lost"]  # noqa: E731
        await until(lambda: len(lost()) > 1, "the first of them", timeout_s=90)
        await act(take_pictures, console, tmp_path, "burst")
        await until(lambda: len(lost()) == N_LOST, "every lost camera", timeout_s=90)
        await until(lambda: alarms.flood_text, "the flood to be said")
        assert N_LOST > BEGINS_ABOVE
        assert alarms.model.rowCount() == len(console.live.open_alarms()), "a flood hides nothing"
        titles = [alarms.model.index(row, Column.TITLE).data() for row in range(alarms.model.rowCount())]
        assert any(title.startswith(f"First of {N_LOST}:") for title in titles)
        await act(take_pictures, console, tmp_path, "flood")

        await press(Key.Key_F2)
        await until(lambda: alarms.selected_alarms(), "the most urgent alarm to be selected")
        shelved = alarms.selected_alarms()[0]
        await press(Key.Key_S)
        await until(lambda: alarms.action_text.startswith("Shelve "), "the question")
        await act(take_pictures, console, tmp_path, "shelving")
        await press(Key.Key_Return)
        is_shelved = lambda: console.live.alarms[shelved.alarm_id].state is AlarmState.SHELVED  # noqa: E731
        await until(is_shelved, "the alarm to be shelved")
        await until(lambda: console.frame.strip.gauges.count(Tab.SHELVED) == 1, "the count beside the strip")
        await act(alarms.show_tab, Tab.SHELVED)
        await act(take_pictures, console, tmp_path, "shelved")
        await act(alarms.show_tab, Tab.ACTIVE)

        await act(alarms.table.setFocus)
        await press(Key.Key_N)
        escalated = alarms.selected_alarms()[0]
        await press(Key.Key_E)
        level = lambda: console.live.alarms[escalated.alarm_id].escalation_level  # noqa: E731
        await until(lambda: level() == 1, "the escalation")
        remark = lambda: alarms.model.index(alarms.model.row_of(escalated.alarm_id), Column.COMMENT).data()  # noqa: E731
        await until(lambda: "escalated 1" in remark(), "the escalation beside its row")
        await act(take_pictures, console, tmp_path, "escalation")

        await press(Key.Key_Space)
        await until(lambda: console.live.alarms[escalated.alarm_id].is_acknowledged, "the acknowledge")

    in_room(scenario, timeout_s=200)


async def write(text):
    await act(QTest.keyClicks, QApplication.focusWidget(), text)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_alarm_goes_through_its_whole_life_without_a_mouse(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        alarms = alarms_of(console)
        console.window.activateWindow()
        await console.connection.call(
            "cameras.add",
            Camera,
            camera=Camera(camera_id="", name="Gate 1", address="rtsp://127.0.0.1:9/gate-1"),
            password="",
        )
        lost = lambda: [alarm for alarm in console.live.open_alarms() if alarm.kind == "camera_lost"]  # noqa: E731
        state = lambda: lost()[0].state  # noqa: E731
        await until(lambda: len(lost()) == 1, "the lost camera", timeout_s=90)

        console.window.go_to_panel("wall")
        await press(Key.Key_F2)
        await press(Key.Key_Space)
        await until(lambda: state() is AlarmState.ACKNOWLEDGED, "the acknowledge, two keys from the wall")

        await press(Key.Key_U)
        await until(lambda: alarms.action_text.startswith("Take back"), "the question why")
        await write("wrong row")
        await press(Key.Key_Return)
        await until(lambda: state() is AlarmState.UNACKNOWLEDGED, "the acknowledge to be taken back")

        await press(Key.Key_C)
        await write("The gate is being painted.")
        await press(Key.Key_Return)
        await until(lambda: "painted" in lost()[0].comment, "the comment beside the alarm")

        await press(Key.Key_S)
        await until(lambda: alarms.action_text.startswith("Shelve "), "for how long")
        await press(Key.Key_Return)
        await until(lambda: state() is AlarmState.SHELVED, "the shelving")
        await act(alarms.show_tab, Tab.SHELVED)
        await act(alarms.table.setFocus)
        await press(Key.Key_Down)
        await press(Key.Key_S)
        await until(lambda: state() is AlarmState.ACKNOWLEDGED, "the shelving to be taken back by who saw it")
        await act(alarms.show_tab, Tab.ACTIVE)

        await act(alarms.table.setFocus)
        await press(Key.Key_Down)
        await press(Key.Key_O)
        await until(lambda: "out of service" in alarms.action_text, "whose and until when")
        await press(Key.Key_Tab)
        await write("New cable on Monday.")
        await press(Key.Key_Return)
        await until(lambda: state() is AlarmState.OUT_OF_SERVICE, "the way out of service")

    in_room(scenario, timeout_s=200)
