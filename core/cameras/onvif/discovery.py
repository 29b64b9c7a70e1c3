"""WS-Discovery: ask every network of this machine which cameras there are, and listen for a bounded time.

Source: WS-Discovery (April 2005), ONVIF Core specification, chapter on device discovery.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import psutil

from core.cameras.onvif.http import http_parts
from core.cameras.onvif.model import Discovery, FoundCamera
from core.cameras.onvif.soap import clean_text
from core.kernel.errors import BadInputError
from core.kernel.xml import Element, parse

log = logging.getLogger(__name__)

GROUP = ("239.255.255.250", 3702)
LISTEN_S = 3.0
MAX_PACKETS = 4000
MAX_FOUND = 512
_REPEATS_S = (0.0, 0.25, 0.75)
"""UDP gets lost, and a switch may need a moment before it forwards a group."""

_TYPES = ("dn:NetworkVideoTransmitter", "tds:Device")
_PROBE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
    "<s:Header><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
    "<a:MessageID>urn:uuid:{message_id}</a:MessageID>"
    "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>"
    "<s:Body><d:Probe><d:Types>{types}</d:Types></d:Probe></s:Body></s:Envelope>"
)


@dataclass
class _Listener(asyncio.DatagramProtocol):
    """Takes answers; whatever comes, it goes on listening."""

    message_ids: frozenset[str]
    found: dict[str, FoundCamera] = field(default_factory=dict)
    n_packets: int = 0

    def datagram_received(self, data: bytes, addr: tuple[str | bytes, int]) -> None:
        self.n_packets += 1
        if self.n_packets > MAX_PACKETS:
            return
        try:
            cameras = read_matches(data, sender=str(addr[0]), message_ids=self.message_ids)
        except BadInputError as error:
            log.debug("discovery: a packet is no answer: %s", error)
            return
        for camera in cameras:
            if len(self.found) < MAX_FOUND:
                self.found.setdefault(camera.endpoint, camera)

    def error_received(self, exc: Exception) -> None:
        log.debug("discovery: %s", exc)


async def discover(
    *, listen_s: float = LISTEN_S, target: tuple[str, int] = GROUP, interfaces: Iterable[str] | None = None
) -> Discovery:
    """Ask who is there.

    Args:
        listen_s: How long answers are taken.
        target: The group; tests ask one address.
        interfaces: Own IPv4 addresses to ask from; None takes every one that is up.

    Returns:
        Each camera once, by name.
    """
    sources = tuple(interfaces) if interfaces is not None else await asyncio.to_thread(own_addresses)
    loop = asyncio.get_running_loop()
    probes = {str(uuid.uuid4()): kind for kind in _TYPES}
    packets = [_PROBE.format(message_id=key, types=kind).encode() for key, kind in probes.items()]
    listener = _Listener(frozenset(probes))
    transports, silent = [], []
    for source in sources:
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: listener, sock=_socket(source))
            transports.append(transport)
        except OSError as error:
            log.info("discovery cannot ask from %s: %s", source, error)
            silent.append(source)
    try:
        await _ask(transports, packets, target, listen_s)
    finally:
        for transport in transports:
            transport.close()
    cameras = sorted(listener.found.values(), key=lambda one: (one.name.casefold(), one.address))
    return Discovery(cameras=tuple(cameras), notice=_notice(sources, silent))


async def _ask(
    transports: list[asyncio.DatagramTransport], packets: list[bytes], target: tuple[str, int], listen_s: float
) -> None:
    began_s = time.monotonic()
    for wait_s in _REPEATS_S:
        if wait_s >= listen_s:
            break
        await asyncio.sleep(max(0.0, began_s + wait_s - time.monotonic()))
        for transport in transports:
            for packet in packets:
                transport.sendto(packet, target)
    await asyncio.sleep(max(0.0, began_s + listen_s - time.monotonic()))


def own_addresses() -> tuple[str, ...]:
    """Return this machine's IPv4 addresses that are up, without the loopback where there is another."""
    states = psutil.net_if_stats()
    found = [
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        if name in states and states[name].isup
        for address in addresses
        if address.family == socket.AF_INET
    ]
    outside = [one for one in found if not ipaddress.ip_address(one).is_loopback]
    return tuple(dict.fromkeys(outside or found))


def read_matches(data: bytes, *, sender: str, message_ids: frozenset[str]) -> list[FoundCamera]:
    """Return the cameras in one answer.

    Args:
        data: One UDP packet.
        sender: Address it came from: of several addresses of a camera, that one is taken.
        message_ids: Of our probes; an answer to somebody else's is no answer to us.

    Raises:
        BadInputError: It is no answer to a probe.
    """
    envelope = parse(data)
    matches = envelope.find("Body", "ProbeMatches")
    relates = envelope.read("Header", "RelatesTo").rpartition(":")[2]
    if matches is None or relates not in message_ids:
        raise BadInputError("The packet is no answer to our probe.")
    return [camera for match in matches.all("ProbeMatch") if (camera := _camera_of(match, sender)) is not None]


def _camera_of(match: Element, sender: str) -> FoundCamera | None:
    usable = []
    for url in match.read("XAddrs").split()[:8]:
        try:
            http_parts(url)
        except BadInputError:
            continue
        usable.append(url)
    if not usable:
        return None
    address = min(usable, key=lambda url: _distance(url, sender))
    scopes = _scopes_of(match.read("Scopes"))
    return FoundCamera(
        endpoint=clean_text(match.read("EndpointReference", "Address"), limit=200) or address,
        address=address,
        name=scopes.get("name", ""),
        maker=scopes.get("mfr", scopes.get("manufacturer", "")),
        model=scopes.get("hardware", scopes.get("model", "")),
        location=scopes.get("location", ""),
    )


def _distance(url: str, sender: str) -> int:
    host = urlsplit(url).hostname or ""
    if host == sender:
        return 0
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return 2
    if address.is_link_local:
        return 3
    return 1 if address.version == 4 else 4


def _scopes_of(text: str) -> dict[str, str]:
    """Return the ONVIF scopes by their kind: "onvif://www.onvif.org/name/Bridge%20East" is {"name": "Bridge East"}."""
    found: dict[str, str] = {}
    for scope in text.split()[:64]:
        before, separator, path = scope.partition("onvif.org/")
        kind, _, value = path.partition("/")
        if separator and before.endswith(("//", "//www.")) and value:
            # A place may come in parts: location/city/…, location/country/…
            said = clean_text(unquote(value).replace("/", " "), limit=80)
            found[kind.lower()] = " ".join(part for part in (found.get(kind.lower(), ""), said) if part)[:80]
    return found


def _socket(source: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        made.bind((source, 0))
    except OSError:
        made.close()
        raise
    return made


def _notice(sources: tuple[str, ...], silent: list[str]) -> str:
    if not sources:
        return "This machine is in no network: no camera can be found."
    if silent:
        return f"Nobody could be asked from {', '.join(silent)}: cameras in that network are missing here."
    return ""
