"""Small helpers that every service needs around its rows."""

from __future__ import annotations

import hashlib
from typing import Protocol

from core.kernel.errors import StaleWriteError
from core.kernel.geo import GeoPoint


class _Placed(Protocol):
    lat_deg: float | None
    lon_deg: float | None


def position_of(row: _Placed) -> GeoPoint | None:
    """Return a row's position, None where it has none."""
    if row.lat_deg is None or row.lon_deg is None:
        return None
    return GeoPoint(row.lat_deg, row.lon_deg)


def place(row: _Placed, position: GeoPoint | None) -> None:
    """Write a position into a row."""
    found = place_values(position)
    row.lat_deg, row.lon_deg = found["lat_deg"], found["lon_deg"]


def place_values(position: GeoPoint | None) -> dict[str, float | None]:
    """Return a position as the columns that hold it [degrees, WGS 84]."""
    return {
        "lat_deg": None if position is None else position.lat_deg,
        "lon_deg": None if position is None else position.lon_deg,
    }


def check_version(version: int, *, expect_version: int, what: str) -> None:
    """Refuse a change that was made on top of an older state; `what` names the row in the sentence.

    Raises:
        StaleWriteError: Someone else was faster.
    """
    if version != expect_version:
        raise StaleWriteError(
            f"{what} was changed by someone else meanwhile.", hint="Look at the new values and try again."
        )


def storable(text: str) -> str:
    """Drop NUL characters and lone surrogates: PostgreSQL cannot keep either."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def words_of(text: str, n_most: int) -> str:
    """Return what somebody wrote as it is kept: storable, without blanks around it, at most `n_most` characters."""
    return storable(text).strip()[:n_most]


def within(text: str, n_most: int) -> str:
    """Return a text that fits a column of `n_most` characters; a longer one keeps its end, and others stay apart."""
    if len(text) <= n_most:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{digest}~{text[len(digest) + 1 - n_most :]}"
