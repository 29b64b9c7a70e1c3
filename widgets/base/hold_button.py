"""A button for what cannot be taken back: it acts after being held for a second."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QWidget

from widgets.base.theme import look, set_role

HOLD_S = 1.0
_STEP_MS = 33


class HoldButton(QPushButton):
    """Fills up while the pointer, Space or Enter is held; letting go early does nothing. Ctrl+Enter acts at once.

    Signals:
        confirmed(): It was held long enough.
    """

    confirmed = Signal()

    def __init__(self, text: str, parent: QWidget | None = None, hold_s: float = HOLD_S) -> None:
        super().__init__(text, parent)
        self._hold_s = hold_s
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._on_step)
        set_role(self, "hold")
        self.setAccessibleDescription(f"Hold for {hold_s:.0f} s, or press Ctrl+Enter")
        self.setToolTip(f"Hold for {hold_s:.0f} s, or press Ctrl+Enter")

    @property
    def progress(self) -> float:
        """How far it is held, 0..1."""
        if not self._timer.isActive():
            return 0.0
        return min(1.0, self._since.elapsed() / 1000.0 / self._hold_s)

    def _begin(self) -> None:
        if self.isEnabled() and not self._timer.isActive():
            self._since.start()
            self._timer.start()
            self.setDown(True)

    def _let_go(self) -> None:
        self._timer.stop()
        self.setDown(False)
        self.update()

    def _on_step(self) -> None:
        if self.progress >= 1.0:
            self._let_go()
            self.confirmed.emit()
            return
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to fill."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._begin()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Stop filling."""
        self._let_go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Begin to fill, or act at once with Ctrl+Enter."""
        if event.key() not in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
            return
        if event.isAutoRepeat():
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier and event.key() != Qt.Key.Key_Space:
            self.confirmed.emit()
            return
        self._begin()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Stop filling."""
        if not event.isAutoRepeat():
            self._let_go()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Stop filling: the release would go elsewhere."""
        self._let_go()
        super().focusOutEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the button, then a bar along its foot."""
        super().paintEvent(event)
        progress = self.progress
        if progress <= 0.0:
            return
        with QPainter(self) as painter:
            height = max(3.0, look().sizes.gap * 0.8)
            painter.fillRect(
                QRectF(1, self.height() - height - 1, (self.width() - 2) * progress, height), look().color("focus")
            )
