"""What every surface that one draws on does alike: it zooms, pans, snaps, takes tools by key and shows the focus."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, StrEnum, auto
from typing import Any, Generic, Protocol, TypeVar

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

from widgets.base.state_overlay import paint_hatching, paint_sentence
from widgets.base.theme import Look, picture_look
from widgets.scene.draft import ToolInfo
from widgets.scene.view import PictureView

EaselPoint = tuple[float, float]
Drag = Callable[[EaselPoint, bool], None]
"""Takes the point under the pointer, and whether snapping is switched off."""

_WHEEL_STEP = 1.2


class AnyDraft(Protocol):
    """Something in the making."""

    @property
    def tool(self) -> StrEnum:
        """What it is drawn with; "select" draws nothing."""

    @property
    def is_begun(self) -> bool:
        """At least one point is set."""


Draft = TypeVar("Draft", bound=AnyDraft)
View = TypeVar("View", bound=Any)
"""A frozen window with `size`, `to_px`, `to_point`, `zoomed` and `panned`, as `PictureView`."""

Selected = TypeVar("Selected")
Painter = TypeVar("Painter")


class Grip(Enum):
    """What the pointer would take hold of."""

    NOTHING = auto()
    POINT = auto()
    SHAPE = auto()


class Easel(QWidget, Generic[View, Draft, Selected, Painter]):
    """A surface with a tool in hand.

    Mouse: wheel zooms, the middle button pans, Alt switches snapping off. Keys: + - 0 zoom, the letters of the tools,
    Space sets a point, Enter closes, Backspace takes back, Esc gives up.

    Signals:
        selection_changed(object): What is worked on.
        tool_changed(object): The tool in hand.
        hint_changed(str): What to do next.
    """

    selection_changed = Signal(object)
    tool_changed = Signal(object)
    hint_changed = Signal(str)

    TOOLS: Sequence[ToolInfo[Any]]
    """What can be taken by its letter."""

    def __init__(self, view: View, draft: Draft, selected: Selected, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._draft = draft
        self._selected = selected
        self._image: QImage | None = None
        self._sentence = self._sentence_hint = ""
        self._is_editable = False
        self._is_frozen = False
        self._is_fitted = True
        self._pointer: EaselPoint | None = None
        self._aim: EaselPoint | None = None
        self._drag: Drag | None = None
        self._panned_from: QPointF | None = None
        self._n_drags = 0
        self._strokes: Painter | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(200, 140)

    # -- what each surface says for itself

    @abstractmethod
    def fit(self) -> None:
        """Show everything."""

    @abstractmethod
    def _drafted(self, tool: StrEnum) -> Draft:
        """Return a draft of a tool, with nothing in it."""

    @abstractmethod
    def _unselects(self, tool: StrEnum) -> bool:
        """Tell whether taking a tool gives up what is selected."""

    @abstractmethod
    def _hint(self) -> str:
        """Return what to do next."""

    @abstractmethod
    def _press(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Set a point, or take hold of something."""

    @abstractmethod
    def _grip(self, at: QPointF) -> Grip:
        """Return what a press would take hold of."""

    @abstractmethod
    def _snap_point(self, point: EaselPoint, is_free: bool) -> EaselPoint:
        """Return where a point falls."""

    @abstractmethod
    def _put(self, point: EaselPoint) -> None:
        """Set a point with the tool in hand."""

    @abstractmethod
    def _close_draft(self) -> None:
        """Finish what is drawn, where it has enough points."""

    @abstractmethod
    def _take_back(self) -> None:
        """Take the last point of the draft away."""

    @abstractmethod
    def _insert_corner(self, after: int, point: EaselPoint) -> None:
        """Add a corner to what is selected."""

    @abstractmethod
    def _drag_corner(self, index: int) -> Drag:
        """Return what moves a corner of what is selected."""

    @abstractmethod
    def _unselected(self) -> Selected:
        """Return a selection of nothing."""

    @abstractmethod
    def _step_shape(self, by: int, modifiers: Qt.KeyboardModifier) -> None:
        """Select the next shape or the one before."""

    @abstractmethod
    def _press_arrow(self, event: QKeyEvent) -> None:
        """Move what is selected, the cross, or the view."""

    @abstractmethod
    def _press_selecting_key(self, event: QKeyEvent) -> bool:
        """Take a key for what is selected; returns whether it is one."""

    @abstractmethod
    def _middle(self) -> EaselPoint:
        """Return where the cross begins."""

    @abstractmethod
    def _new_strokes(self, made: Look) -> Painter:
        """Return what paints, in the colours of a look."""

    @abstractmethod
    def _paint(self, painter: QPainter, strokes: Painter) -> None:
        """Paint what lies below, and what is drawn."""

    def _may_take(self, tool: StrEnum) -> bool:
        """Tell whether a tool has a use here."""
        return self._is_editable

    # -- what is shown

    @property
    def view(self) -> View:
        """Where what is drawn stands in the window."""
        return self._view

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
    def is_selecting(self) -> bool:
        """The tool in hand draws nothing."""
        return self._draft.tool is self.TOOLS[0].tool

    @property
    def has_picture(self) -> bool:
        """A picture is shown."""
        return self._image is not None

    def show_picture(self, image: QImage) -> None:
        """Show a newer picture, unless it is held; the image owns its pixels."""
        if not isinstance(self._view, PictureView) or (self._is_frozen and self._image is not None):
            return
        self._image = image
        aspect = image.width() / max(1, image.height())
        if abs(aspect - self._view.aspect) > 1e-3:
            self._view = replace(self._view, aspect=aspect)
        self.update()

    def set_editable(self, is_editable: bool) -> None:
        """Let the operator change what is drawn, or only look."""
        self._is_editable = is_editable
        if not is_editable:
            self.set_tool(self.TOOLS[0].tool)
        self._refresh_hint()

    def set_frozen(self, is_frozen: bool) -> None:
        """Hold the picture, or let it run again."""
        self._is_frozen = is_frozen

    def set_tool(self, tool: StrEnum) -> None:
        """Choose what a click does; what was begun is given up."""
        is_selecting = tool is self.TOOLS[0].tool
        if not is_selecting and not self._is_editable:
            return
        is_other = tool is not self._draft.tool
        self._draft = self._drafted(tool)
        self._aim = self._pointer = None
        if self._unselects(tool):
            self._set_selected(self._unselected())
        self.setCursor(Qt.CursorShape.ArrowCursor if is_selecting else Qt.CursorShape.CrossCursor)
        if is_other:
            self.tool_changed.emit(tool)
        self._refresh_hint()
        self.update()

    def press_tool(self, event: QKeyEvent) -> bool:
        """Take the tool whose letter was pressed; returns whether there is one."""
        held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        letter = event.text().upper()
        tool = next((info.tool for info in self.TOOLS if info.key == letter), None)
        if tool is None or held or not self._may_take(tool):
            return False
        self.set_tool(tool)
        return True

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

    # -- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Set a point, take hold of something, or begin to pan."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = event.position()
        elif event.button() == Qt.MouseButton.LeftButton:
            self._aim = None
            self._press(event.position(), event.modifiers())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag, pan, or draw the line to the pointer."""
        at = event.position()
        if self._panned_from is not None:
            moved = at - self._panned_from
            self._panned_from = at
            self._look_from(self._view.panned(moved.x(), moved.y()))
        elif self._drag is not None:
            self._drag(self._view.to_point(at), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier))
        elif self.is_selecting:
            self._point_out(at)
        else:
            self._pointer = self._snap(at, event.modifiers())
            if self._draft.is_begun:
                self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._drag = self._panned_from = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom towards the pointer."""
        self._zoom(_WHEEL_STEP ** (event.angleDelta().y() / 120.0), event.position())
        event.accept()

    def _point_out(self, at: QPointF) -> None:
        shapes = {
            Grip.NOTHING: Qt.CursorShape.ArrowCursor,
            Grip.POINT: Qt.CursorShape.CrossCursor,
            Grip.SHAPE: Qt.CursorShape.PointingHandCursor,
        }
        self.setCursor(shapes[self._grip(at)])

    def _zoom(self, factor: float, at: QPointF) -> None:
        self._look_from(self._view.zoomed(factor, at))

    def _look_from(self, view: View) -> None:
        self._view = view
        self._is_fitted = False
        self.update()

    def _snap(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> EaselPoint:
        return self._snap_point(self._view.to_point(at), bool(modifiers & Qt.KeyboardModifier.AltModifier))

    def _drag_key(self) -> str:
        self._n_drags += 1
        return f"drag-{self._n_drags}"

    def _drag_new_corner(self, after: int) -> Drag:
        inner: list[Drag] = []

        def drag(to: EaselPoint, is_free: bool) -> None:
            # A click without a move adds nothing.
            if not inner:
                self._insert_corner(after, to)
                inner.append(self._drag_corner(after + 1))
            inner[0](to, is_free)

        return drag

    # -- keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tools, points and zoom; what is no key of ours goes on to the window."""
        if not (self._press_any(event) or (self._is_editable and self._press_editing(event))):
            super().keyPressEvent(event)

    def _press_any(self, event: QKeyEvent) -> bool:
        key = event.key()
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            factor = 1 / _WHEEL_STEP if key == Qt.Key.Key_Minus else _WHEEL_STEP
            self._zoom(factor, QPointF(self.width() / 2, self.height() / 2))
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self._step_shape(1 if key == Qt.Key.Key_PageDown else -1, event.modifiers())
        elif key == Qt.Key.Key_Escape and not self._draft.is_begun and self._selected != self._unselected():
            self._set_selected(self._unselected())
        else:
            return False
        return True

    def _press_editing(self, event: QKeyEvent) -> bool:
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier):
            return False
        if self.press_tool(event):
            return True
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._press_arrow(event)
            return True
        if not self.is_selecting and self._press_drawing_key(event.key()):
            return True
        return self._press_selecting_key(event)

    def _press_drawing_key(self, key: int) -> bool:
        if key == Qt.Key.Key_Space:
            self._aim = self._aim or self._middle()
            self._put(self._aim)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._close_draft()
        elif key == Qt.Key.Key_Backspace and self._draft.is_begun:
            self._take_back()
            self._refresh_hint()
            self.update()
        elif key == Qt.Key.Key_Escape:
            self.set_tool(self._draft.tool if self._draft.is_begun else self.TOOLS[0].tool)
        else:
            return False
        return True

    # -- painting and size

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what lies below, what is drawn, and the focus."""
        made = picture_look()
        if self._strokes is None:
            self._strokes = self._new_strokes(made)
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), made.color("window"))
            self._paint(painter, self._strokes)
            if self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(made.color("focus"), 2))
                painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def _paint_picture(self, painter: QPainter, view: PictureView) -> None:
        """Paint the camera's picture, or why there is none."""
        rect = view.rect()
        painter.fillRect(rect, picture_look().color("picture"))
        if self._image is None:
            self._paint_nothing(painter, rect)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, view.zoom < 4.0)
            painter.drawImage(rect, self._image)

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
            self._strokes = None
            self.update()
        super().changeEvent(event)
