"""The active profile of a link: what goes out, to whom, and that nothing goes out once it is over."""

import asyncio
import hashlib
import socket
from dataclasses import replace
from datetime import timedelta

import pytest
from pymavlink.dialects.v20 import all as mavlink

from core.drones.mavlink.address import parse_link
from core.drones.mavlink.asking import ASK_AGAIN_S, N_TRIES, SILENT_S, Asking, BeatAs
from core.drones.mavlink.dialect import CHECKSUM_EXTRAS
from core.drones.mavlink.frames import FrameSplitter
from core.drones.mavlink.hub import MavlinkHub
from core.drones.mavlink.voice import Voice
from core.drones.model import ActiveProfile, DroneReport, SigningPolicy
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.sim.drones import DroneScript, SimDrone, square_around

HOME = GeoPoint(36.0, -30.0)
KEY = hashlib.sha256(b"four quiet rotors").digest()
HARMLESS = {
    "HEARTBEAT",
    "REQUEST_DATA_STREAM",
    f"COMMAND_LONG {mavlink.MAV_CMD_SET_MESSAGE_INTERVAL}",
    f"COMMAND_LONG {mavlink.MAV_CMD_REQUEST_MESSAGE}",
}
"""Of these none moves a drone, or touches its mission."""


def sparse(key=None, **script):
    return SimDrone(
        DroneScript(system=4, route=square_around(HOME, 100.0), waits_s=0.0, is_sparse=True, **script), key=key
    )


def talk(asking, drone, *, seconds, path="10.0.0.4:14555"):
    """Let drone and node exchange what they have to say; returns the numbers of messages that the drone said."""
    splitter, said = FrameSplitter(CHECKSUM_EXTRAS), set()
    for tick in range(round(seconds * 10)):
        frames = splitter.feed(b"".join(drone.step()))
        said |= {frame.message_id for frame in frames}
        asking.note(frames, tick / 10, path)
        for to, packet in asking.due(tick / 10):
            assert to == path
            drone.hear(packet)
    return said


def test_a_drone_that_says_only_its_heartbeat_is_asked_until_it_says_what_a_display_needs():
    drone = sparse()
    said = talk(Asking(system=245, beat_as=BeatAs.COMPANION), drone, seconds=8)

    assert {
        mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
        mavlink.MAVLINK_MSG_ID_ATTITUDE,
        mavlink.MAVLINK_MSG_ID_BATTERY_STATUS,
        mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE,
        mavlink.MAVLINK_MSG_ID_MISSION_CURRENT,
        mavlink.MAVLINK_MSG_ID_HOME_POSITION,
        mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION,
    } <= said
    assert drone.heard["HEARTBEAT"] == 8
    assert drone.heard.keys() <= HARMLESS


def test_an_old_autopilot_is_asked_in_the_old_way_and_then_seldom():
    drone = sparse(is_old=True)
    said = talk(Asking(system=245, beat_as=BeatAs.COMPANION), drone, seconds=(N_TRIES + 2) * ASK_AGAIN_S)

    assert {mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, mavlink.MAVLINK_MSG_ID_ATTITUDE} <= said
    assert drone.heard["REQUEST_DATA_STREAM"] > 0
    assert drone.heard.keys() <= HARMLESS


def test_what_comes_by_itself_is_not_asked_for():
    drone = sparse()
    drone.script = replace(drone.script, is_sparse=False)
    talk(Asking(system=245, beat_as=BeatAs.COMPANION), drone, seconds=20)

    commands = [name for name in drone.heard if name.startswith("COMMAND_LONG")]
    assert sum(drone.heard[name] for name in commands) < 8  # Only what it had not said yet in its first seconds.


def test_nobody_is_told_anything_once_the_drone_is_silent():
    asking, drone = Asking(system=245, beat_as=BeatAs.COMPANION), sparse()
    talk(asking, drone, seconds=3)

    assert asking.due(3.0 + SILENT_S + 1.0) == []


@pytest.mark.parametrize(
    ("beat_as", "kind", "component"),
    [(BeatAs.COMPANION, mavlink.MAV_TYPE_ONBOARD_CONTROLLER, 191), (BeatAs.GROUND_STATION, mavlink.MAV_TYPE_GCS, 190)],
)
def test_the_heartbeat_says_who_we_are(beat_as, kind, component):
    asking, drone = Asking(system=245, beat_as=beat_as), sparse()
    frames = FrameSplitter(CHECKSUM_EXTRAS).feed(b"".join(packet for _ in range(12) for packet in drone.step()))
    asking.note(frames, 0.0, "a:1")
    (beat, *_) = mavlink.MAVLink(None).parse_buffer(asking.due(0.0)[0][1])

    assert (beat.get_type(), beat.type, beat.autopilot) == ("HEARTBEAT", kind, mavlink.MAV_AUTOPILOT_INVALID)
    assert (beat.get_srcSystem(), beat.get_srcComponent()) == (245, component)


def test_a_drone_with_our_own_number_is_not_asked_and_named():
    asking, drone = Asking(system=4, beat_as=BeatAs.COMPANION), sparse()
    talk(asking, drone, seconds=3)

    assert asking.is_number_taken
    assert not drone.heard


