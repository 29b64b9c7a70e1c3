"""What stands in an ignore mask is left out, and so is what a detector sees in the black of a privacy mask."""

import pytest

from core.vision.masks import IgnoreMasks
from core.vision.model import Mask, MaskKind, Scene, Track

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
WINDOW = ((0.6, 0.2), (0.9, 0.2), (0.9, 0.5), (0.6, 0.5))


def track(track_id, *box):
    return Track(track_id=track_id, label="car", score=0.9, bbox_xyxy=box)


def kept(masks, *tracks):
    return [one.track_id for one in IgnoreMasks(Scene(masks=masks)).outside(tracks)]


def test_what_stands_in_an_ignore_mask_is_left_out_by_its_ground_point():
    ignore = Mask(key="row", name="Parked row", polygon=LEFT_HALF, kind=MaskKind.IGNORE)
    leaning_out = track(1, 0.3, 0.2, 0.6, 0.8)
    beside = track(2, 0.55, 0.2, 0.7, 0.8)

    assert kept((ignore,), leaning_out, beside) == [2]


def test_the_black_of_a_privacy_mask_is_no_vehicle_even_where_its_box_hangs_over_the_edge():
    privacy = Mask(key="window", name="Window", polygon=WINDOW)
    the_black_itself = track(1, 0.59, 0.18, 0.91, 0.53)
    driving_past_below = track(2, 0.6, 0.45, 0.8, 0.75)

    assert kept((privacy,), the_black_itself, driving_past_below) == [2]


@pytest.mark.parametrize("masks", [(), (Mask(key="window", name="Window", polygon=WINDOW),)])
def test_nothing_is_left_out_of_an_empty_road(masks):
    assert kept(masks) == []
