"""What the map keeps drawn."""

import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPixmap

from core.kernel.clock import FakeClock
from core.media.model import StreamState
from tests.gui.map.things import camera, stream
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


def test_a_camera_that_is_lost_for_an_hour_costs_the_map_no_more_memory(qtbot):
    clock = FakeClock()
    map_ = CityMap(clock)
    qtbot.addWidget(map_)
    map_.resize(400, 300)
    cameras = [camera(f"cam-{n}", f"Mill Bridge {n}", 36.0 + n / 1000) for n in range(8)]
    map_.show_cameras(tuple(cameras))
    lost = {item.camera_id: stream(item.camera_id, StreamState.LOST) for item in cameras}
    map_.show_streams(lost)
    map_.show()
    canvas = map_.focusProxy().viewport()
    for _ in range(1200):
        clock.advance(seconds=3)
        canvas.repaint()

    assert map_._painter._sprites.n_bytes < 2.5 * KEPT_BYTES
    map_.stop()
