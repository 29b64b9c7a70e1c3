"""Draws a scene with PyVista's meshes and VTK, off the screen, into pixels. No Qt.

Meshes are made once for a set of lots; afterwards only colours, and which bays carry a car or a mark, change. Runs in a
process of its own (`widgets/twin/drawing.py`): a graphics driver that fails takes no console with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyvista as pv
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (the drawing behind vtkRenderingCore)
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkGlyph3DMapper,
    vtkLight,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
)

from core.parking.model import BayKind
from widgets.twin import shapes
from widgets.twin.model import BaysLook, Cone, Detail, Options, Palette, Rgb, Shown
from widgets.twin.motion import Cars
from widgets.twin.pose import VIEW_ANGLE_DEG, Pose
from widgets.twin.scene import KINDS, MARK_Z, Material, Mesh, TwinScene

SMOOTHING = 8
"""Samples of each pixel in a fine picture."""

NEAR_PX = 17.0
"""A car as long as this in the picture is drawn with all its faces; a third of them will do for a smaller one."""

TO_SUN = (-0.85, 0.2, 0.85)
SHADOW_PER_M = (-TO_SUN[0] / TO_SUN[2], -TO_SUN[1] / TO_SUN[2])
"""How far the shadow of a point falls to the east and north for each metre of its height."""

SHADOW_Z = 0.07
CAR_PARTS = ("body", "glass", "far-body", "far-glass")
SIGN_M = 0.62
"""How far a sign stands behind the line over which one drives in, at a scale of 1."""


def poly_data(points: NDArray[np.float32], faces: NDArray[np.int64]) -> Any:
    """Return PyVista's mesh of points and faces."""
    return pv.PolyData(points, faces=faces)


