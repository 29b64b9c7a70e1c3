"""Drives field devices on one thread: a single one on a Raspberry Pi, or a whole city's in a simulation."""

from __future__ import annotations

import contextlib
import logging
import queue
import select
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence

from core.field.client.device import FieldDevice

log = logging.getLogger(__name__)

TURN_S = 0.02
STOP_TIMEOUT_S = 3.0
APART_S = 0.03
"""Between the first connections of two devices."""


class FieldRunner:
    """Powers devices on, moves their packets and says goodbye for them.

    Threads: `start`, `stop` and `call_soon` from any thread; devices live on the runner's own.
    """

    def __init__(self, devices: Sequence[FieldDevice]) -> None:
        """Take the devices over; nothing is sent before `start`."""
        self._devices = tuple(devices)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """The thread is alive; it ends by itself where no device can use its memory."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; the devices connect by themselves, and again whenever the broker was away."""
        if self._thread is not None:
            return
        self._is_ending.clear()
        self._thread = threading.Thread(target=self._run, name="field-devices", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let every device say goodbye; ends within some seconds whatever the broker does."""
        if self._thread is None:
            return
        self._is_ending.set()
        self._thread.join(2 * STOP_TIMEOUT_S)
        self._thread = None

    def call_soon(self, order: Callable[[], None]) -> None:
        """Run `order` on the runner's thread, at its next turn."""
        self._orders.put(order)

    def _run(self) -> None:
        devices = [device for number, device in enumerate(self._devices) if self._power_on(device, number)]
        if self._devices and not devices:
            return
        turned_s = 0.0
        while not self._is_ending.is_set():
            with contextlib.suppress(queue.Empty):
                while True:
                    _guarded("an order", self._orders.get_nowait())
            now_s = time.monotonic()
            if now_s - turned_s >= TURN_S:
                turned_s = now_s
                for device in devices:
                    _guarded(device.device_id, device.turn)
            self._move(devices, max(0.0, turned_s + TURN_S - time.monotonic()))
        for device in devices:
            device.say_goodbye()
        give_up_s = time.monotonic() + STOP_TIMEOUT_S
        while any(device.is_open for device in devices) and time.monotonic() < give_up_s:
            self._move(devices, 0.01)
            for device in devices:
                device.hang_up_when_flushed()
        for device in devices:
            device.power_off()

    def _power_on(self, device: FieldDevice, number: int) -> bool:
        try:
            device.power_on(connect_at_s=time.monotonic() + APART_S * number)
        except (sqlite3.Error, OSError):
            log.exception("the memory of %s cannot be used: the device stays off", device.device_id)
            return False
        return True

    def _move(self, devices: Sequence[FieldDevice], timeout_s: float) -> None:
        """Read and write what the sockets are ready for."""
        by_socket = {device.socket: device for device in devices if device.socket is not None}
        if not by_socket:
            time.sleep(timeout_s)
            return
        wanting = [sock for sock, device in by_socket.items() if device.wants_to_write]
        unread = [device for device in by_socket.values() if device.has_unread]
        try:
            readable, writable, _ = select.select(list(by_socket), wanting, [], 0.0 if unread else timeout_s)
        except (OSError, ValueError):
            # A socket was closed under us; the device notices on its own turn.
            return
        for device in {*unread, *(by_socket[sock] for sock in readable)}:
            _guarded(device.device_id, device.on_readable)
        for sock in writable:
            _guarded(by_socket[sock].device_id, by_socket[sock].on_writable)


def _guarded(name: str, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception:
        # A supervisor: one device's mistake must not end the others, nor itself for good.
        log.exception("%s stumbled; the devices go on", name)
