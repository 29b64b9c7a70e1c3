"""How a camera hangs, read from its road plane alone."""

import math

import numpy as np
import pytest

from core.vision.camera_pose import pose_of
from core.vision.model import PlanePoint, RoadPlane
from core.vision.plane import solve

ASPECT = 16 / 9


def seen(ground, *, at, heading_deg, tilt_deg, view_angle_deg):
    """Return where a camera sees points of the ground, in fractions of the frame, shape (n, 2)."""
    heading, tilt = math.radians(heading_deg), math.radians(tilt_deg)
    ahead = np.array((math.sin(heading) * math.cos(tilt), math.cos(heading) * math.cos(tilt), -math.sin(tilt)))
    right = np.array((math.cos(heading), -math.sin(heading), 0.0))
    down = np.cross(ahead, right)
    around = np.column_stack((np.asarray(ground, float), np.zeros(len(ground)))) - np.array(at)
    focal = ASPECT / 2 / math.tan(math.radians(view_angle_deg) / 2)
    depth = around @ ahead
    assert (depth > 0).all()
    return np.column_stack(
        ((around @ right / depth * focal + ASPECT / 2) / ASPECT, around @ down / depth * focal + 0.5)
    )


def plane_of(ground, **camera):
    places = seen(ground, **camera)
    points = (PlanePoint(picture=tuple(p), ground_xy_m=tuple(g)) for p, g in zip(places.tolist(), ground, strict=True))
    return solve(RoadPlane(points=tuple(points)), ASPECT)


GROUND = [(x, y) for x in (10.0, 22.0, 30.0) for y in (12.0, 20.0, 33.0)]


@pytest.mark.parametrize("heading_deg", [5.0, 30.0, 55.0])
@pytest.mark.parametrize(("height_m", "tilt_deg", "view_angle_deg"), [(6.0, 18.0, 70.0), (11.0, 35.0, 90.0)])
def test_height_heading_tilt_and_opening_come_out_as_the_camera_was_hung(
    heading_deg, height_m, tilt_deg, view_angle_deg
):
    at = (2.0, -3.0, height_m)
    camera = {"at": at, "heading_deg": heading_deg, "tilt_deg": tilt_deg, "view_angle_deg": view_angle_deg}

    pose = pose_of(plane_of(GROUND, **camera), 60.0)

    assert (pose.east_m, pose.north_m, pose.height_m) == pytest.approx(at, abs=0.01)
    assert pose.heading_deg == pytest.approx(heading_deg, abs=0.1)
    assert pose.tilt_deg == pytest.approx(tilt_deg, abs=0.1)
    assert pose.view_angle_deg == pytest.approx(view_angle_deg, abs=0.1)


def test_a_camera_that_looks_straight_down_hangs_as_high_as_its_opening_says():
    camera = {"at": (20.0, 20.0, 25.0), "heading_deg": 0.0, "tilt_deg": 90.0, "view_angle_deg": 60.0}

    pose = pose_of(plane_of(GROUND, **camera), 60.0)

    assert pose.height_m == pytest.approx(25.0, abs=0.05)
    assert pose.tilt_deg == pytest.approx(90.0, abs=0.1)
    assert pose.view_angle_deg == pytest.approx(60.0)


def test_a_ground_that_is_drawn_as_in_a_mirror_has_no_camera():
    camera = {"at": (2.0, -3.0, 6.0), "heading_deg": 30.0, "tilt_deg": 18.0, "view_angle_deg": 70.0}
    places = seen(GROUND, **camera)
    mirrored = tuple(
        PlanePoint(picture=tuple(p), ground_xy_m=(-x, y)) for p, (x, y) in zip(places.tolist(), GROUND, strict=True)
    )

    assert pose_of(solve(RoadPlane(points=mirrored), ASPECT), 60.0) is None
