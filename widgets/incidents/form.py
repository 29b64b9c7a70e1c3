"""Write down an incident that no rule saw: what, how urgent, where, and a line about it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.incidents.model import Priority
from core.incidents.work import HandIncident
from core.kernel.geo import GeoPoint
from widgets.base.focus import order_focus
from widgets.base.symbols import PRIORITY_WORDS
from widgets.base.theme import look, set_role

KINDS = (
    "collision",
    "stopped vehicle",
    "debris on the road",
    "person on the road",
    "fire or smoke",
    "congestion",
    "signal failure",
    "flooding",
    "animal on the road",
    "parking",
    "other",
)


class IncidentForm(QWidget):
    """Fields in the place of the detail; Ctrl+Enter opens the incident, Esc leaves.

    Signals:
        open_requested(HandIncident)
        pick_requested(): The next click on the map names the place; answered by `show_position`.
        left()
    """

    open_requested = Signal(object)
    pick_requested = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._position: GeoPoint | None = None
        self._build()
        order_focus(self)
        self.setFocusProxy(self._kind)

    def show_cameras(self, names: Mapping[str, str]) -> None:
        """Offer these cameras, by id."""
        kept = self._camera.currentData()
        self._camera.clear()
        self._camera.addItem("No camera", "")
        for camera_id, name in sorted(names.items(), key=lambda pair: pair[1].casefold()):
            self._camera.addItem(name, camera_id)
        self._camera.setCurrentIndex(max(0, self._camera.findData(kept)))

    def begin(self, camera_id: str = "") -> None:
        """Start with empty fields, at a camera where one is named."""
        self._kind.setCurrentIndex(0)
        self._title.clear()
        self._text.clear()
        self._priority.setCurrentIndex(self._priority.findData(int(Priority.MEDIUM)))
        self._camera.setCurrentIndex(max(0, self._camera.findData(camera_id)))
        self.show_position(None)
        self._kind.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_position(self, position: GeoPoint | None) -> None:
        """Show where it is."""
        self._position = position
        if position is None:
            self._place.setText("Where the camera stands; or choose on the map.")
        else:
            self._place.setText(f"{position.lat_deg:.5f}, {position.lon_deg:.5f}")

    def _build(self) -> None:
        gap = look().sizes.gap
        heading = QLabel("New incident", self)
        set_role(heading, "title")
        self._kind, self._priority, self._camera = QComboBox(self), QComboBox(self), QComboBox(self)
        for kind in KINDS:
            self._kind.addItem(kind.capitalize(), kind)
        for priority in Priority:
            self._priority.addItem(f"{int(priority)}  {PRIORITY_WORDS[priority]}", int(priority))
        self._camera.addItem("No camera", "")
        self._title, self._text = QLineEdit(self), QLineEdit(self)
        self._title.setPlaceholderText("What happened, in a few words")
        self._title.setMaxLength(120)
        self._text.setPlaceholderText("More, where it helps")
        self._text.setMaxLength(2000)
        self._place = QLabel(self)
        self._place.setWordWrap(True)
        set_role(self._place, "secondary")
        pick = QPushButton("Choose on the map", self)
        pick.clicked.connect(self.pick_requested)
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setHorizontalSpacing(gap * 3)
        form.setVerticalSpacing(gap * 2)
        for name, field in (
            ("Kind", self._kind),
            ("Title", self._title),
            ("Priority", self._priority),
            ("Camera", self._camera),
            ("Place", self._place),
            ("", pick),
            ("Text", self._text),
        ):
            field.setAccessibleName(name or pick.text())
            form.addRow(name, field)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(heading)
        column.addLayout(form)
        column.addLayout(self._build_buttons())
        column.addStretch(1)

    def _build_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(look().sizes.gap * 2)
        done = QPushButton("Open it  Ctrl+Enter", self)
        done.setAccessibleName("Open the incident")
        set_role(done, "primary")
        done.clicked.connect(self._on_open)
        back = QPushButton("Leave  Esc", self)
        set_role(back, "quiet")
        back.clicked.connect(self.left)
        row.addWidget(done)
        row.addWidget(back)
        row.addStretch(1)
        return row

    def _on_open(self) -> None:
        kind = str(self._kind.currentData())
        self.open_requested.emit(
            HandIncident(
                kind=kind.replace(" ", "_"),
                title=self._title.text().strip() or kind.capitalize(),
                text=self._text.text().strip(),
                priority=Priority(self._priority.currentData()),
                position=self._position,
                camera_id=str(self._camera.currentData()),
            )
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open with Ctrl+Enter, leave with Esc."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._on_open()
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)
