"""The hand-over report of a shift: what is open, what is held, what happened, what nobody knows; and its signature."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import html
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.incidents import holds, ledger, work
from core.incidents.holds import OutOfService
from core.incidents.model import Alarm, AlarmState, Incident, Quality
from core.incidents.shift import Draft, ShiftEntryAdded, ShiftKind, add_entry, entry_of
from core.incidents.suppression import PlannedWorks
from core.incidents.work import Disposition, timers_of
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, UnavailableError
from core.kernel.ids import new_id
from core.kernel.wire import from_builtins, to_builtins
from core.kernel.zone import UTC_ZONE, is_zone, write_local
from core.store.engine import Store
from core.store.rows import words_of
from core.store.tables import (
    AlarmJournalRow,
    AlarmRow,
    DeviceRow,
    HandOverRow,
    IncidentRow,
    IncidentStepRow,
    ShiftEntryRow,
    UnitRow,
)

log = logging.getLogger(__name__)

SHIFT = timedelta(hours=12)
LONGEST = timedelta(days=7)
MAX_LINES = 200
"""Of one section; more are counted."""

MAX_COMMENT = 4000
_HELD = {AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE}
_DOUBTFUL_DEVICES = ("lost", "stale", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """One part of the report.

    Attributes:
        lines: One fact each.
        empty: What is said where there are none.
    """

    title: str
    lines: tuple[str, ...] = ()
    empty: str = "None."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """What a report says, apart from how it is written.

    Attributes:
        time_zone: Name of the zone in which its times are written.
    """

    site: str
    since: datetime
    until: datetime
    made_by: str
    made_desk: str
    comment: str = ""
    sections: tuple[ReportSection, ...] = ()
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """A report that was handed over, and whether somebody signed it.

    Attributes:
        sha256: Of the text as it was handed over; a signature is for exactly this.
    """

    hand_over_id: str
    content: ReportContent
    sha256: str
    signed_by: str = ""
    signed_desk: str = ""
    signed_at: datetime | None = None
    signed_comment: str = ""
    version: int = 1

    @property
    def is_signed(self) -> bool:
        """The incoming operator has taken over."""
        return self.signed_at is not None


class HandOverService:
    """Makes reports, keeps them, and takes signatures.

    Threads: all calls come from the owner's loop.
    """

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, *, folder: Path, site: str, zone: ZoneInfo = UTC_ZONE
    ) -> None:
        """Write each report as HTML and text into `folder`, which is made when it is needed, with times of `zone`."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._folder = folder
        self._site = site
        self._zone = zone

    async def preview(self, actor: Actor, *, since: datetime | None = None, comment: str = "") -> ReportContent:
        """Return the report as it would be handed over now.

        Args:
            actor: Who hands over.
            since: Begin of the shift; by default the last hand-over, at most a week ago; 12 hours where there was none.
            comment: What the outgoing operator adds.

        Raises:
            BadInputError: The shift that is asked for would begin in the future, or is longer than a week.
        """
        now = self._clock.now()
        words = words_of(comment, MAX_COMMENT)

        def run(session: Session) -> ReportContent:
            begin = since or min(max(_last_end(session) or now - SHIFT, now - LONGEST), now)
            if not now - LONGEST <= begin <= now:
                raise BadInputError("A shift begins within the last week.", hint="Choose another begin.")
            head = ReportContent(
                site=self._site,
                since=begin,
                until=now,
                made_by=actor.name,
                made_desk=actor.desk,
                comment=words,
                time_zone=self._zone.key,
            )
            return replace(head, sections=_sections(session, begin, now, self._zone))

        return await self._store.read(run)

    async def hand_over(self, actor: Actor, *, since: datetime | None = None, comment: str = "") -> HandOver:
        """Keep the report and let it wait for the incoming operator's signature.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: As `preview`.
        """
        require(actor, Role.OPERATOR)
        content = await self.preview(actor, since=since, comment=comment)
        digest = hashlib.sha256(to_text(content).encode()).hexdigest()

        def run(session: Session) -> tuple[HandOver, ShiftEntryAdded]:
            row = HandOverRow(
                hand_over_id=new_id(),
                until=content.until,
                content=to_builtins(content),
                sha256=digest,
            )
            session.add(row)
            session.flush()
            n_open = len(content.sections[0].lines)
            text = f"Shift handed over by {actor.name}: {n_open} open alarms. It waits for a signature."
            draft = Draft(kind=ShiftKind.HAND_OVER, text=text, actor=actor.name, desk=actor.desk)
            entry = add_entry(session, draft, content.until)
            subject = f"Hand-over {row.hand_over_id}"
            audit.append(session, actor, action="shift.hand_over", subject=subject, detail=digest, at=content.until)
            return _hand_over(row), ShiftEntryAdded(entry=entry)

        made, event = await self._store.write(run)
        self._bus.publish(event)
        await self._write_files(made)
        return made

    async def sign(self, incoming: Actor, hand_over_id: str, *, comment: str = "") -> HandOver:
        """Take over: the incoming operator has read the report.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such report, it is signed, or its own author would sign it.
        """
        require(incoming, Role.OPERATOR)
        at, words = self._clock.now(), words_of(comment, MAX_COMMENT)

        def run(session: Session) -> tuple[HandOver, ShiftEntryAdded]:
            row = session.get(HandOverRow, hand_over_id)
            if row is None:
                raise BadInputError("There is no such report.", hint="Look at the list again.")
            before = _hand_over(row)
            if before.is_signed:
                raise BadInputError(f"{before.signed_by} has signed it already.", hint="Nothing more is needed.")
            if incoming.name.casefold() == before.content.made_by.casefold():
                raise BadInputError(
                    "Who hands over does not sign as who takes over.", hint="The incoming operator signs."
                )
            row.signed_by, row.signed_desk, row.signed_at, row.signed_comment = incoming.name, incoming.desk, at, words
            session.flush()
            said = f" {words}" if words else ""
            text = f"Shift taken over by {incoming.name} from {before.content.made_by}.{said}"
            draft = Draft(kind=ShiftKind.HAND_OVER, text=text, actor=incoming.name, desk=incoming.desk)
            entry = add_entry(session, draft, at)
            subject = f"Hand-over {hand_over_id}"
            audit.append(session, incoming, action="shift.sign", subject=subject, detail=before.sha256, at=at)
            return _hand_over(row), ShiftEntryAdded(entry=entry)

        signed, event = await self._store.write(run)
        self._bus.publish(event)
        await self._write_files(signed)
        return signed

    async def recent(self, limit: int = 20) -> tuple[HandOver, ...]:
        """Return the newest reports, newest first."""
        query = select(HandOverRow).order_by(HandOverRow.hand_over_id.desc()).limit(max(1, min(limit, 100)))
        return await self._store.read(lambda s: tuple(_hand_over(row) for row in s.scalars(query)))

    async def _write_files(self, made: HandOver) -> None:
        """Write both files anew; the store has the report in any case."""
        try:
            await asyncio.to_thread(_write, self._folder, made)
        except OSError as error:
            log.error("the hand-over report is not written to %s: %s", self._folder, error)
            raise UnavailableError(
                f"The report is kept, but not as files: {self._folder} is not writable ({error.strerror or error}).",
                hint="Free space on that disk, or make the folder writable.",
            ) from error


