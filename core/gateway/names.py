"""Names of other systems as parts of our topics."""

from __future__ import annotations

import hashlib
import re


def slug_of(*names: str) -> str:
    """Return names as one part of a topic; where letters had to be left out, a short hash keeps two of them apart."""
    whole = "/".join(name for name in names if name)
    plain = plain_name(whole)
    if plain == whole.replace("/", "-") and len(plain) <= 32 and "-" not in "".join(names):
        return plain
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:6]
    return f"{plain[:25].strip('-') or 'node'}-{digest}"


def plain_name(name: str) -> str:
    """Return a name as both sides may write it: "Front door" and "front_door" are one."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
