"""Draws a scene with PyVista's meshes and VTK, off the screen, into pixels. No Qt.

Meshes are made once for a set of lots; afterwards only colours, and which bays carry a car or a mark, change. Runs in a
process of its own (`widgets/twin/drawing.py`): a graphics driver that fails takes no console with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkGlyph3DMapper,
    vtkLight,
    vtkPolyDataMapper,
)

from core.parking.model import BayKind
from widgets.twin import shapes
from widgets.twin.canvas import Canvas, paint_plain, swapped
from widgets.twin.faces import Material, Mesh
from widgets.twin.model import BaysLook, Cone, Detail, Options, Palette, Rgb, Shown, material_colors
from widgets.twin.motion import Cars
from widgets.twin.pose import Pose, px_per_m
from widgets.twin.scene import KINDS, MARK_Z, TwinScene, spread

NEAR_PX = 17.0
"""A car as long as this in the picture is drawn with all its faces; a third of them will do for a smaller one."""

TO_SUN = (-0.85, 0.2, 0.85)
SHADOW_PER_M = (-TO_SUN[0] / TO_SUN[2], -TO_SUN[1] / TO_SUN[2])
"""How far the shadow of a point falls to the east and north for each metre of its height."""

SHADOW_Z = 0.07
SOFT_LIGHT = """
  float upward = 0.5 + 0.5 * dot(normalVCVSOutput, upVC);
  float sunward = max(0.0, dot(normalVCVSOutput, sunVC));
  gl_FragData[0] = vec4(diffuseColor * (skyLight * (0.75 + 0.25 * upward) + sunLight * sunward), 1.0);
"""
"""A bright sky, a dimmer ground and one sun: softer than VTK's lights, and less work for software OpenGL."""

ASKEW_DEG = 9.0
"""So a vehicle is drawn that stands across two bays."""

