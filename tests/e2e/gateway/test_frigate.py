import asyncio
import copy

import pytest

from core.cameras.model import Camera
from core.gateway.frigate import FORGOTTEN_AFTER_S, FrigateAdapter
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
    made["after"] |= after
    return made


class Operator:
    """What an operator would be called for."""

    def __init__(self):
        self.open = {}
        self.log = []

    def raise_condition(self, condition):
        self.open[condition.condition_key] = condition
        self.log.append("raise")

    def return_condition(self, key):
        del self.open[key]
        self.log.append("return")


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
        peer.say("frigate/events", event("end", end_time=1607123999.0))
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
