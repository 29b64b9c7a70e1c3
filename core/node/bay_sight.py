"""Pictures of lots in, evidence of their bays out: the node's side of the process that looks at bays.

Of each view the newest picture waits, one is looked at at a time, views in turn: a flood of pictures from one edge
device costs neither the node's loop nor another lot.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import multiprocessing
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from core.kernel.errors import BadInputError, UnavailableError
from core.parking.model import (
    BayEvidence,
    BaysSeen,
    BaysSeenLate,
    Lot,
    LotObservation,
    LotObservationKind,
    LotObserved,
)
from core.parking.sight.model import (
    BaysLooked,
    LookAtBays,
    Looked,
    SetLots,
    SetModel,
    SightConfig,
    Sighting,
    SightingKind,
    SightInterrupted,
    ViewTroubled,
)

log = logging.getLogger(__name__)

STUCK_S = 60.0
"""A look takes a second, the first one with a model some more; after this the process is ended and started anew."""

RETRY_S = 5.0
STOP_TIMEOUT_S = 4.0
N_NEWEST = 12
"""Newest pictures that are kept of each view, for calibration runs; the last one for bays' snapshots."""

KEEP_APART_S = 20.0
MAX_KEPT_BYTES = 128_000_000

PrivateParts = tuple[tuple[tuple[float, float], ...], ...]
"""What nobody may see of a camera's pictures: polygons in fractions of them."""

MASKED_MEANWHILE = "A part of this camera's picture became private meanwhile."

_OBSERVED = {
    SightingKind.MISPARKED: LotObservationKind.MISPARKED,
    SightingKind.BLOCKED_LANE: LotObservationKind.LANE_BLOCKED,
}


