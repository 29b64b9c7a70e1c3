"""A camera as the room knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.kernel.geo import GeoPoint
from core.vision.model import DEFAULT_LABELS, Scene, TrackerKind

MOUNT_HEIGHT_M = (0.5, 200.0)
"""What a mounting height can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One camera's settings.

    Attributes:
        address: As in `SourceSpec.address`, without a password.
        sub_address: The camera's smaller stream, of the same picture; empty where there is none.
        onvif_address: `http://HOST:PORT/onvif/device_service`; empty where the camera speaks no ONVIF.
        has_password: A password is kept for it; the password itself never reaches a console.
        position: None until someone places it on the map.
        site: Where it belongs, in the operators' words; empty where nobody said.
        heading_deg: Where it looks, clockwise from true north.
        view_angle_deg: Horizontal opening, for the map's wedge.
        mount_height_m: Of the camera over the ground below it; None until someone measured it.
        detect_fps: Pictures a second that go through the detector; 0 turns detection off.
        version: Bumped by every write; guards against two operators racing.
    """

    camera_id: str
    name: str
    address: str
    sub_address: str = ""
    onvif_address: str = ""
    username: str = ""
    has_password: bool = False
    transport: str = "tcp"
    is_enabled: bool = True
    position: GeoPoint | None = None
    site: str = ""
    heading_deg: float = 0.0
    view_angle_deg: float = 60.0
    mount_height_m: float | None = None
    detect_fps: float = 8.0
    labels: tuple[str, ...] = DEFAULT_LABELS
    tracker: TrackerKind = TrackerKind.BYTETRACK
    scene: Scene = field(default_factory=Scene)
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneVersion:
    """Who changed what is drawn on a camera, and when.

    Attributes:
        number: 1, 2, 3, … within the camera; the highest is what is watched now.
        actor: Name of who saved it; empty where nobody knows.
        note: In the author's words; may be empty.
    """

    camera_id: str
    number: int
    at: datetime
    actor: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChanged:
    """A camera was added or changed; published after the commit.

    Attributes:
        is_login_kept: It was changed in what has nothing to do with its address, user and password.
    """

    camera: Camera
    is_login_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewAccepted:
    """Somebody said that what a camera shows now is what its scene is drawn for; published after the commit."""

    camera_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRemoved:
    """A camera is gone; published after the commit."""

    camera_id: str
