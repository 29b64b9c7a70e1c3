"""Minutes that cameras measure while the database is away: an outage of days and restarts within it lose none."""

import asyncio
import contextlib
import errno
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.kernel.wire import to_bytes
from core.store.engine import open_store, sqlite_url
from core.traffic import flow_spool, ledger
from core.traffic import service as traffic_service
from core.traffic.flow_spool import Batch, FlowSpool
from core.traffic.service import TrafficService
from core.vision.flow import FlowMinute
from tests.unit.traffic.test_flow import MINUTE, lane
from tests.unit.traffic.test_service import count

N_CAMERAS = 64


def at(n_minutes: int) -> FlowMinute:
    return lane(n_minutes % 40 + 1, minute=MINUTE + timedelta(minutes=n_minutes))


@contextlib.contextmanager
def outage(service: TrafficService) -> Iterator[None]:
    """Neither read nor write anything."""

    async def away(_work: object) -> None:
        raise UnavailableError("The server is gone.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service._store, "write", away)
        patch.setattr(service._store, "read", away)
        yield


async def store(service: TrafficService) -> None:
    """Store as the node does, again and again."""
    with contextlib.suppress(UnavailableError):
        await service.store_minutes()


async def measure_for(service, clock, *, n_minutes):
    """Measure one minute after the other, and try to store each."""
    for n in range(n_minutes):
        service.take_minutes([at(n)])
        clock.advance(seconds=180)
        await store(service)


def in_runs(tmp_path: Path, *bodies) -> FakeClock:
    """Run each body with a node's service of its own over the same database and data folder."""
    clock = FakeClock(MINUTE)

    async def run() -> None:
        for body in bodies:
            opened = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=clock)
            service = TrafficService(store=opened, bus=Bus(), clock=clock, folder=tmp_path / "waiting")
            try:
                await body(service, clock)
            finally:
                service.close()
                await opened.close()

    asyncio.run(run())
    return clock


async def measured(service: TrafficService) -> dict[str, int | None]:
    rows = await service.flow(since=MINUTE, n_most=1_000_000)
    return {f"{row.minute:%H:%M} {row.camera_id} {row.key}": row.n_vehicles for row in rows}


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "waiting").glob("*.minutes"))


def test_an_outage_that_is_longer_than_memory_holds_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_WAITING", 5 * N_CAMERAS)
    n_minutes = 40

    async def body(service, clock):
        with outage(service):
            for n in range(n_minutes):
                service.take_minutes([replace(at(n), camera_id=f"cam-{camera}") for camera in range(N_CAMERAS)])
                clock.advance(seconds=60)
                await store(service)
        assert await measured(service) == {}
        while files(tmp_path):
            await store(service)
        await store(service)

        found = await measured(service)
        assert len(found) == n_minutes * N_CAMERAS
        assert found["12:07 cam-3 lane-1"] == 8
        assert service.notices() == ()

    in_runs(tmp_path, body)


def test_a_node_that_ends_while_the_database_is_away_leaves_its_minutes_to_the_next(tmp_path):
    async def away(service, clock):
        with outage(service):
            service.take_minutes([at(0), at(1)])
            await store(service)
            await service.keep_waiting()

    async def back(service, clock):
        service.take_minutes([lane(5, observed_s=10.0, minute=at(1).minute)])
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 1, "12:01 cam-1 lane-1": 7}

    in_runs(tmp_path, away, back)
    assert files(tmp_path) == []


def test_a_minute_of_which_a_part_is_stored_is_whole_after_the_outage_and_counted_once(tmp_path):
    async def body(service, clock):
        service.take_minutes([lane(4, observed_s=20.0)])
        await store(service)
        service.take_minutes([lane(6, observed_s=30.0)])
        clock.advance(seconds=600)
        with outage(service):
            await store(service)
            assert len(files(tmp_path)) == 1
            # Late, of a worker that was restarted: its own part.
            service.take_minutes([lane(1, observed_s=5.0)])
            await store(service)
        await store(service)

        assert await measured(service) == {"12:00 cam-1 lane-1": 11}

    in_runs(tmp_path, body)


