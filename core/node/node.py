"""The node: store, services, field link and vision put together; `start` reads top to bottom, `stop` in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import secrets
import shutil
import ssl
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from paho.mqtt.client import topic_matches_sub

from core.access.model import SYSTEM, Actor, Role, Session, SessionsEnded
from core.access.permission import require
from core.access.service import AccessService
from core.cameras.model import Camera, CameraChanged, CameraRemoved, ViewAccepted
from core.cameras.onvif.model import HeadTurned, SteeringChanged
from core.cameras.service import IS_FORGOTTEN, TYPE_IT_ANEW, secret_name
from core.cameras.views import forget_view, keep_view, load_views
from core.drones.by_mqtt import take_from_field
from core.drones.model import DroneChanged, DroneLinksTold, DroneRemoved, DronesTold
from core.drones.rules import DroneCondition
from core.field.commands import CommandChanged
from core.field.inbox import Inbound
from core.field.model import DeviceState, FieldLosses, LinkReport, LinkState
from core.field.mqtt_link import MqttLink
from core.field.service import (
    DeviceChanged,
    DeviceRemoved,
    EventCameAhead,
    EventsLost,
    FieldEventReceived,
    ReadingReceived,
)
from core.field.twins import TwinChanged
from core.gateway.adapter import AdapterReport, Gateway
from core.gateway.cot import CotSender
from core.gateway.http.model import GatewayReport, GatewayState
from core.gateway.http.pictures import picture_file
from core.incidents.holds import HoldsChanged
from core.incidents.model import Alarm, AlarmChanged, ClosedUnheard, Incident, IncidentChanged, SourceKind
from core.incidents.on_broker import on_broker
from core.incidents.rehearsal import rehearse
from core.incidents.review import ReviewChanged
from core.incidents.rules.model import RulesChanged
from core.incidents.shift import Draft, ShiftEntryAdded, ShiftKind, ShiftWatch
from core.incidents.warnings import WarningChanged
from core.incidents.work import UnitChanged
from core.kernel.bus import Bus
from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, UnavailableError
from core.kernel.ids import new_id
from core.kernel.lock import HeldError, Holder, take_lock
from core.kernel.log import OncePerLoss
from core.kernel.paths import Folders
from core.kernel.secrets import Secrets
from core.kernel.settings import Settings, SettingsFault
from core.kernel.sizes import input_wh_of
from core.kernel.zone import set_site_zone, to_site, zone_name
from core.link import protocol
from core.link.server import LinkServer, Peer
from core.media.hardware import AUTO, OFF, SOFTWARE, HardwareDecode, choose_hardware
from core.media.masks import WHOLE, Polygon
from core.media.model import EDGE, ProbeResult, SourceSpec, StreamState
from core.media.parameters import public_address
from core.media.probe import probe
from core.node import clock_watch, conditions, demo, verbs
from core.node.adapters import make_cot, make_gateway
from core.node.bay_pictures import cut_bay
from core.node.bay_sight import BaySightHub
from core.node.calibrations import Calibrations
from core.node.call_spool import CallSpool
from core.node.calls import Calls
from core.node.camera_flow import CameraFlow
from core.node.cap_door import CapDoor, fetch_forever, look_forever
from core.node.clips import ClipKeeper
from core.node.drone_door import DroneDoor, DroneParts
from core.node.drone_topics import DroneTopics
from core.node.drone_video import DroneVideo, as_flown
from core.node.dry_runs import DryRuns
from core.node.ears import Broker, open_broker
from core.node.fleet import FleetProcess
from core.node.health import LoopLag, ProcessLoad, disk_free_gb
from core.node.hearing import Hearing
from core.node.http_door import HttpDoor, demo_gateway, looks_at_posted, make_gateway_room
from core.node.live import Changes, LiveCollector, Snapshot, without_defaults
from core.node.model import Health, Picture, SystemNotice, WorkerReport
from core.node.pictures import Pictures
from core.node.rereading import Rereading
from core.node.services import Services, make_services
from core.node.sight import CameraBack, CameraLost, Sight
from core.node.signs import LotSigns
from core.node.standing_work import StandingWork
from core.node.supervisor import VisionSupervisor
from core.node.tested import covered, unplaced
from core.node.trials import Trials
from core.parking.forecast.model import FullExpected
from core.parking.model import BayState, BaysTold, Lot, LotChanged, LotPlanChanged, LotPlanRemoved
from core.parking.rules import LotCondition
from core.parking.service import ParkingService
from core.parking.sight.model import Calibration, CalibrationOrder, SightConfig, SightInterrupted, ViewTroubled
from core.sim.city import DemoCity, load_city
from core.sim.flow import ParkingBefore
from core.store.engine import Store, open_store, sqlite_url
from core.store.retention import forget_before
from core.traffic.service import FlowMeasured, StationCongestion
from core.vision.classes import other_size
from core.vision.dry_run_model import DryRunOrder
from core.vision.export import ExportProgress, ExportStop
from core.vision.flow import FlowMinute
from core.vision.messages import BaysPictured, ClipKept, EngineFailed, Measured, MoveIsOver, ViewLearned, WorkerConfig
from core.vision.model import CameraWatched, LineCrossed, Scene
from core.vision.models import DEMO_NAMES, find_model

if TYPE_CHECKING:
    from core.gateway.http.route import GatewayRoom

log = logging.getLogger(__name__)

VERSION = "0.1.0"
LOOPBACK = "127.0.0.1"
STORE_RETRY_S = 3.0
PLACE_RETRY_S = 0.1
PLACE_FOR_S = 3.0
"""A node that was killed and started again waits so long for the server to notice the death of the first."""

FORGET_EVERY_S = 3600.0
EXIT_S = 2.5
"""So long after it was told to, a node has ended, whatever the broker does; what it starts from is stored by then…"""

GOODBYE_S = 1.25
"""…and so much of that is the field link's, which may wait for a broker that hangs."""

DRAIN_LEAST_S = 0.25
SPOOL_CLOSE_S = 0.5
BROKER_START_S = 8.0
HOUSEKEEPING_S = 1.0
COUNTS_EVERY_S = 5.0
UNUSED_FIRST_S = 60.0
"""A node that was started for a console waits so long for the first one…"""

UNUSED_AFTER_S = 2.0
"""…and so long for another one after the last has left."""

NONSENSE_FROM, NONSENSE_AT_MOST = 10, 3
NONSENSE_SHOWN_FOR = timedelta(minutes=10)
"""Senders of so many unusable messages are named in the health panel, so many of them, and so long after the last."""

PASSWORDS_AGAIN_S = 30.0
"""Passwords that could not be read are looked up again this often."""

NAMED_AT_MOST = 3
"""Cameras that one notice names."""

UNSTORED_NAMED = 3
"""Calls that wait for the database of which consoles are told more than their number."""

CORRECTION_AGE = timedelta(minutes=10)
"""Older words of operators are about other pictures than those that a calibration run looks at."""

BAYS_EVERY_S = 1.5
"""How often a camera that sees bays is looked at."""

DRY_RUN_FPS = 8.0
"""Pictures a second that a dry run looks at on a camera that detects nothing yet."""

MODEL_AGAIN_S = 30.0
"""How often a model that cannot be read is tried again."""

SWITCHED_WITHIN = timedelta(seconds=5)
"""After the site's own model is there, workers may go by what the stand-in saw for so long."""

DEMO_USER = "demo"
DEFAULT_MODEL = "yolo11n"
RULES_OFF = (
    "Rules that go by detection are off and nothing is counted until the node has a model of its own; cameras "
    "that are covered, frozen or moved still call."
)


