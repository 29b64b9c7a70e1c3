"""Say of one incident after the other whether it was true: T, F or D, J and K to go on, U to take back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.incidents.model import kind_words
from core.incidents.review import Outcome, PrecisionReport, ReviewFilter, ReviewItem, ReviewPage, Waiting
from core.vision.model import ObservationKind
from widgets.alarms.detail import Snapshot
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant
from widgets.review.model import (
    CAMERA,
    CONFIDENCE,
    OUTCOME,
    OUTCOME_WORDS,
    RULE,
    TIME,
    ReviewTable,
    describe_item,
    precision_lines,
)

PICTURE_AFTER_MS = 60
"""Whoever holds J down does not ask for every picture on the way."""

KEPT_ROWS, PAGE_ROWS = 1000, 100
"""What is further below, and not near what is looked at, is asked for again when somebody goes there."""

_WAITING_WORDS = {Waiting.WAITING: "Waiting", Waiting.REVIEWED: "Reviewed", Waiting.ALL: "All"}
_TIPS = {
    Outcome.TRUE: "It happened as the rule said",
    Outcome.FALSE: "Nothing of the kind happened",
    Outcome.DUPLICATE: "True, and another incident tells it already",
}
_WHAT_COUNTS = (
    "Judged is the rule that an incident is named after. What other rules saw in it is not, "
    "nor is what was written by hand."
)
_MEASURES = (
    Column(title="Rule"),
    Column(title="Right", is_figure=True),
    Column(title="95 % interval", is_figure=True, rank=2),
    Column(title="True", is_figure=True, rank=1),
    Column(title="Open", is_figure=True, rank=3),
)
_SIDE_BY_SIDE_EM = 34
_TALL_EM = 40
_WITH_CAMERA_EM, _WITH_CONFIDENCE_EM, _WITH_OUTCOME_EM = 23, 28, 35
"""Width of the list, in letters, from which it has these columns."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What was decided here, to be taken back."""

    incident_id: str
    before: ReviewItem


