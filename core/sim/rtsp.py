"""An RTSP camera without hardware: plays a clip over TCP or UDP, and fails on request.

`python -m core.sim.rtsp CLIP --port 8554` serves a clip to whoever sets up a room without cameras.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
import os
import random
import secrets
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.sim.h264 import RTP_CLOCK_HZ, Clip, Packetiser, load_clip

log = logging.getLogger(__name__)
T = TypeVar("T")

_REALM = "camera"
_CALL_TIMEOUT_S = 10.0
_MAX_LATENESS_S = 0.5
_N_SENT_KEPT = 5000
_SENDER_REPORT_EVERY_S = 5.0
_UDP_BURST_PACKETS = 16
_FIRST_TICKS = 900_000
_PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"


class Authentication(StrEnum):
    """How a camera asks who is there."""

    BASIC = "basic"
    DIGEST = "digest"


class Content(StrEnum):
    """What comes out of the camera."""

    VIDEO = "video"
    AUDIO_ONLY = "audio_only"
    UNKNOWN_CODEC = "unknown_codec"
    """Described as a codec that nobody knows."""

    CORRUPT = "corrupt"
    """Described as H.264, but the bytes are noise."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One RTSP request; header names are lower case."""

    method: str
    uri: str
    headers: dict[str, str]


