"""The scene as one glTF 2.0 binary file, for other programs: every bay and every car a node of its own. No Qt, no VTK.

Source of the format: Khronos, glTF 2.0 specification, chapters 3 and 4 (binary glTF). y points up, z to the south.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from widgets.twin import shapes
from widgets.twin.faces import Material, Mesh
from widgets.twin.model import BaysLook, Palette, Rgb, Shown, material_colors
from widgets.twin.scene import KINDS, TwinScene

FLOAT, UINT = 5126, 5125
ARRAY_BUFFER, ELEMENT_BUFFER = 34962, 34963
_JSON, _BINARY = 0x4E4F534A, 0x004E4942


def write_glb(file: Path, scene: TwinScene, look: BaysLook, palette: Palette) -> None:
    """Write the scene as it stands.

    Raises:
        OSError: The file cannot be written.
    """
    file.write_bytes(glb_of(scene, look, palette))


def glb_of(scene: TwinScene, look: BaysLook, palette: Palette) -> bytes:
    """Return the file's bytes."""
    document = _Document()
    document.add_static("Earth", scene.earth, palette)
    for level, mesh in scene.grounds.items():
        document.add_static(f"Level {level}", mesh, palette)
    for level, mesh in scene.bodies.items():
        document.add_static(f"Bodies of level {level}", mesh, palette)
    for level, mesh in scene.paints.items():
        document.add_static(f"Lines of level {level}", mesh, palette)
    _add_bays(document, scene, look, palette)
    return document.finish()


def _add_bays(document: _Document, scene: TwinScene, look: BaysLook, palette: Palette) -> None:
    floors = {
        Shown.FREE: document.add_shape("Free bay", _floor(), palette.floor_free),
        Shown.OCCUPIED: document.add_shape("Occupied bay", _floor(), palette.floor_occupied),
        Shown.CLOSED: document.add_shape("Closed bay", _floor(), palette.floor_closed),
        Shown.UNKNOWN: document.add_shape("Unknown bay", _floor(), palette.quality),
        Shown.SHARE: document.add_shape("Bay", _floor(), palette.floor_free),
    }
    body = document.add_shape("Car", shapes.car_body(), palette.car)
    stale = document.add_shape("Car, last known", shapes.car_body(), palette.car_stale)
    glass = document.add_shape("Car's windows", shapes.car_glass(), palette.glass)
    for i, (lot_id, bay_id) in enumerate(scene.keys):
        shown = Shown(int(look.shown[i]))
        facts = {
            "lot": lot_id,
            "bay": bay_id,
            "kind": KINDS[int(scene.kinds[i])].value,
            "state": shown.name.lower(),
            "stale": bool(look.is_stale[i]),
        }
        turn_deg = float(scene.inward_deg[i]) - 90.0
        size = (float(scene.widths_m[i]), float(scene.lengths_m[i]), 1.0)
        document.add_node(f"{lot_id} {bay_id}", floors[shown], scene.centres[i], turn_deg, size, facts)
        if shown is Shown.OCCUPIED:
            car = stale if look.is_stale[i] else body
            for name, mesh in (("Car", car), ("Windows", glass)):
                document.add_node(f"{name} in {lot_id} {bay_id}", mesh, scene.centres[i], turn_deg, (1.0, 1.0, 1.0), {})


def _floor() -> shapes.Shape:
    return shapes.shape_of([[(-0.5, -0.5, 0.0), (0.5, -0.5, 0.0), (0.5, 0.5, 0.0), (-0.5, 0.5, 0.0)]])


