"""The store: opening a database, one writer, a few readers, and what the health panel says about it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.lock import HeldError, Holder, take_lock
from core.store import migrate
from core.store.faults import Fault, fault_of
from core.store.fence import BEAT_S, LONGEST_SILENCE_S, Fence, SupersededError
from core.store.tables import Base, SettingRow
from core.store.writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")
ItemT = TypeVar("ItemT")

N_READERS = 4
RETRY_FOR_S = 12.0
"""How long a write or a read waits for a database that is locked or away before its caller hears of it."""

SQLITE_BUSY_S = 2.0
CHECK_UP_TO_BYTES = 256 * 1024 * 1024
"""A larger SQLite file is not searched for damage at the start: the room must open."""

_PG_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 4,
    "application_name": "watchfloor",
    # A server that vanished without a word is noticed within seconds, not after the system's two hours.
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": "-c timezone=UTC -c lock_timeout=5s -c statement_timeout=60s",
}
_PG_FENCED = (
    # The server notices a dead machine as fast as we notice a dead server: its place must become free.
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
    f" -c idle_session_timeout={LONGEST_SILENCE_S}s -c idle_in_transaction_session_timeout={LONGEST_SILENCE_S}s"
)


def sqlite_url(file: Path) -> str:
    """Return the URL of a SQLite file, whatever its path is made of."""
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def open_store(
    url: str, *, backups: Path, clock: Clock, retry_for_s: float = RETRY_FOR_S, writer: Holder | None = None
) -> Store:
    """Open a database and bring it to this program's tables; blocks, so call it off the loop.

    Args:
        url: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.
        backups: Folder for copies of the SQLite file made before a migration.
        clock: For the instants in rows and file names.
        retry_for_s: How long a write or read waits for a database that is locked or away.
        writer: A node names itself here and is the only one that writes until the store is closed; a tool does not.

    Raises:
        BadInputError: The URL, the file or the account is not usable, or the database is of a newer version; nothing
            was changed in it.
        HeldError: Another node writes into this database; the sentence names it.
        UnavailableError: Locked, unreachable, read-only or without space.
    """
    parsed = _parse(url)
    place = _place_of(parsed)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    lock = _lock_sqlite(Path(str(parsed.database)), place, writer) if is_sqlite and writer is not None else None
    fence = None if is_sqlite or writer is None else Fence(writer, place)
    engine = _make_engine(parsed, is_reader=False, is_fenced=fence is not None)
    try:
        if is_sqlite:
            _prepare_sqlite(Path(str(parsed.database)), place, backups, clock)
        _prepare(engine, place, clock, fence)
    except BaseException:
        engine.dispose()
        if lock is not None:
            lock.close()
        raise
    return Store(
        writer_engine=engine,
        reader_engine=_make_engine(parsed, is_reader=True),
        place=place,
        clock=clock,
        retry_for_s=retry_for_s,
        place_kept=lock if fence is None else fence,
    )


class Store:
    """The truth. Functions run with a session off the loop; what they return is frozen models or plain values.

    Threads: `write`, `read`, `probe` and `close` belong to the owner's loop; `status` may be called from anywhere.
    """

    def __init__(
        self,
        *,
        writer_engine: Engine,
        reader_engine: Engine,
        place: str,
        clock: Clock,
        retry_for_s: float,
        place_kept: Fence | IO[bytes] | None = None,
    ) -> None:
        """Take over two prepared engines, and what keeps other nodes from writing; use `open_store`."""
        self.place = place
        """What the operator calls the database; without a password."""

        self.dialect = writer_engine.dialect.name
        self._writer_engine = writer_engine
        self._reader_engine = reader_engine
        self._clock = clock
        self._retry_for_s = retry_for_s
        self._lock = threading.Lock()
        self._faults: dict[str, ConsoleError] = {}
        self._is_closed = False
        self._readers = ThreadPoolExecutor(N_READERS, thread_name_prefix="store-reader")
        self._fence = place_kept if isinstance(place_kept, Fence) else None
        self._file_lock = None if isinstance(place_kept, Fence) else place_kept
        self._writer = Writer(
            writer_engine,
            fault_of=self._fault_of,
            on_outcome=lambda error: self._note("writing", error),
            retry_for_s=retry_for_s,
            guard=None if self._fence is None else self._fence.hold,
            beat_s=None if self._fence is None else BEAT_S,
        )

    @property
    def n_queued(self) -> int:
        """Writes that wait for their turn."""
        return self._writer.n_queued

    async def write(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` on the writer's thread in a transaction and return its value after the commit.

        Writes run in the order they were asked for. `fn` may run again after a fault of the database, so it changes
        nothing but the session; what it raises undoes its own changes only. Cancelling the caller does not undo it.

        Raises:
            UnavailableError: The database stayed locked or away, or has no space.
            StaleWriteError: A versioned row was changed meanwhile.
        """
        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(fn)))

    async def write_each(self, items: Sequence[ItemT], save: Callable[[Session, Sequence[ItemT]], None]) -> list[ItemT]:
        """Write items in one transaction, and in smaller ones where one of them cannot be; returns those that cannot.

        Raises:
            UnavailableError: The database stayed away; some may be written.
        """
        if not items:
            return []
        try:
            await self.write(lambda session: save(session, items))
        except SQLAlchemyError:
            half = len(items) // 2
            if half == 0:
                log.exception("this cannot be stored: %.2000r", items[0])
                return list(items)
            return [*await self.write_each(items[:half], save), *await self.write_each(items[half:], save)]
        return []

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Run `fn` on a reader's thread; it sees one snapshot and cannot write.

        Raises:
            UnavailableError: The database stayed away.
        """
        if self._is_closed:
            raise UnavailableError("The database is closed.", hint="The room is shutting down.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, fn)

    def status(self) -> tuple[bool, str]:
        """Return whether the last write and the last read worked, and the sentence why not."""
        with self._lock:
            faults = tuple(self._faults.values())
        return (not faults, str(faults[0]) if faults else "")

    async def probe(self) -> tuple[bool, str]:
        """Write one small row and read it back; returns `status` afterwards.

        A database that came back while nobody wrote would otherwise stay "lost" in the health panel.
        """
        with contextlib.suppress(ConsoleError):
            await self.write(self._touch)
            await self.read(lambda session: session.get(SettingRow, "store.probe") is not None)
        return self.status()

    @property
    def superseded(self) -> str:
        """Why this store will never write again, since another node has written meanwhile; empty where it may."""
        return "" if self._fence is None else self._fence.superseded

    async def close(self) -> None:
        """Write what is queued and let the database go; later calls are refused."""
        self._is_closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown(wait=True)
        self._reader_engine.dispose()
        if self.dialect == "sqlite":
            # Leaves one file behind, which is what people copy.
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error):
                raw = self._writer_engine.raw_connection()
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raw.close()
        self._writer_engine.dispose()
        if self._file_lock is not None:
            self._file_lock.close()

    def _touch(self, session: Session) -> None:
        session.merge(SettingRow(key="store.probe", value=1, changed_at=self._clock.now()))

    def _read(self, fn: Callable[[Session], T]) -> T:
        until = time.monotonic() + self._retry_for_s
        pause_s = 0.05
        while True:
            try:
                with Session(self._reader_engine, autoflush=False) as session:
                    value = fn(session)
                if isinstance(value, Base):
                    raise TypeError(f"{type(value).__name__} must not leave the store: return a frozen model")
                self._note("reading", None)
                return value
            except SQLAlchemyError as error:
                fault = self._fault_of(error)
                if fault is None or _is_write_attempt(error):
                    raise
                self._note("reading", fault.error)
                if not fault.is_transient or self._is_closed or time.monotonic() > until:
                    raise fault.error from error
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 1.0)

    def _fault_of(self, error: BaseException) -> Fault | None:
        if isinstance(error, HeldError | SupersededError):
            return Fault(is_transient=True, error=error)
        return fault_of(error, self.place)

    def _note(self, doing: str, error: ConsoleError | None) -> None:
        with self._lock:
            known = self._faults.get(doing)
            if error is not None:
                self._faults[doing] = error
            else:
                self._faults.pop(doing, None)
        # Once on loss and once on return, whatever happens in between.
        if error is not None and known is None:
            log.error("%s failed: %s", doing, error)
        if error is None and known is not None:
            log.info("%s works again", doing)


def _is_write_attempt(error: SQLAlchemyError) -> bool:
    """Tell whether a reader tried to write: a mistake of the program, not of the database."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) == "25006" or getattr(cause, "sqlite_errorname", "") == "SQLITE_READONLY"


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text may hold a password, so the sentence does not repeat it.
        raise BadInputError(
            "The database URL cannot be read.", hint="Write sqlite:///PATH or postgresql://USER@HOST/NAME."
        ) from error
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise BadInputError(
            f"Databases of the kind {backend!r} are not supported.",
            hint="Write sqlite:///PATH or postgresql://USER@HOST/NAME.",
        )
    if not parsed.database or parsed.database == ":memory:":
        raise BadInputError("The database URL names no file.", hint="Write sqlite:///PATH.")
    return parsed.set(database=str(Path(parsed.database).expanduser().absolute()))


