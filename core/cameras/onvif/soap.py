"""SOAP 1.2 as ONVIF cameras speak it: one body out, one element back.

A camera is asked with a WS-UsernameToken digest; where it wants HTTP digest instead (401 with a challenge), with that.
The password itself never goes over the wire, and never into a sentence or a log.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from core.cameras.onvif.http import Answer, best_challenge, digest_answer, http_parts, post, target_of
from core.kernel.errors import BadInputError
from core.kernel.xml import Element, parse

NAMESPACES = {
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tptz": "http://www.onvif.org/ver20/ptz/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
}
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_REFUSALS = ("NotAuthorized", "FailedAuthentication", "InvalidSecurity", "AuthorizationFailed", "AccountLocked")
_CHECK_LOGIN = "Check user and password; many cameras have users of their own for ONVIF."
_CLOCK_WRONG_S = 5.0
"""ONVIF Core lets a camera refuse tokens that are older than a few seconds."""


class LoginRefusedError(BadInputError):
    """The camera does not let this user in."""


class CameraFaultError(BadInputError):
    """The camera understood and said no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks.

    Attributes:
        clock_offset_s: Camera's clock minus ours; a token of another time is refused.
    """

    username: str
    password: str = ""
    clock_offset_s: float = 0.0

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"Login(username={self.username!r})"


@dataclass(slots=True)
class Challenge:
    """The HTTP digest challenge that a camera gave last, shared by all its services: they count its uses together.

    Attributes:
        has_worked: The camera let us in with it, so that a refusal means that it is used up.
    """

    fields: dict[str, str] | None = None
    n_uses: int = 0
    has_worked: bool = False


class SoapDoor:
    """One service of one camera.

    Threads: the loop of whoever asks.
    """

    def __init__(self, address: str, *, timeout_s: float = 5.0, challenge: Challenge | None = None) -> None:
        """Take an address like `http://10.0.0.5/onvif/device_service`; nothing is opened yet.

        Raises:
            BadInputError: It is no HTTP address.
        """
        self._parts = http_parts(address)
        self._timeout_s = timeout_s
        self._challenge = challenge or Challenge()

    @property
    def host(self) -> str:
        """Host and port, for sentences."""
        return self._parts.netloc

    async def ask(self, body: str, login: Login | None = None) -> Element:
        """Send one body and return the element inside the answer's `Body`.

        Raises:
            LoginRefusedError: The camera does not let this user in.
            CameraFaultError: The camera says that it cannot.
            UnavailableError: Nobody answers, or not in time.
            BadInputError: What comes back is no ONVIF.
        """
        answer = await self._send(body, login)
        if answer.status == 401 and login is not None:
            challenge = best_challenge(answer.headers)
            known = self._challenge
            # The same answer to the same question twice would only count towards the camera's lock-out.
            is_new = known.fields is None or known.has_worked or (challenge or {}).get("stale", "").lower() == "true"
            if challenge is not None and is_new:
                known.fields, known.n_uses, known.has_worked = challenge, 0, False
                answer = await self._send(body, login)
        if answer.status == 401:
            self._challenge.fields, self._challenge.has_worked = None, False
            raise _refused(self.host, login)
        self._challenge.has_worked = self._challenge.fields is not None
        return self._open(answer, login)

    async def _send(self, body: str, login: Login | None) -> Answer:
        headers = {"Content-Type": "application/soap+xml; charset=utf-8"}
        token = login
        fields = self._challenge.fields
        if login is not None and fields is not None:
            self._challenge.n_uses += 1
            token = None
            target, n_uses = target_of(self._parts), self._challenge.n_uses
            headers["Authorization"] = digest_answer(
                fields, login.username, login.password, target=target, n_uses=n_uses
            )
        return await post(self._parts, _envelope(body, token), headers, timeout_s=self._timeout_s)

    def _open(self, answer: Answer, login: Login | None) -> Element:
        if answer.status in (404, 405, 501):
            raise BadInputError(
                f"{self.host} has no ONVIF service at {self._parts.path or '/'}.",
                hint="Write http://HOST/onvif/device_service, and switch ONVIF on in the camera.",
            )
        if 300 <= answer.status < 400:
            raise BadInputError(
                f"{self.host} sends us on to another address, and a login is not taken there.",
                hint="Use the address it leads to, perhaps https://.",
            )
        try:
            envelope = parse(answer.content)
        except BadInputError as error:
            raise BadInputError(
                f"{self.host} answers with something that is no ONVIF (HTTP {answer.status}). {error.message}",
                hint="Check address and port; ONVIF often has a port of its own (80, 8000, 8080).",
            ) from error
        body = envelope.find("Body")
        if envelope.name != "Envelope" or body is None or not body.children:
            raise BadInputError(
                f"{self.host} answers with something that is no SOAP (HTTP {answer.status}).",
                hint="Check address and port.",
            )
        first = body.children[0]
        if first.name == "Fault":
            raise _fault(first, self.host, login)
        if answer.status != 200:
            raise BadInputError(
                f"{self.host} answers with HTTP {answer.status}.", hint="Try again; restart the camera."
            )
        return first


def token_digest(nonce: bytes, created: str, password: str) -> str:
    """Return the password digest of a UsernameToken.

    Source: OASIS Web Services Security UsernameToken Profile 1.0, 3.1: Base64(SHA-1(nonce + created + password)).
    """
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()  # noqa: S324


def clean_text(text: str, *, limit: int = 120) -> str:
    """Return a text of the camera as it may stand on a screen: printable, in one line, bounded."""
    return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))[:limit].strip()


def describe_span(seconds: float) -> str:
    """Say a span of time roughly: "12 s", "3 min", "2 h", "40 d"."""
    for size_s, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.95 * size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def describe_clock(offset_s: float) -> str:
    """Say how wrong a camera's clock is; empty where it is right enough."""
    if abs(offset_s) <= _CLOCK_WRONG_S:
        return ""
    return f"its clock is {describe_span(abs(offset_s))} {'ahead' if offset_s > 0 else 'behind'}"


