"""Cursor on Target: drones and units go to TAK, one event each, over UDP, TCP or TLS; nothing is read from there.

The fields are those of the CoT event schema 2.0 as TAK uses it. Positions are sent with their own time and grow stale
there as here; a drone whose position is old is not sent at all. Heights above the ellipsoid are not known (drones say
them above the sea), so `hae` says so, and the height stands in words.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree

from core.drones.model import POSITION_STALE_S, Drone, DroneState, is_stale
from core.field.model import Device, DeviceState
from core.gateway.adapter import AdapterReport
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.kernel.log import OncePerLoss
from core.kernel.settings import CotSettings

log = logging.getLogger(__name__)

UNKNOWN_M = "9999999.0"
DRONE_TYPE, UNIT_TYPE = "a-f-A-M-H-Q", "a-f-G-E-V"
"""Friendly: a rotary-wing unmanned aircraft, and a vehicle on the ground."""

OTHER_TYPE = "a-u-A-M-H-Q"
"""Unknown whose: a drone of others."""

DRONE_STALE, UNIT_STALE = timedelta(seconds=10), timedelta(minutes=3)
CONNECT_S, SEND_S = 5.0, 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
KEY_NAME = "cot_key"
"""Of the secret that the key of TAK is encrypted with."""

PORTS = {"udp": 6969, "tcp": 8087, "tls": 8089}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where events go."""

    scheme: str
    host: str
    port: int


def parse_place(url: str) -> Place:
    """Read `udp://HOST:PORT`, `tcp://…` or `tls://…`.

    Raises:
        BadInputError: It is none of them.
    """
    hint = "Write udp://239.2.3.1:6969, tcp://HOST:8087 or tls://HOST:8089."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInputError(f"{url[:80]!r} is no address of a TAK server.", hint=hint) from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadInputError(f"{url[:80]!r} is no address of a TAK server.", hint=hint)
    return Place(scheme=parts.scheme, host=parts.hostname, port=port or PORTS[parts.scheme])


# -- events ---------------------------------------------------------------------------------------------------------


def drone_event(drone: Drone | None, state: DroneState, now: datetime) -> bytes | None:
    """Return the event of a drone; None where nobody knows where it is now."""
    position = state.position
    if position is None or is_stale(position.at, now, POSITION_STALE_S):
        return None
    is_other = drone is not None and drone.is_other
    kind = OTHER_TYPE if is_other else DRONE_TYPE
    event = _event(f"watchfloor-{state.drone_id}", kind, position.point, position.at, DRONE_STALE)
    if position.accuracy_m is not None:
        event[0].set("ce", f"{position.accuracy_m:.1f}")
    detail = _detail(event, drone.name if drone is not None else state.drone_id)
    track = {"course": state.fresh("course_deg", now), "speed": state.fresh("ground_speed_mps", now)}
    if known := {key: f"{value:.1f}" for key, value in track.items() if value is not None}:
        ElementTree.SubElement(detail, "track", known)
    charge = state.fresh_battery_percent(now)
    if charge is not None:
        ElementTree.SubElement(detail, "status", {"battery": f"{charge:.0f}"})
    heights = (("altitude_amsl_m", "above the sea"), ("altitude_home_m", "above home"))
    words = [f"{value:.0f} m {where}" for key, where in heights if (value := state.fresh(key, now)) is not None]
    if is_other:
        words.append("by Remote ID, not verified")
    if mode := state.fresh_mode(now):
        words.append(mode)
    if words:
        ElementTree.SubElement(detail, "remarks").text = _printable(", ".join(words))
    return ElementTree.tostring(event)


def unit_event(device: Device) -> bytes | None:
    """Return the event of a unit's device; None where it says no place, or is not heard."""
    if device.position is None or device.last_seen_at is None or device.state is not DeviceState.ONLINE:
        return None
    uid = f"watchfloor-{device.device_id.replace('/', '-')}"
    event = _event(uid, UNIT_TYPE, device.position, device.last_seen_at, UNIT_STALE)
    _detail(event, device.name or device.device_id)
    return ElementTree.tostring(event)


def _event(uid: str, kind: str, point: GeoPoint, at: datetime, lasts: timedelta) -> ElementTree.Element:
    event = ElementTree.Element(
        "event",
        {
            "version": "2.0",
            "uid": _printable(uid),
            "type": kind,
            "how": "m-g",
            "time": _instant(at),
            "start": _instant(at),
            "stale": _instant(at + lasts),
        },
    )
    lat, lon = f"{point.lat_deg:.7f}", f"{point.lon_deg:.7f}"
    ElementTree.SubElement(event, "point", {"lat": lat, "lon": lon, "hae": UNKNOWN_M, "ce": UNKNOWN_M, "le": UNKNOWN_M})
    return event


