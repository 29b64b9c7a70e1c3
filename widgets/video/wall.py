"""The video wall: the operator watches cameras, turns pages, enlarges one, and arranges them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from core.cameras.model import Camera
from core.incidents.model import Alarm, SourceKind
from core.kernel.clock import Clock, SystemClock
from core.media.model import StreamReport
from widgets.base.symbols import AlarmMark, Attention, flash_at, mark_of
from widgets.base.theme import look, set_role
from widgets.video.canvas import WallCanvas
from widgets.video.face import TileFace
from widgets.video.layout import (
    CELLS,
    GRID_SIDE,
    Preset,
    WallLayout,
    enlarged,
    for_alarm,
    from_dict,
    put,
    swapped,
    to_dict,
    turned,
    with_alarm_tile,
    with_cameras,
    with_guest,
    with_pin,
    with_preset,
    without_guests,
)
from widgets.video.lower_line import LowerLine
from widgets.video.model import Pictures, Tracks
from widgets.video.overlay import Shown
from widgets.video.popup import Call
from widgets.video.shot import shot_of
from widgets.video.show_menu import ShowMenu
from widgets.video.telemetry import TelemetryTape
from widgets.video.tile import VideoTile
from widgets.video.tour import (
    Tour,
    TourRun,
    TourState,
    advanced,
    interrupted,
    paused,
    resumed,
    started,
    tour_from_dict,
    tour_to_dict,
)
from widgets.video.tour_editor import TourEditor
from widgets.video.wall_popup import Importance, WallPopup
from widgets.video.zoom import STEP

STATUS_PERIOD_MS = 250
VIEW_SETTLE_MS = 150
"""Sizes are told to the workers once a drag of the window pauses this long."""

_GAP_PX = 2
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


_SWITCH_KEYS = {
    Qt.Key.Key_B: "boxes",
    Qt.Key.Key_I: "ids",
    Qt.Key.Key_Z: "zones",
    Qt.Key.Key_R: "trails",
    Qt.Key.Key_D: "telemetry",
}


@dataclass(frozen=True, slots=True)
class _Told:
    """The newest report of a camera, and when it came [s, monotonic]."""

    report: StreamReport
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WallMoment:
    """The wall as it was before an alarm arranged it."""

    layout: WallLayout
    selected: int
    run: TourRun | None
    before_tour: WallLayout | None


class VideoWall(QWidget):
    """Tiles in a chosen division, with a bar of presets and overlay switches above them.

    Keys: arrows select, Enter enlarges and restores, Esc steps out, PgUp and PgDn turn pages, 1 to 9 ask for a camera,
    B boxes, I numbers, Z zones, R trails, D telemetry, Delete empties a tile, Ctrl+arrows move it, menu key for more.
    + and - zoom, 0 shows the whole picture, K pins the tile, S saves a picture, Ctrl+1 to Ctrl+9 show saved layouts,
    T starts or pauses a tour, Shift+T ends it, N and P turn through alarms that wait.

    Signals:
        camera_selected(str): Id of the camera on the selected tile; empty for an empty tile.
        view_changed(dict): Camera id -> (width, height) in px of the screen, of everything that can be seen; the
            workers scale pictures to fit into it. Empty while the wall is hidden.
        camera_number_requested(int): 1 to 9 was pressed for the selected tile; answer with `put_on_selected`.
        goto_requested(str): Show this camera on the map.
        edit_requested(str): Open this camera's settings.
        scene_requested(str): Draw on this camera's picture.
        layout_changed(): Worth saving: see `layout_state`.
        shot_taken(object): A `Shot` of a tile, to be kept.
        said(str, str): A sentence for the operator, and a hint.
    """

    camera_selected = Signal(str)
    view_changed = Signal(dict)
    camera_number_requested = Signal(int)
    goto_requested = Signal(str)
    edit_requested = Signal(str)
    scene_requested = Signal(str)
    layout_changed = Signal()
    shot_taken = Signal(object)
    said = Signal(str, str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._cameras: dict[str, Camera] = {}
        self._reports: dict[str, _Told] = {}
        self._alarms: dict[str, AlarmMark] = {}
        self._counts: dict[str, tuple[Mapping[str, Mapping[str, int]], Mapping[str, int]]] = {}
        self._tapes: Mapping[str, TelemetryTape] = {}
        self._layout = WallLayout()
        self._selected = 0
        self._shown = Shown()
        self._tiles: list[VideoTile] = []
        self._by_camera: dict[str, VideoTile] = {}
        self._faces: dict[str, TileFace] = {}
        self._view: dict[str, tuple[int, int]] = {}
        self._used_s: dict[int, float] = {}
        self._is_arranging = False
        self._saved: dict[str, WallLayout] = {}
        self._renaming = ""
        self._tours: dict[str, Tour] = {}
        self._run: TourRun | None = None
        self._before_tour: WallLayout | None = None
        self._before_alarm: WallMoment | None = None
        self._ticked_s = self._clock.monotonic()
        self._popup = WallPopup(
            layout=lambda: self._layout,
            show=self._show_for_now,
            importance=self._importance,
        )
        self._build()
        self._status_timer = self._make_timer(STATUS_PERIOD_MS, self._on_status_tick)
        self._view_timer = self._make_timer(VIEW_SETTLE_MS, self._tell_view)
        self._view_timer.setSingleShot(True)
        self.setAccessibleName("Video wall")
        self._arrange()

    def _make_timer(self, interval_ms: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer

    def _build(self) -> None:
        bar = QFrame(self)
        set_role(bar, "strip")
        row = QHBoxLayout(bar)
        gap = look().sizes.gap
        row.setContentsMargins(gap, gap // 2, gap, gap // 2)
        row.setSpacing(gap // 2)
        # No exclusive button group: it takes buttons out of the way of the Tab key.
        self._presets: dict[Preset, QToolButton] = {}
        for preset in Preset:
            button = self._switch(preset.value, f"Divide the wall: {preset.value}", bar)
            button.clicked.connect(lambda _=False, chosen=preset: self.set_preset(chosen))
            self._presets[preset] = button
            row.addWidget(button)
        row.addStretch(1)
        self._layouts_menu, self._tours_menu, self._show = QMenu(self), QMenu(self), ShowMenu(self)
        self._layouts_menu.aboutToShow.connect(self._fill_layouts_menu)
        self._tours_menu.aboutToShow.connect(self._fill_tours_menu)
        self._show.changed.connect(self._on_switch)
        self._show.popups_switched.connect(self._on_popups)
        for text, tip, menu in (
            ("Layouts", "Saved layouts (Ctrl+1 to Ctrl+9)", self._layouts_menu),
            ("Tours", "Cameras and layouts one after the other (T)", self._tours_menu),
            ("Show", "What is drawn on the pictures, and whether alarms bring theirs", self._show),
        ):
            button = self._switch(text, tip, bar)
            button.setCheckable(False)
            button.setMenu(menu)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            row.addWidget(button)
        self._canvas = WallCanvas(self)
        self._canvas.resized.connect(self._on_canvas_resized)
        self._canvas.ratio_changed.connect(self._view_timer_start)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._canvas, 1)
        self._build_lower(column)

    def _build_lower(self, column: QVBoxLayout) -> None:
        self._lower = LowerLine(self)
        self._lower.page_turned.connect(self.turn_page)
        self._lower.name_given.connect(self._on_name)
        self._lower.tour_toggled.connect(self.toggle_tour)
        self._lower.tour_ended.connect(self.end_tour)
        self._lower.alarm_stepped.connect(self.step_alarm)
        self._lower.alarm_dismissed.connect(self._on_dismiss)
        column.addWidget(self._lower)
        self._editor: TourEditor | None = None

    @staticmethod
    def _switch(text: str, name: str, parent: QWidget) -> QToolButton:
        button = QToolButton(parent)
        button.setText(text)
        button.setCheckable(True)
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_role(button, "quiet")
        return button

    # -- what is shown

    def show_cameras(self, cameras: Iterable[Camera]) -> None:
        """Take over every camera there is; new ones get the first empty tile."""
        self._cameras = {camera.camera_id: camera for camera in cameras}
        for camera_id in (self._reports.keys() | self._counts.keys()) - self._cameras.keys():
            self._reports.pop(camera_id, None)
            self._counts.pop(camera_id, None)
        if self._before_tour is not None:
            self._before_tour = with_cameras(self._before_tour, self._cameras)
        if self._before_alarm is not None:
            kept = frozenset(self._cameras).intersection(camera for camera in self._layout.slots if camera)
            self._change(with_cameras(self._layout, kept))
            return
        self._change(with_cameras(self._layout, self._cameras))

    def show_report(self, report: StreamReport) -> None:
        """Show how a stream is; a report that was shown before tells nothing new."""
        known = self._reports.get(report.camera_id)
        if known is not None and known.report is report:
            return
        self._reports[report.camera_id] = _Told(report, self._clock.monotonic())
        tile = self._by_camera.get(report.camera_id)
        if tile is not None:
            tile.show_report(report)

    def show_frames(self, frames: Pictures) -> None:
        """Show newer pictures; those of cameras that cannot be seen are dropped."""
        tiles, faces, newer = self._by_camera, self._faces, []
        for camera_id, frame in frames:
            face = faces.get(camera_id)
            if face is None:
                continue
            if face.standing is not None:
                face.take(frame)
            elif not tiles[camera_id].show_frame(frame):
                continue
            newer.append(face)
        self._canvas.show_pictures(newer)

    def show_tracks(self, camera_id: str, tracks: Tracks) -> None:
        """Keep boxes for the pictures to come."""
        face = self._faces.get(camera_id)
        if face is not None:
            face.take_tracks(tracks)

    def show_counts(
        self, camera_id: str, counts: Mapping[str, Mapping[str, int]], gaps: Mapping[str, int] | None = None
    ) -> None:
        """Show counts of a camera: key of line or zone -> direction -> number; and key of line -> minutes missing."""
        self._counts[camera_id] = counts, gaps or {}
        tile = self._by_camera.get(camera_id)
        if tile is not None:
            tile.show_counts(counts, gaps)

    def show_telemetry(self, tapes: Mapping[str, TelemetryTape]) -> None:
        """Write onto the pictures of these cameras, by id, what their drones said."""
        self._tapes = tapes
        for camera_id, tile in self._by_camera.items():
            tile.show_telemetry(tapes.get(camera_id))

    def show_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Mark the cameras that have open alarms, each with its highest one; unacknowledged ones come first."""
        by_camera: dict[str, list[Alarm]] = defaultdict(list)
        for alarm in alarms:
            if alarm.source_kind is SourceKind.CAMERA and alarm.is_open:
                by_camera[alarm.source_id].append(alarm)
        self._alarms = {camera_id: mark for camera_id, some in by_camera.items() if (mark := mark_of(some))}
        for camera_id, tile in self._by_camera.items():
            tile.show_alarm(self._alarms.get(camera_id))

    def bring(self, camera_id: str, *, from_alarm: bool = False) -> None:
        """Make sure a camera can be seen, and select it; Esc brings back what stood there.

        It takes the selected tile, or where that is pinned the one that was used least. An alarm that waits for its
        turn is shown at once, where alarms are shown.
        """
        if camera_id not in self._cameras:
            return
        self._operator_acted()
        if from_alarm and self._popup.choose(camera_id):
            self._show_queue()
        if self._tile_at_sight(camera_id) is None:
            self._change(self._layout_with(camera_id, is_alarm=from_alarm))
        tile = self._tile_at_sight(camera_id)
        if tile is not None:
            self._select(tile, has_focus=False)

    def _tile_at_sight(self, camera_id: str) -> int | None:
        cameras = self._layout.cameras
        return next((tile for tile in self._layout.visible if cameras[tile] == camera_id), None)

    def _layout_with(self, camera_id: str, *, is_alarm: bool) -> WallLayout:
        """Return the wall with a camera that cannot be seen now, on its own tile where this page has one."""
        layout = self._layout
        if layout.enlarged is not None and self._is_pinned(layout.enlarged):
            layout = enlarged(layout, None)
        if layout.enlarged is not None:
            changed = with_guest(layout, layout.enlarged, camera_id)
            return enlarged(changed, changed.cameras.index(camera_id))
        is_taken = is_alarm or self._is_pinned(self._selected)
        return with_guest(layout, self._least_used(layout) if is_taken else self._selected, camera_id)

    def show_together(self, camera_ids: Iterable[str]) -> None:
        """Show the cameras that see an alarm, the first one largest; `put_back` ends it.

        Asked again, as for the next alarm, it is still the first arrangement that comes back.
        """
        known = [camera_id for camera_id in camera_ids if camera_id in self._cameras]
        if not known:
            return
        if self._before_alarm is None:
            self._before_alarm = WallMoment(
                layout=self._layout, selected=self._selected, run=self._run, before_tour=self._before_tour
            )
        self._operator_acted()
        self._show_for_now(for_alarm(self._before_alarm.layout, known))
        self._replace_popup()
        self._select(0, has_focus=False)

    def put_back(self) -> None:
        """Show the arrangement again that stood before `show_together`, and let its tour go on."""
        moment, self._before_alarm = self._before_alarm, None
        if moment is None:
            return
        self._before_tour = moment.before_tour
        self._show_for_now(with_cameras(moment.layout, self._cameras))
        self._set_run(moment.run)
        self._replace_popup()
        self._select(min(moment.selected, self._layout.n_tiles - 1), has_focus=False)

    def _is_pinned(self, tile: int) -> bool:
        return self._layout.cameras[tile] in self._layout.pinned

    def _least_used(self, layout: WallLayout) -> int:
        return min(layout.visible, key=lambda tile: self._importance(layout, tile))

    def _importance(self, layout: WallLayout, tile: int) -> Importance:
        """Return how much a tile matters: an empty one nothing, one with an alarm much, a pinned one most."""
        camera_id = layout.cameras[tile]
        if camera_id is None:
            return (0, 0, 0, 0.0, -tile)
        _, _, columns, _ = CELLS[layout.preset][tile]
        mark = self._alarms.get(camera_id)
        alarm = 0 if mark is None else (5 if mark.attention is Attention.NONE else 10) - int(mark.priority)
        # What is pinned stays while anything else can go; the selected tile is what the operator watches, a large one
        # is large on purpose.
        rank = 1 + alarm + (100 if camera_id in layout.pinned else 0)
        return (rank, columns, int(tile == self._selected), self._used_s.get(tile, 0.0), -tile)

    # -- alarms that bring their camera

    def show_calls(self, calls: Iterable[Call]) -> None:
        """Take over every alarm that calls and has a camera; the most urgent one's camera comes onto the wall."""
        had_alarm = self._popup.queue.current is not None
        known = [call for call in calls if call.camera_id in self._cameras]
        if self._popup.is_on and known and not had_alarm:
            self._interrupt_tour()
        self._popup.show_calls(known)
        self._after_alarm()

    def _after_alarm(self) -> None:
        """Let a tour go on that made way for the last alarm, and say which ones wait."""
        if self._popup.queue.current is None and self._run is not None and self._run.state is TourState.INTERRUPTED:
            self._set_run(resumed(self._run))
            self._show_stop()
        self._show_queue()

    def step_alarm(self, n: int) -> None:
        """Show the next alarm that waits, or the one before."""
        self._popup.step(n)
        self._show_queue()

    def _show_queue(self) -> None:
        queue = self._popup.queue
        problem = self._popup.problem if self._popup.is_on else "pop-up is off"
        self._write(lambda: self._lower.show_queue(queue, problem))
        current = queue.current if self._popup.is_on else None
        for tile in self._tiles:
            is_here = current is not None and tile.camera_id == current.camera_id
            place = f"  {queue.place} of {len(queue.calls)}" if len(queue.calls) > 1 else ""
            tile.set_note(f"{current.title}{place}" if is_here and current is not None else "")

    def _on_dismiss(self) -> None:
        self._popup.dismiss()
        self._after_alarm()

    def _on_popups(self, is_on: bool) -> None:
        self._popup.switch(is_on=is_on)
        self._show_queue()
        self.layout_changed.emit()

    # -- saved layouts

    @property
    def saved_layouts(self) -> tuple[str, ...]:
        """Names of the saved layouts, in the order of their keys."""
        return tuple(self._saved)

    def save_layout(self, name: str) -> None:
        """Keep the arrangement under a name; one of that name is replaced."""
        self._saved[name] = replace(self._base_layout(), guests=(), enlarged=None)
        self.layout_changed.emit()
        self.said.emit(f"The layout {name} is saved.", self._key_hint(name))

    def rename_layout(self, old: str, new: str) -> None:
        """Give a saved layout another name; tours follow."""
        if old not in self._saved or new == old:
            return
        if new in self._saved:
            self.said.emit(f"There is a layout {new} already.", "Choose another name.")
            return
        self._saved = {new if name == old else name: kept for name, kept in self._saved.items()}
        for name, tour in self._tours.items():
            stops = tuple(replace(stop, layout_name=new) if stop.layout_name == old else stop for stop in tour.stops)
            self._tours[name] = replace(tour, stops=stops)
        if self._run is not None:
            self._run = replace(self._run, tour=self._tours.get(self._run.tour.name, self._run.tour))
        self.layout_changed.emit()

    def delete_layout(self, name: str) -> None:
        """Forget a saved layout; the wall stays as it is."""
        if self._saved.pop(name, None) is not None:
            self.layout_changed.emit()

    def show_layout(self, name: str) -> None:
        """Arrange the wall as it was saved; cameras that came since stand behind."""
        kept = self._saved.get(name)
        if kept is None:
            return
        self.end_tour()
        self._change(with_cameras(kept, self._cameras) if self._cameras else kept)
        self._select(self._layout.visible[0], has_focus=False)
        self._replace_popup()

    def _key_hint(self, name: str) -> str:
        at = list(self._saved).index(name) + 1
        return f"Ctrl+{at} shows it." if at <= 9 else "The menu Layouts shows it."

    def _fill_layouts_menu(self) -> None:
        menu = self._layouts_menu
        _clear_menu(menu)
        for at, name in enumerate(self._saved, 1):
            menu.addAction(f"{name}\tCtrl+{at}" if at <= 9 else name, partial(self.show_layout, name))
        if self._saved:
            menu.addSeparator()
        menu.addAction("Save this layout as \N{HORIZONTAL ELLIPSIS}", partial(self._ask_name, ""))
        for title, act in (
            ("Save this layout over", self.save_layout),
            ("Rename", self._ask_name),
            ("Delete", self.delete_layout),
        ):
            part = menu.addMenu(title)
            part.setEnabled(bool(self._saved))
            for name in self._saved:
                part.addAction(name, partial(act, name))

    def _ask_name(self, renamed: str) -> None:
        self._renaming = renamed
        self._lower.ask_name("New name of the layout" if renamed else "Name of the layout", renamed)

    def _on_name(self, name: str) -> None:
        if self._renaming:
            self.rename_layout(self._renaming, name)
        elif name in self._saved:
            self.said.emit(f"There is a layout {name} already.", "Layouts, Save this layout over replaces it.")
        else:
            self.save_layout(name)
        self._tiles[self._selected].setFocus(Qt.FocusReason.OtherFocusReason)

    # -- tours

    def keep_tour(self, tour: Tour, old_name: str = "") -> None:
        """Keep a tour; it takes the place of the one called `old_name`."""
        if old_name and old_name != tour.name:
            self._tours.pop(old_name, None)
        self._tours[tour.name] = tour
        self.layout_changed.emit()

    def delete_tour(self, name: str) -> None:
        """Forget a tour."""
        if self._run is not None and self._run.tour.name == name:
            self.end_tour()
        if self._tours.pop(name, None) is not None:
            self.layout_changed.emit()

    def start_tour(self, name: str) -> None:
        """Begin a tour at its first stop; the arrangement comes back when it ends."""
        tour = self._tours.get(name)
        if tour is None:
            return
        self.end_tour()
        self._before_tour = replace(self._layout, guests=(), enlarged=None)
        self._set_run(started(tour))
        if self._popup.is_on and self._popup.queue.current is not None:
            self._interrupt_tour()
        else:
            self._show_stop()

    def toggle_tour(self) -> None:
        """Pause the tour, let it go on, or start the first one there is."""
        if self._run is None:
            if self._tours:
                self.start_tour(next(iter(self._tours)))
            else:
                self.said.emit("There is no tour yet.", "Tours, New tour makes one.")
        elif self._run.state is TourState.RUNNING:
            self._set_run(paused(self._run, "T goes on."))
        else:
            self._set_run(resumed(self._run))
            self._show_stop()

    def end_tour(self) -> None:
        """Stop the tour and bring the arrangement back."""
        if self._run is None:
            return
        self._set_run(None)
        before, self._before_tour = self._before_tour, None
        if before is not None:
            self._show_for_now(before)
        self._replace_popup()

    def _operator_acted(self) -> None:
        """Whoever uses the wall has it: a running tour waits."""
        if self._run is not None and self._run.state is TourState.RUNNING:
            self._set_run(paused(self._run, "you used the wall. T goes on."))

    def _interrupt_tour(self) -> None:
        if self._run is None or self._run.state is TourState.PAUSED:
            return
        self._set_run(interrupted(self._run, "an alarm has the wall."))
        if self._before_tour is not None:
            self._show_for_now(self._before_tour)

    def _set_run(self, run: TourRun | None) -> None:
        self._run = run
        stop_name = self._stop_name(run) if run is not None else ""
        self._write(lambda: self._lower.show_tour(run, stop_name))

    def _write(self, tell: Callable[[], None]) -> None:
        """Change the lower line: where a button goes that has the focus, that is no use of the tile that gets it."""
        had_focus = _holds_focus(self._lower)
        self._is_arranging = True
        tell()
        self._is_arranging = False
        if had_focus and not _holds_focus(self._lower):
            self._tiles[self._selected].setFocus(Qt.FocusReason.OtherFocusReason)

    def _stop_name(self, run: TourRun) -> str:
        camera = self._cameras.get(run.stop.camera_id)
        return camera.name if camera is not None else run.stop.layout_name

    def _show_stop(self) -> None:
        if self._run is None or self._before_tour is None:
            return
        stop = self._run.stop
        if stop.camera_id in self._cameras:
            layout = self._before_tour
            seen = [tile for tile, camera_id in enumerate(layout.cameras) if camera_id == stop.camera_id]
            if not seen:
                layout = with_guest(layout, 0, stop.camera_id)
            self._show_for_now(enlarged(layout, seen[0] if seen else 0))
        elif stop.layout_name in self._saved:
            self._show_for_now(with_cameras(self._saved[stop.layout_name], self._cameras))
        # A stop whose camera or layout is gone is passed over in its time: the rest of the tour goes on.

    def _move_tour(self, seconds: float) -> None:
        if self._run is None:
            return
        moved = advanced(self._run, seconds)
        is_next = moved.at != self._run.at or moved.left_s > self._run.left_s
        self._set_run(moved)
        if is_next:
            self._show_stop()

    def _fill_tours_menu(self) -> None:
        menu = self._tours_menu
        _clear_menu(menu)
        for name in self._tours:
            menu.addAction(name, partial(self.start_tour, name))
        if self._tours:
            menu.addSeparator()
        menu.addAction("New tour \N{HORIZONTAL ELLIPSIS}", partial(self._edit_tour, ""))
        for title, act in (("Change", self._edit_tour), ("Delete", self.delete_tour)):
            part = menu.addMenu(title)
            part.setEnabled(bool(self._tours))
            for name in self._tours:
                part.addAction(name, partial(act, name))

    def _edit_tour(self, name: str) -> None:
        if self._editor is None:
            self._editor = TourEditor(self._canvas)
            self._editor.saved.connect(self.keep_tour)
            self._editor.closed.connect(self._editor.hide)
        names = {
            camera.camera_id: camera.name
            for camera in sorted(self._cameras.values(), key=lambda camera: camera.name.casefold())
        }
        self._place_editor()
        self._editor.edit(self._tours.get(name), names, self._saved, self._tours)

    def _place_editor(self) -> None:
        if self._editor is not None:
            room = self._canvas.rect()
            width = min(room.width(), look().sizes.body * 21)
            self._editor.setGeometry(room.right() + 1 - width, 0, width, room.height())

    # -- what the operator arranges

    @property
    def selected_camera_id(self) -> str:
        """Camera on the selected tile; empty for an empty tile."""
        return self._layout.cameras[self._selected] or ""

    @property
    def visible_camera_ids(self) -> tuple[str, ...]:
        """Cameras that can be seen, in the order of their tiles."""
        cameras = self._layout.cameras
        return tuple(camera for tile in self._layout.visible if (camera := cameras[tile]) is not None)

    def tile_of(self, camera_id: str) -> VideoTile | None:
        """Return the tile that shows a camera."""
        return self._by_camera.get(camera_id)

    def _base_layout(self) -> WallLayout:
        """Return the operator's own arrangement, also while a tour shows others."""
        if self._before_tour is not None:
            return self._before_tour
        return self._layout if self._before_alarm is None else self._before_alarm.layout

    def layout_state(self) -> dict[str, Any]:
        """Return the arrangement, the saved ones and the tours as plain data, for saving."""
        return to_dict(self._base_layout()) | {
            "boxes": self._shown.boxes,
            "ids": self._shown.ids,
            "zones": self._shown.zones,
            "trails": self._shown.trails,
            "telemetry": self._shown.telemetry,
            "hidden_labels": sorted(self._shown.hidden_labels),
            "popups": self._show.has_popups,
            "saved": {name: to_dict(kept) for name, kept in self._saved.items()},
            "tours": [tour_to_dict(tour) for tour in self._tours.values()],
        }

    def restore_layout(self, state: Mapping[str, Any]) -> None:
        """Take over what `layout_state` returned; cameras that are gone leave empty tiles."""
        layout = from_dict(state)
        if self._cameras:
            layout = with_cameras(layout, self._cameras)
        self._show.restore(state)
        saved, tours = state.get("saved"), state.get("tours")
        if isinstance(saved, Mapping):
            self._saved = {str(name): from_dict(kept) for name, kept in saved.items() if isinstance(kept, Mapping)}
        if isinstance(tours, list | tuple):
            self._tours = {tour.name: tour for item in tours if (tour := tour_from_dict(item)) is not None}
        self._change(layout)

    def set_preset(self, preset: Preset) -> None:
        """Divide the wall."""
        self._operator_acted()
        camera_id = self.selected_camera_id
        self._change(with_preset(self._layout, preset))
        cameras = self._layout.cameras
        self._select(cameras.index(camera_id) if camera_id and camera_id in cameras else 0, has_focus=False)
        self._replace_popup()

    def turn_page(self, n_pages: int) -> None:
        """Turn pages forward or, below zero, back."""
        self._operator_acted()
        page = self._layout.page
        self._change(turned(self._layout, n_pages))
        if self._layout.page != page:
            self._select(0, has_focus=False)
            self._replace_popup()

    def put_on_selected(self, camera_id: str) -> None:
        """Put a camera on the selected tile for good."""
        self._put(self._selected, camera_id)

    def _put(self, tile: int, camera_id: str) -> None:
        if camera_id in self._cameras:
            self._operator_acted()
            self._change(put(self._layout, tile, camera_id))
            self._popup.forget_tile(tile)
            self._show_queue()
            self._select(tile, has_focus=False)

    def toggle_pin(self) -> None:
        """Keep the selected tile for the operator alone, or give it free."""
        if self.selected_camera_id:
            self._change(with_pin(self._layout, self.selected_camera_id))

    def take_shot(self) -> None:
        """Keep the picture of the selected tile."""
        camera = self._cameras.get(self.selected_camera_id)
        tile = self._by_camera.get(self.selected_camera_id)
        if camera is None or tile is None or tile.frame is None:
            self.said.emit("There is no picture to save on this tile.", "Select a tile that shows one.")
            return
        shot = shot_of(camera, tile.frame, tile.boxes_at)
        if shot is None:
            self.said.emit("The picture is not saved: a newer one came while it was copied.", "Save it again.")
            return
        self.shot_taken.emit(shot)

    def _replace_popup(self) -> None:
        """The wall was divided anew: what an alarm brought needs its tile again."""
        if self._popup.queue.current is not None:
            self._popup.place()
            self._show_queue()

    def toggle_enlarged(self) -> None:
        """Let the selected tile fill the wall, or show all again."""
        is_all = self._layout.enlarged is None
        self._change(enlarged(self._layout, self._selected if is_all else None))

    def step_out(self) -> bool:
        """Undo the last of: a drag, a zoom, an enlarged tile, an alarm's camera, one that was brought.

        False where there is nothing.
        """
        n_dragged = sum(tile.end_drag() for tile in self._tiles)
        if n_dragged:
            for tile in self._tiles:
                tile.set_drop_target(False)
            return True
        self._operator_acted()
        if self._tiles[self._selected].reset_zoom():
            return True
        if self._layout.enlarged is not None:
            self._change(enlarged(self._layout, None))
            return True
        if self._popup.dismiss():
            self._after_alarm()
            return True
        if self._layout.guests:
            self._change(without_guests(self._layout))
            return True
        return False

    # -- from layout to tiles

    def _change(self, layout: WallLayout) -> None:
        is_kept_changed = to_dict(layout) != to_dict(self._layout)
        self._layout = layout
        self._arrange()
        # What a tour or an alarm shows, and what is changed while it does, is for the moment.
        if is_kept_changed and self._before_tour is None and self._before_alarm is None:
            self.layout_changed.emit()

    def _show_for_now(self, layout: WallLayout) -> None:
        """Show an arrangement that is not worth keeping."""
        if layout != self._layout:
            self._layout = layout
            self._arrange()

    def _arrange(self) -> None:
        layout = self._layout
        had_focus = self._has_focus()
        self._is_arranging = True
        while len(self._tiles) < layout.n_tiles:
            self._tiles.append(self._make_tile(len(self._tiles)))
        guests = dict(layout.guests)
        cameras, visible = layout.cameras, set(layout.visible)
        self._by_camera, self._faces = {}, {}
        for index, tile in enumerate(self._tiles):
            camera_id = cameras[index] if index in visible else None
            camera = self._cameras.get(camera_id) if camera_id is not None else None
            self._fill(tile, camera, is_guest=index in guests)
            tile.set_pinned(camera_id is not None and camera_id in layout.pinned)
            tile.setVisible(index in visible)
        self._selected = min(self._selected, layout.n_tiles - 1)
        if self._selected not in visible:
            self._selected = layout.visible[0]
        for index, tile in enumerate(self._tiles):
            tile.set_selected(index == self._selected)
        self._place()
        self._refresh_bar()
        # Qt hands the focus of a hidden tile to whatever comes next.
        if had_focus and not (self._editor is not None and self._editor.isVisible()):
            self._tiles[self._selected].setFocus(Qt.FocusReason.OtherFocusReason)
        self._is_arranging = False
        self._view_timer.start()

    def _fill(self, tile: VideoTile, camera: Camera | None, *, is_guest: bool) -> None:
        is_other = tile.camera_id != (camera.camera_id if camera else None)
        tile.show_camera(camera, is_guest=is_guest)
        if camera is None:
            return
        self._by_camera[camera.camera_id] = tile
        self._faces[camera.camera_id] = tile.face
        if not is_other:
            return
        told = self._reports.get(camera.camera_id)
        if told is not None:
            tile.show_report(told.report, age_s=self._clock.monotonic() - told.at_s)
        tile.show_counts(*self._counts.get(camera.camera_id, ({}, {})))
        tile.show_telemetry(self._tapes.get(camera.camera_id))
        tile.show_alarm(self._alarms.get(camera.camera_id))

    def _make_tile(self, index: int) -> VideoTile:
        tile = VideoTile(self._clock, self._canvas)
        tile.set_shown(self._shown)
        tile.chosen.connect(lambda: self._on_chosen(index))
        tile.used.connect(lambda: self._on_used(index))
        tile.enlarge_requested.connect(lambda: self._on_enlarge(index))
        tile.menu_requested.connect(lambda at: self._on_menu(index, at))
        tile.dragged.connect(lambda at: self._on_dragged(index, at))
        tile.drag_ended.connect(lambda at: self._on_drag_ended(index, at))
        tile.camera_dropped.connect(lambda camera_id: self._put(index, camera_id))
        tile.shown_size_changed.connect(self._view_timer_start)
        return tile

    def _on_canvas_resized(self) -> None:
        self._place()
        self._place_editor()

    def _view_timer_start(self) -> None:
        self._view_timer.start()

    def _place(self) -> None:
        """Give each visible tile its place; edges fall on whole pixels and leave one gap between any two."""
        room = self._canvas.rect()
        side = GRID_SIDE[self._layout.preset]
        for index, (column, row, columns, rows) in enumerate(CELLS[self._layout.preset]):
            if self._layout.enlarged is not None:
                if index == self._layout.enlarged:
                    self._tiles[index].setGeometry(room)
                continue
            left = round(column * (room.width() + _GAP_PX) / side)
            right = round((column + columns) * (room.width() + _GAP_PX) / side) - _GAP_PX
            top = round(row * (room.height() + _GAP_PX) / side)
            bottom = round((row + rows) * (room.height() + _GAP_PX) / side) - _GAP_PX
            self._tiles[index].setGeometry(QRect(QPoint(left, top), QSize(max(1, right - left), max(1, bottom - top))))
        self._canvas.show_tiles([self._tiles[index] for index in self._layout.visible])

    def _has_focus(self) -> bool:
        """Whether the keyboard is at a tile now; whoever types elsewhere keeps it."""
        return _holds_focus(self._canvas)

    def _refresh_bar(self) -> None:
        for preset, button in self._presets.items():
            button.setChecked(preset is self._layout.preset)
        self._lower.show_page(self._layout.page, self._layout.n_pages)

    def _select(self, index: int, *, has_focus: bool = True) -> None:
        self._selected = index
        for at, tile in enumerate(self._tiles):
            tile.set_selected(at == index)
        if has_focus or self._has_focus():
            self._tiles[index].setFocus(Qt.FocusReason.OtherFocusReason)
        self.camera_selected.emit(self.selected_camera_id)

    # -- slots

    def _on_chosen(self, index: int) -> None:
        if self._is_arranging:
            return
        self._on_used(index)
        self._select(index)

    def _on_used(self, index: int) -> None:
        self._used_s[index] = self._clock.monotonic()
        self._operator_acted()

    def _tell_view(self) -> None:
        view: dict[str, tuple[int, int]] = {}
        if self.isVisible():
            for camera_id, tile in self._by_camera.items():
                size = tile.picture_room()
                view[camera_id] = (size.width(), size.height())
        if view != self._view:
            self._view = view
            self.view_changed.emit(view)

    def _on_status_tick(self) -> None:
        now_s = self._clock.monotonic()
        self._move_tour(now_s - self._ticked_s)
        self._ticked_s = now_s
        flash = flash_at(now_s, look())
        for tile in self._by_camera.values():
            tile.refresh_status()
            tile.set_flash(flash)
            due_s = tile.stale_in_s()
            if due_s is not None and 0 <= due_s < STATUS_PERIOD_MS / 1000:
                # A badge that waited for the next turn would be late.
                QTimer.singleShot(round(due_s * 1000) + 5, tile, tile.refresh_status)

    def _on_switch(self) -> None:
        self._shown = self._show.shown
        for tile in self._tiles:
            tile.set_shown(self._shown)
        self.layout_changed.emit()

    def _on_enlarge(self, index: int) -> None:
        self._on_chosen(index)
        self.toggle_enlarged()

    def _tile_at(self, at: QPoint) -> int | None:
        local = self._canvas.mapFromGlobal(at)
        return next((index for index in self._layout.visible if self._tiles[index].geometry().contains(local)), None)

    def _on_dragged(self, index: int, at: QPoint) -> None:
        target = self._tile_at(at)
        for tile_index, tile in enumerate(self._tiles):
            tile.set_drop_target(tile_index == target and target != index)

    def _on_drag_ended(self, index: int, at: QPoint) -> None:
        target = self._tile_at(at)
        for tile in self._tiles:
            tile.set_drop_target(False)
        if target is not None and target != index:
            self._operator_acted()
            self._change(swapped(self._layout, index, target))
            self._select(target)

    def _on_menu(self, index: int, at: QPoint) -> None:
        camera_id = self._layout.cameras[index] or ""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        is_all = self._layout.enlarged is None
        enlarge = menu.addAction("Enlarge\tEnter" if is_all else "Show all tiles\tEsc", self.toggle_enlarged)
        enlarge.setEnabled(bool(camera_id))
        menu.addAction("Show on map\tG", lambda: self.goto_requested.emit(camera_id)).setEnabled(bool(camera_id))
        menu.addAction("Edit scene\tE", lambda: self.scene_requested.emit(camera_id)).setEnabled(bool(camera_id))
        menu.addAction("Camera settings", lambda: self.edit_requested.emit(camera_id)).setEnabled(bool(camera_id))
        menu.addSeparator()
        self._add_picture_actions(menu, index, camera_id)
        menu.addSeparator()
        others = menu.addMenu("Put here")
        for camera in sorted(self._cameras.values(), key=lambda camera: camera.name.casefold()):
            if camera.camera_id != camera_id:
                others.addAction(camera.name, partial(self._put, index, camera.camera_id))
        others.setEnabled(not others.isEmpty())
        empty = menu.addAction("Empty this tile\tDel", lambda: self._empty(index))
        empty.setEnabled(bool(camera_id))
        menu.popup(at)

    def _add_picture_actions(self, menu: QMenu, index: int, camera_id: str) -> None:
        menu.addAction("Save picture\tS", self.take_shot).setEnabled(bool(camera_id))
        whole = menu.addAction("Whole picture\t0", self._tiles[index].reset_zoom)
        whole.setEnabled(not self._tiles[index].zoom.is_whole)
        pin = menu.addAction("Pin: alarms leave it\tK", self.toggle_pin)
        pin.setCheckable(True)
        pin.setChecked(self._is_pinned(index) and bool(camera_id))
        pin.setEnabled(bool(camera_id))
        here = menu.addAction("Alarms come here", lambda: self._change(with_alarm_tile(self._layout, index)))
        here.setCheckable(True)
        here.setChecked(self._layout.alarm_tile == index)

    def _empty(self, index: int) -> None:
        self._operator_acted()
        self._change(put(self._layout, index, None))
        self._popup.forget_tile(index)
        self._show_queue()

    # -- Qt

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """See the keys in the description of this class."""
        if not self._handle_key(event):
            super().keyPressEvent(event)

    def _handle_key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        has_ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in _ARROWS:
            self._operator_acted()
            return self._step(*_ARROWS[key], is_moving=has_ctrl)
        if has_ctrl and Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            names = self.saved_layouts
            at = int(key) - int(Qt.Key.Key_1)
            if at < len(names):
                self.show_layout(names[at])
            return True
        if has_ctrl or event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return False
        if Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            self.camera_number_requested.emit(int(key) - int(Qt.Key.Key_0))
            return True
        for wanted, name in _SWITCH_KEYS.items():
            if key == wanted:
                self._show.toggle(name)
                return True
        return self._handle_picture_key(key) or self._handle_wall_key(event, key)

    def _handle_picture_key(self, key: Qt.Key) -> bool:
        """What is done with the selected tile."""
        tile = self._tiles[self._selected]
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            tile.zoom_by(1 / STEP if key == Qt.Key.Key_Minus else STEP)
        elif key == Qt.Key.Key_0:
            tile.reset_zoom()
        elif key == Qt.Key.Key_K:
            self.toggle_pin()
        elif key == Qt.Key.Key_S:
            self.take_shot()
        elif key == Qt.Key.Key_G and self.selected_camera_id:
            self.goto_requested.emit(self.selected_camera_id)
        elif key == Qt.Key.Key_E and self.selected_camera_id:
            self.scene_requested.emit(self.selected_camera_id)
        elif key == Qt.Key.Key_Delete:
            self._empty(self._selected)
        else:
            return False
        return True

    def _handle_wall_key(self, event: QKeyEvent, key: Qt.Key) -> bool:
        """What is done with the wall as a whole."""
        if key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self.turn_page(1 if key == Qt.Key.Key_PageDown else -1)
        elif key == Qt.Key.Key_T:
            is_end = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            (self.end_tour if is_end else self.toggle_tour)()
        elif key in (Qt.Key.Key_N, Qt.Key.Key_P):
            self.step_alarm(1 if key == Qt.Key.Key_N else -1)
        else:
            return key == Qt.Key.Key_Escape and self.step_out()
        return True

    def _step(self, dx: int, dy: int, *, is_moving: bool) -> bool:
        if self._layout.enlarged is not None:
            return False
        target = self._neighbour(dx, dy)
        if target is None:
            return True
        if is_moving:
            self._change(swapped(self._layout, self._selected, target))
        self._select(target)
        return True

    def _neighbour(self, dx: int, dy: int) -> int | None:
        """Return the nearest tile in a direction, by the middle of the tiles."""
        here = self._tiles[self._selected].geometry()
        best: tuple[int, int] | None = None
        for index in self._layout.visible:
            there = self._tiles[index].geometry()
            away = (there.center() - here.center()).x() * dx + (there.center() - here.center()).y() * dy
            is_beyond = (
                there.left() > here.right() or there.right() < here.left()
                if dx
                else there.top() > here.bottom() or there.bottom() < here.top()
            )
            if away <= 0 or not is_beyond:
                continue
            aside = abs(there.center().y() - here.center().y()) if dx else abs(there.center().x() - here.center().x())
            if best is None or away + 2 * aside < best[0]:
                best = (away + 2 * aside, index)
        return best[1] if best is not None else None

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell new sizes once they settle."""
        super().resizeEvent(event)
        self._view_timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Watch ages again."""
        super().showEvent(event)
        for tile in self._by_camera.values():
            tile.note_shown()
        self._ticked_s = self._clock.monotonic()
        self._status_timer.start()
        self._view_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop watching; nobody needs pictures now."""
        super().hideEvent(event)
        self._status_timer.stop()
        self._view_timer.start()


def _clear_menu(menu: QMenu) -> None:
    """Take everything out of a menu; Qt leaves the menus that were in it."""
    menu.clear()
    for part in menu.findChildren(QMenu):
        part.deleteLater()


def _holds_focus(widget: QWidget) -> bool:
    focused = QApplication.focusWidget()
    return focused is not None and widget.isAncestorOf(focused)
