import asyncio
import json
from datetime import UTC, datetime

import pytest

from core.field.model import Device, Reading
from core.gateway.home_assistant import HomeAssistantAdapter
from tests.e2e.field.rig import ROOT, until
from tests.e2e.gateway.bus import Bus, Peer

NOW = datetime(2026, 11, 21, tzinfo=UTC)
TOPIC = "homeassistant/device/watchfloor-city-station_s1/config"
STATION = Device(device_id="station/s1", kind="station", name="Bridge Street", firmware="2.1")


class Site:
    """What we know of the field."""

    def __init__(self):
        self.devices = [STATION, Device(device_id="sparkplug/x", kind="other", name="Not on the broker")]
        self.readings = {}


def on_bus(broker, body):
    async def run():
        site = Site()

        def make(publish):
            return [
                HomeAssistantAdapter(
                    topic="homeassistant",
                    tenant="city",
                    version="0.1",
                    devices=lambda: site.devices,
                    newest=lambda device_id: site.readings.get(device_id, ()),
                    publish=publish,
                )
            ]

        peer = Peer(broker)
        peer.listen("homeassistant/device/#")
        try:
            async with Bus(broker, make) as bus:
                bus.gateway.tick()
                await body(bus, peer, site)
        finally:
            peer.close()

    asyncio.run(run())


def config(peer):
    return json.loads(peer.heard[TOPIC])


def test_a_station_is_found_with_its_quantities_units_and_whether_it_is_there(mosquitto):
    async def body(_bus, peer, _site):
        await until(lambda: TOPIC in peer.heard)
        told = config(peer)
        assert told["dev"] == {
            "ids": ["watchfloor-city-station_s1"],
            "name": "Bridge Street",
            "mf": "Watchfloor",
            "mdl": "Traffic station",
            "sw": "2.1",
        }
        assert told["o"]["name"] == "Watchfloor"
        speed = told["cmps"]["flow-averageVehicleSpeed"]
        assert (speed["p"], speed["unit_of_measurement"], speed["device_class"]) == ("sensor", "km/h", "speed")
        assert speed["state_topic"] == f"{ROOT}/station/s1/state/flow"
        assert speed["value_template"] == "{{ value_json.data['averageVehicleSpeed'] | default(none) }}"
        assert told["availability"][0]["topic"] == f"{ROOT}/station/s1/status"
        assert len({item["unique_id"] for item in told["cmps"].values()}) == len(told["cmps"])
        assert list(peer.heard) == [TOPIC], "only what stands on the broker is told"

    on_bus(mosquitto, body)


def test_what_is_told_stays_for_a_home_assistant_that_comes_later(mosquitto):
    async def body(_bus, peer, _site):
        await until(lambda: TOPIC in peer.heard)
        late = Peer(mosquitto)
        late.listen("homeassistant/device/#")
        await until(lambda: (TOPIC, peer.heard[TOPIC], True) in late.messages)
        late.close()

    on_bus(mosquitto, body)


def test_everything_is_told_anew_when_home_assistant_says_that_it_is_there(mosquitto):
    async def body(bus, peer, _site):
        await until(lambda: len(peer.messages) == 1)
        bus.gateway.tick()
        peer.say("homeassistant/status", b"online")
        await until(lambda: bus.report.n_messages == 1)
        assert len(peer.messages) == 1, "nothing had changed before"
        bus.gateway.tick()
        await until(lambda: len(peer.messages) == 2)
        assert "1 devices told" in bus.report.note

    on_bus(mosquitto, body)


def test_a_new_name_a_new_number_and_a_removal_are_told(mosquitto):
    async def body(bus, peer, site):
        await until(lambda: TOPIC in peer.heard)
        site.devices = [Device(device_id="station/s1", kind="station", name="Mill Road")]
        site.readings["station/s1"] = (
            Reading(device_id="station/s1", stream="air", at=NOW, values={"pm10": 12.0, "{{ evil }}": 1.0}),
        )
        bus.gateway.tick()
        await until(lambda: config(peer)["dev"]["name"] == "Mill Road")
        assert list(config(peer)["cmps"]) == ["air-pm10"]

        site.devices = []
        bus.gateway.tick()
        await until(lambda: peer.heard[TOPIC] == b"")

    on_bus(mosquitto, body)


@pytest.mark.parametrize("nonsense", [b"", b"\xff", b"maybe"])
def test_a_status_that_is_none_is_counted(mosquitto, nonsense):
    async def body(bus, peer, _site):
        peer.say("homeassistant/status", nonsense)
        await until(lambda: bus.report.n_bad_messages == 1)

    on_bus(mosquitto, body)
