"""One tile of the wall: the operator sees one camera, and at a glance whether the picture is from now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QMoveEvent,
    QPainter,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from core.cameras.model import Camera
from core.incidents.model import Priority
from core.kernel.clock import Clock
from core.media.model import StreamReport
from widgets.base.state_overlay import paint_hatching, paint_sentence
from widgets.base.symbols import PRIORITY_WORDS, AlarmMark, Attention, Flash
from widgets.base.theme import Look, picture_look
from widgets.video.boxes import Boxed, BoxRoom
from widgets.video.face import Standing, TileFace
from widgets.video.model import DrawnTrack, Picture
from widgets.video.note import draw_note, n_lines_for
from widgets.video.overlay import SMALL_PX, OverlayPainter, Shown, gap_sentence, has_drawing
from widgets.video.status import PictureLook, TileStatus, describe_tile, stale_after_s
from widgets.video.strip import StripPainter, StripText, strip_height
from widgets.video.telemetry import TelemetryTape, on_picture, paint_telemetry
from widgets.video.zoom import STEP, WHOLE, Zoom, panned, picture_rect, seen_part, wanted_size, zoomed

CAMERA_MIME = "application/x-watchfloor-camera"
EMPTY = TileStatus(word="", look=PictureLook.BLANK, sentence="No camera", hint="Drag one here, or press 1 to 9.")
_GREY_STEP_S = 0.25
"""A grey picture is renewed this often: it costs ten times a live one, and when a node hangs all are grey."""

_LIVE_STEP_S = 1.0
"""The age of a live picture is written anew this often: more would only flicker."""

_RING_PX, _CALLING_RING_PX = 2, 4
_DASH_PX = 8
_KEPT_STRIPS = 4
_INSET_PART = 0.24
"""Of the tile's width, for the small picture that shows where a zoomed tile looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Where a picture lies while it is not zoomed.

    Attributes:
        rect: On the tile.
        on_canvas, at: The same on the canvas, and its corner.
        bars: What it leaves free of the tile, on the canvas.
        is_pixel_on_pixel: It was made for this tile: nothing is scaled.
    """

    key: tuple[float, ...]
    rect: QRectF
    on_canvas: QRectF
    at: QPointF
    bars: tuple[QRectF, ...]
    is_pixel_on_pixel: bool


class VideoTile(QWidget):
    """Shows one camera's picture, its state and age, boxes, zones and alarms.

    Signals:
        chosen(): Clicked, or focused by key.
        enlarge_requested(): Double click or Enter.
        menu_requested(QPoint): Right click or menu key; where on the screen.
        dragged(QPoint): The pointer holds this tile; where on the screen.
        drag_ended(QPoint): It let go of it.
        camera_dropped(str): A camera from a list was dropped here.
        shown_size_changed(): Pictures of another size are wanted: the tile or its zoom changed.
        used(): The operator did something with the picture itself: zoomed it, moved it.
    """

    chosen = Signal()
    enlarge_requested = Signal()
    menu_requested = Signal(QPoint)
    dragged = Signal(QPoint)
    drag_ended = Signal(QPoint)
    camera_dropped = Signal(str)
    shown_size_changed = Signal()
    used = Signal()

    def __init__(self, clock: Clock, canvas: QWidget) -> None:
        """Lie on `canvas`, which paints this tile in its next turn after `repaint_soon`."""
        super().__init__(canvas)
        self._canvas = canvas
        # The canvas paints: Qt need not come by at each tile for nothing.
        self.setUpdatesEnabled(False)
        self._clock = clock
        self._camera: Camera | None = None
        self._is_guest = False
        self.face = TileFace(clock)
        self._place, self._corner = self.geometry(), self.pos()
        self._zoom = WHOLE
        self._fit: _Fit | None = None
        self._box_room: BoxRoom | None = None
        self._box_key: tuple[object, ...] = ()
        self._is_pinned = False
        self._note = ""
        self._plates: dict[str, QPixmap] = {}
        self._report: StreamReport | None = None
        self._report_s = 0.0
        self._shown_s = 0.0
        self._since_at: datetime | None = None
        self._counts: Mapping[str, Mapping[str, int]] = {}
        self._gaps: Mapping[str, int] = {}
        self._telemetry: TelemetryTape | None = None
        self._status = EMPTY
        self._status_s = 0.0
        self._greyed_s = -math.inf
        self._shown = Shown()
        self._alarm: AlarmMark | None = None
        self._flash = Flash()
        self._is_selected = False
        self._is_drop_target = False
        self._pressed_at: QPoint | None = None
        self._is_dragging = False
        self._made = picture_look()
        self._overlay: OverlayPainter | None = None
        self._strip: QPixmap | None = None
        self._strips: dict[StripText, QPixmap] = {}
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
        return None if self._alarm is None else self._alarm.priority

    @property
    def boxes(self) -> tuple[DrawnTrack, ...]:
        """What is boxed on the picture that is shown."""
        return self.boxes_at(self.face.frame.pts_s) if self.face.frame is not None else ()

    def boxes_at(self, pts_s: float) -> tuple[DrawnTrack, ...]:
        """Return what is boxed on the picture of this picture time."""
        return self.face.history.at(pts_s).rows() if len(self.face.history) else ()

    @property
    def frame(self) -> Picture | None:
        """The newest picture."""
        return self.face.frame

    @property
    def zoom(self) -> Zoom:
        """The part of the picture that is seen."""
        return self._zoom

    @property
    def note(self) -> str:
        """What stands along the lower edge: why an alarm brought this camera here."""
        return self._note

    @property
    def is_pinned(self) -> bool:
        """Nothing but the operator may take this tile."""
        return self._is_pinned

    def picture_room(self) -> QSize:
        """Return the size that a picture should be scaled to fit into [px of the screen]."""
        ratio = self.devicePixelRatioF()
        room = QSize(max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
        return wanted_size(room, self._zoom)

    def show_camera(self, camera: Camera | None, *, is_guest: bool = False) -> None:
        """Show another camera, none, or newer settings of the same one."""
        is_other = (camera.camera_id if camera else None) != self.camera_id
        self._camera, self._is_guest = camera, is_guest
        if is_other:
            self.face.clear()
            self.note_shown()
            self._report = self._since_at = None
            self._zoom = WHOLE
            self._counts, self._gaps = {}, {}
            self._telemetry = None
            self._alarm = None
        self._strip = None
        self.refresh_status(is_forced=True)
        self.repaint_soon()

    def note_shown(self) -> None:
        """From now on the tile can be seen: until now its camera may have been read for nobody."""
        self._shown_s = self._clock.monotonic()

    def show_frame(self, frame: Picture) -> bool:
        """Take a newer picture; returns whether the canvas should paint it now, for one that is grey need not move."""
        self.face.take(frame)
        was = self._status.look
        if was is PictureLook.LIVE:
            return True
        now_s = self._clock.monotonic()
        if now_s - self._greyed_s < _GREY_STEP_S and self._describe(now_s).look is was:
            return False
        self._greyed_s = now_s
        self.refresh_status()
        self.repaint_soon()
        return True

    def show_report(self, report: StreamReport, *, age_s: float = 0.0) -> None:
        """Show how the stream is, as it was told `age_s` ago."""
        since_at = self._clock.now() - timedelta(seconds=report.since_s + age_s)
        is_same = self._report is not None and self._report.state is report.state and self._since_at is not None
        # The same state told a second later must not make the clock time in "LOST since" jitter.
        if not is_same or self._since_at is None or abs((since_at - self._since_at).total_seconds()) > 2.0:
            self._since_at = since_at
        said, self._report = self._faults(), report
        self.face.standing = None
        self._report_s = self._clock.monotonic() - age_s
        if self.underMouse():
            self.setToolTip(self.tip())
        self.refresh_status(is_forced=said != self._faults())

    def show_counts(self, counts: Mapping[str, Mapping[str, int]], gaps: Mapping[str, int] | None = None) -> None:
        """Show counts by key of line or zone, then by direction.

        Args:
            counts: Of lines since midnight, of zones now.
            gaps: Minutes since midnight that are missing in a line's counts, by its key.
        """
        gaps = gaps or {}
        if counts != self._counts or gaps != self._gaps:
            self._counts, self._gaps = dict(counts), dict(gaps)
            self.repaint_soon()

    def show_telemetry(self, tape: TelemetryTape | None) -> None:
        """Write onto every picture what the drone that took it said then; None for a camera that does not fly."""
        self._telemetry = tape
        self.face.standing = None

    def show_alarm(self, mark: AlarmMark | None) -> None:
        """Mark the tile with the camera's highest open alarm; flashing while nobody has acknowledged it."""
        if mark == self._alarm:
            return
        self._alarm = mark
        self._strip = None
        self._rename()
        self.repaint_soon()

    def set_flash(self, flash: Flash) -> None:
        """Set the halves of the flashes; at most one flash a second."""
        before, self._flash = self._flash, flash
        attention = Attention.NONE if self._alarm is None else self._alarm.attention
        if before.is_lit(attention) is not flash.is_lit(attention):
            self._strip = None
            self.repaint_soon()

    def set_shown(self, shown: Shown) -> None:
        """Choose what is drawn on the picture."""
        self.face.has_trails = shown.trails
        if not shown.trails:
            self.face.trails.clear()
        self._shown = shown
        self.repaint_soon()

    def set_selected(self, is_selected: bool) -> None:
        """Draw the ring of the selected tile."""
        if is_selected is not self._is_selected:
            self._is_selected = is_selected
            self._strip = None
            self.repaint_soon()

    def set_pinned(self, is_pinned: bool) -> None:
        """Show that nothing but the operator may take this tile."""
        if is_pinned is not self._is_pinned:
            self._is_pinned = is_pinned
            self._strip = None
            self.repaint_soon()

    def set_note(self, note: str) -> None:
        """Write a line along the lower edge."""
        if note != self._note:
            self._note = note
            self.repaint_soon()

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom so that what lies at `at` stays there; the middle where no place is given."""
        if self.face.image is not None:
            room = self._fit_room()
            self._set_zoom(zoomed(self._zoom, factor, at if at is not None else room.center(), room))

    def reset_zoom(self) -> bool:
        """Show the whole picture; False where it is whole already."""
        was_whole = self._zoom.is_whole
        self._set_zoom(WHOLE)
        return not was_whole

    def _set_zoom(self, zoom: Zoom) -> None:
        if zoom == self._zoom:
            return
        was, self._zoom = self._zoom, zoom
        if was.factor != zoom.factor:
            self.shown_size_changed.emit()
        self.used.emit()
        self.repaint_soon()

    def set_drop_target(self, is_target: bool) -> None:
        """Show that what is dragged would land here."""
        if is_target is not self._is_drop_target:
            self._is_drop_target = is_target
            self.repaint_soon()

    def refresh_status(self, *, is_forced: bool = False) -> None:
        """Look at the ages again, and repaint where the operator reads something else. Call it a few times a second."""
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
        self.repaint_soon()

    def _describe(self, now_s: float) -> TileStatus:
        if self._camera is None:
            return EMPTY
        picture_age_s = now_s - self.face.frame.received_s if self.face.frame is not None else None
        return describe_tile(
            self._report,
            since_at=self._since_at,
            report_age_s=now_s - self._report_s,
            picture_age_s=picture_age_s,
            shown_for_s=now_s - self._shown_s,
        )

    def stale_in_s(self) -> float | None:
        """Return when the picture becomes stale if no other comes; None where it is no live one."""
        if self.face.frame is None or self._report is None or not self._status.is_good:
            return None
        return stale_after_s(self._report) - (self._clock.monotonic() - self.face.frame.received_s)

    def _rename(self) -> None:
        if self._camera is None:
            self.setAccessibleName("Empty tile")
            self.setAccessibleDescription(EMPTY.hint)
            return
        word = "LIVE" if self._status.is_good else self._status.word
        alarm = f", alarm {PRIORITY_WORDS[self._alarm.priority].lower()}" if self._alarm is not None else ""
        if self._alarm is not None and self._alarm.attention is Attention.RETURNED:
            alarm += ", returned"
        self.setAccessibleName(f"{self._camera.name}, {word}{alarm}")
        said = (self._status.sentence, self._status.hint, *self._faults())
        self.setAccessibleDescription(" ".join(text for text in said if text))

    # -- painting

    def repaint_soon(self) -> None:
        """Have the canvas paint this tile in its next turn, after anything but its picture changed."""
        self.face.standing = None
        self._canvas.update(self._place)

    def settle(self, ratio: float) -> Boxed | None:
        """Settle what is painted next; return what is boxed on its picture, and where on the canvas.

        Args:
            ratio: Device pixels per pixel of the canvas.
        """
        if self._overlay is None or self._overlay.pixel_ratio != ratio:
            self._made = picture_look()
            self._overlay = OverlayPainter(self._made, ratio)
            self._strip = None
            self._strips.clear()
            self.face.set_ratio(ratio)
        look_of = self._status.look
        now = self.face
        now.has_picture = look_of is not PictureLook.BLANK and self._renew_picture()
        now.is_live = now.has_picture and look_of is PictureLook.LIVE
        if not now.is_live:
            return None
        assert now.frame is not None
        fit = self._fit_of(now.frame, ratio)
        is_whole = self._zoom.is_whole
        now.picture = fit.on_canvas if is_whole else picture_rect(self._zoom, fit.rect).translated(self._corner)
        if not self._shown.boxes:
            return None
        tracks = self.face.history.at(now.frame.pts_s)
        return Boxed(tracks, self._room_of_boxes()) if len(tracks) else None

    def _room_of_boxes(self) -> BoxRoom:
        covered_px = strip_height(self._made) + self._strip_inset()
        key = (self.face.picture, self._shown, covered_px)
        if self._box_room is None or key != self._box_key:
            self._box_key = key
            self._box_room = BoxRoom(
                picture=self.face.picture,
                room=QRectF(self._place),
                hidden_labels=self._shown.hidden_labels,
                has_ids=self._shown.ids,
                is_small=self.face.picture.width() < SMALL_PX,
                covered_px=covered_px,
            )
        return self._box_room

    def paint_picture(self, painter: QPainter) -> None:
        """Paint the picture and what lies below its boxes, or that there is none, as `settle` has settled it.

        Args:
            painter: Of the canvas, without a transform, cut off at the edges of this tile.
        """
        if self.face.is_live:
            self._paint_live(painter)
            return
        with self._within(painter):
            if self.face.has_picture:
                room = QRectF(self.rect())
                picture = picture_rect(self._zoom, self._fit_room())
                self._paint_scaled(painter, self._greyed(), picture)
                self._paint_telemetry(painter, picture)
                self._paint_ageing(painter, picture.intersected(room), self._made)
            else:
                self._paint_blank(painter, QRectF(self.rect()))

    @contextmanager
    def _within(self, painter: QPainter) -> Iterator[None]:
        """Have the painter of the canvas begin at the tile's corner."""
        painter.save()
        painter.translate(self._corner)
        try:
            yield
        finally:
            painter.restore()

    def _paint_live(self, painter: QPainter) -> None:
        """Paint a picture from now; where it was made for this tile nothing is scaled and nothing cut off."""
        now = self.face
        frame, image, picture = now.frame, now.image, now.picture
        fit = self._fit
        assert frame is not None and image is not None and fit is not None  # noqa: PT018
        now.note_delay()
        if fit.is_pixel_on_pixel and self._zoom.is_whole:
            for bar in fit.bars:
                painter.fillRect(bar, self._made.color("picture"))
            painter.drawImage(fit.at, image)
        else:
            with self._within(painter):
                self._paint_scaled(painter, image, picture.translated(-self._corner))
        if self._has_more_below():
            self.paint_below(painter)

    def _has_more_below(self) -> bool:
        assert self._camera is not None
        # Of a camera whose head turned zones would lie on something else.
        is_away = self._report is not None and self._report.is_away
        return self._shown.trails or (self._shown.zones and not is_away and has_drawing(self._camera.scene))

    def paint_below(self, painter: QPainter) -> None:
        """Paint zones and trails onto a live picture."""
        overlay, camera, shown, picture = self._overlay, self._camera, self._shown, self.face.picture
        assert overlay is not None and camera is not None  # noqa: PT018
        is_away = self._report is not None and self._report.is_away
        if shown.zones and not is_away:
            room = QRectF(self._place)
            overlay.paint_scene(
                painter, camera.scene, self._counts, picture, room, gaps=self._gaps, is_selected=self._is_selected
            )
        if shown.trails:
            overlay.paint_trails(painter, self.face.trails.path(shown.hidden_labels), picture)

    def paint_overlay(self, painter: QPainter, strips: StripPainter) -> None:
        """Paint strip, notes and rings above the boxes."""
        assert self._overlay is not None
        now = self.face
        if self._camera is not None:
            if now.is_live and (self._telemetry is not None or not self._zoom.is_whole):
                self._paint_above(painter)
            if self._strip is None:
                self._strip = self._make_strip(strips)
            painter.drawPixmap(self._corner, self._strip)
        has_marks = bool(self._note) or bool(self._faults()) or self._is_drop_target
        if has_marks:
            self.paint_marks(painter)
        rings = self._ring_bars()
        for bar, color in rings:
            painter.fillRect(bar, color)
        now.standing = self._standing(rings, has_marks=has_marks)
        if now.has_picture:
            self.paint_again_if_torn()

    def paint_marks(self, painter: QPainter) -> None:
        """Paint notes, and that something may be dropped here."""
        assert self._overlay is not None
        painter.translate(self._corner)
        if self._camera is not None:
            self._paint_lower_edge(painter, self._overlay.pixel_ratio, self._made)
        if self._is_drop_target:
            self._paint_drop_target(painter)
        painter.resetTransform()

    def _standing(self, rings: tuple[tuple[QRect, QColor], ...], *, has_marks: bool) -> Standing | None:
        """Return what the next picture finds as it is; None where more than the picture may change by then."""
        now, fit, strip, overlay = self.face, self._fit, self._strip, self._overlay
        if not now.is_live or not self._zoom.is_whole or self._telemetry is not None:
            return None
        if now.frame is None or fit is None or not fit.is_pixel_on_pixel or strip is None or overlay is None:
            return None
        return Standing(
            ratio=overlay.pixel_ratio,
            width=now.frame.width,
            height=now.frame.height,
            at=fit.at,
            bars=fit.bars,
            bar_color=self._made.color("picture"),
            room=self._room_of_boxes() if self._shown.boxes else None,
            corner=QPointF(self._corner),
            strip=strip,
            rings=rings,
            has_more_below=self._has_more_below(),
            has_more_above=has_marks,
        )

    def paint_again_if_torn(self) -> None:
        """Have the picture painted once more, from one that is whole, where its ring came round meanwhile."""
        frame = self.face.frame
        if frame is not None and not frame.is_intact() and self.face.take_renewed() is not None:
            self.repaint_soon()

    def _renew_picture(self) -> bool:
        """Make sure that there is a whole picture; False where there is none at all."""
        now = self.face
        if now.frame is None or now.image is None:
            return False
        if not now.frame.is_intact():
            now.take_renewed()
        return True

    def _paint_above(self, painter: QPainter) -> None:
        """Paint what a drone said, and where a zoomed picture is looked at."""
        assert self.face.image is not None
        with self._within(painter):
            self._paint_telemetry(painter, self.face.picture.translated(-self._corner))
            if not self._zoom.is_whole:
                self._paint_inset(painter, self.face.image)

    def _paint_telemetry(self, painter: QPainter, picture: QRectF) -> None:
        if self._telemetry is not None and self.face.frame is not None and self._shown.telemetry:
            below = strip_height(self._made) + self._strip_inset()
            room = picture.intersected(QRectF(self.rect()).adjusted(0, below, 0, 0))
            paint_telemetry(
                painter, picture, room, on_picture(self._telemetry, self.face.frame.captured_at_s), self._made
            )

    def _paint_blank(self, painter: QPainter, room: QRectF) -> None:
        made, status = picture_look(), self._status
        if self._camera is None:
            painter.fillRect(room, made.color("picture"))
            secondary = made.theme.on_picture_secondary
            paint_sentence(painter, room, status.sentence, status.hint, secondary, secondary)
            return
        paint_no_picture(painter, room, status.sentence, status.hint, covered_px=strip_height(made))

    def _fit_room(self) -> QRectF:
        """Return where the picture lies in the tile while it is not zoomed."""
        return self._fit_of(self.face.frame, self.devicePixelRatioF()).rect if self.face.frame else QRectF(self.rect())

    def _fit_of(self, frame: Picture, ratio: float) -> _Fit:
        key = (frame.width, frame.height, ratio)
        if self._fit is None or key != self._fit.key:
            rect = _fitted(frame.width, frame.height, QRectF(self.rect()), ratio)
            self._fit = _Fit(
                key=key,
                rect=rect,
                on_canvas=rect.translated(self._corner),
                at=rect.topLeft() + self._corner,
                bars=tuple(bar.translated(self._corner) for bar in _around(QRectF(self.rect()), rect)),
                is_pixel_on_pixel=abs(rect.width() * ratio - frame.width) < 0.5
                and abs(rect.height() * ratio - frame.height) < 0.5,
            )
        return self._fit

    def _paint_scaled(self, painter: QPainter, image: QImage, picture: QRectF) -> None:
        """Paint the part of an image that is seen where the whole of it is `picture` on the tile."""
        room = QRectF(self.rect())
        for bar in _around(room, picture):
            painter.fillRect(bar, self._made.color("picture"))
        if self._zoom.is_whole:
            painter.drawImage(picture, image)
            return
        seen = picture.intersected(room)
        across, down = image.width() / picture.width(), image.height() / picture.height()
        source = QRectF(
            (seen.x() - picture.x()) * across,
            (seen.y() - picture.y()) * down,
            seen.width() * across,
            seen.height() * down,
        )
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(seen, image, source)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)

    def _paint_inset(self, painter: QPainter, image: QImage) -> None:
        """Paint the whole picture small, with a frame around what is seen."""
        made, fit = picture_look(), self._fit_room()
        width = max(56.0, self.width() * _INSET_PART)
        height = width * fit.height() / fit.width()
        gap = made.sizes.gap * 2
        inset = QRectF(self.width() - width - gap, self.height() - height - gap, width, height)
        if inset.top() < strip_height(made) or inset.left() < 0:
            return
        painter.drawImage(inset, image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(made.color("picture"), 3))
        painter.drawRect(inset)
        part = seen_part(self._zoom)
        frame = QRectF(
            inset.x() + part.x() * width, inset.y() + part.y() * height, part.width() * width, part.height() * height
        )
        painter.drawRect(frame)
        painter.setPen(QPen(made.color("on_picture"), 1))
        painter.drawRect(inset)
        painter.setPen(QPen(made.color("focus"), 1.5))
        painter.drawRect(frame)
        plate = self._plate(f"{self._zoom.factor:.1f}\N{MULTIPLICATION SIGN}", self.devicePixelRatioF(), made)
        painter.drawPixmap(inset.topLeft() - QPointF(0, plate.deviceIndependentSize().height()), plate)

    def _greyed(self) -> QImage:
        if self.face.grey is None and self.face.image is not None:
            self.face.grey = self.face.image.convertToFormat(QImage.Format.Format_Grayscale8)
        return self.face.grey if self.face.grey is not None else QImage()

    def _paint_ageing(self, painter: QPainter, picture: QRectF, made: Look) -> None:
        room = QRectF(self.rect()).adjusted(0, strip_height(made), 0, 0)
        painter.fillRect(picture, QColor(11, 14, 17, 140))
        paint_hatching(painter, picture, QColor(255, 255, 255, 56))
        if room.height() < made.sizes.body * 3:
            return
        # The strip says the age too; here it is read from across the room.
        age = f"Picture of {self._status.age} ago." if self._status.age else ""
        height = min(room.height() * 0.7, made.sizes.body * (5.5 if room.width() > 300 else 4.5))
        plate = QRectF(0, 0, min(room.width(), made.sizes.body * 24), height)
        plate.moveCenter(room.center())
        painter.fillRect(plate, QColor(11, 14, 17, 225))
        hint = f"{age} {self._status.hint}".strip()
        paint_sentence(
            painter, plate, self._status.sentence, hint, made.theme.on_picture, made.theme.on_picture_secondary
        )

    def _paint_lower_edge(self, painter: QPainter, ratio: float, made: Look) -> None:
        """Paint why the camera is here, and what is less than it should be."""
        inset = self._note_inset(made)
        left, bottom = float(inset), self.height() - inset
        n_lines = n_lines_for(self.height(), made)
        for text in (self._note, *self._faults()):
            if text:
                plate = self._plate(text, ratio, made, n_lines)
                size = plate.deviceIndependentSize()
                painter.drawPixmap(QPointF(left, bottom - size.height()), plate)
                bottom -= round(size.height()) + 1
                n_lines = max(1, n_lines - 1)

    def _faults(self) -> tuple[str, ...]:
        """Return what is wrong with a picture that comes all the same."""
        report = self._report
        if report is None or not self._status.is_good:
            return ()
        detection, stream = report.detection_reason, f"{report.reason} {report.hint}".strip()
        if report.is_detection_reduced:
            detection = f"{report.detect_fps:.2g} of {report.detect_fps_wanted:.2g}/s"
            detection = detection if self.width() < SMALL_PX else f"Detects {detection}"
        return tuple(text for text in (detection, stream) if text)

    def _plate(self, text: str, ratio: float, made: Look, n_lines: int = 1) -> QPixmap:
        """Return a text as a picture, in the tile's width."""
        key = f"{self.width()} {n_lines} {ratio} {text}"
        if key not in self._plates:
            if len(self._plates) > 8:
                self._plates.clear()
            room = self.width() - 2 * self._note_inset(made) - 2 * made.sizes.gap
            self._plates[key] = draw_note(text, room, n_lines, ratio, made)
        return self._plates[key]

    def _make_strip(self, strips: StripPainter) -> QPixmap:
        """Draw name, state and age once; the picture changes far more often than they do."""
        name = self._camera.name if self._camera is not None else ""
        text = StripText(
            name=f"{name}  (Esc returns)" if self._is_guest else name,
            status=self._status,
            delay=f"{self.face.delay_s * 1000:.0f} ms" if self.face.delay_s is not None else "",
            alarm=self._alarm,
            is_lit=self._alarm is not None and self._flash.is_lit(self._alarm.attention),
            is_pinned=self._is_pinned,
            inset=self._strip_inset(),
        )
        # The two halves of a flash come again and again.
        strip = self._strips.get(text)
        if strip is None:
            if len(self._strips) >= _KEPT_STRIPS:
                self._strips.clear()
            strip = self._strips[text] = strips.make(text, self.width())
        return strip

    @staticmethod
    def _note_inset(made: Look) -> int:
        """Return how far notes keep from the edges: no ring covers them, and none makes them jump."""
        return _RING_PX + _CALLING_RING_PX + made.sizes.gap // 2

    def _strip_inset(self) -> int:
        """Return what rings cover of the strip beyond its own margin; the same in both halves of a flash."""
        alarm = 0
        if self._alarm is not None:
            is_calling = self._alarm.attention is Attention.CALLING
            alarm = _CALLING_RING_PX if is_calling else _RING_PX
            if is_calling and picture_look().is_reduced_motion:
                alarm = 3 * _RING_PX
        return max(0, alarm + (_RING_PX if self._is_selected else 0) - _RING_PX)

    def _ring_bars(self) -> tuple[tuple[QRect, QColor], ...]:
        """Return the rings on the canvas, as bars: they are painted with every picture, and a pen costs as much."""
        made, inset, bars = self._made, 0, list[tuple[QRect, QColor]]()

        def ring(color: QColor, width: int, inside: int, is_dashed: bool = False) -> None:
            sides = _frame(self._place.adjusted(inside, inside, -inside, -inside), width)
            bars.extend((bar, color) for side in sides for bar in (_dashes(side) if is_dashed else (side,)))

        if self._is_drop_target:
            inset = _RING_PX
        elif self._is_selected:
            ring(made.color("focus"), _RING_PX, 0)
            inset = _RING_PX
        if self._alarm is None:
            return tuple(bars)
        color = QColor(made.theme.priority(self._alarm.priority))
        match self._alarm.attention:
            case Attention.CALLING if made.is_reduced_motion:
                ring(color, _RING_PX, inset)
                ring(color, _RING_PX, inset + 2 * _RING_PX)
            case Attention.CALLING:
                ring(color, _CALLING_RING_PX if self._flash.is_on else _RING_PX, inset)
            case Attention.RETURNED:
                ring(color, _RING_PX, inset, is_dashed=True)
            case Attention.NONE:
                ring(color, _RING_PX, inset)
        return tuple(bars)

    def _paint_drop_target(self, painter: QPainter) -> None:
        half = _RING_PX / 2
        pen = QPen(self._made.color("focus"), _RING_PX, Qt.PenStyle.DashLine)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(self.rect()).adjusted(half, half, -half, -half))

    # -- what the operator does

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select, and remember where a drag may begin."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.position().toPoint()
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self.chosen.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the tile over the wall, or the picture within a zoomed tile."""
        if self._pressed_at is None or self._camera is None:
            return
        if not self._zoom.is_whole:
            at = event.position().toPoint()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._set_zoom(panned(self._zoom, QPointF(at - self._pressed_at), self._fit_room()))
            self._pressed_at = at
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
        elif self._pressed_at is not None:
            self.unsetCursor()
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

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        notches = event.angleDelta().y() / 120.0
        if self.face.image is None or not notches:
            event.ignore()
            return
        self.chosen.emit()
        self.zoom_by(STEP**notches, event.position())
        event.accept()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Say more about the stream where the pointer rests; it is written for that tile only."""
        self.setToolTip(self.tip())
        super().enterEvent(event)

    def tip(self) -> str:
        """Return what there is to know about the stream."""
        report = self._report
        if self._camera is None or report is None:
            return ""
        lines = [self._camera.name, self._status.word]
        if report.width:
            stream = f"{report.width}\N{MULTIPLICATION SIGN}{report.height}, {report.fps:.3g} pictures/s"
            lines.append(f"{stream}, {report.codec}" if report.codec else stream)
        if report.decoder:
            lines.append(f"Decoded by {report.decoder}" + (", smaller stream" if report.is_sub else ", main stream"))
        if self.face.delay_s is not None:
            lines.append(f"Shown {self.face.delay_s * 1000:.0f} ms after it arrived")
        if report.detect_fps_wanted:
            lines.append(f"Detects {report.detect_fps:.3g} of {report.detect_fps_wanted:.3g} pictures/s")
        lines += [text for text in (report.detection_reason, f"{report.reason} {report.hint}".strip()) if text]
        lines += [
            gap_sentence(line, self._gaps[line.key]) for line in self._camera.scene.lines if line.key in self._gaps
        ]
        return "\n".join(lines)

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

    def moveEvent(self, event: QMoveEvent) -> None:
        """Work out anew where the picture lies on the canvas."""
        self._place, self._corner = self.geometry(), self.pos()
        self._fit = self._box_room = self.face.standing = None
        super().moveEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the strip anew and ask for pictures of this size."""
        self._place = self.geometry()
        self._strip = self._fit = self._box_room = self.face.standing = None
        self._strips.clear()
        super().resizeEvent(event)
        self.shown_size_changed.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Take over another look."""
        if event.type() == QEvent.Type.StyleChange:
            self._overlay = self._strip = None
            self._strips.clear()
            self._plates.clear()
            self.repaint_soon()
        super().changeEvent(event)


