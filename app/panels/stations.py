"""Stations and lots: what the field measures right now, and how it went in the last minutes."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.field.model import Device
from widgets.traffic.lot_card import LotCard
from widgets.traffic.station_table import StationTable


def create(room: Room) -> QWidget:
    """Build the table and a card for each lot."""
    return _Stations(room)


class _Stations(QWidget):
    """The table of stations above the cards of the lots."""

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._table = StationTable()
        self._cards: dict[str, LotCard] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self._table, 1)
        live = room.live
        live.devices_changed.connect(self._on_devices)
        live.lots_changed.connect(self._on_lots)
        live.devices_updated.connect(self._on_updated)
        live.readings_changed.connect(lambda: self._table.show_readings(live.readings))
        live.readings_updated.connect(self._table.update_readings)
        room.selected.connect(self._on_selected)
        self._table.station_selected.connect(lambda device_id: room.select("station", device_id))
        self._table.goto_requested.connect(self._on_goto)

    def _on_devices(self) -> None:
        self._table.show_devices(tuple(self._room.live.devices.values()))
        self._on_lots()

    def _on_updated(self, fresh: tuple[Device, ...]) -> None:
        self._table.update_devices(fresh)
        if any(device.kind == "lot" for device in fresh):
            self._on_lots()

    def _on_lots(self) -> None:
        live = self._room.live
        for device in live.devices.values():
            if device.kind != "lot":
                continue
            card = self._cards.get(device.device_id)
            if card is None:
                card = self._cards[device.device_id] = LotCard()
                self._column.addWidget(card)
            card.show_lot(device, live.lots.get(live.lot_id_of(device.device_id)))

    def _on_selected(self, kind: str, item_id: str) -> None:
        if kind == "station":
            self._table.select(item_id)

    def _on_goto(self, device_id: str) -> None:
        self._room.select("station", device_id)
        self._room.panel_requested.emit("map")


PANEL = PanelInfo(
    key="stations",
    title="Stations",
    create=create,
    area=Area.RIGHT,
    shortcut="Ctrl+Shift+S",
    icon="station",
    order=1,
    stack=1,
    perspectives=frozenset({Perspective.OVERVIEW, Perspective.ALARMS, Perspective.TRAFFIC, Perspective.PARKING}),
)
