import asyncio
import hashlib
import math
import os
import random
import select
import socket
import struct
import tty
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fastcrc.crc16 import mcrf4xx
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from core.drones.mavlink.address import parse_link
from core.drones.mavlink.dialect import CHECKSUM_EXTRAS
from core.drones.mavlink.frames import FrameSplitter
from core.drones.mavlink.hub import MavlinkHub
from core.drones.mavlink.intake import MAX_MESSAGES_PER_S, MAX_PATHS, Intake
from core.drones.mavlink.owners import Owners
from core.drones.mavlink.raw_log import RawLogs
from core.drones.mavlink.signed_times import SignedTimes
from core.drones.mavlink.signing import key_of
from core.drones.mavlink.tlog import read_tlog_file
from core.drones.model import DroneReport, Landed, LinkKind, Signing, SigningPolicy
from core.kernel.clock import FakeClock, SystemClock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.sim.drones import DroneScript, DroneSwarm, SimDrone, square_around

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HOME = GeoPoint(36.0, -30.0)
KEY = hashlib.sha256(b"a passphrase").digest()


class Voice:
    """Packs messages as a drone of our choice would send them."""

    def __init__(self, system=1, component=1, *, is_first_version=False):
        self.mav = mavlink.MAVLink(None, srcSystem=system, srcComponent=component)
        self.is_first_version = is_first_version

    def pack(self, message):
        packed = message.pack(self.mav, force_mavlink1=self.is_first_version)
        self.mav.seq = (self.mav.seq + 1) % 256
        return bytes(packed)

    def heartbeat(self, *, mav_type=2, autopilot=3, base_mode=0x81, custom_mode=5, status=4):
        return self.pack(mavlink.MAVLink_heartbeat_message(mav_type, autopilot, base_mode, custom_mode, status, 3))

    def position(self, *, lat=500_000_000, lon=80_000_000, alt=150_000, relative=50_000, hdg=9_000):
        return self.pack(
            mavlink.MAVLink_global_position_int_message(1000, lat, lon, alt, relative, 300, 400, -100, hdg)
        )

    def receiver(self, *, fix=3, satellites=12, eph=90):
        return self.pack(
            mavlink.MAVLink_gps_raw_int_message(1, fix, 500_000_000, 80_000_000, 150_000, eph, 0xFFFF, 0, 0, satellites)
        )

    def attitude(self, *, roll=0.1):
        return self.pack(mavlink.MAVLink_attitude_message(1000, roll, 0.2, 0.3, 0.0, 0.0, 0.0))


def heard(*packets, intake=None, at=AT):
    """Return the one report that packets of one datagram each add up to."""
    taking = intake or Intake("udp")
    for packet in packets:
        taking.feed(packet, at)
    (report,) = taking.flush()
    return report


# -- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_first_version", [False, True])
def test_a_stream_cut_anywhere_gives_the_same_messages(is_first_version):
    voice = Voice(is_first_version=is_first_version)
    stream = b"".join([voice.heartbeat(), voice.attitude(), voice.position(), voice.heartbeat()])
    whole = FrameSplitter(CHECKSUM_EXTRAS).feed(stream)

    for size in (1, 2, 7, 30):
        splitter = FrameSplitter(CHECKSUM_EXTRAS)
        parts = [frame for at in range(0, len(stream), size) for frame in splitter.feed(stream[at : at + size])]
        assert parts == whole
        assert splitter.n_corrupt == 0
    assert [frame.message_id for frame in whole] == [0, 30, 33, 0]


def test_one_broken_byte_costs_one_message():
    voice = Voice()
    packets = [voice.heartbeat(), voice.attitude(), voice.position()]
    broken = bytearray(packets[1])
    broken[15] ^= 0xFF
    splitter = FrameSplitter(CHECKSUM_EXTRAS)
    frames = splitter.feed(packets[0] + bytes(broken) + packets[2])

    assert [frame.message_id for frame in frames] == [0, 33]
    assert splitter.n_corrupt >= 1


