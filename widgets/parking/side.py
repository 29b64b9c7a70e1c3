"""Beside the picture: the bays and what is selected of them, the lot, the camera's view, the versions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSplitter, QStackedWidget, QWidget

from widgets.base.theme import set_role
from widgets.parking.bay_form import BayForm
from widgets.parking.bay_list import BayList
from widgets.parking.carry_form import CarryForm
from widgets.parking.import_page import ImportPage
from widgets.parking.lane_form import LaneForm
from widgets.parking.lot_form import LotForm
from widgets.parking.new_lot_form import NewLotForm
from widgets.parking.row_form import RowForm
from widgets.parking.view_form import ViewForm
from widgets.scene.form_pages import FormPages, padded, scrolled
from widgets.scene.versions_list import VersionsList

_NOTHING = "Nothing is selected. Choose a tool to draw with, or a bay; the list shows which bays nobody sees."


_LIST_SHARE, _LIST_SHARE_ALONE = 0.4, 0.8
"""Of the page's height, beside a form and without one."""


class BaySide(FormPages):
    """Pages of forms; importing, copying and a new lot stand in front of them while they are needed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("lot", parent)
        self.list = BayList()
        self.bay = BayForm()
        self.row = RowForm()
        self.lane = LaneForm()
        self.lot = LotForm()
        self.view = ViewForm()
        self.versions = VersionsList("lot")
        self.imports = ImportPage()
        self.carry = CarryForm()
        self.new_lot = NewLotForm()
        nothing = QLabel(_NOTHING)
        nothing.setWordWrap(True)
        nothing.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        set_role(nothing, "secondary")
        self._below = QStackedWidget()
        self._pages = {key: scrolled(page, 0) for key, page in (("", nothing), *self._forms())}
        for page in self._pages.values():
            self._below.addWidget(page)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.addWidget(self.list)
        self._split.addWidget(self._below)
        self._split.setChildrenCollapsible(False)
        self._shown_key: bool | None = None
        self._add_tabs(
            [
                ("Bays", padded(self._split)),
                ("Lot", scrolled(self.lot, 2)),
                ("Camera", scrolled(self.view, 2)),
                ("Versions", padded(self.versions)),
            ]
        )
        self._add_fronts([(front, padded(front)) for front in (self.imports, self.carry, self.new_lot)])

    def show_form(self, key: str) -> None:
        """Show a form below the list: "bay", "row", "lane"; nothing where empty."""
        self._below.setCurrentWidget(self._pages[key])
        room = max(1, self._split.height())
        share = _LIST_SHARE if key else _LIST_SHARE_ALONE
        if self._shown_key != bool(key):
            self._shown_key = bool(key)
            self._split.setSizes([round(room * share), round(room * (1 - share))])

    def set_editable(self, is_editable: bool) -> None:
        """Let the forms be used, or only read."""
        for form in (self.bay, self.lane, self.lot, self.view, self.versions):
            form.set_editable(is_editable)

    def _forms(self) -> tuple[tuple[str, QWidget], ...]:
        return ("bay", self.bay), ("row", self.row), ("lane", self.lane)