def test_a_node_that_is_killed_while_it_stores_what_waited_counts_nobody_twice(tmp_path, monkeypatch):
    async def away(service, clock):
        service.take_minutes([lane(4, observed_s=20.0)])
        await store(service)

    async def again(service, clock):
        service.take_minutes([lane(6, observed_s=20.0)])
        with outage(service):
            await service.keep_waiting()

    async def killed(service, clock):
        with monkeypatch.context() as patch:
            patch.setattr(FlowSpool, "remove", lambda *_: (_ for _ in ()).throw(KeyError("killed")))
            with pytest.raises(KeyError):
                await service.store_minutes()
        assert await measured(service) == {"12:00 cam-1 lane-1": 10}

    async def after(service, clock):
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 10}

    in_runs(tmp_path, away, again, killed, after)
    assert files(tmp_path) == []


def test_a_long_outage_is_stored_in_turns_and_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(traffic_service, "BATCHES_AT_ONCE", 2)

    async def body(service, clock):
        with outage(service):
            await measure_for(service, clock, n_minutes=5)
        await store(service)
        assert list(await measured(service)) == ["12:00 cam-1 lane-1", "12:01 cam-1 lane-1"]
        await store(service)
        await store(service)
        assert len(await measured(service)) == 5

    in_runs(tmp_path, body)


def test_what_does_not_fit_on_the_disk_is_given_up_oldest_first_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(flow_spool, "MAX_BYTES", 1200)

    async def body(service, clock):
        with outage(service):
            await measure_for(service, clock, n_minutes=20)
        for _ in range(4):
            await store(service)

        left = list(await measured(service))
        assert 2 <= len(left) < 20
        assert left[-1] == "12:19 cam-1 lane-1"
        ((sentence, hint),) = service.notices()
        assert sentence.startswith("What cameras measured from 2026-01-01 12:00 to 2026-01-01 12:")
        assert f"({20 - len(left)} min, {20 - len(left)} rows): more waited for the database than" in sentence
        assert hint

    in_runs(tmp_path, body)


def test_where_the_disk_takes_nothing_minutes_wait_in_memory_and_what_is_given_up_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_WAITING", 3)
    (tmp_path / "waiting").write_text("a file stands where the folder should")

    async def body(service, clock):
        with outage(service):
            await measure_for(service, clock, n_minutes=5)
        said = " ".join(sentence for sentence, _ in service.notices())
        assert "cannot be kept in" in said
        assert "(2 min, 2 rows): it could not be stored, and memory has room for 3 rows." in said
        await store(service)
        assert len(await measured(service)) == 3

    in_runs(tmp_path, body)


def test_a_file_that_cannot_be_read_is_put_aside_and_holds_up_no_other(tmp_path):
    async def away(service, clock):
        with outage(service):
            for n in range(2):
                service.take_minutes([at(n)])
                await service.keep_waiting()

    async def back(service, clock):
        await store(service)
        assert await measured(service) == {"12:01 cam-1 lane-1": 2}
        said = " ".join(sentence for sentence, _ in service.notices())
        assert "the file is kept as" in said
        assert "their file is damaged" in said

    in_runs(tmp_path, away)
    files(tmp_path)[0].write_bytes(b"half a fi")
    in_runs(tmp_path, back)
    assert list((tmp_path / "waiting").glob("*.damaged"))


def test_a_day_of_64_cameras_fits_many_times(tmp_path):
    spool = FlowSpool(tmp_path)
    rows = tuple(
        replace(
            at(camera + part), camera_id=f"camera-{camera}", key=f"lane-{part}", speed_kmh=30 + (camera * part) % 97
        )
        for camera in range(N_CAMERAS)
        for part in range(39)
    )
    assert spool.add(Batch(parts=rows))
    a_day = sum(file.stat().st_size for file in tmp_path.iterdir()) * 24 * 60
    assert a_day * 7 < flow_spool.MAX_BYTES


async def spool_one(service, clock):
    """Measure a minute of which a part is stored and a part waits on the disk."""
    service.take_minutes([lane(4, observed_s=20.0)])
    await store(service)


async def spool_another(service, clock):
    service.take_minutes([lane(6, observed_s=20.0)])
    with outage(service):
        await service.keep_waiting()


@contextlib.contextmanager
def failing(owner: object, name: str, *, ending: str) -> Iterator[None]:
    """Let one call of files of this ending fail as a broken disk does."""
    works = getattr(owner, name)

    def fail(path: Path, *args: object, **kwargs: object) -> object:
        if path.suffix == ending:
            raise OSError(errno.EIO, "Input/output error")
        return works(path, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fail)
        yield


