"""How far a thing can be trusted, as a shape: normal is grey, doubt is dotted, nothing is told by colour alone."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.cameras.model import Camera
from core.field.model import Device, DeviceState
from core.media.model import StreamReport, StreamState
from widgets.base.symbols import paint_bad_quality
from widgets.base.theme import Look, look


class Condition(StrEnum):
    """How far the operator can trust what is shown of a thing."""

    OK = "ok"
    WAITING = "waiting"
    STALE = "stale"
    LOST = "lost"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


UNTRUSTED = frozenset({Condition.STALE, Condition.LOST})

_DEVICE_CONDITIONS = {
    DeviceState.UNKNOWN: Condition.UNKNOWN,
    DeviceState.ONLINE: Condition.OK,
    DeviceState.STALE: Condition.STALE,
    DeviceState.LOST: Condition.LOST,
    DeviceState.OFFLINE: Condition.LOST,
    DeviceState.DISABLED: Condition.DISABLED,
}
STREAM_CONDITIONS = {
    StreamState.CONNECTING: Condition.WAITING,
    StreamState.RESTARTING: Condition.WAITING,
    StreamState.LIVE: Condition.OK,
    StreamState.ENDED: Condition.STALE,
    StreamState.STALE: Condition.STALE,
    StreamState.LOST: Condition.LOST,
    StreamState.UNAUTHORISED: Condition.LOST,
    StreamState.UNUSABLE: Condition.LOST,
    StreamState.DISABLED: Condition.DISABLED,
}


def device_condition(device: Device) -> Condition:
    """Return how far a device can be trusted."""
    return _DEVICE_CONDITIONS[device.state] if device.is_enabled else Condition.DISABLED


def camera_condition(camera: Camera, report: StreamReport | None) -> Condition:
    """Return how far a camera's picture can be trusted."""
    if not camera.is_enabled:
        return Condition.DISABLED
    return Condition.UNKNOWN if report is None else STREAM_CONDITIONS[report.state]


def paint_condition(painter: QPainter, rect: QRectF, condition: Condition, made: Look) -> None:
    """Paint the symbol: filled dot, open ring, dotted "?", cross, barred ring, dashed ring."""
    side = min(rect.width(), rect.height())
    box = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
    dot = box.adjusted(side * 0.2, side * 0.2, -side * 0.2, -side * 0.2)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if condition is Condition.OK:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(made.color("text_secondary"))
        painter.drawEllipse(dot)
    elif condition is Condition.STALE:
        paint_bad_quality(painter, box, made)
    elif condition is Condition.LOST:
        width = max(2.0, side * 0.16)
        painter.setPen(QPen(made.color("quality"), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(dot.topLeft(), dot.bottomRight())
        painter.drawLine(dot.topRight(), dot.bottomLeft())
    elif condition is Condition.DISABLED:
        painter.setPen(QPen(made.color("text_disabled"), max(1.5, side * 0.1)))
        painter.drawEllipse(dot)
        painter.drawLine(dot.bottomLeft() + QPointF(1, -1), dot.topRight() + QPointF(-1, 1))
    else:
        dashed = QPen(made.color("line_strong"), max(1.5, side * 0.1))
        dashed.setStyle(Qt.PenStyle.SolidLine if condition is Condition.WAITING else Qt.PenStyle.DotLine)
        painter.setPen(dashed)
        painter.drawEllipse(dot)
        if condition is Condition.WAITING:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(made.color("line_strong"))
            painter.drawPie(dot, 90 * 16, -180 * 16)
    painter.restore()


def condition_icon(condition: Condition, side_px: int) -> QIcon:
    """Return the symbol for lists and menus; ask again on `QEvent.Type.StyleChange`."""
    return QIcon(_made_icon(condition, side_px, look()))


@lru_cache(maxsize=256)
def _made_icon(condition: Condition, side_px: int, made_for: Look) -> QIcon:
    """Return the symbol; every table asks for all of them whenever docks are moved."""
    made = QIcon()
    for ratio in (1, 2):
        pixmap = QPixmap(side_px * ratio, side_px * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        with QPainter(pixmap) as painter:
            paint_condition(painter, QRectF(0, 0, side_px, side_px), condition, made_for)
        made.addPixmap(pixmap)
        made.addPixmap(pixmap, QIcon.Mode.Selected)
    return made


class ConditionSymbol(QWidget):
    """One symbol in a layout; the words beside it are the widget's business that holds it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._condition = Condition.UNKNOWN
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self._condition.value)

    @property
    def condition(self) -> Condition:
        """What is shown."""
        return self._condition

    def show_condition(self, condition: Condition) -> None:
        """Show another condition."""
        if condition is not self._condition:
            self._condition = condition
            self.setAccessibleName(condition.value)
            self.update()

    def sizeHint(self) -> QSize:
        """Return the edge of a line of text."""
        side = round(look().sizes.body * 1.05)
        return QSize(side, side)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the shape."""
        with QPainter(self) as painter:
            paint_condition(painter, QRectF(self.rect()), self._condition, look())