def test_a_drone_of_the_first_version_is_asked_in_the_first_version():
    voice, asking = Voice(4, 1), Asking(system=245, beat_as=BeatAs.COMPANION)
    voice.mav.heartbeat_send(2, 3, 0, 0, 4, force_mavlink1=True)
    asking.note(FrameSplitter(CHECKSUM_EXTRAS).feed(voice.take()[0]), 0.0, "a:1")

    assert {packet[0] for _path, packet in asking.due(0.0)} == {0xFE}


def test_what_is_asked_on_a_signed_link_is_signed_later_than_everything_before():
    asking, drone = Asking(system=245, beat_as=BeatAs.COMPANION, key=KEY), sparse(key=KEY)
    frames = FrameSplitter(CHECKSUM_EXTRAS).feed(b"".join(packet for _ in range(12) for packet in drone.step()))
    asking.note(frames, 0.0, "a:1")
    ahead_10us = 2**47
    packets = [packet for _path, packet in asking.due(0.0, ahead_10us)]
    times = [int.from_bytes(packet[-12:-6], "little") for packet in packets]
    for packet in packets:
        drone.hear(packet)

    assert all(time > ahead_10us for time in times)
    assert times == sorted(set(times))
    assert drone.heard["HEARTBEAT"] == 1  # The drone verifies signatures, and took it.


# -- on a link --------------------------------------------------------------------------------------------------------


class Desk:
    """One UDP link and one drone at it, moved by hand: what arrives at the drone's own socket is counted."""

    def __init__(self, text="roof=udp:127.0.0.1:0", secret=None):
        self.clock = FakeClock()
        self.over = []
        self.reports: list[DroneReport] = []
        self.hub = MavlinkHub(
            [parse_link(text)],
            take=self.reports.append,
            tell=lambda _links: None,
            clock=self.clock,
            get_secret=lambda _name: secret,
            on_over=lambda link_id, _profile: self.over.append(link_id),
        )
        self.n_bytes_arrived = 0

    async def __aenter__(self):
        self._task = asyncio.create_task(self.hub.run())
        port = await self.hub.source("roof").bound_port()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", port))
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()

    def activate(self, minutes=1):
        now = self.clock.now()
        profile = ActiveProfile(by="sup", reason="no home", since=now, until=now + timedelta(minutes=minutes))
        return self.hub.activate("roof", profile, for_s=minutes * 60.0)

    async def exchange(self, drone, *, n_reports=12):
        """Let the drone speak until its words were taken so often, and hear what comes back."""
        before = len(self.reports)
        while len(self.reports) < before + n_reports:
            self.clock.advance(seconds=0.1)
            packets = b"".join(drone.step())
            if packets:
                self._socket.send(packets)
            n_messages = self.link.n_messages
            while packets and self.link.n_messages == n_messages:
                await asyncio.sleep(0)
            self.hub.flush()
            self.hub.speak()
            self._hear(drone)

    def _hear(self, drone):
        while True:
            try:
                data = self._socket.recv(4096)
            except BlockingIOError:
                return
            self.n_bytes_arrived += len(data)
            drone.hear(data)

    @property
    def link(self):
        return self.hub.links()[0]


def test_bytes_go_out_only_while_the_link_is_active_and_each_is_counted():
    async def run():
        async with Desk() as desk:
            drone = sparse()
            await desk.exchange(drone, n_reports=3)
            before = desk.n_bytes_arrived
            desk.activate()
            await desk.exchange(drone)
            while_on, counted = desk.n_bytes_arrived, desk.link.n_bytes_sent
            desk.hub.deactivate("roof")
            await desk.exchange(drone)
            return before, while_on, counted, desk.n_bytes_arrived, desk.link

    before, while_on, counted, after, link = asyncio.run(run())

    assert before == 0
    assert while_on == counted > 100
    assert after == while_on == link.n_bytes_sent
    assert link.active is None


def test_it_ends_by_itself_and_not_one_byte_follows():
    async def run():
        async with Desk() as desk:
            drone = sparse()
            desk.activate(minutes=1)
            await desk.exchange(drone)
            assert desk.link.is_active
            desk.clock.advance(seconds=60)
            desk.hub.speak()
            n_bytes = desk.n_bytes_arrived
            await desk.exchange(drone)
            return desk.over, desk.link, n_bytes, desk.n_bytes_arrived

    over, link, n_before, n_after = asyncio.run(run())

    assert over == ["roof"]
    assert not link.is_active
    assert n_before == n_after > 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("roof=file:yesterday.tlog", "nobody hears"), ("roof=udp:127.0.0.1:0;require", "no key to sign")],
)
def test_a_link_on_which_nobody_could_be_asked_stays_silent(text, sentence):
    desk = Desk(text)

    with pytest.raises(BadInputError, match=sentence):
        desk.activate()
    assert not desk.link.is_active


def test_a_signed_link_asks_with_its_key():
    async def run():
        async with Desk("roof=udp:127.0.0.1:0;require", secret=KEY.hex()) as desk:
            drone = sparse(key=KEY)
            assert desk.link.signing is SigningPolicy.REQUIRE
            desk.activate()
            await desk.exchange(drone)
            return drone.heard

    assert asyncio.run(run())["HEARTBEAT"] > 0
