"""The page that says how to add a device kind is run as it stands."""

import re
from datetime import UTC, datetime
from random import Random

import pytest

from core.field.kinds import kind_for, simulated_kind
from core.field.kinds.base import Moment
from core.field.limits import LimitWatch
from core.field.model import Reading
from core.field.payloads import PayloadError
from tests.fixtures.how_to_kind import PAGE


def test_the_declaration_is_about_thirty_lines(air):
    code = re.search(r"   KIND = .*?\n   \)\n", PAGE.read_text(), re.DOTALL).group(0)
    whole = re.search(r"   ```python\n(.*?)   ```", PAGE.read_text(), re.DOTALL).group(1)

    assert len(code.splitlines()) <= 16
    assert len([line for line in whole.splitlines() if line.strip()]) <= 36


def test_it_is_found_and_chosen_by_group_and_by_type(air):
    assert kind_for("air") is air
    assert kind_for("anything", ["AirQualityObserved"]) is air
    assert simulated_kind("air") is air


def test_it_reads_what_can_be_and_refuses_what_cannot(air):
    assert air.read("AirQualityObserved", {"pm25": 12.5, "NO2": None}) == {"pm25": 12.5}
    with pytest.raises(PayloadError, match="NO2"):
        air.read("AirQualityObserved", {"NO2": -1})


def test_its_simulator_and_its_alarm_work(air):
    chance = Random(1)
    night, day = (
        next(iter(air.simulate(Moment(elapsed_s=0.0, hour=hour, random=chance)))).data["pm25"] for hour in (3.0, 12.0)
    )
    assert night > day

    watch = LimitWatch()
    dusty = Reading(device_id="air/a", stream="air", at=datetime(2026, 1, 1, tzinfo=UTC), values={"pm25": 80.0})
    called = [*watch.take(dusty, air.alarms, 0.0), *watch.take(dusty, air.alarms, 60.0)]
    assert [passed.is_beyond for passed in called] == [True]
