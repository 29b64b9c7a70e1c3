"""Takes what a camera saw while the database is locked, until it is killed: `-m tests.e2e.room.spooling_room DIR`."""

import asyncio
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.cameras.model import Camera
from core.field.model import Device
from core.incidents.service import IncidentService
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock
from core.node.call_spool import CallSpool
from core.node.calls import Calls
from core.store.engine import open_store, sqlite_url
from core.vision.messages import Observed
from core.vision.model import Observation, ObservationKind, Phase

CAMERA = Camera(camera_id="north", name="Ring North", address="synthetic:north")
JPEG = b"\xff\xd8 as it was sent, masked \xff\xd9"
SEEN_AT = datetime(2026, 11, 22, 3, 0, 12, tzinfo=UTC)
EARLIER = SEEN_AT - timedelta(minutes=10)
"""Nothing of one event."""


def seen(name: str, kind: ObservationKind, phase: Phase, key: str, at: datetime = SEEN_AT) -> Observed:
    """Return what a worker says."""
    observation = Observation(
        observation_id=name,
        camera_id="north",
        kind=kind,
        phase=phase,
        rule_key="lane-a",
        rule_name="Lane A",
        condition_key=key,
        pts_s=1.0,
        captured_at=at,
        confidence=0.9,
    )
    return Observed(observation=observation, snapshot_jpeg=b"" if phase is Phase.END else JPEG)


STORED = [seen("stored", ObservationKind.CONGESTION, Phase.BEGIN, "congestion:lane-a")]
LATER = [
    seen("crash", ObservationKind.COLLISION, Phase.BEGIN, "collision:7"),
    seen("jam-ends", ObservationKind.CONGESTION, Phase.END, "congestion:lane-a"),
    seen("walks", ObservationKind.PEDESTRIAN, Phase.BEGIN, "pedestrian:9", EARLIER),
    seen("is-gone", ObservationKind.PEDESTRIAN, Phase.END, "pedestrian:9", EARLIER),
]


async def main(folder: Path) -> None:
    """Store one call, lock the database, take more."""
    url = sqlite_url(folder / "watchfloor.sqlite3")
    clock = SystemClock()
    store = open_store(url, backups=folder / "backups", clock=clock, retry_for_s=0.2)
    incidents = IncidentService(store, Bus(), clock, evidence=folder / "evidence")
    spool = CallSpool(folder, clock)
    await spool.open()
    calls = Calls(
        incidents,
        folder=str(folder),
        find_camera=lambda _id: CAMERA,
        find_device=lambda device_id: Device(device_id=device_id, kind="", name=device_id),
        spool=spool,
        clock=clock,
    )
    working = asyncio.create_task(calls.work())
    for message in STORED:
        calls.take_observed(message)
    await calls.drain(timeout_s=20.0)
    locking = sqlite3.connect(folder / "watchfloor.sqlite3", isolation_level=None)
    locking.execute("BEGIN EXCLUSIVE")
    for message in LATER:
        calls.take_observed(message)
    while len(calls.unstored()) < 2:
        await asyncio.sleep(0.05)
    print(*(f"{call.title} at {call.source_name}" for call in calls.unstored()), sep="; ", flush=True)
    await working


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
