"""Tab goes through a panel as one reads it, whatever order its parts were built in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLayout, QScrollArea, QSplitter, QStackedWidget, QTabBar, QTabWidget, QWidget


def order_focus(root: QWidget) -> None:
    """Let Tab go through everything in `root` in the order of its layouts; call it once all is built."""
    for before, after in pairwise(focus_order(root)):
        QWidget.setTabOrder(before, after)


def focus_order(root: QWidget) -> list[QWidget]:
    """Return what takes the focus by Tab, in the order of the layouts, pages that are behind others included."""
    return list(_in_widget(root))


def stops_in(root: QWidget) -> list[QWidget]:
    """Return what the keys can go to in `root` as it is now."""
    return [part for part in focus_order(root) if part.isVisible() and part.isEnabled()]


def focus_into(root: QWidget) -> None:
    """Let the keys go to where they were in `root`, else to what it is about: its own choice, or its largest part."""
    # Rows of tabs are passed through: nobody works in them.
    stops = [part for part in stops_in(root) if not isinstance(part, QTabBar)]
    largest = max(stops, key=lambda part: part.width() * part.height(), default=None)
    before = root.focusWidget()
    here = root.focusProxy() or (before if before in stops else None) or largest
    if here is not None:
        here.setFocus(Qt.FocusReason.ShortcutFocusReason)


def _in_widget(widget: QWidget) -> Iterator[QWidget]:
    if isinstance(widget, QTabWidget):
        yield widget.tabBar()
    elif widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    if isinstance(widget, QTabWidget | QStackedWidget | QSplitter):
        pages = [widget.widget(index) for index in range(widget.count())]
        for page in pages:
            if page is not None:
                yield from _in_widget(page)
        return
    inner = widget.widget() if isinstance(widget, QScrollArea) else None
    if inner is not None:
        yield from _in_widget(inner)
    layout = widget.layout()
    if layout is not None:
        yield from _in_layout(layout)


def _in_layout(layout: QLayout) -> Iterator[QWidget]:
    for index in range(layout.count()):
        item = layout.itemAt(index)
        widget, inner = (item.widget(), item.layout()) if item is not None else (None, None)
        if widget is not None:
            yield from _in_widget(widget)
        elif inner is not None:
            yield from _in_layout(inner)
