"""What two versions of a lot differ by."""

from __future__ import annotations

from dataclasses import replace

from core.parking.model import Lot


def plain(lot: Lot) -> Lot:
    """Return a lot without its version, which is not drawn."""
    return replace(lot, version=0)


def with_calibration(lot: Lot, theirs: Lot) -> Lot:
    """Return a lot with the calibrations of another version of it."""
    found = {view.camera_id: view for view in theirs.views}
    views = []
    for view in lot.views:
        other = found.get(view.camera_id, view)
        measured = replace(
            view, method=other.method, image_px=other.image_px, rate=other.rate, calibrated_at=other.calibrated_at
        )
        views.append(measured)
    return replace(lot, views=tuple(views))


def differs_by_calibration(theirs: Lot, ours: Lot) -> bool:
    """Tell whether nothing was drawn anew between two versions, only measured."""
    return theirs == with_calibration(ours, theirs)
