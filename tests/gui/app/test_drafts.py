"""What is drawn and not saved: the window asks before it closes, and what is left anyhow is offered again."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from PySide6.QtWidgets import QLabel, QPushButton

from app.drafts import DraftFolder, _File
from app.main_window import MainWindow
from app.panel import discover_panels
from app.panels.bays import PANEL as BAYS
from app.panels.rules import PANEL as RULES
from app.panels.scene import PANEL as SCENE
from core.access.model import Role
from core.cameras.model import Camera
from core.incidents.rules.model import RulesInForce
from core.incidents.rules.text import shipped_rules
from core.kernel.wire import from_bytes, to_bytes
from core.parking.model import BayView, Lot, SightMethod
from tests.fixtures.panels import made
from tests.gui.app.test_room_panels import AskedRoom
from tests.gui.scene.conftest import GATE, LINE, RING, ZONE
from widgets.base.kept_draft import KeptDraft
from widgets.scene.sketch import Sketch, sketch_of

MOVED = replace(sketch_of(RING.scene), zones=(replace(ZONE, name="Drawn"),))
TURNED = replace(sketch_of(RING.scene), zones=(replace(ZONE, name="Turned"),))
WAS_CHANGED = "What is saved of the alarm rules was changed while the draft was offered."
FEWER = replace(shipped_rules(), rules=shipped_rules().rules[1:])
AT = datetime(2026, 1, 1, 12, 31, tzinfo=UTC)

_PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": Path(__file__).parents[3]}
_DRAWING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from app.drafts import DraftFolder
from widgets.base.kept_draft import KeptDraft
from widgets.scene.sketch import Sketch

draft = KeptDraft(at=datetime(2026, 1, 1, tzinfo=UTC), by="omar", base=Sketch(), drawn=Sketch())
DraftFolder(Path(sys.argv[1]), Sketch).keep("ring", draft)
print("kept", flush=True)
input()
"""
"""Another window that draws on Ring until it hears a line."""


def drafts_of(room):
    return room.folders.data / "drafts" / "own"


class Desk(AskedRoom):
    """A supervisor's room."""

    role = Role.SUPERVISOR


@pytest.fixture
def open_room(qtbot, tmp_path):
    """Return a function that opens the room of one start of the console; they share their data folder."""
    import asyncio

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    rooms = []

    def open_one(node=""):
        room = Desk(tmp_path, node)
        room.live.cameras.update({"ring": RING, "gate": GATE})
        room.live.rules = RulesInForce(rules=shipped_rules(), version=3)
        room.connection.site = SimpleNamespace(center=None, basemap="", name="City")
        rooms.append(room)
        return room

    yield open_one
    for room in rooms:
        room.live.close()
    loop.close()
    asyncio.set_event_loop(None)


def scene_of_start(room, qtbot):
    editor = made(SCENE, room)
    qtbot.addWidget(editor)
    room.live.tell_all()
    editor.open_camera("ring")
    return editor


def rules_of_start(room, qtbot):
    editor = made(RULES, room)
    qtbot.addWidget(editor)
    return editor


def bays_of_start(room, qtbot, lot):
    editor = made(BAYS, room)
    qtbot.addWidget(editor)
    room.live.lot_plans[lot.lot_id] = lot
    room.live.tell_all()
    editor.open_lot(lot.lot_id)
    return editor


def press(editor, words):
    buttons = [one for one in editor.notice.findChildren(QPushButton) if one.text() == words and not one.isHidden()]
    assert buttons, f"no {words!r} among {[one.text() for one in editor.notice.findChildren(QPushButton)]}"
    buttons[-1].click()


