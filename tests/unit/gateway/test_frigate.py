"""Frigate's clock: nobody says how it is, and what is seen now must call all the same."""

import json
from datetime import timedelta

import pytest

from core.field.inbox import Inbound
from core.gateway.frigate import HELD_AT_MOST_S, QUIET_S, FrigateAdapter
from core.kernel.clock import FakeClock


class Site:
    """Frigate with a clock of its own, and what an operator is called for."""

    def __init__(self, slow_s=0.0):
        self.slow_s = slow_s
        self.clock = FakeClock()
        self.log, self.past, self.raised = [], [], []
        self.adapter = FrigateAdapter(
            topic="frigate",
            zones=(),
            cameras=tuple,
            raise_condition=self._on_raise,
            return_condition=lambda _key: self.log.append("return"),
            keep_past=lambda condition, ended_at: self.past.append((condition.began_at, ended_at)),
            now_s=self.clock.monotonic,
        )
        self.adapter.connected()

    def _on_raise(self, condition):
        self.log.append("raise")
        self.raised.append(condition)

    def say(self, kind, object_id="a", *, began_ago_s=0.0, late_s=0.0):
        """Tell of an object that began so long ago; `late_s` is how long the message was on its way."""
        now_s = self.clock.now().timestamp() - self.slow_s - late_s
        after = {
            "id": object_id,
            "camera": "gate",
            "label": "person",
            "start_time": now_s - began_ago_s,
            "frame_time": now_s,
            "end_time": now_s if kind == "end" else None,
            "current_zones": [] if kind == "end" else ["yard"],
        }
        self.take("frigate/events", json.dumps({"type": kind, "after": after}).encode())

    def take(self, topic, payload):
        self.adapter.take(Inbound(topic=topic, payload=payload, qos=1, is_retained=False, received_at=self.clock.now()))

    def pass_time(self, seconds):
        self.clock.advance(seconds=seconds)
        self.adapter.tick(self.clock.monotonic())

    def see(self, object_id, seconds, step_s=1.0):
        """Let an object be seen for so long, from now on."""
        self.say("new", object_id)
        n_steps = round(seconds / step_s)
        for step in range(1, n_steps + 1):
            self.pass_time(step_s)
            self.say("end" if step == n_steps else "update", object_id, began_ago_s=step * step_s)


@pytest.mark.parametrize("slow_s", [0.0, 61.0, 86_400.0])
def test_what_is_seen_shortly_calls_at_once_however_slow_the_clock_is(slow_s):
    site = Site(slow_s)
    site.pass_time(HELD_AT_MOST_S + 1)

    site.say("new")
    assert site.log == ["raise"], "nobody waits whether it lasts"
    site.pass_time(0.5)
    site.say("end", began_ago_s=0.5)

    assert site.log == ["raise", "return"]
    assert site.past == []
    assert abs(site.raised[0].began_at - site.clock.now()) < timedelta(seconds=1)
    assert ("uncertain" in site.raised[0].detail) is (slow_s > 0)


def test_what_a_slow_clock_sees_right_after_a_connection_calls_although_it_is_over_soon():
    site = Site(600.0)

    site.see("a", 4)

    assert site.log == ["raise", "return"]
    assert site.past == []


def test_a_slow_clock_is_measured_and_said_and_what_was_kept_is_then_told_from_what_is_new():
    site = Site(600.0)
    site.pass_time(HELD_AT_MOST_S + 1)
    site.see("a", 5)
    site.log.clear()
    assert "its clock is 600 s slow" in site.adapter.note

    site.adapter.connected()
    site.say("new", "kept", late_s=1800)
    site.say("end", "kept", late_s=1790, began_ago_s=10)
    site.say("new", "seen now")

    assert site.log == ["raise"]
    assert "600 s slow" in site.raised[-1].detail
    ((began_at, ended_at),) = site.past
    assert abs(began_at - site.clock.now() + timedelta(seconds=1800)) < timedelta(seconds=1)
    assert ended_at - began_at == timedelta(seconds=10)


def test_what_was_kept_is_history_also_where_the_clock_is_not_known_yet():
    site = Site()
    for number in range(50):
        site.say("new", f"o{number}", late_s=2400 - number * 40)
        site.say("end", f"o{number}", late_s=2370 - number * 40, began_ago_s=30)
        site.pass_time(0.01)
    site.pass_time(QUIET_S)

    assert site.log == []
    assert len(site.past) == 50


def test_a_frigate_that_starts_anew_may_have_another_clock():
    site = Site()
    site.pass_time(HELD_AT_MOST_S + 1)
    site.see("a", 5)
    site.take("frigate/available", b"offline")
    site.take("frigate/available", b"online")
    site.log.clear()
    site.slow_s = 3600.0

    site.say("new", "b")

    assert site.log == ["raise"]


def test_a_clock_that_is_set_back_while_it_runs_calls_for_what_lasts_here_as_long_as_there():
    site = Site()
    site.pass_time(HELD_AT_MOST_S + 1)
    site.see("a", 5)
    site.log.clear()
    site.slow_s = 120.0

    site.see("b", 3)

    assert site.log == ["raise", "return"]
    assert len(site.past) == 0
