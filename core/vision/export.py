"""Converts ultralytics weights to ONNX, in a process of its own: the only place that imports torch on a CPU machine.

A `.pt` is a pickle, so loading it runs code of whoever made it; that too stays in this short-lived process.

Run by hand: `python -m core.vision.export FILE.pt OUT.onnx [WIDTHxHEIGHT]`. A frozen program starts itself with
`export-model FILE.pt OUT.onnx` and hands the arguments to `run_export`.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.kernel.errors import BadInputError, UnavailableError
from core.kernel.sizes import input_wh_of
from core.vision.quantise import RECIPE

EXPORT_VERB = "export-model"
EXPORT_WH = (640, 384)
_TIMEOUT_S = 600.0
_ENDS_WITH_STDIN = "WATCHFLOOR_ENDS_WITH_STDIN"
_NEEDS_TORCH_HINT = (
    "Install the extra 'torch' (pip install 'watchfloor[torch]'), or convert the file on another machine with "
    "'python -m core.vision.export FILE.pt OUT.onnx' and use the .onnx here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """How far a conversion is.

    Attributes:
        fraction: 0..1.
        step: What is being done, in words.
    """

    fraction: float
    step: str


class ExportStop:
    """Ends the conversion that is under way, from another thread; none begins after that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_set = False

    def set(self) -> None:
        """End it; whoever waits for it gets an error."""
        with self._lock:
            self._is_set = True
            if self._process is not None:
                self._process.kill()

    def watch(self, process: subprocess.Popen[str]) -> None:
        """This process converts now."""
        with self._lock:
            self._process = process
            if self._is_set:
                process.kill()


def export_model(
    pt: Path,
    folder: Path,
    on_progress: Callable[[ExportProgress], None] | None = None,
    stop: ExportStop | None = None,
) -> Path:
    """Convert weights to ONNX once; later calls find the result by the hash of the weights and the recipe.

    Returns:
        The .onnx in `folder`; its height and width are dynamic. What an earlier program made is taken only where
        nothing can be converted.

    Raises:
        BadInputError: The file is no detection model, torch is not installed here, or `stop` ended it.
        UnavailableError: It cannot be read, or the folder cannot be written.
    """
    try:
        digest = hashlib.sha256(pt.read_bytes()).hexdigest()
    except OSError as error:
        raise UnavailableError(
            f"The model file {pt} cannot be read: {error.strerror or error}.", hint="Let the program's user read it."
        ) from error
    out = folder / f"{pt.stem}-{digest[:16]}-{RECIPE}.onnx"
    if out.exists():
        return out
    if not can_export() and (earlier := converted_earlier(pt, folder)) is not None:
        return earlier
    # Whole: the exporter runs in another folder.
    _run_exporter(str(pt.resolve()), out, on_progress, stop)
    return out


def converted_earlier(pt: Path, folder: Path) -> Path | None:
    """Return the newest conversion of these weights by whatever recipe; None where there is none."""
    try:
        digest = hashlib.sha256(pt.read_bytes()).hexdigest()
    except OSError:
        return None
    found = folder.glob(f"{glob.escape(pt.stem)}-{digest[:16]}*.onnx")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def fetch_model(
    name: str,
    folder: Path,
    on_progress: Callable[[ExportProgress], None] | None = None,
    stop: ExportStop | None = None,
) -> Path:
    """Fetch the weights of a published model with ultralytics and convert them.

    Returns:
        Where `fetched_path` says.

    Raises:
        BadInputError: No network, no such model, torch is not installed here, or `stop` ended it.
        UnavailableError: The folder cannot be written.
    """
    out = fetched_path(name, folder)
    _run_exporter(name, out, on_progress, stop)
    return out


def fetched_path(name: str, folder: Path) -> Path:
    """Return where `fetch_model` puts a published model."""
    return folder / f"{name}.recipe{RECIPE}.onnx"


