"""What an answer needs beside the key: a line above the list, never a box in front of the room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.incidents.model import Alarm, Shelving
from core.incidents.tuning import SHELVE_REASONS
from widgets.alarms.actions import Action, Answer
from widgets.base.flow import FlowLayout
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role

_MINUTES = (5, 15, 30, 60, 2 * 60, 4 * 60, 8 * 60, 12 * 60, 24 * 60)
SERVICE_SPANS = tuple(timedelta(days=days) for days in (1, 2, 3, 7, 14, 30))
"""For how long something can be taken out of service."""

_FIRST_MINUTES = 30
_TIGHT_EM = 34
"""Narrower than so many letters, shelving would need a third line for the last button alone."""

_TIGHT_COMMENT_EM = 8
_NO_LIMIT_PX = (1 << 24) - 1
_ANSWERS = {Action.SHELVE: "Shelve", Action.TAKE_OUT: "Take out", Action.CLOSE_UNHEARD: "Close"}


class ActionBar(QFrame):
    """Asks for time and reason, or says why something cannot be; Enter answers, Esc steps out.

    Signals:
        answered(object): The `Answer`, for the alarms that were asked about.
        left(): Nothing is to be done.
    """

    answered = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._action = Action.SHELVE
        self._alarms: tuple[Alarm, ...] = ()
        set_role(self, "toast")
        self._build()
        self.hide()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title = QLabel(self)
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setWordWrap(True)
        self._span = QComboBox(self)
        self._span.setAccessibleName("For how long")
        self._reason = QComboBox(self)
        self._reason.setAccessibleName("Reason")
        self._reason.setMaximumWidth(look().sizes.body * 20)
        self._reason.addItems(SHELVE_REASONS)
        self._once = QCheckBox("Until it returns", self)
        self._once.setToolTip("One shot: it comes back with the next occurrence, and at the latest after this time.")
        self._text = QLineEdit(self)
        self._text.setMaxLength(500)
        self._text.setAccessibleName("Reason or comment")
        self._text.textChanged.connect(self._refresh)
        self._do = QPushButton("Answer", self)
        set_role(self._do, "primary")
        self._do.clicked.connect(self._on_answer)
        self._leave = IconButton("close", "Cancel (Esc)", self)
        self._leave.clicked.connect(self.left)
        controls = FlowLayout(gap * 2)
        self._controls = (self._span, self._reason, self._once, self._text, self._do, self._leave)
        for control in self._controls:
            controls.addWidget(control)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap, gap * 3, gap)
        column.setSpacing(gap)
        column.addWidget(self._title)
        column.addLayout(controls)

    @property
    def text(self) -> str:
        """What the operator reads; empty while nothing is asked."""
        return "" if self.isHidden() else self._title.text()

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The alarms it is about, as they were when it was asked."""
        return self._alarms

    def ask(self, action: Action, alarms: Sequence[Alarm], longest: timedelta) -> None:
        """Ask what this action needs for these alarms; `longest` is for how long they may be shelved."""
        self._action, self._alarms = action, tuple(alarms)
        what = self._alarms[0].title if len(self._alarms) == 1 else f"{len(self._alarms)} alarms"
        is_shelving, is_service = action is Action.SHELVE, action is Action.TAKE_OUT
        if is_shelving and not longest:
            self._say(f"You may not shelve {what}. Acknowledge it, or ask a supervisor.")
            return
        if is_shelving:
            self._fill(_spans(longest), default=min(timedelta(minutes=_FIRST_MINUTES), longest))
            self._title.setText(f"Shelve {what}, for {span_words(longest)} at most:")
        elif is_service:
            self._fill(SERVICE_SPANS, default=SERVICE_SPANS[0])
            self._title.setText(
                f"Take {what} out of service. You are noted as its owner; it does not call until the end:"
            )
        elif action is Action.CLOSE_UNHEARD:
            self._title.setText(
                f"Close {what}: nobody is heard there who could say that it is over. What comes back calls anew."
            )
        else:
            self._title.setText(f"Take back the acknowledge of {what}: it waits for one again.")
        for control, is_wanted in (
            *((self._span, is_shelving or is_service), (self._reason, is_shelving), (self._once, is_shelving)),
            *((self._text, True), (self._do, True), (self._leave, True)),
        ):
            control.setVisible(is_wanted)
        self._text.clear()
        self._once.setChecked(False)
        name = "Comment" if is_shelving else "Reason"
        self._text.setPlaceholderText(name)
        self._text.setAccessibleName(f"{name}; Enter answers")
        self._do.setText(_ANSWERS.get(action, "Take back"))
        self._refresh()
        self._open(self._span if is_shelving or is_service else self._text)

    def _say(self, sentence: str) -> None:
        self._title.setText(sentence)
        for control in self._controls:
            control.setVisible(control is self._leave)
        self._open(self._leave)

    def _open(self, first: QWidget) -> None:
        self.setAccessibleName(self._title.text())
        self.show()
        self._fit()
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self._title.text()))

    def _fill(self, spans: Sequence[timedelta], *, default: timedelta) -> None:
        self._span.clear()
        for span in spans:
            self._span.addItem(span_words(span), span)
        fitting = [index for index, span in enumerate(spans) if span <= default]
        self._span.setCurrentIndex(fitting[-1] if fitting else 0)

    def _refresh(self) -> None:
        # Only shelving has its reason in a list of its own.
        self._do.setEnabled(self._action is Action.SHELVE or bool(self._text.text().strip()))

    def _on_answer(self) -> None:
        if not self._do.isEnabled():
            return
        written = self._text.text().strip()
        span = self._span.currentData() if not self._span.isHidden() else None
        is_shelving = self._action is Action.SHELVE
        self.answered.emit(
            Answer(
                action=self._action,
                reason=self._reason.currentText() if is_shelving else written,
                comment=written if is_shelving else "",
                span=span if isinstance(span, timedelta) else timedelta(),
                shelving=Shelving.ONE_SHOT if self._once.isChecked() else Shelving.TIMED,
            )
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the height that the lines need: a table below would leave too little of it."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        body = look().sizes.body
        is_tight = self._action is Action.SHELVE and self.width() < body * _TIGHT_EM
        self._text.setMaximumWidth(body * _TIGHT_COMMENT_EM if is_tight else _NO_LIMIT_PX)
        layout = self.layout()
        if layout is not None:
            self.setMinimumHeight(layout.heightForWidth(self.width()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Answer with Enter, step out with Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_answer()
        else:
            super().keyPressEvent(event)


def _spans(longest: timedelta) -> list[timedelta]:
    found = [timedelta(minutes=minutes) for minutes in _MINUTES if timedelta(minutes=minutes) <= longest]
    return found if found and found[-1] == longest else [*found, longest]


def span_words(span: timedelta) -> str:
    """Write a time as one chooses it: "30 min", "24 h", "2 days"."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
