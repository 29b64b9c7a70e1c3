"""The road plane: where a point of the picture lies on the ground, and how surely.

For whoever draws or measures::

    plane = solve(scene.plane, aspect)        # BadInputError names the points that do not fit, with a way out
    plane.residual_m                          # how far the points are off on the ground, root mean square
    plane.point_residuals_m[i]                # the same for point i, in the order of RoadPlane.points
    plane.point_residuals_px(i, 720)          # and in pixels of a picture 720 high
    plane.ground_of([(x, y), ...])            # fractions of the frame -> metres, NaN from the horizon upwards
    plane.picture_of([(east, north), ...])    # metres -> fractions of the frame, NaN behind the camera
    plane.metres_per_pixel((x, y), 720)       # to the right and downwards
    plane.ground_error_m((x, y), 720)         # doubt on the ground: of one pixel in the picture, and of the plane
    find_suspect(scene.plane, aspect)         # index of the one point that the others speak against, or None

Inside, pictures are measured in heights (x times the aspect), as everywhere in the rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.vision.geometry import Point, scale_points
from core.vision.model import PicturePoint, PlanePoint, RoadPlane

Array = NDArray[np.float64]

MIN_POINTS = 4
MAX_POINTS = 24
FLAT_TRIANGLE = 0.01
"""Three points are on one line where the triangle is less high than this part of its longest side."""

SAME_PLACE = 0.003
"""Points nearer to each other than this part of the whole set's extent are one."""

CLICK_ERROR = 1.5 / 1080
"""How exactly a point is set in the picture, in picture heights; the points' residuals can only make it worse."""

_N_STEPS = 30
_HINT_SPREAD = "Spread the points over the road: two on its left edge and two on its right, near and far."


