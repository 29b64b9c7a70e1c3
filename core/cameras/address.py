"""Camera addresses: which ones can be used, and how a password gets out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from core.kernel.errors import BadInputError, ConsoleError
from core.media.model import EDGE, NETWORK_SCHEMES
from core.media.parameters import NO_SCHEME, WRITE_SCHEME, holds_bare_login, split_login, take_parameters
from core.media.webcam import WEBCAM, webcam_address

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_WAY_OUT = (
    "Write rtsp://HOST/PATH, rtmp://HOST/APP/KEY, http://HOST/PATH, webcam:0, edge:, synthetic:NAME or the path of a "
    "file, with user and password in their own fields."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanAddress:
    """An address without a password, and what was taken out of it.

    Attributes:
        username, password: Empty where the address held none.
        host: Empty for files, webcams and synthetic pictures.
    """

    address: str
    username: str = ""
    password: str = ""
    host: str = ""

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"CleanAddress(address={self.address!r}, username={self.username!r})"


def clean_address(text: str) -> CleanAddress:
    """Take user and password out of an address and check the rest.

    Raises:
        BadInputError: It names no source; the sentence never repeats a password.
    """
    address = text.strip()
    if not address or not address.isprintable() or len(address) > 2000:
        raise BadInputError("The camera's address is empty or cannot be used.", hint=_WAY_OUT)
    scheme, separator, rest = address.partition(":")
    scheme = scheme.lower()
    webcam = webcam_address(address)
    if webcam is not None:
        return CleanAddress(address=webcam)
    if holds_bare_login(address):
        # Never repeated: what is kept or logged once, the audit above all, cannot be taken back.
        raise BadInputError(NO_SCHEME, hint=WRITE_SCHEME)
    if separator and scheme == WEBCAM:
        raise BadInputError(f"{rest!r} is no number of a webcam.", hint="Write webcam:0 for the first one.")
    if separator and scheme == EDGE:
        # Its pictures are posted to the node; where they lie is the node's own affair.
        return CleanAddress(address=f"{EDGE}:")
    if separator and scheme in {"synthetic", "demo"}:
        if not rest:
            raise BadInputError(f"The {scheme} source has no name.", hint=f"Write {scheme}:NAME.")
        return CleanAddress(address=f"{scheme}:{rest}")
    # One letter before the colon is a drive of Windows, and a plain path may hold a colon further on.
    if not separator or len(scheme) == 1 or scheme == "file" or not _SCHEME.fullmatch(scheme):
        return CleanAddress(address=address)
    if scheme not in NETWORK_SCHEMES or not rest.startswith("//"):
        raise BadInputError(f"Addresses of the kind {scheme}: are not supported.", hint=_WAY_OUT)
    return _clean_network(address)


def complete_onvif(text: str) -> str:
    """Make an ONVIF address of what people type: a host alone speaks HTTP."""
    address = text.strip()
    return f"http://{address}" if address and "://" not in address else address


def host_of(address: str) -> str:
    """Return the host that an address leads to, without its port; empty where it leads to none or cannot be read."""
    try:
        host = clean_address(address).host
    except ConsoleError:
        return ""
    return urlsplit(f"//{host}").hostname or ""


def hosts_of(addresses: Iterable[str]) -> frozenset[str]:
    """Return the hosts that addresses lead to."""
    return frozenset(host for address in addresses if (host := host_of(address)))


def _clean_network(address: str) -> CleanAddress:
    plain, login = split_login(address)
    try:
        parts = urlsplit(plain)
    except ValueError as error:
        raise BadInputError("The camera's address cannot be read.", hint=_WAY_OUT) from error
    host: str | None = None
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise BadInputError("The port in the camera's address is not a number from 1 to 65535.", hint=_WAY_OUT)
    if not host or any(character.isspace() for character in host):
        raise BadInputError("The camera's address names no host.", hint=_WAY_OUT)
    username, _, password = login.partition(":")
    netloc = f"[{host}]" if ":" in host else host
    if port is not None:
        netloc = f"{netloc}:{port}"
    found = take_parameters(urlunsplit((parts.scheme.lower(), netloc, parts.path, parts.query, "")))
    passwords = dict.fromkeys(one for one in (unquote(password), *found.passwords) if one)
    if len(passwords) > 1:
        raise BadInputError(
            "The camera's address holds two different passwords, and one is kept for each camera.",
            hint="Leave out the one that the camera does not need.",
        )
    return CleanAddress(
        address=found.address,
        username=unquote(username) or found.username,
        password=next(iter(passwords), ""),
        host=netloc.lower(),
    )
