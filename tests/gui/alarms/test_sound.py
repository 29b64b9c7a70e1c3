"""The room's one voice."""

import sys
import threading
import wave
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import resources
from core.incidents.model import AlarmMark, Priority
from core.node.model import UnstoredCall
from tests.gui.alarms.making import make_alarm
from widgets.alarms.sound import (
    MIN_CRITICAL_LEVEL,
    MUTE_S,
    SILENCE_S,
    MiniaudioPlayer,
    Sound,
    Speaker,
    Voice,
    has_sound_card,
    heard,
    muted,
    silenced,
    step,
    unmuted,
    with_bus,
    with_flood,
    with_unstored,
)

AT = datetime(2026, 3, 1, 3, tzinfo=UTC)


def listen(voice, *, from_s=0.0, to_s, every_s=0.5):
    """Return what is heard, as (second, sound), and the voice afterwards."""
    told = []
    n_steps = round((to_s - from_s) / every_s)
    for index in range(n_steps + 1):
        now_s = from_s + index * every_s
        voice, sound = step(voice, now_s)
        if sound is not None:
            told.append((now_s, sound))
    return told, voice


def calling(*priorities):
    return heard(Voice(), [make_alarm(f"a{i}", priority) for i, priority in enumerate(priorities)])


def test_nothing_calls_and_nothing_is_heard():
    assert listen(Voice(), to_s=60)[0] == []


def test_a_critical_alarm_is_heard_every_3_s():
    told, _ = listen(calling(Priority.CRITICAL), to_s=9)

    assert told == [(0.0, Sound.CRITICAL), (3.0, Sound.CRITICAL), (6.0, Sound.CRITICAL), (9.0, Sound.CRITICAL)]


def test_a_high_alarm_is_heard_every_10_s():
    told, _ = listen(calling(Priority.HIGH), to_s=20)

    assert told == [(0.0, Sound.HIGH), (10.0, Sound.HIGH), (20.0, Sound.HIGH)]


def test_a_medium_alarm_is_heard_once_and_a_low_one_never():
    assert listen(calling(Priority.MEDIUM), to_s=120)[0] == [(0.0, Sound.MEDIUM)]
    assert listen(calling(Priority.LOW), to_s=120)[0] == []


def test_each_new_medium_alarm_has_its_own_chime():
    first = make_alarm("one", Priority.MEDIUM)
    _, voice = listen(heard(Voice(), [first]), to_s=5)

    told, _ = listen(heard(voice, [first, make_alarm("two", Priority.MEDIUM)]), from_s=6, to_s=30)

    assert told == [(6.0, Sound.MEDIUM)]


def test_only_the_most_urgent_is_heard():
    told, _ = listen(calling(Priority.MEDIUM, Priority.CRITICAL, Priority.HIGH), to_s=6)

    assert {sound for _, sound in told} == {Sound.CRITICAL}


def test_an_acknowledge_ends_the_sound_at_once():
    _, voice = listen(calling(Priority.CRITICAL), to_s=4)

    voice = heard(voice, [make_alarm("a0", Priority.CRITICAL, is_acknowledged=True)])

    assert listen(voice, from_s=4, to_s=60)[0] == []


def test_silence_lasts_60_s():
    voice = silenced(calling(Priority.CRITICAL), 0.0)

    told, _ = listen(voice, to_s=SILENCE_S + 1)

    assert told[0] == (SILENCE_S, Sound.CRITICAL)
    assert voice.silence_left_s(20.0) == 40.0


def test_a_new_critical_alarm_breaks_the_silence_and_a_new_high_one_does_not():
    old = make_alarm("old", Priority.CRITICAL)
    voice = silenced(heard(Voice(), [old]), 0.0)

    still = heard(voice, [old, make_alarm("new", Priority.HIGH)])
    assert listen(still, to_s=10)[0] == []
    broken = heard(still, [old, make_alarm("newer", Priority.CRITICAL)])
    assert listen(broken, from_s=10, to_s=10)[0] == [(10.0, Sound.CRITICAL)]


