"""The one writer: a thread that runs queued functions in order, many to a transaction."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from core.kernel.errors import ConsoleError, StaleWriteError, UnavailableError
from core.store.faults import Fault
from core.store.tables import Base

T = TypeVar("T")

MAX_BATCH = 128
BATCH_TIME_S = 0.1
"""A transaction takes no further function after this long, so that the first one does not wait for ever."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


@dataclass(slots=True, kw_only=True)
class _Job:
    run: Callable[[Session], Any]
    future: Future[Any]
    deadline: float
    """Monotonic; after it a transient fault is given back to the caller."""


@dataclass(slots=True)
class _Outcome:
    job: _Job
    value: Any = None
    error: BaseException | None = None


class _UnknownOutcomeError(Exception):
    """The connection broke during COMMIT and nobody can say whether it went through."""


class Writer:
    """Owns the writing thread.

    A function runs in its own SAVEPOINT, so that its failure is its own; after a fault of the database the whole
    transaction is tried again, hence a function may run more than once and must keep its side effects to the session.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        fault_of: Callable[[BaseException], Fault | None],
        on_outcome: Callable[[ConsoleError | None], None],
        retry_for_s: float,
        guard: Callable[[Connection], None] | None = None,
        beat_s: float | None = None,
    ) -> None:
        """Start the thread.

        Args:
            engine: Of the one connection that writes.
            fault_of: Tells a fault of the database from one of a function.
            on_outcome: Hears of every try on that thread: None, or the fault.
            retry_for_s: How long a function waits for a database that is locked or away.
            guard: Raises, at the begin of a transaction, where this process may not write.
            beat_s: Where nothing is written, `guard` is asked this often.
        """
        self._engine = engine
        self._fault_of = fault_of
        self._on_outcome = on_outcome
        self._retry_for_s = retry_for_s
        self._guard = guard
        self._beat_s = beat_s
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending: deque[_Job] = deque()
        self._n_alone = 0
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def n_queued(self) -> int:
        """Writes that wait for their turn."""
        return self._queue.qsize() + len(self._pending)

    def submit(self, run: Callable[[Session], T]) -> Future[T]:
        """Queue a function; the future ends after its transaction was committed.

        Raises:
            UnavailableError: The store is closed.
        """
        future: Future[T] = Future()
        # What is queued is written, even where nobody waits for it any more.
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._is_closed.is_set():
                raise UnavailableError("The database is closed.", hint="The room is shutting down.")
            deadline = time.monotonic() + self._retry_for_s
            self._queue.put(_Job(run=run, future=future, deadline=deadline))
        return future

    def close(self) -> None:
        """Write what is queued, then end the thread."""
        with self._lock:
            if not self._is_closed.is_set():
                self._is_closed.set()
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._gather():
            limit = 1 if self._n_alone > 0 else MAX_BATCH
            try:
                outcomes = self._transact(limit)
            except Exception as error:  # noqa: BLE001  a job runner: the callers get it
                if self._give_up_or_wait(error, limit):
                    time.sleep(pause_s)
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            self._n_alone = max(0, self._n_alone - 1)
            self._on_outcome(None)
            for outcome in outcomes:
                self._pending.popleft()
                _settle(outcome.job, outcome.value, outcome.error)

    def _gather(self) -> bool:
        """Move what is queued to `_pending`, waiting for the first or for a beat; False once closed and empty."""
        while True:
            try:
                job = self._queue.get(block=not self._pending and not self._is_closed.is_set(), timeout=self._beat_s)
            except queue.Empty:
                return bool(self._pending) or not self._is_closed.is_set()
            if job is not None:
                self._pending.append(job)

    def _transact(self, limit: int) -> list[_Outcome]:
        """Run the first pending functions in one transaction and commit it."""
        outcomes: list[_Outcome] = []
        until = time.monotonic() + BATCH_TIME_S
        with self._engine.connect() as connection:
            transaction = connection.begin()
            if self._guard is not None:
                self._guard(connection)
            for job in list(self._pending)[:limit]:
                outcomes.append(self._attempt(connection, job))
                if time.monotonic() > until:
                    break
            number = _transaction_number(connection)
            try:
                transaction.commit()
            except Exception:
                # The answer may have been lost on its way, with the rows safely stored.
                if number is None or not self._was_committed(number):
                    raise
        return outcomes

    def _attempt(self, connection: Connection, job: _Job) -> _Outcome:
        session = Session(bind=connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
        try:
            value = job.run(session)
            session.commit()
            if isinstance(value, Base):
                raise TypeError(f"{type(value).__name__} must not leave the store: return a frozen model")
            return _Outcome(job, value=value)
        except StaleDataError as error:
            session.rollback()
            refusal = StaleWriteError("Someone else changed this meanwhile.", hint="Look at it again and try again.")
            refusal.__cause__ = error
            return _Outcome(job, error=refusal)
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and self._fault_behind(error) is not None:
                raise
            session.rollback()
            return _Outcome(job, error=error)
        finally:
            # Where the transaction is gone there is no savepoint left to close.
            with contextlib.suppress(SQLAlchemyError):
                session.close()

    def _fault_behind(self, error: BaseException) -> Fault | None:
        """Find the fault of the database in an error or in what it hides.

        SQLite ends the whole transaction when the disk is full; giving up the savepoint then fails in its turn.
        """
        seen: BaseException | None = error
        while seen is not None:
            fault = self._fault_of(seen)
            if fault is not None:
                return fault
            seen = seen.__cause__ or seen.__context__
        return None

    def _give_up_or_wait(self, error: BaseException, limit: int) -> bool:
        """Settle the jobs that must not wait any longer; True where the rest should be tried again after a pause."""
        if isinstance(error, _UnknownOutcomeError):
            refusal = UnavailableError(
                "The connection to the database broke while it was storing; nobody knows whether it did.",
                hint="Look whether the change is there before trying again.",
            )
            self._on_outcome(refusal)
            # Trying these again could store them twice.
            for _ in range(min(limit, len(self._pending))):
                _settle(self._pending.popleft(), None, refusal)
            return False
        fault = self._fault_behind(error)
        if fault is not None and fault.is_transient:
            self._on_outcome(fault.error)
            now = time.monotonic()
            n_late = sum(job.deadline <= now for job in self._pending)
            for _ in range(n_late):
                _settle(self._pending.popleft(), None, fault.error)
            return True
        n_tried = min(limit, len(self._pending))
        if n_tried > 1:
            # One of them broke the transaction of all: let each have its own.
            self._n_alone = n_tried
            return False
        if fault is not None:
            self._on_outcome(fault.error)
        if not self._pending:
            return True
        _settle(self._pending.popleft(), None, error if fault is None else fault.error)
        self._n_alone = max(0, self._n_alone - 1)
        return False

    def _was_committed(self, number: str) -> bool:
        """Ask PostgreSQL, once it is back, what became of a transaction whose COMMIT was not answered.

        Raises:
            _UnknownOutcomeError: It did not come back in time.
        """
        until = time.monotonic() + self._retry_for_s
        while True:
            try:
                with self._engine.connect() as connection:
                    query = text("SELECT pg_xact_status(CAST(:number AS xid8))")
                    status = connection.execute(query, {"number": number}).scalar()
            except DBAPIError as error:
                fault = self._fault_of(error)
                if fault is None:
                    # The server lost the number in its crash ("is in the future"): it was never committed.
                    return False
                self._on_outcome(fault.error)
            else:
                if status != "in progress":
                    return bool(status == "committed")
            if time.monotonic() > until:
                raise _UnknownOutcomeError
            time.sleep(FIRST_PAUSE_S * 4)


def _transaction_number(connection: Connection) -> str | None:
    # SQLite commits in this process: there is no answer that could be lost.
    if connection.dialect.name != "postgresql":
        return None
    number = connection.execute(text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)")).scalar()
    return None if number is None else str(number)


def _settle(job: _Job, value: object, error: BaseException | None) -> None:
    if error is None:
        job.future.set_result(value)
    else:
        job.future.set_exception(error)
