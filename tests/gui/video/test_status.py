"""What a tile says about its picture."""

from datetime import UTC, datetime

import pytest

from core.media.model import StreamReport, StreamState
from widgets.base.times import format_clock
from widgets.video.status import PictureLook, describe_tile

SINCE = datetime(2026, 1, 1, 14, 3, 11, tzinfo=UTC)


def status(state=StreamState.LIVE, *, picture_age_s=0.1, report_age_s=0.2, shown_for_s=3600.0, **report):
    return describe_tile(
        StreamReport(camera_id="c", state=state, **report),
        since_at=SINCE,
        report_age_s=report_age_s,
        picture_age_s=picture_age_s,
        shown_for_s=shown_for_s,
    )


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (StreamState.LIVE, "LIVE 0.1 s"),
        (StreamState.LOST, f"LOST since {format_clock(SINCE)}"),
        (StreamState.UNAUTHORISED, "WRONG PASSWORD"),
        (StreamState.DISABLED, "DISABLED"),
        (StreamState.RESTARTING, "RESTARTING"),
        (StreamState.UNUSABLE, "UNUSABLE"),
        (StreamState.ENDED, "ENDED"),
        (StreamState.CONNECTING, "CONNECTING"),
    ],
)
def test_the_word_says_the_state(state, word):
    assert status(state).word == word


@pytest.mark.parametrize("state", [state for state in StreamState if state is not StreamState.LIVE])
def test_whatever_is_not_live_has_a_sentence_and_does_not_look_live(state):
    said = status(state)

    assert said.sentence.endswith(".")
    assert not said.is_good


def test_a_picture_that_stands_still_is_stale_even_if_the_report_says_live():
    said = status(picture_age_s=2.3)

    assert said.word == "STALE 2.3 s"
    assert said.look is PictureLook.AGEING


def test_a_slow_camera_is_not_stale_for_being_slow():
    assert status(picture_age_s=2.3, fps=0.5).is_good
    assert not status(picture_age_s=6.5, fps=0.5).is_good


def test_a_live_camera_that_was_just_opened_waits_for_its_next_key_frame_and_is_not_lost():
    said = status(picture_age_s=40.0, shown_for_s=2.0)

    assert said.word == "WAITING 40 s"
    assert said.look is PictureLook.AGEING
    assert said.sentence == "Waiting for the camera's next key frame."


@pytest.mark.parametrize(
    ("state", "picture_age_s", "shown_for_s"),
    [
        (StreamState.LIVE, 40.0, 20.0),
        (StreamState.LIVE, 4.0, 3.9),
        (StreamState.LOST, 40.0, 2.0),
    ],
    ids=["no key frame came", "it was live when it was opened", "the node says that it is lost"],
)
def test_what_is_really_lost_waits_for_no_key_frame(state, picture_age_s, shown_for_s):
    assert status(state, picture_age_s=picture_age_s, shown_for_s=shown_for_s).word.startswith("LOST")


def test_without_reports_nobody_knows_and_the_tile_says_so():
    said = status(report_age_s=7.0)

    assert said.word == "NO REPORT 7.0 s"
    assert said.look is PictureLook.AGEING


def test_the_reports_own_reason_and_hint_win():
    said = status(StreamState.LOST, reason="The camera closed the connection.", hint="Look at its power supply.")

    assert (said.sentence, said.hint) == ("The camera closed the connection.", "Look at its power supply.")


def test_before_the_first_picture_there_is_none_to_be_taken_for_live():
    assert status(picture_age_s=None).look is PictureLook.BLANK
    assert describe_tile(None, since_at=None, report_age_s=0, picture_age_s=None).word == "WAITING"


def test_a_disabled_camera_is_no_fault_and_shows_no_old_picture():
    said = status(StreamState.DISABLED)

    assert said.is_meant
    assert said.look is PictureLook.BLANK
