"""The scene editor: draw zones, lines, lanes and masks on a camera's picture, lay the road under it, tune its rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QWidget,
)

from core.cameras.model import Camera
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.vision.classes import missing_for_rules
from core.vision.model import EngineInfo, RuleSetting, Scene
from core.vision.scene_file import read_scene, write_scene
from core.vision.tuning import resting
from widgets.base.file_dialogs import ask_file, ask_target
from widgets.base.focus import order_focus
from widgets.base.theme import look, set_role
from widgets.scene.calibration import at_position, fit
from widgets.scene.canvas import KEYS, SceneCanvas
from widgets.scene.document import Document
from widgets.scene.draft import Tool
from widgets.scene.drawing_editor import DrawingEditor
from widgets.scene.fields import choice_field, fill_choice, show_choice
from widgets.scene.hits import Selection
from widgets.scene.notice import Answer
from widgets.scene.side import SceneSide
from widgets.scene.sketch import Part, Shape, ShapeRef, Sketch, changed, copied, counted, scene_of, sketch_of, with_rule

_SCENES = "Scenes (*.json *.toml)"
_FOOTAGE = "Footage (*.mp4 *.mkv *.avi *.mov *.ts *.m4v *.webm);;All files (*)"
_NONE_CHOSEN = ("No camera is chosen.", "Choose one above, or on the wall.")
_NONE_THERE = ("There is no camera yet.", "Add one in Devices (Ctrl+Shift+D).")
_PICK = "Click the place of road point"


class SceneEditor(DrawingEditor[Sketch, Camera]):
    """One camera's scene at a time. Ctrl+S saves, Ctrl+Z undoes, Ctrl+Shift+Z does again, F holds the picture.

    Signals:
        camera_shown(str): This camera's picture and versions are wanted; empty for none.
        save_requested(str, object, int, str): Camera id, `Scene`, version it was begun on, note.
        position_requested(int): Let the map name a position; answered by `show_position`.
        position_left(): The map need not name it any more.
        view_accepted(str): What this camera shows now is what its scene is drawn for.
        dry_run_requested(str, object, str, float): Camera id, the `Scene` to try, address of the footage (empty for the
            camera's own), and at most so long [s]; answered by `side.dry_run.show_run`.
        dry_run_stop_requested(): Look no further; what was found so far is still wanted.
        dry_run_left(): Nobody wants to know any more: stop it.
    """

    camera_shown = Signal(str)
    save_requested = Signal(str, object, int, str)
    position_requested = Signal(int)
    position_left = Signal()
    view_accepted = Signal(str)
    dry_run_requested = Signal(str, object, str, float)
    dry_run_stop_requested = Signal()
    dry_run_left = Signal()

    THING = "scene"
    EVERYTHING = "the whole picture"
    READ_ONLY = "Changing a scene needs the role supervisor; you see it as it is."
    KEYS = KEYS
    ROOM_EM = 56
    SIDE_EM = (20, 15)

    canvas: SceneCanvas
    side: SceneSide

    def __init__(self, side: SceneSide | None = None, parent: QWidget | None = None) -> None:
        super().__init__(Document(Sketch()), SceneCanvas(), side or SceneSide(), parent)
        self._cameras: dict[str, Camera] = {}
        self._engine: EngineInfo | None = None
        self._focus_new = False
        self._lay_out(self._build_bar())
        self.setAccessibleName("Scene editor")
        self._connect()
        order_focus(self)
        self.setFocusProxy(self.canvas)
        self._refresh()

    # -- what is shown

    @property
    def camera_id(self) -> str:
        """The camera whose scene is open; empty for none."""
        return self.open_id

    def show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        """Take the newest settings of all cameras."""
        ordered = sorted(cameras, key=lambda camera: camera.name)
        self._cameras = {camera.camera_id: camera for camera in ordered}
        fill_choice(self._choice, [(camera.camera_id, camera.name) for camera in ordered])
        show_choice(self._choice, self.camera_id or None)
        if self._base is None:
            self.canvas.show_no_picture(*(_NONE_CHOSEN if ordered else _NONE_THERE))
            return
        now = self._cameras.get(self._base.camera_id)
        if now is None:
            self._on_camera_gone(self._base)
        else:
            self._on_camera_changed(now)

    def show_engine(self, engine: EngineInfo | None) -> None:
        """Take which model looks at the cameras: a rule that has to be told of what it does not know says so."""
        if engine != self._engine:
            self._engine = engine
            self._refresh_faults()

    def open_camera(self, camera_id: str) -> None:
        """Show a camera's scene; unsaved changes of another one are asked for first."""
        camera = self._cameras.get(camera_id)
        if camera is not None and camera_id != self.camera_id:
            self._leave_for(lambda: self._open(camera))

    def follow(self, camera_id: str) -> None:
        """Show the camera that was selected elsewhere, unless something here is not saved."""
        if not self.is_dirty:
            self.open_camera(camera_id)

    def show_picture(self, camera_id: str, image: QImage) -> None:
        """Show a newer picture of the camera."""
        if camera_id == self.camera_id:
            self.canvas.show_picture(image)

    def show_position(self, index: int, position: GeoPoint) -> None:
        """Place a road point on the earth."""
        sketch = self.document.sketch
        if self._is_editable and index < len(sketch.road):
            self.document.apply(at_position(sketch, index, position), f"Place road point {index + 1} on the map")
            road = self.document.sketch.road
            unplaced = (other for other in range(len(road)) if road[other].ground_xy_m is None)
            self.canvas.select(Selection(road=next(unplaced, index)))

    def end_picking(self) -> None:
        """Nobody waits for a click on the map any more."""
        if self.notice.text.startswith(_PICK):
            self.notice.clear()
            self._say_what_stands()

    # -- file

    def import_file(self, path: Path) -> None:
        """Take a scene from a file in place of what is drawn; it can be undone and is not saved by that."""
        try:
            scene = read_scene(path)
        except BadInputError as error:
            self.notice.say(error.message)
            return
        self.document.apply(sketch_of(scene), f"Import {path.name}")
        self.told.emit(f"{path.name} is drawn.", "It counts when it is saved; Ctrl+Z takes it back.")

    def export_file(self, path: Path) -> None:
        """Write what is drawn to a file."""
        try:
            write_scene(scene_of(self.document.sketch), path)
        except (BadInputError, ValueError) as error:
            self.notice.say(str(error))
            return
        self.told.emit(f"The scene is written to {path.name}.", "")

    # -- building

    def _build_bar(self) -> QFrame:
        bar = QFrame(self)
        set_role(bar, "strip")
        gap = look().sizes.gap
        row = QHBoxLayout(bar)
        row.setContentsMargins(gap, gap // 2, gap, gap // 2)
        row.setSpacing(gap)
        self._choice: QComboBox = choice_field("Camera", bar)
        self._choice.setMinimumContentsLength(14)
        self._choice.setPlaceholderText("Choose a camera")
        row.addWidget(self._choice, 1)
        row.addWidget(self._steps)
        self._more = QToolButton(bar)
        self._more.setText("More")
        self._more.setAccessibleName("More: copy, import, export, the view")
        self._more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._more)
        self._copy_from = menu.addAction("Copy from another camera", self._on_copy_wanted)
        self._import = menu.addAction("Import a file", self._on_import)
        self._export = menu.addAction("Export to a file", self._on_export)
        menu.addSeparator()
        self._dry_run = menu.addAction("Dry run over footage", self._on_dry_run)
        self._view_is_right = menu.addAction("The view is right", self._on_view_is_right)
        self._more.setMenu(menu)
        row.addWidget(self._more)
        return bar

    def _connect(self) -> None:
        canvas, side, document = self.canvas, self.side, self.document
        self._connect_steps()
        self._connect_canvas_key("G", self._on_grid)
        self._choice.activated.connect(lambda _row: self.open_camera(str(self._choice.currentData())))
        canvas.change_requested.connect(document.apply)
        canvas.selection_changed.connect(self._on_selection)
        canvas.tool_changed.connect(self._on_tool)
        side.shape_selected.connect(lambda ref: canvas.select(Selection(ref=ref)))
        side.tab_changed.connect(self._refresh_plane)
        side.properties.change_requested.connect(self._on_shape_changed)
        side.properties.turn_requested.connect(canvas.turn_selected)
        side.properties.remove_requested.connect(self._on_remove)
        side.properties.named.connect(self._go_to_picture)
        side.rules.change_requested.connect(self._on_rule)
        side.road.change_requested.connect(lambda sketch, text: document.apply(sketch, text))
        side.road.point_selected.connect(lambda index: canvas.select(Selection(road=index)))
        side.road.map_requested.connect(self._on_map_wanted)
        side.road.remove_requested.connect(self._on_road_removed)
        side.road.grid_toggled.connect(lambda _on: self._refresh_plane())
        side.road.tool_requested.connect(lambda: self._on_tool_chosen(Tool.ROAD))
        side.road.refused.connect(self.notice.say)
        side.copy.copy_requested.connect(self._on_copy)
        side.copy.cancelled.connect(self._on_copy_left)
        side.dry_run.start_requested.connect(self._on_dry_run_started)
        side.dry_run.stop_requested.connect(self.dry_run_stop_requested)
        side.dry_run.cancelled.connect(self._on_dry_run_left)
        side.dry_run.file_wanted.connect(self._on_footage_wanted)

    # -- what is open

    def _id_of(self, kept: Camera) -> str:
        return kept.camera_id

    def _open_name(self) -> str:
        return self._base.name if self._base is not None else ""

    def _drawn(self, kept: Camera) -> Sketch:
        return sketch_of(kept.scene)

    def _newest(self, kept: Camera) -> Camera:
        return self._cameras.get(kept.camera_id, kept)

    def _sketched(self, version: Scene) -> Sketch:
        return sketch_of(version)

    def _show_open(self) -> None:
        show_choice(self._choice, self.camera_id)

    def _open(self, camera: Camera) -> None:
        self._begin(camera)
        self.dry_run_left.emit()
        self.canvas.select(Selection())
        self.canvas.fit()
        self.canvas.show_no_picture("No picture yet.", "What is drawn is shown without it.")
        self.side.show_forms()
        self.document.load(sketch_of(camera.scene))
        show_choice(self._choice, camera.camera_id)
        self._refresh()
        self.camera_shown.emit(camera.camera_id)
        self.versions_requested.emit(camera.camera_id)
        self.opened.emit(camera.camera_id)

    def _on_camera_gone(self, camera: Camera) -> None:
        if not self.is_dirty:
            self._leave(camera)
            return
        answers: list[Answer] = [("Export to a file", self._on_export)]
        if self._may_edit:
            answers.append(("Discard it", lambda: self._leave(camera)))
        drawn = "What you drew" if self._may_edit else "What was drawn"
        said = f"{camera.name} was removed. {drawn} is not saved."
        if self.notice.text != said:
            self.notice.ask(said, answers)

    def _leave(self, camera: Camera) -> None:
        self._base = None
        self._looked_at = self._restoring = None
        self._offer.end()
        self.dry_run_left.emit()
        self.side.show_forms()
        self.document.load(Sketch())
        self.notice.say(f"{camera.name} was removed.")
        self.canvas.show_no_picture(*_NONE_CHOSEN)
        self._refresh()
        self.camera_shown.emit("")

    def _on_camera_changed(self, now: Camera) -> None:
        base = self._base
        if base is None or now.version == base.version:
            return
        theirs = sketch_of(now.scene)
        if theirs == self.document.saved:
            # Another setting of the camera was changed: what is drawn here goes on from there.
            self._base = now
            self._refresh_faults()
        elif theirs == self.document.sketch:
            self._base = now
            self.document.mark_saved(theirs)
            self.versions_requested.emit(now.camera_id)
        elif not self.is_dirty:
            self._base = now
            self.document.load(theirs)
            self.versions_requested.emit(now.camera_id)
            self.told.emit(f"The scene of {now.name} was changed at another desk.", "The newest is shown.")
        elif not self._is_saving:
            self._ask_whose(f"The scene of {now.name} was changed at another desk meanwhile.")

    def _refresh(self) -> None:
        sketch = self.shown
        is_editable = self._is_editable
        self.canvas.show_sketch(sketch)
        self.canvas.set_editable(is_editable)
        self._tools.set_editable(is_editable)
        for page in (self.side.properties, self.side.rules, self.side.road, self.side.versions):
            page.set_editable(is_editable)
        self.side.show_shapes(sketch, self.canvas.selected.ref)
        self._refresh_properties(sketch)
        self.side.rules.show_rules(sketch.rules)
        self._refresh_faults()
        self._refresh_plane()
        self._refresh_state()
        self._say_what_stands()

    def _refresh_faults(self) -> None:
        sketch, engine = self.shown, self._engine
        drawn = Scene(zones=sketch.zones, lanes=sketch.lanes, rules=sketch.rules)
        if self._base is not None and self._base.detect_fps <= 0:
            self.side.rules.show_faults(resting(drawn))
            return
        self.side.rules.show_faults({} if engine is None else missing_for_rules(engine, drawn))

    def _refresh_properties(self, sketch: Sketch) -> None:
        ref = self.canvas.selected.ref
        shape = sketch.shape(ref)
        if ref is None or shape is None:
            self.side.properties.show_nothing()
        else:
            self.side.properties.show_shape(ref, shape)

    def _refresh_plane(self) -> None:
        sketch = self.shown
        found = fit(sketch, self.canvas.aspect)
        self.side.road.show_road(sketch, found)
        self.side.road.show_selected(self.canvas.selected.road)
        is_wanted = self.side.road.wants_grid and (self.side.tab == "Road" or self.canvas.tool is Tool.ROAD)
        self.canvas.show_plane(found.plane if is_wanted else None)
        self.canvas.set_road_shown(self.side.tab == "Road" or self.canvas.tool is Tool.ROAD)

    def _refresh_state(self) -> None:
        super()._refresh_state()
        for action in (self._copy_from, self._import, self._dry_run):
            action.setEnabled(self._is_editable)
        self._view_is_right.setEnabled(self._is_editable)
        self._export.setEnabled(self._base is not None)
        self._choice.setEnabled(not self._is_saving)

    # -- what the operator does

    def _on_view_is_right(self) -> None:
        camera = self._base
        if camera is None:
            return
        said = (
            f'Is what {camera.name} shows now what its scene is drawn for? "Camera moved" ends, and it is learned anew.'
        )
        accept = ("The view is right", lambda: self.view_accepted.emit(camera.camera_id))
        self.notice.ask(said, [accept, ("Cancel", lambda: None)])

    def _on_selection(self, selected: Selection) -> None:
        sketch = self.shown
        self.document.end_merge()
        self.side.show_selected(selected.ref)
        self._refresh_properties(sketch)
        self.side.road.show_selected(selected.road)
        if selected.road is not None:
            self.side.show_tab("Road")
        elif selected.ref is not None:
            self.side.show_tab("Drawn")
            self._name_what_is_new(selected.ref)

    def _name_what_is_new(self, ref: ShapeRef) -> None:
        """Let a shape that has just been drawn be named at once."""
        if self._focus_new and self.document.stack.undoText().startswith("Draw "):
            self.side.properties.focus_name()
        self._focus_new = False

    def _on_tool(self, tool: Tool) -> None:
        self._tools.show_tool(tool)
        self._focus_new = tool is not Tool.SELECT or self._focus_new
        if tool is Tool.ROAD:
            self.side.show_tab("Road")
        self._refresh_plane()

    def _on_shape_changed(self, ref: ShapeRef, shape: Shape, text: str, merge_key: str) -> None:
        self.document.apply(changed(self.document.sketch, ref, lambda _old: shape), text, merge_key)

    def _on_remove(self) -> None:
        self.canvas.select(replace(self.canvas.selected, corner=None))
        self.canvas.delete_selected()

    def _on_road_removed(self, index: int) -> None:
        self.canvas.select(Selection(road=index))
        self.canvas.delete_selected()

    def _on_map_wanted(self, index: int) -> None:
        self.notice.ask(
            f"{_PICK} {index + 1} on the map; the wheel zooms in there.",
            [("Do not pick", self.position_left.emit)],
        )
        self.position_requested.emit(index)

    def _on_rule(self, setting: RuleSetting, text: str) -> None:
        self.document.apply(with_rule(self.document.sketch, setting), text, f"rule-{setting.kind}-{text}")

    def _on_grid(self) -> None:
        self.side.show_tab("Road")
        self._refresh_plane()

    def _send(self, note: str) -> None:
        if self._base is None:
            return
        try:
            scene = scene_of(self.document.sketch)
        except ValueError as error:
            self._after_save = None
            self.side.show_tab("Road")
            self._say_unplaced(str(error))
            return
        self._is_saving = True
        self._refresh_state()
        self.save_requested.emit(self._base.camera_id, scene, self._base.version, note)

    def _say_unplaced(self, sentence: str) -> None:
        road = self.document.sketch.road
        unplaced = next((index for index, point in enumerate(road) if point.ground_xy_m is None), None)
        said = f"{sentence} Type them, use the rectangle, or remove the point."
        if unplaced is None:
            self.notice.say(said)
            return
        remove: Answer = ("Remove the point", lambda: self._on_road_removed(unplaced))
        self.notice.ask(said, [remove, ("Dismiss", lambda: None)])

    def _on_copy_wanted(self) -> None:
        others = tuple(camera for key, camera in self._cameras.items() if key != self.camera_id)
        self.side.copy.show_cameras(others)
        self.side.show_front(self.side.copy)
        self.side.copy.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_copy(self, camera_id: str, parts: tuple[Part, ...]) -> None:
        source = self._cameras.get(camera_id)
        self._on_copy_left()
        if source is None:
            return
        result = copied(self.document.sketch, source.scene, parts)
        self.document.apply(result.sketch, f"Copy from {source.name}")
        words = ", ".join(counted(n, part) for part, n in result.counts.items())
        keys = f" {result.n_new_keys} got a key of their own." if result.n_new_keys else ""
        self.told.emit(f"Copied from {source.name}: {words}.{keys}", "It counts when it is saved.")

    def _on_copy_left(self) -> None:
        self.side.show_forms()
        self._go_to_picture()

    def _on_import(self) -> None:
        ask_file(self, "Import a scene", _SCENES, self.import_file)

    def _on_export(self) -> None:
        ask_target(self, "Export a scene", f"{self.camera_id}.json", _SCENES, self.export_file)

    def _on_dry_run(self) -> None:
        self.side.dry_run.show_nothing()
        self.side.show_front(self.side.dry_run)
        self.side.dry_run.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_dry_run_started(self, footage: str, limit_s: float) -> None:
        try:
            scene = scene_of(self.document.sketch)
        except ValueError as error:
            self.side.dry_run.show_refused(str(error))
            return
        self.dry_run_requested.emit(self.camera_id, scene, footage, limit_s)

    def _on_dry_run_left(self) -> None:
        self.side.show_forms()
        self._go_to_picture()
        self.dry_run_left.emit()

    def _on_footage_wanted(self) -> None:
        ask_file(self, "Choose footage", _FOOTAGE, self.side.dry_run.show_footage)
