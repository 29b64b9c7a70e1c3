"""A flight in three dimensions beside its table: turn it by dragging, come near by the wheel, all of it by keys too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QLabel, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from core.kernel.geo import from_mercator
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock
from widgets.drones.track_model import ShowTrack, local_points, thinned
from widgets.drones.words import UNKNOWN
from widgets.map.tracks import N_TONES, ColorBy, Track, legend_of, tone_color
from widgets.twin import pose as poses
from widgets.twin.model import Look, Options, Order, Picture, ShowOptions, Taken
from widgets.twin.palette import palette_for
from widgets.twin.pose import Pose

FIRST_POSE = Pose(azimuth_deg=20.0, elevation_deg=28.0)
TURN_DEG = 7.5
MAX_LINES = 400
RIM_PX = 4.0
LABELS_APART = 0.2
"""Of the track's extent: the highest point is named where it lies so far from the drone."""

_COLUMNS = (
    Column(title="Time"),
    Column(title="Height", is_figure=True),
    Column(title="Speed", is_figure=True),
    Column(title="Latitude", is_figure=True, rank=1),
    Column(title="Longitude", is_figure=True, rank=1),
)


class TrackPage(QWidget):
    """The picture beside the table; the table alone where there is no OpenGL.

    Signals:
        ordered(object): An `Order` for the drawing process.
        looked_at(): Somebody looks: the drawing process is needed.
    """

    ordered = Signal(object)
    looked_at = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = TrackView(self)
        self._said = QLabel("No flight is chosen: choose a drone that flies, or replay a flight.", self)
        self._said.setWordWrap(True)
        self._said.setContentsMargins(*[look().sizes.gap * 2] * 4)
        set_role(self._said, "title")
        self._said.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._table = TextTable("Points of the flight", _COLUMNS, self)
        self._table.setMinimumWidth(look().sizes.body * 15)
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.addWidget(self.view)
        split.addWidget(self._table)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([look().sizes.body * 36, look().sizes.body * 20])
        split.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._said)
        column.addWidget(split, 1)
        self.view.ordered.connect(self.ordered)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads, newest first."""
        return self._table.lines

    @property
    def title(self) -> str:
        """The sentence above the picture."""
        return self._said.text()

    def show_track(self, title: str, track: Track, at: datetime | None) -> None:
        """Show a flight; the marker stands where it was at an instant, or at its end."""
        if self._said.text() != title:
            self._said.setText(title)
        rows = track.rows if at is None else track.rows[track.rows[:, 2] <= at.timestamp()]
        self.view.show_track(track, rows)
        self._table.show_lines(_lines_of(rows[-MAX_LINES:]))

    def show_picture(self, picture: Picture) -> None:
        """Take a picture of the drawing process."""
        self.view.show_picture(picture)

    def show_failed(self, sentence: str) -> None:
        """Say that there is no 3D view here, and leave the table."""
        self.view.hide()
        self._said.setText(f"{sentence} The table has the same content.")

    def say_everything(self) -> None:
        """Tell a drawing process that has just begun what to draw."""
        self.view.say_everything()

    def showEvent(self, event: QShowEvent) -> None:
        """Have somebody draw."""
        super().showEvent(event)
        self.looked_at.emit()


class TrackView(QWidget):
    """The picture and what lies over it.

    Keys: arrows turn and tilt, + and - come near and go away, Home shows all of it.

    Signals:
        ordered(object): An `Order` for the drawing process.
    """

    ordered = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Flight in three dimensions; the table has the same content")
        self.options = Options(palette=palette_for(look().theme))
        self._track: ShowTrack | None = None
        self._image: QImage | None = None
        self._pose = self._seen_from = FIRST_POSE
        self._is_moved = False
        self._dragged_to: QPointF | None = None

    @property
    def has_picture(self) -> bool:
        """Whether there is anything to see."""
        return self._image is not None

    @property
    def track(self) -> ShowTrack | None:
        """What is drawn."""
        return self._track

    def show_track(self, track: Track, rows: np.ndarray) -> None:
        """Draw these rows in the colours of the whole track."""
        points = local_points(rows)
        is_known = np.isfinite(points).all(axis=1) if len(points) else np.empty(0, dtype=bool)
        kept = np.flatnonzero(is_known)[thinned(int(is_known.sum()))]
        points = points[kept]
        legend = legend_of(track, ColorBy.HEIGHT)
        span = max(1e-9, (legend.high or 0.0) - (legend.low or 0.0))
        tones = np.clip((points[:, 2] - (legend.low or 0.0)) / span * N_TONES, 0, N_TONES - 1).astype(int)
        ramp = np.array([tone_color(tone, look()).getRgb()[:3] for tone in range(N_TONES)], dtype=np.uint8)  # type: ignore[index]
        ink = look().color("text_secondary")
        last = tuple(float(part) for part in points[-1]) if len(points) else None
        self._track = ShowTrack(
            points=points.astype(np.float32),
            colors=ramp[tones] if len(points) else np.empty((0, 3), dtype=np.uint8),
            marker=None if last is None else (last[0], last[1], last[2]),
            heading_deg=_heading_of(points),
            ink=(ink.red(), ink.green(), ink.blue()),
        )
        if not self._is_moved:
            self._pose = self._framing()
        self.setAccessibleDescription(f"{len(rows)} points")
        if self.isVisible():
            self.say_everything()

    def say_everything(self) -> None:
        """Order the track and the picture."""
        if self._track is not None:
            self.ordered.emit(ShowOptions(self.options))
            self.ordered.emit(self._track)
            self._order_look()

    def show_picture(self, picture: Picture) -> None:
        """Show what was drawn."""
        self.ordered.emit(Taken())
        image = QImage(
            picture.pixels, picture.width_px, picture.height_px, picture.width_px * 4, QImage.Format.Format_RGB32
        )
        self._image, self._seen_from = image.copy(), picture.pose
        self.update()

    def _framing(self) -> Pose:
        if self._track is None:
            return FIRST_POSE
        aspect = max(1, self.width()) / max(1, self.height())
        return poses.framing(self._track.low, self._track.high, aspect, self._pose)

    def _see(self, pose: Pose) -> None:
        self._pose, self._is_moved = pose, True
        self._order_look()

    def _order_look(self) -> None:
        ratio = self.devicePixelRatioF()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        if self.isVisible() and self._track is not None and width >= 8 and height >= 8:
            order: Order = Look(self._pose, width, height)
            self.ordered.emit(order)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the newest picture, and heights over it."""
        with QPainter(self) as painter:
            if self._image is None:
                painter.fillRect(self.rect(), QColor(*self.options.palette.sky))
            else:
                painter.drawImage(QRectF(self.rect()), self._image)
                self._paint_heights(painter)
            if self.hasFocus():
                painter.setPen(QPen(look().color("focus"), 2))
                painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _paint_heights(self, painter: QPainter) -> None:
        track = self._track
        if track is None or not len(track.points):
            return
        made = look()
        at = int(np.argmax(track.points[:, 2]))
        ends = [(track.points[-1], "")]
        if np.hypot(*(track.points[at] - track.points[-1])[:2]) > LABELS_APART * float((track.high - track.low).max()):
            ends.append((track.points[at], "highest "))
        for point, word in ends:
            places, depths = poses.project(self._seen_from, point[None, :].astype(float), self.width(), self.height())
            if depths[0] <= 0:
                continue
            text = f"{word}{point[2]:.0f} m"
            painter.setFont(made.font(made.sizes.title, weight=QFont.Weight.DemiBold))
            metrics = painter.fontMetrics()
            plate = QRectF(0, 0, metrics.horizontalAdvance(text) + 10, metrics.height())
            plate.moveCenter(QPointF(places[0][0], places[0][1] - metrics.height() * 1.2))
            plate = kept_inside(plate, self.width(), self.height())
            painter.fillRect(plate, made.color("panel"))
            painter.setPen(made.color("text"))
            painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Have a picture of the new size."""
        super().resizeEvent(event)
        if not self._is_moved:
            self._pose = self._framing()
        self._order_look()

    def showEvent(self, event: QShowEvent) -> None:
        """Have it drawn as it is now."""
        super().showEvent(event)
        self.say_everything()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange:
            self.options = Options(palette=palette_for(look().theme))
        super().changeEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to turn."""
        self._dragged_to = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn and tilt with the left button, move with another one."""
        if self._dragged_to is None:
            return
        moved, self._dragged_to = event.position() - self._dragged_to, event.position()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._see(poses.orbit(self._pose, moved.x() * 0.3, moved.y() * 0.3))
        else:
            per_px = self._pose.distance_m / max(1, self.height())
            self._see(poses.pan(self._pose, -moved.x() * per_px, moved.y() * per_px))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Turn no more."""
        self._dragged_to = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Come near or go away."""
        self._see(poses.zoom(self._pose, 1.0015 ** event.angleDelta().y()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do all of it by keys."""
        turns = {
            Qt.Key.Key_Left: (-TURN_DEG, 0.0),
            Qt.Key.Key_Right: (TURN_DEG, 0.0),
            Qt.Key.Key_Up: (0.0, TURN_DEG),
            Qt.Key.Key_Down: (0.0, -TURN_DEG),
        }
        key = event.key()
        if key in turns:
            self._see(poses.orbit(self._pose, *turns[Qt.Key(key)]))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._see(poses.zoom(self._pose, 1.2))
        elif key == Qt.Key.Key_Minus:
            self._see(poses.zoom(self._pose, 1 / 1.2))
        elif key == Qt.Key.Key_Home:
            self._see(self._framing())
            self._is_moved = False
        else:
            super().keyPressEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Return what can still be read."""
        return QSize(220, 160)


def kept_inside(plate: QRectF, width_px: int, height_px: int) -> QRectF:
    """Return a label moved along the border of a picture where it would reach over it."""
    left = max(RIM_PX, min(plate.left(), width_px - RIM_PX - plate.width()))
    top = max(RIM_PX, min(plate.top(), height_px - RIM_PX - plate.height()))
    return QRectF(left, top, plate.width(), plate.height())


def _heading_of(points: np.ndarray) -> float:
    """Return where the last piece of a track leads to; NaN where that is nowhere."""
    if len(points) < 2:
        return float("nan")
    east, north = (points[-1] - points[-2])[:2]
    return float(np.degrees(np.arctan2(east, north)) % 360.0) if np.hypot(east, north) > 0.1 else float("nan")


def _lines_of(rows: np.ndarray) -> Sequence[Line]:
    return [_line_of(row) for row in rows[::-1]]


def _line_of(row: np.ndarray) -> Line:
    x_m, y_m, at_s, height, speed = (float(part) for part in row)
    place = from_mercator(x_m, y_m)
    return Line(
        key=f"{at_s:.3f}",
        cells=(
            format_clock(datetime.fromtimestamp(at_s, UTC)),
            UNKNOWN if np.isnan(height) else f"{height:.1f} m",
            UNKNOWN if np.isnan(speed) else f"{speed:.1f} m/s",
            f"{place.lat_deg:.5f}°",
            f"{place.lon_deg:.5f}°",
        ),
    )
