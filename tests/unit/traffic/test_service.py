import asyncio
from datetime import UTC, datetime, timedelta

from core.field.model import Reading
from core.field.service import ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.store.engine import open_store, sqlite_url
from core.traffic.model import LineCount
from core.traffic.service import StationCongestion, TrafficService
from core.vision.model import Phase

MINUTE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def count(n_vehicles, *, minute=MINUTE, label="car", camera_id="cam"):
    return LineCount(
        camera_id=camera_id,
        line_key="l1",
        direction="north",
        label=label,
        minute=minute,
        n_vehicles=n_vehicles,
    )


def with_service(tmp_path, body):
    async def run():
        clock, bus = FakeClock(), Bus()
        store = open_store(sqlite_url(tmp_path / "db.sqlite3"), backups=tmp_path, clock=clock)
        service = TrafficService(store=store, bus=bus, clock=clock)
        try:
            await body(service, bus, clock)
        finally:
            service.close()
            await store.close()

    asyncio.run(run())


def say(bus, clock, *, speed, occupancy=0.5, lane="lane-1", age_s=0.0, is_good=True, kind="station"):
    reading = Reading(
        device_id="station/a",
        stream=lane,
        at=clock.now() - timedelta(seconds=age_s),
        values={"averageVehicleSpeed": speed, "occupancy": occupancy, "intensity": 5.0},
        is_good=is_good,
    )
    bus.publish(ReadingReceived(kind, reading))


def test_counts_of_one_minute_are_added_up(tmp_path):
    async def body(service, _bus, _clock):
        service.take_counts([count(2), count(3, label="bus")])
        await service.store_minutes()
        service.take_counts([count(5, minute=MINUTE + timedelta(seconds=40))])
        await service.store_minutes()
        service.take_counts([count(9, camera_id="other"), count(1, minute=MINUTE - timedelta(minutes=1))])
        service.take_counts([count(4, label="person")])
        await service.store_minutes()
        found = await service.totals(since=MINUTE)

        assert found == {"cam": {"l1": {"north": 10, "north (people)": 4}}, "other": {"l1": {"north": 9}}}

    with_service(tmp_path, body)


def phases_of(bus):
    """Return a list that fills with what is told of jams."""
    told = []
    bus.subscribe(StationCongestion, lambda event: told.append(event.phase))
    return told


def test_a_jam_is_told_when_it_begins_and_when_it_ends(tmp_path):
    async def body(service, bus, clock):
        told = []
        bus.subscribe(StationCongestion, told.append)
        for speed in [8] * 8 + [45] * 14:
            say(bus, clock, speed=speed)
            clock.advance(seconds=10)

        assert [(event.phase, event.condition_key) for event in told] == [
            (Phase.BEGIN, "station/station/a/congestion"),
            (Phase.END, "station/station/a/congestion"),
        ]
        assert told[0].values["averageVehicleSpeed"] == 8

    with_service(tmp_path, body)


def test_silence_and_doubt_never_end_a_jam(tmp_path):
    async def body(service, bus, clock):
        told = phases_of(bus)
        for _ in range(8):
            say(bus, clock, speed=8)
            clock.advance(seconds=10)
        clock.advance(seconds=3600)
        for _ in range(20):
            say(bus, clock, speed=45, is_good=False)
            say(bus, clock, speed=45, age_s=600)
            clock.advance(seconds=10)

        assert told == [Phase.BEGIN]

    with_service(tmp_path, body)


def test_one_free_lane_out_of_two_keeps_its_weight_only_while_it_is_heard(tmp_path):
    async def body(service, bus, clock):
        told = phases_of(bus)
        say(bus, clock, speed=80, lane="lane-2", occupancy=0.05)
        clock.advance(seconds=100)
        for _ in range(8):
            say(bus, clock, speed=8)
            clock.advance(seconds=10)

        assert told == [Phase.BEGIN]

    with_service(tmp_path, body)


def test_other_kinds_of_devices_raise_no_jam(tmp_path):
    async def body(service, bus, clock):
        told = phases_of(bus)
        for _ in range(20):
            say(bus, clock, speed=1, kind="other")
            clock.advance(seconds=10)

        assert told == []

    with_service(tmp_path, body)


def test_a_jam_that_was_closed_while_its_station_was_silent_is_told_anew(tmp_path):
    async def body(service, bus, clock):
        told = phases_of(bus)
        for _ in range(2):
            for _ in range(8):
                say(bus, clock, speed=8)
                clock.advance(seconds=10)
            service.forget_jam("station/a")

        assert told == [Phase.BEGIN, Phase.BEGIN]

    with_service(tmp_path, body)