def _place_of(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.database or ''} on {url.host or 'localhost'}:{url.port or 5432}"


def _prepare_sqlite(file: Path, place: str, backups: Path, clock: Clock) -> None:
    """Make the file or look into it, and copy it where a migration will change it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Password hashes lie in it: nobody else may read it. SQLite gives the files beside it the same mode.
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise _cannot_open(place, error) from error
    revision, names = migrate.read_sqlite_revision(file, place)
    migrate.check_revision(revision, names, place)
    if revision is not None and revision != migrate.known_revisions()[-1]:
        migrate.back_up(file, backups, revision=revision, at=clock.now())


def _lock_sqlite(file: Path, place: str, me: Holder) -> IO[bytes]:
    """Keep other nodes from a SQLite file; the system lets go of the lock with this process."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return take_lock(
            file.with_name(f"{file.name}.writer"),
            me,
            does=f"writes into the database {place}, and only one may",
            hint="End that node, or give this one another database in store.url.",
        )
    except OSError as error:
        raise _cannot_open(place, error) from error


def _cannot_open(place: str, error: OSError) -> BadInputError:
    return BadInputError(
        f"The database {place} cannot be opened ({error.strerror}).",
        hint="Name a file in a folder where this user may write.",
    )


def _prepare(engine: Engine, place: str, clock: Clock, fence: Fence | None) -> None:
    """Check, migrate and write once: what cannot work should say so now."""
    try:
        with engine.connect() as connection:
            if fence is not None:
                # First of all: nobody changes the tables under a node that works.
                fence.take(connection)
            revision, names = migrate.read_revision(connection)
        migrate.check_revision(revision, names, place)
        if engine.dialect.name == "sqlite":
            _check_sqlite(engine, place)
        if revision != migrate.known_revisions()[-1]:
            log.info("bringing the database %s from %s to %s", place, revision, migrate.known_revisions()[-1])
            migrate.upgrade(engine)
        with Session(engine) as session, session.begin():
            session.merge(SettingRow(key="store.opened", value=1, changed_at=clock.now()))
        if fence is not None:
            fence.begin(engine)
    except (SQLAlchemyError, sqlite3.Error) as error:
        fault = fault_of(error, place)
        if fault is None:
            raise
        raise fault.error from error