def test_noise_around_messages_is_counted_and_hides_none():
    rng = random.Random(5)
    voice, splitter, n_found = Voice(), FrameSplitter(CHECKSUM_EXTRAS), 0
    for _ in range(200):
        n_found += len(splitter.feed(rng.randbytes(rng.randrange(40)) + voice.attitude()))
    # What looked like a long message still waits for its end.
    n_found += len(splitter.feed(bytes(600)))

    assert n_found == 200
    assert splitter.n_corrupt > 0


def test_an_unknown_message_is_counted_and_what_follows_is_read():
    unknown = struct.pack("<BBBBBBBHB", 0xFD, 4, 0, 0, 1, 1, 1, 50_000, 0) + bytes(6)
    splitter = FrameSplitter(CHECKSUM_EXTRAS)

    frames = splitter.feed(unknown + Voice().heartbeat())

    assert [frame.message_id for frame in frames] == [0]
    assert splitter.n_unknown == 1


# -- what messages say ------------------------------------------------------------------------------------------------


def test_a_flush_holds_the_newest_of_everything():
    voice = Voice()
    report = heard(
        voice.heartbeat(), voice.attitude(roll=0.1), voice.receiver(), voice.position(), voice.attitude(roll=0.2)
    )

    assert report.drone_id == "mav-1"
    assert report.is_heartbeat
    assert report.values["roll_deg"] == pytest.approx(math.degrees(0.2))
    assert report.position == GeoPoint(50.0, 8.0)
    assert (report.values["altitude_amsl_m"], report.values["altitude_home_m"]) == (150.0, 50.0)
    assert (report.mode, report.is_armed, report.landed, report.kind) == ("Loiter", True, Landed.AIR, "Quadrotor")


def test_what_is_unknown_is_left_out_and_never_zero():
    voice = Voice()
    battery = mavlink.MAVLink_battery_status_message(0, 0, 0, 32767, [0xFFFF] * 10, -1, -1, -1, -1)
    status = mavlink.MAVLink_sys_status_message(0, 0, 0, 0, 0xFFFF, -1, -1, 0, 0, 0, 0, 0, 0)
    report = heard(
        voice.heartbeat(),
        voice.receiver(fix=0, satellites=255, eph=0xFFFF),
        voice.position(lat=0, lon=0, hdg=0xFFFF),
        voice.pack(battery),
        voice.pack(status),
    )

    assert report.position is None
    assert "altitude_amsl_m" not in report.values
    assert "heading_deg" not in report.values
    assert report.batteries == ()
    (gnss,) = report.gnss
    assert (gnss.fix, gnss.n_satellites, gnss.hdop, gnss.vdop, gnss.accuracy_m) == (None,) * 5


def test_a_position_without_a_fix_is_not_plotted():
    voice = Voice()

    assert heard(voice.heartbeat(), voice.receiver(fix=1), voice.position()).position is None


def test_a_battery_speaks_for_each_pack():
    voice = Voice()
    packs = [
        mavlink.MAVLink_battery_status_message(
            number, 0, 1, 2_500, [4_000] * 4 + [0xFFFF] * 6, 1_200, 800, -1, percent, 600, 2, fault_bitmask=9
        )
        for number, percent in ((0, 80), (1, 40))
    ]
    first, second = heard(voice.heartbeat(), *(voice.pack(pack) for pack in packs)).batteries

    assert (first.remaining_percent, second.remaining_percent) == (80, 40)
    assert (first.voltage_v, first.current_a, first.used_mah, first.temperature_c, first.time_left_s) == (
        16.0,
        12.0,
        800,
        25.0,
        600,
    )
    assert (first.charge, first.faults) == ("low", ("deep discharge", "over current"))


def test_a_long_text_is_put_together():
    voice = Voice()
    words = ("x" * 50, "y" * 50, "end")
    chunks = [mavlink.MAVLink_statustext_message(4, text.encode(), 7, n) for n, text in enumerate(words)]
    (text,) = heard(voice.heartbeat(), *(voice.pack(chunk) for chunk in chunks)).texts

    assert text.text == "".join(words)
    assert text.level == "warning"


