import asyncio
import errno
import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from core.access.model import SYSTEM
from core.drones.export import ExportFormat
from core.drones.history import EXPORT_PART_BYTES, DroneHistory
from core.drones.imports import flights_of
from core.drones.log_files import _TOPICS, _df_home, _px4_receiver, read_log
from core.drones.mavlink.decode import Parts
from core.drones.mavlink.intake import Intake
from core.drones.mavlink.player import reports_of
from core.drones.mavlink.raw_log import HOUR, RawLogs
from core.drones.mavlink.tlog import read_tlog, stamp
from core.drones.merge import LiveDrone
from core.drones.model import FlightChanged, ImportedLog, Landed
from core.drones.rules import DroneCondition, DroneRule
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


def with_room(tmp_path, body, clock=None):
    async def run():
        room = Room(tmp_path, clock or FakeClock(AT))
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


def flown_before(tmp_path, seconds=25):
    """Return a drone that flies, and the clock of a node that ended meanwhile."""
    drone = SimDrone(SCRIPT)

    async def body(room):
        room.fly(drone, seconds)
        return room.clock

    return drone, with_room(tmp_path, body)


def test_a_flight_goes_on_where_its_drone_is_heard_again_after_a_restart(tmp_path):
    drone, clock = flown_before(tmp_path)
    clock.advance(seconds=5)

    async def body(room):
        (begun,) = await room.history.flights()
        remembered = room.drones.state("mav-1")
        assert (remembered.flight_id, remembered.landed) == (begun.flight_id, Landed.AIR)
        assert remembered.position is not None
        room.fly(drone, 1)
        assert room.drones.state("mav-1").flight_id == begun.flight_id
        room.fly(drone, 25)
        (flight,) = await room.history.flights()
        track = await room.history.track(flight.flight_id)

        assert flight.flight_id == begun.flight_id
        assert (flight.was_interrupted, flight.has_lost_end) == (True, False)
        assert flight.duration_s(room.clock.now()) == pytest.approx(38, abs=2)
        assert len(track) == flight.n_points
        assert sorted({point.at for point in track}) == [point.at for point in track]

    with_room(tmp_path, body, clock)


def test_a_flight_whose_drone_landed_while_the_node_was_away_ends_where_it_was_heard_last(tmp_path):
    drone, clock = flown_before(tmp_path)
    heard_at = clock.now()
    for _ in range(230):
        drone.step()
        clock.advance(seconds=0.1)

    async def body(room):
        room.fly(drone, 2)
        (flight,) = await room.history.flights()

        assert (flight.was_interrupted, flight.has_lost_end) == (True, True)
        assert flight.ended_at == (await room.history.track(flight.flight_id))[-1].at
        assert (heard_at - flight.ended_at).total_seconds() < 10
        assert room.drones.state("mav-1").flight_id == ""

    with_room(tmp_path, body, clock)


def test_a_drone_that_is_not_heard_again_after_a_restart_is_lost_in_the_air_where_it_was(tmp_path):
    _, clock = flown_before(tmp_path)
    begun = []

    async def body(room):
        room.bus.subscribe(DroneCondition, lambda event: begun.append((event.rule, event.is_begin)))
        room.drones.watch()
        room.clock.advance(seconds=10)
        room.drones.watch()
        assert (DroneRule.LINK_LOST, True) not in begun, "links open first"
        room.clock.advance(seconds=6)
        room.drones.watch()
        assert (DroneRule.LINK_LOST, True) in begun
        assert room.drones.state("mav-1").position is not None
        assert (await room.history.flights())[0].ended_at is None
        room.clock.advance(seconds=600)
        room.drones.watch()
        (flight,) = await room.history.flights()
        assert (flight.was_interrupted, flight.has_lost_end) == (True, True)

    with_room(tmp_path, body, clock)


