"""Cameras, devices and readings of a small city, for tests of what shows them."""

from datetime import UTC, datetime

from core.cameras.model import Camera
from core.field.model import Device, DeviceState, Reading
from core.incidents.model import Alarm, Priority, SourceKind
from core.kernel.geo import GeoPoint
from core.media.model import StreamReport, StreamState

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def camera(camera_id="cam-1", name="Mill Bridge", lat=36.0, lon=-30.0, **changes):
    given = {"address": "rtsp://10.0.0.5/stream1", "position": GeoPoint(lat, lon)} | changes
    return Camera(camera_id=camera_id, name=name, **given)


def station(device_id="traffic/quay", name="Quay", lat=36.001, lon=-30.001, **changes):
    given = {
        "kind": "station",
        "state": DeviceState.ONLINE,
        "position": GeoPoint(lat, lon),
        "last_seen_at": NOW,
    } | changes
    return Device(device_id=device_id, name=name, **given)


def lot(device_id="parking/west", name="Parking West", **changes):
    return station(device_id, name, 35.999, -29.999, kind="lot", **changes)


def reading(device_id="traffic/quay", at=NOW, **values):
    return Reading(device_id=device_id, stream="flow", at=at, values=values or {"averageVehicleSpeed": 41.6})


def stream(camera_id="cam-1", state=StreamState.LIVE, **changes):
    given = {"width": 1920, "height": 1080, "fps": 25.0, "codec": "h264", "frame_age_s": 0.04} | changes
    return StreamReport(camera_id=camera_id, state=state, **given)


def alarm(source_id="cam-1", kind=SourceKind.CAMERA, priority=Priority.CRITICAL, **changes):
    given = {"is_active": True, "is_acknowledged": False} | changes
    return Alarm(
        alarm_id=f"alarm-{source_id}-{priority}",
        condition_key=f"{kind}/{source_id}/jam",
        occurrence="01",
        incident_id="incident",
        kind="congestion",
        title="Congestion",
        detail="",
        priority=priority,
        source_kind=kind,
        source_id=source_id,
        source_name=source_id,
        raised_at=NOW,
        changed_at=NOW,
        **given,
    )
