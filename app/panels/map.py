"""The map: where cameras, stations and lots are, and what they say."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.basemap import basemap_of
from app.panel import Area, PanelInfo
from app.room import Room
from core.kernel.geo import GeoPoint
from core.node.model import SiteInfo
from widgets.map.city_map import CityMap


def create(room: Room) -> QWidget:
    """Build the map and connect it."""
    city = CityMap()
    live = room.live
    picking = _Picking(city)

    def on_cameras() -> None:
        city.show_cameras(tuple(live.cameras.values()))

    def on_select(kind: str, item_id: str) -> None:
        if kind == "alarm":
            alarm = live.alarms.get(item_id)
            if alarm is not None:
                city.select(alarm.source_kind.value, alarm.source_id)
                if alarm.position is not None:
                    city.centre_on(alarm.position)
            return
        city.select(kind, item_id)

    def on_snapshot(_snapshot: object) -> None:
        site = room.connection.site
        if site is not None:
            _show_site(city, site)

    live.cameras_changed.connect(on_cameras)
    live.devices_changed.connect(lambda: city.show_devices(tuple(live.devices.values())))
    live.devices_updated.connect(city.update_devices)
    live.readings_changed.connect(lambda: city.show_readings(live.readings))
    live.readings_updated.connect(city.update_readings)
    live.lots_changed.connect(lambda: city.show_lots(live.lots))
    live.lot_plans_changed.connect(lambda: city.show_plans(live.lot_plans.values()))
    live.bays_changed.connect(lambda: city.show_bays(live.bays))
    live.bays_updated.connect(lambda _fresh: city.refresh_bays())
    live.streams_changed.connect(lambda: city.show_streams(live.streams))
    live.alarms_changed.connect(lambda: city.show_alarms(live.open_alarms()))
    live.warnings_changed.connect(lambda: city.show_warnings(live.warnings.values()))
    live.incidents_changed.connect(lambda: city.show_incidents(live.incidents.values()))
    room.connection.snapshot_received.connect(on_snapshot)
    on_snapshot(None)  # The panel is built while the first snapshot is on its way.
    room.selected.connect(on_select)
    room.arranged.connect(lambda _arrangement: city.keep_view())
    room.put_back.connect(city.put_back_view)
    room.position_wanted.connect(picking.start)
    room.place_called.connect(city.centre_on)
    city.camera_activated.connect(lambda camera_id: room.camera_called.emit(camera_id, False))
    city.item_selected.connect(room.select)
    city.position_picked.connect(picking.take)
    city.picking_ended.connect(room.position_settled)
    city.basemap_failed.connect(room.toast)
    room.closing.connect(city.stop)
    return city


class _Picking:
    """Hands the next click on the map to whoever asked for it."""

    def __init__(self, city: CityMap) -> None:
        self._city = city
        self._taker: object = None

    def start(self, taker: object) -> None:
        self._taker = taker
        if taker is None:
            self._city.stop_picking()
        else:
            self._city.start_picking()

    def take(self, lat_deg: float, lon_deg: float) -> None:
        taker, self._taker = self._taker, None
        self._city.stop_picking()
        if callable(taker):
            taker(lat_deg, lon_deg)


def _show_site(city: CityMap, site: SiteInfo) -> None:
    if site.center is not None:
        city.set_home(GeoPoint(*site.center))
    city.set_basemap(basemap_of(site))


PANEL = PanelInfo(
    key="map",
    title="Map",
    create=create,
    area=Area.RIGHT,
    shortcut="Ctrl+Shift+M",
    icon="map",
    answers=("position_wanted", "place_called"),
)
