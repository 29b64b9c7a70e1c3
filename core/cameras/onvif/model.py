"""What is known of a camera by ONVIF."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.media.webcam import WEBCAM


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCamera:
    """A camera that answered a probe, or is plugged into the node's machine.

    Attributes:
        endpoint: Its endpoint reference: stays the same when its address changes.
        address: Of its device service; `webcam:N` of one that is plugged in, which speaks no ONVIF.
        maker, model, name, location: As its scopes say; empty where they do not.
        camera_id: Of the camera of ours with the same host; empty where it was not added yet.
    """

    endpoint: str
    address: str
    name: str = ""
    maker: str = ""
    model: str = ""
    location: str = ""
    camera_id: str = ""

    @property
    def is_plugged_in(self) -> bool:
        """There is nobody to ask: its address is all that it takes."""
        return self.address.startswith(f"{WEBCAM}:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What a probe of the network found.

    Attributes:
        notice: What a person should know: a network that could not be asked.
    """

    cameras: tuple[FoundCamera, ...]
    notice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamProfile:
    """One way in which the camera sends its picture.

    Attributes:
        codec: "H264", "H265", "JPEG", …; empty where the camera does not say.
        address: RTSP, without a login.
    """

    token: str
    name: str
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    address: str = ""
    has_ptz: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDescription:
    """What a camera says of itself.

    Attributes:
        main, sub: Tokens of the profiles we would take; `sub` is empty where there is no smaller one.
        clock_offset_s: Camera's clock minus ours; None where it does not tell the time.
        notice: What a person should know, e.g. that its clock is wrong.
    """

    address: str
    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    profiles: tuple[StreamProfile, ...] = ()
    main: str = ""
    sub: str = ""
    has_ptz: bool = False
    clock_offset_s: float | None = None
    notice: str = ""

    def profile(self, token: str) -> StreamProfile | None:
        """Return a profile by its token."""
        return next((one for one in self.profiles if one.token == token), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Velocity:
    """How a camera turns, each -1..1: right, up and in are positive."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A direction that the camera remembers."""

    token: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PtzAbilities:
    """What a camera's head can do; what it does not say is not offered."""

    can_turn: bool = False
    can_zoom: bool = False
    can_step: bool = False
    """Turn by a part of the picture (relative)."""

    can_go: bool = False
    """Turn to a direction (absolute)."""

    has_home: bool = False
    max_presets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PtzStatus:
    """Where a camera looks, in its own units (generic spaces: -1..1, zoom 0..1); None where it does not say."""

    pan: float | None = None
    tilt: float | None = None
    zoom: float | None = None
    is_moving: bool | None = None

    @property
    def has_place(self) -> bool:
        """The camera says where it looks."""
        return self.pan is not None and self.tilt is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PtzHead:
    """A camera that can be steered, as a console shows it."""

    camera_id: str
    abilities: PtzAbilities
    presets: tuple[Preset, ...] = ()
    status: PtzStatus = PtzStatus()


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """Who steers a camera, and whether it is turned away.

    Attributes:
        by, desk: Empty where nobody does.
        away_since: Since when its head is away from home, the view that its scene was drawn for; None where it is
            there.
    """

    camera_id: str
    by: str = ""
    desk: str = ""
    away_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringChanged:
    """Somebody took a camera, or let it go; its head left home, or came back."""

    steering: Steering


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadTurned:
    """A head is about to leave home, or stands there again; told after it was stored, and before the head turns."""

    camera_id: str
