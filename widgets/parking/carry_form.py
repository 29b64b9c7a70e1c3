"""Copy what is drawn at one place to another: by points that can be found at both."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field, form_layout, show_choice

MIN_PAIRS = 4
_EXPLAINED = (
    "Click four points on the ground at the first place, then the same points in the same order at the second: corners "
    "of the lot, or of bays far from each other. More than four make it more exact. Bays are matched by their ids."
)


class CarryForm(QWidget):
    """Which place, and how many points of it are set.

    Signals:
        target_chosen(str): The place that outlines go to.
        place_wanted(bool): Show the place that they go to, or the one that they come from.
        back_requested(): Take the last point of the place that is shown away.
        carry_requested()
        left()
    """

    target_chosen = Signal(str)
    place_wanted = Signal(bool)
    back_requested = Signal()
    carry_requested = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        title = QLabel("Copy to another place", self)
        set_role(title, "title")
        explained = QLabel(_EXPLAINED, self)
        explained.setWordWrap(True)
        set_role(explained, "caption")
        self._from = QLabel(self)
        self._target = choice_field("Place to copy to", self)
        form = form_layout()
        form.addRow("From", self._from)
        form.addRow("To", self._target)
        self._counts = QLabel(self)
        self._counts.setWordWrap(True)
        self._counts.setAccessibleName("Points that are set")
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._first = QPushButton("Points here", self)
        self._second = QPushButton("Points there", self)
        self._back = QPushButton("Take the last back", self)
        self._carry = QPushButton("Copy", self)
        set_role(self._carry, "primary")
        leave = QPushButton("Cancel", self)
        buttons = FlowLayout(gap * 2)
        for button in (self._first, self._second, self._back, self._carry, leave):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        for widget in (title, explained):
            column.addWidget(widget)
        column.addLayout(form)
        column.addWidget(self._counts)
        column.addWidget(self._said)
        column.addLayout(buttons)
        column.addStretch(1)
        self._target.activated.connect(lambda _row: self.target_chosen.emit(str(self._target.currentData())))
        self._first.clicked.connect(lambda: self.place_wanted.emit(False))
        self._second.clicked.connect(lambda: self.place_wanted.emit(True))
        self._back.clicked.connect(self.back_requested)
        self._carry.clicked.connect(self.carry_requested)
        leave.clicked.connect(self.left)

    def start(self, source: str, targets: Sequence[tuple[str, str]]) -> None:
        """Begin anew.

        Args:
            source: Name of the place that outlines come from.
            targets: Key and name of every other place.
        """
        self._from.setText(source)
        with QSignalBlocker(self._target):
            self._target.clear()
            for key, name in targets:
                self._target.addItem(name, key)
        self.show_error("")

    def show_target(self, target: str) -> None:
        """Show which place was chosen."""
        show_choice(self._target, target)

    def show_counts(self, n_source: int, n_target: int, *, is_at_target: bool) -> None:
        """Say how many points are set at the two places, and which one is shown."""
        shown = self._target.currentText() if is_at_target else self._from.text()
        self._counts.setText(f"{n_source} here, {n_target} there. Points are being set on: {shown}.")
        n_pairs = min(n_source, n_target)
        is_ready = n_source == n_target and n_pairs >= MIN_PAIRS
        self._carry.setEnabled(is_ready)
        missing = "Both places need the same number of points, at least four."
        self._carry.setToolTip("" if is_ready else missing)
        self._back.setEnabled((n_target if is_at_target else n_source) > 0)

    def show_error(self, sentence: str) -> None:
        """Say why nothing was copied."""
        self._said.setText(sentence)
        self._said.setVisible(bool(sentence))