def test_a_clock_at_1970_is_not_shown():
    voice = Voice()
    clock = mavlink.MAVLink_system_time_message(12_000_000, 12_000)

    assert heard(voice.heartbeat(), voice.pack(clock)).sent_at is None


@pytest.mark.parametrize(
    ("autopilot", "mav_type", "custom_mode", "mode"),
    [
        (3, 2, 6, "Return (RTL)"),
        (3, 1, 10, "Auto"),
        (3, 20, 19, "Hover loiter"),
        (3, 12, 2, "Depth hold"),
        (3, 10, 4, "Hold"),
        (12, 2, 3 << 16, "Position"),
        (12, 2, 4 << 16 | 4 << 24, "Mission"),
        (12, 2, 4 << 16 | 5 << 24, "Return"),
        (3, 2, 999, "Mode 999"),
    ],
)
def test_modes_are_said_in_words(autopilot, mav_type, custom_mode, mode):
    assert heard(Voice().heartbeat(autopilot=autopilot, mav_type=mav_type, custom_mode=custom_mode)).mode == mode


def test_our_tables_of_modes_have_every_mode_that_pymavlink_knows():
    from pymavlink import mavutil

    from core.drones.mavlink import words

    for ours, theirs in (
        (words.COPTER_MODES, mavutil.mode_mapping_acm),
        (words.PLANE_MODES, mavutil.mode_mapping_apm),
        (words.ROVER_MODES, mavutil.mode_mapping_rover),
        (words.SUB_MODES, mavutil.mode_mapping_sub),
    ):
        assert theirs.keys() <= ours.keys()


# -- who speaks -------------------------------------------------------------------------------------------------------


def test_ground_stations_radios_and_cameras_are_no_drones():
    intake = Intake("udp")
    intake.feed(Voice(255, 190).heartbeat(mav_type=6, autopilot=8), AT)
    intake.feed(Voice(1, 100).heartbeat(mav_type=30, autopilot=8), AT)
    intake.feed(Voice(9, 1).attitude(), AT)

    assert intake.flush() == []


def test_a_radio_tells_of_the_link_and_is_no_heartbeat():
    voice, intake = Voice(), Intake("udp")
    heard(voice.heartbeat(), intake=intake)
    radio = Voice(51, 68).pack(mavlink.MAVLink_radio_status_message(200, 255, 90, 40, 50, 0, 0))
    report = heard(radio, intake=intake)

    assert not report.is_heartbeat
    assert report.values == {"radio_signal": 200, "radio_noise": 40, "radio_noise_remote": 50}


def test_what_a_drone_says_before_its_first_heartbeat_is_kept():
    voice = Voice()
    report = heard(voice.receiver(), voice.position(), voice.heartbeat())

    assert report.position == GeoPoint(50.0, 8.0)


def test_missing_numbers_are_the_loss():
    voice, intake = Voice(), Intake("udp")
    for number in range(100):
        packet = voice.heartbeat()
        if number % 4:
            intake.feed(packet, AT)
    (report,) = intake.flush()

    assert report.loss == pytest.approx(0.25, abs=0.02)


def test_two_drones_with_one_number_are_told_apart_by_their_hardware():
    owners = Owners()
    base = DroneReport(drone_id="mav-1", link_id="a", at=AT, system_id=1, name="Drone 1")
    owners.settled(replace(base, uid="11"))
    second = owners.settled(replace(base, link_id="b", uid="22"))

    assert second.drone_id == "mav-1@2"
    assert "Two drones say that they are system 1" in owners.faults("a")[0]
    assert owners.settled(replace(base, uid="11")).drone_id == "mav-1"


def test_two_drones_with_one_number_are_told_apart_by_where_they_are():
    owners = Owners()
    base = DroneReport(drone_id="mav-1", link_id="a", at=AT, system_id=1, name="Drone 1", position=HOME)
    owners.settled(base)
    far = replace(base, link_id="b", at=AT + timedelta(seconds=1), position=GeoPoint(36.1, -30.0))

    assert owners.settled(far).drone_id == "mav-1@2"


