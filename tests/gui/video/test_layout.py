"""Arrangements of the wall."""

import pytest

from widgets.video.layout import (
    CELLS,
    GRID_SIDE,
    Preset,
    WallLayout,
    enlarged,
    from_dict,
    put,
    swapped,
    to_dict,
    turned,
    with_cameras,
    with_guest,
    with_preset,
    without_guests,
)


def layout(n_cameras=6, preset=Preset.FOUR):
    return with_cameras(WallLayout(preset=preset), [f"c{i}" for i in range(n_cameras)])


@pytest.mark.parametrize("preset", Preset)
def test_tiles_cover_the_wall_without_overlap(preset):
    side = GRID_SIDE[preset]
    covered = [(x, y) for cx, cy, w, h in CELLS[preset] for x in range(cx, cx + w) for y in range(cy, cy + h)]

    assert sorted(covered) == [(x, y) for x in range(side) for y in range(side)]
    n = sum(int(part) for part in preset.value.split("+"))
    assert len(CELLS[preset]) == n


def test_more_cameras_than_tiles_make_pages():
    wall = layout(6)

    assert wall.n_pages == 2
    assert wall.cameras == ("c0", "c1", "c2", "c3")
    assert turned(wall, 1).cameras == ("c4", "c5", None, None)
    assert turned(wall, 9).page == 1
    assert turned(wall, -9).page == 0


def test_another_division_keeps_the_first_camera_in_sight():
    wall = turned(layout(20), 3)

    assert wall.cameras[0] == "c12"
    assert "c12" in with_preset(wall, Preset.NINE).cameras


def test_a_guest_that_has_a_tile_on_this_page_is_shown_there():
    covered = with_guest(layout(), 1, "c5")

    assert with_guest(layout(), 0, "c2").cameras == layout().cameras
    assert with_guest(covered, 0, "c1").cameras == layout().cameras


def test_a_page_that_is_left_empty_takes_no_guests_along():
    wall = with_guest(turned(layout(6), 1), 2, "c0")

    assert with_cameras(wall, ["c0", "c1"]).cameras == ("c0", "c1", None, None)


def test_tiles_are_swapped():
    assert swapped(layout(), 0, 3).cameras == ("c3", "c1", "c2", "c0")


def test_a_camera_may_be_swapped_with_an_empty_tile():
    wall = swapped(layout(2), 0, 3)

    assert wall.cameras == (None, "c1", None, "c0")


def test_a_camera_that_is_put_elsewhere_leaves_what_it_replaces_in_its_old_place():
    wall = put(layout(6), 1, "c5")

    assert wall.cameras == ("c0", "c5", "c2", "c3")
    assert wall.slots[5] == "c1"


def test_no_camera_is_ever_on_two_tiles():
    wall = layout(6)
    for tile, camera in ((0, "c3"), (3, "c3"), (2, "c5"), (2, "c0"), (1, "c0")):
        wall = put(wall, tile, camera)
        placed = [slot for slot in wall.slots if slot]
        assert len(placed) == len(set(placed)) == 6


def test_a_guest_goes_and_the_arrangement_is_as_before():
    wall = layout(6)

    shown = with_guest(wall, 2, "c5")

    assert shown.cameras == ("c0", "c1", "c5", "c3")
    assert without_guests(shown) == wall


def test_a_removed_camera_leaves_an_empty_tile_and_a_new_one_takes_it():
    wall = with_cameras(layout(4), ["c0", "c2", "c3"])
    assert wall.cameras == ("c0", None, "c2", "c3")

    assert with_cameras(wall, ["c0", "c2", "c3", "new"]).cameras == ("c0", "new", "c2", "c3")


def test_an_enlarged_tile_is_the_only_one_to_be_seen():
    assert enlarged(layout(), 2).visible == (2,)
    assert enlarged(enlarged(layout(), 2), None).visible == (0, 1, 2, 3)


def test_a_saved_arrangement_comes_back():
    wall = turned(put(layout(20, Preset.ONE_AND_FIVE), 0, "c9"), 1)

    assert from_dict(to_dict(wall)) == wall


@pytest.mark.parametrize(
    "junk",
    [{}, {"preset": "13", "slots": 3, "page": "x"}, {"slots": ["a", "a", 7, None, {}]}, {"preset": [], "page": -5}],
)
def test_junk_from_a_file_becomes_a_usable_wall(junk):
    wall = from_dict(junk)

    assert wall.preset is Preset.FOUR
    assert wall.page == 0
    assert len([slot for slot in wall.slots if slot]) == len({slot for slot in wall.slots if slot})
