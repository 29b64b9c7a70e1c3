import json

import pytest

from core.kernel.errors import BadInputError
from core.vision.scene_file import read_scene

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
