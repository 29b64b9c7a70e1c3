"""What the twin writes to files and makes of a camera's alarms, with the drawing process of this machine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton, QToolButton
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOGeometry import vtkGLTFReader

from app.panels.twin import create, heats_of, misparked_of
from core.incidents.model import SourceKind
from core.parking.figures_model import BayFigures, Dwell, LotFigures
from core.parking.model import BayState, BayStatus
from core.parking.plans import open_lot
from tests.fixtures.alarms import alarm
from tests.gui.app.test_room_panels import AskedRoom
from widgets.twin.panel import TwinPanel

NOW = datetime.now(UTC)
LOT = open_lot("west", "Lot West", n_bays=12)
TAKEN = {"A01", "A02", "A05", "A09", "A11"}
WAIT_MS = 60_000


def statuses():
    return {
        bay.bay_id: BayStatus(
            lot_id="west",
            bay_id=bay.bay_id,
            state=BayState.OCCUPIED if bay.bay_id in TAKEN else BayState.FREE,
            since=NOW,
            at=NOW,
            confidence=1.0,
            source="camera:north",
        )
        for bay in LOT.bays
    }


@pytest.fixture
def twin(qtbot, tmp_path):
    import asyncio

    # The connection keeps asyncio events; nothing runs on this loop.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    room = AskedRoom(tmp_path)
    made = create(room)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    room.live.lot_plans["west"] = LOT
    room.live.bays["west"] = statuses()
    room.live.tell_all()
    panel = made.findChild(TwinPanel)
    qtbot.waitUntil(lambda: panel.view.has_picture and panel.view.bays_look is not None, timeout=WAIT_MS)
    made.room = room
    yield made
    room.closing.emit()
    room.live.close()
    loop.close()
    asyncio.set_event_loop(None)


def export(twin, words, file):
    """Choose an entry of the menu Export, say where to, and press Save."""
    button = next(one for one in twin.findChildren(QToolButton) if one.text() == "Export")
    next(action for action in button.menu().actions() if action.text() == words).trigger()
    dialog = twin.findChild(QFileDialog)
    assert not dialog.isModal()
    dialog.findChild(QLineEdit).setText(str(file))
    save = next(one for one in dialog.findChildren(QPushButton) if one.text().replace("&", "") == "Save")
    QTest.mouseClick(save, Qt.MouseButton.LeftButton)


def test_the_picture_is_written_as_the_operator_sees_it(twin, tmp_path):
    file = tmp_path / "shot.png"

    export(twin, "Picture…", file)

    view = twin.findChild(TwinPanel).view
    image = QImage(str(file))
    assert (image.width(), image.height()) == (view.width(), view.height())
    colors = {image.pixel(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)}
    assert len(colors) > 20
    assert twin.room.said[-1][0] == "The twin is in shot.png."


def test_the_scene_is_written_as_a_file_that_another_program_reads(twin, tmp_path):
    file = tmp_path / "scene.glb"

    export(twin, "Scene as glTF…", file)

    sizes = [np.ptp(points, axis=0) for points in meshes_in(file)]
    bays = [size for size in sizes if size[1] < 0.01 and 2.4 < size[0] < 3.6 and 4.9 < size[2] < 5.1]
    cars = [size for size in sizes if size == pytest.approx((1.8, 1.18, 4.3), abs=0.02)]
    assert len(bays) == len(LOT.bays)
    assert len(cars) == len(TAKEN)


def meshes_in(file):
    """Return the points of every node's meshes, as VTK's own reader finds them; y points up."""
    reader = vtkGLTFReader()
    reader.SetFileName(str(file))
    reader.Update()
    scene = reader.GetOutput()
    for i in range(scene.GetNumberOfBlocks()):
        mesh = scene.GetBlock(i).GetBlock(0)
        for part in range(mesh.GetNumberOfBlocks()):
            yield vtk_to_numpy(mesh.GetBlock(part).GetPoints().GetData())


def test_a_file_that_cannot_be_written_is_said(twin, tmp_path):
    export(twin, "Scene as glTF…", tmp_path / "gone.glb")
    twin._write(tmp_path / "no such folder" / "scene.glb", lambda file: file.write_bytes(b""))

    sentence, hint = twin.room.said[-1]
    assert sentence.startswith("scene.glb cannot be written")
    assert hint == "Choose another folder."


ALARM = alarm(
    alarm_id="1",
    condition_key="lot/west/bay_misparked:A04+A05",
    kind="bay_misparked",
    source_kind=SourceKind.LOT,
    source_id="west",
    source_name="Lot West",
    raised_at=NOW,
    changed_at=NOW,
)


def test_an_alarm_says_which_bays_one_vehicle_takes_as_long_as_it_is_so():
    assert misparked_of(ALARM, "west") == [(("west", "A04"), ("west", "A05"))]
    assert misparked_of(replace(ALARM, is_active=False), "west") == []
    assert misparked_of(replace(ALARM, kind="bay_overstay"), "west") == []


def test_a_misparked_vehicle_reaches_the_scene_while_both_bays_are_taken(twin):
    view = twin.findChild(TwinPanel).view
    twin.room.live.alarms["1"] = replace(ALARM, condition_key="lot/west/bay_misparked:A01+A02")
    twin.room.live.alarms_changed.emit()

    assert view.bays_look.misparked.tolist() == [[view.scene.index["west", "A01"], view.scene.index["west", "A02"]]]


def test_turnover_and_dwell_are_figures_of_the_known_time():
    figures = LotFigures(
        lot_id="west",
        zone="",
        since=NOW - timedelta(hours=24),
        until=NOW,
        time_zone="UTC",
        n_bays=2,
        n_occupied=1,
        n_unknown=1,
        known_share=0.25,
        occupied_share=0.4,
        turnover=12.0,
        heat=(),
        dwell=Dwell(n_complete=6, n_cut=0, n_without_begin=0),
        bays=(
            BayFigures(bay_id="A01", n_stays=6, known_share=0.5, mean_stay_min=42.0, occupied_share=0.4),
            BayFigures(bay_id="A02", n_stays=0, known_share=0.0, occupied_share=None),
        ),
    )

    heats = heats_of(figures)

    assert heats["turnover"].values == {"A01": 12.0}
    assert heats["dwell"].values == {"A01": 42.0}
