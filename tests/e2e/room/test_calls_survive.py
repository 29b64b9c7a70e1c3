"""What cameras saw while the database was away is stored by the next run, once, although the first was killed."""

import asyncio
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from core.field.model import Device
from core.incidents.model import Quality
from core.node.call_spool import FILE_NAME, CallSpool
from core.node.calls import Calls
from core.store.engine import sqlite_url
from core.store.tables import ObservationRow
from tests.e2e.room.spooling_room import CAMERA, JPEG, LATER, SEEN_AT, STORED
from tests.fixtures.room import Room
from tests.fixtures.testdata import ROOT

pytestmark = pytest.mark.timeout(120)


def start_again(room, folder):
    """Do what a node does at its start, and wait until everything is stored; returns how much was left."""

    async def run():
        await room.incidents.start()
        spool = CallSpool(folder, room.clock)
        left = await spool.open()
        calls = Calls(
            room.incidents,
            folder=str(folder),
            find_camera=lambda _id: CAMERA,
            find_device=lambda device_id: Device(device_id=device_id, kind="", name=device_id),
            spool=spool,
            clock=room.clock,
        )
        calls.replay(left)
        working = asyncio.create_task(calls.work())
        await calls.drain(timeout_s=20.0)
        working.cancel()
        await spool.close()
        return len(left)

    return room.run(run())


def test_calls_that_waited_for_the_database_of_a_node_that_was_killed_are_stored_once_by_the_next(tmp_path):
    command = [sys.executable, "-m", "tests.e2e.room.spooling_room", str(tmp_path)]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    said = killed.stdout.readline().strip()
    killed.kill()
    killed.wait(10)
    killed.stdout.close()
    assert said == "Collision: Lane A at Ring North; Person on the carriageway: Lane A at Ring North"

    room = Room(sqlite_url(tmp_path / "watchfloor.sqlite3"), tmp_path)
    try:
        assert start_again(room, tmp_path) == len(LATER)
        alarms = {alarm.kind: alarm for alarm in room.run(room.incidents.open_alarms())}
        incidents = {one.kind: one for one in room.run(room.incidents.recent_incidents())}
        crash = alarms["collision"]
        # Nobody says any more that it is over: it is as last known, and ends once its camera was watched for a while.
        assert (crash.is_active, crash.quality, crash.is_calling) == (True, Quality.STALE, True)
        assert "seen at 2026-11-22 03:00:12 UTC, stored late" in crash.detail
        assert incidents["collision"].began_at == SEEN_AT
        assert room.run(room.incidents.snapshot_bytes(crash.incident_id)) == JPEG
        assert not alarms["congestion"].is_active
        assert not alarms["pedestrian"].is_active
        assert (tmp_path / FILE_NAME).read_bytes() == b""

        assert start_again(room, tmp_path) == 0
        n_stored = room.run(room.store.read(lambda s: s.scalar(select(func.count()).select_from(ObservationRow))))
        assert n_stored == len(STORED) + len(LATER)
    finally:
        room.close()


def test_what_was_stored_but_not_struck_out_before_the_end_changes_nothing(tmp_path):
    """The node is killed between the commit and the file."""
    command = [sys.executable, "-m", "tests.e2e.room.spooling_room", str(tmp_path)]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.wait(10)
    killed.stdout.close()
    left = (tmp_path / FILE_NAME).read_bytes()

    room = Room(sqlite_url(tmp_path / "watchfloor.sqlite3"), tmp_path)
    try:
        start_again(room, tmp_path)
        before = room.run(room.incidents.open_alarms())
        (tmp_path / FILE_NAME).write_bytes(left)

        assert start_again(room, tmp_path) == len(LATER)

        after = room.run(room.incidents.open_alarms())
        assert [(one.alarm_id, one.occurrence, one.is_active, one.n_calls) for one in after] == [
            (one.alarm_id, one.occurrence, one.is_active, one.n_calls) for one in before
        ]
        crash = next(alarm for alarm in after if alarm.kind == "collision")
        assert crash.quality is Quality.STALE
        assert room.run(room.incidents.snapshot_bytes(crash.incident_id)) == JPEG
    finally:
        room.close()
