"""What waits for the database is on the disk, in order, whole and for nobody else's eyes."""

import asyncio
import errno
import os
import resource
import signal
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.incidents.same_event import View
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint
from core.node import call_spool
from core.node.call_spool import FILE_NAME, CallSpool, SpooledCall
from core.vision.model import Observation, ObservationKind, Phase

JPEG = b"\xff\xd8 a picture \xff\xd9"


def call(name, jpeg=JPEG):
    return SpooledCall(
        observation=Observation(
            observation_id=name,
            camera_id="north",
            kind=ObservationKind.COLLISION,
            phase=Phase.BEGIN,
            rule_key="zone-a",
            rule_name="Lane A",
            condition_key=f"collision:{name}",
            pts_s=1.0,
            captured_at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
            bbox_xyxy=(0.1, 0.2, 0.3, 0.4),
            values={"n_vehicles": 2.0},
            position=GeoPoint(lat_deg=48.0, lon_deg=11.0),
        ),
        camera_name="Ring North",
        view=View(position=GeoPoint(lat_deg=48.0, lon_deg=11.0), heading_deg=90.0, view_angle_deg=60.0),
        call_from=0.5,
        jpeg=jpeg,
    )


CALLS = [call(name) for name in "abc"]


def run_spool(folder, scenario):
    """Run `await scenario(spool, left)` on a spool as a node opens it, and close it."""

    async def run():
        spool = CallSpool(folder, FakeClock(datetime(2026, 11, 22, 3, 10, tzinfo=UTC)))
        left = await spool.open()
        try:
            return await scenario(spool, list(left))
        finally:
            await spool.close()

    return asyncio.run(run())


def fill(folder, calls=CALLS):
    async def scenario(spool, _left):
        for one in calls:
            spool.add(one)

    run_spool(folder, scenario)


def left_in(folder):
    async def scenario(spool, left):
        return left, spool.notice

    return run_spool(folder, scenario)


def test_what_was_not_stored_is_there_at_the_next_start_in_its_order_and_again_until_it_is_stored(tmp_path):
    fill(tmp_path)

    assert left_in(tmp_path) == (CALLS, "")
    assert left_in(tmp_path) == (CALLS, "")


def test_what_is_stored_leaves_the_disk_with_the_last_of_it(tmp_path):
    fill(tmp_path)

    async def scenario(spool, left):
        for one in left:
            spool.forget(one.observation.observation_id)

    run_spool(tmp_path, scenario)

    assert (tmp_path / FILE_NAME).read_bytes() == b""
    assert left_in(tmp_path) == ([], "")


def test_what_comes_while_the_last_is_forgotten_stays(tmp_path):
    async def scenario(spool, _left):
        spool.add(CALLS[0])
        spool.forget("a")
        spool.add(CALLS[1])

    run_spool(tmp_path, scenario)

    assert left_in(tmp_path) == ([CALLS[1]], "")


def test_the_record_that_a_crash_cut_off_costs_itself_alone_and_nothing_after_it(tmp_path):
    fill(tmp_path)
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    for n_missing in (1, 40, len(whole) // 3 - 5):
        path.write_bytes(whole[:-n_missing])

        assert left_in(tmp_path) == (CALLS[:2], "")
        fill(tmp_path, [call("d")])
        assert left_in(tmp_path) == ([*CALLS[:2], call("d")], "")


@pytest.mark.parametrize("at", [0, 5, 9, 60])
def test_a_damaged_record_costs_itself_alone_and_the_file_is_kept_for_whoever_can_read_more(tmp_path, at):
    fill(tmp_path)
    path = tmp_path / FILE_NAME
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3 + at] ^= 0xFF
    path.write_bytes(damaged)

    left, notice = left_in(tmp_path)

    aside = tmp_path / "waiting-calls-20261122-031000.damaged"
    assert left == [CALLS[0], CALLS[2]]
    assert notice == (
        f"Of the calls that waited for the database 2 could be read and others not; the file is kept as {aside}."
    )
    assert aside.read_bytes() == damaged
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert left_in(tmp_path) == (left, "")


