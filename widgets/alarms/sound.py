"""The room's one voice: which sound is due is decided by a state machine, a thread of its own plays it."""

from __future__ import annotations

import logging
import sys
import threading
import time
import wave
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from core.incidents.model import Alarm, AlarmState, Priority
from core.node.model import UnstoredCall

log = logging.getLogger(__name__)

SILENCE_S = 60.0
MUTE_S = 30 * 60.0
BUS_LOST_EVERY_S = 10.0
RETRY_S = 20.0
"""A device that is not there is looked for this often."""

HANGS_AFTER_S = 10.0
SOUND_CARDS = Path("/proc/asound/cards")
MIN_CRITICAL_LEVEL = 0.3
"""Nobody can turn critical alarms down to nothing."""


class Sound(StrEnum):
    """The sounds there are; the value is the name of the file in resources/sounds, without ".wav"."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    BUS_LOST = "bus_lost"
    TEST = "test"


_REPEAT_S: Mapping[Priority, float | None] = {Priority.CRITICAL: 3.0, Priority.HIGH: 10.0, Priority.MEDIUM: None}
_SOUND_OF = {Priority.CRITICAL: Sound.CRITICAL, Priority.HIGH: Sound.HIGH, Priority.MEDIUM: Sound.MEDIUM}

Call = tuple[str, int, int]
"""Occurrence, number of the call in it, escalation level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What the voice remembers. All times are monotonic seconds.

    Attributes:
        calling: Priority of every call that nobody has acknowledged; what only waits for an acknowledge makes none.
        sounded: Calls that were heard, or passed over, or acknowledged.
        ended: Calls whose alarm was acknowledged, held or over since: they are never repeated, also where the alarm
            stands unacknowledged again.
        unstored: What calls while the database is away: nobody can acknowledge it yet.
        is_bus_lost: The link to the node or the broker is gone.
        is_flooded: More calls come than can be answered: medium ones have no chime.
        last_sound: And when it began; None before the first.
        silent_until_s: Silence was pressed; a new critical alarm ends it.
        muted_until_s: Mute ends by itself.
    """

    calling: tuple[tuple[Call, Priority], ...] = ()
    sounded: frozenset[Call] = frozenset()
    ended: frozenset[Call] = frozenset()
    unstored: tuple[tuple[Call, Priority], ...] = ()
    is_bus_lost: bool = False
    is_flooded: bool = False
    last_sound: Sound | None = None
    last_sound_s: float = float("-inf")
    silent_until_s: float = float("-inf")
    muted_until_s: float = float("-inf")

    def silence_left_s(self, now_s: float) -> float:
        """Return the seconds of silence that are left."""
        return max(0.0, self.silent_until_s - now_s)

    def mute_left_s(self, now_s: float) -> float:
        """Return the seconds of mute that are left."""
        return max(0.0, self.muted_until_s - now_s)


def heard(voice: Voice, alarms: Iterable[Alarm]) -> Voice:
    """Take over the open alarms; a new critical one breaks the silence, but not the mute."""
    by_call = {_call_of(alarm): alarm for alarm in alarms}
    # Without a call it waits: it chatters, and the list alone says so.
    calling = {call: _loudness(alarm) for call, alarm in by_call.items() if alarm.is_calling and alarm.n_calls}
    answered = {call for call, alarm in by_call.items() if not alarm.is_calling}
    over = {call for call, alarm in by_call.items() if alarm.state is not AlarmState.UNACKNOWLEDGED}
    known = dict(voice.calling)
    is_new_critical = any(
        priority is Priority.CRITICAL and known.get(call) is not Priority.CRITICAL and call not in voice.ended
        for call, priority in calling.items()
    )
    return replace(
        voice,
        calling=tuple(sorted(calling.items())),
        sounded=(voice.sounded & (by_call.keys() | dict(voice.unstored).keys())) | answered,
        ended=(voice.ended & by_call.keys()) | over,
        silent_until_s=float("-inf") if is_new_critical else voice.silent_until_s,
    )


def _call_of(alarm: Alarm) -> Call:
    return alarm.occurrence, alarm.n_calls, alarm.escalation_level


def _loudness(alarm: Alarm) -> Priority:
    """Return what is heard: what was escalated is heard as a high alarm at least, in a flood as well."""
    return min(alarm.priority, Priority.HIGH) if alarm.escalation_level else alarm.priority


def with_unstored(voice: Voice, calls: Iterable[UnstoredCall]) -> Voice:
    """Take over what calls and stands in no list; a new critical one breaks the silence, but not the mute."""
    unstored = {(f"{call.title}, {call.source_name}, {call.at}", 1, 0): Priority(call.priority) for call in calls}
    known = dict(voice.unstored)
    is_new_critical = any(level is Priority.CRITICAL and call not in known for call, level in unstored.items())
    return replace(
        voice,
        unstored=tuple(sorted(unstored.items())),
        sounded=voice.sounded - (known.keys() - unstored.keys()),
        silent_until_s=float("-inf") if is_new_critical else voice.silent_until_s,
    )


def with_bus(voice: Voice, *, is_lost: bool) -> Voice:
    """Remember whether the link is gone."""
    return replace(voice, is_bus_lost=is_lost)


def with_flood(voice: Voice, *, is_on: bool) -> Voice:
    """Remember whether this desk is flooded."""
    return replace(voice, is_flooded=is_on)


def silenced(voice: Voice, now_s: float) -> Voice:
    """Be silent for 60 s."""
    return replace(voice, silent_until_s=now_s + SILENCE_S)


def muted(voice: Voice, now_s: float) -> Voice:
    """Be mute for 30 min."""
    return replace(voice, muted_until_s=now_s + MUTE_S)


def unmuted(voice: Voice) -> Voice:
    """End silence and mute."""
    return replace(voice, silent_until_s=float("-inf"), muted_until_s=float("-inf"))


def step(voice: Voice, now_s: float) -> tuple[Voice, Sound | None]:
    """Say which sound is due now, if any; call it a few times a second.

    Only the most urgent call is heard: critical every 3 s, high every 10 s, medium once and not in a flood, low never.
    A call whose condition is over is heard once. The loss of the link is heard every 10 s where nothing critical calls.
    """
    is_quiet = now_s < voice.silent_until_s or now_s < voice.muted_until_s
    if is_quiet or voice.is_flooded:
        # What is raised meanwhile had its chance to be seen: no chime afterwards for it.
        voice = _told(voice, Priority.MEDIUM)
    if is_quiet:
        return voice, None
    wanted = (*voice.calling, *voice.unstored)
    highest = min((priority for call, priority in wanted if _is_due(voice, call, priority)), default=None)
    if highest is Priority.CRITICAL:
        return _repeated(voice, Sound.CRITICAL, _REPEAT_S[highest] or 0.0, now_s, of=highest)
    if voice.is_bus_lost:
        return _repeated(voice, Sound.BUS_LOST, BUS_LOST_EVERY_S, now_s)
    if highest is None:
        return voice, None
    return _repeated(voice, _SOUND_OF[highest], _REPEAT_S[highest] or 0.0, now_s, of=highest)


def _is_due(voice: Voice, call: Call, priority: Priority) -> bool:
    if priority not in _SOUND_OF:
        return False
    return call not in voice.sounded or (_REPEAT_S[priority] is not None and call not in voice.ended)


def _told(voice: Voice, priority: Priority) -> Voice:
    """Count every call of a priority as heard."""
    calls = {call for call, its_own in (*voice.calling, *voice.unstored) if its_own is priority}
    return voice if calls <= voice.sounded else replace(voice, sounded=voice.sounded | calls)


def _repeated(
    voice: Voice, sound: Sound, every_s: float, now_s: float, *, of: Priority | None = None
) -> tuple[Voice, Sound | None]:
    if voice.last_sound is sound and now_s - voice.last_sound_s < every_s:
        return voice, None
    told = voice if of is None else _told(voice, of)
    return replace(told, last_sound=sound, last_sound_s=now_s), sound


class Player(Protocol):
    """Something that plays a WAV file; the one place to replace for another library."""

    def play(self, file: Path, level: float) -> str:
        """Play a file once at 0..1; returns when it is over.

        Returns:
            Empty, or what was not as asked although it was heard.

        Raises:
            OSError: There is no device, or it does not take the sound.
        """
        ...


class MiniaudioPlayer:
    """Plays through one output of the system, looked for anew for every sound: devices may come and go."""

    def __init__(self, output: str = "") -> None:
        """Play through the output of this name; empty is the system's default."""
        self.output = output

    def play(self, file: Path, level: float) -> str:
        """Play a file once; see `Player`. Where the chosen output is gone the default one is heard."""
        import miniaudio

        with wave.open(str(file), "rb") as content:
            n_channels, rate, width = content.getnchannels(), content.getframerate(), content.getsampwidth()
            duration_s = content.getnframes() / rate
            samples = content.readframes(content.getnframes())
        if width != 2:
            raise OSError(f"{file.name} has {width * 8} bits a sample, 16 are played")
        over = threading.Event()

        def stream() -> Generator[bytes, int, None]:
            position = 0
            n_frames = yield b""
            while position < len(samples):
                end = position + n_frames * n_channels * width
                n_frames = yield _scaled(samples[position:end], level)
                position = end
            over.set()

        wanted = self.output
        found = _device_ids().get(wanted) if wanted else None
        try:
            device = miniaudio.PlaybackDevice(
                output_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=n_channels,
                sample_rate=rate,
                device_id=found,
                backends=_backends(),
            )
        except miniaudio.MiniaudioError as error:
            raise OSError("no audio device") from error
        try:
            if device.backend.lower() == "null":
                # The library's last resort takes every sound and plays none.
                raise OSError("no audio device")
            source = stream()
            next(source)
            device.start(source)
            if not over.wait(duration_s + 1.0):
                raise OSError("the audio device does not play")
            # The last block was handed over, not yet heard.
            over.clear()
            over.wait(0.1)
        except miniaudio.MiniaudioError as error:
            raise OSError(f"the audio device refuses the sound: {error}") from error
        finally:
            device.close()
        return f"{wanted} is not connected; alarms are heard from the default output." if wanted and not found else ""


