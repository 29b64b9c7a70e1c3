"""Train the demo city's vehicle detector on pictures that our own renderer draws, and say how good it is.

Run from the project's root, in this order; nothing is downloaded, and only the last two steps write into the tree:

    python -m app.make.train_demo_model render   --data FOLDER [--n-train 1500] [--n-held-back 160]
    python -m app.make.train_demo_model train    --data FOLDER [--epochs 12] [--imgsz 320] [--weights OWN.pt]
    python -m app.make.train_demo_model export   --data FOLDER
    python -m app.make.train_demo_model evaluate --data FOLDER

`train` and `export` need the "torch" extra and the package `onnx`; `evaluate` needs onnxruntime only. Network: YOLO11n,
built from the description inside the ultralytics package, with random weights at the start.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError

LOG = logging.getLogger(__name__)
MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo"
LABELS = ("car", "bus", "truck", "motorcycle")
INPUT_WH = (512, 288)
MIN_SIDE_PX = 8
MIN_VISIBLE = 0.35
CONFIDENCE, IOU = 0.25, 0.5
NMS_IOU = 0.6
PICTURES_PER_PLACE = 8
SENTENCE = (
    "A demonstration model: trained from scratch on rendered pictures of the demo city only; "
    "it is not meant for, and not tested on, real cameras."
)

FloatArray = NDArray[np.floating[Any]]


# --- render ---------------------------------------------------------------------------------------------------------


def render(data: Path, n_train: int, n_held_back: int, first_seed: int) -> None:
    """Draw labelled pictures; training and held-back places have different seeds.

    Stops adding where a picture exists already, so that a second call with a larger number draws the rest.
    """
    from app.make.render_picture import LIGHTS, SCALE, PlacePainter, Raster
    from app.make.scenes_catalogue import furnished
    from app.make.scenes_random import random_scene, random_traffic

    raster = Raster(round(640 * SCALE), round(360 * SCALE))
    for split, n, base_seed in (("held_back", n_held_back, 900_000), ("train", n_train, first_seed)):
        images, labels = data / "images" / split, data / "labels" / split
        images.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        for k in range(-(-n // PICTURES_PER_PLACE)):
            seed = base_seed + k
            if (images / f"{seed}_{PICTURES_PER_PLACE - 1}.jpg").exists():
                continue
            rng = np.random.default_rng(seed)
            scene = random_scene(rng)
            light = LIGHTS[scene.light]
            light = replace(
                light,
                sun_deg=(float(rng.uniform(0, 360)), light.sun_deg[1] * float(rng.uniform(0.8, 1.3))),
                exposure=light.exposure * float(rng.uniform(0.8, 1.25)),
                haze_m=light.haze_m * float(rng.uniform(0.5, 1.6)),
            )
            painter = PlacePainter(furnished(scene, seed), scene.camera, light, raster)
            for i in range(PICTURES_PER_PLACE):
                vehicles = random_traffic(scene, rng)
                picture = painter.picture(vehicles)
                boxes = _boxes(*painter.identities(vehicles), [LABELS.index(v.label) for v in vehicles])
                picture = _as_a_camera_sends_it(picture, rng)
                quality = int(rng.integers(55, 93))
                cv2.imwrite(str(images / f"{seed}_{i}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
                (labels / f"{seed}_{i}.txt").write_text(
                    "".join(f"{c} {x:.5f} {y:.5f} {w:.5f} {h:.5f}\n" for c, x, y, w, h in boxes)
                )
            LOG.info("%s: place %d of %d", split, k + 1, -(-n // PICTURES_PER_PLACE))
    raster.close()


def _boxes(
    ids: NDArray[np.int32], alone: NDArray[np.int32], classes: list[int]
) -> list[tuple[int, float, float, float, float]]:
    """Return class, middle and size (fractions) of every vehicle that shows enough of itself."""
    height, width = ids.shape
    boxes = []
    for i in np.unique(ids[ids >= 0]):
        rows, columns = np.nonzero(ids == i)
        x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        if min(x1 - x0, y1 - y0) < MIN_SIDE_PX or len(rows) < MIN_VISIBLE * max(int(alone[i]), 1):
            continue
        boxes.append((classes[i], (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height))
    return boxes


def _as_a_camera_sends_it(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur, tint and grain, as lenses and sensors do."""
    noisy: FloatArray = picture.astype(np.float32)
    if rng.random() < 0.4:
        noisy = cv2.GaussianBlur(noisy, (0, 0), float(rng.uniform(0.3, 1.0)))
    noisy = (noisy - 128) * float(rng.uniform(0.85, 1.15)) + 128 + float(rng.uniform(-12, 12))
    noisy = noisy * rng.uniform(0.95, 1.05, 3)
    if rng.random() < 0.5:
        noisy += rng.normal(0, float(rng.uniform(1, 6)), noisy.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


# --- train and export -----------------------------------------------------------------------------------------------


def _offline() -> None:
    os.environ["YOLO_AUTOINSTALL"] = "False"
    os.environ["YOLO_OFFLINE"] = "True"
    os.environ.setdefault("WANDB_DISABLED", "true")


def train(data: Path, epochs: int, imgsz: int, weights: Path | None, hours: float | None) -> None:
    """Train from random weights, or go on from weights that an earlier call made."""
    _offline()
    import torch
    from ultralytics import YOLO

    torch.set_num_threads(2)
    description = data / "data.yaml"
    names = "\n".join(f"  {i}: {label}" for i, label in enumerate(LABELS))
    description.write_text(f"path: {data}\ntrain: images/train\nval: images/held_back\nnames:\n{names}\n")
    model = YOLO("yolo11n.yaml" if weights is None else str(weights), task="detect")
    # Square mosaics would waste half the pixels: pictures keep 16:9 (rect), and vary while they are rendered.
    model.train(
        data=str(description),
        epochs=epochs,
        imgsz=imgsz,
        rect=True,
        batch=8,
        # An update after every batch: there are few pictures and little time.
        nbs=8,
        device="cpu",
        workers=0,
        # False would throw away the own weights, too; a description has none to begin with.
        pretrained=weights is not None,
        optimizer="AdamW",
        lr0=0.002 if weights is None else 0.001,
        lrf=0.02,
        cos_lr=True,
        warmup_epochs=1.0 if weights is None else 0.2,
        mosaic=0.0,
        fliplr=0.5,
        hsv_h=0.03,
        hsv_s=0.5,
        hsv_v=0.3,
        translate=0.08,
        scale=0.25,
        erasing=0.0,
        plots=False,
        val=False,
        amp=False,
        project=str(data / "runs"),
        name="demo",
        exist_ok=True,
        seed=1,
        deterministic=False,
        verbose=False,
        time=hours,
    )


def export(data: Path, weights: Path | None) -> None:
    """Write resources/models/demo.onnx: dynamic height and width, half-precision weights."""
    _offline()
    import onnx
    import torch
    from onnx import TensorProto, numpy_helper
    from ultralytics import YOLO

    source = weights or data / "runs" / "demo" / "weights" / "last.pt"
    network = YOLO(str(source)).model.float().eval().fuse()
    head = network.model[-1]
    head.export, head.dynamic, head.format = True, True, "onnx"
    MODELS.mkdir(parents=True, exist_ok=True)
    target = MODELS / "demo.onnx"
    example = torch.zeros(1, 3, INPUT_WH[1], INPUT_WH[0])
    with torch.no_grad():
        network(example)
        torch.onnx.export(
            network,
            (example,),
            str(target),
            input_names=["images"],
            output_names=["output0"],
            opset_version=17,
            dynamo=False,
            dynamic_axes={"images": {0: "batch", 2: "height", 3: "width"}, "output0": {0: "batch", 2: "anchors"}},
        )
    graph = onnx.load(str(target))
    # Weights are kept in half precision and widened at load: half the file, and the same arithmetic on every engine.
    casts = []
    for tensor in graph.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 4:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(values, name + "_half"))
            casts.append(
                onnx.helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT, name=name + "_cast")
            )
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(casts + nodes)
    for key, value in (("names", str(dict(enumerate(LABELS)))), ("task", "detect"), ("stride", "32")):
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(graph)
    onnx.save(graph, str(target))
    LOG.info("%s: %.2f MB", target.name, target.stat().st_size / 1e6)


