"""One line of the device tree, made of the models; no Qt here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.cameras.model import Camera
from core.field.kinds import find_kinds
from core.field.kinds.base import OTHER
from core.field.model import Device, DeviceState, Reading
from core.media.model import StreamReport, StreamState
from widgets.base.conditions import Condition, camera_condition, device_condition
from widgets.traffic.figures import SPEED, UNKNOWN, lot_fill, newest

CAMERAS = "Cameras"
"""The branch of the cameras; those of devices have the names that their kinds declare."""

_N_VALUES = 2
_CAMERA_WORDS = {
    StreamState.CONNECTING: "connecting",
    StreamState.LIVE: "live",
    StreamState.STALE: "stale",
    StreamState.LOST: "lost",
    StreamState.UNAUTHORISED: "password refused",
    StreamState.UNUSABLE: "unusable",
    StreamState.DISABLED: "disabled",
    StreamState.RESTARTING: "restarting",
    StreamState.ENDED: "ended",
}
_DEVICE_WORDS = {
    DeviceState.UNKNOWN: "unheard",
    DeviceState.ONLINE: "online",
    DeviceState.STALE: "stale",
    DeviceState.LOST: "lost",
    DeviceState.OFFLINE: "signed off",
    DeviceState.DISABLED: "disabled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """One camera or field device.

    Attributes:
        kind: "camera", "station", "lot", or what the device says it is.
        seen_at: Newest picture or message.
        haystack: What a search looks through, in lower case.
    """

    kind: str
    item_id: str
    name: str
    condition: Condition
    state: str
    seen_at: datetime | None
    value: str
    address: str
    is_enabled: bool
    version: int
    haystack: str
    site: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Kind and id."""
        return self.kind, self.item_id

    @property
    def group(self) -> str:
        """The branch it hangs on where the tree is divided by kind."""
        return CAMERAS if self.kind == "camera" else find_kinds().get(self.kind, OTHER).plural


def camera_row(camera: Camera, report: StreamReport | None, now: datetime) -> DeviceRow:
    """Make the line of a camera."""
    condition = camera_condition(camera, report)
    state = "disabled" if not camera.is_enabled else _CAMERA_WORDS[report.state] if report else "not yet heard"
    seen_at = None
    value = UNKNOWN
    if report is not None:
        if report.frame_age_s is not None:
            seen_at = now - timedelta(seconds=report.frame_age_s)
        if report.state is StreamState.LIVE:
            value = f"{report.fps:.{0 if report.fps >= 1 else 1}f} fps"
    return DeviceRow(
        kind="camera",
        item_id=camera.camera_id,
        name=camera.name,
        condition=condition,
        state=state,
        seen_at=seen_at,
        value=value,
        address=camera.address,
        is_enabled=camera.is_enabled,
        version=camera.version,
        haystack=f"{camera.name} {camera.camera_id} {camera.address} {state} camera {camera.site}".lower(),
        site=camera.site,
    )


def device_row(device: Device, readings: Iterable[Reading]) -> DeviceRow:
    """Make the line of a field device."""
    state = _DEVICE_WORDS[device.state] if device.is_enabled else "disabled"
    return DeviceRow(
        kind=device.kind,
        item_id=device.device_id,
        name=device.name,
        condition=device_condition(device),
        state=state,
        seen_at=device.last_seen_at,
        value=_value(device.kind, list(readings)),
        address=device.device_id,
        is_enabled=device.is_enabled,
        version=device.version,
        haystack=" ".join((device.name, device.device_id, state, device.kind, device.site, *device.tags)).lower(),
        site=device.site,
    )


def _value(kind: str, readings: list[Reading]) -> str:
    if kind == "station":
        return SPEED.text(newest(readings, SPEED.value))
    if kind == "lot":
        fill = newest(readings, lot_fill)
        return UNKNOWN if fill is None else f"{fill.n_occupied}/{fill.n_bays} bays"
    newest_first = sorted(readings, key=lambda reading: reading.at, reverse=True)
    if not newest_first:
        return UNKNOWN
    declared = find_kinds().get(kind, OTHER).quantities
    said = {key: value for reading in reversed(newest_first) for key, value in reading.values.items()}
    if not declared:
        return ", ".join(f"{name} {value:g}" for name, value in list(newest_first[0].values.items())[:_N_VALUES])
    known = [one for one in declared if one.key in said][:_N_VALUES]
    return ", ".join(f"{one.title} {said[one.key]:.{one.decimals}f} {one.unit}".rstrip() for one in known) or UNKNOWN