@pytest.fixture
def window(qtbot, open_room, tmp_path):
    room = open_room()
    made_one = MainWindow(QLabel("door"), tmp_path / "layout.json")
    qtbot.addWidget(made_one)
    made_one.resize(1280, 800)
    made_one.show_room()
    panels = tuple(panel for panel in discover_panels() if panel.key in ("scene", "bays", "rules", "help"))
    made_one.divide(panels, room)
    list(made_one.furnish(panel.key for panel in panels))
    made_one.closing.connect(room.closing)
    made_one.show()
    made_one.show_room_of = room
    room.live.tell_all()
    made_one.panel("scene").open_camera("ring")
    made_one.bring_panel("help")
    return made_one


def test_closing_the_window_asks_where_a_scene_is_not_saved_and_closing_again_closes(window, qtbot):
    scene = window.panel("scene")
    scene.document.apply(MOVED, "Move")

    with qtbot.assertNotEmitted(window.closing):
        window.close()
    assert window.isVisible()
    assert scene.isVisible()
    assert scene.notice.text.startswith("Ring has changes that are not saved. Close again to leave them")

    with qtbot.waitSignal(window.closing):
        window.close()
    assert not window.isVisible()


def test_what_is_saved_or_discarded_at_the_question_closes_the_window(window, qtbot):
    scene, room = window.panel("scene"), window.show_room_of
    scene.document.apply(MOVED, "Move")
    window.close()
    with qtbot.assertNotEmitted(window.closing):
        press(scene, "Save them, then close")
    saved = room.arguments_of("cameras.save_scene")[-1]
    with qtbot.waitSignal(window.closing):
        room.answer("cameras.save_scene", replace(RING, scene=saved["scene"], version=4))
    assert not window.isVisible()


def test_who_stays_is_asked_again_and_each_panel_by_itself(window, qtbot):
    scene, rules = window.panel("scene"), window.panel("rules")
    scene.document.apply(MOVED, "Move")
    rules.show_draft(replace(shipped_rules(), rules=shipped_rules().rules[1:]))
    window.close()
    press(scene, "Stay here")
    with qtbot.assertNotEmitted(window.closing):
        window.close()
    with qtbot.assertNotEmitted(window.closing):
        press(scene, "Discard them and close")
    assert not scene.is_dirty
    assert rules.isVisible()
    with qtbot.waitSignal(window.closing):
        press(rules, "Discard them and close")
    assert list(drafts_of(window.show_room_of).glob("*/*")) == []


@pytest.mark.parametrize("how", ["end", "session", "door"])
def test_nothing_is_asked_where_nobody_can_answer_and_the_draft_is_kept(window, qtbot, how):
    scene, room = window.panel("scene"), window.show_room_of
    scene.document.apply(MOVED, "Move")
    if how == "session":
        room.session_ends.emit()
        assert list(drafts_of(room).glob("scenes/*.draft"))
        window.expect_close()
    if how == "door":
        window.show_door()
    with qtbot.waitSignal(window.closing):
        window.end() if how == "end" else window.close()
    assert list(drafts_of(room).glob("scenes/*.draft"))


def test_a_scene_that_was_not_saved_is_offered_at_the_next_start_and_taken_up(open_room, qtbot):
    before = scene_of_start(open_room(), qtbot)
    before.document.apply(MOVED, "Move")
    qtbot.waitUntil(lambda: bool(list(drafts_of(before._room).glob("scenes/*.draft"))))  # killed here

    scene = scene_of_start(open_room(), qtbot)
    assert scene.notice.text.startswith("A draft for Ring, of ")
    assert "changed since" not in scene.notice.text
    assert not scene.is_dirty
    press(scene, "Take it up")
    assert scene.document.sketch == MOVED
    scene.document.stack.undo()
    assert scene.document.sketch == sketch_of(RING.scene)


def test_a_draft_that_is_discarded_is_not_offered_again(open_room, qtbot):
    room = open_room()
    before = scene_of_start(room, qtbot)
    before.document.apply(MOVED, "Move")
    room.session_ends.emit()

    press(scene_of_start(open_room(), qtbot), "Discard it")
    assert scene_of_start(open_room(), qtbot).notice.text == ""


