"""Parts of a node that fail are told of, end nothing else, and begin anew."""

import asyncio

import pytest

from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.kernel.paths import Folders
from core.kernel.settings import Settings
from core.node.node import Node
from core.node.standing_work import WELL_AFTER_S, StandingWork

WELL = WELL_AFTER_S + 1.0


class Faults:
    """What was told of parts, in order."""

    def __init__(self):
        self.clock = FakeClock()
        self.said = []
        self.work = StandingWork(
            self.clock, lambda *fault: self.said.append(fault), lambda part: self.said.append((part, "well"))
        )


@pytest.fixture
def faults():
    return Faults()


def fail():
    raise KeyError("north")


@pytest.mark.parametrize("error", [KeyError("north"), OverflowError("beyond the calendar")])
def test_work_that_fails_begins_anew_and_its_fault_is_told(faults, error):
    n_begun = 0

    async def work():
        nonlocal n_begun
        n_begun += 1
        if n_begun == 1:
            raise error

    asyncio.run(asyncio.wait_for(faults.work.keep("Warnings", work), 10.0))

    assert n_begun == 2
    (told,) = faults.said
    assert told[0] == "Warnings"
    assert str(error) in told[1]
    faults.clock.advance(seconds=WELL)
    faults.work.watch()
    faults.work.watch()
    assert faults.said[1:] == [("Warnings", "well")]


def test_what_waits_for_what_is_away_begins_anew_and_calls_nobody(faults):
    n_begun = 0

    async def work():
        nonlocal n_begun
        n_begun += 1
        if n_begun == 1:
            raise UnavailableError("The database is away.")

    asyncio.run(asyncio.wait_for(faults.work.keep("Warnings", work), 10.0))

    assert n_begun == 2
    assert faults.said == []


@pytest.mark.parametrize("error", [ValueError("a bug"), UnavailableError("The database is away.")])
def test_a_tick_that_fails_keeps_no_other_back_and_is_tried_again(faults, error):
    ticks = []

    async def fails():
        ticks.append("fails")
        raise error

    async def works():
        ticks.append("works")

    async def run():
        for _ in range(2):
            assert not await faults.work.tick("delays", fails)
            assert await faults.work.tick("deadlines", works)

    asyncio.run(run())

    assert ticks == ["fails", "works"] * 2


def test_work_ends_with_the_node(faults):
    async def run():
        begun = asyncio.Event()

        async def work():
            begun.set()
            await asyncio.Event().wait()

        kept = asyncio.create_task(faults.work.keep("Warnings", work))
        await begun.wait()
        kept.cancel()
        await asyncio.wait((kept,), timeout=5.0)
        return kept.cancelled()

    assert asyncio.run(run())
    assert faults.said == []


def test_a_step_that_fails_again_is_not_well(faults):
    for _ in range(3):
        faults.work.step("Signs", fail)
        faults.clock.advance(seconds=WELL_AFTER_S - 1.0)
        faults.work.watch()

    assert [part for part, _ in faults.said] == ["Signs"] * 3
    assert ("Signs", "well") not in faults.said


def test_a_step_of_the_housekeeping_that_fails_calls_and_keeps_no_other_from_being_done(tmp_path, monkeypatch):
    async def run():
        node = Node(Settings(), Folders(data=tmp_path / "data", runtime=tmp_path / "run"))
        # Before the steps are named.
        monkeypatch.setattr(node.bay_sight, "watch", fail)
        running = asyncio.create_task(node.run())
        try:
            async with asyncio.timeout(40.0):
                while node.services is None:
                    await asyncio.sleep(0.02)
                first = node.health()
                while not (alarms := await node.services.incidents.open_alarms()) or node.health() is first:
                    await asyncio.sleep(0.1)
            return [(alarm.condition_key, alarm.detail) for alarm in alarms], node.health().n_errors
        finally:
            node.stop_soon()
            await running

    alarms, n_errors = asyncio.run(run())

    (detail,) = [detail for key, detail in alarms if key == "system/node_part:The sight of bays"]
    assert "KeyError: 'north'" in detail
    assert n_errors > 0
