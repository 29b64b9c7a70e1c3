"""Whose a system number is: two drones with one number are told apart and named."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.drones.ground import distance_m
from core.drones.merge import IMPOSSIBLE_MPS, LEAST_JUMP_M
from core.drones.model import DroneReport, Position

Sender = tuple[str, str]
"""Link and path."""

MAX_SENDERS = 1000


@dataclass(slots=True)
class _Heard:
    uid: str = ""
    position: Position | None = None
    own_id: str = ""
    """Given to a sender that is not the first drone of its number."""


class Owners:
    """Remembers who speaks under which number.

    A drone that is heard on several links is one drone, until its hardware number differs or its positions cannot be
    those of one.
    """

    def __init__(self) -> None:
        """Know nobody."""
        self._heard: dict[tuple[str, Sender], _Heard] = {}
        self._faults: dict[str, dict[str, str]] = {}

    def settled(self, report: DroneReport) -> DroneReport:
        """Return a report under the id of the drone that it is of."""
        sender = (report.link_id, report.path)
        key = (report.drone_id, sender)
        known = self._heard.get(key)
        if known is None:
            if len(self._heard) >= MAX_SENDERS:
                return report
            known = self._heard[key] = _Heard()
        known.uid = report.uid or known.uid
        if report.position is not None:
            known.position = Position(point=report.position, at=report.at)
        if not known.own_id:
            self._compare(report, sender, known)
        if not known.own_id:
            return report
        return replace(report, drone_id=known.own_id, name=f"{report.name} on {report.link_id}")

    def faults(self, link_id: str) -> tuple[str, ...]:
        """Return what is wrong with the numbers on a link, each a sentence with a way out."""
        return tuple(self._faults.get(link_id, {}).values())

    def _compare(self, report: DroneReport, sender: Sender, known: _Heard) -> None:
        for (drone_id, other), heard in self._heard.items():
            if drone_id != report.drone_id or other == sender or heard.own_id:
                continue
            if _is_other(known, heard):
                self._part(report, sender, other, known)
                return

    def _part(self, report: DroneReport, sender: Sender, other: Sender, known: _Heard) -> None:
        places = " and ".join(" ".join(part for part in one if part) for one in (other, sender))
        n_apart = sum(1 for (drone_id, _), heard in self._heard.items() if drone_id == report.drone_id and heard.own_id)
        known.own_id = f"{report.drone_id}@{n_apart + 2}"
        sentence = (
            f"Two drones say that they are system {report.system_id}: on {places}. "
            "The second is shown on its own; give each its own number."
        )
        for link_id in {sender[0], other[0]}:
            self._faults.setdefault(link_id, {})[known.own_id] = sentence


def _is_other(a: _Heard, b: _Heard) -> bool:
    if a.uid and b.uid:
        return a.uid != b.uid
    if a.position is None or b.position is None:
        return False
    apart_m = distance_m(a.position.point, b.position.point)
    age_s = max(0.1, abs((a.position.at - b.position.at).total_seconds()))
    return apart_m > LEAST_JUMP_M and apart_m / age_s > IMPOSSIBLE_MPS
