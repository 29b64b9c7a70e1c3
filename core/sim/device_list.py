"""A list of devices as it comes from elsewhere: most rows can be used, some have the faults that such lists have."""

from __future__ import annotations

FAULT_EVERY = 135


def device_list(n_rows: int, *, south: float = 60.0, west: float = 24.0) -> str:
    """Return a CSV of junctions in a square of 0.07 degrees; every 135th row has a fault.

    The faults are an id that is none, a latitude beyond the pole, and an id that stands in an earlier line.
    """
    rows = ["device_id;name;kind;site;lat_deg;lon_deg"]
    for number in range(n_rows):
        lat, lon = f"{south + number // 71 / 1000:.6f}", f"{west + number % 71 / 1000:.6f}"
        head = f"station/s{number};Junction {number};station;District {number // 500 + 1}"
        row = f"{head};{lat};{lon}"
        faults = (row.replace("station/", "Station "), f"{head};160.0;{lon}", "station/s0;Twice;;;;")
        rows.append(faults[number // FAULT_EVERY % 3] if number % FAULT_EVERY == FAULT_EVERY - 1 else row)
    return "\n".join(rows)