def test_where_the_disk_does_not_take_the_whole_rows_nothing_is_stored_and_nobody_counted_twice(tmp_path):
    async def broken(service, clock):
        with failing(Path, "open", ending=".part"):
            for _ in range(2):
                with pytest.raises(UnavailableError, match="cannot be kept in"):
                    await service.store_minutes()
        assert await measured(service) == {"12:00 cam-1 lane-1": 4}

    async def after(service, clock):
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 10}
        assert service.notices() == ()

    in_runs(tmp_path, spool_one, spool_another, broken, after)
    assert files(tmp_path) == []


def test_where_the_disk_fails_later_minutes_go_to_the_database_and_those_that_it_touches_wait(tmp_path):
    async def broken(service, clock):
        service.take_minutes([lane(5, observed_s=10.0), at(1)])
        service.take_counts([count(3), count(4, minute=at(1).minute)])
        with failing(Path, "open", ending=".part"):
            for _ in range(2):
                with pytest.raises(UnavailableError, match="cannot be kept in"):
                    await service.store_minutes()
                assert await measured(service) == {"12:00 cam-1 lane-1": 4, "12:01 cam-1 lane-1": 2}
                assert await since_noon(service) == (4, 0)
                clock.advance(seconds=180)
                service.take_minutes([lane(1, observed_s=5.0)])
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 17, "12:01 cam-1 lane-1": 2}
        assert await since_noon(service) == (7, 0)

    in_runs(tmp_path, spool_one, spool_another, broken)
    assert files(tmp_path) == []


def test_where_folders_cannot_be_synced_minutes_are_kept_on_the_disk_and_counted_once(tmp_path, monkeypatch):
    sync = os.fsync

    def refuse_folders(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    async def still_away(service, clock):
        with outage(service):
            service.take_minutes([at(1)])
            await service.keep_waiting()
        assert len(files(tmp_path)) == 2
        assert service.notices() == ()

    async def after(service, clock):
        await service.store_minutes()
        assert await measured(service) == {"12:00 cam-1 lane-1": 10, "12:01 cam-1 lane-1": 2}

    monkeypatch.setattr(os, "fsync", refuse_folders)
    in_runs(tmp_path, spool_one, spool_another, still_away, after)
    assert files(tmp_path) == []


def test_a_file_that_cannot_be_removed_is_stored_once_and_writes_over_nothing_newer(tmp_path):
    async def stuck(service, clock):
        with failing(Path, "unlink", ending=".minutes"):
            await store(service)
            service.take_minutes([lane(5, observed_s=10.0)])
            await store(service)
            assert await measured(service) == {"12:00 cam-1 lane-1": 15}
            ((sentence, _),) = service.notices()
            assert "cannot be removed from" in sentence

    async def after(service, clock):
        assert len(files(tmp_path)) == 1
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 15}

    in_runs(tmp_path, spool_one, spool_another, stuck, after)
    assert files(tmp_path) == []


def test_a_file_that_could_not_be_removed_goes_as_soon_as_it_can(tmp_path):
    async def body(service, clock):
        with failing(Path, "unlink", ending=".minutes"):
            await store(service)
        await store(service)
        assert service.notices() == ()

    in_runs(tmp_path, spool_one, spool_another, body)
    assert files(tmp_path) == []


def test_a_disk_that_does_not_give_a_file_just_now_costs_no_minutes(tmp_path):
    async def body(service, clock):
        with failing(Path, "read_bytes", ending=".minutes"):
            with pytest.raises(UnavailableError, match="cannot be read from"):
                await service.store_minutes()
            ((sentence, _),) = service.notices()
            assert "Input/output error" in sentence
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 10}
        assert service.notices() == ()

    in_runs(tmp_path, spool_one, spool_another, body)
    assert list((tmp_path / "waiting").iterdir()) == []


def test_a_file_that_somebody_took_away_holds_up_nothing_and_is_said(tmp_path):
    async def body(service, clock):
        assert service._spool.oldest() is not None
        files(tmp_path)[0].unlink()
        service.take_minutes([at(1)])
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 4, "12:01 cam-1 lane-1": 2}
        ((sentence, _),) = service.notices()
        assert "somebody took their file away" in sentence

    in_runs(tmp_path, spool_one, spool_another, body)


def gate(n_minutes: int) -> FlowMinute:
    return FlowMinute(
        camera_id="cam", subject="line", key="l1", direction="north", minute=MINUTE + timedelta(minutes=n_minutes)
    )


async def since_noon(service: TrafficService) -> tuple[int, int]:
    """Return the vehicles of today, and the minutes that a node which starts now takes for complete."""
    totals = await service.totals(since=MINUTE)
    counted = await service.counted_minutes(since=MINUTE)
    return totals.get("cam", {}).get("l1", {}).get("north", 0), sum(minute.is_complete for minute in counted)


