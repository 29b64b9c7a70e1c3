"""The time zone that people at this site live by."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LINK = Path("/etc/localtime")
_NAME = Path("/etc/timezone")


def zone_name(wanted: str = "") -> str:
    """Return a name of the IANA database: the wanted one, else this machine's, else UTC."""
    for name in (wanted, os.environ.get("TZ", "").lstrip(":"), _from_link(), _from_file()):
        if name and is_zone(name):
            return name
    return "UTC"


def is_zone(name: str) -> bool:
    """Say whether there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def write_local(at: datetime, zone: ZoneInfo, *, timespec: str = "minutes") -> str:
    """Write an aware instant as people at the site read it: their day and time, and the offset."""
    if zone.key == "UTC":
        # As it was always written, also in reports whose words were hashed.
        return f"{at.astimezone(zone).replace(tzinfo=None).isoformat(sep=' ', timespec=timespec)} UTC"
    return at.astimezone(zone).isoformat(sep=" ", timespec=timespec)


def write_local_clock(at: datetime, zone: ZoneInfo, *, timespec: str = "minutes") -> str:
    """Write the time of day of an aware instant as people at the site read it, and the offset."""
    return write_local(at, zone, timespec=timespec).partition(" ")[2]


UTC_ZONE = ZoneInfo("UTC")

_site: ZoneInfo | None = None
"""Of this process: a node serves one site, and a console shows one."""


def set_site_zone(name: str) -> None:
    """Let this process write and read times as people at the site do; UTC where this machine does not know the zone.

    An empty name is this machine's own zone.
    """
    global _site
    # No time zone data on this machine: UTC, and the offset says so.
    _site = None if not name else ZoneInfo(name) if is_zone(name) else UTC_ZONE


def to_site(at: datetime) -> datetime:
    """Return an aware instant as the clock on the wall of the site shows it, with its offset."""
    return at.astimezone(_site)


def from_site(wall: datetime, *, fold: int = 0) -> datetime:
    """Return the instant, UTC, of a naive time on the wall of the site.

    Args:
        wall: One that the wall leaves out in spring means as much later as the clock is put forward.
        fold: Which is meant where the wall shows it twice: 0 the first, 1 the second.
    """
    # Without a zone Python takes a naive time for the machine's.
    return wall.replace(tzinfo=_site, fold=fold).astimezone(UTC)


def write_site(at: datetime, *, timespec: str = "minutes") -> str:
    """Write an aware instant for people at the site: their day and time, and the offset."""
    if _site is None:
        return at.astimezone().isoformat(sep=" ", timespec=timespec)
    return write_local(at, _site, timespec=timespec)


def write_site_clock(at: datetime) -> str:
    """Write the time of day of an aware instant for people at the site, to the second, and the offset."""
    if _site is None:
        return at.astimezone().timetz().isoformat(timespec="seconds")
    return write_local_clock(at, _site, timespec="seconds")


def _from_link() -> str:
    try:
        return str(_LINK.resolve()).partition("zoneinfo/")[2]
    except OSError:
        return ""


def _from_file() -> str:
    try:
        return _NAME.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
