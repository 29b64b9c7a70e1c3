"""What was acknowledged is there after the process, or the server, was killed."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.pool import PoolProxiedConnection

from core.access import audit
from core.access.model import SYSTEM
from core.kernel.errors import BadInputError, UnavailableError
from core.store.engine import sqlite_url
from core.store.tables import AuditRow, LineCountRow, SettingRow
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.room import Room

ROOT = Path(__file__).resolve().parents[3]


def kill_a_writer(url: str, folder: Path, *, after_n_rows: int) -> list[int]:
    """Let another process write, kill it without a word, and return the rows it was told are stored."""
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.store.killed_writer", url, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert writer.stdout is not None
    acknowledged = []
    for line in writer.stdout:
        acknowledged.append(int(line))
        if len(acknowledged) >= after_n_rows:
            break
    writer.kill()
    # What it had said before it died counts as well.
    acknowledged += [int(line) for line in writer.stdout.read().split("\n")[:-1] if line]
    writer.wait(10)
    return acknowledged


def stored_rows(room: Room) -> set[int]:
    query = select(SettingRow.value).where(SettingRow.key.like("row.%"))
    return set(room.run(room.store.read(lambda s: list(s.scalars(query)))))


def count_audit(room: Room) -> int:
    return room.run(room.store.read(lambda s: s.scalar(select(func.count()).select_from(AuditRow)))) or 0


@pytest.mark.parametrize("n_rows", [1, 57, 200])
def test_a_killed_node_loses_nothing_that_it_acknowledged(tmp_path: Path, n_rows: int) -> None:
    url = sqlite_url(tmp_path / "watchfloor.sqlite3")
    acknowledged = kill_a_writer(url, tmp_path, after_n_rows=n_rows)
    room = Room(url, tmp_path)

    stored, n_audit, verdict = stored_rows(room), count_audit(room), room.run(audit.verify(room.store))
    room.close()

    assert len(acknowledged) >= n_rows
    assert set(acknowledged) <= stored
    assert n_audit == len(stored), "a row and its audit are stored together or not at all"
    assert verdict.ok, verdict.reason


def test_a_killed_node_loses_nothing_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    acknowledged = kill_a_writer(postgres_url, tmp_path, after_n_rows=100)
    room = Room(postgres_url, tmp_path)

    stored, verdict = stored_rows(room), room.run(audit.verify(room.store))
    room.close()

    assert set(acknowledged) <= stored
    assert verdict.ok, verdict.reason


def test_writes_wait_while_postgresql_restarts(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    room = Room(postgres_url, tmp_path)
    stop = threading.Event()

    async def write_all_the_time() -> tuple[int, int]:
        n_stored = 0
        while not stop.is_set():
            key = f"row.{n_stored:06}"
            await room.store.write(
                lambda s, k=key, n=n_stored: s.add(SettingRow(key=k, value=n, changed_at=room.clock.now()))
            )
            n_stored += 1
        return n_stored, len(await room.store.read(lambda s: s.scalars(select(SettingRow.key)).all()))

    def restart() -> None:
        postgres_server.restart()
        stop.set()

    room.store._writer._retry_for_s = 20.0
    other = threading.Timer(0.5, restart)
    other.start()
    n_stored, n_found = room.run(write_all_the_time())
    other.join()
    rows = stored_rows(room)
    is_ok, reason = room.store.status()
    room.close()

    assert rows == set(range(n_stored))
    assert n_found >= n_stored > 0
    assert is_ok, reason


def test_a_postgresql_that_stays_away_is_a_sentence_and_works_again_when_it_is_back(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    room = Room(postgres_url, tmp_path)
    room.store._writer._retry_for_s = 1.0

    def put(key: str):
        return lambda s: s.add(SettingRow(key=key, value=1, changed_at=room.clock.now()))

    room.run(room.store.write(put("before")))
    postgres_server.stop()
    with pytest.raises(UnavailableError) as refusal:
        room.run(room.store.write(put("meanwhile")))
    was_ok, reason = room.store.status()
    postgres_server.start()
    room.run(room.store.write(put("after")))
    is_ok, _ = room.run(room.store.probe())
    keys = room.run(room.store.read(lambda s: s.scalars(select(SettingRow.key).order_by(SettingRow.key)).all()))
    room.close()

    assert "127.0.0.1" in refusal.value.message
    assert postgres_server.password not in str(refusal.value)
    assert not was_ok
    assert reason
    assert is_ok
    assert {"before", "after"} <= set(keys)
    assert "meanwhile" not in keys


def test_a_wrong_postgresql_password_is_a_sentence_without_it(postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url.replace("watchfloor:", "watchfloor:wrong-", 1)

    with pytest.raises(BadInputError, match="refuses the user or the password") as refusal:
        Room(url, tmp_path)

    assert "wrong-" not in str(refusal.value)


def test_a_postgresql_database_that_is_not_there_is_a_sentence(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="There is no database"):
        Room(postgres_url + "_none", tmp_path)


def test_two_nodes_that_start_at_once_on_an_empty_postgresql_both_open(postgres_url: str, tmp_path: Path) -> None:
    rooms: list[Room] = []
    faults: list[BaseException] = []

    def start() -> None:
        try:
            rooms.append(Room(postgres_url, tmp_path))
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    starters = [threading.Thread(target=start) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    for room in rooms:
        room.close()

    assert faults == []
    assert len(rooms) == 2


def test_two_nodes_that_write_the_audit_at_once_keep_one_sound_chain(postgres_url: str, tmp_path: Path) -> None:
    first, second = Room(postgres_url, tmp_path), Room(postgres_url, tmp_path)

    def write(room: Room) -> None:
        async def many() -> None:
            await asyncio.gather(
                *(audit.record(room.store, room.clock, SYSTEM, action="test", subject=str(n)) for n in range(50))
            )

        room.run(many())

    writers = [threading.Thread(target=write, args=(room,)) for room in (first, second)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    verdict = first.run(audit.verify(first.store))
    first.close()
    second.close()

    assert (verdict.ok, verdict.n_rows) == (True, 100), verdict.reason


@pytest.mark.parametrize("was_committed", [True, False])
def test_a_commit_whose_answer_was_lost_is_not_stored_twice(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was_committed: bool
) -> None:
    room = Room(postgres_url, tmp_path)
    dialect = room.store._writer_engine.dialect
    n_lost = 0

    def commit_and_lose_the_answer(connection: PoolProxiedConnection) -> None:
        nonlocal n_lost
        if n_lost == 0:
            n_lost += 1
            if was_committed:
                connection.commit()
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        connection.commit()

    name = {"camera_id": "c", "line_key": "l", "direction": "in", "label": "car", "minute": room.clock.now()}
    room.run(room.store.write(lambda s: s.add(LineCountRow(**name, n_vehicles=0))))
    monkeypatch.setattr(dialect, "do_commit", commit_and_lose_the_answer)
    add = update(LineCountRow).values(n_vehicles=LineCountRow.n_vehicles + 7)
    room.run(room.store.write(lambda s: s.execute(add).rowcount))
    counted = room.run(room.store.read(lambda s: s.scalars(select(LineCountRow.n_vehicles)).all()))
    room.close()

    assert n_lost == 1
    assert counted == [7]
