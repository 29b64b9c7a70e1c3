"""The demo city's field devices over MQTT: traffic stations, parking lots and signs, with the faults of real ones.

They are devices as `core.field.client` makes them; here stands what they measure, and what may go wrong with them.
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from paho.mqtt.enums import MQTTProtocolVersion

from core.field.client.device import REBIRTH_WITHIN_S, Access, DeviceInfo, Dialect, FieldDevice
from core.field.client.runner import FieldRunner
from core.field.payloads import Command, CommandInfo, CommandResult, Envelope, Location, StreamInfo
from core.field.settings import BrokerSettings
from core.field.topics import AVAILABILITY_GROUP, Channel, DeviceTopic, build
from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.model import BayKind, Lot
from core.sim.city import DemoCity, TrafficStation
from core.sim.drone_seed import SeedScript, field_state_at
from core.sim.flow import LotModel, ParkingBefore, Scenario, measure_flow, share_at, usual_share
from core.sim.lots import drawn

LOT_HEARTBEAT_S = 15.0
DRONE_PERIOD_S = 0.5
SIGN_DARK_AFTER_S = 180.0
"""A sign that nobody told anything for so long shows nothing."""

SIGN_BESIDE_DEG = 0.0004
FIRMWARE = "1.4.2"
PERIOD_SCHEMA = {"period_s": {"type": "number", "minimum": 1, "maximum": 60}}


class DeviceFleet:
    """All devices of the city.

    Threads: `start` and `stop` on the owner's loop; everything else from any thread.
    """

    def __init__(
        self,
        city: DemoCity,
        *,
        host: str,
        port: int,
        tenant: str = "city",
        username: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        seed: int = 1,
        speed: float = 1.0,
        start_hour: float = 7.6,
        period_s: float = 2.0,
        scenario: Scenario | None = None,
        garages: Sequence[Lot] = (),
        drones: Mapping[str, SeedScript] | None = None,
        before: ParkingBefore | None = None,
        outbox_folder: Path | None = None,
        rebirth_within_s: float = REBIRTH_WITHIN_S,
    ) -> None:
        """Build the devices; nothing is sent before `start`.

        Args:
            city: Which stations and lots.
            host: Of the broker.
            port: Of the broker.
            tenant: In the topics.
            username: Empty sends none.
            password: Goes with the user name.
            tls: None speaks plain TCP.
            clock: Of the devices; the network goes by the system's.
            seed: The same seed measures the same figures.
            speed: Seconds of the city in one of ours; measurements still come every `period_s`.
            start_hour: Hour of the day in the city when the fleet starts.
            period_s: Between two measurements of a station.
            scenario: What happens; None is a jam and a silent station every five minutes.
            drones: What flies, by its name; they speak MQTT.
            garages: More lots: with a sensor in every bay, a gate that counts, and a sign at the entry.
            before: None begins anew, by the hour of the city.
            outbox_folder: Where events wait for their acknowledge; None keeps them in memory.
            rebirth_within_s: Devices that are asked to introduce themselves again spread over this time.
        """
        self.clock = clock or SystemClock()
        self.seed, self.speed, self.start_hour = seed, speed, start_hour
        self._began_s = self.clock.monotonic()
        self.rebirth_within_s = rebirth_within_s
        self.before = before
        self.outbox_folder = outbox_folder
        self.scenario = scenario or Scenario()
        self.dialect = Dialect()
        broker = BrokerSettings(host=host, port=port, tenant=tenant, username=username, is_tls=tls is not None)
        access = Access(broker=broker, password=password, tls=tls)
        self._devices: dict[str, _Device] = {}
        for station in city.stations:
            self._devices[station.key] = _Station(self, access, station, period_s)
        for lot in city.lots:
            self._devices[lot.key] = _Lot(self, access, drawn(lot))
        for garage in garages:
            self._devices[garage.lot_id] = _Garage(self, access, garage)
            self._devices[f"sign-{garage.lot_id}"] = _Sign(self, access, garage)
        for name, script in (drones or {}).items():
            key = name.lower().replace(" ", "-")
            self._devices[key] = _Drone(self, access, key, name, script)
        self._runner = FieldRunner(tuple(self._devices.values()))

    # Life

    async def start(self) -> None:
        """Start the thread; the devices connect by themselves, and again whenever the broker was away."""
        if self._runner.is_running:
            return
        self._began_s = self.clock.monotonic()
        self._runner.start()

    async def stop(self) -> None:
        """Let every device say goodbye; ends within some seconds whatever the broker does."""
        await asyncio.to_thread(self._runner.stop)

    # What is known

    @property
    def keys(self) -> tuple[str, ...]:
        """Every device's key."""
        return tuple(self._devices)

    @property
    def n_connected(self) -> int:
        """Devices the broker has accepted."""
        return sum(device.is_connected for device in self._devices.values())

    @property
    def n_published(self) -> int:
        """Messages handed to the broker since the start."""
        return sum(device.n_published for device in self._devices.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self.clock.monotonic() - self._began_s

    @property
    def city_s(self) -> float:
        """Seconds in the city since the start."""
        return self.elapsed_s * self.speed

    def hour(self, city_s: float) -> float:
        """Return the hour of the day in the city, 0..24."""
        return (self.start_hour + city_s / 3600) % 24

    def parked_share(self, *, is_garage: bool) -> float:
        """Return how full a lot is wanted to be now."""
        if self.before is None:
            return share_at(self.hour(self.city_s))
        return usual_share(self.clock.now().astimezone(ZoneInfo(self.before.time_zone)), is_garage=is_garage)

    def n_waiting(self, key: str) -> int:
        """Return how many events of a device are not acknowledged yet."""
        return self._device(key).n_waiting

    @property
    def protocol(self) -> MQTTProtocolVersion:
        """What the devices speak; the other one when the broker does not answer to it."""
        return self.dialect.protocol

    # Faults

    def silence(self, key: str) -> None:
        """Let a device stay connected and say nothing, until `speak`."""
        self._order(key, lambda device: device.set_silent(is_silent=True))

    def speak(self, key: str) -> None:
        """End a silence that `silence` began."""
        self._order(key, lambda device: device.set_silent(is_silent=False))

    def unplug(self, key: str) -> None:
        """Cut a device's line without a goodbye, until `plug`; the broker publishes its last will."""
        self._order(key, lambda device: device.unplug())

    def plug(self, key: str) -> None:
        """Give a device its line back."""
        self._order(key, lambda device: device.plug())

    def restart(self, key: str) -> None:
        """Let a device boot again."""
        self._order(key, lambda device: device.restart())

    def send_raw(self, key: str, channel: Channel, payload: bytes, *, stream: str = "") -> None:
        """Let a device publish these very bytes, however wrong."""
        self._order(key, lambda device: device.publish(channel, payload, stream=stream))

    def call_soon(self, order: Callable[[], None]) -> None:
        """Run `order` on the fleet's thread, at its next turn."""
        self._runner.call_soon(order)

    # The thread

    def _order(self, key: str, order: Callable[[_Device], None]) -> None:
        device = self._device(key)
        self.call_soon(lambda: order(device))

    def _device(self, key: str) -> _Device:
        if key not in self._devices:
            raise BadInputError(f"The demo city has no device {key!r}.", hint=f"Use one of {', '.join(self._devices)}.")
        return self._devices[key]


class _Device(FieldDevice):
    """What all devices of the city have in common: they can be made to fall silent, and obey two commands."""

    group = ""
    model = ""

    def __init__(self, fleet: DeviceFleet, access: Access, key: str, name: str, position: GeoPoint) -> None:
        super().__init__(
            DeviceInfo(
                group=self.group,
                device=key,
                name=name,
                model=self.model,
                firmware=FIRMWARE,
                location=Location(lat=position.lat_deg, lon=position.lon_deg),
            ),
            access,
            memory_file=fleet.outbox_folder / f"{key}.sqlite3" if fleet.outbox_folder else None,
            clock=fleet.clock,
            dialect=fleet.dialect,
            rebirth_within_s=fleet.rebirth_within_s,
        )
        self._fleet = fleet
        self._random = random.Random(f"{fleet.seed}:{key}:line")
        self._is_muted = False

    @property
    def key(self) -> str:
        """Its name in the city."""
        return self.info.device

    @property
    def is_silent(self) -> bool:
        """It is connected and says nothing."""
        return self._is_muted or self._fleet.scenario.is_silent(self.key, self._fleet.city_s)

    def set_silent(self, *, is_silent: bool) -> None:
        """Say nothing, or speak again."""
        self._is_muted = is_silent

    def commands(self) -> tuple[CommandInfo, ...]:
        """Blink, and boot again."""
        return (CommandInfo(name="identify"), CommandInfo(name="restart"))

    def obey(self, command: Command) -> CommandResult:
        """Blink, or boot again."""
        if command.name == "identify":
            return CommandResult(id=command.id, status="done", text=f"{self.info.name} is blinking")
        if command.name == "restart":
            return CommandResult(id=command.id, status="done", text="restarting")
        return super().obey(command)

    def obeyed(self, command: Command, result: CommandResult) -> None:
        """Boot again; not from within the connection that is given up, and after the answer."""
        if command.name == "restart" and result.status == "done":
            self._fleet.call_soon(self._restart_by_command)

    def _restart_by_command(self) -> None:
        self.on_writable()
        self.restart()


class _Station(_Device):
    """A traffic station."""

    group = "traffic"
    model = "Holm Sensors TS-4"

    def __init__(self, fleet: DeviceFleet, access: Access, station: TrafficStation, period_s: float) -> None:
        super().__init__(fleet, access, station.key, station.name, station.position)
        self._station = station
        self._period_s = period_s
        # The stations of a city do not measure in step.
        self._phase_s = self._random.random() * period_s
        self._newest = -1
        self._last: dict[str, Any] = {}

    def commands(self) -> tuple[CommandInfo, ...]:
        return (*super().commands(), CommandInfo(name="set-period", params=PERIOD_SCHEMA))

    def streams(self) -> tuple[StreamInfo, ...]:
        return (
            StreamInfo(
                name="flow",
                type="TrafficFlowObserved",
                unit="veh/min",
                smart_data_model="TrafficFlowObserved",
                period=self._period_s,
                stale_s=max(10.0, 5 * self._period_s),
            ),
        )

    def measure(self) -> None:
        number = math.floor((self._fleet.elapsed_s - self._phase_s) / self._period_s)
        if number <= self._newest:
            return
        self._newest = number
        # By the time it was due, not by the time it is: the same seed measures the same.
        city_s = (self._phase_s + number * self._period_s) * self._fleet.speed
        flow = measure_flow(
            self._station,
            hour=self._fleet.hour(city_s),
            jam=self._fleet.scenario.jam(self.key, city_s),
            seed=self._fleet.seed,
            number=number,
        )
        self._last = {
            "intensity": flow.intensity,
            "occupancy": flow.occupancy,
            "averageVehicleSpeed": flow.speed_kmh,
            "freeFlowSpeed": self._station.free_flow_kmh,
        }
        self.tell("flow", "TrafficFlowObserved", self._last)

    def tell_state(self) -> None:
        if self._last:
            self.repeat("flow", "TrafficFlowObserved", self._last)

    def obey(self, command: Command) -> CommandResult:
        if command.name != "set-period":
            return super().obey(command)
        if not self._set_period(command.args.get("period_s")):
            return CommandResult(id=command.id, status="rejected", code=422, text="period_s must be from 1 to 60")
        self.tell_settings({"period_s": self._period_s})
        return CommandResult(id=command.id, status="done", text=f"measuring every {self._period_s:g} s")

    def configure(self, desired: Mapping[str, Any]) -> Mapping[str, Any]:
        self._set_period(desired.get("period_s"))
        return {"period_s": self._period_s}

    def _set_period(self, period_s: object) -> bool:
        if isinstance(period_s, bool) or not isinstance(period_s, int | float) or not 1 <= period_s <= 60:
            return False
        if period_s != self._period_s:
            self._period_s = float(period_s)
            self._newest = -1
            self.introduce()
        return True


class _Lot(_Device):
    """A parking lot's gateway: an event for every bay that changes, and the sum as a state."""

    group = "parking"
    model = "Holm Sensors PG-1"
    is_garage = False

    def __init__(self, fleet: DeviceFleet, access: Access, lot: Lot) -> None:
        super().__init__(fleet, access, lot.lot_id, lot.name, lot.position or GeoPoint(0.0, 0.0))
        before = fleet.before.occupied.get(lot.lot_id) if fleet.before is not None else None
        self._bays = LotModel(lot, share=self._share(), seed=fleet.seed, before=before)
        self._heartbeat_at_s = 0.0
        self._untold = list(self._bays.occupied)

    def streams(self) -> tuple[StreamInfo, ...]:
        return (
            StreamInfo(
                name="occupancy",
                type="OffStreetParking",
                unit="bays",
                smart_data_model="OffStreetParking",
                period=LOT_HEARTBEAT_S,
                stale_s=3 * LOT_HEARTBEAT_S,
            ),
        )

    def measure(self) -> None:
        changed = self._bays.go_on(self._fleet.city_s, share=self._share())
        for bay, is_occupied in changed:
            self._report(bay, is_occupied=is_occupied)
        if changed:
            self._say(self.tell)
        elif self._fleet.clock.monotonic() >= self._heartbeat_at_s:
            self._tell_rest()
            self._say(self.tell)

    def _share(self) -> float:
        return self._fleet.parked_share(is_garage=self.is_garage)

    def _tell_rest(self) -> None:
        """Tell once of every bay, so that nobody has to wait for it to change."""
        while self._untold:
            bay = self._untold[-1]
            self._report(bay, is_occupied=self._bays.occupied[bay])
            self._untold.pop()

    def _report(self, bay: str, *, is_occupied: bool) -> None:
        self.report("ParkingSpot", self._spot(bay, is_occupied=is_occupied))

    def _spot(self, bay: str, *, is_occupied: bool) -> dict[str, Any]:
        return {"name": bay, "status": "occupied" if is_occupied else "free", "refParkingSite": self.key}

    def tell_state(self) -> None:
        self._say(self.repeat)

    def _say(self, say: Callable[[str, str, Mapping[str, Any]], None]) -> None:
        self._heartbeat_at_s = self._fleet.clock.monotonic() + LOT_HEARTBEAT_S
        n_bays = len(self._bays.occupied)
        say(
            "occupancy",
            "OffStreetParking",
            {"totalSpotNumber": n_bays, "availableSpotNumber": self._bays.n_free, "unknownSpotNumber": 0},
        )


class _Garage(_Lot):
    """A garage's gateway: beside its bays it counts who enters and leaves, and knows who may stand in special bays."""

    model = "Holm Sensors PG-2"
    is_garage = True

    def __init__(self, fleet: DeviceFleet, access: Access, lot: Lot) -> None:
        super().__init__(fleet, access, lot)
        self._special = {bay.bay_id for bay in lot.bays if bay.kind in (BayKind.EV, BayKind.RESERVED)}
        self._n_entered = self._n_left = 0

    def streams(self) -> tuple[StreamInfo, ...]:
        return (
            *super().streams(),
            StreamInfo(name="gate", type="GateCount", unit="veh", period=LOT_HEARTBEAT_S, stale_s=3 * LOT_HEARTBEAT_S),
        )

    def _report(self, bay: str, *, is_occupied: bool) -> None:
        if bay not in self._untold:
            self._n_entered += is_occupied
            self._n_left += not is_occupied
        super()._report(bay, is_occupied=is_occupied)

    def _spot(self, bay: str, *, is_occupied: bool) -> dict[str, Any]:
        said = super()._spot(bay, is_occupied=is_occupied)
        if is_occupied and bay in self._special:
            said["permit"] = self._random.random() < 0.85
        return said

    def _say(self, say: Callable[[str, str, Mapping[str, Any]], None]) -> None:
        super()._say(say)
        say("gate", "GateCount", {"entered": self._n_entered, "left": self._n_left})


class _Drone(_Device):
    """A drone that speaks MQTT."""

    group = "drone"
    model = "Holm Air Q-2"

    def __init__(self, fleet: DeviceFleet, access: Access, key: str, name: str, script: SeedScript) -> None:
        super().__init__(fleet, access, key, name, script.center)
        self._script = script
        self._due_s = 0.0

    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(name="state", type="DroneState", period=DRONE_PERIOD_S, stale_s=10 * DRONE_PERIOD_S),)

    def measure(self) -> None:
        if self._fleet.elapsed_s >= self._due_s:
            self._due_s = self._fleet.elapsed_s + DRONE_PERIOD_S
            self.stream_on("state", "DroneState", field_state_at(self._script, self._fleet.elapsed_s, self._random))