def _detail(event: ElementTree.Element, callsign: str) -> ElementTree.Element:
    detail = ElementTree.SubElement(event, "detail")
    ElementTree.SubElement(detail, "contact", {"callsign": _printable(callsign)})
    return detail


def _printable(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class _LockedKeyError(Exception):
    """A key is encrypted, and nobody told its passphrase."""


# -- sending --------------------------------------------------------------------------------------------------------


class CotSender:
    """Sends what is known, over and over, to a place that may come and go.

    Threads: the node's loop.
    """

    def __init__(
        self,
        settings: CotSettings,
        *,
        events: Callable[[], Iterable[bytes]],
        clock: Clock,
        get_secret: Callable[[str], str | None] = lambda _name: None,
    ) -> None:
        """Prepare; `events` returns what is to be sent now."""
        self._settings = settings
        self._get_secret = get_secret
        self._events = events
        self._clock = clock
        self._once = OncePerLoss(log)
        self._reason = ""
        self._n_sent = 0
        self._sent_at: datetime | None = None

    async def run(self) -> None:
        """Send until it is cancelled; does nothing where no address is set."""
        if not self._settings.url:
            return
        wait_s = FIRST_WAIT_S
        while True:
            began_s = self._clock.monotonic()
            try:
                place = parse_place(self._settings.url)
                await (self._send_datagrams(place) if place.scheme == "udp" else self._send_stream(place))
            except (OSError, TimeoutError, BadInputError) as error:
                self._reason = f"{self._settings.url} does not take events: {error or type(error).__name__}"
                self._once.lost("tak", self._reason)
            if self._clock.monotonic() - began_s > LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2.0)

    def report(self) -> AdapterReport | None:
        """Return how it is; None where it is off."""
        if not self._settings.url:
            return None
        note = f"sends to {self._settings.url}"
        return AdapterReport(
            key="cot", title="TAK", reason=self._reason, note=note, n_messages=self._n_sent, last_at=self._sent_at
        )

    async def _send_datagrams(self, place: Place) -> None:
        loop = asyncio.get_running_loop()
        family, kind, proto, _, address = (
            await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
        )[0]
        with socket.socket(family, kind, proto) as sender:
            sender.setblocking(False)
            while True:
                for event in self._events():
                    await loop.sock_sendto(sender, event, address)
                    self._sent()
                await asyncio.sleep(self._settings.every_s)

    async def _send_stream(self, place: Place) -> None:
        tls = await asyncio.to_thread(self._tls) if place.scheme == "tls" else None
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(place.host, place.port, ssl=tls)
        # Whoever writes to us is not heard; that they hung up is seen.
        hung_up = asyncio.create_task(_drain(reader))
        try:
            while not hung_up.done():
                for event in self._events():
                    writer.write(event)
                    self._sent()
                async with asyncio.timeout(SEND_S):
                    await writer.drain()
                await asyncio.wait({hung_up}, timeout=self._settings.every_s)
            raise ConnectionError("it hung up")
        finally:
            hung_up.cancel()
            writer.transport.abort()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await hung_up

    def _sent(self) -> None:
        self._n_sent += 1
        self._sent_at = self._clock.now()
        if self._reason:
            self._reason = ""
            self._once.back("tak", f"{self._settings.url} takes events again")

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            tls = ssl.create_default_context(cafile=settings.ca_file or None)
            if settings.certificate_file:
                tls.load_cert_chain(settings.certificate_file, settings.key_file or None, self._passphrase)
        except _LockedKeyError as error:
            raise BadInputError(
                "The key for TAK is encrypted, and its passphrase is not known.",
                hint=f"Put it into the secret {KEY_NAME}, or decrypt the key.",
            ) from error
        except (OSError, ssl.SSLError) as error:
            raise BadInputError(
                f"The certificates for TAK cannot be used ({error}).",
                hint=f"Check cot.ca_file, cot.certificate_file, and the secret {KEY_NAME} if the key is encrypted.",
            ) from error
        return tls

    def _passphrase(self) -> str:
        """Return with what the key is encrypted; asked only where it is, and never of whoever sits at the terminal."""
        found = self._get_secret(KEY_NAME)
        if found is None:
            raise _LockedKeyError
        return found


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass
