"""Sentences on a picture, in the lines that a tile has room for."""

import pytest
from PySide6.QtGui import QFontMetrics

from core.vision import slot
from core.vision.classes import SOME_CLASSES
from widgets.base.theme import picture_look
from widgets.video.note import _lines_of, n_lines_for

LONG = "The large stream does not come, the small one is shown. Test its address, and look at its settings, or wait."


@pytest.fixture
def metrics(qapp):
    made = picture_look()
    return QFontMetrics(made.font(made.sizes.caption))


def test_a_text_is_wrapped_at_words_and_none_of_it_is_lost(metrics):
    room = metrics.horizontalAdvance(LONG) // 2

    lines = _lines_of(LONG, metrics, room, n_lines=3)

    assert len(lines) in (2, 3)
    assert " ".join(lines) == LONG
    assert all(metrics.horizontalAdvance(line) <= room for line in lines)


def test_where_not_all_has_room_the_first_sentence_stands_whole(metrics):
    room = metrics.horizontalAdvance("The large stream does not come, the small one is shown. ")

    assert _lines_of(LONG, metrics, room, n_lines=1) == ["The large stream does not come, the small one is shown."]


def test_where_that_has_no_room_its_beginning_says_what_is_wrong(metrics):
    room = metrics.horizontalAdvance("Nothing is detected now: ")

    assert _lines_of(slot.NO_DETECTOR, metrics, room, n_lines=1) == ["Nothing is detected now."]


def test_what_a_model_does_not_know_is_named_where_only_the_beginning_has_room(metrics):
    sentence = SOME_CLASSES.format(model="road", missing="person")
    room = metrics.horizontalAdvance("The model road does not know person. ")

    assert _lines_of(sentence, metrics, room, n_lines=1) == ["The model road does not know person."]


def test_where_that_has_no_room_either_it_is_shortened_and_nothing_stands_out(metrics):
    (line,) = _lines_of(LONG, metrics, 80, n_lines=1)

    assert line.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert metrics.horizontalAdvance(line) <= 80


@pytest.mark.parametrize("sentence", [slot.AWAY, slot.NO_DETECTOR, slot.UNDERSAMPLED, slot.RARE, *slot.BLIND.values()])
def test_on_a_wall_of_sixteen_the_first_sentence_is_read_whole(metrics, sentence):
    lines = _lines_of(sentence, metrics, room=400, n_lines=n_lines_for(225, picture_look()))

    assert sentence.startswith(" ".join(lines))
    assert lines[-1].endswith(".")
