"""Draw the demo city's map: `python app/make/basemap.py` writes resources/basemap/marenholm.mbtiles.

Dark and nearly without colour, so that nothing on the map competes with an alarm. Needs Pillow (for small PNG files)
and no display. `--picture FILE --zoom N` saves one zoom level as a single picture instead, to look at.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import math
import os
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QGuiApplication,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
    QTransform,
)

HERE = Path(__file__).resolve().parents[2] / "resources"
CITY = HERE / "demo" / "city.json"
OUT = HERE / "basemap" / "marenholm.mbtiles"
TILE_PX = 256
N_COLOURS = 96
ZOOMS = range(11, 18)
EXTENT_M = {11: 22_000, 12: 16_000, 13: 11_000, 14: 7_600, 15: 5_400, 16: 3_300, 17: 2_350}
"""How far the map reaches from the centre, by zoom."""

FONTS = ("Inter", "IBM Plex Sans", "Noto Sans", "DejaVu Sans")

SEA, SHALLOW = "#0E1419", ("#10171D", "#121A21", "#151F27")
COLOURS = {
    "land": "#22282D",
    "beach": "#323635",
    "forest": "#202C28",
    "park": "#24322D",
    "basin": "#151F27",
    "river": "#151F27",
    "pier": "#2B3238",
    "square": "#3A424A",
    "block": "#2B3238",
    "industry": "#292F35",
    "lot": "#333B42",
    "station": "#3A434B",
}
URBAN = "#262C32"
BUILDING, BUILDING_EDGE = ("#363E45", "#3A4249", "#3F474F"), "#4A545C"
CASING, SHORE = "#191E23", "#36424B"
WAYS = {
    # class: colour, width [m], smallest width [px], first zoom
    "street": ("#424B53", 9.0, 0.8, 14),
    "country": ("#46505A", 11.0, 1.1, 12),
    "link": ("#58636D", 10.0, 0.9, 13),
    "main": ("#56616B", 16.0, 1.1, 12),
    "ring": ("#68747F", 20.0, 1.6, 11),
    "motorway": ("#7B8894", 28.0, 2.0, 11),
}
RAIL, TRAM = "#5A646D", "#8794A0"
TEXT, TEXT_DIM, TEXT_WATER, TEXT_GREEN, HALO = "#D2D8DE", "#A9B3BC", "#67808F", "#84998D", "#14191D"

Pixels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """One zoom level as one picture, cut at tile borders.

    Attributes:
        column, row: Of its first tile, counted from the north west.
    """

    zoom: int
    column: int
    row: int
    n_columns: int
    n_rows: int
    meters_per_px: float

    def at(self, line: Sequence[Sequence[float]]) -> Pixels:
        """Project latitudes and longitudes to pixels of this picture, shape (n, 2)."""
        degrees = np.asarray(line, float).reshape(-1, 2)
        scale = TILE_PX * 2**self.zoom
        x = (degrees[:, 1] + 180) / 360 * scale - self.column * TILE_PX
        lat = np.radians(degrees[:, 0])
        y = (1 - np.log(np.tan(math.pi / 4 + lat / 2)) / math.pi) / 2 * scale - self.row * TILE_PX
        return np.stack([x, y], axis=1)


def make_view(zoom: int, center: dict[str, float]) -> View:
    """Choose the tiles that cover the city's surroundings."""
    lat, lon = math.radians(center["lat_deg"]), center["lon_deg"]
    n_tiles = 2**zoom
    tile_m = 40_075_016.686 * math.cos(lat) / n_tiles
    reach = EXTENT_M[zoom] / tile_m
    x = (lon + 180) / 360 * n_tiles
    # The island lies to the north of the centre.
    y = (1 - math.log(math.tan(math.pi / 4 + lat / 2)) / math.pi) / 2 * n_tiles - min(
        1200, EXTENT_M[zoom] / 30
    ) / tile_m
    column, row = math.floor(x - reach), math.floor(y - reach * 0.86)
    return View(zoom, column, row, math.ceil(x + reach) - column, math.ceil(y + reach * 0.86) - row, tile_m / TILE_PX)