def test_counts_over_lines_wait_with_their_minutes_and_are_complete_when_these_are(tmp_path):
    async def away(service, clock):
        service.take_counts([count(3)])
        await store(service)
        service.take_counts([count(4)])
        service.take_minutes([gate(0)])
        with outage(service):
            await store(service)
            await service.keep_waiting()

    async def first(service, clock):
        assert await since_noon(service) == (3, 0)
        service.take_counts([count(1)])
        await store(service)

    async def second(service, clock):
        assert await since_noon(service) == (8, 1)

    in_runs(tmp_path, away, first, second)
    assert files(tmp_path) == []


def test_a_node_that_is_killed_while_the_database_is_away_loses_no_counts_of_minutes_that_it_kept(tmp_path):
    async def killed(service, clock):
        with outage(service):
            for n in range(4):
                service.take_counts([count(5, minute=MINUTE + timedelta(minutes=n))])
                service.take_minutes([gate(n)])
                clock.advance(seconds=60)
                await store(service)

    async def after(service, clock):
        await store(service)
        n_vehicles, n_complete = await since_noon(service)
        assert n_complete == 2
        assert n_vehicles == 5 * n_complete

    in_runs(tmp_path, killed, after)


def test_a_node_that_is_killed_while_it_stores_counts_that_waited_counts_nobody_twice(tmp_path, monkeypatch):
    async def away(service, clock):
        service.take_counts([count(4)])
        await store(service)
        service.take_counts([count(6)])
        with outage(service):
            await service.keep_waiting()

    async def killed(service, clock):
        with monkeypatch.context() as patch:
            patch.setattr(FlowSpool, "remove", lambda *_: (_ for _ in ()).throw(KeyError("killed")))
            with pytest.raises(KeyError):
                await service.store_minutes()
        assert await since_noon(service) == (10, 0)

    async def after(service, clock):
        await store(service)
        assert await since_noon(service) == (10, 0)

    in_runs(tmp_path, away, killed, after)


@pytest.mark.parametrize("is_written", [True, False])
def test_counts_whose_storing_was_broken_off_are_neither_lost_nor_counted_twice(tmp_path, is_written):
    async def ending(service, clock):
        service.take_counts([count(4)])
        begun = asyncio.Event()
        write = service._store.write

        async def hang(work: object) -> None:
            if is_written:
                await write(work)
            begun.set()
            await asyncio.sleep(60.0)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service._store, "write", hang)
            storing = asyncio.create_task(service.store_minutes())
            await begun.wait()
            storing.cancel()
            await asyncio.gather(storing, return_exceptions=True)
            await service.keep_waiting()

    async def after(service, clock):
        await store(service)
        assert await since_noon(service) == (4, 0)

    in_runs(tmp_path, ending, after)


def test_where_the_disk_takes_no_counts_they_wait_in_memory_with_what_comes_since(tmp_path):
    (tmp_path / "waiting").write_text("a file stands where the folder should")

    async def body(service, clock):
        with outage(service):
            service.take_counts([count(4)])
            clock.advance(seconds=180)
            await store(service)
            service.take_counts([count(1)])
        await store(service)
        assert await since_noon(service) == (5, 0)

    in_runs(tmp_path, body)


def test_counts_that_are_given_up_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "MAX_WAITING", 2)
    (tmp_path / "waiting").write_text("a file stands where the folder should")

    async def body(service, clock):
        with outage(service):
            service.take_counts([count(1, minute=MINUTE + timedelta(minutes=n)) for n in range(3)])
            service.take_minutes([gate(2)])
            await store(service)
        ((sentence, hint),) = service.notices()
        assert "12:00 is lost in part (1 min, 1 rows): it could not be stored" in sentence
        assert "the room on the node's disk" in hint

    in_runs(tmp_path, body)


def test_a_file_of_an_earlier_version_without_counts_is_stored(tmp_path):
    folder = tmp_path / "waiting"
    folder.mkdir()
    second = int(MINUTE.timestamp())
    (folder / f"000000001-{second}-{second}-1.minutes").write_bytes(
        zlib.compress(to_bytes({"parts": [lane(4)], "wholes": []}))
    )

    async def body(service, clock):
        await store(service)
        assert await measured(service) == {"12:00 cam-1 lane-1": 4}

    in_runs(tmp_path, body)
    assert files(tmp_path) == []
