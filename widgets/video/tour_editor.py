"""A tour's stops: the operator adds cameras and layouts, orders them and says how long each one stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from widgets.base.focus import order_focus
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look, set_role
from widgets.video.tour import DEFAULT_DWELL_S, MAX_DWELL_S, MIN_DWELL_S, Tour, TourStop

_LAYOUT_MARK = "Layout: "


class TourEditor(QFrame):
    """Stands beside the tiles, not in front of the program: the wall goes on meanwhile.

    Signals:
        saved(object, str): The `Tour`, and the name it had before; empty for a new one.
        closed(): Nothing more to do here.
    """

    saved = Signal(object, str)
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        self.setAccessibleName("Tour")
        self._stops: list[TourStop] = []
        self._names: Mapping[str, str] = {}
        self._old_name = ""
        self._taken: set[str] = set()
        self._build()

    def _build(self) -> None:
        gap = look().sizes.gap
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 2, gap * 2, gap * 2, gap * 2)
        self._title = QLabel("Tour", self)
        set_role(self._title, "heading")
        self._name = QLineEdit(self)
        self._name.setPlaceholderText("Name of the tour")
        self._name.setAccessibleName("Name of the tour")
        self._name.setMaxLength(40)
        self._list = QListWidget(self)
        self._list.setAccessibleName("Stops, in their order")
        self._list.currentRowChanged.connect(self._on_row)
        self._what = QComboBox(self)
        self._what.setAccessibleName("Camera or layout")
        self._dwell = QSpinBox(self)
        self._dwell.setRange(int(MIN_DWELL_S), int(MAX_DWELL_S))
        self._dwell.setValue(int(DEFAULT_DWELL_S))
        self._dwell.setSuffix(" s")
        self._dwell.setAccessibleName("How long it stays")
        self._dwell.valueChanged.connect(self._on_dwell)
        self._what.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._what.setMinimumContentsLength(8)
        add = QPushButton("Add", self)
        add.setAccessibleName("Add this stop")
        add.clicked.connect(self._on_add)
        add_all = QPushButton("Add all cameras", self)
        add_all.clicked.connect(self._on_add_all)
        row = QHBoxLayout()
        row.addWidget(self._dwell, 1)
        row.addWidget(add)
        row.addWidget(add_all)
        self._ordering: list[QPushButton] = []
        order = QHBoxLayout()
        for text, tip, slot in (
            ("Up", "Show this stop earlier", lambda: self._move(-1)),
            ("Down", "Show this stop later", lambda: self._move(1)),
            ("Remove", "Remove this stop", self._on_remove),
        ):
            button = QPushButton(text, self)
            button.setAccessibleName(tip)
            button.clicked.connect(slot)
            order.addWidget(button)
            self._ordering.append(button)
        ends = QHBoxLayout()
        self._save = QPushButton("Save", self)
        set_role(self._save, "primary")
        self._save.clicked.connect(self._on_save)
        close = QPushButton("Close", self)
        close.clicked.connect(self.closed)
        ends.addWidget(self._save, 1)
        ends.addWidget(close)
        self._name.textChanged.connect(self._refresh_save)
        column.addWidget(self._title)
        self._problem = QLabel(self)
        self._problem.setWordWrap(True)
        self._problem.setTextFormat(Qt.TextFormat.PlainText)
        self._problem.hide()
        column.addWidget(self._name)
        column.addWidget(self._problem)
        column.addWidget(self._what)
        column.addLayout(row)
        column.addWidget(self._list, 1)
        column.addLayout(order)
        column.addLayout(ends)
        self._empty = StateOverlay(self._list.viewport())
        order_focus(self)

    def edit(
        self, tour: Tour | None, cameras: Mapping[str, str], layouts: Iterable[str], tour_names: Iterable[str] = ()
    ) -> None:
        """Open a tour, or begin a new one.

        Args:
            tour: None for a new one.
            cameras: Name of each camera by its id.
            layouts: Names of saved layouts.
            tour_names: Names of all tours: another one is never replaced.
        """
        self._names = cameras
        self._old_name = tour.name if tour is not None else ""
        self._taken = set(tour_names) - {self._old_name}
        self._stops = list(tour.stops) if tour is not None else []
        self._title.setText("Change tour" if tour is not None else "New tour")
        self._what.clear()
        for camera_id, name in cameras.items():
            self._what.addItem(name, TourStop(camera_id=camera_id))
        for name in layouts:
            self._what.addItem(_LAYOUT_MARK + name, TourStop(layout_name=name))
        self._name.setText(self._old_name)
        self._fill(0)
        self.show()
        self.raise_()
        self._name.setFocus(Qt.FocusReason.OtherFocusReason)

    def _fill(self, row: int) -> None:
        self._list.blockSignals(True)
        self._list.clear()
        for stop in self._stops:
            name = self._names.get(stop.camera_id, "(a camera that is gone)") if stop.camera_id else ""
            self._list.addItem(f"{name or _LAYOUT_MARK + stop.layout_name}   {stop.dwell_s:.0f} s")
        self._list.blockSignals(False)
        self._list.setCurrentRow(max(0, min(row, len(self._stops) - 1)))
        self._refresh_save()

    def _refresh_save(self) -> None:
        name = self._name.text().strip()
        is_taken = name in self._taken
        self._problem.setText(f"There is a tour {name} already. Choose another name." if is_taken else "")
        self._problem.setVisible(is_taken)
        self._save.setEnabled(bool(self._stops) and bool(name) and not is_taken)
        for button in self._ordering:
            button.setEnabled(bool(self._stops))
        if self._stops:
            self._empty.clear()
        else:
            self._empty.show_state(PanelState.EMPTY, "No stop yet.", "Choose a camera or layout above and add it.")
        self._save.setToolTip("" if self._save.isEnabled() else "A tour needs a name and a stop.")

    def _on_row(self, row: int) -> None:
        if 0 <= row < len(self._stops):
            self._dwell.blockSignals(True)
            self._dwell.setValue(int(self._stops[row].dwell_s))
            self._dwell.blockSignals(False)

    def _on_dwell(self, seconds: int) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._stops):
            self._stops[row] = replace(self._stops[row], dwell_s=float(seconds))
            self._fill(row)

    def _on_add(self) -> None:
        stop = self._what.currentData()
        if isinstance(stop, TourStop):
            self._stops.append(replace(stop, dwell_s=float(self._dwell.value())))
            # The next one is offered: a round of cameras is the same button again and again.
            self._what.setCurrentIndex((self._what.currentIndex() + 1) % self._what.count())
            self._fill(len(self._stops) - 1)

    def _on_add_all(self) -> None:
        dwell_s = float(self._dwell.value())
        there = {stop.camera_id for stop in self._stops}
        self._stops += [TourStop(camera_id=key, dwell_s=dwell_s) for key in self._names if key not in there]
        self._fill(len(self._stops) - 1)

    def _move(self, n: int) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._stops) and 0 <= row + n < len(self._stops):
            self._stops.insert(row + n, self._stops.pop(row))
            self._fill(row + n)

    def _on_remove(self) -> None:
        row = self._list.currentRow()
        if 0 <= row < len(self._stops):
            del self._stops[row]
            self._fill(row)

    def _on_save(self) -> None:
        self.saved.emit(Tour(name=self._name.text().strip(), stops=tuple(self._stops)), self._old_name)
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close by key."""
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
            return
        super().keyPressEvent(event)
