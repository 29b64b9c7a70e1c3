"""A flight as files of other programs: GPX, GeoJSON, KML and CSV; what was not known is left out of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from xml.etree import ElementTree as ET

from core.drones.model import Drone, Flight, TrackPoint
from core.kernel.clock import format_at
from core.kernel.zone import to_site

_GPX = "http://www.topografix.com/GPX/1/1"
_KML = "http://www.opengis.net/kml/2.2"
_GX = "http://www.google.com/kml/ext/2.2"
_COLUMNS = (
    "at",
    "latitude_deg",
    "longitude_deg",
    "altitude_amsl_m",
    "altitude_home_m",
    "ground_speed_mps",
    "heading_deg",
    "battery_percent",
)


class ExportFormat(StrEnum):
    """What a flight can be written as."""

    GPX = "gpx"
    GEOJSON = "geojson"
    KML = "kml"
    CSV = "csv"
    TLOG = "tlog"
    """The bytes as they came, where they are kept."""


Track = Sequence[TrackPoint]


def write_gpx(flight: Flight, name: str, track: Track) -> bytes:
    """Return GPX 1.1."""
    root = ET.Element(f"{{{_GPX}}}gpx", {"version": "1.1", "creator": "Watchfloor"})
    line = ET.SubElement(root, f"{{{_GPX}}}trk")
    ET.SubElement(line, f"{{{_GPX}}}name").text = f"{name} {format_at(flight.began_at)}"
    segment = ET.SubElement(line, f"{{{_GPX}}}trkseg")
    for point in track:
        place = {"lat": f"{point.point.lat_deg:.7f}", "lon": f"{point.point.lon_deg:.7f}"}
        entry = ET.SubElement(segment, f"{{{_GPX}}}trkpt", place)
        if point.altitude_amsl_m is not None:
            ET.SubElement(entry, f"{{{_GPX}}}ele").text = f"{point.altitude_amsl_m:.2f}"
        ET.SubElement(entry, f"{{{_GPX}}}time").text = format_at(point.at)
    return _xml(root, {"": _GPX})


def write_kml(flight: Flight, name: str, track: Track) -> bytes:
    """Return KML 2.2 with the times of its track."""
    root = ET.Element(f"{{{_KML}}}kml")
    mark = ET.SubElement(ET.SubElement(root, f"{{{_KML}}}Document"), f"{{{_KML}}}Placemark")
    ET.SubElement(mark, f"{{{_KML}}}name").text = f"{name} {format_at(flight.began_at)}"
    line = ET.SubElement(mark, f"{{{_GX}}}Track")
    has_height = all(point.altitude_amsl_m is not None for point in track)
    ET.SubElement(line, f"{{{_KML}}}altitudeMode").text = "absolute" if has_height else "clampToGround"
    for point in track:
        ET.SubElement(line, f"{{{_KML}}}when").text = format_at(point.at)
    for point in track:
        height = f"{point.altitude_amsl_m:.2f}" if has_height else "0"
        ET.SubElement(line, f"{{{_GX}}}coord").text = f"{point.point.lon_deg:.7f} {point.point.lat_deg:.7f} {height}"
    return _xml(root, {"": _KML, "gx": _GX})


def write_geojson(flight: Flight, name: str, track: Track) -> bytes:
    """Return one feature (RFC 7946); its figures stand beside each other, null where they were not known."""
    has_height = all(point.altitude_amsl_m is not None for point in track)
    places = [
        [point.point.lon_deg, point.point.lat_deg, *([point.altitude_amsl_m] if has_height else [])] for point in track
    ]
    feature = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": places} if len(places) > 1 else None,
        "properties": {
            "drone": flight.drone_id,
            "name": name,
            "flight": flight.flight_id,
            "began_at": format_at(flight.began_at),
            "ended_at": None if flight.ended_at is None else format_at(flight.ended_at),
            "distance_m": round(flight.distance_m, 1),
            "max_height_m": flight.max_height_m,
            "battery_used_percent": flight.battery_used_percent,
            "times": [format_at(point.at) for point in track],
            **{
                key: [getattr(point, key) for point in track]
                for key in ("altitude_home_m", "ground_speed_mps", "heading_deg", "battery_percent")
            },
        },
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}, indent=1).encode()


def write_csv(_flight: Flight, _name: str, track: Track) -> bytes:
    """Return one line for each point; an empty field was not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for point in track:
        figures = (getattr(point, key) for key in _COLUMNS[3:])
        place = (f"{point.point.lat_deg:.7f}", f"{point.point.lon_deg:.7f}")
        writer.writerow((format_at(point.at), *place, *("" if one is None else f"{one:.3f}" for one in figures)))
    return text.getvalue().encode()


WRITERS: dict[ExportFormat, Callable[[Flight, str, Track], bytes]] = {
    ExportFormat.GPX: write_gpx,
    ExportFormat.KML: write_kml,
    ExportFormat.GEOJSON: write_geojson,
    ExportFormat.CSV: write_csv,
}


def file_name(drone: Drone | None, flight: Flight, kind: ExportFormat) -> str:
    """Return how a file is called, of letters that every system takes."""
    name = drone.name if drone is not None else flight.drone_id
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    return f"{plain}-{to_site(flight.began_at):%Y%m%d-%H%M%S}.{kind}"


def _xml(root: ET.Element, spaces: dict[str, str]) -> bytes:
    for prefix, space in spaces.items():
        ET.register_namespace(prefix, space)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
