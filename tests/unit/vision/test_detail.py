import av
import numpy as np
import pytest

from core.media.convert import TileScaler
from core.vision.detail import detail_areas, detail_of, merge_detail
from core.vision.model import Scene, Zone

NETWORK_WH = (640, 384)
FAR = ((0.4, 0.1), (0.6, 0.1), (0.6, 0.3), (0.4, 0.3))


def scene(*polygons, detail=True):
    return Scene(
        zones=tuple(Zone(key=f"z{n}", name="", polygon=polygon, detail=detail) for n, polygon in enumerate(polygons))
    )


@pytest.fixture
def frame():
    rgb = np.full((720, 1280, 3), 60, np.uint8)
    rgb[108:132, 620:668] = 230  # a vehicle far away
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")


class Rotated:
    """A frame whose stream says that it stands on its side; libav lets nobody set that."""

    def __init__(self, frame, rotation):
        self._frame = frame
        self.rotation = rotation

    def __getattr__(self, name):
        return getattr(self._frame, name)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 6)


def bright_box(rgb):
    rows, columns = np.nonzero(rgb[..., 0] > 150)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_only_zones_that_ask_for_it_are_looked_at_more_closely(frame):
    assert detail_of(frame, scene(FAR, detail=False), NETWORK_WH) is None
    assert detail_of(frame, scene(FAR), NETWORK_WH) is not None


def test_the_area_holds_every_zone_with_a_margin_inside_the_frame():
    near_edge = ((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.1))

    assert detail_areas(scene(FAR))[0] == pytest.approx((0.35, 0.05, 0.65, 0.35))
    assert detail_areas(scene(near_edge))[0] == pytest.approx((0.0, 0.0, 0.125, 0.125))


def test_zones_far_apart_have_their_turn_one_after_the_other(frame):
    left = ((0.0, 0.1), (0.1, 0.1), (0.1, 0.3), (0.0, 0.3))
    right = ((0.9, 0.1), (1.0, 0.1), (1.0, 0.3), (0.9, 0.3))
    both = scene(left, right)

    looked = [detail_of(frame, both, NETWORK_WH, turn=turn).area[0] for turn in range(4)]

    assert looked == pytest.approx([0.0, 0.875, 0.0, 0.875], abs=0.01)
    assert len(detail_areas(scene(FAR, ((0.5, 0.3), (0.6, 0.3), (0.6, 0.4))))) == 1


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_picture_is_looked_at_as_it_stands(frame, degrees):
    upright = frame.to_ndarray(format="rgb24")
    stored = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(upright, -degrees // 90)), format="rgb24")
    turned = Rotated(stored.reformat(format="yuv420p"), degrees)

    there = bright_box(detail_of(turned, scene(FAR), NETWORK_WH).rgb)

    assert there == pytest.approx(bright_box(detail_of(frame, scene(FAR), NETWORK_WH).rgb), abs=3)


def test_a_crop_that_would_show_hardly_more_is_not_made(frame):
    assert detail_of(frame, scene(((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))), NETWORK_WH) is None


def test_a_vehicle_in_the_detail_is_larger_and_found_at_its_place_in_the_whole(frame):
    whole, letterbox = TileScaler().to_network_rgb(frame, NETWORK_WH)
    detail = detail_of(frame, scene(FAR), NETWORK_WH)
    small, large = bright_box(whole), bright_box(detail.rgb)

    merged = merge_detail(boxes(), boxes((*large, 0.8, 1)), detail, letterbox)

    assert large[2] - large[0] > 2.5 * (small[2] - small[0])
    assert merged.shape == (1, 6)
    assert merged[0, :4] == pytest.approx(np.array(small), abs=1.5)
    assert merged[0, 4:].tolist() == pytest.approx([0.8, 1])


def test_a_vehicle_seen_in_both_stands_once_with_the_surer_score(frame):
    whole, letterbox = TileScaler().to_network_rgb(frame, NETWORK_WH)
    detail = detail_of(frame, scene(FAR), NETWORK_WH)

    merged = merge_detail(
        boxes((*bright_box(whole), 0.3, 0)), boxes((*bright_box(detail.rgb), 0.9, 0)), detail, letterbox
    )

    assert merged[:, 4].tolist() == pytest.approx([0.9])


def test_what_the_edge_of_the_crop_cuts_through_is_taken_from_the_whole(frame):
    _, letterbox = TileScaler().to_network_rgb(frame, NETWORK_WH)
    detail = detail_of(frame, scene(FAR), NETWORK_WH)
    box = detail.letterbox
    cut = (box.pad_x, box.pad_y + 50, box.pad_x + 40, box.pad_y + 90, 0.9, 0)

    assert len(merge_detail(boxes(), boxes(cut), detail, letterbox)) == 0


def test_the_detail_of_a_huge_picture_is_the_same(frame):
    huge = frame.reformat(width=7680, height=4320, format="yuv420p")

    usual, detail = (detail_of(one, scene(FAR), NETWORK_WH) for one in (frame, huge))

    assert detail.rgb.shape == usual.rgb.shape
    assert detail.area == pytest.approx(usual.area, abs=0.005)
    assert bright_box(detail.rgb) == pytest.approx(bright_box(usual.rgb), abs=3)
