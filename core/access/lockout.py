"""Slowing down whoever guesses: per user name and per desk, kept in the store so that a restart does not lift it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core.kernel.errors import NotPermittedError
from core.store.rows import storable
from core.store.tables import LockoutRow

N_FREE_BY_USER = 5
N_FREE_BY_DESK = 10
"""More than for a user: several people mistype at one desk."""

FIRST_LOCK_S = 30.0
LONGEST_LOCK_S = 15 * 60.0
FORGET_AFTER_S = 3600.0


def user_subject(name_key: str) -> str:
    """Return the key of a user name's failures, whether the user exists or not."""
    return f"user:{storable(name_key)[:128]}"


def desk_subject(desk: str) -> str:
    """Return the key of a desk's failures."""
    return f"desk:{storable(desk)[:128]}"


def check(session: Session, subjects: tuple[str, ...], *, at: datetime) -> None:
    """Refuse while one of the subjects is locked.

    Raises:
        NotPermittedError: Says when to try again.
    """
    ends = [row.locked_until for row in _rows(session, subjects) if row.locked_until is not None]
    until = max(ends, default=at)
    if until > at:
        seconds = (until - at).total_seconds()
        wait = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
        raise NotPermittedError(
            "There were too many failed sign-ins.",
            hint=f"Try again in {wait}, or ask an administrator to unlock the name.",
        )


def note_failure(session: Session, subjects: tuple[str, ...], *, at: datetime) -> datetime | None:
    """Count a failure and lock where there were too many; each further one doubles the time.

    Returns:
        Until when, where this failure locked something.
    """
    session.execute(delete(LockoutRow).where(LockoutRow.last_failure_at < at - timedelta(seconds=FORGET_AFTER_S)))
    known = {row.subject: row for row in _rows(session, subjects)}
    locked_until: datetime | None = None
    for subject in subjects:
        row = known.get(subject)
        if row is None:
            row = LockoutRow(subject=subject, n_failures=0, last_failure_at=at)
            session.add(row)
        row.n_failures += 1
        row.last_failure_at = at
        n_free = N_FREE_BY_USER if subject.startswith("user:") else N_FREE_BY_DESK
        if row.n_failures >= n_free:
            lock_s = min(LONGEST_LOCK_S, FIRST_LOCK_S * 2.0 ** min(row.n_failures - n_free, 16))
            row.locked_until = at + timedelta(seconds=lock_s)
            locked_until = max(locked_until or row.locked_until, row.locked_until)
    return locked_until


def forget(session: Session, subjects: tuple[str, ...]) -> None:
    """Start counting anew: someone signed in, or an administrator unlocked the name."""
    session.execute(delete(LockoutRow).where(LockoutRow.subject.in_(subjects)))


def _rows(session: Session, subjects: tuple[str, ...]) -> list[LockoutRow]:
    found = (session.get(LockoutRow, subject) for subject in subjects)
    return [row for row in found if row is not None]
