"""The picture one draws on: mouse and keyboard become changes of the sketch."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from PySide6.QtCore import QPointF, QSizeF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from core.vision.model import PicturePoint
from core.vision.plane import Plane
from widgets.base.theme import Look
from widgets.scene.draft import KIND_OF, TOOLS, Draft, Tool, mask_kind
from widgets.scene.easel import Drag, Easel, Grip
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
KEYS = (
    "V Z L A P I R choose a tool. PgUp and PgDn choose a shape, comma and full stop one of its points; arrows move it, "
    "Shift far, Alt finely; Insert adds a corner, Delete removes, T turns a direction round. Drawing: arrows move the "
    "cross, Space sets a point, Enter closes, Backspace takes back, Esc gives up. + - 0 zoom, F holds the picture, G "
    "shows the road."
)
_HINT_SELECTED = "Drag a point, or the dot between two for another corner. Delete removes, T turns a direction round."


class SceneCanvas(Easel[PictureView, Draft, Selection, ScenePainter]):
    """A camera's picture with what is drawn on it.

    Mouse: click to select or set points, drag to move, double click a side to add a corner, wheel to zoom, middle
    button or a drag beside everything to pan; Alt switches snapping off.
    Keys: see `KEYS`; F and G are the editor's.

    Signals:
        change_requested(object, str, str): The new `Sketch`, what was done, and a key for merging steps.
    """

    change_requested = Signal(object, str, str)
    TOOLS = TOOLS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(PictureView(size=QSizeF(1, 1)), Draft(tool=Tool.SELECT), Selection(), parent)
        self._sketch = Sketch()
        self._sentence, self._sentence_hint = "No camera is chosen.", "Choose one above, or on the wall."
        self._plane: Plane | None = None
        self._is_road_shown = False
        self.setAccessibleName("Picture of the camera, with what is drawn on it")
        self._refresh_hint()

    # -- what is shown

    @property
    def tool(self) -> Tool:
        """What a click does."""
        return self._draft.tool

    @property
    def aspect(self) -> float:
        """Width over height of the picture."""
        return self._view.aspect

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

    def set_road_shown(self, is_shown: bool) -> None:
        """Show the road points; elsewhere they would stand in the way of shapes."""
        self._is_road_shown = is_shown
        self.update()

    def select(self, selected: Selection) -> None:
        """Select a shape, one of its points, or a road point."""
        if self._draft.tool in KIND_OF and selected != Selection():
            self.set_tool(Tool.SELECT)
        self._set_selected(selected)

    def fit(self) -> None:
        """Show the whole picture."""
        self._is_fitted = True
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

    def _press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        if self._draft.tool in KIND_OF:
            self._press_drawing(at, modifiers)
        elif self._draft.tool is Tool.ROAD:
            self._press_road(at, modifiers)
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

    def _drag_road(self, index: int) -> Drag:
        key = self._drag_key()

        def drag(to: PicturePoint, is_free: bool) -> None:
            road = list(self._sketch.road)
            road[index] = replace(road[index], picture=self._snap_point(to, is_free))
            self._change(replace(self._sketch, road=tuple(road)), f"Move road point {index + 1}", key)

        return drag

    def _drag_corner(self, index: int) -> Drag:
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

    def _drag_shape(self, start: PicturePoint) -> Drag:
        ref, key = self._selected.ref, self._drag_key()
        shape = self._sketch.shape(ref)

        def drag(to: PicturePoint, _is_free: bool) -> None:
            if shape is None or ref is None:
                return
            after = moved(shape, to[0] - start[0], to[1] - start[1])
            self._change(changed(self._sketch, ref, lambda _old: after), f"Move {shape.name}", key)

        return drag

    def _hit(self, at: QPointF) -> Hit | None:
        sketch = self._sketch if self._is_road_shown else replace(self._sketch, road=())
        return hit_at(sketch, self._selected, self._view, at)

    def _grip(self, at: QPointF) -> Grip:
        hit = self._hit(at)
        if hit is None:
            return Grip.NOTHING
        is_point = hit.selection.corner is not None or hit.new_corner_after is not None
        return Grip.POINT if is_point or hit.selection.road is not None else Grip.SHAPE

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

    def _snap_point(self, point: PicturePoint, is_free: bool) -> PicturePoint:
        if is_free or self._draft.tool is Tool.ROAD:
            return inside(point)
        others = (
            other for ref, shape in self._sketch.shapes() if ref != self._selected.ref for other in points_of(shape)
        )
        return snapped(point, others, self._view)

    # -- keyboard

    def _drafted(self, tool: StrEnum) -> Draft:
        return Draft(tool=Tool(tool))

    def _unselects(self, tool: StrEnum) -> bool:
        return tool in KIND_OF

    def _unselected(self) -> Selection:
        return Selection()

    def _close_draft(self) -> None:
        if self._draft.tool is not Tool.ROAD:
            self._set_draft(self._draft.close())

    def _take_back(self) -> None:
        self._draft = self._draft.back()

    def _middle(self) -> PicturePoint:
        return 0.5, 0.5

    def _press_selecting_key(self, event: QKeyEvent) -> bool:
        key = event.key()
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
            x, y = self._aim or self._middle()
            self._aim = inside((x + dx, y + dy))
            self._pointer = self._aim
        else:
            self._look_from(self._view.panned(-dx * self.width(), -dy * self.height()))
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

    def _step_shape(self, by: int, _modifiers: Qt.KeyboardModifier) -> None:
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

    # -- painting

    def _new_strokes(self, made: Look) -> ScenePainter:
        return ScenePainter(made)

    def _paint(self, painter: QPainter, strokes: ScenePainter) -> None:
        self._paint_picture(painter, self._view)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._plane is not None:
            strokes.paint_grid(painter, self._plane, self._sketch, self._view)
        strokes.paint_sketch(painter, self._sketch, self._selected, self._view)
        if self._is_road_shown:
            strokes.paint_road(painter, self._sketch, self._selected.road, self._view)
        if self._draft.is_begun:
            strokes.paint_draft(painter, self._draft, self._pointer, self._view)
        if self._aim is not None:
            strokes.paint_aim(painter, self._view.to_px(self._aim))