def test_a_drone_of_known_hardware_keeps_its_id_whoever_is_heard_first():
    owners = Owners(lambda: {"mav-1": "11", "mav-1@2": "22"})
    base = DroneReport(drone_id="mav-1", link_id="a", at=AT, system_id=1, name="Drone 1")

    assert owners.settled(replace(base, link_id="b", uid="22")).drone_id == "mav-1@2"
    assert owners.settled(replace(base, uid="11")).drone_id == "mav-1"


def test_another_drone_under_a_known_number_is_named_and_not_merged():
    owners = Owners(lambda: {"mav-1": "1111"})
    base = DroneReport(drone_id="mav-1", link_id="a", at=AT, system_id=1, name="Drone 1")
    report = owners.settled(replace(base, uid="9999"))

    assert report.drone_id == "mav-1@2"
    (fault,) = owners.faults("a")
    assert "hardware number ends with 9999" in fault
    owners.forget("mav-1@2")
    assert owners.faults("a") == ()


def test_hardware_numbers_that_take_turns_on_one_path_are_two_drones():
    owners = Owners(lambda: {"mav-1": "11"})
    base = DroneReport(drone_id="mav-1", link_id="a", at=AT, system_id=1, name="Drone 1")
    seen = [
        owners.settled(replace(base, uid=uid, at=AT + timedelta(seconds=second)))
        for second, uid in enumerate(("11", "22", "11"))
    ]

    assert [one.has_two_senders for one in seen] == [False, False, True]


def test_two_drones_that_take_turns_on_one_path_are_noticed_by_when_they_were_switched_on():
    drones = [SimDrone(DroneScript(system=1, route=square_around(HOME, 60.0))) for _ in range(2)]
    for _ in range(100):
        drones[1].step()
    alone, together = Intake("udp"), Intake("udp")
    for number in range(30):
        at = AT + timedelta(seconds=number * 0.1)
        packets = [drone.step() for drone in drones]
        alone.feed(b"".join(packets[0]), at)
        together.feed(b"".join(packets[0]), at)
        together.feed(b"".join(packets[1]), at)

    assert [report.has_two_senders for report in alone.flush()] == [False]
    assert [report.has_two_senders for report in together.flush()] == [True]


def test_one_drone_whose_router_joins_two_of_its_ports_is_one():
    drone, intake = SimDrone(DroneScript(system=1, route=square_around(HOME, 60.0))), Intake("udp")
    for number in range(60):
        at = AT + timedelta(seconds=number * 0.1)
        packets = drone.step()
        intake.feed(b"".join(packets), at)
        # The other port, a little later and with a counter of its own.
        intake.feed(b"".join(recounted(packet, 100) for packet in packets), at + timedelta(seconds=0.4))

    assert [report.has_two_senders for report in intake.flush()] == [False]


def recounted(packet, ahead):
    """Return a message with another number, checked anew."""
    raw = bytearray(packet)
    raw[4] = (raw[4] + ahead) & 0xFF
    extra = CHECKSUM_EXTRAS[int.from_bytes(raw[7:10], "little")]
    raw[-2:] = mcrf4xx(bytes((extra,)), mcrf4xx(bytes(raw[1:-2]), 0xFFFF)).to_bytes(2, "little")
    return bytes(raw)


def test_two_drones_of_one_number_have_their_bytes_apart(tmp_path):
    """Each under its own name, by sockets, as a node keeps them."""

    async def run():
        told, logs = {}, RawLogs(tmp_path)
        heard = asyncio.Event()

        def take(report):
            told[report.drone_id] = told.get(report.drone_id, 0) + 1
            if told.get("mav-1@2", 0) > 5:
                heard.set()

        hub = MavlinkHub(
            [parse_link("u=udp:127.0.0.1:0")], take=take, tell=lambda _links: None, clock=SystemClock(), raw_log=logs
        )
        listening = asyncio.create_task(hub.run())
        port = await hub.source("u").bound_port()
        drones = [
            SimDrone(DroneScript(system=1, route=square_around(home, 60.0), hardware=number))
            for number, home in ((11, HOME), (22, GeoPoint(37.0, -30.0)))
        ]
        swarms = [asyncio.create_task(DroneSwarm((drone,), host="127.0.0.1", port=port).run()) for drone in drones]
        async with asyncio.timeout(20):
            await heard.wait()
        for task in (*swarms, listening):
            task.cancel()
        await asyncio.gather(*swarms, listening, return_exceptions=True)
        logs.store(logs.take())
        return {file.parent.name: places_in(file) for file in tmp_path.rglob("*.tlog")}, hub.links()[0].faults

    places, faults = asyncio.run(run())

    assert set(places) == {"u", "u@2"}
    assert len(places["u@2"]) == 1
    assert any("Two drones say that they are system 1" in fault for fault in faults)


