"""What states, kinds and sources of bays are called on the screen."""

from __future__ import annotations

from collections.abc import Mapping

from core.parking.model import BayKind, BayState, BayStatus, LotOccupancy, OccupancyBasis, ZoneOccupancy

STATES = {
    BayState.FREE: "Free",
    BayState.OCCUPIED: "Occupied",
    BayState.UNKNOWN: "Unknown",
    BayState.CLOSED: "Closed",
}
KINDS = {
    BayKind.STANDARD: "Standard",
    BayKind.ACCESSIBLE: "Accessible",
    BayKind.EV: "EV",
    BayKind.LOADING: "Loading",
    BayKind.RESERVED: "Reserved",
}
BASES = {
    OccupancyBasis.BAYS: "counted from its bays",
    OccupancyBasis.COUNTS: "counted by its devices",
    OccupancyBasis.GATES: "counted at its gates",
}
_SOURCES = {"camera": "Camera", "sensor": "Sensor", "edge": "Edge device", "operator": "Corrected by"}


def state_text(status: BayStatus) -> str:
    """Return how a bay stands; one that nobody confirms is said to be the last known."""
    return f"{STATES[status.state]}, stale" if status.is_stale else STATES[status.state]


def source_text(source: str, names: Mapping[str, str]) -> str:
    """Return whose word decided, with the names of cameras and devices; "--" where nobody ever spoke."""
    if not source:
        return "--"
    parts = []
    for word in source.split(", "):
        kind, _, name = word.partition(":")
        parts.append(f"{_SOURCES.get(kind, kind)} {names.get(name, name)}".strip())
    return ", ".join(parts)


def free_text(counted: LotOccupancy | ZoneOccupancy) -> str:
    """Return how many bays are free: a span where nobody knows of some, "--" where nobody knows of any."""
    if counted.n_unknown >= counted.n_bays:
        return "--"
    if not counted.n_unknown:
        return str(counted.n_free)
    return f"{counted.n_free} to {counted.n_free + counted.n_unknown}"


def fill_text(lot: LotOccupancy) -> str:
    """Return how full a lot is, in one line beneath its number."""
    said = [f"{lot.n_occupied} occupied"]
    if lot.n_unknown:
        stale = f" ({lot.n_stale} stale)" if lot.n_stale else ""
        said.append(f"{lot.n_unknown} unknown{stale}")
    if lot.n_closed:
        said.append(f"{lot.n_closed} closed")
    if lot.drift:
        said.append(f"gates {lot.drift:+d}")
    return f"{', '.join(said)}; {BASES[lot.basis]}"
