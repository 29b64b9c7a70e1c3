"""Make the demo city's camera clips and `resources/demo/cameras.json`.

Run from the project's root, without a screen if need be (else `xvfb-run -a` before it):

    python -m app.make.render_scenes                       all eight clips, about five minutes on two cores
    python -m app.make.render_scenes --only cam-ring-road  one clip; the others' entries stay
    python -m app.make.render_scenes --truth-only          cameras.json only, nothing is rendered

Seeds are fixed: the same version of these scripts makes the same worlds, and the truth in cameras.json comes from them.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from app.make.scenes_camera import to_fractions
from app.make.scenes_catalogue import SCENES, CameraScene, furnished
from app.make.scenes_truth import Truth, calibrated, truth_of
from app.make.scenes_world import FPS, Run, simulate
from core.kernel.wire import to_builtins
from core.vision.model import Scene

LOG = logging.getLogger(__name__)
DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo"
CLIPS = DEMO / "clips"
CAMERAS = DEMO / "cameras.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BayEntry:
    """A parking bay as its camera sees it."""

    key: str
    polygon: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEntry:
    """One camera in cameras.json; `refrain_s` as in `CameraScene`."""

    key: str
    name: str
    clip: str
    width_px: int
    height_px: int
    fps: int
    duration_s: float
    refrain_s: float
    scene: Scene
    truth: Truth
    bays: tuple[BayEntry, ...] = ()


def entry_of(scene: CameraScene, run: Run) -> CameraEntry:
    """Describe one camera and what happens before it."""
    return CameraEntry(
        key=scene.key,
        name=scene.name,
        clip=f"clips/{scene.key}.mp4",
        width_px=scene.camera.size_wh[0],
        height_px=scene.camera.size_wh[1],
        fps=FPS,
        duration_s=len(run.frames) / FPS,
        refrain_s=scene.refrain_s,
        scene=calibrated(scene, run),
        truth=truth_of(scene, run),
        bays=tuple(
            BayEntry(key=bay.key, polygon=to_fractions(np.c_[np.array(bay.ground), np.zeros(4)], scene.camera))
            for bay in scene.bays
        ),
    )


def write_entries(entries: dict[str, CameraEntry]) -> None:
    """Write the given entries into cameras.json and keep the others."""
    known: dict[str, Any] = json.loads(CAMERAS.read_text()) if CAMERAS.exists() else {}
    known.update({key: to_builtins(entry) for key, entry in entries.items()})
    ordered = {key: known[key] for key in SCENES if key in known}
    CAMERAS.parent.mkdir(parents=True, exist_ok=True)
    CAMERAS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")


def render_clip(scene: CameraScene, run: Run, path: Path) -> None:
    """Draw every picture of a run and write it as H.264."""
    # VTK starts only where pictures are drawn: `--truth-only` must work without it.
    from app.make.render_picture import LIGHTS, SCALE, PlacePainter, Raster

    raster = Raster(round(scene.camera.size_wh[0] * SCALE), round(scene.camera.size_wh[1] * SCALE))
    painter = PlacePainter(furnished(scene), scene.camera, LIGHTS[scene.light], raster)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264",
            rate=FPS,
            options={
                "crf": "24",
                "preset": "slow",
                "bf": "0",
                "g": str(2 * FPS),
                "keyint_min": str(2 * FPS),
                "sc_threshold": "0",
                "profile": "main",
            },
        )
        stream.width, stream.height = scene.camera.size_wh
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for i, vehicles in enumerate(run.frames):
            frame = av.VideoFrame.from_ndarray(painter.picture(vehicles), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    unfinished.replace(path)
    raster.close()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(SCENES), action="append", help="this camera; may be given again")
    parser.add_argument("--truth-only", action="store_true", help="write cameras.json, render nothing")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for key in chosen.only or list(SCENES):
        scene = SCENES[key]()
        run = simulate(scene.plan)
        if not chosen.truth_only:
            path = CLIPS / f"{key}.mp4"
            render_clip(scene, run, path)
            LOG.info("%s: %.0f kB", key, path.stat().st_size / 1e3)
        entry = entry_of(scene, run)
        write_entries({key: entry})
        LOG.info("%s: %s", key, entry.truth)


if __name__ == "__main__":
    main()
