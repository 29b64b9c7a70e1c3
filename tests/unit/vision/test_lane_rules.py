"""The rules of lanes on a street made of numbers: what they raise, and what they leave alone."""

import itertools
from dataclasses import replace

import pytest

from core.vision.classes import labels_for_rules
from core.vision.model import Mask, MaskKind, ObservationKind, Phase, RuleSetting, Zone
from core.vision.rules import SceneRules
from tests.unit.vision.roads import ASPECT, track_at, watch
from tests.unit.vision.streets import FAR_M, LANES_M, NEAR_M, STREET, Mover, Street, to_picture


def rules(scene=STREET, labels=frozenset({"car", "bus", "truck", "motorcycle"})):
    return SceneRules("cam-1", scene, ASPECT, labels=labels)


def seen(pictures, kind, scene=STREET):
    return [o for o in watch(scene, pictures, rules(scene)) if o.kind is kind]


def tuned(kind, **values):
    return replace(STREET, rules=(RuleSetting(kind=kind.value, values=values),))


def against(x_m, *, from_s, speed=12.0):
    """A car that comes from the far end of a lane that leads there."""

    def where(at_s):
        y_m = FAR_M - speed * (at_s - from_s)
        return (x_m, y_m) if at_s >= from_s and y_m > 5 else None

    return where


# -- nothing happens --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "street",
    [
        pytest.param({"per_minute": 8}, id="free flow"),
        pytest.param({"per_minute": 14, "light_s": 80}, id="a light"),
        pytest.param({"per_minute": 5, "light_s": 120, "light_m": 60, "seed": 3}, id="a slow light, few vehicles"),
        pytest.param({"per_minute": 12, "flicker": 0.2, "noise": 0.004, "seed": 4}, id="a poor detector"),
    ],
)
def test_normal_traffic_calls_nobody(street):
    calls = [o for o in watch(STREET, Street(**street).pictures(300), rules()) if o.confidence >= 0.8]

    assert calls == []


@pytest.mark.slow
@pytest.mark.parametrize("street", [{"per_minute": 8}, {"per_minute": 12, "light_s": 90}])
def test_half_an_hour_of_normal_traffic_calls_nobody(street):
    calls = [o for o in watch(STREET, Street(**street, seed=7).pictures(1800), rules()) if o.confidence >= 0.8]

    assert calls == []


# -- wrong way --------------------------------------------------------------------------------------------------------


def test_a_car_against_the_arrow_is_seen_in_traffic_and_its_end_too():
    ghost = Mover(9001, "car", against(LANES_M["out-1"], from_s=30.0))

    begin, end = seen(Street().pictures(60, others=(ghost,)), ObservationKind.WRONG_WAY)

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert (begin.rule_key, begin.track_id) == ("out-1", 9001)
    assert begin.confidence >= 0.8
    assert 30 < begin.pts_s < 36
    assert begin.condition_key == end.condition_key


def test_a_truck_that_leans_over_the_other_lane_drives_its_own_way():
    def where(at_s):
        y_m = FAR_M - 10 * at_s
        return (LANES_M["in-1"] + 0.6, y_m) if y_m > 5 else None

    assert seen(Street(per_minute=0).pictures(12, others=(Mover(1, "truck", where),)), ObservationKind.WRONG_WAY) == []


def test_a_car_that_backs_into_a_bay_is_not_the_wrong_way():
    def where(at_s):
        if at_s < 5:
            return LANES_M["out-2"], 25 + 4 * at_s
        back_m = min(6.0, 1.5 * (at_s - 5))
        return LANES_M["out-2"] + back_m / 6 * 2.5, 45 - back_m

    assert seen(Street(per_minute=0).pictures(25, others=(Mover(1, "car", where),)), ObservationKind.WRONG_WAY) == []


def test_a_car_that_stands_and_trembles_is_not_the_wrong_way():
    standing = Mover(1, "car", lambda _: (LANES_M["out-1"], 30.0))

    street = Street(per_minute=0, noise=0.01)
    assert seen(street.pictures(120, others=(standing,)), ObservationKind.WRONG_WAY) == []


