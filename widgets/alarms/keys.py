"""The keys of the alarm list and of the room around it: what each does, and which it is at this desk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from PySide6.QtGui import QKeySequence

BUTTON_KEYS = ("Space", "Return", "Enter", "Backspace", "Esc")
"""Buttons and fields need them for themselves: in the list they count only while the rows have the keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Something a key does.

    Attributes:
        name: Its key in the section `keys` of the settings.
        is_everywhere: Works wherever the keys go, not only in the alarm list.
    """

    name: str
    words: str
    is_everywhere: bool = False


COMMANDS = (
    Command(name="newest", words="Go to the most urgent alarm that calls, from anywhere", is_everywhere=True),
    Command(name="put_back", words="Put the room back as it was before an alarm arranged it", is_everywhere=True),
    Command(name="help", words="This page", is_everywhere=True),
    Command(name="acknowledge", words="Acknowledge what is selected"),
    Command(name="acknowledge_page", words="Acknowledge what can be seen in the list, never more"),
    Command(name="shelve", words="Shelve for a while, with a reason; of a shelved one: take it back"),
    Command(name="unacknowledge", words="Take an acknowledge back within 10 minutes, with a reason"),
    Command(name="reset", words="Reset an alarm that stayed although its cause is over"),
    Command(name="close_unheard", words="Close an alarm whose source is not heard and may never be, with a reason"),
    Command(name="out_of_service", words="Take out of service, with owner, reason and end; or return to service"),
    Command(name="comment", words="Write a comment"),
    Command(name="tick", words="Go to the next step of its guidance; Space ticks it"),
    Command(name="go_to", words="Go to camera and map"),
    Command(name="escalate", words="Escalate"),
    Command(name="make_incident", words="Go to its incident"),
    Command(name="silence", words="Silence this desk for 60 s"),
    Command(name="next", words="Next unacknowledged"),
    Command(name="previous", words="Previous unacknowledged"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keymap:
    """The keys of each command at this desk, as `QKeySequence` writes them.

    Attributes:
        problems: Sentences about what of the settings cannot be used.
    """

    keys: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = field(default=())

    def of(self, name: str) -> tuple[str, ...]:
        """Return the keys of a command."""
        return self.keys.get(name, ())

    def text(self, name: str) -> str:
        """Return the keys of a command as an operator reads them, e.g. "Space or A"."""
        return " or ".join(self.of(name))


def keymap_of(wanted: Mapping[str, Iterable[str]], defaults: Mapping[str, Iterable[str]]) -> Keymap:
    """Return a keymap in which every key exists and does one thing; where it cannot be so the default stands in."""
    problems: list[str] = []
    keys = {command.name: tuple(wanted.get(command.name, ())) for command in COMMANDS}
    for name, sequences in keys.items():
        unknown = [text for text in sequences if not _is_key(text)]
        if unknown or not sequences:
            what = f"{unknown[0]!r} is no key" if unknown else "no key is given"
            problems.append(f"Setting keys.{name} is not used: {what}. The default is in force.")
            keys[name] = tuple(defaults[name])
    used: dict[str, str] = {}
    for name, sequences in keys.items():
        for text in sequences:
            other = used.setdefault(QKeySequence(text).toString(), name)
            if other != name:
                problems.append(
                    f"The key {text} stands for both keys.{other} and keys.{name}. The defaults are in force."
                )
    if any("stands for both" in problem for problem in problems):
        keys = {name: tuple(sequences) for name, sequences in defaults.items()}
    return Keymap(keys=keys, problems=tuple(problems))


def _is_key(text: str) -> bool:
    sequence = QKeySequence(text)
    return sequence.count() == 1 and "\ufffd" not in sequence.toString() and bool(sequence.toString())
