import json

import pytest

from core.kernel.errors import BadInputError
from core.vision.model import MaskKind, Scene
from core.vision.scene_file import parse_scene, read_scene, write_scene

LINE = {"key": "road", "name": "Road", "start": [0.1, 0.5], "end": [0.9, 0.5]}
ZONE = {"key": "lane", "name": "Lane", "polygon": [[0, 0], [1, 0], [1, 1]], "stopped_after_s": 20}


def write(tmp_path, data, name="zones.json"):
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_json_and_toml_say_the_same(tmp_path):
    toml = """
[[lines]]
key = "road"
name = "Road"
start = [0.1, 0.5]
end = [0.9, 0.5]

[[zones]]
key = "lane"
name = "Lane"
polygon = [[0, 0], [1, 0], [1, 1]]
stopped_after_s = 20
"""
    from_json = read_scene(write(tmp_path, {"lines": [LINE], "zones": [ZONE]}))

    assert from_json == read_scene(write(tmp_path, toml, "zones.toml"))
    assert from_json.zones[0].polygon == ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "no JSON"),
        ([], "an object"),
        ({"zone": []}, "zone is unknown"),
        ({"lines": {}}, "lines is no list"),
        ({"lines": [3]}, r"lines\[0\] is no object"),
        ({"lines": [{**LINE, "colour": "red"}]}, r"lines\[0\]\.colour is unknown"),
        ({"lines": [{"key": "a"}]}, "start"),
        ({"lines": [{**LINE, "start": ["left", 1]}]}, r"lines\[0\]\.start"),
        ({"lines": [{**LINE, "start": [320, 180]}]}, "fractions of the picture"),
        ({"lines": [{**LINE, "end": LINE["start"]}]}, "starts where it ends"),
        ({"lines": [{**LINE, "key": "Big Road"}]}, "Big Road"),
        ({"lines": [LINE, LINE]}, "used twice"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [1, 1]]}]}, r"lane\.polygon has 2 points"),
        ({"zones": [{**ZONE, "stopped_after_s": -1}]}, r"lane\.stopped_after_s"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_reason(tmp_path, data, reason):
    path = write(tmp_path, data)

    with pytest.raises(BadInputError, match=reason) as refused:
        read_scene(path)

    assert str(path) in refused.value.message


def test_a_file_that_is_not_there_gives_a_sentence(tmp_path):
    with pytest.raises(BadInputError, match=r"none\.json cannot be read"):
        read_scene(tmp_path / "none.json")


LANE = {**ZONE, "key": "right", "start": [0.5, 0.1], "end": [0.5, 0.9]}
LANE.pop("stopped_after_s")
MASK = {"key": "window", "polygon": ZONE["polygon"], "kind": "ignore"}
POINTS = [{"picture": [x, y], "ground_xy_m": [7 * x, 30 * y]} for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
RULE = {"kind": "wrong_way", "is_enabled": True, "values": {"hold_s": 2.5}}


def test_what_is_written_is_read_again(tmp_path):
    scene = parse_scene(
        {
            "zones": [ZONE],
            "lines": [LINE],
            "lanes": [LANE],
            "masks": [MASK],
            "plane": {"points": POINTS, "origin": {"lat_deg": 54.1, "lon_deg": 12.1}},
            "rules": [RULE],
        }
    )
    path = tmp_path / "scene.json"

    write_scene(scene, path)

    assert read_scene(path) == scene
    assert "[0.1, 0.5]" in path.read_text()
    assert scene.masks[0].kind is MaskKind.IGNORE


def test_a_folder_that_is_not_there_gives_a_sentence(tmp_path):
    with pytest.raises(BadInputError, match="cannot be written"):
        write_scene(Scene(), tmp_path / "none" / "scene.json")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"lanes": [{**LANE, "speed": 50}]}, r"lanes\[0\]\.speed is unknown"),
        ({"lanes": [{**LANE, "end": LANE["start"]}]}, "right starts where it ends"),
        ({"lanes": [LANE, LANE]}, "'right' is used twice"),
        ({"masks": [{**MASK, "kind": "secret"}]}, r"masks\[0\]\.kind"),
        ({"masks": [{**MASK, "polygon": [[0, 0], [1, 1]]}]}, r"window\.polygon has 2 points"),
        ({"plane": [1]}, "plane is no object"),
        ({"plane": {"points": 7}}, "plane"),
        ({"plane": {"points": POINTS[:3]}}, "needs 4 points; there are 3"),
        ({"plane": {"points": [{**POINTS[0], "height": 2}, *POINTS[1:]]}}, r"plane\.points\[0\]\.height is unknown"),
        ({"plane": {"points": [{**POINTS[0], "ground_xy_m": [1e9, 0]}, *POINTS[1:]]}}, "in metres"),
        ({"plane": {"points": POINTS, "origin": {"lat_deg": 99.0, "lon_deg": 0.0}}}, "off the earth"),
        (
            {"plane": {"points": [{"picture": [x, x], "ground_xy_m": [x, x]} for x in (0.1, 0.2, 0.4, 0.8)]}},
            "are on one line",
        ),
        ({"rules": [{**RULE, "kind": "dancing"}]}, r"rules\[0\]\.kind 'dancing' is unknown"),
        ({"rules": [{**RULE, "values": {"speed": 2.0}}]}, r"rules\[0\]\.values\.speed is unknown"),
        ({"rules": [{**RULE, "values": {"hold_s": 1000.0}}]}, "between 0.2 and 30"),
        ('{"rules": [{"kind": "wrong_way", "values": {"hold_s": NaN}}]}', "between 0.2 and 30"),
        ({"rules": [RULE, RULE]}, "names wrong_way twice"),
    ],
)
def test_mistakes_in_lanes_masks_road_and_rules_are_named(tmp_path, data, reason):
    with pytest.raises(BadInputError, match=reason):
        read_scene(write(tmp_path, data))
