"""Commands to devices: kept, sent, sent again, and each with a result that is shown in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.field.model import CommandOutcome, CommandStatus, Device, DeviceCommand
from core.field.mqtt_link import ReplyTo
from core.field.outbox import Outbox
from core.field.payloads import Command, CommandResult, write
from core.field.ports import OPERATOR, Actor, AuditHook
from core.field.topics import Channel, device_topic
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, UnavailableError
from core.kernel.ids import new_id
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import DeviceCommandRow

log = logging.getLogger(__name__)

RESEND_EVERY_S = 5.0
MAX_ARGS = 64
MAX_TTL_S = 3600.0
MAX_PENDING = 10_000
KEEP_AGAIN_S = 2.0
IDS_AT_ONCE = 500
LATE_ANSWER = timedelta(minutes=10)
"""A device that answers after its time is still believed for so long: what it did counts, not what we feared."""

_LONG_AGO_S = -1e9


@dataclass(frozen=True, slots=True)
class CommandChanged:
    """A command went out, was answered, or its time is over."""

    command: DeviceCommand


class Send(Protocol):
    """Queue a message at the link; False where there is none, or its queue is full."""

    def __call__(self, topic: str, payload: bytes, *, expiry_s: float, reply: ReplyTo) -> bool:
        """Queue it with QoS 1."""
        ...


@dataclass(slots=True)
class _Pending:
    """A command without a final answer; `ends_s` is monotonic."""

    command: DeviceCommand
    topic: str
    body: bytes
    ends_s: float
    sent_s: float = float("-inf")

    @property
    def was_sent(self) -> bool:
        return self.sent_s > float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """A command that is not written down yet."""

    command: DeviceCommand
    device: Device
    topic: str
    body: bytes
    ttl_s: float


class Commands:
    """Every command without a final answer.

    Threads: the owner's loop only.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        outbox: Outbox,
        tenant: str,
        audit: AuditHook,
        send: Send,
    ) -> None:
        """Prepare; `load` reads what an earlier start left."""
        self._store, self._bus, self._clock, self._outbox = store, bus, clock, outbox
        self._tenant, self._audit, self._send = tenant, audit, send
        self._pending: dict[str, _Pending] = {}
        self._timed_out: dict[str, tuple[DeviceCommand, float]] = {}
        self._unwritten: dict[str, DeviceCommand] = {}
        """What became of commands and the database does not know yet; written until it does."""

        self._beginning: set[asyncio.Task[None]] = set()
        self._keeping: asyncio.Task[None] | None = None
        self._keep_again_s: float | None = None

    def __len__(self) -> int:
        """Return how many have no final answer yet."""
        return len(self._pending)

    def pending(self) -> tuple[DeviceCommand, ...]:
        """Return the commands without a final answer."""
        return tuple(item.command for item in self._pending.values())

    async def load(self) -> None:
        """Go on with what an earlier start did not finish.

        Raises:
            UnavailableError: The outbox or the database cannot be used.
        """
        now, now_s = self._clock.now(), self._clock.monotonic()
        kept = await self._outbox.open()
        known = await self._store.read(lambda session: _final_ids(session, [command for command, _, _ in kept]))
        ended = [command for command, _, _ in kept if command.status.is_final and command.command_id not in known]
        for command, topic, body in kept:
            if command.status.is_final or command.command_id in known:
                continue
            left_s = _left_s(command, now)
            # It may have left before the node ended, so it counts as sent.
            self._pending[command.command_id] = _Pending(command, topic, body, now_s + left_s, _LONG_AGO_S)
        refused = await self._store.write_each([replace(command, changed_at=now) for command in ended], _update_all)
        await self._store.write(self._close_orphans)
        for command in await self._store.read(lambda session: _timed_out_since(session, now - LATE_ANSWER)):
            ended_s = now_s - (now - (command.changed_at or now)).total_seconds()
            self._timed_out[command.command_id] = (command, ended_s)
        lost = {command.command_id for command in refused}
        await self._outbox.settle([*known, *(one.command_id for one in ended if one.command_id not in lost)])

    async def history(self, device_id: str, *, n_most: int = 200) -> list[DeviceCommand]:
        """Return a device's commands, newest first; an empty id means those of all devices.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> list[DeviceCommand]:
            query = select(DeviceCommandRow).order_by(DeviceCommandRow.created_at.desc()).limit(n_most)
            if device_id:
                query = query.where(DeviceCommandRow.device_id == device_id)
            return [_command(row) for row in session.scalars(query)]

        stored = await self._store.read(read)
        # What was just answered may not be written yet.
        newer = self._unwritten | {item.command.command_id: item.command for item in self._pending.values()}
        return [newer.get(command.command_id, command) for command in stored]

    async def send(
        self, actor: Actor, device: Device, name: str, args: Mapping[str, Any] | None = None, *, ttl_s: float = 30.0
    ) -> DeviceCommand:
        """Keep a command and send it; it is repeated until the device answers or `ttl_s` is over.

        Raises:
            NotPermittedError: Below operator.
            BadInputError: The device is disabled, or the command cannot be written down.
            UnavailableError: Outbox or database cannot be written, or too much waits already; nothing was sent.
        """
        _check_actor(actor)
        new = self._prepare(actor, device, name, args, ttl_s)
        await self._begin_whole(actor, [new])
        return new.command

    async def send_many(
        self,
        actor: Actor,
        devices: Sequence[Device],
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        ttl_s: float = 30.0,
    ) -> list[CommandOutcome]:
        """Send one command to many devices; one that does not offer it, or is disabled, is left out with the reason.

        Raises:
            NotPermittedError: Below operator.
            UnavailableError: Outbox or database cannot be written; nothing was sent.
        """
        _check_actor(actor)
        outcomes, new = [], []
        for device in devices:
            try:
                if name not in device.commands:
                    offered = ", ".join(device.commands) or "none so far"
                    raise BadInputError(f"It does not offer {name}; it offers {offered}.")
                prepared = self._prepare(actor, device, name, args, ttl_s)
            except BadInputError as error:
                outcomes.append(CommandOutcome(device_id=device.device_id, reason=error.message))
                continue
            new.append(prepared)
            outcomes.append(CommandOutcome(device_id=device.device_id, command=prepared.command))
        if new:
            await self._begin_whole(actor, new)
        return outcomes

    def _prepare(self, actor: Actor, device: Device, name: str, args: Mapping[str, Any] | None, ttl_s: float) -> _New:
        if not device.is_enabled:
            raise BadInputError(f"{device.name} is disabled.", hint="Enable it first.")
        if not 1.0 <= ttl_s <= MAX_TTL_S:
            raise BadInputError(f"A command cannot live for {ttl_s:g} s.", hint=f"Use 1 to {MAX_TTL_S:g} s.")
        if not name or len(name) > 64 or len(args or {}) > MAX_ARGS:
            raise BadInputError(f"The command {name[:40]!r} has no usable name or too many arguments.")
        now = self._clock.now()
        command = DeviceCommand(
            command_id=new_id(),
            device_id=device.device_id,
            name=name,
            status=CommandStatus.QUEUED,
            text="",
            sent_by=actor.name,
            created_at=now,
            expires_at=now + timedelta(seconds=ttl_s),
            args=dict(args or {}),
            changed_at=now,
        )
        topic = device_topic(self._tenant, device.device_id, Channel.CMD)
        return _New(command=command, device=device, topic=topic, body=_body(command, actor), ttl_s=ttl_s)

    async def _begin_whole(self, actor: Actor, new: Sequence[_New]) -> None:
        """Begin commands also where whoever asked goes meanwhile: half a beginning would stay queued for ever."""
        task = asyncio.get_running_loop().create_task(self._begin(actor, new))
        self._beginning.add(task)
        task.add_done_callback(self._on_begun)
        await asyncio.shield(task)

    def _on_begun(self, task: asyncio.Task[None]) -> None:
        self._beginning.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a command was not sent: %s", error)

    async def _begin(self, actor: Actor, new: Sequence[_New]) -> None:
        """Write commands down, and have them sent with the next tick."""
        if len(self._pending) + len(new) > MAX_PENDING:
            raise UnavailableError(f"{MAX_PENDING} commands wait for their answers.", hint="Wait a moment.")

        def store(session: Session) -> None:
            for one in new:
                self._add(session, actor, one.device, one.command)

        await self._store.write(store)
        try:
            await self._outbox.add([(one.command, one.topic, one.body) for one in new])
        except UnavailableError as error:
            for one in new:
                self._tell(
                    replace(one.command, status=CommandStatus.FAILED, text=f"It was never sent: {error.message}")
                )
            raise
        for one in new:
            ends_s = self._clock.monotonic() + one.ttl_s
            self._pending[one.command.command_id] = _Pending(one.command, one.topic, one.body, ends_s)
            self._bus.publish(CommandChanged(one.command))

    def tick(self, *, is_connected: bool) -> None:
        """Send what is due, and end what has run out of time; call it ten times a second."""
        now_s = self._clock.monotonic()
        for item in list(self._pending.values()):
            left_s = item.ends_s - now_s
            if left_s <= 0:
                self._end(item)
            elif (
                is_connected
                and item.command.status is CommandStatus.QUEUED
                and now_s - item.sent_s >= RESEND_EVERY_S
                and self._send(
                    item.topic,
                    item.body,
                    expiry_s=left_s,
                    reply=ReplyTo(
                        topic=device_topic(self._tenant, item.command.device_id, Channel.CMD_RES),
                        correlation=item.command.command_id.encode(),
                    ),
                )
            ):
                item.sent_s = now_s
        for command_id, (_, ended_s) in list(self._timed_out.items()):
            if now_s - ended_s > LATE_ANSWER.total_seconds():
                del self._timed_out[command_id]
        if self._keep_again_s is not None and now_s >= self._keep_again_s:
            self._keep_soon()

    def send_again(self) -> None:
        """The connection is a new one: what is not answered goes out at the next tick."""
        for item in self._pending.values():
            if item.was_sent:
                # "Sent" must stay known: a command that left may have been obeyed.
                item.sent_s = _LONG_AGO_S

    def on_result(self, device_id: str, result: CommandResult) -> None:
        """Take in what a device says about a command; about another device's it has nothing to say."""
        status = CommandStatus(result.status)
        item = self._pending.get(result.id)
        if item is not None and item.command.device_id == device_id:
            self._note(item, status, result.text)
            return
        late = self._timed_out.get(result.id)
        if late is not None and late[0].device_id == device_id and status.is_final:
            del self._timed_out[result.id]
            self._tell(replace(late[0], status=status, text=f"{result.text} (answered late)".strip()))

    async def close(self) -> None:
        """Write down what is known, and let the outbox go."""
        running = [*self._beginning, *([] if self._keeping is None else [self._keeping])]
        if running:
            await asyncio.wait(running, timeout=2.0)
        await self._outbox.close()

    def _end(self, item: _Pending) -> None:
        if not item.was_sent:
            self._note(item, CommandStatus.EXPIRED, "There was no link to the broker in its time; it was never sent.")
            return
        was_heard = item.command.status is not CommandStatus.QUEUED
        text = "The device took it but never said how it ended." if was_heard else "The device did not answer."
        self._timed_out[item.command.command_id] = (item.command, self._clock.monotonic())
        self._note(item, CommandStatus.TIMEOUT, text)

    def _note(self, item: _Pending, status: CommandStatus, text: str) -> None:
        if item.command.status is status and item.command.text == text:
            return
        item.command = replace(item.command, status=status, text=text)
        if status.is_final:
            del self._pending[item.command.command_id]
        self._tell(item.command)

    def _tell(self, command: DeviceCommand) -> None:
        command = replace(command, changed_at=self._clock.now())
        item = self._pending.get(command.command_id)
        if item is not None:
            item.command = command
        self._unwritten[command.command_id] = command
        self._bus.publish(CommandChanged(command))
        self._keep_soon()

    def _keep_soon(self) -> None:
        if self._keeping is None or self._keeping.done():
            self._keep_again_s = None
            self._keeping = asyncio.get_running_loop().create_task(self._keep_all())

    async def _keep_all(self) -> None:
        """Write down what became of commands until nothing is left; what cannot be written now is tried again."""
        while self._unwritten:
            try:
                await self._keep(list(self._unwritten.values()))
            except ConsoleError as error:
                log.warning("the answers to %d commands are not kept yet: %s", len(self._unwritten), error)
                self._keep_again_s = self._clock.monotonic() + KEEP_AGAIN_S
                return

    async def _keep(self, commands: Sequence[DeviceCommand]) -> None:
        """Keep in the outbox how commands stand, until the database has it: the node may end in between.

        Raises:
            UnavailableError: The database is away.
        """
        with _logged("the outbox does not know how commands ended"):
            await self._outbox.note(commands)
        refused = await self._store.write_each(commands, _update_all)
        for command in commands:
            if self._unwritten.get(command.command_id) is command:
                del self._unwritten[command.command_id]
        refused_ids = {command.command_id for command in refused}
        ended = [one.command_id for one in commands if one.status.is_final and one.command_id not in refused_ids]
        if ended:
            with _logged("the outbox still holds commands that ended"):
                await self._outbox.settle(ended)

    def _add(self, session: Session, actor: Actor, device: Device, command: DeviceCommand) -> None:
        session.add(
            DeviceCommandRow(
                command_id=command.command_id,
                device_id=command.device_id,
                name=storable(command.name),
                args=command.args,
                status=command.status.value,
                text="",
                sent_by=storable(actor.name),
                created_at=command.created_at,
                expires_at=command.expires_at,
                changed_at=command.changed_at,
            )
        )
        self._audit(
            session,
            actor,
            action="device.command",
            subject=f"{device.name} ({device.device_id})",
            at=command.created_at,
            detail=f"{command.name} {command.args or ''} [{command.command_id}]".replace("  ", " "),
        )

    def _close_orphans(self, session: Session) -> None:
        """End what the outbox no longer has: the node was killed between two steps, or its file was damaged."""
        unfinished = [status.value for status in CommandStatus if not status.is_final]
        session.execute(
            update(DeviceCommandRow)
            .where(
                DeviceCommandRow.status.in_(unfinished), DeviceCommandRow.command_id.not_in(list(self._pending) or [""])
            )
            .values(
                status=CommandStatus.TIMEOUT.value,
                text="The node ended before it knew the answer.",
                changed_at=self._clock.now(),
            )
        )


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        log.warning("%s: %s", what, error)


