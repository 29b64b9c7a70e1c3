"""Rows of drawn lots: the present one, and every save before it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor
from core.kernel.errors import BadInputError, StaleWriteError
from core.kernel.wire import from_builtins, to_builtins
from core.kernel.zone import write_site_clock
from core.parking.model import Lot, LotVersion
from core.store.rows import storable
from core.store.tables import BayCorrectionRow, LotRow, LotVersionRow

log = logging.getLogger(__name__)

MAX_NOTE_LENGTH = 400
MAX_LISTED = 500


def read_lots(session: Session) -> tuple[Lot, ...]:
    """Return every lot, by name; one that somebody broke by hand is left out and logged."""
    found = []
    for row in session.scalars(select(LotRow).order_by(LotRow.name, LotRow.lot_id)):
        try:
            found.append(replace(from_builtins(row.document, Lot), version=row.version))
        except (msgspec.ValidationError, ValueError) as error:
            log.error("lot %s cannot be read (%s): it is left out", row.name, error)
    return tuple(found)


def write_lot(session: Session, actor: Actor, lot: Lot, *, note: str, at: datetime) -> Lot:
    """Keep a lot, and this save as its next version.

    Raises:
        StaleWriteError: Somebody else saved meanwhile; the sentence says who and when.
    """
    row = session.get(LotRow, lot.lot_id, with_for_update=True)
    _check_unchanged(row, lot)
    newest = session.scalar(select(func.max(LotVersionRow.number)).where(LotVersionRow.lot_id == lot.lot_id)) or 0
    kept = replace(lot, version=0)
    document = to_builtins(kept)
    if row is None:
        row = LotRow(lot_id=lot.lot_id)
        session.add(row)
    row.name, row.document, row.version = storable(lot.name), document, newest + 1
    row.changed_at, row.changed_by = at, storable(actor.name)
    session.flush()
    words = storable(note.strip())[:MAX_NOTE_LENGTH]
    session.add(
        LotVersionRow(
            lot_id=lot.lot_id,
            number=row.version,
            document=document,
            at=at,
            actor=storable(actor.name),
            note=words,
        )
    )
    detail = "; ".join(part for part in (f"version {row.version}, {len(lot.bays)} bays", words) if part)
    audit.append(session, actor, action="parking.lot", subject=subject_of(lot), detail=detail, at=at)
    session.flush()
    return replace(kept, version=row.version)


def remove_lot(session: Session, actor: Actor, lot_id: str, *, at: datetime) -> None:
    """Remove a lot and what operators corrected in it; its versions and its history stay.

    Raises:
        BadInputError: There is none of that id.
    """
    row = session.get(LotRow, lot_id)
    if row is None:
        raise no_lot(lot_id)
    session.execute(delete(BayCorrectionRow).where(BayCorrectionRow.lot_id == lot_id))
    audit.append(session, actor, action="parking.lot_remove", subject=f"{row.name} ({lot_id})", detail="removed", at=at)
    session.delete(row)
    session.flush()


def list_versions(session: Session, lot_id: str) -> tuple[LotVersion, ...]:
    """Return who saved a lot and when, the newest first."""
    query = (
        select(LotVersionRow.number, LotVersionRow.at, LotVersionRow.actor, LotVersionRow.note)
        .where(LotVersionRow.lot_id == lot_id)
        .order_by(LotVersionRow.number.desc())
        .limit(MAX_LISTED)
    )
    return tuple(
        LotVersion(lot_id=lot_id, number=number, at=at, actor=actor, note=note)
        for number, at, actor, note in session.execute(query)
    )


def read_version(session: Session, lot_id: str, number: int) -> Lot:
    """Return a lot as it was drawn in one version.

    Raises:
        BadInputError: There is none of that number, or it cannot be read any more.
    """
    query = select(LotVersionRow).where(LotVersionRow.lot_id == lot_id, LotVersionRow.number == number)
    row = session.scalar(query)
    if row is None:
        raise BadInputError(f"There is no version {number} of this lot.", hint="Look at the list again.")
    try:
        return replace(from_builtins(row.document, Lot), version=number)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadInputError(
            f"Version {number} of this lot cannot be read ({error}).", hint="Choose another version."
        ) from error


def no_lot(lot_id: str) -> BadInputError:
    """Return the error for a lot that is not there."""
    return BadInputError(f"There is no lot {lot_id[:40]!r}.", hint="Look at the list of lots again.")


def subject_of(lot: Lot) -> str:
    """Return what the audit calls a lot."""
    return f"{lot.name} ({lot.lot_id})"


def _check_unchanged(row: LotRow | None, lot: Lot) -> None:
    if row is None and lot.version:
        raise StaleWriteError(
            f"Lot {lot.name} was removed meanwhile.", hint="Save it once more to draw it again, or leave it removed."
        )
    if row is not None and row.version != lot.version:
        raise StaleWriteError(
            f"{row.changed_by} saved {row.name} at {write_site_clock(row.changed_at)}.",
            hint="Look at the new version; yours is kept until you close the editor.",
        )
