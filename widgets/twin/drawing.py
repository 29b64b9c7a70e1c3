"""The process that draws: takes orders from a pipe, sends pictures back. No Qt; VTK only here.

Newest wins: of several orders of one kind the last one counts, and no more than two pictures are under way. It ends
with its pipe.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from widgets.twin.model import (
    BaysLook,
    Built,
    Detail,
    End,
    Failed,
    Look,
    Options,
    Order,
    Picture,
    Ready,
    ShowBays,
    ShowLots,
    ShowOptions,
    Taken,
)
from widgets.twin.pose import Pose
from widgets.twin.scene import TwinScene, build_scene

MAX_UNDER_WAY = 2
REST_S = 0.25
"""After so long without a change the picture is drawn once more, finely."""

IDLE_S = 3600.0
FRAME_S = 1 / 60
"""Cars on their way ask for no more pictures than this."""

SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "microsoft basic", "software rasterizer")


def draw_for(pipe: Connection, options: Options) -> None:
    """Draw until told to end, or the other end of the pipe is gone."""
    try:
        from widgets.twin.renderer import Renderer

        renderer = Renderer(options)
    except (ImportError, RuntimeError) as error:
        say_failed(pipe, f"The 3D view cannot be loaded: {error}.")
        return
    with contextlib.suppress(EOFError, OSError):
        _TwinLoop(pipe, renderer).run()
    renderer.close()


def say_failed(pipe: Connection, sentence: str) -> None:
    """Tell why nothing can be drawn here."""
    with contextlib.suppress(OSError):
        pipe.send(Failed(sentence))


class Drawer(Protocol):
    """What draws a scene."""

    @property
    def device(self) -> str:
        """What OpenGL calls the hardware; known after the first picture."""
        ...

    @property
    def is_moving(self) -> bool:
        """Whether something is on its way."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        ...

    def draw(self, pose: Pose, width_px: int, height_px: int, detail: Detail) -> NDArray[np.uint8]:
        """Return a picture, BGRA, upper row first."""
        ...


class DrawingLoop:
    """Takes orders, lets things move, draws; what a scene is made of its heirs know."""

    def __init__(self, pipe: Connection, renderer: Drawer) -> None:
        self._pipe = pipe
        self._renderer = renderer
        self._look: Look | None = None
        self._n_under_way = 0
        self._is_known = False
        self._is_software = True
        self._look_number = 0
        self._owed: Detail | None = None
        self._changed_at_s = 0.0
        self._moved_at_s = time.monotonic()

    def run(self) -> None:
        """Go on until the pipe breaks."""
        while True:
            if self._pipe.poll(self._wait_s()):
                self._take_all()
            self._move()
            self._draw_if_owed()

    def _wait_s(self) -> float:
        if self._n_under_way >= MAX_UNDER_WAY or self._look is None or self._owed is None:
            return FRAME_S if self._renderer.is_moving and self._n_under_way < MAX_UNDER_WAY else IDLE_S
        if self._owed is Detail.FINE:
            return max(0.0, self._changed_at_s + REST_S - time.monotonic())
        return 0.0

    def _take_all(self) -> None:
        orders: dict[type[Order], Order] = {}
        while True:
            order: Order = self._pipe.recv()
            if isinstance(order, End):
                raise EOFError
            if isinstance(order, Taken):
                self._n_under_way -= 1
            else:
                # What is said of another scene comes after it.
                before = orders.pop(type(order), None)
                orders[type(order)] = order if before is None else self._joined(before, order)
            if not self._pipe.poll(0):
                break
        for order in orders.values():
            self._obey(order)

    def _joined(self, before: Order, order: Order) -> Order:
        """Return what counts of two orders of one kind."""
        return order

    def _obey(self, order: Order) -> None:
        if isinstance(order, Look):
            self._look = order
        else:
            self._obey_scene(order)
        self._owe()

    def _obey_scene(self, order: Order) -> None:
        """Show something else."""

    def _owe(self) -> None:
        self._owed = Detail.QUICK
        self._changed_at_s = time.monotonic()

    def _move(self) -> None:
        now_s = time.monotonic()
        if self._renderer.is_moving and self._n_under_way < MAX_UNDER_WAY:
            # A car that waited for a slow picture does not jump across its bay.
            self._renderer.advance(min(0.15, now_s - self._moved_at_s))
            self._moved_at_s = now_s
            self._owe()

    def _draw_if_owed(self) -> None:
        look = self._look
        if look is None or self._owed is None or self._n_under_way >= MAX_UNDER_WAY:
            return
        is_rested = time.monotonic() >= self._changed_at_s + REST_S
        if self._owed is Detail.FINE and not is_rested:
            return
        detail = self._owed if self._is_software else Detail.FINE
        begin_s = time.perf_counter()
        pixels = self._renderer.draw(look.pose, look.width_px, look.height_px, detail)
        draw_s = time.perf_counter() - begin_s
        if not self._is_known:
            self._introduce()
        self._owed = Detail.FINE if detail is Detail.QUICK else None
        self._n_under_way += 1
        self._pipe.send(
            Picture(look.pose, look.width_px, look.height_px, detail, draw_s, look_number=self._look_number)
        )
        self._pipe.send_bytes(np.ascontiguousarray(pixels).reshape(-1).data)

    def _introduce(self) -> None:
        """Say by whom is drawn; known once something was."""
        device = self._renderer.device
        self._is_software = not device or any(name in device.lower() for name in SOFTWARE)
        self._is_known = True
        self._pipe.send(Ready(device, self._is_software))


class _TwinDrawer(Drawer, Protocol):
    """What draws lots."""

    def show_scene(self, scene: TwinScene) -> None:
        """Build everything anew."""
        ...

    def show_bays(self, look: BaysLook, *, at_once: bool) -> None:
        """Show how bays stand."""
        ...

    def show_options(self, options: Options) -> None:
        """Draw it another way."""
        ...


class _TwinLoop(DrawingLoop):
    """Draws lots, and lets cars drive."""

    def __init__(self, pipe: Connection, renderer: _TwinDrawer) -> None:
        super().__init__(pipe, renderer)
        self._twin = renderer
        self._number = -1

    def _joined(self, before: Order, order: Order) -> Order:
        if isinstance(order, ShowBays) and isinstance(before, ShowBays) and before.is_at_once:
            return replace(order, is_at_once=True)
        return order

    def _obey_scene(self, order: Order) -> None:
        match order:
            case ShowLots(lots, number):
                scene = build_scene(lots)
                self._twin.show_scene(scene)
                self._number = number
                self._pipe.send(Built(scene, number))
            case ShowBays(look, number, is_at_once, look_number):
                if number == self._number:
                    self._look_number = look_number
                    self._twin.show_bays(look, at_once=is_at_once)
                    self._moved_at_s = time.monotonic()
            case ShowOptions(options):
                self._twin.show_options(options)
