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
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import msgspec

from core.field.client.device import Access, DeviceInfo, FieldDevice, streams_of
from core.field.kinds.base import DeviceKind
from core.field.payloads import MAX_PAYLOAD_BYTES, Command, CommandResult, PayloadError, StreamInfo, check, decode

log = logging.getLogger(__name__)


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

    def take_line(self, line: str) -> None:
        """Do what a line says; nonsense is logged and left."""
        try:
            self._take(decode(line.encode()[: MAX_PAYLOAD_BYTES + 1]))
        except PayloadError as error:
            log.warning("a line cannot be used: %s", error)

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
        data, stream, payload_type = value.get("data"), str(value.get("stream", "")), str(value.get("type", ""))
        if "status" in value:
            self.finish(check(value, CommandResult))
        elif isinstance(value.get("reported"), dict):
            self._reported = value["reported"]
            self.tell_settings(self._reported)
        elif isinstance(data, dict) and stream:
            self._last[stream] = (payload_type, data)
            self.tell(stream, payload_type, data)
        elif isinstance(data, dict) and payload_type:
            self.report(payload_type, data)
        else:
            raise PayloadError("The line has neither data with a stream or a type, nor a status, nor settings.")


def read_lines(source: TextIO, take: Callable[[str], None], at_end: Callable[[], None]) -> threading.Thread:
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