def file_name(made: HandOver) -> str:
    """Return the name of a report's files, without the ending."""
    return f"hand-over-{made.content.until.astimezone(_zone_of(made.content)):%Y%m%d-%H%M%S}-{made.hand_over_id[-6:]}"


def to_text(content: ReportContent) -> str:
    """Write a report as plain text."""
    head = f"{content.site}: hand-over"
    lines = [head, "=" * len(head), "", *(f"{name}: {value}" for name, value in _head(content)), ""]
    for section in content.sections:
        lines += [section.title, "-" * len(section.title)]
        lines += [f"- {line}" for line in section.lines] or [section.empty]
        lines.append("")
    return "\n".join(lines)


def to_fragment(content: ReportContent) -> str:
    """Write a report as the body of an HTML page, every word escaped."""
    parts = [f"<h1>{html.escape(content.site)}: hand-over</h1>", "<table>"]
    parts += [f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in _head(content)]
    parts.append("</table>")
    for section in content.sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        items = "".join(f"<li>{html.escape(line)}</li>" for line in section.lines)
        parts.append(f"<ul>{items}</ul>" if items else f"<p>{html.escape(section.empty)}</p>")
    return "\n".join(parts)


def to_html(made: HandOver) -> str:
    """Write a report as a page of its own that needs nothing else, to read and to print."""
    signature = html.escape(signature_words(made))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(made.content.site)}: hand-over</title><style>{_STYLE}</style></head>\n"
        f'<body>\n{to_fragment(made.content)}\n<h2>Signature</h2>\n<p>{signature}</p>\n<p class="hash">SHA-256 of '
        f"the text above the signature: {made.sha256}</p>\n</body></html>\n"
    )


