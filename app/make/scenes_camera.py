"""The pinhole cameras of the demo city: from metres to picture fractions, without rendering anything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

NEAR_M = 0.5
"""Nothing closer than this to the lens is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera on a mast.

    Attributes:
        position_m: East, north and up of the lens.
        target_m: The point in the middle of the picture.
        vfov_deg: Vertical field of view.
    """

    position_m: tuple[float, float, float]
    target_m: tuple[float, float, float]
    vfov_deg: float = 40.0
    size_wh: tuple[int, int] = (640, 360)


@lru_cache(maxsize=64)
def basis(camera: Camera) -> FloatArray:
    """Return the rows right, up and forward, shape (3, 3); shared between callers, not to be written to."""
    forward = np.subtract(camera.target_m, camera.position_m).astype(np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(right, forward), forward])
    rows.flags.writeable = False
    return rows


def focal_px(camera: Camera, scale: float = 1.0) -> float:
    """Return the focal length in pixels of a picture `scale` times as large."""
    return float(camera.size_wh[1] * scale / 2 / np.tan(np.radians(camera.vfov_deg) / 2))


def to_camera(points_m: FloatArray, camera: Camera) -> FloatArray:
    """Return right, up and forward [m] of world points, shape (n, 3)."""
    local: FloatArray = (np.asarray(points_m, dtype=np.float64) - camera.position_m) @ basis(camera).T
    return local


def project(points_m: FloatArray, camera: Camera, scale: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Project world points.

    Returns:
        Pixels of a picture `scale` times as large, shape (n, 2), and the depth [m], shape (n,). Points behind the
        lens have a depth of at most `NEAR_M` and no meaningful pixel.
    """
    local = to_camera(points_m, camera)
    depth = local[:, 2]
    safe = np.maximum(depth, NEAR_M)
    f = focal_px(camera, scale)
    u = camera.size_wh[0] * scale / 2 + f * local[:, 0] / safe
    v = camera.size_wh[1] * scale / 2 - f * local[:, 1] / safe
    return np.stack([u, v], axis=1), depth


def project_polygon(points_m: FloatArray, camera: Camera, scale: float = 1.0) -> FloatArray:
    """Project a planar polygon, cut off at the near plane; shape (m, 2), empty when it lies behind the lens."""
    local = to_camera(points_m, camera)
    kept: list[FloatArray] = []
    for a, b in zip(local, np.roll(local, -1, axis=0), strict=True):
        if a[2] >= NEAR_M:
            kept.append(a)
        if (a[2] >= NEAR_M) != (b[2] >= NEAR_M):
            kept.append(a + (b - a) * ((NEAR_M - a[2]) / (b[2] - a[2])))
    if len(kept) < 3:
        return np.empty((0, 2))
    cut = np.array(kept)
    f = focal_px(camera, scale)
    u = camera.size_wh[0] * scale / 2 + f * cut[:, 0] / cut[:, 2]
    v = camera.size_wh[1] * scale / 2 - f * cut[:, 1] / cut[:, 2]
    return np.stack([u, v], axis=1)


def to_fractions(points_m: FloatArray, camera: Camera) -> tuple[tuple[float, float], ...]:
    """Return ground or space points as picture fractions, rounded, clamped to the picture's edge."""
    uv, _ = project(np.atleast_2d(np.asarray(points_m, dtype=np.float64)), camera)
    fractions = np.clip(uv / np.array(camera.size_wh), 0.0, 1.0)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in fractions)


def ground_rays(camera: Camera, scale: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return where every pixel looks.

    Returns:
        East and north [m] of the ground under each pixel, the distance to it [m] (infinite above the horizon) and
        the upward part of the ray's direction; each of shape (height, width), float32.
    """
    width, height = int(camera.size_wh[0] * scale), int(camera.size_wh[1] * scale)
    f = focal_px(camera, scale)
    right, up, forward = basis(camera)
    u, v = np.meshgrid(np.arange(width) + 0.5 - width / 2, height / 2 - np.arange(height) - 0.5)
    rays = forward + (u / f)[..., None] * right + (v / f)[..., None] * up
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    with np.errstate(divide="ignore"):
        distance = np.where(rays[..., 2] < -1e-4, -camera.position_m[2] / np.minimum(rays[..., 2], -1e-4), np.inf)
    finite = np.where(np.isfinite(distance), distance, 0.0)
    east = camera.position_m[0] + rays[..., 0] * finite
    north = camera.position_m[1] + rays[..., 1] * finite
    return (
        east.astype(np.float32),
        north.astype(np.float32),
        distance.astype(np.float32),
        rays[..., 2].astype(np.float32),
    )
