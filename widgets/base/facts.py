"""A column of names and values; a value nobody knows is "--"."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QFormLayout, QLabel, QMenu, QSizePolicy, QWidget

from widgets.base.theme import look, set_role

_BESIDE_EM = 15.5
"""From this many letters of width, values stand beside their names."""

_BREAK = "\u200b"
"""Invisible; a line may end here."""

_BREAK_AFTER = "/:@-_.,?&="


class FactValue(QLabel):
    """A value that can be selected and copied; an address without blanks goes on in the next line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("--", parent)
        self.value = "--"
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def show_value(self, value: str) -> None:
        """Show another value."""
        if value == self.value:
            return
        self.value = value
        is_long = max(map(len, value.split()), default=0) > 12
        self.setText("".join(f"{c}{_BREAK}" if c in _BREAK_AFTER else c for c in value) if is_long else value)

    def minimumSizeHint(self) -> QSize:
        """Return room for a few letters: a value never widens what it stands in."""
        return QSize(self.fontMetrics().horizontalAdvance("x" * 8), super().minimumSizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy what is selected, without the invisible breaks."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy(self.selectedText())
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to copy."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy", lambda: self._copy(self.selectedText() or self.value))
        menu.popup(event.globalPos())

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text.replace(_BREAK, ""))


class FactList(QWidget):
    """Names on the left, values on the right; values can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, FactValue] = {}
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(look().sizes.gap * 4)
        self._rows.setVerticalSpacing(look().sizes.gap)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

    @property
    def facts(self) -> dict[str, str]:
        """What the operator reads."""
        return {name: label.value for name, label in self._values.items()}

    def show_facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Show these; labels are kept where the names are the same, so that a selection survives new values."""
        pairs = list(facts)
        if [name for name, _ in pairs] != list(self._values):
            self._rebuild([name for name, _ in pairs])
        for name, value in pairs:
            label = self._values[name]
            text = value or "--"
            if label.value != text:
                label.show_value(text)
                label.setAccessibleName(f"{name}: {text}")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put values below their names where there is no room beside them."""
        super().resizeEvent(event)
        is_narrow = self.width() < look().sizes.body * _BESIDE_EM
        wanted = QFormLayout.RowWrapPolicy.WrapAllRows if is_narrow else QFormLayout.RowWrapPolicy.DontWrapRows
        if self._rows.rowWrapPolicy() is not wanted:
            self._rows.setRowWrapPolicy(wanted)

    def _rebuild(self, names: list[str]) -> None:
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self._values = {}
        for name in names:
            title = QLabel(name, self)
            set_role(title, "secondary")
            title.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
            value = FactValue(self)
            self._rows.addRow(title, value)
            self._values[name] = value
