"""The time zone that people at this site live by."""

from __future__ import annotations

import os
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
