"""COCO's JSON, as CVAT, Roboflow and Label Studio write it, and CVAT's own JSON (Datumaro).

Source: https://cocodataset.org, "Data format"; https://docs.cvat.ai, "Datumaro format".
"""

from __future__ import annotations

from typing import Any

from core.parking.formats.model import BadRow, Document, Frame, Row, Size
from core.parking.formats.numbers import outline_of, size_of, whole
from core.parking.formats.words import first_of, is_lane, kind_of, state_of
from core.parking.model import Outline

TITLE = "COCO JSON"
DATUMARO_TITLE = "CVAT JSON (Datumaro)"


def recognises(data: Any) -> bool:
    """Tell whether this is such a file."""
    return isinstance(data, dict) and isinstance(data.get("annotations"), list) and isinstance(data.get("images"), list)


def recognises_datumaro(data: Any) -> bool:
    """Tell whether this is such a file."""
    return isinstance(data, dict) and isinstance(data.get("items"), list) and isinstance(data.get("categories"), dict)


def read(data: Any, picture: str = "") -> Document:
    """Return the outlines of one picture, the first that has any where none is named."""
    names = {_key(one.get("id")): str(one.get("name", "")) for one in _dicts(data.get("categories"))}
    images = {_key(one.get("id")): one for one in _dicts(data.get("images"))}
    titles = {key: str(image.get("file_name") or f"picture {key}") for key, image in images.items()}
    by_image: dict[str, list[dict[str, Any]]] = {}
    for one in _dicts(data["annotations"]):
        by_image.setdefault(_key(one.get("image_id")), []).append(one)
    chosen = next((key for key, title in titles.items() if title == picture), None)
    chosen = chosen if chosen is not None else next((key for key in titles if key in by_image), None)
    if chosen is None:
        chosen = next(iter(by_image), "")
    image = images.get(chosen, {})
    return _document(
        TITLE,
        [(names.get(_key(one.get("category_id")), ""), one, _coco_points) for one in by_image.get(chosen, [])],
        size_of(image.get("width"), image.get("height")),
        tuple(titles.values()),
        titles.get(chosen, ""),
    )


def read_datumaro(data: Any, picture: str = "") -> Document:
    """Return the outlines of one picture, the first that has any where none is named."""
    categories = data["categories"].get("label")
    labels = [
        str(one.get("name", "")) for one in _dicts(categories.get("labels") if isinstance(categories, dict) else ())
    ]
    items = _dicts(data["items"])
    titles = [str(item.get("id", number)) for number, item in enumerate(items, start=1)]
    chosen = titles.index(picture) if picture in titles else None
    if chosen is None:
        chosen = next((index for index, item in enumerate(items) if item.get("annotations")), None)
    item = items[chosen] if chosen is not None else {}
    image = item.get("image") if isinstance(item.get("image"), dict) else {}
    size = image.get("size") if isinstance(image, dict) else None
    pair = size if isinstance(size, list) and len(size) == 2 else (None, None)
    found = []
    for one in _dicts(item.get("annotations")):
        index = whole(one.get("label_id"))
        found.append((labels[index] if index is not None and 0 <= index < len(labels) else "", one, _datumaro_points))
    return _document(
        DATUMARO_TITLE, found, size_of(pair[1], pair[0]), tuple(titles), titles[chosen] if chosen is not None else ""
    )


def _document(
    title: str, found: list[tuple[str, dict[str, Any], Any]], size: Size | None, pictures: tuple[str, ...], picture: str
) -> Document:
    rows: list[Row] = []
    bad: list[BadRow] = []
    for number, (label, one, points_of) in enumerate(found, start=1):
        said = one.get("attributes") if isinstance(one.get("attributes"), dict) else {}
        said = said if isinstance(said, dict) else {}
        name = first_of(said, "bay_id", "bay", "id", "number", "label", "ref", "name") or first_of(one, "bay_id", "bay")
        try:
            points = points_of(one)
        except ValueError as error:
            bad.append(BadRow(number=number, name=name or label, reason=str(error)))
            continue
        is_clear = is_lane(label)
        rows.append(
            Row(
                number=number,
                name=name or (label if is_clear else ""),
                points=points,
                kind=kind_of(label, first_of(said, "kind", "type")),
                zone=first_of(said, "zone"),
                level=whole(first_of(said, "level", "floor")) or 0,
                is_lane=is_clear,
                state=_flag(said) or state_of(label),
            )
        )
    return Document(
        title=title,
        frame=Frame.PIXELS,
        rows=tuple(rows),
        bad=tuple(bad),
        picture_px=size,
        pictures=pictures,
        picture=picture,
    )


def _flag(said: dict[str, Any]) -> Any:
    value = next((said[name] for name in ("occupied", "state", "status") if name in said), None)
    return state_of(value) if value is not None else None


def _coco_points(one: dict[str, Any]) -> Outline:
    drawn = one.get("segmentation")
    if isinstance(drawn, dict):
        raise ValueError("It is a bitmap (RLE), no outline; export polygons.")
    if isinstance(drawn, list) and drawn:
        if isinstance(drawn[0], list) and len(drawn) > 1:
            raise ValueError(f"It has {len(drawn)} parts; a bay is one outline.")
        return outline_of(drawn[0] if isinstance(drawn[0], list) else drawn)
    return _box(one.get("bbox"))


def _datumaro_points(one: dict[str, Any]) -> Outline:
    shape = one.get("type")
    if shape == "polygon":
        return outline_of(one.get("points"))
    if shape == "bbox":
        return _box(one.get("bbox"))
    raise ValueError(f"It is a {str(shape)[:20]}; a bay is a polygon or a box.")


def _box(box: Any) -> Outline:
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError("It has neither an outline nor a box.")
    (x, y), (width, height) = outline_of(box) if len(set(box)) > 1 else ((0.0, 0.0), (0.0, 0.0))
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, (list, tuple)) else []


def _key(value: Any) -> str:
    return str(value)
