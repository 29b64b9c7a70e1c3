"""Who is heard right now: alarms from before a start end only where their source is, and says nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.drones.merge import is_heard
from core.drones.rules import DroneRule
from core.field.model import DeviceState, LinkState
from core.gateway.frigate import FORGOTTEN_AFTER_S, OBJECT
from core.incidents.doubt import CONFIRM_S, Doubtful
from core.incidents.model import SourceKind
from core.kernel.errors import BadInputError
from core.media.model import StreamReport, StreamState
from core.node.model import WorkerReport
from core.node.services import Services
from core.parking.model import BayState
from core.parking.rules import LotRule

AT_ONCE_S = 0.0
DRONE_S = 30.0
"""A drone that is heard says all it has to say within this time."""

_OF_BAYS = frozenset(rule.value for rule in (LotRule.OVERSTAY, LotRule.WRONG_KIND, LotRule.MISPARKED))
_OF_VIEWS = frozenset({"bays_moved", "bays_blind"})
_BY_WORD = frozenset({"evidence", "broker", "database", "disk"})
"""Of these the node says itself when they are good again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Tells of any source whether it is heard, as `core.incidents.doubt.Hearing` asks.

    Attributes:
        stream: How a camera's stream is; None where nobody has said.
        workers: How every worker is, and the detector.
        is_measured: Whether a device has told the number of a condition, well within its limit.
    """

    services: Services
    stream: Callable[[str], StreamReport | None]
    workers: Callable[[], tuple[WorkerReport, ...]]
    is_measured: Callable[[Doubtful], bool | None]

    def __call__(self, doubtful: Doubtful) -> float | None:
        """Return for how long [s] the source must be heard before its silence counts; None while it is not heard."""
        match doubtful.source_kind:
            case SourceKind.CAMERA:
                return self._camera(doubtful)
            case SourceKind.DEVICE:
                return self._device(doubtful)
            case SourceKind.STATION:
                return CONFIRM_S if self.services.traffic.is_measured(doubtful.source_id) else None
            case SourceKind.LOT:
                return self._lot(doubtful)
            case SourceKind.DRONE:
                return self._drone(doubtful)
            case SourceKind.SYSTEM:
                return self._system(doubtful)
            case _:
                # What people or authorities said is kept here, and was said again at the start where it still holds.
                return CONFIRM_S

    def _camera(self, doubtful: Doubtful) -> float | None:
        if doubtful.kind == OBJECT:
            return FORGOTTEN_AFTER_S if self._is_connected else None
        report = self.stream(doubtful.source_id)
        if report is None or report.state is not StreamState.LIVE:
            return None
        if doubtful.kind == "camera_lost":
            return AT_ONCE_S
        is_watched = report.detect_fps_wanted <= 0.0 or report.detect_fps > 0.0 or report.is_quiet
        return CONFIRM_S if is_watched else None

    def _device(self, doubtful: Doubtful) -> float | None:
        try:
            device = self.services.field.device(doubtful.source_id)
        except BadInputError:
            return None
        if device.state is not DeviceState.ONLINE:
            return None
        is_measured = self.is_measured(doubtful)
        if is_measured is None:
            return CONFIRM_S
        return AT_ONCE_S if is_measured else None

    def _lot(self, doubtful: Doubtful) -> float | None:
        _, _, place = doubtful.condition_key.partition(f"{doubtful.kind}:")
        if doubtful.kind in _OF_VIEWS:
            report = self.stream(place)
            return CONFIRM_S if report is not None and report.state is StreamState.LIVE else None
        statuses = self.services.parking.bays(doubtful.source_id)
        known = [status for status in statuses if status.is_known]
        if doubtful.kind in _OF_BAYS:
            wanted = set(place.split("+"))
            # A bay that is not drawn any more has nobody to speak of it, and nothing that could be wrong.
            is_known = all(status.is_known for status in statuses if status.bay_id in wanted)
        elif doubtful.kind == LotRule.FULL:
            is_known = len(known) == len(statuses) or any(status.state is BayState.FREE for status in known)
        else:
            is_known = bool(known)
        return CONFIRM_S if (statuses and is_known) or self._is_counted(doubtful.source_id) else None

    def _is_counted(self, lot_id: str) -> bool:
        """A device that is a lot of its own counts it."""
        devices = self.services.field.devices()
        return any(one.device_id == lot_id and one.state is DeviceState.ONLINE for one in devices)

    def _drone(self, doubtful: Doubtful) -> float | None:
        try:
            state = self.services.drones.state(doubtful.source_id)
        except BadInputError:
            return None
        if not is_heard(state):
            return None
        return AT_ONCE_S if doubtful.kind in (DroneRule.LINK_LOST, DroneRule.MISSING) else DRONE_S

    def _system(self, doubtful: Doubtful) -> float | None:
        if doubtful.kind in _BY_WORD:
            return None
        if doubtful.kind in ("worker", "model"):
            # A worker that has run well for a while says so itself; the detector by opening its engine.
            reports = self.workers()
            is_well = all(one.state == "running" for one in reports) and any(one.engine is not None for one in reports)
            return CONFIRM_S if is_well or not reports else None
        if doubtful.kind in ("devices_lost", "certificate"):
            return CONFIRM_S if self._is_connected else None
        return CONFIRM_S

    @property
    def _is_connected(self) -> bool:
        link = self.services.field.link_report()
        return link is not None and link.state is LinkState.CONNECTED
