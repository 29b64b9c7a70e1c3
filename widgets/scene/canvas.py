"""The picture one draws on: mouse and keyboard become changes of the sketch."""

from __future__ import annotations

from collections.abc import Callable
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

from core.vision.model import PicturePoint
from core.vision.plane import Plane
from widgets.base.state_overlay import paint_hatching, paint_sentence
from widgets.base.theme import picture_look
from widgets.scene.draft import KIND_OF, TOOLS, Draft, Tool, mask_kind
from widgets.scene.hits import POINT_PX, Hit, Selection, hit_at, middles, road_at, side_at, snapped
from widgets.scene.painter import ScenePainter
from widgets.scene.sketch import (
    RoadPoint,
    ShapeRef,
    Sketch,
    added,
    changed,
    inside,
    moved,
    n_corners,
    new_shape,
    points_of,
    removed,
    turned,
    with_corner,
    with_points,
    without_corner,
)
from widgets.scene.view import PictureView

_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_STEP, _FINE, _COARSE = 0.01, 0.002, 0.05
_WHEEL_STEP = 1.2
KEYS = (
    "V Z L A P I R choose a tool. PgUp and PgDn choose a shape, comma and full stop one of its points; arrows move it, "
    "Shift far, Alt finely; Insert adds a corner, Delete removes, T turns a direction round. Drawing: arrows move the "
    "cross, Space sets a point, Enter closes, Backspace takes back, Esc gives up. + - 0 zoom, F holds the picture, G "
    "shows the road."
)
_HINT_SELECTED = "Drag a point, or the dot between two for another corner. Delete removes, T turns a direction round."


