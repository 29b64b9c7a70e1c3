"""Who is heard right now: alarms from before a start end only where their source is, and says nothing of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from core.drones.merge import is_heard
from core.drones.rules import DroneRule
from core.field.model import Device, DeviceState, LinkState
from core.gateway.frigate import FORGOTTEN_AFTER_S, OBJECT
from core.incidents.doubt import CONFIRM_S, Doubtful
from core.incidents.model import SourceKind
from core.incidents.same_event import PASSING
from core.kernel.errors import BadInputError
from core.media.model import StreamReport, StreamState
from core.node.model import WorkerReport
from core.node.services import Services
from core.parking.model import BayState
from core.parking.rules import LotRule
from core.vision.model import AT_THE_CAMERA, ObservationKind, Scene
from core.vision.tuning import RULES, patience_s
from core.vision.zones import N_SIGHTINGS_TO_ENTER

AT_ONCE_S = 0.0
DRONE_S = 30.0
"""A drone that is heard says all it has to say within this time."""

SLACK_S = 60.0
"""Beyond the time that a rule of a camera takes to say something again: for its worker, and for the first looks."""

PASSER_S = 30.0
"""The same of who passes: whoever comes later is somebody else, and calls."""

_TUNED = frozenset(rule.kind.value for rule in RULES)
_SAID_OF_RARE = AT_THE_CAMERA | {ObservationKind.VEHICLE_IN_ZONE}
"""What single looks tell, also where they come seconds apart."""

_OF_BAYS = frozenset(rule.value for rule in (LotRule.OVERSTAY, LotRule.WRONG_KIND, LotRule.MISPARKED))
_OF_VIEWS = frozenset({"bays_moved", "bays_blind"})
_BY_WORD = frozenset({"evidence", "broker", "database", "disk"})
"""Of these the node says itself when they are good again."""


def bays_of(kind: str, condition_key: str) -> frozenset[str]:
    """Return the bays that a condition of a lot is about; none where it is about more than single bays."""
    return frozenset(condition_key.partition(f"{kind}:")[2].split("+")) if kind in _OF_BAYS else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Tells of any source whether it is heard, as `core.incidents.doubt.Hearing` asks.

    Attributes:
        stream: How a camera's stream is; None where nobody has said.
        workers: How every worker is, and the detector.
        is_waiting: Whether something that was said of a condition is not stored yet.
        is_measured: Whether a device has told the number of a condition, well within its limit.
        is_view_told: Whether the newest picture of a lot by a camera says what stands in its bays.
        is_frigate_heard: Whether Frigate runs.
        is_blind: Whether a camera shows nothing that its rules could go by.
        is_gone: Whether a camera was removed; False as long as nobody has read the settings.
        scene: What is drawn on a camera; None as long as nobody has read the settings.
    """

    services: Services
    stream: Callable[[str], StreamReport | None]
    workers: Callable[[], tuple[WorkerReport, ...]]
    is_waiting: Callable[[Doubtful], bool]
    is_measured: Callable[[Doubtful], bool | None]
    is_view_told: Callable[[str, str], bool]
    is_frigate_heard: Callable[[], bool]
    is_blind: Callable[[str], bool]
    is_gone: Callable[[str], bool]
    scene: Callable[[str], Scene | None]

    def __call__(self, doubtful: Doubtful) -> float | None:
        """Return for how long [s] the source must be heard before its silence counts; None while it is not heard.

        Of a source that is in no list any more nobody will ever hear: what it was called for is over at once, also
        where the node was killed between the removal and the end of its alarms.
        """
        needed_s = self._needed_s(doubtful)
        # An end would overtake what waits, and it would call anew.
        return math.inf if needed_s is not None and self.is_waiting(doubtful) else needed_s

    def _needed_s(self, doubtful: Doubtful) -> float | None:
        match doubtful.source_kind:
            case SourceKind.CAMERA:
                return self._camera(doubtful)
            case SourceKind.DEVICE:
                return self._device(doubtful)
            case SourceKind.STATION:
                return self._station(doubtful)
            case SourceKind.LOT:
                return self._lot(doubtful)
            case SourceKind.DRONE:
                return self._drone(doubtful)
            case SourceKind.SYSTEM:
                return self._system(doubtful)
            case _:
                # What people or authorities said is kept here, and was said again at the start where it still holds.
                return CONFIRM_S

    def is_heard(self, doubtful: Doubtful) -> bool:
        """Tell whether a source is heard now, also where it says that it cannot see."""
        if doubtful.source_kind is SourceKind.LOT and doubtful.kind in _OF_VIEWS:
            return self._is_live(doubtful.condition_key.partition(f"{doubtful.kind}:")[2])
        return self._needed_s(doubtful) is not None

    def _is_live(self, camera_id: str) -> bool:
        report = self.stream(camera_id)
        return report is not None and report.state is StreamState.LIVE

    def _camera(self, doubtful: Doubtful) -> float | None:
        if doubtful.kind == OBJECT:
            return FORGOTTEN_AFTER_S if self._is_connected and self.is_frigate_heard() else None
        if self.is_gone(doubtful.source_id):
            return AT_ONCE_S
        report = self.stream(doubtful.source_id)
        if report is None or report.state is not StreamState.LIVE:
            return None
        if doubtful.kind == "camera_lost":
            return AT_ONCE_S
        if report.is_blind or (doubtful.kind not in AT_THE_CAMERA and self.is_blind(doubtful.source_id)):
            # Who is blind keeps silent about everything, and each is judged by the picture before it judges others.
            return None
        if doubtful.kind == ObservationKind.CAMERA_MOVED:
            # Rules that know the view say it again or end it; of a view learned anew only a person can say that.
            return None
        if doubtful.kind == ObservationKind.OBJECT_LEFT:
            # Nor does the ground that they learn lack what lies on it.
            return None
        if report.is_rare and doubtful.kind not in _SAID_OF_RARE:
            # Nobody is followed, so the rules say nothing, whatever is there.
            return None
        # Where detection is off nobody looks, so nobody can say that it is over.
        is_watched = report.detect_fps > 0.0 or report.is_quiet
        if doubtful.kind in AT_THE_CAMERA:
            is_watched = is_watched or report.is_camera_watched
        return max(self._patience_s(doubtful), _looks_s(report)) if is_watched else None

    def _patience_s(self, doubtful: Doubtful) -> float:
        """Return how long the rules of a camera may take to see again what they were called for."""
        scene = self.scene(doubtful.source_id)
        own_s = 0.0
        if scene is not None and doubtful.kind in _TUNED:
            own_s = patience_s(scene, ObservationKind(doubtful.kind))
        return own_s + PASSER_S if doubtful.kind in PASSING else max(CONFIRM_S, own_s + SLACK_S)

    def _station(self, doubtful: Doubtful) -> float | None:
        if self._find_device(doubtful.source_id) is None:
            return AT_ONCE_S
        return CONFIRM_S if self.services.traffic.is_measured(doubtful.source_id) else None

    def _find_device(self, device_id: str) -> Device | None:
        try:
            return self.services.field.device(device_id)
        except BadInputError:
            return None

    def _device(self, doubtful: Doubtful) -> float | None:
        device = self._find_device(doubtful.source_id)
        if device is None:
            return AT_ONCE_S
        if device.state is not DeviceState.ONLINE:
            return None
        is_measured = self.is_measured(doubtful)
        if is_measured is None:
            return CONFIRM_S
        return AT_ONCE_S if is_measured else None

    def _lot(self, doubtful: Doubtful) -> float | None:
        lot_id = doubtful.source_id
        if self.services.parking.lot_plan(lot_id) is None and self._find_device(lot_id) is None:
            return AT_ONCE_S
        _, _, place = doubtful.condition_key.partition(f"{doubtful.kind}:")
        if doubtful.kind in _OF_VIEWS:
            is_told = self._is_live(place) and self.is_view_told(doubtful.source_id, place)
            return CONFIRM_S if is_told else None
        statuses = self.services.parking.bays(doubtful.source_id)
        known = [status for status in statuses if status.is_known]
        if wanted := bays_of(doubtful.kind, doubtful.condition_key):
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
            return AT_ONCE_S
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


def _looks_s(report: StreamReport) -> float:
    """Return how long a camera whose pictures come seconds apart takes for the looks that tell who is in a zone."""
    if not report.is_rare:
        return 0.0
    apart_s = 1.0 / report.detect_fps_wanted if report.detect_fps_wanted > 0.0 else 0.0
    return (N_SIGHTINGS_TO_ENTER + 1) * max(report.patience_s, apart_s)
