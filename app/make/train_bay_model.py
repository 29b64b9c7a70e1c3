"""Train the bay classifier on car parks that our own renderer draws, and say how good it is on others of them.

Run from the project's root, in this order, without a screen if need be (else `xvfb-run -a` before it):

    python -m app.make.train_bay_model render --data FOLDER [--lots 200] [--first 0]
    python -m app.make.train_bay_model train  --data FOLDER [--epochs 12]

Both may be called again: `render` draws what is not there yet, `train` goes over everything. Lots whose number ends in
7 are held back. `train` writes resources/models/bays.onnx and bays.json; it needs the "torch" extra. Nothing is learnt
from photographs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.make.scenes_camera import Camera, project
from app.make.scenes_meshes import Rgb, paints_of
from app.make.scenes_scenery import Scenery, arrow, hedge, lamp_post, lettering, rectangle, tree, wear
from app.make.scenes_world import Placed, outlines_touch
from core.parking.sight.patches import N_CHANNELS, PATCH_PX, cut_patches, to_inputs

LOG = logging.getLogger(__name__)
MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
SIZE_WH = (704, 396)
PICTURES_PER_LOT = 5
HELD_BACK_DIGIT = 7
MIN_BAY_PX = 9.0
MAX_HIDDEN = 0.6
"""A bay that others hide by more than this has no truth that a picture could show."""

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]
KINDS = {"saloon": 3, "hatch": 3, "estate": 2, "suv": 3, "van": 1.2, "motorcycle": 0.15, "truck": 0.1}


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPlan:
    """A car park to be drawn.

    Attributes:
        bays: Corners on the ground [m], (n, 4, 2).
        headings_rad: Which way a vehicle stands in each, (n,).
        aisles: Middle line of each aisle: x from, x to, y, with the whole lot turned by `turn_rad`.
    """

    bays: FloatArray
    headings_rad: FloatArray
    aisles: tuple[tuple[float, float, float], ...]
    turn_rad: float


def random_plan(rng: np.random.Generator) -> LotPlan:
    """Lay out rows of bays: square, slanted or along the kerb."""
    style = rng.choice(["square", "square", "slanted", "kerb"])
    width, depth = float(rng.uniform(2.3, 2.9)), float(rng.uniform(4.7, 5.6))
    if style == "kerb":
        width, depth = float(rng.uniform(5.6, 6.5)), float(rng.uniform(2.0, 2.5))
    slant = 0.0 if style != "slanted" else float(rng.uniform(0.35, 0.8)) * float(rng.choice([-1, 1]))
    n_wide = int(rng.integers(6, 15)) if style != "kerb" else int(rng.integers(3, 7))
    n_rows = int(rng.integers(2, 6))
    aisle = float(rng.uniform(4.5, 7.5))
    bays, headings, aisles = [], [], []
    y = 0.0
    for row in range(n_rows):
        up = row % 2 == 0
        lean = np.tan(slant) * depth
        for i in range(n_wide):
            x = i * width
            shift = lean if up else -lean
            bays.append([(x, y), (x + width, y), (x + width + shift, y + depth), (x + shift, y + depth)])
            headings.append(np.pi / 2 - slant * (1 if up else -1) if style != "kerb" else 0.0)
        y += depth
        if up:
            aisles.append((-3.0, n_wide * width + 3.0, y + aisle / 2))
            y += aisle
    ground = np.array(bays) - (n_wide * width / 2, y / 2)
    turn = float(rng.uniform(0, np.pi))
    c, s = np.cos(turn), np.sin(turn)
    return LotPlan(
        bays=ground @ np.array([(c, s), (-s, c)]),
        headings_rad=np.array(headings) + turn,
        aisles=tuple((a - n_wide * width / 2, b - n_wide * width / 2, at - y / 2) for a, b, at in aisles),
        turn_rad=turn,
    )


def random_camera(plan: LotPlan, rng: np.random.Generator) -> Camera:
    """Look at the lot from straight above, or from a mast or a roof."""
    middle = plan.bays.reshape(-1, 2).mean(axis=0) + rng.normal(0, 1.5, 2)
    reach = float(np.linalg.norm(plan.bays.reshape(-1, 2) - middle, axis=1).max())
    from_above = rng.random() < 0.6
    steep = np.radians(rng.uniform(72, 89.0) if from_above else rng.uniform(16, 60))
    away = reach * float(rng.uniform(1.6, 3.4)) if from_above else reach * float(rng.uniform(0.9, 1.9)) + 6.0
    bearing = float(rng.uniform(0, 2 * np.pi))
    position = (
        float(middle[0] + np.cos(bearing) * np.cos(steep) * away),
        float(middle[1] + np.sin(bearing) * np.cos(steep) * away),
        max(4.5, float(np.sin(steep) * away)),
    )
    vfov = float(np.clip(np.degrees(2 * np.arctan(reach / away)) * rng.uniform(0.55, 1.0), 18, 62))
    return Camera(
        position_m=position, target_m=(float(middle[0]), float(middle[1]), 0.0), vfov_deg=vfov, size_wh=SIZE_WH
    )


def _turned(points: Any, turn: float) -> FloatArray:
    c, s = np.cos(turn), np.sin(turn)
    turned: FloatArray = np.asarray(points, np.float64) @ np.array([(c, s), (-s, c)])
    return turned


def _rgb(light: NDArray[np.floating]) -> Rgb:
    red, green, blue = np.clip(light, 0.05, 0.9).tolist()
    return red, green, blue


def furnish(s: Scenery, plan: LotPlan) -> None:
    """Lay the ground, paint the bays, and put round them what stands round car parks."""
    rng = s.rng
    corners = plan.bays.reshape(-1, 2)
    reach = float(np.abs(corners).max()) + 6.0
    grey = float(rng.uniform(0.16, 0.62))
    tint = rng.normal(0, 0.012, 3) + np.array([0.01, 0.0, -0.01]) * float(rng.normal(0, 1))
    material = str(rng.choice(["asphalt", "asphalt", "asphalt", "concrete", "paving", "cobble", "gravel"]))
    ground = _rgb(grey + tint)
    s.paint([_turned(rectangle(-reach, -reach, reach, reach), plan.turn_rad)], material, ground)
    wear(s, -reach, -reach, reach, reach, int(rng.integers(0, 40)))
    _cracks(s, reach, int(rng.integers(0, 14)))
    _stains_in_bays(s, plan)
    if rng.random() < 0.35:
        other = _rgb(np.array(ground) * rng.uniform(0.6, 1.5) + rng.normal(0, 0.03, 3))
        s.paint(
            list(plan.bays),
            str(rng.choice(["asphalt", "paving", "concrete"])),
            other,
            opacity=float(rng.uniform(0.4, 1)),
        )
    _paint_bays(s, plan)
    for x0, x1, y in plan.aisles:
        if rng.random() < 0.5:
            marks = [_turned(a, plan.turn_rad) for a in arrow(float(rng.uniform(x0, x1)), y, 0.0, 3.0)]
            s.paint(marks, "paint", (0.86, 0.86, 0.84), opacity=0.8)
    _surroundings(s, plan, reach)


def _paint_bays(s: Scenery, plan: LotPlan) -> None:
    rng = s.rng
    colour: Rgb = ((0.86, 0.86, 0.84), (0.86, 0.70, 0.18), (0.80, 0.80, 0.78))[int(rng.integers(3))]
    line = float(rng.uniform(0.06, 0.16))
    opacity = float(rng.choice([0.0, 0.25, 0.6, 0.9, 0.95]))
    marks = []
    for bay in plan.bays:
        for a, b in ((bay[1], bay[2]), (bay[3], bay[0]), *(((bay[2], bay[3]),) if rng.random() < 0.6 else ())):
            d = (b - a) / max(np.linalg.norm(b - a), 1e-6)
            n = np.array([-d[1], d[0]]) * line / 2
            marks.append(np.array([a + n, b + n, b - n, a - n]))
    s.paint(marks, "paint", colour, opacity=opacity)
    for bay, heading in zip(plan.bays, plan.headings_rad, strict=True):
        x, y = bay.mean(axis=0)
        dice = rng.random()
        if dice < 0.06:
            fill: Rgb = ((0.14, 0.34, 0.62), (0.18, 0.46, 0.26), (0.70, 0.20, 0.16))[int(rng.integers(3))]
            s.paint([bay.mean(axis=0) + (bay - bay.mean(axis=0)) * 0.9], "asphalt", fill, opacity=0.8)
        if dice < 0.14:
            letters = lettering("P", x, y - 0.6, float(heading), letter_m=0.9, stretch=1.5)
            s.paint(letters, "paint", (0.86, 0.86, 0.84), opacity=0.85)
        elif dice < 0.19:
            for k in np.linspace(0.1, 0.85, 6):
                a, b = bay[0] + (bay[3] - bay[0]) * k, bay[1] + (bay[2] - bay[1]) * min(1.0, k + 0.15)
                n = np.array([0.0, 0.12])
                s.paint([np.array([a + n, b + n, b - n, a - n])], "paint", (0.86, 0.74, 0.2), opacity=0.8)


def _cracks(s: Scenery, reach: float, n: int) -> None:
    strokes = []
    for _ in range(n):
        at, way = s.rng.uniform(-reach, reach, 2), float(s.rng.uniform(0, 2 * np.pi))
        for _ in range(int(s.rng.integers(3, 14))):
            way += float(s.rng.normal(0, 0.5))
            to = at + np.array([np.cos(way), np.sin(way)]) * float(s.rng.uniform(0.5, 1.8))
            n_xy = np.array([-(to - at)[1], (to - at)[0]])
            n_xy = n_xy / np.linalg.norm(n_xy) * float(s.rng.uniform(0.02, 0.07))
            strokes.append(np.array([at + n_xy, to + n_xy, to - n_xy, at - n_xy]))
            at = to
    dark = float(s.rng.uniform(0.08, 0.2))
    s.paint(strokes, "plain", (dark, dark, dark), opacity=float(s.rng.uniform(0.3, 0.9)))


def _stains_in_bays(s: Scenery, plan: LotPlan) -> None:
    """Oil where engines stand, and wheel tracks."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    stains = []
    for bay in plan.bays:
        if s.rng.random() < 0.5:
            at = bay.mean(axis=0) + s.rng.normal(0, 0.7, 2)
            size = s.rng.uniform(0.2, 0.9, 2)
            wobble = s.rng.uniform(0.6, 1.2, 12)
            stains.append(
                np.stack([at[0] + size[0] * wobble * np.cos(turn), at[1] + size[1] * wobble * np.sin(turn)], 1)
            )
    s.paint(stains, "plain", (0.1, 0.1, 0.1), opacity=float(s.rng.uniform(0.1, 0.5)), soft_m=0.15)


