"""Writes rows and says which were acknowledged, until it is killed: `-m tests.e2e.store.killed_writer URL DIR`."""

import asyncio
import sys
from pathlib import Path

from core.access import audit
from core.access.model import SYSTEM
from core.kernel.clock import SystemClock
from core.store.engine import open_store
from core.store.tables import SettingRow


async def main(url: str, folder: Path) -> None:
    clock = SystemClock()
    store = open_store(url, backups=folder, clock=clock)

    async def write(number: int) -> None:
        def run(session) -> None:
            session.add(SettingRow(key=f"row.{number:06}", value=number, changed_at=clock.now()))
            audit.append(session, SYSTEM, action="test.row", subject=str(number), at=clock.now())

        await store.write(run)
        print(number, flush=True)

    number = 0
    while True:
        await asyncio.gather(*(write(number + n) for n in range(8)))
        number += 8


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
