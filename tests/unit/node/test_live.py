import asyncio

from core.field.model import Device, Reading, Twin
from core.node.live import PORTION, Changes, LiveCollector, without_defaults
from core.parking.model import BayState, BayStatus
from tests.fixtures.alarms import AT, alarm


def reading(value, device="d"):
    return Reading(device_id=device, stream="flow", at=AT, values={"speed": value})


def run(scenario):
    async def main():
        pushes = []
        await scenario(LiveCollector(pushes.append), pushes)

    asyncio.run(main())


def test_of_many_readings_within_a_tenth_of_a_second_only_the_newest_is_pushed():
    async def scenario(live, pushes):
        for value in range(200):
            live.add_reading(reading(float(value)))
        live.add_reading(reading(7.0, "other"))
        await asyncio.sleep(0.15)

        assert len(pushes) == 1
        assert [(r.device_id, r.values["speed"]) for r in pushes[0].readings] == [("d", 199.0), ("other", 7.0)]

    run(scenario)


def test_an_alarm_does_not_wait_for_the_readings():
    async def scenario(live, pushes):
        live.add_reading(reading(1.0))
        live.add_alarm(alarm(1))
        await asyncio.sleep(0.01)

        assert [item.version for item in pushes[0].alarms] == [1]

    run(scenario)


def test_an_alarm_that_changed_twice_is_pushed_in_its_last_state():
    async def scenario(live, pushes):
        live.add_alarm(alarm(1))
        live.add_alarm(alarm(2))
        await asyncio.sleep(0.01)

        assert [[item.version for item in push.alarms] for push in pushes] == [[2]]

    run(scenario)


def test_a_quiet_room_pushes_nothing():
    async def scenario(live, pushes):
        live.add_reading(reading(1.0))
        await asyncio.sleep(0.3)

        assert len(pushes) == 1

    run(scenario)


def test_thousands_of_readings_are_divided_and_what_is_urgent_goes_first():
    async def scenario(live, pushes):
        for number in range(2 * PORTION + 1):
            live.add_reading(reading(float(number), f"d{number}"))
        live.add_alarm(alarm(1))
        await asyncio.sleep(0.01)

        assert [len(push.readings) for push in pushes] == [PORTION, PORTION, 1]
        assert [len(push.alarms) for push in pushes] == [1, 0, 0]
        told = [one.device_id for push in pushes for one in push.readings]
        assert told == [f"d{number}" for number in range(2 * PORTION + 1)]

    run(scenario)


def test_of_a_removed_device_no_reading_comes_after_its_removal_and_of_one_that_is_back_the_newest():
    async def scenario(live, pushes):
        for name in ("gone", "back", "other"):
            live.add_reading(reading(1.0, name))
            live.add_twin(Twin(device_id=name))
        for name in ("gone", "back"):
            live.remove_device(name)
        live.add_device(Device(device_id="back", kind="station", name="Back"))
        live.add_reading(reading(2.0, "back"))
        await asyncio.sleep(0.01)

        (push,) = pushes
        assert push.removed_devices == ("gone", "back")
        assert [(one.device_id, one.values["speed"]) for one in push.readings] == [("back", 2.0), ("other", 1.0)]
        assert [one.device_id for one in push.twins] == ["back", "other"]

    run(scenario)


def test_a_push_carries_only_what_changed():
    assert without_defaults(Changes(removed_cameras=("a",))) == {"removed_cameras": ("a",)}


def test_of_a_bay_the_newest_state_is_pushed_and_none_of_a_lot_that_was_removed():
    def bay(state, lot_id="quay"):
        return BayStatus(lot_id=lot_id, bay_id="A1", state=state, since=AT, at=AT, confidence=1.0, source="sensor:x")

    async def scenario(live, pushes):
        live.add_bays((bay(BayState.FREE), bay(BayState.FREE, "hill")))
        live.add_bays((bay(BayState.OCCUPIED),))
        live.remove_lot("hill")
        await asyncio.sleep(0.15)

        (push,) = pushes
        assert [(status.lot_id, status.state) for status in push.bays] == [("quay", BayState.OCCUPIED)]
        assert push.removed_lots == ("hill",)

    run(scenario)
