"""The list of lots, the table of bays and the correction bar, by mouse and keyboard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.kernel.clock import FakeClock
from core.parking.model import (
    Bay,
    BayKind,
    BayState,
    BayStatus,
    GateFigures,
    Level,
    Lot,
    LotOccupancy,
    OccupancyBasis,
    ZoneOccupancy,
)
from tests.fixtures.console import press
from widgets.lots.bay_table import BayFilter, BayTable
from widgets.lots.correction_bar import CorrectionBar
from widgets.lots.gate_bar import GateBar
from widgets.lots.lot_list import LotList, rows_of
from widgets.lots.sight_bar import SightBar
from widgets.lots.words import fill_text, free_text, source_text, state_text

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LOT = Lot(
    lot_id="quay",
    name="Quay",
    levels=(Level(number=0, name="Ground"), Level(number=1, name="Level 1")),
    bays=(
        Bay(bay_id="A1", label="1", zone="A"),
        Bay(bay_id="A2", zone="A", kind=BayKind.EV),
        Bay(bay_id="B1", level=1),
    ),
)
FULL = LotOccupancy(
    lot_id="quay",
    n_bays=3,
    n_occupied=1,
    n_unknown=1,
    n_stale=1,
    basis=OccupancyBasis.BAYS,
    at=AT,
    zones=(
        ZoneOccupancy(zone="A", n_bays=2, n_occupied=1, n_unknown=0),
        ZoneOccupancy(zone="B", n_bays=1, n_occupied=0, n_unknown=1),
    ),
)


def status(bay_id, state, **changes):
    found = {"since": AT - timedelta(seconds=90), "at": AT, "confidence": 0.9, "source": "camera:c1"} | changes
    return BayStatus(lot_id="quay", bay_id=bay_id, state=BayState(state), **found)


STATUSES = {
    "A1": status("A1", "occupied"),
    "A2": status("A2", "free", is_stale=True),
    "B1": status("B1", "closed", source="operator:dana", reason="works", seen=BayState.FREE),
}


@pytest.fixture
def table(qtbot):
    made = BayTable(FakeClock(AT))
    qtbot.addWidget(made)
    made.show_lot(LOT, STATUSES, {"c1": "North"})
    made.resize(700, 300)
    made.show()
    return made


def line(table, row):
    model = table.model()
    return [model.data(model.index(row, column)) for column in range(model.columnCount())]


def test_words_never_say_that_something_old_is_known():
    assert state_text(STATUSES["A2"]) == "Free, stale"
    assert source_text("camera:c1, sensor:lot/7", {"c1": "North"}) == "Camera North, Sensor lot/7"
    assert free_text(FULL) == "1 to 2"
    assert fill_text(FULL) == "1 occupied, 1 unknown (1 stale); counted from its bays"


def test_lots_are_listed_by_name_with_their_zones_and_found_by_a_word():
    lots = {"quay": FULL, "parking/x": LotOccupancy(lot_id="parking/x", n_bays=9, n_occupied=4, n_unknown=0, at=AT)}

    rows = rows_of([LOT], lots, {"parking/x": "Hill"}, "")
    assert [row.name for row in rows] == ["Hill", "Quay", "A", "B"]
    assert rows[1].text == "Quay: 1 free of 3, 1 unknown."
    assert [row.name for row in rows_of([LOT], lots, {"parking/x": "Hill"}, "hil")] == ["Hill"]


def test_a_lot_is_chosen_by_mouse_and_by_key_and_stays_chosen_when_figures_change(qtbot):
    lots = LotList(FakeClock(AT))
    qtbot.addWidget(lots)
    lots.show_rows(rows_of([LOT], {"quay": FULL}, {}, ""))
    lots.resize(400, 300)
    lots.show()
    heard = []
    lots.lot_chosen.connect(lambda lot_id, zone: heard.append((lot_id, zone)))

    place = lots.visualRect(lots.model().index(0, 0)).center()
    QTest.mouseClick(lots.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    QTest.keyClick(lots, Qt.Key.Key_Down)
    lots.show_rows(rows_of([LOT], {"quay": FULL}, {}, ""))

    assert heard == [("quay", ""), ("quay", "A")]
    assert lots.chosen == ("quay", "A")


def test_each_bay_says_how_it_stands_since_when_and_by_whose_word(table):
    assert line(table, 0) == ["1", "Occupied", "00:01:30", "Camera North", "Standard", "Ground, A"]
    assert line(table, 1)[:2] == ["A2", "Free, stale"]
    assert line(table, 2)[1:4] == ["Closed", "00:01:30", "Corrected by dana: works"]


@pytest.mark.parametrize(
    ("wanted", "bays"),
    [
        (BayFilter.ALL, ("A1", "A2", "B1")),
        (BayFilter.OCCUPIED, ("A1",)),
        (BayFilter.FREE, ()),
        (BayFilter.UNKNOWN, ("A2",)),
        (BayFilter.CORRECTED, ("B1",)),
    ],
)
def test_only_some_bays_are_listed(table, wanted, bays):
    table.filter(wanted, "", "")

    assert table.bay_ids == bays


def test_a_change_is_shown_at_once_and_what_is_chosen_stays_chosen(table):
    table.filter(BayFilter.OCCUPIED, "", "")
    table.choose(("A1",))
    table.update_bays((status("A2", "occupied"), status("A1", "occupied", since=AT)))

    assert table.bay_ids == ("A1", "A2")
    assert table.chosen == ("A1",)
    assert line(table, 0)[2].startswith("0")


def test_a_correction_needs_a_state_and_a_reason(qtbot):
    bar = CorrectionBar()
    qtbot.addWidget(bar)
    bar.show()
    heard = []
    bar.correction_requested.connect(lambda state, reason: heard.append((state, reason)))
    bar.show_role(may_correct=True)
    bar.show_bays(("1",), (STATUSES["A1"],))
    bar.begin()

    QTest.keyClick(bar.focusWidget(), Qt.Key.Key_Space)
    QTest.keyClick(bar._reason, Qt.Key.Key_Return)
    assert heard == []
    QTest.keyClicks(bar._reason, "empty, looked")
    QTest.keyClick(bar._reason, Qt.Key.Key_Return)
    assert heard == [(BayState.FREE, "empty, looked")]


def test_a_viewer_cannot_correct(qtbot):
    bar = CorrectionBar()
    qtbot.addWidget(bar)
    bar.show_bays(("B1",), (STATUSES["B1"],))

    bar.show_role(may_correct=False)
    assert not bar._release.isEnabled()
    bar.show_role(may_correct=True)
    assert bar._release.isEnabled()


def test_gates_say_who_came_and_went_and_how_far_that_is_from_the_bays(qtbot):
    bar = GateBar()
    qtbot.addWidget(bar)
    heard = []
    bar.count_set.connect(heard.append)
    bar.show_lot(FULL)
    assert not bar.isVisible()

    gates = GateFigures(n_inside=3, n_entered=5, n_left=2, set_at=AT)
    bar.show_lot(replace(FULL, gates=gates, drift=2))
    assert bar.text.startswith("Gates: 3 inside, +2 beside its bays; 5 in, 2 out since")
    bar.show_role(may_set=True)
    bar.show()
    press(bar, "Set count")
    assert heard == [3]


def test_gates_without_a_beginning_count_nothing(qtbot):
    bar = GateBar()
    qtbot.addWidget(bar)

    bar.show_lot(replace(FULL, gates=GateFigures(n_inside=None, n_entered=0, n_left=0, set_at=None)))
    assert bar.text == "Gates count, from an unknown beginning. Set the count once."


# -- what cameras cannot tell


def test_what_a_camera_cannot_tell_is_said_by_its_name_and_goes_when_it_can(qtbot):
    bar = SightBar()
    qtbot.addWidget(bar)

    bar.show_notes({"c1": "The lane Aisle is watched where it was seen clear: 40% so far.", "c2": ""}, {"c1": "Mast"})
    assert not bar.isHidden()
    assert bar.text == "Mast: The lane Aisle is watched where it was seen clear: 40% so far."
    bar.show_notes({"c1": "", "c2": ""}, {"c1": "Mast"})
    assert bar.isHidden()


def test_of_many_cameras_only_the_names_take_the_bays_room(qtbot):
    bar = SightBar()
    qtbot.addWidget(bar)

    bar.show_notes({"c1": "a", "c2": "b", "c3": "c"}, {"c1": "South", "c2": "North", "c3": "Roof"})

    assert bar.text.startswith("3 cameras do not tell everything: North, Roof, South.")
