"""The lots in three dimensions: orbit, pan, zoom, fly to a bay, pick one; by mouse and by keyboard.

What is shown is a picture that another process drew; labels, the selection and alarms are painted over it here, where
that picture was seen from. The table (`widgets/twin/table.py`) has the same content.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHideEvent,
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
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.base.symbols import AlarmMark, Attention, Flash, flash_at
from widgets.base.theme import look
from widgets.twin import pose as poses
from widgets.twin.board import Board
from widgets.twin.model import BaysLook, Look, Options, Picture, ShowBays, ShowLots, ShowOptions, Taken
from widgets.twin.overlay import Legend, Overlay, Sight, Told
from widgets.twin.pose import Pose
from widgets.twin.scene import BayKey, TwinScene, spread
from widgets.twin.shapes import ROOF_Z

FLIGHT_S = 0.7
FLIGHT_STEP_MS = 16
PULSE_MS = 500
"""Half of a pulse: one in a second, far below what WCAG 2.3.1 allows."""

MAX_UNANSWERED = 3
"""So many orders to look from somewhere go out before a picture came back."""

CLICK_PX = 4
FIRST_POSE = Pose(azimuth_deg=20.0, elevation_deg=42.0)
FLY_TO_BAY_M = 34.0
SIGHT_RIM_PX = 20
"""A bay whose middle is nearer to the side of the picture is cut off."""

TURN_DEG = 7.5
"""By one press of a key."""


class TwinView(QWidget):
    """The picture and what lies over it.

    Signals:
        ordered(object): An `Order` for the drawing process.
        bay_picked(str, str): Lot and bay; both empty where the ground was clicked.
        live_wanted(): The operator wants to see what is now.
        level_step_wanted(int): One level up or down.
        bay_step_wanted(int): The next bay or the one before.
        look_painted(int): The first picture with this look of the bays, counted by `look_number`, was painted.
    """

    ordered = Signal(object)
    bay_picked = Signal(str, str)
    live_wanted = Signal()
    level_step_wanted = Signal(int)
    bay_step_wanted = Signal(int)
    look_painted = Signal(int)

    def __init__(self, options: Options, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Lots in three dimensions; the table has the same content")
        self._options = options
        self._number = 0
        self._scene: TwinScene | None = None
        self._given: TwinScene | None = None
        """As it was built; `_scene` is the same, pulled apart where that is wanted."""

        self._told = Told()
        self._overlay = Overlay()
        self._image: QImage | None = None
        self._pixels = b""
        self._seen_from = FIRST_POSE
        self._pose = FIRST_POSE
        self._is_framed = False
        self._selected: BayKey | None = None
        self._hovered: int | None = None
        self._pressed_at: QPointF | None = None
        self._dragged_to: QPointF | None = None
        self._has_dragged = False
        self._flight: tuple[Pose, Pose, float] | None = None
        self._n_unanswered = 0
        self._is_look_due = False
        self.n_pictures = 0
        self.look_number = 0
        self._drawn_look = self._painted_look = 0
        self.draw_s = 0.0
        self._flying = QTimer(self)
        self._flying.setInterval(FLIGHT_STEP_MS)
        self._flying.timeout.connect(self._on_flight)
        self._pulse = QTimer(self)
        self._pulse.setInterval(PULSE_MS)
        self._pulse.timeout.connect(self._on_pulse)

    # -- what is shown -----------------------------------------------------------------------------------------------

    @property
    def scene(self) -> TwinScene | None:
        """The lots as geometry; None until they are built."""
        return self._scene

    @property
    def bays_look(self) -> BaysLook | None:
        """How the bays are shown to stand."""
        return self._told.look

    @property
    def pose(self) -> Pose:
        """Where the scene is seen from, or will be once a flight has ended."""
        return self._flight[1] if self._flight is not None else self._pose

    @property
    def notice(self) -> str:
        """What the operator reads over the picture: that it is not live."""
        return self._told.notice

    @property
    def written(self) -> tuple[str, ...]:
        """The words that were painted over the last picture."""
        return tuple(self._overlay.written)

    @property
    def is_flying(self) -> bool:
        """Whether the eye is on its way."""
        return self._flight is not None

    @property
    def pulses_per_s(self) -> float:
        """How often the outline of a lot with an alarm gets brighter."""
        return 1000 / (2 * self._pulse.interval()) if self._pulse.isActive() else 0.0

    @property
    def options(self) -> Options:
        """What of the scene is drawn, and how."""
        return self._options

    @property
    def has_picture(self) -> bool:
        """Whether there is anything to see."""
        return self._image is not None

    def order_lots(self, lots: tuple[object, ...]) -> int:
        """Have these lots built; returns their number, which the built scene carries."""
        self._number += 1
        self.ordered.emit(ShowLots(lots, self._number))  # type: ignore[arg-type]
        return self._number

    def show_scene(self, scene: TwinScene, number: int) -> None:
        """Take the geometry of the lots that were ordered last."""
        if number != self._number:
            return
        before = self._given
        self._given = scene
        self._scene = spread(scene) if self._options.is_apart else scene
        self._told.look = None
        self._hovered = None
        if self._selected not in scene.index:
            self._selected = None
        if before is None or {lot.lot_id for lot in before.lots} != {lot.lot_id for lot in scene.lots}:
            self._is_framed = False
        self._frame_first()

    def show_look(self, shown: BaysLook, *, at_once: bool = False) -> None:
        """Show how bays stand."""
        self._told.look = shown
        self.look_number += 1
        if self.isVisible():
            self.ordered.emit(ShowBays(shown, self._number, at_once, self.look_number))
        self.update()

    def show_board(self, board: Board | None) -> None:
        """Say what is known of each bay, for ages on labels; None while the scene is not live."""
        self._told.board = board
        self.update()

    def show_options(self, options: Options) -> None:
        """Draw it another way."""
        if options == self._options:
            return
        is_other_scene = options.is_apart != self._options.is_apart
        self._options = options
        self.ordered.emit(ShowOptions(options))
        if is_other_scene and self._given is not None:
            self._scene = spread(self._given) if options.is_apart else self._given
            self.fly_home()
        self.update()

    def show_notice(self, sentence: str) -> None:
        """Say over the picture that it is not what is now; nothing for live."""
        self._told.notice = sentence
        self.update()

    def show_legend(self, legend: Legend | None) -> None:
        """Say what the colours mean; None where they are states."""
        self._told.legend = legend
        self.update()

    def show_captions(self, by_lot: Mapping[str, str], by_zone: Mapping[tuple[str, str], str]) -> None:
        """Say these instead of counts, under the names of lots and zones."""
        self._told.captions, self._told.zone_captions = dict(by_lot), dict(by_zone)
        self.update()

    def show_no_position(self, names: Iterable[str]) -> None:
        """Name cameras that see bays, and of which nobody said where they stand."""
        self._told.no_position = tuple(names)
        self.update()

    def show_alarms(self, alarms: Mapping[str, AlarmMark]) -> None:
        """Mark lots that have an alarm, the most urgent one of each; what is acknowledged stands still."""
        self._told.alarms = dict(alarms)
        asks = any(mark.attention is not Attention.NONE for mark in alarms.values())
        is_pulsing = asks and not look().is_reduced_motion
        if is_pulsing and not self._pulse.isActive():
            self._pulse.start()
        elif not is_pulsing:
            self._pulse.stop()
            self._told.flash = Flash()
        self.update()

    def show_picture(self, picture: Picture) -> None:
        """Take a picture of the drawing process."""
        self.ordered.emit(Taken())
        self._n_unanswered = 0
        if self._is_look_due:
            self._order_look()
        if len(picture.pixels) != picture.width_px * picture.height_px * 4:
            return
        # Painted without converting; the bytes belong to Python and are kept as long as the image.
        self._pixels = picture.pixels
        self._image = QImage(
            self._pixels, picture.width_px, picture.height_px, picture.width_px * 4, QImage.Format.Format_RGB32
        )
        self._seen_from = picture.pose
        self._drawn_look = picture.look_number
        self.draw_s = picture.draw_s
        self.n_pictures += 1
        self.update()

    def say_everything(self) -> None:
        """Say all that the drawing process has to know, to one that has just begun."""
        self._n_unanswered = 0
        self.ordered.emit(ShowOptions(self._options))
        self._order_look()

    def select(self, key: BayKey | None) -> None:
        """Mark a bay."""
        self._selected = key
        self.update()

    # -- the way one sees it -----------------------------------------------------------------------------------------

    def fly_to_bay(self, key: BayKey) -> None:
        """Come to a bay, as one sees it from where one drives in."""
        if self._scene is None or key not in self._scene.index:
            return
        i = self._scene.index[key]
        x, y, z = self._scene.centres[i]
        inward_deg = 90.0 - float(self._scene.inward_deg[i])
        self.fly_to(
            Pose(
                x_m=float(x),
                y_m=float(y),
                z_m=float(z),
                distance_m=min(self.pose.distance_m, FLY_TO_BAY_M),
                azimuth_deg=inward_deg % 360.0,
                elevation_deg=46.0,
            )
        )

    def _bring_selected_into_sight(self) -> None:
        """Pan to the selected bay: the card that tells of it takes room from the picture."""
        i = self._index_of_selected()
        if i is not None and self._scene is not None:
            x, y, z = (float(v) for v in self._scene.centres[i])
            self.fly_to(replace(self.pose, x_m=x, y_m=y, z_m=z))

    def _is_selected_in_sight(self, width_px: int, height_px: int) -> bool:
        i = self._index_of_selected()
        if i is None or self._scene is None:
            return False
        at, depth = poses.project(self.pose, self._scene.centres[[i]], width_px, height_px)
        x, y = at[0]
        return bool(depth[0] > 0 and SIGHT_RIM_PX < x < width_px - SIGHT_RIM_PX and 0 < y < height_px)

    def fly_to_lot(self, lot_id: str) -> None:
        """See one lot whole."""
        place = self._scene.lot(lot_id) if self._scene is not None else None
        if place is not None:
            self.fly_to(poses.framing(place.low, place.high, self._aspect(), self.pose))

    def fly_home(self) -> None:
        """See everything."""
        if self._scene is not None:
            self.fly_to(poses.framing(self._scene.low, self._scene.high, self._aspect(), FIRST_POSE))

    def see_from_above(self) -> None:
        """Look straight down, north up."""
        self.fly_to(poses.orbit(poses.orbit(self.pose, -self.pose.azimuth_deg, 0.0), 0.0, 90.0))

    def fly_to(self, pose: Pose) -> None:
        """Go there; at once where motion is reduced."""
        if look().is_reduced_motion or not self.isVisible():
            self.fly_to_at_once(pose)
            return
        self._flight = (self._pose, pose, time.monotonic())
        self._flying.start()

    def fly_to_at_once(self, pose: Pose) -> None:
        """Be there."""
        self._flight = None
        self._flying.stop()
        self._see(pose)

    def shot(self) -> QImage:
        """Return what the operator sees, labels included."""
        return self.grab().toImage()

    def bay_at(self, x_px: float, y_px: float) -> int | None:
        """Return the bay under a place in the widget: its car where one stands there, else its ground."""
        scene = self._scene
        if scene is None or scene.n_bays == 0:
            return None
        way = poses.ray(self._pose, x_px, y_px, self.width(), self.height())
        levels = scene.levels_shown(self._options.top_level)
        for deck in scene.decks:
            if deck.level not in levels:
                continue
            found = self._hit(deck.indices, way)
            if found is not None:
                return found
            at = poses.on_plane(self._pose, way, deck.height_m)
            if at is not None and _inside(deck.pad[None, :, :2], at[:2])[0]:
                # Its ground hides what is below.
                return None
        return None

    def _hit(self, here: NDArray[np.intp], way: NDArray[np.float64]) -> int | None:
        scene = self._scene
        assert scene is not None
        heights = np.unique(np.round(scene.centres[here, 2], 3))
        for lift_m in (ROOF_Z * 0.7, 0.0):
            for height_m in heights:
                at = poses.on_plane(self._pose, way, float(height_m) + lift_m)
                if at is None:
                    continue
                same = here[np.abs(scene.centres[here, 2] - height_m) < 0.01]
                if lift_m and self._told.look is not None:
                    same = same[self._told.look.shown[same] == 2]
                inside = _inside(scene.corners[same][:, :, :2], at[:2])
                if inside.any():
                    return int(same[int(np.argmax(inside))])
        return None

    def _aspect(self) -> float:
        return max(1, self.width()) / max(1, self.height())

    def _frame_first(self) -> None:
        if self._scene is not None and not self._is_framed and self.width() > 50 and self.isVisible():
            self._is_framed = True
            self._flight = None
            self._flying.stop()
            self._see(poses.framing(self._scene.low, self._scene.high, self._aspect(), FIRST_POSE))

    def _see(self, pose: Pose) -> None:
        # Painted anew with the picture that comes: what lies over it belongs to where that one was seen from.
        self._pose = pose
        self._order_look()

    def _order_look(self) -> None:
        if not self.isVisible() or self._scene is None:
            return
        ratio = self.devicePixelRatioF()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        if width < 8 or height < 8:
            return
        # More orders than pictures only keep both processes awake: the newest goes out with the picture that comes.
        self._is_look_due = self._n_unanswered >= MAX_UNANSWERED
        if not self._is_look_due:
            self._n_unanswered += 1
            self.ordered.emit(Look(self._pose, width, height))

    def _on_flight(self) -> None:
        if self._flight is None:
            self._flying.stop()
            return
        begin, end, since_s = self._flight
        share = (time.monotonic() - since_s) / FLIGHT_S
        if share >= 1.0:
            self._flight = None
            self._flying.stop()
        self._see(poses.between(begin, end, share))

    def _on_pulse(self) -> None:
        self._told.flash = flash_at(time.monotonic(), look())
        self.update()

    # -- painting ----------------------------------------------------------------------------------------------------

    def _sight(self, scene: TwinScene) -> Sight:
        return Sight(
            scene=scene,
            options=self._options,
            pose=self._seen_from,
            width_px=self.width(),
            height_px=self.height(),
            ratio=self.devicePixelRatioF(),
            levels=scene.levels_shown(self._options.top_level),
        )

    def _index_of_selected(self) -> int | None:
        if self._selected is None or self._scene is None:
            return None
        return self._scene.index.get(self._selected)

    # -- Qt ----------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the newest picture and what lies over it."""
        with QPainter(self) as painter:
            if self._image is None:
                painter.fillRect(self.rect(), QColor(*self._options.palette.sky))
            else:
                painter.drawImage(QRectF(self.rect()), self._image)
                if self._scene is not None:
                    sight = self._sight(self._scene)
                    self._overlay.paint(painter, sight, self._told, self._hovered, self._index_of_selected())
            if self.hasFocus():
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.setPen(QPen(look().color("focus"), 2))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        if self._drawn_look != self._painted_look:
            self._painted_look = self._drawn_look
            self.look_painted.emit(self._painted_look)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Have a picture of the new size."""
        super().resizeEvent(event)
        self._frame_first()
        was = event.oldSize()
        if self._is_selected_in_sight(was.width(), was.height()) and not self._is_selected_in_sight(
            self.width(), self.height()
        ):
            self._bring_selected_into_sight()
        self._order_look()

    def showEvent(self, event: QShowEvent) -> None:
        """Say how bays stand now: nothing was said while nobody looked."""
        super().showEvent(event)
        self._frame_first()
        if self._told.look is not None:
            self.ordered.emit(ShowBays(self._told.look, self._number, True, self.look_number))
        self._order_look()

    def hideEvent(self, event: QHideEvent) -> None:
        """Fly nowhere while nobody looks."""
        super().hideEvent(event)
        self._flying.stop()
        self._flight = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag, or to click."""
        self._pressed_at = self._dragged_to = event.position()
        self._has_dragged = False
        self._flight = None
        self._flying.stop()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan with the left button, turn and tilt with another one or with Shift; else mark what lies below."""
        at = event.position()
        if self._pressed_at is None or self._dragged_to is None:
            self._hover(self.bay_at(at.x(), at.y()))
            return
        if not self._has_dragged and (at - self._pressed_at).manhattanLength() < CLICK_PX:
            return
        self._has_dragged = True
        moved = at - self._dragged_to
        self._dragged_to = at
        is_turning = event.buttons() != Qt.MouseButton.LeftButton
        if is_turning or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._see(poses.orbit(self._pose, moved.x() * 0.3, moved.y() * 0.3))
            return
        per_px = 1.0 / float(poses.px_per_m(np.array(self._pose.distance_m), self.height()))
        lean = max(0.25, math.sin(math.radians(self._pose.elevation_deg)))
        self._see(poses.pan(self._pose, -moved.x() * per_px, moved.y() * per_px / lean))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Pick the bay under a click."""
        was_click = self._pressed_at is not None and not self._has_dragged
        self._pressed_at = self._dragged_to = None
        if was_click and event.button() == Qt.MouseButton.LeftButton:
            self._pick(self.bay_at(event.position().x(), event.position().y()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fly to the bay."""
        index = self.bay_at(event.position().x(), event.position().y())
        if index is not None and self._scene is not None:
            self.fly_to_bay(self._scene.keys[index])

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Come closer to what lies under the pointer, or go away from it."""
        at = event.position()
        way = poses.ray(self._pose, at.x(), at.y(), self.width(), self.height())
        towards = poses.on_plane(self._pose, way, self._pose.z_m)
        self._flight = None
        self._see(poses.zoom(self._pose, 1.0015 ** event.angleDelta().y(), towards))
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        """Mark nothing."""
        super().leaveEvent(event)
        self._hover(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do all of it by keys."""
        if not self._press(event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)):
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange:
            self.update()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return a picture of usual shape."""
        return QSize(640, 400)

    def minimumSizeHint(self) -> QSize:
        """Return what can still be read."""
        return QSize(240, 160)

    def _press(self, key: int, is_shifted: bool) -> bool:
        """Do what a key says; returns whether it says anything."""
        step_m = self._pose.distance_m * 0.06
        arrows = {
            Qt.Key.Key_Left: (-1.0, 0.0),
            Qt.Key.Key_Right: (1.0, 0.0),
            Qt.Key.Key_Up: (0.0, 1.0),
            Qt.Key.Key_Down: (0.0, -1.0),
        }
        if key in arrows:
            right, ahead = arrows[Qt.Key(key)]
            self._flight = None
            if is_shifted:
                self._see(poses.orbit(self._pose, right * TURN_DEG, ahead * TURN_DEG))
            else:
                self._see(poses.pan(self._pose, right * step_m, ahead * step_m))
            return True
        acts: dict[Qt.Key, Callable[[], None]] = {
            Qt.Key.Key_Plus: lambda: self._see(poses.zoom(self._pose, 1.2)),
            Qt.Key.Key_Equal: lambda: self._see(poses.zoom(self._pose, 1.2)),
            Qt.Key.Key_Minus: lambda: self._see(poses.zoom(self._pose, 1 / 1.2)),
            Qt.Key.Key_Home: self.fly_home,
            Qt.Key.Key_0: self.fly_home,
            Qt.Key.Key_T: self.see_from_above,
            Qt.Key.Key_F: self._fly_to_selected,
            Qt.Key.Key_L: lambda: self.live_wanted.emit(),
            Qt.Key.Key_PageUp: lambda: self.level_step_wanted.emit(1),
            Qt.Key.Key_PageDown: lambda: self.level_step_wanted.emit(-1),
            Qt.Key.Key_Period: lambda: self.bay_step_wanted.emit(1),
            Qt.Key.Key_Comma: lambda: self.bay_step_wanted.emit(-1),
            Qt.Key.Key_Escape: lambda: self.bay_picked.emit("", ""),
        }
        act = acts.get(Qt.Key(key)) if key in {int(one) for one in acts} else None
        if act is None:
            return False
        act()
        return True

    def _fly_to_selected(self) -> None:
        if self._selected is not None:
            self.fly_to_bay(self._selected)

    def _hover(self, index: int | None) -> None:
        if index == self._hovered:
            return
        self._hovered = index
        self.setCursor(Qt.CursorShape.PointingHandCursor if index is not None else Qt.CursorShape.ArrowCursor)
        self.update()

    def _pick(self, index: int | None) -> None:
        lot_id, bay_id = self._scene.keys[index] if index is not None and self._scene is not None else ("", "")
        self.bay_picked.emit(lot_id, bay_id)


def _inside(quads: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which four-cornered outlines, counter-clockwise, hold a point; quads of shape (n, 4, 2)."""
    edges = np.roll(quads, -1, axis=1) - quads
    around = at[None, None] - quads
    cross = edges[..., 0] * around[..., 1] - edges[..., 1] * around[..., 0]
    return np.asarray(np.all(cross >= -1e-6, axis=1))
