"""What a device had to tell and may not lose: counts, alerts, what it gave up; which of it called, which came late."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from core.field.event_log import DeviceEvent, EventCall
from widgets.base.conditions import Condition
from widgets.base.table import Column, Line
from widgets.base.times import format_age, format_clock, format_instant
from widgets.devices.list_with_text import ListWithText

_COLUMNS = (
    Column(title="Event"),
    Column(title="Time"),
    Column(title="Received", rank=1),
    Column(title="Result"),
)
_WORDS = {
    EventCall.NONE: ("stored", ""),
    EventCall.WAITING: ("waiting", "Its call waits for the database."),
    EventCall.CALLED: ("called", "It called."),
    EventCall.COUNTED: ("counted", "Its rule calls once it has come often enough: this one was counted."),
    EventCall.SHELVED: ("shelved", "Its alarm was shelved: nobody was called."),
    EventCall.SUPPRESSED: ("suppressed", "A rule suppressed its alarm: nobody was called."),
    EventCall.OUT_OF_SERVICE: ("out of service", "Its alarm was out of service: nobody was called."),
    EventCall.NO_DEVICE: ("not called", "The device had been removed: nobody was called."),
    EventCall.UNKNOWN: ("not noted", "Whether it called was not noted."),
}
"""What became of an event, in the table and as a sentence."""

_NONE = "No event of this device is stored."


class EventList(ListWithText):
    """A table of stored events, and below it the chosen one in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Stored events, the newest first", _COLUMNS, text_title="The chosen event in words", parent=parent
        )
        self._events: dict[str, DeviceEvent] = {}
        self._show_none(_NONE)

    def show_events(self, events: Sequence[DeviceEvent]) -> None:
        """Show these, the newest first; the chosen one stays chosen."""
        found = {str(event.event_number): event for event in events}
        if found != self._events:
            self._events = found
            self._show_lines([_line(key, event) for key, event in found.items()])

    def _show_current(self) -> None:
        event = self._events.get(self.table.current_key)
        if event is None:
            self._show_none(_NONE)
            return
        delay = format_age((event.received_at - event.at).total_seconds())
        number = "without a number" if event.is_unnumbered else f"number {event.seq:,}"
        came = f"{format_instant(event.at)} by the device, received {delay} later, {number}."
        if event.is_at_arrival:
            came = f"{format_instant(event.at)}, when it arrived: its own time cannot be used; {number}."
        doubt = "" if event.is_good else " The device or its clock is not to be trusted."
        late = " It came late: it is history." if event.is_late else ""
        if event.is_late and event.call is EventCall.NONE:
            late = " It came late: it is history, and called nobody."
        ahead = " Earlier events of the device were missing then." if event.is_ahead else ""
        _, call = _WORDS[event.call]
        self._show_text(
            f"{came}{doubt}{late}{ahead} {call}".rstrip(), "\n".join(f"{name}: {text}" for name, text in event.meaning)
        )


def _line(key: str, event: DeviceEvent) -> Line:
    became, _ = _WORDS[event.call]
    condition = Condition.OK
    if event.is_late:
        condition = Condition.STALE
        became = "late" if event.call is EventCall.NONE else f"late, {became}"
    if event.is_ahead:
        became = f"{became}, earlier ones missing"
    if event.is_at_arrival:
        became = f"{became}, time of arrival"
    if event.is_unnumbered:
        became = f"{became}, no number"
    cells = (event.title, format_clock(event.at), format_clock(event.received_at), became)
    return Line(key=key, cells=cells, condition=condition, tip=format_instant(event.received_at))
