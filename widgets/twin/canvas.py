"""A window off the screen that VTK draws into, and its pixels; what every scene of ours is drawn on. No Qt.

Colours go in with red and blue swapped, so that pixels come out as Qt paints them without converting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (the drawing behind vtkRenderingCore)
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer, vtkRenderWindow

from widgets.twin.model import Detail, Rgb
from widgets.twin.pose import VIEW_ANGLE_DEG, Pose

SMOOTHING = 8
"""Samples of each pixel in a fine picture."""


class Canvas:
    """One scene's window; everything on one thread.

    Attributes:
        renderer: Takes actors and lights.
    """

    def __init__(self) -> None:
        self.renderer = vtkRenderer()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self.renderer)
        self._pixels = vtkUnsignedCharArray()

    @property
    def device(self) -> str:
        """What OpenGL calls the hardware; known after the first picture."""
        lines = self._window.ReportCapabilities().splitlines()
        found = (line.split(":", 1)[1].strip() for line in lines if line.startswith("OpenGL renderer string"))
        return next(found, "")

    def set_sky(self, color: Rgb) -> None:
        """Colour what lies behind everything."""
        self.renderer.SetBackground(*share(color))

    def draw(self, pose: Pose, width_px: int, height_px: int, detail: Detail) -> NDArray[np.uint8]:
        """Return a picture, BGRA, upper row first, shape (height, width, 4); it is good until the next one."""
        samples = SMOOTHING if detail is Detail.FINE else 0
        if self._window.GetMultiSamples() != samples:
            self._window.SetMultiSamples(samples)
        if tuple(self._window.GetSize()) != (width_px, height_px):
            self._window.SetSize(width_px, height_px)
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(*pose.focus)
        camera.SetPosition(*pose.eye)
        camera.SetViewUp(*pose.up)
        camera.SetViewAngle(VIEW_ANGLE_DEG)
        self.renderer.ResetCameraClippingRange()
        self._window.Render()
        read: Any = self._window.GetRGBACharPixelData
        read(0, 0, width_px - 1, height_px - 1, 0, self._pixels, 0)
        return np.asarray(vtk_to_numpy(self._pixels)).reshape(height_px, width_px, 4)[::-1]

    def close(self) -> None:
        """Let go of everything."""
        self.renderer.RemoveAllViewProps()
        self.renderer.RemoveAllLights()
        self._window.RemoveRenderer(self.renderer)
        self._window.Finalize()


def share(color: Rgb) -> tuple[float, float, float]:
    """Return a colour 0..255 as VTK takes it here: 0..1, blue first."""
    return (color[2] / 255, color[1] / 255, color[0] / 255)


def swapped(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return colours, shape (n, 3), blue first."""
    return np.ascontiguousarray(colors[:, ::-1])


def paint_plain(actor: vtkActor, color: Rgb) -> None:
    """Give an actor one colour that no light changes."""
    actor.GetProperty().SetColor(*share(color))
    actor.GetProperty().LightingOff()