# --- evaluate -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Boxes of one picture: class (n,), score (n,), x1 y1 x2 y2 in fractions (n, 4), best first."""

    label: NDArray[np.int64]
    score: FloatArray
    box: FloatArray


class Detector:
    """The exported model on ONNX Runtime, for measuring only; the program has its own engines."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def find(self, picture_rgb: NDArray[np.uint8], least: float) -> Found:
        """Detect in one picture of any 16:9 size."""
        small = cv2.resize(picture_rgb, INPUT_WH, interpolation=cv2.INTER_AREA)
        tensor = np.ascontiguousarray(small.transpose(2, 0, 1)[None], dtype=np.float32) / 255
        output = self._session.run(None, {"images": tensor})[0][0].T
        scores = output[:, 4:].max(axis=1)
        keep = scores > least
        output, scores = output[keep], scores[keep]
        label = output[:, 4:].argmax(axis=1)
        middle, half = output[:, :2], output[:, 2:4] / 2
        box = np.concatenate([middle - half, middle + half], axis=1) / (*INPUT_WH, *INPUT_WH)
        order = np.argsort(-scores)[:300]
        chosen: list[int] = []
        for i in order:
            same = [j for j in chosen if label[j] == label[i]]
            if not same or iou(box[i : i + 1], box[same]).max() < NMS_IOU:
                chosen.append(int(i))
        return Found(label=label[chosen], score=scores[chosen], box=np.clip(box[chosen], 0, 1))


def iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the overlap of every box of `a` (n, 4) with every box of `b` (m, 4), shape (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a, area_b = np.prod(a[:, 2:] - a[:, :2], axis=1), np.prod(b[:, 2:] - b[:, :2], axis=1)
    overlap: FloatArray = inter / np.maximum(area_a[:, None] + area_b[None] - inter, 1e-12)
    return overlap


def _matches(found: Found, label: int, truth: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the scores of one class and whether each hits a true box nobody better has taken."""
    mine = found.label == label
    boxes, scores = found.box[mine], found.score[mine]
    hit = np.zeros(len(boxes), bool)
    if len(boxes) and len(truth):
        overlap = iou(boxes, truth)
        taken = np.zeros(len(truth), bool)
        for i in range(len(boxes)):
            free = np.where(taken, -1.0, overlap[i])
            j = int(free.argmax())
            if free[j] >= IOU:
                taken[j] = hit[i] = True
    return scores, hit


