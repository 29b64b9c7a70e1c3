"""The demo's lots, and the garage's sensors, gate and sign on a real broker."""

import json

from core.field.topics import AVAILABILITY_GROUP
from core.parking.checks import check_lot
from core.sim.city import load_city
from core.sim.lots import GARAGE_ID, demo_lots, market_garage
from tests.fixtures.mosquitto import mosquitto, start_mosquitto  # noqa: F401
from tests.fixtures.processes import wait_until
from tests.unit.sim.test_devices import ROOT, SMALL, core, start_fleet  # noqa: F401


def test_the_demo_has_a_lot_of_its_city_and_a_garage_of_two_levels():
    west, garage = demo_lots(load_city())[0], market_garage()

    for lot in (west, garage):
        check_lot(lot)
        assert all(bay.outline for bay in lot.bays)
    assert len(west.bays) == 24
    assert (len(garage.bays), {bay.level for bay in garage.bays}) == (80, {0, 1})


def test_every_bay_of_the_garage_is_told_once_and_its_gate_counts(start_fleet, core):  # noqa: F811
    start_fleet(SMALL, garages=(market_garage(),))
    events = core.heard[f"parking/{GARAGE_ID}/evt"]
    wait_until(lambda: len(events) >= 80 and core.heard[f"parking/{GARAGE_ID}/state/gate"], what="80 bays and a gate")

    told = [json.loads(body) for body in events]
    names = {said["data"]["name"] for said in told if said["type"] == "ParkingSpot"}
    assert names == {bay.bay_id for bay in market_garage().bays}


def test_a_sign_shows_what_the_site_publishes_and_is_dark_where_nobody_knows(start_fleet, core):  # noqa: F811
    start_fleet(SMALL, garages=(market_garage(),))
    shown = core.heard[f"sign/sign-{GARAGE_ID}/state/display"]
    wait_until(lambda: shown, what="the sign")
    assert json.loads(shown[0])["data"] == {"dark": 1}

    def publish(**data):
        topic = f"{ROOT}/{AVAILABILITY_GROUP}/{GARAGE_ID}/state/lot"
        ts = json.loads(shown[0])["ts"]
        core.publish(topic, {"v": 1, "type": "OffStreetParking", "ts": ts, "data": data}, retain=True)

    publish(availableSpotNumber=31)
    wait_until(lambda: json.loads(shown[-1])["data"] == {"dark": 0, "availableSpotNumber": 31}, what="31")
    publish(totalSpotNumber=80)
    wait_until(lambda: json.loads(shown[-1])["data"] == {"dark": 1}, what="a dark sign")
