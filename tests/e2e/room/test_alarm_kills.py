"""A node that is killed again and again while people and devices work: no transition is lost, none is doubled.

What is expected comes from the clients' own ledger (tests/fixtures/alarm_work.py): what was answered, or seen, is in
the journal exactly once; what was asked and never answered once at most; what was refused never. Each kill is SIGKILL;
a second node on the same database stands by and takes over.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session as Rows

from core.incidents import ledger as journal
from core.incidents import machine
from core.incidents.figures import read_figures
from core.incidents.rules.model import TimeToRespond
from core.node.bench_figures import plain_figures, plain_rows, same_figures
from core.store.engine import sqlite_url
from core.store.tables import AlarmRow
from tests.fixtures.alarm_work import Workforce
from tests.fixtures.console import NodeProcess
from tests.fixtures.testdata import ROOT

N_DEVICES = 48
SEED = 7
VERBS = {"set_out_of_service": "take_out", "return_to_service": "put_back"}


class Pair:
    """Two data folders on one database: one node works, the other stands by."""

    def __init__(self, folder: Path, url: str, broker) -> None:
        self._folder = folder
        self._settings = (
            *(f"store.url={url}", "store.stand_by=true", "vision.model=demo"),
            *(f"broker.host={broker.host}", f"broker.port={broker.port}"),
        )
        self._n_started = 0
        self.working = self._start()
        self.waiting: NodeProcess | None = None

    def _start(self) -> NodeProcess:
        folder = self._folder / f"node-{self._n_started % 2}"
        self._n_started += 1
        (folder / "node.json").unlink(missing_ok=True)
        return NodeProcess(folder, *self._settings)

    async def stand_by(self) -> None:
        self.waiting = await asyncio.to_thread(self._start)

    def kill(self) -> None:
        """End the one that works without a word; the other one is the one that works from here on."""
        assert self.waiting is not None
        self.working.process.kill()
        self.working.process.wait(10)
        self.working, self.waiting = self.waiting, None

    def stop(self) -> None:
        for node in (self.waiting, self.working):
            if node is not None:
                node.stop()


async def kill_and_work(pair: Pair, workforce: Workforce, *, n_kills: int) -> None:
    await workforce.open_room(pair.working)
    await pair.stand_by()
    async with asyncio.TaskGroup() as group:
        group.create_task(workforce.work())
        for number in range(n_kills):
            await workforce.until_done((number + 1) * workforce.n_transitions // (n_kills + 1))
            # The next node says anew what holds, and says it as more urgent.
            await workforce.rule(TimeToRespond.UNDER_30_MIN)
            workforce.let_wait()
            pair.kill()
            await workforce.leave()
            await workforce.enter(pair.working)
            await pair.stand_by()
    await workforce.leave()


class Journal:
    """What the database says, read without a line of the program."""

    def __init__(self, rows) -> None:
        query = "SELECT alarm_id, sequence, event, payload FROM alarm_journal ORDER BY alarm_journal_id"
        keys = dict(rows.execute(text("SELECT alarm_id, condition_key FROM alarm")).all())
        self.words: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.crossed: Counter[tuple[str, str]] = Counter()
        self.escalated: Counter[str] = Counter()
        self.sequences: dict[str, list[int]] = defaultdict(list)
        self.by_event: Counter[str] = Counter()
        for alarm_id, sequence, event, payload in rows.execute(text(query)):
            self.by_event[event] += 1
            self.sequences[alarm_id].append(sequence)
            said = (json.loads(payload) if isinstance(payload, str) else payload)["event"]
            words = (said.get("comment"), said.get("reason"), said.get("step"), said.get("service", {}).get("reason"))
            for word in {word for word in words if word and word.startswith("word-")}:
                self.words[word].append((alarm_id, event))
            if event in {"raise", "raise_again", "return"}:
                self.crossed[keys[alarm_id], event.removesuffix("_again")] += 1
            self.escalated[alarm_id] += event == "escalate"

    @property
    def n_transitions(self) -> int:
        return self.by_event.total()


def lost_and_doubled(known, stored: Journal) -> tuple[list[str], list[str]]:
    """Compare the clients' ledger with the journal; returns what is missing, and what is there too often."""
    lost, doubled = [], []
    spoken = {word: what for word, what in known.answered.items() if what[1] != "escalate"}
    for word, (alarm_id, verb) in spoken.items():
        found = stored.words.get(word, [])
        if (alarm_id, VERBS.get(verb, verb)) not in found:
            lost.append(f"{word} {verb} {alarm_id}")
        if len(found) > 1:
            doubled.append(f"{word} {found}")
    doubled += [f"{word} {stored.words[word]}" for word in known.unanswered if len(stored.words.get(word, [])) > 1]
    doubled += [f"{word} was refused" for word in known.refused if word in stored.words]
    doubled += [word for word in stored.words if word not in known.answered and word not in known.unanswered]
    ours = {key: n for key, n in stored.crossed.items() if key[0].startswith("device/post/") and ":s" in key[0]}
    for key in ours.keys() | known.crossed.keys():
        lost += [f"{key}"] * max(0, known.crossed[key] - ours.get(key, 0))
        doubled += [f"{key}"] * max(0, ours.get(key, 0) - known.crossed[key])
    answered = Counter(alarm_id for alarm_id, verb in known.answered.values() if verb == "escalate")
    asked = answered + Counter(alarm_id for alarm_id, verb in known.unanswered.values() if verb == "escalate")
    lost += [f"escalate {alarm_id}" for alarm_id, n in answered.items() if stored.escalated[alarm_id] < n]
    doubled += [f"escalate {alarm_id}" for alarm_id in asked if stored.escalated[alarm_id] > asked[alarm_id]]
    return lost, doubled


