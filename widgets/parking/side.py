"""Beside the picture: the bays and what is selected of them, the lot, the camera's view, the versions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QScrollArea, QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from widgets.base.theme import look, set_role
from widgets.parking.bay_form import BayForm
from widgets.parking.bay_list import BayList
from widgets.parking.carry_form import CarryForm
from widgets.parking.import_page import ImportPage
from widgets.parking.lane_form import LaneForm
from widgets.parking.lot_form import LotForm
from widgets.parking.new_lot_form import NewLotForm
from widgets.parking.row_form import RowForm
from widgets.parking.view_form import ViewForm
from widgets.scene.versions_list import VersionsList

_NOTHING = "Nothing is selected. Choose a tool to draw with, or a bay; the list shows which bays nobody sees."


_LIST_SHARE, _LIST_SHARE_ALONE = 0.4, 0.8
"""Of the page's height, beside a form and without one."""


class BaySide(QStackedWidget):
    """Pages of forms; importing, copying and a new lot stand in front of them while they are needed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
        self._pages = {key: _scrolled(page) for key, page in (("", nothing), *self._forms())}
        for page in self._pages.values():
            self._below.addWidget(page)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.addWidget(self.list)
        self._split.addWidget(self._below)
        self._split.setChildrenCollapsible(False)
        self._shown_key: bool | None = None
        self._tabs = QTabWidget(self)
        self._tabs.setAccessibleName("Parts of the lot")
        self._tabs.setDocumentMode(True)
        self._tabs.tabBar().setAccessibleName("Forms of the lot")
        self._tabs.tabBar().setUsesScrollButtons(False)
        self._tabs.addTab(_padded(self._split), "Bays")
        self._tabs.addTab(_scrolled(self.lot, margin=2), "Lot")
        self._tabs.addTab(_scrolled(self.view, margin=2), "Camera")
        self._tabs.addTab(_padded(self.versions), "Versions")
        self.addWidget(self._tabs)
        for front in (self.imports, self.carry, self.new_lot):
            self.addWidget(_padded(front))

    @property
    def tab(self) -> str:
        """Title of the page in front."""
        return self._tabs.tabText(self._tabs.currentIndex())

    def show_tab(self, title: str) -> None:
        """Bring a page to the front."""
        self.setCurrentIndex(0)
        titles = [self._tabs.tabText(index) for index in range(self._tabs.count())]
        self._tabs.setCurrentIndex(titles.index(title))

    def show_form(self, key: str) -> None:
        """Show a form below the list: "bay", "row", "lane"; nothing where empty."""
        self._below.setCurrentWidget(self._pages[key])
        room = max(1, self._split.height())
        share = _LIST_SHARE if key else _LIST_SHARE_ALONE
        if self._shown_key != bool(key):
            self._shown_key = bool(key)
            self._split.setSizes([round(room * share), round(room * (1 - share))])

    def show_forms(self) -> None:
        """Leave what stands in front."""
        self.setCurrentIndex(0)

    def show_front(self, page: QWidget) -> None:
        """Put importing, copying or a new lot in front of the forms."""
        self.setCurrentIndex(1 + (self.imports, self.carry, self.new_lot).index(page))

    def set_editable(self, is_editable: bool) -> None:
        """Let the forms be used, or only read."""
        for form in (self.bay, self.lane, self.lot, self.view, self.versions):
            form.set_editable(is_editable)

    def _forms(self) -> tuple[tuple[str, QWidget], ...]:
        return ("bay", self.bay), ("row", self.row), ("lane", self.lane)


def _padded(widget: QWidget) -> QWidget:
    page = QWidget()
    gap = look().sizes.gap
    column = QVBoxLayout(page)
    column.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
    column.addWidget(widget)
    return page


def _scrolled(widget: QWidget, margin: int = 0) -> QScrollArea:
    area = QScrollArea()
    inner = QWidget()
    gap = look().sizes.gap * margin
    column = QVBoxLayout(inner)
    column.setContentsMargins(gap, gap, 0, gap)
    column.addWidget(widget)
    area.setWidget(inner)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
