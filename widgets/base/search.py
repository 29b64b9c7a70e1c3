"""The filter field that "/" leads to."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QLineEdit, QWidget

from widgets.base.icons import icon
from widgets.base.theme import set_role


class SearchField(QLineEdit):
    """Filters a list while one types.

    "/" focuses it from anywhere in `scope`; Esc empties it, and leaves it when it is empty; Down and Enter leave it for
    the list.

    Signals:
        query_changed(str): What is typed, without blanks around it.
        left(): The operator wants to go on in the list.
    """

    query_changed = Signal(str)
    left = Signal()

    def __init__(self, placeholder: str, scope: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent or scope)
        set_role(self, "search")
        self.setPlaceholderText(f"{placeholder}   /")
        self.setAccessibleName(placeholder)
        self.setClearButtonEnabled(True)
        self._lens = QAction(self)
        self._lens.setIcon(icon("search"))
        self.addAction(self._lens, QLineEdit.ActionPosition.LeadingPosition)
        self._shortcut = QShortcut(QKeySequence("/"), scope)
        self._shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._shortcut.activated.connect(self._on_slash)
        self.textChanged.connect(lambda text: self.query_changed.emit(text.strip()))

    def _on_slash(self) -> None:
        if self.hasFocus():
            self.insert("/")
            return
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme's colour."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_lens"):
            self._lens.setIcon(icon("search"))
        super().changeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step out with Esc, go on with Down or Enter."""
        if event.key() == Qt.Key.Key_Escape:
            if self.text():
                self.clear()
            else:
                self.left.emit()
            return
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()
            return
        super().keyPressEvent(event)
