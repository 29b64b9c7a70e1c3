"""What the keys do at this desk, and what happens to an alarm: from the keymap and from the machine's own table."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from core.incidents.machine import TABLE, Row
from core.incidents.model import AlarmState
from widgets.alarms.keys import COMMANDS, Keymap
from widgets.alarms.order import STATE_WORDS
from widgets.base.theme import look

N_TAB_KEYS = 9
_TAB_KEYS = (
    ("Next or previous panel that is seen, and the bars above", "Ctrl+Tab, Ctrl+Shift+Tab"),
    ("Next or previous panel behind the same tabs", "Alt+Page Down, Alt+Page Up"),
    (f"Tab 1 to {N_TAB_KEYS} inside this panel, counted from the top", f"Alt+1 to Alt+{N_TAB_KEYS}"),
)


class HelpPage(QTextBrowser):
    """Read with the arrow keys; nothing in it leads elsewhere."""

    def __init__(self, keymap: Keymap, panels: Iterable[tuple[str, str]], parent: QWidget | None = None) -> None:
        """Print the keymap and the panels as (title, shortcut)."""
        super().__init__(parent)
        self._keymap = keymap
        self._panels = tuple(panels)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setAccessibleName("Help: keys and states of alarms")
        self._print()

    def _print(self) -> None:
        made = look()
        self.document().setDefaultFont(made.font())
        self.document().setDocumentMargin(made.sizes.gap * 3)
        here = [(command.words, self._keymap.text(command.name)) for command in COMMANDS if command.is_everywhere]
        in_list = [
            (command.words, self._keymap.text(command.name)) for command in COMMANDS if not command.is_everywhere
        ]
        in_list += [("Filter", "/"), ("Step out", "Esc")]
        parts = [
            _heading("Keys that work everywhere"),
            _keys((*here, ("This panel alone, or divide the window again", "F11"), *_TAB_KEYS)),
            _heading("Keys of the alarm list"),
            _keys(in_list),
            _heading("Panels"),
            _keys(self._panels),
            '<p>Keys are changed in the section <i>keys</i> of the settings, e.g. shelve = ["F12"].</p>',
            _heading("States of an alarm"),
            _states(),
            _heading("What leads from one state to another"),
            "<p>Of the lines that fit, the first one counts. Silence is not here: it is no answer to an alarm.</p>",
            _transitions(TABLE),
        ]
        self.setHtml("".join(parts))

    def changeEvent(self, event: QEvent) -> None:
        """Print in another look."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._print()


def _heading(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


def _keys(pairs: Iterable[tuple[str, str]]) -> str:
    lines = (f"<tr><td><b>{escape(keys)}</b></td><td>{escape(words)}</td></tr>" for words, keys in pairs)
    return f'<table cellpadding="4">{"".join(lines)}</table>'


def _states() -> str:
    lines = (
        f"<tr><td><b>{escape(state.value)}</b></td><td>{escape(STATE_WORDS[state])}</td></tr>" for state in AlarmState
    )
    return f'<table cellpadding="4">{"".join(lines)}</table>'


def _transitions(rows: Iterable[Row]) -> str:
    lines = []
    for row in rows:
        source = ", ".join(state.value for state in AlarmState if state in row.source)
        if len(row.source) > len(AlarmState) - 2:
            source = "any open"
        target = row.target.value if row.target is not None else "the same"
        what = row.trigger.value.replace("_", " ") + (f", where {row.guard.value}" if row.guard.value else "")
        effects = "; ".join(effect.value for effect in row.effects)
        cells = (source, what, target, effects)
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f'<th align="left">{name}</th>' for name in ("From", "What happens", "To", "And"))
    return f'<table cellpadding="4"><tr>{head}</tr>{"".join(lines)}</table>'
