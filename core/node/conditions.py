"""What the system itself tells the operator: faults of parts, in the words of the alarm policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from core.cameras.model import Camera
from core.drones.rules import DroneCondition
from core.field.event_log import title_of
from core.field.model import Device, FieldEvent, FieldLosses
from core.field.registry import MAX_DEVICES
from core.field.service import EventsLost
from core.incidents.model import Alarm, Condition, Priority, SourceKind
from core.incidents.policy import condition_of_source, condition_of_system
from core.kernel.settings import SettingsFault
from core.kernel.zone import UTC_ZONE, to_site, write_local_clock
from core.media.model import StreamReport, StreamState
from core.parking.forecast.model import FullExpected
from core.parking.model import Lot
from core.parking.rules import LotCondition, rule_of
from core.parking.sight.model import Sighting, SightingKind, SightInterrupted

LOW_DISK_GB = 2.0
FULL_DISK_GB = 0.3


def camera_lost(camera: Camera, report: StreamReport) -> Condition:
    """A camera shows nothing, and why."""
    return condition_of_source(
        "camera_lost",
        source_kind=SourceKind.CAMERA,
        source_id=camera.camera_id,
        source_name=camera.name,
        detail=f"{report.reason} {report.hint}".strip(),
        position=camera.position,
        tags=frozenset({"unauthorised"} if report.state is StreamState.UNAUTHORISED else ()),
    )


def camera_lost_key(camera_id: str) -> str:
    """Return the key that `camera_lost` uses."""
    return f"{SourceKind.CAMERA}/{camera_id}/camera_lost"


def view_troubled(sighting: Sighting, lot_name: str, camera_name: str) -> Condition:
    """A camera cannot tell the bays of a lot any more, and why."""
    kind = "bays_moved" if sighting.kind is SightingKind.MOVED_VIEW else "bays_blind"
    condition = condition_of_source(
        kind,
        source_kind=SourceKind.LOT,
        source_id=sighting.lot_id,
        source_name=lot_name,
        detail=f"{camera_name}: {sighting.message} The bays that only it sees are unknown.",
    )
    return replace(condition, condition_key=f"{condition.condition_key}:{sighting.camera_id}")


def sight_keys(event: SightInterrupted) -> frozenset[str]:
    """Return the keys of what the process that looks at bays had seen begin."""
    views = {view_troubled(sighting, "", "").condition_key for sighting in event.views}
    strays = {f"{SourceKind.LOT}/{seen.lot_id}/{rule_of(seen.kind).value}:{seen.place}" for seen in event.observations}
    return frozenset(views | strays)


def at_lot(found: LotCondition) -> Condition:
    """Something is wrong at a bay or in a lane of a lot."""
    lot = found.lot
    condition = condition_of_source(
        found.rule.value,
        source_kind=SourceKind.LOT,
        source_id=lot.lot_id,
        source_name=lot.name,
        where=f"{found.where}, {lot.name}" if found.where else lot.name,
        detail=found.detail,
        position=lot.position,
    )
    return replace(
        condition,
        condition_key=f"{condition.condition_key}:{found.place}" if found.place else condition.condition_key,
        began_at=found.at,
        confidence=found.confidence,
    )


def of_drone(found: DroneCondition) -> Condition:
    """Something is wrong with a drone."""
    position = found.state.position
    condition = condition_of_source(
        found.rule.value,
        source_kind=SourceKind.DRONE,
        source_id=found.drone.drone_id,
        source_name=found.drone.name,
        detail=found.detail,
        position=None if position is None else position.point,
    )
    return replace(condition, began_at=found.at)


def device_lost_key(device_id: str) -> str:
    """Return the key of the condition that one device is lost."""
    return f"{SourceKind.DEVICE}/{device_id}/device_lost"


def devices_lost(where: str, devices: Sequence[Device], *, n_lost: str) -> Condition:
    """Many devices were lost together; `where` tells losses apart, and `n_lost` says how many."""
    names = ", ".join(sorted(device.name for device in devices)[:8])
    groups = {device.device_id.partition("/")[0] for device in devices}
    condition = condition_of_source(
        "devices_lost",
        source_kind=SourceKind.SYSTEM,
        # Of one group: a lost gateway of it explains them.
        source_id=f"{next(iter(groups))}/*" if len(groups) == 1 else "*",
        source_name=f"{n_lost} devices of {where}",
        detail=f"{n_lost} devices were lost within seconds, {names} among them.",
    )
    return replace(condition, condition_key=f"{condition.condition_key}:{where}")


def standing(alarm: Alarm) -> Condition:
    """Return the condition of an alarm that stands, to say once more that it holds."""
    return Condition(
        condition_key=alarm.condition_key,
        kind=alarm.kind,
        title=alarm.title,
        detail=alarm.detail,
        priority=alarm.priority,
        source_kind=alarm.source_kind,
        source_id=alarm.source_id,
        source_name=alarm.source_name,
        position=alarm.position,
        rule_id=alarm.rule_id,
    )


def lot_full_expected(event: FullExpected, plan: Lot | None, zone: ZoneInfo = UTC_ZONE) -> Condition:
    """A lot is expected to be full soon; a device that is a lot of its own has no plan."""
    return condition_of_source(
        "lot_full_expected",
        source_kind=SourceKind.LOT,
        source_id=event.lot_id,
        source_name=event.lot_id if plan is None else plan.name,
        detail=f"Full by {write_local_clock(event.at, zone)} with {event.probability:.0%}, as it looks now.",
        position=None if plan is None else plan.position,
    )


def device_clock_key(device_id: str) -> str:
    """Return the key that `device_clock` uses."""
    return f"{SourceKind.DEVICE}/{device_id}/device_clock"


def device_clock(device: Device) -> Condition:
    """A device's clock is off, so its values are uncertain."""
    skew_s = device.skew_s or 0.0
    way = "fast" if skew_s > 0 else "slow"
    return condition_of_source(
        "device_clock",
        source_kind=SourceKind.DEVICE,
        source_id=device.device_id,
        source_name=device.name,
        detail=f"Its clock is {abs(skew_s):,.0f} s {way}; its values are uncertain until it is set.",
        position=device.position,
    )


