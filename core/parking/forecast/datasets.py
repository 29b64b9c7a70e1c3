"""Public series of car parks, as they are published, for the evaluation."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from core.kernel.errors import BadInputError, UnavailableError
from core.parking.forecast.series import Counts

BIRMINGHAM_ZONE = "Europe/London"
DRESDEN_ZONE = "Europe/Berlin"
FEWEST_ROWS = 100


def read_birmingham(file: Path) -> dict[str, Counts]:
    """Read "Parking Birmingham" of the UCI repository: a count every half hour, in local time.

    Returns:
        By lot; lots of fewer than 100 rows are left out.

    Raises:
        BadInputError: The file is something else.
    """
    zone = ZoneInfo(BIRMINGHAM_ZONE)
    rows: dict[str, list[tuple[float, float, float]]] = {}
    try:
        for row in csv.DictReader(_lines(file)):
            at = datetime.fromisoformat(row["LastUpdated"]).replace(tzinfo=zone)
            found = (at.timestamp(), float(row["Capacity"]), float(row["Occupancy"]))
            rows.setdefault(row["SystemCodeNumber"], []).append(found)
    except (OSError, KeyError, ValueError) as error:
        raise _wrong(file, "SystemCodeNumber, Capacity, Occupancy, LastUpdated", error) from error
    return {lot: _counts(found) for lot, found in sorted(rows.items()) if len(found) >= FEWEST_ROWS}


def read_dresden(file: Path, capacities: Path) -> tuple[dict[str, Counts], dict[str, str]]:
    """Read free places of Dresden's car parks, a row with each change, and their capacities.

    Returns:
        By lot; lots without a capacity are left out. And the capacities that are stale, "said → used": where more
        places were free for long than there are said to be, as many as were free stand for the capacity.

    Raises:
        BadInputError: A file is something else.
        UnavailableError: polars is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise UnavailableError(
            "Parquet files are read with polars, which is not installed.", hint="pip install polars -c constraints.txt"
        ) from error
    try:
        sizes = {row["place_id"]: float(row["num_all"] or 0) for row in csv.DictReader(_lines(capacities))}
        table = polars.read_parquet(file)
        found: dict[str, Counts] = {}
        stale: dict[str, str] = {}
        for (lot,), part in table.sort("timestamp").group_by(["place_id"]):
            n_bays = sizes.get(str(lot), 0.0)
            if n_bays <= 0:
                continue
            at_s = part["timestamp"].dt.epoch("ms").to_numpy().astype(np.float64) / 1000.0
            free = part["free"].to_numpy().astype(np.float64)
            most_free = float(np.quantile(free, 0.99))
            if most_free > n_bays:
                stale[str(lot)] = f"{n_bays:.0f} → {most_free:.0f}"
                n_bays = most_free
            every = np.full(len(at_s), n_bays)
            found[str(lot)] = Counts(at_s=at_s, n_bays=every, n_occupied=n_bays - free, n_unknown=np.zeros(len(at_s)))
    except (OSError, KeyError, ValueError, polars.exceptions.PolarsError) as error:
        raise _wrong(file, "timestamp, place_id, free", error) from error
    return dict(sorted(found.items())), stale


def utc_of(text: str, zone: str) -> float:
    """Return the instant of a local date or time, in seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()


def _lines(file: Path) -> Iterator[str]:
    raw = file.read_bytes()
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return iter(io.StringIO(text.decode("utf-8")))


def _counts(rows: list[tuple[float, float, float]]) -> Counts:
    table = np.asarray(rows)
    return Counts(at_s=table[:, 0], n_bays=table[:, 1], n_occupied=table[:, 2], n_unknown=np.zeros(len(table)))


def _wrong(file: Path, columns: str, error: Exception) -> BadInputError:
    return BadInputError(
        f"{file.name} does not hold the columns {columns} ({error}).", hint="See --help for the files."
    )
