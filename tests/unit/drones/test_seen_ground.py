"""What a drone's camera sees of flat ground."""

import pytest

from core.drones.ground import FARTHEST_SEEN_M, Looking, distance_m, moved, seen_ground
from core.kernel.geo import GeoPoint

HERE = GeoPoint(36.0, -30.0)


def looking(**changes):
    given = {"height_m": 100.0, "heading_deg": 0.0, "pitch_deg": -90.0, "h_fov_deg": 90.0, "v_fov_deg": 90.0}
    return Looking(point=HERE, **(given | changes))


def test_straight_down_it_is_a_square_below_the_drone():
    corners = seen_ground(looking())

    for corner, (east, north) in zip(corners, ((-100, 100), (100, 100), (100, -100), (-100, -100)), strict=True):
        assert distance_m(corner, moved(HERE, east, north)) < 0.5


def test_the_picture_turns_with_the_heading():
    ahead = seen_ground(looking(pitch_deg=-45.0, h_fov_deg=20.0, v_fov_deg=20.0, heading_deg=90.0))

    assert all(corner.lon_deg > HERE.lon_deg for corner in ahead)
    assert sum(corner.lat_deg for corner in ahead) / 4 == pytest.approx(HERE.lat_deg, abs=1e-6)


def test_over_the_horizon_it_ends_where_too_little_is_seen():
    far = seen_ground(looking(pitch_deg=-10.0, v_fov_deg=40.0, h_fov_deg=40.0))

    assert distance_m(HERE, far[0]) == pytest.approx(FARTHEST_SEEN_M, rel=0.01)
    assert distance_m(HERE, far[2]) < 300.0


@pytest.mark.parametrize("changes", [{"height_m": 0.0}, {"pitch_deg": 60.0, "v_fov_deg": 30.0}, {"h_fov_deg": 180.0}])
def test_where_it_sees_no_ground_nothing_is_claimed(changes):
    assert seen_ground(looking(**changes)) == ()