class RtspCamera:
    """One camera on one port, on a loop and thread of its own; every method may be called from any thread.

    The picture starts anew for every client, and its timestamps go on through loops, stalls and changes of the clip.
    """

    def __init__(
        self,
        clip: Path,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        path: str = "stream",
        username: str = "",
        password: str = "",
        authentication: Authentication = Authentication.DIGEST,
    ) -> None:
        """Read the clip; nothing listens before `start`.

        Args:
            clip: MP4 with H.264.
            host: Address to listen on; 0.0.0.0 opens the camera to the whole network.
            port: 0 takes a free one; the camera keeps it over `refuse` and `accept`.
            path: Of the address; others are answered with 404.
            username: Empty lets everyone in.
            password: Compared as text.
            authentication: Asked for where there is a user name.

        Raises:
            BadInputError: The clip cannot be used.
        """
        self._clip = load_clip(Path(clip))
        self._content = Content.VIDEO
        self._host = host
        self._port = port
        self._path = path.strip("/")
        self._username = username
        self._password = password
        self._authentication = authentication
        self._nonce = secrets.token_hex(16)
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._time_offset_s = 0.0
        self._clock_offset_s = 0.0
        self._n_keys_to_halve = 0
        self._datagram_loss = 0.0
        self._fate = random.Random(11)
        self._newest_player: _Player | None = None
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flowing: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.n_sessions = 0
        """Clients that reached PLAY since the start."""

    # Life

    def start(self) -> RtspCamera:
        """Listen.

        Raises:
            UnavailableError: The port is taken.
        """
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="rtsp-camera", daemon=True)
        self._thread.start()
        ready.wait(_CALL_TIMEOUT_S)
        try:
            self._call(self._listen())
        except OSError as error:
            self.close()
            raise UnavailableError(
                f"A camera cannot listen on {self._host}:{self._port}: {error.strerror or error}.",
                hint="Choose another port.",
            ) from error
        return self

    def close(self) -> None:
        """Cut every client, stop listening, end the thread."""
        if self._loop is None or self._thread is None:
            return
        self._call(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIMEOUT_S)
        self._thread = None
        self._loop = None

    def __enter__(self) -> RtspCamera:
        """Start listening."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the camera."""
        self.close()

    # What a client needs to know

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first start."""
        return self._port

    @property
    def url(self) -> str:
        """The address, without user name and password."""
        return f"rtsp://{self._host}:{self._port}/{self._path}"

    @property
    def n_clients(self) -> int:
        """Connections open right now."""
        return len(self._connections)

    @property
    def n_pictures_sent(self) -> int:
        """Pictures that the newest client was sent."""
        player = self._newest_player
        return 0 if player is None else player.n_sent

    def sent_at(self, pts_s: float) -> float | None:
        """Return when the newest client was sent the picture with this time stamp.

        Args:
            pts_s: As the client sees it: seconds since its first picture.

        Returns:
            `time.monotonic()` seconds; None where that picture was not sent, or is long gone.
        """
        player = self._newest_player
        return None if player is None else player.sent.get(round(pts_s * RTP_CLOCK_HZ))

    # Faults

    def stall(self) -> None:
        """Stay connected and say nothing: no pictures, no answers, also to new clients."""
        self._call(self._set_flowing(is_flowing=False))

    def go(self) -> None:
        """End a stall; the picture goes on where it stood, with the time it lost in its time stamps."""
        self._call(self._set_flowing(is_flowing=True))

    def drop_clients(self) -> None:
        """Reset every connection."""
        self._call(self._drop())

    def refuse(self) -> None:
        """Stop listening; clients that are connected stay."""
        self._call(self._stop_listening())

    def accept(self) -> None:
        """Listen again on the same port."""
        self._call(self._listen())

    def show(self, content: Content) -> None:
        """Change what comes out; a changed description reaches clients that connect from now on."""
        self._call(self._set_content(content))

    def switch_clip(self, clip: Path) -> None:
        """Go on with another clip in the middle of every client's stream, as a camera does whose size is changed.

        Raises:
            BadInputError: The clip cannot be used; the old one plays on.
        """
        self._call(self._set_clip(load_clip(Path(clip))))

    def jump_time(self, seconds: float) -> None:
        """Let the time stamps of the pictures jump, back where negative, as after a camera's encoder began anew."""
        self._call(self._shift(time_s=seconds))

    def step_clock(self, seconds: float) -> None:
        """Set the camera's wall clock, as its time server does; the pictures go on."""
        self._call(self._shift(clock_s=seconds))

    def lose_datagrams(self, share: float) -> None:
        """Lose this share of what is sent by UDP; 1.0 is a firewall that lets the conversation through only."""
        self._call(self._set_loss(share))

    def halve_key_frames(self, n_frames: int = 1) -> None:
        """Lose the second half of the next key pictures on the way."""
        self._call(self._halve(n_frames))

    # On the loop

    def _run(self, ready: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        self._loop = loop
        self._flowing = asyncio.Event()
        self._flowing.set()
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise UnavailableError("The camera simulator is not running.", hint="Start it first.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT_S)

    async def _listen(self) -> None:
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._serve, self._host, self._port, reuse_address=True)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _drop(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    async def _set_flowing(self, *, is_flowing: bool) -> None:
        assert self._flowing is not None
        if is_flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _set_content(self, content: Content) -> None:
        self._content = content

    async def _set_clip(self, clip: Clip) -> None:
        self._clip = clip

    async def _shift(self, *, time_s: float = 0.0, clock_s: float = 0.0) -> None:
        self._time_offset_s += time_s
        self._clock_offset_s += clock_s

    async def _set_loss(self, share: float) -> None:
        self._datagram_loss = share

    def _loses_datagram(self) -> bool:
        return self._fate.random() < self._datagram_loss

    async def _halve(self, n_frames: int) -> None:
        self._n_keys_to_halve = n_frames

    async def _shut_down(self) -> None:
        await self._stop_listening()
        await self._drop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("a client of the camera simulator left: %r", error)
        except asyncio.CancelledError:
            pass  # The camera is closing: the connection ends with it.
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)
            connection.close()

    # What a connection asks its camera

    async def _until_flowing(self) -> None:
        assert self._flowing is not None
        await self._flowing.wait()

    def _note_player(self, player: _Player) -> None:
        self._newest_player = player
        self.n_sessions += 1

    def _description(self) -> str:
        match self._content:
            case Content.AUDIO_ONLY:
                media = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track1\r\n"
            case Content.UNKNOWN_CODEC:
                media = f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 X-NOBODY/{RTP_CLOCK_HZ}\r\na=control:track1\r\n"
            case _:
                media = self._clip.sdp()
        return (
            f"v=0\r\no=- 0 0 IN IP4 {self._host}\r\ns=Watchfloor camera simulator\r\nt=0 0\r\na=range:npt=0-\r\n{media}"
        )

    def _knows(self, uri: str) -> bool:
        path = uri.split("://", 1)[-1].partition("/")[2].partition("?")[0].strip("/")
        return path == self._path or path.startswith(f"{self._path}/")

    def _admits(self, request: _Request) -> bool:
        if not self._username:
            return True
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != self._authentication:
            return False
        if self._authentication is Authentication.BASIC:
            expected = base64.b64encode(f"{self._username}:{self._password}".encode()).decode()
        else:
            fields = _digest_fields(rest)
            if fields.get("username") != self._username or fields.get("nonce") != self._nonce:
                return False
            rest = fields.get("response", "")
            secret = _md5(f"{self._username}:{_REALM}:{self._password}")
            asked = _md5(f"{request.method}:{fields.get('uri', '')}")
            expected = _md5(f"{secret}:{self._nonce}:{asked}")
        return hmac.compare_digest(rest.strip().encode(), expected.encode())

    def _challenge(self) -> str:
        if self._authentication is Authentication.BASIC:
            return f'Basic realm="{_REALM}"'
        return f'Digest realm="{_REALM}", nonce="{self._nonce}"'


class _Connection:
    """One client's RTSP connection (RFC 2326)."""

    def __init__(self, camera: RtspCamera, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._camera = camera
        self._reader = reader
        self._writer = writer
        self._session = secrets.token_hex(8)
        self._carrier: _TcpCarrier | _UdpCarrier | None = None
        self._playing: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Answer requests until the client leaves."""
        while (request := await self._read()) is not None:
            await self._camera._until_flowing()
            await self._answer(request)
            await self._writer.drain()
            if request.method == "TEARDOWN":
                return

    def abort(self) -> None:
        """Reset the connection without a goodbye."""
        self._writer.transport.abort()

    def close(self) -> None:
        """End what belongs to this client."""
        if self._playing is not None:
            self._playing.cancel()
        if self._carrier is not None:
            self._carrier.close()
        self._writer.close()

    async def _read(self) -> _Request | None:
        first = await self._reader.read(1)
        while first in (b"$", b"\r", b"\n"):
            if first == b"$":
                # Receiver reports come interleaved with the requests.
                head = await self._reader.readexactly(3)
                await self._reader.readexactly(int.from_bytes(head[1:3], "big"))
            first = await self._reader.read(1)
        if not first:
            return None
        lines = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        n_body = headers.get("content-length", "0")
        if n_body.isdecimal() and int(n_body) > 0:
            await self._reader.readexactly(min(int(n_body), 65_536))
        return _Request(method, rest.rpartition(" ")[0], headers)

    async def _answer(self, request: _Request) -> None:
        if request.method == "OPTIONS":
            self._reply(request, 200, "OK", {"Public": _PUBLIC})
            return
        if not self._camera._admits(request):
            self._reply(request, 401, "Unauthorized", {"WWW-Authenticate": self._camera._challenge()})
            return
        if not self._camera._knows(request.uri):
            self._reply(request, 404, "Not Found")
            return
        answer: dict[str, Callable[[_Request], Awaitable[None]]] = {
            "DESCRIBE": self._describe,
            "SETUP": self._set_up,
            "PLAY": self._play,
            "PAUSE": self._pause,
        }
        if request.method in answer:
            await answer[request.method](request)
        elif request.method in ("GET_PARAMETER", "SET_PARAMETER", "TEARDOWN"):
            self._reply(request, 200, "OK", {"Session": self._session})
        else:
            self._reply(request, 501, "Not Implemented")

    async def _describe(self, request: _Request) -> None:
        base = request.uri.rstrip("/") + "/"
        self._reply(
            request,
            *(200, "OK", {"Content-Type": "application/sdp", "Content-Base": base}),
            body=self._camera._description(),
        )

    async def _set_up(self, request: _Request) -> None:
        fields = _transport_fields(request.headers.get("transport", ""))
        if "RTP/AVP/TCP" in fields:
            channel = int(fields.get("interleaved", "0-1").partition("-")[0] or 0)
            carrier: _TcpCarrier | _UdpCarrier = _TcpCarrier(self._writer, channel)
        elif "client_port" in fields and "multicast" not in fields:
            peer = str(self._writer.get_extra_info("peername")[0])
            port = int(fields["client_port"].partition("-")[0])
            carrier = await _open_udp(self._camera._host, peer, port, self._camera._loses_datagram)
        else:
            self._reply(request, 461, "Unsupported Transport")
            return
        if self._carrier is not None:
            self._carrier.close()
        self._carrier = carrier
        self._reply(request, 200, "OK", {"Transport": carrier.transport, "Session": f"{self._session};timeout=60"})

    async def _play(self, request: _Request) -> None:
        if self._carrier is None:
            self._reply(request, 455, "Method Not Valid in This State")
            return
        player = _Player(self._camera, self._carrier)
        info = f"url={request.uri.rstrip('/')}/track1;seq=1;rtptime={_FIRST_TICKS}"
        self._reply(request, 200, "OK", {"Session": self._session, "Range": "npt=0-", "RTP-Info": info})
        await self._pause_player()
        self._camera._note_player(player)
        self._playing = asyncio.create_task(player.play())

    async def _pause(self, request: _Request) -> None:
        await self._pause_player()
        self._reply(request, 200, "OK", {"Session": self._session})

    async def _pause_player(self) -> None:
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    def _reply(
        self, request: _Request, code: int, reason: str, headers: dict[str, str] | None = None, body: str = ""
    ) -> None:
        lines = [f"RTSP/1.0 {code} {reason}", f"CSeq: {request.headers.get('cseq', '0')}", "Server: Watchfloor"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


class _TcpCarrier:
    """RTP inside the RTSP connection (RFC 2326, 10.12)."""

    def __init__(self, writer: asyncio.StreamWriter, channel: int) -> None:
        self._writer = writer
        self._channel = channel
        self.transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"

    async def send(self, packets: list[bytes]) -> None:
        """Write one picture at once; waits where the client does not read."""
        self._writer.write(b"".join(self._framed(packet, self._channel) for packet in packets))
        await self._writer.drain()

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet."""
        self._writer.write(self._framed(packet, self._channel + 1))

    def close(self) -> None:
        """Leave the connection to its owner."""

    def _framed(self, packet: bytes, channel: int) -> bytes:
        return b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet


class _UdpCarrier:
    """RTP and RTCP as datagrams from a pair of neighbouring ports."""

    def __init__(
        self,
        media: asyncio.DatagramTransport,
        control: asyncio.DatagramTransport,
        client_port: int,
        is_lost: Callable[[], bool],
    ) -> None:
        self._is_lost = is_lost
        self._media = media
        self._control = control
        port = media.get_extra_info("sockname")[1]
        self.transport = f"RTP/AVP;unicast;client_port={client_port}-{client_port + 1};server_port={port}-{port + 1}"

    async def send(self, packets: list[bytes]) -> None:
        """Send one picture in small bursts: a key picture at once would overflow the client's socket."""
        for number, packet in enumerate(packets, start=1):
            if not self._is_lost():
                self._media.sendto(packet)
            if number % _UDP_BURST_PACKETS == 0:
                await asyncio.sleep(0.001)

    def send_control(self, packet: bytes) -> None:
        """Send an RTCP packet."""
        if not self._is_lost():
            self._control.sendto(packet)

    def close(self) -> None:
        """Give both ports back."""
        self._media.close()
        self._control.close()


async def _open_udp(host: str, peer: str, client_port: int, is_lost: Callable[[], bool]) -> _UdpCarrier:
    loop = asyncio.get_running_loop()
    for _ in range(50):
        media, _protocol = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(host, 0), remote_addr=(peer, client_port)
        )
        port = media.get_extra_info("sockname")[1]
        if port % 2 == 0:
            with contextlib.suppress(OSError):
                control, _protocol = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, local_addr=(host, port + 1), remote_addr=(peer, client_port + 1)
                )
                return _UdpCarrier(media, control, client_port, is_lost)
        media.close()
    raise OSError("no pair of free UDP ports")


