"""The gateway's guard: who may come in, how often, with how much and for how long, before anything of a body is read.

It stands around the whole application. A request passes in this order: route, lock-out, key, purpose, pace, what is
going on already, announced size; then its body is counted and timed while it streams in. A WebSocket passes the same
way; each of its messages is paced, and it ends with its key.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.websockets import WebSocketDisconnect

from core.gateway.http.book import Book, Sender
from core.gateway.http.keys import KeyDesk
from core.gateway.http.limits import Bucket, Buckets, LockOut, Pace
from core.gateway.http.model import GatewayKey, KeyPurpose
from core.gateway.http.refusal import Refused
from core.kernel.clock import Clock

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MAX_AT_ONCE = 64
"""Requests of all senders."""

MAX_SOCKETS = 128
"""WebSockets of all senders."""

MAX_QUERY_BYTES = 2000
STRANGER = Pace(per_s=5.0, burst=20.0)
"""Requests without a right key, of one address."""

SOCKET = "WS"
SUBPROTOCOL, KEY_SUBPROTOCOL = "watchfloor", "key."
"""A browser cannot send headers with a WebSocket: it offers these, the second one with its key behind it."""

LOCKED = "Too many wrong keys came from there."


def _nobody(_address: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLimits:
    """What one route allows to one key, or without keys to one address.

    Attributes:
        purpose: Of the keys that it lets in; None lets everybody in.
        also: Further purposes.
        is_open_to: Which addresses need no key; a wrong one is refused there as well.
        max_body_bytes: 0 where it takes no body.
        body_s: For the whole body to arrive.
        answer_s: For everything.
        n_at_once: Requests that may go on at the same time.
    """

    purpose: KeyPurpose | None
    pace: Pace
    max_body_bytes: int = 0
    body_s: float = 10.0
    answer_s: float = 30.0
    n_at_once: int = 2
    also: frozenset[KeyPurpose] = frozenset()
    is_open_to: Callable[[str], bool] = _nobody


@dataclass(frozen=True, slots=True)
class GuardedPath:
    """One method of one path, and what it allows; `key` names it. The method of a WebSocket is `SOCKET`."""

    key: str
    method: str
    pattern: re.Pattern[str]
    limits: RouteLimits


@dataclass(slots=True)
class Visit:
    """One request that was let in.

    Attributes:
        refusal: Why it was refused after all; empty while it is not.
        is_put_off: It is asked to come again: its sender did nothing wrong, and is not named among those that did.
    """

    sender: Sender
    limits: RouteLimits
    key: GatewayKey | None = None
    refusal: str = ""
    is_put_off: bool = False
    has_answered: bool = False


class Guard:
    """An ASGI application around another one.

    What it let in is `scope["visit"]`. Threads: the owner's loop only.
    """

    def __init__(self, app: App, paths: Sequence[GuardedPath], *, keys: KeyDesk, book: Book, clock: Clock) -> None:
        """Stand before `app`, which knows exactly these paths."""
        self._app = app
        self._paths = tuple(paths)
        self._keys = keys
        self._book = book
        self._clock = clock
        self._lock_out = LockOut()
        self._strangers = Buckets(STRANGER)
        self._paces = {path.key: Buckets(path.limits.pace) for path in paths}
        self._going_on: Counter[str] = Counter()
        self.n_going_on = 0
        self.n_sockets = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            return
        is_socket = scope["type"] == "websocket"
        sender = Sender(address=str((scope.get("client") or ("?",))[0]))
        seat = ""
        try:
            visit, seat = self._admit(scope, sender)
        except _RefusedSenderError as refused:
            self._book.note_refused(refused.sender, refused.why.message)
            await _answer(send, refused.why, is_socket=is_socket)
            return
        self.n_going_on += not is_socket
        self.n_sockets += is_socket
        self._going_on[seat] += 1
        try:
            await (self._hold if is_socket else self._serve)(scope, receive, send, visit)
        finally:
            self.n_going_on -= not is_socket
            self.n_sockets -= is_socket
            self._going_on[seat] -= 1
            if not self._going_on[seat]:
                del self._going_on[seat]
        if visit.refusal:
            self._book.note_refused(visit.sender, visit.refusal)
        else:
            self._book.note_accepted(visit.sender)

    def _admit(self, scope: MutableMapping[str, Any], sender: Sender) -> tuple[Visit, str]:
        """Return the visit and what it counts under.

        Raises:
            _RefusedSenderError: It is not let in.
        """
        headers = {name: value for name, value in scope["headers"] if name in _READ}
        now_s = self._clock.monotonic()
        key: GatewayKey | None = None
        try:
            path = self._path_of(scope)
            if _needs_key(path.limits, headers, sender.address):
                key, sender = self._identify(headers, sender, now_s)
                _check_purpose(key, path.limits)
            subject = key.key_id if key is not None else sender.address
            self._check_pace(path, subject, now_s)
            seat = f"{path.key} {subject}"
            if self._going_on[seat] >= path.limits.n_at_once:
                raise Refused(429, "The request before this one is still going on.", retry_after_s=1.0)
            if self.n_going_on >= MAX_AT_ONCE or self.n_sockets >= MAX_SOCKETS:
                raise Refused(503, "The gateway has too much to do.", hint="Try again.", retry_after_s=2.0)
            _check_announced(headers, path.limits)
        except Refused as why:
            if key is None:
                why = self._slow_down(why, sender, now_s)
            raise _RefusedSenderError(sender, why) from None
        visit = Visit(sender=sender, limits=path.limits, key=key)
        scope["visit"] = visit
        return visit, seat

    def _path_of(self, scope: MutableMapping[str, Any]) -> GuardedPath:
        if len(scope.get("query_string", b"")) > MAX_QUERY_BYTES:
            raise Refused(414, "The address is too long.")
        found = [path for path in self._paths if path.pattern.fullmatch(scope["path"])]
        if not found:
            raise Refused(404, "There is nothing at this address.", hint="See /api/openapi.json.")
        method = str(scope.get("method", SOCKET))
        for path in found:
            if path.method == method:
                return path
        allowed = ", ".join(sorted(path.method for path in found))
        raise Refused(405, f"This address does not know {method[:20]}.", hint=f"It knows {allowed}.")

    def _identify(self, headers: dict[bytes, bytes], sender: Sender, now_s: float) -> tuple[GatewayKey, Sender]:
        token = _token_of(headers)
        if not token:
            raise Refused(401, "A device key is needed.", hint="Send it as: Authorization: Bearer KEY.")
        named = self._keys.named_by(token)
        subject = f"{sender.address} {named}"
        wait_s = self._lock_out.wait_s(subject, now_s)
        if wait_s > 0:
            raise Refused(429, LOCKED, hint="Mend the key of the device, then wait.", retry_after_s=wait_s)
        key = self._keys.find(token)
        if key is not None:
            sender = Sender(address=sender.address, key_id=key.key_id, name=key.name)
        if key is None or key.revoked_at is not None:
            self._lock_out.note_failure(subject, now_s)
            if key is None:
                raise Refused(401, "This device key is not known.", hint="Make a new one in Devices, or gateway-key.")
            raise _RefusedSenderError(
                sender, Refused(401, "This device key was revoked.", hint="Make a new one in Devices, or gateway-key.")
            )
        self._lock_out.forget(subject)
        return key, sender

    def _check_pace(self, path: GuardedPath, subject: str, now_s: float) -> None:
        wait_s = self._paces[path.key].wait_s(subject, now_s)
        if wait_s > 0:
            pace = path.limits.pace
            raise Refused(
                429,
                _too_fast(pace),
                hint="Send more slowly.",
                retry_after_s=wait_s,
            )

    def _slow_down(self, why: Refused, sender: Sender, now_s: float) -> Refused:
        """Count a request without a right key; too many of them all get the same short answer."""
        wait_s = self._strangers.wait_s(sender.address, now_s)
        if wait_s <= 0 or why.status == 429:
            return why
        return Refused(429, "Too many requests that lead nowhere.", retry_after_s=wait_s)

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send, visit: Visit) -> None:
        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.has_answered = True
                if message["status"] >= 400 and not visit.refusal and not visit.is_put_off:
                    visit.refusal = f"It was answered with status {message['status']}."
            await send(message)

        body = _Body(receive, visit.limits)
        why: Refused
        try:
            async with asyncio.timeout(visit.limits.answer_s):
                await self._app(scope, body.receive, send_on)
            return
        except Refused as refused:
            why = refused
        except TimeoutError:
            why = Refused(503, "The answer took too long.", hint="Try again.", retry_after_s=5.0)
        except Exception:
            log.exception("a route of the gateway failed")
            why = Refused(500, "Something broke in the node.", hint="Its log has the details.")
        visit.refusal = why.message
        if not visit.has_answered:
            await _answer(send, why)

    async def _hold(self, scope: MutableMapping[str, Any], receive: Receive, send: Send, visit: Visit) -> None:
        """Let a WebSocket talk for as long as its key counts; what comes too fast is left out and counted."""
        pace = Bucket(visit.limits.pace, at_s=self._clock.monotonic())

        async def receive_on() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                if not self._still_counts(visit):
                    return {"type": "websocket.disconnect", "code": 1008}
                if pace.wait_s(self._clock.monotonic()) <= 0:
                    return message
                self._book.note_unusable(visit.sender, _too_fast(visit.limits.pace))

        async def send_on(message: Message) -> None:
            if not self._still_counts(visit) and message["type"] == "websocket.send":
                message = {"type": "websocket.close", "code": 1008, "reason": "The key does not count any more."}
            await send(message)

        try:
            await self._app(scope, receive_on, send_on)
        except (WebSocketDisconnect, OSError):
            log.debug("%s hung up", visit.sender.words)
        except Exception:
            log.exception("a WebSocket of the gateway failed")

    def _still_counts(self, visit: Visit) -> bool:
        return visit.key is None or self._keys.is_open(visit.key.key_id)


class _Body:
    """A request's body, counted and timed while it comes."""

    def __init__(self, receive: Receive, limits: RouteLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._n_left = limits.max_body_bytes
        self._deadline_s = asyncio.get_running_loop().time() + limits.body_s
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next part.

        Raises:
            Refused: There is more than the route takes, it comes too slowly, or the sender hung up.
        """
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline_s):
                message = await self._receive()
        except TimeoutError:
            raise Refused(
                408,
                f"The body did not arrive within {self._limits.body_s:g} s.",
                hint="Send less, or check the network.",
            ) from None
        if message["type"] == "http.disconnect":
            raise Refused(400, "The sender hung up before the body was whole.", hint="Check its network.")
        self._n_left -= len(message.get("body", b""))
        if self._n_left < 0:
            raise _too_large(self._limits)
        self._is_whole = not message.get("more_body", False)
        return message


class _RefusedSenderError(Exception):
    """A request that was not let in, and who sent it as far as is known."""

    def __init__(self, sender: Sender, why: Refused) -> None:
        super().__init__(why.message)
        self.sender = sender
        self.why = why


_READ = frozenset({b"authorization", b"x-device-key", b"content-length", b"sec-websocket-protocol", b"origin", b"host"})


def _needs_key(limits: RouteLimits, headers: dict[bytes, bytes], address: str) -> bool:
    """Tell whether a request has to show a key; one that is shown is looked at in any case.

    Raises:
        Refused: A browser asks without a key for somebody else's page.
    """
    if limits.purpose is None:
        return False
    if _token_of(headers) or not limits.is_open_to(address):
        return True
    if not _is_own_page(headers.get(b"origin", b"").decode("latin-1"), headers.get(b"host", b"").decode("latin-1")):
        raise Refused(403, "A page of another address asks.", hint="Open the node's own page, or send a device key.")
    return False


def _is_own_page(origin: str, host: str) -> bool:
    """Tell whether a browser asks for a page of ours; programs send no origin.

    Only addresses are believed, no names: a name may lead anywhere a moment later.
    """
    if not origin:
        return True
    there = urlsplit(origin)
    name = there.hostname or ""
    if there.netloc != host:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def _token_of(headers: dict[bytes, bytes]) -> str:
    kind, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    plain = headers.get(b"x-device-key", b"").decode("latin-1").strip()
    offered = headers.get(b"sec-websocket-protocol", b"").decode("latin-1").split(",")
    return plain or next(
        (part.strip()[len(KEY_SUBPROTOCOL) :] for part in offered if part.strip().startswith(KEY_SUBPROTOCOL)), ""
    )


def _check_purpose(key: GatewayKey, limits: RouteLimits) -> None:
    if key.purpose is limits.purpose or key.purpose in limits.also:
        return
    wanted = " or ".join(purpose.value for purpose in (limits.purpose, *sorted(limits.also)) if purpose is not None)
    raise Refused(
        403,
        f"The key {key.name} is for another purpose ({key.purpose.value}).",
        hint=f"This address needs a key of purpose {wanted}.",
    )


def _too_fast(pace: Pace) -> str:
    return f"Requests come too fast: {pace.per_s:g} a second are served."


def _check_announced(headers: dict[bytes, bytes], limits: RouteLimits) -> None:
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and len(announced) < 20 and int(announced) <= limits.max_body_bytes:
        return
    raise _too_large(limits)


def _too_large(limits: RouteLimits) -> Refused:
    if not limits.max_body_bytes:
        return Refused(413, "This address takes no body.")
    most_mb = limits.max_body_bytes / 1e6
    return Refused(413, f"The body is too large: {most_mb:g} MB are taken.", hint="Send smaller pictures.")


async def _answer(send: Send, why: Refused, *, is_socket: bool = False) -> None:
    headers = [*why.headers, (b"content-length", str(len(why.body)).encode())]
    kind = "websocket.http.response" if is_socket else "http.response"
    await send({"type": f"{kind}.start", "status": why.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": why.body})
