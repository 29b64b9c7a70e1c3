"""The map: find a camera or a device by where it stands, see what calls, click to bring it to the wall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from core.cameras.model import Camera
from core.drones.model import Drone, DroneState, TrackPoint
from core.field.model import Device, Reading
from core.incidents.model import Alarm, Incident
from core.incidents.warnings import RegionalWarning
from core.kernel.clock import Clock, SystemClock
from core.kernel.geo import GeoPoint, to_mercator
from core.media.model import StreamReport
from core.parking.model import BayStatus, Lot, LotOccupancy
from widgets.base.conditions import UNTRUSTED
from widgets.base.icons import IconButton
from widgets.base.labels import ElidedLabel
from widgets.base.symbols import FLASH_PERIOD_MS, Flash, flash_at
from widgets.base.theme import look, set_role
from widgets.base.times import format_age
from widgets.map.area_layer import AreaLayer
from widgets.map.drone_layer import DroneLayer, Replayed
from widgets.map.ground_tool import GroundTool, Tool
from widgets.map.lot_layer import LotLayer
from widgets.map.marker_painter import MarkerPainter
from widgets.map.markers import Cluster, ItemKey, Marker, MarkerTable, Scene
from widgets.map.tile_grid import HALF_WORLD_M, RectM
from widgets.map.tile_loader import TileLoader
from widgets.map.tile_painter import TilePainter
from widgets.map.tile_source import TileSetInfo, TileSource, open_tiles
from widgets.map.tracks import ColorBy, Legend
from widgets.map.view import MIN_RESOLUTION_M, MapView, length_text, position_text, scale_bar

DRONES_MS = 100
"""Drones move at most so often: the whole map is painted each time."""

HIT_PX = 12.0
"""How far from a marker's middle a click still means it; within its outline it always does."""

_CELL_PX = 44.0
_DAY_MAP_IN_THE_DARK = (0.35, 0.70)
"""Saturation and lightness left to a map that was drawn for paper (study/control_room.md, section 4)."""

_PAN_STEP = 0.2
_ZOOM_STEP = 1.5
_CLICK_PX = 5.0
_RETRY_MS = 21_000
_NEAR_M = 600.0
_EDGE_PX = 40.0
"""Kept free around the city, so that no marker is cut at the edge."""

_SCALE_PX = 70.0
_WIDE_FOOTER_EM = 40
"""Below this many letters of width, the place under the pointer takes the place of the source of the map."""


