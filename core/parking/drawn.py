"""One drawn lot as it stands: its bays, what its devices count, its gates, and what cannot be right about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.parking.fusion import BayFusion, Correction, FusionSettings
from core.parking.gates import MAX_UNSEEN_S, Gates
from core.parking.history import LateWord, Told
from core.parking.model import BayChange, BayEvidence, BayState, BayStatus, Lot, LotOccupancy
from core.parking.occupancy import Counted, count_lot, counted_inside, sign_faults
from core.parking.rules import LotCondition, LotWatch
from core.vision.model import LineCrossed

TOLD_AGAIN_S = 30.0
"""A confirmation is told so often at most: 2,000 bays are confirmed every second."""

SWEEP_S = 2.0
SWEEP_AT_ONCE = 1000
"""Bays that nothing is said of are looked at so often, so many of them at once: the loop has other things to do."""

NAMED_AT_MOST, KEPT_AT_MOST = 5, 200
BLAMED_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of words: bays to tell, and those among them that changed and are stored."""

    told: tuple[BayStatus, ...] = ()
    changes: tuple[Told, ...] = ()
    released: tuple[str, ...] = ()
    """Bays whose correction ended, because they were seen to change."""


class DrawnLot:
    """One lot.

    Threads: the owner's loop only.
    """

    def __init__(self, lot: Lot, *, now: datetime, settings: FusionSettings) -> None:
        """Begin with bays nobody knows."""
        self.lot = lot
        self.gates = Gates()
        self.watch = LotWatch()
        self._settings = settings
        self._bays: dict[str, BayFusion] = {}
        self._told: dict[str, BayStatus] = {}
        self._by_topic_name: dict[str, str] = {}
        self._stored_at: dict[str, datetime] = {}
        self._counted: dict[str, Counted] = {}
        self.conflicts: tuple[str, ...] = ()
        """What another lot claims as well, each a sentence with a way out."""

        self._gone_gates: tuple[str, ...] = ()
        self._sign_faults: tuple[str, ...] = ()
        self._doubtful: dict[str, None] = {}
        self._strangers: Counter[str] = Counter()
        self._stranger_at: datetime | None = None
        self._sweep: list[str] = []
        self._sweep_at = now
        self.n_late = 0
        self.set_plan(lot, now)

    def set_plan(self, lot: Lot, now: datetime) -> Heard:
        """Take another drawing over; bays that stay keep their state."""
        self.lot = lot
        kept = {bay.bay_id for bay in lot.bays}
        for bay_id in [bay_id for bay_id in self._bays if bay_id not in kept]:
            for of_bay in (self._bays, self._told, self._stored_at):
                of_bay.pop(bay_id, None)
        new = []
        for bay_id in (bay.bay_id for bay in lot.bays):
            if bay_id not in self._bays:
                self._bays[bay_id] = self._fusion(_nobody_knows(lot.lot_id, bay_id, now))
                self._told[bay_id] = self._bays[bay_id].status(now)
                new.append(self._told[bay_id])
            self._bays[bay_id].set_stale_s(lot.stale_s)
        self.gates.keep(gate.camera_id for gate in lot.gates)
        self._by_topic_name = _topic_names(lot)
        self._strangers.clear()
        self._doubtful = dict.fromkeys(alike_bays(lot))
        self._sign_faults = sign_faults(lot)
        self._counted = {device: found for device, found in self._counted.items() if device in self.device_ids}
        return Heard(told=tuple(new))

    @property
    def device_ids(self) -> frozenset[str]:
        """Devices that speak for this lot."""
        return frozenset((self.lot.lot_id, *self.lot.device_ids))

    def has_bay(self, bay_id: str) -> bool:
        """Tell whether the bay is drawn."""
        return bay_id in self._bays

    def find_bay(self, name: str) -> str:
        """Return the bay that a device means: by its id, else by id or label as a topic can write them; "" for none."""
        return name if name in self._bays else self._by_topic_name.get(topic_name(name), "")

    def correction(self, bay_id: str) -> Correction | None:
        """Return what an operator said of a bay, while it holds."""
        return self._bays[bay_id].correction

    def statuses(self) -> tuple[BayStatus, ...]:
        """Return every bay as it was told last, in the plan's order."""
        return tuple(self._told[bay.bay_id] for bay in self.lot.bays)

    def status(self, bay_id: str, now: datetime) -> BayStatus:
        """Return how one bay stands."""
        return self._bays[bay_id].status(now)

    def restore(self, known: BayStatus, *, seen_until: datetime, now: datetime) -> Heard:
        """Begin with the last known state of a bay: as stale since the last moment that it was watched."""
        if known.bay_id not in self._bays:
            return Heard()
        at = min(now, max(known.at, seen_until))
        self._stored_at[known.bay_id] = known.at
        is_known = known.state is not BayState.UNKNOWN
        status = replace(known, at=known.at if known.is_stale else at, is_stale=is_known)
        self._bays[known.bay_id] = self._fusion(status)
        self._told[known.bay_id] = status
        if known.is_stale or not is_known:
            return Heard()
        return Heard(changes=(self._store(status, at),))

    def correct(self, bay_id: str, correction: Correction, now: datetime) -> Heard:
        """Let an operator's word hold."""
        self._bays[bay_id].correct(correction)
        return self._conclude((bay_id,), now)

    def release(self, bay_id: str, now: datetime) -> Heard:
        """Let what cameras and sensors say count again."""
        self._bays[bay_id].release()
        return self._conclude((bay_id,), now)

    def take(self, evidence: Iterable[BayEvidence], now: datetime) -> Heard:
        """Take words about bays; those about bays that are not drawn are counted and named."""
        touched: dict[str, None] = {}
        for word in evidence:
            bay = self._bays.get(word.bay_id)
            if bay is None:
                self.blame(word.bay_id, now)
            elif bay.hear(word, now):
                touched[word.bay_id] = None
            else:
                self.n_late += 1
        return self._conclude(touched, now)

    def late(self, word: BayEvidence, now: datetime) -> LateWord:
        """Return what goes into the history of a bay that a device speaks of late; the present stays as it is."""
        self.n_late += 1
        change = BayChange(
            lot_id=word.lot_id,
            bay_id=word.bay_id,
            at=min(word.at, now),
            state=word.state,
            confidence=word.confidence,
            source=word.source,
        )
        return LateWord(
            change=change,
            stale_s=self.lot.stale_s,
            tells_changes=word.source.startswith("sensor:"),
            present=self._told[word.bay_id],
            now=now,
        )

    def take_count(self, device_id: str, counted: Counted, now: datetime) -> Heard:
        """Take what a device counts; where its bays agree with it, each of them is confirmed."""
        known = self._counted.get(device_id)
        if known is not None and counted.at < known.at:
            return Heard()
        self._counted[device_id] = counted
        source = f"sensor:{device_id}"
        own = [bay_id for bay_id, bay in self._bays.items() if bay.word_of(source) is not None]
        states = [self._bays[bay_id].word_of(source) for bay_id in own]
        n_bays = sum(state is not BayState.CLOSED for state in states)
        figures = (n_bays, states.count(BayState.OCCUPIED), states.count(BayState.UNKNOWN))
        if not own or figures != (counted.n_bays, counted.n_occupied, counted.n_unknown):
            return Heard()
        for bay_id in own:
            self._bays[bay_id].confirm(source, min(counted.at, now))
        return self._conclude(own, now)

    def tick(self, now: datetime) -> Heard:
        """Let time pass: what waits settles, what nobody confirmed becomes stale."""
        if not self._sweep and now >= self._sweep_at:
            self._sweep, self._sweep_at = list(self._bays), now + timedelta(seconds=SWEEP_S)
        part, self._sweep = self._sweep[:SWEEP_AT_ONCE], self._sweep[SWEEP_AT_ONCE:]
        due = [bay_id for bay_id, bay in self._bays.items() if bay.is_settling]
        return self._conclude(dict.fromkeys(bay_id for bay_id in (*due, *part) if bay_id in self._bays), now)

    def cross(self, crossed: LineCrossed) -> bool:
        """Take a crossing of a camera's line; returns whether it is a gate of this lot."""
        gates = [
            one for one in self.lot.gates if (one.camera_id, one.line_key) == (crossed.camera_id, crossed.line_key)
        ]
        for gate in gates:
            self.gates.cross(gate.key, is_entry=crossed.is_forward is gate.is_entry_forward, at=crossed.at)
        return bool(gates)

    def set_lines(self, lines: Mapping[str, Collection[str]]) -> bool:
        """Take the counting lines that there are, by camera; returns whether that changes what is wrong."""
        gone = [gate for gate in self.lot.gates if gate.line_key not in lines.get(gate.camera_id, ())]
        said = tuple(
            f"Line {gate.line_key} of camera {gate.camera_id} is a gate of {self.lot.name} and is not there any more. "
            "Draw it again, or take the gate away."
            for gate in gone
        )
        is_other, self._gone_gates = said != self._gone_gates, said
        return is_other

    def judge(self, now: datetime) -> list[LotCondition]:
        """Return what began or ended to be wrong with its bays, and whether it is full."""
        return [
            *self.watch.judge(self.lot, self._told, now),
            *self.watch.judge_fill(self.lot, self.occupancy(now), now),
        ]

    def blame(self, bay_id: str, now: datetime) -> None:
        """Remember that somebody speaks of a bay that is not drawn, or that may be one of several."""
        meant = _bays_alike(self.lot, bay_id)
        if len(meant) > 1:
            if len(self._doubtful) < NAMED_AT_MOST:
                self._doubtful[_alike_sentence(self.lot, bay_id, meant)] = None
            return
        if bay_id in self._strangers or len(self._strangers) < KEPT_AT_MOST:
            self._strangers[bay_id] += 1
        self._stranger_at = now

    def occupancy(self, now: datetime) -> LotOccupancy:
        """Count the lot."""
        limit = timedelta(seconds=self.lot.stale_s)
        n_bays = self.lot.capacity if self.lot.capacity is not None else len(self.lot.bays)
        counted = count_lot(
            self.lot,
            self._told,
            counted=[found for found in self._counted.values() if now - found.at <= limit],
            gates=self._inside(n_bays, now),
            faults=(
                *self.conflicts,
                *self._gone_gates,
                *self._sign_faults,
                *self._doubtful,
                *self._stranger_faults(now),
                *self.gates.faults(self.lot.name, n_bays),
            ),
            at=now,
        )
        return replace(counted, gates=self.gates.figures)

    def _inside(self, n_bays: int, now: datetime) -> Counted | None:
        """Return what entry and exit say; None where somebody may have passed them unseen."""
        gates = self.gates
        if gates.n_now is None or gates.at is None or not n_bays or self._gone_gates:
            return None
        is_old = now - gates.at > 4 * timedelta(seconds=self.lot.stale_s)
        cameras = {gate.camera_id for gate in self.lot.gates}
        if is_old or gates.unseen_s > MAX_UNSEEN_S or gates.unwatched(cameras, now):
            return None
        return counted_inside(gates.n_now, n_bays, gates.at)

    def _fusion(self, known: BayStatus) -> BayFusion:
        return BayFusion(known, stale_s=self.lot.stale_s, settings=self._settings)

    def _conclude(self, bay_ids: Iterable[str], now: datetime) -> Heard:
        told: list[BayStatus] = []
        changes: list[Told] = []
        released: list[str] = []
        for bay_id in bay_ids:
            bay = self._bays[bay_id]
            held = bay.correction
            status, before = bay.settle(now), self._told[bay_id]
            if held is not None and bay.correction is None:
                released.append(bay_id)
            if _is_other(before, status):
                changes.append(self._store(status, self._changed_at(before, status, now)))
            elif (status.at - before.at).total_seconds() < TOLD_AGAIN_S and status.reason == before.reason:
                continue
            self._told[bay_id] = status
            told.append(status)
        return Heard(tuple(told), tuple(changes), tuple(released))

    def _changed_at(self, before: BayStatus, status: BayStatus, now: datetime) -> datetime:
        if status.is_stale and not before.is_stale:
            return min(now, status.at + timedelta(seconds=self.lot.stale_s))
        if before.reason and not status.reason:
            return now
        return max(status.since, status.at) if before.is_stale and before.state is status.state else status.since

    def _store(self, status: BayStatus, at: datetime) -> Told:
        # A replay goes by time: what is known later never stands before what was known earlier.
        at = max(at, self._stored_at.get(status.bay_id, at))
        self._stored_at[status.bay_id] = at
        change = BayChange(
            lot_id=status.lot_id,
            bay_id=status.bay_id,
            at=at,
            state=status.state,
            confidence=status.confidence,
            source=status.source,
            is_stale=status.is_stale,
        )
        return Told(change, status)

    def _stranger_faults(self, now: datetime) -> tuple[str, ...]:
        if not self._strangers or self._stranger_at is None or now - self._stranger_at > BLAMED_FOR:
            return ()
        names = [bay_id for bay_id, _ in self._strangers.most_common(NAMED_AT_MOST)]
        n_more = len(self._strangers) - len(names)
        listed = ", ".join(names) + (f" and {n_more} more" if n_more else "")
        return (
            f"Bays that are not drawn in {self.lot.name} are spoken of: {listed} "
            f"({self._strangers.total():,} messages). Draw them, or correct the device.",
        )


