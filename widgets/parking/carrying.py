"""Copying what is drawn at one place to another: the points that are set at both, and which of the two is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from core.kernel.errors import BadInputError
from core.parking.drawing import Taken, carried
from core.parking.model import Lot, Point
from core.parking.shapes import carrier
from widgets.parking.canvas import BayCanvas
from widgets.parking.carry_form import CarryForm
from widgets.parking.drafts import Tool


class Carrying(QObject):
    """One copy at a time.

    Signals:
        place_wanted(str): Show this place: points are set there.
        carry_requested(): All points are set.
        left(): Nothing is copied.
    """

    place_wanted = Signal(str)
    carry_requested = Signal()
    left = Signal()

    def __init__(self, canvas: BayCanvas, form: CarryForm, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._canvas, self._form = canvas, form
        self._source: str | None = None
        self._bay_ids: tuple[str, ...] = ()
        self._is_at_target = False
        self._pairs: tuple[list[Point], list[Point]] = ([], [])
        self.target = ""
        form.target_chosen.connect(self._on_target)
        form.place_wanted.connect(self._show)
        form.back_requested.connect(self._on_back)
        form.carry_requested.connect(self.carry_requested)
        form.left.connect(self.left)

    @property
    def is_going_on(self) -> bool:
        """Points are being set."""
        return self._source is not None

    def start(self, source: str, name: str, targets: Sequence[tuple[str, str]], bay_ids: Sequence[str]) -> None:
        """Begin with the points at the place that outlines come from.

        Args:
            source: The place, and its name.
            name: Of the source.
            targets: Key and name of every other place.
            bay_ids: What is copied: of a plan, the bays of the level that is shown.
        """
        self._form.start(name, targets)
        self._source, self.target, self._pairs = source, targets[0][0], ([], [])
        self._bay_ids = tuple(bay_ids)
        self._form.show_target(self.target)
        self._show(False)

    def put(self, point: Point) -> None:
        """Set the next point at the place that is shown."""
        self._pairs[self._is_at_target].append(point)
        self._show_pairs()

    def carry(self, lot: Lot) -> Taken | None:
        """Return the lot with the outlines at the target; None, and the reason in the form, where it cannot be."""
        if self._source is None:
            return None
        try:
            return carried(lot, self._source, self.target, carrier(*self._pairs), self._bay_ids)
        except BadInputError as error:
            self._form.show_error(str(error))
            return None

    def end(self) -> None:
        """Set no more points."""
        self._source, self._pairs = None, ([], [])
        self._canvas.show_points(())
        if self._canvas.tool is Tool.PAIRS:
            self._canvas.set_tool(Tool.SELECT)

    def _on_target(self, target: str) -> None:
        self.target = target
        self._pairs = (self._pairs[0], [])
        self._show(self._is_at_target)

    def _on_back(self) -> None:
        points = self._pairs[self._is_at_target]
        if points:
            points.pop()
        self._show_pairs()

    def _show(self, is_at_target: bool) -> None:
        if self._source is not None:
            self._is_at_target = is_at_target
            self.place_wanted.emit(self.target if is_at_target else self._source)
            self._canvas.set_tool(Tool.PAIRS)
            self._show_pairs()

    def _show_pairs(self) -> None:
        self._canvas.show_points(self._pairs[self._is_at_target])
        self._form.show_counts(len(self._pairs[0]), len(self._pairs[1]), is_at_target=self._is_at_target)
        self._form.show_error("")
