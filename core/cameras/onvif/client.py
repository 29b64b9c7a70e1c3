"""One camera, asked by ONVIF: what it is, which streams it has, how its head turns.

Source: ONVIF Core, Media (ver10), Media2 (ver20) and PTZ (ver20) service specifications.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from core.cameras.address import clean_address, complete_onvif
from core.cameras.onvif.http import http_parts
from core.cameras.onvif.model import CameraDescription, Preset, PtzAbilities, PtzStatus, StreamProfile, Velocity
from core.cameras.onvif.soap import (
    CameraFaultError,
    Challenge,
    Login,
    LoginRefusedError,
    SoapDoor,
    clean_text,
    describe_clock,
)
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.xml import Element

MAX_PROFILES = 32
SUB_MIN_WIDTH = 320
SUB_MAX_WIDTH = 960
"""A tile of sixteen is about so wide; more pixels would be decoded for nothing."""

_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
_PTZ = "http://www.onvif.org/ver20/ptz/wsdl"
_PROFILES = {
    _MEDIA: "<trt:GetProfiles/>",
    _MEDIA2: "<tr2:GetProfiles><tr2:Type>VideoEncoder</tr2:Type><tr2:Type>PTZ</tr2:Type></tr2:GetProfiles>",
}
_CAPABILITIES = {"Media": _MEDIA, "Media2": _MEDIA2, "PTZ": _PTZ}


class OnvifCamera:
    """The services of one camera.

    Threads: the loop of whoever asks. `connect` comes first; it costs two requests, everything else one.
    """

    def __init__(self, address: str, username: str = "", password: str = "", *, timeout_s: float = 5.0) -> None:
        """Take the device service's address; nothing is opened yet.

        Raises:
            BadInputError: It is no HTTP address.
        """
        parts = http_parts(complete_onvif(address))
        if parts.path in ("", "/"):
            parts = parts._replace(path="/onvif/device_service")
        self.address = urlunsplit(parts)
        self.clock_offset_s: float | None = None
        self._host = parts.netloc
        self._timeout_s = timeout_s
        self._username, self._password = username, password
        self._challenge = Challenge()
        self._doors = {"device": self._door(self.address)}

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"OnvifCamera({self.address!r})"

    @property
    def has_ptz(self) -> bool:
        """The camera has a PTZ service; whether its head turns is said by its profiles."""
        return _PTZ in self._doors

    async def connect(self) -> None:
        """Ask for the time, which needs no login, and for the addresses of the services.

        Raises:
            ConsoleError: It is not there, speaks no ONVIF, or does not let us in.
        """
        try:
            answer = await self._doors["device"].ask("<tds:GetSystemDateAndTime/>")
        except (CameraFaultError, LoginRefusedError):
            # Some ask for a login even here; ours is then the only clock there is.
            self.clock_offset_s = None
        else:
            self.clock_offset_s = _offset_of(answer, datetime.now(UTC))
        found = await self._services()
        self._doors.update({name: self._door(self._own(url)) for name, url in found.items()})

    async def describe(self) -> CameraDescription:
        """Return what the camera is and which streams it has.

        Raises:
            ConsoleError: It does not say.
        """
        device = await self._ask("device", "<tds:GetDeviceInformation/>")
        profiles = await self._profiles()
        if not profiles:
            raise BadInputError(
                f"{self._host} has no stream profile.", hint="Set one up in the camera's own pages, with video in it."
            )
        main, sub = choose_streams(profiles)
        clock = describe_clock(self.clock_offset_s or 0.0)
        return CameraDescription(
            address=self.address,
            maker=clean_text(device.read("Manufacturer")),
            model=clean_text(device.read("Model")),
            firmware=clean_text(device.read("FirmwareVersion")),
            serial=clean_text(device.read("SerialNumber")),
            profiles=tuple(profiles),
            main=main,
            sub=sub,
            has_ptz=self.has_ptz and any(profile.has_ptz for profile in profiles),
            clock_offset_s=self.clock_offset_s,
            notice=f"The camera works, but {clock}: set it, or let it ask a time server." if clock else "",
        )

    # -- PTZ ------------------------------------------------------------------------------------------------------

    async def ptz_profile(self) -> str:
        """Return the token of the profile through which the head is steered.

        Raises:
            BadInputError: The head cannot be steered.
        """
        if self.has_ptz:
            service = _MEDIA if _MEDIA in self._doors else _MEDIA2
            answer = await self._ask(service, _PROFILES[service])
            for profile in answer.all("Profiles"):
                if _ptz_of(profile) is not None:
                    return profile.attributes.get("token", "")
        raise BadInputError(f"{self._host} cannot be steered.", hint="It has no PTZ head, or no profile with one.")

    async def ptz_abilities(self) -> PtzAbilities:
        """Return what the head can do, as its node says."""
        answer = await self._ask(_PTZ, "<tptz:GetNodes/>")
        node = answer.find("PTZNode")
        if node is None:
            return PtzAbilities(can_turn=True, can_zoom=True)
        spaces = {space.name for group in node.all("SupportedPTZSpaces") for space in group.children}
        return PtzAbilities(
            can_turn="ContinuousPanTiltVelocitySpace" in spaces,
            can_zoom="ContinuousZoomVelocitySpace" in spaces,
            can_step="RelativePanTiltTranslationSpace" in spaces,
            can_go="AbsolutePanTiltPositionSpace" in spaces,
            has_home=node.read("HomeSupported").lower() in ("true", "1"),
            max_presets=max(0, min(999, _whole(node.read("MaximumNumberOfPresets")))),
        )

    async def move(self, profile: str, velocity: Velocity, *, for_s: float) -> None:
        """Turn until told otherwise; the camera stops by itself after `for_s`."""
        parts = ""
        if velocity.pan or velocity.tilt:
            parts += f'<tt:PanTilt x="{_unit(velocity.pan):.3f}" y="{_unit(velocity.tilt):.3f}"/>'
        if velocity.zoom:
            parts += f'<tt:Zoom x="{_unit(velocity.zoom):.3f}"/>'
        timeout = f"<tptz:Timeout>PT{for_s:g}S</tptz:Timeout>"
        await self._steer("ContinuousMove", profile, f"<tptz:Velocity>{parts}</tptz:Velocity>{timeout}")

    async def stop(self, profile: str) -> None:
        """Stop every movement."""
        await self._steer("Stop", profile, "<tptz:PanTilt>true</tptz:PanTilt><tptz:Zoom>true</tptz:Zoom>")

    async def step(self, profile: str, by: Velocity) -> None:
        """Turn by a part of the head's range, -1..1 each."""
        await self._steer("RelativeMove", profile, f"<tptz:Translation>{_vector(by)}</tptz:Translation>")

    async def go(self, profile: str, *, pan: float, tilt: float, zoom: float | None) -> None:
        """Turn to a direction in generic units: pan and tilt -1..1, zoom 0..1 or as it is."""
        zooming = "" if zoom is None else f'<tt:Zoom x="{max(0.0, min(1.0, zoom)):.4f}"/>'
        vector = f'<tt:PanTilt x="{_unit(pan):.4f}" y="{_unit(tilt):.4f}"/>{zooming}'
        await self._steer("AbsoluteMove", profile, f"<tptz:Position>{vector}</tptz:Position>")

    async def status(self, profile: str) -> PtzStatus:
        """Return where the head looks."""
        found = (await self._steer("GetStatus", profile)).find("PTZStatus")
        if found is None:
            return PtzStatus()
        turn, zoom = found.find("Position", "PanTilt"), found.find("Position", "Zoom")
        words = {found.read("MoveStatus", part).upper() for part in ("PanTilt", "Zoom")}
        return PtzStatus(
            pan=_figure(turn, "x"),
            tilt=_figure(turn, "y"),
            zoom=_figure(zoom, "x"),
            is_moving="MOVING" in words if words & {"MOVING", "IDLE"} else None,
        )

    async def presets(self, profile: str) -> tuple[Preset, ...]:
        """Return the directions that the camera remembers."""
        answer = await self._steer("GetPresets", profile)
        found = [
            Preset(token=token, name=clean_text(preset.read("Name"), limit=64) or f"Preset {token}"[:64])
            for preset in answer.all("Preset")
            if (token := preset.attributes.get("token", ""))
        ]
        return tuple(found[:999])

    async def go_to_preset(self, profile: str, token: str) -> None:
        """Turn to a remembered direction."""
        await self._steer("GotoPreset", profile, f"<tptz:PresetToken>{escape(token)}</tptz:PresetToken>")

    async def go_home(self, profile: str) -> None:
        """Turn to the home direction."""
        await self._steer("GotoHomePosition", profile)

    async def set_preset(self, profile: str, name: str, token: str = "") -> str:
        """Remember the direction of now; an empty token makes a new preset.

        Returns:
            The preset's token.
        """
        parts = f"<tptz:PresetName>{escape(name)}</tptz:PresetName>"
        if token:
            parts += f"<tptz:PresetToken>{escape(token)}</tptz:PresetToken>"
        return (await self._steer("SetPreset", profile, parts)).read("PresetToken") or token

    async def remove_preset(self, profile: str, token: str) -> None:
        """Forget a direction."""
        await self._steer("RemovePreset", profile, f"<tptz:PresetToken>{escape(token)}</tptz:PresetToken>")

    async def _steer(self, verb: str, profile: str, parts: str = "") -> Element:
        token = f"<tptz:ProfileToken>{escape(profile)}</tptz:ProfileToken>"
        return await self._ask(_PTZ, f"<tptz:{verb}>{token}{parts}</tptz:{verb}>")

    # -- asking ---------------------------------------------------------------------------------------------------

    async def _ask(self, service: str, body: str) -> Element:
        door = self._doors.get(service)
        if door is None:
            raise BadInputError(f"{self._host} offers no service for this.", hint="The camera does not support it.")
        login = None
        if self._username:
            login = Login(username=self._username, password=self._password, clock_offset_s=self.clock_offset_s or 0.0)
        return await door.ask(body, login)

    def _door(self, address: str) -> SoapDoor:
        return SoapDoor(address, timeout_s=self._timeout_s, challenge=self._challenge)

    async def _services(self) -> dict[str, str]:
        """Return the services' addresses by namespace."""
        try:
            answer = await self._ask(
                "device", "<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>"
            )
        except CameraFaultError:
            answer = await self._ask(
                "device", "<tds:GetCapabilities><tds:Category>All</tds:Category></tds:GetCapabilities>"
            )
            found = {uri: answer.anywhere(name) for name, uri in _CAPABILITIES.items()}
            return {uri: element.read("XAddr") for uri, element in found.items() if element and element.read("XAddr")}
        named = {service.read("Namespace"): service.read("XAddr") for service in answer.all("Service")}
        return {name: url for name, url in named.items() if name in _CAPABILITIES.values() and url}

    def _own(self, url: str) -> str:
        """Return a service's address on the host that we asked.

        Cameras behind a router, and badly set up ones, name a host that cannot be reached from here; and a login
        must not follow an address to another machine.
        """
        own = urlsplit(self.address)
        try:
            parts = http_parts(url)
        except BadInputError:
            return self.address
        is_same = parts.hostname == own.hostname and parts.scheme == own.scheme
        return urlunsplit(parts if is_same else parts._replace(scheme=own.scheme, netloc=own.netloc))

    async def _profiles(self) -> list[StreamProfile]:
        """Return the streams, by Media2 where there is one: only that knows H.265."""
        if _MEDIA2 in self._doors:
            try:
                found = await self._profiles_of(_MEDIA2)
                if found or _MEDIA not in self._doors:
                    return found
            except (CameraFaultError, UnavailableError):
                if _MEDIA not in self._doors:
                    raise
        return await self._profiles_of(_MEDIA)

    async def _profiles_of(self, service: str) -> list[StreamProfile]:
        answer = await self._ask(service, _PROFILES[service])
        profiles = []
        for element in answer.all("Profiles")[:MAX_PROFILES]:
            token = element.attributes.get("token", "")
            encoder = element.find("Configurations", "VideoEncoder") or element.find("VideoEncoderConfiguration")
            if not token or encoder is None:
                continue
            profiles.append(
                StreamProfile(
                    token=token,
                    name=clean_text(element.read("Name"), limit=64) or token[:64],
                    codec=clean_text(encoder.read("Encoding"), limit=16),
                    width=max(0, _whole(encoder.read("Resolution", "Width"))),
                    height=max(0, _whole(encoder.read("Resolution", "Height"))),
                    fps=_number(encoder.read("RateControl", "FrameRateLimit")),
                    address=await self._stream_address(service, token),
                    has_ptz=_ptz_of(element) is not None,
                )
            )
        return [profile for profile in profiles if profile.address]

    async def _stream_address(self, service: str, token: str) -> str:
        named = escape(token)
        if service == _MEDIA2:
            body = (
                f"<tr2:GetStreamUri><tr2:Protocol>RTSP</tr2:Protocol><tr2:ProfileToken>{named}</tr2:ProfileToken>"
                "</tr2:GetStreamUri>"
            )
        else:
            body = (
                "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>"
                "<tt:Protocol>RTSP</tt:Protocol></tt:Transport></trt:StreamSetup>"
                f"<trt:ProfileToken>{named}</trt:ProfileToken></trt:GetStreamUri>"
            )
        return await self._address_in(service, body)

    async def _address_in(self, service: str, body: str) -> str:
        """Return the address in an answer, on our host and without a login; empty where the camera gives none."""
        try:
            answer = await self._ask(service, body)
        except CameraFaultError:
            return ""
        uri = answer.read("Uri") or answer.read("MediaUri", "Uri")
        try:
            found = clean_address(uri)
            parts = urlsplit(found.address)
        except (ConsoleError, ValueError):
            return ""
        own = urlsplit(self.address)
        if parts.scheme not in ("rtsp", "rtsps", "http", "https") or own.hostname is None:
            return ""
        if parts.hostname == own.hostname:
            return found.address
        host = f"[{own.hostname}]" if ":" in own.hostname else own.hostname
        return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))


