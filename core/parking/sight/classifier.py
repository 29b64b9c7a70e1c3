"""Tells occupied bays from empty ones by their look alone, also straight from above, where detectors see no vehicles.

A small network, trained on car parks that our own renderer draws (`app/make/train_bay_model.py`), judges each bay's
straightened picture; what a bay looks like when it is empty is learnt while it is watched, and corrects the network.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import resources
from core.kernel.errors import BadInputError
from core.parking.sight.patches import PATCH_PX, Picture, to_inputs

FloatArray = NDArray[np.floating[Any]]

CELLS = 12
_N_LOOKS = 6
"""Looks at an empty bay before its look is known."""

_LEARN = 0.05
_FLOOR = 0.10
_SAME, _OTHER = 0.8, 2.2
"""Distance from the learnt empty look, in its own spread: below it is the same, above it is something else."""

_WEIGHT = 1.6
_PLAIN = 0.08
"""Spread of brightness below which an empty bay has no pattern."""


class BayClassifier:
    """The network; used from one thread at a time."""

    def __init__(self, *, n_threads: int = 1) -> None:
        """Open the network that the program ships with.

        Raises:
            BadInputError: It is missing, or there is nothing here to run it with.
        """
        try:
            path = resources.path("models/bays.onnx")
        except FileNotFoundError as error:
            raise BadInputError("The bay classifier is missing.", hint="Install the program again.") from error
        self._run = _open(str(path), n_threads)

    def logits(self, patches: Picture) -> FloatArray:
        """Return the log odds that a vehicle stands in each bay of one picture.

        Args:
            patches: As `cut_patches` returns them.

        Returns:
            Shape (n,).
        """
        if not len(patches):
            return np.zeros(0)
        shares = np.clip(self._run(to_inputs(patches)).ravel().astype(np.float64), 1e-4, 1 - 1e-4)
        logits: FloatArray = np.log(shares / (1 - shares))
        return logits


def _open(path: str, n_threads: int) -> Any:
    if importlib.util.find_spec("openvino") is not None:
        import openvino as ov

        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": n_threads, "ENABLE_CPU_PINNING": False}
        request = ov.Core().compile_model(path, "CPU", settings).create_infer_request()
        return lambda inputs: request.infer([inputs])[0]
    if importlib.util.find_spec("onnxruntime") is None:
        raise BadInputError("Neither OpenVINO nor ONNX Runtime is installed.", hint="pip install openvino")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {"patches": inputs})[0]


@dataclass(slots=True)
class EmptyLook:
    """What one bay looks like when nothing stands in it.

    Attributes:
        mean, spread: Of the small patch, shape (3, CELLS, CELLS): brightness and two colours against the lot's.
        n: Looks it was learnt from.
    """

    mean: FloatArray
    spread: FloatArray
    n: int = 0

    @classmethod
    def unknown(cls) -> EmptyLook:
        """Begin without having seen the bay."""
        shape = (3, CELLS, CELLS)
        return cls(mean=np.zeros(shape, np.float32), spread=np.full(shape, 0.5, np.float32))

    @property
    def is_known(self) -> bool:
        """It was seen often enough to be compared with."""
        return self.n >= _N_LOOKS

    def evidence(self, cells: FloatArray) -> float:
        """Return log odds for a vehicle by how unlike the empty bay this is; 0 while it is unknown."""
        if not self.is_known:
            return 0.0
        away = float(np.median(self.away(cells)))
        return _WEIGHT * float(np.clip(2.0 * (away - _SAME) / (_OTHER - _SAME) - 1.0, -1.0, 1.0))

    def away(self, cells: FloatArray) -> FloatArray:
        """Return how far each cell is from its empty look, in its own spread, shape (3, CELLS, CELLS)."""
        far: FloatArray = np.abs(cells - self.mean) / (self.spread + _FLOOR)
        return far

    def likeness(self, cells: FloatArray, part: tuple[slice, slice] = (slice(None), slice(None))) -> float | None:
        """Return how alike the pattern of brightness is to the empty one, -1..1, however dark or bright it is now.

        None where the empty bay has no pattern: bare ground without a line.
        """
        now, then = (grey[part].ravel() for grey in (cells[0], self.mean[0]))
        if then.std() < _PLAIN:
            return None
        return float(np.corrcoef(now, then)[0, 1]) if now.std() > 1e-6 else 0.0

    def learn(self, cells: FloatArray) -> None:
        """Take a look at the bay while it is empty."""
        share = max(_LEARN, 1.0 / (self.n + 1))
        self.spread += share * (np.abs(cells - self.mean) - self.spread)
        self.mean += share * (cells - self.mean)
        self.n += 1


def small_looks(patches: Picture) -> FloatArray:
    """Return what empty looks are compared by, shape (n, 3, CELLS, CELLS), float32."""
    inputs = to_inputs(patches)[:, (0, 2, 3)]
    step = PATCH_PX // CELLS
    small: FloatArray = inputs.reshape(len(inputs), 3, CELLS, step, CELLS, step).mean(axis=(3, 5))
    return small
