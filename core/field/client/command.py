"""`main.py field-client`, also `python -m core.field.client`: one device, or many simulated ones, until told to end."""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

from core.field.client.arguments import add_arguments
from core.field.client.bridge import BridgeDevice, line_writer, read_lines
from core.field.client.device import Dialect, FieldDevice
from core.field.client.runner import FieldRunner
from core.field.client.settings import ClientSettings, settings_of
from core.field.client.simulate import SimulatedDevice
from core.field.kinds import kind_of_key, simulated_kind
from core.kernel.errors import ConsoleError

log = logging.getLogger(__name__)

TELL_EVERY_S = 10.0
FLUSH_TIMEOUT_S = 10.0
"""At the end of the input, so long for what is not stored yet; the rest waits in the memory file."""


def run_field_client(options: argparse.Namespace) -> int:
    """Run until the input ends, the time is over, or a signal comes.

    Raises:
        ConsoleError: The settings cannot be used.
    """
    settings = settings_of(options)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    is_ending = threading.Event()
    with _signals(is_ending):
        if settings.simulate:
            _run(_simulated(settings), is_ending, for_s=options.for_s)
        else:
            _bridge(settings, is_ending, for_s=options.for_s)
    return 0


def _simulated(settings: ClientSettings) -> list[FieldDevice]:
    kind = simulated_kind(settings.simulate)
    if not settings.device.id:
        device = settings.device.model_copy(update={"id": f"{kind.key}/{kind.key}-sim"})
        settings = settings.model_copy(update={"device": device})
    access, dialect = settings.access(), Dialect()
    numbers = range(1, settings.count + 1) if settings.count > 1 else (0,)
    return [
        SimulatedDevice(
            kind,
            settings.info(number=number),
            access,
            period_s=settings.period_s,
            seed=f"{settings.seed}:{number}",
            memory_file=settings.memory_of(number),
            dialect=dialect,
        )
        for number in numbers
    ]


def _bridge(settings: ClientSettings, is_ending: threading.Event, *, for_s: float | None) -> None:
    device = BridgeDevice(
        settings.info(),
        settings.access(),
        kind=kind_of_key(settings.device.kind),
        say=line_writer(sys.stdout),
        memory_file=settings.memory,
    )
    runner = FieldRunner([device])
    has_ended = threading.Event()
    lines = read_lines(
        sys.stdin.buffer,
        lambda line: runner.call_soon(lambda: device.take_line(line)),
        lambda: runner.call_soon(has_ended.set),
    )
    _keep(runner, [device], is_ending, for_s=for_s, has_ended=has_ended)
    # A thread that waits for a line nobody writes is left to the end of the process.
    lines.join(0.0)


def _run(devices: list[FieldDevice], is_ending: threading.Event, *, for_s: float | None) -> None:
    _keep(FieldRunner(devices), devices, is_ending, for_s=for_s, has_ended=threading.Event())


def _keep(
    runner: FieldRunner,
    devices: list[FieldDevice],
    is_ending: threading.Event,
    *,
    for_s: float | None,
    has_ended: threading.Event,
) -> None:
    """Keep the devices running, and say how they are.

    Raises:
        ConsoleError: The devices stopped by themselves.
    """
    runner.start()
    ends_s = time.monotonic() + for_s if for_s is not None else float("inf")
    told_s, told = time.monotonic(), ""
    while not is_ending.wait(0.1) and time.monotonic() < ends_s and not has_ended.is_set():
        if not runner.is_running:
            raise ConsoleError("The devices stopped: an error ended their work.", hint="The log says which.")
        now_s = time.monotonic()
        text = f"{sum(device.is_connected for device in devices)} of {len(devices)} connected"
        if text != told or now_s - told_s >= TELL_EVERY_S:
            told, told_s = text, now_s
            n_sent = sum(device.n_published for device in devices)
            n_waiting = sum(device.n_waiting for device in devices)
            log.info("%s, %d messages sent, %d wait to be stored", text, n_sent, n_waiting)
            for problem in sorted({device.problem for device in devices} - {""}):
                log.warning(problem)
    give_up_s = time.monotonic() + FLUSH_TIMEOUT_S
    while has_ended.is_set() and any(device.n_waiting for device in devices) and time.monotonic() < give_up_s:
        if is_ending.wait(0.05):
            break
    runner.stop()


@contextlib.contextmanager
def _signals(is_ending: threading.Event) -> Iterator[None]:
    """End on SIGINT and SIGTERM with a goodbye; the handlers before are put back."""

    def end(_number: int, _frame: FrameType | None) -> None:
        is_ending.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str]) -> int:
    """Run the field client without the rest of the program."""
    parser = argparse.ArgumentParser(prog="field-client", description=__doc__)
    add_arguments(parser)
    try:
        return run_field_client(parser.parse_args(arguments))
    except ConsoleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
