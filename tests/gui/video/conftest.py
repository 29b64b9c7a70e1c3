"""A dressed application without a screen."""

import os

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def dressed(qapp):
    from widgets.base.theme import DARK, apply_theme, look

    calm = getattr(qapp, "calm_look", None)
    # Dressing takes a while: only after a test that wore something else.
    if calm is None or look() != calm:
        qapp.calm_look = apply_theme(qapp, DARK, base_px=16)
