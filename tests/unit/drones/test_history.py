import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from core.access.model import SYSTEM
from core.drones.export import ExportFormat
from core.drones.history import DroneHistory
from core.drones.log_files import _px4_receiver, read_log
from core.drones.mavlink.decode import Parts
from core.drones.mavlink.intake import Intake
from core.drones.mavlink.player import reports_of
from core.drones.mavlink.raw_log import HOUR, RawLogs
from core.drones.mavlink.tlog import read_tlog, stamp
from core.drones.merge import LiveDrone
from core.drones.service import DroneService
from core.kernel.bus import Bus
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.sim.drones import DroneScript, SimDrone, square_around
from core.store.engine import open_store, sqlite_url
from tests.fixtures.testdata import testdata

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HOME = GeoPoint(36.0, -30.0)
SCRIPT = DroneScript(system=1, route=square_around(HOME, 60.0), height_m=20.0, waits_s=10.0, flies_s=20.0)


class Room:
    """A service with a store, and drones that fly as fast as the test wants."""

    def __init__(self, folder: Path, clock: FakeClock):
        self.clock, self.bus = clock, Bus()
        self.store = open_store(sqlite_url(folder / "db.sqlite3"), backups=folder, clock=clock)
        self.history = DroneHistory(store=self.store, bus=self.bus, clock=clock, folder=folder / "drones")
        self.drones = DroneService(store=self.store, bus=self.bus, clock=clock, history=self.history)
        self.intake = Intake("udp")

    def fly(self, drone: SimDrone, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            at = self.clock.now()
            for packet in drone.step():
                self.history.raw_logs.write("udp", at, self.intake.feed(packet, at))
            for report in self.intake.flush():
                self.drones.take(report)
            self.drones.watch()
            self.clock.advance(seconds=0.1)


def with_room(tmp_path, body):
    async def run():
        room = Room(tmp_path, FakeClock(AT))
        try:
            await room.drones.restore()
            return await body(room)
        finally:
            await room.drones.close()
            await room.store.close()

    return asyncio.run(run())


def test_a_flight_is_kept_from_take_off_to_landing(tmp_path):
    async def body(room):
        drone = SimDrone(SCRIPT)
        room.fly(drone, 25)
        (begun,) = await room.history.flights()
        assert begun.ended_at is None
        assert room.drones.state("mav-1").flight_id == begun.flight_id

        room.fly(drone, 26)
        (flight,) = await room.history.flights("mav-1")
        track = await room.history.track(flight.flight_id)

        assert flight.duration_s(room.clock.now()) == pytest.approx(33, abs=2)
        assert flight.max_height_m == pytest.approx(20.0, abs=0.6)
        assert flight.distance_m == pytest.approx(240.0, rel=0.1)
        assert flight.battery_used_percent == pytest.approx(2, abs=1)
        assert flight.n_points == len(track)
        assert 15 < len(track) < 50
        assert room.drones.state("mav-1").flight_id == ""

    with_room(tmp_path, body)


def test_a_climb_on_the_spot_is_part_of_the_track(tmp_path):
    async def body(room):
        room.fly(SimDrone(SCRIPT), 16)
        (flight,) = await room.history.flights()
        heights = [point.altitude_home_m for point in await room.history.track(flight.flight_id)]
        steps = [after - before for before, after in pairwise(heights)]
        assert len(heights) >= 4
        assert all(3.0 <= step < 7.0 for step in steps), "3 m/s, at most a point a second"

    with_room(tmp_path, body)


def test_a_replay_at_any_speed_ends_in_the_state_that_was_known_live(tmp_path):
    async def body(room):
        drone = SimDrone(SCRIPT)
        room.fly(drone, 30)
        live, at = room.drones.state("mav-1"), room.clock.now() - timedelta(seconds=0.05)
        room.fly(drone, 21)
        (flight,) = await room.history.flights()
        assert flight.ended_at is not None
        for step_s in (0.5, 7.0):
            when = flight.began_at
            while when < at:
                await room.history.replay(flight.flight_id, when)
                when += timedelta(seconds=step_s)
            replayed = (await room.history.replay(flight.flight_id, at)).state

            assert replayed.values == live.values
            assert (replayed.position, replayed.home, replayed.mode) == (live.position, live.home, live.mode)
            assert (replayed.batteries, replayed.gnss, replayed.mission) == (live.batteries, live.gnss, live.mission)

    with_room(tmp_path, body)


def test_a_node_that_ended_in_flight_says_that_nobody_saw_the_end(tmp_path):
    async def first(room):
        room.fly(SimDrone(SCRIPT), 25)

    async def second(room):
        (flight,) = await room.history.flights()
        assert flight.has_lost_end
        assert flight.ended_at == (await room.history.track(flight.flight_id))[-1].at

    with_room(tmp_path, first)
    with_room(tmp_path, second)


def test_what_is_exported_can_be_read_by_others(tmp_path):
    async def body(room):
        room.fly(SimDrone(SCRIPT), 51)
        (flight,) = await room.history.flights()
        files = {kind: await room.drones.export(SYSTEM, flight.flight_id, kind) for kind in ExportFormat}
        return flight, files, await room.history.track(flight.flight_id)

    flight, files, track = with_room(tmp_path, body)

    spaces = {"g": "http://www.topografix.com/GPX/1/1", "x": "http://www.google.com/kml/ext/2.2"}
    points = ET.fromstring(files[ExportFormat.GPX].data).findall(".//g:trkpt", spaces)
    assert len(points) == len(track)
    assert float(points[0].get("lat")) == pytest.approx(track[0].point.lat_deg)
    assert len(ET.fromstring(files[ExportFormat.KML].data).findall(".//x:coord", spaces)) == len(track)
    feature = json.loads(files[ExportFormat.GEOJSON].data)["features"][0]
    assert len(feature["geometry"]["coordinates"]) == len(feature["properties"]["times"]) == len(track)
    assert files[ExportFormat.CSV].data.count(b"\n") == len(track) + 1
    entries = list(read_tlog(files[ExportFormat.TLOG].data))
    assert entries[0][0] <= flight.began_at < flight.ended_at <= entries[-1][0]
    assert files[ExportFormat.GPX].name == "Drone-1-20260101-120011.gpx"


@pytest.mark.parametrize(
    ("name", "n_flights"),
    [
        ("ubc_2018-09-17.tlog", 6),
        ("sitl_vtol_quadplane.tlog", 1),
        ("px4_sample_log_small.ulg", 1),
        ("pymavlink_test.BIN", 1),
    ],
)
def test_logs_of_others_are_brought_in_and_replayed(tmp_path, name, n_flights):
    file = testdata(f"mavlink/{name}")

    async def body(room):
        flights = await room.history.import_file(SYSTEM, file)
        assert len(flights) == n_flights
        last = max(flights, key=lambda flight: flight.began_at)
        end = await room.history.replay(last.flight_id, last.ended_at + timedelta(days=1))
        again = LiveDrone(last.drone_id)
        for report in read_log(file, last.drone_id):
            again.take(report, report.at)
        assert end.state.position == again.state.position
        assert end.state.values == again.state.values
        assert await room.history.track(last.flight_id)

    with_room(tmp_path, body)


@pytest.mark.parametrize("name", ["a.tlog", "a.ulg", "a.bin", "a.txt"])
def test_what_is_no_log_is_refused_and_not_kept(tmp_path, name):
    async def body(room):
        with pytest.raises(BadInputError):
            await room.history.import_part(SYSTEM, upload_id="u1", name=name, data=b"no log at all" * 100, is_last=True)
        assert await room.history.flights() == ()

    with_room(tmp_path, body)
    assert list((tmp_path / "drones").rglob("*.*")) == []


def test_a_log_that_comes_in_parts_is_one(tmp_path):
    data = testdata("mavlink/sitl_vtol_quadplane.tlog").read_bytes()

    async def body(room):
        half = len(data) // 2
        assert (
            await room.history.import_part(SYSTEM, upload_id="u1", name="v.tlog", data=data[:half], is_last=False) == ()
        )
        (flight,) = await room.history.import_part(
            SYSTEM, upload_id="u1", name="v.tlog", data=data[half:], is_last=True
        )
        assert (flight.drone_id, flight.source) == ("file v", "v.tlog")

    with_room(tmp_path, body)


def test_raw_bytes_are_found_by_time_and_old_ones_forgotten(tmp_path):
    logs, drone, intake, at = RawLogs(tmp_path), SimDrone(SCRIPT), Intake("udp"), AT - timedelta(seconds=30)
    for number in range(600):
        logs.write("udp", at, [frame for packet in drone.step() for frame in intake.feed(packet, at)])
        at += timedelta(seconds=0.1)
        if number % 10 == 0:
            logs.store(logs.take())
    logs.store(logs.take())
    since, until = AT - timedelta(seconds=1), AT + timedelta(seconds=1)
    found = list(logs.read("udp", since, until, system=1))

    assert found[0][0] >= since
    assert found[-1][0] <= until
    assert len({at for at, _ in found}) == 21
    assert list(logs.read("udp", since, until, system=2)) == []
    radio = mavlink.MAVLink(None, srcSystem=51, srcComponent=68)
    said = mavlink.MAVLink_radio_status_message(180, 170, 90, 40, 41, 0, 3).pack(radio)
    logs.write("udp", AT, Intake("udp").feed(bytes(said), AT))
    logs.store(logs.take())
    assert bytes(said) in [data for _, data in logs.read("udp", AT - HOUR, AT + HOUR, system=1)]
    assert logs.forget(AT) == 0
    assert logs.forget(AT + timedelta(seconds=1)) == 1
    assert len(list(reports_of(logs.read("udp", AT - timedelta(hours=1), AT, system=1), "x"))) == 1


def test_a_stamp_before_each_message_is_read_back(tmp_path):
    packet = SimDrone(SCRIPT).step()[0]

    assert list(read_tlog(stamp(AT) + packet)) == [(AT, packet)]


@pytest.mark.parametrize(
    "place",
    [
        {"lat": 47.0e7, "lon": 8.0e7, "alt": 430_000.0},
        {"latitude_deg": 47.0, "longitude_deg": 8.0, "altitude_msl_m": 430.0},
    ],
    ids=["before 1.14", "since 1.14"],
)
def test_a_receiver_is_read_by_the_names_of_old_and_new_px4(place):
    parts = Parts(at=AT)
    row = {"multi_id": 0.0, "fix_type": 3.0, "satellites_used": 11.0, "hdop": 0.8, "vdop": 1.1, "eph": 0.9}

    _px4_receiver(row | {"vel_m_s": 4.0} | place, parts)
    told = parts.report("d1", "file")

    assert (told.position.lat_deg, told.position.lon_deg) == pytest.approx((47.0, 8.0))
    assert told.values["altitude_amsl_m"] == pytest.approx(430.0)
