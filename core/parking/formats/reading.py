"""Finds out by looking what a file of bays is, and reads it as it stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.kernel import xml
from core.kernel.errors import BadInputError
from core.parking.formats import coco, cvat, geojson, own, pklot, points_json, positions
from core.parking.formats.model import MAX_BYTES, MAX_ROWS, Document

MAX_XML_ELEMENTS = 400_000
KNOWN = (
    "Bays are read from CVAT XML, COCO or CVAT JSON, ultralytics' parking JSON, CarParkPos positions, PKLot XML, "
    "GeoJSON and Watchfloor's own JSON."
)


@dataclass(frozen=True, slots=True)
class _JsonFormat:
    recognises: Callable[[Any], bool]
    read: Callable[[Any, str], Document]


_JSON = (
    _JsonFormat(own.recognises, own.read),
    _JsonFormat(geojson.recognises, geojson.read),
    _JsonFormat(coco.recognises, coco.read),
    _JsonFormat(coco.recognises_datumaro, coco.read_datumaro),
    _JsonFormat(points_json.recognises, points_json.read),
)

_MAGIC = (
    (b"\xff\xd8\xff", "a JPEG picture", "To draw on a picture, choose its camera."),
    (b"\x89PNG", "a PNG picture", "To draw on a picture, choose its camera."),
    (b"GIF8", "a GIF picture", "To draw on a picture, choose its camera."),
    (b"%PDF", "a PDF", "Export the bays from the program that drew it."),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it first; CVAT puts annotations.xml or a JSON file into it."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"SQLite format 3", "an SQLite database", "Save the layer as GeoJSON."),
    (b"\x00\x00\x27\x0a", "a shapefile", "Save the layer as GeoJSON (WGS 84)."),
    (b"AC10", "an AutoCAD drawing", "Save the outlines as GeoJSON."),
)
_ROOTS = {
    "kml": ("KML", "Save it as GeoJSON (WGS 84)."),
    "svg": ("an SVG drawing", "Save the outlines as one of these."),
    "annotation": ("a Pascal VOC annotation, which has upright boxes only", "Export polygons, e.g. as COCO."),
    "osm": ("OpenStreetMap XML", "Save it as GeoJSON, e.g. with Overpass or osmtogeojson."),
    "gpx": ("a GPX track", "Save the outlines as GeoJSON."),
}


def read_file(path: Path, picture: str = "") -> Document:
    """Read a file of bays.

    Args:
        path: Of the file; its name says nothing about its format.
        picture: Whose outlines are wanted where the file has those of several; the first that has any where empty.

    Raises:
        BadInputError: Names the file, what was found in it, and what would do.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInputError(f"{path.name} is larger than {MAX_BYTES // 2**20} MiB.", hint="Divide it into parts.")
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return read_content(content, path.name, picture)


def read_content(content: bytes, file_name: str, picture: str = "") -> Document:
    """Read a file's content; otherwise as `read_file`."""
    found = _read(content, file_name, picture)
    n_rows = len(found.rows) + len(found.bad)
    if n_rows > MAX_ROWS:
        raise BadInputError(f"{file_name} has {n_rows:,} outlines; {MAX_ROWS:,} are read at once.")
    if not n_rows and found.lot is None:
        raise BadInputError(f"{file_name} is {found.title}, but holds no outline.", hint=KNOWN)
    return found


def _read(content: bytes, file_name: str, picture: str) -> Document:
    if not content.strip():
        raise BadInputError(f"{file_name} is empty.", hint=KNOWN)
    for magic, found, hint in _MAGIC:
        if content.startswith(magic):
            raise BadInputError(f"{file_name} is {found}, no file of bays.", hint=f"{hint} {KNOWN}")
    if positions.recognises(content):
        return positions.read(content, file_name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file_name} is no text and nothing that is known here.", hint=KNOWN) from error
    start = text.lstrip()[:1]
    if start == "<":
        return _read_xml(content, file_name, picture)
    if start in ("{", "["):
        return _read_json(text, file_name, picture)
    first = text.strip().partition("\n")[0].strip()[:60]
    raise BadInputError(f"{file_name} is text that begins with “{first}”, no file of bays.", hint=KNOWN)


def _read_xml(content: bytes, file_name: str, picture: str) -> Document:
    try:
        root = xml.parse(content, max_bytes=MAX_BYTES, max_elements=MAX_XML_ELEMENTS)
    except BadInputError as error:
        said = error.message.replace("The document", file_name, 1)
        raise BadInputError(said, hint=KNOWN) from error
    if pklot.recognises(root):
        return pklot.read(root, picture)
    if cvat.recognises(root):
        return cvat.read(root, picture)
    found, hint = _ROOTS.get(root.name.lower(), (f"XML whose first element is <{root.name[:40]}>", ""))
    raise BadInputError(f"{file_name} is {found}, no file of bays.", hint=f"{hint} {KNOWN}".strip())


def _read_json(text: str, file_name: str, picture: str) -> Document:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{file_name} looks like JSON, but cannot be read: {error}.", hint=KNOWN) from error
    for one in _JSON:
        if one.recognises(data):
            try:
                return one.read(data, picture)
            except BadInputError as error:
                raise BadInputError(f"{file_name}: {error.message}", hint=error.hint) from error
    raise BadInputError(f"{file_name} is {_described(data)}, no file of bays.", hint=KNOWN)


def _described(data: Any) -> str:
    if isinstance(data, dict):
        keys = ", ".join(sorted(str(key)[:20] for key in data)[:6])
        return f"JSON with the keys {keys}" if keys else "an empty JSON object"
    if isinstance(data, list) and not data:
        return "an empty JSON list"
    return f"a JSON list of {len(data):,} entries without outlines" if isinstance(data, list) else "one JSON value"
