"""Beside the picture: what is drawn, how the rules are tuned, the road plane, the versions, and copying."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from core.vision.model import Mask
from widgets.base.theme import look
from widgets.scene.copy_form import CopyForm
from widgets.scene.dry_run_form import DryRunForm
from widgets.scene.form_pages import FormPages, padded, scrolled
from widgets.scene.properties import ShapeProperties
from widgets.scene.road_form import RoadForm
from widgets.scene.rules_form import RulesForm
from widgets.scene.sketch import Shape, ShapeRef, Sketch
from widgets.scene.versions_list import VersionsList

_LIST_ROWS = 6


class SceneSide(FormPages):
    """Pages of forms; copying and the dry run stand in front of them while they are needed.

    Signals:
        shape_selected(object): A `ShapeRef` that was chosen in the list.
    """

    shape_selected = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("scene", parent)
        self.properties = ShapeProperties()
        self.rules = RulesForm()
        self.road = RoadForm()
        self.versions = VersionsList("scene")
        self.copy = CopyForm()
        self.dry_run = DryRunForm()
        self._list = QListWidget()
        self._list.setAccessibleName("What is drawn")
        self._list.currentItemChanged.connect(lambda *_: self._on_row())
        self._add_tabs(
            [
                ("Drawn", self._drawn_page()),
                ("Rules", scrolled(self.rules, 2)),
                ("Road", scrolled(self.road, 2)),
                ("Versions", padded(self.versions)),
            ]
        )
        self._add_fronts([(self.copy, scrolled(self.copy, 2)), (self.dry_run, padded(self.dry_run))])

    def show_shapes(self, sketch: Sketch, selected: ShapeRef | None) -> None:
        """List what is drawn."""
        entries = [(ref, _title(ref, shape)) for ref, shape in sketch.shapes()]
        with QSignalBlocker(self._list):
            if [self._list.item(row).text() for row in range(self._list.count())] != [text for _, text in entries]:
                self._list.clear()
                for _, text in entries:
                    self._list.addItem(QListWidgetItem(text))
            for row, (ref, _) in enumerate(entries):
                self._list.item(row).setData(Qt.ItemDataRole.UserRole, ref)
        self.show_selected(selected)

    def show_selected(self, selected: ShapeRef | None) -> None:
        """Mark what is selected on the picture."""
        with QSignalBlocker(self._list):
            rows = range(self._list.count())
            row = next((row for row in rows if self._list.item(row).data(Qt.ItemDataRole.UserRole) == selected), -1)
            self._list.setCurrentRow(row)
        self._share_page(is_selected=row >= 0)

    def _drawn_page(self) -> QWidget:
        page = QWidget()
        gap = look().sizes.gap
        column = QVBoxLayout(page)
        column.setContentsMargins(gap * 2, gap * 2, gap, 0)
        column.setSpacing(gap * 2)
        self._drawn = column
        column.addWidget(self._list, 1)
        column.addWidget(scrolled(self.properties, 0), 3)
        return page

    def _share_page(self, *, is_selected: bool) -> None:
        """Give the list the page while there is nothing below it to be set; never more than its rows need."""
        rows = self._list.sizeHintForRow(0) * self._list.count() + 2 * self._list.frameWidth() + 2
        least = look().sizes.row * _LIST_ROWS
        self._list.setMaximumHeight(max(look().sizes.row * 2, min(rows, least) if is_selected else rows))
        self._drawn.setStretch(0, 1 if is_selected else 3)
        self._drawn.setStretch(1, 3 if is_selected else 1)

    def _on_row(self) -> None:
        item = self._list.currentItem()
        if item is not None:
            self.shape_selected.emit(item.data(Qt.ItemDataRole.UserRole))


def _title(ref: ShapeRef, shape: Shape) -> str:
    kind = f"{shape.kind.value.capitalize()} mask" if isinstance(shape, Mask) else ref.kind.value.capitalize()
    name = shape.name or ref.key
    return name if name.lower().startswith(kind.lower()) else f"{kind}: {name}"
