"""The process that draws a track in three dimensions; VTK is loaded only there."""

from __future__ import annotations

import contextlib
from multiprocessing.connection import Connection

from widgets.twin.drawing import say_failed
from widgets.twin.model import Options


def draw_track_for(pipe: Connection, options: Options) -> None:
    """Draw until told to end, or the other end of the pipe is gone."""
    try:
        from widgets.drones.track_renderer import run_loop

        with contextlib.suppress(EOFError, OSError):
            run_loop(pipe, options)
    except (ImportError, RuntimeError) as error:
        say_failed(pipe, f"The 3D view cannot be loaded: {error}.")
