"""Rows, copies and imports on a lot, on its plan and on cameras' pictures."""

import pytest

from core.kernel.errors import BadInputError
from core.parking.drawing import (
    PLAN,
    SameId,
    cameras_of,
    carried,
    duplicated,
    free_ids,
    outlines_at,
    problem_of,
    renamed,
    take_file,
    with_lane,
    with_outlines,
    without_bays,
    without_outlines,
)
from core.parking.formats.model import BayFile, FoundBay
from core.parking.model import Bay, BayKind, Lot
from core.parking.shapes import area_of, carrier, crosses_itself, label_key, labels_from, row_of, row_quad

BOX = ((0.0, 0.0), (2.5, 0.0), (2.5, 5.0), (0.0, 5.0))
LEFT = ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2))
LOT = with_outlines(Lot(lot_id="north", name="North"), PLAN, {"A1": BOX})


def moved(outline, dx):
    return tuple((x + dx, y) for x, y in outline)


# -- rows


def test_a_row_on_the_plan_is_divided_evenly():
    bays = row_of(row_quad(((0, 0), (25, 0)), 5.0), 10)

    assert len(bays) == 10
    assert [round(part, 9) for part in bays[0][1]] == [2.5, 0]
    assert all(area_of(bay) == pytest.approx(12.5) for bay in bays)


def test_a_row_in_perspective_grows_smaller_with_distance():
    near, far = (0.0, 1.0), (0.0, 0.0)
    bays = row_of((near, far, (0.2, 0.0), (0.6, 1.0)), 6)

    sizes = [area_of(bay) for bay in bays]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == pytest.approx(0.4)


def test_bays_aslant_keep_their_depth():
    quad = row_quad(((0, 0), (20, 0)), 5.0, 45.0)

    assert quad[3] == pytest.approx((5.0, 5.0))
    assert area_of(quad) == pytest.approx(100.0)


def test_a_row_lies_left_of_its_front_and_right_of_it_with_a_negative_depth():
    assert row_quad(((0, 0), (10, 0)), 5.0)[2] == pytest.approx((10, 5))
    assert row_quad(((0, 0), (10, 0)), -5.0)[2] == pytest.approx((10, -5))


@pytest.mark.parametrize("quad", [((0, 0), (1, 1), (1, 0), (0, 1)), ((0, 0), (1, 0), (2, 0), (3, 0)), ((0, 0),) * 4])
def test_corners_that_span_no_row_are_refused(quad):
    with pytest.raises(BadInputError, match="no row"):
        row_of(quad, 3)


@pytest.mark.parametrize("count", [0, -1, 201])
def test_a_row_has_one_to_two_hundred_bays(count):
    with pytest.raises(BadInputError, match="1 to 200"):
        row_of(BOX, count)


@pytest.mark.parametrize(
    ("first", "step", "expected"),
    [
        ("A1", 1, ("A1", "A2", "A3")),
        ("B08", 1, ("B08", "B09", "B10")),
        ("7", 2, ("7", "9", "11")),
        ("C2", -1, ("C2", "C1", "C0")),
        ("Row", 1, ("Row1", "Row2", "Row3")),
        ("", 1, ("1", "2", "3")),
    ],
)
def test_labels_count_on_from_the_first(first, step, expected):
    assert labels_from(first, 3, step) == expected


def test_a_count_ends_at_nought():
    assert labels_from("A1", 4, -1) == ("A1", "A0")


def test_labels_sort_as_people_count():
    assert sorted(["A10", "A2", "B1", "A1"], key=label_key) == ["A1", "A2", "A10", "B1"]


def test_an_outline_that_crosses_itself_is_found():
    assert crosses_itself(((0, 0), (1, 1), (1, 0), (0, 1)))
    assert not crosses_itself(BOX)


# -- four pairs


def test_four_pairs_carry_every_other_point():
    ground = ((0, 0), (30, 0), (30, 20), (0, 20))

    def camera(point):
        x, y = point
        return (0.5 + (x - 15) / (40 + y), 0.9 - y / (40 + y))

    carry = carrier(ground, [camera(point) for point in ground])

    assert carry((12.0, 7.0)) == pytest.approx(camera((12.0, 7.0)), abs=1e-9)


def test_what_lies_behind_the_camera_is_carried_nowhere():
    carry = carrier(((0, 0), (1, 0), (1, 1), (0, 1)), ((0, 1), (1, 1), (0.7, 0.5), (0.3, 0.5)))

    assert carry((0.5, -5.0)) == (float("inf"), float("inf"))


def test_three_points_on_a_line_carry_nothing():
    with pytest.raises(BadInputError, match="on one line"):
        carrier(((0, 0), (1, 0), (2, 0), (0, 5)), BOX)
    with pytest.raises(BadInputError, match="Four pairs"):
        carrier(BOX[:3], BOX[:3])


