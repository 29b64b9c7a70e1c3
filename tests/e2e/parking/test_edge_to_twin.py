"""An edge camera's pictures become bays, counts and a twin that an operator corrects, replays and asks ahead.

The edge client as shipped posts over HTTP with its key; a real node looks; a real window is used by mouse and keyboard.
Pictures of the window lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.access.model import SYSTEM
from core.cameras.model import Camera
from core.gateway.http.model import GatewayKey, GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock
from core.kernel.paths import default_folders
from core.node.demo import seed_history
from core.parking.model import Bay, BayChange, BayState, BayView, Lot, SightMethod
from core.parking.service import ParkingService
from core.parking.sight.cases import LabelledPicture, find_lots
from core.store.engine import open_store, sqlite_url
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures import drawn_lot
from tests.fixtures.console import act, press, type_into, until
from tests.fixtures.processes import end_process
from tests.fixtures.testdata import ROOT, testdata
from widgets.lots.figures_page import ParkingFiguresPage
from widgets.lots.lot_list import LotList
from widgets.twin import pose as poses
from widgets.twin.model import Shown
from widgets.twin.panel import TwinPanel
from widgets.twin.tape import Mode

SIZES = ((1920, 1080), (1280, 800))
LOT_ID, CAMERA_ID = "campus", "mast"
LEAST_RIGHT = 0.95
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Pictures of one lot and the truth of each.

    Attributes:
        folder: Holds the pictures, in order by name.
        truths: Whether each bay is occupied, of each picture.
        model: To detect vehicles with.
        period_s: Between two pictures; a camera is believed that a bay changed after three seconds.
    """

    folder: Path
    lot: Lot
    truths: tuple[Mapping[str, bool], ...]
    model: str
    period_s: float


