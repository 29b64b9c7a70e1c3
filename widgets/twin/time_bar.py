"""The time of the scene: the operator goes through any hour that was, or asks for one to come; one key back to now."""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSlider, QToolButton, QWidget

from core.kernel.clock import Clock, SystemClock
from widgets.base.focus import order_focus
from widgets.base.icons import icon
from widgets.base.moment_edit import MomentEdit
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant
from widgets.twin.tape import HOUR, LIVE, Mode, Moment, hour_of, moment_of

STEP_S, PAGE_S = 30, 600
PLAY_MS = 200
PLAY_FACTOR = 60.0
"""An hour in a minute."""

MAX_AHEAD = timedelta(days=7)
FORECAST_STEP_S = 300


class TimeBar(QWidget):
    """Chooses the instant; a slider over one hour, of now the last one, buttons for the next, a field for any.

    Signals:
        moment_changed(object): The `Moment` that is wanted.
    """

    moment_changed = Signal(object)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._moment = LIVE
        self._begin = hour_of(self._now())
        """Of the slider."""

        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 3600)
        self.slider.setSingleStep(STEP_S)
        self.slider.setPageStep(PAGE_S)
        self.slider.setAccessibleName("Time within the hour")
        self.earlier = _button("previous", "An hour earlier")
        self.later = _button("next", "An hour later")
        self.play = _button("play", "Replay the hour in a minute")
        self.play.setCheckable(True)
        self.field = MomentEdit()
        self.field.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.field.setAccessibleName("Date and time that is shown")
        self.field.setKeyboardTracking(False)
        self.field.setButtonSymbols(MomentEdit.ButtonSymbols.NoButtons)
        self.live = QPushButton("Live")
        self.live.setCheckable(True)
        self.live.setToolTip("Back to now (L)")
        set_role(self.live, "quiet")
        row = QHBoxLayout(self)
        gap = look().sizes.gap
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        for widget, stretch in (
            (self.play, 0),
            (self.earlier, 0),
            (self.slider, 1),
            (self.later, 0),
            (self.field, 0),
            (self.live, 0),
        ):
            row.addWidget(widget, stretch)
        self._ticking = QTimer(self)
        self._ticking.setInterval(1000)
        self._ticking.timeout.connect(self._on_tick)
        self._ticking.start()
        self._playing = QTimer(self)
        self._playing.setInterval(PLAY_MS)
        self._playing.timeout.connect(self._on_play)
        self.slider.valueChanged.connect(self._on_slid)
        self.earlier.clicked.connect(lambda: self.step_hours(-1))
        self.later.clicked.connect(lambda: self.step_hours(1))
        # What is not shown of the field was not typed either.
        self.field.dateTimeChanged.connect(lambda _at: self.go_to(self.field.moment.replace(second=0)))
        self.live.clicked.connect(self.go_live)
        self.play.toggled.connect(self._on_play_toggled)
        order_focus(self)
        self._refresh()

    @property
    def moment(self) -> Moment:
        """What is wanted."""
        return self._moment

    def go_live(self) -> None:
        """Show what is now."""
        self.play.setChecked(False)
        self._set(LIVE)

    def go_to(self, at: datetime) -> None:
        """Show this instant; one that is too far ahead as far as one can say anything."""
        now = self._now()
        wanted = moment_of(min(at, now + MAX_AHEAD), now)
        if wanted.mode is Mode.FORECAST and wanted.at is not None:
            # A forecast is not better for being asked to the second.
            step_s = FORECAST_STEP_S - (wanted.at.timestamp() % FORECAST_STEP_S)
            wanted = Moment(Mode.FORECAST, wanted.at + timedelta(seconds=step_s % FORECAST_STEP_S))
        self._set(wanted)

    def step_hours(self, n: int) -> None:
        """Go hours back or forth; from now on to the whole hour before or after it."""
        at = self._moment.at
        if at is None:
            hour = hour_of(self._now())
            at = hour if n < 0 else hour + HOUR
            n += 1 if n < 0 else -1
        self.go_to(at + n * HOUR)

    def close_timers(self) -> None:
        """Let no time go by any more."""
        self._ticking.stop()
        self._playing.stop()

    def _now(self) -> datetime:
        return self._clock.now()

    def _set(self, moment: Moment) -> None:
        is_new = moment != self._moment
        self._moment = moment
        self._refresh()
        if is_new:
            self.moment_changed.emit(moment)

    def _refresh(self) -> None:
        at = self._moment.at or self._now()
        if self._moment.mode is Mode.LIVE:
            self._begin = at - HOUR
        elif not self._begin <= at <= self._begin + HOUR:
            self._begin = hour_of(at)
        is_live = self._moment.mode is Mode.LIVE
        with QSignalBlocker(self.slider), QSignalBlocker(self.field), QSignalBlocker(self.live):
            self.slider.setValue(round((at - self._begin).total_seconds()))
            self.field.set_moment(at)
            self.live.setChecked(is_live)
        self.play.setEnabled(self._moment.mode is Mode.REPLAY)
        self.slider.setAccessibleDescription("Live" if is_live else format_instant(at))

    def _on_tick(self) -> None:
        if self._moment.mode is Mode.LIVE and not self.slider.isSliderDown() and not self.field.hasFocus():
            self._refresh()

    def _on_slid(self, seconds: int) -> None:
        self.go_to(self._begin + timedelta(seconds=seconds))

    def _on_play_toggled(self, is_on: bool) -> None:
        self.play.setIcon(icon("pause" if is_on else "play"))
        if is_on:
            self._playing.start()
        else:
            self._playing.stop()

    def _on_play(self) -> None:
        at = self._moment.at
        if self._moment.mode is not Mode.REPLAY or at is None:
            self.play.setChecked(False)
            return
        following = at + timedelta(seconds=PLAY_MS / 1000 * PLAY_FACTOR)
        if following >= self._now():
            self.go_live()
        else:
            self.go_to(following)


def _button(name: str, words: str) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setToolTip(words)
    button.setAccessibleName(words)
    set_role(button, "icon")
    return button
