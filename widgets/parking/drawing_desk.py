"""What is done to the bays of a lot: drawn, moved, chosen, named, numbered; and the form of what is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QObject, QSignalBlocker, Signal

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.parking.drawing import (
    PLAN,
    bay_of,
    bays_of,
    cameras_of,
    changed_bays,
    duplicated,
    free_ids,
    free_lane,
    outlines_at,
    renamed,
    renamed_lane,
    with_bays,
    with_lane,
    with_outlines,
    with_view,
    without_bays,
    without_lane,
    without_outlines,
    without_view,
)
from core.parking.model import Bay, BayView, Lot, Outline, Point
from core.parking.plans import on_ground
from core.parking.shapes import row_of
from widgets.parking.bars import TopBar
from widgets.parking.canvas import BayCanvas
from widgets.parking.drafts import Tool
from widgets.parking.placing import numbered, placed_by
from widgets.parking.shown import Ref, RefKind, Selected, shapes_of
from widgets.parking.side import BaySide
from widgets.scene.document import Document
from widgets.scene.fields import show_choice
from widgets.scene.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where one stands.

    Attributes:
        lot: As it is shown: as it is drawn, or an old version.
        place: That is drawn on: `PLAN`, or a camera.
        home: Where the map opens for a lot without a place.
        cameras: Names by id.
    """

    lot: Lot
    place: str = PLAN
    is_on_map: bool = False
    is_editable: bool = False
    home: GeoPoint | None = None
    cameras: Mapping[str, str] = field(default_factory=dict)