def painted_stream(folder: Path) -> Stream:
    """Return a lot from straight above that the tests paint themselves: three fillings, each in several pictures."""
    lot = drawn_lot.drawn_lot(CAMERA_ID)
    fillings = [drawn_lot.TAKEN, {"01", "02", "08"}, set(drawn_lot.BAYS) - {"05", "12"}]
    truths = []
    for number in range(12):
        taken = fillings[number // 4]
        (folder / f"{number:02}.jpg").write_bytes(drawn_lot.jpeg_of(drawn_lot.draw(taken, seed=number)))
        truths.append({bay: bay in taken for bay in drawn_lot.BAYS})
    view = replace(lot.views[0], method=SightMethod.AUTOMATIC)
    lot = replace(lot, lot_id=LOT_ID, name="Campus lot", views=(view,))
    return Stream(folder=folder, lot=lot, truths=tuple(truths), model="demo", period_s=1.5)


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
    outlines = {bay: tuple((x / 1280, y / 720) for x, y in outline) for bay, outline in pictures[0].outlines.items()}
    lot = Lot(
        lot_id=LOT_ID,
        name="Campus lot",
        bays=tuple(Bay(bay_id=bay) for bay in outlines),
        views=(BayView(camera_id=CAMERA_ID, outlines=outlines),),
    )
    truths = tuple(one.occupied for one in pictures)
    return Stream(folder=folder, lot=lot, truths=truths, model=str(model), period_s=6.0)


def is_alike(picture: LabelledPicture, before: LabelledPicture | None) -> bool:
    return before is not None and picture.occupied == before.occupied


STREAMS = {"painted": painted_stream, "pklot": pklot_stream}


async def furnish(folder: Path, lot: Lot) -> None:
    """Draw the lot, and let it have been there for weeks."""
    folder.mkdir()
    store = open_store(sqlite_url(default_folders(folder).database), backups=folder / "backups", clock=SystemClock())
    service = ParkingService(store=store, bus=Bus(), clock=SystemClock())
    await service.save_lot(SYSTEM, lot, note="drawn")
    await service.close()
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
        await until(lambda: self.console.window.panel(panel_key).isVisible(), f"the panel {panel_key}")

    async def look(self, name) -> None:
        await act(self._look, name)

    def _look(self, name) -> None:
        window = self.console.window
        for width, height in SIZES:
            window.resize(width, height)
            for _ in range(10):
                QApplication.processEvents()
            assert window.grab().save(str(self._pictures / f"{name}-{width}x{height}.png"))
        window.resize(*SIZES[0])
        QApplication.processEvents()

    def states(self):
        return {bay_id: status.state for bay_id, status in self.live.bays[LOT_ID].items() if status.is_known}

    def agreement(self, truth) -> float:
        """Return the share of bays that stand in the console as in truth."""
        states = self.states()
        right = [states.get(bay) is (BayState.OCCUPIED if taken else BayState.FREE) for bay, taken in truth.items()]
        return sum(right) / len(right)


def n_occupied_in(twin: TwinPanel) -> int:
    return int(np.count_nonzero(twin.view.bays_look.shown == Shown.OCCUPIED))


def place_of(twin: TwinPanel, bay_id: str) -> QPoint:
    view = twin.view
    centre = view.scene.centres[[view.scene.index[LOT_ID, bay_id]]]
    at, _ = poses.project(view.pose, centre, view.width(), view.height())
    return QPoint(round(at[0][0]), round(at[0][1]))


def click_at(widget, place: QPoint) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


async def open_gateway(call) -> str:
    while (report := await call("gateway.state", GatewayReport)).state is not GatewayState.OPEN:
        await asyncio.sleep(0.05)
    return report.address


async def calibrate(desk: Desk) -> None:
    """Have the program pick how it looks, by the button in the panel Bays."""
    await desk.open_by_keys(Qt.Key.Key_B, "bays")
    editor = desk.console.window.panel("bays")
    await until(lambda: editor.lot_id == LOT_ID, "the lot in the panel Bays")
    editor.open_place(CAMERA_ID)
    await until(lambda: editor.canvas.has_picture, "a picture of the edge camera")
    editor.side.show_tab("Camera")
    await act(press, editor, "Calibrate")
    await until(lambda: desk.live.lot_plans[LOT_ID].views[0].calibrated_at, "the calibration", timeout_s=120)


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
    await act(twin.view.fly_to_at_once, twin.view.pose)
    await act(click_at, twin.view, place_of(twin, bay_id))
    assert twin.selected == (LOT_ID, bay_id)
    await until(lambda: "Mast camera" in twin.card.facts.facts.get("Source", ""), "the card with its source")
    await until(lambda: not twin.card._snapshot.isHidden(), "the newest picture of the bay")
    choice = twin.card.state_choice
    await act(QTest.keyClicks, choice, "Closed")
    await act(type_into, twin.card.reason, "a trailer for a week")
    await act(press, twin.card, "Correct")
    await until(lambda: desk.live.bays[LOT_ID][bay_id].state is BayState.CLOSED, "the correction")
    assert desk.live.bays[LOT_ID][bay_id].reason == "a trailer for a week"
    await until(lambda: twin.view.bays_look.shown[twin.view.scene.index[LOT_ID, bay_id]] == Shown.CLOSED, "its cross")


async def replay(desk: Desk, twin: TwinPanel) -> None:
    """Pull the slider back over the last minutes and see what was stored."""
    slider = twin.time_bar.slider
    for _ in range(2):
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
    assert n_occupied_in(twin) == sum(state is BayState.OCCUPIED for state in then.values())
    assert not twin.card.correct.isEnabled()


def next_at_six() -> datetime:
    """Return 18:00 on the coming Saturday; on a Saturday evening, when that is more than a week ahead, on Sunday."""
    now = datetime.now(UTC)
    asked = (now + timedelta(days=(5 - now.weekday()) % 7)).replace(hour=18, minute=0, second=0, microsecond=0)
    # What is over, or will be within minutes, is asked of the next day.
    return asked if asked - now > timedelta(minutes=20) else asked + timedelta(days=1)


async def ask_ahead(desk: Desk, twin: TwinPanel) -> None:
    """Ask the twin what it will be at 18:00 on Saturday."""
    when = next_at_six()
    field = twin.time_bar.field
    await act(field.setFocus)
    await act(QTest.keyClick, field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    await act(QTest.keyClicks, field, f"{when.astimezone():%Y-%m-%d %H:%M}")
    await act(QTest.keyClick, field, Qt.Key.Key_Return)
    await until(lambda: twin.moment.mode is Mode.FORECAST and twin.moment.at == when, "18:00 in the twin")
    await until(lambda: (twin.view.bays_look.shown == Shown.SHARE).all(), "expected shares on every bay")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", STREAMS)
def test_an_edge_stream_is_seen_corrected_replayed_and_foreseen(start_node, in_room, tmp_path, name):
    frames = tmp_path / "frames"
    frames.mkdir()
    stream = STREAMS[name](frames)
    asyncio.run(furnish(tmp_path / "node-0", stream.lot))
    node = start_node("gateway.enabled=true", "gateway.port=0", f"vision.model={stream.model}")
    edge: list[subprocess.Popen] = []

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="Desk 1", size=SIZES[0])
        await create_administrator(console)
        desk, call = Desk(console, tmp_path / "pictures"), console.connection.call
        camera = Camera(camera_id=CAMERA_ID, name="Mast camera", address="edge:", detect_fps=0.0)
        await call("cameras.add", Camera, camera=camera, password="")
        wish = KeyWish(name="Pi", purpose=KeyPurpose.EDGE, lot_id=LOT_ID, camera_id=CAMERA_ID)
        key = (await call("gateway.add_key", NewKey, wish=wish)).token
        address = await open_gateway(call)
        edge.append(
            subprocess.Popen(
                [
                    *(sys.executable, "main.py", "edge-client", "--to", address, "--lot", LOT_ID, "--loop"),
                    *("--source", f"replay:{stream.folder}", "--period", str(stream.period_s)),
                ],
                cwd=ROOT,
                env={**os.environ, "WATCHFLOOR_EDGE_KEY": key},
            )
        )
        await until(lambda: len(desk.states()) == len(stream.lot.bays), "every bay to be seen", timeout_s=120)
        # A calibration is worth as much as the pictures that it knows: of a view some are kept, 20 s apart.
        while (await call("gateway.keys", list[GatewayKey]))[0].n_accepted <= 2 * len(stream.truths):
            await asyncio.sleep(0.2)
        await calibrate(desk)
        await desk.look(f"{name}-1-calibrated")

        await desk.open_by_keys(Qt.Key.Key_T, "twin")
        twin = desk.panel("twin", TwinPanel)
        await until(lambda: twin.view.has_picture and twin.view.bays_look is not None, "the twin's picture")
        await follow(desk, twin, stream)
        await desk.look(f"{name}-2-twin")
        await desk.open_by_keys(Qt.Key.Key_O, "parking")
        lots = desk.panel("parking", LotList)
        await until(lambda: lots.rows and f"free of {len(stream.lot.bays)}" in lots.rows[0].text, "the lot's counts")
        await desk.look(f"{name}-3-counts")

        await desk.open_by_keys(Qt.Key.Key_T, "twin")
        await correct(desk, twin, stream.lot.bays[3].bay_id)
        await desk.look(f"{name}-4-corrected")
        await replay(desk, twin)
        await desk.look(f"{name}-5-replay")
        await ask_ahead(desk, twin)
        await desk.look(f"{name}-6-forecast")

        await desk.open_by_keys(Qt.Key.Key_Q, "parking_figures")
        page = desk.panel("parking_figures", ParkingFiguresPage)
        await act(QTest.keyClicks, page.when.day, f"{next_at_six():%A}")
        await act(click_at, page.when.at.lineEdit(), QPoint(8, page.when.at.height() // 2))
        await act(QTest.keyClicks, page.when.at, "1800")
        await until(lambda: f"{next_at_six():%A %d %B, %H:%M}: about" in page.answer.text(), "the answer")
        # One of them was closed.
        assert f"of {len(stream.lot.bays) - 1} bays free" in page.answer.text()
        await desk.look(f"{name}-7-answer")

    try:
        in_room(scenario, timeout_s=800.0)
    finally:
        for process in edge:
            end_process(process, timeout_s=15.0)
