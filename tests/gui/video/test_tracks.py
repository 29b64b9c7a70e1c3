"""Boxes are joined to pictures by picture time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vision.model import Track
from widgets.video import tracks as joined
from widgets.video.model import TrackSet
from widgets.video.tracks import EXTRAPOLATED_S, FADED_S, KEPT_S, TrackHistory


def track(track_id=1, x=0.2, velocity=(0.5, 0.0)):
    return Track(track_id=track_id, label="car", score=0.9, bbox_xyxy=(x, 0.4, x + 0.1, 0.5), velocity_xy=velocity)


def sets(*pairs):
    return [TrackSet.of(pts_s, tracks) for pts_s, tracks in pairs]


def tracks_at(known, pts_s):
    return joined.tracks_at(known, pts_s).rows()


def left(drawn):
    return drawn.bbox_xyxy[0]


def test_the_very_picture_gets_its_own_boxes():
    known = sets((1.0, [track(x=0.2)]), (1.1, [track(x=0.3)]))

    (drawn,) = tracks_at(known, 1.1)

    assert drawn.bbox_xyxy == pytest.approx((0.3, 0.4, 0.4, 0.5))
    assert drawn.opacity == 1.0


def test_a_picture_between_two_sets_gets_boxes_between():
    known = sets((1.0, [track(x=0.2)]), (1.2, [track(x=0.4)]))

    (drawn,) = tracks_at(known, 1.05)

    assert left(drawn) == pytest.approx(0.25, abs=1e-6)
    assert drawn.opacity == 1.0


def test_a_box_that_only_one_neighbour_knows_fades():
    known = sets((1.0, [track(1)]), (1.2, [track(2)]))

    drawn = {box.track_id: box for box in tracks_at(known, 1.05)}

    assert drawn[1].opacity == pytest.approx(0.75)
    assert drawn[2].opacity == pytest.approx(0.25)


def test_boxes_run_ahead_with_their_velocity_for_200_ms():
    known = sets((1.0, [track(x=0.2, velocity=(0.5, 0.1))]))

    (drawn,) = tracks_at(known, 1.1)

    assert drawn.bbox_xyxy == pytest.approx((0.25, 0.41, 0.35, 0.51))
    assert drawn.opacity == 1.0


def test_then_they_stand_still_and_fade_out():
    known = sets((1.0, [track(x=0.2)]))

    (fading,) = tracks_at(known, 1.0 + EXTRAPOLATED_S + FADED_S / 2)

    assert left(fading) == pytest.approx(0.2 + 0.5 * EXTRAPOLATED_S)
    assert fading.opacity == pytest.approx(0.5)
    assert tracks_at(known, 1.0 + EXTRAPOLATED_S + FADED_S + 0.01) == ()


def test_a_picture_long_before_every_set_gets_none():
    known = sets((5.0, [track()]))

    assert tracks_at(known, 4.0) == ()
    assert len(tracks_at(known, 4.9)) == 1


def test_nothing_is_known_and_nothing_is_drawn():
    assert tracks_at([], 1.0) == ()
    assert tracks_at(sets((1.0, [])), 1.0) == ()


def test_a_second_is_kept():
    history = TrackHistory()
    for step in range(100):
        history.add(TrackSet.of(step / 10, ()))

    assert len(history) == round(KEPT_S * 10) + 1


def test_sets_that_come_out_of_order_are_put_in_order():
    history = TrackHistory()
    history.add(sets((1.2, [track(x=0.4)]))[0])
    history.add(sets((1.0, [track(x=0.2)]))[0])

    (drawn,) = history.at(1.1).rows()

    assert left(drawn) == pytest.approx(0.3)


def test_a_clip_that_begins_anew_forgets_the_boxes_of_its_end():
    history = TrackHistory()
    history.add(sets((59.9, [track(7)]))[0])
    history.add(sets((0.1, [track(8)]))[0])

    assert [box.track_id for box in history.at(0.1).rows()] == [8]
    assert len(history) == 1


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=12),
    st.floats(-1, 5),
    st.floats(-2, 2),
)
def test_boxes_never_run_further_than_200_ms_of_their_velocity(times, pts_s, velocity):
    history = TrackHistory()
    for time_s in times:
        history.add(TrackSet.of(time_s, (track(x=0.3, velocity=(velocity, 0.0)),)))

    for drawn in history.at(pts_s).rows():
        assert 0.0 <= drawn.opacity <= 1.0
        assert abs(left(drawn) - 0.3) <= abs(velocity) * EXTRAPOLATED_S + 1e-6
