"""The model store: finds a detector by name or path, converts it once, and knows its classes.

Nothing here imports torch or ultralytics: a `.pt` goes through the export process (`core.vision.export`) once and is
found again by its hash afterwards.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import resources
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.media.parameters import public_address
from core.vision.export import (
    ExportProgress,
    ExportStop,
    can_export,
    converted_earlier,
    export_model,
    fetch_model,
    fetched_path,
)
from core.vision.quantise import int8_folder

DEMO_NAMES = ("", "demo")
DEFAULT_INPUT_WH = (640, 384)
"""A 16:9 picture in multiples of 32: 0.6 of the cost of a square of 640 px."""

_USE_A_MODEL = "Use an ultralytics .pt or .onnx, or an OpenVINO folder, of a detection model."
_MAX_METADATA_BYTES = 1_000_000

REMOTE_WH = (640, 384)
"""Of a server's model that takes any size and does not say which it was made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One detector on this machine, ready to be opened by an engine.

    Attributes:
        path: The .onnx, .xml or .engine file.
        labels: By class index.
        input_wh: Width and height it was made for [px]; a dynamic model can be opened with another.
        sha256: Of the file's bytes (of .xml and .bin together for OpenVINO).
        source_pt: The weights it was converted from, where they are known; what a CUDA engine loads.
        int8: The .xml of its INT8 copy, where the export made one that holds.
        note: A sentence for the operator where this is not what was asked for; else empty.
        url: Of a model on an inference server, `http(s)://HOST:PORT/MODEL`; the server tells the rest. Else empty.
    """

    name: str
    path: Path
    labels: tuple[str, ...]
    input_wh: tuple[int, int]
    sha256: str
    is_demonstration: bool = False
    source_pt: Path | None = None
    int8: Path | None = None
    note: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """What `find_model` finds it by."""
        return self.url or str(self.path)


def find_model(
    name_or_path: str | Path,
    *,
    folder: Path,
    allow_download: bool,
    on_progress: Callable[[ExportProgress], None] | None = None,
    stop: ExportStop | None = None,
) -> ModelFile:
    """Find a model by name or path; may take a minute the first time a `.pt` is seen.

    Args:
        name_or_path: A file, an OpenVINO folder, a name such as "yolo11n", "demo" or "" for the bundled model, or the
            address of a model on an inference server, which is not asked before it is opened.
        folder: Where converted and downloaded models are kept.
        allow_download: A name that is not in `folder` may be fetched with ultralytics.
        on_progress: Called from this thread while a model is fetched or converted.
        stop: Ends that from another thread.

    Returns:
        The model; the bundled one with a `note` where a *name* could be neither found nor fetched.

    Raises:
        BadInputError: It is no usable model, the address holds a login, or no model is bundled.
        UnavailableError: The file is missing or cannot be read just now, or what is made of it cannot be written.
    """
    text = str(name_or_path).strip()
    refuse_login(text)
    if "://" in text:
        name = text.rstrip("/").rsplit("/", 1)[-1]
        return ModelFile(name=name, path=Path(name), labels=(), input_wh=REMOTE_WH, sha256="", url=text)
    try:
        return _demo_model() if text in DEMO_NAMES else _find_file(text, folder, allow_download, on_progress, stop)
    except OSError as error:
        raise UnavailableError(
            f"The model {text or 'demo'} cannot be made ready: {_reason_of(error)}.",
            hint="Let the program's user read it, and write into the folder of the models; is their disk there?",
        ) from error


def _reason_of(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def _find_file(
    text: str,
    folder: Path,
    allow_download: bool,
    on_progress: Callable[[ExportProgress], None] | None,
    stop: ExportStop | None,
) -> ModelFile:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise BadInputError(f"{text} names no file: {error}", hint=_USE_A_MODEL) from error
    if path.exists() or path.suffix or len(path.parts) > 1:
        return _open_path(path, folder, on_progress, stop)
    if (fetched := fetched_path(text, folder)).exists():
        return replace(_read_onnx(fetched), name=text)
    for candidate in (folder / f"{text}.onnx", folder / f"{text}_openvino_model", folder / f"{text}.pt"):
        if candidate.exists() and not _is_outdated(candidate):
            try:
                return _open_path(candidate, folder, on_progress, stop)
            except (BadInputError, UnavailableError) as error:
                outdated = folder / f"{text}.onnx"
                if candidate.suffix != ".pt" or not outdated.exists():
                    raise
                return replace(_read_onnx(outdated), note=_made_earlier(candidate, error))
    if not allow_download:
        return _demo_instead(f"The model {text!r} is not in {folder}.")
    try:
        return replace(_read_onnx(fetch_model(text, folder, on_progress, stop)), name=text)
    except BadInputError as error:
        return _demo_instead(f"The model {text!r} could not be fetched: {error.message}")


def refuse_login(text: str) -> None:
    """Refuse an address with a login in it: names and addresses of models are logged, shown and kept.

    Raises:
        BadInputError: It holds one, which the sentence does not repeat.
    """
    if public_address(text) != text:
        raise BadInputError(
            "An inference server's address holds a password.",
            hint="Protect the server by its network instead, and write http://HOST:8000/MODEL.",
        )


def _is_outdated(path: Path) -> bool:
    """Return whether an earlier program made this file and its INT8 copy of weights that can be converted anew."""
    is_with_copy = path.suffix == ".onnx" and int8_folder(path).is_dir()
    return is_with_copy and path.with_suffix(".pt").is_file() and can_export()


def _made_earlier(pt: Path, error: ConsoleError) -> str:
    return f"{pt.name} could not be converted anew: {error.message} What was made of it earlier runs instead."


def _demo_model() -> ModelFile:
    try:
        path = resources.path("models/demo.onnx")
    except FileNotFoundError as error:
        raise BadInputError("The bundled demonstration model is missing.", hint="Install the program again.") from error
    return replace(_read_onnx(path), name="demo", is_demonstration=True)


def _demo_instead(reason: str) -> ModelFile:
    return replace(_demo_model(), note=f"{reason} The demonstration model runs instead: good for the demo city only.")


def _open_path(
    path: Path, folder: Path, on_progress: Callable[[ExportProgress], None] | None, stop: ExportStop | None
) -> ModelFile:
    if not path.exists():
        # It may lie on a disk or a share that is not there yet.
        raise UnavailableError(f"There is no model file {path}.", hint=_USE_A_MODEL)
    if path.is_dir():
        return _read_openvino(_only_xml(path))
    readers: dict[str, Callable[[Path], ModelFile]] = {
        ".onnx": _read_onnx,
        ".xml": _read_openvino,
        ".engine": _read_tensorrt,
    }
    if path.suffix.lower() == ".pt":
        note = ""
        try:
            onnx = export_model(path, folder, on_progress, stop)
        except (BadInputError, UnavailableError) as error:
            earlier = converted_earlier(path, folder)
            if earlier is None:
                raise
            onnx, note = earlier, _made_earlier(path, error)
        return replace(_read_onnx(onnx), name=path.stem, source_pt=path.resolve(), note=note)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInputError(f"{path} is no detection model: the ending {path.suffix!r} is unknown.", hint=_USE_A_MODEL)
    return reader(path)


def _only_xml(folder: Path) -> Path:
    found = sorted(folder.glob("*.xml"))
    if len(found) != 1:
        raise BadInputError(f"{folder} holds {len(found)} OpenVINO .xml files instead of one.", hint=_USE_A_MODEL)
    return found[0]


def _read_onnx(path: Path) -> ModelFile:
    metadata = read_onnx_metadata(path)
    beside = path.with_suffix(".json")
    weights = Path(str(metadata.get("source_pt", "")))
    int8 = next(iter(int8_folder(path).glob("*.xml")), None)
    if beside.exists():
        # What the file says of itself goes first; the rest, such as the size it was trained for, stands beside it.
        metadata = {**_read_json(beside), **metadata}
    return ModelFile(
        name=path.stem,
        path=path,
        labels=_labels_from(metadata.get("names") or metadata.get("labels"), path),
        input_wh=_input_wh_from(metadata, path),
        sha256=hash_files(path),
        source_pt=weights if weights.suffix == ".pt" and weights.is_file() else None,
        int8=int8,
    )


def _read_openvino(path: Path) -> ModelFile:
    weights = path.with_suffix(".bin")
    if not weights.exists():
        raise BadInputError(f"{path} has no {weights.name} beside it.", hint="Copy the whole OpenVINO folder.")
    described = path.parent / "metadata.yaml"
    if not described.exists():
        raise BadInputError(
            f"{path} has no metadata.yaml beside it, so its classes are unknown.", hint="Export it with ultralytics."
        )
    metadata = _read_metadata_yaml(described)
    return ModelFile(
        name=path.stem,
        path=path,
        labels=_labels_from(metadata.get("names"), described),
        input_wh=_input_wh_from(metadata, described),
        sha256=hash_files(path, weights),
    )


def _read_tensorrt(path: Path) -> ModelFile:
    """Read the JSON that ultralytics writes before the engine: a little-endian length, then the text."""
    with path.open("rb") as file:
        n_bytes = int.from_bytes(file.read(4), "little")
        if not 2 <= n_bytes <= _MAX_METADATA_BYTES:
            raise BadInputError(f"{path} is no TensorRT engine of ultralytics.", hint=_USE_A_MODEL)
        try:
            metadata = json.loads(file.read(n_bytes))
        except ValueError as error:
            raise BadInputError(f"{path} is no TensorRT engine of ultralytics.", hint=_USE_A_MODEL) from error
    if not isinstance(metadata, dict):
        raise BadInputError(f"{path} is no TensorRT engine of ultralytics.", hint=_USE_A_MODEL)
    return ModelFile(
        name=path.stem,
        path=path,
        labels=_labels_from(metadata.get("names"), path),
        input_wh=_input_wh_from(metadata, path),
        sha256=hash_files(path),
    )


def read_onnx_metadata(path: Path) -> dict[str, object]:
    """Read the key/value pairs of an ONNX file without loading its graph, and check that it is one.

    Raises:
        BadInputError: The file is no ONNX model.

    Source: onnx.proto3, message ModelProto: field 7 is the graph, field 14 repeats {1: key, 2: value}.
    """
    pairs: dict[str, object] = {}
    has_graph = False
    n_bytes = path.stat().st_size
    try:
        with path.open("rb") as file:
            while file.tell() < n_bytes:
                number, kind = divmod(_read_varint(file), 8)
                if kind == 0:
                    _read_varint(file)
                    continue
                if kind != 2:
                    raise ValueError("unexpected field")
                length = _read_varint(file)
                if file.tell() + length > n_bytes:
                    raise ValueError("cut off")
                has_graph |= number == 7 and length > 0
                if number == 14 and length <= _MAX_METADATA_BYTES:
                    key, value = _read_pair(file.read(length))
                    pairs[key] = value
                else:
                    file.seek(length, 1)
    except ValueError as error:
        raise BadInputError(f"{path} is no ONNX model, or it was cut off.", hint=_USE_A_MODEL) from error
    if not has_graph:
        raise BadInputError(f"{path} is no ONNX model: it holds no graph.", hint=_USE_A_MODEL)
    return pairs


def _read_varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("no number here")


def _read_pair(message: bytes) -> tuple[str, str]:
    import io

    parts = {1: "", 2: ""}
    stream = io.BytesIO(message)
    while stream.tell() < len(message):
        number, kind = divmod(_read_varint(stream), 8)
        if kind != 2:
            raise ValueError("no text here")
        parts[number] = stream.read(_read_varint(stream)).decode("utf-8", "replace")
    return parts[1], parts[2]


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadInputError(f"{path} cannot be read: {error}.", hint="Restore or remove the file.") from error
    if not isinstance(value, dict):
        raise BadInputError(f"{path} describes no model: an object is expected.", hint="Restore or remove the file.")
    return value


def _read_metadata_yaml(path: Path) -> dict[str, object]:
    """Read `names` and `imgsz` from the flat YAML that ultralytics writes; two keys need no YAML library."""
    section = ""
    names: dict[int, str] = {}
    sizes: list[int] = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        if line and not line[0].isspace() and not line.startswith("-"):
            section = line.split(":", 1)[0]
        elif section == "names" and (entry := re.match(r"\s+(\d+):\s*(.*)$", line)):
            names[int(entry[1])] = entry[2].strip().strip("'\"")
        elif section == "imgsz" and (entry := re.match(r"\s*-\s*(\d+)\s*$", line)):
            sizes.append(int(entry[1]))
    return {"names": names, "imgsz": sizes}


def _labels_from(value: object, path: Path) -> tuple[str, ...]:
    parsed = _parse_literal(value)
    if isinstance(parsed, dict):
        try:
            by_index = {int(key): str(name) for key, name in parsed.items()}
        except ValueError:
            by_index = {}
        if by_index and sorted(by_index) == list(range(len(by_index))):
            return tuple(by_index[index] for index in range(len(by_index)))
    if isinstance(parsed, list | tuple) and parsed:
        return tuple(str(name) for name in parsed)
    raise BadInputError(
        f"{path} does not say which classes it detects.", hint=f'Put {{"labels": ["car", …]}} into {path.stem}.json.'
    )


def _input_wh_from(metadata: dict[str, object], path: Path) -> tuple[int, int]:
    """Read `input_wh`, or ultralytics' `imgsz`, which is height first."""
    given = _parse_literal(metadata.get("input_wh"))
    sizes = given if given is not None else _parse_literal(metadata.get("imgsz"))
    if sizes is None:
        return DEFAULT_INPUT_WH
    if isinstance(sizes, int):
        sizes = [sizes, sizes]
    if not (isinstance(sizes, list | tuple) and len(sizes) == 2 and all(isinstance(side, int) for side in sizes)):
        raise BadInputError(f"{path} gives no usable picture size: {sizes!r}.", hint=_USE_A_MODEL)
    first, second = int(sizes[0]), int(sizes[1])
    width, height = (first, second) if given is not None else (second, first)
    if not (32 <= width <= 4096 and 32 <= height <= 4096):
        raise BadInputError(f"{path} wants pictures of {width}x{height}.", hint=_USE_A_MODEL)
    return width, height


def _parse_literal(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed: object = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return None
    return parsed


def hash_files(*paths: Path) -> str:
    """Return the SHA-256 of the files' bytes, one after the other.

    Raises:
        UnavailableError: One cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise UnavailableError(
                f"{path} cannot be read: {error.strerror or error}.", hint="Let the program's user read it."
            ) from error
    return digest.hexdigest()
