"""Bringing a database to this program's tables, with a copy of the SQLite file made before."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from core.kernel.errors import BadInputError, UnavailableError
from core.store.faults import fault_of

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
"""Beside this module, in a frozen program too: Alembic loads the versions from their files."""

N_BACKUPS_KEPT = 5
VERSION_TABLE = "alembic_version"
# Any number will do as long as every node uses the same one.
_ADVISORY_LOCK = 0x57464C52


def known_revisions() -> tuple[str, ...]:
    """Return the revisions of this program, oldest first; a file is named REVISION_what.py."""
    found = sorted(file.name.split("_", 1)[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))
    if not found:
        raise UnavailableError(
            f"The program is incomplete: there are no migrations in {MIGRATIONS}.", hint="Install it again."
        )
    return tuple(found)


def check_revision(revision: str | None, table_names: set[str], place: str) -> None:
    """Refuse a database that this program must not touch; a `revision` of None means that it says nothing.

    Raises:
        BadInputError: Of a newer Watchfloor, or of another program.
    """
    if revision is None:
        others = table_names - {VERSION_TABLE, "sqlite_sequence"}
        if others:
            raise BadInputError(
                f"The database {place} belongs to another program (it has a table {min(others)!r}).",
                hint="Name another database in the settings; nothing was changed in this one.",
            )
        return
    if revision not in known_revisions():
        raise BadInputError(
            f"The database {place} was written by a newer Watchfloor (its tables are of version {revision}, "
            f"this program knows {known_revisions()[-1]}).",
            hint="Install the newer program, or put the copy from the backups folder in its place. "
            "Nothing was changed in the database.",
        )


def read_sqlite_revision(file: Path, place: str) -> tuple[str | None, set[str]]:
    """Look into a SQLite file without changing it.

    Returns:
        Its revision, None where it has none; and the names of its tables.

    Raises:
        BadInputError, UnavailableError: It cannot be read, with the reason.
    """
    # Without a log beside it nobody has it open: then even the files that reading a log needs stay away.
    has_log = any(file.with_name(file.name + end).exists() for end in ("-wal", "-journal"))
    options = "mode=ro" if has_log else "mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?{options}", uri=True, timeout=2.0)) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if VERSION_TABLE not in names:
                return None, names
            row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
            return (row[0] if row else None), names
    except sqlite3.Error as error:
        fault = fault_of(error, place)
        if fault is None:
            raise BadInputError(f"The database {place} cannot be read ({error}).") from error
        raise fault.error from error


def read_revision(connection: Connection) -> tuple[str | None, set[str]]:
    """Return the revision and the tables of an open database."""
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in names:
        return None, names
    revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return (None if revision is None else str(revision)), names


def upgrade(engine: Engine) -> None:
    """Run what is missing in one transaction: after a crash the database is the old one or the new one.

    A second node that starts at the same time waits and finds nothing left to do.
    """
    # Alembic costs a tenth of a second to import; a database that is up to date does not need it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def back_up(file: Path, folder: Path, *, revision: str, at: datetime) -> Path:
    """Copy a SQLite file into `folder` and keep the newest `N_BACKUPS_KEPT` copies.

    Returns:
        The copy, complete and on the disk.

    Raises:
        UnavailableError: It could not be made; nothing was changed.
    """
    target = folder / f"{file.stem}-{at:%Y%m%dT%H%M%S%fZ}-{revision}.sqlite3"
    part = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with (
            contextlib.closing(sqlite3.connect(file, timeout=5.0)) as source,
            contextlib.closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
            # The copy must be one file: someone will put it in place by hand.
            copy.execute("PRAGMA journal_mode=DELETE")
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(target)
        _drop_old_backups(folder, stem=file.stem)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise UnavailableError(
            f"The database cannot be brought to the new version: no copy of it could be made in {folder} ({error}).",
            hint="Free space on that disk, or make the folder writable, and start again. The database is unchanged.",
        ) from error
    log.info("copied the database to %s before its migration", target)
    return target


def _drop_old_backups(folder: Path, *, stem: str) -> None:
    copies = sorted(folder.glob(f"{stem}-*.sqlite3"))
    for old in copies[:-N_BACKUPS_KEPT]:
        old.unlink(missing_ok=True)
