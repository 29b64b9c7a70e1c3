"""The desk's machine lives in another zone than the site, whose clock is the header's: it is nowhere to be seen."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.incidents.suppression import PlannedWorks
from core.kernel.clock import FakeClock
from core.kernel.zone import set_site_zone
from core.parking.forecast.model import LotEvent
from tests.gui.alarms.making import make_alarm
from tests.gui.header.test_header_bar import site
from tests.gui.map.things import station
from widgets.alarms.table_model import AlarmTableModel, Column
from widgets.alarms.works import WorksPage
from widgets.base.moment_edit import MomentEdit
from widgets.devices.device_panel import DevicePanel
from widgets.devices.tree_model import SEEN
from widgets.header.header_bar import HeaderBar
from widgets.lots.calendar_form import CalendarForm
from widgets.traffic.flow_chart import Slot, sentence_of
from widgets.twin.time_bar import TimeBar

NOW = FakeClock().now()
"""Noon in UTC, 17:30 in Kolkata, 2:00 in Honolulu."""


@pytest.fixture(autouse=True)
def _site_in_kolkata_desk_in_honolulu(monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Honolulu")
    time.tzset()
    set_site_zone("Asia/Kolkata")
    yield
    monkeypatch.undo()
    time.tzset()


def pick(field, section, text):
    field.setFocus()
    field.setSelectedSection(section)
    QTest.keyClicks(field, text)


def works(since, until):
    return PlannedWorks(
        works_id="w", title="Asphalt", sources=frozenset(), since=since, until=until, by="susi", reason="R"
    )


def test_lists_tell_the_time_that_the_header_tells(qtbot):
    header, page, calendar = HeaderBar(FakeClock()), WorksPage(FakeClock()), CalendarForm(FakeClock())
    devices = DevicePanel(FakeClock())
    for widget in (header, page, calendar, devices):
        qtbot.addWidget(widget)
    header.show_site(site("Asia/Kolkata"))
    alarms = AlarmTableModel(FakeClock())
    alarms.replace([make_alarm("a", age_s=0.0)])
    devices.show()
    devices.show_devices((station(last_seen_at=NOW),))
    page.show_works([works(NOW, NOW + timedelta(hours=1))])
    page.show_past([])
    calendar.show_events([LotEvent(event_id="e", name="Market", begins_at=NOW, ends_at=NOW + timedelta(hours=1))])
    seen = devices._model.index_of(("station", "traffic/quay")).siblingAtColumn(SEEN)

    assert header.clock_text == "17:30:00 +05:30"
    assert header.date_text == "Thu 2026-01-01"
    assert alarms.index(0, Column.RAISED).data() == "17:30:00"
    assert alarms.index(0, Column.RAISED).data(Qt.ItemDataRole.ToolTipRole) == "2026-01-01 17:30:00+05:30"
    assert seen.data(Qt.ItemDataRole.ToolTipRole) == "2026-01-01 17:30:00+05:30"
    assert page.lines[0].cells[2:4] == ("2026-01-01 17:30", "2026-01-01 18:30")
    assert calendar.table.lines[0].cells[2:4] == ("2026-01-01 17:30", "2026-01-01 18:30")
    assert sentence_of(Slot(start=NOW, measured=None)).startswith("17:30: ")


def test_the_time_that_is_typed_is_read_on_the_clock_of_the_site(qtbot):
    bar = TimeBar(FakeClock())
    qtbot.addWidget(bar)
    assert bar.field.text() == "2026-01-01 17:30"

    pick(bar.field, MomentEdit.Section.HourSection, "16")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)

    assert bar.moment.at == NOW - timedelta(hours=1)


def test_an_hour_of_the_time_bar_begins_on_the_clock_of_the_site(qtbot):
    bar = TimeBar(FakeClock())
    qtbot.addWidget(bar)

    bar.step_hours(-1)

    assert bar.field.text() == "2026-01-01 17:00"


def test_a_time_that_only_the_desks_own_clock_leaves_out_can_be_typed(qtbot, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    field = MomentEdit()
    qtbot.addWidget(field)
    field.setDisplayFormat("yyyy-MM-dd HH:mm")
    field.set_moment(datetime(2026, 3, 29, 7, 0, tzinfo=UTC))

    pick(field, MomentEdit.Section.HourSection, "02")

    assert field.text() == "2026-03-29 02:30"
    assert field.moment == datetime(2026, 3, 28, 21, 0, tzinfo=UTC)


@pytest.fixture
def berlin(qtbot):
    set_site_zone("Europe/Berlin")
    field = MomentEdit()
    qtbot.addWidget(field)
    field.setDisplayFormat("yyyy-MM-dd HH:mm")
    return field


def test_up_and_down_lead_through_both_of_an_hour_that_comes_twice(berlin):
    berlin.set_moment(datetime(2026, 10, 24, 23, 30, tzinfo=UTC))
    berlin.setCurrentSection(MomentEdit.Section.HourSection)
    told = []
    berlin.dateTimeChanged.connect(lambda _at: told.append((berlin.text(), berlin.moment.hour, berlin.note)))

    for _ in range(3):
        QTest.keyClick(berlin, Qt.Key.Key_Up)

    assert told == [
        ("2026-10-25 02:30", 0, "02:30 comes twice that night: 02:30+02 is meant, Up and Down lead to the other."),
        ("2026-10-25 02:30", 1, "02:30 comes twice that night: 02:30+01 is meant, Up and Down lead to the other."),
        ("2026-10-25 03:30", 2, ""),
    ]


def test_a_time_that_the_site_leaves_out_is_said_to_mean_a_later_one(berlin):
    berlin.set_moment(datetime(2026, 3, 29, 0, 30, tzinfo=UTC))

    pick(berlin, MomentEdit.Section.HourSection, "02")

    assert berlin.moment == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert berlin.note == "02:30 does not come that night: 03:30 is meant."


def test_works_say_which_of_two_hours_they_end_in(qtbot):
    set_site_zone("Europe/Berlin")
    page = WorksPage(FakeClock())
    qtbot.addWidget(page)

    page.show_works([works(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))])
    page.show_past([])

    assert page.lines[0].cells[2:4] == ("2026-10-25 02:30+02", "2026-10-25 02:30+01")


def test_without_a_site_the_desks_own_zone_holds(qtbot):
    set_site_zone("")
    header, field = HeaderBar(FakeClock()), MomentEdit()
    for widget in (header, field):
        qtbot.addWidget(widget)
    field.setDisplayFormat("yyyy-MM-dd HH:mm")
    field.set_moment(NOW)

    assert header.clock_text == "02:00:00 -10:00"
    assert (field.text(), field.moment) == ("2026-01-01 02:00", NOW)
