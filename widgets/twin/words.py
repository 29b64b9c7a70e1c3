"""How bays are called on the card, in the table and on labels. No Qt, no VTK."""

from __future__ import annotations

from core.parking.model import Bay, BayKind, BayState, BayStatus

KIND_WORDS = {
    BayKind.STANDARD: "Standard",
    BayKind.ACCESSIBLE: "Accessible",
    BayKind.EV: "EV charging",
    BayKind.LOADING: "Loading",
    BayKind.RESERVED: "Reserved",
}
STATE_WORDS = {
    BayState.FREE: "Free",
    BayState.OCCUPIED: "Occupied",
    BayState.UNKNOWN: "Unknown",
    BayState.CLOSED: "Closed",
}


def state_words(status: BayStatus | None) -> str:
    """Say how a bay stands; what is old is said to be."""
    if status is None:
        return STATE_WORDS[BayState.UNKNOWN]
    plain = STATE_WORDS[status.state]
    return f"{plain}, stale" if status.is_stale and status.state is not BayState.UNKNOWN else plain


def bay_name(bay: Bay) -> str:
    """Return what is painted on the ground."""
    return bay.label or bay.bay_id
