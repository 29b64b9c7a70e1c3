"""Regional warnings that came as CAP: an alarm with its area on the map, updated, and ended by cancel or expiry."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.incidents import cap
from core.incidents.cap import CapAlert, CapArea, CapError, CapInfo
from core.incidents.model import Condition, Priority, SourceKind
from core.incidents.service import IncidentService
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint
from core.kernel.zone import UTC_ZONE, write_local
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import CapMessageRow

log = logging.getLogger(__name__)

NO_EXPIRY = timedelta(hours=24)
"""What does not say when it ends is ended by us after a day; CAP leaves that to whoever receives it."""

OVERTAKES = timedelta(days=7)
"""A message that comes so much later than one that is about it is not looked for any more."""

MAX_DETAIL = 600
KIND = "regional_warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningPolicy:
    """Which messages become alarms.

    Attributes:
        statuses: Exercises and tests only where the site wants them; their titles say what they are.
        languages: In the order in which they are wanted.
        center: Of the site; None where it has none.
        radius_km: What is farther from the centre is only kept; 0 takes everything.
        geocodes: Names and values of the codes of areas that are meant, e.g. ("WARNCELLID", "105315000").
        zone: In which alarms say until when something is meant.
    """

    statuses: tuple[str, ...] = ("Actual",)
    languages: tuple[str, ...] = ("en",)
    center: GeoPoint | None = None
    radius_km: float = 0.0
    geocodes: frozenset[tuple[str, str]] = frozenset()
    zone: ZoneInfo = UTC_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionalWarning:
    """A warning that holds, as the map and the alarm show it.

    Attributes:
        warning_id: Stays through updates; also the alarm's source id.
        expires_at: Then it ends by itself.
        has_ended: It was cancelled or is over: take it off the map.
    """

    warning_id: str
    title: str
    sender_name: str
    priority: Priority
    expires_at: datetime
    polygons: tuple[tuple[GeoPoint, ...], ...] = ()
    circles: tuple[tuple[GeoPoint, float], ...] = ()
    detail: str = ""
    has_ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningChanged:
    """A warning began, changed or ended; published after the commit."""

    warning: RegionalWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a message.

    Attributes:
        outcome: "raised", "updated", "ended", "known", "kept" (stored, nobody is called) or "refused".
        sentence: Why, for logs and people.
    """

    outcome: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class _Change:
    outcome: str
    sentence: str = ""
    warning: RegionalWarning | None = None
    said: tuple[CapInfo, ...] = ()
    ended: tuple[str, ...] = ()


