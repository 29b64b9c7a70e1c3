"""An edge camera's pictures become bays, counts and a twin that an operator corrects, replays and asks ahead.

The edge client as shipped posts over HTTP with its key; a real node looks. Camera, key, lot and bays are made in a
real window by mouse and keyboard, and everything else is done there too.
Pictures of the window lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QStyle,
    QStyleOptionSlider,
    QTabBar,
    QToolButton,
)

from core.gateway.http.model import GatewayKey
from core.kernel.clock import SystemClock
from core.kernel.paths import default_folders
from core.node.demo import seed_history
from core.parking.drawing import outlines_at
from core.parking.model import Bay, BayChange, BayState, Lot, SightMethod
from core.parking.sight.cases import LabelledPicture, find_lots
from core.store.engine import open_store, sqlite_url
from tests.e2e.parking.test_bays_drawn import draw
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures import drawn_lot
from tests.fixtures.console import act, choose_in_dialog, fields_of, press, type_into, until
from tests.fixtures.processes import end_process
from tests.fixtures.testdata import ROOT, testdata
from widgets.devices.key_page import KeyPage
from widgets.lots.figures_page import ParkingFiguresPage
from widgets.lots.lot_list import LotList
from widgets.twin import pose as poses
from widgets.twin.model import Shown
from widgets.twin.panel import TwinPanel
from widgets.twin.tape import Mode

SIZES = ((1920, 1080), (1280, 800))
LOT_ID, LOT_NAME, CAMERA_NAME = "campus-lot", "Campus lot", "Mast camera"
LEAST_RIGHT = 0.95
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Pictures of one lot and the truth of each.

    Attributes:
        folder: Holds the pictures, in order by name.
        truths: Whether each bay is occupied, of each picture.
        draw_bays: Has the operator put the bays onto the camera's picture in the panel Bays.
        model: To detect vehicles with.
        period_s: Between two pictures; a camera is believed that a bay changed after three seconds.
        learnt_s: How long the camera is watched before it is calibrated.
    """

    folder: Path
    truths: tuple[Mapping[str, bool], ...]
    draw_bays: Callable[[Any], Coroutine[Any, Any, None]]
    model: str
    period_s: float
    learnt_s: float

    @property
    def bay_ids(self) -> tuple[str, ...]:
        """In the order of the drawing."""
        return tuple(self.truths[0])


