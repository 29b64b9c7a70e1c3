"""The bay editor on a lot of one row, used by mouse and keyboard as an operator does."""

import json
import os
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QListWidget, QSpinBox, QTableView

from core.kernel.geo import GeoPoint
from core.parking.drawing import cameras_of, outlines_at
from core.parking.formats.own import lot_json
from core.parking.model import Bay, BayKind, BayView, LineGate, Lot, LotVersion
from core.parking.plans import on_ground
from widgets.parking.editor import MAP, BayEditor
from widgets.parking.gates_form import CameraLine

BOX = ((0.0, 0.0), (2.5, 0.0), (2.5, 5.0), (0.0, 5.0))
LEFT = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.4), (0.1, 0.4))
NORTH = Lot(
    lot_id="north",
    name="North",
    position=GeoPoint(51.05, 13.74),
    bays=(Bay(bay_id="A1", outline=BOX), Bay(bay_id="A2")),
    views=(BayView(camera_id="mast", outlines={"A1": LEFT}),),
    version=3,
)
SOUTH = Lot(lot_id="south", name="South", version=1)
CAMERAS = {"mast": "Mast", "gate": "Gate"}
SHIFT, CONTROL, NONE = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.NoModifier,
)


@dataclass
class Desk:
    """The editor, and what an operator does with it."""

    editor: BayEditor
    bot: Any
    saves: list[tuple[Lot, str]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    @property
    def canvas(self):
        return self.editor.canvas

    @property
    def lot(self) -> Lot:
        return self.editor.document.sketch

    @property
    def selected(self) -> tuple[str, ...]:
        return self.canvas.selected.bay_ids

    def outline(self, bay_id: str):
        return outlines_at(self.lot, self.editor.camera_id)[bay_id]

    def at(self, x: float, y: float) -> QPoint:
        return self.canvas.view.to_px((x, y)).toPoint()

    def click(self, *points: tuple[float, float], modifier=NONE) -> None:
        for x, y in points:
            QTest.mouseMove(self.canvas, self.at(x, y))
            QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, modifier, self.at(x, y))

    def drag(self, start, end, modifier=NONE) -> None:
        left = Qt.MouseButton.LeftButton
        first, last = self.at(*start), self.at(*end)
        QTest.mousePress(self.canvas, left, modifier, first)
        QTest.mouseMove(self.canvas, (first + last) / 2)
        QTest.mouseMove(self.canvas, last)
        QTest.mouseRelease(self.canvas, left, modifier, last)

    def keys(self, *keys: Any, modifier=NONE) -> None:
        for key in keys:
            QTest.keyClick(self.canvas, key, modifier)

    def undo(self) -> None:
        self.keys(Qt.Key.Key_Z, modifier=CONTROL)

    def named(self, kind: type, name: str):
        return next(child for child in self.editor.findChildren(kind) if child.accessibleName() == name)

    def type_in(self, name: str, text: str, kind: type = QLineEdit) -> None:
        """Replace the text of a field and leave it with Enter."""
        edit = self.named(kind, name)
        edit.setFocus()
        edit.selectAll()
        QTest.keyClicks(edit, text)
        QTest.keyClick(edit, Qt.Key.Key_Return)

    def button(self, words: str) -> QAbstractButton:
        shown = [button for button in self.editor.findChildren(QAbstractButton) if button.isVisible()]
        exact = [button for button in shown if button.text() == words]
        return (exact or [b for b in shown if words.lower() in f"{b.text()} {b.accessibleName()}".lower()])[0]

    def press(self, words: str) -> None:
        button = self.button(words)
        assert button.isEnabled(), f"{words!r} is disabled"
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, name: str, words: str) -> None:
        box = self.named(QComboBox, name)
        box.setCurrentText(words)
        box.activated.emit(box.currentIndex())

    def tab(self, title: str) -> None:
        self.editor.side.show_tab(title)

    def save(self) -> Lot:
        """Save, and answer as the node does."""
        self.keys(Qt.Key.Key_S, modifier=CONTROL)
        lot, _ = self.saves[-1]
        stored = replace(lot, version=lot.version + 1)
        self.editor.show_saved(stored)
        return stored

    def drop(self, path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        copy = Qt.DropAction.CopyAction
        self.editor.dropEvent(QDropEvent(QPointF(9, 9), copy, data, Qt.MouseButton.LeftButton, NONE))
        self.bot.waitUntil(lambda: not self.editor.side.imports.is_working)

    @property
    def said(self) -> str:
        return self.editor.notice.text


@pytest.fixture
def desk(qtbot):
    editor = BayEditor()
    qtbot.addWidget(editor)
    editor.resize(1280, 720)
    made = Desk(editor, qtbot)
    editor.save_requested.connect(lambda *args: made.saves.append(args))
    for signal in (editor.version_requested, editor.calibrate_requested, editor.removal_requested, editor.told):
        signal.connect(lambda *args: made.asked.append(args if len(args) > 1 else args[0]))
    editor.show()
    qtbot.waitExposed(editor)
    editor.set_may_edit(True)
    editor.show_cameras(CAMERAS)
    editor.show_lots({"north": NORTH, "south": SOUTH}, {"parking/east": "East"})
    editor.open_lot("north")
    made.canvas.setFocus()
    return made


@pytest.fixture
def at_mast(desk):
    image = QImage(640, 360, QImage.Format.Format_RGB32)
    image.fill(QColor(60, 70, 60))
    desk.editor.open_place("mast")
    desk.editor.show_picture("mast", image)
    return desk


def near(point, wanted, by=0.01):
    return abs(point[0] - wanted[0]) < by and abs(point[1] - wanted[1]) < by


# -- drawing


def test_a_row_on_the_plan_is_two_corners_and_a_side(desk):
    desk.keys("r")
    desk.named(QSpinBox, "Bays in the row").setValue(4)
    desk.canvas.setFocus()

    desk.click((5, 10), (15, 10), (10, 12))

    assert desk.selected == ("A3", "A4", "A5", "A6")
    assert near(desk.outline("A3")[0], (5, 10), by=0.2)
    assert near(desk.outline("A6")[2], (15, 15), by=0.2)


def test_the_side_of_a_row_is_where_the_pointer_is(desk):
    desk.keys("r")

    desk.click((5, 10), (15, 10), (10, 7))

    assert min(y for _, y in desk.outline("A3")) == pytest.approx(5.0, abs=0.2)


def test_a_row_on_a_picture_takes_two_corners_of_its_back_and_looks_in_perspective(at_mast):
    at_mast.keys("r")
    at_mast.named(QSpinBox, "Bays in the row").setValue(5)
    at_mast.canvas.setFocus()

    at_mast.click((0.1, 0.9), (0.9, 0.9), (0.6, 0.5), (0.4, 0.5))

    assert len(at_mast.selected) == 5
    assert near(at_mast.outline("A3")[0], (0.1, 0.9))
    assert cameras_of(at_mast.lot, "A3") == ("mast",)


def test_a_row_whose_ids_are_drawn_here_is_refused_and_says_which(desk):
    desk.keys("r")
    desk.type_in("Id of the first bay", "A1")
    desk.canvas.setFocus()

    desk.click((5, 10), (15, 10), (10, 12))

    assert "A1 is drawn here already" in desk.said
    assert desk.lot == replace(NORTH, version=0)


def test_a_row_is_drawn_by_keyboard_only(desk):
    desk.keys("r", Qt.Key.Key_Space)
    desk.keys(*[Qt.Key.Key_Right] * 10)
    desk.keys(Qt.Key.Key_Space, Qt.Key.Key_Return)

    assert len(desk.selected) == 10


def test_a_bay_is_drawn_corner_by_corner_for_the_chosen_bay_that_is_not_here_yet(at_mast):
    table = at_mast.named(QTableView, "Bays of the lot")
    table.selectRow(1)

    at_mast.keys("b")
    at_mast.click((0.5, 0.5), (0.7, 0.5), (0.7, 0.8), (0.5, 0.8))
    at_mast.keys(Qt.Key.Key_Return)

    assert cameras_of(at_mast.lot, "A2") == ("mast",)
    assert [bay.bay_id for bay in at_mast.lot.bays] == ["A1", "A2"]


def test_a_corner_is_dragged_and_one_undo_takes_the_whole_drag_back(at_mast):
    at_mast.click((0.2, 0.2))

    at_mast.drag((0.3, 0.4), (0.4, 0.5))

    assert near(at_mast.outline("A1")[2], (0.4, 0.5))
    at_mast.undo()
    assert at_mast.outline("A1") == LEFT


def test_arrows_move_a_bay_and_a_picture_ends_at_its_border(at_mast):
    at_mast.keys(Qt.Key.Key_PageDown)
    at_mast.keys(*[Qt.Key.Key_Left] * 4, modifier=SHIFT)

    assert min(x for x, _ in at_mast.outline("A1")) == 0.0
    assert max(x for x, _ in at_mast.outline("A1")) == pytest.approx(0.2)


def test_delete_takes_a_bay_off_the_picture_and_shift_delete_out_of_the_lot(at_mast):
    at_mast.click((0.2, 0.2))
    at_mast.keys(Qt.Key.Key_Delete)

    assert cameras_of(at_mast.lot, "A1") == ()
    assert at_mast.lot.bays[0].outline == BOX
    at_mast.undo()
    at_mast.click((0.2, 0.2))
    at_mast.keys(Qt.Key.Key_Delete, modifier=SHIFT)
    assert [bay.bay_id for bay in at_mast.lot.bays] == ["A2"]


def test_a_duplicate_stands_beside_with_an_id_of_its_own(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")

    assert desk.selected == ("A3",)
    assert desk.outline("A3")[0] == (2.5, 0.0)


def test_several_bays_are_chosen_with_a_rectangle_and_set_together(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")
    desk.drag((-3, -3), (8, 8), modifier=SHIFT)

    desk.choose("Kind of the bay", "EV charging")

    kinds = {bay.bay_id: bay.kind for bay in desk.lot.bays}
    assert kinds == {"A1": BayKind.EV, "A2": BayKind.STANDARD, "A3": BayKind.EV}


def test_chosen_bays_are_numbered_along_their_row(desk):
    desk.keys("r")
    desk.click((5, 10), (15, 10), (10, 12))
    desk.type_in("Id of the first one", "B08")

    assert desk.selected[0] == "B08"
    assert desk.selected[-1] == "B17"
    assert near(desk.outline("B08")[0], (5, 10), by=0.2)


def test_another_id_goes_to_every_picture_and_a_taken_one_is_refused(desk):
    desk.keys(Qt.Key.Key_PageDown)
    desk.type_in("Id of the bay", "A2")

    assert "has a bay A2 already" in desk.said
    desk.type_in("Id of the bay", "B1")
    assert cameras_of(desk.lot, "B1") == ("mast",)


def test_a_lane_of_a_picture_is_drawn_and_named(at_mast):
    at_mast.keys("a")
    at_mast.click((0.1, 0.6), (0.9, 0.6), (0.9, 0.8), (0.1, 0.8))
    at_mast.keys(Qt.Key.Key_Return)
    at_mast.type_in("Name of the lane", "Fire lane")

    assert list(at_mast.lot.views[0].lanes) == ["Fire lane"]


def test_the_list_says_who_sees_a_bay_and_which_bays_nobody_sees(desk):
    model = desk.named(QTableView, "Bays of the lot").model()
    cells = [[model.index(row, column).data() for column in (0, 3)] for row in range(model.rowCount())]

    assert cells == [["A1", "Mast"], ["A2", "nobody"]]
    desk.choose("Which bays are listed", "Seen by no camera")
    assert model.rowCount() == 1


def test_bays_of_a_garage_are_drawn_on_the_level_that_is_shown(desk):
    desk.tab("Lot")
    desk.press("Add one below")
    desk.choose("Level", "Basement 1")
    desk.canvas.setFocus()
    desk.keys("r")
    desk.click((5, 10), (15, 10), (10, 12))

    assert {bay.level for bay in desk.lot.bays if bay.bay_id in desk.selected} == {-1}
    desk.choose("Level", "Ground")
    assert [shape.name for shape in desk.canvas._shapes] == ["A1"]
    assert [level.number for level in desk.lot.levels] == [-1, 0]


# -- the map


def test_on_the_map_a_row_lies_where_it_was_drawn(desk):
    desk.editor.open_place(MAP)
    desk.tab("Lot")
    desk.named(QLineEdit, "Latitude, longitude of the plan's origin")
    desk.keys("r")

    desk.click((5, 10), (15, 10), (10, 12))

    place = on_ground(desk.lot.bays[-1].outline[1], desk.lot.position, desk.lot.bearing_deg)
    assert place.lon_deg > 13.74
    assert near(desk.lot.bays[-1].outline[1], (15, 10), by=0.3)


def test_a_lot_without_a_place_gets_it_by_the_first_row_on_the_map(desk):
    desk.editor.set_home(GeoPoint(50.0, 10.0))
    desk.editor.open_lot("south")
    desk.editor.open_place(MAP)
    desk.keys("r")

    desk.click((10, 0), (10, -20), (14, -10))

    assert desk.lot.position is not None
    assert desk.lot.position.lat_deg == pytest.approx(50.0, abs=1e-4)
    assert desk.lot.bearing_deg == pytest.approx(90.0, abs=2.0)
    assert near(desk.lot.bays[0].outline[0], (0, 0), by=0.01)


# -- saving


def test_a_save_names_the_version_it_began_on_and_carries_the_note(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")
    desk.type_in("What was changed, and why", "new paint")

    (lot, note) = desk.saves[0]
    assert (lot.version, note) == (3, "new paint")
    assert [bay.bay_id for bay in lot.bays] == ["A1", "A2", "A3"]


def test_after_a_save_nothing_is_left_to_save_and_undo_still_goes_back(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")
    desk.save()

    assert not desk.editor.is_dirty
    desk.undo()
    assert desk.editor.is_dirty


def test_a_camera_whose_first_bays_were_saved_is_listed_as_one_that_sees_the_lot(desk):
    place = desk.named(QComboBox, "Where to draw")
    desk.editor.open_lot("south")
    camera_id = next(key for key in CAMERAS if all(view.camera_id != key for view in desk.lot.views))
    desk.editor.open_place(camera_id)
    desk.editor.show_picture(camera_id, QImage(640, 360, QImage.Format.Format_RGB32))
    desk.keys("b")
    desk.click((0.2, 0.2), (0.4, 0.2), (0.4, 0.4))
    desk.keys(Qt.Key.Key_Return)
    assert "(sees it)" not in place.currentText()

    desk.save()

    assert place.currentText() == f"Camera {CAMERAS[camera_id]} (sees it)"


def test_whoever_was_slower_is_asked_and_may_load_theirs_and_still_go_back(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")
    theirs = replace(NORTH, name="Theirs", version=4)

    desk.editor.show_lots({"north": theirs, "south": SOUTH}, {})

    assert "changed at another desk" in desk.said
    desk.press("Load theirs")
    assert desk.lot.name == "Theirs"
    desk.undo()
    assert [bay.bay_id for bay in desk.lot.bays] == ["A1", "A2", "A3"]


def test_whoever_was_slower_may_overwrite(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")
    desk.keys(Qt.Key.Key_S, modifier=CONTROL)
    desk.editor.show_stale("dana changed North meanwhile.")
    desk.editor._lots["north"] = replace(NORTH, name="Theirs", version=4)

    desk.press("Overwrite with mine")

    assert desk.saves[-1][0].version == 4
    assert len(desk.saves[-1][0].bays) == 3


def test_a_calibration_that_was_measured_meanwhile_disturbs_nobody(at_mast):
    at_mast.click((0.2, 0.2))
    at_mast.keys("d")
    measured = replace(NORTH.views[0], rate=0.994, calibrated_at=datetime(2026, 11, 22, tzinfo=UTC))

    at_mast.editor.show_lots({"north": replace(NORTH, views=(measured,), version=4)}, {})

    assert at_mast.said == ""
    assert at_mast.lot.views[0].rate == 0.994
    assert len(at_mast.lot.bays) == 3


def test_a_node_that_is_gone_costs_nothing_drawn(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")
    desk.keys(Qt.Key.Key_S, modifier=CONTROL)

    desk.editor.show_refused("The node is gone.", "It is looked for.")

    assert desk.said == "The node is gone. It is looked for."
    assert desk.editor.is_dirty
    assert desk.button("Save").isEnabled()


def test_a_removed_lot_that_is_being_drawn_can_be_saved_anew(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")

    desk.editor.show_lots({"south": SOUTH}, {})

    assert "was removed. What you drew is not saved." in desk.said
    desk.press("Save it as a new lot")
    assert desk.saves[-1][0].version == 0


def test_an_outline_that_crosses_itself_is_not_sent(desk):
    desk.keys(Qt.Key.Key_PageDown)
    desk.drag((2.5, 5.0), (-2.0, 2.0))
    desk.keys(Qt.Key.Key_S, modifier=CONTROL)

    assert "Bay A1 on the plan crosses itself." in desk.said
    assert desk.saves == []


def test_another_lot_asks_for_what_is_not_saved(desk):
    desk.keys(Qt.Key.Key_PageDown, "d")

    desk.editor.open_lot("south")

    assert desk.editor.lot_id == "north"
    desk.press("Discard them")
    assert desk.editor.lot_id == "south"


def test_a_counting_line_of_a_camera_becomes_a_gate_and_is_turned_round(desk):
    line = CameraLine(
        camera_id="c9",
        camera_name="Barrier",
        line_key="l1",
        line_name="Entry",
        forward_name="to the city",
        backward_name="to the lot",
    )
    desk.editor.side.lot.gates.show_lines([line])
    desk.tab("Lot")
    desk.choose("Add a camera's line as a gate", "Barrier: Entry")
    assert desk.lot.gates == (LineGate(camera_id="c9", line_key="l1"),)

    desk.choose("Way into the lot over Barrier: Entry", "in: to the lot")
    assert desk.lot.gates == (LineGate(camera_id="c9", line_key="l1", is_entry_forward=False),)
    assert desk.save().gates == desk.lot.gates
    desk.press("Take the gate Barrier: Entry away")
    assert desk.lot.gates == ()
    desk.undo()
    assert len(desk.lot.gates) == 1


def test_what_a_save_brought_about_is_said_and_stays_in_the_form(desk):
    old = "Bays that are not drawn in North are spoken of: X9 (4 messages). Draw them, or correct the device."
    shared = "parking/gw is named in North and South, which have the same bays A1: it counts in none. Name it in one."
    desk.editor.show_faults({"north": (old,)})
    assert desk.said == ""

    desk.tab("Lot")
    desk.type_in("Devices of the lot", "parking/gw")
    desk.save()
    desk.editor.show_faults({"north": (old,)})
    assert desk.said == ""
    desk.editor.show_faults({"north": (old, shared)})

    assert desk.said == f"Saved. {shared}"
    assert shared in desk.named(QLabel, "What cannot be right about the lot").text()


def test_an_old_version_is_looked_at_and_restored(desk):
    at = datetime(2026, 11, 22, tzinfo=UTC)
    listed = [LotVersion(lot_id="north", number=n, at=at, actor="dana", note="") for n in (3, 2)]
    desk.editor.show_versions("north", listed)
    desk.tab("Versions")
    desk.named(QListWidget, "Versions of this lot").setCurrentRow(1)

    desk.press("Look at it")
    assert desk.asked[-1] == ("north", 2)
    desk.editor.show_version("north", 2, replace(NORTH, bays=(NORTH.bays[0],), version=2))
    assert "You look at version 2" in desk.said
    desk.press("Restore it")

    assert desk.saves[-1] == (replace(NORTH, bays=(NORTH.bays[0],), version=3), "Restored from version 2.")


def test_a_new_lot_is_named_and_saved_with_the_first_version(desk):
    desk.press("A new lot")
    desk.type_in("Name of the new lot", "West Field")

    assert desk.editor.lot_id == "west-field"
    desk.keys("r")
    desk.click((5, 10), (15, 10), (10, 12))
    assert desk.save().version == 1
    assert desk.editor.lot_id == "west-field"


def test_a_lot_that_reports_counts_can_be_drawn_under_its_own_id(desk):
    desk.press("A new lot")
    desk.choose("Lot that reports counts already", "East")
    desk.press("Begin to draw")

    assert desk.editor.lot_id == "parking/east"


# -- files


def test_a_dropped_file_says_what_it_holds_and_is_taken_as_one_step(at_mast, tmp_path):
    at_mast.editor.show_sizes({"mast": (1280, 720)})
    path = tmp_path / "bays.json"
    good = {"points": [[300, 200], [380, 200], [380, 300], [300, 300]]}
    crossing = {"points": [[0, 0], [80, 80], [80, 0], [0, 80]]}
    path.write_text(json.dumps([good, crossing]))

    at_mast.drop(path)

    said = at_mast.named(QLabel, "What the file holds").text()
    assert said.startswith("bays.json is ultralytics' parking JSON: 1 bay can be used, 1 cannot.")
    assert "check width and height" in said
    reasons = at_mast.named(QTableView, "Outlines that are left out").model()
    assert [reasons.index(0, column).data() for column in (0, 1)] == ["Its outline crosses itself.", "2"]
    assert at_mast.lot == replace(NORTH, version=0)
    at_mast.press("Take 1 bay")
    assert at_mast.outline("1")[0] == pytest.approx((300 / 1280, 200 / 720), abs=1e-5)
    at_mast.undo()
    assert at_mast.lot == replace(NORTH, version=0)


def test_the_wrong_file_is_named_and_nothing_can_be_taken(at_mast, tmp_path):
    path = tmp_path / "lot.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0")

    at_mast.drop(path)

    assert at_mast.named(QLabel, "What the file holds").text().startswith("lot.jpg is a JPEG picture")
    assert not at_mast.editor.side.imports._take.isVisible()


def test_while_a_large_file_is_read_the_room_goes_on_and_a_second_choice_wins(at_mast, tmp_path):
    slow, quick = tmp_path / "slow.json", tmp_path / "quick.json"
    os.mkfifo(slow)
    quick.write_text(json.dumps([{"points": [[300, 200], [380, 200], [380, 300], [300, 300]]}]))
    said = at_mast.named(QLabel, "What the file holds")

    at_mast.editor.import_file(slow)

    assert said.text() == "Reading slow.json …"
    assert not at_mast.editor.side.imports._take.isVisible()
    at_mast.drop(quick)
    # Only now its reading comes to an end.
    slow.write_text(json.dumps([{"points": [[1, 1], [2, 2]]}]))
    at_mast.bot.waitUntil(lambda: not any(one.name == "bays of a file" for one in threading.enumerate()))
    QCoreApplication.processEvents()
    assert said.text().startswith("quick.json is ultralytics' parking JSON: 1 bay can be used.")


def test_bays_of_a_picture_are_not_put_onto_the_plan(desk, tmp_path):
    path = tmp_path / "bays.json"
    path.write_text(json.dumps([{"points": [[300, 200], [380, 200], [380, 300]]}]))

    desk.drop(path)

    assert "show the camera that took it first" in desk.named(QLabel, "What the file holds").text()
    assert not desk.button("Take 1 bay").isEnabled()


def test_an_exported_lot_is_taken_into_another_one(desk, tmp_path):
    path = tmp_path / "north.json"
    desk.editor.export_file(path)
    desk.editor.open_lot("south")

    desk.drop(path)
    desk.press("Take 2 bays")

    assert desk.lot.bays == NORTH.bays
    assert desk.lot.views == NORTH.views
    assert json.loads(path.read_text()) == json.loads(lot_json(replace(NORTH, version=0)))


# -- copying by four points


def test_the_plan_is_copied_to_a_camera_by_four_pairs(desk):
    desk.editor._begin_carry()
    desk.choose("Place to copy to", "Gate")
    desk.click((0, 0), (20, 0), (20, 15), (0, 15))
    desk.press("Points there")
    desk.click((0.2, 0.8), (0.8, 0.8), (0.7, 0.3), (0.3, 0.3))

    desk.press("Copy")

    assert desk.editor.camera_id == "gate"
    assert cameras_of(desk.lot, "A1") == ("mast", "gate")
    assert near(desk.outline("A1")[0], (0.2, 0.8))


def test_points_on_one_line_say_so(desk):
    desk.editor._begin_carry()
    desk.choose("Place to copy to", "Gate")
    desk.click((0, 0), (5, 0), (10, 0), (0, 15))
    desk.press("Points there")
    desk.click((0.2, 0.8), (0.8, 0.8), (0.7, 0.3), (0.3, 0.3))

    desk.press("Copy")

    assert "on one line" in desk.editor.side.carry._said.text()
    assert desk.lot == replace(NORTH, version=0)


# -- calibration and roles


def test_a_view_says_how_it_is_looked_at_and_asks_for_a_calibration(at_mast):
    at_mast.tab("Camera")
    at_mast.press("Calibrate")

    assert ("north", "mast") in at_mast.asked
    at_mast.editor.show_calibration("north", "40%: the detector", True)
    assert at_mast.named(QLabel, "What the calibration says").text() == "40%: the detector"
    assert at_mast.button("Stop").isVisible()
    at_mast.editor.show_calibration("north", "No picture of this camera came yet.", False)
    assert at_mast.button("Calibrate").isEnabled()


def test_a_view_says_what_it_cannot_tell_and_only_of_its_own_camera(at_mast):
    at_mast.tab("Camera")
    said = at_mast.named(QLabel, "What this camera cannot tell now")

    at_mast.editor.side.view.show_notes({"mast": "The lane Aisle is watched where it was seen clear: 40% so far."})
    assert said.isVisible()
    assert "40%" in said.text()
    at_mast.editor.side.view.show_notes({"mast": "", "other": "The picture is black."})
    assert not said.isVisible()


def test_what_is_not_saved_is_not_calibrated(at_mast):
    at_mast.click((0.2, 0.2))
    at_mast.keys("d")
    at_mast.tab("Camera")

    assert not at_mast.button("Calibrate").isEnabled()
    assert "Save first" in at_mast.editor.side.view._why.text()


def test_a_viewer_looks_and_changes_nothing(at_mast):
    at_mast.editor.set_may_edit(False)

    at_mast.drag((0.2, 0.2), (0.5, 0.5))
    at_mast.keys(Qt.Key.Key_Delete, "b")

    assert at_mast.lot == replace(NORTH, version=0)
    assert at_mast.selected == ("A1",)
    assert not at_mast.button("Save").isEnabled()
    assert not at_mast.button("A new lot").isEnabled()