def _fitted(width: int, height: int, room: QRectF, ratio: float) -> QRectF:
    """Return where a picture of so many pixels of the screen lies in `room`, without bars on more than two sides."""
    wide, high = width / ratio, height / ratio
    # Scaling to a whole number of pixels leaves less than two of them over.
    if not 0.0 <= min(room.width() - wide, room.height() - high) * ratio <= 2.0:
        scale = min(room.width() / wide, room.height() / high)
        wide, high = wide * scale, high * scale
    left = round((room.width() - wide) / 2 * ratio) / ratio
    top = round((room.height() - high) / 2 * ratio) / ratio
    return QRectF(left, top, wide, high)


def _frame(place: QRect, width: int) -> tuple[QRect, ...]:
    """Return the four sides of a frame within a place."""
    left, top, right, bottom = place.left(), place.top(), place.right() - width + 1, place.bottom() - width + 1
    height = place.height() - 2 * width
    return (
        QRect(left, top, place.width(), width),
        QRect(left, bottom, place.width(), width),
        QRect(left, top + width, width, height),
        QRect(right, top + width, width, height),
    )


def _dashes(side: QRect) -> tuple[QRect, ...]:
    """Return the dashes of a side of a frame."""
    if side.width() >= side.height():
        return tuple(
            side.intersected(QRect(x, side.y(), _DASH_PX, side.height()))
            for x in range(side.left(), side.right() + 1, 2 * _DASH_PX)
        )
    return tuple(
        side.intersected(QRect(side.x(), y, side.width(), _DASH_PX))
        for y in range(side.top(), side.bottom() + 1, 2 * _DASH_PX)
    )


