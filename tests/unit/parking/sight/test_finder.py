"""Vehicles are found in large pictures piece by piece as they are in one piece: each once, and where it stands."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import resources
from core.parking.sight.finder import (
    OVERLAP,
    SAME_IOU,
    TILE_WH,
    ModelChoice,
    VehicleFinder,
    _cut,
    _is_cut,
    area_round,
    one_by_one,
)
from core.vision.decode import overlap
from core.vision.models import find_model

PART_WH = (640, 360)
AT = (880, 400)
"""Where the part with vehicles lies in the large picture: over the seams of its four tiles."""


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    model = find_model("demo", folder=tmp_path_factory.mktemp("models"), allow_download=False)
    made = VehicleFinder(ModelChoice(model=model))
    yield made
    made.close()


@pytest.fixture(scope="module")
def large():
    """A picture of 2400 x 1300 whose vehicles stand on the seams between tiles."""
    with av.open(str(resources.path("demo/clips/cam-lot-west.mp4"))) as clip:
        part = next(clip.decode(video=0)).to_ndarray(format="bgr24")
    assert part.shape == (PART_WH[1], PART_WH[0], 3)
    picture = np.full((1300, 2400, 3), 114, np.uint8)
    picture[AT[1] : AT[1] + PART_WH[1], AT[0] : AT[0] + PART_WH[0]] = part
    return picture


def test_vehicles_on_the_seams_of_tiles_are_found_once_and_where_they_stand(finder, large):
    in_one_piece = finder.find(large, (*AT, AT[0] + PART_WH[0], AT[1] + PART_WH[1]), 2400)
    in_tiles = finder.find(large, (0, 0, 2400, 1300), 2400)

    sure = in_one_piece[in_one_piece[:, 4] > 0.7]
    on_seam = (sure[:, 0] < 1120) & (sure[:, 2] > 1120) | (sure[:, 1] < 736) & (sure[:, 3] > 736)
    assert on_seam.any()
    shared = overlap(sure[:, :4].astype(np.float32), in_tiles[:, :4].astype(np.float32))
    assert (shared.max(axis=1) > 0.8).all()
    assert ((shared > SAME_IOU).sum(axis=1) == 1).all()


@pytest.mark.slow
def test_engines_for_more_sizes_than_are_kept_are_made_anew_and_see_the_same(finder, large):
    area = (*AT, AT[0] + PART_WH[0], AT[1] + PART_WH[1])
    before = finder.find(large, area, 2400)
    for image_px in (600, 900, 1200):
        finder.find(large, area, image_px)

    assert np.array_equal(finder.find(large, area, 2400), before)


@given(length=st.integers(1, 9000), largest=st.sampled_from(TILE_WH))
def test_tiles_cover_a_side_without_a_gap_and_overlap_enough(length, largest):
    begins, tile = _cut(length, largest)

    assert (begins[0], begins[-1] + tile) == (0, length)
    assert tile <= largest
    steps = np.diff(begins)
    assert (steps > 0).all()
    assert (steps <= tile * (1 - OVERLAP) + 1).all()


def test_a_box_that_an_inner_edge_cuts_is_left_to_the_tile_beside_and_one_at_the_pictures_edge_is_kept():
    boxes = np.array([[0, 50, 40, 90, 0.9], [600, 50, 640, 90, 0.9], [100, 50, 140, 90, 0.9]], np.float32)

    assert _is_cut(boxes, (0, 0), (640, 640), (1200, 640)).tolist() == [False, True, False]
    assert _is_cut(boxes, (560, 0), (640, 640), (1200, 640)).tolist() == [True, False, False]


def test_of_boxes_round_one_vehicle_the_surest_stays():
    boxes = np.array([[0, 0, 40, 40, 0.5], [2, 0, 42, 40, 0.8], [100, 0, 140, 40, 0.6]], np.float32)

    assert one_by_one(boxes)[:, 4].tolist() == pytest.approx([0.8, 0.6])
    assert len(one_by_one(boxes[:0])) == 0


def test_the_part_with_bays_leaves_room_for_what_stands_in_them_and_ends_at_the_picture():
    far, near = (np.array([(x, y), (x + 60, y), (x + 60, y + 40), (x, y + 40)], np.float32) for x, y in [(300, 90)] * 2)
    near = near + np.array([200, 300], np.float32)

    x1, y1, x2, y2 = area_round([far, near], (640, 480))

    assert (x1, y1) == (252, 42)
    assert (x2, y2) == (608, 478)
