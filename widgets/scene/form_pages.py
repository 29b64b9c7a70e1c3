"""Pages of forms beside what is drawn; some stand in front of them while they are needed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from widgets.base.theme import look


class FormPages(QStackedWidget):
    """Tabs of forms, and pages that stand in front of them.

    Signals:
        tab_changed(): Another page is in front.
    """

    tab_changed = Signal()

    def __init__(self, thing: str, parent: QWidget | None = None) -> None:
        """Name what the forms are of, e.g. "scene"."""
        super().__init__(parent)
        self._tabs = QTabWidget(self)
        self._tabs.setAccessibleName(f"Parts of the {thing}")
        self._tabs.setDocumentMode(True)
        self._tabs.tabBar().setAccessibleName(f"Forms of the {thing}")
        self._tabs.tabBar().setUsesScrollButtons(False)
        self._tabs.currentChanged.connect(lambda _index: self.tab_changed.emit())
        self._fronts: tuple[QWidget, ...] = ()
        self.addWidget(self._tabs)

    @property
    def tab(self) -> str:
        """Title of the page in front."""
        return self._tabs.tabText(self._tabs.currentIndex())

    def show_tab(self, title: str) -> None:
        """Bring a page to the front."""
        self.setCurrentIndex(0)
        titles = [self._tabs.tabText(index) for index in range(self._tabs.count())]
        self._tabs.setCurrentIndex(titles.index(title))

    def show_forms(self) -> None:
        """Leave what stands in front."""
        self.setCurrentIndex(0)

    def show_front(self, form: QWidget) -> None:
        """Put a form in front of the tabs."""
        self.setCurrentIndex(1 + self._fronts.index(form))

    def _add_tabs(self, pages: Sequence[tuple[str, QWidget]]) -> None:
        for title, page in pages:
            self._tabs.addTab(page, title)

    def _add_fronts(self, pages: Sequence[tuple[QWidget, QWidget]]) -> None:
        """Take forms with the pages that they stand on."""
        self._fronts = tuple(form for form, _ in pages)
        for _, page in pages:
            self.addWidget(page)


def padded(widget: QWidget) -> QWidget:
    """Return a page with room around a form."""
    page = QWidget()
    gap = look().sizes.gap
    column = QVBoxLayout(page)
    column.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
    column.addWidget(widget)
    return page


def scrolled(widget: QWidget, margin: int) -> QScrollArea:
    """Return a page on which a form scrolls, `margin` gaps from its left border."""
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
