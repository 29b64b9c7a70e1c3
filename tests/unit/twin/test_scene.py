"""Lots as geometry."""

import numpy as np
import pytest

from core.kernel.geo import GeoPoint
from core.parking.model import Bay, Level, Lot, Surrounding, SurroundingKind
from core.parking.plans import garage, on_ground, open_lot
from widgets.twin.scene import build_scene, lay_out, upright_box


def lot_of(*outlines, **options):
    bays = tuple(Bay(bay_id=str(i), outline=outline) for i, outline in enumerate(outlines))
    return Lot(lot_id="L", name="Lot", bays=bays, **options)


SQUARE = ((0.0, 0.0), (2.5, 0.0), (2.5, 5.0), (0.0, 5.0))


def test_every_bay_of_every_lot_is_in_the_scene_once():
    scene = build_scene([open_lot("a", "A", n_bays=30), garage("b", "B", n_levels=2, bays_per_level=20)])

    assert scene.n_bays == 70
    assert len(scene.index) == 70
    assert sorted(i for _, indices in scene.floors.values() for i in indices) == list(range(70))


def test_a_bay_keeps_its_measures():
    scene = build_scene([lot_of(SQUARE)])

    assert scene.widths_m == pytest.approx([2.5])
    assert scene.lengths_m == pytest.approx([5.0])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_one_drives_into_a_bay_from_where_no_other_bay_lies(turns):
    behind = ((0.0, 5.0), (2.5, 5.0), (2.5, 10.0), (0.0, 10.0))
    drawn = SQUARE[turns:] + SQUARE[:turns]

    scene = build_scene([lot_of(drawn, behind)])

    assert scene.inward_deg[0] == pytest.approx(90.0)


def test_an_outline_that_runs_clockwise_is_the_same_bay():
    there, back = build_scene([lot_of(SQUARE)]), build_scene([lot_of(tuple(reversed(SQUARE)))])

    assert back.centres == pytest.approx(there.centres)
    assert {round(float(back.lengths_m[0]), 3)} == {5.0}


def test_an_outline_of_five_corners_gets_the_box_around_it():
    outline = np.array(((0.0, 0.0), (2.5, 0.0), (2.5, 4.0), (1.25, 5.0), (0.0, 4.0)))

    box = upright_box(outline)

    assert np.ptp(box, axis=0) == pytest.approx((2.5, 5.0))


def test_a_lot_lies_turned_by_its_bearing():
    scene = build_scene([lot_of(SQUARE, position=GeoPoint(36.0, -30.0), bearing_deg=90.0)])

    assert scene.centres[0] == pytest.approx((2.5, -1.25, 0.0))
    assert scene.inward_deg[0] == pytest.approx(0.0, abs=1e-6)


def test_lots_near_each_other_lie_as_they_do_on_the_earth():
    here = GeoPoint(36.0, -30.0)
    near = on_ground((200.0, 0.0), here)

    scene = build_scene([lot_of(SQUARE, position=here), lot_of(SQUARE, position=near)])

    assert scene.centres[1] - scene.centres[0] == pytest.approx((200.0, 0.0, 0.0), abs=0.05)


def test_lots_across_the_city_or_of_unknown_place_stand_side_by_side():
    far = [lot_of(SQUARE, position=GeoPoint(36.0, -30.0)), lot_of(SQUARE, position=GeoPoint(36.2, -30.0))]

    for lots in (far, [lot_of(SQUARE), lot_of(SQUARE)]):
        scene = build_scene(lots)
        assert 10.0 < scene.centres[1][0] - scene.centres[0][0] < 40.0


def test_bays_that_nobody_drew_stand_in_rows_and_are_counted():
    lot = Lot(lot_id="L", name="Lot", bays=tuple(Bay(bay_id=str(i)) for i in range(60)))

    laid, n_undrawn = lay_out(lot)
    scene = build_scene([lot])

    assert n_undrawn == 60
    assert all(len(bay.outline) == 4 for bay in laid.bays)
    assert scene.lots[0].n_undrawn == 60
    assert len({tuple(np.round(centre, 2)) for centre in scene.centres}) == 60


@pytest.mark.parametrize("outline", [((0.0, 0.0), (1.0, 1.0)), ((0.0, 0.0),) * 4, ((0.0, float("nan")),) * 3])
def test_an_outline_that_covers_no_ground_counts_as_not_drawn(outline):
    scene = build_scene([lot_of(SQUARE, outline)])

    assert scene.lots[0].n_undrawn == 1
    assert np.isfinite(scene.corners).all()


def test_bays_stand_on_their_level():
    bays = (Bay(bay_id="u", level=-1, outline=SQUARE), Bay(bay_id="o", level=1, outline=SQUARE))
    levels = (Level(number=-1, name="Cellar", height_m=-2.8), Level(number=1, name="Deck", height_m=3.4))

    scene = build_scene([Lot(lot_id="L", name="Lot", bays=bays, levels=levels)])

    assert scene.centres[:, 2] == pytest.approx([-2.8, 3.4])
    assert scene.level_numbers == (-1, 1)


def test_a_ramp_rises_from_its_first_edge_to_the_edge_across():
    ramp = Surrounding(
        kind=SurroundingKind.RAMP, outline=((5.0, 0.0), (9.0, 0.0), (9.0, 16.0), (5.0, 16.0)), height_m=3.0
    )

    points = build_scene([lot_of(SQUARE, surroundings=(ramp,))]).bodies[0].points

    low, high = points[(points[:, 0] > 4.9) & (points[:, 1] < 0.1)], points[points[:, 1] > 15.0]
    assert high[:, 2].max() - low[:, 2].min() == pytest.approx(3.0, abs=0.1)


def test_a_lot_without_bays_makes_an_empty_scene():
    scene = build_scene([Lot(lot_id="L", name="Lot")])

    assert scene.n_bays == 0
    assert np.isfinite(scene.low).all()
    assert build_scene([]).n_bays == 0