def signature_words(made: HandOver) -> str:
    """Say who took over, where and when; or that nobody has."""
    if made.signed_at is None:
        return "Not signed yet."
    desk = f" at {made.signed_desk}" if made.signed_desk else ""
    comment = f" {made.signed_comment}" if made.signed_comment else ""
    return f"Taken over by {made.signed_by}{desk}, {_instant(made.signed_at, _zone_of(made.content))}.{comment}"


_STYLE = (
    "body{font:14px/1.45 sans-serif;color:#111;background:#fff;max-width:60em;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.5em}h2{font-size:1.1em;border-bottom:1px solid #999;margin-top:1.6em}"
    "th{text-align:left;padding-right:1.5em;font-weight:600;vertical-align:top}li{margin:.2em 0}"
    ".hash{color:#555;font-size:.85em;word-break:break-all}"
)


def _head(content: ReportContent) -> list[tuple[str, str]]:
    by = f"{content.made_by} at {content.made_desk}" if content.made_desk else content.made_by
    zone = _zone_of(content)
    rows = [("From", _instant(content.since, zone)), ("To", _instant(content.until, zone)), ("Handed over by", by)]
    return [*rows, ("Comment", content.comment)] if content.comment else rows


def _sections(session: Session, since: datetime, until: datetime, zone: ZoneInfo) -> tuple[ReportSection, ...]:
    query = select(AlarmRow).where(AlarmRow.is_open).order_by(AlarmRow.priority, AlarmRow.raised_at)
    alarms = [ledger.alarm_of(row) for row in session.scalars(query)]
    by_state = {state: [alarm for alarm in alarms if alarm.state is state] for state in _HELD}
    plain = [alarm for alarm in alarms if alarm.state not in _HELD]
    plain.sort(key=lambda alarm: (alarm.is_acknowledged, alarm.priority))
    units = {row.unit_id: row.call_sign for row in session.scalars(select(UnitRow))}
    working, closed, n_untouched = _incidents(session, since)
    held = holds.holds_at(session, until)
    return (
        _section("Open alarms", [_open_line(alarm, zone) for alarm in plain], "No alarm is open."),
        _section(
            "Shelved", [_shelved_line(alarm, zone) for alarm in by_state[AlarmState.SHELVED]], "Nothing is shelved."
        ),
        _section(
            "Out of service",
            [_service_line(alarm, zone) for alarm in by_state[AlarmState.OUT_OF_SERVICE]]
            + [_silent_line(hold, zone) for hold in held.services if not any(hold.covers(alarm) for alarm in alarms)],
            "Nothing is out of service.",
        ),
        _section(
            "Planned works",
            [_works_line(works, until, zone) for works in held.works],
            "None go on, and none are announced.",
        ),
        _section(
            "Suppressed by design",
            [f"{_name(alarm)}: by {alarm.suppressed_by}" for alarm in by_state[AlarmState.SUPPRESSED]],
            "Nothing is suppressed.",
        ),
        _section("Alarm floods", _log_lines(session, since, until, zone, (ShiftKind.FLOOD,)), "There was none."),
        _section(
            "Incidents in work",
            [_incident_line(one, units, until, zone) for one in working]
            + ([f"{n_untouched} more were recorded and taken up by nobody."] if n_untouched else []),
            "Nothing is in work.",
        ),
        _section("Incidents closed", [_incident_line(one, units, until, zone) for one in closed], "None was closed."),
        _section("Comments", _comment_lines(session, since, until, zone), "Nobody wrote anything down."),
        _section("What is not known", _unknown_lines(session, alarms, zone), "Every source can be trusted."),
        _section(
            "Sources lost and back", _log_lines(session, since, until, zone, (ShiftKind.SOURCE,)), "No source was lost."
        ),
    )


