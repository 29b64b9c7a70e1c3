"""PKLot's XML: one picture's bays with a rotated rectangle, a contour, and whether they are occupied.

Source: de Almeida et al. (2015), "PKLot: a robust dataset for parking lot classification"; its files.
"""

from __future__ import annotations

import math

from core.kernel.xml import Element
from core.parking.formats.model import BadRow, Document, Frame, Row
from core.parking.formats.words import state_of
from core.parking.model import Outline

TITLE = "PKLot XML"
PICTURE_PX = (1280, 720)
"""Every picture of the data set has this size; the files do not say it."""


def recognises(root: Element) -> bool:
    """Tell whether this is such a file."""
    return root.name.lower() == "parking"


def read(root: Element, _picture: str = "") -> Document:
    """Return its bays; where there is no contour, the rotated rectangle is one."""
    rows, bad = [], []
    spaces = [child for child in root.children if child.name.lower() == "space"]
    for number, space in enumerate(spaces, start=1):
        name = space.attributes.get("id", "").strip()
        try:
            points = _contour(space) or _rectangle(space)
        except ValueError as error:
            bad.append(BadRow(number=number, name=name, reason=str(error)))
            continue
        state = state_of(space.attributes.get("occupied", ""))
        rows.append(Row(number=number, name=name, points=points, state=state))
    return Document(title=TITLE, frame=Frame.PIXELS, rows=tuple(rows), bad=tuple(bad), picture_px=PICTURE_PX)


def _contour(space: Element) -> Outline:
    contour = _child(space, "contour")
    if contour is None:
        return ()
    return tuple(_number_pair(point, "x", "y") for point in contour.children if point.name.lower() == "point")


def _rectangle(space: Element) -> Outline:
    """Return the corners of a rectangle as OpenCV turns it: degrees, clockwise in a picture whose y points down."""
    rectangle = _child(space, "rotatedRect")
    parts = {name: _child(rectangle, name) if rectangle else None for name in ("center", "size", "angle")}
    if parts["center"] is None or parts["size"] is None or parts["angle"] is None:
        raise ValueError("It has neither a contour nor a rotated rectangle.")
    x, y = _number_pair(parts["center"], "x", "y")
    width, height = _number_pair(parts["size"], "w", "h")
    turn = math.radians(_number_pair(parts["angle"], "d", "d")[0])
    sine, cosine = math.sin(turn), math.cos(turn)
    halves = ((-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2))
    return tuple((x + dx * cosine - dy * sine, y + dx * sine + dy * cosine) for dx, dy in halves)


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element.children if child.name.lower() == name.lower()), None)


def _number_pair(element: Element, first: str, second: str) -> tuple[float, float]:
    try:
        pair = float(element.attributes[first]), float(element.attributes[second])
    except (KeyError, ValueError) as error:
        raise ValueError(f"A {element.name} lacks its numbers.") from error
    if not (math.isfinite(pair[0]) and math.isfinite(pair[1])):
        raise ValueError("A corner is at no number.")
    return pair
