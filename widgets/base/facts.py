"""A column of names and values; a value nobody knows is "--"."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QSizePolicy, QWidget

from widgets.base.theme import look, set_role


class FactList(QWidget):
    """Names on the left, values on the right; values can be selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, QLabel] = {}
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(look().sizes.gap * 4)
        self._rows.setVerticalSpacing(look().sizes.gap)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

    @property
    def facts(self) -> dict[str, str]:
        """What the operator reads."""
        return {name: label.text() for name, label in self._values.items()}

    def show_facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Show these; labels are kept where the names are the same, so that a selection survives new values."""
        pairs = list(facts)
        if [name for name, _ in pairs] != list(self._values):
            self._rebuild([name for name, _ in pairs])
        for name, value in pairs:
            label = self._values[name]
            text = value or "--"
            if label.text() != text:
                label.setText(text)
                label.setAccessibleName(f"{name}: {text}")

    def _rebuild(self, names: list[str]) -> None:
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self._values = {}
        for name in names:
            title = QLabel(name, self)
            set_role(title, "secondary")
            title.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
            value = QLabel("--", self)
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            self._rows.addRow(title, value)
            self._values[name] = value
