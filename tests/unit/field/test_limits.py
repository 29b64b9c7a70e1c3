from datetime import UTC, datetime

import pytest

from core.field.kinds import find_kinds
from core.field.kinds.base import AlarmDefault
from core.field.limits import LimitWatch
from core.field.model import Reading

HOT = AlarmDefault(quantity="t", title="Hot: {where}", above=75.0, deadband=5.0, on_delay_s=60.0, off_delay_s=120.0)


def reading(value, **changes):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Reading(device_id="air/a", stream="air", at=at, values={"t": value}, **changes)


def follow(steps, default=HOT):
    """Return (second, is_beyond) of each change; a step is (second, value)."""
    watch = LimitWatch()
    return [
        (second, passed.is_beyond)
        for second, value in steps
        for passed in watch.take(reading(value), (default,), float(second))
    ]


def test_a_limit_calls_after_its_delay_and_ends_beyond_its_deadband():
    assert follow([(0, 80), (59, 80), (60, 80), (61, 72), (200, 72), (201, 69), (320, 69), (321, 69)]) == [
        (60, True),
        (321, False),
    ]


def test_a_value_that_goes_back_in_between_begins_anew():
    assert follow([(0, 80), (30, 70), (60, 80), (100, 80), (120, 80)]) == [(120, True)]


@pytest.mark.parametrize("changes", [{"is_good": False}, {"is_history": True}])
def test_what_is_doubtful_or_late_neither_begins_nor_ends_anything(changes):
    watch = LimitWatch()

    assert [
        *watch.take(reading(99.0, **changes), (HOT,), 0.0),
        *watch.take(reading(99.0, **changes), (HOT,), 99.0),
    ] == []


@pytest.mark.parametrize("kind", find_kinds().values(), ids=lambda kind: kind.key)
def test_a_declared_limit_names_a_quantity_of_its_kind_and_one_side(kind):
    for default in kind.alarms:
        assert default.quantity in {quantity.key for quantity in kind.quantities}
        assert (default.above is None) != (default.below is None)
        assert "{where}" in default.title
