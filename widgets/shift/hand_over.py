"""Hand a shift over: read the report, hand it over, and the incoming operator signs with their own password."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.incidents.handover import HandOver, ReportContent, file_name, signature_words, to_fragment
from core.kernel.clock import Clock, SystemClock
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_raised

_REPORTS = (Column(title="Handed over"), Column(title="Signed"))
_SINCE = (("Since the last hand-over", 0.0), ("8 hours", 8.0), ("12 hours", 12.0), ("24 hours", 24.0))


class HandOverView(QWidget):
    """The report as it would be now, those of before, and the line to sign.

    Signals:
        preview_requested(object, str): Begin of the shift or None, and the comment; answered by `show_preview`.
        hand_over_requested(object, str): The same.
        sign_requested(str, str, str, str): Report id, name, password, comment.
    """

    preview_requested = Signal(object, str)
    hand_over_requested = Signal(object, str)
    sign_requested = Signal(str, str, str, str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._reports: tuple[HandOver, ...] = ()
        self._role = Role.VIEWER
        self._build()
        self.setFocusProxy(self._hand_over)
        self._refresh()

    @property
    def report_text(self) -> str:
        """What the operator reads."""
        return self._page.toPlainText()

    @property
    def selected(self) -> HandOver | None:
        """The report of before that is looked at; None for the one that would be handed over now."""
        return next((one for one in self._reports if one.hand_over_id == self._table.current_key), None)

    @property
    def since(self) -> datetime | None:
        """Begin of the shift; None for the last hand-over."""
        hours = float(self._since.currentData())
        return self._clock.now() - timedelta(hours=hours) if hours else None

    def ask_preview(self) -> None:
        """Show the report as it would be handed over now."""
        self._table.clearSelection()
        self._table.setCurrentIndex(self._table.model().index(-1, 0))
        self._refresh()
        self.preview_requested.emit(self.since, self._comment.text().strip())

    def show_preview(self, content: ReportContent) -> None:
        """Show the report as it would be, unless one of before is looked at."""
        if self.selected is None:
            self._show_html(to_fragment(content))

    def show_reports(self, reports: Iterable[HandOver]) -> None:
        """Show the reports of before, the newest first."""
        self._reports = tuple(reports)
        now = self._clock.now()
        self._table.show_lines(
            [
                Line(
                    key=one.hand_over_id,
                    cells=(
                        f"{format_raised(one.content.until, now)}, {one.content.made_by}",
                        f"{one.signed_by}, {format_raised(one.signed_at, now)}" if one.signed_at else "not signed",
                    ),
                    tip=f"{signature_words(one)}\n{file_name(one)}.html",
                )
                for one in self._reports
            ]
        )
        self._refresh()

    def select_report(self, hand_over_id: str) -> None:
        """Look at a report of before."""
        self._table.select_key(hand_over_id)

    def show_role(self, role: Role) -> None:
        """Let operators hand over; the node decides."""
        self._role = role
        self._refresh()

    def say(self, sentence: str) -> None:
        """Show a sentence; nothing takes it away again."""
        self._note.setText(sentence)
        self._note.setVisible(bool(sentence))

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        gap = look().sizes.gap
        self._page = QTextBrowser(self)
        self._page.setAccessibleName("Hand-over report")
        self._page.setOpenLinks(False)
        self._page.setTabChangesFocus(True)
        self._table = TextTable("Reports of before", _REPORTS, self)
        self._table.selectionModel().currentRowChanged.connect(lambda _index, _before: self._on_report())
        split = QSplitter(self)
        split.setChildrenCollapsible(False)
        split.addWidget(self._page)
        split.addWidget(self._build_side())
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([600, 400])
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
        column.addWidget(split, 1)

    def _build_side(self) -> QWidget:
        gap = look().sizes.gap
        side = QWidget(self)
        self._since = QComboBox(side)
        self._since.setAccessibleName("Begin of the shift")
        for words, hours in _SINCE:
            self._since.addItem(words, hours)
        self._since.currentIndexChanged.connect(lambda _row: self.ask_preview())
        self._comment = _field(side, "A word to the next shift")
        self._comment.editingFinished.connect(self._on_comment)
        self._preview = QPushButton("Preview", side)
        self._preview.clicked.connect(self.ask_preview)
        self._hand_over = QPushButton("Hand over", side)
        set_role(self._hand_over, "primary")
        self._hand_over.clicked.connect(lambda: self.hand_over_requested.emit(self.since, self._comment.text().strip()))
        buttons = QHBoxLayout()
        buttons.setSpacing(gap * 2)
        buttons.addWidget(self._hand_over)
        buttons.addWidget(self._preview)
        buttons.addStretch(1)
        self._note = QLabel(side)
        self._note.setWordWrap(True)
        self._note.hide()
        column = QVBoxLayout(side)
        column.setContentsMargins(gap * 2, 0, 0, 0)
        column.setSpacing(gap * 2)
        for widget in (self._since, self._comment):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addWidget(self._note)
        column.addWidget(self._table, 1)
        column.addWidget(self._build_sign(side))
        return side

    def _build_sign(self, parent: QWidget) -> QWidget:
        gap = look().sizes.gap
        self._sign_box = QWidget(parent)
        heading = QLabel("Take over: the incoming operator signs", self._sign_box)
        heading.setWordWrap(True)
        set_role(heading, "secondary")
        self._name = _field(self._sign_box, "Name of the incoming operator")
        self._password = _field(self._sign_box, "Password")
        self._password.setEchoMode(QLineEdit.EchoMode.Password)
        self._password.returnPressed.connect(self._on_sign)
        self._remark = _field(self._sign_box, "Remark, where there is one")
        self._sign = QPushButton("Sign", self._sign_box)
        self._sign.clicked.connect(self._on_sign)
        column = QVBoxLayout(self._sign_box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap)
        for widget in (heading, self._name, self._remark, self._password, self._sign):
            column.addWidget(widget)
        return self._sign_box

    def _refresh(self) -> None:
        chosen = self.selected
        may = self._role >= Role.OPERATOR
        self._hand_over.setEnabled(may)
        self._hand_over.setToolTip("" if may else "Handing over needs the role operator.")
        self._sign_box.setVisible(chosen is not None and not chosen.is_signed)

    def _show_html(self, fragment: str) -> None:
        sizes = look().sizes
        # Qt enlarges headings whatever a style sheet says: plain paragraphs take the sizes of the room.
        for tag, size in (("h1", sizes.title), ("h2", sizes.body)):
            opened = f'<p style="font-size:{size}px; font-weight:600; margin-top:{sizes.gap * 3}px">'
            fragment = fragment.replace(f"<{tag}>", opened).replace(f"</{tag}>", "</p>")
        self._page.setHtml(fragment.replace("<th>", '<th align="left">'))

    # -- what happens ---------------------------------------------------------------------------------------------

    def _on_report(self) -> None:
        chosen = self.selected
        self._refresh()
        if chosen is not None:
            self._show_html(f"{to_fragment(chosen.content)}<h2>Signature</h2><p>{signature_words(chosen)}</p>")

    def _on_comment(self) -> None:
        if self._comment.isModified():
            self._comment.setModified(False)
            self.ask_preview()

    def _on_sign(self) -> None:
        chosen = self.selected
        if chosen is None:
            return
        if not self._name.text().strip() or not self._password.text():
            self.say("The incoming operator writes name and password.")
            return
        self.sign_requested.emit(
            chosen.hand_over_id, self._name.text().strip(), self._password.text(), self._remark.text().strip()
        )
        self._password.clear()


def _field(parent: QWidget, name: str) -> QLineEdit:
    field = QLineEdit(parent)
    field.setPlaceholderText(name)
    field.setAccessibleName(name)
    field.setMaxLength(2000)
    return field
