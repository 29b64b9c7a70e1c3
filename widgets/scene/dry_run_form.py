"""Try the scene as it is drawn on footage: what it would have raised, before it calls anybody."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.incidents.model import kind_words
from core.vision.dry_run_model import DryRun, Raised
from widgets.base.flow import FlowLayout
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.scene.fields import NumberField, form_layout, text_field

_DONE = 100
_OWN_STREAM = "this camera's stream"
_CALL = "  CALL, "


class DryRunForm(QWidget):
    """Which footage, how far it is, and what was raised.

    Signals:
        start_requested(str, float): Address of the footage, empty for the camera's own stream, and at most so long [s].
        stop_requested(): Look no further.
        file_wanted(): Let the operator choose a file; answered by `show_footage`.
        cancelled(): Leave; what goes on is stopped.
    """

    start_requested = Signal(str, float)
    stop_requested = Signal()
    file_wanted = Signal()
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        title = QLabel("Dry run", self)
        set_role(title, "title")
        note = QLabel(
            "What the scene as it is drawn here would have raised, and the calls of it. Nothing is stored, nobody is "
            "called. Other cameras, planned works, suppression and acknowledging are left out.",
            self,
        )
        note.setWordWrap(True)
        set_role(note, "caption")
        self._footage = text_field("Footage: a file or address on the node's machine", 1024)
        self._footage.setPlaceholderText(_OWN_STREAM)
        self._minutes = NumberField("Minutes to look at", 0.5, 60.0, " min", decimals=1)
        self._minutes.show_value(5.0)
        self._choose = IconButton("search", "Choose a file", self)
        self._choose.clicked.connect(self.file_wanted)
        footage = QHBoxLayout()
        footage.setSpacing(gap)
        footage.addWidget(self._footage, 1)
        footage.addWidget(self._choose)
        form = form_layout()
        self._elsewhere = QLabel(self)
        self._elsewhere.setWordWrap(True)
        self._elsewhere.setTextFormat(Qt.TextFormat.PlainText)
        self._elsewhere.hide()
        set_role(self._elsewhere, "caption")
        form.addRow("Footage", footage)
        form.addRow(self._elsewhere)
        form.addRow("At most", self._minutes)
        self._start = QPushButton("Start", self)
        set_role(self._start, "primary")
        self._start.clicked.connect(self._on_start)
        self._stop = QPushButton("Stop", self)
        self._stop.clicked.connect(self.stop_requested)
        leave = QPushButton("Back", self)
        leave.clicked.connect(self.cancelled)
        buttons = FlowLayout(gap * 2)
        for button in (self._start, self._stop, leave):
            buttons.addWidget(button)
        self._progress = QProgressBar(self)
        self._progress.setAccessibleName("How much of the footage was looked at")
        self._verdict = QLabel(self)
        self._verdict.setWordWrap(True)
        self._verdict.setTextFormat(Qt.TextFormat.PlainText)
        self._list = QListWidget(self)
        self._list.setAccessibleName("What would have been raised")
        self._list.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addWidget(title)
        column.addWidget(note)
        column.addLayout(form)
        column.addLayout(buttons)
        for widget in (self._progress, self._verdict):
            column.addWidget(widget)
        column.addWidget(self._list, 1)
        self.setFocusProxy(self._footage)
        self.show_nothing()

    @property
    def verdict(self) -> str:
        """What the operator reads."""
        return self._verdict.text()

    @property
    def rows(self) -> list[str]:
        """What is listed."""
        return [self._list.item(row).text() for row in range(self._list.count())]

    def set_machine(self, machine: str) -> None:
        """Name the machine that opens the footage, empty for this one: files of another one cannot be chosen here."""
        self._choose.setVisible(not machine)
        self._elsewhere.setVisible(bool(machine))
        self._footage.setPlaceholderText(f"{_OWN_STREAM}, or a path on {machine}" if machine else _OWN_STREAM)
        self._elsewhere.setText(
            f"The node opens it, and runs on {machine}: type the file's path as it is there, or an address that it "
            "reaches. A file of this desk has to be copied there first."
            if machine
            else ""
        )

    def show_footage(self, file: Path) -> None:
        """Take a file that was chosen."""
        self._footage.setText(str(file))
        self._footage.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_nothing(self) -> None:
        """Nothing was tried yet."""
        self._verdict.clear()
        self._list.clear()
        self._progress.hide()
        self._set_running(False)

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing is tried."""
        self.show_nothing()
        self._verdict.setText(f"{sentence} {hint}".strip())

    def show_run(self, run: DryRun) -> None:
        """Show how far it is and what was raised so far."""
        is_running = run.state == "running"
        self._set_running(is_running)
        self._progress.setVisible(is_running)
        # Without a known length it only shows that something goes on.
        self._progress.setRange(0, _DONE if run.length_s else 0)
        self._progress.setValue(round(_DONE * min(1.0, run.footage_s / run.length_s)) if run.length_s else 0)
        self._verdict.setText(_verdict(run))
        texts = _rows(run)
        if texts != self.rows:
            self._list.clear()
            for text in texts:
                self._list.addItem(self._listed(text))

    def _listed(self, text: str) -> QListWidgetItem:
        item = QListWidgetItem(text)
        if _CALL in text:
            strong = self._list.font()
            strong.setBold(True)
            item.setFont(strong)
        return item

    def _set_running(self, is_running: bool) -> None:
        self._start.setEnabled(not is_running)
        self._stop.setEnabled(is_running)
        self._footage.setEnabled(not is_running)
        self._choose.setEnabled(not is_running)
        self._minutes.setEnabled(not is_running)

    def _on_start(self) -> None:
        self.show_nothing()
        self._set_running(True)
        self._verdict.setText("Starting ...")
        self.start_requested.emit(self._footage.text().strip(), self._minutes.value() * 60.0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
            return
        super().keyPressEvent(event)


def _verdict(run: DryRun) -> str:
    n_raised, n_calls = sum(run.n_raised.values()), len(run.calls or ())
    calls = "1 call" if n_calls == 1 else f"{n_calls} calls"
    found = f"{n_raised} raised, {calls}, in {_clock(run.footage_s)} of footage."
    if n_raised > len(run.raised):
        found += f" Calls are those of the first {len(run.raised)}."
    why = f"{run.message} {run.hint}".strip()
    match run.state:
        case "failed":
            return why
        case "cancelled":
            return f"Stopped. {found}"
        case "running":
            found = f"Looking ... {found}"
    # What was left out is part of what was found: less footage, or damaged footage, raises less.
    return f"{found} {why}".strip()


def _rows(run: DryRun) -> list[str]:
    """Return each call with what it is made of, then what called nobody."""
    rows: list[str] = []
    listed: set[int] = set()
    for call in run.calls or ():
        rows.append(f"{_clock(call.at_s)}{_CALL}{call.priority}: {call.title}")
        rows += [_row(run.raised[index], "part of this call") for index in call.raised]
        listed.update(call.raised)
    for index, raised in enumerate(run.raised):
        if index not in listed:
            is_held = raised.sure_s is not None
            rows.append(
                _row(
                    raised,
                    "does not call: held back by its alarm rule" if is_held else "does not call: not sure enough",
                )
            )
    return rows


def _row(raised: Raised, outcome: str) -> str:
    kind = kind_words(raised.kind.value)
    where = f", {raised.place}" if raised.place else ""
    until = f" to {_clock(raised.ended_s)}" if raised.ended_s is not None else ""
    return f"{_clock(raised.at_s)}{until}  {kind}{where}\n{outcome}, confidence {raised.confidence:.2f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