def _surroundings(s: Scenery, plan: LotPlan, reach: float) -> None:
    rng = s.rng
    corners = plan.bays.reshape(-1, 2)

    def is_clear(x: float, y: float, gap_m: float) -> bool:
        return bool(np.linalg.norm(corners - (x, y), axis=1).min() > gap_m)

    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(-reach - 6, reach + 6, 2)
        if is_clear(x, y, 2.8):
            tree(s, float(x), float(y), float(rng.uniform(4, 7)))
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(-reach, reach, 2)
        if is_clear(x, y, 1.2):
            lamp_post(s, float(x), float(y), float(rng.normal(0, 1.2)), float(rng.normal(0, 1.2)), 6.5)
    if rng.random() < 0.4:
        a = _turned([(-reach, reach * 0.95), (reach, reach * 0.95)], plan.turn_rad)
        hedge(s, float(a[0, 0]), float(a[0, 1]), float(a[1, 0]), float(a[1, 1]), 1.0)
    if rng.random() < 0.4:
        x, y = _turned([(0.0, reach + 9.0)], plan.turn_rad)[0]
        s.mesh.box((x - 9, y - 5, 0), (x + 9, y + 5, float(rng.uniform(4, 12))), tuple(rng.uniform(0.3, 0.8, 3)))
        s.mesh.solids.append(np.array([(x + a, y + b, z) for a in (-9, 9) for b in (-5, 5) for z in (0, 8)]))
    for _ in range(int(rng.integers(0, 4))):
        # Trolleys, bins and boards: they stand about, also in bays, and are no vehicles.
        x, y = corners[int(rng.integers(len(corners)))] + rng.normal(0, 1.2, 2)
        low, high = rng.uniform(0.2, 0.5, 2), float(rng.uniform(0.5, 1.1))
        s.mesh.box((x - low[0], y - low[1], 0), (x + low[0], y + low[1], high), tuple(rng.uniform(0.1, 0.8, 3)))


