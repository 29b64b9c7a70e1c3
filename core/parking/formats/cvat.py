"""CVAT's XML: polygons and boxes of many pictures, or tracks through a clip.

Source: https://docs.cvat.ai, "XML annotation format", versions 1.0 and 1.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.kernel.xml import MAX_TEXT, Element
from core.parking.formats.model import BadRow, Document, Frame, Row, Size
from core.parking.formats.numbers import outline_of, size_of, whole
from core.parking.formats.words import first_of, is_lane, kind_of, state_of
from core.parking.model import Outline

TITLE = "CVAT XML"
_SHAPES = frozenset({"polygon", "box", "polyline", "points", "mask", "ellipse", "cuboid", "skeleton"})


def recognises(root: Element) -> bool:
    """Tell whether this is such a file."""
    return root.name == "annotations"


@dataclass(frozen=True, slots=True)
class _Picture:
    name: str
    size: Size | None
    shapes: tuple[tuple[str, Element], ...]


def read(root: Element, picture: str = "") -> Document:
    """Return the outlines of one picture, the first that has any where none is named."""
    pictures = _pictures(root)
    chosen = next((one for one in pictures if one.name == picture), None)
    chosen = chosen or next((one for one in pictures if one.shapes), None)
    read_rows = [
        _row(number, label, shape) for number, (label, shape) in enumerate(chosen.shapes if chosen else (), start=1)
    ]
    return Document(
        title=TITLE,
        frame=Frame.PIXELS,
        rows=tuple(row for row in read_rows if isinstance(row, Row)),
        bad=tuple(row for row in read_rows if isinstance(row, BadRow)),
        picture_px=chosen.size if chosen else None,
        pictures=tuple(one.name for one in pictures),
        picture=chosen.name if chosen else "",
    )


def _pictures(root: Element) -> list[_Picture]:
    pictures = []
    for number, image in enumerate(root.all("image"), start=1):
        shapes = tuple((child.attributes.get("label", ""), child) for child in image.children if child.name in _SHAPES)
        name = image.attributes.get("name") or f"picture {number}"
        pictures.append(_Picture(name, size_of(image.attributes.get("width"), image.attributes.get("height")), shapes))
    tracks = tuple((track.attributes.get("label", ""), shape) for track in root.all("track") for shape in _first(track))
    if tracks:
        original = root.anywhere("original_size")
        size = size_of(original.read("width"), original.read("height")) if original is not None else None
        pictures.append(_Picture("the clip's tracks", size, tracks))
    return pictures


def _first(track: Element) -> list[Element]:
    """Return a track's first outline that is in the picture: bays do not move."""
    seen = [child for child in track.children if child.name in _SHAPES and child.attributes.get("outside") != "1"]
    return seen[:1]


def _row(number: int, label: str, shape: Element) -> Row | BadRow:
    said = {child.attributes.get("name", ""): child.text.strip() for child in shape.all("attribute")}
    name = first_of(said, "bay_id", "bay", "id", "number", "label", "ref", "name")
    try:
        points = _points(shape)
    except ValueError as error:
        return BadRow(number=number, name=name or label, reason=str(error))
    is_clear = is_lane(label)
    return Row(
        number=number,
        name=name or (label if is_clear else ""),
        points=points,
        kind=kind_of(label, said.get("kind", ""), said.get("type", "")),
        zone=first_of(said, "zone"),
        level=whole(first_of(said, "level", "floor")) or 0,
        is_lane=is_clear,
        state=state_of(first_of(said, "occupied", "state", "status")) or state_of(label),
    )


def _points(shape: Element) -> Outline:
    if shape.name == "box":
        return _box(shape)
    if shape.name != "polygon":
        raise ValueError(f"It is a {shape.name}; a bay is a polygon or a box.")
    text = shape.attributes.get("points", "")
    if len(text) >= MAX_TEXT:
        raise ValueError("It has too many corners for a bay.")
    try:
        pairs = [[float(part) for part in pair.split(",")] for pair in text.split(";") if pair.strip()]
    except ValueError as error:
        raise ValueError("Its points are no numbers.") from error
    return outline_of(pairs)


def _box(shape: Element) -> Outline:
    try:
        left, top, right, bottom = (float(shape.attributes[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
        turn = math.radians(float(shape.attributes.get("rotation", "0")))
    except (KeyError, ValueError) as error:
        raise ValueError("Its box lacks its numbers.") from error
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    x, y = (left + right) / 2, (top + bottom) / 2
    sine, cosine = math.sin(turn), math.cos(turn)
    return outline_of(
        [(x + (px - x) * cosine - (py - y) * sine, y + (px - x) * sine + (py - y) * cosine) for px, py in corners]
    )
