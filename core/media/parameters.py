"""Logins in the path or the query of an address: some cameras want them there, and nobody may see them.

Such an address is kept and shown as `…/user={user}_password={password}_channel=1.sdp`; what belongs there is put in for
libav alone, when the stream is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

USER, PASSWORD = "{user}", "{password}"

_PASSWORDS = (
    "password|passwd|passw|pass|pwd|psw|loginpass|loginpas|loginpwd|userpwd|pword"
    "|token|access_token|api_?key|auth|auth_?key|secret"
)
_USERS = "username|user_name|user|usr|loginuser|loginuse|login|account"
# Some makers separate by "_": a value ends there only where another parameter begins.
_PARAMETER = r"(?i)(?<=[?&;/_])({names})=([^&;/?#]*?)(?=_[a-z]+=|[&;/?#]|$)"
_PASSWORD_IN = re.compile(_PARAMETER.format(names=_PASSWORDS))
_USER_IN = re.compile(_PARAMETER.format(names=_USERS))
_HOST = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*")


@dataclass(frozen=True, slots=True)
class Parameters:
    """An address with `{user}` and `{password}` in it, and what stood there.

    Attributes:
        passwords: Each once; a camera has one password, so more than one cannot be kept.
    """

    address: str
    username: str = ""
    passwords: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Leave the passwords out."""
        return f"Parameters({self.address!r})"


def take_parameters(address: str) -> Parameters:
    """Take user and password out of the path and the query of a network address; others are left alone."""
    host = _HOST.match(address)
    if host is None:
        return Parameters(address)
    place = address[host.end() :]
    found = [value for _, value in _PASSWORD_IN.findall(place) if value not in {"", PASSWORD}]
    if not found:
        # A user alone is no secret, and "user=1" may as well be a number of a stream.
        return Parameters(address)
    users = [value for _, value in _USER_IN.findall(place) if value not in {"", USER}]
    place = _PASSWORD_IN.sub(lambda match: _replaced(match, PASSWORD), place)
    place = _USER_IN.sub(lambda match: _replaced(match, USER), place)
    return Parameters(
        host.group() + place,
        unquote(users[0]) if users else "",
        tuple(dict.fromkeys(unquote(value) for value in found)),
    )


def fill_parameters(address: str, username: str, password: str) -> str:
    """Put user and password where the address wants them; never log or keep what this returns."""
    if _HOST.match(address) is None:
        return address
    return address.replace(PASSWORD, quote(password, safe="")).replace(USER, quote(username, safe=""))


def _replaced(match: re.Match[str], place: str) -> str:
    return f"{match.group(1)}={place if match.group(2) else ''}"
