"""The console's one voice: alarms and the loss of the node are heard, until someone asks for silence."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer, Signal

import resources
from app.room import Room
from core.incidents.flood import Flood
from widgets.alarms.sound import (
    MiniaudioPlayer,
    Speaker,
    Voice,
    heard,
    muted,
    silenced,
    step,
    unmuted,
    with_bus,
    with_flood,
)

STEP_MS = 200


class ConsoleVoice(QObject):
    """Feeds the sound's state machine and plays what it says.

    Signals:
        changed(): Mute, silence or the audio device's state changed.
    """

    changed = Signal()
    _device_said = Signal(str)

    def __init__(self, room: Room, *, is_audible: bool) -> None:
        super().__init__()
        self._room = room
        self._voice = Voice()
        self.device_state = "" if is_audible else "Sound is off in the settings."
        self._speaker: Speaker | None = None
        if is_audible:
            # The speaker's thread speaks through a signal: slots run on the window's thread.
            self._device_said.connect(self._on_device)
            self._speaker = Speaker(resources.path("sounds"), MiniaudioPlayer(), self._device_said.emit)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._on_step)
        self._timer.start()
        room.live.alarms_changed.connect(self._on_alarms)
        room.flood.changed.connect(self._on_flood)
        room.silence_requested.connect(self.silence)
        room.node_lost.connect(lambda _sentence: self._set_bus(is_lost=True))
        room.node_back.connect(lambda: self._set_bus(is_lost=False))

    @property
    def mute_left_s(self) -> float:
        """Seconds until sound comes back by itself [s]; 0 when it is on."""
        return self._voice.mute_left_s(time.monotonic())

    @property
    def silence_left_s(self) -> float:
        """Seconds of silence left [s]."""
        return self._voice.silence_left_s(time.monotonic())

    def silence(self) -> None:
        """Be silent for a minute; a new critical alarm is heard all the same."""
        self._voice = silenced(self._voice, time.monotonic())
        self.changed.emit()

    def toggle_mute(self) -> None:
        """Mute for half an hour, or end it."""
        is_quiet = self.mute_left_s > 0 or self.silence_left_s > 0
        self._voice = unmuted(self._voice) if is_quiet else muted(self._voice, time.monotonic())
        self.changed.emit()

    def close(self) -> None:
        """End the timer and the speaker's thread."""
        self._timer.stop()
        if self._speaker is not None:
            self._speaker.close()

    def _set_bus(self, *, is_lost: bool) -> None:
        self._voice = with_bus(self._voice, is_lost=is_lost)

    def _on_flood(self, flood: Flood) -> None:
        self._voice = with_flood(self._voice, is_on=flood.is_on)

    def _on_alarms(self) -> None:
        self._voice = heard(self._voice, self._room.live.open_alarms())

    def _on_step(self) -> None:
        was_quiet = self.mute_left_s > 0 or self.silence_left_s > 0
        self._voice, due = step(self._voice, time.monotonic())
        if due is not None and self._speaker is not None:
            self._speaker.play(due)
        if was_quiet:
            self.changed.emit()

    def _on_device(self, state: str) -> None:
        self.device_state = state
        self.changed.emit()
