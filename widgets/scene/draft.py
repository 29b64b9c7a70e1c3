"""Tools, and the shape that is being drawn click by click."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from core.vision.model import MaskKind, PicturePoint
from widgets.scene.sketch import ShapeKind


class Tool(StrEnum):
    """What a click on the picture does."""

    SELECT = "select"
    ZONE = "zone"
    LINE = "line"
    LANE = "lane"
    PRIVACY = "privacy"
    IGNORE = "ignore"
    ROAD = "road"


AnyTool = TypeVar("AnyTool", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo(Generic[AnyTool]):
    """How a tool is shown and reached; `is_safe`: it changes nothing, so whoever may look only has it as well."""

    tool: AnyTool
    title: str
    key: str
    tip: str
    icon: str
    is_safe: bool = False


def tools(*rows: tuple[AnyTool, str, str, str, str]) -> tuple[ToolInfo[AnyTool], ...]:
    """Return tools from rows of tool, title, key, icon and tip; the first one only selects."""
    return tuple(
        ToolInfo(tool=tool, title=title, key=key, icon=icon, tip=tip, is_safe=number == 0)
        for number, (tool, title, key, icon, tip) in enumerate(rows)
    )


TOOLS = tools(
    (Tool.SELECT, "Select", "V", "scene-select", "Select, move and change what is drawn"),
    (Tool.ZONE, "Zone", "Z", "scene-zone", "Draw a zone that rules watch"),
    (Tool.LINE, "Line", "L", "scene-line", "Draw a line that counts by direction"),
    (Tool.LANE, "Lane", "A", "scene-lane", "Draw a lane and the way traffic drives in it"),
    (Tool.PRIVACY, "Privacy", "P", "scene-privacy", "Black out a part of the picture, everywhere"),
    (Tool.IGNORE, "Ignore", "I", "scene-ignore", "Detect nothing in a part of the picture"),
    (Tool.ROAD, "Road", "R", "scene-road", "Set points of the road whose distances are known"),
)

KIND_OF = {
    Tool.ZONE: ShapeKind.ZONE,
    Tool.LINE: ShapeKind.LINE,
    Tool.LANE: ShapeKind.LANE,
    Tool.PRIVACY: ShapeKind.MASK,
    Tool.IGNORE: ShapeKind.MASK,
}
"""What is drawn with which tool."""

_SAME = 0.003
"""Of the picture: nearer points are one."""


def mask_kind(tool: Tool) -> MaskKind:
    """Return which masks a tool draws."""
    return MaskKind.IGNORE if tool is Tool.IGNORE else MaskKind.PRIVACY


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A shape in the making.

    Attributes:
        points: Set so far; of a lane whose outline is closed, the ends of its arrow.
        outline: A lane's closed outline; empty before.
        is_done: It has all its points: see `all_points`.
    """

    tool: Tool
    points: tuple[PicturePoint, ...] = ()
    outline: tuple[PicturePoint, ...] = ()
    is_done: bool = False

    @property
    def all_points(self) -> tuple[PicturePoint, ...]:
        """As `new_shape` wants them."""
        return (*self.outline, *self.points)

    @property
    def is_begun(self) -> bool:
        """At least one point is set."""
        return bool(self.points or self.outline)

    @property
    def draws_arrow(self) -> bool:
        """The next points are the ends of a lane's arrow."""
        return bool(self.outline)

    @property
    def can_close(self) -> bool:
        """Enter would close it."""
        if self.tool is Tool.LINE:
            return False
        return self.draws_arrow or len(self.points) >= 3

    def put(self, point: PicturePoint) -> Draft:
        """Set the next point; one in the place of the last is not taken."""
        if self.points and math.dist(self.points[-1], point) < _SAME:
            return self
        points = (*self.points, point)
        needs_two = self.tool is Tool.LINE or self.draws_arrow
        return replace(self, points=points, is_done=needs_two and len(points) == 2)

    def close(self) -> Draft:
        """End the outline; a lane then wants its arrow, and takes the suggested one when it is closed again."""
        if not self.can_close:
            return self
        if self.draws_arrow:
            return replace(self, points=suggested_arrow(self.outline), is_done=True)
        if self.tool is Tool.LANE:
            return replace(self, outline=self.points, points=())
        return replace(self, is_done=True)

    def back(self) -> Draft:
        """Take the last point away."""
        if self.points:
            return replace(self, points=self.points[:-1])
        return replace(self, points=self.outline, outline=())

    def hint(self) -> str:
        """Return what to do next."""
        if self.tool is Tool.LINE:
            return "Click where the line ends." if self.points else "Click where the line begins. Esc leaves the tool."
        if self.draws_arrow:
            where = "leave" if self.points else "enter"
            return f"Click where vehicles {where} the lane. Enter takes the arrow that is shown."
        if len(self.points) >= 3:
            return "Click further corners; Enter, a double click or a click on the first corner closes the outline."
        if self.points:
            return "Click the next corner. Backspace takes the last one back, Esc gives up."
        return f"Click the first corner of the {_WORDS.get(self.tool, 'shape')}. Esc leaves the tool."


_WORDS = {Tool.ZONE: "zone", Tool.LANE: "lane", Tool.PRIVACY: "privacy mask", Tool.IGNORE: "ignore mask"}


def suggested_arrow(outline: tuple[PicturePoint, ...]) -> tuple[PicturePoint, PicturePoint]:
    """Return an arrow along the longest way through an outline, from its upper to its lower end.

    It joins the middles of the two sides that are farthest apart: of a lane, its far and its near end.
    """
    sides = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(outline, (*outline[1:], outline[0]), strict=True)]
    pairs = [(a, b) for i, a in enumerate(sides) for b in sides[i + 1 :]]
    start, end = max(pairs, key=lambda pair: math.dist(*pair))
    if start[1] > end[1]:
        start, end = end, start
    inset = 0.1
    return (
        (start[0] + (end[0] - start[0]) * inset, start[1] + (end[1] - start[1]) * inset),
        (end[0] + (start[0] - end[0]) * inset, end[1] + (start[1] - end[1]) * inset),
    )
