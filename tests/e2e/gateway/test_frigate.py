import asyncio
import copy
import time

import pytest

from core.cameras.model import Camera
from core.gateway.frigate import FORGOTTEN_AFTER_S, HELD_AT_MOST_S, QUIET_S, FrigateAdapter
from core.kernel.geo import GeoPoint
from tests.e2e.field.rig import until
from tests.e2e.gateway.bus import Bus, Peer

OURS = Camera(camera_id="01CAM", name="Front door", address="x", position=GeoPoint(52.0, 4.0))
EVENT = {
    "type": "new",
    "before": {},
    "after": {
        "id": "1607123955.475377-mxklsc",
        "camera": "front_door",
        "frame_time": 1607123962.082975,
        "label": "car",
        "sub_label": "Somebody's name",
        "recognized_license_plate": "AB-12-CD",
        "top_score": 0.958984375,
        "false_positive": False,
        "start_time": 1607123955.475377,
        "end_time": None,
        "box": [424, 500, 536, 712],
        "current_zones": ["driveway"],
        "entered_zones": ["yard", "driveway"],
    },
}


def event(kind="new", **after):
    made = copy.deepcopy(EVENT)
    made["type"] = kind
    made["after"] |= {"start_time": time.time() - 6, "frame_time": time.time(), **after}
    return made


class Operator:
    """What an operator would be called for."""

    def __init__(self):
        self.open = {}
        self.log = []
        self.past = []

    def raise_condition(self, condition):
        self.open[condition.condition_key] = condition
        self.log.append("raise")

    def return_condition(self, key):
        del self.open[key]
        self.log.append("return")

    def keep_past(self, condition, ended_at):
        self.past.append((condition.condition_key, condition.began_at.timestamp(), ended_at.timestamp()))


def on_bus(broker, body, zones=(), **settings):
    async def run():
        operator = Operator()
        clocks = []

        def make(_publish):
            return [
                FrigateAdapter(
                    topic="frigate",
                    zones=zones,
                    cameras=lambda: (OURS,),
                    raise_condition=operator.raise_condition,
                    return_condition=operator.return_condition,
                    keep_past=operator.keep_past,
                    now_s=lambda: clocks[0].monotonic(),
                )
            ]

        bus = Bus(broker, make, **settings)
        clocks.append(bus.clock)
        peer = Peer(broker)
        try:
            async with bus:
                await body(bus, peer, operator)
        finally:
            peer.close()

    asyncio.run(run())


def test_an_object_in_a_zone_calls_as_an_alarm_of_our_camera_until_it_is_gone(mosquitto):
    async def body(bus, peer, operator):
        peer.say("frigate/events", event())
        await until(lambda: operator.open)
        (key, condition), *_ = operator.open.items()
        assert key == "camera/01CAM/frigate:driveway:car"
        assert (condition.title, condition.source_name) == ("Car in driveway", "Front door")
        assert condition.position == OURS.position
        assert "96%" in condition.detail

        peer.say("frigate/events", event("update"))
        peer.say("frigate/events", event("end", end_time=time.time()))
        await until(lambda: not operator.open)
        assert operator.log == ["raise", "return"]
        assert bus.report.n_messages == 3

    on_bus(mosquitto, body)


def test_names_and_number_plates_stay_with_frigate(mosquitto):
    async def body(_bus, peer, operator):
        peer.say("frigate/events", event())
        await until(lambda: operator.open)
        assert "Somebody" not in str(operator.open)
        assert "AB-12" not in str(operator.open)

    on_bus(mosquitto, body)


def test_two_cars_in_a_zone_are_one_alarm_that_ends_with_the_last(mosquitto):
    async def body(_bus, peer, operator):
        peer.say("frigate/events", event(id="a"))
        peer.say("frigate/events", event(id="b"))
        peer.say("frigate/events", event("update", id="a", current_zones=["yard"]))
        await until(lambda: len(operator.open) == 2)
        peer.say("frigate/events", event("end", id="b"))
        await until(lambda: len(operator.open) == 1)
        assert next(iter(operator.open)).endswith("frigate:yard:car")

    on_bus(mosquitto, body)


def test_only_the_zones_that_were_named_call(mosquitto):
    async def body(bus, peer, operator):
        peer.say("frigate/events", event(id="a", current_zones=["yard"]))
        peer.say("frigate/events", event(id="b", camera="back", current_zones=["driveway"]))
        peer.say("frigate/events", event(id="c", false_positive=True))
        peer.say("frigate/events", event(id="d"))
        await until(lambda: bus.report.n_messages == 4)
        assert list(operator.open) == ["camera/01CAM/frigate:driveway:car"]

    on_bus(mosquitto, body, zones=("front_door/driveway",))


