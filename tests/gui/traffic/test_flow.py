"""What an operator sees of the minutes that cameras measured."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.cameras.model import Camera
from core.kernel.clock import FakeClock
from core.vision.flow import FlowMinute
from core.vision.model import CountLine, Lane, Scene, Zone
from widgets.base.state_overlay import PanelState
from widgets.traffic.flow_chart import sentence_of, slots_of
from widgets.traffic.flow_view import FlowView

BOX = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
CAMERA = Camera(
    camera_id="c1",
    name="Bridge",
    address="rtsp://camera/1",
    scene=Scene(
        lanes=(Lane(key="left", name="Left lane", polygon=BOX, start=(0.5, 0.1), end=(0.5, 0.9)),),
        lines=(CountLine(key="gate", name="Gate", start=(0, 0.5), end=(1, 0.5), forward_name="in"),),
    ),
)
MIX = (("car", 16), ("bus", 3), ("truck", 1))
ZONES = (Zone(key="north", name="North", polygon=BOX), Zone(key="east", name="East", polygon=BOX))
BARE = Camera(camera_id="c2", name="Bare", address="rtsp://camera/2")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def ago(clock):
    """Return a function that makes what the lane measured some minutes ago."""
    this_minute = clock.now().replace(second=0, microsecond=0)

    def make(minutes: int, **figures: object) -> FlowMinute:
        given = {"subject": "lane", "key": "left", "n_vehicles": 12, **figures}
        return FlowMinute(camera_id="c1", minute=this_minute - timedelta(minutes=minutes), **given)

    return make


@pytest.fixture
def view(qtbot, clock):
    made = FlowView(clock)
    qtbot.addWidget(made)
    made.resize(480, 500)
    made.show()
    return made


def test_a_minute_that_nobody_saw_is_no_zero(ago, clock):
    slots = slots_of([ago(1, n_vehicles=0), ago(3)], clock.now(), 3)

    assert [slot.measured is None for slot in slots] == [False, True, False]
    assert "not known" in sentence_of(slots[1])
    assert "0 vehicles" in sentence_of(slots[2])


def test_a_minute_in_which_nobody_looked_for_what_is_shown_is_no_zero(ago, clock):
    (slot,) = slots_of([ago(1, n_vehicles=None)], clock.now(), 1)

    assert "not known" in sentence_of(slot)


def test_a_minute_seen_in_part_says_how_much(ago, clock):
    (slot,) = slots_of([ago(1, observed_s=21.0)], clock.now(), 1)

    assert sentence_of(slot).endswith("only 21 s seen")


def test_a_speed_comes_with_its_doubt(ago, clock):
    (slot,) = slots_of([ago(1, speed_kmh=48.2, speed_error_kmh=1.4, occupancy=0.12, queue_m=0.0)], clock.now(), 1)

    assert "48 ± 1.4 km/h, 12% occupied, queue 0 m" in sentence_of(slot)


def test_only_cameras_that_measure_are_offered_with_their_lanes_and_directions(view):
    view.show_cameras((CAMERA, BARE))

    assert [view.camera_choice.itemText(row) for row in range(view.camera_choice.count())] == ["Bridge"]
    places = [view.place_choice.itemText(row) for row in range(view.place_choice.count())]
    assert places == ["Left lane", "Gate, in", "Gate, backward"]


def test_without_lanes_and_lines_the_view_says_what_to_do(view):
    view.show_cameras((BARE,))

    assert view._overlay.state is PanelState.EMPTY
    assert "scene editor" in view._overlay.accessibleDescription()


def test_a_choice_asks_for_its_minutes(view, qtbot):
    view.show_cameras((CAMERA,))

    with qtbot.waitSignal(view.minutes_requested) as asked:
        QTest.keyClick(view.span_choice, Qt.Key.Key_Down)

    assert asked.args == ["c1", 180]


def test_figures_appear_as_far_as_they_are_known(view, ago):
    view.show_cameras((CAMERA,))

    view.show_minutes("c1", [ago(2, speed_kmh=50.0, speed_error_kmh=2.0), ago(1, occupancy=0.3)])
    assert view.chart.strips == ("Vehicles a minute", "Speed [km/h]", "Occupancy [%]")
    assert view._overlay.state is None

    view.show_minutes("c1", [ago(2), replace(ago(1), label="bus", n_vehicles=1)])
    assert view.chart.strips == ("Vehicles a minute",)


def test_the_cursor_goes_by_keyboard_and_says_each_minute(view, ago):
    view.show_cameras((CAMERA,))
    view.show_minutes("c1", [ago(1, n_vehicles=7), ago(3, n_vehicles=9)])
    assert "7 vehicles" in view.said.text()

    QTest.keyClick(view.chart, Qt.Key.Key_Left)
    assert "nobody looked" in view.said.text()
    QTest.keyClick(view.chart, Qt.Key.Key_Left)
    assert "9 vehicles" in view.said.text()


def test_an_answer_about_another_camera_is_left_out(view, ago):
    view.show_cameras((CAMERA,))

    view.show_minutes("c9", [ago(1)])

    assert view._overlay.state is PanelState.LOADING


def test_a_refusal_hatches_what_is_known_and_says_why(view, ago):
    view.show_cameras((CAMERA,))
    view.show_minutes("c1", [ago(1)])

    view.show_refused("The database is locked.", "Wait.")

    assert view._overlay.state is PanelState.STALE


def test_gaps_and_zeros_look_different(view, ago):
    view.show_cameras((CAMERA,))
    view.show_minutes("c1", [ago(number) for number in range(1, 60)])
    whole = view.chart.grab().toImage()
    zeros = [ago(number, n_vehicles=0) for number in range(20, 40)]
    rest = [ago(number) for number in (*range(1, 20), *range(40, 60))]

    view.show_minutes("c1", rest)
    gaps = view.chart.grab().toImage()
    view.show_minutes("c1", [*zeros, *rest])

    assert len({image.constBits().tobytes() for image in (whole, gaps, view.chart.grab().toImage())}) == 3


def test_the_classes_of_the_time_that_is_shown_are_told(view, ago):
    view.show_cameras((CAMERA,))

    view.show_minutes(
        "c1", [ago(1, n_vehicles=20), *(replace(ago(1), label=what, n_vehicles=n) for what, n in MIX), ago(70)]
    )

    assert view.mix.text() == "20 vehicles: 80% car, 15% bus, 5% truck"


def test_people_over_a_line_are_shown_apart_from_its_vehicles(view, ago):
    line = replace(CAMERA.scene.lines[0], labels=("car", "person"))
    mine = {"subject": "line", "key": "gate", "direction": "in"}
    minutes = [ago(1, **mine, n_vehicles=5), ago(1, **mine, label="person", n_vehicles=3)]
    view.show_cameras((replace(CAMERA, scene=Scene(lines=(line,))),))

    view.place_choice.setCurrentIndex(view.place_choice.findText("Gate, in"))
    view.show_minutes("c1", minutes)
    of_vehicles = view.chart.strips, view.said.text(), view.mix.text()
    view.place_choice.setCurrentIndex(view.place_choice.findText("Gate, in: people"))

    assert of_vehicles[0] == ("Vehicles a minute",)
    assert "5 vehicles" in of_vehicles[1]
    assert of_vehicles[2] == "5 vehicles"
    assert view.chart.strips == ("People a minute",)
    assert "3 people" in view.said.text()
    assert view.mix.text() == ""


def test_a_line_for_people_only_offers_no_vehicles(view):
    line = replace(CAMERA.scene.lines[0], labels=("person",))
    view.show_cameras((replace(CAMERA, scene=Scene(lines=(line,))),))

    offered = [view.place_choice.itemText(row) for row in range(view.place_choice.count())]
    assert offered == ["Gate, in: people", "Gate, backward: people"]


def test_people_who_come_into_a_zone_are_shown_as_people(view, ago):
    zebra = replace(ZONES[0], name="Zebra", labels=("person",))
    both = replace(ZONES[1], labels=("car", "person"))
    view.show_cameras((replace(CAMERA, scene=Scene(zones=(zebra, both))),))
    view.show_minutes("c1", [ago(1, subject="zone", key="north", label="person", n_vehicles=3)])

    offered = [view.place_choice.itemText(row) for row in range(view.place_choice.count())]
    view.place_choice.setCurrentIndex(view.place_choice.findText("Into Zebra: people"))

    assert offered == ["Into East", "Into Zebra: people", "Into East: people"]
    assert "3 people" in view.said.text()


def test_ways_from_zone_to_zone_are_a_table_the_busiest_first(view, ago):
    view.show_cameras((replace(CAMERA, scene=Scene(zones=ZONES)),))
    view.place_choice.setCurrentIndex(view.place_choice.findText("From zone to zone"))

    view.show_minutes(
        "c1",
        [
            *(ago(n, subject="zone", key="north") for n in (1, 2, 90)),
            *(ago(n, subject="od", key="north>east", n_vehicles=1) for n in (1, 90)),
            ago(2, subject="od", key="east>north", n_vehicles=3),
        ],
    )

    assert [line.cells for line in view.ways.lines] == [("East → North", "3", "75%"), ("North → East", "1", "25%")]
    assert view.ways.isVisible()
    assert not view.chart.isVisible()
    assert view.mix.text() == "Looked at in 2 of the last 60 minutes"


def test_ways_of_a_time_that_nobody_saw_are_not_zero(view):
    view.show_cameras((replace(CAMERA, scene=Scene(zones=ZONES)),))
    view.place_choice.setCurrentIndex(view.place_choice.findText("From zone to zone"))

    view.show_minutes("c1", [])

    assert view.ways.lines == ()
    assert view._overlay.state is PanelState.EMPTY
