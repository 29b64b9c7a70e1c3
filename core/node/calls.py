"""Calls to the operator that do not come from a picture: lost cameras and devices, jams at stations, faults of ours."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from core.cameras.model import Camera
from core.drones.merge import is_heard
from core.drones.model import DroneState
from core.drones.rules import DroneCondition
from core.field.kinds.base import AlarmDefault
from core.field.limits import LimitPassed, LimitWatch
from core.field.model import Device, DeviceState, FieldEvent, FieldLosses, LinkState, Reading, calls_operator
from core.field.service import EventsLost
from core.field.skew import SKEW_S
from core.gateway.frigate import OBJECT, FrigateAdapter
from core.incidents.doubt import Doubtful
from core.incidents.ledger import Measured
from core.incidents.model import Alarm, Condition, Quality, Snapshot, SourceKind
from core.incidents.policy import (
    CALLING_KINDS,
    SOURCE_LOST,
    call_from,
    condition_of_observation,
    condition_of_source,
    key_at,
    key_of_observation,
)
from core.incidents.rules.book import RuleBook, shipped_book
from core.incidents.rules.values import limits_of, value_condition
from core.incidents.same_event import View
from core.incidents.service import IncidentService
from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.log import OncePerLoss
from core.kernel.zone import UTC_ZONE
from core.node import conditions
from core.node.call_spool import CallSpool, SpooledCall
from core.node.event_calls import EventCalls, ForgetWaiting, forget_nothing
from core.node.hearing import bays_of
from core.node.mass_loss import SETTLE_S, MassLoss
from core.node.model import Health, UnstoredCall, WorkerReport
from core.node.raised import Raised
from core.node.sight import ENDS_ITS_READER, ENDS_ITS_READER_HINT, CameraBack, CameraLost
from core.parking.forecast.model import FullExpected
from core.parking.model import BayStatus, Lot
from core.parking.rules import LotCondition
from core.parking.sight.model import SightInterrupted
from core.traffic.service import StationCongestion
from core.vision.messages import EngineFailed, Observed
from core.vision.model import AT_THE_CAMERA, Observation, ObservationKind, Phase, Scene
from core.vision.scene_change import is_over

log = logging.getLogger(__name__)

BROKER_ALARM_AFTER_S = 10.0
CERTIFICATE_ENDS_SOON = timedelta(days=30)
LOSSES_END_AFTER_S = 60.0
REPEATED_WITHIN = timedelta(seconds=30)
RETRY_S = 2.0
MAX_TOGETHER = 256
MAX_WAITING = 50_000
"""Steps that wait for the database before newer calls are given up…"""

MAX_WAITING_COUNTED = 25_000
"""…what is only counted, so that it never takes the place of a call…"""

MAX_WAITING_ENDS = 100_000
"""…and ends: without its own, an alarm would stand for ever."""

MAX_PICTURE_BYTES = 256 * 1024 * 1024
"""Pictures that wait for the database; beyond, a call waits without its picture."""

SKEW_GOOD_S = 4.0
"""Below it a clock that was wrong is right again."""

_CALLS_NOBODY = {(DeviceState.ONLINE, True), (DeviceState.UNKNOWN, True)}
"""A broker that goes takes every device from one to the other and back: none of them has an alarm to change."""

_OF_DEVICES = (SourceKind.DEVICE, SourceKind.STATION)

UNSTORED_AFTER_S = 2.0
"""A call that is not stored by then is told to the consoles without being stored."""

DATABASE_KEY = conditions.database_down("").condition_key
"""The condition that every console shows by itself."""

UNSTABLE_AFTER = 3
"""So many ends of a worker within an hour call, however well it runs in between."""


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class _Step:
    """Something to store.

    Attributes:
        n_bytes: Of the picture that waits with it.
        lane: Steps of one lane are stored one after the other, those of others may share a transaction with them;
            empty waits for everything before it, and everything after waits for it.
        about: What it is about, as `is_waiting` is asked; its lane where that is empty.
        on_refused: Called where it cannot be stored and is given up.
        on_over: Called once it is stored, or given up.
        call: What it calls an operator for; None where it calls nobody.
    """

    run: Callable[[], Coroutine[Any, Any, Any]]
    n_bytes: int = 0
    lane: str = ""
    about: tuple[str, ...] = ()
    on_refused: Callable[[], object] = _nothing
    on_over: Callable[[], object] = _nothing
    call: UnstoredCall | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Under which it waits."""
        return self.about or (self.lane,)


