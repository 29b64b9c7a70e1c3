"""Our own JSON: a whole lot, with bays, views and levels; and GeoJSON for others."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.formats.model import BadRow, Document, Frame
from core.parking.model import Bay, BayView, Level, Lot, Surrounding
from core.parking.plans import on_ground

TITLE = "Watchfloor's lot"
FORMAT = "watchfloor-lot"
VERSION = 1
_PAIR = re.compile(r"\[\s+(-?[\d.]+(?:e-?\d+)?),\s+(-?[\d.]+(?:e-?\d+)?)\s+\]")
_T = TypeVar("_T")


def recognises(data: Any) -> bool:
    """Tell whether this is such a file."""
    return isinstance(data, dict) and data.get("format") == FORMAT


def read(data: dict[str, Any], _picture: str = "") -> Document:
    """Return the lot; a bay, view, level or surrounding that cannot be read is left out and listed.

    Raises:
        BadInputError: It was written by a newer program, or what is said of the lot itself cannot be read.
    """
    if data.get("version") != VERSION:
        raise BadInputError(
            f"It is a lot of version {str(data.get('version'))[:20]}; this program reads version {VERSION}.",
            hint="Write it with the same version of the program.",
        )
    said = data.get("lot")
    if not isinstance(said, dict):
        raise BadInputError("It names no lot.")
    bad: list[BadRow] = []
    parts = ("bays", "views", "levels", "surroundings")
    try:
        lot = msgspec.convert({key: value for key, value in said.items() if key not in parts}, Lot)
    except msgspec.ValidationError as error:
        raise BadInputError(f"The lot cannot be read: {error}.") from error
    lot = replace(
        lot,
        bays=_all(said.get("bays"), Bay, "bay_id", bad),
        views=_all(said.get("views"), BayView, "camera_id", bad),
        levels=_all(said.get("levels"), Level, "name", bad),
        surroundings=_all(said.get("surroundings"), Surrounding, "kind", bad),
    )
    return Document(title=TITLE, frame=Frame.PLAN, rows=(), bad=tuple(bad), lot=lot)


def lot_json(lot: Lot) -> str:
    """Return a lot as JSON that `read` takes back."""
    text = json.dumps(
        {"format": FORMAT, "version": VERSION, "lot": msgspec.to_builtins(lot)}, indent=1, ensure_ascii=False
    )
    return _PAIR.sub(r"[\1, \2]", text) + "\n"


def lot_geojson(lot: Lot) -> str:
    """Return the bays that are drawn on the plan as GeoJSON.

    Raises:
        BadInputError: The lot has no place on the earth.
    """
    if lot.position is None:
        raise BadInputError(
            f"{lot.name} has no place on the map, so its bays have none.", hint="Place it on the map, then export."
        )
    features = [_feature(lot, lot.position, bay) for bay in lot.bays if bay.outline]
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1, ensure_ascii=False)
    return _PAIR.sub(r"[\1, \2]", text) + "\n"


def _feature(lot: Lot, origin: GeoPoint, bay: Bay) -> dict[str, Any]:
    positions = [on_ground(point, origin, lot.bearing_deg) for point in (*bay.outline, bay.outline[0])]
    said = {
        "bay_id": bay.bay_id,
        "label": bay.label,
        "kind": bay.kind.value,
        "zone": bay.zone,
        "level": bay.level,
        "max_stay_min": bay.max_stay_min,
        "lot_id": lot.lot_id,
    }
    ring = [[round(position.lon_deg, 9), round(position.lat_deg, 9)] for position in positions]
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": said}


def _all(values: Any, kind: type[_T], name_key: str, bad: list[BadRow]) -> tuple[_T, ...]:
    good: list[_T] = []
    for number, value in enumerate(values if isinstance(values, list) else (), start=1):
        try:
            good.append(msgspec.convert(value, kind))
        except msgspec.ValidationError as error:
            name = str(value.get(name_key, "")) if isinstance(value, dict) else ""
            bad.append(BadRow(number=number, name=name[:64], reason=f"{error}."))
    return tuple(good)
