"""One bay's state, fused from all that is said of it: examples, and what holds whatever is said."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.parking.fusion import BayFusion, Correction, FusionSettings
from core.parking.model import BayEvidence, BayState, BayStatus

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
STALE_S = 300.0
FREE, OCCUPIED, UNKNOWN, CLOSED = BayState.FREE, BayState.OCCUPIED, BayState.UNKNOWN, BayState.CLOSED


class Told:
    """A bay to which words come at seconds after noon."""

    def __init__(self, known=UNKNOWN, **changes):
        found = {"since": AT, "at": AT, "confidence": 0.0, "source": ""} | changes
        status = BayStatus(lot_id="l", bay_id="b", state=known, **found)
        self.bay = BayFusion(status, stale_s=STALE_S)

    def say(self, source, state, at_s, *, confidence=0.9, now_s=None):
        now = AT + timedelta(seconds=at_s if now_s is None else now_s)
        at = AT + timedelta(seconds=at_s)
        word = BayEvidence(lot_id="l", bay_id="b", state=state, at=at, confidence=confidence, source=source)
        self.is_heard = self.bay.hear(word, now)
        return self.bay.settle(now)

    def wait(self, at_s):
        return self.bay.settle(AT + timedelta(seconds=at_s))


def test_the_first_word_is_believed_at_once():
    status = Told().say("camera:a", OCCUPIED, 1)

    assert (status.state, status.source, status.since) == (OCCUPIED, "camera:a", AT + timedelta(seconds=1))


def test_a_camera_has_to_see_a_change_for_three_seconds_and_a_sensor_only_once():
    told = Told()
    told.say("camera:a", FREE, 0)

    assert told.say("camera:a", OCCUPIED, 10).state is FREE
    assert told.say("camera:a", OCCUPIED, 12).state is FREE
    status = told.say("camera:a", OCCUPIED, 13)
    assert (status.state, status.since) == (OCCUPIED, AT + timedelta(seconds=10))
    assert told.say("sensor:x", FREE, 20).state is FREE


def test_one_wrong_look_changes_nothing():
    told = Told()
    told.say("camera:a", FREE, 0)
    told.say("camera:a", OCCUPIED, 10)
    told.say("camera:a", FREE, 11)

    assert told.wait(60).state is FREE


def test_a_flutter_is_shown_once():
    told = Told()
    told.say("sensor:x", FREE, 0)
    told.say("sensor:x", OCCUPIED, 10)

    assert told.say("sensor:x", FREE, 10.2).state is OCCUPIED
    assert told.wait(11.1).state is FREE


def test_two_that_are_as_sure_and_contradict_each_other_make_an_unknown_bay():
    told = Told()
    told.say("camera:a", FREE, 0)
    for second in range(1, 8):
        told.say("camera:a", FREE, second)
        status = told.say("camera:b", OCCUPIED, second + 0.5)

    assert (status.state, status.source) == (UNKNOWN, "camera:a, camera:b")


def test_one_that_is_much_surer_decides():
    told = Told()
    for second in range(8):
        told.say("camera:a", FREE, second, confidence=0.51)
        status = told.say("camera:b", OCCUPIED, second + 0.5, confidence=0.99)

    assert status.state is OCCUPIED


def test_a_sensors_change_is_not_held_up_by_what_a_camera_saw_before():
    told = Told()
    told.say("sensor:x", OCCUPIED, 0, confidence=0.95)
    told.say("camera:a", OCCUPIED, 98)

    assert told.say("sensor:x", FREE, 100, confidence=0.95).state is FREE


@pytest.mark.parametrize("confidence", [0.0, 0.3, 0.49])
def test_who_is_hardly_sure_says_that_nobody_knows(confidence):
    assert Told().say("camera:a", OCCUPIED, 1, confidence=confidence).state is UNKNOWN


def test_a_camera_that_is_blinded_leaves_the_word_to_the_others():
    told = Told()
    told.say("sensor:x", OCCUPIED, 0)

    assert told.say("camera:a", UNKNOWN, 10).state is OCCUPIED
    assert told.say("camera:a", UNKNOWN, 20).source == "sensor:x"


def test_a_camera_that_is_blinded_alone_makes_an_unknown_bay():
    told = Told()
    told.say("camera:a", OCCUPIED, 0)
    told.say("camera:a", UNKNOWN, 10)

    assert told.say("camera:a", UNKNOWN, 14).state is UNKNOWN


def test_a_state_that_nothing_confirms_is_stale_and_comes_back_with_the_next_word():
    told = Told()
    told.say("sensor:x", OCCUPIED, 0)

    assert not told.wait(300).is_stale
    assert told.wait(301).is_stale
    status = told.say("sensor:x", OCCUPIED, 400)
    assert (status.is_stale, status.since) == (False, AT)


def test_a_stay_begins_anew_where_nobody_watched_for_long():
    told = Told()
    told.say("sensor:x", OCCUPIED, 0)
    told.wait(900)

    assert told.say("sensor:x", OCCUPIED, 1000).since == AT + timedelta(seconds=1000)


def test_what_is_closed_is_closed_whatever_a_camera_sees():
    told = Told()
    told.say("sensor:x", CLOSED, 0)

    assert told.say("camera:a", FREE, 10).state is CLOSED
    assert told.say("sensor:x", FREE, 20).state is FREE


def correct(told, state, at_s=0):
    told.bay.correct(Correction(state=state, at=AT + timedelta(seconds=at_s), by="dana", reason="looked"))
    return told.wait(at_s)


def test_a_correction_holds_until_the_bay_is_seen_to_change_twice():
    told = Told()
    told.say("sensor:x", FREE, 0)
    status = correct(told, OCCUPIED, 5)
    assert (status.state, status.source, status.seen) == (OCCUPIED, "operator:dana", FREE)

    assert told.say("sensor:x", OCCUPIED, 20).reason == "looked"
    status = told.say("sensor:x", FREE, 40)
    assert (status.state, status.reason, status.source) == (FREE, "", "sensor:x")


def test_a_closed_bay_stays_closed_until_it_is_released():
    told = Told()
    told.say("sensor:x", FREE, 0)
    correct(told, CLOSED, 5)
    for second in range(10, 100, 10):
        status = told.say("sensor:x", OCCUPIED if second % 20 else FREE, second)

    assert status.state is CLOSED
    told.bay.release()
    assert told.wait(100).state is OCCUPIED


def test_an_operators_word_is_old_after_a_shift():
    told = Told()
    correct(told, FREE)

    assert not told.wait(8 * 3600).is_stale
    assert told.wait(8 * 3600 + 1).is_stale


SOURCES = st.sampled_from(["camera:a", "camera:b", "sensor:x", "edge:k"])
WORDS = st.lists(
    st.tuples(
        SOURCES,
        st.sampled_from(list(BayState)),
        st.floats(0.0, 1.0),
        st.floats(0.0, 120.0),
        st.floats(0.0, 600.0),
    ),
    max_size=40,
)
"""Source, state, confidence, time since the word before it came, and how late it comes [s]."""


@given(WORDS)
def test_whatever_is_said_time_never_goes_back_and_only_fresh_words_are_known(words):
    told, now_s, before = Told(), 0.0, None
    for source, state, confidence, after_s, late_s in words:
        now_s += after_s
        status = told.say(source, state, max(0.0, now_s - late_s), confidence=confidence, now_s=now_s)
        now = AT + timedelta(seconds=now_s)
        assert 0.0 <= status.confidence <= 1.0
        assert status.since <= now
        assert status.at <= now
        if before is not None:
            assert status.since >= before.since
            assert status.at >= before.at
        if status.is_known and status.state is not CLOSED:
            assert now - status.at <= timedelta(seconds=STALE_S)
            assert status.source
        before = status


@given(WORDS)
def test_a_late_word_never_takes_the_place_of_a_newer_one(words):
    told, now_s = Told(), 0.0
    for source, state, confidence, after_s, _late_s in words:
        now_s += after_s
        told.say(source, state, now_s, confidence=confidence)
    before = told.wait(now_s)
    if not before.source or before.since == AT:
        return

    long_ago_s = (before.since - AT).total_seconds() - 1e-3
    for source in ("camera:a", "sensor:x", "edge:new"):
        for state in BayState:
            after = told.say(source, state, max(0.0, long_ago_s), confidence=1.0, now_s=now_s)
            assert (after.state, after.since) == (before.state, before.since)


@given(WORDS)
def test_with_silence_everything_becomes_stale_or_stays_unknown(words):
    told, now_s = Told(), 0.0
    for source, state, confidence, after_s, late_s in words:
        now_s += after_s
        told.say(source, state, max(0.0, now_s - late_s), confidence=confidence, now_s=now_s)

    told.wait(now_s + 4)
    status = told.wait(now_s + STALE_S + 5)
    assert not status.is_known


@given(st.lists(st.sampled_from([FREE, OCCUPIED]), min_size=1, max_size=30))
def test_a_single_good_sensor_is_followed_within_a_second(states):
    told = Told()
    for number, state in enumerate(states):
        told.say("sensor:x", state, number * 10.0)
        assert told.wait(number * 10.0 + 1.01).state is state


def test_settings_can_make_a_camera_as_quick_as_a_sensor():
    status = BayStatus(lot_id="l", bay_id="b", state=FREE, since=AT, at=AT, confidence=1.0, source="camera:a")
    bay = BayFusion(status, stale_s=STALE_S, settings=FusionSettings(debounce_s={}))
    at = AT + timedelta(seconds=10)
    bay.hear(BayEvidence(lot_id="l", bay_id="b", state=OCCUPIED, at=at, confidence=0.9, source="camera:a"), at)

    assert bay.settle(at).state is OCCUPIED