def random_cars(plan: LotPlan, rng: np.random.Generator) -> tuple[list[Placed], NDArray[np.int64]]:
    """Put vehicles into bays and aisles; return them with the bay of each, -1 in an aisle."""
    share = float(rng.choice([0.05, 0.3, 0.5, 0.7, 0.95]))
    kinds = list(KINDS)
    odds = np.array(list(KINDS.values())) / sum(KINDS.values())
    cars: list[Placed] = []
    bay_of = []

    def put(x: float, y: float, heading: float, bay: int) -> None:
        kind = str(rng.choice(kinds, p=odds))
        paints = paints_of(kind)
        paint = np.clip(np.array(paints[int(rng.integers(len(paints)))]) + rng.normal(0, 0.05, 3), 0.02, 0.98)
        new = Placed(
            key=f"c{len(cars)}",
            kind=kind,
            paint=(float(paint[0]), float(paint[1]), float(paint[2])),
            x_m=x,
            y_m=y,
            heading_rad=heading,
            speed_mps=0.0,
            is_braking=False,
        )
        if not any(outlines_touch(new, other) for other in cars):
            cars.append(new)
            bay_of.append(bay)

    for i, (bay, heading) in enumerate(zip(plan.bays, plan.headings_rad, strict=True)):
        if rng.random() < share:
            x, y = bay.mean(axis=0) + rng.normal(0, 1, 2) * (0.14, 0.14)
            back = np.pi if rng.random() < 0.4 else 0.0
            put(float(x), float(y), float(heading + back + rng.normal(0, 0.04)), i)
    for x0, x1, y in plan.aisles:
        for _ in range(int(rng.integers(0, 3))):
            at = _turned([(float(rng.uniform(x0, x1)), y + float(rng.normal(0, 0.8)))], plan.turn_rad)[0]
            put(
                float(at[0]),
                float(at[1]),
                plan.turn_rad + float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.25)),
                -1,
            )
    return cars, np.array(bay_of, np.int64)


