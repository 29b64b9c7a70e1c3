"""The bay editor: draw a lot's bays on cameras' pictures, on its plan and on the map; import, number, save them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage, QPainter
from PySide6.QtWidgets import QWidget

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.drawing import (
    PLAN,
    SameId,
    free_ids,
    problem_of,
    take_file,
    view_of,
)
from core.parking.formats.model import BayFile, Size
from core.parking.formats.own import lot_geojson, lot_json
from core.parking.model import Lot, Point
from widgets.base.file_dialogs import ask_target
from widgets.base.focus import order_focus
from widgets.base.kept_draft import KeptDraft
from widgets.base.times import format_day_minute
from widgets.parking.bars import TopBar
from widgets.parking.canvas import KEYS, BayCanvas
from widgets.parking.carrying import Carrying
from widgets.parking.comparing import differs_by_calibration, is_calibrated_twice, plain, with_calibration
from widgets.parking.drafts import TOOLS, Tool
from widgets.parking.drawing_desk import DrawingDesk, Stand
from widgets.parking.map_background import MapBackground
from widgets.parking.shown import RefKind, shapes_of
from widgets.parking.side import BaySide
from widgets.parking.surface import PlanView
from widgets.scene.document import Document
from widgets.scene.drawing_editor import DrawingEditor
from widgets.scene.fields import show_choice
from widgets.scene.notice import Answer

MAP = "@map"
"""Key of the plan as it lies on the map, in the list of places."""

NOTHING = Lot(lot_id="", name="")
_NONE_CHOSEN = ("No lot is chosen.", "Choose one above, or make one with the plus.")
_NONE_THERE = ("There is no drawn lot yet.", "Make one with the plus above.")
_UNSAVED = "Save first: the calibration looks at what is saved."


class BayEditor(DrawingEditor[Lot, Lot]):
    """One lot at a time. Ctrl+S saves, Ctrl+Z undoes, Ctrl+Shift+Z does again, F holds the picture.

    Signals:
        place_shown(str): Pictures of this camera are wanted; empty for none.
        save_requested(object, str): The `Lot` with the version it was begun on, and a note.
        removal_requested(str): Lot id.
        calibrate_requested(str, str): Lot and camera id; answered by `show_calibration`.
    """

    place_shown = Signal(str)
    save_requested = Signal(object, str)
    removal_requested = Signal(str)
    calibrate_requested = Signal(str, str)

    THING = "lot"
    EVERYTHING = "everything"
    READ_ONLY = "Changing bays needs the role supervisor; you see them as they are."
    KEYS = KEYS
    ROOM_EM = 60
    SIDE_EM = (23, 17)

    canvas: BayCanvas
    side: BaySide

    def __init__(self, side: BaySide | None = None, parent: QWidget | None = None) -> None:
        super().__init__(Document(NOTHING), BayCanvas(), side or BaySide(), parent)
        self._lots: dict[str, Lot] = {}
        self._counted: dict[str, str] = {}
        self._cameras: dict[str, str] = {}
        self._sizes: dict[str, Size] = {}
        self._faults: Mapping[str, Sequence[str]] = {}
        self._faults_before: frozenset[str] | None = None
        self._place = PLAN
        self._is_on_map = False
        self._home: GeoPoint | None = None
        self._why_not_calibrate = ""
        self._bar = TopBar(self._steps, self)
        self._desk = DrawingDesk(self.document, self.canvas, self.side, self._bar, self.notice)
        self._carrying = Carrying(self.canvas, self.side.carry, self)
        self.background = MapBackground(self)
        self.setAcceptDrops(True)
        self._lay_out(self._bar)
        self.setAccessibleName("Bay editor")
        self._connect()
        order_focus(self)
        self.setFocusProxy(self.canvas)
        self._show_place()
        self._refresh()

    # -- what is shown

    @property
    def lot_id(self) -> str:
        """The lot that is open; empty for none."""
        return self.open_id

    @property
    def camera_id(self) -> str:
        """The camera whose picture is drawn on; empty on the plan and the map."""
        return self._place

    @property
    def is_dirty(self) -> bool:
        """There is something to save."""
        return self._base is not None and (self.document.is_dirty or self._base.version == 0)

    @property
    def lot(self) -> Lot:
        """The lot as it is shown: as it is drawn, or an old version that is looked at."""
        return self.shown

    def show_lots(self, lots: Mapping[str, Lot], counted: Mapping[str, str]) -> None:
        """Take the newest lots; `counted` are names of those that report counts and may be drawn."""
        self._lots = dict(sorted(lots.items(), key=lambda item: item[1].name))
        self._counted = dict(counted)
        self._list_lots()
        if self._base is None:
            if not self._lots:
                self.canvas.show_nothing(*_NONE_THERE)
            return
        now = self._lots.get(self._base.lot_id)
        if now is not None:
            self._on_lot_changed(now)
        elif self._base.version:
            self._on_lot_gone(self._base)

    def show_faults(self, faults: Mapping[str, Sequence[str]]) -> None:
        """Take what cannot be right about the lots, by id; what a save brought about is said at once."""
        self._faults = faults
        found = faults.get(self.lot_id, ())
        self.side.lot.show_faults(found)
        fresh = [] if self._faults_before is None else [one for one in found if one not in self._faults_before]
        if fresh:
            self._faults_before = None
            self.notice.say(f"Saved. {fresh[0]}")

    def show_cameras(self, cameras: Mapping[str, str]) -> None:
        """Take the names of all cameras, by id."""
        if cameras == self._cameras:
            return
        self._cameras = dict(cameras)
        self._list_places()
        self._refresh()

    def show_sizes(self, sizes: Mapping[str, Size]) -> None:
        """Take the sizes of the cameras' own pictures: what is shown here may be scaled, and files count in theirs."""
        self._sizes = dict(sizes)

    def open_lot(self, lot_id: str) -> None:
        """Show a lot; unsaved changes of another one are asked for first."""
        lot = self._lots.get(lot_id)
        if lot is not None and lot_id != self.lot_id:
            self._leave_for(lambda: self._open(lot))

    def offer_new_lot(self, kept: KeptDraft[Lot], answered: Callable[[bool], None]) -> None:
        """Let a lot that was drawn before, and that the node does not know, be taken up or discarded."""
        lot = kept.drawn
        of_whom = f"by {kept.by} " if kept.by else ""
        drawn = f"drawn {of_whom}until {format_day_minute(kept.at)}"

        def take_up() -> None:
            self._begin_lot(lot)
            answered(True)

        self.notice.ask(
            f"The lot {lot.name}, {drawn}, was not saved; there is no such lot.",
            [
                ("Take it up as a new lot", lambda: self._leave_for(take_up)),
                ("Discard it", lambda: answered(False)),
            ],
        )

    def open_place(self, key: str) -> None:
        """Draw on the plan (empty), on the map (`MAP`), or on a camera's picture (its id)."""
        self._is_on_map = key == MAP
        self._place = PLAN if key == MAP else key
        show_choice(self._bar.place, key)
        self._show_place()
        self._refresh()
        self.canvas.fit()

    def show_picture(self, camera_id: str, image: QImage) -> None:
        """Show a newer picture of the camera."""
        if camera_id and camera_id == self._place:
            self.canvas.show_picture(image)

    def set_home(self, home: GeoPoint | None) -> None:
        """Name where the map opens for a lot without a place."""
        self._home = home
        self._refresh()

    def set_calibratable(self, reason: str) -> None:
        """Offer calibration, or say why this node cannot do it; empty where it can."""
        self._why_not_calibrate = reason
        self._refresh_state()

    def show_calibration(self, lot_id: str, sentence: str, is_going_on: bool) -> None:
        """Say how a calibration goes, or what came of it."""
        if lot_id == self.lot_id:
            show = self.side.view.show_calibrating if is_going_on else self.side.view.show_calibrated
            show(sentence)

    # -- files

    def import_file(self, path: Path) -> None:
        """Show what a file holds, and offer to take it."""
        if self._base is None:
            self.notice.say("Choose a lot first, or make one: the bays of the file go into it.")
            return
        if not self._is_editable:
            self.notice.say(self.READ_ONLY)
            return
        self._begin_import()
        self.side.imports.open_file(path)

    def export_file(self, path: Path) -> None:
        """Write the lot to a file: GeoJSON where its name says so, our own JSON otherwise."""
        try:
            text = lot_geojson(self.lot) if path.suffix.lower() == ".geojson" else lot_json(self.lot)
            path.write_text(text, encoding="utf-8")
        except BadInputError as error:
            self.notice.say(str(error))
        except OSError as error:
            self.notice.say(f"{path.name} cannot be written: {error.strerror or error}. Choose another place.")
        else:
            self.told.emit(f"{self.lot.name} is written to {path.name}.", "")

    # -- building

    def _connect(self) -> None:
        canvas, side = self.canvas, self.side
        self._connect_steps()
        self.background.changed.connect(canvas.update)
        canvas.point_set.connect(self._on_point)
        self._desk.chosen.connect(self._on_chosen)
        self._desk.told.connect(self.told)
        canvas.tool_changed.connect(self._on_tool)
        side.lot.change_requested.connect(self.document.apply)
        side.lot.place_requested.connect(self._on_place_wanted)
        side.lot.remove_requested.connect(self._on_lot_removal)
        self._connect_views()
        self._connect_bars()

    def _connect_views(self) -> None:
        side = self.side
        side.view.calibrate_requested.connect(lambda camera_id: self.calibrate_requested.emit(self.lot_id, camera_id))
        side.view.carry_requested.connect(self._begin_carry)
        side.imports.take_requested.connect(self._on_take)
        side.imports.left.connect(self._leave_front)
        self._carrying.place_wanted.connect(self.open_place)
        self._carrying.carry_requested.connect(self._on_carry)
        self._carrying.left.connect(self._end_carry)
        side.new_lot.lot_made.connect(self._on_lot_made)
        side.new_lot.left.connect(self._leave_front)

    def _connect_bars(self) -> None:
        self._bar.lot.activated.connect(lambda _row: self._on_lot_chosen())
        self._bar.new.clicked.connect(self._begin_new)
        self._bar.place.activated.connect(lambda _row: self._on_place_chosen())
        self._bar.level.activated.connect(lambda _row: self._on_level_chosen())
        self._bar.imports.triggered.connect(self._begin_import)
        self._bar.export.triggered.connect(lambda: self._ask_export("json"))
        self._bar.export_geo.triggered.connect(lambda: self._ask_export("geojson"))
        self._bar.carry.triggered.connect(self._begin_carry)
        self._bar.snap.toggled.connect(self.canvas.set_snapping)

    # -- what is open

    def _id_of(self, kept: Lot) -> str:
        return kept.lot_id

    def _open_name(self) -> str:
        return self.document.sketch.name

    def _drawn(self, kept: Lot) -> Lot:
        return plain(kept)

    def _newest(self, kept: Lot) -> Lot:
        return self._lots.get(kept.lot_id, kept)

    def _sketched(self, version: Lot) -> Lot:
        return plain(version)

    def _brought_up(self, kept: KeptDraft[Lot], saved: Lot) -> KeptDraft[Lot]:
        if saved == kept.base or not differs_by_calibration(saved, kept.base):
            return kept
        if is_calibrated_twice(kept.base, kept.drawn, saved):
            # Neither goes without a word: the offer says that what is saved was changed.
            return kept
        # A calibration was measured since: the draft goes on from there.
        return replace(kept, base=saved, drawn=with_calibration(kept.drawn, kept.base, saved))

    def _show_open(self) -> None:
        show_choice(self._bar.lot, self.lot_id)

    def _remember(self, kept: Lot) -> None:
        self._lots[kept.lot_id] = kept
        self._faults_before = frozenset(self._faults.get(kept.lot_id, ()))
        self._list_lots()
        self._list_places()

    def _open(self, lot: Lot) -> None:
        self._begin(lot)
        self._end_carry()
        self.side.view.show_calibrated("")
        self.side.lot.show_faults(self._faults.get(lot.lot_id, ()))
        self._faults_before = None
        self.document.load(plain(lot))
        self._list_lots()
        self._list_places()
        has_plan = any(bay.outline for bay in lot.bays)
        self.open_place(PLAN if has_plan or not lot.views else lot.views[0].camera_id)
        self.side.row.show_first(free_ids(lot, ["A1"])[0])
        if lot.version:
            self.versions_requested.emit(lot.lot_id)
        self.opened.emit(lot.lot_id)

    def _discard_then(self, then: Callable[[], None]) -> None:
        if self._base is not None and self._base.version == 0:
            self._leave(self._base)
        super()._discard_then(then)

    def _list_lots(self) -> None:
        entries = [(lot.lot_id, lot.name) for lot in self._lots.values()]
        if self._base is not None and self._base.lot_id not in self._lots:
            entries.append((self._base.lot_id, f"{self._base.name} (new)"))
        self._bar.show_lots(entries, self.lot_id)

    def _list_places(self) -> None:
        seen = [view.camera_id for view in self.lot.views]
        others = sorted((key for key in self._cameras if key not in seen), key=lambda key: self._cameras[key])
        entries = [(PLAN, "Plan"), (MAP, "Map")]
        entries += [(key, f"Camera {self._camera_name(key)} (sees it)") for key in seen]
        entries += [(key, f"Camera {self._cameras[key]}") for key in others]
        self._bar.show_places(entries, MAP if self._is_on_map else self._place)

    def _camera_name(self, camera_id: str) -> str:
        return self._cameras.get(camera_id, camera_id)

    def _show_place(self) -> None:
        """Show the surface of the place that was chosen."""
        lot = self.lot
        if self._base is None:
            self.canvas.show_nothing(*(_NONE_CHOSEN if self._lots else _NONE_THERE))
        elif self._is_on_map:
            origin = lot.position or self._home or GeoPoint(0.0, 0.0)
            self.canvas.show_map(lot.bearing_deg, lambda painter, view: self._paint_map(painter, view, origin))
        elif self._place == PLAN:
            self.canvas.show_plan(lot.bearing_deg if lot.position is not None else None)
        else:
            name = self._camera_name(self._place)
            is_there = self._place in self._cameras
            missing = "What is drawn is shown without it." if is_there else "What was drawn on it is shown."
            self.canvas.show_camera(
                f"No picture of {name} yet." if is_there else f"There is no camera {name} any more.", missing
            )
        self.place_shown.emit(self._place if self._base is not None else "")

    def _paint_map(self, painter: QPainter, view: PlanView, origin: GeoPoint) -> None:
        self.background.paint(painter, view, origin, self.canvas.devicePixelRatioF())

    def _on_lot_gone(self, lot: Lot) -> None:
        if not self.document.is_dirty:
            self._leave(lot)
            return
        answers: list[Answer] = [("Export it", lambda: self._ask_export("json"))]
        if self._may_edit:
            answers += [("Save it as a new lot", self._save_anew), ("Discard it", lambda: self._leave(lot))]
        drawn = "What you drew" if self._may_edit else "What was drawn"
        said = f"{lot.name} was removed. {drawn} is not saved."
        if self.notice.text != said:
            self.notice.ask(said, answers)

    def _save_anew(self) -> None:
        if self._base is not None:
            self._base = replace(self._base, version=0)
            self._on_save()

    def _leave(self, lot: Lot) -> None:
        self._base = self._looked_at = self._restoring = None
        self._offer.end()
        self._end_carry()
        self.document.load(NOTHING)
        self._list_lots()
        self.notice.say(f"{lot.name} was removed.")
        self._place, self._is_on_map = PLAN, False
        self._show_place()
        self._refresh()

    def _on_lot_changed(self, now: Lot) -> None:
        base = self._base
        if base is None or now.version == base.version:
            return
        theirs = plain(now)
        if theirs == self.document.sketch:
            self._base = now
            self.document.mark_saved(theirs)
        elif not self.document.is_dirty:
            self._base = now
            self.document.load(theirs)
            if not differs_by_calibration(theirs, plain(base)):
                self.told.emit(f"{now.name} was changed at another desk.", "The newest is shown.")
        elif differs_by_calibration(theirs, self.document.saved):
            # A calibration was measured meanwhile: what is drawn here goes on from there.
            self._base = now
            measured = with_calibration(self.document.sketch, self.document.saved, theirs)
            self.document.apply(measured, "Take the calibration over")
            self.document.mark_saved(theirs)
        elif not self._is_saving:
            self._ask_whose(f"{now.name} was changed at another desk meanwhile.")
            return
        self.versions_requested.emit(now.lot_id)
        self._refresh()

    # -- what is refreshed

    def _refresh(self) -> None:
        lot, is_editable = self.lot, self._is_editable
        self._desk.stand = Stand(
            lot=lot,
            place=self._place,
            is_on_map=self._is_on_map,
            is_editable=is_editable,
            home=self._home,
            cameras=self._cameras,
        )
        if self._is_on_map and self._base is not None:
            origin = lot.position or self._home or GeoPoint(0.0, 0.0)
            self.canvas.show_map(lot.bearing_deg, lambda painter, view: self._paint_map(painter, view, origin))
        self._bar.show_levels(lot.levels, is_plan=self._place == PLAN)
        if self._base is not None:
            self.canvas.show_shapes(shapes_of(lot, self._place, self._bar.shown_level))
        self.canvas.set_editable(is_editable)
        self._tools.set_editable(is_editable)
        self._tools.set_offered(Tool.PLACE, self._is_on_map)
        self.side.set_editable(is_editable)
        self.side.list.show_lot(lot if self._base is not None else None, self._place, self._cameras)
        self.side.lot.show_lot(lot if self._base is not None else None)
        camera = self._camera_name(self._place) if self._place != PLAN else ""
        self.side.view.show_view(view_of(lot, self._place) if camera else None, camera)
        self.side.row.show_place(is_plan=self._place == PLAN)
        self._desk.refresh_form()
        self._refresh_state()
        self._say_what_stands()

    def _refresh_state(self) -> None:
        super()._refresh_state()
        self._bar.new.setEnabled(self._may_edit)
        for action in (self._bar.imports, self._bar.carry):
            action.setEnabled(self._is_editable)
        for action in (self._bar.export, self._bar.export_geo):
            action.setEnabled(self._base is not None)
        self._bar.lot.setEnabled(not self._is_saving)
        self._bar.place.setEnabled(self._base is not None and not self._is_saving)
        self._steps.freeze.setVisible(self._place != PLAN)
        self.side.view.set_calibratable(self._why_not_calibrate or (_UNSAVED if self.is_dirty else ""))

    # -- tools

    def _on_point(self, tool: Tool, point: Point) -> None:
        if tool is Tool.PAIRS:
            self._carrying.put(point)
        else:
            self._desk.place(point)

    def _on_chosen(self) -> None:
        if not self._carrying.is_going_on and self.side.tab != "Bays":
            self.side.show_tab("Bays")

    def _on_place_wanted(self) -> None:
        self.open_place(MAP)
        self._on_tool_chosen(Tool.PLACE)

    def _on_tool(self, tool: Tool) -> None:
        if tool in {info.tool for info in TOOLS}:
            self._tools.show_tool(tool)
        if tool is Tool.ROW:
            self.side.show_tab("Bays")
            self._desk.refresh_row()
        self._desk.refresh_form()

    # -- the bars

    def _on_lot_chosen(self) -> None:
        self.open_lot(str(self._bar.lot.currentData()))

    def _on_place_chosen(self) -> None:
        key = str(self._bar.place.currentData())
        if self._carrying.is_going_on:
            self._end_carry()
        self.open_place(key)

    def _on_level_chosen(self) -> None:
        self._refresh()
        self.canvas.fit()

    def _send(self, note: str) -> None:
        if self._base is None:
            return
        lot = self.document.sketch
        problem = problem_of(lot)
        if problem:
            self._after_save = None
            self.notice.say(f"{problem} Draw it again, or remove it; then save.")
            return
        self._is_saving = True
        self._refresh_state()
        self.save_requested.emit(replace(lot, version=self._base.version), note)

    def _begin_new(self) -> None:
        self.side.new_lot.start(
            [(key, name) for key, name in self._counted.items() if key not in self._lots], list(self._lots)
        )
        self.side.show_front(self.side.new_lot)
        self.side.new_lot.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_lot_made(self, lot: Lot) -> None:
        self._leave_for(lambda: self._begin_lot(lot))

    def _begin_lot(self, lot: Lot) -> None:
        self._open(lot)
        self.side.show_forms()
        self._go_to_picture()

    def _on_lot_removal(self) -> None:
        lot = self._base
        if lot is None:
            return

        def remove() -> None:
            if lot.version:
                self.removal_requested.emit(lot.lot_id)
                self.document.mark_saved(self.document.sketch)
            else:
                self._leave(lot)

        said = f"Remove {lot.name} with {len(lot.bays):,} bays? Its history stays."
        self.notice.ask(said, [("Remove it", remove), ("Keep it", lambda: None)])

    def _leave_front(self) -> None:
        self.side.show_forms()
        self._go_to_picture()

    # -- import and export

    def _begin_import(self) -> None:
        self.canvas.set_tool(Tool.SELECT)
        self.side.imports.start(
            self.document.sketch,
            f"the picture of {self._camera_name(self._place)}",
            self._sizes.get(self._place),
            is_plan=self._place == PLAN,
        )
        self.side.show_front(self.side.imports)
        self.side.imports.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_take(self, found: BayFile, same_id: SameId, file_name: str) -> None:
        taken = take_file(self.document.sketch, found, self._place, same_id)
        self.document.apply(taken.lot, f"Import {file_name}")
        self._leave_front()
        if found.is_plan and self._place != PLAN:
            self.open_place(PLAN)
        self._list_places()
        self.canvas.fit()
        matched = f", {taken.n_matched:,} matched by id" if taken.n_matched else ""
        self.told.emit(
            f"{file_name} is drawn: {taken.n_new:,} new bays{matched}.",
            "It counts when it is saved; Ctrl+Z takes it back.",
        )

    def _ask_export(self, suffix: str) -> None:
        kind = "GeoJSON (*.geojson)" if suffix == "geojson" else "Lots (*.json)"
        ask_target(self, "Export the lot", f"{self.lot_id.replace('/', '-')}.{suffix}", kind, self.export_file)

    # -- copying to another place by pairs of points

    def _begin_carry(self) -> None:
        shown = shapes_of(self.document.sketch, self._place, self._bar.shown_level)
        bay_ids = [shape.ref.key for shape in shown if shape.ref.kind is RefKind.BAY]
        source = self._place
        targets = [(key, name) for key, name in ((PLAN, "Plan"), *self._cameras.items()) if key != source]
        if not bay_ids or not targets:
            missing = "there is no other place." if bay_ids else "nothing is drawn here yet."
            self.notice.say(f"Nothing can be copied: {missing} Show the place that bays are copied from.")
            return
        self.side.show_front(self.side.carry)
        self._carrying.start(source, "Plan" if source == PLAN else self._camera_name(source), targets, bay_ids)

    def _on_carry(self) -> None:
        taken = self._carrying.carry(self.document.sketch)
        if taken is None:
            return
        target = self._carrying.target
        where = "the plan" if target == PLAN else self._camera_name(target)
        self.document.apply(taken.lot, f"Copy to {where}")
        self._end_carry()
        self.open_place(target)
        self._list_places()
        n_bays = taken.n_new + taken.n_matched
        self.told.emit(f"{n_bays:,} bays are drawn on {where}.", "Drag them where they are a little off.")

    def _end_carry(self) -> None:
        self._carrying.end()
        self.side.show_forms()

    # -- Qt

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take one file."""
        urls = event.mimeData().urls()
        if len(urls) == 1 and urls[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Show what the file holds."""
        event.acceptProposedAction()
        self.import_file(Path(event.mimeData().urls()[0].toLocalFile()))
