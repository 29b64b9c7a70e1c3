"""Lists of outlines in JSON: ultralytics' parking file, and others that name ids, states and the picture's size.

Source: https://docs.ultralytics.com, "Parking management": a list of {"points": [[x, y], [x, y], [x, y], [x, y]]}.
"""

from __future__ import annotations

from typing import Any

from core.parking.formats.model import BadRow, Document, Frame, Row
from core.parking.formats.numbers import outline_of, size_of, whole
from core.parking.formats.words import first_of, is_lane, kind_of, state_of

TITLE = "ultralytics' parking JSON"
LIST_TITLE = "a list of outlines in JSON"
_LISTS = ("bays", "slots", "spots", "spaces", "parking_spaces", "regions", "outlines", "polygons")


def recognises(data: Any) -> bool:
    """Tell whether this is such a file."""
    entries = _entries(data)
    return bool(entries) and any(_outline(entry) is not None for entry in entries)


def read(data: Any, _picture: str = "") -> Document:
    """Return its outlines; an entry whose key speaks of a free area or a lane is a lane."""
    rows: list[Row] = []
    bad: list[BadRow] = []
    for number, entry in enumerate(_entries(data), start=1):
        said = entry if isinstance(entry, dict) else {}
        name = first_of(said, "bay_id", "id", "bay", "slot", "name", "label", "number")
        found = _outline(entry)
        try:
            if found is None:
                raise ValueError("It has no points.")
            key, value = found
            points = outline_of(value)
        except ValueError as error:
            bad.append(BadRow(number=number, name=name or _shown(entry), reason=str(error)))
            continue
        is_clear = is_lane(key) or is_lane(first_of(said, "type", "kind"))
        rows.append(
            Row(
                number=number,
                name=name or (key if is_clear else ""),
                points=points,
                kind=kind_of(first_of(said, "kind", "type", "category")),
                zone=first_of(said, "zone"),
                level=whole(first_of(said, "level", "floor")) or 0,
                is_lane=is_clear,
                state=state_of(said["occupied"]) if "occupied" in said else None,
            )
        )
    size = data.get("image_size") if isinstance(data, dict) else None
    pair = size if isinstance(size, list) and len(size) == 2 else (None, None)
    is_plain = isinstance(data, list) and not any(row.name and not row.is_lane for row in rows)
    return Document(
        title=TITLE if is_plain else LIST_TITLE,
        frame=Frame.PIXELS,
        rows=tuple(rows),
        bad=tuple(bad),
        picture_px=size_of(*pair),
    )


def _entries(data: Any) -> list[Any]:
    if isinstance(data, dict):
        data = next((data[name] for name in _LISTS if isinstance(data.get(name), list)), None)
    return data if isinstance(data, list) else []


def _outline(entry: Any) -> tuple[str, Any] | None:
    """Return the key and value of an entry's outline."""
    if isinstance(entry, list):
        return ("", entry) if len(entry) >= 3 and all(isinstance(point, list) for point in entry) else None
    if not isinstance(entry, dict):
        return None
    for key in ("points", "outline", "polygon", "contour", "corners"):
        if key in entry:
            return key, entry[key]
    lane = next((key for key, value in entry.items() if is_lane(str(key)) and isinstance(value, list)), None)
    return (lane, entry[lane]) if lane is not None else None


def _shown(entry: Any) -> str:
    return str(entry)[:60]
