"""The demo city's lots as they are drawn: the open one of the city, and a garage of two levels."""

from __future__ import annotations

from dataclasses import replace

from core.kernel.geo import GeoPoint
from core.parking.model import Bay, BayKind, Level, Lot, Surrounding, SurroundingKind
from core.parking.plans import garage, on_plan
from core.sim.city import CityLot, DemoCity, LotBay

GARAGE_ID = "market-garage"
_GARAGE_AT = GeoPoint(36.0016, -29.9962)
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


def market_garage() -> Lot:
    """Return the garage; its bays are felt by sensors, its gate counts."""
    lot = garage(GARAGE_ID, "Market Garage", n_levels=2, bays_per_level=40, position=_GARAGE_AT)
    bays = tuple(
        replace(bay, max_stay_min=_LOADING_MIN if bay.kind is BayKind.LOADING else bay.max_stay_min) for bay in lot.bays
    )
    return replace(lot, site="Centre", bays=bays, device_ids=(f"parking/{GARAGE_ID}",))


def as_city_lot(lot: Lot) -> CityLot:
    """Return what moves the vehicles of a drawn lot: its bays by their ids."""
    return CityLot(
        key=lot.lot_id,
        name=lot.name,
        position=lot.position or _GARAGE_AT,
        outline=(),
        bays=tuple(LotBay(key=bay.bay_id, outline=()) for bay in lot.bays),
    )
