"""The time zone that people at this site live by."""

from __future__ import annotations

import os
from datetime import datetime
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
