"""The fence: of all nodes on one PostgreSQL one writes, and a node that lost its place does not write on."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from core.kernel.errors import UnavailableError
from core.kernel.lock import HeldError, Holder, described
from core.store.tables import SettingRow

KEY = "store.writer"
BEAT_S = 5.0
"""A node that writes nothing looks this often whether its place is still its own."""

LONGEST_SILENCE_S = 60
"""The server takes the place from a node that has said nothing for so long: it hangs, or its machine sleeps."""

# Any number will do as long as every node uses the same one; a migration has another.
_ADVISORY_LOCK = 0x57464C53
_IS_HELD = "watchfloor.is_held"

_READ = text("SELECT value FROM setting WHERE key = :key")
# Shared: whoever takes the place waits for the end of a transaction that has looked here.
_READ_SHARED = text("SELECT value FROM setting WHERE key = :key FOR SHARE")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock)")
_UNLOCK = text("SELECT pg_advisory_unlock(:lock)")


class SupersededError(UnavailableError):
    """Another node has written since: what this one knows is old, and only a new start makes it right."""


class Fence:
    """Keeps one place in a database: a lock of the session that writes, and a number that grows with every holder.

    The lock lives and dies with the writer's own connection. The number is looked at in every transaction: a pooler
    between node and server, or a connection that was taken away, cannot make two writers out of one.

    Threads: whoever opens the store, then its writer's thread; `superseded` is read from anywhere.
    """

    def __init__(self, me: Holder, place: str) -> None:
        """Be `me`, at the database that operators call `place`."""
        self._me = me
        self._place = place
        self._epoch = 0
        self._lock = threading.Lock()
        self._superseded = ""

    @property
    def superseded(self) -> str:
        """Why this node has to start anew; empty as long as it need not."""
        with self._lock:
            return self._superseded

    def take(self, connection: Connection) -> None:
        """Take the place on the writer's connection, before its tables are looked at.

        Raises:
            HeldError: Another node has it; the sentence names it.
        """
        if connection.info.get(_IS_HELD):
            return
        if not connection.execute(_TRY_LOCK, {"lock": _ADVISORY_LOCK}).scalar():
            connection.rollback()
            raise HeldError(
                f"{described(_holder(connection))} writes into the database {self._place}, and only one may.",
                hint="End that node, or give this one another database in store.url.",
            )
        connection.info[_IS_HELD] = True

    def begin(self, engine: Engine) -> None:
        """Write down who has the place now; every holder before this one is shut out from here on."""
        with engine.connect() as connection, connection.begin():
            self.take(connection)
            session = Session(bind=connection, join_transaction_mode="create_savepoint")
            before = session.get(SettingRow, KEY, with_for_update=True)
            self._epoch = _epoch(None if before is None else before.value) + 1
            value = {**self._me.words(), "epoch": self._epoch}
            session.merge(SettingRow(key=KEY, value=value, changed_at=self._me.since))
            session.commit()

    def hold(self, connection: Connection) -> None:
        """Make sure, inside a transaction that is going to write, that the place is still this node's.

        Raises:
            HeldError: The connection was lost, and another node has the place meanwhile.
            SupersededError: Another node had it meanwhile.
        """
        self.take(connection)
        found = connection.execute(_READ_SHARED, {"key": KEY}).scalar()
        if _epoch(found) == self._epoch:
            return
        # Nobody may wait for a node that will not write again.
        connection.execute(_UNLOCK, {"lock": _ADVISORY_LOCK})
        connection.info.pop(_IS_HELD, None)
        error = SupersededError(
            f"{described(Holder.of_words(found))} has written into the database {self._place} meanwhile.",
            hint="This node writes nothing more and ends; started again it waits for its turn.",
        )
        with self._lock:
            self._superseded = str(error)
        raise error


def _epoch(value: Any) -> int:
    return int(value.get("epoch", 0)) if isinstance(value, dict) else 0


def _holder(connection: Connection) -> Holder | None:
    """Return who wrote itself down last; None where the database is still empty."""
    with contextlib.suppress(ProgrammingError), connection.begin():
        return Holder.of_words(connection.execute(_READ, {"key": KEY}).scalar())
    return None
