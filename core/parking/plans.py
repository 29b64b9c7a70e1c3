"""Lots made of rows: for what nobody drew bay by bay, and for the demonstration, tests and benchmarks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.kernel.geo import EARTH_RADIUS_M, GeoPoint
from core.parking.model import Bay, BayKind, Level, Lot, Outline, Point, Surrounding, SurroundingKind

BAY_WIDTH_M = 2.5
BAY_LENGTH_M = 5.0
LANE_WIDTH_M = 6.0
ACCESSIBLE_WIDTH_M = 3.5
STOREY_M = 3.0
"""Usual measures of a car park (EAR 05, BS 8300); a drawn lot has its own."""

_MARGIN_M = 3.0
_RAMP_LENGTH_M = 16.0
_RAMP_WIDTH_M = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Bays side by side, all driven into from one lane.

    Attributes:
        start: Where the row begins on the lane's edge [m].
        direction_deg: The way the row runs along the lane, counter-clockwise from the plan's x axis; the bays lie to
            its left.
        width_m: Of a bay, across the way one drives in.
        length_m: Of a bay, along it.
        slant_deg: Between lane and bay; 90 is square to the lane.
        kinds: By index in the row; the others are standard. An accessible bay is as wide as one needs.
        prefix: Of every label.
        first_number: Of the first label.
    """

    start: Point
    direction_deg: float = 0.0
    n_bays: int
    width_m: float = BAY_WIDTH_M
    length_m: float = BAY_LENGTH_M
    slant_deg: float = 90.0
    kinds: Mapping[int, BayKind] = field(default_factory=dict)
    zone: str = ""
    level: int = 0
    prefix: str = ""
    first_number: int = 1


def bays_of(row: Row) -> tuple[Bay, ...]:
    """Return the bays of a row; the first two corners of each outline lie on the lane.

    Raises:
        ValueError: The row has no bays, or bays without extent.
    """
    if row.n_bays < 1 or row.width_m <= 0.0 or row.length_m <= 0.0 or not 20.0 <= row.slant_deg <= 160.0:
        raise ValueError("a row needs bays, and each of them a width, a length and a slant of 20 to 160 degrees")
    return tuple(_bays(row))


def _bays(row: Row) -> Iterator[Bay]:
    along = _unit(row.direction_deg)
    inward = _unit(row.direction_deg + row.slant_deg)
    # Seen from the lane, a slanted bay takes more of it than it is wide.
    stretch = 1.0 / math.sin(math.radians(row.slant_deg))
    begin_m = 0.0
    digits = len(str(row.first_number + row.n_bays - 1))
    for index in range(row.n_bays):
        kind = row.kinds.get(index, BayKind.STANDARD)
        width_m = max(row.width_m, ACCESSIBLE_WIDTH_M) if kind is BayKind.ACCESSIBLE else row.width_m
        end_m = begin_m + width_m * stretch
        near, far = _along(row.start, along, begin_m), _along(row.start, along, end_m)
        label = f"{row.prefix}{row.first_number + index:0{max(2, digits)}d}"
        yield Bay(
            bay_id=label,
            label=label,
            kind=kind,
            zone=row.zone,
            level=row.level,
            outline=(near, far, _along(far, inward, row.length_m), _along(near, inward, row.length_m)),
        )
        begin_m = end_m


def open_lot(lot_id: str, name: str, *, n_bays: int, bays_per_row: int = 25, position: GeoPoint | None = None) -> Lot:
    """Return a lot on one level: lanes with a row on either side, some bays of every kind, a kiosk and a hedge.

    Every lane is a zone: A, B, … Bays are numbered in their zone.
    """
    bays = tuple(_filled(n_bays, bays_per_row, level=0))
    lanes = tuple(_lanes(bays, bays_per_row, level=0))
    return Lot(
        lot_id=lot_id,
        name=name,
        position=position,
        levels=(Level(number=0, name="Ground"),),
        bays=bays,
        surroundings=(*lanes, *_around(bays, lanes)),
    )


def garage(
    lot_id: str,
    name: str,
    *,
    n_levels: int,
    bays_per_level: int,
    bays_per_row: int = 20,
    position: GeoPoint | None = None,
) -> Lot:
    """Return a lot of several levels above each other, joined by ramps; zones are those of `open_lot`, by level."""
    levels = tuple(
        Level(number=number, name=f"Level {number}" if number else "Ground", height_m=STOREY_M * number)
        for number in range(n_levels)
    )
    bays: list[Bay] = []
    surroundings: list[Surrounding] = []
    for level in levels:
        here = tuple(_filled(bays_per_level, bays_per_row, level=level.number))
        bays += [replace(bay, bay_id=f"{level.number}{bay.bay_id}", label=f"{level.number}{bay.label}") for bay in here]
        surroundings += _lanes(here, bays_per_row, level=level.number)
    _, _, east_m, north_m = _extent(bays)
    for level in levels[:-1]:
        surroundings.append(_ramp(east_m, north_m, level.number))
    surroundings += _green(bays, beside_m=_RAMP_WIDTH_M + 2.0)
    return Lot(
        lot_id=lot_id,
        name=name,
        position=position,
        levels=levels,
        bays=tuple(bays),
        surroundings=tuple(surroundings),
    )


def on_plan(point: GeoPoint, origin: GeoPoint, bearing_deg: float = 0.0) -> Point:
    """Return where a place lies on the plan of a lot at `origin` [m]; right to centimetres within a kilometre.

    The plan's y axis points to `bearing_deg`, clockwise from north.
    """
    east_m = math.radians(point.lon_deg - origin.lon_deg) * EARTH_RADIUS_M * math.cos(math.radians(origin.lat_deg))
    north_m = math.radians(point.lat_deg - origin.lat_deg) * EARTH_RADIUS_M
    cos, sin = math.cos(math.radians(bearing_deg)), math.sin(math.radians(bearing_deg))
    return (east_m * cos - north_m * sin, east_m * sin + north_m * cos)


