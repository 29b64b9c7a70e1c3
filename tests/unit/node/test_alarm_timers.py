"""What happens to alarms by themselves goes on whatever is wrong with a part of it."""

import asyncio

import pytest

from core.kernel.errors import UnavailableError
from core.node.alarm_timers import AlarmTimers


@pytest.mark.parametrize("error", [ValueError("a bug"), UnavailableError("The database is away.")])
def test_a_part_that_fails_keeps_no_other_back_and_is_tried_again(error):
    ticks = []

    async def fails():
        ticks.append("fails")
        raise error

    async def works():
        ticks.append("works")

    timers = AlarmTimers({"delays": fails, "deadlines": works})
    asyncio.run(timers.tick())
    asyncio.run(timers.tick())

    assert ticks == ["fails", "works"] * 2