def can_export() -> bool:
    """Return whether weights can be converted here."""
    return all(importlib.util.find_spec(name) is not None for name in ("ultralytics", "torch"))


def _run_exporter(
    source: str, out: Path, on_progress: Callable[[ExportProgress], None] | None, stop: ExportStop | None
) -> None:
    if not can_export():
        raise BadInputError(f"{source} must be converted first, and torch is not installed.", hint=_NEEDS_TORCH_HINT)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        process = _start_exporter(source, out)
    except OSError as error:
        raise UnavailableError(
            f"{source} could not be converted in {out.parent}: {error.strerror or error}.",
            hint="Make room there, and let the program's user write into it.",
        ) from error
    deadline = threading.Timer(_TIMEOUT_S, process.kill)
    stderr: list[str] = []
    drain = threading.Thread(target=lambda: stderr.extend(process.stderr or ()), name="export-stderr", daemon=True)
    deadline.start()
    drain.start()
    if stop is not None:
        stop.watch(process)
    failure = ("", "")
    try:
        for line in process.stdout or ():
            failure = _take_line(line, on_progress) or failure
        process.wait()
        drain.join()
    finally:
        deadline.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if process.returncode != 0 or not out.exists():
        last = next((line.strip() for line in reversed(stderr) if line.strip()), f"exit code {process.returncode}")
        raise BadInputError(failure[0] or f"{source} could not be converted: {last}.", hint=failure[1])