def device_overflow(device: Device, event: FieldEvent) -> Condition:
    """A device's outbox was full: what it gave up is gone for good."""
    n_dropped = event.data["dropped"]
    condition = condition_of_source(
        "device_overflow",
        source_kind=SourceKind.DEVICE,
        source_id=device.device_id,
        source_name=device.name,
        detail=f"Its outbox was full for too long, and it gave up {n_dropped:,} messages, measurements first.",
        position=device.position,
    )
    return replace(condition, began_at=event.received_at)


def device_alert(device: Device, event: FieldEvent, zone: ZoneInfo = UTC_ZONE) -> Condition:
    """A device itself says that something happened where it stands.

    It begins when it was received: a clock that stands still must not make one of two.
    """
    severity = str(event.data.get("severity"))
    severity = severity if severity in _PRIORITIES else "medium"
    tags = {slug for key in ("category", "subCategory") if (slug := _slug(event.data.get(key)))}
    title = title_of(event)
    at = write_local_clock(event.at, zone, timespec="seconds") + (" (time of arrival)" if event.is_at_arrival else "")
    doubt = "" if event.is_good else " The device or its clock is not to be trusted."
    doubt += " Earlier events of it are missing." if event.is_ahead else ""
    doubt += " It gave this no number: uncertain whether more is missing." if event.is_unnumbered else ""
    condition = condition_of_source(
        "device_alert",
        source_kind=SourceKind.DEVICE,
        source_id=device.device_id,
        source_name=device.name,
        detail=(f"The device says: {title.lower()}, {severity}, at {at}.{doubt} Whether it lasts, it does not say."),
        position=device.position,
        tags=frozenset({*tags, severity, device.kind, device.device_id.partition("/")[0]}),
    )
    return replace(
        condition,
        condition_key=f"{condition.condition_key}:{_slug(title) or 'alert'}",
        title=f"{title}: {device.name}",
        priority=_PRIORITIES[severity],
        began_at=event.received_at,
    )


