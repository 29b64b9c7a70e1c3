"""The video wall: the operator watches cameras, turns pages, enlarges one, and arranges them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from core.cameras.model import Camera
from core.incidents.model import Alarm, Priority, SourceKind
from core.kernel.clock import Clock, SystemClock
from core.media.model import StreamReport
from widgets.base.icons import IconButton
from widgets.base.symbols import FLASH_PERIOD_MS
from widgets.base.theme import look, set_role
from widgets.video.layout import (
    CELLS,
    GRID_SIDE,
    Preset,
    WallLayout,
    enlarged,
    from_dict,
    put,
    swapped,
    to_dict,
    turned,
    with_cameras,
    with_guest,
    with_preset,
    without_guests,
)
from widgets.video.model import TrackSet, VideoFrame
from widgets.video.overlay import Shown
from widgets.video.tile import VideoTile

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


class VideoWall(QWidget):
    """Tiles in a chosen division, with a bar of presets and overlay switches above them.

    Keys: arrows select, Enter enlarges and restores, Esc steps out, PgUp and PgDn turn pages, 1 to 9 ask for a camera,
    B boxes, I numbers, Z zones, Delete empties a tile, Ctrl+arrows move it, the menu key opens its menu.

    Signals:
        camera_selected(str): Id of the camera on the selected tile; empty for an empty tile.
        view_changed(dict): Camera id -> (width, height) in px of the screen, of everything that can be seen; the
            workers scale pictures to fit into it. Empty while the wall is hidden.
        camera_number_requested(int): 1 to 9 was pressed for the selected tile; answer with `put_on_selected`.
        goto_requested(str): Show this camera on the map.
        edit_requested(str): Open this camera's settings.
        layout_changed(): Worth saving: see `layout_state`.
    """

    camera_selected = Signal(str)
    view_changed = Signal(dict)
    camera_number_requested = Signal(int)
    goto_requested = Signal(str)
    edit_requested = Signal(str)
    layout_changed = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._cameras: dict[str, Camera] = {}
        self._reports: dict[str, StreamReport] = {}
        self._alarms: dict[str, tuple[Priority, bool]] = {}
        self._counts: dict[str, Mapping[str, Mapping[str, int]]] = {}
        self._layout = WallLayout()
        self._selected = 0
        self._shown = Shown()
        self._tiles: list[VideoTile] = []
        self._by_camera: dict[str, VideoTile] = {}
        self._view: dict[str, tuple[int, int]] = {}
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
        self._previous = IconButton("previous", "Previous page (PgUp)", bar)
        self._previous.clicked.connect(lambda: self.turn_page(-1))
        self._page_label = QLabel(bar)
        set_role(self._page_label, "secondary")
        self._next = IconButton("next", "Next page (PgDn)", bar)
        self._next.clicked.connect(lambda: self.turn_page(1))
        for widget in (self._previous, self._page_label, self._next):
            row.addWidget(widget)
        row.addStretch(1)
        self._switches: dict[str, QToolButton] = {}
        for key, text, tip in (
            ("boxes", "Boxes", "Boxes around vehicles (B)"),
            ("ids", "Numbers", "Numbers of tracks (I)"),
            ("zones", "Zones", "Zones, lines and counts (Z)"),
        ):
            button = self._switch(text, tip, bar)
            button.setChecked(True)
            button.toggled.connect(self._on_switch)
            self._switches[key] = button
            row.addWidget(button)
        self._canvas = QWidget(self)
        self._canvas.installEventFilter(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._canvas, 1)

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
        self._change(with_cameras(self._layout, self._cameras))

    def show_report(self, report: StreamReport) -> None:
        """Show how a stream is."""
        self._reports[report.camera_id] = report
        tile = self._by_camera.get(report.camera_id)
        if tile is not None:
            tile.show_report(report)

    def show_frame(self, camera_id: str, frame: VideoFrame) -> None:
        """Show a newer picture; one of a camera that cannot be seen is dropped."""
        tile = self._by_camera.get(camera_id)
        if tile is not None:
            tile.show_frame(frame)

    def show_tracks(self, camera_id: str, tracks: TrackSet) -> None:
        """Keep boxes for the pictures to come."""
        tile = self._by_camera.get(camera_id)
        if tile is not None:
            tile.show_tracks(tracks)

    def show_counts(self, camera_id: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Show counts of a camera: key of line or zone -> direction -> number."""
        self._counts[camera_id] = counts
        tile = self._by_camera.get(camera_id)
        if tile is not None:
            tile.show_counts(counts)

    def show_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Mark the cameras that have open alarms, each with its highest one; unacknowledged ones come first."""
        marked: dict[str, tuple[Priority, bool]] = {}
        for alarm in alarms:
            if alarm.source_kind is not SourceKind.CAMERA or not alarm.is_open:
                continue
            known = marked.get(alarm.source_id)
            mark = (alarm.priority, alarm.is_calling)
            if known is None or (not mark[1], mark[0]) < (not known[1], known[0]):
                marked[alarm.source_id] = mark
        self._alarms = marked
        for camera_id, tile in self._by_camera.items():
            priority, is_calling = marked.get(camera_id, (None, False))
            tile.show_alarm(priority, is_calling=is_calling)

    def bring(self, camera_id: str, *, from_alarm: bool = False) -> None:
        """Make sure a camera can be seen, and select it; Esc brings back what stood there.

        It takes the selected tile. Where an alarm asks, a tile that shows another alarm stays: the least important tile
        gives way, an empty one first.
        """
        if camera_id not in self._cameras:
            return
        seen = [tile for tile in self._layout.visible if self._layout.cameras[tile] == camera_id]
        if not seen:
            tile = self._layout.enlarged
            if tile is None:
                tile = self._least_important() if from_alarm else self._selected
            self._change(with_guest(self._layout, tile, camera_id))
            seen = [tile]
        self._select(seen[0], has_focus=False)

    def _least_important(self) -> int:
        cameras = self._layout.cameras

        def importance(tile: int) -> tuple[int, int, int, int]:
            camera_id = cameras[tile]
            if camera_id is None:
                return (0, 0, 0, -tile)
            _, _, columns, _ = CELLS[self._layout.preset][tile]
            priority, is_calling = self._alarms.get(camera_id, (None, False))
            alarm = 0 if priority is None else (10 if is_calling else 5) - int(priority)
            # The selected tile is what the operator watches, a large one is large on purpose.
            return (1 + alarm, columns, int(tile == self._selected), -tile)

        return min(self._layout.visible, key=importance)

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

    def layout_state(self) -> dict[str, Any]:
        """Return the arrangement as plain data, for saving."""
        return to_dict(self._layout) | {
            "boxes": self._shown.boxes,
            "ids": self._shown.ids,
            "zones": self._shown.zones,
        }

    def restore_layout(self, state: Mapping[str, Any]) -> None:
        """Take over an arrangement that `layout_state` returned; cameras that are gone leave empty tiles."""
        layout = from_dict(state)
        if self._cameras:
            layout = with_cameras(layout, self._cameras)
        for key, button in self._switches.items():
            button.setChecked(bool(state.get(key, True)))
        self._change(layout)

    def set_preset(self, preset: Preset) -> None:
        """Divide the wall."""
        camera_id = self.selected_camera_id
        self._change(with_preset(self._layout, preset))
        cameras = self._layout.cameras
        self._select(cameras.index(camera_id) if camera_id and camera_id in cameras else 0, has_focus=False)

    def turn_page(self, n_pages: int) -> None:
        """Turn pages forward or, below zero, back."""
        page = self._layout.page
        self._change(turned(self._layout, n_pages))
        if self._layout.page != page:
            self._select(0, has_focus=False)

    def put_on_selected(self, camera_id: str) -> None:
        """Put a camera on the selected tile for good."""
        self._put(self._selected, camera_id)

    def _put(self, tile: int, camera_id: str) -> None:
        if camera_id in self._cameras:
            self._change(put(self._layout, tile, camera_id))
            self._select(tile, has_focus=False)

    def toggle_enlarged(self) -> None:
        """Let the selected tile fill the wall, or show all again."""
        is_all = self._layout.enlarged is None
        self._change(enlarged(self._layout, self._selected if is_all else None))

    def step_out(self) -> bool:
        """Undo the last of: a drag, an enlarged tile, a camera that was brought. False where there is nothing."""
        n_dragged = sum(tile.end_drag() for tile in self._tiles)
        if n_dragged:
            for tile in self._tiles:
                tile.set_drop_target(False)
            return True
        if self._layout.enlarged is not None:
            self._change(enlarged(self._layout, None))
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
        if is_kept_changed:
            self.layout_changed.emit()

    def _arrange(self) -> None:
        layout = self._layout
        while len(self._tiles) < layout.n_tiles:
            self._tiles.append(self._make_tile(len(self._tiles)))
        guests = dict(layout.guests)
        cameras, visible = layout.cameras, set(layout.visible)
        self._by_camera = {}
        for index, tile in enumerate(self._tiles):
            camera_id = cameras[index] if index in visible else None
            camera = self._cameras.get(camera_id) if camera_id is not None else None
            self._fill(tile, camera, is_guest=index in guests)
            tile.setVisible(index in visible)
        self._selected = min(self._selected, layout.n_tiles - 1)
        if self._selected not in visible:
            self._selected = layout.visible[0]
        for index, tile in enumerate(self._tiles):
            tile.set_selected(index == self._selected)
        self._place()
        self._refresh_bar()
        self._view_timer.start()

    def _fill(self, tile: VideoTile, camera: Camera | None, *, is_guest: bool) -> None:
        is_other = tile.camera_id != (camera.camera_id if camera else None)
        tile.show_camera(camera, is_guest=is_guest)
        if camera is None:
            return
        self._by_camera[camera.camera_id] = tile
        if not is_other:
            return
        report = self._reports.get(camera.camera_id)
        if report is not None:
            tile.show_report(report)
        tile.show_counts(self._counts.get(camera.camera_id, {}))
        priority, is_calling = self._alarms.get(camera.camera_id, (None, False))
        tile.show_alarm(priority, is_calling=is_calling)

    def _make_tile(self, index: int) -> VideoTile:
        tile = VideoTile(self._clock, self._canvas)
        tile.set_shown(self._shown)
        tile.chosen.connect(lambda: self._select(index))
        tile.enlarge_requested.connect(lambda: self._on_enlarge(index))
        tile.menu_requested.connect(lambda at: self._on_menu(index, at))
        tile.dragged.connect(lambda at: self._on_dragged(index, at))
        tile.drag_ended.connect(lambda at: self._on_drag_ended(index, at))
        tile.camera_dropped.connect(lambda camera_id: self._put(index, camera_id))
        tile.shown_size_changed.connect(self._view_timer_start)
        return tile

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

    def _refresh_bar(self) -> None:
        for preset, button in self._presets.items():
            button.setChecked(preset is self._layout.preset)
        n_pages = self._layout.n_pages
        self._page_label.setText(f"Page {self._layout.page + 1} of {n_pages}")
        for widget in (self._previous, self._page_label, self._next):
            widget.setVisible(n_pages > 1)
        self._previous.setEnabled(self._layout.page > 0)
        self._next.setEnabled(self._layout.page < n_pages - 1)

    def _select(self, index: int, *, has_focus: bool = True) -> None:
        self._selected = index
        for at, tile in enumerate(self._tiles):
            tile.set_selected(at == index)
        if has_focus or self._canvas.isAncestorOf(self.focusWidget() or self):
            self._tiles[index].setFocus(Qt.FocusReason.OtherFocusReason)
        self.camera_selected.emit(self.selected_camera_id)

    # -- slots

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
        now_ms = round(self._clock.monotonic() * 1000)
        is_on = now_ms % FLASH_PERIOD_MS < FLASH_PERIOD_MS // 2 or look().is_reduced_motion
        for tile in self._by_camera.values():
            tile.refresh_status()
            tile.set_flash(is_on)

    def _on_switch(self) -> None:
        is_on = {key: button.isChecked() for key, button in self._switches.items()}
        self._shown = Shown(boxes=is_on["boxes"], ids=is_on["ids"], zones=is_on["zones"])
        self._switches["ids"].setEnabled(self._shown.boxes)
        for tile in self._tiles:
            tile.set_shown(self._shown)
        self.layout_changed.emit()

    def _on_enlarge(self, index: int) -> None:
        self._select(index)
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
        menu.addAction("Camera settings", lambda: self.edit_requested.emit(camera_id)).setEnabled(bool(camera_id))
        menu.addSeparator()
        others = menu.addMenu("Put here")
        for camera in sorted(self._cameras.values(), key=lambda camera: camera.name.casefold()):
            if camera.camera_id != camera_id:
                others.addAction(camera.name, partial(self._put, index, camera.camera_id))
        others.setEnabled(not others.isEmpty())
        empty = menu.addAction("Empty this tile\tDel", lambda: self._change(put(self._layout, index, None)))
        empty.setEnabled(bool(camera_id))
        menu.popup(at)

    # -- Qt

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """See the keys in the description of this class."""
        if not self._handle_key(event):
            super().keyPressEvent(event)

    def _handle_key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        has_ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in _ARROWS:
            return self._step(*_ARROWS[key], is_moving=has_ctrl)
        if has_ctrl or event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return False
        if Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            self.camera_number_requested.emit(int(key) - int(Qt.Key.Key_0))
            return True
        for wanted, name in ((Qt.Key.Key_B, "boxes"), (Qt.Key.Key_I, "ids"), (Qt.Key.Key_Z, "zones")):
            if key == wanted:
                self._switches[name].toggle()
                return True
        if key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self.turn_page(1 if key == Qt.Key.Key_PageDown else -1)
            return True
        if key == Qt.Key.Key_G and self.selected_camera_id:
            self.goto_requested.emit(self.selected_camera_id)
            return True
        if key == Qt.Key.Key_Delete:
            self._change(put(self._layout, self._selected, None))
            return True
        return key == Qt.Key.Key_Escape and self.step_out()

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

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Place the tiles when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize and watched is self._canvas:
            self._place()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell new sizes once they settle."""
        super().resizeEvent(event)
        self._view_timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Watch ages again."""
        super().showEvent(event)
        self._status_timer.start()
        self._view_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop watching; nobody needs pictures now."""
        super().hideEvent(event)
        self._status_timer.stop()
        self._view_timer.start()
