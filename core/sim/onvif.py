"""An ONVIF camera without hardware: answers probes and SOAP, turns its head, and fails on request.

`python -m core.sim.onvif CLIP` serves a clip by RTSP with an ONVIF door beside it, for whoever sets
up a room without cameras.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import os
import re
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.request import parse_http_list, parse_keqv_list
from xml.sax.saxutils import escape

from core.cameras.onvif.discovery import GROUP, own_addresses
from core.cameras.onvif.soap import NAMESPACES, token_digest
from core.kernel.errors import ConsoleError
from core.kernel.xml import Element, parse

DEVICE_PATH = "/onvif/device_service"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_ERRORS = "http://www.onvif.org/ver10/error"
_REALM = "onvif camera"
_TOKEN_VALID_S = 5.0
_FULL_TURN_S = 4.0
"""At full speed the head goes from one end to the other in this time."""

_GENERIC = "http://www.onvif.org/ver10/tptz"
_OPEN_VERBS = ("GetSystemDateAndTime",)


class Authentication(StrEnum):
    """How the camera asks who is there."""

    WSSE = "wsse"
    """WS-UsernameToken digest in the SOAP head."""

    HTTP_MD5 = "http_md5"
    HTTP_SHA256 = "http_sha256"
    HTTP_BASIC = "http_basic"
    """Asks for the password itself; we are not to send it."""


class Fault(StrEnum):
    """What can be wrong with it."""

    SILENT = "silent"
    """Takes the request and never answers."""

    DRIPS = "drips"
    """Answers one byte now and then."""

    HANGS_UP = "hangs_up"
    NOT_XML = "not_xml"
    DOCTYPE = "doctype"
    """Answers with entities that would grow to gigabytes, and one that is a file of ours."""

    ENDLESS = "endless"
    NOT_FOUND = "not_found"
    REDIRECTS = "redirects"
    FOREIGN_ADDRESSES = "foreign_addresses"
    """Names services and streams on a host that nobody can reach."""

    LOCKED = "locked"
    """Refuses every login."""

    KEEPS_TURNING = "keeps_turning"
    """Answers a stop with a fault, and forgets the time-out of a move."""

    SAYS_NOT_WHERE = "says_not_where"
    """Does not tell where it looks, nor whether it turns."""

    NO_HOME = "no_home"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimProfile:
    """One stream that the camera offers."""

    key: str
    width: int
    height: int
    codec: str = "H264"
    fps: int = 25
    address: str = ""
    has_ptz: bool = True


MAIN = SimProfile(key="Profile_1", width=1920, height=1080)
SUB = SimProfile(key="Profile_2", width=640, height=360)
TINY = SimProfile(key="Profile_3", width=176, height=144)


@dataclass(slots=True)
class _Head:
    """Where the camera looks; moves are worked out when somebody asks."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    until_s: float = 0.0
    at_s: float = 0.0

    def settle(self, now_s: float) -> None:
        moved_s = max(0.0, min(now_s, self.until_s) - self.at_s)
        pan, tilt, zoom = self.velocity
        self.pan = max(-1.0, min(1.0, self.pan + 2.0 * pan * moved_s / _FULL_TURN_S))
        self.tilt = max(-1.0, min(1.0, self.tilt + 2.0 * tilt * moved_s / _FULL_TURN_S))
        self.zoom = max(0.0, min(1.0, self.zoom + zoom * moved_s / _FULL_TURN_S))
        self.at_s = now_s
        if now_s >= self.until_s:
            self.velocity = (0.0, 0.0, 0.0)


