"""The last messages of a device: which came when, what they said, and why one could not be used."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from core.field.messages import DeviceMessage
from widgets.base.conditions import Condition
from widgets.base.table import Column, Line
from widgets.base.times import format_age, format_clock, format_instant
from widgets.devices.list_with_text import ListWithText

_COLUMNS = (Column(title="Topic"), Column(title="Came"), Column(title="Quality", rank=1), Column(title="Size", rank=2))
_NONE = "No message has come since the node began."


class MessageList(ListWithText):
    """A table of messages, and below it the chosen one, decoded and raw."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Last messages, the newest first",
            _COLUMNS,
            text_title="The chosen message, decoded and as it came",
            parent=parent,
        )
        self._messages: dict[str, DeviceMessage] = {}
        self._show_none(_NONE)

    def show_messages(self, messages: Sequence[DeviceMessage]) -> None:
        """Show these, the newest first; the chosen one stays chosen."""
        found = {f"{one.at.timestamp():.6f} {one.topic} {number}": one for number, one in _numbered(messages)}
        if found != self._messages:
            self._messages = found
            self._show_lines([_line(key, one) for key, one in found.items()])

    def _show_current(self) -> None:
        message = self._messages.get(self.table.current_key)
        if message is None:
            self._show_none(_NONE)
            return
        came = f"{format_instant(message.at)}, {message.n_bytes:,} bytes"
        retained = ", stood on the broker" if message.is_retained else ""
        on_its_way = ""
        if message.sent_at is not None and not message.is_retained:
            on_its_way = f", {format_age((message.at - message.sent_at).total_seconds())} after its own time"
        trouble = f"\nCould not be used: {message.reason}" if message.reason else ""
        meaning = "\n".join(f"{name}: {text}" for name, text in message.meaning)
        raw = _indented(message.raw)
        self._show_text(f"{came}{retained}{on_its_way}.{trouble}", f"{meaning}\n\n{raw}" if meaning else raw)


def _numbered(messages: Sequence[DeviceMessage]) -> list[tuple[int, DeviceMessage]]:
    """Count what came in the same microsecond on the same topic, so that a key stays with its message."""
    seen: dict[tuple[float, str], int] = {}
    found = []
    for message in messages:
        same = (message.at.timestamp(), message.topic)
        seen[same] = seen.get(same, 0) + 1
        found.append((seen[same], message))
    return found


def _line(key: str, message: DeviceMessage) -> Line:
    quality = "not usable" if message.reason else message.quality or ("retained" if message.is_retained else "--")
    condition = Condition.LOST if message.reason else Condition.OK
    if message.quality in ("uncertain", "bad") and not message.reason:
        condition = Condition.STALE
    cells = (message.topic, format_clock(message.at), quality, f"{message.n_bytes:,} B")
    return Line(key=key, cells=cells, condition=condition, tip=message.reason)


def _indented(raw: str) -> str:
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except ValueError:
        return raw