def test_removing_a_drone_in_flight_ends_its_flight_where_it_was_heard_last(tmp_path):
    async def body(room):
        room.fly(SimDrone(SCRIPT), 25)
        room.clock.advance(seconds=30)
        await room.drones.remove(SYSTEM, "mav-1")
        (flight,) = await room.history.flights()

        assert flight.has_lost_end
        assert (room.clock.now() - flight.ended_at).total_seconds() == pytest.approx(30, abs=2)

    with_room(tmp_path, body)


def test_a_flight_is_told_where_it_begins_and_ends_and_written_every_few_seconds(tmp_path):
    async def body(room):
        told, drone, writes = [], SimDrone(SCRIPT), []
        room.bus.subscribe(FlightChanged, lambda event: told.append(event.flight.ended_at is not None))
        write = room.store.write
        room.store.write = lambda work: (writes.append(work), write(work))[1]
        for _ in range(51):
            room.fly(drone, 1)
            await room.history.keep()

        assert told == [False, True]
        assert len(writes) <= 8

    with_room(tmp_path, body)


def test_a_disk_that_is_full_is_said_counted_and_tried_again(tmp_path, monkeypatch):
    async def body(room):
        drone, full = SimDrone(SCRIPT), [True]
        store = RawLogs.store

        def storing(logs, pieces):
            if full[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            store(logs, pieces)

        monkeypatch.setattr(RawLogs, "store", storing)
        room.fly(drone, 1)
        await room.history.keep()
        (fault,) = room.history.raw_logs.faults()
        assert "No space left on device" in fault
        assert "messages wait" in fault
        room.fly(drone, 1)
        full[0] = False
        await room.history.keep()

        assert room.history.raw_logs.faults() == ()
        found = list(room.history.raw_logs.read("udp", AT - HOUR, AT + HOUR, system=1))
        assert len({at for at, _ in found}) == 20
        assert [at for at, _ in found] == sorted(at for at, _ in found)

    with_room(tmp_path, body)


class FullDisk(io.FileIO):
    """A file on a disk that has room for 10 bytes."""

    has_taken = False

    def write(self, data):
        if self.name.suffix == ".idx":
            return super().write(data)
        if self.has_taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.has_taken = True
        return super().write(data[:10])


def test_what_a_disk_takes_only_a_part_of_leaves_no_half_of_a_message(tmp_path, monkeypatch):
    logs, drone, intake = RawLogs(tmp_path), SimDrone(SCRIPT), Intake("udp")

    def say(at):
        logs.write("udp", at, [frame for packet in drone.step() for frame in intake.feed(packet, at)])

    say(AT)
    logs.store(logs.take())
    (file,) = tmp_path.rglob("*.tlog")
    before = file.read_bytes()
    say(AT + timedelta(seconds=1))
    pieces = logs.take()
    with monkeypatch.context() as full:
        full.setattr(Path, "open", lambda file, mode, **_how: FullDisk(file, mode))
        with pytest.raises(OSError, match="No space left"):
            logs.store(pieces)
    assert file.read_bytes() == before
    logs.give_back(pieces)
    logs.store(logs.take())

    assert len({at for at, _ in logs.read("udp", AT - HOUR, AT + HOUR, system=1)}) == 2


def test_who_writes_at_once_writes_nothing_twice(tmp_path):
    async def body(room):
        drone = SimDrone(SCRIPT)
        for _ in range(20):
            room.fly(drone, 0.5)
            await asyncio.gather(room.history.keep(), room.history.flights(), room.history.keep())
        found = list(room.history.raw_logs.read("udp", AT - HOUR, AT + HOUR, system=1))
        assert len({at for at, _ in found}) == 100
        assert [at for at, _ in found] == sorted(at for at, _ in found)

    with_room(tmp_path, body)


def test_what_is_exported_can_be_read_by_others(tmp_path):
    async def body(room):
        room.fly(SimDrone(SCRIPT), 51)
        (flight,) = await room.history.flights()
        files = {kind: await room.drones.export(SYSTEM, flight.flight_id, kind) for kind in ExportFormat}
        data = {kind: await fetched(room, exported) for kind, exported in files.items()}
        return flight, files, data, await room.history.track(flight.flight_id)

    flight, files, data, track = with_room(tmp_path, body)

    spaces = {"g": "http://www.topografix.com/GPX/1/1", "x": "http://www.google.com/kml/ext/2.2"}
    points = ET.fromstring(data[ExportFormat.GPX]).findall(".//g:trkpt", spaces)
    assert len(points) == len(track)
    assert float(points[0].get("lat")) == pytest.approx(track[0].point.lat_deg)
    assert len(ET.fromstring(data[ExportFormat.KML]).findall(".//x:coord", spaces)) == len(track)
    feature = json.loads(data[ExportFormat.GEOJSON])["features"][0]
    assert len(feature["geometry"]["coordinates"]) == len(feature["properties"]["times"]) == len(track)
    assert data[ExportFormat.CSV].count(b"\n") == len(track) + 1
    entries = list(read_tlog(data[ExportFormat.TLOG]))
    assert entries[0][0] <= flight.began_at < flight.ended_at <= entries[-1][0]
    assert files[ExportFormat.GPX].name == "Drone-1-20260101-120011.gpx"


async def fetched(room, exported):
    """Return the bytes of an export, part by part."""
    data = b""
    while part := await room.history.export_part(SYSTEM, exported.export_id, len(data)):
        assert len(part) <= EXPORT_PART_BYTES
        data += part
    assert len(data) == exported.n_bytes
    return data


def test_an_export_of_any_length_comes_in_parts_and_is_not_kept_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("core.drones.history.EXPORT_PART_BYTES", 4096)

    async def body(room):
        room.fly(SimDrone(SCRIPT), 51)
        (flight,) = await room.history.flights()
        exported = [await room.drones.export(SYSTEM, flight.flight_id, ExportFormat.TLOG) for _ in range(9)]
        assert exported[-1].n_bytes > 10 * 4096
        assert len(list(read_tlog(await fetched(room, exported[-1])))) > 1000
        with pytest.raises(BadInputError, match="not kept any more"):
            await room.history.export_part(SYSTEM, exported[0].export_id, 0)
        with pytest.raises(BadInputError, match="not kept any more"):
            await room.history.export_part(SYSTEM, "../../db.sqlite3", 0)

    with_room(tmp_path, body)
    assert len(list((tmp_path / "drones" / "exported").iterdir())) == 8
    with_room(tmp_path, lambda room: asyncio.sleep(0))
    assert list((tmp_path / "drones" / "exported").iterdir()) == []


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
        flights = (await room.history.import_file(SYSTEM, file)).flights
        assert len(flights) == n_flights
        last = max(flights, key=lambda flight: flight.began_at)
        end = await room.history.replay(last.flight_id, last.ended_at + timedelta(days=1))
        again = LiveDrone(last.drone_id)
        for report in read_log(file):
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
        begun = await room.history.import_part(SYSTEM, upload_id="u1", name="v.tlog", data=data[:half], is_last=False)
        assert begun == ImportedLog()
        log = await room.history.import_part(SYSTEM, upload_id="u1", name="v.tlog", data=data[half:], is_last=True)
        (flight,) = log.flights
        assert log.notes == ()
        assert (flight.drone_id, flight.source) == ("file v", "v.tlog")

    with_room(tmp_path, body)


@cache
def log_of_three(seconds=44):
    """Return a telemetry log of three drones that fly at once."""
    drones = [SimDrone(replace(SCRIPT, system=system, height_m=10.0 * system)) for system in (1, 2, 3)]
    entries, at = [], AT
    for _ in range(seconds * 10):
        entries += [stamp(at) + packet for drone in drones for packet in drone.step()]
        at += timedelta(seconds=0.1)
    return b"".join(entries)


@pytest.mark.parametrize(
    ("drone_id", "ids"),
    [
        ("mav-2", {"file f", "mav-2", "file f mav-3"}),
        ("Falcon", {"Falcon", "file f mav-2", "file f mav-3"}),
    ],
)
def test_the_drone_that_a_log_is_said_to_be_of_is_the_one_of_that_id_or_the_first(tmp_path, drone_id, ids):
    file = tmp_path / "f.tlog"
    file.write_bytes(log_of_three(15))

    assert {flight.drone_id for flight in flights_of(file, "f.tlog", "x", drone_id).flights} == ids


def test_a_log_of_several_drones_has_the_flights_of_each(tmp_path):
    async def body(room):
        log = await room.history.import_part(SYSTEM, upload_id="u1", name="f.tlog", data=log_of_three(), is_last=True)
        assert [flight.drone_id for flight in log.flights] == ["file f", "file f mav-2", "file f mav-3"]
        assert "3 drones (mav-1, mav-2, mav-3)" in log.notes[0]
        heights = [flight.max_height_m for flight in log.flights]
        assert heights == [pytest.approx(10.0 * system, abs=1) for system in (1, 2, 3)]
        for flight in log.flights:
            middle = flight.began_at + (flight.ended_at - flight.began_at) / 2
            state = (await room.history.replay(flight.flight_id, middle)).state
            assert state.value("altitude_home_m") == pytest.approx(flight.max_height_m, abs=1)
        exported = await room.drones.export(SYSTEM, log.flights[1].flight_id, ExportFormat.TLOG)
        systems = {report.drone_id for report in reports_of(read_tlog(await fetched(room, exported)), "x")}
        assert systems == {"mav-2"}

    with_room(tmp_path, body)


@pytest.mark.parametrize("drone_id", ["../../etc", "x" * 65, "a\nb", " d"])
def test_an_import_names_a_drone_and_no_path(tmp_path, drone_id):
    async def body(room):
        if drone_id == "../../etc":
            log = await room.history.import_part(
                SYSTEM, upload_id="u1", name="../../f.tlog", data=log_of_three(15), is_last=True, drone_id=drone_id
            )
            assert log.flights[0].log_file.startswith("imported/")
            return
        with pytest.raises(BadInputError):
            await room.history.import_part(
                SYSTEM, upload_id="u1", name="f.tlog", data=b"x", is_last=True, drone_id=drone_id
            )

    with_room(tmp_path, body)
    assert {file.parent.name for file in tmp_path.rglob("*.tlog")} <= {"imported"}


def test_uploads_that_nobody_goes_on_with_are_few_and_do_not_stay(tmp_path):
    folder = tmp_path / "drones" / "imported"

    async def body(room):
        for number in range(8):
            await room.history.import_part(SYSTEM, upload_id=f"u{number}", name="f.tlog", data=b"x", is_last=False)
        with pytest.raises(BadInputError, match="at once"):
            await room.history.import_part(SYSTEM, upload_id="u9", name="f.tlog", data=b"x", is_last=False)
        for file in folder.iterdir():
            os.utime(file, (0, AT.timestamp() - 7200))
        await room.history.forget(AT)
        assert list(folder.iterdir()) == []
        await room.history.import_part(SYSTEM, upload_id="u9", name="f.tlog", data=b"x", is_last=False)

    with_room(tmp_path, body)
    with_room(tmp_path, lambda room: asyncio.sleep(0))
    assert list(folder.iterdir()) == []


def test_columns_that_a_log_lacks_are_named(tmp_path, monkeypatch):
    file = testdata("mavlink/px4_sample_log_small.ulg")
    monkeypatch.setitem(_TOPICS, "battery_status", lambda row, _parts: row["no_such_column"])

    async def body(room):
        log = await room.history.import_file(SYSTEM, file)
        assert log.flights
        assert log.notes == ("Its topic battery_status has no column no_such_column, and was not read whole.",)

    with_room(tmp_path, body)


def test_the_zero_of_an_estimator_is_not_home():
    parts = Parts(at=AT)
    _df_home(SimpleNamespace(Type=0, Lat=50.0, Lng=8.0, Alt=100.0), parts)
    assert "home" not in parts.others
    _df_home(SimpleNamespace(Type=1, Lat=50.0, Lng=8.0, Alt=100.0), parts)
    assert parts.others["home"].point == GeoPoint(50.0, 8.0)


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