class _Player:
    """Sends the camera's picture to one client at its own speed, for ever.

    Attributes:
        sent: `time.monotonic()` by ticks since the first picture.
    """

    def __init__(self, camera: RtspCamera, carrier: _TcpCarrier | _UdpCarrier) -> None:
        self._camera = camera
        self._carrier = carrier
        self._began_at_s = 0.0
        self._reported_at_s = 0.0
        self._noise = random.Random(7)
        self.sent: OrderedDict[int, float] = OrderedDict()
        self.n_sent = 0

    async def play(self) -> None:
        """Play until cancelled."""
        self._began_at_s = time.monotonic()
        with contextlib.suppress(OSError):
            if self._camera._content is Content.AUDIO_ONLY:
                await self._play_silence()
            else:
                await self._play_video()

    async def _play_video(self) -> None:
        packets = Packetiser(ssrc=secrets.randbits(32))
        offset_s = 0.0
        first_ticks: int | None = None
        while True:
            clip = self._camera._clip
            last_s = 0.0
            for unit in clip.units:
                offset_s += await self._wait_until(offset_s + unit.decode_s)
                if self._camera._clip is not clip:
                    break
                ticks = round((offset_s + unit.pts_s + self._camera._time_offset_s) * RTP_CLOCK_HZ)
                first_ticks = ticks if first_ticks is None else first_ticks
                nals = (clip.parameter_sets + unit.nals) if unit.is_key else unit.nals
                if self._camera._content is Content.CORRUPT:
                    nals = tuple(self._scrambled(nal) for nal in nals)
                self._note_sent(ticks - first_ticks)
                parts = packets.video(nals, ticks - first_ticks + _FIRST_TICKS)
                if unit.is_key and self._camera._n_keys_to_halve > 0:
                    self._camera._n_keys_to_halve -= 1
                    n_sets = len(clip.parameter_sets)
                    parts = parts[: n_sets + max(1, (len(parts) - n_sets) // 2)]
                await self._send(packets, parts, ticks - first_ticks)
                last_s = unit.decode_s
            else:
                offset_s += clip.duration_s
                continue
            # Another clip: it begins where the next picture of this one was due.
            offset_s += last_s + clip.duration_s / len(clip.units)

    async def _play_silence(self) -> None:
        packets = Packetiser(ssrc=secrets.randbits(32), payload_type=0)
        frame_s, n_samples = 0.02, 160
        offset_s = 0.0
        while True:
            offset_s += await self._wait_until(offset_s)
            ticks = round(offset_s * 8000)
            await self._carrier.send([packets.packet(b"\xff" * n_samples, ticks + _FIRST_TICKS, is_marked=False)])
            offset_s += frame_s

    async def _wait_until(self, due_s: float) -> float:
        """Wait until `due_s` after the beginning, and until no stall holds; returns the seconds lost to stalls."""
        delay_s = self._began_at_s + due_s - time.monotonic()
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        await self._camera._until_flowing()
        late_s = time.monotonic() - self._began_at_s - due_s
        return late_s if late_s > _MAX_LATENESS_S else 0.0

    async def _send(self, packetiser: Packetiser, packets: list[bytes], ticks: int) -> None:
        now_s = time.monotonic()
        if now_s - self._reported_at_s > _SENDER_REPORT_EVERY_S:
            self._reported_at_s = now_s
            now_unix_s = time.time() + self._camera._clock_offset_s
            self._carrier.send_control(packetiser.sender_report(now_unix_s, ticks + _FIRST_TICKS))
        await self._carrier.send(packets)

    def _note_sent(self, ticks: int) -> None:
        self.n_sent += 1
        self.sent[ticks] = time.monotonic()
        if len(self.sent) > _N_SENT_KEPT:
            self.sent.popitem(last=False)

    def _scrambled(self, nal: bytes) -> bytes:
        return nal[:1] + self._noise.randbytes(len(nal) - 1)


def _md5(text: str) -> str:
    # RFC 2617 asks for MD5; cameras of today still do.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _digest_fields(text: str) -> dict[str, str]:
    fields = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        fields[name.lower()] = value.strip().strip('"')
    return fields


def _transport_fields(text: str) -> dict[str, str]:
    """Split the first alternative of a Transport header; words without a value get an empty one."""
    fields = {}
    for part in text.partition(",")[0].split(";"):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    return fields


def main(arguments: list[str] | None = None) -> int:
    """Serve one clip until interrupted; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m core.sim.rtsp",
        description="Serve an H.264 MP4 as a looping RTSP camera.",
        epilog="With --username, the password is read from WATCHFLOOR_RTSP_PASSWORD.",
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 serves the whole network")
    parser.add_argument("--path", default="stream")
    parser.add_argument("--username", default="")
    parser.add_argument("--authentication", choices=[each.value for each in Authentication], default="digest")
    options = parser.parse_args(arguments)
    try:
        if not 0 <= options.port <= 65_535:
            raise BadInputError(f"{options.port} is no port.", hint="Choose one from 1 to 65535.")
        camera = RtspCamera(
            options.clip,
            options.port,
            host=options.host,
            path=options.path,
            username=options.username,
            password=os.environ.get("WATCHFLOOR_RTSP_PASSWORD", ""),
            authentication=Authentication(options.authentication),
        ).start()
    except ConsoleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{camera.url}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    camera.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