def topic_name(name: str) -> str:
    """Return a name as a topic can hold it: a-z, 0-9 and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32]


def alike_bays(lot: Lot) -> tuple[str, ...]:
    """Say which bays of a lot its devices cannot tell apart, as their topics write them."""
    if not lot.device_ids:
        return ()
    by_name: dict[str, list[str]] = {}
    for bay in lot.bays:
        by_name.setdefault(topic_name(bay.bay_id), []).append(bay.bay_id)
    alike = [(name, ids) for name, ids in by_name.items() if name and len(ids) > 1]
    return tuple(_alike_sentence(lot, name, ids) for name, ids in alike[:NAMED_AT_MOST])


def _bays_alike(lot: Lot, name: str) -> list[str]:
    written = topic_name(name)
    return [bay.bay_id for bay in lot.bays if written and written in (topic_name(bay.bay_id), topic_name(bay.label))]


def _alike_sentence(lot: Lot, name: str, bay_ids: Sequence[str]) -> str:
    listed = f"{', '.join(bay_ids[:-1])} or {bay_ids[-1]}"
    return (
        f"What devices call {name} may be bay {listed} of {lot.name}: it counts in none of them. "
        "Give them ids that differ in letters or digits."
    )


def _topic_names(lot: Lot) -> dict[str, str]:
    """Return bays by what a topic can say of them; what would mean two of them is left out, and an id beats a label."""
    found: dict[str, str] = {}
    for names in ([(bay.label, bay.bay_id) for bay in lot.bays], [(bay.bay_id, bay.bay_id) for bay in lot.bays]):
        count = Counter(topic_name(name) for name, _ in names)
        found |= {
            topic_name(name): bay_id for name, bay_id in names if topic_name(name) and count[topic_name(name)] == 1
        }
    return found


def _is_other(before: BayStatus, after: BayStatus) -> bool:
    return (before.state, before.is_stale, bool(before.reason)) != (after.state, after.is_stale, bool(after.reason))


def _nobody_knows(lot_id: str, bay_id: str, now: datetime) -> BayStatus:
    return BayStatus(lot_id=lot_id, bay_id=bay_id, state=BayState.UNKNOWN, since=now, at=now, confidence=0.0, source="")
