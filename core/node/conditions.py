"""What the system itself tells the operator: one place that turns faults of parts into alarms."""

from __future__ import annotations

from core.cameras.model import Camera
from core.incidents.model import Priority, SourceKind
from core.incidents.service import Condition
from core.kernel.settings import SettingsFault
from core.media.model import StreamReport, StreamState

LOW_DISK_GB = 2.0
FULL_DISK_GB = 0.3

_LOST_TITLES = {
    StreamState.UNAUTHORISED: "Camera refuses the password",
    StreamState.UNUSABLE: "Camera stream cannot be used",
    StreamState.LOST: "Camera lost",
}


def camera_lost(camera: Camera, report: StreamReport) -> Condition:
    """A camera shows nothing."""
    return Condition(
        kind="camera_lost",
        condition_key=camera_condition_key(camera.camera_id),
        title=_LOST_TITLES.get(report.state, "Camera lost"),
        detail=f"{report.reason} {report.hint}".strip(),
        priority=Priority.MEDIUM,
        source_kind=SourceKind.CAMERA,
        source_id=camera.camera_id,
        source_name=camera.name,
        position=camera.position,
    )


def camera_condition_key(camera_id: str) -> str:
    """Key of the condition that a camera shows nothing."""
    return f"camera/{camera_id}/lost"


def settings_fault(fault: SettingsFault) -> Condition:
    """A setting that could not be used."""
    return _system(
        f"settings/{fault.origin}/{fault.key}",
        "Setting not used",
        f"{fault.sentence} The default is in force.",
        Priority.HIGH,
    )


def detection_off(key: str, sentence: str) -> Condition:
    """A worker shows pictures but detects nothing."""
    return _system(f"vision/{key}/engine", "Detection is off", sentence, Priority.HIGH)


def worker_unstable(key: str, sentence: str) -> Condition:
    """A vision worker ends again and again."""
    return _system(f"vision/{key}/unstable", "Vision worker keeps ending", sentence, Priority.HIGH)


def model_missing(sentence: str) -> Condition:
    """The configured model cannot be used."""
    return _system("vision/model", "Detection model cannot be used", sentence, Priority.HIGH)


def broker_down(address: str, sentence: str) -> Condition:
    """The broker does not answer: field devices are not heard."""
    return _system("broker", "Field devices are not heard", f"The broker at {address}: {sentence}", Priority.HIGH)


def database_down(sentence: str) -> Condition:
    """The database refuses; kept in memory until it is back."""
    return _system("database", "Cannot record", sentence, Priority.CRITICAL)


def disk_low(folder: str, free_gb: float) -> Condition:
    """The disk fills up."""
    return _system(
        "disk",
        "Disk is full" if free_gb < FULL_DISK_GB else "Disk is almost full",
        f"{free_gb:.1f} GB are free where {folder} lies. Make room before pictures of incidents are lost.",
        Priority.CRITICAL if free_gb < FULL_DISK_GB else Priority.HIGH,
    )


def _system(key: str, title: str, detail: str, priority: Priority) -> Condition:
    return Condition(
        kind="system",
        condition_key=f"system/{key}",
        title=title,
        detail=detail,
        priority=priority,
        source_kind=SourceKind.SYSTEM,
        source_id=key,
        source_name="Watchfloor",
        position=None,
    )
