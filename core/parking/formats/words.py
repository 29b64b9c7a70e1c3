"""What the labels of other programs mean: kinds of bays, lanes, states."""

from __future__ import annotations

import re
from typing import Any

from core.parking.model import BayKind, BayState

_KINDS = {
    BayKind.ACCESSIBLE: {"accessible", "disabled", "handicap", "handicapped", "wheelchair", "pmr", "blue"},
    BayKind.EV: {"ev", "electric", "charging", "charger", "evse"},
    BayKind.LOADING: {"loading", "delivery", "unloading", "goods"},
    BayKind.RESERVED: {"reserved", "permit", "private", "staff", "resident", "residents", "vip", "taxi"},
}
_LANES = {"lane", "lanes", "aisle", "road", "driveway", "drive", "free_area", "fire", "clear", "carriageway"}
_FREE = {"free", "empty", "vacant", "0", "false", "available"}
_OCCUPIED = {"occupied", "full", "busy", "1", "true", "taken", "car"}
_WORD = re.compile(r"[a-z0-9_]+")


def kind_of(*labels: str) -> BayKind:
    """Return the kind that labels speak of; standard where they speak of none."""
    words = {word for label in labels for whole in _WORD.findall(label.lower()) for word in (whole, *whole.split("_"))}
    return next((kind for kind, meant in _KINDS.items() if words & meant), BayKind.STANDARD)


def is_lane(label: str) -> bool:
    """Tell whether a label means ground that must stay clear."""
    words = _WORD.findall(label.lower())
    return any(word in _LANES or word.split("_")[-1] in _LANES for word in words)


def state_of(value: Any) -> BayState | None:
    """Return the state that a label or flag speaks of; None where it speaks of none."""
    said = str(value).strip().lower()
    if said in _FREE or said.removesuffix("_parking_space").removeprefix("space-") in _FREE:
        return BayState.FREE
    if said in _OCCUPIED or said.removeprefix("not_free").removeprefix("space-") in _OCCUPIED:
        return BayState.OCCUPIED
    return BayState.UNKNOWN if said == "unknown" else None


def first_of(values: dict[str, Any], *names: str) -> str:
    """Return the first of these values that says something, as text."""
    lowered = {str(key).lower(): value for key, value in values.items()}
    for name in names:
        value = lowered.get(name)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return ""
