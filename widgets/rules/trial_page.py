"""The selected rule tried on history: how often it would have raised and called, beside the rule as it is."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.incidents.rules.model import TrialReport, TrialRun, TrialSide, TrialState
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field

SPANS = {"Last 24 hours": 1, "Last week": 7, "Last 30 days": 30, "Last 90 days": 90}
_COMPARED = (
    Column(title=""),
    Column(title="As it is", is_figure=True),
    Column(title="Changed", is_figure=True),
    Column(title="Difference", is_figure=True),
)


_WHOLE = 1000


class TrialPage(QWidget):
    """Span, go, how far it is, and the comparison.

    Signals:
        try_requested(int): Days back from now.
        stop_requested(): End the trial that goes on.
    """

    try_requested = Signal(int)
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._span = choice_field("Span of the trial", self)
        for words, days in SPANS.items():
            self._span.addItem(words, days)
        self._span.setCurrentIndex(1)
        self._go = QPushButton("Try it  Ctrl+T", self)
        self._go.clicked.connect(self.start)
        self._stop = QPushButton("Stop", self)
        self._stop.clicked.connect(self.stop_requested)
        self._progress = QProgressBar(self)
        self._progress.setAccessibleName("How much of the trial is done")
        self._progress.setRange(0, _WHOLE)
        row = QHBoxLayout()
        row.setSpacing(gap * 2)
        row.addWidget(self._span)
        row.addWidget(self._go)
        row.addWidget(self._stop)
        row.addWidget(self._progress, 1)
        row.addStretch(1)
        self._verdict = QLabel(self)
        self._verdict.setWordWrap(True)
        set_role(self._verdict, "heading")
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        set_role(self._note, "secondary")
        self._compared = TextTable("The rule as it is and as it would be", _COMPARED, self)
        self._per_day = TextTable("Alarms per day", (Column(title="Day"), *_COMPARED[1:]), self)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addLayout(row)
        column.addWidget(self._verdict)
        column.addWidget(self._note)
        column.addWidget(self._compared)
        column.addWidget(self._per_day, 1)
        self.show_nothing("Replays what is stored through this rule. Nobody is called, nothing is saved.")

    def start(self) -> None:
        """Ask for the trial of the span that is chosen; one that goes on is not begun twice."""
        if not self._go.isEnabled():
            return
        self._show_running(TrialRun(trial_id=""))
        self.try_requested.emit(int(self._span.currentData()))

    def show_nothing(self, sentence: str) -> None:
        """Say why there is no result."""
        self._set_running(is_running=False)
        self._verdict.setText(sentence)
        self._note.setText("")
        for table in (self._compared, self._per_day):
            table.hide()

    def show_run(self, name: str, run: TrialRun) -> None:
        """Show how far a trial is, or what became of it."""
        if run.state is TrialState.RUNNING:
            self._show_running(run)
        elif run.report is not None:
            self.show_report(name, run.report)
        elif run.state is TrialState.CANCELLED:
            self.show_nothing("Stopped. Nothing was changed.")
        else:
            self.show_nothing(f"{run.message} {run.hint}".strip())

    def _show_running(self, run: TrialRun) -> None:
        self._set_running(is_running=True)
        self._progress.setValue(round(_WHOLE * run.fraction))
        n_readings = f" {run.n_readings:,} readings so far." if run.n_readings else ""
        self._verdict.setText(f"Replaying…{n_readings}")

    def _set_running(self, *, is_running: bool) -> None:
        self._go.setEnabled(not is_running)
        # Keys go on to where something can be done.
        if not is_running and self._stop.hasFocus():
            self._go.setFocus()
        self._stop.setVisible(is_running)
        self._progress.setVisible(is_running)

    def show_report(self, name: str, report: TrialReport) -> None:
        """Show a trial's result."""
        self._set_running(is_running=False)
        before, after = report.as_it_is, report.changed
        span = str(self._span.currentText()).lower()
        self._verdict.setText(
            f"{name} would have raised {_times(after.n_raised)} in the {span}, and called {_times(after.n_called)}."
        )
        self._note.setText(f"{_source(report)} {report.note}".strip())
        self._compared.show_lines(_compared(before, after))
        self._compared.set_fitting(12)
        self._per_day.show_lines(
            [
                _line(day, before.raised_per_day.get(day, 0), n_after)
                for day, n_after in reversed(after.raised_per_day.items())
            ]
        )
        for table in (self._compared, self._per_day):
            table.show()


def _source(report: TrialReport) -> str:
    parts = [f"{report.n_from_observations:,} observations", f"{report.n_from_journal:,} entries of the journal"]
    if report.n_readings:
        devices = "one device" if report.n_devices == 1 else f"{report.n_devices:,} devices"
        parts.insert(0, f"{report.n_readings:,} readings of {devices}")
    return f"From {', '.join(parts[:-1])} and {parts[-1]}."


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _compared(before: TrialSide, after: TrialSide) -> list[Line]:
    lines = [
        _line("Begins it is for", before.n_conditions, after.n_conditions),
        _line("Raised, after delays", before.n_raised, after.n_raised),
        _line("Called", before.n_called, after.n_called),
        _line("Silent: chattering", before.n_chatter, after.n_chatter),
        _line("Held at that hour", before.n_held, after.n_held),
    ]
    was, will = dict(before.top), dict(after.top)
    names = dict.fromkeys((*will, *was))
    return lines + [_line(f"Raised by {name}", was.get(name, 0), will.get(name, 0)) for name in names]


def _line(words: str, before: int, after: int) -> Line:
    change = after - before
    return Line(key=words, cells=(words, str(before), str(after), f"{change:+d}" if change else "="))
