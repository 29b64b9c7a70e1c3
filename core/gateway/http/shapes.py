"""What the gateway tells other systems: the same words as in the room, times in UTC, None where nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from core.field.model import Device
from core.incidents.model import Alarm, Incident
from core.kernel.geo import GeoPoint
from core.parking.model import Bay, BayState, BayStatus, Lot, LotOccupancy
from core.parking.plans import on_ground


class Position(BaseModel):
    """WGS-84 [deg]."""

    lat: float
    lon: float


class BayShape(BaseModel):
    """One bay as it is known.

    `state` is "unknown" where nobody knows; with `is_stale` it is the last one known, not the present.
    """

    bay_id: str
    label: str = ""
    kind: str = "standard"
    zone: str = ""
    level: int = 0
    state: Literal["free", "occupied", "unknown", "closed"]
    since: datetime | None = None
    at: datetime | None = Field(default=None, description="When the state was last confirmed.")
    confidence: float | None = Field(default=None, ge=0, le=1)
    source: str = ""
    is_stale: bool = False


class LotShape(BaseModel):
    """How full a lot is; numbers are None where nothing was counted yet."""

    lot_id: str
    name: str
    site: str = ""
    position: Position | None = None
    n_bays: int | None = None
    n_free: int | None = None
    n_occupied: int | None = None
    n_unknown: int | None = None
    at: datetime | None = None


class LotDetail(LotShape):
    """A lot with its bays."""

    bays: list[BayShape] = []


class AlarmShape(BaseModel):
    """One open alarm."""

    alarm_id: str
    incident_id: str
    kind: str
    title: str
    detail: str
    priority: int = Field(description="1 (critical) to 4 (low).")
    state: str
    is_active: bool
    is_acknowledged: bool
    source_kind: str
    source_id: str
    source_name: str
    position: Position | None = None
    raised_at: datetime
    changed_at: datetime
    acknowledged_at: datetime | None = None


class IncidentShape(BaseModel):
    """One incident; its pictures stay in the room."""

    incident_id: str
    kind: str
    title: str
    status: str
    priority: int
    source_kind: str
    source_id: str
    source_name: str
    position: Position | None = None
    began_at: datetime
    ended_at: datetime | None = None
    disposition: str = ""
    unit_id: str = ""


class DeviceShape(BaseModel):
    """One field device."""

    device_id: str
    kind: str
    name: str
    site: str
    state: str
    is_enabled: bool
    position: Position | None = None
    last_seen_at: datetime | None = None
    state_since: datetime | None = None


def lot_shape(lot: Lot | None, occupancy: LotOccupancy | None) -> LotShape:
    """Tell of a lot that was drawn, that counts, or both."""
    lot_id = lot.lot_id if lot is not None else occupancy.lot_id if occupancy is not None else ""
    shape = LotShape(
        lot_id=lot_id,
        name=lot.name if lot is not None else lot_id,
        site=lot.site if lot is not None else "",
        position=position_shape(lot.position) if lot is not None else None,
        n_bays=(lot.capacity or len(lot.bays) or None) if lot is not None else None,
    )
    if occupancy is None:
        return shape
    n_free = max(0, occupancy.n_bays - occupancy.n_occupied - occupancy.n_unknown)
    return shape.model_copy(
        update={
            "n_bays": occupancy.n_bays,
            "n_free": n_free,
            "n_occupied": occupancy.n_occupied,
            "n_unknown": occupancy.n_unknown,
            "at": occupancy.at,
        }
    )


def bay_shapes(lot: Lot | None, known: Mapping[str, BayStatus]) -> list[BayShape]:
    """Tell of a lot's bays as they are drawn, and of those that only speak for themselves."""
    drawn = {bay.bay_id: bay for bay in lot.bays} if lot is not None else {}
    others = (bay_id for bay_id in known if bay_id not in drawn)
    return [bay_shape(drawn.get(bay_id) or Bay(bay_id=bay_id), known.get(bay_id)) for bay_id in (*drawn, *others)]


def bay_shape(bay: Bay, status: BayStatus | None) -> BayShape:
    """Tell of one bay; without a status nobody knows."""
    plain = BayShape(
        bay_id=bay.bay_id,
        label=bay.label,
        kind=bay.kind.value,
        zone=bay.zone,
        level=bay.level,
        state=BayState.UNKNOWN.value,
    )
    if status is None:
        return plain
    return plain.model_copy(
        update={
            "state": status.state.value,
            "since": status.since,
            "at": status.at,
            "confidence": status.confidence,
            "source": status.source,
            "is_stale": status.is_stale,
        }
    )


def bays_geojson(lot: Lot, shapes: list[BayShape]) -> dict[str, Any]:
    """Return the bays as a GeoJSON FeatureCollection (RFC 7946); a bay that nobody placed has no geometry."""
    outlines = {bay.bay_id: bay.outline for bay in lot.bays}
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": shape.bay_id,
                "geometry": _polygon(lot, outlines.get(shape.bay_id, ())),
                "properties": shape.model_dump(mode="json", exclude={"bay_id"}),
            }
            for shape in shapes
        ],
    }


def alarm_shape(alarm: Alarm) -> AlarmShape:
    """Tell of one alarm."""
    return AlarmShape(
        alarm_id=alarm.alarm_id,
        incident_id=alarm.incident_id,
        kind=alarm.kind,
        title=alarm.title,
        detail=alarm.detail,
        priority=int(alarm.priority),
        state=alarm.state.value,
        is_active=alarm.is_active,
        is_acknowledged=alarm.is_acknowledged,
        source_kind=alarm.source_kind.value,
        source_id=alarm.source_id,
        source_name=alarm.source_name,
        position=position_shape(alarm.position),
        raised_at=alarm.raised_at,
        changed_at=alarm.changed_at,
        acknowledged_at=alarm.acknowledged_at,
    )


def incident_shape(incident: Incident) -> IncidentShape:
    """Tell of one incident."""
    return IncidentShape(
        incident_id=incident.incident_id,
        kind=incident.kind,
        title=incident.title,
        status=incident.status.value,
        priority=int(incident.priority),
        source_kind=incident.source_kind.value,
        source_id=incident.source_id,
        source_name=incident.source_name,
        position=position_shape(incident.position),
        began_at=incident.began_at,
        ended_at=incident.ended_at,
        disposition=incident.disposition,
        unit_id=incident.unit_id,
    )


def device_shape(device: Device) -> DeviceShape:
    """Tell of one device."""
    return DeviceShape(
        device_id=device.device_id,
        kind=device.kind,
        name=device.name,
        site=device.site,
        state=device.state.value,
        is_enabled=device.is_enabled,
        position=position_shape(device.position),
        last_seen_at=device.last_seen_at,
        state_since=device.state_since,
    )


def position_shape(point: GeoPoint | None) -> Position | None:
    """Tell of a position."""
    return None if point is None else Position(lat=point.lat_deg, lon=point.lon_deg)


def _polygon(lot: Lot, outline: tuple[tuple[float, float], ...]) -> dict[str, Any] | None:
    if lot.position is None or len(outline) < 3:
        return None
    corners = [on_ground(point, lot.position, lot.bearing_deg) for point in (*outline, outline[0])]
    ring = [[round(corner.lon_deg, 8), round(corner.lat_deg, 8)] for corner in corners]
    return {"type": "Polygon", "coordinates": [ring]}