class PlaneError(BadInputError):
    """The points do not make a road plane; the sentence names those that are in the way."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """A solved road plane; made by `solve`.

    Attributes:
        aspect: Width of the picture over its height.
        to_ground: Homography from picture heights to metres, shape (3, 3).
        to_picture: Its inverse; its third row is positive in front of the camera.
        variants: `to_ground` moved by one standard deviation along each of its eight ways to be wrong, (8, 3, 3).
        origin: Where (0, 0) of the ground is; None where only distances are known.
        point_residuals_m: Distance on the ground between each point and where the picture puts it.
        point_residuals: The same in the picture, in picture heights.
        residual_m: Root mean square of the former. Four points always fit: their residual is 0 and proves nothing.
    """

    aspect: float
    to_ground: Array
    to_picture: Array
    variants: Array
    origin: GeoPoint | None
    point_residuals_m: tuple[float, ...]
    point_residuals: tuple[float, ...]
    residual_m: float

    @property
    def is_checked(self) -> bool:
        """More points than needed: the residual tells whether they agree."""
        return len(self.point_residuals_m) > MIN_POINTS

    def point_residuals_px(self, index: int, frame_height_px: float) -> float:
        """Return by how many pixels a point is off in the picture."""
        return self.point_residuals[index] * frame_height_px

    def ground_of(self, points: Sequence[PicturePoint] | Array) -> Array:
        """Return where picture points lie on the road.

        Args:
            points: Fractions of the frame, shape (n, 2).

        Returns:
            Metres, shape (n, 2); NaN for points on or above the horizon.
        """
        return self.ground_of_heights(scale_points(_as_points(points), self.aspect))

    def ground_of_heights(self, points: Array) -> Array:
        """As `ground_of`, for points in picture heights."""
        return _project(self.to_ground, points)

    def picture_of(self, ground_m: Sequence[Point] | Array) -> Array:
        """Return where points of the road are seen.

        Returns:
            Fractions of the frame, shape (n, 2), also outside of the frame; NaN for points behind the camera.
        """
        seen: Array = _project(self.to_picture, np.asarray(ground_m, np.float64).reshape(-1, 2))
        seen /= np.array([self.aspect, 1.0])
        return seen

    def geo_of(self, point: PicturePoint) -> GeoPoint | None:
        """Return the position on earth of a picture point; None without an origin or above the horizon."""
        east_m, north_m = self.ground_of([point])[0].tolist()
        return None if self.origin is None or math.isnan(east_m) else offset(self.origin, east_m, north_m)

    def jacobian(self, point: Point) -> Array:
        """Return metres per picture height at a point in picture heights: columns right and down, shape (2, 2)."""
        x, y, w = (self.to_ground @ np.array([point[0], point[1], 1.0])).tolist()
        if w <= 0:
            return np.full((2, 2), np.nan)
        rows: Array = self.to_ground[:2, :2] / w - np.outer((x, y), self.to_ground[2, :2]) / w**2
        return rows

    def jacobians(self, points: Array) -> Array:
        """Return `jacobian` for many points, shape (n, 2, 2)."""
        mapped = _homogeneous(points) @ self.to_ground.T
        depth = np.where(mapped[:, 2] > 0, mapped[:, 2], np.nan)[:, None, None]
        rows: Array = self.to_ground[None, :2, :2] / depth
        rows -= mapped[:, :2, None] * self.to_ground[None, 2:, :2] / depth**2
        return rows

    def metres_per_pixel(self, point: PicturePoint, frame_height_px: float) -> tuple[float, float]:
        """Return the ground that one pixel covers at a picture point, to the right and downwards; NaN at the sky."""
        right, down = np.hypot(*self.jacobian((point[0] * self.aspect, point[1]))).tolist()
        return right / frame_height_px, down / frame_height_px

    def ground_error_m(self, point: PicturePoint, frame_height_px: float, *, noise_px: float = 1.0) -> float:
        """Return one standard deviation of a point's place on the road, along the worst direction.

        Args:
            point: Fractions of the frame.
            frame_height_px: Of the picture that the noise is measured in.
            noise_px: Of the point, in each direction; the doubt of the plane itself comes on top.
        """
        at = (point[0] * self.aspect, point[1])
        jacobian = self.jacobian(at)
        if np.isnan(jacobian).any():
            return math.nan
        moved = _project_all(self.variants, np.array([at]))[:, 0] - self.ground_of_heights(np.array([at]))[0]
        covariance = jacobian @ jacobian.T * (noise_px / frame_height_px) ** 2 + moved.T @ moved
        return math.sqrt(float(np.linalg.eigvalsh(covariance)[-1]))

    def length_error(self, start: Point, end: Point) -> float:
        """Return the doubt of a distance on the road that comes from the plane alone, as a part of that distance.

        Args:
            start: In picture heights.
            end: In picture heights.
        """
        pair = np.array([start, end])
        length = float(np.linalg.norm(np.diff(self.ground_of_heights(pair), axis=0)))
        lengths = np.linalg.norm(np.diff(_project_all(self.variants, pair), axis=1)[:, 0], axis=1)
        if not length > 0 or np.isnan(lengths).any():
            return math.inf
        return float(np.linalg.norm(lengths - length)) / length


def solve(plane: RoadPlane, aspect: float) -> Plane:
    """Lay the road under the picture.

    Args:
        plane: The points as they were set.
        aspect: Width of the picture over its height.

    Raises:
        PlaneError: Too few or too many points, two in one place, too many of them on one line, or some swapped; the
            sentence names them by their numbers from 1.

    Source: normalised direct linear transform, then least squares of the distances in the picture (Hartley and
    Zisserman, Multiple View Geometry, 2nd ed., algorithms 4.2 and 4.3).
    """
    picture, ground = _check(plane.points, aspect)
    picture_norm, ground_norm = _normaliser(picture), _normaliser(ground)
    seen, known = _project(picture_norm, picture), _project(ground_norm, ground)
    fitted = _direct(known, seen)
    depth = _depths(fitted, known)
    if (depth > 0).sum() * 2 < len(depth):
        fitted, depth = -fitted, -depth
    _check_order(depth, ground)
    fitted, jacobian, rest = _refine(fitted / fitted[2, 2], known, seen)
    _check_order(_depths(fitted, known), ground)
    to_picture = np.linalg.inv(picture_norm) @ fitted @ ground_norm
    to_ground = _inverse(to_picture, picture)
    click = CLICK_ERROR * picture_norm[0, 0]
    excess = max(rest.size - 8, 1)
    sigma = max(click, math.sqrt(float((rest**2).sum()) / excess) if rest.size > 8 else 0.0)
    variants = np.stack(
        [
            _inverse(np.linalg.inv(picture_norm) @ _from_parameters(moved) @ ground_norm, picture)
            for moved in fitted.ravel()[:8] + _spread(jacobian) * sigma
        ]
    )
    off_m = np.linalg.norm(_project(to_ground, picture) - ground, axis=1)
    off = np.linalg.norm(_project(to_picture, ground) - picture, axis=1)
    return Plane(
        aspect=aspect,
        to_ground=to_ground,
        to_picture=to_picture,
        variants=variants,
        origin=plane.origin,
        point_residuals_m=tuple(off_m.tolist()),
        point_residuals=tuple(off.tolist()),
        residual_m=math.sqrt(float((off_m**2).mean())),
    )


def find_suspect(plane: RoadPlane, aspect: float) -> int | None:
    """Return the index of the one point that the others speak against, or None where no single one stands out.

    It takes six points: without one of five the other four always fit.

    Raises:
        PlaneError: As `solve`.
    """
    whole = solve(plane, aspect)
    if len(plane.points) < MIN_POINTS + 2 or max(whole.point_residuals) < 2 * CLICK_ERROR:
        return None
    rests = []
    for index in range(len(plane.points)):
        try:
            others = solve(replace(plane, points=plane.points[:index] + plane.points[index + 1 :]), aspect)
        except PlaneError:
            rests.append(math.inf)
            continue
        rests.append(max(others.point_residuals))
    best, second = sorted(rests)[:2]
    return rests.index(best) if best < max(second / 3, CLICK_ERROR) and second > 2 * best else None


def offset(origin: GeoPoint, east_m: float, north_m: float) -> GeoPoint:
    """Return the position so far east and north of `origin`; for distances of a street, not of a country.

    Source: radii of curvature of the WGS-84 ellipsoid.
    """
    per_lat_m, per_lon_m = _metres_per_degree(origin)
    return GeoPoint(origin.lat_deg + north_m / per_lat_m, origin.lon_deg + east_m / per_lon_m)


def east_north_m(origin: GeoPoint, point: GeoPoint) -> tuple[float, float]:
    """Invert `offset`: metres east and north of `origin`, as `PlanePoint.ground_xy_m` wants them."""
    per_lat_m, per_lon_m = _metres_per_degree(origin)
    return (point.lon_deg - origin.lon_deg) * per_lon_m, (point.lat_deg - origin.lat_deg) * per_lat_m


def _metres_per_degree(at: GeoPoint) -> tuple[float, float]:
    axis_m, squared_eccentricity = 6_378_137.0, 6.694_379_990_14e-3
    lat = math.radians(at.lat_deg)
    bend = 1 - squared_eccentricity * math.sin(lat) ** 2
    per_lat_m = math.radians(axis_m * (1 - squared_eccentricity) / bend**1.5)
    return per_lat_m, max(math.radians(axis_m / math.sqrt(bend) * math.cos(lat)), 1e-6)


def _as_points(points: Sequence[PicturePoint] | Array) -> list[Point]:
    return [(float(x), float(y)) for x, y in points]


def _check(points: Sequence[PlanePoint], aspect: float) -> tuple[Array, Array]:
    if len(points) < MIN_POINTS:
        raise PlaneError(
            f"A road plane needs {MIN_POINTS} points; there {_are(len(points))}.", hint="Set more points on the road."
        )
    if len(points) > MAX_POINTS:
        raise PlaneError(f"A road plane takes {MAX_POINTS} points at most; there are {len(points)}.")
    picture = scale_points([point.picture for point in points], aspect)
    ground = np.asarray([point.ground_xy_m for point in points], np.float64)
    bad = np.flatnonzero(~(np.isfinite(picture).all(axis=1) & np.isfinite(ground).all(axis=1)))
    if bad.size:
        raise PlaneError(f"Point {bad[0] + 1} has no place.", hint="Set it again, or remove it.")
    for where, places in (("in the picture", picture), ("on the ground", ground)):
        _check_apart(places, where)
        _check_spread(places, where)
    return picture, ground


def _are(n_points: int) -> str:
    return {0: "is none", 1: "is one"}.get(n_points, f"are {n_points}")


def _check_apart(places: Array, where: str) -> None:
    extent = float(np.ptp(places, axis=0).max())
    for first, second in combinations(range(len(places)), 2):
        if math.dist(places[first], places[second]) <= SAME_PLACE * extent:
            raise PlaneError(
                f"Points {first + 1} and {second + 1} are in the same place {where}.",
                hint="Move one of them, or remove it.",
            )


def _check_spread(places: Array, where: str) -> None:
    """Four points must be there of which no three are on one line; the longest line is named where there are not."""
    flat = {triple for triple in combinations(range(len(places)), 3) if _flatness(places[list(triple)]) < FLAT_TRIANGLE}
    if not flat:
        return
    for four in combinations(range(len(places)), 4):
        if not any(triple in flat for triple in combinations(four, 3)):
            return
    groups = [
        sorted({third for triple in flat if {first, second} <= set(triple) for third in triple})
        for first, second in combinations(range(len(places)), 2)
    ]
    _, longest = max((len(group), group) for group in groups)
    named = [str(index + 1) for index in longest]
    raise PlaneError(
        f"Points {', '.join(named[:-1])} and {named[-1]} are on one line {where}: they do not say how the road lies.",
        hint=_HINT_SPREAD,
    )


def _flatness(triangle: Array) -> float:
    """Return a triangle's least height over its longest side."""
    a, b, c = triangle.tolist()
    area = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    longest = max(math.dist(a, b), math.dist(b, c), math.dist(c, a))
    return float(area / longest**2)


