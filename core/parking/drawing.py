"""Changes of a lot as it is drawn: bays on the plan and on cameras' pictures, matched by their ids."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.checks import BAY_ID_HINT, MAX_ID_LENGTH, is_bay_id
from core.parking.formats.model import BayFile, FoundBay
from core.parking.model import Bay, BayView, Lot, Outline, Point, Surrounding, SurroundingKind
from core.parking.shapes import Projection, area_of, crosses_itself, label_key

PLAN = ""
"""The place of outlines that lie on the plan; any other place is a camera's id."""

MIN_AREA_SHARE = 1e-5
MIN_AREA_M2 = 0.5


class SameId(StrEnum):
    """What becomes of an outline whose id a bay of the lot has already; the value is what the operator reads."""

    SAME_BAY = "is the same bay"
    NEW_BAY = "is a new bay, numbered on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of taking outlines over.

    Attributes:
        n_new: Bays that the lot did not have.
        n_matched: Bays that it had: they got an outline here, or another one.
        n_lanes: Lanes that were added.
    """

    lot: Lot
    n_new: int
    n_matched: int
    n_lanes: int = 0


def bay_of(lot: Lot, bay_id: str) -> Bay | None:
    """Return a bay; None where the lot has none of this id."""
    return next((bay for bay in lot.bays if bay.bay_id == bay_id), None)


def bays_of(lot: Lot, bay_ids: Iterable[str]) -> list[Bay]:
    """Return those of these bays that the lot has, in the order they are asked for."""
    known = {bay.bay_id: bay for bay in lot.bays}
    return [known[bay_id] for bay_id in bay_ids if bay_id in known]


def view_of(lot: Lot, camera_id: str) -> BayView | None:
    """Return what a camera sees of the lot; None where nothing is drawn on its picture."""
    return next((view for view in lot.views if view.camera_id == camera_id), None)


def outlines_at(lot: Lot, place: str) -> dict[str, Outline]:
    """Return the bays that are drawn at a place, by id, in the lot's order."""
    if place == PLAN:
        return {bay.bay_id: bay.outline for bay in lot.bays if bay.outline}
    view = view_of(lot, place)
    drawn = view.outlines if view is not None else {}
    return {bay.bay_id: drawn[bay.bay_id] for bay in lot.bays if bay.bay_id in drawn}


def lanes_at(lot: Lot, place: str) -> dict[str, Outline]:
    """Return the lanes of a camera's picture by name; of the plan what surrounds the bays, by its number from 1."""
    if place == PLAN:
        return {str(number): one.outline for number, one in enumerate(lot.surroundings, start=1)}
    view = view_of(lot, place)
    return dict(view.lanes) if view is not None else {}


def cameras_of(lot: Lot, bay_id: str) -> tuple[str, ...]:
    """Return the cameras whose picture shows a bay."""
    return tuple(view.camera_id for view in lot.views if bay_id in view.outlines)


def name_of(bay: Bay) -> str:
    """Return what people call a bay."""
    return bay.label or bay.bay_id


def with_bays(lot: Lot, bays: Iterable[Bay]) -> Lot:
    """Return the lot with these bays, in place of those of the same ids."""
    by_id = {bay.bay_id: bay for bay in lot.bays} | {bay.bay_id: bay for bay in bays}
    return replace(lot, bays=tuple(by_id.values()))


def without_bays(lot: Lot, bay_ids: Iterable[str]) -> Lot:
    """Return the lot without some bays, on the plan and on every picture."""
    gone = set(bay_ids)
    views = tuple(
        replace(view, outlines={key: value for key, value in view.outlines.items() if key not in gone})
        for view in lot.views
    )
    return replace(lot, bays=tuple(bay for bay in lot.bays if bay.bay_id not in gone), views=views)


def changed_bays(lot: Lot, bay_ids: Iterable[str], change: Callable[[Bay], Bay]) -> Lot:
    """Return the lot in which some bays are what `change` makes of them; ids stay."""
    chosen = set(bay_ids)
    return replace(lot, bays=tuple(change(bay) if bay.bay_id in chosen else bay for bay in lot.bays))