class Calls:
    """Turns what parts of the node report into conditions, and takes them back.

    Everything goes through one queue, in order: while the database is away it waits here instead of being lost, and
    the end of a condition can never overtake its beginning.

    Threads: the node's loop.
    """

    def __init__(
        self,
        incidents: IncidentService,
        *,
        folder: str,
        find_camera: Callable[[str], Camera | None],
        find_device: Callable[[str], Device],
        find_book: Callable[[], RuleBook] = shipped_book,
        forget_waiting: ForgetWaiting = forget_nothing,
        spool: CallSpool | None = None,
        clock: Clock | None = None,
        zone: ZoneInfo = UTC_ZONE,
    ) -> None:
        """Prepare.

        Args:
            incidents: Where calls go.
            folder: Named where the disk runs out.
            find_camera: By its id; None where there is none.
            find_device: By its id.
            find_book: Returns the rules in force; another book after a change of rules.
            forget_waiting: Lets events of removed devices, which would call, wait no longer.
            spool: Keeps what cameras saw until it is stored; None keeps it in memory only.
            clock: For how long a number has been beyond its limit.
            zone: In which alarms say when something was or will be.
        """
        self._incidents = incidents
        self._zone = zone
        self._folder = folder
        self._queue: asyncio.Queue[_Step] = asyncio.Queue()
        self._n_picture_bytes = 0
        self._spool = spool
        self._n_waiting: Counter[str] = Counter()
        """Steps, by what they are about."""

        self._unstored: dict[int, tuple[float, UnstoredCall]] = {}
        """What waits for the database, by the step that stores it, and since when."""

        self._find_camera = find_camera
        self._find_device = find_device
        self._raised = Raised()
        self._gone: set[tuple[SourceKind, str]] | None = None
        """Removed sources of the step that was queued last; None once anything else stands behind it, or it is done."""

        self._doubtful: set[str] = set()
        """Alarms from before the start, by condition key, until something is said of them."""

        self._open: dict[tuple[SourceKind, str], dict[str, Alarm]] = {}
        """Open alarms by source and id: who has none need not be told that it is lost."""

        self._seen_by_frigate: dict[str, Alarm] = {}
        self._unjudged: dict[str, Alarm] = {}
        """Open alarms of lots of which it may be another question now whether they are heard."""

        self._asked_at: dict[str, int] = {}
        """The version of an alarm for which another quality was asked."""

        self._is_heard: Callable[[Doubtful], bool] = lambda _doubtful: True
        self._frigate: FrigateAdapter | None = None

        self._is_stand_in = False
        """A model detects that is not meant for these streets: what rules say by it is neither called nor ended."""

        self._blind: set[str] = set()
        self._blinding: dict[str, set[str]] = {}
        """Alarms that say of a camera that it sees nothing, by camera, while they are active."""

        self._once = OncePerLoss(log)
        self._link_lost_s: float | None = None
        self._losses, self._lost_data_s = FieldLosses(), float("-inf")
        self._limits = LimitWatch()
        self._clock = clock or SystemClock()
        self._find_book = find_book
        self._book = find_book()
        self._known_limits: dict[str, tuple[str, tuple[AlarmDefault, ...]]] = {}
        """By device: the kind that it was when they were made."""

        self._devices: dict[str, tuple[DeviceState, bool]] = {}
        self._fell_silent: set[str] = set()
        """Devices that are heard no more; one that has not spoken since the start may do so any moment."""

        self._drones_heard: dict[str, bool] = {}
        self._mass_loss = MassLoss(
            call=self._call_device,
            raise_condition=self.raise_condition,
            return_condition=self._return_anyway,
        )
        self._settling: asyncio.TimerHandle | None = None
        self._measured: Mapping[str, Measured] = {}
        self._silent_places: frozenset[str] = frozenset()
        self._events = EventCalls(
            incidents,
            find_device=find_device,
            forget_waiting=forget_waiting,
            zone=zone,
            later=lambda lane, run: self._later(_Step(run, lane=lane), MAX_WAITING),
        )

    def know(self, alarm: Alarm) -> None:
        """Follow which sources have open alarms; what is stored after its source was lost is the last one known."""
        if alarm.kind in AT_THE_CAMERA:
            kept = self._blinding.setdefault(alarm.source_id, set())
            (kept.add if alarm.is_active else kept.discard)(alarm.alarm_id)
        source = (alarm.source_kind, alarm.source_id)
        if alarm.is_open:
            self._open.setdefault(source, {})[alarm.alarm_id] = alarm
            if alarm.kind == OBJECT:
                self._seen_by_frigate[alarm.alarm_id] = alarm
            elif alarm.source_kind is SourceKind.LOT:
                self._unjudged[alarm.alarm_id] = alarm
            if alarm.quality is Quality.GOOD and alarm.kind not in SOURCE_LOST and self._is_silent(alarm):
                self._end_later(partial(self._incidents.set_quality_of, alarm.condition_key, Quality.STALE))
            return
        known = self._open.get(source, {})
        known.pop(alarm.alarm_id, None)
        if not known:
            self._open.pop(source, None)
        for others in (self._seen_by_frigate, self._unjudged, self._asked_at):
            others.pop(alarm.alarm_id, None)

    def _is_silent(self, alarm: Alarm) -> bool:
        """Tell whether the device or drone of an alarm is known not to be heard, or its camera to be blind."""
        if alarm.source_kind is SourceKind.DRONE:
            return not self._drones_heard.get(alarm.source_id, True)
        if alarm.source_kind is SourceKind.CAMERA:
            return alarm.source_id in self._blind and alarm.kind not in AT_THE_CAMERA
        if alarm.source_kind not in _OF_DEVICES:
            return False
        return alarm.source_id in self._fell_silent

    def hear_by(self, is_heard: Callable[[Doubtful], bool]) -> None:
        """Ask `is_heard` about the sources of what lots and Frigate told; until then all of them are."""
        self._is_heard = is_heard

    def follow(self, frigate: FrigateAdapter) -> None:
        """Ask this adapter whether Frigate runs, and let it forget what was closed."""
        self._frigate = frigate

    def is_frigate_heard(self) -> bool:
        """Tell whether Frigate runs, as far as it has said."""
        return self._frigate is None or self._frigate.is_available is not False

    def note_stand_in(self) -> None:
        """The model that detects is not meant for these streets: of what was called before no end is believed."""
        self._is_stand_in = True

    def note_own_model(self) -> None:
        """The model that detects is the one of the site: its silence counts once it has looked for long enough."""
        self._is_stand_in = False

    def is_blind(self, camera_id: str) -> bool:
        """Whether a camera shows nothing that its rules could go by, as its worker or an alarm of it says."""
        return self._is_stand_in or camera_id in self._blind or bool(self._blinding.get(camera_id))

    def know_measured(self, measured: Mapping[str, Measured]) -> None:
        """Call for nothing again that the run before called for: the broker sends again what that had not confirmed."""
        self._measured = measured

    def doubt(self, alarms: Iterable[Alarm]) -> None:
        """Take back also these, which were raised before the start, once they are good again."""
        self._doubtful.update(alarm.condition_key for alarm in alarms)

    def is_waiting(self, doubtful: Doubtful) -> bool:
        """Tell whether something that was said of a condition is not stored yet; what is made of later words waits."""
        kind_key = key_at(doubtful.source_id, doubtful.kind)
        return doubtful.condition_key in self._n_waiting or (
            doubtful.source_kind is SourceKind.CAMERA and kind_key in self._n_waiting
        )

    def is_measured(self, doubtful: Doubtful) -> bool | None:
        """Tell whether the number of an alarm was told, within its limit; None where no limit asks for it."""
        prefix = f"{SourceKind.DEVICE}/{doubtful.source_id}/{doubtful.kind}:"
        stream, _, quantity = doubtful.condition_key.removeprefix(prefix).rpartition("/")
        limits = self._limits_of(self._find_device(doubtful.source_id))
        if not any((limit.kind, limit.quantity) == (doubtful.kind, quantity) for limit in limits):
            return None
        return self._limits.is_within(doubtful.source_id, stream, quantity)

    def raise_condition(self, condition: Condition, picture: Snapshot | None = None) -> None:
        """Call an operator; again only after it was good in between, or where it is worse or another by its tags."""
        state = (condition.priority, condition.tags)
        if self._raised.get(condition.condition_key) == state:
            return
        if not self._later(
            _Step(
                partial(self._incidents.raise_condition, condition, picture),
                0 if picture is None else len(picture.jpeg),
                lane=condition.condition_key,
                on_refused=lambda: self._raised.discard(condition.condition_key),
                call=self._unstored_of(condition),
            ),
            MAX_WAITING,
        ):
            return
        self._raised.note(condition.condition_key, state)
        self._doubtful.discard(condition.condition_key)
        self._once.lost(condition.condition_key, f"{condition.title}: {condition.detail}")

    def return_condition(self, condition_key: str, measured_at: datetime | None = None) -> None:
        """Take a call back; nothing where there was none in this run or an earlier one."""
        if condition_key not in self._raised and condition_key not in self._doubtful:
            return
        self._raised.discard(condition_key)
        self._doubtful.discard(condition_key)
        self._once.back(condition_key, f"good again: {condition_key}")
        returning = partial(self._incidents.return_condition, condition_key, measured_at)
        self._end_later(returning, lane=condition_key)

    def keep_past(self, condition: Condition, ended_at: datetime) -> None:
        """Store what was over before anybody heard of it; it calls nobody."""
        self._later(_Step(partial(self._incidents.keep_past, condition, ended_at)), MAX_WAITING_COUNTED)

    async def work(self) -> None:
        """Store what waits, in order, until cancelled; a database that is away is waited for."""
        first: _Step | None = None
        while True:
            together = [first or await self._queue.get()]
            first = self._take_beside(together)
            # A burst is one transaction of the store and not one for each of its alarms.
            await asyncio.gather(*(self._store(step) for step in together))
            for step in together:
                self._n_picture_bytes -= step.n_bytes
                for key in step.keys:
                    self._n_waiting[key] -= 1
                    if not self._n_waiting[key]:
                        del self._n_waiting[key]
                self._queue.task_done()
            if self._queue.empty() and first is None:
                self._once.back("queue", "everything that waited is stored")
                self._once.back("pictures", "calls have their pictures again")

    def _take_beside(self, together: list[_Step]) -> _Step | None:
        """Add what waits and may be stored together with the first; returns the one that must wait for them."""
        lanes = {together[0].lane}
        while together[0].lane and len(together) < MAX_TOGETHER and not self._queue.empty():
            step = self._queue.get_nowait()
            if not step.lane or step.lane in lanes:
                return step
            lanes.add(step.lane)
            together.append(step)
        return None

    async def _store(self, step: _Step) -> None:
        while True:
            try:
                await step.run()
            except UnavailableError as error:
                self._once.lost("store", f"an alarm waits for the database: {error}")
                await asyncio.sleep(RETRY_S)
                continue
            except ConsoleError as error:
                log.error("an alarm could not be stored: %s", error)
                step.on_refused()
            except Exception:
                # One that cannot be stored must not keep back all that come after it.
                log.exception("an alarm could not be stored")
                step.on_refused()
            self._once.back("store", "alarms are stored again")
            self._unstored.pop(id(step), None)
            step.on_over()
            return

    def unstored(self) -> tuple[UnstoredCall, ...]:
        """Return the calls that wait for the database for longer than is usual, the most urgent and oldest first."""
        before_s = self._clock.monotonic() - UNSTORED_AFTER_S
        waiting = [call for since_s, call in self._unstored.values() if since_s <= before_s]
        return tuple(sorted(waiting, key=lambda call: (call.priority, call.at)))

    async def drain(self, *, timeout_s: float) -> None:
        """Wait until everything is stored, or the time is up; what is left is logged."""
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            kept = " What cameras called for is stored at the next start." if self._spool is not None else ""
            log.error("%d alarms and observations could not be stored before the end.%s", self._queue.qsize(), kept)

    def _later(self, step: _Step, n_most: int) -> bool:
        """Queue a step unless more than `n_most` wait already; returns whether it was queued."""
        self._gone = None
        if self._queue.qsize() >= n_most:
            self._once.lost(
                "queue", f"more than {n_most:,} alarms and counts wait for the database; newer ones are lost"
            )
            return False
        self._n_picture_bytes += step.n_bytes
        self._n_waiting.update(step.keys)
        if step.call is not None:
            self._unstored[id(step)] = self._clock.monotonic(), step.call
        self._queue.put_nowait(step)
        return True

    def _end_later(self, run: Callable[[], Coroutine[Any, Any, Any]], *, lane: str = "") -> bool:
        return self._later(_Step(run, lane=lane), MAX_WAITING_ENDS)

    def take_observed(self, message: Observed) -> None:
        """A scene rule saw something."""
        observation = message.observation
        camera = self._find_camera(observation.camera_id)
        if camera is None:
            return  # Removed while the worker was still looking.
        seen = SpooledCall(
            observation=observation,
            camera_name=camera.name,
            view=_view_of(camera),
            call_from=call_from(observation.kind, camera.scene),
            jpeg=message.snapshot_jpeg,
        )
        is_end, may_call = observation.phase is Phase.END, observation.kind in CALLING_KINDS
        if may_call and self._spool is not None:
            self._spool.add(seen)
        n_most = MAX_WAITING_ENDS if is_end else MAX_WAITING if may_call else MAX_WAITING_COUNTED
        self._store_seen_later(seen, self._incidents.take_observation, n_most)

    def replay(self, left: Iterable[SpooledCall]) -> None:
        """Store what the run before could not; call it before anything else is said of cameras."""
        begun: set[str] = set()
        for seen in left:
            self._store_seen_later(seen, self._incidents.take_late, MAX_WAITING_ENDS)
            if seen.observation.phase is Phase.BEGIN:
                begun.add(key_of_observation(seen.observation))
        if begun:
            # Rules begin anew with the run: of what these began no end may come.
            self._end_later(partial(self._incidents.doubt_conditions, begun))

    def _store_seen_later(self, seen: SpooledCall, store: Callable[..., Coroutine[Any, Any, Any]], n_most: int) -> None:
        observation = seen.observation
        picture = None if observation.phase is Phase.END else self._picture_of(seen)
        step = _Step(
            partial(
                store,
                observation,
                camera_name=seen.camera_name,
                view=seen.view,
                snapshot=picture,
                call_from=seen.call_from,
            ),
            0 if picture is None else len(picture.jpeg),
            about=_about(observation),
            on_over=partial(self._forget_spooled, observation.observation_id),
            call=None if observation.phase is Phase.END else self._unstored_of(_condition_of(seen)),
        )
        self._later(step, n_most)

    def _forget_spooled(self, observation_id: str) -> None:
        if self._spool is not None:
            self._spool.forget(observation_id)

    def _unstored_of(self, condition: Condition | None) -> UnstoredCall | None:
        if condition is None or condition.condition_key == DATABASE_KEY:
            return None
        condition = self._find_book().applied(condition)
        at = condition.began_at or self._clock.now()
        return UnstoredCall(
            title=condition.title, source_name=condition.source_name, at=at, priority=int(condition.priority)
        )

    def _picture_of(self, seen: SpooledCall) -> Snapshot | None:
        n_bytes = len(seen.jpeg)
        if not n_bytes:
            return None
        if self._n_picture_bytes + n_bytes > MAX_PICTURE_BYTES:
            self._once.lost("pictures", "too many pictures wait for the database; newer calls are stored without one")
            return None
        return Snapshot(jpeg=seen.jpeg, captured_at=seen.observation.captured_at)

    def take_camera_lost(self, event: CameraLost) -> None:
        """A camera shows nothing: its alarms keep their state, which is now the last one known."""
        self.raise_condition(conditions.camera_lost(event.camera, event.report))
        self._end_later(partial(self._incidents.set_quality, SourceKind.CAMERA, event.camera.camera_id, Quality.STALE))

        self._judge_lots()

    def _judge_lots(self) -> None:
        """A camera came or went, and with it what its lots are known by."""
        for (kind, _), alarms in self._open.items():
            if kind is SourceKind.LOT:
                self._unjudged.update(alarms)

    def take_bays(self, bays: Iterable[BayStatus]) -> None:
        """Bays are unknown, or known again: what was called there is the last one known, or known again."""
        for lot_id, bay_ids in _by_lot(bays).items():
            for alarm in self._open.get((SourceKind.LOT, lot_id), {}).values():
                place = bays_of(alarm.kind, alarm.condition_key)
                if not place or not place.isdisjoint(bay_ids):
                    self._unjudged[alarm.alarm_id] = alarm

    def tell_quality(self) -> None:
        """Say of alarms that lots and Frigate told whether their sources are heard; call it once a second."""
        unjudged, self._unjudged = self._unjudged, {}
        for alarm in (*unjudged.values(), *self._seen_by_frigate.values()):
            doubtful = Doubtful(
                condition_key=alarm.condition_key,
                kind=alarm.kind,
                source_kind=alarm.source_kind,
                source_id=alarm.source_id,
            )
            wanted = Quality.GOOD if self._is_heard(doubtful) else Quality.STALE
            if alarm.quality is not wanted and self._asked_at.get(alarm.alarm_id) != alarm.version:
                self._asked_at[alarm.alarm_id] = alarm.version
                self._end_later(partial(self._incidents.set_quality_of, alarm.condition_key, wanted))

    def take_closed(self, alarm: Alarm) -> None:
        """A supervisor closed what nobody is heard of: whoever comes back with it calls anew."""
        key = alarm.condition_key
        self._raised.discard(key)
        self._doubtful.discard(key)
        self._once.back(key, f"closed, and not heard: {key}")
        if self._frigate is not None:
            self._frigate.forget(key)
        if alarm.source_kind is SourceKind.DEVICE:
            stream, _, quantity = key.partition(f"/{alarm.kind}:")[2].rpartition("/")
            self._limits.forget_limit(alarm.source_id, stream, alarm.kind, quantity)

    def take_camera_back(self, event: CameraBack) -> None:
        """A camera shows pictures again."""
        self.return_condition(conditions.camera_lost_key(event.camera_id))
        if event.camera_id in self._blind:
            self.take_camera_blind(event.camera_id)
        else:
            self._end_later(partial(self._incidents.set_quality, SourceKind.CAMERA, event.camera_id, Quality.GOOD))
        self._judge_lots()

    def take_camera_blind(self, camera_id: str) -> None:
        """A camera shows pictures, but not what its scene was drawn for: its alarms are as last known."""
        self._blind.add(camera_id)
        self._end_later(
            partial(self._incidents.set_quality, SourceKind.CAMERA, camera_id, Quality.STALE, sure=AT_THE_CAMERA)
        )

    def take_camera_sighted(self, camera_id: str) -> None:
        """A camera sees again."""
        self._blind.discard(camera_id)
        self._end_later(partial(self._incidents.set_quality, SourceKind.CAMERA, camera_id, Quality.GOOD))

    def take_view_accepted(self, camera_id: str) -> None:
        """Somebody said that a camera stands right, or drew all of its masks anew: that it moved is over."""
        key = key_at(camera_id, ObservationKind.CAMERA_MOVED.value)
        self._end_later(partial(self._incidents.return_condition, key))

    def take_rules_reset(self, camera_id: str) -> None:
        """Nobody wants a camera to be watched any more: what its rules had begun is over."""
        sure = self._said_by_others(camera_id)
        self._end_later(partial(self._incidents.return_missing, SourceKind.CAMERA, camera_id, sure))

    def take_rules_begun_anew(self, camera_id: str) -> None:
        """A camera's rules forgot what they had begun: it holds until they have looked for long enough."""
        sure = self._said_by_others(camera_id)
        self._end_later(partial(self._incidents.doubt_source, SourceKind.CAMERA, camera_id, sure))

    def take_scene_changed(self, camera_id: str, before: Scene, now: Scene) -> None:
        """As `take_rules_begun_anew`; what nobody watches for any more is over."""

        def is_unwatched(one: Doubtful) -> bool:
            return is_over(one.kind, one.rule_key, before, now)

        self._end_later(partial(self._incidents.return_where, SourceKind.CAMERA, camera_id, is_unwatched))
        self.take_rules_begun_anew(camera_id)

    def _said_by_others(self, camera_id: str) -> list[str]:
        """Return the conditions of a camera that its own rules say nothing about."""
        seen = [alarm.condition_key for alarm in self._seen_by_frigate.values() if alarm.source_id == camera_id]
        return [conditions.camera_lost_key(camera_id), *seen]

    def take_camera_removed(self, camera_id: str) -> None:
        """A camera is gone, and with it everything that it was called for."""
        self._blind.discard(camera_id)
        self._blinding.pop(camera_id, None)
        self._take_removed(SourceKind.CAMERA, camera_id)

    def take_worker(self, report: WorkerReport) -> None:
        """A worker started, opened its engine or ended."""
        is_unstable = report.n_failures >= UNSTABLE_AFTER or report.is_culprit
        if report.state == "restarting" and is_unstable:
            self.raise_condition(conditions.worker_unstable(report.key, self._why_unstable(report)))
        if report.state in ("running", "stopped") and not is_unstable:
            self.return_condition(conditions.worker_unstable(report.key, "").condition_key)
        if report.state == "restarting":
            for camera_id in report.camera_ids:
                self.take_rules_begun_anew(camera_id)
        if report.engine is not None:
            self.return_condition(conditions.detection_off("").condition_key)

    def _why_unstable(self, report: WorkerReport) -> str:
        camera = self._find_camera(report.camera_ids[0]) if report.is_culprit and report.camera_ids else None
        return report.reason if camera is None else f"{camera.name}: {ENDS_ITS_READER} {ENDS_ITS_READER_HINT}"

    def take_engine_failed(self, message: EngineFailed) -> None:
        """Pictures go on, detection does not."""
        self.raise_condition(conditions.detection_off(f"{message.message} {message.hint}".strip()))

    def take_congestion(self, event: StationCongestion) -> None:
        """A station measures a jam, or no longer."""
        device = self._find_device(event.device_id)
        condition = condition_of_source(
            "station_congestion",
            source_kind=SourceKind.STATION,
            source_id=event.device_id,
            source_name=device.name,
            detail=_describe_flow(event.values),
            position=device.position,
        )
        if event.phase is Phase.BEGIN:
            self.raise_condition(condition)
        else:
            self.return_condition(condition.condition_key)

    def take_lot_condition(self, found: LotCondition) -> None:
        """Something is wrong at a lot, or right again."""
        condition = conditions.at_lot(found)
        if not found.is_begin:
            self._return_anyway(condition.condition_key)
            return
        picture = Snapshot(jpeg=found.snapshot_jpeg, captured_at=found.at) if found.snapshot_jpeg else None
        self.raise_condition(condition, picture)

    def take_sight_interrupted(self, event: SightInterrupted) -> None:
        """Nobody looks at bays for a moment: what was seen holds as last known, until it is seen again or no more."""
        keys = conditions.sight_keys(event)
        for key in keys:
            self._raised.discard(key)
        self._doubtful |= keys
        self._end_later(partial(self._incidents.doubt_conditions, keys))

    def take_drone_condition(self, found: DroneCondition) -> None:
        """Something is wrong with a drone, or right again."""
        condition = conditions.of_drone(found)
        if found.is_begin:
            self.raise_condition(condition)
        else:
            self._return_anyway(condition.condition_key)

    def take_drones(self, states: Iterable[DroneState]) -> None:
        """Drones are heard, or no longer: what they were called for stays, as last known."""
        for state in states:
            if self._drones_heard.get(state.drone_id) != is_heard(state):
                self._drones_heard[state.drone_id] = is_heard(state)
                self._tell_quality(SourceKind.DRONE, state.drone_id, is_heard=is_heard(state))

    def take_full_expected(self, event: FullExpected, find_plan: Callable[[str], Lot | None]) -> None:
        """A lot is expected to be full soon, or no longer."""
        plan = find_plan(event.lot_id)
        condition = conditions.lot_full_expected(event, plan, self._zone)
        if event.is_begin:
            self.raise_condition(condition)
        else:
            self.return_condition(condition.condition_key)

    def take_device(self, device: Device) -> None:
        """A device that fell silent or whose clock is wrong calls quietly; what is good again takes the call back."""
        if self._note_state(device):
            self._mass_loss.take(device, self._clock.monotonic())
            self._settle()

    def take_lost_before(self, devices: Iterable[Device]) -> None:
        """Devices were lost before the start: what called for them goes on, and calls nobody anew."""
        lost = [device for device in devices if self._note_state(device)]
        active = [alarm for alarms in self._open.values() for alarm in alarms.values() if alarm.is_active]
        self._mass_loss.restore(
            lost,
            named={alarm.source_id for alarm in active if alarm.kind == "device_lost"},
            standing=[alarm for alarm in active if alarm.kind == "devices_lost"],
            now=self._clock.now(),
            now_s=self._clock.monotonic(),
        )
        self._settle()

    def _note_state(self, device: Device) -> bool:
        """Note how a device is, and judge its clock and its quality; tells whether its loss is to be judged."""
        skew_s = abs(device.skew_s or 0.0)
        if device.is_enabled and skew_s > SKEW_S:
            self.raise_condition(conditions.device_clock(device))
        elif not device.is_enabled or (device.skew_s is not None and skew_s < SKEW_GOOD_S):
            self.return_condition(conditions.device_clock_key(device.device_id))
        before, now = self._devices.get(device.device_id), (device.state, device.is_enabled)
        self._devices[device.device_id] = now
        if before == now:
            return False
        if device.state is DeviceState.ONLINE:
            self._fell_silent.discard(device.device_id)
        elif before is not None or device.state is not DeviceState.UNKNOWN:
            self._fell_silent.add(device.device_id)
        for kind in _OF_DEVICES:
            self._tell_quality(kind, device.device_id, is_heard=device.state is DeviceState.ONLINE)
        return before is None or not {before, now} <= _CALLS_NOBODY

    def _tell_quality(self, kind: SourceKind, source_id: str, *, is_heard: bool) -> None:
        """What a lost source called for stays, as last known."""
        if (kind, source_id) in self._open:
            quality = Quality.GOOD if is_heard else Quality.STALE
            self._end_later(partial(self._incidents.set_quality, kind, source_id, quality))

    def _call_device(self, device: Device) -> None:
        self._end_later(partial(self._incidents.take_device_state, device), lane=f"device/{device.device_id}")

    def _return_anyway(self, condition_key: str) -> None:
        """Take a call back also where it was not raised here; after what the same source called before."""
        self._raised.discard(condition_key)
        self._doubtful.discard(condition_key)
        lane = "/".join(condition_key.split("/")[:3]) if condition_key.startswith("device/") else condition_key
        self._end_later(partial(self._incidents.return_condition, condition_key), lane=lane)

    def _settle(self) -> None:
        """See to it that a loss of many devices is said."""
        if self._settling is None and self._mass_loss.is_growing:
            self._settling = asyncio.get_running_loop().call_later(SETTLE_S / 2, self._on_settling)

    def _on_settling(self) -> None:
        self._settling = None
        self._mass_loss.tick(self._clock.monotonic())
        self._settle()

    def take_device_removed(self, device_id: str) -> None:
        """A device is gone, and with it everything that it was called for."""
        self._devices.pop(device_id, None)
        self._fell_silent.discard(device_id)
        self._mass_loss.forget(device_id)
        self._known_limits.pop(device_id, None)
        self._limits.forget(device_id)
        self._events.forget(device_id)
        self._take_removed(SourceKind.DEVICE, device_id)
        self._take_removed(SourceKind.STATION, device_id)

    def take_lot_removed(self, lot_id: str) -> None:
        """A lot is gone, and with it everything that it was called for."""
        self._take_removed(SourceKind.LOT, lot_id)

    def take_drone_removed(self, drone_id: str) -> None:
        """A drone is gone, and with it everything that it was called for."""
        self._drones_heard.pop(drone_id, None)
        self._take_removed(SourceKind.DRONE, drone_id)

    def _take_removed(self, kind: SourceKind, source_id: str) -> None:
        """Take back all that a source was called for; thousands that are removed together are one step."""
        self._raised.drop(kind, source_id)
        if self._gone is None:
            gone: set[tuple[SourceKind, str]] = set()
            if not self._end_later(partial(self._return_gone, gone)):
                return
            self._gone = gone
        self._gone.add((kind, source_id))

    async def _return_gone(self, gone: set[tuple[SourceKind, str]]) -> None:
        if self._gone is gone:
            # Who is removed from now on was not seen by this one.
            self._gone = None
        await self._incidents.return_sources(gone)

    def take_reading(self, reading: Reading) -> None:
        """A device measures something: beyond the limits of its kind, or of a rule of its own, it calls."""
        device = self._find_device(reading.device_id)
        limits = self._limits_of(device)
        self._take_passed(device, self._limits.take(reading, limits, self._clock.monotonic()))

    def _limits_of(self, device: Device) -> tuple[AlarmDefault, ...]:
        """Return the limits in force for a device; what was beyond one that is no more is over."""
        book = self._find_book()
        if book is not self._book:
            self._book = book
            self._known_limits.clear()
        known = self._known_limits.get(device.device_id)
        if known is None or known[0] != device.kind:
            # Also where it said only now what it is.
            known = self._known_limits[device.device_id] = (device.kind, limits_of(device, book))
            self._take_passed(device, self._limits.drop_others(device.device_id, known[1]))
        return known[1]

    def _take_passed(self, device: Device, passed: Iterable[LimitPassed]) -> None:
        for one in passed:
            condition = value_condition(device, one)
            if self._is_answered(condition.condition_key, one):
                # Where it is beyond the limit still, the next reading says so.
                self._limits.forget_limit(one.device_id, one.stream, one.default.kind, one.default.quantity)
                continue
            if one.is_beyond:
                self.raise_condition(condition)
            else:
                self.return_condition(condition.condition_key, one.measured_at)

    def _is_answered(self, condition_key: str, passed: LimitPassed) -> bool:
        """Tell whether the run before knew what came after this number was measured."""
        known = self._measured.get(condition_key)
        if known is None or passed.measured_at is None:
            return False
        after = known.returned_at if passed.is_beyond else known.raised_at
        # What is older by more is no repetition: the device's clock went back.
        return after is not None and after - REPEATED_WITHIN < passed.measured_at <= after

    def take_field_event(self, event: FieldEvent) -> None:
        """A device had to give something up, or says itself that something happened."""
        if calls_operator(event):
            self._events.take(event)

    def take_events_lost(self, lost: EventsLost) -> None:
        """Events are missing for good; the call ends with it, and stands until somebody has read it."""
        try:
            device = self._find_device(lost.device_id)
        except BadInputError:
            device = Device(device_id=lost.device_id, kind="", name=lost.device_id)
        condition = conditions.events_lost(device, lost)
        raising = partial(self._incidents.raise_moment, condition, lambda _session: True)
        self._later(_Step(raising, lane=condition.condition_key), MAX_WAITING)

    def take_health(self, health: Health) -> None:
        """Judge disk, database, broker and what is lost of the field, once a second."""
        self._judge_losses(health.losses)
        if health.disk_free_gb < conditions.LOW_DISK_GB:
            self.raise_condition(conditions.disk_low(self._folder, health.disk_free_gb))
        else:
            self.return_condition(conditions.disk_low("", 0.0).condition_key)
        if health.is_database_ok:
            self.return_condition(conditions.database_down("").condition_key)
        else:
            self.raise_condition(conditions.database_down(health.database_reason))
        link = health.link
        if link is None:
            # Nobody has tried yet.
            return
        if link.certificate_ends_at is not None:
            self._judge_certificate(link.certificate_ends_at, health.at)
        if link.state is LinkState.CONNECTED:
            self._link_lost_s = None
            self.return_condition(conditions.broker_down("", "").condition_key)
            return
        now_s = self._clock.monotonic()
        if self._link_lost_s is None:
            self._link_lost_s = now_s
        if now_s - self._link_lost_s >= BROKER_ALARM_AFTER_S:
            self.raise_condition(conditions.broker_down(link.address, link.reason))

    def take_warning_places(self, silent: Mapping[str, str]) -> None:
        """Judge the places of regional warnings, once a second: what is wrong with those that give none, by place."""
        for place in sorted(self._silent_places - silent.keys()):
            self.return_condition(conditions.warnings_source(place, "").condition_key)
        for place, sentence in silent.items():
            self.raise_condition(conditions.warnings_source(place, sentence))
        self._silent_places = frozenset(silent)

    def _judge_losses(self, losses: FieldLosses) -> None:
        now_s = self._clock.monotonic()
        if losses.n_readings + losses.n_turned_away > self._losses.n_readings + self._losses.n_turned_away:
            self._losses, self._lost_data_s = losses, now_s
            self.raise_condition(conditions.field_data_lost(losses))
        elif now_s - self._lost_data_s >= LOSSES_END_AFTER_S:
            self.return_condition(conditions.field_data_lost(losses).condition_key)

    def _judge_certificate(self, ends_at: datetime, now: datetime) -> None:
        condition = conditions.certificate_ends(ends_at, now)
        if ends_at - now < CERTIFICATE_ENDS_SOON:
            self.raise_condition(condition)
        else:
            self.return_condition(condition.condition_key)


def _about(observation: Observation) -> tuple[str, ...]:
    """Return the keys under which an observation waits: what begins may be known under the number of another run."""
    key = key_of_observation(observation)
    if observation.phase is not Phase.BEGIN:
        return (key,)
    return (key, key_at(observation.camera_id, observation.kind))


def _condition_of(seen: SpooledCall) -> Condition | None:
    return condition_of_observation(
        seen.observation, camera_name=seen.camera_name, position=None, call_from=seen.call_from
    )


def _by_lot(bays: Iterable[BayStatus]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for bay in bays:
        found.setdefault(bay.lot_id, set()).add(bay.bay_id)
    return found


def _view_of(camera: Camera) -> View | None:
    if camera.position is None:
        return None
    return View(position=camera.position, heading_deg=camera.heading_deg, view_angle_deg=camera.view_angle_deg)


def _describe_flow(values: dict[str, float]) -> str:
    parts = []
    if "averageVehicleSpeed" in values:
        parts.append(f"{values['averageVehicleSpeed']:.0f} km/h")
    if "occupancy" in values:
        parts.append(f"{values['occupancy']:.0%} occupied")
    if "intensity" in values:
        parts.append(f"{values['intensity']:.0f} vehicles a minute")
    return ", ".join(parts)
