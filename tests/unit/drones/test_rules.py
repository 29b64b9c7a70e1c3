from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.drones.model import (
    BatteryPack,
    Drone,
    DroneState,
    Fence,
    Fix,
    Gnss,
    Home,
    Landed,
    LinkHealth,
    Measured,
    Position,
    StatusText,
    TextLevel,
)
from core.drones.rules import DroneRule, DroneWatch
from core.kernel.geo import GeoPoint

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HOME = GeoPoint(50.0, 8.0)
DRONE = Drone(drone_id="d1", name="Falcon")
SQUARE = (GeoPoint(49.99, 7.99), GeoPoint(49.99, 8.01), GeoPoint(50.01, 8.01), GeoPoint(50.01, 7.99))


def flying(**parts):
    state = DroneState(
        drone_id="d1",
        health=LinkHealth.LIVE,
        heartbeat_at=AT,
        position=Position(point=HOME, at=AT),
        home=Home(point=HOME, at=AT),
        landed=Landed.AIR,
        is_armed=True,
        gnss=(Gnss(number=0, at=AT, fix=Fix.THREE_D, n_satellites=12),),
        values={"altitude_home_m": Measured(50.0, AT)},
    )
    return replace(state, **parts)


def looked(watch, state, *, drone=DRONE, at=AT, ceiling=120.0):
    return [(found.rule, found.is_begin) for found in watch.look(drone, state, at, max_height_m=ceiling)]


def test_a_drone_that_is_well_calls_nobody():
    assert looked(DroneWatch(), flying()) == []


def test_leaving_the_fence_begins_and_coming_back_ends():
    watch, drone = DroneWatch(), replace(DRONE, fence=Fence(corners=SQUARE))
    outside = flying(position=Position(point=GeoPoint(50.02, 8.0), at=AT))

    assert looked(watch, flying(), drone=drone) == []
    assert looked(watch, outside, drone=drone) == [(DroneRule.FENCE, True)]
    assert looked(watch, outside, drone=drone) == []
    assert looked(watch, flying(), drone=drone) == [(DroneRule.FENCE, False)]


def test_an_old_position_neither_leaves_a_fence_nor_comes_back():
    watch, drone = DroneWatch(), replace(DRONE, fence=Fence(corners=SQUARE))
    outside = flying(position=Position(point=GeoPoint(50.02, 8.0), at=AT - timedelta(seconds=10)))

    assert looked(watch, outside, drone=drone) == []


def test_a_fence_of_its_own_counts_as_well():
    assert looked(DroneWatch(), flying(is_fence_breached=True)) == [(DroneRule.FENCE, True)]


def test_too_high_needs_to_come_down_a_little_to_be_well_again():
    watch = DroneWatch()
    heights = [119.0, 121.0, 119.0, 116.0]
    found = [looked(watch, flying(values={"altitude_home_m": Measured(height, AT)})) for height in heights]

    assert found == [[], [(DroneRule.ALTITUDE, True)], [], [(DroneRule.ALTITUDE, False)]]


def test_the_height_of_its_own_fence_counts_before_that_of_the_site():
    drone = replace(DRONE, fence=Fence(max_height_m=40.0))

    assert looked(DroneWatch(), flying(), drone=drone) == [(DroneRule.ALTITUDE, True)]


def test_a_battery_is_judged_against_the_way_home():
    pack = BatteryPack(number=0, at=AT, remaining_percent=60.0, time_left_s=300.0)
    near, far = (
        flying(batteries=(pack,)),
        flying(batteries=(pack,), position=Position(point=GeoPoint(50.018, 8.0), at=AT)),
    )

    assert looked(DroneWatch(), near) == []
    assert looked(DroneWatch(), far) == [(DroneRule.BATTERY, True), (DroneRule.BATTERY_CRITICAL, True)]


@pytest.mark.parametrize(
    ("percent", "rules"),
    [(30.0, set()), (20.0, {DroneRule.BATTERY}), (8.0, {DroneRule.BATTERY, DroneRule.BATTERY_CRITICAL})],
)
def test_a_battery_without_a_time_is_judged_by_its_charge(percent, rules):
    state = flying(batteries=(BatteryPack(number=0, at=AT, remaining_percent=percent),))

    assert {rule for rule, _ in looked(DroneWatch(), state)} == rules


def test_silence_in_the_air_calls_and_calls_louder_after_half_a_minute():
    watch = DroneWatch()
    lost = flying(health=LinkHealth.LOST, lost_at=AT + timedelta(seconds=5))

    assert looked(watch, lost, at=AT + timedelta(seconds=5)) == [(DroneRule.LINK_LOST, True)]
    assert looked(watch, lost, at=AT + timedelta(seconds=29)) == []
    assert looked(watch, lost, at=AT + timedelta(seconds=30)) == [(DroneRule.MISSING, True)]
    assert looked(watch, flying(), at=AT) == [(DroneRule.LINK_LOST, False), (DroneRule.MISSING, False)]


def test_silence_on_the_ground_calls_nobody():
    lost = flying(health=LinkHealth.LOST, lost_at=AT, landed=Landed.GROUND)

    assert looked(DroneWatch(), lost, at=AT + timedelta(seconds=60)) == []


def test_lost_satellites_call_in_the_air_only():
    blind = (Gnss(number=0, at=AT, fix=Fix.NONE, n_satellites=2),)

    assert looked(DroneWatch(), flying(gnss=blind)) == [(DroneRule.GNSS, True)]
    assert looked(DroneWatch(), flying(gnss=blind, landed=Landed.GROUND)) == []


def test_a_receiver_that_says_nothing_of_a_fix_calls_nobody_and_a_dead_one_does():
    silent = (Gnss(number=0, at=AT, n_satellites=17, hdop=0.9),)
    dead = (Gnss(number=0, at=AT, n_satellites=0),)

    assert looked(DroneWatch(), flying(gnss=silent)) == []
    assert looked(DroneWatch(), flying(gnss=dead)) == [(DroneRule.GNSS, True)]


def test_shaking_calls():
    values = {"altitude_home_m": Measured(50.0, AT), "vibration_z_mps2": Measured(45.0, AT)}

    assert looked(DroneWatch(), flying(values=values)) == [(DroneRule.VIBRATION, True)]


def test_what_a_drone_says_of_itself_calls_for_a_minute():
    watch = DroneWatch()
    text = StatusText(level=TextLevel.CRITICAL, text="Engine failure", at=AT, first_at=AT)
    state = flying(texts=(text,))

    assert looked(watch, state) == [(DroneRule.TEXT, True)]
    later = AT + timedelta(seconds=61)
    assert (DroneRule.TEXT, False) in looked(watch, state, at=later)


def test_what_nobody_knows_changes_nothing():
    assert looked(DroneWatch(), DroneState(drone_id="d1", health=LinkHealth.LIVE)) == []


def test_what_was_closed_while_the_drone_was_not_heard_begins_anew_where_it_still_holds():
    watch = DroneWatch()
    looked(watch, flying(is_fence_breached=True))

    watch.forget("drone_fence")

    assert looked(watch, flying(is_fence_breached=True)) == [(DroneRule.FENCE, True)]
