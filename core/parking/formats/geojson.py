"""GeoJSON: bays as polygons on the earth, from a survey, a GIS or OpenStreetMap.

Source: RFC 7946; the tags of amenity=parking_space in OpenStreetMap.
"""

from __future__ import annotations

from typing import Any

from core.kernel.errors import BadInputError
from core.parking.formats.model import BadRow, Document, Frame, Row
from core.parking.formats.numbers import outline_of, whole
from core.parking.formats.words import first_of, is_lane, kind_of, state_of
from core.parking.model import Outline

TITLE = "GeoJSON"
_KIND_TAGS = ("kind", "type", "parking_space", "category", "capacity:disabled", "access")


def recognises(data: Any) -> bool:
    """Tell whether this is such a file."""
    return isinstance(data, dict) and data.get("type") in ("FeatureCollection", "Feature")


def read(data: Any, _picture: str = "") -> Document:
    """Return its polygons.

    Raises:
        BadInputError: It measures in something else than degrees.
    """
    _check_crs(data)
    features = data.get("features") if data.get("type") == "FeatureCollection" else [data]
    rows: list[Row] = []
    bad: list[BadRow] = []
    for number, feature in enumerate(features if isinstance(features, list) else (), start=1):
        said = feature.get("properties") if isinstance(feature, dict) else None
        said = said if isinstance(said, dict) else {}
        top = {"id": feature.get("id")} if isinstance(feature, dict) else {}
        name = first_of(said, "bay_id", "bay", "ref", "number", "id", "name", "label") or first_of(top, "id")
        try:
            points = _points(feature)
        except ValueError as error:
            bad.append(BadRow(number=number, name=name, reason=str(error)))
            continue
        rows.append(_row(number, name, points, said))
    return Document(title=TITLE, frame=Frame.EARTH, rows=tuple(rows), bad=tuple(bad))


def _row(number: int, name: str, points: Outline, said: dict[str, Any]) -> Row:
    words = [str(said[tag]) for tag in _KIND_TAGS if isinstance(said.get(tag), str)]
    is_for_wheelchairs = str(said.get("wheelchair", "")).lower() in ("designated", "yes")
    return Row(
        number=number,
        name=name,
        points=points,
        label=first_of(said, "label"),
        kind=kind_of(*words, "accessible" if is_for_wheelchairs else ""),
        zone=first_of(said, "zone"),
        level=whole(first_of(said, "level", "floor")) or 0,
        max_stay_min=whole(first_of(said, "max_stay_min")),
        is_lane=any(is_lane(word) for word in words),
        state=state_of(first_of(said, "occupied", "state", "status")),
    )


def _points(feature: Any) -> Outline:
    shape = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(shape, dict):
        raise ValueError("It has no geometry.")
    rings = shape.get("coordinates")
    if shape.get("type") == "MultiPolygon" and isinstance(rings, list):
        if len(rings) != 1:
            raise ValueError(f"It has {len(rings)} parts; a bay is one outline.")
        rings = rings[0]
    elif shape.get("type") != "Polygon":
        raise ValueError(f"It is a {str(shape.get('type'))[:20]}, no polygon.")
    if not isinstance(rings, list) or not rings:
        raise ValueError("It has no corners.")
    points = outline_of(rings[0])
    if any(abs(lon) > 180.0 or abs(lat) > 90.0 for lon, lat in points):
        raise ValueError("It is not in degrees: longitude is 180 at most, latitude 90. Save it as WGS 84 (EPSG:4326).")
    return points


def _check_crs(data: dict[str, Any]) -> None:
    crs = data.get("crs")
    said = str(crs.get("properties", {}).get("name", "")) if isinstance(crs, dict) else ""
    if said and not said.upper().endswith(("CRS84", "4326")):
        raise BadInputError(
            f"It is GeoJSON in {said[:60]}; bays are read in WGS 84.", hint="Save it again as EPSG:4326 (WGS 84)."
        )
