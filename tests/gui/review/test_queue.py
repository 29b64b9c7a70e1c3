from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import QBuffer, QEvent, Qt
from PySide6.QtGui import QImage, QKeyEvent
from PySide6.QtWidgets import QApplication, QLabel

from core.access.model import Role
from core.incidents.model import Incident, IncidentStatus, SourceKind
from core.incidents.review import (
    ConfidenceBin,
    Outcome,
    PrecisionReport,
    ReviewFilter,
    ReviewItem,
    ReviewPage,
    RulePrecision,
    Waiting,
)
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError, UnavailableError
from widgets.alarms.detail import why_no_picture
from widgets.base.state_overlay import PanelState
from widgets.review.queue import KEPT_ROWS, ReviewQueue

NOW = FakeClock().now()


def make_item(number, **changes):
    incident = Incident(
        incident_id=f"{9000 - number:04d}",
        kind="stopped_vehicle",
        title=f"Stopped vehicle in lane {number}",
        source_kind=SourceKind.CAMERA,
        source_id="c1",
        source_name="Harbour Road",
        status=IncidentStatus.NEW,
        began_at=NOW - timedelta(minutes=number),
        snapshot_path="a.jpg",
    )
    return ReviewItem(**{"incident": incident, "confidence": 0.8, "picture_id": incident.incident_id} | changes)


def page_of(*numbers, has_more=False, n_matching=None):
    items = tuple(make_item(number) for number in numbers)
    return ReviewPage(items=items, has_more=has_more, n_matching=len(items) if n_matching is None else n_matching)


@pytest.fixture
def queue(qtbot):
    made = ReviewQueue()
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show_role(Role.OPERATOR)
    made.ask_anew()
    made.show_page(ReviewFilter(), "", page_of(0, 1, 2))
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made._table.setFocus()
    return made


@pytest.fixture
def decided(queue):
    heard = []
    queue.decide_requested.connect(
        lambda item, outcome, original: heard.append((item.incident.incident_id, outcome, item.version, original))
    )
    return heard


def press(qtbot, queue, key):
    qtbot.keyClick(queue._table, key)


def reviewed(number, outcome, version=1, **more):
    return make_item(number, outcome=outcome, version=version, reviewed_by="olga", **more)


def test_the_newest_incident_is_looked_at_first_with_its_picture(queue, qtbot):
    with qtbot.waitSignal(queue.picture_requested) as asked:
        queue.go_on(0)
        queue._picturing.start()

    assert asked.args == [queue.current]
    assert queue._title.text() == "Stopped vehicle in lane 0"
    assert "sure 80%" in queue._facts.text()
    assert queue._count.text() == "3 of 3"


def test_one_key_answers_and_goes_on_to_the_next(queue, decided, qtbot):
    press(qtbot, queue, Qt.Key.Key_T)
    press(qtbot, queue, Qt.Key.Key_F)

    assert decided == [("9000", Outcome.TRUE, 0, ""), ("8999", Outcome.FALSE, 0, "")]
    assert queue.current.incident.incident_id == "8998"


def test_j_and_k_walk_without_answering(queue, decided, qtbot):
    press(qtbot, queue, Qt.Key.Key_J)
    press(qtbot, queue, Qt.Key.Key_J)
    press(qtbot, queue, Qt.Key.Key_K)

    assert queue.current.incident.incident_id == "8999"
    assert decided == []


def test_a_duplicate_asks_which_incident_it_repeats(queue, decided, qtbot):
    with qtbot.waitSignal(queue.candidates_requested):
        press(qtbot, queue, Qt.Key.Key_D)

    queue.show_candidates("9000", [make_item(1), make_item(2)])
    qtbot.keyClick(queue._candidates, Qt.Key.Key_Down)
    qtbot.keyClick(queue._candidates, Qt.Key.Key_Return)

    assert decided == [("9000", Outcome.DUPLICATE, 0, "8998")]
    assert not queue._candidates.isVisible()


def test_escape_leaves_the_choice_of_the_original(queue, decided, qtbot):
    queue.show_candidates("9000", [make_item(1)])

    qtbot.keyClick(queue._candidates, Qt.Key.Key_Escape)

    assert not queue._candidates.isVisible()
    assert decided == []


def test_an_incident_that_stands_alone_repeats_none(queue):
    queue.show_candidates("9000", [])

    assert queue._note.isVisible()
    assert "repeats none" in queue._note.text()


def test_undo_takes_the_last_answer_back(queue, decided, qtbot):
    press(qtbot, queue, Qt.Key.Key_T)
    queue.show_reviews([reviewed(0, Outcome.TRUE)])

    with qtbot.waitSignal(queue.undo_requested) as taken:
        press(qtbot, queue, Qt.Key.Key_U)

    assert taken.args == [reviewed(0, Outcome.TRUE)]
    assert queue.current.incident.incident_id == "9000"


