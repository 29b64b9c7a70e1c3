"""Shelving, taking out of service, resetting and taking back, by keyboard alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.access.model import Role
from core.incidents.handling import Limits
from core.incidents.model import AlarmMark, AlarmState, Clip, ClipInfo, ClipPicture, Priority, Quality, Shelving
from core.kernel.clock import FakeClock
from core.node.model import Trend, TrendPoint
from tests.gui.alarms.making import NOW, make_alarm
from widgets.alarms.actions import Action
from widgets.alarms.gauges import AlarmGauges
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.alarms.table_model import Column
from widgets.base.times import format_clock


def shelved(name="shelved", **more):
    until = NOW + timedelta(minutes=30)
    return make_alarm(
        name, shelving=Shelving.TIMED, shelved_until=until, shelved_by="dana", shelve_reason="Maintenance", **more
    )


def suppressed():
    return make_alarm("suppressed", suppressed_by="gateway lost")


def out_of_service():
    until = NOW + timedelta(days=1)
    return make_alarm(
        "out",
        out_of_service_by="sam",
        out_of_service_reason="camera is replaced",
        out_of_service_until=until,
    )


@pytest.fixture
def desk(qtbot):
    alarms = AlarmList(FakeClock())
    qtbot.addWidget(alarms)
    alarms.resize(1500, 500)
    alarms.show()
    qtbot.waitExposed(alarms)
    alarms.activateWindow()
    alarms.answers = []
    alarms.answer_requested.connect(lambda alarm, answer: alarms.answers.append((alarm.alarm_id, answer)))
    alarms.show_alarms([make_alarm("calling"), shelved(), suppressed(), out_of_service()])
    alarms.table.setFocus()
    return alarms


def rows(alarms):
    return [alarms.model.alarm_at(row).alarm_id for row in range(alarms.model.rowCount())]


def press(key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(QApplication.focusWidget(), key, modifier)


def tab_texts(alarms):
    return [alarms._tabs.tabText(index) for index in range(alarms._tabs.count())]


def test_what_is_held_stands_in_a_tab_of_its_own_with_its_count(desk):
    assert tab_texts(desk) == ["Active 1", "Shelved 1", "Suppressed 1", "Out of service 1", "History"]
    assert rows(desk) == ["calling"]

    shown = {}
    for tab in (Tab.SHELVED, Tab.SUPPRESSED, Tab.OUT_OF_SERVICE):
        desk.show_tab(tab)
        shown[tab] = (rows(desk), desk.model.index(0, Column.STATE).data(), desk.model.index(0, Column.COMMENT).data())

    assert {tab: (ids, state) for tab, (ids, state, _) in shown.items()} == {
        Tab.SHELVED: (["shelved"], "SHLVD"),
        Tab.SUPPRESSED: (["suppressed"], "DSUPR"),
        Tab.OUT_OF_SERVICE: (["out"], "OOSRV"),
    }
    assert "dana" in shown[Tab.SHELVED][2]
    assert "Maintenance" in shown[Tab.SHELVED][2]
    assert shown[Tab.SUPPRESSED][2] == "by gateway lost"
    assert "camera is replaced" in shown[Tab.OUT_OF_SERVICE][2]


def test_held_alarms_are_not_counted_as_calling_and_not_reached_by_next(desk):
    assert desk.model.counts()[Priority.HIGH] == 1

    for _ in range(3):
        press(Qt.Key.Key_N)

    assert [alarm.alarm_id for alarm in desk.selected_alarms()] == ["calling"]


def test_s_shelves_for_a_time_and_a_reason_without_a_mouse(desk):
    desk.select("calling")
    press(Qt.Key.Key_S)
    assert desk.action_text == "Shelve Congestion, for 60 min at most:"

    press(Qt.Key.Key_Down)
    press(Qt.Key.Key_Return)

    ((alarm_id, answer),) = desk.answers
    assert alarm_id == "calling"
    assert (answer.action, answer.reason, answer.shelving) == (
        Action.SHELVE,
        "Known fault, is being mended",
        Shelving.TIMED,
    )
    assert answer.span == timedelta(hours=1)
    assert desk.action_text == ""
    assert desk.table.hasFocus()
    assert desk.model.index(0, Column.STATE).data() == "sent…"


def test_no_time_longer_than_the_limit_is_offered(desk):
    desk.select("calling")
    desk.show_limits(
        "calling", Limits(shelve_reasons=(), longest_shelving_s=1200, may_reset=True, is_comment_needed=False)
    )

    press(Qt.Key.Key_S)

    span = desk._action_bar._span
    assert [span.itemText(index) for index in range(span.count())] == ["5 min", "15 min", "20 min"]


def test_the_question_goes_with_the_tab_on_which_it_was_asked(desk):
    desk.select("calling")
    desk.begin(Action.SHELVE)
    assert desk.action_text.startswith("Shelve ")

    desk.show_tab(Tab.OUT_OF_SERVICE)

    assert desk.action_text == ""


def test_the_question_goes_with_the_selection_that_it_was_asked_for(desk):
    desk.show_alarms([make_alarm("calling"), make_alarm("other", age_s=90)])
    desk.select("calling")
    desk.begin(Action.SHELVE)
    desk.show_changes([make_alarm("third"), make_alarm("calling", version=2)])
    desk._apply_changes()
    assert desk.action_text.startswith("Shelve "), "rows that move do not answer it"

    desk.select("other")

    assert desk.action_text == ""
    assert desk.table.hasFocus()


def test_who_turns_to_another_tab_by_its_key_keeps_the_keys_there(desk):
    desk.select("calling")
    desk.begin(Action.SHELVE)
    desk._tabs.setFocus()

    press(Qt.Key.Key_Right)

    assert desk.action_text == ""
    assert desk._tabs.hasFocus()


def test_a_critical_alarm_is_not_shelved_by_an_operator_and_the_list_says_so(desk):
    desk.show_changes([make_alarm("calling", Priority.CRITICAL, version=2)])
    desk._apply_changes()
    desk.select("calling")

    press(Qt.Key.Key_S)
    assert desk.action_text.startswith("You may not shelve Congestion.")
    press(Qt.Key.Key_Escape)

    assert desk.answers == []
    assert desk.table.hasFocus()


def test_s_again_takes_a_shelved_one_back(desk):
    desk.select("shelved")
    desk.table.setFocus()

    press(Qt.Key.Key_S)

    assert [(alarm_id, answer.action) for alarm_id, answer in desk.answers] == [("shelved", Action.UNSHELVE)]


def test_an_acknowledge_is_taken_back_with_a_reason_and_only_soon(desk):
    desk.show_alarms([make_alarm("acked", is_acknowledged=True)])
    desk.select("acked")
    press(Qt.Key.Key_U)
    press(Qt.Key.Key_Return)
    assert desk.answers == [], "without a reason nothing is sent"

    QTest.keyClicks(QApplication.focusWidget(), "wrong row")
    press(Qt.Key.Key_Return)
    ((_, answer),) = desk.answers
    assert (answer.action, answer.reason) == (Action.UNACKNOWLEDGE, "wrong row")

    desk._clock.advance(seconds=601)
    press(Qt.Key.Key_U)
    assert desk.action_text == ""


def test_a_latched_alarm_is_reset_once_it_is_acknowledged(desk):
    latched = make_alarm("latched", is_active=False, is_latched=True)
    desk.show_alarms([latched])
    desk.select("latched")
    assert desk.model.index(0, Column.STATE).data() == "LATCH-UNACK"
    press(Qt.Key.Key_R)
    assert desk.answers == []

    desk.show_alarms([make_alarm("latched", is_active=False, is_latched=True, is_acknowledged=True, version=2)])
    press(Qt.Key.Key_R)

    assert [(alarm_id, answer.action) for alarm_id, answer in desk.answers] == [("latched", Action.RESET)]


def test_only_a_supervisor_takes_out_of_service(desk):
    desk.select("calling")
    press(Qt.Key.Key_O)
    assert desk.action_text == ""

    desk.show_role(Role.SUPERVISOR)
    press(Qt.Key.Key_O)
    assert desk.action_text.startswith("Take Congestion out of service.")
    press(Qt.Key.Key_Tab)
    QTest.keyClicks(QApplication.focusWidget(), "camera is replaced")
    press(Qt.Key.Key_Return)

    ((_, answer),) = desk.answers
    assert (answer.action, answer.reason, answer.span) == (Action.TAKE_OUT, "camera is replaced", timedelta(days=1))


def test_the_history_is_asked_for_when_somebody_looks_and_stays_read_only(desk, qtbot):
    with qtbot.waitSignal(desk.history_requested):
        desk.show_tab(Tab.HISTORY)
    over = make_alarm("over", is_active=False, is_acknowledged=True, age_s=7000)

    desk.show_history([over, make_alarm("calling")])

    assert rows(desk) == ["calling", "over"]
    desk.select("over")
    desk.table.setFocus()
    for key in (Qt.Key.Key_Space, Qt.Key.Key_S, Qt.Key.Key_R):
        press(key)
    assert desk.answers == []


def test_marks_and_doubt_are_said_beside_the_state(desk):
    alarm = make_alarm("odd", marks=frozenset({AlarmMark.CHATTERING}), quality=Quality.STALE, escalation_level=2)
    desk.show_alarms([alarm])

    assert desk.model.index(0, Column.STATE).data() == AlarmState.UNACKNOWLEDGED.value
    assert desk.model.index(0, Column.COMMENT).data() == (
        "escalated 2× · chattering · unconfirmed, last known state"  # noqa: RUF001
    )


def test_where_there_is_no_column_for_it_a_remark_stands_before_the_title(desk, qtbot):
    desk.show_alarms([make_alarm("odd", escalation_level=1)])
    assert desk.model.index(0, Column.TITLE).data() == "Congestion"

    desk.resize(800, 500)

    qtbot.waitUntil(lambda: desk.model.index(0, Column.TITLE).data() == "escalated 1× · Congestion")  # noqa: RUF001


def test_counts_of_what_is_held_stand_beside_the_strip(qtbot):
    gauges = AlarmGauges()
    qtbot.addWidget(gauges)

    gauges.show_alarms([shelved("a"), shelved("b"), suppressed(), make_alarm("calling")])

    assert [gauges.count(tab) for tab in (Tab.SHELVED, Tab.SUPPRESSED, Tab.OUT_OF_SERVICE)] == [2, 1, 0]


def a_clip(*offsets_s):
    pictures = tuple(ClipPicture(offset_s=offset_s, jpeg=jpeg_of(number)) for number, offset_s in enumerate(offsets_s))
    return Clip(incident_id="incident-calling", camera_id="c1", at=NOW, pictures=pictures)


def jpeg_of(grey):
    image = QImage(16, 9, QImage.Format.Format_RGB32)
    image.fill(QColor(grey, grey, grey))
    target = QBuffer()
    target.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(target, "JPG")
    return bytes(target.data().data())


def test_before_and_after_are_looked_through_by_keyboard(desk):
    desk.select("calling")
    assert not desk.detail.has_clip

    desk.show_clip("calling", a_clip(-9.5, -5.0, 0.2, 9.0))
    assert desk.detail.has_clip
    bar = desk.detail._clip
    assert bar.moment_text == "+0.2 s"
    bar._slider.setFocus()
    press(Qt.Key.Key_Left)

    assert bar.moment_text == "-5.0 s"
    assert desk.detail.has_picture
    desk.select("shelved")
    assert not desk.detail.has_clip


def an_info(camera_id, n_pictures=4, missing=""):
    return ClipInfo(
        incident_id="incident-calling",
        camera_id=camera_id,
        camera_name=camera_id.upper(),
        n_pictures=n_pictures,
        missing=missing,
        is_being_taken=False,
        at=NOW,
    )


def test_each_camera_that_saw_it_is_offered_and_what_is_missing_is_said(desk):
    wanted = []
    desk.clip_requested.connect(lambda *asked: wanted.append(asked))
    desk.select("calling")

    desk.show_clips(
        "calling", (an_info("c0", 0, "It gave no picture."), an_info("c1", missing="Half of it."), an_info("c2"))
    )
    desk.show_clip("calling", a_clip(-9.5, 0.2))
    bar = desk.detail._clip

    assert wanted == [("calling", "incident-calling", "c1", "")], "the best one that has a film"
    assert bar.missing_text == "Half of it."
    bar._cameras.setFocus()
    press(Qt.Key.Key_Down)
    assert wanted[-1] == ("calling", "incident-calling", "c2", "")
    assert not desk.detail.has_picture, "the picture of another camera is gone at once"
    desk.show_clip("calling", replace(a_clip(-9.5, 0.2), camera_id="c2"))
    assert desk.detail.has_picture
    for _ in range(2):
        press(Qt.Key.Key_Up)
    assert bar.missing_text == "It gave no picture."
    assert not bar._player.isVisible()
    assert not desk.detail.has_picture


def test_a_later_call_of_the_incident_comes_first_and_each_film_says_of_when_it_is(desk):
    wanted = []
    desk.clip_requested.connect(lambda *asked: wanted.append(asked[2:]))
    desk.select("calling")
    ghost = replace(an_info("c1"), occurrence="ghost")
    crash = replace(an_info("c1"), occurrence="crash", at=NOW + timedelta(seconds=40))
    desk.show_clips("calling", (ghost,))
    desk.show_clip("calling", replace(a_clip(-9.5, 0.2), occurrence="ghost"))

    desk.show_clips("calling", (crash, ghost))

    bar = desk.detail._clip
    assert wanted == [("c1", "ghost"), ("c1", "crash")]
    assert [bar._cameras.itemText(index) for index in range(2)] == [
        f"C1, {format_clock(NOW + timedelta(seconds=40))}",
        f"C1, {format_clock(NOW)}",
    ]
    bar._cameras.setFocus()
    press(Qt.Key.Key_Down)
    assert wanted[-1] == ("c1", "ghost")
    desk.show_clips("calling", (crash, ghost))
    assert bar._cameras.currentIndex() == 1, "who has chosen keeps that"


def test_one_camera_that_gave_nothing_is_named(desk):
    desk.select("calling")

    desk.show_clips("calling", (an_info("c0", 0, "It did not answer in time."),))

    assert desk.detail._clip.missing_text == "C0: It did not answer in time."


def test_a_clip_of_another_alarm_is_not_shown(desk):
    desk.select("calling")

    desk.show_clip("shelved", a_clip(-1.0, 1.0))

    assert not desk.detail.has_clip


def test_the_trend_around_an_alarm_is_shown_and_said(desk):
    desk.select("calling")
    points = tuple(
        TrendPoint(at=NOW + timedelta(minutes=minutes), value=value)
        for minutes, value in ((-29, 52.0), (-5, 40.0), (0, 9.0))
    )

    desk.show_trend("calling", Trend(title="Speed, this camera", unit="km/h", points=points))

    assert desk.detail.trend_text == "Speed, this camera: 52 km/h half an hour before, 9 at last"
    assert not desk.detail._trend.grab().isNull()
    desk.show_trend("calling", None)
    assert desk.detail.trend_text == ""


def test_x_closes_what_nobody_hears_with_a_reason_for_a_supervisor_alone(desk):
    desk.show_alarms([make_alarm("unheard", quality=Quality.STALE), make_alarm("heard")])
    desk.select("unheard")
    press(Qt.Key.Key_X)
    assert desk.action_text == ""

    desk.show_role(Role.SUPERVISOR)
    desk.select("heard")
    press(Qt.Key.Key_X)
    assert desk.action_text == ""

    desk.select("unheard")
    press(Qt.Key.Key_X)
    assert desk.action_text.startswith("Close Congestion: nobody is heard there")
    QTest.keyClicks(QApplication.focusWidget(), "Mast was taken down")
    press(Qt.Key.Key_Return)

    ((alarm_id, answer),) = desk.answers
    assert (alarm_id, answer.action, answer.reason) == ("unheard", Action.CLOSE_UNHEARD, "Mast was taken down")


def test_where_a_rule_wants_a_comment_the_acknowledge_goes_with_what_is_written(desk):
    asked, written = [], []
    desk.acknowledge_requested.connect(lambda *what: asked.append(what))
    desk.comment_requested.connect(lambda *what: written.append(what))
    desk.select("calling")
    desk.show_limits(
        "calling", Limits(shelve_reasons=(), longest_shelving_s=0.0, may_reset=True, is_comment_needed=True)
    )

    press(Qt.Key.Key_A)
    assert asked == []
    assert QApplication.focusWidget().placeholderText() == "Say what you found; Enter acknowledges"
    QTest.keyClicks(QApplication.focusWidget(), "Police is there")
    press(Qt.Key.Key_Return)

    assert [(alarm_id, comment) for alarm_id, _, _, comment in asked] == [("calling", "Police is there")]
    assert written == []
    assert desk.table.hasFocus()