class CityMap(QWidget):
    """Base map, cameras and devices.

    Keys: arrows pan, + and - zoom, Home shows the whole city, Tab goes from item to item, Enter brings the selected
    one, Esc lets go.

    Signals:
        camera_activated(str): Id; clicked, or Enter on it.
        item_selected(str, str): Kind and id, also of an incident; two empty texts when nothing is selected any more.
        position_picked(float, float): Latitude and longitude [deg], after `start_picking`.
        picking_ended(): By a pick or by Esc.
        basemap_failed(str, str): Sentence and hint; the map itself goes on without it.
        moved_by_hand(): The operator looks elsewhere; what is followed is left.
    """

    camera_activated = Signal(str)
    item_selected = Signal(str, str)
    position_picked = Signal(float, float)
    picking_ended = Signal()
    basemap_failed = Signal(str, str)
    moved_by_hand = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._table = MarkerTable()
        self._loader = TileLoader(parent=self)
        self._tiles = TilePainter(self._loader)
        self._areas = AreaLayer()
        self._lots = LotLayer()
        self._drones = DroneLayer()
        self._painted_drones: tuple[object, ...] | None = None
        self._tool = GroundTool(self)
        self._painter = MarkerPainter(look(), self._age_text)
        self._scene = Scene(markers=(), clusters=())
        self._selected: ItemKey | None = None
        self._home: GeoPoint | None = None
        self._is_placed = False
        self._n_placed = 0
        self._kept: tuple[RectM, bool] | None = None
        self._is_at_home = True
        self._is_picking = False
        self._halves = Flash()
        self._build()
        self._loader.opened.connect(self._on_basemap_opened)
        self._loader.arrived.connect(self._on_tile_arrived)
        self._loader.failed.connect(self._on_basemap_failed)
        self._retry = _timer(self, _RETRY_MS, self._on_tile_arrived, is_single=True)
        self._flash = _timer(self, FLASH_PERIOD_MS // 2, self._on_flash)
        self._ageing = _timer(self, 1000, self._on_second)
        self._drawing_drones = _timer(self, DRONES_MS, self._on_drones_due, is_single=True)
        self._tool.changed.connect(self._on_tool_changed)
        self._apply_look()

    @property
    def selected(self) -> ItemKey | None:
        """Kind and id of the selected item."""
        return self._selected

    @property
    def notice(self) -> str:
        """The sentence along the top; empty while there is none."""
        return self._notice.text() if self._strip.isVisibleTo(self) else ""

    @property
    def view(self) -> MapView:
        """What is in the window right now."""
        (left, right), (bottom, top) = self._box.viewRange()
        size = self._canvas.viewport().size()
        return MapView(rect=RectM(left, bottom, right, top), width_px=size.width(), height_px=size.height())

    @property
    def plot_area(self) -> pg.ViewBox:
        """Where further layers are added: Web Mercator metres; they lie above the base map and below the markers."""
        return self._box

    def show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        """Show the cameras that have a position."""
        self._table.set_cameras(cameras)
        self._on_markers_changed()

    def show_devices(self, devices: tuple[Device, ...]) -> None:
        """Show the devices that have a position."""
        self._table.set_devices(devices)
        self._on_markers_changed()

    def update_devices(self, devices: Iterable[Device]) -> None:
        """Bring some devices up to date."""
        self._table.update_devices(devices)
        self._on_markers_changed()

    def update_readings(self, readings: Iterable[Reading]) -> None:
        """Bring some newest values up to date."""
        self._table.update_readings(readings)
        self._on_markers_changed()

    def show_streams(self, streams: Mapping[str, StreamReport]) -> None:
        """Show which cameras have a picture, by camera id."""
        self._table.set_streams(streams)
        self._on_markers_changed()

    def show_readings(self, readings: Mapping[Any, Reading]) -> None:
        """Show the newest values of all streams; the keys do not matter."""
        self._table.set_readings(readings.values())
        self._on_markers_changed()

    def show_lots(self, lots: Mapping[str, LotOccupancy]) -> None:
        """Show how full the lots are, by lot id (the id of its device, where nobody drew the lot)."""
        self._table.set_lots(lots.values())
        self._on_markers_changed()

    def show_plans(self, plans: Iterable[Lot]) -> None:
        """Show the lots that are drawn, on their ground."""
        drawn = tuple(plans)
        self._lots.set_plans(drawn)
        self._table.set_plans(drawn)
        self._on_markers_changed()

    def show_bays(self, bays: Mapping[str, Mapping[str, BayStatus]]) -> None:
        """Show how the bays stand, by lot and bay; later changes in the mapping are painted with `refresh_bays`."""
        self._lots.set_bays(bays)
        self.refresh_bays()

    def refresh_bays(self) -> None:
        """Paint the bays as they stand now."""
        if self._lots.shows_bays(self.view):
            self._canvas.viewport().update()

    def show_alarms(self, alarms: tuple[Alarm, ...]) -> None:
        """Mark what has an open alarm, and let what calls pulse."""
        self._table.set_alarms(alarms)
        self._run_timers()
        self._on_markers_changed()

    def show_warnings(self, warnings: Iterable[RegionalWarning]) -> None:
        """Show the areas of regional warnings."""
        self._areas.set_warnings(warnings)
        self._canvas.viewport().update()

    def show_incidents(self, incidents: Iterable[Incident]) -> None:
        """Mark the places of the open incidents that somebody works on."""
        self._areas.set_incidents(incidents)
        self._canvas.viewport().update()

    @property
    def tool(self) -> GroundTool:
        """What measures and draws fences."""
        return self._tool

    def show_drones(self, drones: Mapping[str, Drone], states: Mapping[str, DroneState]) -> None:
        """Show these drones; the mappings are looked at whenever the map paints."""
        self._drones.set_fleet(drones, states)
        self._draw_drones_anew()

    def update_drones(self, states: Iterable[DroneState]) -> None:
        """Let drones go on to where they are; figures that change with nothing else wait for the next second."""
        self._drones.follow_on(states)
        self._draw_drones_soon()

    def show_track(self, drone_id: str, points: Iterable[TrackPoint]) -> None:
        """Begin a drone's track with what was flown before this console came in."""
        self._drones.set_track(drone_id, points)
        self._draw_drones_anew()

    def show_replayed(self, replayed: Replayed | None) -> None:
        """Show a drone as it was, marked as a replay; None ends that."""
        self._drones.set_replayed(replayed)
        self._draw_drones_soon()

    def color_tracks(self, by: ColorBy) -> None:
        """Colour the track of the selected drone by height or speed."""
        self._drones.color_by = by
        self._canvas.viewport().update()

    def track_legend(self) -> Legend | None:
        """Return what the colours of the track mean; None where none is coloured."""
        return self._drones.legend()

    def follow(self, point: GeoPoint) -> None:
        """Keep a place in the middle, as near or far as one looks."""
        self._move_to(*to_mercator(point))

    def _draw_drones_anew(self) -> None:
        self._painted_drones = None
        self._draw_drones_soon()

    def _draw_drones_soon(self) -> None:
        if self.isVisible() and not self._drawing_drones.isActive():
            self._drawing_drones.start()

    def _on_drones_due(self) -> None:
        if self._drones.places(self.view, self._clock.now()) != self._painted_drones:
            self._canvas.viewport().update()

    def _on_tool_changed(self) -> None:
        self._say(self._tool.sentence)
        if self._tool.tool is not None:
            self._canvas.viewport().setCursor(Qt.CursorShape.CrossCursor)
            self._canvas.setFocus()
        else:
            self._canvas.viewport().unsetCursor()
        self._canvas.viewport().update()

    def start_tool(self, tool: Tool | None) -> None:
        """Let clicks set points to measure or to fence; None ends that."""
        self.stop_picking()
        if tool is None:
            self._tool.end()
        else:
            self._tool.start(tool)

    def set_basemap(self, path: Path | None) -> None:
        """Show another map file, or none."""
        if path is None:
            self._hide_basemap("No map file is chosen: cameras and devices are shown on an empty map.")
            return
        self.set_tile_source(lambda: open_tiles(path))

    def set_tile_source(self, opener: Callable[[], TileSource]) -> None:
        """Show tiles of any other source, e.g. a server; `opener` runs in a worker thread."""
        self._say("")
        self._loader.open(opener)
        self._repaint_all()

    def set_home(self, center: GeoPoint | None) -> None:
        """Set where the map opens while nothing has a position yet."""
        self._home = center
        if not self._is_placed:
            self.show_city()

    def select(self, kind: str, item_id: str) -> None:
        """Select an item without saying so; two empty texts select nothing."""
        key = (kind, item_id) if item_id else None
        if key == self._selected:
            return
        self._selected = key
        self._drones.selected = item_id if kind == "drone" else self._drones.selected
        self._table.select(key)
        marker = self._table.get(key) if key is not None else None
        self._canvas.setAccessibleDescription(marker.name if marker is not None else "Nothing is selected")
        self._canvas.viewport().update()

    def centre_on(self, point: GeoPoint) -> None:
        """Bring a place to the middle, near enough to tell neighbours apart."""
        x_m, y_m = to_mercator(point)
        view = self.view
        half_m = min((view.rect.right - view.rect.left) / 2, _NEAR_M)
        self._is_at_home = False
        self._set_rect(RectM(x_m - half_m, y_m - half_m, x_m + half_m, y_m + half_m), margin=0.0)

    def keep_view(self) -> None:
        """Remember what is shown until `put_back_view`; what was remembered already stays."""
        if self._kept is None:
            self._kept = (self.view.rect, self._is_at_home)

    def put_back_view(self) -> None:
        """Show again what `keep_view` remembered."""
        if self._kept is None:
            return
        (rect, is_at_home), self._kept = self._kept, None
        if is_at_home:
            self.show_city()
        else:
            self._set_rect(rect, margin=0.0)

    def show_city(self) -> None:
        """Show everything that has a position; else where the site is; else the extent of the map file."""
        self._is_at_home = True
        bounds = self._table.bounds() or self._drones.bounds()
        if bounds is not None:
            side_px = max(1.0, min(self.view.width_px, self.view.height_px))
            self._set_rect(_at_least(bounds, 300.0), margin=max(0.06, min(0.3, _EDGE_PX / side_px)))
            self._is_placed = True
            self._n_placed = len(self._table)
        elif self._home is not None:
            x_m, y_m = to_mercator(self._home)
            self._set_rect(RectM(x_m - 3000, y_m - 3000, x_m + 3000, y_m + 3000), margin=0.0)
        else:
            self._set_rect(_extent(self._loader.info), margin=0.0)

    def start_picking(self) -> None:
        """Let the next click name a position instead of selecting; Esc ends it."""
        self._tool.end()
        self._is_picking = True
        self._canvas.viewport().setCursor(Qt.CursorShape.CrossCursor)
        self._say("Click where it stands.  Esc leaves without choosing.")
        self._canvas.setFocus()

    def stop_picking(self) -> None:
        """Select by click again."""
        if not self._is_picking:
            return
        self._is_picking = False
        self._canvas.viewport().unsetCursor()
        self._say("")
        self.picking_ended.emit()

    def stop(self) -> None:
        """Let go of the map file and of the workers that read it."""
        for timer in (self._flash, self._ageing, self._retry, self._drawing_drones):
            timer.stop()
        self._loader.close()

    def _build(self) -> None:
        self._canvas = _Canvas(self)
        self._box = pg.ViewBox(lockAspect=True, enableMenu=False, defaultPadding=0.0)
        self._box.setMouseMode(pg.ViewBox.PanMode)
        self._box.disableAutoRange()
        self._box.setLimits(
            xMin=-HALF_WORLD_M,
            xMax=HALF_WORLD_M,
            yMin=-HALF_WORLD_M,
            yMax=HALF_WORLD_M,
            minXRange=MIN_RESOLUTION_M * 200,
            minYRange=MIN_RESOLUTION_M * 200,
        )
        self._canvas.setCentralItem(self._box)
        self._box.sigRangeChanged.connect(self._on_range_changed)
        self._box.sigRangeChangedManually.connect(self._on_moved_by_hand)
        self._box.sigResized.connect(self._on_resized)
        self.setFocusProxy(self._canvas)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self._build_strip())
        rows.addWidget(self._canvas, 1)
        rows.addWidget(self._build_footer())

    def _build_strip(self) -> QFrame:
        self._strip = QFrame(self)
        set_role(self._strip, "strip")
        self._notice = QLabel(self._strip)
        self._notice.setWordWrap(True)
        self._notice.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._notice, "secondary")
        row = QHBoxLayout(self._strip)
        gap = look().sizes.gap
        row.setContentsMargins(gap * 3, gap, gap * 3, gap)
        row.addWidget(self._notice)
        self._strip.hide()
        return self._strip

    def _build_footer(self) -> QWidget:
        footer = QWidget(self)
        gap = look().sizes.gap
        row = QHBoxLayout(footer)
        row.setContentsMargins(gap, gap // 2, gap * 2, gap // 2)
        row.setSpacing(gap)
        self._buttons = (
            _button("minus", "Zoom out  (-)", self.zoom_out),
            _button("plus", "Zoom in  (+)", self.zoom_in),
            _button("home", "Show the whole city  (Home)", self.show_city),
        )
        for button in self._buttons:
            row.addWidget(button)
        self._scale = _ScaleBar(self)
        row.addWidget(self._scale)
        self._position = QLabel(footer)
        set_role(self._position, "caption")
        self._position.setAccessibleName("Position under the pointer")
        row.addWidget(self._position)
        self._attribution = ElidedLabel("", footer)
        set_role(self._attribution, "caption")
        self._attribution.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._attribution.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        row.addWidget(self._attribution, 1)
        return footer

    def zoom_in(self) -> None:
        """Look nearer."""
        self._zoom(1 / _ZOOM_STEP)

    def zoom_out(self) -> None:
        """See more."""
        self._zoom(_ZOOM_STEP)

    def pan(self, right: float, up: float) -> None:
        """Move the view by parts of its own size."""
        view = self.view.rect
        self._on_moved_by_hand()
        self._box.translateBy(x=right * (view.right - view.left), y=up * (view.top - view.bottom))

    def cycle(self, step: int) -> bool:
        """Select the next (1) or previous (-1) item from west to east; False past the last one."""
        markers = sorted(self._table.markers, key=lambda marker: (marker.x_m, marker.y_m))
        keys = [marker.key for marker in markers]
        start = 0 if step > 0 else len(keys) - 1
        index = keys.index(self._selected) + step if self._selected in keys else start
        if not 0 <= index < len(keys):
            return False
        marker = markers[index]
        self._choose(marker)
        rect = self.view.rect
        if not (rect.left < marker.x_m < rect.right and rect.bottom < marker.y_m < rect.top):
            self._move_to(marker.x_m, marker.y_m)
        return True

    def _zoom(self, factor: float) -> None:
        self._is_at_home = False
        self._box.scaleBy((factor, factor))

    def _move_to(self, x_m: float, y_m: float) -> None:
        rect = self.view.rect
        self._is_at_home = False
        self._box.translateBy(x=x_m - (rect.left + rect.right) / 2, y=y_m - (rect.bottom + rect.top) / 2)

    def _set_rect(self, rect: RectM, *, margin: float) -> None:
        area = QRectF(rect.left, rect.bottom, rect.right - rect.left, rect.top - rect.bottom)
        self._box.setRange(area, padding=margin)

    def _choose(self, marker: Marker | None) -> None:
        kind, item_id = marker.key if marker is not None else ("", "")
        if (kind, item_id) == (self._selected or ("", "")):
            return
        self.select(kind, item_id)
        self.item_selected.emit(kind, item_id)

    def _say(self, sentence: str) -> None:
        self._notice.setText(sentence)
        self._strip.setVisible(bool(sentence))

    def _hide_basemap(self, sentence: str) -> None:
        self._loader.clear()
        self._attribution.setText("")
        self._say(sentence)
        self._repaint_all()

    def _repaint_all(self) -> None:
        self._tiles.forget()
        self._canvas.viewport().update()

    def _run_timers(self) -> None:
        is_seen = self.isVisible()
        self._halves = flash_at(self._clock.monotonic(), look())
        _set_running(self._flash, is_seen and self._table.is_calling and not look().is_reduced_motion)
        _set_running(self._ageing, is_seen)

    def _age_text(self, since: datetime | None) -> str:
        return "" if since is None else format_age((self._clock.now() - since).total_seconds())

    def _apply_look(self) -> None:
        made = look()
        self._painter.set_look(made)
        self._tiles.set_colors(made.color("map_land"), made.color("map_road"))
        self._loader.set_tone(*(_DAY_MAP_IN_THE_DARK if made.theme.is_dark else (0.35, 1.0)))
        for button in self._buttons:
            button.setFixedSize(made.sizes.control, made.sizes.control)
        self._position.setFont(made.mono_font(made.sizes.caption))
        self._fit_footer()
        self._on_range_changed()

    def _fit_footer(self) -> None:
        """Show where the map is from; in a narrow window the place under the pointer instead, while it is there."""
        is_wide = self.width() >= look().sizes.body * _WIDE_FOOTER_EM
        room = self._position.fontMetrics().horizontalAdvance(position_text(GeoPoint(0, 100))) if is_wide else 0
        if self._position.minimumWidth() != room:
            self._position.setMinimumWidth(room)
        self._attribution.setVisible(is_wide or not self._position.text())

    def _on_basemap_opened(self, info: TileSetInfo) -> None:
        self._attribution.setText(info.attribution)
        if not self._is_placed:
            self.show_city()
        self._repaint_all()

    def _on_tile_arrived(self, _key: object = None) -> None:
        self._repaint_all()

    def _on_basemap_failed(self, sentence: str, hint: str) -> None:
        self._say(f"{sentence} {hint}".strip())
        self.basemap_failed.emit(sentence, hint)
        self._retry.start()

    def _on_markers_changed(self) -> None:
        # Cameras and devices come one after the other: the whole city is all of them.
        if len(self._table) and (not self._is_placed or (self._is_at_home and len(self._table) != self._n_placed)):
            self.show_city()
        self._canvas.viewport().update()

    def _on_range_changed(self, *_: object) -> None:
        view = self.view
        self._scale.show_ground(view.ground_m)
        self._canvas.viewport().update()

    def _on_moved_by_hand(self, *_: object) -> None:
        self._is_at_home = False
        self.moved_by_hand.emit()

    def _on_resized(self, *_: object) -> None:
        # The whole city stays the whole city in a window of another shape, until someone looks elsewhere.
        if self._is_at_home:
            self.show_city()

    def _on_flash(self) -> None:
        self._halves = flash_at(self._clock.monotonic(), look())
        self._canvas.viewport().update()

    def _on_second(self) -> None:
        is_old = any(marker.since is not None and marker.condition in UNTRUSTED for marker in self._scene.markers)
        if is_old or self._drones.states:
            self._canvas.viewport().update()

    # The canvas calls these; they are not for others.

    def paint_below(self, painter: QPainter) -> None:
        """Paint the base map."""
        self._tiles.paint(painter, self.view, self._canvas.devicePixelRatioF())
        self._lots.paint(painter, self.view)
        self._areas.paint_areas(painter, self.view)
        self._drones.paint_ground(painter, self.view, self._clock.now())

    def paint_above(self, painter: QPainter) -> None:
        """Paint the markers."""
        view = self.view
        self._scene = self._table.scene(view.grown(60.0), _cell_m(view.resolution_m))
        self._painter.paint(
            painter,
            view,
            self._scene,
            selected=self._selected,
            flash=self._halves,
            pixel_ratio=self._canvas.devicePixelRatioF(),
        )
        self._areas.paint_labels(painter, view)
        now = self._clock.now()
        self._drones.paint_drones(painter, view, now)
        self._painted_drones = self._drones.places(view, now)
        self._tool.paint(painter, view)

    def click(self, place: QPointF) -> None:
        """Select what lies under the pointer, or name the position while picking."""
        view = self.view
        if self._is_picking:
            point = view.point_at(place.x(), place.y())
            if point is not None:
                self.stop_picking()
                self.position_picked.emit(point.lat_deg, point.lon_deg)
            return
        if self._tool.tool is not None:
            point = view.point_at(place.x(), place.y())
            if point is not None:
                self._tool.add(point)
            return
        drone_id = self._drones.drone_at(view, place)
        if drone_id:
            self.select("drone", drone_id)
            self.item_selected.emit("drone", drone_id)
            return
        spot = self._areas.spot_at(view, place)
        if spot is not None:
            self.item_selected.emit("incident", spot.incident_id)
            return
        found = self._hit(place)
        if isinstance(found, Cluster):
            self._move_to(found.x_m, found.y_m)
            self._zoom(1 / 3)
            return
        self._choose(found)
        if found is not None and found.kind == "camera":
            self.camera_activated.emit(found.item_id)

    def point(self, place: QPointF) -> None:
        """Tell where the pointer is, and what lies under it."""
        point = self.view.point_at(place.x(), place.y())
        self._say_position("" if point is None else position_text(point))
        found = None if self._is_picking else self._hit(place)
        text = _tip(found, self._age_text) if found is not None else ""
        spot = None if self._is_picking else self._areas.spot_at(self.view, place)
        text = f"Incident: {spot.title}" if spot is not None else text
        self._canvas.viewport().setToolTip(text)
        if text:
            QToolTip.showText(self._canvas.viewport().mapToGlobal(place.toPoint() + QPoint(14, 10)), text)
        else:
            QToolTip.hideText()

    def leave(self) -> None:
        """Forget the pointer: it is elsewhere."""
        self._say_position("")

    def _say_position(self, text: str) -> None:
        self._position.setText(text)
        self._fit_footer()

    def step_out(self) -> bool:
        """Leave picking, or let go of the selection; False where there is nothing to leave."""
        if self._is_picking:
            self.stop_picking()
            return True
        if self._tool.tool is not None:
            self._tool.end()
            return True
        if self._selected is not None:
            self._choose(None)
            return True
        return False

    def activate_selected(self) -> None:
        """Bring what is selected: a camera to the wall, anything else to the middle of the map."""
        marker = self._table.get(self._selected) if self._selected is not None else None
        if marker is None:
            place = self._drones.point_of(self._drones.selected)
            if place is not None and self._selected == ("drone", self._drones.selected):
                self.centre_on(place)
            return
        if marker.kind == "camera":
            self.camera_activated.emit(marker.item_id)
        else:
            self._move_to(marker.x_m, marker.y_m)

    def _hit(self, place: QPointF) -> Marker | Cluster | None:
        view = self.view
        inside = self._painter.marker_at(view, self._scene, place)
        if inside is not None:
            return inside
        x_m, y_m = view.to_m(place.x(), place.y())
        return self._table.nearest(x_m, y_m, HIT_PX * view.resolution_m, self._scene)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_ageing"):
            self._apply_look()
            self._run_timers()
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the footer."""
        super().resizeEvent(event)
        self._fit_footer()

    def showEvent(self, event: QShowEvent) -> None:
        """Pulse only while someone can see it."""
        super().showEvent(event)
        self._run_timers()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop pulsing."""
        super().hideEvent(event)
        self._run_timers()


class _Canvas(pg.GraphicsView):  # type: ignore[misc]
    """The picture itself: base map below pyqtgraph's items, markers above them."""

    def __init__(self, map_: CityMap) -> None:
        super().__init__(map_, background=None)
        self._map = map_
        self._pressed: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Map")
        self.viewport().setAccessibleName("Map")
        self.setAccessibleDescription("Nothing is selected")
        self.setViewportUpdateMode(pg.QtWidgets.QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        # pyqtgraph asks for a kept background; ours keeps itself, and knows when a tile has arrived.
        self.setCacheMode(pg.QtWidgets.QGraphicsView.CacheModeFlag.CacheNone)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 120)

    def drawBackground(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the base map."""
        painter.save()
        painter.resetTransform()
        self._map.paint_below(painter)
        painter.restore()

    def drawForeground(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the markers, and the ring that says the keys go here."""
        painter.save()
        painter.resetTransform()
        self._map.paint_above(painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look().color("focus"), 2))
            painter.drawRect(QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1))
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Remember where a click begins."""
        self._pressed = event.position() if event.button() == Qt.MouseButton.LeftButton else None
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A press that did not travel is a click."""
        super().mouseReleaseEvent(event)
        pressed, self._pressed = self._pressed, None
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if (event.position() - pressed).manhattanLength() <= _CLICK_PX:
            self._map.click(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what lies under the pointer."""
        super().mouseMoveEvent(event)
        if not event.buttons():
            self._map.point(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that nothing is pointed at any more."""
        super().leaveEvent(event)
        self._map.leave()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pan, zoom, go home, bring what is selected."""
        key = event.key()
        pan = _PANS.get(key)
        if pan is not None:
            self._map.pan(*pan)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._map.zoom_in()
        elif key in (Qt.Key.Key_Minus, Qt.Key.Key_Underscore):
            self._map.zoom_out()
        elif key == Qt.Key.Key_Home:
            self._map.show_city()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._map.tool.tool is not None:
                self._map.tool.finish()
            else:
                self._map.activate_selected()
        elif key == Qt.Key.Key_Backspace and self._map.tool.tool is not None:
            self._map.tool.take_back()
        elif key != Qt.Key.Key_Escape or not self._map.step_out():
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Leave releases to whoever wants them: pyqtgraph's scene would keep them."""
        event.ignore()

    def focusNextPrevChild(self, is_next: bool) -> bool:
        """Go from item to item, and past the last one to the next widget."""
        if self._map.cycle(1 if is_next else -1):
            return True
        self._map.step_out()
        return bool(super().focusNextPrevChild(is_next))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring."""
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the ring."""
        super().focusOutEvent(event)
        self.viewport().update()


class _ScaleBar(QWidget):
    """A length on the ground, as a bar and in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._length_m, self._length_px = 0.0, 0.0
        self._refit()

    def show_ground(self, ground_m: float) -> None:
        """Show the scale of a view.

        Args:
            ground_m: Metres on the ground of one pixel.
        """
        self._length_m, self._length_px = scale_bar(ground_m, _SCALE_PX)
        self.setAccessibleName(f"Scale: {length_text(self._length_m)}")
        self.update()

    def _refit(self) -> None:
        width = round(_SCALE_PX) + 20 + self.fontMetrics().horizontalAdvance("5000 km")
        self.setFixedSize(width, look().sizes.control)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size of text."""
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._refit()
        super().changeEvent(event)

    def paintEvent(self, event: QEvent) -> None:
        """Paint the bar."""
        made = look()
        with QPainter(self) as painter:
            painter.setPen(QPen(made.color("text_secondary"), 1.5))
            base = self.height() / 2 + 4
            right = 8 + self._length_px
            painter.drawPolyline(
                [QPointF(8, base - 7), QPointF(8, base), QPointF(right, base), QPointF(right, base - 7)]
            )
            painter.setFont(made.font(made.sizes.caption))
            painter.drawText(QPointF(right + 8, base + 1), length_text(self._length_m))


_PANS: dict[int, tuple[float, float]] = {
    Qt.Key.Key_Left: (-_PAN_STEP, 0.0),
    Qt.Key.Key_Right: (_PAN_STEP, 0.0),
    Qt.Key.Key_Up: (0.0, _PAN_STEP),
    Qt.Key.Key_Down: (0.0, -_PAN_STEP),
}


def _timer(parent: QWidget, interval_ms: int, slot: Callable[[], None], *, is_single: bool = False) -> QTimer:
    timer = QTimer(parent)
    timer.setInterval(interval_ms)
    timer.setSingleShot(is_single)
    timer.timeout.connect(slot)
    return timer


def _set_running(timer: QTimer, is_wanted: bool) -> None:
    if is_wanted and not timer.isActive():
        timer.start()
    elif not is_wanted:
        timer.stop()


def _button(icon_name: str, name: str, slot: Callable[[], None]) -> IconButton:
    button = IconButton(icon_name, name)
    button.clicked.connect(slot)
    return button


def _at_least(rect: RectM, side_m: float) -> RectM:
    grow_x = max(0.0, side_m - (rect.right - rect.left)) / 2
    grow_y = max(0.0, side_m - (rect.top - rect.bottom)) / 2
    return RectM(rect.left - grow_x, rect.bottom - grow_y, rect.right + grow_x, rect.top + grow_y)


def _extent(info: TileSetInfo | None) -> RectM:
    """Return what a tile set covers; the whole world where nobody says."""
    if info is None or info.bounds_lat_lon is None:
        return RectM(-HALF_WORLD_M, -HALF_WORLD_M, HALF_WORLD_M, HALF_WORLD_M)
    south, west, north, east = info.bounds_lat_lon
    left, bottom = to_mercator(GeoPoint(south, west))
    right, top = to_mercator(GeoPoint(north, east))
    return RectM(left, bottom, right, top)


def _cell_m(resolution_m: float) -> float:
    """Return a cell of at least 44 px that stays the same while one pans and zooms a little."""
    cell = 1.0
    while cell < _CELL_PX * resolution_m:
        cell *= 2
    return cell


def _tip(found: Marker | Cluster, age_text: Callable[[datetime | None], str]) -> str:
    if isinstance(found, Cluster):
        doubt = f", {found.n_untrusted} of them stale or lost" if found.n_untrusted else ""
        return f"{found.n_items} items{doubt}. Click to look nearer."
    value = {"station": f"{found.text} km/h", "lot": f"bays: {found.text}"}.get(found.kind, "")
    age = age_text(found.since)
    state = f"{found.condition.value} {age}".strip() if found.condition.value != "ok" else ""
    return "  ·  ".join(part for part in (found.name, value, state) if part)
