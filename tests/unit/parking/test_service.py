import asyncio
from datetime import UTC, datetime, timedelta

from core.field.model import FieldEvent, Reading
from core.field.service import FieldEventReceived, ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.parking.model import LotChanged
from core.parking.service import ParkingService
from core.store.engine import open_store

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def with_service(url, folder, body):
    async def run():
        bus = Bus()
        store = open_store(url, backups=folder, clock=FakeClock())
        service = ParkingService(store=store, bus=bus, clock=FakeClock(AT))
        told = []
        bus.subscribe(LotChanged, told.append)
        try:
            await service.restore()
            return await body(service, bus, told)
        finally:
            await service.close()
            await store.close()

    return asyncio.run(run())


def say(bus, values, *, stream="occupancy", second=0):
    reading = Reading(device_id="lot/a", stream=stream, at=AT + timedelta(seconds=second), values=values)
    bus.publish(ReadingReceived("lot", reading))


def figures(service):
    return [(lot.n_bays, lot.n_occupied, lot.n_unknown) for lot in service.lots()]


def test_a_change_is_told_and_kept_and_a_repetition_is_not(any_store, tmp_path):
    async def body(service, bus, told):
        for second, free in enumerate([10, 10, 9]):
            say(bus, {"totalSpotNumber": 40, "availableSpotNumber": free, "unknownSpotNumber": 1}, second=second)
        await service.close()

        assert figures(service) == [(40, 30, 1)]
        assert [event.occupancy.n_occupied for event in told] == [29, 30]
        assert [item.n_occupied for item in await service.history("lot/a", since=AT)] == [29, 30]

    with_service(any_store, tmp_path, body)


def test_what_came_late_does_not_replace_what_is_newer(any_store, tmp_path):
    async def body(service, bus, _told):
        say(bus, {"totalSpotNumber": 40, "availableSpotNumber": 1}, second=10)
        say(bus, {"totalSpotNumber": 40, "availableSpotNumber": 30}, second=5)

        assert figures(service) == [(40, 39, 0)]

    with_service(any_store, tmp_path, body)


def test_bays_that_speak_for_themselves_make_a_lot(any_store, tmp_path):
    async def body(service, bus, _told):
        for bay, values in enumerate([{"occupied": 1.0}, {"occupied": 0.0}, {"unknown": 1.0}, {"closed": 1.0}]):
            say(bus, values, stream=f"bay-{bay}")
        assert figures(service) == [(3, 1, 1)]

        event = FieldEvent(
            device_id="lot/a",
            seq=1,
            event_id="",
            event_type="ParkingSpot",
            at=AT + timedelta(seconds=5),
            received_at=AT,
            boot="",
            is_good=True,
            is_history=False,
            data={"bay": "bay-1", "status": "occupied"},
        )
        bus.publish(FieldEventReceived("lot", event))
        assert figures(service) == [(3, 2, 1)]

    with_service(any_store, tmp_path, body)


def test_a_lot_that_counts_itself_is_not_overruled_by_the_few_bays_that_speak(any_store, tmp_path):
    async def body(service, bus, _told):
        say(bus, {"totalSpotNumber": 40, "availableSpotNumber": 10})
        say(bus, {"occupied": 1.0}, stream="bay-1", second=1)

        assert figures(service) == [(40, 30, 0)]

    with_service(any_store, tmp_path, body)


def test_the_newest_occupancy_is_there_again_after_a_restart(any_store, tmp_path):
    async def fill(_service, bus, _told):
        say(bus, {"totalSpotNumber": 40, "availableSpotNumber": 10})
        say(bus, {"totalSpotNumber": 40, "availableSpotNumber": 4}, second=1)

    async def look(service, _bus, _told):
        return figures(service)

    with_service(any_store, tmp_path, fill)

    assert with_service(any_store, tmp_path, look) == [(40, 36, 0)]
