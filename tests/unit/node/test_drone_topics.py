"""Drones on the broker: what is known now, once a second; what is old is left out."""

import json
from dataclasses import replace
from datetime import timedelta

from core.drones.model import BatteryPack, Drone, DroneState, Landed, LinkHealth, Measured, Mode, Position
from core.field.kinds.drone import DroneState as OnBroker
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint
from core.node.drone_topics import DroneTopics

CLOCK = FakeClock()
NOW = CLOCK.now()


def told(*states: DroneState) -> list[tuple[str, dict]]:
    found: list[tuple[str, dict]] = []

    def publish(topic: str, payload: bytes, **_more) -> bool:
        found.append((topic, json.loads(payload)["data"]))
        return True

    topics = DroneTopics(tenant="city", boot="b", publish=publish)
    for state in states:
        topics.note((state,))
    topics.tell({"Quad 1": Drone(drone_id="Quad 1", name="Quad")}, NOW)
    topics.tell({}, NOW)
    return found


def state(age_s: float, health: LinkHealth = LinkHealth.LIVE) -> DroneState:
    at = NOW - timedelta(seconds=age_s)
    return DroneState(
        drone_id="Quad 1",
        health=health,
        position=Position(point=GeoPoint(47.0, 8.0), at=at),
        values={"heading_deg": Measured(90.0, at), "temperature_c": Measured(20.0, at)},
    )


def test_the_newest_of_a_second_is_told_once():
    ((topic, data),) = told(state(9.0), state(0.5))

    assert topic.startswith("watchfloor/v1/city/fleet/quad-1-")
    assert topic.endswith("/tele/state")
    assert (data["name"], data["link"], data["lat"], data["heading_deg"]) == ("Quad", "live", 47.0, 90.0)
    assert OnBroker.model_validate(data).lat == 47.0


def test_whether_it_is_armed_how_it_flies_and_its_charge_grow_old_by_themselves():
    def data(age_s: float) -> dict:
        at = NOW - timedelta(seconds=age_s)
        said = {
            "is_armed": True,
            "armed_at": at,
            "mode": Mode(name="Auto", at=at),
            "landed": Landed.AIR,
            "landed_at": at,
            "batteries": (BatteryPack(number=0, at=at, remaining_percent=70.0),),
        }
        return told(replace(state(0.5), **said))[0][1]

    assert {key: data(4.0).get(key) for key in ("armed", "mode", "landed", "battery")} == {
        "armed": True,
        "mode": "Auto",
        "landed": "air",
        "battery": 70.0,
    }
    assert data(11.0).keys() & {"armed", "mode", "landed", "battery"} == set()


def test_what_is_old_or_of_a_lost_drone_is_left_out():
    assert told(state(5.0))[0][1] == {"droneId": "Quad 1", "name": "Quad", "link": "live", "temperature_c": 20.0}
    assert told(state(0.5, LinkHealth.LOST))[0][1] == {"droneId": "Quad 1", "name": "Quad", "link": "lost"}