def _check_order(depth: Array, ground: Array) -> None:
    """All points must be in front of the camera; a swapped pair puts some of them behind it."""
    scale = float(np.abs(depth).max())
    behind = np.flatnonzero(depth < 1e-4 * scale)
    if not behind.size and math.isfinite(scale):
        return
    named = " and ".join(str(index + 1) for index in behind[:3]) or "1"
    noun = "Points" if behind.size > 1 else "Point"
    verb = "do" if behind.size > 1 else "does"
    raise PlaneError(
        f"{noun} {named} {verb} not fit the other {len(ground) - behind.size}: the road would be folded.",
        hint="Two points are swapped, or a distance is wrong.",
    )


def _normaliser(points: Array) -> Array:
    """Return the similarity that moves points to the origin, at a mean distance of the root of two."""
    centre = points.mean(axis=0)
    scale = math.sqrt(2.0) / float(np.linalg.norm(points - centre, axis=1).mean())
    return np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1.0]])


def _homogeneous(points: Array) -> Array:
    return np.column_stack((points, np.ones(len(points))))


def _depths(homography: Array, points: Array) -> Array:
    depths: Array = _homogeneous(points) @ homography[2]
    return depths


def _project(homography: Array, points: Array) -> Array:
    projected: Array = _project_all(homography[None], points)[0]
    return projected


