"""A real window and a real node: bays are drawn by mouse on a camera's live picture, saved, and found in the store.

Pictures lie in the folder of `pytest --basetemp`, or in that of WATCHFLOOR_PICTURES.
"""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from core.parking.drawing import cameras_of, outlines_at
from tests.fixtures.console import act, press, type_into, until
from widgets.parking.editor import MAP

SIZES = ((1920, 1080), (1280, 800))
LOT, CAMERA = "lot-west", "cam-lot-west"


def take_pictures(console, tmp_path, name) -> None:
    folder = Path(os.environ.get("WATCHFLOOR_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        console.window.resize(width, height)
        QApplication.processEvents()
        QApplication.processEvents()
        assert console.window.grab().save(str(folder / f"{name}-{width}x{height}.png"))


def click(canvas, x, y) -> None:
    at = canvas.view.to_px((x, y)).toPoint()
    QTest.mouseMove(canvas, at)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)


async def draw(canvas, *points) -> None:
    for point in points:
        await act(click, canvas, *point)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_row_drawn_by_mouse_on_a_live_picture_is_saved_and_in_the_store(start_node, in_room, tmp_path):
    node = start_node(demo=True)

    async def scenario(open_console) -> None:
        console = open_console(node.folder, desk="desk", size=SIZES[0])
        await until(lambda: getattr(console, "window", None) is not None and console.window.panel("bays"), "the panel")
        live, editor = console.room.live, console.window.panel("bays")
        await until(lambda: LOT in live.lot_plans and CAMERA in live.cameras and CAMERA in live.rings, "lot and camera")
        console.window.enlarge_panel("bays", True)
        await until(lambda: editor.lot_id == LOT and editor.canvas.isVisible(), "the lot in the panel")
        await act(take_pictures, console, tmp_path, "bays-plan")
        editor.open_place(CAMERA)
        await until(lambda: editor.canvas.has_picture, "a picture of the camera")

        await act(QTest.keyClick, editor.canvas, "r")
        first = editor.findChild(type(editor.side.row))
        field = next(f for f in first.findChildren(QLineEdit) if f.accessibleName() == "Id of the first bay")
        await act(type_into, field, "31")
        await draw(editor.canvas, (0.2, 0.8), (0.8, 0.8), (0.7, 0.5))
        await act(take_pictures, console, tmp_path, "bays-row")
        await draw(editor.canvas, (0.3, 0.5))
        assert editor.canvas.selected.bay_ids == tuple(str(number) for number in range(31, 41))
        await act(take_pictures, console, tmp_path, "bays-drawn")
        note = next(f for f in editor.findChildren(QLineEdit) if f.accessibleName() == "What was changed, and why")
        await act(type_into, note, "a row at the fence")
        version = live.lot_plans[LOT].version
        await act(press, editor, "save")

        await until(lambda: live.lot_plans[LOT].version == version + 1, "the new version")
        lot = live.lot_plans[LOT]
        assert cameras_of(lot, "35") == (CAMERA,)
        assert len(outlines_at(lot, CAMERA)) == 10
        await until(lambda: not editor.is_dirty, "the saved state")
        with sqlite3.connect(node.folder / "watchfloor.sqlite3") as store:
            stored = store.execute(
                "select number, note from lot_version where lot_id = ? order by number desc", (LOT,)
            ).fetchone()
        assert stored == (version + 1, "a row at the fence")
        editor.side.show_tab("Camera")
        await act(take_pictures, console, tmp_path, "bays-camera")
        editor.side.show_tab("Versions")
        await asyncio.sleep(0.5)
        await act(take_pictures, console, tmp_path, "bays-versions")
        editor.side.show_tab("Lot")
        editor.open_place(MAP)
        await asyncio.sleep(1.0)
        await act(take_pictures, console, tmp_path, "bays-map")
        editor.open_place(CAMERA)
        path = tmp_path / "bays.json"
        path.write_text('[{"points": [[10, 10], [90, 10], [90, 60], [10, 60]]}, {"points": [[1, 1], [2, 2]]}]')
        editor.import_file(path)
        await until(lambda: not editor.side.imports.is_working, "what the file holds")
        await act(take_pictures, console, tmp_path, "bays-import")

    in_room(scenario)
