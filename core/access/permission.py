"""What a role lets its holder do, asked by every service verb."""

from __future__ import annotations

from core.access.model import Actor, Role, Session
from core.kernel.errors import NotPermittedError

ROLE_NAMES = {
    Role.VIEWER: "a viewer",
    Role.OPERATOR: "an operator",
    Role.SUPERVISOR: "a supervisor",
    Role.ADMINISTRATOR: "an administrator",
}


def actor_of(session: Session) -> Actor:
    """Return who acts in a session."""
    return Actor(name=session.user.name, role=session.user.role, desk=session.desk)


def require(actor: Actor, role: Role) -> None:
    """Let the actor pass, or name the role that is needed.

    Raises:
        NotPermittedError: The actor's role is below `role`.
    """
    if actor.role < role:
        raise NotPermittedError(
            f"This needs {ROLE_NAMES[role]}; {actor.name} is signed in as {ROLE_NAMES[actor.role]}.",
            hint="Sign in as someone with that role, or ask an administrator.",
        )
