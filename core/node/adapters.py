"""Which adapters the settings switch on, and what each of them gets of the node."""

from __future__ import annotations

from collections.abc import Callable

from core.cameras.model import Camera
from core.field.model import is_unit
from core.field.service import FieldService
from core.gateway.adapter import Adapter, Gateway, Publish
from core.gateway.cot import CotSender, drone_event, unit_event
from core.gateway.frigate import FrigateAdapter
from core.gateway.home_assistant import HomeAssistantAdapter
from core.gateway.sparkplug import SparkplugAdapter
from core.kernel.clock import Clock
from core.kernel.settings import CotSettings, Settings
from core.node.calls import Calls
from core.node.services import Services


def make_gateway(
    settings: Settings,
    *,
    clock: Clock,
    field: FieldService,
    calls: Calls,
    cameras: Callable[[], tuple[Camera, ...]],
    publish: Publish,
    version: str,
) -> Gateway:
    """Build the adapters that are switched on; with none of them every message goes straight to the field."""
    wanted = settings.adapters
    adapters: list[Adapter] = []
    if wanted.frigate:
        frigate = FrigateAdapter(
            topic=wanted.frigate_topic,
            zones=tuple(zone.strip() for zone in wanted.frigate_zones.split(",") if zone.strip()),
            cameras=cameras,
            raise_condition=calls.raise_condition,
            return_condition=calls.return_condition,
            keep_past=calls.keep_past,
            now_s=clock.monotonic,
        )
        calls.follow(frigate)
        adapters.append(frigate)
    if wanted.sparkplug:
        adapters.append(
            SparkplugAdapter(tenant=settings.site.tenant, to_field=field.on_messages, publish=publish, now=clock.now)
        )
    if wanted.home_assistant:
        adapters.append(
            HomeAssistantAdapter(
                topic=wanted.home_assistant_topic,
                tenant=settings.site.tenant,
                version=version,
                devices=field.devices,
                newest=field.newest,
                publish=publish,
            )
        )
    return Gateway(adapters, clock=clock, to_field=field.on_messages)


def make_cot(
    settings: CotSettings, *, clock: Clock, services: Services, get_secret: Callable[[str], str | None]
) -> CotSender:
    """Build what tells TAK of drones and units."""

    def events() -> list[bytes]:
        now = clock.now()
        drones = {drone.drone_id: drone for drone in services.drones.drones()}
        found = [drone_event(drones.get(state.drone_id), state, now) for state in services.drones.states()]
        units = (device for device in services.field.devices() if is_unit(device))
        found.extend(unit_event(device) for device in units)
        return [event for event in found if event is not None]

    return CotSender(settings, events=events, clock=clock, get_secret=get_secret)