def test_an_alarm_that_becomes_critical_breaks_the_silence_too():
    voice = silenced(heard(Voice(), [make_alarm("a", Priority.HIGH)]), 0.0)

    risen = heard(voice, [make_alarm("a", Priority.CRITICAL)])

    assert listen(risen, from_s=1, to_s=1)[0] == [(1.0, Sound.CRITICAL)]


@pytest.mark.parametrize("is_flooded", [False, True])
def test_an_escalation_is_heard_as_a_high_alarm_also_in_a_flood_or_where_the_alarm_had_its_chime(is_flooded):
    _, voice = listen(with_flood(calling(Priority.MEDIUM, Priority.LOW), is_on=is_flooded), to_s=5)
    for number, priority in ((0, Priority.MEDIUM), (1, Priority.LOW)):
        escalated = make_alarm(f"a{number}", priority, escalation_level=1)

        told, _ = listen(heard(voice, [escalated]), from_s=6, to_s=30)

        assert told[:2] == [(6.0, Sound.HIGH), (16.0, Sound.HIGH)]


def test_the_escalation_of_a_critical_alarm_breaks_the_silence():
    voice = silenced(calling(Priority.CRITICAL), 0.0)

    escalated = heard(voice, [make_alarm("a0", Priority.CRITICAL, escalation_level=1)])

    assert step(voice, 1.0)[1] is None
    assert step(escalated, 1.0)[1] is Sound.CRITICAL


def test_mute_is_not_broken_and_ends_by_itself_after_30_min():
    voice = muted(calling(Priority.HIGH), 0.0)
    voice = heard(voice, [make_alarm("a0", Priority.HIGH), make_alarm("new", Priority.CRITICAL)])

    assert listen(voice, to_s=MUTE_S - 10, every_s=10)[0] == []
    assert step(voice, MUTE_S)[1] is Sound.CRITICAL
    assert step(unmuted(voice), 5.0)[1] is Sound.CRITICAL


def test_a_lost_link_has_its_own_sound_that_a_critical_alarm_covers():
    lost = with_bus(calling(Priority.HIGH), is_lost=True)

    assert listen(lost, to_s=10)[0] == [(0.0, Sound.BUS_LOST), (10.0, Sound.BUS_LOST)]
    covered = with_bus(calling(Priority.CRITICAL), is_lost=True)
    assert {sound for _, sound in listen(covered, to_s=10)[0]} == {Sound.CRITICAL}


def test_a_call_that_no_list_can_show_is_heard_until_it_is_stored_or_somebody_wants_silence():
    call = UnstoredCall(title="Collision", source_name="North gate", at=AT, priority=Priority.CRITICAL)
    told, voice = listen(with_unstored(Voice(), [call]), to_s=6)
    assert told == [(0.0, Sound.CRITICAL), (3.0, Sound.CRITICAL), (6.0, Sound.CRITICAL)]

    voice = with_unstored(silenced(voice, 7.0), [call])
    assert listen(voice, from_s=7, to_s=60)[0] == []

    another = replace(call, at=AT + timedelta(seconds=5))
    assert listen(with_unstored(voice, [call, another]), from_s=20, to_s=20)[0] == [(20.0, Sound.CRITICAL)]
    assert listen(with_unstored(voice, []), from_s=80, to_s=100)[0] == []


def test_a_medium_call_that_no_list_can_show_has_one_chime_while_other_alarms_come_and_go():
    call = UnstoredCall(title="Stopped vehicle", source_name="North gate", at=AT, priority=Priority.MEDIUM)
    told, voice = listen(with_unstored(Voice(), [call]), to_s=6)
    voice = heard(with_unstored(voice, [call]), [make_alarm("a", Priority.LOW)])

    assert told == [(0.0, Sound.MEDIUM)]
    assert listen(voice, from_s=7, to_s=60)[0] == []


