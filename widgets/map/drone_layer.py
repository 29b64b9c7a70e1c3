"""Drones on the map: where they are or were last, where they went, what they see, where home and fence are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF, QTransform

from core.drones.ground import Looking, seen_ground
from core.drones.model import (
    POSITION_STALE_S,
    Drone,
    DroneState,
    LinkHealth,
    TrackPoint,
    is_stale,
    uncertainty_m,
)
from core.kernel.geo import GeoPoint, to_mercator
from widgets.base.symbols import paint_bad_quality
from widgets.base.theme import Look, look
from widgets.base.times import format_age
from widgets.drones.words import HEIGHT_KEYS, first_shown
from widgets.map.tile_grid import RectM
from widgets.map.tracks import ColorBy, Legend, Track, legend_of, paint_colored, paint_plain
from widgets.map.view import MapView

TAIL = timedelta(minutes=2)
"""Of drones that are not selected."""

HIT_PX = 16.0
_SIDE_PX = 30.0
_LEAST_RING_PX = 14.0
_TURN_DEG = 4.0
"""A smaller turn of a drone is no reason to paint the map anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A drone as it was, for as long as somebody replays its flight."""

    drone: Drone
    state: DroneState
    at: datetime
    track: Track


class DroneLayer:
    """Paints drones; the map tells when."""

    def __init__(self) -> None:
        self._drones: Mapping[str, Drone] = {}
        self._states: Mapping[str, DroneState] = {}
        self._tracks: dict[str, Track] = {}
        self._replayed: Replayed | None = None
        self.selected = ""
        self.color_by = ColorBy.HEIGHT

    # -- what is shown -----------------------------------------------------------------------------------------------

    @property
    def states(self) -> Mapping[str, DroneState]:
        """What is known of every drone."""
        return self._states

    @property
    def replayed(self) -> Replayed | None:
        """What is replayed; None where nothing is."""
        return self._replayed

    def set_fleet(self, drones: Mapping[str, Drone], states: Mapping[str, DroneState]) -> None:
        """Show these drones; the mappings are looked at whenever the map paints."""
        self._drones, self._states = drones, states
        for drone_id in self._tracks.keys() - states.keys():
            del self._tracks[drone_id]
        self.follow_on(states.values())

    def follow_on(self, states: Iterable[DroneState]) -> None:
        """Let the tracks go on to where these drones are."""
        for state in states:
            self._tracks.setdefault(state.drone_id, Track()).add(state)

    def set_track(self, drone_id: str, points: Iterable[TrackPoint]) -> None:
        """Begin a drone's track with what was flown before this console came in."""
        known = self._tracks.get(drone_id)
        kept = tuple(points)
        if known is None or not len(known.rows) or (kept and kept[0].at.timestamp() < known.rows[0, 2]):
            self._tracks[drone_id] = Track.of(kept)

    def set_replayed(self, replayed: Replayed | None) -> None:
        """Show a drone as it was, beside those that fly; None ends it."""
        self._replayed = replayed

    def legend(self) -> Legend | None:
        """Return what the colours of the track mean; None where none is coloured."""
        track = self._colored()
        return None if track is None or not len(track.rows) else legend_of(track, self.color_by)

    def bounds(self) -> RectM | None:
        """Return what holds all drones; None where none has a position."""
        places = [to_mercator(state.position.point) for state in self._states.values() if state.position is not None]
        if not places:
            return None
        xs, ys = [x for x, _ in places], [y for _, y in places]
        return RectM(min(xs), min(ys), max(xs), max(ys))

    def point_of(self, drone_id: str) -> GeoPoint | None:
        """Return where a drone was last."""
        state = self._states.get(drone_id)
        return None if state is None or state.position is None else state.position.point

    def name_of(self, drone_id: str) -> str:
        """Return what a drone is called."""
        drone = self._drones.get(drone_id)
        return drone_id if drone is None else drone.name

    def drone_at(self, view: MapView, place: QPointF) -> str:
        """Return the drone under a pixel; empty where there is none."""
        nearest, found = HIT_PX, ""
        for drone_id, state in self._states.items():
            if state.position is None:
                continue
            x, y = view.to_px(*to_mercator(state.position.point))
            away = math.hypot(x - place.x(), y - place.y())
            if away < nearest:
                nearest, found = away, drone_id
        return found

    # -- painting ----------------------------------------------------------------------------------------------------

    def places(self, view: MapView, now: datetime) -> tuple[object, ...]:
        """Return, to the pixel and to a few degrees, how drones stand in the picture.

        As long as this is the same, a new picture would show nothing new but figures.
        """
        shown = [*self._states.values(), *(() if self._replayed is None else (self._replayed.state,))]
        return tuple(_place_of(state, view, now) for state in shown)

    def paint_ground(self, painter: QPainter, view: MapView, now: datetime) -> None:
        """Paint fences, tracks, what cameras see, and how far a silent drone may be."""
        made = look()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for drone in self._drones.values():
            if drone.fence is not None:
                _paint_fence(painter, view, drone.fence.corners, drone.fence.max_height_m, made)
        for drone_id, track in self._tracks.items():
            if drone_id != self.selected or self._replayed is not None:
                paint_plain(painter, view, track, made, since=now - TAIL)
        colored = self._colored()
        if colored is not None:
            until = None if self._replayed is None else self._replayed.at
            paint_colored(painter, view, colored, self.color_by, made, until=until)
        for drone_id, state in self._states.items():
            _paint_footprint(painter, view, state, now, made)
            _paint_home(painter, view, state, made, is_selected=drone_id == self.selected)
            drone = self._drones.get(drone_id, Drone(drone_id=drone_id, name=drone_id))
            _paint_uncertainty(painter, view, drone, state, now, made)
        painter.restore()

    def paint_drones(self, painter: QPainter, view: MapView, now: datetime) -> None:
        """Paint the drones themselves, above everything."""
        made = look()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for drone_id, state in self._states.items():
            if state.position is not None:
                symbol = _Symbol(
                    name=self.name_of(drone_id), state=state, now=now, is_selected=drone_id == self.selected
                )
                _paint_symbol(painter, view, symbol, made)
        if self._replayed is not None and self._replayed.state.position is not None:
            one = self._replayed
            name = f"REPLAY  {one.drone.name}"
            symbol = _Symbol(name=name, state=one.state, now=one.at, is_selected=True, is_replayed=True)
            _paint_symbol(painter, view, symbol, made)
        painter.restore()

    def _colored(self) -> Track | None:
        return self._tracks.get(self.selected) if self._replayed is None else self._replayed.track


