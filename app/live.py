"""The console's picture of the room: the newest committed state of everything, and who wants to hear of changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from itertools import islice
from typing import Any, TypeVar

import msgspec
from PySide6.QtCore import SIGNAL, QObject, QTimer, Signal

from core.cameras.model import Camera
from core.cameras.onvif.model import Steering
from core.drones.model import Drone, DroneLink, DroneState
from core.field.model import Device, DeviceCommand, Reading, Twin
from core.incidents.holds import Holds
from core.incidents.model import Alarm, Incident
from core.incidents.review import ReviewItem
from core.incidents.rules.model import RulesInForce
from core.incidents.shift import ShiftEntry
from core.incidents.warnings import RegionalWarning
from core.incidents.work import Unit
from core.media.model import StreamReport
from core.node.live import Changes, Snapshot
from core.node.model import Health
from core.parking.model import BayStatus, Lot, LotOccupancy

Kind = TypeVar("Kind")

COALESCE_MS = 200
"""Nobody reads figures that change faster, and tables that show them are what the window paints longest."""

MAX_INCIDENTS = 2000
MAX_COMMANDS = 12_000
"""More than may wait for an answer: of a command to many each is followed."""

"""Kept in memory; a console runs for weeks, the history is in the database."""

PORTION = 400
"""As many devices or readings are told in one turn of the loop: 10,000 that speak at once take the window a while."""

URGENT_MS = 15
PARTS = (
    "cameras",
    "rings",
    "devices",
    "readings",
    "commands",
    "twins",
    "lot_plans",
    "lots",
    "bays",
    "streams",
    "counts",
    "incidents",
    "alarms",
    "units",
    "warnings",
    "shift",
    "steering",
    "reviews",
    "drone_plans",
    "drones",
    "drone_links",
    "rules",
    "holds",
    "health",
)
"""In the order in which they are told: an alarm names a camera that must be there already."""

FAST_PARTS = ("lot_plans", "bays", "drone_plans", "drones")
URGENT_PARTS = ("cameras", "rings", "incidents", "alarms", "units", "warnings", "steering")


class LiveModel(QObject):
    """Holds frozen models by id; signals at most five times a second, alarms at once.

    Signals:
        cameras_changed, rings_changed, devices_changed, readings_changed, lots_changed, lot_plans_changed,
        bays_changed, streams_changed,
        counts_changed, alarms_changed, incidents_changed, units_changed, warnings_changed, shift_changed,
        steering_changed, reviews_changed, rules_changed, holds_changed, health_changed, drones_changed,
        drone_plans_changed,
        drone_links_changed:
            Something of that kind is new; read the attribute. Devices and readings: others are there than before.
        alarms_arrived: The same as alarms_changed, before anybody hears of anything else: for the list, which paints
            what calls before the window does more.
        devices_updated(tuple[Device, ...]), readings_updated(tuple[Reading, ...]):
            Newer states of some that were there before: of 10,000 devices a few hundred speak in a fifth of a second.
        bays_updated(tuple[BayStatus, ...]):
            Bays that stand otherwise, with every push of the node; where other lots or bays are drawn than before,
            bays_changed comes instead.
        drones_updated(tuple[DroneState, ...]):
            Drones that are otherwise, with every push of the node, at most ten times a second; where others are there
            than before, drones_changed comes instead.
    """

    cameras_changed = Signal()
    rings_changed = Signal()
    devices_changed = Signal()
    devices_updated = Signal(object)
    readings_changed = Signal()
    readings_updated = Signal(object)
    commands_changed = Signal()
    twins_changed = Signal()
    lots_changed = Signal()
    lot_plans_changed = Signal()
    bays_changed = Signal()
    bays_updated = Signal(object)
    streams_changed = Signal()
    counts_changed = Signal()
    alarms_changed = Signal()
    alarms_arrived = Signal()
    incidents_changed = Signal()
    units_changed = Signal()
    warnings_changed = Signal()
    shift_changed = Signal()
    steering_changed = Signal()
    reviews_changed = Signal()
    rules_changed = Signal()
    holds_changed = Signal()
    health_changed = Signal()
    drones_changed = Signal()
    drones_updated = Signal(object)
    drone_plans_changed = Signal()
    drone_links_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cameras: dict[str, Camera] = {}
        self.devices: dict[str, Device] = {}
        self.readings: dict[tuple[str, str], Reading] = {}
        self.commands: dict[str, DeviceCommand] = {}
        """To devices, since this console came in; the history is asked for."""

        self.twins: dict[str, Twin] = {}
        self.lots: dict[str, LotOccupancy] = {}
        self.lot_plans: dict[str, Lot] = {}
        self.bays: dict[str, dict[str, BayStatus]] = {}
        """By lot and bay."""

        self.streams: dict[str, StreamReport] = {}
        self.line_totals: dict[str, dict[str, dict[str, int]]] = {}
        self.line_gaps: dict[str, dict[str, int]] = {}
        self.inside: dict[str, dict[str, int]] = {}
        self.alarms: dict[str, Alarm] = {}
        self.incidents: dict[str, Incident] = {}
        self.units: dict[str, Unit] = {}
        self.warnings: dict[str, RegionalWarning] = {}
        self.shift: list[ShiftEntry] = []
        """What was written into the shift log since this console came in; of the rest the node knows."""

        self.steering: dict[str, Steering] = {}
        self.reviews: dict[str, ReviewItem] = {}
        """What was reviewed since this console came in; of the rest the node knows."""

        self.rings: dict[str, str] = {}
        """Where the pictures of each camera lie on the node's machine."""

        self.rules: RulesInForce | None = None
        self.holds = Holds()
        self.health: Health | None = None
        self.drones: dict[str, DroneState] = {}
        self.drone_plans: dict[str, Drone] = {}
        self.drone_links: tuple[DroneLink, ...] = ()
        self.n_pushes = 0
        self._dirty: set[str] = set()
        self._fresh_devices: dict[str, Device] | None = {}
        self._fresh_readings: dict[tuple[str, str], Reading] | None = {}
        """What came since the last signal; None where everything has to be looked at."""

        self._fresh_bays: dict[tuple[str, str], BayStatus] | None = {}
        self._fresh_drones: dict[str, DroneState] | None = {}

        self._timers = (
            self._make_timer(self._tell_urgent, URGENT_MS),
            self._make_timer(self._tell_in_turn, COALESCE_MS),
        )
        self._next = self._make_timer(self._tell_next, 0)
        self._due: list[str] = []
        self._n_ears = dict.fromkeys(PARTS, 0)
        self._is_held = False

    def _make_timer(self, tell: Callable[[], None], wait_ms: int) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(wait_ms)
        timer.timeout.connect(tell)
        return timer

    def load(self, snapshot: Snapshot) -> None:
        """Start from a complete state; whatever was known before is forgotten."""
        for kept in (self.cameras, self.devices, self.lots, self.streams, self.alarms, self.incidents, self.bays):
            kept.clear()
        self.lot_plans.clear()
        self.readings.clear()
        self.commands.clear()
        self.twins.clear()
        self.units.clear()
        self.warnings.clear()
        self.shift.clear()
        self.steering.clear()
        self.reviews.clear()
        self.drones.clear()
        self.drone_plans.clear()
        self.drone_links = ()
        self.line_totals.clear()
        self.line_gaps.clear()
        self.inside.clear()
        self.rings = dict(snapshot.rings)
        self._take(snapshot.changes)
        if not self._is_held:
            self.tell_all()

    def hold(self) -> None:
        """Tell nothing until `tell_all`: who would hear it is still being made."""
        self._is_held = True

    def tell_all(self) -> None:
        """Signal everything, as to somebody who has just come in."""
        self._mark_all()
        self._tell(PARTS)

    @property
    def is_telling(self) -> bool:
        """Of what is told in turn some is still to come."""
        return bool(self._due)

    def tell_all_in_turn(self) -> None:
        """Signal everything, one part a turn of the loop: ten thousand devices take a while."""
        self._mark_all()
        self._tell_in_turn()

    def _mark_all(self) -> None:
        self._is_held = False
        self._dirty |= set(PARTS)
        self._fresh_devices = self._fresh_readings = self._fresh_bays = self._fresh_drones = None
        self._n_ears = self._count_ears()

    def follow(self, name: str, slot: Callable[[], None]) -> None:
        """Connect who hears what stands in another way, or looks once it is shown: nobody is told anew for it."""
        getattr(self, f"{name}_changed").connect(slot)
        self._n_ears[name] += 1

    def tell_newcomers(self) -> None:
        """Signal soon, as to somebody who has just come in, the parts that more listen to than when all was told."""
        before, self._n_ears = self._n_ears, self._count_ears()
        parts = {name for name in PARTS if self._n_ears[name] > before[name]}
        if self._is_held or not parts:
            return
        self._dirty |= parts
        if "devices" in parts:
            self._fresh_devices = None
        if "readings" in parts:
            self._fresh_readings = None
        if "bays" in parts:
            self._fresh_bays = None
        if "drones" in parts:
            self._fresh_drones = None
        self._tell_soon()

    def _count_ears(self) -> dict[str, int]:
        ears = {name: self.receivers(SIGNAL(f"{name}_changed()")) for name in PARTS}
        ears["alarms"] += self.receivers(SIGNAL("alarms_arrived()"))
        return ears

    def apply(self, data: Any) -> None:
        """Take one push of the node.

        Raises:
            msgspec.ValidationError: It is no push of this version.
        """
        self.n_pushes += 1
        changes = msgspec.convert(data, Changes)
        self._take(changes)
        if self._is_held:
            return
        if not self._timers[0].isActive():
            self._tell_urgent()
        # Bays and drones change while one looks at them, and the node has coalesced already.
        self._tell(FAST_PARTS)
        self._tell_soon()

    def _tell_soon(self) -> None:
        all_parts = self._timers[1]
        if not all_parts.isActive() and not self._next.isActive():
            all_parts.start()

    def _tell_urgent(self) -> None:
        """Signal what is urgent at once; what comes right behind it waits a moment for its like."""
        if not self._dirty.isdisjoint(URGENT_PARTS):
            self._timers[0].start()
            self._tell(URGENT_PARTS)

    def set_rings(self, rings: dict[str, str]) -> None:
        """Take where pictures lie, which no push says."""
        self.rings = rings
        self.rings_changed.emit()

    def close(self) -> None:
        """Tell nobody anything any more."""
        for timer in (*self._timers, self._next):
            timer.stop()
        self.blockSignals(True)

    def open_alarms(self) -> tuple[Alarm, ...]:
        """Return what stands in the alarm list."""
        return tuple(alarm for alarm in self.alarms.values() if alarm.is_open)

    def lot_id_of(self, item_id: str) -> str:
        """Return the lot that a lot or one of its devices means: the drawn one, where it is drawn."""
        if item_id in self.lot_plans:
            return item_id
        return next((plan.lot_id for plan in self.lot_plans.values() if item_id in plan.device_ids), item_id)

    def names_at_lots(self) -> dict[str, str]:
        """Return the names of who speaks of bays, by id: cameras, and devices of lots."""
        names = {camera.camera_id: camera.name for camera in self.cameras.values()}
        return names | {device.device_id: device.name for device in self.devices.values() if device.kind == "lot"}

    def _take(self, changes: Changes) -> None:
        for camera in changes.cameras:
            self.cameras[camera.camera_id] = camera
        for camera_id in changes.removed_cameras:
            for kept in (self.cameras, self.streams, self.line_totals, self.line_gaps, self.inside):
                kept.pop(camera_id, None)
            self.steering.pop(camera_id, None)
            self.rings.pop(camera_id, None)
        # One that was taken back in the same moment is there again.
        for device_id in changes.removed_devices:
            self._forget_device(device_id)
        for device in changes.devices:
            if self._fresh_devices is not None:
                self._fresh_devices[device.device_id] = device
            known_device = self.devices.get(device.device_id)
            if known_device is None or known_device.kind != device.kind:
                self._fresh_devices = None
            self.devices[device.device_id] = device
        for reading in changes.readings:
            key = (reading.device_id, reading.stream)
            self.readings[key] = reading
            if self._fresh_readings is not None:
                self._fresh_readings[key] = reading
        self._take_parking(changes)
        self._take_drones(changes)
        for report in changes.streams:
            self.streams[report.camera_id] = report
        for alarm in changes.alarms:
            known = self.alarms.get(alarm.alarm_id)
            # Pushes and a snapshot may overtake each other; the version tells which is newer.
            if known is None or alarm.version >= known.version:
                self.alarms[alarm.alarm_id] = alarm
            if not self.alarms[alarm.alarm_id].is_open:
                del self.alarms[alarm.alarm_id]
        for incident in changes.incidents:
            known_incident = self.incidents.get(incident.incident_id)
            if known_incident is not None and known_incident.version > incident.version:
                continue
            # The newest at the end: what has been over for long leaves first.
            self.incidents.pop(incident.incident_id, None)
            self.incidents[incident.incident_id] = incident
        while len(self.incidents) > MAX_INCIDENTS:
            del self.incidents[next(iter(self.incidents))]
        self.line_totals.update(changes.line_totals)
        self.line_gaps.update(changes.line_gaps)
        self.inside.update(changes.inside)
        self._take_work(changes)
        self.rules = changes.rules or self.rules
        self.holds = changes.holds or self.holds
        self.health = changes.health or self.health
        self._mark(changes)

    def _take_work(self, changes: Changes) -> None:
        for command in changes.commands:
            self.commands[command.command_id] = command
        while len(self.commands) > MAX_COMMANDS:
            del self.commands[next(iter(self.commands))]
        for twin in changes.twins:
            self.twins[twin.device_id] = twin
        for steering in changes.steering:
            if steering.by or steering.away_since is not None:
                self.steering[steering.camera_id] = steering
            else:
                self.steering.pop(steering.camera_id, None)
        for warning in changes.warnings:
            self.warnings[warning.warning_id] = warning
            if warning.has_ended:
                del self.warnings[warning.warning_id]
        self.shift += changes.shift
        del self.shift[:-MAX_INCIDENTS]
        for unit in changes.units:
            self.units[unit.unit_id] = unit
            if unit.is_removed:
                del self.units[unit.unit_id]
        for item in changes.reviews:
            self.reviews.pop(item.incident.incident_id, None)
            self.reviews[item.incident.incident_id] = item
        while len(self.reviews) > MAX_INCIDENTS:
            del self.reviews[next(iter(self.reviews))]

    def _take_parking(self, changes: Changes) -> None:
        for lot in changes.lots:
            self.lots[lot.lot_id] = lot
        for plan in changes.lot_plans:
            known = self.lot_plans.get(plan.lot_id)
            if known is not None and known.version > plan.version:
                continue
            self.lot_plans[plan.lot_id] = plan
            drawn = {bay.bay_id for bay in plan.bays}
            stay = self.bays.get(plan.lot_id, {})
            self.bays[plan.lot_id] = {bay_id: status for bay_id, status in stay.items() if bay_id in drawn}
            self._fresh_bays = None
            # A device that speaks for a drawn lot is no lot of its own.
            for device_id in plan.device_ids:
                self.lots.pop(device_id, None)
        for lot_id in changes.removed_lots:
            self.lot_plans.pop(lot_id, None)
            self.bays.pop(lot_id, None)
            self.lots.pop(lot_id, None)
            self._fresh_bays = None
        for bay in changes.bays:
            self.bays.setdefault(bay.lot_id, {})[bay.bay_id] = bay
            if self._fresh_bays is not None:
                self._fresh_bays[bay.lot_id, bay.bay_id] = bay

    def _take_drones(self, changes: Changes) -> None:
        for plan in changes.drone_plans:
            self.drone_plans[plan.drone_id] = plan
        for drone_id in changes.removed_drones:
            self.drone_plans.pop(drone_id, None)
            self.drones.pop(drone_id, None)
            self._fresh_drones = None
        for state in changes.drones:
            if state.drone_id not in self.drones:
                self._fresh_drones = None
            self.drones[state.drone_id] = state
            if self._fresh_drones is not None:
                self._fresh_drones[state.drone_id] = state
        self.drone_links = changes.drone_links or self.drone_links

    def _forget_device(self, device_id: str) -> None:
        self.devices.pop(device_id, None)
        self._fresh_devices = self._fresh_readings = None
        self.lots.pop(device_id, None)
        self.twins.pop(device_id, None)
        for key in [key for key in self.readings if key[0] == device_id]:
            del self.readings[key]

    def _mark(self, changes: Changes) -> None:
        marks = {
            "cameras": bool(changes.cameras or changes.removed_cameras),
            "rings": bool(changes.removed_cameras),
            "devices": bool(changes.devices or changes.removed_devices),
            "readings": bool(changes.readings or changes.removed_devices),
            "commands": bool(changes.commands),
            "twins": bool(changes.twins or changes.removed_devices),
            "lot_plans": bool(changes.lot_plans or changes.removed_lots),
            "lots": bool(changes.lots or changes.removed_lots),
            "bays": bool(changes.bays or changes.lot_plans or changes.removed_lots),
            "streams": bool(changes.streams),
            "counts": bool(changes.line_totals or changes.line_gaps or changes.inside),
            "alarms": bool(changes.alarms),
            "incidents": bool(changes.incidents),
            "units": bool(changes.units),
            "warnings": bool(changes.warnings),
            "shift": bool(changes.shift),
            "steering": bool(changes.steering),
            "reviews": bool(changes.reviews),
            "drones": bool(changes.drones or changes.removed_drones),
            "drone_plans": bool(changes.drone_plans or changes.removed_drones),
            "drone_links": bool(changes.drone_links),
            "rules": changes.rules is not None,
            "holds": changes.holds is not None,
            "health": changes.health is not None,
        }
        self._dirty |= {name for name, is_new in marks.items() if is_new}

    def _tell_in_turn(self) -> None:
        """Signal what is new, one part at a time, so that the window can do something else in between."""
        self._due = [name for name in PARTS if name in self._dirty for _ in range(self._n_portions(name))]
        self._tell_next()

    def _n_portions(self, name: str) -> int:
        fresh: Sized | None = {"devices": self._fresh_devices, "readings": self._fresh_readings}.get(name)
        return max(1, math.ceil(len(fresh or ()) / PORTION))

    def _tell_next(self) -> None:
        if self._due:
            self._tell((self._due.pop(0),))
        if self._due:
            self._next.start()
        elif self._dirty:
            # What came meanwhile waits like everything else.
            self._timers[1].start()

    def _tell(self, parts: tuple[str, ...]) -> None:
        dirty, self._dirty = self._dirty.intersection(parts), self._dirty.difference(parts)
        if "alarms" in dirty:
            self.alarms_arrived.emit()
        for name in parts:
            if name not in dirty:
                continue
            if name == "devices" and self._fresh_devices is not None:
                self.devices_updated.emit(_take_portion(self._fresh_devices))
                if self._fresh_devices:
                    self._dirty.add(name)
            elif name == "readings" and self._fresh_readings is not None:
                self.readings_updated.emit(_take_portion(self._fresh_readings))
                if self._fresh_readings:
                    self._dirty.add(name)
            elif name == "bays" and self._fresh_bays is not None:
                bays, self._fresh_bays = self._fresh_bays, {}
                self.bays_updated.emit(tuple(bays.values()))
            elif name == "drones" and self._fresh_drones is not None:
                drones, self._fresh_drones = self._fresh_drones, {}
                self.drones_updated.emit(tuple(drones.values()))
            else:
                self._tell_all_of(name)

    def _tell_all_of(self, name: str) -> None:
        if name == "devices":
            self._fresh_devices = {}
        elif name == "readings":
            self._fresh_readings = {}
        elif name == "bays":
            self._fresh_bays = {}
        elif name == "drones":
            self._fresh_drones = {}
        getattr(self, f"{name}_changed").emit()


def _take_portion(fresh: dict[Any, Kind]) -> tuple[Kind, ...]:
    """Take the oldest out of what is to be told."""
    return tuple(fresh.pop(key) for key in list(islice(fresh, PORTION)))
