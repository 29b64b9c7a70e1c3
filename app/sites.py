"""Where the source of an alarm stands, for the groups of a flood."""

from __future__ import annotations

from collections.abc import Mapping

from app.live import LiveModel
from core.cameras.model import Camera
from core.drones.model import Drone
from core.field.model import Device
from core.incidents.model import Alarm, SourceKind
from core.parking.model import Lot

_OF_TOPICS = frozenset({SourceKind.DEVICE, SourceKind.STATION, SourceKind.LOT})


def site_of(live: LiveModel, alarm: Alarm) -> str:
    """Return the site in the operators' words; of a device without one the group of its topic; else nothing."""
    for things in _things(live, alarm.source_kind):
        thing = things.get(alarm.source_id)
        if thing is not None and thing.site:
            return thing.site
    group, slash, _ = alarm.source_id.partition("/")
    return group if slash and alarm.source_kind in _OF_TOPICS else ""


def _things(live: LiveModel, kind: SourceKind) -> tuple[Mapping[str, Camera | Device | Drone | Lot], ...]:
    match kind:
        case SourceKind.CAMERA:
            return (live.cameras,)
        case SourceKind.DEVICE | SourceKind.STATION:
            return (live.devices,)
        case SourceKind.LOT:
            # Drawn, or only told of by a device of this id.
            return (live.lot_plans, live.devices)
        case SourceKind.DRONE:
            return (live.drone_plans,)
        case _:
            return ()
