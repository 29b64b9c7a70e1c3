"""The console's one voice: alarms and the loss of the node are heard, until someone asks for silence."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

import resources
from app.room import Room
from core.incidents.flood import Flood
from core.kernel.settings import ConsoleSettings
from widgets.alarms import speech
from widgets.alarms.sound import (
    MiniaudioPlayer,
    Sound,
    Speaker,
    Voice,
    heard,
    muted,
    outputs,
    silenced,
    step,
    unmuted,
    with_bus,
    with_flood,
    with_unstored,
)
from widgets.alarms.speech import Speech

log = logging.getLogger(__name__)

STEP_MS = 200
NO_VOICE = "No voice is installed on this machine: espeak-ng is one."


class ConsoleVoice(QObject):
    """Feeds the sound's state machine and plays what it says.

    Signals:
        changed(): Mute, silence or the audio device's state changed.
        outputs_found(object): Names of the outputs there are, after `look_for_outputs`.
    """

    changed = Signal()
    outputs_found = Signal(object)
    _device_said = Signal(str)

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        settings = room.console
        self._voice = Voice()
        self._speech = Speech()
        self._choices = _Choices(room.folders.data / "console-sound.json", settings)
        self.device_state = "" if settings.sound else "Sound is off in the settings."
        self._player = MiniaudioPlayer(self._choices.output)
        self._command = speech.find_voice()
        self._speaker: Speaker | None = None
        if settings.sound:
            # The speaker's thread speaks through a signal: slots run on the window's thread.
            self._device_said.connect(self._on_device)
            say: Callable[[str], None] | None = partial(speech.speak, self._command) if self._command else None
            level = settings.volume_percent / 100.0
            self._speaker = Speaker(resources.path("sounds"), self._player, self._device_said.emit, level, speak=say)
            # Whoever sits down hears that alarms will be heard; where nothing can be heard, somebody is told.
            self._speaker.play(Sound.TEST)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP_MS)
        self._timer.timeout.connect(self._on_step)
        self._timer.start()
        room.live.alarms_changed.connect(self._on_alarms)
        room.live.health_changed.connect(self._on_health)
        room.flood.changed.connect(self._on_flood)
        room.silence_requested.connect(self.silence)
        room.node_lost.connect(lambda _sentence: self._set_bus(is_lost=True))
        room.node_back.connect(lambda: self._set_bus(is_lost=False))
        room.connection.snapshot_received.connect(lambda _snapshot: self._report())

    @property
    def mute_left_s(self) -> float:
        """Seconds until sound comes back by itself [s]; 0 when it is on."""
        return self._voice.mute_left_s(time.monotonic())

    @property
    def silence_left_s(self) -> float:
        """Seconds of silence left [s]."""
        return self._voice.silence_left_s(time.monotonic())

    @property
    def output(self) -> str:
        """Name of the chosen output; empty for the system's default."""
        return self._choices.output

    @property
    def is_speaking(self) -> bool:
        """Whether alarms are said in words as well."""
        return self._choices.is_speaking and bool(self._command)

    @property
    def speech_problem(self) -> str:
        """Why nothing can be said in words; empty where it can."""
        return "" if self._command else NO_VOICE

    def silence(self) -> None:
        """Be silent for a minute; a new critical alarm is heard all the same."""
        self._voice = silenced(self._voice, time.monotonic())
        self.changed.emit()

    def toggle_mute(self) -> None:
        """Mute for half an hour, or end it."""
        is_quiet = self.mute_left_s > 0 or self.silence_left_s > 0
        self._voice = unmuted(self._voice) if is_quiet else muted(self._voice, time.monotonic())
        self.changed.emit()

    def test(self) -> None:
        """Play the test sound, whatever is muted, and look again for a device that was gone."""
        if self._speaker is not None:
            self._speaker.look_again()
            self._speaker.play(Sound.TEST)

    def look_for_outputs(self) -> None:
        """Ask the drivers which outputs there are; `outputs_found` answers."""
        self._room.run(self._find_outputs())

    def choose_output(self, name: str) -> None:
        """Play through another output from now on, and let it be heard."""
        self._choices.output = self._player.output = name
        self._choices.keep()
        self.test()
        self.changed.emit()

    def set_speaking(self, is_wanted: bool) -> None:
        """Say new alarms in words as well, or do not."""
        self._choices.is_speaking = is_wanted
        self._choices.keep()
        self._speech = speech.hushed(self._speech)
        self.changed.emit()

    def close(self) -> None:
        """End the timer and the speaker's thread."""
        self._timer.stop()
        if self._speaker is not None:
            self._speaker.close()

    async def _find_outputs(self) -> None:
        self.outputs_found.emit(await asyncio.to_thread(outputs))

    def _set_bus(self, *, is_lost: bool) -> None:
        self._voice = with_bus(self._voice, is_lost=is_lost)

    def _on_flood(self, flood: Flood) -> None:
        self._voice = with_flood(self._voice, is_on=flood.is_on)

    def _on_alarms(self) -> None:
        alarms = self._room.live.open_alarms()
        self._voice = heard(self._voice, alarms)
        self._speech = speech.listened(self._speech, alarms, is_flooded=self._room.flood.flood.is_on)

    def _on_health(self) -> None:
        health = self._room.live.health
        self._voice = with_unstored(self._voice, () if health is None else health.unstored_calls)

    def _on_step(self) -> None:
        now_s = time.monotonic()
        was_quiet = self.mute_left_s > 0 or self.silence_left_s > 0
        self._voice, due = step(self._voice, now_s)
        if due is not None and self._speaker is not None:
            self._speaker.play(due)
        self._talk(now_s)
        if was_quiet:
            self.changed.emit()

    def _talk(self, now_s: float) -> None:
        if not self.is_speaking or self.mute_left_s > 0 or self.silence_left_s > 0:
            self._speech = speech.hushed(self._speech)
            return
        self._speech, sentence = speech.next_sentence(self._speech, now_s)
        if sentence and self._speaker is not None:
            self._speaker.say(sentence)

    def _on_device(self, state: str) -> None:
        self.device_state = state
        self._report()
        self.changed.emit()

    def _report(self) -> None:
        """Tell the node whether this desk hears its alarms: others must know of a deaf one."""
        if self._speaker is not None and self._room.connection.session is not None:
            self._room.ask("desk.report_sound", reason=self.device_state, refused=lambda _error: None)


class _Choices:
    """What was chosen at this desk, kept from one start to the next; the settings say what it begins with."""

    def __init__(self, file: Path, settings: ConsoleSettings) -> None:
        self._file = file
        self.output, self.is_speaking = settings.sound_output, settings.speech
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            self.output, self.is_speaking = str(kept["output"]), bool(kept["speech"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the choice of sound is not restored: %s", error)

    def keep(self) -> None:
        try:
            self._file.write_text(json.dumps({"output": self.output, "speech": self.is_speaking}), encoding="utf-8")
        except OSError as error:
            log.warning("the choice of sound is not kept: %s", error)
