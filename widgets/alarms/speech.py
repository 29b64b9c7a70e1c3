"""New alarms in words, where somebody wants to hear them: short, seldom, never twice the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace

from core.incidents.model import Alarm, Priority
from widgets.base.symbols import PRIORITY_WORDS

EVERY_S = 10.0
NOT_AGAIN_S = 60.0
SUMS_UP_ABOVE = 3
LONGEST_S = 15.0
"""A voice that takes longer hangs."""

_POWERSHELL = (
    "Add-Type -AssemblyName System.Speech; "
    "(New-Object System.Speech.Synthesis.SpeechSynthesizer).Speak([Console]::In.ReadToEnd())"
)
_COMMANDS = {
    "linux": (("espeak-ng", "--stdin"), ("espeak", "--stdin"), ("spd-say", "--wait", "--pipe-mode")),
    "darwin": (("say", "-f", "-"),),
    "win32": (("powershell", "-NoProfile", "-Command", _POWERSHELL),),
}
"""Each reads a sentence from its standard input and ends when it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What was said, and what waits to be said. Times are monotonic seconds.

    Attributes:
        known: Calls that were said or passed over: occurrence and its number of calls.
        waiting: Calls that nobody heard of yet, most urgent first.
        said: Sentences of the last minute and when they were said.
    """

    known: frozenset[tuple[str, int]] = frozenset()
    waiting: tuple[Alarm, ...] = ()
    last_s: float = float("-inf")
    said: tuple[tuple[str, float], ...] = ()


def listened(speech: Speech, alarms: Iterable[Alarm], *, is_flooded: bool) -> Speech:
    """Take over the open alarms; in a flood only critical ones are said, low ones never."""
    by_call = {(alarm.occurrence, alarm.n_calls): alarm for alarm in alarms}
    # Without a call it waits: it chatters, and the list alone says so.
    calling = {call: alarm for call, alarm in by_call.items() if alarm.is_calling and alarm.n_calls}
    lowest = Priority.CRITICAL if is_flooded else Priority.MEDIUM
    fresh = [alarm for call, alarm in calling.items() if call not in speech.known and alarm.priority <= lowest]
    kept = [calling[call] for alarm in speech.waiting if (call := (alarm.occurrence, alarm.n_calls)) in calling]
    waiting = sorted((alarm for alarm in (*kept, *fresh) if alarm.priority <= lowest), key=_urgency)
    return replace(speech, known=frozenset(by_call), waiting=tuple(waiting))


def hushed(speech: Speech) -> Speech:
    """Pass over what waits, as while this desk is silent."""
    return replace(speech, waiting=()) if speech.waiting else speech


def next_sentence(speech: Speech, now_s: float) -> tuple[Speech, str]:
    """Return what is to be said now, or nothing; call it a few times a second."""
    if not speech.waiting or now_s - speech.last_s < EVERY_S:
        return speech, ""
    first = speech.waiting[0]
    escalated = f"Escalated to level {first.escalation_level}. " if first.escalation_level else ""
    sentence = f"{escalated}{PRIORITY_WORDS[first.priority]}. {first.title}. {first.source_name}."
    rest = speech.waiting[1:]
    if len(speech.waiting) > SUMS_UP_ABOVE:
        sentence, rest = f"{len(speech.waiting)} new alarms. {sentence}", ()
    said = tuple((text, at_s) for text, at_s in speech.said if now_s - at_s < NOT_AGAIN_S)
    if any(text == sentence for text, _ in said):
        return replace(speech, waiting=rest, said=said), ""
    return replace(speech, waiting=rest, last_s=now_s, said=(*said, (sentence, now_s))), sentence


def find_voice() -> tuple[str, ...]:
    """Return the command of a voice that this machine has and that needs no network; empty where it has none."""
    platform = "linux" if sys.platform.startswith("linux") else sys.platform
    for program, *arguments in _COMMANDS.get(platform, ()):
        path = shutil.which(program)
        if path is not None:
            return (path, *arguments)
    return ()


def speak(command: tuple[str, ...], sentence: str) -> None:
    """Say a sentence; returns when it is over.

    Raises:
        OSError: The voice does not work, or hangs.
    """
    try:
        subprocess.run(
            command,
            input=sentence.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST_S,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} does not end") from error
    except subprocess.CalledProcessError as error:
        raise OSError(f"{command[0]} ends with {error.returncode}") from error


def _urgency(alarm: Alarm) -> tuple[int, float]:
    return int(alarm.priority), -alarm.raised_at.timestamp()