def polygon(points: Pixels) -> QPolygonF:
    """Build a Qt polygon."""
    return QPolygonF([QPointF(x, y) for x, y in points])


def line_path(points: Pixels) -> QPainterPath:
    """Build an open path."""
    path = QPainterPath(QPointF(*points[0]))
    for x, y in points[1:]:
        path.lineTo(x, y)
    return path


def pen(colour: str, width_px: float, *, cap: Qt.PenCapStyle = Qt.PenCapStyle.RoundCap) -> QPen:
    """Build a pen with round joints."""
    return QPen(QColor(colour), width_px, Qt.PenStyle.SolidLine, cap, Qt.PenJoinStyle.RoundJoin)


class Labels:
    """Writes names where there is room; the first one written wins."""

    def __init__(self, painter: QPainter, view: View, family: str) -> None:
        """Start with an empty map."""
        self._painter = painter
        self._view = view
        self._family = family
        self._taken: list[QRectF] = []

    def font(self, size_px: float, *, weight: QFont.Weight = QFont.Weight.Medium, spaced: float = 0.0) -> QFont:
        """Build a font; `spaced` widens the gaps between letters [px]."""
        font = QFont(self._family)
        font.setPixelSize(round(size_px))
        font.setWeight(weight)
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        if spaced:
            font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, spaced)
        return font

    def write_at(self, text: str, center: Pixels, font: QFont, colour: str, *, halo_px: float = 3.0) -> bool:
        """Write level text around a point; False where there was no room."""
        metrics = QFontMetricsF(font)
        width, height = metrics.horizontalAdvance(text), metrics.height()
        box = QRectF(center[0] - width / 2 - 4, center[1] - height / 2 - 2, width + 8, height + 4)
        if self._is_taken(box):
            return False
        self._taken.append(box)
        path = QPainterPath()
        path.addText(center[0] - width / 2, center[1] + metrics.capHeight() / 2, font, text)
        self._draw(path, colour, halo_px)
        return True

    def write_along(self, text: str, line: Pixels, font: QFont, colour: str, *, every_px: float) -> None:
        """Write text on a line, again and again, where the line is straight enough."""
        steps = np.hypot(*np.diff(line, axis=0).T)
        along = np.concatenate([[0], np.cumsum(steps)])
        metrics = QFontMetricsF(font)
        length = metrics.horizontalAdvance(text)
        n_labels = max(1, int(along[-1] // every_px))
        for n in range(n_labels):
            middle = along[-1] * (n + 0.5) / n_labels
            for shift in (0, 0.12, -0.12, 0.24, -0.24, 0.36, -0.36):
                if self._try_along(text, line, along, middle + shift * along[-1] / n_labels - length / 2, font, colour):
                    break

    def shield(self, text: str, center: Pixels) -> None:
        """Write a road number on a plate."""
        font = self.font(11, weight=QFont.Weight.DemiBold)
        metrics = QFontMetricsF(font)
        width = metrics.horizontalAdvance(text) + 10
        box = QRectF(center[0] - width / 2, center[1] - 8, width, 16)
        if self._is_taken(box.adjusted(-30, -30, 30, 30)):
            return
        self._taken.append(box)
        self._painter.setPen(pen("#7C8791", 1))
        self._painter.setBrush(QColor("#262C32"))
        self._painter.drawRoundedRect(box, 3, 3)
        path = QPainterPath()
        path.addText(center[0] - width / 2 + 5, center[1] + metrics.capHeight() / 2, font, text)
        self._painter.fillPath(path, QColor(TEXT))

    def _try_along(self, text: str, line: Pixels, along: Pixels, start: float, font: QFont, colour: str) -> bool:
        metrics = QFontMetricsF(font)
        length = metrics.horizontalAdvance(text)
        if start < 6 or start + length > along[-1] - 6:
            return False
        ends = np.array([self._point(line, along, at) for at in (start, start + length)])
        if ends[0, 0] > ends[1, 0]:
            line, start = line[::-1], along[-1] - start - length
            along = along[-1] - along[::-1]
        path, boxes, last_angle = QPainterPath(), [], None
        at = start
        for letter in text:
            advance = metrics.horizontalAdvance(letter)
            here, before, after = (self._point(line, along, at + d) for d in (advance / 2, -2, advance + 2))
            angle = math.degrees(math.atan2(after[1] - before[1], after[0] - before[0]))
            if last_angle is not None and abs((angle - last_angle + 180) % 360 - 180) > 14:
                return False
            last_angle = angle
            glyph = QPainterPath()
            glyph.addText(-advance / 2, metrics.capHeight() / 2, font, letter)
            path.addPath(QTransform().translate(here[0], here[1]).rotate(angle).map(glyph))
            size = metrics.height() * 0.62
            boxes.append(QRectF(here[0] - size, here[1] - size, 2 * size, 2 * size))
            at += advance
        if any(self._is_taken(box) for box in boxes):
            return False
        self._taken += boxes
        self._draw(path, colour, 3.0)
        return True

    def _point(self, line: Pixels, along: Pixels, at: float) -> Pixels:
        return np.array([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])])

    def _is_taken(self, box: QRectF) -> bool:
        return any(box.intersects(other) for other in self._taken)

    def _draw(self, path: QPainterPath, colour: str, halo_px: float) -> None:
        if halo_px:
            self._painter.strokePath(path, pen(HALO, halo_px))
        self._painter.fillPath(path, QColor(colour))