def test_a_u_turn_across_both_lanes_is_not_the_wrong_way():
    def where(at_s):
        if at_s < 4:
            return LANES_M["out-1"], NEAR_M + 6 * at_s
        if at_s < 7:
            share = (at_s - 4) / 3
            return LANES_M["out-1"] + share * (LANES_M["in-1"] - LANES_M["out-1"]), NEAR_M + 24 + 2 * share
        return LANES_M["in-1"], NEAR_M + 26 - 6 * (at_s - 7)

    assert seen(Street(per_minute=0).pictures(11, others=(Mover(1, "car", where),)), ObservationKind.WRONG_WAY) == []


def test_a_car_that_turns_in_its_lane_and_drives_back_is_the_wrong_way():
    def where(at_s):
        y_m = NEAR_M + 6 * at_s if at_s < 6 else NEAR_M + 36 - 6 * (at_s - 6)
        return LANES_M["out-2"], y_m

    pictures = Street(per_minute=0).pictures(11.5, others=(Mover(1, "car", where),))
    assert [o.phase for o in seen(pictures, ObservationKind.WRONG_WAY)][:1] == [Phase.BEGIN]


def test_where_all_traffic_drives_against_the_arrow_the_arrow_is_wrong_and_calls_end():
    turned = tuple(replace(lane, start=lane.end, end=lane.start) for lane in STREET.lanes)

    found = seen(Street(per_minute=20).pictures(120), ObservationKind.WRONG_WAY, replace(STREET, lanes=turned))

    begun = [o for o in found if o.phase is Phase.BEGIN]
    assert len(begun) > 40
    assert len([o for o in begun if o.confidence >= 0.8]) <= 3 * len(LANES_M)


def test_a_rule_that_is_switched_off_sees_nothing():
    scene = replace(STREET, rules=(RuleSetting(kind="wrong_way", is_enabled=False),))
    ghost = Mover(9001, "car", against(LANES_M["out-1"], from_s=1.0))

    assert seen(Street(per_minute=0).pictures(12, others=(ghost,)), ObservationKind.WRONG_WAY, scene) == []


def test_what_drives_in_an_ignore_mask_is_not_there():
    mask = Mask(key="m", name="M", polygon=((0, 0), (1, 0), (1, 1), (0, 1)), kind=MaskKind.IGNORE)
    ghost = Mover(9001, "car", against(LANES_M["out-1"], from_s=1.0))

    scene = replace(STREET, masks=(mask,))
    assert seen(Street(per_minute=0).pictures(12, others=(ghost,)), ObservationKind.WRONG_WAY, scene) == []


# -- stopped ----------------------------------------------------------------------------------------------------------


def stops_at(y_m, *, from_s, until_s=1e9, x_m=LANES_M["out-2"]):
    def where(at_s):
        if at_s < from_s:
            return None
        came_m = min(y_m, NEAR_M - 10 + 12 * (at_s - from_s))
        return x_m, came_m + max(0.0, 8 * (at_s - until_s))

    return where


def test_a_breakdown_that_others_drive_past_calls_soon_and_ends_when_it_drives_on():
    broken = Mover(9001, "car", stops_at(45.0, from_s=70.0, until_s=140.0))
    street = Street(per_minute=20, blocked={"out-2": NEAR_M - 5})

    observations = seen(street.pictures(160, others=(broken,)), ObservationKind.STOPPED_VEHICLE)

    called = next(o for o in observations if o.confidence >= 0.8)
    assert called.phase is Phase.BEGIN
    assert called.track_id == 9001
    assert 90 < called.pts_s < 115
    assert (observations[-1].phase, observations[-1].condition_key) == (Phase.END, called.condition_key)


def test_a_breakdown_at_night_on_a_lane_that_always_flows_calls_although_nobody_passes():
    quiet = Street(per_minute=6, seed=5)
    pictures = itertools.chain(
        quiet.pictures(300),
        Street(per_minute=0).pictures(40, from_s=300, others=(Mover(9001, "car", stops_at(45.0, from_s=300.0)),)),
    )

    called = [o for o in seen(pictures, ObservationKind.STOPPED_VEHICLE) if o.confidence >= 0.8]

    assert [o.track_id for o in called] == [9001]
    assert called[0].pts_s < 330


