"""What our pictures cost beside ffmpeg: the same clip, the same size, taken in turns in one run."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import BadInputError, UnavailableError
from core.media.convert import TileScaler
from core.media.model import SourceSpec
from core.media.source import open_source

TILE_WH = (480, 270)
N_ROUNDS = 5

_CLIP_WH = (1920, 1080)
_CLIP_FPS, _CLIP_S = 25, 8


def bench_decode(clip: Path | None = None) -> BenchResult:
    """Decode and scale a clip to a tile, with our path and with ffmpeg on one thread, in turns.

    Figures: `ratio_to_ffmpeg` is our CPU seconds a frame divided by ffmpeg's, whose scaler is its default (bicubic);
    `ratio_to_ffmpeg_area` lets ffmpeg scale by area, as we do.

    Raises:
        UnavailableError: ffmpeg is not installed.
        BadInputError: The clip cannot be decoded.
    """
    if os.name != "posix":
        raise UnavailableError("The decode bench needs Linux or macOS, which tell what a finished process cost.")
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise UnavailableError(
            "The decode bench compares with ffmpeg, which is not installed.", hint="Debian: apt-get install ffmpeg"
        )
    if clip is not None:
        return _compare(ffmpeg, Path(clip))
    with tempfile.TemporaryDirectory(prefix="watchfloor-bench-") as folder:
        return _compare(ffmpeg, make_bench_clip(Path(folder) / "clip.mp4"))


def make_bench_clip(path: Path) -> Path:
    """Write a 1080p H.264 clip of 8 s in which noise moves, at about 4 Mbit/s like a camera's main stream."""
    width, height = _CLIP_WH
    random = np.random.default_rng(7)
    # Coarse noise with some grain on it: compresses about as well as a street.
    coarse = random.integers(0, 256, (height // 8, (width + 400) // 8), np.uint8)
    wide = np.kron(coarse, np.ones((8, 8), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_CLIP_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 4_000_000
        stream.time_base = Fraction(1, _CLIP_FPS)
        stream.options = {"preset": "veryfast", "g": "50", "bf": "0"}
        for number in range(_CLIP_FPS * _CLIP_S):
            left = number * 2
            luma = wide[:, left : left + width]
            grain = np.repeat(random.integers(0, 8, (height // 2, width), np.uint8), 2, axis=0)
            chroma = np.full((height // 2, width), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma // 2 + 64 + grain, chroma]), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _compare(ffmpeg: str, clip: Path) -> BenchResult:
    n_frames = _decode_and_scale(clip)  # Also warms the file and the libraries.
    ours, theirs, theirs_area = [], [], []
    for _ in range(N_ROUNDS):
        ours.append(_cpu_of_ours(clip) / n_frames)
        theirs.append(_cpu_of_ffmpeg(ffmpeg, clip, "") / n_frames)
        theirs_area.append(_cpu_of_ffmpeg(ffmpeg, clip, ":flags=area") / n_frames)
    reference = f"ffmpeg -threads 1 -i {clip.name} -an -vf scale={TILE_WH[0]}:{TILE_WH[1]} -pix_fmt bgra -f null -"
    ours_s, theirs_s, area_s = (statistics.median(figures) for figures in (ours, theirs, theirs_area))
    spread = statistics.median(abs(our / their - ours_s / theirs_s) for our, their in zip(ours, theirs, strict=True))
    return BenchResult(
        bench="decode",
        figures={
            "ratio_to_ffmpeg": Figure(value=ours_s / theirs_s, unit="", reference=reference),
            "ratio_to_ffmpeg_area": Figure(
                value=ours_s / area_s, unit="", reference=reference.replace("-pix_fmt", "(flags=area) -pix_fmt")
            ),
            "ratio_spread": Figure(value=spread, unit="", reference=f"median deviation over {N_ROUNDS} rounds"),
            "ours_ms_per_frame": Figure(value=ours_s * 1000.0, unit="ms", reference="none"),
            "ffmpeg_ms_per_frame": Figure(value=theirs_s * 1000.0, unit="ms", reference="none"),
            "n_frames": Figure(value=float(n_frames), unit="", reference="none"),
        },
    )


def _decode_and_scale(clip: Path) -> int:
    """Run the path of a live tile: source, decoder, scaler; returns the number of frames."""
    source = open_source(SourceSpec(address=str(clip), realtime=False))
    scaler = TileScaler()
    n_frames = 0
    try:
        while (frames := source.read()) is not None:
            for frame in frames:
                scaler.to_bgra(frame, TILE_WH)
                n_frames += 1
    finally:
        source.close()
    if n_frames == 0:
        raise BadInputError(f"{clip} holds no picture that can be decoded.")
    return n_frames


def _cpu_of_ours(clip: Path) -> float:
    began = os.times()
    _decode_and_scale(clip)
    ended = os.times()
    return (ended.user - began.user) + (ended.system - began.system)


def _cpu_of_ffmpeg(ffmpeg: str, clip: Path, flags: str) -> float:
    scale = f"scale={TILE_WH[0]}:{TILE_WH[1]}{flags}"
    command = [ffmpeg, "-v", "error", "-nostdin", "-threads", "1", "-i", str(clip)]
    command += ["-an", "-vf", scale, "-pix_fmt", "bgra", "-f", "null", "-"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BadInputError(f"ffmpeg cannot decode {clip}: it ended with {process.returncode}.")
    return usage.ru_utime + usage.ru_stime
