import json
import random
from datetime import UTC, datetime

import pytest

from core.field.inbox import Inbound
from core.gateway.adapter import Gateway, matches
from core.gateway.frigate import FrigateAdapter
from core.gateway.home_assistant import HomeAssistantAdapter
from core.gateway.sparkplug import SparkplugAdapter
from core.kernel.clock import FakeClock
from tests.e2e.gateway.test_frigate import event
from tests.e2e.gateway.test_sparkplug import bd_seq, metric, payload

NOW = datetime(2026, 11, 21, tzinfo=UTC)
N_MESSAGES = 5_000


def adapters(clock):
    return [
        FrigateAdapter(
            topic="frigate",
            zones=(),
            cameras=tuple,
            raise_condition=lambda _condition: None,
            return_condition=lambda _key: None,
            keep_past=lambda _condition, _at: None,
            now_s=clock.monotonic,
        ),
        SparkplugAdapter(tenant="city", to_field=lambda _batch: None, publish=lambda *_a, **_k: True, now=clock.now),
        HomeAssistantAdapter(
            topic="homeassistant",
            tenant="city",
            version="1",
            devices=tuple,
            newest=lambda _id: (),
            publish=lambda *_a, **_k: True,
        ),
    ]


def spoilt(body, chance):
    """Return a good message with some bytes cut, changed, doubled or put in."""
    found = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(max(1, len(found)))
        match chance.randrange(4):
            case 0:
                del found[place:]
            case 1:
                found[place : place + 1] = chance.randbytes(1)
            case 2:
                found[place:place] = found[:place][-20:]
            case _:
                found[place:place] = chance.randbytes(chance.randint(1, 9))
    return bytes(found)


@pytest.mark.parametrize("key", ["frigate", "sparkplug", "home_assistant"])
def test_no_spoilt_message_gets_further_than_being_counted(key, caplog):
    clock, chance = FakeClock(NOW), random.Random(5)
    adapter = next(item for item in adapters(clock) if item.key == key)
    gateway = Gateway([adapter], clock=clock, to_field=lambda _batch: None)
    born = payload(0, bd_seq(1), metric("A/b", 1.5, alias=3), metric("A/c", -4, kind=3))
    good = {
        "frigate": [("frigate/events", json.dumps(event()).encode()), ("frigate/available", b"online")],
        "sparkplug": [
            ("spBv1.0/G/NBIRTH/E", born),
            ("spBv1.0/G/DBIRTH/E/D", born),
            ("spBv1.0/G/DDATA/E/D", payload(2, metric(alias=3, value=2.0))),
            ("spBv1.0/G/NDEATH/E", payload(None, bd_seq(1))),
        ],
        "home_assistant": [("homeassistant/status", b"online")],
    }[key]
    for _ in range(N_MESSAGES):
        topic, body = chance.choice(good)
        message = spoilt(body, chance) if chance.random() < 0.9 else body
        gateway.on_messages([Inbound(topic=topic, payload=message, qos=1, is_retained=False, received_at=NOW)])
        clock.advance(seconds=0.2)
        gateway.tick()

    assert "stumbled" not in caplog.text
    report = gateway.reports()[0]
    assert report.n_messages == N_MESSAGES
    assert 0 < report.n_bad_messages < N_MESSAGES


@pytest.mark.parametrize(
    ("name", "topic", "is_wanted"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/c/d", False),
        ("a/#", "a/b/c", True),
        ("a/b", "a/b", True),
        ("a/b", "a", False),
        ("a/+", "a/", True),
    ],
)
def test_filters_ask_for_what_the_broker_would_send(name, topic, is_wanted):
    assert matches(name, topic) is is_wanted
