"""What a file of bays holds: as it stands there, and as it can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.parking.model import BayKind, BayState, Lot, Outline, Point

Size = tuple[int, int]
"""Width and height [px]."""

MAX_BYTES = 32 * 1024 * 1024
MAX_ROWS = 10_000
MAX_CORNERS = 64


class Frame(StrEnum):
    """In what a file measures; the value is what the operator reads."""

    PIXELS = "pixels of a picture"
    FRACTIONS = "fractions of a picture"
    PLAN = "metres on a plan"
    EARTH = "degrees on the earth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One outline as it stands in a file.

    Attributes:
        number: Of the entry in the file, from 1.
        name: Its id there; empty where it has none.
        points: Corners in the file's frame; of a list of positions the upper left one alone.
        is_lane: A driving lane or an area that must stay clear, no bay.
        state: As labelled in the file; None where it is not.
    """

    number: int
    name: str = ""
    points: Outline = ()
    label: str = ""
    kind: BayKind = BayKind.STANDARD
    zone: str = ""
    level: int = 0
    max_stay_min: int | None = None
    is_lane: bool = False
    state: BayState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """An outline that was left out.

    Attributes:
        number: Of the entry in the file, from 1.
        name: Its id or what it says, cut short.
        reason: A sentence.
    """

    number: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as it stands.

    Attributes:
        title: Name of its format.
        picture_px: Size of the picture that its outlines are drawn on; None where it does not say.
        pictures: Names of all pictures in it; `picture` is the one whose outlines these are.
        bay_px: Usual size of a bay where the file holds positions only; None where it has outlines.
        lot: The whole lot, where the file is our own.
    """

    title: str
    frame: Frame
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...] = ()
    picture_px: Size | None = None
    pictures: tuple[str, ...] = ()
    picture: str = ""
    bay_px: Size | None = None
    lot: Lot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBay:
    """A bay that can be used.

    Attributes:
        bay_id: Empty where the file names none.
        outline: In fractions of the picture, or in metres on the plan.
        state: As labelled in the file; None where it is not.
    """

    bay_id: str
    outline: Outline
    label: str = ""
    kind: BayKind = BayKind.STANDARD
    zone: str = ""
    level: int = 0
    max_stay_min: int | None = None
    state: BayState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BayFile:
    """What a file gives, checked.

    Attributes:
        is_plan: Outlines lie on the plan; otherwise on a picture.
        lanes: By name.
        placed_at: Where the plan's origin was laid, because the lot had no place yet: latitude and longitude [deg].
        lot: The whole lot, where the file is our own; only what can be used of it.
        n_other_ids: Bays whose ids are others than in the file, because a bay cannot have those.
    """

    title: str
    is_plan: bool
    bays: tuple[FoundBay, ...]
    lanes: Mapping[str, Outline] = field(default_factory=dict)
    bad: tuple[BadRow, ...] = ()
    placed_at: Point | None = None
    lot: Lot | None = None
    n_other_ids: int = 0