def test_in_a_flood_only_critical_and_high_alarms_are_heard():
    flooded = with_flood(calling(Priority.MEDIUM), is_on=True)
    assert listen(flooded, to_s=30)[0] == []
    assert listen(with_flood(calling(Priority.HIGH), is_on=True), to_s=5)[0] == [(0.0, Sound.HIGH)]


def test_what_came_in_a_flood_or_a_silence_has_no_chime_afterwards():
    _, flooded = listen(with_flood(calling(Priority.MEDIUM), is_on=True), to_s=10)
    _, silent = listen(silenced(calling(Priority.MEDIUM), 0.0), to_s=SILENCE_S - 1)

    assert listen(with_flood(flooded, is_on=False), from_s=11, to_s=30)[0] == []
    assert listen(silent, from_s=SILENCE_S, to_s=SILENCE_S + 30)[0] == []


# -- what makes no new sound


@pytest.mark.parametrize("priority", list(Priority))
def test_an_alarm_that_chatters_makes_no_sound_before_it_calls(priority):
    chattering = make_alarm("a", priority, n_calls=0, marks=frozenset({AlarmMark.CHATTERING}))
    told, voice = listen(heard(Voice(), [chattering]), to_s=30)

    escalated = heard(voice, [make_alarm("a", priority, n_calls=1, escalation_level=1)])

    assert told == []
    assert listen(escalated, from_s=31, to_s=31)[0] == [
        (31.0, Sound.CRITICAL if priority is Priority.CRITICAL else Sound.HIGH)
    ]


@pytest.mark.parametrize("is_latched", [False, True])
@pytest.mark.parametrize("priority", [Priority.CRITICAL, Priority.HIGH])
def test_the_sound_ends_when_the_condition_is_over(priority, is_latched):
    _, voice = listen(calling(priority), to_s=5)

    returned = heard(voice, [make_alarm("a0", priority, is_active=False, is_latched=is_latched)])

    assert listen(returned, from_s=5.5, to_s=60)[0] == []


@pytest.mark.parametrize("priority", [Priority.CRITICAL, Priority.HIGH, Priority.MEDIUM])
def test_an_acknowledge_that_was_taken_back_makes_no_new_sound(priority):
    _, voice = listen(calling(priority), to_s=5)
    voice = heard(voice, [make_alarm("a0", priority, is_acknowledged=True)])

    assert listen(heard(voice, [make_alarm("a0", priority)]), from_s=6, to_s=60)[0] == []


def test_an_acknowledge_that_was_taken_back_does_not_break_the_silence_either():
    voice = heard(calling(Priority.CRITICAL), [make_alarm("a0", Priority.CRITICAL, is_acknowledged=True)])
    voice = silenced(voice, 0.0)

    assert heard(voice, [make_alarm("a0", Priority.CRITICAL)]).silence_left_s(1.0) == SILENCE_S - 1


def test_an_acknowledge_from_before_this_console_came_is_taken_back_without_a_sound():
    voice = heard(Voice(), [make_alarm("a", Priority.CRITICAL, is_acknowledged=True)])

    assert listen(heard(voice, [make_alarm("a", Priority.CRITICAL)]), to_s=30)[0] == []


def test_what_comes_back_without_a_call_makes_no_sound_and_with_one_it_does():
    _, voice = listen(calling(Priority.CRITICAL), to_s=5)
    _, voice = listen(heard(voice, [make_alarm("a0", Priority.CRITICAL, is_active=False)]), from_s=6, to_s=10)

    chattering = heard(voice, [make_alarm("a0", Priority.CRITICAL, n_repeats=1)])
    called = heard(voice, [make_alarm("a0", Priority.CRITICAL, n_repeats=1, n_calls=2)])

    assert listen(chattering, from_s=11, to_s=60)[0] == []
    assert listen(called, from_s=11, to_s=14)[0] == [(11.0, Sound.CRITICAL), (14.0, Sound.CRITICAL)]


