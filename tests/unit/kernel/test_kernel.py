import logging
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.kernel.bus import Bus
from core.kernel.clock import FakeClock, format_at, parse_at
from core.kernel.errors import ConsoleError, StaleWriteError, error_of_kind
from core.kernel.geo import GeoPoint, from_mercator, to_mercator
from core.kernel.ids import new_id
from core.kernel.log import OncePerLoss


def test_ids_sort_in_the_order_they_were_made():
    made = [new_id() for _ in range(5000)]

    assert made == sorted(set(made))
    assert {len(item) for item in made} == {26}


def test_an_instant_survives_the_text_form_to_the_millisecond():
    at = datetime(2026, 11, 21, 1, 2, 3, 456000, tzinfo=timezone(timedelta(hours=2)))

    assert format_at(at) == "2026-11-20T23:02:03.456Z"
    assert parse_at(format_at(at)) == at


def test_an_instant_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="no UTC offset"):
        parse_at("2026-11-21T01:02:03")


def test_a_fake_clock_moves_both_clocks_alike():
    clock = FakeClock()
    wall, monotonic = clock.now(), clock.monotonic()

    clock.advance(seconds=90)

    assert clock.now() - wall == timedelta(seconds=90)
    assert clock.monotonic() - monotonic == 90


@given(st.floats(-85, 85), st.floats(-180, 180))
def test_a_place_survives_the_projection(lat, lon):
    back = from_mercator(*to_mercator(GeoPoint(lat, lon)))

    assert math.isclose(back.lat_deg, lat, abs_tol=1e-9)
    assert math.isclose(back.lon_deg, lon, abs_tol=1e-9)


def test_the_projection_agrees_with_the_published_example():
    # EPSG guidance note 7-2, method 1024: Popular Visualisation Pseudo-Mercator, 24°22'54.433"N 100°20'W.
    x, y = to_mercator(GeoPoint(24.38178694444, -100.3333333333))

    assert x == pytest.approx(-11169055.58, abs=0.01)
    assert y == pytest.approx(2800000.00, abs=0.01)


@pytest.mark.parametrize(("lat", "lon"), [(91, 0), (0, 181), (math.nan, 0), (0, math.inf)])
def test_a_place_that_is_not_on_the_earth_is_refused(lat, lon):
    with pytest.raises(ValueError, match="position"):
        GeoPoint(lat, lon)


def test_a_subscriber_that_fails_does_not_keep_the_event_from_the_others(caplog):
    bus, heard = Bus(), []

    def fail(_event):
        raise RuntimeError("broken")

    bus.subscribe(str, fail)
    bus.subscribe(str, heard.append)
    with caplog.at_level(logging.ERROR):
        bus.publish("news")

    assert heard == ["news"]
    assert "a subscriber of str failed" in caplog.text


def test_who_unsubscribed_hears_nothing_more():
    bus, heard = Bus(), []
    unsubscribe = bus.subscribe(int, heard.append)

    bus.publish(1)
    unsubscribe()
    bus.publish(2)

    assert heard == [1]


def test_a_fault_is_logged_when_it_begins_and_when_it_ends_and_not_in_between(caplog):
    once = OncePerLoss(logging.getLogger("test"))

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            once.lost("broker", "the broker is gone")
        once.back("broker", "the broker is back")
        once.back("broker", "the broker is back")

    assert [record.message for record in caplog.records] == ["the broker is gone", "the broker is back"]


def test_an_error_keeps_its_kind_over_the_wire():
    error = error_of_kind("stale_write", "Dana was faster.", "Look again.")

    assert isinstance(error, StaleWriteError)
    assert str(error) == "Dana was faster. Look again."
    assert type(error_of_kind("from the future", "No.", "")) is ConsoleError


def test_utc_is_what_the_clock_says():
    assert FakeClock().now().tzinfo is UTC