def _section(title: str, lines: list[str], empty: str) -> ReportSection:
    shown = lines[:MAX_LINES]
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown)} more")
    return ReportSection(title=title, lines=tuple(shown), empty=empty)


def _incidents(session: Session, since: datetime) -> tuple[list[Incident], list[Incident], int]:
    """Return what is in work, what was closed since, and how many nobody took up."""
    not_closed = select(IncidentRow).where(IncidentRow.status != "closed")
    working = [
        ledger.incident_of(row)
        for row in session.scalars(
            not_closed.where(IncidentRow.taken_up_by != "").order_by(IncidentRow.priority, IncidentRow.began_at)
        )
    ]
    closed = [
        ledger.incident_of(row)
        for row in session.scalars(
            select(IncidentRow).where(IncidentRow.closed_at >= since).order_by(IncidentRow.closed_at)
        )
    ]
    untouched = not_closed.where(IncidentRow.taken_up_by == "", IncidentRow.began_at >= since)
    return working, closed, len(session.scalars(untouched).all())


def _open_line(alarm: Alarm, zone: ZoneInfo) -> str:
    seen = f"acknowledged by {alarm.acknowledged_by}" if alarm.is_acknowledged else "not acknowledged"
    comment = f'; "{alarm.comment}"' if alarm.comment else ""
    doubt = "" if alarm.quality is Quality.GOOD else f"; quality {alarm.quality.value}"
    state = f"[{alarm.state.value}] priority {int(alarm.priority)}"
    return f"{state}: {_name(alarm)}, since {_instant(alarm.raised_at, zone)}; {seen}{comment}{doubt}"


def _shelved_line(alarm: Alarm, zone: ZoneInfo) -> str:
    until = f"until {_instant(alarm.shelved_until, zone)}" if alarm.shelved_until is not None else "without an end"
    return f"{_name(alarm)}: {until}, by {alarm.shelved_by or '--'}, {alarm.shelve_reason or 'no reason given'}"


def _service_line(alarm: Alarm, zone: ZoneInfo) -> str:
    end = alarm.out_of_service_until
    until = f"until {_instant(end, zone)}" if end is not None else "without an end"
    return f"{_name(alarm)}: {until}, by {alarm.out_of_service_by}, {alarm.out_of_service_reason or 'no reason given'}"


def _silent_line(hold: OutOfService, zone: ZoneInfo) -> str:
    """Write down what is out of service and has no alarm that would say so."""
    return f"{hold.source_name}: until {_instant(hold.until, zone)}, by {hold.owner}, {hold.reason}; it has no alarm"


def _works_line(works: PlannedWorks, at: datetime, zone: ZoneInfo) -> str:
    when = "go on" if works.since <= at else f"begin {_instant(works.since, zone)}"
    until, reason = _instant(works.until, zone), works.reason or "no reason given"
    return f"{works.title}: {when}, until {until}, by {works.by}, {reason}"


def _incident_line(incident: Incident, units: dict[str, str], until: datetime, zone: ZoneInfo) -> str:
    status = work.STATUS_WORDS[incident.status]
    if incident.disposition:
        status = f"{status}, {work.DISPOSITION_WORDS[Disposition(incident.disposition)].lower()}"
    who = ", ".join(part for part in (units.get(incident.unit_id, ""), incident.operator) if part)
    took = "; ".join(
        f"{timer.name.lower()} {timer.seconds:.0f} s of {timer.limit_s:.0f} s"
        for timer in timers_of(incident, until)
        if timer.seconds is not None
    )
    parts = (f"[{status}] {incident.title}, {incident.source_name}, {_instant(incident.began_at, zone)}", who, took)
    return "; ".join(part for part in parts if part)


def _log_lines(
    session: Session, since: datetime, until: datetime, zone: ZoneInfo, kinds: tuple[ShiftKind, ...]
) -> list[str]:
    query = (
        select(ShiftEntryRow)
        .where(ShiftEntryRow.at >= since, ShiftEntryRow.at <= until)
        .where(ShiftEntryRow.kind.in_([kind.value for kind in kinds]))
        .order_by(ShiftEntryRow.shift_entry_id)
    )
    return [f"{_instant(row.at, zone)}: {row.text}" for row in session.scalars(query)]


