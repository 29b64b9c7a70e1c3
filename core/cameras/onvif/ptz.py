"""Steering: who may turn a camera now, and that it never goes on turning when nobody holds it any more."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.cameras.model import Camera, CameraChanged, CameraRemoved, ViewAccepted
from core.cameras.onvif.client import OnvifCamera
from core.cameras.onvif.home import HomeViews, is_near
from core.cameras.onvif.model import (
    HeadTurned,
    Preset,
    PtzAbilities,
    PtzHead,
    PtzStatus,
    Steering,
    SteeringChanged,
    Velocity,
)
from core.cameras.onvif.soap import CameraFaultError, LoginRefusedError
from core.cameras.service import IS_FORGOTTEN, TYPE_IT_ANEW, CameraService
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, UnavailableError
from core.store.engine import Store
from core.store.rows import storable

log = logging.getLogger(__name__)
T = TypeVar("T")

HOLD_S = 5.0
"""So long after the last move a camera still belongs to who steered it."""

LOOK_HOME_S = 2.0
"""A head that is away is asked so often whether it stands at home."""

SETTLE_S = 3.0
"""So long a head stands at home before it counts: its pictures come late."""

SILENT_SETTLES = 5.0
"""So much longer where the camera says neither where it looks nor whether it turns."""

DEAD_MAN_S = 1.2
"""A move that the console does not renew for so long ends: a key may be released where nobody hears it."""

CAMERA_STOPS_S = 4.0
"""The camera ends a move by itself after so long: the last resort when this node is gone."""

RESEND_S = 2.5
REFUSED_FOR_S = 30.0
"""A refused password is not sent again for so long: cameras lock accounts after a few of them."""

TIMEOUT_S = 3.0
N_STOP_TRIES = 5
MAX_NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class _Holder:
    actor: Actor
    owner: Hashable
    until_s: float


@dataclass(frozen=True, slots=True)
class _Session:
    """An open camera; good as long as its settings are `key`, which were read after `n_changes` of them."""

    key: tuple[str, str, str] = field(repr=False)
    camera: OnvifCamera
    profile: str
    abilities: PtzAbilities
    n_changes: int


@dataclass(slots=True)
class _Head:
    """What we know of one camera's head.

    Attributes:
        wanted: What the operator asks for now; None is to stand still.
        sent: What the camera was told last; None where it stands still as far as we know.
        sending: One request at a time, so that a stop never overtakes the move before it.
        n_changes: Of the camera's settings since we know it.
        n_turns: How often it was told to turn.
        is_sent_home: The last turn was the way home.
        standing: Of what is said about its home, one at a time, so that an arrival never overtakes the next turn.
    """

    camera_id: str
    session: _Session | None = None
    holder: _Holder | None = None
    wanted: Velocity | None = None
    sent: Velocity | None = None
    sent_s: float = -math.inf
    renewed_s: float = -math.inf
    refused_key: tuple[str, str, str] | None = field(default=None, repr=False)
    refused_s: float = -math.inf
    refusal: LoginRefusedError | None = None
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    watch: asyncio.Task[None] | None = None
    n_changes: int = 0
    n_turns: int = 0
    is_sent_home: bool = False
    standing: asyncio.Lock = field(default_factory=asyncio.Lock)
    homing: asyncio.Task[None] | None = None


class PtzService:
    """Steers the cameras that can be steered.

    Whoever steers holds the camera for `HOLD_S` after the last move; a higher role, from supervisor on, may take it.
    From its first turn until it is back a head counts as away from home, the view that the camera's scene was drawn
    for; a camera with privacy masks is only ever sent home, because they would not turn with it.

    Threads: all calls come from the owner's loop.
    """

    def __init__(
        self,
        cameras: CameraService,
        store: Store,
        bus: Bus,
        clock: Clock,
        *,
        hold_s: float = HOLD_S,
        dead_man_s: float = DEAD_MAN_S,
        timeout_s: float = TIMEOUT_S,
        look_home_s: float = LOOK_HOME_S,
        settle_s: float = SETTLE_S,
    ) -> None:
        """Ask nothing yet."""
        self._homes = HomeViews(store, clock)
        self._look_home_s = look_home_s
        self._settle_s = settle_s
        self._cameras = cameras
        self._store = store
        self._bus = bus
        self._clock = clock
        self._hold_s = hold_s
        self._dead_man_s = dead_man_s
        self._timeout_s = timeout_s
        self._heads: dict[str, _Head] = {}
        self._tickets: dict[tuple[str, Hashable], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe = (
            bus.subscribe(CameraChanged, self._on_changed),
            bus.subscribe(CameraRemoved, self._on_removed),
        )

    async def load(self) -> None:
        """Know again which heads are away; before any camera is read."""
        await self._homes.load({camera.camera_id for camera in await self._cameras.list()})
        for camera_id in self._homes.away_ids:
            self._await_home(self._heads.setdefault(camera_id, _Head(camera_id=camera_id)))

    @property
    def away_ids(self) -> frozenset[str]:
        """Cameras whose heads are not known to stand at home."""
        return self._homes.away_ids

    def steering(self) -> tuple[Steering, ...]:
        """Return who steers which camera now, and which are away."""
        away = self._homes.away_ids
        heads = self._heads.values()
        return tuple(self._steering(head) for head in heads if self._is_held(head) or head.camera_id in away)

    async def look(self, actor: Actor, camera_id: str) -> PtzHead:
        """Return what a camera's head can do, its presets and where it looks.

        Raises:
            BadInputError: There is no such camera, or it cannot be steered.
            UnavailableError: It does not answer.
        """
        require(actor, Role.VIEWER)
        head = self._head(await self._camera(camera_id))

        async def ask(session: _Session) -> PtzHead:
            abilities = session.abilities
            presets = await session.camera.presets(session.profile) if abilities.max_presets else ()
            status = await session.camera.status(session.profile)
            can_go_home = abilities.has_home or (abilities.can_go and self._homes.home_of(camera_id).has_place)
            abilities = replace(abilities, has_home=can_go_home)
            return PtzHead(camera_id=camera_id, abilities=abilities, presets=presets, status=status)

        return await self._with_session(head, ask)

    async def move(self, actor: Actor, owner: Hashable, camera_id: str, velocity: Velocity) -> None:
        """Turn with this speed until `stop`; asked again at least every second, or the camera stops.

        Raises:
            NotPermittedError: The actor is no operator, somebody else steers, or the camera has privacy masks.
            BadInputError, UnavailableError: As `look`.
        """
        if velocity == Velocity():
            await self.stop(actor, owner, camera_id)
            return
        require(actor, Role.OPERATOR)
        ticket = self._draw(camera_id, owner)
        try:
            head = await self._take_to_turn(actor, owner, camera_id)
        except BadInputError:
            self._tickets.pop((camera_id, owner), None)
            raise
        if self._tickets.get((camera_id, owner)) != ticket:
            return
        head.wanted, head.renewed_s = velocity, self._clock.monotonic()
        if head.watch is None or head.watch.done():
            head.watch = self._spawn(self._watch(head))
        try:
            await self._send(head)
        except ConsoleError:
            head.wanted = None
            raise

    async def stop(self, actor: Actor, owner: Hashable, camera_id: str) -> None:
        """Stand still; of somebody who does not steer nothing happens.

        Raises:
            UnavailableError: The camera does not answer; it is asked again, and stops by itself after a while.
        """
        require(actor, Role.OPERATOR)
        if (camera_id, owner) in self._tickets:
            self._draw(camera_id, owner)
        head = self._heads.get(camera_id)
        if head is not None and head.holder is not None and head.holder.owner == owner:
            await self._stop(head)

    async def step(self, actor: Actor, owner: Hashable, camera_id: str, by: Velocity) -> None:
        """Turn by a part of the head's range; raises as `move`."""
        head = await self._take_to_turn(actor, owner, camera_id)
        await self._tell(head, lambda session: session.camera.step(session.profile, by))

    async def go(
        self, actor: Actor, owner: Hashable, camera_id: str, *, pan: float, tilt: float, zoom: float | None
    ) -> None:
        """Turn to a direction in generic units; raises as `move`."""
        head = await self._take_to_turn(actor, owner, camera_id)
        await self._tell(head, lambda session: session.camera.go(session.profile, pan=pan, tilt=tilt, zoom=zoom))

    async def go_to_preset(self, actor: Actor, owner: Hashable, camera_id: str, token: str) -> None:
        """Turn to a remembered direction; an empty token is home. Raises as `move`."""
        if not token:
            await self.go_home(actor, owner, camera_id)
            return
        head = await self._take_to_turn(actor, owner, camera_id)
        await self._tell(head, lambda session: session.camera.go_to_preset(session.profile, token))

    async def go_home(self, actor: Actor, owner: Hashable, camera_id: str) -> None:
        """Turn to the view that the camera's scene was drawn for: where it stood before it was turned from here.

        Where the camera does not say where it looks, that is what it calls home itself. Raises as `move`.
        """
        camera = await self._camera(camera_id)
        if self._homes.away_since(camera_id) is None:
            _refuse_private(camera)
        head = await self._take(actor, owner, camera)
        n_turns = await self._leave_home(head)

        async def turn(session: _Session) -> None:
            # Another wish that came meanwhile is told after this one, or was told before: who knows where that ends.
            head.is_sent_home = head.n_turns == n_turns
            home = self._homes.home_of(camera_id)
            if home.pan is not None and home.tilt is not None and session.abilities.can_go:
                await session.camera.go(session.profile, pan=home.pan, tilt=home.tilt, zoom=home.zoom)
            else:
                await session.camera.go_home(session.profile)

        await self._tell(head, turn)

    async def set_home(self, actor: Actor, owner: Hashable, camera_id: str) -> None:
        """Say that the camera's scene is drawn for where its head stands now.

        One that is away and cannot be asked any more is taken at the supervisor's word: a fixed camera may hang in its
        place.

        Raises:
            NotPermittedError: The actor is no supervisor, or somebody else steers.
            BadInputError: The head still turns; otherwise as `look`.
        """
        require(actor, Role.SUPERVISOR)
        is_away = self._homes.away_since(camera_id) is not None
        camera = await (self._cameras.get(camera_id) if is_away else self._camera(camera_id))
        head = await self._take(actor, owner, camera)
        async with head.standing:
            try:
                stands = await self._where(head)
            except ConsoleError as error:
                if not is_away:
                    raise
                log.warning("camera %s is at home by word, it cannot be asked: %s", camera_id, error)
                stands = PtzStatus()
            if stands.is_moving or head.wanted is not None or head.sent is not None:
                raise BadInputError("The head still turns.", hint="Wait until it stands, then say it again.")
            await self._homes.set_home(camera_id, stands)
        self._tell_turned(head)
        self._bus.publish(ViewAccepted(camera_id=camera_id))
        await self._audit(actor, "camera.home", camera_id, "")

    async def set_preset(
        self, actor: Actor, owner: Hashable, camera_id: str, *, name: str, token: str = ""
    ) -> tuple[Preset, ...]:
        """Remember the direction of now, under a new name or in the place of `token`.

        Returns:
            All presets.

        Raises:
            NotPermittedError: The actor is no supervisor, or somebody else steers.
            BadInputError: The name cannot be used; otherwise as `look`.
        """
        require(actor, Role.SUPERVISOR)
        name = storable(name).strip()
        if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
            raise BadInputError("The preset needs a name.", hint=f"Use 1 to {MAX_NAME_LENGTH} letters and digits.")
        head = await self._take(actor, owner, await self._camera(camera_id))
        await self._tell(head, lambda session: session.camera.set_preset(session.profile, name, token))
        await self._audit(actor, "camera.preset_set", camera_id, name)
        return await self._with_session(head, lambda session: session.camera.presets(session.profile))

    async def remove_preset(self, actor: Actor, owner: Hashable, camera_id: str, token: str) -> tuple[Preset, ...]:
        """Forget a direction; returns what is left. Raises as `set_preset`."""
        require(actor, Role.SUPERVISOR)
        head = await self._take(actor, owner, await self._camera(camera_id))
        await self._tell(head, lambda session: session.camera.remove_preset(session.profile, token))
        await self._audit(actor, "camera.preset_remove", camera_id, token)
        return await self._with_session(head, lambda session: session.camera.presets(session.profile))

    def release(self, owner: Hashable) -> None:
        """A console is gone: what it turned stands still, what it held is free."""
        self._tickets = {key: ticket for key, ticket in self._tickets.items() if key[1] != owner}
        for head in self._heads.values():
            if head.holder is not None and head.holder.owner == owner:
                self._let_go(head)
                self._end_turning(head)

    async def close(self) -> None:
        """Stop what still turns, and end."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        turning = [head for head in self._heads.values() if head.wanted is not None or head.sent is not None]
        stopping = [asyncio.ensure_future(self._stop(head)) for head in turning]
        if stopping:
            await asyncio.wait(stopping, timeout=self._timeout_s)
        for task in (*stopping, *self._tasks):
            task.cancel()
        await asyncio.gather(*stopping, *self._tasks, return_exceptions=True)

    # -- who steers -----------------------------------------------------------------------------------------------

    async def _take_to_turn(self, actor: Actor, owner: Hashable, camera_id: str) -> _Head:
        """Let the actor have the camera, whose head leaves home with this."""
        require(actor, Role.OPERATOR)
        camera = await self._camera(camera_id)
        _refuse_private(camera)
        head = await self._take(actor, owner, camera)
        await self._leave_home(head)
        return head

    async def _take(self, actor: Actor, owner: Hashable, camera: Camera) -> _Head:
        """Let the actor have the camera, or say who has it."""
        require(actor, Role.OPERATOR)
        head = self._head(camera)
        holder = head.holder if self._is_held(head) else None
        if holder is not None and holder.owner != owner and not _outranks(actor, holder.actor):
            desk = f" at {holder.actor.desk}" if holder.actor.desk else ""
            raise NotPermittedError(
                f"{holder.actor.name}{desk} steers {camera.name}.",
                hint=f"It is free {self._hold_s:g} s after the last move; a supervisor may take it at once.",
            )
        head.holder = _Holder(actor, owner, self._clock.monotonic() + self._hold_s)
        if holder is None or holder.owner != owner:
            self._bus.publish(SteeringChanged(steering=self._steering(head)))
            detail = "" if holder is None else f"taken from {holder.actor.name}"
            self._spawn(self._audit(actor, "camera.steer", head.camera_id, detail))
            self._spawn(self._free_later(head))
        return head

    def _draw(self, camera_id: str, owner: Hashable) -> int:
        """Number a wish as it comes in: a move that still looks its camera up must not outlive the stop behind it."""
        ticket = self._tickets.get((camera_id, owner), 0) + 1
        self._tickets[camera_id, owner] = ticket
        return ticket

    async def _free_later(self, head: _Head) -> None:
        holder = head.holder
        assert holder is not None
        owner = holder.owner
        while head.holder is not None and head.holder.owner == owner:
            left_s = head.holder.until_s - self._clock.monotonic()
            if left_s <= 0:
                self._let_go(head)
                return
            await asyncio.sleep(max(0.02, left_s))

    def _let_go(self, head: _Head) -> None:
        head.holder = None
        self._bus.publish(SteeringChanged(steering=self._steering(head)))

    def _is_held(self, head: _Head) -> bool:
        return head.holder is not None and head.holder.until_s > self._clock.monotonic()

    def _steering(self, head: _Head) -> Steering:
        actor = None if head.holder is None else head.holder.actor
        return Steering(
            camera_id=head.camera_id,
            by="" if actor is None else actor.name,
            desk="" if actor is None else actor.desk,
            away_since=self._homes.away_since(head.camera_id),
        )

    # -- home -----------------------------------------------------------------------------------------------------

    async def _leave_home(self, head: _Head) -> int:
        """Store and tell that a head is away, before it turns: what happens after that, nobody may have missed it.

        Returns:
            The number of this turn.
        """
        async with head.standing:
            head.n_turns += 1
            head.is_sent_home = False
            n_turns = head.n_turns
            if self._homes.away_since(head.camera_id) is not None:
                return n_turns
            await self._homes.leave(head.camera_id, await self._where(head))
        self._tell_turned(head)
        self._await_home(head)
        return n_turns

    def _tell_turned(self, head: _Head) -> None:
        self._bus.publish(HeadTurned(camera_id=head.camera_id))
        self._bus.publish(SteeringChanged(steering=self._steering(head)))

    def _await_home(self, head: _Head) -> None:
        if head.homing is None or head.homing.done():
            head.homing = self._spawn(self._watch_home(head))

    async def _watch_home(self, head: _Head) -> None:
        """Look where a head stands until it is at home, by whatever way it came there."""
        since_s, n_turns, before = math.inf, head.n_turns, PtzStatus()
        while self._homes.away_since(head.camera_id) is not None:
            await asyncio.sleep(self._look_home_s)
            try:
                stands = await self._where(head)
            except ConsoleError:
                since_s = math.inf
                continue
            now_s = self._clock.monotonic()
            may_be = head.n_turns == n_turns and self._may_be_home(head, stands, before)
            n_turns, before = head.n_turns, stands
            since_s = min(since_s, now_s) if may_be else math.inf
            is_told = stands.has_place or stands.is_moving is not None
            if now_s - since_s >= self._settle_s * (1.0 if is_told else SILENT_SETTLES):
                await self._arrive(head, n_turns, stands)

    def _may_be_home(self, head: _Head, stands: PtzStatus, before: PtzStatus) -> bool:
        if stands.is_moving or head.wanted is not None or head.sent is not None:
            return False
        home = self._homes.home_of(head.camera_id)
        if home.has_place and stands.has_place:
            return is_near(home, stands)
        # It went where it was sent, as far as anybody can tell.
        return head.is_sent_home and (stands.is_moving is not None or stands == before)

    async def _arrive(self, head: _Head, n_turns: int, stands: PtzStatus) -> None:
        async with head.standing:
            if head.n_turns != n_turns:
                return
            try:
                await self._homes.arrive(head.camera_id, stands)
            except UnavailableError as error:
                log.warning("camera %s stands at home, which waits for the database: %s", head.camera_id, error)
                return
        self._tell_turned(head)

    async def _where(self, head: _Head) -> PtzStatus:
        """Return where a head stands; empty where the camera does not say."""

        async def ask(session: _Session) -> PtzStatus:
            try:
                return await session.camera.status(session.profile)
            except CameraFaultError:
                return PtzStatus()

        return await self._with_session(head, ask)

    # -- what the camera is told ----------------------------------------------------------------------------------

    async def _stop(self, head: _Head) -> None:
        head.wanted = None
        if head.sent is not None or head.sending.locked():
            await self._send(head)

    async def _send(self, head: _Head) -> None:
        """Tell the camera what is wanted by now: of several waiting wishes only the newest is sent."""
        async with head.sending:
            is_fresh = self._clock.monotonic() - head.sent_s < RESEND_S
            if head.wanted == head.sent and (head.wanted is None or is_fresh):
                return
            if head.wanted is None and head.session is not None:
                await self._send_stop(head, head.session)
            else:
                await self._with_session(head, lambda session: self._send_wanted(head, session))

    async def _send_stop(self, head: _Head, session: _Session) -> None:
        """Stop through the session that made it turn: neither the database nor a keyring may keep a stop waiting."""
        try:
            await self._send_wanted(head, session)
        except LoginRefusedError:
            head.session = None
            await self._with_session(head, lambda opened: self._send_wanted(head, opened))

    async def _send_wanted(self, head: _Head, session: _Session) -> None:
        wanted = head.wanted
        if wanted is None:
            await session.camera.stop(session.profile)
            head.sent = None
            return
        # From here on it may turn, whatever we hear of it.
        head.sent, head.sent_s = wanted, -math.inf
        await session.camera.move(session.profile, wanted, for_s=CAMERA_STOPS_S)
        head.sent_s = self._clock.monotonic()

    async def _tell(self, head: _Head, ask: Callable[[_Session], Awaitable[T]]) -> T:
        """Ask for something else than turning, in order with it."""
        head.wanted = None
        async with head.sending:
            answer = await self._with_session(head, ask)
            head.sent = None
            return answer

    async def _watch(self, head: _Head) -> None:
        """Stop what nobody renews; where the camera does not take the stop, say it again."""
        n_failures = 0
        while head.wanted is not None or head.sent is not None:
            left_s = head.renewed_s + self._dead_man_s - self._clock.monotonic()
            if left_s > 0 and head.wanted is not None:
                await asyncio.sleep(left_s)
                continue
            try:
                await self._stop(head)
            except ConsoleError as error:
                n_failures += 1
                if n_failures >= N_STOP_TRIES:
                    log.error("camera %s did not take a stop, it ends its move by itself: %s", head.camera_id, error)
                    head.sent = None
                    return
                await asyncio.sleep(0.5)

    async def _with_session(self, head: _Head, ask: Callable[[_Session], Awaitable[T]]) -> T:
        """Ask through an open camera; one that was open for long may have forgotten us, and is opened anew once."""
        was_open = head.session is not None
        session = await self._open(head)
        try:
            return await ask(session)
        except LoginRefusedError as error:
            head.session = None
            if not was_open:
                self._remember_refusal(head, session.key, error)
                raise
        except UnavailableError:
            head.session = None
            raise
        session = await self._open(head)
        try:
            return await ask(session)
        except LoginRefusedError as error:
            head.session = None
            self._remember_refusal(head, session.key, error)
            raise

    async def _open(self, head: _Head) -> _Session:
        async with head.opening:
            n_changes = head.n_changes
            if head.session is not None and head.session.n_changes == n_changes:
                return head.session
            camera = await self._camera(head.camera_id)
            password = await self._cameras.password_of(camera.camera_id) if camera.has_password else ""
            if camera.has_password and not password:
                # Asking without it would be refused, and lock the account in the end.
                raise BadInputError(IS_FORGOTTEN, hint=TYPE_IT_ANEW)
            key = (camera.onvif_address, camera.username, password)
            if head.session is not None and head.session.key == key:
                head.session = replace(head.session, n_changes=n_changes)
                return head.session
            head.session = None
            if head.refusal is not None and head.refused_key == key:
                if self._clock.monotonic() - head.refused_s < REFUSED_FOR_S:
                    raise LoginRefusedError(head.refusal.message, hint=head.refusal.hint)
                head.refusal = None
            opened = OnvifCamera(*key, timeout_s=self._timeout_s)
            try:
                await opened.connect()
                profile = await opened.ptz_profile()
                abilities = await opened.ptz_abilities()
            except LoginRefusedError as error:
                self._remember_refusal(head, key, error)
                raise
            head.session = _Session(key=key, camera=opened, profile=profile, abilities=abilities, n_changes=n_changes)
            return head.session

    def _on_changed(self, event: CameraChanged) -> None:
        head = self._heads.get(event.camera.camera_id)
        if head is not None:
            head.n_changes += 1
            if not event.camera.is_enabled:
                self._end_turning(head)

    def _on_removed(self, event: CameraRemoved) -> None:
        head = self._heads.pop(event.camera_id, None)
        self._tickets = {key: ticket for key, ticket in self._tickets.items() if key[0] != event.camera_id}
        self._spawn(self._homes.forget(event.camera_id))
        if head is not None:
            if head.homing is not None:
                head.homing.cancel()
            if head.holder is not None:
                self._let_go(head)
            self._end_turning(head)

    def _end_turning(self, head: _Head) -> None:
        if head.wanted is not None or head.sent is not None:
            head.wanted, head.renewed_s = None, -math.inf
            if head.watch is None or head.watch.done():
                head.watch = self._spawn(self._watch(head))

    def _remember_refusal(self, head: _Head, key: tuple[str, str, str], error: LoginRefusedError) -> None:
        head.refused_key, head.refused_s, head.refusal = key, self._clock.monotonic(), error

    async def _camera(self, camera_id: str) -> Camera:
        camera = await self._cameras.get(camera_id)
        if not camera.onvif_address:
            raise BadInputError(
                f"{camera.name} has no ONVIF address.", hint="A supervisor can enter it in the camera's settings."
            )
        if not camera.is_enabled:
            raise BadInputError(f"{camera.name} is disabled.", hint="Enable it first.")
        return camera

    def _head(self, camera: Camera) -> _Head:
        return self._heads.setdefault(camera.camera_id, _Head(camera_id=camera.camera_id))

    async def _audit(self, actor: Actor, action: str, camera_id: str, detail: str) -> None:
        await audit.record(self._store, self._clock, actor, action=action, subject=camera_id, detail=detail)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("steering: %s", task.exception(), exc_info=task.exception())


def _outranks(actor: Actor, other: Actor) -> bool:
    return actor.role >= Role.SUPERVISOR and actor.role > other.role


def _refuse_private(camera: Camera) -> None:
    """Refuse to turn a camera whose privacy masks lie where they were drawn, whatever the picture shows."""
    if camera.scene.private_parts:
        raise NotPermittedError(
            f"{camera.name} has privacy masks, which do not turn with its head.",
            hint="Set them up in the camera itself, where they do; a supervisor can then remove them in Scene.",
        )
