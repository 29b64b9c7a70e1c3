"""Ten seconds before and after: the picture of an alarm, moved through time."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from core.incidents.model import Clip
from widgets.base.theme import look, set_role

STEP_MS = 100


class ClipBar(QWidget):
    """A slider through the pictures of a clip; Left and Right step, Space on the button plays.

    Signals:
        picture_wanted(bytes): The JPEG to show.
    """

    picture_wanted = Signal(bytes)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clip: Clip | None = None
        self._clock_s = 0.0
        self._play = QToolButton(self)
        self._play.setText("Play")
        self._play.setCheckable(True)
        self._play.setAccessibleName("Play ten seconds before and after the alarm")
        set_role(self._play, "quiet")
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setAccessibleName("Moment, before or after the alarm")
        self._slider.setPageStep(5)
        self._moment = QLabel(self)
        set_role(self._moment, "caption")
        self._moment.setMinimumWidth(self._moment.fontMetrics().horizontalAdvance("+10.0 s") + look().sizes.gap)
        self._moment.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look().sizes.gap * 2)
        row.addWidget(self._play)
        row.addWidget(self._slider, 1)
        row.addWidget(self._moment)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._on_step)
        self._play.toggled.connect(self._on_play)
        self._slider.valueChanged.connect(self._on_moment)
        self.hide()

    @property
    def moment_text(self) -> str:
        """Where in the clip the picture is, e.g. "-4.0 s"."""
        return self._moment.text()

    def show_clip(self, clip: Clip | None) -> None:
        """Offer a clip from its picture nearest to the alarm; None where there is none."""
        self._clip = clip if clip is not None and clip.pictures else None
        self._play.setChecked(False)
        self.setVisible(self._clip is not None)
        if self._clip is None:
            return
        offsets = [picture.offset_s for picture in self._clip.pictures]
        self._slider.blockSignals(True)
        self._slider.setRange(0, len(offsets) - 1)
        self._slider.setValue(min(range(len(offsets)), key=lambda index: abs(offsets[index])))
        self._slider.blockSignals(False)
        self._tell()

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