def _check_sqlite(engine: Engine, place: str) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        mode = cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if str(mode).lower() != "wal":
            log.warning("the database %s cannot use write-ahead logging here (%s): it will be slower", place, mode)
        n_pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        if n_pages * cursor.execute("PRAGMA page_size").fetchone()[0] > CHECK_UP_TO_BYTES:
            return
        verdict = str(cursor.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise BadInputError(
                f"The database {place} is damaged ({verdict}).",
                hint="Put the newest copy from the backups folder in its place, or move it away to start empty.",
            )
    finally:
        raw.close()


def _read_json(text: str | bytes) -> Any:
    """Read a stored document; what only Python takes for JSON, "NaN" in it, may lie in old ones."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return json.loads(text)


def _make_engine(url: URL, *, is_reader: bool, is_fenced: bool = False) -> Engine:
    n_connections = N_READERS if is_reader else 1
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=n_connections,
            max_overflow=0,
            json_deserializer=_read_json,
            connect_args={"timeout": SQLITE_BUSY_S, "check_same_thread": False},
        )
        _listen_sqlite(engine, is_reader=is_reader)
        return engine
    reader_options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if is_reader else {}
    arguments = {**_PG_ARGUMENTS, "options": _PG_ARGUMENTS["options"] + _PG_FENCED} if is_fenced else _PG_ARGUMENTS
    engine = create_engine(
        url,
        pool_size=n_connections,
        max_overflow=1,  # to ask what became of a transaction while its broken connection still has its place
        connect_args=arguments,
        **reader_options,
    )
    return engine.execution_options(postgresql_readonly=True) if is_reader else engine


def _listen_sqlite(engine: Engine, *, is_reader: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # Python's own transaction handling would commit before DDL and break SAVEPOINT.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        # FULL: an alarm or an audit row that was acknowledged survives a power cut. Group commit pays for it.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA journal_size_limit=67108864")
        if is_reader:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    begin = "BEGIN" if is_reader else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
