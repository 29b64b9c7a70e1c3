"""A dressed application without a screen."""

import os

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def dressed(qapp):
    from widgets.base.theme import DARK, apply_theme

    apply_theme(qapp, DARK, base_px=16)
    yield
    apply_theme(qapp, DARK, base_px=16)
