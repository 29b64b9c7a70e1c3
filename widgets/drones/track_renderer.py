"""Draws a track over a grid of the ground with VTK, off the screen, in the drawing process. No Qt."""

from __future__ import annotations

import math
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pyvista as pv
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (the drawing behind vtkRenderingCore)
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow

from widgets.drones.track_model import ShowTrack, grid_step_m
from widgets.twin.drawing import DrawingLoop
from widgets.twin.model import Detail, Options, Order, ShowOptions
from widgets.twin.pose import VIEW_ANGLE_DEG, Pose

SMOOTHING = 8
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
        self._renderer = vtkRenderer()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._pixels = vtkUnsignedCharArray()
        self.show_options(options)

    @property
    def device(self) -> str:
        """What OpenGL calls the hardware; known after the first picture."""
        lines = self._window.ReportCapabilities().splitlines()
        found = (line.split(":", 1)[1].strip() for line in lines if line.startswith("OpenGL renderer string"))
        return next(found, "")

    def advance(self, seconds: float) -> None:
        """Let time go by: nothing moves by itself."""

    def show_options(self, options: Options) -> None:
        """Take other colours."""
        self._renderer.SetBackground(*(part / 255.0 for part in options.palette.sky))

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
        """Return a picture, RGBA, upper row first, shape (height, width, 4); it is good until the next one."""
        samples = SMOOTHING if detail is Detail.FINE else 0
        if self._window.GetMultiSamples() != samples:
            self._window.SetMultiSamples(samples)
        if tuple(self._window.GetSize()) != (width_px, height_px):
            self._window.SetSize(width_px, height_px)
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*pose.focus)
        camera.SetPosition(*pose.eye)
        camera.SetViewUp(*pose.up)
        camera.SetViewAngle(VIEW_ANGLE_DEG)
        self._renderer.ResetCameraClippingRange()
        self._window.Render()
        read: Any = self._window.GetRGBACharPixelData
        read(0, 0, width_px - 1, height_px - 1, 0, self._pixels, 0)
        return np.asarray(vtk_to_numpy(self._pixels)).reshape(height_px, width_px, 4)[::-1]

    def close(self) -> None:
        """Let go of everything."""
        self._renderer.RemoveAllViewProps()
        self._window.RemoveRenderer(self._renderer)
        self._window.Finalize()

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
            actor.GetProperty().SetColor(*(part / 255.0 for part in track.ink))
        actor.SetMapper(mapper)
        actor.GetProperty().LightingOff()
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
    mesh.point_data["color"] = track.colors
    return mesh


def _curtain(track: ShowTrack) -> Any:
    """Return the faces between the track and the ground below it."""
    n = len(track.points)
    feet = track.points.copy()
    feet[:, 2] = 0.0
    upper = np.arange(n - 1)
    faces = np.column_stack((np.full(n - 1, 4), upper, upper + 1, upper + 1 + n, upper + n))
    mesh = pv.PolyData(np.vstack((track.points, feet)).astype(np.float32), faces=faces.reshape(-1))
    mesh.point_data["color"] = np.vstack((track.colors, track.colors))
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
