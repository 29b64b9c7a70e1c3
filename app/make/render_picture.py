"""Pictures of the demo city's worlds, drawn off screen.

The ground and the sky are painted per pixel in numpy; everything that stands on it is rasterised by VTK (through
PyVista) from triangles whose corner colours are lit here. A camera does not move, so its place is drawn once and each
picture only adds vehicles, their shadows and their lamps. Runs without a screen where VTK finds EGL or OSMesa, else
under `xvfb-run -a`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray, vtkUnsignedCharArray

from app.make.scenes_camera import Camera, FloatArray, ground_rays, project, project_polygon, to_camera
from app.make.scenes_meshes import (
    LAMP_HEAD,
    LAMP_STREET,
    LAMP_TAIL,
    LAMP_WINDOW,
    VEHICLE_TYPES,
    Mesh,
    turn_matrix,
    vehicle_mesh,
)
from app.make.scenes_scenery import Layer, Scenery
from app.make.scenes_world import Placed, corners_of

Picture = NDArray[np.uint8]
Part = tuple[slice, slice]
EVERYWHERE: Part = (slice(None), slice(None))
SCALE = 2.0
"""Pictures are drawn this much larger and averaged down."""
NEAR_CLIP_M, FAR_CLIP_M = 1.0, 1500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Sun and sky; radiances are linear, 1 is a white wall in full sun.

    Attributes:
        sun_deg: Where the sun stands: clockwise from north, and above the horizon.
        haze_m: Distance after which a thing has taken on 63 % of the horizon's colour.
        lamps: How strongly lamps shine: 0 at noon, 1 at night.
    """

    sun_deg: tuple[float, float]
    sun_rgb: tuple[float, float, float]
    sky_rgb: tuple[float, float, float]
    zenith_rgb: tuple[float, float, float]
    horizon_rgb: tuple[float, float, float]
    haze_m: float = 600.0
    lamps: float = 0.0
    exposure: float = 1.0
    shadow_blur_px: float = 1.2


LIGHTS: dict[str, Light] = {
    "day": Light(
        sun_deg=(215, 42),
        sun_rgb=(1.45, 1.36, 1.20),
        sky_rgb=(0.34, 0.42, 0.54),
        zenith_rgb=(0.20, 0.38, 0.72),
        horizon_rgb=(0.66, 0.76, 0.88),
    ),
    "morning": Light(
        sun_deg=(110, 30),
        sun_rgb=(1.45, 1.27, 1.02),
        sky_rgb=(0.34, 0.41, 0.52),
        zenith_rgb=(0.22, 0.38, 0.68),
        horizon_rgb=(0.78, 0.78, 0.80),
        haze_m=480.0,
    ),
    "golden": Light(
        sun_deg=(262, 17),
        sun_rgb=(1.65, 1.10, 0.62),
        sky_rgb=(0.32, 0.35, 0.44),
        zenith_rgb=(0.22, 0.32, 0.55),
        horizon_rgb=(0.86, 0.66, 0.50),
        haze_m=620.0,
        lamps=0.15,
        exposure=1.05,
    ),
    "overcast": Light(
        sun_deg=(180, 55),
        sun_rgb=(0.16, 0.16, 0.16),
        sky_rgb=(0.80, 0.83, 0.87),
        zenith_rgb=(0.52, 0.56, 0.61),
        horizon_rgb=(0.74, 0.77, 0.80),
        haze_m=520.0,
        shadow_blur_px=9.0,
    ),
    "dusk": Light(
        sun_deg=(290, 25),
        sun_rgb=(0.05, 0.05, 0.07),
        sky_rgb=(0.20, 0.23, 0.34),
        zenith_rgb=(0.05, 0.09, 0.22),
        horizon_rgb=(0.46, 0.33, 0.30),
        haze_m=520.0,
        lamps=0.85,
        exposure=1.55,
        shadow_blur_px=10.0,
    ),
}


def sun_direction(light: Light) -> FloatArray:
    """Return the unit vector towards the sun: east, north, up."""
    azimuth, elevation = np.radians(light.sun_deg)
    return np.array([np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])


