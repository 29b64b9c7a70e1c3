"""Minutes that cameras measured: stored once, whatever is restarted or away meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.store.engine import open_store, sqlite_url
from core.traffic.flow import joined
from core.traffic.service import FlowMeasured, TrafficService
from core.vision.flow import FlowMinute

MINUTE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def lane(
    n_vehicles: int = 4, *, observed_s: float = 60.0, minute: datetime = MINUTE, key: str = "lane-1"
) -> FlowMinute:
    return FlowMinute(
        camera_id="cam-1",
        subject="lane",
        key=key,
        minute=minute,
        observed_s=observed_s,
        n_vehicles=n_vehicles,
        speed_kmh=50.0,
        speed_error_kmh=1.0,
        occupancy=0.2,
        density_per_km=8.0,
        queue_m=0.0,
    )


def with_services(tmp_path: Path, *bodies: Callable[[TrafficService], Awaitable[None]], bus: Bus | None = None) -> None:
    """Run each body with a service of its own over the same database: a node that is restarted."""

    async def run() -> None:
        for body in bodies:
            clock = FakeClock()
            store = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=clock)
            service = TrafficService(store=store, bus=bus or Bus(), clock=clock)
            try:
                await body(service)
            finally:
                service.close()
                await store.close()

    asyncio.run(run())


def test_a_minute_comes_back_as_it_was_measured(tmp_path):
    measured = lane()

    async def body(service):
        service.take_minutes([measured])
        await service.store_minutes()

        assert await service.flow(since=MINUTE, camera_id="cam-1") == [measured]
        assert await service.flow(since=MINUTE + timedelta(minutes=1)) == []
        assert await service.flow(since=MINUTE, camera_id="cam-2") == []

    with_services(tmp_path, body)


def test_storing_again_changes_nothing(tmp_path):
    async def body(service):
        service.take_minutes([lane(4)])
        await service.store_minutes()
        await service.store_minutes()

        assert [minute.n_vehicles for minute in await service.flow(since=MINUTE)] == [4]

    with_services(tmp_path, body)


def test_a_worker_restarted_within_a_minute_adds_its_part(tmp_path):
    async def body(service):
        service.take_minutes([lane(4, observed_s=20.0)])
        await service.store_minutes()
        service.take_minutes([replace(lane(6, observed_s=30.0), speed_kmh=60.0, queue_m=25.0, occupancy=0.1)])
        await service.store_minutes()

        (minute,) = await service.flow(since=MINUTE)
        assert (minute.n_vehicles, minute.observed_s, minute.queue_m) == (10, 50.0, 25.0)
        assert minute.speed_kmh == pytest.approx(56.0)
        assert minute.occupancy == pytest.approx(0.14)
        assert not minute.is_complete

    with_services(tmp_path, body)


def test_a_node_restarted_within_a_minute_adds_to_what_is_stored(tmp_path):
    async def before(service):
        service.take_minutes([lane(4, observed_s=20.0)])
        await service.store_minutes()

    async def after(service):
        service.take_minutes([lane(6, observed_s=30.0)])
        await service.store_minutes()
        await service.store_minutes()

        assert [minute.n_vehicles for minute in await service.flow(since=MINUTE)] == [10]

    with_services(tmp_path, before, after)


def test_how_much_of_each_minute_lines_counted_is_known_after_a_restart(tmp_path):
    gate = replace(lane(key="gate", observed_s=20.0), subject="line", direction="in")
    late = replace(gate, minute=MINUTE + timedelta(minutes=1), observed_s=60.0)

    async def before(service):
        service.take_minutes([gate, replace(gate, label="car"), late, lane(minute=MINUTE - timedelta(minutes=1))])
        await service.store_minutes()
        service.take_minutes([gate])
        await service.store_minutes()

    async def after(service):
        found = await service.counted_minutes(since=MINUTE)
        assert {(one.camera_id, one.minute): one.observed_s for one in found} == {
            ("cam-1", MINUTE): 40.0,
            ("cam-1", late.minute): 60.0,
        }

    with_services(tmp_path, before, after)


def test_a_write_that_went_through_without_an_answer_counts_nobody_twice(tmp_path, monkeypatch):
    async def body(service):
        write = service._store.write

        async def write_and_lose_the_answer(work):
            await write(work)
            raise UnavailableError("The connection broke.")

        service.take_minutes([lane(4)])
        with monkeypatch.context() as patch:
            patch.setattr(service._store, "write", write_and_lose_the_answer)
            with pytest.raises(UnavailableError):
                await service.store_minutes()
        await service.store_minutes()

        assert [minute.n_vehicles for minute in await service.flow(since=MINUTE)] == [4]

    with_services(tmp_path, body)


def test_what_cannot_be_written_waits(tmp_path, monkeypatch):
    async def body(service):
        async def away(_):
            raise UnavailableError("The database is locked.")

        service.take_minutes([lane(4)])
        with monkeypatch.context() as patch:
            patch.setattr(service._store, "write", away)
            with pytest.raises(UnavailableError):
                await service.store_minutes()
        service.take_minutes([lane(1, minute=MINUTE + timedelta(minutes=1))])
        await service.store_minutes()

        assert [minute.n_vehicles for minute in await service.flow(since=MINUTE)] == [4, 1]

    with_services(tmp_path, body)


def test_measured_minutes_are_told_after_they_are_stored(tmp_path):
    bus, told = Bus(), []
    bus.subscribe(FlowMeasured, lambda event: told.extend(event.minutes))

    async def body(service):
        service.take_minutes([lane(4), lane(2, key="lane-2")])
        assert told == []
        await service.store_minutes()

    with_services(tmp_path, body, bus=bus)

    assert {minute.key: minute.n_vehicles for minute in told} == {"lane-1": 4, "lane-2": 2}


def test_what_one_part_does_not_know_the_other_says():
    part = replace(lane(0, observed_s=5.0), speed_kmh=None, speed_error_kmh=None, density_per_km=None, queue_m=None)

    whole = joined(part, lane(4, observed_s=40.0))

    assert (whole.speed_kmh, whole.density_per_km, whole.queue_m, whole.n_vehicles) == (50.0, 8.0, 0.0, 4)
    assert joined(replace(part, n_vehicles=None), replace(part, n_vehicles=None)).n_vehicles is None


def test_a_minute_seen_twice_is_no_longer_than_a_minute():
    assert joined(lane(observed_s=60.0), lane(observed_s=45.0)).observed_s == 60.0


def test_a_class_that_came_in_one_part_of_a_minute_was_watched_for_in_all_of_it(tmp_path):
    """Zero buses in the second half are as known as the total: no gap where there is none."""
    bus_row = replace(lane(2, observed_s=30.0), label="bus")

    async def first(service):
        service.take_minutes([lane(4, observed_s=30.0), bus_row])
        await service.store_minutes()

    async def second(service):
        service.take_minutes([lane(5, observed_s=29.0)])
        await service.store_minutes()

        rows = {minute.label: minute for minute in await service.flow(since=MINUTE)}

        assert (rows[""].n_vehicles, rows["bus"].n_vehicles) == (9, 2)
        assert rows["bus"].is_complete

    with_services(tmp_path, first, second)