def outputs() -> tuple[str, ...]:
    """Return the names of the outputs there are now; asks drivers, which may take a while."""
    return tuple(_device_ids())


def _device_ids() -> dict[str, Any]:
    import miniaudio

    try:
        found = miniaudio.Devices(backends=_backends()).get_playbacks()
    except miniaudio.MiniaudioError:
        return {}
    # The list of the null backend holds one device that plays nothing.
    return {str(device["name"]): device["id"] for device in found if "null" not in str(device["name"]).lower()}


def has_sound_card(cards: Path = SOUND_CARDS) -> bool:
    """Tell whether this machine has a sound card of its own; where it cannot be told, it may."""
    if not sys.platform.startswith("linux"):
        return True
    try:
        return "no soundcards" not in cards.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _backends() -> list[Any] | None:
    """Return the ways to the sound that may be tried; None for all there are.

    Without a card libasound and libjack write dozens of lines to the terminal at every try. A sound server may still
    be there: its sound may come out of another machine.
    """
    if has_sound_card():
        return None
    import miniaudio

    return [miniaudio.Backend.PULSEAUDIO]


def _scaled(samples: bytes, level: float) -> bytes:
    """Return 16-bit samples at 0..1 of their level."""
    import numpy as np

    return (np.frombuffer(samples, dtype="<i2") * level).astype("<i2").tobytes()


