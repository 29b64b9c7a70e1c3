"""Where the scene is seen from."""

import numpy as np
import pytest

from widgets.twin.pose import Pose, between, framing, on_plane, orbit, pan, project, ray, zoom

SIZE = (1280.0, 720.0)


def test_the_point_that_is_looked_at_lies_in_the_middle_of_the_picture():
    pose = Pose(x_m=10.0, y_m=-4.0, z_m=1.0)

    at, depth = project(pose, np.array([pose.focus]), *SIZE)

    assert at[0] == pytest.approx((640.0, 360.0))
    assert depth[0] == pytest.approx(pose.distance_m)


def test_what_lies_behind_the_eye_has_no_depth():
    pose = Pose(distance_m=50.0)

    _, depth = project(pose, np.array([pose.eye - pose.forward]), *SIZE)

    assert depth[0] < 0.0


@pytest.mark.parametrize("azimuth_deg", [0.0, 77.0, 200.0])
def test_a_ray_through_a_projected_point_meets_it_again(azimuth_deg):
    pose = Pose(x_m=5.0, y_m=3.0, azimuth_deg=azimuth_deg, elevation_deg=35.0, distance_m=80.0)
    point = np.array((12.0, -7.0, 0.0))
    (x, y), _ = (found[0] for found in project(pose, np.array([point]), *SIZE))

    assert on_plane(pose, ray(pose, x, y, *SIZE), 0.0) == pytest.approx(point, abs=1e-6)


def test_a_ray_above_the_horizon_meets_no_ground():
    pose = Pose(elevation_deg=10.0)

    assert on_plane(pose, ray(pose, 640.0, 0.0, *SIZE), 0.0) is None


@pytest.mark.parametrize("elevation_deg", [15.0, 42.0, 89.0])
def test_framing_sees_every_corner_of_the_box(elevation_deg):
    low, high = np.array((-30.0, 4.0, 0.0)), np.array((90.0, 60.0, 12.0))
    pose = framing(low, high, SIZE[0] / SIZE[1], Pose(azimuth_deg=33.0, elevation_deg=elevation_deg))

    corners = np.array([[x, y, z] for x in (-30.0, 90.0) for y in (4.0, 60.0) for z in (0.0, 12.0)])
    at, depth = project(pose, corners, *SIZE)

    assert (depth > 0).all()
    assert (at >= 0).all()
    assert (at <= SIZE).all()


def test_zooming_keeps_the_point_under_the_pointer_where_it_is():
    pose, point = Pose(elevation_deg=40.0), np.array((15.0, 20.0, 0.0))
    before, _ = project(pose, np.array([point]), *SIZE)

    after, _ = project(zoom(pose, 1.5, point), np.array([point]), *SIZE)

    assert after[0] == pytest.approx(before[0], abs=0.5)


def test_the_eye_stays_over_the_ground_and_within_reach():
    assert orbit(Pose(), 0.0, -500.0).elevation_deg > 0.0
    assert orbit(Pose(), 0.0, 500.0).elevation_deg <= 90.0
    assert zoom(Pose(), 1e9).distance_m > 1.0
    assert zoom(Pose(), 1e-9).distance_m < 1e5


def test_panning_goes_where_one_looks():
    ahead = pan(Pose(azimuth_deg=90.0), 0.0, 10.0)

    assert (ahead.x_m, ahead.y_m) == pytest.approx((10.0, 0.0))


def test_a_flight_lands_where_it_was_to_go_and_turns_the_short_way():
    begin, end = Pose(azimuth_deg=350.0), Pose(azimuth_deg=10.0, distance_m=20.0, x_m=7.0)

    assert between(begin, end, 1.0) == end
    assert between(begin, end, 0.5).azimuth_deg == pytest.approx(0.0, abs=1e-6)