class _Sign(_Device):
    """A sign at a lot's entry: it shows the free bays that the site publishes, and nothing where nobody knows."""

    group = "sign"
    model = "Holm Signs V-4"

    def __init__(self, fleet: DeviceFleet, access: Access, lot: Lot) -> None:
        place = lot.position or GeoPoint(0.0, 0.0)
        beside = GeoPoint(place.lat_deg - SIGN_BESIDE_DEG, place.lon_deg)
        super().__init__(fleet, access, f"sign-{lot.lot_id}", f"Sign {lot.name}", beside)
        self._lot_id = lot.lot_id
        self._shown: int | None = None
        self._heard_at_s = -math.inf
        self._repeat_at_s = 0.0

    def listens_to(self) -> tuple[str, ...]:
        topic = DeviceTopic(
            tenant=self._access.broker.tenant,
            group=AVAILABILITY_GROUP,
            device=self._lot_id,
            channel=Channel.STATE,
            stream="lot",
        )
        return (build(topic),)

    def hear(self, topic: DeviceTopic, envelope: Envelope) -> None:  # noqa: ARG002 - it hears one topic
        """Show another number; what was said long ago counts as nothing."""
        is_old = (self.clock.now() - envelope.ts).total_seconds() > SIGN_DARK_AFTER_S
        number = None if is_old else envelope.data.get("availableSpotNumber")
        self._heard_at_s = self.clock.monotonic()
        self._show(number if isinstance(number, int) and number >= 0 else None)

    def streams(self) -> tuple[StreamInfo, ...]:
        return (StreamInfo(name="display", type="SignDisplay", period=LOT_HEARTBEAT_S, stale_s=4 * LOT_HEARTBEAT_S),)

    def measure(self) -> None:
        if self._shown is not None and self.clock.monotonic() - self._heard_at_s > SIGN_DARK_AFTER_S:
            self._show(None)
        elif self.clock.monotonic() >= self._repeat_at_s:
            self._say(self.tell)

    def tell_state(self) -> None:
        self._say(self.repeat)

    def _show(self, number: int | None) -> None:
        if number != self._shown:
            self._shown = number
            self._say(self.tell)

    def _say(self, say: Callable[[str, str, Mapping[str, Any]], None]) -> None:
        self._repeat_at_s = self.clock.monotonic() + LOT_HEARTBEAT_S
        data = {"dark": 1} if self._shown is None else {"dark": 0, "availableSpotNumber": self._shown}
        say("display", "SignDisplay", data)