class WarningService:
    """Takes messages in, wherever they came from; the same message twice changes nothing.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, incidents: IncidentService, policy: WarningPolicy) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._incidents = incidents
        self._policy = policy
        self._active: dict[str, RegionalWarning] = {}
        self._said: dict[str, tuple[CapAlert, tuple[CapInfo, ...]]] = {}
        """Of what holds, the message and those of its blocks that are not over."""

        self._uncalled: dict[str, RegionalWarning] = {}
        """Stored, and their alarms wait for the database."""

        self._unreturned: dict[str, None] = {}
        """Over, or other than what was called for, and the end of their alarms waits for the database; in order."""

        self._one_at_a_time = asyncio.Lock()
        self.n_refused = 0
        self._last_refused = ("", "")

    async def start(self) -> None:
        """Call for what holds still: the incidents' own start has ended every alarm."""
        now = self._clock.now()
        rows = select(CapMessageRow).where(CapMessageRow.state == "active").order_by(CapMessageRow.sent)
        kept = await self._store.read(lambda s: [(row.warning_id, row.xml, row.expires_at) for row in s.scalars(rows)])
        for warning_id, text, expires_at in kept:
            try:
                alert = cap.parse(text.encode())
            except CapError as error:
                log.error("the stored warning %s cannot be read again: %s", warning_id, error.message)
                continue
            infos, _ = self._meant(alert, now)
            # Nothing of it may be meant any more: it is taken as it stands, and ends at once.
            infos = infos or cap.infos_in(alert, self._policy.languages)
            warning = self._warning_of(warning_id, alert, infos, expires_at or now)
            self._active[warning_id] = warning
            self._said[warning_id] = (alert, infos)
            if warning.expires_at > now:
                self._uncalled[warning_id] = warning
        await self.tick()

    def warnings(self) -> tuple[RegionalWarning, ...]:
        """Return what holds now."""
        return tuple(self._active.values())

    async def take(self, data: bytes, *, origin: str) -> Taken:
        """Take one message in, and tell its alarm; see `receive`."""
        taken = await self.receive(data, origin=origin)
        async with self._one_at_a_time:
            await self._tell_alarms()
        return taken

    async def receive(self, data: bytes, *, origin: str) -> Taken:
        """Take a message in; what it holds never raises. The next `tick` tells the alarms: of many updates the last.

        Args:
            data: The document.
            origin: Where it came from, for the log: a file, an address, a topic.

        Raises:
            UnavailableError: The database is away; the message was not taken and should come again.
        """
        try:
            alert = await asyncio.to_thread(cap.parse, data)
        except CapError as error:
            self.n_refused += 1
            if self._last_refused != (origin, error.message):
                # An address that answers with something else does so every minute.
                self._last_refused = (origin, error.message)
                log.warning("a CAP message from %s is not used: %s", origin, error.message)
            return Taken(outcome="refused", sentence=error.message)
        async with self._one_at_a_time:
            text = storable(as_text(data))
            change = await self._store.write(lambda s: self._store_message(s, alert, text, origin))
            self._follow(change)
            if change.warning is not None:
                self._said[change.warning.warning_id] = (alert, change.said)
        log.info("CAP %s %s from %s: %s %s", alert.msg_type, alert.identifier, origin, change.outcome, change.sentence)
        if alert.deviations:
            others = "; ".join(alert.deviations)
            log.info("CAP %s from %s is not written as CAP 1.2 has it: %s", alert.identifier, origin, others)
        return Taken(outcome=change.outcome, sentence=change.sentence)

    async def tick(self) -> None:
        """End what has expired, and tell the alarms what could not be told before."""
        async with self._one_at_a_time:
            await self._tell_alarms()
            now = self._clock.now()
            for warning_id in tuple(self._said):
                self._drop_blocks(warning_id, now)
            await self._tell_alarms()
            ids = tuple(warning.warning_id for warning in self._active.values() if warning.expires_at <= now)
            if ids:
                await self._store.write(lambda s: _end(s, ids, "expired"))
                self._follow(_Change("ended", "it has expired", ended=ids))
                await self._tell_alarms()

    def _drop_blocks(self, warning_id: str, now: datetime) -> None:
        """Leave out what of a warning is over while the rest holds: its areas, and its words where they came first."""
        alert, infos = self._said[warning_id]
        lasting = tuple(info for info in infos if info.expires is None or info.expires > now)
        if not lasting or len(lasting) == len(infos):
            return
        before = self._active[warning_id]
        warning = self._warning_of(warning_id, alert, lasting, before.expires_at)
        is_news = (warning.title, warning.priority) != (before.title, before.priority)
        self._said[warning_id] = (alert, lasting)
        self._active[warning_id] = warning
        if is_news and warning_id not in self._uncalled:
            # What its alarm says is over.
            self._unreturned[warning_id] = None
        if is_news or warning_id in self._uncalled:
            self._uncalled[warning_id] = warning
        self._bus.publish(WarningChanged(warning=warning))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _store_message(self, session: Session, alert: CapAlert, text: str, origin: str) -> _Change:
        known = session.scalar(
            select(CapMessageRow).where(
                CapMessageRow.sender == storable(alert.sender),
                CapMessageRow.identifier == storable(alert.identifier),
                CapMessageRow.sent == alert.sent,
            )
        )
        if known is not None:
            return _Change("known", "it was taken in before")
        row = CapMessageRow(
            sender=storable(alert.sender),
            identifier=storable(alert.identifier),
            sent=alert.sent,
            msg_type=alert.msg_type,
            received_at=self._clock.now(),
            origin=storable(origin)[:500],
            references=[[one.identifier, cap.write_instant(one.sent)] for one in alert.references],
            warning_id=_new_warning_id(alert),
            state="kept",
            xml=text,
        )
        change = self._decide(session, alert, row)
        session.add(row)
        session.flush()
        return change

    def _decide(self, session: Session, alert: CapAlert, row: CapMessageRow) -> _Change:
        earlier = _referenced(session, alert)
        if alert.status not in self._policy.statuses:
            return _Change("kept", f"its status is {alert.status}")
        if alert.msg_type in ("Ack", "Error"):
            return _Change("kept", f"it is an {alert.msg_type}")
        if earlier:
            row.warning_id = earlier[0].warning_id
        if alert.msg_type == "Cancel":
            ids = tuple({one.warning_id for one in earlier if one.state == "active"})
            for one in earlier:
                one.state = "cancelled"
            return _Change("ended" if ids else "kept", "it was cancelled", ended=ids)
        if later := _superseded_by(session, alert):
            # The update overtook what it is about.
            row.warning_id, row.state = later.warning_id, "replaced"
            return _Change("kept", "a later message is known already")
        return self._hold(alert, row, earlier)

    def _hold(self, alert: CapAlert, row: CapMessageRow, earlier: list[CapMessageRow]) -> _Change:
        """Let an Alert or Update hold in the place of what it refers to."""
        ended = tuple({one.warning_id for one in earlier if one.state == "active"})
        for one in earlier:
            one.state = "replaced"
        now = self._clock.now()
        infos, reason = self._meant(alert, now)
        if not infos:
            return _Change("kept", reason, ended=ended)
        expires_at = max(info.expires or now + NO_EXPIRY for info in infos)
        warning = self._warning_of(row.warning_id, alert, infos, expires_at)
        row.state, row.expires_at = "active", expires_at
        others = tuple(one for one in ended if one != row.warning_id)
        return _Change("updated" if earlier else "raised", warning.title, warning=warning, said=infos, ended=others)

    def _meant(self, alert: CapAlert, now: datetime) -> tuple[tuple[CapInfo, ...], str]:
        """Return the blocks that warn of something here and now; where none does, none and why."""
        infos = cap.infos_in(alert, self._policy.languages)
        if not infos:
            return (), "it says nothing about what is the matter"
        lasting = tuple(info for info in infos if info.expires is None or info.expires > now)
        if not lasting:
            return (), "it has expired"
        warning = tuple(info for info in lasting if "AllClear" not in info.responses)
        if not warning:
            return (), "it gives the all-clear"
        near = tuple(info for info in warning if not info.areas or any(map(self._is_here, info.areas)))
        return near, "it is for other places"

    def _warning_of(
        self, warning_id: str, alert: CapAlert, infos: Sequence[CapInfo], expires_at: datetime
    ) -> RegionalWarning:
        """Make one warning of all that a message says; its words are those of the most urgent block."""
        first, *others = sorted(infos, key=cap.priority_of)
        title = _title(first)
        areas = tuple(dict.fromkeys(area for info in infos for area in info.areas))
        return RegionalWarning(
            warning_id=warning_id,
            title=title[:200] if alert.status == "Actual" else f"{alert.status.upper()}: {title[:180]}",
            sender_name=first.sender_name or alert.sender,
            priority=cap.priority_of(first),
            expires_at=expires_at,
            polygons=tuple(dict.fromkeys(ring for area in areas for ring in area.polygons)),
            circles=tuple(dict.fromkeys(circle for area in areas for circle in area.circles)),
            detail=_detail(
                first,
                others,
                where=tuple(area.description for area in areas if self._is_here(area)),
                until=self._until(first, max(one.expires or expires_at for one in infos if _title(one) == title)),
            ),
        )

    def _until(self, info: CapInfo, expires_at: datetime) -> str:
        begins_at, until = info.onset or info.effective, write_local(expires_at, self._policy.zone)
        if begins_at is None or begins_at <= self._clock.now():
            return f"Until {until}."
        return f"From {write_local(begins_at, self._policy.zone)} until {until}."

    def _is_here(self, area: CapArea) -> bool:
        """Tell whether an area reaches the site, by its codes and its shape; what says neither might."""
        said = (self._is_here_by_code(area), self._is_here_by_shape(area))
        return True in said or False not in said

    def _is_here_by_code(self, area: CapArea) -> bool | None:
        """Tell whether an area bears a code of the site; None where it bears none of a name that the site has."""
        names = {name for name, _ in self._policy.geocodes}
        said = {code for code in area.geocodes if code[0] in names}
        return bool(said & self._policy.geocodes) if said else None

    def _is_here_by_shape(self, area: CapArea) -> bool | None:
        policy = self._policy
        if policy.center is None or not policy.radius_km or not (area.polygons or area.circles):
            return None
        limit_m = policy.radius_km * 1000.0
        if any(_nearest_m((middle, middle), policy.center) <= limit_m + km * 1000.0 for middle, km in area.circles):
            return True
        return any(
            _contains(ring, policy.center) or _nearest_m(ring, policy.center) <= limit_m for ring in area.polygons
        )

    def _follow(self, change: _Change) -> None:
        """Note which alarms begin, change and end, and tell the map, after the commit."""
        for warning_id in change.ended:
            self._uncalled.pop(warning_id, None)
            self._unreturned[warning_id] = None
            self._said.pop(warning_id, None)
            gone = self._active.pop(warning_id, None)
            if gone is not None:
                self._bus.publish(WarningChanged(warning=replace(gone, has_ended=True)))
        if (warning := change.warning) is not None:
            if warning.warning_id in self._active:
                # What changed is news: the operator is called again, with the new words.
                self._unreturned[warning.warning_id] = None
            self._active[warning.warning_id] = self._uncalled[warning.warning_id] = warning
            self._bus.publish(WarningChanged(warning=warning))

    async def _tell_alarms(self) -> None:
        """End alarms first, then call: an update is both."""
        try:
            for warning_id in tuple(self._unreturned):
                await self._incidents.return_by_word(_key(warning_id))
                self._unreturned.pop(warning_id, None)
            for warning_id, warning in tuple(self._uncalled.items()):
                await self._incidents.raise_news(_condition(warning))
                self._uncalled.pop(warning_id, None)
        except ConsoleError as error:
            log.warning("the alarm of a warning waits: %s", error)