def _average_precision(scores: FloatArray, hit: NDArray[np.bool_], n_true: int) -> float:
    """Return the area under the precision-recall curve, every recall step counted (VOC 2010 and later)."""
    if n_true == 0 or len(scores) == 0:
        return 0.0
    order = np.argsort(-scores)
    right = np.cumsum(hit[order])
    precision = right / np.arange(1, len(right) + 1)
    recall = right / n_true
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0.0], recall])) * envelope))


def _figures(results: list[tuple[Found, list[tuple[int, FloatArray]]]]) -> dict[str, dict[str, float]]:
    """Return precision, recall and AP50 by class and over all classes."""
    figures: dict[str, dict[str, float]] = {}
    sums = np.zeros(3)
    for c, name in enumerate(LABELS):
        scores_of, hits_of, n_true = [], [], 0
        for found, truth in results:
            boxes = np.array([b for k, b in truth if k == c]).reshape(-1, 4)
            n_true += len(boxes)
            scores, hit = _matches(found, c, boxes)
            scores_of.append(scores)
            hits_of.append(hit)
        scores, hits = np.concatenate(scores_of), np.concatenate(hits_of)
        sure = scores >= CONFIDENCE
        sums += (hits[sure].sum(), sure.sum(), n_true)
        figures[name] = {
            "precision": round(float(hits[sure].sum() / max(sure.sum(), 1)), 3),
            "recall": round(float(hits[sure].sum() / max(n_true, 1)), 3),
            "ap50": round(_average_precision(scores, hits, n_true), 3),
            "n_true": n_true,
        }
    figures["all"] = {
        "precision": round(float(sums[0] / max(sums[1], 1)), 3),
        "recall": round(float(sums[0] / max(sums[2], 1)), 3),
        "ap50": round(float(np.mean([f["ap50"] for f in figures.values() if f["n_true"] > 0])), 3),
        "n_true": int(sums[2]),
    }
    return figures


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise BadInputError(f"{path.name} is not a picture.", hint="Render it again.")
    return np.asarray(picture, np.uint8)


