"""What cameras see of a lot: from their calibration, from their form, or not at all."""

from dataclasses import replace

import numpy as np
import pytest

from core.cameras.model import Camera
from core.kernel.geo import GeoPoint
from core.parking.model import BayView
from core.parking.plans import on_ground, open_lot
from core.vision.model import PlanePoint, RoadPlane, Scene
from tests.unit.vision.test_camera_pose import seen
from widgets.twin.cones import cones_of

AT = GeoPoint(36.0, -30.0)
LOT = open_lot("west", "Lot West", n_bays=20, bays_per_row=10, position=AT)
HUNG = {"at": (3.0, -22.0, 7.5), "heading_deg": 20.0, "tilt_deg": 16.0, "view_angle_deg": 80.0}
MAST = Camera(camera_id="mast", name="North mast", address="demo:x")


def outlines(lot=LOT, *, begin=0, way=1):
    """Return every bay as the camera sees it, drawn from another corner, or the other way round."""
    return {
        bay.bay_id: tuple(map(tuple, np.roll(seen(bay.outline, **HUNG)[::way], begin, axis=0).tolist()))
        for bay in lot.bays
    }


def viewed(drawn):
    return replace(LOT, views=(BayView(camera_id="mast", outlines=drawn),))


@pytest.mark.parametrize(("begin", "way"), [(0, 1), (1, 1), (2, -1)])
def test_bays_on_plan_and_picture_tell_how_the_camera_hangs(begin, way):
    (cone,), nowhere = cones_of([viewed(outlines(begin=begin, way=way))], [MAST])

    assert nowhere == ()
    assert cone.height_m == pytest.approx(7.5, abs=0.05)
    assert cone.heading_deg == pytest.approx(20.0, abs=0.5)
    assert cone.tilt_deg == pytest.approx(16.0, abs=0.5)
    assert cone.view_angle_deg == pytest.approx(80.0, abs=0.5)
    assert cone.apex == pytest.approx(HUNG["at"], abs=0.1)


def test_road_points_tell_the_same_where_bays_are_not_on_the_plan():
    ground = [(x, y) for x in (0.0, 10.0, 20.0) for y in (0.0, 9.0, 16.0)]
    points = tuple(
        PlanePoint(picture=tuple(p), ground_xy_m=g) for p, g in zip(seen(ground, **HUNG).tolist(), ground, strict=True)
    )
    camera = replace(MAST, scene=Scene(plane=RoadPlane(points=points, origin=AT)))

    (cone,), _ = cones_of([viewed({})], [camera])

    assert cone.height_m == pytest.approx(7.5, abs=0.05)
    assert cone.tilt_deg == pytest.approx(16.0, abs=0.5)


def test_without_a_calibration_the_form_says_where_and_how_high():
    camera = replace(
        MAST, position=on_ground((5.0, -10.0), AT), heading_deg=45.0, view_angle_deg=50.0, mount_height_m=4.2
    )

    (cone,), nowhere = cones_of([viewed({})], [camera])

    assert nowhere == ()
    assert cone.apex == pytest.approx((5.0, -10.0, 4.2), abs=0.05)
    assert (cone.heading_deg, cone.view_angle_deg, cone.tilt_deg) == (45.0, 50.0, None)
    way = np.array(cone.ground)[:, :2] - np.array(cone.apex[:2])
    assert np.degrees(np.arctan2(way[:, 0], way[:, 1])) == pytest.approx([20.0, 70.0], abs=0.1)


@pytest.mark.parametrize("known", [{}, {"position": AT}, {"mount_height_m": 5.0}])
def test_a_camera_of_which_nobody_said_so_is_named_and_not_drawn(known):
    cones, nowhere = cones_of([viewed({})], [replace(MAST, **known)])

    assert cones == ()
    assert nowhere == ("North mast",)


def test_a_cone_lies_in_the_scene_as_its_lot_does():
    turned = replace(viewed(outlines()), bearing_deg=90.0)

    (cone,), _ = cones_of([turned], [MAST])

    assert cone.heading_deg == pytest.approx(110.0, abs=0.5)
    assert cone.apex == pytest.approx((-22.0, -3.0, 7.5), abs=0.1)
