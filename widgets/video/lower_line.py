"""The line below the tiles: pages and the tour on the left, alarms that wait on the right."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from widgets.base.icons import IconButton
from widgets.base.labels import ElidedLabel
from widgets.base.symbols import PRIORITY_WORDS
from widgets.base.theme import look, set_role
from widgets.video.popup import AlarmQueue
from widgets.video.tour import TourRun, TourState


class LowerLine(QFrame):
    """Says what moves the wall, and has the buttons for it; it is always there, so that no tile changes its size.

    Signals:
        name_given(str): The operator wrote a name into the field that `ask_name` opened.
        tour_toggled(): Pause the tour, or let it go on.
        tour_ended(): Stop the tour.
        alarm_stepped(int): Show the next alarm (1) or the one before (-1).
        alarm_dismissed(): Take the alarm's camera off the wall.
        page_turned(int): Turn to the next page (1) or the one before (-1).
    """

    name_given = Signal(str)
    tour_toggled = Signal()
    tour_ended = Signal()
    alarm_stepped = Signal(int)
    alarm_dismissed = Signal()
    page_turned = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        gap = look().sizes.gap
        row = QHBoxLayout(self)
        row.setContentsMargins(gap, gap // 2, gap, gap // 2)
        row.setSpacing(gap // 2)
        self._page_before = IconButton("previous", "Previous page (PgUp)", self)
        self._page_before.clicked.connect(lambda: self.page_turned.emit(-1))
        self._page = QLabel(self)
        set_role(self._page, "secondary")
        self._page_after = IconButton("next", "Next page (PgDn)", self)
        self._page_after.clicked.connect(lambda: self.page_turned.emit(1))
        for widget in (self._page_before, self._page, self._page_after):
            row.addWidget(widget)
        self._build_name(row)
        self._tour_text = ElidedLabel("", self)
        set_role(self._tour_text, "secondary")
        row.addWidget(self._tour_text, 1)
        self._pause = IconButton("pause", "Pause the tour (T)", self)
        self._pause.clicked.connect(self.tour_toggled)
        self._end = IconButton("close", "Stop the tour (Shift+T)", self)
        self._end.clicked.connect(self.tour_ended)
        self._alarm_text = ElidedLabel("", self, Qt.TextElideMode.ElideMiddle)
        set_role(self._alarm_text, "secondary")
        self._alarm_text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._before = IconButton("previous", "Previous alarm (P, or Shift+F4 from anywhere)", self)
        self._before.clicked.connect(lambda: self.alarm_stepped.emit(-1))
        self._after = IconButton("next", "Next alarm (N, or F4 from anywhere)", self)
        self._after.clicked.connect(lambda: self.alarm_stepped.emit(1))
        self._dismiss = IconButton("close", "Take this alarm's camera off the wall (Esc); it stays in the list", self)
        self._dismiss.clicked.connect(self.alarm_dismissed)
        row.addWidget(self._pause)
        row.addWidget(self._end)
        row.addWidget(self._alarm_text, 1)
        for widget in (self._before, self._after, self._dismiss):
            row.addWidget(widget)
        self._fit_height()
        self.show_page(0, 1)
        self.show_tour(None, "")
        self.show_queue(AlarmQueue(), "")

    def _fit_height(self) -> None:
        self.setMinimumHeight(self._pause.sizeHint().height() + 2 * (look().sizes.gap // 2))

    def _build_name(self, row: QHBoxLayout) -> None:
        self._name = _NameField(self)
        self._name.setAccessibleName("Name of the layout or tour")
        self._name.setMaxLength(40)
        self._name.returnPressed.connect(self._on_name)
        self._name.left.connect(self._name.hide)
        self._name.hide()
        row.addWidget(self._name)

    def show_page(self, page: int, n_pages: int) -> None:
        """Say which page is shown, where there are several."""
        self._page.setText(f"Page {page + 1} of {n_pages}")
        for widget in (self._page_before, self._page, self._page_after):
            widget.setVisible(n_pages > 1)
        self._page_before.setEnabled(page > 0)
        self._page_after.setEnabled(page < n_pages - 1)

    def ask_name(self, question: str, name: str) -> None:
        """Open the field for a name; Enter takes it, Esc leaves it."""
        self._name.setPlaceholderText(question)
        self._name.setAccessibleName(question)
        self._name.setToolTip(f"{question}: Enter saves, Esc leaves it")
        self._name.setText(name)
        self._name.selectAll()
        self._name.show()
        self._name.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_tour(self, run: TourRun | None, stop_name: str) -> None:
        """Say which tour runs, and why it does not."""
        self._pause.setVisible(run is not None)
        self._end.setVisible(run is not None)
        # Without a tour the alarm has the whole line.
        self._tour_text.setVisible(run is not None)
        if run is None:
            self._tour_text.setText("")
            return
        is_running = run.state is TourState.RUNNING
        self._pause.set_icon_name("pause" if is_running else "play")
        tip = "Pause the tour (T)" if is_running else "Let the tour go on (T)"
        self._pause.setToolTip(tip)
        self._pause.setAccessibleName(tip)
        place = f"{run.tour.name} {run.at + 1}/{len(run.tour.stops)}"
        if is_running:
            self._tour_text.setText(f"{place}: {stop_name}, {max(0.0, run.left_s):.0f} s")
        else:
            self._tour_text.setText(f"{place} paused: {run.reason}")

    def show_queue(self, queue: AlarmQueue, problem: str) -> None:
        """Say which alarm is shown and how many wait; `problem` says why its camera cannot be brought."""
        current = queue.current
        for widget in (self._before, self._after):
            widget.setVisible(len(queue.calls) > 1)
        self._dismiss.setVisible(current is not None)
        if current is None:
            self._alarm_text.setText("Alarm pop-up is off." if problem else "No alarm waits.")
            return
        more = f"  {queue.n_more} more" if queue.n_more else ""
        text = f"{PRIORITY_WORDS[current.priority]}: {current.title}{more}"
        self._alarm_text.setText(f"{text}  ({problem})" if problem else text)

    def _on_name(self) -> None:
        name = self._name.text().strip()
        self._name.hide()
        if name:
            self.name_given.emit(name)

    def changeEvent(self, event: QEvent) -> None:
        """Stay as high as a button, also while none is shown."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_pause"):
            self._fit_height()


class _NameField(QLineEdit):
    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)