def places_in(file):
    """Return where the positions of a log are, in whole degrees north."""
    decoder = mavlink.MAVLink(None)
    messages = [decoder.decode(bytearray(data)) for _, data in read_tlog_file(file)]
    return {round(m.lat / 1e7) for m in messages if m.get_type() == "GLOBAL_POSITION_INT"}


def test_a_link_whose_listening_breaks_by_an_error_of_ours_is_named_and_opened_anew(monkeypatch, caplog):
    async def run():
        reports, told = asyncio.Queue(), []
        hub = MavlinkHub(
            [parse_link("u=udp:127.0.0.1:0")], take=reports.put_nowait, tell=told.append, clock=SystemClock()
        )
        source, once = hub.source("u"), [True]
        run_source = source.run

        async def run_badly(feed, on_open):
            if once.pop() if once else False:
                raise ZeroDivisionError("half of nothing")
            await run_source(feed, on_open)

        monkeypatch.setattr(source, "run", run_badly)
        listening = asyncio.create_task(hub.run())
        async with asyncio.timeout(20):
            port = await source.bound_port()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
                voice.sendto(b"".join(signed_drone(key=None).step()), ("127.0.0.1", port))
            report = await reports.get()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        return report, told

    report, told = asyncio.run(run())

    assert report.drone_id == "mav-4"
    assert any("ZeroDivisionError: half of nothing" in links[0].reason for links in told)
    assert [record.levelname for record in caplog.records if "broke off" in record.message] == ["ERROR"]


def test_a_router_that_relays_several_drones_brings_each_of_them():
    """As mavlink-router does: all from one address, several messages in a datagram."""

    async def run():
        seen = asyncio.Queue()
        hub = MavlinkHub(
            [parse_link("tap=udp:127.0.0.1:0")], take=seen.put_nowait, tell=lambda _links: None, clock=SystemClock()
        )
        listening = asyncio.create_task(hub.run())
        port = await hub.source("tap").bound_port()
        drones = [SimDrone(DroneScript(system=n, route=square_around(HOME, 60.0))) for n in (1, 2, 3)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as router:
            router.sendto(b"".join(packet for drone in drones for packet in drone.step()), ("127.0.0.1", port))
            async with asyncio.timeout(20):
                found = [await seen.get() for _ in drones]
            router.setblocking(False)
            with pytest.raises(BlockingIOError):
                router.recv(1)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        return found, hub.links()[0]

    found, link = asyncio.run(run())

    assert {(report.drone_id, report.has_two_senders) for report in found} == {
        ("mav-1", False),
        ("mav-2", False),
        ("mav-3", False),
    }
    assert len({report.path for report in found}) == 1
    assert link.faults == ()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="pseudo-terminals are of POSIX")
