"""What other systems read beside car parks: open alarms, incidents, field devices."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from core.gateway.http.guard import RouteLimits
from core.gateway.http.limits import Pace
from core.gateway.http.model import KeyPurpose
from core.gateway.http.route import GatewayRoom, GatewayRoute, reading_route
from core.gateway.http.shapes import (
    AlarmShape,
    DeviceShape,
    IncidentShape,
    alarm_shape,
    device_shape,
    incident_shape,
)

MAX_ROWS = 1000
LIMITS = RouteLimits(purpose=KeyPurpose.READER, pace=Pace(per_s=2.0, burst=10.0))
Limit = Annotated[int, Query(ge=1, le=MAX_ROWS, description="At most so many.")]


def make_routes(room: GatewayRoom) -> list[GatewayRoute]:
    """Return the addresses that only tell."""

    async def get_alarms(limit: Limit = 200) -> list[AlarmShape]:
        """Return the open alarms, the newest first."""
        found = sorted(await room.open_alarms(), key=lambda alarm: alarm.raised_at, reverse=True)
        return [alarm_shape(alarm) for alarm in found[:limit]]

    async def get_incidents(limit: Limit = 200) -> list[IncidentShape]:
        """Return the newest incidents, the newest first."""
        found = sorted(await room.recent_incidents(limit), key=lambda incident: incident.began_at, reverse=True)
        return [incident_shape(incident) for incident in found]

    async def get_devices(
        limit: Limit = 200,
        after: Annotated[str, Query(max_length=128, description="Begin behind this device id: the next page.")] = "",
    ) -> list[DeviceShape]:
        """Return the field devices by id."""
        found = sorted((one for one in room.devices() if one.device_id > after), key=lambda one: one.device_id)
        return [device_shape(device) for device in found[:limit]]

    return [
        reading_route("/api/alarms", get_alarms, limits=LIMITS, summary="Open alarms", answer=list[AlarmShape]),
        reading_route("/api/incidents", get_incidents, limits=LIMITS, summary="Incidents", answer=list[IncidentShape]),
        reading_route("/api/devices", get_devices, limits=LIMITS, summary="Field devices", answer=list[DeviceShape]),
    ]
