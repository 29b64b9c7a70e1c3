"""An operator says how bays stand, and why; or lets cameras and sensors speak again."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.parking.model import BayState, BayStatus
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.lots.words import STATES

LEAST_REASON = 3
_ORDER = (BayState.FREE, BayState.OCCUPIED, BayState.CLOSED, BayState.UNKNOWN)


class CorrectionBar(QFrame):
    """A row of states, a reason, and two buttons.

    Signals:
        correction_requested(object, str): The `BayState` and the reason, for the chosen bays.
        release_requested(): End the corrections of the chosen bays.
    """

    correction_requested = Signal(object, str)
    release_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        self._what = ElidedLabel("", self)
        self._states = QButtonGroup(self)
        self._buttons: dict[BayState, QPushButton] = {}
        for number, state in enumerate(_ORDER):
            button = QPushButton(STATES[state], self)
            button.setCheckable(True)
            button.setAccessibleName(f"The bay is {STATES[state].lower()}")
            self._states.addButton(button, number)
            self._buttons[state] = button
        self._reason = QLineEdit(self)
        self._reason.setPlaceholderText("Reason: what was seen, and how")
        self._reason.setAccessibleName("Reason of the correction")
        self._reason.setMaxLength(400)
        self._correct = QPushButton("Correct", self)
        set_role(self._correct, "primary")
        self._release = QPushButton("Release", self)
        self._release.setToolTip("Let cameras and sensors say again how the bay stands.")
        self._hint = ElidedLabel("", self)
        set_role(self._hint, "secondary")
        self._chosen: tuple[BayStatus, ...] = ()
        self._may_correct = False
        self._lay_out()
        self._states.idToggled.connect(lambda _number, _is_on: self._refresh())
        self._reason.textChanged.connect(lambda _text: self._refresh())
        self._reason.returnPressed.connect(self._on_correct)
        self._correct.clicked.connect(self._on_correct)
        self._release.clicked.connect(self.release_requested)
        self._refresh()

    def _lay_out(self) -> None:
        gap = look().sizes.gap
        states = QHBoxLayout()
        states.setSpacing(gap)
        states.addWidget(self._what, 1)
        for button in self._buttons.values():
            states.addWidget(button)
        words = QHBoxLayout()
        words.setSpacing(gap)
        words.addWidget(self._reason, 1)
        words.addWidget(self._correct)
        words.addWidget(self._release)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
        rows.setSpacing(gap)
        rows.addLayout(states)
        rows.addLayout(words)
        rows.addWidget(self._hint)

    def show_bays(self, labels: Sequence[str], statuses: Sequence[BayStatus]) -> None:
        """Show which bays would be corrected."""
        self._chosen = tuple(statuses)
        some = ", ".join(labels[:6]) + (f" and {len(labels) - 6} more" if len(labels) > 6 else "")
        self._what.setText(f"Bay {some}" if len(labels) == 1 else f"{len(labels)} bays: {some}" if labels else "")
        self._refresh()

    def show_role(self, *, may_correct: bool) -> None:
        """Only an operator corrects."""
        self._may_correct = may_correct
        self._refresh()

    def begin(self) -> None:
        """Take the keyboard: the state first."""
        (self._states.checkedButton() or self._buttons[BayState.FREE]).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def clear(self) -> None:
        """Forget what was chosen and written, after it went out."""
        self._states.setExclusive(False)
        for button in self._buttons.values():
            button.setChecked(False)
        self._states.setExclusive(True)
        self._reason.clear()

    @property
    def wanted(self) -> BayState | None:
        """The state that is chosen."""
        return next((state for state, button in self._buttons.items() if button.isChecked()), None)

    def _on_correct(self) -> None:
        if self._correct.isEnabled() and self.wanted is not None:
            self.correction_requested.emit(self.wanted, self._reason.text().strip())

    def _refresh(self) -> None:
        has_bays = bool(self._chosen)
        is_open = has_bays and self._may_correct
        for widget in (*self._buttons.values(), self._reason):
            widget.setEnabled(is_open)
        has_reason = len(self._reason.text().strip()) >= LEAST_REASON
        self._correct.setEnabled(is_open and self.wanted is not None and has_reason)
        self._release.setEnabled(is_open and any(status.reason for status in self._chosen))
        self._hint.setText(self._why(has_bays=has_bays, has_reason=has_reason))

    def _why(self, *, has_bays: bool, has_reason: bool) -> str:
        if not self._may_correct:
            return "Only an operator corrects bays. Sign in as one."
        if not has_bays:
            return "Choose bays in the list to correct them; Enter leads here."
        if self.wanted is None:
            return "Free and occupied hold until released, or until the bay is seen to change twice."
        return "" if has_reason else "Write a reason: it stays in the audit."
