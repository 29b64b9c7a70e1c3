"""The scene editor: draw zones, lines, lanes and masks on a camera's picture, lay the road under it, tune its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.cameras.model import Camera, SceneVersion
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.vision.model import RuleSetting, Scene
from core.vision.scene_file import read_scene, write_scene
from widgets.base.focus import order_focus
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock
from widgets.scene.calibration import at_position, fit
from widgets.scene.canvas import KEYS, SceneCanvas
from widgets.scene.document import Document
from widgets.scene.draft import TOOLS, Tool
from widgets.scene.fields import choice_field, show_choice, text_field
from widgets.scene.hits import Selection
from widgets.scene.notice import Answer, Notice
from widgets.scene.side import SceneSide
from widgets.scene.sketch import Part, Shape, ShapeRef, Sketch, changed, copied, counted, scene_of, sketch_of, with_rule
from widgets.scene.tool_row import ToolRow

_SIDE_EM = 20
_WORDS_EM = 46
"""From this many letters of width the tools have their names."""

_ROOM_EM = 56
_FOOTAGE = "Footage (*.mp4 *.mkv *.avi *.mov *.ts *.m4v *.webm);;All files (*)"
_NONE_CHOSEN = ("No camera is chosen.", "Choose one above, or on the wall.")
_NONE_THERE = ("There is no camera yet.", "Add one in Devices (Ctrl+Shift+D).")
_PICK = "Click the place of road point"
_READ_ONLY = "Changing a scene needs the role supervisor; you see it as it is."


class SceneEditor(QWidget):
    """One camera's scene at a time. Ctrl+S saves, Ctrl+Z undoes, Ctrl+Shift+Z does again, F holds the picture.

    Signals:
        camera_shown(str): This camera's picture and versions are wanted; empty for none.
        save_requested(str, object, int, str): Camera id, `Scene`, version it was begun on, note.
        versions_requested(str): Camera id; answered by `show_versions`.
        version_requested(str, int): Camera id and number; answered by `show_version` or `show_version_refused`.
        position_requested(int): Let the map name a position; answered by `show_position`.
        position_left(): The map need not name it any more.
        dry_run_requested(str, object, str, float): Camera id, the `Scene` to try, address of the footage (empty for the
            camera's own), and at most so long [s]; answered by `side.dry_run.show_run`.
        dry_run_stop_requested(): Look no further; what was found so far is still wanted.
        dry_run_left(): Nobody wants to know any more: stop it.
        room_requested(bool): Have the whole window, or give it back.
        told(str, str): A sentence and a hint that need no answer.
    """

    camera_shown = Signal(str)
    save_requested = Signal(str, object, int, str)
    versions_requested = Signal(str)
    version_requested = Signal(str, int)
    position_requested = Signal(int)
    position_left = Signal()
    dry_run_requested = Signal(str, object, str, float)
    dry_run_stop_requested = Signal()
    dry_run_left = Signal()
    room_requested = Signal(bool)
    told = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cameras: dict[str, Camera] = {}
        self._base: Camera | None = None
        self._may_edit = False
        self._is_saving = False
        self._looked_at: tuple[int, Sketch] | None = None
        self._after_save: Callable[[], None] | None = None
        self._restoring: int | None = None
        self._focus_new = False
        self._saved_at: datetime | None = None
        self.document = Document(Sketch(), self)
        self.canvas = SceneCanvas()
        self.side = SceneSide()
        self.notice = Notice()
        self._build()
        self._connect()
        order_focus(self)
        self.setFocusProxy(self.canvas)
        self._refresh()

    # -- what is shown

    @property
    def camera_id(self) -> str:
        """The camera whose scene is open; empty for none."""
        return self._base.camera_id if self._base is not None else ""

    @property
    def is_cramped(self) -> bool:
        """There is hardly room for the picture beside its forms."""
        return self.width() < look().sizes.body * _ROOM_EM

    @property
    def is_dirty(self) -> bool:
        """There is something to save."""
        return self.document.is_dirty

    def show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        """Take the newest settings of all cameras."""
        ordered = sorted(cameras, key=lambda camera: camera.name)
        self._cameras = {camera.camera_id: camera for camera in ordered}
        listed = [(self._choice.itemData(row), self._choice.itemText(row)) for row in range(self._choice.count())]
        if listed != [(camera.camera_id, camera.name) for camera in ordered]:
            self._choice.blockSignals(True)
            self._choice.clear()
            for camera in ordered:
                self._choice.addItem(camera.name, camera.camera_id)
            self._choice.blockSignals(False)
        show_choice(self._choice, self.camera_id or None)
        if self._base is None:
            self.canvas.show_no_picture(*(_NONE_CHOSEN if ordered else _NONE_THERE))
            return
        now = self._cameras.get(self._base.camera_id)
        if now is None:
            self._on_camera_gone(self._base)
        else:
            self._on_camera_changed(now)

    def open_camera(self, camera_id: str) -> None:
        """Show a camera's scene; unsaved changes of another one are asked for first."""
        camera = self._cameras.get(camera_id)
        if camera is None or camera_id == self.camera_id:
            return
        if not self.is_dirty or self._base is None:
            self._open(camera)
            return
        show_choice(self._choice, self.camera_id)
        self.notice.ask(
            f"{self._base.name} has changes that are not saved.",
            [
                ("Save them", lambda: self._save_then(lambda: self._open(camera))),
                ("Discard them", lambda: self._open(camera)),
                ("Stay here", lambda: None),
            ],
        )

    def follow(self, camera_id: str) -> None:
        """Show the camera that was selected elsewhere, unless something here is not saved."""
        if not self.is_dirty:
            self.open_camera(camera_id)

    def show_picture(self, camera_id: str, image: QImage) -> None:
        """Show a newer picture of the camera."""
        if camera_id == self.camera_id:
            self.canvas.show_picture(image)

    def set_may_edit(self, may_edit: bool) -> None:
        """Let the scene be changed, or only looked at."""
        self._may_edit = may_edit
        self._refresh()

    def show_versions(self, camera_id: str, versions: tuple[SceneVersion, ...]) -> None:
        """List who changed the scene and when."""
        if camera_id == self.camera_id:
            self.side.versions.show_versions(versions)

    def show_version(self, camera_id: str, number: int, scene: Scene) -> None:
        """Show an old version that was asked for, or bring it back."""
        if camera_id != self.camera_id:
            return
        if self._restoring == number:
            self._restore(number, sketch_of(scene))
            return
        self._looked_at = (number, sketch_of(scene))
        self.notice.clear()
        self._refresh()

    def show_version_refused(self, camera_id: str, sentence: str, hint: str = "") -> None:
        """Say why an old version cannot be shown; nothing is brought back later."""
        if camera_id == self.camera_id:
            self._restoring = None
            self.notice.say(f"{sentence} {hint}".strip())

    def show_saved(self, camera: Camera) -> None:
        """The node has stored the scene."""
        self._is_saving = False
        self._saved_at = datetime.now(UTC)
        self._note.clear()
        if self._base is not None and camera.camera_id == self._base.camera_id:
            self._base = camera
            self.document.mark_saved(sketch_of(camera.scene))
            self.versions_requested.emit(camera.camera_id)
        self.notice.clear()
        self._refresh()
        then, self._after_save = self._after_save, None
        if then is not None and not self.is_dirty:
            then()

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why the scene was not stored."""
        self._is_saving, self._after_save = False, None
        self.notice.say(f"{sentence} {hint}".strip())
        self._refresh()

    def show_stale(self, sentence: str) -> None:
        """Somebody else was faster: ask whose scene counts."""
        self._is_saving, self._after_save = False, None
        self._ask_whose(sentence)
        self._refresh()

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

    def set_enlarged(self, is_enlarged: bool) -> None:
        """Show whether the editor has the whole window."""
        self._enlarge.setChecked(is_enlarged)

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

    def _build(self) -> None:
        gap = look().sizes.gap
        self._tools = ToolRow(TOOLS)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap)
        column.addWidget(self.canvas, 1)
        self._hint = QLabel(self.canvas.hint, self)
        self._hint.setWordWrap(True)
        self._hint.setToolTip(KEYS)
        self._hint.setMinimumHeight(round(look().sizes.caption * 2.8))
        self._hint.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        set_role(self._hint, "caption")
        column.addWidget(self._hint)
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.addWidget(left)
        self._split.addWidget(self.side)
        self._split.setStretchFactor(0, 1)
        self._split.setStretchFactor(1, 0)
        self._split.setChildrenCollapsible(False)
        self.side.setMinimumWidth(look().sizes.body * 15)
        self._split.setSizes([10_000, look().sizes.body * _SIDE_EM])
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addWidget(self._build_bar())
        page.addWidget(self._tools)
        page.addWidget(self.notice)
        page.addWidget(self._split, 1)
        page.addWidget(self._build_footer())
        left.setContentsMargins(gap, gap, gap, 0)
        self.setAccessibleName("Scene editor")

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
        self._undo = IconButton("undo", "Undo (Ctrl+Z)", bar)
        self._redo = IconButton("redo", "Do again (Ctrl+Shift+Z)", bar)
        self._freeze = IconButton("pause", "Hold the picture (F)", bar)
        self._freeze.setCheckable(True)
        self._fit = IconButton("fit", "Show the whole picture (0)", bar)
        self._enlarge = IconButton("expand", "Use the whole window (F11)", bar)
        self._enlarge.setCheckable(True)
        for button in (self._undo, self._redo, self._freeze, self._fit, self._enlarge):
            row.addWidget(button)
        self._more = QToolButton(bar)
        self._more.setText("More")
        self._more.setAccessibleName("More: copy, import, export")
        self._more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._more)
        self._copy_from = menu.addAction("Copy from another camera", self._on_copy_wanted)
        self._import = menu.addAction("Import a file", self._on_import)
        self._export = menu.addAction("Export to a file", self._on_export)
        menu.addSeparator()
        self._dry_run = menu.addAction("Dry run over footage", self._on_dry_run)
        self._more.setMenu(menu)
        row.addWidget(self._more)
        return bar

    def _build_footer(self) -> QFrame:
        footer = QFrame(self)
        set_role(footer, "panel")
        gap = look().sizes.gap
        row = QHBoxLayout(footer)
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        self._state = QLabel(footer)
        self._note = text_field("What was changed, and why", 400)
        self._note.setPlaceholderText("What was changed, and why (optional)")
        self._discard = QPushButton("Discard", footer)
        self._discard.setToolTip("Go back to what is saved; Ctrl+Z brings it back")
        self._save = QPushButton("Save", footer)
        set_role(self._save, "primary")
        row.addWidget(self._state)
        row.addWidget(self._note, 1)
        row.addWidget(self._discard)
        row.addWidget(self._save)
        return footer

    def _connect(self) -> None:
        canvas, side, document = self.canvas, self.side, self.document
        document.changed.connect(self._refresh)
        document.state_changed.connect(self._refresh_state)
        canvas.change_requested.connect(document.apply)
        canvas.selection_changed.connect(self._on_selection)
        canvas.tool_changed.connect(self._on_tool)
        canvas.hint_changed.connect(self._hint.setText)
        self._tools.tool_chosen.connect(self._on_tool_chosen)
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
        side.versions.look_requested.connect(self._on_look_wanted)
        side.versions.restore_requested.connect(self._on_restore_wanted)
        side.copy.copy_requested.connect(self._on_copy)
        side.copy.cancelled.connect(self._on_copy_left)
        side.dry_run.start_requested.connect(self._on_dry_run_started)
        side.dry_run.stop_requested.connect(self.dry_run_stop_requested)
        side.dry_run.cancelled.connect(self._on_dry_run_left)
        side.dry_run.file_wanted.connect(self._on_footage_wanted)
        self._connect_bars()

    def _connect_bars(self) -> None:
        self.notice.answered.connect(self._say_what_is_looked_at)
        self._choice.activated.connect(lambda _row: self.open_camera(str(self._choice.currentData())))
        self._undo.clicked.connect(self.document.stack.undo)
        self._redo.clicked.connect(self.document.stack.redo)
        self._freeze.toggled.connect(self._on_freeze)
        self._fit.clicked.connect(self.canvas.fit)
        self._enlarge.clicked.connect(self._on_enlarge)
        self._discard.clicked.connect(self._on_discard)
        self._save.clicked.connect(self._on_save)
        self._note.returnPressed.connect(self._on_save)
        for keys, act in (
            ("Ctrl+Z", self._on_undo),
            ("Ctrl+Shift+Z", self._on_redo),
            ("Ctrl+Y", self._on_redo),
            ("Ctrl+S", self._on_save),
        ):
            shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)
        for keys, press in (("F", self._freeze.toggle), ("G", self._on_grid)):
            shortcut = QShortcut(QKeySequence(keys), self.canvas, context=Qt.ShortcutContext.WidgetShortcut)
            shortcut.activated.connect(press)

    # -- what is open

    @property
    def _is_editable(self) -> bool:
        return self._may_edit and self._base is not None and self._looked_at is None

    def _open(self, camera: Camera) -> None:
        self._base = camera
        self._looked_at = self._after_save = self._saved_at = self._restoring = None
        self._is_saving = False
        self.dry_run_left.emit()
        self.notice.clear()
        self.canvas.set_tool(Tool.SELECT)
        self.canvas.select(Selection())
        self.canvas.fit()
        self.canvas.show_no_picture("No picture yet.", "What is drawn is shown without it.")
        self._freeze.setChecked(False)
        self._note.clear()
        self.side.show_forms()
        self.side.versions.show_versions(())
        self.document.load(sketch_of(camera.scene))
        show_choice(self._choice, camera.camera_id)
        self._refresh()
        self.camera_shown.emit(camera.camera_id)
        self.versions_requested.emit(camera.camera_id)

    def _on_camera_gone(self, camera: Camera) -> None:
        if not self.is_dirty:
            self._leave(camera)
            return
        said = f"{camera.name} was removed. What you drew is not saved."
        if self.notice.text != said:
            self.notice.ask(said, [("Export to a file", self._on_export), ("Discard it", lambda: self._leave(camera))])

    def _leave(self, camera: Camera) -> None:
        self._base = None
        self._looked_at = self._restoring = None
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

    def _ask_whose(self, sentence: str) -> None:
        self.notice.ask(
            sentence,
            [("Load theirs", self._load_theirs), ("Overwrite with mine", self._overwrite)],
        )

    def _load_theirs(self) -> None:
        if self._base is None:
            return
        self._base = self._cameras.get(self._base.camera_id, self._base)
        theirs = sketch_of(self._base.scene)
        # As one step: what was drawn here can still be brought back.
        self.document.apply(theirs, "Load the newest scene")
        self.document.mark_saved(theirs)
        self.versions_requested.emit(self._base.camera_id)
        self._refresh()

    def _overwrite(self) -> None:
        if self._base is None:
            return
        self._base = self._cameras.get(self._base.camera_id, self._base)
        self.document.mark_saved(sketch_of(self._base.scene))
        self._on_save()

    def _refresh(self) -> None:
        sketch = self._looked_at[1] if self._looked_at is not None else self.document.sketch
        is_editable = self._is_editable
        self.canvas.show_sketch(sketch)
        self.canvas.set_editable(is_editable)
        self._tools.set_editable(is_editable)
        for page in (self.side.properties, self.side.rules, self.side.road, self.side.versions):
            page.set_editable(is_editable)
        self.side.show_shapes(sketch, self.canvas.selected.ref)
        self._refresh_properties(sketch)
        self.side.rules.show_rules(sketch.rules)
        self._refresh_plane()
        self._refresh_state()
        self._say_what_is_looked_at()

    def _say_what_is_looked_at(self) -> None:
        """Keep the way back in sight, once what was said meanwhile is answered."""
        if self._looked_at is None or self.notice.text:
            return
        number, sketch = self._looked_at
        answers: list[Answer] = [("Back to now", self._stop_looking)]
        if self._may_edit:
            answers.insert(0, ("Restore it", lambda: self._restore(number, sketch)))
        self.notice.ask(f"You look at version {number}. Nothing is changed by that.", answers)

    def _refresh_properties(self, sketch: Sketch) -> None:
        ref = self.canvas.selected.ref
        shape = sketch.shape(ref)
        if ref is None or shape is None:
            self.side.properties.show_nothing()
        else:
            self.side.properties.show_shape(ref, shape)

    def _refresh_plane(self) -> None:
        sketch = self._looked_at[1] if self._looked_at is not None else self.document.sketch
        found = fit(sketch, self.canvas.aspect)
        self.side.road.show_road(sketch, found)
        self.side.road.show_selected(self.canvas.selected.road)
        is_wanted = self.side.road.wants_grid and (self.side.tab == "Road" or self.canvas.tool is Tool.ROAD)
        self.canvas.show_plane(found.plane if is_wanted else None)
        self.canvas.set_road_shown(self.side.tab == "Road" or self.canvas.tool is Tool.ROAD)

    def _refresh_state(self) -> None:
        stack = self.document.stack
        is_editable = self._is_editable
        is_dirty = self.is_dirty and self._base is not None
        self._undo.setEnabled(is_editable and stack.canUndo())
        self._redo.setEnabled(is_editable and stack.canRedo())
        self._undo.setToolTip(f"Undo: {stack.undoText()} (Ctrl+Z)" if stack.canUndo() else "Undo (Ctrl+Z)")
        self._redo.setToolTip(f"Again: {stack.redoText()} (Ctrl+Shift+Z)" if stack.canRedo() else "Do again")
        self._save.setEnabled(is_editable and is_dirty and not self._is_saving)
        self._save.setText("Saving ..." if self._is_saving else "Save")
        self._discard.setEnabled(is_editable and is_dirty and not self._is_saving)
        self._note.setEnabled(is_editable)
        for action in (self._copy_from, self._import, self._dry_run):
            action.setEnabled(is_editable)
        self._export.setEnabled(self._base is not None)
        self._choice.setEnabled(not self._is_saving)
        self._state.setText(self._state_text(is_dirty))

    def _state_text(self, is_dirty: bool) -> str:
        if self._base is None:
            return ""
        if not self._may_edit:
            return _READ_ONLY
        if is_dirty:
            return "●  Not saved"
        return f"Saved {format_clock(self._saved_at)}" if self._saved_at is not None else "Saved"

    # -- what the operator does

    def _on_selection(self, selected: Selection) -> None:
        sketch = self._looked_at[1] if self._looked_at is not None else self.document.sketch
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

    def _on_tool_chosen(self, tool: Tool) -> None:
        self.canvas.set_tool(tool)
        self._tools.show_tool(self.canvas.tool)
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

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

    def _go_to_picture(self) -> None:
        self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_enlarge(self, is_wanted: bool) -> None:
        self._go_to_picture()
        self.room_requested.emit(is_wanted)

    def _on_rule(self, setting: RuleSetting, text: str) -> None:
        self.document.apply(with_rule(self.document.sketch, setting), text, f"rule-{setting.kind}-{text}")

    def _on_freeze(self, is_frozen: bool) -> None:
        self.canvas.set_frozen(is_frozen)
        self._freeze.set_icon_name("play" if is_frozen else "pause")
        self._freeze.setToolTip("Let the picture run (F)" if is_frozen else "Hold the picture (F)")

    def _on_grid(self) -> None:
        self.side.show_tab("Road")
        self._refresh_plane()

    def _on_undo(self) -> None:
        if self._undo.isEnabled():
            self.document.stack.undo()

    def _on_redo(self) -> None:
        if self._redo.isEnabled():
            self.document.stack.redo()

    def _on_discard(self) -> None:
        self.document.apply(self.document.saved, "Discard the changes")

    def _on_save(self) -> None:
        if self._base is None or not self._may_edit or self._is_saving or not self.is_dirty:
            return
        self._send(self._note.text().strip())

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

    def _save_then(self, then: Callable[[], None]) -> None:
        self._after_save = then
        self._on_save()

    def _on_copy_wanted(self) -> None:
        others = tuple(camera for key, camera in self._cameras.items() if key != self.camera_id)
        self.side.copy.show_cameras(others)
        self.side.show_copy()
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
        self._ask_file(QFileDialog.AcceptMode.AcceptOpen, self.import_file)

    def _on_export(self) -> None:
        self._ask_file(QFileDialog.AcceptMode.AcceptSave, self.export_file)

    def _ask_file(self, mode: QFileDialog.AcceptMode, take: Callable[[Path], None]) -> None:
        word = "Import" if mode is QFileDialog.AcceptMode.AcceptOpen else "Export"
        dialog = QFileDialog(self, f"{word} a scene", "", "Scenes (*.json *.toml)")
        dialog.setAcceptMode(mode)
        if mode is QFileDialog.AcceptMode.AcceptSave:
            dialog.setDefaultSuffix("json")
            dialog.selectFile(f"{self.camera_id}.json")
        self._show_dialog(dialog, take)

    def _show_dialog(self, dialog: QFileDialog, take: Callable[[Path], None]) -> None:
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda file: take(Path(file)))
        # Beside the room, not in front of it: alarms can be answered meanwhile.
        dialog.setModal(False)
        dialog.show()

    def _on_dry_run(self) -> None:
        self.side.dry_run.show_nothing()
        self.side.show_dry_run()
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
        self._show_dialog(QFileDialog(self, "Choose footage", "", _FOOTAGE), self.side.dry_run.show_footage)

    def _on_look_wanted(self, number: int) -> None:
        self._restoring = None
        self.version_requested.emit(self.camera_id, number)

    def _on_restore_wanted(self, number: int) -> None:
        self._restoring = number
        self.version_requested.emit(self.camera_id, number)

    def _restore(self, number: int, sketch: Sketch) -> None:
        self._restoring = None
        if self._is_saving or not self._may_edit:
            self.told.emit(
                f"Version {number} is not brought back.", "A scene is being saved." if self._may_edit else _READ_ONLY
            )
            return
        self._looked_at = None
        self.notice.clear()
        self.document.apply(sketch, f"Restore version {number}")
        self._refresh()
        if self.is_dirty:
            self._send(f"Restored from version {number}.")

    def _stop_looking(self) -> None:
        self._looked_at = None
        self._refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let the letters of the tools work wherever they are not being written."""
        if self.canvas.press_tool(event):
            self._go_to_picture()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the tools without words where there is no room for them."""
        super().resizeEvent(event)
        self._tools.set_compact(self.width() < look().sizes.body * _WORDS_EM)
