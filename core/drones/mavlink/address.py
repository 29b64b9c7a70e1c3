"""How a link is written in the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from core.drones.model import LinkKind, SigningPolicy
from core.kernel.errors import BadInputError

DEFAULT_BAUD = 57_600
_HINT = (
    "Write udp:HOST:PORT, tcp:HOST:PORT, serial:DEVICE:BAUD or file:PATH; NAME= before it names the link, "
    "and ;warn or ;require behind it checks signatures."
)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddress:
    """One link as it is to be opened.

    Attributes:
        host, port: Of UDP (where we listen) and TCP (where we connect to).
        path: Of a serial device or a file.
        baud: Of a serial device.
    """

    link_id: str
    kind: LinkKind
    host: str = ""
    port: int = 0
    path: str = ""
    baud: int = DEFAULT_BAUD
    signing: SigningPolicy | None = None

    @property
    def text(self) -> str:
        """Return it as people write it."""
        if self.kind in (LinkKind.UDP, LinkKind.TCP):
            return f"{self.kind}:{self.host}:{self.port}"
        return f"{self.kind}:{self.path}" + (f":{self.baud}" if self.kind is LinkKind.SERIAL else "")


def parse_link(text: str) -> LinkAddress:
    """Read one link of the settings.

    Raises:
        BadInputError: It is none.
    """
    rest, _, policy = text.strip().partition(";")
    name, has_name, address = rest.partition("=")
    if not has_name:
        name, address = "", rest
    kind_name, _, place = address.partition(":")
    try:
        kind = LinkKind(kind_name)
        signing = SigningPolicy(policy) if policy else None
    except ValueError as error:
        raise BadInputError(f"The link {text[:80]!r} cannot be read.", hint=_HINT) from error
    if (name and _NAME.fullmatch(name) is None) or not place:
        raise BadInputError(f"The link {text[:80]!r} cannot be read.", hint=_HINT)
    found = _in_network(kind, place) if kind in (LinkKind.UDP, LinkKind.TCP) else _on_machine(kind, place)
    if found is None:
        raise BadInputError(f"The link {text[:80]!r} names no place to listen.", hint=_HINT)
    return LinkAddress(
        link_id=name or _name_of(found),
        kind=kind,
        host=found.host,
        port=found.port,
        path=found.path,
        baud=found.baud,
        signing=signing,
    )


def _in_network(kind: LinkKind, place: str) -> LinkAddress | None:
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        return None
    return LinkAddress(link_id="", kind=kind, host=host.strip("[]"), port=int(port))


def _on_machine(kind: LinkKind, place: str) -> LinkAddress | None:
    path, _, baud = place.rpartition(":")
    if kind is LinkKind.SERIAL and path and baud.isdecimal():
        return LinkAddress(link_id="", kind=kind, path=path, baud=int(baud))
    return LinkAddress(link_id="", kind=kind, path=place)


def _name_of(address: LinkAddress) -> str:
    where = {
        LinkKind.UDP: str(address.port),
        LinkKind.TCP: f"{address.host}-{address.port}",
    }.get(address.kind, PurePath(address.path).stem)
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{address.kind}-{where}")[:32]
