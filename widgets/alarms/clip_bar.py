"""Ten seconds before and after: the picture of an alarm, moved through time."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QHideEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from core.incidents.model import Clip, ClipInfo
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock

STEP_MS = 100


class ClipBar(QWidget):
    """Which camera, and a slider through the pictures of its clip; Left and Right step, Space on the button plays.

    Signals:
        picture_wanted(bytes): The JPEG to show; empty where the camera that was chosen has none.
        clip_wanted(str, str): Camera and `ClipInfo.occurrence` of the clip to be shown; answer with `show_clip`.
    """

    picture_wanted = Signal(bytes)
    clip_wanted = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clip: Clip | None = None
        self._clips: tuple[ClipInfo, ...] = ()
        self._has_chosen = False
        self._clock_s = 0.0
        self._cameras = QComboBox(self)
        self._cameras.setAccessibleName("Camera of the clip")
        self._missing = QLabel(self)
        self._missing.setAccessibleName("What is missing of the clip")
        self._missing.setWordWrap(True)
        set_role(self._missing, "caption")
        self._player = QWidget(self)
        self._play = QToolButton(self._player)
        self._play.setText("Play")
        self._play.setCheckable(True)
        self._play.setAccessibleName("Play ten seconds before and after the alarm")
        set_role(self._play, "quiet")
        self._slider = QSlider(Qt.Orientation.Horizontal, self._player)
        self._slider.setAccessibleName("Moment, before or after the alarm")
        self._slider.setPageStep(5)
        self._moment = QLabel(self._player)
        set_role(self._moment, "caption")
        metrics = QFontMetrics(look().font(look().sizes.caption))
        self._moment.setMinimumWidth(metrics.horizontalAdvance("+10.0 s") + look().sizes.gap)
        self._moment.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._cameras)
        column.addWidget(self._player)
        column.addWidget(self._missing)
        row = QHBoxLayout(self._player)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look().sizes.gap * 2)
        row.addWidget(self._play)
        row.addWidget(self._slider, 1)
        row.addWidget(self._moment)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._on_step)
        self._cameras.activated.connect(self._on_camera)
        self._play.toggled.connect(self._on_play)
        self._slider.valueChanged.connect(self._on_moment)
        self.hide()

    @property
    def moment_text(self) -> str:
        """Where in the clip the picture is, e.g. "-4.0 s"."""
        return self._moment.text()

    @property
    def missing_text(self) -> str:
        """What is not there of the camera that is chosen."""
        return self._missing.text()

    def show_clips(self, clips: tuple[ClipInfo, ...]) -> None:
        """Offer the cameras of an incident, and ask for the clip of the chosen one, or of the best that has one."""
        chosen = self._chosen()
        self._has_chosen = self._has_chosen and bool(clips)
        self._clips = clips
        self._cameras.clear()
        has_calls = len({clip.occurrence for clip in clips}) > 1
        for clip in clips:
            of_call = ", ".join(part for part in (clip.camera_name, clip.title, format_clock(clip.at)) if part)
            self._cameras.addItem(of_call if has_calls else clip.camera_name)
        usable = [index for index, clip in enumerate(clips) if clip.n_pictures]
        best = next(iter(usable), 0 if clips else -1)
        # Who has chosen keeps that; else a newer call that has a film comes first.
        stays = chosen is not None and best >= 0 and (self._has_chosen or chosen.occurrence == clips[best].occurrence)
        kept = [index for index in usable if stays and _is_of(clips[index], chosen)]
        self._cameras.setCurrentIndex(next(iter(kept), best))
        self._cameras.setVisible(len(clips) > 1)
        now = self._chosen()
        if not _is_of(self._clip, now):
            self.show_clip(None)
            if now is not None and now.n_pictures:
                self.clip_wanted.emit(now.camera_id, now.occurrence)
        self._tell_missing()

    def show_clip(self, clip: Clip | None) -> None:
        """Offer a clip from its picture nearest to the alarm; None where there is none."""
        self._clip = clip if clip is not None and clip.pictures else None
        self._play.setChecked(False)
        self._player.setVisible(self._clip is not None)
        self._tell_missing()
        if self._clip is None:
            return
        offsets = [picture.offset_s for picture in self._clip.pictures]
        self._slider.blockSignals(True)
        self._slider.setRange(0, len(offsets) - 1)
        self._slider.setValue(min(range(len(offsets)), key=lambda index: abs(offsets[index])))
        self._slider.blockSignals(False)
        self._tell()
        if self._has_chosen:
            # Else the picture of the alarm itself stands there, which is larger.
            self.picture_wanted.emit(self._clip.pictures[self._slider.value()].jpeg)

    def _chosen(self) -> ClipInfo | None:
        index = self._cameras.currentIndex()
        return self._clips[index] if 0 <= index < len(self._clips) else None

    def _on_camera(self, _index: int) -> None:
        self._has_chosen = True
        self.show_clip(None)
        # Nothing of another camera stands above this one's name.
        self.picture_wanted.emit(b"")
        chosen = self._chosen()
        if chosen is not None and chosen.n_pictures:
            self.clip_wanted.emit(chosen.camera_id, chosen.occurrence)

    def _tell_missing(self) -> None:
        chosen = self._chosen()
        missing = "" if chosen is None else chosen.missing
        name = "" if chosen is None or len(self._clips) > 1 else f"{chosen.camera_name}: "
        self._missing.setText(f"{name}{missing}" if missing else "")
        self._missing.setVisible(bool(missing))
        self.setVisible(self._clip is not None or bool(self._clips))

    def _on_play(self, is_on: bool) -> None:
        self._play.setText("Pause" if is_on else "Play")
        if not is_on or self._clip is None:
            self._timer.stop()
            return
        if self._slider.value() == self._slider.maximum():
            self._slider.setValue(0)
        self._clock_s = self._clip.pictures[self._slider.value()].offset_s
        self._timer.start()

    def _on_step(self) -> None:
        if self._clip is None:
            return
        self._clock_s += STEP_MS / 1000.0
        due = [index for index, picture in enumerate(self._clip.pictures) if picture.offset_s <= self._clock_s]
        if due:
            self._slider.setValue(due[-1])
        if self._slider.value() == self._slider.maximum():
            self._play.setChecked(False)

    def _on_moment(self, index: int) -> None:
        if self._clip is None:
            return
        if not self._timer.isActive():
            self._clock_s = self._clip.pictures[index].offset_s
        self._tell()
        self.picture_wanted.emit(self._clip.pictures[index].jpeg)

    def _tell(self) -> None:
        assert self._clip is not None
        offset_s = self._clip.pictures[self._slider.value()].offset_s
        self._moment.setText(f"{offset_s:+.1f} s")

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop playing."""
        super().hideEvent(event)
        self._play.setChecked(False)


def _is_of(clip: Clip | ClipInfo | None, other: ClipInfo | None) -> bool:
    """Tell whether both are of one camera and one call."""
    if clip is None or other is None:
        return False
    return (clip.camera_id, clip.occurrence) == (other.camera_id, other.occurrence)