class Speaker:
    """Plays one sound at a time in a thread of its own; a device that hangs or is gone becomes a state.

    `on_state` is called in the speaker's thread or in that of `play`'s caller: hand over to the loop there. It gets ""
    while sounds are heard, else a sentence for the header.
    """

    def __init__(
        self,
        folder: Path,
        player: Player,
        on_state: Callable[[str], None],
        level: float = 0.8,
        *,
        speak: Callable[[str], None] | None = None,
    ) -> None:
        """Start the thread.

        Args:
            folder: Holds the WAV files.
            player: Plays them.
            on_state: Called when it changes whether sounds are heard.
            level: 0..1.
            speak: Says a sentence and returns when it is over; raises OSError where it cannot.
        """
        self._folder = folder
        self._player = player
        self._on_state = on_state
        self._level = level
        self._speak = speak
        self._state = ""
        self._busy_since_s: float | None = None
        self._next_try_s = float("-inf")
        self._changed = threading.Condition()
        self._sound: Sound | None = None
        self._sentence = ""
        self._is_closing = False
        # A daemon: an audio driver that hangs must not keep the console from closing.
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """Empty while sounds are heard, else why not."""
        return self._state

    def set_level(self, level: float) -> None:
        """Set the level, 0..1; critical alarms stay audible."""
        self._level = max(0.0, min(1.0, level))

    def play(self, sound: Sound) -> None:
        """Play a sound as soon as the one before is over; where one waits already, the newer takes its place."""
        busy_since_s = self._busy_since_s
        if busy_since_s is not None and time.monotonic() - busy_since_s > HANGS_AFTER_S:
            self._tell("No sound: the audio device does not answer.")
        with self._changed:
            self._sound = sound
            self._changed.notify()

    def say(self, sentence: str) -> None:
        """Say a sentence once no sound is due; a newer one takes the place of one that still waits."""
        with self._changed:
            self._sentence = sentence
            self._changed.notify()

    def look_again(self) -> None:
        """Try the device again with the next sound, as after another one was chosen."""
        self._next_try_s = float("-inf")

    def close(self, timeout_s: float = 2.0) -> None:
        """End the thread; one that hangs in a driver is left behind."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _next(self) -> Sound | str | None:
        """Wait for something to be heard; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing or self._sound is not None or bool(self._sentence))
            if self._is_closing:
                return None
            if self._sound is not None:
                sound, self._sound = self._sound, None
                return sound
            sentence, self._sentence = self._sentence, ""
            return sentence

    def _run(self) -> None:
        while (due := self._next()) is not None:
            if isinstance(due, Sound):
                self._play(due)
            elif self._speak is not None:
                try:
                    self._speak(due)
                except OSError as error:
                    # The tone was heard; speech is beside it.
                    log.warning("speech: %s", error)

    def _play(self, sound: Sound) -> None:
        if time.monotonic() < self._next_try_s:
            return
        level = max(MIN_CRITICAL_LEVEL, self._level) if sound is Sound.CRITICAL else self._level
        self._busy_since_s = time.monotonic()
        try:
            notice = self._player.play(self._folder / f"{sound.value}.wav", level)
        except ImportError:
            self._fail("No sound: the audio library is missing.")
        except (OSError, wave.Error, EOFError) as error:
            self._fail(f"No sound: {error}.")
        else:
            self._tell(notice)
        self._busy_since_s = None

    def _fail(self, state: str) -> None:
        self._next_try_s = time.monotonic() + RETRY_S
        self._tell(state)

    def _tell(self, state: str) -> None:
        if state == self._state:
            return
        self._state = state
        log.warning("audio: %s", state) if state else log.info("audio: sounds are heard again")
        self._on_state(state)