def test_a_draft_of_what_was_changed_since_says_so(open_room, qtbot):
    room = open_room()
    before = scene_of_start(room, qtbot)
    before.document.apply(MOVED, "Move")
    room.session_ends.emit()

    later = open_room()
    newer = replace(RING.scene, lines=(replace(LINE, name="Other"),))
    later.live.cameras["ring"] = Camera(camera_id="ring", name="Ring", address="x", scene=newer, version=4)
    assert "changed since" in scene_of_start(later, qtbot).notice.text


def test_what_is_undone_or_saved_leaves_no_draft(open_room, qtbot):
    room = open_room()
    scene = scene_of_start(room, qtbot)
    scene.document.apply(MOVED, "Move")
    room.session_ends.emit()
    scene.document.stack.undo()
    qtbot.waitUntil(lambda: not list(drafts_of(room).glob("scenes/*")))


def test_a_lot_that_was_never_saved_is_offered_as_a_new_one(open_room, qtbot):
    room = open_room()
    before = made(BAYS, room)
    qtbot.addWidget(before)
    before._on_lot_made(Lot(lot_id="north", name="North"))
    room.session_ends.emit()

    bays = made(BAYS, open_room())
    qtbot.addWidget(bays)
    with qtbot.waitExposed(bays):
        bays.show()
    qtbot.waitUntil(lambda: "The lot North, drawn until" in bays.notice.text)
    press(bays, "Take it up as a new lot")
    assert (bays.lot_id, bays.is_dirty) == ("north", True)


def test_rules_that_were_not_saved_are_offered_at_the_next_start(open_room, qtbot):
    room = open_room()
    before = made(RULES, room)
    qtbot.addWidget(before)
    drawn = replace(shipped_rules(), rules=shipped_rules().rules[1:])
    before.show_draft(drawn)
    room.session_ends.emit()

    rules = made(RULES, open_room())
    qtbot.addWidget(rules)
    assert rules.notice.text.startswith("A draft for the alarm rules, of ")
    assert not rules.is_dirty
    press(rules, "Take it up")
    assert rules.draft == drawn


def test_a_folder_that_takes_no_drafts_is_said_before_they_are_lost(window):
    scene, room = window.panel("scene"), window.show_room_of
    drafts_of(room).mkdir(parents=True, exist_ok=True)
    (drafts_of(room) / "scenes").write_text("a file stands where the folder should")
    scene.document.apply(MOVED, "Move")
    room.session_ends.emit()
    window.close()
    assert "Close again and they are lost: drafts cannot be kept in" in scene.notice.text


def test_what_another_window_draws_now_is_not_offered_here(tmp_path):
    DraftFolder(tmp_path, Sketch).keep("ring", KeptDraft(at=AT, by="dana", base=Sketch(), drawn=MOVED))
    (path,) = tmp_path.glob("ring.*.draft")
    folder = DraftFolder(tmp_path, Sketch)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        started_s = psutil.Process(other.pid).create_time()
        path.write_bytes(to_bytes(replace(from_bytes(path.read_bytes(), _File), pid=other.pid, started_s=started_s)))
        assert folder.left() == []
    finally:
        other.communicate(b"\n")
    assert [(left.key, left.kept.drawn) for left in folder.left()] == [("ring", MOVED)]


def left_by_an_earlier_start(open_room, qtbot):
    room = open_room()
    scene_of_start(room, qtbot).document.apply(MOVED, "Move")
    room.session_ends.emit()


def test_an_offer_that_something_else_was_said_over_stands_until_it_is_answered(open_room, qtbot):
    left_by_an_earlier_start(open_room, qtbot)
    room = open_room()
    scene = scene_of_start(room, qtbot)
    scene.side.road.refused.emit("Four points are needed.")
    scene.document.apply(TURNED, "Turn")
    room.session_ends.emit()

    press(scene, "Dismiss")
    assert scene.notice.text.startswith("A draft for Ring, of ")
    press(scene, "Take it up")
    assert scene.document.sketch == MOVED