class ReviewQueue(QWidget):
    """List, picture, the three answers, and how often each rule was right.

    Signals:
        page_requested(ReviewFilter, str): Filter, and id of the last incident that is shown; answered by `show_page`.
        picture_requested(ReviewItem): What is looked at; answered by `show_picture`.
        candidates_requested(str): Incident id; answered by `show_candidates`.
        decide_requested(ReviewItem, Outcome, str): What was looked at, outcome, id of the original or nothing.
        undo_requested(ReviewItem): With the answer that is taken back.
        goto_requested(ReviewItem): Double click, or Enter.
    """

    page_requested = Signal(object, str)
    picture_requested = Signal(object)
    candidates_requested = Signal(str)
    decide_requested = Signal(object, object, str)
    undo_requested = Signal(object)
    goto_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = Role.VIEWER
        self._has_more = self._is_asking = self._is_unseen = False
        self._n_matching: int | None = None
        self._done: list[_Done] = []
        self._report = PrecisionReport()
        self._model = ReviewTable()
        self._build()
        order_focus(self)
        self.setFocusProxy(self._table)
        self._picturing = QTimer(self)
        self._picturing.setSingleShot(True)
        self._picturing.setInterval(PICTURE_AFTER_MS)
        self._picturing.timeout.connect(self._on_picture_due)
        self._refresh()

    @property
    def wanted(self) -> ReviewFilter:
        """What the operator wants to see."""
        return ReviewFilter(
            kind=str(self._kind.currentData() or ""),
            source_id=str(self._camera.currentData() or ""),
            waiting=self._waiting.currentData(),
        )

    @property
    def current(self) -> ReviewItem | None:
        """The incident that is looked at."""
        return self._model.item(self._table.currentIndex().row())

    def ask_anew(self) -> None:
        """Ask for the first page again."""
        self._is_asking, self._has_more, self._n_matching = True, False, None
        self._model.show_items(())
        self._refresh()
        self.page_requested.emit(self.wanted, "")

    def show_page(self, wanted: ReviewFilter, before: str, page: ReviewPage) -> None:
        """Show a page of incidents, if it is still the one that is wanted."""
        if wanted != self.wanted:
            return
        self._is_asking, self._has_more = False, page.has_more
        if page.n_matching is not None:
            self._n_matching = page.n_matching
        if before:
            self._model.append_items(page.items)
        else:
            self._model.show_items(page.items)
            self._table.setCurrentIndex(self._model.index(0, 0))
        self._refresh()

    def show_newest(self, wanted: ReviewFilter, page: ReviewPage) -> None:
        """Put what happened since where it belongs, without moving what is looked at.

        Where more happened than a page holds, the list begins anew: nothing between is passed over.
        """
        if wanted != self.wanted:
            return
        if page.has_more and self._model.is_older_than(page.items):
            self.ask_anew()
            return
        before = self.current
        self._model.merge_items(page.items)
        if self._model.keep_newest(max(KEPT_ROWS, self._table.currentIndex().row() + PAGE_ROWS)):
            self._has_more = True
        if page.n_matching is not None:
            self._n_matching = page.n_matching
        if self.current is None:
            self._table.setCurrentIndex(self._model.index(0, 0))
        self._look_again(before)
        self._refresh()

    def show_failed(self, sentence: str, hint: str = "") -> None:
        """Say why the list is not there."""
        self._is_asking = False
        self._overlay.show_state(PanelState.LOST, sentence, hint)

    def show_reviews(self, items: Iterable[ReviewItem]) -> None:
        """Show what became of incidents, here or at another desk."""
        before = self.current
        if self._model.update_items(items):
            self._look_again(before)
            self._refresh()

    def show_cameras(self, names: Mapping[str, str]) -> None:
        """Offer these cameras in the filter, by id."""
        kept = self._camera.currentData()
        wanted = sorted(names.items(), key=lambda pair: pair[1].casefold())
        if [self._camera.itemData(row) for row in range(1, self._camera.count())] == [key for key, _ in wanted]:
            return
        with QSignalBlocker(self._camera):
            self._camera.clear()
            self._camera.addItem("All cameras", "")
            for key, name in wanted:
                self._camera.addItem(name, key)
            self._camera.setCurrentIndex(max(0, self._camera.findData(kept)))

    def show_precision(self, report: PrecisionReport) -> None:
        """Show how often each rule was right."""
        self._report = report
        self._measures.show_lines(precision_lines(report, self.wanted.kind))

    def show_picture(self, asked: ReviewItem, content: bytes) -> None:
        """Show an incident's picture, if the incident is still what it was when its picture was asked for."""
        current = self.current
        if current is None or _seen(current) != _seen(asked):
            return
        if content:
            self._picture.show_picture(content)
        else:
            self._picture.show_nothing("This incident has no picture.")
        self._is_unseen = False
        self._refresh()

    def show_no_picture(self, asked: ReviewItem, sentence: str) -> None:
        """Say why the picture that was asked for is not shown; as `show_picture`."""
        if self.current is not None and _seen(self.current) == _seen(asked):
            self._picture.show_nothing(sentence)
            self._is_unseen = False
            self._refresh()

    def show_candidates(self, incident_id: str, items: Iterable[ReviewItem]) -> None:
        """Let the operator choose which incident the current one repeats."""
        current = self.current
        if current is None or current.incident.incident_id != incident_id or self._is_unseen:
            return
        self._candidates.clear()
        for item in items:
            entry = QListWidgetItem(describe_item(item))
            entry.setData(Qt.ItemDataRole.UserRole, item.incident.incident_id)
            self._candidates.addItem(entry)
        if not self._candidates.count():
            self._say("No other incident happened near it: it repeats none.")
            return
        self._say("Which one does it repeat? Enter takes the first, Esc goes back.")
        self._candidates.setCurrentRow(0)
        # The picture is what one compares by: it keeps its room.
        self._measured.setVisible(self.height() >= look().sizes.body * _TALL_EM)
        self._candidates.show()
        self._candidates.setFocus()

    def show_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        self._refresh()

    def decide(self, outcome: Outcome, original: str = "") -> None:
        """Say what the current incident was, and go on to the next one."""
        item = self.current
        if item is None or self._is_unseen or self._role < Role.OPERATOR:
            return
        self._hide_candidates()
        self._done.append(_Done(item.incident.incident_id, item))
        del self._done[:-200]
        self.decide_requested.emit(item, outcome, original)
        self.go_on(1)

    def go_on(self, step: int) -> None:
        """Look at the next incident (1) or the one before (-1)."""
        row = max(0, min(self._model.rowCount() - 1, self._table.currentIndex().row() + step))
        self._table.setCurrentIndex(self._model.index(row, 0))
        self._table.setFocus()

    def undo(self) -> None:
        """Take the last answer of this desk back, and look at that incident again."""
        if not self._done or self._role < Role.OPERATOR:
            return
        done = self._done.pop()
        row = self._model.row_of(done.incident_id)
        item = self._model.item(row)
        before = done.before
        if item is None or item.incident.kind != before.incident.kind or item.version <= before.version:
            # The list was filtered anew, or the answer was refused, or the incident became something else.
            self._say("The last answer cannot be taken back from here.")
            return
        self._table.setCurrentIndex(self._model.index(row, 0))
        if before.outcome is None:
            self.undo_requested.emit(item)
        else:
            self.decide_requested.emit(item, before.outcome, before.duplicate_of)

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        gap = look().sizes.gap
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self._build_list())
        self._split.addWidget(self._build_detail())
        self._split.setStretchFactor(0, 2)
        self._split.setStretchFactor(1, 3)
        self._split.setSizes([420, 580])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, gap * 2, 0, 0)
        column.setSpacing(gap * 2)
        column.addLayout(self._build_filters())
        column.addWidget(self._split, 1)
        self._add_keys()

    def _add_keys(self) -> None:
        """Let letters answer for what is looked at; in a filter they choose an entry, and none answers twice."""
        for key, call, is_held in (
            ("T", lambda: self.decide(Outcome.TRUE), False),
            ("F", lambda: self.decide(Outcome.FALSE), False),
            ("D", self._on_duplicate, False),
            ("J", lambda: self.go_on(1), True),
            ("K", lambda: self.go_on(-1), True),
            ("U", self.undo, False),
            ("Ctrl+Z", self.undo, False),
        ):
            for part in (self._table, self._upper):
                shortcut = QShortcut(QKeySequence(key), part)
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                shortcut.setAutoRepeat(is_held)
                shortcut.activated.connect(partial(self._on_key, call))

    def _on_key(self, call: Callable[[], None]) -> None:
        if not self._candidates.hasFocus():
            call()

    def _build_filters(self) -> QHBoxLayout:
        gap = look().sizes.gap
        self._waiting, self._kind, self._camera = _choice("Show"), _choice("Rule"), _choice("Camera")
        for waiting, word in _WAITING_WORDS.items():
            self._waiting.addItem(word, waiting)
        self._kind.addItem("All rules", "")
        for kind in ObservationKind:
            self._kind.addItem(kind_words(kind.value), kind.value)
        self._camera.addItem("All cameras", "")
        filters = QHBoxLayout()
        filters.setContentsMargins(gap * 2, 0, gap * 2, 0)
        filters.setSpacing(gap * 2)
        for choice in (self._waiting, self._kind, self._camera):
            choice.currentIndexChanged.connect(lambda _row: self._on_filter())
            filters.addWidget(choice, 1)
        self._count = QLabel(self)
        set_role(self._count, "caption")
        self._undo = QPushButton("Undo  U", self)
        set_role(self._undo, "quiet")
        self._undo.clicked.connect(self.undo)
        filters.addWidget(self._count)
        filters.addWidget(self._undo)
        return filters

    def _build_list(self) -> QWidget:
        gap = look().sizes.gap
        side = QWidget(self)
        self._table = _build_table(self._model)
        self._table.selectionModel().currentRowChanged.connect(self._on_row)
        self._table.verticalScrollBar().valueChanged.connect(lambda _value: self._ask_for_more())
        self._table.doubleClicked.connect(lambda _index: self._on_goto())
        self._table.installEventFilter(self)
        self._overlay = StateOverlay(self._table.viewport())
        column = QVBoxLayout(side)
        column.setContentsMargins(gap * 2, 0, 0, 0)
        column.setSpacing(gap)
        column.addWidget(self._table, 1)
        return side

    def _build_detail(self) -> QWidget:
        gap = look().sizes.gap
        self._upper = upper = QWidget(self)
        self._title, self._facts = ElidedLabel("", upper), QLabel(upper)
        self._facts.setWordWrap(True)
        self._facts.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._title, "title")
        set_role(self._facts, "secondary")
        self._picture = Snapshot(upper)
        self._picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._note = QLabel(upper)
        self._note.setWordWrap(True)
        self._note.hide()
        self._candidates = QListWidget(upper)
        self._candidates.setAccessibleName("Which incident it repeats")
        self._candidates.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._candidates.setMaximumHeight(look().sizes.row * 4)
        self._candidates.itemActivated.connect(self._on_candidate)
        self._candidates.installEventFilter(self)
        self._candidates.hide()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, gap * 2, gap)
        column.setSpacing(gap)
        for widget in (self._title, self._facts):
            column.addWidget(widget)
        column.addWidget(self._picture, 1)
        column.addWidget(self._note)
        column.addWidget(self._candidates)
        column.addLayout(self._build_buttons(upper))
        side = QSplitter(Qt.Orientation.Vertical, self)
        side.setChildrenCollapsible(False)
        side.addWidget(upper)
        side.addWidget(self._build_measures())
        side.setStretchFactor(0, 1)
        side.setStretchFactor(1, 0)
        side.setSizes([look().sizes.row * 12, look().sizes.row * 4])
        return side

    def _build_measures(self) -> QWidget:
        self._measured = QWidget(self)
        self._measures = TextTable("How often each rule was right", _MEASURES, self._measured)
        counted = QLabel(_WHAT_COUNTS, self._measured)
        counted.setWordWrap(True)
        set_role(counted, "caption")
        column = QVBoxLayout(self._measured)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._measures, 1)
        column.addWidget(counted)
        return self._measured

    def _build_buttons(self, parent: QWidget) -> FlowLayout:
        buttons = FlowLayout(look().sizes.gap * 2)
        self._answers: dict[Outcome, QPushButton] = {}
        for outcome, word in (
            (Outcome.TRUE, "True  T"),
            (Outcome.FALSE, "False  F"),
            (Outcome.DUPLICATE, "Duplicate  D"),
        ):
            button = QPushButton(word, parent)
            button.setAccessibleName(outcome.value.capitalize())
            button.setProperty("tip", _TIPS[outcome])
            self._answers[outcome] = button
            buttons.addWidget(button)
        self._answers[Outcome.TRUE].clicked.connect(lambda: self.decide(Outcome.TRUE))
        self._answers[Outcome.FALSE].clicked.connect(lambda: self.decide(Outcome.FALSE))
        self._answers[Outcome.DUPLICATE].clicked.connect(self._on_duplicate)
        return buttons

    # -- showing --------------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        item = self.current
        may = item is not None and not self._is_unseen and self._role >= Role.OPERATOR
        for button in self._answers.values():
            button.setEnabled(may)
            is_allowed = self._role >= Role.OPERATOR
            button.setToolTip(button.property("tip") if is_allowed else "Reviewing needs the role operator.")
        self._undo.setEnabled(bool(self._done) and self._role >= Role.OPERATOR)
        self._title.setText(item.incident.title if item is not None else "")
        self._facts.setText(_facts_of(item) if item is not None else "")
        self._count.setText(self._count_words())
        if self._model.rowCount():
            self._overlay.clear()
        elif self._is_asking:
            self._overlay.show_state(PanelState.LOADING, "Reading the incidents.", "")
        else:
            self._overlay.show_state(PanelState.EMPTY, *self._empty_words())

    def _empty_words(self) -> tuple[str, str]:
        if self.wanted == ReviewFilter():
            return "Nothing waits for a review.", "What rules raise appears here."
        return "No incident fits.", "Choose another rule, camera or state above."

    def _count_words(self) -> str:
        if self._n_matching is None:
            return ""
        return f"{self._model.rowCount()} of {max(self._n_matching, self._model.rowCount())}"

    def _say(self, text: str) -> None:
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _hide_candidates(self) -> None:
        self._candidates.hide()
        self._measured.show()
        self._say("")

    def _ask_for_more(self) -> None:
        bar = self._table.verticalScrollBar()
        is_near_end = bar.value() >= bar.maximum() - bar.pageStep()
        items = self._model.items
        if self._has_more and not self._is_asking and items and is_near_end:
            self._is_asking = True
            self.page_requested.emit(self.wanted, items[-1].incident.incident_id)

    # -- what happens ---------------------------------------------------------------------------------------------

    def _look_again(self, before: ReviewItem | None) -> None:
        """Ask for the picture anew where what is looked at became something else under the operator's eyes.

        Until it is there, no answer is taken: whoever types one just then means what was shown before.
        """
        item = self.current
        if before is None or item is None or before.incident.incident_id != item.incident.incident_id:
            return
        if _seen(before) == _seen(item):
            return
        focused = QApplication.focusWidget()
        if focused is not None and self._upper.isAncestorOf(focused):
            self._table.setFocus()
        self._hide_candidates()
        is_renamed = before.incident.kind != item.incident.kind
        self._say(f"It became {item.incident.title} meanwhile." if is_renamed else "It has a newer picture.")
        self._is_unseen = True
        self._picture.show_nothing("")
        self._picturing.start()

    def _on_filter(self) -> None:
        self._measures.show_lines(precision_lines(self._report, self.wanted.kind))
        self._fit_columns()
        self.ask_anew()

    def _on_row(self, index: QModelIndex, _before: QModelIndex) -> None:
        self._is_unseen = False
        self._hide_candidates()
        self._refresh()
        item = self._model.item(index.row())
        if item is None:
            self._picture.show_nothing("")
            return
        self._picture.show_nothing("")
        self._picturing.start()
        if index.row() >= self._model.rowCount() - 5:
            self._ask_for_more()

    def _on_picture_due(self) -> None:
        item = self.current
        if item is None:
            return
        if item.picture_id:
            self.picture_requested.emit(item)
        elif item.incident.snapshot_path:
            self.show_no_picture(item, "No picture of this call: those of the incident show other ones.")
        else:
            self.show_picture(item, b"")

    def _on_duplicate(self) -> None:
        item = self.current
        if item is not None and not self._is_unseen and self._role >= Role.OPERATOR:
            self.candidates_requested.emit(item.incident.incident_id)

    def _on_candidate(self, entry: QListWidgetItem) -> None:
        self.decide(Outcome.DUPLICATE, str(entry.data(Qt.ItemDataRole.UserRole)))

    def _on_goto(self) -> None:
        if self.current is not None:
            self.goto_requested.emit(self.current)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Enter in the list shows the place, Esc leaves the choice of the original; the list shows what fits."""
        if watched is self._table and event.type() == QEvent.Type.Resize:
            self._fit_columns()
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if watched is self._table and is_enter:
                self._on_goto()
                return True
            if watched is self._candidates and event.key() == Qt.Key.Key_Escape:
                self._hide_candidates()
                self._table.setFocus()
                return True
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the picture below the list where there is no room beside it."""
        super().resizeEvent(event)
        is_wide = self.width() >= look().sizes.body * _SIDE_BY_SIDE_EM
        self._split.setOrientation(Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical)

    def _fit_columns(self) -> None:
        """Go without the columns that the symbol before the rule and the picture's text say as well."""
        em = self._table.width() / look().sizes.body
        self._table.setColumnHidden(CAMERA, em < _WITH_CAMERA_EM)
        self._table.setColumnWidth(CAMERA, round(look().sizes.body * max(8.0, min(12.0, em * 0.38))))
        self._table.setColumnHidden(CONFIDENCE, em < _WITH_CONFIDENCE_EM)
        # Where only what waits is listed, the answer of each is "waiting"; what was just decided has its mark.
        self._table.setColumnHidden(OUTCOME, em < _WITH_OUTCOME_EM or self.wanted.waiting is Waiting.WAITING)


def _seen(item: ReviewItem) -> tuple[str, str, str, str]:
    """Return what an answer is given to: the incident, the rule it is named after and the picture of that."""
    return item.incident.incident_id, item.incident.kind, item.picture_id, item.incident.snapshot_path


def _facts_of(item: ReviewItem) -> str:
    parts = [item.incident.source_name, format_instant(item.incident.began_at), f"sure {item.confidence:.0%}"]
    if item.outcome is not None:
        parts.append(f"{OUTCOME_WORDS[item.outcome]} ({item.reviewed_by})")
    return "  ·  ".join(parts)


def _choice(name: str) -> QComboBox:
    choice = QComboBox()
    choice.setAccessibleName(name)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(3)
    return choice


def _build_table(model: ReviewTable) -> QTableView:
    table = QTableView()
    table.setModel(model)
    table.setAccessibleName("Incidents to review")
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTabKeyNavigation(False)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(look().sizes.row)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setMinimumSectionSize(look().sizes.body * 3)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    for column, em in ((TIME, 6.5), (CONFIDENCE, 5), (OUTCOME, 7)):
        header.resizeSection(column, round(look().sizes.body * em))
    header.setSectionResizeMode(RULE, QHeaderView.ResizeMode.Stretch)
    return table
