"""Parking figures: turnover, stays and heat of a lot, and what is expected of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.access.model import Role
from core.kernel.errors import ConsoleError
from core.kernel.zone import to_site
from core.parking.figures_model import LotFigures
from core.parking.forecast.model import LotEvent, LotForecast, TrainingState
from core.parking.model import LotOccupancy
from widgets.base.file_dialogs import ask_target
from widgets.lots.figures_page import ParkingFiguresPage, free_of, thinned
from widgets.lots.forecast_words import csv_of

ANEW_AFTER_MS = 60_000
PAST = timedelta(hours=24)
TRAINING_MS = 2_000
STEPS_MIN = {24: 30, 72: 60, 168: 120}


def create(room: Room) -> QWidget:
    """Build the panel; its page is built when somebody first looks."""
    return _ParkingFigures(room)


class _ParkingFigures(QWidget):
    """Asks the node only while somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._page: ParkingFiguresPage | None = None
        self._wanted = ""
        self._asked: tuple[str, str, datetime] | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._anew = QTimer(self)
        self._anew.setInterval(ANEW_AFTER_MS)
        self._anew.timeout.connect(self._on_time)
        room.closing.connect(self._anew.stop)
        room.selected.connect(self._on_selected)
        room.live.lot_plans_changed.connect(self._show_lots)
        room.live.lots_changed.connect(self._show_lots)
        room.connection.snapshot_received.connect(lambda _snapshot: self._ask())

    def showEvent(self, event: QShowEvent) -> None:
        """Build the page when somebody first looks, and ask."""
        super().showEvent(event)
        if self._page is None:
            self._build()
        self._show_lots()
        self._ask()
        self._anew.start()

    def _build(self) -> None:
        page = self._page = ParkingFiguresPage(parent=self)
        self._column.addWidget(page)
        page.show()
        page.figures_requested.connect(self._on_figures)
        page.forecast_requested.connect(self._on_forecast)
        page.when_asked.connect(self._on_when)
        page.training_requested.connect(self._on_train)
        page.export_requested.connect(self._on_export)
        page.calendar.save_requested.connect(self._on_save_event)
        page.calendar.remove_requested.connect(self._on_remove_event)
        role = self._room.role
        page.show_roles(may_edit=role >= Role.OPERATOR, may_train=role >= Role.SUPERVISOR)

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind == "lot":
            self._wanted = item_id
            if self._page is not None:
                self._page.select(item_id)

    def _show_lots(self) -> None:
        if self._page is None or not self.isVisible():
            return
        live = self._room.live
        names = {lot_id: lot.name for lot_id, lot in live.lot_plans.items()}
        for lot_id in live.lots:
            device = live.devices.get(lot_id)
            names.setdefault(lot_id, lot_id if device is None else device.name)
        names = dict(sorted(names.items(), key=lambda item: item[1].casefold()))
        zones = {
            lot_id: tuple(sorted({bay.zone for bay in lot.bays if bay.zone})) for lot_id, lot in live.lot_plans.items()
        }
        labels = {
            lot_id: {bay.bay_id: bay.label for bay in lot.bays if bay.label} for lot_id, lot in live.lot_plans.items()
        }
        self._page.show_lots(names, zones, labels)
        if self._wanted:
            self._page.select(self._wanted)
            self._wanted = ""

    def _on_time(self) -> None:
        if self.isVisible():
            self._ask()
        else:
            self._anew.stop()

    def _ask(self) -> None:
        if self._page is not None and self._may_ask:
            self._page.ask()
            self._ask_events()

    @property
    def _may_ask(self) -> bool:
        return self.isVisible() and self._room.connection.session is not None

    def _on_figures(self, lot_id: str, zone: str, days: int) -> None:
        page = self._page
        if page is None or not self._may_ask:
            return
        until = datetime.now(UTC)
        self._room.ask(
            "parking.figures",
            LotFigures,
            then=page.show_figures,
            refused=lambda error: page.show_refused(error.message, error.hint),
            lot_id=lot_id,
            zone=zone,
            since=until - timedelta(days=days),
            until=until,
        )

    def _on_forecast(self, lot_id: str, zone: str, hours: int) -> None:
        page = self._page
        if page is None or not self._may_ask:
            return
        now = datetime.now(UTC)

        def show(forecast: LotForecast) -> None:
            if zone:
                page.show_forecast(forecast, ())
                return
            self._room.ask(
                "parking.history",
                list[LotOccupancy],
                then=lambda past: page.show_forecast(forecast, _free(past)),
                refused=lambda _error: page.show_forecast(forecast, ()),
                lot_id=lot_id,
                since=now - PAST,
                until=now,
            )

        self._room.ask(
            "parking.forecast",
            LotForecast,
            then=show,
            refused=lambda error: page.show_no_answer(str(error)),
            lot_id=lot_id,
            zone=zone,
            at=_instants(now, hours),
        )

    def _on_when(self, lot_id: str, zone: str, when: datetime) -> None:
        page = self._page
        if page is None or not self._may_ask or not lot_id:
            return
        at = min(max(when, datetime.now(UTC)), datetime.now(UTC) + timedelta(days=7) - timedelta(minutes=1))
        self._asked = asked = (lot_id, zone, at)

        def show(forecast: LotForecast) -> None:
            # Answers overtake each other: what was asked last counts.
            if asked == self._asked:
                page.show_answer(forecast)

        def refuse(error: ConsoleError) -> None:
            if asked == self._asked:
                page.show_no_answer(str(error))

        self._room.ask(
            "parking.forecast",
            LotForecast,
            then=show,
            refused=refuse,
            lot_id=lot_id,
            zone=zone,
            at=[at],
        )

    def _on_train(self) -> None:
        page = self._page
        if page is None:
            return
        self._room.ask(
            "parking.train",
            TrainingState,
            then=self._show_training,
            refused=lambda error: page.show_training(str(error)),
        )

    def _show_training(self, state: TrainingState) -> None:
        page = self._page
        if page is None:
            return
        if state.is_running:
            page.show_training("Training; the room goes on meanwhile.")
            QTimer.singleShot(TRAINING_MS, self, self._ask_training)
            return
        page.show_training(state.message or f"{state.n_lots} lots and zones have a model.")
        page.ask()

    def _ask_training(self) -> None:
        if self._room.connection.session is not None:
            self._room.ask("parking.training", TrainingState, then=self._show_training, refused=lambda _error: None)

    def _ask_events(self) -> None:
        page = self._page
        if page is not None:
            self._room.ask(
                "parking.events", list[LotEvent], then=page.calendar.show_events, refused=lambda _error: None
            )

    def _on_save_event(self, event: LotEvent) -> None:
        self._room.ask(
            "parking.save_event", LotEvent, then=lambda _event: self._ask(), refused=self._complain, event=event
        )

    def _on_remove_event(self, event: LotEvent) -> None:
        self._room.ask("parking.remove_event", then=lambda _none: self._ask(), refused=self._complain, event=event)

    def _complain(self, error: ConsoleError) -> None:
        self._room.toast(error.message, error.hint)

    def _on_export(self, figures: LotFigures | None, forecast: LotForecast | None) -> None:
        if figures is None and forecast is None:
            return
        lot_id = figures.lot_id if figures is not None else "lot"
        name = f"parking-{lot_id.replace('/', '-')}-{to_site(datetime.now(UTC)):%Y-%m-%d}.csv"
        text = csv_of(figures, forecast)
        ask_target(self, "Export parking figures", name, "CSV (*.csv)", lambda file: self._write(text, file))

    def _write(self, text: str, file: Path) -> None:
        try:
            file.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            self._room.toast(f"{file.name} cannot be written: {error.strerror}.", "Choose another folder.")
            return
        self._room.toast(f"The figures are in {file.name}.")


def _instants(now: datetime, hours: int) -> list[datetime]:
    """Return full steps from now on, as many as a chart can show."""
    step_s = 60 * STEPS_MIN.get(hours, 120)
    first_s = (int(now.timestamp()) // step_s + 1) * step_s
    last_s = now.timestamp() + min(3600 * hours, 7 * 86_400 - 120)
    return [datetime.fromtimestamp(at_s, UTC) for at_s in range(first_s, int(last_s) + 1, step_s)]


def _free(past: list[LotOccupancy]) -> list[tuple[datetime, float | None]]:
    return thinned([(one.at, free_of(one.n_bays, one.n_occupied, one.n_unknown)) for one in past])


PANEL = PanelInfo(
    key="parking_figures",
    title="Parking figures",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+Q",
    icon="lot",
    order=6,
    perspectives=frozenset({Perspective.PARKING}),
)
