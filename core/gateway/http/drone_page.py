"""The page that shows drones live: one file without anything from elsewhere, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

import resources

FILE = "web/drones.html"


@cache
def page() -> bytes:
    """Return the page."""
    return resources.path(FILE).read_bytes()


def _digest(tag: str) -> str:
    match = re.search(rf"<{tag}>(.*?)</{tag}>".encode(), page(), re.DOTALL)
    inner = match.group(1) if match else b""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inner).digest()).decode()}'"


def page_headers() -> dict[str, str]:
    """Return what keeps a browser from running or fetching anything but the page itself."""
    policy = (
        f"default-src 'none'; script-src {_digest('script')}; style-src {_digest('style')}; img-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
