"""What the minutes of a time add up to: which classes came, and who went from which zone to which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations

from core.vision.flow import FlowMinute
from core.vision.model import PERSON, Scene
from widgets.base.table import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What came in a time.

    Attributes:
        classes: Vehicles by class; may hold fewer than `n_vehicles` where minutes are known in total only.
        n_minutes: Of which anything is known.
    """

    n_vehicles: int
    classes: Counter[str]
    n_minutes: int

    @property
    def sentence(self) -> str:
        """The mix in one line, the most frequent class first; empty where nothing came."""
        if not self.n_vehicles:
            return ""
        parts = [f"{_share(n, self.n_vehicles)} {label}" for label, n in self.classes.most_common()]
        return f"{self.n_vehicles:,} vehicles: {', '.join(parts)}" if parts else f"{self.n_vehicles:,} vehicles"


def mix_of(minutes: Iterable[FlowMinute]) -> Mix:
    """Add up the minutes of one lane, line or zone, those of its classes among them."""
    classes: Counter[str] = Counter()
    n_vehicles = n_minutes = 0
    for one in minutes:
        if one.label == PERSON:
            continue
        if one.label:
            classes[one.label] += one.n_vehicles or 0
        elif one.n_vehicles is not None and one.observed_s > 0:
            n_vehicles += one.n_vehicles
            n_minutes += 1
    return Mix(n_vehicles=n_vehicles, classes=+classes, n_minutes=n_minutes)


def ways_of(scene: Scene, minutes: Sequence[FlowMinute]) -> tuple[Line, ...]:
    """Return who went from which zone to which, the busiest way first; nothing where no minute is known.

    Args:
        scene: Its zones are the origins and destinations.
        minutes: Of one camera, all subjects.
    """
    if not n_minutes_of_zones(minutes):
        return ()
    counted: Counter[str] = Counter()
    for one in minutes:
        if one.subject == "od":
            counted[one.key] += one.n_vehicles or 0
    total = counted.total()
    ways = [
        (counted[f"{origin.key}>{target.key}"], origin.name, target.name)
        for origin, target in permutations((zone for zone in scene.zones if zone.counts_vehicles), 2)
    ]
    ways.sort(key=lambda way: (-way[0], way[1], way[2]))
    return tuple(
        Line(
            key=f"{origin}>{target}",
            cells=(f"{origin} → {target}", f"{n:,}", _share(n, total) if total else ""),
            tip=f"{n:,} vehicles were in {origin} before they came into {target}",
        )
        for n, origin, target in ways
    )


def n_minutes_of_zones(minutes: Iterable[FlowMinute]) -> int:
    """Return in how many minutes it was looked who goes from zone to zone."""
    return len(
        {
            one.minute
            for one in minutes
            if one.subject == "zone" and one.n_vehicles is not None and one.label != PERSON and one.observed_s > 0
        }
    )


def since_of(minutes: Iterable[FlowMinute], since: datetime) -> tuple[FlowMinute, ...]:
    """Return the minutes from a time on."""
    return tuple(one for one in minutes if one.minute >= since)


def _share(part: int, whole: int) -> str:
    share = part / whole
    return "below 1%" if 0 < share < 0.005 else f"{share:.0%}"
