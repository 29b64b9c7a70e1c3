from datetime import UTC, datetime

from core.incidents.model import Priority, SourceKind
from core.kernel.geo import GeoPoint
from core.node.conditions import lot_full_expected
from core.parking.forecast.model import FullExpected
from core.parking.model import Lot

AT = datetime(2026, 3, 28, 17, 30, tzinfo=UTC)


def test_a_lot_that_fills_up_calls_quietly_by_its_name():
    event = FullExpected("quay", is_begin=True, at=AT, probability=0.83)
    condition = lot_full_expected(event, Lot(lot_id="quay", name="Quay", position=GeoPoint(36.0, -30.0)))

    assert (condition.title, condition.priority) == ("Full soon: Quay", Priority.LOW)
    assert (condition.source_kind, condition.source_id) == (SourceKind.LOT, "quay")
    assert condition.detail == "Full by 17:30 UTC with 83%, as it looks now."


def test_the_end_of_a_warning_takes_back_its_begin():
    begin, end = (FullExpected("quay", is_begin=is_begin, at=AT, probability=0.5) for is_begin in (True, False))

    assert lot_full_expected(begin, None).condition_key == lot_full_expected(end, None).condition_key