class DrawingDesk(QObject):
    """Turns what the canvas, the list and the forms say into changes of the document.

    Signals:
        chosen(): Bays or a lane were selected on the canvas.
        told(str, str): A sentence and a hint that need no answer.
    """

    chosen = Signal()
    told = Signal(str, str)

    def __init__(self, document: Document[Lot], canvas: BayCanvas, side: BaySide, bar: TopBar, notice: Notice) -> None:
        super().__init__(canvas)
        self.document, self.canvas, self.side, self._bar, self.notice = document, canvas, side, bar, notice
        self.stand = Stand(lot=document.sketch)
        canvas.reshaped.connect(self._on_reshaped)
        canvas.outline_drawn.connect(self._on_outline)
        canvas.row_drawn.connect(self._on_row)
        canvas.removal_requested.connect(self._on_removal)
        canvas.duplicate_requested.connect(self._on_duplicate)
        canvas.selection_changed.connect(self._on_selection)
        side.list.chosen.connect(self._on_chosen)
        side.row.changed.connect(self.refresh_row)
        side.bay.change_requested.connect(self._on_bays_changed)
        side.bay.rename_requested.connect(self._on_rename)
        side.bay.numbers_requested.connect(self._on_numbers)
        side.bay.duplicate_requested.connect(self._on_duplicate)
        side.bay.take_off_requested.connect(lambda: self._on_removal(self._chosen_refs(), False))
        side.bay.remove_requested.connect(lambda: self._on_removal(self._chosen_refs(), True))
        side.lane.rename_requested.connect(self._on_lane_renamed)
        side.lane.change_requested.connect(self._on_surrounding)
        side.lane.remove_requested.connect(lambda: self._on_removal(canvas.selected.refs, False))
        side.view.change_requested.connect(self._on_view)
        side.view.remove_requested.connect(self._on_view_removed)

    def refresh_form(self) -> None:
        """Show the form of what is in hand: the row that is drawn, a lane, or the chosen bays."""
        lot, refs = self.stand.lot, self.canvas.selected.refs
        lanes = [ref.key for ref in refs if ref.kind is RefKind.LANE]
        if self.canvas.tool is Tool.ROW:
            self.side.show_form("row")
        elif len(refs) == 1 and lanes:
            if self.stand.place == PLAN:
                self.side.lane.show_surrounding(lot.surroundings[int(lanes[0]) - 1])
            else:
                self.side.lane.show_lane(lanes[0])
            self.side.show_form("lane")
        else:
            self._refresh_bay_form()

    def _refresh_bay_form(self) -> None:
        lot = self.stand.lot
        bays = bays_of(lot, self._chosen_ids())
        if not bays:
            self.side.show_form("")
            return
        drawn = outlines_at(lot, self.stand.place)
        is_placed = all(bay.bay_id in drawn for bay in bays)
        self.side.bay.show_bays(bays, lot.levels, seen=self._seen_text(bays, drawn), is_placed=is_placed)
        self.side.show_form("bay")

    def _seen_text(self, bays: Sequence[Bay], drawn: Mapping[str, Outline]) -> str:
        if len(bays) > 1:
            return ""
        bay = bays[0]
        cameras = [self.stand.cameras.get(key, key) for key in cameras_of(self.stand.lot, bay.bay_id)]
        seen = f"Seen by {', '.join(cameras)}." if cameras else "Seen by no camera."
        if bay.bay_id not in drawn and self.stand.is_editable:
            return f"{seen} Not drawn here: draw it with the Bay tool (B) while it is chosen."
        return seen

    def refresh_row(self) -> None:
        """Preview the row as its form divides and names it."""
        names = self.side.row.names
        self.canvas.show_row(self.side.row.settings, names.ids)
        self.side.row.show_taken(self._row_problem(names.ids))

    def _row_problem(self, ids: Sequence[str]) -> str:
        settings = self.side.row.settings
        if len(ids) < settings.n_bays:
            return f"The count ends below zero after {len(ids)}: choose a higher first id."
        here = outlines_at(self.document.sketch, self.stand.place)
        taken = [key for key in ids if key in here]
        if taken:
            return f"{taken[0]} is drawn here already: choose another first id."
        known = [key for key in ids if bay_of(self.document.sketch, key) is not None]
        if known:
            return f"{len(known)} of these are bays of the lot already ({known[0]}, …): they are matched by id."
        return ""

    def _apply(self, lot: Lot, text: str, merge_key: str = "") -> None:
        self.document.apply(lot, text, merge_key)

    def _on_reshaped(self, outlines: dict[Ref, Outline], text: str, merge_key: str) -> None:
        lot = self.document.sketch
        bays = {ref.key: outline for ref, outline in outlines.items() if ref.kind is RefKind.BAY}
        lot = with_outlines(lot, self.stand.place, bays) if bays else lot
        for ref, outline in outlines.items():
            if ref.kind is RefKind.LANE:
                lot = with_lane(lot, self.stand.place, ref.key, outline)
        self._apply(lot, text, merge_key)

    def _on_outline(self, tool: Tool, outline: Outline) -> None:
        lot, (outline,) = self._settled((outline,))
        if tool is Tool.LANE:
            name = free_lane(lot, self.stand.place)
            lot = with_lane(lot, self.stand.place, name, outline)
            if self.stand.place == PLAN and self._bar.shown_level is not None:
                around = (*lot.surroundings[:-1], replace(lot.surroundings[-1], level=self._bar.shown_level))
                lot = replace(lot, surroundings=around)
            self._apply(lot, "Draw a lane")
            self.canvas.set_tool(Tool.SELECT)
            self.canvas.select([Ref(RefKind.LANE, name)])
            return
        bay_id, rest = self._bay_to_draw(lot)
        if bay_of(lot, bay_id) is None:
            lot = with_bays(lot, [self._new_bay(bay_id)])
        self._apply(with_outlines(lot, self.stand.place, {bay_id: outline}), f"Draw bay {bay_id}")
        if rest:
            # The next one of the list is drawn with the next outline.
            self.side.list.show_chosen(rest)
            self._refresh_bay_form()
        else:
            self.canvas.select([Ref(RefKind.BAY, bay_id)])

    def _bay_to_draw(self, lot: Lot) -> tuple[str, tuple[str, ...]]:
        """Return the bay that an outline is of: the first chosen one that is not drawn here, else a new one."""
        drawn = outlines_at(lot, self.stand.place)
        waiting = tuple(key for key in self.side.list.chosen_ids if key not in drawn)
        if waiting:
            return waiting[0], waiting[1:]
        newest = lot.bays[-1].bay_id if lot.bays else "A1"
        return free_ids(lot, [newest])[0], ()

    def _new_bay(self, bay_id: str) -> Bay:
        return Bay(bay_id=bay_id, level=self._bar.shown_level or 0)

    def _on_row(self, quad: Outline) -> None:
        names, settings = self.side.row.names, self.side.row.settings
        here = outlines_at(self.document.sketch, self.stand.place)
        try:
            bays = row_of(quad, settings.n_bays)
            if len(names.ids) < len(bays) or any(key in here for key in names.ids):
                raise BadInputError(self._row_problem(names.ids))
        except BadInputError as error:
            self.notice.say(str(error))
            return
        lot, outlines = self._settled(bays)
        level = self._bar.shown_level or 0
        new = [
            Bay(bay_id=key, kind=names.kind, zone=names.zone, level=level)
            for key in names.ids
            if bay_of(lot, key) is None
        ]
        lot = with_outlines(with_bays(lot, new), self.stand.place, dict(zip(names.ids, outlines, strict=True)))
        self.notice.clear()
        self._apply(lot, f"Draw a row of {len(bays)}")
        self.canvas.set_tool(Tool.SELECT)
        self.canvas.select([Ref(RefKind.BAY, key) for key in names.ids])
        self.side.row.show_first(free_ids(lot, [names.ids[-1]])[0])

    def _settled(self, outlines: Sequence[Outline]) -> tuple[Lot, tuple[Outline, ...]]:
        """Return the lot, placed where the first outline was drawn on the map before anybody placed it."""
        lot = self.document.sketch
        if not self.stand.is_on_map or lot.position is not None:
            return lot, tuple(outlines)
        origin = self.stand.home or GeoPoint(0.0, 0.0)
        made, moved = placed_by(lot, origin, outlines)
        self.told.emit("The lot has its place on the map now.", "Its plan begins at the first corner that you drew.")
        return made, moved

    def _on_removal(self, refs: tuple[Ref, ...], is_everywhere: bool) -> None:
        if not self.stand.is_editable or not refs:
            return
        lot = self.document.sketch
        bays = [ref.key for ref in refs if ref.kind is RefKind.BAY]
        # From the last one on: surroundings are named by their number.
        for ref in sorted(refs, key=lambda ref: (len(ref.key), ref.key), reverse=True):
            if ref.kind is RefKind.LANE:
                lot = without_lane(lot, self.stand.place, ref.key)
        if is_everywhere:
            self._apply(without_bays(lot, bays), f"Remove {_counted(bays)} from the lot")
            return
        lot = without_outlines(lot, self.stand.place, bays)
        nowhere = [key for key in bays if not cameras_of(lot, key) and not _on_plan(lot, key)]
        self._apply(without_bays(lot, nowhere), f"Take {_counted(bays)} off" if bays else "Remove a lane")

    def _on_duplicate(self) -> None:
        lot, chosen = self.document.sketch, self.canvas.selected.bay_ids
        drawn = outlines_at(lot, self.stand.place)
        if not self.stand.is_editable or not chosen:
            return
        first = drawn[chosen[0]]
        lot, copies = duplicated(
            lot, self.stand.place, chosen, _beside(first, len(chosen), is_plan=self.stand.place == PLAN)
        )
        self._apply(lot, f"Duplicate {_counted(chosen)}")
        self.canvas.select([Ref(RefKind.BAY, key) for key in copies])

    def place(self, point: Point) -> None:
        """Lay the plan's origin where the map was clicked."""
        lot = self.document.sketch
        origin = lot.position or self.stand.home or GeoPoint(0.0, 0.0)
        self._apply(replace(lot, position=on_ground(point, origin, lot.bearing_deg)), "Place the lot on the map")
        self.canvas.set_tool(Tool.SELECT)
        self.canvas.fit()

    # -- selection and forms

    def _chosen_ids(self) -> tuple[str, ...]:
        """The bays that are worked on: on the canvas, else in the list."""
        return self.canvas.selected.bay_ids or self.side.list.chosen_ids

    def _chosen_refs(self) -> tuple[Ref, ...]:
        return tuple(Ref(RefKind.BAY, key) for key in self._chosen_ids())

    def _on_selection(self, selected: Selected) -> None:
        self.document.end_merge()
        self.side.list.show_chosen(selected.bay_ids)
        self.refresh_form()
        if selected.refs:
            self.chosen.emit()

    def _on_chosen(self, bay_ids: tuple[str, ...]) -> None:
        """Follow the list: a bay of another level brings that level, one that is not drawn here waits to be."""
        bays = bays_of(self.stand.lot, bay_ids)
        levels = {bay.level for bay in bays}
        if self.stand.place == PLAN and len(levels) == 1 and self._bar.shown_level not in (None, *levels):
            show_choice(self._bar.level, levels.pop())
            self.canvas.show_shapes(shapes_of(self.stand.lot, self.stand.place, self._bar.shown_level))
        with QSignalBlocker(self.canvas):
            self.canvas.select([Ref(RefKind.BAY, key) for key in bay_ids])
        self.refresh_form()

    def _on_bays_changed(self, change: Callable[[Bay], Bay], text: str, merge_key: str) -> None:
        chosen = self._chosen_ids()
        key = f"{merge_key}-{hash(chosen)}" if merge_key else ""
        self._apply(changed_bays(self.document.sketch, chosen, change), text, key)

    def _on_rename(self, bay_id: str, new_id: str) -> None:
        try:
            lot = renamed(self.document.sketch, bay_id, new_id)
        except BadInputError as error:
            self.notice.say(str(error))
            self.refresh_form()
            return
        self._apply(lot, f"Rename bay {bay_id}")
        self.canvas.select([Ref(RefKind.BAY, new_id)])

    def _on_numbers(self, names: tuple[str, ...]) -> None:
        try:
            lot, new_ids = numbered(self.document.sketch, self.stand.place, self._chosen_ids(), names)
        except BadInputError as error:
            self.notice.say(str(error))
            return
        self._apply(lot, f"Number {_counted(new_ids)}")
        self.canvas.select([Ref(RefKind.BAY, key) for key in new_ids])

    def _on_lane_renamed(self, name: str) -> None:
        refs = self.canvas.selected.refs
        if len(refs) != 1 or refs[0].kind is not RefKind.LANE:
            return
        ref = refs[0]
        try:
            lot = renamed_lane(self.document.sketch, self.stand.place, ref.key, name)
        except BadInputError as error:
            self.notice.say(str(error))
            return
        self._apply(lot, f"Rename {ref.key}")
        self.canvas.select([Ref(RefKind.LANE, name)])

    def _on_surrounding(self, around: object) -> None:
        lot, (ref,) = self.document.sketch, self.canvas.selected.refs
        kept = list(lot.surroundings)
        kept[int(ref.key) - 1] = around  # type: ignore[call-overload]
        self._apply(replace(lot, surroundings=tuple(kept)), "Change the surroundings", f"around-{ref.key}")

    def _on_view(self, view: BayView, text: str) -> None:
        self._apply(with_view(self.document.sketch, view), text)

    def _on_view_removed(self, camera_id: str) -> None:
        lot = without_view(self.document.sketch, camera_id)
        nowhere = [bay.bay_id for bay in lot.bays if not bay.outline and not cameras_of(lot, bay.bay_id)]
        self._apply(without_bays(lot, nowhere), f"Remove the view of {self.stand.cameras.get(camera_id, camera_id)}")


def _on_plan(lot: Lot, bay_id: str) -> bool:
    bay = bay_of(lot, bay_id)
    return bay is not None and bool(bay.outline)


def _beside(outline: Outline, n_bays: int, *, is_plan: bool) -> Point:
    """Return how far a copy is put: along the front of the first bay, past all that are copied."""
    if len(outline) == 4:
        (x1, y1), (x2, y2) = outline[0], outline[1]
        return (x2 - x1) * n_bays, (y2 - y1) * n_bays
    return (2.5, 0.0) if is_plan else (0.03, 0.03)


def _counted(bays: Sequence[object]) -> str:
    return "1 bay" if len(bays) == 1 else f"{len(bays):,} bays"