@dataclass(frozen=True, slots=True, kw_only=True)
class _Symbol:
    name: str
    state: DroneState
    now: datetime
    is_selected: bool
    is_replayed: bool = False


def _place_of(state: DroneState, view: MapView, now: datetime) -> tuple[object, ...]:
    points = [*(() if state.position is None else (state.position.point,)), *footprint_of(state, now)]
    if state.home is not None:
        points.append(state.home.point)
    pixels = [view.to_px(*to_mercator(point)) for point in points]
    heading = state.value("heading_deg")
    turned = None if heading is None else round(heading / _TURN_DEG)
    return state.drone_id, state.health, turned, *((round(x), round(y)) for x, y in pixels)


def _paint_fence(
    painter: QPainter, view: MapView, corners: tuple[GeoPoint, ...], ceiling_m: float | None, made: Look
) -> None:
    if len(corners) < 3:
        return
    shape = _polygon(corners, view)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(made.color("map_marker"), 2.0, Qt.PenStyle.DashDotLine))
    painter.drawPolygon(shape)
    if ceiling_m is not None:
        top = min((shape.at(at) for at in range(shape.size())), key=lambda place: place.y())
        painter.setFont(made.font(made.sizes.caption))
        painter.setPen(made.color("map_label"))
        painter.drawText(top + QPointF(6, -4), f"fence, up to {ceiling_m:.0f} m")


def _paint_home(painter: QPainter, view: MapView, state: DroneState, made: Look, *, is_selected: bool) -> None:
    if state.home is None:
        return
    x, y = view.to_px(*to_mercator(state.home.point))
    if is_selected and state.position is not None:
        painter.setPen(QPen(made.color("map_marker"), 1.2, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, y), QPointF(*view.to_px(*to_mercator(state.position.point))))
    side = made.sizes.body * 1.1
    box = QRectF(x - side / 2, y - side / 2, side, side)
    painter.setPen(QPen(made.color("map_marker"), 1.5))
    painter.setBrush(made.color("panel"))
    painter.drawEllipse(box)
    painter.setFont(made.font(made.sizes.caption, weight=QFont.Weight.DemiBold))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "H")


def _paint_footprint(painter: QPainter, view: MapView, state: DroneState, now: datetime, made: Look) -> None:
    corners = footprint_of(state, now)
    if corners:
        fill = QColor(made.color("map_marker"))
        fill.setAlpha(36)
        painter.setBrush(fill)
        painter.setPen(QPen(made.color("map_marker"), 1.2, Qt.PenStyle.DashLine))
        painter.drawPolygon(_polygon(corners, view))
    center = None if state.footprint is None else state.footprint.center
    if center is not None and state.footprint is not None and not is_stale(state.footprint.at, now, 5.0):
        x, y = view.to_px(*to_mercator(center))
        painter.setPen(QPen(made.color("map_marker"), 1.5))
        painter.drawLine(QPointF(x - 6, y), QPointF(x + 6, y))
        painter.drawLine(QPointF(x, y - 6), QPointF(x, y + 6))


