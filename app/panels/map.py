"""The map: where cameras, stations, lots and drones are, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.basemap import basemap_of
from app.drone_choice import ask_flight_so_far
from app.panel import Area, PanelInfo
from app.replay import Replay
from app.room import Room
from core.access.model import Role
from core.drones.ground import distance_m
from core.drones.model import POSITION_STALE_S, Drone, DroneState, Fence, LinkHealth, is_stale
from core.field.model import Device, is_unit
from core.kernel.geo import GeoPoint
from core.node.model import SiteInfo
from widgets.map.city_map import CityMap
from widgets.map.drone_bar import DroneBar, nearest
from widgets.map.drone_layer import Replayed
from widgets.map.ground_tool import Tool
from widgets.map.tracks import ColorBy, Track


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
    return _MapPanel(room, city)


class _MapPanel(QWidget):
    """The map below the bar of the drones, which is there once a drone is."""

    def __init__(self, room: Room, city: CityMap) -> None:
        super().__init__()
        self._room, self._city = room, city
        self._drone_id = ""
        self._is_following = False
        self._bar = DroneBar(self)
        self._bar.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(city, 1)
        self.setFocusProxy(city)
        live = room.live
        live.drones_changed.connect(self._on_fleet)
        live.drone_plans_changed.connect(self._on_fleet)
        live.drones_updated.connect(self._on_updated)
        live.incidents_changed.connect(self._show_near)
        live.units_changed.connect(self._show_near)
        live.devices_updated.connect(self._on_devices)
        room.selected.connect(self._on_selected)
        room.replay_moved.connect(self._on_replay)
        room.role_changed.connect(self._on_role)
        self._connect_bar()
        self._on_role(room.role)
        self._on_fleet()

    def _connect_bar(self) -> None:
        bar, city = self._bar, self._city
        bar.follow_changed.connect(self._on_follow)
        bar.color_changed.connect(self._on_color)
        bar.tool_wanted.connect(city.start_tool)
        bar.fence_closed.connect(city.tool.finish)
        bar.fence_removed.connect(lambda: self._set_fence(None))
        city.tool.changed.connect(lambda: bar.show_tool(city.tool.tool, len(city.tool.points)))
        city.tool.finished.connect(self._on_fence_drawn)
        city.moved_by_hand.connect(self._leave)

    def _on_fleet(self) -> None:
        live = self._room.live
        self._city.show_drones(live.drone_plans, live.drones)
        self._bar.setVisible(bool(live.drones))
        if self._drone_id not in live.drones:
            self._drone_id = ""
        self._show_selected()

    def _on_devices(self, fresh: tuple[Device, ...]) -> None:
        if any(is_unit(device) for device in fresh):
            self._show_near()

    def _on_updated(self, fresh: tuple[DroneState, ...]) -> None:
        self._city.update_drones(fresh)
        if any(state.drone_id == self._drone_id for state in fresh):
            self._show_near()

    def _on_selected(self, kind: str, item_id: str) -> None:
        drone_id = self._room.drone_of(kind, item_id)
        if not drone_id or drone_id == self._drone_id:
            return
        self._drone_id = drone_id
        if self._city.tool.tool is Tool.FENCE:
            self._city.tool.end()
        self._ask_track()
        self._show_selected()

    def _ask_track(self) -> None:
        """Begin the track with the flight so far, which this console may not have seen."""
        ask_flight_so_far(self._room, self._room.live.drones.get(self._drone_id), self._city.show_track)

    def _on_follow(self, is_on: bool) -> None:
        self._is_following = is_on
        self._show_near()

    def _leave(self) -> None:
        self._is_following = False
        self._bar.show_follow(False)

    def _on_color(self, by: ColorBy) -> None:
        self._city.color_tracks(by)
        self._bar.show_legend(self._city.track_legend())

    def _on_replay(self, replay: Replay | None) -> None:
        if replay is None:
            self._city.show_replayed(None)
            return
        self._city.show_replayed(
            Replayed(drone=replay.drone, state=replay.state, at=replay.at, track=Track.of(replay.track))
        )

    def _on_role(self, role: Role) -> None:
        self._bar.set_may_fence(role >= Role.SUPERVISOR)

    def _show_selected(self) -> None:
        plan = self._room.live.drone_plans.get(self._drone_id)
        name = self._drone_id if plan is None else plan.name
        self._bar.show_selected(name, None if plan is None else plan.fence)
        self._show_near()

    def _show_near(self) -> None:
        live = self._room.live
        state, plan = live.drones.get(self._drone_id), live.drone_plans.get(self._drone_id)
        self._bar.show_legend(self._city.track_legend())
        if state is None or state.position is None:
            self._bar.show_near("", None, ())
            return
        place = state.position.point
        if self._is_following:
            self._city.follow(place)
        home_m = None if state.home is None else distance_m(place, state.home.point)
        near = nearest(place, live.incidents.values(), live.units.values(), live.devices.values())
        at = state.position.at
        is_old = state.health is LinkHealth.LOST or is_stale(at, datetime.now(UTC), POSITION_STALE_S)
        self._bar.show_near(state.drone_id if plan is None else plan.name, home_m, near, old_at=at if is_old else None)

    def _on_fence_drawn(self, corners: tuple[GeoPoint, ...]) -> None:
        self._set_fence(Fence(corners=corners, max_height_m=self._bar.ceiling_m))

    def _set_fence(self, fence: Fence | None) -> None:
        if self._drone_id:
            plan = self._room.live.drone_plans.get(self._drone_id)
            self._room.ask(
                "drones.set_fence",
                Drone,
                then=self._on_fence_saved,
                drone_id=self._drone_id,
                fence=fence,
                version=0 if plan is None else plan.version,
            )

    def _on_fence_saved(self, drone: Drone) -> None:
        said = "may fly anywhere" if drone.fence is None else f"stays within {len(drone.fence.corners)} corners"
        self._room.toast(f"{drone.name} {said}.")


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
