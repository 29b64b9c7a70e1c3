"""What works can concern and what can be taken out of service, as the console knows it now."""

from __future__ import annotations

from app.live import LiveModel
from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from widgets.alarms.sources import NamedSource


def sources_of(live: LiveModel) -> tuple[NamedSource, ...]:
    """Return every camera, device, drawn lot and drone."""
    found = [(SourceKind.CAMERA, one.camera_id, one.name, one.site) for one in live.cameras.values()]
    found += [(SourceKind.DEVICE, one.device_id, one.name, one.site) for one in live.devices.values()]
    found += [(SourceKind.LOT, one.lot_id, one.name, one.site) for one in live.lot_plans.values()]
    found += [(SourceKind.DRONE, one.drone_id, one.name, one.site) for one in live.drone_plans.values()]
    return tuple(
        NamedSource(source=Source(kind=kind, source_id=source_id), name=name, site=site)
        for kind, source_id, name, site in found
    )