def test_a_medium_alarm_that_calls_again_has_a_second_chime():
    _, voice = listen(calling(Priority.MEDIUM), to_s=5)

    again = heard(voice, [make_alarm("a0", Priority.MEDIUM, n_calls=2)])

    assert listen(again, from_s=6, to_s=60)[0] == [(6.0, Sound.MEDIUM)]


@pytest.mark.parametrize(
    ("priority", "sound"),
    [(Priority.CRITICAL, Sound.CRITICAL), (Priority.HIGH, Sound.HIGH), (Priority.MEDIUM, Sound.MEDIUM)],
)
def test_a_moment_is_heard_once_each_time_it_calls(priority, sound):
    moment = make_alarm("a", priority, is_active=False)
    told, voice = listen(heard(Voice(), [moment]), to_s=60)

    again, _ = listen(heard(voice, [replace(moment, n_calls=2)]), from_s=61, to_s=120)

    assert told == [(0.0, sound)]
    assert again == [(61.0, sound)]


@pytest.mark.parametrize("is_over_when_heard_first", [False, True])
def test_a_critical_moment_breaks_the_silence(is_over_when_heard_first):
    voice = silenced(Voice(), 0.0)
    for is_active in (False,) if is_over_when_heard_first else (True, False):
        voice = heard(voice, [make_alarm("a", Priority.CRITICAL, is_active=is_active)])

    assert listen(voice, from_s=1, to_s=30)[0] == [(1.0, Sound.CRITICAL)]


def test_a_moment_is_heard_after_what_was_more_urgent():
    moment = make_alarm("moment", Priority.HIGH, is_active=False)
    urgent = make_alarm("urgent", Priority.CRITICAL)
    told, voice = listen(heard(Voice(), [moment, urgent]), to_s=5)

    voice = heard(voice, [moment, replace(urgent, is_acknowledged=True)])

    assert {sound for _, sound in told} == {Sound.CRITICAL}
    assert listen(voice, from_s=6, to_s=60)[0] == [(6.0, Sound.HIGH)]


def test_what_is_over_covers_nothing_that_still_calls():
    over = make_alarm("over", Priority.CRITICAL, is_active=False)
    _, voice = listen(heard(Voice(), [over]), to_s=5)

    told, _ = listen(heard(voice, [over, make_alarm("stands", Priority.HIGH)]), from_s=6, to_s=16)

    assert told == [(6.0, Sound.HIGH), (16.0, Sound.HIGH)]


@pytest.mark.parametrize("is_latched", [False, True])
def test_the_escalation_of_what_is_over_is_heard_once(is_latched):
    over = make_alarm("a", Priority.MEDIUM, is_active=False, is_latched=is_latched)
    _, voice = listen(heard(Voice(), [over]), to_s=5)

    escalated = heard(voice, [replace(over, n_calls=2, escalation_level=1)])

    assert listen(escalated, from_s=6, to_s=60)[0] == [(6.0, Sound.HIGH)]


# -- the speaker


class PlayerInHand:
    """Plays nothing; does what the test tells it."""

    def __init__(self):
        self.played, self.error, self.notice = [], None, ""
        self.may_go_on, self.has_played = threading.Event(), threading.Event()
        self.may_go_on.set()

    def play(self, file, level):
        self.played.append((file.name, level))
        self.has_played.set()
        assert self.may_go_on.wait(5)
        if self.error is not None:
            raise self.error
        return self.notice


@pytest.fixture
def player():
    return PlayerInHand()


@pytest.fixture
def speaker(player, tmp_path):
    states = []
    made = Speaker(tmp_path, player, states.append, level=0.1)
    made.states = states
    yield made
    player.may_go_on.set()
    made.close()
    assert not made._thread.is_alive()


