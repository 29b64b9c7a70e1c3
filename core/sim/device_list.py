"""A list of devices as it comes from elsewhere: most rows can be used, some have the faults that such lists have."""

from __future__ import annotations

FAULT_EVERY = 135


def device_list(n_rows: int) -> str:
    """Return a CSV of junctions; every 135th row has an id, a place or a name twice that cannot be used."""
    rows = ["device_id;name;kind;site;lat_deg;lon_deg"]
    for number in range(n_rows):
        place = f"{60 + number / 50_000:.6f};{24 + number / 50_000:.6f}"
        row = f"station/s{number};Junction {number};station;District {number // 500 + 1};{place}"
        faults = (row.replace("station/", "Station "), row.replace(";60.", ";160."), "station/s0;Twice;;;;")
        rows.append(faults[number // FAULT_EVERY % 3] if number % FAULT_EVERY == FAULT_EVERY - 1 else row)
    return "\n".join(rows)
