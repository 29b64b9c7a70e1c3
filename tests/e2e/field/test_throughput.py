import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from core.field.service import FieldEventReceived
from tests.e2e.field.rig import Node, settings_for

ROOT = Path(__file__).parents[3]


async def measure(node, port, *, n_per_s, seconds):
    """Let another process send; returns events stored, p50 and p99 from the device's time to after the commit [ms]."""
    delays = []
    lags = []

    def note(event):
        delays.append((datetime.now(UTC) - event.event.at).total_seconds() * 1000.0)

    async def watch_the_loop():
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            lags.append((time.monotonic() - began - 0.01) * 1000.0)

    node.bus.subscribe(FieldEventReceived, note)
    watcher = asyncio.create_task(watch_the_loop())
    memory = psutil.Process().memory_info().rss
    sender = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.e2e.field.sender",
        str(port),
        str(n_per_s),
        str(seconds),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await sender.communicate()
    watcher.cancel()
    n_sent, n_confirmed, n_resent, tail_s = (float(word) for word in output.split())
    delays.sort()
    lags.sort()
    p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    grown = (psutil.Process().memory_info().rss - memory) / 2**20
    print(
        f"{len(delays)} events in {seconds:g} s ({len(delays) / seconds:.0f}/s), confirmed {n_confirmed:.0f}, "
        f"sent again {n_resent:.0f}, drained {tail_s} s after the end, p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
        f"loop lag p99 {lags[int(len(lags) * 0.99)]:.0f} ms, memory +{grown:.0f} MB"
    )
    return n_sent, n_confirmed, p99


@pytest.mark.parametrize(
    ("n_per_s", "seconds"),
    [
        pytest.param(500, 4, id="500"),
        pytest.param(1000, 30, marks=pytest.mark.slow, id="1000"),
        pytest.param(2000, 30, marks=pytest.mark.slow, id="2000"),
    ],
)
def test_events_reach_the_database_as_fast_as_they_come(mosquitto, tmp_path, n_per_s, seconds):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
            n_sent, n_confirmed, p99_ms = await measure(node, mosquitto.port, n_per_s=n_per_s, seconds=seconds)
            assert n_confirmed == n_sent
            assert await node.stored_seqs() == list(range(1, int(n_sent) + 1))
            # Shared machines breathe: the printed figure is what counts, and at 2000/s only that nothing is lost.
            assert p99_ms < 2000 or n_per_s >= 2000

    asyncio.run(run())