def painted_stream(folder: Path) -> Stream:
    """Return a lot from straight above that the tests paint themselves: three fillings, each in several pictures."""
    fillings = [drawn_lot.TAKEN, {"01", "02", "08"}, set(drawn_lot.BAYS) - {"05", "12"}]
    truths = []
    for number in range(12):
        taken = fillings[number // 4]
        (folder / f"{number:02}.jpg").write_bytes(drawn_lot.jpeg_of(drawn_lot.draw(taken, seed=number)))
        truths.append({bay: bay in taken for bay in drawn_lot.BAYS})
    return Stream(folder=folder, truths=tuple(truths), draw_bays=draw_rows, model="demo", period_s=1.5, learnt_s=6.0)


def pklot_stream(folder: Path) -> Stream:
    """Return the real lot of the test data with its labels, and a detector for it."""
    pytest.importorskip("torch", reason="converting the detector's weights needs torch")
    source, weights = testdata("parking/pklot_ufpr05"), testdata("weights/yolo11n.pt")
    model = folder.parent / "yolo11n.onnx"
    subprocess.run([sys.executable, "main.py", "export-model", str(weights), str(model)], cwd=ROOT, check=True)
    labelled = sorted(find_lots(source)[0].pictures, key=lambda picture: picture.at)
    # Of pictures in which nothing changed, an empty lot at noon, one is enough.
    pictures = [one for one, before in zip(labelled, [None, *labelled], strict=False) if not is_alike(one, before)]
    for picture in pictures:
        (folder / f"{picture.at:%Y%m%dT%H%M%S}.jpg").write_bytes((source / "frames" / picture.name).read_bytes())
    return Stream(
        folder=folder,
        truths=tuple(one.occupied for one in pictures),
        draw_bays=partial(import_bays, path=min((source / "xml").glob("*.xml")), n_bays=len(pictures[0].occupied)),
        model=str(model),
        period_s=6.0,
        learnt_s=50.0,
    )


def is_alike(picture: LabelledPicture, before: LabelledPicture | None) -> bool:
    return before is not None and picture.occupied == before.occupied


STREAMS = {"painted": painted_stream, "pklot": pklot_stream}


async def remember_weeks(folder: Path, bay_ids: tuple[str, ...]) -> None:
    """Let weeks of history be there for a lot that is drawn anew: nobody can wait for them."""
    folder.mkdir()
    store = open_store(sqlite_url(default_folders(folder).database), backups=folder / "backups", clock=SystemClock())
    lot = Lot(lot_id=LOT_ID, name=LOT_NAME, bays=tuple(Bay(bay_id=bay_id) for bay_id in bay_ids))
    await seed_history(store, (lot,), now=datetime.now(UTC), time_zone="UTC")
    await store.close()


class Desk:
    """What an operator does and sees."""

    def __init__(self, console, pictures: Path) -> None:
        self.console, self.live = console, console.live
        self._pictures = Path(os.environ.get("WATCHFLOOR_PICTURES", pictures))
        self._pictures.mkdir(parents=True, exist_ok=True)

    def panel(self, key, kind):
        found = self.console.window.panel(key)
        return found if isinstance(found, kind) else found.findChild(kind)

    async def open_by_keys(self, key, panel_key):
        self.console.window.activateWindow()
        await until(self.console.window.isActiveWindow, "the window in front")
        await act(QTest.keyClick, self.console.window, key, CTRL_SHIFT)
        return await until(
            lambda: panel if (panel := self.console.window.panel(panel_key)).isVisible() else None,
            f"the panel {panel_key}",
        )

    async def look(self, name) -> None:
        await act(self._look, name)

    def _look(self, name) -> None:
        window = self.console.window
        for width, height in SIZES[::-1]:
            window.resize(width, height)
            for _ in range(10):
                QApplication.processEvents()
            assert window.grab().save(str(self._pictures / f"{name}-{width}x{height}.png"))

    def states(self):
        statuses = self.live.bays.get(LOT_ID, {})
        return {bay_id: status.state for bay_id, status in statuses.items() if status.is_known}

    def agreement(self, truth) -> float:
        """Return the share of bays that stand in the console as in truth."""
        states = self.states()
        right = [states.get(bay) is (BayState.OCCUPIED if taken else BayState.FREE) for bay, taken in truth.items()]
        return sum(right) / len(right)


def named(page, kind, name):
    """Return the part that a screen reader calls so."""
    return next(part for part in page.findChildren(kind) if part.accessibleName() == name)


def click_at(widget, place: QPoint) -> None:
    QTest.mouseClick(widget, LEFT, Qt.KeyboardModifier.NoModifier, place)


def click_tab(page, title) -> None:
    """Click a tab that is seen."""
    tabs = [(bar, at) for bar in page.findChildren(QTabBar) if bar.isVisible() for at in range(bar.count())]
    bar, at = next((bar, at) for bar, at in tabs if bar.tabText(at) == title)
    click_at(bar, bar.tabRect(at).center())


def choose_in_menu(button, words) -> None:
    """Open a button's menu by click and click an entry."""

    def pick() -> None:
        menu = QApplication.activePopupWidget()
        action = next(action for action in menu.actions() if action.text() == words)
        click_at(menu, menu.actionGeometry(action).center())

    # The menu has a loop of its own until something is chosen.
    QTimer.singleShot(0, pick)
    QTest.mouseClick(button, LEFT)


async def add_edge_camera(desk: Desk) -> str:
    """Add the camera by its form; nothing is detected on its pictures beside the bays."""
    devices = await desk.open_by_keys(Qt.Key.Key_D, "devices")
    await act(press, devices, "Add camera")
    name, address = fields_of(devices.currentWidget())[:2]
    await act(type_into, name, CAMERA_NAME)
    await act(type_into, address, "edge:")
    rate = named(devices.currentWidget(), QDoubleSpinBox, "Detections per second")
    await act(type_into, rate.findChild(QLineEdit), "0")
    await act(QTest.keyClick, rate, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    camera = await until(lambda: next(iter(desk.live.cameras.values()), None), "the camera")
    assert (camera.name, camera.address, camera.detect_fps) == (CAMERA_NAME, "edge:", 0.0)
    return camera.camera_id


async def add_lot(desk: Desk):
    """Make the lot, still without bays: the key of its camera names it."""
    editor = await desk.open_by_keys(Qt.Key.Key_B, "bays")
    await act(press, editor, "A new lot")
    name = named(editor, QLineEdit, "Name of the new lot")
    await act(type_into, name, LOT_NAME)
    await act(QTest.keyClick, name, Qt.Key.Key_Return)
    await act(press, editor, "Save")
    await until(lambda: LOT_ID in desk.live.lot_plans and not editor.is_dirty, "the lot")
    return editor


async def make_key(desk: Desk, picture: str) -> tuple[str, str]:
    """Make the device's key and copy it; returns it with the address that the page names."""
    devices = await desk.open_by_keys(Qt.Key.Key_D, "devices")
    await act(press, devices, "Device keys")
    page = devices.currentWidget()
    assert isinstance(page, KeyPage)
    gateway = named(page, QLabel, "The gateway")
    address = await until(lambda: re.search(r"listens on (\S+);", gateway.text()), "the gateway's address")
    name = named(page, QLineEdit, "Name of the device or system")
    await act(type_into, name, "Raspberry Pi at the mast")
    await act(QTest.keyClick, name, Qt.Key.Key_Return)
    await until(lambda: page.token, "the new key")
    assert f"the lot's id {LOT_ID}" in page.said
    await act(press, page, "Copy the key")
    assert QGuiApplication.clipboard().text() == page.token
    await desk.look(picture)
    await act(press, page, "Back to the devices")
    return QGuiApplication.clipboard().text(), address[1]


def start_client(stream: Stream, key: str, address: str) -> subprocess.Popen:
    """Start the program of the device, with what its operator copied from the window."""
    return subprocess.Popen(
        [
            *(sys.executable, "main.py", "edge-client", "--to", address, "--lot", LOT_ID, "--loop"),
            *("--source", f"replay:{stream.folder}", "--period", str(stream.period_s)),
        ],
        cwd=ROOT,
        env={**os.environ, "WATCHFLOOR_EDGE_KEY": key},
    )


async def show_camera(desk: Desk, editor, camera_id: str) -> None:
    """Choose the camera to draw on, and give the panel the whole window."""
    await desk.open_by_keys(Qt.Key.Key_B, "bays")
    await act(press, editor, "Use the whole window")
    await act(QTest.keyClicks, named(editor, QComboBox, "Where to draw"), "Camera")
    assert editor.camera_id == camera_id
    await until(lambda: editor.canvas.has_picture, "a picture of the edge camera")


async def draw_rows(editor) -> None:
    """Draw both rows of the painted lot with the row tool, from the lane."""
    width, height = drawn_lot.WH
    left, right = 86 / width, 870 / width
    for first, front, back in (("00", 270, 120), ("08", 430, 580)):
        await act(QTest.keyClick, editor.canvas, "r")
        await act(type_into, named(editor, QLineEdit, "Id of the first bay"), first)
        await act(type_into, named(editor, QSpinBox, "Bays in the row").findChild(QLineEdit), "8")
        corners = ((left, front), (right, front), (right, back), (left, back))
        await draw(editor.canvas, *((x, y / height) for x, y in corners))
        await act(QTest.keyClick, editor.canvas, Qt.Key.Key_Escape)


async def import_bays(editor, path: Path, n_bays: int) -> None:
    """Import the lot's bays from the file that it came with."""
    await act(choose_in_menu, named(editor, QToolButton, "More: import, export, copy, snap"), "Import bays from a file")
    await act(press, editor, "Choose a file")
    await choose_in_dialog(editor, path)
    take = f"Take {n_bays} bays"
    await until(lambda: any(one.text() == take for one in editor.findChildren(QAbstractButton)), "the bays of the file")
    await act(press, editor, take)


async def save_bays(desk: Desk, editor, stream: Stream, camera_id: str) -> None:
    """Save what is drawn with a note, and see that it is whole."""
    note = named(editor, QLineEdit, "What was changed, and why")
    await act(type_into, note, "bays as the mast camera sees them")
    await act(QTest.keyClick, note, Qt.Key.Key_Return)
    await until(
        lambda: set(outlines_at(desk.live.lot_plans[LOT_ID], camera_id)) == set(stream.bay_ids), "the bays as saved"
    )


def n_occupied_in(twin: TwinPanel) -> int:
    return int(np.count_nonzero(twin.view.bays_look.shown == Shown.OCCUPIED))


def place_of(twin: TwinPanel, bay_id: str) -> QPoint:
    view = twin.view
    centre = view.scene.centres[[view.scene.index[LOT_ID, bay_id]]]
    at, _ = poses.project(view.pose, centre, view.width(), view.height())
    return QPoint(round(at[0][0]), round(at[0][1]))


async def enough_pictures(desk: Desk, stream: Stream) -> None:
    """Wait for what a calibration is to know: of the pictures of a view some are kept, 20 s apart."""

    async def n_posted() -> int:
        return (await desk.console.connection.call("gateway.keys", list[GatewayKey]))[0].n_accepted

    wanted = await n_posted() + math.ceil(stream.learnt_s / stream.period_s)
    while await n_posted() < wanted:
        await asyncio.sleep(0.2)


async def calibrate(desk: Desk, editor) -> None:
    """Have the program pick how it looks, by the button in the panel Bays."""
    await act(click_tab, editor, "Camera")
    await act(press, editor, "Calibrate")
    said = named(editor, QLabel, "What the calibration says")
    await until(lambda: "is looked at with" in said.text(), "the calibration", timeout_s=120)
    await until(lambda: desk.live.lot_plans[LOT_ID].views[0].calibrated_at, "what it found, in the lot")


async def choose_classifier(desk: Desk, editor) -> None:
    """Overrule the calibration: the demonstration's detector knows the demo city only and may mislead it."""
    await until(lambda: not editor.is_dirty, "what the calibration saved")
    await act(QTest.keyClicks, named(editor, QComboBox, "How bays are told"), "Classifier")
    if editor.is_dirty:
        await act(press, editor, "Save")
    await until(lambda: desk.live.lot_plans[LOT_ID].views[0].method is SightMethod.CLASSIFIER, "the operator's choice")


async def follow(desk: Desk, twin: TwinPanel, stream: Stream) -> None:
    """See several of the stream's pictures come into the console, its counts and its twin, each right."""
    distinct = list({tuple(sorted(truth.items())): truth for truth in stream.truths}.values())
    chosen = sorted(distinct, key=lambda truth: sum(truth.values()))
    for truth in (chosen[0], chosen[-1], chosen[len(chosen) // 2]):
        await until(
            lambda truth=truth: desk.agreement(truth) >= LEAST_RIGHT,
            f"{sum(truth.values())} occupied bays",
            timeout_s=3 * stream.period_s * len(stream.truths),
        )
        n_occupied = sum(state is BayState.OCCUPIED for state in desk.states().values())
        assert abs(n_occupied - sum(truth.values())) <= (1 - LEAST_RIGHT) * len(truth)
        await until(lambda: n_occupied_in(twin) == desk.live.lots[LOT_ID].n_occupied, "twin and counts alike")


async def correct(desk: Desk, twin: TwinPanel, bay_id: str) -> None:
    """Click a bay in the twin and say in its card that it is closed."""
    await until(lambda: not twin.view.is_flying, "the view at rest")
    await act(click_at, twin.view, place_of(twin, bay_id))
    assert twin.selected == (LOT_ID, bay_id)
    await until(lambda: CAMERA_NAME in twin.card.facts.facts.get("Source", ""), "the card with its source")
    await until(lambda: not twin.card._snapshot.isHidden(), "the newest picture of the bay")
    choice = twin.card.state_choice
    await act(QTest.keyClicks, choice, "Closed")
    await act(type_into, twin.card.reason, "a trailer for a week")
    await act(press, twin.card, "Correct")
    await until(lambda: desk.live.bays[LOT_ID][bay_id].state is BayState.CLOSED, "the correction")
    assert desk.live.bays[LOT_ID][bay_id].reason == "a trailer for a week"
    await until(lambda: twin.view.bays_look.shown[twin.view.scene.index[LOT_ID, bay_id]] == Shown.CLOSED, "its cross")


def handle_of(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    style, part = QStyle.ComplexControl.CC_Slider, QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(style, option, part, slider).center()


async def replay(desk: Desk, twin: TwinPanel) -> None:
    """Go back by a key of the slider and see what was stored of the camera then."""
    slider = twin.time_bar.slider
    await act(click_at, slider, handle_of(slider))
    await until(slider.hasFocus, "the keys to be the slider's")
    await act(QTest.keyClick, slider, Qt.Key.Key_Left)
    assert twin.moment.mode is Mode.REPLAY
    at = twin.moment.at
    assert datetime.now(UTC) - at < timedelta(minutes=3)
    await until(lambda: "not live" in twin.view.notice, "the replay")
    stored = await desk.console.connection.call(
        "parking.changes", list[BayChange], lot_id=LOT_ID, since=at, until=at + timedelta(seconds=1)
    )
    then = {change.bay_id: change.state for change in stored if change.at <= at}
    assert len(then) == len(desk.live.bays[LOT_ID])
    assert any(change.source.startswith("camera:") for change in stored if change.at <= at)
    assert n_occupied_in(twin) == sum(state is BayState.OCCUPIED for state in then.values())
    assert not twin.card.correct.isEnabled()


def next_at_six() -> datetime:
    """Return 18:00 on the coming Saturday; on a Saturday evening, when that is more than a week ahead, on Sunday."""
    now = datetime.now(UTC)
    asked = (now + timedelta(days=(5 - now.weekday()) % 7)).replace(hour=18, minute=0, second=0, microsecond=0)
    # What is over, or will be within minutes, is asked of the next day.
    return asked if asked - now > timedelta(minutes=20) else asked + timedelta(days=1)


async def ask_twin(twin: TwinPanel, when: datetime) -> None:
    """Ask the twin what it will be then."""
    field = twin.time_bar.field
    await act(click_at, field.lineEdit(), QPoint(8, field.height() // 2))
    await until(field.hasFocus, "the keys to be the field's")
    await act(QTest.keyClick, field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    await act(QTest.keyClicks, field, f"{when.astimezone():%Y-%m-%d %H:%M}")
    await act(QTest.keyClick, field, Qt.Key.Key_Return)
    await until(lambda: twin.moment.mode is Mode.FORECAST and twin.moment.at == when, "18:00 in the twin")
    await until(lambda: (twin.view.bays_look.shown == Shown.SHARE).all(), "expected shares on every bay")


async def ask_figures(page: ParkingFiguresPage, when: datetime, n_bays: int) -> None:
    """Ask the figures what it will be then, by the day and the time; one of the bays is closed."""
    day = page.when.day
    row = day.findData(when.date().toordinal())
    # A word is typed as it is read: "Today," or "Saturday"; a space would open the list.
    await act(QTest.keyClicks, day, day.itemText(row).split()[0])
    assert day.currentIndex() == row
    await act(click_at, page.when.at.lineEdit(), QPoint(8, page.when.at.height() // 2))
    await act(QTest.keyClicks, page.when.at, "1800")
    await until(lambda: f"{when:%A %d %B, %H:%M}: about" in page.answer.text(), "the answer")
    assert f"of {n_bays - 1} bays free" in page.answer.text()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", STREAMS)
def test_an_edge_stream_is_seen_corrected_replayed_and_foreseen(start_node, in_room, tmp_path, name):
    frames = tmp_path / "frames"
    frames.mkdir()
    stream = STREAMS[name](frames)
    asyncio.run(remember_weeks(tmp_path / "node-0", stream.bay_ids))
    node = start_node("gateway.enabled=true", "gateway.port=0", f"vision.model={stream.model}")
    edge: list[subprocess.Popen] = []

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        desk = Desk(console, tmp_path / "pictures")
        camera_id = await add_edge_camera(desk)
        editor = await add_lot(desk)
        edge.append(start_client(stream, *await make_key(desk, f"{name}-1-key")))

        await show_camera(desk, editor, camera_id)
        await stream.draw_bays(editor)
        await save_bays(desk, editor, stream, camera_id)
        await until(lambda: len(desk.states()) == len(stream.bay_ids), "every bay to be seen", timeout_s=120)
        await enough_pictures(desk, stream)
        await calibrate(desk, editor)
        if stream.model == "demo":
            await choose_classifier(desk, editor)
        await desk.look(f"{name}-2-calibrated")
        await act(press, editor, "Use the whole window")

        await desk.open_by_keys(Qt.Key.Key_T, "twin")
        twin = desk.panel("twin", TwinPanel)
        await until(lambda: twin.view.has_picture and twin.view.bays_look is not None, "the twin's picture")
        await follow(desk, twin, stream)
        await desk.open_by_keys(Qt.Key.Key_O, "parking")
        lots = desk.panel("parking", LotList)
        await until(lambda: lots.rows and f"free of {len(stream.bay_ids)}" in lots.rows[0].text, "the lot's counts")
        await desk.look(f"{name}-3-counts")

        await desk.open_by_keys(Qt.Key.Key_T, "twin")
        await correct(desk, twin, stream.bay_ids[3])
        await desk.look(f"{name}-4-corrected")
        await replay(desk, twin)
        await desk.look(f"{name}-5-replay")
        when = next_at_six()
        await ask_twin(twin, when)
        await desk.look(f"{name}-6-forecast")

        await desk.open_by_keys(Qt.Key.Key_Q, "parking_figures")
        await ask_figures(desk.panel("parking_figures", ParkingFiguresPage), when, len(stream.bay_ids))
        await desk.look(f"{name}-7-answer")

    try:
        in_room(scenario, timeout_s=800.0)
    finally:
        for process in edge:
            end_process(process, timeout_s=15.0)
