"""Tools of the bay editor, and what is being drawn with them click by click."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from core.kernel.errors import BadInputError
from core.parking.model import Outline, Point
from core.parking.shapes import row_of, row_quad
from widgets.scene.draft import tools


class Tool(StrEnum):
    """What a click does."""

    SELECT = "select"
    BAY = "bay"
    ROW = "row"
    LANE = "lane"
    PLACE = "place"
    PAIRS = "pairs"


TOOLS = tools(
    (Tool.SELECT, "Select", "V", "scene-select", "Select, move and change what is drawn"),
    (Tool.BAY, "Bay", "B", "bay", "Draw one bay, corner by corner"),
    (Tool.ROW, "Row", "R", "bay-row", "Draw a row: its front, its back, and how many"),
    (Tool.LANE, "Lane", "A", "scene-lane", "Draw a lane that must stay clear"),
    (Tool.PLACE, "Place", "P", "map", "Say where the plan's origin lies on the map"),
)
"""Pairs are set from the form that copies a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSettings:
    """How a row is divided.

    Attributes:
        has_depth: Its back follows from `depth_m`; otherwise two more corners are set.
        angle_deg: Between front and sides, where the back follows from the depth.
    """

    n_bays: int = 10
    has_depth: bool = False
    depth_m: float = 5.0
    angle_deg: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An outline or a row in the making."""

    tool: Tool
    points: Outline = ()

    @property
    def is_begun(self) -> bool:
        """At least one point is set."""
        return bool(self.points)

    def put(self, point: Point, nearest: float) -> Draft:
        """Set the next point; one nearer to the last than `nearest` is not taken."""
        if self.points and math.dist(self.points[-1], point) < nearest:
            return self
        return replace(self, points=(*self.points, point))

    def back(self) -> Draft:
        """Take the last point away."""
        return replace(self, points=self.points[:-1])

    def row(self, settings: RowSettings, pointer: Point | None) -> Outline:
        """Return the corners of the row as far as they are known, with `pointer` for the next one; empty before."""
        points = self.points
        if len(points) == 3 and settings.has_depth:
            pointer = points[2]
        elif points and pointer == points[-1]:
            pointer = None
        if settings.has_depth:
            front = points if len(points) >= 2 else (*points, pointer) if pointer is not None and points else ()
            if len(front) < 2:
                return ()
            side = _side(front[0], front[1], pointer) if len(points) >= 2 and pointer is not None else 1.0
            return row_quad((front[0], front[1]), settings.depth_m * side, settings.angle_deg)
        if pointer is not None and 2 <= len(points) < 4:
            points = (*points, pointer)
        if len(points) == 3:
            a, b, c = points
            return a, b, c, (a[0] + c[0] - b[0], a[1] + c[1] - b[1])
        return points if len(points) == 4 else ()

    def is_done(self, settings: RowSettings) -> bool:
        """A row has all its corners."""
        return self.tool is Tool.ROW and len(self.points) == (3 if settings.has_depth else 4)

    def can_close(self, settings: RowSettings) -> bool:
        """Enter would finish it."""
        if self.tool is Tool.ROW:
            return len(self.points) >= (2 if settings.has_depth else 3)
        return self.tool in (Tool.BAY, Tool.LANE) and len(self.points) >= 3

    def hint(self, settings: RowSettings) -> str:
        """Return what to do next."""
        n_points = len(self.points)
        if self.tool is Tool.ROW:
            return _row_hint(n_points, settings)
        if self.tool is Tool.PLACE:
            return "Click where the plan's origin lies. Esc leaves the tool."
        if self.tool is Tool.PAIRS:
            return "Click the next point of the pair; the form says which."
        what = "bay" if self.tool is Tool.BAY else "lane"
        if n_points >= 3:
            return "Click further corners; Enter, a double click or a click on the first corner closes the outline."
        if n_points:
            return "Click the next corner. Backspace takes the last one back, Esc gives up."
        return f"Click the first corner of the {what}. Esc leaves the tool."


def preview(quad: Outline, n_bays: int) -> tuple[Outline, ...]:
    """Return the bays of a row as it stands; none where its corners span no row yet."""
    try:
        return row_of(quad, n_bays)
    except BadInputError:
        return ()


def _row_hint(n_points: int, settings: RowSettings) -> str:
    if n_points == 0:
        return "Click the front corner of the first bay. Esc leaves the tool."
    if n_points == 1:
        return "Click the front corner at the other end of the row."
    if settings.has_depth:
        return f"Click the side on which the {settings.n_bays} bays lie, or Enter for the left of the way you drew."
    if n_points == 2:
        return "Click the back corner at this end of the row."
    return f"Click the back corner of the first bay, or Enter for parallel sides: {settings.n_bays} bays."


def _side(start: Point, end: Point, at: Point) -> float:
    turn = (end[0] - start[0]) * (at[1] - start[1]) - (end[1] - start[1]) * (at[0] - start[0])
    return 1.0 if turn >= 0.0 else -1.0