def renamed(lot: Lot, bay_id: str, new_id: str) -> Lot:
    """Return the lot in which a bay has another id, everywhere.

    Raises:
        BadInputError: The id is empty, too long, or taken.
    """
    new_id = new_id.strip()
    if not is_bay_id(new_id):
        raise BadInputError(f"{new_id[:40]!r} is no id for a bay.", hint=BAY_ID_HINT)
    if new_id != bay_id and bay_of(lot, new_id) is not None:
        raise BadInputError(f"{lot.name} has a bay {new_id} already.", hint="Choose another id.")
    return renamed_all(lot, {bay_id: new_id})


def renamed_all(lot: Lot, new_ids: Mapping[str, str]) -> Lot:
    """Return the lot in which bays have other ids, everywhere; a new id may be the old one of another."""
    views = tuple(
        replace(view, outlines={new_ids.get(key, key): value for key, value in view.outlines.items()})
        for view in lot.views
    )
    bays = tuple(replace(bay, bay_id=new_ids.get(bay.bay_id, bay.bay_id)) for bay in lot.bays)
    return replace(lot, bays=bays, views=views)


def with_view(lot: Lot, view: BayView) -> Lot:
    """Return the lot with a camera's view, in place of the one it had."""
    if view_of(lot, view.camera_id) is None:
        return replace(lot, views=(*lot.views, view))
    return replace(lot, views=tuple(view if one.camera_id == view.camera_id else one for one in lot.views))


def without_view(lot: Lot, camera_id: str) -> Lot:
    """Return the lot as this camera does not see it; the bays stay."""
    return replace(lot, views=tuple(view for view in lot.views if view.camera_id != camera_id))


def with_outlines(lot: Lot, place: str, outlines: Mapping[str, Outline]) -> Lot:
    """Return the lot with these outlines at a place; ids that the lot does not have become bays."""
    kept = {bay_id: rounded(outline) for bay_id, outline in outlines.items()}
    known = {bay.bay_id for bay in lot.bays}
    missing = tuple(Bay(bay_id=bay_id) for bay_id in kept if bay_id not in known)
    lot = replace(lot, bays=(*lot.bays, *missing)) if missing else lot
    if place == PLAN:
        return changed_bays(lot, kept, lambda bay: replace(bay, outline=kept[bay.bay_id]))
    view = view_of(lot, place) or BayView(camera_id=place)
    return with_view(lot, replace(view, outlines={**view.outlines, **kept}))


def without_outlines(lot: Lot, place: str, bay_ids: Iterable[str]) -> Lot:
    """Return the lot whose bays are no longer drawn at a place; they stay in the lot."""
    gone = set(bay_ids)
    if place == PLAN:
        return changed_bays(lot, gone, lambda bay: replace(bay, outline=()))
    view = view_of(lot, place)
    if view is None:
        return lot
    left = {key: value for key, value in view.outlines.items() if key not in gone}
    return with_view(lot, replace(view, outlines=left))


def with_lane(lot: Lot, place: str, name: str, outline: Outline) -> Lot:
    """Return the lot with another lane, or with another outline of the one that it has."""
    kept = rounded(outline)
    if place != PLAN:
        view = view_of(lot, place) or BayView(camera_id=place)
        return with_view(lot, replace(view, lanes={**view.lanes, name: kept}))
    around = list(lot.surroundings)
    index = int(name) - 1 if name.isdecimal() else len(around)
    if 0 <= index < len(around):
        around[index] = replace(around[index], outline=kept)
    else:
        around.append(Surrounding(kind=SurroundingKind.LANE, outline=kept))
    return replace(lot, surroundings=tuple(around))


def without_lane(lot: Lot, place: str, name: str) -> Lot:
    """Return the lot without a lane."""
    if place == PLAN:
        around = tuple(one for number, one in enumerate(lot.surroundings, start=1) if str(number) != name)
        return replace(lot, surroundings=around)
    view = view_of(lot, place)
    if view is None:
        return lot
    return with_view(lot, replace(view, lanes={key: value for key, value in view.lanes.items() if key != name}))