def test_a_file_of_something_else_is_kept_aside_and_the_node_goes_on(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(os.urandom(5000))

    left, notice = left_in(tmp_path)

    assert left == []
    assert "0 could be read" in notice
    fill(tmp_path)
    assert left_in(tmp_path) == (CALLS, "")


def test_only_the_owner_can_read_it(tmp_path):
    (tmp_path / FILE_NAME).touch(0o644)

    fill(tmp_path)

    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_full_spool_keeps_calls_without_their_pictures_and_then_in_memory_only(tmp_path, monkeypatch):
    n_bytes = len(call_spool._record(CALLS[0]))
    n_bare = len(call_spool._record(call("b", b"")))
    monkeypatch.setattr(call_spool, "MAX_BYTES", n_bytes)
    monkeypatch.setattr(call_spool, "MAX_BYTES_BARE", n_bytes + n_bare)

    async def run():
        spool = CallSpool(tmp_path, FakeClock())
        await spool.open()
        for one in CALLS:
            spool.add(one)
        await spool.close()
        return spool.notice

    assert "More calls wait for the database" in asyncio.run(run())
    assert left_in(tmp_path)[0] == [CALLS[0], call("b", b"")]


async def add_while_the_disk_takes_nothing(spool, folder, waiting):
    (folder / FILE_NAME).mkdir()
    spool.add(waiting)
    while "cannot be kept" not in spool.notice:
        await asyncio.sleep(0.01)
    (folder / FILE_NAME).rmdir()


def test_a_disk_that_takes_nothing_is_said_and_has_all_once_it_does(tmp_path):
    async def scenario(spool, _left):
        await add_while_the_disk_takes_nothing(spool, tmp_path, CALLS[0])
        spool.add(CALLS[1])
        while spool.notice:
            await asyncio.sleep(0.01)

    run_spool(tmp_path, scenario)

    assert left_in(tmp_path) == (CALLS[:2], "")


def test_a_file_that_cannot_be_read_is_said_and_keeps_no_node_from_starting(tmp_path):
    (tmp_path / FILE_NAME).mkdir()

    left, notice = left_in(tmp_path)

    assert left == []
    assert "cannot be read" in notice


def test_a_disk_without_room_leaves_no_half_record_behind(tmp_path):
    n_bytes = len(call_spool._record(CALLS[0]))
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    bound, most = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def scenario(spool, _left):
        spool.add(CALLS[0])
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes + 100, most))
            spool.add(CALLS[1])
            while "cannot be kept" not in spool.notice:
                await asyncio.sleep(0.01)
            n_left = (tmp_path / FILE_NAME).stat().st_size
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bound, most))
        spool.add(CALLS[2])
        return n_left

    try:
        assert run_spool(tmp_path, scenario) == n_bytes
    finally:
        signal.signal(signal.SIGXFSZ, ignored)

    assert left_in(tmp_path) == (CALLS, "")


def damage_one(folder):
    fill(folder)
    path = folder / FILE_NAME
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3 + 60] ^= 0xFF
    path.write_bytes(damaged)
    return bytes(damaged)


def test_where_the_damaged_file_cannot_be_put_aside_the_rest_is_stored_and_the_file_stays_for_the_next_start(tmp_path):
    damaged = damage_one(tmp_path)
    aside = tmp_path / "waiting-calls-20261122-031000.damaged"
    aside.mkdir()

    async def scenario(spool, left):
        assert "cannot be put aside" in spool.notice
        for one in left:
            spool.forget(one.observation.observation_id)
        return left

    assert run_spool(tmp_path, scenario) == [CALLS[0], CALLS[2]]

    assert (tmp_path / FILE_NAME).read_bytes() == damaged
    aside.rmdir()
    assert left_in(tmp_path)[0] == [CALLS[0], CALLS[2]]
    assert aside.read_bytes() == damaged


def test_a_file_that_cannot_be_read_just_now_is_not_emptied(tmp_path, monkeypatch):
    fill(tmp_path)

    def refuse(_path):
        raise PermissionError(errno.EACCES, "used by another process")

    async def scenario(spool, left):
        assert "cannot be read" in spool.notice
        spool.add(call("d"))
        spool.forget("d")
        return left

    with monkeypatch.context() as while_it_lasts:
        while_it_lasts.setattr(Path, "read_bytes", refuse)
        assert run_spool(tmp_path, scenario) == []

    assert left_in(tmp_path)[0][:3] == CALLS


def test_what_a_disk_did_not_take_is_tried_once_more_at_the_end(tmp_path):
    async def scenario(spool, _left):
        await add_while_the_disk_takes_nothing(spool, tmp_path, CALLS[0])

    run_spool(tmp_path, scenario)

    assert left_in(tmp_path) == ([CALLS[0]], "")


def test_of_what_a_disk_does_not_take_only_so_many_pictures_stay_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(call_spool, "MAX_BEHIND", 2)

    async def scenario(spool, _left):
        (tmp_path / FILE_NAME).mkdir()
        for one in (*CALLS, call("d")):
            spool.add(one)
        while "cannot be kept" not in spool.notice:
            await asyncio.sleep(0.01)
        (tmp_path / FILE_NAME).rmdir()

    run_spool(tmp_path, scenario)

    assert left_in(tmp_path)[0] == [*CALLS[:2], call("c", b""), call("d", b"")]
