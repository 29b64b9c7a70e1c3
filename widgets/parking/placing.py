"""Bays numbered along their row, and a lot placed by the first outline that was drawn on the map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.drawing import bay_of, outlines_at, renamed_all
from core.parking.model import Lot, Outline
from core.parking.plans import on_ground, on_plan
from core.parking.shapes import middle_of


def placed_by(lot: Lot, origin: GeoPoint, outlines: Sequence[Outline]) -> tuple[Lot, tuple[Outline, ...]]:
    """Place a lot where the first corner was drawn, its x axis along the first side.

    Args:
        lot: Without a place, or to be placed anew.
        origin: Of the plan that the outlines were drawn on, which lay with its y axis to the north.
        outlines: In metres on that plan.

    Returns:
        The lot, and the outlines on its own plan.
    """
    (x1, y1), (x2, y2) = outlines[0][0], outlines[0][1]
    position = on_ground((x1, y1), origin)
    bearing_deg = -math.degrees(math.atan2(y2 - y1, x2 - x1)) % 360.0
    made = replace(lot, position=position, bearing_deg=round(bearing_deg, 3))
    moved = tuple(
        tuple(on_plan(on_ground(point, origin), position, made.bearing_deg) for point in outline)
        for outline in outlines
    )
    return made, moved


def numbered(lot: Lot, place: str, bay_ids: Sequence[str], names: Sequence[str]) -> tuple[Lot, tuple[str, ...]]:
    """Give bays ids that count on along their row, from the first that was chosen.

    Raises:
        BadInputError: There are too few names, or another bay has one of them.
    """
    if len(names) < len(bay_ids):
        raise BadInputError("The count ends below zero.", hint="Choose a higher first id.")
    ordered = along_row(lot, place, bay_ids)
    taken = next((name for name in names if name not in bay_ids and bay_of(lot, name) is not None), None)
    if taken is not None:
        raise BadInputError(f"{lot.name} has a bay {taken} already.", hint="Choose another first id.")
    lot = renamed_all(lot, dict(zip(ordered, names, strict=False)))
    return lot, tuple(names[: len(ordered)])


def along_row(lot: Lot, place: str, bay_ids: Sequence[str]) -> tuple[str, ...]:
    """Return bays in the order in which they stand, from the end at which the first of them is."""
    drawn = outlines_at(lot, place)
    if any(bay_id not in drawn for bay_id in bay_ids) or len(bay_ids) < 3:
        return tuple(bay_ids)
    middles = {bay_id: middle_of(drawn[bay_id]) for bay_id in bay_ids}
    a, b = max(
        ((one, other) for one in middles.values() for other in middles.values()),
        key=lambda pair: math.dist(*pair),
    )
    along = (b[0] - a[0], b[1] - a[1])
    ordered = sorted(bay_ids, key=lambda bay_id: middles[bay_id][0] * along[0] + middles[bay_id][1] * along[1])
    is_backwards = ordered.index(bay_ids[0]) > (len(ordered) - 1) / 2
    return tuple(reversed(ordered)) if is_backwards else tuple(ordered)
