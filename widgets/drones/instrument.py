"""How a drone flies, at a glance: horizon, speed and height tapes, heading tape; old ones are crossed out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.drones.model import DroneState
from widgets.base.theme import Look, look
from widgets.drones.figure import cross_out_area
from widgets.drones.words import HEIGHT_KEYS, SPEED_KEYS, UNKNOWN, Shown, first_shown, shown

PITCH_SHOWN_DEG = 50.0
"""From the lower to the upper edge of the horizon."""

SPEED_SPAN_MPS, HEIGHT_SPAN_M, HEADING_SPAN_DEG = 24.0, 60.0, 90.0
_CARDINALS = {0: "N", 45: "NE", 90: "E", 135: "SE", 180: "S", 225: "SW", 270: "W", 315: "NW"}
_SHORT = {
    "altitude_home_m": "HEIGHT",
    "altitude_ground_m": "ABOVE GROUND",
    "altitude_amsl_m": "ABOVE SEA",
    "altitude_pressure_m": "PRESSURE",
    "ground_speed_mps": "SPEED",
    "air_speed_mps": "AIR SPEED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attitude:
    """What the instrument shows.

    Attributes:
        speed_title, height_title: Which speed and which height it is.
    """

    roll: Shown
    pitch: Shown
    heading: Shown
    speed: Shown
    height: Shown
    climb: Shown
    speed_title: str
    height_title: str

    @property
    def sentence(self) -> str:
        """The instrument in words."""
        parts = (self.roll, self.pitch, self.heading, self.speed, self.height, self.climb)
        return ", ".join(f"{one.title} {one.sentence}" for one in parts)


def attitude_of(state: DroneState | None, now: datetime) -> Attitude:
    """Return what the instrument of a drone shows at an instant."""
    speed, height = first_shown(state, SPEED_KEYS, now), first_shown(state, HEIGHT_KEYS, now)
    return Attitude(
        roll=shown(state, "roll_deg", now),
        pitch=shown(state, "pitch_deg", now),
        heading=shown(state, "heading_deg", now),
        speed=speed,
        height=height,
        climb=shown(state, "climb_mps", now),
        speed_title=_title(speed, SPEED_KEYS, state, now),
        height_title=_title(height, HEIGHT_KEYS, state, now),
    )


def _title(one: Shown, keys: tuple[str, ...], state: DroneState | None, now: datetime) -> str:
    return next((_SHORT[key] for key in keys if shown(state, key, now).title == one.title), _SHORT[keys[0]])


class FlightInstrument(QWidget):
    """Paints one attitude."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._attitude: Attitude | None = None
        self.setAccessibleName("Flight instruments")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def attitude(self) -> Attitude | None:
        """What is shown."""
        return self._attitude

    def show_attitude(self, attitude: Attitude) -> None:
        """Show another attitude."""
        if attitude != self._attitude:
            self._attitude = attitude
            self.setAccessibleDescription(attitude.sentence)
            self.update()

    def sizeHint(self) -> QSize:
        """Return room for what can be read from 2 m."""
        body = look().sizes.body
        return QSize(body * 32, body * 20)

    def minimumSizeHint(self) -> QSize:
        """Return what a narrow dock gives."""
        body = look().sizes.body
        return QSize(body * 17, body * 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the four instruments."""
        if self._attitude is None:
            return
        made, one = look(), self._attitude
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            room = QRectF(self.rect())
            tape_px = max(made.sizes.body * 4.6, min(room.width() * 0.2, made.sizes.body * 8.0))
            heading_px = made.sizes.heading * 2.1
            gap = made.sizes.gap
            middle = QRectF(
                room.left() + tape_px + gap,
                room.top(),
                room.width() - 2 * (tape_px + gap),
                room.height() - heading_px - gap,
            )
            left = QRectF(room.left(), room.top(), tape_px, room.height())
            right = QRectF(room.right() - tape_px, room.top(), tape_px, room.height())
            bottom = QRectF(middle.left(), middle.bottom() + gap, middle.width(), heading_px)
            _paint_horizon(painter, middle, one, made)
            _paint_tape(painter, left, one.speed, one.speed_title, SPEED_SPAN_MPS, made)
            _paint_tape(painter, right, one.height, one.height_title, HEIGHT_SPAN_M, made)
            _paint_climb(painter, right, one.climb, made)
            _paint_heading(painter, bottom, one.heading, made)


def _paint_horizon(painter: QPainter, rect: QRectF, one: Attitude, made: Look) -> None:
    painter.save()
    clip = QPainterPath()
    clip.addRoundedRect(rect, made.sizes.radius, made.sizes.radius)
    painter.setClipPath(clip)
    painter.fillRect(rect, made.color("raised"))
    roll, pitch = one.roll.value, one.pitch.value
    if roll is None or pitch is None:
        _paint_no_value(painter, rect, "No attitude is known", made)
        painter.restore()
        return
    px_per_deg = rect.height() / PITCH_SHOWN_DEG
    painter.save()
    painter.translate(rect.center())
    painter.rotate(-roll)
    far = rect.width() + rect.height()
    horizon = max(-far, min(far, pitch * px_per_deg))
    painter.fillRect(QRectF(-far, -2 * far + horizon, 2 * far, 2 * far), made.color("sky"))
    painter.fillRect(QRectF(-far, horizon, 2 * far, 2 * far), made.color("ground"))
    painter.setPen(QPen(made.color("text"), 2.0))
    painter.drawLine(QPointF(-far, horizon), QPointF(far, horizon))
    _paint_ladder(painter, rect, pitch, px_per_deg, made)
    painter.restore()
    _paint_roll_scale(painter, rect, roll, made)
    _paint_wings(painter, rect, made)
    age = one.roll.age or one.pitch.age
    if age:
        cross_out_area(painter, rect, age, made)
    painter.restore()


def _paint_ladder(painter: QPainter, rect: QRectF, pitch: float, px_per_deg: float, made: Look) -> None:
    """Paint the lines of pitch, every 10 degrees with figures; the painter stands in the middle, turned by the roll."""
    painter.setFont(made.font(made.sizes.small))
    first = int((pitch - PITCH_SHOWN_DEG / 2) // 5) * 5
    for angle in range(first, first + int(PITCH_SHOWN_DEG) + 10, 5):
        y = (pitch - angle) * px_per_deg
        if angle == 0 or abs(angle) > 90 or abs(y) > rect.height() * 0.36:
            continue
        half = rect.width() * (0.13 if angle % 10 == 0 else 0.06)
        painter.setPen(QPen(made.color("text"), 1.5))
        painter.drawLine(QPointF(-half, y), QPointF(half, y))
        if angle % 10 == 0:
            height = made.sizes.body
            box = QRectF(half + 5, y - height, 3.0 * height, 2.0 * height)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), str(abs(angle)))


def _paint_roll_scale(painter: QPainter, rect: QRectF, roll: float, made: Look) -> None:
    radius = min(rect.width(), rect.height()) * 0.44
    painter.save()
    painter.translate(rect.center())
    painter.setPen(QPen(made.color("text"), 1.5))
    for angle in (-60, -45, -30, -20, -10, 0, 10, 20, 30, 45, 60):
        painter.save()
        painter.rotate(angle - roll)
        painter.drawLine(QPointF(0, -radius), QPointF(0, -radius + (10 if angle % 30 == 0 else 6)))
        painter.restore()
    painter.setBrush(made.color("focus"))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawPolygon(QPolygonF([QPointF(0, -radius + 11), QPointF(-7, -radius + 23), QPointF(7, -radius + 23)]))
    painter.restore()


def _paint_wings(painter: QPainter, rect: QRectF, made: Look) -> None:
    """Paint the drone itself, as seen from behind."""
    middle, reach = rect.center(), rect.width() * 0.2
    for color, width in ((made.color("picture"), 7.0), (made.color("focus"), 4.0)):
        painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        for side in (-1.0, 1.0):
            inner = middle + QPointF(side * reach * 0.4, 0)
            painter.drawPolyline(
                QPolygonF([middle + QPointF(side * reach, 0), inner, inner + QPointF(-side * reach * 0.2, reach * 0.2)])
            )
        painter.drawPoint(middle)


def _paint_tape(painter: QPainter, rect: QRectF, one: Shown, title: str, span: float, made: Look) -> None:
    """Paint a scale that runs past its figure.

    Args:
        painter: Left as it was.
        rect: Title above, tape below.
        one: The value; unknown ones have no scale.
        title: Above the tape.
        span: Units from the lower to the upper edge.
        made: The look of the application.
    """
    sizes = made.sizes
    painter.save()
    painter.setFont(made.font(sizes.caption))
    painter.setPen(made.color("text_secondary"))
    head = QRectF(rect.left(), rect.top(), rect.width(), sizes.caption * 1.5)
    unit = f"{title}  {one.unit}"
    fits = QFontMetricsF(painter.font()).horizontalAdvance(unit) <= rect.width()
    painter.drawText(head, Qt.AlignmentFlag.AlignCenter, unit if fits else title)
    tape = rect.adjusted(0, head.height(), 0, -head.height())
    painter.fillRect(tape, made.color("raised"))
    if one.value is None:
        _paint_no_value(painter, tape, UNKNOWN, made)
        painter.restore()
        return
    painter.setClipRect(tape)
    _paint_tape_marks(painter, tape, one.value, span, made)
    _paint_tape_box(painter, tape, one.text, made)
    if one.age:
        cross_out_area(painter, tape, one.age, made)
    painter.restore()


def _paint_tape_marks(painter: QPainter, tape: QRectF, value: float, span: float, made: Look) -> None:
    px_per_unit = tape.height() / span
    step = next(one for one in (1, 2, 5, 10, 20, 50) if one * px_per_unit >= made.sizes.body * 0.9)
    first = int((value - span / 2) // step) * step
    painter.setFont(made.font(made.sizes.small))
    for mark in range(first, int(first + span + 2 * step), step):
        y = tape.center().y() + (value - mark) * px_per_unit
        is_named = mark % (step * 2) == 0
        painter.setPen(QPen(made.color("line_strong"), 1.5))
        painter.drawLine(QPointF(tape.right() - (12 if is_named else 7), y), QPointF(tape.right(), y))
        if is_named:
            painter.setPen(made.color("text_secondary"))
            box = QRectF(tape.left(), y - made.sizes.body, tape.width() - 18, 2.0 * made.sizes.body)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), str(mark))


def _paint_tape_box(painter: QPainter, tape: QRectF, text: str, made: Look) -> None:
    size_px = round(made.sizes.display * 1.05)
    while size_px > made.sizes.body and QFontMetricsF(
        made.font(size_px, weight=QFont.Weight.DemiBold)
    ).horizontalAdvance(text) > (tape.width() - 10):
        size_px -= 1
    box = QRectF(tape.left(), 0, tape.width(), made.sizes.display * 1.5)
    box.moveCenter(tape.center())
    painter.setPen(QPen(made.color("line_strong"), 1.5))
    painter.setBrush(made.color("window"))
    painter.drawRect(box.adjusted(1, 0, -1, 0))
    painter.setFont(made.font(size_px, weight=QFont.Weight.DemiBold))
    painter.setPen(made.color("text"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def _paint_climb(painter: QPainter, rect: QRectF, climb: Shown, made: Look) -> None:
    line = QRectF(rect.left(), rect.bottom() - made.sizes.caption * 1.5, rect.width(), made.sizes.caption * 1.5)
    painter.save()
    painter.setFont(made.font(made.sizes.small, weight=QFont.Weight.DemiBold))
    painter.setPen(made.color("text" if climb.is_present else "text_disabled"))
    arrow = "" if not climb.value or not climb.is_present else ("▲ " if climb.value > 0 else "▼ ")
    text = f"{arrow}{climb.text.lstrip('-') if climb.is_present else climb.text} {climb.unit}"
    painter.drawText(line, Qt.AlignmentFlag.AlignCenter, f"{climb.age} old" if climb.age else text)
    painter.restore()


def _paint_heading(painter: QPainter, rect: QRectF, one: Shown, made: Look) -> None:
    painter.save()
    painter.setClipRect(rect)
    painter.fillRect(rect, made.color("raised"))
    if one.value is None:
        _paint_no_value(painter, rect, "Heading --", made)
        painter.restore()
        return
    px_per_deg = rect.width() / HEADING_SPAN_DEG
    painter.setFont(made.font(made.sizes.small))
    first = int((one.value - HEADING_SPAN_DEG / 2) // 15) * 15
    for mark in range(first, first + int(HEADING_SPAN_DEG) + 31, 15):
        x = rect.center().x() + (mark - one.value) * px_per_deg
        painter.setPen(QPen(made.color("line_strong"), 1.5))
        painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.top() + (9 if mark % 45 == 0 else 6)))
        painter.setPen(made.color("text_secondary"))
        name = _CARDINALS.get(mark % 360, f"{mark % 360:03d}")
        box = QRectF(x - 30, rect.top() + 8, 60, rect.height() - 10)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)
    plate = QRectF(0, 0, made.sizes.heading * 3.4, rect.height())
    plate.moveCenter(rect.center())
    painter.setPen(QPen(made.color("line_strong"), 1.5))
    painter.setBrush(made.color("window"))
    painter.drawRect(plate.adjusted(0, 1, 0, -1))
    painter.setFont(made.font(made.sizes.heading, weight=QFont.Weight.DemiBold))
    painter.setPen(made.color("text"))
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, f"{round(one.value) % 360:03d}°")
    if one.age:
        cross_out_area(painter, rect, one.age, made)
    painter.restore()


def _paint_no_value(painter: QPainter, rect: QRectF, text: str, made: Look) -> None:
    painter.setFont(made.font(made.sizes.title))
    painter.setPen(made.color("text_disabled"))
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), text)
