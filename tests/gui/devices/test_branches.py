"""The tree divided by kind, site or state: branches come and go, what is chosen stays."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QItemSelectionModel

from core.field.model import DeviceState
from core.kernel.clock import FakeClock
from tests.gui.map.things import camera, lot, station
from widgets.devices.device_panel import DevicePanel
from widgets.devices.rows import device_row
from widgets.devices.tree_model import NO_SITE, SLICE, DeviceTreeModel, GroupBy

QUAY = station(site="Harbour")
HILL = station("traffic/hill", "Hill", state=DeviceState.LOST, site="Old town")


@pytest.fixture
def panel(qtbot):
    made = DevicePanel(FakeClock())
    qtbot.addWidget(made)
    made.resize(1200, 700)
    made.show_cameras((camera(site="Harbour"),))
    made.show_devices((QUAY, HILL, lot()))
    made.show()
    return made


def divide(panel, by):
    panel.divide(by)


def branches(panel):
    model = panel._model
    found = {}
    for number in range(model.rowCount()):
        parent = model.index(number, 0)
        found[model.branch_name(number)] = [model.index(row, 0, parent).data() for row in range(model.rowCount(parent))]
    return found


def choose(panel, *keys):
    for key in keys:
        panel.tree.selectionModel().select(
            panel._model.index_of(key),
            QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows,
        )


def chosen(panel):
    return {panel._model.row_at(index).item_id for index in panel.tree.selectionModel().selectedRows()}


def test_by_site_cameras_and_devices_stand_together_and_the_rest_last(panel):
    divide(panel, GroupBy.SITE)

    assert branches(panel) == {"Harbour": ["Mill Bridge", "Quay"], "Old town": ["Hill"], NO_SITE: ["Parking West"]}
    assert list(branches(panel))[-1] == NO_SITE


def test_by_state_what_is_lost_comes_first_and_moves_when_it_is_back(panel):
    divide(panel, GroupBy.STATE)
    assert next(iter(branches(panel).items())) == ("Lost", ["Hill"])

    panel.show_devices((QUAY, replace(HILL, state=DeviceState.ONLINE), lot()))

    assert "Lost" not in branches(panel)
    assert branches(panel)["Online"] == ["Hill", "Parking West", "Quay"]


def test_several_that_are_chosen_stay_chosen_in_another_division(panel):
    choose(panel, ("station", "traffic/quay"), ("station", "traffic/hill"))

    divide(panel, GroupBy.SITE)

    assert chosen(panel) == {"traffic/quay", "traffic/hill"}


def test_a_branch_that_was_closed_stays_closed_while_devices_come_in(panel):
    panel.tree.collapse(panel._model.index(0, 0))
    name = panel._model.branch_name(0)

    panel.show_devices((QUAY, HILL, lot(), station("traffic/new", "New")))

    number = next(n for n in range(panel._model.rowCount()) if panel._model.branch_name(n) == name)
    assert not panel.tree.isExpanded(panel._model.index(number, 0))


def test_a_site_is_found_by_typing(panel, qtbot):
    qtbot.keyClicks(panel._search, "old town")

    assert [names for names in branches(panel).values() if names] == [["Hill"]]


def test_an_older_arranging_gives_way_to_a_newer_one():
    model = DeviceTreeModel(FakeClock())
    n_rows = SLICE * 2
    model.show_rows(device_row(station(f"traffic/{n}", str(n)), ()) for n in range(n_rows))
    older = model.arrange_in_turns()
    next(older)

    model.set_grouping(GroupBy.STATE)
    model.arrange()
    list(older)
    model.show_arranged()

    assert [model.branch_name(number) for number in range(model.rowCount())] == ["Online"]
    assert model.n_shown == n_rows


def test_what_moves_while_many_are_put_into_order_is_in_its_place_the_next_time():
    model = DeviceTreeModel(FakeClock())
    model.set_grouping(GroupBy.STATE)
    model.show_rows(device_row(station(f"traffic/{n}", str(n)), ()) for n in range(SLICE * 2))
    arranging = model.arrange_in_turns()
    next(arranging)

    model.update_rows([device_row(station("traffic/0", "0", state=DeviceState.LOST), ())])
    list(arranging)
    model.show()

    assert [model.branch_name(number) for number in range(model.rowCount())] == ["Lost", "Online"]
