"""The last seconds of a camera."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from av import VideoFrame

from core.vision.look_back import EVERY_ALARM_S, EVERY_QUIET_S, EVERY_S, LATE_S, MAX_CLIPS, LookBack

AT = datetime(2026, 1, 1, tzinfo=UTC)
GREY = VideoFrame.from_ndarray(np.full((36, 64, 3), 90, np.uint8), format="rgb24")


def watch(look_back, *, from_s, to_s, is_quiet=False, fps=10):
    for number in range(round((to_s - from_s) * fps)):
        now_s = from_s + number / fps
        frame = SimpleNamespace(received_s=now_s, captured_at=AT + timedelta(seconds=now_s), frame=GREY)
        look_back.take(frame, is_quiet=is_quiet)


def offsets(pictures, at_s):
    return [round(wall_s - AT.timestamp() - at_s, 1) for wall_s, _ in pictures]


def test_a_clip_begins_ten_seconds_before_and_ends_ten_after():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=30)

    assert look_back.begin("a", 30.0)
    watch(look_back, from_s=30, to_s=45, fps=20)
    ((clip_id, pictures),) = look_back.finished(40.0)

    found = offsets(pictures, 30.0)
    assert clip_id == "a"
    assert found == sorted(found)
    assert -10.0 <= found[0] <= -9.0
    before = [b - a for a, b in pairwise(found) if b < 0]
    assert all(abs(gap - EVERY_S) < 0.11 for gap in before)
    assert len([offset for offset in found if offset >= 0]) >= 10 / EVERY_ALARM_S
    assert found[-1] == 10.0
    assert look_back.finished(99.0) == []


def test_where_nothing_moves_fewer_pictures_are_kept():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=20, is_quiet=True)

    look_back.begin("a", 20.0)
    ((_, pictures),) = look_back.finished(31.0)

    assert len(pictures) <= 10.0 / EVERY_QUIET_S + 1


def test_a_camera_that_was_lost_still_shows_what_was_before():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=12)

    look_back.begin("lost", 15.0)

    ((_, pictures),) = look_back.finished(26.0)
    assert offsets(pictures, 15.0)[0] >= -10.0
    assert offsets(pictures, 15.0)[-1] <= -3.0


def test_a_flood_of_alarms_takes_a_bounded_number_of_clips():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=2)

    taken = [look_back.begin(str(number), 2.0) for number in range(20)]

    assert sum(taken) == MAX_CLIPS
    assert not look_back.begin("0", 2.0)


def test_a_camera_that_gave_nothing_says_so():
    look_back = LookBack()

    look_back.begin("dark", 15.0)

    assert look_back.finished(26.0) == [("dark", ())]


def test_a_camera_that_ends_hands_over_what_it_has_of_its_clips():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=15)
    look_back.begin("a", 15.0)
    watch(look_back, from_s=15, to_s=18)

    ((clip_id, pictures),) = look_back.broken_off()

    found = offsets(pictures, 15.0)
    assert clip_id == "a"
    assert found[0] <= -9.0
    assert 2.5 <= found[-1] < 3.0
    assert look_back.broken_off() == look_back.finished(99.0) == []


def test_a_clip_of_something_a_little_while_ago_is_of_then():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=30)

    look_back.begin("late", 30.0, ago_s=LATE_S)
    watch(look_back, from_s=30, to_s=40)

    ((_, pictures),) = look_back.finished(35.0)
    found = offsets(pictures, 25.0)
    assert -10.0 <= found[0] <= -9.0
    assert 9.0 <= found[-1] <= 10.0


def test_a_clip_of_something_long_ago_is_finished_at_once_and_empty():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=700)

    look_back.begin("late", 700.0, ago_s=600.0)

    assert look_back.finished(700.0) == [("late", ())]


def test_a_clip_of_something_long_ago_shows_nothing_of_now():
    look_back = LookBack()
    watch(look_back, from_s=0, to_s=60)

    look_back.begin("late", 60.0, ago_s=40.0)
    watch(look_back, from_s=60, to_s=61)

    assert look_back.finished(61.0) == [("late", ())]
