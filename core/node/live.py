"""Live changes for consoles: collected from the bus, coalesced, pushed ten times a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace

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
from core.node.model import Health
from core.parking.model import BayStatus, Lot, LotOccupancy

FLUSH_PERIOD_S = 0.1
PORTION = 500
"""Devices or readings in one push: a console takes a push at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since the last push; also, complete, the snapshot a console starts from.

    Attributes:
        removed_cameras: Ids.
        line_totals: Vehicles, and people apart, since midnight at the site, by camera, line and direction.
        line_gaps: Minutes since midnight of which all or a part is missing in these totals, by camera and line: where
            there are any, the totals are the least that there were.
        commands: Commands to devices that went out, were answered or ran out of time; in a snapshot those that wait.
        twins: What devices should be set to and say they are set to.
        inside: Vehicles inside each zone right now, by camera and zone.
        steering: Who steers which camera, and which are turned away; without either it is as usual.
        reviews: Incidents that were reviewed, or wait again; none in a snapshot.
        units: Who can be sent; a removed one comes once more.
        shift: Entries written since; none in a snapshot.
        warnings: Regional warnings; one that has ended comes once more.
        lot_plans: Lots as they are drawn.
        removed_lots: Ids.
        bays: Bays that stand otherwise, became stale or were confirmed.
        rules: The alarm rules in force.
        holds: All that is out of service, and works; where one of them is otherwise.
        drones: What is known of drones that are otherwise than before.
        drone_plans: Drones as they are set up: name, site, fence.
        removed_drones: Ids.
        drone_links: All of the node's links to drones, where one of them is otherwise; empty where none is.
    """

    alarms: tuple[Alarm, ...] = ()
    incidents: tuple[Incident, ...] = ()
    cameras: tuple[Camera, ...] = ()
    removed_cameras: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    removed_devices: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    commands: tuple[DeviceCommand, ...] = ()
    twins: tuple[Twin, ...] = ()
    lots: tuple[LotOccupancy, ...] = ()
    lot_plans: tuple[Lot, ...] = ()
    removed_lots: tuple[str, ...] = ()
    bays: tuple[BayStatus, ...] = ()
    streams: tuple[StreamReport, ...] = ()
    line_totals: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    line_gaps: dict[str, dict[str, int]] = field(default_factory=dict)
    inside: dict[str, dict[str, int]] = field(default_factory=dict)
    steering: tuple[Steering, ...] = ()
    reviews: tuple[ReviewItem, ...] = ()
    units: tuple[Unit, ...] = ()
    shift: tuple[ShiftEntry, ...] = ()
    warnings: tuple[RegionalWarning, ...] = ()
    rules: RulesInForce | None = None
    holds: Holds | None = None
    health: Health | None = None
    drones: tuple[DroneState, ...] = ()
    drone_plans: tuple[Drone, ...] = ()
    removed_drones: tuple[str, ...] = ()
    drone_links: tuple[DroneLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a console needs after sign-in.

    Attributes:
        rings: File of each camera's frame ring on the node's machine.
    """

    changes: Changes
    rings: dict[str, str]


