"""Pictures of a street made of numbers: texture that stays, sensor noise, light that changes, things that lie there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
import numpy as np

from core.vision.model import Observation, Scene, Track
from core.vision.rules import SceneRules
from tests.unit.vision.roads import ASPECT, START_AT

WIDTH, HEIGHT = 320, 180
Picture = np.ndarray
Change = Callable[[Picture, float], Picture]


def street(seed: int = 1) -> Picture:
    """Houses above, a road below: blocks of many sizes; shape (180, 320, 3)."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH), 110.0)
    picture[70:] = 95.0
    for _ in range(160):
        x, y = random.integers(0, WIDTH - 5), random.integers(0, 75)
        w, h = random.integers(3, 30), random.integers(2, 15)
        picture[y : y + h, x : x + w] = random.uniform(40, 200)
    for y in range(75, HEIGHT, 15):
        picture[y : y + 2, 75 + y // 4 : 79 + y // 4] = 190.0
        picture[y : y + 2, 220 - y // 4 : 224 - y // 4] = 190.0
    return np.repeat(picture[:, :, None], 3, axis=2).astype(np.float32)


def filmed(
    seconds: float,
    *,
    change: Change = lambda picture, _at_s: picture,
    fps: float = 2.0,
    from_s: float = 0.0,
    noise: float = 2.0,
    seed: int = 1,
) -> Iterator[tuple[float, Picture]]:
    """Yield picture times and pictures of one street."""
    random = np.random.default_rng(seed + 100)
    base = street(seed)
    grain = [random.normal(0, noise, (HEIGHT, WIDTH, 1)).astype(np.float32) for _ in range(7)]
    for step in range(round(seconds * fps)):
        at_s = from_s + step / fps
        picture = change(base.copy(), at_s) + grain[step % 7]
        yield at_s, np.clip(picture, 0, 255).astype(np.uint8)


def watch_pictures(
    scene: Scene, pictures: Iterator[tuple[float, Picture]], tracks: Callable[[float], list[Track]] = lambda _: []
) -> list[Observation]:
    """Run the rules over pictures, with these tracks, and return everything they saw."""
    rules = SceneRules("cam-1", scene, ASPECT)
    seen: list[Observation] = []
    for pts_s, picture in pictures:
        seen += rules.update(tracks(pts_s), pts_s, START_AT, picture)
    return seen


def after(at_s: float, change: Change, until_s: float = 1e9) -> Change:
    """A change of the picture from one time on."""
    return lambda picture, now_s: change(picture, now_s) if at_s <= now_s < until_s else picture


def scaled(picture: Picture, wh: tuple[int, int]) -> Picture:
    """As the same picture comes in a stream of another size."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(width=wh[0], height=wh[1], format="rgb24").to_ndarray()