def draw_map(city: dict[str, Any], view: View, family: str) -> QImage:
    """Draw one zoom level."""
    image = QImage(view.n_columns * TILE_PX, view.n_rows * TILE_PX, QImage.Format.Format_RGB32)
    image.fill(QColor(SEA))
    with QPainter(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        areas = [(area["area_class"], area["name"], view.at(area["outline"])) for area in city["areas"]]
        roads = [(road["road_class"], road["name"], view.at(road["line"])) for road in city["roads"]]
        draw_areas(painter, view, areas)
        draw_buildings(painter, view, areas)
        draw_roads(painter, view, roads)
        draw_bays(painter, view, city)
        draw_names(Labels(painter, view, family), view, city, areas, roads)
    return image


def draw_areas(painter: QPainter, view: View, areas: list[tuple[str, str, Pixels]]) -> None:
    """Draw what covers the ground."""
    by_class: dict[str, list[QPolygonF]] = {}
    for kind, _name, points in areas:
        by_class.setdefault(kind, []).append(polygon(points))
    coast = by_class["land"][0]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, reach_m in zip(SHALLOW, (900, 480, 180), strict=True):
        painter.setPen(pen(colour, 2 * reach_m / view.meters_per_px))
        painter.drawPolygon(coast)
    painter.setPen(Qt.PenStyle.NoPen)
    for kind in ("land", "beach", "forest"):
        fill(painter, by_class.get(kind, ()), COLOURS[kind])
    # The city's ground shows between the blocks as pavement.
    painter.setPen(pen(URBAN, 44 / view.meters_per_px))
    painter.setBrush(QColor(URBAN))
    for each in (*by_class["block"], *by_class["industry"]):
        painter.drawPolygon(each)
    painter.setPen(Qt.PenStyle.NoPen)
    for kind in ("park", "block", "industry", "square", "lot", "station"):
        fill(painter, by_class.get(kind, ()), COLOURS[kind])
    for kind in ("river", "basin"):
        fill(painter, by_class[kind], COLOURS[kind])
        if view.zoom >= 14:
            painter.setPen(pen(SHORE, 1.0 if view.zoom < 16 else 1.8))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for each in by_class[kind]:
                # Open from the last corner to the first: there a basin meets the sea.
                painter.drawPolyline(each)
    # No quay across the river's mouth.
    fill(painter, by_class["river"], COLOURS["river"])
    fill(painter, by_class["pier"], COLOURS["pier"])


def fill(painter: QPainter, polygons: Sequence[QPolygonF], colour: str) -> None:
    """Fill polygons without an outline."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    for each in polygons:
        painter.drawPolygon(each)


def draw_buildings(painter: QPainter, view: View, areas: list[tuple[str, str, Pixels]]) -> None:
    """Draw houses along the edges of the blocks, halls in the industry."""
    if view.zoom < 15:
        return
    rng = random.Random(20_262)
    painter.setPen(pen(BUILDING_EDGE, 0.8) if view.zoom >= 17 else Qt.PenStyle.NoPen)
    for kind, _name, corners in areas:
        if kind not in ("block", "industry") or len(corners) != 4:
            continue
        # Drawn from the same numbers at every zoom, whether shown or not.
        for footprint in houses(corners, view, rng) if kind == "block" else halls(corners, rng):
            painter.setBrush(QColor(rng.choice(BUILDING)))
            painter.drawPolygon(polygon(footprint))


def patch(corners: Pixels, s0: float, s1: float, t0: float, t1: float) -> Pixels:
    """Return a part of a four-cornered block by fractions of its sides."""
    a, b, c, d = corners
    return np.array(
        [
            a * (1 - s) * (1 - t) + b * s * (1 - t) + c * s * t + d * (1 - s) * t
            for s, t in ((s0, t0), (s1, t0), (s1, t1), (s0, t1))
        ]
    )


def houses(corners: Pixels, view: View, rng: random.Random) -> Iterator[Pixels]:
    """Yield houses in rows along all four sides, a yard between them."""
    length_m = float(np.hypot(*(corners[1] - corners[0]))) * view.meters_per_px
    width_m = float(np.hypot(*(corners[3] - corners[0]))) * view.meters_per_px
    deep_t, deep_s = min(0.36, 13.0 / max(width_m, 1)), min(0.3, 12.0 / max(length_m, 1))
    edge_s, edge_t = 2.5 / max(length_m, 1), 2.5 / max(width_m, 1)
    n_houses = max(2, round(length_m / rng.uniform(13, 22)))
    for is_far in (False, True):
        cuts = [edge_s + (1 - 2 * edge_s) * k / n_houses for k in range(n_houses + 1)]
        for s0, s1 in itertools.pairwise(cuts):
            depth = deep_t * rng.uniform(0.78, 1.15)
            gap = 0.0 if rng.random() < 0.7 else (s1 - s0) * 0.18
            if rng.random() > 0.06:
                near = edge_t + rng.choice((0.0, 0.0, 0.02))
                t0, t1 = (1 - near - depth, 1 - near) if is_far else (near, near + depth)
                yield patch(corners, s0, s1 - gap, t0, t1)
    n_side = max(1, round((width_m * (1 - 2 * deep_t) - 10) / 17))
    for is_far in (False, True):
        for k in range(n_side):
            t0 = deep_t + 0.07 + (1 - 2 * deep_t - 0.14) * k / n_side
            t1 = t0 + (1 - 2 * deep_t - 0.14) / n_side * 0.88
            if rng.random() < 0.72 and t1 > t0:
                depth = deep_s * rng.uniform(0.7, 1.05)
                s0, s1 = (1 - edge_s - depth, 1 - edge_s) if is_far else (edge_s, edge_s + depth)
                yield patch(corners, s0, s1, t0, t1)


def halls(corners: Pixels, rng: random.Random) -> Iterator[Pixels]:
    """Yield one to three large halls."""
    cuts = [0.08, rng.uniform(0.42, 0.58), 0.92]
    for s0, s1 in itertools.pairwise(cuts):
        if rng.random() < 0.85:
            yield patch(corners, s0, s1 - 0.05, rng.uniform(0.08, 0.2), rng.uniform(0.68, 0.9))


def draw_roads(painter: QPainter, view: View, roads: list[tuple[str, str, Pixels]]) -> None:
    """Draw all casings, then all surfaces, the greater roads last; then the tracks."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    shown = [kind for kind, (_c, _w, _m, first_zoom) in WAYS.items() if view.zoom >= first_zoom]
    for kind in shown:
        colour, width_m, min_px, _first = WAYS[kind]
        width_px = max(min_px, width_m / view.meters_per_px)
        lines = [(name, line_path(points)) for way, name, points in roads if way == kind]
        alley_px = max(0.6, 4.5 / view.meters_per_px)
        if width_px > 2.2:
            for name, path in lines:
                painter.strokePath(path, pen(CASING, (width_px if name or kind != "street" else alley_px) + 1.8))
        for name, path in lines:
            is_alley = kind == "street" and not name
            if not is_alley or view.zoom >= 16:
                painter.strokePath(path, pen(colour, alley_px if is_alley else width_px))
        if kind == "motorway" and view.zoom >= 15:
            for _name, path in lines:
                painter.strokePath(path, pen(CASING, max(1.0, 2.4 / view.meters_per_px)))
        if kind in ("ring", "main") and view.zoom >= 17:
            marking = pen("#828E99", 1.1, cap=Qt.PenCapStyle.FlatCap)
            marking.setDashPattern([9, 9])
            for _name, path in lines:
                painter.strokePath(path, marking)
    if view.zoom >= 13:
        draw_tracks(painter, view, roads)


def draw_tracks(painter: QPainter, view: View, roads: list[tuple[str, str, Pixels]]) -> None:
    """Draw railway and tram."""
    for kind, _name, points in roads:
        path = line_path(points)
        if kind == "rail":
            painter.strokePath(path, pen(RAIL, 2.0 if view.zoom >= 15 else 1.3, cap=Qt.PenCapStyle.FlatCap))
            sleepers = pen(COLOURS["land"], 1.0 if view.zoom >= 15 else 0.6, cap=Qt.PenCapStyle.FlatCap)
            sleepers.setDashPattern([7, 7])
            painter.strokePath(path, sleepers)
        elif kind == "tram" and view.zoom >= 14:
            painter.strokePath(path, pen(TRAM, {14: 0.9, 15: 1.1, 16: 1.5, 17: 2.0}[view.zoom]))


def draw_bays(painter: QPainter, view: View, city: dict[str, Any]) -> None:
    """Draw the lots with the lines between their bays."""
    if view.zoom < 16:
        return
    painter.setBrush(QColor("#2B3137"))
    for lot in city["lots"]:
        painter.setPen(pen("#5A646D", 1.0))
        painter.drawPolygon(polygon(view.at(lot["outline"])))
        painter.setPen(pen("#78838C", 0.8 if view.zoom >= 17 else 0.4))
        for bay in lot["bays"]:
            painter.drawPolygon(polygon(view.at(bay["outline"])))


def draw_names(
    labels: Labels,
    view: View,
    city: dict[str, Any],
    areas: list[tuple[str, str, Pixels]],
    roads: list[tuple[str, str, Pixels]],
) -> None:
    """Write names, the important ones first."""
    zoom = view.zoom
    places = [(each["kind"], each["name"], view.at([list(each["position"].values())])[0]) for each in city["places"]]
    for kind, name, at in places:
        if kind == "city" and zoom <= 13:
            labels.write_at(name, at, labels.font(13 + 3 * (zoom - 10), weight=QFont.Weight.DemiBold), TEXT)
        elif kind == "village" and 12 <= zoom <= 16:
            labels.write_at(name, at, labels.font(12), TEXT_DIM)
        elif kind == "water" and zoom >= 11 and (zoom <= 15 or name == "Marenholm Bay"):
            labels.write_at(name, at, labels.font(12 + max(0, zoom - 12), spaced=2.5), TEXT_WATER, halo_px=0)
    for kind, name, at in places:
        if kind == "district" and 13 < zoom <= 16:
            font = labels.font(11 if zoom == 14 else 13, weight=QFont.Weight.DemiBold, spaced=1.6)
            labels.write_at(name.upper(), at, font, TEXT_DIM if zoom >= 16 else TEXT)
    for kind, name, points in areas:
        if (
            name
            and kind in ("park", "forest", "square", "station", "basin")
            and zoom >= (16 if kind == "square" else 15)
        ):
            colour = {"park": TEXT_GREEN, "forest": TEXT_GREEN, "basin": TEXT_WATER}.get(kind, TEXT_DIM)
            labels.write_at(name, points.mean(axis=0), labels.font(11 if zoom < 17 else 12), colour, halo_px=2.0)
    write_road_names(labels, zoom, roads)


def write_road_names(labels: Labels, zoom: int, roads: list[tuple[str, str, Pixels]]) -> None:
    """Write the names of roads on them."""
    sizes = {"ring": (14, 11.5), "main": (15, 11.5), "country": (15, 11.0), "tram": (16, 10.0), "street": (16, 10.5)}
    for kind, name, points in roads:
        if kind == "motorway" and zoom >= 12:
            for share in (0.14, 0.32, 0.5, 0.68, 0.86) if zoom >= 14 else (0.25, 0.75):
                labels.shield(name, points[int(len(points) * share)])
    for kind, (first_zoom, size_px) in sizes.items():
        if zoom < first_zoom or kind == "tram":
            continue
        colour = TEXT if kind in ("ring", "main") else TEXT_DIM
        font = labels.font(size_px + (1.5 if zoom >= 17 else 0))
        for way, name, points in roads:
            if way == kind and name:
                labels.write_along(name, points, font, colour, every_px=620 if kind == "street" else 760)


def cut_tiles(image: QImage, view: View) -> Iterator[tuple[int, int, bytes]]:
    """Yield column, row from the south (TMS) and PNG of every tile, all with colours of one palette."""
    rgb = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[:, :, 2::-1]
    whole = Image.fromarray(np.ascontiguousarray(rgb)).quantize(
        N_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    palette = np.array(whole.getpalette(), np.uint8).reshape(-1, 3)
    indices = np.asarray(whole)
    for row in range(view.n_rows):
        for column in range(view.n_columns):
            top, left = row * TILE_PX, column * TILE_PX
            used, small = np.unique(indices[top : top + TILE_PX, left : left + TILE_PX], return_inverse=True)
            tile = Image.fromarray(small.reshape(TILE_PX, TILE_PX).astype(np.uint8), "P")
            tile.putpalette(palette[used].tobytes())
            file = io.BytesIO()
            tile.save(file, "PNG", optimize=True, bits=next(bits for bits in (1, 2, 4, 8) if len(used) <= 2**bits))
            yield view.column + column, 2**view.zoom - 1 - (view.row + row), file.getvalue()


def write_mbtiles(city: dict[str, Any], family: str) -> None:
    """Write the file anew (MBTiles 1.3)."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.unlink(missing_ok=True)
    database = sqlite3.connect(OUT)
    database.executescript(
        "PRAGMA application_id = 0x4d504258; PRAGMA page_size = 4096; PRAGMA journal_mode = DELETE;"
        "CREATE TABLE metadata (name TEXT, value TEXT);"
        "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);"
    )
    south, west, north, east = city["bounds"]
    center = city["center"]
    metadata = {
        "name": city["name"],
        "format": "png",
        "bounds": f"{west},{south},{east},{north}",
        "center": f"{center['lon_deg']},{center['lat_deg']},14",
        "minzoom": str(ZOOMS[0]),
        "maxzoom": str(ZOOMS[-1]),
        "type": "baselayer",
        "version": "1.0",
        "description": "The demo city: an invented place.",
        "attribution": "Marenholm is invented; drawn by Watchfloor",
    }
    database.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
    for zoom in ZOOMS:
        view = make_view(zoom, center)
        image = draw_map(city, view, family)
        rows = ((zoom, column, row, png) for column, row, png in cut_tiles(image, view))
        database.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    database.execute("CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)")
    database.commit()
    database.execute("VACUUM")
    database.close()


def main() -> None:
    """Write the map, or one picture of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--zoom", type=int, choices=ZOOMS, default=14)
    options = parser.parse_args()
    _application = QGuiApplication([])
    families = set(QFontDatabase.families())
    for file in sorted((HERE / "fonts").glob("*.ttf")):
        families.update(QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(str(file))))
    family = next((name for name in FONTS if name in families), "Sans Serif")
    city = json.loads(CITY.read_text(encoding="utf-8"))
    if options.picture:
        draw_map(city, make_view(options.zoom, city["center"]), family).save(str(options.picture))
    else:
        write_mbtiles(city, family)


if __name__ == "__main__":
    main()