class OnvifSimulator:
    """One camera on one port, on threads of its own; every method may be called from any thread.

    Attributes:
        faults: Switch them on and off at any time.
        asked: The verbs that were asked for and let in, in order.
        n_refused: Requests whose login was wrong.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        username: str = "admin",
        password: str = "",
        authentication: Authentication = Authentication.WSSE,
        profiles: tuple[SimProfile, ...] = (SUB, MAIN, TINY),
        name: str = "Bridge East",
        clock_offset_s: float = 0.0,
        max_presets: int = 16,
        has_services: bool = True,
        has_media2: bool = False,
        uses_per_nonce: int = 1000,
    ) -> None:
        """Listen on `host`; nothing is answered before `start`.

        Args:
            port: 0 takes a free one.
            host: Address to listen on; 0.0.0.0 opens the camera to the whole network.
            username: As `password`; an empty password lets everyone in.
            password: Compared as text.
            authentication: Asked for where there is a password.
            profiles: In the order in which they are named.
            name: In the scopes.
            clock_offset_s: How far ahead the camera's clock is.
            max_presets: A further one is refused.
            has_services: Knows GetServices; older cameras know GetCapabilities only.
            has_media2: Offers Media2 beside Media.
            uses_per_nonce: After so many, an HTTP digest has to be made anew; some cameras do not say "stale" then.
        """
        self.faults: set[Fault] = set()
        self.asked: list[str] = []
        self.n_refused = 0
        self.endpoint = f"urn:uuid:{uuid.uuid4()}"
        self.profiles = profiles
        self.presets: dict[str, tuple[str, float, float, float]] = {}
        self._name = name
        self._username, self._password = username, password
        self._authentication = authentication
        self._clock_offset_s = clock_offset_s
        self._max_presets = max_presets
        self._has_services, self._has_media2 = has_services, has_media2
        self._head = _Head()
        self._uses_per_nonce = uses_per_nonce
        self._nonces: dict[str, int] = {}
        self._used: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._responders: list[socket.socket] = []
        self._server = _Server((host, port), self)
        self.port = int(self._server.server_address[1])
        self._host = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104

    # -- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> OnvifSimulator:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.close()

    def start(self) -> None:
        """Answer requests."""
        self._run("onvif-http", lambda: self._server.serve_forever(poll_interval=0.05))

    def close(self) -> None:
        """End, and let go of every connection."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        for responder in self._responders:
            responder.close()
        for thread in self._threads:
            thread.join(5.0)

    def answer_probes(
        self, *, interfaces: Sequence[str] = (), answer: Callable[[str], list[bytes]] | None = None
    ) -> int:
        """Answer WS-Discovery probes; returns the port.

        Args:
            interfaces: Own IPv4 addresses in whose networks the multicast group is joined; without any, probes are
                taken on a free port of the loopback.
            answer: Returns the packets for a probe's message id, in place of the true one.
        """
        responder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        responder.settimeout(0.2)
        if interfaces:
            responder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            responder.bind(("", GROUP[1]))
        else:
            responder.bind(("127.0.0.1", 0))
        for interface in interfaces:
            # Each by name: the network of the default route need not be the one that cameras are in.
            member = socket.inet_aton(GROUP[0]) + socket.inet_aton(interface)
            responder.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._responders.append(responder)
        self._run("onvif-discovery", lambda: self._answer_probes(responder, answer or self._probe_answers))
        return int(responder.getsockname()[1])

    @property
    def address(self) -> str:
        """Of the device service."""
        return f"http://{self._host}:{self.port}{DEVICE_PATH}"

    @property
    def position(self) -> tuple[float, float, float]:
        """Where it looks: pan and tilt -1..1, zoom 0..1."""
        with self._lock:
            self._head.settle(time.monotonic())
            return self._head.pan, self._head.tilt, self._head.zoom

    @property
    def is_turning(self) -> bool:
        """The head moves now."""
        with self._lock:
            self._head.settle(time.monotonic())
            return self._head.velocity != (0.0, 0.0, 0.0)

    def _run(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    # -- discovery ------------------------------------------------------------------------------------------------

    def _answer_probes(self, responder: socket.socket, answer: Callable[[str], list[bytes]]) -> None:
        while not self._closing.is_set():
            try:
                data, sender = responder.recvfrom(65_535)
            except TimeoutError:
                continue
            except OSError:
                return
            with contextlib.suppress(ConsoleError, OSError):
                probe = parse(data)
                if probe.find("Body", "Probe") is not None:
                    for packet in answer(probe.read("Header", "MessageID")):
                        responder.sendto(packet, sender)

    def _probe_answers(self, message_id: str) -> list[bytes]:
        return [self.probe_match(message_id)]

    def probe_match(self, message_id: str, *, addresses: str = "") -> bytes:
        """Return the answer to a probe; `addresses` in place of the true one."""
        scopes = " ".join(
            f"onvif://www.onvif.org/{scope}"
            for scope in (
                "type/video_encoder",
                f"name/{self._name.replace(' ', '%20')}",
                "mfr/Watchfloor",
                "hardware/SIM-1",
                "location/Harbour",
            )
        )
        return (
            f'<s:Envelope xmlns:s="{_SOAP}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
            ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
            f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
            f"<a:EndpointReference><a:Address>{self.endpoint}</a:Address></a:EndpointReference>"
            f"<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes>"
            f"<d:XAddrs>{addresses or self.address}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
            "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
        ).encode()

    # -- SOAP -----------------------------------------------------------------------------------------------------

    def respond(self, content: bytes, authorization: str, target: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and content for a request."""
        try:
            envelope = parse(content)
        except ConsoleError:
            return 400, {}, b""
        body = envelope.find("Body")
        if body is None or not body.children:
            return 400, {}, b""
        verb = body.children[0]
        if verb.name not in _OPEN_VERBS and self._password:
            challenge = self._challenge(envelope, authorization, target)
            if challenge is not None:
                self.n_refused += 1
                return challenge
        self.asked.append(verb.name)
        answer = getattr(self, "_on_" + re.sub(r"(?<!^)(?=[A-Z])", "_", verb.name).lower(), None)
        if answer is None:
            return _soap_fault("ActionNotSupported", f"{verb.name} is not supported")
        with self._lock:
            self._head.settle(time.monotonic())
            found = answer(verb)
        return found if isinstance(found, tuple) else (200, {}, _envelope(str(found)))

    def _challenge(
        self, envelope: Element, authorization: str, target: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        """Return the refusal of a wrong or missing login; None where it is right."""
        if self._authentication is Authentication.WSSE:
            is_good = Fault.LOCKED not in self.faults and self._is_token_good(envelope)
            return None if is_good else _soap_fault("NotAuthorized", "Sender not authorized")
        if self._authentication is Authentication.HTTP_BASIC:
            return 401, {"WWW-Authenticate": f'Basic realm="{_REALM}"'}, b""
        is_sha = self._authentication is Authentication.HTTP_SHA256
        if Fault.LOCKED not in self.faults and self._is_digest_good(authorization, target, is_sha=is_sha):
            return None
        algorithm = "SHA-256" if is_sha else "MD5"
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = 0
        value = f'Digest realm="{_REALM}", nonce="{nonce}", qop="auth", algorithm={algorithm}, opaque="x"'
        return 401, {"WWW-Authenticate": value}, b""

    def _is_token_good(self, envelope: Element) -> bool:
        token = envelope.find("Header", "Security", "UsernameToken")
        if token is None or token.read("Username") != self._username:
            return False
        nonce, created = token.read("Nonce"), token.read("Created")
        try:
            age_s = (self._now() - datetime.fromisoformat(created)).total_seconds()
            digest = token_digest(base64.b64decode(nonce), created, self._password)
        except (ValueError, TypeError):
            return False
        if abs(age_s) > _TOKEN_VALID_S or (nonce, created) in self._used:
            return False
        self._used.add((nonce, created))
        return secrets.compare_digest(digest, token.read("Password"))

    def _is_digest_good(self, authorization: str, target: str, *, is_sha: bool) -> bool:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != "digest":
            return False
        said = parse_keqv_list(parse_http_list(rest))
        make = hashlib.sha256 if is_sha else hashlib.md5

        def hashed(text: str) -> str:
            return make(text.encode()).hexdigest()

        use = (said.get("nonce", ""), said.get("nc", ""))
        if self._nonces.get(use[0], self._uses_per_nonce) >= self._uses_per_nonce:
            return False
        if use in self._used or said.get("uri") != target:
            return False
        self._used.add(use)
        self._nonces[use[0]] += 1
        secret, asked = hashed(f"{self._username}:{_REALM}:{self._password}"), hashed(f"POST:{target}")
        wanted = hashed(f"{secret}:{use[0]}:{said.get('nc')}:{said.get('cnonce')}:auth:{asked}")
        return said.get("username") == self._username and secrets.compare_digest(wanted, said.get("response", ""))

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._clock_offset_s)

    def _url(self, path: str) -> str:
        host = "192.0.2.77" if Fault.FOREIGN_ADDRESSES in self.faults else f"{self._host}:{self.port}"
        return f"http://{host}{path}"

    # -- device and media -----------------------------------------------------------------------------------------

    def _on_get_system_date_and_time(self, _: Element) -> str:
        at = self._now()
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            f"<tt:UTCDateTime><tt:Time><tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute>"
            f"<tt:Second>{at.second}</tt:Second></tt:Time><tt:Date><tt:Year>{at.year}</tt:Year>"
            f"<tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day></tt:Date></tt:UTCDateTime>"
            "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _on_get_device_information(self, _: Element) -> str:
        return (
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>Watchfloor</tds:Manufacturer>"
            "<tds:Model>SIM-1</tds:Model>"
            "<tds:FirmwareVersion>1.0</tds:FirmwareVersion><tds:SerialNumber>0001</tds:SerialNumber>"
            "<tds:HardwareId>1</tds:HardwareId></tds:GetDeviceInformationResponse>"
        )

    def _on_get_services(self, _: Element) -> str | tuple[int, dict[str, str], bytes]:
        if not self._has_services:
            return _soap_fault("ActionNotSupported", "GetServices is not supported")
        names = {"tds": DEVICE_PATH, "trt": "/onvif/media"}
        if self._has_media2:
            names["tr2"] = "/onvif/media2"
        if any(profile.has_ptz for profile in self.profiles):
            names["tptz"] = "/onvif/ptz"
        services = "".join(
            f"<tds:Service><tds:Namespace>{NAMESPACES[key]}</tds:Namespace><tds:XAddr>{self._url(path)}</tds:XAddr>"
            "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
            for key, path in names.items()
        )
        return f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>"

    def _on_get_capabilities(self, _: Element) -> str:
        return (
            "<tds:GetCapabilitiesResponse><tds:Capabilities>"
            f"<tt:Media><tt:XAddr>{self._url('/onvif/media')}</tt:XAddr></tt:Media>"
            f"<tt:PTZ><tt:XAddr>{self._url('/onvif/ptz')}</tt:XAddr></tt:PTZ>"
            "</tds:Capabilities></tds:GetCapabilitiesResponse>"
        )

    def _on_get_profiles(self, verb: Element) -> str:
        # Media2 names the types that it is asked for.
        if verb.find("Type") is not None:
            found = "".join(self._profile2(profile) for profile in self.profiles)
            return f"<tr2:GetProfilesResponse>{found}</tr2:GetProfilesResponse>"
        found = "".join(self._profile1(profile) for profile in self.profiles if profile.codec != "H265")
        return f"<trt:GetProfilesResponse>{found}</trt:GetProfilesResponse>"

    def _profile1(self, profile: SimProfile) -> str:
        ptz = '<tt:PTZConfiguration token="PTZ_1"><tt:NodeToken>Node_1</tt:NodeToken></tt:PTZConfiguration>'
        return (
            f'<trt:Profiles token="{profile.key}" fixed="true"><tt:Name>{profile.key}</tt:Name>'
            f'<tt:VideoEncoderConfiguration token="V"><tt:Encoding>{profile.codec}</tt:Encoding>'
            f"<tt:Resolution><tt:Width>{profile.width}</tt:Width><tt:Height>{profile.height}</tt:Height></tt:Resolution>"
            f"<tt:RateControl><tt:FrameRateLimit>{profile.fps}</tt:FrameRateLimit></tt:RateControl>"
            f"</tt:VideoEncoderConfiguration>{ptz if profile.has_ptz else ''}</trt:Profiles>"
        )

    def _profile2(self, profile: SimProfile) -> str:
        ptz = '<tr2:PTZ token="PTZ_1"><tt:NodeToken>Node_1</tt:NodeToken></tr2:PTZ>'
        return (
            f'<tr2:Profiles token="{profile.key}" fixed="true"><tr2:Name>{profile.key}</tr2:Name>'
            f'<tr2:Configurations><tr2:VideoEncoder token="V"><tt:Encoding>{profile.codec}</tt:Encoding>'
            f"<tt:Resolution><tt:Width>{profile.width}</tt:Width><tt:Height>{profile.height}</tt:Height></tt:Resolution>"
            f'<tt:RateControl ConstantBitRate="false"><tt:FrameRateLimit>{profile.fps}.0</tt:FrameRateLimit>'
            f"</tt:RateControl></tr2:VideoEncoder>{ptz if profile.has_ptz else ''}</tr2:Configurations></tr2:Profiles>"
        )

    def _on_get_stream_uri(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        profile = self._profile(verb)
        if profile is None:
            return _soap_fault("NoProfile", "The profile does not exist")
        host = "192.0.2.77" if Fault.FOREIGN_ADDRESSES in self.faults else self._host
        uri = escape(profile.address or f"rtsp://{host}:554/{profile.key}")
        if verb.find("Protocol") is not None:
            return f"<tr2:GetStreamUriResponse><tr2:Uri>{uri}</tr2:Uri></tr2:GetStreamUriResponse>"
        return (
            f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{uri}</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>"
        )

    def _on_get_snapshot_uri(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        profile = self._profile(verb)
        if profile is None:
            return _soap_fault("NoProfile", "The profile does not exist")
        uri = self._url(f"/snapshot/{profile.key}")
        return (
            f"<trt:GetSnapshotUriResponse><trt:MediaUri><tt:Uri>{uri}</tt:Uri></trt:MediaUri>"
            "</trt:GetSnapshotUriResponse>"
        )

    def _profile(self, verb: Element) -> SimProfile | None:
        token = verb.read("ProfileToken")
        return next((profile for profile in self.profiles if profile.key == token), None)

    # -- PTZ ------------------------------------------------------------------------------------------------------

    def _on_get_nodes(self, _: Element) -> str:
        spaces = (
            "AbsolutePanTiltPositionSpace",
            "AbsoluteZoomPositionSpace",
            "RelativePanTiltTranslationSpace",
            "RelativeZoomTranslationSpace",
            "ContinuousPanTiltVelocitySpace",
            "ContinuousZoomVelocitySpace",
        )
        supported = "".join(f"<tt:{space}><tt:URI>{_GENERIC}/{space}</tt:URI></tt:{space}>" for space in spaces)
        return (
            '<tptz:GetNodesResponse><tptz:PTZNode token="Node_1"><tt:Name>Node</tt:Name>'
            f"<tt:SupportedPTZSpaces>{supported}</tt:SupportedPTZSpaces>"
            f"<tt:MaximumNumberOfPresets>{self._max_presets}</tt:MaximumNumberOfPresets>"
            f"<tt:HomeSupported>{str(Fault.NO_HOME not in self.faults).lower()}</tt:HomeSupported>"
            "</tptz:PTZNode></tptz:GetNodesResponse>"
        )

    def _on_continuous_move(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        if self._profile(verb) is None:
            return _soap_fault("NoProfile", "The profile does not exist")
        match = re.fullmatch(r"PT([\d.]+)S", verb.read("Timeout"))
        for_s = float(match[1]) if match and Fault.KEEPS_TURNING not in self.faults else 3600.0
        head = self._head
        head.velocity = _vector(verb.find("Velocity"))
        head.until_s = time.monotonic() + for_s
        return "<tptz:ContinuousMoveResponse/>"

    def _on_stop(self, _: Element) -> str | tuple[int, dict[str, str], bytes]:
        if Fault.KEEPS_TURNING in self.faults:
            return _soap_fault("Action", "The motor does not answer")
        self._head.velocity = (0.0, 0.0, 0.0)
        return "<tptz:StopResponse/>"

    def _on_relative_move(self, verb: Element) -> str:
        pan, tilt, zoom = _vector(verb.find("Translation"))
        self._look_at(self._head.pan + pan, self._head.tilt + tilt, self._head.zoom + zoom)
        return "<tptz:RelativeMoveResponse/>"

    def _on_absolute_move(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        position = verb.find("Position")
        pan, tilt, zoom = _vector(position)
        if not (-1.0 <= pan <= 1.0 and -1.0 <= tilt <= 1.0 and 0.0 <= zoom <= 1.0):
            return _soap_fault("InvalidPosition", "The position is out of bounds")
        has_zoom = position is not None and position.find("Zoom") is not None
        self._look_at(pan, tilt, zoom if has_zoom else self._head.zoom)
        return "<tptz:AbsoluteMoveResponse/>"

    def _on_get_status(self, _: Element) -> str | tuple[int, dict[str, str], bytes]:
        if Fault.SAYS_NOT_WHERE in self.faults:
            return _soap_fault("NoStatus", "The head has no status")
        head = self._head
        word = "MOVING" if head.velocity != (0.0, 0.0, 0.0) else "IDLE"
        return (
            "<tptz:GetStatusResponse><tptz:PTZStatus><tt:Position>"
            f'<tt:PanTilt x="{head.pan:.5f}" y="{head.tilt:.5f}"/><tt:Zoom x="{head.zoom:.5f}"/></tt:Position>'
            f"<tt:MoveStatus><tt:PanTilt>{word}</tt:PanTilt><tt:Zoom>{word}</tt:Zoom></tt:MoveStatus>"
            "</tptz:PTZStatus></tptz:GetStatusResponse>"
        )

    def _on_get_presets(self, _: Element) -> str:
        found = "".join(
            f'<tptz:Preset token="{token}"><tt:Name>{escape(preset[0])}</tt:Name></tptz:Preset>'
            for token, preset in self.presets.items()
        )
        return f"<tptz:GetPresetsResponse>{found}</tptz:GetPresetsResponse>"

    def _on_set_preset(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        token, head = verb.read("PresetToken"), self._head
        if not token:
            if len(self.presets) >= self._max_presets:
                return _soap_fault("TooManyPresets", "The maximum number of presets is reached")
            taken = [int(one) for one in self.presets if one.isdecimal()]
            token = str(max(taken, default=0) + 1)
        self.presets[token] = (verb.read("PresetName"), head.pan, head.tilt, head.zoom)
        return f"<tptz:SetPresetResponse><tptz:PresetToken>{token}</tptz:PresetToken></tptz:SetPresetResponse>"

    def _on_remove_preset(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        if self.presets.pop(verb.read("PresetToken"), None) is None:
            return _soap_fault("NoToken", "There is no such preset")
        return "<tptz:RemovePresetResponse/>"

    def _on_goto_preset(self, verb: Element) -> str | tuple[int, dict[str, str], bytes]:
        preset = self.presets.get(verb.read("PresetToken"))
        if preset is None:
            return _soap_fault("NoToken", "There is no such preset")
        self._look_at(*preset[1:])
        return "<tptz:GotoPresetResponse/>"

    def _on_goto_home_position(self, _: Element) -> str:
        self._look_at(0.0, 0.0, 0.0)
        return "<tptz:GotoHomePositionResponse/>"

    def _look_at(self, pan: float, tilt: float, zoom: float) -> None:
        self._head = _Head(pan=max(-1.0, min(1.0, pan)), tilt=max(-1.0, min(1.0, tilt)), zoom=max(0.0, min(1.0, zoom)))

    def wait(self, seconds: float) -> bool:
        """Wait, or return True at once where the camera ends."""
        return self._closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], camera: OnvifSimulator) -> None:
        self.camera = camera
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Answer one request, or fail as asked."""
        camera = self.server.camera
        content = self.rfile.read(min(1_000_000, int(self.headers.get("Content-Length", "0"))))
        self.close_connection = True
        if self._fail(camera):
            return
        status, headers, answer = camera.respond(content, self.headers.get("Authorization", ""), self.path)
        self._send(status, headers, answer)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: requests carry logins."""

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _fail(self, camera: OnvifSimulator) -> bool:
        faults = camera.faults
        if Fault.SILENT in faults:
            camera.wait(60.0)
        elif Fault.HANGS_UP in faults:
            self.connection.shutdown(socket.SHUT_RDWR)
        elif Fault.DRIPS in faults:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not camera.wait(0.05):
                self.wfile.write(b"X")
                self.wfile.flush()
        elif Fault.NOT_XML in faults:
            self._send(200, {}, b"<html><body>Web interface<br></body></html>")
        elif Fault.DOCTYPE in faults:
            self._send(200, {}, _BOMB)
        elif Fault.ENDLESS in faults:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n<a>")
            while not camera.wait(0.0):
                self.wfile.write(b"<b/>" * 16_384)
        elif Fault.NOT_FOUND in faults:
            self._send(404, {}, b"")
        elif Fault.REDIRECTS in faults:
            self._send(302, {"Location": "http://192.0.2.77/elsewhere"}, b"")
        else:
            return False
        return True


_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY b "bbbbbbbbbb">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>'
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><a>&f;&d;</a></s:Body></s:Envelope>'
)


def _envelope(body: str) -> bytes:
    names = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return f'<s:Envelope xmlns:s="{_SOAP}"{names}><s:Body>{body}</s:Body></s:Envelope>'.encode()


def _soap_fault(code: str, reason: str) -> tuple[int, dict[str, str], bytes]:
    body = (
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:InvalidArgVal</s:Value><s:Subcode>"
        f'<s:Value xmlns:ter="{_ERRORS}">ter:{code}</s:Value></s:Subcode></s:Subcode></s:Code>'
        f'<s:Reason><s:Text xml:lang="en">{escape(reason)}</s:Text></s:Reason></s:Fault>'
    )
    # The prefix is declared on the envelope by most cameras.
    return 400, {}, _envelope(body).replace(b"<s:Envelope ", f'<s:Envelope xmlns:ter="{_ERRORS}" '.encode(), 1)


def _vector(element: Element | None) -> tuple[float, float, float]:
    turn = element.find("PanTilt") if element is not None else None
    zoom = element.find("Zoom") if element is not None else None

    def figure(part: Element | None, name: str) -> float:
        return float(part.attributes.get(name, "0")) if part is not None else 0.0

    return figure(turn, "x"), figure(turn, "y"), figure(zoom, "x")


def main() -> int:
    """Serve a clip as an ONVIF camera until the process is ended."""
    from core.sim.rtsp import RtspCamera

    parser = argparse.ArgumentParser(
        prog="python -m core.sim.onvif",
        description="Serve an H.264 MP4 as an ONVIF camera with a head.",
        epilog="With WATCHFLOOR_RTSP_PASSWORD in the environment, it asks for a login.",
    )
    parser.add_argument("clip", type=Path, help="MP4 with H.264")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 opens it to the whole network")
    parser.add_argument("--name", default="Bridge East")
    parser.add_argument("--username", default="admin")
    arguments = parser.parse_args()
    password = os.environ.get("WATCHFLOOR_RTSP_PASSWORD", "")
    username = arguments.username if password else ""
    with RtspCamera(arguments.clip, host=arguments.host, username=username, password=password) as stream:
        address = stream.url
        profiles = (
            SimProfile(key="Profile_1", width=1280, height=720, address=address),
            SimProfile(key="Profile_2", width=640, height=360, address=address),
        )
        camera = OnvifSimulator(
            arguments.port,
            host=arguments.host,
            username=arguments.username,
            password=password,
            name=arguments.name,
            profiles=profiles,
        )
        with camera:
            camera.answer_probes(interfaces=own_addresses())
            sys.stdout.write(f"{camera.address} {address}\n")
            sys.stdout.flush()
            with contextlib.suppress(KeyboardInterrupt):
                while not camera.wait(3600.0):
                    pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