HOOD_M, HOOD_Z = 1.45, 0.90
"""Before the middle of a car, and over the ground: where the sign of a correction lies on it."""

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
        vtk_to_numpy(kept)[:] = swapped(colors)
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
        for name, values in (("turn", turns), ("size", sizes.astype(np.float32)), ("color", swapped(colors))):
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
        self._drawn: TwinScene | None = None
        """As it was given; `_scene` is the same, pulled apart where that is wanted."""

        self._scene: TwinScene | None = None
        self._look: BaysLook | None = None
        self._cars: Cars | None = None
        self._canvas = Canvas()
        self._renderer = self._canvas.renderer
        self._surfaces: dict[tuple[str, int], _Surface] = {}
        self._marks: dict[str, _Glyphs] = {}
        self._cones: vtkActor | None = None
        self._is_near = True
        self._shades: dict[int, _Glyphs] = {}
        self._solid_shades: dict[int, vtkActor] = {}
        self._lit: list[vtkActor] = []
        self._levels: frozenset[int] = frozenset()
        self._renderer.SetAutomaticLightCreation(False)
        # `SOFT_LIGHT` does the work; without a light VTK reckons no directions of faces for it.
        self._renderer.AddLight(vtkLight())
        self._dress()

    @property
    def device(self) -> str:
        """What OpenGL calls the hardware; known after the first picture."""
        return self._canvas.device

    @property
    def is_moving(self) -> bool:
        """Whether a car is on its way."""
        return self._cars is not None and self._cars.is_moving

    def show_scene(self, scene: TwinScene) -> None:
        """Build everything anew."""
        self._build(scene)
        self._cars = Cars(scene.n_bays)
        self._look = None
        self._dress()

    def _build(self, scene: TwinScene) -> None:
        self._clear()
        self._drawn = scene
        scene = self._scene = spread(scene) if self._options.is_apart else scene
        # What covers is drawn before what it covers: a pixel that is hidden already costs no shading.
        self._add_glyphs()
        for level, mesh in scene.bodies.items():
            self._add_surface("body", level, mesh)
        for level in scene.level_numbers:
            self._shade_level(scene, level)
        for level, mesh in scene.paints.items():
            self._add_surface("paint", level, mesh)
        for level, (mesh, _) in scene.floors.items():
            self._add_surface("floor", level, mesh)
        for level, mesh in scene.grounds.items():
            self._add_surface("ground", level, mesh)
        self._add_surface("earth", min(scene.level_numbers, default=0), scene.earth)

    def _add_glyphs(self) -> None:
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
            "frame": shapes.frame(),
            "pencil": shapes.pencil(),
        }
        for name, shape in (plain | kinds).items():
            self._marks[name] = _Glyphs(shape)
            self._renderer.AddActor(self._marks[name].actor)
            if name in CAR_PARTS:
                self._marks[name].actor.GetProperty().BackfaceCullingOn()
                self._light(self._marks[name].actor)
            else:
                self._marks[name].actor.GetProperty().LightingOff()

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
        is_other_scene = options.is_apart != self._options.is_apart
        self._options = options
        if is_other_scene and self._drawn is not None:
            self._build(self._drawn)
        self._dress()

    def advance(self, seconds: float) -> None:
        """Move the cars that are on their way."""
        if self._cars is not None and self._cars.is_moving:
            self._cars.advance(seconds)
            self._place_cars()
            if not self._cars.is_moving:
                self._place_marks()

    def draw(self, pose: Pose, width_px: int, height_px: int, detail: Detail) -> NDArray[np.uint8]:
        """Return a picture, BGRA, upper row first, shape (height, width, 4); it is good until the next one."""
        self._aim_lights(pose)
        self._come_near(pose, height_px)
        return self._canvas.draw(pose, width_px, height_px, detail)

    def close(self) -> None:
        """Let go of everything."""
        self._clear()
        self._canvas.close()

    # -- building ----------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        self._renderer.RemoveAllViewProps()
        self._surfaces.clear()
        self._marks.clear()
        self._shades.clear()
        self._solid_shades.clear()
        self._lit.clear()
        self._cones = None
        self._scene = self._drawn = None

    def _add_surface(self, name: str, level: int, mesh: Mesh) -> None:
        if len(mesh.materials) == 0:
            return
        surface = _Surface(mesh)
        self._surfaces[name, level] = surface
        self._renderer.AddActor(surface.actor)
        if name == "body":
            self._light(surface.actor)
        else:
            surface.actor.GetProperty().LightingOff()

    def _light(self, actor: vtkActor) -> None:
        """Have an actor lit by `SOFT_LIGHT`."""
        actor.GetShaderProperty().AddFragmentShaderReplacement("//VTK::Light::Impl", True, SOFT_LIGHT, False)
        self._lit.append(actor)

    def _aim_lights(self, pose: Pose) -> None:
        """Tell where sun and sky are as seen from here; both stay where they are over the ground."""
        towards = np.array((pose.right, pose.up, -pose.forward))
        sun = towards @ (np.array(TO_SUN) / np.linalg.norm(TO_SUN))
        up = towards @ np.array((0.0, 0.0, 1.0))
        palette = self._options.palette
        for actor in self._lit:
            uniforms = actor.GetShaderProperty().GetFragmentCustomUniforms()
            uniforms.SetUniform3f("sunVC", sun.tolist())
            uniforms.SetUniform3f("upVC", up.tolist())
            uniforms.SetUniformf("sunLight", palette.sun_light)
            uniforms.SetUniformf("skyLight", palette.sky_light)

    # -- colours and levels ------------------------------------------------------------------------------------------

    def _dress(self) -> None:
        palette = self._options.palette
        self._canvas.set_sky(palette.sky)
        if self._scene is None:
            return
        self._levels = self._scene.levels_shown(self._options.top_level)
        by_material = _materials(palette)
        for (name, level), surface in self._surfaces.items():
            # The ground that everything lies on stays, whichever level is looked at.
            surface.actor.SetVisibility(name == "earth" or level in self._levels)
            if name != "floor":
                surface.dress(by_material)
        self._dress_shades()
        self._show_cones(self._options.cones)
        self._color_floors()
        self._place_marks()
        self._place_cars()

    def _shown_bays(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        assert self._scene is not None
        if self._options.top_level is not None:
            mask = mask & np.isin(self._scene.levels, tuple(self._levels))
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
        self._fill_bays("frame", look.is_corrected, palette.corrected)
        self._put_pencils(look.is_corrected)
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

    def _put_pencils(self, mask: NDArray[np.bool_]) -> None:
        """Lay the sign of a correction at the far end of the bay, or on the hood of the car that stands there."""
        scene, cars = self._scene, self._cars
        assert scene is not None
        assert cars is not None
        here = self._shown_bays(mask)
        is_on_car = cars.presence[here] >= 1.0
        scale = np.clip(scene.widths_m[here] / 2.5, 0.4, 1.6)
        ahead = np.where(is_on_car, HOOD_M, scene.lengths_m[here] / 2 - 1.1 * scale)
        places = scene.centres[here] + _ways(scene.inward_deg[here]) * ahead[:, None]
        places[:, 2] += np.where(is_on_car, HOOD_Z * _car_scale(scene, here), MARK_Z + 0.03)
        sizes = np.column_stack((scale, scale, np.ones(len(here))))
        colors = _repeat(self._options.palette.corrected, len(here))
        colors[is_on_car] = self._options.palette.glass
        self._marks["pencil"].show(places, scene.inward_deg[here] - 90.0, sizes, colors)

    def _place_cars(self) -> None:
        scene, look, cars = self._scene, self._look, self._cars
        if scene is None or look is None or cars is None:
            return
        has_car = cars.presence > 0.0
        # One vehicle takes both bays: it is drawn once.
        has_car[look.misparked[:, 1]] = False
        here = self._shown_bays(has_car)
        still_out, grown = cars.reach(here)
        centres, askew_deg = _across_lines(scene, look.misparked)
        inward = _ways(scene.inward_deg[here])
        places = centres[here] - inward * (still_out * scene.lengths_m[here])[:, None]
        scale = (_car_scale(scene, here) * grown)[:, None] * np.ones((1, 3))
        palette = self._options.palette
        colors = _repeat(palette.car, len(here))
        colors[look.is_stale[here]] = palette.car_stale
        turns = scene.inward_deg[here] - 90.0 + askew_deg[here]
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
            foot = (*cone.apex[:2], cone.apex[2] - cone.height_m)
            points += [cone.apex, *cone.ground, foot]
            n = len(cone.ground)
            lines += [2, first, first + 1 + n]
            for i in range(n):
                lines += [2, first, first + 1 + i]
                lines += [2, first + 1 + i, first + 1 + (i + 1) % n]
        if not points:
            return
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(pv.PolyData(np.array(points, dtype=np.float32), lines=np.array(lines)))
        self._cones = vtkActor()
        self._cones.SetMapper(mapper)
        paint_plain(self._cones, self._options.palette.cone)
        self._cones.GetProperty().SetLineWidth(1.5)
        self._renderer.AddActor(self._cones)

    def _come_near(self, pose: Pose, height_px: int) -> None:
        """Choose how many faces a car needs from here; a little later back than forth, so that nothing flickers."""
        large_px = float(px_per_m(np.array(pose.distance_m), height_px)) * shapes.CAR_LENGTH_M
        limit_px = NEAR_PX * (0.9 if self._is_near else 1.1)
        is_near = large_px >= limit_px
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
            shade.SetVisibility(self._options.has_shadows and level in self._levels)
            paint_plain(shade, self._options.palette.shade)


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
    for material, color in material_colors(palette).items():
        colors[material] = color
    return colors


def _across_lines(scene: TwinScene, misparked: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the car of each bay stands, shape (n, 3), and how far askew, shape (n,): in the middle, or across.

    Two bays that face each other, or lie apart, have no line between them: their car stays in the first one.
    """
    centres, askew_deg = scene.centres, np.zeros(scene.n_bays)
    first, second = misparked[:, 0], misparked[:, 1]
    way = centres[second] - centres[first]
    across_m = np.linalg.norm(way, axis=1)
    along = np.abs((way * _ways(scene.inward_deg[first])).sum(axis=1))
    beside = (across_m < 0.75 * (scene.widths_m[first] + scene.widths_m[second])) & (along < scene.lengths_m[first] / 2)
    if beside.any():
        centres = centres.copy()
        centres[first[beside]] += way[beside] / 2
        askew_deg[first[beside]] = ASKEW_DEG
    return centres, askew_deg


def _car_scale(scene: TwinScene, here: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how large a car fits into each bay; a bay that is much too small shows a small one."""
    fits = np.minimum(scene.lengths_m[here] / 5.0, scene.widths_m[here] / 2.3)
    return np.asarray(np.clip(fits, 0.3, 1.0))


def _ways(angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    turns = np.radians(angles_deg)
    return np.column_stack((np.cos(turns), np.sin(turns), np.zeros(len(turns))))


def _repeat(color: Rgb, n: int) -> NDArray[np.uint8]:
    return np.tile(np.array(color, dtype=np.uint8), (n, 1))
