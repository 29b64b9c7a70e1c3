"""What the map keeps drawn."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPixmap

from core.field.model import DeviceState
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint
from tests.gui.map.things import lot
from widgets.map.city_map import CityMap
from widgets.map.sprites import KEPT_BYTES, Sprite, SpriteStore

SIDE_PX = 16
N_BYTES = SIDE_PX * SIDE_PX * 4


@pytest.fixture
def drawn(qapp):
    return []


def asking(store, drawn):
    def ask(key):
        def draw():
            drawn.append(key)
            return Sprite(pixmap=QPixmap(SIDE_PX, SIDE_PX), middle=QPointF(), body=QRectF())

        return store.get((key,), draw)

    return ask


def test_a_symbol_is_drawn_once_while_it_is_in_use(drawn):
    store = SpriteStore(max_bytes=4 * N_BYTES)
    ask = asking(store, drawn)
    for paint in range(50):
        store.begin_paint()
        ask("always")
        ask(f"once {paint}")

    assert drawn.count("always") == 1


def test_what_one_painting_needs_is_kept_however_much_it_is(drawn):
    store = SpriteStore(max_bytes=4 * N_BYTES)
    ask = asking(store, drawn)
    for _ in range(5):
        store.begin_paint()
        for n in range(20):
            ask(n)

    assert len(drawn) == 20
    assert store.n_bytes == 20 * N_BYTES


def test_what_is_not_asked_for_any_more_leaves(drawn):
    store = SpriteStore(max_bytes=4 * N_BYTES)
    ask = asking(store, drawn)
    for n in range(100):
        store.begin_paint()
        ask(n)

    assert store.n_bytes <= 2 * 5 * N_BYTES


def test_devices_that_are_away_for_an_hour_cost_the_map_no_more_memory(qtbot):
    clock = FakeClock()
    map_ = CityMap(clock)
    qtbot.addWidget(map_)
    map_.resize(400, 300)
    lots = [lot(f"parking/{n}", f"Parking {n}", position=GeoPoint(36.0 + n / 1000, -30.0)) for n in range(6)]
    map_.show_devices(tuple(replace(item, state=DeviceState.STALE, last_seen_at=clock.now()) for item in lots))
    with qtbot.waitExposed(map_):
        map_.show()
    canvas, sprites = map_.focusProxy().viewport(), map_._painter._sprites
    for _ in range(400):
        clock.advance(seconds=3)
        canvas.repaint()

    assert KEPT_BYTES < sprites.n_bytes < 2.2 * KEPT_BYTES
    map_.stop()
