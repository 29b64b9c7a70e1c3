"""Inference engines: one protocol, picked by what the machine has.

On a CPU this module imports neither torch nor ultralytics; the CUDA engines live in `core.vision.engine_cuda` and are
imported only where a CUDA driver answers.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError
from core.vision.anchor_head import cut_head
from core.vision.decode import FloatArray, decode_output
from core.vision.model import EngineInfo
from core.vision.models import ModelFile, hash_files

Pictures = NDArray[np.uint8]

CONFIDENCE = 0.1
"""Low on purpose: the tracker uses weak boxes to hold vehicles it already knows, never to start new ones."""

IOU = 0.5


class Engine(Protocol):
    """A loaded detector; used from one thread at a time."""

    @property
    def info(self) -> EngineInfo:
        """What runs, where, and why."""
        ...

    @property
    def n_batch(self) -> int:
        """How many pictures together are looked at faster than one by one; 1 on a CPU."""
        ...

    def infer(self, rgb: Pictures) -> list[FloatArray]:
        """Detect in prepared pictures.

        Args:
            rgb: Shape (n, h, w, 3) of `info.input_wh`.

        Returns:
            Per picture x1, y1, x2, y2 [network px], score, label index; shape (k, 6), best first.

        Raises:
            ValueError: The pictures have another size.
        """
        ...

    def close(self) -> None:
        """Free the device."""
        ...


def open_engine(
    model: ModelFile,
    *,
    prefer: str = "auto",
    n_threads: int = 0,
    cache_dir: Path | None = None,
    confidence: float = CONFIDENCE,
    iou: float = IOU,
    input_wh: tuple[int, int] | None = None,
    precision: str = "auto",
) -> Engine:
    """Open a model on the best device of this machine.

    Args:
        model: From `find_model`.
        prefer: "auto", "openvino", "onnxruntime", "torch-cuda", "tensorrt" or "triton".
        n_threads: For CPU engines; 0 takes all cores but one, so that decoding is not starved.
        cache_dir: Compiled models are kept here, so that a restart is fast.
        confidence: Boxes with a lower score are dropped.
        iou: Boxes of one class that overlap more are one object.
        input_wh: Another input size than the model's own, multiples of 32; dynamic models only.
        precision: OpenVINO only: "auto" takes the INT8 copy where the export made one, else f32; "f32"; or "bf16" on
            a CPU that has it.

    Raises:
        BadInputError: The model cannot be opened, or the wanted engine is not possible here.
        UnavailableError: Its inference server does not answer.
    """
    if model.url:
        from core.vision.engine_triton import TritonEngine

        return TritonEngine(model, confidence=confidence, iou=iou, input_wh=input_wh or model.input_wh)
    if prefer == "triton":
        raise BadInputError(
            f"The engine 'triton' runs models on an inference server, and {model.name} is a file.",
            hint="Set the model to http://HOST:8000/MODEL.",
        )
    threads = n_threads or max(1, (os.cpu_count() or 2) - 1)
    wanted_wh = input_wh or model.input_wh
    why_cpu = what_to_do = ""
    if prefer in ("auto", "torch-cuda", "tensorrt") or model.path.suffix == ".engine":
        try:
            return _open_cuda(model, prefer, confidence, iou, wanted_wh)
        except NotOnCudaError as error:
            if prefer != "auto" or model.path.suffix == ".engine":
                raise BadInputError(
                    f"{model.name} is to run on CUDA, and {error.why}.",
                    hint=error.do or "Choose the engine 'auto' and a .pt or .onnx model, or install the NVIDIA driver.",
                ) from error
            why_cpu, what_to_do = f"{error.why[0].upper()}{error.why[1:]}, so the model runs on the CPU", error.do
    if prefer not in ("auto", "openvino", "onnxruntime"):
        raise BadInputError(f"The engine {prefer!r} cannot run {model.name} here.", hint="Choose 'auto'.")
    if prefer != "onnxruntime" and importlib.util.find_spec("openvino") is not None:
        reason = f"{why_cpu} with OpenVINO. {what_to_do}".strip() if why_cpu else "The settings ask for OpenVINO."
        return OpenVinoEngine(
            model,
            n_threads=threads,
            cache_dir=cache_dir,
            confidence=confidence,
            iou=iou,
            input_wh=wanted_wh,
            precision=precision,
            reason=reason,
        )
    if importlib.util.find_spec("onnxruntime") is None:
        raise BadInputError("Neither OpenVINO nor ONNX Runtime is installed.", hint="pip install openvino")
    reason = "The settings ask for ONNX Runtime." if prefer == "onnxruntime" else "OpenVINO is not installed here."
    if why_cpu:
        reason = f"{why_cpu} with ONNX Runtime, for OpenVINO is not installed here. {what_to_do}".strip()
    return OnnxRuntimeEngine(
        model, n_threads=threads, confidence=confidence, iou=iou, input_wh=wanted_wh, reason=reason
    )


class NotOnCudaError(Exception):
    """A model cannot run on CUDA here; on the CPU it may.

    Attributes:
        why: A clause that goes on after "and".
        do: A sentence; empty where nothing can be done.
    """

    def __init__(self, why: str, do: str) -> None:
        """Keep both apart."""
        super().__init__(why)
        self.why = why
        self.do = do


def has_cuda() -> bool:
    """Tell whether torch may find a CUDA device."""
    try:
        check_cuda()
    except NotOnCudaError:
        return False
    return True


def check_cuda() -> None:
    """Look whether torch may find a CUDA device.

    Asks the driver: importing torch costs seconds and hundreds of megabytes.

    Raises:
        NotOnCudaError: No device answers, or what would run on it is not installed.
    """
    if not _does_device_answer():
        raise NotOnCudaError("no CUDA device answers on this machine", "")
    missing = [name for name in ("torch", "ultralytics") if importlib.util.find_spec(name) is None]
    if missing:
        are = "are" if len(missing) > 1 else "is"
        raise NotOnCudaError(
            f"a CUDA device answers, but {' and '.join(missing)} {are} not installed here",
            "To use it, install the extra 'torch' (pip install 'watchfloor[torch]'), or set vision.model to a server.",
        )


def _does_device_answer() -> bool:
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        n_devices = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(n_devices)) == 0 and n_devices.value > 0
    except (OSError, AttributeError):
        return False


def _open_cuda(model: ModelFile, prefer: str, confidence: float, iou: float, input_wh: tuple[int, int]) -> Engine:
    check_cuda()
    from core.vision.engine_cuda import open_cuda_engine

    return open_cuda_engine(model, prefer=prefer, confidence=confidence, iou=iou, input_wh=input_wh)


def check_pictures(rgb: Pictures, input_wh: tuple[int, int]) -> None:
    """Refuse pictures that are not (n, h, w, 3) of the engine's size.

    Raises:
        ValueError: They are not.
    """
    if rgb.ndim != 4 or rgb.shape[1:] != (input_wh[1], input_wh[0], 3):
        raise ValueError(f"pictures of shape {rgb.shape} do not fit an input of {input_wh}")


class OpenVinoEngine:
    """OpenVINO on the CPU; byte to float, scaling and layout are part of the compiled graph."""

    def __init__(
        self,
        model: ModelFile,
        *,
        n_threads: int,
        cache_dir: Path | None,
        confidence: float,
        iou: float,
        input_wh: tuple[int, int],
        precision: str,
        reason: str,
    ) -> None:
        """Read and compile the model.

        Raises:
            BadInputError: OpenVINO cannot read it, or the CPU lacks the precision.
        """
        import openvino as ov

        core = ov.Core()
        file = model.int8 if precision == "auto" and model.int8 is not None else model.path
        hint = "f32" if precision == "auto" else precision
        if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise BadInputError("This CPU has no bf16 arithmetic.", hint="Set the precision to f32.")
        try:
            network = core.read_model(file)
            width, height = _shape_network(network, model, input_wh)
            is_int8 = any(node.get_type_name() == "FakeQuantize" for node in network.get_ops())
            network, self._head = cut_head(network, (width, height))
            compiled = core.compile_model(
                _take_bytes(network),
                "CPU",
                {
                    "PERFORMANCE_HINT": "LATENCY",
                    # Left to itself OpenVINO picks by CPU model, and results would differ from machine to machine.
                    "INFERENCE_PRECISION_HINT": hint,
                    "INFERENCE_NUM_THREADS": n_threads,
                    # A pinned thread waits for its core while a decoder has it and another core is free.
                    "ENABLE_CPU_PINNING": False,
                    **({"CACHE_DIR": str(cache_dir)} if cache_dir is not None else {}),
                },
            )
        except RuntimeError as error:
            raise _unreadable(model, error) from error
        self._request: Any = compiled.create_infer_request()
        # The binding looks for numpy at its first array: two threads that do so at once wait for each other for ever.
        ov.Tensor(np.zeros(1, np.uint8))
        self._confidence, self._iou = confidence, iou
        self._info = EngineInfo(
            engine="openvino",
            device="CPU",
            precision="int8" if is_int8 else hint,
            model_name=model.name,
            model_sha256=model.sha256 if file == model.path else hash_files(file, file.with_suffix(".bin")),
            is_demonstration=model.is_demonstration,
            input_wh=(width, height),
            labels=model.labels,
            reason=reason,
        )

    @property
    def info(self) -> EngineInfo:
        """What runs, where, and why."""
        return self._info

    @property
    def n_batch(self) -> int:
        """One by one: on a CPU a batch gains a few per cent and costs every camera the latency of all."""
        return 1

    def infer(self, rgb: Pictures) -> list[FloatArray]:
        """Detect in prepared pictures; see `Engine.infer`."""
        check_pictures(rgb, self._info.input_wh)
        found = []
        for picture in rgb:
            # Unshared, it would copy what the network says, and that is larger than the picture.
            self._request.infer([picture[None]], share_inputs=True, share_outputs=True)
            found.append(self._boxes([tensor.data[0] for tensor in self._request.output_tensors]))
        return found

    def _boxes(self, outputs: list[FloatArray]) -> FloatArray:
        if self._head is None:
            return decode_output(outputs[0], confidence=self._confidence, iou=self._iou)
        scores, sides = outputs[: len(outputs) // 2], outputs[len(outputs) // 2 :]
        return self._head.decode(scores, sides, confidence=self._confidence, iou=self._iou)

    def close(self) -> None:
        """Drop the compiled model."""
        self._request = None


def _shape_network(network: Any, model: ModelFile, input_wh: tuple[int, int]) -> tuple[int, int]:
    """Fix batch, height and width of a dynamic network; return the width and height it now has."""
    shape = network.input(0).get_partial_shape()
    if shape.rank.get_length() != 4:
        raise BadInputError(f"{model.path} takes no pictures: its input is {shape}.", hint="Use a detection model.")
    if shape.is_dynamic:
        network.reshape([1, 3, input_wh[1], input_wh[0]])
        return input_wh
    _, _, height, width = (int(side) for side in shape.to_shape())
    return width, height


def _take_bytes(network: Any) -> Any:
    """Put byte input, HWC layout and the division by 255 into the graph."""
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor

    steps = PrePostProcessor(network)
    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    steps.input().preprocess().convert_element_type(Type.f32).scale(255.0)
    steps.input().model().set_layout(Layout("NCHW"))
    return steps.build()


class OnnxRuntimeEngine:
    """ONNX Runtime on the CPU: the fall-back where OpenVINO has no wheel."""

    def __init__(
        self,
        model: ModelFile,
        *,
        n_threads: int,
        confidence: float,
        iou: float,
        input_wh: tuple[int, int],
        reason: str,
    ) -> None:
        """Load the model.

        Raises:
            BadInputError: ONNX Runtime cannot read it.
        """
        import onnxruntime

        if model.path.suffix != ".onnx":
            raise BadInputError(f"ONNX Runtime cannot read {model.path}.", hint="Use the .onnx of the model.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        # Spinning threads would starve the decoders between two pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(model.path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except RuntimeError as error:
            raise _unreadable(model, error) from error
        entry = self._session.get_inputs()[0]
        sides = entry.shape[2:]
        width, height = (int(sides[1]), int(sides[0])) if all(isinstance(s, int) for s in sides) else input_wh
        self._input_name = entry.name
        self._confidence, self._iou = confidence, iou
        self._info = EngineInfo(
            engine="onnxruntime",
            device="CPU",
            precision="f32",
            model_name=model.name,
            model_sha256=model.sha256,
            is_demonstration=model.is_demonstration,
            input_wh=(width, height),
            labels=model.labels,
            reason=reason,
        )

    @property
    def info(self) -> EngineInfo:
        """What runs, where, and why."""
        return self._info

    @property
    def n_batch(self) -> int:
        """One by one: on a CPU a batch gains a few per cent and costs every camera the latency of all."""
        return 1

    def infer(self, rgb: Pictures) -> list[FloatArray]:
        """Detect in prepared pictures; see `Engine.infer`."""
        check_pictures(rgb, self._info.input_wh)
        found = []
        for picture in rgb:
            planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None]).astype(np.float32)
            planes *= np.float32(1 / 255)
            output = self._session.run(None, {self._input_name: planes})[0][0]
            found.append(decode_output(output, confidence=self._confidence, iou=self._iou))
        return found

    def close(self) -> None:
        """Drop the session."""
        self._session = None


def _unreadable(model: ModelFile, error: Exception) -> BadInputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return BadInputError(
        f"The model {model.path} cannot be opened: {lines[-1] if lines else type(error).__name__}",
        hint="Export it again, or choose another model.",
    )
