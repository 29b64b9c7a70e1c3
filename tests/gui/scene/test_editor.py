"""What is drawn is saved once, seen by others, copied, read from files and brought back; nothing is lost in silence."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QLabel, QLineEdit, QListWidget

from core.cameras.model import Camera, SceneVersion
from core.vision.dry_run_model import DryCall, DryRun, Raised
from core.vision.model import Lane, Mask, ObservationKind, PlanePoint, RoadPlane, RuleSetting, Scene
from core.vision.scene_file import read_scene
from core.vision.tuning import RULES
from tests.gui.scene.conftest import GATE, LINE, RING, SQUARE, ZONE
from widgets.scene.canvas import SceneCanvas

Key = Qt.Key
OTHER = Scene(
    zones=(replace(ZONE, name="Other"),),
    lanes=(Lane(key="lane-1", name="Lane", polygon=SQUARE, start=(0.4, 0.2), end=(0.4, 0.6)),),
    masks=(Mask(key="mask", name="Window", polygon=SQUARE),),
    plane=RoadPlane(points=tuple(PlanePoint(picture=p, ground_xy_m=(p[0] * 9, p[1] * 30)) for p in SQUARE)),
    rules=(RuleSetting(kind="wrong_way", is_enabled=False),),
)


def move_the_zone(desk):
    desk.keys(Key.Key_Escape, Key.Key_PageDown, Key.Key_Down)


def state(desk):
    return next(label.text() for label in desk.editor.findChildren(QLabel) if "aved" in label.text() and label.text())


def test_a_change_is_marked_saved_with_its_note_and_then_is_not_marked_any_more(desk):
    assert not desk.is_offered("Save")
    move_the_zone(desk)
    assert "Not saved" in state(desk)
    note = desk.named(QLineEdit, "What was changed, and why")
    QTest.keyClicks(note, "zone lower")
    desk.press("Save")

    camera_id, scene, version, said = desk.saves[0]
    assert (camera_id, version, said) == ("ring", 3, "zone lower")
    assert scene.zones[0].polygon[0][1] == pytest.approx(0.21)
    desk.answer(scene, 4)
    assert "Not" not in state(desk)
    assert not desk.is_offered("Save")
    assert note.text() == ""


def test_the_save_button_waits_for_the_answer(desk):
    move_the_zone(desk)
    desk.press("Save")
    desk.keys(Key.Key_S, modifier=Qt.KeyboardModifier.ControlModifier)

    assert len(desk.saves) == 1


def test_what_the_node_refuses_is_said_and_stays_unsaved(desk):
    move_the_zone(desk)
    desk.press("Save")
    desk.editor.show_refused("Zone Junction has no area.", "Draw it larger.")

    assert desk.editor.notice.text == "Zone Junction has no area. Draw it larger."
    assert desk.is_offered("Save")


def test_another_desk_changed_the_scene_meanwhile_and_theirs_is_loaded(desk):
    move_the_zone(desk)
    desk.editor.show_cameras((replace(RING, scene=OTHER, version=4), GATE))
    assert "another desk" in desk.editor.notice.text
    desk.press("Load theirs")

    assert [zone.name for zone in desk.sketch.zones] == ["Other"]
    assert not desk.editor.is_dirty
    desk.press("Undo")
    assert [zone.name for zone in desk.sketch.zones] == ["Junction"]


def test_a_save_that_came_too_late_can_overwrite_what_others_drew(desk):
    move_the_zone(desk)
    desk.press("Save")
    desk.editor.show_cameras((replace(RING, scene=OTHER, version=4), GATE))
    desk.editor.show_stale("Camera Ring was changed by someone else meanwhile.")
    desk.press("Overwrite with mine")

    camera_id, scene, version, _ = desk.saves[-1]
    assert (camera_id, version) == ("ring", 4)
    assert scene.zones[0].name == "Junction"


def test_a_change_of_the_cameras_other_settings_is_no_conflict(desk):
    move_the_zone(desk)
    desk.editor.show_cameras((replace(RING, name="Ring North", version=9), GATE))
    assert desk.editor.notice.text == ""
    desk.press("Save")

    assert desk.saves[0][2] == 9


def test_an_unchanged_scene_follows_what_others_save(desk):
    desk.editor.show_cameras((replace(RING, scene=OTHER, version=4), GATE))

    assert [zone.name for zone in desk.sketch.zones] == ["Other"]
    assert not desk.editor.is_dirty


def test_leaving_a_camera_asks_for_what_is_not_saved_without_a_box(desk):
    move_the_zone(desk)
    desk.editor.open_camera("gate")
    assert "not saved" in desk.editor.notice.text
    assert desk.editor.camera_id == "ring"
    desk.press("Save them")
    desk.answer(desk.saves[0][1], 4)

    assert desk.editor.camera_id == "gate"


def test_where_nothing_is_left_to_save_the_editor_goes_on_at_once_and_not_after_a_later_save(desk):
    move_the_zone(desk)
    desk.editor.open_camera("gate")
    desk.editor.document.stack.undo()
    desk.press("Save them")

    assert desk.saves == []
    assert desk.editor.camera_id == "gate"


def test_who_may_not_edit_starts_no_save_and_goes_nowhere_after_a_later_one(desk):
    move_the_zone(desk)
    closed = []
    desk.editor.set_may_edit(False)
    desk.editor._save_then(lambda: closed.append(True))
    desk.editor.set_may_edit(True)
    desk.keys(Key.Key_S, modifier=Qt.KeyboardModifier.ControlModifier)
    desk.answer(desk.saves[0][1], 4)

    assert closed == []


def test_what_is_not_saved_can_be_discarded_or_kept_when_leaving(desk):
    move_the_zone(desk)
    desk.editor.open_camera("gate")
    desk.press("Stay here")
    assert desk.editor.camera_id == "ring"
    assert desk.editor.is_dirty
    desk.editor.open_camera("gate")
    desk.press("Discard them")

    assert desk.editor.camera_id == "gate"
    assert not desk.editor.is_dirty


def test_a_selection_elsewhere_does_not_take_unsaved_work_away(desk):
    move_the_zone(desk)
    desk.editor.follow("gate")
    assert desk.editor.camera_id == "ring"
    desk.press("Discard")
    desk.editor.follow("gate")

    assert desk.editor.camera_id == "gate"


def test_what_was_discarded_comes_back_with_undo(desk):
    move_the_zone(desk)
    moved = desk.sketch
    desk.press("Discard")
    assert not desk.editor.is_dirty
    desk.press("Undo")

    assert desk.sketch == moved


def test_a_removed_camera_closes_its_scene(desk):
    desk.editor.show_cameras((GATE,))

    assert desk.editor.camera_id == ""
    assert "was removed" in desk.editor.notice.text
    assert desk.sketch.zones == ()


def test_settings_of_a_zone_are_typed_and_typing_is_one_step_back(desk):
    desk.keys(Key.Key_PageDown)
    name = desk.named(QLineEdit, "Name")
    name.selectAll()
    QTest.keyClicks(name, "Crossing")
    stopped = desk.named(QAbstractSpinBox, "Stopped after")
    stopped.selectAll()
    QTest.keyClicks(stopped, "30")
    desk.named(QCheckBox, "Counts bus").click()
    zone = desk.sketch.zones[0]

    assert (zone.name, zone.stopped_after_s, zone.labels) == ("Crossing", 30.0, ("bus",))
    desk.press("Undo")
    desk.press("Undo")
    desk.press("Undo")
    assert desk.sketch.zones[0] == ZONE


def test_a_zone_that_is_far_away_can_be_looked_at_more_closely(desk):
    desk.keys(Key.Key_PageDown)
    box = next(box for box in desk.editor.findChildren(QCheckBox) if box.text().startswith("Look closer"))
    assert not box.isChecked()
    box.click()
    desk.save()
    _, scene, _, _ = desk.saves[-1]

    assert [zone.detail for zone in scene.zones] == [True]
    assert box.isChecked()


def test_a_zone_shows_its_settings_and_a_line_its_own(desk):
    desk.keys(Key.Key_PageDown)
    assert desk.named(QAbstractSpinBox, "Stopped after").isVisible()
    desk.keys(Key.Key_PageDown)

    assert not desk.named(QAbstractSpinBox, "Stopped after").isVisible()
    assert desk.named(QLineEdit, "Name of the arrow's direction").text() == "in"


def test_the_list_and_the_picture_select_the_same(desk):
    listed = desk.named(QListWidget, "What is drawn")
    listed.setCurrentRow(1)
    assert desk.canvas.selected.ref.key == LINE.key
    desk.click((0.4, 0.4))

    assert listed.currentItem().text() == "Zone: Junction"


def test_a_rule_is_tuned_marked_and_set_back(desk):
    desk.editor.side.show_tab("Rules")
    hold = desk.named(QAbstractSpinBox, "Wrong way: For at least")
    hold.selectAll()
    QTest.keyClicks(hold, "4")
    assert desk.sketch.rules == (RuleSetting(kind="wrong_way", values={"hold_s": 4.0}),)
    assert any("●" in label.text() for label in desk.editor.side.rules.findChildren(QLabel))
    desk.press("Wrong way: back to the defaults")

    assert desk.sketch.rules == ()
    assert not desk.editor.is_dirty
    assert not any("●" in label.text() for label in desk.editor.side.rules.findChildren(QLabel))


def test_switching_a_rule_off_and_on_again_says_nothing(desk):
    desk.editor.side.show_tab("Rules")
    box = next(b for b in desk.editor.side.rules.findChildren(QCheckBox) if b.text().startswith("Wrong way"))
    box.click()
    assert desk.sketch.rules == (RuleSetting(kind="wrong_way", is_enabled=False),)
    assert "●" in box.text()
    box.click()

    assert desk.sketch.rules == ()


def test_every_rule_and_figure_has_its_field_within_its_bounds(desk):
    for info in RULES:
        for figure in info.figures:
            field = desk.named(QAbstractSpinBox, f"{info.title}: {figure.title}")
            assert (field.minimum(), field.maximum()) == (figure.low, figure.high)
            assert field.value() == pytest.approx(figure.default)


def test_shapes_of_another_camera_are_copied_under_keys_of_their_own(desk):
    desk.editor.show_cameras((RING, replace(GATE, scene=OTHER, version=2)))
    desk.editor._on_copy_wanted()
    desk.press("Copy")

    assert [zone.key for zone in desk.sketch.zones] == ["zone-1", "zone-1-2"]
    assert [shape.key for shape in (*desk.sketch.lanes, *desk.sketch.masks)] == ["lane-1", "mask"]
    assert desk.sketch.road == ()
    assert desk.sketch.rules == ()
    assert any("1 zone, 1 lane, 1 mask" in str(told) and "1 got a key" in str(told) for told in desk.asked)
    desk.press("Undo")
    assert not desk.editor.is_dirty


def test_road_points_and_rules_are_copied_when_they_are_asked_for(desk):
    desk.editor.show_cameras((RING, replace(GATE, scene=OTHER, version=2)))
    desk.editor._on_copy_wanted()
    boxes = {box.text(): box for box in desk.editor.side.copy.findChildren(QCheckBox)}
    assert not boxes["0 lines" if "0 lines" in boxes else "No lines"].isEnabled()
    for text, box in boxes.items():
        box.setChecked(text in ("4 road points", "1 rule"))
    desk.press("Copy")

    assert len(desk.sketch.road) == 4
    assert desk.sketch.rules == OTHER.rules
    assert desk.sketch.zones == (ZONE,)


VERSIONS = tuple(
    SceneVersion(camera_id="ring", number=n, at=datetime(2026, 3, n, 8, 0, tzinfo=UTC), actor="dana", note=f"note {n}")
    for n in (3, 2, 1)
)


def test_versions_are_listed_with_author_time_and_note(desk):
    desk.editor.side.show_tab("Versions")
    desk.editor.show_versions("ring", VERSIONS)
    listed = desk.named(QListWidget, "Versions of this scene")

    assert listed.item(0).text().startswith("3  (now)  dana, 2026-03-03")
    assert "note 3" in listed.item(0).text()


def test_an_old_version_is_looked_at_without_changing_anything(desk):
    move_the_zone(desk)
    mine = desk.sketch
    desk.editor.side.show_tab("Versions")
    desk.editor.show_versions("ring", VERSIONS)
    desk.named(QListWidget, "Versions of this scene").setCurrentRow(1)
    desk.press("Look at it")
    assert ("ring", 2) in desk.asked
    desk.editor.show_version("ring", 2, OTHER)

    assert not desk.is_offered("Draw a zone")
    assert desk.sketch == mine
    desk.press("Back to now")
    assert desk.is_offered("Draw a zone")


def test_an_old_version_is_restored_as_a_new_one(desk):
    desk.editor.side.show_tab("Versions")
    desk.editor.show_versions("ring", VERSIONS)
    desk.named(QListWidget, "Versions of this scene").setCurrentRow(2)
    desk.press("Restore")
    desk.editor.show_version("ring", 1, OTHER)

    assert desk.saves == [("ring", OTHER, 3, "Restored from version 1.")]


def restore(desk, row):
    desk.editor.side.show_tab("Versions")
    desk.editor.show_versions("ring", VERSIONS)
    desk.named(QListWidget, "Versions of this scene").setCurrentRow(row)
    desk.press("Restore")


def test_a_version_that_could_not_be_brought_back_is_not_brought_back_by_a_later_look(desk):
    restore(desk, 2)
    desk.editor.show_version_refused("ring", "The node is gone.", "Try again.")
    desk.press("Dismiss")
    desk.press("Look at it")
    desk.editor.show_version("ring", 1, OTHER)

    assert desk.saves == []
    assert desk.is_offered("Back to now")


def test_a_look_at_a_version_takes_back_the_wish_for_another(desk):
    restore(desk, 2)
    desk.named(QListWidget, "Versions of this scene").setCurrentRow(1)
    desk.press("Look at it")
    desk.editor.show_version("ring", 1, OTHER)
    desk.editor.show_version("ring", 2, OTHER)

    assert desk.saves == []


def test_the_way_back_from_an_old_version_returns_after_another_notice(desk):
    desk.editor.show_version("ring", 2, OTHER)
    desk.editor.notice.say("The road does not fit.")
    assert not desk.is_offered("Back to now")

    desk.press("Dismiss")

    desk.press("Back to now")
    assert desk.is_offered("Draw a zone")
    assert desk.editor.notice.text == ""


def test_a_scene_is_written_to_a_file_and_read_again(desk, tmp_path):
    path = tmp_path / "ring.json"
    desk.editor.export_file(path)
    assert read_scene(path) == RING.scene
    desk.editor.open_camera("gate")
    desk.editor.import_file(path)

    assert desk.sketch.zones == RING.scene.zones
    assert desk.editor.is_dirty


def test_a_file_with_an_unknown_key_names_it_and_changes_nothing(desk, tmp_path):
    path = tmp_path / "ring.json"
    path.write_text(json.dumps({"zones": [], "colour": "red"}))
    desk.editor.import_file(path)

    assert "colour is unknown" in desk.editor.notice.text
    assert not desk.editor.is_dirty


def test_a_held_picture_stays_until_it_runs_again(desk):
    def show(red):
        image = QImage(640, 360, QImage.Format.Format_RGB32)
        image.fill(QColor(red, 0, 0))
        desk.editor.show_picture("ring", image)

    def seen():
        return desk.canvas.grab().toImage().pixelColor(desk.at(0.95, 0.1)).red()

    show(200)
    desk.keys(Key.Key_F)
    show(10)
    assert seen() == 200
    desk.keys(Key.Key_F)
    show(10)
    assert seen() == 10


def test_a_picture_of_another_shape_keeps_what_is_drawn_on_its_place(desk):
    image = QImage(360, 640, QImage.Format.Format_RGB32)
    desk.editor.show_picture("ring", image)

    assert isinstance(desk.canvas, SceneCanvas)
    assert desk.canvas.view.rect().width() < desk.canvas.view.rect().height()
    assert desk.sketch.zones == (ZONE,)


def test_a_scene_without_a_picture_says_so_and_can_be_drawn_on(desk):
    desk.editor.open_camera("gate")
    desk.keys(Key.Key_L)
    desk.click((0.1, 0.2), (0.8, 0.2))

    assert not desk.canvas.has_picture
    assert len(desk.sketch.lines) == 1


def test_a_viewer_is_told_why_nothing_can_be_changed(desk):
    desk.editor.set_may_edit(False)

    assert any("needs the role supervisor" in label.text() for label in desk.editor.findChildren(QLabel))


def test_everything_that_can_be_pressed_has_a_name(desk):
    from PySide6.QtWidgets import QAbstractButton, QComboBox

    for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QListWidget):
        for widget in desk.editor.findChildren(kind):
            if not widget.isVisible() or widget.objectName().startswith("qt_"):
                continue
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            assert widget.accessibleName() or text, widget


def test_the_whole_editor_fits_a_small_screen(desk):
    desk.editor.resize(620, 440)

    for camera in (RING, Camera(camera_id="x", name="A camera with a long name on a long road", address="x")):
        desk.editor.show_cameras((camera,))
    assert desk.editor.minimumSizeHint().width() <= 620
    assert desk.editor.minimumSizeHint().height() <= 440


def test_a_dry_run_shows_what_would_have_been_raised_and_who_would_have_been_called(desk):
    orders = []
    desk.editor.dry_run_requested.connect(lambda *args: orders.append(args))
    move_the_zone(desk)
    desk.editor._on_dry_run()
    QTest.keyClicks(desk.named(QLineEdit, "Footage: a file or address on the node's machine"), "/clips/jam.mp4")
    desk.press("Start")
    camera_id, scene, footage, limit_s = orders[0]
    assert (camera_id, footage, limit_s) == ("ring", "/clips/jam.mp4", 300.0)
    assert scene.zones[0].polygon[0][1] == pytest.approx(0.21)
    assert not desk.is_offered("Start")
    jam = Raised(kind=ObservationKind.CONGESTION, rule_key="zone-1", place="Junction", at_s=75.0, confidence=0.9)
    done = DryRun(
        run_id="1",
        state="done",
        footage_s=130.0,
        raised=(
            replace(jam, sure_s=75.0),
            Raised(kind=ObservationKind.STOPPED_VEHICLE, rule_key="a", place="", at_s=80.0, ended_s=95.0, sure_s=80.0),
            replace(jam, kind=ObservationKind.COLLISION, at_s=90.0, confidence=0.4),
            replace(jam, at_s=100.0, ended_s=101.0, sure_s=100.0),
        ),
        n_raised={"congestion": 2, "stopped_vehicle": 1, "collision": 1},
        calls=(DryCall(at_s=75.0, title="Jam: Junction", priority="high", raised=(0, 1)),),
    )
    desk.editor.side.dry_run.show_run(done)

    assert "4 raised, 1 call, in 2:10" in desk.editor.side.dry_run.verdict
    assert desk.editor.side.dry_run.rows == [
        "1:15  CALL, high: Jam: Junction",
        "1:15  Congestion, Junction\npart of this call, confidence 0.90",
        "1:20 to 1:35  Stopped vehicle\npart of this call, confidence 1.00",
        "1:30  Collision, Junction\ndoes not call: not sure enough, confidence 0.40",
        "1:40 to 1:41  Congestion, Junction\ndoes not call: held back by its alarm rule, confidence 0.90",
    ]
    assert desk.is_offered("Start")


@pytest.mark.parametrize("state", ["running", "done"])
def test_a_dry_run_says_what_of_the_footage_it_did_not_see(desk, state):
    run = DryRun(
        run_id="1", state=state, footage_s=130.0, message="7 parts cannot be decoded.", hint="Export it again."
    )
    desk.editor._on_dry_run()
    desk.editor.side.dry_run.show_run(run)

    assert "0 raised, 0 calls, in 2:10 of footage." in desk.editor.side.dry_run.verdict
    assert desk.editor.side.dry_run.verdict.endswith("7 parts cannot be decoded. Export it again.")


def test_a_dry_run_that_was_stopped_says_so_once(desk):
    run = DryRun(run_id="1", state="cancelled", footage_s=5.0, message="The dry run was stopped.")
    desk.editor._on_dry_run()
    desk.editor.side.dry_run.show_run(run)

    assert desk.editor.side.dry_run.verdict == "Stopped. 0 raised, 0 calls, in 0:05 of footage."


def test_a_refused_dry_run_says_why(desk):
    desk.editor._on_dry_run()
    desk.editor.side.dry_run.show_refused("Another dry run is going on.", "Wait for its end.")

    assert desk.editor.side.dry_run.verdict == "Another dry run is going on. Wait for its end."


def test_what_is_drawn_on_a_camera_that_is_removed_meanwhile_can_still_be_exported(desk, tmp_path):
    move_the_zone(desk)
    drawn = desk.sketch
    desk.editor.show_cameras((GATE,))

    assert "was removed. What you drew is not saved" in desk.editor.notice.text
    assert desk.sketch == drawn
    assert desk.is_offered("Export to a file")
    desk.editor.export_file(tmp_path / "kept.json")
    assert read_scene(tmp_path / "kept.json").zones == drawn.zones
    desk.press("Discard it")
    assert desk.editor.camera_id == ""


def test_a_room_without_cameras_says_where_one_is_added(desk, monkeypatch):
    said = []
    monkeypatch.setattr(desk.canvas, "show_no_picture", lambda sentence, hint="": said.append(f"{sentence} {hint}"))
    desk.editor.show_cameras(())
    desk.editor.show_cameras(())

    assert said[-1] == "There is no camera yet. Add one in Devices (Ctrl+Shift+D)."
