"""CUDA engines through ultralytics' backends: torch in FP16, or a TensorRT engine file.

Imported only where a CUDA driver answers; nothing on a CPU machine loads this module.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.vision.decode import FloatArray, decode_output
from core.vision.engine import NotOnCudaError, Pictures, check_pictures
from core.vision.model import EngineInfo
from core.vision.models import ModelFile

MOST_TOGETHER = 16
"""A larger batch gains little on any GPU and makes the first of its pictures wait."""


def open_cuda_engine(
    model: ModelFile, *, prefer: str, confidence: float, iou: float, input_wh: tuple[int, int]
) -> CudaEngine:
    """Open the model on the first CUDA device, which answers.

    Raises:
        NotOnCudaError: There is no file of it that runs there, or torch does not see the device.
    """
    weights = model.path if model.path.suffix == ".engine" else model.source_pt
    if prefer == "tensorrt" and model.path.suffix != ".engine":
        raise NotOnCudaError(
            f"{model.path.name} is no .engine file",
            "Make one of it with ultralytics on this machine, or choose the engine 'torch-cuda'.",
        )
    if weights is None:
        raise NotOnCudaError(
            f"a CUDA device answers, but the .pt that {model.name} was made of is not here",
            "" if model.is_demonstration else "To use it, set vision.model to that .pt or to an .engine of it.",
        )
    try:
        import torch
    except (ImportError, OSError) as error:
        raise NotOnCudaError(
            f"a CUDA device answers, but torch cannot be loaded here ({error})", "To use it, install torch again."
        ) from error
    if not torch.cuda.is_available():
        is_built = torch.version.cuda is not None
        raise NotOnCudaError(
            f"a CUDA device answers, but torch {torch.__version__} {'cannot use it' if is_built else 'has no CUDA'}",
            "To use it, bring the NVIDIA driver up to date." if is_built else "To use it, install a torch with CUDA.",
        )
    return CudaEngine(model, str(weights), confidence=confidence, iou=iou, input_wh=input_wh)


class CudaEngine:
    """One batch at a time on the first CUDA device, in half precision."""

    def __init__(
        self, model: ModelFile, weights: str, *, confidence: float, iou: float, input_wh: tuple[int, int]
    ) -> None:
        """Load the weights and run once, so that the first camera does not wait for the kernels."""
        import torch
        from ultralytics.nn.autobackend import AutoBackend

        self._torch: Any = torch
        self._device: Any = torch.device("cuda:0")
        self._backend: Any = AutoBackend(weights, device=self._device, fp16=True)
        self._backend.eval()
        self._confidence, self._iou = confidence, iou
        is_tensorrt = weights.endswith(".engine")
        self._n_batch = (
            min(MOST_TOGETHER, int(getattr(self._backend, "batch", 1) or 1)) if is_tensorrt else MOST_TOGETHER
        )
        self._info = EngineInfo(
            engine="tensorrt" if is_tensorrt else "torch-cuda",
            device="cuda:0",
            precision="f16" if self._backend.fp16 else "f32",
            model_name=model.name,
            model_sha256=model.sha256,
            is_demonstration=model.is_demonstration,
            input_wh=model.input_wh if is_tensorrt else input_wh,
            labels=model.labels,
            reason=f"A CUDA device answers ({torch.cuda.get_device_name(0)}).",
        )
        width, height = self._info.input_wh
        self.infer(np.zeros((1, height, width, 3), np.uint8))

    @property
    def info(self) -> EngineInfo:
        """What runs, where, and why."""
        return self._info

    @property
    def n_batch(self) -> int:
        """As many as a TensorRT engine was built for; torch takes any number."""
        return self._n_batch

    def infer(self, rgb: Pictures) -> list[FloatArray]:
        """Detect in prepared pictures; see `Engine.infer`."""
        check_pictures(rgb, self._info.input_wh)
        torch = self._torch
        with torch.inference_mode():
            pictures = torch.from_numpy(rgb).to(self._device).permute(0, 3, 1, 2)
            pictures = (pictures.half() if self._backend.fp16 else pictures.float()) / 255
            output = self._backend(pictures)
            output = output[0] if isinstance(output, list | tuple) else output
            raw = output.float().cpu().numpy()
        return [decode_output(one, confidence=self._confidence, iou=self._iou) for one in raw]

    def close(self) -> None:
        """Free the device's memory."""
        self._backend = None
        self._torch.cuda.empty_cache()