def _start_exporter(source: str, out: Path) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, EXPORT_VERB] if hasattr(sys, "frozen") else [sys.executable, "-m", "core.vision.export"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")])),
        # Ultralytics would otherwise install packages by itself while it runs.
        "YOLO_AUTOINSTALL": "False",
        "YOLO_VERBOSE": "False",
        _ENDS_WITH_STDIN: "1",
    }
    return subprocess.Popen(
        [*command, source, str(out.resolve())],
        # Nothing is written to it: it closes when this process ends, however it does.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=out.parent,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _take_line(line: str, on_progress: Callable[[ExportProgress], None] | None) -> tuple[str, str] | None:
    """Pass progress on; return (message, hint) where the line is an error."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    if "error" in message:
        return str(message["error"]), str(message.get("hint", ""))
    if on_progress is not None and "fraction" in message:
        on_progress(ExportProgress(fraction=float(message["fraction"]), step=str(message.get("step", ""))))
    return None


def run_export(arguments: Sequence[str]) -> int:
    """Do the conversion in this process; what the child runs.

    Args:
        arguments: SOURCE (a file, or the name of a published model), OUT.onnx, and the size the model is made for
            where it is another than `EXPORT_WH`; any size can be chosen later, for the model's sides are dynamic.

    Returns:
        Exit code: 0 done, 2 refused; the reason went out as a JSON line.
    """
    if len(arguments) not in (2, 3):
        hint = "python -m core.vision.export FILE.pt OUT.onnx [WIDTHxHEIGHT]"
        _say({"error": "Two or three arguments are needed.", "hint": hint})
        return 2
    if os.environ.get(_ENDS_WITH_STDIN):
        threading.Thread(target=_end_with_stdin, name="parent", daemon=True).start()
    source, out = arguments[0], Path(arguments[1])
    wh = input_wh_of(arguments[2]) if len(arguments) == 3 else EXPORT_WH
    if wh is None:
        _say({"error": f"{arguments[2]} is no size: multiples of 32 up to 2048.", "hint": "Write it like 512x288."})
        return 2
    try:
        _convert(source, out, wh)
    except (BadInputError, UnavailableError) as error:
        _say({"error": error.message, "hint": error.hint})
        return 2
    return 0


def _end_with_stdin() -> None:
    """End this process when the one that asked for the conversion is gone: nobody waits for the result."""
    os.read(0, 1)
    os._exit(1)


def _convert(source: str, out: Path, wh: tuple[int, int]) -> None:
    _say({"fraction": 0.05, "step": "loading torch"})
    try:
        import onnx
        import torch
        import ultralytics
    except ImportError as error:
        raise BadInputError(f"{source} cannot be converted: {error}.", hint=_NEEDS_TORCH_HINT) from error
    _say({"fraction": 0.25, "step": "reading the weights"})
    model, labels = _load_detector(ultralytics, source)
    head = model.model[-1]
    head.export, head.format, head.dynamic = True, "onnx", True
    _say({"fraction": 0.4, "step": "converting"})
    width, height = wh
    picture = torch.zeros(1, 3, height, width)
    partial = out.with_suffix(".partial")
    with torch.no_grad():
        n_columns = model(picture).shape[-1]
        is_end_to_end = n_columns == 6
        torch.onnx.export(
            model,
            (picture,),
            str(partial),
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            output_names=["output0"],
            dynamic_axes={
                "images": {0: "batch", 2: "height", 3: "width"},
                "output0": {0: "batch"} if is_end_to_end else {0: "batch", 2: "anchors"},
            },
        )
    _say({"fraction": 0.7, "step": "writing"})
    proto = onnx.load(str(partial))
    onnx.helper.set_model_props(
        proto,
        {
            "names": repr(dict(enumerate(labels))),
            "imgsz": repr([height, width]),
            "task": "detect",
            # Lets a CUDA engine find the weights when only this file is named.
            "source_pt": str(_weights_of(source).resolve()),
        },
    )
    onnx.save(proto, str(partial))
    # Written aside and renamed: a converter that is killed leaves no half model under the final name.
    os.replace(partial, out)
    try:
        step = _make_int8_copy(ultralytics, out, labels, wh)
    except Exception as error:  # noqa: BLE001  the model itself is there, and runs without its copy
        step = f"done; no INT8 copy: {error}"
    _say({"fraction": 1.0, "step": step})


def _make_int8_copy(ultralytics: Any, out: Path, labels: tuple[str, ...], wh: tuple[int, int]) -> str:
    """Return in words what came of it; without a copy the f32 model runs, so nothing here is an error."""
    if importlib.util.find_spec("nncf") is None:
        return "done; no INT8 copy: nncf is not installed"
    import cv2

    from core.vision.quantise import MIN_AGREEMENT, quantise

    _say({"fraction": 0.75, "step": "making an INT8 copy"})
    # The photographs that ultralytics ships with its own examples.
    files = sorted((Path(ultralytics.__file__).parent / "assets").glob("*.jpg"))
    photos = [cv2.cvtColor(photo, cv2.COLOR_BGR2RGB) for photo in (cv2.imread(str(file)) for file in files)]
    if not photos:
        return "done; no INT8 copy: ultralytics ships no photographs"
    with contextlib.redirect_stdout(sys.stderr):
        agreement = quantise(out, labels, photos, wh)
    verdict = "kept" if agreement >= MIN_AGREEMENT else "thrown away"
    return f"done; the INT8 copy agrees to {agreement:.0%} and was {verdict}"


def _load_detector(ultralytics: Any, source: str) -> tuple[Any, tuple[str, ...]]:
    path = _weights_of(source)
    try:
        loaded = ultralytics.YOLO(str(path), task=None)
        names = loaded.names
        model = loaded.model.float().eval()
    # Ultralytics and torch raise anything from AttributeError to UnpicklingError on a file that is no model.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInputError(f"{source} is no model that ultralytics can read: {reason}", hint="") from error
    if loaded.task != "detect":
        raise BadInputError(f"{source} is a model for the task {loaded.task!r}.", hint="Use a detection model.")
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model, tuple(names[index] for index in sorted(names))


def _weights_of(source: str) -> Path:
    """Return the file of a path, or where ultralytics puts the weights of a name."""
    path = Path(source)
    return path if path.suffix == ".pt" else Path(f"{source}.pt")


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - the parent reads these lines


if __name__ == "__main__":
    sys.exit(run_export(sys.argv[1:]))
