"""Streams: what state they are in, and what a frame of theirs is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.media.parameters import public_address

NETWORK_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https")
"""How addresses of streams begin that come over a network."""

EDGE = "edge"
"""Addresses of this kind belong to cameras whose pictures are posted to the node: `edge:`."""


class StreamState(StrEnum):
    """What the tile says about its picture."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    LOST = "lost"
    UNAUTHORISED = "unauthorised"
    UNUSABLE = "unusable"
    DISABLED = "disabled"
    RESTARTING = "restarting"
    """The worker that reads the camera is being restarted."""

    ENDED = "ended"
    """A file that does not loop has been played to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """One camera's stream, once a second.

    Attributes:
        reason: A sentence where the state is not LIVE, or where it is LIVE with less than there should be.
        since_s: Seconds in this state.
        frame_age_s: Age of the newest frame; None before the first.
        patience_s: How old the picture of this camera may be and still be live; 0 where it is as quick as any other.
        detect_fps: Pictures a second that were looked at, over the last 5 s; falls by itself while nothing moves.
        detect_fps_wanted: What the camera's settings ask for; 0 where nothing is detected.
        is_detection_reduced: This machine cannot look as often as wanted, so every camera is looked at less often, all
            by the same share; `detection_reason` says so in a sentence. Counts of such minutes may miss vehicles.
        detection_share: Of the wanted rate, what this machine has room for; the same for every camera.
        is_undersampled: It is looked at too rarely for counts that hold: nothing of such seconds counts as observed.
        is_rare: It is looked at so rarely that nobody is followed, and most rules can say nothing.
        is_blind: Pictures come, but not what the scene was drawn for: dark, covered, frozen, moved or turned away. What
            its rules do not say means nothing.
        is_away: Its head is turned away from home, the view that its scene is drawn for.
        is_moved: It shows something else than its scene was drawn for, and its head was not turned from here.
        is_hidden: Parts of it are private and nobody knows where in the picture they are, because it moved, because its
            light cannot be judged (`detection_reason` says so) or because its picture has another shape than it had
            (`reason` does): all is black.
        is_quiet: Nothing moves, so the picture is looked at every few seconds only; nothing is missing.
        is_camera_watched: No detector looks, and it is told all the same when the camera is covered, frozen or moved.
        detection_reason: A sentence for tile and health panel where detection is reduced or away; else empty.
        n_dropped: Frames skipped since the start because a newer one was there.
        bytes_per_s: Of the encoded stream.
        n_damaged: Pictures left out because a part of them never arrived.
        decoder: "software", or what decodes on a graphics card: "cuda", "vaapi", ….
        is_sub: The camera's smaller stream is read.
        n_abandoned: Readers that hung in libav or a driver and were replaced; each holds memory until the process ends.
        is_stuck: So many readers hang that the camera is not called any more before its process begins anew.
    """

    camera_id: str
    state: StreamState
    reason: str = ""
    hint: str = ""
    since_s: float = 0.0
    frame_age_s: float | None = None
    patience_s: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ""
    fps: float = 0.0
    detect_fps: float = 0.0
    detect_fps_wanted: float = 0.0
    is_detection_reduced: bool = False
    detection_share: float = 1.0
    is_undersampled: bool = False
    is_rare: bool = False
    is_blind: bool = False
    is_away: bool = False
    is_moved: bool = False
    is_hidden: bool = False
    is_quiet: bool = False
    is_camera_watched: bool = False
    detection_reason: str = ""
    n_frames: int = 0
    n_dropped: int = 0
    n_reconnects: int = 0
    n_detections: int = 0
    n_observations: int = 0
    inference_ms: float = 0.0
    bytes_per_s: float = 0.0
    n_abandoned: int = 0
    is_stuck: bool = False
    n_damaged: int = 0
    decoder: str = ""
    is_sub: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refrain:
    """The first part of a looped file, played by itself between two passes of the whole.

    A scene in which something happens would else show it twice a minute.

    Attributes:
        until_s: Where it ends; best at a key frame.
        n_times: Between two passes of the whole.
        n_first: Before the first; 0 begins with what comes after it.
    """

    until_s: float
    n_times: int
    n_first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """Where pictures come from.

    Attributes:
        address: `rtsp(s)://…`, `rtmp(s)://…`, `http(s)://…`, a file path or `file:…`, `webcam:0`, `synthetic:NAME`,
            `edge:PATH` for pictures that are posted to the node.
        username, password: Never part of the address, the logs or a picture of the screen.
        transport: "tcp" or "udp"; RTSP only.
        loops: A file starts again at its end.
        refrain: Of a looped file.
        realtime: A file is played at its own speed; False reads it as fast as it decodes.
        read_timeout_s: A camera that is silent for longer is called again.
        hardware: What to decode with, as in `core/media/hardware.py`; empty decodes in software.
    """

    address: str
    username: str = ""
    password: str = ""
    transport: str = "tcp"
    loops: bool = False
    refrain: Refrain | None = None
    realtime: bool = True
    open_timeout_s: float = 5.0
    read_timeout_s: float = 2.5
    hardware: str = ""

    def __repr__(self) -> str:
        """Leave the password out, also one that was typed into the address."""
        shown = public_address(self.address)
        return f"SourceSpec(address={shown!r}, username={self.username!r}, transport={self.transport!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What a test of an address found; `ok` False comes with a sentence and a way out."""

    ok: bool
    message: str
    hint: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    codec: str = ""
    thumbnail_jpeg: bytes = b""
