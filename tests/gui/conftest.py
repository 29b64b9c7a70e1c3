"""A dressed application without a screen."""

import os

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(autouse=True)
def dressed(qapp):
    from widgets.base.theme import DARK, apply_theme, look

    # Dressing polishes every widget there is: only where a test left another look behind.
    if not qapp.styleSheet() or look().theme is not DARK or look().is_reduced_motion:
        apply_theme(qapp, DARK, base_px=16)
    yield
    if look().theme is not DARK or look().is_reduced_motion:
        apply_theme(qapp, DARK, base_px=16)


@pytest.fixture
def open_widget(qtbot):
    """Return a function that shows a widget in a size; it is closed after the test."""

    def open_in_size(widget, width, height):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        return widget

    return open_in_size