def renamed_lane(lot: Lot, camera_id: str, name: str, new_name: str) -> Lot:
    """Return the lot in which a lane of a picture has another name.

    Raises:
        BadInputError: The name is empty, too long, or taken.
    """
    view = view_of(lot, camera_id)
    new_name = new_name.strip()
    if view is None or new_name == name:
        return lot
    if not new_name or len(new_name) > MAX_ID_LENGTH or new_name in view.lanes:
        raise BadInputError(f"A lane needs a name of its own, of 1 to {MAX_ID_LENGTH} characters.")
    return with_view(
        lot, replace(view, lanes={new_name if key == name else key: value for key, value in view.lanes.items()})
    )


def free_lane(lot: Lot, place: str) -> str:
    """Return a name that no lane of the place has."""
    taken = lanes_at(lot, place)
    if place == PLAN:
        return str(len(taken) + 1)
    return next(name for number in range(1, 10_000) if (name := f"Lane {number}") not in taken)


def free_ids(lot: Lot, wishes: Sequence[str]) -> tuple[str, ...]:
    """Return ids that the lot does not have and that differ, each as near to its wish as can be."""
    taken = {bay.bay_id for bay in lot.bays}
    found = []
    for wish in wishes:
        base = wish or "1"
        free = base if base not in taken else _numbered_on(base, taken)
        taken.add(free)
        found.append(free)
    return tuple(found)


def duplicated(lot: Lot, place: str, bay_ids: Sequence[str], shift: Point) -> tuple[Lot, tuple[str, ...]]:
    """Return the lot with copies of some bays beside them, and the copies' ids."""
    drawn = outlines_at(lot, place)
    sources = [bay for bay in lot.bays if bay.bay_id in set(bay_ids) and bay.bay_id in drawn]
    new_ids = free_ids(lot, [bay.bay_id for bay in sources])
    copies = [replace(bay, bay_id=new_id, label="", outline=()) for bay, new_id in zip(sources, new_ids, strict=True)]
    moved = {
        new_id: tuple((x + shift[0], y + shift[1]) for x, y in drawn[bay.bay_id])
        for bay, new_id in zip(sources, new_ids, strict=True)
    }
    return with_outlines(with_bays(lot, copies), place, moved), new_ids


def carried(lot: Lot, source: str, target: str, carry: Projection, bay_ids: Iterable[str]) -> Taken:
    """Draw some bays at `target` as they are drawn at `source`, and lanes from picture to picture.

    What falls out of the picture there is left out.
    """
    chosen = set(bay_ids)
    lanes = lanes_at(lot, source) if PLAN not in (source, target) else {}
    outlines = {
        key: moved
        for key, value in outlines_at(lot, source).items()
        if key in chosen and (moved := _seen(value, target, carry))
    }
    n_matched = sum(key in outlines_at(lot, target) for key in outlines)
    made = with_outlines(lot, target, outlines)
    n_lanes = 0
    for name, outline in lanes.items():
        if moved := _seen(outline, target, carry):
            made = with_lane(made, target, name, moved)
            n_lanes += 1
    return Taken(lot=made, n_new=len(outlines) - n_matched, n_matched=n_matched, n_lanes=n_lanes)


def take_file(lot: Lot, found: BayFile, place: str, same_id: SameId) -> Taken:
    """Add the bays of a file at a place; all of them, as one change."""
    if found.lot is not None:
        return _take_lot(lot, found.lot)
    target = PLAN if found.is_plan else place
    wishes = [bay.bay_id or str(number) for number, bay in enumerate(found.bays, start=1)]
    ids = tuple(wishes) if same_id is SameId.SAME_BAY else free_ids(lot, wishes)
    if len(set(ids)) < len(ids):
        # Entries without an id were numbered, and another entry has that number as its id.
        ids = free_ids(replace(lot, bays=()), wishes)
    known = {bay.bay_id: bay for bay in lot.bays}
    new = [_new_bay(bay, bay_id) for bay, bay_id in zip(found.bays, ids, strict=True) if bay_id not in known]
    made = with_bays(lot, new)
    if found.placed_at is not None:
        made = replace(made, position=GeoPoint(*found.placed_at), bearing_deg=0.0)
    made = with_outlines(made, target, {key: bay.outline for key, bay in zip(ids, found.bays, strict=True)})
    for name, outline in found.lanes.items():
        free = name if target != PLAN and name not in lanes_at(made, target) else free_lane(made, target)
        made = with_lane(made, target, free, outline)
    return Taken(lot=made, n_new=len(new), n_matched=len(ids) - len(new), n_lanes=len(found.lanes))


