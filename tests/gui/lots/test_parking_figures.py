"""The page of figures and forecasts, by mouse and keyboard."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QPoint, Qt, QTime
from PySide6.QtTest import QTest

from core.kernel.clock import FakeClock
from core.parking.figures_model import BayFigures, Dwell, LotFigures
from core.parking.forecast.model import ForecastPoint, LotEvent, LotForecast, MeasuredError
from widgets.lots.figures_page import ParkingFiguresPage
from widgets.lots.forecast_words import csv_of

NOW = datetime(2026, 3, 26, 9, 7, tzinfo=UTC)  # a Thursday; clocks go forward on Sunday
ZONE = "Europe/Berlin"
HEAT = tuple(tuple(None if hour < 2 else 0.5 for hour in range(24)) for _ in range(7))
FIGURES = LotFigures(
    lot_id="quay",
    zone="",
    since=NOW - timedelta(days=28),
    until=NOW,
    time_zone=ZONE,
    n_bays=30,
    n_occupied=12,
    n_unknown=2,
    known_share=0.97,
    occupied_share=0.41,
    turnover=4.2,
    heat=HEAT,
    dwell=Dwell(
        n_complete=90, n_cut=3, n_without_begin=1, shares=(0.1, 0.2, 0.3, 0.2, 0.1, 0.1, 0.0, 0.0), median_min=55.0
    ),
    bays=(BayFigures(bay_id="A1", n_stays=40, occupied_share=0.8, known_share=1.0, mean_stay_min=61.0),),
)
POINT = ForecastPoint(
    at=datetime(2026, 3, 28, 17, 0, tzinfo=UTC),
    n_free=11.6,
    low=6.2,
    high=19.0,
    full_probability=0.12,
    method="profile",
    is_baseline=False,
    last_value=16.0,
    last_week=9.0,
    error_bays=2.1,
    coverage=0.91,
)
FORECAST = LotForecast(
    lot_id="quay",
    zone="",
    made_at=NOW,
    time_zone=ZONE,
    n_bays=30,
    n_free_now=16.0,
    asked=0.9,
    points=tuple(replace(POINT, at=NOW + timedelta(hours=hour)) for hour in range(1, 25)),
    measured=(
        MeasuredError(
            up_to_min=60,
            method="profile",
            is_baseline=False,
            errors={"profile": 2.1, "last value": 4.0, "last week": 3.3},
            coverage=0.91,
            n_judged=700,
        ),
    ),
    trained_at=NOW,
    data_hash="abc",
    n_days=42,
)


@pytest.fixture
def page(qtbot):
    made = ParkingFiguresPage(FakeClock(NOW))
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.show()
    return made


def offer(page):
    page.show_lots({"quay": "Quay", "mill": "Mill"}, {"quay": ("A", "B"), "mill": ()}, {"quay": {"A1": "17"}})


def test_choosing_a_lot_or_a_zone_asks_for_it(page, qtbot):
    asked = []
    page.figures_requested.connect(lambda *place: asked.append(place))
    offer(page)
    page.zone.setFocus()
    QTest.keyClick(page.zone, Qt.Key.Key_Down)
    page.lot.setFocus()
    QTest.keyClick(page.lot, Qt.Key.Key_Down)

    assert asked == [("quay", "", 28), ("quay", "A", 28), ("mill", "", 28)]


def test_a_day_and_a_time_are_answered_in_one_sentence(page):
    offer(page)
    page.show_forecast(FORECAST, ())
    asked = []
    page.when_asked.connect(lambda *what: asked.append(what))
    page.when.day.setFocus()
    for _ in range(2):
        QTest.keyClick(page.when.day, Qt.Key.Key_Down)
    page.when.at.setTime(QTime(18, 0))
    page.show_answer(replace(FORECAST, points=(POINT,)))

    # 18:00 on the wall in Berlin, before clocks go forward.
    assert asked[-1] == ("quay", "", datetime(2026, 3, 28, 17, 0, tzinfo=UTC))
    assert page.answer.text() == "Saturday 28 March, 18:00: about 12 of 30 bays free, 6 to 19 with 90%. Full with 12%."


def test_a_time_after_the_clocks_went_forward_is_meant_on_the_wall(page):
    offer(page)
    page.show_forecast(FORECAST, ())
    page.when.day.setCurrentIndex(4)
    page.when.at.setTime(QTime(18, 0))

    assert page.when.when == datetime(2026, 3, 30, 16, 0, tzinfo=UTC)


def test_a_click_on_the_hour_is_enough_to_type_another_one(page):
    page.when.at.setTime(QTime(7, 15))
    at_hour = QPoint(8, page.when.at.lineEdit().height() // 2)

    QTest.mouseClick(page.when.at.lineEdit(), Qt.MouseButton.LeftButton, pos=at_hour)
    QTest.keyClicks(page.when.at, "1800")

    assert page.when.at.time() == QTime(18, 0)


def test_a_time_of_today_that_is_over_means_now(page):
    page.when.set_zone(ZONE)
    page.when.at.setTime(QTime(1, 0))

    assert page.when.when == NOW


def test_the_measured_error_stands_beside_those_of_the_baselines(page):
    offer(page)
    page.show_forecast(FORECAST, ())

    assert [line.cells for line in page.measured.lines] == [("1 h", "profile", "2.1", "4.0", "3.3", "91%")]


def test_too_little_history_is_said_and_no_chart_is_shown(page):
    offer(page)
    page.show_forecast(replace(FORECAST, points=(), measured=(), notes=("Not enough history: 1 day.",)), ())
    page.show_answer(replace(FORECAST, points=(), notes=("Not enough history: 1 day.",)))

    assert not page.chart.isVisible()
    assert page.answer.text() == "Not enough history: 1 day."


def test_the_arrow_keys_say_hours_of_the_week_and_what_nobody_watched(page):
    offer(page)
    page.show_figures(FIGURES)
    said = []
    page.heat.cell_pointed.connect(said.append)
    page.heat.setFocus()
    QTest.keyClick(page.heat, Qt.Key.Key_Down)
    for _ in range(11):
        QTest.keyClick(page.heat, Qt.Key.Key_Left)

    assert said[0] == "Tuesday 12:00 to 13:00: 50% occupied"
    assert said[-1] == "Tuesday 01:00 to 02:00: hardly watched, so not known"


def test_the_arrow_keys_say_points_of_the_forecast(page):
    offer(page)
    page.show_forecast(FORECAST, ())
    said = []
    page.chart.point_pointed.connect(said.append)
    page.chart.setFocus()
    QTest.keyClick(page.chart, Qt.Key.Key_Right)

    assert said == ["Thu 12:07: 12 free, 6 to 19, full with 12%; last value 16, last week 9"]


def test_the_demonstrations_history_is_marked(page):
    offer(page)
    page.show_figures(replace(FIGURES, is_simulated=True))
    assert page._simulated.isVisible()
    page.show_figures(FIGURES)
    assert not page._simulated.isVisible()


def test_a_late_answer_about_another_lot_is_left_out(page):
    offer(page)
    page.show_figures(replace(FIGURES, lot_id="mill"))

    assert page.facts.lines == ()


def test_a_lot_that_only_counts_shows_no_stays(page):
    offer(page)
    page.show_figures(replace(FIGURES, is_counted=True, turnover=None, dwell=Dwell(), bays=()))

    assert page.heat.isVisible()
    assert not page.dwell.isVisible()
    assert not page.bays.isVisible()


def test_an_event_is_written_down_and_taken_out_by_keyboard(page):
    offer(page)
    page.show_forecast(FORECAST, ())
    page.show_roles(may_edit=True, may_train=False)
    written, removed = [], []
    page.calendar.save_requested.connect(written.append)
    page.calendar.remove_requested.connect(removed.append)
    QTest.keyClicks(page.calendar.name, "Fair")
    QTest.keyClicks(page.calendar.effect, "20 %")
    QTest.keyClick(page.calendar._save, Qt.Key.Key_Space)
    kept = replace(written[0], event_id="e1", version=1)
    page.calendar.show_events([kept])
    page.calendar.table.setFocus()
    page.calendar.table.selectRow(0)
    QTest.keyClick(page.calendar.table, Qt.Key.Key_Delete)

    begin = datetime(2026, 3, 26, 10, 0, tzinfo=UTC)
    assert written[0] == LotEvent(
        event_id="", name="Fair", begins_at=begin, ends_at=begin + timedelta(hours=3), effect_percent=20.0
    )
    assert removed == [kept]


def test_who_may_not_edit_reads_only(page):
    page.show_roles(may_edit=False, may_train=False)

    assert not page.calendar.name.isEnabled()


def test_everything_that_is_shown_is_exported():
    rows = list(csv.reader(io.StringIO(csv_of(FIGURES, FORECAST))))
    by_what = {what: [row for row in rows if row[0] == what] for what in {row[0] for row in rows}}

    assert len(by_what["heat"]) == 7 * 24
    assert by_what["heat"][0][2] == "", "a gap is not a zero"
    assert len(by_what["free"]) == 24
    assert by_what["free"][0][:5] == ["free", "2026-03-26T11:07+01:00", "11.6", "6.2", "19"]
    assert len(by_what["error_bays"]) == 3


def test_in_a_narrow_dock_the_figures_stand_below_the_forecast(page, qtbot):
    offer(page)
    page.show_figures(FIGURES)
    page.show_forecast(FORECAST, ())

    def top_of(part):
        return part.mapTo(page, QPoint(0, 0)).y()

    qtbot.waitUntil(lambda: top_of(page.heat) < top_of(page.calendar))
    page.resize(560, 700)

    qtbot.waitUntil(lambda: top_of(page.heat) > top_of(page.calendar))
    assert page.width() == 560
