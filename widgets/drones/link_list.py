"""The node's links to drones: how each is heard, and letting one ask for messages, for a while and for a reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.drones.model import DroneLink, LinkKind, SigningPolicy
from widgets.base.conditions import Condition, ConditionSymbol
from widgets.base.hold_button import HoldButton
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_clock
from widgets.drones.words import sending_sentence, sending_words
from widgets.scene.fields import NumberField

DEFAULT_MIN, MAX_MIN = 10, 60
MIN_REASON, MAX_REASON = 3, 200
HEARD_S = 5.0
WARNING = (
    "The node will send on this link: a heartbeat each second, and questions for messages that are missing. No command "
    "that moves a drone. What it says then takes room on its radio, which its pilot shares."
)


class LinkList(QWidget):
    """A row for each link; a form below the one that is to ask.

    Signals:
        ask_wanted(str, str, int): Link, reason, minutes.
        silence_wanted(str): Link that only listens again.
    """

    ask_wanted = Signal(str, str, int)
    silence_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, _Row] = {}
        self._role = Role.VIEWER
        self.setAccessibleName("Links to drones")
        self._column = QVBoxLayout(self)
        gap = look().sizes.gap
        self._column.setContentsMargins(gap, 0, gap, gap)
        self._column.setSpacing(gap)
        self.hide()

    @property
    def rows(self) -> dict[str, str]:
        """What each link's row says, by link."""
        return {link_id: row.words for link_id, row in self._rows.items()}

    def show_links(self, links: Sequence[DroneLink], now: datetime) -> None:
        """Show these."""
        known = {link.link_id for link in links}
        for link_id in self._rows.keys() - known:
            row = self._rows.pop(link_id)
            self._column.removeWidget(row)
            row.deleteLater()
        for link in links:
            row = self._rows.get(link.link_id) or self._add(link.link_id)
            row.show_link(link, now)
        self.setVisible(bool(links))

    def set_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        for row in self._rows.values():
            row.set_role(role)

    def open_form(self, link_id: str) -> None:
        """Ask for reason and time, below the row of a link."""
        self._rows[link_id].open_form()

    def _add(self, link_id: str) -> _Row:
        row = self._rows[link_id] = _Row(link_id, self)
        row.set_role(self._role)
        row.ask_wanted.connect(lambda reason, minutes: self.ask_wanted.emit(link_id, reason, minutes))
        row.silence_wanted.connect(lambda: self.silence_wanted.emit(link_id))
        self._column.addWidget(row)
        return row


