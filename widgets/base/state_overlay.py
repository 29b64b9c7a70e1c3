"""What a panel says instead of its contents: nothing here, loading, stale, lost."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from widgets.base.theme import look


class PanelState(StrEnum):
    """How much of a panel can be believed."""

    EMPTY = "empty"
    LOADING = "loading"
    STALE = "stale"
    """Old contents stay visible, hatched, below a line that says so."""

    LOST = "lost"


class StateOverlay(QWidget):
    """Covers a widget with a sentence and a way out; takes no clicks away from what is still usable.

    Empty, loading and lost cover the whole widget. Stale hatches it and writes the sentence along the top, because old
    values are better than none as long as nobody takes them for new ones.
    """

    def __init__(self, covered: QWidget) -> None:
        super().__init__(covered)
        self._covered = covered
        self._state: PanelState | None = None
        self._sentence = ""
        self._hint = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        covered.installEventFilter(self)
        self.hide()

    def show_state(self, state: PanelState, sentence: str, hint: str = "") -> None:
        """Cover the widget: what is the case, and what to do about it."""
        self._state, self._sentence, self._hint = state, sentence, hint
        self.setAccessibleName(sentence)
        self.setAccessibleDescription(hint)
        self.setGeometry(self._covered.rect())
        self.show()
        self.raise_()
        self.update()

    def clear(self) -> None:
        """Show the widget itself again."""
        self._state = None
        self.hide()

    @property
    def state(self) -> PanelState | None:
        """What is shown; None where the widget itself is."""
        return self._state

    @property
    def sentence(self) -> str:
        """What the operator reads."""
        return self._sentence

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay as large as what is covered."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._covered.rect())
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint surface, hatching and text."""
        if self._state is None:
            return
        made = look()
        with QPainter(self) as painter:
            room = QRectF(self.rect())
            if self._state is PanelState.STALE:
                paint_hatching(painter, room, made.color("text_disabled"))
                self._paint_stale_line(painter, room)
            else:
                painter.fillRect(room, made.color("panel"))
                if self._state is PanelState.LOST:
                    paint_hatching(painter, room, made.color("line"))
                paint_sentence(painter, room, self._sentence, self._hint, made.theme.text, made.theme.text_secondary)

    def _paint_stale_line(self, painter: QPainter, room: QRectF) -> None:
        made = look()
        line = QRectF(room.left(), room.top(), room.width(), made.sizes.row)
        painter.fillRect(line, made.color("raised"))
        painter.setPen(QPen(made.color("quality"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(line.bottomLeft(), line.bottomRight())
        painter.setFont(made.font(made.sizes.small))
        painter.setPen(made.color("text"))
        text = f"{self._sentence} {self._hint}".strip()
        box = line.adjusted(made.sizes.gap * 2, 0, -made.sizes.gap * 2, 0)
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, round(box.width()))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), cut)


def paint_hatching(painter: QPainter, rect: QRectF, color: QColor) -> None:
    """Hatch `rect` from lower left to upper right: what lies below is not from now."""
    painter.fillRect(rect, QBrush(color, Qt.BrushStyle.BDiagPattern))


def paint_sentence(painter: QPainter, rect: QRectF, sentence: str, hint: str, text: str, secondary: str) -> None:
    """Paint a sentence and, below it, a hint in the middle of `rect`, wrapped and never outside of it."""
    made = look()
    width = min(rect.width() - 2 * made.sizes.gap * 2, made.sizes.body * 34.0)
    if width < made.sizes.body * 3 or rect.height() < made.sizes.body * 1.5:
        return
    flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
    painter.save()
    painter.setClipRect(rect)
    strong, plain = made.font(made.sizes.body, weight=QFont.Weight.DemiBold), made.font(made.sizes.small)
    painter.setFont(strong)
    endless = QRectF(0, 0, width, 10_000)
    head = painter.boundingRect(endless, flags, sentence)
    painter.setFont(plain)
    tail = painter.boundingRect(endless, flags, hint) if hint else QRectF()
    gap = made.sizes.gap if hint else 0
    if head.height() + gap + tail.height() > rect.height():
        tail, gap = QRectF(), 0
    top = rect.center().y() - (head.height() + gap + tail.height()) / 2
    left = rect.center().x() - width / 2
    painter.setFont(strong)
    painter.setPen(QColor(text))
    painter.drawText(QRectF(left, top, width, head.height() + 1), flags, sentence)
    if not tail.isNull():
        painter.setFont(plain)
        painter.setPen(QColor(secondary))
        painter.drawText(QRectF(left, top + head.height() + gap, width, tail.height() + 1), flags, hint)
    painter.restore()