def evaluate_held_back(data: Path, model: Path) -> dict[str, dict[str, float]]:
    """Measure on rendered pictures of places and traffic that training never saw."""
    detector = Detector(model)
    results = []
    for path in sorted((data / "images" / "held_back").glob("*.jpg")):
        picture = cv2.cvtColor(_read(path), cv2.COLOR_BGR2RGB)
        rows = [line.split() for line in (data / "labels" / "held_back" / f"{path.stem}.txt").read_text().splitlines()]
        truth = []
        for c, *box in rows:
            x, y, w, h = (float(v) for v in box)
            truth.append((int(c), np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])))
        results.append((detector.find(picture, 0.02), truth))
    return _figures(results)


def evaluate_clip(key: str, model: Path, every: int = 30) -> dict[str, dict[str, float]]:
    """Measure on every `every`-th picture of a demo clip, against the world's visible vehicles."""
    from app.make.render_picture import LIGHTS, SCALE, PlacePainter, Raster
    from app.make.scenes_catalogue import SCENES, furnished
    from app.make.scenes_world import simulate

    scene = SCENES[key]()
    run = simulate(scene.plan)
    raster = Raster(round(640 * SCALE), round(360 * SCALE))
    painter = PlacePainter(furnished(scene), scene.camera, LIGHTS[scene.light], raster)
    detector = Detector(model)
    results = []
    with av.open(str(DEMO / "clips" / f"{key}.mp4")) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i % every:
                continue
            vehicles = run.frames[i]
            boxes = _boxes(*painter.identities(vehicles), [LABELS.index(v.label) for v in vehicles])
            truth = [(c, np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])) for c, x, y, w, h in boxes]
            results.append((detector.find(frame.to_ndarray(format="rgb24"), 0.02), truth))
    raster.close()
    return _figures(results)


def evaluate(data: Path, note: str) -> None:
    """Print every figure and write demo.json beside the model."""
    from app.make.scenes_catalogue import SCENES

    path = MODELS / "demo.onnx"
    held_back = evaluate_held_back(data, path)
    clips = {key: evaluate_clip(key, path)["all"] for key in SCENES if (DEMO / "clips" / f"{key}.mp4").exists()}
    card = {
        "name": "Watchfloor demo detector",
        "labels": list(LABELS),
        "input_wh": list(INPUT_WH),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "made_by": "app/make/train_demo_model.py (YOLO11n, random weights at the start, our renders only)",
        "trained": note,
        "n_train": len(list((data / "images" / "train").glob("*.jpg"))),
        "n_held_back": len(list((data / "images" / "held_back").glob("*.jpg"))),
        "confidence": CONFIDENCE,
        "iou": IOU,
        "precision": held_back["all"]["precision"],
        "recall": held_back["all"]["recall"],
        "ap50": held_back["all"]["ap50"],
        "per_class": {label: held_back[label] for label in LABELS},
        "demo_clips": clips,
        "note": SENTENCE,
    }
    (MODELS / "demo.json").write_text(json.dumps(card, indent=1) + "\n")
    for name, row in (*held_back.items(), *clips.items()):
        LOG.info(
            "%-20s precision %.3f  recall %.3f  ap50 %.3f  true boxes %d",
            name,
            row["precision"],
            row["recall"],
            row["ap50"],
            row["n_true"],
        )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["render", "train", "export", "evaluate"])
    parser.add_argument("--data", type=Path, required=True, help="folder for pictures and runs, outside the project")
    parser.add_argument("--n-train", type=int, default=1500)
    parser.add_argument("--n-held-back", type=int, default=160)
    parser.add_argument("--first-seed", type=int, default=1000, help="of the training places; below 900000")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--imgsz", type=int, default=INPUT_WH[0], help="width to train at; small first, then full")
    parser.add_argument("--hours", type=float, help="stop training in time, whatever the epochs")
    parser.add_argument("--weights", type=Path, help="own weights to go on from (train) or to export")
    parser.add_argument("--trained", default="", help="a sentence for demo.json: pictures, epochs, minutes")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = chosen.data.resolve()
    if chosen.step == "render":
        render(data, chosen.n_train, chosen.n_held_back, chosen.first_seed)
    elif chosen.step == "train":
        train(data, chosen.epochs, chosen.imgsz, chosen.weights, chosen.hours)
    elif chosen.step == "export":
        export(data, chosen.weights)
    else:
        evaluate(data, chosen.trained)


if __name__ == "__main__":
    main()
