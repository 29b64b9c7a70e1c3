"""What to do about an alarm, by its kind."""

from __future__ import annotations

from core.incidents.model import Alarm, SourceKind

_BY_KIND = {
    "congestion": "Look at the camera and its neighbours. Is something blocking the road? If so, send a unit.",
    "stopped_vehicle": "Look at the camera: breakdown, collision or parking? Send a unit where people are in danger.",
    "vehicle_in_zone": "Look at the camera. Must the vehicle leave? Call those who are responsible for the zone.",
    "collision": "Look at the camera, count the vehicles and people involved, call the emergency services.",
}
_BY_SOURCE = {
    SourceKind.CAMERA: "Look at the camera and decide.",
    SourceKind.STATION: "Compare with a camera near by. If the figures cannot be right, report the station.",
    SourceKind.LOT: "Look at the lot's panel.",
    SourceKind.DEVICE: "See the device's state and last message in Devices.",
    SourceKind.SYSTEM: "See Health for the part that fails. The rest of the room goes on working.",
}


def guidance(alarm: Alarm) -> str:
    """Return a sentence or two for an operator who never had this alarm."""
    return _BY_KIND.get(alarm.kind, _BY_SOURCE[alarm.source_kind])
