"""How full a lot is: counted from its bays, from devices that count themselves, or from who entered and left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.parking.model import BayState, BayStatus, Lot, LotOccupancy, OccupancyBasis, ZoneOccupancy

MAX_DRIFT = 3
"""Bays by which entry and exit may differ from the bays before it is said."""

MAX_SIGN_ZONES = 63
"""A device has 64 streams at most, and the whole lot is one of them."""


def sign_zones(lot: Lot) -> tuple[str, ...]:
    """Return the zones that signs are told of, in the plan's order."""
    return tuple(dict.fromkeys(bay.zone for bay in lot.bays if bay.zone))[:MAX_SIGN_ZONES]


def sign_faults(lot: Lot) -> tuple[str, ...]:
    """Say which zones signs are not told of."""
    n_zones = len({bay.zone for bay in lot.bays if bay.zone})
    if n_zones <= MAX_SIGN_ZONES:
        return ()
    return (
        f"{lot.name} has {n_zones} zones, and signs are told of its first {MAX_SIGN_ZONES}. "
        "Join zones, or divide the lot.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a device or the gates say of a whole lot.

    Attributes:
        fault: Why the figures cannot be right; all bays are unknown then.
    """

    n_bays: int
    n_occupied: int
    n_unknown: int
    at: datetime
    fault: str = ""


def counted_inside(n_inside: int, n_bays: int, at: datetime) -> Counted | None:
    """Return what entry and exit say of a lot; None where they drifted beyond what can be true.

    A few more than there are bays are vehicles that still look for one.
    """
    if not -MAX_DRIFT <= n_inside <= n_bays + MAX_DRIFT:
        return None
    return Counted(n_bays=n_bays, n_occupied=min(n_bays, max(0, n_inside)), n_unknown=0, at=at)


def count_zone(zone: str, statuses: Iterable[BayStatus]) -> ZoneOccupancy:
    """Count bays; what is stale is not known, and closed ones are no bays for now."""
    n_bays = n_occupied = n_unknown = n_stale = n_closed = 0
    for status in statuses:
        if status.state is BayState.CLOSED:
            n_closed += 1
            continue
        n_bays += 1
        n_stale += status.is_stale
        if not status.is_known:
            n_unknown += 1
        elif status.state is BayState.OCCUPIED:
            n_occupied += 1
    return ZoneOccupancy(
        zone=zone, n_bays=n_bays, n_occupied=n_occupied, n_unknown=n_unknown, n_stale=n_stale, n_closed=n_closed
    )


def count_lot(
    lot: Lot,
    statuses: Mapping[str, BayStatus],
    *,
    counted: Sequence[Counted] = (),
    gates: Counted | None = None,
    faults: Sequence[str] = (),
    at: datetime,
) -> LotOccupancy:
    """Count a drawn lot.

    Args:
        lot: Bays that are not drawn, but in its capacity, are unknown.
        statuses: Of its bays, by id; a missing one is unknown.
        counted: What its devices counted lately, each for its own part of the lot.
        gates: What entry and exit say, where their beginning is known.
        faults: Sentences that are known already.
        at: The present.
    """
    here = [statuses[bay.bay_id] for bay in lot.bays if bay.bay_id in statuses]
    whole = count_zone("", here)
    n_undrawn = max(0, (lot.capacity or 0) - len(lot.bays)) + len(lot.bays) - len(here)
    by_bays = replace(whole, n_bays=whole.n_bays + n_undrawn, n_unknown=whole.n_unknown + n_undrawn)
    found = LotOccupancy(
        lot_id=lot.lot_id,
        n_bays=by_bays.n_bays,
        n_occupied=by_bays.n_occupied,
        n_unknown=by_bays.n_unknown,
        n_stale=by_bays.n_stale,
        n_closed=by_bays.n_closed,
        basis=OccupancyBasis.BAYS,
        zones=_zones(lot, statuses),
        at=at,
    )
    said = list(faults)
    total = _together(counted)
    if total is not None:
        said += [part.fault for part in counted if part.fault]
        beyond = _capacity_faults(lot, total)
        # What cannot be right is said, and makes no figure.
        said, total = said + beyond, None if beyond else total
    drift = None
    if gates is not None and found.n_unknown == 0 and found.n_bays:
        drift = gates.n_occupied - found.n_occupied
        if abs(drift) > MAX_DRIFT:
            said.append(
                f"Entry and exit count {gates.n_occupied} vehicles in {lot.name}, its bays {found.n_occupied}. "
                "Set the count again, and look at the counters."
            )
    best, n_whole = found, found.n_bays + found.n_closed
    for basis, figures in ((OccupancyBasis.COUNTS, total), (OccupancyBasis.GATES, gates)):
        if figures is not None and figures.n_unknown + max(0, n_whole - figures.n_bays) < best.n_unknown:
            best = replace(
                found,
                basis=basis,
                n_bays=figures.n_bays,
                n_occupied=figures.n_occupied,
                n_unknown=figures.n_unknown,
            )
    return replace(best, drift=drift, faults=tuple(dict.fromkeys(said)))


def _together(counted: Sequence[Counted]) -> Counted | None:
    if not counted:
        return None
    return Counted(
        n_bays=sum(part.n_bays for part in counted),
        n_occupied=sum(part.n_occupied for part in counted),
        n_unknown=sum(part.n_unknown for part in counted),
        at=max(part.at for part in counted),
    )


def _capacity_faults(lot: Lot, total: Counted) -> list[str]:
    n_bays = lot.capacity if lot.capacity is not None else len(lot.bays)
    if not n_bays or total.n_occupied <= n_bays:
        return []
    return [
        f"{lot.name} has {n_bays} bays, and its devices count {total.n_occupied} vehicles in it. "
        "Correct its capacity, or look at the devices."
    ]


def _zones(lot: Lot, statuses: Mapping[str, BayStatus]) -> tuple[ZoneOccupancy, ...]:
    by_zone: dict[str, list[BayStatus]] = defaultdict(list)
    for bay in lot.bays:
        if bay.zone and bay.bay_id in statuses:
            by_zone[bay.zone].append(statuses[bay.bay_id])
    return tuple(count_zone(zone, found) for zone, found in by_zone.items())