def test_a_radio_at_a_serial_port_is_heard_unplugged_and_heard_again(tmp_path):
    port = tmp_path / "radio"

    def plug():
        radio, device = os.openpty()
        tty.setraw(device)
        port.unlink(missing_ok=True)
        port.symlink_to(os.ttyname(device))
        return radio, device

    async def run():
        reports, told = asyncio.Queue(), asyncio.Queue()
        hub = MavlinkHub(
            [parse_link(f"radio=serial:{port}:57600")],
            take=reports.put_nowait,
            tell=told.put_nowait,
            clock=SystemClock(),
        )
        drone, (radio, device) = signed_drone(key=None), plug()
        listening = asyncio.create_task(hub.run())
        async with asyncio.timeout(30):
            while not hub.links()[0].is_open:
                await told.get()
            os.write(radio, b"".join(drone.step()))
            first = await reports.get()
            sent = os.read(radio, 1) if select.select([radio], [], [], 0)[0] else b""
            os.close(device)
            os.close(radio)
            while hub.links()[0].is_open:
                await told.get()
            reason = hub.links()[0].reason
            radio, device = plug()
            while not hub.links()[0].is_open:
                await told.get()
            os.write(radio, b"".join(drone.step() + drone.step()))
            again = await reports.get()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        os.close(device)
        os.close(radio)
        return first.drone_id, sent, reason, again.drone_id

    first, sent, reason, again = asyncio.run(run())

    assert (first, again, sent) == ("mav-4", "mav-4", b"")
    assert reason


def test_one_drone_on_two_links_is_one():
    owners = Owners()
    base = DroneReport(drone_id="mav-1", link_id="a", at=AT, system_id=1, name="Drone 1", position=HOME, uid="11")
    owners.settled(base)

    assert owners.settled(replace(base, link_id="b")).drone_id == "mav-1"
    assert owners.faults("a") == ()


# -- signatures -------------------------------------------------------------------------------------------------------


def signed_drone(key=KEY):
    return SimDrone(DroneScript(system=4, route=square_around(HOME, 100.0), waits_s=0.0), key=key)


def test_signed_messages_are_good_and_wrongly_signed_ones_are_said():
    right = Intake("udp", policy=SigningPolicy.WARN, key=KEY)
    wrong = Intake("udp", policy=SigningPolicy.WARN, key=key_of("another"))
    packets = signed_drone().step()

    assert heard(*packets, intake=right).signing is Signing.GOOD
    assert heard(*packets, intake=wrong).signing is Signing.BAD
    assert (right.n_bad_signatures, wrong.n_bad_signatures) == (0, len(packets))


def test_where_signatures_are_required_nothing_else_is_taken():
    intake = Intake("udp", policy=SigningPolicy.REQUIRE, key=KEY)
    for packet in (*signed_drone(key=None).step(), *signed_drone(key=key_of("another")).step()):
        intake.feed(packet, AT)

    assert intake.flush() == []
    assert intake.n_messages == 0
    assert intake.n_bad_signatures > 0


def test_a_signed_message_sent_again_is_refused():
    intake = Intake("udp", policy=SigningPolicy.REQUIRE, key=KEY)
    packets = signed_drone().step()
    for packet in (*packets, *packets):
        intake.feed(packet, AT)

    assert intake.n_messages == intake.n_bad_signatures == len(packets)


def test_a_passphrase_and_its_hexadecimal_digits_are_one_key():
    assert key_of("a passphrase") == KEY == key_of(KEY.hex())


# -- links ------------------------------------------------------------------------------------------------------------


def test_a_flood_on_one_link_is_counted_and_not_looked_at():
    voice, flooded, calm = Voice(), Intake("a"), Intake("b")
    packet = voice.attitude()
    for _ in range(MAX_MESSAGES_PER_S + 500):
        flooded.feed(packet, AT)
    calm.feed(voice.heartbeat(), AT)

    assert flooded.n_messages == MAX_MESSAGES_PER_S
    assert flooded.n_dropped == 500
    assert len(calm.flush()) == 1
    flooded.feed(voice.heartbeat(), AT + timedelta(seconds=1))
    assert len(flooded.flush()) == 1


def test_one_datagram_of_noise_mutes_nobody_for_long():
    voice, link = Voice(), Intake("a")
    link.feed(b"\xfe" * 60_000, AT)

    link.feed(voice.heartbeat(), AT + timedelta(seconds=0.2))

    assert len(link.flush()) == 1