def test_what_is_drawn_beside_an_offer_is_kept_too_and_both_are_offered(open_room, qtbot):
    left_by_an_earlier_start(open_room, qtbot)
    room = open_room()
    scene_of_start(room, qtbot).document.apply(TURNED, "Turn")
    room.session_ends.emit()

    room = open_room()
    scene = scene_of_start(room, qtbot)
    press(scene, "Take it up")
    assert scene.document.sketch == TURNED
    scene.document.stack.undo()
    room.session_ends.emit()
    again = scene_of_start(open_room(), qtbot)
    press(again, "Take it up")
    assert again.document.sketch == MOVED


def test_an_offer_waits_while_an_old_version_is_looked_at_and_for_who_may_answer(open_room, qtbot):
    left_by_an_earlier_start(open_room, qtbot)
    scene = scene_of_start(open_room(), qtbot)
    scene.show_version("ring", 1, GATE.scene)
    assert scene.notice.text.startswith("You look at version 1.")
    press(scene, "Back to now")
    assert scene.notice.text.startswith("A draft for Ring, of ")
    scene.set_may_edit(False)
    assert scene.notice.text == ""
    scene.set_may_edit(True)
    assert scene.notice.text.startswith("A draft for Ring, of ")


def rules_left_by_an_earlier_start(open_room, qtbot):
    room = open_room()
    rules_of_start(room, qtbot).show_draft(FEWER)
    room.session_ends.emit()


def test_taking_rules_up_over_what_was_changed_since_is_asked_for(open_room, qtbot):
    rules_left_by_an_earlier_start(open_room, qtbot)
    rules = rules_of_start(open_room(), qtbot)
    fewest = replace(FEWER, rules=FEWER.rules[1:])
    rules.show_draft(fewest)
    press(rules, "Take it up")
    assert rules.notice.text.startswith("What you changed since is replaced by the draft")
    press(rules, "Stay here")
    assert rules.draft == fewest
    press(rules, "Take it up")
    press(rules, "Take the draft up")
    assert rules.draft == FEWER


def save_elsewhere(room, scene):
    room.live.cameras["ring"] = replace(RING, scene=scene, version=RING.version + 1)
    room.live.tell_all()


def test_a_draft_is_not_taken_up_over_what_another_desk_saved_while_it_was_offered(open_room, qtbot):
    left_by_an_earlier_start(open_room, qtbot)
    room = open_room()
    scene = scene_of_start(room, qtbot)
    theirs = replace(RING.scene, lines=(replace(LINE, name="Theirs"),))
    save_elsewhere(room, theirs)
    press(scene, "Take it up")
    assert scene.notice.text.startswith("What is saved of Ring was changed while the draft was offered.")
    assert scene.document.sketch == sketch_of(theirs)
    press(scene, "Take it up")
    assert scene.document.sketch == MOVED


def test_another_setting_of_the_camera_asks_nothing_more(open_room, qtbot):
    left_by_an_earlier_start(open_room, qtbot)
    room = open_room()
    scene = scene_of_start(room, qtbot)
    save_elsewhere(room, RING.scene)
    press(scene, "Take it up")
    assert scene.document.sketch == MOVED


def test_rules_are_not_taken_up_over_what_another_desk_saved_while_they_were_offered(open_room, qtbot):
    rules_left_by_an_earlier_start(open_room, qtbot)
    room = open_room()
    rules = rules_of_start(room, qtbot)
    theirs = replace(shipped_rules(), rules=shipped_rules().rules[:-1])
    rules.show_in_force(RulesInForce(rules=theirs, version=4))
    press(rules, "Take it up")
    assert rules.notice.text.startswith(WAS_CHANGED)
    assert rules.draft == theirs
    press(rules, "Take it up")
    assert rules.draft == FEWER