def as_a_camera_sends_it(picture: Picture, rng: np.random.Generator) -> Picture:
    """Weather, night, lens, sensor and codec."""
    seen: FloatArray = picture.astype(np.float32)
    dice = rng.random()
    if dice < 0.10:
        # Snow on the ground: what is pale and grey turns white, vehicles keep their sides.
        grey = seen.mean(axis=2, keepdims=True)
        dull = np.clip(1 - np.abs(seen - grey).max(axis=2, keepdims=True) / 40, 0, 1)
        cover = dull * np.clip((grey - 50) / 90, 0, 1) * rng.uniform(0.4, 0.9)
        seen = (
            seen * (1 - cover)
            + (225 + cv2.GaussianBlur(rng.normal(0, 20, seen.shape[:2]), (0, 0), 3))[..., None] * cover
        )
    elif dice < 0.22:
        seen = seen * rng.uniform(0.25, 0.6) * rng.uniform(0.9, 1.1, 3)
    elif dice < 0.32:
        veil = rng.uniform(0.15, 0.5)
        seen = seen * (1 - veil) + rng.uniform(140, 210) * veil
    if rng.random() < 0.5:
        seen = cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.4:
        # A camera that sharpens draws a halo round everything.
        seen = seen + (seen - cv2.GaussianBlur(seen, (0, 0), 1.5)) * float(rng.uniform(0.3, 1.2))
    seen = (seen - 128) * rng.uniform(0.75, 1.3) + 128 + rng.uniform(-25, 25)
    seen = seen * rng.uniform(0.93, 1.07, 3)
    if rng.random() < 0.15:
        seen = np.repeat(seen.mean(axis=2, keepdims=True), 3, axis=2)
    seen = seen + rng.normal(0, rng.uniform(0.5, 7), seen.shape)
    out = np.clip(seen, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 95))])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def render_lot(number: int, raster: Any) -> tuple[Picture, NDArray[np.int64], NDArray[np.int64]]:
    """Draw one lot several times; return patches, whether a vehicle stands there, and the picture each is from."""
    from app.make.render_picture import LIGHTS, PlacePainter

    rng = np.random.default_rng(number)
    plan = random_plan(rng)
    scenery = Scenery(rng=np.random.default_rng(number + 1), base_material="grass", base_rgb=(0.38, 0.43, 0.26))
    furnish(scenery, plan)
    camera = random_camera(plan, rng)
    light = LIGHTS[str(rng.choice(["day", "day", "day", "morning", "golden", "overcast", "dusk"]))]
    light = replace(
        light,
        sun_deg=(float(rng.uniform(0, 360)), light.sun_deg[1] * float(rng.uniform(0.7, 1.4))),
        exposure=light.exposure * float(rng.uniform(0.7, 1.3)),
    )
    painter = PlacePainter(scenery, camera, light, raster)
    patches, truths, pictures = [], [], []
    for i in range(PICTURES_PER_LOT):
        cars, bay_of = random_cars(plan, rng)
        picture = as_a_camera_sends_it(painter.picture(tuple(cars))[..., ::-1], rng)
        ids, _ = painter.identities(tuple(cars))
        outlines, truth = _visible_bays(plan, camera, ids, bay_of, rng)
        if len(outlines) < 3:
            continue
        patches.append(cut_patches(picture, outlines))
        truths.append(truth)
        pictures.append(np.full(len(truth), number * 10 + i))
    if not patches:
        return np.empty((0, PATCH_PX, PATCH_PX, 3), np.uint8), np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(patches), np.concatenate(truths), np.concatenate(pictures)