def test_a_drone_whose_modem_calls_from_a_new_port_each_time_is_always_heard():
    link = Intake("a")
    steady = Voice(system=1)
    for call in range(3 * MAX_PATHS):
        at = AT + timedelta(seconds=call)
        link.feed(b"no message at all", at, f"10.0.0.9:{call}")
        link.feed(Voice(system=2).heartbeat(), at, f"10.0.0.2:{call}")
        link.feed(steady.heartbeat(), at, "10.0.0.1:14550")
        heard_now = {(report.drone_id, report.path) for report in link.flush()}
        assert heard_now == {("mav-1", "10.0.0.1:14550"), ("mav-2", f"10.0.0.2:{call}")}


@pytest.mark.parametrize(
    ("text", "link_id", "kind"),
    [
        ("udp:0.0.0.0:14550", "udp-14550", LinkKind.UDP),
        ("roof=tcp:10.0.0.7:5760;require", "roof", LinkKind.TCP),
        ("serial:/dev/ttyUSB0:57600", "serial-ttyUSB0", LinkKind.SERIAL),
        ("file:/logs/a.tlog", "file-a", LinkKind.FILE),
    ],
)
def test_links_are_read_as_people_write_them(text, link_id, kind):
    link = parse_link(text)

    assert (link.link_id, link.kind) == (link_id, kind)


@pytest.mark.parametrize(
    "text", ["", "udp", "udp:14550", "carrier:pigeon:1", "udp:a:99999", "udp:a:1;maybe", "a b=udp:a:1"]
)
def test_what_is_no_link_is_refused_with_a_way_out(text):
    with pytest.raises(BadInputError) as refused:
        parse_link(text)

    assert "udp:HOST:PORT" in refused.value.hint


def test_not_one_byte_is_sent_where_we_only_listen():
    """Counted where it would arrive: at the drone's own sockets, by UDP and by TCP."""

    async def run():
        reports, packets = asyncio.Queue(), signed_drone(key=None)
        came_back = bytearray()
        closed = asyncio.Event()

        async def serve(reader, writer):
            writer.write(b"".join(Voice(7).heartbeat() for _ in range(3)))
            came_back.extend(await reader.read())
            writer.close()
            closed.set()

        class Answer(asyncio.DatagramProtocol):
            def datagram_received(self, data, _sender):
                came_back.extend(data)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        tcp_port = server.sockets[0].getsockname()[1]
        links = [parse_link("u=udp:127.0.0.1:0"), parse_link(f"t=tcp:127.0.0.1:{tcp_port}")]
        hub = MavlinkHub(links, take=reports.put_nowait, tell=lambda _links: None, clock=SystemClock())
        listening = asyncio.create_task(hub.run())
        port = await hub.source("u").bound_port()
        loop = asyncio.get_running_loop()
        voice, _ = await loop.create_datagram_endpoint(Answer, remote_addr=("127.0.0.1", port))
        voice.sendto(b"".join(packets.step()))
        drones = {(await reports.get()).drone_id for _ in range(2)}
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await closed.wait()
        voice.close()
        server.close()
        return drones, bytes(came_back), hub.links()

    drones, came_back, links = asyncio.run(run())

    assert drones == {"mav-4", "mav-7"}
    assert came_back == b""
    assert [link.n_bytes_sent for link in links] == [0, 0]


def test_a_port_that_is_taken_is_said_and_the_other_links_go_on():
    async def run():
        told = asyncio.Queue()
        links = [parse_link("a=udp:127.0.0.1:0")]
        first = MavlinkHub(links, take=lambda _report: None, tell=lambda _links: None, clock=FakeClock())
        holding = asyncio.create_task(first.run())
        port = await first.source("a").bound_port()
        taken = [parse_link(f"b=udp:127.0.0.1:{port}"), parse_link("c=udp:127.0.0.1:0")]
        second = MavlinkHub(taken, take=lambda _report: None, tell=told.put_nowait, clock=FakeClock())
        trying = asyncio.create_task(second.run())
        links = await told.get()
        for task in (holding, trying):
            task.cancel()
        await asyncio.gather(holding, trying, return_exceptions=True)
        return links

    taken, free = asyncio.run(run())

    assert not taken.is_open
    assert "in use" in taken.reason
    assert free.is_open


