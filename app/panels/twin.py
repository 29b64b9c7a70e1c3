"""Twin: every bay of the lots in three dimensions or as a table; now, as it was, and as it is expected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from app.twin_process import TwinProcess
from core.access.model import Role
from core.incidents.model import Alarm, SourceKind
from core.kernel.errors import ConsoleError
from core.kernel.zone import to_site
from core.node.model import Picture
from core.parking.figures_model import LotFigures
from core.parking.forecast.model import LotForecast
from core.parking.model import BayChange, BayState, BayStatus
from core.parking.rules import LotRule
from widgets.base.file_dialogs import ask_target
from widgets.base.symbols import mark_of
from widgets.twin.cones import cones_of
from widgets.twin.gltf import write_glb
from widgets.twin.panel import Heat, ShareAhead, TwinPanel
from widgets.twin.scene import BayKey

Writing = Callable[[Path], None]
_OF_LOTS = (SourceKind.LOT, SourceKind.DEVICE)


def create(room: Room) -> QWidget:
    """Build the panel and connect it."""
    return _Twin(room)


class _Twin(QWidget):
    """Asks the node for what has been, and keeps the drawing process while somebody looks."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._panel = TwinPanel(parent=self)
        self._process = TwinProcess(self._panel.view.options, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._panel)
        self._connect_drawing()
        self._connect_room()
        self._connect_verbs()

    def _connect_drawing(self) -> None:
        panel, process = self._panel, self._process
        panel.looked_at.connect(self._on_looked_at)
        panel.ordered.connect(process.send)
        process.built.connect(panel.show_built)
        process.picture.connect(panel.show_picture)
        process.started_again.connect(panel.start_again)
        process.failed.connect(panel.show_failed)
        self._room.closing.connect(panel.close_timers)
        self._room.closing.connect(process.close)

    def _connect_room(self) -> None:
        room, live, panel = self._room, self._room.live, self._panel
        live.lot_plans_changed.connect(self._on_plans)
        live.cameras_changed.connect(self._on_cameras)
        live.follow("devices", self._on_names)
        live.bays_changed.connect(self._on_bays)
        live.bays_updated.connect(panel.update_statuses)
        live.alarms_changed.connect(self._on_alarms)
        room.node_lost.connect(panel.show_lost)
        room.node_back.connect(panel.show_current)
        room.selected.connect(self._on_selected)
        room.role_changed.connect(lambda role: panel.set_may_correct(role >= Role.OPERATOR))
        panel.set_may_correct(room.role >= Role.OPERATOR)
        panel.picked.connect(self._on_picked)
        panel.lot_picked.connect(lambda lot_id: room.select("lot", lot_id) if lot_id else None)

    def _connect_verbs(self) -> None:
        panel = self._panel
        panel.changes_wanted.connect(self._on_changes_wanted)
        panel.forecast_wanted.connect(self._on_forecast_wanted)
        panel.figures_wanted.connect(self._on_figures_wanted)
        panel.snapshot_wanted.connect(self._on_snapshot_wanted)
        panel.correction_wanted.connect(self._on_correction)
        panel.release_wanted.connect(self._on_release)
        panel.picture_export_wanted.connect(self._on_picture_export)
        panel.scene_export_wanted.connect(self._on_scene_export)

    # -- what comes from the room ------------------------------------------------------------------------------------

    def _on_looked_at(self) -> None:
        if not self._process.is_running:
            self._process.start()
            self._panel.start_again()

    def _on_plans(self) -> None:
        self._panel.show_lots(self._room.live.lot_plans.values())
        self._on_cameras()

    def _on_cameras(self) -> None:
        self._panel.show_cones(*cones_of(self._panel.shown_lots, self._room.live.cameras.values()))
        self._on_names()

    def _on_names(self) -> None:
        self._panel.set_names(self._room.live.names_at_lots())

    def _on_bays(self) -> None:
        self._panel.show_statuses(status for bays in self._room.live.bays.values() for status in bays.values())

    def _on_alarms(self) -> None:
        live = self._room.live
        by_lot: dict[str, list[Alarm]] = defaultdict(list)
        misparked: list[tuple[BayKey, BayKey]] = []
        for alarm in live.open_alarms():
            lot_id = live.lot_id_of(alarm.source_id) if alarm.source_kind in _OF_LOTS else ""
            if lot_id in live.lot_plans:
                by_lot[lot_id].append(alarm)
                misparked += misparked_of(alarm, lot_id)
        self._panel.show_alarms({lot_id: mark for lot_id, some in by_lot.items() if (mark := mark_of(some))})
        self._panel.show_misparked(misparked)

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind == "lot":
            self._panel.select_lot(self._room.live.lot_id_of(item_id))
        elif kind == "bay":
            lot_id, _, bay_id = item_id.rpartition("#")
            self._panel.select_bay(lot_id, bay_id)
        elif kind == "alarm":
            alarm = self._room.live.alarms.get(item_id)
            if alarm is not None and alarm.source_kind in _OF_LOTS:
                self._panel.select_lot(self._room.live.lot_id_of(alarm.source_id))

    def _on_picked(self, lot_id: str, bay_id: str) -> None:
        if bay_id:
            self._room.select("bay", f"{lot_id}#{bay_id}")

    # -- what is asked of the node -----------------------------------------------------------------------------------

    def _on_changes_wanted(self, lot_id: str, since: datetime, until: datetime) -> None:
        self._room.ask(
            "parking.changes",
            list[BayChange],
            then=lambda changes: self._panel.show_changes(lot_id, since, changes),
            lot_id=lot_id,
            since=since,
            until=until,
        )

    def _on_forecast_wanted(self, lot_id: str, zone: str, at: datetime) -> None:
        def show(forecast: LotForecast) -> None:
            ahead = ahead_of(forecast)
            if ahead is not None:
                self._panel.show_ahead(at, ahead)
            elif not zone:
                self._panel.show_no_ahead(lot_id, next(iter(forecast.notes), "There is too little history to say"))

        def refused(error: ConsoleError) -> None:
            if not zone:
                self._panel.show_no_ahead(lot_id, error.message)

        self._room.ask("parking.forecast", LotForecast, then=show, refused=refused, lot_id=lot_id, zone=zone, at=[at])

    def _on_figures_wanted(self, lot_id: str, since: datetime, until: datetime) -> None:
        self._room.ask(
            "parking.figures",
            LotFigures,
            then=lambda figures: self._panel.show_heat(lot_id, heats_of(figures)),
            lot_id=lot_id,
            since=since,
            until=until,
        )

    def _on_snapshot_wanted(self, lot_id: str, bay_id: str) -> None:
        key = (lot_id, bay_id)
        self._room.ask(
            "parking.snapshot",
            Picture,
            then=lambda picture: self._panel.show_snapshot(key, picture.jpeg, picture.age_s),
            refused=lambda error: self._panel.show_no_snapshot(key, error.message),
            lot_id=lot_id,
            bay_id=bay_id,
        )

    def _on_correction(self, lot_id: str, bay_id: str, state: BayState, reason: str) -> None:
        self._room.ask(
            "parking.correct",
            BayStatus,
            then=self._panel.show_corrected,
            lot_id=lot_id,
            bay_id=bay_id,
            state=state,
            reason=reason,
        )

    def _on_release(self, lot_id: str, bay_id: str) -> None:
        self._room.ask(
            "parking.release",
            BayStatus,
            then=lambda status: self._panel.update_statuses((status,)),
            lot_id=lot_id,
            bay_id=bay_id,
        )

    # -- export ------------------------------------------------------------------------------------------------------

    def _on_picture_export(self, image: QImage) -> None:
        self._ask_file("Export the picture", "twin", "png", lambda file: _save_picture(image, file))

    def _on_scene_export(self) -> None:
        scene, look = self._panel.view.scene, self._panel.view.bays_look
        if scene is None or look is None:
            self._room.toast("There is no scene to export yet.", "Open the 3D view first.")
            return
        palette = self._panel.view.options.palette
        self._ask_file("Export the scene", "twin", "glb", lambda file: write_glb(file, scene, look, palette))

    def _ask_file(self, title: str, name: str, suffix: str, write: Writing) -> None:
        file_name = f"{name}-{to_site(datetime.now(UTC)):%Y-%m-%d-%H%M}.{suffix}"
        filters = f"{suffix.upper()} (*.{suffix})"
        ask_target(self, title, file_name, filters, lambda file: self._write(file, write))

    def _write(self, file: Path, write: Writing) -> None:
        try:
            write(file)
        except OSError as error:
            self._room.toast(f"{file.name} cannot be written: {error.strerror or error}.", "Choose another folder.")
            return
        self._room.toast(f"The twin is in {file.name}.")


