"""Tours: cameras and saved layouts one after the other; frozen states and the steps between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

MIN_DWELL_S, DEFAULT_DWELL_S, MAX_DWELL_S = 2.0, 10.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TourStop:
    """What is shown, and for how long; either a camera, which fills the wall, or a saved layout."""

    camera_id: str = ""
    layout_name: str = ""
    dwell_s: float = DEFAULT_DWELL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """Stops in their order; after the last one comes the first."""

    name: str
    stops: tuple[TourStop, ...]


class TourState(Enum):
    """Why a tour goes on or does not."""

    RUNNING = "running"
    PAUSED = "paused"
    """By the operator, or because the operator used the wall."""

    INTERRUPTED = "interrupted"
    """An alarm has the wall; the tour goes on by itself after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TourRun:
    """A tour on its way.

    Attributes:
        at: Which stop is shown.
        left_s: Until the next one.
        reason: Why it stands still, as a clause; empty while it runs.
    """

    tour: Tour
    at: int = 0
    left_s: float = 0.0
    state: TourState = TourState.RUNNING
    reason: str = ""

    @property
    def stop(self) -> TourStop:
        """What is shown."""
        return self.tour.stops[self.at]


def started(tour: Tour) -> TourRun:
    """Begin at the first stop."""
    return TourRun(tour=tour, left_s=tour.stops[0].dwell_s)


def advanced(run: TourRun, seconds: float) -> TourRun:
    """Let time go by; at most one stop further, however long it was."""
    if run.state is not TourState.RUNNING:
        return run
    left_s = run.left_s - seconds
    return replace(run, left_s=left_s) if left_s > 0 else stepped(run, 1)


def stepped(run: TourRun, n: int) -> TourRun:
    """Go to another stop, for its full time."""
    at = (run.at + n) % len(run.tour.stops)
    return replace(run, at=at, left_s=run.tour.stops[at].dwell_s)


def paused(run: TourRun, reason: str) -> TourRun:
    """Stand still until the operator says otherwise."""
    return replace(run, state=TourState.PAUSED, reason=reason)


def interrupted(run: TourRun, reason: str) -> TourRun:
    """Make way for an alarm; a tour that was paused stays so."""
    return run if run.state is TourState.PAUSED else replace(run, state=TourState.INTERRUPTED, reason=reason)


def resumed(run: TourRun) -> TourRun:
    """Go on, with the full time of the stop that was shown."""
    return replace(run, state=TourState.RUNNING, reason="", left_s=run.stop.dwell_s)


def tour_to_dict(tour: Tour) -> dict[str, Any]:
    """Return plain data."""
    return {
        "name": tour.name,
        "stops": [{"camera": s.camera_id, "layout": s.layout_name, "dwell_s": s.dwell_s} for s in tour.stops],
    }


def tour_from_dict(data: Any) -> Tour | None:
    """Read what `tour_to_dict` wrote; None where it holds no tour."""
    if not isinstance(data, Mapping) or not isinstance(data.get("name"), str):
        return None
    stops = []
    for item in data.get("stops") or ():
        if not isinstance(item, Mapping):
            continue
        camera_id, layout_name, dwell_s = item.get("camera", ""), item.get("layout", ""), item.get("dwell_s", 0)
        if not (isinstance(camera_id, str) and isinstance(layout_name, str) and isinstance(dwell_s, int | float)):
            continue
        if bool(camera_id) != bool(layout_name):
            kept_s = max(MIN_DWELL_S, min(MAX_DWELL_S, float(dwell_s)))
            stops.append(TourStop(camera_id=camera_id, layout_name=layout_name, dwell_s=kept_s))
    return Tour(name=data["name"], stops=tuple(stops)) if stops else None