def _visible_bays(
    plan: LotPlan, camera: Camera, ids: NDArray[np.int32], bay_of: NDArray[np.int64], rng: np.random.Generator
) -> tuple[list[FloatArray], NDArray[np.int64]]:
    """Return the bays that the picture shows, drawn as carelessly as people draw, and which are taken."""
    outlines: list[FloatArray] = []
    truth = []
    careless = float(rng.uniform(0.0, 0.07))
    shift = rng.normal(0, 0.04, 2)
    for i, ground in enumerate(plan.bays):
        uv, depth = project(np.c_[ground, np.zeros(4)], camera)
        size = np.ptp(uv, axis=0)
        if depth.min() < 2 or size.min() < MIN_BAY_PX or (uv < -4).any() or (uv > np.array(SIZE_WH) + 4).any():
            continue
        mask = np.zeros(ids.shape, np.uint8)
        cv2.fillPoly(mask, [uv.round().astype(np.int32)], 1)
        inside = ids[mask > 0]
        if not len(inside):
            continue
        others = (inside >= 0) & (bay_of[np.clip(inside, 0, None)] != i) if len(bay_of) else np.zeros(len(inside), bool)
        is_taken = bool((bay_of == i).any())
        if others.mean() > (MAX_HIDDEN if is_taken else 0.45):
            continue
        outlines.append((uv + size * (rng.normal(0, careless, (4, 2)) + shift)).astype(np.float32))
        truth.append(int(is_taken))
    return outlines, np.array(truth, np.int64)


def render(data: Path, n_lots: int, first: int) -> None:
    """Draw lots into `data`, one file each."""
    from app.make.render_picture import SCALE, Raster

    data.mkdir(parents=True, exist_ok=True)
    raster = Raster(round(SIZE_WH[0] * SCALE), round(SIZE_WH[1] * SCALE))
    for number in range(first, first + n_lots):
        file = data / f"{number:05d}.npz"
        if file.exists():
            continue
        patches, truth, pictures = render_lot(number, raster)
        np.savez_compressed(file, patches=patches, truth=truth, pictures=pictures)
    raster.close()


def _load(data: Path) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.bool_]]:
    inputs, truths, held = [], [], []
    for file in sorted(data.glob("*.npz")):
        with np.load(file) as lot:
            for picture in np.unique(lot["pictures"]):
                mine = lot["pictures"] == picture
                inputs.append(to_inputs(lot["patches"][mine]).astype(np.float16))
                truths.append(lot["truth"][mine])
                held.append(np.full(int(mine.sum()), int(file.stem) % 10 == HELD_BACK_DIGIT))
    return np.concatenate(inputs), np.concatenate(truths), np.concatenate(held)


