"""The road plane against a camera whose place is known exactly."""

import math

import numpy as np
import pytest

from core.kernel.geo import GeoPoint
from core.sim.oracle import ASPECT, OracleCamera
from core.vision.model import PlanePoint, RoadPlane
from core.vision.plane import MAX_POINTS, PlaneError, east_north_m, find_suspect, offset, solve

CAMERA = OracleCamera(height_m=9.0, tilt_deg=22.0, yaw_deg=12.0)
CORNERS = ((-3.5, 15.0), (3.5, 15.0), (-3.5, 55.0), (3.5, 55.0))


def set_points(*ground: tuple[float, float], noise: float = 0.0, seed: int = 0) -> RoadPlane:
    """What an operator sets, with `noise` in picture heights."""
    rng = np.random.default_rng(seed)
    return RoadPlane(
        points=tuple(
            PlanePoint(
                picture=(
                    x + float(rng.normal(0, noise)) / ASPECT,
                    y + float(rng.normal(0, noise)),
                ),
                ground_xy_m=place,
            )
            for place in ground
            for x, y in [CAMERA.see_point(place)]
        )
    )


def test_four_points_give_every_other_point_of_the_road():
    plane = solve(set_points(*CORNERS), ASPECT)

    for place in [(0.0, 20.0), (-6.0, 40.0), (2.0, 90.0)]:
        assert plane.ground_of([CAMERA.see_point(place)])[0] == pytest.approx(place, abs=1e-6)
        assert plane.picture_of([place])[0] == pytest.approx(CAMERA.see_point(place), abs=1e-9)


def test_four_points_always_fit_and_the_plane_says_that_this_proves_nothing():
    plane = solve(set_points(*CORNERS), ASPECT)

    assert plane.residual_m == pytest.approx(0.0, abs=1e-9)
    assert not plane.is_checked


def test_one_wrong_distance_among_seven_points_shows_and_its_point_is_found():
    points = set_points(*CORNERS, (-3.5, 35.0), (3.5, 35.0), (0.0, 25.0)).points
    wrong = PlanePoint(picture=points[5].picture, ground_xy_m=(3.5, 40.0))
    road = RoadPlane(points=(*points[:5], wrong, points[6]))

    plane = solve(road, ASPECT)

    assert plane.is_checked
    assert plane.residual_m > 1.0
    assert plane.point_residuals_px(5, 720) > 3.0
    assert find_suspect(road, ASPECT) == 5
    assert find_suspect(RoadPlane(points=points), ASPECT) is None


def test_noise_of_a_pixel_moves_the_road_no_more_than_the_plane_says():
    place, truth = (1.0, 45.0), []
    doubts = []
    for seed in range(200):
        plane = solve(set_points(*CORNERS, (-3.5, 35.0), (3.5, 35.0), noise=1.5 / 1080, seed=seed), ASPECT)
        truth.append(plane.ground_of([CAMERA.see_point(place)])[0] - place)
        doubts.append(plane.ground_error_m(CAMERA.see_point(place), 1080, noise_px=0.0))

    spread = math.sqrt(float(np.linalg.eigvalsh(np.cov(np.array(truth).T))[-1]))
    assert float(np.median(doubts)) == pytest.approx(spread, rel=0.35)


def test_a_pixel_far_away_covers_more_road_than_one_nearby():
    plane = solve(set_points(*CORNERS), ASPECT)
    near, far = (plane.metres_per_pixel(CAMERA.see_point((0.0, y)), 720) for y in (15.0, 55.0))

    assert far[0] > near[0]
    assert far[1] > 3 * near[1]
    x, y = CAMERA.see_point((0.0, 55.0))
    moved = np.linalg.norm(plane.ground_of([(x, y + 1 / 720)])[0] - (0.0, 55.0))
    assert far[1] == pytest.approx(float(moved), rel=0.1)


def test_the_sky_has_no_place_on_the_road():
    plane = solve(set_points(*CORNERS), ASPECT)

    assert np.isnan(plane.ground_of([(0.5, -2.0)])).all()
    assert math.isnan(plane.ground_error_m((0.5, -2.0), 720))
    assert np.isnan(plane.picture_of([(0.0, -50.0)])).all()


@pytest.mark.parametrize(
    ("ground", "says"),
    [
        (CORNERS[:3], "needs 4 points; there are 3"),
        (((-3.5, 15.0), (-3.5, 30.0), (-3.5, 55.0), (3.5, 55.0)), "Points 1, 2 and 3 are on one line"),
        (((0.0, 15.0), (0.0, 30.0), (0.0, 45.0), (0.0, 60.0)), "Points 1, 2, 3 and 4 are on one line"),
        (((0.0, 15.0), (0.0, 30.0), (0.0, 45.0), (0.0, 60.0), (3.5, 20.0)), "Points 1, 2, 3 and 4 are on one line"),
        ((*CORNERS[:3], (-3.5, 55.01)), "Points 3 and 4 are in the same place"),
        (tuple((x, y) for x in (-3.0, 0.0, 3.1) for y in range(15, 60, 5)), f"takes {MAX_POINTS} points at most"),
    ],
)
def test_points_that_say_nothing_about_the_road_are_named(ground: tuple[tuple[float, float], ...], says: str):
    with pytest.raises(PlaneError, match=says):
        solve(set_points(*ground), ASPECT)


def test_two_swapped_points_fold_the_road_and_are_refused():
    points = set_points(*CORNERS).points
    swapped = [
        PlanePoint(picture=point.picture, ground_xy_m=points[index].ground_xy_m)
        for point, index in zip(points, (1, 0, 2, 3), strict=True)
    ]

    with pytest.raises(PlaneError, match="folded") as caught:
        solve(RoadPlane(points=tuple(swapped)), ASPECT)

    assert "swapped" in caught.value.hint


def test_three_points_on_each_lane_marking_are_welcome():
    left = [(-3.5, y) for y in (15.0, 30.0, 55.0)]
    right = [(3.5, y) for y in (15.0, 30.0, 55.0)]

    assert solve(set_points(*left, *right), ASPECT).residual_m == pytest.approx(0.0, abs=1e-9)


def test_a_point_without_a_place_is_named():
    points = set_points(*CORNERS).points
    broken = PlanePoint(picture=(math.nan, 0.5), ground_xy_m=(0.0, 0.0))

    with pytest.raises(PlaneError, match="Point 4 has no place"):
        solve(RoadPlane(points=(*points[:3], broken)), ASPECT)


def test_points_of_the_map_give_positions_on_earth():
    origin = GeoPoint(23.81, 90.41)
    there = offset(origin, 30.0, -12.0)
    base = set_points(*CORNERS)

    plane = solve(RoadPlane(points=base.points, origin=origin), ASPECT)

    assert east_north_m(origin, there) == pytest.approx((30.0, -12.0), abs=1e-6)
    seen = plane.geo_of(CAMERA.see_point((2.0, 30.0)))
    assert seen is not None
    assert east_north_m(origin, seen) == pytest.approx((2.0, 30.0), abs=1e-4)
    assert solve(base, ASPECT).geo_of((0.5, 0.8)) is None
