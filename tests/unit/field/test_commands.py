"""A command always ends in a shown result, whatever database and outbox do meanwhile."""

import asyncio
import contextlib

import pytest

from core.access.model import SYSTEM
from core.field.commands import KEEP_AGAIN_S, LATE_ANSWER, Commands
from core.field.model import CommandStatus, Device
from core.field.outbox import Outbox
from core.field.payloads import CommandResult
from core.field.ports import no_audit
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.store.engine import open_store, sqlite_url

POST = Device(device_id="station/s1", kind="station", name="S1", commands=("blink",))


class Desk:
    """Commands over a real database and a real outbox."""

    def __init__(self, folder):
        self.clock, self.sent = FakeClock(), []
        self.store = open_store(sqlite_url(folder / "db.sqlite3"), backups=folder, clock=self.clock)
        self.begin_anew(folder)

    def begin_anew(self, folder):
        self.outbox = Outbox(folder / "outbox.sqlite3")
        self.commands = Commands(
            store=self.store,
            bus=Bus(),
            clock=self.clock,
            outbox=self.outbox,
            tenant="city",
            audit=no_audit,
            send=self._send,
        )

    def _send(self, topic, body, *, expiry_s, reply):
        self.sent.append(reply.correlation.decode())
        return True

    @contextlib.contextmanager
    def without_database(self):
        async def refuse(_fn):
            raise UnavailableError("The database is locked.")

        write, self.store.write = self.store.write, refuse
        yield
        self.store.write = write

    def make_outbox_unwritable(self):
        self.outbox._connection.execute("PRAGMA query_only = ON")

    def answer(self, command):
        self.commands.on_result(POST.device_id, CommandResult(id=command.command_id, status="done"))

    async def kept(self):
        """Wait until nothing is being written down."""
        if self.commands._keeping is not None:
            await self.commands._keeping

    async def history(self):
        return [command.status for command in await self.commands.history("")]


def at_desk(tmp_path, body):
    async def run():
        desk = Desk(tmp_path)
        await desk.commands.load()
        try:
            await body(desk)
        finally:
            await desk.commands.close()
            await desk.store.close()

    asyncio.run(run())


def test_an_answer_that_comes_while_the_database_is_away_is_in_the_history_then_and_afterwards(tmp_path):
    async def body(desk):
        command = await desk.commands.send(SYSTEM, POST, "blink")
        desk.commands.tick(is_connected=True)
        with desk.without_database():
            desk.answer(command)
            await desk.kept()
            assert await desk.history() == [CommandStatus.DONE]
        desk.clock.advance(seconds=KEEP_AGAIN_S)
        desk.commands.tick(is_connected=True)
        await desk.kept()

        assert desk.commands._unwritten == {}
        assert await desk.history() == [CommandStatus.DONE]
        assert await desk.outbox._run(desk.outbox._open) == []

    at_desk(tmp_path, body)


def test_an_answer_that_the_database_never_took_is_known_to_the_next_start(tmp_path):
    async def body(desk):
        command = await desk.commands.send(SYSTEM, POST, "blink")
        with desk.without_database():
            desk.answer(command)
            await desk.kept()
            await desk.commands.close()
        desk.begin_anew(tmp_path)
        await desk.commands.load()
        desk.commands.tick(is_connected=True)

        assert await desk.history() == [CommandStatus.DONE]
        assert desk.sent == []

    at_desk(tmp_path, body)


def test_an_answer_that_comes_after_its_time_is_believed_also_by_the_next_start_but_not_for_ever(tmp_path):
    async def body(desk):
        late, later = [await desk.commands.send(SYSTEM, POST, "blink", ttl_s=5.0) for _ in range(2)]
        desk.commands.tick(is_connected=True)
        desk.clock.advance(seconds=6)
        desk.commands.tick(is_connected=True)
        await desk.kept()
        assert await desk.history() == [CommandStatus.TIMEOUT] * 2
        await desk.commands.close()
        desk.clock.advance(seconds=LATE_ANSWER.total_seconds() - 60)
        desk.begin_anew(tmp_path)
        await desk.commands.load()

        desk.answer(late)
        desk.clock.advance(seconds=61)
        desk.commands.tick(is_connected=True)
        desk.answer(later)
        await desk.kept()
        found = {command.command_id: command.status for command in await desk.commands.history("")}
        assert found == {late.command_id: CommandStatus.DONE, later.command_id: CommandStatus.TIMEOUT}

    at_desk(tmp_path, body)


@pytest.mark.parametrize(("step_s", "is_sent"), [(0.0, True), (-3600.0, False), (3600.0, False)])
def test_a_command_of_before_a_start_is_not_obeyed_for_longer_because_the_clock_was_set(tmp_path, step_s, is_sent):
    async def body(desk):
        await desk.commands.send(SYSTEM, POST, "blink", ttl_s=30.0)
        await desk.commands.close()
        desk.clock.step(seconds=step_s)
        desk.clock.advance(seconds=5)
        desk.begin_anew(tmp_path)
        await desk.commands.load()

        desk.commands.tick(is_connected=True)
        await desk.kept()

        assert len(desk.sent) == is_sent
        assert await desk.history() == [CommandStatus.QUEUED if is_sent else CommandStatus.TIMEOUT]

    at_desk(tmp_path, body)


def test_a_command_that_the_outbox_cannot_keep_is_refused_and_has_failed(tmp_path):
    async def body(desk):
        desk.make_outbox_unwritable()
        with pytest.raises(UnavailableError, match="outbox"):
            await desk.commands.send(SYSTEM, POST, "blink")
        await desk.kept()
        desk.commands.tick(is_connected=True)

        assert desk.sent == []
        assert desk.commands._unwritten == {}
        assert await desk.history() == [CommandStatus.FAILED]

    at_desk(tmp_path, body)


def test_what_the_outbox_could_not_forget_is_not_sent_again_by_the_next_start(tmp_path):
    async def body(desk):
        command = await desk.commands.send(SYSTEM, POST, "blink")
        desk.make_outbox_unwritable()
        desk.answer(command)
        await desk.kept()
        await desk.commands.close()
        desk.begin_anew(tmp_path)
        await desk.commands.load()
        desk.commands.tick(is_connected=True)

        assert (desk.sent, await desk.history()) == ([], [CommandStatus.DONE])

    at_desk(tmp_path, body)


def test_a_command_of_somebody_who_goes_at_that_moment_is_sent_all_the_same(tmp_path):
    async def body(desk):
        asking = asyncio.create_task(desk.commands.send(SYSTEM, POST, "blink"))
        await asyncio.sleep(0)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        while not len(desk.commands):
            await asyncio.sleep(0.001)
        desk.commands.tick(is_connected=True)

        assert len(desk.sent) == 1

    at_desk(tmp_path, body)
