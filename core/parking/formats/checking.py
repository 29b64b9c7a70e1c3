"""What of a file can be used: each outline by itself, with the reason where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.checks import BAY_ID_HINT, MAX_ID_LENGTH, is_bay_id, plain_bay_id
from core.parking.formats.model import MAX_CORNERS, BadRow, BayFile, Document, FoundBay, Frame, Row, Size
from core.parking.model import BayView, Lot, Outline, Point
from core.parking.plans import on_plan
from core.parking.shapes import area_of, crosses_itself

MIN_AREA = 2.5e-5
"""Of a picture: 5 x 5 pixels in one of 1280 x 720, where nothing can be told apart."""

MIN_AREA_M2 = 2.0
MAX_AREA_M2 = 400.0
"""A bay for coaches has 80; what is larger is a whole row, or the lot."""

MAX_REACH_M = 3_000.0
BORDER = 0.01
"""Of the picture: an outline may end so far outside, where people drew along the border; it is moved to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a file does not say.

    Attributes:
        picture_px: Size of the picture that was drawn on; None takes the file's.
        bay_px: Of each bay, where the file holds positions only; None takes the usual one.
        lot: Whose plan outlines on the earth come onto; without a place, it gets one.
    """

    picture_px: Size | None = None
    bay_px: Size | None = None
    lot: Lot | None = None


def check(document: Document, answers: Answers) -> BayFile:
    """Return what can be used of a file.

    Raises:
        BadInputError: Something that the file does not say is not answered.
    """
    if document.lot is not None:
        return _checked_lot(document, document.lot)
    if document.frame is Frame.EARTH:
        return _on_plan(document, answers.lot)
    size = answers.picture_px or document.picture_px
    if size is None and document.frame is Frame.PIXELS:
        raise BadInputError(
            "The file does not say how large its picture was.", hint="Give width and height of the picture in pixels."
        )
    width, height = size if size is not None and document.frame is Frame.PIXELS else (1, 1)
    bay_px = answers.bay_px or document.bay_px

    def outline_of(row: Row) -> Outline:
        points = _expanded(row.points, bay_px) if document.bay_px is not None and bay_px else row.points
        return tuple((x / width, y / height) for x, y in points)

    return _checked(document, outline_of, _picture_reason((width, height)), is_plan=False)


def _on_plan(document: Document, lot: Lot | None) -> BayFile:
    placed_at: Point | None = None
    if lot is None or lot.position is None:
        points = [point for row in document.rows for point in row.points]
        if not points:
            return BayFile(title=document.title, is_plan=True, bays=(), bad=document.bad)
        lons, lats = sorted(x for x, _ in points), sorted(y for _, y in points)
        placed_at = (lats[len(lats) // 2], lons[len(lons) // 2])
        lot = Lot(lot_id="lot", name="", position=GeoPoint(*placed_at))
    origin, bearing_deg = lot.position or GeoPoint(0.0, 0.0), lot.bearing_deg

    def outline_of(row: Row) -> Outline:
        return tuple(on_plan(GeoPoint(lat, lon), origin, bearing_deg) for lon, lat in row.points)

    return replace(_checked(document, outline_of, plan_reason, is_plan=True), placed_at=placed_at)


def _checked(
    document: Document, outline_of: Callable[[Row], Outline], reason_of: Callable[[Outline], str], *, is_plan: bool
) -> BayFile:
    bays: list[FoundBay] = []
    lanes: dict[str, Outline] = {}
    bad = list(document.bad)
    taken: dict[str, int] = {}
    n_other_ids = 0
    for given in document.rows:
        row = given if given.is_lane else _with_plain_id(given)
        outline = outline_of(row)
        reason = _name_reason(row, taken) or _shape_reason(outline)
        if not reason and not row.is_lane:
            reason = reason_of(outline)
        if reason:
            bad.append(BadRow(number=row.number, name=row.name[:MAX_ID_LENGTH], reason=reason))
            continue
        taken.setdefault(row.name, row.number)
        kept = outline if is_plan else tuple((_within(x), _within(y)) for x, y in outline)
        if row.is_lane:
            lanes[_free_name(lanes, row.name or "Lane")] = kept
        else:
            bays.append(_found(row, kept))
            n_other_ids += row is not given
    bad.sort(key=lambda one: one.number)
    return BayFile(
        title=document.title,
        is_plan=is_plan,
        bays=tuple(bays),
        lanes=lanes,
        bad=tuple(bad),
        n_other_ids=n_other_ids,
    )


def _with_plain_id(row: Row) -> Row:
    """Return a row whose id a bay can have; the one that it was given stays as label."""
    bay_id = plain_bay_id(row.name)
    return row if bay_id == row.name else replace(row, name=bay_id, label=row.label or row.name)


def _found(row: Row, outline: Outline) -> FoundBay:
    return FoundBay(
        bay_id=row.name,
        outline=_rounded(outline),
        label=row.label[:MAX_ID_LENGTH],
        kind=row.kind,
        zone=row.zone[:MAX_ID_LENGTH],
        level=max(-20, min(50, row.level)),
        max_stay_min=row.max_stay_min if row.max_stay_min and 0 < row.max_stay_min <= 100_000 else None,
        state=row.state,
    )


def _name_reason(row: Row, taken: Mapping[str, int]) -> str:
    name = row.name
    if row.is_lane or not name:
        return ""
    if not is_bay_id(name):
        return f"{name[:40]!r} is no id for a bay. {BAY_ID_HINT}"
    return f"The id {name} stands in entry {taken[name]} already." if name in taken else ""


def _shape_reason(outline: Outline) -> str:
    if len(outline) < 3:
        return f"It has {len(outline)} corners; an outline has at least three."
    if len(outline) > MAX_CORNERS:
        return f"It has {len(outline)} corners; a bay has {MAX_CORNERS} at most."
    return "Its outline crosses itself." if crosses_itself(outline) else ""


def _picture_reason(size: Size) -> Callable[[Outline], str]:
    width, height = size

    def reason(outline: Outline) -> str:
        beyond = max(max(-x, x - 1.0, -y, y - 1.0) for x, y in outline)
        if beyond > BORDER:
            far = max(max(x * width - width, y * height - height, -x * width, -y * height) for x, y in outline)
            return f"It reaches {far:,.0f} px beyond the picture ({width} x {height})."
        if area_of(outline) < MIN_AREA:
            return f"It is tiny: {area_of(outline) * width * height:.1f} square pixels."
        return ""

    return reason


def plan_reason(outline: Outline) -> str:
    """Return why an outline on the plan [m] can be no bay; empty where it can."""
    if max(max(abs(x), abs(y)) for x, y in outline) > MAX_REACH_M:
        return f"It lies more than {MAX_REACH_M / 1000:g} km from the lot's place."
    area = area_of(outline)
    if area < MIN_AREA_M2:
        return f"It is tiny: {area:.1f} m²."
    return f"It is too large for a bay: {area:,.0f} m²." if area > MAX_AREA_M2 else ""


def _checked_lot(document: Document, lot: Lot) -> BayFile:
    bad = list(document.bad)
    bays = []
    taken: dict[str, int] = {}
    for number, bay in enumerate(lot.bays, start=1):
        row = Row(number=number, name=bay.bay_id)
        reason = "It has no id." if not bay.bay_id else _name_reason(row, taken)
        if not reason and bay.outline:
            reason = _shape_reason(bay.outline) or plan_reason(bay.outline)
        if reason:
            bad.append(BadRow(number=number, name=bay.bay_id[:MAX_ID_LENGTH], reason=reason))
            continue
        taken[bay.bay_id] = number
        bays.append(bay)
    views = tuple(_checked_view(view, set(taken), bad) for view in lot.views)
    kept = replace(lot, bays=tuple(bays), views=views)
    found = tuple(
        FoundBay(
            bay_id=bay.bay_id,
            outline=bay.outline,
            label=bay.label,
            kind=bay.kind,
            zone=bay.zone,
            level=bay.level,
            max_stay_min=bay.max_stay_min,
        )
        for bay in bays
    )
    return BayFile(title=document.title, is_plan=True, bays=found, bad=tuple(bad), lot=kept)


def _checked_view(view: BayView, known: set[str], bad: list[BadRow]) -> BayView:
    reason_of = _picture_reason((1, 1))
    outlines = {}
    for number, (bay_id, outline) in enumerate(view.outlines.items(), start=1):
        reason = "" if bay_id in known else f"The lot has no bay {bay_id}."
        reason = (
            reason or _shape_reason(outline) or reason_of(outline).replace(" px beyond the picture (1 x 1)", " beyond")
        )
        if reason:
            name = f"{bay_id} at {view.camera_id}"[:MAX_ID_LENGTH]
            bad.append(BadRow(number=number, name=name, reason=reason))
        else:
            outlines[bay_id] = tuple((_within(x), _within(y)) for x, y in outline)
    lanes = {name: outline for name, outline in view.lanes.items() if not _shape_reason(outline)}
    return replace(view, outlines=outlines, lanes=lanes)


def _expanded(points: Outline, bay_px: Size) -> Outline:
    (x, y), (width, height) = points[0], bay_px
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


def _within(part: float) -> float:
    return round(min(1.0, max(0.0, part)), 6)


def _rounded(outline: Outline) -> Outline:
    return tuple((round(x, 6), round(y, 6)) for x, y in outline)


def _free_name(taken: Mapping[str, Outline], wish: str) -> str:
    if wish not in taken:
        return wish
    return next(name for number in range(2, 10_000) if (name := f"{wish} {number}") not in taken)
