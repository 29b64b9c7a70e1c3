"""Analyses a clip or a stream without a screen and writes what it saw as JSON lines."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from core.kernel.clock import format_at
from core.kernel.errors import ConsoleError
from core.media.model import SourceSpec
from core.media.parameters import public_address
from core.vision.analyse import Analysed, CameraAnalyser
from core.vision.decode import FloatArray
from core.vision.engine import Engine, open_engine
from core.vision.model import VEHICLE_LABELS, Observation, ObservationKind, Phase, Scene, TrackerKind
from core.vision.models import ModelFile, find_model
from core.vision.pipeline import Prepared, PreparedPictures
from core.vision.scene_file import read_scene

CAMERA_ID = "detect"
_MAX_ENGINES = 4

WriteLine = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Tally:
    """What the closing summary says."""

    n_frames: int = 0
    n_detections: int = 0
    first_pts_s: float = 0.0
    last_pts_s: float = 0.0
    track_ids: set[int] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    crossings: defaultdict[str, defaultdict[str, Counter[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )
    entries: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def take(self, pts_s: float, seen: Analysed) -> None:
        if not self.n_frames:
            self.first_pts_s = pts_s
        self.n_frames += 1
        self.last_pts_s = pts_s
        self.n_detections += len(seen.detections)
        self.track_ids.update(track.track_id for track in seen.tracks)
        for observation in seen.observations:
            if observation.phase is not Phase.END:
                self.kinds[observation.kind.value] += 1
            if observation.kind is ObservationKind.LINE_CROSSED:
                self.crossings[observation.rule_key][observation.direction][observation.label] += 1
            elif observation.kind is ObservationKind.ZONE_ENTERED and observation.phase is Phase.INSTANT:
                self.entries[observation.rule_key][observation.label] += 1


def detect(
    source: SourceSpec,
    model: ModelFile,
    scene: Scene,
    *,
    write_line: WriteLine,
    labels: Sequence[str] = VEHICLE_LABELS,
    tracker: TrackerKind = TrackerKind.BYTETRACK,
    engine: str = "auto",
    cache_dir: Path | None = None,
) -> None:
    """Analyse a source to its end; every picture of a file, in order.

    Args:
        source: What to read; a live source runs until it breaks off.
        model: From `find_model`.
        scene: Zones and lines.
        write_line: Takes one JSON object: "detections", "tracks" and "observation" with `pts_s`, then "summary".
        labels: Classes that count.
        tracker: Which algorithm.
        engine: As in `open_engine`.
        cache_dir: Where compiled models are kept.

    Raises:
        ConsoleError: The source or the model is not usable, or a stream broke off; the summary came before it.
    """
    n_cores = os.cpu_count() or 1
    n_engines = min(_MAX_ENGINES, n_cores)
    with contextlib.ExitStack() as stack:
        engines: list[Engine] = []
        # On a processor, engines of few threads side by side do more pictures than one of many; a card has one queue.
        while not engines or (len(engines) < n_engines and engines[0].info.device == "CPU"):
            opened = open_engine(model, prefer=engine, n_threads=max(1, n_cores // n_engines), cache_dir=cache_dir)
            stack.callback(opened.close)
            engines.append(opened)
        _run(source, engines, scene, write_line, labels, tracker, model.note)


def _looked_at(pictures: PreparedPictures, engines: Sequence[Engine]) -> Iterator[tuple[Prepared, FloatArray]]:
    """Yield pictures in order with the boxes found in them; of a file a few are looked at ahead of time."""
    n_ahead = 0 if pictures.is_live else len(engines)
    free: queue.SimpleQueue[Engine] = queue.SimpleQueue()
    for engine in engines:
        free.put(engine)

    def look(picture: Prepared) -> FloatArray:
        engine = free.get()
        try:
            return engine.infer(picture.rgb[None])[0]
        finally:
            free.put(engine)

    waiting: deque[tuple[Prepared, Future[FloatArray]]] = deque()
    failure: ConsoleError | None = None
    with ThreadPoolExecutor(len(engines), thread_name_prefix="look") as pool:
        try:
            for picture in pictures:
                waiting.append((picture, pool.submit(look, picture)))
                if len(waiting) > n_ahead:
                    first, found = waiting.popleft()
                    yield first, found.result()
        except ConsoleError as error:
            failure = error
        # What came before the source broke off counts.
        for picture, found in waiting:
            yield picture, found.result()
    if failure is not None:
        raise failure


def _run(
    source: SourceSpec,
    engines: Sequence[Engine],
    scene: Scene,
    write_line: WriteLine,
    labels: Sequence[str],
    tracker: TrackerKind,
    note: str,
) -> None:
    engine, tally = engines[0], _Tally()
    analyser: CameraAnalyser | None = None
    began_at, began_s = datetime.now(UTC), time.monotonic()
    failure: ConsoleError | None = None
    with PreparedPictures(source, engine.info.input_wh) as pictures:
        try:
            for picture, boxes in _looked_at(pictures, engines):
                if analyser is None:
                    analyser = CameraAnalyser(
                        CAMERA_ID, scene, labels, tracker, aspect=picture.aspect, engine_labels=engine.info.labels
                    )
                    tally.first_pts_s = picture.pts_s
                captured_at = began_at + timedelta(seconds=picture.pts_s - tally.first_pts_s)
                seen = analyser.update(boxes, picture.letterbox, picture.pts_s, captured_at, picture.rgb)
                _write_picture(write_line, picture.pts_s, seen)
                tally.take(picture.pts_s, seen)
        except ConsoleError as error:
            failure = error
    elapsed_s = time.monotonic() - began_s
    write_line(_summary(source, engine, scene, tally, pictures, elapsed_s, note, failure))
    if failure is not None:
        raise failure


def run_detect(
    source: str,
    model: str,
    zones: Path | None,
    out: TextIO,
    *,
    models_folder: Path,
    username: str = "",
    password: str = "",
    allow_download: bool = False,
    labels: Sequence[str] = VEHICLE_LABELS,
    tracker: TrackerKind = TrackerKind.BYTETRACK,
    engine: str = "auto",
) -> int:
    """Analyse a source and write JSON lines to `out`; what the command line calls.

    Args:
        source: As in `SourceSpec.address`.
        model: As in `find_model`.
        zones: JSON or TOML of a `Scene`; None draws nothing.
        out: Receives one JSON object a line; an error is one too, {"type": "error", "message", "hint"}.
        models_folder: Where converted models and their compiled forms are kept.
        username: Of a camera.
        password: Of a camera.
        allow_download: A model name that is not in the folder may be fetched.
        labels: Classes that count.
        tracker: Which algorithm.
        engine: As in `open_engine`.

    Returns:
        Exit code: 0 done, 2 refused or broken off.
    """

    def write_line(line: dict[str, Any]) -> None:
        out.write(json.dumps(line, ensure_ascii=False) + "\n")

    try:
        scene = read_scene(zones) if zones is not None else Scene()
        found = find_model(model, folder=models_folder, allow_download=allow_download)
        detect(
            SourceSpec(address=source, username=username, password=password, realtime=False),
            found,
            scene,
            write_line=write_line,
            labels=labels,
            tracker=tracker,
            engine=engine,
            cache_dir=models_folder / "cache",
        )
    except ConsoleError as error:
        write_line({"type": "error", "message": error.message, "hint": error.hint})
        return 2
    finally:
        out.flush()
    return 0


def _write_picture(write_line: WriteLine, pts_s: float, seen: Analysed) -> None:
    at_s = round(pts_s, 4)
    write_line(
        {
            "type": "detections",
            "pts_s": at_s,
            "detections": [
                {"label": box.label, "score": round(box.score, 3), "bbox_xyxy": _rounded(box.bbox_xyxy)}
                for box in seen.detections
            ],
        }
    )
    write_line(
        {
            "type": "tracks",
            "pts_s": at_s,
            "tracks": [
                {
                    "track_id": track.track_id,
                    "label": track.label,
                    "score": round(track.score, 3),
                    "bbox_xyxy": _rounded(track.bbox_xyxy),
                    "velocity_xy": _rounded(track.velocity_xy),
                }
                for track in seen.tracks
            ],
        }
    )
    for observation in seen.observations:
        write_line(_observation_line(observation))


def _observation_line(observation: Observation) -> dict[str, Any]:
    line = {item.name: getattr(observation, item.name) for item in dataclasses.fields(observation)}
    line["captured_at"] = format_at(observation.captured_at)
    line["pts_s"] = round(observation.pts_s, 4)
    if observation.bbox_xyxy is not None:
        line["bbox_xyxy"] = _rounded(observation.bbox_xyxy)
    return {"type": "observation", **line}


def _summary(
    source: SourceSpec,
    engine: Engine,
    scene: Scene,
    tally: _Tally,
    pictures: PreparedPictures,
    elapsed_s: float,
    note: str,
    failure: ConsoleError | None,
) -> dict[str, Any]:
    return {
        "type": "summary",
        "pts_s": round(tally.last_pts_s, 4),
        "source": public_address(source.address),
        "is_complete": failure is None,
        "frames": tally.n_frames,
        "n_dropped": pictures.n_dropped,
        "n_broken": pictures.n_broken,
        "picture_s": round(tally.last_pts_s - tally.first_pts_s, 3),
        "elapsed_s": round(elapsed_s, 3),
        "fps": round(tally.n_frames / elapsed_s, 2) if elapsed_s > 0 else 0.0,
        "detections": tally.n_detections,
        "tracks": len(tally.track_ids),
        "observations": dict(tally.kinds),
        "lines": {
            line.key: {
                line.forward_name: dict(tally.crossings[line.key][line.forward_name]),
                line.backward_name: dict(tally.crossings[line.key][line.backward_name]),
            }
            for line in scene.lines
        },
        "zones": {zone.key: {"entered": dict(tally.entries[zone.key])} for zone in scene.zones},
        "engine": dataclasses.asdict(engine.info) | {"labels": list(engine.info.labels)},
        "note": note,
    }


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(value, 5) for value in values]
