"""Short notes in the lower right corner: informational, never modal, never more than three."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role

MAX_TOASTS = 3
BASE_READING_S = 4.0
SECONDS_PER_CHARACTER = 0.05
"""Slow readers manage 20 characters a second."""


class Toast(QFrame):
    """One sentence and a hint.

    Signals:
        dismissed(object): The toast; by the cross, Esc, Enter, Delete, or because its time is over.
    """

    dismissed = Signal(object)

    def __init__(self, sentence: str, hint: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.sentence, self.hint = sentence, hint
        set_role(self, "toast")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(f"{sentence} {hint}".strip())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(lambda: self.dismissed.emit(self))
        self._build()
        self.restart()

    def _build(self) -> None:
        gap = look().sizes.gap
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 3, gap * 2, gap, gap * 2)
        text = QVBoxLayout()
        text.setSpacing(gap // 2)
        for line, role in ((self.sentence, ""), (self.hint, "secondary")):
            if line:
                label = QLabel(line, self)
                label.setWordWrap(True)
                label.setTextFormat(Qt.TextFormat.PlainText)
                set_role(label, role)
                text.addWidget(label)
        row.addLayout(text, 1)
        cross = IconButton("close", "Dismiss this note", self)
        cross.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        cross.clicked.connect(lambda: self.dismissed.emit(self))
        row.addWidget(cross, 0, Qt.AlignmentFlag.AlignTop)

    def restart(self) -> None:
        """Give the reader the full time again."""
        seconds = BASE_READING_S + SECONDS_PER_CHARACTER * len(self.sentence + self.hint)
        self._timer.start(round(1000 * seconds))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go away by key."""
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Delete, Qt.Key.Key_Space):
            self.dismissed.emit(self)
            return
        super().keyPressEvent(event)

    def enterEvent(self, event: QEvent) -> None:
        """Stay while the pointer rests on it."""
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        """Count again."""
        self.restart()


class Toasts(QObject):
    """Keeps at most three toasts over the lower right corner of `window`."""

    def __init__(self, window: QWidget, bottom_margin_px: int = 0) -> None:
        """Start without any.

        Args:
            window: The toasts lie inside it.
            bottom_margin_px: Kept free below them, for an alarm strip that must not be covered.
        """
        super().__init__(window)
        self._window = window
        self._bottom_margin_px = bottom_margin_px
        self._toasts: list[Toast] = []
        window.installEventFilter(self)

    @property
    def shown(self) -> tuple[str, ...]:
        """The sentences on the screen, oldest first."""
        return tuple(toast.sentence for toast in self._toasts)

    def show_toast(self, sentence: str, hint: str = "") -> None:
        """Show a note; the same sentence twice starts the time of the first one again."""
        for toast in self._toasts:
            if (toast.sentence, toast.hint) == (sentence, hint):
                toast.restart()
                return
        while len(self._toasts) >= MAX_TOASTS:
            self._drop(self._toasts[0])
        toast = Toast(sentence, hint, self._window)
        toast.dismissed.connect(self._drop)
        self._toasts.append(toast)
        self._arrange()
        toast.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(toast, toast.accessibleName()))

    def dismiss_newest(self) -> bool:
        """Take the newest toast away; False where there is none."""
        if not self._toasts:
            return False
        self._drop(self._toasts[-1])
        return True

    def _drop(self, toast: Toast) -> None:
        if toast not in self._toasts:
            return
        self._toasts.remove(toast)
        toast.hide()
        toast.deleteLater()
        self._arrange()

    def _arrange(self) -> None:
        gap = look().sizes.gap * 3
        width = min(look().sizes.body * 26, self._window.width() - 2 * gap)
        bottom = self._window.height() - gap - self._bottom_margin_px
        for toast in reversed(self._toasts):
            layout = toast.layout()
            height = layout.totalHeightForWidth(width) if layout is not None else toast.sizeHint().height()
            toast.setGeometry(self._window.width() - width - gap, bottom - height, width, height)
            toast.raise_()
            bottom -= height + gap // 2

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner."""
        if event.type() == QEvent.Type.Resize:
            self._arrange()
        return super().eventFilter(watched, event)
