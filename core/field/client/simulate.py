"""Simulated devices: what a device kind's simulator says, through a real field client."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.field.client.device import Access, DeviceInfo, Dialect, FieldDevice, streams_of
from core.field.kinds.base import DeviceKind, Moment, Said
from core.field.payloads import Command, CommandInfo, CommandResult, StreamInfo
from core.kernel.clock import Clock

PERIOD_SCHEMA = {"period_s": {"type": "number", "minimum": 0.01, "maximum": 86_400}}


class SimulatedDevice(FieldDevice):
    """One device of a kind; obeys `identify`, and takes `period_s` as a setting."""

    def __init__(
        self,
        kind: DeviceKind,
        info: DeviceInfo,
        access: Access,
        *,
        period_s: float,
        seed: str,
        memory_file: Path | None = None,
        clock: Clock | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        """Measure every `period_s`; the same seed says the same."""
        super().__init__(info, access, memory_file=memory_file, clock=clock, dialect=dialect)
        self.kind = kind
        self._period_s = period_s
        self._chance = random.Random(seed)
        self._began_s = time.monotonic()
        # The devices of a city do not measure in step.
        self._due_s = self._began_s + self._chance.random() * period_s
        self._last: dict[str, Said] = {}

    def streams(self) -> tuple[StreamInfo, ...]:
        """Describe the streams as the kind declares them."""
        return streams_of(self.kind, period_s=self._period_s)

    def commands(self) -> tuple[CommandInfo, ...]:
        """One that does nothing anybody could see."""
        return (CommandInfo(name="identify"), CommandInfo(name="set-period", params=PERIOD_SCHEMA))

    def measure(self) -> None:
        """Say what the simulator says, when it is due."""
        now_s = time.monotonic()
        if now_s < self._due_s or self.kind.simulate is None:
            return
        self._due_s = max(self._due_s + self._period_s, now_s)
        now = self.clock.now()
        moment = Moment(
            elapsed_s=now_s - self._began_s, hour=now.hour + now.minute / 60 + now.second / 3600, random=self._chance
        )
        for said in self.kind.simulate(moment):
            if said.stream:
                self._last[said.stream] = said
                self.tell(said.stream, said.type, said.data)
            else:
                self.report(said.type, said.data)

    def tell_state(self) -> None:
        """Repeat the newest of every stream."""
        for said in self._last.values():
            self.repeat(said.stream, said.type, said.data)

    def obey(self, command: Command) -> CommandResult:
        """Identify itself, or measure at another pace."""
        if command.name == "identify":
            return CommandResult(id=command.id, status="done", text=f"{self.info.name} is here")
        if command.name != "set-period":
            return super().obey(command)
        if not self._set_period(command.args.get("period_s")):
            return CommandResult(id=command.id, status="rejected", code=422, text="period_s is not usable")
        self.tell_settings({"period_s": self._period_s})
        return CommandResult(id=command.id, status="done", text=f"measuring every {self._period_s:g} s")

    def configure(self, desired: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the period over."""
        self._set_period(desired.get("period_s"))
        return {"period_s": self._period_s}

    def _set_period(self, period_s: object) -> bool:
        if isinstance(period_s, bool) or not isinstance(period_s, int | float) or not 0.01 <= period_s <= 86_400:
            return False
        self._period_s = float(period_s)
        self._due_s = min(self._due_s, time.monotonic() + self._period_s)
        return True
