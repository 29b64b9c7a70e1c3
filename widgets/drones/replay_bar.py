"""Goes through a flight that was: play, scrub, 1 to 20 times as fast; plainly a replay all the time."""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

from core.kernel.clock import Clock, SystemClock
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.drones.words import duration_words
from widgets.scene.fields import choice_field

SPEEDS = (1, 2, 5, 10, 20)
TICK_MS = 100
STEP_S, PAGE_S = 5, 30


class ReplayBar(QFrame):
    """Chooses the moment of a flight.

    Signals:
        moment_changed(object): The instant that is shown.
        ended(): Back to what is now.
    """

    moment_changed = Signal(object)
    ended = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        self._clock = clock or SystemClock()
        self._began_at: datetime | None = None
        self._length_s = 0.0
        self._at_s = 0.0
        self._ticked_s = 0.0
        self._build()
        self._ticking = QTimer(self)
        self._ticking.setInterval(TICK_MS)
        self._ticking.timeout.connect(self.tick)
        self.hide()

    def _build(self) -> None:
        gap = look().sizes.gap
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        self._title = QLabel(self)
        set_role(self._title, "title")
        self.play = IconButton("play", "Play or pause  (Space)", self)
        self.play.setCheckable(True)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setAccessibleName("Moment of the flight")
        self.slider.setMinimumWidth(look().sizes.body * 6)
        self.slider.setSingleStep(STEP_S * 10)
        self.slider.setPageStep(PAGE_S * 10)
        self._time = QLabel(self)
        set_role(self._time, "mono")
        self.speed = choice_field("How fast", self)
        self.speed.setMinimumContentsLength(4)
        for factor in SPEEDS:
            self.speed.addItem(f"{factor}x", factor)
        self.stop = QPushButton("End replay", self)
        for part, stretch in (
            (self._title, 0),
            (self.play, 0),
            (self.slider, 1),
            (self._time, 0),
            (self.speed, 0),
            (self.stop, 0),
        ):
            row.addWidget(part, stretch)
        self.play.toggled.connect(self._on_play)
        self.slider.valueChanged.connect(lambda tenths: self.go_to(tenths / 10.0))
        self.stop.clicked.connect(self.end)

    @property
    def at(self) -> datetime | None:
        """The moment that is shown; None where nothing is replayed."""
        return None if self._began_at is None else self._began_at + timedelta(seconds=self._at_s)

    @property
    def is_playing(self) -> bool:
        """Whether time goes on by itself."""
        return self.play.isChecked()

    def start(self, title: str, began_at: datetime, length_s: float) -> None:
        """Replay a flight from its beginning."""
        self._began_at, self._length_s = began_at, max(0.1, length_s)
        self._title.setText("REPLAY")
        self._title.setToolTip(title)
        self._title.setAccessibleName(f"Replay of {title}")
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, round(self._length_s * 10))
        self.show()
        self.go_to(0.0)
        self.play.setChecked(True)
        self.play.setFocus(Qt.FocusReason.OtherFocusReason)

    def go_to(self, seconds: float) -> None:
        """Show another moment, counted from the beginning."""
        if self._began_at is None:
            return
        self._at_s = max(0.0, min(seconds, self._length_s))
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(self._at_s * 10))
        self._time.setText(f"{_clock_words(self._at_s)} / {_clock_words(self._length_s)}")
        self.moment_changed.emit(self.at)

    def end(self) -> None:
        """Go back to what is now."""
        if self._began_at is None:
            return
        self.play.setChecked(False)
        self._began_at = None
        self.hide()
        self.ended.emit()

    def tick(self) -> None:
        """Let time go on as far as it did, times the speed; it rests at the end."""
        now_s = self._clock.monotonic()
        step_s, self._ticked_s = (now_s - self._ticked_s) * float(self.speed.currentData()), now_s
        if self.slider.isSliderDown():
            return
        self.go_to(self._at_s + step_s)
        if self._at_s >= self._length_s:
            self.play.setChecked(False)

    def close_timers(self) -> None:
        """Let no time go by any more."""
        self._ticking.stop()

    def _on_play(self, is_on: bool) -> None:
        self.play.set_icon_name("pause" if is_on else "play")
        if not is_on:
            self._ticking.stop()
            return
        if self._at_s >= self._length_s:
            self.go_to(0.0)
        self._ticked_s = self._clock.monotonic()
        self._ticking.start()


def _clock_words(seconds: float) -> str:
    """Write minutes and seconds; hours where there are any."""
    return duration_words(seconds).removeprefix("00:")
