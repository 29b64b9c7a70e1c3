"""The picture, plan or map that one draws bays on: mouse and keyboard become changes of outlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from core.parking.model import Point
from widgets.base.theme import Look, picture_look
from widgets.parking.drafts import TOOLS, Draft, RowSettings, Tool, preview
from widgets.parking.painter import BayPainter
from widgets.parking.shown import POINT_PX, Hit, Ref, Selected, Shape, hit_at, side_at, snapped, within
from widgets.parking.surface import PlanView
from widgets.scene.easel import Drag, Easel, Grip
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
_NEAR_PX = 3.0
_SNAP_M = 0.05
"""Finest step of a grid that points fall onto: half of the lines' smallest distance would be too coarse to draw."""

KEYS = (
    "V B R A choose a tool. PgUp and PgDn choose a bay, with Shift more of them, Ctrl+A all; comma and full stop a "
    "corner; arrows move it, Shift far, Alt finely; Insert adds a corner, Delete takes the bay off here, Shift+Delete "
    "removes it from the lot, D duplicates. Drawing: arrows move the cross, Space sets a point, Enter finishes, "
    "Backspace takes back, Esc gives up. + - 0 zoom, F holds the picture. Mouse: Ctrl+click and Shift+drag select more."
)


class BayCanvas(Easel[View, Draft, Selected, BayPainter]):
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
    """

    reshaped = Signal(object, str, str)
    outline_drawn = Signal(object, object)
    row_drawn = Signal(object)
    removal_requested = Signal(object, bool)
    duplicate_requested = Signal()
    point_set = Signal(object, object)
    TOOLS = TOOLS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(PlanView(size=QSizeF(1, 1)), Draft(tool=Tool.SELECT), Selected(), parent)
        self._shapes: tuple[Shape, ...] = ()
        self._row = RowSettings()
        self._labels: tuple[str, ...] = ()
        self._points: tuple[Point, ...] = ()
        self._sentence, self._sentence_hint = "No lot is chosen.", "Choose one above, or make one."
        self._background: Background | None = None
        self._bearing_deg: float | None = None
        self._is_empty = True
        self._is_snapping = True
        self._box: QRectF | None = None
        self.setAccessibleName("Bays as they are drawn")
        self._refresh_hint()

    # -- what is shown

    @property
    def tool(self) -> Tool:
        """What a click does."""
        return self._draft.tool

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

    def show_shapes(self, shapes: tuple[Shape, ...]) -> None:
        """Show what is drawn now; what is no longer there is no longer selected."""
        before = {shape.ref: shape for shape in self._shapes}
        # The same one again is quicker to compare than its like.
        self._shapes = shapes = tuple(
            was if (was := before.get(shape.ref)) is not None and was == shape else shape for shape in shapes
        )
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

    def set_snapping(self, is_snapping: bool) -> None:
        """Let points fall onto the grid and onto other corners, or not."""
        self._is_snapping = is_snapping

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

    def _press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        if self._is_empty:
            return
        if self.is_selecting:
            self._press_selecting(at, modifiers)
        else:
            self._press_drawing(at, modifiers)

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

    def _take_hold(self, hit: Hit, at: QPointF) -> Drag:
        if hit.new_corner_after is not None:
            return self._drag_new_corner(hit.new_corner_after)
        if hit.corner is not None:
            return self._drag_corner(hit.corner)
        return self._drag_all(self._view.to_point(at))

    def _drag_corner(self, index: int) -> Drag:
        key, shape = self._drag_key(), self._single()

        def drag(to: Point, is_free: bool) -> None:
            if shape is not None:
                outline = (*shape.outline[:index], self._snap_point(to, is_free), *shape.outline[index + 1 :])
                self.reshaped.emit({shape.ref: outline}, f"Move a corner of {shape.name}", key)

        return drag

    def _drag_all(self, start: Point) -> Drag:
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
        """Drag, pan, draw the line to the pointer, or stretch the rectangle that selects."""
        if self._box is not None:
            self._box.setBottomRight(event.position())
            self.update()
        else:
            super().mouseMoveEvent(event)

    def _grip(self, at: QPointF) -> Grip:
        hit = hit_at(self._shapes, self._selected, self._view, at)
        if hit is None:
            return Grip.NOTHING
        return Grip.SHAPE if hit.corner is None and hit.new_corner_after is None else Grip.POINT

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go; what the rectangle holds is selected."""
        super().mouseReleaseEvent(event)
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

    def _may_take(self, tool: StrEnum) -> bool:
        is_there = tool is not Tool.PLACE or self._background is not None
        return super()._may_take(tool) and is_there and not self._is_empty

    def _drafted(self, tool: StrEnum) -> Draft:
        return Draft(tool=Tool(tool))

    def _unselects(self, tool: StrEnum) -> bool:
        return tool not in (Tool.SELECT, Tool.BAY)

    def _unselected(self) -> Selected:
        return Selected()

    def _close_draft(self) -> None:
        self._finish(None)

    def _take_back(self) -> None:
        self._draft = self._draft.back()

    def _press_any(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._set_selected(Selected(refs=tuple(shape.ref for shape in self._shapes)))
            return True
        return super()._press_any(event)

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
            self._look_from(self._view.panned(-right * self.width() / 10, up * self.height() / 10))
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

    def _step_shape(self, by: int, modifiers: Qt.KeyboardModifier) -> None:
        is_adding = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
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

    # -- painting

    def _new_strokes(self, made: Look) -> BayPainter:
        return BayPainter(made)

    def _paint(self, painter: QPainter, strokes: BayPainter) -> None:
        if self._is_empty:
            self._paint_nothing(painter, QRectF(self.rect()))
            return
        self._paint_below(painter, strokes)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_drawn(painter, strokes)

    def _paint_below(self, painter: QPainter, strokes: BayPainter) -> None:
        view = self._view
        if not isinstance(view, PlanView):
            self._paint_picture(painter, view)
        elif self._background is not None:
            self._background(painter, view)
        else:
            painter.fillRect(self.rect(), picture_look().color("picture"))
            strokes.paint_grid(painter, view)

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