class SceneCanvas(QWidget):
    """A camera's picture with what is drawn on it.

    Mouse: click to select or set points, drag to move, double click a side to add a corner, wheel to zoom, middle
    button or a drag beside everything to pan; Alt switches snapping off.
    Keys: see `KEYS`; F and G are the editor's.

    Signals:
        change_requested(object, str, str): The new `Sketch`, what was done, and a key for merging steps.
        selection_changed(object): A `Selection`.
        tool_changed(object): A `Tool`.
        hint_changed(str): What to do next.
    """

    change_requested = Signal(object, str, str)
    selection_changed = Signal(object)
    tool_changed = Signal(object)
    hint_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = PictureView(size=QSizeF(1, 1))
        self._sketch = Sketch()
        self._selected = Selection()
        self._draft = Draft(tool=Tool.SELECT)
        self._image: QImage | None = None
        self._sentence, self._sentence_hint = "No camera is chosen.", "Choose one above, or on the wall."
        self._plane: Plane | None = None
        self._is_editable = False
        self._is_frozen = False
        self._is_road_shown = False
        self._pointer: PicturePoint | None = None
        self._aim: PicturePoint | None = None
        self._drag: Callable[[PicturePoint, bool], None] | None = None
        self._panned_from: QPointF | None = None
        self._n_drags = 0
        self._painter: ScenePainter | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(200, 140)
        self.setAccessibleName("Picture of the camera, with what is drawn on it")
        self._refresh_hint()

    # -- what is shown

    @property
    def view(self) -> PictureView:
        """Where the picture stands in the window."""
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
    def selected(self) -> Selection:
        """What is being worked on."""
        return self._selected

    @property
    def hint(self) -> str:
        """What to do next."""
        return self._hint()

    @property
    def aspect(self) -> float:
        """Width over height of the picture."""
        return self._view.aspect

    @property
    def has_picture(self) -> bool:
        """A picture is shown."""
        return self._image is not None

    def show_picture(self, image: QImage) -> None:
        """Show a newer picture, unless it is held; the image owns its pixels."""
        if self._is_frozen and self._image is not None:
            return
        self._image = image
        aspect = image.width() / max(1, image.height())
        if abs(aspect - self._view.aspect) > 1e-3:
            self._view = replace(self._view, aspect=aspect)
        self.update()

    def show_no_picture(self, sentence: str, hint: str = "") -> None:
        """Forget the picture and say why there is none; what is drawn stays visible."""
        self._image = None
        self._sentence, self._sentence_hint = sentence, hint
        self.update()

    def show_sketch(self, sketch: Sketch) -> None:
        """Show what is drawn now; what is no longer there is no longer selected."""
        self._sketch = sketch
        selected = self._selected
        shape = sketch.shape(selected.ref)
        if selected.ref is not None and shape is None:
            selected = Selection()
        if shape is not None and selected.corner is not None and selected.corner >= len(points_of(shape)):
            selected = replace(selected, corner=None)
        if selected.road is not None and selected.road >= len(sketch.road):
            selected = Selection()
        self._set_selected(selected)
        self.update()

    def show_plane(self, plane: Plane | None) -> None:
        """Draw the metre grid of a road plane; None draws none."""
        self._plane = plane
        self.update()

    def set_editable(self, is_editable: bool) -> None:
        """Let the operator change what is drawn, or only look."""
        self._is_editable = is_editable
        if not is_editable:
            self.set_tool(Tool.SELECT)
        self._refresh_hint()

    def set_road_shown(self, is_shown: bool) -> None:
        """Show the road points; elsewhere they would stand in the way of shapes."""
        self._is_road_shown = is_shown
        self.update()

    def set_frozen(self, is_frozen: bool) -> None:
        """Hold the picture, or let it run again."""
        self._is_frozen = is_frozen

    def set_tool(self, tool: Tool) -> None:
        """Choose what a click does; what was begun is given up."""
        if tool is not Tool.SELECT and not self._is_editable:
            return
        is_other = tool is not self._draft.tool
        self._draft = Draft(tool=tool)
        self._aim = None
        if tool in KIND_OF:
            self._set_selected(Selection())
        self.setCursor(Qt.CursorShape.ArrowCursor if tool is Tool.SELECT else Qt.CursorShape.CrossCursor)
        if is_other:
            self.tool_changed.emit(tool)
        self._refresh_hint()
        self.update()

    def select(self, selected: Selection) -> None:
        """Select a shape, one of its points, or a road point."""
        if self._draft.tool in KIND_OF and selected != Selection():
            self.set_tool(Tool.SELECT)
        self._set_selected(selected)

    def fit(self) -> None:
        """Show the whole picture."""
        self._view = replace(self._view, zoom=1.0, middle=(0.5, 0.5))
        self.update()

    # -- changes

    def delete_selected(self) -> None:
        """Remove the selected point; without one, or where too few would be left, the whole shape."""
        if not self._is_editable:
            return
        selected = self._selected
        if selected.road is not None:
            road = tuple(point for index, point in enumerate(self._sketch.road) if index != selected.road)
            self._change(replace(self._sketch, road=road), f"Remove road point {selected.road + 1}")
            return
        shape = self._sketch.shape(selected.ref)
        if shape is None or selected.ref is None:
            return
        less = without_corner(shape, selected.corner) if selected.corner is not None else None
        if less is not None:
            sketch = changed(self._sketch, selected.ref, lambda _old: less)
            self._set_selected(Selection(ref=selected.ref))
            self._change(sketch, f"Remove a corner of {shape.name}")
            return
        if selected.corner is not None and selected.corner < n_corners(shape):
            # Three corners are the least: the whole shape goes with the next press.
            self._set_selected(Selection(ref=selected.ref))
            self._say("An outline needs three corners. Delete once more removes the whole shape.")
            return
        self._change(removed(self._sketch, selected.ref), f"Remove {shape.name}")

    def turn_selected(self) -> None:
        """Let the selected line or lane point the other way."""
        selected = self._selected.ref
        shape = self._sketch.shape(selected)
        if self._is_editable and selected is not None and shape is not None and turned(shape) != shape:
            self._change(changed(self._sketch, selected, turned), f"Turn {shape.name} round")

    def _insert_corner(self, after: int, point: PicturePoint) -> None:
        ref = self._selected.ref
        shape = self._sketch.shape(ref)
        if shape is None or ref is None:
            return
        self._change(
            changed(self._sketch, ref, lambda _old: with_corner(shape, after, point)), f"Add a corner to {shape.name}"
        )
        self._set_selected(Selection(ref=ref, corner=after + 1))

    def _finish_draft(self) -> None:
        tool, points = self._draft.tool, self._draft.all_points
        kind = KIND_OF[tool]
        shape = new_shape(self._sketch, kind, points, mask_kind(tool))
        self._draft = Draft(tool=tool)
        self._change(added(self._sketch, kind, shape), f"Draw {shape.name}")
        self.set_tool(Tool.SELECT)
        self._set_selected(Selection(ref=ShapeRef(kind, shape.key)))

    def _change(self, sketch: Sketch, text: str, merge_key: str = "") -> None:
        self.change_requested.emit(sketch, text, merge_key)

    def _set_draft(self, draft: Draft) -> None:
        self._draft = draft
        if draft.is_done:
            self._finish_draft()
        self._refresh_hint()
        self.update()

    def _put(self, point: PicturePoint) -> None:
        """Set a point with the tool in hand."""
        if self._draft.tool is Tool.ROAD:
            road = (*self._sketch.road, RoadPoint(picture=inside(point)))
            self._change(replace(self._sketch, road=road), f"Set road point {len(road)}")
            self._set_selected(Selection(road=len(road) - 1))
            return
        self._set_draft(self._draft.put(inside(point)))

    def _set_selected(self, selected: Selection) -> None:
        if selected == self._selected:
            return
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
            return "Click a shape to see its settings; the wheel zooms."
        if self._draft.tool is Tool.ROAD:
            return "Click points of the road whose distances you know, at least four; drag them where they belong."
        if self._draft.tool is not Tool.SELECT:
            return self._draft.hint()
        if self._selected == Selection():
            return "Click a shape to change it, or choose a tool to draw one. The wheel zooms, a drag pans."
        return _HINT_SELECTED

    # -- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Set a point, take hold of something, or begin to pan."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        at = event.position()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = at
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._aim = None
        if self._draft.tool in KIND_OF:
            self._press_drawing(at, event.modifiers())
        elif self._draft.tool is Tool.ROAD:
            self._press_road(at, event.modifiers())
        else:
            self._press_selecting(at)

    def _press_drawing(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        points = self._draft.points
        if self._draft.can_close and points and not self._draft.draws_arrow:
            first = self._view.to_px(points[0])
            if (at - first).manhattanLength() <= POINT_PX:
                self._set_draft(self._draft.close())
                return
        self._put(self._snap(at, modifiers))

    def _press_road(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        found = road_at(self._sketch, self._view, at)
        if found is None:
            self._put(self._snap(at, modifiers))
            found = len(self._sketch.road) - 1
        self._set_selected(Selection(road=found))
        self._drag = self._drag_road(found)

    def _press_selecting(self, at: QPointF) -> None:
        hit = self._hit(at)
        if hit is None:
            self._set_selected(Selection())
            self._panned_from = at
            return
        self._set_selected(hit.selection)
        if not self._is_editable:
            return
        if hit.selection.road is not None:
            self._drag = self._drag_road(hit.selection.road)
        elif hit.new_corner_after is not None:
            self._drag = self._drag_new_corner(hit.new_corner_after)
        elif hit.selection.corner is not None:
            self._drag = self._drag_corner(hit.selection.corner)
        else:
            self._drag = self._drag_shape(self._view.to_point(at))

    def _drag_key(self) -> str:
        self._n_drags += 1
        return f"drag-{self._n_drags}"

    def _drag_road(self, index: int) -> Callable[[PicturePoint, bool], None]:
        key = self._drag_key()

        def drag(to: PicturePoint, is_free: bool) -> None:
            road = list(self._sketch.road)
            road[index] = replace(road[index], picture=self._snap_point(to, is_free))
            self._change(replace(self._sketch, road=tuple(road)), f"Move road point {index + 1}", key)

        return drag

    def _drag_corner(self, index: int) -> Callable[[PicturePoint, bool], None]:
        ref, key = self._selected.ref, self._drag_key()
        shape = self._sketch.shape(ref)

        def drag(to: PicturePoint, is_free: bool) -> None:
            if shape is None or ref is None:
                return
            points = list(points_of(shape))
            points[index] = self._snap_point(to, is_free)
            after = with_points(shape, tuple(points))
            self._change(changed(self._sketch, ref, lambda _old: after), f"Move a point of {shape.name}", key)

        return drag

    def _drag_new_corner(self, after: int) -> Callable[[PicturePoint, bool], None]:
        inner: list[Callable[[PicturePoint, bool], None]] = []

        def drag(to: PicturePoint, is_free: bool) -> None:
            # A click without a move adds nothing.
            if not inner:
                self._insert_corner(after, inside(to))
                inner.append(self._drag_corner(after + 1))
            inner[0](to, is_free)

        return drag

    def _drag_shape(self, start: PicturePoint) -> Callable[[PicturePoint, bool], None]:
        ref, key = self._selected.ref, self._drag_key()
        shape = self._sketch.shape(ref)

        def drag(to: PicturePoint, _is_free: bool) -> None:
            if shape is None or ref is None:
                return
            after = moved(shape, to[0] - start[0], to[1] - start[1])
            self._change(changed(self._sketch, ref, lambda _old: after), f"Move {shape.name}", key)

        return drag

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, pan, or draw the line to the pointer."""
        at = event.position()
        if self._panned_from is not None:
            self._view = self._view.panned(at.x() - self._panned_from.x(), at.y() - self._panned_from.y())
            self._panned_from = at
            self.update()
            return
        if self._drag is not None:
            is_free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self._drag(self._view.to_point(at), is_free)
            return
        self._pointer = self._snap(at, event.modifiers()) if self._draft.tool in KIND_OF else None
        if self._draft.tool is Tool.SELECT:
            self._point_out(at)
        if self._draft.is_begun:
            self.update()

    def _hit(self, at: QPointF) -> Hit | None:
        sketch = self._sketch if self._is_road_shown else replace(self._sketch, road=())
        return hit_at(sketch, self._selected, self._view, at)

    def _point_out(self, at: QPointF) -> None:
        hit = self._hit(at)
        if hit is None:
            self.setCursor(Qt.CursorShape.ArrowCursor)
        elif hit.selection.corner is not None or hit.new_corner_after is not None or hit.selection.road is not None:
            self.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self.setCursor(Qt.CursorShape.PointingHandCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._drag = None
        self._panned_from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Close the outline; on a side of what is selected, add a corner."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._draft.tool in KIND_OF:
            self._double_click_drawing(event)
            return
        shape = self._sketch.shape(self._selected.ref)
        if shape is None or not self._is_editable or self._draft.tool is not Tool.SELECT:
            self.mousePressEvent(event)
            return
        side = side_at(shape, self._view, event.position())
        if side is not None:
            self._insert_corner(side, inside(self._view.to_point(event.position())))

    def _double_click_drawing(self, event: QMouseEvent) -> None:
        # The first press of the two has set its point already.
        if self._draft.can_close and not self._draft.draws_arrow:
            self._set_draft(self._draft.close())
        elif not self._draft.points:
            self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom towards the pointer."""
        factor = _WHEEL_STEP ** (event.angleDelta().y() / 120.0)
        self._view = self._view.zoomed(factor, event.position())
        event.accept()
        self.update()

    def _snap(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> PicturePoint:
        return self._snap_point(self._view.to_point(at), bool(modifiers & Qt.KeyboardModifier.AltModifier))

    def _snap_point(self, point: PicturePoint, is_free: bool) -> PicturePoint:
        if is_free or self._draft.tool is Tool.ROAD:
            return inside(point)
        others = (
            other for ref, shape in self._sketch.shapes() if ref != self._selected.ref for other in points_of(shape)
        )
        return snapped(point, others, self._view)

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
        if tool is None or held or not self._is_editable:
            return False
        self.set_tool(tool)
        return True

    def _press_any(self, event: QKeyEvent) -> bool:
        key = event.key()
        middle = QPointF(self.width() / 2, self.height() / 2)
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            factor = 1 / _WHEEL_STEP if key == Qt.Key.Key_Minus else _WHEEL_STEP
            self._view = self._view.zoomed(factor, middle)
            self.update()
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self._step_shape(1 if key == Qt.Key.Key_PageDown else -1)
        elif key == Qt.Key.Key_Escape and not self._draft.is_begun and self._selected != Selection():
            self._set_selected(Selection())
        else:
            return False
        return True

    def _press_editing(self, event: QKeyEvent) -> bool:
        key = event.key()
        has_control = bool(event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier))
        if has_control:
            return False
        if self.press_tool(event):
            return True
        if key in _ARROWS:
            self._press_arrow(event)
            return True
        if self._draft.tool is not Tool.SELECT and self._press_drawing_key(event.key()):
            return True
        return self._press_selecting_key(event.key())

    def _press_drawing_key(self, key: int) -> bool:
        if key == Qt.Key.Key_Space:
            self._put(self._aim or (0.5, 0.5))
            self._aim = self._aim or (0.5, 0.5)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._draft.tool is not Tool.ROAD:
            self._set_draft(self._draft.close())
        elif key == Qt.Key.Key_Backspace and self._draft.is_begun:
            self._set_draft(self._draft.back())
        elif key == Qt.Key.Key_Escape:
            self.set_tool(self._draft.tool if self._draft.is_begun else Tool.SELECT)
        else:
            return False
        return True

    def _press_selecting_key(self, key: int) -> bool:
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_selected()
        elif key in (Qt.Key.Key_Comma, Qt.Key.Key_Period):
            self._step_corner(1 if key == Qt.Key.Key_Period else -1)
        elif key == Qt.Key.Key_Insert:
            self._insert_by_key()
        elif key == Qt.Key.Key_T:
            self.turn_selected()
        else:
            return False
        return True

    def _press_arrow(self, event: QKeyEvent) -> None:
        step = _STEP
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step = _COARSE
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier:
            step = _FINE
        dx, dy = (part * step for part in _ARROWS[Qt.Key(event.key())])
        if self._selected != Selection() and self._draft.tool in (Tool.SELECT, Tool.ROAD) and self._aim is None:
            self._nudge(dx, dy)
        elif self._draft.tool is not Tool.SELECT:
            x, y = self._aim or (0.5, 0.5)
            self._aim = inside((x + dx, y + dy))
            self._pointer = self._aim
        else:
            self._view = self._view.panned(-dx * self.width(), -dy * self.height())
        self.update()

    def _nudge(self, dx: float, dy: float) -> None:
        selected, sketch = self._selected, self._sketch
        if selected.road is not None:
            road = list(sketch.road)
            x, y = road[selected.road].picture
            road[selected.road] = replace(road[selected.road], picture=inside((x + dx, y + dy)))
            key = f"nudge-road-{selected.road}"
            self._change(replace(sketch, road=tuple(road)), f"Move road point {selected.road + 1}", key)
            return
        shape = sketch.shape(selected.ref)
        if shape is None or selected.ref is None:
            return
        after, what = moved(shape, dx, dy), shape.name
        if selected.corner is not None:
            points = list(points_of(shape))
            x, y = points[selected.corner]
            points[selected.corner] = (x + dx, y + dy)
            after, what = with_points(shape, tuple(points)), f"a point of {shape.name}"
        key = f"nudge-{selected.ref.kind.value}-{selected.ref.key}-{selected.corner}"
        self._change(changed(sketch, selected.ref, lambda _old: after), f"Move {what}", key)

    def _step_shape(self, by: int) -> None:
        refs = [ref for ref, _ in self._sketch.shapes()]
        if not refs:
            return
        here = refs.index(self._selected.ref) if self._selected.ref in refs else (-1 if by > 0 else 0)
        self.select(Selection(ref=refs[(here + by) % len(refs)]))

    def _step_corner(self, by: int) -> None:
        if self._selected.road is not None or self._draft.tool is Tool.ROAD:
            if self._sketch.road:
                here = self._selected.road if self._selected.road is not None else (-1 if by > 0 else 0)
                self._set_selected(Selection(road=(here + by) % len(self._sketch.road)))
            return
        shape = self._sketch.shape(self._selected.ref)
        if shape is None:
            return
        n_points = len(points_of(shape))
        here = self._selected.corner if self._selected.corner is not None else (-1 if by > 0 else 0)
        self._set_selected(replace(self._selected, corner=(here + by) % n_points))

    def _insert_by_key(self) -> None:
        shape = self._sketch.shape(self._selected.ref)
        if shape is None or not n_corners(shape):
            return
        after = self._selected.corner if self._selected.corner is not None else 0
        if after < n_corners(shape):
            self._insert_corner(after, middles(shape)[after])

    # -- painting and size

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, then what is drawn."""
        made = picture_look()
        if self._painter is None:
            self._painter = ScenePainter(made)
        painter = QPainter(self)
        painter.fillRect(self.rect(), made.color("window"))
        rect = self._view.rect()
        painter.fillRect(rect, made.color("picture"))
        if self._image is None:
            self._paint_no_picture(painter, rect)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._view.zoom < 4.0)
            painter.drawImage(rect, self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._plane is not None:
            self._painter.paint_grid(painter, self._plane, self._sketch, self._view)
        self._painter.paint_sketch(painter, self._sketch, self._selected, self._view)
        if self._is_road_shown:
            self._painter.paint_road(painter, self._sketch, self._selected.road, self._view)
        if self._draft.is_begun:
            self._painter.paint_draft(painter, self._draft, self._pointer, self._view)
        if self._aim is not None:
            self._painter.paint_aim(painter, self._view.to_px(self._aim))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(made.color("focus"), 2))
            painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_no_picture(self, painter: QPainter, rect: QRectF) -> None:
        made = picture_look()
        paint_hatching(painter, rect, QColor(255, 255, 255, 12))
        ink, secondary = made.theme.on_picture, made.theme.on_picture_secondary
        paint_sentence(painter, rect, self._sentence, self._sentence_hint, ink, secondary)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the picture into the new window."""
        self._view = replace(self._view, size=QSizeF(event.size()))
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
