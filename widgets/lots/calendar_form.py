"""What a week does not know: write an event down, change it, take it out; Delete takes the chosen one out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.kernel.clock import Clock, SystemClock
from core.kernel.zone import to_site
from core.parking.forecast.model import LotEvent
from widgets.base.flow import FlowLayout
from widgets.base.moment_edit import MomentEdit
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_minute
from widgets.scene.fields import choice_field

NOTE = "Events of the same name are taken for alike. Public holidays come from the settings (parking.country)."
ALL_LOTS = "All lots"


class CalendarForm(QWidget):
    """The events, and a line to write one.

    Signals:
        save_requested(object): A `LotEvent`; version 0 is a new one.
        remove_requested(object): A `LotEvent`.
    """

    save_requested = Signal(object)
    remove_requested = Signal(object)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._events: dict[str, LotEvent] = {}
        self._lots: dict[str, str] = {}
        self._build()
        self.propose()

    def propose(self) -> None:
        """Offer the next full hour where no event is chosen."""
        if self._chosen is None:
            now = self._clock.now()
            begin = now.replace(second=0) + timedelta(minutes=60 - to_site(now).minute)
            self.begins.set_moment(begin)
            self.ends.set_moment(begin + timedelta(hours=3))

    def show_lots(self, lots: Mapping[str, str]) -> None:
        """Offer lots by id and name."""
        if dict(lots) == self._lots:
            return
        self._lots = dict(lots)
        chosen = self.lot.currentData()
        self.lot.clear()
        self.lot.addItem(ALL_LOTS, "")
        for lot_id, name in lots.items():
            self.lot.addItem(name, lot_id)
        self.lot.setCurrentIndex(max(0, self.lot.findData(chosen)))

    def show_events(self, events: Iterable[LotEvent]) -> None:
        """Show the calendar."""
        self._events = {event.event_id: event for event in events}
        self.table.show_lines([self._line(event) for event in self._events.values()])
        self.table.set_fitting(6)
        self._choose("")

    def show_role(self, *, may_edit: bool) -> None:
        """Let only those write who may."""
        for part in (self.name, self.lot, self.begins, self.ends, self.effect, self._save, self._remove):
            part.setEnabled(may_edit)

    @property
    def _chosen(self) -> LotEvent | None:
        return self._events.get(self.table.current_key)

    def _build(self) -> None:
        columns = (
            Column(title="Event"),
            Column(title="Lot", rank=1),
            Column(title="From"),
            Column(title="To", rank=2),
            Column(title="Fills", is_figure=True),
        )
        self.table = TextTable("Calendar", columns, self)
        self.table.set_fitting(2)
        self.name = QLineEdit(self)
        self.name.setPlaceholderText("Name, e.g. Market day")
        self.name.setAccessibleName("Name of the event")
        self.lot = choice_field("Lot of the event", self)
        self.lot.addItem(ALL_LOTS, "")
        self.begins, self.ends = _instant("Begins", self), _instant("Ends", self)
        self.effect = QLineEdit(self)
        self.effect.setPlaceholderText("learned")
        self.effect.setAccessibleName("Percent of the bays that it fills beyond the usual; empty learns it")
        self.effect.setToolTip(self.effect.accessibleName())
        self._save, self._remove = QPushButton("Write down", self), QPushButton("Take out  Del", self)
        note = QLabel(NOTE, self)
        note.setWordWrap(True)
        set_role(note, "caption")
        grid = QGridLayout()
        grid.setSpacing(look().sizes.gap * 2)
        for place, (words, field) in enumerate(
            (
                ("Event", self.name),
                ("Lot", self.lot),
                ("From", self.begins),
                ("To", self.ends),
                ("Fills %", self.effect),
            )
        ):
            label = QLabel(words, self)
            set_role(label, "secondary")
            label.setBuddy(field)
            grid.addWidget(label, place, 0)
            grid.addWidget(field, place, 1)
        grid.setColumnStretch(1, 1)
        acts = FlowLayout(look().sizes.gap * 2)
        acts.addWidget(self._save)
        acts.addWidget(self._remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        column.addLayout(grid)
        column.addLayout(acts)
        column.addWidget(note)
        self._save.clicked.connect(self._on_save)
        self._remove.clicked.connect(self._on_remove)
        self.table.selectionModel().currentChanged.connect(lambda *_: self._choose(self.table.current_key))
        shortcut = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(self._on_remove)

    def _line(self, event: LotEvent) -> Line:
        effect = "learned" if event.effect_percent is None else f"{event.effect_percent:g} %"
        return Line(
            key=event.event_id,
            cells=(
                event.name,
                self._lots.get(event.lot_id, event.lot_id) or ALL_LOTS,
                format_minute(event.begins_at),
                format_minute(event.ends_at),
                effect,
            ),
        )

    def _choose(self, event_id: str) -> None:
        event = self._events.get(event_id)
        self._save.setText("Change" if event is not None else "Write down")
        self._remove.setVisible(event is not None)
        if event is None:
            return
        self.name.setText(event.name)
        self.lot.setCurrentIndex(max(0, self.lot.findData(event.lot_id)))
        self.begins.set_moment(event.begins_at)
        self.ends.set_moment(event.ends_at)
        self.effect.setText("" if event.effect_percent is None else f"{event.effect_percent:g}")

    def _on_save(self) -> None:
        chosen = self._chosen
        text = self.effect.text().strip().rstrip("%").strip()
        try:
            effect = float(text) if text else None
        except ValueError:
            self.effect.setFocus()
            self.effect.selectAll()
            return
        self.save_requested.emit(
            LotEvent(
                event_id="" if chosen is None else chosen.event_id,
                name=self.name.text(),
                begins_at=self.begins.moment,
                ends_at=self.ends.moment,
                lot_id=self.lot.currentData() or "",
                effect_percent=effect,
                version=0 if chosen is None else chosen.version,
            )
        )

    def _on_remove(self) -> None:
        if self._chosen is not None:
            self.remove_requested.emit(self._chosen)


def _instant(name: str, parent: QWidget) -> MomentEdit:
    field = MomentEdit(parent)
    field.setDisplayFormat("yyyy-MM-dd HH:mm")
    field.setAccessibleName(name)
    return field
