"""What a database error means: worth another try or not, and the sentence the operator reads."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError

_BY_ITSELF = "The room goes on and tries again by itself."

# SQLSTATE codes of PostgreSQL (appendix A of its manual).
_PG_AGAIN = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "25006"})
_PG_FULL = frozenset({"53100", "53200"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The database, not the statement, is at fault.

    Attributes:
        is_transient: Another try may help: locked, connection lost, server restarting.
    """

    is_transient: bool
    error: ConsoleError


def fault_of(error: BaseException, place: str) -> Fault | None:
    """Tell what is wrong with the database at `place`; None where the statement itself was wrong.

    Args:
        error: From SQLAlchemy, `sqlite3` or psycopg.
        place: What the operator calls the database; never with a password.
    """
    if isinstance(error, PoolTimeoutError):
        return _again(f"The database {place} is busy: no connection became free.", _BY_ITSELF)
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _fault_of_sqlite(cause, place)
    if type(cause).__module__.startswith("psycopg") and cause is not None:
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        return _fault_of_postgres(cause, place, lost=lost)
    return None


def _again(sentence: str, hint: str) -> Fault:
    return Fault(is_transient=True, error=UnavailableError(sentence, hint=hint))


def _broken(sentence: str, hint: str) -> Fault:
    return Fault(is_transient=False, error=UnavailableError(sentence, hint=hint))


def _unusable(sentence: str, hint: str) -> Fault:
    return Fault(is_transient=False, error=BadInputError(sentence, hint=hint))


def _fault_of_sqlite(cause: sqlite3.Error, place: str) -> Fault | None:
    # Primary result codes (https://www.sqlite.org/rescode.html) are the low byte of an extended code.
    match getattr(cause, "sqlite_errorcode", 0) & 0xFF:
        case 5 | 6:  # SQLITE_BUSY, SQLITE_LOCKED
            return _again(f"The database {place} is locked by another program.", "Close that program. " + _BY_ITSELF)
        case 8 | 3:  # SQLITE_READONLY, SQLITE_PERM
            return _broken(
                f"The database {place} cannot be written: it is read-only.",
                "Give this user the right to write to the file and its folder.",
            )
        case 13 | 22:  # SQLITE_FULL, SQLITE_NOLFS
            return _broken(
                f"The database {place} cannot be written: the disk is full.", "Free space on that disk. " + _BY_ITSELF
            )
        case 14:  # SQLITE_CANTOPEN
            return _broken(
                f"The database {place} cannot be opened.", "Check that its folder exists and that this user may use it."
            )
        case 26:  # SQLITE_NOTADB
            return _unusable(
                f"The file {place} is not a Watchfloor database.",
                "Name another file in the settings, or move this one away to start with an empty database.",
            )
        case 11:  # SQLITE_CORRUPT
            return _unusable(
                f"The database {place} is damaged ({cause}).",
                "Put the newest copy from the backups folder in its place, or move it away to start empty.",
            )
        case 10:  # SQLITE_IOERR
            return _broken(
                f"The disk of the database {place} does not answer properly ({cause}).", "Check the disk and its cable."
            )
    return None


def _fault_of_postgres(cause: BaseException, place: str, *, lost: bool) -> Fault | None:
    code = getattr(cause, "sqlstate", None)
    said = str(cause).strip().splitlines()[-1:] or [type(cause).__name__]
    text = str(cause)
    if code in _PG_FULL:
        return _broken(f"The database {place} cannot be written: its disk is full.", "Free space on the server.")
    if code in {"28P01", "28000"} or "authentication failed" in text or "no password supplied" in text:
        return _unusable(
            f"The database {place} refuses the user or the password.",
            "Correct the user in the database URL and its password in the keyring or the environment.",
        )
    if code == "3D000" or ("database" in text and "does not exist" in text and code is None):
        return _unusable(
            f"There is no database {place}.", "Create it (createdb) or correct the name in the database URL."
        )
    if code == "42501":
        return _unusable(
            f"The database {place} does not let this user work in it.", "Grant the user all rights on the database."
        )
    if lost or code in _PG_AGAIN or (code is not None and code.startswith("08")):
        return _again(f"The connection to the database {place} is lost.", _BY_ITSELF)
    # psycopg gives no SQLSTATE where it could not connect at all.
    if code is None and type(cause).__name__ in {"OperationalError", "ConnectionTimeout"}:
        return _again(
            f"The database {place} cannot be reached ({said[0]}).",
            "Check that the server runs and that host and port are right. " + _BY_ITSELF,
        )
    return None
