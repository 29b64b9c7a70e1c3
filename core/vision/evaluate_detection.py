"""What the detector finds in labelled pictures, for every engine and precision that this machine ships."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.kernel.errors import BadInputError
from core.media.convert import TileScaler
from core.vision.decode import FloatArray, suppress
from core.vision.engine import Engine, NotOnCudaError, check_cuda, has_cuda, open_engine
from core.vision.model import EngineInfo
from core.vision.models import ModelFile, hash_files
from core.vision.scores import DetectionScore, score_detections

LABELS = ("car", "bus", "truck", "motorcycle", "train")
"""Of the network's classes those that the one labelled class, vehicle, stands for."""

FROM_SCORE = 0.25
_LOWEST_SCORE = 0.01
_IOU = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineScore:
    """One engine and precision at one input size.

    Attributes:
        ap50_minus_f32, recall_minus_f32: Points (hundredths) more than the same engine in f32 finds at this size;
            None where there is no such engine.
    """

    engine: str
    precision: str
    input_wh: tuple[int, int]
    ap50: float
    recall: float
    precision_at_recall: float
    n_pictures: int
    n_labelled: int
    ap50_minus_f32: float | None = None
    recall_minus_f32: float | None = None


_WORDS = {
    ("openvino", "f32"): "openvino in f32",
    ("openvino", "auto"): "openvino in INT8",
    ("onnxruntime", "f32"): "onnxruntime in f32",
    ("torch-cuda", "auto"): "torch-cuda in FP16",
    ("tensorrt", "auto"): "tensorrt",
}


def engines_of(model: ModelFile) -> tuple[tuple[str, str], ...]:
    """Return the engines and precisions that run this model here, f32 first."""
    found = []
    if importlib.util.find_spec("openvino") is not None:
        found.append(("openvino", "f32"))
        if model.int8 is not None:
            found.append(("openvino", "auto"))
    if importlib.util.find_spec("onnxruntime") is not None and model.path.suffix == ".onnx":
        found.append(("onnxruntime", "f32"))
    if has_cuda():
        if model.path.suffix == ".engine":
            return (("tensorrt", "auto"),)
        if model.source_pt is not None:
            found.append(("torch-cuda", "auto"))
    return tuple(found)


def engines_left_out(model: ModelFile) -> tuple[str, ...]:
    """Say in a sentence of each engine and precision that this program has, and that cannot be judged here, why."""
    ran = engines_of(model)
    no_cuda = _why_no_cuda()
    is_onnx = model.path.suffix == ".onnx"
    reasons = {
        ("openvino", "f32"): "OpenVINO is not installed, or does not read such a file",
        ("openvino", "auto"): "the model has no INT8 copy",
        ("onnxruntime", "f32"): "ONNX Runtime is not installed" if is_onnx else "the model is no ONNX file",
        ("torch-cuda", "auto"): no_cuda or "there is no .pt of the model",
        ("tensorrt", "auto"): no_cuda or "the model is no .engine file",
    }
    return tuple(
        f"detection by {_WORDS[engine]} is left out: {why}." for engine, why in reasons.items() if engine not in ran
    )


def _why_no_cuda() -> str:
    try:
        check_cuda()
    except NotOnCudaError as error:
        return error.why
    return ""


