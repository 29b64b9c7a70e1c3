"""New alarms in words."""

import sys

import pytest

from core.incidents.model import Priority
from tests.gui.alarms.making import make_alarm
from widgets.alarms.speech import Speech, hushed, listened, next_sentence, speak


def talk(speech, *, to_s, from_s=0.0):
    """Return what is said, as (second, sentence), and the speech afterwards."""
    told = []
    for second in range(round(from_s), round(to_s) + 1):
        speech, sentence = next_sentence(speech, float(second))
        if sentence:
            told.append((second, sentence))
    return told, speech


def after(*alarms, is_flooded=False, speech=None):
    return listened(speech or Speech(), alarms, is_flooded=is_flooded)


def test_one_sentence_in_ten_seconds_the_most_urgent_first():
    told, _ = talk(
        after(make_alarm("a", Priority.MEDIUM), make_alarm("b", Priority.CRITICAL, title="Collision")), to_s=30
    )

    assert told == [(0, "Critical. Collision. Harbour Road."), (10, "Medium. Congestion. Harbour Road.")]


def test_more_than_three_are_summed_up():
    alarms = [make_alarm(str(i), Priority.HIGH, source_name=f"Road {i}") for i in range(5)]

    assert talk(after(*alarms), to_s=60)[0] == [(0, "5 new alarms. High. Congestion. Road 0.")]


def test_the_same_sentence_is_not_said_twice_within_a_minute():
    _, speech = talk(after(make_alarm("a")), to_s=10)

    told, speech = talk(after(make_alarm("a"), make_alarm("b"), speech=speech), from_s=11, to_s=50)
    assert told == []
    assert talk(after(make_alarm("c"), speech=speech), from_s=61, to_s=62)[0] == [
        (61, "High. Congestion. Harbour Road.")
    ]


def test_low_alarms_and_acknowledged_ones_are_not_said():
    assert talk(after(make_alarm("a", Priority.LOW), make_alarm("b", is_acknowledged=True)), to_s=20)[0] == []


def test_an_alarm_that_was_answered_while_it_waited_is_not_said():
    speech = after(make_alarm("a"))

    assert talk(after(make_alarm("a", is_acknowledged=True), speech=speech), to_s=20)[0] == []


def test_in_a_flood_only_critical_ones_are_said():
    speech = after(make_alarm("a", Priority.HIGH), make_alarm("b", Priority.CRITICAL), is_flooded=True)

    assert talk(speech, to_s=20)[0] == [(0, "Critical. Congestion. Harbour Road.")]


def test_what_came_while_the_desk_was_silent_is_not_said_afterwards():
    assert talk(hushed(after(make_alarm("a"))), to_s=20)[0] == []


def test_a_voice_that_does_not_work_is_an_error_and_no_crash():
    with pytest.raises(OSError, match="ends with 3"):
        speak((sys.executable, "-c", "raise SystemExit(3)"), "Critical. Collision.")


def test_an_escalation_and_a_higher_priority_are_said_although_the_alarm_is_known():
    _, speech = talk(after(make_alarm("a", Priority.HIGH)), to_s=5)

    worse = make_alarm("a", Priority.CRITICAL, n_calls=2)
    told, speech = talk(after(worse, speech=speech), from_s=10, to_s=15)
    assert told == [(10, "Critical. Congestion. Harbour Road.")]

    escalated = make_alarm("a", Priority.CRITICAL, n_calls=3, escalation_level=1)
    assert talk(after(escalated, speech=speech), from_s=20, to_s=25)[0] == [
        (20, "Escalated to level 1. Critical. Congestion. Harbour Road.")
    ]


def test_what_chatters_and_what_was_taken_back_is_not_said():
    chattering = make_alarm("chattering", Priority.CRITICAL, n_calls=0)
    seen = after(chattering, make_alarm("seen", Priority.CRITICAL, is_acknowledged=True))

    taken_back = after(chattering, make_alarm("seen", Priority.CRITICAL), speech=seen)

    assert talk(taken_back, to_s=20)[0] == []