def test_undo_of_a_second_answer_gives_the_first_one_again(queue, decided, qtbot):
    queue.show_reviews([reviewed(0, Outcome.TRUE)])
    press(qtbot, queue, Qt.Key.Key_F)
    queue.show_reviews([reviewed(0, Outcome.FALSE, version=2)])

    press(qtbot, queue, Qt.Key.Key_U)

    assert decided[-1] == ("9000", Outcome.TRUE, 2, "")


def test_what_was_answered_stays_in_the_list_with_its_outcome(queue):
    queue.show_reviews([reviewed(0, Outcome.FALSE)])

    assert queue._model.index(0, 4).data() == "false"
    assert queue._model.index(0, 1).data() == "✗ Stopped vehicle"
    assert queue._model.rowCount() == 3


def test_an_older_word_does_not_replace_a_newer_one(queue):
    queue.show_reviews([reviewed(0, Outcome.FALSE, version=3)])
    queue.show_reviews([reviewed(0, Outcome.TRUE, version=2)])

    assert queue._model.item(0).outcome is Outcome.FALSE


def become_a_collision(number, **changes):
    shown = make_item(number)
    incident = replace(shown.incident, kind="collision", title="Collision", version=shown.incident.version + 1)
    return replace(shown, incident=incident, **changes)


def test_what_became_something_else_waits_again_and_no_older_word_hides_it(queue, decided, qtbot):
    queue.show_reviews([reviewed(0, Outcome.TRUE)])

    queue.show_newest(ReviewFilter(), ReviewPage(items=(become_a_collision(0),)))
    queue.show_reviews([reviewed(0, Outcome.TRUE)])

    assert queue._model.index(0, 1).data() == "Collision"
    queue.show_picture(queue.current, b"")
    press(qtbot, queue, Qt.Key.Key_F)
    assert decided == [("9000", Outcome.FALSE, 0, "")]


def with_a_newer_picture(number):
    shown = make_item(number)
    return replace(shown, incident=replace(shown.incident, snapshot_path="b.jpg", version=shown.incident.version + 1))


