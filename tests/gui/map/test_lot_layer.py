"""Drawn lots on the map: their ground from afar, their bays from near."""

from datetime import UTC, datetime

import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from core.kernel.geo import GeoPoint, to_mercator
from core.parking.model import BayState, BayStatus
from core.parking.plans import on_ground, open_lot
from widgets.base.theme import look
from widgets.map.lot_layer import LotLayer
from widgets.map.tile_grid import RectM
from widgets.map.view import MapView

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ORIGIN = GeoPoint(36.0, -30.0)
LOT = open_lot("quay", "Quay", n_bays=10, bays_per_row=5, position=ORIGIN)


def middle(outline):
    x = sum(x for x, _ in outline) / len(outline)
    y = sum(y for _, y in outline) / len(outline)
    return to_mercator(on_ground((x, y), ORIGIN))


def paint(qapp, statuses, *, metres):
    layer = LotLayer()
    layer.set_plans([LOT])
    layer.set_bays({"quay": statuses})
    x_m, y_m = middle(LOT.bays[0].outline)
    view = MapView(rect=RectM(x_m - metres, y_m - metres, x_m + metres, y_m + metres), width_px=400, height_px=400)
    image = QImage(400, 400, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    layer.paint(painter, view)
    painter.end()
    return image.pixelColor(200, 200)


def status(state, **changes):
    found = {"since": AT, "at": AT, "confidence": 1.0, "source": "sensor:x"} | changes
    return BayStatus(lot_id="quay", bay_id=LOT.bays[0].bay_id, state=BayState(state), **found)


@pytest.mark.parametrize(("state", "is_filled"), [("occupied", True), ("free", False)])
def test_from_near_an_occupied_bay_is_filled_and_a_free_one_is_not(qapp, state, is_filled):
    color = paint(qapp, {LOT.bays[0].bay_id: status(state)}, metres=10)

    assert (color == look().color("text_secondary")) is is_filled


def test_from_afar_only_the_ground_is_drawn(qapp):
    first = LOT.bays[0].bay_id

    near = paint(qapp, {first: status("occupied")}, metres=10)
    far = paint(qapp, {first: status("occupied")}, metres=400)
    assert far != near
    assert far == paint(qapp, {first: status("free")}, metres=400)
