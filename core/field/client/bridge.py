"""A device whose sensors speak in lines of JSON: measurements come in on the standard input, commands go out.

In, one object a line:
    {"stream": "flow", "type": "TrafficFlowObserved", "data": {"intensity": 17}}    the newest value of a stream
    {"type": "VehicleCount", "data": {"n": 3}}                                      an event that must not be lost
    {"id": "01J…", "status": "done", "text": "…"}                                   what became of a command
    {"reported": {"period_s": 5}}                                                   the settings in force
Out:
    {"command": "restart", "id": "01J…", "args": {}}                                answer within its time
    {"desired": {"period_s": 5}}                                                    answer with "reported"
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import msgspec

from core.field.client.device import Access, DeviceInfo, FieldDevice, streams_of
from core.field.kinds.base import DeviceKind
from core.field.payloads import (
    MAX_PAYLOAD_BYTES,
    Command,
    CommandResult,
    Ident,
    Payload,
    PayloadError,
    StreamInfo,
    TwinState,
    check,
    decode,
)
from core.field.topics import is_slug

log = logging.getLogger(__name__)


class _Told(Payload):
    """A measurement or an event, as the other program writes it."""

    type: Ident = ""
    stream: str = ""
    data: dict[str, Any]


class BridgeDevice(FieldDevice):
    """A device whose measurements and answers come from another program.

    Threads: the runner's; `take_line` only through `FieldRunner.call_soon`.
    """

    def __init__(
        self,
        info: DeviceInfo,
        access: Access,
        *,
        kind: DeviceKind,
        say: Callable[[dict[str, Any]], None],
        memory_file: Path | None = None,
    ) -> None:
        """Write lines for the other program with `say`."""
        super().__init__(info, access, memory_file=memory_file)
        self._kind, self._say = kind, say
        self._last: dict[str, tuple[str, dict[str, Any]]] = {}
        self._reported: Mapping[str, Any] = {}

    def take_line(self, line: bytes) -> None:
        """Do what a line says; nonsense is logged and left."""
        try:
            self._take(decode(line[: MAX_PAYLOAD_BYTES + 1]))
        except PayloadError as error:
            log.warning("a line cannot be used: %s", error)
        except sqlite3.Error as error:
            log.error("a line is lost, the memory cannot be written: %s", error)

    def streams(self) -> tuple[StreamInfo, ...]:
        """Describe the streams of its kind; a device of no kind is read as it speaks."""
        return streams_of(self._kind) if self._kind.payloads else ()

    def tell_state(self) -> None:
        """Repeat the newest of every stream."""
        for stream, (payload_type, data) in self._last.items():
            self.repeat(stream, payload_type, data)

    def obey(self, command: Command) -> CommandResult:
        """Hand it on; the other program answers."""
        self._say({"command": command.name, "id": command.id, "args": command.args})
        return CommandResult(id=command.id, status="accepted")

    def configure(self, desired: Mapping[str, Any]) -> Mapping[str, Any]:
        """Hand them on; the other program says what it took over."""
        if desired:
            self._say({"desired": dict(desired)})
        return self._reported

    def _take(self, value: dict[str, Any]) -> None:
        if "status" in value:
            self.finish(check(value, CommandResult))
        elif "reported" in value:
            self._reported = check({"version": 0, "state": value["reported"]}, TwinState).state
            self.tell_settings(self._reported)
        elif "data" in value:
            self._take_told(check(value, _Told))
        else:
            raise PayloadError("The line has neither data, nor a status, nor settings.")

    def _take_told(self, told: _Told) -> None:
        if told.stream:
            if not is_slug(told.stream):
                raise PayloadError(
                    f"The stream {told.stream[:80]!r} has no usable name: 1 to 32 of a-z, 0-9 and the hyphen."
                )
            self._last[told.stream] = (told.type, told.data)
            self.tell(told.stream, told.type, told.data)
        elif told.type:
            self.report(told.type, told.data)
        else:
            raise PayloadError("The data has neither a stream nor a type.")


def read_lines(source: BinaryIO, take: Callable[[bytes], None], at_end: Callable[[], None]) -> threading.Thread:
    """Hand every line of `source` to `take` from a thread of its own, and call `at_end` after the last."""

    def run() -> None:
        for line in source:
            if line.strip():
                take(line)
        at_end()

    thread = threading.Thread(target=run, name="field-lines", daemon=True)
    thread.start()
    return thread


def line_writer(target: TextIO) -> Callable[[dict[str, Any]], None]:
    """Return a function that writes one JSON object a line."""

    def say(value: dict[str, Any]) -> None:
        target.write(msgspec.json.encode(value).decode() + "\n")
        target.flush()

    return say
