"""The append-only audit: each row's hash covers the row before, and the head is kept apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from core.access.model import Actor, AuditEntry
from core.kernel.clock import Clock
from core.media.parameters import public_address
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import AuditRow, Base, SettingRow

HEAD_KEY = "audit.head"
GENESIS = "0" * 64


_COLUMNS = Base.metadata.tables[AuditRow.__tablename__].columns.keys()
# Written by every alarm of a burst: built once, and past the unit of work.
_LAST = select(func.max(AuditRow.sequence))
_HEAD = select(SettingRow.value).where(SettingRow.key == HEAD_KEY).with_for_update()
_INSERT = insert(Base.metadata.tables[AuditRow.__tablename__])
_SETTING = Base.metadata.tables[SettingRow.__tablename__]
_BEGIN_HEAD = insert(_SETTING).values(key=HEAD_KEY, value=bindparam("the_value"), changed_at=bindparam("the_time"))
_MOVE_HEAD = (
    update(_SETTING)
    .where(_SETTING.c.key == HEAD_KEY)
    .values(value=bindparam("the_value"), changed_at=bindparam("the_time"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """How long the chain is and where it ends; copied elsewhere, it proves that nothing was cut off since."""

    n_rows: int
    hash_hex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """What a check of the whole chain found.

    Attributes:
        n_rows: Rows that were read.
        first_bad_sequence: The first row that is not as it was written, or that is missing; None where all is well.
        reason: A sentence in either case.
    """

    ok: bool
    n_rows: int
    reason: str
    first_bad_sequence: int | None = None
    head: AuditHead | None = None


def append(session: Session, actor: Actor, *, action: str, subject: str, at: datetime, detail: str = "") -> AuditEntry:
    """Add a row within the caller's transaction: either both happen or neither.

    Args:
        session: Of `Store.write`.
        actor: Who did it.
        action: Stable words with dots, e.g. "alarm.acknowledge".
        subject: What it was done to, as the operator calls it, and its id.
        at: When, aware.
        detail: Before and after, a comment; never a secret.
    """
    return append_all(session, actor, [Line(action=action, subject=subject, detail=detail)], at=at)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a row says beside who and when; as for `append`."""

    action: str
    subject: str
    detail: str = ""


def append_all(session: Session, actor: Actor, lines: Sequence[Line], *, at: datetime) -> tuple[AuditEntry, ...]:
    """Add a row for each line within the caller's transaction, in as many statements as for one."""
    if not lines:
        return ()
    connection = session.connection()
    # The head may be missing; what is there then still counts.
    n_before = connection.execute(_LAST).scalar() or 0
    head = connection.execute(_HEAD).scalar()
    # A head that was removed or set back must not be healed: the chain then shows a break here for ever.
    previous = GENESIS if head is None else str(head["hash_hex"])
    n_noted = 0 if head is None else int(head["n_rows"])
    rows = []
    for sequence, line in enumerate(lines, start=max(n_before, n_noted) + 1):
        row = AuditRow(
            sequence=sequence,
            at=at,
            actor=storable(actor.name),
            desk=storable(actor.desk),
            action=line.action,
            subject=storable(line.subject),
            detail=storable(line.detail),
            previous_hash_hex=previous,
            hash_hex="",
        )
        previous = row.hash_hex = _hash_of(row)
        rows.append(row)
    connection.execute(_INSERT, [{name: getattr(row, name) for name in _COLUMNS} for row in rows])
    noted = {"the_value": {"n_rows": rows[-1].sequence, "hash_hex": previous}, "the_time": at}
    connection.execute(_BEGIN_HEAD if head is None else _MOVE_HEAD, noted)
    return tuple(_entry(row) for row in rows)


async def verify(store: Store, *, exported: AuditHead | None = None) -> AuditVerdict:
    """Read the whole chain and tell whether a row was changed, removed, moved or cut off.

    Args:
        store: Where the audit lies.
        exported: A head that was kept elsewhere; the chain must still contain it.
    """
    return await store.read(lambda session: _verify(session, exported))


async def recent(store: Store, *, limit: int = 200, before_sequence: int | None = None) -> tuple[AuditEntry, ...]:
    """Return the newest rows first, at most `limit`; the next page starts before the last sequence."""

    def run(session: Session) -> tuple[AuditEntry, ...]:
        query = select(AuditRow).order_by(AuditRow.sequence.desc()).limit(max(1, min(limit, 1000)))
        if before_sequence is not None:
            query = query.where(AuditRow.sequence < before_sequence)
        return tuple(_entry(row) for row in session.scalars(query))

    return await store.read(run)


async def record(store: Store, clock: Clock, actor: Actor, *, action: str, subject: str, detail: str = "") -> None:
    """Add one row in a transaction of its own, for what changes no row: a start, a stop, an export."""
    at = clock.now()
    await store.write(lambda s: append(s, actor, action=action, subject=subject, detail=detail, at=at))


def _verify(session: Session, exported: AuditHead | None) -> AuditVerdict:
    previous, n_rows = GENESIS, 0
    for row in session.scalars(select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=1000)):
        if row.sequence != n_rows + 1:
            return _bad(n_rows, n_rows + 1, f"Row {n_rows + 1} is missing; the next one is row {row.sequence}.")
        if row.previous_hash_hex != previous:
            return _bad(n_rows, row.sequence, f"Row {row.sequence} does not follow the row before it.")
        if row.hash_hex != _hash_of(row):
            return _bad(n_rows, row.sequence, f"Row {row.sequence} was changed after it was written.")
        n_rows, previous = row.sequence, row.hash_hex
        if exported is not None and n_rows == exported.n_rows and previous != exported.hash_hex:
            return _bad(n_rows, n_rows, f"Row {n_rows} is not the one that was exported: the audit was written anew.")
    head = session.get(SettingRow, HEAD_KEY)
    n_noted = 0 if head is None else int(head.value["n_rows"])
    noted_hash = GENESIS if head is None else str(head.value["hash_hex"])
    n_expected = max(n_noted, exported.n_rows if exported else 0)
    if n_rows < n_expected:
        return _bad(n_rows, n_rows + 1, f"The audit was cut off after row {n_rows}; it had {n_expected} rows.")
    if n_rows != n_noted or previous != noted_hash:
        return _bad(n_rows, n_noted + 1, f"The noted end of the audit (row {n_noted}) does not fit its {n_rows} rows.")
    return AuditVerdict(
        ok=True,
        n_rows=n_rows,
        reason=f"All {n_rows} rows of the audit are as they were written.",
        head=AuditHead(n_rows=n_rows, hash_hex=previous),
    )


def _bad(n_rows: int, sequence: int, reason: str) -> AuditVerdict:
    return AuditVerdict(ok=False, n_rows=n_rows, first_bad_sequence=sequence, reason=reason)


def _hash_of(row: AuditRow) -> str:
    content = {
        "sequence": row.sequence,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": row.actor,
        "desk": row.desk,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{row.previous_hash_hex}\n{canonical}".encode()).hexdigest()


def _entry(row: AuditRow) -> AuditEntry:
    # An added camera's address: earlier versions kept the password of one that was typed without rtsp://, and a row
    # can never be changed.
    detail = public_address(row.detail) if row.action == "camera.add" else row.detail
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        desk=row.desk,
        action=row.action,
        subject=row.subject,
        detail=detail,
        hash_hex=row.hash_hex,
    )
