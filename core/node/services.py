"""Everything that needs the store, made once it is open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from core.access.audit import append
from core.access.service import AccessService
from core.cameras.onvif.ptz import PtzService
from core.cameras.onvif.service import OnvifService
from core.cameras.service import CameraService
from core.drones.history import DroneHistory
from core.drones.service import DroneService
from core.field.outbox import Outbox
from core.field.service import FieldService
from core.field.settings import BrokerSettings
from core.gateway.http.keys import KeyDesk
from core.incidents.clips import ClipStore
from core.incidents.dispatch import DispatchService
from core.incidents.handling import AlarmHandling
from core.incidents.handover import HandOverService
from core.incidents.keeper import AlarmKeeper
from core.incidents.review import ReviewService
from core.incidents.rules.desk import RuleDesk
from core.incidents.service import IncidentService
from core.incidents.shift import ShiftService
from core.incidents.sound_tests import SoundTests
from core.incidents.tuning import Tunings
from core.incidents.warnings import WarningPolicy, WarningService
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.geo import GeoPoint
from core.kernel.paths import Folders
from core.kernel.secrets import Secrets
from core.kernel.settings import Settings, area_codes_of
from core.kernel.zone import zone_name
from core.node.certificate_desk import CertificateDesk
from core.parking.forecast.service import ForecastService
from core.parking.service import ParkingService
from core.store.engine import Store
from core.traffic.flow_spool import FOLDER as MINUTES_FOLDER
from core.traffic.service import TrafficService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The rooms of the node, each behind its verbs."""

    store: Store
    outbox: Outbox
    access: AccessService
    cameras: CameraService
    onvif: OnvifService
    ptz: PtzService
    rules: RuleDesk
    tunings: Tunings
    incidents: IncidentService
    clips: ClipStore
    handling: AlarmHandling
    keeper: AlarmKeeper
    dispatch: DispatchService
    shift: ShiftService
    sound_tests: SoundTests
    hand_over: HandOverService
    warnings: WarningService
    review: ReviewService
    field: FieldService
    traffic: TrafficService
    parking: ParkingService
    forecast: ForecastService
    drones: DroneService
    certificates: CertificateDesk
    gateway_keys: KeyDesk


def make_services(
    store: Store,
    *,
    settings: Settings,
    broker: BrokerSettings,
    folders: Folders,
    secrets: Secrets,
    bus: Bus,
    clock: Clock,
    is_demo: bool = False,
) -> Services:
    """Build them; nothing is read or sent yet."""
    outbox = Outbox(folders.data / "outbox.sqlite3")
    cameras = CameraService(store, bus, clock, secrets)
    zone = ZoneInfo(zone_name(settings.site.time_zone))
    rules = RuleDesk(store, bus, clock, zone)
    tunings = rules.tunings
    incidents = IncidentService(
        store,
        bus,
        clock,
        evidence=folders.evidence,
        tunings=tunings,
        by_rule=lambda condition: rules.book.applied(condition),
    )
    parking = ParkingService(store=store, bus=bus, clock=clock)
    return Services(
        store=store,
        outbox=outbox,
        access=AccessService(store, bus, clock, session_s=settings.access.session_hours * 3600.0),
        cameras=cameras,
        onvif=OnvifService(cameras),
        ptz=PtzService(cameras, store, bus, clock),
        rules=rules,
        tunings=tunings,
        incidents=incidents,
        clips=ClipStore(store, evidence=folders.evidence),
        handling=AlarmHandling(store, bus, clock, tunings),
        keeper=AlarmKeeper(store, bus, clock, tunings),
        dispatch=DispatchService(store, bus, clock, evidence=folders.evidence),
        shift=ShiftService(store, bus, clock),
        sound_tests=SoundTests(store, bus, clock),
        hand_over=HandOverService(
            store, bus, clock, folder=folders.data / "reports", site=settings.site.name, zone=zone
        ),
        warnings=WarningService(store, bus, clock, incidents, _warning_policy(settings, zone)),
        review=ReviewService(store, bus, clock),
        field=FieldService(store=store, bus=bus, clock=clock, outbox=outbox, settings=broker, audit=append),
        traffic=TrafficService(store=store, bus=bus, clock=clock, folder=folders.data / MINUTES_FOLDER),
        parking=parking,
        forecast=ForecastService(
            store=store,
            bus=bus,
            clock=clock,
            parking=parking,
            settings=settings.parking,
            time_zone=zone.key,
            folder=folders.data,
            is_simulated=is_demo,
        ),
        drones=DroneService(
            store=store,
            bus=bus,
            clock=clock,
            history=DroneHistory(store=store, bus=bus, clock=clock, folder=folders.data / "drones"),
            max_height_m=settings.drones.max_height_m or None,
        ),
        certificates=CertificateDesk(store, clock, Path(settings.broker.folder) if settings.broker.folder else None),
        gateway_keys=KeyDesk(store, clock),
    )


def _warning_policy(settings: Settings, zone: ZoneInfo) -> WarningPolicy:
    site, wanted = settings.site, settings.cap
    is_placed = site.center_lat_deg is not None and site.center_lon_deg is not None
    return WarningPolicy(
        statuses=tuple(part.strip() for part in wanted.accept.split(",")),
        languages=tuple(part.strip() for part in wanted.languages.split(",") if part.strip()),
        center=GeoPoint(site.center_lat_deg or 0.0, site.center_lon_deg or 0.0) if is_placed else None,
        radius_km=wanted.radius_km,
        geocodes=area_codes_of(wanted.geocodes),
        zone=zone,
    )
