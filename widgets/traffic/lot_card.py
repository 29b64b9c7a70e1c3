"""A parking lot at a glance: how many bays are free, as a number and as a bar."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.field.model import Device
from core.kernel.clock import Clock
from core.parking.model import LotOccupancy
from widgets.base.conditions import Condition, ConditionSymbol, device_condition
from widgets.base.labels import AgeLabel, ElidedLabel
from widgets.base.theme import look, set_role
from widgets.traffic.figures import UNKNOWN, LotFill


class LotCard(QFrame):
    """One lot."""

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "card")
        gap = look().sizes.gap
        self._name = ElidedLabel("", self)
        set_role(self._name, "title")
        self._symbol = ConditionSymbol(self)
        self._free = QLabel(UNKNOWN, self)
        set_role(self._free, "heading")
        self._rest = QLabel(self)
        set_role(self._rest, "secondary")
        self._age = AgeLabel(self, clock)
        set_role(self._age, "caption")
        self._bar = _FillBar(self)
        head = QHBoxLayout()
        head.addWidget(self._name, 1)
        head.addWidget(self._symbol)
        line = QHBoxLayout()
        line.setSpacing(gap * 2)
        line.addWidget(self._free)
        line.addWidget(self._rest, 1, Qt.AlignmentFlag.AlignBottom)
        line.addWidget(self._age, 0, Qt.AlignmentFlag.AlignBottom)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 3)
        rows.setSpacing(gap)
        rows.addLayout(head)
        rows.addLayout(line)
        rows.addWidget(self._bar)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """What the operator reads."""
        return f"{self._free.text()} {self._rest.text()}"

    def show_lot(self, device: Device, occupancy: LotOccupancy | None) -> None:
        """Show a lot; `occupancy` is None until someone counted."""
        self._name.setText(device.name)
        self._symbol.show_condition(device_condition(device))
        if occupancy is None:
            self._show_fill(None, None)
            return
        fill = LotFill(n_bays=occupancy.n_bays, n_occupied=occupancy.n_occupied, n_unknown=occupancy.n_unknown)
        self._show_fill(fill, occupancy.at)

    def _show_fill(self, fill: LotFill | None, at: datetime | None) -> None:
        self._age.show_at(at)
        is_trusted = self._symbol.condition is Condition.OK
        self._bar.show_fill(fill, is_trusted=is_trusted)
        if fill is None:
            self._free.setText(UNKNOWN)
            self._rest.setText("free, nobody counted yet")
        else:
            self._free.setText(str(fill.n_free))
            unknown = f", {fill.n_unknown} unknown" if fill.n_unknown else ""
            self._rest.setText(f"free of {fill.n_bays}{unknown}")
        self.setAccessibleName(f"{self._name.text()}: {self.text}")


class _FillBar(QWidget):
    """Occupied is filled, unknown is hatched, free is empty; lightness, not red and green."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._fill: LotFill | None = None
        self._is_trusted = True
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_fill(self, fill: LotFill | None, *, is_trusted: bool) -> None:
        """Show how full; a lot that is stale gets a dotted edge."""
        self._fill, self._is_trusted = fill, is_trusted
        self.update()

    def sizeHint(self) -> QSize:
        """Return one thick line."""
        return QSize(look().sizes.body * 10, max(12, round(look().sizes.body * 0.85)))

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the bar."""
        made = look()
        with QPainter(self) as painter:
            room = QRectF(self.rect()).adjusted(1, 1, -1, -1)
            painter.fillRect(room, made.color("window"))
            fill = self._fill
            if fill is not None and fill.n_bays > 0:
                occupied = min(1.0, fill.n_occupied / fill.n_bays) * room.width()
                unknown = min(room.width() - occupied, fill.n_unknown / fill.n_bays * room.width())
                painter.fillRect(
                    QRectF(room.left(), room.top(), occupied, room.height()),
                    made.color("text_secondary" if self._is_trusted else "text_disabled"),
                )
                hatched = QRectF(room.left() + occupied, room.top(), unknown, room.height())
                painter.fillRect(hatched, QBrush(made.color("quality"), Qt.BrushStyle.BDiagPattern))
            edge = QPen(made.color("line_strong"), 1)
            if not self._is_trusted:
                edge = QPen(made.color("quality"), 1.5, Qt.PenStyle.DotLine)
            painter.setPen(edge)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(room)