def a_picture():
    image = QImage(8, 6, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    held = QBuffer()
    image.save(held, "PNG")
    return bytes(held.data().data())


@pytest.fixture
def looked_at(queue, qtbot):
    """The first incident, as it is looked at with its picture."""
    with qtbot.waitSignal(queue.picture_requested):
        queue._picturing.start()
    queue.show_picture(queue.current, a_picture())
    assert not queue._picture._image.isNull()
    return queue.current


@pytest.mark.parametrize("become", [become_a_collision, with_a_newer_picture])
@pytest.mark.parametrize("told_by", ["show_newest", "show_reviews"])
def test_what_becomes_something_else_under_the_eyes_is_asked_for_its_picture_anew(
    queue, decided, looked_at, qtbot, become, told_by
):
    with qtbot.waitSignal(queue.picture_requested) as asked:
        if told_by == "show_newest":
            queue.show_newest(ReviewFilter(), ReviewPage(items=(become(0),)))
        else:
            queue.show_reviews([become(0)])
        assert queue._picture._image.isNull()

    assert asked.args == [become(0)]


def test_an_answer_that_was_meant_for_the_former_picture_is_not_sent_for_the_new_one(queue, decided, looked_at, qtbot):
    queue.show_newest(ReviewFilter(), ReviewPage(items=(become_a_collision(0),)))
    press(qtbot, queue, Qt.Key.Key_T)
    press(qtbot, queue, Qt.Key.Key_F)
    assert decided == []
    assert not queue._answers[Outcome.TRUE].isEnabled()
    assert queue._note.text() == "It became Collision meanwhile."

    queue.show_picture(queue.current, a_picture())
    press(qtbot, queue, Qt.Key.Key_F)

    assert decided == [("9000", Outcome.FALSE, 0, "")]


def test_a_picture_that_was_asked_for_under_the_former_name_is_not_shown_under_the_new_one(queue, decided, looked_at):
    queue.show_newest(ReviewFilter(), ReviewPage(items=(become_a_collision(0),)))

    queue.show_picture(looked_at, a_picture())

    assert queue._picture._image.isNull()
    assert not queue._answers[Outcome.TRUE].isEnabled()


def test_a_picture_of_another_call_does_not_stand_for_what_is_asked(queue, decided, looked_at, qtbot):
    bare = replace(become_a_collision(0), picture_id="")

    queue.show_newest(ReviewFilter(), ReviewPage(items=(bare,)))

    qtbot.waitUntil(lambda: queue._picture.accessibleName().startswith("No picture of this call"))
    press(qtbot, queue, Qt.Key.Key_T)
    assert decided == [("9000", Outcome.TRUE, 0, "")]


@pytest.mark.parametrize(
    ("error", "begin"),
    [
        (NotPermittedError("Sign in first."), "You may not see this picture."),
        (UnavailableError("The node does not answer."), "The node cannot be asked for the picture now."),
        (BadInputError("The picture a.jpg is not there any more."), "The picture a.jpg is not there any more."),
    ],
)
def test_a_picture_that_is_refused_says_why(queue, error, begin):
    queue.show_no_picture(queue.current, why_no_picture(error))

    assert queue._picture.accessibleName().startswith(begin)


def test_what_has_no_picture_under_its_new_name_is_answered_once_that_is_said(queue, decided, looked_at, qtbot):
    bare = become_a_collision(0)
    bare = replace(bare, picture_id="", incident=replace(bare.incident, snapshot_path=""))

    queue.show_newest(ReviewFilter(), ReviewPage(items=(bare,)))
    qtbot.waitUntil(lambda: queue._picture.accessibleName() == "This incident has no picture.")
    press(qtbot, queue, Qt.Key.Key_T)

    assert decided == [("9000", Outcome.TRUE, 0, "")]


def test_the_choice_of_the_original_ends_where_its_incident_becomes_something_else(queue, decided, looked_at, qtbot):
    queue.show_candidates("9000", [make_item(1)])

    queue.show_newest(ReviewFilter(), ReviewPage(items=(become_a_collision(0),)))
    queue.show_candidates("9000", [make_item(1)])

    assert not queue._candidates.isVisible()
    assert queue._table.hasFocus()


def test_who_goes_on_from_what_became_something_else_answers_the_next_one(queue, decided, looked_at, qtbot):
    queue.show_newest(ReviewFilter(), ReviewPage(items=(become_a_collision(0),)))

    press(qtbot, queue, Qt.Key.Key_J)
    press(qtbot, queue, Qt.Key.Key_T)

    assert decided == [("8999", Outcome.TRUE, 0, "")]


def test_an_answer_from_another_desk_leaves_the_picture_where_it_is(queue, looked_at):
    queue.show_reviews([reviewed(0, Outcome.TRUE)])

    assert not queue._picture._image.isNull()
    assert queue._answers[Outcome.TRUE].isEnabled()


def test_what_waits_again_comes_where_it_belongs_without_moving_what_is_looked_at(queue, qtbot):
    queue.show_page(ReviewFilter(), "", page_of(0, 2))
    press(qtbot, queue, Qt.Key.Key_J)

    queue.show_newest(ReviewFilter(), page_of(-1, 0, 1, 2, 3))

    shown = [item.incident.incident_id for item in queue._model.items]
    assert shown == ["9001", "9000", "8999", "8998", "8997"]
    assert queue.current.incident.incident_id == "8998"


def test_an_answer_to_what_became_something_else_is_not_taken_back(queue, qtbot):
    press(qtbot, queue, Qt.Key.Key_T)
    queue.show_reviews([become_a_collision(0, outcome=Outcome.FALSE, version=1, reviewed_by="omar")])
    asked = []
    queue.undo_requested.connect(asked.append)

    press(qtbot, queue, Qt.Key.Key_U)

    assert asked == []
    assert "cannot be taken back" in queue._note.text()


def test_viewers_look_and_do_not_answer(queue, decided, qtbot):
    queue.show_role(Role.VIEWER)

    press(qtbot, queue, Qt.Key.Key_T)

    assert decided == []
    assert not queue._answers[Outcome.TRUE].isEnabled()


def test_further_pages_are_asked_for_while_one_walks_down(queue, qtbot):
    queue.ask_anew()
    queue.show_page(ReviewFilter(), "", page_of(*range(20), has_more=True, n_matching=5000))

    with qtbot.waitSignal(queue.page_requested) as asked:
        queue._table.setCurrentIndex(queue._model.index(18, 0))
        queue._table.verticalScrollBar().setValue(queue._table.verticalScrollBar().maximum())

    assert asked.args == [ReviewFilter(), "8981"]
    queue.show_page(ReviewFilter(), "8981", page_of(*range(20, 40)))
    assert queue._model.rowCount() == 40


def test_what_happens_meanwhile_comes_above_without_moving_what_is_looked_at(queue, qtbot):
    press(qtbot, queue, Qt.Key.Key_J)
    fresh = ReviewPage(items=(make_item(-1), make_item(0)), n_matching=4)

    queue.show_newest(ReviewFilter(), fresh)

    assert queue._model.rowCount() == 4
    assert queue.current.incident.incident_id == "8999"
    assert queue._count.text() == "4 of 4"


def test_where_more_happened_than_a_page_holds_the_list_begins_anew(queue, qtbot):
    with qtbot.waitSignal(queue.page_requested) as asked:
        queue.show_newest(ReviewFilter(), page_of(-3, -2, has_more=True))

    assert asked.args == [ReviewFilter(), ""]


def test_a_list_that_grows_for_days_lets_the_oldest_go_and_asks_for_them_again(queue, qtbot):
    queue.show_newest(ReviewFilter(), page_of(*range(-KEPT_ROWS, 3)))
    assert queue.current.incident.incident_id == "9000"
    queue.go_on(-KEPT_ROWS)
    queue.show_newest(ReviewFilter(), page_of(-KEPT_ROWS - 1))
    assert queue._model.rowCount() == KEPT_ROWS

    with qtbot.waitSignal(queue.page_requested) as asked:
        queue.go_on(KEPT_ROWS)

    assert asked.args[1] == queue._model.items[-1].incident.incident_id


@pytest.mark.parametrize("key", [Qt.Key.Key_T, Qt.Key.Key_F, Qt.Key.Key_D])
def test_a_letter_in_a_filter_chooses_an_entry_and_answers_nothing(queue, decided, qtbot, key):
    queue._kind.setFocus()

    qtbot.keyClick(queue._kind, key)

    assert decided == []


def test_a_letter_in_the_choice_of_the_original_answers_nothing(queue, decided, qtbot):
    queue.show_candidates(queue.current.incident.incident_id, [make_item(7)])

    qtbot.keyClick(queue._candidates, Qt.Key.Key_T)

    assert decided == []


def test_a_key_that_is_held_answers_once(queue, decided):
    repeated = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_T, Qt.KeyboardModifier.NoModifier, "t", True)

    QApplication.sendEvent(queue._table, repeated)

    assert decided == []