def _network() -> Any:
    from torch import nn

    def block(n_in: int, n_out: int, stride: int) -> list[Any]:
        return [nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]

    return nn.Sequential(
        *block(N_CHANNELS, 20, 2),
        *block(20, 32, 1),
        *block(32, 48, 2),
        *block(48, 64, 1),
        *block(64, 80, 2),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(80 * (PATCH_PX // 8) ** 2, 32),
        nn.ReLU(),
        nn.Linear(32, 1),
    )


def train(data: Path, epochs: int) -> None:
    """Train from random weights, judge on the lots that were held back, and write the model."""
    import torch

    torch.manual_seed(1)
    torch.set_num_threads(2)
    inputs, truth, held = _load(data)
    x, y = torch.from_numpy(inputs[~held]), torch.from_numpy(truth[~held]).float()
    network = _network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=2e-3)
    batch = 128
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * (len(x) // batch + 1))
    for epoch in range(epochs):
        network.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            seen = _varied(x[rows].float(), torch)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(seen).ravel(), y[rows] * 0.96 + 0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss) * len(rows)
        LOG.info("epoch %d: loss %.4f", epoch + 1, total / len(x))
    network.eval()
    with torch.no_grad():
        found = network(torch.from_numpy(inputs[held]).float()).ravel().numpy() > 0
    figures = _figures(found, truth[held].astype(bool))
    LOG.info("held back: %s", figures)
    _write(network, figures, n_train=int((~held).sum()), n_lots=len(list(data.glob("*.npz"))))


def _varied(x: Any, torch: Any) -> Any:
    """Turn, mirror, shift the tone, blot out a part: as other lots would look."""
    if torch.rand(1) < 0.5:
        x = x.flip(3)
    if torch.rand(1) < 0.5:
        x = x.flip(2)
    if torch.rand(1) < 0.5:
        x = x.transpose(2, 3)
    n = len(x)
    x = x * (0.7 + 0.6 * torch.rand(n, 1, 1, 1))
    x[:, 0] += 0.35 * torch.randn(n, 1, 1)
    x[:, 2:] = x[:, 2:] * (torch.rand(n, 1, 1, 1) > 0.25).float()
    x = x + 0.08 * torch.rand(n, 1, 1, 1) * torch.randn_like(x)
    side = int(torch.randint(4, 18, (1,)))
    at = torch.randint(0, PATCH_PX - side, (2,))
    x[: n // 4, :, int(at[0]) : int(at[0]) + side, int(at[1]) : int(at[1]) + side] = 0
    return x


def _figures(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    hits = int((found & truth).sum())
    return {
        "precision": round(hits / max(int(found.sum()), 1), 4),
        "recall": round(hits / max(int(truth.sum()), 1), 4),
        "accuracy": round(float((found == truth).mean()), 4),
        "n": len(truth),
    }


def _write(network: Any, figures: dict[str, float], *, n_train: int, n_lots: int) -> None:
    import torch

    target = MODELS / "bays.onnx"
    torch.onnx.export(
        torch.nn.Sequential(network, torch.nn.Sigmoid()),
        (torch.zeros(2, N_CHANNELS, PATCH_PX, PATCH_PX),),
        str(target),
        input_names=["patches"],
        output_names=["occupied"],
        opset_version=17,
        dynamo=False,
        dynamic_axes={"patches": {0: "n"}, "occupied": {0: "n"}},
    )
    described = {
        "name": "Watchfloor bay classifier",
        "made_by": "app/make/train_bay_model.py (random weights at the start, our renders only)",
        "patch_px": PATCH_PX,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "n_lots": n_lots,
        "n_train": n_train,
        "held_back": figures,
    }
    (MODELS / "bays.json").write_text(json.dumps(described, indent=1) + "\n")
    LOG.info("%s: %.0f kB", target.name, target.stat().st_size / 1e3)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["render", "train"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--lots", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if chosen.step == "render":
        render(chosen.data, chosen.lots, chosen.first)
    else:
        train(chosen.data, chosen.epochs)


if __name__ == "__main__":
    main()