def footprint_of(state: DroneState, now: datetime) -> tuple[GeoPoint, ...]:
    """Return the ground that a drone's camera sees right now; empty where that is not known."""
    if state.position is None or is_stale(state.position.at, now, POSITION_STALE_S):
        return ()
    height = state.fresh("altitude_ground_m", now)
    height = state.fresh("altitude_home_m", now) if height is None else height
    heading = state.fresh("gimbal_heading_deg", now)
    heading = state.fresh("heading_deg", now) if heading is None else heading
    pitch = state.fresh("gimbal_pitch_deg", now)
    across, along = state.fresh("camera_h_fov_deg", now), state.fresh("camera_v_fov_deg", now)
    if height is None or heading is None or pitch is None or across is None:
        return ()
    return seen_ground(
        Looking(
            point=state.position.point,
            height_m=height,
            heading_deg=heading,
            pitch_deg=pitch,
            h_fov_deg=across,
            v_fov_deg=across * 9.0 / 16.0 if along is None else along,
        )
    )


def _paint_uncertainty(
    painter: QPainter, view: MapView, drone: Drone, state: DroneState, now: datetime, made: Look
) -> None:
    radius_m = uncertainty_m(drone, state, now)
    if radius_m is None or state.position is None:
        return
    radius_px = radius_m / view.ground_m
    if radius_px < _LEAST_RING_PX:
        return
    x, y = view.to_px(*to_mercator(state.position.point))
    is_old = is_stale(state.position.at, now, POSITION_STALE_S)
    pen = QPen(made.color("quality" if is_old else "map_marker"), 1.5, Qt.PenStyle.DotLine)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(QPointF(x, y), radius_px, radius_px)
    if is_old:
        painter.setFont(made.font(made.sizes.caption))
        painter.setPen(made.color("map_label"))
        text = f"within {radius_m:,.0f} m" if radius_m < 10_000 else f"within {radius_m / 1000:,.0f} km"
        painter.drawText(QPointF(x + 6, y - radius_px - 4), text)


def _paint_symbol(painter: QPainter, view: MapView, one: _Symbol, made: Look) -> None:
    position = one.state.position
    assert position is not None
    place = QPointF(*view.to_px(*to_mercator(position.point)))
    is_old = one.state.health is LinkHealth.LOST or is_stale(position.at, one.now, POSITION_STALE_S)
    heading = one.state.value("heading_deg")
    painter.setPen(QPen(made.color("window"), 4.0))
    painter.setBrush(made.color("window"))
    shape = _shape(heading).translated(place)
    painter.drawPolygon(shape)
    ink = made.color("focus" if one.is_selected else "text")
    dotted = Qt.PenStyle.DotLine if is_old or one.is_replayed else Qt.PenStyle.SolidLine
    painter.setPen(QPen(ink, 2.0, dotted))
    painter.setBrush(made.color("panel") if is_old or one.is_replayed else ink)
    painter.drawPolygon(shape)
    if is_old:
        side = made.sizes.body
        paint_bad_quality(painter, QRectF(place.x() - side * 1.6, place.y() - side * 1.3, side, side), made)
    age = format_age((one.now - position.at).total_seconds()) if is_old else ""
    height = first_shown(one.state, HEIGHT_KEYS, one.now)
    words = [one.name, f"last seen {age} ago" if age else height.sentence if height.value is not None else ""]
    _paint_label(painter, place, "  ".join(word for word in words if word), made)


def _shape(heading_deg: float | None) -> QPolygonF:
    """Return an arrowhead that points where the drone heads; a diamond where that is not known."""
    half = _SIDE_PX / 2
    if heading_deg is None:
        return QPolygonF([QPointF(0, -half), QPointF(half, 0), QPointF(0, half), QPointF(-half, 0)])
    arrow = QPolygonF(
        [QPointF(0, -half), QPointF(half * 0.72, half * 0.8), QPointF(0, half * 0.4), QPointF(-half * 0.72, half * 0.8)]
    )
    return QTransform().rotate(heading_deg).map(arrow)


def _paint_label(painter: QPainter, place: QPointF, text: str, made: Look) -> None:
    font = made.font(made.sizes.small, weight=QFont.Weight.DemiBold)
    metrics = QFontMetricsF(font)
    plate = QRectF(0, 0, metrics.horizontalAdvance(text) + 10, metrics.height() + 2)
    plate.moveTo(place.x() + _SIDE_PX * 0.6, place.y() - plate.height() / 2)
    fill = QColor(made.color("panel"))
    fill.setAlpha(215)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(fill)
    painter.drawRoundedRect(plate, 3, 3)
    painter.setFont(font)
    painter.setPen(made.color("text"))
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)


def _polygon(corners: Iterable[GeoPoint], view: MapView) -> QPolygonF:
    return QPolygonF([QPointF(*view.to_px(*to_mercator(corner))) for corner in corners])