def _linear(rgb: Any) -> FloatArray:
    return np.power(np.asarray(rgb, dtype=np.float32), 2.2)


def _display(radiance: FloatArray, exposure: float) -> Picture:
    """Tone-map linear light to 8-bit sRGB. Source: Narkowicz' fit of the ACES curve (2016)."""
    x = radiance * (0.92 * exposure)
    curve = np.clip((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    return (np.power(curve, 1 / 2.2) * 255 + 0.5).astype(np.uint8)


def _noise_tile(seed: int, size: int = 512) -> FloatArray:
    """Return tileable noise, mean 0, deviation 1, with detail at every scale."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    spectrum /= np.maximum(np.hypot(fx, fy), 1 / size) ** 0.8
    tile = np.fft.irfft2(spectrum, s=(size, size))
    scaled: FloatArray = ((tile - tile.mean()) / tile.std()).astype(np.float32)
    return scaled


def _shade(
    points: FloatArray,
    normals: FloatArray,
    albedo: FloatArray,
    gloss: FloatArray,
    light: Light,
    camera: Camera,
    sunlit: FloatArray,
) -> FloatArray:
    """Light corners: sun, sky, the ground's bounce and what a glossy skin mirrors; returns linear light (n, 3)."""
    view = np.asarray(camera.position_m, dtype=np.float32) - points
    distance = np.linalg.norm(view, axis=1, keepdims=True)
    view /= distance
    facing = np.sum(normals * view, axis=1, keepdims=True)
    normals = np.where(facing < 0, -normals, normals)
    facing = np.abs(facing)
    sun = sun_direction(light).astype(np.float32)
    up = normals[:, 2:3]
    sun_rgb, sky_rgb, zenith_rgb, horizon_rgb = (
        np.asarray(rgb, np.float32) for rgb in (light.sun_rgb, light.sky_rgb, light.zenith_rgb, light.horizon_rgb)
    )
    bounce = sky_rgb * 0.30 + sun_rgb * (0.20 * sun[2])
    ambient = sky_rgb * (0.55 + 0.45 * up) + bounce * (0.5 - 0.5 * up)
    direct = sun_rgb * (np.clip(normals @ sun, 0, None) * sunlit)[:, None]
    mirror = 2 * facing * normals - view
    rise = mirror[:, 2:3]
    above = horizon_rgb + (zenith_rgb - horizon_rgb) * np.sqrt(np.clip(rise, 0, 1))
    sky = np.where(rise > 0, above, sky_rgb * 0.18)
    fresnel = gloss[:, None] * (0.05 + 0.75 * np.square(np.square(1 - facing)))
    glint = (np.power(np.clip(mirror @ sun, 0, 1), 50) * gloss * sunlit)[:, None]
    lit = albedo * (ambient + direct) + fresnel * sky + glint * sun_rgb * 1.2
    fog = 1 - np.exp(-distance / light.haze_m)
    hazed: FloatArray = (lit * (1 - fog) + horizon_rgb * fog).astype(np.float32)
    return hazed


class Raster:
    """One off-screen VTK window that draws coloured triangles; keep one per process."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._size = (width_px, height_px)
        self._plotter = pv.Plotter(off_screen=True, window_size=[width_px, height_px], lighting="none")
        self._plotter.render_window.SetMultiSamples(0)
        self._plotter.set_background("black")
        self._plotter.show(auto_close=False)

    def close(self) -> None:
        """Give the window back."""
        self._plotter.close()

    def draw(
        self, camera: Camera, points: FloatArray, triangles: NDArray[np.int32], rgb: Picture
    ) -> tuple[Picture, FloatArray]:
        """Draw triangles with one colour per corner.

        Returns:
            The picture (height, width, 3) and its depth buffer (height, width), 1 where nothing was drawn.
        """
        plotter = self._plotter
        plotter.clear_actors()
        faces = np.concatenate([np.full((len(triangles), 1), 3, dtype=np.int64), triangles.astype(np.int64)], axis=1)
        mesh = pv.PolyData(np.ascontiguousarray(points, dtype=np.float32), faces.ravel())
        mesh.point_data["rgb"] = rgb
        plotter.add_mesh(mesh, scalars="rgb", rgb=True, lighting=False, show_scalar_bar=False, render=False)
        vtk_camera = plotter.camera
        vtk_camera.position = camera.position_m
        vtk_camera.focal_point = camera.target_m
        vtk_camera.up = (0.0, 0.0, 1.0)
        vtk_camera.view_angle = camera.vfov_deg
        vtk_camera.clipping_range = (NEAR_CLIP_M, FAR_CLIP_M)
        window = plotter.render_window
        window.Render()
        width, height = self._size
        pixels, depth = vtkUnsignedCharArray(), vtkFloatArray()
        window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        window.GetZbufferData(0, 0, width - 1, height - 1, depth)
        picture = vtk_to_numpy(pixels).reshape(height, width, 4)[::-1, :, :3]
        return np.ascontiguousarray(picture), np.ascontiguousarray(vtk_to_numpy(depth).reshape(height, width)[::-1])


def _fill(mask: Picture, polygons: list[FloatArray]) -> None:
    """Fill polygons given in pixels into a mask, with smooth edges."""
    for polygon in polygons:
        if len(polygon) >= 3:
            fixed = np.clip(polygon * 16, -(2**27), 2**27).round().astype(np.int32)
            cv2.fillPoly(mask, [fixed], 255, lineType=cv2.LINE_AA, shift=4)


def _hull_shadow(solid: FloatArray, sun: FloatArray, camera: Camera, scale: float) -> FloatArray:
    """Return where a convex solid's shadow falls on the ground, in pixels of a picture `scale` times as large."""
    ground = solid[:, :2] - sun[:2] * (solid[:, 2:3] / max(float(sun[2]), 0.12))
    hull = cv2.convexHull(ground.astype(np.float32))[:, 0]
    return project_polygon(np.c_[hull, np.zeros(len(hull))], camera, scale)


class PlacePainter:
    """Draws what does not move at one place, then picture after picture of the traffic there."""

    def __init__(self, scenery: Scenery, camera: Camera, light: Light, raster: Raster, seed: int = 1) -> None:
        self.camera, self.light, self._raster = camera, light, raster
        self._sun = sun_direction(light)
        self._rng = np.random.default_rng(seed)
        width, height = int(camera.size_wh[0] * SCALE), int(camera.size_wh[1] * SCALE)
        self._shape = (height, width)
        east, north, distance, rise = ground_rays(camera, SCALE)
        albedo = self._ground(scenery, east, north, distance)
        self._is_ground = np.isfinite(distance)
        shadow = np.zeros(self._shape, np.uint8)
        mesh = scenery.mesh.build() if scenery.mesh.faces else None
        if mesh is not None:
            _fill(shadow, [_hull_shadow(solid, self._sun, camera, SCALE) for solid in mesh.solids])
        blur = light.shadow_blur_px * 0.8
        self._static_shadow = cv2.GaussianBlur(shadow, (0, 0), blur)
        self._small_shadow = cv2.resize(self._static_shadow, camera.size_wh, interpolation=cv2.INTER_AREA)
        lit = self._light_ground(albedo, distance, self._static_shadow.astype(np.float32) / 255, 1.0)
        dark = self._light_ground(albedo, distance, np.ones(self._shape, np.float32), 0.72)
        glow = self._light_ground(albedo, distance, self._static_shadow.astype(np.float32) / 255, 1.0, lamp=1.0)
        if light.lamps > 0.3 and mesh is not None:
            pools = self._lamp_pools(mesh, east, north)[..., None]
            lit = lit + (glow - lit) * pools
            dark = dark + (glow - dark) * pools * 0.6
        sky = self._sky(rise)
        self._lit = np.where(self._is_ground[..., None], _display(lit, light.exposure), sky)
        self._dark = np.where(self._is_ground[..., None], _display(dark, light.exposure), sky)
        self._glow = np.where(self._is_ground[..., None], _display(glow, light.exposure), sky)
        self._depth = np.ones(self._shape, np.float32)
        self._street_lamps: list[tuple[FloatArray, float]] = []
        if mesh is not None:
            self._stand(mesh)

    def _stand(self, mesh: Mesh) -> None:
        """Draw houses, trees and posts over ground and sky."""
        sunlit = np.ones(len(mesh.points), np.float32)
        radiance = _shade(
            mesh.points, mesh.normals, _linear(np.abs(mesh.rgb)), mesh.gloss, self.light, self.camera, sunlit
        )
        lamps = self.light.lamps
        if lamps > 0.1:
            warm = np.array([1.0, 0.72, 0.36], np.float32) * lamps
            radiance[mesh.lamp == LAMP_WINDOW] += warm * 0.7
            radiance[mesh.lamp == LAMP_STREET] += warm * 4
            for at in self._street_lamp_places(mesh):
                self._street_lamps.append((at, 1.0))
        picture, depth = self._raster.draw(
            self.camera, mesh.points, mesh.triangles, _display(radiance, self.light.exposure)
        )
        drawn = depth < 1.0
        for base in (self._lit, self._dark, self._glow):
            base[drawn] = picture[drawn]
        self._depth = depth
        self._is_ground &= ~drawn

    def _street_lamp_places(self, mesh: Mesh) -> list[FloatArray]:
        places: list[FloatArray] = []
        for p in mesh.points[mesh.lamp == LAMP_STREET]:
            if not any(np.linalg.norm(p - q) < 1.5 for q in places):
                places.append(p)
        return places

    def _lamp_pools(self, mesh: Mesh, east: FloatArray, north: FloatArray) -> FloatArray:
        pools = np.zeros(self._shape, np.float32)
        for p in self._street_lamp_places(mesh):
            away2 = (east - p[0]) ** 2 + (north - p[1]) ** 2
            pools += 0.75 * np.power(1 + away2 / (p[2] * 0.9) ** 2, -2.0)
        return np.clip(pools, 0, 1)

    def _ground(self, scenery: Scenery, east: FloatArray, north: FloatArray, distance: FloatArray) -> FloatArray:
        """Paint the surfaces; returns linear albedo (height, width, 3)."""
        fine, coarse = _noise_tile(11), _noise_tile(23)
        near = 1 / (1 + np.square(np.where(np.isfinite(distance), distance, 1e4) / 45.0))

        def sample(tile: FloatArray, per_m_x: float, per_m_y: float, part: Part = EVERYWHERE) -> FloatArray:
            # Wrapped by hand: remap's own border wrap is slow on large tables.
            u = np.mod(east[part] * per_m_x, tile.shape[1] - 1).astype(np.float32)
            v = np.mod(north[part] * per_m_y, tile.shape[0] - 1).astype(np.float32)
            sampled: FloatArray = cv2.remap(tile, u, v, cv2.INTER_LINEAR)
            return sampled

        all_grain, all_blotch = sample(fine, 40, 40) * near, sample(coarse, 6, 6)

        def material(name: str, rgb: Any, part: Part = EVERYWHERE) -> FloatArray:
            base, grain, blotch, close = _linear(rgb), all_grain[part], all_blotch[part], near[part]
            if name == "grass":
                blades = 1 + 0.13 * blotch + 0.30 * grain
                tint = np.stack([1 + 0.10 * blotch, np.ones_like(blotch), 1 - 0.05 * blotch], axis=2)
                return base * np.clip(blades, 0.3, 2)[..., None] * tint
            if name == "water":
                ripples = sample(fine, 4, 14, part)
                far = np.clip(np.where(np.isfinite(distance[part]), distance[part], 400) / 220, 0, 1)[..., None]
                sky = np.asarray(self.light.zenith_rgb) * 0.7 + np.asarray(self.light.horizon_rgb) * 0.12
                return base * (1 - far) + sky * far + (0.020 * ripples * (0.35 + close))[..., None]
            if name == "paving":
                slab = _joints(east[part], north[part], 0.6, 0.4, 0.025) * close
                return base * (1 + 0.07 * blotch + 0.08 * grain - 0.28 * slab)[..., None]
            if name == "cobble":
                stones = _joints(east[part], north[part], 0.22, 0.16, 0.05) * np.clip(close * 1.3, 0, 1)
                tone = sample(fine, 5.2, 5.2, part)
                return base * (1 + 0.10 * blotch + 0.12 * tone * close - 0.42 * stones)[..., None]
            if name == "paint":
                worn: FloatArray = base * np.clip(1 + 0.10 * grain - 0.10 * np.clip(blotch, 0, 3), 0.4, 1.1)[..., None]
                return worn
            strength = {"asphalt": (0.07, 0.11), "concrete": (0.05, 0.08), "gravel": (0.08, 0.22)}.get(name, (0.0, 0.0))
            plain: FloatArray = base * (1 + strength[0] * blotch + strength[1] * grain)[..., None]
            return plain

        albedo = material(scenery.base_material, scenery.base_rgb)
        for layer in scenery.layers:
            mask = self._mask_of(layer)
            if not mask.any():
                continue
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            share = (mask[part].astype(np.float32) * (layer.opacity / 255))[..., None]
            albedo[part] = albedo[part] * (1 - share) + material(layer.material, layer.rgb, part) * share
        return np.clip(albedo, 0.004, 0.95)

    def _mask_of(self, layer: Layer) -> Picture:
        mask = np.zeros(self._shape, np.uint8)
        polygons = [project_polygon(np.c_[p, np.zeros(len(p))], self.camera, SCALE) for p in layer.polygons]
        _fill(mask, polygons)
        if layer.soft_m > 0:
            # One blur for the whole picture: right in the middle distance, where the eye looks.
            mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, layer.soft_m * 26))
        return mask

    def _light_ground(
        self, albedo: FloatArray, distance: FloatArray, shadow: FloatArray, sky_share: float, lamp: float = 0.0
    ) -> FloatArray:
        light = self.light
        direct = np.asarray(light.sun_rgb, np.float32) * float(self._sun[2]) * 1.15
        ambient = np.asarray(light.sky_rgb, np.float32) * sky_share
        lit = albedo * (ambient + direct * (1 - shadow)[..., None] + lamp * np.array([1.5, 1.15, 0.75]) * light.lamps)
        fog = (1 - np.exp(-np.where(np.isfinite(distance), distance, 1e5) / light.haze_m))[..., None]
        blended: FloatArray = lit * (1 - fog) + np.asarray(light.horizon_rgb, np.float32) * fog
        return blended.astype(np.float32)

    def _sky(self, rise: FloatArray) -> Picture:
        share = np.sqrt(np.clip(rise * 1.6, 0, 1))[..., None]
        sky = np.asarray(self.light.horizon_rgb) * (1 - share) + np.asarray(self.light.zenith_rgb) * share
        height, width = self._shape
        clouds = cv2.resize(_noise_tile(5)[:96, :128], (width, height), interpolation=cv2.INTER_CUBIC)
        veil = np.clip(clouds * 0.35 + 0.05, 0, 0.6)[..., None] * np.clip(rise * 12, 0, 1)[..., None]
        sky = sky * (1 - veil) + np.asarray(self.light.horizon_rgb) * 1.12 * veil
        return _display(sky.astype(np.float32), self.light.exposure)

    def picture(self, vehicles: tuple[Placed, ...]) -> Picture:
        """Return one RGB picture, (height, width, 3), of the camera's size."""
        near = [v for v in vehicles if self._may_show(v)]
        frame = self._ground_with(near)
        lamps: list[tuple[FloatArray, FloatArray]] = list(self._street_glows())
        if near:
            points, triangles, rgb = self._paint_vehicles(near, lamps)
            drawn, depth = self._raster.draw(self.camera, points, triangles, rgb)
            ours = depth < np.minimum(self._depth, 0.999999)
            frame[ours] = drawn[ours]
            self._last_depth = np.where(ours, depth, self._depth)
        else:
            self._last_depth = self._depth
        small = cv2.resize(frame, self.camera.size_wh, interpolation=cv2.INTER_AREA)
        return self._with_glows(small, lamps)

    def identities(self, vehicles: tuple[Placed, ...]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return which vehicle every pixel shows (its index, or -1), and how many pixels each would have alone.

        The first is of the camera's size; the second, shape (n,), counts the convex outline cut at the picture's edge.
        """
        near = [i for i, v in enumerate(vehicles) if self._may_show(v)]
        width, height = self.camera.size_wh
        alone = np.zeros(len(vehicles), np.int32)
        if not near:
            return np.full((height, width), -1, np.int32), alone
        points, triangles, colours = [], [], []
        first = 0
        for i in near:
            mesh = vehicle_mesh(vehicles[i].kind)
            p, _ = _put(mesh, vehicles[i])
            points.append(p)
            triangles.append(mesh.triangles + first)
            first += len(p)
            colours.append(np.tile(np.array([(i + 1) & 255, (i + 1) >> 8, 255], np.uint8), (len(p), 1)))
            outline = np.zeros((height, width), np.uint8)
            uv, depth = project(p, self.camera)
            if (depth > NEAR_CLIP_M).all():
                cv2.fillConvexPoly(outline, cv2.convexHull(uv.astype(np.float32)).round().astype(np.int32), 1)
            alone[i] = int(outline.sum())
        drawn, depth_map = self._raster.draw(
            self.camera, np.concatenate(points), np.concatenate(triangles), np.concatenate(colours)
        )
        ours = (depth_map < np.minimum(self._depth, 0.999999)) & (drawn[..., 2] == 255)
        ids = np.where(ours, drawn[..., 0].astype(np.int32) + (drawn[..., 1].astype(np.int32) << 8) - 1, -1)
        step = round(SCALE)
        return np.ascontiguousarray(ids[step // 2 :: step, step // 2 :: step]), alone

    def _may_show(self, v: Placed) -> bool:
        kind = VEHICLE_TYPES[v.kind]
        uv, depth = project(np.array([[v.x_m, v.y_m, kind.height_m / 2]]), self.camera)
        if depth[0] < 2.5 or depth[0] > 320:
            return False
        # A margin of the vehicle's length and its shadow around the picture.
        margin = 1200.0 * (kind.length_m + 4) / float(depth[0])
        width, height = self.camera.size_wh
        return bool(-margin < uv[0, 0] < width + margin and -margin < uv[0, 1] < height + margin)

    def _ground_with(self, vehicles: list[Placed]) -> Picture:
        """Return the empty place with the vehicles' shadows and headlight beams on the ground."""
        width, height = self.camera.size_wh
        # Soft edges need no fine grid: these masks have the picture's size, not the large one's.
        shadow, contact, beams = (np.zeros((height, width), np.uint8) for _ in range(3))
        is_dark = self.light.lamps > 0.3
        for v in vehicles:
            turn = turn_matrix(v.heading_rad)
            place = np.array([v.x_m, v.y_m, 0.0])
            for solid in vehicle_mesh(v.kind).solids:
                _fill(shadow, [_hull_shadow(solid @ turn.T + place, self._sun, self.camera, 1.0)])
            _fill(contact, [project_polygon(np.c_[corners_of(v), np.zeros(4)], self.camera)])
            if is_dark:
                half = VEHICLE_TYPES[v.kind].length_m / 2
                cone = np.array([(half, 0.5), (half + 9, 2.0), (half + 12, 0.0), (half + 9, -2.0), (half, -0.5)])
                _fill(beams, [project_polygon(np.c_[cone, np.zeros(5)] @ turn.T + place, self.camera)])
        shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.4, self.light.shadow_blur_px / SCALE))
        contact = cv2.GaussianBlur(contact, (0, 0), 3.5 / SCALE)
        if self.light.sun_rgb[0] > 0.5:
            # What a house or a tree has darkened already stays as it is.
            share = np.maximum(cv2.subtract(shadow, self._small_shadow), cv2.convertScaleAbs(contact, alpha=0.55))
        else:
            share = np.maximum(cv2.convertScaleAbs(shadow, alpha=0.45), cv2.convertScaleAbs(contact, alpha=0.84))
        frame = self._lit.copy()
        self._blend(frame, self._dark, share, 1.0)
        if is_dark:
            self._blend(frame, self._glow, cv2.GaussianBlur(beams, (0, 0), 3.5), 0.6)
        return frame

    def _blend(self, frame: Picture, over: Picture, share: Picture, most: float) -> None:
        """Mix another version of the ground into a large picture; `share` (0..255) has the camera's size."""
        x, y, w, h = (int(v * SCALE) for v in cv2.boundingRect(share))
        if w == 0:
            return
        small = share[int(y / SCALE) : int((y + h) / SCALE), int(x / SCALE) : int((x + w) / SCALE)]
        part = (slice(y, y + h), slice(x, x + w))
        weight = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR).astype(np.float32) * (most / 255)
        weight *= self._is_ground[part]
        frame[part] = cv2.blendLinear(frame[part].copy(), over[part].copy(), 1 - weight, weight)

    def _paint_vehicles(
        self, vehicles: list[Placed], lamps: list[tuple[FloatArray, FloatArray]]
    ) -> tuple[FloatArray, NDArray[np.int32], Picture]:
        points, normals, albedo, gloss, triangles, glow = [], [], [], [], [], []
        first = 0
        for v in vehicles:
            mesh = vehicle_mesh(v.kind)
            p, n = _put(mesh, v)
            rgb = np.where(mesh.rgb < 0, np.array(v.paint, np.float32), mesh.rgb)
            points.append(p)
            normals.append(n)
            albedo.append(_linear(rgb))
            gloss.append(mesh.gloss)
            triangles.append(mesh.triangles + first)
            glow.append(self._lamp_light(mesh, v, p, lamps))
            first += len(p)
        where = np.concatenate(points)
        radiance = _shade(
            where,
            np.concatenate(normals),
            np.concatenate(albedo),
            np.concatenate(gloss),
            self.light,
            self.camera,
            self._sunlit(where),
        )
        # The lower a point, the less sky it sees.
        radiance *= (0.72 + 0.28 * np.clip(where[:, 2:3] / 0.9, 0, 1)).astype(np.float32)
        return where, np.concatenate(triangles), _display(radiance + np.concatenate(glow), self.light.exposure)

    def _sunlit(self, points: FloatArray) -> FloatArray:
        """Return 1 for corners in the sun, 0 for those in the shadow of what does not move."""
        if self.light.sun_rgb[0] < 0.5:
            return np.ones(len(points), np.float32)
        ground = points[:, :2] - self._sun[:2] * (points[:, 2:3] / max(float(self._sun[2]), 0.12))
        uv, depth = project(np.c_[ground, np.zeros(len(points))], self.camera, SCALE)
        height, width = self._shape
        x, y = np.clip(uv[:, 0], 0, width - 1).astype(int), np.clip(uv[:, 1], 0, height - 1).astype(int)
        inside = (depth > NEAR_CLIP_M) & (uv[:, 0] >= 0) & (uv[:, 0] < width) & (uv[:, 1] >= 0) & (uv[:, 1] < height)
        return np.where(inside, 1 - self._static_shadow[y, x] / 255.0, 1.0).astype(np.float32)

    def _lamp_light(
        self, mesh: Mesh, v: Placed, points: FloatArray, lamps: list[tuple[FloatArray, FloatArray]]
    ) -> FloatArray:
        glow = np.zeros((len(points), 3), np.float32)
        strength = self.light.lamps
        heading = np.array([np.cos(v.heading_rad), np.sin(v.heading_rad), 0.0])
        to_lens = np.asarray(self.camera.position_m) - (v.x_m, v.y_m, 1.0)
        to_lens /= np.linalg.norm(to_lens)
        tail = np.array([1.0, 0.05, 0.04], np.float32) * (1.6 if v.is_braking else 0.55 * strength)
        head = np.array([1.0, 0.95, 0.82], np.float32) * (0.25 + 3.2 * strength)
        for kind, colour, way in ((LAMP_HEAD, head, 1.0), (LAMP_TAIL, tail, -1.0)):
            mine = mesh.lamp == kind
            glow[mine] = colour
            facing = float(to_lens @ heading) * way
            if facing <= 0.05 or (strength < 0.3 and kind != LAMP_TAIL):
                continue
            bright = colour * facing * (0.9 if kind == LAMP_HEAD else 0.35) * (0.4 + 0.6 * strength)
            if float(bright.max()) < 0.12:
                continue
            across = points[mine] @ np.array([-heading[1], heading[0], 0.0])
            sides = (across > np.median(across), across <= np.median(across))
            lamps += [(points[mine][side].mean(axis=0) + heading * way * 0.15, bright) for side in sides if side.any()]
        if strength > 0.1:
            glow[mesh.lamp == LAMP_WINDOW] = np.array([1.0, 0.6, 0.15], np.float32) * strength
        return glow

    def _street_glows(self) -> list[tuple[FloatArray, FloatArray]]:
        warm = np.array([1.0, 0.74, 0.40], np.float32) * self.light.lamps
        return [(at, warm * 1.2 * share) for at, share in self._street_lamps] if self.light.lamps > 0.3 else []

    def _with_glows(self, picture: Picture, lamps: list[tuple[FloatArray, FloatArray]]) -> Picture:
        """Add the halo of every lamp the lens can see."""
        if not lamps:
            return picture
        halo = np.zeros((*picture.shape[:2], 3), np.float32)
        where = np.array([at for at, _ in lamps])
        uv, forward = project(where, self.camera)
        depth = _buffer_depth(to_camera(where, self.camera)[:, 2])
        height, width = picture.shape[:2]
        for (x, y), z, d, (_, colour) in zip(uv, forward, depth, lamps, strict=True):
            if z < 2 or not (0 <= x < width and 0 <= y < height):
                continue
            if d > self._last_depth[int(y * SCALE), int(x * SCALE)] + 2e-4:
                continue
            radius = float(np.clip(150 / z, 1.6, 9.0))
            reach = int(radius * 3) + 1
            x0, x1, y0, y1 = (
                max(0, int(x) - reach),
                min(width, int(x) + reach),
                max(0, int(y) - reach),
                min(height, int(y) + reach),
            )
            gy, gx = np.mgrid[y0:y1, x0:x1]
            fall = np.exp(-((gx - x) ** 2 + (gy - y) ** 2) / (2 * (radius * 0.8) ** 2))
            halo[y0:y1, x0:x1] += fall[..., None] * colour * 0.55
        added = picture.astype(np.float32) + 255 * halo * (1 - picture.astype(np.float32) / 300)
        return np.clip(added, 0, 255).astype(np.uint8)


def _buffer_depth(forward_m: FloatArray) -> FloatArray:
    """Return the depth buffer's value of a distance along the lens' axis."""
    z = np.maximum(forward_m, NEAR_CLIP_M)
    buffered: FloatArray = FAR_CLIP_M * (z - NEAR_CLIP_M) / (z * (FAR_CLIP_M - NEAR_CLIP_M))
    return buffered


def _put(mesh: Mesh, v: Placed) -> tuple[FloatArray, FloatArray]:
    turn = turn_matrix(v.heading_rad)
    return mesh.points @ turn.T + np.array([v.x_m, v.y_m, 0.0], np.float32), mesh.normals @ turn.T


def _joints(east: FloatArray, north: FloatArray, long_m: float, wide_m: float, joint_m: float) -> FloatArray:
    """Return 1 in the joints of stones laid in bond, 0 on the stones."""
    row = np.floor(north / wide_m)
    x = np.mod(east / long_m + 0.5 * np.mod(row, 2), 1.0)
    y = np.mod(north / wide_m, 1.0)
    joints: FloatArray = ((x < joint_m / long_m) | (y < joint_m / wide_m)).astype(np.float32)
    return joints