def test_a_view_is_carried_to_another_camera_and_what_it_does_not_see_is_left_out():
    lot = with_outlines(LOT, "gate", {"A1": LEFT, "A2": ((0.8, 0.1), (0.9, 0.1), (0.9, 0.2), (0.8, 0.2))})
    lot = with_lane(lot, "gate", "Lane 1", LEFT)
    unit = ((0, 0), (1, 0), (1, 1), (0, 1))

    taken = carried(lot, "gate", "mast", carrier(unit, moved(unit, 0.3)), ["A1", "A2"])

    assert list(outlines_at(taken.lot, "mast")) == ["A1"]
    assert outlines_at(taken.lot, "mast")["A1"][0] == pytest.approx((0.4, 0.1))
    assert (taken.n_new, taken.n_matched, taken.n_lanes) == (1, 0, 1)
    assert cameras_of(taken.lot, "A1") == ("gate", "mast")


# -- one bay, many places


def test_a_bay_drawn_at_a_camera_is_the_bay_of_the_plan_by_its_id():
    lot = with_outlines(LOT, "gate", {"A1": LEFT})

    assert [bay.bay_id for bay in lot.bays] == ["A1"]
    assert outlines_at(lot, PLAN) == {"A1": BOX}
    assert outlines_at(lot, "gate") == {"A1": LEFT}


def test_taken_off_a_picture_a_bay_stays_in_the_lot_and_removed_it_is_gone_everywhere():
    lot = with_outlines(LOT, "gate", {"A1": LEFT})

    assert outlines_at(without_outlines(lot, "gate", ["A1"]), PLAN) == {"A1": BOX}
    assert without_bays(lot, ["A1"]).bays == ()
    assert cameras_of(without_bays(lot, ["A1"]), "A1") == ()


def test_another_id_goes_to_every_picture_and_a_taken_one_is_refused():
    lot = with_outlines(with_outlines(LOT, "gate", {"A1": LEFT}), PLAN, {"A2": moved(BOX, 3)})

    assert cameras_of(renamed(lot, "A1", "B7"), "B7") == ("gate",)
    with pytest.raises(BadInputError, match="a bay A2 already"):
        renamed(lot, "A1", "A2")


def test_copies_count_on():
    lot, copies = duplicated(LOT, PLAN, ["A1"], (2.5, 0.0))

    assert copies == ("A2",)
    assert outlines_at(lot, PLAN)["A2"] == moved(BOX, 2.5)


def test_free_ids_differ_from_the_lots_and_from_each_other():
    assert free_ids(LOT, ["A1", "A1", "A3", "A3", "Gate"]) == ("A2", "A3", "A4", "A5", "Gate")


def test_what_cannot_be_saved_is_said():
    crossing = with_outlines(LOT, PLAN, {"A2": (BOX[0], BOX[2], BOX[1], BOX[3])})
    tiny = with_outlines(LOT, "gate", {"A1": ((0.1, 0.1), (0.1001, 0.1), (0.1, 0.1001))})

    assert problem_of(LOT) == ""
    assert problem_of(crossing) == "Bay A2 on the plan crosses itself."
    assert problem_of(tiny) == "Bay A1 on the picture of gate is too small to be one."


# -- files

FILE = BayFile(
    title="t",
    is_plan=False,
    bays=(FoundBay(bay_id="A1", outline=LEFT, kind=BayKind.EV), FoundBay(bay_id="A9", outline=moved(LEFT, 0.3))),
    lanes={"drive": moved(LEFT, 0.5)},
)


def test_a_file_matches_bays_by_id_and_leaves_their_kind_alone():
    taken = take_file(LOT, FILE, "gate", SameId.SAME_BAY)

    assert (taken.n_new, taken.n_matched, taken.n_lanes) == (1, 1, 1)
    assert taken.lot.bays[0] == Bay(bay_id="A1", outline=BOX)
    assert list(outlines_at(taken.lot, "gate")) == ["A1", "A9"]


def test_a_file_may_bring_new_bays_only():
    taken = take_file(LOT, FILE, "gate", SameId.NEW_BAY)

    assert (taken.n_new, taken.n_matched) == (2, 0)
    assert list(outlines_at(taken.lot, "gate")) == ["A2", "A9"]
    assert taken.lot.bays[1].kind is BayKind.EV


def test_entries_without_an_id_are_numbered():
    found = BayFile(
        title="t", is_plan=False, bays=(FoundBay(bay_id="", outline=LEFT), FoundBay(bay_id="", outline=LEFT))
    )

    assert list(outlines_at(take_file(LOT, found, "gate", SameId.NEW_BAY).lot, "gate")) == ["1", "2"]
