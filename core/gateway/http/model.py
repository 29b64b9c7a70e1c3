"""Who may use the gateway, and how it is; nothing here needs an HTTP library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class KeyPurpose(StrEnum):
    """What a device key lets its holder do."""

    EDGE = "edge"
    """Posts pictures of one camera for one lot."""

    DRONE = "drone"
    """Tells of one drone, and posts its pictures."""

    READER = "reader"
    """Reads what a viewer sees: lots, alarms, devices, incidents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """A device key that somebody wants to make.

    Attributes:
        name: What people call the device or system that will hold it.
        lot_id, camera_id: Of an edge key: what it is bound to. Empty for others.
        drone_id: Of a drone's key.
    """

    name: str
    purpose: KeyPurpose
    lot_id: str = ""
    camera_id: str = ""
    drone_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayKey:
    """A device key, without its secret.

    Attributes:
        revoked_at: Since then it opens nothing; None while it counts.
        last_seen_at, last_address: Of the last request that it opened.
        n_accepted, n_refused: Requests since it was made; refused for any reason.
        last_refusal: Why the last one was refused, since the node started.
    """

    key_id: str
    name: str
    purpose: KeyPurpose
    created_at: datetime
    created_by: str
    lot_id: str = ""
    camera_id: str = ""
    drone_id: str = ""
    revoked_at: datetime | None = None
    last_seen_at: datetime | None = None
    last_address: str = ""
    n_accepted: int = 0
    n_refused: int = 0
    last_refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made.

    Attributes:
        token: What the device sends; shown once, kept nowhere.
    """

    key: GatewayKey
    token: str

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"NewKey(key={self.key!r})"


class GatewayState(StrEnum):
    """Whether the gateway listens."""

    OFF = "off"
    STARTING = "starting"
    OPEN = "open"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayReport:
    """How the gateway is, since the node started.

    Attributes:
        address: Like "http://127.0.0.1:8480"; empty while it does not listen.
        reason: Why it does not, as a sentence.
        n_refused: Requests that were answered with an error, of all senders.
    """

    state: GatewayState
    address: str = ""
    reason: str = ""
    n_requests: int = 0
    n_refused: int = 0
    n_frames: int = 0
    n_connections: int = 0
