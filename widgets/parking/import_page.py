"""Bays from a file: what it is, what can be used of it, what cannot and why; then all of it with one button."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from core.kernel.errors import BadInputError
from core.parking.drawing import SameId
from core.parking.formats.checking import Answers, check
from core.parking.formats.model import BadRow, BayFile, Document, Frame, Size
from core.parking.formats.reading import KNOWN, read_file
from core.parking.model import Lot
from widgets.base.file_dialogs import ask_file
from widgets.base.flow import FlowLayout
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field, form_layout

FILES = "Bays (*.json *.geojson *.xml *.pickle *.pkl CarParkPos*);;All files (*)"
_SAME_NAMES = {SameId.SAME_BAY: "the same bay", SameId.NEW_BAY: "a new bay"}


class ImportPage(QWidget):
    """Choose a file, look at what it holds, take it.

    Signals:
        take_requested(object, object, str): A `BayFile`, a `SameId`, and the name of the file.
        left()
    """

    take_requested = Signal(object, object, str)
    left = Signal()
    _has_answered = Signal(int, object)
    """Which work it was, and a `Document`, a `BayFile`, a `BadInputError`, or None where it broke."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._n_works = 0
        self.is_working = False
        self._path: Path | None = None
        self._document: Document | None = None
        self._found: BayFile | None = None
        self._lot: Lot | None = None
        self._picture_px: Size | None = None
        self._place, self._is_plan = "", False
        self._build()
        self._connect()
        self.start(None, "", None, is_plan=True)

    def start(self, lot: Lot | None, place: str, picture_px: Size | None, *, is_plan: bool) -> None:
        """Begin anew, without a file.

        Args:
            lot: That the bays are for.
            place: Name of where they would be drawn: a camera, or the plan.
            picture_px: Size of the camera's own picture; None where nobody knows it.
            is_plan: The place is the plan, or the map.
        """
        self._lot, self._place, self._picture_px, self._is_plan = lot, place, picture_px, is_plan
        self._n_works += 1
        self.is_working = False
        self._path = self._document = self._found = None
        self._said.setText("")
        self._table.show_lines(())
        self._refresh()

    def open_file(self, path: Path, picture: str = "") -> None:
        """Begin to read a file, which may be large; show what it holds once it is there, unless another is chosen."""
        self._path, self._document = path, None
        self._begin(f"Reading {path.name} …", partial(read_file, path, picture))

    def _begin(self, said: str, work: Callable[[], Document | BayFile]) -> None:
        """Read or check on a thread of its own; the newest work counts."""
        self._n_works += 1
        self.is_working, self._found = True, None
        self._said.setText(said)
        self._table.show_lines(())
        self._refresh()
        job = partial(_work, work, partial(self._has_answered.emit, self._n_works))
        threading.Thread(target=job, name="bays of a file", daemon=True).start()

    def _on_answered(self, number: int, answer: Document | BayFile | BadInputError | None) -> None:
        if number != self._n_works or self._path is None:
            return
        self.is_working = False
        if isinstance(answer, Document):
            self._document = answer
            self._show_questions(answer)
            self._check()
            return
        if isinstance(answer, BayFile):
            self._found = answer
            self._said.setText(self._summary(self._path.name, answer))
            self._show_bad(answer.bad)
        else:
            broken = f"{self._path.name} could not be read; the log says more."
            self._said.setText(broken if answer is None else str(answer))
        self._refresh()

    def _build(self) -> None:
        gap = look().sizes.gap
        title = QLabel("Bays from a file", self)
        set_role(title, "title")
        explained = QLabel(KNOWN, self)
        explained.setWordWrap(True)
        set_role(explained, "caption")
        self._choose = QPushButton("Choose a file", self)
        self._choose.setToolTip("A file can also be dropped here")
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setAccessibleName("What the file holds")
        self._picture = choice_field("Picture of the file", self)
        self._width, self._height = _spin("Width of the picture"), _spin("Height of the picture")
        self._bay_width, self._bay_height = _spin("Width of a bay"), _spin("Height of a bay")
        self._same = choice_field("A bay with an id that is there already", self)
        for same, name in _SAME_NAMES.items():
            self._same.addItem(name, same)
        self._form = form_layout()
        for words, field in (
            ("Picture", self._picture),
            ("Picture width", self._width),
            ("Picture height", self._height),
            ("Bay width", self._bay_width),
            ("Bay height", self._bay_height),
            ("A known id is", self._same),
        ):
            self._form.addRow(words, field)
        self._table = TextTable(
            "Outlines that are left out",
            (
                Column(title="Why it is left out"),
                Column(title="Entry", is_figure=True),
                Column(title="Id", rank=1),
            ),
            self,
        )
        self._take = QPushButton(self)
        set_role(self._take, "primary")
        self._leave = QPushButton("Cancel", self)
        buttons = FlowLayout(gap * 2)
        for button in (self._choose, self._take, self._leave):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        for widget in (title, explained, self._said):
            column.addWidget(widget)
        column.addLayout(self._form)
        column.addWidget(self._table, 1)
        column.addLayout(buttons)
        column.addStretch(0)
        self.setFocusProxy(self._choose)

    def _connect(self) -> None:
        self._has_answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)
        self._choose.clicked.connect(self._on_choose)
        self._take.clicked.connect(self._on_take)
        self._leave.clicked.connect(self.left)
        self._picture.activated.connect(lambda _row: self._on_picture())
        for spin in (self._width, self._height, self._bay_width, self._bay_height):
            spin.valueChanged.connect(lambda _value: self._check())

    def _show_questions(self, document: Document) -> None:
        """Ask what the file does not say, beginning with what is likely."""
        size = document.picture_px or self._picture_px or (1280, 720)
        for spin, value in zip((self._width, self._height), size, strict=True):
            _show(spin, value)
        for spin, value in zip((self._bay_width, self._bay_height), document.bay_px or (1, 1), strict=True):
            _show(spin, value)
        with QSignalBlocker(self._picture):
            self._picture.clear()
            for name in document.pictures:
                self._picture.addItem(name, name)
            self._picture.setCurrentText(document.picture)
        names = any(row.name for row in document.rows) or document.lot is not None
        self._same.setCurrentIndex(0 if names else 1)

    def _check(self) -> None:
        document = self._document
        if document is None or self._path is None:
            return
        answers = Answers(
            picture_px=(self._width.value(), self._height.value()),
            bay_px=(self._bay_width.value(), self._bay_height.value()),
            lot=self._lot,
        )
        self._begin(f"Checking {self._path.name} …", partial(check, document, answers))

    def _summary(self, name: str, found: BayFile) -> str:
        n_bad = f", {len(found.bad):,} cannot" if found.bad else ""
        lanes = f" and {len(found.lanes)} to stay clear" if found.lanes else ""
        said = f"{name} is {found.title}: {_bays(len(found.bays))}{lanes} can be used{n_bad}."
        if found.lot is None and found.is_plan is False and self._is_plan:
            return f"{said} They are drawn on a picture: show the camera that took it first, then import."
        where = "the lot and its views" if found.lot is not None else "the plan" if found.is_plan else self._place
        placed = " The lot gets its place on the earth from them." if found.placed_at is not None else ""
        is_asked = self._document is not None and self._document.frame is Frame.PIXELS
        is_unsaid = is_asked and self._document is not None and self._document.picture_px is None
        ids = f" In the ids of {_bays(found.n_other_ids)}, - stands for + and :." if found.n_other_ids else ""
        check_size = " It does not say how large its picture was: check width and height." if is_unsaid else ""
        return f"{said} They go to {where}.{placed}{ids}{check_size}"

    @property
    def _can_take(self) -> bool:
        found = self._found
        if found is None or not (found.bays or found.lanes or found.lot is not None):
            return False
        return found.is_plan or not self._is_plan

    def _show_bad(self, bad: tuple[BadRow, ...]) -> None:
        lines = [
            Line(key=str(index), cells=(row.reason, str(row.number), row.name), tip=row.reason)
            for index, row in enumerate(bad)
        ]
        self._table.show_lines(lines)

    def _refresh(self) -> None:
        document = self._document
        in_pixels = document is not None and document.frame is Frame.PIXELS and document.lot is None
        self._form.setRowVisible(self._picture, document is not None and len(document.pictures) > 1)
        for row in (self._width, self._height):
            self._form.setRowVisible(row, in_pixels)
        for row in (self._bay_width, self._bay_height):
            self._form.setRowVisible(row, document is not None and document.bay_px is not None)
        self._form.setRowVisible(self._same, document is not None and document.lot is None)
        self._table.setVisible(bool(self._table.lines))
        self._take.setVisible(document is not None)
        self._take.setEnabled(self._can_take)
        n_bays = len(self._found.bays) if self._found is not None else 0
        self._take.setText(f"Take {_bays(n_bays)}")

    def _on_choose(self) -> None:
        ask_file(self, "Choose a file of bays", FILES, self.open_file)

    def _on_picture(self) -> None:
        if self._path is not None:
            self.open_file(self._path, str(self._picture.currentData()))

    def _on_take(self) -> None:
        if self._found is not None and self._path is not None and self._can_take:
            self.take_requested.emit(self._found, SameId(self._same.currentData()), self._path.name)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)


def _work(
    work: Callable[[], Document | BayFile], tell: Callable[[Document | BayFile | BadInputError | None], None]
) -> None:
    answer: Document | BayFile | BadInputError | None = None
    try:
        answer = work()
    except BadInputError as error:
        answer = error
    finally:
        # The page may be gone by now.
        with contextlib.suppress(RuntimeError):
            tell(answer)


def _spin(name: str) -> QSpinBox:
    field = QSpinBox()
    field.setAccessibleName(name)
    field.setRange(1, 100_000)
    field.setSuffix(" px")
    field.setMinimumWidth(look().sizes.body * 6)
    return field


def _show(field: QSpinBox, value: int) -> None:
    with QSignalBlocker(field):
        field.setValue(value)


def _bays(n_bays: int) -> str:
    return "1 bay" if n_bays == 1 else f"{n_bays:,} bays"
