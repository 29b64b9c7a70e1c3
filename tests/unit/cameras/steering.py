"""Steering a simulated camera on a room's own loop."""

import asyncio
import time
from typing import Any

from core.cameras.onvif.ptz import PtzService
from core.kernel.clock import SystemClock
from tests.fixtures.room import Room


def steer(room: Room, scenario, **options: Any):
    """Run `await scenario(ptz)` on a service that knows what the one before it stored, and close it."""

    async def run():
        ptz = PtzService(room.cameras, room.store, room.bus, SystemClock(), **options)
        await ptz.load()
        try:
            return await scenario(ptz)
        finally:
            await ptz.close()

    return room.run(run())


async def until(is_true, what):
    deadline = time.monotonic() + 8.0
    while not is_true():
        assert time.monotonic() < deadline, f"waited for {what}"
        await asyncio.sleep(0.01)
