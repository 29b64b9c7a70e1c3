"""The picture, plan or map that one draws bays on: mouse and keyboard become changes of outlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from core.parking.model import Point
from widgets.base.state_overlay import paint_hatching, paint_sentence
from widgets.base.theme import picture_look
from widgets.parking.drafts import TOOLS, Draft, RowSettings, Tool, preview
from widgets.parking.painter import BayPainter
from widgets.parking.shown import POINT_PX, Hit, Ref, Selected, Shape, hit_at, side_at, snapped, within
from widgets.parking.surface import PlanView
from widgets.scene.view import PictureView

View = PictureView | PlanView
Background = Callable[[QPainter, PlanView], None]
"""Paints the base map under a plan."""

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
_STEP_PX, _FINE_PX, _COARSE_PX = 10.0, 2.0, 50.0
_WHEEL_STEP = 1.2
_NEAR_PX = 3.0
_SNAP_M = 0.05
"""Finest step of a grid that points fall onto: half of the lines' smallest distance would be too coarse to draw."""

KEYS = (
    "V B R A choose a tool. PgUp and PgDn choose a bay, with Shift more of them, Ctrl+A all; comma and full stop a "
    "corner; arrows move it, Shift far, Alt finely; Insert adds a corner, Delete takes the bay off here, Shift+Delete "
    "removes it from the lot, D duplicates. Drawing: arrows move the cross, Space sets a point, Enter finishes, "
    "Backspace takes back, Esc gives up. + - 0 zoom, F holds the picture. Mouse: Ctrl+click and Shift+drag select more."
)