class LiveCollector:
    """Keeps the newest of everything until the next flush.

    Alarms, incidents and removals are flushed at once, everything else at the next tenth of a second. Nothing of the
    former is ever coalesced away: an alarm that changed twice within a flush is pushed in its last, committed state.
    """

    def __init__(self, push: Callable[[Changes], None]) -> None:
        """Hand every batch to `push`, on the loop."""
        self._push = push
        self._alarms: dict[str, Alarm] = {}
        self._incidents: dict[str, Incident] = {}
        self._cameras: dict[str, Camera] = {}
        self._removed_cameras: list[str] = []
        self._devices: dict[str, Device] = {}
        self._removed_devices: list[str] = []
        self._readings: dict[tuple[str, str], Reading] = {}
        self._commands: dict[str, DeviceCommand] = {}
        self._twins: dict[str, Twin] = {}
        self._lots: dict[str, LotOccupancy] = {}
        self._lot_plans: dict[str, Lot] = {}
        self._removed_lots: list[str] = []
        self._bays: dict[tuple[str, str], BayStatus] = {}
        self._streams: dict[str, StreamReport] = {}
        self._line_totals: dict[str, dict[str, dict[str, int]]] = {}
        self._line_gaps: dict[str, dict[str, int]] = {}
        self._inside: dict[str, dict[str, int]] = {}
        self._steering: dict[str, Steering] = {}
        self._reviews: dict[str, ReviewItem] = {}
        self._units: dict[str, Unit] = {}
        self._shift: list[ShiftEntry] = []
        self._warnings: dict[str, RegionalWarning] = {}
        self._rules: RulesInForce | None = None
        self._holds: Holds | None = None
        self._health: Health | None = None
        self._drones: dict[str, DroneState] = {}
        self._drone_plans: dict[str, Drone] = {}
        self._removed_drones: list[str] = []
        self._drone_links: tuple[DroneLink, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._is_urgent = False

    def add_alarm(self, alarm: Alarm) -> None:
        """Push this alarm at once."""
        self._alarms[alarm.alarm_id] = alarm
        self._schedule_now()

    def add_incident(self, incident: Incident) -> None:
        """Push this incident at once."""
        self._incidents[incident.incident_id] = incident
        self._schedule_now()

    def add_camera(self, camera: Camera) -> None:
        """Push a camera's settings."""
        self._cameras[camera.camera_id] = camera
        self._schedule_now()

    def remove_camera(self, camera_id: str) -> None:
        """Push that a camera is gone."""
        self._cameras.pop(camera_id, None)
        self._streams.pop(camera_id, None)
        self._removed_cameras.append(camera_id)
        self._schedule_now()

    def remove_device(self, device_id: str) -> None:
        """Push that a device is gone."""
        self._devices.pop(device_id, None)
        self._removed_devices.append(device_id)
        self._schedule_now()

    def add_device(self, device: Device) -> None:
        """Push a device with the next flush."""
        self._devices[device.device_id] = device
        self._schedule()

    def add_reading(self, reading: Reading) -> None:
        """Push a reading with the next flush; newest wins."""
        self._readings[reading.device_id, reading.stream] = reading
        self._schedule()

    def add_command(self, command: DeviceCommand) -> None:
        """Push at once how a command to a device stands."""
        self._commands[command.command_id] = command
        self._schedule_now()

    def add_twin(self, twin: Twin) -> None:
        """Push a device's settings with the next flush."""
        self._twins[twin.device_id] = twin
        self._schedule()

    def add_lot(self, lot: LotOccupancy) -> None:
        """Push a lot with the next flush."""
        self._lots[lot.lot_id] = lot
        self._schedule()

    def add_lot_plan(self, lot: Lot) -> None:
        """Push at once how a lot is drawn."""
        self._lot_plans[lot.lot_id] = lot
        self._schedule_now()

    def remove_lot(self, lot_id: str) -> None:
        """Push that a lot is gone."""
        self._lots.pop(lot_id, None)
        self._lot_plans.pop(lot_id, None)
        self._bays = {key: bay for key, bay in self._bays.items() if key[0] != lot_id}
        self._removed_lots.append(lot_id)
        self._schedule_now()

    def add_bays(self, bays: tuple[BayStatus, ...]) -> None:
        """Push bays with the next flush; newest wins."""
        self._bays.update({(bay.lot_id, bay.bay_id): bay for bay in bays})
        self._schedule()

    def add_stream(self, report: StreamReport) -> None:
        """Push a stream's report with the next flush."""
        self._streams[report.camera_id] = report
        self._schedule()

    def add_line_totals(self, camera_id: str, totals: dict[str, dict[str, int]]) -> None:
        """Push a camera's counts with the next flush."""
        self._line_totals[camera_id] = {line: dict(counts) for line, counts in totals.items()}
        self._schedule()

    def add_line_gaps(self, camera_id: str, gaps: dict[str, int]) -> None:
        """Push how many minutes are missing in a camera's counts."""
        self._line_gaps[camera_id] = gaps
        self._schedule()

    def add_inside(self, camera_id: str, inside: dict[str, int]) -> None:
        """Push how many vehicles stand in a camera's zones."""
        self._inside[camera_id] = inside
        self._schedule()

    def add_steering(self, steering: Steering) -> None:
        """Push at once who steers a camera."""
        self._steering[steering.camera_id] = steering
        self._schedule_now()

    def add_reviews(self, items: tuple[ReviewItem, ...]) -> None:
        """Push reviews at once."""
        self._reviews.update({item.incident.incident_id: item for item in items})
        self._schedule_now()

    def add_unit(self, unit: Unit) -> None:
        """Push a unit at once."""
        self._units[unit.unit_id] = unit
        self._schedule_now()

    def add_shift_entry(self, entry: ShiftEntry) -> None:
        """Push an entry of the shift log with the next flush."""
        self._shift.append(entry)
        self._schedule()

    def add_rules(self, rules: RulesInForce) -> None:
        """Push other alarm rules at once."""
        self._rules = rules
        self._schedule_now()

    def add_holds(self, holds: Holds) -> None:
        """Push at once what is out of service, and works."""
        self._holds = holds
        self._schedule_now()

    def add_warning(self, warning: RegionalWarning) -> None:
        """Push a regional warning at once."""
        self._warnings[warning.warning_id] = warning
        self._schedule_now()

    def add_health(self, health: Health) -> None:
        """Push the health with the next flush."""
        self._health = health
        self._schedule()

    def add_drones(self, states: tuple[DroneState, ...]) -> None:
        """Push at once how drones are; they are told about ten times a second, and newest wins."""
        self._drones.update({state.drone_id: state for state in states})
        self._schedule_now()

    def add_drone_plan(self, drone: Drone) -> None:
        """Push at once how a drone is set up."""
        self._drone_plans[drone.drone_id] = drone
        self._schedule_now()

    def remove_drone(self, drone_id: str) -> None:
        """Push that a drone is gone."""
        self._drones.pop(drone_id, None)
        self._drone_plans.pop(drone_id, None)
        self._removed_drones.append(drone_id)
        self._schedule_now()

    def add_drone_links(self, links: tuple[DroneLink, ...]) -> None:
        """Push how the links to drones are with the next flush."""
        self._drone_links = links
        self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_PERIOD_S, self._flush)

    def _schedule_now(self) -> None:
        if self._is_urgent:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._is_urgent = True
        self._timer = asyncio.get_running_loop().call_later(0.0, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._is_urgent = False
        gone = set(self._removed_devices) - self._devices.keys()
        changes = Changes(
            alarms=tuple(self._alarms.values()),
            incidents=tuple(self._incidents.values()),
            cameras=tuple(self._cameras.values()),
            removed_cameras=tuple(self._removed_cameras),
            devices=tuple(self._devices.values()),
            removed_devices=tuple(self._removed_devices),
            readings=tuple(one for one in self._readings.values() if one.device_id not in gone),
            commands=tuple(self._commands.values()),
            twins=tuple(one for one in self._twins.values() if one.device_id not in gone),
            lots=tuple(self._lots.values()),
            lot_plans=tuple(self._lot_plans.values()),
            removed_lots=tuple(self._removed_lots),
            bays=tuple(self._bays.values()),
            streams=tuple(self._streams.values()),
            line_totals=self._line_totals,
            line_gaps=self._line_gaps,
            inside=self._inside,
            steering=tuple(self._steering.values()),
            reviews=tuple(self._reviews.values()),
            units=tuple(self._units.values()),
            shift=tuple(self._shift),
            warnings=tuple(self._warnings.values()),
            rules=self._rules,
            holds=self._holds,
            health=self._health,
            drones=tuple(self._drones.values()),
            drone_plans=tuple(self._drone_plans.values()),
            removed_drones=tuple(self._removed_drones),
            drone_links=self._drone_links,
        )
        for kept in (self._alarms, self._incidents, self._cameras, self._devices):
            kept.clear()
        for kept_too in (self._readings, self._lots, self._streams):
            kept_too.clear()
        self._commands.clear()
        self._twins.clear()
        self._steering.clear()
        self._reviews.clear()
        self._units.clear()
        self._shift.clear()
        self._warnings.clear()
        self._lot_plans.clear()
        self._bays.clear()
        self._removed_cameras, self._removed_devices, self._removed_lots = [], [], []
        self._line_totals, self._line_gaps, self._inside = {}, {}, {}
        self._rules = self._holds = self._health = None
        self._drones.clear()
        self._drone_plans.clear()
        self._removed_drones, self._drone_links = [], ()
        for portion in in_portions(changes):
            self._push(portion)


def in_portions(changes: Changes) -> Iterator[Changes]:
    """Divide a push about thousands of devices: a console reads and takes each in a turn of its own.

    Yields:
        Everything else with the first of the devices and readings, then the rest of those in their order.
    """
    devices, readings = changes.devices, changes.readings
    yield replace(changes, devices=devices[:PORTION], readings=readings[:PORTION])
    for first in range(PORTION, max(len(devices), len(readings)), PORTION):
        last = first + PORTION
        yield Changes(devices=devices[first:last], readings=readings[first:last])


def without_defaults(changes: Changes) -> dict[str, object]:
    """Return the fields that hold something: most pushes carry one or two."""
    return {item.name: value for item in fields(changes) if (value := getattr(changes, item.name))}
