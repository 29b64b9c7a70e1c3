"""Lists of devices from a file: CSV or GeoJSON, checked row by row, so that 37 bad rows do not cost the good ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.field.kinds import find_kinds, kind_for
from core.field.topics import OWN_GROUPS, is_slug
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.store.rows import storable

MAX_ROWS = 20_000
MAX_BYTES = 16 * 1024 * 1024
MAX_ROW_LINES = 20
"""A cell in quotation marks may go over so many."""

MAX_NAME_LENGTH = 200
MAX_TAGS, MAX_TAG_LENGTH = 16, 32
COLUMNS = ("device_id", "name", "kind", "site", "tags", "lat_deg", "lon_deg", "enabled")
"""Of a CSV file, in any order; only the first is needed. The same names are the properties of a GeoJSON feature."""

_YES, _NO = frozenset({"", "1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """A device that somebody wants to have, before it has said anything.

    Attributes:
        device_id: "{group}/{device}" of its topics.
        kind: Key of its device kind.
        site: Where it belongs; may be empty.
        tags: Words under which it is found.
    """

    device_id: str
    name: str
    kind: str
    position: GeoPoint | None = None
    site: str = ""
    tags: tuple[str, ...] = ()
    is_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was left out.

    Attributes:
        line: In the file, from 1; of GeoJSON the number of the feature.
        text: The row as it stands there, cut short.
        reason: A sentence.
    """

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceList:
    """What a file holds: devices with their lines, and the rows that cannot be used."""

    devices: tuple[NewDevice, ...]
    lines: tuple[int, ...]
    bad: tuple[BadRow, ...]


def read_device_list(content: bytes, file_name: str) -> DeviceList:
    """Read a CSV or GeoJSON file.

    Args:
        content: UTF-8, with or without a byte order mark; CSV with comma, semicolon or tab.
        file_name: For sentences; its ending says which of the two it is.

    Raises:
        BadInputError: The file as a whole cannot be used: too large, no text, no header, no JSON.
    """
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{file_name} is larger than {MAX_BYTES // 2**20} MiB.", hint="Divide it into parts.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{file_name} is not UTF-8 text: byte {error.start + 1} does not fit.", hint="Save it as UTF-8."
        ) from error
    is_json = file_name.lower().endswith((".geojson", ".json"))
    rows = _geojson_rows(text, file_name) if is_json else _csv_rows(text, file_name)
    devices: list[NewDevice] = []
    lines: list[int] = []
    bad: list[BadRow] = []
    line_of: dict[str, int] = {}
    for row in rows:
        if len(devices) + len(bad) >= MAX_ROWS:
            raise BadInputError(f"{file_name} has more than {MAX_ROWS} rows.", hint="Divide it into parts.")
        try:
            if row.reason:
                raise BadInputError(row.reason)
            device = read_device(row.fields)
            if (first := line_of.get(device.device_id)) is not None:
                raise BadInputError(f"{device.device_id} stands in line {first} already.")
        except BadInputError as error:
            bad.append(BadRow(line=row.line, text=row.text[:160], reason=error.message))
            continue
        line_of[device.device_id] = row.line
        devices.append(device)
        lines.append(row.line)
    if not devices and not bad:
        raise BadInputError(f"{file_name} holds no devices.", hint=f"Name them by {', '.join(COLUMNS)}.")
    return DeviceList(devices=tuple(devices), lines=tuple(lines), bad=tuple(bad))


def read_device(fields: Mapping[str, str]) -> NewDevice:
    """Make a device of the texts of one row or form.

    Raises:
        BadInputError: A field cannot be used; the sentence names it.
    """
    device_id = fields.get("device_id", "").strip()
    group, _, device = device_id.partition("/")
    if not is_slug(group) or not is_slug(device):
        raise BadInputError(
            f"{device_id[:80]!r} is no device_id: it is group/device, each of 1 to 32 of a-z, 0-9 and the hyphen."
        )
    if group in OWN_GROUPS:
        raise BadInputError(f"The group {group!r} is that of our own cameras or lots.")
    name = storable(fields.get("name", "")).strip() or device
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInputError(f"The name {name[:40]!r} is not usable: 1 to {MAX_NAME_LENGTH} letters, digits and signs.")
    kind = fields.get("kind", "").strip() or kind_for(group).key
    if kind not in find_kinds():
        raise BadInputError(f"{kind[:40]!r} is no kind of device; there are {', '.join(sorted(find_kinds()))}.")
    return NewDevice(
        device_id=device_id,
        name=name,
        kind=kind,
        position=_position(fields.get("lat_deg", "").strip(), fields.get("lon_deg", "").strip()),
        site=read_site(fields.get("site", "")),
        tags=tags_of(fields.get("tags", "")),
        is_enabled=_is_enabled(fields.get("enabled", "").strip().lower()),
    )


def read_site(text: str) -> str:
    """Return the name of a site as it is kept; empty takes a device out of its site.

    Raises:
        BadInputError: It is too long, or no text that can be shown in a line.
    """
    site = storable(text).strip()
    if len(site) > MAX_NAME_LENGTH or (site and not site.isprintable()):
        raise BadInputError(f"The site {site[:40]!r} is not usable: at most {MAX_NAME_LENGTH} letters, digits, signs.")
    return site


