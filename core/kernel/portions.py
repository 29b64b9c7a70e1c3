"""Many things changed by one request: how many may be, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass

from core.kernel.errors import BadInputError

MAX_AT_ONCE = 500
"""Things in one transaction: as long as nobody else waits for the database noticeably."""

ALREADY = "It is so already."


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """What became of one device or camera of many.

    Attributes:
        device_id: Of a camera its own id.
        reason: Why nothing was done; empty where it was.
        version: Of the device now; what undoes the change has to name it.
        removal_id: Of a removal: what puts the device back.
    """

    device_id: str
    reason: str = ""
    version: int = 0
    removal_id: str = ""


def check_portion(n_asked: int, what: str) -> None:
    """Check that a request is not about too many things.

    Args:
        n_asked: Things it is about.
        what: What they are, in the plural.

    Raises:
        BadInputError: More than `MAX_AT_ONCE`.
    """
    if n_asked > MAX_AT_ONCE:
        raise BadInputError(f"{n_asked} {what} at once are too many.", hint=f"Send {MAX_AT_ONCE} at a time.")


def why_not(version: int | None, *, seen: int, what: str) -> str:
    """Return why a thing stays as it is; empty where it need not.

    Args:
        version: Of it now; None where it is gone.
        seen: The version that somebody saw.
        what: What it is.
    """
    if version is None:
        return f"There is no such {what} any more."
    return "" if version == seen else "Somebody else changed it meanwhile."


def refused(thing_id: str, version: int | None, reason: str) -> BulkOutcome:
    """Return that nothing was done with a thing of this version, None where there is none."""
    return BulkOutcome(device_id=thing_id, reason=reason, version=version or 0)
