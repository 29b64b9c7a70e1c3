"""All bays of the lot: what they are, where they are drawn, and which of them nobody sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from PySide6.QtCore import QItemSelection, QItemSelectionModel, Signal
from PySide6.QtWidgets import QAbstractItemView, QLabel, QVBoxLayout, QWidget

from core.parking.drawing import PLAN, cameras_of, name_of, outlines_at, sorted_bays
from core.parking.model import Bay, Lot, Outline
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.parking.bay_form import KIND_NAMES
from widgets.scene.fields import choice_field


class Filter(StrEnum):
    """Which bays are listed; the value is what the operator reads."""

    ALL = "All bays"
    HERE = "Drawn here"
    ELSEWHERE = "Not drawn here"
    UNSEEN = "Seen by no camera"
    NOT_ON_PLAN = "Not on the plan"


class BayList(QWidget):
    """The list; several can be chosen.

    Signals:
        chosen(object): Tuple of bay ids.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: object = None
        self._lot: Lot | None = None
        self._place = PLAN
        self._is_showing = False
        self._cameras: Mapping[str, str] = {}
        self._filter = choice_field("Which bays are listed", self)
        for one in Filter:
            self._filter.addItem(one.value, one)
        self._count = QLabel(self)
        self._count.setWordWrap(True)
        set_role(self._count, "caption")
        self._table = TextTable(
            "Bays of the lot",
            (
                Column(title="Bay"),
                Column(title="Kind", rank=2),
                Column(title="Level", is_figure=True, rank=3),
                Column(title="Seen by"),
            ),
            self,
        )
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._filter)
        column.addWidget(self._table, 1)
        column.addWidget(self._count)
        self._filter.activated.connect(lambda _row: self._refresh())
        self._table.selectionModel().selectionChanged.connect(lambda *_: self._on_selection())

    @property
    def chosen_ids(self) -> tuple[str, ...]:
        """The chosen bays, in the order of the list."""
        rows = sorted({index.row() for index in self._table.selectionModel().selectedRows()})
        return tuple(self._table.lines[row].key for row in rows if row < len(self._table.lines))

    def show_lot(self, lot: Lot | None, place: str, cameras: Mapping[str, str]) -> None:
        """List a lot's bays as one stands at a place; `cameras` are names by id."""
        self._lot, self._place, self._cameras = lot, place, cameras
        self._refresh()

    def show_chosen(self, bay_ids: Sequence[str]) -> None:
        """Mark these without telling anyone."""
        if set(bay_ids) == set(self.chosen_ids):
            return
        rows = {line.key: row for row, line in enumerate(self._table.lines)}
        model = self._table.model()
        marked = QItemSelection()
        for bay_id in bay_ids:
            if bay_id in rows:
                index = model.index(rows[bay_id], 0)
                marked.select(index, index)
        choice = self._table.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        self._is_showing = True
        choice.select(marked, flags.ClearAndSelect | flags.Rows)
        self._is_showing = False
        if bay_ids and bay_ids[-1] in rows:
            self._table.scrollTo(model.index(rows[bay_ids[-1]], 0))

    def _refresh(self) -> None:
        lot = self._lot
        shown = self._what_is_shown(lot)
        if shown == self._shown:
            # Moving outlines changes no row, and there may be thousands.
            return
        self._shown = shown
        kept = self.chosen_ids
        here = outlines_at(lot, self._place) if lot is not None else {}
        bays = sorted_bays(lot) if lot is not None else ()
        self._is_showing = True
        self._table.show_lines(
            [self._line(lot, bay) for bay in bays if lot is not None and self._is_listed(lot, bay, here)]
        )
        self._is_showing = False
        self.show_chosen(kept)
        self._count.setText(self._summary(lot) if lot is not None else "")

    def _what_is_shown(self, lot: Lot | None) -> object:
        if lot is None:
            return None
        bays = [(bay.bay_id, bay.label, bay.kind, bay.level, bay.zone, bool(bay.outline)) for bay in lot.bays]
        views = [(view.camera_id, tuple(view.outlines)) for view in lot.views]
        return bays, views, dict(self._cameras), self._place, self._filter.currentData()

    def _line(self, lot: Lot, bay: Bay) -> Line:
        names = [self._cameras.get(camera_id, camera_id) for camera_id in cameras_of(lot, bay.bay_id)]
        plan = "" if bay.outline else "not on the plan"
        seen = ", ".join(names) or "nobody"
        cells = (name_of(bay), KIND_NAMES[bay.kind], str(bay.level), seen)
        tip = "\n".join(part for part in (f"Id {bay.bay_id}", f"Zone {bay.zone}" if bay.zone else "", plan) if part)
        return Line(key=bay.bay_id, cells=cells, tip=tip)

    def _is_listed(self, lot: Lot, bay: Bay, here: Mapping[str, Outline]) -> bool:
        wanted = Filter(self._filter.currentData())
        if wanted is Filter.UNSEEN:
            return not cameras_of(lot, bay.bay_id)
        if wanted is Filter.NOT_ON_PLAN:
            return not bay.outline
        if wanted is Filter.ALL:
            return True
        return (bay.bay_id in here) is (wanted is Filter.HERE)

    def _summary(self, lot: Lot) -> str:
        n_unseen = sum(not cameras_of(lot, bay.bay_id) for bay in lot.bays)
        n_off = sum(not bay.outline for bay in lot.bays)
        parts = [f"{len(lot.bays):,} bays"]
        if lot.bays and n_unseen:
            parts.append(f"{n_unseen:,} seen by no camera")
        if n_off:
            parts.append(f"{n_off:,} not on the plan")
        return ", ".join(parts) + "."

    def _on_selection(self) -> None:
        if not self._is_showing:
            self.chosen.emit(self.chosen_ids)
