"""The board of incidents, driven by keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QListWidget, QVBoxLayout, QWidget

from core.access.model import Colleague, Role
from core.incidents.model import Incident, IncidentStatus, PictureCall, Priority, SourceKind
from core.incidents.work import (
    PUBLISHED_FOR,
    Disposition,
    Duty,
    IncidentDetail,
    Publication,
    Step,
    TimelineEntry,
    Timer,
    TimerState,
    Unit,
)
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint
from tests.fixtures.alarms import alarm
from widgets.base.times import format_clock
from widgets.incidents.board import IncidentBoard
from widgets.incidents.model import Shown
from widgets.incidents.timers import TimerRow
from widgets.incidents.units import UnitsPage

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def incident(incident_id="I", **changes):
    made = Incident(
        incident_id=incident_id,
        kind="collision",
        title=f"Collision {incident_id}",
        source_kind=SourceKind.CAMERA,
        source_id="ring-north",
        source_name="Ring North",
        status=IncidentStatus.NEW,
        began_at=AT,
        opened_at=AT,
        taken_up_by="olga",
        work_version=3,
    )
    return replace(made, **changes)


PATROL = Unit(unit_id="U1", call_sign="Patrol 1", kind="Patrol")
TOW = Unit(unit_id="U2", call_sign="Tow 1", kind="Tow truck", incident_id="B")
RESTING = Unit(unit_id="U3", call_sign="Fire 4", kind="Fire", duty=Duty.OFF_DUTY)


@pytest.fixture
def clock():
    return FakeClock(AT)


@pytest.fixture
def board(qtbot, clock):
    made = IncidentBoard(clock)
    qtbot.addWidget(made)
    made.resize(1000, 600)
    made.show_role(Role.OPERATOR, "olga")
    made.show_units({unit.unit_id: unit for unit in (PATROL, TOW, RESTING)})
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.focusProxy().setFocus()
    return made


@pytest.fixture
def show(board):
    def show_these(*incidents):
        board.show_incidents({one.incident_id: one for one in incidents})

    return show_these


@pytest.fixture
def steps(board):
    taken = []
    board.step_requested.connect(lambda *asked: taken.append(asked))
    return taken


def press(board, keys, *, on=None):
    widget = on or QApplication.focusWidget() or board
    for key in keys:
        QTest.keyClick(widget, key)
        widget = QApplication.focusWidget() or widget


def listed(board):
    return [one.incident_id for one in board.listed]


def test_open_work_comes_first_by_urgency_then_by_age(board, show):
    show(
        incident("new-low", priority=Priority.LOW),
        incident("young", opened_at=AT + timedelta(seconds=9)),
        incident("old"),
        incident("urgent", priority=Priority.CRITICAL, opened_at=AT + timedelta(seconds=20)),
        incident("resolved", status=IncidentStatus.RESOLVED, priority=Priority.CRITICAL),
        incident("closed", status=IncidentStatus.CLOSED, disposition="true"),
    )

    assert listed(board) == ["urgent", "old", "young", "new-low", "resolved"]
    board.findChild(QComboBox).setCurrentIndex(3)
    assert listed(board)[-1] == "closed"


def test_a_record_that_nobody_took_up_is_open_while_its_alarm_is(board, show):
    show(incident("record", taken_up_by=""))
    assert listed(board) == []

    board.show_alarms((alarm(incident_id="record"),))

    assert listed(board) == ["record"]


@pytest.mark.parametrize(
    ("status", "key", "step"),
    [
        (IncidentStatus.ASSIGNED, "E", Step.DEPART),
        (IncidentStatus.EN_ROUTE, "S", Step.ARRIVE),
        (IncidentStatus.ON_SCENE, "R", Step.RESOLVE),
    ],
)
def test_one_key_is_one_step(board, show, steps, status, key, step):
    show(incident(status=status, unit_id="U1"))

    press(board, key, on=board.focusProxy())

    ((incident_id, order, version),) = steps
    assert (incident_id, order.step, version) == ("I", step, 3)


def test_free_units_are_offered_busy_ones_named_and_off_duty_ones_left_out(board, show, steps):
    show(incident("I"), incident("B", unit_id="U2", status=IncidentStatus.ASSIGNED))
    board.select("I")

    press(board, "A", on=board.focusProxy())

    assert board.view.choice.answers == (
        "1  Patrol 1, Patrol",
        "2  olga, without a unit",
        "3  Tow 1, Tow truck  (at Collision B)",
    )
    press(board, "3")
    assert steps == []
    press(board, "1")
    assert [(order.step, order.unit_id, order.operator) for _, order, _ in steps] == [(Step.ASSIGN, "U1", "olga")]


def test_other_operators_who_are_signed_in_are_offered_by_key_and_by_click(board, show, steps, qtbot):
    show(incident("I", unit_id="U1", operator="olga", status=IncidentStatus.EN_ROUTE))
    with qtbot.waitSignal(board.assignees_requested):
        press(board, "A", on=board.focusProxy())
    board.show_colleagues(
        (
            Colleague(name="zoe", role=Role.OPERATOR),
            Colleague(name="olga", role=Role.OPERATOR, desks=("Desk 1",)),
            Colleague(name="omar", role=Role.SUPERVISOR, desks=("Desk 2",)),
        )
    )

    assert board.view.choice.answers[-2:] == ("4  omar, supervisor at Desk 2", "5  zoe, operator  (not signed in)")
    press(board, "4")
    press(board, "A", on=board.focusProxy())
    answers = board.view.choice.findChild(QListWidget)
    QTest.mouseClick(
        answers.viewport(), Qt.MouseButton.LeftButton, pos=answers.visualItemRect(answers.item(3)).center()
    )

    assert [(order.step, order.unit_id, order.operator) for _, order, _ in steps] == [(Step.HAND_ON, "", "omar")] * 2


def test_closing_asks_what_became_of_it_and_offers_what_can_be_said_now(board, show, steps):
    show(incident())

    press(board, "X", on=board.focusProxy())

    assert board.view.choice.answers[:2] == ("1  True  (resolve it first)", "2  False alarm")
    press(board, "2")
    assert [(order.step, order.disposition) for _, order, _ in steps] == [(Step.CLOSE, Disposition.FALSE_ALARM)]


def test_a_duplicate_names_the_other_one(board, show, steps):
    show(incident("I"), incident("other"), incident("closed", status=IncidentStatus.CLOSED))
    board.select("I")

    press(board, "X", on=board.focusProxy())
    press(board, "3")

    assert len(board.view.choice.answers) == 1
    press(board, [Qt.Key.Key_Return])
    assert [order.duplicate_of for _, order, _ in steps] == ["other"]


def test_esc_takes_a_question_back_and_the_keys_are_in_the_list_again(board, show, steps):
    show(incident())
    press(board, "X", on=board.focusProxy())

    press(board, [Qt.Key.Key_Escape])

    assert steps == []
    assert board.focusProxy().hasFocus()
    assert not board.view.choice.isVisible()


def test_a_comment_is_saved_by_enter_and_goes_along_with_a_step(board, show, steps):
    show(incident(status=IncidentStatus.ASSIGNED, unit_id="U1"))

    press(board, "C", on=board.focusProxy())
    QTest.keyClicks(QApplication.focusWidget(), "two lanes blocked")
    press(board, [Qt.Key.Key_Return])
    press(board, "C")
    QTest.keyClicks(QApplication.focusWidget(), "towed")
    press(board, [Qt.Key.Key_Escape])
    press(board, "R")

    assert [(order.step, order.comment) for _, order, _ in steps] == [
        (Step.COMMENT, "two lanes blocked"),
        (Step.RESOLVE, "towed"),
    ]


def test_what_is_not_possible_is_said_and_not_sent(board, show, steps):
    show(incident())

    press(board, "R", on=board.focusProxy())

    assert steps == []
    assert "not possible now" in board.view._note.text()


def test_a_viewer_looks_and_takes_no_step(board, show, steps):
    board.show_role(Role.VIEWER, "vera")
    show(incident(status=IncidentStatus.ASSIGNED, unit_id="U1"))

    press(board, "E", on=board.focusProxy())

    assert steps == []


def test_an_incident_is_written_down_without_a_mouse(board, show, qtbot):
    opened = []
    board.open_requested.connect(opened.append)
    board.show_cameras({"ring-north": "Ring North"})
    show()

    press(board, "O", on=board.focusProxy())
    press(board, [Qt.Key.Key_Down, Qt.Key.Key_Tab])
    QTest.keyClicks(QApplication.focusWidget(), "Van on the shoulder")
    board.show_position(GeoPoint(52.0, 8.0))
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    (wanted,) = opened
    assert (wanted.kind, wanted.title, wanted.priority) == ("stopped_vehicle", "Van on the shoulder", Priority.MEDIUM)
    assert wanted.position == GeoPoint(52.0, 8.0)
    assert board.focusProxy().hasFocus()


def test_the_timeline_tells_the_newest_first_and_stays_with_its_incident(board, show):
    show(incident("I"), incident("other"))
    board.select("I")
    told = tuple(TimelineEntry(at=AT + timedelta(seconds=n), what=what) for n, what in enumerate(("first", "second")))

    board.show_detail(IncidentDetail(incident=incident("I"), timeline=told))
    board.show_detail(IncidentDetail(incident=incident("other"), timeline=told[:1]))

    assert [line.cells[0] for line in board.view.timeline] == ["second", "first"]


@pytest.mark.parametrize(
    ("age_s", "is_outdated", "status", "words"),
    [
        (60, False, IncidentStatus.NEW, "Published as CAP until {until}."),
        (60, True, IncidentStatus.ASSIGNED, "Published as CAP until {until}, and changed since: P sends an update."),
        (60, True, IncidentStatus.CLOSED, "Closed, and still published as CAP until {until}: P takes it back."),
        (3600, False, IncidentStatus.NEW, "Published as CAP, and over for others since {until}: P sends it again."),
        (3600, True, IncidentStatus.CLOSED, ""),
    ],
    ids=["as it is", "changed", "closed", "over for others", "closed and over"],
)
def test_what_others_were_told_stands_above_the_steps(board, show, clock, age_s, is_outdated, status, words):
    told = incident("I", status=status)
    show(told)
    board.select("I")
    at = clock.now()
    published = Publication(at=at, until=at + PUBLISHED_FOR, is_outdated=is_outdated)
    board.show_detail(IncidentDetail(incident=told, published=published))

    clock.advance(seconds=age_s)
    board._on_second()

    assert board.view.published == words.format(until=format_clock(published.until))


def test_what_others_were_told_of_one_incident_is_not_said_of_the_next(board, show, clock):
    show(incident("I"), incident("other"))
    board.select("I")
    at = clock.now()
    published = Publication(at=at, until=at + PUBLISHED_FOR, is_outdated=False)
    board.show_detail(IncidentDetail(incident=incident("I"), published=published))
    assert board.view.published

    board.select("other")

    assert board.view.published == ""


def test_the_picture_of_a_call_that_joins_is_shown_and_the_one_before_is_the_next(board, show):
    wanted = []
    board.picture_requested.connect(wanted.append)
    show(incident("I"))
    board.show_detail(IncidentDetail(incident=incident("I"), pictures=("I",)))
    board.show_detail(IncidentDetail(incident=incident("I"), pictures=("I",)))
    assert wanted == ["I"]

    board.show_detail(IncidentDetail(incident=incident("I"), pictures=("I", "before")))
    QTest.mouseClick(board._view._next_picture, Qt.MouseButton.LeftButton)

    assert wanted == ["I", "I", "before"]


def test_each_picture_says_which_call_it_shows(board, show, clock):
    crash = PictureCall(kind="collision", title="Collision in Lane A", occurrence="o2", at=clock.now())
    show(incident("I"))

    board.show_detail(IncidentDetail(incident=incident("I"), pictures=("I", "before"), picture_calls=(crash, None)))
    assert board.view.picture_words == f"Collision in Lane A, called {format_clock(clock.now())}"

    QTest.mouseClick(board._view._next_picture, Qt.MouseButton.LeftButton)
    assert board.view.picture_words == ""


def test_a_picture_that_is_refused_says_why(board, show):
    show(incident("I"))
    board.show_detail(IncidentDetail(incident=incident("I"), pictures=("I",)))

    board.show_no_picture("I", "The picture a.jpg is not there any more.")

    assert board._view._picture.accessibleName() == "The picture a.jpg is not there any more."


def test_a_late_incident_says_so_in_the_list_and_above_it(board, show, clock):
    show(incident())
    clock.advance(seconds=80)

    board._on_second()

    assert "1 late" in board._count.text()
    assert board.listed[0].incident_id == "I"
    assert "late 00:20" in board._model.index(0, 2).data()


def test_a_timer_that_needs_another_line_gets_it_when_its_clock_begins(qtbot):
    def timer(name, seconds):
        state = TimerState.WAITING if seconds is None else TimerState.IN_TIME
        return Timer(name=name, limit_s=60.0, state=state, seconds=seconds)

    page, row = QWidget(), TimerRow()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    column.addWidget(row)
    column.addStretch(1)
    waiting = [timer("Assign", 0.0), timer("En route", 0.0), timer("On scene", None)]
    row.show_timers(waiting)
    page.show()
    page.resize(200, 200)
    while row.heightForWidth(row.width()) > row.fontMetrics().height() * 2:
        page.resize(page.width() + 1, 200)
    qtbot.waitUntil(lambda: row.height() == row.heightForWidth(row.width()))
    one_line = row.height()

    row.show_timers([*waiting[:2], timer("On scene", 3600.0)])

    qtbot.waitUntil(lambda: row.height() > one_line)


def test_what_is_looked_at_stays_while_others_come(board, show):
    show(incident("I"))
    board.select("I")

    show(incident("I"), incident("urgent", priority=Priority.CRITICAL))

    assert board.current.incident_id == "I"


def test_an_incident_that_the_list_does_not_have_is_found_all_the_same(board, show):
    show(incident("closed", status=IncidentStatus.CLOSED))

    board.select("closed")

    assert board.shown is Shown.ALL
    assert board.current.incident_id == "closed"


def test_nothing_is_published_by_one_key_alone(board, show):
    published = []
    board.publish_requested.connect(published.append)
    show(incident())

    press(board, "P", on=board.focusProxy())
    assert published == []
    press(board, [Qt.Key.Key_Return])

    assert published == ["I"]


def test_who_is_on_duty_is_changed_by_two_keys(board, show):
    asked = []
    board.duty_requested.connect(lambda *arguments: asked.append(arguments))
    show(incident("B"))

    press(board, "U", on=board.focusProxy())
    lines = [line.cells for line in board.findChild(UnitsPage).lines]
    press(board, [Qt.Key.Key_Return])

    assert lines == [
        ("Fire 4", "Fire", "off duty", "--"),
        ("Patrol 1", "Patrol", "on duty", "free"),
        ("Tow 1", "Tow truck", "on duty", "Collision B"),
    ]
    assert asked == [("U3", Duty.ON_DUTY)]


def test_only_a_supervisor_adds_units(board, show):
    added = []
    board.unit_requested.connect(lambda unit, version: added.append((unit.call_sign, unit.kind, version)))
    show()
    field = next(one for one in board.findChildren(QLineEdit) if one.accessibleName() == "Call sign of a new unit")
    assert not field.isEnabled()

    board.show_role(Role.SUPERVISOR, "susi")
    board.show_unit_page()
    QTest.keyClicks(field, "Road 2")
    QTest.keyClick(field, Qt.Key.Key_Return)

    assert added == [("Road 2", "", 0)]


def test_an_incident_is_offered_at_the_camera_that_is_looked_at(board, show):
    opened = []
    board.open_requested.connect(opened.append)
    board.show_cameras({"ring-north": "Ring North"})
    board.set_camera_at_hand("ring-north")
    show()

    press(board, "O", on=board.focusProxy())
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    assert [wanted.camera_id for wanted in opened] == ["ring-north"]


def test_who_asks_for_a_duplicate_gets_the_one_that_it_repeats(board, show):
    show(incident("whole"), incident("part", status=IncidentStatus.CLOSED, merged_into="whole"))

    board.select("part")

    assert board.current.incident_id == "whole"
