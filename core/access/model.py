"""People who may sign in, and what their role lets them do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Role(IntEnum):
    """Each role may do all that the ones below it may."""

    VIEWER = 1
    OPERATOR = 2
    SUPERVISOR = 3
    ADMINISTRATOR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in; the password's hash never leaves the store."""

    user_id: str
    name: str
    role: Role
    is_enabled: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in person at a desk.

    Attributes:
        token: Secret, 256 bits; kept hashed on the node.
        expires_at: Then the person signs in again.
    """

    token: str
    user: User
    desk: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"Session(user={self.user.name!r}, role={self.user.role.name}, desk={self.desk!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody who may be given work.

    Attributes:
        desks: Where the person is signed in now; empty where nowhere.
    """

    name: str
    role: Role
    desks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, for the service verbs and the audit.

    Attributes:
        name: User name, or "system" for the node itself.
    """

    name: str
    role: Role
    desk: str = ""


SYSTEM = Actor(name="system", role=Role.ADMINISTRATOR, desk="node")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row of the append-only audit; each row's hash covers the one before."""

    sequence: int
    at: datetime
    actor: str
    desk: str
    action: str
    subject: str
    detail: str
    hash_hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged:
    """A user was added or changed; published after the commit."""

    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsEnded:
    """Every session of a user was ended by someone else; published after the commit."""

    user_id: str
    reason: str