def choose_streams(profiles: list[StreamProfile]) -> tuple[str, str]:
    """Return the tokens of the largest stream and of the smallest one that is still enough for a tile.

    The second is empty where no stream is smaller than the first. JPEG is only taken where there is nothing else.
    """
    usable = [one for one in profiles if one.codec.upper() != "JPEG"] or profiles

    def size(profile: StreamProfile) -> tuple[int, float]:
        return profile.width * profile.height, profile.fps

    main = max(usable, key=size)
    smaller = [one for one in usable if size(one)[0] < size(main)[0] and one.width >= SUB_MIN_WIDTH]
    # The picture must be the same one: a camera with two lenses has profiles of another shape.
    shape = main.width / max(1, main.height)
    same = [one for one in smaller if math.isclose(one.width / max(1, one.height), shape, rel_tol=0.15)]
    # 704x576 is 16:9 with pixels that are not square: better than no sub stream.
    candidates = same or [one for one in smaller if one.height <= 576]
    tile = [one for one in candidates if one.width <= SUB_MAX_WIDTH]
    sub = max(tile, key=size, default=None) or min(candidates, key=size, default=None)
    return main.token, sub.token if sub is not None else ""


def _ptz_of(profile: Element) -> Element | None:
    return profile.find("Configurations", "PTZ") or profile.find("PTZConfiguration")