def test_the_draft_of_a_lot_goes_on_from_a_calibration_that_was_measured_since(open_room, qtbot):
    view = BayView(camera_id="ring")
    lot = Lot(lot_id="north", name="North", views=(view,), version=1)
    room = open_room()
    bays = bays_of_start(room, qtbot, lot)
    bays.document.apply(replace(bays.document.sketch, name="North side"), "Rename")
    room.session_ends.emit()

    room = open_room()
    bays = bays_of_start(room, qtbot, lot)
    measured = replace(lot, views=(replace(view, rate=0.5, calibrated_at=AT),), version=2)
    room.live.lot_plans["north"] = measured
    room.live.tell_all()
    press(bays, "Take it up")
    assert bays.document.sketch == replace(measured, name="North side", version=0)


RING_VIEW, GATE_VIEW = BayView(camera_id="ring"), BayView(camera_id="gate")
SEEN_TWICE = Lot(lot_id="north", name="North", views=(RING_VIEW, GATE_VIEW), version=1)
BY_LOOK = replace(RING_VIEW, method=SightMethod.CLASSIFIER, image_px=640)


def looked_at_otherwise_and_left(open_room, qtbot):
    """Leave a draft in which one view has another method and picture."""
    room = open_room()
    bays = bays_of_start(room, qtbot, SEEN_TWICE)
    bays.document.apply(replace(bays.document.sketch, views=(BY_LOOK, GATE_VIEW)), "Change the method")
    room.session_ends.emit()


def test_another_method_and_picture_of_a_draft_are_taken_up_where_nothing_was_measured(open_room, qtbot):
    looked_at_otherwise_and_left(open_room, qtbot)
    room = open_room()
    bays = bays_of_start(room, qtbot, SEEN_TWICE)
    press(bays, "Take it up")
    assert bays.document.sketch.views == (BY_LOOK, GATE_VIEW)
    assert bays.is_dirty
    assert list(drafts_of(room).glob("lots/*.draft"))


def test_a_calibration_of_one_view_leaves_the_method_of_another_in_the_draft(open_room, qtbot):
    looked_at_otherwise_and_left(open_room, qtbot)
    measured = replace(GATE_VIEW, rate=0.5, calibrated_at=AT)
    bays = bays_of_start(open_room(), qtbot, replace(SEEN_TWICE, views=(RING_VIEW, measured), version=2))
    press(bays, "Take it up")
    assert bays.document.sketch.views == (BY_LOOK, measured)


def test_a_draft_says_so_where_the_view_that_it_changes_was_calibrated_since(open_room, qtbot):
    looked_at_otherwise_and_left(open_room, qtbot)
    measured = replace(RING_VIEW, rate=0.5, calibrated_at=AT)
    bays = bays_of_start(open_room(), qtbot, replace(SEEN_TWICE, views=(measured, GATE_VIEW), version=2))
    assert "What is saved was changed since" in bays.notice.text
    press(bays, "Take it up")
    assert bays.document.sketch.views == (BY_LOOK, GATE_VIEW)


def test_a_calibration_that_comes_meanwhile_leaves_the_method_of_another_view(open_room, qtbot):
    room = open_room()
    bays = bays_of_start(room, qtbot, SEEN_TWICE)
    bays.document.apply(replace(bays.document.sketch, views=(BY_LOOK, GATE_VIEW)), "Change the method")
    measured = replace(GATE_VIEW, rate=0.5, calibrated_at=AT)
    room.live.lot_plans["north"] = replace(SEEN_TWICE, views=(RING_VIEW, measured), version=2)
    room.live.tell_all()
    assert bays.document.sketch.views == (BY_LOOK, measured)


