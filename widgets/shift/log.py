"""Write into the shift log and find in it: N writes, K puts an entry right, / finds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.incidents.shift import ShiftEntry, ShiftKind, ShiftPage, ShiftQuery
from widgets.alarms.detail import CommentField
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant, format_raised

KIND_WORDS = {
    ShiftKind.NOTE: "Note",
    ShiftKind.CORRECTION: "Correction",
    ShiftKind.SIGN_IN: "Sign-in",
    ShiftKind.SIGN_OUT: "Sign-out",
    ShiftKind.FLOOD: "Flood",
    ShiftKind.SOURCE: "Source",
    ShiftKind.SHELVED: "Shelved",
    ShiftKind.OUT_OF_SERVICE: "Out of service",
    ShiftKind.HAND_OVER: "Hand-over",
    ShiftKind.SOUND_TEST: "Sound test",
    ShiftKind.CLOCK: "Clock",
}
_COLUMNS = (
    Column(title="Entry"),
    Column(title="Kind"),
    Column(title="Who", rank=1),
    Column(title="Time"),
    Column(title="No.", is_figure=True, rank=2),
)
_ASK_AFTER_MS = 250


class ShiftLog(QWidget):
    """The entries, the newest first, and a line to write the next one.

    Signals:
        page_requested(ShiftQuery): Answered by `show_page`.
        write_requested(str, int): Text, and number of the entry that it corrects or 0.
    """

    page_requested = Signal(object)
    write_requested = Signal(str, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: dict[int, ShiftEntry] = {}
        self._has_more = self._is_asking = False
        self._corrects = 0
        self._build()
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.setInterval(_ASK_AFTER_MS)
        self._asking.timeout.connect(self.ask_anew)
        self.setFocusProxy(self._table)

    @property
    def query(self) -> ShiftQuery:
        """What the operator wants to see, from the newest on."""
        data = self._kind.currentData()
        return ShiftQuery(words=self._search.text().strip(), kind=ShiftKind(data) if data else None)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads."""
        return self._table.lines

    def ask_anew(self) -> None:
        """Ask for the newest page."""
        self._entries.clear()
        self._is_asking = True
        self._show()
        self.page_requested.emit(self.query)

    def show_page(self, query: ShiftQuery, page: ShiftPage) -> None:
        """Show a page, if it is still the one that is wanted."""
        if (query.words, query.kind) != (self.query.words, self.query.kind):
            return
        self._is_asking, self._has_more = False, page.has_more
        self._entries.update({entry.entry_id: entry for entry in page.entries})
        self._show()

    def show_added(self, entries: Iterable[ShiftEntry]) -> None:
        """Put what was written since above the list, where it fits what is wanted."""
        query = self.query
        fresh = {one.entry_id: one for one in entries if one.entry_id not in self._entries and _fits(one, query)}
        if fresh and not self._is_asking:
            self._entries.update(fresh)
            self._show()

    def show_failed(self, sentence: str) -> None:
        """Say why the log is not there."""
        self._is_asking = False
        self._overlay.show_state(PanelState.LOST, sentence)

    def show_role(self, role: Role) -> None:
        """Let operators write; the node decides."""
        self._text.setEnabled(role >= Role.OPERATOR)
        self._text.setToolTip("" if role >= Role.OPERATOR else "Writing needs the role operator.")
        self._correct.setEnabled(role >= Role.OPERATOR)

    def focus_text(self) -> None:
        """Let the operator write."""
        self._text.setFocus()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._table = TextTable("Shift log, the newest first", _COLUMNS, self)
        self._table.verticalScrollBar().valueChanged.connect(lambda _value: self._ask_for_more())
        self._overlay = StateOverlay(self._table.viewport())
        self._search = SearchField("Find in the log", self)
        self._search.query_changed.connect(lambda _query: self._asking.start())
        self._search.left.connect(self._table.setFocus)
        self._kind = QComboBox(self)
        self._kind.setAccessibleName("Kind of entry")
        self._kind.addItem("All entries", "")
        for kind, words in KIND_WORDS.items():
            self._kind.addItem(words, kind.value)
        self._kind.currentIndexChanged.connect(lambda _row: self.ask_anew())
        head = QHBoxLayout()
        head.setSpacing(gap * 2)
        head.addWidget(self._search, 1)
        head.addWidget(self._kind)
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        set_role(self._note, "secondary")
        self._note.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
        column.setSpacing(gap * 2)
        column.addLayout(head)
        column.addWidget(self._table, 1)
        column.addWidget(self._note)
        column.addLayout(self._build_line())
        for key, call in (("N", self._begin_note), ("K", self._begin_correction)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)

    def _build_line(self) -> QHBoxLayout:
        self._text = CommentField(self)
        self._text.setMaxLength(2000)
        self._text.setPlaceholderText("Write into the log   N")
        self._text.setAccessibleName("Write into the log; Enter keeps it for ever")
        self._text.returnPressed.connect(self._on_enter)
        self._text.left.connect(self._leave_line)
        self._correct = QPushButton("Correct  K", self)
        self._correct.setAccessibleName("Correct the selected entry")
        self._correct.clicked.connect(self._begin_correction)
        row = QHBoxLayout()
        row.setSpacing(look().sizes.gap * 2)
        row.addWidget(self._text, 1)
        row.addWidget(self._correct)
        return row

    def _show(self) -> None:
        now = datetime.now(UTC)
        entries = sorted(self._entries.values(), key=lambda entry: -entry.entry_id)
        self._table.show_lines([_line(entry, now) for entry in entries])
        if entries:
            self._overlay.clear()
        elif self._is_asking:
            self._overlay.show_state(PanelState.LOADING, "Reading the log.")
        else:
            self._overlay.show_state(PanelState.EMPTY, "No entry fits.", "N writes one.")

    def _ask_for_more(self) -> None:
        bar = self._table.verticalScrollBar()
        if self._has_more and not self._is_asking and self._entries and bar.value() >= bar.maximum() - bar.pageStep():
            self._is_asking = True
            query = self.query
            self.page_requested.emit(
                ShiftQuery(words=query.words, kind=query.kind, before_id=min(self._entries), limit=query.limit)
            )

    def _begin_note(self) -> None:
        self._corrects = 0
        self._note.hide()
        self._text.setFocus()

    def _begin_correction(self) -> None:
        key = self._table.current_key
        if not key:
            self._say("Choose the entry that is to be put right.")
            return
        self._corrects = int(key)
        self._say(f"Entry {key} stays as it is; what you write now corrects it.  Esc leaves.")
        self._text.setFocus()

    def _on_enter(self) -> None:
        text = self._text.text().strip()
        if text:
            self.write_requested.emit(text, self._corrects)
            self._leave_line()

    def _leave_line(self) -> None:
        self._corrects = 0
        self._text.clear()
        self._note.hide()
        self._table.setFocus()

    def _say(self, sentence: str) -> None:
        self._note.setText(sentence)
        self._note.show()


def _fits(entry: ShiftEntry, query: ShiftQuery) -> bool:
    if query.kind is not None and entry.kind is not query.kind:
        return False
    whole = " ".join((entry.text, entry.actor, entry.desk)).casefold()
    return all(word in whole for word in query.words.casefold().split())


def _line(entry: ShiftEntry, now: datetime) -> Line:
    who = f"{entry.actor}, {entry.desk}" if entry.desk else entry.actor
    text = f"{entry.text}  (corrects no. {entry.corrects})" if entry.corrects else entry.text
    return Line(
        key=str(entry.entry_id),
        cells=(text, KIND_WORDS[entry.kind], who, format_raised(entry.at, now), str(entry.entry_id)),
        tip=format_instant(entry.at),
    )