def _project_all(homographies: Array, points: Array) -> Array:
    """Map points by several homographies, shape (k, n, 2); NaN where the third coordinate is not positive."""
    mapped = _homogeneous(points) @ homographies.transpose(0, 2, 1)
    depth = np.where(mapped[..., 2] > 1e-12, mapped[..., 2], np.nan)
    return np.asarray(mapped[..., :2] / depth[..., None], np.float64)


def _direct(source: Array, target: Array) -> Array:
    """Return the homography that minimises the algebraic error, of norm 1."""
    x, y = target[:, :1], target[:, 1:]
    homogeneous = _homogeneous(source)
    nothing = np.zeros_like(homogeneous)
    rows = np.vstack(
        [np.hstack([homogeneous, nothing, -x * homogeneous]), np.hstack([nothing, homogeneous, -y * homogeneous])]
    )
    solution: Array = np.linalg.svd(rows)[2][-1].reshape(3, 3)
    return solution


def _from_parameters(parameters: Array) -> Array:
    return np.append(parameters, 1.0).reshape(3, 3)


def _refine(start: Array, source: Array, target: Array) -> tuple[Array, Array, Array]:
    """Minimise the distances in the picture (Levenberg and Marquardt).

    Returns:
        The homography with 1 as its last entry, the Jacobian there and the residuals.
    """
    parameters = start.ravel()[:8].copy()
    damping = 1e-3
    jacobian, rest = _linearise(parameters, source, target)
    for _ in range(_N_STEPS):
        normal = jacobian.T @ jacobian
        step = np.linalg.lstsq(normal + damping * np.diag(np.diag(normal)), -jacobian.T @ rest, rcond=None)[0]
        next_jacobian, next_rest = _linearise(parameters + step, source, target)
        if not np.isfinite(next_rest).all() or (next_rest**2).sum() > (rest**2).sum():
            damping = min(damping * 10, 1e6)
            continue
        parameters, jacobian, rest = parameters + step, next_jacobian, next_rest
        damping = max(damping / 10, 1e-12)
        if float(np.abs(step).max()) < 1e-12:
            break
    return _from_parameters(parameters), jacobian, rest


def _linearise(parameters: Array, source: Array, target: Array) -> tuple[Array, Array]:
    homogeneous = _homogeneous(source)
    mapped = homogeneous @ _from_parameters(parameters).T
    depth = mapped[:, 2:]
    seen = mapped[:, :2] / depth
    nothing = np.zeros_like(homogeneous)
    over = homogeneous / depth
    rows: Array = np.vstack(
        [
            np.hstack([over, nothing, -seen[:, :1] * over[:, :2]]),
            np.hstack([nothing, over, -seen[:, 1:] * over[:, :2]]),
        ]
    )
    return rows, (seen - target).T.ravel()


def _spread(jacobian: Array) -> Array:
    """Return the eight directions of parameter doubt for residuals of one unit, rows of shape (8, 8)."""
    values, vectors = np.linalg.eigh(jacobian.T @ jacobian)
    return np.asarray((vectors / np.sqrt(np.maximum(values, 1e-18))).T, np.float64)


def _inverse(to_picture: Array, picture: Array) -> Array:
    """Invert, with a third coordinate that is positive on the road."""
    inverse = np.asarray(np.linalg.inv(to_picture), np.float64)
    return inverse if float(np.median(_depths(inverse, picture))) > 0 else -inverse