def _left_s(command: DeviceCommand, now: datetime) -> float:
    """Return for how long a command of an earlier start may still be obeyed.

    One that was given in the future, as the clock has it, has none: the clock was set back meanwhile, and nobody knows
    how long ago that was.
    """
    return 0.0 if now < command.created_at else (command.expires_at - now).total_seconds()


def _final_ids(session: Session, commands: Sequence[DeviceCommand]) -> set[str]:
    """Return which of these commands the database knows to have ended."""
    unfinished = [status.value for status in CommandStatus if not status.is_final]
    ended = select(DeviceCommandRow.command_id).where(DeviceCommandRow.status.not_in(unfinished))
    found: set[str] = set()
    for begin in range(0, len(commands), IDS_AT_ONCE):
        ids = [command.command_id for command in commands[begin : begin + IDS_AT_ONCE]]
        found.update(session.scalars(ended.where(DeviceCommandRow.command_id.in_(ids))))
    return found


def _timed_out_since(session: Session, since: datetime) -> list[DeviceCommand]:
    """Return the commands that no answer came to in their time, and for which one may still come."""
    query = select(DeviceCommandRow).where(
        DeviceCommandRow.status == CommandStatus.TIMEOUT.value,
        DeviceCommandRow.created_at >= since - timedelta(seconds=MAX_TTL_S),
        DeviceCommandRow.changed_at >= since,
    )
    return [_command(row) for row in session.scalars(query)]


