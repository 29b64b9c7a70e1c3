"""Follows a calibration run of a lot's camera, and says how it goes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from app.room import Room
from core.kernel.errors import ConsoleError
from core.parking.model import SightMethod
from core.parking.sight.model import Calibration, Tried

POLL_MS = 500


class CalibrationWatch(QObject):
    """One run at a time; its sentences go to `say` with the lot's id, and whether it is still going on."""

    def __init__(self, room: Room, say: Callable[[str, str, bool], None], parent: QObject) -> None:
        super().__init__(parent)
        self._room, self._say = room, say
        self._run_id = self._lot_id = ""
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._ask)
        room.closing.connect(self._poll.stop)

    def start(self, lot_id: str, camera_id: str) -> None:
        """Begin a run; what is refused is said."""

        def started(run_id: str) -> None:
            self._run_id = run_id
            self._poll.start()

        self._lot_id = lot_id
        self._say(lot_id, "Calibrating: the methods are tried on this camera's pictures.", True)
        self._room.ask(
            "parking.calibrate", str, then=started, refused=self._refused, lot_id=lot_id, camera_id=camera_id
        )

    def stop(self) -> None:
        """End the run; nothing is saved by it."""
        if self._run_id:
            self._room.ask(
                "parking.cancel_calibration", Calibration, then=self._heard, refused=self._refused, run_id=self._run_id
            )

    def _ask(self) -> None:
        self._room.ask("parking.calibration", Calibration, then=self._heard, refused=self._refused, run_id=self._run_id)

    def _heard(self, run: Calibration) -> None:
        if run.run_id != self._run_id:
            return
        is_running = run.state == "running"
        self._say(self._lot_id, sentence_of(run), is_running)
        if not is_running:
            self._forget()

    def _refused(self, error: ConsoleError) -> None:
        self._forget()
        self._say(self._lot_id, f"{error.message} {error.hint}".strip(), False)

    def _forget(self) -> None:
        self._poll.stop()
        self._run_id = ""


def sentence_of(run: Calibration) -> str:
    """Return how a run goes, or what came of it with every way that was tried, the best first."""
    if run.state == "running":
        return f"{run.fraction:.0%}: {run.step}"
    tried = "\n".join(_tried(one) for one in run.tried)
    return "\n".join(part for part in (f"{run.step} {run.hint}".strip(), tried) if part)


def _tried(one: Tried) -> str:
    name = "Classifier" if one.method is SightMethod.CLASSIFIER else f"Detector at {one.image_px or 0:,} px"
    unknown = f", {one.unknown:.0%} unknown" if one.unknown else ""
    return f"{name}: {one.rate:.1%} right{unknown}, {one.seconds:.2f} s a picture"
