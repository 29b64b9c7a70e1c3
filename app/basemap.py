"""Which file the site's map is."""

from __future__ import annotations

from pathlib import Path

import resources
from core.node.model import SiteInfo


def basemap_of(site: SiteInfo) -> Path | None:
    """Return the file of the site's map; None where it has none."""
    if not site.basemap:
        return None
    path = Path(site.basemap)
    if path.suffix:
        return path
    try:
        return resources.path(f"basemap/{site.basemap}.mbtiles")
    except FileNotFoundError:
        return Path(f"{site.basemap}.mbtiles")
