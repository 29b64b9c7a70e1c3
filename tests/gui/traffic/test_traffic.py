from datetime import timedelta

import pytest
from PySide6.QtCore import Qt

from core.field.model import DeviceState
from core.kernel.clock import FakeClock
from core.parking.model import LotOccupancy
from tests.gui.map.things import NOW, lot, reading, station
from widgets.traffic.lot_card import LotCard
from widgets.traffic.station_table import StationTable


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def table(open_widget, clock):
    return open_widget(StationTable(clock), 900, 400)


def test_a_station_shows_its_newest_figures_with_the_units_in_the_heading(table):
    table.show_devices((station(), lot()))
    table.show_readings({0: reading(averageVehicleSpeed=41.6, intensity=17, occupancy=0.31)})

    row = [table.cell("traffic/quay", title) for title in ("km/h", "veh/min", "occ. %")]
    assert row == ["42", "17", "31"]


@pytest.mark.parametrize("width", [340, 530, 900])
def test_a_table_of_any_width_shows_whole_headings_and_no_scroll_bar(table, width):
    table.show_devices((station(), lot()))
    table.resize(width, 300)
    view = table.view
    header = view.horizontalHeader()

    shown = [column for column in range(header.count()) if not header.isSectionHidden(column)]
    assert header.length() <= view.viewport().width()
    assert all(header.sectionSize(column) >= header.sectionSizeHint(column) for column in shown)
    assert {0, 1, 5} <= set(shown)


def test_a_wide_table_shows_every_column_and_a_narrow_one_tells_the_rest_in_its_tip(table):
    table.show_devices((station(),))
    table.show_readings({0: reading(intensity=17)})

    assert not any(table.view.isColumnHidden(column) for column in range(6))
    table.resize(340, 300)

    assert table.view.isColumnHidden(2)
    assert "Vehicles: 17 veh/min" in table.view.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)


def test_single_stations_are_brought_up_to_date(table):
    table.show_devices((station(), lot()))
    table.show_readings({0: reading(averageVehicleSpeed=41.6, intensity=17)})

    table.update_readings([reading(averageVehicleSpeed=12.0)])
    table.update_devices([lot(), station("traffic/alley", "Alley")])

    assert table.cell("traffic/quay", "km/h") == "12"
    assert [table.view.model().index(row, 0).data() for row in range(2)] == ["Alley", "Quay"]


def test_a_figure_nobody_sent_is_two_dashes(table):
    table.show_devices((station(),))

    assert table.cell("traffic/quay", "km/h") == "--"
    assert table.cell("traffic/quay", "Age") == "--"


def test_the_age_of_a_value_grows(table, clock):
    table.show_devices((station(),))
    table.show_readings({0: reading()})

    clock.advance(seconds=95)

    assert table.cell("traffic/quay", "Age") == "00:01:35"


def test_values_of_a_lost_station_are_dimmed(table):
    table.show_devices((station(state=DeviceState.LOST),))
    table.show_readings({0: reading()})

    index = table.view.model().index(0, 1)
    assert index.data(Qt.ItemDataRole.ForegroundRole) is not None
    assert "last values" in index.data(Qt.ItemDataRole.ToolTipRole)


def test_speeds_are_remembered_for_ten_minutes(table):
    table.show_devices((station(),))
    for minute in range(15):
        table.show_readings({0: reading(at=NOW + timedelta(minutes=minute), averageVehicleSpeed=40 + minute)})

    history = table._model._histories["traffic/quay"]
    assert [value for _, value in history.samples] == list(range(44, 55))


def test_without_stations_the_table_says_so(table):
    assert table._overlay.sentence == "No station has spoken yet."


def test_enter_goes_to_the_selected_station(table, qtbot):
    table.show_devices((station(), station("traffic/hill", "Hill")))
    table.view.setFocus()
    with qtbot.waitSignal(table.station_selected) as selected:
        table.view.selectRow(0)

    with qtbot.waitSignal(table.goto_requested) as went:
        qtbot.keyClick(table.view, Qt.Key.Key_Return)

    assert selected.args == went.args == ["traffic/hill"]


def test_a_lot_says_how_many_bays_are_free_and_how_many_nobody_knows(qtbot, clock):
    card = LotCard(clock)
    qtbot.addWidget(card)

    card.show_lot(lot(), LotOccupancy(lot_id="parking/west", n_bays=120, n_occupied=41, n_unknown=2, at=NOW))

    assert card.text == "77 free of 120, 2 unknown"


def test_a_lot_nobody_counted_shows_dashes(qtbot, clock):
    card = LotCard(clock)
    qtbot.addWidget(card)

    card.show_lot(lot(), None)

    assert card.text.startswith("--")