class _Row(QFrame):
    """One link.

    Signals:
        ask_wanted(str, int): Reason, minutes.
        silence_wanted()
    """

    ask_wanted = Signal(str, int)
    silence_wanted = Signal()

    def __init__(self, link_id: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._role = Role.VIEWER
        self._is_active = False
        self._can_ask = False
        set_role(self, "card")
        self._symbol = ConditionSymbol(self)
        self._name = ElidedLabel(link_id, self)
        self._name.setMinimumWidth(look().sizes.body * 4)
        self._said = ElidedLabel("", self)
        set_role(self._said, "secondary")
        self._switch = QPushButton("Ask…", self)
        self._switch.setAccessibleName(f"Ask on {link_id}")
        self._switch.clicked.connect(self._on_switch)
        gap = look().sizes.gap
        head = QHBoxLayout()
        head.setSpacing(gap * 2)
        head.addWidget(self._symbol)
        head.addWidget(self._name, 1)
        head.addWidget(self._said, 1)
        head.addWidget(self._switch)
        self._sending = QFrame(self)
        set_role(self._sending, "banner")
        self._sends = ElidedLabel("", self._sending)
        within = QHBoxLayout(self._sending)
        within.setContentsMargins(gap * 2, gap, gap * 2, gap)
        within.addWidget(self._sends)
        self._form = _Form(link_id, self)
        self._form.confirmed.connect(self._on_confirmed)
        self._form.cancelled.connect(self._form.hide)
        self._form.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 2, gap, gap, gap)
        column.setSpacing(gap)
        column.addLayout(head)
        column.addWidget(self._sending)
        column.addWidget(self._form)

    @property
    def words(self) -> str:
        """What the row says."""
        return "  ".join(part for part in (self._name.text(), self._said.text(), self._sends.text()) if part)

    def show_link(self, link: DroneLink, now: datetime) -> None:
        """Show how it is."""
        condition, words = _state_of(link, now)
        self._symbol.show_condition(condition)
        self._said.setText(words)
        self._name.setText(link.link_id)
        said = [link.address, sending_sentence(link), link.reason, *link.faults]
        self.setToolTip("\n".join(part for part in said if part))
        self._can_ask = link.kind is not LinkKind.FILE
        self._is_active = link.is_active
        if link.active is not None:
            self._form.hide()
            until = format_clock(link.active.until)
            self._sends.setText(f"{sending_words(link)}  ·  until {until}  ·  {link.active.by}: {link.active.reason}")
        else:
            self._sends.setText("")
        self._sending.setVisible(link.is_active)
        self._refresh()

    def set_role(self, role: Role) -> None:
        """Offer what this role may do."""
        self._role = role
        self._refresh()

    def open_form(self) -> None:
        """Ask for reason and time."""
        self._form.start()

    def _refresh(self) -> None:
        needed = Role.OPERATOR if self._is_active else Role.SUPERVISOR
        self._switch.setText("Only listen" if self._is_active else "Ask…")
        self._switch.setVisible(self._can_ask)
        self._switch.setEnabled(self._role >= needed)
        tips = {
            False: "Listens only. Have it ask drones for messages that are missing; for a supervisor.",
            True: "Send nothing more, at once.",
        }
        self._switch.setToolTip(tips[self._is_active])

    def _on_switch(self) -> None:
        if self._is_active:
            self.silence_wanted.emit()
        elif self._form.isVisible():
            self._form.hide()
        else:
            self._form.start()

    def _on_confirmed(self, reason: str, minutes: int) -> None:
        self._form.hide()
        self.ask_wanted.emit(reason, minutes)


class _Form(QWidget):
    """Why, for how long, and what it means; held to confirm.

    Signals:
        confirmed(str, int): Reason, minutes.
        cancelled()
    """

    confirmed = Signal(str, int)
    cancelled = Signal()

    def __init__(self, link_id: str, parent: QWidget) -> None:
        super().__init__(parent)
        warning = QLabel(WARNING, self)
        warning.setWordWrap(True)
        self._reason = QLineEdit(self)
        self._reason.setMaxLength(MAX_REASON)
        self._reason.setAccessibleName("Why this link has to send")
        self._reason.setPlaceholderText("Home and mission are missing")
        self._minutes = NumberField("For how many minutes", 1.0, MAX_MIN, " min", decimals=0)
        self._hold = HoldButton(f"Hold to ask on {link_id}", self)
        self._hold.setEnabled(False)
        self._reason.textChanged.connect(lambda text: self._hold.setEnabled(len(text.strip()) >= MIN_REASON))
        self._hold.confirmed.connect(
            lambda: self.confirmed.emit(self._reason.text().strip(), round(self._minutes.value()))
        )
        cancel = QPushButton("Cancel", self)
        cancel.clicked.connect(self.cancelled)
        gap = look().sizes.gap
        fields = QFormLayout()
        fields.setSpacing(gap * 2)
        fields.addRow("Why", self._reason)
        fields.addRow("For", self._minutes)
        keys = QHBoxLayout()
        keys.setSpacing(gap * 2)
        keys.addWidget(self._hold, 1)
        keys.addWidget(cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, gap, gap, gap)
        column.setSpacing(gap * 2)
        column.addWidget(warning)
        column.addLayout(fields)
        column.addLayout(keys)

    def start(self) -> None:
        """Begin with no reason."""
        self._reason.clear()
        self._minutes.setValue(DEFAULT_MIN)
        self.show()
        self._reason.setFocus(Qt.FocusReason.OtherFocusReason)


def _state_of(link: DroneLink, now: datetime) -> tuple[Condition, str]:
    if not link.is_open:
        return Condition.LOST, "not open"
    signed = "" if link.signing is SigningPolicy.OFF else "signed, "
    if link.heard_at is None:
        return Condition.WAITING, f"{signed}not heard yet"
    age_s = (now - link.heard_at).total_seconds()
    return (Condition.OK if age_s < HEARD_S else Condition.STALE), f"{signed}heard {format_age(age_s)} ago"