def triangles(faces: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return faces of any number of corners as fans of triangles, shape (m, 3)."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(faces):
        n = int(faces[at])
        corners = faces[at + 1 : at + 1 + n].tolist()
        found += [(corners[0], corners[i], corners[i + 1]) for i in range(1, n - 1)]
        at += n + 1
    return np.array(found, dtype=np.uint32).reshape(-1, 3)


def y_up(points: NDArray[Any]) -> NDArray[np.float32]:
    """Turn z up into y up, as glTF has it; points of shape (n, 3)."""
    return np.ascontiguousarray(np.column_stack((points[:, 0], points[:, 2], -points[:, 1])), dtype=np.float32)


class _Document:
    """Collects meshes, materials and nodes."""

    def __init__(self) -> None:
        self._binary = bytearray()
        self._json: dict[str, list[Any]] = {
            name: [] for name in ("bufferViews", "accessors", "materials", "meshes", "nodes")
        }
        self._materials: dict[Rgb, int] = {}

    def add_static(self, name: str, mesh: Mesh, palette: Palette) -> None:
        """Add faces that stay where they are, one part for each material."""
        colors = material_colors(palette)
        faces = _split(mesh.faces)
        parts = []
        for material in Material:
            mine = [faces[i] for i in np.flatnonzero(mesh.materials == material)]
            if mine:
                parts.append(self._part(mesh.points, triangles(np.concatenate(mine)), colors[material]))
        if parts:
            self._json["meshes"].append({"name": name, "primitives": parts})
            self._json["nodes"].append({"name": name, "mesh": len(self._json["meshes"]) - 1})

    def add_shape(self, name: str, shape: shapes.Shape, color: Rgb) -> int:
        """Add a mesh that nodes refer to; returns its index."""
        part = self._part(shape.points, triangles(shape.faces), color)
        self._json["meshes"].append({"name": name, "primitives": [part]})
        return len(self._json["meshes"]) - 1

    def add_node(
        self,
        name: str,
        mesh: int,
        at: NDArray[np.float64],
        turn_deg: float,
        size: tuple[float, float, float],
        facts: dict[str, Any],
    ) -> None:
        """Put a mesh somewhere, turned about the upright; `facts` go with it as extras."""
        half = math.radians(turn_deg) / 2
        node: dict[str, Any] = {
            "name": name,
            "mesh": mesh,
            "translation": [round(float(at[0]), 4), round(float(at[2]), 4), round(-float(at[1]), 4)],
            "rotation": [0.0, round(math.sin(half), 6), 0.0, round(math.cos(half), 6)],
            "scale": [round(size[0], 4), round(size[2], 4), round(size[1], 4)],
        }
        if facts:
            node["extras"] = facts
        self._json["nodes"].append(node)

    def finish(self) -> bytes:
        """Return the binary file."""
        document = {
            "asset": {"version": "2.0", "generator": "Watchfloor"},
            "scene": 0,
            "scenes": [{"nodes": list(range(len(self._json["nodes"])))}],
            "buffers": [{"byteLength": len(self._binary)}],
            **self._json,
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self._binary) + b"\0" * (-len(self._binary) % 4)
        chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(binary), _BINARY) + binary
        return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks

    def _part(self, points: NDArray[Any], corners: NDArray[np.uint32], color: Rgb) -> dict[str, Any]:
        used, indices = np.unique(corners, return_inverse=True)
        places = y_up(np.asarray(points)[used])
        position = self._accessor(places.tobytes(), FLOAT, "VEC3", len(places), ARRAY_BUFFER)
        self._json["accessors"][position] |= {"min": places.min(axis=0).tolist(), "max": places.max(axis=0).tolist()}
        flat = np.ascontiguousarray(indices.ravel(), dtype=np.uint32)
        index = self._accessor(flat.tobytes(), UINT, "SCALAR", len(flat), ELEMENT_BUFFER)
        return {"attributes": {"POSITION": position}, "indices": index, "material": self._material(color)}

    def _accessor(self, data: bytes, component: int, kind: str, count: int, target: int) -> int:
        self._json["bufferViews"].append(
            {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data), "target": target}
        )
        self._binary += data
        view = len(self._json["bufferViews"]) - 1
        self._json["accessors"].append({"bufferView": view, "componentType": component, "count": count, "type": kind})
        return len(self._json["accessors"]) - 1

    def _material(self, color: Rgb) -> int:
        if color not in self._materials:
            linear = [round((channel / 255) ** 2.2, 5) for channel in color]
            self._json["materials"].append(
                {
                    "pbrMetallicRoughness": {
                        "baseColorFactor": [*linear, 1.0],
                        "metallicFactor": 0.0,
                        "roughnessFactor": 0.9,
                    },
                    "doubleSided": True,
                }
            )
            self._materials[color] = len(self._json["materials"]) - 1
        return self._materials[color]


def _split(faces: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    found, at = [], 0
    while at < len(faces):
        n = int(faces[at])
        found.append(faces[at : at + 1 + n])
        at += n + 1
    return found