def _comment_lines(session: Session, since: datetime, until: datetime, zone: ZoneInfo) -> list[str]:
    """Return what people wrote, wherever they wrote it, in the order of time."""
    said: list[tuple[datetime, str]] = []
    kinds = [ShiftKind.NOTE.value, ShiftKind.CORRECTION.value]
    notes = select(ShiftEntryRow).where(
        ShiftEntryRow.at >= since, ShiftEntryRow.at <= until, ShiftEntryRow.kind.in_(kinds)
    )
    for row in session.scalars(notes):
        entry = entry_of(row)
        corrects = f" (corrects entry {entry.corrects})" if entry.corrects else ""
        said.append((entry.at, f"{entry.actor}: {entry.text} [entry {entry.entry_id}]{corrects}"))
    steps = (
        select(IncidentStepRow, IncidentRow)
        .join(IncidentRow, IncidentStepRow.incident_id == IncidentRow.incident_id)
        .where(IncidentStepRow.at >= since, IncidentStepRow.at <= until, IncidentStepRow.comment != "")
    )
    said += [(step.at, f"{step.actor} on {row.title}: {step.comment}") for step, row in session.execute(steps)]
    journal = (
        select(AlarmJournalRow, AlarmRow)
        .join(AlarmRow, AlarmJournalRow.alarm_id == AlarmRow.alarm_id)
        .where(AlarmJournalRow.at >= since, AlarmJournalRow.at <= until, AlarmJournalRow.event.in_(_SPEAKING))
    )
    for line, alarm in session.execute(journal):
        comment = str(line.payload["event"].get("comment", ""))
        if comment:
            said.append((line.at, f"{line.actor} on {alarm.title}, {alarm.source_name}: {comment}"))
    return [f"{_instant(at, zone)}: {words}" for at, words in sorted(said)]


_SPEAKING = ("comment", "acknowledge", "unacknowledge", "reset")


def _unknown_lines(session: Session, alarms: list[Alarm], zone: ZoneInfo) -> list[str]:
    doubtful = [
        f"{_name(alarm)}: quality {alarm.quality.value}, the state is the last one known"
        for alarm in alarms
        if alarm.quality is not Quality.GOOD
    ]
    query = (
        select(DeviceRow).where(DeviceRow.is_enabled, DeviceRow.state.in_(_DOUBTFUL_DEVICES)).order_by(DeviceRow.name)
    )
    silent = [
        f"{row.name}: {row.state}" + (f" since {_instant(row.state_since, zone)}" if row.state_since else "")
        for row in session.scalars(query)
    ]
    lost = [f"{alarm.source_name}: no pictures" for alarm in alarms if alarm.kind == "camera_lost" and alarm.is_active]
    return doubtful + lost + silent


def _name(alarm: Alarm) -> str:
    return f"{alarm.title}, {alarm.source_name}"


def _instant(at: datetime, zone: ZoneInfo) -> str:
    return write_local(at, zone, timespec="seconds")


def _zone_of(content: ReportContent) -> ZoneInfo:
    """Return the zone of a report; UTC where this machine does not know it."""
    return ZoneInfo(content.time_zone) if is_zone(content.time_zone) else UTC_ZONE


def _last_end(session: Session) -> datetime | None:
    return session.scalar(select(HandOverRow.until).order_by(HandOverRow.hand_over_id.desc()).limit(1))


def _hand_over(row: HandOverRow) -> HandOver:
    return HandOver(
        hand_over_id=row.hand_over_id,
        content=from_builtins(row.content, ReportContent),
        sha256=row.sha256,
        signed_by=row.signed_by,
        signed_desk=row.signed_desk,
        signed_at=row.signed_at,
        signed_comment=row.signed_comment,
        version=row.version,
    )


def _write(folder: Path, made: HandOver) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name(made)
    text = f"{to_text(made.content)}Signature\n---------\n{signature_words(made)}\nSHA-256: {made.sha256}\n"
    for ending, content in ((".html", to_html(made)), (".txt", text)):
        part = folder / f"{name}{ending}.part"
        try:
            part.write_text(content, encoding="utf-8")
            part.replace(folder / f"{name}{ending}")
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