def read_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as they are kept: in lower case, each once, in order.

    Raises:
        BadInputError: There are too many, or one cannot be shown.
    """
    clean = tuple(sorted({tag for tag in (" ".join(storable(one).lower().split()) for one in tags) if tag}))
    if len(clean) > MAX_TAGS:
        raise BadInputError(f"{len(clean)} tags are too many: a device has at most {MAX_TAGS}.")
    for tag in clean:
        if len(tag) > MAX_TAG_LENGTH or not tag.isprintable() or "|" in tag or "," in tag:
            raise BadInputError(f"The tag {tag[:40]!r} is not usable: at most {MAX_TAG_LENGTH} letters, digits, signs.")
    return clean


def tags_of(text: str) -> tuple[str, ...]:
    """Return the tags in a text, with a comma or an upright line between them.

    Raises:
        BadInputError: There are too many, or one cannot be shown.
    """
    return read_tags(text.replace("|", ",").split(","))


def _position(lat: str, lon: str) -> GeoPoint | None:
    if not lat and not lon:
        return None
    try:
        return GeoPoint(float(lat), float(lon))
    except ValueError as error:
        raise BadInputError(f"lat_deg {lat[:20]!r}, lon_deg {lon[:20]!r} is no place on the earth.") from error


def _is_enabled(text: str) -> bool:
    if text in _YES or text in _NO:
        return text in _YES
    raise BadInputError(f"enabled is {text[:20]!r}; write yes or no.")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a file, and where it stands; `reason` says why nothing can be read in it."""

    line: int
    text: str
    fields: Mapping[str, str]
    reason: str = ""


def _csv_rows(text: str, file_name: str) -> Iterator[_Row]:
    try:
        separator = csv.Sniffer().sniff(text.partition("\n")[0], delimiters=",;\t").delimiter
    except csv.Error:
        separator = ","
    lines = list(io.StringIO(text, newline=""))
    try:
        first, n_lines = _read_cells(lines, 0, separator)
    except csv.Error as error:
        raise BadInputError(f"The first line of {file_name} cannot be read: {error}.") from error
    header = [cell.strip().lower() for cell in first]
    if "device_id" not in header:
        raise BadInputError(
            f"The first line of {file_name} does not name the column device_id.",
            hint=f"It may name {', '.join(COLUMNS)}, in any order.",
        )
    at = n_lines
    while at < len(lines):
        row, n_lines = _read_row(lines, at, header, separator)
        if row.text:
            yield row
        at += n_lines


def _read_row(lines: Sequence[str], at: int, header: Sequence[str], separator: str) -> tuple[_Row, int]:
    """Read the row that begins at a line; returns also of how many lines it is.

    Where a quotation mark is missing or one too many, only this line is bad: a mark further down that happens to fit
    must not swallow the rows between.
    """
    try:
        cells, n_lines = _read_cells(lines, at, separator)
    except csv.Error as error:
        reason = f"The line cannot be read ({error}): check its quotation marks."
        return _Row(at + 1, lines[at].strip(), {}, reason), 1
    fields = dict(zip(header, cells, strict=False))
    if n_lines > 1 and any("\n" in fields.get(name, "") or "\r" in fields.get(name, "") for name in COLUMNS):
        reason = "A cell goes over several lines: check the quotation marks of the line."
        return _Row(at + 1, lines[at].strip(), {}, reason), 1
    text = ", ".join(cells) if any(cell.strip() for cell in cells) else ""
    return _Row(at + 1, text, fields), n_lines


def _read_cells(lines: Sequence[str], at: int, separator: str) -> tuple[list[str], int]:
    """Return the cells of the row that begins at a line, and of how many lines it is."""
    reader = csv.reader(lines[at : at + MAX_ROW_LINES], delimiter=separator, strict=True)
    return next(reader, []), max(1, reader.line_num)


def _geojson_rows(text: str, file_name: str) -> Iterator[_Row]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{file_name} is no JSON: {error}.") from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise BadInputError(f"{file_name} is no GeoJSON FeatureCollection.", hint="It has a list called features.")
    for number, feature in enumerate(features, start=1):
        shown = json.dumps(feature, ensure_ascii=False)[:200]
        yield _Row(number, shown, _feature_fields(feature))


def _feature_fields(feature: Any) -> Mapping[str, str]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    fields = (
        {
            str(key).lower(): str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in (properties or {}).items()
            if value is not None
        }
        if isinstance(properties, dict)
        else {}
    )
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if isinstance(geometry, dict):
        # A geometry that is no point is a place that nobody can read, not a device without a place.
        fields["lon_deg"], fields["lat_deg"] = "not a point", ""
        place = geometry.get("coordinates")
        if geometry.get("type") == "Point" and isinstance(place, list) and len(place) >= 2:
            fields["lon_deg"], fields["lat_deg"] = str(place[0]), str(place[1])
    return fields
