"""What a drawn lot must be like, each rule with its sentence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from core.kernel.errors import BadInputError
from core.parking.model import Bay, BayView, Lot, Outline

MAX_BAYS = 20_000
MAX_NAME_LENGTH = 80
MAX_ID_LENGTH = 64
MAX_POINTS = 64
MAX_VIEWS, MAX_LEVELS, MAX_SURROUNDINGS, MAX_DEVICES, MAX_LANES = 64, 40, 2000, 256, 64
MAX_GATES = 32
MAX_PLAN_M = 5000.0
MAX_STAY_MIN = 7 * 24 * 60
STALE_S = (5.0, 7 * 86_400.0)

BAY_ID_HINT = f"Use 1 to {MAX_ID_LENGTH} printable characters other than + and :."

_LOT_ID = re.compile(r"(?=.{1,80}$)[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)?")
"""A device's id is one as well."""


def is_bay_id(text: str) -> bool:
    """Tell whether a bay can have this id; + and : divide the keys of what is wrong at bays."""
    return bool(text.strip()) and len(text) <= MAX_ID_LENGTH and text.isprintable() and not set(text) & set("+:")


def plain_bay_id(text: str) -> str:
    """Return what stands for an id that another program gave."""
    return text.replace("+", "-").replace(":", "-")


def check_lot(lot: Lot) -> None:
    """Refuse what cannot be counted, shown or found again.

    Raises:
        BadInputError: Names what is wrong and the reason.
    """
    if not _LOT_ID.fullmatch(lot.lot_id):
        raise BadInputError(
            f"{lot.lot_id[:40]!r} is no id for a lot.", hint="Use letters, digits, points, - and _; at most 80."
        )
    _check_name(lot.name, "The lot")
    if not lot.name.strip():
        raise BadInputError("The lot needs a name.", hint=f"Use 1 to {MAX_NAME_LENGTH} characters.")
    _check_name(lot.site, "The site")
    _check_figures(lot)
    _check_bays(lot)
    for view in lot.views:
        _check_view(lot, view)
    _check_once((view.camera_id for view in lot.views), "Camera {} has two views of this lot.")
    for surrounding in lot.surroundings:
        _check_plan_outline(surrounding.outline, f"A {surrounding.kind.value} of the surroundings")
    _check_once((f"{gate.line_key} of camera {gate.camera_id}" for gate in lot.gates), "Line {} is a gate twice.")
    _check_once((str(level.number) for level in lot.levels), "Two levels have the number {}.")
    for level in lot.levels:
        _check_name(level.name, f"Level {level.number}")
        _check_span(f"The height of level {level.number}", level.height_m, -200.0, 500.0, "m")


def _check_figures(lot: Lot) -> None:
    for count, limit, what in (
        (len(lot.bays), MAX_BAYS, "bays"),
        (len(lot.views), MAX_VIEWS, "camera views"),
        (len(lot.levels), MAX_LEVELS, "levels"),
        (len(lot.surroundings), MAX_SURROUNDINGS, "surroundings"),
        (len(lot.device_ids), MAX_DEVICES, "devices"),
        (len(lot.gates), MAX_GATES, "gates"),
    ):
        if count > limit:
            raise BadInputError(f"The lot has {count:,} {what}.", hint=f"Divide it: {limit:,} are the most.")
    _check_span("The time after which a state is stale", lot.stale_s, *STALE_S, "s")
    _check_span("The bearing", lot.bearing_deg, -360.0, 360.0, "degrees")
    if lot.capacity is not None and not len(lot.bays) <= lot.capacity <= MAX_BAYS:
        raise BadInputError(
            f"The capacity is {lot.capacity:,}, and {len(lot.bays):,} bays are drawn.",
            hint=f"Name {len(lot.bays):,} or more, or leave it empty.",
        )


def _check_bays(lot: Lot) -> None:
    for bay in lot.bays:
        _check_bay(bay)
    _check_once((bay.bay_id for bay in lot.bays), "Two bays have the id {}.")


def _check_bay(bay: Bay) -> None:
    what = f"Bay {bay.label or bay.bay_id}"[:MAX_NAME_LENGTH]
    if not is_bay_id(bay.bay_id):
        raise BadInputError(f"{bay.bay_id[:40]!r} is no id for a bay.", hint=BAY_ID_HINT)
    _check_name(bay.label, what)
    _check_name(bay.zone, f"The zone of {what.lower()}")
    if bay.max_stay_min is not None and not 1 <= bay.max_stay_min <= MAX_STAY_MIN:
        raise BadInputError(
            f"{what}: the longest stay is {bay.max_stay_min} minutes.", hint=f"Use 1 to {MAX_STAY_MIN:,}."
        )
    if bay.outline:
        _check_plan_outline(bay.outline, what)


def _check_view(lot: Lot, view: BayView) -> None:
    known = {bay.bay_id for bay in lot.bays}
    foreign = next((bay_id for bay_id in view.outlines if bay_id not in known), None)
    if foreign is not None:
        raise BadInputError(
            f"Camera {view.camera_id} sees bay {foreign[:40]!r}, which the lot does not have.",
            hint="Add the bay to the lot, or remove its outline.",
        )
    if not view.camera_id:
        raise BadInputError("A view of the lot names no camera.", hint="Choose its camera.")
    if len(view.lanes) > MAX_LANES:
        raise BadInputError(f"A view has {len(view.lanes)} lanes.", hint=f"{MAX_LANES} are the most.")
    if view.image_px is not None and not 64 <= view.image_px <= 8192:
        raise BadInputError(f"The picture size is {view.image_px} px.", hint="Use 64 to 8192, or leave it empty.")
    _check_picture_outlines(view.outlines, "Bay")
    _check_picture_outlines(view.lanes, "Lane")


def _check_picture_outlines(outlines: Mapping[str, Outline], what: str) -> None:
    for name, outline in outlines.items():
        _check_name(name, what)
        _check_corners(outline, f"{what} {name}")
        if not all(0.0 <= x <= 1.0 and 0.0 <= y <= 1.0 for x, y in outline):
            raise BadInputError(f"{what} {name} has a corner outside the picture.", hint="Draw it inside.")


def _check_plan_outline(outline: Outline, what: str) -> None:
    _check_corners(outline, what)
    if not all(abs(x) <= MAX_PLAN_M and abs(y) <= MAX_PLAN_M for x, y in outline):
        raise BadInputError(f"{what} lies far outside the plan.", hint="The plan is in metres around its origin.")


def _check_corners(outline: Outline, what: str) -> None:
    if not 3 <= len(outline) <= MAX_POINTS:
        raise BadInputError(f"{what} has {len(outline)} corners.", hint=f"Draw 3 to {MAX_POINTS}.")
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in outline):
        raise BadInputError(f"{what} has a corner that is no place.", hint="Draw it again.")


def _check_once(names: Iterable[str], sentence: str) -> None:
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise BadInputError(sentence.format(twice[0]), hint="Rename or remove one of the two.")


def _check_name(name: str, what: str) -> None:
    if len(name) > MAX_NAME_LENGTH or (name and not name.isprintable()):
        raise BadInputError(f"{what}: this name cannot be used.", hint=f"Use at most {MAX_NAME_LENGTH} characters.")


def _check_span(what: str, value: float, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise BadInputError(f"{what} is {value:g} {unit}.", hint=f"Use {low:g} to {high:g}.")
