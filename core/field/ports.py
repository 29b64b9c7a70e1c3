"""What the field needs of rooms that lie above it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

OPERATOR = 2
SUPERVISOR = 3
"""As in `core.access.model.Role`, which lies above this room."""


class Actor(Protocol):
    """Who does something; `core.access.model.Actor` is one."""

    @property
    def name(self) -> str:
        """User name, or "system"."""
        ...

    @property
    def role(self) -> int:
        """A `Role`."""
        ...

    @property
    def desk(self) -> str:
        """Where the person sits."""
        ...


class AuditHook(Protocol):
    """Adds a row to the audit within the caller's transaction; `core.access.audit.append` is one."""

    def __call__(
        self, session: Session, actor: Any, *, action: str, subject: str, at: datetime, detail: str = ""
    ) -> object:
        """Write who did what to which subject."""
        ...


def no_audit(
    session: Session,
    actor: Any,
    *,
    action: str,
    subject: str,
    at: datetime,
    detail: str = "",
) -> None:
    """Write nothing; for benches and tests that have no accounts."""
