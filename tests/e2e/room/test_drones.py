"""Drones that speak MAVLink to a real node: seen, called for, replayed and exported."""

import asyncio
import hashlib
import time
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from core.drones.export import ExportFormat
from core.drones.history import ExportedFile, ReplayedState
from core.drones.model import Drone, DroneLink, DroneState, Fence, Flight, Landed, LinkHealth, Signing, TrackPoint
from core.kernel.geo import GeoPoint
from core.sim.drones import DroneScript, DroneSwarm, SimDrone, square_around
from tests.fixtures.link import at_desk

pytestmark = pytest.mark.timeout(120)

HOME = GeoPoint(36.0, -30.0)
PASSPHRASE = "four quiet rotors"
SMALL = Fence(corners=tuple(square_around(GeoPoint(35.9999, -30.0001), 40.0)))


@pytest.mark.slow
def test_signed_drones_are_seen_call_for_help_and_are_replayed(start_node, monkeypatch):
    monkeypatch.setenv("WATCHFLOOR_SECRET_DRONE_LINK_ROOF", PASSPHRASE)
    node = start_node("vision.model=demo", "drones.links=roof=udp:127.0.0.1:0;require")
    key = hashlib.sha256(PASSPHRASE.encode()).digest()
    route = square_around(HOME, 120.0)
    good = SimDrone(
        DroneScript(system=1, route=route, height_m=6.0, waits_s=8.0, flies_s=16.0, speed_mps=15.0), key=key
    )
    lost = SimDrone(DroneScript(system=2, route=route, height_m=10.0, waits_s=0.0, flies_s=500.0), key=key)
    stranger = SimDrone(DroneScript(system=3, route=route, waits_s=0.0))

    async def scenario(desk):
        await desk.enter()
        call = desk.client.call
        (link,) = await call("drones.links", list[DroneLink])
        swarm = DroneSwarm((good, lost, stranger), host="127.0.0.1", port=int(link.address.rpartition(":")[2]))
        flying = asyncio.create_task(swarm.run())

        async def states():
            return {state.drone_id: state for state in await call("drones.states", list[DroneState])}

        async def until(is_true, what):
            deadline = time.monotonic() + 60
            while not is_true(await states()):
                assert time.monotonic() < deadline, what
                await asyncio.sleep(0.1)

        await until(lambda seen: {"mav-1", "mav-2"} <= seen.keys(), "both drones")
        seen = await states()
        assert seen.keys() == {"mav-1", "mav-2"}
        assert seen["mav-1"].links[0].signing is Signing.GOOD
        await until(lambda seen: seen["mav-2"].landed is Landed.AIR, "a take-off")

        fenced = await call("drones.set_fence", Drone, drone_id="mav-1", fence=SMALL, version=0)
        assert fenced.version == 1
        lost.is_autopilot_silent = True
        fence_alarm = await desk.until(lambda: desk.alarm("drone_fence"), "the fence's alarm")
        assert (fence_alarm.source_id, fence_alarm.position is not None) == ("mav-1", True)
        silence = await desk.until(lambda: desk.alarm("drone_link_lost"), "the silence's alarm")
        assert silence.source_id == "mav-2"
        silent = (await states())["mav-2"]
        assert silent.health is LinkHealth.LOST
        assert (silent.lost_at - silent.heartbeat_at).total_seconds() == pytest.approx(5.0, abs=0.5)
        assert silent.values["radio_signal"].at > silent.heartbeat_at + timedelta(seconds=4), "its radio still talks"

        await until(lambda seen: seen["mav-1"].landed is Landed.GROUND, "the landing")
        deadline = time.monotonic() + 20
        while True:
            (flight,) = await call("drones.flights", list[Flight], drone_id="mav-1")
            if flight.ended_at is not None:
                break
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        flying.cancel()
        track = await call("drones.history", list[TrackPoint], flight_id=flight.flight_id)
        middle = flight.began_at + timedelta(seconds=8)
        then = await call("drones.replay", ReplayedState, flight_id=flight.flight_id, at=middle)
        file = await call("drones.export", ExportedFile, flight_id=flight.flight_id, form=ExportFormat.GPX)
        data = await call("drones.export_part", bytes, export_id=file.export_id, first=0)
        (link,) = await call("drones.links", list[DroneLink])

        assert then.state.landed is Landed.AIR
        assert then.state.value("altitude_home_m") == pytest.approx(6.0, abs=0.6)
        assert len(ET.fromstring(data).findall(".//{*}trkpt")) == len(track) == flight.n_points
        assert link.n_bad_signatures > 0
        assert link.n_bytes_sent == 0

    at_desk(node.folder, scenario)
