"""What two versions of a lot differ by."""

from __future__ import annotations

from dataclasses import replace

from core.parking.model import BayView, Lot


def plain(lot: Lot) -> Lot:
    """Return a lot without its version, which is not drawn."""
    return replace(lot, version=0)


def with_calibration(lot: Lot, base: Lot, theirs: Lot) -> Lot:
    """Return a lot with what was calibrated from one version of it to another; other views stay as they are."""
    since = _calibrated_since(base, theirs)
    views = []
    for view in lot.views:
        other = since.get(view.camera_id, view)
        measured = replace(
            view, method=other.method, image_px=other.image_px, rate=other.rate, calibrated_at=other.calibrated_at
        )
        views.append(measured)
    return replace(lot, views=tuple(views))


def differs_by_calibration(theirs: Lot, ours: Lot) -> bool:
    """Tell whether nothing was drawn anew between two versions, only measured."""
    return theirs == with_calibration(ours, ours, theirs)


def is_calibrated_twice(base: Lot, ours: Lot, theirs: Lot) -> bool:
    """Tell whether two versions have other methods, pictures or rates for one view than the version before both."""
    return not _calibrated_since(base, ours).keys().isdisjoint(_calibrated_since(base, theirs))


def _calibrated_since(base: Lot, now: Lot) -> dict[str, BayView]:
    before = {view.camera_id: _calibration(view) for view in base.views}
    return {
        view.camera_id: view
        for view in now.views
        if view.camera_id in before and _calibration(view) != before[view.camera_id]
    }


def _calibration(view: BayView) -> tuple[object, ...]:
    return view.method, view.image_px, view.rate, view.calibrated_at