def problem_of(lot: Lot) -> str:
    """Return a sentence about the first outline that cannot be saved; empty where all can."""
    for bay in lot.bays:
        if bay.outline and (reason := _problem(bay.outline, MIN_AREA_M2)):
            return f"Bay {name_of(bay)} on the plan {reason}."
    for view in lot.views:
        for kind, outlines in (("Bay", view.outlines), ("Lane", view.lanes)):
            for name, outline in outlines.items():
                if reason := _problem(outline, MIN_AREA_SHARE):
                    return f"{kind} {name} on the picture of {view.camera_id} {reason}."
    return ""


def sorted_bays(lot: Lot) -> tuple[Bay, ...]:
    """Return the bays by level, then by name as people count."""
    return tuple(sorted(lot.bays, key=lambda bay: (bay.level, label_key(name_of(bay)))))


def rounded(outline: Outline) -> Outline:
    """Return an outline to six decimals: a micrometre on a plan, less than a pixel in a picture."""
    return tuple((round(x, 6), round(y, 6)) for x, y in outline)


def _take_lot(lot: Lot, theirs: Lot) -> Taken:
    known = {bay.bay_id for bay in lot.bays}
    made = with_bays(lot, theirs.bays)
    for view in theirs.views:
        for name, outline in view.lanes.items():
            made = with_lane(made, view.camera_id, name, outline)
        made = with_outlines(made, view.camera_id, view.outlines)
    levels = {level.number: level for level in (*theirs.levels, *lot.levels)}
    around = (*lot.surroundings, *(one for one in theirs.surroundings if one not in lot.surroundings))
    made = replace(
        made,
        levels=tuple(levels[number] for number in sorted(levels)),
        surroundings=around,
        position=lot.position or theirs.position,
        bearing_deg=lot.bearing_deg if lot.position is not None else theirs.bearing_deg,
        capacity=lot.capacity if lot.capacity is not None else theirs.capacity,
    )
    n_matched = sum(bay.bay_id in known for bay in theirs.bays)
    return Taken(lot=made, n_new=len(theirs.bays) - n_matched, n_matched=n_matched)


def _new_bay(found: FoundBay, bay_id: str) -> Bay:
    return Bay(
        bay_id=bay_id,
        label=found.label if found.label != bay_id else "",
        kind=found.kind,
        zone=found.zone,
        level=found.level,
        max_stay_min=found.max_stay_min,
    )


def _numbered_on(base: str, taken: set[str]) -> str:
    head = base.rstrip("0123456789")
    tail = base[len(head) :]
    width, start = len(tail), int(tail) + 1 if tail else 2
    head = head if tail else f"{base}-"
    return next(
        found for number in range(start, start + len(taken) + 2) if (found := f"{head}{number:0{width}d}") not in taken
    )


def _seen(outline: Outline, target: str, carry: Projection) -> Outline:
    """Return an outline at the target, cut to the picture's border there; empty where less than half of it is left."""
    moved = tuple(carry(point) for point in outline)
    if not all(math.isfinite(x) for x, _ in moved):
        return ()
    if target == PLAN:
        return moved
    inside = tuple((min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in moved)
    whole, left = area_of(moved), area_of(inside)
    return inside if left > MIN_AREA_SHARE and left >= whole / 2 else ()


def _problem(outline: Outline, least: float) -> str:
    if crosses_itself(outline):
        return "crosses itself"
    return "is too small to be one" if area_of(outline) < least else ""
