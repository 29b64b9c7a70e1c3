"""What stands on the map: one marker for each placed camera and device, and how crowds of them are gathered.

No Qt here: the arithmetic over 10,000 markers is NumPy, and is tested without a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.cameras.model import Camera
from core.field.model import Device, Reading
from core.incidents.model import Alarm, Priority, SourceKind
from core.kernel.geo import GeoPoint, to_mercator_many
from core.media.model import StreamReport, StreamState
from core.parking.model import Lot, LotOccupancy
from widgets.base.conditions import UNTRUSTED, Condition, camera_condition, device_condition
from widgets.base.symbols import Attention, attention_of, mark_rank
from widgets.map.tile_grid import RectM
from widgets.traffic.figures import SPEED, UNKNOWN, LotFill, lot_fill, newest

ItemKey = tuple[str, str]
"""Kind ("camera", "station", "lot", "device") and id."""


_SOURCE_KINDS = {
    SourceKind.CAMERA: "camera",
    SourceKind.STATION: "station",
    SourceKind.LOT: "lot",
    SourceKind.DEVICE: "device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """One thing on the map.

    Attributes:
        x_m, y_m: Web Mercator.
        text: The value on the marker, e.g. "42" (km/h) or "43 free" (bays); empty shows an icon only.
        since: Start of a condition that is not OK, as far as it is known.
        priority: Of its most urgent open alarm.
        attention: How that alarm asks to be looked at.
    """

    kind: str
    item_id: str
    name: str
    x_m: float
    y_m: float
    condition: Condition = Condition.UNKNOWN
    text: str = ""
    since: datetime | None = None
    heading_deg: float = 0.0
    view_angle_deg: float = 0.0
    priority: Priority | None = None
    attention: Attention = Attention.NONE

    @property
    def is_calling(self) -> bool:
        """Its alarm is not acknowledged."""
        return self.attention is not Attention.NONE

    @property
    def key(self) -> ItemKey:
        """Kind and id."""
        return self.kind, self.item_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Several markers too near each other to be drawn apart.

    Attributes:
        n_untrusted: How many of them are stale or lost.
    """

    x_m: float
    y_m: float
    n_items: int
    n_untrusted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one view shows.

    Attributes:
        markers: To be drawn one by one, the most important last (on top).
        clusters: Drawn beneath.
    """

    markers: tuple[Marker, ...]
    clusters: tuple[Cluster, ...]


MAX_SINGLE = 250
"""Up to this many in view, every marker is drawn by itself, however near."""


class MarkerTable:
    """All markers of the site, brought up to date by what changed.

    Models are immutable, so an unchanged object is recognised by identity: with 10,000 devices of which 1,000 moved
    only those 1,000 are looked at. Places are kept in arrays; the marker itself is made when it is drawn: in a crowd
    few are.
    """

    def __init__(self) -> None:
        self._cameras: dict[str, Camera] = {}
        self._devices: dict[str, Device] = {}
        self._streams: Mapping[str, StreamReport] = {}
        self._readings: dict[str, dict[str, Reading]] = {}
        self._lots: dict[str, LotFill] = {}
        self._plans: dict[str, Lot] = {}
        self._spoken_for: frozenset[str] = frozenset()
        """Devices that speak for a drawn lot: the lot stands there, and not they."""

        self._alarms: dict[ItemKey, Alarm] = {}
        self._rows: dict[ItemKey, int] = {}
        self._keys: list[ItemKey] = []
        self._made: list[Marker | None] = []
        self._xy_m = np.empty((0, 2))
        self._is_single = np.empty(0, dtype=bool)
        self._is_untrusted = np.empty(0, dtype=bool)
        self._selected: ItemKey | None = None

    def __len__(self) -> int:
        """Number of placed markers."""
        return len(self._keys)

    @property
    def markers(self) -> list[Marker]:
        """Every marker, cameras first, each kind in the order it came."""
        return [self._marker(row) for row in range(len(self._keys))]

    @property
    def is_calling(self) -> bool:
        """Something on the map wants an acknowledge."""
        return any(alarm.is_calling for alarm in self._alarms.values())

    def get(self, key: ItemKey) -> Marker | None:
        """Return one marker, or None where the thing has no place."""
        row = self._rows.get(key)
        return None if row is None else self._marker(row)

    def set_cameras(self, cameras: Iterable[Camera]) -> None:
        """Replace the cameras."""
        before, self._cameras = self._cameras, {camera.camera_id: camera for camera in cameras}
        changed = [("camera", key) for key, camera in self._cameras.items() if before.get(key) is not camera]
        self._update(changed, is_same_set=before.keys() == self._cameras.keys())

    def set_devices(self, devices: Iterable[Device]) -> None:
        """Replace the devices."""
        before, self._devices = self._devices, {device.device_id: device for device in devices}
        changed = [(marker_kind(device), key) for key, device in self._devices.items() if before.get(key) is not device]
        self._update(changed, is_same_set=before.keys() == self._devices.keys())

    def update_devices(self, devices: Iterable[Device]) -> None:
        """Bring some devices up to date; one that was not there before is added."""
        changed = []
        is_same_set = True
        for device in devices:
            before = self._devices.get(device.device_id)
            is_same_set &= before is not None and marker_kind(before) == marker_kind(device)
            self._devices[device.device_id] = device
            changed.append((marker_kind(device), device.device_id))
        self._update(changed, is_same_set=is_same_set)

    def set_streams(self, streams: Mapping[str, StreamReport]) -> None:
        """Replace what is known about the cameras' pictures."""
        before, self._streams = self._streams, dict(streams)
        keys = before.keys() | self._streams.keys()
        changed = [key for key in keys if _stream_look(before.get(key)) != _stream_look(self._streams.get(key))]
        self._update([("camera", key) for key in changed if key in self._cameras], is_same_set=True)

    def set_readings(self, readings: Iterable[Reading]) -> None:
        """Replace the newest values of all streams."""
        before, self._readings = self._readings, {}
        for reading in readings:
            self._readings.setdefault(reading.device_id, {})[reading.stream] = reading
        keys = before.keys() | self._readings.keys()
        self._show_values(key for key in keys if before.get(key) != self._readings.get(key))

    def update_readings(self, readings: Iterable[Reading]) -> None:
        """Bring some newest values up to date."""
        changed = set()
        for reading in readings:
            self._readings.setdefault(reading.device_id, {})[reading.stream] = reading
            changed.add(reading.device_id)
        self._show_values(changed)

    def _show_values(self, device_ids: Iterable[str]) -> None:
        """Make these markers anew; a value changes neither place nor crowd."""
        for device_id in device_ids:
            device = self._devices.get(device_id)
            row = None if device is None else self._rows.get((marker_kind(device), device_id))
            if row is not None:
                self._made[row] = None

    def set_lots(self, lots: Iterable[LotOccupancy]) -> None:
        """Replace how full the lots are; what the site counted goes before what a gateway said."""
        before, self._lots = (
            self._lots,
            {
                lot.lot_id: LotFill(n_bays=lot.n_bays, n_occupied=lot.n_occupied, n_unknown=lot.n_unknown)
                for lot in lots
            },
        )
        keys = before.keys() | self._lots.keys()
        changed = [key for key in keys if before.get(key) != self._lots.get(key)]
        self._update([("lot", key) for key in changed if ("lot", key) in self._rows], is_same_set=True)

    def set_plans(self, plans: Iterable[Lot]) -> None:
        """Replace the drawn lots; each stands where it was drawn, instead of its devices."""
        before, self._plans = self._plans, {plan.lot_id: plan for plan in plans if plan.position is not None}
        if [(plan.lot_id, plan.version) for plan in before.values()] == [
            (plan.lot_id, plan.version) for plan in self._plans.values()
        ]:
            return
        self._spoken_for = frozenset(device_id for plan in self._plans.values() for device_id in plan.device_ids)
        self._rebuild()

    def set_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Replace the open alarms; the most urgent one of each thing counts."""
        before, self._alarms = self._alarms, {}
        for alarm in alarms:
            kind = _SOURCE_KINDS.get(alarm.source_kind)
            if kind is None or not alarm.is_open:
                continue
            key = (kind, alarm.source_id)
            known = self._alarms.get(key)
            if known is None or mark_rank(alarm) < mark_rank(known):
                self._alarms[key] = alarm
        keys = before.keys() | self._alarms.keys()
        self._update([key for key in keys if before.get(key) != self._alarms.get(key)], is_same_set=True)

    def select(self, key: ItemKey | None) -> None:
        """Keep this one apart from every crowd."""
        for changed in (self._selected, key):
            row = self._rows.get(changed) if changed is not None else None
            if row is not None:
                self._is_single[row] = changed == key or self._keys[row] in self._alarms
        self._selected = key

    def bounds(self) -> RectM | None:
        """Return the rectangle around all markers, or None where there are none."""
        if not len(self._xy_m):
            return None
        low, high = self._xy_m.min(axis=0), self._xy_m.max(axis=0)
        return RectM(float(low[0]), float(low[1]), float(high[0]), float(high[1]))

    def scene(self, view: RectM, cell_m: float) -> Scene:
        """Return what to draw in `view`; where it is crowded, markers within one cell of `cell_m` are gathered."""
        xy = self._xy_m
        if not len(xy):
            return Scene(markers=(), clusters=())
        is_in = (xy[:, 0] >= view.left) & (xy[:, 0] <= view.right) & (xy[:, 1] >= view.bottom) & (xy[:, 1] <= view.top)
        rows = np.flatnonzero(is_in)
        if len(rows) <= MAX_SINGLE:
            return Scene(markers=self._in_order(rows), clusters=())
        is_single = self._is_single[rows]
        singles, crowd = rows[is_single], rows[~is_single]
        clusters, lonely = _gather(xy[crowd], self._is_untrusted[crowd], cell_m)
        return Scene(markers=self._in_order(np.concatenate([crowd[lonely], singles])), clusters=clusters)

    def nearest(self, x_m: float, y_m: float, reach_m: float, scene: Scene) -> Marker | Cluster | None:
        """Return the drawn thing nearest to a place, or None beyond `reach_m`; the upper one where two are as near."""
        found: Marker | Cluster | None = None
        best = reach_m
        drawn: tuple[Marker | Cluster, ...] = (*scene.clusters, *scene.markers)
        for item in drawn:
            distance = math.hypot(item.x_m - x_m, item.y_m - y_m)
            if distance <= best:
                found, best = item, distance
        return found

    def _in_order(self, rows: NDArray[np.intp]) -> tuple[Marker, ...]:
        found = [self._marker(row) for row in rows]
        found.sort(key=self._rank)
        return tuple(found)

    def _rank(self, marker: Marker) -> tuple[bool, int, float]:
        # Southern markers over northern ones, urgent ones over both, the selected one on top.
        return marker.key == self._selected, 0 if marker.priority is None else 9 - marker.priority, -marker.y_m

    def _update(self, changed: list[ItemKey], *, is_same_set: bool) -> None:
        if not is_same_set:
            self._rebuild()
            return
        rows: list[int] = []
        places: list[GeoPoint] = []
        for key in changed:
            row, place = self._rows.get(key), self._place(key)
            if (row is None) != (place is None):
                self._rebuild()
                return
            if row is not None and place is not None:
                rows.append(row)
                places.append(place)
                self._made[row] = None
        if rows:
            self._fill(rows, places)

    def _rebuild(self) -> None:
        keys: list[ItemKey] = [("camera", key) for key in self._cameras]
        keys += [("lot", key) for key in self._plans]
        keys += [
            (marker_kind(device), key)
            for key, device in self._devices.items()
            if not (device.kind == "lot" and (key in self._spoken_for or key in self._plans))
        ]
        placed = [(key, place) for key in keys if (place := self._place(key)) is not None]
        n_placed = len(placed)
        self._keys = [key for key, _ in placed]
        self._rows = {key: row for row, key in enumerate(self._keys)}
        self._made = [None] * n_placed
        self._xy_m = np.empty((n_placed, 2))
        self._is_single = np.empty(n_placed, dtype=bool)
        self._is_untrusted = np.empty(n_placed, dtype=bool)
        self._fill(range(n_placed), [place for _, place in placed])

    def _fill(self, rows: Sequence[int], places: Sequence[GeoPoint]) -> None:
        """Write down what decides where and whether each of these is drawn by itself."""
        which = np.asarray(rows, dtype=np.intp)
        keys = [self._keys[row] for row in rows]
        self._xy_m[which] = to_mercator_many(places)
        self._is_single[which] = [key in self._alarms or key == self._selected for key in keys]
        self._is_untrusted[which] = [self._condition(key) in UNTRUSTED for key in keys]

    def _place(self, key: ItemKey) -> GeoPoint | None:
        kind, item_id = key
        thing = self._thing(kind, item_id)
        return None if thing is None else thing.position

    def _thing(self, kind: str, item_id: str) -> Camera | Lot | Device | None:
        if kind == "camera":
            return self._cameras.get(item_id)
        if kind == "lot" and item_id in self._plans:
            return self._plans[item_id]
        return None if item_id in self._spoken_for else self._devices.get(item_id)

    def _condition(self, key: ItemKey) -> Condition:
        kind, item_id = key
        if kind == "camera":
            return camera_condition(self._cameras[item_id], self._streams.get(item_id))
        if kind == "lot" and item_id in self._plans:
            return _lot_condition(self._lots.get(item_id))
        return device_condition(self._devices[item_id])

    def _marker(self, row: int) -> Marker:
        marker = self._made[row]
        if marker is None:
            marker = self._made[row] = self._make(row)
        return marker

    def _make(self, row: int) -> Marker:
        key = self._keys[row]
        kind, item_id = key
        x_m, y_m = self._xy_m[row].tolist()
        alarm = self._alarms.get(key)
        condition = self._condition(key)
        thing: Camera | Device | Lot
        text, heading_deg, view_angle_deg, since = "", 0.0, 0.0, None
        if kind == "camera":
            thing = camera = self._cameras[item_id]
            heading_deg, view_angle_deg = camera.heading_deg, camera.view_angle_deg
        elif kind == "lot" and item_id in self._plans:
            thing = self._plans[item_id]
            text = _free_text(self._lots.get(item_id))
        else:
            thing = device = self._devices[item_id]
            text = self._value_text(kind, item_id)
            since = device.last_seen_at if condition in UNTRUSTED else None
        return Marker(
            kind=kind,
            item_id=item_id,
            name=thing.name,
            x_m=x_m,
            y_m=y_m,
            condition=condition,
            text=text,
            since=since,
            heading_deg=heading_deg,
            view_angle_deg=view_angle_deg,
            priority=None if alarm is None else alarm.priority,
            attention=Attention.NONE if alarm is None else attention_of(alarm),
        )

    def _value_text(self, kind: str, device_id: str) -> str:
        readings = self._readings.get(device_id, {}).values()
        if kind == "station":
            speed = newest(readings, SPEED.value)
            return UNKNOWN if speed is None else f"{speed:.0f}"
        if kind == "lot":
            return _free_text(self._lots.get(device_id) or newest(readings, lot_fill))
        return ""


def marker_kind(device: Device) -> str:
    """Return the kind of marker a device gets."""
    return device.kind if device.kind in {"station", "lot"} else "device"


def _free_text(fill: LotFill | None) -> str:
    """Write how many bays are free, and of how many nobody knows."""
    if fill is None or fill.n_unknown >= fill.n_bays > 0:
        return UNKNOWN
    return f"{fill.n_free} free" + (f", {fill.n_unknown} ?" if fill.n_unknown else "")


def _lot_condition(fill: LotFill | None) -> Condition:
    if fill is None:
        return Condition.UNKNOWN
    return Condition.STALE if fill.n_unknown >= fill.n_bays > 0 else Condition.OK


def _stream_look(report: StreamReport | None) -> StreamState | None:
    return None if report is None else report.state


def _gather(
    xy_m: NDArray[np.float64], is_untrusted: NDArray[np.bool_], cell_m: float
) -> tuple[tuple[Cluster, ...], NDArray[np.intp]]:
    """Gather points by cell.

    Returns:
        The cells with two or more points, at their mean; and the rows of the points that are alone in theirs.
    """
    if not len(xy_m):
        return (), np.empty(0, dtype=np.intp)
    column, line = np.floor(xy_m / cell_m).astype(np.int64).T
    cells = (column - column.min()) * (int(line.max() - line.min()) + 1) + (line - line.min())
    _, which, counts = np.unique(cells, return_inverse=True, return_counts=True)
    crowded = np.flatnonzero(counts > 1)
    x_mean = np.bincount(which, weights=xy_m[:, 0]) / counts
    y_mean = np.bincount(which, weights=xy_m[:, 1]) / counts
    n_untrusted = np.bincount(which, weights=is_untrusted)
    clusters = tuple(
        Cluster(
            x_m=float(x_mean[cell]),
            y_m=float(y_mean[cell]),
            n_items=int(counts[cell]),
            n_untrusted=int(n_untrusted[cell]),
        )
        for cell in crowded
    )
    return clusters, np.flatnonzero(counts[which] == 1)