def _envelope(body: str, login: Login | None) -> bytes:
    names = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if f"{prefix}:" in body)
    head = "" if login is None else f"<s:Header>{_token(login)}</s:Header>"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{_SOAP}"{names}>{head}<s:Body>{body}</s:Body>'
        "</s:Envelope>"
    ).encode()


def _token(login: Login) -> str:
    nonce = secrets.token_bytes(16)
    at = datetime.now(UTC) + timedelta(seconds=login.clock_offset_s)
    created = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return (
        f'<wsse:Security s:mustUnderstand="1" xmlns:wsse="{_WSSE}" xmlns:wsu="{_WSU}"><wsse:UsernameToken>'
        f"<wsse:Username>{escape(login.username)}</wsse:Username>"
        f'<wsse:Password Type="{_DIGEST}">{token_digest(nonce, created, login.password)}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</wsse:Nonce>'
        f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def _fault(fault: Element, host: str, login: Login | None) -> BadInputError:
    codes = _codes_of(fault)
    if any(code in _REFUSALS for code in codes):
        return _refused(host, login)
    code = codes[-1] if codes else ""
    said = clean_text(fault.read("Reason", "Text") or fault.read("faultstring")) or code or "no reason given"
    return CameraFaultError(f"{host} refuses: {said.rstrip('.')}.", hint="The camera may not support this.")


def _codes_of(fault: Element) -> list[str]:
    """Return the fault codes from the outermost to the innermost, without their prefixes."""
    codes = []
    here = fault.find("Code")
    while here is not None:
        codes.append(here.read("Value").rpartition(":")[2])
        here = here.find("Subcode")
    return [code for code in codes or [fault.read("faultcode").rpartition(":")[2]] if code]


def _refused(host: str, login: Login | None) -> LoginRefusedError:
    if login is None:
        return LoginRefusedError(f"{host} asks for user and password.", hint="Type them; they are sent as a digest.")
    clock = describe_clock(login.clock_offset_s)
    if clock:
        return LoginRefusedError(
            f"{host} refuses user and password; {clock}.", hint=f"{_CHECK_LOGIN} Set the camera's clock as well."
        )
    return LoginRefusedError(f"{host} refuses user and password.", hint=_CHECK_LOGIN)
