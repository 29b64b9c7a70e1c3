"""Fields of the editor's forms: they tell what the operator changed, never what the program showed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLineEdit, QWidget

from widgets.base.theme import look


class NumberField(QDoubleSpinBox):
    """A number that the wheel changes only where the field has the focus: scrolling a form must not."""

    def __init__(self, name: str, low: float, high: float, suffix: str = "", *, decimals: int = 1) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setRange(low, high)
        self.setDecimals(decimals)
        self.setSuffix(suffix)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # The longest figure with its unit would ask for more room than a form beside a picture has.
        self.setMinimumWidth(look().sizes.body * 6)
        self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)

    def show_value(self, value: float) -> None:
        """Show a value without telling anyone."""
        if abs(self.value() - value) > 1e-9:
            with QSignalBlocker(self):
                self.setValue(value)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the form."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def text_field(name: str, max_length: int = 80) -> QLineEdit:
    """Return a line of text."""
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setMaxLength(max_length)
    return field


def show_text(field: QLineEdit, text: str) -> None:
    """Show a text without telling anyone, and without moving the cursor of whoever types it."""
    if field.text() != text:
        with QSignalBlocker(field):
            field.setText(text)


def choice_field(name: str, parent: QWidget | None = None) -> QComboBox:
    """Return a list to choose from that does not ask for the width of its longest entry."""
    choice = QComboBox(parent)
    choice.setAccessibleName(name)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(6)
    return choice


def fill_choice(choice: QComboBox, entries: Sequence[tuple[object, str]]) -> None:
    """List entries without telling anyone; what was chosen stays, where it is still there."""
    listed = [(choice.itemData(row), choice.itemText(row)) for row in range(choice.count())]
    if listed == list(entries):
        return
    kept = choice.currentData()
    with QSignalBlocker(choice):
        choice.clear()
        for data, text in entries:
            choice.addItem(text, data)
        choice.setCurrentIndex(choice.findData(kept))


def show_choice(choice: QComboBox, data: object) -> None:
    """Show one entry by its data without telling anyone."""
    with QSignalBlocker(choice):
        choice.setCurrentIndex(choice.findData(data))


def show_checked(box: QCheckBox, is_checked: bool) -> None:
    """Check a box without telling anyone."""
    with QSignalBlocker(box):
        box.setChecked(is_checked)


def form_layout() -> QFormLayout:
    """Return a form whose fields take the room there is."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(look().sizes.gap * 3)
    form.setVerticalSpacing(look().sizes.gap * 2)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    return form
