"""What the look at bays costs the cameras that do it: their rate of detection beside that of cameras without bays."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import resources
from core.kernel.bench import wait_until
from core.node.bay_sight import BaySightHub
from core.node.bench_vision import DETECT_FPS, Vision
from core.parking.model import Bay, BaysSeen, BayView, Lot, Outline
from core.parking.sight.model import SightConfig
from core.vision.messages import BaysPictured
from core.vision.models import find_model

N_CAMERAS, N_BAYS_EACH = 4, 24
EVERY_S = 1.5
"""As the node asks for pictures of bays."""

SETTLE_S, MEASURE_S = 10.0, 15
VIEW_WH = (640, 360)


@dataclass(frozen=True, slots=True, kw_only=True)
class BayCost:
    """Pictures looked at for traffic, of one camera each second.

    Attributes:
        before: Of every camera, without bays.
        with_bays, without_bays: Of the half that sees bays and of the other one, at the same time.
        n_looks: At bays, meanwhile.
    """

    before: float
    with_bays: float
    without_bays: float
    n_looks: int


def measure_bay_cost() -> BayCost:
    """Run cameras of the demonstration, then give half of them bays; everything is looked at in the real processes.

    Raises:
        UnavailableError: Vision does not start.
    """
    with tempfile.TemporaryDirectory(prefix="watchfloor-bench-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> BayCost:
    model = find_model("demo", folder=folder, allow_download=False)
    clips = sorted(resources.path("demo/clips").glob("*.mp4"))[:N_CAMERAS]
    seen: list[BaysSeen] = []
    hub = BaySightHub(
        SightConfig(models=folder, logs=folder, memory=folder / "bays", model=model.address),
        publish=lambda event: seen.append(event) if isinstance(event, BaysSeen) else None,
    )
    watching = {f"bench-{number}" for number in range(0, N_CAMERAS, 2)}
    hub.set_lots(tuple(_lot_of(camera_id) for camera_id in sorted(watching)))

    def take(message: object) -> None:
        if isinstance(message, BaysPictured):
            hub.take_picture(message.camera_id, message.jpeg, message.captured_at)

    try:
        async with Vision(folder, model, None) as vision:
            vision.on_message = take
            vision.read(clips, detect_fps=DETECT_FPS, view_wh=VIEW_WH)
            await vision.until_live(N_CAMERAS, is_detecting=True)
            await asyncio.sleep(SETTLE_S)
            before = await _rates(vision)
            vision.supervisor.set_bay_cameras(frozenset(watching), every_s=EVERY_S)
            await wait_until(lambda: len(seen) >= len(watching), "the first looks at bays")
            await asyncio.sleep(SETTLE_S)
            n_before = len(seen)
            after = await _rates(vision)
            return BayCost(
                before=statistics.mean(before.values()),
                with_bays=statistics.mean(rate for camera_id, rate in after.items() if camera_id in watching),
                without_bays=statistics.mean(rate for camera_id, rate in after.items() if camera_id not in watching),
                n_looks=len(seen) - n_before,
            )
    finally:
        await hub.stop()


async def _rates(vision: Vision) -> dict[str, float]:
    """Return each camera's looks a second, the mean over some seconds."""
    rates: dict[str, list[float]] = {}
    for _ in range(MEASURE_S):
        await asyncio.sleep(1.0)
        for report in vision.reports:
            rates.setdefault(report.camera_id, []).append(report.detect_fps)
    return {camera_id: statistics.mean(found) for camera_id, found in rates.items()}


def _lot_of(camera_id: str) -> Lot:
    columns = N_BAYS_EACH // 2
    outlines: dict[str, Outline] = {}
    for number in range(N_BAYS_EACH):
        row, column = divmod(number, columns)
        x, y, wide, tall = 0.1 + 0.8 * column / columns, 0.3 + 0.35 * row, 0.8 / columns, 0.22
        outlines[str(number)] = ((x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall))
    bays = tuple(Bay(bay_id=bay_id) for bay_id in outlines)
    return Lot(lot_id=camera_id, name=camera_id, bays=bays, views=(BayView(camera_id=camera_id, outlines=outlines),))