def _around(room: QRectF, picture: QRectF) -> list[QRectF]:
    """Return what a letterboxed picture leaves free; a pixel of overlap, so that no seam shows."""
    bars = []
    if picture.left() > room.left():
        rest = room.right() - picture.right() + 1
        bars += [
            QRectF(room.left(), room.top(), picture.left() - room.left() + 1, room.height()),
            QRectF(picture.right() - 1, room.top(), rest, room.height()),
        ]
    if picture.top() > room.top():
        rest = room.bottom() - picture.bottom() + 1
        bars += [
            QRectF(room.left(), room.top(), room.width(), picture.top() - room.top() + 1),
            QRectF(room.left(), picture.bottom() - 1, room.width(), rest),
        ]
    return [bar & room for bar in bars]


def paint_no_picture(painter: QPainter, room: QRectF, sentence: str, hint: str, *, covered_px: float = 0.0) -> None:
    """Paint what stands where a picture should be, and why; `covered_px` along the top are taken."""
    made = picture_look()
    painter.fillRect(room, made.color("picture"))
    paint_hatching(painter, room, QColor(255, 255, 255, 12))
    below = room.adjusted(0, covered_px, 0, 0)
    paint_sentence(painter, below, sentence, hint, made.theme.on_picture, made.theme.on_picture_secondary)