def test_the_file_of_the_sound_is_played_and_critical_stays_audible(speaker, player, qtbot):
    speaker.play(Sound.CRITICAL)
    qtbot.waitUntil(lambda: len(player.played) == 1)
    speaker.play(Sound.HIGH)
    qtbot.waitUntil(lambda: len(player.played) == 2)

    assert player.played == [("critical.wav", MIN_CRITICAL_LEVEL), ("high.wav", 0.1)]
    assert speaker.state == ""


def test_without_a_device_the_speaker_says_so_once(speaker, player, qtbot):
    player.error = OSError("no audio device")

    speaker.play(Sound.HIGH)
    qtbot.waitUntil(lambda: speaker.states == ["No sound: no audio device."])
    speaker.play(Sound.HIGH)
    speaker.play(Sound.CRITICAL)

    assert speaker.state == "No sound: no audio device."
    assert len(speaker.states) == 1


def test_a_chosen_output_that_is_gone_is_said_while_the_default_is_heard(speaker, player, qtbot):
    player.notice = "Desk speaker is not connected; alarms are heard from the default output."
    speaker.play(Sound.HIGH)
    qtbot.waitUntil(lambda: speaker.states == [player.notice])

    player.notice = ""
    speaker.play(Sound.HIGH)
    qtbot.waitUntil(lambda: speaker.states[-1] == "")


def test_a_sentence_is_said_after_the_sound_that_is_due(player, tmp_path, qtbot):
    said = []
    player.may_go_on.clear()
    speaker = Speaker(tmp_path, player, lambda _state: None, speak=said.append)
    speaker.play(Sound.TEST)
    qtbot.waitUntil(player.has_played.is_set)

    speaker.say("High. Congestion. Harbour Road.")
    speaker.play(Sound.HIGH)
    player.may_go_on.set()

    qtbot.waitUntil(lambda: said == ["High. Congestion. Harbour Road."])
    assert [name for name, _ in player.played] == ["test.wav", "high.wav"]
    speaker.close()


def test_a_missing_file_is_a_state_and_no_crash(qtbot, tmp_path):
    states = []
    speaker = Speaker(tmp_path, MiniaudioPlayer(), states.append)

    speaker.play(Sound.TEST)

    qtbot.waitUntil(lambda: bool(states))
    assert states[0].startswith("No sound: ")
    speaker.close()


def test_a_device_that_hangs_blocks_nobody(speaker, player):
    player.may_go_on.clear()
    speaker.play(Sound.CRITICAL)
    assert player.has_played.wait(5)

    for _ in range(100):
        speaker.play(Sound.HIGH)
    speaker._busy_since_s -= 60
    speaker.play(Sound.HIGH)

    assert speaker.states == ["No sound: the audio device does not answer."]


def test_a_machine_without_a_sound_card_is_told_by_its_list_of_cards(tmp_path):
    listed, empty = tmp_path / "listed", tmp_path / "empty"
    listed.write_text(" 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n", encoding="utf-8")
    empty.write_text("--- no soundcards ---\n", encoding="utf-8")

    is_linux = sys.platform.startswith("linux")

    assert has_sound_card(listed)
    assert has_sound_card(empty) is not is_linux
    assert has_sound_card(tmp_path / "missing") is not is_linux


@pytest.mark.skipif(has_sound_card(), reason="this machine has a sound card")
def test_without_a_sound_card_nothing_is_written_to_the_terminal(capfd, tmp_path):
    with pytest.raises(OSError, match="no audio device"):
        MiniaudioPlayer().play(resources.path("sounds/medium.wav"), 0.5)

    assert capfd.readouterr().err == ""


def test_a_real_device_plays_or_says_that_there_is_none(qtbot, tmp_path):
    with wave.open(str(tmp_path / "test.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(b"\0\0" * 4_410)

    states = []
    speaker = Speaker(tmp_path, MiniaudioPlayer(), states.append)
    speaker.play(Sound.TEST)
    speaker.close(timeout_s=10)

    assert not speaker._thread.is_alive()
    assert all("audio device" in state for state in states)