def test_a_filter_asks_anew_and_an_answer_to_the_old_one_is_left_alone(queue, qtbot):
    queue.show_cameras({"c1": "Harbour Road", "c2": "Tunnel"})
    with qtbot.waitSignal(queue.page_requested) as asked:
        queue._camera.setCurrentIndex(2)
    assert asked.args == [ReviewFilter(source_id="c2"), ""]

    queue.show_page(ReviewFilter(), "", page_of(0, 1))

    assert queue._model.rowCount() == 0


def test_an_empty_queue_says_that_nothing_waits(queue):
    queue.show_page(ReviewFilter(), "", page_of())
    assert queue._overlay.sentence == "Nothing waits for a review."

    queue._waiting.setCurrentIndex(queue._waiting.findData(Waiting.REVIEWED))
    queue.show_page(queue.wanted, "", page_of())

    assert queue._overlay.state is PanelState.EMPTY
    assert queue._overlay.sentence == "No incident fits."


def test_how_often_each_rule_was_right_is_shown_and_by_confidence_for_one(queue):
    report = PrecisionReport(
        rules=(
            RulePrecision(kind="collision", n_true=8, n_false=2, n_waiting=5, precision=0.8, low=0.49, high=0.943),
            RulePrecision(
                kind="collision",
                source_id="c1",
                source_name="Tunnel",
                n_true=8,
                n_false=2,
                precision=0.8,
                low=0.49,
                high=0.94,
            ),
            RulePrecision(kind="congestion", n_waiting=3),
        ),
        bins=(ConfidenceBin(kind="collision", low=0.8, high=0.9, n_true=3, n_false=1),),
    )

    queue.show_precision(report)
    assert [line.cells[:2] for line in queue._measures.lines] == [("Collision", "80%"), ("Congestion", "--")]

    queue._kind.setCurrentIndex(queue._kind.findData("collision"))
    assert [line.cells[0] for line in queue._measures.lines] == ["All cameras", "Tunnel", "Sure 80% to 90%"]
    assert queue._measures.lines[0].cells[2] == "49% to 94%"


def test_what_the_figures_count_stands_beside_them(queue):
    said = [label.text() for label in queue._measures.parentWidget().findChildren(QLabel)]

    assert any("the rule that an incident is named after" in text and "by hand" in text for text in said)
    assert queue._measures.isVisible()


@pytest.mark.parametrize("width", [480, 700, 1200])
def test_the_queue_goes_into_a_dock_of_any_width(queue, qapp, width):
    queue.resize(width, 460)
    qapp.processEvents()

    assert queue.width() == width
    assert all(button.isVisible() for button in queue._answers.values())