def on_ground(point: Point, origin: GeoPoint, bearing_deg: float = 0.0) -> GeoPoint:
    """Invert `on_plan`."""
    cos, sin = math.cos(math.radians(bearing_deg)), math.sin(math.radians(bearing_deg))
    east_m, north_m = point[0] * cos + point[1] * sin, -point[0] * sin + point[1] * cos
    lat_deg = origin.lat_deg + math.degrees(north_m / EARTH_RADIUS_M)
    metres = EARTH_RADIUS_M * math.cos(math.radians(origin.lat_deg))
    return GeoPoint(lat_deg, origin.lon_deg + math.degrees(east_m / metres))


def _filled(n_bays: int, bays_per_row: int, *, level: int) -> Iterator[Bay]:
    """Yield rows on both sides of as many lanes as it takes."""
    pitch_m = LANE_WIDTH_M + 2 * BAY_LENGTH_M
    in_zone = 1
    for number in range(math.ceil(n_bays / bays_per_row)):
        lane, is_upper = divmod(number, 2)
        n_here = min(bays_per_row, n_bays - number * bays_per_row)
        in_zone = in_zone if is_upper else 1
        zone = _letters(lane)
        length_m = bays_per_row * BAY_WIDTH_M
        start = (0.0, lane * pitch_m + LANE_WIDTH_M) if is_upper else (length_m, lane * pitch_m)
        row = Row(
            start=start,
            direction_deg=0.0 if is_upper else 180.0,
            n_bays=n_here,
            kinds=_kinds(number, n_here),
            zone=zone,
            level=level,
            prefix=zone,
            first_number=in_zone,
        )
        yield from bays_of(row)
        in_zone += n_here


def _kinds(row: int, n_bays: int) -> dict[int, BayKind]:
    """Return a mix as one finds it: accessible bays at the entrance, chargers and loading in the first rows."""
    wanted: dict[int, BayKind] = {}
    if row == 0:
        wanted = {0: BayKind.ACCESSIBLE, 1: BayKind.ACCESSIBLE, 2: BayKind.LOADING}
    elif row == 1:
        wanted = dict.fromkeys(range(4), BayKind.EV)
    elif row % 4 == 2:
        wanted = dict.fromkeys(range(3), BayKind.RESERVED)
    return {index: kind for index, kind in wanted.items() if index < n_bays}


def _lanes(bays: Sequence[Bay], bays_per_row: int, *, level: int) -> Iterator[Surrounding]:
    zones = sorted({bay.zone for bay in bays}, key=lambda zone: (len(zone), zone))
    length_m = bays_per_row * BAY_WIDTH_M
    for number, _ in enumerate(zones):
        low_m = number * (LANE_WIDTH_M + 2 * BAY_LENGTH_M)
        outline = _rectangle(-_MARGIN_M, low_m, length_m + _MARGIN_M, low_m + LANE_WIDTH_M)
        yield Surrounding(kind=SurroundingKind.LANE, outline=outline, level=level)


def _around(bays: Sequence[Bay], lanes: Sequence[Surrounding]) -> Iterator[Surrounding]:
    west_m, south_m, east_m, north_m = _extent(bays)
    north_m = max([north_m, *(y for lane in lanes for _, y in lane.outline)])
    yield from _green(bays, beside_m=0.0)
    yield Surrounding(
        kind=SurroundingKind.BUILDING,
        outline=_rectangle(east_m + 5.0, south_m, east_m + 17.0, south_m + 22.0),
        height_m=9.0,
    )
    yield Surrounding(
        kind=SurroundingKind.WALL,
        outline=_rectangle(west_m - _MARGIN_M, north_m + 1.5, east_m + _MARGIN_M, north_m + 1.8),
        height_m=1.0,
    )


def _green(bays: Sequence[Bay], *, beside_m: float) -> Iterator[Surrounding]:
    west_m, south_m, east_m, _ = _extent(bays)
    low_m, high_m = south_m - 8.0, south_m - 2.5
    yield Surrounding(
        kind=SurroundingKind.GREEN, outline=_rectangle(west_m - 6.0, low_m, east_m + 6.0 + beside_m, high_m)
    )


def _ramp(east_m: float, north_m: float, level: int) -> Surrounding:
    """Return a ramp beside the rows that rises from one level to the next."""
    x, y = east_m + 1.0, 0.0 if level % 2 == 0 else north_m - _RAMP_LENGTH_M
    return Surrounding(
        kind=SurroundingKind.RAMP,
        outline=_rectangle(x, y, x + _RAMP_WIDTH_M, y + _RAMP_LENGTH_M),
        height_m=STOREY_M,
        level=level,
    )


def _extent(bays: Iterable[Bay]) -> tuple[float, float, float, float]:
    corners = [corner for bay in bays for corner in bay.outline]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _rectangle(west_m: float, south_m: float, east_m: float, north_m: float) -> Outline:
    return ((west_m, south_m), (east_m, south_m), (east_m, north_m), (west_m, north_m))


def _letters(number: int) -> str:
    """Return A to Z, then AA, AB and so on, counted from 0."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _unit(angle_deg: float) -> Point:
    return (math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg)))


def _along(start: Point, way: Point, length_m: float) -> Point:
    return (round(start[0] + way[0] * length_m, 4), round(start[1] + way[1] * length_m, 4))
