"""Whose a system number is: two drones with one number are told apart and named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.drones.merge import is_jump
from core.drones.model import DroneReport, Position

Sender = tuple[str, str]
"""Link and path."""

MAX_SENDERS = 1000
NAMESAKE = "@"
"""In an id, before the number of a drone that has the same system number as another one."""

IN_TURNS = timedelta(seconds=60)
"""Hardware numbers that change to and fro within so long are those of two drones on one path."""


@dataclass(slots=True)
class _Heard:
    uid: str = ""
    uid_before: str = ""
    changed_at: datetime | None = None
    in_turns_at: datetime | None = None
    position: Position | None = None
    own_id: str = ""
    """Given to a sender that is not the first drone of its number."""


class Owners:
    """Remembers who speaks under which number.

    A drone that is heard on several links is one drone, until its hardware number differs or its positions cannot be
    those of one. A drone that is known by its hardware number keeps its id, whoever is heard first.
    """

    def __init__(self, uids: Callable[[], Mapping[str, str]] = dict) -> None:
        """Know nobody but those whose hardware numbers `uids` returns, by drone."""
        self._uids = uids
        self._heard: dict[tuple[str, Sender], _Heard] = {}
        self._own: dict[tuple[int, Sender], str] = {}
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
        if report.uid and report.uid != known.uid:
            self._identify(report, sender, known)
        if report.position is not None:
            known.position = Position(point=report.position, at=report.at)
        if not known.own_id:
            self._compare(report, sender, known)
        if known.in_turns_at is not None and report.at - known.in_turns_at < IN_TURNS:
            report = replace(report, has_two_senders=True)
        if not known.own_id:
            return report
        return replace(report, drone_id=known.own_id, name=f"{report.name} on {report.link_id}")

    def faults(self, link_id: str) -> tuple[str, ...]:
        """Return what is wrong with the numbers on a link, each a sentence with a way out."""
        return tuple(self._faults.get(link_id, {}).values())

    @property
    def has_namesakes(self) -> bool:
        """Whether any drone has the number of another one."""
        return bool(self._own)

    def own_id(self, system: int, sender: Sender) -> str:
        """Return the id of a sender's drone where it is not the first of its number; empty where it is."""
        return self._own.get((system, sender), "")

    def forget(self, drone_id: str) -> None:
        """Let go of a drone that was removed: who speaks under its number is met anew."""
        for key, heard in tuple(self._heard.items()):
            if (heard.own_id or key[0]) == drone_id:
                del self._heard[key]
        self._own = {key: own_id for key, own_id in self._own.items() if own_id != drone_id}
        for faults in self._faults.values():
            faults.pop(drone_id, None)

    def _identify(self, report: DroneReport, sender: Sender, known: _Heard) -> None:
        """Give a sender the id of the drone with its hardware number."""
        if known.uid:
            if report.uid == known.uid_before and known.changed_at and report.at - known.changed_at < IN_TURNS:
                known.in_turns_at = report.at
            known.uid_before, known.changed_at = known.uid, report.at
        had_uid, known.uid = known.uid, report.uid
        base, uids = report.drone_id, self._uids()
        mine = next((one for one, uid in uids.items() if uid == report.uid and _is_named_as(one, base)), None)
        if mine is not None:
            self._give(report, sender, known, "" if mine == base else mine)
        elif had_uid or uids.get(base, report.uid) != report.uid:
            self._part(
                report,
                sender,
                known,
                f"Another drone than before says that it is system {report.system_id}, on {_place(sender)}: its "
                f"hardware number ends with {report.uid[-8:]}. It is shown on its own; give it its own number, or "
                "remove the one that does not fly any more.",
            )

    def _compare(self, report: DroneReport, sender: Sender, known: _Heard) -> None:
        for (drone_id, other), heard in self._heard.items():
            if drone_id != report.drone_id or other == sender or heard.own_id:
                continue
            if _is_other(known, heard):
                self._part(
                    report,
                    sender,
                    known,
                    f"Two drones say that they are system {report.system_id}: on {_place(other)} and {_place(sender)}. "
                    "The second is shown on its own; give each its own number.",
                    *((other[0],) if other[0] != sender[0] else ()),
                )
                return

    def _part(self, report: DroneReport, sender: Sender, known: _Heard, sentence: str, *links: str) -> None:
        base = report.drone_id
        taken = {*self._uids(), *(heard.own_id for heard in self._heard.values())}
        number = next(number for number in range(2, MAX_SENDERS + 3) if f"{base}{NAMESAKE}{number}" not in taken)
        own_id = f"{base}{NAMESAKE}{number}"
        self._give(report, sender, known, own_id)
        for link_id in (sender[0], *links):
            self._faults.setdefault(link_id, {})[own_id] = sentence

    def _give(self, report: DroneReport, sender: Sender, known: _Heard, own_id: str) -> None:
        known.own_id = own_id
        if report.system_id is None:
            return
        if own_id:
            self._own[report.system_id, sender] = own_id
        else:
            self._own.pop((report.system_id, sender), None)


def _is_named_as(drone_id: str, base: str) -> bool:
    return drone_id == base or drone_id.startswith(f"{base}{NAMESAKE}")


def _place(sender: Sender) -> str:
    return " ".join(part for part in sender if part)


def _is_other(a: _Heard, b: _Heard) -> bool:
    if a.uid and b.uid:
        return a.uid != b.uid
    return a.position is not None and b.position is not None and is_jump(a.position, b.position)