@dataclass(slots=True)
class _Ask:
    key: tuple[str, str]
    message: LookAtBays
    answer: asyncio.Future[tuple[BayEvidence, ...]]
    shows_private: bool = False
    """A part of the picture became private while it was looked at: nobody may see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """A picture of a view as it came."""

    at: datetime
    jpeg: bytes


class BaySightHub:
    """Hands pictures to the process, and what it says to the bus.

    Threads: the node's loop; one thread reads what the process says, one writes to it.
    """

    def __init__(self, config: SightConfig, *, publish: Callable[[object], None]) -> None:
        """Start nothing before the first picture.

        Args:
            config: Of the process.
            publish: Takes `BaysSeen`, `BaysSeenLate`, `LotObserved`, `ViewTroubled` and `SightInterrupted`.
        """
        self._config = config
        self._publish = publish
        self._lots: dict[str, Lot] = {}
        self._waiting: OrderedDict[tuple[str, str, bool], _Ask] = OrderedDict()
        self._asked: _Ask | None = None
        self._asked_s = 0.0
        self._tickets = itertools.count(1)
        self._process: BaseProcess | None = None
        self._outbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._may_start_s = 0.0
        self._is_stopping = False
        self._pictures: dict[tuple[str, str], list[KeptPicture]] = {}
        self._private_parts: dict[str, PrivateParts] = {}
        self._history: dict[tuple[str, str], _Ask] = {}
        """The newest picture of the past of each view, waiting or looked at."""

        self._held: dict[str, Sighting] = {}
        """What began and did not end yet, by its condition."""

        self._untold: set[str] = set()
        """Keys of what is held and was closed: it is told again if the next picture does not end it."""

        self.looked: dict[tuple[str, str], Looked] = {}
        """What the last look at each view said, without its evidence."""

    def set_lots(self, lots: Iterable[Lot]) -> None:
        """Look at these lots, as they are drawn now."""
        self._lots = {lot.lot_id: lot for lot in lots}
        views = {(lot.lot_id, view.camera_id) for lot in self._lots.values() for view in lot.views}
        for key in set(self._pictures) - views:
            del self._pictures[key]
        for key in set(self.looked) - views:
            del self.looked[key]
        for key in set(self._history) - views:
            del self._history[key]
        self._end_held(lambda held: (held.lot_id, held.camera_id) not in views)
        self._tell(SetLots(lots=tuple(self._lots.values())))

    def set_private_parts(self, by_camera: Mapping[str, PrivateParts]) -> None:
        """Take what nobody may see of each camera's pictures; those from before a change are let go of."""
        before, now = self._private_parts, dict(by_camera)
        self._private_parts = now
        changed = {camera_id for camera_id in before | now if before.get(camera_id, ()) != now.get(camera_id, ())}
        for key in [key for key in self._pictures if key[1] in changed]:
            del self._pictures[key]
        for key in [key for key in self._history if key[1] in changed]:
            del self._history[key]
        for place in [place for place in self._waiting if place[1] in changed]:
            ask = self._waiting.pop(place)
            if not ask.answer.done():
                ask.answer.set_exception(UnavailableError(MASKED_MEANWHILE, hint="Send it again."))
        if self._asked is not None and self._asked.key[1] in changed:
            self._asked.shows_private = True

    def set_model(self, model: str) -> None:
        """Detect with this model, which must be ready."""
        self._config = replace(self._config, model=model)
        self._tell(SetModel(model=model))

    @property
    def camera_ids(self) -> frozenset[str]:
        """Cameras that see a bay of some lot."""
        return frozenset(view.camera_id for lot in self._lots.values() for view in lot.views if view.outlines)

    def views_of(self, camera_id: str) -> tuple[str, ...]:
        """Return the lots that a camera sees."""
        return tuple(lot.lot_id for lot in self._lots.values() if any(v.camera_id == camera_id for v in lot.views))

    def submit(
        self, lot_id: str, camera_id: str, jpeg: bytes, at: datetime, *, source: str = ""
    ) -> asyncio.Future[tuple[BayEvidence, ...]]:
        """Look at one picture of one view; what it says is published as `BaysSeen` as well.

        Args:
            lot_id: Of the lot.
            camera_id: Of one of its views.
            jpeg: As it came; checked in the process.
            at: When it was taken.
            source: As in `BayEvidence`; empty for "camera:ID".

        Returns:
            To be awaited or left alone: one word for each bay of the view; none where a newer picture of the view came
            before this one's turn.

        Raises:
            BadInputError: There is no such lot or view, or the picture is not usable.
            UnavailableError: The process that looks is gone for the moment.
        """
        ask = self._make_ask(lot_id, camera_id, jpeg, at, source=source or f"camera:{camera_id}")
        place = (*ask.key, False)
        passed_over = self._waiting.get(place)
        if passed_over is not None and not passed_over.answer.done():
            passed_over.answer.set_result(())
        # In place of the older one: a camera that sends more often does not come to its turn more often.
        self._waiting[place] = ask
        self._next()
        return ask.answer

    def submit_history(
        self, lot_id: str, camera_id: str, jpeg: bytes, at: datetime
    ) -> asyncio.Future[tuple[BayEvidence, ...]]:
        """Look at a picture of the past; what it says is published as `BaysSeenLate`, and nothing else follows.

        None is passed over for another: of each view one waits or is looked at, and whoever sends that one again shares
        its answer.

        Raises:
            UnavailableError: Another one of this view is not looked at yet; its sender keeps this one meanwhile.
            As `submit` otherwise.
        """
        key = (lot_id, camera_id)
        before = self._history.get(key)
        if before is not None and _stands(before.answer):
            if (before.message.at, before.message.jpeg) == (at, jpeg):
                return before.answer
            if not before.answer.done():
                raise UnavailableError(
                    "An older picture of this camera is looked at first.", hint="Keep this one, and send it again."
                )
        ask = self._make_ask(lot_id, camera_id, jpeg, at, source=f"camera:{camera_id}", is_history=True)
        self._history[key] = self._waiting[(*key, True)] = ask
        self._next()
        return ask.answer

    def take_picture(self, camera_id: str, jpeg: bytes, at: datetime, private_parts: PrivateParts = ()) -> None:
        """Take what a worker saw with a camera; every lot that it sees is looked at.

        One that was on its way when a mask was drawn, with other `private_parts` black than are now, is let go of.
        """
        if private_parts != self._private_parts.get(camera_id, ()):
            return
        for lot_id in self.views_of(camera_id):
            self.submit(lot_id, camera_id, jpeg, at)

    def is_told(self, lot_id: str, camera_id: str) -> bool:
        """Tell whether the newest picture of a view says what stands in its bays."""
        looked = self.looked.get((lot_id, camera_id))
        return looked is not None and not looked.trouble

    def newest(self, lot_id: str, camera_id: str) -> KeptPicture | None:
        """Return the newest picture of a view."""
        kept = self._pictures.get((lot_id, camera_id))
        return kept[-1] if kept else None

    def pictures(self, lot_id: str, camera_id: str) -> tuple[KeptPicture, ...]:
        """Return the newest pictures of a view, the oldest first, some time apart."""
        return tuple(self._pictures.get((lot_id, camera_id), ()))

    def watch(self) -> None:
        """End a process that hangs; call it once a second."""
        if self._asked is not None and time.monotonic() - self._asked_s > STUCK_S and self._process is not None:
            log.error("the process that looks at bays does not answer and is started anew")
            self._process.kill()
        self._next()

    async def stop(self) -> None:
        """End the process, within some seconds; what it learnt is kept."""
        self._is_stopping = True
        process = self._process
        self._refuse_all("The node is ending.")
        if process is None:
            return
        self._tell(None)
        await asyncio.to_thread(process.join, STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join, 1.0)

    def _make_ask(
        self, lot_id: str, camera_id: str, jpeg: bytes, at: datetime, *, source: str, is_history: bool = False
    ) -> _Ask:
        lot = self._lots.get(lot_id)
        if lot is None:
            raise BadInputError(f"There is no lot {lot_id!r}.", hint="Look at the list of lots.")
        if not any(view.camera_id == camera_id for view in lot.views):
            raise BadInputError(
                f"The lot {lot.name} has no view of a camera {camera_id!r}.",
                hint="Draw its bays on a picture of that camera first.",
            )
        message = LookAtBays(
            ticket=next(self._tickets),
            lot_id=lot_id,
            camera_id=camera_id,
            jpeg=jpeg,
            at=at,
            source=source,
            is_history=is_history,
        )
        answer = asyncio.get_running_loop().create_future()
        # Who does not wait for the answer need not hear of its failure either.
        answer.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return _Ask(key=(lot_id, camera_id), message=message, answer=answer)

    def _next(self) -> None:
        if self._asked is not None or not self._waiting or self._is_stopping:
            return
        if self._process is None and not self._start():
            return
        _, ask = self._waiting.popitem(last=False)
        self._asked, self._asked_s = ask, time.monotonic()
        self._tell(ask.message)

    def _start(self) -> bool:
        if time.monotonic() < self._may_start_s:
            return False
        # Imported here: the engine's libraries are no part of the node.
        from core.parking.sight.process import run_sight_process

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=run_sight_process, args=(theirs, self._config), name="bays", daemon=True)
        process.start()
        theirs.close()
        self._process, self._outbox = process, queue.SimpleQueue()
        threading.Thread(target=_write, args=(ours, self._outbox), name="bays-write", daemon=True).start()
        self._tell(SetLots(lots=tuple(self._lots.values())))
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop, process, ours), name="bays-read", daemon=True).start()
        log.info("the process that looks at bays started (pid %s)", process.pid)
        return True

    def _tell(self, message: object) -> None:
        if self._process is not None:
            self._outbox.put(message)

    def _read(self, loop: asyncio.AbstractEventLoop, process: BaseProcess, pipe: Connection) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(self._take, pipe.recv())
        except (EOFError, OSError, RuntimeError):
            pass
        process.join(STOP_TIMEOUT_S)
        with contextlib.suppress(RuntimeError):  # The loop may be closed already.
            loop.call_soon_threadsafe(self._on_ended, process)

    def _take(self, answer: BaysLooked) -> None:
        ask, self._asked = self._asked, None
        if ask is not None and ask.message.ticket == answer.ticket:
            self._answer(ask, answer)
        self._next()

    def _answer(self, ask: _Ask, answer: BaysLooked) -> None:
        looked = answer.looked
        if looked is None:
            if not ask.answer.done():
                ask.answer.set_exception(BadInputError(answer.message, hint=answer.hint))
            return
        if ask.message.is_history:
            if looked.evidence:
                self._publish(BaysSeenLate(looked.evidence))
            if not ask.answer.done():
                ask.answer.set_result(looked.evidence)
            return
        jpeg = b"" if ask.shows_private else ask.message.jpeg
        if jpeg:
            self._keep(ask.key, KeptPicture(at=ask.message.at, jpeg=jpeg))
        self.looked[ask.key] = Looked(
            lot_id=looked.lot_id,
            camera_id=looked.camera_id,
            at=looked.at,
            trouble=looked.trouble,
            hint=looked.hint,
            note=looked.note,
        )
        if looked.evidence:
            self._publish(BaysSeen(looked.evidence))
        self._tell_sightings(looked.sightings, jpeg)
        if looked.evidence and not looked.trouble:
            # What began before the process was started anew, it cannot tell the end of.
            self._end_held(lambda held: (held.lot_id, held.camera_id) == ask.key and held.kind not in _OBSERVED)
        self._tell_untold(ask.key, jpeg)
        if not ask.answer.done():
            ask.answer.set_result(looked.evidence)

    def tell_again(self, lot_id: str) -> None:
        """Somebody closed what was called at a lot: what still holds there is told again with the next picture."""
        self._untold |= {key for key, held in self._held.items() if held.lot_id == lot_id}

    def _tell_untold(self, view: tuple[str, str], jpeg: bytes) -> None:
        self._untold &= self._held.keys()
        again = [self._held[key] for key in self._untold]
        again = [held for held in again if (held.lot_id, held.camera_id) == view]
        self._untold -= {held.condition_key for held in again}
        self._tell_sightings(again, jpeg)

    def _tell_sightings(self, sightings: Iterable[Sighting], jpeg: bytes) -> None:
        observed = []
        for sighting in sightings:
            if sighting.holds:
                self._held[sighting.condition_key] = sighting
            else:
                self._held.pop(sighting.condition_key, None)
            if sighting.kind in _OBSERVED:
                observed.append(self._observation_of(sighting, jpeg))
            else:
                self._publish(ViewTroubled(sighting))
        if observed:
            self._publish(LotObserved(tuple(observed)))

    def _observation_of(self, sighting: Sighting, jpeg: bytes = b"") -> LotObservation:
        lot = self._lots.get(sighting.lot_id)
        order = [bay.bay_id for bay in lot.bays] if lot is not None else []
        return LotObservation(
            kind=_OBSERVED[sighting.kind],
            lot_id=sighting.lot_id,
            place=sighting.lane or "+".join(bay for bay in order if bay in sighting.bay_ids),
            camera_id=sighting.camera_id,
            is_begin=sighting.holds,
            at=sighting.at,
            confidence=sighting.confidence,
            snapshot_jpeg=jpeg if sighting.holds else b"",
        )

    def _doubt_held(self) -> None:
        """The process ended: the next one begins without what it saw begin, and tells again what still holds."""
        self.looked.clear()
        views = tuple(held for held in self._held.values() if held.kind not in _OBSERVED)
        strays = tuple(held for held in self._held.values() if held.kind in _OBSERVED)
        self._held = {held.condition_key: held for held in views}
        if views or strays:
            self._publish(
                SightInterrupted(views=views, observations=tuple(self._observation_of(held) for held in strays))
            )

    def _end_held(self, is_over: Callable[[Sighting], bool]) -> None:
        """End what nobody will tell the end of any more."""
        now = datetime.now(UTC)
        over = [held for held in self._held.values() if is_over(held)]
        self._tell_sightings([replace(held, holds=False, at=now, message="") for held in over], b"")

    def _keep(self, key: tuple[str, str], picture: KeptPicture) -> None:
        """Keep the newest picture, and some older ones that are apart in time."""
        kept = self._pictures.setdefault(key, [])
        if len(kept) >= 2 and (kept[-1].at - kept[-2].at).total_seconds() < KEEP_APART_S:
            kept[-1] = picture
        else:
            kept.append(picture)
        share = MAX_KEPT_BYTES // max(len(self._pictures), 1)
        while len(kept) > N_NEWEST or (len(kept) > 1 and sum(len(one.jpeg) for one in kept) > share):
            del kept[0]

    def _on_ended(self, process: BaseProcess) -> None:
        if self._process is not process:
            return
        self._outbox.put(None)
        self._process = None
        self._may_start_s = time.monotonic() + RETRY_S
        if not self._is_stopping:
            log.error("the process that looks at bays ended (exit code %s)", process.exitcode)
            self._doubt_held()
        ask, self._asked = self._asked, None
        if ask is not None and not ask.answer.done():
            ask.answer.set_exception(
                UnavailableError("The process that looks at bays ended.", hint="It is started anew; send it again.")
            )

    def _refuse_all(self, message: str) -> None:
        asks = [*self._waiting.values(), *([self._asked] if self._asked is not None else [])]
        self._waiting.clear()
        self._asked = None
        for ask in asks:
            if not ask.answer.done():
                ask.answer.set_exception(UnavailableError(message))


def _stands(answer: asyncio.Future[tuple[BayEvidence, ...]]) -> bool:
    """Whether a look is on its way, or was made."""
    return not answer.done() or (not answer.cancelled() and not isinstance(answer.exception(), UnavailableError))


def _write(pipe: Connection, outbox: queue.SimpleQueue[object]) -> None:
    """Send what waits, off the loop: a pipe whose reader is busy is full after one picture. Ends with None."""
    message: object = True
    while message is not None:
        message = outbox.get()
        try:
            pipe.send(message)
        except OSError:
            return  # Who reads at the other end is gone: the reader hears of it too.
