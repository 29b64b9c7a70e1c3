"""Logins in an address, before its host or in its path or query where some cameras want them: nobody may see them.

One of the second kind is kept and shown as `…/user={user}_password={password}_channel=1.sdp`; what belongs there is put
in for libav alone, when the stream is opened.

Text without `rtsp://` before it names a file, and may still be a camera with its login: `USER:PASSWORD@HOST/PATH`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from core.media.webcam import webcam_address

USER, PASSWORD = "{user}", "{password}"

NO_SCHEME = "The address holds a password, and does not begin with rtsp:// or the like."
WRITE_SCHEME = "Write rtsp:// before it; a file with such a name has to get another."

_PASSWORDS = (
    "password|passwd|passw|pass|pwd|psw|loginpass|loginpas|loginpwd|userpwd|pword"
    "|token|access_token|api_?key|auth|auth_?key|secret"
)
_USERS = "username|user_name|user|usr|loginuser|loginuse|login|account"
# Some makers separate by "_": a value ends there only where another parameter begins.
_PARAMETER = r"(?i)(?<![^?&;/_])({names})=([^&;/?#]*?)(?=_[a-z]+=|[&;/?#]|$)"
_PASSWORD_IN = re.compile(_PARAMETER.format(names=_PASSWORDS))
_USER_IN = re.compile(_PARAMETER.format(names=_USERS))
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://")
_HOST = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*")
_FILE = re.compile(r"(?i)^file:")
_POSTED = re.compile(r"(?i)^edge:")
# Before a slash, one letter and a colon are a drive of Windows.
_DRIVE = re.compile(r"^[/\\]*[a-zA-Z]:(?=[/\\])")
_SLASHES = re.compile(r"[/\\]+")


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


def split_login(address: str) -> tuple[str, str]:
    """Return a network address without the login before its host, and that login as it was written."""
    scheme = _SCHEME.match(address)
    if scheme is None:
        return address, ""
    rest = address[scheme.end() :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port = authority.rpartition(":")[2] if ":" in authority else "0"
    if "@" in authority:
        login = authority.rpartition("@")[0]
    elif not port.isdigit() and not authority.endswith("]") and "@" in rest:
        # A port that is no number, and an @ later on: a password that was pasted with a slash in it.
        login = rest.rpartition("@")[0]
    else:
        return address, ""
    return scheme.group() + rest[len(login) + 1 :], login


def public_address(address: str) -> str:
    """Return the address without any user name and password somebody typed into it."""
    text = address.strip()
    if _may_be_bare(text):
        return take_parameters(_without_bare_login(text)).address
    return take_parameters(split_login(text)[0]).address


def holds_bare_login(text: str) -> bool:
    """Return whether what would name a file is rather a camera's address: it lacks the scheme and holds a login."""
    return _may_be_bare(text.strip()) and public_address(text) != text.strip()


def _may_be_bare(text: str) -> bool:
    # The node itself writes where posted pictures lie and which plug a webcam has: both may hold what a login does.
    if _POSTED.match(text) is not None or webcam_address(text) is not None:
        return False
    return _SCHEME.match(text) is None or _FILE.match(text) is not None


def _without_bare_login(text: str) -> str:
    """Return what follows the login; a file may have ":" and "@" in its name from the third part of its path on."""
    path = _FILE.sub("", text)
    before, at, rest = path.rpartition("@")
    if not at or _DRIVE.match(path) is not None:
        return text
    begin = _SLASHES.split(before, maxsplit=2)[:2]
    return rest if "://" in before or any(":" in part for part in begin) else text


def take_parameters(address: str) -> Parameters:
    """Take user and password out of the path and the query of an address."""
    host = _HOST.match(address)
    begin = host.group() if host is not None else ""
    place = address[len(begin) :]
    found = [value for _, value in _PASSWORD_IN.findall(place) if value not in {"", PASSWORD}]
    if not found:
        # A user alone is no secret, and "user=1" may as well be a number of a stream.
        return Parameters(address)
    users = [value for _, value in _USER_IN.findall(place) if value not in {"", USER}]
    place = _PASSWORD_IN.sub(lambda match: _replaced(match, PASSWORD), place)
    place = _USER_IN.sub(lambda match: _replaced(match, USER), place)
    return Parameters(
        begin + place,
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