def test_a_breakdown_with_a_queue_behind_it_calls_after_longer():
    scene = tuned(ObservationKind.STOPPED_VEHICLE, after_s=10, queue_after_s=60)
    broken = Mover(9001, "car", stops_at(60.0, from_s=65.0))
    pictures = itertools.chain(
        Street(per_minute=0).pictures(65),
        Street(per_minute=15, blocked={"out-2": 55.0}, seed=2).pictures(180, from_s=65.0, others=(broken,)),
    )

    called = [o for o in seen(pictures, ObservationKind.STOPPED_VEHICLE, scene) if o.confidence >= 0.8]

    assert {o.track_id for o in called} == {9001}


def test_what_stood_in_the_lane_from_the_first_minute_was_parked():
    parked = Mover(9001, "car", lambda _: (LANES_M["out-2"], 45.0))

    first = seen(Street(per_minute=0).pictures(60, others=(parked,)), ObservationKind.STOPPED_VEHICLE)[0]

    assert first.values["was_parked"] == 1.0


# -- congestion -------------------------------------------------------------------------------------------------------


def test_a_jam_that_stands_from_the_first_minute_begins_once_and_ends_when_it_flows():
    blocked = Street(per_minute=40, blocked={"out-1": FAR_M - 2}, seed=2)
    jam = blocked.pictures(220)
    free = Street(per_minute=6, seed=3)

    found = seen(itertools.chain(jam, free.pictures(60, from_s=220)), ObservationKind.CONGESTION)

    assert [(o.phase, o.rule_key) for o in found] == [(Phase.BEGIN, "out-1"), (Phase.END, "out-1")]
    assert found[0].confidence >= 0.7
    assert found[0].bbox_xyxy is not None


def test_a_red_light_is_no_congestion():
    street = Street(per_minute=25, light_s=90, light_m=70)

    assert seen(street.pictures(300), ObservationKind.CONGESTION) == []


# -- people -----------------------------------------------------------------------------------------------------------


def walks(x_m, *, from_s, speed=0.0, y_m=32.0):
    return lambda at_s: (x_m, y_m + speed * (at_s - from_s)) if at_s >= from_s else None


def test_somebody_in_a_lane_calls_although_the_camera_counts_no_people():
    person = Mover(9001, "person", walks(LANES_M["out-2"], from_s=10.0, speed=1.2), score=0.6)
    observations = watch(STREET, Street(per_minute=6).pictures(30, others=(person,)), rules())

    assert [(o.kind, o.phase) for o in observations if o.label == "person"] == [
        (ObservationKind.PEDESTRIAN, Phase.BEGIN)
    ]
    assert observations[0].confidence >= 0.8
    assert 12 <= observations[0].pts_s < 14


def test_several_people_in_one_lane_are_one_condition_which_ends_when_they_left():
    people = tuple(
        Mover(9001 + n, "person", lambda at_s, n=n: (LANES_M["out-2"], 28.0 + 3 * n) if at_s < 20 + n else None)
        for n in range(3)
    )

    found = seen(Street(per_minute=0).pictures(40, others=people), ObservationKind.PEDESTRIAN)

    assert [o.phase for o in found] == [Phase.BEGIN, Phase.END]


@pytest.mark.parametrize("where", [9.5, -9.5])
def test_people_on_the_pavement_call_nobody(where):
    walkers = tuple(Mover(9001 + n, "person", walks(where, from_s=0, speed=1.3, y_m=20 + n * 9)) for n in range(4))

    assert seen(Street(per_minute=10).pictures(60, others=walkers), ObservationKind.PEDESTRIAN) == []


def test_a_motorcyclist_is_no_pedestrian():
    x, y = to_picture(LANES_M["out-2"], 30.0)
    rider = [
        track_at(x, y, track_id=1, label="person", width=0.02, height=0.08),
        track_at(x, y, track_id=2, label="motorcycle", width=0.03, height=0.05),
    ]

    assert seen(((step / 5, rider) for step in range(100)), ObservationKind.PEDESTRIAN) == []


