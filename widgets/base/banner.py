"""The red bar for what must not be missed: it stays until the cause is gone."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from widgets.base.theme import look, set_role


class Banner(QFrame):
    """One line across the window: "Nothing is being recorded: the disk is full." Nobody can click it away.

    Several causes are kept by key; the first one is shown with the number of the others.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._causes: dict[str, tuple[str, str]] = {}
        set_role(self, "banner")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._label = QLabel(self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setWordWrap(True)
        row = QHBoxLayout(self)
        row.setContentsMargins(look().sizes.gap * 3, look().sizes.gap, look().sizes.gap * 3, look().sizes.gap)
        row.addWidget(self._label, 1)
        self.hide()

    @property
    def text(self) -> str:
        """What the operator reads; empty while nothing is wrong."""
        return self._label.text() if self._causes else ""

    def show_cause(self, key: str, sentence: str, hint: str = "") -> None:
        """Show a cause until `clear_cause` takes it away."""
        is_new = self._causes.get(key) != (sentence, hint)
        self._causes[key] = (sentence, hint)
        self._refresh()
        if is_new:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, f"{sentence} {hint}".strip()))

    def clear_cause(self, key: str) -> None:
        """Take a cause away that is solved."""
        self._causes.pop(key, None)
        self._refresh()

    def _refresh(self) -> None:
        self.setVisible(bool(self._causes))
        if not self._causes:
            return
        sentence, hint = next(iter(self._causes.values()))
        others = f"  (and {len(self._causes) - 1} more)" if len(self._causes) > 1 else ""
        self._label.setText(f"{sentence} {hint}".strip() + others)
        self.setAccessibleName(self._label.text())

    def sizeHint(self) -> QSize:
        """Return at least the height of a control."""
        hint = super().sizeHint()
        return QSize(hint.width(), max(hint.height(), look().sizes.control))
