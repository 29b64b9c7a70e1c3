"""One tile of the wall: the operator sees one camera, and at a glance whether the picture is from now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from core.cameras.model import Camera
from core.incidents.model import Priority
from core.kernel.clock import Clock
from core.media.model import StreamReport
from widgets.base.state_overlay import paint_hatching, paint_sentence
from widgets.base.symbols import PRIORITY_WORDS, paint_bad_quality, paint_priority
from widgets.base.theme import picture_look
from widgets.video.model import DrawnTrack, TrackSet, VideoFrame
from widgets.video.overlay import OverlayPainter, Shown
from widgets.video.status import PictureLook, TileStatus, describe_tile
from widgets.video.tracks import TrackHistory

CAMERA_MIME = "application/x-watchfloor-camera"
EMPTY = TileStatus(word="", look=PictureLook.BLANK, sentence="No camera", hint="Drag one here, or press 1 to 9.")
_LIVE_STEP_S = 1.0
"""The age of a live picture is written anew this often: more would only flicker."""


class VideoTile(QWidget):
    """Shows one camera's picture, its state and age, boxes, zones and alarms.

    Signals:
        chosen(): Clicked, or focused by key.
        enlarge_requested(): Double click or Enter.
        menu_requested(QPoint): Right click or menu key; where on the screen.
        dragged(QPoint): The pointer holds this tile; where on the screen.
        drag_ended(QPoint): It let go of it.
        camera_dropped(str): A camera from a list was dropped here.
        shown_size_changed(): The room for the picture changed.
    """

    chosen = Signal()
    enlarge_requested = Signal()
    menu_requested = Signal(QPoint)
    dragged = Signal(QPoint)
    drag_ended = Signal(QPoint)
    camera_dropped = Signal(str)
    shown_size_changed = Signal()

    def __init__(self, clock: Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._camera: Camera | None = None
        self._is_guest = False
        self._frame: VideoFrame | None = None
        self._image: QImage | None = None
        self._grey: QImage | None = None
        self._history = TrackHistory()
        self._report: StreamReport | None = None
        self._report_s = 0.0
        self._since_at: datetime | None = None
        self._counts: Mapping[str, Mapping[str, int]] = {}
        self._status = EMPTY
        self._status_s = 0.0
        self._shown = Shown()
        self._alarm: Priority | None = None
        self._is_calling = False
        self._is_flash_on = True
        self._is_selected = False
        self._is_drop_target = False
        self._pressed_at: QPoint | None = None
        self._is_dragging = False
        self._overlay: OverlayPainter | None = None
        self._strip: QPixmap | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self._rename()

    # -- what is shown

    @property
    def camera_id(self) -> str | None:
        """The camera on this tile; None where it is empty."""
        return self._camera.camera_id if self._camera is not None else None

    @property
    def status(self) -> TileStatus:
        """What the operator reads."""
        return self._status

    @property
    def alarm(self) -> Priority | None:
        """The highest open alarm of the camera."""
        return self._alarm

    @property
    def boxes(self) -> tuple[DrawnTrack, ...]:
        """What is boxed on the picture that is shown."""
        return tuple(self._history.at(self._frame.pts_s)) if self._frame is not None and len(self._history) else ()

    def picture_room(self) -> QSize:
        """Return the size that a picture should be scaled to fit into [px of the screen]."""
        ratio = self.devicePixelRatioF()
        return QSize(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))

    def show_camera(self, camera: Camera | None, *, is_guest: bool = False) -> None:
        """Show another camera, none, or newer settings of the same one."""
        is_other = (camera.camera_id if camera else None) != self.camera_id
        self._camera, self._is_guest = camera, is_guest
        if is_other:
            self._frame = self._image = self._grey = self._report = self._since_at = None
            self._history.clear()
            self._counts = {}
            self._alarm, self._is_calling = None, False
        self._strip = None
        self.refresh_status(is_forced=True)
        self.update()

    def show_frame(self, frame: VideoFrame) -> None:
        """Show a newer picture; one `update()` and nothing else."""
        self._frame = frame
        # The image borrows the frame's memory: self._frame keeps it alive for as long.
        self._image = QImage(frame.data, frame.width, frame.height, frame.width * 4, QImage.Format.Format_RGB32)
        self._grey = None
        if self._status.look is not PictureLook.LIVE:
            self.refresh_status(is_forced=True)
        self.update()

    def show_tracks(self, tracks: TrackSet) -> None:
        """Keep boxes for the pictures to come; nothing is painted before one of these arrives."""
        self._history.add(tracks)

    def show_report(self, report: StreamReport) -> None:
        """Show how the stream is."""
        since_at = self._clock.now() - timedelta(seconds=report.since_s)
        is_same = self._report is not None and self._report.state is report.state and self._since_at is not None
        # The same state told a second later must not make the clock time in "LOST since" jitter.
        if not is_same or self._since_at is None or abs((since_at - self._since_at).total_seconds()) > 2.0:
            self._since_at = since_at
        self._report = report
        self._report_s = self._clock.monotonic()
        self.refresh_status()

    def show_counts(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Show counts by key of line or zone, then by direction."""
        if counts != self._counts:
            self._counts = dict(counts)
            self.update()

    def show_alarm(self, priority: Priority | None, *, is_calling: bool) -> None:
        """Mark the tile with the camera's highest open alarm; flashing while nobody has acknowledged it."""
        if (priority, is_calling) == (self._alarm, self._is_calling):
            return
        self._alarm, self._is_calling = priority, is_calling
        self._strip = None
        self._rename()
        self.update()

    def set_flash(self, is_on: bool) -> None:
        """Set the half of the flash; at most one flash a second."""
        if is_on is self._is_flash_on:
            return
        self._is_flash_on = is_on
        if self._is_calling:
            self._strip = None
            self.update()

    def set_shown(self, shown: Shown) -> None:
        """Choose what is drawn on the picture."""
        self._shown = shown
        self.update()

    def set_selected(self, is_selected: bool) -> None:
        """Draw the ring of the selected tile."""
        if is_selected is not self._is_selected:
            self._is_selected = is_selected
            self.update()

    def set_drop_target(self, is_target: bool) -> None:
        """Show that what is dragged would land here."""
        if is_target is not self._is_drop_target:
            self._is_drop_target = is_target
            self.update()

    def refresh_status(self, *, is_forced: bool = False) -> None:
        """Look at the ages again; repaints only what changed. Call it a few times a second."""
        now_s = self._clock.monotonic()
        status = self._describe(now_s)
        is_only_age = status.is_good and self._status.is_good
        if is_only_age and not is_forced and now_s - self._status_s < _LIVE_STEP_S:
            return
        if status == self._status and not is_forced:
            return
        was, self._status, self._status_s = self._status, status, now_s
        self._strip = None
        if was.look is not status.look or was.sentence != status.sentence or is_forced:
            self._rename()
            self.update()
        else:
            self.update(0, 0, self.width(), self._strip_height())

    def _describe(self, now_s: float) -> TileStatus:
        if self._camera is None:
            return EMPTY
        picture_age_s = now_s - self._frame.received_s if self._frame is not None else None
        return describe_tile(
            self._report,
            since_at=self._since_at,
            report_age_s=now_s - self._report_s,
            picture_age_s=picture_age_s,
        )

    def _rename(self) -> None:
        if self._camera is None:
            self.setAccessibleName("Empty tile")
            self.setAccessibleDescription(EMPTY.hint)
            return
        word = "LIVE" if self._status.is_good else self._status.word
        alarm = f", alarm {PRIORITY_WORDS[self._alarm].lower()}" if self._alarm is not None else ""
        self.setAccessibleName(f"{self._camera.name}, {word}{alarm}")
        self.setAccessibleDescription(f"{self._status.sentence} {self._status.hint}".strip())

    # -- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint picture, overlay, strip, then the rings."""
        made = picture_look()
        ratio = self.devicePixelRatioF()
        if self._overlay is None or self._overlay.pixel_ratio != ratio:
            self._overlay = OverlayPainter(made, ratio)
        painter = QPainter(self)
        room = QRectF(self.rect())
        look_of = self._status.look
        if look_of is PictureLook.BLANK or self._image is None or self._frame is None:
            self._paint_blank(painter, room)
        else:
            image = self._image if look_of is PictureLook.LIVE else self._greyed()
            picture = self._paint_picture(painter, image, room, ratio)
            if look_of is PictureLook.LIVE:
                self._paint_overlay(painter, picture, self._frame.pts_s)
            else:
                self._paint_ageing(painter, room, picture)
        if self._camera is not None:
            if self._strip is None:
                self._strip = self._make_strip(ratio)
            painter.drawPixmap(0, 0, self._strip)
        self._paint_rings(painter)
        painter.end()

    def _paint_blank(self, painter: QPainter, room: QRectF) -> None:
        made = picture_look()
        painter.fillRect(room, made.color("picture"))
        if self._camera is None:
            secondary = made.theme.on_picture_secondary
            paint_sentence(painter, room, self._status.sentence, self._status.hint, secondary, secondary)
            return
        paint_hatching(painter, room, QColor(255, 255, 255, 12))
        below = room.adjusted(0, self._strip_height(), 0, 0)
        paint_sentence(
            painter,
            below,
            self._status.sentence,
            self._status.hint,
            made.theme.on_picture,
            made.theme.on_picture_secondary,
        )

    def _paint_picture(self, painter: QPainter, image: QImage, room: QRectF, ratio: float) -> QRectF:
        """Paint the picture, letterboxed; pixel on pixel where it was made for this size."""
        width, height = image.width() / ratio, image.height() / ratio
        scale = min(room.width() / width, room.height() / height)
        # Scaling to a whole number of pixels leaves less than two of them over.
        is_made_for_us = 0.0 <= min(room.width() - width, room.height() - height) * ratio <= 2.0
        if not is_made_for_us:
            width, height = width * scale, height * scale
        left = round((room.width() - width) / 2 * ratio) / ratio
        top = round((room.height() - height) / 2 * ratio) / ratio
        picture = QRectF(left, top, width, height)
        _fill_around(painter, room, picture, picture_look().color("picture"))
        if is_made_for_us:
            image.setDevicePixelRatio(ratio)
            painter.drawImage(picture.topLeft(), image)
        else:
            image.setDevicePixelRatio(1.0)
            painter.drawImage(picture, image)
        return picture

    def _greyed(self) -> QImage:
        if self._grey is None and self._image is not None:
            self._grey = self._image.convertToFormat(QImage.Format.Format_Grayscale8)
        return self._grey if self._grey is not None else QImage()

    def _paint_ageing(self, painter: QPainter, room: QRectF, picture: QRectF) -> None:
        made = picture_look()
        painter.fillRect(picture, QColor(11, 14, 17, 140))
        paint_hatching(painter, picture, QColor(255, 255, 255, 56))
        plate = QRectF(0, 0, min(room.width(), made.sizes.body * 24), min(room.height() * 0.5, made.sizes.body * 5.5))
        plate.moveCenter(room.center())
        if room.height() - self._strip_height() < made.sizes.body * 3:
            return
        painter.fillRect(plate, QColor(11, 14, 17, 225))
        paint_sentence(
            painter,
            plate,
            self._status.sentence,
            self._status.hint,
            made.theme.on_picture,
            made.theme.on_picture_secondary,
        )

    def _paint_overlay(self, painter: QPainter, picture: QRectF, pts_s: float) -> None:
        if self._overlay is None or self._camera is None:
            return
        if self._shown.zones:
            scene = self._camera.scene
            self._overlay.paint_scene(painter, scene, self._counts, picture, is_selected=self._is_selected)
        if self._shown.boxes and len(self._history):
            self._overlay.paint_tracks(painter, self._history.at(pts_s), picture, self._shown)

    def _strip_height(self) -> int:
        sizes = picture_look().sizes
        return round(sizes.small * 1.7)

    def _make_strip(self, ratio: float) -> QPixmap:
        """Draw name, state and age once; the picture changes far more often than they do."""
        made = picture_look()
        sizes = made.sizes
        height = self._strip_height()
        strip = QPixmap(max(1, round(self.width() * ratio)), max(1, round(height * ratio)))
        strip.setDevicePixelRatio(ratio)
        strip.fill(QColor(11, 14, 17, 200))
        painter = QPainter(strip)
        gap = sizes.gap
        left, right = float(gap * 2), float(self.width() - gap * 2)
        side = height - 2 * max(2, gap // 2)
        middle = (height - side) / 2
        if self._alarm is not None:
            paint_priority(
                painter,
                QRectF(left, middle, side, side),
                self._alarm,
                made,
                is_hollow=self._is_dark_half(),
                is_doubled=self._is_calling and made.is_reduced_motion,
            )
            left += side + gap * 1.5
        font = made.font(sizes.small)
        painter.setFont(font)
        word_width = QFontMetrics(font).horizontalAdvance(self._status.word)
        is_word_whole = word_width < (right - left) * 0.62
        word = self._status.word if is_word_whole else self._status.word.split(" since", 1)[0]
        name = self._camera.name if self._camera is not None else ""
        if self._is_guest:
            name = f"{name}  (Esc returns)"
        name_font = made.font(sizes.small, weight=QFont.Weight.DemiBold)
        # A picture from now needs no age where the name needs the room: an old one is not called LIVE.
        if (
            self._status.is_good
            and QFontMetrics(name_font).horizontalAdvance(name) > right - left - word_width - gap * 3
        ):
            word = word.split(" ", 1)[0]
        word_width = QFontMetrics(font).horizontalAdvance(word)
        painter.setPen(made.color("on_picture_secondary" if self._status.is_good else "on_picture"))
        painter.drawText(
            QRectF(right - word_width - 1, 0, word_width + 2, height), int(Qt.AlignmentFlag.AlignVCenter), word
        )
        right -= word_width + gap * 1.5
        if not self._status.is_good and not self._status.is_meant:
            paint_bad_quality(painter, QRectF(right - side, middle, side, side), made)
            right -= side + gap * 1.5
        painter.setFont(name_font)
        painter.setPen(made.color("on_picture"))
        cut = QFontMetrics(name_font).elidedText(name, Qt.TextElideMode.ElideRight, round(right - left - gap))
        painter.drawText(QRectF(left, 0, max(0.0, right - left), height), int(Qt.AlignmentFlag.AlignVCenter), cut)
        painter.end()
        return strip

    def _is_dark_half(self) -> bool:
        if not self._is_calling:
            return True
        return not self._is_flash_on and not picture_look().is_reduced_motion

    def _paint_rings(self, painter: QPainter) -> None:
        made = picture_look()
        inset = 0.0
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._is_selected or self._is_drop_target:
            inset = self._ring(painter, made.color("focus"), 2.0, inset, self._is_drop_target)
        if self._alarm is None:
            return
        color = QColor(made.theme.priority(self._alarm))
        if self._is_calling and made.is_reduced_motion:
            inset = self._ring(painter, color, 2.0, inset)
            self._ring(painter, color, 2.0, inset + 2.0)
            return
        is_wide = self._is_calling and self._is_flash_on
        self._ring(painter, color, 4.0 if is_wide else 2.0, inset)

    def _ring(self, painter: QPainter, color: QColor, width: float, inset: float, is_dashed: bool = False) -> float:
        half = width / 2
        pen = QPen(color, width, Qt.PenStyle.DashLine if is_dashed else Qt.PenStyle.SolidLine)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRect(QRectF(self.rect()).adjusted(inset + half, inset + half, -inset - half, -inset - half))
        return inset + width

    # -- what the operator does

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select, and remember where a drag may begin."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.position().toPoint()
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.chosen.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the tile over the wall."""
        if self._pressed_at is None or self._camera is None:
            return
        moved = (event.position().toPoint() - self._pressed_at).manhattanLength()
        if not self._is_dragging and moved < QApplication.startDragDistance():
            return
        if not self._is_dragging:
            self._is_dragging = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self.dragged.emit(event.globalPosition().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of a dragged tile."""
        if self._is_dragging:
            self.end_drag()
            self.drag_ended.emit(event.globalPosition().toPoint())
        self._pressed_at = None

    def end_drag(self) -> bool:
        """Stop dragging without putting the tile anywhere; False where nothing was dragged."""
        was_dragging, self._is_dragging, self._pressed_at = self._is_dragging, False, None
        if was_dragging:
            self.unsetCursor()
        return was_dragging

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fill the wall, or return."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.enlarge_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enlarge with Enter; the wall sees to the other keys."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enlarge_requested.emit()
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu, by pointer or by key."""
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        self.chosen.emit()
        self.menu_requested.emit(self.mapToGlobal(self.rect().center()) if by_key else event.globalPos())

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Select what has the focus."""
        super().focusInEvent(event)
        if event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
            Qt.FocusReason.ShortcutFocusReason,
        ):
            self.chosen.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take cameras from a list."""
        if event.mimeData().hasFormat(CAMERA_MIME):
            event.acceptProposedAction()
            self.set_drop_target(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing lands here any more."""
        self.set_drop_target(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Show the camera that was dropped."""
        self.set_drop_target(False)
        camera_id = bytes(event.mimeData().data(CAMERA_MIME).data()).decode("utf-8", errors="replace")
        event.acceptProposedAction()
        self.camera_dropped.emit(camera_id)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the strip anew and ask for pictures of this size."""
        self._strip = None
        super().resizeEvent(event)
        self.shown_size_changed.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Take over another look."""
        if event.type() == QEvent.Type.StyleChange:
            self._overlay = self._strip = None
            self.update()
        super().changeEvent(event)


def _fill_around(painter: QPainter, room: QRectF, picture: QRectF, color: QColor) -> None:
    """Fill what a letterboxed picture leaves free; a pixel of overlap, so that no seam shows."""
    if picture.left() > room.left():
        painter.fillRect(QRectF(room.left(), room.top(), picture.left() - room.left() + 1, room.height()), color)
        rest = room.right() - picture.right() + 1
        painter.fillRect(QRectF(picture.right() - 1, room.top(), rest, room.height()), color)
    if picture.top() > room.top():
        painter.fillRect(QRectF(room.left(), room.top(), room.width(), picture.top() - room.top() + 1), color)
        rest = room.bottom() - picture.bottom() + 1
        painter.fillRect(QRectF(room.left(), picture.bottom() - 1, room.width(), rest), color)
