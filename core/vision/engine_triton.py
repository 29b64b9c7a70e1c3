"""A model on an inference server: KServe's v2 protocol over HTTP, with binary tensors, as Triton speaks it.

The server does the arithmetic, this side prepares pictures and suppresses boxes, so a model exported by ultralytics
runs there as it is. Only the standard library is needed. Source: KServe Open Inference Protocol v2 and Triton's binary
data extension.
"""

from __future__ import annotations

import ast
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError, UnavailableError
from core.vision.decode import FloatArray, decode_output
from core.vision.engine import Pictures, check_pictures
from core.vision.model import EngineInfo
from core.vision.models import ModelFile, refuse_login

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 5.0
MOST_TOGETHER = 16

_HEADER_LENGTH = "Inference-Header-Content-Length"
_TYPES: dict[str, type[np.generic]] = {"FP32": np.float32, "FP16": np.float16, "UINT8": np.uint8}
_AWAY_HINT = "Is the server running, and does its HTTP port (8000 for Triton) answer from this machine?"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """The model as its server describes it."""

    input_name: str
    datatype: str
    output_name: str
    input_wh: tuple[int, int]
    labels: tuple[str, ...]
    n_batch: int
    version: str


class TritonEngine:
    """One model of one server; used from one thread."""

    def __init__(self, model: ModelFile, *, confidence: float, iou: float, input_wh: tuple[int, int]) -> None:
        """Ask the server what the model takes and gives.

        Args:
            model: Its `url` names server and model: `http(s)://HOST:PORT/MODEL`.
            confidence: As in `open_engine`.
            iou: As in `open_engine`.
            input_wh: Where the model takes any size and its export does not say one.

        Raises:
            BadInputError: The address or the model is not one that can be used.
            UnavailableError: The server does not answer.
        """
        self._address = _split(model.url)
        self._model = quote(self._address.path.strip("/").split("/", 1)[0], safe="")
        self._confidence, self._iou = confidence, iou
        self._connection: http.client.HTTPConnection | None = None
        self._served = served = self._ask_model(input_wh)
        self._info = EngineInfo(
            engine="triton",
            device=self._address.netloc,
            precision={"FP16": "f16", "FP32": "f32", "UINT8": "u8"}[served.datatype],
            model_name=model.name,
            model_sha256="",
            is_demonstration=False,
            input_wh=served.input_wh,
            labels=served.labels,
            reason=f"The model is on the inference server {self._address.netloc}, version {served.version}.",
        )

    @property
    def info(self) -> EngineInfo:
        """What runs, where, and why."""
        return self._info

    @property
    def n_batch(self) -> int:
        """As many as the server's model takes at once."""
        return self._served.n_batch

    def infer(self, rgb: Pictures) -> list[FloatArray]:
        """Detect in prepared pictures; see `Engine.infer`.

        Raises:
            UnavailableError: The server does not answer in time, or it refused.
        """
        served = self._served
        check_pictures(rgb, served.input_wh)
        tensor = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))
        if served.datatype != "UINT8":
            tensor = tensor.astype(_TYPES[served.datatype]) * _TYPES[served.datatype](1 / 255)
        data = tensor.tobytes()
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": served.input_name,
                        "shape": list(tensor.shape),
                        "datatype": served.datatype,
                        "parameters": {"binary_data_size": len(data)},
                    }
                ],
                "outputs": [{"name": served.output_name, "parameters": {"binary_data": True}}],
            }
        ).encode()
        headers = {_HEADER_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
        answer, answer_headers = self._request("POST", f"/v2/models/{self._model}/infer", head + data, headers)
        outputs = _read_outputs(answer, answer_headers.get(_HEADER_LENGTH))
        raw = outputs.get(served.output_name)
        if raw is None or raw.ndim != 3 or len(raw) != len(rgb):
            raise self._strange("its answer holds no boxes for every picture")
        return [decode_output(one, confidence=self._confidence, iou=self._iou) for one in raw]

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask_model(self, default_wh: tuple[int, int]) -> _Served:
        metadata = self._get(f"/v2/models/{self._model}")
        try:
            config = self._get(f"/v2/models/{self._model}/config")
        except BadInputError:
            config = {}  # KServe servers other than Triton have none.
        try:
            (entry,) = metadata["inputs"]
            output = sorted(metadata["outputs"], key=lambda one: str(one["name"]))[0]
            shape = [int(side) for side in entry["shape"]]
            input_name, datatype, output_name = str(entry["name"]), str(entry["datatype"]), str(output["name"])
            version = str((metadata.get("versions") or ["?"])[-1])
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise self._strange("it does not describe the model as a detector with one input") from error
        if datatype not in _TYPES or len(shape) != 4 or shape[1] != 3:
            raise self._strange(f"its input is {datatype} of shape {shape}, not pictures of shape (n, 3, h, w)")
        exported = _exported(config)
        height, width = shape[2:]
        if width <= 0 or height <= 0:
            width, height = _size_of(exported) or default_wh
        n_most = int(config.get("max_batch_size") or 0)
        if not n_most and shape[0] <= 0:
            n_most = MOST_TOGETHER
        return _Served(
            input_name=input_name,
            datatype=datatype,
            output_name=output_name,
            input_wh=(width, height),
            labels=self._labels_of(exported),
            n_batch=min(MOST_TOGETHER, max(1, n_most)),
            version=version,
        )

    def _labels_of(self, exported: dict[str, Any]) -> tuple[str, ...]:
        names = exported.get("names")
        if isinstance(names, dict) and names:
            return tuple(str(names[key]) for key in sorted(names, key=int))
        if isinstance(names, list | tuple) and names:
            return tuple(str(name) for name in names)
        raise BadInputError(
            f"The inference server {self._address.netloc} does not tell the classes of the model {self._model!r}.",
            hint="Put ultralytics' export metadata into the parameter 'metadata' of the model's config.pbtxt.",
        )

    def _get(self, path: str) -> dict[str, Any]:
        answer, _ = self._request("GET", path, b"", {})
        try:
            found: Any = json.loads(answer)
        except ValueError as error:
            raise self._strange("its answer is no JSON") from error
        if not isinstance(found, dict):
            raise self._strange("its answer is no JSON object")
        return found

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[bytes, Any]:
        """Ask over the open connection, or over a new one where the server hung up in between."""
        try:
            return self._exchange(method, path, body, headers)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from error
        try:
            return self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from error

    def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[bytes, Any]:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
            connection = kind(self._address.hostname or "", self._address.port, timeout=CONNECT_TIMEOUT_S)
            connection.connect()
            connection.sock.settimeout(ANSWER_TIMEOUT_S)
            self._connection = connection
        self._connection.request(method, path, body or None, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 500:
            raise UnavailableError(
                f"The inference server {self._address.netloc} cannot run {self._model!r}: {_reason(answer)}",
                hint="Look into the server's log.",
            )
        if response.status != 200:
            raise BadInputError(
                f"The inference server {self._address.netloc} refuses the model {self._model!r}: {_reason(answer)}",
                hint="Check the name of the model at the end of the address.",
            )
        return answer, response.headers

    def _away(self, error: Exception) -> UnavailableError:
        self.close()
        what = "does not answer in time" if isinstance(error, TimeoutError) else f"cannot be reached ({error})"
        return UnavailableError(f"The inference server {self._address.netloc} {what}.", hint=_AWAY_HINT)

    def _strange(self, what: str) -> BadInputError:
        return BadInputError(
            f"The inference server {self._address.netloc} has no usable model {self._model!r}: {what}.",
            hint="Serve a detection model that ultralytics exported.",
        )


def _split(url: str) -> SplitResult:
    refuse_login(url)
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        raise BadInputError(
            "The model's address names no inference server and model: its host or port cannot be read.",
            hint="Write http://HOST:8000/MODEL.",
        ) from None
    if parts.scheme == "grpc":
        raise BadInputError(
            "Inference servers are asked over HTTP, not over gRPC.",
            hint=f"Write http:// and the server's HTTP port (8000 for Triton) instead of {place}.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/"):
        raise BadInputError(
            f"{parts.scheme}://{place}{parts.path} names no inference server and model.",
            hint="Write http://HOST:8000/MODEL.",
        )
    return parts


def _read_outputs(answer: bytes, header_length: str | None) -> dict[str, NDArray[np.float32]]:
    """Take an answer apart: JSON first, then the tensors that it announces, in their order.

    Raises:
        UnavailableError: It is cut off, or of another layout.
    """
    try:
        n_head = len(answer) if header_length is None else int(header_length)
        at = n_head
        found = {}
        for output in json.loads(answer[:n_head])["outputs"]:
            kind = np.dtype(_TYPES[output["datatype"]])
            n_bytes = output.get("parameters", {}).get("binary_data_size")
            if n_bytes is None:
                values = np.array(output["data"], kind)
            else:
                values = np.frombuffer(answer, kind, count=n_bytes // kind.itemsize, offset=at)
                at += n_bytes
            found[str(output["name"])] = values.reshape(output["shape"]).astype(np.float32, copy=False)
    except (ValueError, KeyError, TypeError) as error:
        raise UnavailableError("The inference server's answer cannot be read.", hint="Look into its log.") from error
    return found


def _exported(config: dict[str, Any]) -> dict[str, Any]:
    """Return what ultralytics wrote into the model's configuration, a Python literal."""
    text = config.get("parameters", {}).get("metadata", {}).get("string_value", "")
    try:
        found: Any = ast.literal_eval(text) if text else {}
    except (ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}


def _size_of(exported: dict[str, Any]) -> tuple[int, int] | None:
    size = exported.get("imgsz")
    if isinstance(size, list | tuple) and len(size) == 2:
        return int(size[1]), int(size[0])
    return None


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode("utf-8", "replace") or "no reason given"