def test_on_a_crossing_they_may_walk():
    x, y = to_picture(LANES_M["out-2"], 30.0)
    crossing = Zone(
        key="crossing",
        name="Crossing",
        polygon=((x - 0.1, y - 0.05), (x + 0.1, y - 0.05), (x + 0.1, y + 0.05), (x - 0.1, y + 0.05)),
        labels=("person",),
        counts_presence=False,
    )
    person = Mover(9001, "person", walks(LANES_M["out-2"], from_s=1.0, y_m=30.0))

    scene = replace(STREET, zones=(crossing,))
    assert seen(Street(per_minute=0).pictures(30, others=(person,)), ObservationKind.PEDESTRIAN, scene) == []


def test_a_zone_marked_for_people_calls_without_any_lane():
    zone = Zone(
        key="track", name="Track", polygon=((0, 0), (1, 0), (1, 1), (0, 1)), labels=("person",), alarms_presence=True
    )
    person = Mover(9001, "person", walks(LANES_M["out-2"], from_s=1.0))

    scene = replace(STREET, lanes=(), zones=(zone,))
    found = seen(Street(per_minute=0).pictures(10, others=(person,)), ObservationKind.PEDESTRIAN, scene)
    assert [o.rule_key for o in found] == ["track"]


def test_a_zone_marked_for_people_calls_although_people_in_lanes_do_not():
    around = ((0, 0), (1, 0), (1, 1), (0, 1))
    zone = Zone(key="track", name="Track", polygon=around, labels=("person",), alarms_presence=True)
    person = Mover(9001, "person", walks(LANES_M["out-2"], from_s=1.0))

    scene = replace(STREET, zones=(zone,), rules=(RuleSetting(kind="pedestrian", is_enabled=False),))
    found = seen(Street(per_minute=0).pictures(10, others=(person,)), ObservationKind.PEDESTRIAN, scene)
    assert [o.rule_key for o in found] == ["track"]
    assert "person" in labels_for_rules(scene)


# -- loitering --------------------------------------------------------------------------------------------------------


def loitering(*labels, after_s=30.0):
    zone = Zone(
        key="yard",
        name="Yard",
        polygon=((0.2, 0.2), (0.8, 0.2), (0.8, 0.9), (0.2, 0.9)),
        labels=labels,
        counts_presence=False,
    )
    return replace(
        STREET,
        lanes=(),
        zones=(zone,),
        rules=(RuleSetting(kind="loitering", is_enabled=True, values={"after_s": after_s}),),
    )


def stroll(at_s):
    return [track_at(0.5 + 0.1 * ((at_s % 20) / 20 - 0.5), 0.6, track_id=1 + int(at_s // 25), label="person")]


def test_somebody_who_stays_calls_once_although_the_tracker_lost_them_in_between():
    pictures = [(step / 5, stroll(step / 5) if step < 300 else []) for step in range(400)]

    begin, end = seen(pictures, ObservationKind.LOITERING, loitering())

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 30 <= begin.pts_s < 32
    assert begin.condition_key == end.condition_key
    assert begin.confidence >= 0.8


def test_many_who_pass_one_after_the_other_do_not_loiter():
    def passes(at_s):
        lap = int(at_s // 10)
        return [track_at(0.1 + 0.08 * (at_s % 10), 0.6, track_id=lap + 1, label="person", velocity=(0.08, 0.0))]

    assert seen(((step / 5, passes(step / 5)) for step in range(900)), ObservationKind.LOITERING, loitering()) == []


def test_a_zone_that_names_classes_watches_these():
    car = [(step / 5, [track_at(0.5, 0.6, label="car")]) for step in range(300)]

    assert len(seen(car, ObservationKind.LOITERING, loitering("car"))) == 1
    assert seen(car, ObservationKind.LOITERING, loitering()) == []


def test_seconds_without_pictures_are_no_stay():
    before = [(step / 5, stroll(0)) for step in range(50)]
    after = [(500 + step / 5, stroll(0)) for step in range(50)]

    assert seen(before + after, ObservationKind.LOITERING, loitering()) == []
