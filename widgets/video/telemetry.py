"""What a drone said when a picture was taken, on that picture: each is shown by its own time."""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from core.drones.model import DroneState
from widgets.base.theme import Look
from widgets.drones.words import (
    HEIGHT_KEYS,
    SPEED_KEYS,
    UNKNOWN,
    Shown,
    battery_shown,
    first_shown,
    mode_words,
    shown,
)
from widgets.video.overlay import SMALL_PX

KEPT_S = 60.0
"""A picture that is later than that has no telemetry any more."""

APART_S = 2.0
"""Telemetry farther from its picture than this is said to be."""

_PLATE = QColor(11, 14, 17, 190)
_HORIZON_SHARE = 0.16


class TelemetryTape:
    """The newest states of one drone, by the time at which they came.

    Threads: the GUI's.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._states: deque[tuple[float, DroneState]] = deque(maxlen=900)

    def add(self, state: DroneState) -> None:
        """Keep a newer state."""
        newest = max((one.at for one in state.values.values()), default=state.heartbeat_at)
        if newest is None:
            return
        at_s = newest.timestamp()
        if self._states and at_s <= self._states[-1][0]:
            return
        self._states.append((at_s, state))
        while at_s - self._states[0][0] > KEPT_S:
            self._states.popleft()

    def at(self, captured_at_s: float) -> tuple[DroneState, float] | None:
        """Return the last state up to the time of a picture, and how much older it is [s]; None where there is none."""
        index = bisect.bisect_right(self._states, captured_at_s, key=lambda item: item[0]) - 1
        if index < 0:
            return None
        at_s, state = self._states[index]
        return state, captured_at_s - at_s


@dataclass(frozen=True, slots=True, kw_only=True)
class OnPicture:
    """What is written and drawn onto a picture.

    Attributes:
        roll, pitch: Where both are the present of the picture, a horizon is drawn.
    """

    lines: tuple[str, ...]
    roll_deg: float | None
    pitch_deg: float | None


def on_picture(tape: TelemetryTape, captured_at_s: float) -> OnPicture:
    """Return what goes onto the picture that was taken at an instant."""
    found = tape.at(captured_at_s)
    if found is None:
        return OnPicture(lines=(f"{tape.name}  no telemetry",), roll_deg=None, pitch_deg=None)
    state, apart_s = found
    at = datetime.fromtimestamp(captured_at_s, UTC)
    late = f"  telemetry {apart_s:.0f} s before the picture" if apart_s > APART_S else ""
    figures = (
        ("H", first_shown(state, HEIGHT_KEYS, at)),
        ("", first_shown(state, SPEED_KEYS, at)),
        ("HDG", shown(state, "heading_deg", at)),
        ("BAT", battery_shown(state, at)),
        ("HOME", shown(state, "home_distance_m", at)),
    )
    roll, pitch = shown(state, "roll_deg", at), shown(state, "pitch_deg", at)
    is_known = roll.is_present and pitch.is_present
    return OnPicture(
        lines=(f"{tape.name}  {mode_words(state, at)}{late}", "   ".join(_figure(*one) for one in figures)),
        roll_deg=roll.value if is_known else None,
        pitch_deg=pitch.value if is_known else None,
    )


def paint_telemetry(painter: QPainter, picture: QRectF, room: QRectF, one: OnPicture, made: Look) -> None:
    """Paint the horizon in the middle of the picture, and the words along its upper edge.

    Args:
        painter: Left as it was.
        picture: Where the whole picture lies.
        room: What is seen of it and free.
        one: What is painted.
        made: The look of what stands on pictures.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if one.roll_deg is not None and one.pitch_deg is not None:
        _paint_horizon(painter, picture, one.roll_deg, one.pitch_deg, made)
    is_small = picture.width() < SMALL_PX
    lines = one.lines[-1:] if is_small else one.lines
    font = made.font(made.sizes.caption if is_small else made.sizes.title, weight=QFont.Weight.DemiBold)
    metrics = QFontMetricsF(font)
    painter.setFont(font)
    top = room.top() + made.sizes.gap
    for text in lines:
        cut = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width() - 4 * made.sizes.gap)
        plate = QRectF(0, 0, metrics.horizontalAdvance(cut) + 2 * made.sizes.gap, metrics.height() + 2)
        plate.moveTop(top)
        plate.moveLeft(room.center().x() - plate.width() / 2)
        painter.fillRect(plate, _PLATE)
        painter.setPen(made.color("on_picture"))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, cut)
        top = plate.bottom() + 1
    painter.restore()


def _paint_horizon(painter: QPainter, picture: QRectF, roll_deg: float, pitch_deg: float, made: Look) -> None:
    half = picture.width() * _HORIZON_SHARE
    painter.save()
    painter.translate(picture.center())
    painter.rotate(-roll_deg)
    y = max(-0.4, min(0.4, pitch_deg / 60.0)) * picture.height()
    sides = [QLineF(-half, y, -half * 0.4, y), QLineF(half * 0.4, y, half, y)]
    _draw_twice(painter, sides, made)
    painter.restore()
    middle, reach = picture.center(), picture.width() * 0.015
    _draw_twice(
        painter,
        [
            QLineF(middle - QPointF(reach, 0), middle + QPointF(reach, 0)),
            QLineF(middle - QPointF(0, reach), middle + QPointF(0, reach)),
        ],
        made,
    )


def _draw_twice(painter: QPainter, lines: list[QLineF], made: Look) -> None:
    for color, width in ((QColor(0, 0, 0, 130), 4.0), (made.color("on_picture"), 1.8)):
        painter.setPen(QPen(color, width))
        painter.drawLines(lines)


def _figure(title: str, one: Shown) -> str:
    words = one.sentence if one.value is not None else UNKNOWN
    return f"{title} {words}".strip()
