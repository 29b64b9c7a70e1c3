import pytest

from core.traffic.rules import Change, Congestion, CongestionSettings, Flow, Verdict, judge, together

SETTINGS = CongestionSettings()


@pytest.mark.parametrize(
    ("speed", "occupancy", "verdict"),
    [
        (10, 0.5, Verdict.JAMMED),
        (10, 0.1, Verdict.FREE),  # slow, but empty: a tractor
        (45, 0.5, Verdict.FREE),  # dense, but moving
        (22, 0.5, Verdict.BETWEEN),
        (10, 0.22, Verdict.BETWEEN),
    ],
)
def test_a_jam_is_slow_and_dense(speed, occupancy, verdict):
    assert judge(Flow(speed_kmh=speed, occupancy=occupancy), "a", SETTINGS) is verdict


def test_what_the_station_and_the_operator_say_about_free_flow_decides():
    flow = Flow(speed_kmh=35, occupancy=0.5, free_flow_kmh=100)

    assert judge(flow, "a", SETTINGS) is Verdict.JAMMED
    assert judge(flow, "a", CongestionSettings(free_flow_by_station={"a": 60})) is Verdict.FREE


def test_lanes_are_joined_by_the_vehicles_in_them():
    joined = together(
        [Flow(speed_kmh=10, occupancy=0.6, intensity=30), Flow(speed_kmh=50, occupancy=0.2, intensity=10)]
    )

    assert (joined.speed_kmh, joined.occupancy, joined.intensity) == (20.0, 0.4, 40.0)


def test_empty_lanes_still_have_a_speed():
    assert together([Flow(speed_kmh=40, occupancy=0.0, intensity=0)]).speed_kmh == 40
    assert together([]) is None


def test_a_jam_begins_after_its_delay_and_ends_after_its_own():
    jam = Congestion()

    assert jam.update(Verdict.JAMMED, 0, SETTINGS) is Change.NONE
    assert jam.update(Verdict.JAMMED, 59, SETTINGS) is Change.NONE
    assert jam.update(Verdict.JAMMED, 60, SETTINGS) is Change.BEGAN
    assert jam.update(Verdict.FREE, 70, SETTINGS) is Change.NONE
    assert jam.update(Verdict.FREE, 189, SETTINGS) is Change.NONE
    assert jam.update(Verdict.FREE, 190, SETTINGS) is Change.ENDED


def test_a_moment_inside_the_deadband_starts_the_delay_anew():
    jam = Congestion()
    jam.update(Verdict.JAMMED, 0, SETTINGS)
    jam.update(Verdict.BETWEEN, 30, SETTINGS)

    assert jam.update(Verdict.JAMMED, 61, SETTINGS) is Change.NONE
    assert jam.update(Verdict.JAMMED, 121, SETTINGS) is Change.BEGAN


def test_a_jam_flutters_neither_on_nor_off():
    jam = Congestion()
    for second in range(0, 600, 10):
        verdict = Verdict.JAMMED if second % 20 else Verdict.FREE
        assert jam.update(verdict, second, SETTINGS) is Change.NONE