def _check_actor(actor: Actor) -> None:
    if actor.role < OPERATOR:
        raise NotPermittedError("Commands to devices need the role operator.")


def _body(command: DeviceCommand, actor: Actor) -> bytes:
    wire = Command(
        id=command.command_id,
        name=command.name,
        args=command.args,
        exp=int(command.expires_at.timestamp() * 1000),
        timestamp=int(command.created_at.timestamp() * 1000),
        user=actor.name,
        desk=actor.desk,
    )
    try:
        return write(wire)
    except (TypeError, ValueError) as error:
        raise BadInputError(f"The arguments of {command.name!r} cannot be written as JSON: {error}.") from error


def _update(session: Session, command: DeviceCommand) -> None:
    session.execute(
        update(DeviceCommandRow)
        .where(DeviceCommandRow.command_id == command.command_id)
        .values(status=command.status.value, text=storable(command.text), changed_at=command.changed_at)
    )


def _update_all(session: Session, commands: Sequence[DeviceCommand]) -> None:
    for command in commands:
        _update(session, command)


def _command(row: DeviceCommandRow) -> DeviceCommand:
    return DeviceCommand(
        command_id=row.command_id,
        device_id=row.device_id,
        name=row.name,
        status=CommandStatus(row.status),
        text=row.text,
        sent_by=row.sent_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        args=row.args,
        changed_at=row.changed_at,
    )