def _key(warning_id: str) -> str:
    return f"warning/{warning_id}/{KIND}"


def _condition(warning: RegionalWarning) -> Condition:
    return Condition(
        condition_key=_key(warning.warning_id),
        kind=KIND,
        title=warning.title,
        detail=warning.detail,
        priority=warning.priority,
        source_kind=SourceKind.WARNING,
        source_id=warning.warning_id,
        source_name=warning.sender_name[:120],
        position=middle_of(warning),
    )


def _title(info: CapInfo) -> str:
    return info.headline or info.event


def _detail(info: CapInfo, others: Sequence[CapInfo], *, where: tuple[str, ...], until: str) -> str:
    also = tuple(dict.fromkeys(said for one in others if (said := _title(one)) != _title(info)))
    parts = (
        f"Also: {'; '.join(also)}." if also else "",
        info.instruction,
        info.description,
        f"Where: {', '.join(dict.fromkeys(where))}." if where else "",
    )
    words = " ".join(" ".join(part.split()) for part in parts if part)
    return f"{until} {words[: MAX_DETAIL - 1]}{'…' if len(words) >= MAX_DETAIL else ''}".strip()


def middle_of(warning: RegionalWarning) -> GeoPoint | None:
    """Return a point in the middle of what the warning covers; None where it has no shape."""
    points = [point for ring in warning.polygons for point in ring[:-1]] + [middle for middle, _ in warning.circles]
    if not points:
        return None
    lats, lons = [point.lat_deg for point in points], [point.lon_deg for point in points]
    return GeoPoint((min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2)


def circle_ring(middle: GeoPoint, radius_km: float, n_points: int = 48) -> tuple[GeoPoint, ...]:
    """Return a circle as a closed ring; near the poles it is cut at 85°."""
    lat_step = radius_km / 111.32
    lon_step = lat_step / max(0.05, math.cos(math.radians(middle.lat_deg)))
    ring = [
        GeoPoint(
            max(-85.0, min(85.0, middle.lat_deg + lat_step * math.sin(angle))),
            max(-180.0, min(180.0, middle.lon_deg + lon_step * math.cos(angle))),
        )
        for angle in (2 * math.pi * n / n_points for n in range(n_points))
    ]
    return (*ring, ring[0])


def as_text(data: bytes) -> str:
    """Return a document as text without its XML declaration: it is kept, and read again, as UTF-8."""
    named = _DECLARED.match(data[:200])
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else named[1].decode() if named else "utf-8"
    try:
        text = data.decode(encoding, "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    return _DECLARATION.sub("", text, count=1)


_DECLARED = re.compile(rb"\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml.*?\?>", re.DOTALL)


def _new_warning_id(alert: CapAlert) -> str:
    named = f"{alert.sender}\n{alert.identifier}\n{cap.write_instant(alert.sent)}"
    return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:20]


def _referenced(session: Session, alert: CapAlert) -> list[CapMessageRow]:
    """Return the messages that this one is about, the oldest first; senders rename themselves, so ids decide."""
    found: list[CapMessageRow] = []
    for one in alert.references:
        query = select(CapMessageRow).where(
            CapMessageRow.identifier == storable(one.identifier), CapMessageRow.sent == one.sent
        )
        found += session.scalars(query)
    chain = {row.warning_id for row in found}
    if chain:
        # What stands in the place of a message that was named is meant as well.
        query = select(CapMessageRow).where(CapMessageRow.warning_id.in_(chain), CapMessageRow.sent <= alert.sent)
        found = list(session.scalars(query))
    return sorted(found, key=lambda row: row.sent)


def _superseded_by(session: Session, alert: CapAlert) -> CapMessageRow | None:
    name = [alert.identifier, cap.write_instant(alert.sent)]
    query = (
        select(CapMessageRow)
        .where(CapMessageRow.sent > alert.sent, CapMessageRow.sent <= alert.sent + OVERTAKES)
        .where(CapMessageRow.msg_type != "Alert")
    )
    return next((row for row in session.scalars(query) if name in row.references), None)


def _end(session: Session, warning_ids: Sequence[str], state: str) -> None:
    query = select(CapMessageRow).where(CapMessageRow.warning_id.in_(warning_ids), CapMessageRow.state == "active")
    for row in session.scalars(query):
        row.state = state


def _contains(ring: tuple[GeoPoint, ...], point: GeoPoint) -> bool:
    """Tell whether a point lies in a ring, by crossings of a ray to the east."""
    is_inside = False
    for a, b in pairwise(ring):
        if (a.lat_deg > point.lat_deg) is not (b.lat_deg > point.lat_deg):
            share = (point.lat_deg - a.lat_deg) / (b.lat_deg - a.lat_deg)
            if point.lon_deg < a.lon_deg + share * (b.lon_deg - a.lon_deg):
                is_inside = not is_inside
    return is_inside


def _nearest_m(ring: tuple[GeoPoint, ...], point: GeoPoint) -> float:
    """Return the distance to the outline [m], measured on a plane around the point."""
    east_m = 111_320.0 * math.cos(math.radians(point.lat_deg))

    def flat(one: GeoPoint) -> tuple[float, float]:
        return (one.lon_deg - point.lon_deg) * east_m, (one.lat_deg - point.lat_deg) * 111_320.0

    best = math.inf
    for a, b in pairwise(ring):
        (ax, ay), (bx, by) = flat(a), flat(b)
        length = (bx - ax) ** 2 + (by - ay) ** 2
        along = 0.0 if not length else max(0.0, min(1.0, -(ax * (bx - ax) + ay * (by - ay)) / length))
        best = min(best, math.hypot(ax + along * (bx - ax), ay + along * (by - ay)))
    return best