def _offset_of(answer: Element, now: datetime) -> float | None:
    """Return camera's clock minus ours [s]."""
    utc = answer.anywhere("UTCDateTime")
    if utc is None:
        return None
    figures = [utc.read("Date", part) for part in ("Year", "Month", "Day")]
    figures += [utc.read("Time", part) for part in ("Hour", "Minute", "Second")]
    try:
        year, month, day, hour, minute, second = (int(figure) for figure in figures)
        # A leap second is written as 60.
        at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    # The camera cuts off the part of the second.
    offset_s = (at - now).total_seconds() + 0.5
    return 0.0 if abs(offset_s) < 1.0 else offset_s


def _vector(velocity: Velocity) -> str:
    turn = f'<tt:PanTilt x="{_unit(velocity.pan):.4f}" y="{_unit(velocity.tilt):.4f}"/>'
    return turn + (f'<tt:Zoom x="{_unit(velocity.zoom):.4f}"/>' if velocity.zoom else "")


def _unit(value: float) -> float:
    return max(-1.0, min(1.0, value)) if math.isfinite(value) else 0.0


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.lstrip("-").isdecimal() and len(text) < 8 else 0


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and 0.0 <= value < 1000.0 else 0.0


def _figure(element: Element | None, name: str) -> float | None:
    if element is None:
        return None
    try:
        value = float(element.attributes.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