def assert_journal_gives_alarms(rows) -> None:
    for row in rows.scalars(select(AlarmRow)):
        assert machine.replay(journal.events_of(rows, row.alarm_id)) == journal.alarm_of(row)


def assert_figures_follow_from_the_journal(rows) -> None:
    counted = plain_rows(rows)
    since, until = counted[0].at, counted[-1].at + timedelta(seconds=1)
    assert same_figures(read_figures(rows, since=since, until=until), plain_figures(counted, since, until)) == []


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
@pytest.mark.parametrize(("n_kills", "n_transitions"), [(20, 50_000)])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_kills_amid_every_kind_of_transition_lose_and_double_none(
    request, mosquitto, tmp_path, database, n_kills, n_transitions
):
    own = sqlite_url(tmp_path / "alarms.sqlite3")
    url = own if database == "sqlite" else request.getfixturevalue("postgres_url")
    workforce = Workforce(mosquitto, n_devices=N_DEVICES, n_transitions=n_transitions, seed=SEED)
    began_s = time.monotonic()
    pair = Pair(tmp_path, url, mosquitto)
    try:
        asyncio.run(kill_and_work(pair, workforce, n_kills=n_kills))
    finally:
        pair.stop()
        workforce.field.close()
    took_s = time.monotonic() - began_s

    engine = create_engine(url)
    with Rows(engine) as rows:
        stored = Journal(rows)
        lost, doubled = lost_and_doubled(workforce.ledger, stored)
        print(
            f"{database}: {stored.n_transitions} transitions, {n_kills} kills, {len(lost)} lost,"
            f" {len(doubled)} doubled, {len(workforce.ledger.unanswered)} unanswered,"
            f" {len(workforce.ledger.refused)} refused, {took_s:.0f} s; {dict(stored.by_event.most_common())}"
        )
        assert lost == []
        assert doubled == []
        assert stored.n_transitions >= n_transitions
        assert stored.by_event.keys() == {trigger.value for trigger in machine.Trigger}
        assert all(found == list(range(1, len(found) + 1)) for found in stored.sequences.values())
        assert_journal_gives_alarms(rows)
        assert_figures_follow_from_the_journal(rows)
    engine.dispose()
    assert_audit_holds(tmp_path / "node-0", url)
