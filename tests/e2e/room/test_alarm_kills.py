"""A node that is killed again and again, while operators work: no transition of an alarm is lost, none is doubled."""

import asyncio
import contextlib
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session as Rows

from core.access.model import Session
from core.incidents import ledger, machine
from core.incidents.model import Alarm
from core.kernel.errors import ConsoleError, StaleWriteError
from core.node.live import Snapshot
from core.store.engine import sqlite_url
from core.store.tables import AlarmJournalRow, AlarmRow
from tests.fixtures.console import NodeProcess
from tests.fixtures.link import PASSWORD, Desk

N_ALARMS = 24
N_STEPS = 20
ROOT = Path(__file__).resolve().parents[3]


class Operators:
    """They tick steps of the guidance at every alarm, one after the other, and ask again when the node was gone."""

    def __init__(self, start, n_each: int) -> None:
        self._start = start
        self._n_each = n_each
        self.node: NodeProcess = start()
        self.n_done = 0
        self.alarms: dict[str, Alarm] = {}
        self._desk: Desk | None = None
        self._is_back = asyncio.Event()

    async def work(self, *, n_kills: int) -> None:
        self._desk = Desk(self.node.folder)
        await self._desk.enter()
        await self._desk.until(
            lambda: sum(a.kind == "settings" for a in self._desk.alarms.values()) >= N_ALARMS, "alarms"
        )
        await self._look()
        keys = sorted(self.alarms)[:N_ALARMS]
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._tick_all(key)) for key in keys]
            for number in range(n_kills):
                await self._until_done((number + 1) * self._n_each * N_ALARMS // (n_kills + 1))
                await self._kill()
            await asyncio.gather(*workers)
        await self._desk.client.close()

    async def _until_done(self, n_done: int) -> None:
        while self.n_done < n_done:
            await asyncio.sleep(0.005)

    async def _kill(self) -> None:
        self._is_back.clear()
        self.node.process.kill()
        await asyncio.to_thread(self.node.process.wait, 10)
        (self.node.folder / "node.json").unlink(missing_ok=True)
        await self._desk.client.close()
        self.node = await asyncio.to_thread(self._start)
        self._desk = Desk(self.node.folder)
        while not (await self._desk.knock()).is_ready:
            await asyncio.sleep(0.05)
        await self._desk.client.call("session.sign_in", Session, name="dana", password=PASSWORD, desk="Desk 9")
        await self._look()
        self._is_back.set()

    async def _look(self) -> None:
        found = (await self._desk.client.call("room.snapshot", Snapshot)).changes.alarms
        self.alarms = {alarm.condition_key: alarm for alarm in found if alarm.kind == "settings"}
        self._is_back.set()

    async def _tick_all(self, key: str) -> None:
        for number in range(self._n_each):
            step, is_done = step_of(number)
            while True:
                await self._is_back.wait()
                alarm = self.alarms[key]
                try:
                    await self._desk.client.call(
                        "alarms.tick",
                        Alarm,
                        alarm_id=alarm.alarm_id,
                        occurrence=alarm.occurrence,
                        version=alarm.version,
                        step=step,
                        is_done=is_done,
                    )
                except StaleWriteError:
                    with contextlib.suppress(ConsoleError, OSError):
                        await self._look()
                    continue
                except (ConsoleError, OSError):
                    await asyncio.sleep(0.05)
                    continue
                self.n_done += 1
                break


def step_of(number: int) -> tuple[str, bool]:
    """Every one of them changes something: a step is ticked, later ticked off, and so on."""
    return f"step {number % N_STEPS}", (number // N_STEPS) % 2 == 0


def kill_a_node(folder: Path, url: str, *, n_kills: int, n_each: int) -> Operators:
    file = folder / "watchfloor.toml"
    file.write_text("[vision]\n" + "".join(f"wrong_{number:02} = 1\n" for number in range(N_ALARMS)), encoding="utf-8")

    def start() -> NodeProcess:
        return NodeProcess(
            folder / "node", f"store.url={url}", "vision.model=demo", arguments=["--settings", str(file)]
        )

    async def run() -> Operators:
        operators = Operators(start, n_each)
        try:
            await operators.work(n_kills=n_kills)
        finally:
            operators.node.stop()
        return operators

    return asyncio.run(run())


def assert_nothing_lost_or_doubled(url: str, *, n_each: int) -> int:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with Rows(engine) as rows:
        ticks: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        sequences: dict[str, list[int]] = defaultdict(list)
        for row in rows.scalars(select(AlarmJournalRow).order_by(AlarmJournalRow.alarm_journal_id)):
            sequences[row.alarm_id].append(row.sequence)
            if row.event == "tick":
                ticks[row.alarm_id].append((row.payload["event"]["step"], row.payload["event"]["is_done"]))
        expected = [step_of(number) for number in range(n_each)]
        assert len(ticks) == N_ALARMS
        assert all(done == expected for done in ticks.values())
        assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())
        for row in rows.scalars(select(AlarmRow)):
            assert machine.replay(ledger.events_of(rows, row.alarm_id)) == ledger.alarm_of(row)
    engine.dispose()
    return sum(map(len, sequences.values()))


def assert_audit_holds(folder: Path, url: str) -> None:
    verified = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "audit", "verify", "--data", str(folder), "--set", f"store.url={url}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("n_kills", "n_each"), [(20, 2084)])
def test_twenty_kills_over_fifty_thousand_transitions_lose_and_double_none(tmp_path, n_kills, n_each):
    url = sqlite_url(tmp_path / "alarms.sqlite3")

    kill_a_node(tmp_path, url, n_kills=n_kills, n_each=n_each)

    assert assert_nothing_lost_or_doubled(url, n_each=n_each) > 50_000
    assert_audit_holds(tmp_path / "node", url)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("n_kills", "n_each"), [(20, 420)])
def test_twenty_kills_on_postgresql_lose_and_double_none(postgres_url, tmp_path, n_kills, n_each):
    kill_a_node(tmp_path, postgres_url, n_kills=n_kills, n_each=n_each)

    assert assert_nothing_lost_or_doubled(postgres_url, n_each=n_each) > n_each * N_ALARMS
    assert_audit_holds(tmp_path / "node", postgres_url)