def test_two_windows_of_one_data_folder_keep_a_draft_each(tmp_path):
    here, there = DraftFolder(tmp_path, Sketch), DraftFolder(tmp_path, Sketch)
    there.keep("ring", KeptDraft(at=AT, by="dana", base=Sketch(), drawn=MOVED))
    here.keep("ring", KeptDraft(at=AT, by="omar", base=Sketch(), drawn=TURNED))
    assert [left.kept.drawn for left in here.left()] == [MOVED]
    assert [left.kept.drawn for left in there.left()] == [TURNED]
    here.drop_own("ring")
    assert [left.kept.drawn for left in here.left()] == [MOVED]
    assert there.left() == []


def test_what_is_drawn_and_discarded_here_leaves_what_another_window_draws_now(open_room, qtbot):
    room = open_room()
    other = subprocess.Popen([sys.executable, "-c", _DRAWING, str(drafts_of(room) / "scenes")], **_PIPES)
    try:
        assert other.stdout.readline() == b"kept\n"
        before = {path: path.read_bytes() for path in drafts_of(room).rglob("*.draft")}
        assert before
        scene = scene_of_start(room, qtbot)
        assert scene.notice.text == ""
        scene.document.apply(MOVED, "Move")
        room.session_ends.emit()
        assert len(list(drafts_of(room).rglob("*.draft"))) == 2
        scene.document.stack.undo()
        room.session_ends.emit()
        assert {path: path.read_bytes() for path in drafts_of(room).rglob("*.draft")} == before
    finally:
        other.communicate(b"\n")


def test_a_draft_is_offered_only_at_the_node_that_it_was_drawn_for(open_room, qtbot):
    room = open_room("city-a:7411")
    scene_of_start(room, qtbot).document.apply(MOVED, "Move")
    rules_of_start(room, qtbot).show_draft(FEWER)
    bays_of_start(room, qtbot, Lot(lot_id="north", name="North"))
    room.session_ends.emit()

    for other in (open_room("city-b:7411"), open_room()):
        assert scene_of_start(other, qtbot).notice.text == ""
        assert rules_of_start(other, qtbot).notice.text == ""
        bays = bays_of_start(other, qtbot, Lot(lot_id="south", name="South", version=1))
        with qtbot.waitExposed(bays):
            bays.show()
        assert bays.notice.text == ""
    again = open_room("City-A:7411")
    assert scene_of_start(again, qtbot).notice.text.startswith("A draft for Ring, of ")
    assert rules_of_start(again, qtbot).notice.text.startswith("A draft for the alarm rules, of ")


def offered_by(editor):
    return [one.text() for one in editor.notice.findChildren(QPushButton) if not one.isHidden()]


def test_who_may_not_edit_is_not_offered_to_discard_a_draft_and_leaves_it_by_closing_again(window, qtbot):
    scene, rules, room = window.panel("scene"), window.panel("rules"), window.show_room_of
    scene.document.apply(MOVED, "Move")
    rules.show_draft(FEWER)
    room.role_changed.emit(Role.VIEWER)
    window.close()
    assert offered_by(scene) == offered_by(rules) == ["Stay here"]
    with qtbot.waitSignal(window.closing):
        window.close()
    assert {path.parent.name for path in drafts_of(room).rglob("*.draft")} == {"scenes", "rules"}


def become(room, role):
    room.role = role
    room.role_changed.emit(role)


def test_who_may_not_edit_leaves_a_scene_and_its_draft_is_offered_to_who_may(open_room, qtbot):
    room = open_room()
    scene = scene_of_start(room, qtbot)
    scene.document.apply(MOVED, "Move")
    become(room, Role.VIEWER)
    scene.open_camera("gate")
    assert (scene.camera_id, scene.notice.text) == ("gate", "")
    room.session_ends.emit()
    scene.open_camera("ring")
    assert scene.document.sketch == sketch_of(RING.scene)
    assert scene.notice.text == ""
    become(room, Role.SUPERVISOR)
    assert scene.notice.text.startswith("A draft for Ring, of ")
    press(scene, "Take it up")
    assert scene.document.sketch == MOVED


