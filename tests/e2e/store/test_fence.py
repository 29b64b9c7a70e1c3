"""Of all nodes on one database one writes: the others are told who, and who lost its place writes nothing more."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys

import psycopg
import pytest

from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.kernel.lock import HeldError, Holder
from core.store.engine import open_store, sqlite_url
from core.store.fence import _ADVISORY_LOCK
from core.store.tables import SettingRow
from tests.fixtures.console import NodeProcess
from tests.fixtures.link import at_desk
from tests.fixtures.processes import wait_until
from tests.fixtures.testdata import ROOT

NORTH = Holder(host="north", pid=11, since=FakeClock().now())
SOUTH = Holder(host="south", pid=22, since=FakeClock().now())


class Writing:
    """One store that a test opens as a node would, on a loop of its own."""

    def __init__(self, url, folder, me, runner):
        self.clock = FakeClock()
        self._runner = runner
        self.store = open_store(url, backups=folder, clock=self.clock, retry_for_s=0.3, writer=me)

    def put(self, key):
        row = SettingRow(key=key, value=1, changed_at=self.clock.now())
        self._runner.run(self.store.write(lambda session: session.merge(row) and None))

    def close(self):
        self._runner.run(self.store.close())


@pytest.fixture
def runner():
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def as_node(tmp_path, runner):
    opened = []

    def make(url, me):
        opened.append(Writing(url, tmp_path, me, runner))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return (
        sqlite_url(tmp_path / "one.sqlite3") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    )


def server(url):
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def cut_off(url):
    """Take every connection of the program away, as a firewall or an administrator would."""
    with server(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'watchfloor' AND datname = current_database()"
        )


def stored(url):
    with server(url) as connection:
        return {row[0] for row in connection.execute("SELECT key FROM setting")}


def test_a_second_node_is_refused_and_told_who_writes_and_since_when(url, as_node, tmp_path):
    first = as_node(url, NORTH)

    with pytest.raises(HeldError, match=r"The node on north \(process 11, since 2026-.*UTC\) writes into the database"):
        open_store(url, backups=tmp_path, clock=FakeClock(), writer=SOUTH)

    first.put("still works")


def test_a_place_is_free_once_its_node_has_ended(url, as_node):
    as_node(url, NORTH).close()

    as_node(url, SOUTH).put("south")


def test_a_tool_may_look_into_a_database_that_a_node_writes(url, as_node, tmp_path, runner):
    as_node(url, NORTH)
    store = open_store(url, backups=tmp_path, clock=FakeClock())

    assert runner.run(store.read(lambda session: session.get(SettingRow, "store.opened") is not None))

    runner.run(store.close())


def test_a_node_whose_connection_broke_goes_on_where_nobody_came_between(postgres_url, as_node):
    node = as_node(postgres_url, NORTH)

    for number in range(3):
        cut_off(postgres_url)
        node.put(f"after {number}")

    assert {"after 0", "after 1", "after 2"} <= stored(postgres_url)
    assert node.store.superseded == ""


def test_a_node_that_lost_its_place_writes_nothing_and_says_who_has_it(postgres_url, as_node):
    north = as_node(postgres_url, NORTH)
    north.put("before")
    cut_off(postgres_url)
    south = as_node(postgres_url, SOUTH)

    with pytest.raises(UnavailableError, match=r"The node on south .* writes into the database"):
        north.put("beside")
    is_ok, reason = north.store.status()
    south.put("south")

    assert not is_ok
    assert "south" in reason
    assert north.store.superseded == "", "it tries again, as long as the other one writes"
    assert "beside" not in stored(postgres_url)


def test_a_node_that_gets_its_place_back_knows_that_it_is_out_of_date(postgres_url, as_node):
    north = as_node(postgres_url, NORTH)
    cut_off(postgres_url)
    as_node(postgres_url, SOUTH).close()

    with pytest.raises(UnavailableError, match=r"The node on south .* has written into the database"):
        north.put("old")

    assert "started again" in north.store.superseded
    assert "old" not in stored(postgres_url)
    as_node(postgres_url, NORTH).put("new")


def test_a_place_that_was_taken_behind_a_pooler_is_noticed_in_the_next_transaction(postgres_url, as_node):
    node = as_node(postgres_url, NORTH)
    node.put("mine")
    with server(postgres_url) as other:
        other.execute("UPDATE setting SET value = %s WHERE key = 'store.writer'", [json.dumps({"epoch": 99})])

    with pytest.raises(UnavailableError, match="meanwhile"):
        node.put("not mine any more")

    assert "not mine any more" not in stored(postgres_url)


def test_a_node_that_writes_nothing_notices_too(postgres_url, tmp_path, runner, monkeypatch):
    monkeypatch.setattr("core.store.engine.BEAT_S", 0.05)
    node = Writing(postgres_url, tmp_path, NORTH, runner)
    with server(postgres_url) as other:
        other.execute("UPDATE setting SET value = %s WHERE key = 'store.writer'", [json.dumps({"epoch": 99})])

    wait_until(lambda: node.store.superseded, what="the node to notice")
    node.close()


def main_node(folder, url):
    command = [sys.executable, str(ROOT / "main.py"), "node", "--data", str(folder)]
    return [*command, "--set", f"store.url={url}", "--set", "vision.model=demo"]


def holder_pid(url):
    """Return the process that writes; None before the first node made its tables."""
    with server(url) as connection, contextlib.suppress(psycopg.errors.UndefinedTable):
        row = connection.execute("SELECT value FROM setting WHERE key = 'store.writer'").fetchone()
        return row and row[0]["pid"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_second_node_process_ends_with_the_sentence_and_one_that_stands_by_takes_over(postgres_url, tmp_path):
    first = NodeProcess(tmp_path / "first", f"store.url={postgres_url}", "vision.model=demo")
    nodes = [first]
    try:
        wait_until(lambda: holder_pid(postgres_url) == first.process.pid, timeout_s=30, what="the first node's place")
        second = subprocess.run(
            main_node(tmp_path / "second", postgres_url), capture_output=True, text=True, timeout=60, check=False
        )
        nodes.append(NodeProcess(tmp_path / "third", f"store.url={postgres_url}", "store.stand_by=true"))
        waiting = nodes[-1].process.pid
        told = f"The node on {socket.gethostname()} (process {first.process.pid}, since "

        assert second.returncode == 1
        assert told in second.stderr
        at_desk(nodes[-1].folder, lambda desk: hears_at_the_door(desk, told))
        first.process.kill()
        wait_until(lambda: holder_pid(postgres_url) == waiting, timeout_s=30, what="the one that stood by")
    finally:
        for node in nodes:
            node.stop()


async def hears_at_the_door(desk, words):
    while not any(words in notice for notice in (await desk.knock()).notices):
        await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_second_node_on_one_data_folder_ends_with_the_sentence(tmp_path):
    first = NodeProcess(tmp_path / "node", "vision.model=demo")
    try:
        second = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), "node", "--data", str(first.folder)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        first.stop()

    assert second.returncode == 1
    assert f"The node on {socket.gethostname()} (process {first.process.pid}, since " in second.stderr
    assert "works on the folder" in second.stderr


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_node_that_loses_its_place_says_so_at_every_desk_and_ends_once_it_is_out_of_date(postgres_url, tmp_path):
    node = NodeProcess(tmp_path / "node", f"store.url={postgres_url}", "vision.model=demo")

    async def scenario(desk):
        await desk.enter()
        with server(postgres_url) as other:
            take_place(other)
            await desk.until(
                lambda: (
                    (health := desk.health) is not None
                    and "writes into the database" in health.database_reason
                    and not health.is_database_ok
                ),
                "the red bar's sentence",
            )
            assert node.process.poll() is None, "it goes on trying"
            words = {"host": "south", "pid": 22, "since": "2026-01-01T00:00:00+00:00", "epoch": 99}
            other.execute("UPDATE setting SET value = %s WHERE key = 'store.writer'", [json.dumps(words)])
        await asyncio.to_thread(node.process.wait, 40)

    try:
        at_desk(node.folder, scenario)
    finally:
        node.stop()
    assert node.process.returncode == 1
    assert "The node on south" in (node.folder / "logs" / "node.log").read_text()


def take_place(other):
    """Cut the node off and be faster than it."""
    while True:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'watchfloor' AND datname = current_database()"
        )
        if other.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_LOCK]).fetchone()[0]:
            return
