"""What two lots claim at once: a device that is named in both, and the bays that it may mean in either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core.parking.drawn import NAMED_AT_MOST, topic_name
from core.parking.model import Lot


def conflicts_of(
    lots: Mapping[str, Lot], by_device: Mapping[str, Sequence[str]], undivided: Iterable[str]
) -> dict[str, list[str]]:
    """Say, for each lot, what cannot be told apart from another one.

    Args:
        lots: By id.
        by_device: The lots that name each device.
        undivided: Devices that are known to count, as gates or bays in all.

    Returns:
        Sentences with a way out, by lot; what they speak of counts in no lot rather than twice.
    """
    found: dict[str, list[str]] = {}
    counting = set(undivided)
    for device_id, lot_ids in by_device.items():
        if len(lot_ids) < 2:
            continue
        here = [lots[lot_id] for lot_id in lot_ids]
        said = [_shared_bays(device_id, here)] if _bays_in_several(here) else []
        if device_id in counting:
            said.append(
                f"{device_id} counts vehicles and is named in {_names(here)}: how many are in which cannot be known, "
                "so they count in none. Name it in one lot alone."
            )
        for lot_id in lot_ids:
            found.setdefault(lot_id, []).extend(said)
    return found


def _bays_in_several(lots: Sequence[Lot]) -> list[str]:
    """Return ids of bays that more than one lot has, as a topic writes them."""
    seen: dict[str, str] = {}
    twice: dict[str, None] = {}
    for lot in lots:
        written = {topic_name(bay.bay_id): bay.bay_id for bay in lot.bays}
        twice |= dict.fromkeys(bay_id for name, bay_id in written.items() if name in seen)
        seen |= written
    return list(twice)


def _shared_bays(device_id: str, lots: Sequence[Lot]) -> str:
    bays = _bays_in_several(lots)
    more = f" and {len(bays) - NAMED_AT_MOST} more" if len(bays) > NAMED_AT_MOST else ""
    listed = ", ".join(bays[:NAMED_AT_MOST]) + more
    return (
        f"{device_id} is named in {_names(lots)}, which have the same bays {listed}: what it says of them counts in "
        "none. Name it in one lot alone, or give the bays ids of their own."
    )


def _names(lots: Sequence[Lot]) -> str:
    return " and ".join(lot.name for lot in lots)
