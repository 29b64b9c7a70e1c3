"""The demo city's clips, their truth and the bundled detector belong together."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest

import resources
from app.make.scenes_camera import Camera, project, project_polygon
from app.make.scenes_catalogue import SCENES
from app.make.scenes_meshes import VEHICLE_TYPES, vehicle_mesh
from app.make.scenes_truth import Happening, Truth, calibrated, inside, truth_of
from app.make.scenes_world import (
    FPS,
    Actor,
    Lane,
    Placed,
    Signal,
    WorldPlan,
    corners_of,
    outlines_touch,
    simulate,
)
from core.kernel.wire import from_builtins
from core.node.demo import load_scenes
from core.vision.model import DEFAULT_LABELS, Scene

CAMERAS = json.loads(resources.path("demo/cameras.json").read_text())
WHITE = (0.9, 0.9, 0.9)


@pytest.fixture
def camera() -> Camera:
    return Camera(position_m=(0.0, 0.0, 8.0), target_m=(20.0, 0.0, 0.0), vfov_deg=40)


@pytest.fixture
def straight() -> Lane:
    return Lane(key="lane", points=((0.0, 0.0), (300.0, 0.0)), speed_mps=12.0)


def placed(x_m: float, y_m: float, heading_rad: float = 0.0, kind: str = "saloon") -> Placed:
    return Placed(
        key="a", kind=kind, paint=WHITE, x_m=x_m, y_m=y_m, heading_rad=heading_rad, speed_mps=0.0, is_braking=False
    )


# --- what ships ---


def test_every_scene_of_the_catalogue_is_described():
    assert list(CAMERAS) == list(SCENES)
    assert len(CAMERAS) >= 8


@pytest.mark.parametrize("key", CAMERAS)
def test_scene_decodes_and_lies_within_the_picture(key: str):
    scene = from_builtins(CAMERAS[key]["scene"], Scene)

    assert scene.zones
    assert scene.lines
    points = [p for zone in scene.zones for p in zone.polygon] + [
        p for line in scene.lines for p in (line.start, line.end)
    ]
    assert all(0.0 <= x <= 1.0 and 0.0 <= y <= 1.0 for x, y in points)
    assert len({rule.key for rule in (*scene.zones, *scene.lines)}) == len(scene.zones) + len(
        {line.key for line in scene.lines} - {zone.key for zone in scene.zones}
    )


@pytest.mark.parametrize("key", CAMERAS)
def test_clip_has_the_stated_size_rate_and_length(key: str):
    entry = CAMERAS[key]

    with av.open(str(resources.path("demo") / entry["clip"])) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.pts is not None]

    assert stream.codec_context.name == "h264"
    assert (stream.width, stream.height) == (entry["width_px"], entry["height_px"]) == (640, 360)
    assert stream.average_rate == entry["fps"] == FPS
    assert len(packets) == round(entry["duration_s"] * FPS)
    assert [i for i, p in enumerate(packets) if p.is_keyframe] == list(range(0, len(packets), 2 * FPS))
    assert all(a.pts < b.pts for a, b in itertools.pairwise(packets)), "no B-frames: decode order is time order"


def test_clips_together_stay_small():
    sizes = [path.stat().st_size for path in Path(resources.path("demo/clips")).glob("*.mp4")]

    assert len(sizes) == len(CAMERAS)
    assert sum(sizes) < 25e6


def test_model_is_the_one_its_card_speaks_of():
    card = json.loads(resources.path("models/demo.json").read_text())

    assert hashlib.sha256(resources.path("models/demo.onnx").read_bytes()).hexdigest() == card["sha256"]
    assert tuple(card["labels"]) == DEFAULT_LABELS
    assert resources.path("models/demo.onnx").stat().st_size < 12e6
    assert 0 < card["precision"] <= 1
    assert 0 < card["recall"] <= 1


@pytest.mark.parametrize("key", ["cam-lot-west", "cam-tram-street", "cam-old-town"])
def test_truth_is_what_the_world_does(key: str):
    assert_truth_matches(key)


@pytest.mark.slow
@pytest.mark.parametrize(
    "key", [key for key in SCENES if key not in {"cam-lot-west", "cam-tram-street", "cam-old-town"}]
)
def test_truth_is_what_the_busier_worlds_do(key: str):
    assert_truth_matches(key)


def assert_truth_matches(key: str) -> None:
    scene = SCENES[key]()
    run = simulate(scene.plan)

    assert truth_of(scene, run) == from_builtins(CAMERAS[key]["truth"], Truth)
    assert calibrated(scene, run) == from_builtins(CAMERAS[key]["scene"], Scene)


@pytest.mark.parametrize(
    ("key", "kind", "least_s"),
    [
        ("cam-north-gate", "jam", 4.0),
        ("cam-market-cross", "collision", 8.0),
        ("cam-station-square", "stopped", 10.0),
        ("cam-tram-street", "intrusion", 4.0),
    ],
)
def test_what_goes_wrong_lasts_long_enough_to_be_seen(key: str, kind: str, least_s: float):
    entry = CAMERAS[key]
    happenings = [h for h in from_builtins(entry["truth"], Truth).happenings if h.kind == kind]

    assert happenings
    first: Happening = happenings[0]
    assert first.begin_s > 1.0
    assert (first.end_s or entry["duration_s"]) - first.begin_s >= least_s


def test_nothing_goes_wrong_in_what_is_played_most():
    with_refrain = {key: entry for key, entry in CAMERAS.items() if entry["refrain_s"]}
    happening = {key for key, entry in CAMERAS.items() if entry["truth"]["happenings"]}

    assert with_refrain.keys() == happening
    for entry in with_refrain.values():
        assert entry["refrain_s"] % 2.0 == 0.0, "it ends at a key frame"
        assert all(h.begin_s > entry["refrain_s"] + 1.0 for h in from_builtins(entry["truth"], Truth).happenings)


def test_no_two_cameras_of_the_demo_call_at_once():
    refrains = [scene.source.refrain for scene in load_scenes() if scene.source.refrain is not None]
    first_s = sorted(refrain.until_s * refrain.n_first for refrain in refrains)

    assert first_s[0] == 0.0, "who starts it sees something soon"
    assert all(later - earlier > 10.0 for earlier, later in itertools.pairwise(first_s))
    assert all(refrain.until_s * refrain.n_times > 500.0 for refrain in refrains)


def test_the_jam_dissolves_before_the_clip_ends():
    jams = [h for h in from_builtins(CAMERAS["cam-north-gate"]["truth"], Truth).happenings if h.kind == "jam"]

    assert len(jams) == 1
    assert jams[0].end_s is not None


@pytest.mark.parametrize("key", ["cam-harbour-bridge", "cam-ring-road", "cam-old-town"])
def test_ordinary_streets_have_nothing_to_report(key: str):
    assert CAMERAS[key]["truth"]["happenings"] == []


def test_the_lot_has_24_bays_and_changes():
    entry = CAMERAS["cam-lot-west"]

    assert len(entry["bays"]) == 24
    assert set(entry["truth"]["bays_taken_at_start"]) != set(entry["truth"]["bays_taken_at_end"])


# --- the world ---


def test_same_seed_same_world():
    plan = SCENES["cam-lot-west"]().plan

    assert simulate(plan) == simulate(plan)


def test_vehicles_of_a_lane_never_overlap(straight: Lane):
    lane = Lane(key="lane", points=straight.points, speed_mps=12.0, flow_per_h=1500)
    slow = Actor(key="slow", kind="bus", lane_key="lane", from_s=-30, at_m=30, speed_mps=3.0)

    run = simulate(WorldPlan(seed=3, duration_s=10, lanes=(lane,), actors=(slow,)))

    for frame in run.frames[::15]:
        in_order = sorted(frame, key=lambda v: v.x_m)
        assert len(in_order) > 5
        for behind, ahead in itertools.pairwise(in_order):
            assert not outlines_touch(behind, ahead)


def test_a_red_signal_holds_traffic_before_the_stop_line(straight: Lane):
    lane = Lane(key="lane", points=straight.points, speed_mps=12.0, flow_per_h=900)

    run = simulate(
        WorldPlan(seed=5, duration_s=6, lanes=(lane,), signals=(Signal(lane_key="lane", at_m=150, green_s=()),))
    )

    fronts = [corners_of(v)[:, 0].max() for v in run.frames[-1]]
    assert 140 < max(fronts) <= 150.5


def test_an_actor_stops_where_and_as_long_as_told(straight: Lane):
    actor = Actor(key="a", kind="van", lane_key="lane", from_s=0, at_m=20, speed_mps=10, halt_at_m=80, halt_s=4)

    run = simulate(WorldPlan(seed=1, duration_s=30, lanes=(straight,), actors=(actor,), warm_up_s=0))

    standing = [v.x_m for frame in run.frames for v in frame if v.speed_mps < 0.05]
    assert standing
    assert abs(standing[len(standing) // 2] - 80) < 1.5
    assert 3.5 * FPS < len(standing) < 6 * FPS


def test_reckless_vehicles_crash_and_stand_still_afterwards():
    lanes = (Lane(key="x", points=((-100, 0), (100, 0))), Lane(key="y", points=((0, -100), (0, 100))))
    actors = tuple(
        Actor(key=key, kind="hatch", lane_key=key, from_s=0, at_m=60, speed_mps=10, ignores_traffic=True)
        for key in "xy"
    )

    run = simulate(WorldPlan(seed=1, duration_s=10, lanes=lanes, actors=actors, warm_up_s=0))

    assert run.collision_s is not None
    assert 2.5 < run.collision_s < 4.5
    assert [v.speed_mps for v in run.frames[-1]] == [0.0, 0.0]


# --- geometry ---


def test_the_target_lies_in_the_middle_of_the_picture(camera: Camera):
    uv, depth = project(np.array([camera.target_m]), camera)

    np.testing.assert_allclose(uv[0], (320.0, 180.0), atol=1e-6)
    assert depth[0] == pytest.approx(np.hypot(20.0, 8.0))


def test_a_polygon_behind_the_lens_disappears_and_one_across_is_cut(camera: Camera):
    behind = np.array([(-30.0, -1, 0), (-30, 1, 0), (-20, 1, 0)])
    across = np.array([(-30.0, -1, 0), (60, -1, 0), (60, 1, 0), (-30, 1, 0)])

    assert len(project_polygon(behind, camera)) == 0
    assert len(project_polygon(across, camera)) == 4
    assert np.isfinite(project_polygon(across, camera)).all()


@pytest.mark.parametrize("kind", VEHICLE_TYPES)
def test_a_vehicle_is_as_large_as_its_type_says(kind: str):
    mesh, size = vehicle_mesh(kind), VEHICLE_TYPES[kind]

    length, _, height = np.ptp(mesh.points, axis=0)
    assert length == pytest.approx(size.length_m, abs=0.25)
    assert height == pytest.approx(size.height_m, abs=0.25)
    assert mesh.points[:, 2].min() > -0.05
    assert int(mesh.triangles.max()) < len(mesh.points)


def test_outlines_that_only_nearly_touch_do_not_touch():
    assert outlines_touch(placed(0, 0), placed(4.0, 0.5, 0.3))
    assert not outlines_touch(placed(0, 0), placed(0, 2.0))
    assert not outlines_touch(placed(0, 0), placed(0, 3.3, np.pi / 2.0))


def test_inside_follows_the_outline_of_a_notched_polygon():
    notched = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.4), (0.0, 1.0))

    assert inside((0.5, 0.2), notched)
    assert not inside((0.5, 0.7), notched)