class Node:
    """One node of one data folder.

    Threads: everything on the loop that runs `run`; the store, the field link and the workers bring their own.
    """

    def __init__(
        self,
        settings: Settings,
        folders: Folders,
        *,
        faults: tuple[SettingsFault, ...] = (),
        is_demo: bool = False,
        is_while_used: bool = False,
        clock: Clock | None = None,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is opened before `run`.

        Args:
            settings: Typed and checked.
            folders: Where everything is kept.
            faults: What could not be used of the settings; becomes alarms.
            is_demo: Run the demo city.
            is_while_used: End once no console is connected any more.
            clock: Of everything in this node.
            on_open: Hears once that the room stands.
        """
        self.settings = settings
        self.folders = folders
        self.is_demo = is_demo
        self.version = VERSION
        self.node_id = new_id()
        self.key = secrets.token_urlsafe(32)
        self.has_failed = False
        """The room could not be opened, or not be kept: whoever supervises the node should hear of it."""

        self.failure = ""
        """Why, where it is a sentence."""

        self.services: Services | None = None
        self.basemap = settings.site.basemap
        self.center: tuple[float, float] | None = None
        self._faults = faults
        self._is_while_used = is_while_used
        self._on_open = on_open
        self._clock = clock or SystemClock()
        self._standing = StandingWork(self._clock, self._on_part_failed, self._on_part_well)
        self._export_stop = ExportStop()
        self._me = Holder.of_this_process(self._clock.now())
        self._bus = Bus()
        self._secrets = Secrets()
        self._once = OncePerLoss(log)
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._storing: asyncio.Task[Any] | None = None
        self._reading_cameras = asyncio.Lock()
        self._reread_cameras: Rereading | None = None
        self._has_tried_hardware = asyncio.Event()
        self._lag = LoopLag()
        self._load = ProcessLoad()
        self._live = LiveCollector(self._push)
        self.dry_runs = DryRuns()
        self.trials = Trials()
        self.calibrations = Calibrations()
        self.bay_sight = BaySightHub(
            SightConfig(
                models=folders.models,
                logs=folders.logs,
                memory=folders.data / "bays",
                engine=settings.vision.engine,
            ),
            publish=self._bus.publish,
        )
        self._pictures = Pictures()
        self._zone = ZoneInfo(zone_name(settings.site.time_zone))
        set_site_zone(self._zone.key)
        self.shift_watch = ShiftWatch(self._zone)
        self._clock_watch = clock_watch.ClockWatch(self._clock, self._zone)
        self._is_writing_shift = False
        self.cap: CapDoor | None = None
        self._views: dict[tuple[Peer, str], dict[str, tuple[int, int]]] = {}
        self._deaf: dict[Peer, str] = {}
        """Consoles that do not hear their alarms, and their desks."""

        self._lock: IO[bytes] | None = None
        self._server: LinkServer | None = None
        self._broker: Broker | None = None
        self._opening_broker: asyncio.Task[Broker] | None = None
        self._calls: Calls | None = None
        self._spool = CallSpool(folders.data, self._clock)
        self._camera_flow: CameraFlow | None = None
        self._signs: LotSigns | None = None
        self._drone_topics = DroneTopics(
            tenant=settings.site.tenant, boot=self.node_id, publish=self._publish_to_broker
        )
        self._clips_of_alarms: ClipKeeper | None = None
        self._link: MqttLink | None = None
        self._gateway: Gateway | None = None
        self._cot: CotSender | None = None
        self._http: HttpDoor | None = None
        self._drone_video: DroneVideo | None = None
        self._sight: Sight | None = None
        self._hardware: HardwareDecode | None = None
        self._supervisor: VisionSupervisor | None = None
        self._city: DemoCity | None = None
        self._scenes: tuple[demo.DemoScene, ...] = ()
        self._flying: set[str] = set()
        """Cameras that drones carry: each view of theirs is another one."""

        self._clips: dict[str, SourceSpec] = {}
        self._fleet: FleetProcess | None = None
        self.drone_door: DroneDoor | None = None
        self._gateway_address = ""
        self._lots_before: ParkingBefore | None = None
        self._has_past = asyncio.Event()
        """Of the demonstration: its lots were given one."""

        self._demo_password = ""
        self._passwords: dict[str, str] = {}
        self._unread_passwords: dict[str, UnavailableError] = {}
        """Of cameras that have a password, which nobody can read."""

        self._logins: dict[str, tuple[str, ...]] = {}
        """What each camera's password was read for."""

        self._logins_told: set[str] = set()
        """Cameras whose password may be another one since it was read."""

        self._refused_due_s = 0.0

        self._passwords_due_s = math.inf
        self._store_reason = "The database is being opened."
        self._model_note = ""
        self._own_model_note = ""
        self._is_stand_in = False
        self._stand_in_until: datetime | None = None
        """The demonstration model runs where another one is wanted."""

        self._notice_since: dict[str, datetime] = {}
        self._health: Health | None = None
        self._counts_due_s = 0.0
        self._n_incidents = 0
        self._n_alarms = 0
        self._calling: dict[str, str] = {}
        self._last_console_s = time.monotonic() + UNUSED_FIRST_S - UNUSED_AFTER_S

    # -- life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Start everything, work until `stop_soon`, close everything."""
        try:
            await self.start()
            await self._stopping.wait()
        finally:
            await self.stop()

    def stop_soon(self) -> None:
        """Let `run` end."""
        self._stopping.set()

    async def start(self) -> None:
        """Open the door first, so that a console can say what the rest is waiting for.

        Raises:
            ConsoleError: The folders cannot be used, another node runs here, or the port is taken.
        """
        self._open_folders()
        self._lock = take_lock(
            self.folders.data / "node.lock",
            self._me,
            does=f"works on the folder {self.folders.data} already",
            hint="End it first, or give this one another folder with --data.",
        )
        self._sweep_runtime()
        self._lag.start()
        if self.is_demo:
            self._city = load_city()
            self._scenes = demo.load_scenes()
            self._clips = {scene.key: scene.source for scene in self._scenes}
            self.basemap = self.basemap or "marenholm"
            self.center = (self._city.center.lat_deg, self._city.center.lon_deg)
        elif self.settings.site.center_lat_deg is not None and self.settings.site.center_lon_deg is not None:
            self.center = (self.settings.site.center_lat_deg, self.settings.site.center_lon_deg)
        await self._open_door()
        self._spawn(self._open_room_or_end())
        self._spawn(self._keep_house())

    async def stop(self) -> None:
        """Close everything, in reverse; each part within its own bound.

        What waits for the database gets what is left of `EXIT_S`. An end that is not stored then is harmless: at the
        next start its alarm is doubtful, and ends with its source or because that is gone.
        """
        until_s = time.monotonic() + EXIT_S
        with contextlib.suppress(OSError):
            self.folders.node_file.unlink(missing_ok=True)
        # Its thread would hold up the end for as long as a download or a conversion takes.
        self._export_stop.set()
        await self._end_tasks(self._tasks - {self._storing})
        if self.services is not None:
            await self.services.ptz.close()
        await self.dry_runs.stop()
        await self.trials.stop()
        await self.calibrations.stop()
        await self.bay_sight.stop()
        if self._fleet is not None:
            await self._fleet.stop()
        if self._supervisor is not None:
            await self._supervisor.stop()
        # Only now: what the workers said last is stored too.
        if self._calls is not None:
            left_s = until_s - GOODBYE_S - time.monotonic()
            await self._calls.drain(timeout_s=max(DRAIN_LEAST_S, left_s))
        await self._end_tasks(self._tasks)
        with contextlib.suppress(TimeoutError):
            # A disk that hangs has what was added, or has not: waiting changes nothing.
            await asyncio.wait_for(self._spool.close(), SPOOL_CLOSE_S)
        if self.services is not None and self._sight is not None:
            with contextlib.suppress(ConsoleError):
                await self._store_counts()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.services.traffic.keep_waiting(), SPOOL_CLOSE_S)
        if self._camera_flow is not None:
            self._camera_flow.say_goodbye(self._clock.now())
        if self._signs is not None:
            self._signs.say_goodbye(self._clock.now())
        if self.services is not None:
            await self.services.field.stop()
            self.services.traffic.close()
            await self.services.forecast.close()
            await self.services.parking.close()
            with contextlib.suppress(ConsoleError):
                await self.services.drones.close()
        await self._stop_broker()
        if self._server is not None:
            await self._server.stop()
        if self.services is not None:
            self.services.access.close()
            await self.services.store.close()
        await self._lag.stop()
        self._pictures.close()
        if self._lock is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._lock.close()

    async def _end_tasks(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        ending = tuple(tasks)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _stop_broker(self) -> None:
        """End the embedded broker, also one that is only just starting: its folder goes away next."""
        if self._opening_broker is None:
            return
        done, _ = await asyncio.wait({self._opening_broker}, timeout=BROKER_START_S)
        if not done:
            self._opening_broker.cancel()
            return
        with contextlib.suppress(asyncio.CancelledError, ConsoleError, OSError):
            embedded = self._opening_broker.result().embedded
            if embedded is not None:
                await embedded.stop()

    @property
    def _runtime(self) -> Path:
        return self.folders.runtime / self.node_id

    def _open_folders(self) -> None:
        try:
            self.folders.make()
            self._runtime.mkdir()
        except OSError as error:
            raise BadInputError(
                f"The folder {self.folders.data} cannot be used ({error.strerror or error}).",
                hint="Choose another with --data, or give this user the right to write there.",
            ) from error

    def _sweep_runtime(self) -> None:
        """Remove what a killed node left in memory; the lock proves that nobody uses it."""
        for left in self.folders.runtime.iterdir():
            if left.name != self.node_id and left.is_dir():
                shutil.rmtree(left, ignore_errors=True)

    async def _open_door(self) -> None:
        link = self.settings.link
        tls = None
        if link.certificate_file:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            try:
                tls.load_cert_chain(link.certificate_file, link.key_file or None)
            except OSError as error:
                raise BadInputError(
                    f"The certificate {link.certificate_file} cannot be used ({error}).",
                    hint="Check link.certificate_file and link.key_file.",
                ) from error
        self._server = LinkServer(
            verbs.make_verbs(self),
            open_verbs=verbs.OPEN_VERBS,
            on_gone=self._on_console_gone,
            on_waiting=self._on_console_waiting,
        )
        port = await self._server.start(link.host, link.port, tls)
        log.info("node %s listens on %s:%d", self.node_id, link.host, port)
        local = port
        if tls is not None:
            # Consoles of this machine come through the loopback: the certificate names another host.
            local = await self._server.start(LOOPBACK, 0)
        content = json.dumps({"host": LOOPBACK, "port": local, "key": self.key, "pid": os.getpid()})
        _write_private(self.folders.node_file, content)

    async def _open_room_or_end(self) -> None:
        """A node without its room is no use: end, so that whoever supervises it starts another."""
        try:
            await self._open_room()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(str(error) if isinstance(error, ConsoleError) else "")
            raise

    def _fail(self, sentence: str) -> None:
        """End, so that whoever supervises the node starts another one."""
        self.has_failed = True
        self.failure = sentence
        self.stop_soon()

    async def _open_room(self) -> None:
        """Open the store and the broker, however long that takes, then everything that needs them."""
        settings = self.settings
        self._spawn(self._try_hardware())
        self._opening_broker = asyncio.create_task(
            open_broker(settings.broker, tenant=settings.site.tenant, folder=self._runtime, secrets=self._secrets)
        )
        store, broker = await asyncio.gather(self._open_store(), asyncio.shield(self._opening_broker))
        self._broker = broker
        services = make_services(
            store,
            settings=settings,
            broker=broker.settings,
            folders=self.folders,
            secrets=self._secrets,
            bus=self._bus,
            clock=self._clock,
            is_demo=self.is_demo,
        )
        await services.field.prepare()
        await services.parking.restore()
        await services.drones.restore()
        await services.gateway_keys.load()
        if self.is_demo:
            await self._make_demo_user(services.access)
            await demo.seed_units(services.dispatch)
            assert self._city is not None
            await demo.seed_lots(services.parking, self._city, self._scenes)
        self._calls = Calls(
            services.incidents,
            folder=str(self.folders.data),
            find_camera=lambda camera_id: self._sight.camera(camera_id) if self._sight else None,
            find_device=services.field.device,
            find_book=lambda: services.rules.book,
            forget_waiting=services.field.forget_waiting,
            spool=self._spool,
            clock=self._clock,
            zone=self._zone,
        )
        rules_fault = await services.rules.load()
        await services.sound_tests.load()
        # Rules begin anew with the node: what was active before stays so until its source is heard.
        calls = self._calls
        hearing = Hearing(
            services=services,
            stream=lambda camera_id: self._sight.streams.get(camera_id) if self._sight else None,
            workers=lambda: self._supervisor.reports() if self._supervisor else (),
            is_waiting=calls.is_waiting,
            is_measured=calls.is_measured,
            is_frigate_heard=calls.is_frigate_heard,
            is_view_told=self.bay_sight.is_told,
            is_blind=calls.is_blind,
            is_gone=lambda camera_id: self._sight is not None and self._sight.is_gone(camera_id),
            scene=self._scene_of,
        )
        services.incidents.hear_by(hearing)
        calls.hear_by(hearing.is_heard)
        calls.doubt(await services.incidents.start())
        calls.know_measured(await services.incidents.measured_lately())
        await services.keeper.start()
        await services.clips.start()
        left_over = await self._spool.open()
        # Nothing is awaited between this list and `_subscribe`: of what changes then nobody would hear.
        open_alarms = await services.incidents.open_alarms()
        for alarm in open_alarms:
            calls.know(alarm)
            self.shift_watch.know(alarm)
            self._attend(alarm)
        services.field.publish_open_alarms(on_broker(alarm, services.tunings) for alarm in open_alarms)
        self._subscribe(services, calls)
        calls.replay(left_over)
        self._storing = self._spawn(self._calls.work())
        self._spawn(self._standing.keep("The deletion of old data", lambda: self._forget_forever(store)))
        self._spawn(self._keep_alarms(services))
        self._spawn(self._standing.keep("Car parks", services.parking.work))
        self._spawn(self._standing.keep("The watch of drones", services.drones.work))
        take_from_field(self._bus, self._clock, device=services.field.device, take=services.drones.take)
        self._spawn(self._foresee(services))
        self._say_who_is_lost(services, self._calls)
        for event in await services.field.waiting_events():
            self._calls.take_field_event(event)
        self._open_drones(services, self._calls)
        await self._open_eyes(services, self._calls)
        # From here on consoles come in: a driver that hangs keeps pictures back and nothing else.
        self.services = services
        await asyncio.gather(self._read_cameras(services), self._open_ears(services, broker))
        self._open_http(services, self._calls)
        self._cot = make_cot(
            self.settings.cot, clock=self._clock, services=services, get_secret=self._secrets.get_secret
        )
        self._spawn(self._standing.keep("Events for TAK", self._cot.run))
        for fault in self._faults:
            self._calls.raise_condition(conditions.settings_fault(fault))
        if rules_fault:
            self._calls.raise_condition(conditions.rules_unusable(rules_fault))
        self._on_open()

    async def _foresee(self, services: Services) -> None:
        """Train and warn; the demonstration gets a past first."""
        if self.is_demo:
            self._lots_before = await demo.live_on(
                services.parking,
                services.store,
                now=self._clock.now(),
                time_zone=self._zone.key,
            )
            self._has_past.set()
        await self._standing.keep("The forecast of car parks", services.forecast.work)

    async def _start_city(self, broker: Broker) -> None:
        """Start the demonstration's devices, once their lots have a past to go on from."""
        await self._has_past.wait()
        assert self._lots_before is not None
        self._fleet = FleetProcess(
            broker.settings,
            username=broker.field_user,
            password=broker.field_password,
            before=self._lots_before,
            drone_port=await self.drone_door.demo_port() if self.drone_door is not None else 0,
        )
        await self._fleet.start()
        if self._gateway_address:
            self._fleet.tell_gateway(self._gateway_address)

    def _on_gateway_open(self, address: str) -> None:
        """Say to the demonstration's drones where they post."""
        self._gateway_address = address
        if self._fleet is not None:
            self._fleet.tell_gateway(address)

    def _say_who_is_lost(self, services: Services, calls: Calls) -> None:
        """Confirm the alarms of devices that were lost before the start: the broker says only what is new."""
        silent = (DeviceState.LOST, DeviceState.STALE)
        calls.take_lost_before(device for device in services.field.devices() if device.state in silent)

    async def _try_hardware(self) -> None:
        try:
            self._hardware = await asyncio.to_thread(choose_hardware, self.settings.vision.hardware_decode)
            log.info("pictures are decoded by: %s. %s", self._hardware.name, self._hardware.reason)
        finally:
            self._has_tried_hardware.set()

    async def _open_ears(self, services: Services, broker: Broker) -> None:
        assert self._calls is not None
        gateway = self._gateway = make_gateway(
            self.settings,
            clock=self._clock,
            field=services.field,
            calls=self._calls,
            cameras=lambda: self._sight.cameras if self._sight else (),
            publish=self._publish_to_broker,
            version=self.version,
        )

        def on_link_state(report: LinkReport) -> None:
            services.field.on_link_state(report)
            gateway.on_link_state(report)

        self._link = MqttLink(
            broker.settings,
            loop=asyncio.get_running_loop(),
            on_message=lambda batch: self._on_messages(gateway, batch),
            on_state=on_link_state,
            more_filters=(*gateway.filters, *self._cap_filters),
            read_password=broker.read_password,
            epoch=services.outbox.epoch,
            clock=self._clock,
        )
        self._on_console_waiting(self._server is not None and self._server.is_waited_for)
        await services.field.start(self._link)
        await self._open_cap(services, self._link)
        if self.is_demo:
            self._spawn(self._start_city(broker))

    def _open_drones(self, services: Services, calls: Calls) -> None:
        """Listen for drones on the links of the settings."""
        loop = asyncio.get_running_loop()

        def on_fault(fault: SettingsFault) -> None:
            loop.call_soon_threadsafe(calls.raise_condition, conditions.settings_fault(fault))

        self.drone_door = DroneDoor(
            self.settings.drones,
            DroneParts(
                service=services.drones,
                bus=self._bus,
                clock=self._clock,
                secrets=self._secrets,
                store=services.store,
            ),
            is_demo=self.is_demo,
            on_fault=on_fault,
        )
        self._spawn(self.drone_door.run())

    def _open_http(self, services: Services, calls: Calls) -> None:
        """Let devices and other systems in by HTTP, where the settings want it."""
        settings = demo_gateway(self.settings.gateway) if self.is_demo else self.settings.gateway
        self._http = HttpDoor(
            settings,
            keys=services.gateway_keys,
            clock=self._clock,
            raise_condition=calls.raise_condition,
            return_condition=calls.return_condition,
            on_open=self._on_gateway_open,
        )
        door = self._http

        def make_room() -> GatewayRoom:
            return make_gateway_room(
                settings,
                clock=self._clock,
                bus=self._bus,
                services=services,
                pictures=self._edge_folder,
                camera=self._watched_camera,
                shapes_of=lambda camera_id: self._supervisor.shapes_of(camera_id) if self._supervisor else {},
                video_of=self.drone_video().camera_of,
                bay_sight=self.bay_sight,
                book=door.book,
            )

        self._spawn(door.run(make_room))

    def drone_video(self) -> DroneVideo:
        """Return what makes cameras of drones' videos.

        Raises:
            UnavailableError: The node waits for its database.
        """
        if self._drone_video is None:
            services = self.require_services()
            self._drone_video = DroneVideo(
                drones=services.drones, cameras=services.cameras, camera=self._watched_camera
            )
        return self._drone_video

    def _watched_camera(self, camera_id: str) -> Camera | None:
        return self._sight.camera(camera_id) if self._sight else None

    def _scene_of(self, camera_id: str) -> Scene | None:
        camera = self._watched_camera(camera_id)
        return None if camera is None else camera.scene

    @property
    def _edge_folder(self) -> Path:
        return self._runtime / "edge"

    def gateway_report(self) -> GatewayReport:
        """Return how the HTTP gateway is."""
        return self._http.report() if self._http is not None else GatewayReport(state=GatewayState.STARTING)

    async def _open_cap(self, services: Services, link: MqttLink) -> None:
        """Call for the warnings that hold still, and look at the places that the settings name."""
        self.cap = CapDoor(
            self.settings.cap,
            services.warnings,
            services.dispatch,
            tenant=self.settings.site.tenant,
            site=self.settings.site.name,
            send=lambda topic, data: link.publish(topic, data, qos=1),
            clock=self._clock,
        )
        await services.warnings.start()
        self._spawn(self._standing.keep("Regional warnings", partial(look_forever, self.cap)))
        self._spawn(self._standing.keep("Regional warnings by address", partial(fetch_forever, self.cap)))

    @property
    def _cap_filters(self) -> tuple[tuple[str, int], ...]:
        return ((self.settings.cap.topic, 1),) if self.settings.cap.topic else ()

    def _on_messages(self, gateway: Gateway, batch: list[Inbound]) -> None:
        """Hand on what came from the broker: warnings to their door, everything else to adapters and field."""
        wanted = self.settings.cap.topic
        if wanted and self.cap is not None:
            for message in batch:
                if topic_matches_sub(wanted, message.topic):
                    self.cap.take_message(message)
            batch = [message for message in batch if not topic_matches_sub(wanted, message.topic)]
        gateway.on_messages(batch)

    async def _open_store(self) -> Store:
        url = self.settings.store.url or sqlite_url(self.folders.database)
        # Where a person looks at the door of this very node, they can read there whom it waits for.
        may_wait = self.settings.store.stand_by or self._is_while_used
        until_s = time.monotonic() + PLACE_FOR_S
        while True:
            try:
                store = await asyncio.to_thread(
                    open_store, url, backups=self.folders.backups, clock=self._clock, writer=self._me
                )
            except HeldError as error:
                if time.monotonic() > until_s:
                    if not may_wait:
                        raise
                    self._store_reason = str(error)
                    self._once.lost("store", f"this node stands by: {error}")
                await asyncio.sleep(PLACE_RETRY_S)
                continue
            except ConsoleError as error:
                self._store_reason = str(error)
                self._once.lost("store", f"the database is not open: {error}")
                await asyncio.sleep(STORE_RETRY_S)
                continue
            self._store_reason = ""
            self._once.back("store", "the database is open")
            return store

    async def _make_demo_user(self, access: AccessService) -> None:
        """The demo's operator: a new password at every start, known to nobody."""
        self._demo_password = secrets.token_urlsafe(24)
        if await access.needs_administrator():
            await access.create_first_administrator(DEMO_USER, self._demo_password, "node")
            return
        for user in await access.list_users(SYSTEM):
            if user.name == DEMO_USER:
                await access.reset_password(SYSTEM, user.user_id, self._demo_password)

    async def _open_eyes(self, services: Services, calls: Calls) -> None:
        config = WorkerConfig(
            key="",
            models=self.folders.models,
            logs=self.folders.logs,
            engine=self.settings.vision.engine,
            n_threads=self.settings.vision.threads or max(1, (os.cpu_count() or 2) - 1),
            confidence=self.settings.vision.confidence,
            overlap=self.settings.vision.overlap,
            input_wh=input_wh_of(self.settings.vision.input_size),
        )
        self._supervisor = VisionSupervisor(
            config,
            cameras_per_worker=self.settings.vision.cameras_per_worker,
            on_message=self._on_worker_message,
            on_worker=self._on_worker,
        )
        await self._supervisor.start()
        self._tell_attention()
        # Before the first picture: of a head that is away nobody knows what it shows.
        await services.ptz.load()
        self._supervisor.set_away(services.ptz.away_ids)
        self._supervisor.know_views(await load_views(services.store))
        time_zone = ZoneInfo(zone_name(self.settings.site.time_zone))
        self._sight = Sight(
            self._supervisor,
            rings=self._runtime / "rings",
            clock=self._clock,
            spec_of=self._spec_of,
            on_stream=self._live.add_stream,
            on_inside=self._live.add_inside,
            on_totals=self._live.add_line_totals,
            on_observed=calls.take_observed,
            on_lost=self._bus.publish,
            on_back=self._bus.publish,
            on_rules_reset=calls.take_rules_reset,
            on_rules_begun_anew=calls.take_rules_begun_anew,
            on_scene_changed=calls.take_scene_changed,
            on_counted=self._on_counted,
            on_blind=self._take_blind,
            on_sighted=self._take_sighted,
            on_gaps=self._live.add_line_gaps,
            # It was watched until its list was read, which may be long after it was removed.
            on_gone=calls.take_camera_removed,
            time_zone=time_zone,
        )
        here = self._clock.now().astimezone(time_zone).replace(hour=0, minute=0, second=0, microsecond=0)
        midnight = here.astimezone(UTC)
        # Minutes first: what waited on the disk is stored meanwhile, and no minute is complete without its vehicles.
        counted = await services.traffic.counted_minutes(since=midnight)
        self._sight.set_totals(await services.traffic.totals(since=midnight))
        self._sight.take_minutes(counted)
        if self.is_demo:
            assert self._city is not None
            await demo.seed_cameras(services.cameras, self._city, self._scenes)
        self._sight.note_drawn(await services.cameras.lines_drawn_since(midnight))
        self._watch_bays(services)
        self._spawn(self._prepare_model(calls))

    async def _prepare_model(self, calls: Calls) -> None:
        """Get the model; one that cannot be read is tried again for as long as that is so."""
        while not await self._find_model(calls):
            await asyncio.sleep(MODEL_AGAIN_S)

    async def _find_model(self, calls: Calls) -> bool:
        """Find, fetch or convert the model; the pictures are on the wall meanwhile.

        Returns:
            Whether trying again would change nothing.
        """
        wanted = "" if self.is_demo and not self.settings.vision.model else self.settings.vision.model or DEFAULT_MODEL
        try:
            model = await asyncio.to_thread(
                find_model,
                wanted,
                folder=self.folders.models,
                allow_download=self.settings.vision.may_download,
                on_progress=self._on_model_progress,
                stop=self._export_stop,
            )
        except UnavailableError as error:
            self._use_stand_in(calls, f"{error} It is tried again; the demonstration model runs instead.")
            return False
        except ConsoleError as error:
            self._use_stand_in(calls, f"{error} The demonstration model runs instead.")
            return True
        if model.is_demonstration and wanted not in DEMO_NAMES:
            self._use_stand_in(calls, model.note)
            return True
        self._own_model_note = model.note
        self._use_model("" if model.is_demonstration else model.address)
        assert self._supervisor is not None
        # Where the demonstration model itself is wanted, it runs already, and no engine opens that could say so.
        if not self._is_stand_in or not self._supervisor.has_detector or model.is_demonstration:
            self._use_own_model(calls)
        return True

    def _use_stand_in(self, calls: Calls, sentence: str) -> None:
        """Run the demonstration model where another was wanted: it knows no real street, so nothing counts as seen."""
        assert self._supervisor is not None
        assert self._sight is not None
        self._is_stand_in = True
        self._model_note = f"{sentence} {RULES_OFF}"
        calls.raise_condition(conditions.model_missing(self._model_note))
        calls.note_stand_in()
        self._sight.note_stand_in()
        # Bays are told by their look meanwhile.
        if self._supervisor.model is None:
            self._supervisor.set_model("")

    def _use_own_model(self, calls: Calls) -> None:
        """Let count what the model sees: it is the one that was wanted."""
        assert self._sight is not None
        if self._is_stand_in:
            self._stand_in_until = self._clock.now() + SWITCHED_WITHIN
        self._is_stand_in = False
        self._model_note = self._own_model_note
        calls.return_condition(conditions.model_missing("").condition_key)
        calls.note_own_model()
        self._sight.note_own_model()

    def _on_counted(self, event: LineCrossed | CameraWatched) -> None:
        if not self._is_stand_in:
            self._bus.publish(event)

    def _use_model(self, model: str) -> None:
        assert self._supervisor is not None
        self._supervisor.set_model(model)
        self.bay_sight.set_model(model)

    def _on_model_progress(self, progress: ExportProgress) -> None:
        """Runs on the thread that converts: one text is replaced by another, nothing else."""
        self._model_note = f"The detection model is being made ready: {progress.step} ({progress.fraction:.0%})."

    # -- what happens ---------------------------------------------------------------------------------------------

    def _subscribe(self, services: Services, calls: Calls) -> None:
        """Say who hears of what; every event here comes after its commit."""
        clips = self._clips_of_alarms = ClipKeeper(
            services.clips,
            cameras=lambda: self._sight.cameras if self._sight is not None else (),
            ask=self._ask_for_clip,
            clock=self._clock,
            tunings=services.tunings,
            spawn=self._spawn,
            why_dark=self._why_dark,
        )
        flow = self._camera_flow = CameraFlow(
            tenant=self.settings.site.tenant,
            boot=self.node_id,
            publish=services.field.publish_own,
            is_connected=lambda: self._link is not None and self._link.report().state is LinkState.CONNECTED,
        )

        def on_lost(event: CameraLost) -> None:
            calls.take_camera_lost(event)
            flow.show_lost(event.camera.camera_id, self._clock.now())

        def on_back(event: CameraBack) -> None:
            calls.take_camera_back(event)
            if not calls.is_blind(event.camera_id):
                flow.show_back(event.camera_id, self._clock.now())

        self._bus.subscribe(CameraLost, on_lost)
        self._bus.subscribe(CameraBack, on_back)

        def on_alarm(event: AlarmChanged) -> None:
            self._n_alarms += event.alarm.version == 1
            self._live.add_alarm(event.alarm)
            calls.know(event.alarm)
            self.shift_watch.take(event.alarm)
            self._attend(event.alarm)
            clips.take_alarm(event.alarm)
            services.field.publish_alarm(on_broker(event.alarm, services.tunings))

        def on_incident(event: IncidentChanged) -> None:
            self._n_incidents += event.incident.version == 1
            self._live.add_incident(event.incident)
            clips.take_incident(event.incident)

        reread = self._reread_cameras = Rereading(
            "The list of cameras",
            partial(self._read_cameras, services),
            standing=self._standing,
            spawn=self._spawn,
            clock=self._clock,
        )

        def on_camera(event: CameraChanged) -> None:
            self._live.add_camera(event.camera)
            if not event.is_login_kept:
                self._logins_told.add(event.camera.camera_id)
            reread.soon()

        def on_camera_removed(event: CameraRemoved) -> None:
            self._live.remove_camera(event.camera_id)
            calls.take_camera_removed(event.camera_id)
            ring = self.ring_files().get(event.camera_id)
            if ring is not None:
                self._pictures.forget(Path(ring))
            reread.soon()

        def on_device(event: DeviceChanged) -> None:
            self._live.add_device(event.device)
            calls.take_device(event.device)

        def on_closed(event: ClosedUnheard) -> None:
            alarm = event.alarm
            calls.take_closed(alarm)
            if alarm.source_kind is SourceKind.LOT:
                services.parking.forget_condition(
                    alarm.source_id, alarm.kind, alarm.condition_key.partition(f"{alarm.kind}:")[2]
                )
                services.forecast.forget_expected(alarm.source_id)
                self.bay_sight.tell_again(alarm.source_id)
            elif alarm.source_kind is SourceKind.DRONE:
                services.drones.forget_condition(alarm.source_id, alarm.kind)
            elif alarm.source_kind is SourceKind.STATION:
                services.traffic.forget_jam(alarm.source_id)

        self._bus.subscribe(AlarmChanged, on_alarm)
        self._bus.subscribe(ClosedUnheard, on_closed)
        self._bus.subscribe(IncidentChanged, on_incident)
        self._bus.subscribe(CameraChanged, on_camera)
        self._bus.subscribe(CameraRemoved, on_camera_removed)

        def on_device_removed(event: DeviceRemoved) -> None:
            self._live.remove_device(event.device_id)
            calls.take_device_removed(event.device_id)

        self._bus.subscribe(DeviceChanged, on_device)
        self._bus.subscribe(DeviceRemoved, on_device_removed)
        self._bus.subscribe(ReadingReceived, lambda event: self._live.add_reading(event.reading))
        self._bus.subscribe(ReadingReceived, lambda event: calls.take_reading(event.reading))
        self._bus.subscribe(FieldEventReceived, lambda event: calls.take_field_event(event.event))
        self._bus.subscribe(EventCameAhead, lambda event: calls.take_field_event(event.event))
        self._bus.subscribe(EventsLost, calls.take_events_lost)
        self._bus.subscribe(CommandChanged, lambda event: self._live.add_command(event.command))
        self._bus.subscribe(TwinChanged, lambda event: self._live.add_twin(event.twin))
        self._bus.subscribe(StationCongestion, calls.take_congestion)
        self._bus.subscribe(FullExpected, lambda event: calls.take_full_expected(event, services.parking.lot_plan))
        self._bus.subscribe(FlowMeasured, lambda event: flow.tell(event.minutes, self._clock.now()))
        self._bus.subscribe(SessionsEnded, lambda event: self._sign_out(event.user_id, event.reason))
        self._bus.subscribe(LotChanged, lambda event: self._live.add_lot(event.occupancy))
        self._subscribe_signs(services)
        self._bus.subscribe(LotCondition, calls.take_lot_condition)
        self._bus.subscribe(LotPlanChanged, lambda event: self._live.add_lot_plan(event.lot))
        self._bus.subscribe(LotPlanRemoved, lambda event: self._live.remove_lot(event.lot_id))
        self._bus.subscribe(LotPlanChanged, lambda _event: self._watch_bays(services))
        self._bus.subscribe(LotPlanRemoved, lambda _event: self._watch_bays(services))
        self._bus.subscribe(ViewTroubled, lambda event: self._take_view_trouble(event, services, calls))
        self._bus.subscribe(SightInterrupted, calls.take_sight_interrupted)
        self._bus.subscribe(BaysTold, lambda event: self._live.add_bays(event.bays))
        self._bus.subscribe(BaysTold, lambda event: calls.take_bays(event.bays))
        self._bus.subscribe(SteeringChanged, lambda event: self._live.add_steering(event.steering))
        self._bus.subscribe(HeadTurned, lambda _event: self._take_away(services))
        self._bus.subscribe(ViewAccepted, lambda event: self._take_view_accepted(event.camera_id, calls))
        self._bus.subscribe(WarningChanged, lambda event: self._live.add_warning(event.warning))
        self._bus.subscribe(ShiftEntryAdded, lambda event: self._live.add_shift_entry(event.entry))
        self._bus.subscribe(UnitChanged, lambda event: self._live.add_unit(event.unit))
        self._bus.subscribe(RulesChanged, lambda event: self._live.add_rules(event.in_force))
        self._bus.subscribe(HoldsChanged, lambda event: self._live.add_holds(event.holds))
        self._bus.subscribe(ReviewChanged, lambda event: self._live.add_reviews(event.items))
        self._bus.subscribe(DroneCondition, calls.take_drone_condition)
        self._bus.subscribe(DronesTold, lambda event: self._live.add_drones(event.states))
        self._bus.subscribe(DronesTold, lambda event: self._drone_topics.note(event.states))
        self._bus.subscribe(DronesTold, lambda event: calls.take_drones(event.states))
        self._bus.subscribe(DroneRemoved, lambda event: calls.take_drone_removed(event.drone_id))
        self._bus.subscribe(LotPlanRemoved, lambda event: calls.take_lot_removed(event.lot_id))

        def on_drone(event: DroneChanged) -> None:
            self._live.add_drone_plan(event.drone)
            look_for_carried()

        def on_drone_removed(event: DroneRemoved) -> None:
            self._live.remove_drone(event.drone_id)
            look_for_carried()

        def look_for_carried() -> None:
            if {drone.camera_id for drone in services.drones.drones()} - {""} != self._flying:
                reread.soon()

        self._bus.subscribe(DroneChanged, on_drone)
        self._bus.subscribe(DroneRemoved, on_drone_removed)
        self._bus.subscribe(DroneLinksTold, lambda event: self._live.add_drone_links(event.links))

    def _watch_bays(self, services: Services) -> None:
        """Have the cameras that see bays send pictures of them, apart from those whose own pictures are posted."""
        self.bay_sight.set_lots(services.parking.lot_plans())
        if self._sight is not None:
            self.bay_sight.set_private_parts({one.camera_id: one.scene.private_parts for one in self._sight.cameras})
        if self._supervisor is not None:
            cameras = self._sight.cameras if self._sight is not None else ()
            posted = {camera.camera_id for camera in cameras if looks_at_posted(camera)}
            self._supervisor.set_bay_cameras(self.bay_sight.camera_ids - posted, every_s=BAYS_EVERY_S)

    def _take_view_trouble(self, event: ViewTroubled, services: Services, calls: Calls) -> None:
        """A camera cannot tell its bays any more, or can again."""
        sighting = event.sighting
        lot, camera = services.parking.lot_plan(sighting.lot_id), self._sight and self._sight.camera(sighting.camera_id)
        condition = conditions.view_troubled(
            sighting, lot.name if lot else sighting.lot_id, camera.name if camera else sighting.camera_id
        )
        if sighting.holds:
            calls.raise_condition(condition)
        else:
            calls.return_condition(condition.condition_key)

    def _subscribe_signs(self, services: Services) -> None:
        """Tell signs how many bays are free."""
        signs = self._signs = LotSigns(
            tenant=self.settings.site.tenant, boot=self.node_id, publish=services.field.publish_own
        )
        for lot in services.parking.lot_plans():
            signs.set_lot(lot, self._clock.now())
        for occupancy in services.parking.lots():
            signs.tell(occupancy, self._clock.now())
        self._bus.subscribe(LotChanged, lambda event: signs.tell(event.occupancy, self._clock.now()))
        self._bus.subscribe(LotPlanChanged, lambda event: signs.set_lot(event.lot, self._clock.now()))
        self._bus.subscribe(LotPlanRemoved, lambda event: signs.remove_lot(event.lot_id))

    def _take_blind(self, camera_id: str) -> None:
        """A camera shows pictures, but not what its scene was drawn for: whoever reads its minutes hears it, too."""
        assert self._calls is not None
        self._calls.take_camera_blind(camera_id)
        if self._camera_flow is not None:
            self._camera_flow.show_lost(camera_id, self._clock.now())

    def _take_sighted(self, camera_id: str) -> None:
        assert self._calls is not None
        self._calls.take_camera_sighted(camera_id)
        if self._camera_flow is not None:
            self._camera_flow.show_back(camera_id, self._clock.now())

    def _take_away(self, services: Services) -> None:
        if self._supervisor is not None:
            self._supervisor.set_away(services.ptz.away_ids)

    def _take_view_accepted(self, camera_id: str, calls: Calls) -> None:
        if self._supervisor is not None:
            self._supervisor.forget_view(camera_id)
        if self.services is not None:
            # What its worker said of the old view before it heard of this may be written by now.
            camera = None if self._sight is None else self._sight.camera(camera_id)
            scene = Scene() if camera is None else camera.scene
            self._spawn(forget_view(self.services.store, camera_id, scene))
        calls.take_view_accepted(camera_id)

    async def _keep_view(self, services: Services, learned: ViewLearned) -> None:
        try:
            await keep_view(services.store, learned.camera_id, learned.view)
        except ConsoleError as error:
            # The next word of it comes within minutes, and its worker knows it as long as it lives.
            log.warning("what camera %s shows is not kept: %s", learned.camera_id, error)

    async def _read_cameras(self, services: Services) -> None:
        if self._sight is None:
            return  # The room is not open yet, and reads them when it is.
        await self._has_tried_hardware.wait()
        # Of two changes close together the later list must win.
        async with self._reading_cameras:
            told, self._logins_told = self._logins_told, set()
            try:
                cameras = await services.cameras.list()
                # Passwords may come from a keyring that takes its time.
                await asyncio.to_thread(self._warm_passwords, cameras, told)
            except BaseException:
                self._logins_told |= told
                raise
            self._flying = {drone.camera_id for drone in services.drones.drones()} - {""}
            self._sight.set_cameras(as_flown(cameras, self._flying))
            services.parking.set_lines({one.camera_id: [line.key for line in one.scene.lines] for one in cameras})
            self._watch_bays(services)
            if self._camera_flow is not None:
                self._camera_flow.set_cameras(cameras, self._clock.now())

    def _warm_passwords(self, cameras: tuple[Camera, ...], told: Collection[str]) -> None:
        """Ask for the passwords that are not known yet, and for those that may be others now: a keyring is slow."""
        passwords: dict[str, str] = {}
        unread: dict[str, UnavailableError] = {}
        logins = {camera.camera_id: _login_of(camera) for camera in cameras if camera.has_password}
        for camera_id, login in logins.items():
            if camera_id in self._passwords and camera_id not in told and self._logins.get(camera_id) == login:
                passwords[camera_id] = self._passwords[camera_id]
                continue
            try:
                password = self._secrets.read_secret(secret_name(camera_id))
            except UnavailableError as error:
                unread[camera_id] = error
                continue
            if password is None:
                unread[camera_id] = UnavailableError(IS_FORGOTTEN, hint=TYPE_IT_ANEW)
            else:
                passwords[camera_id] = password
        self._passwords, self._unread_passwords, self._logins = passwords, unread, logins
        self._passwords_due_s = time.monotonic() + PASSWORDS_AGAIN_S if unread else math.inf

    def _spec_of(self, camera: Camera) -> SourceSpec:
        """Return what a camera is read from.

        Raises:
            ConsoleError: It cannot be read; without its password it is not asked, for that might lock its account.
        """
        unread = self._unread_passwords.get(camera.camera_id)
        if unread is not None:
            raise UnavailableError(unread.message, hint=unread.hint)
        spec = verbs.spec_of(camera, self._passwords.get(camera.camera_id, ""), clips=self._clips)
        if spec.address == f"{EDGE}:":
            return replace(spec, address=f"{EDGE}:{picture_file(self._edge_folder, camera.camera_id)}")
        found = self._hardware
        return spec if found is None or found.name == SOFTWARE else replace(spec, hardware=found.name)

    def _attend(self, alarm: Alarm) -> None:
        """Look first at the cameras whose alarms nobody has acknowledged."""
        self._calling.pop(alarm.alarm_id, None)
        if alarm.is_calling and alarm.source_kind is SourceKind.CAMERA:
            self._calling[alarm.alarm_id] = alarm.source_id
        self._tell_attention()

    def _tell_attention(self) -> None:
        if self._supervisor is not None:
            self._supervisor.set_attention(frozenset(self._calling.values()))

    def _on_worker_message(self, message: object) -> None:
        if self._sight is not None:
            self._sight.take(message)
        if isinstance(message, Measured) and self.services is not None:
            minutes = message.minutes
            if self._is_stand_in or self._stand_in_until is not None:
                minutes = tuple(self._as_observed(minute) for minute in minutes)
            self.services.traffic.take_minutes(minutes)
            if self._sight is not None:
                self._sight.take_minutes(minutes)
        if isinstance(message, ViewLearned) and self.services is not None:
            self._spawn(self._keep_view(self.services, message))
        if isinstance(message, BaysPictured):
            self.bay_sight.take_picture(message.camera_id, message.jpeg, message.captured_at, message.private_parts)
        if isinstance(message, ClipKept) and self._clips_of_alarms is not None:
            self._clips_of_alarms.take_clip(message)
        if isinstance(message, EngineFailed) and self._calls is not None:
            self._calls.take_engine_failed(message)
        if isinstance(message, MoveIsOver) and self._calls is not None:
            self._calls.take_view_accepted(message.camera_id)

    def _as_observed(self, minute: FlowMinute) -> FlowMinute:
        """Return the minute; one that the stand-in saw some of was not observed."""
        until = self._stand_in_until
        is_own = not self._is_stand_in and (until is None or minute.minute > until)
        return minute if is_own else replace(minute, observed_s=0.0)

    def _ask_for_clip(self, camera_id: str, clip_id: str, at: datetime) -> None:
        if self._supervisor is not None:
            self._supervisor.keep_clip(camera_id, clip_id, at)

    def _why_dark(self, camera_id: str) -> str:
        """Say why a camera shows nothing just now; empty where it does."""
        report = self._sight.streams.get(camera_id) if self._sight is not None else None
        return "" if report is None or report.state is StreamState.LIVE else report.reason

    def _on_worker(self, report: WorkerReport) -> None:
        if report.state == "restarting" and self._sight is not None:
            if report.is_culprit:
                for camera_id in report.camera_ids:
                    self._sight.mark_culprit(camera_id)
            else:
                self._sight.mark_restarting(report.camera_ids)
        if self._calls is None:
            return
        self._calls.take_worker(report)
        # Only now: what the stand-in saw last was said before, apart from its last minutes.
        if self._is_stand_in and report.engine is not None and not report.engine.is_demonstration:
            self._use_own_model(self._calls)

    # -- once a second --------------------------------------------------------------------------------------------

    async def _keep_house(self) -> None:
        """Do once a second what is due; a step that fails keeps none after it from being done."""
        steps: dict[str, Callable[[], None]] = {
            "The clock": self._watch_clock,
            "Health": self._tell_health,
            "The folder that nobody uses": self._check_unused,
            "The sight of bays": self.bay_sight.watch,
            "The sight of cameras": self._watch_eyes,
            "Sessions": self._end_old_sessions,
            "The lock of the database": self._end_where_superseded,
            "The link to the broker": self._watch_link,
            "The gateway": self._watch_gateway,
            "Calls about this node": self._call_for_itself,
            "The log of the shift": self._write_shift_soon,
            "Messages of cameras": self._tell_flow,
            "Signs": self._tell_signs,
            "Topics of drones": self._tell_drones,
            "Counts": self._keep_counts_soon,
        }
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            for part, step in steps.items():
                self._standing.step(part, step)
            self._standing.watch()

    def _tell_health(self) -> None:
        self._health = self._measure()
        self._live.add_health(self._health)

    def _watch_clock(self) -> None:
        if said := self._clock_watch.look():
            log.warning("%s", said)
            self.shift_watch.add(Draft(kind=ShiftKind.CLOCK, text=said))

    def _watch_eyes(self) -> None:
        if self._sight is not None:
            self._sight.watch()
        if self.services is not None and time.monotonic() >= self._passwords_due_s:
            # Also where the list itself cannot be read just now.
            self._passwords_due_s = time.monotonic() + PASSWORDS_AGAIN_S
            self._reread_again()
        self._ask_for_refused()

    def _ask_for_refused(self) -> None:
        """Ask again for the passwords that cameras refuse: somebody may have put others into the keyring."""
        if self._sight is None or time.monotonic() < self._refused_due_s:
            return
        self._refused_due_s = time.monotonic() + PASSWORDS_AGAIN_S
        streams = self._sight.streams
        refused = {key for key in self._passwords if key in streams and streams[key].state is StreamState.UNAUTHORISED}
        if refused:
            self._logins_told |= refused
            self._reread_again()

    def _reread_again(self) -> None:
        if self._reread_cameras is not None:
            self._reread_cameras.again()

    def _end_where_superseded(self) -> None:
        if self.services is not None and self.services.store.superseded:
            log.error("the node ends: %s", self.services.store.superseded)
            self._fail(self.services.store.superseded)

    def _watch_link(self) -> None:
        if self._link is not None:
            self._link.watch()

    def _watch_gateway(self) -> None:
        if self._gateway is not None:
            self._gateway.tick()

    def _call_for_itself(self) -> None:
        if self.services is None or self._health is None:
            return
        assert self._calls is not None
        self._calls.take_health(self._health)
        if self.cap is not None:
            self._calls.take_warning_places(self.cap.silent_places())
        self._calls.tell_quality()

    def _write_shift_soon(self) -> None:
        if self.services is not None and not self._is_writing_shift:
            self._is_writing_shift = True
            self._spawn(self._write_shift(self.services))

    def _tell_flow(self) -> None:
        if self.services is not None and self._camera_flow is not None:
            self._camera_flow.tell_waiting(self._clock.now())

    def _tell_signs(self) -> None:
        if self.services is not None and self._signs is not None:
            self._signs.tell_again(self._clock.now())

    def _tell_drones(self) -> None:
        if self.services is not None:
            known = {drone.drone_id: drone for drone in self.services.drones.drones()}
            self._drone_topics.tell(known, self._clock.now())

    def _keep_counts_soon(self) -> None:
        if self.services is not None and time.monotonic() >= self._counts_due_s:
            # Not awaited: while the database is locked the room must still hear how the node is.
            self._counts_due_s = math.inf
            self._spawn(self._keep_counts())

    def _on_part_failed(self, part: str, sentence: str) -> None:
        if self._server is not None:
            self._server.n_errors += 1
        if self._calls is not None:
            self._calls.raise_condition(conditions.part_failed(part, sentence))

    def _on_part_well(self, part: str) -> None:
        if self._calls is not None:
            self._calls.return_condition(conditions.part_failed(part, "").condition_key)

    async def _write_shift(self, services: Services) -> None:
        """Write what the log should tell; what the database does not take waits for the next second."""
        drafts = self.shift_watch.due(self._clock.now())
        try:
            await services.shift.note(*drafts)
        except ConsoleError as error:
            self.shift_watch.add(*drafts)
            self._once.lost("shift", f"the shift log waits for the database: {error}")
        else:
            self._once.back("shift", "the shift log is written again")
        finally:
            self._is_writing_shift = False

    async def _keep_counts(self) -> None:
        try:
            await self._store_counts()
        except ConsoleError as error:
            self._once.lost("counts", f"counts and minutes wait for the database: {error}")
        else:
            self._once.back("counts", "counts and minutes are stored again")
        finally:
            self._counts_due_s = time.monotonic() + COUNTS_EVERY_S

    async def _keep_alarms(self, services: Services) -> None:
        """Do once a second what happens to alarms by themselves."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            await self._standing.tick("The delays of alarms", services.incidents.tick)
            await self._standing.tick("The deadlines of alarms", services.keeper.tick)

    async def _forget_forever(self, store: Store) -> None:
        """Delete what is older than the settings say, once an hour."""
        while True:
            before = self._clock.now() - timedelta(days=self.settings.store.keep_readings_days)
            try:
                if self.services is not None:
                    logs_before = self._clock.now() - timedelta(days=self.settings.drones.keep_log_days)
                    await self.services.drones.history.forget(logs_before)
                n_rows = await forget_before(store, before)
            except ConsoleError as error:
                self._once.lost("retention", f"old readings are not deleted: {error}")
            else:
                self._once.back("retention", "old readings are deleted again")
                if n_rows:
                    log.info("%d rows from before %s are deleted", n_rows, before.date())
            await asyncio.sleep(FORGET_EVERY_S)

    async def _store_counts(self) -> None:
        assert self.services is not None
        if self._sight is None:
            return
        self.services.traffic.take_counts(self._sight.take_counts())
        await self.services.traffic.store_minutes()

    def _check_unused(self) -> None:
        if not self._is_while_used or self._server is None:
            return
        now_s = time.monotonic()
        if self._server.peers:
            self._last_console_s = now_s
        elif now_s - self._last_console_s > UNUSED_AFTER_S:
            log.info("no console is left, the node ends")
            self.stop_soon()

    def _measure(self) -> Health:
        cpu_percent, memory_mb = self._load.read()
        is_ok, reason = self.services.store.status() if self.services else (False, self._store_reason)
        sums = self._sight.sums() if self._sight else (0, 0, 0, 0)
        link = self.services.field.link_report() if self.services else None
        unstored = self._calls.unstored() if self._calls is not None else ()
        return Health(
            at=self._clock.now(),
            node_pid=os.getpid(),
            version=self.version,
            loop_lag_p99_ms=self._lag.p99_ms,
            loop_lag_max_ms=self._lag.max_ms,
            database=self._database(),
            is_database_ok=is_ok,
            database_reason=reason,
            disk_free_gb=disk_free_gb(self.folders.data),
            link=link,
            losses=self.services.field.losses() if self.services else FieldLosses(),
            adapters=self._adapter_reports(),
            gateway=self._http.report() if self._http is not None else None,
            workers=self._supervisor.reports() if self._supervisor else (),
            stand_in_reason=self._model_note if self._is_stand_in else "",
            notices=self._notices(),
            unstored_calls=unstored[:UNSTORED_NAMED],
            n_unstored_calls=len(unstored),
            n_frames=sums[0],
            n_dropped=sums[1],
            n_detections=sums[2],
            n_observations=sums[3],
            n_incidents=self._n_incidents,
            n_alarms=self._n_alarms,
            n_messages=link.n_received if link else 0,
            n_worker_restarts=self._supervisor.n_restarts if self._supervisor else 0,
            n_errors=self._server.n_errors if self._server else 0,
            n_consoles=len(self._server.peers) if self._server else 0,
            cpu_percent=cpu_percent,
            memory_mb=memory_mb,
            decoder=self._hardware.name if self._hardware else "",
            decoder_reason=self._hardware.reason if self._hardware else "",
        )

    def _database(self) -> str:
        """What operators call the database; not its address, which may hold a password."""
        if not self.settings.store.url:
            return f"SQLite, {self.folders.database.name}"
        return self.services.store.place if self.services else "not open yet"

    def _nonsense_notices(self) -> list[tuple[str, str, str]]:
        """Name who sends what cannot be used just now, the worst few of them."""
        heard = self.services.field.bad_sources() if self.services else ()
        heard += self._gateway.bad_sources() if self._gateway else ()
        heard += self._http.bad_sources() if self._http else ()
        since = self._clock.now() - NONSENSE_SHOWN_FOR
        loud = [source for source in heard if source.last_at >= since and source.n_messages >= NONSENSE_FROM]
        loud.sort(key=lambda source: -source.n_messages)
        return [
            (
                f"nonsense/{source.source}",
                f"{source.source} sends what cannot be used: {source.last_error}",
                f"{source.n_messages:,} messages so far. Look at the device, or disable it.",
            )
            for source in loud[:NONSENSE_AT_MOST]
        ]

    def _publish_to_broker(
        self, topic: str, payload: bytes, *, qos: int = 0, is_retained: bool = False, expiry_s: float | None = None
    ) -> bool:
        if self._link is None:
            return False
        return self._link.publish(topic, payload, qos=qos, is_retained=is_retained, expiry_s=expiry_s)

    def _adapter_reports(self) -> tuple[AdapterReport, ...]:
        if self._gateway is None or self._link is None:
            return ()
        told = self._cot.report() if self._cot is not None else None
        return (*self._gateway.reports(self._link.refused_filters), *((told,) if told is not None else ()))

    def _notices(self) -> tuple[SystemNotice, ...]:
        found = [(f"settings/{index}", fault.sentence, "") for index, fault in enumerate(self._faults)]
        if self._store_reason:
            found.append(("store", self._store_reason, ""))
        if self._broker is not None and self._broker.embedded is not None:
            found.append(("broker", self._broker.embedded.notice, "Name a broker in the settings for field devices."))
        found.extend(
            (f"adapter/{adapter.key}", f"{adapter.title}: {adapter.reason}", "Change the list at the broker.")
            for adapter in self._adapter_reports()
            if adapter.reason
        )
        found.extend(self._nonsense_notices())
        if clock_said := self._clock_watch.notice:
            found.append(("clock", clock_said, clock_watch.HINT))
        if self.services is not None:
            found.extend(self.services.sound_tests.due())
            found.extend(self.services.parking.notices())
            found.extend((f"minutes/{index}", *said) for index, said in enumerate(self.services.traffic.notices()))
        if self._model_note:
            found.append(("model", self._model_note, "Set vision.model to a model for real cameras."))
        if size_fault := self._size_fault():
            found.append(("size", size_fault, "Export the model for that size, or leave vision.input_size empty."))
        wanted = self.settings.vision.hardware_decode
        if self._hardware is not None and self._hardware.name == SOFTWARE and wanted not in {AUTO, OFF}:
            sentence = f"Pictures are decoded in software although {wanted} is set: {self._hardware.reason}"
            found.append(("hardware", sentence, "Mend its driver, or set vision.hardware_decode to auto."))
        if self._secrets.notice:
            found.append(("secrets", self._secrets.notice, ""))
        if self._spool.notice:
            found.append(("spool", self._spool.notice, "Look at that file and the room on its disk."))
        if self._unread_passwords:
            found.append(("passwords", self._unread_sentence(), "They are not called until theirs is there."))
        if self._reread_cameras is not None and (since := self._reread_cameras.failing_since) is not None:
            sentence = (
                f"What was changed on cameras since {to_site(since):%H:%M:%S} is not in force: it cannot be read."
            )
            found.append(("cameras", sentence, "It is tried again by itself; until then a new mask hides nothing."))
        blamed = self.cap.faults() if self.cap is not None else {}
        found += ((f"cap/{place}", said, "A regional warning may be missing.") for place, said in blamed.items())
        now = self._clock.now()
        # A notice keeps the time it was first given for as long as it says the same.
        self._notice_since = {text: self._notice_since.get(text, now) for _, text, _ in found}
        return tuple(
            SystemNotice(key=key, message=text, hint=hint, since=self._notice_since[text]) for key, text, hint in found
        )

    def _size_fault(self) -> str:
        """Say that the model that runs does not take the size that is set."""
        reports = self._supervisor.reports() if self._supervisor is not None else ()
        engine = next((report.engine for report in reports if report.engine is not None), None)
        return "" if engine is None else other_size(engine, input_wh_of(self.settings.vision.input_size))

    def _unread_sentence(self) -> str:
        """Name the cameras whose passwords nobody can read, the first few of them, and why."""
        unread = self._unread_passwords
        names = sorted(camera.name for camera_id in unread if (camera := self._watched_camera(camera_id)) is not None)
        more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
        why = next(iter(unread.values()))
        return f"Cameras without their passwords: {', '.join(names[:NAMED_AT_MOST])}{more}. {why}"

    # -- what verbs use -------------------------------------------------------------------------------------------

    def require_services(self) -> Services:
        """Return the services.

        Raises:
            UnavailableError: The store is not open yet; the sentence says why.
        """
        if self.services is None:
            raise verbs.not_ready(self._store_reason)
        return self.services

    @property
    def parking(self) -> ParkingService:
        """The lots.

        Raises:
            UnavailableError: The store is not open yet.
        """
        return self.require_services().parking

    @property
    def time_zone(self) -> str:
        """Name of the zone that people at the site live by."""
        return self._zone.key

    def door_notices(self) -> tuple[str, ...]:
        """What a person at the door should know."""
        sentences = [fault.sentence for fault in self._faults]
        return (*sentences, self._store_reason) if self._store_reason else tuple(sentences)

    async def snapshot(self) -> Snapshot:
        """Return the complete state, from the store and from what is live."""
        services = self.require_services()
        assert self._sight is not None
        cameras = await services.cameras.list()
        changes = Changes(
            alarms=tuple(await services.incidents.open_alarms()),
            incidents=_joined(await services.incidents.recent_incidents(200), await services.dispatch.open_incidents()),
            cameras=cameras,
            devices=tuple(services.field.devices()),
            readings=services.field.readings(),
            commands=services.field.commands(),
            twins=services.field.twins(),
            lots=services.parking.lots(),
            lot_plans=services.parking.lot_plans(),
            bays=services.parking.all_bays(),
            streams=tuple(self._sight.streams.values()),
            line_totals=self._sight.totals,
            line_gaps=self._sight.gaps,
            inside=self._sight.inside,
            units=await services.dispatch.units(),
            warnings=services.warnings.warnings(),
            rules=services.rules.book.in_force,
            holds=await services.handling.holds(),
            steering=services.ptz.steering(),
            health=self._health,
            drones=services.drones.states(),
            drone_plans=services.drones.drones(),
            drone_links=self.drone_door.links() if self.drone_door is not None else (),
        )
        return Snapshot(changes=changes, rings=self._sight.ring_files)

    def ring_files(self) -> dict[str, str]:
        """Return the file of each camera's pictures on this machine."""
        return self._sight.ring_files if self._sight else {}

    async def picture(self, camera_id: str, after: int) -> Picture:
        """Return a camera's newest picture for a console that cannot reach this machine's memory.

        Raises:
            BadInputError: There is no such camera, or it is disabled.
        """
        ring = self.ring_files().get(camera_id)
        if ring is None:
            raise BadInputError(f"There is no camera {camera_id}.", hint="It was removed.")
        return await asyncio.to_thread(self._pictures.newest, Path(ring), after=after)

    def health(self) -> Health:
        """Return how the node is, measured now."""
        return self._measure()

    def vision_views_changed(self, peer: Peer, sizes: dict[str, tuple[int, int]], panel: str = "wall") -> None:
        """A panel of a console shows these cameras in these sizes [px]; the largest wish of all of them counts."""
        if sizes:
            self._views[peer, panel] = sizes
        else:
            self._views.pop((peer, panel), None)
        self._tell_views()

    def take_desk_sound(self, peer: Peer, desk: str, reason: str) -> None:
        """A desk says why it does not hear its alarms, or with an empty reason that it does."""
        if self._calls is None:
            return
        if reason:
            self._deaf[peer] = desk
            self._calls.raise_condition(conditions.desk_deaf(desk, reason))
            return
        # Also where it was deaf before the node began.
        self._deaf.pop(peer, None)
        self._hear_again(desk)

    def _hear_again(self, desk: str) -> None:
        if self._calls is not None and desk not in self._deaf.values():
            self._calls.return_condition(conditions.desk_deaf(desk, "").condition_key)

    def _tell_views(self) -> None:
        if self._supervisor is None:
            return
        wanted: dict[str, tuple[int, int]] = {}
        for view in self._views.values():
            for camera_id, size in view.items():
                known = wanted.get(camera_id, (0, 0))
                wanted[camera_id] = (max(known[0], size[0]), max(known[1], size[1]))
        self._supervisor.set_views(wanted)

    async def demo_session(self, desk: str) -> Session:
        """Sign the demo's operator in.

        Raises:
            NotPermittedError: This is no demonstration.
        """
        if not self.is_demo:
            raise NotPermittedError("This node does not run the demonstration.", hint="Sign in.")
        return await self.require_services().access.sign_in(DEMO_USER, self._demo_password, desk)

    async def test_source(self, source: SourceSpec, camera_id: str) -> ProbeResult:
        """Open an address once; without a password, with the one that is kept for this camera if it has that host."""
        services = self.require_services()
        if source.username and not source.password and camera_id:
            source = replace(source, password=await services.cameras.password_for(camera_id, source.address))
        streams = {} if self._sight is None else self._sight.streams
        away = services.ptz.away_ids | unplaced(streams)
        if source.address.startswith(f"{EDGE}:"):
            return await self._test_posted(camera_id, away)
        cameras = await services.cameras.list()
        private = _private_parts(cameras, camera_id, source.address, away=away)
        opened = verbs.resolve_demo(source, self._clips)
        found = await asyncio.to_thread(probe, opened, timeout_s=8.0, privacy=private)
        return covered(found, source.address, cameras, streams)

    async def _test_posted(self, camera_id: str, away: frozenset[str]) -> ProbeResult:
        """Show what was posted for a camera last; that nothing was yet does not speak against it."""
        camera = self._sight.camera(camera_id) if self._sight is not None else None
        if camera is not None:
            file = picture_file(self._edge_folder, camera.camera_id)
            source = SourceSpec(address=f"{EDGE}:{file}")
            found = await asyncio.to_thread(probe, source, timeout_s=8.0, privacy=_hidden_parts(camera, away))
            if found.ok:
                return found
        return ProbeResult(
            ok=True,
            message="Its pictures are posted to the node; none came lately.",
            hint="Save it, then make a key for it in Devices, Keys.",
        )

    def start_dry_run(self, camera_id: str, *, scene: Scene, source: SourceSpec | None, limit_s: float) -> str:
        """Begin to try a camera's scene over footage, or over its own stream where none is named; returns the run's id.

        Raises:
            BadInputError: There is no such camera.
            UnavailableError: Another dry run is going on, or the model is not ready yet.
        """
        camera = None if self._sight is None else self._sight.camera(camera_id)
        if camera is None or self._supervisor is None:
            raise BadInputError("There is no such camera.", hint="Look at the list again.")
        if source is None and camera_id in self.require_services().ptz.away_ids:
            raise UnavailableError(
                f"{camera.name} is turned away from the view that its scene is for.",
                hint="Send it home in PTZ, or try the scene on recorded footage.",
            )
        if self._supervisor.model is None:
            raise UnavailableError("The detection model is not ready yet.", hint="Wait a moment, then try again.")
        return self.dry_runs.start(
            DryRunOrder(
                run_id=new_id(),
                camera_id=camera_id,
                source=self._spec_of(camera) if source is None else verbs.resolve_demo(source, self._clips),
                scene=scene,
                models=self.folders.models,
                model=self._supervisor.model,
                labels=camera.labels,
                tracker=camera.tracker,
                engine=self.settings.vision.engine,
                confidence=self.settings.vision.confidence,
                overlap=self.settings.vision.overlap,
                input_wh=input_wh_of(self.settings.vision.input_size),
                detect_fps=camera.detect_fps or DRY_RUN_FPS,
                limit_s=limit_s,
                shapes=self._supervisor.shapes_of(camera_id),
                rehearse=partial(rehearse, book=self.require_services().rules.book, camera_name=camera.name),
            )
        )

    def start_calibration(self, actor: Actor, lot_id: str, camera_id: str) -> str:
        """Begin to find out how a camera's bays are best looked at; the result is saved into the lot.

        Returns:
            The run's id.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is no such lot or view.
            UnavailableError: No picture came yet, another run is going on, or the model is not ready.
        """
        require(actor, Role.SUPERVISOR)
        lot = self.parking.lot_plan(lot_id)
        if lot is None or not any(view.camera_id == camera_id and view.outlines for view in lot.views):
            raise BadInputError("No bay is drawn on this camera's picture.", hint="Draw the bays, and save the lot.")
        pictures = self.bay_sight.pictures(lot_id, camera_id)
        if not pictures:
            raise UnavailableError("No picture of this camera came yet.", hint="Wait until it shows the lot.")
        if self._supervisor is None or self._supervisor.model is None:
            raise UnavailableError("The detection model is not ready yet.", hint="Wait a moment, then try again.")
        newest = pictures[-1].at - CORRECTION_AGE
        corrected = (bay for bay in self.parking.bays(lot_id) if bay.source.startswith("operator:") and bay.at > newest)
        order = CalibrationOrder(
            run_id=new_id(),
            lot=lot,
            camera_id=camera_id,
            models=self.folders.models,
            pictures=tuple(picture.jpeg for picture in pictures),
            model=self._supervisor.model,
            engine=self.settings.vision.engine,
            corrections=tuple((bay.bay_id, bay.state is BayState.OCCUPIED) for bay in corrected if bay.is_known),
        )
        return self.calibrations.start(order, save=lambda run: self._save_calibration(actor, lot, run))

    async def _save_calibration(self, actor: Actor, drawn: Lot, run: Calibration) -> None:
        """Write what a run found into the lot as it is now, unless its bays were drawn anew meanwhile."""
        lot = self.parking.lot_plan(run.lot_id)
        before = next(view for view in drawn.views if view.camera_id == run.camera_id)
        view = next((view for view in lot.views if view.camera_id == run.camera_id), None) if lot else None
        if lot is None or view is None or view.outlines != before.outlines:
            raise BadInputError("The bays were drawn anew meanwhile.", hint="Calibrate again.")
        found = replace(view, method=run.method, image_px=run.image_px, rate=run.rate, calibrated_at=self._clock.now())
        views = tuple(found if one.camera_id == run.camera_id else one for one in lot.views)
        await self.parking.save_lot(actor, replace(lot, views=views), note=f"Calibrated. {run.step}")

    async def bay_picture(self, lot_id: str, bay_id: str) -> Picture:
        """Return the newest picture of a bay, cut to it, from the camera that showed it last.

        Raises:
            BadInputError: There is no such lot, or no camera sees the bay.
            UnavailableError: No picture came yet.
        """
        lot = self.parking.lot_plan(lot_id)
        views = [view for view in lot.views if bay_id in view.outlines] if lot is not None else []
        if not views:
            raise BadInputError("No camera sees this bay.", hint="Draw it on a camera's picture.")
        seen = [(kept, view) for view in views if (kept := self.bay_sight.newest(lot_id, view.camera_id)) is not None]
        if not seen:
            raise UnavailableError("No picture of this bay came yet.", hint="Wait until its camera shows the lot.")
        kept, view = max(seen, key=lambda one: one[0].at)
        jpeg, (width, height) = await asyncio.to_thread(cut_bay, kept.jpeg, view.outlines[bay_id])
        age_s = max(0.0, (self._clock.now() - kept.at).total_seconds())
        return Picture(
            sequence=1, captured_at_s=kept.at.timestamp(), age_s=age_s, width=width, height=height, jpeg=jpeg
        )

    # -- consoles -------------------------------------------------------------------------------------------------

    def _push(self, changes: Changes) -> None:
        if self._server is None:
            return
        peers = [peer for peer in self._server.peers if peer.is_trusted]
        if not peers:
            return
        frame = protocol.encode(["p", "changes", without_defaults(changes)])
        for peer in peers:
            peer.push_encoded(frame)

    def desks_by_user(self) -> dict[str, tuple[str, ...]]:
        """Return where users are signed in right now, by their id."""
        found: dict[str, tuple[str, ...]] = {}
        for peer in self._server.peers if self._server else ():
            session = peer.state.get("session")
            if isinstance(session, Session):
                known = found.get(session.user.user_id, ())
                found[session.user.user_id] = (*known, session.desk) if session.desk not in known else known
        return found

    def _sign_out(self, user_id: str, reason: str) -> None:
        """End a user's sessions at every console."""
        for peer in tuple(self._server.peers) if self._server else ():
            session = peer.state.get("session")
            if isinstance(session, Session) and session.user.user_id == user_id:
                self._show_door(peer, reason)

    def _end_old_sessions(self) -> None:
        now = self._clock.now()
        for peer in tuple(self._server.peers) if self._server else ():
            session = peer.state.get("session")
            if isinstance(session, Session) and session.expires_at <= now:
                self._show_door(peer, "The session is over: please sign in again.")

    def _show_door(self, peer: Peer, reason: str) -> None:
        peer.state.pop("session", None)
        peer.is_trusted = False
        self.let_go(peer)
        peer.push("signed_out", reason)

    def _on_console_gone(self, peer: Peer) -> None:
        self.let_go(peer)
        self._last_console_s = time.monotonic()

    def _on_console_waiting(self, is_waiting: bool) -> None:
        if self._link is not None:
            self._link.give_way(is_waiting)

    def let_go(self, peer: Peer) -> None:
        """Nobody is signed in at this console any more: it shows nothing and steers nothing."""
        self._views = {key: view for key, view in self._views.items() if key[0] is not peer}
        self._tell_views()
        if self.services is not None:
            self.services.ptz.release(peer)
        # Nobody sits there any more who could miss something.
        desk = self._deaf.pop(peer, None)
        if desk is not None:
            self._hear_again(desk)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run in the background; an error is logged, counted and never lost."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        if isinstance(error, ConsoleError):
            log.warning("%s", error)
            return
        log.error("a task of the node failed", exc_info=error)
        if self._server is not None:
            self._server.n_errors += 1


def _joined(recent: tuple[Incident, ...], open_ones: tuple[Incident, ...]) -> tuple[Incident, ...]:
    """Return each incident once, the oldest first: a console lets go of what comes first."""
    by_id = {incident.incident_id: incident for incident in (*recent, *open_ones)}
    return tuple(by_id[incident_id] for incident_id in sorted(by_id))


def _write_private(path: Path, text: str) -> None:
    """Write a file that only the owner can read; consoles see it whole or not at all."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _login_of(camera: Camera) -> tuple[str, ...]:
    """Return what a camera's password is sent to, and for whom."""
    return camera.address, camera.sub_address, camera.onvif_address, camera.username


def _private_parts(
    cameras: Sequence[Camera], camera_id: str, address: str, *, away: frozenset[str]
) -> tuple[Polygon, ...]:
    """Return what nobody may see at an address: whoever types it anew sees no more than on the wall."""
    wanted = public_address(address)
    return tuple(
        part
        for camera in cameras
        if camera.camera_id == camera_id
        or wanted in (public_address(camera.address), public_address(camera.sub_address))
        for part in _hidden_parts(camera, away)
    )


def _hidden_parts(camera: Camera, away: frozenset[str]) -> tuple[Polygon, ...]:
    """Return what is black: all of the picture where nobody knows any more where in it the private parts are."""
    parts = camera.scene.private_parts
    return (WHOLE,) if parts and camera.camera_id in away else parts
