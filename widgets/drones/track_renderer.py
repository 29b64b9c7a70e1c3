"""Draws a track over a grid of the ground with VTK, off the screen, in the drawing process. No Qt."""

from __future__ import annotations

import math
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from widgets.drones.track_model import ShowTrack, grid_step_m
from widgets.twin.canvas import Canvas, paint_plain, swapped
from widgets.twin.drawing import DrawingLoop
from widgets.twin.model import Detail, Options, Order, ShowOptions
from widgets.twin.pose import Pose

CURTAIN_OPACITY, GRID_OPACITY = 0.22, 0.4
LINE_PX = 4.0
_ARROW = np.array([(0.0, 1.0, 0.0), (0.7, -0.8, 0.0), (0.0, -0.4, 0.35), (-0.7, -0.8, 0.0)])
_ARROW_FACES = np.array([3, 0, 1, 2, 3, 0, 2, 3, 3, 1, 3, 2, 3, 0, 3, 1])


class TrackRenderer:
    """Draws one track; everything on one thread.

    Raises:
        RuntimeError: There is no OpenGL.
    """

    is_moving = False

    def __init__(self, options: Options) -> None:
        self._canvas = Canvas()
        self._renderer = self._canvas.renderer
        self.show_options(options)

    @property
    def device(self) -> str:
        """What OpenGL calls the hardware; known after the first picture."""
        return self._canvas.device

    def advance(self, seconds: float) -> None:
        """Let time go by: nothing moves by itself."""

    def show_options(self, options: Options) -> None:
        """Take other colours."""
        self._canvas.set_sky(options.palette.sky)

    def show_track(self, track: ShowTrack) -> None:
        """Draw another track."""
        self._renderer.RemoveAllViewProps()
        self._add(_grid(track), track, opacity=GRID_OPACITY)
        if len(track.points) > 1:
            self._add(_curtain(track), track, opacity=CURTAIN_OPACITY)
            line = self._add(_line(track), track, opacity=1.0)
            line.GetProperty().SetLineWidth(LINE_PX)
        if track.marker is not None:
            self._add(_marker(track, track.marker), track, opacity=1.0)

    def draw(self, pose: Pose, width_px: int, height_px: int, detail: Detail) -> NDArray[np.uint8]:
        """Return a picture, BGRA, upper row first, shape (height, width, 4); it is good until the next one."""
        return self._canvas.draw(pose, width_px, height_px, detail)

    def close(self) -> None:
        """Let go of everything."""
        self._canvas.close()

    def _add(self, mesh: Any, track: ShowTrack, *, opacity: float) -> vtkActor:
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(mesh)
        actor = vtkActor()
        if "color" in mesh.point_data:
            mapper.SetScalarModeToUsePointFieldData()
            mapper.SelectColorArray("color")
            mapper.SetColorModeToDirectScalars()
        else:
            mapper.ScalarVisibilityOff()
        actor.SetMapper(mapper)
        paint_plain(actor, track.ink)
        actor.GetProperty().SetOpacity(opacity)
        self._renderer.AddActor(actor)
        return actor


class _TrackLoop(DrawingLoop):
    def __init__(self, pipe: Connection, renderer: TrackRenderer) -> None:
        super().__init__(pipe, renderer)
        self._track_renderer = renderer

    def _obey_scene(self, order: Order) -> None:
        if isinstance(order, ShowTrack):
            self._track_renderer.show_track(order)
        elif isinstance(order, ShowOptions):
            self._track_renderer.show_options(order.options)


def run_loop(pipe: Connection, options: Options) -> None:
    """Draw until the pipe breaks.

    Raises:
        RuntimeError: There is no OpenGL.
        EOFError: Nobody wants pictures any more.
    """
    renderer = TrackRenderer(options)
    try:
        _TrackLoop(pipe, renderer).run()
    finally:
        renderer.close()


def _line(track: ShowTrack) -> Any:
    n = len(track.points)
    mesh = pv.PolyData(track.points.astype(np.float32), lines=np.concatenate(([n], np.arange(n))))
    mesh.point_data["color"] = swapped(track.colors)
    return mesh


def _curtain(track: ShowTrack) -> Any:
    """Return the faces between the track and the ground below it."""
    n = len(track.points)
    feet = track.points.copy()
    feet[:, 2] = 0.0
    upper = np.arange(n - 1)
    faces = np.column_stack((np.full(n - 1, 4), upper, upper + 1, upper + 1 + n, upper + n))
    mesh = pv.PolyData(np.vstack((track.points, feet)).astype(np.float32), faces=faces.reshape(-1))
    mesh.point_data["color"] = swapped(np.vstack((track.colors, track.colors)))
    return mesh


def _grid(track: ShowTrack) -> Any:
    low, high = track.low, track.high
    step = grid_step_m(low, high)
    first = np.floor(low[:2] / step) * step - step
    last = np.ceil(high[:2] / step) * step + step
    ends: list[tuple[float, float, float]] = []
    for x in np.arange(first[0], last[0] + step / 2, step):
        ends += [(x, first[1], 0.0), (x, last[1], 0.0)]
    for y in np.arange(first[1], last[1] + step / 2, step):
        ends += [(first[0], y, 0.0), (last[0], y, 0.0)]
    pairs = np.arange(len(ends)).reshape(-1, 2)
    lines = np.column_stack((np.full(len(pairs), 2), pairs)).reshape(-1)
    return pv.PolyData(np.array(ends, dtype=np.float32), lines=lines)


def _marker(track: ShowTrack, place: tuple[float, float, float]) -> Any:
    low, high = track.low, track.high
    size_m = max(4.0, float(np.hypot(*(high - low)[:2])) * 0.02)
    turn = 0.0 if math.isnan(track.heading_deg) else -math.radians(track.heading_deg)
    turned = _ARROW @ np.array(
        [(math.cos(turn), math.sin(turn), 0.0), (-math.sin(turn), math.cos(turn), 0.0), (0.0, 0.0, 1.0)]
    )
    return pv.PolyData((turned * size_m + np.array(place)).astype(np.float32), faces=_ARROW_FACES)