def score_engines(
    folder: Path, model: ModelFile, sizes: Sequence[tuple[int, int]], *, cache: Path, n_threads: int
) -> tuple[EngineScore, ...]:
    """Score every engine on the pictures of a folder in YOLO's layout: images/ and labels/.

    Raises:
        BadInputError: The folder holds no labelled pictures.
    """
    pictures = sorted(path for path in (folder / "images").glob("*") if path.suffix.lower() in (".jpg", ".png"))
    if not pictures:
        raise BadInputError(f"There are no pictures in {folder / 'images'}.", hint="Restore the folder.")
    labelled = [read_labels(folder / "labels" / f"{path.stem}.txt") for path in pictures]
    scores: list[EngineScore] = []
    for wh in sizes:
        reference: DetectionScore | None = None
        for name, precision in engines_of(model):
            if name == "tensorrt" and wh != model.input_wh:
                # It was built for one size.
                continue
            engine = open_engine(
                model,
                prefer=name,
                precision=precision,
                n_threads=n_threads,
                confidence=_LOWEST_SCORE,
                iou=_IOU,
                input_wh=wh,
                cache_dir=cache / "compiled",
            )
            try:
                found = _detect(pictures, engine, cache)
                score = score_detections(found, labelled, from_score=FROM_SCORE)
                if precision == "f32" and reference is None:
                    reference = score
                scores.append(_engine_score(engine.info, score, reference, len(pictures)))
            finally:
                engine.close()
    return tuple(scores)


def _engine_score(
    info: EngineInfo, score: DetectionScore, reference: DetectionScore | None, n_pictures: int
) -> EngineScore:
    def points(ours: float, theirs: float) -> float:
        return round(100 * (ours - theirs), 2)

    return EngineScore(
        engine=info.engine,
        precision=info.precision,
        input_wh=info.input_wh,
        ap50=round(score.ap50, 4),
        recall=round(score.recall, 4),
        precision_at_recall=round(score.precision, 4),
        n_pictures=n_pictures,
        n_labelled=score.n_labelled,
        ap50_minus_f32=None if reference is None else points(score.ap50, reference.ap50),
        recall_minus_f32=None if reference is None else points(score.recall, reference.recall),
    )


def read_labels(path: Path) -> FloatArray:
    """Return labelled boxes as x1, y1, x2, y2 in fractions of the picture; none where there is no file.

    Raises:
        BadInputError: A line is no label.
    """
    rows = []
    try:
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                _, x, y, width, height = (float(word) for word in line.split()[:5])
                rows.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    except FileNotFoundError:
        return np.zeros((0, 4), np.float32)
    except ValueError as error:
        raise BadInputError(f"{path} holds a line that is no label.", hint="Restore the file.") from error
    return np.array(rows, np.float32).reshape(-1, 4)


def _detect(pictures: Sequence[Path], engine: Engine, cache: Path) -> list[FloatArray]:
    """Return the vehicles of each picture: x1, y1, x2, y2 in fractions, score, label; kept in a file."""
    info = engine.info
    digest = hashlib.sha256(f"1 {hash_files(*pictures)} {info.model_sha256} {info.engine}".encode())
    digest.update(f"{info.precision} {info.input_wh} {_LOWEST_SCORE} {_IOU}".encode())
    file = cache / f"pictures-{digest.hexdigest()[:16]}.npz"
    try:
        with np.load(file) as kept:
            return list(np.split(kept["boxes"], np.cumsum(kept["n_boxes"])[:-1]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    found = _look(pictures, engine)
    cache.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez_compressed(partial, boxes=np.concatenate(found), n_boxes=np.array([len(boxes) for boxes in found]))
    partial.replace(file)
    return found


def _look(pictures: Sequence[Path], engine: Engine) -> list[FloatArray]:
    import av

    scaler, found = TileScaler(), []
    wanted = np.array([label in LABELS for label in engine.info.labels], bool)
    for path in pictures:
        try:
            with av.open(str(path)) as container:
                frame = next(container.decode(video=0))
        except (av.FFmpegError, StopIteration) as error:
            raise BadInputError(f"{path} is no picture.", hint="Restore the file.") from error
        rgb, letterbox = scaler.to_network_rgb(frame, engine.info.input_wh)
        boxes = engine.infer(rgb[None])[0]
        vehicles = boxes[wanted[boxes[:, 5].astype(np.intp)]].astype(np.float32, copy=True)
        vehicles[:, 5] = 0
        # The labels know one class: a car that is a truck as well is one vehicle.
        vehicles = suppress(vehicles, iou=_IOU)
        vehicles[:, :4] = letterbox.to_fractions(vehicles[:, :4])
        found.append(vehicles)
    return found
