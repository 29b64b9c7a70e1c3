"""The demo city: Marenholm, on an island in the open Atlantic that no chart shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

import resources
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.kernel.wire import from_builtins

LatLon = tuple[float, float]
"""Latitude and longitude [deg], WGS-84."""


class RoadClass(StrEnum):
    """How important a way is; the map draws it accordingly."""

    MOTORWAY = "motorway"
    RING = "ring"
    MAIN = "main"
    STREET = "street"
    LINK = "link"
    """A slip road between a motorway and another road."""

    COUNTRY = "country"
    TRAM = "tram"
    RAIL = "rail"


class AreaClass(StrEnum):
    """What covers the ground."""

    LAND = "land"
    BEACH = "beach"
    BASIN = "basin"
    """Water inside the coast line: harbour basins and lakes."""

    RIVER = "river"
    PIER = "pier"
    PARK = "park"
    FOREST = "forest"
    SQUARE = "square"
    BLOCK = "block"
    INDUSTRY = "industry"
    LOT = "lot"
    STATION = "station"


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """One way as a line; `name` is empty for ways without one."""

    road_class: RoadClass
    name: str
    line: tuple[LatLon, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CityArea:
    """One polygon of the ground, not closed: the last corner is joined to the first."""

    area_class: AreaClass
    name: str
    outline: tuple[LatLon, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A name written on the map without a road under it: a district, a bay, a village."""

    kind: str
    name: str
    position: GeoPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class CityCamera:
    """Where a demo camera stands.

    Attributes:
        key: Also the name of its scene.
        heading_deg: Where it looks, clockwise from true north.
        view_angle_deg: Horizontal opening.
    """

    key: str
    name: str
    position: GeoPoint
    heading_deg: float
    view_angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficStation:
    """A traffic sensor post; its device id is "traffic/{key}".

    Attributes:
        road: Name of the road it watches.
        n_lanes: In its direction.
    """

    key: str
    name: str
    position: GeoPoint
    road: str
    n_lanes: int
    free_flow_kmh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LotBay:
    """One bay of a lot."""

    key: str
    outline: tuple[LatLon, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CityLot:
    """A parking lot; its device id is "parking/{key}"."""

    key: str
    name: str
    position: GeoPoint
    outline: tuple[LatLon, ...]
    bays: tuple[LotBay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCity:
    """Everything the demo knows about its city.

    Attributes:
        bounds: South, west, north, east [deg] of the built-up city.
    """

    name: str
    center: GeoPoint
    bounds: tuple[float, float, float, float]
    roads: tuple[Road, ...]
    areas: tuple[CityArea, ...]
    places: tuple[Place, ...]
    cameras: tuple[CityCamera, ...]
    stations: tuple[TrafficStation, ...]
    lots: tuple[CityLot, ...]


def load_city(path: Path | None = None) -> DemoCity:
    """Read the city that ships with the program, or another one of the same form.

    Raises:
        BadInputError: The file cannot be read, or holds no city.
    """
    chosen = path or resources.path("demo/city.json")
    try:
        return from_builtins(json.loads(chosen.read_text(encoding="utf-8")), DemoCity)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise BadInputError(
            f"{chosen.name} holds no city: {error}.", hint="Make it again: python app/make/city.py"
        ) from error
