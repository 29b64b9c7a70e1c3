"""The road plane: where the road points lie on the ground, by distances or on the map, and how well they fit."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from core.kernel.geo import GeoPoint
from widgets.base.flow import FlowLayout
from widgets.base.labels import hairline
from widgets.base.theme import look, set_role
from widgets.scene.calibration import Fit, as_rectangle, at_metres, at_position, position_of
from widgets.scene.fields import NumberField, choice_field, form_layout
from widgets.scene.sketch import Sketch

_BY_METRES, _BY_MAP = "metres", "map"
_HEADS = {_BY_METRES: ("Right m", "Ahead m", "Off m"), _BY_MAP: ("Latitude", "Longitude", "Off m")}


class RoadForm(QWidget):
    """A table of the road points, with two ways to fill it.

    Signals:
        change_requested(object, str): The new `Sketch`, and what was done.
        point_selected(int): A row of the table was chosen.
        map_requested(int): Let the map name the position of this point; answered by a change of the sketch.
        remove_requested(int): Take this point away.
        grid_toggled(bool): Draw the metre grid, or do not.
        tool_requested(): Let clicks set road points.
        refused(str): What was typed is no place.
    """

    change_requested = Signal(object, str)
    point_selected = Signal(int)
    map_requested = Signal(int)
    remove_requested = Signal(int)
    grid_toggled = Signal(bool)
    tool_requested = Signal()
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sketch = Sketch()
        self._fit = Fit(plane=None, sentence="")
        self._build()

    @property
    def wants_grid(self) -> bool:
        """The metre grid is to be drawn."""
        return self._grid.isChecked()

    @property
    def verdict(self) -> str:
        """What the operator reads about the fit."""
        return f"{self._verdict.text()} {self._hint.text()}".strip()

    def show_road(self, sketch: Sketch, found: Fit) -> None:
        """Show the points and how well they fit."""
        if sketch.origin is not None and self._sketch.origin is None:
            with QSignalBlocker(self._way):
                self._way.setCurrentIndex(self._way.findData(_BY_MAP))
        self._sketch, self._fit = sketch, found
        self._verdict.setText(found.sentence)
        self._hint.setText(found.hint)
        self._hint.setVisible(bool(found.hint))
        self._grid.setEnabled(found.plane is not None)
        self._fill()
        self._refresh_way()

    def show_selected(self, index: int | None) -> None:
        """Choose the row of a point that was chosen on the picture."""
        with QSignalBlocker(self._table):
            if index is None:
                self._table.clearSelection()
            elif index != self._table.currentRow() and index < self._table.rowCount():
                self._table.setCurrentCell(index, 0, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._refresh_way()

    def set_editable(self, is_editable: bool) -> None:
        """Let the points be placed, or only read."""
        triggers = QAbstractItemView.EditTrigger
        self._table.setEditTriggers(
            triggers.AnyKeyPressed | triggers.DoubleClicked | triggers.EditKeyPressed | triggers.SelectedClicked
            if is_editable
            else triggers.NoEditTriggers
        )
        for widget in (self._set, self._way, self._rectangle, self._map_page, self._clear):
            widget.setEnabled(is_editable)

    def _build(self) -> None:
        gap = look().sizes.gap
        self._verdict = QLabel(self)
        self._hint = QLabel(self)
        set_role(self._hint, "caption")
        for label in (self._verdict, self._hint):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._set = QPushButton("Set points", self)
        self._set.setToolTip("Click points of the road on the picture (R)")
        self._set.clicked.connect(self.tool_requested)
        self._clear = QPushButton("Remove all", self)
        self._clear.setAccessibleName("Remove all road points")
        set_role(self._clear, "quiet")
        self._clear.clicked.connect(self._on_clear)
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._set)
        buttons.addWidget(self._clear)
        self._way = choice_field("How the points are known", self)
        self._way.addItem("Distances in metres", _BY_METRES)
        self._way.addItem("Positions on the map", _BY_MAP)
        self._way.currentIndexChanged.connect(self._on_way)
        self._grid = QCheckBox("Metre grid on the picture", self)
        self._grid.setChecked(True)
        self._grid.toggled.connect(self.grid_toggled)
        self._build_table()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        for widget in (self._verdict, self._hint):
            column.addWidget(widget)
        column.addWidget(self._grid)
        column.addLayout(buttons)
        column.addWidget(self._way)
        column.addWidget(self._build_rectangle())
        column.addWidget(self._build_map())
        column.addWidget(hairline(self))
        column.addWidget(self._table, 1)

    def _build_table(self) -> None:
        self._table = QTableWidget(0, 3, self)
        self._table.setAccessibleName("Road points")
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setTabKeyNavigation(False)
        self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._table.verticalHeader().setDefaultSectionSize(look().sizes.row)
        self._table.setMinimumHeight(look().sizes.row * 6)
        self._table.itemChanged.connect(self._on_typed)
        self._table.currentCellChanged.connect(self._on_row)
        remove = QShortcut(QKeySequence("Delete"), self._table, context=Qt.ShortcutContext.WidgetShortcut)
        remove.activated.connect(self._on_remove)

    def _build_rectangle(self) -> QWidget:
        self._rectangle = QWidget(self)
        form = form_layout()
        self._rectangle.setLayout(form)
        self._width_m = NumberField("Width of the rectangle", 0.5, 500.0, " m", decimals=2)
        self._width_m.show_value(3.5)
        self._length_m = NumberField("Length of the rectangle", 0.5, 2000.0, " m", decimals=2)
        self._length_m.show_value(20.0)
        self._apply = QPushButton("Use as rectangle", self)
        self._apply.clicked.connect(self._on_rectangle)
        note = QLabel("Points 1 to 4 go round a rectangle: 1 to 2 is its width, 2 to 3 its length.", self)
        note.setWordWrap(True)
        set_role(note, "caption")
        form.addRow(note)
        form.addRow("Width", self._width_m)
        form.addRow("Length", self._length_m)
        form.addRow("", self._apply)
        return self._rectangle

    def _build_map(self) -> QWidget:
        self._map_page = QWidget(self)
        column = QVBoxLayout(self._map_page)
        column.setContentsMargins(0, 0, 0, 0)
        note = QLabel("Choose a point, then its place on the map; or type latitude and longitude below.", self)
        note.setWordWrap(True)
        set_role(note, "caption")
        self._pick = QPushButton(self)
        self._pick.clicked.connect(lambda: self.map_requested.emit(max(0, self._table.currentRow())))
        column.addWidget(note)
        column.addWidget(self._pick, 0, Qt.AlignmentFlag.AlignLeft)
        return self._map_page

    @property
    def _mode(self) -> str:
        return str(self._way.currentData())

    def _fill(self) -> None:
        heads = _HEADS[self._mode]
        with QSignalBlocker(self._table):
            self._table.setHorizontalHeaderLabels(list(heads))
            self._table.setRowCount(len(self._sketch.road))
            for index in range(len(self._sketch.road)):
                self._table.setVerticalHeaderItem(index, QTableWidgetItem(str(index + 1)))
                for column, text in enumerate(self._texts(index)):
                    self._show_cell(index, column, text)

    def _texts(self, index: int) -> tuple[str, str, str]:
        off = self._fit.residuals_m[index] if index < len(self._fit.residuals_m) else None
        off_text = "--" if off is None else f"{off:.2f}"
        if self._mode == _BY_MAP:
            position = position_of(self._sketch, index)
            if position is None:
                return "--", "--", off_text
            return f"{position.lat_deg:.6f}", f"{position.lon_deg:.6f}", off_text
        ground = self._sketch.road[index].ground_xy_m
        return ("--", "--", off_text) if ground is None else (f"{ground[0]:.2f}", f"{ground[1]:.2f}", off_text)

    def _show_cell(self, row: int, column: int, text: str) -> None:
        item = self._table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            if column == 2:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self._table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)

    def _refresh_way(self) -> None:
        is_map = self._mode == _BY_MAP
        self._rectangle.setVisible(not is_map)
        self._map_page.setVisible(is_map)
        n_points = len(self._sketch.road)
        self._apply.setEnabled(n_points >= 4)
        self._apply.setToolTip("" if n_points >= 4 else "Set four points first.")
        chosen = max(0, self._table.currentRow())
        self._pick.setEnabled(chosen < n_points)
        self._pick.setText(f"Pick point {chosen + 1} on the map")

    def _on_way(self) -> None:
        self._fill()
        self._refresh_way()

    def _on_row(self, row: int) -> None:
        self._refresh_way()
        if row >= 0:
            self.point_selected.emit(row)

    def _on_rectangle(self) -> None:
        width_m, length_m = self._width_m.value(), self._length_m.value()
        after = as_rectangle(self._sketch, width_m, length_m)
        self.change_requested.emit(after, f"Use a rectangle of {width_m:g} x {length_m:g} m")

    def _on_remove(self) -> None:
        is_editable = self._table.editTriggers() != QAbstractItemView.EditTrigger.NoEditTriggers
        if is_editable and 0 <= self._table.currentRow() < len(self._sketch.road):
            self.remove_requested.emit(self._table.currentRow())

    def _on_clear(self) -> None:
        self.change_requested.emit(_without_road(self._sketch), "Remove all road points")

    def _on_typed(self, item: QTableWidgetItem) -> None:
        row = item.row()
        first, second = self._table.item(row, 0), self._table.item(row, 1)
        texts = [cell.text().strip().replace(",", ".") if cell is not None else "" for cell in (first, second)]
        if "--" in texts or "" in texts:
            return  # The other half of the pair is still to come.
        try:
            a, b = (float(text) for text in texts)
            if self._mode == _BY_MAP:
                after = at_position(self._sketch, row, GeoPoint(a, b))
            else:
                after = at_metres(self._sketch, row, (a, b))
        except ValueError:
            self.refused.emit(f"{item.text()!r} is no place for point {row + 1}: a number is needed.")
            self._fill()
            return
        self.change_requested.emit(after, f"Place road point {row + 1}")


def _without_road(sketch: Sketch) -> Sketch:
    return Sketch(zones=sketch.zones, lines=sketch.lines, lanes=sketch.lanes, masks=sketch.masks, rules=sketch.rules)