def test_what_was_recorded_before_a_restart_is_not_believed_after_it(tmp_path):
    file = tmp_path / "signed.json"
    drone = signed_drone()
    recorded = b"".join(drone.step())
    before = Intake("udp", policy=SigningPolicy.REQUIRE, key=KEY, times=SignedTimes(file).of("udp", KEY))
    assert before.feed(recorded, AT)
    assert SignedTimes(file).keep({"udp": before.signed})

    times = SignedTimes(file)
    after = Intake("udp", policy=SigningPolicy.REQUIRE, key=KEY, times=times.of("udp", KEY))
    assert after.feed(recorded, AT) == []
    assert after.n_bad_signatures > 0
    assert after.feed(b"".join(drone.step()), AT)
    assert times.of("udp", key_of("another")) == {}
    assert not times.keep({"udp": before.signed}), "nothing new"


def test_times_that_cannot_be_read_are_said_and_hinder_nobody(tmp_path, caplog):
    file = tmp_path / "signed.json"
    file.write_text("{")

    assert SignedTimes(file).of("udp", KEY) == {}
    assert "cannot be read" in caplog.text


# -- drones of others -------------------------------------------------------------------------------------------------


def remote_id(mac, *, uas_id=b"", place=None, operator=None):
    """Return what a receiver passes on of a transponder."""
    voice, address = Voice(1, 236), list(mac.ljust(20, b"\0"))
    said = []
    if uas_id:
        said.append(mavlink.MAVLink_open_drone_id_basic_id_message(0, 0, address, 1, 2, list(uas_id.ljust(20, b"\0"))))
    if place is not None:
        lat, lon = (round(part * 1e7) for part in place)
        said.append(
            mavlink.MAVLink_open_drone_id_location_message(
                *(0, 0, address, 2, 9_000, 500, 6_300, lat, lon, -1000.0, 180.0, 0, 55.0, 10, 4, 4, 3, 10.0, 1)
            )
        )
    if operator is not None:
        lat, lon = (round(part * 1e7) for part in operator)
        said.append(
            mavlink.MAVLink_open_drone_id_system_message(0, 0, address, 1, 0, lat, lon, 1, 0, 0.0, 0.0, 0, 0, 0.0, 0)
        )
    return b"".join(voice.pack(message) for message in said)


def test_a_drone_of_others_says_who_and_where_it_is_and_nobody_believes_more():
    intake = Intake("udp")
    intake.feed(remote_id(b"\1\2", place=(36.1, -30.1)), AT)
    assert intake.flush() == [], "nobody knows who"
    intake.feed(remote_id(b"\1\2", uas_id=b"1596F3/..", place=(36.1, -30.1), operator=(36.2, -30.2)), AT)
    (report,) = intake.flush()

    assert (report.drone_id, report.is_other) == ("rid-1596F3-..", True)
    assert (report.name, report.kind) == ("Not verified: 1596F3/..", "Drone of others, by Remote ID")
    assert report.position == GeoPoint(36.1, -30.1)
    assert report.values == {"course_deg": 90.0, "ground_speed_mps": 5.0, "altitude_home_m": 55.0}
    assert report.home is None
    (text,) = report.texts
    assert "Its operator says to be at 36.20000, -30.20000; nobody verified it." in text.text
    assert intake.flush() == []


def test_a_transponder_that_our_own_drone_feeds_is_no_drone_of_others():
    intake = Intake("udp")
    intake.feed(remote_id(b"", uas_id=b"OWN", place=(36.1, -30.1)), AT)

    assert intake.flush() == []


def test_a_simulated_camera_says_where_it_looks():
    drone = SimDrone(DroneScript(system=4, route=square_around(HOME, 100.0), has_camera=True))
    report = heard(*(packet for _ in range(12) for packet in drone.step()))

    assert report.values["gimbal_pitch_deg"] == pytest.approx(-55.0, abs=0.01)
    assert (report.values["camera_h_fov_deg"], report.values["camera_v_fov_deg"]) == (62.0, 38.0)
    assert report.footprint.center is None
