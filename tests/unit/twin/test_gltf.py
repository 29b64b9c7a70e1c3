"""The scene for other programs."""

import json
import struct

import numpy as np

from core.parking.plans import open_lot
from widgets.twin.gltf import glb_of, triangles
from widgets.twin.model import Shown, plain_look
from widgets.twin.palette import NIGHT_THEME, palette_for
from widgets.twin.scene import build_scene


def document_of(data):
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    n_text, kind = struct.unpack_from("<II", data, 12)
    assert kind == 0x4E4F534A
    return json.loads(data[20 : 20 + n_text]), data[20 + n_text + 8 :]


def made(n_bays=8):
    scene = build_scene([open_lot("a", "A", n_bays=n_bays)])
    shown = np.array([Shown.OCCUPIED, Shown.FREE] * (n_bays // 2), dtype=np.uint8)
    look = plain_look(shown)
    return document_of(glb_of(scene, look, palette_for(NIGHT_THEME)))


def test_every_bay_is_a_node_that_says_what_it_is():
    document, _ = made()

    bays = [node["extras"] for node in document["nodes"] if "extras" in node]
    assert len(bays) == 8
    assert bays[0] == {"lot": "a", "bay": "A01", "kind": "accessible", "state": "occupied", "stale": False}


def test_cars_stand_where_bays_are_occupied():
    document, _ = made()

    assert len([node for node in document["nodes"] if node["name"].startswith("Car in")]) == 4


def test_every_view_lies_within_the_buffer_and_every_index_within_its_points():
    document, binary = made()

    assert document["buffers"][0]["byteLength"] <= len(binary)
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= len(binary)
    for mesh in document["meshes"]:
        for part in mesh["primitives"]:
            points, corners = (document["accessors"][i] for i in (part["attributes"]["POSITION"], part["indices"]))
            view = document["bufferViews"][corners["bufferView"]]
            found = np.frombuffer(binary, np.uint32, corners["count"], view["byteOffset"])
            assert found.max() == points["count"] - 1


def test_a_face_of_five_corners_becomes_three_triangles():
    assert triangles(np.array([5, 0, 1, 2, 3, 4, 3, 7, 8, 9])).tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [7, 8, 9]]