def device_alert_beyond(alert: Condition) -> Condition:
    """One alert of a device that has called for more sorts of them than anybody can look at."""
    head, _, _ = alert.condition_key.rpartition(":")
    return replace(alert, condition_key=f"{head}:more", title=f"More alerts: {alert.source_name}")


_PRIORITIES = {
    "critical": Priority.CRITICAL,
    "high": Priority.HIGH,
    "medium": Priority.MEDIUM,
    "low": Priority.LOW,
}


def _slug(text: object) -> str:
    """Return a text as it may stand in a key or a tag."""
    return re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")[:64] if isinstance(text, str) else ""


def events_lost(device: Device, lost: EventsLost) -> Condition:
    """Numbered events of a device are missing for good."""
    what = "One of its events is" if lost.n_events == 1 else f"{lost.n_events:,} of its events are"
    return condition_of_source(
        "events_lost",
        source_kind=SourceKind.DEVICE,
        source_id=device.device_id,
        source_name=device.name,
        detail=f"{what} lost. {lost.reason}",
        position=device.position,
    )


def field_data_lost(losses: FieldLosses) -> Condition:
    """What devices measure is not all stored."""
    detail = f"{losses.n_readings:,} readings are not stored since the start; the log says of whom and why."
    if losses.n_turned_away:
        detail += f" {losses.n_turned_away:,} messages are of devices beyond the {MAX_DEVICES:,} that are followed."
    return condition_of_system("field_data_lost", detail=detail)


def settings_fault(fault: SettingsFault) -> Condition:
    """A setting that could not be used."""
    detail = f"{fault.sentence} The default is in force."
    return condition_of_system("settings", part=f"{fault.origin}:{fault.key}", detail=detail)


def rules_unusable(sentence: str) -> Condition:
    """The saved alarm rules cannot be read."""
    return condition_of_system("settings", part="alarm_rules", detail=f"{sentence} Those of the program are in force.")


def detection_off(sentence: str) -> Condition:
    """Workers show pictures but detect nothing."""
    return condition_of_system("worker", part="engine", detail=sentence)


def worker_unstable(key: str, sentence: str) -> Condition:
    """A vision worker ends again and again."""
    return condition_of_system("worker", part=key, detail=sentence)


def model_missing(sentence: str) -> Condition:
    """The configured model cannot be used."""
    return condition_of_system("model", detail=sentence)


def broker_down(address: str, sentence: str) -> Condition:
    """The broker does not answer: field devices are not heard."""
    return condition_of_system("broker", detail=sentence or f"The broker at {address} does not answer.")


def gateway_down(sentence: str) -> Condition:
    """The HTTP gateway is wanted and does not listen."""
    return condition_of_system("gateway", detail=sentence)


def certificate_ends(ends_at: datetime, now: datetime) -> Condition:
    """One of the certificates between us and the broker runs out."""
    days = (ends_at - now).total_seconds() / 86_400.0
    return condition_of_system(
        "certificate", detail=f"It ends on {to_site(ends_at):%Y-%m-%d}, in {max(0.0, days):.0f} days."
    )


def desk_deaf(desk: str, sentence: str) -> Condition:
    """Alarms are not heard at a desk as they should be."""
    return condition_of_system("sound", part=desk, detail=f"At {desk or 'a desk without a name'}: {sentence}")


def warnings_source(place: str, sentence: str) -> Condition:
    """Regional warnings do not come from one of their places."""
    return condition_of_system("warnings_source", part=place, detail=sentence)


def part_failed(part: str, sentence: str) -> Condition:
    """Something that this node does again and again failed by a fault of the program."""
    return condition_of_system("node_part", part=part, detail=sentence)


def database_down(sentence: str) -> Condition:
    """The database refuses."""
    return condition_of_system("database", detail=sentence)


def disk_low(folder: str, free_gb: float) -> Condition:
    """The disk fills up."""
    detail = f"{free_gb:.1f} GB are free where {folder} lies. Make room."
    return condition_of_system(
        "disk", detail=detail, tags=frozenset({"almost_full"} if free_gb >= FULL_DISK_GB else ())
    )