class BayCanvas(QWidget):
    """What is drawn of a lot at one place: on a camera's picture, on the plan, or on the plan as it lies on the map.

    Mouse: click to select or set points, drag to move, double click a side to add a corner, Ctrl+click for more,
    Shift and drag for all within, wheel to zoom, middle button or a drag beside everything to pan; Alt switches
    snapping off. Keys: see `KEYS`; F is the editor's.

    Signals:
        reshaped(object, str, str): Dict of `Ref` to its new `Outline`, what was done, and a key for merging steps.
        outline_drawn(object, object): The `Tool` (bay or lane) and an `Outline`.
        row_drawn(object): Corners of a row.
        removal_requested(object, bool): Tuple of `Ref`, and whether they go from the whole lot.
        duplicate_requested()
        point_set(object, object): The `Tool` (place or pairs) and a `Point`.
        selection_changed(object): A `Selected`.
        tool_changed(object): A `Tool`.
        hint_changed(str): What to do next.
    """

    reshaped = Signal(object, str, str)
    outline_drawn = Signal(object, object)
    row_drawn = Signal(object)
    removal_requested = Signal(object, bool)
    duplicate_requested = Signal()
    point_set = Signal(object, object)
    selection_changed = Signal(object)
    tool_changed = Signal(object)
    hint_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view: View = PlanView(size=QSizeF(1, 1))
        self._shapes: tuple[Shape, ...] = ()
        self._selected = Selected()
        self._draft = Draft(tool=Tool.SELECT)
        self._row = RowSettings()
        self._labels: tuple[str, ...] = ()
        self._points: tuple[Point, ...] = ()
        self._image: QImage | None = None
        self._sentence, self._sentence_hint = "No lot is chosen.", "Choose one above, or make one."
        self._background: Background | None = None
        self._bearing_deg: float | None = None
        self._is_editable = False
        self._is_frozen = False
        self._is_empty = True
        self._is_snapping = True
        self._is_fitted = True
        self._pointer: Point | None = None
        self._aim: Point | None = None
        self._drag: Callable[[Point, bool], None] | None = None
        self._panned_from: QPointF | None = None
        self._box: QRectF | None = None
        self._n_drags = 0
        self._painter: BayPainter | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(200, 140)
        self.setAccessibleName("Bays as they are drawn")
        self._refresh_hint()

    # -- what is shown

    @property
    def view(self) -> View:
        """Where what is drawn stands in the window."""
        return self._view

    @property
    def tool(self) -> Tool:
        """What a click does."""
        return self._draft.tool

    @property
    def draft(self) -> Draft:
        """What is being drawn."""
        return self._draft

    @property
    def selected(self) -> Selected:
        """What is being worked on."""
        return self._selected

    @property
    def hint(self) -> str:
        """What to do next."""
        return self._hint()

    @property
    def is_plan(self) -> bool:
        """Points are metres on the plan, not fractions of a picture."""
        return isinstance(self._view, PlanView)

    @property
    def has_picture(self) -> bool:
        """A camera's picture is shown."""
        return self._image is not None and not self.is_plan

    @property
    def unit_px(self) -> float:
        """Pixels of one unit of the points: a metre, or the picture's width."""
        return self._view.px_per_m if isinstance(self._view, PlanView) else self._view.rect().width()

    def show_nothing(self, sentence: str, hint: str = "") -> None:
        """Show neither plan nor picture, and say why."""
        self._is_empty = True
        self._sentence, self._sentence_hint = sentence, hint
        self.update()

    def show_plan(self, bearing_deg: float | None) -> None:
        """Draw on the plan with its grid; an arrow shows the north where its bearing is known."""
        self._begin(PlanView(size=QSizeF(self.size())), bearing_deg, None)

    def show_map(self, bearing_deg: float, background: Background) -> None:
        """Draw on the plan as it lies on the map; `background` paints it."""
        view = self._view
        if isinstance(view, PlanView) and self._background is not None:
            # Turned or placed anew: what is looked at stays.
            self._view = replace(view, turn_deg=bearing_deg)
            self._background, self._bearing_deg = background, bearing_deg
            self.update()
            return
        self._begin(PlanView(size=QSizeF(self.size()), turn_deg=bearing_deg), bearing_deg, background)

    def show_camera(self, sentence: str, hint: str = "") -> None:
        """Draw on a camera's picture; until there is one, say why."""
        self._image = None
        self._sentence, self._sentence_hint = sentence, hint
        self._begin(PictureView(size=QSizeF(self.size())), None, None)

    def show_picture(self, image: QImage) -> None:
        """Show a newer picture, unless it is held; the image owns its pixels."""
        if isinstance(self._view, PlanView) or (self._is_frozen and self._image is not None):
            return
        self._image = image
        aspect = image.width() / max(1, image.height())
        if abs(aspect - self._view.aspect) > 1e-3:
            self._view = replace(self._view, aspect=aspect)
        self.update()

    def show_shapes(self, shapes: tuple[Shape, ...]) -> None:
        """Show what is drawn now; what is no longer there is no longer selected."""
        self._shapes = shapes
        known = {shape.ref: shape for shape in shapes}
        refs = tuple(ref for ref in self._selected.refs if ref in known)
        corner = self._selected.corner
        if len(refs) != 1 or (corner is not None and corner >= len(known[refs[0]].outline)):
            corner = None
        self._set_selected(Selected(refs=refs, corner=corner))
        self.update()

    def show_row(self, settings: RowSettings, labels: Sequence[str]) -> None:
        """Preview a row as these settings divide it."""
        self._row, self._labels = settings, tuple(labels)
        self._refresh_hint()
        self.update()

    def show_points(self, points: Sequence[Point]) -> None:
        """Show numbered points that carry what is drawn to another place."""
        self._points = tuple(points)
        self.update()

    def set_editable(self, is_editable: bool) -> None:
        """Let the operator change what is drawn, or only look."""
        self._is_editable = is_editable
        if not is_editable:
            self.set_tool(Tool.SELECT)
        self._refresh_hint()

    def set_frozen(self, is_frozen: bool) -> None:
        """Hold the picture, or let it run again."""
        self._is_frozen = is_frozen

    def set_snapping(self, is_snapping: bool) -> None:
        """Let points fall onto the grid and onto other corners, or not."""
        self._is_snapping = is_snapping

    def set_tool(self, tool: Tool) -> None:
        """Choose what a click does; what was begun is given up."""
        if tool is not Tool.SELECT and not self._is_editable:
            return
        is_other = tool is not self._draft.tool
        self._draft = Draft(tool=tool)
        self._aim = self._pointer = None
        if tool not in (Tool.SELECT, Tool.BAY):
            self._set_selected(Selected())
        self.setCursor(Qt.CursorShape.ArrowCursor if tool is Tool.SELECT else Qt.CursorShape.CrossCursor)
        if is_other:
            self.tool_changed.emit(tool)
        self._refresh_hint()
        self.update()

    def select(self, refs: Sequence[Ref]) -> None:
        """Select these of what is drawn here."""
        known = {shape.ref for shape in self._shapes}
        self._set_selected(Selected(refs=tuple(ref for ref in refs if ref in known)))

    def fit(self) -> None:
        """Show everything."""
        self._is_fitted = True
        if isinstance(self._view, PlanView):
            self._view = self._view.fitted(shape.outline for shape in self._shapes)
        else:
            self._view = replace(self._view, zoom=1.0, middle=(0.5, 0.5))
        self.update()

    def _begin(self, view: View, bearing_deg: float | None, background: Background | None) -> None:
        self._view, self._bearing_deg, self._background = view, bearing_deg, background
        self._is_empty = False
        self._is_fitted = True
        self._shapes, self._points = (), ()
        self._draft = Draft(tool=self._draft.tool)
        self._aim = self._pointer = None
        self._set_selected(Selected())
        self.update()

    # -- changes

    def delete_selected(self, *, is_everywhere: bool = False) -> None:
        """Remove the selected corner; without one, the selected outlines here, or their bays from the whole lot."""
        selected = self._selected
        if not self._is_editable or not selected.refs:
            return
        shape = self._single()
        if shape is not None and selected.corner is not None and not is_everywhere:
            if len(shape.outline) <= 3:
                self._set_selected(Selected(refs=selected.refs))
                self._say("An outline needs three corners. Delete once more takes the whole bay off.")
                return
            outline = shape.outline[: selected.corner] + shape.outline[selected.corner + 1 :]
            self._set_selected(Selected(refs=selected.refs))
            self.reshaped.emit({shape.ref: outline}, f"Remove a corner of {shape.name}", "")
            return
        self.removal_requested.emit(selected.refs, is_everywhere)

    def _single(self) -> Shape | None:
        refs = self._selected.refs
        return next((shape for shape in self._shapes if shape.ref == refs[0]), None) if len(refs) == 1 else None

    def _insert_corner(self, after: int, point: Point) -> None:
        shape = self._single()
        if shape is not None:
            outline = (*shape.outline[: after + 1], self._inside(point), *shape.outline[after + 1 :])
            self.reshaped.emit({shape.ref: outline}, f"Add a corner to {shape.name}", "")
            self._set_selected(Selected(refs=(shape.ref,), corner=after + 1))

    def _put(self, point: Point) -> None:
        tool = self._draft.tool
        if tool in (Tool.PLACE, Tool.PAIRS):
            self.point_set.emit(tool, point)
            return
        self._draft = self._draft.put(point, _NEAR_PX / max(1e-6, self.unit_px))
        if self._draft.is_done(self._row):
            self._finish(point)
            return
        self._refresh_hint()
        self.update()

    def _finish(self, pointer: Point | None) -> None:
        draft = self._draft
        if not (draft.can_close(self._row) or draft.is_done(self._row)):
            return
        self._draft = Draft(tool=draft.tool)
        self._refresh_hint()
        self.update()
        if draft.tool is Tool.ROW:
            self.row_drawn.emit(tuple(self._inside(point) for point in draft.row(self._row, pointer)))
        else:
            self.outline_drawn.emit(draft.tool, draft.points)

    def _set_selected(self, selected: Selected) -> None:
        if selected != self._selected:
            self._selected = selected
            self.selection_changed.emit(selected)
            self._refresh_hint()
            self.update()

    def _say(self, sentence: str) -> None:
        self.setAccessibleDescription(sentence)
        self.hint_changed.emit(sentence)

    def _refresh_hint(self) -> None:
        self._say(self._hint())

    def _hint(self) -> str:
        if not self._is_editable:
            return "Click a bay to see its settings; the wheel zooms."
        if self._draft.tool is not Tool.SELECT:
            return self._draft.hint(self._row)
        if not self._selected.refs:
            return (
                "Click a bay to change it, or choose a tool to draw. The wheel zooms, a drag pans, Shift+drag selects."
            )
        if len(self._selected.refs) > 1:
            return "Drag moves all of them; the form sets what they share. Delete takes them off here."
        return "Drag a corner, or the dot between two for another one. Delete takes the bay off here, D duplicates it."

    # -- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Set a point, take hold of something, or begin to pan."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        at = event.position()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = at
            return
        if event.button() != Qt.MouseButton.LeftButton or self._is_empty:
            return
        self._aim = None
        if self._draft.tool is Tool.SELECT:
            self._press_selecting(at, event.modifiers())
        else:
            self._press_drawing(at, event.modifiers())

    def _press_drawing(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        draft = self._draft
        if draft.tool is not Tool.ROW and draft.can_close(self._row):
            first = self._view.to_px(draft.points[0])
            if (at - first).manhattanLength() <= POINT_PX:
                self._finish(None)
                return
        self._put(self._snap(at, modifiers))

    def _press_selecting(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._box = QRectF(at, at)
            return
        hit = hit_at(self._shapes, self._selected, self._view, at)
        if hit is None:
            self._set_selected(Selected())
            self._panned_from = at
            return
        refs = self._selected.refs
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            left = tuple(ref for ref in refs if ref != hit.ref)
            self._set_selected(Selected(refs=left if hit.ref in refs else (*refs, hit.ref)))
            return
        self._set_selected(Selected(refs=refs if hit.ref in refs else (hit.ref,), corner=hit.corner))
        if self._is_editable:
            self._drag = self._take_hold(hit, at)

    def _take_hold(self, hit: Hit, at: QPointF) -> Callable[[Point, bool], None]:
        if hit.new_corner_after is not None:
            return self._drag_new_corner(hit.new_corner_after)
        if hit.corner is not None:
            return self._drag_corner(hit.corner)
        return self._drag_all(self._view.to_point(at))

    def _drag_key(self) -> str:
        self._n_drags += 1
        return f"drag-{self._n_drags}"

    def _drag_corner(self, index: int) -> Callable[[Point, bool], None]:
        key, shape = self._drag_key(), self._single()

        def drag(to: Point, is_free: bool) -> None:
            if shape is not None:
                outline = (*shape.outline[:index], self._snap_point(to, is_free), *shape.outline[index + 1 :])
                self.reshaped.emit({shape.ref: outline}, f"Move a corner of {shape.name}", key)

        return drag

    def _drag_new_corner(self, after: int) -> Callable[[Point, bool], None]:
        inner: list[Callable[[Point, bool], None]] = []

        def drag(to: Point, is_free: bool) -> None:
            # A click without a move adds nothing.
            if not inner:
                self._insert_corner(after, to)
                inner.append(self._drag_corner(after + 1))
            inner[0](to, is_free)

        return drag

    def _drag_all(self, start: Point) -> Callable[[Point, bool], None]:
        key, chosen = self._drag_key(), self._chosen()

        def drag(to: Point, _is_free: bool) -> None:
            self._move(chosen, to[0] - start[0], to[1] - start[1], key)

        return drag

    def _chosen(self) -> tuple[Shape, ...]:
        refs = set(self._selected.refs)
        return tuple(shape for shape in self._shapes if shape.ref in refs)

    def _move(self, chosen: tuple[Shape, ...], dx: float, dy: float, key: str) -> None:
        """Move outlines; at the border of a picture they stop as a whole."""
        if not chosen:
            return
        if not self.is_plan:
            xs = [x for shape in chosen for x, _ in shape.outline]
            ys = [y for shape in chosen for _, y in shape.outline]
            dx = min(1.0 - max(xs), max(-min(xs), dx))
            dy = min(1.0 - max(ys), max(-min(ys), dy))
        moved = {shape.ref: tuple((x + dx, y + dy) for x, y in shape.outline) for shape in chosen}
        what = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} bays"
        self.reshaped.emit(moved, f"Move {what}", key)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, pan, or draw the line to the pointer."""
        at = event.position()
        if self._panned_from is not None:
            self._view = self._view.panned(at.x() - self._panned_from.x(), at.y() - self._panned_from.y())
            self._panned_from = at
            self._is_fitted = False
            self.update()
        elif self._box is not None:
            self._box.setBottomRight(at)
            self.update()
        elif self._drag is not None:
            self._drag(self._view.to_point(at), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier))
        elif self._draft.tool is Tool.SELECT:
            self._point_out(at)
        else:
            self._pointer = self._snap(at, event.modifiers())
            if self._draft.is_begun:
                self.update()

    def _point_out(self, at: QPointF) -> None:
        hit = hit_at(self._shapes, self._selected, self._view, at)
        if hit is None:
            self.setCursor(Qt.CursorShape.ArrowCursor)
        elif hit.corner is not None or hit.new_corner_after is not None:
            self.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go; what the rectangle holds is selected."""
        self._drag = self._panned_from = None
        box, self._box = self._box, None
        if box is not None:
            found = within(self._shapes, self._view, box.normalized())
            self._set_selected(Selected(refs=tuple(dict.fromkeys((*self._selected.refs, *found)))))
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Close the outline; on a side of what is selected, add a corner."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        shape = self._single()
        if self._draft.tool in (Tool.BAY, Tool.LANE):
            # The first press of the two has set its point already.
            if self._draft.can_close(self._row):
                self._finish(None)
        elif self._draft.tool is Tool.SELECT and shape is not None and self._is_editable:
            side = side_at(shape.outline, self._view, event.position())
            if side is not None:
                self._insert_corner(side, self._view.to_point(event.position()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom towards the pointer."""
        self._zoom(_WHEEL_STEP ** (event.angleDelta().y() / 120.0), event.position())
        event.accept()

    def _zoom(self, factor: float, at: QPointF) -> None:
        self._view = self._view.zoomed(factor, at)
        self._is_fitted = False
        self.update()

    def _snap(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> Point:
        return self._snap_point(self._view.to_point(at), bool(modifiers & Qt.KeyboardModifier.AltModifier))

    def _snap_point(self, point: Point, is_free: bool) -> Point:
        if is_free or not self._is_snapping or self._draft.tool in (Tool.PLACE, Tool.PAIRS):
            return self._inside(point)
        chosen = set(self._selected.refs)
        others = tuple(shape for shape in self._shapes if shape.ref not in chosen)
        found = snapped(point, others, self._view)
        if found is not None:
            return found
        if isinstance(self._view, PlanView) and self._background is None:
            step = max(_SNAP_M, self._view.grid_m() / 5)
            return round(point[0] / step) * step, round(point[1] / step) * step
        return self._inside(point)

    def _inside(self, point: Point) -> Point:
        """Return the nearest point that can be drawn at: a picture ends at its border."""
        if self.is_plan:
            return point
        return min(1.0, max(0.0, point[0])), min(1.0, max(0.0, point[1]))

    # -- keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tools, points and zoom; what is no key of ours goes on to the window."""
        if not (self._press_any(event) or (self._is_editable and self._press_editing(event))):
            super().keyPressEvent(event)

    def press_tool(self, event: QKeyEvent) -> bool:
        """Take the tool whose letter was pressed; returns whether there is one."""
        held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        letter = event.text().upper()
        tool = next((info.tool for info in TOOLS if info.key == letter), None)
        if tool is None or held or not self._is_editable or self._is_empty:
            return False
        if tool is Tool.PLACE and self._background is None:
            return False
        self.set_tool(tool)
        return True

    def _press_any(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            factor = 1 / _WHEEL_STEP if key == Qt.Key.Key_Minus else _WHEEL_STEP
            self._zoom(factor, QPointF(self.width() / 2, self.height() / 2))
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            is_adding = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._step_shape(1 if key == Qt.Key.Key_PageDown else -1, is_adding=is_adding)
        elif key == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._set_selected(Selected(refs=tuple(shape.ref for shape in self._shapes)))
        elif key == Qt.Key.Key_Escape and not self._draft.is_begun and self._selected.refs:
            self._set_selected(Selected())
        else:
            return False
        return True

    def _press_editing(self, event: QKeyEvent) -> bool:
        key = event.key()
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier):
            return False
        if self.press_tool(event):
            return True
        if key in _ARROWS:
            self._press_arrow(event)
            return True
        if self._draft.tool is not Tool.SELECT and self._press_drawing_key(key):
            return True
        return self._press_selecting_key(event)

    def _press_drawing_key(self, key: int) -> bool:
        if key == Qt.Key.Key_Space:
            self._aim = self._aim or self._middle()
            self._put(self._aim)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish(None)
        elif key == Qt.Key.Key_Backspace and self._draft.is_begun:
            self._draft = self._draft.back()
            self._refresh_hint()
            self.update()
        elif key == Qt.Key.Key_Escape:
            self.set_tool(self._draft.tool if self._draft.is_begun else Tool.SELECT)
        else:
            return False
        return True

    def _press_selecting_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_selected(is_everywhere=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif key in (Qt.Key.Key_Comma, Qt.Key.Key_Period):
            self._step_corner(1 if key == Qt.Key.Key_Period else -1)
        elif key == Qt.Key.Key_Insert:
            shape = self._single()
            if shape is not None:
                after = self._selected.corner or 0
                a, b = shape.outline[after], shape.outline[(after + 1) % len(shape.outline)]
                self._insert_corner(after, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2))
        elif key == Qt.Key.Key_D and self._selected.refs:
            self.duplicate_requested.emit()
        else:
            return False
        return True

    def _press_arrow(self, event: QKeyEvent) -> None:
        step_px = _STEP_PX
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step_px = _COARSE_PX
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier:
            step_px = _FINE_PX
        right, up = _ARROWS[Qt.Key(event.key())]
        dx, dy = self._step(right * step_px, up * step_px)
        if self._draft.tool is not Tool.SELECT:
            x, y = self._aim or self._middle()
            self._aim = self._pointer = self._inside((x + dx, y + dy))
        elif self._selected.refs:
            self._nudge(dx, dy)
        else:
            self._view = self._view.panned(-right * self.width() / 10, up * self.height() / 10)
            self._is_fitted = False
        self.update()

    def _step(self, right_px: float, up_px: float) -> Point:
        """Return how far so many pixels are here: on a plan in steps of its grid, on a picture in fractions."""
        if not isinstance(self._view, PlanView):
            rect = self._view.rect()
            return right_px / rect.width(), -up_px / rect.height()
        length = max(abs(right_px), abs(up_px)) / self._view.px_per_m
        steps = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0)
        metres = min(steps, key=lambda one: abs(math.log(one / length)))
        return math.copysign(metres, right_px) if right_px else 0.0, math.copysign(metres, up_px) if up_px else 0.0

    def _nudge(self, dx: float, dy: float) -> None:
        shape, corner = self._single(), self._selected.corner
        if shape is not None and corner is not None:
            x, y = shape.outline[corner]
            to = self._inside((x + dx, y + dy))
            outline = (*shape.outline[:corner], to, *shape.outline[corner + 1 :])
            self.reshaped.emit({shape.ref: outline}, f"Move a corner of {shape.name}", f"nudge-{shape.ref}-{corner}")
            return
        self._move(self._chosen(), dx, dy, f"nudge-{hash(self._selected.refs)}")

    def _middle(self) -> Point:
        return self._inside(self._view.to_point(QPointF(self.width() / 2, self.height() / 2)))

    def _step_shape(self, by: int, *, is_adding: bool) -> None:
        refs = [shape.ref for shape in self._shapes]
        if not refs:
            return
        chosen = self._selected.refs
        here = refs.index(chosen[-1]) if chosen and chosen[-1] in refs else (-1 if by > 0 else 0)
        following = refs[(here + by) % len(refs)]
        if self._draft.tool is not Tool.SELECT:
            self.set_tool(Tool.SELECT)
        added = (*(ref for ref in chosen if ref != following), following)
        self._set_selected(Selected(refs=added if is_adding else (following,)))

    def _step_corner(self, by: int) -> None:
        shape = self._single()
        if shape is not None:
            here = self._selected.corner if self._selected.corner is not None else (-1 if by > 0 else 0)
            self._set_selected(replace(self._selected, corner=(here + by) % len(shape.outline)))

    # -- painting and size

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what lies below, then what is drawn."""
        made = picture_look()
        if self._painter is None:
            self._painter = BayPainter(made)
        painter = QPainter(self)
        painter.fillRect(self.rect(), made.color("window"))
        if self._is_empty:
            self._paint_nothing(painter, QRectF(self.rect()))
        else:
            self._paint_below(painter)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_drawn(painter, self._painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(made.color("focus"), 2))
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_below(self, painter: QPainter) -> None:
        made, view = picture_look(), self._view
        if isinstance(view, PlanView):
            if self._background is not None:
                self._background(painter, view)
            elif self._painter is not None:
                painter.fillRect(self.rect(), made.color("picture"))
                self._painter.paint_grid(painter, view)
            return
        rect = view.rect()
        painter.fillRect(rect, made.color("picture"))
        if self._image is None:
            self._paint_nothing(painter, rect)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, view.zoom < 4.0)
            painter.drawImage(rect, self._image)

    def _paint_drawn(self, painter: QPainter, strokes: BayPainter) -> None:
        view, draft = self._view, self._draft
        strokes.paint_shapes(painter, self._shapes, self._selected, view)
        if isinstance(view, PlanView) and self._bearing_deg is not None:
            strokes.paint_north(painter, view, self._bearing_deg)
        if self._points:
            strokes.paint_points(painter, self._points, view)
        if draft.is_begun:
            pointer = self._pointer
            if draft.tool is Tool.ROW:
                strokes.paint_row(painter, preview(draft.row(self._row, pointer), self._row.n_bays), self._labels, view)
            strokes.paint_draft(painter, draft.points, pointer, view, can_close=draft.can_close(self._row))
        if self._aim is not None:
            strokes.paint_aim(painter, view.to_px(self._aim))
        if self._box is not None:
            strokes.paint_box(painter, self._box.normalized())

    def _paint_nothing(self, painter: QPainter, rect: QRectF) -> None:
        made = picture_look()
        paint_hatching(painter, rect, QColor(255, 255, 255, 12))
        ink, secondary = made.theme.on_picture, made.theme.on_picture_secondary
        paint_sentence(painter, rect, self._sentence, self._sentence_hint, ink, secondary)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit what is drawn into the new window."""
        self._view = replace(self._view, size=QSizeF(event.size()))
        if self._is_fitted:
            self.fit()
        super().resizeEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Let the pointer, not the keys, say where the next point goes."""
        self._aim = None
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Draw no line to where the pointer was."""
        self._pointer = None
        self.update()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus."""
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that the focus is elsewhere."""
        self.update()
        super().focusOutEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Take another look."""
        if event.type() == QEvent.Type.StyleChange:
            self._painter = None
            self.update()
        super().changeEvent(event)