def test_what_frigate_saw_before_its_restart_ends_with_it_but_not_while_it_is_only_away(mosquitto):
    async def body(bus, peer, operator):
        peer.say("frigate/available", b"online", retain=True)
        peer.say("frigate/events", event())
        await until(lambda: operator.open)
        peer.say("frigate/available", b"offline", retain=True)
        await until(lambda: "offline" in bus.report.note)
        assert operator.open
        peer.say("frigate/available", b"online", retain=True)
        await until(lambda: not operator.open)

    on_bus(mosquitto, body)


AGO_S = 2400.0


def old(kind, object_id, *, after_s=0.0, **more):
    """Return an event of an object that began forty minutes ago, as it was so long after that."""
    began_s = time.time() - AGO_S
    return event(kind, id=object_id, start_time=began_s, frame_time=began_s + after_s, **more)


def test_what_began_and_ended_while_we_were_away_is_history_and_calls_nobody(mosquitto):
    async def body(bus, peer, operator):
        began_s = time.time() - AGO_S
        for object_id in ("a", "b"):
            peer.say("frigate/events", old("new", object_id))
            peer.say("frigate/events", old("update", object_id, after_s=30))
            peer.say("frigate/events", old("end", object_id, end_time=began_s + 60))
        await until(lambda: bus.report.n_messages == 6)
        bus.clock.advance(seconds=60)
        bus.gateway.tick()

        assert operator.log == []
        assert [key for key, *_ in operator.past] == ["camera/01CAM/frigate:driveway:car"] * 2
        for _, from_s, to_s in operator.past:
            assert (from_s, to_s) == pytest.approx((began_s, began_s + 60), abs=5)

    on_bus(mosquitto, body)


def test_what_began_while_we_were_away_and_is_there_still_calls_once_all_that_was_kept_is_heard(mosquitto):
    async def body(bus, peer, operator):
        peer.say("frigate/events", old("new", "a"))
        await until(lambda: bus.report.n_messages == 1)
        bus.gateway.tick()
        assert operator.log == []

        bus.clock.advance(seconds=QUIET_S)
        bus.gateway.tick()
        assert operator.log == ["raise"]
        peer.say("frigate/events", event("end", id="a", end_time=time.time()))
        await until(lambda: operator.log == ["raise", "return"])
        assert operator.past == []

    on_bus(mosquitto, body)


def test_what_frigate_sees_now_calls_at_once_also_where_it_began_long_ago(mosquitto):
    async def body(bus, peer, operator):
        peer.say("frigate/events", old("new", "a"))
        await until(lambda: bus.report.n_messages == 1)
        peer.say("frigate/events", old("update", "a", after_s=AGO_S))
        await until(lambda: operator.log == ["raise"])

    on_bus(mosquitto, body)


def test_a_frigate_whose_clock_is_slow_is_believed_after_some_seconds(mosquitto):
    async def body(bus, peer, operator):
        for second in range(round(HELD_AT_MOST_S) + 1):
            peer.say("frigate/events", old("update", "a", after_s=second))
            await until(lambda n=second + 1: bus.report.n_messages == n)
            bus.gateway.tick()
            bus.clock.advance(seconds=1)
        assert operator.log == ["raise"]

    on_bus(mosquitto, body)


def test_an_end_that_was_lost_does_not_hold_the_alarm_for_ever(mosquitto):
    async def body(bus, peer, operator):
        peer.say("frigate/events", event())
        await until(lambda: operator.open)
        bus.clock.advance(seconds=FORGOTTEN_AFTER_S + 1)
        bus.gateway.tick()
        assert not operator.open

    on_bus(mosquitto, body)


@pytest.mark.parametrize(
    "nonsense", [b"", b"{", b"[]", b'{"type":"new"}', b'{"type":"new","after":{"id":1}}', b"\xff\xfe", b"x" * 300_000]
)
def test_nonsense_is_counted_and_the_next_event_is_heard(mosquitto, nonsense):
    async def body(bus, peer, operator):
        peer.say("frigate/events", nonsense)
        peer.say("frigate/events", event())
        await until(lambda: operator.open)
        assert (bus.report.n_messages, bus.report.n_bad_messages) == (2, 1)
        assert bus.gateway.bad_sources()[0].source == "frigate/events"
        assert bus.for_field == []

    on_bus(mosquitto, body)


def test_what_the_broker_does_not_let_us_read_is_said(mosquitto):
    async def body(bus, _peer, _operator):
        assert bus.report.reason == ""
        refused = bus.gateway.reports(("frigate/events",))[0]
        assert "frigate/events" in refused.reason

    on_bus(mosquitto, body)