def misparked_of(alarm: Alarm, lot_id: str) -> list[tuple[BayKey, BayKey]]:
    """Return the two bays that an alarm says one vehicle takes; none where it says something else, or it is over."""
    if alarm.kind != LotRule.MISPARKED or not alarm.is_active:
        return []
    bays = alarm.condition_key.rpartition(":")[2].split("+")
    return [((lot_id, bays[0]), (lot_id, bays[1]))] if len(bays) == 2 else []


def ahead_of(forecast: LotForecast) -> ShareAhead | None:
    """Return the first instant of a forecast as a share of bays; None where nothing can be said."""
    if not forecast.points or forecast.n_bays <= 0:
        return None
    point = forecast.points[0]

    def occupied(n_free: float) -> float:
        return min(1.0, max(0.0, 1.0 - n_free / forecast.n_bays))

    return ShareAhead(
        lot_id=forecast.lot_id,
        zone=forecast.zone,
        share=occupied(point.n_free),
        low=occupied(point.high),
        high=occupied(point.low),
        probability=forecast.asked,
        is_simulated=forecast.is_simulated,
    )


def heats_of(figures: LotFigures) -> dict[str, Heat]:
    """Return what is known of each bay: vehicles a day of known time, and how long they stay."""
    days = (figures.until - figures.since).total_seconds() / 86_400
    turnover = {bay.bay_id: bay.n_stays / (days * bay.known_share) for bay in figures.bays if bay.known_share > 0.0}
    dwell = {bay.bay_id: bay.mean_stay_min for bay in figures.bays if bay.mean_stay_min is not None}
    return {
        kind: Heat(lot_id=figures.lot_id, kind=kind, values=values, unit=unit, is_simulated=figures.is_simulated)
        for kind, values, unit in (("turnover", turnover, "vehicles a day"), ("dwell", dwell, "min"))
    }


def _save_picture(image: QImage, file: Path) -> None:
    if not image.save(str(file)):
        raise OSError("the picture was not taken")


PANEL = PanelInfo(
    key="twin",
    title="Twin",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+T",
    icon="lot",
    order=9,
    perspectives=frozenset({Perspective.PARKING}),
    leads=frozenset({Perspective.PARKING}),
)