def test_who_may_not_edit_answers_no_question_that_who_may_was_asked(open_room, qtbot):
    room = open_room()
    scene = scene_of_start(room, qtbot)
    scene.document.apply(MOVED, "Move")
    scene.open_camera("gate")
    assert "Discard them" in offered_by(scene)
    become(room, Role.VIEWER)
    assert scene.notice.text == ""
    assert scene.document.sketch == MOVED


def test_a_draft_that_cannot_be_kept_is_not_left_by_who_may_not_edit(open_room, qtbot):
    room = open_room()
    scene = scene_of_start(room, qtbot)
    drafts_of(room).mkdir(parents=True, exist_ok=True)
    (drafts_of(room) / "scenes").write_text("a file stands where the folder should")
    scene.document.apply(MOVED, "Move")
    become(room, Role.VIEWER)
    scene.open_camera("gate")
    assert (scene.camera_id, scene.document.sketch) == ("ring", MOVED)
    assert "or they are lost: drafts cannot be kept in" in scene.notice.text


def test_who_may_not_edit_sees_what_another_desk_saved_and_the_draft_is_left(open_room, qtbot):
    room = open_room()
    scene = scene_of_start(room, qtbot)
    scene.document.apply(MOVED, "Move")
    become(room, Role.VIEWER)
    theirs = replace(RING.scene, lines=(replace(LINE, name="Theirs"),))
    save_elsewhere(room, theirs)
    assert scene.document.sketch == sketch_of(theirs)
    room.session_ends.emit()
    become(room, Role.SUPERVISOR)
    assert "changed since" in scene.notice.text
    press(scene, "Take it up")
    assert scene.document.sketch == MOVED


def test_who_may_not_edit_discards_nothing_of_a_lot_or_camera_that_was_removed(open_room, qtbot):
    room = open_room()
    scene, bays = scene_of_start(room, qtbot), bays_of_start(room, qtbot, SEEN_TWICE)
    scene.document.apply(MOVED, "Move")
    bays.document.apply(replace(bays.document.sketch, name="North side"), "Rename")
    become(room, Role.VIEWER)
    del room.live.lot_plans["north"], room.live.cameras["ring"]
    room.live.tell_all()
    assert (offered_by(scene), offered_by(bays)) == (["Export to a file"], ["Export it"])
    become(room, Role.SUPERVISOR)
    assert offered_by(scene) == ["Export to a file", "Discard it"]
    assert offered_by(bays) == ["Export it", "Save it as a new lot", "Discard it"]


def test_a_lot_that_was_removed_is_left_by_who_may_not_edit_and_offered_as_a_new_one(open_room, qtbot):
    room = open_room()
    bays = bays_of_start(room, qtbot, SEEN_TWICE)
    with qtbot.waitExposed(bays):
        bays.show()
    bays.document.apply(replace(bays.document.sketch, name="North side"), "Rename")
    become(room, Role.VIEWER)
    room.live.lot_plans.clear()
    room.live.lot_plans["south"] = Lot(lot_id="south", name="South", version=1)
    room.live.tell_all()
    bays.open_lot("south")
    assert bays.lot_id == "south"
    room.session_ends.emit()
    become(room, Role.SUPERVISOR)
    assert "The lot North side, drawn until" in bays.notice.text
    press(bays, "Take it up as a new lot")
    assert bays.document.sketch.name == "North side"


def test_rules_that_another_desk_saved_at_the_last_question_are_not_replaced_either(open_room, qtbot):
    rules_left_by_an_earlier_start(open_room, qtbot)
    rules = rules_of_start(open_room(), qtbot)
    rules.show_draft(replace(FEWER, rules=FEWER.rules[1:]))
    press(rules, "Take it up")
    theirs = replace(shipped_rules(), rules=shipped_rules().rules[:-1])
    rules.show_in_force(RulesInForce(rules=theirs, version=4))
    press(rules, "Take the draft up")
    assert rules.notice.text.startswith(WAS_CHANGED)
    assert rules.draft != FEWER
