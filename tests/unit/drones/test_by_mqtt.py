"""A drone that is a field device: its readings are reports, and what is not known stays unknown."""

import asyncio
from datetime import timedelta

import pytest

from core.drones.by_mqtt import report_of, take_from_field
from core.drones.model import Fix, Landed
from core.field.kinds.drone import KIND, DroneState
from core.field.model import Device, Reading
from core.field.service import ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint

CLOCK = FakeClock()


def reading(age_s: float = 0.0, **values: float) -> Reading:
    return Reading(device_id="drone/q-1", stream="state", at=CLOCK.now() - timedelta(seconds=age_s), values=values)


def test_its_words_become_the_rooms():
    said = DroneState(
        lat=47.0, lon=8.0, heading_deg=90, battery=71, satellites=14, fix="3d", armed=True, landed="air"
    ).values()
    report = report_of(reading(**said), name="Quad", now=CLOCK.now())

    assert (report.position, report.values) == (GeoPoint(47.0, 8.0), {"heading_deg": 90.0})
    assert (report.batteries[0].remaining_percent, report.gnss[0].n_satellites) == (71.0, 14)
    assert report.gnss[0].fix is Fix.THREE_D
    assert (report.is_armed, report.landed, report.is_heartbeat) == (True, Landed.AIR, True)


def test_what_it_did_not_say_is_not_known_and_no_fix_is_no_place():
    report = report_of(reading(lat=0.0, lon=0.0, homeLat=47.0, satellites=9.0), name="", now=CLOCK.now())

    assert report.position is None
    assert report.home is None
    assert (report.batteries, report.gnss, report.is_armed, report.landed) == ((), (), None, None)


def test_what_lay_on_the_broker_is_no_sign_of_life():
    assert not report_of(reading(age_s=20.0, battery=50.0), name="", now=CLOCK.now()).is_heartbeat


def test_only_what_drones_say_now_is_handed_on():
    async def run():
        bus, taken = Bus(), []
        named = Device(device_id="drone/q-1", kind=KIND.key, name="Quad")
        take_from_field(bus, CLOCK, device=lambda _id: named, take=taken.append)
        bus.publish(ReadingReceived(kind="lot", reading=reading(battery=1.0)))
        late = Reading(device_id="drone/q-1", stream="state", at=CLOCK.now(), values={}, is_history=True)
        bus.publish(ReadingReceived(kind=KIND.key, reading=late))
        bus.publish(ReadingReceived(kind=KIND.key, reading=reading(battery=2.0)))
        assert [(one.drone_id, one.name, one.link_id) for one in taken] == [("drone/q-1", "Quad", "mqtt")]

    asyncio.run(run())


@pytest.mark.parametrize("wrong", [{"lat": 91}, {"battery": 101}, {"heading_deg": "north"}, {"landed": "up"}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DroneState.model_validate(wrong)