class _Surface:
    """Faces that stay where they are, each in its colour."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = poly_data(mesh.points, mesh.faces)
        self._materials = mesh.materials
        self._colors = np.zeros((len(mesh.materials), 3), dtype=np.uint8)
        self._mesh.cell_data["color"] = self._colors
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(self._mesh)
        mapper.SetScalarModeToUseCellFieldData()
        mapper.SelectColorArray("color")
        mapper.SetColorModeToDirectScalars()
        self.actor = vtkActor()
        self.actor.SetMapper(mapper)

    def dress(self, by_material: NDArray[np.uint8]) -> None:
        """Colour every face by what it is made of."""
        self.color(by_material[self._materials])

    def color(self, colors: NDArray[np.uint8]) -> None:
        """Colour every face; shape (m, 3)."""
        kept = self._mesh.GetCellData().GetArray("color")
        vtk_to_numpy(kept)[:] = colors
        kept.Modified()
        self._mesh.Modified()


class _Glyphs:
    """One shape, drawn many times."""

    def __init__(self, shape: shapes.Shape) -> None:
        self._places = pv.PolyData()
        self._mapper = vtkGlyph3DMapper()
        self._mapper.SetInputData(self._places)
        self._mapper.SetSourceData(poly_data(shape.points, shape.faces))
        self._mapper.SetOrientationArray("turn")
        self._mapper.SetOrientationModeToRotation()
        self._mapper.SetScaleArray("size")
        self._mapper.SetScaleModeToScaleByVectorComponents()
        self._mapper.SetScalarModeToUsePointFieldData()
        self._mapper.SelectColorArray("color")
        self._mapper.SetColorModeToDirectScalars()
        self.actor = vtkActor()
        self.actor.SetMapper(self._mapper)
        self.actor.SetVisibility(False)

    def show(
        self,
        places: NDArray[Any],
        turns_deg: NDArray[Any],
        sizes: NDArray[Any],
        colors: NDArray[np.uint8],
    ) -> None:
        """Draw the shape here.

        Args:
            places: [m], shape (n, 3).
            turns_deg: Counter-clockwise about the upright, shape (n,).
            sizes: Factors in x, y and z, shape (n, 3).
            colors: Shape (n, 3).
        """
        n = len(places)
        self.actor.SetVisibility(n > 0)
        if n == 0:
            return
        self._places.points = np.ascontiguousarray(places, dtype=np.float32)
        turns = np.zeros((n, 3), dtype=np.float32)
        turns[:, 2] = turns_deg
        for name, values in (("turn", turns), ("size", sizes.astype(np.float32)), ("color", colors)):
            array = numpy_to_vtk(np.ascontiguousarray(values), deep=1)
            array.SetName(name)
            self._places.GetPointData().AddArray(array)
        self._places.Modified()


class Renderer:
    """Draws one scene; everything on one thread.

    Raises:
        RuntimeError: There is no OpenGL.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._scene: TwinScene | None = None
        self._look: BaysLook | None = None
        self._cars: Cars | None = None
        self._renderer = vtkRenderer()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._pixels = vtkUnsignedCharArray()
        self._surfaces: dict[tuple[str, int], _Surface] = {}
        self._marks: dict[str, _Glyphs] = {}
        self._cones: vtkActor | None = None
        self._is_near = True
        self._shades: dict[int, _Glyphs] = {}
        self._solid_shades: dict[int, vtkActor] = {}
        self._sun = vtkLight()
        self._sky = vtkLight()
        self._add_lights()
        self._dress()

    @property
    def device(self) -> str:
        """What OpenGL calls the hardware; known after the first picture."""
        lines = self._window.ReportCapabilities().splitlines()
        found = (line.split(":", 1)[1].strip() for line in lines if line.startswith("OpenGL renderer string"))
        return next(found, "")

    @property
    def is_moving(self) -> bool:
        """Whether a car is on its way."""
        return self._cars is not None and self._cars.is_moving

    def show_scene(self, scene: TwinScene) -> None:
        """Build everything anew."""
        self._clear()
        self._scene = scene
        self._cars = Cars(scene.n_bays)
        self._look = None
        for level, mesh in scene.grounds.items():
            self._add_surface("ground", level, mesh)
        for level, mesh in scene.bodies.items():
            self._add_surface("body", level, mesh)
        for level, mesh in scene.paints.items():
            self._add_surface("paint", level, mesh)
        for level, (mesh, _) in scene.floors.items():
            self._add_surface("floor", level, mesh)
        for level in scene.level_numbers:
            self._shade_level(scene, level)
        kinds = {f"sign-{kind.value}": shapes.sign(kind) for kind in KINDS if kind is not BayKind.STANDARD}
        plain = {
            "body": shapes.car_body(),
            "glass": shapes.car_glass(),
            "far-body": shapes.far_body(),
            "far-glass": shapes.far_glass(),
            "hatching": shapes.hatching(),
            "question": shapes.question(),
            "crossing": shapes.crossing(),
            "dashes": shapes.dashes(),
        }
        for name, shape in (plain | kinds).items():
            self._marks[name] = _Glyphs(shape)
            self._renderer.AddActor(self._marks[name].actor)
            if name not in CAR_PARTS:
                self._marks[name].actor.GetProperty().LightingOff()
        self._dress()

    def show_bays(self, look: BaysLook, *, at_once: bool) -> None:
        """Show how bays stand; cars drive in and out unless everything is to be there at once."""
        if self._scene is None or self._cars is None:
            return
        self._look = look
        is_still = at_once or not self._options.is_animated
        self._cars.head_for(look.shown == Shown.OCCUPIED, at_once=is_still)
        self._color_floors()
        self._place_marks()
        self._place_cars()

    def show_options(self, options: Options) -> None:
        """Draw it another way."""
        self._options = options
        self._dress()

    def advance(self, seconds: float) -> None:
        """Move the cars that are on their way."""
        if self._cars is not None and self._cars.is_moving:
            self._cars.advance(seconds)
            self._place_cars()
            if not self._cars.is_moving:
                self._place_marks()

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
        self._aim_lights(pose)
        self._come_near(pose, height_px)
        self._renderer.ResetCameraClippingRange()
        self._window.Render()
        read: Any = self._window.GetRGBACharPixelData
        read(0, 0, width_px - 1, height_px - 1, 0, self._pixels, 0)
        return np.asarray(vtk_to_numpy(self._pixels)).reshape(height_px, width_px, 4)[::-1]

    def close(self) -> None:
        """Let go of everything."""
        self._clear()
        self._renderer.RemoveAllLights()
        self._window.RemoveRenderer(self._renderer)
        self._window.Finalize()

    # -- building ----------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._renderer.RemoveAllViewProps()
        self._surfaces.clear()
        self._marks.clear()
        self._shades.clear()
        self._solid_shades.clear()
        self._cones = None
        self._scene = None

    def _add_surface(self, name: str, level: int, mesh: Mesh) -> None:
        if len(mesh.materials) == 0:
            return
        surface = _Surface(mesh)
        self._surfaces[name, level] = surface
        self._renderer.AddActor(surface.actor)
        if name != "body":
            surface.actor.GetProperty().LightingOff()

    def _add_lights(self) -> None:
        self._renderer.SetAutomaticLightCreation(False)
        for light in (self._sun, self._sky):
            light.SetPositional(False)
            self._renderer.AddLight(light)

    def _aim_lights(self, pose: Pose) -> None:
        """Let the sun come from the upper left of the picture, and the sky from behind the eye."""
        focus = pose.focus
        self._sun.SetFocalPoint(*focus)
        self._sun.SetPosition(*(focus + np.array(TO_SUN) * pose.distance_m))
        self._sky.SetFocalPoint(*focus)
        self._sky.SetPosition(*pose.eye)

    # -- colours and levels ------------------------------------------------------------------------------------------

    def _dress(self) -> None:
        palette = self._options.palette
        self._renderer.SetBackground(*_share(palette.sky))
        self._sun.SetIntensity(palette.sun_light)
        self._sky.SetIntensity(palette.sky_light)
        if self._scene is None:
            return
        by_material = _materials(palette)
        for (name, level), surface in self._surfaces.items():
            surface.actor.SetVisibility(self._is_level_shown(level))
            if name != "floor":
                surface.dress(by_material)
        self._dress_shades()
        self._show_cones(self._options.cones)
        self._color_floors()
        self._place_marks()
        self._place_cars()

    def _is_level_shown(self, level: int) -> bool:
        top = self._options.top_level
        return top is None or level <= top

    def _shown_bays(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        assert self._scene is not None
        if self._options.top_level is not None:
            mask = mask & (self._scene.levels <= self._options.top_level)
        return np.flatnonzero(mask)

    def _color_floors(self) -> None:
        if self._scene is None or self._look is None:
            return
        colors = floor_colors(self._look, self._options.palette)
        for level, (_, indices) in self._scene.floors.items():
            surface = self._surfaces.get(("floor", level))
            if surface is not None:
                surface.color(colors[indices])

    def _place_marks(self) -> None:
        if self._scene is None or self._look is None:
            return
        look, palette = self._look, self._options.palette
        unknown = look.shown == Shown.UNKNOWN
        closed = look.shown == Shown.CLOSED
        self._fill_bays("hatching", unknown, palette.quality)
        self._fill_bays("crossing", closed, palette.cross)
        self._fill_bays("dashes", look.is_stale & ~unknown, palette.quality)
        self._put_signs("question", unknown, palette.paint, at_middle=True)
        for index, kind in enumerate(KINDS):
            if kind is not BayKind.STANDARD:
                self._put_signs(f"sign-{kind.value}", self._scene.kinds == index, palette.kinds[kind], at_middle=False)

    def _fill_bays(self, name: str, mask: NDArray[np.bool_], color: Rgb) -> None:
        scene = self._scene
        assert scene is not None
        here = self._shown_bays(mask)
        sizes = np.column_stack((scene.widths_m[here], scene.lengths_m[here], np.ones(len(here))))
        places = scene.centres[here] + np.array((0.0, 0.0, MARK_Z))
        self._marks[name].show(places, scene.inward_deg[here] - 90.0, sizes, _repeat(color, len(here)))

    def _put_signs(self, name: str, mask: NDArray[np.bool_], color: Rgb, *, at_middle: bool) -> None:
        """Lay a sign on the ground near where one drives in, or on the roof of the car that stands there."""
        scene, look, cars = self._scene, self._look, self._cars
        assert scene is not None
        assert look is not None
        assert cars is not None
        here = self._shown_bays(mask)
        is_under_car = cars.presence[here] >= 1.0
        inward = _ways(scene.inward_deg[here])
        scale = np.clip(scene.widths_m[here] / 2.5, 0.4, 1.6)
        back = np.zeros(len(here)) if at_middle else scene.lengths_m[here] / 2 - (SIGN_M + 0.55) * scale
        places = scene.centres[here] - inward * np.where(is_under_car, 0.53, back)[:, None]
        places[:, 2] += np.where(is_under_car, shapes.ROOF_Z * _car_scale(scene, here), MARK_Z + 0.03)
        shrink = np.where(is_under_car, 0.72, 1.3 if at_middle else 1.0) * scale
        sizes = np.column_stack((shrink, shrink, np.ones(len(here))))
        colors = _repeat(color, len(here))
        colors[is_under_car] = self._options.palette.glass
        self._marks[name].show(places, scene.inward_deg[here] - 90.0, sizes, colors)

    def _place_cars(self) -> None:
        scene, look, cars = self._scene, self._look, self._cars
        if scene is None or look is None or cars is None:
            return
        here = self._shown_bays(cars.presence > 0.0)
        still_out, grown = cars.reach(here)
        inward = _ways(scene.inward_deg[here])
        places = scene.centres[here] - inward * (still_out * scene.lengths_m[here])[:, None]
        scale = (_car_scale(scene, here) * grown)[:, None] * np.ones((1, 3))
        palette = self._options.palette
        colors = _repeat(palette.car, len(here))
        colors[look.is_stale[here]] = palette.car_stale
        turns = scene.inward_deg[here] - 90.0
        self._place_shades(here, places, turns, scale)
        for name in CAR_PARTS:
            is_drawn = name.startswith("far-") != self._is_near
            n = len(here) if is_drawn else 0
            dark = _repeat(palette.glass, n)
            self._marks[name].show(places[:n], turns[:n], scale[:n], dark if "glass" in name else colors[:n])

    def _show_cones(self, cones: Iterable[Cone]) -> None:
        if self._cones is not None:
            self._renderer.RemoveActor(self._cones)
            self._cones = None
        points: list[tuple[float, float, float]] = []
        lines: list[int] = []
        for cone in cones:
            first = len(points)
            points += [cone.apex, *cone.ground]
            n = len(cone.ground)
            for i in range(n):
                lines += [2, first, first + 1 + i]
                lines += [2, first + 1 + i, first + 1 + (i + 1) % n]
        if not points:
            return
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(pv.PolyData(np.array(points, dtype=np.float32), lines=np.array(lines)))
        self._cones = vtkActor()
        self._cones.SetMapper(mapper)
        drawn = self._cones.GetProperty()
        drawn.SetColor(*_share(self._options.palette.cone))
        drawn.SetLineWidth(1.5)
        drawn.LightingOff()
        self._renderer.AddActor(self._cones)

    def _come_near(self, pose: Pose, height_px: int) -> None:
        """Choose how many faces a car needs from here; a little later back than forth, so that nothing flickers."""
        px_per_m = height_px / 2 / math.tan(math.radians(VIEW_ANGLE_DEG / 2)) / pose.distance_m
        limit_px = NEAR_PX * (0.9 if self._is_near else 1.1)
        is_near = px_per_m * shapes.CAR_LENGTH_M >= limit_px
        if is_near != self._is_near:
            self._is_near = is_near
            self._place_cars()

    # -- shadows -----------------------------------------------------------------------------------------------------

    def _shade_level(self, scene: TwinScene, level: int) -> None:
        """Lay the shadows of one level flat onto it: a shadow map costs three pictures, and speckles flat ground."""
        here = scene.levels == level
        height_m = float(scene.centres[here, 2].mean()) if here.any() else 0.0
        flattened = _onto_ground(height_m + SHADOW_Z, height_m)
        cars = _Glyphs(shapes.far_body())
        self._shades[level] = cars
        solid = scene.bodies.get(level)
        faces = faces_of(solid, (Material.BUILDING, Material.WALL)) if solid is not None else np.zeros(0, np.int64)
        actors = [cars.actor]
        if solid is not None and len(faces):
            mapper = vtkPolyDataMapper()
            mapper.SetInputData(poly_data(solid.points, faces))
            shade = vtkActor()
            shade.SetMapper(mapper)
            self._solid_shades[level] = shade
            actors.append(shade)
        for actor in actors:
            actor.SetUserMatrix(flattened)
            actor.GetProperty().LightingOff()
            self._renderer.AddActor(actor)

    def _place_shades(
        self, here: NDArray[np.intp], places: NDArray[Any], turns: NDArray[Any], sizes: NDArray[Any]
    ) -> None:
        assert self._scene is not None
        levels = self._scene.levels[here]
        for level, shade in self._shades.items():
            mine = (levels == level) & self._options.has_shadows
            color = _repeat(self._options.palette.shade, int(np.count_nonzero(mine)))
            shade.show(places[mine], turns[mine], sizes[mine], color)

    def _dress_shades(self) -> None:
        for level, shade in self._solid_shades.items():
            shade.SetVisibility(self._options.has_shadows and self._is_level_shown(level))
            shade.GetProperty().SetColor(*_share(self._options.palette.shade))


def faces_of(mesh: Mesh, materials: Iterable[Material]) -> NDArray[np.int64]:
    """Return the faces that are made of these, as `Mesh.faces`."""
    wanted, kept, at = set(materials), [], 0
    for material in mesh.materials.tolist():
        n = int(mesh.faces[at]) + 1
        if material in wanted:
            kept.append(mesh.faces[at : at + n])
        at += n
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _onto_ground(shadow_m: float, ground_m: float) -> vtkMatrix4x4:
    """Return what moves every point along the sunlight onto the plane at `shadow_m`."""
    matrix = vtkMatrix4x4()
    for row, (per_m, at_m) in enumerate(zip((*SHADOW_PER_M, 0.0), (0.0, 0.0, shadow_m), strict=True)):
        matrix.SetElement(row, 2, per_m)
        matrix.SetElement(row, 3, at_m - per_m * ground_m)
    return matrix


def floor_colors(look: BaysLook, palette: Palette) -> NDArray[np.uint8]:
    """Return the colour of every bay's ground, shape (n, 3)."""
    plain = np.array(
        [palette.floor_unknown, palette.floor_free, palette.floor_occupied, palette.floor_closed, palette.floor_free],
        dtype=np.uint8,
    )
    colors = plain[look.shown]
    colors[look.is_stale & (look.shown != Shown.UNKNOWN)] = palette.floor_stale
    by_share = look.shown == Shown.SHARE
    if by_share.any():
        colors[by_share] = ramp_colors(look.shares[by_share], palette)
    return colors


def ramp_colors(shares: NDArray[np.float32], palette: Palette) -> NDArray[np.uint8]:
    """Return the palette's colour for figures 0..1, shape (n, 3)."""
    ramp = np.array(palette.ramp, dtype=np.float64)
    at = np.clip(shares, 0.0, 1.0) * (len(ramp) - 1)
    low = np.minimum(at.astype(np.intp), len(ramp) - 2)
    part = (at - low)[:, None]
    return np.asarray(np.rint(ramp[low] * (1 - part) + ramp[low + 1] * part), dtype=np.uint8)


def _materials(palette: Palette) -> NDArray[np.uint8]:
    colors = np.zeros((len(Material), 3), dtype=np.uint8)
    for material, color in {
        Material.ASPHALT: palette.asphalt,
        Material.LANE: palette.lane,
        Material.SLAB: palette.slab,
        Material.GREEN: palette.green,
        Material.BUILDING: palette.building,
        Material.WALL: palette.wall,
        Material.PAINT: palette.paint,
    }.items():
        colors[material] = color
    return colors


def _car_scale(scene: TwinScene, here: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how large a car fits into each bay; a bay that is much too small shows a small one."""
    fits = np.minimum(scene.lengths_m[here] / 5.0, scene.widths_m[here] / 2.3)
    return np.asarray(np.clip(fits, 0.3, 1.0))


def _ways(angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    turns = np.radians(angles_deg)
    return np.column_stack((np.cos(turns), np.sin(turns), np.zeros(len(turns))))


def _repeat(color: Rgb, n: int) -> NDArray[np.uint8]:
    return np.tile(np.array(color, dtype=np.uint8), (n, 1))


def _share(color: Rgb) -> tuple[float, float, float]:
    return (color[0] / 255, color[1] / 255, color[2] / 255)
