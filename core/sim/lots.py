"""The demo city's lots as they are drawn: an open one, one that a camera watches, and a garage of two levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.kernel.geo import GeoPoint
from core.parking.model import Bay, BayKind, BayView, Level, Lot, Outline, SightMethod, Surrounding, SurroundingKind
from core.parking.plans import garage, on_plan
from core.sim.city import CityLot, DemoCity

GARAGE_ID = "market-garage"
_GARAGE_AT = GeoPoint(36.0016, -29.9962)
WATCHED_ID = "supermarket"
WATCHED_AT, WATCHED_BEARING_DEG = GeoPoint(35.99665, -30.0118), 20.0
_BAY_WIDTH_M, _BAY_DEPTH_M, _AISLE_M = 2.6, 5.2, 6.6
_KINDS = {1: BayKind.ACCESSIBLE, 2: BayKind.ACCESSIBLE, 11: BayKind.EV, 12: BayKind.EV, 24: BayKind.LOADING}
_LOADING_MIN = 15


def demo_lots(city: DemoCity) -> tuple[Lot, ...]:
    """Return every lot of the demonstration."""
    return (*(drawn(lot) for lot in city.lots), market_garage())


def drawn(lot: CityLot) -> Lot:
    """Return a lot of the city as a plan around its position; two rows, each a zone."""
    origin = lot.position
    half = len(lot.bays) // 2
    bays = []
    for number, bay in enumerate(lot.bays, start=1):
        kind = _KINDS.get(number, BayKind.STANDARD)
        bays.append(
            Bay(
                bay_id=bay.key,
                label=f"{number}",
                kind=kind,
                zone="South row" if number <= half else "North row",
                outline=tuple(on_plan(GeoPoint(lat, lon), origin) for lat, lon in bay.outline),
                max_stay_min=_LOADING_MIN if kind is BayKind.LOADING else None,
            )
        )
    ground = tuple(on_plan(GeoPoint(lat, lon), origin) for lat, lon in lot.outline)
    return Lot(
        lot_id=lot.key,
        name=lot.name,
        site="West",
        position=origin,
        levels=(Level(number=0, name="Ground"),),
        bays=tuple(bays),
        surroundings=(Surrounding(kind=SurroundingKind.LANE, outline=ground),),
        device_ids=(f"parking/{lot.key}",),
    )


def watched_lot(camera_id: str, outlines: Mapping[str, Outline]) -> Lot:
    """Return the lot of which only a camera knows: two rows with an aisle between them, as the camera's clip shows.

    Args:
        camera_id: Whose picture the outlines lie on.
        outlines: Of the bays a01… in the far row and b01… in the near one.
    """
    bays = []
    for bay_id in outlines:
        x, is_far = (int(bay_id[1:]) - 1) * _BAY_WIDTH_M, bay_id.startswith("a")
        y0 = _AISLE_M / 2 if is_far else -_AISLE_M / 2 - _BAY_DEPTH_M
        outline = ((x, y0), (x + _BAY_WIDTH_M, y0), (x + _BAY_WIDTH_M, y0 + _BAY_DEPTH_M), (x, y0 + _BAY_DEPTH_M))
        zone = "Far row" if is_far else "Near row"
        bays.append(Bay(bay_id=bay_id, label=bay_id.upper(), zone=zone, outline=outline))
    long_m, wide_m = _BAY_WIDTH_M * len(outlines) / 2, _AISLE_M / 2
    return Lot(
        lot_id=WATCHED_ID,
        name="Supermarket",
        site="West",
        position=WATCHED_AT,
        bearing_deg=WATCHED_BEARING_DEG,
        levels=(Level(number=0, name="Ground"),),
        bays=tuple(bays),
        surroundings=(
            Surrounding(
                kind=SurroundingKind.LANE,
                outline=((-6.0, -wide_m), (long_m, -wide_m), (long_m, wide_m), (-6.0, wide_m)),
            ),
        ),
        views=(BayView(camera_id=camera_id, outlines=outlines, method=SightMethod.CLASSIFIER),),
    )


def market_garage() -> Lot:
    """Return the garage; its bays are felt by sensors, its gate counts."""
    lot = garage(GARAGE_ID, "Market Garage", n_levels=2, bays_per_level=40, position=_GARAGE_AT)
    bays = tuple(
        replace(bay, max_stay_min=_LOADING_MIN if bay.kind is BayKind.LOADING else bay.max_stay_min) for bay in lot.bays
    )
    return replace(lot, site="Centre", bays=bays, device_ids=(f"parking/{GARAGE_ID}",))
