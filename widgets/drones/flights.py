"""Flights that were: how long, how far, how high; replay one, hand it on as a file, take in logs of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.drones.export import ExportFormat
from core.drones.model import Drone, Flight
from core.kernel.clock import Clock, SystemClock
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_second
from widgets.drones.replay_bar import ReplayBar
from widgets.drones.words import UNKNOWN, duration_words
from widgets.map.ground_tool import length_words
from widgets.scene.fields import choice_field

LOG_ENDINGS = (".tlog", ".ulg", ".bin")
_COLUMNS = (
    Column(title="Drone"),
    Column(title="Began"),
    Column(title="Duration", is_figure=True),
    Column(title="Distance", is_figure=True),
    Column(title="Max height", is_figure=True, rank=1),
    Column(title="Battery used", is_figure=True, rank=2),
    Column(title="From", rank=3),
)
_FORMAT_TITLES = {
    ExportFormat.GPX: "GPX track",
    ExportFormat.GEOJSON: "GeoJSON",
    ExportFormat.KML: "KML for Google Earth",
    ExportFormat.CSV: "CSV table",
    ExportFormat.TLOG: "Telemetry log (.tlog), as it came",
}


class FlightsPage(QWidget):
    """The list above the bar of the replay.

    Keys: Enter replays the chosen flight, Space plays and pauses, Esc ends the replay.

    Signals:
        flights_wanted(str): Of this drone, or of all.
        replay_wanted(str): Id of a flight.
        moment_changed(object): The instant of the replay.
        replay_ended(): Back to now.
        export_wanted(str, object): Id of a flight, `ExportFormat`.
        import_wanted(): Choose files to take in.
        files_dropped(object): Tuple of paths of logs.
    """

    flights_wanted = Signal(str)
    replay_wanted = Signal(str)
    moment_changed = Signal(object)
    replay_ended = Signal()
    export_wanted = Signal(str, object)
    import_wanted = Signal()
    files_dropped = Signal(object)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._flights: tuple[Flight, ...] = ()
        self._names: dict[str, str] = {}
        self.setAcceptDrops(True)
        self._build()
        self._offer()

    def _build(self) -> None:
        gap = look().sizes.gap
        self.bar = ReplayBar(self._clock, self)
        self._drone = choice_field("Drone whose flights are listed", self)
        self._drone.setMinimumContentsLength(12)
        self._drone.addItem("All drones", "")
        self._replay = QPushButton("Replay", self)
        set_role(self._replay, "primary")
        self._export = QPushButton("Export", self)
        self._export.setToolTip("Write the chosen flight as a file")
        menu = QMenu(self._export)
        for form, title in _FORMAT_TITLES.items():
            menu.addAction(title, partial(self._on_export, form))
        self._export.setMenu(menu)
        self._import = QPushButton("Import logs", self)
        self._import.setToolTip(f"Take in {', '.join(LOG_ENDINGS)}; files can be dropped here as well")
        controls = QWidget(self)
        flow = FlowLayout(gap * 2, controls)
        for part in (self._drone, self._replay, self._export, self._import):
            flow.addWidget(part)
        self._report = QLabel(self)
        self._report.setWordWrap(True)
        self._report.setTextFormat(Qt.TextFormat.PlainText)
        self._report.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_role(self._report, "secondary")
        self._report.hide()
        self._table = TextTable("Flights", _COLUMNS, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(gap * 2, gap, gap * 2, gap)
        head.addWidget(controls, 1)
        column.addLayout(head)
        column.addWidget(self._report)
        column.addWidget(self._table, 1)
        column.addWidget(self.bar)
        self._overlay = StateOverlay(self._table)
        self._drone.currentIndexChanged.connect(lambda _row: self.flights_wanted.emit(self.drone_id))
        self._replay.clicked.connect(self._on_replay)
        self._import.clicked.connect(self.import_wanted)
        self._table.doubleClicked.connect(lambda _index: self._on_replay())
        self._table.selectionModel().currentChanged.connect(lambda _now, _before: self._offer())
        self._table.model().modelReset.connect(self._offer)
        self.bar.moment_changed.connect(self.moment_changed)
        self.bar.ended.connect(self.replay_ended)
        order_focus(self)

    @property
    def drone_id(self) -> str:
        """Whose flights are listed; empty for all."""
        return str(self._drone.currentData() or "")

    @property
    def chosen(self) -> str:
        """Id of the chosen flight; empty where none is."""
        return self._table.current_key

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads, newest first."""
        return self._table.lines

    @property
    def report(self) -> str:
        """What came of the last import; empty where there was none."""
        return self._report.text() if self._report.isVisibleTo(self) else ""

    def show_drones(self, drones: Mapping[str, Drone]) -> None:
        """Offer these drones to list the flights of."""
        names = {drone.drone_id: drone.name for drone in sorted(drones.values(), key=lambda one: one.name.casefold())}
        if names == self._names:
            return
        self._names = names
        chosen = self.drone_id
        with QSignalBlocker(self._drone):
            self._drone.clear()
            self._drone.addItem("All drones", "")
            for drone_id, name in names.items():
                self._drone.addItem(name, drone_id)
            self._drone.setCurrentIndex(max(0, self._drone.findData(chosen)))
        self._refresh()

    def show_flights(self, flights: Iterable[Flight]) -> None:
        """List these flights, the newest first."""
        self._flights = tuple(sorted(flights, key=lambda flight: flight.began_at, reverse=True))
        self._refresh()

    def show_refused(self, sentence: str) -> None:
        """Say why there is no list."""
        self._overlay.show_state(PanelState.EMPTY, sentence)

    def show_report(self, sentence: str) -> None:
        """Say what came of an import, until another one."""
        self._report.setText(sentence)
        self._report.setContentsMargins(*[look().sizes.gap * 2] * 4)
        self._report.setVisible(bool(sentence))

    def choose(self, flight_id: str) -> None:
        """Choose a flight."""
        for row, line in enumerate(self._table.lines):
            if line.key == flight_id:
                self._table.setCurrentIndex(self._table.model().index(row, 0))

    def _refresh(self) -> None:
        chosen, now = self.chosen, self._clock.now()
        self._table.show_lines([line_of(flight, self._names, now) for flight in self._flights])
        self.choose(chosen or (self._flights[0].flight_id if self._flights else ""))
        if self._flights:
            self._overlay.clear()
        else:
            self._overlay.show_state(
                PanelState.EMPTY, "No flight is stored.", "A flight is listed from take-off on; logs can be imported."
            )
        self._offer()

    def _offer(self) -> None:
        self._replay.setEnabled(bool(self.chosen))
        self._export.setEnabled(bool(self.chosen))

    def _on_export(self, form: ExportFormat) -> None:
        self.export_wanted.emit(self.chosen, form)

    def _on_replay(self) -> None:
        if self.chosen:
            self.replay_wanted.emit(self.chosen)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Replay, play, pause, end."""
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_replay()
        elif key == Qt.Key.Key_Space and self.bar.at is not None:
            self.bar.play.toggle()
        elif key == Qt.Key.Key_Escape and self.bar.at is not None:
            self.bar.end()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take logs."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take logs in."""
        files = tuple(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())
        if files:
            event.acceptProposedAction()
            self.files_dropped.emit(files)


def line_of(flight: Flight, names: Mapping[str, str], now: datetime) -> Line:
    """Return a flight as a line of the list; what is not known is "--"."""
    end = "" if flight.ended_at is not None else "  flying"
    if flight.has_lost_end:
        end = "  end unseen"
    used, height = flight.battery_used_percent, flight.max_height_m
    source = "live" if flight.source == "live" else flight.source
    return Line(
        key=flight.flight_id,
        cells=(
            names.get(flight.drone_id, flight.drone_id),
            format_second(flight.began_at),
            f"{duration_words(flight.duration_s(now))}{end}",
            length_words(flight.distance_m),
            UNKNOWN if height is None else f"{height:.0f} m",
            UNKNOWN if used is None else f"{used:.0f} %",
            source,
        ),
    )
